//! The events of a bundle against the statement that commits to them.

use std::collections::BTreeMap;

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
    let calls = calls_of(&events)?;

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
        .iter()
        .any(|event| matches!(event, Event::Denial { .. }));
    if statement.outcome == Outcome::Denied && !has_denial {
        return Err(Refusal::OutcomeInconsistent);
    }
    Ok(events)
}

/// A call as the events tell it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Call<'a> {
    /// The index of its `tool_call`.
    event: u64,
    tool: &'a str,
    outcome: Option<CallOutcome>,
}

/// Each call, in the order in which they were begun.
fn calls_of(events: &[Event]) -> Result<Vec<Call<'_>>, Refusal> {
    struct Open {
        position: usize,
        denied: bool,
    }
    let mut calls = Vec::new();
    // Those that were begun, `None` once they are completed: a number is given once.
    let mut open: BTreeMap<u64, Option<Open>> = BTreeMap::new();
    if events.is_empty() {
        return Err(Refusal::EventOrder {
            index: 0,
            rule: "a recording begins with `start`",
        });
    }
    for (index, event) in (0..).zip(events) {
        let refuse = |rule| Err(Refusal::EventOrder { index, rule });
        match event {
            Event::Start { .. } if index != 0 => return refuse("only event 0 is `start`"),
            Event::Start { .. } => {}
            _ if index == 0 => return refuse("a recording begins with `start`"),
            Event::ToolCall { call, tool, .. } => {
                let state = Open {
                    position: calls.len(),
                    denied: false,
                };
                if open.insert(*call, Some(state)).is_some() {
                    return refuse("a call's number is given once");
                }
                calls.push(Call {
                    event: index,
                    tool,
                    outcome: None,
                });
            }
            Event::Denial { call, .. } => match open.get_mut(call) {
                Some(Some(state)) if !state.denied => state.denied = true,
                _ => return refuse("a denial is of a call that was begun, and comes once"),
            },
            Event::Completion { call, outcome, .. } => {
                let Some(state) = open.get_mut(call).and_then(Option::take) else {
                    return refuse("a completion is of a call that was begun, and comes once");
                };
                if state.denied != (*outcome == CallOutcome::Denied) {
                    return refuse("a call completes as `denied` exactly after its denial");
                }
                if let Some(call) = calls.get_mut(state.position) {
                    call.outcome = Some(*outcome);
                }
            }
            Event::Deadline { .. } | Event::Log { .. } => {}
        }
    }
    Ok(calls)
}
