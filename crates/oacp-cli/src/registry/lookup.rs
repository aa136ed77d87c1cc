//! An execution, looked up in a log: its bundle, made of what the log keeps. There is no private content in it.

use oacp::Proven;
use oacp::bundle::Bundle;
use oacp::envelope::Envelope;
use oacp::id::ExecutionId;
use oacp::leaf::LeafKind;
use oacp_registry::{Log, PayloadError};

use super::{Reached, Reader};
use crate::bundle_file;
use crate::failure::{Exit, Failure};

/// The bundle of an execution.
///
/// # Errors
///
/// The log does not have it, or not any more.
pub(crate) async fn look_up(reached: &Reached, id: ExecutionId) -> Result<Bundle, Failure> {
    match reached {
        Reached::Local(_, log, _) => here(log, id),
        Reached::Remote(reader) => elsewhere(reader, id).await,
    }
}

async fn elsewhere(reader: &Reader, id: ExecutionId) -> Result<Bundle, Failure> {
    bundle_file::parse(&reader.get(&format!("bundle/{id}")).await?)
}

fn here(log: &Log, id: ExecutionId) -> Result<Bundle, Failure> {
    let absent = || {
        Failure::unable(format!("the log {} has no execution `{id}`", log.origin()))
            .hint("`oacp log find` lists what is there; --registry names another log")
    };
    let index = log.index_of(LeafKind::Execution, id)?.ok_or_else(absent)?;
    let execution = payload(log, index)?;
    let delegation = log.index_of_delegation(execution.keyid())?.ok_or_else(|| {
        Failure::unable(format!(
            "the execution `{id}` is stated by a node's own key, and has no bundle"
        ))
        .hint(format!(
            "`oacp log entry {index} --payload` shows the statement"
        ))
    })?;
    let begin = log.index_of(LeafKind::Begin, id)?;
    let mut bundle = Bundle::new(execution, payload(log, delegation)?);
    if let Some(begin) = begin {
        bundle = bundle.with_begin(payload(log, begin)?);
    }
    let published = log.checkpoint().map_or(0, |checkpoint| checkpoint.size());
    let places = [
        (Proven::Delegation, Some(delegation)),
        (Proven::Begin, begin),
        (Proven::Execution, Some(index)),
    ];
    for (of, index) in places {
        if let Some(index) = index.filter(|index| *index < published) {
            bundle.add_proof(of, log.proof(index)?)?;
        }
    }
    Ok(bundle)
}

/// An envelope of the log.
pub(crate) fn payload(log: &Log, index: u64) -> Result<Envelope, Failure> {
    log.payload(index).map_err(|error| match error {
        PayloadError::Pruned { .. } => Failure::from(error)
            .refused(Exit::Unable, "pruned")
            .hint("its entry and the proofs of that remain: whoever has the bundle can still show that it was logged"),
        PayloadError::Read(_) => Failure::from(error)
            .hint("`oacp log fsck` says which files are damaged"),
    })
}
