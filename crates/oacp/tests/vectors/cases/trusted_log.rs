//! Proofs under a trust file's log policy: quorums, levels, times, revocations.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oacp::*;
use oacp_tlog::{Checkpoint, SignedCheckpoint, SignerKey, cosign};
use serde_json::json;

use super::logged::{
    Logged, bound, execution_under, full, full_edited, trusting, under, with_executions,
};
use super::*;
use crate::fixture::{
    EXECUTION_INDEX, FullCase, ORIGIN, WITNESS, WITNESSED_S, log_key, log_policy, log_policy_alone,
    log_signer, witness_signer,
};

pub fn policies(cases: &mut Cases) {
    let mut cases = Logged(cases);
    let log = FullCase::new().log();
    let checkpoint = || {
        let root = log.checkpoint(11).root();
        Checkpoint::new(ORIGIN, 11, root).unwrap()
    };
    let cosigned = |mut checkpoint: SignedCheckpoint, witness: &SignerKey| {
        let cosignature = cosign(&checkpoint, witness, WITNESSED_S);
        checkpoint.add_signature(cosignature).unwrap();
        with_executions([execution_under(checkpoint)])
    };
    let witness = witness_signer(WITNESS, 4);
    cases
        .refuse(
            "log_policy_unmet",
            "log_unknown",
            "a log that the policy does not name",
            full(|_| ()),
        )
        .trust = under(&format!(
        "log {}\nquorum none\n",
        log_key("log.example/2", 7)
    ));
    cases.refuse(
        "log_policy_unmet",
        "log_unsigned",
        "a checkpoint that the witness cosigned, and the log did not sign",
        cosigned(
            SignedCheckpoint::sign(&checkpoint(), &log_signer(ORIGIN, 7)),
            &witness,
        ),
    );
    cases.refuse(
        "log_policy_unmet",
        "witness_missing",
        "no cosignature",
        with_executions([execution_under(log.checkpoint(11))]),
    );
    cases.refuse(
        "log_policy_unmet",
        "witness_unknown",
        "a cosignature by a witness that the policy does not name",
        cosigned(log.checkpoint(11), &witness_signer("witness.example/2", 5)),
    );
    cases.refuse(
        "log_policy_unmet",
        "witness_is_log",
        "the log itself in the place of the witness",
        cosigned(log.checkpoint(11), &witness_signer(WITNESS, 3)),
    );
    // One bit of a signature, in the last line of the proof or the one above.
    let flipped = |line: usize| {
        full_edited(|value| {
            let proof = &mut value["proofs"]["execution"][0];
            let mut lines: Vec<String> =
                proof.as_str().unwrap().lines().map(str::to_owned).collect();
            let at = lines.len() - 1 - line;
            let (name, signature) = lines[at].rsplit_once(' ').unwrap();
            let mut bytes = STANDARD.decode(signature).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            lines[at] = format!("{name} {}", STANDARD.encode(bytes));
            *proof = json!(lines.join("\n") + "\n");
        })
    };
    cases.refuse(
        "checkpoint_signature",
        "log_signature",
        "the log's signature altered",
        flipped(1),
    );
    cases.refuse(
        "checkpoint_signature",
        "witness_signature",
        "the witness's signature altered",
        flipped(0),
    );
    levels(&mut cases);
    for (seed, name, comment) in [
        (3, "key_in_two_roles_log", "the sandbox's key is the log's"),
        (
            4,
            "key_in_two_roles_witness",
            "the sandbox's key is the witness's",
        ),
    ] {
        let bytes = signed_bare(|case| {
            case.delegation.key = key(seed).public();
            case.sandbox = key(seed);
            case.settle();
        });
        cases.refuse("key_in_two_roles", name, comment, bytes);
    }
}

fn levels(cases: &mut Logged) {
    cases
        .refuse(
            "log_policy_missing",
            "full_without_policy",
            "level FULL, and no log is trusted",
            full(|_| ()),
        )
        .trust = trust_json(&[trusted(1)]);
    let without_begin = full_edited(|value| {
        value.as_object_mut().unwrap().remove("begin");
        value["proofs"].as_object_mut().unwrap().remove("begin");
    });
    cases.refuse(
        "proof_missing",
        "full_without_begin",
        "level FULL without its begin",
        without_begin,
    );
    for (name, of) in [
        ("full_delegation_unproven", "delegation"),
        ("full_begin_unproven", "begin"),
        ("full_execution_unproven", "execution"),
    ] {
        let without = full_edited(|value| {
            value["proofs"].as_object_mut().unwrap().remove(of);
        });
        let comment = format!("level FULL without a proof of the {of}");
        cases.refuse("proof_missing", name, &comment, without);
    }
    cases.refuse(
        "evidence_missing",
        "hardware",
        "level HARDWARE, logged, and no evidence",
        full(|full| full.case.statement.level = Level::Hardware),
    );
    cases.refuse(
        "level_inconsistent",
        "full_tool_unnamed",
        "level FULL, and a tool without a digest was called",
        full(|full| full.case.statement.tool_calls[0].tool_hash = None),
    );
    cases.refuse(
        "level_inconsistent",
        "full_without_policy_hash",
        "level FULL without the digest of a policy set",
        full(|full| full.case.statement.policy_hash = None),
    );
}

pub fn times(cases: &mut Cases) {
    let mut cases = Logged(cases);
    let at = |time_s| full(|full| full.execution_at = Some((11, time_s)));
    cases.accept(
        "witnessed_late",
        "witnessed after the delegation had ended, and no bound is required",
        at(WITNESSED_S + 2 * 3600),
    );
    let same_second = WITNESSED_S - 1;
    cases
        .accept(
            "time_same_second",
            "witnessed in the second of the timestamp",
            at(same_second),
        )
        .trust = bound(0);
    let mut refuse = |name: &str, comment: &str, time_s, seconds| {
        cases
            .refuse("time_outside_bound", name, comment, at(time_s))
            .trust = bound(seconds);
    };
    refuse(
        "time_too_late",
        "witnessed 3 s after the timestamp, 2 are allowed",
        WITNESSED_S + 3,
        2,
    );
    refuse(
        "time_before_timestamp",
        "witnessed in the second before the timestamp",
        same_second - 1,
        60,
    );
    refuse(
        "time_after_delegation",
        "witnessed after the delegation had ended",
        WITNESSED_S + 3600,
        7200,
    );
    let untimed = "a time bound, and a cosignature that states no time";
    cases
        .refuse("time_not_witnessed", "time_zero", untimed, at(0))
        .trust = bound(60);
    let alone = trusting(
        json!([trusted(1)]),
        &log_policy_alone(),
        json!({ "time_bound_s": 60 }),
    );
    cases
        .refuse(
            "time_not_witnessed",
            "time_without_quorum",
            "a time bound, and a policy that asks for no witness",
            full(|_| ()),
        )
        .trust = alone;
}

pub fn revocations(cases: &mut Cases) {
    let mut cases = Logged(cases);
    let revoked = |tree_size, log: Option<&str>| TrustedNode {
        revoked: Some(Revoked {
            tree_size,
            log: log.map(|log| log.parse().unwrap()),
        }),
        ..trusted(1)
    };
    let by = |node: TrustedNode| trusting(json!([node]), &log_policy(), json!({}));
    cases
        .accept(
            "revoked_since",
            "the node is revoked from leaf 10 on, and this is leaf 9",
            full(|_| ()),
        )
        .trust = by(revoked(EXECUTION_INDEX + 1, None));
    cases
        .refuse(
            "node_revoked",
            "revoked_before",
            "the node is revoked from leaf 9 on, and this is leaf 9",
            full(|_| ()),
        )
        .trust = by(revoked(EXECUTION_INDEX, Some(ORIGIN)));
    let undelegated = full(|full| {
        full.case.statement.level = Level::Execution;
        full.delegation_at = None;
    });
    cases
        .refuse(
            "node_revoked",
            "revoked_delegation_unproven",
            "the node is revoked, and when it delegated is not proven",
            undelegated,
        )
        .trust = by(revoked(EXECUTION_INDEX + 1, None));
    let two_logs = format!("log {}\n{}", log_key("log.example/2", 7), log_policy());
    let node = revoked(EXECUTION_INDEX + 1, Some("log.example/2"));
    cases
        .refuse(
            "node_revoked",
            "revoked_other_log",
            "the node is revoked by the size of another log than the one this is in",
            full(|_| ()),
        )
        .trust = trusting(json!([node]), &two_logs, json!({}));
    cases
        .refuse(
            "node_revoked",
            "revoked_without_policy",
            "the node is revoked, there is a proof, and no log is trusted",
            full(|full| full.case.statement.level = Level::Execution),
        )
        .trust = trust_json(&[revoked(EXECUTION_INDEX + 1, None)]);
}
