//! Two forgeries, for the demo to see refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oacp::bundle::Bundle;
use oacp::delegation::Delegation;
use oacp::digest::Digest;
use oacp::envelope::{Envelope, PAYLOAD_TYPE};
use oacp::event::{CallOutcome, Event};
use oacp::key::SecretKey;
use oacp::statement::ExecutionStatement;
use oacp::{Recording, Verified};
use serde_json::Value;

use crate::failure::Failure;

/// The file with one byte of the first tool's answer changed.
pub(super) fn with_another_answer(verified: &Verified, file: &[u8]) -> Result<Vec<u8>, Failure> {
    let answer = verified
        .events()
        .unwrap_or_default()
        .iter()
        .find_map(|event| match event {
            Event::Completion {
                outcome: CallOutcome::Ok,
                result,
                ..
            } => Some(result.sha256),
            _ => None,
        });
    let digest = answer.ok_or_else(|| Failure::unable("the run called no tool"))?;
    let mut bytes = verified.blob(&digest).unwrap_or_default().to_vec();
    if let Some(digit) = bytes.iter_mut().find(|byte| byte.is_ascii_digit()) {
        *digit ^= 1;
    }
    let mut bundle: Value = serde_json::from_slice(file)?;
    if let Some(blob) = bundle
        .get_mut("blobs")
        .and_then(|blobs| blobs.get_mut(digest.to_string()))
    {
        *blob = STANDARD.encode(bytes).into();
    }
    Ok(serde_json::to_vec(&bundle)?)
}

/// The bundle with another result, all digests in order, and all signatures valid: the node delegated to one more key, and signed with it.
pub(super) fn signed_by_the_node(verified: &Verified, node: &SecretKey) -> Result<Bundle, Failure> {
    let output = br#"{"pack": "sunglasses", "rich": true}"#;
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(std::io::Error::from)?;
    let sandbox = SecretKey::from_bytes(&seed);
    let delegation = Delegation {
        key: sandbox.public(),
        ..verified.delegation().clone()
    }
    .sign(node);
    let statement = ExecutionStatement {
        output_hash: Digest::of(output),
        sequence: 0,
        previous: delegation.pae_digest(),
        ..verified.statement().clone()
    };
    let envelope = Envelope::sign(PAYLOAD_TYPE, statement.to_payload(), &sandbox);
    let mut forged = Bundle::new(envelope, delegation).with_output(*output);
    if let Some(input) = verified.input() {
        forged = forged.with_input(input);
    }
    if let Some(source) = verified.source() {
        forged = forged.with_source(source.clone());
    }
    if let Some(recording) = verified.recording() {
        forged = forged.with_recording(copy(verified, recording));
    }
    Ok(forged)
}

/// The recording with the contents that its own events name.
fn copy(verified: &Verified, recording: &Recording) -> Recording {
    let mut copy = Recording::new(recording.salt_key().clone());
    for event in verified.events().unwrap_or_default() {
        for bytes in event
            .contents()
            .filter_map(|content| verified.blob(&content.sha256))
        {
            copy.add_blob(bytes);
        }
        copy.push(event);
    }
    copy
}
