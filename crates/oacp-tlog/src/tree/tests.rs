//! By the book, and against the oracle.

use std::cell::RefCell;

use proptest::prelude::*;

use super::*;
use crate::fixture::{Leaves, leaf, naive};

/// Whatever differs from a proof in one place is none.
fn alterations(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut altered = Vec::new();
    for at in 0..=proof.len() {
        let mut longer = proof.to_vec();
        longer.insert(at, leaf(7));
        altered.push(longer);
    }
    for at in 0..proof.len() {
        let mut shorter = proof.to_vec();
        shorter.remove(at);
        altered.push(shorter);
        let mut other = proof.to_vec();
        let mut bytes = *other[at].as_bytes();
        bytes[31] ^= 1;
        other[at] = Hash::from_bytes(bytes);
        altered.push(other);
        let mut swapped = proof.to_vec();
        swapped.swap(0, at);
        if swapped != proof {
            altered.push(swapped);
        }
    }
    altered
}

#[test]
fn every_inclusion_proof_up_to_40_leaves() {
    let tree = Leaves::new(40);
    for size in 1..=40 {
        let root = tree.root(size);
        for index in 0..size {
            let proof = tree.inclusion(index, size);
            let verify = |proof: &[Hash]| verify_inclusion(index, size, &leaf(index), proof, &root);
            assert_eq!(verify(&proof), Ok(()), "{index} in {size}");
            for altered in alterations(&proof) {
                assert!(verify(&altered).is_err(), "{index} in {size}");
            }
            for other in (0..=size).filter(|other| *other != index) {
                let moved = verify_inclusion(other, size, &leaf(index), &proof, &root);
                assert!(moved.is_err(), "{index} at {other} in {size}");
            }
        }
    }
}

#[test]
fn every_consistency_proof_up_to_40_leaves() {
    let tree = Leaves::new(40);
    for new in 1..=40 {
        for old in 1..=new {
            let (old_root, new_root) = (tree.root(old), tree.root(new));
            let proof = tree.consistency(old, new);
            let verify = |proof: &[Hash]| verify_consistency(old, new, proof, &old_root, &new_root);
            assert_eq!(verify(&proof), Ok(()), "{old} to {new}");
            for altered in alterations(&proof) {
                assert!(verify(&altered).is_err(), "{old} to {new}");
            }
            let verify = |a: &Hash, b: &Hash| verify_consistency(old, new, &proof, a, b);
            assert!(verify(&leaf(77), &new_root).is_err());
            assert!(verify(&old_root, &leaf(77)).is_err());
        }
    }
}

#[test]
fn every_subtree_up_to_32_leaves() {
    let tree = Leaves::new(32);
    let mut count = 0;
    for size in 1..=32_u64 {
        let root = tree.root(size);
        for (start, end) in
            (0..size).flat_map(|start| (start + 1..=size).map(move |end| (start, end)))
        {
            let subtree_root = naive(&tree.0[start as usize..end as usize]);
            let proof = subtree_consistency_proof(start, end, size, &tree);
            let verify = |proof: &[Hash]| {
                verify_subtree_consistency(start, end, size, proof, &subtree_root, &root)
            };
            if !is_subtree(start, end) {
                assert_eq!(proof, Err(ProveError::OutOfRange));
                assert_eq!(verify(&[]), Err(ProofError::NotASubtree { start, end }));
                continue;
            }
            let proof = proof.unwrap();
            assert_eq!(verify(&proof), Ok(()), "{start}..{end} of {size}");
            for altered in alterations(&proof) {
                assert!(verify(&altered).is_err(), "{start}..{end} of {size}");
            }
            count += 1;
        }
    }
    assert_eq!(count, 1600);
}

#[test]
fn what_is_in_no_tree_has_no_proof() {
    let tree = Leaves::new(8);
    assert_eq!(inclusion_proof(8, 8, &tree), Err(ProveError::OutOfRange));
    assert_eq!(inclusion_proof(0, 0, &tree), Err(ProveError::OutOfRange));
    assert_eq!(consistency_proof(8, 7, &tree), Err(ProveError::OutOfRange));
    assert_eq!(consistency_proof(0, 8, &tree), Ok(vec![]));
    assert_eq!(consistency_proof(8, 8, &tree), Ok(vec![]));
    assert_eq!(inclusion_nodes(0, 1 << 63), None);
    assert_eq!(consistency_nodes(1, u64::MAX), None);
    assert_eq!(subtree_consistency_nodes(0, 0, 8), None);
    assert_eq!(subtree_consistency_nodes(0, 9, 8), None);
    assert_eq!(root(0, &tree), Ok(Hash::EMPTY_TREE));
    assert_eq!(root(u64::MAX, &tree), Err(ProveError::OutOfRange));
    assert_eq!(
        verify_consistency(0, 8, &[], &Hash::EMPTY_TREE, &tree.root(8)),
        Err(ProofError::FromEmpty)
    );
    assert_eq!(Node::new(62, 1), None);
    assert_eq!(Node::new(63, 0), None);
    assert_eq!(Node::new(64, 0), None);
    assert_eq!(Node::new(0, u64::MAX), None);
    assert_eq!(Node::new(62, 0).map(|node| node.end()), Some(1 << 62));
}

/// Nothing overflows where a stranger's numbers end.
#[test]
fn the_largest_trees() {
    let max = NUMBER_MAX;
    assert_eq!(root_nodes(max).len(), 63);
    assert_eq!(root_nodes(1 << 63), vec![]);
    for index in [0, 1, max / 2, max - 2, max - 1] {
        let nodes = inclusion_nodes(index, max).unwrap();
        assert!(nodes.len() <= 63, "{}", nodes.len());
        let proof = vec![leaf(0); nodes.len()];
        let root = root_from_inclusion(index, max, &leaf(1), &proof).unwrap();
        assert_eq!(
            verify_inclusion(index, max, &leaf(1), &proof, &root),
            Ok(())
        );
        let _ = root_from_inclusion(index, u64::MAX, &leaf(1), &proof);
    }
    for old in [1, 2, 3, max / 2, max - 1] {
        // One more than the bits of the size; tlog-witness does not take that of the very largest.
        let nodes = consistency_nodes(old, max).unwrap();
        assert!(nodes.len() <= 64, "{}", nodes.len());
        let nodes = consistency_nodes(old >> 1, max >> 1).unwrap();
        assert!(nodes.len() <= 63, "{}", nodes.len());
        let proof = vec![leaf(0); nodes.len()];
        let verify =
            |old, new, proof: &[Hash]| verify_consistency(old, new, proof, &leaf(0), &leaf(0));
        assert!(verify(old, max, &proof).is_err());
        assert!(verify(old, u64::MAX, &vec![leaf(0); 200]).is_err());
        assert!(verify(u64::MAX - 1, u64::MAX, &proof).is_err());
    }
    assert!(!is_subtree(1, u64::MAX));
    assert!(is_subtree(0, 1 << 63));
    assert!(!is_subtree(0, (1 << 63) + 1));
}

#[test]
fn a_reader_that_gives_too_little_is_noticed() {
    struct Short;
    impl NodeReader for Short {
        type Error = std::convert::Infallible;
        fn read(&self, nodes: &[Node]) -> Result<Vec<Hash>, Self::Error> {
            Ok(vec![leaf(0); nodes.len() - 1])
        }
    }
    let count = Err(ProveError::Count { wanted: 3, got: 2 });
    assert_eq!(inclusion_proof(0, 8, &Short), count);
}

#[test]
fn a_compact_range_is_the_tree() {
    let tree = Leaves::new(300);
    let mut range = CompactRange::new();
    for size in 0..=300 {
        assert_eq!(range.root(), tree.root(size));
        assert_eq!(range.size(), size);
        assert_eq!(range.nodes(), tree.read(&root_nodes(size)).unwrap());
        let again = CompactRange::from_nodes(size, range.nodes().to_vec());
        assert_eq!(again.as_ref(), Ok(&range));
        assert_eq!(root(size, &tree), Ok(range.root()));
        if size < 300 {
            range.push(leaf(size));
        }
    }
    assert!(CompactRange::from_nodes(3, vec![leaf(0)]).is_err());
    assert!(CompactRange::from_nodes(0, vec![leaf(0)]).is_err());
    assert!(CompactRange::from_nodes(1 << 63, vec![leaf(0)]).is_err());
}

#[test]
fn subtrees_are_appended_where_they_fit() {
    let tree = Leaves::new(64);
    let subtree = |level: u8, at: u64| naive(&tree.0[at as usize..(at + (1 << level)) as usize]);
    let mut range = CompactRange::new();
    for (level, at) in [
        (4, 0),
        (4, 16),
        (3, 32),
        (1, 40),
        (0, 42),
        (0, 43),
        (2, 44),
        (4, 48),
    ] {
        assert_eq!(range.size(), at);
        range.append(level, subtree(level, at)).unwrap();
        assert_eq!(range.root(), tree.root(at + (1 << level)));
    }
    range.push(leaf(64));
    assert_eq!(range.append(1, leaf(0)), Err(AppendError));
    assert_eq!(range.append(63, leaf(0)), Err(AppendError));
    assert_eq!(range.append(64, leaf(0)), Err(AppendError));
    let mut large = CompactRange::from_nodes(1 << 62, vec![leaf(0)]).unwrap();
    assert_eq!(large.append(62, leaf(0)), Err(AppendError));
}

/// The oracle's storage: every complete subtree.
#[derive(Default)]
struct Oracle(RefCell<Vec<tlog_tiles::Hash>>);

impl tlog_tiles::HashReader for Oracle {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let hashes = self.0.borrow();
        Ok(indexes
            .iter()
            .map(|index| hashes[*index as usize])
            .collect())
    }
}

impl Oracle {
    fn new(count: u64) -> Self {
        let oracle = Self::default();
        for n in 0..count {
            let hashes = tlog_tiles::stored_hashes(n, &n.to_be_bytes(), &oracle).unwrap();
            oracle.0.borrow_mut().extend(hashes);
        }
        oracle
    }
}

fn same(ours: &[Hash], theirs: &[tlog_tiles::Hash]) -> bool {
    ours.iter()
        .map(Hash::as_bytes)
        .eq(theirs.iter().map(|hash| &hash.0))
}

proptest! {
    #[test]
    fn proofs_are_those_of_the_oracle(size in 1..1000_u64, a: u64, b: u64) {
        let (ours, theirs) = (Leaves::new(size), Oracle::new(size));
        let root = tlog_tiles::tree_hash(size, &theirs).unwrap();
        prop_assert!(same(&[ours.root(size)], &[root]));
        let index = a % size;
        let proof = tlog_tiles::prove_record(size, index, &theirs).unwrap();
        prop_assert!(same(&ours.inclusion(index, size), &proof));
        let old = b % size + 1;
        let proof = tlog_tiles::prove_tree(size, old, &theirs).unwrap();
        prop_assert!(same(&ours.consistency(old, size), &proof));
    }

    /// Whatever a stranger sends is judged, and judged as the oracle does.
    #[test]
    fn verdicts_are_those_of_the_oracle(
        size in 1..50_u64,
        a in 0..50_u64,
        cut in 0..8_usize,
        more in 0..2_usize,
        other in 0..50_u64,
    ) {
        let tree = Leaves::new(60);
        let theirs = |hash: &Hash| tlog_tiles::Hash(*hash.as_bytes());
        let mut proof = tree.inclusion(a % size, size);
        proof.truncate(cut);
        proof.extend(vec![leaf(0); more]);
        let (at, root) = (leaf(a % size), tree.root(size));
        let ours = verify_inclusion(other, size, &at, &proof, &root).is_ok();
        let proof: Vec<_> = proof.iter().map(theirs).collect();
        let oracle = other < size
            && tlog_tiles::check_record(&proof, size, theirs(&root), other, theirs(&at)).is_ok();
        prop_assert_eq!(ours, oracle);
    }
}
