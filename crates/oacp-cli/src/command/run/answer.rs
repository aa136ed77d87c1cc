//! What a run's caller is told: for a person, and as JSON.

use std::path::Path;
use std::time::Duration;

use oacp::capability::{Denial, GuestPath};
use oacp::event::{Change, Written};
use oacp::id::ExecutionId;
use oacp::outcome::Outcome;
use oacp_gateway::Execution;
use serde::Serialize;
use serde_json::value::RawValue;

use super::logged::Told;
use crate::command::denials as denials_of_a_run;
use crate::console::{BOLD, CYAN, Console, DIM, GREEN, RED, YELLOW};
use crate::escape::{json_line, visible, visible_lines};
use crate::failure::Failure;
use crate::home::shown;
use crate::measure;

/// Whether denials are told here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denials {
    Told,
    /// What is learnt from them names each.
    LeftToLearning,
}

/// Prints the result alone on standard output; or the failure, and the summary, on standard error.
pub(super) fn print(
    execution: &Execution,
    file: &Path,
    denials: Denials,
    told: &Told,
    console: &Console,
) -> Result<(), Failure> {
    match &execution.failure {
        None => {
            let text = String::from_utf8_lossy(&execution.output);
            console.print_bytes(json_line(&text).as_bytes())?;
        }
        Some(failure) => {
            let mut text = format!(
                "{RED}{}{RED:#}: {}",
                execution.outcome,
                visible(&failure.message)
            );
            if let Some((file, line)) = &failure.location {
                text.push_str(&format!("\n  at {BOLD}{}:{line}{BOLD:#}", visible(file)));
            }
            // Languages repeat the message in the trace.
            let trace: Vec<&str> = failure
                .trace
                .lines()
                .filter(|line| *line != failure.message)
                .collect();
            if !trace.is_empty() {
                text.push_str(&format!("\n{}", visible_lines(&trace.join("\n"), "    ")));
            }
            if let Some(hint) = hint(execution.outcome) {
                text.push_str(&format!("\n  {CYAN}hint{CYAN:#}: {hint}"));
            }
            console.say(&text);
        }
    }
    let denied = denials_of_a_run::text(&execution.denials);
    if execution.outcome == Outcome::Denied {
        // It is why there is no result.
        console.say(denied.trim_end());
    } else if !denied.is_empty() && denials == Denials::Told {
        console.note(denied.trim_end());
    }
    for write in &execution.writes {
        if let Some(why) = not_written(write.result) {
            console.say(&format!(
                "{RED}not written{RED:#}: {} ({}): {why}",
                visible(write.path.as_str()),
                word(&write.change)
            ));
        }
    }
    if let Some(line) = told.line(file) {
        console.note(&line);
    }
    console.note(&summary(execution, file));
    Ok(())
}

/// Why a change is not on disk.
fn not_written(result: Written) -> Option<&'static str> {
    match result {
        Written::Done => None,
        Written::Conflict => Some(
            "it was changed by somebody else since the agent saw it; that is kept, and the agent's is in the bundle",
        ),
        Written::Failed => Some("the system refused"),
        Written::NotDone => Some("it was not tried, because another change cannot be written"),
    }
}

/// A word of a recording, as it is there.
fn word(word: &impl Serialize) -> String {
    match serde_json::to_value(word) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}

fn hint(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::OutOfFuel => Some("allow more with --fuel N; 1,000,000 are a millisecond"),
        Outcome::OutOfMemory => Some("allow more with --memory-mb N"),
        Outcome::Denied => Some(
            "grant it, or let the agent catch it; `oacp run --ask` asks, `--learn` writes the grant",
        ),
        Outcome::TimedOut => Some("allow more with --timeout MS, and for computing with --fuel N"),
        Outcome::Refused => Some(
            "nothing was run; `oacp agent show NAME` says what it takes, `oacp agent check NAME` what is in its way",
        ),
        _ => None,
    }
}

fn summary(execution: &Execution, file: &Path) -> String {
    let Execution {
        outcome,
        usage,
        tool_calls,
        denials,
        writes,
        ..
    } = execution;
    let style = if *outcome == Outcome::Ok { GREEN } else { RED };
    let mut parts = vec![
        format!("{style}{outcome}{style:#}"),
        measure::duration(usage.wall),
    ];
    parts.extend(
        usage
            .fuel
            .map(|fuel| format!("{} fuel", measure::count(fuel))),
    );
    if *tool_calls > 0 {
        parts.push(measure::plural(*tool_calls as u64, "tool call"));
    }
    let done = writes
        .iter()
        .filter(|write| write.result == Written::Done)
        .count();
    if done > 0 {
        parts.push(format!(
            "{} written",
            measure::plural(done as u64, "change")
        ));
    }
    if done < writes.len() {
        parts.push(format!("{RED}{} not written{RED:#}", writes.len() - done));
    }
    if !denials.is_empty() {
        parts.push(format!("{YELLOW}{} denied{YELLOW:#}", denials.len()));
    }
    parts.push(format!("{DIM}oacp verify {}{DIM:#}", shown(file)));
    parts.join(" · ")
}

/// What `--json` prints. Fields are added, never renamed.
#[derive(Serialize)]
pub(super) struct Answer<'a> {
    outcome: Outcome,
    /// As the agent wrote it: numbers keep their spelling.
    result: Option<Box<RawValue>>,
    error: Option<Error<'a>>,
    execution_id: ExecutionId,
    bundle: &'a Path,
    usage: UsageAnswer,
    tool_calls: usize,
    denials: &'a [Denial],
    writes: Vec<WriteAnswer<'a>>,
    events: u64,
    logged: &'a Told,
}

#[derive(Serialize)]
struct WriteAnswer<'a> {
    path: &'a GuestPath,
    change: Change,
    result: Written,
}

#[derive(Serialize)]
struct Error<'a> {
    message: &'a str,
    trace: &'a str,
    location: Option<Location<'a>>,
}

#[derive(Serialize)]
struct Location<'a> {
    file: &'a str,
    line: u32,
}

#[derive(Serialize)]
struct UsageAnswer {
    fuel: Option<u64>,
    memory_bytes_peak: u64,
    computing_us: u64,
    wall_us: u64,
}

impl<'a> Answer<'a> {
    pub(super) fn of(
        execution: &'a Execution,
        bundle: &'a Path,
        logged: &'a Told,
    ) -> Result<Self, Failure> {
        let microseconds =
            |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let Execution {
            outcome,
            output,
            failure,
            usage,
            denials,
            ..
        } = execution;
        Ok(Self {
            outcome: *outcome,
            result: if failure.is_none() {
                Some(serde_json::from_slice(output)?)
            } else {
                None
            },
            error: failure.as_ref().map(|failure| Error {
                message: &failure.message,
                trace: &failure.trace,
                location: failure
                    .location
                    .as_ref()
                    .map(|(file, line)| Location { file, line: *line }),
            }),
            execution_id: execution.execution_id,
            bundle,
            usage: UsageAnswer {
                fuel: usage.fuel,
                memory_bytes_peak: usage.memory_bytes_peak,
                computing_us: microseconds(usage.computing),
                wall_us: microseconds(usage.wall),
            },
            tool_calls: execution.tool_calls,
            denials,
            writes: execution
                .writes
                .iter()
                .map(|write| WriteAnswer {
                    path: &write.path,
                    change: write.change,
                    result: write.result,
                })
                .collect(),
            events: execution.events,
            logged,
        })
    }
}
