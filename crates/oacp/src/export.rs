//! The export of a log: entries in order, with what shows that none is missing, as one file of JSON
//! lines.
//!
//! ```json
//! {"type": "<prefix>export/v1", "origin": "log.example/1", "from": 0, "to": 2, "frontier": []}
//! {"index": 0, "leaf": "<the leaf's bytes, as a string>", "envelope": {…}}
//! {"index": 1, "leaf": "<the leaf's bytes, as a string>", "withheld": "redacted"}
//! {"checkpoint": "<the signed note, as a string>"}
//! ```
//!
//! The first line says which entries follow: from the index `from` on, `to` excluded. `frontier`
//! has the roots of the complete subtrees that the tree of `from` entries is made of, largest
//! first, so that the leaves can be appended to it; the tree of `to` entries then has to have the
//! checkpoint's root. A first line may also have the `checkpoint` of the tree of `from` entries,
//! which whoever kept it can compare.
//!
//! The attack is a log's operator, or whoever hands on its export, who leaves out what does not
//! please. Nobody can leave out, alter or move a leaf. Envelopes can be left out, and then the file
//! says so; those that are there are the ones that their leaves commit to.

mod begins;
mod error;
mod known;
mod reader;
mod report;
mod sequences;
mod verdict;
mod writer;

use serde::{Deserialize, Serialize};

use crate::envelope::{Envelope, EnvelopeJson};
use crate::id::LogOrigin;

pub use self::error::ExportError;
pub use self::reader::ExportReader;
pub use self::report::{
    Contradiction, ExportReport, Findings, Missing, Signatures, Unfinished, Why, WrongEntry,
};
pub use self::writer::{ExportWriteError, ExportWriter};

/// The export's type and version.
pub const EXPORT_V1: &str = uri!("export/v1");

/// Why an entry is without its envelope. The exporter's word, which nothing proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Withheld {
    /// Whoever made the export left it out.
    Redacted,
    /// The log does not have it any more.
    Pruned,
}

/// What an export has of an entry beside its leaf.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// The envelope.
    Envelope(&'a Envelope),
    /// Nothing, for this reason.
    Withheld(Withheld),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderJson {
    #[serde(rename = "type")]
    kind: String,
    origin: LogOrigin,
    from: u64,
    to: u64,
    frontier: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryJson {
    index: u64,
    leaf: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    envelope: Option<EnvelopeJson>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    withheld: Option<Withheld>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndJson {
    checkpoint: String,
}

#[cfg(test)]
mod tests;
