//! A release: whoever holds a key says that these bytes are theirs to hand on.
//!
//! The attack is a file that somebody else put in the place of its author's. The statement names
//! the file by its digest, so that it can be checked before anything reads or runs the file, and
//! says nothing of what the file does.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::envelope::{Envelope, EnvelopeError, PAYLOAD_TYPE};
use crate::intoto::{self, StatementError};
use crate::key::{PublicKey, SecretKey};
use crate::limits::TEXT_BYTES_MAX;
use crate::time::Timestamp;

/// The predicate type.
pub const RELEASE_V1: &str = uri!("release/v1");

/// Predicate `release/v1`. Its subject is the file: name, and digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The file's name when it was signed, 1 to 256 bytes. For people: the same bytes under another
    /// name are the same release.
    pub name: String,
    /// Of the file.
    pub sha256: Digest,
    /// When it was signed, by the signer's clock.
    pub timestamp: Timestamp,
    /// Paths of fields that were read and are not known to this version. Never written.
    pub unknown: Vec<String>,
}

/// The predicate as it is written.
#[derive(Serialize, Deserialize)]
struct Predicate {
    timestamp: Timestamp,
    /// Names of fields that a verifier must know, or refuse.
    #[serde(default)]
    critical: Vec<String>,
}

impl Release {
    /// Signs it.
    pub fn sign(&self, key: &SecretKey) -> Envelope {
        let predicate = Predicate {
            timestamp: self.timestamp,
            critical: Vec::new(),
        };
        let payload = intoto::write(&self.name, self.sha256, RELEASE_V1, &predicate);
        Envelope::sign(PAYLOAD_TYPE, payload, key)
    }

    /// What an envelope says, if it is signed by `key`.
    ///
    /// # Errors
    /// Another key or a signature that does not hold; another type of payload; not a release.
    pub fn verify(envelope: &Envelope, key: &PublicKey) -> Result<Self, ReleaseError> {
        let payload = envelope.verify(key)?;
        if envelope.payload_type() != PAYLOAD_TYPE {
            return Err(ReleaseError::PayloadType);
        }
        let read = intoto::read::<Predicate>(payload, RELEASE_V1)?;
        if !(1..=TEXT_BYTES_MAX).contains(&read.subject_name.len()) {
            return Err(StatementError::Shape.into());
        }
        Ok(Self {
            name: read.subject_name,
            sha256: read.subject,
            timestamp: read.predicate.timestamp,
            unknown: read.unknown,
        })
    }
}

/// Why an envelope is no release by a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// Not signed by the key.
    #[error("the envelope is not the key's")]
    Envelope(#[from] EnvelopeError),
    /// Signed, and not a statement.
    #[error("the payload is not of the type `{PAYLOAD_TYPE}`")]
    PayloadType,
    /// A statement, and not this one.
    #[error("the statement is not a release")]
    Statement(#[from] StatementError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release() -> Release {
        Release {
            name: "weather.py".to_owned(),
            sha256: Digest::of(b"def forecast(): ..."),
            timestamp: Timestamp::from_unix_ms(1_700_000_000_000),
            unknown: Vec::new(),
        }
    }

    #[test]
    fn a_release_round_trips_under_its_key_alone() {
        let key = SecretKey::from_bytes(&[1; 32]);
        let envelope = release().sign(&key);
        assert_eq!(Release::verify(&envelope, &key.public()), Ok(release()));
        let other = SecretKey::from_bytes(&[2; 32]).public();
        assert!(matches!(
            Release::verify(&envelope, &other),
            Err(ReleaseError::Envelope(EnvelopeError::KeyId { .. }))
        ));
    }

    #[test]
    fn what_the_key_signed_for_something_else_is_no_release() {
        let key = SecretKey::from_bytes(&[1; 32]);
        let payload = release().sign(&key).unverified_payload().to_vec();
        let retyped = Envelope::sign("application/json", payload.clone(), &key);
        assert_eq!(
            Release::verify(&retyped, &key.public()),
            Err(ReleaseError::PayloadType)
        );
        let text = String::from_utf8(payload).unwrap();
        for (from, to, expected) in [
            ("release/v1", "tool/v1", StatementError::Version),
            ("weather.py", "", StatementError::Shape),
            (
                "\"critical\":[]",
                "\"critical\":[\"x\"]",
                StatementError::Critical("x".to_owned()),
            ),
        ] {
            let altered = text.replace(from, to);
            assert_ne!(altered, text);
            let envelope = Envelope::sign(PAYLOAD_TYPE, altered.into_bytes(), &key);
            assert_eq!(
                Release::verify(&envelope, &key.public()),
                Err(ReleaseError::Statement(expected))
            );
        }
    }
}
