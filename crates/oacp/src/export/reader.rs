//! Reads an export, a line at a time, in bounded memory.

use oacp_tlog::{CompactRange, Hash, SignedCheckpoint, leaf_hash};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::begins::Begins;
use super::error::ExportError;
use super::known::Known;
use super::report::{ExportReport, Findings, Signatures, WrongEntry};
use super::sequences::{Numbered, Sequences};
use super::verdict::not_checked;
use super::{EXPORT_V1, EndJson, EntryJson, HeaderJson};
use crate::digest::Digest;
use crate::entry::{Entry, EntryError, Facts};
use crate::envelope::Envelope;
use crate::id::LogOrigin;
use crate::intoto::StatementError;
use crate::json::{AdmitErrorKind, from_slice};
use crate::leaf::{Leaf, LeafKind};
use crate::limits::EXPORT_LINE;
use crate::outcome::Outcome;
use crate::report::Verdict;
use crate::time::Timestamp;
use crate::trust::Trust;

/// Reads an export. It holds the right edge of the tree, and what it knows of keys; never an entry.
///
/// After the last line, [`ExportReader::finish`] says what the export shows. Before, nothing does.
pub struct ExportReader<'t> {
    trust: &'t Trust,
    lines: u64,
    state: State<'t>,
}

enum State<'t> {
    Header,
    Entries(Box<Reading<'t>>),
    End(Box<Reading<'t>>),
    Refused,
}

impl<'t> ExportReader<'t> {
    /// A reader by whom these nodes, and the logs of this policy, are trusted.
    pub fn new(trust: &'t Trust) -> Self {
        Self {
            trust,
            lines: 0,
            state: State::Header,
        }
    }

    /// The next line, with its line feed or without. After a refusal there is no going on.
    ///
    /// # Errors
    /// The first thing that is wrong with the file. What is wrong with what the log holds is in the
    /// report.
    pub fn line(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.lines += 1;
        let line = Line {
            number: self.lines,
            bytes,
        };
        let state = std::mem::replace(&mut self.state, State::Refused);
        self.state = match state {
            State::Header => State::Entries(Box::new(Reading::begin(line, self.trust)?)),
            State::Entries(mut reading) if reading.range.size() < reading.to => {
                reading.entry(line)?;
                State::Entries(reading)
            }
            State::Entries(mut reading) => {
                reading.end(line, self.trust)?;
                State::End(reading)
            }
            State::End(_) => return Err(ExportError::AfterEnd { line: line.number }),
            State::Refused => return Err(ExportError::Refused),
        };
        Ok(())
    }

    /// What the export shows.
    ///
    /// # Errors
    /// It is cut off, or a line was refused.
    pub fn finish(self) -> Result<ExportReport, ExportError> {
        match self.state {
            State::End(reading) => Ok(reading.finish()),
            State::Refused => Err(ExportError::Refused),
            State::Header | State::Entries(_) => Err(ExportError::Truncated { lines: self.lines }),
        }
    }
}

struct Line<'a> {
    /// From 1.
    number: u64,
    bytes: &'a [u8],
}

impl Line<'_> {
    fn read<T: DeserializeOwned>(&self) -> Result<T, ExportError> {
        from_slice(self.bytes, EXPORT_LINE).map_err(|source| ExportError::Line {
            line: self.number,
            source,
        })
    }

    fn checkpoint(&self, text: &str) -> Result<SignedCheckpoint, ExportError> {
        SignedCheckpoint::parse(text.as_bytes()).map_err(|source| ExportError::Checkpoint {
            line: self.number,
            source,
        })
    }
}

/// Between the first line and the last.
struct Reading<'t> {
    to: u64,
    /// The tree up to the next entry.
    range: CompactRange,
    known: Known<'t>,
    sequences: Sequences,
    begins: Begins,
    /// Whether the log signed the checkpoint of the first line. `None`: it has none.
    since: Option<bool>,
    report: ExportReport,
}

impl<'t> Reading<'t> {
    fn begin(line: Line<'_>, trust: &'t Trust) -> Result<Self, ExportError> {
        let header: HeaderJson = match line.read() {
            // A later version has fields that this one refuses: better to say that it is later.
            Err(ExportError::Line { source, .. })
                if matches!(source.kind, AdmitErrorKind::Shape(_)) && is_other_type(line.bytes) =>
            {
                return Err(ExportError::Version);
            }
            read => read?,
        };
        if header.kind != EXPORT_V1 {
            return Err(ExportError::Version);
        }
        let (from, to) = (header.from, header.to);
        if from > to {
            return Err(ExportError::Range { from, to });
        }
        let nodes: Result<Vec<Hash>, _> = header.frontier.iter().map(|hash| hash.parse()).collect();
        let range = nodes
            .ok()
            .and_then(|nodes| CompactRange::from_nodes(from, nodes).ok())
            .ok_or(ExportError::Frontier { from })?;
        let origin = header.origin;
        let since = match header.checkpoint {
            Some(text) => {
                let since = line.checkpoint(&text)?;
                check_place(&since, &origin, from)?;
                if since.root() != range.root() {
                    return Err(ExportError::Root { size: from });
                }
                let policy = trust.log_policy();
                Some(policy.is_some_and(|policy| policy.check(&since).is_ok()))
            }
            None => None,
        };
        Ok(Self {
            to,
            range,
            known: Known::new(trust, origin.clone()),
            sequences: Sequences::default(),
            begins: Begins::default(),
            since,
            report: ExportReport {
                origin,
                from,
                to,
                root: String::new(),
                complete: not_checked(""),
                published: not_checked(""),
                signed: not_checked(""),
                chained: not_checked(""),
                payloads: 0,
                redacted: 0,
                pruned: 0,
                signatures: Signatures::default(),
                keys: 0,
                contradictions: Findings::default(),
                missing: Findings::default(),
                untold: Findings::default(),
                unfinished: Findings::default(),
                not_checked: Vec::new(),
            },
        })
    }

    fn entry(&mut self, line: Line<'_>) -> Result<(), ExportError> {
        let json: EntryJson = line.read()?;
        let index = self.range.size();
        if json.index != index {
            return Err(ExportError::Index {
                line: line.number,
                found: json.index,
                expected: index,
            });
        }
        let leaf = Leaf::parse(json.leaf.as_bytes())
            .map_err(|source| ExportError::Leaf { index, source })?;
        let facts = match (json.envelope, json.withheld) {
            (Some(envelope), None) => {
                let envelope = Envelope::try_from(envelope)
                    .map_err(|source| ExportError::Envelope { index, source })?;
                if Leaf::of(leaf.kind, &envelope, leaf.sequence) != leaf {
                    return Err(ExportError::OtherEnvelope { index });
                }
                self.report.payloads += 1;
                self.judge(index, &leaf, envelope)
            }
            (None, Some(withheld)) => {
                self.report.count_withheld(withheld);
                None
            }
            _ => return Err(ExportError::Payload { index }),
        };
        self.follow(index, &leaf, facts.as_ref());
        self.range.push(leaf_hash(json.leaf.as_bytes()));
        Ok(())
    }

    /// Judges an envelope as a log has to. What it says, as far as it can be read.
    fn judge(&mut self, index: u64, leaf: &Leaf, envelope: Envelope) -> Option<Said> {
        self.known.at(index);
        let payload_bytes = envelope.unverified_payload().len();
        let previous = previous(&envelope);
        let judged = Entry::verify(envelope.clone(), &self.known, Some(&self.report.origin));
        let signatures = &mut self.report.signatures;
        let mut refuse = |code: &str, reason: String| {
            signatures.wrong.push(WrongEntry {
                index,
                code: code.to_owned(),
                reason,
            });
        };
        let (entry, is_verified) = match judged {
            Ok(entry) => (entry, true),
            Err(EntryError::UnknownKey { .. }) => {
                // By whom it is, is not known; what it says can still be read.
                match Entry::parse_unverified(&envelope.to_json()) {
                    Ok(entry) => (entry, false),
                    Err(error) if is_unreadable(&error) => {
                        signatures.unreadable += 1;
                        return None;
                    }
                    Err(error) => {
                        refuse(error.code(), chain(&error));
                        return None;
                    }
                }
            }
            Err(error) if is_unreadable(&error) => {
                signatures.unreadable += 1;
                return None;
            }
            Err(error) => {
                refuse(error.code(), chain(&error));
                return None;
            }
        };
        let (_, found, facts) = entry.into_parts();
        if found != *leaf {
            refuse(
                "leaf_mismatch",
                "the leaf has another kind or sequence than its envelope".to_owned(),
            );
            return None;
        }
        let is_trusted = is_verified
            && facts
                .time
                .is_none_or(|time| self.known.is_trusted_at(leaf.key_id, time));
        if !is_trusted {
            signatures.unknown_key += 1;
        } else {
            signatures.verified += 1;
            if let Some(delegation) = &facts.delegation {
                let delegation = delegation.clone();
                self.known.delegate(leaf.key_id, delegation, payload_bytes);
            }
        }
        Some(Said { facts, previous })
    }

    /// Puts an entry in relation to the others.
    fn follow(&mut self, index: u64, leaf: &Leaf, said: Option<&Said>) {
        let key_id = leaf.key_id;
        // Who delegates is a node; but no sandbox that a trusted node delegated to becomes one by
        // it.
        let delegates = leaf.kind == LeafKind::Delegation && !self.known.is_sandbox(key_id);
        if delegates || self.known.is_node(key_id) {
            self.sequences.is_node(key_id);
        }
        if let Some(delegation) = said.and_then(|said| said.facts.delegation.as_ref()) {
            self.sequences.delegate(delegation.key.id(), leaf.pae);
        }
        // What a crash cut off is a node's to state, and this may be a node that is not known here.
        let may_be_node = said.is_some_and(|said| said.facts.outcome == Some(Outcome::Interrupted))
            && !self.known.is_sandbox(key_id);
        match leaf.sequence {
            Some(_) if may_be_node => self.sequences.add_by_node(),
            Some(sequence) => self.sequences.add(&Numbered {
                index,
                key_id,
                sequence,
                pae: leaf.pae,
                previous: said.and_then(|said| said.previous),
                is_close: leaf.kind == LeafKind::Close,
            }),
            None => {}
        }
        match said {
            Some(said) => self.begins.follow(index, &said.facts),
            None => self.begins.withheld(leaf.kind),
        }
    }

    fn end(&mut self, line: Line<'_>, trust: &Trust) -> Result<(), ExportError> {
        let end: EndJson = line.read()?;
        let until = line.checkpoint(&end.checkpoint)?;
        check_place(&until, &self.report.origin, self.to)?;
        if until.root() != self.range.root() {
            return Err(ExportError::Root { size: self.to });
        }
        self.report.root = until.root().to_string();
        self.report.published = match trust.log_policy() {
            Some(policy) => {
                let witnessed = policy.check(&until).map_err(ExportError::Policy)?;
                let mut detail = format!("log `{}` signed the checkpoint", self.report.origin);
                if !witnessed.witnesses.is_empty() {
                    detail += &format!(", cosigned by {}", witnessed.witnesses.join(", "));
                }
                if let Some(time) = witnessed.time_s.and_then(time_of) {
                    detail += &format!(", at {time} at the latest");
                }
                Verdict::Pass { detail }
            }
            None => not_checked(
                "no log policy: whether the log signed the checkpoint, and shows everybody the same, is not known",
            ),
        };
        Ok(())
    }

    fn finish(self) -> ExportReport {
        let mut report = self.report;
        report.conclude(self.sequences.finish(), self.begins.finish(), self.since);
        report
    }
}

/// What an envelope says.
struct Said {
    facts: Facts,
    previous: Option<Digest>,
}

/// A checkpoint is of this log, and of so many entries.
fn check_place(
    checkpoint: &SignedCheckpoint,
    origin: &LogOrigin,
    size: u64,
) -> Result<(), ExportError> {
    if checkpoint.origin() != origin.as_str() {
        return Err(ExportError::Origin {
            found: checkpoint.origin().to_owned(),
            expected: origin.clone(),
        });
    }
    if checkpoint.size() != size {
        return Err(ExportError::Size {
            found: checkpoint.size(),
            expected: size,
        });
    }
    Ok(())
}

fn time_of(unix_s: u64) -> Option<Timestamp> {
    let unix_ms = i64::try_from(unix_s).ok()?.checked_mul(1000)?;
    Some(Timestamp::from_unix_ms(unix_ms))
}

/// A type or version that this one does not read is not wrong.
fn is_unreadable(error: &EntryError) -> bool {
    matches!(
        error,
        EntryError::PayloadType
            | EntryError::Statement(StatementError::Version | StatementError::Critical(_))
    )
}

/// What the statement names as the one before it. The payload is admitted elsewhere.
fn previous(envelope: &Envelope) -> Option<Digest> {
    #[derive(Deserialize)]
    struct Statement {
        predicate: Predicate,
    }
    #[derive(Deserialize)]
    struct Predicate {
        previous: Digest,
    }
    let statement = serde_json::from_slice::<Statement>(envelope.unverified_payload()).ok()?;
    Some(statement.predicate.previous)
}

/// An error and what caused it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

fn is_other_type(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Kind {
        #[serde(rename = "type")]
        kind: String,
    }
    serde_json::from_slice::<Kind>(bytes).is_ok_and(|json| json.kind != EXPORT_V1)
}
