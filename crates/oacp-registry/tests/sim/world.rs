//! A log on a simulated disk, what it was asked to keep, and whether it did.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use oacp::digest::Digest;
use oacp::entry::Entry;
use oacp::leaf::LeafKind;
use oacp_registry::index::Row;
use oacp_registry::sequencer::{
    FlushError, Placed, RecoveryError, Rows, Sequencer, SequencerOptions, Storage,
};
use oacp_registry::storage::Directory;
use oacp_tlog::checkpoint::SignedCheckpoint;
use oacp_tlog::key::{SignerKey, VerifierKey};

use super::bytes::{self, Hash};
use super::disk::SimDisk;
use super::fixture::{self, Sandbox, execution_id, origin};

/// Neither of its directories is there at first.
pub const ROOT: &str = "/srv/log";

/// Entries that the tests append. The last ones have the ids of the first, and are others.
pub const ENTRIES: usize = 640;
/// Of these, the ones that are another's.
pub const CONFLICTS: usize = 8;

/// An entry, and the bytes that have to be there.
pub struct Prepared {
    pub entry: Entry,
    pub leaf: Vec<u8>,
    pub payload: Vec<u8>,
}

pub static PREPARED: LazyLock<Vec<Prepared>> = LazyLock::new(|| {
    let mut sandbox = Sandbox::new(0);
    let mut executions =
        |n: usize, agent: &str| sandbox.execution(execution_id(n as u64), agent, "local");
    let mut envelopes: Vec<_> = (0..ENTRIES - CONFLICTS - 1)
        .map(|n| executions(n, "agent"))
        .collect();
    envelopes.extend((0..CONFLICTS).map(|n| executions(n, "another")));
    envelopes.insert(0, sandbox.delegation.clone());
    let prepared = envelopes.into_iter().map(|envelope| {
        // Nobody needs to judge it here.
        let entry = Entry::parse_unverified(&envelope.to_json()).unwrap();
        Prepared {
            leaf: entry.leaf().to_bytes(),
            payload: envelope.to_json(),
            entry,
        }
    });
    prepared.collect()
});

static LOG_KEY: LazyLock<Arc<SignerKey>> = LazyLock::new(fixture::log_key);
static LOG_VERIFIER: LazyLock<VerifierKey> = LazyLock::new(|| LOG_KEY.verifier());

/// Which prepared entry has this leaf.
static NUMBERS: LazyLock<BTreeMap<&'static [u8], usize>> = LazyLock::new(|| {
    let leaves = PREPARED.iter().map(|prepared| prepared.leaf.as_slice());
    leaves.zip(0..).collect()
});

/// Whether two prepared entries cannot both be in a log.
pub fn in_conflict(a: usize, b: usize) -> bool {
    let facts = |n: usize| PREPARED[n].entry.facts();
    a != b
        && facts(a).kind == LeafKind::Execution
        && (facts(a).kind, facts(a).id) == (facts(b).kind, facts(b).id)
}

/// The index, in memory. A crash may take the newest of it, or all.
#[derive(Default)]
pub struct Memory {
    rows: Mutex<Vec<Row>>,
}

impl Memory {
    pub fn keep(&self, rows: usize) {
        self.rows.lock().unwrap().truncate(rows);
    }

    pub fn copy(&self) -> Self {
        Self {
            rows: Mutex::new(self.rows.lock().unwrap().clone()),
        }
    }
}

impl Rows for Memory {
    fn through(&self) -> io::Result<u64> {
        Ok(self.rows.lock().unwrap().len() as u64)
    }

    fn add(&self, rows: Vec<Row>) -> io::Result<()> {
        let mut kept = self.rows.lock().unwrap();
        for (at, row) in rows.iter().enumerate() {
            assert_eq!(row.index, rows[0].index + at as u64, "rows leave a gap");
        }
        for row in rows {
            match usize::try_from(row.index).unwrap() {
                at if at < kept.len() => assert_eq!(kept[at].pae, row.pae, "row {at} changed"),
                at if at == kept.len() => kept.push(row),
                at => panic!("row {at} of {} leaves a gap", kept.len()),
            }
        }
        Ok(())
    }

    fn candidates(&self, kind: LeafKind, id: &[u8; 16], pae: &Digest) -> io::Result<Vec<u64>> {
        let kept = self.rows.lock().unwrap();
        let by_id = matches!(kind, LeafKind::Execution | LeafKind::Begin);
        let fits = |row: &&Row| {
            row.kind == kind
                && if by_id {
                    row.id == *id
                } else {
                    row.pae == *pae
                }
        };
        Ok(kept.iter().filter(fits).map(|row| row.index).collect())
    }
}

/// The disk, the index, and what is known of the log from outside.
pub struct World {
    pub disk: SimDisk,
    pub memory: Arc<Memory>,
    pub time_ms: i64,
    /// Which entry was acknowledged to be where.
    acknowledged: BTreeMap<u64, usize>,
    /// What was ever handed to a flush.
    submitted: BTreeSet<usize>,
    /// The roots that somebody may have seen, by size, and the checkpoints that said so.
    seen: BTreeMap<u64, (Hash, String)>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        disk.watch(&Path::new(ROOT).join("checkpoint"));
        Self {
            disk,
            memory: Arc::default(),
            time_ms: fixture::NOW_MS,
            acknowledged: BTreeMap::new(),
            submitted: BTreeSet::new(),
            seen: BTreeMap::new(),
        }
    }

    /// A copy that shares nothing with this one.
    pub fn copy(&self) -> Self {
        Self {
            disk: self.disk.copy(),
            memory: Arc::new(self.memory.copy()),
            time_ms: self.time_ms,
            acknowledged: self.acknowledged.clone(),
            submitted: self.submitted.clone(),
            seen: self.seen.clone(),
        }
    }

    /// How many entries were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// Opens the log, as a new process.
    pub fn open(&mut self) -> Result<Sequencer, RecoveryError> {
        let options = SequencerOptions {
            origin: origin(),
            key: Arc::clone(&LOG_KEY),
            publishes: true,
        };
        let directory = Directory::open(&PathBuf::from(ROOT), self.disk.process())?;
        let storage: Arc<dyn Storage> = Arc::new(directory);
        let opened = Sequencer::open(storage, options, &*self.memory);
        if let Ok(sequencer) = &opened {
            self.see(sequencer.checkpoint());
        }
        self.see_published();
        opened
    }

    /// Flushes prepared entries.
    pub fn flush(
        &mut self,
        sequencer: &mut Sequencer,
        numbers: &[usize],
    ) -> Result<(), FlushError> {
        let entries: Vec<Entry> = numbers.iter().map(|n| PREPARED[*n].entry.clone()).collect();
        self.submitted.extend(numbers);
        let mut placed = Vec::new();
        let flushed = sequencer.flush(&entries, self.time_ms, &*self.memory, &mut |all| {
            placed.extend(all);
        });
        assert!(flushed.is_err() || placed.len() == numbers.len());
        for (placed, number) in placed.into_iter().zip(numbers) {
            match placed {
                Placed::New(index) | Placed::Known(index) => {
                    let before = self.acknowledged.insert(index, *number);
                    assert!(
                        before.is_none_or(|before| before == *number),
                        "index {index} was acknowledged for {before:?}, now for {number}"
                    );
                }
                Placed::Conflict(index) => {
                    let there = self.acknowledged.get(&index);
                    assert!(
                        there.is_none_or(|there| in_conflict(*there, *number)),
                        "{number} is said to be in conflict with {there:?}"
                    );
                }
            }
        }
        self.after(sequencer);
        flushed
    }

    pub fn settle(&mut self, sequencer: &mut Sequencer) -> Result<(), FlushError> {
        let settled = sequencer.settle();
        self.after(sequencer);
        settled
    }

    pub fn look(&mut self, sequencer: &mut Sequencer) -> Result<bool, FlushError> {
        let looked = sequencer.look();
        self.after(sequencer);
        looked
    }

    /// Gives the index what it lacks.
    pub fn give_rows(&mut self, sequencer: &mut Sequencer) {
        let rows = sequencer.take_rows();
        if !rows.is_empty() {
            self.memory.add(rows).unwrap();
        }
        sequencer.forget(self.memory.through().unwrap());
    }

    fn after(&mut self, sequencer: &Sequencer) {
        self.see(sequencer.checkpoint());
        self.see_published();
    }

    fn see(&mut self, checkpoint: &SignedCheckpoint) {
        let (size, root) = (checkpoint.size(), *checkpoint.root().as_bytes());
        let text = checkpoint.to_string();
        // Signatures of the log are deterministic: the same text was verified already.
        if self.seen.get(&size).is_some_and(|(_, seen)| *seen == text) {
            return;
        }
        assert!(checkpoint.verify(&LOG_VERIFIER));
        let before = self.seen.insert(size, (root, text));
        assert!(
            before.is_none_or(|(before, _)| before == root),
            "two checkpoints of {size} entries: the log has forked"
        );
    }

    /// Whatever was readable under the checkpoint's name, however briefly.
    fn see_published(&mut self) {
        for bytes in self.disk.take_watched() {
            if let Ok(checkpoint) = SignedCheckpoint::parse(&bytes) {
                self.see(&checkpoint);
            }
        }
    }

    /// Cuts the power, or kills every process, and takes some of the index away.
    pub fn crash(&mut self, crash: Crash, seed: u64) {
        match crash {
            Crash::Power => self.disk.cut_power(seed),
            Crash::Kill => self.disk.kill_all(),
        }
        let rows = usize::try_from(self.memory.through().unwrap()).unwrap();
        match seed % 3 {
            0 => {}
            1 => self.memory.keep(rows.saturating_sub(3)),
            _ => self.memory.keep(0),
        }
    }

    /// Opens the log with nothing in its way, and reads all of it from its bytes: everything that was acknowledged is where it was said to be,
    /// nothing is there that was not submitted or twice, and every checkpoint that was seen is of the beginning of this log.
    pub fn verify(&mut self) -> Sequencer {
        self.disk.heal();
        let mut sequencer = match self.open() {
            Ok(sequencer) => sequencer,
            Err(error) => panic!("the log does not open: {}", chain(&error)),
        };
        self.give_rows(&mut sequencer);
        self.verify_bytes(&sequencer);
        sequencer
    }

    /// The second half of [`World::verify`]; the index has to have everything.
    pub fn verify_bytes(&self, sequencer: &Sequencer) {
        let kept =
            bytes::read(&self.disk.files(), Path::new(ROOT)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(kept.checkpoint, *sequencer.checkpoint());
        let text = kept.checkpoint.to_string();
        let seen = self.seen.get(&kept.checkpoint.size());
        assert!(seen.is_some_and(|(_, seen)| *seen == text));
        let rows = self.memory.rows.lock().unwrap();
        assert_eq!(rows.len(), kept.leaves.len(), "rows of the index");
        let mut there = BTreeSet::new();
        for (at, leaf) in kept.leaves.iter().enumerate() {
            let number = NUMBERS.get(leaf.as_slice());
            let number = *number.unwrap_or_else(|| panic!("entry {at} is nobody's"));
            assert!(
                self.submitted.contains(&number),
                "entry {at} was not submitted"
            );
            assert!(there.insert(number), "entry {at} is there twice");
            let (payload, row) = (&kept.payloads[at], &rows[at]);
            assert_eq!(payload.bytes, PREPARED[number].payload, "payload {at}");
            assert_eq!(row.pae, PREPARED[number].entry.leaf().pae, "row {at}");
            let place = (row.place.segment, row.place.offset);
            assert_eq!(place, (payload.segment, payload.offset), "place of {at}");
            let conflict = there.iter().find(|other| in_conflict(number, **other));
            assert_eq!(conflict, None, "entry {at} is in conflict");
        }
        for (index, number) in &self.acknowledged {
            let leaf = kept.leaves.get(usize::try_from(*index).unwrap());
            assert!(
                leaf.is_some_and(|leaf| *leaf == PREPARED[*number].leaf),
                "{number} was acknowledged as entry {index} of {} and is not there",
                kept.leaves.len()
            );
        }
        for (size, (root, _)) in &self.seen {
            assert_eq!(
                kept.roots.get(usize::try_from(*size).unwrap()),
                Some(root),
                "the checkpoint of {size} entries is not of this log of {}",
                kept.leaves.len()
            );
        }
    }
}

/// How everything ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    Power,
    Kill,
}

/// An error and its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
