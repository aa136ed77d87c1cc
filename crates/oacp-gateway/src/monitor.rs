//! A monitor: it follows a log by its URL, reads every entry, and says what it sees.
//!
//! The attack is a log that is believed because nobody looks. A monitor remembers what it has seen over restarts, durably, so that a
//! log which shows another history later, or fewer entries, is caught with its own signatures. It reads entries, not only hashes: every
//! one of them is hashed, and the hashes add up to the signed root, or nothing of them is reported.
//!
//! In its directory are `seen` (a state file: the newest checkpoint, and how far the entries were read), `leaves` and evidence.

mod leaves;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oacp::digest::Digest;
use oacp::key::KeyId;
use oacp::leaf::{Leaf, LeafError};
use oacp_registry::{Clock, StateFile, StateFileError};
use oacp_tlog::checkpoint::SignedCheckpoint;
use oacp_tlog::hash::{Hash, leaf_hash};
use oacp_tlog::tree::CompactRange;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::leaves::Leaves;
pub use self::leaves::{Duplicate, Unended};
use crate::following::{FollowError, Shown, Trusted, compare, is_beginning};
use crate::occupied::{Occupied, OccupyError};
use crate::remote::{Remote, RemoteError};

/// Entries that are read, verified and remembered in one step.
const STEP_ENTRIES_MAX: u64 = 16_384;

/// What a monitor watches, and for what.
pub struct MonitorOptions {
    /// The log.
    pub log: Remote,
    /// Whose checkpoints are taken.
    pub trusted: Trusted,
    /// What it remembers. One monitor uses it at a time.
    pub dir: PathBuf,
    /// Keys whose leaves the operator knows all of.
    pub expected: Vec<Expected>,
    /// The time, to say how old a checkpoint is.
    pub clock: Clock,
}

/// The leaves that there should be of one key: any other is by somebody else who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The key, of a node or a sandbox.
    pub key: KeyId,
    /// SHA-256 of the PAE of each envelope that it signed, and that should be in the log.
    pub known: BTreeSet<Digest>,
}

/// What a monitor sees. Everything in it is under a checkpoint that the log signed. After a crash some of it is told again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// A leaf that is new.
    Leaf {
        /// Its index.
        index: u64,
        /// The leaf.
        leaf: Leaf,
    },
    /// An entry that is no leaf of OACP's.
    NotALeaf {
        /// Its index.
        index: u64,
        /// Why not.
        error: LeafError,
    },
    /// Two leaves with one key and one sequence: the key's holder signed two statements in one place, or two hold the key.
    Duplicate(Duplicate),
    /// A key that signs no more, and has left executions begun.
    Unended(Unended),
    /// A leaf by a key whose leaves are all known, and this is none of them.
    Unexpected {
        /// Its index.
        index: u64,
        /// The leaf.
        leaf: Leaf,
    },
}

/// What one look at a log brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// What the log shows.
    pub shown: Shown,
    /// Entries that were read before.
    pub from: u64,
    /// Entries that are read now: all that the checkpoint covers.
    pub to: u64,
    /// How old the checkpoint is by its witnesses' word, in seconds. `None`: no policy was given, or it is not met, or says no time.
    pub age_s: Option<u64>,
    /// Indexes of begins that no execution by their key followed: it has not ended, or was not stated. A leaf does not say which execution
    /// it is of. So there may be more: one that was stated without a begin counts as the end of the last.
    pub begun: Vec<u64>,
    /// Commitments that were expected and are not in the log.
    pub missing: Vec<(KeyId, Digest)>,
}

/// Why a monitor cannot go on. [`FollowError::Misbehaves`] is what it is there for.
#[derive(Debug, Error)]
pub enum MonitorError {
    /// What the log shows is not taken.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The entries that the log serves are not those that it signed.
    #[error(
        "entries {from} to {to} of `{origin}` do not add up to the root that it signed: what it serves is damaged or forged"
    )]
    Entries {
        /// The log.
        origin: String,
        /// The first that were read together.
        from: u64,
        /// One past the last.
        to: u64,
    },
    /// Another process monitors with this directory.
    #[error("`{}` is in use by another monitor", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// What it remembers is damaged, or cannot be written. With another directory it would begin anew, and have forgotten what it saw.
    #[error(transparent)]
    State(#[from] StateFileError),
    /// What it remembers cannot be read or written.
    #[error("`{}` cannot be used", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl MonitorError {
    /// Whether it may be otherwise in a while, without anybody changing anything here.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Follow(error) if error.is_transient())
    }
}

impl From<RemoteError> for MonitorError {
    fn from(error: RemoteError) -> Self {
        Self::Follow(error.into())
    }
}

/// A monitor of one log.
pub struct Monitor {
    options: MonitorOptions,
    file: StateFile,
    state: State,
    leaves: Leaves,
    _occupied: Occupied,
}

/// What is remembered.
#[derive(Clone)]
struct State {
    /// The newest checkpoint.
    seen: Option<SignedCheckpoint>,
    /// The entries that were read: no more than the checkpoint covers.
    read: CompactRange,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    checkpoint: Option<String>,
    read: u64,
    frontier: Vec<String>,
    leaves: String,
}

impl Monitor {
    /// Opens what is remembered, and makes the directory if there is none.
    ///
    /// # Errors
    /// [`MonitorError`]: it is damaged, or in use.
    pub fn open(options: MonitorOptions) -> Result<Self, MonitorError> {
        let dir = &options.dir;
        let file = StateFile::in_directory(dir, "seen")?;
        let occupied = occupy(dir)?;
        let (state, leaves) = load(&file, dir)?;
        Ok(Self {
            options,
            file,
            state,
            leaves,
            _occupied: occupied,
        })
    }

    /// The newest checkpoint that it has seen.
    pub fn seen(&self) -> Option<&SignedCheckpoint> {
        self.state.seen.as_ref()
    }

    /// Looks once: fetches the checkpoint, compares it with the one before, and reads the entries that are new. What it tells `report`
    /// is verified, and not yet remembered.
    ///
    /// # Errors
    /// [`MonitorError`]. What was verified before is remembered.
    pub async fn look(
        &mut self,
        report: &mut (dyn FnMut(Sight) + Send),
    ) -> Result<Look, MonitorError> {
        if self.leaves.count() != self.state.read.size() {
            // A look before this one ended between two files.
            (self.state, self.leaves) = load(&self.file, &self.options.dir)?;
        }
        let shown = self.options.trusted.shown(&self.options.log).await?;
        if let Some(seen) = &self.state.seen {
            compare(
                &self.options.log,
                seen,
                &shown.checkpoint,
                &self.options.dir,
            )
            .await?;
        }
        let from = self.state.read.size();
        self.remember(State {
            seen: Some(shown.checkpoint.clone()),
            read: self.state.read.clone(),
        })?;
        while self.state.read.size() < shown.checkpoint.size() {
            self.step(&shown.checkpoint, report).await?;
        }
        let now_s = (self.options.clock)().unix_ms().unsigned_abs() / 1000;
        Ok(Look {
            from,
            to: self.state.read.size(),
            age_s: shown
                .quorum
                .time_s()
                .map(|time_s| now_s.saturating_sub(time_s)),
            begun: self.leaves.begun(),
            missing: self.missing()?,
            shown,
        })
    }

    /// Looks again and again, until it cannot go on. What may pass is told to `missed`, and it looks again at the next time.
    pub async fn follow(
        &mut self,
        every: Duration,
        report: &mut (dyn FnMut(Sight) + Send),
        looked: &mut (dyn FnMut(Result<Look, MonitorError>) + Send),
    ) -> MonitorError {
        loop {
            match self.look(report).await {
                Err(error) if !error.is_transient() => return error,
                outcome => looked(outcome),
            }
            tokio::time::sleep(every).await;
        }
    }

    /// Reads some entries, verifies that they are under the checkpoint, reports and remembers them.
    async fn step(
        &mut self,
        checkpoint: &SignedCheckpoint,
        report: &mut (dyn FnMut(Sight) + Send),
    ) -> Result<(), MonitorError> {
        let log = &self.options.log;
        let from = self.state.read.size();
        // Steps end where bundles do, so that no bundle is read twice.
        let until = checkpoint
            .size()
            .min((from + STEP_ENTRIES_MAX).next_multiple_of(256));
        let mut read = self.state.read.clone();
        let mut entries = Vec::new();
        log.entries(from, until, checkpoint.size(), &mut |entry| {
            read.push(leaf_hash(entry));
            entries.push(Leaf::parse(entry));
        })
        .await?;
        if !is_beginning(log, read.size(), read.root(), checkpoint).await? {
            return Err(MonitorError::Entries {
                origin: checkpoint.origin().to_owned(),
                from,
                to: read.size(),
            });
        }
        let leaves: Vec<Option<Leaf>> = entries
            .iter()
            .map(|entry| entry.as_ref().ok().copied())
            .collect();
        let odd = self
            .leaves
            .append(&leaves)
            .map_err(|e| self.io("leaves", e))?;
        for (entry, index) in entries.into_iter().zip(from..) {
            match entry {
                Ok(leaf) => {
                    report(Sight::Leaf { index, leaf });
                    let is_unexpected = |expected: &Expected| {
                        expected.key == leaf.key_id && !expected.known.contains(&leaf.pae)
                    };
                    if self.options.expected.iter().any(is_unexpected) {
                        report(Sight::Unexpected { index, leaf });
                    }
                }
                Err(error) => report(Sight::NotALeaf { index, error }),
            }
        }
        for duplicate in odd.duplicates {
            report(Sight::Duplicate(duplicate));
        }
        for unended in odd.unended {
            report(Sight::Unended(unended));
        }
        self.remember(State {
            seen: self.state.seen.clone(),
            read,
        })
    }

    fn missing(&self) -> Result<Vec<(KeyId, Digest)>, MonitorError> {
        let mut missing = Vec::new();
        for expected in self.options.expected.iter().filter(|e| !e.known.is_empty()) {
            let found = self.leaves.commitments_of(expected.key);
            let found = found.map_err(|e| self.io("leaves", e))?;
            let absent = expected.known.difference(&found);
            missing.extend(absent.map(|commitment| (expected.key, *commitment)));
        }
        Ok(missing)
    }

    fn remember(&mut self, state: State) -> Result<(), MonitorError> {
        let stored = Stored {
            checkpoint: state.seen.as_ref().map(SignedCheckpoint::to_string),
            read: state.read.size(),
            frontier: state.read.nodes().iter().map(Hash::to_string).collect(),
            leaves: self.leaves.chain().hex(),
        };
        let bytes = serde_json::to_vec(&stored).map_err(|e| self.io("seen", e.into()))?;
        self.file.replace(&bytes)?;
        self.state = state;
        Ok(())
    }

    fn io(&self, name: &str, source: io::Error) -> MonitorError {
        MonitorError::Io {
            path: self.options.dir.join(name),
            source,
        }
    }
}

fn occupy(dir: &Path) -> Result<Occupied, MonitorError> {
    Occupied::take(dir).map_err(|error| match error {
        OccupyError::InUse => MonitorError::InUse {
            path: dir.to_owned(),
        },
        OccupyError::Io(source) => MonitorError::Io {
            path: dir.join("lock"),
            source,
        },
    })
}

fn load(file: &StateFile, dir: &Path) -> Result<(State, Leaves), MonitorError> {
    let (state, chain) = match file.read()? {
        None => {
            let state = State {
                seen: None,
                read: CompactRange::new(),
            };
            (state, Leaves::empty_chain())
        }
        Some(bytes) => parse(&bytes).ok_or_else(|| file.damaged())?,
    };
    let path = dir.join("leaves");
    match Leaves::open(&path, state.read.size(), chain) {
        Ok(leaves) => Ok((state, leaves)),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => {
            Err(StateFileError::Damaged { path }.into())
        }
        Err(source) => Err(MonitorError::Io { path, source }),
    }
}

fn parse(bytes: &[u8]) -> Option<(State, Digest)> {
    let stored: Stored = serde_json::from_slice(bytes).ok()?;
    let seen = match stored.checkpoint {
        Some(text) => Some(SignedCheckpoint::parse(text.as_bytes()).ok()?),
        None => None,
    };
    let nodes = stored.frontier.iter().map(|node| node.parse().ok());
    let nodes: Option<Vec<Hash>> = nodes.collect();
    let read = CompactRange::from_nodes(stored.read, nodes?).ok()?;
    Some((State { seen, read }, Digest::from_hex(&stored.leaves).ok()?))
}
