//! Whom a relying party believes about logs: which logs, which witnesses, and how many of them
//! (c2sp.org/tlog-policy).
//!
//! ```text
//! log <vkey> [<url>]
//! witness <name> <vkey> [<url>]
//! group <name> all|any|<k> <name>...
//! quorum <name>|none
//! ```
//!
//! Attacks: one key that counts twice, under two names, kinds or groups; a rule that another
//! implementation reads otherwise. So the same key is listed once whatever it is called, a name is a
//! member of one group at most, and what is not understood is refused, with its line.

mod parse;

pub use parse::{ParsePolicyError, PolicyProblem};

use crate::checkpoint::SignedCheckpoint;
use crate::cosignature::verified_time;
use crate::key::{KeyName, VerifierKey};

/// A policy. Made only by parsing; keeps its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    text: Vec<u8>,
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

/// A log whose checkpoints are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyLog {
    key: VerifierKey,
    url: Option<String>,
}

impl PolicyLog {
    /// Its key. The key's name is the log's origin.
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Where it is served, if the policy says so.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

/// A witness whose cosignatures may count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWitness {
    name: String,
    key: VerifierKey,
    url: Option<String>,
}

impl PolicyWitness {
    /// What the policy calls it. Octets that are not UTF-8 stand as `\xNN`, and `\` as `\\`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its key.
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Where it takes checkpoints, if the policy says so.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

/// What can be counted: an index into the witnesses, or into the groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// INVARIANT: 1 ≤ `threshold` ≤ number of members, and groups among them come before this one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    threshold: usize,
    members: Vec<Member>,
}

/// What a policy finds in a checkpoint that meets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// The log's key that signed it.
    pub log: VerifierKey,
    /// The quorum's time in seconds since 1970: the smallest t such that the good cosignatures of
    /// times up to t meet the quorum. By then, enough of those the policy believes had seen it.
    ///
    /// `None`: the quorum is `none`, or is not met without cosignatures that state no time (0).
    pub time_s: Option<u64>,
    /// The policy's witnesses that cosigned it, in the policy's order, needed or not.
    pub witnesses: Vec<String>,
}

/// Why a checkpoint does not meet a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No log of the policy has this name.
    #[error("log `{origin}` is not in the policy")]
    UnknownLog {
        /// The checkpoint's.
        origin: String,
    },
    /// No key of the log signed it.
    #[error("checkpoint is not signed by log `{origin}`")]
    NotSigned {
        /// The checkpoint's.
        origin: String,
    },
    /// A signature says it is by a key of the policy, and is not.
    #[error("signature of `{name}` is wrong")]
    BadSignature {
        /// The key's name.
        name: KeyName,
    },
    /// Too few witnesses, or not those.
    #[error("quorum is not met: {} of the policy's witnesses cosigned", witnesses.len())]
    NoQuorum {
        /// Those who did, in the policy's order.
        witnesses: Vec<String>,
    },
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// With the line. Beyond what tlog-policy demands: keys of unknown kinds, and witnesses whose
    /// key makes no cosignatures.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParsePolicyError> {
        parse::parse(bytes)
    }

    /// The bytes that were parsed.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The logs, in order. None: the policy accepts no checkpoint.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witnesses, in order.
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// Whether any cosignature is needed: false for `quorum none`.
    pub const fn needs_witnesses(&self) -> bool {
        self.quorum.is_some()
    }

    /// Whether a checkpoint is to be believed: signed by a listed log whose name is its origin, and
    /// cosigned by the quorum. Every signature that says it is by one of those keys has to be good
    /// (see [`note`](crate::note)); all others are ignored.
    ///
    /// # Errors
    /// It does not meet the policy.
    pub fn check(&self, checkpoint: &SignedCheckpoint) -> Result<Witnessed, PolicyError> {
        let origin = checkpoint.origin();
        let is_origin = |log: &&PolicyLog| log.key.name().as_str() == origin;
        let mut logs = self.logs.iter().filter(is_origin).peekable();
        if logs.peek().is_none() {
            return Err(PolicyError::UnknownLog {
                origin: origin.to_owned(),
            });
        }
        let mut signer = None;
        for log in logs {
            if signed_at(checkpoint, &log.key)?.is_some() {
                signer = signer.or(Some(&log.key));
            }
        }
        let log = signer.ok_or_else(|| PolicyError::NotSigned {
            origin: origin.to_owned(),
        })?;
        let mut times = Vec::new();
        let mut witnesses = Vec::new();
        for witness in &self.witnesses {
            let time_s = signed_at(checkpoint, &witness.key)?;
            times.push(time_s);
            witnesses.extend(time_s.map(|_| witness.name.clone()));
        }
        let Some(quorum) = self.quorum else {
            return Ok(Witnessed {
                log: log.clone(),
                time_s: None,
                witnesses,
            });
        };
        if self.met_at(quorum, &times).is_none() {
            return Err(PolicyError::NoQuorum { witnesses });
        }
        // Once more without those who state no time: 0 is not 1970.
        let times: Vec<_> = times
            .into_iter()
            .map(|time_s| time_s.filter(|time_s| *time_s > 0))
            .collect();
        Ok(Witnessed {
            log: log.clone(),
            time_s: self.met_at(quorum, &times),
            witnesses,
        })
    }

    /// When a member was met, given when each witness was.
    fn met_at(&self, member: Member, witnesses: &[Option<u64>]) -> Option<u64> {
        // Groups name earlier ones only: one walk, no recursion.
        let mut groups: Vec<Option<u64>> = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let mut times: Vec<u64> = group
                .members
                .iter()
                .filter_map(|member| at(*member, witnesses, &groups))
                .collect();
            times.sort_unstable();
            // A witness counts in one way only, so the k-th time is when k of n had.
            groups.push(times.get(group.threshold - 1).copied());
        }
        at(member, witnesses, &groups)
    }
}

fn at(member: Member, witnesses: &[Option<u64>], groups: &[Option<u64>]) -> Option<u64> {
    let (times, index) = match member {
        Member::Witness(index) => (witnesses, index),
        Member::Group(index) => (groups, index),
    };
    times.get(index).copied().flatten()
}

/// The time of this key's cosignature. `None`: it did not sign.
fn signed_at(checkpoint: &SignedCheckpoint, key: &VerifierKey) -> Result<Option<u64>, PolicyError> {
    if checkpoint.note().signatures_of(key).next().is_none() {
        return Ok(None);
    }
    let time_s = verified_time(checkpoint, key);
    time_s.map(Some).ok_or_else(|| PolicyError::BadSignature {
        name: key.name().clone(),
    })
}

#[cfg(test)]
mod tests;
