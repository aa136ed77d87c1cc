//! `oacp log init`, `policy` and `add`: logs come to be known, here and elsewhere.

use std::path::PathBuf;

use clap::Args;
use oacp::id::LogOrigin;
use serde_json::json;

use crate::console::{BOLD, Console, DIM};
use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::file::Existing;
use crate::home::{Home, shown};
use crate::registry::{self, Directory, Here, Known, Place, Which, read_policy};

#[derive(Args)]
pub(crate) struct Init {
    /// What the log is called: a URL without its scheme [default: oacp.local/ and a part of its key's id]
    #[arg(long, value_name = "NAME")]
    origin: Option<LogOrigin>,
    #[command(flatten)]
    here: Here,
}

pub(super) fn init(arguments: &Init, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let directory = arguments.here.directory(home)?;
    home.create()?;
    let (key, is_new) = directory.init(arguments.origin.as_ref(), home)?;
    if console.json {
        console.print_json(&json!({
            "log": key.name().as_str(),
            "key": key.to_string(),
            "directory": directory.dir(),
            "policy": directory.policy_file(),
            "made": is_new,
        }))?;
    } else {
        let what = if is_new { "made" } else { "there is" };
        console.print(&format!(
            "{what} the log {BOLD}{}{BOLD:#} in {}\n{key}\n{DIM}{}{DIM:#}",
            key.name(),
            shown(directory.dir()),
            shown(&directory.policy_file()),
        ))?;
    }
    Ok(Exit::Yes)
}

#[derive(Args)]
pub(crate) struct Policy {
    #[command(flatten)]
    which: Which,
}

pub(super) fn policy(arguments: &Policy, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let (asked, _) = arguments.which.read()?;
    let policy = match &asked.place {
        Some(Place::Url(url)) => Known::find(url, &asked, home)?.policy()?,
        place => {
            let directory = match place {
                None => Directory::new(home.log()),
                Some(place) => registry::directory(place, home)?,
            };
            directory.policy_of_log()?.ok_or_else(|| {
                Failure::unable(format!("there is no log in {}", shown(directory.dir())))
                    .hint("the first `oacp run` makes one, and so does `oacp log init`")
            })?
        }
    };
    if console.json {
        let logs: Vec<_> = policy
            .logs()
            .iter()
            .map(|log| json!({ "log": log.key().name().as_str(), "key": log.key().to_string(), "url": log.url() }))
            .collect();
        let witnesses: Vec<_> = policy
            .witnesses()
            .iter()
            .map(|witness| json!({ "name": witness.name(), "key": witness.key().to_string(), "url": witness.url() }))
            .collect();
        console.print_json(&json!({
            "logs": logs,
            "witnesses": witnesses,
            "text": String::from_utf8_lossy(policy.text()),
        }))?;
    } else {
        console.print_exactly(policy.text())?;
    }
    Ok(Exit::Yes)
}

#[derive(Args)]
pub(crate) struct Add {
    /// The registry
    url: String,
    /// Which log that is, and whose cosignatures it needs: what `oacp log policy` prints on its machine
    #[arg(long, value_name = "FILE")]
    log_policy: PathBuf,
    /// The token for appending
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// Replace what is known of it
    #[arg(long)]
    force: bool,
}

pub(super) fn add(arguments: &Add, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let policy = read_policy(&arguments.log_policy)?;
    let existing = if arguments.force {
        Existing::Replace
    } else {
        Existing::Keep
    };
    home.create()?;
    let token = arguments.token.as_deref();
    let file = registry::add(&arguments.url, &policy, token, existing, home)?;
    let logs: Vec<_> = policy
        .logs()
        .iter()
        .map(|log| log.key().name().to_string())
        .collect();
    if console.json {
        console.print_json(&json!({
            "registry": arguments.url,
            "logs": logs,
            "witnesses": policy.witnesses().len(),
            "policy": file,
        }))?;
    } else {
        console.print(&format!(
            "{} is the log {}; its proofs are trusted from now on. Runs go there with --registry {0}",
            visible(&arguments.url),
            visible(&logs.join(", ")),
        ))?;
    }
    Ok(Exit::Yes)
}
