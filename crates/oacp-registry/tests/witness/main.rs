//! What a witness remembers, on a disk that fails: every operation gone wrong in every way, and then a crash.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[allow(dead_code, reason = "the log's simulation uses the rest")]
#[path = "../sim/disk.rs"]
mod disk;
#[allow(dead_code, reason = "the log's simulation uses the rest")]
#[path = "../sim/random.rs"]
mod random;

use std::path::Path;
use std::sync::Arc;

use disk::{Fault, SimDisk};
use oacp_registry::witness_state::{WitnessState, WitnessStateError};
use oacp_tlog::{Checkpoint, SignedCheckpoint, SignerKey, leaf_hash};

const ORIGIN: &str = "log.example/test";
const DIR: &str = "/srv/oacp/witness";

/// Sizes that are cosigned, one after the other.
const SIZES: [u64; 4] = [1, 2, 3, 4];

fn checkpoint(size: u64) -> SignedCheckpoint {
    let key = SignerKey::ed25519(ORIGIN.parse().unwrap(), &[9; 32]);
    let checkpoint = Checkpoint::new(ORIGIN, size, leaf_hash(&size.to_be_bytes())).unwrap();
    SignedCheckpoint::sign(&checkpoint, &key)
}

/// Remembers one size after the other, as a witness does that is asked again after each failure; returns the largest that it may
/// have signed.
fn run(disk: &SimDisk) -> u64 {
    let mut cosigned = 0;
    let open = || WitnessState::on(Arc::new(disk.process()), Path::new(DIR));
    let Ok(state) = open().or_else(|_| open()) else {
        return 0;
    };
    for size in SIZES {
        let Ok(mut held) = state.hold(ORIGIN) else {
            continue;
        };
        let known = held.latest().map_or(0, SignedCheckpoint::size);
        assert!(
            known >= cosigned,
            "{known} is remembered and {cosigned} was cosigned"
        );
        // The same size again, too: what can be read may not be durable.
        if known > 0 && held.remember(checkpoint(known)).is_ok() {
            cosigned = known;
        }
        if held.remember(checkpoint(size.max(known))).is_ok() {
            cosigned = size.max(known);
        }
    }
    cosigned
}

/// Whatever happened, nothing that was cosigned is forgotten, and the memory is whole.
fn assert_remembers(disk: &SimDisk, cosigned: u64, case: &str) {
    let state = WitnessState::on(Arc::new(disk.process()), Path::new(DIR)).unwrap();
    let mut held = state.hold(ORIGIN).unwrap();
    let known = held.latest().map_or(0, SignedCheckpoint::size);
    assert!(
        (cosigned..=4).contains(&known),
        "{case}: {known} for {cosigned}"
    );
    if known > 0 {
        assert_eq!(held.latest(), Some(&checkpoint(known)), "{case}");
    }
    held.remember(checkpoint(5)).unwrap();
}

#[test]
fn no_failing_disk_makes_a_witness_forget() {
    let count = {
        let disk = SimDisk::new(1);
        assert_eq!(run(&disk), 4);
        disk.operations()
    };
    assert!(count > 40, "{count}");
    for number in 0..=count {
        for fault in Fault::ALL {
            for cut in 0..6 {
                let case = format!("operation {number} {fault:?}, crash {cut}");
                let disk = SimDisk::new(cut);
                disk.inject(number, fault);
                let cosigned = run(&disk);
                disk.kill_all();
                disk.heal();
                match cut {
                    0 => {}
                    seed => disk.cut_power(seed),
                }
                assert_remembers(&disk, cosigned, &case);
            }
        }
    }
}

#[test]
fn no_pair_of_failures_makes_a_witness_forget() {
    let count = {
        let disk = SimDisk::new(1);
        run(&disk);
        disk.operations()
    };
    let faults = [Fault::FailedButHappened, Fault::Eio, Fault::Short];
    for first in 0..count {
        for second in first + 1..count.min(first + 14) {
            for (n, (one, other)) in faults
                .iter()
                .flat_map(|a| faults.map(|b| (*a, b)))
                .enumerate()
            {
                let disk = SimDisk::new(n as u64);
                disk.inject(first, one);
                disk.inject(second, other);
                let cosigned = run(&disk);
                disk.kill_all();
                disk.heal();
                disk.cut_power(n as u64 + 1);
                assert_remembers(
                    &disk,
                    cosigned,
                    &format!("{first} {one:?}, {second} {other:?}"),
                );
            }
        }
    }
}

#[test]
fn nothing_is_forgotten_on_purpose() {
    let disk = SimDisk::new(1);
    let state = WitnessState::on(Arc::new(disk.process()), Path::new(DIR)).unwrap();
    let mut held = state.hold(ORIGIN).unwrap();
    held.remember(checkpoint(3)).unwrap();
    let key = SignerKey::ed25519(ORIGIN.parse().unwrap(), &[9; 32]);
    let other_root = Checkpoint::new(ORIGIN, 3, leaf_hash(b"another")).unwrap();
    let other_log = Checkpoint::new("elsewhere.example", 9, leaf_hash(b"another")).unwrap();
    for wrong in [
        checkpoint(2),
        SignedCheckpoint::sign(&other_root, &key),
        SignedCheckpoint::sign(&other_log, &key),
    ] {
        let refused = held.remember(wrong);
        assert!(matches!(refused, Err(WitnessStateError::Backwards { .. })));
    }
    drop(held);
    assert_eq!(state.latest(ORIGIN).unwrap(), Some(checkpoint(3)));
    assert_eq!(state.latest("elsewhere.example").unwrap(), None);
}
