//! A copy of a log, served as the log was: its checkpoint and its tiles, and nothing else of the directory.

use std::fs;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use oacp_tlog::tile::Tile;

use crate::operator::OperatorLog;
use crate::remote::cut;
use crate::server::{self, Refused, ServerLimits};

/// What is served.
#[derive(Clone)]
struct Copy {
    dir: Arc<Path>,
    operator: OperatorLog,
}

/// Serves the copy in a directory until `shutdown` resolves; a [`Mirror`](super::Mirror) may be copying into it. Needs a tokio runtime with
/// its network and time enabled.
///
/// The bytes are served as they are on the disk: whoever reads a log from anywhere verifies what it reads. `operator` is told which file
/// cannot be read.
///
/// # Errors
/// The listener cannot be used.
pub async fn serve_mirror(
    listener: TcpListener,
    dir: &Path,
    limits: ServerLimits,
    operator: OperatorLog,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let copy = Copy {
        dir: dir.into(),
        operator,
    };
    let router = Router::new()
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(tile))
        .with_state(copy);
    server::run(listener, limits, |_| router, shutdown).await
}

async fn checkpoint(State(copy): State<Copy>) -> Result<Response, Refused> {
    let bytes = copy.ask(|copy| copy.file("checkpoint".into())).await?;
    let bytes = bytes.ok_or_else(|| Refused::not_found("nothing has been copied yet"))?;
    Ok(answer("text/plain; charset=utf-8", "no-cache", bytes))
}

async fn tile(
    State(copy): State<Copy>,
    UrlPath(path): UrlPath<String>,
) -> Result<Response, Refused> {
    let none = || Refused::not_found("there is no such tile");
    // A tile has one path, and none leads elsewhere.
    let tile: Tile = format!("tile/{path}").parse().map_err(|_| none())?;
    let bytes = copy.ask(move |copy| copy.tile(tile)).await?;
    let bytes = bytes.ok_or_else(none)?;
    // A partial tile is soon replaced by a wider one, and of no use to a cache.
    let kept = match tile.is_full() {
        true => "public, max-age=31536000, immutable",
        false => "public, max-age=60",
    };
    Ok(answer("application/octet-stream", kept, bytes))
}

fn answer(content_type: &'static str, kept: &'static str, bytes: Vec<u8>) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(kept));
    response
}

impl Copy {
    /// Reads on a thread that may wait for the disk.
    async fn ask<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Refused> {
        let copy = self.clone();
        match tokio::task::spawn_blocking(move || read(&copy)).await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(error)) => {
                (self.operator)(&format!("a file of the mirror cannot be read: {error}"));
                Err(Refused::internal("unreadable", "the copy cannot be read"))
            }
            Err(_) => Err(Refused::internal("ending", "the server is ending")),
        }
    }

    fn file(&self, name: PathBuf) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.dir.join(&name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(io::Error::new(
                e.kind(),
                format!("`{}`: {e}", name.display()),
            )),
        }
    }

    /// A tile; a partial one that is gone, from the full one.
    fn tile(&self, tile: Tile) -> io::Result<Option<Vec<u8>>> {
        let file = |tile: Tile| self.file(tile.to_string().into());
        match (file(tile)?, tile.full()) {
            (None, Some(full)) => Ok(file(full)?.and_then(|bytes| cut(bytes, tile))),
            (bytes, _) => Ok(bytes),
        }
    }
}
