//! How a run ended. Every way is a value, and attested; none is an error.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// With a result.
    Ok,
    /// With an error of the guest's own.
    GuestError,
    /// By a denial that the guest did not catch. Caught ones end otherwise, and are counted.
    Denied,
    /// The fuel of its quota was used up.
    OutOfFuel,
    /// Without a result, after the limiter had refused it memory.
    OutOfMemory,
    /// The wall bound passed.
    TimedOut,
    /// The guest's stack was used up.
    StackOverflow,
    /// A trap of another kind.
    Crashed,
    /// By whoever asked for it.
    Cancelled,
    /// The node stopped while it ran.
    Interrupted,
    /// With a result that its schema or a check does not accept: a registered agent's.
    CheckFailed,
    /// Not begun: a policy said no, or the agent or its input is not what its definition says.
    Refused,
    /// Not begun, or stopped: a person has to agree first.
    AwaitingApproval,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 13] = [
        Self::Ok,
        Self::GuestError,
        Self::Denied,
        Self::OutOfFuel,
        Self::OutOfMemory,
        Self::TimedOut,
        Self::StackOverflow,
        Self::Crashed,
        Self::Cancelled,
        Self::Interrupted,
        Self::CheckFailed,
        Self::Refused,
        Self::AwaitingApproval,
    ];

    /// Whether running it again can show the same end. The others depend on the machine, or on
    /// people.
    pub const fn reexecutable(self) -> bool {
        matches!(
            self,
            Self::Ok
                | Self::GuestError
                | Self::Denied
                | Self::OutOfFuel
                | Self::OutOfMemory
                | Self::CheckFailed
        )
    }

    /// The word that stands in a statement.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::GuestError => "guest_error",
            Self::Denied => "denied",
            Self::OutOfFuel => "out_of_fuel",
            Self::OutOfMemory => "out_of_memory",
            Self::TimedOut => "timed_out",
            Self::StackOverflow => "stack_overflow",
            Self::Crashed => "crashed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::CheckFailed => "check_failed",
            Self::Refused => "refused",
            Self::AwaitingApproval => "awaiting_approval",
        }
    }

    /// One sentence for people.
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Ok => "the guest gave a result",
            Self::GuestError => "the guest ended with an error of its own",
            Self::Denied => {
                "the guest asked for a right that is not granted, and did not catch the denial"
            }
            Self::OutOfFuel => "the guest used up its quota of computing",
            Self::OutOfMemory => "the guest needed more memory than its limit and gave no result",
            Self::TimedOut => "the time limit passed before the guest ended",
            Self::StackOverflow => "the guest used up its stack",
            Self::Crashed => "the guest trapped",
            Self::Cancelled => "the run was cancelled by whoever asked for it",
            Self::Interrupted => "the node stopped while the guest ran",
            Self::CheckFailed => {
                "the guest gave a result that its schema or a check does not accept"
            }
            Self::Refused => {
                "the run did not begin: a policy refused it, or the agent's definition does"
            }
            Self::AwaitingApproval => "a person has to approve before the run goes on",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_what_serde_writes() {
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
        assert_eq!(
            Outcome::ALL
                .iter()
                .filter(|outcome| outcome.reexecutable())
                .count(),
            6
        );
    }
}
