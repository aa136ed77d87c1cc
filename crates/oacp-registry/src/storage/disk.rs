//! The file system as the log uses it: the few operations on which every promise rests, so that a simulated disk can break each of them.

use std::any::Any;
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Operations on files. Paths are those that the directory was opened with, and what lies below.
///
/// Nothing that was written is durable before the file is synchronised, and no name before its directory is; a synchronisation that
/// fails says nothing about what is durable, and neither does the next one that succeeds.
pub trait Disk: Send + Sync + 'static {
    /// A whole file.
    ///
    /// # Errors
    /// Of the file system; `NotFound` if there is none.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// `len` bytes from `offset` on; fewer at the file's end.
    ///
    /// # Errors
    /// Of the file system; `NotFound` if there is none.
    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>>;

    /// Writes at `offset`, and makes the file if there is none. Until [`Disk::sync_file`] it may be lost, or there in part.
    ///
    /// # Errors
    /// Of the file system. Some of it may have been written.
    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts or extends a file. Durable with [`Disk::sync_file`].
    ///
    /// # Errors
    /// Of the file system.
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()>;

    /// Makes a file's bytes and length durable.
    ///
    /// # Errors
    /// Of the file system. What is durable is then not known.
    fn sync_file(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory's names durable.
    ///
    /// # Errors
    /// As [`Disk::sync_file`].
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes everything below `root` durable.
    ///
    /// # Errors
    /// As [`Disk::sync_file`].
    fn sync_all(&self, root: &Path) -> io::Result<()>;

    /// Makes a directory and those above it. There may be one already.
    ///
    /// # Errors
    /// Of the file system.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Gives a file another name, in one step; what had that name is gone.
    ///
    /// # Errors
    /// Of the file system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Of the file system; `NotFound` if there is none.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory, sorted; none if there is no such directory.
    ///
    /// # Errors
    /// Of the file system.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// A file's length.
    ///
    /// # Errors
    /// Of the file system; `NotFound` if there is none.
    fn len(&self, path: &Path) -> io::Result<u64>;

    /// Locks a file, which is made if there is none, until what is returned is dropped. Waits.
    ///
    /// # Errors
    /// Of the file system.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send>>;
}

/// Files that are kept open: those that are written again and again.
const KEPT_OPEN_MAX: usize = 4;

/// The operating system's files.
#[derive(Debug, Default)]
pub struct OsDisk {
    /// One descriptor for writing and synchronising, so that an error of the one is reported to the other.
    open: Mutex<VecDeque<(PathBuf, Arc<File>)>>,
    /// The directory that is synchronised as a whole, from before anything was written there: the system tells who has it open of every
    /// error since, also if another process was told, too.
    root: OnceLock<File>,
}

impl OsDisk {
    fn opened(&self, path: &Path) -> io::Result<Arc<File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, file)) = open.iter().find(|(kept, _)| kept == path) {
            return Ok(Arc::clone(file));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        private(&mut options);
        let file = Arc::new(options.open(path)?);
        if path.extension().is_some_and(|extension| extension == "tmp") {
            return Ok(file);
        }
        if open.len() == KEPT_OPEN_MAX {
            open.pop_front();
        }
        open.push_back((path.to_owned(), Arc::clone(&file)));
        Ok(file)
    }

    fn forget(&self, path: &Path) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(kept, _)| kept != path);
    }
}

impl Disk for OsDisk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
        let mut bytes = Vec::with_capacity(len.min(1 << 20));
        file.take(len as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let file = self.opened(path)?;
        write_all_at(&file, bytes, offset)
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        self.opened(path)?.set_len(len)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.opened(path)?.sync_data()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if cfg!(windows) {
            // Names are durable with the file there, and a directory cannot be opened.
            return Ok(());
        }
        File::open(path)?.sync_all()
    }

    fn sync_all(&self, root: &Path) -> io::Result<()> {
        sync_below(root, self.root.get())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        // Payloads are below it.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.forget(from);
        self.forget(to);
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.forget(path);
        fs::remove_file(path)?;
        // A tile's partial ones have a directory of their own, which nobody misses when the last is gone.
        if let Some(parent) = path.parent()
            && parent.extension().is_some_and(|extension| extension == "p")
        {
            let _ = fs::remove_dir(parent);
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        private(&mut options);
        let file = options.open(path)?;
        file.lock()?;
        if let (None, Some(parent)) = (self.root.get(), path.parent())
            && cfg!(unix)
        {
            // Nothing was written through this yet.
            let _ = self.root.set(File::open(parent)?);
        }
        Ok(Box::new(file))
    }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
}

#[cfg(not(unix))]
fn private(_options: &mut OpenOptions) {}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn write_all_at(mut file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
    io::Write::write_all(&mut file, bytes)
}

/// One call for the whole file system, where there is one: hundreds of small files cost as much as a few.
#[cfg(target_os = "linux")]
fn sync_below(root: &Path, opened: Option<&File>) -> io::Result<()> {
    match opened {
        Some(opened) => Ok(rustix::fs::syncfs(opened)?),
        None => Ok(rustix::fs::syncfs(File::open(root)?)?),
    }
}

#[cfg(not(target_os = "linux"))]
fn sync_below(root: &Path, opened: Option<&File>) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_below(&entry.path(), opened)?;
        } else {
            OpenOptions::new()
                .write(true)
                .open(entry.path())?
                .sync_data()?;
        }
    }
    if cfg!(unix) {
        File::open(root)?.sync_all()?;
    }
    Ok(())
}
