//! Proofs of logging, and evidence of forks: what is taken prints as it came; a proof is of one leaf.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oacp_tlog::{Fork, Hash, TlogProof, root_from_inclusion};

fuzz_target!(|data: &[u8]| {
    if let Ok(fork) = Fork::parse(data) {
        assert_eq!(fork.to_string().as_bytes(), data);
        assert!(fork.first().size() <= fork.second().size());
    }
    let Ok(proof) = TlogProof::parse(data) else {
        return;
    };
    assert_eq!(proof.to_string().as_bytes(), data);
    let checkpoint = proof.checkpoint();
    let leaves = [[0; 32], [1; 32]].map(Hash::from_bytes);
    let roots = leaves
        .map(|leaf| root_from_inclusion(proof.index(), checkpoint.size(), &leaf, proof.hashes()));
    for (leaf, root) in leaves.iter().zip(&roots) {
        assert_eq!(proof.verify(leaf).is_ok(), *root == Ok(checkpoint.root()));
    }
    // The shape does not depend on the leaf, the root does.
    match roots {
        [Ok(one), Ok(other)] => assert_ne!(one, other),
        [one, other] => assert_eq!(one, other),
    }
});
