//! A disk in memory that keeps its promises and not a byte more.
//!
//! What is written is visible at once, and durable after a synchronisation that succeeded; names are durable after that of their
//! directory. A power cut keeps of the rest what a seed says: every stretch of a file is as it was after some number of the writes that
//! were pending, its length is one that it had meanwhile, and of the changes of a directory's names any may have been carried out. A
//! synchronisation that fails makes some of it durable and takes the rest for done, as Linux does: the next one that succeeds does not write
//! it, though it can be read until the page is dropped.
//!
//! Every operation has a number. A fault can be put at each.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oacp::digest::{Digest, Hasher};
use oacp_registry::storage::disk::Disk;

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

type Inode = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    File(Inode),
    Directory,
}

impl Node {
    fn inode(&self) -> Option<Inode> {
        match self {
            Self::File(inode) => Some(*inode),
            Self::Directory => None,
        }
    }
}

type Names = BTreeMap<PathBuf, Node>;

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { len: usize },
}

#[derive(Clone, Debug)]
enum NameChange {
    Put(PathBuf, Node),
    Take(PathBuf),
    Move(PathBuf, PathBuf, Node),
}

#[derive(Clone, Debug, Default)]
struct File {
    /// What is read.
    bytes: Vec<u8>,
    /// What a power cut cannot take.
    durable: Vec<u8>,
    /// What the next synchronisation makes durable.
    pending: Vec<Change>,
}

struct State {
    random: Random,
    files: BTreeMap<Inode, File>,
    names: Names,
    durable_names: Names,
    pending_names: BTreeMap<PathBuf, Vec<NameChange>>,
    next_inode: Inode,
    locks: BTreeMap<PathBuf, usize>,
    processes: Vec<Life>,
    operations: u64,
    trace: Vec<Operation>,
    keeps_trace: bool,
    digest: Hasher,
    faults: BTreeMap<u64, Fault>,
    struck: Vec<Operation>,
    ends_at_fault: bool,
    watched: Option<PathBuf>,
    appeared: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Alive,
    Dead,
}

/// What is to happen of an operation, and what it then says.
struct Course {
    happens: Happens,
    error: Option<io::Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happens {
    All,
    Part,
    Nothing,
    /// Of a synchronisation: some becomes durable, the rest is forgotten.
    Lost,
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
    pub fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// Whether a fault ended it.
    pub fn is_dead(&self) -> bool {
        self.disk.state().processes[self.number] == Life::Dead
    }
}

impl Random {
    /// Which of the changes were carried out: none, all, the first ones, or any.
    fn survivors<T: Clone>(&mut self, changes: &[T]) -> Vec<T> {
        match self.below(4) {
            0 => Vec::new(),
            1 => changes.to_vec(),
            2 => changes[..self.below(changes.len() + 1)].to_vec(),
            _ => {
                let any = changes.iter().filter(|_| self.once_in(2));
                any.cloned().collect()
            }
        }
    }
}

/// What is there after a power cut: `durable`, and of each stretch of the file some first number of the changes.
fn survive(durable: &[u8], pending: &[Change], random: &mut Random) -> Vec<u8> {
    let mut versions = vec![durable.to_vec()];
    for change in pending {
        let mut next = versions[versions.len() - 1].clone();
        apply(&mut next, change);
        versions.push(next);
    }
    match random.below(5) {
        0 => return durable.to_vec(),
        1 => return versions.pop().unwrap(),
        _ => {}
    }
    let len = versions[random.below(versions.len())].len();
    let unit = random.pick(&[512, 512, 4096, 0]);
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        let left = len - bytes.len();
        let stretch = match unit {
            // A tear at any byte.
            0 => 1 + random.below(left),
            unit => (unit - bytes.len() % unit).min(left),
        };
        let version = &versions[random.below(versions.len())];
        for at in bytes.len()..bytes.len() + stretch {
            bytes.push(version.get(at).copied().unwrap_or(0));
        }
    }
    bytes
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes: new } => {
            let end = offset + new.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*offset..end].copy_from_slice(new);
        }
        Change::Truncate { len } => bytes.resize(*len, 0),
    }
}

fn apply_name(names: &mut Names, change: &NameChange) {
    match change {
        NameChange::Put(path, node) => {
            names.insert(path.clone(), *node);
        }
        NameChange::Take(path) => {
            names.remove(path);
        }
        NameChange::Move(from, to, node) => {
            if names.get(from) == Some(node) {
                names.remove(from);
            }
            names.insert(to.clone(), *node);
        }
    }
}

fn error(kind: io::ErrorKind, what: &str) -> io::Error {
    io::Error::new(kind, format!("simulated: {what}"))
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

impl State {
    fn end_all(&mut self) {
        self.processes.fill(Life::Dead);
        self.locks.clear();
    }

    fn inode(&self, path: &Path) -> io::Result<Inode> {
        match self.names.get(path) {
            Some(Node::File(inode)) => Ok(*inode),
            Some(Node::Directory) => Err(error(io::ErrorKind::IsADirectory, "a directory")),
            None => Err(error(io::ErrorKind::NotFound, "no such file")),
        }
    }

    fn file(&self, path: &Path) -> io::Result<&File> {
        Ok(&self.files[&self.inode(path)?])
    }

    /// The file to write to, which is made if there is none.
    fn made(&mut self, path: &Path) -> io::Result<&mut File> {
        let inode = match self.inode(path) {
            Ok(inode) => inode,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.need_directory(&parent(path))?;
                let inode = self.next_inode;
                self.next_inode += 1;
                self.files.insert(inode, File::default());
                self.change_name(NameChange::Put(path.to_owned(), Node::File(inode)), path);
                inode
            }
            Err(e) => return Err(e),
        };
        Ok(self.files.get_mut(&inode).unwrap())
    }

    fn need_directory(&self, path: &Path) -> io::Result<()> {
        match self.names.get(path) {
            Some(Node::Directory) => Ok(()),
            _ => Err(error(io::ErrorKind::NotFound, "no such directory")),
        }
    }

    fn change_name(&mut self, change: NameChange, path: &Path) {
        apply_name(&mut self.names, &change);
        self.pending_names
            .entry(parent(path))
            .or_default()
            .push(change);
    }

    fn look_at_watched(&mut self) {
        let watched = self.watched.clone();
        if let Some(file) = watched.and_then(|path| self.file(&path).ok()) {
            let bytes = file.bytes.clone();
            if self.appeared.last() != Some(&bytes) {
                self.appeared.push(bytes);
            }
        }
    }

    /// After a power cut: what hangs below a directory whose name is gone is gone.
    fn drop_unreachable(&mut self) {
        let all = self.durable_names.clone();
        let mut names = Names::new();
        for (path, node) in all {
            // Parents come before what is below them.
            let is_reachable =
                path == Path::new("/") || names.get(&parent(&path)) == Some(&Node::Directory);
            if is_reachable {
                names.insert(path, node);
            }
        }
        let kept: BTreeSet<Inode> = names.values().filter_map(Node::inode).collect();
        self.files.retain(|inode, _| kept.contains(inode));
        self.durable_names = names.clone();
        self.names = names;
    }

    /// Files that no name leads to, and none can again.
    fn drop_unnamed(&mut self) {
        if !self.pending_names.is_empty() {
            return;
        }
        let names = self.names.values().chain(self.durable_names.values());
        let named: BTreeSet<Inode> = names.filter_map(Node::inode).collect();
        self.files.retain(|inode, _| named.contains(inode));
    }

    fn sync_file(&mut self, inode: Inode, how: Happens) {
        let Some(file) = self.files.get_mut(&inode) else {
            return;
        };
        match how {
            Happens::Nothing => {}
            Happens::All => {
                for change in std::mem::take(&mut file.pending) {
                    apply(&mut file.durable, &change);
                }
            }
            Happens::Part | Happens::Lost => {
                file.durable = survive(&file.durable, &file.pending, &mut self.random);
                file.pending.clear();
                if self.random.once_in(2) {
                    // The pages are dropped, and read from the disk again.
                    let len = file.bytes.len();
                    file.bytes = file.durable.clone();
                    file.bytes.resize(len, 0);
                }
            }
        }
    }

    fn sync_dir(&mut self, path: &Path, how: Happens) {
        let Some(changes) = self.pending_names.get(path) else {
            return;
        };
        let done = match how {
            Happens::Nothing => return,
            Happens::All => changes.clone(),
            Happens::Part | Happens::Lost => self.random.survivors(changes),
        };
        for change in &done {
            apply_name(&mut self.durable_names, change);
        }
        // Names are journaled: one that could not be written is written the next time, or nothing is any more.
        if how == Happens::All {
            self.pending_names.remove(path);
        }
    }

    /// Counts an operation, and decides how it goes.
    fn begin(&mut self, process: usize, kind: Kind, path: &Path, of: &[u8]) -> io::Result<Course> {
        if self.processes[process] == Life::Dead {
            return Err(error(io::ErrorKind::Other, "the process has ended"));
        }
        let number = self.operations;
        self.operations += 1;
        let fault = self.faults.remove(&number);
        self.digest
            .update(&[
                kind as u8,
                process as u8,
                fault.map_or(0, |fault| 1 + fault as u8),
            ])
            .update(path.as_os_str().as_encoded_bytes())
            .update(&(of.len() as u64).to_be_bytes())
            .update(of);
        if self.keeps_trace || fault.is_some() {
            let operation = Operation {
                number,
                process,
                kind,
                path: path.to_owned(),
                of: of.to_vec(),
                fault,
            };
            if fault.is_some() {
                self.struck.push(operation.clone());
            }
            if self.keeps_trace {
                self.trace.push(operation);
            }
        }
        let all = Course {
            happens: Happens::All,
            error: None,
        };
        let Some(fault) = fault else {
            return Ok(all);
        };
        if self.ends_at_fault {
            self.processes[process] = Life::Dead;
        }
        let is_sync = matches!(kind, Kind::SyncFile | Kind::SyncDir | Kind::SyncAll);
        let (happens, error) = match fault {
            Fault::Failed => (Happens::Nothing, error(io::ErrorKind::Other, "failed")),
            Fault::FailedButHappened => (
                Happens::All,
                error(io::ErrorKind::Other, "failed, but happened"),
            ),
            Fault::Short => (Happens::Part, error(io::ErrorKind::WriteZero, "short")),
            Fault::NoSpace => {
                let full = error(io::ErrorKind::StorageFull, "no space");
                match kind {
                    Kind::Write if self.random.once_in(2) => (Happens::Part, full),
                    Kind::Write | Kind::CreateDir | Kind::Rename | Kind::Lock => {
                        (Happens::Nothing, full)
                    }
                    _ if is_sync => (Happens::Lost, full),
                    _ => return Ok(all),
                }
            }
            Fault::Eio => {
                let eio = error(io::ErrorKind::Other, "input/output error");
                match kind {
                    _ if is_sync => (Happens::Lost, eio),
                    Kind::Write => (Happens::Part, eio),
                    _ => (Happens::Nothing, eio),
                }
            }
            Fault::Killed => {
                self.processes[process] = Life::Dead;
                self.locks.retain(|_, holder| *holder != process);
                let killed = error(io::ErrorKind::Other, "the process was killed");
                let happens = match self.random.below(3) {
                    0 => Happens::Nothing,
                    1 => Happens::All,
                    // Writing back goes on without the process, and loses nothing.
                    _ if is_sync => Happens::Nothing,
                    _ => Happens::Part,
                };
                (happens, killed)
            }
        };
        Ok(Course {
            happens,
            error: Some(error),
        })
    }
}

impl Course {
    /// How many bytes of a write happen.
    fn bytes(&self, len: usize, random: &mut Random) -> usize {
        match self.happens {
            Happens::All => len,
            Happens::Nothing => 0,
            Happens::Part | Happens::Lost => random.below(len),
        }
    }

    /// Whether an operation that happens as a whole or not at all happens.
    fn whole(&self) -> bool {
        self.happens == Happens::All
    }

    fn end<T>(self, value: T) -> io::Result<T> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(value),
        }
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
