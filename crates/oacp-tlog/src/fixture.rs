//! What the tests of several modules need: a tree by the book, and keys.

use std::convert::Infallible;

use crate::hash::{Hash, leaf_hash, node_hash};
use crate::tree::{Node, NodeReader, consistency_proof, inclusion_proof};
use crate::{Checkpoint, SignedCheckpoint, SignerKey, cosign};

pub const ORIGIN: &str = "example.com/log";

/// MTH of RFC 6962, 2.1, word for word.
pub fn naive(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::EMPTY_TREE,
        [leaf] => *leaf,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            let (left, right) = leaves.split_at(k);
            node_hash(&naive(left), &naive(right))
        }
    }
}

/// A tree that is all leaves. Entry n is n in eight bytes.
pub struct Leaves(pub Vec<Hash>);

impl NodeReader for Leaves {
    type Error = Infallible;

    fn read(&self, nodes: &[Node]) -> Result<Vec<Hash>, Infallible> {
        let hash = |node: &Node| naive(&self.0[node.start() as usize..node.end() as usize]);
        Ok(nodes.iter().map(hash).collect())
    }
}

impl Leaves {
    pub fn new(count: u64) -> Self {
        Self((0..count).map(leaf).collect())
    }

    /// The same up to a leaf, and others from there on.
    pub fn forked_at(count: u64, at: u64) -> Self {
        let leaf = |n| leaf(if n < at { n } else { n + (1 << 32) });
        Self((0..count).map(leaf).collect())
    }

    pub fn root(&self, size: u64) -> Hash {
        naive(&self.0[..size as usize])
    }

    pub fn inclusion(&self, index: u64, size: u64) -> Vec<Hash> {
        inclusion_proof(index, size, self).unwrap()
    }

    pub fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        consistency_proof(old, new, self).unwrap()
    }

    /// The log's signed checkpoint of a size.
    pub fn checkpoint(&self, size: u64) -> SignedCheckpoint {
        SignedCheckpoint::sign(
            &Checkpoint::new(ORIGIN, size, self.root(size)).unwrap(),
            &log_key(),
        )
    }

    /// The same, cosigned.
    pub fn cosigned(&self, size: u64, cosigners: &[(&SignerKey, u64)]) -> SignedCheckpoint {
        let mut checkpoint = self.checkpoint(size);
        for (key, time_s) in cosigners {
            checkpoint
                .add_signature(cosign(&checkpoint, key, *time_s))
                .unwrap();
        }
        checkpoint
    }
}

pub fn leaf(n: u64) -> Hash {
    leaf_hash(&n.to_be_bytes())
}

pub fn log_key() -> SignerKey {
    SignerKey::ed25519(ORIGIN.parse().unwrap(), &[1; 32])
}

/// A witness with an Ed25519 key.
pub fn witness(n: u8) -> SignerKey {
    SignerKey::ed25519_cosigner(
        format!("witness.example/{n}").parse().unwrap(),
        &[100 + n; 32],
    )
}

/// A witness with an ML-DSA-44 key.
pub fn pq_witness(n: u8) -> SignerKey {
    SignerKey::ml_dsa44_cosigner(
        format!("witness.example/{n}").parse().unwrap(),
        &[100 + n; 32],
    )
}
