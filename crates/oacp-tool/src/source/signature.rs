//! Who signed a file or an artefact.
//!
//! Attack: a file whose digest somebody was talked into, or a tag that somebody else moved. A signature says who hands the bytes on, by a key
//! that the user named beforehand, and nothing of what they do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oacp::digest::Digest;
use oacp::envelope::Envelope;
use oacp::json::from_slice;
use oacp::key::{ParsePublicKeyError, PublicKey};
use oacp::release::Release;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde::Deserialize;

use crate::limits::COSIGN_PAYLOAD;
use crate::store::Signature;

/// All of a P-256 key's SubjectPublicKeyInfo (RFC 5480) but its 65 bytes: an uncompressed point.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";

/// The `type` of what cosign signs of an image.
const COSIGN_IMAGE: &str = "cosign container image signature";

/// Whose signature is required. By default nobody's, and then none is looked for.
#[derive(Clone, Debug, Default)]
pub struct SignaturePolicy {
    keys: Vec<PublisherKey>,
    is_required: bool,
}

impl SignaturePolicy {
    /// A signature by one of these keys. Without a key nothing passes.
    pub fn signed_by(keys: Vec<PublisherKey>) -> Self {
        Self {
            keys,
            is_required: true,
        }
    }

    /// Whether what nobody signed is refused.
    pub fn is_required(&self) -> bool {
        self.is_required
    }

    pub(super) fn ours(&self) -> impl Iterator<Item = (&PublisherKey, &PublicKey)> {
        self.keys.iter().filter_map(|key| match &key.key {
            Key::Ed25519(public) => Some((key, public)),
            Key::P256(_) => None,
        })
    }

    pub(super) fn cosign(&self) -> impl Iterator<Item = (&PublisherKey, &[u8; 65])> {
        self.keys.iter().filter_map(|key| match &key.key {
            Key::P256(point) => Some((key, point)),
            Key::Ed25519(_) => None,
        })
    }

    /// The keys, for messages.
    pub(super) fn names(&self) -> Vec<String> {
        self.keys
            .iter()
            .map(|key| format!("`{}` (key {})", key.name, key.id().hex()))
            .collect()
    }
}

/// A key of somebody who hands tools on.
#[derive(Clone, Debug)]
pub struct PublisherKey {
    name: String,
    key: Key,
}

#[derive(Clone, Debug)]
enum Key {
    /// Of a node of OACP.
    Ed25519(PublicKey),
    /// Of cosign: an uncompressed point. Whether it is on the curve, each verification asks.
    P256([u8; 65]),
}

impl PublisherKey {
    /// Reads a public key in PEM: Ed25519, as `oacp key show` prints it, or ECDSA P-256, as `cosign generate-key-pair` writes it. `name`: what
    /// messages call it.
    ///
    /// # Errors
    /// Anything else.
    pub fn from_pem(name: &str, pem: &str) -> Result<Self, KeyError> {
        // What stands around it explains it (RFC 7468, 5.2).
        let (_, rest) = pem.split_once(PEM_BEGIN).ok_or(KeyError::Pem)?;
        let (body, _) = rest.split_once(PEM_END).ok_or(KeyError::Pem)?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| KeyError::Pem)?;
        let point = der
            .strip_prefix(&P256_PREFIX)
            .and_then(|point| <[u8; 65]>::try_from(point).ok());
        let key = match point {
            Some(point) => Key::P256(point),
            None => Key::Ed25519(PublicKey::from_spki(&der)?),
        };
        Ok(Self {
            name: name.to_owned(),
            key,
        })
    }

    /// SHA-256 of its SPKI; of a node's key, what its key id says.
    pub fn id(&self) -> Digest {
        match &self.key {
            Key::Ed25519(key) => Digest::of(&key.to_spki()),
            Key::P256(point) => Digest::of(&[P256_PREFIX.as_slice(), point].concat()),
        }
    }

    fn signature(&self, kind: &str) -> Signature {
        Signature {
            kind: kind.to_owned(),
            signer: self.id().hex(),
        }
    }
}

/// Why a text is no publisher's key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not PEM of a public key.
    #[error("it is not a public key in PEM")]
    Pem,
    /// A key of another kind.
    #[error(
        "it is neither an Ed25519 key, as `oacp key show` prints it, nor an ECDSA P-256 key, as cosign writes it"
    )]
    Kind(#[from] ParsePublicKeyError),
}

/// The one of the keys that released a file, as an envelope says.
pub(super) fn released(
    envelope: &[u8],
    sha256: Digest,
    policy: &SignaturePolicy,
) -> Option<Signature> {
    let envelope = Envelope::parse(envelope).ok()?;
    let mut keys = policy.ours();
    let (by, _) = keys.find(|(_, key)| {
        Release::verify(&envelope, key).is_ok_and(|release| release.sha256 == sha256)
    })?;
    Some(by.signature("dsse"))
}

/// The one of the keys that signed these bytes, as `cosign sign-blob` does. `signature` is base64.
pub(super) fn signed_blob(
    bytes: &[u8],
    signature: &[u8],
    policy: &SignaturePolicy,
) -> Option<Signature> {
    let signature = STANDARD.decode(signature.trim_ascii()).ok()?;
    let mut keys = policy.cosign();
    let (by, _) = keys.find(|(_, point)| {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
        key.verify(bytes, &signature).is_ok()
    })?;
    Some(by.signature("cosign"))
}

/// The one of the keys that signed an image, as `cosign sign` does: the payload names the manifest. Which name the image had then, cosign
/// says and does not check, and neither is it here.
pub(super) fn signed_image(
    payload: &[u8],
    signature: &str,
    manifest: Digest,
    policy: &SignaturePolicy,
) -> Option<Signature> {
    #[derive(Deserialize)]
    struct Payload {
        critical: Critical,
    }
    #[derive(Deserialize)]
    struct Critical {
        image: Image,
        r#type: String,
    }
    #[derive(Deserialize)]
    struct Image {
        #[serde(rename = "docker-manifest-digest")]
        digest: String,
    }
    let by = signed_blob(payload, signature.as_bytes(), policy)?;
    let Payload { critical } = from_slice(payload, COSIGN_PAYLOAD).ok()?;
    let is_it = critical.r#type == COSIGN_IMAGE && critical.image.digest == manifest.to_string();
    is_it.then_some(by)
}
