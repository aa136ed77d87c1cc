//! `oacp log sync`: sends what waits, and says what becomes of what is refused.

use std::collections::BTreeMap;

use clap::Args;
use oacp::digest::Digest;
use oacp_gateway::{RefusedEntry, Sent, Spool};
use serde_json::{Value, json};

use crate::console::{Console, RED, YELLOW};
use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::home::{Home, shown};
use crate::measure;
use crate::registry::{Asked, Known, Place, Which, spools};
use crate::runtime;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Send once more what was refused
    #[arg(long, conflicts_with = "drop_refused")]
    retry_refused: bool,
    /// Remove what was or is refused from the spool. It is then in no log; a bundle that has it stays
    #[arg(long)]
    drop_refused: bool,
    #[command(flatten)]
    which: Which,
}

pub(super) fn sync(arguments: &Arguments, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let (asked, egress) = arguments.which.read()?;
    let executor = runtime::executor()?;
    let (mut exit, mut answers, mut waited) = (Exit::Yes, Vec::new(), false);
    for (mut known, spool) in spools(home)? {
        if let Some(named) = url_of(&asked) {
            if named != known.url() {
                continue;
            }
            // Policy and token may be elsewhere by now.
            known = Known::find(named, &asked, home)?;
        }
        if arguments.retry_refused {
            spool.retry_refused()?;
        }
        let sending = match spool.is_empty()? {
            true => Ok(Sent::default()),
            false => {
                waited = true;
                let registry = known.registry(&egress);
                registry.and_then(|registry| Ok(executor.block_on(spool.send_all(&registry))?))
            }
        };
        let (sent, failure) = match sending {
            Ok(sent) => (sent, None),
            Err(failure) => (Sent::default(), Some(failure)),
        };
        tell(&known, &sent, console)?;
        let dropped = match arguments.drop_refused {
            true => drop_refused(&spool, &sent, console)?,
            false => BTreeMap::new(),
        };
        let (left, kept) = (spool.pending()?.entries, spool.refused()?);
        let is_refused = sent.refused.keys().any(|one| !dropped.contains_key(one));
        if left > 0 || is_refused || failure.is_some() {
            exit = Exit::Unable;
        }
        if let Some(failure) = &failure {
            console.say(&format!(
                "{YELLOW}not sent{YELLOW:#}: {} for {}: {}",
                measure::entries(left as u64),
                visible(known.url()),
                visible(&failure.message())
            ));
        }
        if !kept.is_empty() {
            console.note(&format!(
                "{} refused by {}, kept in {}: --retry-refused sends them once more, --drop-refused removes them",
                measure::entries(kept.len() as u64),
                visible(known.url()),
                shown(&spool.dir().join("refused")),
            ));
        }
        answers.push(json!({
            "registry": known.url(),
            "sent": sent.appended.len(),
            "waiting": left,
            "appended": appended(&sent),
            "refused": refusals(&sent.refused),
            "kept": refusals(&kept),
            "dropped": refusals(&dropped),
            "damaged": sent.damaged,
            "error": failure.map(|failure| failure.message()),
        }));
    }
    if console.json {
        console.print_json(&answers)?;
    } else if !waited {
        console.note("nothing waits");
    }
    Ok(exit)
}

fn url_of(asked: &Asked) -> Option<&str> {
    match &asked.place {
        Some(Place::Url(url)) => Some(url),
        _ => None,
    }
}

/// Removes what was refused before, and what was refused now.
fn drop_refused(
    spool: &Spool,
    sent: &Sent,
    console: &Console,
) -> Result<BTreeMap<Digest, RefusedEntry>, Failure> {
    let mut refused = spool.refused()?;
    refused.extend(sent.refused.clone());
    for (digest, why) in &refused {
        spool.discard(digest)?;
        console.say(&format!(
            "{YELLOW}dropped{YELLOW:#}: {}: {}",
            digest.short(),
            visible(&why.to_string())
        ));
    }
    Ok(refused)
}

fn tell(known: &Known, sent: &Sent, console: &Console) -> Result<(), Failure> {
    if !console.json && !sent.appended.is_empty() {
        let indexes = sent.appended.values().map(|appended| appended.index);
        console.print(&format!(
            "sent {} to {}: entries {} to {}",
            measure::entries(sent.appended.len() as u64),
            visible(known.url()),
            indexes.clone().min().unwrap_or_default(),
            indexes.max().unwrap_or_default(),
        ))?;
    }
    let mut is_unknown = false;
    for (digest, refused) in &sent.refused {
        is_unknown |= refused.code == "unknown_key";
        let becomes = match refused.is_for_good() {
            true => "it is sent no more",
            false => "it waits",
        };
        console.say(&format!(
            "{RED}refused{RED:#}: {} by {}: {}; {becomes}",
            digest.short(),
            visible(known.url()),
            visible(&refused.to_string())
        ));
    }
    if is_unknown {
        console.say("  hint: the log does not know this node, or not its sandbox's key: its operator adds the node to --nodes");
    }
    for file in &sent.damaged {
        console.say(&format!(
            "{RED}damaged{RED:#}: {}; it stays in the spool",
            shown(file)
        ));
    }
    Ok(())
}

fn appended(sent: &Sent) -> Vec<Value> {
    sent.appended
        .iter()
        .map(|(digest, appended)| json!({ "commitment": digest, "index": appended.index }))
        .collect()
}

/// As `--json` prints what was refused.
pub(super) fn refusals(refused: &BTreeMap<Digest, RefusedEntry>) -> Vec<Value> {
    refused
        .iter()
        .map(|(digest, refused)| json!({ "commitment": digest, "code": refused.code, "message": refused.message }))
        .collect()
}
