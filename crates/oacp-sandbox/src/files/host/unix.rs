//! Opening, listing and replacing files on Unix.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oacp::capability::{Capabilities, Grant, GuestPath, PathPattern};
use oacp::digest::{Digest, Hasher};
use oacp::event::Found;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::super::{Access, Kind};
use super::Fact;
use crate::limits;

/// What may be opened, as it lies on this disk.
pub(in super::super) struct Host {
    granted: Capabilities,
    /// The grant, with the directories before its first wildcards resolved: what was opened is judged under this.
    real: Grant,
    /// Directories and files that no guest sees, as they lie on this disk.
    withheld: Vec<GuestPath>,
}

/// A name that was opened, without effect.
struct Opened {
    descriptor: OwnedFd,
    kind: FileType,
    size: u64,
    /// Where it lies, by the system's own word.
    real: Option<GuestPath>,
}

impl Host {
    pub(in super::super) fn new(grant: &Grant, withheld: &[PathBuf]) -> Self {
        let granted = grant.capabilities().clone();
        let real = Grant::attenuate(&resolved(&granted), &resolved(&granted));
        let withheld = withheld
            .iter()
            .filter_map(|path| {
                // What is not there yet lies in its directory.
                let real = std::fs::canonicalize(path).or_else(|_| {
                    let directory = path.parent().unwrap_or(Path::new("/"));
                    let real = std::fs::canonicalize(directory)?;
                    Ok::<_, io::Error>(real.join(path.file_name().unwrap_or_default()))
                });
                guest_path(&real.ok()?)
            })
            .collect();
        Self {
            granted,
            real,
            withheld,
        }
    }

    fn is_withheld(&self, real: &GuestPath) -> bool {
        self.withheld.iter().any(|own| real.starts_with(own))
    }

    /// Opens what somebody who was asked has granted besides.
    pub(in super::super) fn add(&mut self, path: &GuestPath, capability: &str) {
        // A name with a `*` would grant more than was asked.
        let Ok(pattern) = path.as_str().parse::<PathPattern>() else {
            return;
        };
        if path.as_str().contains('*') {
            return;
        }
        match capability {
            "file_write" => self.granted.file_write.insert(pattern),
            _ => self.granted.file_read.insert(pattern),
        };
        let real = resolved(&self.granted);
        self.real = Grant::attenuate(&real, &real);
    }

    /// What is at `path`; with its bytes, if they are asked for and `fits` says that there is room.
    pub(in super::super) fn look(
        &self,
        path: &GuestPath,
        access: Access,
        fits: impl Fn(u64) -> bool,
    ) -> Fact {
        match self.attempt(path, access, fits) {
            Ok(fact) => fact,
            // Nor is it told whether something is there where the guest may not look.
            Err(Errno::NOENT | Errno::NOTDIR) if self.leads_outside(path) => {
                Fact::Status(Found::Outside, 0)
            }
            Err(Errno::NOENT | Errno::NOTDIR) => Fact::Status(Found::Absent, 0),
            // A magic link, or links in a circle.
            Err(Errno::LOOP) => Fact::Status(Found::Outside, 0),
            Err(Errno::NAMETOOLONG | Errno::INVAL) => Fact::Status(Found::Absent, 0),
            Err(_) => Fact::Status(Found::Unreadable, 0),
        }
    }

    fn attempt(
        &self,
        path: &GuestPath,
        access: Access,
        fits: impl Fn(u64) -> bool,
    ) -> Result<Fact, Errno> {
        let opened = open(Path::new(path.as_str()))?;
        let judged = |real: &GuestPath| match access {
            Access::Read => self.real.allows_read(real).is_ok(),
            Access::Write => self.real.allows_write(real).is_ok(),
            Access::Both => {
                self.real.allows_read(real).is_ok() && self.real.allows_write(real).is_ok()
            }
            Access::Look => self.real.shows(real),
        };
        if !opened.real.as_ref().is_some_and(judged) {
            return Ok(Fact::Status(Found::Outside, 0));
        }
        if opened
            .real
            .as_ref()
            .is_some_and(|real| self.is_withheld(real))
        {
            return Ok(Fact::Status(Found::Withheld, 0));
        }
        Ok(match opened.kind {
            FileType::Directory | FileType::RegularFile if is_of_the_kernel(&opened.descriptor) => {
                Fact::Status(Found::Special, 0)
            }
            FileType::Directory => Fact::Status(Found::Directory, 0),
            FileType::RegularFile => {
                let status = Fact::Status(Found::File, opened.size);
                if access == Access::Look || !fits(opened.size) {
                    return Ok(status);
                }
                // Writing needs what was there too: to add to it, and to know later whether it has changed.
                let bytes = read(&opened.descriptor, limits::FILE_BYTES_MAX)?;
                match bytes {
                    Some(bytes) if fits(bytes.len() as u64) => Fact::Opened(bytes),
                    // It grew while it was read.
                    _ => status,
                }
            }
            _ => Fact::Status(Found::Special, 0),
        })
    }

    /// Whether the last part of a path that is there lies outside, or is a link that leads to nothing.
    fn leads_outside(&self, path: &GuestPath) -> bool {
        let mut missing = path.clone();
        while let Some(parent) = missing.parent() {
            if let Ok(opened) = open(Path::new(parent.as_str())) {
                let is_link = rustix::fs::lstat(missing.as_str())
                    .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
                return is_link || !opened.real.is_some_and(|real| self.real.shows(&real));
            }
            missing = parent;
        }
        false
    }

    /// The names in a directory that `shows` lets through; none if the directory itself lies elsewhere.
    pub(in super::super) fn list(
        &self,
        path: &GuestPath,
        shows: impl Fn(&GuestPath) -> bool,
    ) -> Vec<(String, Kind)> {
        let Ok(opened) = open(Path::new(path.as_str())) else {
            return Vec::new();
        };
        let Some(real) = opened
            .real
            .as_ref()
            .filter(|real| self.real.shows(real) && !self.is_withheld(real))
            .filter(|_| opened.kind == FileType::Directory)
            .filter(|_| !is_of_the_kernel(&opened.descriptor))
        else {
            return Vec::new();
        };
        let Ok(directory) = reopen(&opened.descriptor, OFlags::RDONLY | OFlags::DIRECTORY)
            .and_then(rustix::fs::Dir::new)
        else {
            return Vec::new();
        };
        let mut names = BTreeSet::new();
        for entry in directory {
            let Ok(entry) = entry else { break };
            // A name that is no UTF-8 has no name in the guest.
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if names.len() >= limits::DIRECTORY_ENTRIES_MAX {
                break;
            }
            let Ok(child) = path.child(name) else {
                continue;
            };
            if !shows(&child) {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::RegularFile => Some(Kind::File),
                FileType::Directory => Some(Kind::Directory),
                // What a link, or a file system that does not say, has there: judged as any other name is.
                FileType::Symlink | FileType::Unknown => {
                    match self.look(&child, Access::Look, |_| false) {
                        Fact::Status(Found::File, _) => Some(Kind::File),
                        Fact::Status(Found::Directory, _) => Some(Kind::Directory),
                        _ => None,
                    }
                }
                _ => None,
            };
            let granted = real.child(name).is_ok_and(|real| {
                let is_link = entry.file_type() == FileType::Symlink;
                (self.real.shows(&real) || is_link) && !self.is_withheld(&real)
            });
            if let Some(kind) = kind.filter(|_| granted) {
                names.insert((name.to_owned(), kind));
            }
        }
        names.into_iter().collect()
    }

    /// Where a file is written: its directory, held open, and its name there. A link that is granted is written through, so that it
    /// stays one.
    pub(in super::super) fn place(&self, path: &GuestPath, held: &mut Held) -> io::Result<Place> {
        match open(Path::new(path.as_str())) {
            Ok(opened) => self.place_at(opened.real, held),
            Err(Errno::NOENT) => self.own_place(path, held),
            Err(e) => Err(e.into()),
        }
    }

    /// The same, of the name itself, wherever it leads: what is removed is no link's target.
    pub(in super::super) fn own_place(
        &self,
        path: &GuestPath,
        held: &mut Held,
    ) -> io::Result<Place> {
        let parent = path.parent().unwrap_or_else(GuestPath::root);
        let parent = open(Path::new(parent.as_str()))?.real;
        self.place_at(
            parent.and_then(|parent| parent.child(path.name()).ok()),
            held,
        )
    }

    fn place_at(&self, real: Option<GuestPath>, held: &mut Held) -> io::Result<Place> {
        let refused = || io::Error::from(io::ErrorKind::PermissionDenied);
        let real = real
            .filter(|real| self.real.allows_write(real).is_ok() || self.leads_to_writing(real))
            .filter(|real| !self.is_withheld(real))
            .ok_or_else(refused)?;
        let parent = real.parent().ok_or_else(refused)?;
        let name = PathBuf::from(real.name());
        if let Some(directory) = held.0.get(&parent) {
            let directory = directory.clone();
            return Ok(Place { directory, name });
        }
        if held.0.len() >= limits::DIRECTORIES_WRITTEN_MAX {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let opened = open(Path::new(parent.as_str()))?;
        // Again by what was opened: the directory could have been swapped since.
        if opened.real.as_ref() != Some(&parent) || opened.kind != FileType::Directory {
            return Err(refused());
        }
        let directory = Arc::new(reopen(
            &opened.descriptor,
            OFlags::RDONLY | OFlags::DIRECTORY,
        )?);
        held.0.insert(parent, directory.clone());
        Ok(Place { directory, name })
    }

    /// A directory is made where a pattern such as `out/*` wants one.
    fn leads_to_writing(&self, path: &GuestPath) -> bool {
        let patterns = &self.real.capabilities().file_write;
        patterns.iter().any(|pattern| pattern.reaches_below(path))
    }
}

/// The directories that a write-back holds open, each once, however much is written in it.
#[derive(Default)]
pub(in super::super) struct Held(BTreeMap<GuestPath, Arc<OwnedFd>>);

/// A name within a directory that is held open.
pub(in super::super) struct Place {
    directory: Arc<OwnedFd>,
    name: PathBuf,
}

impl Place {
    /// What is there now; `None`: nothing. Something else than a file is an error.
    pub(in super::super) fn digest(&self) -> io::Result<Option<Digest>> {
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&*self.directory, &self.name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != FileType::RegularFile {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut file = File::from(file);
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(Some(hasher.finish())),
                count => {
                    hasher.update(buffer.get(..count).unwrap_or_default());
                }
            }
        }
    }

    /// Whether a directory is there.
    pub(in super::super) fn is_directory(&self) -> io::Result<bool> {
        match rustix::fs::statat(&*self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
            Err(Errno::NOENT) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// The names in the directory that is there. One that is no UTF-8 is no name that a guest knows.
    pub(in super::super) fn names(&self) -> io::Result<Vec<Option<String>>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(&*self.directory, &self.name, flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::new(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_str().ok().map(str::to_owned);
            if !matches!(name.as_deref(), Some("." | "..")) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Writes the bytes beside the place, durably, so that only a rename is left to do.
    pub(in super::super) fn stage(self, bytes: &[u8]) -> io::Result<Staged> {
        // The mode of what is replaced; else what this user's files get.
        let mode = match rustix::fs::statat(&*self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW)
        {
            Ok(stat) => Some(Mode::from_raw_mode(stat.st_mode & 0o777)),
            Err(_) => None,
        };
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let temporary = PathBuf::from(format!(".oacp-{:016x}.tmp", u64::from_le_bytes(random)));
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let descriptor = rustix::fs::openat(
            &*self.directory,
            &temporary,
            flags,
            Mode::from_raw_mode(0o666),
        )?;
        let staged = Staged {
            place: self,
            temporary,
            is_done: false,
        };
        if let Some(mode) = mode {
            rustix::fs::fchmod(&descriptor, mode)?;
        }
        let mut file = File::from(descriptor);
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(staged)
    }

    pub(in super::super) fn make_directory(&self) -> io::Result<()> {
        rustix::fs::mkdirat(&*self.directory, &self.name, Mode::from_raw_mode(0o777))?;
        Ok(rustix::fs::fsync(&*self.directory)?)
    }

    pub(in super::super) fn remove(&self) -> io::Result<()> {
        rustix::fs::unlinkat(&*self.directory, &self.name, AtFlags::empty())?;
        Ok(rustix::fs::fsync(&*self.directory)?)
    }

    pub(in super::super) fn remove_directory(&self) -> io::Result<()> {
        rustix::fs::unlinkat(&*self.directory, &self.name, AtFlags::REMOVEDIR)?;
        Ok(rustix::fs::fsync(&*self.directory)?)
    }
}

/// Bytes that are on the disk already, under another name. Dropped, they are removed.
pub(in super::super) struct Staged {
    place: Place,
    temporary: PathBuf,
    is_done: bool,
}

impl Staged {
    pub(in super::super) fn commit(mut self) -> io::Result<()> {
        let directory = &*self.place.directory;
        rustix::fs::renameat(directory, &self.temporary, directory, &self.place.name)?;
        self.is_done = true;
        Ok(rustix::fs::fsync(directory)?)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.is_done {
            // Whoever dropped it says what went wrong.
            let _ = rustix::fs::unlinkat(&*self.place.directory, &self.temporary, AtFlags::empty());
        }
    }
}

/// The patterns as they lie on this disk: `/var/x` may be `/private/var/x`.
fn resolved(granted: &Capabilities) -> Capabilities {
    let resolve = |patterns: &BTreeSet<PathPattern>| {
        patterns
            .iter()
            .map(|pattern| {
                let prefix = pattern.prefix();
                let existing = Path::new(prefix.as_str())
                    .ancestors()
                    .find_map(|ancestor| Some((ancestor, std::fs::canonicalize(ancestor).ok()?)));
                let real = existing.and_then(|(ancestor, real)| {
                    let rest = Path::new(prefix.as_str()).strip_prefix(ancestor).ok()?;
                    guest_path(&real.join(rest))
                });
                real.map_or_else(|| pattern.clone(), |real| pattern.with_prefix(&real))
            })
            .collect()
    };
    Capabilities {
        file_read: resolve(&granted.file_read),
        file_write: resolve(&granted.file_write),
        within: granted.within.iter().map(resolved).collect(),
        ..Capabilities::default()
    }
}

fn guest_path(path: &Path) -> Option<GuestPath> {
    path.to_str()?
        .trim_end_matches('/')
        .parse()
        .ok()
        .or_else(|| (path == Path::new("/")).then(GuestPath::root))
}

/// Opens a name without effect, and asks where it lies.
fn open(path: &Path) -> Result<Opened, Errno> {
    let (descriptor, real) = open_by_system(path)?;
    let stat = rustix::fs::fstat(&descriptor)?;
    Ok(Opened {
        kind: FileType::from_raw_mode(stat.st_mode),
        size: u64::try_from(stat.st_size).unwrap_or(0),
        descriptor,
        real,
    })
}

#[cfg(target_os = "linux")]
fn open_by_system(path: &Path) -> Result<(OwnedFd, Option<GuestPath>), Errno> {
    use rustix::fs::{CWD, ResolveFlags, openat2, readlink};
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let descriptor = openat2(
        CWD,
        path,
        flags,
        Mode::empty(),
        // `/proc/self/root` and its kin lead out of any directory.
        ResolveFlags::NO_MAGICLINKS,
    )?;
    // Without `/proc` nothing can be judged, which is not the same as that nothing is there.
    let real = readlink(own_link(&descriptor), Vec::new()).map_err(|_| Errno::IO)?;
    let real = guest_path(Path::new(OsStr::from_bytes(real.as_bytes())));
    Ok((descriptor, real))
}

#[cfg(target_os = "linux")]
fn own_link(descriptor: &impl AsFd) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", descriptor.as_fd().as_raw_fd())
}

#[cfg(target_os = "linux")]
fn reopen(descriptor: &OwnedFd, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(own_link(descriptor), flags, Mode::empty())
}

/// Files that the kernel makes up: reading them has effects, or tells of this machine.
#[cfg(target_os = "linux")]
fn is_of_the_kernel(descriptor: &OwnedFd) -> bool {
    /// From `linux/magic.h`: proc, sysfs, cgroup, cgroup2, debugfs, tracefs, securityfs, bpf, devpts, selinuxfs, pstore,
    /// efivarfs, configfs.
    const KERNEL: [u64; 13] = [
        0x9fa0,
        0x6265_6572,
        0x27_e0eb,
        0x6367_7270,
        0x6462_6720,
        0x7472_6163,
        0x7363_6673,
        0xcafe_4a11,
        0x1cd1,
        0xf97c_ff8c,
        0x6165_676c,
        0xde5e_81e4,
        0x6265_6570,
    ];
    rustix::fs::fstatfs(descriptor).map_or(true, |stat| {
        KERNEL.contains(&(stat.f_type as u64 & 0xffff_ffff))
    })
}

/// Elsewhere: one component after the other, following no link at all, so that a grant has to name where things really lie.
#[cfg(not(target_os = "linux"))]
fn open_by_system(path: &Path) -> Result<(OwnedFd, Option<GuestPath>), Errno> {
    use std::path::Component;
    let directories = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let last =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mut names = path
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .peekable();
    let mut descriptor = rustix::fs::open("/", directories, Mode::empty())?;
    while let Some(name) = names.next() {
        let flags = if names.peek().is_some() {
            directories
        } else {
            last
        };
        descriptor = rustix::fs::openat(&descriptor, name, flags, Mode::empty())?;
    }
    Ok((descriptor, guest_path(path)))
}

#[cfg(not(target_os = "linux"))]
fn reopen(descriptor: &OwnedFd, _: OFlags) -> Result<OwnedFd, Errno> {
    rustix::io::dup(descriptor)
}

#[cfg(not(target_os = "linux"))]
fn is_of_the_kernel(_: &OwnedFd) -> bool {
    false
}

/// All bytes; `None` if there are more than `bytes_max`.
fn read(descriptor: &OwnedFd, bytes_max: usize) -> Result<Option<Vec<u8>>, Errno> {
    let file = File::from(reopen(descriptor, OFlags::RDONLY)?);
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
    Ok((bytes.len() <= bytes_max).then_some(bytes))
}
