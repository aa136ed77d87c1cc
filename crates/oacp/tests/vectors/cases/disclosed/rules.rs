//! The signer itself contradicts its own statement, and what is disclosed shows it.

use oacp::*;

use super::{completion, disclose};
use crate::cases::Cases;
use crate::fixture::{self, Case};

/// The fixture, altered so that it contradicts itself, of which these events are disclosed.
fn signed(events: &[u64], alter: impl FnOnce(&mut Case)) -> Vec<u8> {
    let mut case = Case::new();
    alter(&mut case);
    case.settle();
    let recording = Recording::from_events(fixture::salt_key(), case.events.clone());
    disclose(&case.bare().with_recording(recording), events).to_bytes()
}

fn denial_of(call: u64, capability: &str) -> Vec<u8> {
    let denial = Denial {
        capability: capability.to_owned(),
        ..Grant::none().deny_tool("HOME")
    };
    Event::Denial { call, denial }.to_bytes()
}

pub fn rules(cases: &mut Cases) {
    let mut own = |code: &str, name: &str, comment: &str, events: &[u64], alter: fn(&mut Case)| {
        let name = format!("disclosed_{name}");
        cases.refuse(code, &name, comment, signed(events, alter));
    };
    own(
        "event_malformed",
        "not_canonical",
        "a disclosed event with a space",
        &[5],
        |case| {
            case.events[5] = [b" ", case.events[5].as_slice()].concat();
        },
    );
    own(
        "event_malformed",
        "unknown_kind",
        "a disclosed event of an unknown kind",
        &[5],
        |case| {
            case.events[5] = br#"{"kind":"unheard_of"}"#.to_vec();
        },
    );
    own(
        "event_order",
        "start_missing",
        "event 0 is disclosed, and is not `start`",
        &[0],
        |case| {
            case.events.swap(0, 5);
        },
    );
    own(
        "event_order",
        "start_late",
        "a `start` is disclosed that is not event 0",
        &[5],
        |case| {
            case.events[5] = case.events[0].clone();
        },
    );
    own(
        "tool_calls_mismatch",
        "call_renamed",
        "the statement names another tool",
        &[2],
        |case| {
            case.statement.tool_calls[1].tool = "send_post".to_owned();
        },
    );
    own(
        "tool_calls_mismatch",
        "call_missing",
        "the statement leaves a call out",
        &[2],
        |case| {
            case.statement.tool_calls.pop();
        },
    );
    own(
        "tool_calls_mismatch",
        "call_of_nothing",
        "the statement has a call where a log line is",
        &[5],
        |case| {
            let call = ToolCall {
                event: 5,
                ..case.statement.tool_calls[1].clone()
            };
            case.statement.tool_calls.push(call);
        },
    );
    own(
        "tool_calls_mismatch",
        "call_outcome",
        "call and completion are disclosed, and the statement says another outcome",
        &[1, 6],
        |case| {
            case.statement.tool_calls[0].outcome = Some(CallOutcome::Error);
        },
    );
    own(
        "tool_calls_mismatch",
        "call_unfinished",
        "a completion is disclosed of a call that the statement leaves open",
        &[1, 6],
        |case| {
            case.statement.tool_calls[0].outcome = None;
        },
    );
    own(
        "tool_calls_mismatch",
        "call_denied",
        "a denial is disclosed of a call that the statement says ended well",
        &[2, 3],
        |case| {
            case.statement.tool_calls[1].outcome = Some(CallOutcome::Ok);
        },
    );
    own(
        "event_order",
        "number_twice",
        "two calls under one number",
        &[1, 2],
        |case| {
            case.events[2] = Event::ToolCall {
                call: 1,
                tool: "send_mail".to_owned(),
                arguments: Content::of(b"{}"),
            }
            .to_bytes();
        },
    );
    own(
        "event_order",
        "completion_first",
        "a call completed before it began",
        &[4, 5],
        |case| {
            case.events.swap(2, 5);
            case.statement.tool_calls[1].event = 5;
        },
    );
    own(
        "event_order",
        "completion_twice",
        "a call completed twice, its begin withheld",
        &[4, 6],
        |case| {
            case.events[6] = case.events[4].clone();
        },
    );
    own(
        "event_order",
        "denial_late",
        "a denial after its completion, the begin withheld",
        &[3, 4],
        |case| {
            case.events.swap(3, 4);
        },
    );
    own(
        "event_order",
        "denial_twice",
        "a call denied twice, its begin withheld",
        &[3, 5],
        |case| {
            case.events[5] = case.events[3].clone();
        },
    );
    own(
        "event_order",
        "denial_ignored",
        "a call that was denied and completes well",
        &[3, 4],
        |case| {
            case.events[4] = completion(2, CallOutcome::Ok);
        },
    );
    own(
        "event_order",
        "denial_of_network",
        "a call of a tool denied for the network's sake",
        &[2, 3],
        |case| {
            case.events[3] = denial_of(2, "network");
        },
    );
    own(
        "event_order",
        "variable_denial_of_call",
        "a variable denied under the number of a call",
        &[2, 3],
        |case| {
            case.events[3] = denial_of(2, "env");
        },
    );
    own(
        "event_order",
        "variable_completed",
        "a completion under the number of a denied variable",
        &[3, 4],
        |case| {
            case.events[3] = denial_of(2, "env");
        },
    );
    own(
        "event_order",
        "granted_late",
        "a call allowed after it was denied",
        &[3, 5],
        |case| {
            let Ok(Event::Denial { call, denial }) = Event::parse(&case.events[3]) else {
                panic!("event 3 is a denial")
            };
            let granted = Event::Granted {
                call,
                denial,
                scope: "run".to_owned(),
            };
            case.events[5] = granted.to_bytes();
        },
    );
    own(
        "event_order",
        "after_write_back",
        "a completion after a `write_back`",
        &[5, 6],
        |case| {
            case.events[5] = Event::WriteBack {
                path: "/desk/a".parse().unwrap(),
                change: Change::DirectoryCreated,
                content: None,
                before: None,
                result: Written::Done,
            }
            .to_bytes();
        },
    );
    own(
        "event_order",
        "all_denial_missing",
        "all are disclosed: a call completes as denied without a denial",
        &[0, 1, 2, 3, 4, 5],
        |case| {
            drop(case.events.remove(3));
        },
    );
    own(
        "tool_calls_mismatch",
        "all_completion_missing",
        "all are disclosed: a call that the statement says ended did not",
        &[0, 1, 2, 3, 4, 5],
        |case| {
            drop(case.events.pop());
        },
    );
}
