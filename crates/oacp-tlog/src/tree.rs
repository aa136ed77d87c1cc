//! The tree of RFC 6962, section 2.1 (c2sp.org/merkle-tree): which hashes a proof is made of, how a
//! proof is made from them, and how it is verified.
//!
//! Nothing here holds a tree. What makes proofs reads the few hashes that it needs through
//! [`NodeReader`], which [`TileReader`](crate::TileReader) implements over tiles.

mod compact;
mod verify;

pub use compact::{AppendError, CompactRange, FromNodesError};
pub use verify::{
    ProofError, root_from_inclusion, verify_consistency, verify_inclusion,
    verify_subtree_consistency, verify_subtree_inclusion,
};

use crate::encoding::NUMBER_MAX;
use crate::hash::{Hash, node_hash};

/// A complete subtree of 2^`level` leaves: those from `index` × 2^`level` on. Its hash never changes
/// once the tree has grown past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    level: u8,
    index: u64,
}

impl Node {
    /// `None`: it would end beyond 2^63 − 1 leaves, where no tree reaches.
    pub fn new(level: u8, index: u64) -> Option<Self> {
        let end = index
            .checked_add(1)?
            .checked_mul(1_u64.checked_shl(level.into())?)?;
        (end <= NUMBER_MAX).then_some(Self { level, index })
    }

    /// The height: 0 is a leaf. At most 62.
    pub const fn level(&self) -> u8 {
        self.level
    }

    /// How many subtrees of this height stand before it.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The first leaf in it.
    pub const fn start(&self) -> u64 {
        self.index << self.level
    }

    /// One past the last leaf in it: the smallest tree size that holds it.
    pub const fn end(&self) -> u64 {
        (self.index + 1) << self.level
    }
}

/// Where the hashes of complete subtrees come from.
pub trait NodeReader {
    /// Why reading failed.
    type Error;

    /// The hashes of `nodes`, in their order, as many.
    ///
    /// # Errors
    /// The reader's own.
    fn read(&self, nodes: &[Node]) -> Result<Vec<Hash>, Self::Error>;
}

/// Why a proof or a root could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError<E> {
    /// The index is not below the size, the sizes are reversed, the subtree is none, or a size is
    /// beyond 2^63 − 1.
    #[error("no such leaf or tree")]
    OutOfRange,
    /// The reader's.
    #[error("hashes of the tree could not be read")]
    Read(#[source] E),
    /// The reader gave more or fewer hashes than it was asked for.
    #[error("{got} hashes of the tree were read, {wanted} asked for")]
    Count {
        /// Asked for.
        wanted: usize,
        /// Given.
        got: usize,
    },
}

/// What makes up the proof that leaf `index` is in the tree of `size` leaves: for each hash of the
/// proof, leaf's sibling first, the complete subtrees that it is combined of, left to right.
///
/// `None`: `index` is not below `size`, or `size` is beyond 2^63 − 1. See [`inclusion_proof`].
pub fn inclusion_nodes(index: u64, size: u64) -> Option<Vec<Vec<Node>>> {
    (index < size && size <= NUMBER_MAX)
        .then(|| inclusion_ranges(index, size))
        .and_then(nodes_of_ranges)
}

/// What makes up the proof that the tree of `new` leaves begins with that of `old` leaves, as
/// [`inclusion_nodes`] says it. Empty when the sizes are equal or `old` is 0.
///
/// `None`: `old` is above `new`, or `new` is beyond 2^63 − 1.
pub fn consistency_nodes(old: u64, new: u64) -> Option<Vec<Vec<Node>>> {
    if old > new || new > NUMBER_MAX {
        return None;
    }
    if old == 0 || old == new {
        return Some(Vec::new());
    }
    nodes_of_ranges(subtree_ranges(0, old, new))
}

/// What makes up the proof that the leaves `start..end` of the tree of `size` leaves are a subtree of
/// it (draft-ietf-plants-merkle-tree-certs, *subtree consistency proofs*), as [`inclusion_nodes`]
/// says it.
///
/// `None`: not a subtree (see [`is_subtree`]), or `size` is beyond 2^63 − 1.
pub fn subtree_consistency_nodes(start: u64, end: u64, size: u64) -> Option<Vec<Vec<Node>>> {
    (is_subtree(start, end) && end <= size && size <= NUMBER_MAX)
        .then(|| subtree_ranges(start, end, size))
        .and_then(nodes_of_ranges)
}

/// The complete subtrees that the root of the tree of `size` leaves is combined of, left to right:
/// as many as `size` has bits set. Empty beyond 2^63 − 1.
pub fn root_nodes(size: u64) -> Vec<Node> {
    nodes_of_range(0, size).unwrap_or_default()
}

/// Whether the leaves `start..end` can be a subtree: some, and `start` a multiple of the smallest
/// power of two that is not below their number (draft-ietf-plants-merkle-tree-certs, *subtrees*).
pub fn is_subtree(start: u64, end: u64) -> bool {
    let width = end.checked_sub(start).filter(|width| *width > 0);
    width
        .and_then(u64::checked_next_power_of_two)
        .is_some_and(|width| start.is_multiple_of(width))
}

/// The proof that leaf `index` is in the tree of `size` leaves (RFC 6962, 2.1.1).
///
/// # Errors
/// The index is not below the size; reading failed.
pub fn inclusion_proof<R: NodeReader>(
    index: u64,
    size: u64,
    reader: &R,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    prove(inclusion_nodes(index, size), reader)
}

/// The proof that the tree of `new` leaves begins with that of `old` leaves (RFC 6962, 2.1.2). Empty
/// when the sizes are equal or `old` is 0.
///
/// # Errors
/// `old` is above `new`; reading failed.
pub fn consistency_proof<R: NodeReader>(
    old: u64,
    new: u64,
    reader: &R,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    prove(consistency_nodes(old, new), reader)
}

/// The proof that the leaves `start..end` are a subtree of the tree of `size` leaves.
///
/// # Errors
/// They are none; reading failed.
pub fn subtree_consistency_proof<R: NodeReader>(
    start: u64,
    end: u64,
    size: u64,
    reader: &R,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    prove(subtree_consistency_nodes(start, end, size), reader)
}

/// The root of the tree of `size` leaves.
///
/// # Errors
/// Reading failed; `size` is beyond 2^63 − 1.
pub fn root<R: NodeReader>(size: u64, reader: &R) -> Result<Hash, ProveError<R::Error>> {
    if size == 0 {
        return Ok(Hash::EMPTY_TREE);
    }
    let nodes = nodes_of_range(0, size).map(|nodes| vec![nodes]);
    let root = prove(nodes, reader)?.pop();
    root.ok_or(ProveError::OutOfRange)
}

fn prove<R: NodeReader>(
    nodes: Option<Vec<Vec<Node>>>,
    reader: &R,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    let nodes = nodes.ok_or(ProveError::OutOfRange)?;
    // One read for the whole proof: neighbours share tiles.
    let flat = nodes.concat();
    let hashes = reader.read(&flat).map_err(ProveError::Read)?;
    if hashes.len() != flat.len() {
        return Err(ProveError::Count {
            wanted: flat.len(),
            got: hashes.len(),
        });
    }
    let mut hashes = hashes.into_iter();
    Ok(nodes
        .iter()
        .filter_map(|group| combine(&hashes.by_ref().take(group.len()).collect::<Vec<_>>()))
        .collect())
}

/// The hash over complete subtrees that stand side by side, each smaller than the one before it.
fn combine(hashes: &[Hash]) -> Option<Hash> {
    let (last, before) = hashes.split_last()?;
    Some(
        before
            .iter()
            .rev()
            .fold(*last, |right, left| node_hash(left, &right)),
    )
}

/// The largest power of two below `width`: where RFC 6962 splits `width` leaves. `width` > 1.
const fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

/// The ranges of leaves whose hashes are the inclusion proof, sibling of the leaf first. `index` <
/// `size`.
fn inclusion_ranges(index: u64, size: u64) -> Vec<(u64, u64)> {
    let (mut low, mut high) = (0, size);
    let mut ranges = Vec::new();
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            ranges.push((middle, high));
            high = middle;
        } else {
            ranges.push((low, middle));
            low = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The ranges of leaves whose hashes are the subtree consistency proof, lowest first. `start..end`
/// is a subtree, and `end` ≤ `size`.
fn subtree_ranges(mut start: u64, end: u64, size: u64) -> Vec<(u64, u64)> {
    let (mut low, mut high) = (0, size);
    // Once the walk has cut the subtree in two, its hash is not known to the verifier any more.
    let mut is_known = true;
    let mut ranges = Vec::new();
    while (low, high) != (start, end) && high - low > 1 {
        let middle = low + split(high - low);
        if end <= middle {
            ranges.push((middle, high));
            high = middle;
            continue;
        }
        if start < middle {
            start = middle;
            is_known = false;
        }
        ranges.push((low, middle));
        low = middle;
    }
    if !is_known {
        ranges.push((low, high));
    }
    ranges.reverse();
    ranges
}

fn nodes_of_ranges(ranges: Vec<(u64, u64)>) -> Option<Vec<Vec<Node>>> {
    ranges
        .into_iter()
        .map(|(start, end)| nodes_of_range(start, end))
        .collect()
}

/// A range of leaves that is a subtree, as complete subtrees, largest first.
fn nodes_of_range(start: u64, end: u64) -> Option<Vec<Node>> {
    let mut nodes = Vec::new();
    let mut at = start;
    while at < end {
        let level = (end - at).ilog2();
        nodes.push(Node::new(u8::try_from(level).ok()?, at >> level)?);
        at += 1 << level;
    }
    Some(nodes)
}

#[cfg(test)]
mod tests;
