//! What a monitor has read of a log: for each entry its key, its sequence and its commitment, in a file that only grows.
//!
//! ```text
//! leaves = record*          record = key id (32 bytes) ‖ kind (1 byte) ‖ sequence (7 bytes, big-endian) ‖ SHA-256 of the PAE (32)
//! ```
//!
//! The kind is 1 for a begin, 2 for a close, 0 for an execution; without a sequence, kind and sequence are all ones. Record `n` is entry
//! `n`; an entry that is no leaf is all ones. The state file holds the number of records and a hash over all of them:
//! what is behind is not yet read, and what differs is damaged.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use oacp::digest::{Digest, Hasher};
use oacp::key::KeyId;
use oacp::leaf::{Leaf, LeafKind};

/// Bytes of a record.
const RECORD_BYTES: usize = 32 + 8 + 32;

/// What stands for no sequence. No leaf has it: sequences end at 2^53 − 1.
const NO_SEQUENCE: u64 = u64::MAX;

/// Where the kind stands above the sequence.
const KIND_SHIFT: u32 = 56;
const BEGIN: u64 = 1;
const CLOSE: u64 = 2;

/// One entry, as far as it is kept.
#[derive(Clone, Copy)]
struct Record([u8; RECORD_BYTES]);

impl Record {
    fn of(leaf: Option<&Leaf>) -> Self {
        let mut bytes = [0xff; RECORD_BYTES];
        if let Some(leaf) = leaf {
            let kind = match leaf.kind {
                LeafKind::Begin => BEGIN,
                LeafKind::Close => CLOSE,
                LeafKind::Execution | LeafKind::Delegation | LeafKind::Tool => 0,
            };
            let of_kind = |sequence: u64| kind << KIND_SHIFT | sequence;
            let sequence = leaf.sequence.map_or(NO_SEQUENCE, of_kind).to_be_bytes();
            let parts = leaf.key_id.as_bytes().iter();
            let parts = parts.chain(&sequence).chain(leaf.pae.as_bytes());
            for (to, from) in bytes.iter_mut().zip(parts) {
                *to = *from;
            }
        }
        Self(bytes)
    }

    /// Key, sequence and kind. `None`: it has no sequence.
    fn numbered(&self) -> Option<([u8; 32], u64, u64)> {
        let (key, rest) = self.0.split_first_chunk::<32>()?;
        let (sequence, _) = rest.split_first_chunk::<8>()?;
        let both = u64::from_be_bytes(*sequence);
        let (kind, sequence) = (both >> KIND_SHIFT, both & ((1 << KIND_SHIFT) - 1));
        (both != NO_SEQUENCE).then_some((*key, sequence, kind))
    }

    /// Key and sequence. `None`: it has no sequence.
    fn place(&self) -> Option<([u8; 32], u64)> {
        let (key, sequence, _) = self.numbered()?;
        Some((key, sequence))
    }

    fn key_and_commitment(&self) -> Option<([u8; 32], Digest)> {
        let (key, rest) = self.0.split_first_chunk::<32>()?;
        let (_, rest) = rest.split_first_chunk::<8>()?;
        Some((*key, Digest::from_bytes(*rest.first_chunk::<32>()?)))
    }
}

/// The file, and which sequences of which key are in it.
pub(super) struct Leaves {
    file: File,
    count: u64,
    chain: Digest,
    /// Of each key, the runs of sequences that were seen: first and last of each. A sandbox counts without gaps, so they are few.
    seen: HashMap<[u8; 32], BTreeMap<u64, u64>>,
    /// Of each key, the begins that no execution followed.
    begun: HashMap<[u8; 32], Vec<u64>>,
}

/// What taking a record in showed.
enum Taken {
    Fresh,
    /// Its key and sequence are in another.
    Repeated,
    /// It closes a key that has begun these and not ended them.
    Unended(Vec<u64>),
}

/// What is odd about entries that were appended.
#[derive(Default)]
pub(super) struct Odd {
    pub(super) duplicates: Vec<Duplicate>,
    pub(super) unended: Vec<Unended>,
}

/// A key that signs no more, and has begun executions in the log that it has not stated there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unended {
    /// The key.
    pub key_id: KeyId,
    /// The index of its close.
    pub closed: u64,
    /// The indexes of those begins. There may be more: an execution that was stated without a begin counts as the end of the last.
    pub begun: Vec<u64>,
}

/// Two leaves with one key and one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The key.
    pub key_id: KeyId,
    /// The sequence.
    pub sequence: u64,
    /// The index of the first leaf that has them.
    pub first: u64,
    /// The index of this one.
    pub second: u64,
}

impl Leaves {
    /// Reads the first `count` records; what is behind them was never reported, and is overwritten.
    ///
    /// # Errors
    /// `InvalidData`: the records are not those that were written.
    pub(super) fn open(path: &Path, count: u64, chain: Digest) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path)?;
        let mut leaves = Self {
            file,
            count: 0,
            chain: Self::empty_chain(),
            seen: HashMap::new(),
            begun: HashMap::new(),
        };
        let damaged =
            || io::Error::new(io::ErrorKind::InvalidData, "records are missing or changed");
        let mut reader = BufReader::new(leaves.file.try_clone()?);
        reader.seek(SeekFrom::Start(0))?;
        for _ in 0..count {
            let mut record = Record([0; RECORD_BYTES]);
            reader.read_exact(&mut record.0).map_err(|_| damaged())?;
            leaves.take(&record);
        }
        match leaves.chain == chain {
            true => Ok(leaves),
            false => Err(damaged()),
        }
    }

    /// The hash over no records.
    pub(super) fn empty_chain() -> Digest {
        Digest::of(b"")
    }

    /// How many records there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The hash over all records.
    pub(super) fn chain(&self) -> Digest {
        self.chain
    }

    /// The indexes of begins that no execution by their key followed. There may be more, as in [`Unended`].
    pub(super) fn begun(&self) -> Vec<u64> {
        let mut begun: Vec<u64> = self.begun.values().flatten().copied().collect();
        begun.sort_unstable();
        begun
    }

    fn take(&mut self, record: &Record) -> Taken {
        let mut hasher = Hasher::new();
        hasher.update(self.chain.as_bytes()).update(&record.0);
        self.chain = hasher.finish();
        let index = self.count;
        self.count += 1;
        let Some((key, sequence, kind)) = record.numbered() else {
            return Taken::Fresh;
        };
        if !insert(self.seen.entry(key).or_default(), sequence) {
            return Taken::Repeated;
        }
        match (kind, self.begun.get_mut(&key)) {
            (BEGIN, _) => self.begun.entry(key).or_default().push(index),
            (CLOSE, Some(begun)) => return Taken::Unended(begun.clone()),
            (CLOSE, None) | (_, None) => {}
            (_, Some(begun)) => {
                begun.pop();
                if begun.is_empty() {
                    self.begun.remove(&key);
                }
            }
        }
        Taken::Fresh
    }

    /// Appends entries, those that are no leaf as `None`, durably; returns what is odd about them.
    ///
    /// # Errors
    /// Of the file system; nothing was taken in, and it may be repeated.
    pub(super) fn append(&mut self, entries: &[Option<Leaf>]) -> io::Result<Odd> {
        let from = self.count;
        let records: Vec<Record> = entries
            .iter()
            .map(|leaf| Record::of(leaf.as_ref()))
            .collect();
        let bytes: Vec<u8> = records.iter().flat_map(|record| record.0).collect();
        self.file
            .seek(SeekFrom::Start(from * RECORD_BYTES as u64))?;
        self.file.write_all(&bytes)?;
        self.file.sync_data()?;
        let (mut repeated, mut odd) = (Vec::new(), Odd::default());
        for ((record, leaf), index) in records.iter().zip(entries).zip(from..) {
            match (self.take(record), record.place(), leaf) {
                (Taken::Repeated, Some(place), Some(leaf)) => {
                    repeated.push((place, leaf.key_id, index));
                }
                (Taken::Unended(begun), _, Some(leaf)) => odd.unended.push(Unended {
                    key_id: leaf.key_id,
                    closed: index,
                    begun,
                }),
                _ => {}
            }
        }
        if repeated.is_empty() {
            return Ok(odd);
        }
        let mut first = HashMap::new();
        let places: BTreeSet<_> = repeated.iter().map(|(place, ..)| *place).collect();
        self.scan(|record, index| {
            if let Some(place) = record.place().filter(|place| places.contains(place)) {
                first.entry(place).or_insert(index);
            }
        })?;
        let duplicate = |(place, key_id, second): (([u8; 32], u64), KeyId, u64)| Duplicate {
            key_id,
            sequence: place.1,
            first: first.get(&place).copied().unwrap_or(second),
            second,
        };
        odd.duplicates = repeated.into_iter().map(duplicate).collect();
        Ok(odd)
    }

    /// The commitments of leaves by this key.
    ///
    /// # Errors
    /// Of the file system.
    pub(super) fn commitments_of(&self, key: KeyId) -> io::Result<BTreeSet<Digest>> {
        let mut found = BTreeSet::new();
        self.scan(|record, _| {
            if let Some((other, commitment)) = record.key_and_commitment()
                && other == *key.as_bytes()
            {
                found.insert(commitment);
            }
        })?;
        Ok(found)
    }

    fn scan(&self, mut see: impl FnMut(&Record, u64)) -> io::Result<()> {
        let mut reader = BufReader::new(self.file.try_clone()?);
        reader.seek(SeekFrom::Start(0))?;
        for index in 0..self.count {
            let mut record = Record([0; RECORD_BYTES]);
            reader.read_exact(&mut record.0)?;
            see(&record, index);
        }
        Ok(())
    }
}

/// Puts a number into runs of numbers, given by first and last; `false`: it is in one.
fn insert(runs: &mut BTreeMap<u64, u64>, number: u64) -> bool {
    let before = runs.range(..=number).next_back().map(|(f, l)| (*f, *l));
    if before.is_some_and(|(_, last)| last >= number) {
        return false;
    }
    // No sequence is the largest number there is.
    let first = match before {
        Some((first, last)) if last + 1 == number => first,
        _ => number,
    };
    let last = runs.remove(&(number + 1)).unwrap_or(number);
    runs.insert(first, last);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_as_runs() {
        let mut runs = BTreeMap::new();
        let order = [5_u64, 3, 4, 0, 9, 8, 1, 2];
        for (at, number) in order.into_iter().enumerate() {
            assert!(insert(&mut runs, number), "{number}");
            for seen in order.iter().take(at + 1) {
                assert!(!insert(&mut runs, *seen), "{seen} after {number}");
            }
        }
        assert_eq!(runs, BTreeMap::from([(0, 5), (8, 9)]));
    }
}
