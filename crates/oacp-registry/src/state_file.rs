//! A small file that is replaced as a whole, and that says when it is damaged: for what must survive a crash and must not be believed
//! when it is not what was written.
//!
//! ```text
//! oacp-state/v1 <SHA-256 of what follows, 64 hex digits>\n
//! <bytes>
//! ```

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oacp::digest::Digest;
use thiserror::Error;

use crate::storage::disk::{Disk, OsDisk};

/// Begins the first line.
const HEADER: &str = "oacp-state/v1 ";

/// Bytes of the longest file that is read. Attack: a file that fills the memory before anybody looks at it.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// One file. A reader sees what was there before or what is there after, whole; a file that is neither is [`StateFileError::Damaged`].
#[derive(Clone)]
pub struct StateFile {
    path: PathBuf,
    disk: Arc<dyn Disk>,
}

/// Makes a directory and those above it, durably: a file in a directory whose own name is lost is lost. It may be there already.
pub(crate) fn make_directory(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    disk.create_dir_all(dir)?;
    for above in dir.ancestors().skip(1) {
        let above = match above.as_os_str().is_empty() {
            true => Path::new("."),
            false => above,
        };
        match disk.sync_dir(above) {
            // Whoever may not open a directory has made nothing in it.
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
            synced => synced?,
        }
    }
    Ok(())
}

/// Why a state file cannot be used.
#[derive(Debug, Error)]
pub enum StateFileError {
    /// It is there, and is not what was written.
    #[error("the state file `{}` is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The system refused. After [`StateFile::replace`] it is not known whether the old bytes are there or the new.
    #[error("the state file `{}` cannot be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl StateFile {
    /// The file at a path of the operating system. Its directory must be there.
    pub fn new(path: &Path) -> Self {
        Self::on(Arc::new(OsDisk::default()), path)
    }

    /// The file on this disk.
    pub fn on(disk: Arc<dyn Disk>, path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            disk,
        }
    }

    /// The file of this name in a directory of the operating system, which is made durably if there is none.
    ///
    /// # Errors
    /// [`StateFileError::Io`], of the directory.
    pub fn in_directory(dir: &Path, name: &str) -> Result<Self, StateFileError> {
        let disk = OsDisk::default();
        make_directory(&disk, dir).map_err(|source| StateFileError::Io {
            path: dir.to_owned(),
            source,
        })?;
        Ok(Self::on(Arc::new(disk), &dir.join(name)))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps others from the file until what is returned is dropped: other threads and other processes, as far as they lock it. Waits.
    /// What is locked is a file beside it, since the file itself is replaced.
    ///
    /// # Errors
    /// [`StateFileError::Io`].
    pub fn lock(&self) -> Result<Box<dyn Any + Send>, StateFileError> {
        self.disk
            .lock(&self.beside("lock"))
            .map_err(|source| self.io(source))
    }

    /// What was written. `None`: nothing ever was.
    ///
    /// # Errors
    /// [`StateFileError`].
    pub fn read(&self) -> Result<Option<Vec<u8>>, StateFileError> {
        match self.disk.len(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(self.io(e)),
            Ok(len) if len > FILE_BYTES_MAX => return Err(self.damaged()),
            Ok(_) => {}
        }
        let bytes = self.disk.read(&self.path).map_err(|e| self.io(e))?;
        match checked(&bytes) {
            Some(body) => Ok(Some(body.to_vec())),
            None => Err(self.damaged()),
        }
    }

    /// Replaces the file in one step. It is durable when this returns. May be repeated, and after an error has to be: what a
    /// synchronisation failed on may be lost even though it can be read.
    ///
    /// # Errors
    /// [`StateFileError::Io`]: the old bytes are there, or the new.
    pub fn replace(&self, body: &[u8]) -> Result<(), StateFileError> {
        let mut bytes = format!("{HEADER}{}\n", Digest::of(body).hex()).into_bytes();
        bytes.extend_from_slice(body);
        self.put(&bytes).map_err(|source| self.io(source))
    }

    fn put(&self, bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.beside("tmp");
        // One that a crash left may be longer; and who has it open must not write into what it becomes.
        match self.disk.remove(&unfinished) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        self.disk.write_at(&unfinished, 0, bytes)?;
        self.disk.sync_file(&unfinished)?;
        self.disk.rename(&unfinished, &self.path)?;
        match self.path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => self.disk.sync_dir(dir),
            _ => self.disk.sync_dir(Path::new(".")),
        }
    }

    /// The file's path with something after it.
    fn beside(&self, extension: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".");
        name.push(extension);
        name.into()
    }

    /// That the file is not what was written, for what only its reader can tell.
    pub fn damaged(&self) -> StateFileError {
        StateFileError::Damaged {
            path: self.path.clone(),
        }
    }

    fn io(&self, source: io::Error) -> StateFileError {
        StateFileError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(HEADER.as_bytes())?;
    let (checksum, rest) = rest.split_at_checked(64)?;
    let body = rest.strip_prefix(b"\n")?;
    (Digest::of(body).hex().as_bytes() == checksum).then_some(body)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let file = StateFile::new(&dir.path().join("a"));
        assert_eq!(file.read().unwrap(), None);
        for body in [b"one".as_slice(), b"", b"three and longer"] {
            file.replace(body).unwrap();
            assert_eq!(file.read().unwrap().as_deref(), Some(body));
        }
    }

    #[test]
    fn what_a_crash_left_unfinished_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = StateFile::new(&dir.path().join("a"));
        file.replace(b"one").unwrap();
        fs::write(dir.path().join("a.tmp"), "x".repeat(10_000)).unwrap();
        assert_eq!(file.read().unwrap().as_deref(), Some(b"one".as_slice()));
        file.replace(b"two").unwrap();
        assert_eq!(file.read().unwrap().as_deref(), Some(b"two".as_slice()));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let file = StateFile::new(&dir.path().join("a"));
        file.replace(b"what must not be forgotten").unwrap();
        let whole = fs::read(file.path()).unwrap();
        for at in 0..whole.len() {
            for wrong in [
                {
                    let mut flipped = whole.clone();
                    flipped[at] ^= 1;
                    flipped
                },
                whole[..at].to_vec(),
            ] {
                fs::write(file.path(), wrong).unwrap();
                assert!(
                    matches!(file.read(), Err(StateFileError::Damaged { .. })),
                    "{at}"
                );
            }
        }
    }

    #[test]
    fn one_holds_the_lock_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let file = StateFile::new(&dir.path().join("a"));
        let held = file.lock().unwrap();
        let (file2, (sender, receiver)) = (file.clone(), std::sync::mpsc::channel());
        let waiting = std::thread::spawn(move || {
            let _held = file2.lock().unwrap();
            sender.send(file2.read().unwrap()).unwrap();
        });
        file.replace(b"first").unwrap();
        assert!(receiver.try_recv().is_err());
        drop(held);
        assert_eq!(
            receiver.recv().unwrap().as_deref(),
            Some(b"first".as_slice())
        );
        waiting.join().unwrap();
    }
}
