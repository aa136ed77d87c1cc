//! A bundle's begin against the delegation before it and the execution after it.

use crate::begin::Begin;
use crate::bundle::Bundle;
use crate::delegation::Delegation;
use crate::envelope::{Envelope, PAYLOAD_TYPE};
use crate::event::Event;
use crate::key::PublicKey;
use crate::refusal::Refusal;
use crate::statement::ExecutionStatement;

impl Bundle {
    /// The begin, if there is one, is the delegated key's, and announces this execution.
    pub(super) fn verified_begin(
        &self,
        statement: &ExecutionStatement,
        delegation: &Delegation,
    ) -> Result<Option<Begin>, Refusal> {
        let Some(envelope) = &self.begin else {
            return Ok(None);
        };
        let begin = verified(envelope, &delegation.key)?;
        check_announced(&begin, statement, delegation)?;
        if begin.sequence == 0 && begin.previous != self.delegation.pae_digest() {
            return Err(Refusal::BeginPreviousMismatch);
        }
        // Between other numbers lie statements that are not in the bundle.
        let is_next = begin.sequence.checked_add(1) == Some(statement.sequence);
        if is_next && statement.previous != envelope.pae_digest() {
            return Err(Refusal::NotAfterBegin);
        }
        Ok(Some(begin))
    }
}

/// The begin that the sandbox's key signed. Not even an interrupted run's is the node's: it was
/// signed before the run.
fn verified(envelope: &Envelope, key: &PublicKey) -> Result<Begin, Refusal> {
    let payload = envelope.verify(key).map_err(Refusal::Begin)?;
    if envelope.payload_type() != PAYLOAD_TYPE {
        return Err(Refusal::PayloadType);
    }
    Begin::parse(payload).map_err(Refusal::Statement)
}

fn check_announced(
    begin: &Begin,
    statement: &ExecutionStatement,
    delegation: &Delegation,
) -> Result<(), Refusal> {
    let differs = [
        ("sandbox_id", begin.sandbox_id != statement.sandbox_id),
        ("execution_id", begin.execution_id != statement.execution_id),
        ("agent_hash", begin.agent_hash != statement.agent_hash),
        ("input_hash", begin.input_hash != statement.input_hash),
        ("grant", begin.grant != statement.grant.digest),
        ("nonce", begin.nonce != statement.nonce),
        ("log", begin.log != statement.log),
        ("sequence", begin.sequence >= statement.sequence),
        (
            "timestamp",
            !(delegation.not_before..=statement.timestamp).contains(&begin.timestamp),
        ),
    ];
    match differs.into_iter().find(|(_, differs)| *differs) {
        Some((field, _)) => Err(Refusal::BeginMismatch { field }),
        None => Ok(()),
    }
}

/// The seed that was used is the one that the begin commits to. Without event 0, neither can be told.
pub(super) fn check_seed(begin: &Begin, start: Option<(&Event, [u8; 32])>) -> Result<(), Refusal> {
    let Some((Event::Start { seed, .. }, salt)) = start else {
        return Ok(());
    };
    if begin.seed_commitment == Some(Begin::commit_with_salt(&salt, seed)) {
        Ok(())
    } else {
        Err(Refusal::SeedMismatch)
    }
}
