//! Random batches, faults and crashes, all of which follow from a seed.

use std::env;

use oacp::digest::Digest;
use oacp_registry::sequencer::Sequencer;

use super::disk::Fault;
use super::random::Random;
use super::world::{CONFLICTS, Crash, ENTRIES, World};

/// Scenarios, by itself.
const POINTS: u64 = 10_000;

/// Tests that share them, to be run side by side.
const SHARES: u64 = 4;

/// Operations among which the next fault strikes. A flush has about twenty.
const FAULT_WITHIN: usize = 40;

/// Entries that are flushed before anything goes wrong: none, some, or nearly a full tile.
const BEFORE: [usize; 16] = [0, 0, 0, 0, 0, 1, 1, 2, 3, 5, 8, 13, 20, 30, 250, 255];

fn variable(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// A run of the world. What it prints when it panics is how to repeat it.
struct Run {
    seed: u64,
    random: Random,
    world: World,
    processes: [Option<Sequencer>; 2],
    next_entry: usize,
    prints: bool,
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "repeat it with OACP_SIM_SEED={} OACP_SIM_POINTS=1",
                self.seed
            );
            let operations = match self.prints {
                true => self.world.disk.trace(),
                false => self.world.disk.struck(),
            };
            for operation in operations {
                eprintln!("{operation}");
            }
        }
    }
}

impl Run {
    fn new(seed: u64, prints: bool) -> Self {
        let mut random = Random::new(seed);
        let world = World::new(random.next());
        if prints {
            world.disk.keep_trace();
        }
        Self {
            seed,
            random,
            world,
            processes: [None, None],
            next_entry: 0,
            prints,
        }
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.prints {
            eprintln!("{:4} {}", self.world.disk.operations(), what());
        }
    }

    /// All of it: the digest over every operation.
    fn go(mut self) -> Digest {
        let before = self.random.pick(&BEFORE);
        if before > 0 {
            let mut sequencer = self.world.open().unwrap();
            let numbers = self.entries(before);
            self.world.flush(&mut sequencer, &numbers).unwrap();
            self.world.give_rows(&mut sequencer);
            if self.random.once_in(2) || before > 100 {
                self.world.settle(&mut sequencer).unwrap();
            }
            self.processes[0] = Some(sequencer);
        }
        for _ in 0..2 + self.random.below(5) {
            self.step();
        }
        self.verify();
        let mut sequencer = self.world.open().unwrap();
        let numbers = self.entries(2);
        self.world.flush(&mut sequencer, &numbers).unwrap();
        self.world.give_rows(&mut sequencer);
        self.world.verify_bytes(&sequencer);
        self.world.disk.trace_digest()
    }

    fn verify(&mut self) {
        self.say(|| "verify".to_owned());
        let mut random = self.random.split();
        if random.once_in(2) {
            let crash = random.pick(&[Crash::Power, Crash::Power, Crash::Kill]);
            self.crash(crash);
        }
        self.world.verify();
    }

    fn step(&mut self) {
        for _ in 0..self.random.below(3) {
            let at = self.world.disk.operations() + self.random.below(FAULT_WITHIN) as u64;
            let fault = self.random.pick(&Fault::ALL);
            self.say(|| format!("{fault:?} at {at}"));
            self.world.disk.inject(at, fault);
        }
        let which = self.random.below(2);
        match self.processes[which].take() {
            None => match self.world.open() {
                Ok(sequencer) => {
                    self.say(|| format!("opened {which}, {} entries", sequencer.size()));
                    self.processes[which] = Some(sequencer);
                }
                Err(error) => self.say(|| format!("not opened {which}: {error:?}")),
            },
            Some(sequencer) => self.act(which, sequencer),
        }
        if self.random.once_in(4) {
            let crash = self.random.pick(&[Crash::Power, Crash::Power, Crash::Kill]);
            self.crash(crash);
            if self.random.once_in(3) {
                self.world.verify();
            }
        }
    }

    fn act(&mut self, which: usize, mut sequencer: Sequencer) {
        if self.random.once_in(6) {
            // The next segment.
            self.world.time_ms += 25 * 3_600_000;
        }
        let done = match self.random.below(10) {
            0 => self.world.settle(&mut sequencer),
            1 => self.world.look(&mut sequencer).map(|_| ()),
            _ => {
                let len = 1 + self.random.below(6);
                let numbers = self.entries(len);
                self.say(|| format!("{which} flushes {numbers:?}"));
                self.world.flush(&mut sequencer, &numbers)
            }
        };
        self.say(|| format!("{which}: {} entries, {done:?}", sequencer.size()));
        // What failed is given up, as a rule; otherwise it is used again.
        if done.is_err() && !self.random.once_in(4) {
            return;
        }
        if !self.random.once_in(4) {
            self.world.give_rows(&mut sequencer);
        }
        self.processes[which] = Some(sequencer);
    }

    /// New entries, and now and then one that was there, or one in conflict with it.
    fn entries(&mut self, len: usize) -> Vec<usize> {
        let numbers = (0..len).map(|_| match self.random.below(8) {
            0 => self.random.below(self.next_entry.max(1)),
            1 => ENTRIES - 1 - self.random.below(CONFLICTS),
            _ => {
                self.next_entry += 1;
                self.next_entry - 1
            }
        });
        numbers.collect()
    }

    fn crash(&mut self, crash: Crash) {
        let seed = self.random.next();
        self.say(|| format!("{crash:?}"));
        self.processes = [None, None];
        self.world.crash(crash, seed);
    }
}

fn share(number: u64) {
    let (first, points) = (
        variable("OACP_SIM_SEED", 1),
        variable("OACP_SIM_POINTS", POINTS),
    );
    for seed in (first..first + points).filter(|seed| (seed - first) % SHARES == number) {
        Run::new(seed, points == 1).go();
    }
}

#[test]
fn what_was_acknowledged_stays_whatever_fails_1() {
    share(0);
}

#[test]
fn what_was_acknowledged_stays_whatever_fails_2() {
    share(1);
}

#[test]
fn what_was_acknowledged_stays_whatever_fails_3() {
    share(2);
}

#[test]
fn what_was_acknowledged_stays_whatever_fails_4() {
    share(3);
}

#[test]
fn the_same_seed_gives_the_same_operations() {
    let mut digests = Vec::new();
    for seed in 1..=40 {
        let digest = Run::new(seed, false).go();
        assert_eq!(Run::new(seed, false).go(), digest, "seed {seed}");
        digests.push(digest);
    }
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), 40, "other seeds give other operations");
}
