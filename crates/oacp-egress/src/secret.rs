//! The value of a secret.
//!
//! Attack: a value that gets out by a way that nobody thought of: a log line, a panic's message, memory that is given to
//! somebody else. So it cannot be printed, and is overwritten when it is dropped.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::limits::{SECRET_BYTES_MAX, SECRET_BYTES_MIN};

/// A secret's value. Clones share one place in memory, which is overwritten when the last of them is dropped.
#[derive(Clone)]
pub struct SecretValue(Arc<Zeroizing<Vec<u8>>>);

/// Why a value cannot be a secret. Says nothing of the value but its length.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SecretValueError {
    /// It would be found in replies by chance.
    #[error("the value has {bytes} bytes, a secret needs at least {SECRET_BYTES_MIN}")]
    TooShort {
        /// Its length.
        bytes: usize,
    },
    /// No server would take it.
    #[error("the value has {bytes} bytes, a secret has at most {SECRET_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A control character would end the header that it is put in.
    #[error("the value has a control character (a line feed at its end, perhaps)")]
    ControlCharacter,
    /// Receivers drop it, and would then reflect another value than the one that is looked for.
    #[error("the value begins or ends with a blank")]
    Blank,
}

impl SecretValue {
    /// Takes a value over: [`SECRET_BYTES_MIN`] to [`SECRET_BYTES_MAX`] bytes, no control characters, no blank at either end.
    ///
    /// # Errors
    /// If it is not such a value; it is overwritten then, too.
    pub fn new(value: Vec<u8>) -> Result<Self, SecretValueError> {
        let value = Zeroizing::new(value);
        let bytes = value.len();
        if bytes < SECRET_BYTES_MIN {
            return Err(SecretValueError::TooShort { bytes });
        }
        if bytes > SECRET_BYTES_MAX {
            return Err(SecretValueError::TooLong { bytes });
        }
        if value.iter().any(u8::is_ascii_control) {
            return Err(SecretValueError::ControlCharacter);
        }
        if value.first() == Some(&b' ') || value.last() == Some(&b' ') {
            return Err(SecretValueError::Blank);
        }
        Ok(Self(Arc::new(value)))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_sent_or_found_again_is_no_secret() {
        for (value, expected) in [
            (
                "fifteen bytes !".to_owned(),
                SecretValueError::TooShort { bytes: 15 },
            ),
            (
                "a".repeat(SECRET_BYTES_MAX + 1),
                SecretValueError::TooLong {
                    bytes: SECRET_BYTES_MAX + 1,
                },
            ),
            (
                "0123456789abcdef\n".into(),
                SecretValueError::ControlCharacter,
            ),
            (
                "0123456789\r\nabcdef".into(),
                SecretValueError::ControlCharacter,
            ),
            (
                "0123456789\0abcdef".into(),
                SecretValueError::ControlCharacter,
            ),
            ("0123456789abcdef ".into(), SecretValueError::Blank),
            (" 0123456789abcdef".into(), SecretValueError::Blank),
        ] {
            assert_eq!(
                SecretValue::new(value.into_bytes()).unwrap_err(),
                expected,
                "{expected}"
            );
        }
    }

    #[test]
    fn a_value_is_not_printed() {
        let value = SecretValue::new(b"0123456789abcdef".to_vec()).unwrap();
        assert_eq!(format!("{value:?} {value:#?}").matches("0123").count(), 0);
    }
}
