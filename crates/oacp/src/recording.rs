//! A recording: what crossed a sandbox's boundary during a run, in order, and the tree that commits
//! to it.
//!
//! ```text
//! leaf_k = SHA-256(0x00 ‖ "oacp/event/v1" ‖ salt_k ‖ event bytes)       salt_k = HMAC-SHA-256(K, k)
//! node   = SHA-256(0x01 ‖ left ‖ right)                                 RFC 6962, 2.1
//! ```
//!
//! k is eight bytes, big-endian, and counts from 0. Event bytes are canonical JSON (RFC 8785). The
//! salts keep a holder of the root from guessing events; K is 32 fresh random bytes for each run,
//! never derived from the seed.

mod path;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, Mac};
use oacp_tlog::{CompactRange, Hash};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroize;

use crate::digest::{Digest, Hasher};
use crate::event::Event;

/// K: makes the salts of a recording's leaves. Whoever holds it can test guesses of every event.
#[derive(Clone, PartialEq, Eq)]
pub struct SaltKey([u8; 32]);

impl SaltKey {
    /// From 32 fresh random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The salt of event `index`: what discloses that event and no other.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    pub fn salt(&self, index: u64) -> [u8; 32] {
        let mut mac = <Hmac<Sha256>>::new_from_slice(&self.0).expect("any key length");
        mac.update(&index.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl Drop for SaltKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SaltKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SaltKey(…)")
    }
}

/// Events in order, and the contents they name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    salt_key: SaltKey,
    events: Vec<Vec<u8>>,
    blobs: BTreeMap<Digest, Arc<[u8]>>,
    tree: CompactRange,
}

impl Recording {
    /// No events yet.
    pub fn new(salt_key: SaltKey) -> Self {
        Self {
            salt_key,
            events: Vec::new(),
            blobs: BTreeMap::new(),
            tree: CompactRange::new(),
        }
    }

    /// The recording of events that were kept as bytes. They are not read here.
    pub fn from_events(salt_key: SaltKey, events: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut recording = Self::new(salt_key);
        for event in events {
            recording.push_bytes(event);
        }
        recording
    }

    /// Appends an event, and says its index.
    pub fn push(&mut self, event: &Event) -> u64 {
        self.push_bytes(event.to_bytes())
    }

    fn push_bytes(&mut self, bytes: Vec<u8>) -> u64 {
        let index = self.len();
        self.tree.push(leaf(&self.salt_key.salt(index), &bytes));
        self.events.push(bytes);
        index
    }

    /// Keeps a content that an event names. The same content is kept once.
    pub fn add_blob(&mut self, bytes: impl Into<Arc<[u8]>>) -> Content {
        let bytes = bytes.into();
        let content = Content::of(&bytes);
        self.blobs.entry(content.sha256).or_insert(bytes);
        content
    }

    /// The root of the tree over the events so far: of none, the SHA-256 of nothing.
    pub fn root(&self) -> Digest {
        Digest::from_bytes(*self.tree.root().as_bytes())
    }

    /// What a statement says of it.
    pub fn summary(&self) -> RecordingSummary {
        RecordingSummary {
            events: self.len(),
            root: self.root(),
        }
    }

    /// How many events.
    pub fn len(&self) -> u64 {
        self.events.len() as u64
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The bytes of every event, in order.
    pub fn events(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.events.iter().map(Vec::as_slice)
    }

    /// The bytes of one event.
    pub fn event(&self, index: u64) -> Option<&[u8]> {
        self.events
            .get(usize::try_from(index).ok()?)
            .map(Vec::as_slice)
    }

    /// The content of this digest.
    pub fn blob(&self, digest: &Digest) -> Option<&Arc<[u8]>> {
        self.blobs.get(digest)
    }

    /// All contents.
    pub fn blobs(&self) -> &BTreeMap<Digest, Arc<[u8]>> {
        &self.blobs
    }

    /// Where the salts come from.
    pub fn salt_key(&self) -> &SaltKey {
        &self.salt_key
    }

    /// A digest over the events without salts, by which two runs are compared: SHA-256 over
    /// `"oacp/events/v1" ‖ 0x00`, then for each event its length in eight bytes, big-endian, and
    /// its bytes.
    pub fn unsalted_digest(&self) -> Digest {
        let mut hasher = Hasher::new();
        hasher.update(b"oacp/events/v1\0");
        for event in &self.events {
            hasher
                .update(&(event.len() as u64).to_be_bytes())
                .update(event);
        }
        hasher.finish()
    }

    /// The Merkle paths of these events, in their order: of each the hashes that lead from its leaf
    /// to the root. An index that is no event's has none.
    pub(crate) fn paths(&self, indexes: &BTreeSet<u64>) -> Vec<(u64, Vec<Hash>)> {
        let leaves = (0..)
            .zip(&self.events)
            .map(|(index, event)| leaf(&self.salt_key.salt(index), event));
        path::paths(leaves.collect(), indexes)
    }

    pub(crate) fn set_blobs(&mut self, blobs: BTreeMap<Digest, Arc<[u8]>>) {
        self.blobs = blobs;
    }
}

/// A content by digest and length; its bytes are a blob, and can be withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Of the bytes that crossed the boundary.
    pub sha256: Digest,
    /// In bytes.
    #[serde(serialize_with = "crate::limits::saturated::serialize")]
    pub size: u64,
}

impl Content {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            sha256: Digest::of(bytes),
            size: bytes.len() as u64,
        }
    }
}

/// What a statement says of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingSummary {
    /// How many events.
    #[serde(serialize_with = "crate::limits::saturated::serialize")]
    pub events: u64,
    /// The root of the tree over them.
    pub root: Digest,
}

/// The leaf of an event with its salt.
pub(crate) fn leaf(salt: &[u8; 32], event: &[u8]) -> Hash {
    let mut hasher = Hasher::new();
    hasher.update(b"\0oacp/event/v1").update(salt).update(event);
    Hash::from_bytes(*hasher.finish().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6962, 2.1, as it is written there.
    fn mth(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of(b""),
            [one] => *one,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                let (left, right) = (mth(left), mth(right));
                Digest::of(&[&[1], left.as_bytes().as_slice(), right.as_bytes()].concat())
            }
        }
    }

    #[test]
    fn the_root_is_over_salted_events() {
        let key = SaltKey::from_bytes([7; 32]);
        let mut recording = Recording::new(key.clone());
        assert_eq!(recording.push_bytes(b"a".to_vec()), 0);
        assert_eq!(recording.push_bytes(b"b".to_vec()), 1);
        let leaf = |k: u64, event: &[u8]| {
            let mut bytes = b"\0oacp/event/v1".to_vec();
            let mut mac = <Hmac<Sha256>>::new_from_slice(&[7; 32]).unwrap();
            mac.update(&k.to_be_bytes());
            bytes.extend(mac.finalize().into_bytes());
            bytes.extend(event);
            Digest::of(&bytes)
        };
        let mut leaves = vec![leaf(0, b"a"), leaf(1, b"b")];
        assert_eq!(recording.root(), mth(&leaves));
        assert_eq!(Recording::new(key.clone()).root(), mth(&[]));
        for k in 2..9 {
            recording.push_bytes(b"c".to_vec());
            leaves.push(leaf(k, b"c"));
            assert_eq!(recording.root(), mth(&leaves));
        }
        let mut recording = Recording::new(key.clone());
        recording.push_bytes(b"a".to_vec());
        recording.push_bytes(b"b".to_vec());

        let mut other = Recording::new(SaltKey::from_bytes([8; 32]));
        other.push_bytes(b"a".to_vec());
        other.push_bytes(b"b".to_vec());
        assert_ne!(other.root(), recording.root());
        assert_eq!(other.unsalted_digest(), recording.unsalted_digest());
        assert_eq!(format!("{key:?}"), "SaltKey(…)");
    }

    #[test]
    fn event_boundaries_are_part_of_the_digest() {
        let digest = |events: &[&[u8]]| {
            let mut recording = Recording::new(SaltKey::from_bytes([0; 32]));
            for event in events {
                recording.push_bytes(event.to_vec());
            }
            recording.unsalted_digest()
        };
        assert_ne!(digest(&[b"ab"]), digest(&[b"a", b"b"]));
        assert_ne!(digest(&[b"", b"ab"]), digest(&[b"ab", b""]));
    }

    #[test]
    fn a_blob_is_kept_once() {
        let mut recording = Recording::new(SaltKey::from_bytes([0; 32]));
        let content = recording.add_blob(*b"{}");
        assert_eq!(recording.add_blob(b"{}".to_vec()), content);
        assert_eq!((content.size, recording.blobs().len()), (2, 1));
        assert_eq!(recording.blob(&content.sha256).unwrap().as_ref(), b"{}");
    }
}
