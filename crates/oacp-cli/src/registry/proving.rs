//! Proofs for a bundle: what the log has by now, behind those that the bundle has already.

use std::time::Duration;

use oacp::Proven;
use oacp::bundle::Bundle;
use oacp::entry::Entry;
use oacp::envelope::Envelope;
use oacp_gateway::{Registry, RegistryError};
use oacp_tlog::checkpoint::SignedCheckpoint;

use crate::failure::{Failure, Judge};

/// What a bundle got.
#[derive(Debug)]
pub(crate) struct Added {
    /// The execution's index.
    pub(crate) index: u64,
    /// Entries under the checkpoint of the newest proof.
    pub(crate) size: u64,
    /// That checkpoint.
    pub(crate) checkpoint: SignedCheckpoint,
    /// Whether the bundle has a proof that it did not have before.
    pub(crate) is_new: bool,
}

/// Adds to a bundle the proofs of its envelopes that the log has, the execution's first: the checkpoint that covers it may take so long
/// to come, and covers the others. `None`: the log does not have all of them.
///
/// # Errors
///
/// The log cannot be asked, or has no proof yet.
pub(crate) async fn prove(
    bundle: &mut Bundle,
    registry: &Registry,
    wait: Duration,
) -> Result<Option<Added>, Failure> {
    let envelopes = envelopes(bundle);
    let mut added = None;
    for (of, envelope) in envelopes {
        let leaf = *Entry::parse_unverified(&envelope.to_json())?.leaf();
        let wait = if of == Proven::Execution {
            wait
        } else {
            Duration::ZERO
        };
        let proof = match registry.proof(&leaf, None, wait).await {
            Err(RegistryError::NoSuchEntry) => return Ok(None),
            proof => proof?,
        };
        let is_new = !bundle.proofs(of).contains(&proof);
        if of == Proven::Execution {
            added = Some(Added {
                index: proof.index(),
                size: proof.checkpoint().size(),
                checkpoint: proof.checkpoint().clone(),
                is_new,
            });
        }
        bundle
            .add_proof(of, proof)
            .or_context(|| format!("the bundle takes no more proofs of its {of}"))?;
    }
    Ok(added)
}

/// What a bundle has of what is logged, the last first.
pub(crate) fn envelopes(bundle: &Bundle) -> Vec<(Proven, Envelope)> {
    let mut envelopes = vec![(Proven::Execution, bundle.envelope().clone())];
    envelopes.extend(bundle.begin().map(|begin| (Proven::Begin, begin.clone())));
    envelopes.push((Proven::Delegation, bundle.delegation().clone()));
    envelopes
}
