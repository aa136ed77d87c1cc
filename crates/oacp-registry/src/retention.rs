//! Payloads go after their time; every proof stays.
//!
//! What is pruned is whole segments. Of each there remains a tombstone, so that an asker is told what went, and so that what is on hold
//! stays:
//!
//! ```text
//! "OACPGONE" ‖ u64 first index ‖ u32 count ‖ u32 held ‖ count × 16 bytes id ‖ held × (u64 index ‖ record) ‖ SHA-256
//! ```
//!
//! A record is a segment's. The SHA-256 is of everything before it.

use std::io;

use crate::checksum::sha256;
use crate::index::Place;
use crate::segment::{self, Record, SegmentNumber, parse_record, pruned_name};
use crate::storage::Objects;

const MAGIC: &[u8; 8] = b"OACPGONE";

/// What remains of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tombstone {
    pub(crate) segment: SegmentNumber,
    /// The first entry.
    pub(crate) first: u64,
    /// Ids of all entries.
    pub(crate) ids: Vec<[u8; 16]>,
    /// Payloads that were on hold, each with its byte in the tombstone.
    held: Vec<(Place, Record)>,
}

impl Tombstone {
    /// The tombstone of a segment. `None`: it was not pruned, or not to the end: a segment is removed after its tombstone is durable, so
    /// beside a segment one that cannot be read is unfinished.
    ///
    /// # Errors
    /// `InvalidData` if it is damaged.
    pub(crate) fn read(objects: &dyn Objects, segment: SegmentNumber) -> io::Result<Option<Self>> {
        let name = pruned_name(segment);
        let Some(bytes) = objects.get(&name)? else {
            return Ok(None);
        };
        let tombstone = Self::parse(&bytes, segment);
        if tombstone.is_none() && objects.len(&segment::name(segment))?.is_some() {
            return Ok(None);
        }
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("`{name}` is damaged"));
        tombstone.map(Some).ok_or_else(damaged)
    }

    /// The tombstone's bytes, and where each of the records is in it, which come in the order of their index.
    pub(crate) fn encode(
        segment: SegmentNumber,
        first: u64,
        ids: &[[u8; 16]],
        held: &[Record],
    ) -> (Vec<u8>, Vec<(u64, Place)>) {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&first.to_be_bytes());
        bytes.extend_from_slice(&(ids.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&(held.len() as u32).to_be_bytes());
        bytes.extend(ids.iter().flatten());
        let mut places = Vec::with_capacity(held.len());
        for record in held {
            bytes.extend_from_slice(&record.index.to_be_bytes());
            let offset = bytes.len() as u64;
            places.push((record.index, Place { segment, offset }));
            record.write_to(&mut bytes);
        }
        let checksum = sha256(&[&bytes]);
        bytes.extend_from_slice(&checksum);
        (bytes, places)
    }

    /// Everything that was on hold.
    pub(crate) fn all_held(&self) -> &[(Place, Record)] {
        &self.held
    }

    /// The payload of an entry that was on hold.
    pub(crate) fn held(&self, index: u64) -> Option<(Place, &Record)> {
        let held = self.held.iter();
        held.map(|(place, record)| (*place, record))
            .find(|(_, record)| record.index == index)
    }

    fn parse(bytes: &[u8], segment: SegmentNumber) -> Option<Self> {
        let (covered, checksum) = bytes.split_last_chunk::<32>()?;
        if *checksum != sha256(&[covered]) {
            return None;
        }
        let (magic, rest) = covered.split_first_chunk::<8>()?;
        let (first, rest) = rest.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let (held_count, rest) = rest.split_first_chunk::<4>()?;
        let ids_bytes = (u32::from_be_bytes(*count) as usize).checked_mul(16)?;
        let (ids, mut rest) = rest.split_at_checked(ids_bytes)?;
        let mut held = Vec::new();
        for _ in 0..u32::from_be_bytes(*held_count) {
            let (index, after) = rest.split_first_chunk::<8>()?;
            let offset = (covered.len() - after.len()) as u64;
            let (record, after) = parse_record(after, u64::from_be_bytes(*index))?;
            held.push((Place { segment, offset }, record));
            rest = after;
        }
        let (ids, _) = ids.as_chunks::<16>();
        (magic == MAGIC && rest.is_empty()).then(|| Self {
            segment,
            first: u64::from_be_bytes(*first),
            ids: ids.to_vec(),
            held,
        })
    }
}
