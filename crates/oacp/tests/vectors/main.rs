//! The bundles in `vectors/bundles`, one case a file: that they are what `cases.rs` makes, and that
//! each is judged as its first line says.
//!
//! After a change of `cases.rs`: `cargo test -p oacp --test vectors write -- --ignored`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod cases;
#[path = "../fixture/mod.rs"]
mod fixture;
mod vector;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use oacp::*;
use vector::{Vector, Verdict};

fn directory() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../vectors/bundles"
    ))
}

fn checked_in() -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory()).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                std::fs::read(entry.path()).unwrap(),
            )
        })
        .collect()
}

fn made() -> BTreeMap<String, Vec<u8>> {
    let cases = cases::all();
    let count = cases.len();
    let files: BTreeMap<_, _> = cases
        .into_iter()
        .map(|vector| (vector.name.clone(), vector.to_bytes()))
        .collect();
    assert_eq!(files.len(), count, "two cases have one name");
    files
}

#[test]
#[ignore = "writes the files that the other tests read"]
fn write() {
    std::fs::create_dir_all(directory()).unwrap();
    for name in checked_in().into_keys() {
        std::fs::remove_file(directory().join(name)).unwrap();
    }
    for (name, bytes) in made() {
        std::fs::write(directory().join(name), bytes).unwrap();
    }
}

#[test]
fn the_files_are_what_the_generator_makes() {
    let (made, checked_in) = (made(), checked_in());
    assert_eq!(
        made.keys().collect::<Vec<_>>(),
        checked_in.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in &made {
        assert!(
            bytes == &checked_in[name],
            "{name} differs from what the generator makes"
        );
    }
    assert!(
        made.values().map(Vec::len).sum::<usize>() < 4 << 20,
        "more than 4 MiB"
    );
}

#[test]
fn every_file_is_judged_as_it_says() {
    let (mut accepted, mut codes) = (0, BTreeSet::new());
    let mut refused = 0;
    for (name, bytes) in checked_in() {
        let vector = Vector::parse(name.clone(), &bytes);
        let found = vector.judge();
        assert_eq!(found, vector.verdict, "{name}: {}", vector.comment);
        match found {
            Verdict::Accept => accepted += 1,
            Verdict::Refuse(code) => {
                refused += 1;
                codes.insert(code);
            }
        }
    }
    assert!(
        refused >= 60 && refused > 3 * accepted && accepted >= 10,
        "{accepted} accepted, {refused} refused"
    );
    assert!(codes.len() >= 45, "{} codes: {codes:?}", codes.len());
}

#[test]
fn no_single_byte_of_a_disclosure_can_be_altered() {
    let bundle = fixture::Case::new().bundle();
    flip_of(&bundle.disclose(&[1, 5].into()).unwrap(), 0, 1);
}

#[test]
fn no_single_byte_of_a_child_can_be_altered() {
    let bundle = fixture::CalledCase::new().bundle();
    let text = String::from_utf8(bundle.to_bytes()).unwrap();
    let (from, to) = (
        text.find("\"tools\":").unwrap(),
        text.find("\"blobs\":").unwrap(),
    );
    flip_at(&bundle, &fixture::trust(), |at| (from..to).contains(&at));
}

/// A bundle altered in any one byte is refused, or says exactly the same.
fn flip(shard: usize) {
    let mut case = fixture::Case::new();
    // The denied call is left out, so that the test takes seconds.
    case.events.drain(2..5);
    case.contents.truncate(2);
    case.statement.tool_calls.pop();
    case.settle();
    flip_of(&case.bundle(), shard, 4);
}

fn flip_of(bundle: &Bundle, shard: usize, shards: usize) {
    flip_at(bundle, &fixture::trust(), |at| at % shards == shard);
}

/// A begin or a proof altered in any one byte, likewise.
fn flip_proofs(shard: usize) {
    let bundle = fixture::FullCase::new().bare();
    let text = String::from_utf8(bundle.to_bytes()).unwrap();
    let from = text.find("\"begin\":").unwrap();
    flip_at(&bundle, &fixture::log_trust(), |at| {
        at >= from && at % 4 == shard
    });
}

fn flip_at(bundle: &Bundle, trust: &Trust, is_flipped: impl Fn(usize) -> bool) {
    let expectation = Expectation::default();
    let verify = |bytes: &[u8]| {
        Bundle::parse(bytes)
            .ok()?
            .verify(trust, &expectation, fixture::now())
            .ok()
    };
    let original = bundle.to_bytes();
    let claims = verify(&original).unwrap();
    let mut altered = original.clone();
    for (at, byte) in original
        .iter()
        .enumerate()
        .filter(|(at, _)| is_flipped(*at))
    {
        let flips = (0..8).map(|bit| byte ^ 1 << bit);
        for value in flips.chain(*b"\0\"A\xff").filter(|value| value != byte) {
            altered[at] = value;
            if let Some(found) = verify(&altered) {
                assert_eq!(
                    found,
                    claims,
                    "byte {at} of {:?} as {value}",
                    std::str::from_utf8(&original[at..at + 8])
                );
            }
        }
        altered[at] = *byte;
    }
}

#[test]
fn no_single_byte_can_be_altered_0() {
    flip(0);
}

#[test]
fn no_single_byte_can_be_altered_1() {
    flip(1);
}

#[test]
fn no_single_byte_can_be_altered_2() {
    flip(2);
}

#[test]
fn no_single_byte_can_be_altered_3() {
    flip(3);
}

#[test]
fn no_single_byte_of_a_proof_can_be_altered_0() {
    flip_proofs(0);
}

#[test]
fn no_single_byte_of_a_proof_can_be_altered_1() {
    flip_proofs(1);
}

#[test]
fn no_single_byte_of_a_proof_can_be_altered_2() {
    flip_proofs(2);
}

#[test]
fn no_single_byte_of_a_proof_can_be_altered_3() {
    flip_proofs(3);
}

#[test]
fn no_prefix_is_a_bundle() {
    let original = fixture::Case::new().bundle().to_bytes();
    for length in 0..original.len() {
        assert!(
            Bundle::parse(&original[..length]).is_err(),
            "{length} bytes"
        );
    }
}
