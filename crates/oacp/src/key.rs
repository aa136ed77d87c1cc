//! Ed25519 keys: seeds that the caller supplies, public keys as SPKI (RFC 8410), and their ids. The
//! rules by which keys and signatures are valid are those of [`oacp_tlog::ed25519`].

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oacp_tlog::ed25519;

use crate::digest::{Digest, from_hex, to_hex};

/// `SEQUENCE { SEQUENCE { 1.3.101.112 }, BIT STRING }`, all of a SubjectPublicKeyInfo but the 32
/// bytes of the key.
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----\n";
const PEM_END: &str = "\n-----END PUBLIC KEY-----\n";

/// A signing key. Overwritten when dropped; never shown, never serialized.
pub struct SecretKey(ed25519::SecretKey);

impl SecretKey {
    /// From 32 random bytes (the seed of RFC 8032, 5.1.5). The caller overwrites its own copy.
    pub fn from_bytes(seed: &[u8; 32]) -> Self {
        Self(ed25519::SecretKey::from_bytes(seed))
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public())
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public().id())
    }
}

/// A verifying key that is canonically encoded and not weak. Its text form is the base64 of its
/// SPKI, one line: the body of its PEM.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(ed25519::PublicKey);

impl PublicKey {
    /// From the 32 bytes of RFC 8032, 5.1.5.
    ///
    /// # Errors
    /// Not a point; another encoding of one; a point of small order, under which one signature fits
    /// many messages.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, ParsePublicKeyError> {
        Ok(Self(ed25519::PublicKey::from_bytes(bytes)?))
    }

    /// From a SubjectPublicKeyInfo (RFC 8410) in DER.
    ///
    /// # Errors
    /// Anything but exactly that of one Ed25519 key, and those of [`PublicKey::from_bytes`].
    pub fn from_spki(der: &[u8]) -> Result<Self, ParsePublicKeyError> {
        let bytes = der
            .strip_prefix(&SPKI_PREFIX)
            .and_then(|bytes| bytes.try_into().ok());
        Self::from_bytes(bytes.ok_or(ParsePublicKeyError::NotSpki)?)
    }

    /// From PEM, as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    /// Anything else, and those of [`PublicKey::from_spki`].
    pub fn from_pem(pem: &str) -> Result<Self, ParsePublicKeyError> {
        let pem = pem.trim_end();
        let body = pem
            .strip_prefix(PEM_BEGIN)
            .and_then(|rest| rest.strip_suffix(PEM_END.trim_end()));
        body.ok_or(ParsePublicKeyError::NotSpki)?.parse()
    }

    /// The 32 bytes of RFC 8032.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// SubjectPublicKeyInfo in DER, 44 bytes.
    pub fn to_spki(&self) -> [u8; 44] {
        let mut der = [0; 44];
        for (to, from) in der
            .iter_mut()
            .zip(SPKI_PREFIX.iter().chain(self.as_bytes()))
        {
            *to = *from;
        }
        der
    }

    /// PEM, as `openssl` reads it.
    pub fn to_pem(&self) -> String {
        format!("{PEM_BEGIN}{self}{PEM_END}")
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        KeyId(*Digest::of(&self.to_spki()).as_bytes())
    }

    /// Whether `signature` over `message` is this key's, by the strict rules: canonical S, no point
    /// of small order.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify(message, signature)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.to_spki()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = ParsePublicKeyError;

    fn from_str(text: &str) -> Result<Self, ParsePublicKeyError> {
        Self::from_spki(
            &STANDARD
                .decode(text)
                .map_err(|_| ParsePublicKeyError::NotSpki)?,
        )
    }
}

text_serde!(PublicKey);

/// Why something is not a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePublicKeyError {
    /// Not the SPKI of an Ed25519 key.
    #[error("not a public key: expected an Ed25519 key as SPKI, in base64 or PEM")]
    NotSpki,
    /// Not the encoding of a point.
    #[error("not a public key: not a canonically encoded point")]
    NotAPoint,
    /// Of small order.
    #[error("public key is weak")]
    Weak,
}

impl From<ed25519::KeyError> for ParsePublicKeyError {
    fn from(error: ed25519::KeyError) -> Self {
        match error {
            ed25519::KeyError::NotAPoint => Self::NotAPoint,
            ed25519::KeyError::Weak => Self::Weak,
        }
    }
}

/// A key's id: the SHA-256 of its SPKI in DER, 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 32]);

impl KeyId {
    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) const fn from_digest(digest: Digest) -> Self {
        Self(*digest.as_bytes())
    }

    pub(crate) const fn digest(&self) -> Digest {
        Digest::from_bytes(self.0)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = ParseKeyIdError;

    fn from_str(text: &str) -> Result<Self, ParseKeyIdError> {
        from_hex(text).map(Self).ok_or(ParseKeyIdError)
    }
}

text_serde!(KeyId);

/// A text is not a key id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a key id: expected 64 lower-case hex digits")]
pub struct ParseKeyIdError;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn every_text_form_round_trips() {
        let key = SecretKey::from_bytes(&[1; 32]).public();
        assert_eq!(PublicKey::from_spki(&key.to_spki()), Ok(key));
        assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(key.id().to_string().parse(), Ok(key.id()));
        assert_eq!(key.id().to_string(), Digest::of(&key.to_spki()).hex());
        assert_eq!(
            serde_json::from_value::<PublicKey>(serde_json::to_value(key).unwrap()).unwrap(),
            key
        );
        assert!(!format!("{:?}", SecretKey::from_bytes(&[1; 32])).contains("0101"));
    }

    #[test]
    fn other_spellings_are_refused() {
        let key = SecretKey::from_bytes(&[1; 32]).public();
        let mut der = key.to_spki().to_vec();
        assert!(PublicKey::from_spki(&der[..43]).is_err());
        der.push(0);
        assert!(PublicKey::from_spki(&der).is_err());
        der.pop();
        der[8] = 0x6e; // X25519
        assert!(PublicKey::from_spki(&der).is_err());
        let text = key.to_string();
        for wrong in [
            format!("{text}="),
            format!("{text}\n"),
            text.replace('/', "_") + " ",
            text[..59].to_owned(),
        ] {
            assert!(wrong.parse::<PublicKey>().is_err(), "{wrong}");
        }
        assert!(PublicKey::from_pem(&key.to_pem().replace("PUBLIC", "PRIVATE")).is_err());
    }

    #[test]
    fn weak_and_oddly_encoded_keys_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(
            PublicKey::from_bytes(&identity),
            Err(ParsePublicKeyError::Weak)
        );
        assert_eq!(
            PublicKey::from_bytes(&[0; 32]),
            Err(ParsePublicKeyError::Weak)
        );
        // y = p + k for small k: the same points under a second encoding.
        let mut refused = 0;
        for low in 0xed..=0xff {
            for high in [0x7f, 0xff] {
                let mut bytes = [0xff; 32];
                (bytes[0], bytes[31]) = (low, high);
                assert!(PublicKey::from_bytes(&bytes).is_err(), "{bytes:?}");
                refused += 1;
            }
        }
        assert_eq!(refused, 38);
    }

    /// Wycheproof's Ed25519 cases, every one judged as published. No case of the file has a point
    /// of small order, the one thing that strict verification refuses and RFC 8032 leaves open, so
    /// there is no exception to list.
    #[test]
    fn wycheproof() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../vectors/wycheproof/ed25519_test.json"
        );
        let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let unhex = |value: &Value| -> Vec<u8> {
            let text = value.as_str().unwrap().as_bytes();
            text.chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect()
        };
        let (mut accepted, mut refused) = (0, 0);
        for group in file["testGroups"].as_array().unwrap() {
            let key = PublicKey::from_spki(&unhex(&group["publicKeyDer"]));
            for case in group["tests"].as_array().unwrap() {
                let signature: Result<[u8; 64], _> = unhex(&case["sig"]).try_into();
                let valid = match (&key, signature) {
                    (Ok(key), Ok(signature)) => key.verify(&unhex(&case["msg"]), &signature),
                    _ => false,
                };
                assert_eq!(valid, case["result"] == "valid", "{case}");
                if valid { accepted += 1 } else { refused += 1 }
            }
        }
        assert_eq!((accepted, refused), (88, 63));
    }
}
