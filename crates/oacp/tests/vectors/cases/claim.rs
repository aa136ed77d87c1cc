//! Refused for what the statement says.

use oacp::*;
use serde_json::{Value, json};

use super::*;

pub fn statement(cases: &mut Cases) {
    let retyped = {
        let case = Case::new();
        let envelope = Envelope::sign(
            "application/json",
            case.statement.to_payload(),
            &case.sandbox,
        );
        Bundle::new(envelope, case.delegation.sign(&case.node)).to_bytes()
    };
    cases.refuse(
        "payload_type",
        "payload_type",
        "a statement signed as another payload type",
        retyped,
    );
    let retyped = edited(|value| value["envelope"]["payloadType"] = json!("application/json"));
    cases.refuse(
        "statement_signature",
        "payload_type_altered",
        "the payload type altered after signing",
        retyped,
    );
    let version =
        payload(|value| value["predicateType"] = json!(format!("{PREDICATE_PREFIX}execution/v2")));
    cases.refuse(
        "unknown_version",
        "statement_v2",
        "a later predicate",
        version,
    );
    let version = payload(|value| value["_type"] = json!("https://in-toto.io/Statement/v0.1"));
    cases.refuse(
        "unknown_version",
        "statement_v0",
        "an earlier in-toto statement",
        version,
    );
    let other = {
        let case = Case::new();
        sealed(
            &case,
            case.delegation
                .sign(&case.node)
                .unverified_payload()
                .to_vec(),
        )
    };
    cases.refuse(
        "unknown_version",
        "statement_is_delegation",
        "a delegation in the place of a statement",
        other,
    );
    let critical = payload(|value| value["predicate"]["critical"] = json!(["later"]));
    cases.refuse(
        "unknown_critical",
        "unknown_critical",
        "a critical field that is not known",
        critical,
    );
    let right =
        payload(|value| value["predicate"]["grant"]["capabilities"]["everything"] = json!(true));
    cases.refuse(
        "statement_shape",
        "unknown_right",
        "a kind of right that is not known",
        right,
    );
    let outcome = payload(|value| value["predicate"]["outcome"] = json!("fine"));
    cases.refuse(
        "statement_shape",
        "unknown_outcome",
        "an outcome that is not known",
        outcome,
    );
    let missing = payload(|value| {
        drop(
            value["predicate"]
                .as_object_mut()
                .unwrap()
                .remove("input_hash"),
        )
    });
    cases.refuse(
        "statement_shape",
        "field_missing",
        "no input digest",
        missing,
    );
    let payload_text = String::from_utf8(Case::new().statement.to_payload()).unwrap();
    let twice = payload_text.replace(
        "\"outcome\":\"ok\",\"resources\"",
        "\"outcome\":\"ok\",\"outcome\":\"ok\",\"resources\"",
    );
    assert_ne!(payload_text, twice);
    cases.refuse(
        "json_duplicate_key",
        "statement_duplicate_key",
        "a signed field twice",
        sealed(&Case::new(), twice.into_bytes()),
    );
    let integer = payload_text.replace("\"sequence\":0", "\"sequence\":9007199254740993");
    cases.refuse(
        "json_integer_range",
        "statement_big_integer",
        "a signed integer beyond 2^53",
        sealed(&Case::new(), integer.into_bytes()),
    );
    let id = payload(|value| {
        value["predicate"]["execution_id"] = json!("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
    });
    cases.refuse("statement_shape", "uuid_version", "a UUID of version 1", id);
    let subject = payload(|value| {
        value["subject"][0]["digest"]["sha256"] = json!(Digest::of(b"other").hex())
    });
    cases.refuse(
        "subject_mismatch",
        "subject_mismatch",
        "the subject is not the output",
        subject,
    );
    let sandbox = signed_bare(|case| {
        case.statement.sandbox_id = SandboxId::new(fixture::NOW_MS as u64, [9; 10])
    });
    cases.refuse(
        "sandbox_mismatch",
        "sandbox_mismatch",
        "the statement names another sandbox than its delegation",
        sandbox,
    );
    let isolation = signed_bare(|case| case.statement.isolation.kind = IsolationKind::Hardened);
    cases.refuse(
        "isolation_mismatch",
        "isolation_mismatch",
        "the statement claims more isolation than its delegation",
        isolation,
    );
    let log = signed_bare(|case| case.statement.log = Some("log.example/1".parse().unwrap()));
    cases.refuse(
        "log_mismatch",
        "log_mismatch",
        "the statement names a log that its delegation does not",
        log,
    );
    let previous = signed_bare(|case| case.statement.previous = Digest::of(b"other"));
    cases.refuse(
        "previous_mismatch",
        "previous_mismatch",
        "sequence 0 does not follow the delegation",
        previous,
    );
    let parent = signed_bare(|case| case.statement.parent = Some(case.statement.execution_id));
    cases.refuse(
        "own_parent",
        "own_parent",
        "an execution that called itself",
        parent,
    );
    let grant = signed_bare(|case| {
        case.statement
            .grant
            .capabilities
            .tools
            .insert("send_mail".parse().unwrap());
    });
    cases.refuse(
        "grant_mismatch",
        "grant_mismatch",
        "the grant is wider than its digest",
        grant,
    );
    let hash =
        signed_bare(|case| case.statement.tool_calls[0].tool_hash = Some(Digest::of(b"other")));
    cases.refuse(
        "tool_hash_mismatch",
        "tool_hash_mismatch",
        "a call of a tool by another digest than listed",
        hash,
    );
    let level = signed_bare(|case| case.statement.recording = None);
    cases.refuse(
        "level_inconsistent",
        "level_without_recording",
        "level EXECUTION without a recording",
        level,
    );
    let level = signed_bare(|case| case.statement.level = Level::Full);
    cases.refuse(
        "level_inconsistent",
        "level_full_without_log",
        "level FULL without a log",
        level,
    );
    let level = signed_bare(|case| {
        case.statement.level = Level::Full;
        case.delegation.log = Some("log.example/1".parse().unwrap());
        case.settle();
        case.statement.log = case.delegation.log.clone();
        case.statement.policy_hash = Some(Digest::of(b"policy"));
    });
    cases.refuse(
        "proof_missing",
        "level_full_without_proof",
        "level FULL without a proof of logging",
        level,
    );
    let outcome = signed_bare(|case| case.statement.outcome = Outcome::TimedOut);
    cases.refuse(
        "reexecutable_inconsistent",
        "reexecutable_timeout",
        "a timeout that could be run again",
        outcome,
    );
    let basic = signed_bare(|case| {
        case.statement.level = Level::Basic;
        case.statement.recording = None;
    });
    cases.refuse(
        "reexecutable_inconsistent",
        "reexecutable_unrecorded",
        "not recorded, and could be run again",
        basic,
    );
    let denied = signed(|case| {
        case.events = vec![case.events[0].clone()];
        case.contents.clear();
        case.settle();
        case.statement.tool_calls.clear();
        case.statement.outcome = Outcome::Denied;
    });
    cases.refuse(
        "outcome_inconsistent",
        "denied_without_denial",
        "ended by a denial that is no event",
        denied,
    );
    let principal = payload(|value| value["predicate"]["principal"] = json!("a\u{202e}b"));
    cases.refuse(
        "statement_shape",
        "principal_bidi",
        "a principal that reorders its text",
        principal,
    );
    let bare = || Case::new().bare().to_bytes();
    let mut require = |code: &str, name: &str, comment: &str, requirement: Value| {
        cases.refuse(code, name, comment, bare()).trust = String::from_utf8(text(
            json!({ "nodes": [trusted(1)], "require": requirement }),
        ))
        .unwrap();
    };
    require(
        "level_below_required",
        "level_below_required",
        "level FULL is required",
        json!({ "level": "FULL" }),
    );
    require(
        "time_not_witnessed",
        "time_not_witnessed",
        "a witnessed time is required",
        json!({ "time_bound_s": 60 }),
    );
}

pub fn time(cases: &mut Cases) {
    let early = signed_bare(|case| case.statement.timestamp = hours(-2));
    cases.refuse(
        "timestamp_outside_delegation",
        "before_delegation",
        "signed before the delegation",
        early,
    );
    let late = signed_bare(|case| case.statement.timestamp = hours(2));
    cases
        .refuse(
            "timestamp_outside_delegation",
            "after_delegation",
            "signed after the delegation had expired",
            late,
        )
        .now = hours(3);
    let backwards = signed_bare(|case| {
        (case.delegation.not_before, case.delegation.not_after) = (hours(1), hours(-1));
        case.settle();
    });
    cases.refuse(
        "delegation_window",
        "delegation_backwards",
        "a delegation that ends before it begins",
        backwards,
    );
    let bare = || Case::new().bare().to_bytes();
    cases
        .refuse(
            "timestamp_in_future",
            "future",
            "an hour ahead of the verifier's clock",
            bare(),
        )
        .now = hours(-1);
    let untrusted = TrustedNode {
        not_before: Some(hours(24)),
        ..trusted(1)
    };
    cases
        .refuse(
            "node_not_trusted_then",
            "node_before",
            "the node is trusted from the next day on",
            bare(),
        )
        .trust = trust_json(&[untrusted]);
    let untrusted = TrustedNode {
        not_after: Some(hours(-24)),
        ..trusted(1)
    };
    cases
        .refuse(
            "node_not_trusted_then",
            "node_after",
            "the node was trusted until the day before",
            bare(),
        )
        .trust = trust_json(&[untrusted]);
    let spelling =
        payload(|value| value["predicate"]["timestamp"] = json!("2026-11-22T20:14:05.123+00:00"));
    cases.refuse(
        "statement_shape",
        "timestamp_offset",
        "a time with an offset",
        spelling,
    );
    let spelling = payload(|value| value["predicate"]["timestamp"] = json!("2026-11-22T20:14:05Z"));
    cases.refuse(
        "statement_shape",
        "timestamp_seconds",
        "a time without milliseconds",
        spelling,
    );
}

pub fn expectation(cases: &mut Cases) {
    let bare = || Case::new().bare().to_bytes();
    let other = Some(Digest::of(b"other"));
    cases
        .refuse("nonce_mismatch", "nonce", "another nonce", bare())
        .expectation
        .nonce = Some("n-2".parse().unwrap());
    let none = signed_bare(|case| case.statement.nonce = None);
    cases
        .refuse("nonce_mismatch", "nonce_absent", "no nonce", none)
        .expectation
        .nonce = Some("n-1".parse().unwrap());
    cases
        .refuse("audience_mismatch", "audience", "meant for another", bare())
        .expectation
        .audience = Some("bob".parse().unwrap());
    cases
        .refuse("agent_mismatch", "agent", "another agent", bare())
        .expectation
        .agent = other;
    cases
        .refuse("input_mismatch", "input", "another input", bare())
        .expectation
        .input = other;
    cases
        .refuse(
            "execution_mismatch",
            "execution",
            "another execution than the one that was looked up",
            bare(),
        )
        .expectation
        .execution = Some(crate::fixture::execution(9));
}
