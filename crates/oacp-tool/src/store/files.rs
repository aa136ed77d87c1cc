//! Private files that are there whole or not at all.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use oacp::digest::Digest;

use crate::limits::RECORD;

/// How the first line of a record begins, before its version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header(pub(crate) &'static str);

impl Header {
    /// Of this version.
    fn line(self) -> String {
        format!("{}1 ", self.0)
    }
}

/// What a file is called until it is whole. One is enough: whoever writes holds the lock.
const UNFINISHED: &str = "unfinished.tmp";

/// Why a record cannot be read.
#[derive(Debug)]
pub(crate) enum RecordError {
    Damaged,
    Version,
    Io(io::Error),
}

/// The body of a record. `None`: there is no such file.
pub(crate) fn read_record(path: &Path, header: Header) -> Result<Option<Vec<u8>>, RecordError> {
    let bytes = match read(path, RECORD.bytes_max + 128) {
        Err(error) if is_no_such_file(&error) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            return Err(RecordError::Damaged);
        }
        Err(error) => return Err(RecordError::Io(error)),
        Ok(bytes) => bytes,
    };
    match bytes.strip_prefix(header.line().as_bytes()) {
        Some(rest) => checked(rest).map(Some).ok_or(RecordError::Damaged),
        None if bytes.starts_with(header.0.as_bytes()) => Err(RecordError::Version),
        None => Err(RecordError::Damaged),
    }
}

fn checked(rest: &[u8]) -> Option<Vec<u8>> {
    let (checksum, rest) = rest.split_at_checked(64)?;
    let body = rest.strip_prefix(b"\n")?;
    (Digest::of(body).hex().as_bytes() == checksum).then(|| body.to_vec())
}

pub(crate) fn write_record(path: &Path, header: Header, body: &[u8]) -> io::Result<()> {
    let mut bytes = format!("{}{}\n", header.line(), Digest::of(body).hex()).into_bytes();
    bytes.extend_from_slice(body);
    write(path, &bytes)
}

/// A whole file of at most so many bytes.
pub(crate) fn read(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Puts a file there, whole and durable, in the place of another if need be. Its directory is made if there is none.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = directory_of(path);
    make(dir)?;
    let unfinished = dir.join(UNFINISHED);
    // What a crash left may be longer, or be a link.
    remove(&unfinished)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options);
    let mut file = options.open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&unfinished, path)?;
    sync(dir)
}

/// Takes a file away, durably. There may be none.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if is_no_such_file(&error) => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync(directory_of(path)),
    }
}

/// Files with this extension, by name. None, if there is no such directory.
pub(crate) fn list(dir: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if is_no_such_file(&error) => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Takes away every other file of a directory. What cannot be taken away stays.
pub(crate) fn keep_only(dir: &Path, names: &BTreeSet<String>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let is_kept = entry
            .file_name()
            .to_str()
            .is_some_and(|name| names.contains(name));
        if !is_kept {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes a private directory with those above it, durably. It may be there.
pub(crate) fn make(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)?;
    for above in dir.ancestors().skip(1) {
        let above = match above.as_os_str().is_empty() {
            true => Path::new("."),
            false => above,
        };
        match sync(above) {
            // Whoever may not open a directory has made nothing in it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
            synced => synced?,
        }
    }
    Ok(())
}

/// Waits for a lock that nobody else has.
pub(crate) fn lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    private(&mut options);
    let file = options.open(path)?;
    file.lock()?;
    Ok(file)
}

/// Waits for a lock that others may share. `None`: there is nothing to lock.
pub(crate) fn lock_shared(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Err(error) if is_no_such_file(&error) => Ok(None),
        Err(error) => Err(error),
        Ok(file) => {
            file.lock_shared()?;
            Ok(Some(file))
        }
    }
}

/// Whether an error says that nothing is there.
pub(crate) fn is_no_such_file(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
pub(crate) fn private(options: &mut OpenOptions) {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
}

#[cfg(not(unix))]
pub(crate) fn private(_options: &mut OpenOptions) {}

#[cfg(unix)]
fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_dir: &Path) -> io::Result<()> {
    Ok(())
}
