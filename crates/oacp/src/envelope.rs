//! The signed envelope: DSSE v1.0.2, in a profile with fewer spellings.
//!
//! ```json
//! {"payload": "<base64>", "payloadType": "application/vnd.in-toto+json", "signatures": [{"keyid": "<hex>", "sig": "<base64>"}]}
//! ```
//!
//! Where DSSE leaves a choice this profile takes one side: exactly one signature, its `keyid`
//! present, the standard base64 alphabet with canonical padding, no further fields. Any DSSE
//! verifier reads such an envelope. The payload is kept and verified as received.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Hasher};
use crate::json::{AdmitError, from_slice};
use crate::key::{KeyId, PublicKey, SecretKey};
use crate::limits;

/// The payload type of every envelope here: an in-toto statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Payload bytes and one signature over their pre-authentication encoding (PAE).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    payload_type: String,
    payload: Vec<u8>,
    keyid: KeyId,
    signature: [u8; 64],
}

/// A payload before it is signed. Its digest is the envelope's: what names an envelope does not
/// depend on the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    payload_type: String,
    payload: Vec<u8>,
}

impl Unsigned {
    /// Of a payload and its type.
    pub fn new(payload_type: &str, payload: Vec<u8>) -> Self {
        Self {
            payload_type: payload_type.to_owned(),
            payload,
        }
    }

    /// [`Envelope::pae_digest`] of the envelope that this will be.
    pub fn pae_digest(&self) -> Digest {
        pae_digest(&self.payload_type, &self.payload)
    }

    /// Signs it.
    pub fn sign(self, key: &SecretKey) -> Envelope {
        let signature = key.sign(&pae(&self.payload_type, &self.payload));
        Envelope {
            payload_type: self.payload_type,
            payload: self.payload,
            keyid: key.public().id(),
            signature,
        }
    }
}

impl Envelope {
    /// Signs `payload`.
    pub fn sign(payload_type: &str, payload: Vec<u8>, key: &SecretKey) -> Self {
        Unsigned::new(payload_type, payload).sign(key)
    }

    /// Reads an envelope that travels alone.
    ///
    /// # Errors
    /// What is not admitted, or is no envelope of this profile.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        from_slice::<EnvelopeJson>(bytes, limits::ENVELOPE)?.try_into()
    }

    /// The JSON text.
    #[expect(clippy::expect_used, reason = "an envelope's JSON is strings only")]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&EnvelopeJson::from(self)).expect("strings serialize")
    }

    /// The payload, if its signature is by `key`.
    ///
    /// # Errors
    /// Another key id, or a signature that does not verify strictly. Whether the payload type is
    /// the expected one is the caller's to ask; it is signed too.
    pub fn verify(&self, key: &PublicKey) -> Result<&[u8], EnvelopeError> {
        let expected = key.id();
        if self.keyid != expected {
            return Err(EnvelopeError::KeyId {
                keyid: self.keyid,
                expected,
            });
        }
        if key.verify(&self.pae(), &self.signature) {
            Ok(&self.payload)
        } else {
            Err(EnvelopeError::Signature)
        }
    }

    /// What is signed: `DSSEv1 <length> <payload type> <length> <payload>`, lengths in bytes and
    /// decimal.
    pub fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }

    /// SHA-256 of the PAE: what names this envelope in a log, and in the statement after it.
    pub fn pae_digest(&self) -> Digest {
        pae_digest(&self.payload_type, &self.payload)
    }

    /// The type of the payload.
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// The key that is said to have signed. A hint until [`Envelope::verify`].
    pub fn keyid(&self) -> KeyId {
        self.keyid
    }

    /// The signature's bytes.
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    /// The payload before anybody verified it.
    pub fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }
}

fn pae_header(payload_type: &str, payload: &[u8]) -> String {
    format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    )
}

fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = pae_header(payload_type, payload).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

fn pae_digest(payload_type: &str, payload: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    hasher
        .update(pae_header(payload_type, payload).as_bytes())
        .update(payload);
    hasher.finish()
}

/// Why there is no envelope, or no verified payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not admitted, or not of an envelope's shape.
    #[error("envelope is malformed")]
    Json(#[from] AdmitError),
    /// Not exactly one signature.
    #[error("envelope has {0} signatures, expected 1")]
    SignatureCount(usize),
    /// Base64 in another spelling, or of another length.
    #[error("envelope holds base64 that is not canonical, or a signature that is not 64 bytes")]
    Base64,
    /// Signed by another key than expected.
    #[error("envelope names the key `{keyid}`, expected `{expected}`")]
    KeyId {
        /// Of the envelope.
        keyid: KeyId,
        /// Of the key it was to be verified by.
        expected: KeyId,
    },
    /// The signature does not verify.
    #[error("envelope's signature does not verify")]
    Signature,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnvelopeJson {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<SignatureJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureJson {
    keyid: KeyId,
    sig: String,
}

impl From<&Envelope> for EnvelopeJson {
    fn from(envelope: &Envelope) -> Self {
        let signature = SignatureJson {
            keyid: envelope.keyid,
            sig: STANDARD.encode(envelope.signature),
        };
        Self {
            payload: STANDARD.encode(&envelope.payload),
            payload_type: envelope.payload_type.clone(),
            signatures: vec![signature],
        }
    }
}

impl TryFrom<EnvelopeJson> for Envelope {
    type Error = EnvelopeError;

    fn try_from(json: EnvelopeJson) -> Result<Self, EnvelopeError> {
        let [signature] = json.signatures.as_slice() else {
            return Err(EnvelopeError::SignatureCount(json.signatures.len()));
        };
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| EnvelopeError::Base64);
        Ok(Self {
            payload: decode(&json.payload)?,
            keyid: signature.keyid,
            signature: decode(&signature.sig)?
                .try_into()
                .map_err(|_| EnvelopeError::Base64)?,
            payload_type: json.payload_type,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> SecretKey {
        SecretKey::from_bytes(&[3; 32])
    }

    #[test]
    fn the_pae_is_dsses() {
        // The example of the DSSE protocol, 1.0.2.
        let envelope = Envelope::sign(
            "http://example.com/HelloWorld",
            b"hello world".to_vec(),
            &key(),
        );
        assert_eq!(
            envelope.pae(),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
        assert_eq!(envelope.pae_digest(), Digest::of(&envelope.pae()));
    }

    #[test]
    fn only_the_signers_key_verifies() {
        let envelope = Envelope::sign(PAYLOAD_TYPE, b"{}".to_vec(), &key());
        assert_eq!(envelope.verify(&key().public()), Ok(b"{}".as_slice()));
        let other = SecretKey::from_bytes(&[4; 32]).public();
        assert!(matches!(
            envelope.verify(&other),
            Err(EnvelopeError::KeyId { .. })
        ));
        let mut swapped = envelope.clone();
        swapped.keyid = other.id();
        assert_eq!(swapped.verify(&other), Err(EnvelopeError::Signature));
        let mut retyped = envelope;
        retyped.payload_type.push('x');
        assert_eq!(
            retyped.verify(&key().public()),
            Err(EnvelopeError::Signature)
        );
    }

    #[test]
    fn other_spellings_are_refused() {
        let text =
            String::from_utf8(Envelope::sign(PAYLOAD_TYPE, b"{}".to_vec(), &key()).to_json())
                .unwrap();
        assert!(text.contains("\"e30=\""));
        for (wrong, code) in [
            (text.replace("e30=", "e30"), "Base64"),
            (text.replace("e30=", "e31="), "Base64"),
            (text.replace("e30=", "e3 0="), "Base64"),
            (text.replace("==\"}]", "\"}]"), "Base64"),
            (text.replace("==\"}]", "==\"}],\"extra\":[1"), "Json"),
            (text.replace("\"sig\"", "\"cert\":\"\",\"sig\""), "Json"),
            (text.replace("\"keyid\"", "\"id\""), "Json"),
            (
                text.replace("\"payload\"", "\"payload\":\"\",\"payload\""),
                "Json",
            ),
        ] {
            let error = format!("{:?}", Envelope::parse(wrong.as_bytes()).unwrap_err());
            assert!(error.starts_with(code), "{wrong}: {error}");
        }
        let at = text.find('[').unwrap();
        let none = format!("{}[]}}", &text[..at]);
        assert_eq!(
            Envelope::parse(none.as_bytes()),
            Err(EnvelopeError::SignatureCount(0))
        );
        let one = &text[at + 1..text.len() - 2];
        let two = format!("{}[{one},{one}]}}", &text[..at]);
        assert_eq!(
            Envelope::parse(two.as_bytes()),
            Err(EnvelopeError::SignatureCount(2))
        );
    }

    proptest! {
        #[test]
        fn json_round_trips(payload: Vec<u8>) {
            let envelope = Envelope::sign(PAYLOAD_TYPE, payload, &key());
            prop_assert_eq!(Envelope::parse(&envelope.to_json()), Ok(envelope));
        }
    }
}
