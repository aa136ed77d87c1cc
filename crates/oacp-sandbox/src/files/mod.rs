//! The files that a guest sees: a tree of our own, filled from the host as far as granted.
//!
//! The attacks first: a path in another spelling, a symbolic link swapped between check and use, a device that is read
//! for its effect, a file that changes between two looks, a write that another process never expected. No directory of the host is
//! open to a guest. A guest's path is resolved here, by its letters alone, then judged, and only what is granted is looked up, once: the
//! answer is recorded, and holds for the rest of the run. What a guest writes stays in memory until the run has ended well.

mod change;
mod contents;
mod host;
mod interface;
mod look;
mod wasi;
mod write_back;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use oacp::capability::{Denial, Grant, GuestPath};
use oacp::digest::Digest;

use crate::limits;
use crate::state::State;
use crate::tape::Side;

use contents::{Room, Shared, Times};
use host::Host;
pub(crate) use interface::link;
pub(crate) use wasi::link as link_wasi;
pub use write_back::Write;

/// The tree as one run knows it.
pub(crate) struct Files {
    working_directory: GuestPath,
    /// `None` in a replay, which asks its recording, and where nothing is granted.
    host: Option<Host>,
    /// What no guest sees, whatever is granted.
    withheld: Vec<PathBuf>,
    entries: BTreeMap<GuestPath, Entry>,
    /// What the host listed, once for each directory.
    listings: BTreeMap<GuestPath, Vec<(String, Kind)>>,
    inodes: u64,
    open: usize,
    /// Bytes in memory, of all files together.
    bytes: Arc<AtomicUsize>,
}

/// One path that was looked at.
struct Entry {
    inode: u64,
    /// What the host has there; nothing for what is private to the run.
    original: Original,
    now: Node,
}

enum Original {
    Private,
    Absent,
    Directory,
    /// The digest is known once the file was opened.
    File(Option<Digest>),
}

#[derive(Clone)]
enum Node {
    Absent,
    Directory,
    /// A file of so many bytes that was not opened yet.
    Closed(u64),
    File(Shared),
    Refused(Refusal),
}

/// Why the host's file is none for the guest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Special,
    Outside,
    Withheld,
    Unreadable,
}

/// What a path is, for the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    File,
    Directory,
}

pub(crate) struct Status {
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) inode: u64,
    times: Times,
}

/// An open file or directory.
pub(crate) struct Open {
    pub(crate) path: GuestPath,
    pub(crate) inode: u64,
    pub(crate) object: Object,
}

pub(crate) enum Object {
    Directory,
    File {
        contents: Shared,
        readable: bool,
        writable: bool,
    },
}

/// What is asked of a file that is opened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenFlags {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) create: bool,
    pub(crate) exclusive: bool,
    pub(crate) truncate: bool,
    pub(crate) directory: bool,
}

/// Why a file operation failed, for the guest.
#[derive(Clone, Debug)]
pub(crate) enum FileError {
    Denied(Box<Denial>),
    NotFound,
    Exists,
    IsDirectory,
    NotDirectory,
    NotEmpty,
    BadPath,
    /// The host could not read it.
    Io,
    TooLarge,
    /// A limit on bytes or open files is reached.
    Full,
    /// Links, and moving a directory of the host's.
    Unsupported,
}

type Answer<T> = wasmtime::Result<Result<T, FileError>>;

/// Returns the guest's error early, from a function that also can end the run.
macro_rules! attempt {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return Ok(Err(error)),
        }
    };
}
use attempt;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
    Both,
    /// Whether it is there, and what it is.
    Look,
}

impl Access {
    fn capability(self) -> &'static str {
        match self {
            Self::Write => "file_write",
            Self::Read | Self::Both | Self::Look => "file_read",
        }
    }
}

/// Where a path lies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Region {
    Granted,
    /// In memory, for this run alone.
    Private,
    /// The working directory and those above it: there for `chdir`, and nothing more.
    Anchor,
}

impl Files {
    pub(crate) fn new(
        working_directory: GuestPath,
        grant: &Grant,
        withheld: Vec<PathBuf>,
        side: &Side,
    ) -> Self {
        let host = match side {
            Side::Record(_) if grant.has_files() => Some(Host::new(grant, &withheld)),
            _ => None,
        };
        Self {
            working_directory,
            host,
            withheld,
            entries: BTreeMap::new(),
            listings: BTreeMap::new(),
            inodes: 1,
            open: 0,
            bytes: Arc::default(),
        }
    }

    /// A further call of the same instance looks at the host anew. What is private to the instance stays.
    pub(crate) fn begin(
        &mut self,
        working_directory: GuestPath,
        grant: &Grant,
        withheld: Vec<PathBuf>,
        side: &Side,
    ) {
        let fresh = Self::new(working_directory, grant, withheld, side);
        self.working_directory = fresh.working_directory;
        self.host = fresh.host;
        self.withheld = fresh.withheld;
        self.listings.clear();
        self.entries
            .retain(|_, entry| match (&entry.original, &entry.now) {
                (Original::Private, _) => true,
                (_, Node::File(contents)) => {
                    contents.end();
                    false
                }
                _ => false,
            });
    }

    pub(crate) fn working_directory(&self) -> &GuestPath {
        &self.working_directory
    }

    fn inode(&mut self) -> u64 {
        self.inodes += 1;
        self.inodes
    }

    fn insert(&mut self, path: GuestPath, original: Original, now: Node) -> &mut Entry {
        let inode = self.inode();
        self.entries.entry(path).or_insert(Entry {
            inode,
            original,
            now,
        })
    }

    /// Replaces what a path is, and keeps what the host has there.
    fn set(&mut self, path: &GuestPath, now: Node) -> u64 {
        let inode = self.inode();
        match self.entries.get_mut(path) {
            Some(entry) => {
                entry.now = now;
                entry.inode = inode;
            }
            None => {
                self.insert(path.clone(), Original::Private, now);
            }
        }
        inode
    }

    /// `/tmp`, where no grant says otherwise; and what SQLite writes beside a database that is granted.
    fn is_private(&self, path: &GuestPath) -> bool {
        let in_tmp = path.as_str() == "/tmp" || path.as_str().starts_with("/tmp/");
        // A project below `/tmp` is no scratch space: a name that is not granted there is an error to be told.
        if in_tmp && !path.starts_with(&self.working_directory) {
            return true;
        }
        let database = ["-journal", "-wal", "-shm", ".lock"]
            .iter()
            .find_map(|suffix| path.as_str().strip_suffix(suffix))
            .and_then(|database| database.parse().ok());
        database.is_some_and(|database: GuestPath| {
            matches!(
                self.entries.get(&database),
                Some(Entry {
                    now: Node::File(_) | Node::Closed(_),
                    ..
                })
            )
        })
    }
}

impl State {
    /// Resolves what a guest wrote, by its letters alone.
    fn resolve(&self, base: &GuestPath, path: &str) -> Result<GuestPath, FileError> {
        base.join(path).map_err(|_| FileError::BadPath)
    }

    fn is_anchor(&self, path: &GuestPath) -> bool {
        self.files.working_directory.starts_with(path)
    }

    /// Room for names that are handed out one after the other; it is given back as it is dropped.
    fn room_for(&self, names: &[(String, Kind)]) -> Result<Room, FileError> {
        let bytes = names
            .iter()
            .map(|(name, _)| name.len() + limits::DIRECTORY_ENTRY_BYTES)
            .sum();
        Room::take(&self.files.bytes, bytes).map_err(|_| FileError::Full)
    }

    /// One descriptor more, beside those of [`State::open_file`].
    pub(crate) fn count_open(&mut self) {
        self.files.open += 1;
    }

    pub(crate) fn close_file(&mut self) {
        self.files.open = self.files.open.saturating_sub(1);
    }
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
        }
    }
}
