//! Each key's statements: that their numbers are given once, and that each names the one before it.
//!
//! The attack is a signer who says two things under one number, or leaves out what it said. Entries
//! of one sandbox may be appended in any order, so numbers are kept as runs that grow together;
//! what is between two runs is missing, unless the later one says that nothing is.

use std::collections::BTreeMap;

use super::report::{Contradiction, Findings, Missing, Why};
use crate::digest::Digest;
use crate::key::KeyId;
use crate::limits::{EXPORT_KEY_RUNS_MAX, EXPORT_KEYS_MAX, EXPORT_RUNS_MAX};

/// A statement that has a number.
pub(super) struct Numbered {
    pub(super) index: u64,
    pub(super) key_id: KeyId,
    pub(super) sequence: u64,
    pub(super) pae: Digest,
    /// What it names as the one before it. `None`: its envelope is withheld, or cannot be read.
    pub(super) previous: Option<Digest>,
    pub(super) is_close: bool,
}

/// All keys, as far as there is room.
#[derive(Default)]
pub(super) struct Sequences {
    keys: BTreeMap<KeyId, Key>,
    runs: usize,
    /// Statements of keys for which there was no room.
    unfollowed: u64,
    /// Statements that nodes signed.
    by_nodes: u64,
    contradictions: Findings<Contradiction>,
}

/// What came of it.
pub(super) struct Followed {
    /// Keys that signed statements, or were delegated to.
    pub(super) keys: u64,
    pub(super) contradictions: Findings<Contradiction>,
    /// A statement says that another one comes before it, which is not here.
    pub(super) missing: Findings<Missing>,
    /// Numbers are missing, and whether statements are cannot be told.
    pub(super) untold: Findings<Missing>,
    /// Keys whose first statement here may not be their first.
    pub(super) beginnings_unknown: u64,
    /// Keys that were not closed.
    pub(super) ends_unknown: u64,
    pub(super) unfollowed: u64,
    /// Statements that nodes signed.
    pub(super) by_nodes: u64,
}

enum Key {
    /// A node's: it signs for many sandboxes, each with numbers of its own.
    Node,
    /// One with more runs than there is room for.
    Unfollowed,
    Sandbox(Chain),
}

/// The statements of one key.
#[derive(Default)]
struct Chain {
    delegation: Delegated,
    /// Sorted; no two touch.
    runs: Vec<Run>,
    /// The number of its closing statement.
    closed: Option<u64>,
}

#[derive(Default)]
enum Delegated {
    #[default]
    Elsewhere,
    /// The delegation's PAE.
    Once(Digest),
    /// Which of them the first statement names is not known.
    Often,
}

/// Statements with consecutive numbers.
struct Run {
    first: u64,
    last: u64,
    /// What the first one names as the one before it.
    previous: Option<Digest>,
    /// Of the last one.
    pae: Digest,
}

impl Sequences {
    /// A statement that is a node's, and has a number of another key's chain.
    pub(super) fn add_by_node(&mut self) {
        self.by_nodes += 1;
    }

    /// A node signs with this key.
    pub(super) fn is_node(&mut self, key: KeyId) {
        if let Some(known) = self.keys.get_mut(&key) {
            self.runs -= known.runs();
            self.by_nodes += known.statements();
            *known = Key::Node;
        } else if self.keys.len() < EXPORT_KEYS_MAX {
            self.keys.insert(key, Key::Node);
        }
    }

    /// A delegation to this key, by the digest of its PAE.
    pub(super) fn delegate(&mut self, key: KeyId, pae: Digest) {
        if let Some(Key::Sandbox(chain)) = self.entry(key) {
            chain.delegation = match chain.delegation {
                Delegated::Elsewhere => Delegated::Once(pae),
                Delegated::Once(_) | Delegated::Often => Delegated::Often,
            };
        }
    }

    pub(super) fn add(&mut self, statement: &Numbered) {
        let has_room = self.runs < EXPORT_RUNS_MAX;
        let added = match self.entry(statement.key_id) {
            Some(Key::Node) => {
                self.by_nodes += 1;
                return;
            }
            Some(Key::Sandbox(chain)) => chain.add(statement, has_room),
            Some(Key::Unfollowed) | None => Err(NoRoom),
        };
        let Ok(added) = added else {
            self.unfollowed += 1;
            if let Some(key) = self.keys.get_mut(&statement.key_id) {
                self.runs -= key.runs();
                self.unfollowed += key.statements();
                *key = Key::Unfollowed;
            }
            return;
        };
        self.runs = self.runs + added.runs_after - added.runs_before;
        for why in added.contradictions.into_iter().flatten() {
            self.contradictions.push(Contradiction {
                key_id: statement.key_id,
                sequence: statement.sequence,
                index: statement.index,
                why,
            });
        }
    }

    fn entry(&mut self, key: KeyId) -> Option<&mut Key> {
        if self.keys.len() >= EXPORT_KEYS_MAX && !self.keys.contains_key(&key) {
            return None;
        }
        let fresh = || Key::Sandbox(Chain::default());
        Some(self.keys.entry(key).or_insert_with(fresh))
    }

    pub(super) fn finish(self) -> Followed {
        let mut followed = Followed {
            keys: 0,
            contradictions: self.contradictions,
            missing: Findings::default(),
            untold: Findings::default(),
            beginnings_unknown: 0,
            ends_unknown: 0,
            unfollowed: self.unfollowed,
            by_nodes: self.by_nodes,
        };
        for (key_id, key) in self.keys {
            if let Key::Sandbox(chain) = key {
                followed.keys += 1;
                chain.finish(key_id, &mut followed);
            }
        }
        followed
    }
}

impl Key {
    fn runs(&self) -> usize {
        match self {
            Self::Sandbox(chain) => chain.runs.len(),
            Self::Node | Self::Unfollowed => 0,
        }
    }

    fn statements(&self) -> u64 {
        match self {
            Self::Sandbox(chain) => chain.runs.iter().map(|run| run.last - run.first + 1).sum(),
            Self::Node | Self::Unfollowed => 0,
        }
    }
}

struct NoRoom;

struct Added {
    runs_before: usize,
    runs_after: usize,
    contradictions: [Option<Why>; 2],
}

impl Chain {
    fn add(&mut self, statement: &Numbered, has_room: bool) -> Result<Added, NoRoom> {
        let &Numbered {
            sequence,
            pae,
            previous,
            is_close,
            ..
        } = statement;
        let runs_before = self.runs.len();
        let done = |contradictions, runs_after| {
            Ok(Added {
                runs_before,
                runs_after,
                contradictions,
            })
        };
        let at = self.runs.partition_point(|run| run.first <= sequence);
        let (before, after) = self.runs.split_at_mut(at);
        let (before, after) = (before.last_mut(), after.first_mut());
        if before.as_ref().is_some_and(|run| run.last >= sequence) {
            return done([Some(Why::Repeated), None], runs_before);
        }

        let is_late =
            self.closed.is_some_and(|closed| sequence > closed) || (is_close && after.is_some());
        let joins_before = before.filter(|run| run.last + 1 == sequence);
        let joins_after = after.filter(|run| run.first == sequence + 1);
        let breaks_before = joins_before
            .as_ref()
            .is_some_and(|run| previous.is_some_and(|previous| previous != run.pae));
        let breaks_after = joins_after
            .as_ref()
            .is_some_and(|run| run.previous.is_some_and(|previous| previous != pae));
        match (joins_before, joins_after) {
            (Some(before), Some(after)) => {
                (before.last, before.pae) = (after.last, after.pae);
                self.runs.remove(at);
            }
            (Some(before), None) => (before.last, before.pae) = (sequence, pae),
            (None, Some(after)) => (after.first, after.previous) = (sequence, previous),
            (None, None) => {
                if !has_room || runs_before >= EXPORT_KEY_RUNS_MAX {
                    return Err(NoRoom);
                }
                let run = Run {
                    first: sequence,
                    last: sequence,
                    previous,
                    pae,
                };
                self.runs.insert(at, run);
            }
        }
        if is_close {
            self.closed = Some(self.closed.map_or(sequence, |closed| closed.min(sequence)));
        }
        let contradictions = [
            is_late.then_some(Why::AfterClose),
            (breaks_before || breaks_after).then_some(Why::BreaksChain),
        ];
        done(contradictions, self.runs.len())
    }

    fn finish(self, key_id: KeyId, followed: &mut Followed) {
        let mut runs = self.runs.iter();
        let Some(first) = runs.next() else {
            // Delegated to, and not heard of.
            followed.ends_unknown += u64::from(self.closed.is_none());
            return;
        };
        let mut compare = |after: Option<u64>, run: &Run, expected: Digest| {
            let missing = Missing {
                key_id,
                after,
                before: run.first,
            };
            match run.previous {
                Some(previous) if previous == expected => {}
                Some(_) => followed.missing.push(missing),
                None => followed.untold.push(missing),
            }
        };
        let is_known = match self.delegation {
            Delegated::Once(pae) => {
                compare(None, first, pae);
                true
            }
            Delegated::Elsewhere | Delegated::Often => false,
        };
        let mut before = first;
        for run in runs {
            compare(Some(before.last), run, before.pae);
            before = run;
        }
        followed.beginnings_unknown += u64::from(!is_known);
        followed.ends_unknown += u64::from(self.closed.is_none());
    }
}
