//! The witness over HTTP: every status of tlog-witness.

use oacp_gateway::{Witness, WitnessError, WitnessOptions};
use oacp_tlog::verified_time;
use oacp_tlog::witness::parse_cosignatures;

use crate::fixture::*;

fn both_keys() -> Vec<oacp_tlog::SignerKey> {
    vec![cosigner("w.example", 20), ml_dsa_cosigner("w.example", 21)]
}

#[tokio::test]
async fn a_checkpoint_that_continues_the_one_before_is_cosigned_by_every_key() {
    let dir = tempfile::tempdir().unwrap();
    let witnessing = witness(dir.path(), both_keys(), vec![log_key().verifier()]);
    let verifiers = witnessing.witness.verifiers();
    let server = Server::witness(witnessing.witness);
    let history = History::of(300, "a");
    for (old, new) in [(0, 3), (3, 3), (3, 256), (256, 300), (300, 300)] {
        let reply = server
            .post("add-checkpoint", history.request(old, new))
            .await;
        assert_eq!(reply.status, 200, "{old} to {new}");
        let cosignatures = parse_cosignatures(&reply.body).unwrap();
        assert_eq!(cosignatures.len(), 2);
        let mut checkpoint = history.checkpoint(new);
        for cosignature in cosignatures {
            checkpoint.add_signature(cosignature).unwrap();
        }
        for verifier in &verifiers {
            assert_eq!(verified_time(&checkpoint, verifier), Some(NOW_S));
        }
    }
    let about = server.get("").await;
    assert_eq!(about.content_type.as_deref(), Some("application/json"));
    let about: serde_json::Value = serde_json::from_slice(&about.body).unwrap();
    assert_eq!(about["keys"][1], verifiers[1].to_string());
    assert_eq!(about["logs"][0]["origin"], ORIGIN);
    assert_eq!(
        about["logs"][0]["keys"][0],
        log_key().verifier().to_string()
    );
    assert_eq!(about["logs"][0]["size"], 300);
    assert_eq!(about["logs"][0]["forks"], 0);
    assert_eq!(witnessing.told.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn every_refusal_has_the_status_of_the_specification() {
    let dir = tempfile::tempdir().unwrap();
    let witnessing = witness(dir.path(), both_keys(), vec![log_key().verifier()]);
    let server = Server::witness(witnessing.witness);
    let history = History::of(20, "a");
    assert_eq!(
        server
            .post("add-checkpoint", history.request(0, 5))
            .await
            .status,
        200
    );

    let other_key = log_key_of(ORIGIN, 10);
    let other_log = log_key_of("elsewhere.example", 9);
    let mut no_line_feed = history.request(5, 6);
    no_line_feed.pop();
    let mut wrong_proof = history.consistency(5, 9);
    wrong_proof.swap(0, 1);
    for (name, body, status) in [
        ("no request", b"old".to_vec(), 400),
        ("nothing", vec![], 400),
        ("cut off", no_line_feed, 400),
        (
            "old size above",
            request(9, vec![], history.checkpoint(8)),
            400,
        ),
        (
            "another log",
            request(5, vec![], history.signed(8, &other_log)),
            404,
        ),
        (
            "another key",
            request(5, history.consistency(5, 8), history.signed(8, &other_key)),
            403,
        ),
        ("no proof", request(5, vec![], history.checkpoint(8)), 422),
        (
            "another proof",
            request(5, wrong_proof, history.checkpoint(9)),
            422,
        ),
        (
            "a proof too many",
            request(5, history.consistency(5, 9), history.checkpoint(5)),
            422,
        ),
        ("too large", vec![b'x'; 300 << 10], 413),
    ] {
        let reply = server.post("add-checkpoint", body).await;
        assert_eq!(reply.status, status, "{name}");
        assert_ne!(
            reply.content_type.as_deref(),
            Some("text/x.tlog.size"),
            "{name}"
        );
    }
    for (old, new) in [(0, 8), (4, 8), (6, 8), (4, 4)] {
        let reply = server
            .post("add-checkpoint", history.request(old, new))
            .await;
        assert_eq!(
            (reply.status, reply.body.as_slice()),
            (409, b"5\n".as_slice())
        );
        assert_eq!(reply.content_type.as_deref(), Some("text/x.tlog.size"));
    }
    // None of this has changed what it knows.
    assert_eq!(
        server
            .post("add-checkpoint", history.request(5, 20))
            .await
            .status,
        200
    );
    assert_eq!(server.get("add-checkpoint").await.status, 405);
    assert_eq!(server.get("elsewhere").await.status, 404);
}

#[tokio::test]
async fn only_the_logs_own_signatures_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let witnessing = witness(dir.path(), both_keys(), vec![log_key().verifier()]);
    let history = History::of(5, "a");
    let mut checkpoint = history.checkpoint(5);
    let stranger = cosigner("stranger.example", 40);
    checkpoint
        .add_signature(oacp_tlog::cosign(&checkpoint, &stranger, 1))
        .unwrap();
    let body = request(0, vec![], checkpoint);
    assert_eq!(witnessing.witness.add_checkpoint(&body).unwrap().len(), 2);
    let kept = std::fs::read_to_string(dir.path().join(state_file(ORIGIN))).unwrap();
    assert!(kept.ends_with(&history.checkpoint(5).to_string()), "{kept}");
}

#[tokio::test]
async fn logs_are_watched_apart_and_may_have_several_keys() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (log_key(), log_key_of("other.example", 9));
    let second = log_key_of(ORIGIN, 12);
    let logs = vec![one.verifier(), second.verifier(), other.verifier()];
    let witnessing = witness(dir.path(), both_keys(), logs);
    let history = History::of(9, "a");
    let ask = |old, new, key| {
        let body = request(old, history.consistency(old, new), history.signed(new, key));
        witnessing.witness.add_checkpoint(&body).is_ok()
    };
    assert!(ask(0, 5, &one) && ask(0, 9, &other) && ask(5, 7, &second) && ask(7, 9, &one));
    let logs = witnessing.witness.logs();
    let sizes = logs
        .iter()
        .map(|log| (log.origin.as_str(), log.keys.len(), log.size));
    let sizes: Vec<_> = sizes.collect();
    assert_eq!(sizes, [(ORIGIN, 2, Some(9)), ("other.example", 1, Some(9))]);
}

#[test]
fn a_key_has_one_role() {
    let dir = tempfile::tempdir().unwrap();
    let open = |keys, logs| {
        let options = WitnessOptions {
            keys,
            logs,
            dir: dir.path().to_owned(),
            clock: clock(),
            operator: Told::default().log(),
        };
        Witness::open(options).err().unwrap()
    };
    let log = || vec![log_key().verifier()];
    assert!(matches!(open(vec![], log()), WitnessError::NoKey));
    let refused = open(vec![log_key_of("w.example", 1)], log());
    assert!(matches!(refused, WitnessError::NotACosigner { .. }));
    let refused = open(vec![cosigner("w.example", 9)], log());
    assert!(matches!(refused, WitnessError::KeyOfLog { .. }));
    let refused = open(both_keys(), vec![cosigner("w.example", 3).verifier()]);
    assert!(matches!(refused, WitnessError::NotALogKey { .. }));
}
