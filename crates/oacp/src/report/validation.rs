//! What a report says of a run that was held to an agent's definition.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::agent::{AgentName, Step};
use crate::digest::Digest;
use crate::replay::{ReplayVerdict, Replayed};
use crate::verified::Verified;

/// A run of a registered agent, by what its definition asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationReport {
    /// The agent's name.
    pub agent: AgentName,
    /// Its definition's digest.
    pub definition: Digest,
    /// What was judged, in order.
    pub steps: Vec<JudgedStep>,
}

/// One thing that was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedStep {
    /// What: `code`, `input`, `output`, or a check by its name.
    pub step: String,
    /// What the signer says came of it.
    pub passed: bool,
    /// Whether somebody else would come to the same.
    pub verdict: Verdict,
}

impl Verified {
    pub(super) fn validation_report(&self, replayed: &Replayed) -> Option<ValidationReport> {
        let validation = self.statement().validation.as_ref()?;
        let step = |step: &Step| JudgedStep {
            step: step.to_string(),
            passed: step.is_passed(),
            verdict: self.judged(step, replayed),
        };
        Some(ValidationReport {
            agent: validation.agent.clone(),
            definition: validation.definition,
            steps: validation.steps.iter().map(step).collect(),
        })
    }

    fn judged(&self, step: &Step, replayed: &Replayed) -> Verdict {
        let not_checked = |reason: &str| Verdict::NotChecked {
            reason: reason.to_owned(),
        };
        let child = match step {
            Step::Code { .. } => return not_checked("the signer says so"),
            Step::Input { .. } | Step::Output { .. } => {
                let is_confirmed = matches!(replayed.verdict, ReplayVerdict::Confirmed { .. });
                return if is_confirmed && self.agent().is_some() {
                    Verdict::Pass {
                        detail: "judged again by the definition's schema: the same".to_owned(),
                    }
                } else {
                    not_checked("the signer says so")
                };
            }
            Step::Check { child: None, .. } => {
                return not_checked("the signer says that it could not be run");
            }
            Step::Check {
                child: Some(child), ..
            } => child,
        };
        let mut children = self.children().iter().enumerate();
        let Some((index, execution)) =
            children.find(|(_, execution)| execution.statement().execution_id == *child)
        else {
            return not_checked("its bundle is not within this one");
        };
        match replayed.children.get(index) {
            Some(replayed) => execution.execution_proof(&replayed.verdict),
            None => not_checked("it was not run again"),
        }
    }

    /// What of its validation has to be believed, as [`Report::not_checked`](super::Report) lists it.
    pub(super) fn not_checked_of_validation(&self) -> Vec<&'static str> {
        let mut list = Vec::new();
        if self.statement().validation.is_some() {
            list.push("the judgement of the agent's code before the run");
            if self.agent().is_none() {
                list.push("the agent's definition: withheld");
            }
        }
        list
    }
}

impl fmt::Display for ValidationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for JudgedStep {
            step,
            passed,
            verdict,
        } in &self.steps
        {
            let word = if *passed { "passed" } else { "FAILED" };
            writeln!(
                f,
                "Validation       {verdict}\n                 {step} {word}"
            )?;
        }
        writeln!(
            f,
            "                 by agent {}, definition {}",
            self.agent, self.definition
        )
    }
}
