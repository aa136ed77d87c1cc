//! A verification's report as a person reads it: four verdicts first, then the six questions, then what nobody checked.

use anstyle::Style;
use oacp::Verified;
use oacp::bundle::Bundle;
use oacp::replay::Replayed;
use oacp::report::{CalledTool, Grade, JudgedStep, Report, Verdict};

use crate::console::{BOLD, DIM, GREEN, RED, YELLOW};
use crate::escape::visible;
use crate::home::Home;
use crate::measure;
use crate::node_key;

/// The last of the six questions, whose answer depends on the machine that asks.
const CAN_FORGE: &str = "Can whoever checks it also forge it?";

/// The report of a verification on this machine. A trust file may name this machine's own node: who holds its key can forge what it
/// signs, whichever way it came to be trusted.
pub(super) fn of(verified: &Verified, bundle: &Bundle, replayed: &Replayed, home: &Home) -> Report {
    let mut report = verified.report_all(replayed);
    // A key that cannot be read here is none that could sign here.
    let own = node_key::load(home).ok().flatten();
    if own.is_some_and(|key| key.public().id() == bundle.delegation().keyid())
        && let Some(question) = report
            .questions
            .iter_mut()
            .find(|question| question.question == CAN_FORGE)
    {
        question.grade = Grade::Assertion;
        question.answer = "yes: this machine holds the node's key".to_owned();
    }
    report
}

/// One line at the end: whether it is verified, and what that rests on.
pub(super) fn closing(report: &Report) -> String {
    let verdicts = [
        ("signature", &report.signature_valid),
        ("execution proof", &report.execution_proof),
        ("log", &report.logged),
        ("time", &report.time_validity),
    ];
    let calls = report.tool_calls.iter();
    let calls = calls.map(|call| ("the result of a tool call", &call.execution_proof));
    let steps = steps(report).map(|step| ("the validation", &step.verdict));
    let failed: Vec<&str> = verdicts
        .into_iter()
        .chain(calls)
        .chain(steps)
        .filter(|(_, verdict)| matches!(verdict, Verdict::Fail { .. }))
        .map(|(name, _)| name)
        .collect();
    if !failed.is_empty() {
        return format!("{RED}failed{RED:#}: {} does not hold", failed.join(", "));
    }
    let again = match &report.execution_proof {
        Verdict::Pass { .. } => "run again with the same output".to_owned(),
        Verdict::Fail { detail } | Verdict::NotChecked { reason: detail } => {
            format!("not run again: {}", visible(short(detail)))
        }
    };
    let logged = match &report.logged {
        Verdict::Pass { .. } => ", logged",
        Verdict::Fail { .. } | Verdict::NotChecked { .. } => "",
    };
    format!(
        "{GREEN}verified{GREEN:#}: signed for node `{}`{logged}, {again}; {} not checked",
        visible(&report.node),
        measure::plural(report.not_checked.len() as u64, "thing")
    )
}

/// A reason without what the line says already.
fn short(reason: &str) -> &str {
    reason
        .strip_prefix("not run again: ")
        .or_else(|| reason.strip_prefix("this machine could not run it again: "))
        .unwrap_or(reason)
}

/// One line that says what ran.
pub(super) fn subject(verified: &Verified) -> String {
    let statement = verified.statement();
    let entry = statement
        .agent_entry
        .as_ref()
        .map(|entry| format!(" ({})", visible(entry.as_str())))
        .unwrap_or_default();
    format!(
        "{BOLD}{}{BOLD:#}  agent {}{entry}\n{} · {} · {} · {}",
        statement.execution_id,
        statement.agent_hash.short(),
        statement.timestamp,
        statement.outcome,
        statement.isolation.kind,
        statement.level,
    )
}

/// The four verdicts, one line each.
pub(super) fn verdicts(report: &Report) -> String {
    let verdicts = [
        ("signature valid", &report.signature_valid),
        ("execution proof", &report.execution_proof),
        ("logged", &report.logged),
        ("time validity", &report.time_validity),
    ];
    verdicts
        .map(|(name, verdict)| line(name, verdict))
        .join("\n")
}

/// A call of a tool that was an execution, and whether its result follows.
pub(super) fn called(call: &CalledTool) -> String {
    let tool = format!("{} {}", call.tool, call.execution);
    let (style, word, text) = match &call.execution_proof {
        Verdict::Pass { .. } => (GREEN, "PASS", "run again: its result follows"),
        Verdict::Fail { detail } => (RED, "FAIL", detail.as_str()),
        Verdict::NotChecked { reason } => (YELLOW, "NOT CHECKED", reason.as_str()),
    };
    format!(
        "{style}{word:<11}{style:#}  {BOLD}{:<15}{BOLD:#}  {}: {}",
        "tool call",
        visible(&tool),
        visible(text)
    )
}

/// What the agent's definition asks for, if it is a registered one.
fn steps(report: &Report) -> impl Iterator<Item = &JudgedStep> {
    report
        .validation
        .iter()
        .flat_map(|validation| &validation.steps)
}

/// The steps of a run's validation, a line each.
pub(super) fn validation(report: &Report) -> Vec<String> {
    let lines = steps(report).map(|step| {
        let came = if step.passed { "passed" } else { "FAILED" };
        let of = format!("{} {came}: ", step.step);
        let said = |text: &String| format!("{of}{text}");
        let verdict = match &step.verdict {
            Verdict::Pass { detail } => Verdict::Pass {
                detail: said(detail),
            },
            Verdict::Fail { detail } => Verdict::Fail {
                detail: said(detail),
            },
            Verdict::NotChecked { reason } => Verdict::NotChecked {
                reason: said(reason),
            },
        };
        line("validation", &verdict)
    });
    lines.collect()
}

/// One verdict.
pub(super) fn line(name: &str, verdict: &Verdict) -> String {
    let (style, word, text) = match verdict {
        Verdict::Pass { detail } => (GREEN, "PASS", detail),
        Verdict::Fail { detail } => (RED, "FAIL", detail),
        Verdict::NotChecked { reason } => (YELLOW, "NOT CHECKED", reason),
    };
    format!(
        "{style}{word:<11}{style:#}  {BOLD}{name:<15}{BOLD:#}  {}",
        visible(text)
    )
}

/// The whole report, from its verdicts on.
pub(super) fn whole(report: &Report) -> String {
    let mut text = verdicts(report);
    text.push('\n');
    for call in &report.tool_calls {
        text.push_str(&called(call));
        text.push('\n');
    }
    for step in validation(report) {
        text.push_str(&step);
        text.push('\n');
    }
    for (number, question) in (1..).zip(&report.questions) {
        let style = match question.grade {
            Grade::Recheckable => GREEN,
            Grade::Assertion => YELLOW,
            Grade::NoInformation => Style::new(),
        };
        text.push_str(&format!(
            "\n{number}. {BOLD}{}{BOLD:#}\n   {style}{}{style:#}: {}\n",
            visible(&question.question),
            question.grade,
            visible(&question.answer),
        ));
    }
    text.push_str(&format!("\n{YELLOW}NOT CHECKED{YELLOW:#}\n"));
    text.extend(
        report
            .not_checked
            .iter()
            .map(|line| format!("  {DIM}·{DIM:#} {}\n", visible(line))),
    );
    for warning in &report.warnings {
        text.push_str(&format!(
            "{YELLOW}warning{YELLOW:#}: {}\n",
            visible(warning)
        ));
    }
    text
}

/// Whether something was checked and does not hold.
pub(super) fn failed(report: &Report) -> bool {
    let verdicts = [
        &report.signature_valid,
        &report.execution_proof,
        &report.logged,
        &report.time_validity,
    ];
    let calls = report.tool_calls.iter().map(|call| &call.execution_proof);
    let steps = steps(report).map(|step| &step.verdict);
    verdicts
        .into_iter()
        .chain(calls)
        .chain(steps)
        .any(|verdict| matches!(verdict, Verdict::Fail { .. }))
}
