//! What is damaged hides nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use oacp_registry::fsck::{self, Report, Severity};
use oacp_registry::{Log, PayloadError, ReadError};

use crate::damage::Random;
use crate::directory::{Time, open_at};
use crate::fixture::{Sandbox, execution_id};

const ROUNDS: u64 = 300;

/// Bytes of a batch's header.
const HEADER: usize = 48;

/// Entries of each flush, by segment.
const FLUSHES: [&[u64]; 3] = [&[1, 9, 1, 30], &[25], &[2, 1, 1, 17, 4]];

/// Where a record is.
struct Place {
    file: PathBuf,
    bytes: Range<usize>,
}

/// A log of three segments, and where its records are.
async fn make(dir: &Path) -> (Log, Vec<Place>) {
    let time = Time::new();
    let log = open_at(dir, &time);
    for (segment, flushes) in FLUSHES.into_iter().enumerate() {
        let mut sandbox = Sandbox::new(segment as u64);
        log.append(sandbox.delegation.clone()).await.unwrap();
        for count in flushes {
            let first = log.committed().size();
            let envelopes = (first..first + count)
                .map(|n| sandbox.execution(execution_id(n), "agent", "alice"));
            let entries = log.admit_all(envelopes).into_iter().map(Result::unwrap);
            for result in log.append_entries(entries.collect()).await.unwrap() {
                result.unwrap();
            }
        }
        time.pass_days(2);
    }
    log.settle().unwrap();
    let files: Vec<_> = (0..FLUSHES.len())
        .map(|segment| dir.join(format!("segments/{segment:010}.seg")))
        .map(|file| (fs::read(&file).unwrap(), file))
        .collect();
    let place = |index| {
        let leaf = log.entry(index).unwrap();
        let at = |bytes: &[u8]| bytes.windows(leaf.len()).position(|window| window == leaf);
        let found = files
            .iter()
            .find_map(|(bytes, file)| Some((bytes, file, at(bytes)?)));
        let (bytes, file, at) = found.unwrap();
        let payload = u32::from_be_bytes(bytes[at - 20..at - 16].try_into().unwrap());
        Place {
            file: file.clone(),
            bytes: at - 24..at + leaf.len() + payload as usize + 12,
        }
    };
    let places = (0..log.committed().size()).map(place).collect();
    (log, places)
}

fn check(dir: &Path, log: &Log) -> Report {
    fsck::check(dir, &log.verifier(), None, &mut |_, _| {}).unwrap()
}

/// The entries of which a report says that they have no payload any more.
fn named(report: &Report) -> BTreeSet<u64> {
    let mut named = BTreeSet::new();
    for finding in &report.findings {
        let mut words = finding.what.split([' ', ',']);
        if words.any(|word| word == "entry" || word == "entries")
            && finding.what.ends_with("cannot be read")
        {
            let first: u64 = words.next().unwrap().parse().unwrap();
            let last = match words.next() {
                Some("to") => words.next().unwrap().parse().unwrap(),
                _ => first,
            };
            named.extend(first..=last);
        }
    }
    named
}

#[tokio::test]
async fn a_damaged_record_is_named_with_its_entry_and_those_behind_it_are_compared() {
    let dir = tempfile::tempdir().unwrap();
    let (log, places) = make(dir.path()).await;
    let total = places.len() as u64;
    let sound = check(dir.path(), &log);
    assert!(sound.findings.is_empty(), "{sound:#?}");
    assert_eq!(sound.payloads, total);

    // In a payload, and in the length of another payload of the same flush; and a flush's header.
    let mut bytes = fs::read(&places[15].file).unwrap();
    bytes[places[15].bytes.start + 1000] ^= 1;
    bytes[places[20].bytes.start + 5] ^= 0x10;
    bytes[places[11].bytes.start - HEADER + 12] ^= 1;
    fs::write(&places[15].file, bytes).unwrap();
    let report = check(dir.path(), &log);
    let expected: BTreeSet<String> = [
        format!(
            "the header of a batch, at byte {}, cannot be read",
            places[11].bytes.start - HEADER
        ),
        format!(
            "the payload of entry 15, at byte {}, cannot be read",
            places[15].bytes.start
        ),
        format!(
            "the payload of entry 20, at byte {}, cannot be read",
            places[20].bytes.start
        ),
    ]
    .into();
    let found = report.findings.iter().map(|finding| finding.what.clone());
    assert_eq!(found.collect::<BTreeSet<_>>(), expected);
    assert_eq!(report.payloads, total - 2);

    for index in 0..total {
        match log.payload(index) {
            Ok(_) => assert!(![15, 20].contains(&index)),
            Err(PayloadError::Read(ReadError::Damaged { what })) => {
                assert!([15, 20].contains(&index));
                assert!(
                    what.starts_with(&format!("the payload of entry {index}, ")),
                    "{what}"
                );
            }
            other => panic!("{index}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_not_damaged_is_compared_whatever_is() {
    let seed = std::env::var("OACP_TEST_SEED").map_or(7, |seed| seed.parse().unwrap());
    println!("OACP_TEST_SEED={seed}");
    let mut random = Random(seed);
    let dir = tempfile::tempdir().unwrap();
    let (log, places) = make(dir.path()).await;
    let files: BTreeSet<_> = places.iter().map(|place| place.file.clone()).collect();
    let files: Vec<_> = files
        .into_iter()
        .map(|file| (fs::read(&file).unwrap(), file))
        .collect();
    for round in 0..ROUNDS {
        let mut damaged: Vec<_> = files.iter().map(|(bytes, _)| bytes.clone()).collect();
        let mut is_misplaced = false;
        for _ in 0..=random.below(4) {
            let bytes = &mut damaged[random.below(files.len() as u64) as usize];
            let at = random.below(bytes.len() as u64) as usize;
            let length = [1, 8, 60, 600, 5000, 40_000][random.below(6) as usize];
            let end = (at + length).min(bytes.len());
            match random.below(7) {
                0..3 => bytes[at..end].fill(0),
                3..6 => bytes[at..end].fill_with(|| random.next() as u8),
                _ => {
                    bytes.copy_within(..end - at, at);
                    is_misplaced = true;
                }
            }
        }
        let is_lost = |place: &Place| {
            let number = files
                .iter()
                .position(|(_, file)| *file == place.file)
                .unwrap();
            damaged[number][place.bytes.clone()] != files[number].0[place.bytes.clone()]
        };
        let indexes = places.iter().zip(0..);
        let lost: BTreeSet<u64> = indexes
            .filter(|(place, _)| is_lost(place))
            .map(|(_, n)| n)
            .collect();
        for (bytes, (_, file)) in damaged.iter().zip(&files) {
            fs::write(file, bytes).unwrap();
        }
        let report = check(dir.path(), &log);
        let context = format!("seed {seed}, round {round}: {report:#?}");
        let is_damaged = damaged
            .iter()
            .zip(&files)
            .any(|(bytes, (whole, _))| bytes != whole);
        assert_eq!(report.is_sound(), !is_damaged, "{context}");
        // Records that were written over others may be read where they are now.
        if !is_misplaced {
            let compared = (places.len() - lost.len()) as u64;
            assert_eq!(named(&report), lost, "{context}");
            assert_eq!(report.payloads, compared, "{context}");
        }
    }
}

#[tokio::test]
async fn what_a_shortened_segment_has_lost_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (log, places) = make(dir.path()).await;
    let total = places.len() as u64;
    // In the middle of a flush: the flushes behind it are gone too, and the next segment is not.
    let cut = &places[20];
    let whole = fs::read(&cut.file).unwrap();
    fs::write(&cut.file, &whole[..cut.bytes.end - 1]).unwrap();
    let report = check(dir.path(), &log);
    let first_of_next = (20..)
        .find(|n| places[*n as usize].file != cut.file)
        .unwrap();
    assert_eq!(named(&report), (20..first_of_next).collect());
    assert_eq!(report.payloads, total - (first_of_next - 20));
    let is_damage = |finding: &&fsck::Finding| finding.severity == Severity::Damage;
    assert_eq!(
        report.findings.iter().filter(is_damage).count(),
        1,
        "{report:#?}"
    );
}
