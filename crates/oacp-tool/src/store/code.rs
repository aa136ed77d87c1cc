//! Code as the store keeps it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oacp::digest::Digest;
use oacp::json::from_slice;
use oacp::source::{Source, SourceError, SourcePath};
use oacp::tool::{Code, Definition};
use serde::{Deserialize, Serialize};

use super::{Kind, Program};
use crate::limits::{COMPONENT_BYTES_MAX, STORED_SOURCE};
use crate::package::started_at;

/// A source's files. Where it starts is the definition's to say: the tools of a package share one file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Files {
    /// Paths, and contents as base64.
    files: BTreeMap<SourcePath, String>,
}

pub(super) const fn bytes_max(kind: Kind) -> usize {
    match kind {
        Kind::Component => COMPONENT_BYTES_MAX,
        Kind::Python | Kind::Javascript => STORED_SOURCE.bytes_max,
    }
}

pub(super) fn encode(program: &Program) -> Vec<u8> {
    let source = match program {
        Program::Component(bytes) => return bytes.clone(),
        Program::Source(source) => source,
    };
    encode_files(source.files())
}

/// Files as the store keeps them.
pub(crate) fn encode_files<'a>(files: impl Iterator<Item = (&'a SourcePath, &'a [u8])>) -> Vec<u8> {
    let files = files
        .map(|(path, content)| (path.clone(), STANDARD.encode(content)))
        .collect();
    // Strings by strings; were there an error, nothing would be written that reads as a source.
    serde_json::to_vec(&Files { files }).unwrap_or_default()
}

/// The program of a tool. `None`: the bytes are none.
pub(super) fn decode(kind: Kind, bytes: Vec<u8>, definition: &Definition) -> Option<Program> {
    let entry = match (kind, &definition.code) {
        (Kind::Component, _) => return Some(Program::Component(bytes)),
        (_, Code::Source { entry, .. }) => entry.clone(),
        (_, Code::Component { .. }) => return None,
    };
    Source::new(decode_files(&bytes)?, entry)
        .ok()
        .map(Program::Source)
}

/// The files of a source. `None`: the bytes are none.
pub(crate) fn decode_files(bytes: &[u8]) -> Option<Vec<(SourcePath, Vec<u8>)>> {
    let Files { files } = from_slice(bytes, STORED_SOURCE).ok()?;
    files
        .into_iter()
        .map(|(path, content)| Some((path, STANDARD.decode(content).ok()?)))
        .collect()
}

impl Program {
    /// The same code, started as the definition says. `None`: it is of another kind.
    ///
    /// # Errors
    /// The file to start at is not among its files.
    pub fn started(&self, definition: &Definition) -> Result<Option<Self>, SourceError> {
        Ok(match (self, &definition.code) {
            (Self::Source(source), Code::Source { entry, .. }) => {
                Some(Self::Source(started_at(source, entry)?))
            }
            (Self::Component(bytes), Code::Component { .. }) => {
                Some(Self::Component(bytes.clone()))
            }
            _ => None,
        })
    }
}

/// Whether the program is the one that the definition says.
pub(super) fn is_of(program: &Program, definition: &Definition) -> bool {
    match (program, &definition.code) {
        (Program::Source(source), Code::Source { sha256, entry }) => {
            source.entry() == entry && source.hash() == *sha256
        }
        (Program::Component(bytes), Code::Component { sha256, .. }) => Digest::of(bytes) == *sha256,
        _ => false,
    }
}
