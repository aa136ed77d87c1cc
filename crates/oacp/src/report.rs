//! The report of a verification: four verdicts, six questions, and what was not checked.
//!
//! Three of the verdicts are those of the architecture, and one is of the log. The questions are those that OWASP asks of
//! third-party execution evidence, graded pessimistically. A signature, a log, evidence and
//! re-execution show four different things; no line here says more than its own.

mod log;
mod validation;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::validation::{JudgedStep, ValidationReport};
use crate::bundle::Private;
use crate::event::{CallOutcome, Event};
use crate::id::ExecutionId;
use crate::replay::{FuelCompared, ReplayVerdict, Replayed};
use crate::statement::Reexecutable;
use crate::trust::Origin;
use crate::verified::Verified;

/// Ranges of withheld events that a report lists; a disclosure of every other event has as many as
/// it has events.
const WITHHELD_RANGES_SHOWN: usize = 64;

/// What came of a verification. The JSON form is stable: fields are added, never renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The trust file's name for the node.
    pub node: String,
    /// Whether a file says so.
    pub trust: Origin,
    /// Envelope, delegation, and the chain to a trusted node.
    pub signature_valid: Verdict,
    /// Whether the output follows from the code and the recorded inputs: only by running it again.
    pub execution_proof: Verdict,
    /// Whether it is in a log that is trusted: that it was published, not that it ran.
    pub logged: Verdict,
    /// Whether the time is witnessed.
    pub time_validity: Verdict,
    /// The calls of tools that were executions, each with what came of running it again; those of calls within calls behind them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<CalledTool>,
    /// What the definition of a registered agent asks for, and what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<ValidationReport>,
    /// The six questions.
    pub questions: Vec<Question>,
    /// What nobody checked, and what the signer can still lie about.
    pub not_checked: Vec<String>,
    /// What a reader should know, as fields that this version does not.
    pub warnings: Vec<String>,
}

/// A call of a tool that was an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalledTool {
    /// The tool.
    pub tool: String,
    /// The execution.
    pub execution: ExecutionId,
    /// Which called it.
    pub caller: ExecutionId,
    /// Whether its bundle is here, and the result follows from the tool's code and its recorded inputs.
    pub execution_proof: Verdict,
}

/// One verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It was checked, and holds.
    Pass {
        /// What was checked.
        detail: String,
    },
    /// It was checked, and does not hold.
    Fail {
        /// What was found.
        detail: String,
    },
    /// It was not checked. Neither good nor bad.
    NotChecked {
        /// Why.
        reason: String,
    },
}

/// One question, graded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The question.
    pub question: String,
    /// How much the answer is worth.
    pub grade: Grade,
    /// The answer.
    pub answer: String,
}

/// What an answer is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Anybody can check it again.
    Recheckable,
    /// The signer says so.
    Assertion,
    /// Nothing is known.
    NoInformation,
}

impl Verified {
    /// The report, given what came of a replay; of the executions that it called none was tried.
    pub fn report(&self, replay: &ReplayVerdict) -> Report {
        self.report_all(&replay.clone().into())
    }

    /// The report, given what came of replays.
    pub fn report_all(&self, replayed: &Replayed) -> Report {
        let replay = &replayed.verdict;
        let tool_calls = self.called_tools(&replayed.children);
        Report {
            node: self.node().to_owned(),
            trust: self.origin(),
            signature_valid: self.signature_valid(),
            execution_proof: self.execution_proof(replay),
            logged: self.logged_verdict(),
            time_validity: self.time_verdict(),
            questions: self.questions(replay),
            not_checked: self.not_checked(replay, &tool_calls),
            tool_calls,
            validation: self.validation_report(replayed),
            warnings: self.warnings(),
        }
    }

    fn signature_valid(&self) -> Verdict {
        let chain = match self.origin() {
            Origin::File => "which the trust file names",
            Origin::ThisMachine => "which is this machine's own",
        };
        Verdict::Pass {
            detail: format!(
                "signed by a key that node `{}` delegated to, {chain}",
                self.node()
            ),
        }
    }

    fn execution_proof(&self, replay: &ReplayVerdict) -> Verdict {
        match replay {
            ReplayVerdict::Confirmed { fuel } => {
                let fuel = match fuel {
                    FuelCompared::Equal => {
                        "output, outcome, every event and the fuel were the same"
                    }
                    FuelCompared::NotChecked { .. } => {
                        "output, outcome and every event were the same"
                    }
                };
                Verdict::Pass {
                    detail: format!("run again from the recording: {fuel}"),
                }
            }
            ReplayVerdict::Diverged {
                at,
                recorded,
                replayed,
            } => Verdict::Fail {
                detail: format!(
                    "run again from the recording, it differed at {at}: recorded {recorded}, replayed {replayed}"
                ),
            },
            ReplayVerdict::Unverifiable { reason } => Verdict::NotChecked {
                reason: format!("this machine could not run it again: {reason}"),
            },
            ReplayVerdict::NotChecked { reason } => Verdict::NotChecked {
                reason: match &self.statement().reexecutable {
                    Reexecutable::Yes if self.disclosed().is_some() => {
                        "only disclosed events are in the bundle, and not the recording that a run is repeated from"
                            .to_owned()
                    }
                    Reexecutable::Yes => reason.clone(),
                    Reexecutable::No { reason } => format!("not re-executable: {reason}"),
                },
            },
        }
    }

    fn questions(&self, replay: &ReplayVerdict) -> Vec<Question> {
        let ask = |question: &str, grade, answer: String| Question {
            question: question.to_owned(),
            grade,
            answer,
        };
        let (captured, omission, undelivered) =
            (self.captured(), self.omission(), self.undelivered());
        let own = self.origin() == Origin::ThisMachine;
        let whole = [Private::Events, Private::Input, Private::Output]
            .into_iter()
            .all(|private| self.holds(private))
            && self.holds(Private::Source);
        vec![
            ask(
                "Who could have written or altered it?",
                Grade::Recheckable,
                format!(
                    "whoever holds the key of node `{}` or the sandbox key that it delegated to; nobody else",
                    self.node()
                ),
            ),
            ask(
                "Was it captured while running, or assembled after?",
                match replay {
                    ReplayVerdict::Diverged { .. } => Grade::NoInformation,
                    _ => captured.0,
                },
                captured.1,
            ),
            if whole {
                ask(
                    "Is the subject named precisely enough to re-check?",
                    Grade::Recheckable,
                    "agent, input, output and events are in the bundle, and match the digests that were signed".to_owned(),
                )
            } else {
                ask(
                    "Is the subject named precisely enough to re-check?",
                    Grade::Assertion,
                    "by digests that were signed; some of the contents are withheld or were not recorded".to_owned(),
                )
            },
            ask("Would an omission be visible?", omission.0, omission.1),
            ask(
                "What happened when recording or delivery failed?",
                undelivered.0,
                undelivered.1,
            ),
            if own {
                ask(
                    "Can whoever checks it also forge it?",
                    Grade::Assertion,
                    "yes: this machine holds the node's key".to_owned(),
                )
            } else {
                ask(
                    "Can whoever checks it also forge it?",
                    Grade::Recheckable,
                    "no: checking takes public keys only".to_owned(),
                )
            },
        ]
    }

    fn not_checked(&self, replay: &ReplayVerdict, calls: &[CalledTool]) -> Vec<String> {
        let statement = self.statement();
        let mut list = self.not_checked_of_log();
        let mut add = |text: &str| list.push(text.to_owned());
        add("whether later statements of the sandbox were left out");
        let shown = || {
            let all = self.events().unwrap_or_default().iter();
            all.chain(self.disclosed().into_iter().flat_map(BTreeMap::values))
        };
        if self.disclosed().is_some() {
            if !self.withheld().is_empty() {
                add(&self.withheld_events());
            }
        } else if self.events().is_none() {
            add("the events: withheld, or not recorded");
        }
        if !self.holds(Private::Contents) && shown().any(has_content) {
            add("the contents of calls and files: withheld");
        }
        for (private, name) in [
            (Private::Input, "input"),
            (Private::Output, "output"),
            (Private::Source, "agent"),
        ] {
            if !self.holds(private) {
                add(&format!("the {name}'s content: withheld"));
            }
        }
        if let ReplayVerdict::Confirmed {
            fuel: FuelCompared::NotChecked { reason },
        } = replay
        {
            add(&format!("the fuel: {reason}"));
        }
        for call in statement
            .tool_calls
            .iter()
            .filter(|call| call.tool_hash.is_none())
        {
            add(&format!(
                "the code of tool `{}`, which has no digest",
                call.tool
            ));
        }
        for call in statement.tool_calls.iter().filter(|call| {
            call.tool_hash.is_some()
                && call.child.is_none()
                && call.outcome == Some(CallOutcome::Ok)
        }) {
            add(&format!(
                "the result of tool `{}`, of which no execution is named",
                call.tool
            ));
        }
        if self.expectation.nonce.is_none() {
            add("the nonce: the caller expected none");
        }
        if self.expectation.audience.is_none() && statement.audience.is_some() {
            add("the audience: the caller did not say who it is");
        }
        let follow = |call: &CalledTool| matches!(call.execution_proof, Verdict::Pass { .. });
        // What a tool was run again for is what its code makes of its inputs, and no more has to be believed.
        let own = calls
            .iter()
            .filter(|call| call.caller == statement.execution_id);
        if own.clone().count() < statement.tool_calls.len() || !own.clone().all(follow) {
            add("the truth of tool results");
        }
        for line in self.children().iter().flat_map(Self::outside) {
            add(line);
        }
        for line in self.outside() {
            add(line);
        }
        for line in self.not_checked_of_validation() {
            add(line);
        }
        add("the choice of the seed and the clock");
        add("who asked: the principal is the node's claim");
        add("the isolation: the node's claim, without evidence");
        add("the wall time");
        for text in self.not_checked_of_others() {
            add(text);
        }
        // A call of one tool many times is one line.
        let mut seen = std::collections::BTreeSet::new();
        list.retain(|text| seen.insert(text.clone()));
        list
    }

    /// What came from outside the sandbox, by kind.
    fn outside(&self) -> Vec<&'static str> {
        let shown = || {
            let all = self.events().unwrap_or_default().iter();
            all.chain(self.disclosed().into_iter().flat_map(BTreeMap::values))
        };
        let mut list: Vec<&'static str> = self.children().iter().flat_map(Self::outside).collect();
        let mut add = |text| list.push(text);
        let has = |is: fn(&Event) -> bool| shown().any(is);
        if has(|event| matches!(event, Event::HttpRequest { .. })) {
            add("the truth of HTTP replies");
        }
        if has(|event| {
            matches!(
                event,
                Event::FileOpened { .. } | Event::FileStatus { .. } | Event::DirectoryListed { .. }
            )
        }) {
            add("what was in files and directories");
        }
        if has(|event| matches!(event, Event::Environment { .. })) {
            add("what the environment was");
        }
        if has(|event| matches!(event, Event::Granted { .. })) {
            add("who allowed what was asked for during the run");
        }
        if has(|event| matches!(event, Event::WriteBack { .. })) {
            add("whether files were written as stated");
        }
        list
    }

    /// The calls that were executions, by what came of replaying them, in the order of the calls.
    fn called_tools(&self, replayed: &[Replayed]) -> Vec<CalledTool> {
        let caller = self.statement().execution_id;
        let mut called = Vec::new();
        let mut inner = Vec::new();
        for call in &self.statement().tool_calls {
            let Some(execution) = call.child else {
                continue;
            };
            let mut children = self.children().iter().enumerate();
            let found = children.find(|(_, child)| child.statement().execution_id == execution);
            let execution_proof = match found {
                None => Verdict::NotChecked {
                    reason: "its bundle is not within this one".to_owned(),
                },
                Some((index, child)) => {
                    let not_tried = Replayed::from(ReplayVerdict::NotChecked {
                        reason: "it was not run again".to_owned(),
                    });
                    let replayed = replayed.get(index).unwrap_or(&not_tried);
                    inner.extend(child.called_tools(&replayed.children));
                    match child.execution_proof(&replayed.verdict) {
                        // A refused result, or an error, is told in words that no digest ties to the execution.
                        Verdict::Pass { .. } if call.outcome != Some(CallOutcome::Ok) => {
                            Verdict::NotChecked {
                                reason: "the execution was confirmed; that the call failed, and what the caller was told of it, is the signer's word".to_owned(),
                            }
                        }
                        proof => proof,
                    }
                }
            };
            called.push(CalledTool {
                tool: call.tool.clone(),
                execution,
                caller,
                execution_proof,
            });
        }
        called.append(&mut inner);
        called
    }

    /// As `events 0, 2 to 4 and 6, of 7: withheld`.
    fn withheld_events(&self) -> String {
        let withheld = self.withheld();
        let count = self
            .statement()
            .recording
            .map_or(0, |recording| recording.events);
        let mut parts: Vec<String> = withheld
            .iter()
            .take(WITHHELD_RANGES_SHOWN)
            .map(|range| match (range.start(), range.end()) {
                (start, end) if start == end => start.to_string(),
                (start, end) => format!("{start} to {end}"),
            })
            .collect();
        if let Some(more) = withheld
            .len()
            .checked_sub(WITHHELD_RANGES_SHOWN)
            .filter(|more| *more > 0)
        {
            parts.push(format!("{more} more ranges"));
        }
        let last = parts.pop().unwrap_or_default();
        let list = match parts.as_slice() {
            [] => last,
            first => format!("{} and {last}", first.join(", ")),
        };
        format!("events {list}, of {count}: withheld")
    }

    fn warnings(&self) -> Vec<String> {
        let of = |what: &str, unknown: &[String]| -> Vec<String> {
            unknown
                .iter()
                .map(|path| format!("{what} has a field that is not known here: `{path}`"))
                .collect()
        };
        let mut warnings = of("statement", &self.statement().unknown);
        warnings.extend(of("delegation", &self.delegation().unknown));
        if let Some(begin) = self.begin() {
            warnings.extend(of("begin", &begin.unknown));
        }
        if let Some(tree_size) = self.revoked_from {
            warnings.push(format!(
                "node `{}` is revoked from index {tree_size} of the log on: this was logged before",
                self.node()
            ));
        }
        if self.origin() == Origin::ThisMachine {
            warnings.push("no trust file: only this machine's own node is trusted".to_owned());
        }
        warnings
    }
}

fn has_content(event: &Event) -> bool {
    event.contents().next().is_some()
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, text) = match self {
            Self::Pass { detail } => ("pass", detail),
            Self::Fail { detail } => ("FAIL", detail),
            Self::NotChecked { reason } => ("not checked", reason),
        };
        write!(f, "{word:<12} {}", text.escape_debug())
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recheckable => "independently re-checkable",
            Self::Assertion => "supplier assertion",
            Self::NoInformation => "no information",
        })
    }
}

impl fmt::Display for Report {
    /// For a terminal, without colours. Words that a stranger chose are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Signature valid  {}", self.signature_valid)?;
        writeln!(f, "Execution proof  {}", self.execution_proof)?;
        writeln!(f, "Logged           {}", self.logged)?;
        writeln!(f, "Time validity    {}", self.time_validity)?;
        for call in &self.tool_calls {
            let (tool, proof) = (call.tool.escape_debug(), &call.execution_proof);
            writeln!(
                f,
                "Tool call        {proof}\n                 {tool}, execution {}",
                call.execution
            )?;
        }
        if let Some(validation) = &self.validation {
            write!(f, "{validation}")?;
        }
        for (number, question) in (1..).zip(&self.questions) {
            writeln!(
                f,
                "\n{number}. {} [{}]\n   {}",
                question.question,
                question.grade,
                question.answer.escape_debug()
            )?;
        }
        writeln!(f, "\nNot checked:")?;
        for text in &self.not_checked {
            writeln!(f, "  - {}", text.escape_debug())?;
        }
        if !self.warnings.is_empty() {
            writeln!(f, "\nWarnings:")?;
        }
        for text in &self.warnings {
            writeln!(f, "  - {}", text.escape_debug())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::replay::DivergedAt;

    #[test]
    fn only_a_replay_passes_the_execution_proof() {
        let verified = fixture::verified();
        let proof = |replay: ReplayVerdict| verified.report(&replay).execution_proof;
        let reason = || "r".to_owned();
        assert!(matches!(
            proof(ReplayVerdict::Confirmed {
                fuel: FuelCompared::Equal
            }),
            Verdict::Pass { .. }
        ));
        assert!(matches!(
            proof(ReplayVerdict::NotChecked { reason: reason() }),
            Verdict::NotChecked { .. }
        ));
        assert!(matches!(
            proof(ReplayVerdict::Unverifiable { reason: reason() }),
            Verdict::NotChecked { .. }
        ));
        let diverged = ReplayVerdict::Diverged {
            at: DivergedAt::Event(3),
            recorded: reason(),
            replayed: reason(),
        };
        let Verdict::Fail { detail } = proof(diverged) else {
            panic!("a divergence is a failure")
        };
        assert!(detail.contains("event 3"));
    }

    #[test]
    fn the_report_says_what_was_not_checked() {
        let report = fixture::verified().report(&ReplayVerdict::NotChecked {
            reason: "no runtime".to_owned(),
        });
        assert!(matches!(report.signature_valid, Verdict::Pass { .. }));
        assert!(matches!(report.time_validity, Verdict::NotChecked { .. }));
        assert_eq!(report.questions.len(), 6);
        for line in [
            "the truth of tool results",
            "the nonce: the caller expected none",
        ] {
            assert!(
                report.not_checked.iter().any(|text| text == line),
                "{line}: {:?}",
                report.not_checked
            );
        }
        let text = report.to_string();
        assert!(
            text.starts_with(
                "Signature valid  pass         signed by a key that node `test` delegated to"
            ),
            "{text}"
        );
        let json = serde_json::to_vec(&report).unwrap();
        assert_eq!(serde_json::from_slice::<Report>(&json).unwrap(), report);
    }

    #[test]
    fn a_tools_result_need_not_be_believed_once_its_call_was_run_again() {
        let case = fixture::CalledCase::new();
        let verify = |bundle: crate::Bundle| {
            let expectation = crate::Expectation::default();
            bundle
                .verify(&fixture::trust(), &expectation, fixture::now())
                .unwrap()
        };
        let confirmed = || ReplayVerdict::Confirmed {
            fuel: FuelCompared::Equal,
        };
        let believed = |report: &Report| {
            let mut lines = report.not_checked.iter();
            lines.any(|line| line == "the truth of tool results")
        };
        let both = Replayed {
            verdict: confirmed(),
            children: vec![confirmed().into()],
        };
        let mut case_of_one_call = fixture::CalledCase::new();
        case_of_one_call.agent.events.drain(2..5);
        case_of_one_call.agent.contents.truncate(2);
        case_of_one_call.agent.statement.tool_calls.pop();
        case_of_one_call.agent.settle();
        let report = verify(case_of_one_call.bundle()).report_all(&both);
        assert!(!believed(&report), "{report}");
        assert!(matches!(
            report.tool_calls[0].execution_proof,
            Verdict::Pass { .. }
        ));
        // Not tried, not there, or another call beside it: then it has to be.
        assert!(believed(
            &verify(case_of_one_call.bundle()).report(&confirmed())
        ));
        assert!(believed(
            &verify(case_of_one_call.parent()).report_all(&both)
        ));
        assert!(believed(&verify(case.bundle()).report_all(&both)));
        let lied = Replayed {
            verdict: confirmed(),
            children: vec![
                ReplayVerdict::Diverged {
                    at: DivergedAt::Output,
                    recorded: "1".to_owned(),
                    replayed: "2".to_owned(),
                }
                .into(),
            ],
        };
        let report = verify(case_of_one_call.bundle()).report_all(&lied);
        assert!(believed(&report) && report.to_string().contains("FAIL"));
    }

    #[test]
    fn a_checks_verdict_need_not_be_believed_once_it_was_run_again() {
        let verify = |case: &fixture::ValidatedCase| {
            let expectation = crate::Expectation::default();
            let bundle = case.bundle();
            let verified = bundle.verify(&fixture::trust(), &expectation, fixture::now());
            verified.unwrap()
        };
        let confirmed = || ReplayVerdict::Confirmed {
            fuel: FuelCompared::Equal,
        };
        let mut case = fixture::ValidatedCase::new();
        let passes = |verified: &Verified, replayed: &Replayed| -> Vec<bool> {
            let report = verified.report_all(replayed).validation.unwrap();
            let mut steps = report.steps.iter();
            steps
                .by_ref()
                .map(|step| matches!(step.verdict, Verdict::Pass { .. }))
                .collect()
        };
        let both = Replayed {
            verdict: confirmed(),
            children: vec![confirmed().into()],
        };
        assert_eq!(passes(&verify(&case), &both), [false, true, true, true]);
        let alone = confirmed().into();
        assert_eq!(passes(&verify(&case), &alone), [false, true, true, false]);
        case.fail(b"false");
        let report = verify(&case).report_all(&both);
        assert!(report.to_string().contains("check `total` FAILED"));
        // That it says no is confirmed, too.
        assert_eq!(passes(&verify(&case), &both), [false, true, true, true]);
    }

    #[test]
    fn this_machines_own_node_can_forge_what_it_checks() {
        let own = fixture::own_verified().report(&ReplayVerdict::NotChecked {
            reason: String::new(),
        });
        assert_eq!(own.questions[5].grade, Grade::Assertion);
        assert!(own.warnings[0].contains("no trust file"));
        let other = fixture::verified().report(&ReplayVerdict::NotChecked {
            reason: String::new(),
        });
        assert_eq!(other.questions[5].grade, Grade::Recheckable);
    }
}
