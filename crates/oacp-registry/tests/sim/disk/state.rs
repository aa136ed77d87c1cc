//! What is on the disk, what of it is durable, and what becomes of an operation.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use oacp::digest::Hasher;

use super::{Fault, Kind, Operation, Random};

type Inode = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    File(Inode),
    Directory,
}

impl Node {
    pub(super) fn inode(&self) -> Option<Inode> {
        match self {
            Self::File(inode) => Some(*inode),
            Self::Directory => None,
        }
    }
}

pub(super) type Names = BTreeMap<PathBuf, Node>;

#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { len: usize },
}

#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Put(PathBuf, Node),
    Take(PathBuf),
    Move(PathBuf, PathBuf, Node),
}

#[derive(Clone, Debug, Default)]
pub(super) struct File {
    /// What is read.
    pub(super) bytes: Vec<u8>,
    /// What a power cut cannot take.
    pub(super) durable: Vec<u8>,
    /// What the next synchronisation makes durable.
    pub(super) pending: Vec<Change>,
}

pub(super) struct State {
    pub(super) random: Random,
    pub(super) files: BTreeMap<Inode, File>,
    pub(super) names: Names,
    pub(super) durable_names: Names,
    pub(super) pending_names: BTreeMap<PathBuf, Vec<NameChange>>,
    pub(super) next_inode: Inode,
    pub(super) locks: BTreeMap<PathBuf, usize>,
    pub(super) processes: Vec<Life>,
    pub(super) operations: u64,
    pub(super) trace: Vec<Operation>,
    pub(super) keeps_trace: bool,
    pub(super) digest: Hasher,
    pub(super) faults: BTreeMap<u64, Fault>,
    pub(super) struck: Vec<Operation>,
    pub(super) ends_at_fault: bool,
    pub(super) watched: Option<PathBuf>,
    pub(super) appeared: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Alive,
    Dead,
}

/// What is to happen of an operation, and what it then says.
pub(super) struct Course {
    pub(super) happens: Happens,
    pub(super) error: Option<io::Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happens {
    All,
    Part,
    Nothing,
    /// Of a synchronisation: some becomes durable, the rest is forgotten.
    Lost,
}

impl Random {
    /// Which of the changes were carried out: none, all, the first ones, or any.
    pub(super) fn survivors<T: Clone>(&mut self, changes: &[T]) -> Vec<T> {
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
pub(super) fn survive(durable: &[u8], pending: &[Change], random: &mut Random) -> Vec<u8> {
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

pub(super) fn apply(bytes: &mut Vec<u8>, change: &Change) {
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

pub(super) fn apply_name(names: &mut Names, change: &NameChange) {
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

pub(super) fn error(kind: io::ErrorKind, what: &str) -> io::Error {
    io::Error::new(kind, format!("simulated: {what}"))
}

pub(super) fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

impl State {
    pub(super) fn end_all(&mut self) {
        self.processes.fill(Life::Dead);
        self.locks.clear();
    }

    pub(super) fn inode(&self, path: &Path) -> io::Result<Inode> {
        match self.names.get(path) {
            Some(Node::File(inode)) => Ok(*inode),
            Some(Node::Directory) => Err(error(io::ErrorKind::IsADirectory, "a directory")),
            None => Err(error(io::ErrorKind::NotFound, "no such file")),
        }
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<&File> {
        Ok(&self.files[&self.inode(path)?])
    }

    /// The file to write to, which is made if there is none.
    pub(super) fn made(&mut self, path: &Path) -> io::Result<&mut File> {
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

    pub(super) fn need_directory(&self, path: &Path) -> io::Result<()> {
        match self.names.get(path) {
            Some(Node::Directory) => Ok(()),
            _ => Err(error(io::ErrorKind::NotFound, "no such directory")),
        }
    }

    pub(super) fn change_name(&mut self, change: NameChange, path: &Path) {
        apply_name(&mut self.names, &change);
        self.pending_names
            .entry(parent(path))
            .or_default()
            .push(change);
    }

    pub(super) fn look_at_watched(&mut self) {
        let watched = self.watched.clone();
        if let Some(file) = watched.and_then(|path| self.file(&path).ok()) {
            let bytes = file.bytes.clone();
            if self.appeared.last() != Some(&bytes) {
                self.appeared.push(bytes);
            }
        }
    }

    /// After a power cut: what hangs below a directory whose name is gone is gone.
    pub(super) fn drop_unreachable(&mut self) {
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
    pub(super) fn drop_unnamed(&mut self) {
        if !self.pending_names.is_empty() {
            return;
        }
        let names = self.names.values().chain(self.durable_names.values());
        let named: BTreeSet<Inode> = names.filter_map(Node::inode).collect();
        self.files.retain(|inode, _| named.contains(inode));
    }

    pub(super) fn sync_file(&mut self, inode: Inode, how: Happens) {
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

    pub(super) fn sync_dir(&mut self, path: &Path, how: Happens) {
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
    pub(super) fn begin(
        &mut self,
        process: usize,
        kind: Kind,
        path: &Path,
        of: &[u8],
    ) -> io::Result<Course> {
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
    pub(super) fn bytes(&self, len: usize, random: &mut Random) -> usize {
        match self.happens {
            Happens::All => len,
            Happens::Nothing => 0,
            Happens::Part | Happens::Lost => random.below(len),
        }
    }

    /// Whether an operation that happens as a whole or not at all happens.
    pub(super) fn whole(&self) -> bool {
        self.happens == Happens::All
    }

    pub(super) fn end<T>(self, value: T) -> io::Result<T> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(value),
        }
    }
}
