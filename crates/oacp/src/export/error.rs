//! Why an export is refused.

use oacp_tlog::{ParseCheckpointError, PolicyError};

use crate::envelope::EnvelopeError;
use crate::id::LogOrigin;
use crate::json::AdmitError;
use crate::leaf::LeafError;
use crate::refusal::RefusalKind;

/// Why an export is refused: then it shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// Not admitted as JSON, or not what has to stand there.
    #[error("line {line} is malformed")]
    Line {
        /// From 1.
        line: u64,
        /// Why.
        source: AdmitError,
    },
    /// Another type, or another version.
    #[error("export is of a type or version that is not known here")]
    Version,
    /// It ends before it begins.
    #[error("export begins at {from}, behind its end at {to}")]
    Range {
        /// The first index.
        from: u64,
        /// One past the last.
        to: u64,
    },
    /// Other hashes than a tree of this size has, in number or spelling.
    #[error("frontier is not one of a tree of {from} entries")]
    Frontier {
        /// The first index.
        from: u64,
    },
    /// No checkpoint.
    #[error("line {line} has a malformed checkpoint")]
    Checkpoint {
        /// From 1.
        line: u64,
        /// Why.
        source: ParseCheckpointError,
    },
    /// A checkpoint of another log.
    #[error("checkpoint is of the log `{}`, expected `{expected}`", .found.escape_debug())]
    Origin {
        /// Of the checkpoint.
        found: String,
        /// Of the first line.
        expected: LogOrigin,
    },
    /// A checkpoint of another tree.
    #[error("checkpoint has {found} entries, expected {expected}")]
    Size {
        /// Of the checkpoint.
        found: u64,
        /// Of the first line.
        expected: u64,
    },
    /// A line is missing, is there twice, or stands in another place.
    #[error("line {line} has entry {found}, expected {expected}")]
    Index {
        /// From 1.
        line: u64,
        /// Of the line.
        found: u64,
        /// What has to stand there.
        expected: u64,
    },
    /// No leaf.
    #[error("leaf of entry {index} is refused")]
    Leaf {
        /// Of the entry.
        index: u64,
        /// Why.
        source: LeafError,
    },
    /// Neither an envelope nor a reason why there is none, or both.
    #[error("entry {index} has to have either an envelope or a reason why it is withheld")]
    Payload {
        /// Of the entry.
        index: u64,
    },
    /// No envelope.
    #[error("envelope of entry {index} is malformed")]
    Envelope {
        /// Of the entry.
        index: u64,
        /// Why.
        source: EnvelopeError,
    },
    /// The leaf commits to something else.
    #[error("envelope of entry {index} is not the one that its leaf commits to")]
    OtherEnvelope {
        /// Of the entry.
        index: u64,
    },
    /// Leaves that are not the log's, or a frontier that is not.
    #[error("entries do not lead to the root of the checkpoint of {size} entries")]
    Root {
        /// Of the checkpoint.
        size: u64,
    },
    /// The checkpoint does not meet the log policy.
    #[error("checkpoint does not meet the log policy")]
    Policy(#[source] PolicyError),
    /// Something after the last line.
    #[error("line {line} comes after the end of the export")]
    AfterEnd {
        /// From 1.
        line: u64,
    },
    /// The last line is missing.
    #[error("export is cut off after line {lines}")]
    Truncated {
        /// How many there are.
        lines: u64,
    },
    /// A line before was refused.
    #[error("an earlier line of the export was refused")]
    Refused,
}

impl ExportError {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Line { source, .. } => source.kind.code(),
            Self::Version => "unknown_version",
            Self::Range { .. } => "range",
            Self::Frontier { .. } => "frontier",
            Self::Checkpoint { .. } => "checkpoint_malformed",
            Self::Origin { .. } => "origin_mismatch",
            Self::Size { .. } => "size_mismatch",
            Self::Index { .. } => "index",
            Self::Leaf { .. } => "leaf_malformed",
            Self::Payload { .. } => "payload",
            Self::Envelope { .. } => "envelope_malformed",
            Self::OtherEnvelope { .. } => "envelope_mismatch",
            Self::Root { .. } => "root_mismatch",
            Self::Policy(_) => "log_policy_unmet",
            Self::AfterEnd { .. } => "after_end",
            Self::Truncated { .. } => "truncated",
            Self::Refused => "refused",
        }
    }

    /// Whether the export is wrong, or the verifier lacks something.
    pub fn kind(&self) -> RefusalKind {
        match self {
            Self::Version
            | Self::Policy(_)
            | Self::Leaf {
                source: LeafError::Version(_),
                ..
            } => RefusalKind::CouldNotCheck,
            _ => RefusalKind::Invalid,
        }
    }
}
