//! Bearer tokens: what an operator hands to those who may read or append.
//!
//! The attack is a token that is found a byte at a time, by how long its comparison takes. Digests are compared, whole: what time
//! shows of a digest says nothing of a token that has another.

use std::fmt;

use oacp::digest::Digest;
use oacp_egress::{SecretValue, SecretValueError};
use thiserror::Error;

/// A bearer token (RFC 6750): 16 to 16,384 characters of `A-Z a-z 0-9 - . _ ~ + /`, with `=` at its end or not. It cannot be printed.
///
/// Whoever makes one takes 32 bytes or more from the operating system. A token that can be guessed is no token.
#[derive(Clone)]
pub struct Token {
    value: SecretValue,
    digest: Digest,
}

/// Why a text is no token. Says nothing of it but its length.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// HTTP could not carry it, or two programs could read it as two.
    #[error(
        "a token has only the characters `A-Z a-z 0-9 - . _ ~ + /`, and `=` at its end (a line feed at its end, perhaps)"
    )]
    Characters,
    /// It cannot be a secret.
    #[error("the token cannot be used")]
    Secret(#[from] SecretValueError),
}

impl Token {
    /// Takes a text over.
    ///
    /// # Errors
    /// [`TokenError`]; the bytes are overwritten then, too.
    pub fn new(bytes: Vec<u8>) -> Result<Self, TokenError> {
        let is_token = is_token68(&bytes);
        let digest = Digest::of(&bytes);
        let value = SecretValue::new(bytes)?;
        match is_token {
            true => Ok(Self { value, digest }),
            false => Err(TokenError::Characters),
        }
    }

    /// Whether this is it.
    pub(crate) fn is(&self, presented: &[u8]) -> bool {
        let presented = Digest::of(presented);
        let bytes = self.digest.as_bytes().iter().zip(presented.as_bytes());
        bytes.fold(0, |differing, (own, other)| differing | (own ^ other)) == 0
    }

    pub(crate) fn value(&self) -> &SecretValue {
        &self.value
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// RFC 9110, 11.2.
fn is_token68(bytes: &[u8]) -> bool {
    let padding = bytes.iter().rev().take_while(|byte| **byte == b'=').count();
    let text = bytes
        .get(..bytes.len().saturating_sub(padding))
        .unwrap_or_default();
    !text.is_empty()
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Result<Token, TokenError> {
        Token::new(text.as_bytes().to_vec())
    }

    #[test]
    fn what_http_cannot_carry_is_no_token() {
        for text in ["0123456789abcdef", "0123456789-._~+/==", &"x".repeat(16384)] {
            assert!(token(text).is_ok(), "{text}");
        }
        for text in [
            "0123456789abcdef\n",
            "0123456789 abcdef",
            " 0123456789abcdef",
            "0123456789=abcdef",
            "0123456789abcdé",
            "0123456789abcdef,",
            "================",
        ] {
            assert!(token(text).is_err(), "{text}");
        }
        assert_eq!(
            token("0123456789abcde").unwrap_err(),
            TokenError::Secret(SecretValueError::TooShort { bytes: 15 })
        );
    }

    #[test]
    fn only_the_same_text_is_the_token() {
        let own = token("0123456789abcdef").unwrap();
        assert!(own.is(b"0123456789abcdef"));
        for other in [
            "",
            "0123456789abcdeg",
            "0123456789abcdef ",
            "0123456789abcde",
        ] {
            assert!(!own.is(other.as_bytes()), "{other}");
        }
        assert_eq!(format!("{own:?}"), "Token(..)");
    }
}
