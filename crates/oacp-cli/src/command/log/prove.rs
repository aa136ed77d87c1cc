//! `oacp log prove`: newer proofs for a bundle.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use oacp::bundle::Bundle;
use oacp::id::LogOrigin;
use oacp_gateway::{Answered, RegistryError};
use oacp_registry::AppendError;
use oacp_tlog::policy::{Policy, PolicyError};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::command::runs;
use crate::console::{Console, YELLOW};
use crate::escape::visible;
use crate::failure::{Exit, Failure, Judge};
use crate::file::{Existing, Readers};
use crate::home::{Home, shown};
use crate::registry::{
    self, Added, Asked, Directory, Opened, Place, Urgency, Which, as_flag, envelopes, spools,
};
use crate::{bundle_file, measure, node_key, runtime, trust};

/// How long is waited between two looks at the log.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest wait, in seconds.
const WAIT_S_MAX: u64 = 3600;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The bundle, or a run of this machine's by its id
    bundle: String,
    /// How long to wait for witnesses, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=WAIT_S_MAX))]
    wait: u64,
    #[command(flatten)]
    which: Which,
}

pub(super) fn prove(
    arguments: &Arguments,
    home: &Home,
    console: &Console,
) -> Result<Exit, Failure> {
    let file = runs::locate(&arguments.bundle, home)?;
    if file == Path::new("-") {
        return Err(Failure::usage(
            "the bundle is written anew, so it has to be a file",
        ));
    }
    let mut bundle = bundle_file::read(&file)?;
    let (asked, egress) = arguments.which.read()?;
    let asked = meant(asked, &bundle, home)?;
    let executor = runtime::executor()?;
    let opened = {
        let _entered = executor.enter();
        open(&asked, home, &egress, console)?
    };
    let policy = &opened.logging.policy;
    let until = Instant::now() + Duration::from_secs(arguments.wait);
    let added = executor.block_on(newest(&mut bundle, &opened, until))?;
    let unmet = policy.check(&added.checkpoint).err();
    if unmet.is_none() {
        write(&file, &bundle)?;
    }
    if console.json {
        console.print_json(&json!({
            "bundle": file,
            "log": added.checkpoint.origin(),
            "index": added.index,
            "size": added.size,
            "added": added.is_new && unmet.is_none(),
            "policy_met": unmet.is_none(),
            "witnesses": witnesses(&added, policy),
        }))?;
    } else if unmet.is_none() {
        console.print(&text(&added, policy))?;
    }
    let Some(unmet) = unmet else {
        return Ok(Exit::Yes);
    };
    // A proof that the policy does not accept would only keep the bundle from being verified.
    console.say(&format!(
        "{YELLOW}not proven{YELLOW:#}: it is entry {} of {}, and the newest checkpoint will not do: {unmet}; try again later",
        added.index,
        visible(added.checkpoint.origin()),
    ));
    Ok(Exit::Unable)
}

/// What came of it. Proven is what a quorum of witnesses stands for: a log's own word is a proof of what it says, and of no more.
fn text(added: &Added, policy: &Policy) -> String {
    let what = match (added.is_new, policy.needs_witnesses()) {
        (true, true) => "proven",
        (true, false) => "added a proof",
        (false, _) => "nothing added, the bundle has this proof already",
    };
    format!(
        "{what}: entry {} of {} ({}); witnesses: {} of {}",
        added.index,
        added.checkpoint.origin(),
        measure::entries(added.size),
        witnesses(added, policy).len(),
        policy.witnesses().len()
    )
}

/// Who cosigned the checkpoint of the newest proof.
fn witnesses(added: &Added, policy: &Policy) -> Vec<String> {
    match policy.check(&added.checkpoint) {
        Ok(met) => met.witnesses,
        Err(PolicyError::NoQuorum { witnesses }) => witnesses,
        Err(_) => Vec::new(),
    }
}

/// The log that is meant: the one that was named, or the one that the bundle says it is for, if this machine knows that.
fn meant(asked: Asked, bundle: &Bundle, home: &Home) -> Result<Asked, Failure> {
    let log = trust::log_of(bundle).ok_or_else(|| {
        Failure::usage("the bundle is for no log: its run was not to be logged")
            .hint("the log is named in what is signed, and cannot be changed")
    })?;
    if asked.place.is_some() {
        return Ok(asked);
    }
    if let Some(policy) = Directory::new(home.log()).policy()?
        && lists(&policy, &log)
    {
        return Ok(asked);
    }
    for (known, _) in spools(home)? {
        if known.policy().is_ok_and(|policy| lists(&policy, &log)) {
            return Ok(known.asked());
        }
    }
    Err(Failure::usage(format!(
        "the bundle is for the log `{log}`, and where that is is not known"
    ))
    .hint("name it with --registry DIR|URL"))
}

fn lists(policy: &Policy, log: &LogOrigin) -> bool {
    let mut logs = policy.logs().iter();
    logs.any(|listed| listed.key().name().as_str() == log.as_str())
}

fn open(
    asked: &Asked,
    home: &Home,
    egress: &oacp_egress::Options,
    console: &Console,
) -> Result<Opened, Failure> {
    match &asked.place {
        Some(Place::Url(url)) => {
            let known = registry::Known::find(url, asked, home)?;
            registry::remote(&known, home, egress, Urgency::Now)
        }
        Some(Place::Nowhere) => Err(Failure::usage("`none` is no log")),
        place => {
            let dir = match place {
                Some(Place::Directory(dir)) => dir.clone(),
                _ => home.log(),
            };
            let directory = Directory::new(dir);
            let node = node_key::load(home)?.map(|key| key.public());
            let (log, policy) = directory.open_for(node.into_iter().collect())?;
            registry::local(directory, log, policy, egress, console)
        }
    }
    .or_hint(|| format!("`oacp log status{}` says how it is", as_flag(asked)))
}

/// The newest proofs, of a checkpoint that satisfies the policy if one comes in time. What the log does not have is sent to it.
async fn newest(bundle: &mut Bundle, opened: &Opened, until: Instant) -> Result<Added, Failure> {
    let (registry, policy) = (&opened.logging.registry, &opened.logging.policy);
    let mut was_sent = false;
    loop {
        let mut proven = bundle.clone();
        let left = until.saturating_duration_since(Instant::now());
        let added = match registry::prove(&mut proven, registry, left).await? {
            Some(added) => added,
            None if was_sent => {
                return Err(Failure::unable(
                    "the log has taken the entries, and does not have them",
                ));
            }
            None => {
                let mut envelopes: Vec<_> = envelopes(bundle)
                    .into_iter()
                    .map(|(_, envelope)| envelope)
                    .collect();
                envelopes.reverse();
                match &opened.logging.spool {
                    // What waits there comes before.
                    Some(spool) => {
                        let sent = registry.submit(envelopes, spool, Answered::WhenLogged);
                        sent.await.map(drop)
                    }
                    None => registry.append(envelopes).await.map(drop),
                }
                .map_err(not_logged)?;
                was_sent = true;
                continue;
            }
        };
        if policy.check(&added.checkpoint).is_ok() || Instant::now() >= until {
            *bundle = proven;
            return Ok(added);
        }
        sleep(PAUSE.min(left)).await;
    }
}

fn not_logged(error: RegistryError) -> Failure {
    let code = match &error {
        RegistryError::Refused(refused) => refused.code.as_str(),
        RegistryError::Append(AppendError::Entry(refused)) => refused.code(),
        _ => "",
    };
    let is_unknown = code == "unknown_key";
    let what = "the bundle's run is not in the log, and cannot be logged";
    let failure = Failure::from(anyhow::Error::from(error).context(what));
    match is_unknown {
        true => failure.hint(
            "the log does not know the node that ran it: its operator adds it to --nodes of `oacp log serve`",
        ),
        false => failure,
    }
}

fn write(file: &Path, bundle: &Bundle) -> Result<(), Failure> {
    let readers = match bundle.private().is_empty() {
        true => Readers::Anyone,
        false => Readers::Owner,
    };
    bundle_file::write(file, bundle, Existing::Replace, readers)
        .or_hint(|| format!("{} is as it was", shown(file)))
}
