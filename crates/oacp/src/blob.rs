//! Bytes that are named by their digest.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::digest::Digest;

/// Bytes and their digest, which was computed once, here. A clone shares them.
#[derive(Clone, PartialEq, Eq)]
pub struct Blob {
    digest: Digest,
    bytes: Arc<[u8]>,
}

impl Blob {
    /// Of these bytes.
    pub fn of(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self {
            digest: Digest::of(&bytes),
            bytes,
        }
    }

    /// Of bytes whose digest was compared already.
    pub(crate) const fn compared(digest: Digest, bytes: Arc<[u8]>) -> Self {
        Self { digest, bytes }
    }

    /// Of the bytes.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Digest and bytes, the bytes shared.
    pub(crate) fn into_parts(self) -> (Digest, Arc<[u8]>) {
        (self.digest, self.bytes)
    }
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({}, {} bytes)", self.digest, self.bytes.len())
    }
}
