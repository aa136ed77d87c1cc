//! `oacp explain`: what an outcome means, and what to do.

use clap::Args;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;
use oacp::outcome::Outcome;
use serde_json::json;

use crate::console::{BOLD, Console};
use crate::failure::{Exit, Failure};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The outcome, as a run's summary names it
    #[arg(value_parser = PossibleValuesParser::new(Outcome::ALL.map(Outcome::as_str)).map(|name| of_name(&name)))]
    outcome: Outcome,
}

fn of_name(name: &str) -> Outcome {
    // The parser lets only names of outcomes through.
    Outcome::ALL
        .into_iter()
        .find(|outcome| outcome.as_str() == name)
        .unwrap_or(Outcome::Ok)
}

pub(crate) fn explain(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let outcome = arguments.outcome;
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
        Outcome::Ok | Outcome::Refused | Outcome::AwaitingApproval => None,
        Outcome::GuestError => Some(
            "The message, the trace and the line in the agent's own files are on standard error.",
        ),
        Outcome::Denied => Some(
            "Grant what was asked for, or let the agent catch it: CapabilityDenied is a PermissionError.",
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
