//! The events of a recording.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::capability::Denial;
use crate::digest::{from_hex, to_hex};
use crate::json::{AdmitError, from_slice};
use crate::limits::{
    ASKED_NAME_BYTES_MAX, EVENT, LOG_MESSAGE_BYTES_MAX, WAIT_CALLS_MAX, saturated,
};
use crate::recording::Content;

/// One thing that crossed the boundary. Written as canonical JSON (RFC 8785) with its `kind` in
/// snake case.
///
/// Of one call the order is: `tool_call`, at most one `denial`, at most one `completion`, which has
/// the outcome `denied` exactly when there was a denial. Numbers are at most 2^53 − 1; larger ones
/// are written as that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// Event 0, and no other. It holds what randomness and time follow from, so that both can be
    /// withheld.
    Start {
        /// Of the guest's random numbers.
        seed: Seed,
        /// The guest's wall clock at its first instruction, in Unix milliseconds.
        #[serde(serialize_with = "saturated::serialize")]
        clock_start_ms: u64,
    },
    /// The guest began a call of a tool.
    ToolCall {
        /// The call's number, given once in a run.
        #[serde(serialize_with = "saturated::serialize")]
        call: u64,
        /// The name as the guest said it, whether or not there is such a tool; at most 128 bytes.
        tool: String,
        /// The arguments as the guest wrote them.
        arguments: Content,
    },
    /// A call's result was delivered to the guest.
    Completion {
        /// The call.
        #[serde(serialize_with = "saturated::serialize")]
        call: u64,
        /// How it ended.
        outcome: CallOutcome,
        /// The bytes that were delivered.
        result: Content,
        /// By how much the guest's clocks went on meanwhile, in nanoseconds.
        #[serde(serialize_with = "saturated::serialize")]
        clock_advance_ns: u64,
    },
    /// The guest's deadline passed although calls were pending.
    Deadline {
        /// The calls waited for; at most 16,384.
        calls: Vec<u64>,
        /// By how much the guest's clocks went on meanwhile, in nanoseconds.
        #[serde(serialize_with = "saturated::serialize")]
        clock_advance_ns: u64,
    },
    /// The guest wrote a line to its log.
    Log {
        /// How grave.
        level: LogLevel,
        /// At most 64 KiB.
        message: String,
    },
    /// A call was not granted.
    Denial {
        /// The call.
        #[serde(serialize_with = "saturated::serialize")]
        call: u64,
        /// What was asked for, and the rule.
        denial: Denial,
    },
}

impl Event {
    /// The canonical JSON: what is hashed, and kept.
    #[expect(
        clippy::expect_used,
        reason = "an event is made of strings and integers, which have a canonical form"
    )]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json_canonicalizer::to_vec(self).expect("strings and integers")
    }

    /// Reads one event.
    ///
    /// # Errors
    /// What is not admitted, is no event, exceeds a limit, or is not the canonical form: one event
    /// has one byte sequence.
    pub fn parse(bytes: &[u8]) -> Result<Self, EventError> {
        let event: Self = from_slice(bytes, EVENT)?;
        let bounded = match &event {
            Self::ToolCall { tool, .. } => tool.len() <= ASKED_NAME_BYTES_MAX,
            Self::Deadline { calls, .. } => calls.len() <= WAIT_CALLS_MAX,
            Self::Log { message, .. } => message.len() <= LOG_MESSAGE_BYTES_MAX,
            Self::Denial { denial, .. } => denial.is_bounded(),
            Self::Start { .. } | Self::Completion { .. } => true,
        };
        if !bounded {
            return Err(EventError::TooLong);
        }
        if event.to_bytes() != bytes {
            return Err(EventError::NotCanonical);
        }
        Ok(event)
    }

    /// The content it names, if it names one.
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::ToolCall { arguments, .. } => Some(arguments),
            Self::Completion { result, .. } => Some(result),
            _ => None,
        }
    }
}

/// Why bytes are not an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not admitted, or no event.
    #[error("event is malformed")]
    Json(#[from] AdmitError),
    /// A text or list beyond its limit.
    #[error("event holds a text or list beyond its limit")]
    TooLong,
    /// Another spelling of the same event.
    #[error("event is not in canonical form")]
    NotCanonical,
}

/// How a call ended, as the guest saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// With a result.
    Ok,
    /// With an error of the tool's.
    Error,
    /// It was not granted.
    Denied,
}

/// How grave a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// For whoever wrote the agent.
    Debug,
    /// For whoever runs it.
    Info,
    /// Something to look at.
    Warning,
    /// Something went wrong.
    Error,
}

/// What a guest's random numbers follow from: 32 bytes, written as 64 lower-case hex digits. A
/// guest's tokens can be computed from it, so `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// From 32 random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl FromStr for Seed {
    type Err = ParseSeedError;

    fn from_str(text: &str) -> Result<Self, ParseSeedError> {
        from_hex(text).map(Self).ok_or(ParseSeedError)
    }
}

text_serde!(Seed);

/// A text is not a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a seed: expected 64 lower-case hex digits")]
pub struct ParseSeedError;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::Grant;
    use crate::limits::JSON_INTEGER_MAX;
    use proptest::prelude::*;

    #[test]
    fn an_event_has_one_spelling() {
        let event = Event::ToolCall {
            call: 1,
            tool: "clock".to_owned(),
            arguments: Content::of(b"{}"),
        };
        let bytes = event.to_bytes();
        assert_eq!(
            String::from_utf8(bytes.clone()).unwrap(),
            r#"{"arguments":{"sha256":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"call":1,"kind":"tool_call","tool":"clock"}"#
        );
        assert_eq!(Event::parse(&bytes), Ok(event));
        let text = String::from_utf8(bytes).unwrap();
        for wrong in [
            text.replace(":1,", ": 1,"),
            text.replace("\"call\":1", "\"call\":1.0"),
            text.replace("clock", "\\u0063lock"),
            text.replace("\"call\":1,", "")
                .replace("}}", "},\"call\":1}"),
        ] {
            assert!(Event::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let reordered = br#"{"kind":"log","level":"info","message":""}"#;
        assert!(Event::parse(reordered).is_ok());
        let reordered = br#"{"level":"info","kind":"log","message":""}"#;
        assert_eq!(Event::parse(reordered), Err(EventError::NotCanonical));
        assert!(Event::parse(br#"{"extra":1,"kind":"log","level":"info","message":""}"#).is_err());
        assert!(Event::parse(br#"{"kind":"unheard_of"}"#).is_err());
    }

    #[test]
    fn limits_hold() {
        let log = |length| {
            Event::Log {
                level: LogLevel::Info,
                message: "\0".repeat(length),
            }
            .to_bytes()
        };
        assert!(Event::parse(&log(LOG_MESSAGE_BYTES_MAX)).is_ok());
        assert_eq!(
            Event::parse(&log(LOG_MESSAGE_BYTES_MAX + 1)),
            Err(EventError::TooLong)
        );
        let call = |length| {
            Event::ToolCall {
                call: 0,
                tool: "x".repeat(length),
                arguments: Content::of(b""),
            }
            .to_bytes()
        };
        assert!(Event::parse(&call(128)).is_ok());
        assert_eq!(Event::parse(&call(129)), Err(EventError::TooLong));
        let wait = |count| {
            Event::Deadline {
                calls: vec![JSON_INTEGER_MAX; count],
                clock_advance_ns: 0,
            }
            .to_bytes()
        };
        assert!(Event::parse(&wait(WAIT_CALLS_MAX)).is_ok());
        assert_eq!(
            Event::parse(&wait(WAIT_CALLS_MAX + 1)),
            Err(EventError::TooLong)
        );
        let denial = Event::Denial {
            call: 0,
            denial: Grant::none().deny_tool(&"x".repeat(4097)),
        };
        assert_eq!(Event::parse(&denial.to_bytes()), Err(EventError::TooLong));
    }

    #[test]
    fn counts_saturate() {
        let event = Event::Start {
            seed: Seed::from_bytes([1; 32]),
            clock_start_ms: u64::MAX,
        };
        let expected = Event::Start {
            seed: Seed::from_bytes([1; 32]),
            clock_start_ms: JSON_INTEGER_MAX,
        };
        assert_eq!(Event::parse(&event.to_bytes()), Ok(expected));
        assert!(!format!("{event:?}").contains("0101"));
    }

    fn count() -> impl Strategy<Value = u64> {
        0..=JSON_INTEGER_MAX
    }

    fn content() -> impl Strategy<Value = Content> {
        (any::<[u8; 32]>(), count()).prop_map(|(bytes, size)| Content {
            sha256: crate::Digest::from_bytes(bytes),
            size,
        })
    }

    prop_compose! {
        fn denial()(asked in ".{0,40}", tools in prop::collection::btree_set("[a-z]{1,8}", 0..3)) -> Denial {
            let capabilities = crate::Capabilities { tools: tools.iter().map(|name| name.parse().unwrap()).collect() };
            Grant::attenuate(&capabilities, &capabilities).deny_tool(&asked)
        }
    }

    fn event() -> impl Strategy<Value = Event> {
        let outcome = prop_oneof![
            Just(CallOutcome::Ok),
            Just(CallOutcome::Error),
            Just(CallOutcome::Denied)
        ];
        prop_oneof![
            (any::<[u8; 32]>(), count()).prop_map(|(seed, clock_start_ms)| Event::Start {
                seed: Seed::from_bytes(seed),
                clock_start_ms
            }),
            (count(), ".{0,30}", content()).prop_map(|(call, tool, arguments)| Event::ToolCall {
                call,
                tool,
                arguments
            }),
            (count(), outcome, content(), count()).prop_map(
                |(call, outcome, result, clock_advance_ns)| {
                    Event::Completion {
                        call,
                        outcome,
                        result,
                        clock_advance_ns,
                    }
                }
            ),
            (prop::collection::vec(count(), 0..5), count()).prop_map(
                |(calls, clock_advance_ns)| Event::Deadline {
                    calls,
                    clock_advance_ns
                }
            ),
            ".*".prop_map(|message| Event::Log {
                level: LogLevel::Warning,
                message
            }),
            (count(), denial()).prop_map(|(call, denial)| Event::Denial { call, denial }),
        ]
    }

    proptest! {
        #[test]
        fn bytes_round_trip(event in event()) {
            prop_assert_eq!(Event::parse(&event.to_bytes()), Ok(event));
        }
    }
}
