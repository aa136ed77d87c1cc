//! Disclosed events against the statement that commits to them: that each stands where it says, and
//! that none contradicts the statement or another one. What only the withheld ones would show is
//! not checked.

use std::collections::BTreeMap;

use super::events::check_whole;
use crate::capability::Denial;
use crate::disclosure::Disclosed;
use crate::event::{CallOutcome, Event};
use crate::refusal::Refusal;
use crate::statement::ExecutionStatement;

/// The events, by index, if they are some of those that the statement commits to.
pub(super) fn checked_disclosed(
    disclosed: &Disclosed,
    statement: &ExecutionStatement,
) -> Result<BTreeMap<u64, Event>, Refusal> {
    let claimed = statement.recording.ok_or(Refusal::RecordingNotCommitted)?;
    let mut events = BTreeMap::new();
    for (index, bytes, root) in disclosed.roots(claimed.events) {
        if index >= claimed.events {
            return Err(Refusal::DisclosedIndex {
                index,
                events: claimed.events,
            });
        }
        if root != Some(claimed.root) {
            return Err(Refusal::DisclosedPath { index });
        }
        let event = Event::parse(bytes).map_err(|source| Refusal::Event { index, source })?;
        events.insert(index, event);
    }
    if events.len() as u64 == claimed.events {
        check_whole(events.values(), statement)?;
    } else {
        check_some(&events, statement)?;
    }
    Ok(events)
}

fn check_some(
    events: &BTreeMap<u64, Event>,
    statement: &ExecutionStatement,
) -> Result<(), Refusal> {
    let mut numbers = Numbers {
        statement,
        seen: BTreeMap::new(),
    };
    let mut written_back = false;
    for (&index, event) in events {
        let place = |rule| Refusal::EventOrder { index, rule };
        let stated = statement
            .tool_calls
            .binary_search_by_key(&index, |call| call.event);
        match event {
            Event::ToolCall { tool, .. } => match stated {
                Ok(position)
                    if statement
                        .tool_calls
                        .get(position)
                        .is_some_and(|call| call.tool == *tool) => {}
                Ok(position) | Err(position) => {
                    return Err(Refusal::ToolCallsMismatch { index: position });
                }
            },
            _ => {
                if let Ok(position) = stated {
                    return Err(Refusal::ToolCallsMismatch { index: position });
                }
            }
        }
        match event {
            Event::Start { .. } if index != 0 => return Err(place("only event 0 is `start`")),
            Event::Start { .. } => {}
            _ if index == 0 => return Err(place("a recording begins with `start`")),
            Event::WriteBack { .. } => written_back = true,
            Event::Log { .. } => {}
            _ if written_back => {
                return Err(place("after a `write_back` come only others and `log`"));
            }
            Event::ToolCall { call, .. } => {
                let position = stated.unwrap_or_else(|position| position);
                numbers
                    .begin(*call, Of::Tool, Some(position))
                    .map_err(place)?;
            }
            Event::HttpRequest { call, .. } => {
                numbers.begin(*call, Of::Http, None).map_err(place)?;
            }
            Event::Denial { call, denial } => {
                numbers
                    .judge(*call, denial, Judged::Denied)
                    .map_err(place)?;
                numbers.compare(*call)?;
            }
            Event::Granted { call, denial, .. } => {
                numbers
                    .judge(*call, denial, Judged::Granted)
                    .map_err(place)?;
            }
            Event::Completion { call, outcome, .. } => {
                numbers.complete(*call, *outcome).map_err(place)?;
                numbers.compare(*call)?;
            }
            Event::Deadline { .. }
            | Event::FileOpened { .. }
            | Event::FileStatus { .. }
            | Event::DirectoryListed { .. }
            | Event::Environment { .. } => {}
        }
    }
    Ok(())
}

/// What the disclosed events tell of each call's number, in their order.
struct Numbers<'a> {
    statement: &'a ExecutionStatement,
    seen: BTreeMap<u64, Seen>,
}

#[derive(Default)]
struct Seen {
    /// `None`: its begin is withheld, and nothing else told.
    of: Option<Of>,
    /// Among the statement's calls; `None` if its begin is withheld, or it is no tool's.
    position: Option<usize>,
    granted: bool,
    denied: bool,
    completed: Option<CallOutcome>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Tool,
    Http,
    /// A file or a variable: a number that nothing else has.
    Alone,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Judged {
    Denied,
    Granted,
}

impl Numbers<'_> {
    fn begin(&mut self, call: u64, of: Of, position: Option<usize>) -> Result<(), &'static str> {
        let begun = Seen {
            of: Some(of),
            position,
            ..Seen::default()
        };
        // Whatever else has this number comes after its begin.
        match self.seen.insert(call, begun) {
            None => Ok(()),
            Some(_) => Err("a call's number is given once"),
        }
    }

    fn judge(&mut self, call: u64, denial: &Denial, judged: Judged) -> Result<(), &'static str> {
        let of = match denial.capability.as_str() {
            "tool" => Of::Tool,
            "network" | "secret" => Of::Http,
            "file_read" | "file_write" | "env" => Of::Alone,
            _ => return Err("a denial is of the kind of right that its call needs"),
        };
        let is_new = !self.seen.contains_key(&call);
        let seen = self.seen.entry(call).or_default();
        if of == Of::Alone && !is_new {
            return Err("a denial of a file or a variable has a number of its own");
        }
        if *seen.of.get_or_insert(of) != of {
            return Err("a denial is of the kind of right that its call needs");
        }
        if seen.completed.is_some() {
            return Err("a denial is of a call that was begun and is not completed");
        }
        match judged {
            Judged::Denied if seen.denied => return Err("a call is denied once"),
            Judged::Denied if seen.granted && !denial.is_from_outside() => {
                return Err("what was granted is denied only for an answer of the network's");
            }
            Judged::Denied => seen.denied = true,
            Judged::Granted if seen.granted || seen.denied => {
                return Err("`granted` is of a call that was neither granted nor denied before");
            }
            Judged::Granted => seen.granted = true,
        }
        Ok(())
    }

    fn complete(&mut self, call: u64, outcome: CallOutcome) -> Result<(), &'static str> {
        let seen = self.seen.entry(call).or_default();
        if seen.of == Some(Of::Alone) || seen.completed.is_some() {
            return Err("a completion is of a call that was begun, and comes once");
        }
        // The other way round the denial may be among what is withheld.
        if seen.denied && outcome != CallOutcome::Denied {
            return Err("a call completes as `denied` exactly after its denial");
        }
        seen.completed = Some(outcome);
        Ok(())
    }

    /// A tool call whose begin is disclosed, with what the statement says of its end.
    fn compare(&self, call: u64) -> Result<(), Refusal> {
        let Some(seen) = self.seen.get(&call) else {
            return Ok(());
        };
        let Some(index) = seen.position else {
            return Ok(());
        };
        let stated = self.statement.tool_calls.get(index);
        let stated = stated.and_then(|call| call.outcome);
        let fits = match seen.completed {
            Some(outcome) => stated == Some(outcome),
            // The run may have ended with the denial.
            None => !seen.denied || stated.is_none_or(|stated| stated == CallOutcome::Denied),
        };
        if fits {
            Ok(())
        } else {
            Err(Refusal::ToolCallsMismatch { index })
        }
    }
}
