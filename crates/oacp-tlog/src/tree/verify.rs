//! Verifying proofs: RFC 9162, 2.1.3.2 and 2.1.4.2, and the same for subtrees.
//!
//! Attack: a proof of another shape than the sizes demand, under which another leaf or another tree
//! would have the same root. Hence the shape follows from index and size alone, and a proof that is
//! one hash longer or shorter is refused.

use super::is_subtree;
use crate::hash::{Hash, node_hash};

/// Why a proof is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf is not in a tree of this size.
    #[error("leaf {index} is not in a tree of {size}")]
    OutOfRange {
        /// Of the leaf, from 0.
        index: u64,
        /// Of the tree, in leaves.
        size: u64,
    },
    /// The tree that should begin with the other is the smaller one.
    #[error("a tree of {new} does not begin with one of {old}")]
    Reversed {
        /// Size of what should come first.
        old: u64,
        /// Size of what should contain it.
        new: u64,
    },
    /// Every tree begins with the empty one: a proof of it says nothing. Who has seen nothing yet
    /// has to treat that as a case of its own.
    #[error("nothing follows from consistency with an empty tree")]
    FromEmpty,
    /// These leaves are not a subtree.
    #[error("leaves {start} to {end} are not a subtree")]
    NotASubtree {
        /// The first leaf.
        start: u64,
        /// One past the last leaf.
        end: u64,
    },
    /// Fewer hashes than the sizes demand.
    #[error("proof is too short")]
    TooShort,
    /// More hashes than the sizes demand.
    #[error("proof is too long")]
    TooLong,
    /// The proof leads to another root than that of the tree.
    #[error("proof leads to another root")]
    Root,
    /// The proof leads to another root of the older tree, or of the subtree.
    #[error("proof leads to another root of the older tree")]
    OldRoot,
}

/// The root of the tree of `size` leaves, if `proof` is right that its leaf `index` is `leaf`.
///
/// # Errors
/// `index` is not below `size`; the proof has not the length that they demand.
pub fn root_from_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    proof: &[Hash],
) -> Result<Hash, ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange { index, size });
    }
    let (mut at, mut last) = (index, size - 1);
    let mut root = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::TooLong);
        }
        if at & 1 == 1 || at == last {
            root = node_hash(sibling, &root);
            // At the right edge, levels without a sibling are passed over. `at` is not 0 here, for
            // `at == last` and `last` is not.
            let passed = at.trailing_zeros();
            at >>= passed;
            last >>= passed;
        } else {
            root = node_hash(&root, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::TooShort);
    }
    Ok(root)
}

/// Verifies that leaf `index` of the tree of `size` leaves and this `root` is `leaf` (RFC 9162,
/// 2.1.3.2).
///
/// # Errors
/// It does not follow from the proof.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if root_from_inclusion(index, size, leaf, proof)? == *root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// Verifies that the tree of `new` leaves begins with that of `old` leaves (RFC 9162, 2.1.4.2).
///
/// # Errors
/// It does not follow from the proof. From `old` 0 to another size nothing is ever proven, see
/// [`ProofError::FromEmpty`].
pub fn verify_consistency(
    old: u64,
    new: u64,
    proof: &[Hash],
    old_root: &Hash,
    new_root: &Hash,
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Reversed { old, new });
    }
    if old == new {
        if !proof.is_empty() {
            return Err(ProofError::TooLong);
        }
        if old == 0 && *old_root != Hash::EMPTY_TREE {
            return Err(ProofError::OldRoot);
        }
        return if old_root == new_root {
            Ok(())
        } else {
            Err(ProofError::Root)
        };
    }
    if old == 0 {
        return Err(ProofError::FromEmpty);
    }
    verify_subtree_consistency(0, old, new, proof, old_root, new_root)
}

/// Verifies that leaf `index` of a tree is `leaf`, under the root of its subtree `start..end`: an
/// inclusion proof in a tree that begins at `start` (draft-ietf-plants-merkle-tree-certs, *subtree
/// inclusion proofs*).
///
/// # Errors
/// It does not follow from the proof; `start..end` is not a subtree.
pub fn verify_subtree_inclusion(
    index: u64,
    start: u64,
    end: u64,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if !is_subtree(start, end) {
        return Err(ProofError::NotASubtree { start, end });
    }
    match index.checked_sub(start) {
        Some(within) if index < end => verify_inclusion(within, end - start, leaf, proof, root),
        _ => Err(ProofError::OutOfRange { index, size: end }),
    }
}

/// Verifies that the leaves `start..end` of the tree of `size` leaves have the root `subtree_root`
/// (draft-ietf-plants-merkle-tree-certs, *subtree consistency proofs*). No leaves at all, with the
/// empty tree's root and no proof, are in every tree.
///
/// # Errors
/// It does not follow from the proof; `start..end` is not a subtree of such a tree.
pub fn verify_subtree_consistency(
    start: u64,
    end: u64,
    size: u64,
    proof: &[Hash],
    subtree_root: &Hash,
    root: &Hash,
) -> Result<(), ProofError> {
    if end > size {
        return Err(ProofError::Reversed {
            old: end,
            new: size,
        });
    }
    if start == end {
        return match (proof, *subtree_root == Hash::EMPTY_TREE) {
            ([], true) => Ok(()),
            ([], false) => Err(ProofError::OldRoot),
            _ => Err(ProofError::TooLong),
        };
    }
    if !is_subtree(start, end) {
        return Err(ProofError::NotASubtree { start, end });
    }
    // Three paths, each a level up at a time: the subtree's first leaf, its last leaf, and the last
    // leaf of the tree. Where the first two meet, the subtree's root hangs.
    let (mut first, mut last, mut edge) = (start, end - 1, size - 1);
    while first != last && (last == edge || last & 1 == 1) {
        first >>= 1;
        last >>= 1;
        edge >>= 1;
    }
    let mut proof = proof.iter();
    // A subtree that hangs at one place is known. One that is cut off at its end is not a node of
    // the larger tree, and begins with its last piece.
    let seed = if first == last {
        subtree_root
    } else {
        proof.next().ok_or(ProofError::TooShort)?
    };
    let (mut old, mut new) = (*seed, *seed);
    for sibling in proof {
        if edge == 0 {
            return Err(ProofError::TooLong);
        }
        if last & 1 == 1 || last == edge {
            if first < last {
                old = node_hash(sibling, &old);
            }
            new = node_hash(sibling, &new);
            // As above: `last` is not 0 here.
            let passed = last.trailing_zeros();
            first >>= passed;
            last >>= passed;
            edge >>= passed;
        } else {
            new = node_hash(&new, sibling);
        }
        first >>= 1;
        last >>= 1;
        edge >>= 1;
    }
    if edge != 0 {
        return Err(ProofError::TooShort);
    }
    if old != *subtree_root {
        return Err(ProofError::OldRoot);
    }
    if new != *root {
        return Err(ProofError::Root);
    }
    Ok(())
}
