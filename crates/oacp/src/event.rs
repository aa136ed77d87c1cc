//! The events of a recording.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::capability::{Denial, GuestPath};
use crate::digest::{Digest, from_hex, to_hex};
use crate::json::{AdmitError, from_slice};
use crate::limits::{
    ASKED_NAME_BYTES_MAX, EVENT, GRANTED_SCOPE_BYTES_MAX, LOG_MESSAGE_BYTES_MAX, METHOD_BYTES_MAX,
    URL_BYTES_MAX, WAIT_CALLS_MAX, saturated,
};
use crate::recording::Content;

/// One thing that crossed the boundary. Written as canonical JSON (RFC 8785) with its `kind` in
/// snake case.
///
/// Of one call the order is: `tool_call` or `http_request`; at most one `granted`, and at most one
/// `denial`, which after a `granted` only the network's answer can cause; at most one `completion`,
/// which has the outcome `denied` exactly when there was a denial. A `denial` or `granted` of a file
/// or a variable has a number that nothing else has. After a `write_back` there is nothing but
/// others and `log`. Numbers are at most 2^53 − 1; larger ones are written as that.
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
        /// What the guest's relative paths are relative to.
        working_directory: GuestPath,
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
    /// Something was not granted: a call, or a file or a variable, which has a number of its own.
    Denial {
        /// The number.
        #[serde(serialize_with = "saturated::serialize")]
        call: u64,
        /// What was asked for, and the rule.
        denial: Denial,
    },
    /// Something was not granted, somebody was asked during the run, and allowed it. It stands where
    /// the denial would.
    Granted {
        /// The number, as of a denial.
        #[serde(serialize_with = "saturated::serialize")]
        call: u64,
        /// The denial that it would have been.
        denial: Denial,
        /// For what it was allowed, as `run`; at most 256 bytes.
        scope: String,
    },
    /// The guest began an HTTP request. Its response is delivered by a completion, as that of a tool.
    HttpRequest {
        /// The call's number, given once in a run.
        #[serde(serialize_with = "saturated::serialize")]
        call: u64,
        /// In upper case; at most 32 bytes.
        method: String,
        /// The whole URL in canonical form; as the guest wrote it, where it is refused. At most
        /// 8192 bytes.
        url: String,
        /// Canonical JSON `[[name, value], …]`, without what the connection says itself.
        headers: Content,
        /// The body.
        body: Content,
    },
    /// The guest opened a file.
    FileOpened {
        /// The file.
        path: GuestPath,
        /// Its bytes, as they were when it was first opened.
        content: Content,
    },
    /// The guest asked what is at a path.
    FileStatus {
        /// The path.
        path: GuestPath,
        /// What was there.
        found: Found,
        /// Bytes of a file; of anything else 0.
        #[serde(serialize_with = "saturated::serialize")]
        size: u64,
    },
    /// The guest listed a directory.
    DirectoryListed {
        /// The directory.
        path: GuestPath,
        /// Canonical JSON `[[name, "file" | "directory"], …]`, sorted by name, with what is granted
        /// and nothing else.
        entries: Content,
    },
    /// The guest was given its environment.
    Environment {
        /// Canonical JSON: an object of the variables that are granted and set.
        variables: Content,
    },
    /// The run ended well, and what the guest changed was written to the disk, or was not.
    WriteBack {
        /// The file or directory.
        path: GuestPath,
        /// What the guest did to it.
        change: Change,
        /// What it holds now; of `created` and `replaced` alone.
        content: Option<Content>,
        /// Of what it held when it was first read; of `replaced` and `removed` alone.
        before: Option<Digest>,
        /// What came of it.
        result: Written,
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
            Self::Granted { denial, scope, .. } => {
                denial.is_bounded() && scope.len() <= GRANTED_SCOPE_BYTES_MAX
            }
            Self::HttpRequest { method, url, .. } => {
                method.len() <= METHOD_BYTES_MAX && url.len() <= URL_BYTES_MAX
            }
            // A path is bounded by its own type.
            Self::Start { .. }
            | Self::Completion { .. }
            | Self::FileOpened { .. }
            | Self::FileStatus { .. }
            | Self::DirectoryListed { .. }
            | Self::Environment { .. }
            | Self::WriteBack { .. } => true,
        };
        if !bounded {
            return Err(EventError::TooLong);
        }
        if !event.is_consistent() {
            return Err(EventError::Inconsistent);
        }
        if event.to_bytes() != bytes {
            return Err(EventError::NotCanonical);
        }
        Ok(event)
    }

    /// Whether its fields agree with each other.
    fn is_consistent(&self) -> bool {
        match self {
            Self::FileStatus { found, size, .. } => *found == Found::File || *size == 0,
            Self::WriteBack {
                change,
                content,
                before,
                ..
            } => {
                content.is_some() == matches!(change, Change::Created | Change::Replaced)
                    && before.is_some() == matches!(change, Change::Replaced | Change::Removed)
            }
            _ => true,
        }
    }

    /// The contents that it names, in the order of its fields.
    pub fn contents(&self) -> impl Iterator<Item = &Content> {
        let contents = match self {
            Self::ToolCall { arguments, .. } => [Some(arguments), None],
            Self::Completion { result, .. } => [Some(result), None],
            Self::HttpRequest { headers, body, .. } => [Some(headers), Some(body)],
            Self::FileOpened { content, .. } => [Some(content), None],
            Self::DirectoryListed { entries, .. } => [Some(entries), None],
            Self::Environment { variables } => [Some(variables), None],
            Self::WriteBack { content, .. } => [content.as_ref(), None],
            Self::Start { .. }
            | Self::Deadline { .. }
            | Self::Log { .. }
            | Self::Denial { .. }
            | Self::Granted { .. }
            | Self::FileStatus { .. } => [None, None],
        };
        contents.into_iter().flatten()
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
    /// Fields that contradict each other.
    #[error("event contradicts itself")]
    Inconsistent,
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

/// What is at a path, as far as a guest may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Nothing.
    Absent,
    /// A device, a socket, a pipe.
    Special,
    /// What a symbolic link leads to, and is not granted.
    Outside,
    /// What OACP keeps for itself.
    Withheld,
    /// Something that the node may not or could not look at.
    Unreadable,
}

/// What a guest did to a file or directory, from before its run to after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A file that was not there.
    Created,
    /// A file with other content.
    Replaced,
    /// A file that is gone.
    Removed,
    /// A directory that was not there.
    DirectoryCreated,
    /// A directory that is gone.
    DirectoryRemoved,
}

/// What came of writing a change to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// It is on the disk.
    Done,
    /// Somebody else changed the file since it was read: it was left as it is.
    Conflict,
    /// The disk or the system refused.
    Failed,
    /// It was not tried, after another failed.
    NotDone,
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
    fn limits_hold_for_what_crosses_to_the_outside() {
        let request = |method: usize, url: usize| {
            Event::HttpRequest {
                call: 1,
                method: "X".repeat(method),
                url: "x".repeat(url),
                headers: Content::of(b"[]"),
                body: Content::of(b""),
            }
            .to_bytes()
        };
        assert!(Event::parse(&request(32, 8192)).is_ok());
        assert_eq!(Event::parse(&request(33, 1)), Err(EventError::TooLong));
        assert_eq!(Event::parse(&request(1, 8193)), Err(EventError::TooLong));
        let granted = |asked: usize, scope: usize| {
            Event::Granted {
                call: 1,
                denial: Grant::none().deny_tool(&"x".repeat(asked)),
                scope: "x".repeat(scope),
            }
            .to_bytes()
        };
        assert!(Event::parse(&granted(4000, 256)).is_ok());
        assert_eq!(Event::parse(&granted(4097, 1)), Err(EventError::TooLong));
        assert_eq!(Event::parse(&granted(1, 257)), Err(EventError::TooLong));
        let opened = |path: &str| {
            let content = r#""content":{"sha256":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0}"#;
            format!(r#"{{{content},"kind":"file_opened","path":"{path}"}}"#)
        };
        assert!(Event::parse(opened("/a/b").as_bytes()).is_ok());
        for path in [
            "a",
            "",
            "/a/",
            "/a/../b",
            "/a//b",
            "/a\\u0000",
            &"/abc".repeat(1025),
        ] {
            assert!(Event::parse(opened(path).as_bytes()).is_err(), "{path}");
        }
    }

    #[test]
    fn an_event_that_contradicts_itself_is_refused() {
        let status = |found, size| Event::FileStatus {
            path: GuestPath::root(),
            found,
            size,
        };
        assert!(Event::parse(&status(Found::File, 3).to_bytes()).is_ok());
        for found in [
            Found::Directory,
            Found::Absent,
            Found::Special,
            Found::Outside,
            Found::Unreadable,
        ] {
            assert!(Event::parse(&status(found, 0).to_bytes()).is_ok());
            let sized = status(found, 3).to_bytes();
            assert_eq!(Event::parse(&sized), Err(EventError::Inconsistent));
        }
        for (change, has_content, has_before) in [
            (Change::Created, true, false),
            (Change::Replaced, true, true),
            (Change::Removed, false, true),
            (Change::DirectoryCreated, false, false),
            (Change::DirectoryRemoved, false, false),
        ] {
            for (content, before) in [(false, false), (false, true), (true, false), (true, true)] {
                let event = Event::WriteBack {
                    path: GuestPath::root(),
                    change,
                    content: content.then(|| Content::of(b"")),
                    before: before.then(|| Digest::of(b"")),
                    result: Written::Done,
                };
                let fits = (content, before) == (has_content, has_before);
                assert_eq!(Event::parse(&event.to_bytes()).is_ok(), fits, "{event:?}");
            }
        }
    }

    #[test]
    fn every_content_is_named() {
        let (one, two) = (Content::of(b"1"), Content::of(b"2"));
        let request = Event::HttpRequest {
            call: 1,
            method: "GET".to_owned(),
            url: String::new(),
            headers: one,
            body: two,
        };
        assert!(request.contents().eq(&[one, two]));
        let environment = Event::Environment { variables: one };
        assert!(environment.contents().eq(&[one]));
        let removed = Event::WriteBack {
            path: GuestPath::root(),
            change: Change::Removed,
            content: None,
            before: Some(two.sha256),
            result: Written::Done,
        };
        assert_eq!(removed.contents().count(), 0);
    }

    #[test]
    fn counts_saturate() {
        let event = Event::Start {
            seed: Seed::from_bytes([1; 32]),
            clock_start_ms: u64::MAX,
            working_directory: GuestPath::root(),
        };
        let expected = Event::Start {
            seed: Seed::from_bytes([1; 32]),
            clock_start_ms: JSON_INTEGER_MAX,
            working_directory: GuestPath::root(),
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

    fn path() -> impl Strategy<Value = GuestPath> {
        "(/[^/\0]{1,8}){1,3}".prop_filter_map("not a path", |text| text.parse().ok())
    }

    prop_compose! {
        fn denial()(asked in ".{0,40}", tools in prop::collection::btree_set("[a-z]{1,8}", 0..3)) -> Denial {
            let capabilities = crate::Capabilities { tools: tools.iter().map(|name| name.parse().unwrap()).collect(), ..crate::Capabilities::default() };
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
                clock_start_ms,
                working_directory: GuestPath::root(),
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
            (count(), denial(), ".{0,20}").prop_map(|(call, denial, scope)| Event::Granted {
                call,
                denial,
                scope
            }),
            (count(), "[A-Z]{1,8}", ".{0,30}", content(), content()).prop_map(
                |(call, method, url, headers, body)| Event::HttpRequest {
                    call,
                    method,
                    url,
                    headers,
                    body
                }
            ),
            (path(), content()).prop_map(|(path, content)| Event::FileOpened { path, content }),
            (path(), content())
                .prop_map(|(path, entries)| Event::DirectoryListed { path, entries }),
            (path(), count()).prop_map(|(path, size)| Event::FileStatus {
                path,
                found: Found::File,
                size
            }),
            content().prop_map(|variables| Event::Environment { variables }),
            (path(), content(), content()).prop_map(|(path, content, before)| Event::WriteBack {
                path,
                change: Change::Replaced,
                content: Some(content),
                before: Some(before.sha256),
                result: Written::Conflict
            }),
        ]
    }

    proptest! {
        #[test]
        fn bytes_round_trip(event in event()) {
            prop_assert_eq!(Event::parse(&event.to_bytes()), Ok(event));
        }
    }
}
