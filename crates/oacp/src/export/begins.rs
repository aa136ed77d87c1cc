//! Executions that were announced: whether each has an end.
//!
//! The attack is selective publication: run ten times, publish the run that pleases.

use std::collections::BTreeMap;

use super::report::{Findings, Unfinished};
use crate::entry::Facts;
use crate::id::{ExecutionId, SandboxId};
use crate::leaf::LeafKind;
use crate::limits::EXPORT_BEGINS_MAX;

/// Executions that were announced and have not ended yet.
#[derive(Default)]
pub(super) struct Begins {
    open: BTreeMap<ExecutionId, (SandboxId, u64)>,
    begins_withheld: u64,
    ends_withheld: u64,
    /// Announced when there was no room.
    unfollowed: u64,
}

pub(super) struct Begun {
    pub(super) unfinished: Findings<Unfinished>,
    /// Envelopes of begins that are not there.
    pub(super) begins_withheld: u64,
    /// Envelopes of executions that are not there, any of which may be an end.
    pub(super) ends_withheld: u64,
    pub(super) unfollowed: u64,
}

impl Begins {
    pub(super) fn follow(&mut self, index: u64, facts: &Facts) {
        let (Some(sandbox), Some(id)) = (facts.sandbox, ExecutionId::from_bytes(facts.id)) else {
            return;
        };
        match facts.kind {
            LeafKind::Begin if self.open.len() >= EXPORT_BEGINS_MAX => self.unfollowed += 1,
            LeafKind::Begin => {
                self.open.entry(id).or_insert((sandbox, index));
            }
            // Another sandbox's word ends nothing.
            LeafKind::Execution if self.open.get(&id).is_some_and(|(of, _)| *of == sandbox) => {
                self.open.remove(&id);
            }
            _ => {}
        }
    }

    pub(super) fn withheld(&mut self, kind: LeafKind) {
        match kind {
            LeafKind::Begin => self.begins_withheld += 1,
            LeafKind::Execution => self.ends_withheld += 1,
            _ => {}
        }
    }

    pub(super) fn finish(self) -> Begun {
        let mut open: Vec<Unfinished> = self
            .open
            .into_iter()
            .map(|(execution_id, (_, index))| Unfinished {
                execution_id,
                index,
            })
            .collect();
        open.sort_by_key(|begun| begun.index);
        let mut unfinished = Findings::default();
        open.into_iter().for_each(|begun| unfinished.push(begun));
        Begun {
            // Without a begin nobody asks for an end.
            ends_withheld: if unfinished.is_empty() {
                0
            } else {
                self.ends_withheld
            },
            unfinished,
            begins_withheld: self.begins_withheld,
            unfollowed: self.unfollowed,
        }
    }
}
