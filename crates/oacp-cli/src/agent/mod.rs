//! From what a person names on the command line to an agent: a file, a directory, a zip or a component.
//!
//! A directory and a zip of it are one agent with one hash: neither the order, the modes nor the times of their files count.

mod archive;
mod directory;
mod manifest;
mod registered;

pub(crate) use manifest::{AGENT_FILE, Declared, declare};
pub(crate) use registered::{Registered, find, kind, store};

use std::path::Path;

use oacp::blob::Blob;
use oacp::digest::Digest;
use oacp::limits::{SOURCE_BYTES_MAX, SOURCE_FILE_BYTES_MAX};
use oacp::source::{Source, SourcePath};
use oacp_sandbox::Language;
use oacp_sandbox::limits::COMPONENT_BYTES_MAX;

use crate::failure::{Failure, Judge};
use crate::file;

/// The files at which an agent of several files may start, if none is named.
const ENTRIES: [&str; 6] = [
    "agent.py",
    "main.py",
    "agent.js",
    "main.js",
    "agent.mjs",
    "main.mjs",
];

/// Bytes of a zip. Attack: a central directory that is larger than anything it could hold.
const ZIP_BYTES_MAX: usize = 2 * SOURCE_BYTES_MAX;

/// An agent as it was given.
pub(crate) enum Given {
    Source {
        language: Language,
        source: Source,
    },
    /// A compiled agent, as the bytes of its component.
    Component(Blob),
}

impl Given {
    /// The language that it is written in, unless it is compiled.
    pub(crate) fn language(&self) -> Option<Language> {
        match self {
            Self::Source { language, .. } => Some(*language),
            Self::Component(_) => None,
        }
    }
}

/// Loads what `path` names.
///
/// # Errors
///
/// All are usage: the file is missing, or is no agent.
pub(crate) fn load(path: &Path, entry: Option<&SourcePath>) -> Result<Given, Failure> {
    read(path, entry).or_usage()
}

/// Loads a directory that starts at `entry`, whose language `language` tells.
///
/// # Errors
///
/// All are usage.
pub(crate) fn load_directory(
    path: &Path,
    entry: &SourcePath,
    language: impl FnOnce(&str) -> Option<Language>,
) -> Result<Given, Failure> {
    let source =
        directory::read(path, |_| false).and_then(|files| Ok(Source::new(files, entry.clone())?));
    let source = source
        .or_context(|| format!("`{}` cannot be read", path.display()))
        .or_usage()?;
    match language(entry.as_str()) {
        Some(language) => Ok(Given::Source { language, source }),
        None => Err(Failure::usage(format!(
            "no language runtime for the entry `{entry}`"
        ))),
    }
}

/// A digest of all that is there, wherever it starts: of a file its SHA-256. `None`: it cannot be read.
pub(crate) fn digest(path: &Path) -> Option<Digest> {
    if !path.is_dir() {
        return Some(Digest::of(&file::read(path, COMPONENT_BYTES_MAX).ok()?));
    }
    let files = directory::read(path, |_| false).ok()?;
    let first = files.iter().map(|(path, _)| path).min()?.clone();
    Some(Source::new(files, first).ok()?.hash())
}

fn read(path: &Path, entry: Option<&SourcePath>) -> Result<Given, Failure> {
    let shown = path.display();
    let metadata =
        std::fs::metadata(path).or_context(|| format!("cannot read the agent `{shown}`"))?;
    if metadata.is_dir() {
        return several(directory::read(path, |_| false)?, entry)
            .or_context(|| format!("`{shown}` is not an agent"));
    }
    if !metadata.is_file() {
        return Err(Failure::usage(format!(
            "the agent `{shown}` is neither a file nor a directory"
        )));
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("zip") => {
            let bytes = file::read(path, ZIP_BYTES_MAX)?;
            let files =
                archive::read(bytes).or_context(|| format!("cannot read the archive `{shown}`"))?;
            several(files, entry).or_context(|| format!("`{shown}` is not an agent"))
        }
        Some(_) if entry.is_some() => Err(Failure::usage(format!(
            "`{shown}` is one file: it has no other entry"
        ))
        .hint("--entry is for a directory or a zip")),
        Some("wasm") => component(file::read(path, COMPONENT_BYTES_MAX)?)
            .or_context(|| format!("`{shown}` is not an agent")),
        Some(extension) if Language::of_extension(extension).is_some() => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = name
                .parse::<SourcePath>()
                .or_context(|| format!("the name of `{shown}` cannot be recorded"))?;
            let source = Source::single(name, file::read(path, SOURCE_FILE_BYTES_MAX)?)?;
            with_language(source)
        }
        _ => Err(
            Failure::usage(format!("cannot tell what kind of agent `{shown}` is"))
                .hint("an agent is a .py, .js, .mjs or .wasm file, a directory, or a .zip"),
        ),
    }
}

/// Told apart here, by its first eight bytes: the engine's own words for it are for those who know its insides.
fn component(wasm: Vec<u8>) -> Result<Given, Failure> {
    match wasm.get(..8) {
        Some(b"\0asm\x0d\0\x01\0") => Ok(Given::Component(Blob::of(wasm))),
        Some(b"\0asm\x01\0\0\0") => Err(Failure::usage(
            "it is a core WebAssembly module, not a component",
        )
        .hint("build it against wit/agent.wit, and make it a component: wasm-tools component new")),
        _ => Err(Failure::usage("it is not WebAssembly")),
    }
}

fn several(
    files: Vec<(SourcePath, Vec<u8>)>,
    entry: Option<&SourcePath>,
) -> Result<Given, Failure> {
    let entry = match entry {
        Some(entry) => entry.clone(),
        None => find_entry(&files)?,
    };
    with_language(Source::new(files, entry)?)
}

fn find_entry(files: &[(SourcePath, Vec<u8>)]) -> Result<SourcePath, Failure> {
    let mut found = files
        .iter()
        .map(|(path, _)| path)
        .filter(|path| ENTRIES.contains(&path.as_str()));
    match (found.next(), found.next()) {
        (Some(entry), None) => Ok(entry.clone()),
        (None, _) => Err(Failure::usage(format!(
            "it has none of the files {}",
            ENTRIES.map(|e| format!("`{e}`")).join(", ")
        ))
        .hint("name the file to start at with --entry PATH")),
        (Some(one), Some(other)) => Err(Failure::usage(format!(
            "it could start at `{one}` or at `{other}`"
        ))
        .hint(format!("choose with --entry {one}"))),
    }
}

fn with_language(source: Source) -> Result<Given, Failure> {
    let extension = source
        .entry()
        .as_str()
        .rsplit_once('.')
        .map_or("", |(_, extension)| extension);
    match Language::of_extension(extension) {
        Some(language) => Ok(Given::Source { language, source }),
        None => Err(Failure::usage(format!(
            "no language runtime for the entry `{}`",
            source.entry()
        ))
        .hint("an entry is a .py, .js or .mjs file")),
    }
}

/// Whether a path is left out of an agent: hidden files and directories (`.git`, `.env`, `.venv`) and what tools leave behind.
/// What is left out is neither hashed, nor shown to the agent, nor put into the bundle.
pub(crate) fn left_out(name: &str) -> bool {
    name.starts_with('.') || matches!(name, "__pycache__" | "__MACOSX" | "node_modules")
}
