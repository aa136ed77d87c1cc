//! `oacp log sync`: sends what waits.

use clap::Args;
use oacp_gateway::Sent;
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
        let waiting = spool.pending()?.entries;
        if waiting == 0 {
            answers.push(json!({ "registry": known.url(), "sent": 0, "waiting": 0 }));
            continue;
        }
        waited = true;
        let sending = known
            .registry(&egress)
            .and_then(|registry| Ok(executor.block_on(spool.send_all(&registry))?));
        let left = spool.pending()?.entries;
        match sending {
            Ok(sent) => {
                if left > 0 {
                    exit = Exit::Unable;
                }
                tell(&known, &sent, console)?;
                answers.push(answer(&known, &sent, left));
            }
            Err(failure) => {
                exit = Exit::Unable;
                console.say(&format!(
                    "{YELLOW}not sent{YELLOW:#}: {} for {}: {}",
                    measure::entries(left as u64),
                    visible(known.url()),
                    visible(&failure.message())
                ));
                answers.push(json!({ "registry": known.url(), "sent": 0, "waiting": left, "error": failure.message() }));
            }
        }
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
    for (digest, refused) in &sent.refused {
        console.say(&format!(
            "{RED}refused{RED:#}: {} by {}: {}; it stays in the spool",
            digest.short(),
            visible(known.url()),
            visible(&refused.to_string())
        ));
        if refused.code == "unknown_key" {
            console.say("  hint: the log does not know this node: its operator adds it to --nodes");
        }
    }
    for file in &sent.damaged {
        console.say(&format!(
            "{RED}damaged{RED:#}: {}; it stays in the spool",
            shown(file)
        ));
    }
    Ok(())
}

fn answer(known: &Known, sent: &Sent, left: usize) -> Value {
    let appended: Vec<Value> = sent
        .appended
        .iter()
        .map(|(digest, appended)| json!({ "commitment": digest, "index": appended.index }))
        .collect();
    let refused: Vec<Value> = sent
        .refused
        .iter()
        .map(|(digest, refused)| json!({ "commitment": digest, "code": refused.code, "message": refused.message }))
        .collect();
    json!({
        "registry": known.url(),
        "sent": sent.appended.len(),
        "waiting": left,
        "appended": appended,
        "refused": refused,
        "damaged": sent.damaged,
    })
}
