//! Environment variables.

use std::fmt;
use std::str::FromStr;

use super::glob;
use crate::limits::VARIABLE_NAME_BYTES_MAX;

/// The settings that OACP itself reads. No guest reads one, whatever is granted.
pub const OWN_SETTINGS: [&str; 1] = ["OACP_HOME"];

/// Which variables are meant: a name, as `USER`, or one with `*` for any characters, none included, as
/// `APP_*`. Names are `[A-Za-z_][A-Za-z0-9_]*`, at most 256 bytes, and compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamePattern(String);

impl NamePattern {
    /// Whether the variable is meant. What is no variable's name never is.
    pub fn matches(&self, name: &str) -> bool {
        glob::matches(&self.0, name) && is_variable_name(name)
    }

    /// Whether every name that `other` means is meant.
    pub fn covers(&self, other: &Self) -> bool {
        // A `*` of the other one is a character that only a `*` of this one takes.
        glob::matches(&self.0, &other.0)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text can be the name of a variable: `[A-Za-z_][A-Za-z0-9_]*`, at most 256 bytes.
pub fn is_variable_name(name: &str) -> bool {
    (1..=VARIABLE_NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(is_name_byte)
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl FromStr for NamePattern {
    type Err = NamePatternError;

    fn from_str(text: &str) -> Result<Self, NamePatternError> {
        if text.is_empty() {
            return Err(NamePatternError::Empty);
        }
        if text.len() > VARIABLE_NAME_BYTES_MAX {
            return Err(NamePatternError::TooLong);
        }
        let refused = |text: &str| Err(NamePatternError::Character(text.to_owned()));
        match text.bytes().all(|byte| is_name_byte(byte) || byte == b'*') {
            true if text.starts_with(|c: char| c.is_ascii_digit()) => refused(text),
            true if text.contains("**") => Err(NamePatternError::Stars(text.to_owned())),
            true => Ok(Self(text.to_owned())),
            false => refused(text),
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_serde!(NamePattern);

/// A text means no variables.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamePatternError {
    /// No text.
    #[error("name of a variable is empty")]
    Empty,
    /// More than 256 bytes.
    #[error("name of a variable is longer than {VARIABLE_NAME_BYTES_MAX} bytes")]
    TooLong,
    /// Another character, or a digit at the beginning.
    #[error("`{}`: a variable's name has the characters `A-Z a-z 0-9 _`, the first no digit; `*` stands for any", .0.escape_debug())]
    Character(String),
    /// Two `*` in a row.
    #[error("`{0}`: two `*` mean no more than one")]
    Stars(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pattern_means_what_it_says() {
        for (pattern, name, expected) in [
            ("USER", "USER", true),
            ("USER", "user", false),
            ("USER", "USERS", false),
            ("APP_*", "APP_", true),
            ("APP_*", "APP_PORT", true),
            ("APP_*", "MYAPP_PORT", false),
            ("*_URL", "DB_URL", true),
            ("A*C*E", "ABCDE", true),
            ("A*C*E", "ACDC", false),
            ("*", "PATH", true),
            ("*", "", false),
            ("*", "*", false),
            ("*", "A B", false),
            ("*", "1A", false),
            ("*", "A=B", false),
            ("*", "É", false),
        ] {
            let parsed: NamePattern = pattern.parse().unwrap();
            assert_eq!(parsed.matches(name), expected, "{pattern} {name}");
            assert_eq!(parsed.to_string(), pattern);
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_the_reason() {
        for (text, error) in [
            ("", "name of a variable is empty"),
            (
                "A-B",
                "`A-B`: a variable's name has the characters `A-Z a-z 0-9 _`, the first no digit; `*` stands for any",
            ),
            (
                "1A",
                "`1A`: a variable's name has the characters `A-Z a-z 0-9 _`, the first no digit; `*` stands for any",
            ),
            ("A**", "`A**`: two `*` mean no more than one"),
            (
                &"A".repeat(257),
                "name of a variable is longer than 256 bytes",
            ),
        ] {
            let found = text.parse::<NamePattern>().unwrap_err().to_string();
            assert_eq!(found, error);
        }
        for text in ["A B", "A=", "$A", "A\n", "É", "A?", "[A]"] {
            assert!(text.parse::<NamePattern>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn what_covers_matches_more(a in "[AB]{0,2}(\\*[AB]{1,2}){0,2}\\*?", b in "[AB]{0,2}(\\*[AB]{1,2}){0,2}\\*?", name in "[AB]{1,6}") {
            let (Ok(a), Ok(b)) = (a.parse::<NamePattern>(), b.parse::<NamePattern>()) else { return Ok(()) };
            prop_assert!(a.covers(&a));
            if a.covers(&b) && b.matches(&name) {
                prop_assert!(a.matches(&name));
            }
        }
    }
}
