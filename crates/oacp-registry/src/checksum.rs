//! Checksums: a guard against damage, not against people. What people must not change is under the tree's root.

use sha2::{Digest, Sha256};

/// Bytes of a short checksum.
pub(crate) const SHORT: usize = 12;

/// SHA-256 of all parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The first bytes of it.
pub(crate) fn short(parts: &[&[u8]]) -> [u8; SHORT] {
    let mut bytes = [0; SHORT];
    for (to, from) in bytes.iter_mut().zip(sha256(parts)) {
        *to = from;
    }
    bytes
}
