//! `oacp witness serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use oacp_gateway::{ServerLimits, Witness, WitnessOptions};
use oacp_registry::system_clock;
use oacp_tlog::key::VerifierKey;
use serde_json::{Value, json};

use super::identity;
use crate::command::log::listen;
use crate::console::{BOLD, Console, DIM, RED};
use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::registry::{self, read_policy};
use crate::{measure, runtime};

#[derive(Args)]
#[command(group(clap::ArgGroup::new("logs").required(true).multiple(true).args(["log", "policy"])))]
pub(crate) struct Arguments {
    /// Where to listen. TLS is not spoken: on the open network a proxy that does stands in front
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:2831")]
    listen: SocketAddr,
    /// A log to watch, by its key: `oacp log status` and `oacp log init` print it. Can be given several times
    #[arg(long, value_name = "VKEY", value_parser = log)]
    log: Vec<VerifierKey>,
    /// The logs of a policy to watch
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    identity: identity::Identity,
}

fn log(text: &str) -> Result<VerifierKey, String> {
    text.parse::<VerifierKey>()
        .map_err(|error| error.to_string())
}

pub(super) fn serve(arguments: Arguments, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let mut logs = arguments.log;
    if let Some(file) = &arguments.policy {
        let policy = read_policy(file)?;
        logs.extend(policy.logs().iter().map(|log| log.key().clone()));
    }
    let keys = arguments.identity.keys(home, console)?;
    let dir = arguments.identity.dir(home);
    crate::file::create_private_dir(&dir)?;
    let witness = Witness::open(WitnessOptions {
        keys: keys.into(),
        logs,
        dir,
        clock: system_clock(),
        operator: registry::telling(*console),
    })?;
    let executor = runtime::server()?;
    let listener = listen(arguments.listen)?;
    // Heard before anybody is told that it is there.
    let ended = runtime::interrupted()?;
    announce(&witness, listener.local_addr()?, console)?;
    executor.block_on(witness.serve(listener, ServerLimits::default(), ended))?;
    console.note("ending");
    Ok(Exit::Yes)
}

/// Says where it is, as the first thing on standard output: whoever started it may wait for that.
fn announce(witness: &Witness, address: SocketAddr, console: &Console) -> Result<(), Failure> {
    let url = format!("http://{address}");
    let verifiers = witness.verifiers();
    let logs = witness.logs();
    if console.json {
        let logs: Vec<Value> = logs
            .iter()
            .map(|log| json!({ "log": log.origin, "size": log.size, "forks": log.forks, "unproven": log.unproven }))
            .collect();
        let keys: Vec<String> = verifiers.iter().map(ToString::to_string).collect();
        console.print_json(&json!({
            "listening": url,
            "name": verifiers.first().map(|key| key.name().as_str()),
            "keys": keys,
            "logs": logs,
        }))?;
        return Ok(());
    }
    let name = verifiers.first().map(|key| key.name().to_string());
    console.print(&format!(
        "witness {BOLD}{}{BOLD:#} at {BOLD}{url}{BOLD:#}",
        name.unwrap_or_default()
    ))?;
    for log in logs {
        let seen = match log.size {
            Some(0) => "nothing seen yet".to_owned(),
            Some(size) => format!("{} seen", measure::entries(size)),
            None => format!("{RED}what was seen cannot be read, so it is not cosigned{RED:#}"),
        };
        let evidence = match log.forks {
            0 => String::new(),
            forks => format!(
                "; {RED}{} kept as evidence{RED:#}",
                measure::plural(forks as u64, "fork")
            ),
        };
        console.note(&format!(
            "  {DIM}watches{DIM:#} {}, {seen}{evidence}",
            visible(&log.origin)
        ));
    }
    console.note("Ctrl-C ends it");
    Ok(())
}
