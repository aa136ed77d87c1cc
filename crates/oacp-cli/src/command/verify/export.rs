//! An export of a log: whether every entry of its range is there, in its place, and what the entries say of each other.

use std::fmt::Display;
use std::io::{BufRead, Read};

use oacp::export::{EXPORT_V1, ExportError, ExportReader, ExportReport, Findings};
use oacp::id::LogOrigin;
use oacp::limits::EXPORT_LINE;
use oacp::refusal::RefusalKind;
use oacp::report::Verdict;
use serde::{Deserialize, Serialize};

use crate::command::report::line as verdict;
use crate::console::{BOLD, Console, DIM, GREEN, RED, YELLOW};
use crate::escape::visible;
use crate::failure::{Exit, Failure, Judge};
use crate::measure;
use crate::progress::Counting;
use crate::trust::Trusted;

/// Findings of one kind that are shown to a person; JSON has more.
const SHOWN: usize = 10;

/// What `--json` prints. Fields are added, never renamed.
#[derive(Serialize)]
struct Answer<'a> {
    /// `verified`; `failed`: something was checked and does not hold; or `could_not_check`: nobody says whether the log signed the checkpoint.
    verdict: &'static str,
    export: &'a ExportReport,
}

pub(super) fn verify(
    mut lines: Box<dyn BufRead>,
    trusted: &Trusted,
    console: &Console,
) -> Result<Exit, Failure> {
    let first = next(&mut lines)?;
    let header = header(&first);
    let origin = header.as_ref().map(|header| &header.origin);
    let trust = trusted.with_log(origin)?;
    let mut reader = ExportReader::new(&trust);
    reader.line(&first).map_err(refused)?;
    let total = header.map_or(0, |header| header.to.saturating_sub(header.from));
    let counting = Counting::new(console, "checking", "entries", total);
    loop {
        let line = next(&mut lines)?;
        if line.is_empty() {
            break;
        }
        reader.line(&line).map_err(refused)?;
        counting.step();
    }
    let report = reader.finish().map_err(refused)?;
    drop(counting);
    let (verdict, exit) = judged(&report);
    if console.json {
        console.print_json(&Answer {
            verdict,
            export: &report,
        })?;
    } else {
        console.print(&text(&report))?;
    }
    Ok(exit)
}

/// Entries that lead to a checkpoint that nobody signed can be anybody's: such an export shows nothing.
fn judged(report: &ExportReport) -> (&'static str, Exit) {
    match (report.has_failed(), &report.published) {
        (true, _) => ("failed", Exit::No),
        (false, Verdict::Pass { .. }) => ("verified", Exit::Yes),
        (false, _) => ("could_not_check", Exit::Unable),
    }
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "type")]
    kind: String,
    origin: LogOrigin,
    from: u64,
    to: u64,
}

/// What the first line says, to choose the policy by and to show how far it is. Whether it is true, the reader tells.
fn header(line: &[u8]) -> Option<Header> {
    let header: Header = serde_json::from_slice(line).ok()?;
    (header.kind == EXPORT_V1).then_some(header)
}

/// The next line, or nothing at the end. One that is too long is cut, and refused for that.
fn next(lines: &mut dyn BufRead) -> Result<Vec<u8>, Failure> {
    let mut line = Vec::new();
    lines
        .take(EXPORT_LINE.bytes_max as u64 + 1)
        .read_until(b'\n', &mut line)
        .or_context(|| "cannot read the export".to_owned())?;
    Ok(line)
}

fn refused(error: ExportError) -> Failure {
    let exit = match error.kind() {
        RefusalKind::Invalid => Exit::No,
        RefusalKind::CouldNotCheck => Exit::Unable,
    };
    let code = error.code();
    let failure = Failure::from(error).refused(exit, code);
    match code {
        "log_policy_unmet" => failure.hint(
            "whoever made it may make it anew with a checkpoint that witnesses have cosigned; or give another policy with --trust FILE",
        ),
        _ => failure,
    }
}

fn text(report: &ExportReport) -> String {
    let ExportReport {
        origin, from, to, ..
    } = report;
    let mut text = format!(
        "{BOLD}{origin}{BOLD:#}  {}\n{} with payloads · {} redacted · {} pruned · {}\n\n",
        range(*from, *to),
        report.payloads,
        report.redacted,
        report.pruned,
        measure::plural(report.keys, "key"),
    );
    for (name, outcome) in [
        ("complete", &report.complete),
        ("published", &report.published),
        ("signed", &report.signed),
        ("chained", &report.chained),
    ] {
        text.push_str(&verdict(name, outcome));
        text.push('\n');
    }
    list(&mut text, "signed wrongly", &report.signatures.wrong);
    list(&mut text, "contradictions", &report.contradictions);
    list(&mut text, "missing", &report.missing);
    list(&mut text, "perhaps missing", &report.untold);
    let unfinished = &report.unfinished;
    if !unfinished.is_empty() {
        text.push_str(&format!("\n{YELLOW}begun and not ended{YELLOW:#}\n"));
        for begun in unfinished.first.iter().take(SHOWN) {
            text.push_str(&format!(
                "  entry {}: {}\n",
                begun.index, begun.execution_id
            ));
        }
        more(&mut text, unfinished.count);
    }
    if !report.not_checked.is_empty() {
        text.push_str(&format!("\n{YELLOW}NOT CHECKED{YELLOW:#}\n"));
        for line in &report.not_checked {
            text.push_str(&format!("  {DIM}·{DIM:#} {}\n", visible(line)));
        }
    }
    let closing = match judged(report).1 {
        Exit::No => format!("{RED}failed{RED:#}: see above"),
        Exit::Unable => format!(
            "{YELLOW}could not be checked{YELLOW:#}: whether the log signed the checkpoint is not known; give its policy, in the file of --trust"
        ),
        _ => format!(
            "{GREEN}verified{GREEN:#}: {}, and none is missing; {} not checked",
            range(*from, *to),
            measure::plural(report.not_checked.len() as u64, "thing")
        ),
    };
    text.push_str(&format!("\n{closing}"));
    text
}

/// `3 entries, 4 to 6`.
fn range(from: u64, to: u64) -> String {
    let entries = measure::entries(to - from);
    match to.checked_sub(1).filter(|last| *last >= from) {
        Some(last) if last > from => format!("{entries}, {from} to {last}"),
        Some(only) => format!("{entries}, {only}"),
        None => entries,
    }
}

fn list<T: Display>(text: &mut String, what: &str, findings: &Findings<T>) {
    if findings.is_empty() {
        return;
    }
    text.push_str(&format!("\n{RED}{what}{RED:#}\n"));
    for finding in findings.first.iter().take(SHOWN) {
        text.push_str(&format!("  {}\n", visible(&finding.to_string())));
    }
    more(text, findings.count);
}

fn more(text: &mut String, count: u64) {
    if let Some(more) = count.checked_sub(SHOWN as u64).filter(|more| *more > 0) {
        text.push_str(&format!("  {DIM}and {more} more{DIM:#}\n"));
    }
}
