//! Names and identifiers. Each is a type of its own that parses from text, so that none stands in
//! for another.

use std::fmt;
use std::str::FromStr;

use uuid::{Builder, Uuid, Variant};

use crate::limits::{SANDBOX_NAME_BYTES_MAX, TEXT_BYTES_MAX, TOOL_NAME_BYTES_MAX};

/// Defines an identifier that is a UUIDv7 (RFC 9562, 5.7).
macro_rules! uuid_type {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Uuid);

        impl $type {
            /// Made of the time in Unix milliseconds (48 bits are kept) and 74 of the 80 random
            /// bits.
            pub fn new(unix_ms: u64, random: [u8; 10]) -> Self {
                Self(Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid())
            }

            /// From 16 bytes. `None`: they are no UUIDv7.
            pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
                let uuid = Uuid::from_bytes(bytes);
                is_v7(&uuid).then_some(Self(uuid))
            }

            /// The 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.as_hyphenated(), f)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $type {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_v7(text).map(Self)
            }
        }

        text_serde!($type);
    };
}

uuid_type!(
    /// A sandbox, over all its restarts: a UUIDv7 in lower case with hyphens.
    SandboxId
);
uuid_type!(
    /// One execution: a UUIDv7 in lower case with hyphens.
    ExecutionId
);

/// A text is not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected a UUIDv7 in lower case with hyphens")]
pub struct ParseIdError;

fn parse_v7(text: &str) -> Result<Uuid, ParseIdError> {
    let uuid = Uuid::try_parse(text).map_err(|_| ParseIdError)?;
    // The library also reads braces, URNs and upper case; one identifier has one spelling here.
    let canonical = uuid
        .as_hyphenated()
        .encode_lower(&mut Uuid::encode_buffer())
        == text;
    if canonical && is_v7(&uuid) {
        Ok(uuid)
    } else {
        Err(ParseIdError)
    }
}

fn is_v7(uuid: &Uuid) -> bool {
    uuid.get_version_num() == 7 && uuid.get_variant() == Variant::RFC4122
}

text_type!(
    /// A tool's name, by MCP's rule: 1 to 128 of `A-Z a-z 0-9 _ . -`.
    ToolName,
    ParseToolNameError,
    "not a tool name: expected 1 to 128 of the characters `A-Z a-z 0-9 _ . -`",
    |text| (1..=TOOL_NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
);

text_type!(
    /// A sandbox's name: `[a-z0-9][a-z0-9_-]{0,62}`.
    SandboxName,
    ParseSandboxNameError,
    "not a sandbox name: expected 1 to 63 of the characters `a-z 0-9 _ -`, the first a letter or digit",
    |text| (1..=SANDBOX_NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
        && !text.starts_with(['_', '-'])
);

text_type!(
    /// The caller's nonce: 1 to 256 bytes of visible ASCII or spaces.
    Nonce,
    ParseNonceError,
    "not a nonce: expected 1 to 256 printable ASCII characters",
    is_printable
);

text_type!(
    /// For whom a statement is meant: 1 to 256 bytes of visible ASCII or spaces.
    Audience,
    ParseAudienceError,
    "not an audience: expected 1 to 256 printable ASCII characters",
    is_printable
);

text_type!(
    /// The origin line of a transparency log (C2SP tlog-checkpoint): 1 to 256 bytes of visible
    /// ASCII.
    LogOrigin,
    ParseLogOriginError,
    "not a log origin: expected 1 to 256 printable ASCII characters without spaces",
    |text| is_printable(text) && !text.contains(' ')
);

text_type!(
    /// Who asked for an execution, as the node authenticated it: 1 to 256 bytes of visible ASCII or
    /// spaces.
    Principal,
    ParsePrincipalError,
    "not a principal: expected 1 to 256 printable ASCII characters",
    is_printable
);

/// ASCII only: text that a stranger chose is shown to people, and must not reorder or hide itself.
fn is_printable(text: &str) -> bool {
    (1..=TEXT_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_uuid_has_version_7_and_one_spelling() {
        let id = ExecutionId::new(0x0123_4567_89ab, [0xff; 10]);
        assert_eq!(id.to_string(), "01234567-89ab-7fff-bfff-ffffffffffff");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in [
            "01234567-89AB-7fff-bfff-ffffffffffff",
            "0123456789ab7fffbfffffffffffffff",
            "{01234567-89ab-7fff-bfff-ffffffffffff}",
            "urn:uuid:01234567-89ab-7fff-bfff-ffffffffffff",
            "01234567-89ab-4fff-bfff-ffffffffffff",
            "01234567-89ab-7fff-7fff-ffffffffffff",
            "",
        ] {
            assert_eq!(wrong.parse::<ExecutionId>(), Err(ParseIdError), "{wrong}");
        }
    }

    #[test]
    fn names_keep_their_rules() {
        for name in ["a", "get_time", "files.read", "A-1", &"x".repeat(128)] {
            assert!(name.parse::<ToolName>().is_ok(), "{name}");
        }
        for name in ["", "a b", "a/b", "é", "a\n", &"x".repeat(129)] {
            assert!(name.parse::<ToolName>().is_err(), "{name}");
        }
        for name in ["a", "0", "a-b_c", &"x".repeat(63)] {
            assert!(name.parse::<SandboxName>().is_ok(), "{name}");
        }
        for name in ["", "-a", "_a", "A", "a.b", &"x".repeat(64)] {
            assert!(name.parse::<SandboxName>().is_err(), "{name}");
        }
        for text in ["", "a\u{202e}b", "a\nb", "\u{7f}", &"x".repeat(257)] {
            assert!(
                text.parse::<Nonce>().is_err() && text.parse::<Audience>().is_err(),
                "{text}"
            );
            assert!(
                text.parse::<Principal>().is_err() && text.parse::<LogOrigin>().is_err(),
                "{text}"
            );
        }
        assert!("log.example a".parse::<LogOrigin>().is_err());
    }

    proptest! {
        #[test]
        fn ids_round_trip(unix_ms in 0u64..1 << 48, random: [u8; 10]) {
            let id = SandboxId::new(unix_ms, random);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(SandboxId::from_bytes(*id.as_bytes()), Some(id));
        }
    }
}
