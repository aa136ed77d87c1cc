//! What is accepted.

use oacp::*;
use serde_json::{Value, json};

use super::*;

pub fn accepted(cases: &mut Cases) {
    let expectation = Expectation {
        nonce: Some("n-1".parse().unwrap()),
        audience: Some("alice".parse().unwrap()),
        agent: Some(Case::new().source.hash()),
        input: Some(Digest::of(fixture::INPUT)),
        execution: Some(fixture::execution(1)),
    };
    cases
        .accept("whole", "everything, and everything as expected", whole())
        .expectation = expectation;
    cases.accept(
        "redacted",
        "no content at all",
        Case::new().bundle().redact().to_bytes(),
    );
    let spaced = {
        let mut value: Value = serde_json::from_slice(&whole()).unwrap();
        value.sort_all_objects();
        serde_json::to_vec_pretty(&value).unwrap()
    };
    cases.accept(
        "spaced",
        "whitespace and another order of fields around the signed bytes",
        spaced,
    );
    let escaped = replaced("\"type\"", "\"t\\u0079pe\"");
    cases.accept(
        "escaped_key",
        "a key of the file written with an escape",
        escaped,
    );
    let without_contents = {
        let case = Case::new();
        let recording = Recording::from_events(fixture::salt_key(), case.events.clone());
        case.bare()
            .with_recording(recording)
            .with_output(fixture::OUTPUT)
            .to_bytes()
    };
    cases.accept(
        "without_contents",
        "events and output, the rest withheld",
        without_contents,
    );
    let basic = signed_bare(|case| {
        case.statement.level = Level::Basic;
        case.statement.recording = None;
        case.statement.reexecutable = Reexecutable::No {
            reason: "not recorded".to_owned(),
        };
    });
    cases.accept("basic", "level BASIC: not recorded", basic);
    let several = signed(|case| {
        let file = |path: &str, content: &str| (path.parse().unwrap(), content.as_bytes().to_vec());
        let files = [
            file("lib/a.py", "x = 1\n"),
            file("main.py", "from lib.a import x\n"),
            file("lib/b.py", "x = 1\n"),
        ];
        case.source = Source::new(files, "main.py".parse().unwrap()).unwrap();
        case.settle();
    });
    cases.accept(
        "several_files",
        "a source of three files, two of them alike",
        several,
    );
    let component = {
        let mut case = Case::new();
        case.statement.agent_hash = Digest::of(b"component");
        case.statement.agent_entry = None;
        case.statement.runtime.sha256 = Digest::of(b"component");
        case.bare()
            .with_component(Blob::of(*b"component"))
            .to_bytes()
    };
    cases.accept("component", "an agent that is a component", component);
    let runtime = Case::new().bundle().with_runtime(*b"runtime").to_bytes();
    cases.accept(
        "with_runtime",
        "the language runtime is in the bundle",
        runtime,
    );
    let later = signed_bare(|case| case.statement.sequence = 7);
    cases.accept(
        "later_sequence",
        "sequence 7: its previous statement is not in the bundle",
        later,
    );
    let failed = {
        let mut case = Case::new();
        case.statement.outcome = Outcome::OutOfFuel;
        case.statement.output_hash = Digest::of(b"");
        let recording = case.recording();
        case.bare()
            .with_recording(recording)
            .with_output([])
            .to_bytes()
    };
    cases.accept("no_output", "out of fuel: the output is no bytes", failed);
    let unfinished = signed(|case| {
        case.events.pop();
        case.contents.remove(1);
        case.settle();
        case.statement.outcome = Outcome::GuestError;
        case.statement.tool_calls[0].outcome = None;
    });
    cases.accept(
        "unfinished_call",
        "the run ended before a call did",
        unfinished,
    );
    let interrupted = {
        let mut case = Case::new();
        case.statement.outcome = Outcome::Interrupted;
        case.statement.reexecutable = Reexecutable::No {
            reason: "interrupted".to_owned(),
        };
        let envelope = Envelope::sign(PAYLOAD_TYPE, case.statement.to_payload(), &case.node);
        Bundle::new(envelope, case.delegation.sign(&case.node)).to_bytes()
    };
    cases.accept(
        "interrupted",
        "what a crash cut off is the node's own to state",
        interrupted,
    );
    let expired = Case::new().bare().to_bytes();
    cases
        .accept(
            "expired_since",
            "the delegation has expired since; it had not when it was used",
            expired,
        )
        .now = hours(24 * 365);
    let unknown = payload(|value| {
        value["predicate"]["later"] = json!({ "a": 1 });
        value["predicate"]["resources"]["gpu_us"] = json!(1);
    });
    let unknown = cases.accept(
        "unknown_fields",
        "fields of a later version are reported",
        unknown,
    );
    unknown.unknown = vec![
        "predicate.later".to_owned(),
        "predicate.resources.gpu_us".to_owned(),
    ];
    let critical = payload(|value| value["predicate"]["critical"] = json!(["outcome", "grant"]));
    cases.accept("critical_known", "critical fields that are known", critical);
    let edge = signed_bare(|case| {
        case.statement.timestamp = case.delegation.not_after;
    });
    cases
        .accept(
            "last_millisecond",
            "signed in the delegation's last millisecond",
            edge,
        )
        .now = hours(2);
    let equal = {
        // A tool was given the input as its arguments, so that withholding the one would disclose
        // the other.
        let mut case = Case::new();
        let argument = Event::ToolCall {
            call: 1,
            tool: "get_weather".to_owned(),
            arguments: Content::of(fixture::INPUT),
        };
        case.events[1] = argument.to_bytes();
        case.contents[0] = fixture::INPUT.to_vec();
        case.settle();
        case.bundle().to_bytes()
    };
    cases.accept(
        "one_blob_twice",
        "one content is the input and a tool's arguments",
        equal,
    );
}
