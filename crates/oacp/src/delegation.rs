//! A delegation: a node says which key speaks for a sandbox, how that is isolated, and for how
//! long.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::envelope::{Envelope, EnvelopeError, PAYLOAD_TYPE};
use crate::id::{LogOrigin, SandboxId};
use crate::intoto::{self, Read, StatementError};
use crate::isolation::Isolation;
use crate::key::{KeyId, PublicKey, SecretKey};
use crate::time::Timestamp;

/// The predicate type.
pub const DELEGATION_V1: &str = uri!("delegation/v1");

/// Predicate `delegation/v1`. Its subject is the sandbox: name, the sandbox id; digest, the key's
/// id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// The sandbox that the key speaks for.
    pub sandbox_id: SandboxId,
    /// The key.
    pub key: PublicKey,
    /// The isolation that was reached when the sandbox was made.
    pub isolation: Isolation,
    /// The first point in time at which the key may sign.
    pub not_before: Timestamp,
    /// The last one.
    pub not_after: Timestamp,
    /// Digest of the evidence of where the sandbox runs. `None`: no evidence was made.
    #[serde(default)]
    pub evidence: Option<Digest>,
    /// The log that the sandbox's statements will be in. `None`: in none.
    #[serde(default)]
    pub log: Option<LogOrigin>,
    /// Names of fields that a verifier must know, or refuse.
    #[serde(default)]
    pub critical: Vec<String>,
    /// Paths of fields that were read and are not known to this version. Never written.
    #[serde(skip)]
    pub unknown: Vec<String>,
}

impl Delegation {
    /// Signs it with the node's key.
    pub fn sign(&self, node: &SecretKey) -> Envelope {
        let payload = intoto::write(
            &self.sandbox_id.to_string(),
            self.key.id().digest(),
            DELEGATION_V1,
            self,
        );
        Envelope::sign(PAYLOAD_TYPE, payload, node)
    }

    /// Reads a delegation that `node` signed.
    ///
    /// # Errors
    /// The signature is not the node's; the payload is no delegation of this version, or
    /// contradicts itself.
    pub fn verify(envelope: &Envelope, node: &PublicKey) -> Result<Self, DelegationError> {
        let payload = envelope.verify(node)?;
        if envelope.payload_type() != PAYLOAD_TYPE {
            return Err(DelegationError::PayloadType);
        }
        Self::from_read(intoto::read(payload, DELEGATION_V1)?)
    }

    pub(crate) fn from_read(read: Read<Self>) -> Result<Self, DelegationError> {
        let delegation = Self {
            unknown: read.unknown,
            ..read.predicate
        };
        let is_subject = read.subject_name == delegation.sandbox_id.to_string()
            && KeyId::from_digest(read.subject) == delegation.key.id();
        if !is_subject {
            return Err(DelegationError::Subject);
        }
        if delegation.not_before > delegation.not_after {
            return Err(DelegationError::Window);
        }
        Ok(delegation)
    }
}

/// Why an envelope is not a delegation by that node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DelegationError {
    /// The signature.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Not an in-toto statement.
    #[error("delegation's payload type is not `{PAYLOAD_TYPE}`")]
    PayloadType,
    /// The payload.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// Subject and predicate differ.
    #[error("delegation's subject is not the sandbox and key of its predicate")]
    Subject,
    /// It ends before it begins.
    #[error("delegation ends before it begins")]
    Window,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isolation::IsolationKind;

    fn delegation() -> Delegation {
        Delegation {
            sandbox_id: SandboxId::new(1, [0; 10]),
            key: SecretKey::from_bytes(&[2; 32]).public(),
            isolation: Isolation::new(IsolationKind::Standard),
            not_before: Timestamp::from_unix_ms(1),
            not_after: Timestamp::from_unix_ms(2),
            evidence: None,
            log: None,
            critical: vec![],
            unknown: vec![],
        }
    }

    #[test]
    fn only_the_nodes_signature_counts() {
        let node = SecretKey::from_bytes(&[1; 32]);
        let envelope = delegation().sign(&node);
        assert_eq!(
            Delegation::verify(&envelope, &node.public()),
            Ok(delegation())
        );
        let other = SecretKey::from_bytes(&[9; 32]).public();
        assert!(matches!(
            Delegation::verify(&envelope, &other),
            Err(DelegationError::Envelope(_))
        ));
    }

    #[test]
    fn a_delegation_that_contradicts_itself_is_refused() {
        let node = SecretKey::from_bytes(&[1; 32]);
        let backwards = Delegation {
            not_after: Timestamp::from_unix_ms(0),
            ..delegation()
        };
        assert_eq!(
            Delegation::verify(&backwards.sign(&node), &node.public()),
            Err(DelegationError::Window)
        );
        let payload = intoto::write(
            "another",
            delegation().key.id().digest(),
            DELEGATION_V1,
            &delegation(),
        );
        let envelope = Envelope::sign(PAYLOAD_TYPE, payload, &node);
        assert_eq!(
            Delegation::verify(&envelope, &node.public()),
            Err(DelegationError::Subject)
        );
    }
}
