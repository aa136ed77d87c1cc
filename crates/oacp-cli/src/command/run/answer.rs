//! What a run's caller is told: for a person, and as JSON.

use std::path::Path;
use std::time::Duration;

use oacp::capability::Denial;
use oacp::id::ExecutionId;
use oacp::outcome::Outcome;
use oacp_gateway::Execution;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::console::{BOLD, CYAN, Console, DIM, GREEN, RED, YELLOW};
use crate::escape::{json_line, visible, visible_lines};
use crate::failure::Failure;
use crate::home::shown;
use crate::measure;

/// Prints the result alone on standard output; or the failure, and the summary, on standard error.
pub(super) fn print(execution: &Execution, file: &Path, console: &Console) -> Result<(), Failure> {
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
            if let Some(denial) = execution
                .denials
                .last()
                .filter(|_| execution.outcome == Outcome::Denied)
            {
                text.push_str(&format!("\n  {}", denial.to_string().replace('\n', "\n  ")));
            }
            if let Some(hint) = hint(execution.outcome) {
                text.push_str(&format!("\n  {CYAN}hint{CYAN:#}: {hint}"));
            }
            console.say(&text);
        }
    }
    console.note(&summary(execution, file));
    Ok(())
}

fn hint(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::OutOfFuel => Some("allow more with --fuel N; 1,000,000 are a millisecond"),
        Outcome::OutOfMemory => Some("allow more with --memory-mb N"),
        Outcome::TimedOut => Some("allow more with --timeout MS, and for computing with --fuel N"),
        _ => None,
    }
}

fn summary(execution: &Execution, file: &Path) -> String {
    let Execution {
        outcome,
        usage,
        tool_calls,
        denials,
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
    events: u64,
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
    pub(super) fn of(execution: &'a Execution, bundle: &'a Path) -> Result<Self, Failure> {
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
            events: execution.events,
        })
    }
}
