//! Pruning: payloads whose time is over go, a whole segment at a time, but for what is on hold.
//!
//! A segment is removed after its tombstone is durable, and its rows in the index are emptied last; whatever is interrupted is done again by
//! the next pruning. Holds cannot change meanwhile.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use oacp::digest::Digest;
use oacp::entry::{Entry, Facts};
use oacp::id::{ExecutionId, SandboxId};
use oacp::leaf::LeafKind;
use oacp::outcome::Outcome;
use oacp::time::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Log, ReadError, Shared, chain};
use crate::limits::{HOLD_NAME_BYTES_MAX, HOLDS_MAX};
use crate::retention::Tombstone;
use crate::segment::{self, Record, SegmentNumber};
use crate::sequencer::segments;
use crate::state_file::{StateFile, StateFileError};

pub(crate) const HOLDS: &str = "holds.json";

/// What keeps payloads beyond their time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Its name: 1 to [`HOLD_NAME_BYTES_MAX`] bytes.
    pub name: String,
    /// When it was laid.
    pub since: Timestamp,
    /// What it is on.
    #[serde(flatten)]
    pub on: HeldEntries,
}

/// Which entries are on hold: those that everything given fits. Nothing given: all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeldEntries {
    /// The statement and the begin of this execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionId>,
    /// Entries of this sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxId>,
    /// Of this agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<Digest>,
    /// Executions that called a tool of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Executions that ended so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Executions that this principal asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The first point in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl HeldEntries {
    fn fits(&self, facts: &Facts) -> bool {
        let is_of_an_execution = matches!(facts.kind, LeafKind::Execution | LeafKind::Begin);
        let fits_execution = self
            .execution
            .is_none_or(|id| is_of_an_execution && *id.as_bytes() == facts.id);
        let fits_tool = self
            .tool
            .as_ref()
            .is_none_or(|tool| facts.tools.iter().any(|(name, _)| name == tool));
        let fits_principal = self
            .principal
            .as_ref()
            .is_none_or(|principal| facts.principal.as_ref() == Some(principal));
        fits_execution
            && fits_tool
            && fits_principal
            && (self.sandbox.is_none() || self.sandbox == facts.sandbox)
            && (self.agent.is_none() || self.agent == facts.agent)
            && (self.outcome.is_none() || self.outcome == facts.outcome)
            && self
                .from
                .is_none_or(|from| facts.time.is_none_or(|time| time >= from))
            && self
                .until
                .is_none_or(|until| facts.time.is_none_or(|time| time <= until))
    }
}

/// Whether anything is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pruning {
    /// Payloads go.
    Done,
    /// It is only said what would go.
    Told,
}

/// A segment that goes, or would.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PrunedSegment {
    /// Its number.
    pub segment: SegmentNumber,
    /// Its first entry.
    pub first: u64,
    /// One past its last entry.
    pub end: u64,
    /// How many payloads it has: of one that was pruned before, those that were on hold.
    pub entries: u64,
    /// Payloads that stay, because they are on hold.
    pub held: u64,
    /// Its bytes.
    pub bytes: u64,
    /// When its last entry was appended; of one that was pruned before, when the last that was on hold was signed.
    pub last: Timestamp,
}

/// Why payloads could not be pruned, or holds not be changed. What was pruned before it stays pruned.
#[derive(Debug, Error)]
pub enum PruneError {
    /// Something cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The list of holds.
    #[error("the log's holds cannot be used; nothing is pruned without them")]
    Holds(#[source] HoldsError),
    /// Something cannot be written.
    #[error("cannot write {what}: {reason}")]
    Write {
        /// What.
        what: String,
        /// Why.
        reason: String,
    },
    /// There is no hold of this name.
    #[error("there is no hold `{0}`")]
    NoSuchHold(String),
    /// There is one already.
    #[error("there is a hold `{0}` already")]
    HoldExists(String),
    /// A name that is empty or too long, or too many.
    #[error(
        "a hold's name has 1 to {HOLD_NAME_BYTES_MAX} bytes, and there are at most {HOLDS_MAX} holds"
    )]
    HoldName,
}

/// What is wrong with the list of holds.
#[derive(Debug, Error)]
pub enum HoldsError {
    /// The file.
    #[error(transparent)]
    File(#[from] StateFileError),
    /// What is in it.
    #[error("`{}` is not a list of holds", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
}

impl From<HoldsError> for PruneError {
    fn from(error: HoldsError) -> Self {
        Self::Holds(error)
    }
}

impl From<StateFileError> for PruneError {
    fn from(error: StateFileError) -> Self {
        Self::Holds(error.into())
    }
}

impl Log {
    /// What is on hold.
    ///
    /// # Errors
    /// [`PruneError::Holds`].
    pub fn holds(&self) -> Result<Vec<Hold>, PruneError> {
        Ok(read_holds(&self.shared.holds_file())?)
    }

    /// Lays a hold. What was pruned before does not come back.
    ///
    /// # Errors
    /// [`PruneError`].
    pub fn hold(&self, name: &str, on: HeldEntries) -> Result<(), PruneError> {
        let since = (self.shared.options.clock)();
        let name = name.to_owned();
        self.shared.change_holds(|holds| {
            if holds.iter().any(|hold| hold.name == name) {
                return Err(PruneError::HoldExists(name));
            }
            let is_name = (1..=HOLD_NAME_BYTES_MAX).contains(&name.len());
            if !is_name || holds.len() >= HOLDS_MAX {
                return Err(PruneError::HoldName);
            }
            holds.push(Hold { name, since, on });
            Ok(())
        })
    }

    /// Takes a hold off.
    ///
    /// # Errors
    /// [`PruneError`].
    pub fn release(&self, name: &str) -> Result<(), PruneError> {
        self.shared.change_holds(|holds| {
            let before = holds.len();
            holds.retain(|hold| hold.name != name);
            if holds.len() == before {
                return Err(PruneError::NoSuchHold(name.to_owned()));
            }
            Ok(())
        })
    }

    /// Removes the payloads of segments whose last entry was appended before `before`, but for what is on hold. What remains: every leaf,
    /// every proof, ids, and the index's knowledge that there was something.
    ///
    /// # Errors
    /// [`PruneError`].
    pub fn prune(&self, before: Timestamp, how: Pruning) -> Result<Vec<PrunedSegment>, PruneError> {
        let shared = &self.shared;
        let file = shared.holds_file();
        let _holds_stay = file.lock()?;
        let holds = read_holds(&file)?;
        shared.follow();
        if how == Pruning::Done {
            shared.settled()?;
            // Another process finds rows of what is gone in the index, and nowhere else.
            shared.index_now()?;
        }
        let (mut durable, newest) = {
            let sequencer = shared.sequencer();
            (sequencer.durable_size(), sequencer.newest_segment())
        };
        let mut gone = Vec::new();
        let numbers = segments(&*shared.storage).map_err(|source| ReadError::Io {
            what: "the list of segments".to_owned(),
            source,
        })?;
        for number in numbers {
            let Some(mut segment) = shared.payloads_of(number, before)? else {
                continue;
            };
            if how == Pruning::Done
                && number == newest
                && segment.state != State::Pruned
                && segment.last < before
            {
                // First, so that nothing comes into it after it was read.
                let ended = shared.sequencer().end_segment(number);
                ended.map_err(|error| write(&segment::name(number), chain(&error)))?;
                durable = durable.max(shared.sequencer().durable_size());
                let Some(read) = shared.payloads_of(number, before)? else {
                    continue;
                };
                segment = read;
            }
            let is_settled = how == Pruning::Told || segment.end() <= durable;
            let is_over = segment.last < before && is_settled;
            if segment.state == State::Whole && !is_over {
                continue;
            }
            let held = shared.held_of(&segment, &holds)?;
            if segment.state == State::Pruned && held.len() == segment.records.len() {
                continue;
            }
            gone.push(PrunedSegment {
                segment: number,
                first: segment.first,
                end: segment.end(),
                entries: segment.records.len() as u64,
                held: held.len() as u64,
                bytes: segment.bytes,
                last: segment.last,
            });
            if how == Pruning::Done {
                shared.remove(number, &segment, &held)?;
            }
        }
        Ok(gone)
    }
}

/// A segment, or what was kept of it.
struct Payloads {
    first: u64,
    ids: Vec<[u8; 16]>,
    records: Vec<Record>,
    last: Timestamp,
    bytes: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    /// Its tombstone is there, and so is it: a pruning was cut off.
    Half,
    /// Payloads are left that were on hold.
    Pruned,
}

impl Payloads {
    fn end(&self) -> u64 {
        self.first + self.ids.len() as u64
    }

    /// What a tombstone keeps.
    fn kept(tombstone: Tombstone) -> Self {
        let records: Vec<_> = tombstone
            .all_held()
            .iter()
            .map(|(_, record)| record.clone())
            .collect();
        let times = records.iter().filter_map(|record| {
            let entry = Entry::parse_unverified(&record.payload).ok()?;
            entry.facts().time
        });
        Self {
            first: tombstone.first,
            last: times.max().unwrap_or(Timestamp::from_unix_ms(0)),
            bytes: records
                .iter()
                .map(|record| record.payload.len() as u64)
                .sum(),
            ids: tombstone.ids,
            records,
            state: State::Pruned,
        }
    }
}

impl Shared {
    fn holds_file(&self) -> StateFile {
        StateFile::new(&self.dir.join(HOLDS))
    }

    fn change_holds(
        &self,
        change: impl FnOnce(&mut Vec<Hold>) -> Result<(), PruneError>,
    ) -> Result<(), PruneError> {
        let file = self.holds_file();
        let _locked = file.lock()?;
        let mut holds = read_holds(&file)?;
        change(&mut holds)?;
        let bytes = serde_json::to_vec(&holds).map_err(|source| HoldsError::Malformed {
            path: file.path().to_owned(),
            source,
        })?;
        Ok(file.replace(&bytes)?)
    }

    fn settled(&self) -> Result<(), PruneError> {
        let settled = self.sequencer().settle();
        settled.map_err(|error| write("the tiles", chain(&error)))
    }

    fn synchronised(&self, name: &str) -> Result<(), PruneError> {
        let done = self.sequencer().synchronise();
        done.map_err(|error| write(name, chain(&error)))
    }

    /// What a segment holds. `None`: it was pruned and nothing of it is kept, or it was begun after `before`.
    fn payloads_of(
        &self,
        number: SegmentNumber,
        before: Timestamp,
    ) -> Result<Option<Payloads>, ReadError> {
        let name = segment::name(number);
        let io = |source| ReadError::Io {
            what: format!("`{name}`"),
            source,
        };
        let tombstone = Tombstone::read(&*self.storage, number).map_err(io)?;
        let Some(bytes) = self.storage.len(&name).map_err(io)? else {
            let kept = tombstone.filter(|tombstone| !tombstone.all_held().is_empty());
            return Ok(kept.map(Payloads::kept));
        };
        // Whoever asks often, and mostly in vain, reads one header.
        let began = segment::read_header(&*self.storage, number, 0)?.time_ms;
        if began >= before.unix_ms() && tombstone.is_none() {
            return Ok(None);
        }
        let (mut offset, mut records, mut first, mut last) = (0, Vec::new(), None, i64::MIN);
        while offset < bytes {
            let batch = segment::read_batch(&*self.storage, number, offset)?;
            first.get_or_insert(batch.header.first);
            last = last.max(batch.header.time_ms);
            offset = batch.end;
            records.extend(batch.records.into_iter().map(|(_, record)| record));
        }
        let Some(first) = first else { return Ok(None) };
        Ok(Some(Payloads {
            first,
            ids: records.iter().map(|record| record.id).collect(),
            records,
            last: Timestamp::from_unix_ms(last),
            bytes,
            state: if tombstone.is_some() {
                State::Half
            } else {
                State::Whole
            },
        }))
    }

    /// The records of a segment that are on hold.
    fn held_of<'s>(
        &self,
        segment: &'s Payloads,
        holds: &[Hold],
    ) -> Result<Vec<&'s Record>, ReadError> {
        if holds.is_empty() {
            return Ok(Vec::new());
        }
        // By what the payloads themselves say: the index may have rotted, and what goes does not come back.
        let mut held = BTreeSet::new();
        for record in &segment.records {
            let entry = Entry::parse_unverified(&record.payload).map_err(|_| {
                ReadError::damaged(format!("the payload of entry {}", record.index))
            })?;
            if holds.iter().any(|hold| hold.on.fits(entry.facts())) {
                held.insert(record.index);
            }
        }
        // A statement without its delegation would be a claim by nobody.
        let records = segment
            .records
            .iter()
            .filter(|record| held.contains(&record.index) || is_delegation(record));
        Ok(records.collect())
    }

    fn remove(
        &self,
        number: SegmentNumber,
        segment: &Payloads,
        held: &[&Record],
    ) -> Result<(), PruneError> {
        let held: Vec<Record> = held.iter().copied().cloned().collect();
        let (bytes, places) = Tombstone::encode(number, segment.first, &segment.ids, &held);
        let name = segment::pruned_name(number);
        let at = |name: &str| {
            let name = name.to_owned();
            move |error: io::Error| write(&name, error.to_string())
        };
        self.storage.put(&name, &bytes).map_err(at(&name))?;
        self.synchronised(&name)?;
        let gone = segment::name(number);
        self.storage.delete(&gone).map_err(at(&gone))?;
        self.synchronised(&gone)?;
        self.index
            .prune(number, &places)
            .map_err(|error| write("the index", chain(&error)))?;
        Ok(())
    }
}

fn is_delegation(record: &Record) -> bool {
    oacp::leaf::Leaf::parse(&record.leaf).is_ok_and(|leaf| leaf.kind == LeafKind::Delegation)
}

fn read_holds(file: &StateFile) -> Result<Vec<Hold>, HoldsError> {
    let Some(bytes) = file.read()? else {
        return Ok(Vec::new());
    };
    serde_json::from_slice(&bytes).map_err(|source| HoldsError::Malformed {
        path: file.path().to_owned(),
        source,
    })
}

fn write(what: &str, reason: String) -> PruneError {
    PruneError::Write {
        what: what.to_owned(),
        reason,
    }
}
