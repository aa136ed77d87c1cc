//! The announcement that an execution is about to begin: predicate `begin/v1`.
//!
//! The attack is selective publication: run ten times, publish the run that pleases. A begin is
//! logged before the run, so that a begin without its execution can be seen.

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Hasher};
use crate::envelope::{Envelope, PAYLOAD_TYPE};
use crate::event::Seed;
use crate::id::{ExecutionId, LogOrigin, Nonce, SandboxId};
use crate::intoto::{self, Read, StatementError};
use crate::key::SecretKey;
use crate::limits::saturated;
use crate::recording::SaltKey;
use crate::time::Timestamp;

/// The predicate type.
pub const BEGIN_V1: &str = uri!("begin/v1");

/// The subject's name.
const SUBJECT: &str = "agent";

/// Predicate `begin/v1`, signed by the sandbox's key before the first instruction runs. Its subject
/// is the agent. It takes a number of the sandbox's counter like an execution, and each of the
/// sandbox's statements names the one before it.
///
/// In JSON the fields have these names, and an absent value is `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// The sandbox that it will run in.
    pub sandbox_id: SandboxId,
    /// The execution that will follow.
    pub execution_id: ExecutionId,
    /// When it was signed, by the node's clock.
    pub timestamp: Timestamp,
    /// As the execution's statement will have it.
    pub agent_hash: Digest,
    /// As the execution's statement will have it.
    pub input_hash: Digest,
    /// The digest of the capabilities that are granted.
    pub grant: Digest,
    /// The caller's. `None` if it gave none.
    #[serde(default)]
    pub nonce: Option<Nonce>,
    /// [`Begin::commit_to_seed`]: which seed will be used, without telling it. `None`: nothing is
    /// recorded, or the guest is given no seed.
    #[serde(default)]
    pub seed_commitment: Option<Digest>,
    /// The log that it will be in. `None`: in none.
    #[serde(default)]
    pub log: Option<LogOrigin>,
    /// The sandbox's counter, from 0.
    #[serde(serialize_with = "saturated::serialize")]
    pub sequence: u64,
    /// [`Envelope::pae_digest`] of the sandbox's previous statement; of a key's first one, of its
    /// delegation.
    pub previous: Digest,
    /// Names of fields that a verifier must know, or refuse.
    #[serde(default)]
    pub critical: Vec<String>,
    /// Paths of fields that were read and are not known to this version. Never written.
    #[serde(skip)]
    pub unknown: Vec<String>,
}

impl Begin {
    /// SHA-256(salt_0 ‖ seed), where salt_0 is the salt of event 0 ([`SaltKey::salt`]). It is 32
    /// secret bytes, so the commitment tells nothing of the seed; and with event 0 it can be checked.
    pub fn commit_to_seed(salt_key: &SaltKey, seed: &Seed) -> Digest {
        Self::commit_with_salt(&salt_key.salt(0), seed)
    }

    /// [`Begin::commit_to_seed`], for who was told the salt of event 0 and no other.
    pub fn commit_with_salt(salt_0: &[u8; 32], seed: &Seed) -> Digest {
        let mut hasher = Hasher::new();
        hasher.update(salt_0).update(seed.as_bytes());
        hasher.finish()
    }

    /// Signs it with the sandbox's key.
    pub fn sign(&self, sandbox: &SecretKey) -> Envelope {
        Envelope::sign(PAYLOAD_TYPE, self.to_payload(), sandbox)
    }

    /// The payload to sign.
    pub fn to_payload(&self) -> Vec<u8> {
        intoto::write(SUBJECT, self.agent_hash, BEGIN_V1, self)
    }

    /// Reads a payload. Nothing is verified.
    ///
    /// # Errors
    /// Not admitted; another type or version; a `critical` name that is not known; another subject
    /// than the agent.
    pub fn parse(payload: &[u8]) -> Result<Self, StatementError> {
        Self::from_read(intoto::read(payload, BEGIN_V1)?)
    }

    pub(crate) fn from_read(read: Read<Self>) -> Result<Self, StatementError> {
        if read.subject_name != SUBJECT || read.subject != read.predicate.agent_hash {
            return Err(StatementError::Subject);
        }
        Ok(Self {
            unknown: read.unknown,
            ..read.predicate
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_payload_round_trips_and_has_one_subject() {
        let begin = fixture::begin();
        assert_eq!(Begin::parse(&begin.to_payload()), Ok(begin.clone()));
        let other = intoto::write(SUBJECT, begin.input_hash, BEGIN_V1, &begin);
        assert_eq!(Begin::parse(&other), Err(StatementError::Subject));
        let other = intoto::write("output", begin.agent_hash, BEGIN_V1, &begin);
        assert_eq!(Begin::parse(&other), Err(StatementError::Subject));
        let payload = fixture::statement().to_payload();
        assert_eq!(Begin::parse(&payload), Err(StatementError::Version));
    }

    #[test]
    fn the_commitment_is_to_salt_and_seed() {
        let (key, seed) = (SaltKey::from_bytes([3; 32]), Seed::from_bytes([4; 32]));
        let expected = Digest::of(&[key.salt(0), [4; 32]].concat());
        assert_eq!(Begin::commit_to_seed(&key, &seed), expected);
        assert_ne!(
            Begin::commit_to_seed(&SaltKey::from_bytes([5; 32]), &seed),
            expected
        );
    }
}
