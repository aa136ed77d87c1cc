//! `oacp explain`: what an outcome or a denial means, and what to do; or what a run was denied.

use std::path::Path;

use clap::Args;
use oacp::Expectation;
use oacp::capability::{DENIAL_CODES, Denial};
use oacp::event::Event;
use oacp::outcome::Outcome;
use serde_json::json;

use super::{denials, runs};
use crate::console::{BOLD, Console, YELLOW};
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::nearest::nearest;
use crate::{bundle_file, trust};

#[derive(Args)]
pub(crate) struct Arguments {
    /// An outcome, as a run's summary names it; the code of a denial; or a bundle, or the id of a run
    what: String,
    /// Whom to trust for a bundle [default: this machine's own node]
    #[arg(long, value_name = "FILE")]
    trust: Option<std::path::PathBuf>,
}

pub(crate) fn explain(
    arguments: &Arguments,
    home: &Home,
    console: &Console,
) -> Result<Exit, Failure> {
    let what = arguments.what.as_str();
    if let Some(outcome) = Outcome::ALL.into_iter().find(|o| o.as_str() == what) {
        return explain_outcome(outcome, console);
    }
    if let Some((code, text)) = DENIAL_CODES.iter().find(|(code, _)| *code == what) {
        return explain_denial(code, text, console);
    }
    let is_file = what == "-" || Path::new(what).exists();
    match runs::locate(what, home) {
        Ok(bundle) => explain_run(&bundle, arguments, home, console),
        Err(failure) if is_file => Err(failure),
        Err(_) => Err(unknown(what)),
    }
}

fn unknown(what: &str) -> Failure {
    let outcomes = Outcome::ALL.map(Outcome::as_str);
    let known: Vec<&str> = outcomes
        .into_iter()
        .chain(DENIAL_CODES.iter().map(|(code, _)| *code))
        .collect();
    let near = nearest(what, known.iter().copied())
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default();
    Failure::usage(format!(
        "`{what}` is no outcome, no code of a denial and no run{near}"
    ))
    .hint(format!("known here: {}", known.join(", ")))
}

fn explain_denial(code: &str, text: &str, console: &Console) -> Result<Exit, Failure> {
    if console.json {
        console.print_json(&json!({ "code": code, "text": text }))?;
    } else {
        console.print(&format!("{BOLD}{code}{BOLD:#}: {text}"))?;
    }
    Ok(Exit::Yes)
}

/// What a run was denied, each once, with how to mend it.
fn explain_run(
    bundle: &Path,
    arguments: &Arguments,
    home: &Home,
    console: &Console,
) -> Result<Exit, Failure> {
    let trust = trust::load(arguments.trust.as_deref(), home)?;
    let bundle = bundle_file::read(bundle)?;
    let verified = bundle_file::verify(&bundle, &trust, &Expectation::default())?;
    let statement = verified.statement();
    let events = verified.events();
    let denied: Vec<Denial> = events
        .unwrap_or_default()
        .iter()
        .filter_map(|event| match event {
            Event::Denial { denial, .. } => Some(denial.clone()),
            _ => None,
        })
        .collect();
    let counted = denials::counted(&denied);
    if console.json {
        let denials: Vec<_> = counted
            .iter()
            .map(|(denial, count)| json!({ "denial": denial, "count": count }))
            .collect();
        console.print_json(&json!({
            "execution_id": statement.execution_id,
            "outcome": statement.outcome,
            "text": statement.outcome.explain(),
            "events": events.is_some(),
            "denials": denials,
        }))?;
        return Ok(Exit::Yes);
    }
    let mut text = format!(
        "{BOLD}{}{BOLD:#}  {}: {}.\n",
        statement.execution_id,
        statement.outcome,
        statement.outcome.explain()
    );
    if let Some(fix) = fix(statement.outcome) {
        text.push_str(&format!("{fix}\n"));
    }
    text.push('\n');
    match events {
        None => text.push_str(&format!(
            "{YELLOW}what it was denied is not in the bundle{YELLOW:#}: its events are withheld, or were not recorded\n"
        )),
        Some(_) if counted.is_empty() => text.push_str("nothing was denied\n"),
        Some(_) => text.push_str(&denials::lines(counted.iter())),
    }
    console.print(&text)?;
    Ok(Exit::Yes)
}

fn explain_outcome(outcome: Outcome, console: &Console) -> Result<Exit, Failure> {
    let again = match outcome.reexecutable() {
        true => "Whoever has the bundle can run it again and see the same end.",
        false => "It depends on the machine or on people, so running it again shows nothing.",
    };
    let fix = fix(outcome);
    if console.json {
        let object = json!({
            "outcome": outcome,
            "text": outcome.explain(),
            "reexecutable": outcome.reexecutable(),
            "fix": fix,
        });
        console.print_json(&object)?;
    } else {
        let fix = fix.map(|fix| format!("\n{fix}")).unwrap_or_default();
        console.print(&format!(
            "{BOLD}{outcome}{BOLD:#}: {}.\n{again}{fix}",
            outcome.explain()
        ))?;
    }
    Ok(Exit::Yes)
}

fn fix(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Ok | Outcome::AwaitingApproval => None,
        Outcome::CheckFailed => Some(
            "The schema of its output, or a check of its definition, says no: `oacp verify RUN` lists them. The output is in the bundle.",
        ),
        Outcome::Refused => {
            Some("Nothing was run. `oacp agent check NAME` says what of the agent is not accepted.")
        }
        Outcome::GuestError => Some(
            "The message, the trace and the line in the agent's own files are on standard error.",
        ),
        Outcome::Denied => Some(
            "Grant what was asked for: `oacp explain RUN` says how. Or let the agent catch it: CapabilityDenied is a PermissionError.",
        ),
        Outcome::OutOfFuel => Some(
            "Allow more with --fuel N, 1,000,000 a millisecond, or sandbox.wasm.cpu_quota_ms in a configuration.",
        ),
        Outcome::OutOfMemory => Some(
            "Allow more with --memory-mb N, or sandbox.wasm.memory_limit_mb in a configuration.",
        ),
        Outcome::TimedOut => Some(
            "Allow more with --timeout MS; computing alone is bounded by four times the quota that --fuel gives.",
        ),
        Outcome::StackOverflow => Some("Look for endless recursion: the stack is 32 MiB."),
        Outcome::Crashed => Some(
            "A component did what WebAssembly forbids: a fault in its own code or in its language runtime.",
        ),
        Outcome::Cancelled => {
            Some("Somebody interrupted it. What had happened by then is in the bundle.")
        }
        Outcome::Interrupted => Some("Run it again."),
    }
}
