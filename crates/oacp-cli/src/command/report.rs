//! A verification's report as a person reads it: three verdicts first, then the six questions, then what nobody checked.

use anstyle::Style;
use oacp::Verified;
use oacp::report::{Grade, Report, Verdict};

use crate::console::{BOLD, DIM, GREEN, RED, YELLOW};
use crate::escape::visible;

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

/// The three verdicts, one line each.
pub(super) fn verdicts(report: &Report) -> String {
    let verdicts = [
        ("signature valid", &report.signature_valid),
        ("execution proof", &report.execution_proof),
        ("time validity", &report.time_validity),
    ];
    let lines = verdicts.map(|(name, verdict)| {
        let (style, word, text) = match verdict {
            Verdict::Pass { detail } => (GREEN, "PASS", detail),
            Verdict::Fail { detail } => (RED, "FAIL", detail),
            Verdict::NotChecked { reason } => (YELLOW, "NOT CHECKED", reason),
        };
        format!(
            "{style}{word:<11}{style:#}  {BOLD}{name:<15}{BOLD:#}  {}",
            visible(text)
        )
    });
    lines.join("\n")
}

/// The whole report, from its verdicts on.
pub(super) fn whole(report: &Report) -> String {
    let mut text = verdicts(report);
    text.push('\n');
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
        &report.time_validity,
    ];
    verdicts
        .into_iter()
        .any(|verdict| matches!(verdict, Verdict::Fail { .. }))
}
