//! What is read from a log.

use std::io;
use std::sync::{Arc, TryLockError};

use oacp::digest::Digest;
use oacp::envelope::Envelope;
use oacp::id::{ExecutionId, LogOrigin};
use oacp::key::KeyId;
use oacp::leaf::{Leaf, LeafKind};
use oacp_tlog::checkpoint::SignedCheckpoint;
use oacp_tlog::hash::{Hash, leaf_hash};
use oacp_tlog::key::VerifierKey;
use oacp_tlog::proof::TlogProof;
use oacp_tlog::tile::{Tile, TileReadError, TileReader};
use oacp_tlog::tree::{self, ProveError};
use thiserror::Error;

use super::{IndexState, Log, Publication, Shared, View, chain};
use crate::index::{Count, Index, IndexError, Located, Page, Query};
use crate::read::{ReadError, Reader};
use crate::retention::Tombstone;
use crate::segment::{self, SegmentError};

/// Why there is no payload.
#[derive(Debug, Error)]
pub enum PayloadError {
    /// It was pruned; the leaf and its proofs remain.
    #[error("payload `{digest}` of entry {index} was pruned")]
    Pruned {
        /// The entry.
        index: u64,
        /// SHA-256 of the PAE.
        digest: Digest,
    },
    /// Otherwise.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// How a log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its name.
    pub origin: LogOrigin,
    /// Entries that were acknowledged.
    pub size: u64,
    /// Entries under the checkpoint that is given out.
    pub published: u64,
    /// Entries that are in the index.
    pub indexed: u64,
    /// Why it takes no more entries. `None`: it does.
    pub stopped: Option<String>,
    /// Entries by their kind.
    pub counts: Vec<Count>,
}

impl From<IndexError> for ReadError {
    fn from(error: IndexError) -> Self {
        Self::Io {
            what: "the index".to_owned(),
            source: io::Error::other(error),
        }
    }
}

impl From<SegmentError> for ReadError {
    fn from(error: SegmentError) -> Self {
        match error {
            SegmentError::Io { name, source } => Self::Io {
                what: format!("`{name}`"),
                source,
            },
            SegmentError::Missing { .. } | SegmentError::Damaged { .. } => Self::Damaged {
                what: error.place(),
            },
        }
    }
}

/// Reads the hashes of a tree.
type Tiles<'a> = TileReader<Box<dyn Fn(Tile) -> Result<Vec<u8>, ReadError> + 'a>>;

impl Log {
    /// The log's name.
    pub fn origin(&self) -> &LogOrigin {
        &self.shared.options.origin
    }

    /// What verifies its checkpoints.
    pub fn verifier(&self) -> VerifierKey {
        self.shared.options.key.verifier()
    }

    /// The checkpoint that is given out. `None`: none yet.
    pub fn checkpoint(&self) -> Option<SignedCheckpoint> {
        self.shared.follow();
        self.shared.view().published.clone()
    }

    /// The newest durable checkpoint: what witnesses are asked to cosign.
    pub fn committed(&self) -> SignedCheckpoint {
        self.shared.follow();
        self.shared.view().committed.clone()
    }

    /// Waits until the checkpoint that is given out has this many entries or more. What other processes append is seen when somebody
    /// asks for a checkpoint.
    pub async fn published(&self, size: u64) {
        let mut view = self.shared.view.subscribe();
        let covers = |view: &Arc<View>| {
            let published = view.published.as_ref();
            published.is_some_and(|checkpoint| checkpoint.size() >= size)
        };
        // It fails when the log is gone, and `self` is a part of it.
        let _ = view.wait_for(covers).await;
    }

    /// Waits until the newest durable checkpoint has more entries than this.
    pub async fn grown(&self, beyond: u64) {
        let mut view = self.shared.view.subscribe();
        let has_more = |view: &Arc<View>| view.committed.size() > beyond;
        let _ = view.wait_for(has_more).await;
    }

    /// Gives out a checkpoint of this log, with the cosignatures that it has, unless a larger one was given out.
    ///
    /// # Errors
    /// It is not this log's, or cannot be written.
    pub fn publish(&self, checkpoint: SignedCheckpoint) -> Result<(), ReadError> {
        let is_ours = checkpoint.verify(&self.verifier())
            && checkpoint.root() == self.root(checkpoint.size())?;
        if !is_ours {
            return Err(ReadError::damaged("the checkpoint to be given out"));
        }
        let published = self.shared.sequencer().publish(&checkpoint);
        published.map_err(|error| ReadError::Io {
            what: "the checkpoint".to_owned(),
            source: io::Error::other(chain(&error)),
        })?;
        self.shared.view.send_modify(|view| {
            let given = view.published.as_ref();
            let larger = given.is_some_and(|given| given.size() > checkpoint.size());
            if !larger {
                *view = Arc::new(View {
                    committed: view.committed.clone(),
                    edge: view.edge.clone(),
                    published: Some(checkpoint),
                });
            }
        });
        Ok(())
    }

    /// The root of the tree of the first `size` entries.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn root(&self, size: u64) -> Result<Hash, ReadError> {
        let view = self.shared.view();
        if size == view.edge.size() {
            return Ok(view.edge.root());
        }
        if size > view.edge.size() {
            return Err(ReadError::Beyond {
                size: view.edge.size(),
            });
        }
        self.shared
            .with_tiles(&view, size, |reader| tree::root(size, reader))
    }

    /// The proof that entry `index` is under the checkpoint that is given out.
    ///
    /// # Errors
    /// [`ReadError`]; a proof that does not verify is never given.
    pub fn proof(&self, index: u64) -> Result<TlogProof, ReadError> {
        self.shared.follow();
        let view = self.shared.view();
        let beyond = || ReadError::Beyond {
            size: view.published.as_ref().map_or(0, |given| given.size()),
        };
        let checkpoint = view.published.clone().ok_or_else(beyond)?;
        let size = checkpoint.size();
        if index >= size {
            return Err(beyond());
        }
        let hashes = self.shared.with_tiles(&view, size, |reader| {
            tree::inclusion_proof(index, size, reader)
        })?;
        let leaf = leaf_hash(&Reader::new(&*self.shared.storage, &view.edge).entry(index)?);
        let damaged = || ReadError::damaged(format!("a tile above entry {index}"));
        let proof = TlogProof::new(index, hashes, checkpoint).map_err(|_| damaged())?;
        let holds = proof.verify(&leaf).is_ok();
        holds.then_some(proof).ok_or_else(damaged)
    }

    /// The proof that the tree of `new` entries begins with that of `old`.
    ///
    /// # Errors
    /// [`ReadError`]; a proof that does not verify is never given.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
        let view = self.shared.view();
        let size = view.edge.size();
        if old > new || new > size {
            return Err(ReadError::Beyond { size });
        }
        if old == 0 {
            // Every tree begins with nothing.
            return Ok(Vec::new());
        }
        let proof = self.shared.with_tiles(&view, new, |reader| {
            tree::consistency_proof(old, new, reader)
        })?;
        let (old_root, new_root) = (self.root(old)?, self.root(new)?);
        tree::verify_consistency(old, new, &proof, &old_root, &new_root)
            .map_err(|_| ReadError::damaged("a tile"))?;
        Ok(proof)
    }

    /// A tile's bytes, checked against the root. `None`: the tree has no such tile.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn tile(&self, tile: Tile) -> Result<Option<Vec<u8>>, ReadError> {
        let view = self.shared.view();
        Reader::new(&*self.shared.storage, &view.edge).tile(tile)
    }

    /// The bytes of an entry.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, ReadError> {
        let view = self.shared.view();
        Reader::new(&*self.shared.storage, &view.edge).entry(index)
    }

    /// The leaf of an entry.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn leaf(&self, index: u64) -> Result<Leaf, ReadError> {
        let view = self.shared.view();
        Reader::new(&*self.shared.storage, &view.edge).leaf(index)
    }

    /// The index of an execution's statement, or of its begin.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn index_of(
        &self,
        kind: LeafKind,
        execution: ExecutionId,
    ) -> Result<Option<u64>, ReadError> {
        self.shared.follow();
        let located = self
            .shared
            .index_now()?
            .by_id(kind, *execution.as_bytes())?;
        Ok(located.map(|located| located.index))
    }

    /// The index of what has this commitment: the SHA-256 of a PAE.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn index_of_digest(&self, pae: Digest) -> Result<Option<u64>, ReadError> {
        self.shared.follow();
        for located in self.shared.index_now()?.by_digest(&pae)? {
            if self.leaf(located.index)?.pae == pae {
                return Ok(Some(located.index));
            }
        }
        Ok(None)
    }

    /// The index of the delegation by which a sandbox's key signs.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn index_of_delegation(&self, key: KeyId) -> Result<Option<u64>, ReadError> {
        self.shared.follow();
        let located = self.shared.index_now()?.delegation(key)?;
        Ok(located.map(|located| located.index))
    }

    /// What an entry commits to, checked against its leaf.
    ///
    /// # Errors
    /// [`PayloadError`].
    pub fn payload(&self, index: u64) -> Result<Envelope, PayloadError> {
        self.shared.payload(index)
    }

    /// Entries by name, a page at a time.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn find(&self, query: &Query) -> Result<Page, ReadError> {
        self.shared.follow();
        Ok(self.shared.index_now()?.find(query)?)
    }

    /// How the log is.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn status(&self) -> Result<Status, ReadError> {
        self.shared.follow();
        let view = self.shared.view();
        let index = self.shared.indexed.state();
        // A flush that is on its way has not stopped; nobody waits for it to ask how the log is.
        let stopped = match self.shared.sequencer.try_lock() {
            Ok(sequencer) => sequencer.stopped().map(str::to_owned),
            Err(TryLockError::Poisoned(sequencer)) => {
                sequencer.into_inner().stopped().map(str::to_owned)
            }
            Err(TryLockError::WouldBlock) => None,
        };
        Ok(Status {
            origin: self.origin().clone(),
            size: view.committed.size(),
            published: view.published.as_ref().map_or(0, |given| given.size()),
            indexed: index.through,
            stopped: stopped.or(index.stopped),
            counts: self.shared.index.counts()?,
        })
    }
}

impl Shared {
    /// Sees what other processes appended, unless a flush is on its way, which sees it too.
    pub(super) fn follow(&self) {
        let Ok(mut sequencer) = self.sequencer.try_lock() else {
            return;
        };
        // What cannot be read is reported by the next flush; readers see what they saw.
        if sequencer.look().unwrap_or(false) {
            let learnt = sequencer.take_rows();
            self.show(&sequencer);
            if let Some(first) = learnt.first() {
                // Rows of flushes before may still be on their way.
                self.wait_for_index(first.index);
            }
            self.add_to_index(&learnt);
        }
        drop(sequencer);
        if self.options.publication == Publication::WhenCosigned {
            self.see_published();
        }
    }

    /// Sees a checkpoint that another process gave out.
    fn see_published(&self) {
        let Ok(Some(published)) = super::published(&*self.storage, &self.options) else {
            return;
        };
        self.view.send_if_modified(|view| {
            let known = view.published.as_ref();
            let is_within = published.size() <= view.edge.size();
            let is_newer = is_within
                && known.is_none_or(|known| {
                    known.size() < published.size()
                        || (known.size() == published.size() && *known != published)
                });
            if is_newer {
                *view = Arc::new(View {
                    committed: view.committed.clone(),
                    edge: view.edge.clone(),
                    published: Some(published),
                });
            }
            is_newer
        });
    }

    /// The index, when it has everything that readers see.
    pub(super) fn index_now(&self) -> Result<&Index, ReadError> {
        let size = self.view().committed.size();
        let state = self.wait_for_index(size);
        if state.through >= size {
            return Ok(&self.index);
        }
        // What it lacks would look as if it were not in the log.
        let reason = state
            .stopped
            .unwrap_or_else(|| format!("it has {} entries of {size}", state.through));
        Err(ReadError::Io {
            what: "the index".to_owned(),
            source: io::Error::other(reason),
        })
    }

    fn wait_for_index(&self, size: u64) -> IndexState {
        self.indexed.wait(size, || self.index.through().ok())
    }

    /// A proof from the tiles of the tree of `size` entries.
    fn with_tiles<T>(
        &self,
        view: &View,
        size: u64,
        prove: impl FnOnce(&Tiles<'_>) -> Result<T, ProveError<TileReadError<ReadError>>>,
    ) -> Result<T, ReadError> {
        let reader = Reader::new(&*self.storage, &view.edge);
        let read = |tile: Tile| {
            let bytes = reader.tile(tile)?;
            bytes.ok_or_else(|| ReadError::damaged(format!("`{tile}`")))
        };
        prove(&Tiles::new(size, Box::new(read))).map_err(|error| match error {
            ProveError::Read(TileReadError::Fetch(error)) => error,
            ProveError::OutOfRange => ReadError::Beyond {
                size: view.edge.size(),
            },
            _ => ReadError::damaged("a tile"),
        })
    }

    pub(super) fn payload(&self, index: u64) -> Result<Envelope, PayloadError> {
        let index_now = self.index_now()?;
        let located = index_now.by_index(index).map_err(ReadError::from)?;
        let view = self.view();
        let reader = Reader::new(&*self.storage, &view.edge);
        let leaf = reader.leaf(index)?;
        let pruned = PayloadError::Pruned {
            index,
            digest: leaf.pae,
        };
        let size = view.edge.size();
        let located = located.ok_or(ReadError::Beyond { size })?;
        let Some(Located {
            place: Some(place), ..
        }) = Some(located)
        else {
            return Err(pruned);
        };
        let record = self.record(index, place)?;
        let Some(record) = record else {
            return Err(pruned);
        };
        let damaged = || ReadError::damaged(format!("the payload of entry {index}"));
        let envelope = Envelope::parse(&record.payload).map_err(|_| damaged())?;
        if record.leaf != leaf.to_bytes() || Leaf::of(leaf.kind, &envelope, leaf.sequence) != leaf {
            return Err(damaged().into());
        }
        Ok(envelope)
    }

    /// The record at a place: in its segment, or in what remains of that.
    fn record(
        &self,
        index: u64,
        place: crate::index::Place,
    ) -> Result<Option<segment::Record>, ReadError> {
        let name = segment::name(place.segment);
        match segment::read_record(&*self.storage, name, index, place.offset) {
            Ok(record) => Ok(Some(record)),
            Err(error) => {
                // What was on hold has a checksum of its own, whatever else the tombstone lost.
                let name = segment::pruned_name(place.segment);
                let held = segment::read_record(&*self.storage, name, index, place.offset);
                if let Ok(record) = held {
                    return Ok(Some(record));
                }
                let tombstone =
                    Tombstone::read(&*self.storage, place.segment).map_err(|source| {
                        ReadError::Io {
                            what: format!("`{}`", segment::pruned_name(place.segment)),
                            source,
                        }
                    })?;
                match tombstone {
                    Some(tombstone) => Ok(tombstone.held(index).map(|(_, record)| record.clone())),
                    None => Err(match ReadError::from(error) {
                        ReadError::Damaged { what } => {
                            ReadError::damaged(format!("the payload of entry {index}, {what},"))
                        }
                        error => error,
                    }),
                }
            }
        }
    }
}
