//! The sequencer: puts entries in order, one flush after the other. Synchronous, and all of it follows from what it is given and what
//! its storage says, so that a simulated disk can fail at every step.
//!
//! Between the steps of a flush these hold:
//!
//! - **A head covers only what is durable.** A batch is made durable before the head that counts it.
//! - **A checkpoint is shown to nobody before the head that holds it is durable.** So no two checkpoints of one size are ever seen: the next
//!   flush, of whichever process, starts from the head.
//! - **State unknown ⇒ stop.** After a write that failed nobody knows what is durable. The sequencer takes no more; opening finds out.

mod recovery;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use oacp::digest::Digest;
use oacp::entry::Entry;
use oacp::id::LogOrigin;
use oacp::leaf::{Leaf, LeafKind};
use oacp_tlog::checkpoint::{Checkpoint, SignedCheckpoint};
use oacp_tlog::edge::Edge;
use oacp_tlog::hash::Hash;
use oacp_tlog::key::SignerKey;
use oacp_tlog::tile::Tile;
use thiserror::Error;

pub use self::recovery::RecoveryError;
pub(crate) use self::recovery::segments;
use crate::head::{Head, Mark, Position};
use crate::index::{Place, Row};
use crate::limits::{PARTIALS_KEPT, SEGMENT_BYTES_MAX, SEGMENT_MS_MAX, UNSYNCED_ENTRIES_MAX};
use crate::log::chain;
use crate::read::Reader;
use crate::segment::{self, BatchWriter};
use crate::storage::{Heads, Objects};

/// The object that readers ask for first.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// Stands while tiles are made durable, and after that failed.
pub(crate) const UNSYNCED: &str = "unsynced";

/// Both interfaces.
pub trait Storage: Objects + Heads {}

impl<S: Objects + Heads> Storage for S {}

/// What remembers rows: the index. It need not be durable; what it lacks is read again from the segments.
pub trait Rows {
    /// Rows of entries below this are in it.
    ///
    /// # Errors
    /// It cannot be read.
    fn through(&self) -> io::Result<u64>;

    /// Adds rows, the first of them that of entry [`Rows::through`] or, if another process was quicker, of one before.
    ///
    /// # Errors
    /// They are not in it.
    fn add(&self, rows: Vec<Row>) -> io::Result<()>;

    /// Entries that may be this one: the execution or begin of this id; else what has this commitment. Some may be others.
    ///
    /// # Errors
    /// It cannot be read.
    fn candidates(&self, kind: LeafKind, id: &[u8; 16], pae: &Digest) -> io::Result<Vec<u64>>;
}

/// Who a log is, and when it shows its checkpoints.
pub struct SequencerOptions {
    /// The log's name.
    pub origin: LogOrigin,
    /// Signs checkpoints.
    pub key: Arc<SignerKey>,
    /// Whether a flush puts its checkpoint where readers look. Otherwise [`Sequencer::publish`] does.
    pub publishes: bool,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It is entry `0` now.
    New(u64),
    /// It was entry `0` before.
    Known(u64),
    /// Another entry, `0`, has its id.
    Conflict(u64),
}

/// Why a flush did not come to its end. Entries that were acknowledged stay.
#[derive(Debug, Error)]
pub enum FlushError {
    /// A write failed before, or in another process's flush.
    #[error("stopped before: {0}")]
    Stopped(String),
    /// The lock cannot be had, or the head cannot be read. Nothing has changed.
    #[error("cannot begin a flush")]
    Begin(#[source] io::Error),
    /// What another process appended cannot be read.
    #[error("cannot follow what another process appended")]
    Follow(#[source] RecoveryError),
    /// The index cannot be asked.
    #[error("cannot look for duplicates")]
    Rows(#[source] io::Error),
    /// A write.
    #[error("cannot write {what}")]
    Write {
        /// What.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// The state of a log, and the only way to change it.
pub struct Sequencer {
    storage: Arc<dyn Storage>,
    options: SequencerOptions,
    generation: u64,
    head: Head,
    /// Of the tree under the head.
    edge: Edge,
    /// When the newest segment was begun, in milliseconds.
    segment_began_ms: i64,
    /// Where the entries begin whose tiles may be not yet durable, if they were published since.
    durable: Mark,
    /// Partial tiles that were put and not yet removed.
    partials: VecDeque<Tile>,
    /// Entries that [`Rows`] may not have yet.
    recent: HashMap<Key, (u64, Digest)>,
    /// In order, to forget them.
    recent_order: VecDeque<(u64, Key)>,
    rows: Vec<Row>,
    stopped: Option<String>,
}

/// What may be in a log once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    kind: LeafKind,
    id: [u8; 16],
    /// For the kinds of which one id has several.
    pae: Option<Digest>,
}

impl Key {
    fn new(kind: LeafKind, id: [u8; 16], pae: Digest) -> Self {
        let is_one_of_its_id = matches!(kind, LeafKind::Execution | LeafKind::Begin);
        Self {
            kind,
            id,
            pae: (!is_one_of_its_id).then_some(pae),
        }
    }
}

impl Sequencer {
    /// The newest durable checkpoint.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.head.checkpoint
    }

    /// The number of entries.
    pub fn size(&self) -> u64 {
        self.head.size()
    }

    /// The right edge of the tree.
    pub fn edge(&self) -> &Edge {
        &self.edge
    }

    /// Why it stopped.
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// Rows of what was appended since the last call, by this process or another.
    pub fn take_rows(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.rows)
    }

    /// [`Rows`] has everything below `through`.
    pub fn forget(&mut self, through: u64) {
        while let Some((index, key)) = self.recent_order.front().copied()
            && index < through
        {
            self.recent.remove(&key);
            self.recent_order.pop_front();
        }
    }

    /// How many entries' tiles start-up would make again.
    pub fn unsettled(&self) -> u64 {
        self.size() - self.head.durable.size
    }

    /// Takes in what other processes appended, and tells whether there was anything.
    ///
    /// # Errors
    /// [`FlushError`].
    pub fn look(&mut self) -> Result<bool, FlushError> {
        let (storage, before) = (Arc::clone(&self.storage), self.generation);
        let loaded = storage.load().map_err(FlushError::Begin)?;
        if loaded
            .newest
            .is_some_and(|newest| newest.generation == before)
            || self.stopped.is_some()
        {
            return Ok(false);
        }
        let _locked = storage.lock().map_err(FlushError::Begin)?;
        self.follow()?;
        Ok(self.generation != before)
    }

    /// Appends, and calls `acknowledge` once everything is durable, before it is published. `time_ms` is the time by which payloads
    /// will be pruned, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`FlushError`]. If `acknowledge` was called, what it was told stays true.
    pub fn flush(
        &mut self,
        entries: &[Entry],
        time_ms: i64,
        rows: &dyn Rows,
        acknowledge: &mut dyn FnMut(Vec<Placed>),
    ) -> Result<(), FlushError> {
        if let Some(reason) = &self.stopped {
            return Err(FlushError::Stopped(reason.clone()));
        }
        let storage = Arc::clone(&self.storage);
        let _locked = storage.lock().map_err(FlushError::Begin)?;
        self.follow()?;

        let (placed, new) = self.place(entries, rows)?;
        if !new.is_empty()
            && let Err(error) = self.append(&new, time_ms)
        {
            self.stop(&error);
            return Err(error);
        }
        acknowledge(placed);
        if !new.is_empty()
            && let Err(error) = self.put_tiles()
        {
            self.stop(&error);
            return Err(error);
        }
        Ok(())
    }

    fn stop(&mut self, error: &FlushError) {
        self.stopped = Some(chain(error));
    }

    /// Decides what is new, and where each entry is or will be.
    fn place<'e>(
        &self,
        entries: &'e [Entry],
        rows: &dyn Rows,
    ) -> Result<(Vec<Placed>, Vec<&'e Entry>), FlushError> {
        let mut placed = Vec::with_capacity(entries.len());
        let mut new = Vec::new();
        let mut in_batch: HashMap<Key, (u64, Digest)> = HashMap::new();
        for entry in entries {
            let (leaf, id) = (entry.leaf(), entry.facts().id);
            let key = Key::new(leaf.kind, id, leaf.pae);
            let known = match in_batch.get(&key).or_else(|| self.recent.get(&key)) {
                Some(known) => Some(*known),
                None => self.older(leaf, &id, rows).map_err(FlushError::Rows)?,
            };
            placed.push(match known {
                Some((index, pae)) if pae == leaf.pae => Placed::Known(index),
                Some((index, _)) => Placed::Conflict(index),
                None => {
                    let index = self.size() + new.len() as u64;
                    in_batch.insert(key, (index, leaf.pae));
                    new.push(entry);
                    Placed::New(index)
                }
            });
        }
        Ok((placed, new))
    }

    /// The entry that `rows` has under this key. A row that is not of the entry that it names is an error: the one that it should be of
    /// cannot be told from none.
    fn older(
        &self,
        leaf: &Leaf,
        id: &[u8; 16],
        rows: &dyn Rows,
    ) -> io::Result<Option<(u64, Digest)>> {
        for index in rows.candidates(leaf.kind, id, &leaf.pae)? {
            let found = self.leaf(index)?;
            if found.kind != leaf.kind {
                return Err(io::Error::other(format!(
                    "the index has entry {index} as {}, and it is {}; `oacp log reindex` makes the index anew",
                    leaf.kind, found.kind
                )));
            }
            // What has no id of its own is the same only if it is the same.
            if found.pae == leaf.pae || Key::new(leaf.kind, *id, leaf.pae).pae.is_none() {
                return Ok(Some((index, found.pae)));
            }
        }
        Ok(None)
    }

    /// The leaf of an entry below the size.
    pub(crate) fn leaf(&self, index: u64) -> io::Result<Leaf> {
        let reader = Reader::new(&*self.storage, &self.edge);
        reader.leaf(index).map_err(io::Error::other)
    }

    /// Makes a batch durable, and then the head that counts it.
    fn append(&mut self, new: &[&Entry], time_ms: i64) -> Result<(), FlushError> {
        let size = self.size();
        let position = self.position_for_next(time_ms);
        let mut batch = BatchWriter::new(size, time_ms, new.len() * 4096);
        let mut edge = self.edge.clone();
        let mut rows = Vec::with_capacity(new.len());
        for (index, entry) in (size..).zip(new) {
            let leaf = entry.leaf().to_bytes();
            let facts = entry.facts();
            let offset = batch.push(&facts.id, &leaf, &entry.envelope().to_json());
            edge.push(&leaf).map_err(|error| FlushError::Write {
                what: "a leaf",
                source: io::Error::other(error),
            })?;
            rows.push(Row {
                index,
                kind: facts.kind,
                id: facts.id,
                pae: entry.leaf().pae,
                place: Place {
                    segment: position.segment,
                    offset: position.offset + offset,
                },
                facts: Some(facts.clone()),
            });
        }
        let bytes = batch.finish();
        let head = Head {
            end: Position {
                segment: position.segment,
                offset: position.offset + bytes.len() as u64,
            },
            durable: self.durable,
            checkpoint: self.sign(&edge).map_err(|source| FlushError::Write {
                what: "a checkpoint",
                source,
            })?,
        };
        self.seal_before(position)?;
        let name = segment::name(position.segment);
        self.storage
            .append(&name, position.offset, &bytes)
            .map_err(|source| FlushError::Write {
                what: "the batch",
                source,
            })?;
        self.swap(head)?;
        if position.offset == 0 {
            self.segment_began_ms = time_ms;
        }
        self.edge = edge;
        self.learn(rows);
        Ok(())
    }

    /// Cuts off what a failed flush left behind the last batch of a segment that gets no further one: it would be read as the next.
    fn seal_before(&self, next: Position) -> Result<(), FlushError> {
        let end = self.head.end;
        if next.segment == end.segment {
            return Ok(());
        }
        let name = segment::name(end.segment);
        let seal = || match self.storage.len(&name)? {
            Some(len) if len > end.offset => self.storage.append(&name, end.offset, &[]),
            _ => Ok(()),
        };
        seal().map_err(|source| FlushError::Write {
            what: "the end of a segment",
            source,
        })
    }

    fn swap(&mut self, head: Head) -> Result<(), FlushError> {
        self.storage
            .swap(self.generation, &head.to_bytes())
            .map_err(|source| FlushError::Write {
                what: "the head",
                source,
            })?;
        self.generation += 1;
        self.head = head;
        Ok(())
    }

    fn sign(&self, edge: &Edge) -> io::Result<SignedCheckpoint> {
        sign(&self.options, edge.size(), edge.root())
    }

    /// Behind the last batch, or at the beginning of the next segment.
    fn position_for_next(&self, time_ms: i64) -> Position {
        let end = self.head.end;
        let is_full = end.offset >= SEGMENT_BYTES_MAX
            || time_ms.saturating_sub(self.segment_began_ms) >= SEGMENT_MS_MAX;
        if end.offset > 0 && is_full {
            Position {
                segment: end.segment + 1,
                offset: 0,
            }
        } else {
            end
        }
    }

    fn learn(&mut self, rows: Vec<Row>) {
        for row in &rows {
            let key = Key::new(row.kind, row.id, row.pae);
            self.recent.insert(key, (row.index, row.pae));
            self.recent_order.push_back((row.index, key));
        }
        self.rows.extend(rows);
    }

    /// Puts the tiles that changed, and then, if that is for the sequencer to do, the checkpoint.
    fn put_tiles(&mut self) -> Result<(), FlushError> {
        self.put_changed()?;
        if self.options.publishes {
            self.put_checkpoint(&self.head.checkpoint)?;
        }
        if self.size() - self.durable.size > UNSYNCED_ENTRIES_MAX {
            self.sync()?;
        }
        self.remove_partials(PARTIALS_KEPT);
        Ok(())
    }

    /// Puts the tiles that changed.
    fn put_changed(&mut self) -> Result<(), FlushError> {
        let durable = self.durable.size.max(self.head.durable.size);
        for (tile, bytes) in self.edge.take_changed() {
            // Another process made it durable; putting it again would undo that.
            if tile.width_at(durable) >= tile.width() {
                continue;
            }
            self.storage
                .put(&tile.to_string(), &bytes)
                .map_err(|source| FlushError::Write {
                    what: "a tile",
                    source,
                })?;
            if !tile.is_full() {
                self.partials.push_back(tile);
            }
        }
        Ok(())
    }

    fn put_checkpoint(&self, checkpoint: &SignedCheckpoint) -> Result<(), FlushError> {
        self.storage
            .put(CHECKPOINT, checkpoint.to_string().as_bytes())
            .map_err(|source| FlushError::Write {
                what: "the checkpoint",
                source,
            })
    }

    /// Puts a checkpoint of this log where readers look, unless there is a larger one. It may have cosignatures.
    ///
    /// # Errors
    /// [`FlushError`].
    pub fn publish(&mut self, checkpoint: &SignedCheckpoint) -> Result<(), FlushError> {
        let storage = Arc::clone(&self.storage);
        let _locked = storage.lock().map_err(FlushError::Begin)?;
        let there = storage.get(CHECKPOINT).map_err(FlushError::Begin)?;
        let there = there.and_then(|bytes| SignedCheckpoint::parse(&bytes).ok());
        if there.is_some_and(|there| there.size() > checkpoint.size()) {
            return Ok(());
        }
        self.put_checkpoint(checkpoint)?;
        // Whoever has seen it must never see an older one: not after a power cut, either.
        self.sync_objects()
            .inspect_err(|error| self.stopped = Some(chain(error)))
    }

    /// Makes the tiles durable, and remembers that with the next head.
    fn sync(&mut self) -> Result<(), FlushError> {
        let mark = Mark {
            size: self.size(),
            position: self.head.end,
        };
        self.sync_objects()?;
        self.durable = mark;
        Ok(())
    }

    /// Makes durable what was put. The system says once that it could not, to one process, and would then tell another that all is well:
    /// so a mark stands beside it from before until it is done, and who finds one that was left does not go on. Opening puts the tiles
    /// again, and takes the mark away. The lock is held.
    fn sync_objects(&self) -> Result<(), FlushError> {
        let sync = || {
            if self.storage.get(UNSYNCED)?.is_some() {
                return Err(io::Error::other(
                    "they could not be made durable before; opening the log makes them again",
                ));
            }
            self.storage.put(UNSYNCED, b"")?;
            self.storage.sync()?;
            self.storage.delete(UNSYNCED)
        };
        sync().map_err(|source| FlushError::Write {
            what: "the tiles",
            source,
        })
    }

    /// Makes durable what was put besides tiles.
    ///
    /// # Errors
    /// [`FlushError`]; it has then stopped.
    pub(crate) fn synchronise(&mut self) -> Result<(), FlushError> {
        let storage = Arc::clone(&self.storage);
        let _locked = storage.lock().map_err(FlushError::Begin)?;
        self.sync_objects()
            .inspect_err(|error| self.stopped = Some(chain(error)))
    }

    /// Makes the tiles of everything that was appended durable, and the head that says so; then removes partial tiles that wider ones
    /// replace. Start-up has nothing to make again after it.
    ///
    /// # Errors
    /// [`FlushError`].
    pub fn settle(&mut self) -> Result<(), FlushError> {
        if let Some(reason) = &self.stopped {
            return Err(FlushError::Stopped(reason.clone()));
        }
        let storage = Arc::clone(&self.storage);
        let _locked = storage.lock().map_err(FlushError::Begin)?;
        self.follow()?;
        if self.head.durable.size == self.size() {
            return Ok(());
        }
        let done = self.sync().and_then(|()| {
            self.swap(Head {
                durable: self.durable,
                ..self.head.clone()
            })
        });
        if let Err(error) = done {
            self.stop(&error);
            return Err(error);
        }
        self.remove_partials(0);
        Ok(())
    }

    /// Ends the newest segment, if it is `segment`: the next batch begins another. Its payloads are about to go.
    ///
    /// # Errors
    /// [`FlushError`].
    pub(crate) fn end_segment(&mut self, segment: u32) -> Result<(), FlushError> {
        if let Some(reason) = &self.stopped {
            return Err(FlushError::Stopped(reason.clone()));
        }
        let storage = Arc::clone(&self.storage);
        let _locked = storage.lock().map_err(FlushError::Begin)?;
        self.follow()?;
        if self.head.end.segment != segment || self.head.end.offset == 0 {
            return Ok(());
        }
        let next = Position {
            segment: segment + 1,
            offset: 0,
        };
        let ended = self.sync().and_then(|()| {
            self.seal_before(next)?;
            self.swap(Head {
                end: next,
                durable: Mark {
                    size: self.durable.size,
                    position: next,
                },
                checkpoint: self.head.checkpoint.clone(),
            })
        });
        match ended {
            Ok(()) => {
                self.durable = self.head.durable;
                self.segment_began_ms = i64::MAX;
                Ok(())
            }
            Err(error) => {
                self.stop(&error);
                Err(error)
            }
        }
    }

    /// Below this, tiles are durable, and segments need not be read at start-up.
    pub(crate) fn durable_size(&self) -> u64 {
        self.head.durable.size
    }

    /// The segment that the next batch goes to, or follows.
    pub(crate) fn newest_segment(&self) -> u32 {
        self.head.end.segment
    }

    /// Removes all but the last partial tiles, as far as wider ones take their place. A failure leaves a file too many, no more.
    fn remove_partials(&mut self, keep: usize) {
        if self.partials.len() <= keep {
            return;
        }
        let published = self.storage.get(CHECKPOINT).ok().flatten();
        let published = published.and_then(|bytes| SignedCheckpoint::parse(&bytes).ok());
        let published = published.map_or(0, |checkpoint| checkpoint.size());
        let needed = [self.head.durable.size, published, self.size()];
        let surplus = self.partials.len() - keep;
        let oldest: Vec<_> = self.partials.drain(..surplus).collect();
        for tile in oldest {
            let is_needed = needed
                .iter()
                .any(|size| tile.width_at(*size) == tile.width());
            if is_needed {
                self.partials.push_back(tile);
            } else {
                let _ = self.storage.delete(&tile.to_string());
            }
        }
    }
}

/// The log's checkpoint of a tree.
fn sign(options: &SequencerOptions, size: u64, root: Hash) -> io::Result<SignedCheckpoint> {
    let checkpoint = Checkpoint::new(options.origin.as_ref(), size, root);
    let checkpoint = checkpoint.map_err(io::Error::other)?;
    Ok(SignedCheckpoint::sign(&checkpoint, &options.key))
}
