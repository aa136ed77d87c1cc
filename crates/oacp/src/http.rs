//! HTTP as it crosses between a guest and whoever sends its requests: one request, one response.
//!
//! The attack is a header that says two things to two programs: a second length, a second host, a line
//! break in a value. What frames a message, names its host or talks to proxies is not a guest's to
//! say; a guest that says what is true anyway is not disturbed.

mod request;
mod response;

pub use self::request::{Request, RequestError};
pub use self::response::{Response, ResponseError};
use crate::capability::Denial;

/// Why a request was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// It was not granted.
    #[error(transparent)]
    Denied(Box<Denial>),
    /// It was, and there is no answer.
    #[error("{message}")]
    Failed {
        /// `resolve`, `connect`, `tls`, `protocol`, `timed_out` or `limit`.
        code: &'static str,
        /// One line for people.
        message: String,
    },
}

impl From<Denial> for ExchangeError {
    fn from(denial: Denial) -> Self {
        Self::Denied(Box::new(denial))
    }
}

/// What becomes of a header that a guest sets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// It is sent.
    Sent,
    /// It has to be true, and is left out: it is said anew.
    Host,
    ContentLength,
    /// It is left out: it is about a connection, which is not the guest's.
    Dropped,
    /// The request is refused: leaving it out would change what the request says.
    Refused,
}

/// By the name in lower case.
fn part(name: &str) -> Part {
    match name {
        "host" => Part::Host,
        "content-length" => Part::ContentLength,
        "connection" | "keep-alive" | "accept-encoding" | "te" | "expect" => Part::Dropped,
        "transfer-encoding" | "upgrade" | "trailer" | "forwarded" | "x-real-ip"
        | "http2-settings" => Part::Refused,
        _ if name.starts_with("proxy-")
            || name.starts_with("x-forwarded-")
            || name.starts_with(':') =>
        {
            Part::Refused
        }
        // Many programs take `_` for `-`.
        _ if name.contains('_') && part(&name.replace('_', "-")) != Part::Sent => Part::Refused,
        _ => Part::Sent,
    }
}

/// Whether a header is none of a guest's, nor of a secret's.
pub(crate) fn is_reserved_header(name: &str) -> bool {
    part(&name.to_ascii_lowercase()) != Part::Sent
}

/// Whether a text is a token (RFC 9110, 5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Whether a text is the value of a field (RFC 9110, 5.5), each character a byte.
fn is_field_value(text: &str) -> bool {
    text.chars()
        .all(|c| c == '\t' || (' '..='~').contains(&c) || ('\u{80}'..='\u{ff}').contains(&c))
}
