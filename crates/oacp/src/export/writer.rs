//! Writes an export. What a reader would refuse is not written.

use oacp_tlog::{CompactRange, SignedCheckpoint, leaf_hash};
use serde::Serialize;

use super::{EXPORT_V1, EndJson, EntryJson, HeaderJson, Payload};
use crate::envelope::EnvelopeJson;
use crate::id::LogOrigin;
use crate::leaf::{Leaf, LeafError};

/// Makes the lines of an export, one after the other. Each has its line feed.
#[derive(Debug)]
pub struct ExportWriter {
    range: CompactRange,
    until: SignedCheckpoint,
}

impl ExportWriter {
    /// The writer, and the first line, of an export that begins behind `frontier` (the tree of all
    /// entries before) and ends with the tree of the checkpoint `until`. `since`: a checkpoint of
    /// the tree at which it begins.
    ///
    /// # Errors
    /// It ends before it begins; `since` is of another log or another tree; an origin that no
    /// statement can name.
    pub fn new(
        frontier: CompactRange,
        since: Option<&SignedCheckpoint>,
        until: SignedCheckpoint,
    ) -> Result<(Self, Vec<u8>), ExportWriteError> {
        let (from, to) = (frontier.size(), until.size());
        if from > to {
            return Err(ExportWriteError::Range { from, to });
        }
        let origin: LogOrigin = until
            .origin()
            .parse()
            .map_err(|_| ExportWriteError::Origin)?;
        if let Some(since) = since
            && (since.origin(), since.size(), since.root())
                != (until.origin(), from, frontier.root())
        {
            return Err(ExportWriteError::Since);
        }
        let header = HeaderJson {
            kind: EXPORT_V1.to_owned(),
            origin,
            from,
            to,
            frontier: frontier.nodes().iter().map(ToString::to_string).collect(),
            checkpoint: since.map(ToString::to_string),
        };
        let writer = Self {
            range: frontier,
            until,
        };
        Ok((writer, line(&header)))
    }

    /// The index of the next entry.
    pub fn next(&self) -> u64 {
        self.range.size()
    }

    /// The line of the next entry, given the bytes that the log stores.
    ///
    /// # Errors
    /// The checkpoint has no further entry; bytes that are no leaf; an envelope that is not the
    /// leaf's.
    pub fn entry(
        &mut self,
        leaf: &[u8],
        payload: Payload<'_>,
    ) -> Result<Vec<u8>, ExportWriteError> {
        let index = self.next();
        if index >= self.until.size() {
            return Err(ExportWriteError::TooMany { to: index });
        }
        let parsed =
            Leaf::parse(leaf).map_err(|source| ExportWriteError::Leaf { index, source })?;
        let (envelope, withheld) = match payload {
            Payload::Envelope(envelope) => {
                if Leaf::of(parsed.kind, envelope, parsed.sequence) != parsed {
                    return Err(ExportWriteError::OtherEnvelope { index });
                }
                (Some(EnvelopeJson::from(envelope)), None)
            }
            Payload::Withheld(withheld) => (None, Some(withheld)),
        };
        self.range.push(leaf_hash(leaf));
        Ok(line(&EntryJson {
            index,
            // Canonical JSON is UTF-8: nothing is lost.
            leaf: String::from_utf8_lossy(leaf).into_owned(),
            envelope,
            withheld,
        }))
    }

    /// The last line.
    ///
    /// # Errors
    /// Entries are missing, or are not those of the checkpoint.
    pub fn finish(self) -> Result<Vec<u8>, ExportWriteError> {
        let (next, to) = (self.next(), self.until.size());
        if next != to {
            return Err(ExportWriteError::TooFew { next, to });
        }
        if self.range.root() != self.until.root() {
            return Err(ExportWriteError::Root { to });
        }
        Ok(line(&EndJson {
            checkpoint: self.until.to_string(),
        }))
    }
}

#[expect(
    clippy::expect_used,
    reason = "an export's lines are strings, integers and lists of strings"
)]
fn line(json: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(json).expect("strings serialize");
    bytes.push(b'\n');
    bytes
}

/// Why an export cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportWriteError {
    /// The checkpoint is older than the beginning.
    #[error("export would begin at {from}, behind its end at {to}")]
    Range {
        /// The first index.
        from: u64,
        /// The checkpoint's size.
        to: u64,
    },
    /// The checkpoint names a log that no statement can name.
    #[error("checkpoint's origin is not one that a statement can name")]
    Origin,
    /// Another log's, or another tree's.
    #[error("checkpoint at the beginning is not of the tree that the export begins with")]
    Since,
    /// No leaf of a version that this crate reads.
    #[error("entry {index} is not a leaf")]
    Leaf {
        /// Of the entry.
        index: u64,
        /// Why.
        source: LeafError,
    },
    /// The leaf commits to something else.
    #[error("envelope of entry {index} is not the one that its leaf commits to")]
    OtherEnvelope {
        /// Of the entry.
        index: u64,
    },
    /// More entries than the checkpoint has.
    #[error("checkpoint has {to} entries, and one more was given")]
    TooMany {
        /// The checkpoint's size.
        to: u64,
    },
    /// Fewer entries than the checkpoint has.
    #[error("entries {next} to {to} are missing")]
    TooFew {
        /// The next index.
        next: u64,
        /// The checkpoint's size.
        to: u64,
    },
    /// What the log stores is not what its checkpoint says.
    #[error("entries do not lead to the root of the checkpoint of {to} entries")]
    Root {
        /// The checkpoint's size.
        to: u64,
    },
}
