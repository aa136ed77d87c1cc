//! Configuration files that somebody accepted: which text, by its digest, at which path.
//!
//! The attack: a cloned repository brings an `oacp.yaml` that grants its own agents files, or runs a program for a "secret"; or one that
//! was harmless when it was accepted changes with the next pull.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use oacp::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::config::{RunOptions, Text, directory_of};
use crate::console::Console;
use crate::failure::{Failure, Judge};
use crate::file::{self, Existing, Readers};
use crate::home::{Home, shown};

/// What is looked for in the current directory.
pub(crate) const CONFIG_FILE: &str = "oacp.yaml";

/// Bytes of the list.
const LIST_BYTES_MAX: usize = 4 << 20;

/// Bytes of a text that is kept.
const TEXT_BYTES_MAX: usize = 1 << 20;

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct List {
    /// By absolute path.
    files: BTreeMap<String, Digest>,
}

/// How a file that was found stands.
pub(crate) enum Standing {
    /// Nobody ever accepted it.
    Unknown,
    /// It was accepted, and has another text now.
    Changed,
    /// These bytes were accepted.
    Accepted(Text),
}

/// How the file stands. It is read once: what is compared is what is used.
pub(crate) fn standing(path: &Path, home: &Home) -> Result<Standing, Failure> {
    let Some(accepted) = load(home)?.files.get(&key(path)?).copied() else {
        return Ok(Standing::Unknown);
    };
    // A pipe of that name would be waited for.
    if !fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return Ok(Standing::Changed);
    }
    let text = Text::read(path)?;
    Ok(if Digest::of(text.text.as_bytes()) == accepted {
        Standing::Accepted(text)
    } else {
        Standing::Changed
    })
}

/// The configuration of a run that names none: that of the current directory, if it was accepted as it is. Otherwise none, and a note
/// says so.
pub(crate) fn discovered(home: &Home, console: &Console) -> Result<RunOptions, Failure> {
    let file = Path::new(CONFIG_FILE);
    // Also a link to nothing is something that was found.
    if fs::symlink_metadata(file).is_err() {
        return Ok(RunOptions::default());
    }
    let why = match standing(file, home)? {
        Standing::Accepted(text) => return text.for_run(),
        Standing::Changed => {
            "it has changed since it was accepted; `oacp policy diff` shows what, `oacp policy accept` accepts it"
        }
        Standing::Unknown => {
            "a file that is merely found grants nothing; `oacp policy accept` shows what it grants and accepts it, --config oacp.yaml uses it once"
        }
    };
    console.note(&format!("note: ./{CONFIG_FILE} is not used: {why}"));
    Ok(RunOptions::default())
}

/// Accepts a text at a path.
pub(crate) fn accept(path: &Path, text: &Text, home: &Home) -> Result<Digest, Failure> {
    home.create()?;
    let digest = Digest::of(text.text.as_bytes());
    file::create_private_dir(&home.accepted_texts())?;
    // The copy first: where there is a pin there is something to compare with.
    file::write_whole(
        &copy_of(digest, home),
        text.text.as_bytes(),
        Existing::Replace,
        Readers::Owner,
    )?;
    let mut list = load(home)?;
    list.files.insert(key(path)?, digest);
    let json = serde_json::to_vec_pretty(&list)?;
    file::write_whole(&home.accepted(), &json, Existing::Replace, Readers::Owner)
        .or_context(|| format!("cannot write `{}`", home.accepted().display()))?;
    Ok(digest)
}

/// The text as it was accepted. `None`: it never was.
pub(crate) fn text_then(path: &Path, home: &Home) -> Result<Option<Text>, Failure> {
    let Some(digest) = load(home)?.files.get(&key(path)?).copied() else {
        return Ok(None);
    };
    let bytes = file::read(&copy_of(digest, home), TEXT_BYTES_MAX)?;
    if Digest::of(&bytes) != digest {
        return Err(Failure::unable(format!(
            "the copy of what was accepted, {}, is damaged",
            shown(&copy_of(digest, home))
        ))
        .hint("read the file itself, and accept it again"));
    }
    Ok(Some(Text {
        name: format!("{} (accepted)", path.display()),
        text: String::from_utf8(bytes)?,
        dir: directory_of(path)?,
    }))
}

/// The file's own path: its directory with symbolic links resolved, so that one file has one.
fn key(path: &Path) -> Result<String, Failure> {
    let file = directory_of(path)?.join(path.file_name().unwrap_or_default());
    match file.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(Failure::usage(format!("`{}` is not UTF-8", file.display()))),
    }
}

fn copy_of(digest: Digest, home: &Home) -> PathBuf {
    let text = digest.to_string();
    let hex = text.strip_prefix("sha256:").unwrap_or(&text);
    home.accepted_texts().join(format!("{hex}.yaml"))
}

fn load(home: &Home) -> Result<List, Failure> {
    let path = home.accepted();
    if let Err(e) = fs::metadata(&path)
        && e.kind() == io::ErrorKind::NotFound
    {
        return Ok(List::default());
    }
    let bytes = file::read(&path, LIST_BYTES_MAX)?;
    serde_json::from_slice(&bytes)
        .or_context(|| format!("`{}` is damaged", path.display()))
        .or_hint(|| "move it away, and accept configurations again".to_owned())
}
