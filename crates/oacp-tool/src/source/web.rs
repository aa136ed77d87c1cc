//! Asking a server for something, wherever its redirects lead.
//!
//! Attack: a server that the user named leads on to what only this machine reaches, or to plain HTTP. So each hop says whether the user named
//! its host, and whoever carries the request out refuses private addresses to those that the user did not; each hop is HTTPS, except on
//! this machine; a token goes to the host alone that it is for.

use std::future::Future;

use oacp::capability::{Scheme, Target};
use oacp::http::{ExchangeError, Request, Response};

use super::FetchError;
use crate::limits::{ATTEMPTS_MAX, REDIRECTS_MAX};

/// The way to the network, of which this crate has none.
pub trait Web {
    /// Sends a request and gives the whole reply, whose body is bounded. Follows no redirect. Where `led` says so, private addresses are
    /// denied.
    fn exchange(
        &self,
        request: Request,
        led: Led,
    ) -> impl Future<Output = Result<Response, ExchangeError>>;
}

/// Who says that a request goes where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Led {
    /// The user, who named this host.
    ByUser,
    /// A server.
    ByServer,
}

/// Asks on behalf of one reference.
pub(super) struct Asking<'a, W> {
    web: &'a W,
    /// What the user named.
    named: Target,
}

/// What a request says besides its URL.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Headers<'a> {
    pub(super) accept: Option<&'a str>,
    /// First and last byte.
    pub(super) range: Option<(u64, u64)>,
    /// For the host of the first URL.
    pub(super) token: Option<&'a str>,
}

impl<'a, W: Web> Asking<'a, W> {
    pub(super) fn new(web: &'a W, named: Target) -> Self {
        Self { web, named }
    }

    /// The reply at the end of the redirects, whatever its status, of at most so many bytes.
    pub(super) async fn get(
        &self,
        url: &Target,
        headers: Headers<'_>,
        bytes_max: usize,
    ) -> Result<Response, FetchError> {
        let mut at = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let headers = Headers {
                token: headers.token.filter(|_| at.origin() == url.origin()),
                ..headers
            };
            let reply = self.hop(&at, headers).await?;
            if !matches!(reply.status, 301 | 302 | 303 | 307 | 308) {
                return match reply.body.len() > bytes_max {
                    true => Err(FetchError::TooLarge {
                        what: at.to_string(),
                        bytes_max,
                    }),
                    false => Ok(reply),
                };
            }
            at = self.next(&at, header(&reply, "location").unwrap_or_default())?;
        }
        Err(FetchError::Redirects {
            url: url.to_string(),
        })
    }

    /// Where a redirect leads, if that is somewhere to go.
    pub(super) fn next(&self, at: &Target, reference: &str) -> Result<Target, FetchError> {
        let refused = || FetchError::Led {
            url: at.to_string(),
            to: reference.chars().take(256).collect(),
        };
        let next = at.join(reference).map_err(|_| refused())?;
        let is_within_this_machine = next.is_loopback() && self.named.is_loopback();
        match next.scheme() == Scheme::Https || is_within_this_machine {
            true => Ok(next),
            false => Err(refused()),
        }
    }

    async fn hop(&self, at: &Target, headers: Headers<'_>) -> Result<Response, FetchError> {
        let mut lines = Vec::new();
        let mut line = |name: &str, value: String| lines.push((name.to_owned(), value));
        if let Some(accept) = headers.accept {
            line("accept", accept.to_owned());
        }
        if let Some((first, last)) = headers.range {
            line("range", format!("bytes={first}-{last}"));
        }
        if let Some(token) = headers.token {
            line("authorization", format!("Bearer {token}"));
        }
        let request = Request::new("GET", &at.to_string(), &lines, Vec::new());
        let request = request.map_err(|source| FetchError::Request {
            url: at.to_string(),
            source,
        })?;
        let led = match at.host_and_port() == self.named.host_and_port() {
            true => Led::ByUser,
            false => Led::ByServer,
        };
        let mut attempt = 1;
        loop {
            match self.web.exchange(request.clone(), led).await {
                Ok(reply) => return Ok(reply),
                // To ask again does no harm.
                Err(ExchangeError::Failed { code, .. })
                    if attempt < ATTEMPTS_MAX && matches!(code, "connect" | "protocol") =>
                {
                    attempt += 1;
                }
                Err(source) => {
                    return Err(FetchError::Exchange {
                        url: at.to_string(),
                        source,
                    });
                }
            }
        }
    }
}

/// A header that came once.
pub(super) fn header<'r>(reply: &'r Response, name: &str) -> Option<&'r str> {
    let mut values = reply.headers.iter().filter(|(found, _)| found == name);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// Leads from the registry to its store of files, on another host. Sockets of one machine are all the same host.
    #[derive(Default)]
    struct TwoHosts(RefCell<Vec<(String, Led, bool)>>);

    impl Web for TwoHosts {
        async fn exchange(&self, request: Request, led: Led) -> Result<Response, ExchangeError> {
            let url = request.target().to_string();
            let is_registry = url.starts_with("https://registry.example/");
            let has_token = request
                .headers()
                .iter()
                .any(|(name, _)| name == "authorization");
            self.0.borrow_mut().push((url, led, has_token));
            let location = ("location".to_owned(), "https://files.example/x".to_owned());
            Ok(Response {
                status: if is_registry { 307 } else { 200 },
                reason: String::new(),
                headers: if is_registry { vec![location] } else { vec![] },
                body: b"abc".to_vec(),
            })
        }
    }

    #[test]
    fn a_token_is_for_the_registry_alone_and_who_leads_where_is_said() {
        let web = TwoHosts::default();
        let registry = Target::parse("https://registry.example/v2/x").unwrap();
        let asking = Asking::new(&web, registry.clone());
        let headers = Headers {
            token: Some("t0ken"),
            ..Headers::default()
        };
        let reply = {
            let mut getting = pin!(asking.get(&registry, headers, 3));
            match getting
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
            {
                Poll::Ready(reply) => reply.unwrap(),
                Poll::Pending => panic!("nothing is waited for"),
            }
        };
        assert_eq!(reply.body, b"abc");
        assert_eq!(
            web.0.into_inner(),
            [
                (
                    "https://registry.example/v2/x".to_owned(),
                    Led::ByUser,
                    true
                ),
                ("https://files.example/x".to_owned(), Led::ByServer, false)
            ]
        );
    }
}
