//! Begins, and proofs of logging.

use oacp::*;
use oacp_tlog::{Checkpoint, SignedCheckpoint, SignerKey, TlogProof, cosign};
use serde_json::{Value, json};

use super::*;
use crate::fixture::{
    EXECUTION_INDEX, FullCase, Log, ORIGIN, WITNESS, WITNESSED_S, log_key, log_policy,
    log_policy_alone, log_signer,
};

/// The run at level FULL, altered before it is signed; without content.
pub fn full(alter: impl FnOnce(&mut FullCase)) -> Vec<u8> {
    let mut full = FullCase::new();
    alter(&mut full);
    full.bare().to_bytes()
}

/// The same, whose bundle's JSON is altered.
pub fn full_edited(alter: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value = serde_json::from_slice(&full(|_| ())).unwrap();
    alter(&mut value);
    text(value)
}

/// The run with these proofs of its execution in the place of the one it has.
pub fn with_executions(proofs: impl IntoIterator<Item = TlogProof>) -> Vec<u8> {
    let mut full = FullCase::new();
    full.execution_at = None;
    let mut bundle = full.bare();
    for proof in proofs {
        bundle.add_proof(Proven::Execution, proof).unwrap();
    }
    bundle.to_bytes()
}

/// The execution's proof under this checkpoint of 11 leaves.
pub fn execution_under(checkpoint: SignedCheckpoint) -> TlogProof {
    FullCase::new().log().proof(EXECUTION_INDEX, checkpoint)
}

pub fn trusting(nodes: Value, policy: &str, require: Value) -> String {
    let file = json!({ "nodes": nodes, "log_policy": policy, "require": require });
    String::from_utf8(text(file)).unwrap()
}

/// Node 1, and the logs and witnesses of `policy`.
pub fn under(policy: &str) -> String {
    trusting(json!([trusted(1)]), policy, json!({}))
}

/// Node 1, log 3 and witness 4.
fn log_trusted() -> String {
    under(&log_policy())
}

pub fn bound(seconds: u64) -> String {
    let require = json!({ "time_bound_s": seconds });
    trusting(json!([trusted(1)]), &log_policy(), require)
}

/// Cases under the trust in node 1, log 3 and witness 4, unless they say otherwise.
pub struct Logged<'a>(pub &'a mut Cases);

impl Logged<'_> {
    pub fn accept(&mut self, name: &str, comment: &str, bytes: Vec<u8>) -> &mut Vector {
        let vector = self.0.accept(name, comment, bytes);
        vector.trust = log_trusted();
        vector
    }

    pub fn refuse(&mut self, code: &str, name: &str, comment: &str, bytes: Vec<u8>) -> &mut Vector {
        let vector = self.0.refuse(code, name, comment, bytes);
        vector.trust = log_trusted();
        vector
    }
}

pub fn accepted(cases: &mut Cases) {
    let mut cases = Logged(cases);
    cases.accept(
        "full",
        "level FULL: begun and ended in the log",
        FullCase::new().bundle().to_bytes(),
    );
    cases.accept(
        "full_redacted",
        "the same, no content: begin and proofs stay",
        full(|_| ()),
    );
    let disclosed = FullCase::new().bundle().disclose(&[0].into()).unwrap();
    cases.accept(
        "full_disclosed",
        "the same, event 0 disclosed, and with it the seed that the begin commits to",
        disclosed.to_bytes(),
    );
    let lower = || {
        full(|full| {
            full.case.statement.level = Level::Execution;
            full.case.statement.policy_hash = None;
        })
    };
    cases
        .accept(
            "logged_without_policy",
            "level EXECUTION, logged, and no log trusted: not checked",
            lower(),
        )
        .trust = trust_json(&[trusted(1)]);
    let late = full(|full| {
        full.case.statement.level = Level::Execution;
        (full.delegation_at, full.begin_at) = (None, None);
    });
    cases.accept(
        "logged_execution_only",
        "level EXECUTION, and a proof of the execution alone",
        late,
    );
    let unlogged = full(|full| {
        full.case.statement.level = Level::Execution;
        (full.delegation_at, full.begin_at, full.execution_at) = (None, None, None);
        (
            full.case.delegation.log,
            full.case.statement.log,
            full.begin.log,
        ) = (None, None, None);
        full.settle();
    });
    cases.accept("begin_unlogged", "a begin that is in no log", unlogged);
    let log = FullCase::new().log();
    let later = || {
        let mut log = FullCase::new().log();
        log.fill(4);
        let checkpoint = log.cosigned(14, WITNESSED_S + 3600);
        log.proof(EXECUTION_INDEX, checkpoint)
    };
    let first = || execution_under(log.cosigned(11, WITNESSED_S));
    cases
        .accept(
            "proof_added",
            "a later proof behind the first, whose time counts",
            with_executions([first(), later()]),
        )
        .trust = bound(1);
    cases.accept(
        "proof_upgraded",
        "a first proof without a cosignature, a later one with",
        with_executions([execution_under(log.checkpoint(11)), later()]),
    );
    cases
        .accept(
            "log_without_witnesses",
            "a policy that asks for no witness",
            with_executions([execution_under(log.checkpoint(11))]),
        )
        .trust = under(&log_policy_alone());
    let ml_dsa = || SignerKey::ml_dsa44_cosigner(WITNESS.parse().unwrap(), &[4; 32]);
    let policy = format!(
        "log {}\nwitness w1 {}\nquorum w1\n",
        log_key(ORIGIN, 3),
        ml_dsa().verifier()
    );
    let by_ml_dsa = {
        let mut full = FullCase::new();
        full.case.statement.level = Level::Execution;
        let mut log = Log::default();
        log.append(&full.leaf(Proven::Execution));
        let mut checkpoint = log.cosigned(1, WITNESSED_S);
        let cosignature = cosign(&checkpoint, &ml_dsa(), WITNESSED_S);
        checkpoint.add_signature(cosignature).unwrap();
        let mut bundle = full.case.bare();
        let proof = log.proof(0, checkpoint);
        bundle.add_proof(Proven::Execution, proof).unwrap();
        bundle.to_bytes()
    };
    cases
        .accept(
            "witness_ml_dsa44",
            "a witness that cosigns by ML-DSA-44, in a log of one leaf",
            by_ml_dsa,
        )
        .trust = under(&policy);
    let interrupted = {
        let mut full = FullCase::new();
        full.case.statement.outcome = Outcome::Interrupted;
        full.case.statement.reexecutable = Reexecutable::No {
            reason: "interrupted".to_owned(),
        };
        full.case.statement.level = Level::Execution;
        let case = &full.case;
        let envelope = Envelope::sign(PAYLOAD_TYPE, case.statement.to_payload(), &case.node);
        Bundle::new(envelope, case.delegation.sign(&case.node))
            .with_begin(full.begin_envelope())
            .to_bytes()
    };
    cases.accept(
        "interrupted_begun",
        "begun by the sandbox, and its interruption stated by the node",
        interrupted,
    );
    let apart = full(|full| {
        full.begin.sequence = 4;
        full.begin.previous = Digest::of(b"another");
        full.case.statement.sequence = 6;
        full.case.statement.previous = Digest::of(b"another");
    });
    cases.accept(
        "begin_apart",
        "a begin with number 4, a statement with number 6: between them is another run's",
        apart,
    );
    cases
        .accept(
            "time_bound",
            "witnessed within the second that is required",
            full(|_| ()),
        )
        .trust = bound(1);
}

pub fn proofs(cases: &mut Cases) {
    let mut cases = Logged(cases);
    cases.refuse(
        "json_shape",
        "proofs_shape",
        "proofs that are not by what they prove",
        full_edited(|value| value["proofs"]["other"] = json!([])),
    );
    let malformed = |alter: fn(&str) -> String| {
        full_edited(|value| {
            let proof = &mut value["proofs"]["execution"][0];
            let altered = alter(proof.as_str().unwrap());
            assert_ne!(proof.as_str(), Some(altered.as_str()));
            *proof = json!(altered);
        })
    };
    for (name, comment, alter) in [
        (
            "proof_header",
            "a proof of a later version",
            (|text| text.replace("@v1", "@v2")) as fn(&str) -> String,
        ),
        (
            "proof_extra",
            "a proof with data of an application",
            |text| text.replace("\nindex", "\nextra AAAA\nindex"),
        ),
        ("proof_index_sign", "a proof with a signed index", |text| {
            text.replace("index ", "index +")
        }),
        (
            "proof_unsigned",
            "a proof whose checkpoint nobody signed",
            |text| text.split_inclusive("\n\n").take(2).collect(),
        ),
        (
            "proof_carriage_return",
            "a proof with other line ends",
            |text| text.replace('\n', "\r\n"),
        ),
    ] {
        cases.refuse("proof_malformed", name, comment, malformed(alter));
    }
    let many = full_edited(|value| {
        let proof = value["proofs"]["execution"][0].clone();
        value["proofs"]["execution"] = json!(vec![proof; 65]);
    });
    cases.refuse(
        "too_many",
        "proofs_too_many",
        "65 proofs of one envelope",
        many,
    );
    let unreferenced = full_edited(|value| {
        value.as_object_mut().unwrap().remove("begin");
    });
    cases.refuse(
        "proof_unreferenced",
        "proof_of_no_begin",
        "a begin's proof without the begin",
        unreferenced,
    );
    for (name, comment, from, to) in [
        (
            "proof_of_other",
            "the begin's proof in the place of the execution's",
            "begin",
            "execution",
        ),
        (
            "proof_of_other_delegation",
            "the begin's proof in the place of the delegation's",
            "begin",
            "delegation",
        ),
    ] {
        let swapped = full_edited(|value| value["proofs"][to] = value["proofs"][from].clone());
        cases.refuse("proof_invalid", name, comment, swapped);
    }
    let mut invalid = |name: &str, comment: &str, alter: fn(&str) -> String| {
        cases.refuse("proof_invalid", name, comment, malformed(alter));
    };
    invalid(
        "proof_index_altered",
        "a proof with another index",
        |text| text.replace("index 9\n", "index 8\n"),
    );
    invalid(
        "proof_index_beyond",
        "a proof with an index beyond the tree",
        |text| text.replace("index 9\n", "index 11\n"),
    );
    invalid(
        "proof_hash_missing",
        "a proof without its last hash",
        |text| {
            let (hashes, checkpoint) = text.split_once("\n\n").unwrap();
            let (hashes, _) = hashes.rsplit_once('\n').unwrap();
            format!("{hashes}\n\n{checkpoint}")
        },
    );
    invalid(
        "proof_hash_added",
        "a proof with one hash too many",
        |text| {
            let (hashes, checkpoint) = text.split_once("\n\n").unwrap();
            let (_, last) = hashes.rsplit_once('\n').unwrap();
            format!("{hashes}\n{last}\n\n{checkpoint}")
        },
    );
    let resized = malformed(|text| text.replace("\n11\n", "\n12\n"));
    cases.refuse(
        "checkpoint_signature",
        "checkpoint_altered",
        "a checkpoint whose size was altered after signing",
        resized,
    );
    let other_log = {
        let full = FullCase::new();
        let mut log = Log::default();
        log.append(&full.leaf(Proven::Execution));
        let root = *log.0.first().unwrap();
        let checkpoint = Checkpoint::new("log.example/2", 1, root).unwrap();
        let checkpoint = SignedCheckpoint::sign(&checkpoint, &log_signer("log.example/2", 7));
        with_executions([log.proof(0, checkpoint)])
    };
    cases
        .refuse(
            "proof_origin",
            "proof_other_log",
            "a proof by a trusted log that is not the statement's",
            other_log,
        )
        .trust = under(&format!(
        "log {}\n{}",
        log_key("log.example/2", 7),
        log_policy()
    ));
    let unnamed = {
        let case = Case::new();
        let mut log = Log::default();
        log.append(&Leaf::of(LeafKind::Execution, &case.envelope(), Some(0)));
        let mut bundle = case.bare();
        let proof = log.proof(0, log.cosigned(1, WITNESSED_S));
        bundle.add_proof(Proven::Execution, proof).unwrap();
        bundle.to_bytes()
    };
    cases.refuse(
        "proof_origin",
        "proof_of_no_log",
        "a proof, and a statement that is for no log",
        unnamed,
    );
    let twice = {
        let full = FullCase::new();
        let mut log = full.log();
        let again = log.append(&full.leaf(Proven::Execution));
        let first = log.proof(EXECUTION_INDEX, log.cosigned(11, WITNESSED_S));
        with_executions([first, log.proof(again, log.cosigned(12, WITNESSED_S))])
    };
    cases.refuse(
        "proof_index",
        "proof_two_places",
        "one statement in two places of the log",
        twice,
    );
    order(&mut cases);
    let forked = {
        let full = FullCase::new();
        let mut other = Log::default();
        other.fill(9);
        other.append(&full.leaf(Proven::Execution));
        other.fill(1);
        let first = full
            .log()
            .proof(EXECUTION_INDEX, full.log().cosigned(11, WITNESSED_S));
        let second = other.proof(EXECUTION_INDEX, other.cosigned(11, WITNESSED_S));
        with_executions([first, second])
    };
    cases.refuse(
        "log_forked",
        "log_forked",
        "two checkpoints of one size with different roots",
        forked,
    );
}

fn order(cases: &mut Logged) {
    let in_order = |order: [Proven; 3]| {
        let full = FullCase::new();
        let mut log = Log::default();
        let indexes = order.map(|of| (of, log.append(&full.leaf(of))));
        let mut bundle = full.case.bare().with_begin(full.begin_envelope());
        for (of, index) in indexes {
            let proof = log.proof(index, log.cosigned(3, WITNESSED_S));
            bundle.add_proof(of, proof).unwrap();
        }
        bundle.to_bytes()
    };
    cases.refuse(
        "proof_order",
        "begin_logged_after",
        "a begin that was logged after the execution",
        in_order([Proven::Delegation, Proven::Execution, Proven::Begin]),
    );
    cases.refuse(
        "proof_order",
        "delegation_logged_after",
        "a delegation that was logged after its key's first use",
        in_order([Proven::Begin, Proven::Delegation, Proven::Execution]),
    );
    cases.refuse(
        "proof_order",
        "delegation_logged_last",
        "a delegation that was logged after the execution",
        in_order([Proven::Begin, Proven::Execution, Proven::Delegation]),
    );
}
