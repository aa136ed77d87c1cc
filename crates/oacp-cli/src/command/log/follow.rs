//! `oacp log monitor` and `mirror`: a log elsewhere, followed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use oacp::digest::Digest;
use oacp::id::LogOrigin;
use oacp::key::KeyId;
use oacp_gateway::{
    Expected, FollowError, Look, Mirror as Copier, MirrorError, MirrorOptions, Monitor as Watcher,
    MonitorError, MonitorOptions, Peer, Quorum, Remote, Sight, Trusted,
};
use oacp_registry::system_clock;
use serde_json::{Value, json};

use crate::config;
use crate::console::{Console, DIM, GREEN, RED, YELLOW};
use crate::escape::visible;
use crate::failure::{Exit, Failure, Judge};
use crate::home::{Home, shown};
use crate::registry::{Asked, Known, Place};
use crate::{bundle_file, measure, runtime, trust};

/// The longest pause between two looks, in seconds: a day.
const EVERY_S_MAX: u64 = 24 * 60 * 60;

/// A log elsewhere, and how it is followed.
#[derive(Args)]
struct Followed {
    /// The log
    url: String,
    /// Which log that is, and whose cosignatures it needs [default: as `oacp log add` has it]
    #[arg(long, value_name = "FILE")]
    log_policy: Option<PathBuf>,
    /// Look again and again, at this pause, until it is interrupted [default: once]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=EVERY_S_MAX))]
    every: Option<u64>,
    /// The way to the network from this configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Followed {
    fn known(&self, home: &Home) -> Result<Known, Failure> {
        let here = std::env::current_dir()?;
        let asked = Asked {
            place: Some(Place::Url(self.url.clone())),
            log_policy: self.log_policy.as_ref().map(|file| here.join(file)),
            token: None,
        };
        Known::find(&self.url, &asked, home)
    }

    fn remote(&self) -> Result<Remote, Failure> {
        let egress = match &self.config {
            Some(file) => config::Text::read(file)?.for_run()?.egress.options()?,
            None => oacp_egress::Options::default(),
        };
        let peer = Peer::new(&self.url, None, &egress).or_usage()?;
        Ok(Remote::new(Arc::new(peer)))
    }

    fn every(&self) -> Option<Duration> {
        self.every.map(Duration::from_secs)
    }
}

#[derive(Args)]
pub(crate) struct Monitor {
    #[command(flatten)]
    followed: Followed,
    /// What the monitor remembers [default: ~/.oacp/monitor/<host>]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Tell every entry, not only what is odd
    #[arg(long)]
    entries: bool,
    /// All bundles of a node that are for this log: an entry by its key of which none of them knows is odd, and so is one that is not there
    #[arg(long, value_name = "DIR")]
    expect: Option<PathBuf>,
}

pub(super) fn monitor(arguments: Monitor, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let known = arguments.followed.known(home)?;
    let dir = match &arguments.dir {
        Some(dir) => dir.clone(),
        None => known.monitor_dir(home)?,
    };
    crate::file::create_private_dir(&dir)?;
    let mut watcher = Watcher::open(MonitorOptions {
        log: arguments.followed.remote()?,
        trusted: Trusted::Policy(Box::new(known.policy()?)),
        dir,
        expected: match &arguments.expect {
            Some(dir) => expected(dir, &known.origin()?)?,
            None => Vec::new(),
        },
        clock: system_clock(),
    })?;
    let executor = runtime::server()?;
    let ended = runtime::interrupted()?;
    executor.block_on(async {
        let mut odd = false;
        tokio::pin!(ended);
        loop {
            let mut report = |sight: Sight| odd |= tell(&sight, arguments.entries, console);
            let looked = tokio::select! {
                looked = watcher.look(&mut report) => looked,
                () = &mut ended => return Ok(ending(odd)),
            };
            match (looked, arguments.followed.every()) {
                (Ok(look), every) => {
                    told(&look, console)?;
                    odd |= !look.missing.is_empty();
                    odd |= matches!(look.shown.quorum, Quorum::Unmet(_));
                    if every.is_none() {
                        return Ok(ending(odd));
                    }
                }
                (Err(error), Some(_)) if error.is_transient() => {
                    console.say(&format!("{YELLOW}not seen{YELLOW:#}: {}", message(error)));
                }
                (Err(error), _) => return Err(judged(error)),
            }
            tokio::select! {
                () = tokio::time::sleep(arguments.followed.every().unwrap_or_default()) => {}
                () = &mut ended => return Ok(ending(odd)),
            }
        }
    })
}

/// What the nodes of these bundles have in the log by their own keys: delegations.
fn expected(dir: &Path, log: &LogOrigin) -> Result<Vec<Expected>, Failure> {
    let mut known: BTreeMap<KeyId, BTreeSet<Digest>> = BTreeMap::new();
    let entries = std::fs::read_dir(dir)
        .or_context(|| format!("cannot read the directory `{}`", dir.display()))
        .or_usage()?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let bundle =
            bundle_file::read(&path).or_context(|| format!("`{}` is no bundle", path.display()))?;
        if trust::log_of(&bundle).as_ref() == Some(log) {
            let delegation = bundle.delegation();
            let of_key = known.entry(delegation.keyid()).or_default();
            of_key.insert(delegation.pae_digest());
        }
    }
    let expected = |(key, known)| Expected { key, known };
    Ok(known.into_iter().map(expected).collect())
}

fn ending(odd: bool) -> Exit {
    if odd { Exit::No } else { Exit::Yes }
}

/// Tells what was seen. `true`: it is odd.
fn tell(sight: &Sight, entries: bool, console: &Console) -> bool {
    let (is_odd, text, object) = match sight {
        Sight::Leaf { index, leaf } => (
            false,
            format!("entry {index}  {}  {}", leaf.kind.as_str(), leaf.pae),
            json!({ "entry": index, "kind": leaf.kind, "commitment": leaf.pae, "key_id": leaf.key_id, "sequence": leaf.sequence }),
        ),
        Sight::NotALeaf { index, error } => (
            true,
            format!("{RED}odd{RED:#}: entry {index} is none of OACP's: {error}"),
            json!({ "odd": "not_a_leaf", "entry": index, "reason": error.to_string() }),
        ),
        Sight::Duplicate(duplicate) => (
            true,
            format!(
                "{RED}odd{RED:#}: entries {} and {} are both number {} of the key {}: it signed two statements in one place, or somebody else has it",
                duplicate.first, duplicate.second, duplicate.sequence, duplicate.key_id
            ),
            json!({ "odd": "duplicate", "entries": [duplicate.first, duplicate.second], "key_id": duplicate.key_id, "sequence": duplicate.sequence }),
        ),
        Sight::Unended(unended) => (
            true,
            format!(
                "{RED}odd{RED:#}: entry {} closes the key {}, and what it began at {} was never stated",
                unended.closed,
                unended.key_id,
                entries_of(&unended.begun)
            ),
            json!({ "odd": "unended", "entry": unended.closed, "key_id": unended.key_id, "begun": unended.begun }),
        ),
        Sight::Unexpected { index, leaf } => (
            true,
            format!(
                "{RED}odd{RED:#}: entry {index} is by the key {}, and its owner does not know of it",
                leaf.key_id
            ),
            json!({ "odd": "unexpected", "entry": index, "key_id": leaf.key_id }),
        ),
    };
    if is_odd || entries {
        // Where nobody reads there is nobody to tell.
        let _ = print(&text, &object, console);
    }
    is_odd
}

/// `entry 3`, or `entries 3, 5`. What is beyond a few is in the JSON.
fn entries_of(indexes: &[u64]) -> String {
    let shown: Vec<_> = indexes.iter().take(5).map(u64::to_string).collect();
    let noun = if indexes.len() == 1 {
        "entry"
    } else {
        "entries"
    };
    let more = if indexes.len() > 5 { ", …" } else { "" };
    format!("{noun} {}{more}", shown.join(", "))
}

fn told(look: &Look, console: &Console) -> Result<(), Failure> {
    let checkpoint = &look.shown.checkpoint;
    let (style, quorum) = match &look.shown.quorum {
        Quorum::NotChecked => (GREEN, String::new()),
        Quorum::Met { witnesses, .. } if witnesses.is_empty() => (GREEN, String::new()),
        Quorum::Met { witnesses, .. } => (
            GREEN,
            format!(", cosigned by {}", visible(&witnesses.join(", "))),
        ),
        Quorum::Unmet(why) => (
            YELLOW,
            format!("; {YELLOW}{}{YELLOW:#}", visible(&why.to_string())),
        ),
    };
    let age = look
        .age_s
        .map(|age| format!(", {} old", measure::duration(Duration::from_secs(age))))
        .unwrap_or_default();
    let begun = match look.begun.len() {
        0 => String::new(),
        count => format!(
            ", {count} begun and not ended ({})",
            entries_of(&look.begun)
        ),
    };
    for (key, commitment) in &look.missing {
        let text = format!("{RED}odd{RED:#}: {commitment} by the key {key} is not in the log");
        let object = json!({ "odd": "missing", "key_id": key, "commitment": commitment });
        print(&text, &object, console)?;
    }
    let text = format!(
        "{style}seen{style:#}: {} of {}, {} new{begun}{quorum}{age}",
        measure::entries(look.to),
        visible(checkpoint.origin()),
        look.to - look.from,
    );
    let object = json!({
        "log": checkpoint.origin(),
        "size": look.to,
        "root": checkpoint.root().to_string(),
        "new": look.to - look.from,
        "begun": look.begun,
        "policy_met": match &look.shown.quorum {
            Quorum::NotChecked => Value::Null,
            Quorum::Met { .. } => true.into(),
            Quorum::Unmet(_) => false.into(),
        },
        "age_s": look.age_s,
    });
    print(&text, &object, console)
}

/// A line, or one of JSON.
fn print(text: &str, object: &Value, console: &Console) -> Result<(), Failure> {
    match console.json {
        true => console.print_json(object)?,
        false => console.print(text)?,
    }
    Ok(())
}

fn message(error: impl Into<Failure>) -> String {
    visible(&error.into().message()).into_owned()
}

/// A log that misbehaves is what it is there for.
fn judged(error: MonitorError) -> Failure {
    match &error {
        MonitorError::Follow(follow) => misbehaves(follow)
            .map(|code| {
                Failure::from(anyhow::Error::msg(error.to_string())).refused(Exit::No, code)
            })
            .unwrap_or_else(|| error.into()),
        MonitorError::Entries { .. } => Failure::from(error).refused(Exit::No, "entries_forged"),
        _ => error.into(),
    }
}

/// The stable word for how a log misbehaves.
fn misbehaves(error: &FollowError) -> Option<&'static str> {
    match error {
        FollowError::Misbehaves { .. } | FollowError::NoEvidence { .. } => Some("log_misbehaves"),
        FollowError::NotSigned { .. } => Some("checkpoint_not_signed"),
        FollowError::OtherLog { .. } => Some("other_log"),
        _ => None,
    }
}

#[derive(Args)]
pub(crate) struct Mirror {
    #[command(flatten)]
    followed: Followed,
    /// The copy: any HTTP server can serve it
    dir: PathBuf,
}

pub(super) fn mirror(arguments: Mirror, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let known = arguments.followed.known(home)?;
    let mut copier = Copier::open(MirrorOptions {
        log: arguments.followed.remote()?,
        trusted: Trusted::Policy(Box::new(known.policy()?)),
        dir: arguments.dir.clone(),
        keys: Vec::new(),
        clock: system_clock(),
    })?;
    let executor = runtime::server()?;
    let ended = runtime::interrupted()?;
    executor.block_on(async {
        tokio::pin!(ended);
        loop {
            console.note(&format!(
                "{DIM}copying {} from entry {} on …{DIM:#}",
                visible(&arguments.followed.url),
                copier.size()
            ));
            let copied = tokio::select! {
                copied = copier.copy() => copied,
                () = &mut ended => return Ok(Exit::Yes),
            };
            match (copied, arguments.followed.every()) {
                (Ok(copied), every) => {
                    let text = format!(
                        "{GREEN}copied{GREEN:#}: {} of {} are in {}, {} new",
                        measure::entries(copied.to),
                        visible(copied.checkpoint.origin()),
                        shown(&arguments.dir),
                        copied.to - copied.from,
                    );
                    let object = json!({
                        "log": copied.checkpoint.origin(),
                        "size": copied.to,
                        "new": copied.to - copied.from,
                        "directory": arguments.dir,
                    });
                    print(&text, &object, console)?;
                    if every.is_none() {
                        return Ok(Exit::Yes);
                    }
                }
                (Err(error), Some(_)) if error.is_transient() => {
                    console.say(&format!("{YELLOW}not copied{YELLOW:#}: {}", message(error)));
                }
                (Err(error), _) => return Err(mirrored(error)),
            }
            tokio::select! {
                () = tokio::time::sleep(arguments.followed.every().unwrap_or_default()) => {}
                () = &mut ended => return Ok(Exit::Yes),
            }
        }
    })
}

fn mirrored(error: MirrorError) -> Failure {
    match &error {
        MirrorError::Follow(follow) => misbehaves(follow)
            .map(|code| {
                Failure::from(anyhow::Error::msg(error.to_string())).refused(Exit::No, code)
            })
            .unwrap_or_else(|| error.into()),
        MirrorError::Entries { .. } => Failure::from(error).refused(Exit::No, "entries_forged"),
        MirrorError::Policy(_) => Failure::from(error).refused(Exit::Unable, "log_policy_unmet"),
        _ => error.into(),
    }
}
