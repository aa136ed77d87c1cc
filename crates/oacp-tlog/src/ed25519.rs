//! Ed25519 (RFC 8032) by one set of rules, the strict ones.
//!
//! Attacks: a key of small order, under which one signature fits many messages; a second encoding of
//! a key, and with it a second identity; a signature that one verifier takes and another refuses.

use std::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;

/// A signing key. Overwritten when dropped; never shown.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// From 32 random bytes (the seed of RFC 8032, 5.1.5). The caller overwrites its own copy.
    pub fn from_bytes(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs `message`. Deterministic.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// A verifying key that is canonically encoded and not weak.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// From the 32 bytes of RFC 8032, 5.1.5.
    ///
    /// # Errors
    /// Not a point; another encoding of one; a point of small order, under which one signature fits
    /// many messages.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        // The library keeps the bytes it was given and also takes y ≥ p. One key has one encoding.
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(KeyError::NotAPoint);
        }
        Ok(Self(key))
    }

    /// The 32 bytes of RFC 8032.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Whether `signature` over `message` is this key's, by the strict rules: canonical S, no point
    /// of small order.
    pub fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
        self.0
            .verify_strict(message, &Signature::from_bytes(signature))
            .is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PublicKey({})",
            crate::encoding::to_base64(self.as_bytes())
        )
    }
}

/// Why 32 bytes are not a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the encoding of a point, or not the one encoding.
    #[error("not a public key: not a canonically encoded point")]
    NotAPoint,
    /// Of small order.
    #[error("public key is weak")]
    Weak,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_and_oddly_encoded_keys_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::from_bytes(&identity), Err(KeyError::Weak));
        assert_eq!(PublicKey::from_bytes(&[0; 32]), Err(KeyError::Weak));
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

    #[test]
    fn a_secret_key_does_not_show() {
        let key = SecretKey::from_bytes(&[1; 32]);
        assert_eq!(format!("{key:?}"), "SecretKey(…)");
    }
}
