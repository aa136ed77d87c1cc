//! `oacp replay`: the run again, from what was recorded, in an engine of its own.

use std::path::PathBuf;

use clap::Args;
use oacp::id::ExecutionId;
use oacp::replay::{FuelCompared, ReplayVerdict, Replayed};
use oacp::report::{CalledTool, ValidationReport};
use oacp::{Expectation, Verified};
use oacp_sandbox::Patience;
use serde::Serialize;

use super::report;
use crate::console::{Console, GREEN, RED, YELLOW};
use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::progress::Loading;
use crate::{bundle_file, runtime, trust};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The bundle, or - for standard input
    bundle: PathBuf,
    /// Whom to trust [default: this machine's own node]
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
}

/// What `--json` prints. Fields are added, never renamed.
#[derive(Serialize)]
struct Answer<'a> {
    execution_id: ExecutionId,
    replay: &'a ReplayVerdict,
    tool_calls: &'a [CalledTool],
    #[serde(skip_serializing_if = "Option::is_none")]
    validation: Option<&'a ValidationReport>,
}

pub(crate) fn replay(
    arguments: &Arguments,
    home: &Home,
    console: &Console,
) -> Result<Exit, Failure> {
    let trust = trust::load(arguments.trust.as_deref(), home)?;
    let bundle = bundle_file::read(&arguments.bundle)?;
    let verified = bundle_file::verify(&bundle, &trust, &Expectation::default())?;
    let replayed = re_execute(&verified, home, console)?;
    let report = verified.report_all(&replayed);
    if console.json {
        console.print_json(&Answer {
            execution_id: verified.statement().execution_id,
            replay: &replayed.verdict,
            tool_calls: &report.tool_calls,
            validation: report.validation.as_ref(),
        })?;
    } else {
        console.print(&text(&replayed.verdict))?;
        for call in &report.tool_calls {
            console.print(&report::called(call))?;
        }
        for step in report::validation(&report) {
            console.print(&step)?;
        }
    }
    Ok(worst(&replayed))
}

/// What all of them come to: one that diverged is a lie, wherever it is.
fn worst(replayed: &Replayed) -> Exit {
    let own = match replayed.verdict {
        ReplayVerdict::Confirmed { .. } => Exit::Yes,
        ReplayVerdict::Diverged { .. } => Exit::No,
        ReplayVerdict::Unverifiable { .. } | ReplayVerdict::NotChecked { .. } => Exit::Unable,
    };
    let children = replayed.children.iter().map(worst);
    children.fold(own, |one, other| match (one, other) {
        (Exit::No, _) | (_, Exit::No) => Exit::No,
        (Exit::Yes, other) => other,
        (one, _) => one,
    })
}

/// Runs a verified bundle again, and the executions that it called. The engine is made for this alone.
pub(super) fn re_execute(
    verified: &Verified,
    home: &Home,
    console: &Console,
) -> Result<Replayed, Failure> {
    let engine = runtime::engine(home)?;
    let languages = runtime::languages(home);
    let loading = Loading::new(console, "the runtime");
    let progress = |progress| loading.report(progress);
    let replayed = oacp_gateway::re_execute_all(
        verified,
        &engine,
        &languages,
        Patience::default(),
        &progress,
    );
    Ok(runtime::executor()?.block_on(replayed))
}

/// The verdict for a person.
pub(super) fn text(verdict: &ReplayVerdict) -> String {
    match verdict {
        ReplayVerdict::Confirmed { fuel } => {
            let fuel = match fuel {
                FuelCompared::Equal => {
                    "output, outcome, every event and the fuel are the same".to_owned()
                }
                FuelCompared::NotChecked { reason } => {
                    format!(
                        "output, outcome and every event are the same; fuel not checked: {}",
                        visible(reason)
                    )
                }
            };
            format!("{GREEN}confirmed{GREEN:#}: {fuel}")
        }
        ReplayVerdict::Diverged {
            at,
            recorded,
            replayed,
        } => format!(
            "{RED}diverged{RED:#} at {at}\n  recorded: {}\n  replayed: {}",
            visible(recorded),
            visible(replayed)
        ),
        ReplayVerdict::Unverifiable { reason } | ReplayVerdict::NotChecked { reason } => {
            format!("{YELLOW}unverifiable{YELLOW:#}: {}", visible(reason))
        }
    }
}
