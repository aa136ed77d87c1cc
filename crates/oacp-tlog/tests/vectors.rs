//! Published vectors, every case judged as its authors published it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oacp_tlog::ed25519::PublicKey;
use oacp_tlog::tree::{verify_subtree_consistency, verify_subtree_inclusion};
use oacp_tlog::{Hash, leaf_hash, verify_consistency, verify_inclusion};
use serde_json::Value;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

/// Wycheproof's Ed25519 cases, every one judged as published.
#[test]
fn wycheproof() {
    let path = vectors().join("wycheproof/ed25519_test.json");
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let unhex = |value: &Value| -> Vec<u8> {
        let text = value.as_str().unwrap().as_bytes();
        text.chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    };
    let (mut accepted, mut refused) = (0, 0);
    for group in file["testGroups"].as_array().unwrap() {
        let key: [u8; 32] = unhex(&group["publicKey"]["pk"]).try_into().unwrap();
        let key = PublicKey::from_bytes(&key);
        for case in group["tests"].as_array().unwrap() {
            let signature: Result<[u8; 64], _> = unhex(&case["sig"]).try_into();
            let valid = match (&key, signature) {
                (Ok(key), Ok(signature)) => key.verify(&unhex(&case["msg"]), &signature),
                _ => false,
            };
            assert_eq!(valid, case["result"] == "valid", "{case}");
            if valid { accepted += 1 } else { refused += 1 }
        }
    }
    assert_eq!((accepted, refused), (88, 63));
}

/// A case's hash. Some cases have texts of other lengths in the place of hashes, which this crate
/// cannot even hold. They are hashed, so that equal ones stay equal and others stay different. `None`:
/// nothing, which is refused before anything is verified.
fn hash(value: &Value) -> Option<Hash> {
    use base64::Engine;
    let text = value.as_str().unwrap_or_default();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap();
    (!bytes.is_empty()).then(|| Hash::from_slice(&bytes).unwrap_or_else(|| leaf_hash(&bytes)))
}

/// Whether the case is accepted.
fn accepts(folder: &str, case: &Value) -> bool {
    let number = |name: &str| case[name].as_u64().unwrap();
    let hashes = |names: [&str; 2]| Some((hash(&case[names[0]])?, hash(&case[names[1]])?));
    let proof = case["proof"].as_array().cloned().unwrap_or_default();
    let proof: Option<Vec<Hash>> = proof.iter().map(hash).collect();
    let names = match folder {
        "inclusion" | "subtreeinclusion" => ["leafHash", "root"],
        _ => ["root1", "root2"],
    };
    let (Some((first, root)), Some(proof)) = (hashes(names), proof) else {
        return false;
    };
    match folder {
        "inclusion" => {
            let (index, size) = (number("leafIdx"), number("treeSize"));
            verify_inclusion(index, size, &first, &proof, &root)
        }
        "subtreeinclusion" => {
            let (index, start, end) = (number("leafIdx"), number("start"), number("end"));
            verify_subtree_inclusion(index, start, end, &first, &proof, &root)
        }
        "consistency" => {
            verify_consistency(number("size1"), number("size2"), &proof, &first, &root)
        }
        "subtreeconsistency" => {
            let (start, end, size) = (number("start"), number("end"), number("size"));
            verify_subtree_consistency(start, end, size, &proof, &first, &root)
        }
        other => panic!("{other}"),
    }
    .is_ok()
}

fn cases(folder: &Path, found: &mut Vec<Value>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            cases(&path, found);
        } else {
            let mut case: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            case["file"] = path.to_string_lossy().as_ref().into();
            found.push(case);
        }
    }
}

/// All of transparency-dev/merkle's cases, each judged as published.
#[test]
fn merkle() {
    let vectors = vectors().join("merkle");
    let mut counts = BTreeMap::new();
    let mut wrong = Vec::new();
    for folder in [
        "inclusion",
        "consistency",
        "subtreeinclusion",
        "subtreeconsistency",
    ] {
        let mut found = Vec::new();
        cases(&vectors.join(folder), &mut found);
        for case in found {
            let is_accepted = accepts(folder, &case);
            let (accepted, refused) = counts.entry(folder).or_insert((0, 0));
            *if is_accepted { accepted } else { refused } += 1;
            if is_accepted == case["wantErr"].as_bool().unwrap() {
                wrong.push(case["file"].clone());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let sum = |count: fn(&(u32, u32)) -> u32| counts.values().map(count).sum::<u32>();
    assert_eq!((sum(|at| at.0), sum(|at| at.1)), (36, 482), "{counts:?}");
}
