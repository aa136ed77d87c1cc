//! An HTTP/1.1 server that strangers may speak to: every wait in it has an end, and every sum a bound.
//!
//! The attack is a peer that costs more than it pays: a head that comes a byte a minute, a body that never ends, a reply that is never
//! read, ten thousand connections that say nothing. TLS is not spoken here; on the open network a proxy that does stands in front.

mod connection;
mod refused;

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;
use tokio::time::timeout;

use self::connection::{Connections, Deadline};
pub(crate) use self::refused::Refused;

/// What a server spends on its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at a time; more wait to be accepted. Attack: every file descriptor of the process, and up to 0.5 MiB of memory for
    /// each. 512 fit the 1,024 descriptors that a process has by default.
    pub connections_max: usize,
    /// From the opening of a connection to the last byte of its first request's head. Attack: a head that comes a byte at a time.
    pub head_time_max: Duration,
    /// From a request's head to its response, the body's arrival and any wait included. Attack: a body that comes a byte at a time.
    pub request_time_max: Duration,
    /// From a response to the head of the next request: being read, and being idle. Attack: a response that is never read.
    pub response_time_max: Duration,
    /// How long requests may go on when the server is to end.
    pub grace: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: 512,
            head_time_max: Duration::from_secs(15),
            request_time_max: Duration::from_secs(60),
            response_time_max: Duration::from_secs(60),
            grace: Duration::from_secs(10),
        }
    }
}

/// Resolves when the server is to end. Clones resolve together.
#[derive(Clone)]
pub(crate) struct Ending(watch::Receiver<bool>);

impl Ending {
    /// Waits for it.
    pub(crate) async fn wait(&mut self) {
        // A sender that is gone was dropped with the server.
        let _ = self.0.wait_for(|is_ending| *is_ending).await;
    }
}

/// Serves until `shutdown` resolves and what was begun has ended, or the grace is over. `router` is handed what tells a long wait that
/// it is to end.
///
/// Needs a tokio runtime with its network and time enabled.
///
/// # Errors
/// The listener cannot be used.
pub(crate) async fn run(
    listener: TcpListener,
    limits: ServerLimits,
    router: impl FnOnce(Ending) -> Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (end, ending) = watch::channel(false);
    let ending = Ending(ending);
    let router = router(ending.clone())
        .fallback(|| async { Refused::not_found("there is nothing at this path") })
        .method_not_allowed_fallback(|| async { Refused::method_not_allowed() })
        .layer(middleware::from_fn_with_state(limits, bounded))
        .into_make_service_with_connect_info::<Deadline>();
    let connections = Connections::new(listener, limits);
    let mut told = ending.clone();
    let served =
        axum::serve(connections, router).with_graceful_shutdown(async move { told.wait().await });
    let mut ended = ending;
    let over = async {
        shutdown.await;
        let _ = end.send(true);
        ended.wait().await;
        tokio::time::sleep(limits.grace).await;
    };
    tokio::select! {
        served = served => served,
        () = over => Ok(()),
    }
}

/// Gives a request its time, and its connection.
async fn bounded(
    State(limits): State<ServerLimits>,
    ConnectInfo(deadline): ConnectInfo<Deadline>,
    request: Request,
    next: Next,
) -> Response {
    // Beyond the request's own time, so that the answer that it is over can be written.
    deadline.is_in(limits.request_time_max + limits.response_time_max);
    let response = timeout(limits.request_time_max, next.run(request)).await;
    deadline.is_in(limits.response_time_max);
    response.unwrap_or_else(|_| {
        Refused::new(
            StatusCode::REQUEST_TIMEOUT,
            "timed_out",
            format!(
                "the request was not done within {} s",
                limits.request_time_max.as_secs()
            ),
        )
        .into_response()
    })
}
