//! One connection, to an address that was judged.
//!
//! Attack: a server that keeps this side at work after the exchange is over: bytes without end, floods of HTTP/2's small frames. All
//! that works for a connection ends when the connection is dropped.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use oacp::capability::{Scheme, Target};
use oacp::http::ExchangeError;
use oacp::limits::{HEADERS_MAX, RESPONSE_HEAD_BYTES_MAX};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::failure;
use crate::limits::{ADDRESSES_TRIED_MAX, CONNECT_TIMEOUT, READY_MAX};
use crate::outgoing::{Outgoing, Version};
use crate::proxy::{self, Proxy};
use crate::tls::Tls;

/// A connection that requests can be sent on.
pub(crate) struct Connection {
    sender: Sender,
    work: Arc<Work>,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// Why there is no reply.
pub(crate) enum SendError {
    /// Not a byte of the request was sent: it may be sent again.
    Unsent(ExchangeError),
    /// It may have been sent, in part or whole.
    Failed(ExchangeError),
}

impl Connection {
    /// Connects to the first of these addresses that answers. How it is to be connected is all that the target decides.
    pub(crate) async fn open(
        target: &Target,
        addresses: &[IpAddr],
        proxy: Option<(&Proxy, &[IpAddr])>,
        tls: &Tls,
    ) -> Result<(IpAddr, Self), ExchangeError> {
        let mut refusal = None;
        for address in addresses.iter().take(ADDRESSES_TRIED_MAX).copied() {
            let to = SocketAddr::new(address, target.port());
            let connected = match proxy.filter(|_| !proxy::is_bypassed_for(address)) {
                Some((proxy, proxy_addresses)) => through(proxy, proxy_addresses, to).await,
                None => dial(to, &format!("`{}`", target.origin())).await,
            };
            match connected {
                Ok(stream) => return Ok((address, Self::upon(target, stream, tls).await?)),
                Err(e) => refusal = Some(refusal.unwrap_or(e)),
            }
        }
        Err(refusal.unwrap_or_else(|| failure::resolve("the name has no address")))
    }

    async fn upon(target: &Target, stream: TcpStream, tls: &Tls) -> Result<Self, ExchangeError> {
        match target.scheme() {
            Scheme::Http => Self::speak(Version::Http1, stream).await,
            Scheme::Https => {
                let stream = tls.connect(target, stream).await?;
                let version = match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => Version::Http2,
                    _ => Version::Http1,
                };
                Self::speak(version, stream).await
            }
        }
    }

    async fn speak<S>(version: Version, stream: S) -> Result<Self, ExchangeError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let stream = TokioIo::new(stream);
        let work = Arc::new(Work(Tasks::default()));
        let broken = |e: hyper::Error| failure::of_connection(&e);
        let sender = match version {
            Version::Http1 => {
                let (sender, connection) = http1::Builder::new()
                    .max_buf_size(RESPONSE_HEAD_BYTES_MAX)
                    .max_header_size(RESPONSE_HEAD_BYTES_MAX)
                    .max_headers(HEADERS_MAX)
                    .handshake(stream)
                    .await
                    .map_err(broken)?;
                work.0.execute(connection);
                Sender::Http1(sender)
            }
            Version::Http2 => {
                let (sender, connection) = http2::Builder::new(work.0.clone())
                    .max_header_list_size(
                        u32::try_from(RESPONSE_HEAD_BYTES_MAX).unwrap_or(u32::MAX),
                    )
                    .handshake(stream)
                    .await
                    .map_err(broken)?;
                work.0.execute(connection);
                Sender::Http2(sender)
            }
        };
        Ok(Self { sender, work })
    }

    /// Whether the other side is known to have closed it, or to have broken off.
    pub(crate) fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }

    /// Whether it is ready for another request, or soon.
    pub(crate) async fn is_ready(&mut self) -> bool {
        let ready = match &mut self.sender {
            Sender::Http1(sender) => timeout(READY_MAX, sender.ready()).await,
            Sender::Http2(sender) => timeout(READY_MAX, sender.ready()).await,
        };
        matches!(ready, Ok(Ok(())))
    }

    /// Another handle to the same connection, if it carries several exchanges at a time.
    pub(crate) fn shared(&self) -> Option<Self> {
        match &self.sender {
            Sender::Http1(_) => None,
            Sender::Http2(sender) => Some(Self {
                sender: Sender::Http2(sender.clone()),
                work: Arc::clone(&self.work),
            }),
        }
    }

    /// Sends a request and waits for the head of its reply.
    pub(crate) async fn send(
        &mut self,
        outgoing: &Outgoing,
    ) -> Result<hyper::Response<Incoming>, SendError> {
        let version = match &self.sender {
            Sender::Http1(_) => Version::Http1,
            Sender::Http2(_) => Version::Http2,
        };
        let request = outgoing.request(version).map_err(SendError::Failed)?;
        let sent = match &mut self.sender {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.try_send_request(request).await,
        };
        sent.map_err(|mut e| {
            // hyper hands a request back exactly if nothing of it was written.
            let is_unsent = e.take_message().is_some();
            let error = failure::of_connection(e.error());
            match is_unsent {
                true => SendError::Unsent(error),
                false => SendError::Failed(error),
            }
        })
    }
}

/// The tasks that work for a connection.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl<F> Executor<F> for Tasks
where
    F: Future + Send + 'static,
{
    fn execute(&self, work: F) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            work.await;
        });
    }
}

/// Ends the tasks. They hold [`Tasks`] themselves, which would thus never be dropped.
struct Work(Tasks);

impl Drop for Work {
    fn drop(&mut self) {
        let mut tasks = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.abort_all();
    }
}

async fn through(
    proxy: &Proxy,
    proxy_addresses: &[IpAddr],
    to: SocketAddr,
) -> Result<TcpStream, ExchangeError> {
    let mut refusal = None;
    for address in proxy_addresses.iter().take(ADDRESSES_TRIED_MAX).copied() {
        match dial(SocketAddr::new(address, proxy.target().port()), "the proxy").await {
            Ok(mut stream) => {
                return within(CONNECT_TIMEOUT, "the proxy", proxy.tunnel(&mut stream, to))
                    .await
                    .map(|()| stream);
            }
            Err(e) => refusal = Some(refusal.unwrap_or(e)),
        }
    }
    Err(refusal.unwrap_or_else(|| failure::resolve("the proxy has no address")))
}

async fn dial(to: SocketAddr, called: &str) -> Result<TcpStream, ExchangeError> {
    let dialled = async {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    let dialled = async {
        dialled
            .await
            .map_err(|e: std::io::Error| failure::connect(format!("{called}: {}", e.kind())))
    };
    within(CONNECT_TIMEOUT, called, dialled).await
}

async fn within<T>(
    most: Duration,
    called: &str,
    work: impl Future<Output = Result<T, ExchangeError>>,
) -> Result<T, ExchangeError> {
    timeout(most, work).await.unwrap_or_else(|_| {
        Err(failure::connect(format!(
            "{called} did not answer within {} s",
            most.as_secs()
        )))
    })
}
