//! Single events that are disclosed: accepted, and refused.

mod rules;

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oacp::*;
use serde_json::{Value, json};

use super::*;

pub use rules::rules;

/// The fixture with these events, and the contents that they name.
fn shown(events: &[u64]) -> Vec<u8> {
    disclose(&Case::new().bundle(), events).to_bytes()
}

fn disclose(bundle: &Bundle, events: &[u64]) -> Bundle {
    bundle.disclose(&events.iter().copied().collect()).unwrap()
}

/// [`shown`], whose list of disclosed events is altered.
fn altered(events: &[u64], alter: impl FnOnce(&mut Vec<Value>)) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(&shown(events)).unwrap();
    alter(value["disclosed"]["events"].as_array_mut().unwrap());
    text(value)
}

/// [`shown`], whose JSON is altered.
fn edited(events: &[u64], alter: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(&shown(events)).unwrap();
    alter(&mut value);
    text(value)
}

fn completion(call: u64, outcome: CallOutcome) -> Vec<u8> {
    let event = Event::Completion {
        call,
        outcome,
        result: Content::of(b"{}"),
        clock_advance_ns: 0,
    };
    event.to_bytes()
}

pub fn accepted(cases: &mut Cases) {
    cases.accept(
        "disclosed_one",
        "a log line of seven events, and nothing else",
        shown(&[5]),
    );
    cases.accept(
        "disclosed_calls",
        "a call and its result, with their contents; six is the last of an odd row",
        shown(&[1, 6]),
    );
    cases.accept(
        "disclosed_start",
        "event 0, which holds the seed",
        shown(&[0]),
    );
    cases.accept(
        "disclosed_all",
        "every event, and not the recording",
        shown(&[0, 1, 2, 3, 4, 5, 6]),
    );
    let without_contents = {
        let events = BTreeSet::from([1, 3]);
        let kept = BTreeSet::from([Private::Input, Private::Output, Private::Source]);
        Case::new()
            .bundle()
            .disclose_with(&events, &kept)
            .unwrap()
            .to_bytes()
    };
    cases.accept(
        "disclosed_beside_contents",
        "two events without their contents, and input, output and source",
        without_contents,
    );
    let only_event = {
        let mut case = Case::new();
        case.events.truncate(1);
        case.statement.tool_calls.clear();
        case.settle();
        disclose(
            &case.bare().with_recording(Recording::from_events(
                fixture::salt_key(),
                case.events.clone(),
            )),
            &[0],
        )
        .to_bytes()
    };
    cases.accept(
        "disclosed_only_event",
        "the only event of a recording: its path is empty",
        only_event,
    );
}

pub fn paths(cases: &mut Cases) {
    let mut path = |name: &str, comment: &str, alter: fn(&mut Vec<Value>)| {
        cases.refuse("disclosed_path", name, comment, altered(&[1, 2, 6], alter));
    };
    path("disclosed_altered", "an event altered", |events| {
        let event = events[0]["event"]
            .as_str()
            .unwrap()
            .replace("weather", "whether");
        events[0]["event"] = json!(event);
    });
    path("disclosed_respelled", "a space before an event", |events| {
        events[0]["event"] = json!(format!(" {}", events[0]["event"].as_str().unwrap()));
    });
    path("disclosed_salt", "another salt", |events| {
        events[0]["salt"] = json!(STANDARD.encode([9; 32]));
    });
    path(
        "disclosed_salts_swapped",
        "two salts change places",
        |events| {
            let salt = events[0]["salt"].take();
            events[0]["salt"] = events[1]["salt"].take();
            events[1]["salt"] = salt;
        },
    );
    path(
        "disclosed_path_of_another",
        "the path of another event",
        |events| {
            events[0]["path"] = events[1]["path"].clone();
        },
    );
    path(
        "disclosed_path_altered",
        "a hash of a path altered",
        |events| {
            events[0]["path"][2] = json!(STANDARD.encode([9; 32]));
        },
    );
    path(
        "disclosed_path_order",
        "two hashes of a path change places",
        |events| {
            events[0]["path"].as_array_mut().unwrap().swap(0, 1);
        },
    );
    path(
        "disclosed_path_short",
        "the last hash of a path is missing",
        |events| {
            events[0]["path"].as_array_mut().unwrap().pop();
        },
    );
    path(
        "disclosed_path_long",
        "a path with one hash more",
        |events| {
            let path = events[0]["path"].as_array_mut().unwrap();
            path.push(path[2].clone());
        },
    );
    path("disclosed_path_none", "an event without a path", |events| {
        events[0]["path"] = json!([]);
    });
    path(
        "disclosed_moved",
        "an event under the index of another",
        |events| {
            events[0]["index"] = json!(0);
        },
    );
    path(
        "disclosed_events_swapped",
        "two events change places, with their salts and paths",
        |events| {
            events[0]["index"] = json!(2);
            events[1]["index"] = json!(1);
            events.swap(0, 1);
        },
    );
    // A hash of the row above, passed off as an event's: the two have other prefixes.
    path(
        "disclosed_node_as_leaf",
        "the last hash of a path as an event",
        |events| {
            let path = events[0]["path"].as_array_mut().unwrap();
            let hash = path.remove(0);
            events[0]["salt"] = hash;
        },
    );

    let beyond = altered(&[1, 6], |events| events[1]["index"] = json!(7));
    cases.refuse(
        "disclosed_index",
        "disclosed_beyond",
        "an event behind the last one",
        beyond,
    );
    let long = altered(&[1], |events| {
        events[0]["path"] = json!(vec![STANDARD.encode([9; 32]); 21]);
    });
    cases.refuse(
        "too_many",
        "disclosed_path_too_long",
        "a path of 21 hashes: no recording is so high",
        long,
    );
    for (name, comment, alter) in [
        (
            "disclosed_twice",
            "an event twice",
            (|events| events.push(events[1].clone())) as fn(&mut Vec<Value>),
        ),
        (
            "disclosed_unsorted",
            "two events in the other order",
            |events| events.swap(0, 1),
        ),
        ("disclosed_none", "a list without an event", Vec::clear),
    ] {
        cases.refuse("disclosed_order", name, comment, altered(&[1, 6], alter));
    }
    let short = altered(&[1], |events| {
        events[0]["salt"] = json!(STANDARD.encode([9; 31]))
    });
    cases.refuse(
        "base64",
        "disclosed_salt_short",
        "a salt of 31 bytes",
        short,
    );
    let unpadded = altered(&[1], |events| {
        let hash = events[0]["path"][0].as_str().unwrap().replace('=', "");
        events[0]["path"][0] = json!(hash);
    });
    cases.refuse(
        "base64",
        "disclosed_path_unpadded",
        "a hash without its padding",
        unpadded,
    );
    for (name, comment, field) in [
        (
            "disclosed_field",
            "an unknown field of a disclosed event",
            "more",
        ),
        (
            "disclosed_salt_key",
            "a disclosed event with the key of all salts",
            "salt_key",
        ),
    ] {
        let more = altered(&[1], |events| {
            events[0][field] = json!(STANDARD.encode([3; 32]))
        });
        cases.refuse("json_shape", name, comment, more);
    }
    let negative = altered(&[1], |events| events[0]["index"] = json!(-1));
    cases.refuse(
        "json_shape",
        "disclosed_negative",
        "an index below 0",
        negative,
    );
    let missing = altered(&[1], |events| {
        drop(events[0].as_object_mut().unwrap().remove("salt"))
    });
    cases.refuse(
        "json_shape",
        "disclosed_without_salt",
        "an event without its salt",
        missing,
    );
}

pub fn contents(cases: &mut Cases) {
    let beside = edited(&[1], |value| {
        let whole: Value = serde_json::from_slice(&whole()).unwrap();
        value["recording"] = whole["recording"].clone();
    });
    cases.refuse(
        "disclosed_beside_recording",
        "disclosed_beside_recording",
        "a recording, and one of its events again",
        beside,
    );
    let undeclared = edited(&[5], |value| value["private"] = json!([]));
    cases.refuse(
        "private_mismatch",
        "disclosed_undeclared",
        "an event is disclosed, and not declared",
        undeclared,
    );
    let as_events = edited(&[5], |value| value["private"] = json!(["events"]));
    cases.refuse(
        "private_mismatch",
        "disclosed_as_events",
        "one event, declared as all of them",
        as_events,
    );
    let overdeclared = edited(&[5], |value| {
        drop(value.as_object_mut().unwrap().remove("disclosed"))
    });
    cases.refuse(
        "private_mismatch",
        "disclosed_overdeclared",
        "disclosed events are declared, and there are none",
        overdeclared,
    );
    let no_contents = edited(&[5], |value| {
        value["private"] = json!(["contents", "disclosed"])
    });
    cases.refuse(
        "private_mismatch",
        "disclosed_contents_overdeclared",
        "contents are declared, and the disclosed event names none",
        no_contents,
    );
    let extra = edited(&[1], |value| {
        value["blobs"][Digest::of(b"{}").to_string()] = json!(STANDARD.encode(b"{}"));
    });
    cases.refuse(
        "blob_unreferenced",
        "disclosed_blob_extra",
        "the content of a withheld event",
        extra,
    );
    let missing = edited(&[1], |value| {
        drop(value.as_object_mut().unwrap().remove("blobs"))
    });
    cases.refuse(
        "blob_missing",
        "disclosed_blob_missing",
        "contents are declared, and that of a disclosed event is missing",
        missing,
    );
    let size = {
        let mut case = Case::new();
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
        disclose(&case.bundle(), &[2]).to_bytes()
    };
    cases.refuse(
        "blob_size",
        "disclosed_blob_size",
        "a content of another size than its disclosed event says",
        size,
    );
    let uncommitted = {
        let mut value: Value = serde_json::from_slice(&shown(&[5])).unwrap();
        let basic: Value = serde_json::from_slice(&signed_bare(|case| {
            case.statement.level = Level::Basic;
            case.statement.recording = None;
            case.statement.reexecutable = Reexecutable::No {
                reason: "not recorded".to_owned(),
            };
        }))
        .unwrap();
        value["envelope"] = basic["envelope"].clone();
        text(value)
    };
    cases.refuse(
        "recording_not_committed",
        "disclosed_uncommitted",
        "an event, and the statement commits to no recording",
        uncommitted,
    );
    let swapped = {
        let mut value: Value = serde_json::from_slice(&shown(&[5])).unwrap();
        let mut case = Case::new();
        case.events[6] = completion(1, CallOutcome::Ok);
        case.settle();
        let other: Value = serde_json::from_slice(&case.bare().to_bytes()).unwrap();
        value["envelope"] = other["envelope"].clone();
        text(value)
    };
    cases.refuse(
        "disclosed_path",
        "disclosed_of_another_run",
        "an event of another run",
        swapped,
    );
}
