//! The files that a guest sees: a tree of our own, filled from the host as far as granted.
//!
//! The attacks first: a path in another spelling, a symbolic link swapped between check and use, a device that is read
//! for its effect, a file that changes between two looks, a write that another process never expected. No directory of the host is
//! open to a guest. A guest's path is resolved here, by its letters alone, then judged, and only what is granted is looked up, once: the
//! answer is recorded, and holds for the rest of the run. What a guest writes stays in memory until the run has ended well.

mod contents;
mod host;
mod interface;
mod wasi;
mod write_back;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use oacp::capability::{Denial, Grant, GuestPath};
use oacp::digest::Digest;
use oacp::event::{Event, Found};

use crate::limits;
use crate::state::State;
use crate::tape::Side;

use contents::{Contents, Room, Shared, Times};
use host::{Fact, Host};
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

    /// Where the path lies, or the denial, recorded.
    async fn judge_file(&mut self, path: &GuestPath, access: Access) -> Answer<Region> {
        let judged = match access {
            Access::Read => self.grant.allows_read(path),
            Access::Write => self.grant.allows_write(path),
            Access::Both => self
                .grant
                .allows_read(path)
                .and(self.grant.allows_write(path)),
            Access::Look if self.grant.shows(path) => Ok(()),
            Access::Look => self.grant.allows_read(path),
        };
        let denial = match judged {
            Ok(()) => return Ok(Ok(Region::Granted)),
            Err(denial) => denial,
        };
        if !self.grant.shows(path) {
            if self.files.is_private(path) {
                return Ok(Ok(Region::Private));
            }
            if access == Access::Look && self.files.working_directory.starts_with(path) {
                return Ok(Ok(Region::Anchor));
            }
        }
        // A file's denial has a number of its own: it is of no call that the guest began.
        let call = self.next_call()?;
        let capability = denial.capability.clone();
        if let Some(denial) = self.refuse(call, denial).await? {
            return Ok(Err(FileError::Denied(Box::new(denial))));
        }
        if let Side::Record(_) = self.tape.side {
            let (grant, withheld) = (&self.grant, &self.files.withheld);
            let host = self
                .files
                .host
                .get_or_insert_with(|| Host::new(grant, withheld));
            host.add(path, &capability);
        }
        Ok(Ok(Region::Granted))
    }

    /// Whether the directory may be listed, or the denial, recorded. What is in it is judged name by name.
    async fn judge_listing(&mut self, path: &GuestPath) -> Answer<()> {
        let Err(denial) = self.grant.allows_listing(path) else {
            return Ok(Ok(()));
        };
        if self.files.is_private(path) && !self.grant.shows(path) {
            return Ok(Ok(()));
        }
        // What the run itself has made is its own to list.
        let is_own = matches!(
            self.files.entries.get(path),
            Some(Entry {
                original: Original::Private | Original::Absent,
                now: Node::Directory,
                ..
            })
        );
        if is_own {
            return Ok(Ok(()));
        }
        let call = self.next_call()?;
        Ok(match self.refuse(call, denial).await? {
            Some(denial) => Err(FileError::Denied(Box::new(denial))),
            None => Ok(()),
        })
    }

    /// What is at `path`, asked of the host at most once.
    async fn look(&mut self, path: &GuestPath) -> Answer<()> {
        let region = attempt!(self.judge_file(path, Access::Look).await?);
        if self.files.entries.contains_key(path) {
            return Ok(Ok(()));
        }
        if self.files.entries.len() >= limits::FILES_KNOWN_MAX {
            self.halted(Err(crate::tape::Halt::Limit(format!(
                "the limit of {} files is reached",
                limits::FILES_KNOWN_MAX
            ))))?;
        }
        match region {
            Region::Anchor => {
                self.files
                    .insert(path.clone(), Original::Directory, Node::Directory);
            }
            Region::Private => {
                let now = if path.as_str() == "/tmp" {
                    Node::Directory
                } else {
                    Node::Absent
                };
                self.files.insert(path.clone(), Original::Private, now);
            }
            Region::Granted => self.ask_host(path, Access::Look)?,
        }
        Ok(Ok(()))
    }

    /// Asks the host, or the recording, and keeps the answer. With [`Access::Look`] a file stays closed.
    fn ask_host(&mut self, path: &GuestPath, access: Access) -> wasmtime::Result<()> {
        let (original, now) = match self.fact(path, access)? {
            Known::Opened(digest, contents) => {
                let contents = Contents::of(&contents, digest, &self.files.bytes);
                if matches!(access, Access::Read | Access::Both) {
                    contents.set_readable();
                }
                (Original::File(Some(digest)), Node::File(contents))
            }
            Known::Status(found, size) => match found {
                Found::File => (Original::File(None), Node::Closed(size)),
                Found::Directory => (Original::Directory, Node::Directory),
                Found::Absent => (Original::Absent, Node::Absent),
                Found::Special => (Original::Private, Node::Refused(Refusal::Special)),
                Found::Outside => (Original::Private, Node::Refused(Refusal::Outside)),
                Found::Withheld => (Original::Private, Node::Refused(Refusal::Withheld)),
                Found::Unreadable => (Original::Private, Node::Refused(Refusal::Unreadable)),
            },
        };
        match self.files.entries.get_mut(path) {
            // It was looked at before: the inode stays.
            Some(entry) => {
                entry.original = original;
                entry.now = now;
            }
            None => {
                self.files.insert(path.clone(), original, now);
            }
        }
        Ok(())
    }

    fn fact(&mut self, path: &GuestPath, access: Access) -> wasmtime::Result<Known> {
        if let Side::Replay(_) = self.tape.side {
            let looking = format!("the guest looks at the file {path:?}");
            let read = self.tape.read(&looking, |event| {
                matches!(event, Event::FileOpened { path: p, .. } if p == path && access != Access::Look)
                    || matches!(event, Event::FileStatus { path: p, .. } if p == path)
            });
            let (event, contents) = self.halted(read)?;
            // A run reads no such file.
            if contents.len() > limits::FILE_BYTES_MAX {
                let diverged = self.tape.diverged_before(&event, looking);
                return self.halted(Err(diverged));
            }
            return Ok(match (event, contents) {
                (Event::FileStatus { found, size, .. }, _) => Known::Status(found, size),
                (Event::FileOpened { content, .. }, contents) => {
                    Known::Opened(content.sha256, contents)
                }
                _ => unreachable!("no other event is accepted above"),
            });
        }
        let fits = |bytes: u64| {
            bytes <= limits::FILE_BYTES_MAX as u64
                && usize::try_from(bytes).is_ok_and(|bytes| self.tape.fits(bytes))
        };
        let fact = match &self.files.host {
            Some(host) => host.look(path, access, fits),
            // Granted by somebody who was asked: nothing is open to such a run beside what it was begun with.
            None => Fact::Status(Found::Absent, 0),
        };
        match fact {
            Fact::Opened(contents) => {
                let contents: Arc<[u8]> = contents.into();
                let path = path.clone();
                let written = self
                    .tape
                    .write(&contents, |content| Event::FileOpened { path, content });
                let content = self.halted(written)?;
                Ok(Known::Opened(content.sha256, contents))
            }
            Fact::Status(found, size) => {
                let path = path.clone();
                // As an event can say it, so that a replay sees no other.
                let size = size.min(oacp::limits::JSON_INTEGER_MAX);
                self.event(&Event::FileStatus { path, found, size })?;
                Ok(Known::Status(found, size))
            }
        }
    }

    /// What is at `path`, as far as it may be seen.
    pub(crate) async fn file_status(&mut self, path: &GuestPath) -> Answer<Option<Status>> {
        attempt!(self.look(path).await?);
        let Some(entry) = self.files.entries.get(path) else {
            return Ok(Ok(None));
        };
        let inode = entry.inode;
        let status = |kind, size| {
            Some(Status {
                kind,
                size,
                inode,
                times: Times::default(),
            })
        };
        Ok(match &entry.now {
            Node::Absent => Ok(None),
            Node::Directory => Ok(status(Kind::Directory, 0)),
            Node::Closed(size) => Ok(status(Kind::File, *size)),
            Node::File(contents) => Ok(Some(Status {
                kind: Kind::File,
                size: contents.len(),
                inode,
                times: contents.times(),
            })),
            Node::Refused(refusal) => {
                let refusal = *refusal;
                return self.refused_file(path, refusal, Access::Look).await;
            }
        })
    }

    /// The error for what the host has and the guest cannot have.
    async fn refused_file<T>(
        &mut self,
        path: &GuestPath,
        refusal: Refusal,
        access: Access,
    ) -> Answer<T> {
        let denial = match refusal {
            Refusal::Special => Denial::file_special(access.capability(), path),
            Refusal::Outside => Denial::file_outside(access.capability(), path),
            Refusal::Withheld => Denial::file_withheld(access.capability(), path),
            Refusal::Unreadable => return Ok(Err(FileError::Io)),
        };
        let call = self.next_call()?;
        self.deny(call, &denial)?;
        Ok(Err(FileError::Denied(Box::new(denial))))
    }

    /// Opens a file or a directory.
    pub(crate) async fn open_file(&mut self, path: GuestPath, flags: OpenFlags) -> Answer<Open> {
        if self.files.open >= limits::FILES_OPEN_MAX {
            return Ok(Err(FileError::Full));
        }
        let writes = flags.write || flags.truncate || flags.create;
        let access = match (flags.write || flags.truncate, flags.read) {
            (true, true) if !flags.truncate => Access::Both,
            (true, _) => Access::Write,
            (false, true) => Access::Read,
            (false, false) => Access::Look,
        };
        // A directory is opened to be listed.
        if flags.directory && !writes {
            attempt!(self.judge_listing(&path).await?);
        }
        // A directory may be opened wherever it may be looked at; what is in it is judged name by name.
        if self.grant.shows(&path) || self.files.is_private(&path) || self.is_anchor(&path) {
            attempt!(self.look(&path).await?);
        }
        match self.files.entries.get(&path) {
            Some(Entry {
                now: Node::Directory,
                inode,
                ..
            }) => {
                let inode = *inode;
                if flags.write || flags.create && flags.exclusive {
                    return Ok(Err(if flags.create && flags.exclusive {
                        FileError::Exists
                    } else {
                        FileError::IsDirectory
                    }));
                }
                self.files.open += 1;
                return Ok(Ok(Open {
                    path,
                    inode,
                    object: Object::Directory,
                }));
            }
            Some(Entry {
                now: Node::Refused(refusal),
                ..
            }) => {
                let refusal = *refusal;
                return self.refused_file(&path, refusal, access).await;
            }
            _ => {}
        }
        // What the guest itself has made may be read back under the right to write it.
        let own = matches!(
            self.files.entries.get(&path),
            Some(Entry {
                now: Node::File(contents),
                ..
            }) if contents.is_own()
        );
        let is_there = matches!(
            self.files.entries.get(&path),
            Some(Entry {
                now: Node::File(_) | Node::Closed(_),
                ..
            })
        );
        if writes && (flags.write || flags.truncate || !is_there) {
            attempt!(self.judge_file(&path, Access::Write).await?);
        }
        let reads_what_was = flags.read && is_there && !own && !flags.truncate;
        if reads_what_was || (!writes && !own) {
            attempt!(self.judge_file(&path, Access::Read).await?);
        }
        if !self.files.entries.contains_key(&path) {
            attempt!(self.look(&path).await?);
        }
        if flags.directory {
            return Ok(Err(match is_there {
                true => FileError::NotDirectory,
                false => FileError::NotFound,
            }));
        }
        let contents = match self.files.entries.get(&path).map(|entry| entry.now.clone()) {
            Some(Node::File(contents)) => {
                if flags.create && flags.exclusive {
                    return Ok(Err(FileError::Exists));
                }
                contents
            }
            Some(Node::Closed(_)) => {
                if flags.create && flags.exclusive {
                    return Ok(Err(FileError::Exists));
                }
                attempt!(self.load(&path, access).await?)
            }
            Some(Node::Refused(refusal)) => {
                return self.refused_file(&path, refusal, access).await;
            }
            _ if flags.create => attempt!(self.create(&path).await?),
            _ => return Ok(Err(FileError::NotFound)),
        };
        if reads_what_was {
            attempt!(self.confirm_readable(&path, &contents).await?);
        }
        if contents.is_wal_database() && !contents.is_own() && !flags.truncate {
            let denial = Denial::wal_database(&path);
            let call = self.next_call()?;
            self.deny(call, &denial)?;
            return Ok(Err(FileError::Denied(Box::new(denial))));
        }
        if flags.truncate {
            contents.truncate();
        }
        self.files.open += 1;
        let inode = self.files.entries.get(&path).map_or(0, |entry| entry.inode);
        Ok(Ok(Open {
            path,
            inode,
            object: Object::File {
                contents,
                readable: flags.read,
                writable: flags.write,
            },
        }))
    }

    /// What was loaded to be written is judged by the host once more before it is read: through a link it may lie where only writing
    /// is granted.
    async fn confirm_readable(&mut self, path: &GuestPath, contents: &Shared) -> Answer<()> {
        if contents.is_readable() {
            return Ok(Ok(()));
        }
        let loaded = self.files.entries.get(path).map(|entry| &entry.original);
        let loaded = match loaded {
            Some(Original::File(digest)) => *digest,
            _ => None,
        };
        match self.fact(path, Access::Read)? {
            // Another file than the one in memory says nothing about that one.
            Known::Opened(digest, _) if Some(digest) == loaded => {
                contents.set_readable();
                Ok(Ok(()))
            }
            Known::Status(Found::Outside, _) => {
                self.refused_file(path, Refusal::Outside, Access::Read)
                    .await
            }
            Known::Opened(..) | Known::Status(..) => Ok(Err(FileError::Io)),
        }
    }

    fn is_anchor(&self, path: &GuestPath) -> bool {
        self.files.working_directory.starts_with(path)
    }

    /// The contents of a file that was only looked at until now.
    async fn load(&mut self, path: &GuestPath, access: Access) -> Answer<Shared> {
        let access = match access {
            Access::Look => Access::Read,
            other => other,
        };
        self.ask_host(path, access)?;
        let now = self.files.entries.get(path).map(|entry| entry.now.clone());
        match now {
            Some(Node::File(contents)) => Ok(Ok(contents)),
            Some(Node::Closed(_)) => Ok(Err(FileError::TooLarge)),
            Some(Node::Directory) => Ok(Err(FileError::IsDirectory)),
            Some(Node::Refused(refusal)) => self.refused_file(path, refusal, access).await,
            Some(Node::Absent) | None => Ok(Err(FileError::NotFound)),
        }
    }

    /// A new, empty file. The right to write was judged.
    async fn create(&mut self, path: &GuestPath) -> Answer<Shared> {
        attempt!(self.parent_is_there(path).await?);
        attempt!(self.kind_is_kept(path, Kind::File));
        let contents = Contents::empty(&self.files.bytes);
        self.files.set(path, Node::File(contents.clone()));
        Ok(Ok(contents))
    }

    /// What was a directory on the host becomes no file in one run, nor a file a directory: such a change cannot be written back.
    fn kind_is_kept(&self, path: &GuestPath, kind: Kind) -> Result<(), FileError> {
        match (
            self.files.entries.get(path).map(|entry| &entry.original),
            kind,
        ) {
            (Some(Original::Directory), Kind::File)
            | (Some(Original::File(_)), Kind::Directory) => Err(FileError::Unsupported),
            _ => Ok(()),
        }
    }

    async fn parent_is_there(&mut self, path: &GuestPath) -> Answer<()> {
        let Some(parent) = path.parent() else {
            return Ok(Err(FileError::IsDirectory));
        };
        // What lies in an ungranted directory can be granted by name: that its directory is there is no secret then.
        if !self.grant.shows(&parent) && !self.files.is_private(&parent) && !self.is_anchor(&parent)
        {
            return Ok(Ok(()));
        }
        Ok(match attempt!(self.file_status(&parent).await?) {
            Some(Status {
                kind: Kind::Directory,
                ..
            }) => Ok(()),
            Some(_) => Err(FileError::NotDirectory),
            None => Err(FileError::NotFound),
        })
    }

    /// The names in a directory that may be seen, sorted.
    pub(crate) async fn list_directory(&mut self, path: &GuestPath) -> Answer<Vec<(String, Kind)>> {
        let shown = self.grant.shows(path);
        attempt!(self.judge_listing(path).await?);
        match attempt!(self.file_status(path).await?) {
            Some(Status {
                kind: Kind::Directory,
                ..
            }) => {}
            Some(_) => return Ok(Err(FileError::NotDirectory)),
            None => return Ok(Err(FileError::NotFound)),
        }
        let mut names: BTreeMap<String, Kind> = BTreeMap::new();
        let on_host = matches!(
            self.files.entries.get(path),
            Some(Entry {
                original: Original::Directory,
                ..
            })
        );
        if on_host && shown {
            if !self.files.listings.contains_key(path) {
                let listing = self.listing(path)?;
                self.files.listings.insert(path.clone(), listing);
            }
            names.extend(self.files.listings.get(path).into_iter().flatten().cloned());
        }
        for (child, entry) in self.files.entries.range(path.clone()..) {
            // Sorted as texts: `/a.bak` stands between `/a` and `/a/x`.
            if !child.as_str().starts_with(path.as_str()) {
                break;
            }
            if child.parent().as_ref() != Some(path) {
                continue;
            }
            match &entry.now {
                Node::Absent | Node::Refused(_) => names.remove(child.name()),
                Node::Directory => names.insert(child.name().to_owned(), Kind::Directory),
                Node::Closed(_) | Node::File(_) => {
                    names.insert(child.name().to_owned(), Kind::File)
                }
            };
        }
        Ok(Ok(names.into_iter().collect()))
    }

    /// What the host lists, or the recording says that it listed.
    fn listing(&mut self, path: &GuestPath) -> wasmtime::Result<Vec<(String, Kind)>> {
        let bytes: Arc<[u8]> = match self.tape.side {
            Side::Replay(_) => {
                let looking = format!("the guest lists the directory {path:?}");
                let read = self.tape.read(
                    &looking,
                    |event| matches!(event, Event::DirectoryListed { path: p, .. } if p == path),
                );
                let (event, bytes) = self.halted(read)?;
                // Judged again: a recording shows no more than its grant.
                let is_granted = |name: &str| {
                    path.child(name)
                        .is_ok_and(|child| self.grant.shows(&child) || self.granted_file(&child))
                };
                let names: Option<Vec<(String, String)>> = serde_json::from_slice(&bytes).ok();
                let is_possible = names.is_some_and(|names| {
                    names.len() <= limits::DIRECTORY_ENTRIES_MAX
                        && names.iter().all(|(name, _)| is_granted(name))
                });
                if !is_possible {
                    let diverged = self.tape.diverged_before(&event, looking);
                    return self.halted(Err(diverged));
                }
                bytes
            }
            Side::Record(_) => {
                let names = match &self.files.host {
                    Some(host) => host.list(path, |child| self.grant.shows(child)),
                    None => Vec::new(),
                };
                let names: Vec<_> = names
                    .iter()
                    .map(|(name, kind)| (name, kind.as_str()))
                    .collect();
                let bytes = oacp::json::canonicalize(&names).unwrap_or_default();
                let path = path.clone();
                let written = self
                    .tape
                    .write(&bytes, |entries| Event::DirectoryListed { path, entries });
                self.halted(written)?;
                bytes.into()
            }
        };
        let names: Vec<(String, String)> = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(names
            .into_iter()
            .map(|(name, kind)| {
                let kind = if kind == Kind::Directory.as_str() {
                    Kind::Directory
                } else {
                    Kind::File
                };
                (name, kind)
            })
            .collect())
    }

    /// Whether somebody who was asked has allowed it.
    fn granted_file(&self, path: &GuestPath) -> bool {
        ["file_read", "file_write"].iter().any(|capability| {
            self.granted
                .contains(&((*capability).to_owned(), path.to_string()))
        })
    }

    pub(crate) async fn make_directory(&mut self, path: &GuestPath) -> Answer<()> {
        if self.is_anchor(path) {
            return Ok(Err(FileError::Exists));
        }
        // `out/*` may be written where `out` is not there yet.
        let leads = self.grant.shows(path)
            && self
                .grant
                .capabilities()
                .file_write
                .iter()
                .any(|pattern| pattern.reaches_below(path));
        if !leads {
            attempt!(self.judge_file(path, Access::Write).await?);
        }
        if attempt!(self.file_status(path).await?).is_some() {
            return Ok(Err(FileError::Exists));
        }
        attempt!(self.parent_is_there(path).await?);
        attempt!(self.kind_is_kept(path, Kind::Directory));
        self.files.set(path, Node::Directory);
        Ok(Ok(()))
    }

    pub(crate) async fn remove_file(&mut self, path: &GuestPath) -> Answer<()> {
        attempt!(self.judge_file(path, Access::Write).await?);
        let status = attempt!(self.file_status(path).await?);
        match status.map(|status| status.kind) {
            Some(Kind::File) => {}
            Some(Kind::Directory) => return Ok(Err(FileError::IsDirectory)),
            None => return Ok(Err(FileError::NotFound)),
        }
        attempt!(self.known_digest(path).await?);
        self.files.set(path, Node::Absent);
        Ok(Ok(()))
    }

    /// What will be replaced or removed is read first, so that it is known what was lost, and that nobody changed it since.
    async fn known_digest(&mut self, path: &GuestPath) -> Answer<()> {
        let closed = matches!(
            self.files.entries.get(path),
            Some(Entry {
                now: Node::Closed(_),
                ..
            })
        );
        if closed {
            attempt!(self.load(path, Access::Write).await?);
        }
        Ok(Ok(()))
    }

    /// Times are the run's own: they are shown again, and not written to the host.
    async fn set_file_times(&mut self, path: &GuestPath, times: Times) -> Answer<()> {
        attempt!(self.judge_file(path, Access::Write).await?);
        if attempt!(self.file_status(path).await?).is_none() {
            return Ok(Err(FileError::NotFound));
        }
        attempt!(self.known_digest(path).await?);
        if let Some(Entry {
            now: Node::File(contents),
            ..
        }) = self.files.entries.get(path)
        {
            contents.set_times(times);
        }
        Ok(Ok(()))
    }

    pub(crate) async fn remove_directory(&mut self, path: &GuestPath) -> Answer<()> {
        attempt!(self.judge_file(path, Access::Write).await?);
        if !attempt!(self.list_directory(path).await?).is_empty() {
            return Ok(Err(FileError::NotEmpty));
        }
        self.files.set(path, Node::Absent);
        Ok(Ok(()))
    }

    pub(crate) async fn rename_file(&mut self, old: &GuestPath, new: &GuestPath) -> Answer<()> {
        attempt!(self.judge_file(old, Access::Write).await?);
        attempt!(self.judge_file(new, Access::Write).await?);
        let Some(moved) = attempt!(self.file_status(old).await?) else {
            return Ok(Err(FileError::NotFound));
        };
        if old == new {
            return Ok(Ok(()));
        }
        attempt!(self.parent_is_there(new).await?);
        let replaced = attempt!(self.file_status(new).await?).map(|status| status.kind);
        match (moved.kind, replaced) {
            (Kind::File, Some(Kind::Directory)) => return Ok(Err(FileError::IsDirectory)),
            (Kind::Directory, Some(Kind::File)) => return Ok(Err(FileError::NotDirectory)),
            (Kind::Directory, _) => return self.rename_directory(old, new).await,
            (Kind::File, _) => {}
        }
        attempt!(self.kind_is_kept(new, Kind::File));
        attempt!(self.known_digest(new).await?);
        attempt!(self.known_digest(old).await?);
        // Moving gives what was there another name, under which it could be read.
        let Some(Node::File(contents)) = self.files.entries.get(old).map(|entry| entry.now.clone())
        else {
            return Ok(Err(FileError::NotFound));
        };
        if !contents.is_own() {
            attempt!(self.judge_file(old, Access::Read).await?);
            attempt!(self.confirm_readable(old, &contents).await?);
        }
        let inode = moved.inode;
        self.files.set(new, Node::File(contents));
        self.files.set(old, Node::Absent);
        if let Some(entry) = self.files.entries.get_mut(new) {
            entry.inode = inode;
        }
        Ok(Ok(()))
    }

    /// Only directories that this run made can be moved: of the others not all that is in them is known.
    async fn rename_directory(&mut self, old: &GuestPath, new: &GuestPath) -> Answer<()> {
        let made_here = |path: &GuestPath, files: &Files| {
            matches!(
                files.entries.get(path),
                Some(Entry {
                    original: Original::Private | Original::Absent,
                    now: Node::Directory,
                    ..
                })
            )
        };
        if new.starts_with(old) {
            return Ok(Err(FileError::BadPath));
        }
        if !made_here(old, &self.files) {
            return Ok(Err(FileError::Unsupported));
        }
        if attempt!(self.file_status(new).await?).is_some()
            && !attempt!(self.list_directory(new).await?).is_empty()
        {
            return Ok(Err(FileError::NotEmpty));
        }
        let moved: BTreeSet<GuestPath> = self
            .files
            .entries
            .range(old.clone()..)
            .take_while(|(path, _)| path.as_str().starts_with(old.as_str()))
            .filter(|(path, entry)| {
                path.starts_with(old) && !matches!(entry.now, Node::Absent | Node::Refused(_))
            })
            .map(|(path, _)| path.clone())
            .collect();
        for path in moved {
            let tail = path.as_str().strip_prefix(old.as_str()).unwrap_or_default();
            let target = attempt!(
                format!("{new}{tail}")
                    .parse::<GuestPath>()
                    .map_err(|_| FileError::BadPath)
            );
            attempt!(self.judge_file(&target, Access::Write).await?);
            // Told as it is: what the host refuses there is not moved onto.
            attempt!(self.file_status(&target).await?);
            let is_directory = matches!(
                self.files.entries.get(&path),
                Some(Entry {
                    now: Node::Directory,
                    ..
                })
            );
            let kind = if is_directory {
                Kind::Directory
            } else {
                Kind::File
            };
            attempt!(self.kind_is_kept(&target, kind));
            if let Some(now) = self.files.entries.get(&path).map(|entry| entry.now.clone()) {
                self.files.set(&target, now);
                self.files.set(&path, Node::Absent);
            }
        }
        Ok(Ok(()))
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

/// A fact about the host's file, from the host or from the recording.
enum Known {
    Opened(Digest, Arc<[u8]>),
    Status(Found, u64),
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
        }
    }
}
