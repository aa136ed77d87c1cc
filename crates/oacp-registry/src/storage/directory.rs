//! A directory as storage.

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::{Heads, Loaded, Objects, Versioned};
use crate::checksum::sha256;

/// Bytes of a slot. It is written whole, and has a page of its own, so that a torn write harms no other.
pub const SLOT_BYTES: usize = 4096;

/// Length, generation and checksum, before the value.
const SLOT_HEADER_BYTES: usize = 4 + 8 + 32;

const HEAD: &str = "head";
const LOCK: &str = "lock";

/// Ends the name of an object that is being written.
const UNFINISHED: &str = ".tmp";

/// A directory: a file an object, and two slots for the value.
pub struct Directory<D> {
    root: PathBuf,
    disk: D,
}

impl<D: Disk> Directory<D> {
    /// The directory, which is made if there is none.
    ///
    /// # Errors
    /// Of the file system.
    pub fn open(root: &Path, disk: D) -> io::Result<Self> {
        disk.create_dir_all(root)?;
        let directory = Self {
            root: root.to_owned(),
            disk,
        };
        let is_new = absent(directory.disk.len(&directory.path(HEAD)))?.is_none();
        if is_new {
            directory.sync_above()?;
        }
        Ok(directory)
    }

    /// Makes the names of the directory and of those above it durable: which of them are new is not known.
    fn sync_above(&self) -> io::Result<()> {
        for above in self.root.ancestors().skip(1) {
            let above = if above.as_os_str().is_empty() {
                Path::new(".")
            } else {
                above
            };
            match self.disk.sync_dir(above) {
                // What this user cannot read, this user did not make.
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
                synced => synced?,
            }
        }
        Ok(())
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn make_parent(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            Some(parent) => self.disk.create_dir_all(parent),
            None => Ok(()),
        }
    }

    /// Makes the names of `path` and of the directories above it durable.
    fn sync_names(&self, path: &Path) -> io::Result<()> {
        let above = path.ancestors().skip(1);
        for dir in above.take_while(|dir| dir.starts_with(&self.root)) {
            self.disk.sync_dir(dir)?;
        }
        Ok(())
    }
}

fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

impl<D: Disk> Objects for Directory<D> {
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(name);
        let unfinished = self.path(&format!("{name}{UNFINISHED}"));
        let write = || {
            // One that a crash left may be longer.
            absent(self.disk.remove(&unfinished))?;
            self.disk.write_at(&unfinished, 0, bytes)
        };
        match write() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.make_parent(&path)?;
                write()?;
            }
            written => written?,
        }
        self.disk.rename(&unfinished, &path)
    }

    fn append(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(name);
        let length = absent(self.disk.len(&path))?;
        if length.is_none() {
            self.make_parent(&path)?;
        }
        self.disk.write_at(&path, offset, bytes)?;
        let end = offset + bytes.len() as u64;
        if length.is_some_and(|length| length > end) {
            self.disk.truncate(&path, end)?;
        }
        self.disk.sync_file(&path)?;
        // The name of a file that a crash left empty may be as little durable as that of a new one.
        if offset == 0 {
            self.sync_names(&path)?;
        }
        Ok(())
    }

    fn get(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        absent(self.disk.read(&self.path(name)))
    }

    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let read = absent(self.disk.read_at(&self.path(name), offset, len))?;
        Ok(read.unwrap_or_default())
    }

    fn len(&self, name: &str) -> io::Result<Option<u64>> {
        absent(self.disk.len(&self.path(name)))
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        absent(self.disk.remove(&self.path(name))).map(|_| ())
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        self.disk.list(&self.path(name))
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.sync_all(&self.root)
    }
}

impl<D: Disk> Heads for Directory<D> {
    fn lock(&self) -> io::Result<Box<dyn Any + Send>> {
        self.disk.lock(&self.path(LOCK))
    }

    fn load(&self) -> io::Result<Loaded> {
        let bytes = self.get(HEAD)?.unwrap_or_default();
        let slots = [slot(&bytes, 0), slot(&bytes, 1)];
        let may_be_older = slots.contains(&Slot::Unreadable);
        let newest = slots
            .into_iter()
            .filter_map(|slot| match slot {
                Slot::Value(value) => Some(value),
                Slot::Empty | Slot::Unreadable => None,
            })
            .max_by_key(|value| value.generation);
        Ok(Loaded {
            newest,
            may_be_older,
        })
    }

    fn swap(&self, generation: u64, value: &[u8]) -> io::Result<()> {
        let found = self.load()?.newest.map_or(0, |newest| newest.generation);
        if found != generation {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("generation is {found}, expected {generation}"),
            ));
        }
        self.confirm(&Versioned {
            generation: generation + 1,
            value: value.to_vec(),
        })
    }

    fn confirm(&self, value: &Versioned) -> io::Result<()> {
        let path = self.path(HEAD);
        let is_new = absent(self.disk.len(&path))?.is_none_or(|len| len < 2 * SLOT_BYTES as u64);
        if is_new {
            self.disk.truncate(&path, 2 * SLOT_BYTES as u64)?;
        }
        let offset = (value.generation % 2) * SLOT_BYTES as u64;
        self.disk.write_at(&path, offset, &slot_bytes(value)?)?;
        self.disk.sync_file(&path)?;
        if is_new || value.generation <= 1 {
            self.sync_names(&path)?;
        }
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// Never written.
    Empty,
    /// Written, and not readable.
    Unreadable,
    Value(Versioned),
}

pub(crate) fn slot(bytes: &[u8], number: usize) -> Slot {
    let Some(bytes) = bytes.chunks(SLOT_BYTES).nth(number) else {
        return Slot::Empty;
    };
    if bytes.iter().all(|byte| *byte == 0) {
        return Slot::Empty;
    }
    read_slot(bytes).map_or(Slot::Unreadable, Slot::Value)
}

fn read_slot(bytes: &[u8]) -> Option<Versioned> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (generation, rest) = rest.split_first_chunk::<8>()?;
    let (checksum, rest) = rest.split_first_chunk::<32>()?;
    let (value, padding) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    let is_whole = bytes.len() == SLOT_BYTES
        && padding.iter().all(|byte| *byte == 0)
        && *checksum == slot_checksum(*generation, value);
    is_whole.then(|| Versioned {
        generation: u64::from_be_bytes(*generation),
        value: value.to_vec(),
    })
}

fn slot_checksum(generation: [u8; 8], value: &[u8]) -> [u8; 32] {
    sha256(&[&generation, value])
}

fn slot_bytes(value: &Versioned) -> io::Result<Vec<u8>> {
    let generation = value.generation.to_be_bytes();
    if value.value.len() > SLOT_BYTES - SLOT_HEADER_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "a head of {} bytes does not fit its slot",
                value.value.len()
            ),
        ));
    }
    let mut bytes = Vec::with_capacity(SLOT_BYTES);
    bytes.extend_from_slice(&(value.value.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&generation);
    bytes.extend_from_slice(&slot_checksum(generation, &value.value));
    bytes.extend_from_slice(&value.value);
    bytes.resize(SLOT_BYTES, 0);
    Ok(bytes)
}
