//! A log that signs two histories is refused, and what it signed is kept where anybody can check it.

use std::path::Path;

use oacp_tlog::fork::{Fork, ForkError, ForkVerdict};

use crate::fixture::*;

/// The evidence in a directory of a witness, verified under the log's key.
fn evidence(dir: &Path, kind: &str) -> Vec<(Fork, Result<ForkVerdict, ForkError>)> {
    let dir = dir.join(kind);
    let names = files(&dir);
    let read = |name: &String| {
        let fork = Fork::parse(&std::fs::read(dir.join(name)).unwrap()).unwrap();
        let verdict = fork.verify(&log_key().verifier());
        (fork, verdict)
    };
    names.iter().map(read).collect()
}

fn keys() -> Vec<oacp_tlog::SignerKey> {
    vec![cosigner("w.example", 20)]
}

#[tokio::test]
async fn two_roots_of_one_size_are_refused_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let witnessing = witness(dir.path(), keys(), vec![log_key().verifier()]);
    let server = Server::witness(witnessing.witness);
    let (one, other) = (History::of(8, "a"), History::of(8, "b"));
    assert_eq!(
        server
            .post("add-checkpoint", one.request(0, 8))
            .await
            .status,
        200
    );
    // Whatever old size it comes with: it shows by itself that the log signs two histories.
    for old in [8, 0] {
        let body = request(old, vec![], other.checkpoint(8));
        let reply = server.post("add-checkpoint", body).await;
        assert_eq!(reply.status, 409);
        let text = String::from_utf8(reply.body).unwrap();
        assert!(text.contains("two histories"), "{text}");
    }
    let evidence = evidence(dir.path(), "forks");
    assert_eq!(evidence.len(), 1);
    let (fork, verdict) = &evidence[0];
    assert_eq!(*verdict, Ok(ForkVerdict::Proven));
    assert_eq!(fork.first(), &one.checkpoint(8));
    assert_eq!(fork.second(), &other.checkpoint(8));
    // The operator was told once, and the world can see it.
    assert_eq!(witnessing.told.lines().len(), 1);
    assert!(witnessing.told.lines()[0].contains("has signed two histories"));
    let about = server.get("").await;
    let about: serde_json::Value = serde_json::from_slice(&about.body).unwrap();
    assert_eq!(about["logs"][0]["forks"], 1);
    // The history that it knows goes on.
    assert_eq!(
        server
            .post("add-checkpoint", one.request(8, 8))
            .await
            .status,
        200
    );
}

#[test]
fn a_larger_tree_of_another_history_is_refused_and_its_own_proof_convicts_it() {
    for old in [3, 5, 6, 7, 200, 257, 300] {
        let dir = tempfile::tempdir().unwrap();
        let witnessing = witness(dir.path(), keys(), vec![log_key().verifier()]);
        let (one, other) = (History::of(301, "a"), History::of(301, "b"));
        witnessing
            .witness
            .add_checkpoint(&one.request(0, old))
            .unwrap();
        witnessing
            .witness
            .add_checkpoint(&other.request(old, 301))
            .unwrap_err();
        let evidence = evidence(dir.path(), "forks");
        assert_eq!(evidence.len(), 1, "from {old}");
        assert_eq!(evidence[0].1, Ok(ForkVerdict::Proven), "from {old}");
        // It is stuck to the history that it knows.
        witnessing
            .witness
            .add_checkpoint(&one.request(old, 301))
            .unwrap();
    }
}

#[test]
fn a_proof_that_takes_the_old_root_for_granted_convicts_nobody() {
    for old in [1, 2, 4, 128, 256] {
        let dir = tempfile::tempdir().unwrap();
        let witnessing = witness(dir.path(), keys(), vec![log_key().verifier()]);
        let (one, other) = (History::of(300, "a"), History::of(300, "b"));
        witnessing
            .witness
            .add_checkpoint(&one.request(0, old))
            .unwrap();
        witnessing
            .witness
            .add_checkpoint(&other.request(old, 300))
            .unwrap_err();
        assert_eq!(evidence(dir.path(), "forks"), [], "from {old}");
        let evidence = evidence(dir.path(), "unproven");
        assert_eq!(evidence.len(), 1, "from {old}");
        assert_eq!(evidence[0].1, Ok(ForkVerdict::Suspected), "from {old}");
    }
}

#[test]
fn a_strangers_wrong_proof_convicts_nobody_and_does_not_fill_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let witnessing = witness(dir.path(), keys(), vec![log_key().verifier()]);
    let history = History::of(200, "a");
    witnessing
        .witness
        .add_checkpoint(&history.request(0, 5))
        .unwrap();
    // A stranger has every checkpoint that the log ever showed, and sends each with a proof of its own making.
    for size in 6..=200 {
        let mut proof = history.consistency(5, size);
        proof.reverse();
        proof.push(history.root(1));
        let body = request(5, proof, history.checkpoint(size));
        witnessing.witness.add_checkpoint(&body).unwrap_err();
    }
    assert_eq!(evidence(dir.path(), "forks"), []);
    let unproven = evidence(dir.path(), "unproven");
    assert_eq!(unproven.len(), 64);
    assert!(
        unproven
            .iter()
            .all(|(_, verdict)| *verdict == Ok(ForkVerdict::Suspected))
    );
    // What does convict finds room.
    let other = History::of(5, "b");
    witnessing
        .witness
        .add_checkpoint(&request(5, vec![], other.checkpoint(5)))
        .unwrap_err();
    assert_eq!(evidence(dir.path(), "forks").len(), 1);
    assert_eq!(witnessing.witness.logs()[0].unproven, 64);
}

#[test]
fn a_smaller_tree_is_not_cosigned_again() {
    let dir = tempfile::tempdir().unwrap();
    let witnessing = witness(dir.path(), keys(), vec![log_key().verifier()]);
    let history = History::of(8, "a");
    witnessing
        .witness
        .add_checkpoint(&history.request(0, 8))
        .unwrap();
    for old in [0, 5] {
        let refused = witnessing.witness.add_checkpoint(&history.request(old, 5));
        assert!(refused.is_err());
    }
    assert_eq!(witnessing.witness.logs()[0].size, Some(8));
    assert_eq!(evidence(dir.path(), "forks"), []);
}
