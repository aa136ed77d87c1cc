//! `oacp runs`: the bundles that this machine's runs left behind, and what of them is private.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use oacp::bundle::Bundle;
use oacp::id::ExecutionId;
use oacp::time::Timestamp;
use oacp::{Expectation, Verified};
use serde_json::{Value, json};

use super::show;
use crate::console::{Console, DIM, GREEN, RED, YELLOW};
use crate::escape::visible;
use crate::failure::{Exit, Failure, Judge};
use crate::home::{Home, shown};
use crate::trust::Trusted;
use crate::{bundle_file, file, measure, trust};

/// Who looks for a run and does not find it.
const ELSEWHERE: &str = "the bundle of a run with --bundle is where that said, and not listed";

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the runs, newest first, with what each bundle holds that is private. So does `oacp runs` alone
    List {
        /// At most so many
        #[arg(long, short = 'n', value_name = "N")]
        last: Option<usize>,
    },
    /// Remove bundles. With both conditions a bundle has to meet both
    #[command(group(clap::ArgGroup::new("what").required(true).multiple(true).args(["older_than", "keep"])))]
    Prune(Prune),
    /// Show a run
    Show {
        /// The execution's id, or the beginning or end of it
        id: String,
        /// Show every event, with all of its contents
        #[arg(long)]
        events: bool,
    },
}

#[derive(Args)]
pub(crate) struct Prune {
    /// Those that are older
    #[arg(long, value_name = "DAYS")]
    older_than: Option<u32>,
    /// Those that are not among the newest N
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

/// A bundle in the directory of runs, by its name. Other files there are none of ours.
struct Run {
    id: ExecutionId,
    file: PathBuf,
    size: u64,
}

pub(crate) fn run(arguments: Arguments, home: &Home, console: &Console) -> Result<Exit, Failure> {
    match arguments.command.unwrap_or(Command::List { last: None }) {
        Command::List { last } => list(last, home, console),
        Command::Prune(arguments) => prune(&arguments, home, console),
        Command::Show { id, events } => {
            let bundle = find(&id, home)?;
            show::show(&show::Arguments::of(bundle, events), home, console)
        }
    }
}

/// The runs, newest first.
fn runs(home: &Home) -> Result<Vec<Run>, Failure> {
    let dir = home.runs();
    let entries = match fs::read_dir(&dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => {
            entries.or_context(|| format!("cannot read the directory `{}`", dir.display()))?
        }
    };
    let mut runs = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let id = name
            .to_str()
            .and_then(|name| name.strip_suffix(".json"))
            .and_then(|id| id.parse().ok());
        if let Some(id) = id
            && let Ok(metadata) = entry.metadata()
        {
            runs.push(Run {
                id,
                file: entry.path(),
                size: metadata.len(),
            });
        }
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.id));
    Ok(runs)
}

fn list(last: Option<usize>, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let trust = trust::load(None, home)?;
    let mut runs = runs(home)?;
    let count = runs.len();
    runs.truncate(last.unwrap_or(usize::MAX));
    if console.json {
        let objects: Vec<Value> = runs.iter().map(|run| object(run, &trust)).collect();
        console.print_json(&objects)?;
        return Ok(Exit::Yes);
    }
    if runs.is_empty() {
        console.note(&format!("no runs in {}; {ELSEWHERE}", shown(&home.runs())));
        return Ok(Exit::Yes);
    }
    let text: String = runs.iter().map(|run| line(run, &trust)).collect();
    console.print(text.trim_end())?;
    if runs.len() < count {
        console.note(&format!("{} more", count - runs.len()));
    }
    Ok(Exit::Yes)
}

/// What can be said of a run: only what is verified.
fn checked(run: &Run, trusted: &Trusted) -> Result<(Bundle, Verified), &'static str> {
    let bytes = file::read(&run.file, oacp::limits::BUNDLE.bytes_max).map_err(|_| "unreadable")?;
    let bundle = Bundle::parse(&bytes).map_err(|e| e.code())?;
    let trust = trusted.with(&bundle).map_err(|_| "log_policy")?;
    let verified = bundle
        .verify(&trust, &Expectation::default(), bundle_file::now())
        .map_err(|e| e.code())?;
    Ok((bundle, verified))
}

fn line(run: &Run, trust: &Trusted) -> String {
    let size = measure::bytes(run.size);
    match checked(run, trust) {
        Ok((bundle, verified)) => {
            let statement = verified.statement();
            let style = if statement.outcome == oacp::Outcome::Ok {
                GREEN
            } else {
                RED
            };
            let entry = statement
                .agent_entry
                .as_ref()
                .map_or("(component)", |entry| entry.as_str());
            let private: Vec<String> = bundle
                .private()
                .iter()
                .map(|private| show::name(*private))
                .collect();
            let private = if private.is_empty() {
                "nothing private".to_owned()
            } else {
                private.join(",")
            };
            format!(
                "{}  {}  {style}{:<14}{style:#} {} {:<16} {size:>9}  {DIM}{private}{DIM:#}\n",
                run.id,
                statement.timestamp,
                statement.outcome.as_str(),
                statement.agent_hash.short(),
                visible(entry),
            )
        }
        Err(code) => format!(
            "{}  {}  {YELLOW}not verified{YELLOW:#}: {code}  {size:>9}\n",
            run.id,
            time_of(run.id)
        ),
    }
}

fn object(run: &Run, trust: &Trusted) -> Value {
    let mut object = json!({ "execution_id": run.id, "bundle": run.file, "size": run.size });
    let more = match checked(run, trust) {
        Ok((bundle, verified)) => {
            let statement = verified.statement();
            json!({
                "verified": true,
                "timestamp": statement.timestamp,
                "outcome": statement.outcome,
                "agent_hash": statement.agent_hash,
                "agent_entry": statement.agent_entry,
                "private": bundle.private(),
            })
        }
        Err(code) => {
            json!({ "verified": false, "not_verified": code, "timestamp": time_of(run.id) })
        }
    };
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

/// The time that the id holds (RFC 9562, 5.7).
fn time_of(id: ExecutionId) -> Timestamp {
    let ms = id
        .as_bytes()
        .iter()
        .take(6)
        .fold(0, |ms, byte| (ms << 8) | i64::from(*byte));
    Timestamp::from_unix_ms(ms)
}

fn prune(arguments: &Prune, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let now = bundle_file::now().unix_ms();
    let is_old = |run: &Run| match arguments.older_than {
        Some(days) => time_of(run.id).unix_ms() < now - i64::from(days) * DAY_MS,
        None => true,
    };
    let surplus = runs(home)?.into_iter().skip(arguments.keep.unwrap_or(0));
    let doomed: Vec<Run> = surplus.filter(is_old).collect();
    let bytes: u64 = doomed.iter().map(|run| run.size).sum();
    for run in doomed.iter().filter(|_| !arguments.dry_run) {
        fs::remove_file(&run.file)
            .or_context(|| format!("cannot remove `{}`", run.file.display()))?;
    }
    if console.json {
        let files: Vec<&PathBuf> = doomed.iter().map(|run| &run.file).collect();
        console.print_json(
            &json!({ "removed": !arguments.dry_run, "bundles": files, "bytes": bytes }),
        )?;
        return Ok(Exit::Yes);
    }
    let did = if arguments.dry_run {
        "would remove"
    } else {
        "removed"
    };
    let mut text: String = doomed.iter().map(|run| format!("{}\n", run.id)).collect();
    text.push_str(&format!(
        "{did} {}, {}",
        measure::plural(doomed.len() as u64, "bundle"),
        measure::bytes(bytes)
    ));
    console.print(&text)?;
    Ok(Exit::Yes)
}

/// The bundle that a person means: a file, or a run of this machine's by its id.
pub(super) fn locate(given: &str, home: &Home) -> Result<PathBuf, Failure> {
    let file = PathBuf::from(given);
    if given == "-" || file.exists() {
        return Ok(file);
    }
    find(given, home)
}

/// The one bundle whose id begins or ends so.
fn find(id: &str, home: &Home) -> Result<PathBuf, Failure> {
    let named = |run: &Run| {
        let whole = run.id.to_string();
        whole.starts_with(id) || whole.ends_with(id)
    };
    let mut found = runs(home)?.into_iter().filter(named);
    match (found.next(), found.next()) {
        (Some(run), None) => Ok(run.file),
        (None, _) => Err(Failure::usage(format!("no run `{id}`"))
            .hint(format!("`oacp runs` lists them; {ELSEWHERE}"))),
        (Some(_), Some(_)) => {
            Err(Failure::usage(format!("more than one run is `{id}`")).hint("give more of the id"))
        }
    }
}
