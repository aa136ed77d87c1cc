//! A proxy that all exchanges go through.
//!
//! Attack: a proxy that is told a *name* resolves it again, and reaches what was never judged. So it is told the address that
//! was judged, for plain HTTP too. What it answers is a stranger's, and bounded.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oacp::capability::{Scheme, Target, TargetError};
use oacp::http::ExchangeError;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use crate::failure;
use crate::limits::PROXY_HEAD_BYTES_MAX;

/// An HTTP proxy that understands `CONNECT`.
#[derive(Clone)]
pub struct Proxy {
    target: Target,
    /// The value of `proxy-authorization`.
    authorization: Option<Zeroizing<String>>,
}

/// Why a text names no proxy. Holds nothing of the text, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProxyError {
    /// It is no URL.
    #[error("the proxy's URL is not usable")]
    Url(#[source] TargetError),
    /// A proxy is spoken to in plain HTTP; what goes through it may be TLS.
    #[error("the proxy's URL does not begin with `http://`")]
    Scheme,
    /// A proxy is a host and a port.
    #[error("the proxy's URL has a path")]
    Path,
    /// The user or the password is not percent-encoded as it should be, or has control characters.
    #[error("the user or password in the proxy's URL is not percent-encoded")]
    Credentials,
}

impl Proxy {
    /// Parses `http://[user:password@]host[:port]`; user and password are percent-encoded.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn parse(url: &str) -> Result<Self, ProxyError> {
        let rest = url.strip_prefix("http://").ok_or(ProxyError::Scheme)?;
        let (credentials, host) = match rest.rsplit_once('@') {
            Some((credentials, host)) => (Some(credentials), host),
            None => (None, rest),
        };
        let target = Target::parse(&format!("http://{host}")).map_err(ProxyError::Url)?;
        if target.scheme() != Scheme::Http {
            return Err(ProxyError::Scheme);
        }
        if target.path_and_query() != "/" {
            return Err(ProxyError::Path);
        }
        let authorization = credentials.map(basic).transpose()?;
        Ok(Self {
            target,
            authorization,
        })
    }

    /// Where the proxy is.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Asks for a way to an address.
    pub(crate) async fn tunnel(
        &self,
        stream: &mut TcpStream,
        address: SocketAddr,
    ) -> Result<(), ExchangeError> {
        let mut request =
            Zeroizing::new(format!("CONNECT {address} HTTP/1.1\r\nhost: {address}\r\n"));
        if let Some(authorization) = &self.authorization {
            request.push_str("proxy-authorization: ");
            request.push_str(authorization);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        let broken = |_| failure::connect("the connection to the proxy broke");
        stream.write_all(request.as_bytes()).await.map_err(broken)?;

        // Byte by byte: what is behind the head is not the proxy's.
        let mut head = vec![];
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= PROXY_HEAD_BYTES_MAX {
                return Err(failure::limit("the proxy's answer is too large"));
            }
            head.push(stream.read_u8().await.map_err(broken)?);
        }
        match status(&head) {
            Some(200..=299) => Ok(()),
            Some(status) => Err(failure::connect(format!(
                "the proxy refused to connect, with status {status}"
            ))),
            None => Err(failure::protocol("the proxy's answer is not HTTP")),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({})", self.target.origin())
    }
}

/// Whether an address is this machine's own: no proxy leads there, its loopback is another.
pub(crate) fn is_bypassed_for(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn status(head: &[u8]) -> Option<u16> {
    let rest = head
        .strip_prefix(b"HTTP/1.1 ")
        .or_else(|| head.strip_prefix(b"HTTP/1.0 "))?;
    let (digits, after) = rest.split_first_chunk::<3>()?;
    if !matches!(after.first(), Some(b' ' | b'\r')) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

fn basic(credentials: &str) -> Result<Zeroizing<String>, ProxyError> {
    let mut plain = Zeroizing::new(Vec::with_capacity(credentials.len() + 1));
    let mut rest = credentials.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            plain.push(byte);
            continue;
        }
        let digits = after.split_first_chunk::<2>();
        let (digits, after) = digits.ok_or(ProxyError::Credentials)?;
        let digits = str::from_utf8(digits).map_err(|_| ProxyError::Credentials)?;
        let value = u8::from_str_radix(digits, 16).map_err(|_| ProxyError::Credentials)?;
        plain.push(value);
        rest = after;
    }
    if plain.iter().any(u8::is_ascii_control) {
        return Err(ProxyError::Credentials);
    }
    if !credentials.contains(':') {
        plain.push(b':');
    }
    let encoded = Zeroizing::new(STANDARD.encode(&*plain));
    Ok(Zeroizing::new(["Basic ", encoded.as_str()].concat()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_host_and_a_port() {
        for (url, expected) in [
            ("http://proxy.example:3128", "http://proxy.example:3128"),
            ("http://proxy.example:3128/", "http://proxy.example:3128"),
            ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
            ("http://u:p%40ss@[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(
                format!("{:?}", Proxy::parse(url).unwrap()),
                format!("Proxy({expected})")
            );
        }
        for url in [
            "",
            "proxy:3128",
            "https://proxy:3128",
            "socks5://proxy:3128",
            "http://",
            "http://proxy:3128/path",
            "http://proxy:3128/?query",
            "http://user:%zz@proxy:3128",
            "http://user:%0d%0a@proxy:3128",
            "http://user:%@proxy:3128",
        ] {
            assert!(Proxy::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn credentials_are_sent_and_not_printed() {
        let proxy = Proxy::parse("http://Aladdin:open%20sesame@proxy:3128").unwrap();
        let authorization = proxy.authorization.as_ref().unwrap();
        assert_eq!(authorization.as_str(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let printed = format!("{proxy:?}");
        assert!(!printed.contains("sesame") && !printed.contains("QWx"));
    }

    #[test]
    fn a_status_is_read_strictly() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407\r\n\r\n"), Some(407));
        for head in [
            b"HTTP/1.1 2000 OK\r\n\r\n".as_slice(),
            b"HTTP/2 200 OK\r\n\r\n",
            b"HTTP/1.1 +20 OK\r\n\r\n",
            b"200 OK\r\n\r\n",
            b"\r\n\r\n",
        ] {
            assert_eq!(status(head), None);
        }
    }
}
