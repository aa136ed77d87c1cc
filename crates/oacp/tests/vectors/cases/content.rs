//! Refused for events and contents.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oacp::*;
use serde_json::{Value, json};

use super::*;

pub fn recording(cases: &mut Cases) {
    let events = |alter: fn(&mut Vec<Value>)| {
        edited(|value| alter(value["recording"]["events"].as_array_mut().unwrap()))
    };
    cases.refuse(
        "recording_root",
        "events_swapped",
        "two events change places",
        events(|events| events.swap(1, 2)),
    );
    cases.refuse(
        "event_count",
        "event_missing",
        "the last event is missing",
        events(|events| drop(events.pop())),
    );
    cases.refuse(
        "event_count",
        "event_extra",
        "the last event twice",
        events(|events| events.push(events[6].clone())),
    );
    cases.refuse(
        "event_count",
        "events_none",
        "no events",
        events(Vec::clear),
    );
    let altered = events(|events| {
        events[5] = json!(events[5].as_str().unwrap().replace("no mail", "my mail"))
    });
    cases.refuse(
        "recording_root",
        "event_altered",
        "a log line altered",
        altered,
    );
    let respelled = events(|events| events[5] = json!(format!(" {}", events[5].as_str().unwrap())));
    cases.refuse(
        "recording_root",
        "event_respelled",
        "a space before an event",
        respelled,
    );
    let object =
        events(|events| events[5] = serde_json::from_str(events[5].as_str().unwrap()).unwrap());
    cases.refuse(
        "json_shape",
        "event_object",
        "an event as an object instead of its bytes",
        object,
    );
    let salt = edited(|value| value["recording"]["salt_key"] = json!(STANDARD.encode([9; 32])));
    cases.refuse("recording_root", "salt_key", "another salt key", salt);
    let swapped = {
        let mut other = Case::new();
        other.events[5] = Event::Log {
            level: LogLevel::Info,
            message: "another".to_owned(),
        }
        .to_bytes();
        Case::new()
            .bare()
            .with_recording(other.recording())
            .to_bytes()
    };
    cases.refuse(
        "recording_root",
        "recording_swapped",
        "another run's recording",
        swapped,
    );
    let uncommitted = signed(|case| {
        case.statement.level = Level::Basic;
        case.statement.recording = None;
        case.statement.reexecutable = Reexecutable::No {
            reason: "not recorded".to_owned(),
        };
    });
    cases.refuse(
        "recording_not_committed",
        "recording_uncommitted",
        "a recording that the statement does not name",
        uncommitted,
    );

    // From here on the root is that of the events: the signer itself contradicts its own statement.
    let mut own = |code: &str, name: &str, comment: &str, alter: fn(&mut Case)| {
        let bytes = signed(|case| {
            alter(case);
            case.settle();
        });
        cases.refuse(code, name, comment, bytes);
    };
    own(
        "event_malformed",
        "event_not_canonical",
        "an event with a space",
        |case| {
            case.events[5] = [b" ", case.events[5].as_slice()].concat();
        },
    );
    own(
        "event_malformed",
        "event_field_order",
        "an event whose fields are in another order",
        |case| {
            case.events[5] = br#"{"level":"info","kind":"log","message":""}"#.to_vec();
        },
    );
    own(
        "event_malformed",
        "event_unknown_kind",
        "an event of an unknown kind",
        |case| {
            case.events[5] = br#"{"kind":"unheard_of"}"#.to_vec();
        },
    );
    own(
        "event_malformed",
        "event_unknown_field",
        "an event with an unknown field",
        |case| {
            case.events[5] = br#"{"kind":"log","level":"info","message":"","more":1}"#.to_vec();
        },
    );
    own(
        "event_malformed",
        "event_duplicate_key",
        "an event with a key twice",
        |case| {
            case.events[5] = br#"{"kind":"log","level":"info","message":"","message":""}"#.to_vec();
        },
    );
    own("event_order", "start_missing", "no event 0", |case| {
        drop(case.events.remove(0))
    });
    own("event_order", "start_twice", "event 0 again", |case| {
        case.events.push(case.events[0].clone())
    });
    own(
        "event_order",
        "call_twice",
        "a call begun twice under one number",
        |case| case.events.push(case.events[1].clone()),
    );
    own(
        "event_order",
        "completion_twice",
        "a call completed twice",
        |case| case.events.push(case.events[6].clone()),
    );
    own(
        "event_order",
        "completion_first",
        "a call completed before it began",
        |case| case.events.swap(1, 6),
    );
    own(
        "event_order",
        "denial_late",
        "a denial after its completion",
        |case| case.events.swap(3, 4),
    );
    own(
        "event_order",
        "denial_missing",
        "a call that completes as denied without a denial",
        |case| drop(case.events.remove(3)),
    );
    own(
        "event_order",
        "denial_ignored",
        "a call that was denied and completes well",
        |case| {
            let result = Content::of(b"{}");
            let event = Event::Completion {
                call: 2,
                outcome: CallOutcome::Ok,
                result,
                clock_advance_ns: 0,
            };
            case.events[4] = event.to_bytes();
        },
    );
    own(
        "tool_calls_mismatch",
        "tool_call_missing",
        "the statement leaves a call out",
        |case| {
            case.statement.tool_calls.pop();
        },
    );
    own(
        "tool_calls_mismatch",
        "tool_call_extra",
        "the statement names a call that is no event",
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
        "tool_call_renamed",
        "the statement names another tool",
        |case| {
            case.statement.tool_calls[1].tool = "send_post".to_owned();
        },
    );
    own(
        "tool_calls_mismatch",
        "tool_call_outcome",
        "the statement says that a denied call ended well",
        |case| {
            case.statement.tool_calls[1].outcome = Some(CallOutcome::Ok);
        },
    );
    own(
        "tool_calls_mismatch",
        "tool_call_swapped",
        "the statement names the calls in another order",
        |case| {
            case.statement.tool_calls.swap(0, 1);
        },
    );
    let beyond = signed_bare(|case| case.statement.tool_calls[1].event = 7);
    cases.refuse(
        "tool_calls_mismatch",
        "tool_call_beyond",
        "a call at an event that there is not",
        beyond,
    );
}

pub fn contents(cases: &mut Cases) {
    let altered = edited(|value| {
        value["blobs"][Digest::of(fixture::OUTPUT).to_string()] = json!(STANDARD.encode(b"other"))
    });
    cases.refuse("blob_altered", "blob_altered", "an output altered", altered);
    let drop_blob = |bytes: &'static [u8]| {
        edited(move |value| {
            drop(
                value["blobs"]
                    .as_object_mut()
                    .unwrap()
                    .remove(&Digest::of(bytes).to_string()),
            )
        })
    };
    cases.refuse(
        "blob_missing",
        "output_missing",
        "the output is declared and missing",
        drop_blob(fixture::OUTPUT),
    );
    cases.refuse(
        "blob_missing",
        "input_missing",
        "the input is declared and missing",
        drop_blob(fixture::INPUT),
    );
    cases.refuse(
        "blob_missing",
        "tool_content_missing",
        "a tool's result is missing",
        drop_blob(br#"{"cloud":0}"#),
    );
    cases.refuse(
        "blob_missing",
        "source_missing",
        "the source's content is missing",
        drop_blob(b"def run(input): ...\n"),
    );
    let extra = Case::new()
        .bundle()
        .with_runtime(*b"another runtime")
        .to_bytes();
    cases.refuse(
        "blob_unreferenced",
        "blob_unreferenced",
        "a blob that nothing names",
        extra,
    );
    let swapped = {
        let case = Case::new();
        case.bare().with_input(*b"another input").to_bytes()
    };
    cases.refuse(
        "blob_missing",
        "input_swapped",
        "another input than was signed",
        swapped,
    );
    let undeclared = edited(|value| drop(value["private"].as_array_mut().unwrap().remove(2)));
    cases.refuse(
        "blob_unreferenced",
        "input_undeclared",
        "the input is inside, and not declared",
        undeclared,
    );
    let undeclared = edited(|value| drop(value["private"].as_array_mut().unwrap().remove(1)));
    cases.refuse(
        "private_mismatch",
        "events_undeclared",
        "the events are inside, and not declared",
        undeclared,
    );
    let undeclared = edited(|value| drop(value["private"].as_array_mut().unwrap().remove(4)));
    cases.refuse(
        "private_mismatch",
        "source_undeclared",
        "the source is inside, and not declared",
        undeclared,
    );
    let undeclared = edited(|value| drop(value["private"].as_array_mut().unwrap().remove(0)));
    cases.refuse(
        "blob_unreferenced",
        "contents_undeclared",
        "contents of calls are inside, and not declared",
        undeclared,
    );
    let overdeclared = {
        let mut value: Value = serde_json::from_slice(&Case::new().bare().to_bytes()).unwrap();
        value["private"] = json!(["events"]);
        text(value)
    };
    cases.refuse(
        "private_mismatch",
        "events_overdeclared",
        "events are declared, and there are none",
        overdeclared,
    );
    let unknown = edited(|value| value["private"].as_array_mut().unwrap().push(json!("zeal")));
    cases.refuse(
        "json_shape",
        "private_unknown",
        "private content of an unknown kind",
        unknown,
    );
    let size = signed(|case| {
        let arguments = Content {
            size: 3,
            ..Content::of(b"{}")
        };
        case.events[2] = Event::ToolCall {
            call: 2,
            tool: "send_mail".to_owned(),
            arguments,
        }
        .to_bytes();
        case.settle();
    });
    cases.refuse(
        "blob_size",
        "blob_size",
        "a content of another size than its event says",
        size,
    );
    let other_source = || {
        Source::single(
            "main.py".parse().unwrap(),
            b"def run(input): return 1\n".to_vec(),
        )
        .unwrap()
    };
    let swapped = Case::new().bare().with_source(other_source()).to_bytes();
    cases.refuse(
        "source_mismatch",
        "source_swapped",
        "another source than was signed",
        swapped,
    );
    let renamed = edited(|value| {
        let digest = value["source"]["files"]["main.py"].clone();
        value["source"] = json!({ "entry": "other.py", "files": { "other.py": digest } });
    });
    cases.refuse(
        "entry_mismatch",
        "source_renamed",
        "the single file has another name than was signed",
        renamed,
    );
    let component = {
        let mut case = Case::new();
        case.statement.agent_entry = None;
        case.bundle().to_bytes()
    };
    cases.refuse(
        "entry_mismatch",
        "source_for_component",
        "a source, where a component was signed",
        component,
    );
    let other = {
        let mut case = Case::new();
        case.statement.agent_hash = Digest::of(b"component");
        case.statement.agent_entry = None;
        case.bare()
            .with_component(Blob::of(*b"component"))
            .to_bytes()
    };
    cases.refuse(
        "component_mismatch",
        "component_swapped",
        "an agent that is a component, and another component that ran",
        other,
    );
}
