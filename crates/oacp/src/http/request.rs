//! A guest's request.

use super::{Part, is_field_value, is_token, part};
use crate::capability::{Denial, Target, TargetError};
use crate::limits::{
    HEADERS_MAX, METHOD_BYTES_MAX, REQUEST_BODY_BYTES_MAX, REQUEST_HEAD_BYTES_MAX,
};

/// A request that may be judged and sent: what can be read differently by different programs is
/// refused, and what is the connection's own is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    method: String,
    target: Target,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// Reads what a guest asks for. The method is written in upper case, names of headers in lower
    /// case; blanks around values are gone. A character of a value is a byte.
    ///
    /// Left out are `connection`, `keep-alive`, `accept-encoding`, `te` and `expect`, and `host` and
    /// `content-length` where they are true.
    ///
    /// # Errors
    /// What is no request, exceeds a limit, or sets a header that is not a guest's.
    pub fn new(
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> Result<Self, RequestError> {
        if method.len() > METHOD_BYTES_MAX || !is_token(method) {
            return Err(RequestError::Method);
        }
        let method = method.to_ascii_uppercase();
        if matches!(method.as_str(), "CONNECT" | "TRACE") {
            return Err(RequestError::MethodRefused { method });
        }
        let target = Target::parse(url)?;
        if body.len() > REQUEST_BODY_BYTES_MAX {
            return Err(RequestError::BodyTooLong);
        }
        let bytes: usize = headers
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if headers.len() > HEADERS_MAX || bytes > REQUEST_HEAD_BYTES_MAX {
            return Err(RequestError::HeadersTooLong);
        }
        let mut kept = Vec::new();
        for (name, value) in headers {
            let lower = name.to_ascii_lowercase();
            let refused = || RequestError::HeaderRefused {
                target: Box::new(target.clone()),
                name: lower.clone(),
            };
            // Before its form: `:authority` is no token, and the better word for it is this one.
            let part = part(&lower);
            if part == Part::Refused {
                return Err(refused());
            }
            if !is_token(&lower) {
                return Err(RequestError::HeaderName { name: name.clone() });
            }
            let value = value.trim_matches([' ', '\t']);
            if !is_field_value(value) {
                return Err(RequestError::HeaderValue { name: lower });
            }
            match part {
                Part::Sent => kept.push((lower, value.to_owned())),
                Part::Dropped | Part::Refused => {}
                Part::Host if is_host_of(&target, value) => {}
                Part::Host => {
                    return Err(RequestError::Host {
                        found: value.to_owned(),
                        expected: target.authority(),
                    });
                }
                Part::ContentLength if value == body.len().to_string() => {}
                Part::ContentLength => {
                    return Err(RequestError::ContentLength {
                        found: value.to_owned(),
                        expected: body.len(),
                    });
                }
            }
        }
        Ok(Self {
            method,
            target,
            headers: kept,
            body,
        })
    }

    /// In upper case.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Where it goes.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Names in lower case, and values, in the guest's order. Characters of values are bytes.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// Perhaps no bytes.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The headers as canonical JSON, `[[name, value], …]`: what an event names.
    #[expect(clippy::expect_used, reason = "strings have a canonical form")]
    pub fn headers_to_bytes(&self) -> Vec<u8> {
        serde_json_canonicalizer::to_vec(&self.headers).expect("strings")
    }
}

/// The host and the port, where the port may be left out or not if it is the scheme's own.
fn is_host_of(target: &Target, value: &str) -> bool {
    let is_default = target.port() == target.scheme().default_port();
    value.eq_ignore_ascii_case(&target.authority())
        || is_default && value.eq_ignore_ascii_case(&target.host_and_port())
}

/// Why a request is not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not a method's name.
    #[error("method is not a token of 1 to {METHOD_BYTES_MAX} characters")]
    Method,
    /// A method that is about the connection.
    #[error("method `{method}` is not sent")]
    MethodRefused {
        /// In upper case.
        method: String,
    },
    /// The URL.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Not a header's name.
    #[error("`{}` is not the name of a header", .name.escape_debug())]
    HeaderName {
        /// As given.
        name: String,
    },
    /// A line break, another control character, or one that is no byte.
    #[error(
        "value of the header `{name}` has a line break, another control character, or one above U+00FF"
    )]
    HeaderValue {
        /// In lower case.
        name: String,
    },
    /// A header that is not a guest's.
    #[error("header `{}` belongs to the connection and cannot be set", .name.escape_debug())]
    HeaderRefused {
        /// Where it should have gone.
        target: Box<Target>,
        /// In lower case.
        name: String,
    },
    /// Another host than the URL's.
    #[error("header `host` is `{found}`, and the URL's host is `{expected}`")]
    Host {
        /// The value.
        found: String,
        /// As in the URL.
        expected: String,
    },
    /// Another length than the body's.
    #[error("header `content-length` is `{found}`, and the body has {expected} bytes")]
    ContentLength {
        /// The value.
        found: String,
        /// The body's.
        expected: usize,
    },
    /// Too many headers, or too many bytes in them.
    #[error("more than {HEADERS_MAX} headers, or more than {REQUEST_HEAD_BYTES_MAX} bytes in them")]
    HeadersTooLong,
    /// Too many bytes.
    #[error("body is longer than {REQUEST_BODY_BYTES_MAX} bytes")]
    BodyTooLong,
}

impl RequestError {
    /// The denial, where it is one: of a URL, or of a header that is not a guest's. `None`: the
    /// request is malformed, and no grant would help.
    pub fn denial(&self, url: &str) -> Option<Denial> {
        match self {
            Self::Target(error) => Some(Denial::target(url, *error)),
            Self::HeaderRefused { target, name } => Some(Denial::header(target, name)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const URL: &str = "https://a.example/x";

    fn with(headers: &[(&str, &str)]) -> Result<Request, RequestError> {
        of("POST", URL, headers, b"{}")
    }

    fn of(
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Request, RequestError> {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Request::new(method, url, &headers, body.to_vec())
    }

    #[test]
    fn a_request_keeps_what_is_the_guest_s() {
        let request = of(
            "patch",
            "HTTPS://A.example/x#y",
            &[
                ("Content-Type", " application/json\t"),
                ("X-Empty", ""),
                ("Cookie", "a=b"),
                ("cookie", "c=d"),
                ("X-Bytes", "caf\u{e9}\u{80}"),
            ],
            b"{}",
        );
        let request = request.unwrap();
        assert_eq!(request.method(), "PATCH");
        assert_eq!(request.target().to_string(), URL);
        assert_eq!(request.body(), b"{}");
        assert_eq!(
            String::from_utf8(request.headers_to_bytes()).unwrap(),
            "[[\"content-type\",\"application/json\"],[\"x-empty\",\"\"],[\"cookie\",\"a=b\"],[\"cookie\",\"c=d\"],\
             [\"x-bytes\",\"caf\u{e9}\u{80}\"]]"
        );
    }

    #[test]
    fn what_is_the_connection_s_and_true_is_left_out() {
        for (name, value) in [
            ("Host", "a.example"),
            ("host", "A.EXAMPLE:443"),
            ("Content-Length", "2"),
            ("content-length", " 2 "),
            ("Connection", "close, x-secret"),
            ("Keep-Alive", "timeout=5"),
            ("Accept-Encoding", "br"),
            ("TE", "trailers"),
            ("Expect", "100-continue"),
        ] {
            assert!(
                with(&[(name, value)]).unwrap().headers().is_empty(),
                "{name}"
            );
        }
        let other = of(
            "GET",
            "http://a.example:8080/",
            &[("host", "a.example:8080")],
            b"",
        );
        assert!(other.unwrap().headers().is_empty());
    }

    #[test]
    fn what_would_be_read_in_two_ways_is_refused() {
        for (name, value, error) in [
            (
                "Host",
                "b.example",
                "header `host` is `b.example`, and the URL's host is `a.example`",
            ),
            (
                "Host",
                "a.example:80",
                "header `host` is `a.example:80`, and the URL's host is `a.example`",
            ),
            (
                "Host",
                "",
                "header `host` is ``, and the URL's host is `a.example`",
            ),
            (
                "Host",
                "a.example, b",
                "header `host` is `a.example, b`, and the URL's host is `a.example`",
            ),
            (
                "Content-Length",
                "3",
                "header `content-length` is `3`, and the body has 2 bytes",
            ),
            (
                "Content-Length",
                "02",
                "header `content-length` is `02`, and the body has 2 bytes",
            ),
            (
                "Content-Length",
                "+2",
                "header `content-length` is `+2`, and the body has 2 bytes",
            ),
            (
                "Content-Length",
                "2, 2",
                "header `content-length` is `2, 2`, and the body has 2 bytes",
            ),
            (
                "Transfer-Encoding",
                "chunked",
                "header `transfer-encoding` belongs to the connection and cannot be set",
            ),
            (
                "transfer_encoding",
                "chunked",
                "header `transfer_encoding` belongs to the connection and cannot be set",
            ),
            (
                "Content_Length",
                "2",
                "header `content_length` belongs to the connection and cannot be set",
            ),
            (
                "Upgrade",
                "h2c",
                "header `upgrade` belongs to the connection and cannot be set",
            ),
            (
                "HTTP2-Settings",
                "",
                "header `http2-settings` belongs to the connection and cannot be set",
            ),
            (
                "Trailer",
                "x",
                "header `trailer` belongs to the connection and cannot be set",
            ),
            (
                "Proxy-Authorization",
                "x",
                "header `proxy-authorization` belongs to the connection and cannot be set",
            ),
            (
                "Proxy-Connection",
                "x",
                "header `proxy-connection` belongs to the connection and cannot be set",
            ),
            (
                "Forwarded",
                "for=1.2.3.4",
                "header `forwarded` belongs to the connection and cannot be set",
            ),
            (
                "X-Forwarded-For",
                "1.2.3.4",
                "header `x-forwarded-for` belongs to the connection and cannot be set",
            ),
            (
                "X_Forwarded_Host",
                "b",
                "header `x_forwarded_host` belongs to the connection and cannot be set",
            ),
            (
                "X-Real-IP",
                "1.2.3.4",
                "header `x-real-ip` belongs to the connection and cannot be set",
            ),
            (
                ":authority",
                "b.example",
                "header `:authority` belongs to the connection and cannot be set",
            ),
            (
                "Transfer-Encoding ",
                "chunked",
                "`Transfer-Encoding ` is not the name of a header",
            ),
            (
                "X\r\nHost",
                "b",
                "`X\\r\\nHost` is not the name of a header",
            ),
            ("X:Y", "b", "`X:Y` is not the name of a header"),
            ("", "b", "`` is not the name of a header"),
            ("Ä", "b", "`Ä` is not the name of a header"),
        ] {
            assert_eq!(with(&[(name, value)]).unwrap_err().to_string(), error);
        }
        // One that is true beside one that is not.
        assert!(with(&[("host", "a.example"), ("host", "b.example")]).is_err());
        for value in [
            "a\r\nHost: b",
            "a\nb",
            "a\rb",
            "a\0b",
            "a\u{1}b",
            "a\u{7f}b",
            "a\u{100}b",
            "\u{2028}",
        ] {
            let error = with(&[("X-A", value)]).unwrap_err().to_string();
            assert_eq!(
                error,
                "value of the header `x-a` has a line break, another control character, or one above U+00FF",
                "{value:?}"
            );
        }
    }

    #[test]
    fn methods() {
        for method in ["GET", "get", "M-SEARCH", "PROPFIND", &"X".repeat(32)] {
            assert!(of(method, URL, &[], b"").is_ok(), "{method}");
        }
        for method in ["CONNECT", "connect", "TRACE"] {
            let error = of(method, URL, &[], b"").unwrap_err();
            assert!(
                matches!(error, RequestError::MethodRefused { .. }),
                "{method}"
            );
        }
        for method in [
            "",
            "GET ",
            "GET / HTTP/1.1\r\nX: ",
            "G\0T",
            "ГET",
            &"X".repeat(33),
        ] {
            assert_eq!(
                of(method, URL, &[], b""),
                Err(RequestError::Method),
                "{method:?}"
            );
        }
    }

    #[test]
    fn limits_hold() {
        let many = vec![("a", ""); HEADERS_MAX];
        assert!(with(&many).is_ok());
        let more = vec![("a", ""); HEADERS_MAX + 1];
        assert_eq!(with(&more), Err(RequestError::HeadersTooLong));
        let value = "x".repeat(REQUEST_HEAD_BYTES_MAX - 1);
        assert!(with(&[("a", &value)]).is_ok());
        assert_eq!(with(&[("ab", &value)]), Err(RequestError::HeadersTooLong));
        let body = vec![0; REQUEST_BODY_BYTES_MAX];
        assert!(of("PUT", URL, &[], &body).is_ok());
        let body = vec![0; REQUEST_BODY_BYTES_MAX + 1];
        assert_eq!(of("PUT", URL, &[], &body), Err(RequestError::BodyTooLong));
    }

    #[test]
    fn what_a_grant_is_about_is_a_denial() {
        let denied = |error: RequestError, url: &str| error.denial(url).map(|denial| denial.code);
        let url = "ftp://a.example/";
        let error = of("GET", url, &[], b"").unwrap_err();
        assert_eq!(denied(error, url).as_deref(), Some("url_refused"));
        let error = with(&[("upgrade", "h2c")]).unwrap_err();
        assert_eq!(denied(error, URL).as_deref(), Some("header_refused"));
        let error = with(&[("a b", "")]).unwrap_err();
        assert_eq!(denied(error, URL), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn nothing_that_is_sent_can_be_read_as_another_line(name in ".{0,12}", value in ".{0,12}") {
            if let Ok(request) = with(&[(&name, &value)]) {
                for (name, value) in request.headers() {
                    prop_assert!(is_token(name) && !super::super::is_reserved_header(name));
                    let is_byte = |c: char| c == '\t' || (!c.is_ascii_control() && u32::from(c) < 256);
                    prop_assert!(value.chars().all(is_byte));
                    prop_assert_eq!(value.trim_matches([' ', '\t']), value);
                }
                let again = Request::new(request.method(), &request.target().to_string(), request.headers(), request.body().to_vec());
                prop_assert_eq!(again, Ok(request));
            }
        }
    }
}
