//! An agent's zip.
//!
//! The attacks: a path that leads out of the archive, one name twice (two readers see two agents), entries that share their
//! bytes (a bomb), more bytes than the header admits to. Nothing is written to disk. All of it is refused, and so is what
//! has no meaning for a source: links, encryption, unusual compression.

use std::io::Cursor;

use oacp::limits::{SOURCE_BYTES_MAX, SOURCE_FILE_BYTES_MAX, SOURCE_FILES_MAX};
use oacp::source::SourcePath;
use zip::{CompressionMethod, ZipArchive};

use super::{ENTRIES, left_out};
use crate::failure::{Failure, Judge};
use crate::file;

/// Entries of a zip, directories and left-out files included.
const ZIP_ENTRIES_MAX: usize = 4 * SOURCE_FILES_MAX;

/// The files of an archive. If all lie in one directory at its top, as `zip -r agent.zip agent` has it, their paths
/// are relative to that.
pub(super) fn read(bytes: Vec<u8>) -> Result<Vec<(SourcePath, Vec<u8>)>, Failure> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    if archive.len() > ZIP_ENTRIES_MAX {
        return Err(Failure::usage(format!(
            "it has more than {ZIP_ENTRIES_MAX} entries"
        )));
    }
    if archive.has_duplicate_names() {
        return Err(Failure::usage("it holds one name twice"));
    }
    if archive.has_overlapping_files()? {
        return Err(Failure::usage("its entries overlap"));
    }
    let mut files = Vec::new();
    let mut bytes = 0;
    for index in 0..archive.len() {
        if let Some((name, content)) = entry(&mut archive, index)? {
            bytes += content.len();
            if files.len() == SOURCE_FILES_MAX || bytes > SOURCE_BYTES_MAX {
                return Err(Failure::usage(format!(
                    "it is too large: at most {SOURCE_FILES_MAX} files and {SOURCE_BYTES_MAX} bytes"
                )));
            }
            files.push((name, content));
        }
    }
    let top = top_directory(&files);
    files
        .into_iter()
        .map(|(name, content)| Ok((name.get(top..).unwrap_or(&name).parse()?, content)))
        .collect()
}

/// One entry, unless it is a directory or left out.
fn entry(
    archive: &mut ZipArchive<Cursor<Vec<u8>>>,
    index: usize,
) -> Result<Option<(String, Vec<u8>)>, Failure> {
    let raw = archive.by_index_raw(index)?;
    let name = std::str::from_utf8(raw.name_raw())
        .map_err(|_| Failure::usage(format!("the name of entry {index} is not UTF-8")))?
        .to_owned();
    // Judged before anything is left out: a path that leads elsewhere has no place in an archive at all.
    let path = name.strip_suffix('/').unwrap_or(&name);
    path.parse::<SourcePath>()
        .or_context(|| format!("it holds the name `{path}`"))?;
    if raw.is_dir() || path.split('/').any(left_out) {
        return Ok(None);
    }
    let refused = if raw.is_symlink() {
        Some("is a symbolic link")
    } else if raw.encrypted() {
        Some("is encrypted")
    } else if !matches!(
        raw.compression(),
        CompressionMethod::Stored | CompressionMethod::Deflated
    ) {
        Some("is compressed in an unusual way; deflate is known")
    } else {
        None
    };
    if let Some(reason) = refused {
        return Err(Failure::usage(format!("its entry `{name}` {reason}")));
    }
    drop(raw);
    let content = file::read_all(archive.by_index(index)?, SOURCE_FILE_BYTES_MAX)
        .or_context(|| format!("cannot read its entry `{name}`"))?;
    Ok(Some((name, content)))
}

/// The length of the one top directory and its slash, or 0.
fn top_directory(files: &[(String, Vec<u8>)]) -> usize {
    let Some((first, _)) = files.first() else {
        return 0;
    };
    let Some((top, _)) = first.split_once('/') else {
        return 0;
    };
    let within = |name: &str| {
        name.strip_prefix(top)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    let is_entry_at_top = files
        .iter()
        .any(|(name, _)| ENTRIES.contains(&name.as_str()));
    if !is_entry_at_top && files.iter().all(|(name, _)| within(name)) {
        top.len() + 1
    } else {
        0
    }
}
