//! One witness is asked for one cosignature: `POST add-checkpoint` of C2SP tlog-witness.

use std::sync::Arc;
use std::time::Duration;

use oacp_registry::Log;
use oacp_tlog::checkpoint::SignedCheckpoint;
use oacp_tlog::hash::Hash;
use oacp_tlog::key::VerifierKey;
use oacp_tlog::limits::COSIGNATURES_BYTES_MAX;
use oacp_tlog::note::NoteSignature;
use oacp_tlog::policy::Policy;
use oacp_tlog::witness::{AddCheckpoint, SIZE_CONTENT_TYPE, parse_cosignatures, parse_size};
use thiserror::Error;

use crate::peer::{Bounds, Peer, PeerError};

/// A witness to be asked: one URL, and every key that the policy names for it.
pub(super) struct Asked {
    pub(super) names: Vec<String>,
    pub(super) keys: Vec<VerifierKey>,
    pub(super) peer: Arc<Peer>,
}

/// What came of it.
pub(super) struct Answer {
    /// Cosignatures that verify under one of the keys, one for each key.
    pub(super) cosignatures: Vec<NoteSignature>,
    /// Signatures by other keys.
    pub(super) foreign: u64,
    /// Signatures that claim to be by one of the keys, and do not verify.
    pub(super) bad: u64,
}

/// Why there is no cosignature.
#[derive(Debug, Error)]
pub(super) enum AskError {
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("it answered with status {status}{}{text}", if text.is_empty() { "" } else { ": " })]
    Status { status: u16, text: String },
    #[error(
        "it has cosigned {told} entries, this log has {size}: the log has lost entries, or another one has its key"
    )]
    Ahead { told: u64, size: u64 },
    #[error("it has cosigned another root at {size} entries: this log's key signs two histories")]
    OtherRoot { size: u64 },
    #[error("its answer is not what C2SP tlog-witness asks for")]
    Malformed,
    #[error("none of the {} signatures in its answer counts: {foreign} by other keys, {bad} that do not verify", foreign + bad)]
    Nothing { foreign: u64, bad: u64 },
    #[error("the log gives no proof")]
    Proof(#[source] oacp_registry::ReadError),
    #[error("the log's proof is too long")]
    ProofTooLong,
    #[error("it did not answer within {} ms", .0.as_millis())]
    Late(Duration),
    #[error("the program is ending")]
    Ending,
}

/// The witnesses of a policy that have a URL, those with the same one as one.
pub(super) fn witnesses(
    policy: &Policy,
    peer: impl Fn(&str) -> Result<Peer, PeerError>,
) -> Result<Vec<Asked>, PeerError> {
    let mut asked: Vec<Asked> = Vec::new();
    for witness in policy.witnesses() {
        let Some(url) = witness.url() else { continue };
        let (name, key) = (witness.name().to_owned(), witness.key().clone());
        let peer = peer(url)?;
        match asked.iter_mut().find(|same| same.peer.url() == peer.url()) {
            Some(same) => {
                same.names.push(name);
                same.keys.push(key);
            }
            None => asked.push(Asked {
                names: vec![name],
                keys: vec![key],
                peer: Arc::new(peer),
            }),
        }
    }
    Ok(asked)
}

/// Asks once, and once more if the witness knows another size than was thought. Returns what it then knows in `known`.
pub(super) async fn ask(
    asked: &Asked,
    log: &Log,
    checkpoint: &SignedCheckpoint,
    known: &mut u64,
    time: Duration,
) -> Result<Answer, AskError> {
    let size = checkpoint.size();
    let mut may_repeat = true;
    loop {
        let old_size = (*known).min(size);
        let proof = proof(log, old_size, size).await?;
        let request = AddCheckpoint::new(old_size, proof, checkpoint.clone());
        let body = request.map_err(|_| AskError::ProofTooLong)?.to_string();
        let bounds = Bounds::bytes(COSIGNATURES_BYTES_MAX).within(time);
        let (path, text) = ("add-checkpoint", "text/plain; charset=utf-8");
        let reply = asked
            .peer
            .post(path, text, body.into_bytes(), bounds)
            .await?;
        let is_size = reply.content_type.as_deref() == Some(SIZE_CONTENT_TYPE);
        match reply.status {
            200 => {
                *known = size;
                return counted(asked, checkpoint, &reply.body);
            }
            409 if is_size => {
                let told = parse_size(&reply.body).ok_or(AskError::Malformed)?;
                // The size that it was asked from is no news: some witnesses say so when the roots differ.
                if told == old_size {
                    return Err(match told == size {
                        true => AskError::OtherRoot { size },
                        false => AskError::Malformed,
                    });
                }
                *known = told;
                if told > size {
                    return Err(AskError::Ahead { told, size });
                }
                if !may_repeat {
                    return Err(AskError::Malformed);
                }
                may_repeat = false;
            }
            409 if old_size == size => return Err(AskError::OtherRoot { size }),
            status => {
                return Err(AskError::Status {
                    status,
                    text: first_line(&reply.body),
                });
            }
        }
    }
}

async fn proof(log: &Log, old_size: u64, size: u64) -> Result<Vec<Hash>, AskError> {
    if old_size == 0 || old_size == size {
        return Ok(Vec::new());
    }
    let log = log.clone();
    let proof = tokio::task::spawn_blocking(move || log.consistency(old_size, size));
    proof
        .await
        .map_err(|_| AskError::Ending)?
        .map_err(AskError::Proof)
}

/// What counts of an answer.
fn counted(asked: &Asked, checkpoint: &SignedCheckpoint, body: &[u8]) -> Result<Answer, AskError> {
    let signatures = parse_cosignatures(body).map_err(|_| AskError::Malformed)?;
    let mut answer = Answer {
        cosignatures: Vec::new(),
        foreign: 0,
        bad: 0,
    };
    for signature in signatures {
        let is_by =
            |key: &&VerifierKey| key.name() == signature.name() && key.id() == signature.key_id();
        match asked.keys.iter().find(is_by) {
            Some(key) if verifies(checkpoint, &signature, key) => {
                answer.cosignatures.push(signature);
            }
            Some(_) => answer.bad += 1,
            None => answer.foreign += 1,
        }
    }
    match answer.cosignatures.is_empty() {
        true => Err(AskError::Nothing {
            foreign: answer.foreign,
            bad: answer.bad,
        }),
        false => Ok(answer),
    }
}

/// Whether this one signature is good. Another of the same key that is not would have the whole note refused.
fn verifies(checkpoint: &SignedCheckpoint, signature: &NoteSignature, key: &VerifierKey) -> bool {
    let mut with_it = checkpoint.clone();
    with_it.add_signature(signature.clone()).is_ok() && with_it.verify(key)
}

/// What a witness says goes to the operator's terminal: one line, and no control characters.
fn first_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..200).unwrap_or(body)).into_owned();
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| (' '..='~').contains(c)).collect()
}
