//! Payloads, each against its leaf.

use std::collections::HashMap;
use std::io;
use std::ops::Range;

use oacp::envelope::Envelope;
use oacp::leaf::Leaf;
use oacp_tlog::entry::decode_bundle;
use oacp_tlog::tile::{Tile, TileKind};

use super::Check;
use crate::head::Head;
use crate::retention::Tombstone;
use crate::segment::{self, Lost, Record, SegmentError, SegmentNumber, Wreck};
use crate::sequencer::segments;
use crate::storage::Objects;

/// The leaves of one bundle, as bytes.
pub(super) struct Bundle {
    number: u64,
    entries: Vec<Vec<u8>>,
}

impl Check<'_> {
    /// Reads every segment and tombstone: they follow each other from entry 0 to the last, without a gap.
    pub(super) fn segments(&mut self, head: &Head) -> io::Result<()> {
        let mut next = 0;
        let mut bundle = None;
        for number in segments(&self.storage)? {
            if number > head.end.segment {
                let name = segment::name(number);
                self.knows(&name);
                self.note(&name, "was never counted; the log will replace it");
                continue;
            }
            next = self.segment(number, head, next, &mut bundle)?;
        }
        if next != head.size() {
            let what = format!(
                "the segments end with entry {next}, the log has {}",
                head.size()
            );
            self.damage(segment::SEGMENTS, what);
        }
        Ok(())
    }

    fn segment(
        &mut self,
        number: SegmentNumber,
        head: &Head,
        first: u64,
        bundle: &mut Option<Bundle>,
    ) -> io::Result<u64> {
        let (name, pruned_name) = (segment::name(number), segment::pruned_name(number));
        let tombstone = match Tombstone::read(&self.storage, number) {
            Ok(tombstone) => tombstone,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.knows(&pruned_name);
                self.damage(&pruned_name, "does not have its checksum");
                None
            }
            Err(error) => return Err(error),
        };
        if let Some(tombstone) = tombstone {
            self.knows(&pruned_name);
            if tombstone.first != first {
                let what = format!("begins with entry {}, expected {first}", tombstone.first);
                self.damage(&pruned_name, what);
            }
            for (_, record) in tombstone.all_held() {
                self.record(&pruned_name, record, bundle)?;
            }
            let held = tombstone.all_held().len() as u64;
            let count = tombstone.ids.len() as u64;
            self.report.pruned += count - held.min(count);
            if self.storage.len(&name)?.is_some() {
                self.knows(&name);
                self.note(
                    &name,
                    "was pruned and not removed; the next pruning does it",
                );
            }
            return Ok(tombstone.first + count);
        }
        let Some(length) = self.storage.len(&name)? else {
            return Ok(self.after(number, head).unwrap_or(first));
        };
        self.knows(&name);
        let is_last = number == head.end.segment;
        let end = if is_last { head.end.offset } else { length };
        if length < end {
            let what = format!("has {length} bytes, the head counts {end}");
            self.damage(&name, what);
        }
        if length > end {
            self.note(
                &name,
                format!("has {} bytes that were never counted", length - end),
            );
        }
        let (mut offset, mut next) = (0, first);
        while offset < end {
            let batch = match segment::read_batch(&self.storage, number, offset) {
                Ok(batch) => batch,
                Err(SegmentError::Io { source, .. }) => return Err(source),
                Err(_) => {
                    (offset, next) = self.wreck(number, offset..end, next, head, bundle)?;
                    continue;
                }
            };
            self.begins(&name, offset, batch.header.first, next);
            for (_, record) in &batch.records {
                self.record(&name, record, bundle)?;
            }
            next = batch.header.first + batch.records.len() as u64;
            offset = batch.end;
            (self.progress)(next, head.size());
        }
        Ok(next)
    }

    fn begins(&mut self, name: &str, offset: u64, first: u64, expected: u64) {
        if first != expected {
            let what = format!(
                "the batch at byte {offset} begins with entry {first}, expected {expected}"
            );
            self.damage(name, what);
        }
    }

    /// What can be read of a batch in which something is damaged. Gives where the next one begins, and its first entry.
    fn wreck(
        &mut self,
        number: SegmentNumber,
        place: Range<u64>,
        next: u64,
        head: &Head,
        bundle: &mut Option<Bundle>,
    ) -> io::Result<(u64, u64)> {
        let name = segment::name(number);
        let wreck = Wreck::read(&self.storage, number, place.start, place.end)?;
        let first = match wreck.first() {
            Some(first) => {
                self.begins(&name, place.start, first, next);
                first
            }
            None => {
                let what = format!(
                    "the header of a batch, at byte {}, cannot be read",
                    place.start
                );
                self.damage(&name, what);
                next
            }
        };
        let until = wreck.until().or_else(|| self.after(number, head));
        let mut leaves = HashMap::new();
        let leaves_end = until.unwrap_or(first.saturating_add(wreck.records_max()));
        for index in first..leaves_end.min(self.report.entries) {
            if let Some(leaf) = self.entry(index, bundle)? {
                leaves.insert(leaf.to_vec(), index);
            }
        }
        let salvaged = wreck.salvage(first, until, &leaves);
        for record in &salvaged.records {
            self.record(&name, record, bundle)?;
        }
        for Lost { offset, entries } in &salvaged.lost {
            let what = match entries.end - entries.start {
                0 => format!("what is at byte {offset} is damaged"),
                1 => format!(
                    "the payload of entry {}, at byte {offset}, cannot be read",
                    entries.start
                ),
                _ => format!(
                    "the payloads of entries {} to {}, from byte {offset} on, cannot be read",
                    entries.start,
                    entries.end - 1
                ),
            };
            self.damage(&name, what);
        }
        (self.progress)(salvaged.next, head.size());
        Ok((wreck.end(), salvaged.next))
    }

    /// The first entry after a segment. `None`: the next segment does not tell.
    fn after(&self, number: SegmentNumber, head: &Head) -> Option<u64> {
        let is_last = number + u32::from(head.end.offset == 0) >= head.end.segment;
        if is_last {
            return Some(head.size());
        }
        if let Ok(Some(tombstone)) = Tombstone::read(&self.storage, number + 1) {
            return Some(tombstone.first);
        }
        let next = segment::read_header(&self.storage, number + 1, 0).ok();
        next.map(|header| header.first)
    }

    /// Whether an entry's leaf was read from a bundle that is what was written.
    pub(super) fn is_comparable(&self, index: u64) -> bool {
        index < self.report.entries && !self.damaged_bundles.contains(&(index / 256))
    }

    fn record(
        &mut self,
        name: &str,
        record: &Record,
        bundle: &mut Option<Bundle>,
    ) -> io::Result<()> {
        self.report.payloads += 1;
        let index = record.index;
        let what = |text: &str| format!("entry {index}: {text}");
        let envelope = Envelope::parse(&record.payload);
        let leaf = Leaf::parse(&record.leaf);
        match (envelope, leaf) {
            (Ok(envelope), Ok(leaf))
                if Leaf::of(leaf.kind, &envelope, leaf.sequence) == leaf
                    && envelope.to_json() == record.payload => {}
            (Ok(_), Ok(_)) => {
                self.damage(name, what("its payload is not what its leaf commits to"))
            }
            _ => self.damage(name, what("it cannot be read")),
        }
        if self.is_comparable(index) && self.entry(index, bundle)? != Some(record.leaf.as_slice()) {
            self.damage(name, what("its leaf is not the one in the tree"));
        }
        Ok(())
    }

    /// The bytes of an entry, of which the bundle was compared before.
    pub(super) fn entry<'b>(
        &self,
        index: u64,
        bundle: &'b mut Option<Bundle>,
    ) -> io::Result<Option<&'b [u8]>> {
        let number = index / 256;
        if bundle.as_ref().is_none_or(|kept| kept.number != number) {
            let tile = Tile::at(TileKind::Entries, number, self.report.entries);
            let candidates = [tile, tile.and_then(|tile| tile.full())];
            let mut entries = Vec::new();
            for tile in candidates.into_iter().flatten() {
                if let Some(bytes) = self.storage.get(&tile.to_string())? {
                    let decoded = decode_bundle(&bytes).unwrap_or_default();
                    entries = decoded.into_iter().map(<[u8]>::to_vec).collect();
                    break;
                }
            }
            *bundle = Some(Bundle { number, entries });
        }
        let at = usize::try_from(index % 256).unwrap_or(usize::MAX);
        let kept = bundle.as_ref().and_then(|kept| kept.entries.get(at));
        Ok(kept.map(Vec::as_slice))
    }
}
