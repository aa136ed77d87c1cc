//! What crosses the boundary, written down in a run and read back in a replay.

use std::collections::BTreeMap;
use std::sync::Arc;

use oacp::digest::Digest;
use oacp::event::Event;
use oacp::recording::{Content, Recording};

use crate::limits::{EVENTS_MAX, RECORDING_BYTES_MAX};

/// The one difference between a run and a replay.
pub(crate) enum Tape {
    Record { recording: Recording, bytes: usize },
    Replay(Replay),
}

pub(crate) struct Replay {
    pub(crate) events: Vec<Vec<u8>>,
    pub(crate) blobs: BTreeMap<Digest, Arc<[u8]>>,
    pub(crate) next: usize,
}

/// Why the host ended a run from within a host call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// The replay did something else than the recording says.
    Diverged { event: u64, recorded: String, replayed: String },
    /// The replay needs contents that the recording withholds.
    Withheld(Digest),
    /// A limit of the recording itself is reached.
    Limit(String),
}

impl Tape {
    /// Writes an event down, or compares it with the one recorded.
    pub(crate) fn event(&mut self, event: &Event) -> Result<u64, Halt> {
        match self {
            Self::Record { recording, .. } => {
                if recording.len() >= EVENTS_MAX {
                    return Err(Halt::Limit(format!("the limit of {EVENTS_MAX} recorded events is reached")));
                }
                Ok(recording.push(event))
            }
            Self::Replay(replay) => {
                let bytes = event.to_bytes();
                match replay.events.get(replay.next) {
                    Some(recorded) if *recorded == bytes => {
                        replay.next += 1;
                        Ok(replay.next as u64 - 1)
                    }
                    recorded => Err(diverged(replay.next, recorded, &bytes)),
                }
            }
        }
    }

    /// Keeps contents, named by their digest, beside the events.
    pub(crate) fn content(&mut self, contents: &[u8]) -> Result<Content, Halt> {
        match self {
            Self::Record { recording, bytes } => {
                *bytes += contents.len();
                if *bytes > RECORDING_BYTES_MAX {
                    return Err(Halt::Limit(format!(
                        "the limit of {RECORDING_BYTES_MAX} recorded bytes is reached"
                    )));
                }
                Ok(recording.add_blob(contents))
            }
            Self::Replay(_) => Ok(Content::of(contents)),
        }
    }

    /// In a replay: the next event, which only the outside could have caused.
    pub(crate) fn outside(&mut self, waiting_for: &str) -> Result<Option<Event>, Halt> {
        let Self::Replay(replay) = self else { return Ok(None) };
        let recorded = replay.events.get(replay.next);
        match recorded.and_then(|bytes| Event::parse(bytes).ok()) {
            Some(event @ (Event::Completion { .. } | Event::Deadline { .. })) => {
                replay.next += 1;
                Ok(Some(event))
            }
            _ => Err(diverged(replay.next, recorded, waiting_for.as_bytes())),
        }
    }
}

impl Replay {
    pub(crate) fn blob(&self, content: &Content) -> Result<Arc<[u8]>, Halt> {
        self.blobs.get(&content.sha256).cloned().ok_or(Halt::Withheld(content.sha256))
    }
}

fn diverged(index: usize, recorded: Option<&Vec<u8>>, replayed: &[u8]) -> Halt {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Halt::Diverged {
        event: index as u64,
        recorded: recorded.map_or_else(|| "the recording ends here".to_owned(), |bytes| text(bytes)),
        replayed: text(replayed),
    }
}
