//! An agent's directory.
//!
//! The attack: a directory from a stranger holds a link to `~/.ssh`, whose contents the agent would be handed, or a pipe that never
//! ends. Links are refused, not followed; only regular files are read.

use std::fs;
use std::path::Path;

use oacp::limits::{SOURCE_BYTES_MAX, SOURCE_FILE_BYTES_MAX, SOURCE_FILES_MAX};
use oacp::source::SourcePath;

use super::left_out;
use crate::failure::{Failure, Judge};
use crate::file;

/// Directories below one another. Attack: a tree that exhausts the stack.
const DEPTH_MAX: usize = 64;

/// The files below `dir`, with their paths relative to it, but those at paths that `omitted` tells.
pub(super) fn read(
    dir: &Path,
    omitted: impl Fn(&str) -> bool,
) -> Result<Vec<(SourcePath, Vec<u8>)>, Failure> {
    let mut files = Vec::new();
    let mut bytes = 0;
    walk(dir, "", 0, &omitted, &mut files, &mut bytes)?;
    Ok(files)
}

fn walk(
    dir: &Path,
    prefix: &str,
    depth: usize,
    omitted: &impl Fn(&str) -> bool,
    files: &mut Vec<(SourcePath, Vec<u8>)>,
    bytes: &mut usize,
) -> Result<(), Failure> {
    if depth > DEPTH_MAX {
        return Err(Failure::usage(format!(
            "`{prefix}` lies more than {DEPTH_MAX} directories deep"
        )));
    }
    let entries = fs::read_dir(dir)
        .or_context(|| format!("cannot read the directory `{}`", dir.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| {
            Failure::usage(format!(
                "the name of `{}` is not UTF-8, so it cannot be recorded",
                entry.path().display()
            ))
        })?;
        if left_out(name) {
            continue;
        }
        let path = format!("{prefix}{name}");
        if omitted(&path) {
            continue;
        }
        // Of the entry itself: a link is not followed.
        let kind = entry
            .file_type()
            .or_context(|| format!("cannot read `{path}`"))?;
        if kind.is_dir() {
            let below = format!("{path}/");
            walk(&entry.path(), &below, depth + 1, omitted, files, bytes)?;
        } else if kind.is_file() {
            if files.len() == SOURCE_FILES_MAX || *bytes > SOURCE_BYTES_MAX {
                return Err(Failure::usage(format!(
                    "it is too large: at most {SOURCE_FILES_MAX} files and {SOURCE_BYTES_MAX} bytes"
                ))
                .hint("hidden files, `__pycache__` and `node_modules` are left out already; move other data out of the agent"));
            }
            let content = file::read(&entry.path(), SOURCE_FILE_BYTES_MAX)?;
            *bytes += content.len();
            let path = path
                .parse()
                .or_context(|| format!("the name `{path}` cannot be recorded"))?;
            files.push((path, content));
        } else if kind.is_symlink() {
            return Err(Failure::usage(format!("`{path}` is a symbolic link, which is not followed"))
                .hint("put a copy of the file in its place: what an agent is made of lies within its directory"));
        } else {
            return Err(Failure::usage(format!("`{path}` is not a regular file")));
        }
    }
    Ok(())
}
