//! The log that attestations go to: this machine's own, one in another directory, or a registry behind a URL.
//!
//! The attack is another log in the place of the one that was meant. So a log is known by its key before anything is sent to it: of a
//! directory the key lies beside it; of a URL the operator has its policy in a file, and no policy is taken from the registry itself.

mod directory;
mod known;
mod lookup;
mod proving;
mod reply;
mod spooled;

pub(crate) use self::directory::{Directory, prune as prune_older, read_policy};
pub(crate) use self::known::{Known, add, policies};
pub(crate) use self::lookup::{look_up, payload};
pub(crate) use self::proving::{Added, envelopes, prove};
pub(crate) use self::reply::{Reader, Retention, encoded};
pub(crate) use self::spooled::spools;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use oacp::key::PublicKey;
use oacp_gateway::{Cosigning, CosigningOptions, Logging, OperatorLog, Pace, Registry};
use oacp_registry::{Log, Publication, system_clock};
use oacp_tlog::policy::Policy;

use crate::config::{self, RunOptions};
use crate::console::Console;
use crate::escape::visible;
use crate::failure::Failure;
use crate::home::{Home, shown};

/// How long a proof under a quorum is waited for, where a run has to have one.
const PROOF_TIME_MAX: Duration = Duration::from_secs(30);

/// How long a registry that cannot be reached is asked again, where a run has to be logged.
const PATIENCE_FULL: Duration = Duration::from_secs(5);

/// The same, where what cannot be sent waits in the spool.
const PATIENCE: Duration = Duration::from_millis(300);

/// Where attestations go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nowhere.
    Nowhere,
    /// Into a log in a directory.
    Directory(PathBuf),
    /// To a registry behind a URL.
    Url(String),
}

impl Place {
    /// `none`, a URL, or a directory, which is relative to `base`.
    ///
    /// # Errors
    ///
    /// Usage: nothing, or a URL that is neither HTTP nor HTTPS. Taken for directories they would begin logs where nobody looks.
    pub(crate) fn read(text: &str, base: &Path) -> Result<Self, Failure> {
        if text == "none" {
            Ok(Self::Nowhere)
        } else if text.starts_with("http://") || text.starts_with("https://") {
            Ok(Self::Url(text.to_owned()))
        } else if text.trim().is_empty() {
            Err(Failure::usage("the registry is empty").hint(
                "name a directory, a URL, or `none`; leave it out for this machine's own log",
            ))
        } else if text.contains("://") {
            Err(
                Failure::usage(format!("`{}` is not a registry's URL", visible(text))).hint(
                    "a registry is at http://… or https://…; a directory is named by its path",
                ),
            )
        } else {
            Ok(Self::Directory(base.join(text)))
        }
    }
}

/// What is said of the log, by a configuration or a command line. What is not said is as the home has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// `None`: this machine's own log.
    pub(crate) place: Option<Place>,
    /// Which log is behind the URL, and whose cosignatures it needs.
    pub(crate) log_policy: Option<PathBuf>,
    /// The file that holds the token for appending.
    pub(crate) token: Option<PathBuf>,
}

impl Asked {
    /// The files that hold keys, tokens and policies, and the log itself: no guest sees them.
    pub(crate) fn withheld(&self) -> impl Iterator<Item = PathBuf> {
        let directory = match &self.place {
            Some(Place::Directory(dir)) => Directory::new(dir.clone()).files(),
            _ => Vec::new(),
        };
        directory
            .into_iter()
            .chain(self.log_policy.clone())
            .chain(self.token.clone())
    }
}

/// What the command line says of the log.
#[derive(Args, Clone, Default)]
pub(crate) struct LogFlags {
    /// The log: a directory, a URL, or `none` [default: this machine's own, ~/.oacp/log]
    #[arg(long, value_name = "DIR|URL|none", help_heading = "Log")]
    registry: Option<String>,
    /// Which log is behind the URL, and whose cosignatures it needs: a C2SP tlog-policy
    #[arg(long, value_name = "FILE", requires = "registry", help_heading = "Log")]
    log_policy: Option<PathBuf>,
    /// The token for appending to the registry at the URL
    #[arg(long, value_name = "FILE", requires = "registry", help_heading = "Log")]
    registry_token: Option<PathBuf>,
}

impl LogFlags {
    /// What they say, over what a configuration says. Another place has another policy and token.
    pub(crate) fn over(&self, configured: Asked) -> Result<Asked, Failure> {
        let Some(text) = &self.registry else {
            return Ok(configured);
        };
        let here = std::env::current_dir()?;
        Ok(Asked {
            place: Some(Place::read(text, &here)?),
            log_policy: self.log_policy.as_ref().map(|file| here.join(file)),
            token: self.registry_token.as_ref().map(|file| here.join(file)),
        })
    }
}

/// Which log a command of `oacp log` is about.
#[derive(Args, Clone, Default)]
pub(crate) struct Which {
    #[command(flatten)]
    flags: LogFlags,
    /// Registry, policy, token and way to the network from this configuration
    #[arg(long, value_name = "FILE", conflicts_with = "registry")]
    config: Option<PathBuf>,
}

impl Which {
    /// The log at this place.
    pub(crate) fn named(place: &str) -> Self {
        Self {
            flags: LogFlags {
                registry: Some(place.to_owned()),
                ..LogFlags::default()
            },
            config: None,
        }
    }

    /// What is said of the log, and how the network is reached.
    pub(crate) fn read(&self) -> Result<(Asked, oacp_egress::Options), Failure> {
        let options = match &self.config {
            Some(file) => config::Text::read(file)?.for_run()?,
            None => RunOptions::default(),
        };
        let asked = self.flags.over(options.registry)?;
        Ok((asked, options.egress.options()?))
    }
}

/// A log in a directory of this machine, for what can only be done where it is.
#[derive(Args, Clone, Default)]
pub(crate) struct Here {
    /// The log's directory [default: this machine's own, ~/.oacp/log]
    #[arg(long, value_name = "DIR")]
    registry: Option<String>,
}

impl Here {
    pub(crate) fn directory(&self, home: &Home) -> Result<Directory, Failure> {
        let Some(text) = &self.registry else {
            return Ok(Directory::new(home.log()));
        };
        directory(&Place::read(text, &std::env::current_dir()?)?, home)
    }
}

/// The log at this place, which has to be one in a directory.
pub(crate) fn directory(place: &Place, home: &Home) -> Result<Directory, Failure> {
    match place {
        Place::Directory(dir) => Ok(Directory::new(dir.clone())),
        Place::Url(url) => Err(Failure::usage(format!(
            "`{}` is elsewhere, and this needs the log's own directory",
            visible(url)
        ))
        .hint("do it on the machine that has it")),
        Place::Nowhere => Err(Failure::usage("`none` is no log").hint(format!(
            "name a directory or a URL with --registry; else it is {}",
            shown(&home.log())
        ))),
    }
}

/// How soon an attestation has to be in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Before the run is answered.
    Now,
    /// It may wait in the spool.
    Spooled,
}

/// The way into a log, while a run lasts.
pub(crate) struct Opened {
    pub(crate) logging: Logging,
    /// The log, if it is in a directory here.
    pub(crate) local: Option<(Directory, Log)>,
    /// Asks the log's witnesses, as long as it lives.
    _cosigning: Option<Cosigning>,
}

/// Opens the log that attestations go to. `None`: nowhere. To be called within the executor.
///
/// # Errors
///
/// The log is not known, or damaged. That it cannot be reached shows when it is written to.
pub(crate) fn open(
    asked: &Asked,
    home: &Home,
    node: PublicKey,
    egress: &oacp_egress::Options,
    urgency: Urgency,
    console: &Console,
) -> Result<Option<Opened>, Failure> {
    let in_directory = |dir: PathBuf| {
        let directory = Directory::new(dir);
        let (log, policy) = directory.open_or_make(vec![node], home, console)?;
        local(directory, log, policy, egress, console).map(Some)
    };
    match &asked.place {
        Some(Place::Nowhere) => Ok(None),
        None => in_directory(home.log()),
        Some(Place::Directory(dir)) => in_directory(dir.clone()),
        Some(Place::Url(url)) => {
            remote(&Known::find(url, asked, home)?, home, egress, urgency).map(Some)
        }
    }
}

/// The way into a log behind a URL. Opens nothing.
pub(crate) fn remote(
    known: &Known,
    home: &Home,
    egress: &oacp_egress::Options,
    urgency: Urgency,
) -> Result<Opened, Failure> {
    let patience = match urgency {
        Urgency::Now => PATIENCE_FULL,
        Urgency::Spooled => PATIENCE,
    };
    Ok(Opened {
        logging: Logging {
            registry: Arc::new(Registry::Remote(
                known.registry(egress)?.with_patience(patience),
            )),
            policy: known.policy()?,
            spool: Some(known.spool(home)?),
            patience: PROOF_TIME_MAX,
        },
        local: None,
        _cosigning: None,
    })
}

/// The way into a log that is open here. To be called within the executor.
pub(crate) fn local(
    directory: Directory,
    log: Log,
    policy: Policy,
    egress: &oacp_egress::Options,
    console: &Console,
) -> Result<Opened, Failure> {
    let cosigning = cosigning(&log, &policy, egress, noting(*console))?;
    Ok(Opened {
        logging: Logging {
            registry: Arc::new(Registry::Local(log.clone())),
            policy,
            spool: None,
            patience: PROOF_TIME_MAX,
        },
        local: Some((directory, log)),
        _cosigning: cosigning,
    })
}

/// Begins to ask the witnesses of the policy, if it has any. To be called within the executor.
pub(crate) fn cosigning(
    log: &Log,
    policy: &Policy,
    egress: &oacp_egress::Options,
    operator: OperatorLog,
) -> Result<Option<Cosigning>, Failure> {
    if policy.witnesses().is_empty() {
        return Ok(None);
    }
    let options = CosigningOptions {
        policy: policy.clone(),
        egress: egress.clone(),
        pace: Pace::default(),
        clock: system_clock(),
        operator,
    };
    Ok(Some(Cosigning::begin(log.clone(), options)?))
}

/// When a log with this policy gives out its checkpoints.
fn publication(policy: &Policy) -> Publication {
    match policy.witnesses() {
        [] => Publication::AtOnce,
        _ => Publication::WhenCosigned,
    }
}

/// Tells the operator, who is the person at the terminal.
pub(crate) fn noting(console: Console) -> OperatorLog {
    Arc::new(move |line: &str| console.note(&format!("note: {}", visible(line))))
}

/// Tells the operator of a server: what it says is heard also when quiet.
pub(crate) fn telling(console: Console) -> OperatorLog {
    Arc::new(move |line: &str| console.say(&visible(line)))
}

/// Either kind of log, to be read.
pub(crate) enum Reached {
    /// In a directory here.
    Local(Directory, Log, Policy),
    /// Behind a URL.
    Remote(Reader),
}

impl Which {
    /// The log, to be read. One that is not there is not made. `token`: the file that holds the one for reading.
    pub(crate) fn reach(&self, token: Option<&Path>, home: &Home) -> Result<Reached, Failure> {
        let (asked, egress) = self.read()?;
        if let Some(Place::Url(url)) = &asked.place {
            return Ok(Reached::Remote(Reader::new(url, token, &egress)?));
        }
        let directory = match &asked.place {
            None => Directory::new(home.log()),
            Some(place) => directory(place, home)?,
        };
        let (log, policy) = directory.open()?;
        Ok(Reached::Local(directory, log, policy))
    }
}

/// How a log is called on the command line, for hints: nothing if it is this machine's own.
pub(crate) fn as_flag(asked: &Asked) -> String {
    match &asked.place {
        None | Some(Place::Nowhere) => String::new(),
        Some(Place::Directory(dir)) => format!(" --registry {}", shown(dir)),
        Some(Place::Url(url)) => format!(" --registry {url}"),
    }
}
