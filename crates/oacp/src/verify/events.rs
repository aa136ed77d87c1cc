//! The events of a bundle against the statement that commits to them.

use std::collections::BTreeMap;

use crate::capability::Denial;
use crate::event::{CallOutcome, Event};
use crate::outcome::Outcome;
use crate::recording::Recording;
use crate::refusal::Refusal;
use crate::statement::ExecutionStatement;

/// The recording's events, if they are those that the statement commits to and summarizes.
pub(super) fn checked_events(
    recording: &Recording,
    statement: &ExecutionStatement,
) -> Result<Vec<Event>, Refusal> {
    let claimed = statement.recording.ok_or(Refusal::RecordingNotCommitted)?;
    if recording.len() != claimed.events {
        return Err(Refusal::EventCount {
            found: recording.len(),
            claimed: claimed.events,
        });
    }
    if recording.root() != claimed.root {
        return Err(Refusal::RecordingRoot);
    }
    let parse =
        |(index, bytes)| Event::parse(bytes).map_err(|source| Refusal::Event { index, source });
    let events = (0..)
        .zip(recording.events())
        .map(parse)
        .collect::<Result<Vec<_>, _>>()?;
    check_whole(events.iter(), statement)?;
    Ok(events)
}

/// Whether all events of a recording can stand in this order, and are what the statement says.
pub(super) fn check_whole<'a>(
    events: impl Iterator<Item = &'a Event> + Clone,
    statement: &ExecutionStatement,
) -> Result<(), Refusal> {
    let calls = calls_of(events.clone())?;
    let said = statement.tool_calls.iter().map(|call| Call {
        event: call.event,
        tool: &call.tool,
        outcome: call.outcome,
    });
    if !said.clone().eq(calls.iter().copied()) {
        let index = said
            .zip(&calls)
            .take_while(|(said, call)| said == *call)
            .count();
        return Err(Refusal::ToolCallsMismatch { index });
    }
    let has_denial = events
        .clone()
        .any(|event| matches!(event, Event::Denial { .. }));
    if statement.outcome == Outcome::Denied && !has_denial {
        return Err(Refusal::OutcomeInconsistent);
    }
    Ok(())
}

/// A call as the events tell it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Call<'a> {
    /// The index of its `tool_call`.
    event: u64,
    tool: &'a str,
    outcome: Option<CallOutcome>,
}

/// Each call of a tool, in the order in which they were begun.
fn calls_of<'a>(events: impl Iterator<Item = &'a Event>) -> Result<Vec<Call<'a>>, Refusal> {
    let mut calls = Vec::new();
    let mut numbers = Numbers::default();
    let mut written_back = false;
    let mut events = (0..).zip(events).peekable();
    if events.peek().is_none() {
        return Err(Refusal::EventOrder {
            index: 0,
            rule: "a recording begins with `start`",
        });
    }
    for (index, event) in events {
        let refuse = |rule| Refusal::EventOrder { index, rule };
        match event {
            Event::Start { .. } if index != 0 => return Err(refuse("only event 0 is `start`")),
            Event::Start { .. } => {}
            _ if index == 0 => return Err(refuse("a recording begins with `start`")),
            Event::WriteBack { .. } => written_back = true,
            Event::Log { .. } => {}
            _ if written_back => {
                return Err(refuse("after a `write_back` come only others and `log`"));
            }
            Event::ToolCall { call, tool, .. } => {
                let of = Of::Tool {
                    position: calls.len(),
                };
                numbers.begin(*call, of).map_err(refuse)?;
                calls.push(Call {
                    event: index,
                    tool,
                    outcome: None,
                });
            }
            Event::HttpRequest { call, .. } => {
                numbers.begin(*call, Of::Http).map_err(refuse)?;
            }
            Event::Denial { call, denial } => numbers.deny(*call, denial).map_err(refuse)?,
            Event::Granted { call, denial, .. } => numbers.grant(*call, denial).map_err(refuse)?,
            Event::Completion { call, outcome, .. } => {
                let of = numbers.complete(*call, *outcome).map_err(refuse)?;
                if let Of::Tool { position } = of
                    && let Some(call) = calls.get_mut(position)
                {
                    call.outcome = Some(*outcome);
                }
            }
            Event::Deadline { .. }
            | Event::FileOpened { .. }
            | Event::FileStatus { .. }
            | Event::DirectoryListed { .. }
            | Event::Environment { .. } => {}
        }
    }
    Ok(calls)
}

/// The numbers that were given, with the call that is open under each; `None` once it is closed, or
/// where there never was a call. A number is given once.
#[derive(Default)]
struct Numbers(BTreeMap<u64, Option<Open>>);

struct Open {
    of: Of,
    granted: bool,
    denied: bool,
}

#[derive(Clone, Copy)]
enum Of {
    Tool { position: usize },
    Http,
}

impl Numbers {
    fn begin(&mut self, call: u64, of: Of) -> Result<(), &'static str> {
        let open = Open {
            of,
            granted: false,
            denied: false,
        };
        match self.0.insert(call, Some(open)) {
            None => Ok(()),
            Some(_) => Err("a call's number is given once"),
        }
    }

    fn deny(&mut self, call: u64, denial: &Denial) -> Result<(), &'static str> {
        let Some(open) = self.judged(call, denial)? else {
            return Ok(());
        };
        if open.denied {
            return Err("a call is denied once");
        }
        if open.granted && !denial.is_from_outside() {
            return Err("what was granted is denied only for an answer of the network's");
        }
        open.denied = true;
        Ok(())
    }

    fn grant(&mut self, call: u64, denial: &Denial) -> Result<(), &'static str> {
        let Some(open) = self.judged(call, denial)? else {
            return Ok(());
        };
        if open.granted || open.denied {
            return Err("`granted` is of a call that was neither granted nor denied before");
        }
        open.granted = true;
        Ok(())
    }

    /// The open call that a denial is of. `None`: it is of a file or a variable, and has taken its
    /// number.
    fn judged(&mut self, call: u64, denial: &Denial) -> Result<Option<&mut Open>, &'static str> {
        let capability = denial.capability.as_str();
        if matches!(capability, "file_read" | "file_write" | "env") {
            return match self.0.insert(call, None) {
                None => Ok(None),
                Some(_) => Err("a denial of a file or a variable has a number of its own"),
            };
        }
        let Some(Some(open)) = self.0.get_mut(&call) else {
            return Err("a denial is of a call that was begun and is not completed");
        };
        let fits = match open.of {
            Of::Tool { .. } => capability == "tool",
            Of::Http => matches!(capability, "network" | "secret"),
        };
        if !fits {
            return Err("a denial is of the kind of right that its call needs");
        }
        Ok(Some(open))
    }

    fn complete(&mut self, call: u64, outcome: CallOutcome) -> Result<Of, &'static str> {
        let Some(open) = self.0.get_mut(&call).and_then(Option::take) else {
            return Err("a completion is of a call that was begun, and comes once");
        };
        if open.denied != (outcome == CallOutcome::Denied) {
            return Err("a call completes as `denied` exactly after its denial");
        }
        Ok(open.of)
    }
}
