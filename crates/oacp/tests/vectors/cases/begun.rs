//! Begins.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oacp::*;
use serde_json::{Value, json};

use super::logged::{Logged, full_edited};
use super::*;
use crate::fixture::FullCase;

pub fn begins(cases: &mut Cases) {
    let mut cases = Logged(cases);
    // Refused before any proof is looked at.
    let begun = |alter: fn(&mut FullCase)| {
        let mut full = FullCase::new();
        full.case.statement.level = Level::Execution;
        alter(&mut full);
        full.case
            .bare()
            .with_begin(full.begin_envelope())
            .to_bytes()
    };
    let with_begin = |begin: Envelope| {
        let mut full = FullCase::new();
        full.case.statement.level = Level::Execution;
        full.case.bare().with_begin(begin).to_bytes()
    };
    let payload = |alter: fn(&mut Value)| {
        let full = FullCase::new();
        let mut value = serde_json::from_slice(&full.begin.to_payload()).unwrap();
        alter(&mut value);
        Envelope::sign(PAYLOAD_TYPE, text(value), &full.case.sandbox)
    };
    cases.refuse(
        "begin_signature",
        "begin_by_node",
        "a begin by the node",
        with_begin(FullCase::new().begin.sign(&key(1))),
    );
    cases.refuse(
        "begin_signature",
        "begin_foreign",
        "a begin by a key that was not delegated to",
        with_begin(FullCase::new().begin.sign(&key(8))),
    );
    let forged = full_edited(|value| {
        let mut begin = FullCase::new().begin;
        begin.nonce = None;
        value["begin"]["payload"] = json!(STANDARD.encode(begin.to_payload()));
    });
    cases.refuse(
        "begin_signature",
        "begin_altered",
        "a begin altered after signing",
        forged,
    );
    let retyped = {
        let full = FullCase::new();
        Envelope::sign(
            "application/json",
            full.begin.to_payload(),
            &full.case.sandbox,
        )
    };
    cases.refuse(
        "payload_type",
        "begin_payload_type",
        "a begin signed as another payload type",
        with_begin(retyped),
    );
    cases.refuse(
        "unknown_version",
        "begin_is_statement",
        "the statement in the place of its begin",
        with_begin(FullCase::new().case.envelope()),
    );
    cases.refuse(
        "unknown_version",
        "begin_v2",
        "a later begin",
        with_begin(payload(|value| {
            value["predicateType"] = json!(format!("{PREDICATE_PREFIX}begin/v2"));
        })),
    );
    cases.refuse(
        "unknown_critical",
        "begin_critical",
        "a begin with a critical field that is not known",
        with_begin(payload(|value| {
            value["predicate"]["critical"] = json!(["later"]);
        })),
    );
    cases.refuse(
        "subject_mismatch",
        "begin_subject",
        "a begin whose subject is not the agent",
        with_begin(payload(|value| {
            value["subject"][0]["name"] = json!("output");
        })),
    );
    let is_null = full_edited(|value| value["begin"] = json!([]));
    cases.refuse("json_shape", "begin_shape", "a begin that is none", is_null);

    let mut later = FullCase::new();
    later.case.statement.level = Level::Execution;
    let begin = payload(|value| value["predicate"]["later"] = json!(1));
    later.case.statement.previous = begin.pae_digest();
    cases
        .accept(
            "begin_unknown_field",
            "a field of a later begin is reported",
            later.case.bare().with_begin(begin).to_bytes(),
        )
        .unknown = vec!["predicate.later".to_owned()];

    let mut differs = |name: &str, comment: &str, alter: fn(&mut FullCase)| {
        cases.refuse("begin_mismatch", name, comment, begun(alter));
    };
    differs("begin_execution", "a begin of another execution", |full| {
        full.begin.execution_id = fixture::execution(9);
    });
    differs("begin_sandbox", "a begin of another sandbox", |full| {
        full.begin.sandbox_id = SandboxId::new(fixture::NOW_MS as u64, [9; 10]);
    });
    differs("begin_agent", "a begin with another agent", |full| {
        full.begin.agent_hash = Digest::of(b"other");
    });
    differs("begin_input", "a begin with another input", |full| {
        full.begin.input_hash = Digest::of(b"other");
    });
    differs("begin_grant", "a begin with other rights", |full| {
        full.begin.grant = Digest::of(b"other");
    });
    differs("begin_nonce", "a begin without the nonce", |full| {
        full.begin.nonce = None;
    });
    differs("begin_log", "a begin for another log", |full| {
        full.begin.log = Some("log.example/2".parse().unwrap());
    });
    differs(
        "begin_number",
        "a begin with the statement's number",
        |full| {
            full.begin.sequence = full.case.statement.sequence;
        },
    );
    differs("begin_after", "a begin after the end", |full| {
        full.begin.timestamp = hours(1);
    });
    differs("begin_early", "a begin before the delegation", |full| {
        full.begin.timestamp = hours(-2);
    });
    cases.refuse(
        "previous_mismatch",
        "begin_previous",
        "a begin with number 0 that does not follow the delegation",
        begun(|full| {
            full.begin.previous = Digest::of(b"other");
            full.case.statement.previous = full.begin_envelope().pae_digest();
        }),
    );
    cases.refuse(
        "previous_mismatch",
        "not_after_begin",
        "a statement whose number follows the begin's, and that follows something else",
        begun(|full| full.case.statement.previous = Digest::of(b"other")),
    );
    let seeded = |commitment| {
        let mut full = FullCase::new();
        full.begin.seed_commitment = commitment;
        full.settle();
        full
    };
    let other = Begin::commit_to_seed(&fixture::salt_key(), &Seed::from_bytes([5; 32]));
    cases.refuse(
        "seed_mismatch",
        "seed_other",
        "another seed than the begin commits to",
        seeded(Some(other)).bundle().to_bytes(),
    );
    cases.refuse(
        "seed_mismatch",
        "seed_uncommitted",
        "a begin that commits to no seed, and a recording that has one",
        seeded(None).bundle().to_bytes(),
    );
    let disclosed = seeded(Some(other)).bundle().disclose(&[0].into());
    cases.refuse(
        "seed_mismatch",
        "seed_disclosed",
        "another seed than the begin commits to, in a disclosed event",
        disclosed.unwrap().to_bytes(),
    );
}
