//! What a request is answered with.

use serde::{Deserialize, Serialize};

use super::{is_field_value, is_token};
use crate::json::{AdmitError, from_slice};
use crate::limits::{
    HEADERS_MAX, JSON_DEPTH_MAX, JsonLimits, RESPONSE_BODY_BYTES_MAX, RESPONSE_HEAD_BYTES_MAX,
};

/// A response that is there to its end, its body decompressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 100 to 999.
    pub status: u16,
    /// The words after the status; perhaps none. Each character is a byte.
    pub reason: String,
    /// Names in lower case, and values, each of whose characters is a byte.
    pub headers: Vec<(String, String)>,
    /// Perhaps no bytes.
    pub body: Vec<u8>,
}

/// The head as it is written: canonical JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    headers: Vec<(String, String)>,
    reason: String,
    status: u16,
}

/// Bytes of a head as JSON: each byte of it escaped as six, and the quotes around it.
const HEAD: JsonLimits = JsonLimits {
    bytes_max: 6 * RESPONSE_HEAD_BYTES_MAX + 8 * HEADERS_MAX + 64,
    depth_max: JSON_DEPTH_MAX,
};

impl Response {
    /// What a guest is handed, and what is recorded: the head in canonical JSON, a line feed, the body.
    #[expect(
        clippy::expect_used,
        reason = "strings and a number of three digits have a canonical form"
    )]
    pub fn to_bytes(&self) -> Vec<u8> {
        let head = Head {
            headers: self.headers.clone(),
            reason: self.reason.clone(),
            status: self.status,
        };
        let mut bytes = serde_json_canonicalizer::to_vec(&head).expect("strings and a number");
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is not the one form of a response, or exceeds a limit.
    pub fn parse(bytes: &[u8]) -> Result<Self, ResponseError> {
        // Canonical JSON has no line feed but an escaped one.
        let end = bytes
            .iter()
            .take(HEAD.bytes_max + 1)
            .position(|byte| *byte == b'\n')
            .ok_or(ResponseError::Head)?;
        let (head, body) = bytes.split_at_checked(end).ok_or(ResponseError::Head)?;
        let body = body.get(1..).unwrap_or_default();
        let Head {
            headers,
            reason,
            status,
        } = from_slice(head, HEAD)?;
        let response = Self {
            status,
            reason,
            headers,
            body: body.to_vec(),
        };
        response.check()?;
        if response.to_bytes() != bytes {
            return Err(ResponseError::NotCanonical);
        }
        Ok(response)
    }

    fn check(&self) -> Result<(), ResponseError> {
        // A character of a value is a byte.
        let length = |text: &str| text.chars().count();
        let bytes: usize = self
            .headers
            .iter()
            .map(|(name, value)| length(name) + length(value))
            .sum();
        let is_name =
            |name: &str| is_token(name) && !name.bytes().any(|byte| byte.is_ascii_uppercase());
        let headers = self
            .headers
            .iter()
            .all(|(name, value)| is_name(name) && is_field_value(value));
        if !headers || !is_field_value(&self.reason) || !(100..=999).contains(&self.status) {
            return Err(ResponseError::Field);
        }
        if self.headers.len() > HEADERS_MAX
            || bytes + length(&self.reason) > RESPONSE_HEAD_BYTES_MAX
            || self.body.len() > RESPONSE_BODY_BYTES_MAX
        {
            return Err(ResponseError::TooLong);
        }
        Ok(())
    }
}

/// Why bytes are no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// No line feed after a head.
    #[error("response has no head")]
    Head,
    /// The head is not admitted as JSON, or not of its shape.
    #[error("response's head is malformed")]
    Json(#[from] AdmitError),
    /// A status, a name or a value that HTTP does not have.
    #[error("response's head holds a status, a name or a value that cannot be one")]
    Field,
    /// Beyond a limit.
    #[error("response's head or body is beyond its limit")]
    TooLong,
    /// Another spelling of the same response.
    #[error("response is not in canonical form")]
    NotCanonical,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn response() -> Response {
        Response {
            status: 200,
            reason: "OK".to_owned(),
            headers: vec![
                ("content-type".to_owned(), "text/plain".to_owned()),
                ("x".to_owned(), "caf\u{e9}".to_owned()),
            ],
            body: b"a\nb\n".to_vec(),
        }
    }

    #[test]
    fn a_response_has_one_form() {
        let bytes = response().to_bytes();
        assert_eq!(
            String::from_utf8(bytes.clone()).unwrap(),
            "{\"headers\":[[\"content-type\",\"text/plain\"],[\"x\",\"caf\u{e9}\"]],\"reason\":\"OK\",\"status\":200}\na\nb\n"
        );
        assert_eq!(Response::parse(&bytes), Ok(response()));
        let text = String::from_utf8(bytes).unwrap();
        for (from, to, error) in [
            ("\n", "", ResponseError::NotCanonical),
            (":200", ": 200", ResponseError::NotCanonical),
            ("OK", "\\u004fK", ResponseError::NotCanonical),
            ("200", "99", ResponseError::Field),
            ("200", "1000", ResponseError::Field),
            ("OK", "O\\nK", ResponseError::Field),
            ("\"x\"", "\"X\"", ResponseError::Field),
            ("\"x\"", "\"\"", ResponseError::Field),
            ("\"x\"", "\"x y\"", ResponseError::Field),
            ("text/plain", "a\\r\\nb", ResponseError::Field),
            ("text/plain", "\u{100}", ResponseError::Field),
        ] {
            let altered = text.replacen(from, to, 1);
            let found = Response::parse(altered.as_bytes()).unwrap_err();
            // Without its line feed the head goes on into the body.
            if from == "\n" {
                assert!(matches!(found, ResponseError::Json(_)), "{found}");
            } else {
                assert_eq!(found, error, "{from} {to}");
            }
        }
        assert_eq!(Response::parse(b""), Err(ResponseError::Head));
        assert_eq!(Response::parse(b"{}"), Err(ResponseError::Head));
        assert!(matches!(
            Response::parse(b"{}\n"),
            Err(ResponseError::Json(_))
        ));
        let extra = text.replacen("{", "{\"extra\":1,", 1);
        assert!(matches!(
            Response::parse(extra.as_bytes()),
            Err(ResponseError::Json(_))
        ));
    }

    #[test]
    fn limits_hold() {
        let parses = |response: &Response| Response::parse(&response.to_bytes());
        let mut large = Response {
            reason: String::new(),
            headers: vec![("a".to_owned(), "\u{e9}".repeat(RESPONSE_HEAD_BYTES_MAX - 1))],
            ..response()
        };
        assert_eq!(parses(&large), Ok(large.clone()));
        large.reason = "O".to_owned();
        assert_eq!(parses(&large), Err(ResponseError::TooLong));
        let mut many = Response {
            headers: vec![("a".to_owned(), String::new()); HEADERS_MAX],
            ..response()
        };
        assert!(parses(&many).is_ok());
        many.headers.push(("a".to_owned(), String::new()));
        assert_eq!(parses(&many), Err(ResponseError::TooLong));
        let mut body = Response {
            body: vec![0; RESPONSE_BODY_BYTES_MAX],
            ..response()
        };
        assert!(parses(&body).is_ok());
        body.body.push(0);
        assert_eq!(parses(&body), Err(ResponseError::TooLong));
    }

    proptest! {
        #[test]
        fn bytes_round_trip(
            status in 100u16..=999,
            reason in "[ -~\u{80}-\u{ff}]{0,10}",
            headers in prop::collection::vec(("[a-z-]{1,8}", "[\t -~\u{80}-\u{ff}]{0,10}"), 0..5),
            body: Vec<u8>,
        ) {
            let response = Response { status, reason, headers, body };
            prop_assert_eq!(Response::parse(&response.to_bytes()), Ok(response));
        }

        #[test]
        fn no_bytes_make_it_stumble(bytes: Vec<u8>, head in "[{}\\[\\]\",:a-z0-9\n]{0,40}") {
            for bytes in [bytes, head.into_bytes()] {
                if let Ok(response) = Response::parse(&bytes) {
                    prop_assert_eq!(response.to_bytes(), bytes);
                }
            }
        }
    }
}
