//! What a node's attestations go through on their way into the log, and what a bundle gets for it.

use std::sync::Arc;
use std::time::Duration;

use oacp::Proven;
use oacp::bundle::Bundle;
use oacp::envelope::Envelope;
use oacp::id::LogOrigin;
use oacp::leaf::{Leaf, LeafKind};
use oacp_registry::Appended;
use oacp_tlog::policy::Policy;
use oacp_tlog::proof::TlogProof;
use tokio::time::{Instant, sleep};

use crate::node::Sandbox;
use crate::operator::chain;
use crate::registry::{Answered, Registry, RegistryError, Submitted};
use crate::spool::{Pending, Spool};

/// How long is waited before the log is asked again whether a quorum has cosigned.
const ASKED_AGAIN: Duration = Duration::from_millis(50);

/// The log that a node's attestations go to.
#[derive(Clone)]
pub struct Logging {
    /// The log.
    pub registry: Arc<Registry>,
    /// Whose checkpoints count for level FULL: the log, and the quorum of its witnesses.
    pub policy: Policy,
    /// Where attestations wait for a log that cannot be reached. `None`: they do not wait, and the run is not answered.
    pub spool: Option<Spool>,
    /// How long a proof is waited for at level FULL.
    pub patience: Duration,
}

/// What became of an execution's attestation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logged {
    /// This node has no log.
    NotLogged,
    /// It is in the log.
    Logged {
        /// The log.
        origin: LogOrigin,
        /// Its index there.
        index: u64,
        /// The size of the tree that the bundle's proof is for. `None`: no checkpoint that covers it was given out yet.
        size: Option<u64>,
    },
    /// It waits for the log.
    Spooled {
        /// Why it is not in the log.
        reason: String,
        /// What waits, this included.
        pending: Pending,
    },
}

/// Where attestations are, if there is a log.
pub(crate) enum Place {
    Logged(Vec<Appended>),
    Spooled { reason: String, pending: Pending },
}

impl Logging {
    pub(crate) fn origin(&self) -> LogOrigin {
        self.registry.origin()
    }

    /// Appends, or lets wait what may wait.
    pub(crate) async fn submit(
        &self,
        envelopes: Vec<Envelope>,
        answered: Answered,
    ) -> Result<Place, RegistryError> {
        let submitted = match &self.spool {
            Some(spool) => self.registry.submit(envelopes, spool, answered).await?,
            None => Submitted::Logged(self.registry.append(envelopes).await?),
        };
        Ok(match submitted {
            Submitted::Logged(appended) => Place::Logged(appended),
            Submitted::Spooled { pending, because } => Place::Spooled {
                reason: chain(&because),
                pending,
            },
        })
    }

    /// The proof of an envelope that was appended, under a checkpoint that satisfies the policy.
    pub(crate) async fn proof_by_quorum(
        &self,
        leaf: &Leaf,
        index: u64,
    ) -> Result<TlogProof, RegistryError> {
        let until = Instant::now() + self.patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let proof = self.registry.proof(leaf, Some(index), left).await?;
            match self.policy.check(proof.checkpoint()) {
                Ok(_) => return Ok(proof),
                Err(reason) if Instant::now() >= until => {
                    return Err(RegistryError::Quorum {
                        waited: self.patience,
                        reason: reason.to_string(),
                    });
                }
                Err(_) => sleep(ASKED_AGAIN.min(left)).await,
            }
        }
    }

    /// What to tell of an attestation at this place.
    pub(crate) fn logged(&self, place: Place, size: Option<u64>) -> Logged {
        match place {
            Place::Logged(appended) => match appended.last() {
                Some(last) => Logged::Logged {
                    origin: self.origin(),
                    index: last.index,
                    size,
                },
                None => Logged::NotLogged,
            },
            Place::Spooled { reason, pending } => Logged::Spooled { reason, pending },
        }
    }

    /// Appends a sandbox's delegation, once.
    pub(crate) async fn enter_delegation(
        &self,
        sandbox: &Sandbox,
        answered: Answered,
    ) -> Result<Option<Entered>, RegistryError> {
        let entered = sandbox.entered.get_or_try_init(|| async {
            let envelope = sandbox.delegation();
            match self.submit(vec![envelope.clone()], answered).await {
                Ok(Place::Logged(appended)) => match appended.first() {
                    Some(first) => Ok(Entered::new(LeafKind::Delegation, envelope, None, *first)),
                    None => Err(None),
                },
                // It waits, and is asked for again with the next statement.
                Ok(Place::Spooled { .. }) => Err(None),
                Err(error) => Err(Some(error)),
            }
        });
        match entered.await {
            Ok(entered) => Ok(Some(*entered)),
            Err(None) => Ok(None),
            Err(Some(error)) => Err(error),
        }
    }

    /// The proof, if there is one now that the policy accepts: one that it does not would keep a verifier from saying anything. Whoever
    /// has none asks again later.
    pub(crate) async fn proof_now(&self, leaf: &Leaf, index: u64) -> Option<TlogProof> {
        let proof = self.registry.proof(leaf, Some(index), Duration::ZERO);
        let proof = proof.await.ok()?;
        self.policy.check(proof.checkpoint()).ok()?;
        Some(proof)
    }
}

/// An envelope that was appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entered {
    pub(crate) leaf: Leaf,
    pub(crate) index: u64,
}

impl Entered {
    pub(crate) fn new(
        kind: LeafKind,
        envelope: &Envelope,
        sequence: Option<u64>,
        appended: Appended,
    ) -> Self {
        Self {
            leaf: Leaf::of(kind, envelope, sequence),
            index: appended.index,
        }
    }
}

/// Puts a proof into a bundle. One that the bundle does not take is left out: the bundle then has one less, and says so.
pub(crate) fn put(bundle: &mut Bundle, of: Proven, proof: TlogProof) -> Option<u64> {
    let size = proof.checkpoint().size();
    bundle.add_proof(of, proof).ok().map(|()| size)
}
