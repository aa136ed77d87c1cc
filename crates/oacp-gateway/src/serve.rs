//! A log over HTTP: the tiles and checkpoints of C2SP tlog-tiles for everybody, what the log keeps besides for those with a token.
//!
//! The attack is an answer that is wrong and looks right: a tile that a disk altered, an entry acknowledged that is not there. What
//! cannot be read whole is an error, with its file named to the operator alone; an entry is acknowledged when the log says that it is
//! durable, and not before.

mod append;
mod body;
mod parameters;
mod records;
mod tree;

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use oacp_registry::{Log, ReadError, Status};
use serde_json::json;
use tokio::sync::Semaphore;

use self::body::Bodies;
use crate::cosigning::Cosigning;
use crate::operator::{OperatorLog, chain};
use crate::server::{self, Ending, Refused, ServerLimits};
use crate::token::Token;

/// Seconds that a proof may be waited for in one request.
pub(crate) const WAIT_S_MAX: u64 = 30;

/// Bytes of the body of one `POST /append`.
pub(crate) const APPEND_BYTES_MAX: usize = 8 << 20;

/// Envelopes of one `POST /append`.
pub(crate) const APPEND_ENTRIES_MAX: usize = 1000;

/// Bodies of `POST /append` that are judged and appended at a time; more wait, each whole. Attack: the memory that parsing takes, and every
/// processor, by those who have the token.
const APPENDS_AT_ONCE_MAX: usize = 8;

/// How a log is served.
#[derive(Clone)]
pub struct ServeOptions {
    /// Opens what is private: `/find`, `/bundle`, `/payload`. `None`: they are closed.
    pub read_token: Option<Token>,
    /// Opens `/append`. `None`: it is closed.
    pub write_token: Option<Token>,
    /// Who gathers cosignatures for the log: how it stands with them is shown. `None`: nobody does.
    pub cosigning: Option<Cosigning>,
    /// Days for which payloads are kept, to be shown. `None`: no limit was set.
    pub retention_days: Option<u64>,
    /// What is spent on clients.
    pub limits: ServerLimits,
    /// Is told which file cannot be read, and why the log has stopped. Clients are not.
    pub operator: OperatorLog,
}

impl Default for ServeOptions {
    /// The public routes, and no operator.
    fn default() -> Self {
        Self {
            read_token: None,
            write_token: None,
            cosigning: None,
            retention_days: None,
            limits: ServerLimits::default(),
            operator: Arc::new(|_| ()),
        }
    }
}

/// Serves a log until `shutdown` resolves; requests that have begun are then given [`ServerLimits::grace`].
///
/// Needs a tokio runtime with its network and time enabled. What reads files does so on its threads for blocking.
///
/// # Errors
/// The listener cannot be used.
pub async fn serve(
    listener: TcpListener,
    log: Log,
    options: ServeOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let limits = options.limits;
    server::run(
        listener,
        limits,
        |ending| router(log, options, ending),
        shutdown,
    )
    .await
}

fn router(log: Log, options: ServeOptions, ending: Ending) -> Router {
    let served = Served {
        log,
        // The rest is for what is done with it.
        bodies: Bodies::new(options.limits.request_time_max * 3 / 4),
        options: Arc::new(options),
        ending,
        appends: Arc::new(Semaphore::new(APPENDS_AT_ONCE_MAX)),
    };
    Router::new()
        .route("/", get(front_page))
        .route("/healthz", get(health))
        .route("/status", get(status))
        .route("/checkpoint", get(tree::checkpoint))
        .route("/tile/{*path}", get(tree::tile))
        .route("/entry/{index}", get(tree::entry))
        .route("/consistency", get(tree::consistency))
        .route("/proof/{of}", get(tree::proof))
        .route("/find", get(records::find))
        .route("/bundle/{execution}", get(records::bundle))
        .route("/payload/{of}", get(records::payload))
        .route("/append", post(append::append))
        .with_state(served)
}

/// What every route has at hand.
#[derive(Clone)]
struct Served {
    log: Log,
    options: Arc<ServeOptions>,
    ending: Ending,
    bodies: Bodies,
    appends: Arc<Semaphore>,
}

impl Served {
    /// Asks the log on a thread that may block.
    async fn ask<T, F>(&self, ask: F) -> Result<T, Refused>
    where
        T: Send + 'static,
        F: FnOnce(&Log) -> T + Send + 'static,
    {
        let log = self.log.clone();
        tokio::task::spawn_blocking(move || ask(&log))
            .await
            .map_err(|_| Refused::internal("internal", "the request could not be carried out"))
    }

    async fn status(&self) -> Result<Status, Refused> {
        let status = self.ask(Log::status).await?;
        status.map_err(|error| self.unread("the log's status", &error))
    }

    /// The refusal of what cannot be read: the operator is told which file, and the client is not.
    fn unread(&self, asked: impl Into<String>, error: &ReadError) -> Refused {
        let (code, message) = match error {
            ReadError::Beyond { size } => {
                return Refused::not_found(format!("the log has {size} entries"));
            }
            ReadError::Damaged { .. } => ("damaged", "what the log has stored there is damaged"),
            _ => ("unreadable", "what the log has stored there cannot be read"),
        };
        let asked = asked.into();
        (self.options.operator)(&format!("{asked} was not answered: {}", chain(error)));
        Refused::internal(code, message).with_fix("the log's operator is told which file it is")
    }

    fn tell_stopped(&self, reason: &str) {
        (self.options.operator)(&format!("the log takes no entries: {reason}"));
    }

    fn may_read(&self, headers: &HeaderMap) -> Result<(), Refused> {
        may(self.options.read_token.as_ref(), headers, "read")
    }

    fn may_append(&self, headers: &HeaderMap) -> Result<(), Refused> {
        may(self.options.write_token.as_ref(), headers, "write")
    }
}

fn may(token: Option<&Token>, headers: &HeaderMap, called: &str) -> Result<(), Refused> {
    let token = token.ok_or_else(|| {
        Refused::new(
            StatusCode::FORBIDDEN,
            "closed",
            format!("this log has no {called} token, and the route is closed"),
        )
        .with_fix(format!("the log's operator has to set a {called} token"))
    })?;
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let presented = match (given.next(), given.next()) {
        (Some(value), None) => bearer(value.as_bytes()),
        _ => None,
    };
    match presented {
        Some(presented) if token.is(presented) => Ok(()),
        presented => Err(Refused::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            match presented {
                Some(_) => format!("this is not the {called} token"),
                None => format!("the {called} token is needed"),
            },
        )
        .with_fix("send it once, in the header `authorization: Bearer TOKEN`")),
    }
}

/// The token of `Bearer TOKEN` (RFC 6750, 2.1); the scheme in any case (RFC 9110, 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

/// What a response is kept for, by whoever passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// It is the same for ever.
    Forever,
    /// It may be there no more in a while.
    Shortly,
    /// It has to be asked for again each time.
    Asked,
    /// It is for one.
    Never,
}

impl Kept {
    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Forever => "public, max-age=31536000, immutable",
            Self::Shortly => "public, max-age=60",
            Self::Asked => "no-cache",
            Self::Never => "no-store",
        })
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
const JSON: &str = "application/json";

fn answer(content_type: &'static str, kept: Kept, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, kept.header());
    response
}

const ROUTES: &str = "for everybody:
  GET  /checkpoint                     the newest checkpoint: a signed note (c2sp.org/tlog-checkpoint)
  GET  /tile/...                       tiles of hashes and entries (c2sp.org/tlog-tiles)
  GET  /entry/INDEX                    the entry at an index
  GET  /proof/INDEX|ID|sha256:...      the proof that an entry is in the log (c2sp.org/tlog-proof)
  GET  /consistency?from=N&to=N        the proof that the log of N entries is the beginning of a later one
  GET  /status                         how the log is
  GET  /healthz                        whether it takes entries
with a token:
  GET  /find?...                       entries by agent, tool, outcome, principal, sandbox, time
  GET  /bundle/ID                      an execution's bundle, without private content
  GET  /payload/INDEX|sha256:...       the signed envelope that an entry commits to
  POST /append                         envelopes, one a line
";

async fn front_page(State(served): State<Served>) -> Response {
    let origin = served.log.origin();
    let text = format!(
        "This is the transparency log {origin}: signed statements about what agents did, kept so that none can be changed or taken away \
         unnoticed.\n\n{ROUTES}"
    );
    answer(TEXT, Kept::Shortly, text)
}

async fn health(State(served): State<Served>) -> Result<Response, Refused> {
    match served.status().await?.stopped {
        None => Ok(answer(TEXT, Kept::Never, "ok\n")),
        Some(reason) => {
            served.tell_stopped(&reason);
            Err(Refused::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "stopped",
                "the log has stopped taking entries",
            )
            .with_fix("the log's operator is told why; starting it anew finds out what is durable")
            .with_retry_after(60))
        }
    }
}

async fn status(State(served): State<Served>, headers: HeaderMap) -> Result<Response, Refused> {
    let status = served.status().await?;
    let mut json = json!({
        "origin": status.origin,
        "size": status.size,
        "published": status.published,
        "indexed": status.indexed,
        "stopped": status.stopped.is_some(),
        "retention_days": served.options.retention_days,
        "cosigning": served.options.cosigning.as_ref().map(Cosigning::status),
    });
    // What only the operator's own people are to know. Everybody else is answered, whatever token they send along.
    if served.may_read(&headers).is_ok() {
        let counts: serde_json::Map<_, _> = status
            .counts
            .iter()
            .map(|count| {
                let numbers = json!({"entries": count.entries, "pruned": count.pruned});
                (count.kind.to_string(), numbers)
            })
            .collect();
        if let Some(json) = json.as_object_mut() {
            json.insert("kinds".to_owned(), counts.into());
            json.insert("stopped_because".to_owned(), status.stopped.into());
        }
    }
    Ok(answer(JSON, Kept::Never, format!("{json}\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_read_as_it_is() {
        assert_eq!(bearer(b"Bearer abc"), Some(b"abc".as_slice()));
        assert_eq!(bearer(b"bEARER abc "), Some(b"abc ".as_slice()));
        for value in [
            "abc",
            "Bearer",
            "Basic abcdefgh",
            "Bearerabcdef",
            "Bearer\tabc",
        ] {
            assert_eq!(bearer(value.as_bytes()), None, "{value}");
        }
    }
}
