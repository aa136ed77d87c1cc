//! A directory that one process uses at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

/// Keeps others from a directory until it is dropped.
pub(crate) struct Occupied(#[expect(dead_code, reason = "held for what its drop does")] File);

/// Why a directory cannot be had.
pub(crate) enum OccupyError {
    /// Another process, or another part of this one, has it.
    InUse,
    /// The system refused.
    Io(io::Error),
}

impl Occupied {
    /// Takes the directory, which must be there. Does not wait.
    pub(crate) fn take(dir: &Path) -> Result<Self, OccupyError> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let file = options.open(dir.join("lock")).map_err(OccupyError::Io)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(OccupyError::InUse),
            Err(TryLockError::Error(e)) => Err(OccupyError::Io(e)),
        }
    }
}
