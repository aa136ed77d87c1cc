//! What a witness remembers: the newest checkpoint that it cosigned, of each log.
//!
//! Attack: a witness that forgot, through a crash, a damaged file or a second process, cosigns a second history of the same log, and its
//! word is worth nothing. So what it remembers is compared and replaced under a lock that processes share, is durable before anything is
//! signed, and what is there and cannot be read is never taken for nothing.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oacp::digest::Digest;
use oacp_tlog::checkpoint::{Checkpoint, SignedCheckpoint};
use thiserror::Error;

use crate::state_file::{StateFile, StateFileError, make_directory};
use crate::storage::disk::{Disk, OsDisk};

/// A directory with a file for each log.
#[derive(Clone)]
pub struct WitnessState {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
}

/// Why what a witness remembers cannot be used. It must not cosign then.
#[derive(Debug, Error)]
pub enum WitnessStateError {
    /// It cannot be read or written.
    #[error(
        "what the witness remembers of `{origin}` cannot be relied on; it cosigns nothing of this log"
    )]
    File {
        /// The log.
        origin: String,
        /// Why.
        #[source]
        source: StateFileError,
    },
    /// The directory cannot be made.
    #[error("the directory `{}` of the witness cannot be used", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It would forget something: a bug of the caller, caught here.
    #[error(
        "the witness has cosigned {remembered} entries of `{origin}` and must not go back to {size}, or to another root"
    )]
    Backwards {
        /// The log.
        origin: String,
        /// The size that is remembered.
        remembered: u64,
        /// The size that was to replace it.
        size: u64,
    },
}

/// What is remembered of one log, held against all others until it is dropped.
pub struct Held {
    file: StateFile,
    origin: String,
    latest: Option<SignedCheckpoint>,
    _lock: Box<dyn Any + Send>,
}

impl WitnessState {
    /// The directory, which is made if there is none.
    ///
    /// # Errors
    /// [`WitnessStateError::Directory`].
    pub fn open(dir: &Path) -> Result<Self, WitnessStateError> {
        Self::on(Arc::new(OsDisk::default()), dir)
    }

    /// The directory on this disk.
    ///
    /// # Errors
    /// [`WitnessStateError::Directory`].
    pub fn on(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, WitnessStateError> {
        make_directory(&*disk, dir).map_err(|source| WitnessStateError::Directory {
            path: dir.to_owned(),
            source,
        })?;
        Ok(Self {
            dir: dir.to_owned(),
            disk,
        })
    }

    /// The newest checkpoint of this log that was cosigned, as the log signed it. `None`: none was. It may be replaced at any time.
    ///
    /// # Errors
    /// [`WitnessStateError::File`].
    pub fn latest(&self, origin: &str) -> Result<Option<SignedCheckpoint>, WitnessStateError> {
        read(&self.file(origin), origin).map_err(|source| of(origin, source))
    }

    /// Waits for its turn, and reads what is remembered of this log.
    ///
    /// # Errors
    /// [`WitnessStateError::File`].
    pub fn hold(&self, origin: &str) -> Result<Held, WitnessStateError> {
        let file = self.file(origin);
        let fail = |source| of(origin, source);
        let lock = file.lock().map_err(fail)?;
        let latest = read(&file, origin).map_err(fail)?;
        Ok(Held {
            file,
            origin: origin.to_owned(),
            latest,
            _lock: lock,
        })
    }

    /// An origin holds any characters; its hash is a file name. C2SP tlog-mirror names logs the same way.
    fn file(&self, origin: &str) -> StateFile {
        let name = format!("{}.checkpoint", Digest::of(origin.as_bytes()).hex());
        StateFile::on(Arc::clone(&self.disk), &self.dir.join(name))
    }
}

impl Held {
    /// The newest checkpoint that was cosigned. `None`: none was.
    pub fn latest(&self) -> Option<&SignedCheckpoint> {
        self.latest.as_ref()
    }

    /// Remembers a checkpoint instead. It is durable when this returns, and only then may it be cosigned.
    ///
    /// The file is written even where it says the same already: what is read may be what a synchronisation failed on.
    ///
    /// # Errors
    /// [`WitnessStateError::Backwards`], and nothing has changed; [`WitnessStateError::File`], and it is not known which of the two is
    /// remembered.
    pub fn remember(&mut self, checkpoint: SignedCheckpoint) -> Result<(), WitnessStateError> {
        let (size, root) = (checkpoint.size(), checkpoint.root());
        let remembered = self.latest.as_ref().map(SignedCheckpoint::checkpoint);
        let goes_back = remembered
            .is_some_and(|old| size < old.size() || (size == old.size() && root != old.root()));
        if goes_back || checkpoint.origin() != self.origin {
            return Err(WitnessStateError::Backwards {
                origin: self.origin.clone(),
                remembered: remembered.map_or(0, Checkpoint::size),
                size,
            });
        }
        self.file
            .replace(checkpoint.to_string().as_bytes())
            .map_err(|source| of(&self.origin, source))?;
        self.latest = Some(checkpoint);
        Ok(())
    }
}

fn of(origin: &str, source: StateFileError) -> WitnessStateError {
    WitnessStateError::File {
        origin: origin.to_owned(),
        source,
    }
}

fn read(file: &StateFile, origin: &str) -> Result<Option<SignedCheckpoint>, StateFileError> {
    let Some(bytes) = file.read()? else {
        return Ok(None);
    };
    match SignedCheckpoint::parse(&bytes) {
        Ok(signed) if signed.origin() == origin => Ok(Some(signed)),
        _ => Err(file.damaged()),
    }
}
