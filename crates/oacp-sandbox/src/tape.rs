//! What crosses the boundary, written down in a run and read back in a replay.

use std::collections::BTreeMap;
use std::sync::Arc;

use oacp::capability::Denial;
use oacp::digest::Digest;
use oacp::event::{CallOutcome, Event};
use oacp::recording::{Content, Recording};

use crate::limits::{EVENTS_MAX, RECORDING_BYTES_MAX};

/// The recording's side of a run, or of its replay. The limits hold in both, so that a run that reached one replays.
pub(crate) struct Tape {
    pub(crate) side: Side,
    events: u64,
    bytes: usize,
}

/// The one difference between a run and a replay.
pub(crate) enum Side {
    Record(Recorder),
    Replay(Replay),
}

/// A recording that is written, with what of it the statement says: nobody has to read the events again for that.
pub(crate) struct Recorder {
    pub(crate) recording: Recording,
    pub(crate) calls: Vec<RecordedCall>,
    /// By the number of a call, where it is in `calls`.
    places: BTreeMap<u64, usize>,
    pub(crate) denials: Vec<Denial>,
}

/// A tool's call, as the recording has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedCall {
    /// Its number.
    pub call: u64,
    /// The name as the guest said it.
    pub tool: String,
    /// The index of its `tool_call` event.
    pub event: u64,
    /// What was delivered to the guest. `None`: nothing, for it did not wait so long.
    pub outcome: Option<CallOutcome>,
}

#[derive(Default)]
pub(crate) struct Replay {
    pub(crate) events: Vec<Vec<u8>>,
    pub(crate) blobs: BTreeMap<Digest, Arc<[u8]>>,
    pub(crate) next: usize,
}

/// Why the host ended a run from within a host call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// The replay did something else than the recording says.
    Diverged {
        event: u64,
        recorded: String,
        replayed: String,
    },
    /// The replay needs contents that the recording withholds.
    Withheld(Digest),
    /// A limit of the recording itself is reached.
    Limit(String),
    /// The wall time is spent: in milliseconds, how much there was.
    TimedOut(u128),
    /// The run was cancelled.
    Cancelled,
    /// A denial, where the first one ends the run.
    Denied(String),
}

impl Recorder {
    pub(crate) fn new(recording: Recording) -> Self {
        Self {
            recording,
            calls: Vec::new(),
            places: BTreeMap::new(),
            denials: Vec::new(),
        }
    }

    fn push(&mut self, event: &Event) -> u64 {
        let index = self.recording.push(event);
        match event {
            Event::ToolCall { call, tool, .. } => {
                self.places.insert(*call, self.calls.len());
                self.calls.push(RecordedCall {
                    call: *call,
                    tool: tool.clone(),
                    event: index,
                    outcome: None,
                });
            }
            Event::Completion { call, outcome, .. } => {
                let place = self.places.get(call);
                if let Some(begun) = place.and_then(|place| self.calls.get_mut(*place)) {
                    begun.outcome = Some(*outcome);
                }
            }
            Event::Denial { denial, .. } => self.denials.push(denial.clone()),
            _ => {}
        }
        index
    }
}

impl Tape {
    /// A tape that is written, or read, from the first event on that follows from the guest.
    pub(crate) fn new(side: Side) -> Self {
        // The start is there already.
        Self {
            side,
            events: 1,
            bytes: 0,
        }
    }

    /// Writes an event down, or compares it with the one recorded.
    pub(crate) fn event(&mut self, event: &Event) -> Result<u64, Halt> {
        self.count()?;
        let index = match &mut self.side {
            Side::Record(recorder) => recorder.push(event),
            Side::Replay(replay) => {
                let bytes = event.to_bytes();
                match replay.events.get(replay.next) {
                    Some(recorded) if *recorded == bytes => {
                        replay.next += 1;
                        replay.next as u64 - 1
                    }
                    recorded => return Err(diverged(replay.next, recorded, &bytes)),
                }
            }
        };
        self.weigh(event)?;
        Ok(index)
    }

    /// Keeps contents, named by their digest, beside the events.
    pub(crate) fn content(&mut self, contents: &[u8]) -> Result<Content, Halt> {
        self.bytes = self.bytes.saturating_add(contents.len());
        self.within_bytes()?;
        match &mut self.side {
            Side::Record(recorder) => Ok(recorder.recording.add_blob(contents)),
            Side::Replay(_) => Ok(Content::of(contents)),
        }
    }

    /// Counts an event by which a guest can fill a recording, after it was written or read: so a run and its replay end at the same one.
    /// Log lines have a limit of their own; what completes a call was seen to fit before it was delivered.
    fn weigh(&mut self, event: &Event) -> Result<(), Halt> {
        if matches!(
            event,
            Event::Denial { .. }
                | Event::DirectoryListed { .. }
                | Event::Environment { .. }
                | Event::FileOpened { .. }
                | Event::FileStatus { .. }
                | Event::Granted { .. }
                | Event::HttpRequest { .. }
        ) {
            self.bytes = self.bytes.saturating_add(event.to_bytes().len());
            return self.within_bytes();
        }
        Ok(())
    }

    /// Counts what a wait for so many calls may take in the recording.
    pub(crate) fn waits(&mut self, calls: usize) -> Result<(), Halt> {
        self.bytes = self.bytes.saturating_add(8 * calls);
        self.within_bytes()
    }

    fn within_bytes(&self) -> Result<(), Halt> {
        if self.bytes <= RECORDING_BYTES_MAX {
            return Ok(());
        }
        Err(Halt::Limit(format!(
            "the limit of {RECORDING_BYTES_MAX} recorded bytes is reached"
        )))
    }

    /// Whether contents from outside still fit. The outside is not the guest's fault, so what does not fit is refused, not the end of the run.
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        self.bytes.saturating_add(bytes) <= RECORDING_BYTES_MAX
    }

    /// Whether so many more events fit.
    pub(crate) fn has_room_for(&self, events: usize) -> bool {
        self.events.saturating_add(events as u64) <= EVENTS_MAX
    }

    /// Writes down what the outside caused, with its contents, which are hashed once.
    pub(crate) fn write(
        &mut self,
        contents: &[u8],
        event: impl FnOnce(Content) -> Event,
    ) -> Result<Content, Halt> {
        self.count()?;
        self.bytes = self.bytes.saturating_add(contents.len());
        let Side::Record(recorder) = &mut self.side else {
            unreachable!("only a run writes down what the outside caused")
        };
        let content = recorder.recording.add_blob(contents);
        let event = event(content);
        recorder.push(&event);
        self.weigh(&event)?;
        Ok(content)
    }

    /// Reads what the outside caused, if it is what the guest asks for, with its contents if there are any.
    pub(crate) fn read(
        &mut self,
        asked_for: &str,
        is_answer: impl FnOnce(&Event) -> bool,
    ) -> Result<(Event, Arc<[u8]>), Halt> {
        self.count()?;
        let Side::Replay(replay) = &mut self.side else {
            unreachable!("only a replay reads what the outside caused")
        };
        let event = replay.next_event(asked_for, is_answer)?;
        let contents = match event.contents().next() {
            Some(content) => replay.blob(content)?,
            None => Arc::default(),
        };
        self.bytes = self.bytes.saturating_add(contents.len());
        self.weigh(&event)?;
        Ok((event, contents))
    }

    /// In a replay, the recorded event that comes next.
    pub(crate) fn peek(&self) -> Option<Event> {
        match &self.side {
            Side::Replay(replay) => Event::parse(replay.events.get(replay.next)?).ok(),
            Side::Record(_) => None,
        }
    }

    /// The event that comes next is not what the replay does.
    pub(crate) fn diverged_at(&self, event: Option<&Event>, replayed: String) -> Halt {
        let next = match &self.side {
            Side::Replay(replay) => replay.next,
            Side::Record(_) => 0,
        };
        let bytes = event.map(Event::to_bytes);
        diverged(next, bytes.as_ref(), replayed.as_bytes())
    }

    /// The event just read is not what the guest waits for.
    pub(crate) fn diverged_before(&self, event: &Event, replayed: String) -> Halt {
        let read = match &self.side {
            Side::Replay(replay) => replay.next.saturating_sub(1),
            Side::Record(_) => 0,
        };
        let recorded = String::from_utf8_lossy(&event.to_bytes()).into_owned();
        Halt::Diverged {
            event: read as u64,
            recorded,
            replayed,
        }
    }

    fn count(&mut self) -> Result<(), Halt> {
        if self.events >= EVENTS_MAX {
            return Err(Halt::Limit(format!(
                "the limit of {EVENTS_MAX} recorded events is reached"
            )));
        }
        self.events += 1;
        Ok(())
    }
}

impl Replay {
    /// The next event, if it is an answer to what the guest asks.
    fn next_event(
        &mut self,
        asked_for: &str,
        is_answer: impl FnOnce(&Event) -> bool,
    ) -> Result<Event, Halt> {
        let recorded = self.events.get(self.next);
        match recorded.and_then(|bytes| Event::parse(bytes).ok()) {
            Some(event) if is_answer(&event) => {
                self.next += 1;
                Ok(event)
            }
            _ => Err(diverged(self.next, recorded, asked_for.as_bytes())),
        }
    }

    fn blob(&self, content: &Content) -> Result<Arc<[u8]>, Halt> {
        self.blobs
            .get(&content.sha256)
            .cloned()
            .ok_or(Halt::Withheld(content.sha256))
    }
}

fn diverged(index: usize, recorded: Option<&Vec<u8>>, replayed: &[u8]) -> Halt {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Halt::Diverged {
        event: index as u64,
        recorded: recorded
            .map_or_else(|| "the recording ends here".to_owned(), |bytes| text(bytes)),
        replayed: text(replayed),
    }
}
