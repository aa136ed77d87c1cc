//! What a bundle's proofs show: where the execution stands in a log, and by when witnesses had seen
//! it there.
//!
//! A checkpoint is the log's signed word that these entries are in it, in this order. A cosignature
//! says that the checkpoint is consistent with all that its witness had seen of the log, and when.
//! Neither says that anything ran.

use crate::id::LogOrigin;
use crate::time::Timestamp;

/// A place in a log that the trust file's policy accepts, from the execution's proof with the
/// earliest time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    pub(crate) origin: LogOrigin,
    pub(crate) index: u64,
    pub(crate) begin: Option<u64>,
    pub(crate) delegation: Option<u64>,
    pub(crate) size: u64,
    pub(crate) witnesses: Vec<String>,
    pub(crate) witness_time: Option<Timestamp>,
    /// Whether the begin is proven by a checkpoint that does not reach the execution yet, and that
    /// witnesses cosigned: then the begin was public before the execution was logged, and that is
    /// not the log's word alone.
    pub(crate) begun_under_witnesses: bool,
}

impl Logged {
    /// The log, by its origin: the one that the statement names.
    pub fn origin(&self) -> &LogOrigin {
        &self.origin
    }

    /// The execution's index, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The begin's index, lower than the execution's. `None`: no proof of it is in the bundle.
    pub fn begin_index(&self) -> Option<u64> {
        self.begin
    }

    /// The delegation's index, lower than either. `None`: no proof of it is in the bundle.
    pub fn delegation_index(&self) -> Option<u64> {
        self.delegation
    }

    /// How many entries the log had by the checkpoint.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The policy's names of the witnesses that cosigned the checkpoint, in the policy's order.
    /// Empty: the policy asks for none.
    pub fn witnesses(&self) -> &[String] {
        &self.witnesses
    }

    /// The second by which the policy's quorum of witnesses had seen the checkpoint: at its
    /// beginning. `None`: the policy asks for no quorum, or its witnesses gave no time.
    pub fn witness_time(&self) -> Option<Timestamp> {
        self.witness_time
    }
}

/// What became of a bundle's proofs of logging, where none of them is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogCheck {
    /// There is none of the execution.
    NoProof,
    /// They lead to their checkpoints, and nobody said which log to trust.
    NoPolicy,
    /// They are under checkpoints that the policy accepts.
    Logged(Box<Logged>),
}

impl LogCheck {
    pub(crate) fn logged(&self) -> Option<&Logged> {
        match self {
            Self::Logged(logged) => Some(logged),
            Self::NoProof | Self::NoPolicy => None,
        }
    }
}

/// The statement's timestamp beside the witnesses' time t, which is a whole second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeCheck {
    /// There is no t.
    NotWitnessed,
    /// timestamp ≤ t ≤ the delegation's end, and t is at most the bound after the timestamp.
    Holds { witnessed: Timestamp },
    /// t is before the timestamp, which therefore is not true.
    Before { witnessed: Timestamp },
    /// t is after the delegation's end: nothing shows that it was signed before.
    AfterDelegation { witnessed: Timestamp },
    /// t is too long after the timestamp.
    BeyondBound { witnessed: Timestamp },
}

impl TimeCheck {
    /// Compares `timestamp` with a second that begins at `witnessed`. A timestamp within that second
    /// is not after it; for the rest, the second's beginning counts.
    pub(crate) fn of(
        timestamp: Timestamp,
        not_after: Timestamp,
        witnessed: Option<Timestamp>,
        bound_s: Option<u64>,
    ) -> Self {
        let Some(witnessed) = witnessed else {
            return Self::NotWitnessed;
        };
        let after_ms = witnessed.unix_ms() - timestamp.unix_ms();
        let bound_ms = bound_s.map(|bound| i64::try_from(bound.saturating_mul(1000)));
        if after_ms < -999 {
            Self::Before { witnessed }
        } else if witnessed > not_after {
            Self::AfterDelegation { witnessed }
        } else if bound_ms.is_some_and(|bound| bound.is_ok_and(|bound| after_ms > bound)) {
            Self::BeyondBound { witnessed }
        } else {
            Self::Holds { witnessed }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witnesss_second_is_compared_whole() {
        let at = Timestamp::from_unix_ms;
        let check = |timestamp, witnessed, bound| {
            TimeCheck::of(at(timestamp), at(20_500), Some(at(witnessed)), bound)
        };
        let holds = |witnessed| TimeCheck::Holds {
            witnessed: at(witnessed),
        };
        assert_eq!(check(10_000, 10_000, None), holds(10_000));
        assert_eq!(check(10_999, 10_000, Some(0)), holds(10_000));
        assert!(matches!(
            check(11_000, 10_000, None),
            TimeCheck::Before { .. }
        ));
        assert_eq!(check(10_500, 20_000, Some(10)), holds(20_000));
        assert!(matches!(
            check(9_999, 20_000, Some(10)),
            TimeCheck::BeyondBound { .. }
        ));
        assert_eq!(check(0, 20_000, Some(u64::MAX)), holds(20_000));
        assert!(matches!(
            check(10_500, 21_000, None),
            TimeCheck::AfterDelegation { .. }
        ));
        let none = TimeCheck::of(at(0), at(1), None, Some(1));
        assert_eq!(none, TimeCheck::NotWitnessed);
    }
}
