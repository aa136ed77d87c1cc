//! Segments: batches of leaves and payloads, one behind the other.
//!
//! ```text
//! batch  = "OACPSEG1" ‖ u64 first index ‖ u32 count ‖ i64 time ‖ u64 bytes of the records ‖ checksum ‖ record…
//! record = u32 bytes of the leaf ‖ u32 bytes of the payload ‖ 16 bytes id ‖ leaf ‖ payload ‖ checksum
//! ```
//!
//! Numbers are big-endian; time is in milliseconds since 1970; a checksum is the first 12 bytes of a SHA-256, a record's over its index
//! and all before. A payload is an envelope's JSON. Names of segments count from 0: `segments/0000000000.seg`.

mod wreck;

use std::io;

pub(crate) use self::wreck::{Lost, Wreck};
use crate::checksum::{SHORT, short};
use crate::index::Place;
use crate::limits::ENVELOPE_BYTES_MAX;
use crate::storage::Objects;

const MAGIC: &[u8; 8] = b"OACPSEG1";
const HEADER_BYTES: usize = 8 + 8 + 4 + 8 + 8 + SHORT;
const RECORD_HEADER_BYTES: usize = 4 + 4 + 16;

/// Bytes of a leaf; C2SP's limit is 65535.
const LEAF_BYTES_MAX: usize = 4096;

/// Bytes of a batch's records: no batch is made larger.
const BODY_BYTES_MAX: u64 = 256 << 20;

/// A segment's number.
pub(crate) type SegmentNumber = u32;

pub(crate) const SEGMENTS: &str = "segments";

pub(crate) fn name(number: SegmentNumber) -> String {
    format!("{SEGMENTS}/{number:010}.seg")
}

pub(crate) fn pruned_name(number: SegmentNumber) -> String {
    format!("{SEGMENTS}/{number:010}.pruned")
}

/// What is written of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) index: u64,
    pub(crate) id: [u8; 16],
    pub(crate) leaf: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

impl Record {
    /// Its bytes, as [`parse_record`] reads them.
    pub(crate) fn write_to(&self, bytes: &mut Vec<u8>) {
        write_record(bytes, self.index, &self.id, &self.leaf, &self.payload);
    }
}

fn write_record(bytes: &mut Vec<u8>, index: u64, id: &[u8; 16], leaf: &[u8], payload: &[u8]) {
    let start = bytes.len();
    bytes.extend_from_slice(&(leaf.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    bytes.extend_from_slice(id);
    bytes.extend_from_slice(leaf);
    bytes.extend_from_slice(payload);
    let record = bytes.get(start..).unwrap_or_default();
    let checksum = short(&[&index.to_be_bytes(), record]);
    bytes.extend_from_slice(&checksum);
}

/// A batch that is being written.
pub(crate) struct BatchWriter {
    first: u64,
    count: u32,
    time_ms: i64,
    bytes: Vec<u8>,
}

impl BatchWriter {
    pub(crate) fn new(first: u64, time_ms: i64, capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity + HEADER_BYTES);
        bytes.resize(HEADER_BYTES, 0);
        Self {
            first,
            count: 0,
            time_ms,
            bytes,
        }
    }

    /// Adds a record, and says at which byte of the batch it begins.
    pub(crate) fn push(&mut self, id: &[u8; 16], leaf: &[u8], payload: &[u8]) -> u64 {
        let start = self.bytes.len();
        let index = self.first + u64::from(self.count);
        write_record(&mut self.bytes, index, id, leaf, payload);
        self.count += 1;
        start as u64
    }

    /// The batch's bytes.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let header = header(
            self.first,
            self.count,
            self.time_ms,
            (self.bytes.len() - HEADER_BYTES) as u64,
        );
        for (to, from) in self.bytes.iter_mut().zip(header) {
            *to = from;
        }
        self.bytes
    }
}

fn header(first: u64, count: u32, time_ms: i64, body: u64) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&first.to_be_bytes());
    header.extend_from_slice(&count.to_be_bytes());
    header.extend_from_slice(&time_ms.to_be_bytes());
    header.extend_from_slice(&body.to_be_bytes());
    let checksum = short(&[&header]);
    header.extend_from_slice(&checksum);
    header
}

/// What a batch says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) time_ms: i64,
    body: u64,
}

/// A batch that was read whole.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) header: BatchHeader,
    /// Each with its place.
    pub(crate) records: Vec<(Place, Record)>,
    /// Where the next batch begins.
    pub(crate) end: u64,
}

/// Why a batch or a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SegmentError {
    /// There is nothing more.
    #[error("there is nothing at byte {offset} of `{name}`")]
    Missing { name: String, offset: u64 },
    /// It is not what was written.
    #[error("{what} at byte {offset} of `{name}` is damaged")]
    Damaged {
        what: &'static str,
        name: String,
        offset: u64,
    },
    /// The file system.
    #[error("`{name}` cannot be read")]
    Io { name: String, source: io::Error },
}

impl SegmentError {
    /// What it is about.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Missing { name, offset } => format!("what belongs at byte {offset} of `{name}`"),
            Self::Damaged { what, name, offset } => format!("{what} at byte {offset} of `{name}`"),
            Self::Io { name, .. } => format!("`{name}`"),
        }
    }
}

/// The header at `offset`.
pub(crate) fn read_header(
    objects: &dyn Objects,
    segment: SegmentNumber,
    offset: u64,
) -> Result<BatchHeader, SegmentError> {
    header_and_more(objects, segment, offset, 0).map(|(header, _)| header)
}

/// The header at `offset`, and up to `more` bytes of what follows it.
fn header_and_more(
    objects: &dyn Objects,
    segment: SegmentNumber,
    offset: u64,
    more: usize,
) -> Result<(BatchHeader, Vec<u8>), SegmentError> {
    let name = name(segment);
    let mut bytes = read(objects, &name, offset, HEADER_BYTES + more)?;
    if bytes.is_empty() {
        return Err(SegmentError::Missing { name, offset });
    }
    let header = bytes.get(..HEADER_BYTES).and_then(parse_header);
    let header = header.ok_or(SegmentError::Damaged {
        what: "the batch",
        name,
        offset,
    })?;
    Ok((header, bytes.split_off(HEADER_BYTES)))
}

/// The batch at `offset`, every record of it checked.
pub(crate) fn read_batch(
    objects: &dyn Objects,
    segment: SegmentNumber,
    offset: u64,
) -> Result<Batch, SegmentError> {
    // Most batches fit what is read first.
    let (header, mut bytes) = header_and_more(objects, segment, offset, 8192)?;
    let name = name(segment);
    let damaged = |offset| SegmentError::Damaged {
        what: "a record",
        name: name.clone(),
        offset,
    };
    let start = offset + HEADER_BYTES as u64;
    let body = usize::try_from(header.body).map_err(|_| damaged(offset))?;
    if bytes.len() < body {
        bytes = read(objects, &name, start, body)?;
    }
    bytes.truncate(body);
    if bytes.len() != body {
        return Err(damaged(start + bytes.len() as u64));
    }
    let mut rest = bytes.as_slice();
    let mut records = Vec::new();
    for number in 0..u64::from(header.count) {
        let offset = start + (body - rest.len()) as u64;
        let (record, after) =
            parse_record(rest, header.first + number).ok_or_else(|| damaged(offset))?;
        records.push((Place { segment, offset }, record));
        rest = after;
    }
    if !rest.is_empty() {
        return Err(damaged(start + (body - rest.len()) as u64));
    }
    Ok(Batch {
        header,
        records,
        end: start + header.body,
    })
}

/// The record of entry `index` at a byte of the object `name`.
pub(crate) fn read_record(
    objects: &dyn Objects,
    name: String,
    index: u64,
    offset: u64,
) -> Result<Record, SegmentError> {
    // Most records fit what is read first.
    let mut bytes = read(objects, &name, offset, 8192)?;
    if bytes.is_empty() {
        return Err(SegmentError::Missing { name, offset });
    }
    if let Some(length) = record_length(&bytes)
        && length > bytes.len()
    {
        bytes = read(objects, &name, offset, length)?;
    }
    match parse_record(&bytes, index) {
        Some((record, _)) => Ok(record),
        None => Err(SegmentError::Damaged {
            what: "a record",
            name,
            offset,
        }),
    }
}

fn read(
    objects: &dyn Objects,
    name: &str,
    offset: u64,
    len: usize,
) -> Result<Vec<u8>, SegmentError> {
    objects
        .read_at(name, offset, len)
        .map_err(|source| SegmentError::Io {
            name: name.to_owned(),
            source,
        })
}

fn parse_header(bytes: &[u8]) -> Option<BatchHeader> {
    let (magic, rest) = bytes.split_first_chunk::<8>()?;
    let (first, rest) = rest.split_first_chunk::<8>()?;
    let (count, rest) = rest.split_first_chunk::<4>()?;
    let (time_ms, rest) = rest.split_first_chunk::<8>()?;
    let (body, _) = rest.split_first_chunk::<8>()?;
    let parsed = BatchHeader {
        first: u64::from_be_bytes(*first),
        count: u32::from_be_bytes(*count),
        time_ms: i64::from_be_bytes(*time_ms),
        body: u64::from_be_bytes(*body),
    };
    let again = header(parsed.first, parsed.count, parsed.time_ms, parsed.body);
    (magic == MAGIC && bytes == again && parsed.body <= BODY_BYTES_MAX).then_some(parsed)
}

fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let (leaf, rest) = bytes.split_first_chunk::<4>()?;
    let (payload, _) = rest.split_first_chunk::<4>()?;
    let leaf = u32::from_be_bytes(*leaf) as usize;
    let payload = u32::from_be_bytes(*payload) as usize;
    (leaf <= LEAF_BYTES_MAX && payload <= ENVELOPE_BYTES_MAX).then_some((leaf, payload))
}

fn record_length(bytes: &[u8]) -> Option<usize> {
    let (leaf, payload) = lengths(bytes)?;
    Some(RECORD_HEADER_BYTES + leaf + payload + SHORT)
}

/// A record, and what follows it.
pub(crate) fn parse_record(bytes: &[u8], index: u64) -> Option<(Record, &[u8])> {
    let (leaf_bytes, payload_bytes) = lengths(bytes)?;
    let (covered, rest) =
        bytes.split_at_checked(RECORD_HEADER_BYTES + leaf_bytes + payload_bytes)?;
    let (checksum, rest) = rest.split_first_chunk::<SHORT>()?;
    if *checksum != short(&[&index.to_be_bytes(), covered]) {
        return None;
    }
    let (id, contents) = covered.get(8..)?.split_first_chunk::<16>()?;
    let (leaf, payload) = contents.split_at_checked(leaf_bytes)?;
    let record = Record {
        index,
        id: *id,
        leaf: leaf.to_vec(),
        payload: payload.to_vec(),
    };
    Some((record, rest))
}
