//! A witness: it cosigns a log's checkpoints, each only if it continues the one before (C2SP tlog-witness).
//!
//! The attack is a log that shows one history to some and another to others. A witness sees one history of each log, remembers the
//! newest checkpoint of it durably before it signs, and refuses what does not continue it. What a log signed besides is kept as
//! evidence.
//!
//! | request | answer |
//! |---|---|
//! | `POST /add-checkpoint` | 200 and a cosignature line for each of the witness' keys; 409 and the size that it knows; 400, 403, 404, 409, 422 or 500 as JSON |
//! | `GET /` | the witness' keys, its logs, and how far it has seen each, as JSON |

mod evidence;
mod routes;

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use oacp_registry::Clock;
use oacp_registry::witness_state::{WitnessState, WitnessStateError};
use oacp_tlog::checkpoint::SignedCheckpoint;
use oacp_tlog::cosignature::cosign;
use oacp_tlog::key::{KeyKind, SignerKey, VerifierKey};
use oacp_tlog::note::NoteSignature;
use oacp_tlog::witness::{AddCheckpoint, Known, ParseAddCheckpointError, Refused, judge};
use thiserror::Error;

pub use self::evidence::EvidenceKind;
pub(crate) use self::evidence::write as write_evidence;
use self::evidence::{Evidence, Kept};
use crate::operator::{OperatorLog, chain};
use crate::server::{self, ServerLimits};

/// What a witness is made of.
pub struct WitnessOptions {
    /// Its keys, all of which sign whatever it cosigns. They are cosigners' keys, and no other program's.
    pub keys: Vec<SignerKey>,
    /// The keys of the logs that it watches. A key's name is its log's origin; a log may have several keys.
    pub logs: Vec<VerifierKey>,
    /// What it remembers, and evidence. Several processes may share it.
    pub dir: PathBuf,
    /// The time that its cosignatures tell.
    pub clock: Clock,
    /// Where the operator is told of logs that misbehave and of files that are damaged.
    pub operator: OperatorLog,
}

/// Why there is no witness.
#[derive(Debug, Error)]
pub enum WitnessError {
    /// Nothing to sign with.
    #[error("a witness needs a key")]
    NoKey,
    /// A key that signs something else than cosignatures.
    #[error("`{name}` is not a cosigner's key")]
    NotACosigner {
        /// The key's name.
        name: String,
    },
    /// A key that means two things at once.
    #[error("a key of the witness is also a key of the log `{origin}`")]
    KeyOfLog {
        /// The log.
        origin: String,
    },
    /// A log's key by which checkpoints cannot be verified.
    #[error("`{name}` is not the key of a log: it does not sign checkpoints")]
    NotALogKey {
        /// The key's name.
        name: String,
    },
    /// The directory cannot be used.
    #[error(transparent)]
    State(#[from] WitnessStateError),
    /// Evidence could not be kept there.
    #[error("the directory `{}` for evidence cannot be used", path.display())]
    Evidence {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A witness. Clones are one witness.
#[derive(Clone)]
pub struct Witness {
    inner: Arc<Inner>,
}

struct Inner {
    keys: Vec<SignerKey>,
    logs: Vec<VerifierKey>,
    state: WitnessState,
    evidence: Evidence,
    clock: Clock,
    operator: OperatorLog,
}

/// Why a checkpoint was not cosigned.
#[derive(Debug, Error)]
pub enum AddCheckpointError {
    /// The request is none.
    #[error("the request is malformed")]
    Malformed(#[source] ParseAddCheckpointError),
    /// It does not continue what the witness knows, or is not signed by a log that it knows.
    #[error("{refused}{}", told(kept.as_ref()))]
    Refused {
        /// Why.
        refused: Refused,
        /// What was kept of it, if it shows that the log misbehaves.
        kept: Option<EvidenceKind>,
    },
    /// What the witness remembers cannot be used. The details are the operator's.
    #[error("the witness does not cosign this log: what it remembers of it cannot be relied on")]
    State(#[source] WitnessStateError),
}

fn told(kept: Option<&EvidenceKind>) -> &'static str {
    match kept {
        Some(EvidenceKind::Fork) => {
            "; the log has signed two histories, and both checkpoints are kept as evidence"
        }
        Some(EvidenceKind::Unproven) => "; the checkpoint is kept, for the log signed it",
        None => "",
    }
}

/// How far a witness has seen a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedLog {
    /// The log's name.
    pub origin: String,
    /// Its keys, as vkeys.
    pub keys: Vec<String>,
    /// Entries that were last cosigned; 0: none yet. `None`: what is remembered cannot be read, and nothing of this log is cosigned.
    pub size: Option<u64>,
    /// Evidence that is kept, by what it shows.
    pub forks: usize,
    /// Checkpoints that the log signed and that came without a proof that fits.
    pub unproven: usize,
}

impl Witness {
    /// Opens the directory, and makes it if there is none.
    ///
    /// A log whose state is damaged does not keep the witness from watching the others: the operator is told, and that log is refused.
    ///
    /// # Errors
    /// [`WitnessError`].
    pub fn open(options: WitnessOptions) -> Result<Self, WitnessError> {
        let verifiers: Vec<VerifierKey> = options.keys.iter().map(SignerKey::verifier).collect();
        if verifiers.is_empty() {
            return Err(WitnessError::NoKey);
        }
        for key in &verifiers {
            let name = key.name().to_string();
            if !key.kind().is_cosignature() {
                return Err(WitnessError::NotACosigner { name });
            }
            // The name and the kind may differ where the key is the same.
            let same = |log: &&VerifierKey| log.public_bytes() == key.public_bytes();
            if let Some(log) = options.logs.iter().find(same) {
                let origin = log.name().to_string();
                return Err(WitnessError::KeyOfLog { origin });
            }
        }
        if let Some(key) = options
            .logs
            .iter()
            .find(|key| key.kind() != KeyKind::Ed25519)
        {
            let name = key.name().to_string();
            return Err(WitnessError::NotALogKey { name });
        }
        let state = WitnessState::open(&options.dir)?;
        let evidence = Evidence::open(&options.dir).map_err(|source| WitnessError::Evidence {
            path: options.dir.clone(),
            source,
        })?;
        let witness = Self {
            inner: Arc::new(Inner {
                keys: options.keys,
                logs: options.logs,
                state,
                evidence,
                clock: options.clock,
                operator: options.operator,
            }),
        };
        for origin in witness.origins() {
            if let Err(error) = witness.inner.state.latest(&origin) {
                (witness.inner.operator)(&chain(&error));
            }
        }
        Ok(witness)
    }

    /// The public halves of its keys: what a policy names.
    pub fn verifiers(&self) -> Vec<VerifierKey> {
        self.inner.keys.iter().map(SignerKey::verifier).collect()
    }

    /// The logs that it watches, by name.
    pub fn logs(&self) -> Vec<WatchedLog> {
        let watched = |origin: String| {
            let keys = self
                .inner
                .logs
                .iter()
                .filter(|key| key.name().as_str() == origin);
            WatchedLog {
                keys: keys.map(ToString::to_string).collect(),
                size: self
                    .inner
                    .state
                    .latest(&origin)
                    .ok()
                    .map(|latest| latest.map_or(0, |latest| latest.size())),
                forks: self.inner.evidence.count(EvidenceKind::Fork, &origin),
                unproven: self.inner.evidence.count(EvidenceKind::Unproven, &origin),
                origin,
            }
        };
        self.origins().into_iter().map(watched).collect()
    }

    fn origins(&self) -> BTreeSet<String> {
        let names = self.inner.logs.iter().map(|key| key.name().to_string());
        names.collect()
    }

    /// Cosigns a checkpoint that continues the newest one that is known (`add-checkpoint`): a signature for each key, in their order.
    /// The checkpoint is remembered durably first. Waits for the disk, and for others that ask about the same log.
    ///
    /// # Errors
    /// [`AddCheckpointError`]; nothing is signed then.
    pub fn add_checkpoint(&self, body: &[u8]) -> Result<Vec<NoteSignature>, AddCheckpointError> {
        let request = AddCheckpoint::parse(body).map_err(AddCheckpointError::Malformed)?;
        let origin = request.checkpoint().origin();
        // Before anything is locked or made: strangers ask about logs that nobody watches.
        let stranger = || judge(None, &request, &self.inner.logs);
        if let Err(refused @ (Refused::UnknownOrigin | Refused::BadSignature)) = stranger() {
            return Err(AddCheckpointError::Refused {
                refused,
                kept: None,
            });
        }
        let mut held = self
            .inner
            .state
            .hold(origin)
            .map_err(|e| self.unusable(e))?;
        let known = held.latest().map(|latest| Known {
            size: latest.size(),
            root: latest.root(),
        });
        if let Err(refused) = judge(known.as_ref(), &request, &self.inner.logs) {
            let kept = held
                .latest()
                .and_then(|latest| self.keep(latest, &request, &refused));
            return Err(AddCheckpointError::Refused { refused, kept });
        }
        let checkpoint = self.signed_by_log(request.checkpoint());
        held.remember(checkpoint.clone())
            .map_err(|e| self.unusable(e))?;
        // Still under the lock: what a cosignature says of its time is that there was no newer one.
        let time_s = (self.inner.clock)().unix_ms().unsigned_abs() / 1000;
        let keys = self.inner.keys.iter();
        Ok(keys.map(|key| cosign(&checkpoint, key, time_s)).collect())
    }

    /// The checkpoint with the signatures that the log made, and none of the others that a stranger may have added.
    fn signed_by_log(&self, checkpoint: &SignedCheckpoint) -> SignedCheckpoint {
        let note = checkpoint.note();
        let by_log = self
            .inner
            .logs
            .iter()
            .flat_map(|key| note.signatures_of(key));
        let lines: String = by_log.map(ToString::to_string).collect();
        let own = SignedCheckpoint::parse(format!("{}\n{lines}", note.text()).as_bytes());
        // A part of a note is a note; as it came, it says no less.
        own.unwrap_or_else(|_| checkpoint.clone())
    }

    fn unusable(&self, error: WitnessStateError) -> AddCheckpointError {
        (self.inner.operator)(&chain(&error));
        AddCheckpointError::State(error)
    }

    /// Keeps what shows, or may show, that a log signs two histories.
    fn keep(
        &self,
        latest: &SignedCheckpoint,
        request: &AddCheckpoint,
        refused: &Refused,
    ) -> Option<EvidenceKind> {
        if !matches!(
            refused,
            Refused::RootConflict { .. } | Refused::Inconsistent(_)
        ) {
            return None;
        }
        let second = self.signed_by_log(request.checkpoint());
        let fork = evidence::fork(latest, second, request.proof());
        match self.inner.evidence.keep(&fork, &self.inner.logs) {
            Ok(kept) => {
                let Kept { kind, line } = kept?;
                if let Some(line) = line {
                    (self.inner.operator)(&line);
                }
                Some(kind)
            }
            Err(error) => {
                (self.inner.operator)(&format!(
                    "evidence against the log `{}` cannot be written: {error}",
                    latest.origin()
                ));
                None
            }
        }
    }

    /// Serves the witness over HTTP until `shutdown` resolves. Needs a tokio runtime with its network and time enabled.
    ///
    /// # Errors
    /// The listener cannot be used.
    pub async fn serve(
        self,
        listener: TcpListener,
        limits: ServerLimits,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        server::run(listener, limits, |_| routes::router(self), shutdown).await
    }
}
