//! `oacp log hold`: what keeps payloads beyond their time.

use clap::Subcommand;
use oacp_registry::{Hold, PruneError};
use serde_json::{Value, json};

use super::find::Filters;
use crate::console::{BOLD, Console};
use crate::escape::visible;
use crate::failure::{Exit, Failure, Judge};
use crate::home::Home;
use crate::registry::Here;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Lay a hold on what fits everything that is given; on all, if nothing is
    Add {
        /// What the hold is called
        name: String,
        #[command(flatten)]
        filters: Box<Filters>,
        #[command(flatten)]
        here: Here,
    },
    /// List the holds
    List {
        #[command(flatten)]
        here: Here,
    },
    /// Take a hold off: what it kept goes when its time is over
    Release {
        /// What the hold is called
        name: String,
        #[command(flatten)]
        here: Here,
    },
}

pub(super) fn run(command: Command, home: &Home, console: &Console) -> Result<Exit, Failure> {
    match command {
        Command::Add {
            name,
            filters,
            here,
        } => {
            let (log, _) = here.directory(home)?.open()?;
            let held = filters.held()?;
            judged(log.hold(&name, held))?;
            told(&name, "laid", console)?;
        }
        Command::Release { name, here } => {
            let (log, _) = here.directory(home)?.open()?;
            judged(log.release(&name))?;
            told(&name, "released", console)?;
        }
        Command::List { here } => {
            let (log, _) = here.directory(home)?.open()?;
            let holds = log.holds()?;
            if console.json {
                console.print_json(&holds)?;
            } else if holds.is_empty() {
                console.note("nothing is on hold");
            } else {
                let lines: Vec<String> = holds.iter().map(line).collect();
                console.print(&lines.join("\n"))?;
            }
        }
    }
    Ok(Exit::Yes)
}

fn judged(changed: Result<(), PruneError>) -> Result<(), Failure> {
    match changed {
        Err(
            error @ (PruneError::HoldExists(_) | PruneError::HoldName | PruneError::NoSuchHold(_)),
        ) => Err(error)
            .or_usage()
            .or_hint(|| "`oacp log hold list` lists them".to_owned()),
        changed => Ok(changed?),
    }
}

fn told(name: &str, done: &str, console: &Console) -> Result<(), Failure> {
    if console.json {
        console.print_json(&json!({ "hold": name, "done": done }))?;
    } else {
        console.print(&format!("{done} the hold {}", visible(name)))?;
    }
    Ok(())
}

/// What is kept, as the filters that it is found by.
fn line(hold: &Hold) -> String {
    let fields = match serde_json::to_value(&hold.on) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let on: Vec<String> = fields
        .iter()
        .map(|(name, value)| {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            format!("{name} {}", visible(&value))
        })
        .collect();
    let on = match on.is_empty() {
        true => "everything".to_owned(),
        false => on.join(", "),
    };
    format!(
        "{BOLD}{}{BOLD:#}  since {}  {on}",
        visible(&hold.name),
        hold.since
    )
}
