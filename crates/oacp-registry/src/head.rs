//! The head: all that changes in one step with each flush.
//!
//! ```text
//! oacp-head/1
//! <segment> <byte at which the next batch begins>
//! <entries whose tiles are durable> <segment> <byte at which the first batch behind them begins>
//! <the signed checkpoint>
//! ```

use oacp_tlog::checkpoint::SignedCheckpoint;

use crate::segment::SegmentNumber;

const VERSION: &str = "oacp-head/1";

/// A place between batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Position {
    pub(crate) segment: SegmentNumber,
    pub(crate) offset: u64,
}

/// Entries whose tiles are durable, and where the others' batches begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    pub(crate) size: u64,
    pub(crate) position: Position,
}

/// The head's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Where the next batch begins.
    pub(crate) end: Position,
    pub(crate) durable: Mark,
    pub(crate) checkpoint: SignedCheckpoint,
}

impl Head {
    pub(crate) fn size(&self) -> u64 {
        self.checkpoint.size()
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let Self {
            end,
            durable,
            checkpoint,
        } = self;
        format!(
            "{VERSION}\n{} {}\n{} {} {}\n{checkpoint}",
            end.segment,
            end.offset,
            durable.size,
            durable.position.segment,
            durable.position.offset
        )
        .into_bytes()
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (version, rest) = text.split_once('\n')?;
        let (end, rest) = rest.split_once('\n')?;
        let (durable, checkpoint) = rest.split_once('\n')?;
        let (segment, offset) = end.split_once(' ')?;
        let (size, position) = durable.split_once(' ')?;
        let (durable_segment, durable_offset) = position.split_once(' ')?;
        let head = Self {
            end: Position {
                segment: segment.parse().ok()?,
                offset: offset.parse().ok()?,
            },
            durable: Mark {
                size: size.parse().ok()?,
                position: Position {
                    segment: durable_segment.parse().ok()?,
                    offset: durable_offset.parse().ok()?,
                },
            },
            checkpoint: SignedCheckpoint::parse(checkpoint.as_bytes()).ok()?,
        };
        (version == VERSION && head.to_bytes() == bytes).then_some(head)
    }
}
