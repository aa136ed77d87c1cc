//! Payloads, each against its leaf.

use std::io;

use oacp::envelope::Envelope;
use oacp::leaf::Leaf;
use oacp_tlog::entry::decode_bundle;
use oacp_tlog::tile::{Tile, TileKind};

use super::Check;
use crate::head::Head;
use crate::retention::Tombstone;
use crate::segment::{self, Record, SegmentNumber};
use crate::sequencer::segments;
use crate::storage::Objects;

/// The leaves of one bundle, as bytes.
struct Bundle {
    number: u64,
    entries: Vec<Vec<u8>>,
}

impl Check<'_> {
    /// Reads every segment and tombstone: they follow each other from entry 0 to the last, without a gap.
    pub(super) fn segments(&mut self, head: &Head) -> io::Result<()> {
        let size = head.size().min(self.report.entries);
        let mut next = 0;
        let mut bundle = None;
        for number in segments(&self.storage)? {
            if number > head.end.segment {
                let name = segment::name(number);
                self.knows(&name);
                self.note(&name, "was never counted; the log will replace it");
                continue;
            }
            next = self.segment(number, head, next, size, &mut bundle)?;
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
        size: u64,
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
                self.record(&pruned_name, record, size, bundle)?;
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
            return Ok(first);
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
                Err(segment::SegmentError::Io { source, .. }) => return Err(source),
                Err(error) => {
                    self.damage(&name, error.to_string());
                    // Where the next batch begins is not known any more; the entries' number tells how many are lost.
                    return self.after(number, head);
                }
            };
            if batch.header.first != next {
                let what = format!(
                    "the batch at byte {offset} begins with entry {}, expected {next}",
                    batch.header.first
                );
                self.damage(&name, what);
            }
            for (_, record) in &batch.records {
                self.record(&name, record, size, bundle)?;
            }
            next = batch.header.first + batch.records.len() as u64;
            offset = batch.end;
            (self.progress)(next, head.size());
        }
        Ok(next)
    }

    /// The first entry after a segment that cannot be read to its end.
    fn after(&self, number: SegmentNumber, head: &Head) -> io::Result<u64> {
        if number >= head.end.segment {
            return Ok(head.size());
        }
        if let Ok(Some(tombstone)) = Tombstone::read(&self.storage, number + 1) {
            return Ok(tombstone.first);
        }
        let next = segment::read_header(&self.storage, number + 1, 0);
        Ok(next.map_or(head.size(), |header| header.first))
    }

    fn record(
        &mut self,
        name: &str,
        record: &Record,
        size: u64,
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
        let is_comparable = index < size && !self.damaged_bundles.contains(&(index / 256));
        if is_comparable && self.entry(index, bundle)? != Some(record.leaf.as_slice()) {
            self.damage(name, what("its leaf is not the one in the tree"));
        }
        Ok(())
    }

    /// The bytes of an entry, of which the bundle was compared before.
    fn entry<'b>(
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
