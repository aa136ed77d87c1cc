//! `oacp log serve`: this machine's log, or a copy of another, over HTTP, until it is interrupted.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use oacp::key::PublicKey;
use oacp_gateway::{ServeOptions, ServerLimits, serve as serve_log, serve_mirror};
use oacp_registry::{Log, Pruning};
use oacp_tlog::checkpoint::SignedCheckpoint;
use oacp_tlog::limits::NOTE_BYTES_MAX;
use serde_json::json;

use crate::config::{self, RETENTION_DAYS_MAX};
use crate::console::{BOLD, Console, DIM};
use crate::escape::visible;
use crate::failure::{Exit, Failure, Judge};
use crate::home::{Home, shown};
use crate::registry::{self, Directory, Here, prune_older};
use crate::{file, measure, node_key, runtime, secret, trust};

/// How often it is looked whether payloads are to be pruned.
const PRUNED_EVERY: Duration = Duration::from_secs(60 * 60);

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where to listen. TLS is not spoken: on the open network a proxy that does stands in front
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:2830")]
    listen: SocketAddr,
    /// Who has this token may append. Without it nobody may, over HTTP
    #[arg(long, value_name = "FILE")]
    append_token: Option<PathBuf>,
    /// Who has this token may read what is private: payloads and the index. Without it nobody may, over HTTP
    #[arg(long, value_name = "FILE")]
    read_token: Option<PathBuf>,
    /// The nodes whose attestations are taken: those of a trust file [default: this machine's own]
    #[arg(long, value_name = "TRUST-FILE")]
    nodes: Option<PathBuf>,
    /// Remove payloads that are older, once an hour [default: none]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=RETENTION_DAYS_MAX))]
    retention_days: Option<u64>,
    /// The way to the witnesses from this configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Serve a copy that `oacp log mirror` makes instead: its checkpoint and tiles, to everybody
    #[arg(long, value_name = "DIR", conflicts_with_all = ["append_token", "read_token", "nodes", "retention_days", "config", "registry"])]
    mirror: Option<PathBuf>,
    #[command(flatten)]
    here: Here,
}

pub(super) fn serve(arguments: Arguments, home: &Home, console: &Console) -> Result<Exit, Failure> {
    if let Some(dir) = &arguments.mirror {
        return mirror(dir, arguments.listen, console);
    }
    let egress = match &arguments.config {
        Some(file) => config::Text::read(file)?.for_run()?.egress.options()?,
        None => oacp_egress::Options::default(),
    };
    let directory = arguments.here.directory(home)?;
    let nodes = nodes(&arguments, home)?;
    let token = |file: &Option<PathBuf>| file.as_deref().map(secret::token).transpose();
    let operator = registry::telling(*console);
    let mut options = ServeOptions {
        read_token: token(&arguments.read_token)?,
        write_token: token(&arguments.append_token)?,
        cosigning: None,
        retention_days: arguments.retention_days,
        limits: ServerLimits::default(),
        operator: Arc::clone(&operator),
    };
    let count = nodes.len();
    let (log, policy) = directory.open_or_make(nodes, home, console)?;
    let executor = runtime::server()?;
    let listener = listen(arguments.listen)?;
    let address = listener.local_addr()?;
    // Heard before anybody is told that it is there.
    let ended = runtime::interrupted()?;
    let _entered = executor.enter();
    let cosigning = registry::cosigning(&log, &policy, &egress, operator)?;
    options.cosigning.clone_from(&cosigning);
    if let Some(days) = arguments.retention_days {
        executor.spawn(pruning(log.clone(), days, *console));
    }
    announce(&arguments, &directory, &log, address, count, console)?;
    executor.block_on(serve_log(listener, log.clone(), options, ended))?;
    console.note("ending");
    drop(cosigning);
    log.settle()?;
    Ok(Exit::Yes)
}

/// Serves a copy. It may grow meanwhile: what is read is looked for each time.
fn mirror(dir: &Path, address: SocketAddr, console: &Console) -> Result<Exit, Failure> {
    let copied = file::read(&dir.join("checkpoint"), NOTE_BYTES_MAX)
        .or_context(|| format!("there is no copy of a log in {}", shown(dir)))
        .or_usage()
        .or_hint(|| "`oacp log mirror URL DIR` makes one".to_owned())?;
    let copied = SignedCheckpoint::parse(&copied)
        .or_context(|| format!("`{}/checkpoint` is damaged", dir.display()))?;
    let executor = runtime::server()?;
    let listener = listen(address)?;
    let url = format!("http://{}", listener.local_addr()?);
    // Heard before anybody is told that it is there.
    let ended = runtime::interrupted()?;
    if console.json {
        console.print_json(&json!({
            "listening": url,
            "log": copied.origin(),
            "size": copied.size(),
            "mirror": dir,
        }))?;
    } else {
        console.print(&format!(
            "serving a copy of {BOLD}{}{BOLD:#} at {BOLD}{url}{BOLD:#}  {DIM}{}{DIM:#}",
            visible(copied.origin()),
            shown(dir)
        ))?;
        console.note(&format!(
            "{} so far; Ctrl-C ends it",
            measure::entries(copied.size())
        ));
    }
    let (limits, operator) = (ServerLimits::default(), registry::telling(*console));
    executor.block_on(serve_mirror(listener, dir, limits, operator, ended))?;
    console.note("ending");
    Ok(Exit::Yes)
}

/// Whose attestations are taken.
fn nodes(arguments: &Arguments, home: &Home) -> Result<Vec<PublicKey>, Failure> {
    if let Some(file) = &arguments.nodes {
        let trust = trust::read(file)?;
        return Ok(trust.nodes().iter().map(|node| node.key).collect());
    }
    let own = node_key::load(home)?;
    Ok(own.iter().map(|key| key.public()).collect())
}

pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .or_context(|| format!("cannot listen at {address}"))
        .or_hint(|| "name another with --listen ADDRESS:PORT; port 0 takes a free one".to_owned())
}

/// Says where it is, as the first thing on standard output: whoever started it may wait for that.
fn announce(
    arguments: &Arguments,
    directory: &Directory,
    log: &Log,
    address: SocketAddr,
    nodes: usize,
    console: &Console,
) -> Result<(), Failure> {
    let url = format!("http://{address}");
    if console.json {
        console.print_json(&json!({
            "listening": url,
            "log": log.origin(),
            "key": log.verifier().to_string(),
            "directory": directory.dir(),
        }))?;
        return Ok(());
    }
    console.print(&format!(
        "serving {BOLD}{}{BOLD:#} at {BOLD}{url}{BOLD:#}  {DIM}{}{DIM:#}",
        log.origin(),
        shown(directory.dir())
    ))?;
    let with = |token: &Option<PathBuf>, what: &str| match token {
        Some(_) => format!("{what} with the token"),
        None => format!("{what} closed"),
    };
    console.note(&format!(
        "{}, {}; {} may append; Ctrl-C ends it",
        with(&arguments.append_token, "appending"),
        with(&arguments.read_token, "private routes"),
        measure::plural(nodes as u64, "node"),
    ));
    Ok(())
}

async fn pruning(log: Log, days: u64, console: Console) {
    let mut hours = tokio::time::interval(PRUNED_EVERY);
    loop {
        hours.tick().await;
        let log = log.clone();
        let pruned = tokio::task::spawn_blocking(move || prune_older(&log, days, Pruning::Done));
        match pruned.await {
            Ok(Ok(gone)) if gone.is_empty() => {}
            Ok(Ok(gone)) => {
                let payloads = gone
                    .iter()
                    .map(|segment| segment.entries - segment.held)
                    .sum();
                console.note(&format!("pruned {}", measure::plural(payloads, "payload")));
            }
            Ok(Err(failure)) => console.say(&format!(
                "payloads were not pruned: {}",
                visible(&failure.message())
            )),
            // The executor is ending.
            Err(_) => return,
        }
    }
}
