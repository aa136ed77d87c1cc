//! What becomes of a run in the log, and what its caller is told of it.

use std::path::Path;
use std::time::Duration;

use oacp::Proven;
use oacp::id::LogOrigin;
use oacp::statement::Level;
use oacp_gateway::{Execution, Logged, RegistryError};
use oacp_tlog::policy::PolicyError;
use serde::Serialize;

use crate::console::{Console, YELLOW};
use crate::escape::visible;
use crate::failure::Failure;
use crate::home::shown;
use crate::measure;
use crate::registry::{Asked, Opened, Place, Reader, Retention, Urgency, prove as add_proofs};

/// How long an answer waits for a checkpoint that covers the run, where it need not.
const PROOF_TIME: Duration = Duration::from_secs(2);

/// How soon a run of this level has to be in the log.
pub(super) fn urgency(level: Option<Level>) -> Urgency {
    match level {
        Some(level) if level >= Level::Full => Urgency::Now,
        _ => Urgency::Spooled,
    }
}

/// What a run lacks that took place, and was to be in the log.
pub(super) struct Missing {
    pub(super) level: Level,
    pub(super) source: RegistryError,
}

impl Missing {
    /// There is no answer: it was not to be had without the log.
    pub(super) fn failure(self, file: &Path) -> Failure {
        let Self { level, source } = self;
        let is_unknown =
            matches!(&source, RegistryError::Refused(refused) if refused.code == "unknown_key");
        let file = shown(file);
        let what = match level >= Level::Full {
            true => format!("the run has ended, and its level {level} is not reached"),
            false => "the run has ended, and is not in the log".to_owned(),
        };
        Failure::from(anyhow::Error::from(source).context(format!("{what}; its bundle is {file}")))
            .hint(match is_unknown {
                true => format!(
                    "the log does not know this node: its operator adds it to --nodes; then `oacp log prove {file}` logs it and adds the proofs"
                ),
                false => format!(
                    "when the log is well, `oacp log prove {file}` logs it and adds the proofs"
                ),
            })
    }
}

/// Gives the log a moment, if no checkpoint covers the run yet. A bundle without proofs can get them later.
pub(super) async fn prove(log: &Opened, execution: &mut Execution) {
    let Logged::Logged {
        size: size @ None, ..
    } = &mut execution.logged
    else {
        return;
    };
    let logging = &log.logging;
    let mut proven = execution.bundle.clone();
    let added = add_proofs(&mut proven, &logging.registry, PROOF_TIME);
    // A checkpoint that is given out without a quorum will not have one in a moment; and a proof that the policy does not accept would
    // only keep the bundle from being verified.
    if let Ok(Some(added)) = added.await
        && logging.policy.check(&added.checkpoint).is_ok()
    {
        *size = Some(added.size);
        execution.bundle = proven;
    }
}

/// What a run's caller is told of the log. Fields are added, never renamed.
#[derive(Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(in crate::command) enum Told {
    /// There is no log.
    NotLogged,
    /// It is in the log.
    Logged {
        log: LogOrigin,
        index: u64,
        /// Entries under the checkpoint of the bundle's proof. `None`: the bundle has none yet.
        size: Option<u64>,
        /// Who cosigned that checkpoint.
        witnesses: Vec<String>,
        /// How many witnesses the policy has.
        #[serde(skip)]
        of: usize,
    },
    /// It waits for the log.
    Spooled { reason: String, pending: usize },
}

impl Told {
    pub(in crate::command) fn of(execution: &Execution, log: Option<&Opened>) -> Self {
        let (origin, index, size) = match &execution.logged {
            Logged::NotLogged => return Self::NotLogged,
            Logged::Spooled { reason, pending } => {
                return Self::Spooled {
                    reason: reason.clone(),
                    pending: pending.entries,
                };
            }
            Logged::Logged {
                origin,
                index,
                size,
            } => (origin, *index, *size),
        };
        let proof = execution.bundle.proofs(Proven::Execution).last();
        let policy = log.map(|log| &log.logging.policy);
        let witnesses = match (policy, proof) {
            (Some(policy), Some(proof)) => match policy.check(proof.checkpoint()) {
                Ok(witnessed) => witnessed.witnesses,
                Err(PolicyError::NoQuorum { witnesses }) => witnesses,
                Err(_) => Vec::new(),
            },
            _ => Vec::new(),
        };
        Self::Logged {
            log: origin.clone(),
            index,
            size,
            witnesses,
            of: policy.map_or(0, |policy| policy.witnesses().len()),
        }
    }

    /// One line. `None`: there is nothing to be told.
    pub(in crate::command) fn line(&self, file: &Path) -> Option<String> {
        match self {
            Self::NotLogged => None,
            Self::Logged {
                log,
                index,
                size: Some(size),
                witnesses,
                of,
            } => {
                let entries = measure::entries(*size);
                let cosigned = match of {
                    0 => String::new(),
                    of => format!(", cosigned by {} of {of}", witnesses.len()),
                };
                Some(format!(
                    "logged as entry {index} of {log} ({entries}{cosigned})"
                ))
            }
            Self::Logged { log, index, of, .. } => {
                let why = match of {
                    0 => "no checkpoint shows it yet",
                    _ => "too few witnesses have cosigned it yet",
                };
                Some(format!(
                    "logged as entry {index} of {log}; {why}: `oacp log prove {}` adds the proofs later",
                    shown(file)
                ))
            }
            Self::Spooled { reason, pending } => Some(format!(
                "{YELLOW}spooled{YELLOW:#}: {} ({pending} waiting); the next run sends them, and so does `oacp log sync`",
                visible(reason)
            )),
        }
    }
}

/// Sees that payloads are kept for so many days: prunes a log that is here, and notes what a registry elsewhere says of itself.
pub(super) async fn keep_for(
    days: u64,
    log: &Opened,
    asked: &Asked,
    egress: &oacp_egress::Options,
    console: &Console,
) {
    let noted = match (&log.local, &asked.place) {
        (Some((directory, log)), _) => match directory.prune_if_due(log, days) {
            Ok(gone) if gone.is_empty() => None,
            Ok(gone) => {
                let payloads: u64 = gone
                    .iter()
                    .map(|segment| segment.entries - segment.held)
                    .sum();
                Some(format!(
                    "the payloads of {} are over {} old, and were pruned",
                    measure::entries(payloads),
                    measure::plural(days, "day")
                ))
            }
            Err(failure) => Some(format!("payloads were not pruned: {}", failure.message())),
        },
        (None, Some(Place::Url(url))) => differs(days, url, egress).await,
        _ => None,
    };
    if let Some(noted) = noted {
        console.note(&format!("note: {noted}"));
    }
}

/// How a registry keeps payloads otherwise than is asked for. One that cannot be asked is noted elsewhere.
async fn differs(days: u64, url: &str, egress: &oacp_egress::Options) -> Option<String> {
    let reader = Reader::new(url, None, egress).ok()?;
    let status: Retention = reader.json("status").await.ok()?;
    match status.retention_days {
        Some(kept) if kept == days => None,
        Some(kept) => Some(format!(
            "the registry keeps payloads for {}, and attestation.retention_days is {days}",
            measure::plural(kept, "day")
        )),
        None => Some(format!(
            "the registry does not say for how long it keeps payloads, and attestation.retention_days is {days}"
        )),
    }
}
