//! A tree that only grows, as the few hashes that its root needs.

use crate::encoding::NUMBER_MAX;
use crate::hash::{Hash, node_hash};

use super::combine;

/// The right edge of a tree: the roots of the at most 63 complete subtrees that it is made of,
/// largest first. Enough to append and to say the root; not enough to prove anything.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CompactRange {
    size: u64,
    nodes: Vec<Hash>,
}

impl CompactRange {
    /// No leaves yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree of `size` leaves that has these complete subtrees (see
    /// [`root_nodes`](super::root_nodes)). Nothing is verified but their number: compare
    /// [`CompactRange::root`].
    ///
    /// # Errors
    /// Another number of hashes than `size` has bits set; `size` is beyond 2^63 − 1.
    pub fn from_nodes(size: u64, nodes: Vec<Hash>) -> Result<Self, FromNodesError> {
        let wanted = size.count_ones();
        if size > NUMBER_MAX || u32::try_from(nodes.len()) != Ok(wanted) {
            return Err(FromNodesError {
                size,
                wanted,
                got: nodes.len(),
            });
        }
        Ok(Self { size, nodes })
    }

    /// Appends the hash of a leaf.
    pub fn push(&mut self, leaf: Hash) {
        // As many subtrees become one as the size has ones at its end: a binary counter's carry.
        let mut root = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.nodes.pop() {
                root = node_hash(&left, &root);
            }
        }
        self.nodes.push(root);
        // No loop of this world counts to 2^64.
        self.size = self.size.saturating_add(1);
    }

    /// Appends a complete subtree of 2^`level` leaves by its root.
    ///
    /// # Errors
    /// The size is not a multiple of 2^`level`; the tree would be larger than 2^63 − 1.
    pub fn append(&mut self, level: u8, root: Hash) -> Result<(), AppendError> {
        let width = 1_u64.checked_shl(level.into()).ok_or(AppendError)?;
        let size = self.size.checked_add(width);
        let size = size.filter(|size| *size <= NUMBER_MAX).ok_or(AppendError)?;
        if !self.size.is_multiple_of(width) {
            return Err(AppendError);
        }
        let mut root = root;
        for _ in 0..(self.size >> level).trailing_ones() {
            if let Some(left) = self.nodes.pop() {
                root = node_hash(&left, &root);
            }
        }
        self.nodes.push(root);
        self.size = size;
        Ok(())
    }

    /// The root of the tree so far: of none, the SHA-256 of nothing.
    pub fn root(&self) -> Hash {
        combine(&self.nodes).unwrap_or(Hash::EMPTY_TREE)
    }

    /// How many leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, largest first: as many as the size has bits set.
    pub fn nodes(&self) -> &[Hash] {
        &self.nodes
    }
}

impl Extend<Hash> for CompactRange {
    fn extend<T: IntoIterator<Item = Hash>>(&mut self, leaves: T) {
        for leaf in leaves {
            self.push(leaf);
        }
    }
}

impl FromIterator<Hash> for CompactRange {
    fn from_iter<T: IntoIterator<Item = Hash>>(leaves: T) -> Self {
        let mut range = Self::new();
        range.extend(leaves);
        range
    }
}

/// These hashes are not the right edge of such a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tree of {size} has {wanted} complete subtrees, not {got}")]
pub struct FromNodesError {
    /// Of the tree, in leaves.
    pub size: u64,
    /// How many hashes that takes.
    pub wanted: u32,
    /// How many were given.
    pub got: usize,
}

/// A subtree does not fit at the end of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the subtree does not fit at the end of the tree")]
pub struct AppendError;
