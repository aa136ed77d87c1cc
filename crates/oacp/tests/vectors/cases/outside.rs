//! A run that reads and writes files, sends requests and reads its environment; and what its events
//! cannot say.

use oacp::event::{Change, Found, Written};
use oacp::*;
use serde_json::{Value, json};

use super::*;

/// The events of [`outside`], by what they are.
const TOOL: usize = 1;
const STATUS: usize = 4;
const FILE_DENIED: usize = 6;
const GRANTED: usize = 8;
const REQUEST: usize = 9;
const REQUEST_DONE: usize = 10;
const REQUEST_DENIED: usize = 12;
const TOOL_DONE: usize = 16;
const WRITE: usize = 17;
const LAST: usize = 21;

fn path(text: &str) -> GuestPath {
    text.parse().unwrap()
}

/// The fixture with another run, which touched everything outside of it once.
fn outside() -> Case {
    let mut case = Case::new();
    let capabilities: Capabilities = serde_json::from_value(json!({
        "tools": ["get_weather"],
        "file_read": ["/desk/in/*.csv", "/desk/data/"],
        "file_write": ["/desk/out/"],
        "network": { "allowlist": ["api.example", { "host": "localhost:8080", "private": true }], "denylist": ["10.0.0.0/8"] },
        "env": ["APP_*", "LANG"],
        "secrets": [{ "name": "API_KEY", "host": "api.example", "header": "authorization", "prefix": "Bearer " }],
    }))
    .unwrap();
    // Asked for more than is allowed, so that a ceiling is part of the grant.
    let asked = Capabilities {
        file_read: capabilities
            .file_read
            .iter()
            .cloned()
            .chain(["/desk/in/a*".parse().unwrap()])
            .collect(),
        ..capabilities.clone()
    };
    let grant = Grant::attenuate(&asked, &capabilities);
    assert_eq!(grant.capabilities().within.len(), 1);
    case.statement.grant = GrantClaim::from(&grant);

    case.contents.clear();
    let mut content = |bytes: &[u8]| {
        case.contents.push(bytes.to_vec());
        Content::of(bytes)
    };
    let target = Target::parse("https://api.example/v1?q=1").unwrap();
    let file_denial = grant.allows_read(&path("/etc/passwd")).unwrap_err();
    let env_denial = grant.allows_env("HOME").unwrap_err();
    let granted = grant.allows_write(&path("/desk/report.txt")).unwrap_err();
    let address_denial = grant
        .allows_address(&target, "10.0.0.1".parse().unwrap())
        .unwrap_err();
    let denied = serde_json::to_vec(&address_denial).unwrap();
    let request = |call, headers: Content, body: Content| Event::HttpRequest {
        call,
        method: "POST".to_owned(),
        url: target.to_string(),
        headers,
        body,
    };
    let response = http::Response {
        status: 200,
        reason: "OK".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: b"{}".to_vec(),
    };
    let events = [
        Event::Start {
            seed: Seed::from_bytes([4; 32]),
            clock_start_ms: fixture::NOW_MS as u64,
            working_directory: path("/desk"),
        },
        Event::ToolCall {
            call: 1,
            tool: "get_weather".to_owned(),
            arguments: content(b"{}"),
        },
        Event::Environment {
            variables: content(br#"{"APP_PORT":"80","LANG":"C"}"#),
        },
        Event::DirectoryListed {
            path: path("/desk/in"),
            entries: content(br#"[["a.csv","file"]]"#),
        },
        Event::FileStatus {
            path: path("/desk/in/a.csv"),
            found: Found::File,
            size: 4,
        },
        Event::FileOpened {
            path: path("/desk/in/a.csv"),
            content: content(b"1,2\n"),
        },
        Event::Denial {
            call: 2,
            denial: file_denial,
        },
        Event::Denial {
            call: 3,
            denial: env_denial,
        },
        Event::Granted {
            call: 4,
            denial: granted,
            scope: "run".to_owned(),
        },
        request(5, content(br#"[["accept","*/*"]]"#), content(b"")),
        Event::Completion {
            call: 5,
            outcome: CallOutcome::Ok,
            result: content(&response.to_bytes()),
            clock_advance_ns: 7,
        },
        request(6, content(b"[]"), content(b"")),
        Event::Denial {
            call: 6,
            denial: address_denial,
        },
        Event::Log {
            level: LogLevel::Info,
            message: "on".to_owned(),
        },
        Event::Completion {
            call: 6,
            outcome: CallOutcome::Denied,
            result: content(&denied),
            clock_advance_ns: 0,
        },
        Event::Deadline {
            calls: vec![1],
            clock_advance_ns: 5,
        },
        Event::Completion {
            call: 1,
            outcome: CallOutcome::Ok,
            result: content(b"1"),
            clock_advance_ns: 1,
        },
        Event::WriteBack {
            path: path("/desk/out"),
            change: Change::DirectoryCreated,
            content: None,
            before: None,
            result: Written::Done,
        },
        Event::WriteBack {
            path: path("/desk/out/b.csv"),
            change: Change::Created,
            content: Some(content(b"3\n")),
            before: None,
            result: Written::Done,
        },
        Event::Log {
            level: LogLevel::Warning,
            message: "somebody else wrote it".to_owned(),
        },
        Event::WriteBack {
            path: path("/desk/out/c.csv"),
            change: Change::Replaced,
            content: Some(content(b"4\n")),
            before: Some(Digest::of(b"3\n")),
            result: Written::Conflict,
        },
        Event::WriteBack {
            path: path("/desk/out/d.csv"),
            change: Change::Removed,
            content: None,
            before: Some(Digest::of(b"5\n")),
            result: Written::NotDone,
        },
    ];
    case.events = events.iter().map(Event::to_bytes).collect();
    case.statement.tool_calls.truncate(1);
    case.settle();
    case
}

/// That run, altered before it is signed.
fn altered(alter: impl FnOnce(&mut Case)) -> Case {
    let mut case = outside();
    alter(&mut case);
    case.settle();
    case
}

pub fn accepted(cases: &mut Cases) {
    cases.accept(
        "outside",
        "files, requests, variables, denials and what was written back",
        outside().bundle().to_bytes(),
    );
    let without = {
        let case = outside();
        let recording = Recording::from_events(fixture::salt_key(), case.events.clone());
        case.bare().with_recording(recording).to_bytes()
    };
    cases.accept(
        "outside_without_contents",
        "the same, the contents withheld",
        without,
    );
    let last = altered(|case| {
        // A request that nobody answered before the run ended.
        case.events.remove(REQUEST_DONE);
        case.contents.remove(6);
        case.statement.tool_calls[0].event = 1;
    });
    cases.accept(
        "request_unfinished",
        "the run ended before a request did",
        last.bundle().to_bytes(),
    );
    let network = altered(|case| {
        let granted = Event::Granted {
            call: 6,
            denial: Grant::none()
                .allows_target(&Target::parse("https://api.example/").unwrap())
                .unwrap_err(),
            scope: "run".to_owned(),
        };
        case.events.insert(REQUEST_DENIED, granted.to_bytes());
    });
    cases.accept(
        "granted_then_denied_outside",
        "a request that somebody allowed, and whose address is denied",
        network.bundle().to_bytes(),
    );
    let ended = altered(|case| {
        case.events.truncate(FILE_DENIED + 1);
        case.contents.truncate(4);
        case.statement.tool_calls[0].outcome = None;
        case.statement.outcome = Outcome::Denied;
    });
    cases.accept(
        "ended_by_file_denial",
        "a run that ended by the denial of a file",
        ended.bundle().to_bytes(),
    );
}

pub fn order(cases: &mut Cases) {
    let mut own = |name: &str, comment: &str, alter: fn(&mut Case)| {
        cases.refuse(
            "event_order",
            name,
            comment,
            altered(alter).bundle().to_bytes(),
        );
    };
    own(
        "http_call_twice",
        "a request under a tool call's number",
        |case| {
            let text = String::from_utf8(case.events[REQUEST].clone()).unwrap();
            case.events[REQUEST] = text.replace("\"call\":5", "\"call\":1").into_bytes();
        },
    );
    own(
        "http_completion_twice",
        "a request answered twice",
        |case| {
            case.events
                .insert(REQUEST_DONE, case.events[REQUEST_DONE].clone());
        },
    );
    own(
        "http_denial_missing",
        "a request that completes as denied without a denial",
        |case| {
            case.events.remove(REQUEST_DENIED);
        },
    );
    own(
        "http_denial_ignored",
        "a request that was denied and completes well",
        |case| {
            let done = Event::Completion {
                call: 6,
                outcome: CallOutcome::Ok,
                result: Content::of(b""),
                clock_advance_ns: 0,
            };
            case.events[REQUEST_DENIED + 2] = done.to_bytes();
        },
    );
    own("http_denial_twice", "a request denied twice", |case| {
        case.events
            .insert(REQUEST_DENIED, case.events[REQUEST_DENIED].clone());
    });
    own(
        "http_denial_of_tool",
        "a request denied as a tool",
        |case| {
            let denial = Grant::none().deny_tool("get_weather");
            case.events[REQUEST_DENIED] = Event::Denial { call: 6, denial }.to_bytes();
        },
    );
    own(
        "tool_denial_of_network",
        "a tool call denied as a request",
        |case| {
            let text = String::from_utf8(case.events[REQUEST_DENIED].clone()).unwrap();
            case.events[REQUEST_DENIED] = text.replace("\"call\":6", "\"call\":1").into_bytes();
        },
    );
    own(
        "network_denial_of_nothing",
        "a host denied under a number of no request",
        |case| {
            let text = String::from_utf8(case.events[REQUEST_DENIED].clone()).unwrap();
            case.events.insert(
                REQUEST_DENIED,
                text.replace("\"call\":6", "\"call\":9").into_bytes(),
            );
        },
    );
    own(
        "file_denial_of_call",
        "a file denied under a call's number",
        |case| {
            let text = String::from_utf8(case.events[FILE_DENIED].clone()).unwrap();
            case.events[FILE_DENIED] = text.replace("\"call\":2", "\"call\":1").into_bytes();
        },
    );
    own(
        "file_denial_twice",
        "two files denied under one number",
        |case| {
            case.events
                .insert(FILE_DENIED, case.events[FILE_DENIED].clone());
        },
    );
    own(
        "file_denial_then_call",
        "a request under the number of a file's denial",
        |case| {
            let text = String::from_utf8(case.events[REQUEST].clone()).unwrap();
            case.events[REQUEST] = text.replace("\"call\":5", "\"call\":2").into_bytes();
        },
    );
    own(
        "file_denial_completed",
        "the denial of a file completed like a call",
        |case| {
            let done = Event::Completion {
                call: 2,
                outcome: CallOutcome::Denied,
                result: Content::of(b""),
                clock_advance_ns: 0,
            };
            case.events.insert(FILE_DENIED + 1, done.to_bytes());
        },
    );
    own(
        "granted_twice",
        "one file granted twice under one number",
        |case| {
            case.events.insert(GRANTED, case.events[GRANTED].clone());
        },
    );
    own(
        "granted_and_denied",
        "a file granted, and denied under the same number",
        |case| {
            let text = String::from_utf8(case.events[FILE_DENIED].clone()).unwrap();
            case.events[FILE_DENIED] = text.replace("\"call\":2", "\"call\":4").into_bytes();
        },
    );
    own(
        "granted_then_denied",
        "a tool call that somebody allowed, and that is denied then",
        |case| {
            let denial = Grant::none().deny_tool("get_weather");
            let granted = Event::Granted {
                call: 1,
                denial: denial.clone(),
                scope: "run".to_owned(),
            };
            case.events.insert(TOOL + 1, granted.to_bytes());
            case.events
                .insert(TOOL + 2, Event::Denial { call: 1, denial }.to_bytes());
        },
    );
    own(
        "granted_after_denial",
        "a request denied, and granted then",
        |case| {
            let denial = Grant::none()
                .allows_target(&Target::parse("https://api.example/").unwrap())
                .unwrap_err();
            let granted = Event::Granted {
                call: 6,
                denial,
                scope: "run".to_owned(),
            };
            case.events.insert(REQUEST_DENIED + 1, granted.to_bytes());
        },
    );
    own(
        "granted_of_nothing",
        "a tool granted under a number of no call",
        |case| {
            let denial = Grant::none().deny_tool("get_weather");
            let granted = Event::Granted {
                call: 9,
                denial,
                scope: "run".to_owned(),
            };
            case.events.insert(TOOL + 1, granted.to_bytes());
        },
    );
    own(
        "write_back_early",
        "a completion after the first write-back",
        |case| {
            case.events.swap(TOOL_DONE, WRITE);
        },
    );
    own(
        "file_after_write_back",
        "a file opened after the last write-back",
        |case| {
            case.events.push(case.events[STATUS + 1].clone());
        },
    );
    own(
        "denial_after_write_back",
        "a file denied after the last write-back",
        |case| {
            let denied = case.events.remove(FILE_DENIED);
            case.events.insert(LAST, denied);
        },
    );
    let call_named = altered(|case| {
        let call = ToolCall {
            event: REQUEST as u64,
            ..case.statement.tool_calls[0].clone()
        };
        case.statement.tool_calls.push(call);
    });
    cases.refuse(
        "tool_calls_mismatch",
        "http_as_tool_call",
        "the statement names a request as a tool call",
        call_named.bundle().to_bytes(),
    );
}

pub fn form(cases: &mut Cases) {
    let mut own = |name: &str, comment: &str, at: usize, from: &str, to: &str| {
        let case = altered(|case| {
            let text = String::from_utf8(case.events[at].clone()).unwrap();
            assert!(text.contains(from), "{text}");
            case.events[at] = text.replacen(from, to, 1).into_bytes();
        });
        cases.refuse(
            "event_malformed",
            name,
            comment,
            case.bare().with_recording(case.recording()).to_bytes(),
        );
    };
    own(
        "working_directory_missing",
        "event 0 without a working directory",
        0,
        ",\"working_directory\":\"/desk\"",
        "",
    );
    own(
        "working_directory_relative",
        "event 0 with a relative working directory",
        0,
        "\"/desk\"",
        "\"work\"",
    );
    own(
        "path_dots",
        "a file whose path has `..` in it",
        STATUS,
        "/desk/in/a.csv",
        "/desk/../a.csv",
    );
    own(
        "path_slash",
        "a file whose path ends in a slash",
        STATUS,
        "a.csv",
        "a.csv/",
    );
    own(
        "status_sized_directory",
        "a directory of 4 bytes",
        STATUS,
        "\"file\"",
        "\"directory\"",
    );
    own(
        "status_unknown",
        "something found that is of no known kind",
        STATUS,
        "\"file\"",
        "\"socket\"",
    );
    own(
        "removed_with_content",
        "a removed file with a content",
        LAST,
        "\"content\":null",
        &removed_content(),
    );
    own(
        "created_with_before",
        "a created file that was there before",
        LAST,
        "\"removed\"",
        "\"created\"",
    );
    own(
        "write_back_without_null",
        "a write-back without the field that is null",
        LAST,
        "\"content\":null,",
        "",
    );
    own(
        "result_unknown",
        "a write-back with an unknown result",
        LAST,
        "\"not_done\"",
        "\"perhaps\"",
    );
    let long = format!("\"{}\"", "X".repeat(33));
    own(
        "method_too_long",
        "a method of 33 bytes",
        REQUEST,
        "\"POST\"",
        &long,
    );
    let long = format!("\"{}\"", "s".repeat(257));
    own(
        "scope_too_long",
        "a scope of 257 bytes",
        GRANTED,
        "\"run\"",
        &long,
    );
}

fn removed_content() -> String {
    format!(
        "\"content\":{}",
        serde_json::to_string(&Content::of(b"")).unwrap()
    )
}

pub fn grants(cases: &mut Cases) {
    let mut grant = |name: &str, comment: &str, capabilities: Value| {
        let bytes = payload(|value| value["predicate"]["grant"]["capabilities"] = capabilities);
        cases.refuse("statement_shape", name, comment, bytes);
    };
    grant(
        "grant_unknown_right",
        "a right of an unknown kind",
        json!({ "devices": ["/dev/sda"] }),
    );
    grant(
        "grant_relative_path",
        "a pattern that is not absolute",
        json!({ "file_read": ["a"] }),
    );
    grant(
        "grant_stars",
        "`**` beside other characters",
        json!({ "file_read": ["/a**"] }),
    );
    grant(
        "grant_private_wildcard",
        "a private rule for every host",
        json!({
            "network": { "allowlist": [{ "host": "*", "private": true }] }
        }),
    );
    grant(
        "grant_secret_wildcard",
        "a secret for every host",
        json!({
            "secrets": [{ "name": "K", "host": "*", "query": "k" }]
        }),
    );
    grant(
        "grant_secret_value",
        "a secret with its value",
        json!({
            "secrets": [{ "name": "K", "host": "a.example", "query": "k", "value": "v" }]
        }),
    );
    grant(
        "grant_network_bits",
        "a network with bits beyond its own",
        json!({
            "network": { "denylist": ["10.0.0.1/8"] }
        }),
    );
    grant(
        "grant_ceilings_wide",
        "nine ceilings side by side",
        json!({ "within": vec![json!({}); 9] }),
    );
    let deep = (0..9).fold(json!({}), |inner, _| json!({ "within": [inner] }));
    grant("grant_ceilings_deep", "nine ceilings in each other", deep);
}
