//! A file's bytes in memory, shared by the tree, its descriptors and its streams.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oacp::digest::Digest;

use crate::limits;

/// One file's bytes.
pub(super) struct Contents {
    bytes: Vec<u8>,
    /// Nothing of what the host has is in it.
    own: bool,
    /// The call that opened it has ended: what was written is carried out or gone, and the host may have other bytes.
    ended: bool,
    /// What the host has may be read: where it really lies, too.
    readable: bool,
    /// Of the bytes, until they change.
    digest: Option<Digest>,
    /// When it was read and changed last, in nanoseconds since 1970, if the guest has said so.
    times: Times,
    /// Bytes of all files of the run.
    all: Arc<AtomicUsize>,
}

/// Access and modification.
#[derive(Clone, Copy, Default)]
pub(super) struct Times {
    pub(super) accessed: Option<u64>,
    pub(super) modified: Option<u64>,
}

/// A handle on them. What is removed while it is open lives on, as on any system.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Contents>>);

/// There is no room for it.
#[derive(Debug)]
pub(crate) struct Full;

impl Contents {
    /// A new file.
    pub(super) fn empty(all: &Arc<AtomicUsize>) -> Shared {
        Self::share(Vec::new(), None, all)
    }

    /// A file of the host's.
    pub(super) fn of(bytes: &[u8], digest: Digest, all: &Arc<AtomicUsize>) -> Shared {
        Self::share(bytes.to_vec(), Some(digest), all)
    }

    fn share(bytes: Vec<u8>, digest: Option<Digest>, all: &Arc<AtomicUsize>) -> Shared {
        all.fetch_add(bytes.len(), Ordering::Relaxed);
        Shared(Arc::new(Mutex::new(Self {
            bytes,
            own: digest.is_none(),
            ended: false,
            readable: false,
            digest,
            times: Times::default(),
            all: all.clone(),
        })))
    }

    fn resize(&mut self, length: usize) -> Result<(), Full> {
        let growth = length.saturating_sub(self.bytes.len());
        let all = self.all.load(Ordering::Relaxed);
        if length > limits::FILE_BYTES_MAX
            || (growth > 0 && all.saturating_add(growth) > limits::FILES_BYTES_MAX)
        {
            return Err(Full);
        }
        self.all
            .store((all + length) - self.bytes.len(), Ordering::Relaxed);
        self.bytes.resize(length, 0);
        self.digest = None;
        Ok(())
    }
}

/// Bytes that are held of what all files of a run may take together.
pub(super) struct Room {
    bytes: usize,
    all: Arc<AtomicUsize>,
}

impl Room {
    pub(super) fn take(all: &Arc<AtomicUsize>, bytes: usize) -> Result<Self, Full> {
        if all.load(Ordering::Relaxed).saturating_add(bytes) > limits::FILES_BYTES_MAX {
            return Err(Full);
        }
        all.fetch_add(bytes, Ordering::Relaxed);
        Ok(Self {
            bytes,
            all: all.clone(),
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Drop for Contents {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> u64 {
        self.lock().bytes.len() as u64
    }

    pub(super) fn times(&self) -> Times {
        self.lock().times
    }

    /// Sets those that are given.
    pub(super) fn set_times(&self, times: Times) {
        let mut contents = self.lock();
        contents.times.accessed = times.accessed.or(contents.times.accessed);
        contents.times.modified = times.modified.or(contents.times.modified);
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    /// From here on its descriptors and streams fail.
    pub(super) fn end(&self) {
        self.lock().ended = true;
    }

    pub(super) fn is_ended(&self) -> bool {
        self.lock().ended
    }

    /// Whether all of it is the guest's own writing.
    pub(super) fn is_own(&self) -> bool {
        self.lock().own
    }

    /// Of the bytes as they are now.
    pub(super) fn digest(&self) -> Digest {
        let contents = self.lock();
        contents
            .digest
            .unwrap_or_else(|| Digest::of(&contents.bytes))
    }

    /// Whether a guest may read it: its own writing, or what was judged for reading.
    pub(super) fn is_readable(&self) -> bool {
        let contents = self.lock();
        contents.own || contents.readable
    }

    pub(super) fn set_readable(&self) {
        self.lock().readable = true;
    }

    /// At most `count` bytes from `offset` on.
    pub(super) fn read(&self, offset: u64, count: usize) -> Vec<u8> {
        let contents = self.lock();
        let from = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(contents.bytes.len());
        let to = from.saturating_add(count).min(contents.bytes.len());
        contents.bytes.get(from..to).unwrap_or_default().to_vec()
    }

    /// Writes at `offset`, or at the end; returns the offset behind.
    pub(super) fn write(&self, offset: Option<u64>, bytes: &[u8]) -> Result<u64, Full> {
        let mut contents = self.lock();
        let from = match offset {
            Some(offset) => usize::try_from(offset).map_err(|_| Full)?,
            None => contents.bytes.len(),
        };
        let to = from.checked_add(bytes.len()).ok_or(Full)?;
        if to > contents.bytes.len() {
            contents.resize(to)?;
        }
        contents.digest = None;
        if let Some(place) = contents.bytes.get_mut(from..to) {
            place.copy_from_slice(bytes);
        }
        Ok(to as u64)
    }

    pub(super) fn resize(&self, length: u64) -> Result<(), Full> {
        let length = usize::try_from(length).map_err(|_| Full)?;
        self.lock().resize(length)
    }

    /// Empties it: from here on all of it is the guest's own.
    pub(super) fn truncate(&self) {
        let mut contents = self.lock();
        // Shrinking always fits.
        let _ = contents.resize(0);
        contents.own = true;
    }

    /// A SQLite database in write-ahead mode: what it says is spread over files that one grant does not cover, and it wants
    /// shared memory.
    pub(super) fn is_wal_database(&self) -> bool {
        let contents = self.lock();
        contents.bytes.starts_with(b"SQLite format 3\0")
            && matches!(contents.bytes.get(18..20), Some([2, _] | [_, 2]))
    }
}
