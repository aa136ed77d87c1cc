//! Files by their digests, and what there is of those that are not whole yet.
//!
//! ```text
//! <64 hex digits>/file    whole
//! <64 hex digits>/part    its first bytes, as far as they have come
//! <64 hex digits>/lock    held by whoever fetches it
//! ```
//!
//! Nothing in it is believed: what is read is hashed. All of it may be deleted at any time.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use oacp::digest::Digest;

use crate::store::files;

/// A file of the cache, which nobody else fetches meanwhile.
pub(super) struct Entry {
    dir: PathBuf,
    sha256: Digest,
    bytes_max: usize,
    _lock: File,
}

impl Entry {
    /// Waits until nobody else fetches it.
    pub(super) fn open(cache: &Path, sha256: Digest, bytes_max: usize) -> io::Result<Self> {
        let dir = cache.join(sha256.hex());
        files::make(&dir)?;
        Ok(Self {
            _lock: files::lock(&dir.join("lock"))?,
            dir,
            sha256,
            bytes_max,
        })
    }

    /// The whole file, if it is there. One that is not what it should be is taken away.
    pub(super) fn whole(&self) -> io::Result<Option<Vec<u8>>> {
        let path = self.dir.join("file");
        match files::read(&path, self.bytes_max) {
            Ok(bytes) if Digest::of(&bytes) == self.sha256 => return Ok(Some(bytes)),
            Err(error) if files::is_no_such_file(&error) => return Ok(None),
            Err(error) if error.kind() != io::ErrorKind::FileTooLarge => return Err(error),
            Ok(_) | Err(_) => {}
        }
        files::remove(&path)?;
        Ok(None)
    }

    /// How many bytes there are of it.
    pub(super) fn partial(&self) -> io::Result<u64> {
        match self.part().metadata() {
            Err(error) if files::is_no_such_file(&error) => Ok(0),
            metadata => Ok(metadata?.len()),
        }
    }

    /// Adds the bytes that come next.
    pub(super) fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        files::private(&mut options);
        options.open(self.part())?.write_all(bytes)
    }

    /// Begins anew.
    pub(super) fn discard(&self) -> io::Result<()> {
        files::remove(&self.part())
    }

    /// Takes the bytes that there are for the whole file.
    ///
    /// # Errors
    /// Within: the digest of what is there, which is not the one; nothing is kept of it.
    pub(super) fn finish(&self) -> io::Result<Result<Vec<u8>, Digest>> {
        let bytes = files::read(&self.part(), self.bytes_max)?;
        let found = Digest::of(&bytes);
        self.discard()?;
        if found != self.sha256 {
            return Ok(Err(found));
        }
        files::write(&self.dir.join("file"), &bytes)?;
        Ok(Ok(bytes))
    }

    fn part(&self) -> PathBuf {
        self.dir.join("part")
    }
}
