//! The log: a sequencer behind a thread that flushes, an index behind one that fills it, and everything that is read from both.
//!
//! Entries that arrive while a flush is on its way are flushed together by the next one. The pool in which they wait is bounded in bytes:
//! whoever appends faster than the disk writes, waits.

mod delegations;
mod flusher;
mod options;
mod pruning;
mod reading;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use oacp::digest::Digest;
use oacp::entry::{Entry, EntryError};
use oacp::envelope::Envelope;
use oacp::leaf::LeafKind;
use oacp_tlog::checkpoint::SignedCheckpoint;
use oacp_tlog::edge::Edge;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use self::delegations::Delegations;
pub use self::options::{Clock, LogOptions, Publication, system_clock};
pub(crate) use self::pruning::HOLDS;
pub use self::pruning::{HeldEntries, Hold, HoldsError, PruneError, PrunedSegment, Pruning};
pub use self::reading::{PayloadError, Status};
use crate::index::{Index, IndexError, Row};
use crate::limits::{APPEND_ENTRIES_MAX, ENVELOPE_BYTES_MAX, POOL_BYTES_MAX};
pub use crate::read::ReadError;
use crate::sequencer::{CHECKPOINT, Placed, RecoveryError, Rows, Sequencer, Storage};
use crate::storage::Directory;
use crate::storage::disk::OsDisk;

pub(crate) const INDEX: &str = "index.sqlite";

/// The log. Clones are one log; when the last is dropped, what waits is flushed first.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
    /// Dropped before the last of `shared`, except those of the threads.
    threads: Arc<Threads>,
}

/// What the threads work on.
struct Shared {
    dir: PathBuf,
    storage: Arc<dyn Storage>,
    options: LogOptions,
    sequencer: Mutex<Sequencer>,
    index: Index,
    indexed: Indexed,
    delegations: Mutex<Delegations>,
    view: watch::Sender<Arc<View>>,
    pool: Arc<Semaphore>,
}

/// What readers see: one moment of the log.
struct View {
    committed: SignedCheckpoint,
    edge: Edge,
    /// What was given out. `None`: nothing yet.
    published: Option<SignedCheckpoint>,
}

/// How often it is asked how far the index is, and how many times: ten seconds in all.
const INDEX_ASKED_EVERY: Duration = Duration::from_millis(10);
const INDEX_ASKED_MAX: u32 = 1000;

/// How far the index is.
#[derive(Default)]
struct Indexed {
    state: Mutex<IndexState>,
    changed: Condvar,
}

#[derive(Clone, Default)]
struct IndexState {
    /// Entries that are in it.
    through: u64,
    /// Why it takes no more.
    stopped: Option<String>,
}

impl Indexed {
    fn state(&self) -> IndexState {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, IndexState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut IndexState)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until everything below `size` is in the index, or it takes no more, or nobody puts it in. Another process may: so `through`
    /// is asked again and again.
    fn wait(&self, size: u64, through: impl Fn() -> Option<u64>) -> IndexState {
        let mut state = self.lock();
        for _ in 0..INDEX_ASKED_MAX {
            if state.through >= size || state.stopped.is_some() {
                break;
            }
            let waited = self.changed.wait_timeout(state, INDEX_ASKED_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if let Some(through) = through() {
                state.through = state.through.max(through);
            }
        }
        state.clone()
    }
}

struct Threads {
    queue: Option<Sender<Pending>>,
    flusher: Option<JoinHandle<()>>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(flusher) = self.flusher.take() {
            // A panic there has been reported by its thread.
            let _ = flusher.join();
        }
    }
}

/// Entries that wait for a flush.
struct Pending {
    entries: Vec<Entry>,
    bytes: usize,
    reply: oneshot::Sender<Result<Vec<Placed>, String>>,
    /// Given back when they are flushed.
    _room: OwnedSemaphorePermit,
}

/// An entry's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its index, from 0.
    pub index: u64,
    /// Whether this call put it there. Otherwise it was there already.
    pub is_new: bool,
}

/// Why a log cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The directory.
    #[error("the log's directory cannot be used")]
    Io(#[source] io::Error),
    /// What it holds.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The index, which was made anew and still cannot be used.
    #[error("the log's index cannot be used")]
    Index(#[from] IndexError),
}

/// Why an entry was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AppendError {
    /// It may not be logged.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The id is taken.
    #[error("entry {index} is the {kind} of this id, with other bytes")]
    Conflict {
        /// What it is of.
        kind: LeafKind,
        /// The entry that has the id.
        index: u64,
    },
    /// Larger than [`ENVELOPE_BYTES_MAX`].
    #[error("envelope has {bytes} bytes, at most {ENVELOPE_BYTES_MAX} can be logged")]
    TooLarge {
        /// Of the envelope.
        bytes: usize,
    },
    /// More than [`APPEND_ENTRIES_MAX`] at once, or more than [`POOL_BYTES_MAX`] bytes of them.
    #[error(
        "{count} entries of {bytes} bytes at once, at most {APPEND_ENTRIES_MAX} of {POOL_BYTES_MAX} bytes can be appended"
    )]
    TooMany {
        /// In the call.
        count: usize,
        /// All of them.
        bytes: usize,
    },
    /// The log takes no more: something could not be written, and what is durable is not known. Opening it anew finds out. Whether this
    /// entry is in the log is not known.
    #[error("the log has stopped taking entries: {reason}")]
    Stopped {
        /// What could not be written.
        reason: String,
    },
}

impl AppendError {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Entry(error) => error.code(),
            Self::Conflict { .. } => "conflict",
            Self::TooLarge { .. } => "too_large",
            Self::TooMany { .. } => "too_many",
            Self::Stopped { .. } => "stopped",
        }
    }
}

impl Log {
    /// Opens a directory, and makes it if it is empty. This is recovery, always; an index that cannot be used is made anew.
    ///
    /// # Errors
    /// What is there is another log's, or damaged, or cannot be read.
    pub fn open(dir: &Path, options: LogOptions) -> Result<Self, OpenError> {
        let storage = Directory::open(dir, OsDisk::default()).map_err(OpenError::Io)?;
        let storage: Arc<dyn Storage> = Arc::new(storage);
        let (index, sequencer) = open_both(dir, &storage, &options)?;
        let published = published(&*storage, &options).map_err(OpenError::Io)?;
        let indexed = Indexed::default();
        let through = index.through()?;
        indexed.change(|state| state.through = through);
        let view = Arc::new(View {
            committed: sequencer.checkpoint().clone(),
            edge: sequencer.edge().clone(),
            published,
        });
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            storage,
            options,
            sequencer: Mutex::new(sequencer),
            index,
            indexed,
            delegations: Mutex::new(Delegations::default()),
            view: watch::Sender::new(view),
            pool: Arc::new(Semaphore::new(POOL_BYTES_MAX as usize)),
        });
        let (queue, waiting) = mpsc::channel();
        let flusher = flusher::begin(Arc::clone(&shared), waiting).map_err(OpenError::Io)?;
        Ok(Self {
            shared,
            threads: Arc::new(Threads {
                queue: Some(queue),
                flusher: Some(flusher),
            }),
        })
    }

    /// Judges an envelope: its signature and what it says. It costs about as much as the signature's verification.
    ///
    /// # Errors
    /// [`EntryError`].
    pub fn admit(&self, envelope: Envelope) -> Result<Entry, EntryError> {
        self.shared.admit(envelope, &[])
    }

    /// Judges several, each after those before it: a delegation may precede what it lets sign.
    pub fn admit_all(
        &self,
        envelopes: impl IntoIterator<Item = Envelope>,
    ) -> Vec<Result<Entry, EntryError>> {
        let mut delegated = Vec::new();
        let admit = |envelope| {
            let entry = self.shared.admit(envelope, &delegated)?;
            delegated.extend(entry.facts().delegation.clone());
            Ok(entry)
        };
        envelopes.into_iter().map(admit).collect()
    }

    /// Appends, and answers when the entry is durable under a durable checkpoint. Waits while the pool is full.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append(&self, envelope: Envelope) -> Result<Appended, AppendError> {
        let entry = self.admit(envelope)?;
        let appended = self.append_entries(vec![entry]).await?;
        let unanswered = || AppendError::Stopped {
            reason: "no answer".to_owned(),
        };
        appended.into_iter().next().ok_or_else(unanswered)?
    }

    /// Appends several, in one flush, and answers in their order. Those that are refused keep no other one back.
    ///
    /// # Errors
    /// None of them is known to be in the log.
    pub async fn append_entries(
        &self,
        entries: Vec<Entry>,
    ) -> Result<Vec<Result<Appended, AppendError>>, AppendError> {
        let count = entries.len();
        let sizes = entries.iter().map(|entry| size_of(entry.envelope()));
        if let Some(bytes) = sizes.clone().find(|bytes| *bytes > ENVELOPE_BYTES_MAX) {
            return Err(AppendError::TooLarge { bytes });
        }
        let bytes: usize = sizes.sum();
        let stopped = |reason: &str| AppendError::Stopped {
            reason: reason.to_owned(),
        };
        let room = u32::try_from(bytes).unwrap_or(u32::MAX);
        if count > APPEND_ENTRIES_MAX || room > POOL_BYTES_MAX {
            return Err(AppendError::TooMany { count, bytes });
        }
        let room = Arc::clone(&self.shared.pool)
            .acquire_many_owned(room)
            .await
            .map_err(|_| stopped("it is closed"))?;
        let kinds: Vec<_> = entries.iter().map(|entry| entry.leaf().kind).collect();
        let (reply, replied) = oneshot::channel();
        let pending = Pending {
            entries,
            bytes,
            reply,
            _room: room,
        };
        let queue = self.threads.queue.as_ref();
        let queue = queue.ok_or_else(|| stopped("it is closed"))?;
        queue
            .send(pending)
            .map_err(|_| stopped("its thread has ended"))?;
        let placed = match replied.await {
            Ok(Ok(placed)) => placed,
            Ok(Err(reason)) => return Err(AppendError::Stopped { reason }),
            Err(_) => return Err(stopped("its thread has ended")),
        };
        let answer = |(placed, kind)| match placed {
            Placed::New(index) => Ok(Appended {
                index,
                is_new: true,
            }),
            Placed::Known(index) => Ok(Appended {
                index,
                is_new: false,
            }),
            Placed::Conflict(index) => Err(AppendError::Conflict { kind, index }),
        };
        Ok(placed.into_iter().zip(kinds).map(answer).collect())
    }

    /// Makes everything durable that start-up would otherwise make again.
    ///
    /// # Errors
    /// As appending; it has then stopped.
    pub fn settle(&self) -> Result<(), AppendError> {
        let settled = self.shared.sequencer().settle();
        settled.map_err(|error| AppendError::Stopped {
            reason: chain(&error),
        })
    }
}

impl Shared {
    fn sequencer(&self) -> MutexGuard<'_, Sequencer> {
        // A panic within a flush leaves a state that the next one reads again from the head.
        self.sequencer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }
}

/// About how many bytes an envelope's JSON has.
fn size_of(envelope: &Envelope) -> usize {
    envelope.unverified_payload().len() * 4 / 3 + 512
}

fn open_both(
    dir: &Path,
    storage: &Arc<dyn Storage>,
    options: &LogOptions,
) -> Result<(Index, Sequencer), OpenError> {
    let path = dir.join(INDEX);
    let usable = Index::open(&path).and_then(|index| {
        let through = index.through()?;
        Ok((index, through))
    });
    let (index, through) = match usable {
        Ok(usable) => usable,
        Err(IndexError::Unusable { .. }) => (Index::recreate(&path)?, 0),
        Err(error) => return Err(error.into()),
    };
    let open = |index: &Index| Sequencer::open(Arc::clone(storage), options.for_sequencer(), index);
    let sequencer = open(&index)?;
    if is_of_this_log(&index, through, &sequencer)? {
        return Ok((index, sequencer));
    }
    drop(index);
    let index = Index::recreate(&path)?;
    let sequencer = open(&index)?;
    Ok((index, sequencer))
}

/// Whether the last entry that the index had is the log's.
fn is_of_this_log(index: &Index, through: u64, sequencer: &Sequencer) -> Result<bool, OpenError> {
    let Some(last) = through.checked_sub(1) else {
        return Ok(true);
    };
    let leaf = sequencer.leaf(last).map_err(OpenError::Io)?;
    let located = index.by_index(last)?;
    Ok(located.is_some_and(|located| located.may_be(&leaf.pae)))
}

/// The checkpoint that was given out, if it can be read and is this log's.
fn published(storage: &dyn Storage, options: &LogOptions) -> io::Result<Option<SignedCheckpoint>> {
    let bytes = storage.get(CHECKPOINT)?;
    let checkpoint = bytes.and_then(|bytes| SignedCheckpoint::parse(&bytes).ok());
    Ok(checkpoint.filter(|checkpoint| checkpoint.verify(&options.key.verifier())))
}

impl Rows for Index {
    fn through(&self) -> io::Result<u64> {
        self.through().map_err(io::Error::other)
    }

    fn add(&self, rows: Vec<Row>) -> io::Result<()> {
        let Some(first) = rows.first() else {
            return Ok(());
        };
        self.add(first.index, &rows).map_err(io::Error::other)?;
        Ok(())
    }

    fn candidates(&self, kind: LeafKind, id: &[u8; 16], pae: &Digest) -> io::Result<Vec<u64>> {
        let located = match kind {
            LeafKind::Execution | LeafKind::Begin => self
                .by_id(kind, *id)
                .map(|found| found.into_iter().collect()),
            _ => self.same(kind, *id, pae),
        };
        let located: Vec<_> = located.map_err(io::Error::other)?;
        Ok(located.into_iter().map(|found| found.index).collect())
    }
}

/// An error and its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
