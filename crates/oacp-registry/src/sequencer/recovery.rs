//! Opening a log, and following what another process appended: the head says how far to go, the segments say what is there.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use oacp::entry::Entry;
use oacp::leaf::Leaf;
use oacp_tlog::checkpoint::SignedCheckpoint;
use oacp_tlog::edge::{Edge, EdgeError};
use oacp_tlog::hash::Hash;
use oacp_tlog::tile::Tile;
use thiserror::Error;

use super::{CHECKPOINT, FlushError, Rows, Sequencer, SequencerOptions, Storage, UNSYNCED, sign};
use crate::head::{Head, Mark, Position};
use crate::index::{Place, Row};
use crate::limits::UNSYNCED_ENTRIES_MAX;
use crate::log::chain;
use crate::read::{ReadError, Reader};
use crate::retention::Tombstone;
use crate::segment::{self, Batch, Record, SEGMENTS, SegmentError, SegmentNumber};
use crate::storage::{Loaded, Objects, Versioned};

/// Rows that are added to the index at once.
const ROWS_AT_ONCE: usize = 2048;

/// Why a log cannot be opened, or another process's entries cannot be followed.
#[derive(Debug, Error)]
pub enum RecoveryError {
    /// The storage.
    #[error("the log's storage cannot be read or written")]
    Io(#[from] io::Error),
    /// Something is not what was written.
    #[error("{what} is damaged")]
    Damaged {
        /// What, and where.
        what: String,
    },
    /// Something that was written is not there.
    #[error("{what} is missing")]
    Missing {
        /// What, and where.
        what: String,
    },
    /// It is another log's directory, or another key's.
    #[error(
        "the log there is signed by another key or has another origin: `{found}`, expected `{expected}`"
    )]
    OtherLog {
        /// There.
        found: String,
        /// Ours.
        expected: String,
    },
    /// The storage has lost what was acknowledged: somebody restored an old copy of a part of it.
    #[error(
        "the log has {head} entries, and {witness} knows of {known}: a part of its directory is older than the rest"
    )]
    RolledBack {
        /// Entries now.
        head: u64,
        /// What remembers.
        witness: &'static str,
        /// Entries that there were.
        known: u64,
    },
}

impl From<SegmentError> for RecoveryError {
    fn from(error: SegmentError) -> Self {
        match error {
            SegmentError::Io { source, .. } => Self::Io(source),
            SegmentError::Missing { .. } => Self::Missing {
                what: error.place(),
            },
            SegmentError::Damaged { .. } => Self::Damaged {
                what: error.place(),
            },
        }
    }
}

fn damaged(what: impl Into<String>) -> RecoveryError {
    RecoveryError::Damaged { what: what.into() }
}

impl Sequencer {
    /// Opens the log that `storage` holds; makes one if there is none. Makes the tiles again that may not be durable, and gives `rows`
    /// what it lacks.
    ///
    /// # Errors
    /// [`RecoveryError`]. Nothing that is damaged is passed over.
    pub fn open(
        storage: Arc<dyn Storage>,
        options: SequencerOptions,
        rows: &dyn Rows,
    ) -> Result<Self, RecoveryError> {
        let lock = Arc::clone(&storage);
        let _locked = lock.lock()?;
        let Loaded {
            newest,
            may_be_older,
        } = storage.load()?;
        let (generation, head) = match newest {
            Some(found) => {
                // A swap that failed may have left it readable, and not durable.
                storage.confirm(&found)?;
                read_head(&found, &options)?
            }
            None if storage.list(SEGMENTS)?.is_empty() && storage.get(CHECKPOINT)?.is_none() => {
                (0, first_head(&options)?)
            }
            None => return Err(damaged("`head`")),
        };
        let is_new = generation == 0;
        let (edge, durable) = edge_and_mark(&*storage, head.durable)?;
        let head = Head { durable, ..head };
        let mut sequencer = Self {
            edge,
            durable: head.durable,
            segment_began_ms: segment_began(&*storage, head.end)?,
            generation,
            head,
            options,
            partials: VecDeque::new(),
            recent: HashMap::new(),
            recent_order: VecDeque::new(),
            rows: Vec::new(),
            stopped: None,
            storage,
        };
        if is_new {
            let head = sequencer.head.clone();
            sequencer.swap(head).map_err(write_error)?;
        }
        sequencer.list_partials()?;
        sequencer.replay(rows)?;
        if may_be_older {
            sequencer.adopt_what_a_torn_swap_left()?;
        }
        sequencer.refuse_older_than_known(rows)?;
        sequencer.put_tiles().map_err(write_error)?;
        if sequencer.storage.get(UNSYNCED)?.is_some() {
            // All that may not be durable was put again.
            sequencer.storage.delete(UNSYNCED)?;
        }
        let adopted = sequencer.take_rows();
        add_rows(rows, adopted)?;
        sequencer.forget(rows.through()?);
        Ok(sequencer)
    }

    /// The partial tiles that earlier processes put at the right edge.
    fn list_partials(&mut self) -> Result<(), RecoveryError> {
        for tile in Tile::partials(self.head.durable.size) {
            let path = tile.to_string();
            let Some((directory, _)) = path.rsplit_once('/') else {
                continue;
            };
            let names = self.storage.list(directory)?;
            let widths = names.iter().filter_map(|name| name.parse().ok());
            let tiles = widths.filter_map(|width| Tile::new(tile.kind(), tile.index(), width));
            self.partials.extend(tiles);
        }
        Ok(())
    }

    /// Reads the batches from where the tiles are durable up to the head, and before them what `rows` lacks.
    fn replay(&mut self, rows: &dyn Rows) -> Result<(), RecoveryError> {
        let size = self.size();
        self.give_older_rows(rows)?;
        let Mark {
            size: mut at,
            mut position,
        } = self.head.durable;
        let mut put = at;
        let mut through = rows.through()?;
        while at < size {
            let batch = self.batch_at(position, at)?;
            at += batch.records.len() as u64;
            position = Position {
                segment: batch.segment(position),
                offset: batch.batch.end,
            };
            self.take_in(&batch.batch, through)?;
            let learnt = self.take_rows();
            add_rows(rows, learnt)?;
            through = through.max(at);
            self.forget(through);
            if at - put > UNSYNCED_ENTRIES_MAX {
                self.put_changed().map_err(write_error)?;
                put = at;
            }
        }
        self.check_root(at, position)
    }

    /// The tree that was read has to be the one that was signed.
    fn check_root(&self, at: u64, position: Position) -> Result<(), RecoveryError> {
        let checkpoint = &self.head.checkpoint;
        if at != checkpoint.size() || position != self.head.end {
            return Err(damaged(
                "a segment: its batches do not end where the head says",
            ));
        }
        if self.edge.root() != checkpoint.root() {
            return Err(damaged(
                "the right edge of the tree, or a segment: the root is not the signed one; `oacp log fsck` names the file",
            ));
        }
        Ok(())
    }

    /// Rows of entries whose tiles are durable, and which `rows` does not have: it was lost, or is another process's.
    fn give_older_rows(&mut self, rows: &dyn Rows) -> Result<(), RecoveryError> {
        let durable = self.head.durable;
        if rows.through()? >= durable.size {
            return Ok(());
        }
        for segment in segments(&*self.storage)? {
            if rows.through()? >= durable.size {
                break;
            }
            if let Some(tombstone) = Tombstone::read(&*self.storage, segment)? {
                let lacking = self.rows_of_pruned(&tombstone, rows.through()?)?;
                add_rows(rows, lacking)?;
                continue;
            }
            let header = segment::read_header(&*self.storage, segment, 0)?;
            if self.next_begins_at_or_before(segment, rows.through()?)? {
                continue;
            }
            let (mut offset, mut at) = (0, header.first);
            while at < durable.size
                && (Position { segment, offset }) != durable.position
                && self
                    .storage
                    .len(&segment::name(segment))?
                    .is_some_and(|len| offset < len)
            {
                let batch = segment::read_batch(&*self.storage, segment, offset)?;
                at += batch.records.len() as u64;
                offset = batch.end;
                let through = rows.through()?;
                let lacking = batch
                    .records
                    .iter()
                    .filter(|(_, record)| record.index >= through);
                let lacking = lacking
                    .map(|(place, record)| row(*place, record))
                    .collect::<Result<_, _>>()?;
                add_rows(rows, lacking)?;
            }
        }
        if rows.through()? < durable.size {
            return Err(damaged(format!(
                "the list of segments: none holds entry {}",
                rows.through()?
            )));
        }
        Ok(())
    }

    /// Whether the segment after this one begins at or before an entry, so that this one need not be read.
    fn next_begins_at_or_before(
        &self,
        segment: SegmentNumber,
        index: u64,
    ) -> Result<bool, RecoveryError> {
        if segment >= self.head.end.segment {
            return Ok(false);
        }
        if let Some(tombstone) = Tombstone::read(&*self.storage, segment + 1)? {
            return Ok(tombstone.first <= index);
        }
        let next = segment::read_header(&*self.storage, segment + 1, 0)?;
        Ok(next.first <= index)
    }

    fn rows_of_pruned(
        &self,
        tombstone: &Tombstone,
        through: u64,
    ) -> Result<Vec<Row>, RecoveryError> {
        let mut rows = Vec::new();
        let mut bundle: Option<(u64, Vec<Leaf>)> = None;
        for (index, id) in (tombstone.first..).zip(&tombstone.ids) {
            if index < through {
                continue;
            }
            let number = index / 256;
            if bundle.as_ref().is_none_or(|(kept, _)| *kept != number) {
                bundle = Some((number, self.leaves(number)?));
            }
            let leaf = bundle.as_ref().and_then(|(_, leaves)| {
                usize::try_from(index % 256)
                    .ok()
                    .and_then(|at| leaves.get(at))
            });
            let leaf = leaf.ok_or_else(|| damaged(format!("the bundle of entry {index}")))?;
            rows.push(match tombstone.held(index) {
                Some((place, record)) => row(place, record)?,
                None => Row {
                    index,
                    kind: leaf.kind,
                    id: *id,
                    pae: leaf.pae,
                    place: Place {
                        segment: tombstone.segment,
                        offset: 0,
                    },
                    facts: None,
                },
            });
        }
        Ok(rows)
    }

    fn leaves(&self, number: u64) -> Result<Vec<Leaf>, RecoveryError> {
        Reader::new(&*self.storage, &self.edge)
            .leaves(number)
            .map_err(|error| match error {
                ReadError::Io { source, .. } => RecoveryError::Io(source),
                error => damaged(error.to_string()),
            })
    }

    /// The batch at a position, or at the beginning of the next segment.
    fn batch_at(&self, position: Position, first: u64) -> Result<Found, RecoveryError> {
        let here = segment::read_batch(&*self.storage, position.segment, position.offset);
        let has_next = position.segment < self.head.end.segment && position.offset > 0;
        let (batch, is_next) = match here {
            Err(SegmentError::Missing { .. }) if has_next => (
                segment::read_batch(&*self.storage, position.segment + 1, 0)?,
                true,
            ),
            here => (here?, false),
        };
        if is_next && batch.header.first > first {
            // What lies between went with its segment.
            return Err(RecoveryError::Missing {
                what: format!("the batch of entry {first}"),
            });
        }
        if batch.header.first != first {
            return Err(damaged(format!(
                "segment {}: a batch begins with entry {}, expected {first}",
                position.segment, batch.header.first
            )));
        }
        Ok(Found { batch, is_next })
    }

    /// Takes a batch into the tree and into the rows from `through` on.
    fn take_in(&mut self, batch: &Batch, through: u64) -> Result<(), RecoveryError> {
        let mut rows = Vec::new();
        for (place, record) in &batch.records {
            self.edge
                .push(&record.leaf)
                .map_err(|error| damaged(error.to_string()))?;
            if record.index >= through {
                rows.push(row(*place, record)?);
            }
        }
        self.learn(rows);
        Ok(())
    }

    /// A head cannot be read, so there may have been a newer one: it would count the batch that follows the one that can be read. Such a
    /// batch was made durable before its head was written, so it is either there or was never counted. It is taken; its
    /// checkpoint comes out the same, should anybody have seen it.
    fn adopt_what_a_torn_swap_left(&mut self) -> Result<(), RecoveryError> {
        let end = self.head.end;
        let here = segment::read_batch(&*self.storage, end.segment, end.offset);
        let found = match here {
            Ok(batch) if batch.header.first == self.size() => Some((end, batch)),
            _ if end.offset > 0 => {
                let next = Position {
                    segment: end.segment + 1,
                    offset: 0,
                };
                let batch = segment::read_batch(&*self.storage, next.segment, 0).ok();
                batch
                    .filter(|batch| batch.header.first == self.size())
                    .map(|batch| (next, batch))
            }
            _ => None,
        };
        let Some((position, batch)) = found else {
            return Ok(());
        };
        // What a failed flush left readable need not be durable.
        let name = segment::name(position.segment);
        let bytes = usize::try_from(batch.end - position.offset).unwrap_or(usize::MAX);
        let bytes = self.storage.read_at(&name, position.offset, bytes)?;
        self.storage.append(&name, position.offset, &bytes)?;
        self.take_in(&batch, 0)?;
        let head = Head {
            end: Position {
                segment: position.segment,
                offset: batch.end,
            },
            durable: self.durable,
            checkpoint: self.sign(&self.edge)?,
        };
        if position.offset == 0 {
            self.segment_began_ms = batch.header.time_ms;
        }
        self.swap(head).map_err(write_error)
    }

    fn refuse_older_than_known(&self, rows: &dyn Rows) -> Result<(), RecoveryError> {
        let known = rows.through()?;
        if known > self.size() {
            return Err(RecoveryError::RolledBack {
                head: self.size(),
                witness: "its index",
                known,
            });
        }
        let Some(bytes) = self.storage.get(CHECKPOINT)? else {
            return Ok(());
        };
        // One that is torn or rotten says nothing; it is put again.
        let Ok(published) = SignedCheckpoint::parse(&bytes) else {
            return Ok(());
        };
        let is_ours = published.verify(&self.options.key.verifier());
        if is_ours && published.size() > self.size() {
            return Err(RecoveryError::RolledBack {
                head: self.size(),
                witness: "the checkpoint that it gave out",
                known: published.size(),
            });
        }
        Ok(())
    }

    /// Takes in what another process appended since.
    ///
    /// # Errors
    /// [`FlushError`].
    pub(super) fn follow(&mut self) -> Result<(), FlushError> {
        let Loaded {
            newest,
            may_be_older,
        } = self.storage.load().map_err(FlushError::Begin)?;
        let Some(newest) = newest else {
            return Err(FlushError::Follow(damaged("`head`")));
        };
        if newest.generation == self.generation && !may_be_older {
            return Ok(());
        }
        let followed = self.take_over(&newest, may_be_older);
        if let Err(error) = followed {
            let error = FlushError::Follow(error);
            self.stop(&error);
            return Err(error);
        }
        self.put_tiles().inspect_err(|error| {
            // Tiles that were taken out and not put would be missed later.
            self.stopped = Some(chain(error));
        })
    }

    fn take_over(&mut self, newest: &Versioned, may_be_older: bool) -> Result<(), RecoveryError> {
        let is_behind_us = newest.generation < self.generation;
        if is_behind_us {
            // Ours was durable: the slot that held it has rotted since.
            return Err(damaged("`head`"));
        }
        if newest.generation > self.generation {
            self.storage.confirm(newest)?;
            let (generation, head) = read_head(newest, &self.options)?;
            let (mut at, mut position) = (self.size(), self.head.end);
            self.generation = generation;
            self.head = head;
            while at < self.size() {
                let found = match self.batch_at(position, at) {
                    // It was pruned, so its tiles are durable, and its rows are in the index.
                    Err(RecoveryError::Missing { .. }) if at < self.head.durable.size => {
                        self.edge = read_edge(&*self.storage, self.head.durable.size)?;
                        (at, position) = (self.head.durable.size, self.head.durable.position);
                        continue;
                    }
                    found => found?,
                };
                at += found.batch.records.len() as u64;
                position = Position {
                    segment: found.segment(position),
                    offset: found.batch.end,
                };
                self.take_in(&found.batch, 0)?;
            }
            if at == self.size() {
                // A segment may have been ended without another batch.
                position = self.head.end;
            }
            self.check_root(at, position)?;
            if self.head.durable.size > self.durable.size {
                self.durable = self.head.durable;
            }
            self.segment_began_ms = segment_began(&*self.storage, self.head.end)?;
        }
        if may_be_older {
            self.adopt_what_a_torn_swap_left()?;
        }
        Ok(())
    }
}

/// A batch, and whether it stands in the segment after the one asked for.
struct Found {
    batch: Batch,
    is_next: bool,
}

impl std::ops::Deref for Found {
    type Target = Batch;

    fn deref(&self) -> &Batch {
        &self.batch
    }
}

impl Found {
    fn segment(&self, asked: Position) -> SegmentNumber {
        asked.segment + SegmentNumber::from(self.is_next)
    }
}

fn write_error(error: FlushError) -> RecoveryError {
    match error {
        FlushError::Write { source, .. } | FlushError::Begin(source) => RecoveryError::Io(source),
        FlushError::Follow(error) => error,
        error => RecoveryError::Io(io::Error::other(error.to_string())),
    }
}

fn read_head(found: &Versioned, options: &SequencerOptions) -> Result<(u64, Head), RecoveryError> {
    let head = Head::parse(&found.value).ok_or_else(|| damaged("`head`"))?;
    let origin = head.checkpoint.origin();
    if *origin != options.origin.to_string() || !head.checkpoint.verify(&options.key.verifier()) {
        return Err(RecoveryError::OtherLog {
            found: origin.to_owned(),
            expected: options.key.verifier().to_string(),
        });
    }
    Ok((found.generation, head))
}

fn first_head(options: &SequencerOptions) -> io::Result<Head> {
    Ok(Head {
        end: Position::default(),
        durable: Mark::default(),
        checkpoint: sign(options, 0, Hash::EMPTY_TREE)?,
    })
}

/// The edge of the tree whose tiles are durable. If one of them cannot be read, and every payload is still there, all tiles are made
/// again, from the first.
fn edge_and_mark(storage: &dyn Storage, durable: Mark) -> Result<(Edge, Mark), RecoveryError> {
    match read_edge(storage, durable.size) {
        Ok(edge) => Ok((edge, durable)),
        Err(RecoveryError::Damaged { .. }) if is_unpruned(storage)? => {
            Ok((Edge::new(), Mark::default()))
        }
        Err(error) => Err(error),
    }
}

fn is_unpruned(objects: &dyn Objects) -> io::Result<bool> {
    let names = objects.list(SEGMENTS)?;
    Ok(!names.is_empty() && !names.iter().any(|name| name.ends_with(".pruned")))
}

fn read_edge(objects: &dyn Storage, size: u64) -> Result<Edge, RecoveryError> {
    let read = |tile: Tile| match objects.get(&tile.to_string())? {
        Some(bytes) => Ok(bytes),
        // Another process has filled it since, and removed the partial one.
        None => {
            let full = tile.full().map(|full| full.to_string());
            let full = full.map(|name| objects.get(&name)).transpose()?.flatten();
            full.ok_or_else(|| damaged(format!("`{tile}`, which is missing,")))
        }
    };
    Edge::from_tiles(size, read).map_err(|error| match error {
        EdgeError::Read { source, .. } => source,
        EdgeError::Wrong { tile } => damaged(format!("`{tile}`")),
        EdgeError::Size(_) => damaged("`head`"),
    })
}

/// When the segment that the next batch goes to was begun; now, if it is yet to be.
fn segment_began(objects: &dyn Storage, end: Position) -> Result<i64, RecoveryError> {
    if end.offset == 0 {
        return Ok(i64::MAX);
    }
    match segment::read_header(objects, end.segment, 0) {
        Ok(header) => Ok(header.time_ms),
        // It was pruned: the next batch begins another.
        Err(SegmentError::Missing { .. }) => Ok(i64::MIN),
        Err(error) => Err(error.into()),
    }
}

/// The segments that there are or were, in order.
pub(crate) fn segments(objects: &dyn Objects) -> io::Result<Vec<SegmentNumber>> {
    let mut numbers: Vec<SegmentNumber> = objects
        .list(SEGMENTS)?
        .iter()
        .filter_map(|name| {
            name.strip_suffix(".seg")
                .or_else(|| name.strip_suffix(".pruned"))?
                .parse()
                .ok()
        })
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

fn row(place: Place, record: &Record) -> Result<Row, RecoveryError> {
    let unreadable = |_| damaged(format!("the payload of entry {}", record.index));
    let entry = Entry::parse_unverified(&record.payload).map_err(unreadable)?;
    if entry.leaf().to_bytes() != record.leaf {
        return Err(damaged(format!("the payload of entry {}", record.index)));
    }
    let (_, leaf, facts) = entry.into_parts();
    Ok(Row {
        index: record.index,
        kind: leaf.kind,
        id: record.id,
        pae: leaf.pae,
        place,
        facts: Some(facts),
    })
}

fn add_rows(rows: &dyn Rows, lacking: Vec<Row>) -> Result<(), RecoveryError> {
    let mut lacking = lacking.into_iter().peekable();
    while lacking.peek().is_some() {
        rows.add(lacking.by_ref().take(ROWS_AT_ONCE).collect())?;
    }
    Ok(())
}
