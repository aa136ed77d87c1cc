//! A disk in memory that keeps its promises and not a byte more.
//!
//! What is written is visible at once, and durable after a synchronisation that succeeded; names are durable after that of their
//! directory. A power cut keeps of the rest what a seed says: every stretch of a file is as it was after some number of the writes that
//! were pending, its length is one that it had meanwhile, and of the changes of a directory's names any may have been carried out. A
//! synchronisation that fails makes some of it durable and takes the rest for done, as Linux does: the next one that succeeds does not write
//! it, though it can be read until the page is dropped.
//!
//! Every operation has a number. A fault can be put at each.

// Another suite takes this file in by its path.
#[path = "disk/state.rs"]
mod state;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oacp::digest::{Digest, Hasher};
use oacp_registry::storage::disk::Disk;

use self::state::{
    Change, Happens, Life, NameChange, Node, State, apply, apply_name, parent, survive,
};
use super::random::Random;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Read,
    Write,
    Truncate,
    SyncFile,
    SyncDir,
    SyncAll,
    CreateDir,
    Rename,
    Remove,
    List,
    Len,
    Lock,
}

impl Kind {
    pub const ALL: [Self; 12] = [
        Self::Read,
        Self::Write,
        Self::Truncate,
        Self::SyncFile,
        Self::SyncDir,
        Self::SyncAll,
        Self::CreateDir,
        Self::Rename,
        Self::Remove,
        Self::List,
        Self::Len,
        Self::Lock,
    ];
}

/// How an operation goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It reports an error, and nothing has happened.
    Failed,
    /// It reports an error, and all of it has happened.
    FailedButHappened,
    /// It reports an error, and a part of it has happened.
    Short,
    /// There is no space: a write happens in part or not at all, a synchronisation as with [`Fault::Eio`], and what needs no space succeeds.
    NoSpace,
    /// The device reports an error. Of what a synchronisation was to make durable some is; the rest will never be.
    Eio,
    /// The process ends in the middle of it. All its later operations fail.
    Killed,
}

impl Fault {
    pub const ALL: [Self; 6] = [
        Self::Failed,
        Self::FailedButHappened,
        Self::Short,
        Self::NoSpace,
        Self::Eio,
        Self::Killed,
    ];
}

/// An operation that took place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub number: u64,
    pub process: usize,
    pub kind: Kind,
    pub path: PathBuf,
    /// What is written, the new length, or the new name; of a read, what was read.
    pub of: Vec<u8>,
    pub fault: Option<Fault>,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(
            f,
            "{:4} process {} {:?} {path}",
            self.number, self.process, self.kind
        )?;
        match self.kind {
            Kind::Write | Kind::Read => write!(f, " ({} bytes)", self.of.len())?,
            Kind::Rename => write!(f, " to {}", String::from_utf8_lossy(&self.of))?,
            _ => {}
        }
        match self.fault {
            Some(fault) => write!(f, ": {fault:?}"),
            None => Ok(()),
        }
    }
}

/// The disk. Clones are one disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

/// The disk, as one process sees it.
#[derive(Clone)]
pub struct Process {
    number: usize,
    disk: SimDisk,
}

impl SimDisk {
    /// An empty disk.
    pub fn new(seed: u64) -> Self {
        let root = BTreeMap::from([(PathBuf::from("/"), Node::Directory)]);
        Self(Arc::new(Mutex::new(State {
            random: Random::new(seed),
            files: BTreeMap::new(),
            names: root.clone(),
            durable_names: root,
            pending_names: BTreeMap::new(),
            next_inode: 0,
            locks: BTreeMap::new(),
            processes: Vec::new(),
            operations: 0,
            trace: Vec::new(),
            keeps_trace: false,
            digest: Hasher::new(),
            faults: BTreeMap::new(),
            struck: Vec::new(),
            ends_at_fault: false,
            watched: None,
            appeared: Vec::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What panicked wants to tell what the disk went through.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy that shares nothing with this one. No process is alive on it.
    pub fn copy(&self) -> Self {
        let state = self.state();
        Self(Arc::new(Mutex::new(State {
            random: state.random.clone(),
            files: state.files.clone(),
            names: state.names.clone(),
            durable_names: state.durable_names.clone(),
            pending_names: state.pending_names.clone(),
            next_inode: state.next_inode,
            locks: BTreeMap::new(),
            processes: vec![Life::Dead; state.processes.len()],
            operations: state.operations,
            trace: state.trace.clone(),
            keeps_trace: state.keeps_trace,
            digest: state.digest.clone(),
            faults: BTreeMap::new(),
            struck: state.struck.clone(),
            ends_at_fault: state.ends_at_fault,
            watched: state.watched.clone(),
            appeared: state.appeared.clone(),
        })))
    }

    /// A new process.
    pub fn process(&self) -> Process {
        let mut state = self.state();
        state.processes.push(Life::Alive);
        Process {
            number: state.processes.len() - 1,
            disk: self.clone(),
        }
    }

    /// Lets operation `number` go wrong.
    pub fn inject(&self, number: u64, fault: Fault) {
        self.state().faults.insert(number, fault);
    }

    /// From now on a process ends with its first fault.
    pub fn end_at_fault(&self) {
        self.state().ends_at_fault = true;
    }

    /// Lets nothing more go wrong.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// The number of the next operation.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// From now on operations are kept, to be listed.
    pub fn keep_trace(&self) {
        self.state().keeps_trace = true;
    }

    /// The operations that were kept.
    pub fn trace(&self) -> Vec<Operation> {
        self.state().trace.clone()
    }

    /// Those that went wrong.
    pub fn struck(&self) -> Vec<Operation> {
        self.state().struck.clone()
    }

    /// Over every operation there was.
    pub fn trace_digest(&self) -> Digest {
        self.state().digest.clone().finish()
    }

    /// Ends every process, and keeps what is durable, and of the rest what the seed says.
    pub fn cut_power(&self, seed: u64) {
        let mut state = self.state();
        state.end_all();
        let mut random = Random::new(seed);
        let state = &mut *state;
        for changes in std::mem::take(&mut state.pending_names).into_values() {
            for change in random.survivors(&changes) {
                apply_name(&mut state.durable_names, &change);
            }
        }
        state.drop_unreachable();
        for file in state.files.values_mut() {
            file.durable = survive(&file.durable, &file.pending, &mut random);
            file.bytes = file.durable.clone();
            file.pending.clear();
        }
        state.look_at_watched();
    }

    /// Ends every process, as SIGKILL does: what was written stays visible.
    pub fn kill_all(&self) {
        self.state().end_all();
    }

    /// Remembers everything that can be read under this name from now on.
    pub fn watch(&self, path: &Path) {
        self.state().watched = Some(path.to_owned());
    }

    /// What could be read under it since the last call.
    pub fn take_watched(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.state().appeared)
    }

    /// The visible files, by path.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.state();
        let files = state.names.iter().filter_map(|(path, node)| {
            let file = &state.files[&node.inode()?];
            Some((path.clone(), file.bytes.clone()))
        });
        files.collect()
    }

    /// A visible file.
    pub fn file(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        let inode = state.inode(path).ok()?;
        Some(state.files[&inode].bytes.clone())
    }

    /// Changes a file's durable bytes behind everybody's back.
    pub fn rot(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let inode = state.inode(path).unwrap();
        let file = state.files.get_mut(&inode).unwrap();
        change(&mut file.durable);
        file.bytes = file.durable.clone();
        file.pending.clear();
    }
}

impl Process {
    /// Whether a fault ended it.
    pub fn is_dead(&self) -> bool {
        self.disk.state().processes[self.number] == Life::Dead
    }
}

impl Disk for Process {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut state = self.disk.state();
        let course = state.begin(self.number, Kind::Read, path, &[])?;
        let bytes = state.file(path)?.bytes.clone();
        course.end(bytes)
    }

    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut state = self.disk.state();
        let of = [offset.to_be_bytes(), (len as u64).to_be_bytes()].concat();
        let course = state.begin(self.number, Kind::Read, path, &of)?;
        let bytes = &state.file(path)?.bytes;
        let start = usize::try_from(offset).unwrap().min(bytes.len());
        let end = start.saturating_add(len).min(bytes.len());
        course.end(bytes[start..end].to_vec())
    }

    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let course = state.begin(self.number, Kind::Write, path, bytes)?;
        state.need_directory(&parent(path))?;
        let written = course.bytes(bytes.len(), &mut state.random);
        let is_made = course.happens != Happens::Nothing || state.random.once_in(2);
        if is_made {
            let file = state.made(path)?;
            if written > 0 {
                let change = Change::Write {
                    offset: usize::try_from(offset).unwrap(),
                    bytes: bytes[..written].to_vec(),
                };
                apply(&mut file.bytes, &change);
                file.pending.push(change);
            }
        }
        state.look_at_watched();
        course.end(())
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let course = state.begin(self.number, Kind::Truncate, path, &len.to_be_bytes())?;
        state.need_directory(&parent(path))?;
        if course.whole() {
            let change = Change::Truncate {
                len: usize::try_from(len).unwrap(),
            };
            let file = state.made(path)?;
            apply(&mut file.bytes, &change);
            file.pending.push(change);
        }
        course.end(())
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.disk.state();
        let course = state.begin(self.number, Kind::SyncFile, path, &[])?;
        let inode = state.inode(path)?;
        state.sync_file(inode, course.happens);
        course.end(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.disk.state();
        let course = state.begin(self.number, Kind::SyncDir, path, &[])?;
        state.need_directory(path)?;
        state.sync_dir(path, course.happens);
        course.end(())
    }

    fn sync_all(&self, root: &Path) -> io::Result<()> {
        let mut state = self.disk.state();
        let course = state.begin(self.number, Kind::SyncAll, root, &[])?;
        state.need_directory(root)?;
        let inodes: Vec<_> = state.files.keys().copied().collect();
        for inode in inodes {
            state.sync_file(inode, course.happens);
        }
        let directories: Vec<_> = state.pending_names.keys().cloned().collect();
        for directory in directories {
            state.sync_dir(&directory, course.happens);
        }
        state.drop_unnamed();
        course.end(())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.disk.state();
        let course = state.begin(self.number, Kind::CreateDir, path, &[])?;
        let mut missing: Vec<PathBuf> = path
            .ancestors()
            .take_while(|dir| !state.names.contains_key(*dir))
            .map(Path::to_owned)
            .collect();
        missing.reverse();
        let made = match course.happens {
            Happens::All => missing.len(),
            Happens::Nothing => 0,
            Happens::Part | Happens::Lost => state.random.below(missing.len()),
        };
        for directory in &missing[..made] {
            let change = NameChange::Put(directory.clone(), Node::Directory);
            state.change_name(change, directory);
        }
        course.end(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.disk.state();
        let name = to.as_os_str().as_encoded_bytes();
        let course = state.begin(self.number, Kind::Rename, from, name)?;
        let inode = state.inode(from)?;
        assert_eq!(parent(from), parent(to), "one directory, one change");
        if course.whole() {
            let change = NameChange::Move(from.to_owned(), to.to_owned(), Node::File(inode));
            state.change_name(change, from);
        }
        state.look_at_watched();
        course.end(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.disk.state();
        let course = state.begin(self.number, Kind::Remove, path, &[])?;
        state.inode(path)?;
        if course.whole() {
            state.change_name(NameChange::Take(path.to_owned()), path);
        }
        course.end(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut state = self.disk.state();
        let course = state.begin(self.number, Kind::List, path, &[])?;
        let below = state
            .names
            .keys()
            .filter(|name| name.parent() == Some(path));
        let names = below
            .filter_map(|name| Some(name.file_name()?.to_string_lossy().into_owned()))
            .collect();
        course.end(names)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        let mut state = self.disk.state();
        let course = state.begin(self.number, Kind::Len, path, &[])?;
        let len = state.file(path)?.bytes.len() as u64;
        course.end(len)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send>> {
        let mut state = self.disk.state();
        let course = state.begin(self.number, Kind::Lock, path, &[])?;
        if course.whole() {
            state.made(path)?;
        }
        if course.error.is_none() {
            // Flushes alternate: to wait would be to wait for ever.
            let holder = state.locks.insert(path.to_owned(), self.number);
            assert_eq!(holder, None, "the lock is held by process {holder:?}");
        }
        let held = Held {
            process: self.number,
            path: path.to_owned(),
            disk: self.disk.clone(),
        };
        drop(state);
        course.end(held).map(|held| Box::new(held) as _)
    }
}

/// A lock, until it is dropped.
struct Held {
    process: usize,
    path: PathBuf,
    disk: SimDisk,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.locks.get(&self.path) == Some(&self.process) {
            state.locks.remove(&self.path);
        }
    }
}
