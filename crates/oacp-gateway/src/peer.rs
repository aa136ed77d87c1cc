//! HTTP to a server that the operator named: a log, a witness, a mirror.
//!
//! The attack is a peer that is not what it should be: one that answers without end, or that is another's machine by the time it is
//! asked. A peer is bound to the origin of its URL, by the same egress that guests use, and follows no redirect. That the address is
//! this machine's, or in a private network, is the operator's own word. A token leaves for that origin only, over HTTPS, or to this
//! machine; a reply that repeats it is refused.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use oacp::capability::{
    Capabilities, Grant, HostRule, Place, RuleError, SecretGrant, SecretGrantError, SecretName,
    Target, TargetError,
};
use oacp::http::{ExchangeError, Request, RequestError, Response};
use oacp_egress::{Client, ClientError, Options};
use thiserror::Error;
use tokio::time::timeout;

use crate::token::Token;

/// How long any exchange with a peer may take, also one in which the peer waits for something. Attack: a peer that never answers.
const TIME_MAX: Duration = Duration::from_secs(120);

/// How long one may take unless [`Bounds`] say otherwise.
const TIME: Duration = Duration::from_secs(30);

/// The name of the token among the egress's secrets.
const TOKEN: &str = "token";

/// A server that the operator named. It keeps connections for later exchanges, and has at most eight exchanges at a time; more wait.
pub struct Peer {
    /// Without a slash at its end.
    base: String,
    client: Client,
}

/// What one reply may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    bytes: usize,
    time: Duration,
}

impl Bounds {
    /// A body of so many bytes, in 30 seconds. Bodies beyond 16 MiB are refused by the egress in any case.
    pub const fn bytes(bytes: usize) -> Self {
        Self { bytes, time: TIME }
    }

    /// So much time besides, for a peer that is asked to wait; at most 120 seconds in all.
    pub const fn waiting(self, wait: Duration) -> Self {
        Self {
            time: self.time.saturating_add(wait),
            ..self
        }
    }

    /// So much time in all.
    pub const fn within(self, time: Duration) -> Self {
        Self { time, ..self }
    }
}

/// What a peer answered: any status, also one that says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerReply {
    /// 100 to 999.
    pub status: u16,
    /// `content-type` as it came, if it came once.
    pub content_type: Option<String>,
    /// `retry-after` where it is a number of seconds.
    pub retry_after: Option<Duration>,
    /// As long as the bounds allow.
    pub body: Vec<u8>,
}

/// Why there is no peer, or no reply of one.
#[derive(Debug, Error)]
pub enum PeerError {
    /// Not a URL.
    #[error("`{url}` is not a server's URL")]
    Url {
        /// As given.
        url: String,
        /// Why not.
        #[source]
        source: TargetError,
    },
    /// A URL that something else cannot be appended to.
    #[error("`{url}` has a query or a fragment; a server's URL ends with its path")]
    UrlParts {
        /// As given.
        url: String,
    },
    /// A token for a server that could only be spoken to in the clear.
    #[error("`{origin}` is neither HTTPS nor this machine, and a token is not sent in the clear")]
    TokenInClear {
        /// Scheme, host and port.
        origin: String,
    },
    /// The right to reach it cannot be written down.
    #[error("`{url}` cannot be reached by rule")]
    Rule {
        /// As given.
        url: String,
        /// Why not.
        #[source]
        source: RuleError,
    },
    /// The place of the token cannot be written down.
    #[error("the token has no place in a request")]
    Place(#[from] SecretGrantError),
    /// The way to the network cannot be made.
    #[error("the network cannot be used")]
    Client(#[from] ClientError),
    /// A path that cannot be asked for, or a body that is too long.
    #[error("`{url}` cannot be asked that")]
    Request {
        /// The whole URL.
        url: String,
        /// Why not.
        #[source]
        source: RequestError,
    },
    /// There is no reply.
    #[error("no reply from `{url}`")]
    Exchange {
        /// The whole URL.
        url: String,
        /// Why not.
        #[source]
        source: ExchangeError,
    },
    /// It took too long.
    #[error("no reply from `{url}` within {} ms", .time.as_millis())]
    TimedOut {
        /// The whole URL.
        url: String,
        /// How long it was waited for.
        time: Duration,
    },
    /// The reply is longer than anything that could be meant.
    #[error("the reply from `{url}` is longer than {bytes_max} bytes")]
    TooLong {
        /// The whole URL.
        url: String,
        /// What would have been read.
        bytes_max: usize,
    },
}

impl PeerError {
    /// Whether it may be otherwise in a while, without anybody changing anything here: the peer is down, or the way to it.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::TimedOut { .. } => true,
            Self::Exchange {
                source: ExchangeError::Failed { code, .. },
                ..
            } => matches!(*code, "resolve" | "connect" | "protocol" | "timed_out"),
            _ => false,
        }
    }

    /// Whether there was no reply, for whatever reason.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::Exchange { .. })
    }
}

impl Peer {
    /// A server by its URL, `http://…` or `https://…`, perhaps with a path that everything is below. `options` say how the network is
    /// reached; their time bound is not used. Opens nothing.
    ///
    /// # Errors
    /// A URL that is none, or has a query; a token for a server elsewhere in plain HTTP; options that cannot be used.
    pub fn new(url: &str, token: Option<&Token>, options: &Options) -> Result<Self, PeerError> {
        let target = Target::parse(url).map_err(|source| PeerError::Url {
            url: url.to_owned(),
            source,
        })?;
        if url.contains(['?', '#']) {
            return Err(PeerError::UrlParts {
                url: url.to_owned(),
            });
        }
        let host = HostRule::exactly(&target);
        let reachable = host
            .clone()
            .with_private(true)
            .map_err(|source| PeerError::Rule {
                url: url.to_owned(),
                source,
            })?;
        let mut rights = Capabilities::default();
        rights.network.allowlist.insert(reachable);
        let mut values = BTreeMap::new();
        if let Some(token) = token {
            let name = token_name(url)?;
            let place = Place::Header {
                header: "authorization".to_owned(),
                prefix: "Bearer ".to_owned(),
            };
            let secret = SecretGrant::new(name.clone(), host, place)?;
            if !secret.goes_to(&target) {
                return Err(PeerError::TokenInClear {
                    origin: target.origin(),
                });
            }
            rights.secrets.insert(secret);
            values.insert(name, token.value().clone());
        }
        let options = Options {
            timeout: TIME_MAX,
            ..options.clone()
        };
        Ok(Self {
            base: target.to_string().trim_end_matches('/').to_owned(),
            client: Client::new(Grant::attenuate(&rights, &rights), values, &options)?,
        })
    }

    /// Its URL, in canonical form and without a slash at its end.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Asks for what is at a path below the peer's URL, with or without a slash before it; it may have a query.
    ///
    /// Needs a tokio runtime with its network and time enabled. Dropping the future ends the exchange.
    ///
    /// # Errors
    /// No reply, or one beyond the bounds. A reply with any status is none.
    pub async fn get(&self, path: &str, bounds: Bounds) -> Result<PeerReply, PeerError> {
        self.exchange("GET", path, &[], vec![], bounds).await
    }

    /// Sends a body to a path below the peer's URL.
    ///
    /// # Errors
    /// As [`Peer::get`]. It is not known then whether the peer acted on it.
    pub async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
        bounds: Bounds,
    ) -> Result<PeerReply, PeerError> {
        let headers = [("content-type".to_owned(), content_type.to_owned())];
        self.exchange("POST", path, &headers, body, bounds).await
    }

    async fn exchange(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
        bounds: Bounds,
    ) -> Result<PeerReply, PeerError> {
        let url = format!("{}/{}", self.base, path.trim_start_matches('/'));
        let request = match Request::new(method, &url, headers, body) {
            Ok(request) => request,
            Err(source) => return Err(PeerError::Request { url, source }),
        };
        let time = bounds.time.min(TIME_MAX);
        let response = match timeout(time, self.client.exchange(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(source)) => return Err(PeerError::Exchange { url, source }),
            Err(_) => return Err(PeerError::TimedOut { url, time }),
        };
        if response.body.len() > bounds.bytes {
            return Err(PeerError::TooLong {
                url,
                bytes_max: bounds.bytes,
            });
        }
        Ok(PeerReply {
            status: response.status,
            content_type: single(&response, "content-type").map(str::to_owned),
            retry_after: single(&response, "retry-after")
                .and_then(|text| text.parse().ok())
                .map(Duration::from_secs),
            body: response.body,
        })
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peer").field(&self.base).finish()
    }
}

fn token_name(url: &str) -> Result<SecretName, PeerError> {
    TOKEN.parse().map_err(|_| PeerError::UrlParts {
        url: url.to_owned(),
    })
}

/// A header's value, if it stands there once.
fn single<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let mut values = response
        .headers
        .iter()
        .filter(|(other, _)| other == name)
        .map(|(_, value)| value.as_str());
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token::new(b"0123456789abcdef".to_vec()).unwrap()
    }

    #[test]
    fn a_peer_is_a_url_that_paths_can_be_below() {
        let options = Options::default();
        for (url, base) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://log.example/", "https://log.example"),
            ("https://LOG.example:443/a/b/", "https://log.example/a/b"),
        ] {
            assert_eq!(Peer::new(url, None, &options).unwrap().url(), base);
        }
        for url in ["log.example", "ftp://log.example", "https://", ""] {
            let error = Peer::new(url, None, &options).unwrap_err();
            assert!(matches!(error, PeerError::Url { .. }), "{url}");
        }
        for url in ["https://log.example/?a=b", "https://log.example/#a"] {
            let error = Peer::new(url, None, &options).unwrap_err();
            assert!(matches!(error, PeerError::UrlParts { .. }), "{url}");
        }
    }

    #[test]
    fn a_token_is_not_sent_in_the_clear() {
        let options = Options::default();
        for url in [
            "https://log.example",
            "https://10.0.0.1",
            "http://127.0.0.1:1",
            "http://[::1]:1",
            "http://localhost:1",
        ] {
            assert!(Peer::new(url, Some(&token()), &options).is_ok(), "{url}");
        }
        for url in ["http://log.example", "http://10.0.0.1:80"] {
            assert!(Peer::new(url, None, &options).is_ok(), "{url}");
            let error = Peer::new(url, Some(&token()), &options).unwrap_err();
            assert!(matches!(error, PeerError::TokenInClear { .. }), "{url}");
        }
    }
}
