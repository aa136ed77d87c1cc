//! The hashes of a tree: SHA-256 with one prefix byte for a leaf and another for a node, so that
//! nobody can pass an inner node off as an entry (RFC 6962, 2.1).

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::encoding::{from_base64, to_base64};

/// A hash of a leaf, of a subtree or of a whole tree: 32 bytes. Its only text form is base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The root of a tree without leaves: the SHA-256 of nothing.
    pub const EMPTY_TREE: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ]);

    /// A hash that was computed elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The hash of an entry: SHA-256(0x00 ‖ entry).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(
        Sha256::new()
            .chain_update([0])
            .chain_update(entry)
            .finalize()
            .into(),
    )
}

/// The hash of two subtrees that stand side by side: SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(
        Sha256::new()
            .chain_update([1])
            .chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_base64(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, ParseHashError> {
        // 32 bytes are 44 characters. The length is looked at first: a long line costs nothing.
        let bytes = (text.len() == 44).then(|| from_base64(text)).flatten();
        bytes
            .and_then(|bytes| Self::from_slice(&bytes))
            .ok_or(ParseHashError)
    }
}

/// A text is not a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a hash: expected 32 bytes in base64")]
pub struct ParseHashError;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_published_hashes() {
        let empty: [u8; 32] = Sha256::digest(b"").into();
        assert_eq!(Hash::EMPTY_TREE.as_bytes(), &empty);
        // RFC 6962's tree of one empty entry.
        assert_eq!(
            leaf_hash(b"").to_string(),
            "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0="
        );
    }

    #[test]
    fn other_spellings_are_refused() {
        let text = leaf_hash(b"").to_string();
        for wrong in [
            String::new(),
            text.replace("B0=", "B1="),
            text.replace('=', ""),
            format!("{text}\n"),
            format!(" {text}"),
            text.replace('+', "-"),
            to_base64(&[0; 31]),
            to_base64(&[0; 33]),
        ] {
            assert_eq!(wrong.parse::<Hash>(), Err(ParseHashError), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(bytes: [u8; 32]) {
            let hash = Hash::from_bytes(bytes);
            prop_assert_eq!(hash.to_string().parse(), Ok(hash));
        }

        #[test]
        fn hashes_are_those_of_the_oracle(entry: Vec<u8>, left: [u8; 32], right: [u8; 32]) {
            prop_assert_eq!(leaf_hash(&entry).0, tlog_tiles::record_hash(&entry).0);
            prop_assert_eq!(
                node_hash(&Hash(left), &Hash(right)).0,
                tlog_tiles::node_hash(tlog_tiles::Hash(left), tlog_tiles::Hash(right)).0
            );
        }
    }
}
