//! Every operation of everything a log does, each gone wrong in every way, and every pair of them.

use std::path::Path;

use oacp_registry::sequencer::Sequencer;

use super::bytes;
use super::disk::{Fault, Kind, SimDisk};
use super::world::{Crash, ROOT, World};

/// Two seeds show more of what a power cut can keep than one; scenarios show the rest.
const CUTS: u64 = 3;

/// Something that a log does, on what was there before.
struct Deed {
    name: &'static str,
    before: fn() -> World,
    /// Processes that have the log open.
    open: usize,
    act: fn(&mut World, &mut [Sequencer]),
}

fn log_of(entries: std::ops::Range<usize>) -> World {
    let mut world = World::new(entries.len() as u64);
    let mut sequencer = world.open().unwrap();
    for batch in entries.collect::<Vec<_>>().chunks(64) {
        world.flush(&mut sequencer, batch).unwrap();
    }
    world.give_rows(&mut sequencer);
    world
}

fn settled(entries: std::ops::Range<usize>) -> World {
    let mut world = log_of(entries);
    let mut sequencer = world.open().unwrap();
    world.settle(&mut sequencer).unwrap();
    world
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    Newer,
    Older,
}

/// Makes one of the head's two slots unreadable.
fn rot_slot(disk: &SimDisk, slot: Slot) {
    let head = Path::new(ROOT).join("head");
    let bytes = disk.file(&head).unwrap();
    // The newer one has the larger number.
    let first_is_newer = bytes[4..12] > bytes[4100..4108];
    let at = match (slot, first_is_newer) {
        (Slot::Newer, true) | (Slot::Older, false) => 0,
        _ => 4096,
    };
    disk.rot(&head, |bytes| bytes[at + 700..at + 4096].fill(0x55));
}

fn flush(world: &mut World, sequencer: &mut Sequencer, numbers: &[usize]) {
    // What came of it is seen afterwards.
    let _ = world.flush(sequencer, numbers);
}

const DEEDS: [Deed; 13] = [
    Deed {
        name: "the first opening",
        before: || World::new(1),
        open: 0,
        act: |world, _| {
            let _ = world.open();
        },
    },
    Deed {
        name: "the first flush",
        before: || World::new(1),
        open: 1,
        act: |world, processes| flush(world, &mut processes[0], &[1, 2, 3]),
    },
    Deed {
        name: "a flush",
        before: || log_of(0..5),
        open: 1,
        act: |world, processes| flush(world, &mut processes[0], &[100, 2, 101, 635]),
    },
    Deed {
        name: "two flushes",
        before: || log_of(0..5),
        open: 1,
        act: |world, processes| {
            flush(world, &mut processes[0], &[100, 101]);
            flush(world, &mut processes[0], &[102, 101]);
        },
    },
    Deed {
        name: "a flush that fills a tile",
        before: || settled(0..254),
        open: 1,
        act: |world, processes| flush(world, &mut processes[0], &[300, 301, 302, 303]),
    },
    Deed {
        name: "a flush that begins a segment",
        before: || {
            let mut world = log_of(0..5);
            world.time_ms += 25 * 3_600_000;
            world
        },
        open: 1,
        act: |world, processes| flush(world, &mut processes[0], &[100, 101]),
    },
    Deed {
        name: "settling",
        before: || log_of(0..5),
        open: 1,
        act: |world, processes| {
            let _ = world.settle(&mut processes[0]);
        },
    },
    Deed {
        name: "a flush after settling",
        before: || settled(0..5),
        open: 1,
        act: |world, processes| flush(world, &mut processes[0], &[100, 101]),
    },
    Deed {
        name: "opening after a power cut",
        before: || {
            let mut world = log_of(0..5);
            world.crash(Crash::Power, 3);
            world
        },
        open: 0,
        act: |world, _| {
            let _ = world.open();
        },
    },
    Deed {
        name: "opening after a swap that was torn",
        before: || {
            let mut world = log_of(0..5);
            let mut sequencer = world.open().unwrap();
            let _ = world.flush(&mut sequencer, &[100, 101]);
            rot_slot(&world.disk, Slot::Newer);
            world.crash(Crash::Kill, 0);
            world
        },
        open: 0,
        act: |world, _| {
            let _ = world.open();
        },
    },
    Deed {
        name: "a flush after another process's",
        before: || log_of(0..5),
        open: 2,
        act: |world, processes| {
            flush(world, &mut processes[0], &[100, 101]);
            flush(world, &mut processes[1], &[102, 101]);
        },
    },
    Deed {
        name: "looking after another process's",
        before: || log_of(0..5),
        open: 2,
        act: |world, processes| {
            flush(world, &mut processes[0], &[100, 101]);
            let _ = world.look(&mut processes[1]);
        },
    },
    Deed {
        name: "looking after another process's, which settled",
        before: || log_of(0..5),
        open: 2,
        act: |world, processes| {
            flush(world, &mut processes[0], &[100, 101]);
            let _ = world.settle(&mut processes[0]);
            let _ = world.look(&mut processes[1]);
        },
    },
];

/// What follows a deed that went wrong.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// The power is cut, and comes back; or every process ends.
    Crash(Crash, u64),
    /// The same process goes on as if nothing had happened.
    GoOn,
    /// Another process, which had the log open already, goes on.
    AnotherGoesOn,
}

fn begin(deed: &Deed, before: &World) -> (World, Vec<Sequencer>) {
    let mut world = before.copy();
    let processes = (0..deed.open).map(|_| world.open().unwrap()).collect();
    (world, processes)
}

/// How many operations it has.
fn operations(deed: &Deed, before: &World) -> u64 {
    let (mut world, mut processes) = begin(deed, before);
    let start = world.disk.operations();
    (deed.act)(&mut world, &mut processes);
    world.disk.operations() - start
}

/// Prints what went wrong, should anything panic.
struct Witness(String, SimDisk);

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
            for operation in self.1.struck() {
                eprintln!("{operation}");
            }
        }
    }
}

fn verify_twice(world: &mut World) {
    let mut sequencer = world.verify();
    world.flush(&mut sequencer, &[600]).unwrap();
    world.give_rows(&mut sequencer);
    world.verify_bytes(&sequencer);
}

fn one_fault(deed: &Deed, before: &World, at: u64, fault: Fault, sequels: &[Then]) {
    let (mut world, mut processes) = begin(deed, before);
    let mut another = world.open().unwrap();
    world.disk.inject(world.disk.operations() + at, fault);
    (deed.act)(&mut world, &mut processes);
    for (number, then) in (1..).zip(sequels) {
        // Who goes on has this disk open; the others get one of their own.
        let mut copy;
        let world = match number == sequels.len() {
            true => &mut world,
            false => {
                copy = world.copy();
                &mut copy
            }
        };
        let _witness = Witness(
            format!("{}, operation {at} {fault:?}, then {then:?}", deed.name),
            world.disk.clone(),
        );
        match then {
            Then::Crash(crash, seed) => world.crash(*crash, *seed),
            Then::GoOn => {
                for process in &mut processes {
                    flush(world, process, &[200, 201]);
                }
                world.crash(Crash::Power, at);
            }
            Then::AnotherGoesOn => {
                flush(world, &mut another, &[200, 201]);
                world.give_rows(&mut another);
                world.crash(Crash::Power, at);
            }
        }
        verify_twice(world);
    }
}

fn every_fault(deeds: &[Deed], faults: &[Fault]) {
    let cuts = (0..CUTS).map(|seed| Then::Crash(Crash::Power, seed));
    let crashes: Vec<Then> = cuts.chain([Then::Crash(Crash::Kill, 1)]).collect();
    for deed in deeds {
        let before = (deed.before)();
        // The last one strikes what comes after the deed, if anything.
        for at in 0..=operations(deed, &before) {
            for &fault in faults {
                one_fault(deed, &before, at, fault, &crashes);
                one_fault(deed, &before, at, fault, &[Then::GoOn]);
                one_fault(deed, &before, at, fault, &[Then::AnotherGoesOn]);
            }
        }
    }
}

/// Faults of which one follows the other: in what the log did, and in the opening after it.
fn every_pair(deeds: &[Deed]) {
    const FIRST: [Fault; 3] = [Fault::FailedButHappened, Fault::Eio, Fault::Killed];
    const SECOND: [Fault; 2] = [Fault::Eio, Fault::Killed];
    for deed in deeds {
        let before = (deed.before)();
        for at in 0..operations(deed, &before) {
            for first in FIRST {
                let (mut world, mut processes) = begin(deed, &before);
                world.disk.inject(world.disk.operations() + at, first);
                (deed.act)(&mut world, &mut processes);
                processes.clear();
                if at % 2 == 0 {
                    world.crash(Crash::Power, at);
                } else {
                    world.crash(Crash::Kill, at);
                }
                let mut steps = 0..u64::MAX;
                while let Some(step) = steps.next() {
                    for second in SECOND {
                        let mut world = world.copy();
                        let _witness = Witness(
                            format!(
                                "{}, operation {at} {first:?}, then {step} {second:?} of opening",
                                deed.name
                            ),
                            world.disk.clone(),
                        );
                        let start = world.disk.operations();
                        world.disk.inject(start + step, second);
                        let _ = world.open();
                        if world.disk.operations() - start <= step {
                            steps = 0..0;
                            break;
                        }
                        world.crash(Crash::Power, step);
                        world.verify();
                    }
                }
            }
        }
    }
}

#[test]
fn no_single_fault_harms_the_log_1() {
    every_fault(&DEEDS[..4], &Fault::ALL);
}

#[test]
fn no_single_fault_harms_the_log_2() {
    // Slow, for its tiles are large.
    let faults = [Fault::FailedButHappened, Fault::Eio, Fault::Killed];
    every_fault(&DEEDS[4..5], &faults);
}

#[test]
fn no_single_fault_harms_the_log_3() {
    every_fault(&DEEDS[5..10], &Fault::ALL);
}

#[test]
fn no_single_fault_harms_the_log_4() {
    every_fault(&DEEDS[10..], &Fault::ALL);
}

#[test]
fn no_pair_of_faults_harms_the_log_1() {
    every_pair(&DEEDS[..3]);
}

#[test]
fn no_pair_of_faults_harms_the_log_2() {
    every_pair(&DEEDS[5..8]);
}

/// Who cannot read a slot does not know whether it was the newest, and takes the batch that it would have counted.
#[test]
fn rot_in_the_head_takes_nothing_and_forks_nothing() {
    for seed in 0..60 {
        for slot in [Slot::Newer, Slot::Older] {
            for another_goes_on in [false, true] {
                let mut world = World::new(seed);
                let mut one = world.open().unwrap();
                world.flush(&mut one, &[0, 1, 2]).unwrap();
                let mut another = world.open().unwrap();
                world.flush(&mut one, &[100, 101]).unwrap();
                let _witness = Witness(
                    format!("seed {seed}, {slot:?}, another goes on: {another_goes_on}"),
                    world.disk.clone(),
                );
                if seed % 2 == 0 {
                    // The batch's synchronisation: it can be read, and is not durable.
                    world.disk.inject(world.disk.operations() + 4, Fault::Eio);
                    world.flush(&mut one, &[102, 103]).unwrap_err();
                }
                rot_slot(&world.disk, slot);
                if another_goes_on {
                    flush(&mut world, &mut another, &[104, 101]);
                } else {
                    let _ = world.open();
                }
                world.crash(Crash::Power, seed);
                verify_twice(&mut world);
            }
        }
    }
}

/// Linux reports an error of writing back once, and takes the pages for written. Whoever synchronises next hears of no error.
#[test]
fn what_one_process_could_not_synchronise_is_not_settled_by_another() {
    let mut failed = 0;
    // Wherever in settling it is that the directory is synchronised.
    for (seed, at) in (0..20).flat_map(|seed| (0..12).map(move |at| (seed, at))) {
        let mut world = World::new(seed);
        let mut one = world.open().unwrap();
        let mut another = world.open().unwrap();
        world.flush(&mut one, &[0, 1, 2]).unwrap();
        world.look(&mut another).unwrap();
        let _witness = Witness(format!("seed {seed}, at {at}"), world.disk.clone());
        world.disk.inject(world.disk.operations() + at, Fault::Eio);
        failed += u32::from(world.settle(&mut one).is_err());
        let _ = world.settle(&mut another);
        world.crash(Crash::Power, seed);
        verify_twice(&mut world);
    }
    assert!(failed >= 20, "{failed} times");
}

/// What a reader can have at any moment is a whole log: a checkpoint, and every tile under it.
#[test]
fn a_reader_never_misses_a_tile() {
    // Opening makes whole what a power cut did not leave so.
    for deed in DEEDS.iter().filter(|deed| deed.open > 0) {
        let before = (deed.before)();
        for at in 0..operations(deed, &before) {
            let (mut world, mut processes) = begin(deed, &before);
            let _witness = Witness(format!("{}, before {at}", deed.name), world.disk.clone());
            world
                .disk
                .inject(world.disk.operations() + at, Fault::Failed);
            // Nothing of the operation happens, and a process that has ended does nothing more.
            world.disk.end_at_fault();
            (deed.act)(&mut world, &mut processes);
            let files = world.disk.files();
            if files.contains_key(&Path::new(ROOT).join("checkpoint")) {
                bytes::read(&files, Path::new(ROOT)).unwrap_or_else(|e| panic!("{e}"));
            }
        }
    }
}

#[test]
fn a_flush_synchronises_twice_and_writes_as_little_as_it_can() {
    let mut world = log_of(0..5);
    let mut sequencer = world.open().unwrap();
    let count = |world: &World, from: usize, kind: Kind| {
        let trace = world.disk.trace();
        trace[from..].iter().filter(|it| it.kind == kind).count()
    };
    world.disk.keep_trace();
    for numbers in [100..101, 101..140] {
        let from = world.disk.trace().len();
        let numbers: Vec<usize> = numbers.collect();
        world.flush(&mut sequencer, &numbers).unwrap();
        let counts = [
            Kind::Lock,
            Kind::SyncFile,
            Kind::SyncDir,
            Kind::SyncAll,
            Kind::Write,
            Kind::Rename,
            Kind::Truncate,
            Kind::List,
        ];
        // The batch, the head; entries, hashes, the checkpoint.
        assert_eq!(
            counts.map(|kind| count(&world, from, kind)),
            [1, 2, 0, 0, 5, 3, 0, 0],
            "{:#?}",
            world.disk.trace()[from..]
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        );
    }
    // A batch of what is there already writes nothing.
    let from = world.disk.trace().len();
    world.flush(&mut sequencer, &[100, 3]).unwrap();
    assert_eq!(count(&world, from, Kind::Write), 0);
    assert_eq!(count(&world, from, Kind::SyncFile), 0);
}
