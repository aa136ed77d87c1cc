//! Disclosure: a bundle that shows single events of a recording, and of the others only that they
//! are there.
//!
//! ```json
//! {"disclosed": {"events": [{"index": 3, "event": "<the event's bytes, as a string>",
//!                            "salt": "<base64>", "path": ["<base64>", …]}]}}
//! ```
//!
//! It stands in the place of a bundle's `recording`. The attack is a reader who guesses what is
//! withheld: K, from which every salt follows, is never inside, and a path holds only hashes of
//! salted events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oacp_tlog::{Hash, root_from_inclusion};
use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, BundleError, Private};
use crate::digest::Digest;
use crate::event::{Event, EventError};
use crate::intoto::StatementError;
use crate::limits::DISCLOSED_PATH_MAX;
use crate::recording::{Recording, leaf};
use crate::statement::ExecutionStatement;

impl Bundle {
    /// The bundle with these events, by index, and the contents that they name, if those are here;
    /// without the others, the input, the output, the agent, and the language runtime. Envelopes
    /// and log proofs stay. Of what was disclosed before, less can be disclosed again.
    ///
    /// Event 0 holds the seed: who has it can compute what the guest drew at random.
    ///
    /// # Errors
    /// No event is asked for, or one that is not here; the events are not those that the statement
    /// commits to, or cannot be read.
    pub fn disclose(&self, events: &BTreeSet<u64>) -> Result<Self, DiscloseError> {
        let contents = self.private.get(&Private::Contents);
        self.disclose_with(events, &contents.into_iter().copied().collect())
    }

    /// As [`Bundle::disclose`], with just these kinds of the bundle's private content: any of
    /// contents (of the disclosed events), input, output and source.
    ///
    /// # Errors
    /// Those of [`Bundle::disclose`]; and a kind that the bundle does not hold, or that is the
    /// events.
    pub fn disclose_with(
        &self,
        events: &BTreeSet<u64>,
        kept: &BTreeSet<Private>,
    ) -> Result<Self, DiscloseError> {
        let statement = ExecutionStatement::parse(self.envelope.unverified_payload())
            .map_err(DiscloseError::Statement)?;
        for private in kept.iter().copied() {
            if matches!(private, Private::Events | Private::Disclosed) {
                return Err(DiscloseError::KeepsEvents);
            }
            if !self.private.contains(&private) {
                return Err(DiscloseError::NotHeld { private });
            }
        }
        let disclosed = self.disclosed_events(events, &statement)?;

        let mut private = BTreeSet::from([Private::Disclosed]);
        let mut named = BTreeSet::new();
        if kept.contains(&Private::Contents) {
            for (index, event) in &disclosed.0 {
                let index = *index;
                let event = Event::parse(&event.bytes)
                    .map_err(|source| DiscloseError::Event { index, source })?;
                named.extend(event.contents().map(|content| content.sha256));
            }
            if !named.is_empty() {
                private.insert(Private::Contents);
            }
        }
        for (kind, digest) in [
            (Private::Input, statement.input_hash),
            (Private::Output, statement.output_hash),
        ] {
            if kept.contains(&kind) {
                named.insert(digest);
                private.insert(kind);
            }
        }
        let mut source = None;
        if kept.contains(&Private::Source) {
            private.insert(Private::Source);
            match &self.source {
                Some(files) => named.extend(files.blobs().map(|(_, file)| file.digest())),
                None => drop(named.insert(statement.agent_hash)),
            }
            source.clone_from(&self.source);
        }
        let blobs = named.into_iter().map(|digest| {
            let blob = self.blobs.get(&digest);
            Ok((
                digest,
                Arc::clone(blob.ok_or(DiscloseError::Missing { digest })?),
            ))
        });
        let blobs = blobs.collect::<Result<_, _>>()?;
        Ok(Self {
            disclosed: Some(Arc::new(disclosed)),
            source,
            blobs,
            private,
            ..self.clone().redact()
        })
    }

    fn disclosed_events(
        &self,
        events: &BTreeSet<u64>,
        statement: &ExecutionStatement,
    ) -> Result<Disclosed, DiscloseError> {
        if events.is_empty() {
            return Err(DiscloseError::Nothing);
        }
        let disclosed = match (&self.recording, &self.disclosed) {
            (Some(recording), _) => {
                // Otherwise every path would lead elsewhere than the statement says.
                if statement.recording != Some(recording.summary()) {
                    return Err(DiscloseError::NotCommitted);
                }
                Disclosed::of(recording, events)
            }
            (None, Some(before)) => {
                let events = events
                    .iter()
                    .filter_map(|index| before.0.get_key_value(index));
                Disclosed(
                    events
                        .map(|(index, event)| (*index, event.clone()))
                        .collect(),
                )
            }
            (None, None) => return Err(DiscloseError::Withheld),
        };
        match events.iter().find(|index| !disclosed.0.contains_key(index)) {
            Some(index) => Err(DiscloseError::NoEvent { index: *index }),
            None => Ok(disclosed),
        }
    }
}

/// Events out of a recording, by index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Disclosed(BTreeMap<u64, DisclosedEvent>);

/// An event's bytes, and what shows that they are in the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DisclosedEvent {
    bytes: Vec<u8>,
    salt: [u8; 32],
    path: Vec<Hash>,
}

impl Disclosed {
    fn of(recording: &Recording, indexes: &BTreeSet<u64>) -> Self {
        let paths = recording.paths(indexes).into_iter();
        let events = paths.filter_map(|(index, path)| {
            let event = DisclosedEvent {
                bytes: recording.event(index)?.to_vec(),
                salt: recording.salt_key().salt(index),
                path,
            };
            Some((index, event))
        });
        Self(events.collect())
    }

    /// The salt of one event.
    pub(crate) fn salt(&self, index: u64) -> Option<&[u8; 32]> {
        self.0.get(&index).map(|event| &event.salt)
    }

    /// By index: the event's bytes, and the root that they lead to in a recording of `count`
    /// events; `None` if they can stand in none.
    pub(crate) fn roots(&self, count: u64) -> impl Iterator<Item = (u64, &[u8], Option<Digest>)> {
        self.0.iter().map(move |(index, event)| {
            let leaf = leaf(&event.salt, &event.bytes);
            let root = root_from_inclusion(*index, count, &leaf, &event.path).ok();
            let root = root.map(|root| Digest::from_bytes(*root.as_bytes()));
            (*index, event.bytes.as_slice(), root)
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DisclosedJson {
    pub(crate) events: Vec<DisclosedEventJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DisclosedEventJson {
    index: u64,
    event: String,
    salt: String,
    path: Vec<String>,
}

impl From<&Disclosed> for DisclosedJson {
    fn from(disclosed: &Disclosed) -> Self {
        let events = disclosed.0.iter().map(|(index, event)| DisclosedEventJson {
            index: *index,
            // Canonical JSON is UTF-8, and so is what was parsed from a string: nothing is lost.
            event: String::from_utf8_lossy(&event.bytes).into_owned(),
            salt: STANDARD.encode(event.salt),
            path: event.path.iter().map(ToString::to_string).collect(),
        });
        Self {
            events: events.collect(),
        }
    }
}

impl TryFrom<DisclosedJson> for Disclosed {
    type Error = BundleError;

    fn try_from(json: DisclosedJson) -> Result<Self, BundleError> {
        // Sorted and unique, so that one disclosure has one form; and a disclosure of nothing is a
        // redacted bundle.
        let rising = json.events.is_sorted_by(|a, b| a.index < b.index);
        if json.events.is_empty() || !rising {
            return Err(BundleError::DisclosedOrder);
        }
        let events = json.events.into_iter().map(|json| {
            if json.path.len() > DISCLOSED_PATH_MAX {
                return Err(BundleError::TooMany);
            }
            let salt = STANDARD.decode(json.salt).ok();
            let salt = salt.and_then(|salt| salt.try_into().ok());
            let path: Result<_, _> = json.path.iter().map(|hash| hash.parse()).collect();
            let event = DisclosedEvent {
                salt: salt.ok_or(BundleError::Base64)?,
                path: path.map_err(|_| BundleError::Base64)?,
                bytes: json.event.into_bytes(),
            };
            Ok((json.index, event))
        });
        Ok(Self(events.collect::<Result<_, _>>()?))
    }
}

/// Why events cannot be disclosed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscloseError {
    /// None was asked for. That is [`Bundle::redact`].
    #[error("no event is named")]
    Nothing,
    /// All of the events, or all that were disclosed before, were asked for beside the named ones.
    #[error("a disclosure keeps the named events and no others")]
    KeepsEvents,
    /// Asked to be kept, and not there.
    #[error("bundle does not hold the content that is to be kept: {private}")]
    NotHeld {
        /// What was asked for.
        private: Private,
    },
    /// The bundle was redacted, or the run not recorded.
    #[error("bundle holds no events: they are withheld, or were not recorded")]
    Withheld,
    /// The recording ends before it, or it was not disclosed before.
    #[error("bundle holds no event {index}")]
    NoEvent {
        /// Of the event.
        index: u64,
    },
    /// The bundle's statement is none.
    #[error("bundle's statement is refused")]
    Statement(#[source] StatementError),
    /// The bundle's recording is another run's.
    #[error("recording is not the one that the statement commits to")]
    NotCommitted,
    /// An event that cannot be read.
    #[error("event {index} is refused")]
    Event {
        /// Of the event.
        index: u64,
        /// Why.
        source: EventError,
    },
    /// A content that the bundle says it holds.
    #[error("content `{digest}` is missing")]
    Missing {
        /// Of the content.
        digest: Digest,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, Case, INPUT, OUTPUT};
    use crate::replay::ReplayVerdict;
    use crate::report::{Grade, Verdict};
    use crate::verified::Verified;
    use crate::verify::Expectation;
    use proptest::prelude::*;

    fn set(indexes: &[u64]) -> BTreeSet<u64> {
        indexes.iter().copied().collect()
    }

    fn verified(bundle: &Bundle) -> Verified {
        let trust = fixture::trust();
        let verified = bundle.verify(&trust, &Expectation::default(), fixture::now());
        verified.unwrap()
    }

    /// The bytes as a file can hold them: bare, in hex, in base64 at any offset, as a JSON string.
    fn occurs(file: &[u8], bytes: &[u8]) -> bool {
        let contains = |part: &[u8]| file.windows(part.len()).any(|window| window == part);
        let text = String::from_utf8_lossy(bytes);
        let quoted = serde_json::to_string(&text).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        // Without the characters at either end, which depend on what stands around them.
        let base64 = (0..3).any(|before| {
            let encoded = STANDARD.encode([vec![0; before], bytes.to_vec()].concat());
            contains(&encoded.as_bytes()[4..encoded.len() - 4])
        });
        base64
            || contains(bytes)
            || contains(hex.as_bytes())
            || contains(&quoted.as_bytes()[1..quoted.len() - 1])
    }

    proptest! {
        #[test]
        fn nothing_of_what_is_withheld_is_in_the_file(shown in prop::collection::btree_set(0..7_u64, 1..7)) {
            let case = Case::new();
            let whole = case.bundle().to_bytes();
            let bundle = case.bundle().disclose(&shown).unwrap();
            let file = bundle.to_bytes();
            prop_assert_eq!(&Bundle::parse(&file).unwrap(), &bundle);
            let verified = verified(&bundle);
            prop_assert!(verified.disclosed().unwrap().keys().eq(&shown));

            let key = fixture::salt_key();
            prop_assert!(occurs(&whole, key.as_bytes()) && !occurs(&file, key.as_bytes()));
            for (index, event) in (0..).zip(&case.events) {
                let is_shown = shown.contains(&index);
                prop_assert!(occurs(&whole, event));
                prop_assert_eq!(occurs(&file, event), is_shown, "event {}", index);
                prop_assert_eq!(occurs(&file, &key.salt(index)), is_shown, "salt {}", index);
                for content in Event::parse(event).unwrap().contents() {
                    let blob = &case.bundle().blobs[&content.sha256];
                    prop_assert_eq!(bundle.blobs.contains_key(&content.sha256), is_shown);
                    // `{}` occurs anywhere.
                    prop_assert!(is_shown || blob.len() < 8 || !occurs(&file, blob), "content of {}", index);
                }
            }
            for withheld in [INPUT, OUTPUT, b"def run(input): ...\n"] {
                prop_assert!(occurs(&whole, withheld) && !occurs(&file, withheld));
            }
            for range in verified.withheld() {
                prop_assert!(range.clone().all(|index| index < 7 && !shown.contains(&index)));
            }
        }
    }

    /// Event 4 of this run is one of two: whoever knows that, and has the disclosure of event 5
    /// beside it, has to find nothing there that tells the two apart.
    #[test]
    fn a_guessed_neighbour_is_not_confirmed() {
        let log = |message: &str| {
            Event::Log {
                level: crate::LogLevel::Info,
                message: message.to_owned(),
            }
            .to_bytes()
        };
        let mut case = Case::new();
        case.events[4..].clone_from_slice(&[log("yes"), log("shown"), log("yes")]);
        case.statement.tool_calls.clear();
        case.events[1] = log("no");
        case.events[2] = log("no");
        case.events[3] = log("no");
        case.settle();
        let recording = || {
            let events = case.events.iter().cloned();
            Recording::from_events(fixture::salt_key(), events)
        };
        let disclosed = case.bare().with_recording(recording());
        let disclosed = disclosed.disclose(&set(&[5])).unwrap().disclosed.unwrap();
        let DisclosedEvent { salt, path, .. } = &disclosed.0[&5];
        // The sibling of event 5 is the leaf of event 4, which says "yes" or "no".
        assert_eq!(path[0], leaf(&fixture::salt_key().salt(4), &log("yes")));
        for guess in ["yes", "no"] {
            let event = log(guess);
            for salt in [*salt, [0; 32], *path[1].as_bytes(), *path[2].as_bytes()] {
                assert_ne!(path[0], leaf(&salt, &event));
            }
            for bare in [
                Digest::of(&event),
                Digest::of(&[b"\0".as_slice(), &event].concat()),
            ] {
                assert_ne!(path[0].as_bytes(), bare.as_bytes());
            }
        }
        // Nor do two runs of the same events under different keys have a hash in common.
        let other = Recording::from_events(
            crate::SaltKey::from_bytes([8; 32]),
            case.events.iter().cloned(),
        );
        let [(_, other)] = other.paths(&set(&[5])).try_into().unwrap();
        assert!(other.iter().all(|hash| !path.contains(hash)));
    }

    #[test]
    fn what_was_disclosed_can_be_disclosed_in_part() {
        let bundle = Case::new().bundle();
        let some = bundle.disclose(&set(&[1, 3, 6])).unwrap();
        assert_eq!(
            some.disclose(&set(&[3, 6])).unwrap(),
            bundle.disclose(&set(&[3, 6])).unwrap()
        );
        assert_eq!(
            some.disclose(&set(&[2])),
            Err(DiscloseError::NoEvent { index: 2 })
        );
        assert_eq!(some.redact(), bundle.redact());
    }

    #[test]
    fn what_was_logged_stays_logged() {
        let bundle = fixture::FullCase::new().bundle();
        let some = bundle.disclose(&set(&[0, 5])).unwrap();
        let trust = fixture::log_trust();
        let verify = |bundle: &Bundle| {
            let verified = bundle.verify(&trust, &Expectation::default(), fixture::now());
            verified.unwrap()
        };
        let (some, whole) = (verify(&some), verify(&bundle));
        assert_eq!(some.statement(), whole.statement());
        let replay = ReplayVerdict::NotChecked {
            reason: String::new(),
        };
        let (some, whole) = (some.report(&replay), whole.report(&replay));
        assert_eq!(some.time_validity, whole.time_validity);
        assert_eq!(some.logged, whole.logged);
    }

    #[test]
    fn what_is_asked_for_is_kept_and_nothing_else() {
        let bundle = Case::new().bundle();
        let kept = |kept: &[Private]| {
            let kept = kept.iter().copied().collect();
            bundle.disclose_with(&set(&[1]), &kept)
        };
        let all = [
            Private::Contents,
            Private::Input,
            Private::Output,
            Private::Source,
        ];
        let checked = verified(&kept(&all).unwrap());
        assert_eq!(checked.input(), Some(INPUT));
        assert_eq!(checked.output(), Some(OUTPUT));
        assert!(checked.source().is_some() && checked.events().is_none());
        assert_eq!(checked.blobs.len(), 4);
        let none = kept(&[]).unwrap();
        assert!(none.blobs.is_empty());
        assert_eq!(none.private(), &[Private::Disclosed].into());
        let kept_events = bundle.disclose_with(&set(&[1]), &[Private::Events].into());
        assert_eq!(kept_events, Err(DiscloseError::KeepsEvents));
        let redacted = bundle
            .redact()
            .disclose_with(&set(&[1]), &[Private::Input].into());
        let private = Private::Input;
        assert_eq!(redacted, Err(DiscloseError::NotHeld { private }));
    }

    #[test]
    fn what_cannot_be_shown_to_be_true_is_not_disclosed() {
        let case = Case::new();
        let bundle = case.bundle();
        let nothing = bundle.disclose(&set(&[]));
        assert_eq!(nothing, Err(DiscloseError::Nothing));
        let beyond = bundle.disclose(&set(&[6, 7]));
        assert_eq!(beyond, Err(DiscloseError::NoEvent { index: 7 }));
        let redacted = bundle.redact().disclose(&set(&[1]));
        assert_eq!(redacted, Err(DiscloseError::Withheld));
        let mut other = Case::new();
        other.events.pop();
        let swapped = case.bare().with_recording(other.recording());
        let swapped = swapped.disclose(&set(&[1]));
        assert_eq!(swapped, Err(DiscloseError::NotCommitted));
        let mut bundle = case.bundle();
        bundle.blobs.clear();
        let missing = bundle.disclose(&set(&[1]));
        assert!(matches!(missing, Err(DiscloseError::Missing { .. })));
    }

    #[test]
    fn the_report_says_what_is_withheld_and_claims_no_completeness() {
        let report = |bundle: &Bundle| {
            verified(bundle).report(&ReplayVerdict::NotChecked {
                reason: "not asked for".to_owned(),
            })
        };
        let bundle = Case::new().bundle();
        let some = report(&bundle.disclose(&set(&[1, 6])).unwrap());
        let has = |text: &str| some.not_checked.iter().any(|line| line == text);
        assert!(
            has("events 0 and 2 to 5, of 7: withheld"),
            "{:?}",
            some.not_checked
        );
        let Verdict::NotChecked { reason } = &some.execution_proof else {
            panic!("what is not there cannot be run again")
        };
        assert!(reason.contains("not the recording"), "{reason}");
        assert_eq!(some.questions[2].grade, Grade::Assertion);
        assert_eq!(some.questions[3].grade, Grade::NoInformation);

        let checked = verified(&bundle.disclose(&set(&[0, 2, 3])).unwrap());
        assert_eq!(checked.withheld(), [1..=1, 4..=6]);
        assert!(checked.recording().is_none() && checked.events().is_none());
        assert_eq!(verified(&bundle).withheld(), []);
        assert_eq!(verified(&bundle.clone().redact()).withheld(), [0..=6]);
        let all = bundle.disclose(&(0..7).collect()).unwrap();
        assert_eq!(verified(&all).withheld(), []);
        assert!(
            !report(&all)
                .not_checked
                .iter()
                .any(|line| line.contains("events"))
        );
    }

    #[test]
    fn a_report_stays_short() {
        let mut case = Case::new();
        let log = Event::Log {
            level: crate::LogLevel::Info,
            message: String::new(),
        };
        case.events
            .extend(std::iter::repeat_n(log.to_bytes(), 1000));
        case.settle();
        let odd = (0..1000).filter(|index| index % 2 == 1).collect();
        let bundle = case.bundle().disclose(&odd).unwrap();
        let report = verified(&bundle).report(&ReplayVerdict::NotChecked {
            reason: String::new(),
        });
        let line = report
            .not_checked
            .iter()
            .find(|line| line.starts_with("events 0, 2, 4, "))
            .unwrap();
        assert!(
            line.ends_with(", 126 and 437 more ranges, of 1007: withheld"),
            "{line}"
        );
    }
}
