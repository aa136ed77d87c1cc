//! What the log keeps of an envelope: a commitment of about 300 bytes, without a private one among
//! them.
//!
//! ```json
//! {"key_id":"<64 hex>","kind":"execution","pae":"<64 hex>","sequence":7,"signature":"<base64>","version":1}
//! ```
//!
//! The bytes are canonical JSON (RFC 8785), and the entry of a C2SP log is exactly these bytes. The
//! sequence stands in it so that whoever watches a log sees two leaves with one key and one
//! sequence; `null` for kinds that have none.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oacp_tlog::{Hash, leaf_hash};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::json::{AdmitError, from_slice};
use crate::key::KeyId;
use crate::limits::{JSON_INTEGER_MAX, LEAF};

/// The version that is written, and the only one that is read.
pub const LEAF_VERSION: u64 = 1;

/// What an envelope in the log is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeafKind {
    /// An execution took place: `execution/v1`.
    Execution,
    /// A node delegated to a sandbox's key: `delegation/v1`.
    Delegation,
    /// A node registered a tool: `tool/v1`.
    Tool,
    /// An execution is about to begin: `begin/v1`.
    Begin,
    /// A sandbox's key signs no more: `close/v1`.
    Close,
}

impl LeafKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Execution,
        Self::Delegation,
        Self::Tool,
        Self::Begin,
        Self::Close,
    ];

    /// The word that stands in a leaf.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Execution => "execution",
            Self::Delegation => "delegation",
            Self::Tool => "tool",
            Self::Begin => "begin",
            Self::Close => "close",
        }
    }

    /// Whether its statements take a number of the sandbox's counter.
    pub const fn has_sequence(self) -> bool {
        matches!(self, Self::Execution | Self::Begin | Self::Close)
    }
}

impl fmt::Display for LeafKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A commitment to one envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// What the envelope is about.
    pub kind: LeafKind,
    /// [`Envelope::pae_digest`].
    pub pae: Digest,
    /// The envelope's signature.
    pub signature: [u8; 64],
    /// Of the key that signed.
    pub key_id: KeyId,
    /// The statement's number, at most 2^53 − 1. `None` exactly for the kinds without one
    /// ([`LeafKind::has_sequence`]).
    pub sequence: Option<u64>,
}

impl Leaf {
    /// Of an envelope. Nothing is verified, and the sequence is the caller's word for what the
    /// payload says: [`Entry::verify`](crate::Entry::verify) reads it from there.
    pub fn of(kind: LeafKind, envelope: &Envelope, sequence: Option<u64>) -> Self {
        Self {
            kind,
            pae: envelope.pae_digest(),
            signature: *envelope.signature(),
            key_id: envelope.keyid(),
            sequence,
        }
    }

    /// The entry's bytes: canonical JSON, at most [`LEAF`]`.bytes_max` of them.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Written by hand, for a log writes tens of thousands a second; no text here needs an
        // escape. A test compares it with the canonicalizer.
        let sequence = match self.sequence {
            Some(sequence) => sequence.min(JSON_INTEGER_MAX).to_string(),
            None => "null".to_owned(),
        };
        format!(
            r#"{{"key_id":"{}","kind":"{}","pae":"{}","sequence":{sequence},"signature":"{}","version":{LEAF_VERSION}}}"#,
            self.key_id,
            self.kind,
            self.pae.hex(),
            STANDARD.encode(self.signature),
        )
        .into_bytes()
    }

    /// What stands in the log's tree for it (RFC 6962, 2.1).
    pub fn hash(&self) -> Hash {
        leaf_hash(&self.to_bytes())
    }

    /// Reads an entry's bytes.
    ///
    /// # Errors
    /// Anything but what [`Leaf::to_bytes`] writes, to the byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, LeafError> {
        let json: LeafJson = from_slice(bytes, LEAF)?;
        if json.version != LEAF_VERSION {
            return Err(LeafError::Version(json.version));
        }
        if json.kind.has_sequence() != json.sequence.is_some() {
            return Err(LeafError::Sequence(json.kind));
        }
        let signature = STANDARD.decode(&json.signature).ok();
        let leaf = Self {
            kind: json.kind,
            pae: Digest::from_hex(&json.pae).map_err(|_| LeafError::NotCanonical)?,
            signature: signature
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or(LeafError::NotCanonical)?,
            key_id: json.key_id,
            sequence: json.sequence,
        };
        // A log's hashes are over bytes: of one commitment there is one spelling.
        if leaf.to_bytes() == bytes {
            Ok(leaf)
        } else {
            Err(LeafError::NotCanonical)
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LeafJson {
    key_id: KeyId,
    kind: LeafKind,
    pae: String,
    sequence: Option<u64>,
    signature: String,
    version: u64,
}

/// Why an entry's bytes are not a leaf.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// Not admitted, or not of a leaf's shape.
    #[error("leaf is malformed")]
    Json(#[from] AdmitError),
    /// Another version.
    #[error("leaf is of version {0}, which is not known here")]
    Version(u64),
    /// A number where the kind has none, or none where it has one.
    #[error("leaf of kind `{0}` has a sequence that it must not have, or lacks one")]
    Sequence(LeafKind),
    /// Another spelling of the same leaf, or a text of another length.
    #[error("leaf is not in canonical form")]
    NotCanonical,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::PAYLOAD_TYPE;
    use crate::json::canonicalize;
    use crate::key::SecretKey;
    use proptest::prelude::*;
    use serde_json::json;

    fn leaf() -> Leaf {
        let envelope = Envelope::sign(
            PAYLOAD_TYPE,
            b"{}".to_vec(),
            &SecretKey::from_bytes(&[2; 32]),
        );
        Leaf::of(LeafKind::Execution, &envelope, Some(7))
    }

    #[test]
    fn its_bytes_are_canonical_json() {
        let leaf = leaf();
        let same = canonicalize(&json!({
            "version": 1, "kind": leaf.kind, "pae": leaf.pae.hex(), "key_id": leaf.key_id,
            "signature": STANDARD.encode(leaf.signature), "sequence": 7,
        }));
        assert_eq!(leaf.to_bytes(), same.unwrap());
        assert!(leaf.to_bytes().len() <= LEAF.bytes_max);
        for kind in LeafKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        let text = String::from_utf8(leaf().to_bytes()).unwrap();
        assert_eq!(Leaf::parse(text.as_bytes()), Ok(leaf()));
        for (from, to) in [
            ("{\"key_id", "{ \"key_id"),
            ("\"version\":1", "\"version\":2"),
            ("\"version\":1", "\"version\":1.0"),
            ("\"version\":1", "\"version\":1,\"x\":1"),
            ("\"sequence\":7", "\"sequence\":null"),
            ("\"sequence\":7", "\"sequence\":-7"),
            ("\"sequence\":7", "\"sequence\":9007199254740992"),
            ("\"sequence\":7,", ""),
            ("execution", "delegation"),
            ("execution", "other"),
            ("==\"", "\""),
            ("\"pae\":\"", "\"pae\":\"sha256:"),
            ("\"kind\"", "\"k\\u0069nd\""),
        ] {
            let wrong = text.replacen(from, to, 1);
            assert_ne!(wrong, text, "{from}");
            assert!(Leaf::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn bytes_round_trip(
            pae: [u8; 32],
            key: [u8; 32],
            halves: [[u8; 32]; 2],
            sequence in 0..=JSON_INTEGER_MAX,
            kind in 0usize..5,
        ) {
            let kind = LeafKind::ALL[kind];
            let leaf = Leaf {
                kind,
                pae: Digest::from_bytes(pae),
                signature: halves.concat().try_into().unwrap(),
                key_id: KeyId::from_digest(Digest::from_bytes(key)),
                sequence: kind.has_sequence().then_some(sequence),
            };
            prop_assert_eq!(Leaf::parse(&leaf.to_bytes()), Ok(leaf));
        }
    }
}
