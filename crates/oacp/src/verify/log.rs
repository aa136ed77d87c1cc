//! A bundle's proofs of logging: against its envelopes, against each other, and under the trust
//! file's log policy.
//!
//! The attacks: a proof of something else; a log that nobody trusts, or two logs under one name; a
//! begin that was logged after the end; a node's key that is used after it was revoked.

use std::collections::BTreeMap;

use oacp_tlog::{Hash, Policy, PolicyError, TlogProof, Witnessed};

use crate::begin::Begin;
use crate::bundle::Bundle;
use crate::delegation::Delegation;
use crate::leaf::{Leaf, LeafKind};
use crate::logged::{LogCheck, Logged, TimeCheck};
use crate::proofs::Proven;
use crate::refusal::Refusal;
use crate::statement::{ExecutionStatement, Level};
use crate::time::Timestamp;
use crate::trust::{Trust, TrustedNode};

impl Bundle {
    /// What the proofs show, if none of them is wrong.
    pub(super) fn checked_log(
        &self,
        statement: &ExecutionStatement,
        begin: Option<&Begin>,
        trust: &Trust,
    ) -> Result<LogCheck, Refusal> {
        let delegation = Leaf::of(LeafKind::Delegation, &self.delegation, None);
        let execution = Leaf::of(
            LeafKind::Execution,
            &self.envelope,
            Some(statement.sequence),
        );
        let begin = self.begin.as_ref().zip(begin).map(|(envelope, begin)| {
            Leaf::of(LeafKind::Begin, envelope, Some(begin.sequence)).hash()
        });
        let mut places = Places {
            statement,
            policy: trust.log_policy(),
            roots: BTreeMap::new(),
        };
        let delegation = places.place(Proven::Delegation, delegation.hash(), self)?;
        let begin = match begin {
            Some(begin) => places.place(Proven::Begin, begin, self)?,
            None if self.proofs.of(Proven::Begin).is_empty() => None,
            None => return Err(Refusal::ProofUnreferenced),
        };
        let execution = places.place(Proven::Execution, execution.hash(), self)?;
        check_order([&delegation, &begin, &execution])?;

        let (Some(execution), Some(origin)) = (execution, &statement.log) else {
            return Ok(LogCheck::NoProof);
        };
        let Some(earliest) = execution.earliest() else {
            return Ok(LogCheck::NoPolicy);
        };
        let begun_under_witnesses = begin.as_ref().is_some_and(|begin| {
            let mut accepted = begin.accepted.iter();
            accepted
                .any(|proof| proof.size <= execution.index && !proof.witnessed.witnesses.is_empty())
        });
        Ok(LogCheck::Logged(Box::new(Logged {
            origin: origin.clone(),
            index: execution.index,
            begin: begin.map(|begin| begin.index),
            delegation: delegation.map(|delegation| delegation.index),
            size: earliest.size,
            witnesses: earliest.witnessed.witnesses.clone(),
            witness_time: earliest.witnessed.time_s.map(timestamp),
            begun_under_witnesses,
        })))
    }

    /// What level FULL needs beside the statement itself: the begin, and that all three are in a
    /// trusted log.
    pub(super) fn check_level(&self, level: Level, trust: &Trust) -> Result<(), Refusal> {
        if level < Level::Full {
            return Ok(());
        }
        let unproven = |of| self.proofs.of(of).is_empty();
        let lacks = [
            ("a begin", self.begin.is_none()),
            ("a log proof of its begin", unproven(Proven::Begin)),
            (
                "a log proof of its delegation",
                unproven(Proven::Delegation),
            ),
            ("a log proof of its statement", unproven(Proven::Execution)),
        ];
        if let Some((missing, _)) = lacks.into_iter().find(|(_, lacks)| *lacks) {
            return Err(Refusal::ProofMissing { level, missing });
        }
        // Whatever proofs there are, the policy accepts: it was asked before.
        if trust.log_policy().is_none() {
            return Err(Refusal::LogPolicyMissing { level });
        }
        if level > Level::Full {
            return Err(Refusal::EvidenceMissing { level });
        }
        Ok(())
    }
}

/// A second's beginning. What lies beyond the year 9999 becomes its end.
fn timestamp(unix_s: u64) -> Timestamp {
    let unix_ms = i64::try_from(unix_s.saturating_mul(1000));
    Timestamp::from_unix_ms(unix_ms.unwrap_or(i64::MAX))
}

/// All that the proofs of one bundle are compared with.
struct Places<'a> {
    statement: &'a ExecutionStatement,
    policy: Option<&'a Policy>,
    /// The tree of each size, by every checkpoint so far.
    roots: BTreeMap<u64, Hash>,
}

/// Where the proofs of one envelope say that it is.
struct Place {
    of: Proven,
    index: u64,
    /// The proofs under checkpoints that the policy accepts. None of them: there is no policy.
    accepted: Vec<Accepted>,
}

struct Accepted {
    size: u64,
    witnessed: Witnessed,
}

impl Place {
    /// The accepted proof with the earliest time; if none has a time, the oldest.
    fn earliest(&self) -> Option<&Accepted> {
        let timed = self.accepted.iter();
        timed.min_by_key(|proof| proof.witnessed.time_s.unwrap_or(u64::MAX))
    }
}

impl Places<'_> {
    /// Where the envelope with this leaf is. `None`: it has no proof.
    fn place(&mut self, of: Proven, leaf: Hash, bundle: &Bundle) -> Result<Option<Place>, Refusal> {
        let proofs = bundle.proofs.of(of);
        let Some(first) = proofs.first() else {
            return Ok(None);
        };
        for (number, proof) in proofs.iter().enumerate() {
            self.check(of, number, proof, &leaf)?;
            let (first, other) = (first.index(), proof.index());
            if first != other {
                return Err(Refusal::ProofIndex { of, first, other });
            }
        }
        let accepted = match self.policy {
            Some(policy) => accepted(of, proofs, policy)?,
            None => Vec::new(),
        };
        Ok(Some(Place {
            of,
            index: first.index(),
            accepted,
        }))
    }

    /// A proof by itself, and beside the checkpoints of those before it.
    fn check(
        &mut self,
        of: Proven,
        number: usize,
        proof: &TlogProof,
        leaf: &Hash,
    ) -> Result<(), Refusal> {
        let checkpoint = proof.checkpoint();
        let claimed = &self.statement.log;
        if claimed.as_ref().map(AsRef::as_ref) != Some(checkpoint.origin()) {
            return Err(Refusal::ProofOrigin {
                of,
                found: checkpoint.origin().to_owned(),
                claimed: claimed.clone(),
            });
        }
        proof
            .verify(leaf)
            .map_err(|source| Refusal::ProofInvalid { of, number, source })?;
        let (size, root) = (checkpoint.size(), checkpoint.root());
        match self.roots.insert(size, root) {
            Some(other) if other != root => Err(Refusal::LogForked { size }),
            _ => Ok(()),
        }
    }
}

/// Those that the policy accepts, of which there has to be one. A later one may lack what an earlier
/// one has, or have what it lacks.
fn accepted(of: Proven, proofs: &[TlogProof], policy: &Policy) -> Result<Vec<Accepted>, Refusal> {
    let mut accepted = Vec::new();
    let mut unmet = None;
    for proof in proofs {
        let checkpoint = proof.checkpoint();
        match policy.check(checkpoint) {
            Ok(witnessed) => accepted.push(Accepted {
                size: checkpoint.size(),
                witnessed,
            }),
            Err(source @ PolicyError::BadSignature { .. }) => {
                return Err(Refusal::CheckpointSignature { of, source });
            }
            Err(error) => unmet = unmet.or(Some(error)),
        }
    }
    match unmet {
        Some(source) if accepted.is_empty() => Err(Refusal::LogPolicyUnmet { of, source }),
        _ => Ok(accepted),
    }
}

/// A delegation, a begin and an execution are logged in this order, as far as they are.
fn check_order(places: [&Option<Place>; 3]) -> Result<(), Refusal> {
    let mut places = places.into_iter().flatten();
    let Some(mut earlier) = places.next() else {
        return Ok(());
    };
    for later in places {
        if earlier.index >= later.index {
            return Err(Refusal::ProofOrder {
                earlier: earlier.of,
                earlier_index: earlier.index,
                later: later.of,
                later_index: later.index,
            });
        }
        earlier = later;
    }
    Ok(())
}

/// What a revoked node said is trusted where delegation and statement were logged before. By the
/// statement alone, a node could delegate anew, today, to a key that signed long ago.
pub(super) fn check_revocation(node: &TrustedNode, log: &LogCheck) -> Result<(), Refusal> {
    let Some(revoked) = &node.revoked else {
        return Ok(());
    };
    let is_before = log.logged().is_some_and(|logged| {
        let in_log = revoked.log.as_ref().is_none_or(|log| *log == logged.origin);
        let before = |index: u64| index < revoked.tree_size;
        in_log && before(logged.index) && logged.delegation.is_some_and(before)
    });
    if is_before {
        Ok(())
    } else {
        Err(Refusal::NodeRevoked {
            name: node.name.clone(),
        })
    }
}

/// The witnesses' time beside the statement's. What the trust file requires of it, and does not hold,
/// is refused; what it does not require is for the report.
pub(super) fn checked_time(
    statement: &ExecutionStatement,
    delegation: &Delegation,
    log: &LogCheck,
    trust: &Trust,
) -> Result<TimeCheck, Refusal> {
    let timestamp = statement.timestamp;
    let bound_s = trust.require().time_bound_s;
    let time = TimeCheck::of(
        timestamp,
        delegation.not_after,
        log.logged().and_then(Logged::witness_time),
        bound_s,
    );
    if bound_s.is_none() {
        return Ok(time);
    }
    let (witnessed, rule) = match time {
        TimeCheck::Holds { .. } => return Ok(time),
        TimeCheck::NotWitnessed => return Err(Refusal::TimeNotWitnessed),
        TimeCheck::Before { witnessed } => (witnessed, "that is before it"),
        TimeCheck::AfterDelegation { witnessed } => {
            (witnessed, "the key's delegation had ended then")
        }
        TimeCheck::BeyondBound { witnessed } => {
            (witnessed, "that is later than the trust file allows")
        }
    };
    Err(Refusal::TimeOutsideBound {
        timestamp,
        witnessed,
        rule,
    })
}
