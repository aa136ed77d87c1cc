//! `oacp policy test`: last week's runs under next week's policy.

use std::path::PathBuf;

use clap::Args;
use oacp::Expectation;
use oacp::capability::Grant;
use oacp::id::ExecutionId;
use oacp::policy::Asked;
use serde_json::{Value, json};

use crate::command::judged::judged;
use crate::command::runs;
use crate::config::Text;
use crate::console::{BOLD, Console, DIM, GREEN, RED};
use crate::escape::visible;
use crate::failure::{Exit, Failure, Judge};
use crate::home::Home;
use crate::{bundle_file, trust};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Bundles, or ids of this machine's runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,
    /// The configuration under which they are judged
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Whom to trust [default: this machine's own node]
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
}

/// What would change for one run.
struct Judged {
    id: ExecutionId,
    asked: usize,
    newly_denied: Vec<Asked>,
    newly_allowed: Vec<Asked>,
}

pub(super) fn test(arguments: &Arguments, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let policy = Text::read(&arguments.policy)?.for_run()?.capabilities;
    let grant = Grant::attenuate(&policy, &policy);
    let trust = trust::load(arguments.trust.as_deref(), home)?;
    let mut runs_judged = Vec::new();
    for given in &arguments.runs {
        let bundle = bundle_file::read(&runs::locate(given, home)?)?;
        let verified = bundle_file::verify(&bundle, &trust, &Expectation::default())
            .or_context(|| format!("`{given}` cannot be judged"))?;
        let all = judged(&verified, &grant).ok_or_else(|| {
            Failure::unable(format!(
                "`{given}` cannot be judged: its events are withheld or were not recorded"
            ))
            .hint("a run at level `execution`, not redacted, has them")
        })?;
        let count = all.len();
        let changed = all
            .into_iter()
            .filter(|asked| asked.was_allowed == asked.denial_now.is_some());
        let (newly_denied, newly_allowed) = changed.partition(|asked| asked.was_allowed);
        runs_judged.push(Judged {
            id: verified.statement().execution_id,
            asked: count,
            newly_denied,
            newly_allowed,
        });
    }
    if console.json {
        console.print_json(&runs_judged.iter().map(object).collect::<Vec<_>>())?;
    } else {
        let text: String = runs_judged.iter().map(text).collect();
        console.print(&text)?;
    }
    let breaks = runs_judged.iter().any(|run| !run.newly_denied.is_empty());
    Ok(if breaks { Exit::No } else { Exit::Yes })
}

fn text(run: &Judged) -> String {
    let mut text = format!("{BOLD}{}{BOLD:#}\n", run.id);
    let line = |asked: &Asked| {
        format!(
            "{} {}  {DIM}event {}{DIM:#}",
            asked.capability,
            visible(&asked.asked),
            asked.event
        )
    };
    for asked in &run.newly_denied {
        text.push_str(&format!("  {RED}newly denied{RED:#}   {}\n", line(asked)));
        let rule = asked.denial_now.as_ref().map(|denial| &denial.rule);
        text.extend(
            rule.map(|rule| format!("                 {DIM}rule{DIM:#} {}\n", visible(rule))),
        );
    }
    for asked in &run.newly_allowed {
        text.push_str(&format!(
            "  {GREEN}newly allowed{GREEN:#}  {}\n",
            line(asked)
        ));
    }
    if run.newly_denied.is_empty() && run.newly_allowed.is_empty() {
        text.push_str(&format!(
            "  nothing changes  {DIM}{} judged{DIM:#}\n",
            run.asked
        ));
    }
    text
}

fn object(run: &Judged) -> Value {
    let list = |list: &[Asked]| -> Vec<Value> {
        list.iter()
            .map(|asked| {
                json!({
                    "event": asked.event,
                    "capability": asked.capability,
                    "asked": asked.asked,
                    "denial": asked.denial_now,
                })
            })
            .collect()
    };
    json!({
        "execution_id": run.id,
        "judged": run.asked,
        "newly_denied": list(&run.newly_denied),
        "newly_allowed": list(&run.newly_allowed),
    })
}
