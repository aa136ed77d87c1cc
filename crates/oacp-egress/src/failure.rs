//! How an exchange fails, in words that hold nothing of what was sent or received.
//!
//! Attack: a server that was given a secret repeats it where errors are made of: in a certificate's names, in HTTP/2's
//! debug data, in a malformed head. So no text of a peer, and of no library that quotes one, is part of a message.

use oacp::http::ExchangeError;

fn failed(code: &'static str, message: impl Into<String>) -> ExchangeError {
    ExchangeError::Failed {
        code,
        message: message.into(),
    }
}

/// The name has no address.
pub(crate) fn resolve(message: impl Into<String>) -> ExchangeError {
    failed("resolve", message)
}

/// No connection came about.
pub(crate) fn connect(message: impl Into<String>) -> ExchangeError {
    failed("connect", message)
}

/// The other side did not prove who it is.
pub(crate) fn tls(message: impl Into<String>) -> ExchangeError {
    failed("tls", message)
}

/// What was received is not HTTP as it should be.
pub(crate) fn protocol(message: impl Into<String>) -> ExchangeError {
    failed("protocol", message)
}

pub(crate) fn timed_out(message: impl Into<String>) -> ExchangeError {
    failed("timed_out", message)
}

/// A limit was reached.
pub(crate) fn limit(message: impl Into<String>) -> ExchangeError {
    failed("limit", message)
}

/// What went wrong on a connection, without the words of the other side.
pub(crate) fn of_connection(error: &hyper::Error) -> ExchangeError {
    if error.is_parse_too_large() {
        limit("the reply's head is too large")
    } else if error.is_incomplete_message() {
        protocol("the connection ended before the reply did")
    } else if error.is_parse() {
        protocol("the reply is not HTTP")
    } else if error.is_user() {
        protocol("the request cannot be sent")
    } else if error.is_timeout() {
        timed_out("the other side did not answer in time")
    } else {
        protocol("the connection broke")
    }
}
