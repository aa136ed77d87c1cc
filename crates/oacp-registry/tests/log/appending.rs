//! What is appended stays, is found, and can be proved.

use oacp::leaf::LeafKind;
use oacp_registry::{AppendError, Log, LogOptions, Publication};
use oacp_tlog::hash::leaf_hash;

use crate::directory::{Time, open, options};
use crate::fixture::{Sandbox, execution_id};

#[tokio::test]
async fn what_was_appended_is_there_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut sandbox = Sandbox::new(1);
    let execution = sandbox.execution(execution_id(1), "agent", "alice");
    {
        let log = open(dir.path());
        let first = log.append(sandbox.delegation.clone()).await.unwrap();
        assert_eq!((first.index, first.is_new), (0, true));
        let second = log.append(execution.clone()).await.unwrap();
        assert_eq!((second.index, second.is_new), (1, true));
        assert_eq!(log.checkpoint().unwrap().size(), 2);
    }
    let log = open(dir.path());
    assert_eq!(log.committed().size(), 2);
    let again = log.append(execution.clone()).await.unwrap();
    assert_eq!((again.index, again.is_new), (1, false));
    let index = log.index_of(LeafKind::Execution, execution_id(1)).unwrap();
    assert_eq!(index, Some(1));
    assert_eq!(log.payload(1).unwrap(), execution);
    let proof = log.proof(1).unwrap();
    proof.verify(&leaf_hash(&log.entry(1).unwrap())).unwrap();
    assert!(proof.checkpoint().verify(&log.verifier()));
}

#[tokio::test]
async fn another_statement_of_the_same_execution_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let mut sandbox = Sandbox::new(1);
    log.append(sandbox.delegation.clone()).await.unwrap();
    log.append(sandbox.execution(execution_id(1), "agent", "alice"))
        .await
        .unwrap();
    let other = log
        .append(sandbox.execution(execution_id(1), "agent", "bob"))
        .await;
    let conflict = AppendError::Conflict {
        kind: LeafKind::Execution,
        index: 1,
    };
    assert_eq!(other, Err(conflict));
    assert_eq!(log.committed().size(), 2);
}

#[tokio::test]
async fn what_no_known_key_signed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let mut sandbox = Sandbox::new(1);
    let unknown = log
        .append(sandbox.execution(execution_id(1), "agent", "alice"))
        .await;
    assert_eq!(unknown.unwrap_err().code(), "unknown_key");
}

#[tokio::test]
async fn two_processes_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (open(dir.path()), open(dir.path()));
    let (mut one, mut two) = (Sandbox::new(1), Sandbox::new(2));
    a.append(one.delegation.clone()).await.unwrap();
    b.append(two.delegation.clone()).await.unwrap();
    for n in 0..300 {
        let (log, sandbox) = if n % 3 == 0 {
            (&a, &mut one)
        } else {
            (&b, &mut two)
        };
        let appended = log
            .append(sandbox.execution(execution_id(n), "agent", "alice"))
            .await
            .unwrap();
        assert_eq!(appended.index, n + 2);
    }
    assert_eq!(a.committed(), b.committed());
    for log in [&a, &b, &open(dir.path())] {
        for index in 0..302 {
            let proof = log.proof(index).unwrap();
            proof
                .verify(&leaf_hash(&log.entry(index).unwrap()))
                .unwrap();
            log.payload(index).unwrap();
        }
        assert_eq!(
            log.consistency(2, 302).unwrap(),
            a.consistency(2, 302).unwrap()
        );
    }
}

#[tokio::test]
async fn what_one_process_gives_out_the_other_sees() {
    let dir = tempfile::tempdir().unwrap();
    let cosigned = || LogOptions {
        publication: Publication::WhenCosigned,
        ..options(&Time::new())
    };
    let a = Log::open(dir.path(), cosigned()).unwrap();
    let b = Log::open(dir.path(), cosigned()).unwrap();
    b.append(Sandbox::new(1).delegation).await.unwrap();
    assert_eq!(a.checkpoint(), None);
    a.publish(a.committed()).unwrap();
    for log in [&a, &b] {
        assert_eq!(log.checkpoint().unwrap().size(), 1);
        assert_eq!(log.proof(0).unwrap().index(), 0);
        assert_eq!(log.consistency(0, 1).unwrap(), []);
    }
}
