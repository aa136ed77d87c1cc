//! `oacp key`: the node's key, and how others come to trust it.

use std::path::PathBuf;

use clap::Subcommand;
use oacp::key::PublicKey;
use oacp_tlog::policy::Policy;
use serde_json::json;

use crate::console::{BOLD, Console, DIM};
use crate::failure::{Exit, Failure};
use crate::file::{self, Existing, Readers};
use crate::home::{Home, shown};
use crate::registry::{Directory, read_policy};
use crate::{bundle_file, node_key, trust};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make this node's key
    New {
        /// Put the present key aside and make another; who trusted this node has to be told
        #[arg(long)]
        force: bool,
    },
    /// Print the key's id and the public key, in PEM
    Show,
    /// Write a trust file that names this node and its log, for whoever verifies its bundles
    Export {
        /// Where to [default: standard output]
        out: Option<PathBuf>,
        /// What the node is to be called in reports
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// Which logs and witnesses to name: a C2SP tlog-policy [default: that of this machine's log, if there is one]
        #[arg(long, value_name = "FILE")]
        log_policy: Option<PathBuf>,
        /// Replace OUT if it is there already
        #[arg(long, requires = "out")]
        force: bool,
    },
}

pub(crate) fn run(command: Command, home: &Home, console: &Console) -> Result<Exit, Failure> {
    match command {
        Command::New { force } => new(force, home, console)?,
        Command::Show => print(&existing(home)?, home, console)?,
        Command::Export {
            out,
            name,
            log_policy,
            force,
        } => {
            let policy = match log_policy {
                Some(file) => Some(read_policy(&file)?),
                None => Directory::new(home.log()).policy_of_log()?,
            };
            export(out, name, policy.as_ref(), force, home, console)?;
        }
    }
    Ok(Exit::Yes)
}

fn new(force: bool, home: &Home, console: &Console) -> Result<(), Failure> {
    if home.key_file().try_exists()? {
        if !force {
            return Err(Failure::usage(format!(
                "this node has a key already, {}",
                shown(&home.key_file())
            ))
            .hint(
                "--force puts it aside and makes another; who trusted this node has to be told",
            ));
        }
        if let Some(aside) = node_key::put_aside(home)? {
            console.note(&format!(
                "the key before is now {}; to verify its bundles, keep a trust file of it",
                shown(&aside)
            ));
        }
    }
    let key = node_key::make(home)?;
    print(&key.public(), home, console)
}

fn existing(home: &Home) -> Result<PublicKey, Failure> {
    match node_key::load(home)? {
        Some(key) => Ok(key.public()),
        None => Err(Failure::unable("this node has no key yet")
            .hint("the first `oacp run` makes one, and so does `oacp key new`")),
    }
}

fn print(key: &PublicKey, home: &Home, console: &Console) -> Result<(), Failure> {
    if console.json {
        console.print_json(
            &json!({ "key_id": key.id(), "public_key": key.to_pem(), "file": home.key_file() }),
        )?;
    } else {
        let file = shown(&home.key_file());
        console.print(&format!(
            "{BOLD}{}{BOLD:#}\n{}{DIM}{file}{DIM:#}",
            key.id(),
            key.to_pem()
        ))?;
    }
    Ok(())
}

fn export(
    out: Option<PathBuf>,
    name: Option<String>,
    log_policy: Option<&Policy>,
    force: bool,
    home: &Home,
    console: &Console,
) -> Result<(), Failure> {
    let key = existing(home)?;
    let id = key.id().to_string();
    let name = name.unwrap_or_else(|| format!("node-{}", id.get(..8).unwrap_or(&id)));
    if log_policy.is_none() {
        console.note("the trust file has no log policy: --log-policy FILE adds that of the log that this node writes to");
    }
    let text = trust::file_for(&name, &key, log_policy)?;
    // What a verifier would refuse is not written.
    trust::parse(&text, "the trust file")?;
    let Some(out) = out else {
        console.print(&text)?;
        return Ok(());
    };
    let existing = if force {
        Existing::Replace
    } else {
        Existing::Keep
    };
    match file::write_whole(&out, text.as_bytes(), existing, Readers::Anyone) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(bundle_file::taken(&out));
        }
        written => written?,
    }
    if console.json {
        let logs: Vec<&str> = log_policy
            .iter()
            .flat_map(|policy| policy.logs())
            .map(|log| log.key().name().as_str())
            .collect();
        console.print_json(&json!({ "trust": out, "name": name, "key_id": id, "logs": logs }))?;
    } else {
        console.print(&format!(
            "wrote {}: give it to whoever verifies: oacp verify BUNDLE --trust {}",
            shown(&out),
            shown(&out)
        ))?;
    }
    Ok(())
}
