//! The end of a chain of statements: predicate `close/v1`.
//!
//! The attack is to leave out what came last. With a closing statement, all that a key ever signed
//! is known by number; without one, whether something came after the last statement seen is not.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::envelope::{Envelope, PAYLOAD_TYPE};
use crate::id::{LogOrigin, SandboxId};
use crate::intoto::{self, Read, StatementError};
use crate::key::SecretKey;
use crate::limits::saturated;
use crate::time::Timestamp;

/// The predicate type.
pub const CLOSE_V1: &str = uri!("close/v1");

/// Predicate `close/v1`: the sandbox's key signs nothing after this. Its subject is the chain that
/// it closes: name, the sandbox id; digest, `previous`.
///
/// In JSON the fields have these names, and an absent value is `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// The sandbox.
    pub sandbox_id: SandboxId,
    /// When it was signed, by the node's clock.
    pub timestamp: Timestamp,
    /// The sequence of the statement that `previous` names: the last that this key signed, and less
    /// than `sequence`. Numbers between the two were taken, and nothing was signed under them.
    /// `None`: the key signed no other statement.
    #[serde(serialize_with = "saturated::option::serialize", default)]
    pub last_sequence: Option<u64>,
    /// The log that it will be in. `None`: in none.
    #[serde(default)]
    pub log: Option<LogOrigin>,
    /// The sandbox's counter, from 0. A named sandbox goes on counting from here, under another key.
    #[serde(serialize_with = "saturated::serialize")]
    pub sequence: u64,
    /// [`Envelope::pae_digest`] of the sandbox's previous statement; if the key signed none, of its
    /// delegation.
    pub previous: Digest,
    /// Names of fields that a verifier must know, or refuse.
    #[serde(default)]
    pub critical: Vec<String>,
    /// Paths of fields that were read and are not known to this version. Never written.
    #[serde(skip)]
    pub unknown: Vec<String>,
}

impl Close {
    /// Signs it with the sandbox's key.
    pub fn sign(&self, sandbox: &SecretKey) -> Envelope {
        Envelope::sign(PAYLOAD_TYPE, self.to_payload(), sandbox)
    }

    /// The payload to sign.
    pub fn to_payload(&self) -> Vec<u8> {
        intoto::write(&self.sandbox_id.to_string(), self.previous, CLOSE_V1, self)
    }

    /// Reads a payload. Nothing is verified.
    ///
    /// # Errors
    /// Not admitted; another type or version; a `critical` name that is not known; another subject
    /// than the sandbox and its last statement; a `last_sequence` that is not before its own
    /// ([`StatementError::Shape`]).
    pub fn parse(payload: &[u8]) -> Result<Self, StatementError> {
        Self::from_read(intoto::read(payload, CLOSE_V1)?)
    }

    pub(crate) fn from_read(read: Read<Self>) -> Result<Self, StatementError> {
        let close = Self {
            unknown: read.unknown,
            ..read.predicate
        };
        if read.subject_name != close.sandbox_id.to_string() || read.subject != close.previous {
            return Err(StatementError::Subject);
        }
        if close
            .last_sequence
            .is_some_and(|last| last >= close.sequence)
        {
            return Err(StatementError::Shape);
        }
        Ok(close)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_payload_round_trips_and_its_numbers_rise() {
        let close = fixture::close();
        assert_eq!(Close::parse(&close.to_payload()), Ok(close.clone()));
        let first = Close {
            last_sequence: None,
            sequence: 0,
            ..close.clone()
        };
        assert_eq!(Close::parse(&first.to_payload()), Ok(first));
        let backwards = Close {
            last_sequence: Some(close.sequence),
            ..close.clone()
        };
        assert_eq!(
            Close::parse(&backwards.to_payload()),
            Err(StatementError::Shape)
        );
        let other = intoto::write("sandbox", close.previous, CLOSE_V1, &close);
        assert_eq!(Close::parse(&other), Err(StatementError::Subject));
    }
}
