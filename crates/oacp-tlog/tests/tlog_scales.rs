//! A log that another implementation wrote (`vectors/tlog`, see `vectors/README.md`) is the log that
//! this crate writes of the same entries, to the byte: tiles, root, proofs; and its signatures verify.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oacp_tlog::*;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/tlog")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(vectors().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn entry(n: u64) -> Vec<u8> {
    format!("entry {n}").into_bytes()
}

#[test]
fn tiles_and_root_are_the_same() {
    let checkpoint = SignedCheckpoint::parse(&read("checkpoint")).unwrap();
    assert_eq!(checkpoint.size(), 300);
    let mut edge = Edge::new();
    for n in 0..300 {
        edge.push(&entry(n)).unwrap();
    }
    assert_eq!(edge.root(), checkpoint.root());
    let tiles: BTreeMap<_, _> = edge.take_changed().into_iter().collect();
    for (tile, bytes) in &tiles {
        assert_eq!(&read(&tile.to_string()), bytes, "{tile}");
    }
    assert_eq!(tiles.len(), 5);
    let again = Edge::from_tiles(300, |tile| Ok::<_, String>(read(&tile.to_string()))).unwrap();
    assert_eq!(again.root(), checkpoint.root());
}

#[test]
fn proofs_are_the_same_and_meet_the_policy() {
    let checkpoint = SignedCheckpoint::parse(&read("checkpoint")).unwrap();
    let policy = Policy::parse(&read("policy")).unwrap();
    let reader = TileReader::new(300, |tile| Ok::<_, String>(read(&tile.to_string())));
    for index in [0, 255, 256, 299] {
        let file = read(&format!("entry-{index}.tlog-proof"));
        let hashes = inclusion_proof(index, 300, &reader).unwrap();
        let proof = TlogProof::new(index, hashes, checkpoint.clone()).unwrap();
        assert_eq!(proof.to_string().as_bytes(), file);
        let proof = TlogProof::parse(&file).unwrap();
        proof.verify(&leaf_hash(&entry(index))).unwrap();
        assert!(proof.verify(&leaf_hash(&entry(index + 1))).is_err());
        let witnessed = policy.check(proof.checkpoint()).unwrap();
        assert_eq!(witnessed.witnesses, ["pq", "ed"]);
        // Both are needed, and the ML-DSA-44 one came five seconds later.
        assert_eq!(witnessed.time_s, Some(1_795_378_445));
    }
}

#[test]
fn keys_are_the_same() {
    let policy = Policy::parse(&read("policy")).unwrap();
    let name = |name: &str| name.parse().unwrap();
    let log = SignerKey::ed25519(name("example.com/tlog-scales"), &[1; 32]);
    let pq = SignerKey::ml_dsa44_cosigner(name("witness.example/pq"), &[2; 32]);
    let ed = SignerKey::ed25519_cosigner(name("witness.example/ed"), &[3; 32]);
    assert_eq!(policy.logs()[0].key(), &log.verifier());
    assert_eq!(policy.witnesses()[0].key(), &pq.verifier());
    assert_eq!(policy.witnesses()[1].key(), &ed.verifier());
    // Ed25519 is deterministic: the signatures are the same, too.
    let checkpoint = SignedCheckpoint::parse(&read("checkpoint")).unwrap();
    let signed = SignedCheckpoint::sign(checkpoint.checkpoint(), &log);
    let ours = [
        &signed.note().signatures()[0],
        &cosign(&checkpoint, &ed, 1_795_378_440),
    ];
    let theirs = checkpoint.note().signatures();
    assert_eq!(ours, [&theirs[0], &theirs[2]]);
}
