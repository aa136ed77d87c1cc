//! Merkle paths: what shows that one leaf is in a recording's tree, and nothing of the others.

use std::collections::BTreeSet;

use oacp_tlog::{Hash, node_hash};

/// The path of each of `indexes`, in their order: the siblings from the leaf up (RFC 9162,
/// 2.1.3.1). An index that is no leaf's has none.
pub(super) fn paths(leaves: Vec<Hash>, indexes: &BTreeSet<u64>) -> Vec<(u64, Vec<Hash>)> {
    let count = leaves.len() as u64;
    let mut paths: Vec<(u64, Vec<Hash>)> = indexes
        .range(..count)
        .map(|index| (*index, Vec::new()))
        .collect();
    // The last of an odd row stands in the row above as it is: so that row is RFC 6962's, too.
    let (mut row, mut height) = (leaves, 0);
    while row.len() > 1 {
        for (index, path) in &mut paths {
            let sibling = usize::try_from((*index >> height) ^ 1).ok();
            path.extend(sibling.and_then(|at| row.get(at)));
        }
        row = row
            .chunks(2)
            .filter_map(|pair| match pair {
                [left, right] => Some(node_hash(left, right)),
                [one] => Some(*one),
                _ => None,
            })
            .collect();
        height += 1;
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use oacp_tlog::{CompactRange, leaf_hash, verify_inclusion};

    #[test]
    fn each_path_leads_to_the_root() {
        for count in 1..=70_u64 {
            let leaves: Vec<Hash> = (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect();
            let root = leaves.iter().copied().collect::<CompactRange>().root();
            let paths = paths(leaves.clone(), &(0..count + 3).collect());
            assert_eq!(paths.len() as u64, count);
            for (index, path) in paths {
                let leaf = &leaves[index as usize];
                assert_eq!(verify_inclusion(index, count, leaf, &path, &root), Ok(()));
            }
        }
    }
}
