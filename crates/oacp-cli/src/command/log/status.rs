//! `oacp log status`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use oacp::digest::Digest;
use oacp::leaf::LeafKind;
use oacp::time::Timestamp;
use oacp_gateway::{Pending, RefusedEntry, Spool};
use oacp_registry::Count;
use oacp_tlog::checkpoint::SignedCheckpoint;
use oacp_tlog::policy::{Policy, PolicyError};
use serde::Serialize;
use serde_json::{Value, json};

use super::sync::refusals;
use crate::console::{BOLD, Console, DIM, RED, YELLOW};
use crate::escape::{visible, visible_lines};
use crate::failure::{Exit, Failure, Judge};
use crate::home::{Home, shown};
use crate::measure;
use crate::registry::{Directory, Known, Place, Reached, Which, spools};
use crate::runtime;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// The token for reading the registry at the URL
    #[arg(long, value_name = "FILE", help_heading = "Log")]
    read_token: Option<PathBuf>,
}

/// Reasons that are shown of each spool. All are in the JSON.
const REASONS_SHOWN_MAX: usize = 5;

/// Who says what of the newest checkpoint.
#[derive(Serialize)]
struct Given {
    /// Entries under it.
    size: u64,
    /// Whether the policy is met. `None`: there is none.
    policy_met: Option<bool>,
    /// Who cosigned it.
    witnesses: Vec<String>,
    /// How many witnesses the policy has.
    of: usize,
    /// By when the quorum had seen it.
    witness_time: Option<Timestamp>,
}

pub(super) fn status(
    arguments: &Arguments,
    home: &Home,
    console: &Console,
) -> Result<Exit, Failure> {
    let (asked, _) = arguments.which.read()?;
    if asked.place.is_none() && !Directory::new(home.log()).exists() {
        let spools = spools(home)?;
        if !spools.is_empty() {
            return only_spools(&spools, console);
        }
    }
    match arguments
        .which
        .reach(arguments.read_token.as_deref(), home)?
    {
        Reached::Local(directory, log, policy) => {
            let status = log.status()?;
            let given = log
                .checkpoint()
                .map(|given| given_out(&given, Some(&policy)));
            let mut waiting = waiting(&spools(home)?)?;
            waiting.retain(|waiting| !waiting.is_empty());
            if console.json {
                console.print_json(&json!({
                    "log": status.origin,
                    "key": log.verifier().to_string(),
                    "directory": directory.dir(),
                    "size": status.size,
                    "indexed": status.indexed,
                    "stopped": status.stopped,
                    "checkpoint": given,
                    "entries": counts_object(&status.counts),
                    "spools": waiting.iter().map(Waiting::object).collect::<Vec<_>>(),
                }))?;
                return Ok(Exit::Yes);
            }
            let mut text = format!(
                "{BOLD}{}{BOLD:#}  in {}\n  {DIM}entries{DIM:#}     {}{}",
                status.origin,
                shown(directory.dir()),
                status.size,
                counts(&status.counts),
            );
            text.push_str(&format!("\n  {DIM}key{DIM:#}         {}", log.verifier()));
            text.push_str(&format!(
                "\n  {DIM}checkpoint{DIM:#}  {}",
                checkpoint(given.as_ref())
            ));
            if let Some(reason) = &status.stopped {
                text.push_str(&format!("\n  {RED}stopped{RED:#}     {}", visible(reason)));
            }
            text.extend(waiting.iter().map(Waiting::text));
            console.print(&text)?;
        }
        Reached::Remote(reader) => {
            let executor = runtime::executor()?;
            let said: Value = executor.block_on(reader.json("status"))?;
            let bytes = executor.block_on(reader.get("checkpoint"))?;
            let shown_now = SignedCheckpoint::parse(&bytes)
                .or_context(|| format!("the checkpoint of `{}`", reader.url()))?;
            let (asked, _) = arguments.which.read()?;
            let policy = match &asked.place {
                // Without a policy it can still be asked how it is.
                Some(Place::Url(url)) => Known::find(url, &asked, home)
                    .ok()
                    .map(|known| known.policy())
                    .transpose()?,
                _ => None,
            };
            let given = given_out(&shown_now, policy.as_ref());
            if console.json {
                console.print_json(&json!({
                    "log": shown_now.origin(),
                    "url": reader.url(),
                    "says": said,
                    "checkpoint": given,
                }))?;
                return Ok(Exit::Yes);
            }
            let says = serde_json::to_string_pretty(&said)?;
            console.print(&format!(
                "{BOLD}{}{BOLD:#}  at {}\n  {DIM}checkpoint{DIM:#}  {}\n  {DIM}it says{DIM:#}\n{}",
                visible(shown_now.origin()),
                reader.url(),
                checkpoint(Some(&given)),
                visible_lines(&says, "    "),
            ))?;
        }
    }
    Ok(Exit::Yes)
}

/// What a machine has that logs elsewhere alone.
fn only_spools(spools: &[(Known, Spool)], console: &Console) -> Result<Exit, Failure> {
    let waiting = waiting(spools)?;
    if console.json {
        console.print_json(&json!({
            "log": null,
            "spools": waiting.iter().map(Waiting::object).collect::<Vec<_>>(),
        }))?;
        return Ok(Exit::Yes);
    }
    let text: String = waiting.iter().map(Waiting::text).collect();
    console.print(&format!("no log on this machine; it logs elsewhere{text}"))?;
    Ok(Exit::Yes)
}

fn given_out(checkpoint: &SignedCheckpoint, policy: Option<&Policy>) -> Given {
    let mut given = Given {
        size: checkpoint.size(),
        policy_met: None,
        witnesses: Vec::new(),
        of: policy.map_or(0, |policy| policy.witnesses().len()),
        witness_time: None,
    };
    let Some(checked) = policy.map(|policy| policy.check(checkpoint)) else {
        return given;
    };
    given.policy_met = Some(checked.is_ok());
    match checked {
        Ok(met) => {
            given.witnesses = met.witnesses;
            given.witness_time = met.time_s.map(time_of);
        }
        Err(PolicyError::NoQuorum { witnesses }) => given.witnesses = witnesses,
        Err(_) => {}
    }
    given
}

/// The beginning of a second.
pub(super) fn time_of(unix_s: u64) -> Timestamp {
    let ms = i64::try_from(unix_s.saturating_mul(1000)).unwrap_or(i64::MAX);
    Timestamp::from_unix_ms(ms)
}

fn checkpoint(given: Option<&Given>) -> String {
    let Some(given) = given else {
        return format!("{YELLOW}none was given out yet{YELLOW:#}");
    };
    let mut text = measure::entries(given.size);
    if given.of > 0 {
        text.push_str(&format!(
            ", cosigned by {} of {}",
            given.witnesses.len(),
            given.of
        ));
    }
    if let Some(time) = given.witness_time {
        text.push_str(&format!(", seen by {time}"));
    }
    match given.policy_met {
        Some(true) => {}
        Some(false) => text.push_str(&format!("; {YELLOW}the policy is not met{YELLOW:#}")),
        None => text.push_str("; no policy says whose it should be"),
    }
    text
}

/// ` (3 executions, 3 delegations, 2 pruned)`.
fn counts(counts: &[Count]) -> String {
    let mut parts: Vec<String> = counts
        .iter()
        .filter(|count| count.entries > 0)
        .map(|count| measure::plural(count.entries, name(count.kind)))
        .collect();
    let pruned: u64 = counts.iter().map(|count| count.pruned).sum();
    if pruned > 0 {
        parts.push(format!("{pruned} pruned"));
    }
    match parts.is_empty() {
        true => String::new(),
        false => format!("  {DIM}({}){DIM:#}", parts.join(", ")),
    }
}

fn name(kind: LeafKind) -> &'static str {
    kind.as_str()
}

fn counts_object(counts: &[Count]) -> Value {
    counts
        .iter()
        .map(|count| {
            let numbers = json!({ "entries": count.entries, "pruned": count.pruned });
            (count.kind.as_str().to_owned(), numbers)
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// What a registry elsewhere does not have.
struct Waiting {
    url: String,
    pending: Pending,
    /// What it refused for good, and why.
    refused: BTreeMap<Digest, RefusedEntry>,
}

fn waiting(spools: &[(Known, Spool)]) -> Result<Vec<Waiting>, Failure> {
    let waiting = spools.iter().map(|(known, spool)| {
        Ok(Waiting {
            url: known.url().to_owned(),
            pending: spool.pending()?,
            refused: spool.refused()?,
        })
    });
    waiting.collect()
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.pending.entries == 0 && self.refused.is_empty()
    }

    /// Lines, each behind a line feed.
    fn text(&self) -> String {
        let url = visible(&self.url);
        let what = match self.pending.entries {
            0 => format!("nothing waits for {url}"),
            entries => format!(
                "{} for {url}: oacp log sync",
                measure::entries(entries as u64)
            ),
        };
        let mut text = format!("\n  {YELLOW}spool{YELLOW:#}       {what}");
        if self.refused.is_empty() {
            return text;
        }
        let count = measure::entries(self.refused.len() as u64);
        text.push_str(&format!(
            "\n  {RED}refused{RED:#}     {count} by {url}: oacp log sync --retry-refused, or --drop-refused"
        ));
        for (digest, why) in self.refused.iter().take(REASONS_SHOWN_MAX) {
            let why = why.to_string();
            text.push_str(&format!(
                "\n              {}: {}",
                digest.short(),
                visible(&why)
            ));
        }
        if self.refused.len() > REASONS_SHOWN_MAX {
            text.push_str("\n              …");
        }
        text
    }

    fn object(&self) -> Value {
        json!({
            "registry": self.url,
            "entries": self.pending.entries,
            "bytes": self.pending.bytes,
            "refused": refusals(&self.refused),
        })
    }
}
