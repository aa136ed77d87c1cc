//! A connection, which ends when its time is over, whatever its peer does.
//!
//! HTTP's library has no clock of its own here, so the time is kept where bytes are read and written. What is to come next decides how
//! long it may take: a head, a body, the reading of a response.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::ServerLimits;

/// How long accepting pauses when the system refuses it: most often because there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// When a connection's time is over. Clones are one.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    opened: Instant,
    /// Milliseconds after it was opened.
    at_ms: Arc<AtomicU64>,
}

impl Deadline {
    fn new(time: Duration) -> Self {
        let deadline = Self {
            opened: Instant::now(),
            at_ms: Arc::default(),
        };
        deadline.is_in(time);
        deadline
    }

    /// From now on it is over after this time.
    pub(crate) fn is_in(&self, time: Duration) {
        let at = self.opened.elapsed().saturating_add(time);
        let at_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        self.at_ms.store(at_ms, Ordering::Relaxed);
    }

    fn at(&self) -> Instant {
        self.opened + Duration::from_millis(self.at_ms.load(Ordering::Relaxed))
    }
}

impl Connected<IncomingStream<'_, Connections>> for Deadline {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Self {
        stream.io().deadline.clone()
    }
}

/// A listener that has only so many connections at a time.
pub(crate) struct Connections {
    listener: TcpListener,
    slots: Arc<Semaphore>,
    limits: ServerLimits,
}

impl Connections {
    pub(crate) fn new(listener: TcpListener, limits: ServerLimits) -> Self {
        Self {
            listener,
            slots: Arc::new(Semaphore::new(limits.connections_max.max(1))),
            limits,
        }
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // Nobody closes the semaphore; were it closed, connections would not be counted.
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok();
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    let _ = stream.set_nodelay(true);
                    let connection = Connection::new(stream, self.limits.head_time_max, slot);
                    return (connection, address);
                }
                // The peer was gone before it was accepted.
                Err(e) if is_of_the_peer(&e) => {}
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// One connection.
pub(crate) struct Connection {
    stream: TcpStream,
    deadline: Deadline,
    timer: Pin<Box<Sleep>>,
    /// Given back when the connection ends.
    _slot: Option<OwnedSemaphorePermit>,
}

impl Connection {
    fn new(stream: TcpStream, head_time: Duration, slot: Option<OwnedSemaphorePermit>) -> Self {
        let deadline = Deadline::new(head_time);
        Self {
            stream,
            timer: Box::pin(sleep_until(deadline.at())),
            deadline,
            _slot: slot,
        }
    }

    /// Whether there is time left; and wakes the task when there is none.
    fn poll_time(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let at = self.deadline.at();
        if self.timer.deadline() != at {
            self.timer.as_mut().reset(at);
        }
        match self.timer.as_mut().poll(context) {
            Poll::Pending => Ok(()),
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_time(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_time(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_time(context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_time(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
