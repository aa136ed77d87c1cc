//! Files: read up to a limit, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Judge};

/// Reads a file, or standard input for `-`, of at most `bytes_max` bytes.
pub(crate) fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        return read_all(io::stdin().lock(), bytes_max)
            .or_context(|| "cannot read standard input".to_owned());
    }
    let bytes = File::open(path).and_then(|file| {
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        read_all(file, bytes_max)
    });
    bytes.or_context(|| format!("cannot read `{}`", path.display()))
}

/// Reads to the end, but not beyond `bytes_max` bytes.
pub(crate) fn read_all(reader: impl Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {bytes_max} bytes"),
        ));
    }
    Ok(bytes)
}

/// What becomes of a file that is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    Keep,
    Replace,
}

/// Who can read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// This user alone: mode 0600.
    Owner,
    /// As other files are written, for what is made to be given away: mode 0644, cut down by the umask.
    Anyone,
}

/// Writes a file so that at every moment, also after a power cut, it is there whole or not at all.
///
/// # Errors
///
/// `AlreadyExists` under [`Existing::Keep`], and what the system refuses.
pub(crate) fn write_whole(
    path: &Path,
    bytes: &[u8],
    existing: Existing,
    readers: Readers,
) -> io::Result<()> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    // A rename would put the file in the place of a device, a pipe or a link.
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "something other than a plain file is there",
        ));
    }
    let temporary = Temporary::create(dir, path, readers)?;
    (&temporary.file).write_all(bytes)?;
    temporary.file.sync_all()?;
    match existing {
        Existing::Replace => fs::rename(&temporary.path, path)?,
        // A link fails if the name is taken; a rename would not.
        Existing::Keep => match fs::hard_link(&temporary.path, path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists && !path.try_exists()? => {
                fs::rename(&temporary.path, path)?
            }
            linked => linked?,
        },
    }
    drop(temporary);
    sync_dir(dir)
}

/// Removed when dropped, unless it was renamed away.
struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    fn create(dir: &Path, target: &Path, readers: Readers) -> io::Result<Self> {
        let mut random = [0; 6];
        getrandom::fill(&mut random).map_err(io::Error::from)?;
        // Cut, so that the longest name that is allowed still has room for what is put around it.
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let name: String = name.chars().take(40).collect();
        let suffix: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = dir.join(format!(".{name}.{suffix}.tmp"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(
            &mut options,
            match readers {
                Readers::Owner => 0o600,
                Readers::Anyone => 0o644,
            },
        );
        #[cfg(not(unix))]
        let _ = readers;
        let file = options.open(&path)?;
        Ok(Self { path, file })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone already when it was renamed.
        let _ = fs::remove_file(&self.path);
    }
}

/// Creates a private directory (mode 0700) with its parents.
pub(crate) fn create_private_dir(dir: &Path) -> Result<(), Failure> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(dir)
        .or_context(|| format!("cannot create the directory `{}`", dir.display()))
}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_kept_or_replaced() {
        let dir = std::env::temp_dir().join(format!("oacp-cli-file-{}", std::process::id()));
        create_private_dir(&dir).unwrap_or_else(|_| panic!("a temporary directory"));
        let file = dir.join("a.json");
        write_whole(&file, b"one", Existing::Keep, Readers::Owner).unwrap();
        let kept = write_whole(&file, b"two", Existing::Keep, Readers::Owner).unwrap_err();
        assert_eq!(
            (kept.kind(), fs::read(&file).unwrap()),
            (io::ErrorKind::AlreadyExists, b"one".to_vec())
        );
        write_whole(&file, b"two", Existing::Replace, Readers::Owner).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(
            fs::read_dir(&dir).unwrap().count(),
            1,
            "no temporary file stays"
        );
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions())
                & 0o777,
            0o600
        );
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_limit_is_met_exactly() {
        assert_eq!(read_all(&b"abc"[..], 3).unwrap(), b"abc");
        assert_eq!(
            read_all(&b"abcd"[..], 3).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
    }
}
