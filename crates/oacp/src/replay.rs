//! What came of running an execution again. Who runs it is not this crate's business; the verdict
//! is handed to the report.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The verdict of a replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum ReplayVerdict {
    /// Output, outcome and every event were the same; and so was what the schemas of a registered agent's definition, if that is in the bundle, say of input
    /// and output.
    Confirmed {
        /// And the fuel.
        fuel: FuelCompared,
    },
    /// Something differed. What the statement says does not follow from what the bundle holds.
    Diverged {
        /// The first place at which it did.
        at: DivergedAt,
        /// What the recording has there, for people.
        recorded: String,
        /// What the replay did there, for people.
        replayed: String,
    },
    /// It was tried, and this machine could not: its own stack, time or memory. Says nothing about
    /// the statement.
    Unverifiable {
        /// Why.
        reason: String,
    },
    /// It was not tried.
    NotChecked {
        /// Why.
        reason: String,
    },
}

/// The verdicts of a bundle and of the executions that it called, in the order of
/// [`Verified::children`](crate::Verified::children).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// Of the execution itself.
    pub verdict: ReplayVerdict,
    /// Of those that it called. Those that are missing at the end were not tried.
    pub children: Vec<Replayed>,
}

impl From<ReplayVerdict> for Replayed {
    /// Of no other was it tried.
    fn from(verdict: ReplayVerdict) -> Self {
        Self {
            verdict,
            children: Vec::new(),
        }
    }
}

/// Whether fuel was compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "compared", rename_all = "snake_case")]
pub enum FuelCompared {
    /// It was the same.
    Equal,
    /// It was not compared.
    NotChecked {
        /// Why: another engine version counts differently.
        reason: String,
    },
}

/// Where a replay first differed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DivergedAt {
    /// At the event with this index.
    Event(u64),
    /// In the output.
    Output,
    /// In how it ended.
    Outcome,
    /// In the fuel used.
    Fuel,
    /// In what a schema of the agent's definition says of input or output.
    Validation,
}

impl fmt::Display for DivergedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(index) => write!(f, "event {index}"),
            Self::Output => f.write_str("the output"),
            Self::Outcome => f.write_str("the outcome"),
            Self::Fuel => f.write_str("the fuel"),
            Self::Validation => f.write_str("the validation"),
        }
    }
}
