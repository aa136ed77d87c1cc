//! ML-DSA-44 (FIPS 204), which cosigners SHOULD use: it is safe from quantum computers.
//!
//! Signing is the deterministic variant and the context is empty: the same seed and message give the
//! same signature everywhere, and this crate needs no randomness.

use std::fmt;

use ml_dsa::{EncodedSignature, EncodedVerifyingKey, MlDsa44, Signature, SigningKey, VerifyingKey};

/// Bytes of a public key.
pub const PUBLIC_KEY_LEN: usize = 1312;
/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 2420;

/// A signing key. Overwritten when dropped; never shown.
pub struct SecretKey(Box<SigningKey<MlDsa44>>);

impl SecretKey {
    /// From 32 random bytes (ξ of FIPS 204, algorithm 1). The caller overwrites its own copy.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let mut seed = (*seed).into();
        let key = Box::new(SigningKey::from_seed(&seed));
        zeroize::Zeroize::zeroize(&mut seed);
        Self(key)
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> PublicKey {
        PublicKey::from_key(self.0.expanded_key().verifying_key())
    }

    /// Signs `message`, with no context. Deterministic.
    #[expect(
        clippy::expect_used,
        reason = "only a context above 255 bytes is refused"
    )]
    pub fn sign(&self, message: &[u8]) -> Box<[u8; SIGNATURE_LEN]> {
        let signature = self.0.expanded_key().sign_deterministic(message, &[]);
        let encoded: EncodedSignature<MlDsa44> = signature.expect("no context").encode();
        Box::new(encoded.into())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// A verifying key. Every 1312 bytes are one, and each key has one encoding.
#[derive(Clone)]
pub struct PublicKey {
    bytes: Box<[u8; PUBLIC_KEY_LEN]>,
    key: Box<VerifyingKey<MlDsa44>>,
}

impl PublicKey {
    /// From the encoding of FIPS 204, algorithm 22. Costs as much as a verification, once: the
    /// matrix that follows from the key is computed here.
    pub fn from_bytes(bytes: &[u8; PUBLIC_KEY_LEN]) -> Self {
        let encoded: EncodedVerifyingKey<MlDsa44> = (*bytes).into();
        Self {
            bytes: Box::new(*bytes),
            key: Box::new(VerifyingKey::decode(&encoded)),
        }
    }

    fn from_key(key: VerifyingKey<MlDsa44>) -> Self {
        Self {
            bytes: Box::new(key.encode().into()),
            key: Box::new(key),
        }
    }

    /// The encoding of FIPS 204, algorithm 22.
    pub fn as_bytes(&self) -> &[u8; PUBLIC_KEY_LEN] {
        &self.bytes
    }

    /// Whether `signature` over `message`, with no context, is this key's.
    pub fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
        Signature::try_from(signature.as_slice())
            .is_ok_and(|signature| self.key.verify_with_context(message, &[], &signature))
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PublicKey({})",
            crate::encoding::to_base64(self.bytes.as_slice())
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_verifies_and_nothing_else() {
        let key = SecretKey::from_seed(&[1; 32]);
        let public = PublicKey::from_bytes(key.public().as_bytes());
        assert_eq!(public, key.public());
        let signature = key.sign(b"message");
        assert_eq!(signature, key.sign(b"message"), "deterministic");
        assert!(public.verify(b"message", &signature));
        assert!(!public.verify(b"massage", &signature));
        assert!(
            !SecretKey::from_seed(&[2; 32])
                .public()
                .verify(b"message", &signature)
        );
        // One bit of each part: the challenge, the response, the hint.
        for place in [0, 31, 32, 1000, 2335, 2336, 2419] {
            let mut broken = signature.clone();
            broken[place] ^= 1;
            assert!(!public.verify(b"message", &broken), "byte {place}");
        }
        assert!(!public.verify(b"message", &[0; SIGNATURE_LEN]));
        assert!(!public.verify(b"message", &[0xff; SIGNATURE_LEN]));
    }

    #[test]
    fn every_encoding_is_a_key_and_has_one_spelling() {
        for fill in [0, 0x55, 0xff] {
            let key = PublicKey::from_bytes(&[fill; PUBLIC_KEY_LEN]);
            assert_eq!(PublicKey::from_key((*key.key).clone()), key);
        }
    }

    #[test]
    fn a_secret_key_does_not_show() {
        assert_eq!(
            format!("{:?}", SecretKey::from_seed(&[1; 32])),
            "SecretKey(…)"
        );
    }
}
