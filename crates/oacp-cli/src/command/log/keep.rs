//! `oacp log prune` and `reindex`.

use clap::Args;
use oacp_registry::index::Index;
use oacp_registry::{PrunedSegment, Pruning};
use serde_json::json;

use crate::config::RETENTION_DAYS_MAX;
use crate::console::{Console, DIM};
use crate::failure::{Exit, Failure, Judge};
use crate::home::{Home, shown};
use crate::measure;
use crate::registry::{Here, prune_older};

#[derive(Args)]
pub(crate) struct Prune {
    /// Payloads that are older go
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=RETENTION_DAYS_MAX))]
    retention_days: u64,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    here: Here,
}

pub(super) fn prune(arguments: &Prune, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let (log, _) = arguments.here.directory(home)?.open()?;
    let how = match arguments.dry_run {
        true => Pruning::Told,
        false => Pruning::Done,
    };
    let gone = prune_older(&log, arguments.retention_days, how)?;
    if console.json {
        console.print_json(&json!({ "pruned": !arguments.dry_run, "segments": gone }))?;
        return Ok(Exit::Yes);
    }
    let mut text: String = gone.iter().map(line).collect();
    let payloads: u64 = gone
        .iter()
        .map(|segment| segment.entries - segment.held)
        .sum();
    let held: u64 = gone.iter().map(|segment| segment.held).sum();
    let bytes = gone.iter().map(|segment| segment.bytes).sum();
    let did = if arguments.dry_run {
        "would prune"
    } else {
        "pruned"
    };
    text.push_str(&format!(
        "{did} {}, {}",
        measure::plural(payloads, "payload"),
        measure::bytes(bytes)
    ));
    if held > 0 {
        text.push_str(&format!("; {held} on hold stay"));
    }
    console.print(&text)?;
    Ok(Exit::Yes)
}

fn line(segment: &PrunedSegment) -> String {
    let PrunedSegment {
        first,
        end,
        held,
        bytes,
        last,
        ..
    } = segment;
    let to = end.saturating_sub(1);
    let held = match held {
        0 => String::new(),
        held => format!("  {held} on hold"),
    };
    format!(
        "entries {first} to {to}  {DIM}until {last}  {}{held}{DIM:#}\n",
        measure::bytes(*bytes)
    )
}

#[derive(Args)]
pub(crate) struct Reindex {
    #[command(flatten)]
    here: Here,
}

pub(super) fn reindex(
    arguments: &Reindex,
    home: &Home,
    console: &Console,
) -> Result<Exit, Failure> {
    let directory = arguments.here.directory(home)?;
    if !directory.exists() {
        // Nothing is made of nothing.
        directory.open()?;
    }
    // What it is made anew from is the log, when that is opened.
    let file = directory.dir().join("index.sqlite");
    drop(Index::recreate(&file).or_context(|| format!("cannot replace {}", shown(&file)))?);
    let (log, _) = directory.open()?;
    let status = log.status()?;
    if console.json {
        console.print_json(&json!({ "log": status.origin, "indexed": status.indexed }))?;
    } else {
        console.print(&format!("indexed {}", measure::entries(status.indexed)))?;
    }
    Ok(Exit::Yes)
}
