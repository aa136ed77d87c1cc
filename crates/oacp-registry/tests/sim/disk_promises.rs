//! What the simulated disk keeps and what it does not; without faults it is as the operating system's.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use oacp_registry::storage::disk::{Disk, OsDisk};

use super::disk::{Fault, Kind, Process, SimDisk};
use super::random::Random;

const SEEDS: u64 = 300;

fn path(name: &str) -> PathBuf {
    Path::new("/").join(name)
}

fn written(disk: &SimDisk, name: &str, bytes: &[u8]) -> Process {
    let process = disk.process();
    process.write_at(&path(name), 0, bytes).unwrap();
    process.sync_file(&path(name)).unwrap();
    process.sync_dir(Path::new("/")).unwrap();
    process
}

/// What of a file was there after a power cut, over many seeds. `None`: it was gone.
fn outcomes(prepare: impl Fn(&SimDisk), name: &str) -> BTreeSet<Option<Vec<u8>>> {
    (0..SEEDS)
        .map(|seed| {
            let disk = SimDisk::new(seed);
            prepare(&disk);
            disk.cut_power(seed);
            disk.file(&path(name))
        })
        .collect()
}

#[test]
fn what_was_synchronised_survives_every_power_cut() {
    let found = outcomes(
        |disk| {
            written(disk, "a", b"durable");
        },
        "a",
    );
    assert_eq!(found, BTreeSet::from([Some(b"durable".to_vec())]));
}

#[test]
fn what_was_not_is_lost_or_kept_or_torn_at_any_byte() {
    let old = vec![b'o'; 1200];
    let new = vec![b'n'; 1500];
    let found = outcomes(
        |disk| {
            let process = written(disk, "a", &old);
            process.write_at(&path("a"), 0, &new).unwrap();
        },
        "a",
    );
    assert!(found.contains(&Some(old.clone())) && found.contains(&Some(new.clone())));
    let found: Vec<Vec<u8>> = found.into_iter().flatten().collect();
    // Each byte is the old one, the new one, or was never written.
    assert!(found.iter().all(|bytes| matches!(bytes.len(), 1200 | 1500)));
    assert!(found.iter().flatten().all(|byte| b"on\0".contains(byte)));
    let tears = |bytes: &Vec<u8>| {
        let pairs = bytes.windows(2).enumerate();
        let tears = pairs.filter(|(_, pair)| pair[0] != pair[1]);
        tears.map(|(at, _)| at + 1).collect::<Vec<_>>()
    };
    let tears: BTreeSet<usize> = found.iter().flat_map(tears).collect();
    assert!(tears.contains(&512) && tears.contains(&1024) && tears.contains(&1200));
    assert!(tears.iter().filter(|at| *at % 512 != 0).count() > 50);
    // It grew, and what it grew by did not reach the disk.
    assert!(
        found
            .iter()
            .any(|bytes| bytes.len() == 1500 && bytes[1499] == 0)
    );
}

#[test]
fn of_several_writes_a_later_one_may_be_there_without_an_earlier() {
    let found = outcomes(
        |disk| {
            let process = written(disk, "a", &[b'o'; 1536]);
            process.write_at(&path("a"), 0, &[b'1'; 512]).unwrap();
            process.write_at(&path("a"), 1024, &[b'2'; 512]).unwrap();
        },
        "a",
    );
    let has = |first: u8, last: u8| {
        let mut found = found.iter().flatten();
        found.any(|bytes| bytes[..512] == [first; 512] && bytes[1024..] == [last; 512])
    };
    assert!(has(b'o', b'o') && has(b'1', b'o') && has(b'o', b'2') && has(b'1', b'2'));
}

#[test]
fn a_name_is_lost_or_kept_until_its_directory_is_synchronised() {
    let found = outcomes(
        |disk| {
            let process = disk.process();
            process.write_at(&path("a"), 0, b"durable").unwrap();
            process.sync_file(&path("a")).unwrap();
        },
        "a",
    );
    assert_eq!(found, BTreeSet::from([None, Some(b"durable".to_vec())]));
    let found = outcomes(
        |disk| {
            let process = disk.process();
            process.create_dir_all(&path("b/c")).unwrap();
            process.write_at(&path("b/c/a"), 0, b"durable").unwrap();
            process.sync_file(&path("b/c/a")).unwrap();
            process.sync_dir(&path("b/c")).unwrap();
            process.sync_dir(&path("b")).unwrap();
        },
        "b/c/a",
    );
    assert!(found.contains(&None), "nobody synchronised what `b` is in");
}

#[test]
fn a_file_that_takes_anothers_name_is_it_or_not_but_a_name_never_leads_nowhere() {
    let found = outcomes(
        |disk| {
            let process = written(disk, "a", b"old");
            process.write_at(&path("a.tmp"), 0, b"new").unwrap();
            process.sync_file(&path("a.tmp")).unwrap();
            process.rename(&path("a.tmp"), &path("a")).unwrap();
        },
        "a",
    );
    let both = BTreeSet::from([Some(b"old".to_vec()), Some(b"new".to_vec())]);
    assert_eq!(found, both);
    let found = outcomes(
        |disk| {
            let process = written(disk, "a", b"old");
            process.remove(&path("a")).unwrap();
        },
        "a",
    );
    assert_eq!(found, BTreeSet::from([Some(b"old".to_vec()), None]));
}

#[test]
fn everything_below_is_durable_after_one_synchronisation_of_all() {
    let found = outcomes(
        |disk| {
            let process = disk.process();
            process.create_dir_all(&path("b/c")).unwrap();
            process.write_at(&path("b/c/a"), 0, b"durable").unwrap();
            process.sync_all(&path("b")).unwrap();
        },
        "b/c/a",
    );
    assert_eq!(found, BTreeSet::from([Some(b"durable".to_vec())]));
}

#[test]
fn a_synchronisation_that_succeeds_does_not_repair_one_that_failed() {
    let mut visible = BTreeSet::new();
    let mut found = BTreeSet::new();
    for seed in 0..SEEDS {
        let disk = SimDisk::new(seed);
        let process = written(&disk, "a", b"old");
        process.write_at(&path("a"), 0, b"new").unwrap();
        disk.inject(disk.operations(), Fault::Eio);
        process.sync_file(&path("a")).unwrap_err();
        process.sync_file(&path("a")).unwrap();
        visible.insert(process.read(&path("a")).unwrap());
        disk.cut_power(seed);
        found.insert(disk.file(&path("a")).unwrap());
    }
    assert!(visible.contains(b"new".as_slice()) && visible.contains(b"old".as_slice()));
    assert!(found.contains(b"new".as_slice()) && found.contains(b"old".as_slice()));
    // What is written again is durable.
    let found = outcomes(
        |disk| {
            let process = written(disk, "a", b"old");
            process.write_at(&path("a"), 0, b"new").unwrap();
            disk.inject(disk.operations(), Fault::Eio);
            process.sync_file(&path("a")).unwrap_err();
            process.write_at(&path("a"), 0, b"new").unwrap();
            process.sync_file(&path("a")).unwrap();
        },
        "a",
    );
    assert_eq!(found, BTreeSet::from([Some(b"new".to_vec())]));
}

#[test]
fn each_fault_does_what_it_is_called() {
    let after = |fault| {
        let found = (0..SEEDS).map(|seed| {
            let disk = SimDisk::new(seed);
            let process = written(&disk, "a", b"----");
            disk.inject(disk.operations(), fault);
            let error = process.write_at(&path("a"), 0, b"wxyz").unwrap_err();
            let dead = process.is_dead();
            assert_eq!(dead, process.len(&path("a")).is_err());
            assert_eq!(dead, fault == Fault::Killed);
            if fault == Fault::NoSpace {
                assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            }
            assert_eq!(disk.struck().len(), 1);
            String::from_utf8(disk.file(&path("a")).unwrap()).unwrap()
        });
        found
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(after(Fault::Failed), ["----"]);
    assert_eq!(after(Fault::FailedButHappened), ["wxyz"]);
    let parts = ["----", "w---", "wx--", "wxy-"];
    assert_eq!(after(Fault::Short), parts);
    assert_eq!(after(Fault::NoSpace), parts);
    assert_eq!(after(Fault::Eio), parts);
    let and_all = ["----", "w---", "wx--", "wxy-", "wxyz"];
    assert_eq!(after(Fault::Killed), and_all);
}

#[test]
fn being_killed_takes_nothing_that_was_written() {
    let disk = SimDisk::new(1);
    let process = disk.process();
    process.write_at(&path("a"), 0, b"not durable").unwrap();
    let _lock = process.lock(&path("lock")).unwrap();
    disk.kill_all();
    assert!(process.read(&path("a")).is_err());
    let next = disk.process();
    assert_eq!(next.read(&path("a")).unwrap(), b"not durable");
    drop(next.lock(&path("lock")).unwrap());
}

#[test]
#[should_panic(expected = "the lock is held")]
fn a_lock_is_held_once() {
    let disk = SimDisk::new(1);
    let _first = disk.process().lock(&path("lock")).unwrap();
    let _second = disk.process().lock(&path("lock"));
}

#[test]
fn operations_are_counted_and_the_same_ones_have_the_same_digest() {
    let run = |text: &[u8]| {
        let disk = SimDisk::new(1);
        disk.keep_trace();
        let process = disk.process();
        process.write_at(&path("a"), 0, text).unwrap();
        process.read(&path("b")).unwrap_err();
        (disk.operations(), disk.trace(), disk.trace_digest())
    };
    let (count, trace, digest) = run(b"text");
    assert_eq!(count, 2);
    assert_eq!(
        trace.iter().map(|it| it.kind).collect::<Vec<_>>(),
        [Kind::Write, Kind::Read]
    );
    assert_eq!(run(b"text"), (count, trace, digest));
    assert_ne!(run(b"other").2, digest);
}

/// Random operations give the same on both, errors' kinds included.
#[test]
fn without_faults_it_is_as_the_operating_systems_disk() {
    let names = ["a", "b", "d/a", "d/b", "d/e/a", "x/a"];
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let sim = SimDisk::new(seed).process();
        let os = OsDisk::default();
        let dir = tempfile::tempdir().unwrap();
        sim.create_dir_all(&path("t")).unwrap();
        let pair = |name: &str| (path("t").join(name), dir.path().join(name));
        fn same<T: PartialEq + std::fmt::Debug>(what: &str, sim: io::Result<T>, os: io::Result<T>) {
            let kinds = (sim.map_err(|e| e.kind()), os.map_err(|e| e.kind()));
            assert_eq!(kinds.0, kinds.1, "{what}");
        }
        for _ in 0..80 {
            let (a, b) = pair(random.pick(&names));
            let what = format!("seed {seed}, {}", a.display());
            let number = random.below(40) as u64;
            match random.below(10) {
                0..=2 => {
                    let bytes = vec![b'a' + random.below(26) as u8; random.below(30)];
                    same(
                        &what,
                        sim.write_at(&a, number, &bytes),
                        os.write_at(&b, number, &bytes),
                    );
                }
                3 => same(&what, sim.truncate(&a, number), os.truncate(&b, number)),
                4 => same(&what, sim.remove(&a), os.remove(&b)),
                5 => {
                    let name = if a.ends_with("a") { "b" } else { "a" };
                    let (to, os_to) = (a.with_file_name(name), b.with_file_name(name));
                    same(&what, sim.rename(&a, &to), os.rename(&b, &os_to));
                }
                6 => {
                    let (a, b) = pair(random.pick(&["d", "d/e"]));
                    same(&what, sim.create_dir_all(&a), os.create_dir_all(&b));
                }
                7 => same(&what, sim.read_at(&a, number, 9), os.read_at(&b, number, 9)),
                8 => same(&what, sim.len(&a), os.len(&b)),
                _ => {
                    let (a, b) = pair(random.pick(&["", "d", "d/e", "x"]));
                    same(&what, sim.list(&a), os.list(&b));
                }
            }
            same(&what, sim.read(&a), os.read(&b));
        }
    }
}
