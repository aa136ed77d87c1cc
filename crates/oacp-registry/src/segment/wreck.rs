//! A batch in which something is damaged, and what of it can still be read.
//!
//! Reading goes on wherever the next record begins whose checksum holds. Its index is part of that checksum, and is told by its leaf: the
//! tree knows which entry has it. No length is believed that leads to no such record; what a header with its checksum says is.

use std::collections::HashMap;
use std::io;
use std::ops::Range;

use super::{
    BatchHeader, HEADER_BYTES, MAGIC, RECORD_HEADER_BYTES, Record, SHORT, SegmentNumber, lengths,
    name, parse_header, parse_record,
};
use crate::storage::Objects;

/// The part of a segment that begins with a batch and ends where the next begins that can be told.
pub(crate) struct Wreck {
    /// `None`: it is damaged.
    header: Option<BatchHeader>,
    /// The first entry of the batch that follows, if there is one.
    following: Option<u64>,
    /// Where the records begin.
    start: u64,
    records: Vec<u8>,
    end: u64,
}

/// Bytes of a segment that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) offset: u64,
    /// The entries that were there. None, if what is damaged is no record.
    pub(crate) entries: Range<u64>,
}

/// What can be read of a wreck, and what cannot, each in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Salvaged {
    pub(crate) records: Vec<Record>,
    pub(crate) lost: Vec<Lost>,
    /// One past the last entry.
    pub(crate) next: u64,
}

impl Wreck {
    /// What begins at `offset` of a segment that ends at `end`, and cannot be read as a batch.
    pub(crate) fn read(
        objects: &dyn Objects,
        segment: SegmentNumber,
        offset: u64,
        end: u64,
    ) -> io::Result<Self> {
        let name = name(segment);
        let header = parse_header(&objects.read_at(&name, offset, HEADER_BYTES)?);
        let start = offset + HEADER_BYTES as u64;
        let after = header.map_or(end, |header| start + header.body);
        let length = after.min(end).saturating_sub(start);
        let records =
            objects.read_at(&name, start, usize::try_from(length).unwrap_or(usize::MAX))?;
        let mut wreck = Self {
            header,
            following: None,
            start,
            records,
            end: after,
        };
        if header.is_none() {
            wreck.end_with_next_header();
        }
        Ok(wreck)
    }

    fn end_with_next_header(&mut self) {
        let next = (0..self.records.len()).find_map(|at| {
            let bytes = self.records.get(at..)?;
            let is_header = bytes.starts_with(MAGIC);
            let header = is_header.then(|| parse_header(bytes.get(..HEADER_BYTES)?));
            Some((at, header??))
        });
        if let Some((at, header)) = next {
            self.records.truncate(at);
            self.end = self.start + at as u64;
            self.following = Some(header.first);
        }
    }

    /// Its first entry. `None`: it does not tell.
    pub(crate) fn first(&self) -> Option<u64> {
        self.header.map(|header| header.first)
    }

    /// One past its last entry. `None`: neither it nor a batch behind it tells.
    pub(crate) fn until(&self) -> Option<u64> {
        let until = |header: BatchHeader| header.first.saturating_add(header.count.into());
        self.header.map(until).or(self.following)
    }

    /// It has no more records than this.
    pub(crate) fn records_max(&self) -> u64 {
        (self.records.len() / (RECORD_HEADER_BYTES + SHORT)) as u64
    }

    /// Where the next batch begins.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Reads the entries from `next` to `until`, of which `leaves` says which leaf is whose.
    pub(crate) fn salvage(
        &self,
        mut next: u64,
        until: Option<u64>,
        leaves: &HashMap<Vec<u8>, u64>,
    ) -> Salvaged {
        let (mut records, mut lost) = (Vec::new(), Vec::new());
        let mut rest = self.records.as_slice();
        while !rest.is_empty() || until.is_some_and(|until| next < until) {
            let is_within = |index| until.is_none_or(|until| index < until);
            if is_within(next)
                && let Some((record, after)) = parse_record(rest, next)
            {
                records.push(record);
                (rest, next) = (after, next + 1);
                continue;
            }
            let found = (0..rest.len()).find_map(|at| {
                let bytes = rest.get(at..)?;
                let index = *leaves.get(leaf(bytes)?)?;
                let is_one = index >= next && is_within(index);
                (is_one && parse_record(bytes, index).is_some()).then_some((bytes, index))
            });
            let nothing: (&[u8], _) = (&[], until.map_or(next, |until| until.max(next)));
            let (after, index) = found.unwrap_or(nothing);
            lost.push(Lost {
                offset: self.start + (self.records.len() - rest.len()) as u64,
                entries: next..index,
            });
            (rest, next) = (after, index);
        }
        Salvaged {
            records,
            lost,
            next,
        }
    }
}

/// The leaf of a record, if one begins here.
fn leaf(bytes: &[u8]) -> Option<&[u8]> {
    let (leaf_bytes, _) = lengths(bytes)?;
    bytes.get(RECORD_HEADER_BYTES..)?.get(..leaf_bytes)
}
