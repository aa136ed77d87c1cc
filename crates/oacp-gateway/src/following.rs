//! What whoever follows a log checks when it shows a checkpoint: whose it is, and whether it continues the one before.
//!
//! The attack is a log that shows one history to one reader and another to the next, or that takes back what it showed. What is shown
//! here is compared with what was shown before by hashes of the log's own tiles; both signed checkpoints are evidence where they differ.

use std::io;
use std::path::{Path, PathBuf};

use oacp::digest::Digest;
use oacp_tlog::checkpoint::SignedCheckpoint;
use oacp_tlog::fork::Fork;
use oacp_tlog::hash::Hash;
use oacp_tlog::key::VerifierKey;
use oacp_tlog::policy::{Policy, PolicyError};
use oacp_tlog::tree::verify_consistency;
use thiserror::Error;

use crate::remote::{Remote, RemoteError};
use crate::witness::write_evidence;

/// Whose checkpoints are taken.
#[derive(Clone)]
pub enum Trusted {
    /// Those signed by one of these keys of one log, with whatever cosignatures.
    Keys(Vec<VerifierKey>),
    /// Those signed by a log that the policy lists. Whether its quorum is met is told.
    Policy(Box<Policy>),
}

/// What the witnesses say of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quorum {
    /// No policy was given.
    NotChecked,
    /// The policy is met.
    Met {
        /// By when, in seconds since 1970, enough witnesses had seen it. `None`: none of them says.
        time_s: Option<u64>,
        /// Those whose cosignatures count.
        witnesses: Vec<String>,
    },
    /// It is not.
    Unmet(PolicyError),
}

/// A checkpoint that a log shows and signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// As it came.
    pub checkpoint: SignedCheckpoint,
    /// What the witnesses say.
    pub quorum: Quorum,
}

/// How a log misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// The log signed two histories. The evidence proves it to anybody.
    Fork,
    /// Two checkpoints, and tiles by which neither continues the other: the log signed two histories, or serves damaged tiles.
    Inconsistent,
    /// A smaller tree than was seen before: the log shows an old state, or has lost entries. The evidence proves what was shown, not why.
    Rollback,
}

/// Why what a log shows is not taken.
#[derive(Debug, Error)]
pub enum FollowError {
    /// It cannot be had.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// No key that is trusted signed it.
    #[error("the checkpoint of `{origin}` is not signed by a key that is trusted for it")]
    NotSigned {
        /// Whose it says it is.
        origin: String,
    },
    /// Another log than before.
    #[error("the checkpoint is of `{shown}`, those seen before are of `{seen}`")]
    OtherLog {
        /// The log that is followed.
        seen: String,
        /// The log that is shown.
        shown: String,
    },
    /// The log misbehaves, and this is the evidence.
    #[error("{}; evidence is in `{}`", misbehaved(*.how, fork), path.display())]
    Misbehaves {
        /// How.
        how: Misbehaviour,
        /// Both signed checkpoints.
        fork: Box<Fork>,
        /// The file that holds them.
        path: PathBuf,
    },
    /// The log misbehaves, and the evidence could not be written.
    #[error("{}; the evidence cannot be written", misbehaved(*.how, fork))]
    NoEvidence {
        /// How.
        how: Misbehaviour,
        /// Both signed checkpoints.
        fork: Box<Fork>,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl FollowError {
    /// Whether it may be otherwise in a while, without anybody changing anything here.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Remote(error) if error.is_transient())
    }
}

fn misbehaved(how: Misbehaviour, fork: &Fork) -> String {
    let (first, second) = (fork.first(), fork.second());
    let (origin, small, large) = (first.origin(), first.size(), second.size());
    match how {
        Misbehaviour::Fork if small == large => {
            format!("the log `{origin}` has two histories: it signed two roots of {small} entries")
        }
        Misbehaviour::Fork => format!(
            "the log `{origin}` has two histories: the {large} entries that it signed do not begin with the {small} that it signed"
        ),
        Misbehaviour::Inconsistent => format!(
            "the log `{origin}` has two histories, or serves damaged tiles: they do not show that the {large} entries that it signed begin \
             with the {small} that it signed"
        ),
        Misbehaviour::Rollback => format!(
            "the log `{origin}` shows {small} entries and has shown {large} before: it has lost some, or shows an old state"
        ),
    }
}

impl Quorum {
    /// By when, in seconds since 1970, enough witnesses had seen the checkpoint. `None`: that is not known.
    pub fn time_s(&self) -> Option<u64> {
        match self {
            Self::Met { time_s, .. } => *time_s,
            Self::NotChecked | Self::Unmet(_) => None,
        }
    }
}

impl Trusted {
    /// Fetches the log's checkpoint, and verifies whose it is.
    pub(crate) async fn shown(&self, log: &Remote) -> Result<Shown, FollowError> {
        let checkpoint = log.checkpoint().await?;
        let signed_by = |key: &VerifierKey| {
            key.name().as_str() == checkpoint.origin() && checkpoint.verify(key)
        };
        let (is_signed, quorum) = match self {
            Self::Keys(keys) => (keys.iter().any(signed_by), Quorum::NotChecked),
            Self::Policy(policy) => {
                let quorum = match policy.check(&checkpoint) {
                    Ok(met) => Quorum::Met {
                        time_s: met.time_s,
                        witnesses: met.witnesses,
                    },
                    Err(unmet) => Quorum::Unmet(unmet),
                };
                (policy.logs().iter().any(|log| signed_by(log.key())), quorum)
            }
        };
        match is_signed {
            true => Ok(Shown { checkpoint, quorum }),
            false => Err(FollowError::NotSigned {
                origin: checkpoint.origin().to_owned(),
            }),
        }
    }
}

/// Compares a checkpoint with the one that was seen before; evidence goes to `dir`.
pub(crate) async fn compare(
    log: &Remote,
    seen: &SignedCheckpoint,
    shown: &SignedCheckpoint,
    dir: &Path,
) -> Result<(), FollowError> {
    if seen.origin() != shown.origin() {
        return Err(FollowError::OtherLog {
            seen: seen.origin().to_owned(),
            shown: shown.origin().to_owned(),
        });
    }
    let Some((how, fork)) = judge(log, seen, shown).await? else {
        return Ok(());
    };
    let fork = Box::new(fork);
    let root = Digest::of(shown.root().as_bytes()).hex();
    let kind = match how {
        Misbehaviour::Rollback => "rollback",
        Misbehaviour::Fork | Misbehaviour::Inconsistent => "fork",
    };
    let path = dir.join(format!("{}-{root:.16}.{kind}", shown.size()));
    match write_evidence(&path, &fork.to_string()) {
        Ok(()) => Err(FollowError::Misbehaves { how, fork, path }),
        Err(source) => Err(FollowError::NoEvidence { how, fork, source }),
    }
}

/// `None`: the one continues the other.
async fn judge(
    log: &Remote,
    seen: &SignedCheckpoint,
    shown: &SignedCheckpoint,
) -> Result<Option<(Misbehaviour, Fork)>, FollowError> {
    let fork = Fork::new(seen.clone(), shown.clone());
    let (small, large) = (fork.first(), fork.second());
    if small.size() == large.size() {
        let is_same = small.root() == large.root();
        return Ok((!is_same).then_some((Misbehaviour::Fork, fork)));
    }
    let is_smaller = shown.size() < seen.size();
    let beginning = match small.size() {
        0 => Ok(Beginning::Same),
        _ => beginning(log, small, large).await,
    };
    match beginning {
        // What was shown once is signed, whether or not the log still has the tiles for it.
        Ok(Beginning::Same) | Err(_) if is_smaller => Ok(Some((Misbehaviour::Rollback, fork))),
        Ok(Beginning::Same) => Ok(None),
        Ok(Beginning::Other { root, proof }) => {
            let proven = fork.clone().with_prefix(root, proof).unwrap_or(fork);
            Ok(Some((Misbehaviour::Fork, proven)))
        }
        Ok(Beginning::Unproven) => Ok(Some((Misbehaviour::Inconsistent, fork))),
        Err(error) => Err(error.into()),
    }
}

/// How a larger tree begins, by the log's own tiles.
enum Beginning {
    /// With the smaller tree.
    Same,
    /// With another tree of the smaller one's size, and this proves it.
    Other { root: Hash, proof: Vec<Hash> },
    /// The tiles are not those of the larger tree.
    Unproven,
}

async fn beginning(
    log: &Remote,
    small: &SignedCheckpoint,
    large: &SignedCheckpoint,
) -> Result<Beginning, RemoteError> {
    let (old, new) = (small.size(), large.size());
    let proof = log.consistency(old, new).await?;
    let begins_with =
        |root: &Hash| verify_consistency(old, new, &proof, root, &large.root()).is_ok();
    if begins_with(&small.root()) {
        return Ok(Beginning::Same);
    }
    let root = log.root(old, new).await?;
    Ok(match begins_with(&root) {
        true => Beginning::Other { root, proof },
        false => Beginning::Unproven,
    })
}

/// Whether a tree that was computed here is the beginning of what a checkpoint is of.
pub(crate) async fn is_beginning(
    log: &Remote,
    size: u64,
    root: Hash,
    checkpoint: &SignedCheckpoint,
) -> Result<bool, RemoteError> {
    if size == 0 {
        return Ok(true);
    }
    let proof = match size == checkpoint.size() {
        true => Vec::new(),
        false => log.consistency(size, checkpoint.size()).await?,
    };
    let holds = verify_consistency(size, checkpoint.size(), &proof, &root, &checkpoint.root());
    Ok(holds.is_ok())
}
