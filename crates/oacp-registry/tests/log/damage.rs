//! A flipped bit, anywhere, is named; and what it hit is never read as if it were right.

use std::fs;
use std::path::{Path, PathBuf};

use oacp_registry::{HeldEntries, Log, Pruning, fsck};
use oacp_tlog::tile::Tile;

use crate::directory::{Time, open_at};
use crate::fixture::{Sandbox, execution_id};

const FLIPS: u64 = 1000;

/// SplitMix64: one seed, one sequence, on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Three segments, the first of them pruned but for one payload, and tiles that are full.
async fn make(dir: &Path) -> Log {
    let time = Time::new();
    let log = open_at(dir, &time);
    let on = HeldEntries {
        execution: Some(execution_id(3)),
        ..HeldEntries::default()
    };
    log.hold("a case", on).unwrap();
    for (number, count) in [(1, 20), (2, 270), (3, 30)] {
        let mut sandbox = Sandbox::new(number);
        let mut envelopes = vec![sandbox.delegation.clone()];
        envelopes.extend(
            (0..count)
                .map(|n| sandbox.execution(execution_id(number * 1000 + n), "agent", "alice")),
        );
        if number == 1 {
            envelopes.push(sandbox.execution(execution_id(3), "agent", "alice"));
        }
        let entries = log.admit_all(envelopes).into_iter().map(Result::unwrap);
        for result in log.append_entries(entries.collect()).await.unwrap() {
            result.unwrap();
        }
        time.pass_days(2);
        if number == 1 {
            log.prune(time.now(), Pruning::Done).unwrap();
        }
    }
    log.settle().unwrap();
    log
}

#[tokio::test]
async fn a_flipped_bit_is_named_and_never_served() {
    let seed = std::env::var("OACP_TEST_SEED").map_or(7, |seed| seed.parse().unwrap());
    println!("OACP_TEST_SEED={seed}");
    let mut random = Random(seed);
    let dir = tempfile::tempdir().unwrap();
    let log = make(dir.path()).await;
    let verifier = log.verifier();
    let check = || fsck::check(dir.path(), &verifier, None, &mut |_, _| {}).unwrap();
    let sound = check();
    assert!(sound.findings.is_empty(), "{sound:#?}");
    assert_eq!(
        (sound.entries, sound.payloads, sound.pruned),
        (324, 304, 20)
    );

    let tiles: Vec<(Tile, Vec<u8>)> = files(dir.path())
        .iter()
        .filter_map(|path| {
            path.strip_prefix(dir.path())
                .unwrap()
                .to_str()?
                .parse()
                .ok()
        })
        .map(|tile: Tile| (tile, log.tile(tile).unwrap().unwrap()))
        .collect();
    assert!(tiles.len() >= 5, "{tiles:?}");
    let payloads: Vec<_> = (0..324).map(|index| log.payload(index).ok()).collect();

    let files: Vec<_> = files(dir.path())
        .into_iter()
        .filter(|path| !path.to_string_lossy().contains("index.sqlite"))
        .filter(|path| fs::metadata(path).unwrap().len() > 0)
        .collect();
    let total: u64 = files
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .sum();
    for flip in 0..FLIPS {
        // Every file gets its turn; then, wherever the bytes are.
        let (path, offset) = match files.get(flip as usize) {
            Some(path) => (path, random.below(fs::metadata(path).unwrap().len())),
            None => {
                let mut at = random.below(total);
                let hit = files.iter().find(|path| {
                    let length = fs::metadata(path).unwrap().len();
                    let is_here = at < length;
                    if !is_here {
                        at -= length;
                    }
                    is_here
                });
                (hit.unwrap(), at)
            }
        };
        let original = fs::read(path).unwrap();
        let mut flipped = original.clone();
        flipped[offset as usize] ^= 1 << random.below(8);
        fs::write(path, &flipped).unwrap();

        let name = path.strip_prefix(dir.path()).unwrap().to_str().unwrap();
        let report = check();
        let is_named = report
            .findings
            .iter()
            .any(|finding| finding.file == name && finding.severity == fsck::Severity::Damage);
        assert!(
            is_named,
            "seed {seed}, flip {flip}: byte {offset} of {name}: {report:#?}"
        );
        for (tile, bytes) in &tiles {
            if let Ok(read) = log.tile(*tile) {
                assert_eq!(
                    read.as_ref(),
                    Some(bytes),
                    "seed {seed}, flip {flip}: {tile}"
                );
            }
        }
        let index = random.below(324);
        if let Ok(read) = log.payload(index) {
            assert_eq!(
                Some(&read),
                payloads[index as usize].as_ref(),
                "flip {flip}"
            );
        }
        fs::write(path, &original).unwrap();
    }
    assert!(check().findings.is_empty());
}

#[tokio::test]
async fn a_log_opens_again_without_its_newest_head_or_its_tiles() {
    let dir = tempfile::tempdir().unwrap();
    let time = Time::new();
    let size = {
        let log = open_at(dir.path(), &time);
        let mut sandbox = Sandbox::new(1);
        log.append(sandbox.delegation.clone()).await.unwrap();
        for n in 0..5 {
            let execution = sandbox.execution(execution_id(n), "agent", "alice");
            log.append(execution).await.unwrap();
        }
        log.settle().unwrap();
        let execution = sandbox.execution(execution_id(9), "agent", "alice");
        log.append(execution).await.unwrap();
        log.committed().size()
    };
    // Whichever slot is the newest, the batch that it counted is durable.
    let head = dir.path().join("head");
    let whole = fs::read(&head).unwrap();
    for slot in [0, 1] {
        let mut flipped = whole.clone();
        flipped[slot * 4096 + 100] ^= 1;
        fs::write(&head, &flipped).unwrap();
        assert_eq!(
            open_at(dir.path(), &time).committed().size(),
            size,
            "slot {slot}"
        );
    }
    fs::remove_dir_all(dir.path().join("tile")).unwrap();
    let log = open_at(dir.path(), &time);
    assert_eq!(log.committed().size(), size);
    let report = fsck::check(dir.path(), &log.verifier(), None, &mut |_, _| {}).unwrap();
    assert!(report.is_sound(), "{report:#?}");
}

#[tokio::test]
async fn what_was_on_hold_is_read_from_a_tombstone_that_is_damaged_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let log = make(dir.path()).await;
    let held = log.payload(21).unwrap();
    let tombstone = dir.path().join("segments/0000000000.pruned");
    let mut bytes = fs::read(&tombstone).unwrap();
    // Of the id of the first entry.
    bytes[30] ^= 1;
    fs::write(&tombstone, bytes).unwrap();
    assert_eq!(log.payload(21).unwrap(), held);
    log.payload(22).unwrap();
}
