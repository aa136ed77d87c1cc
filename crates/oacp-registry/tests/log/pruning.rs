//! Payloads go after their time, and nothing else does.

use std::path::Path;

use oacp::id::ExecutionId;
use oacp::leaf::LeafKind;
use oacp_registry::{HeldEntries, Log, PayloadError, Pruning, Query, fsck};
use oacp_tlog::hash::leaf_hash;

use crate::directory::{Time, open_at};
use crate::fixture::{Sandbox, execution_id};

/// Appends a sandbox's delegation and executions, and then lets two days pass.
async fn fill(log: &Log, time: &Time, sandbox: u64, executions: std::ops::Range<u64>) {
    let mut signer = Sandbox::new(sandbox);
    log.append(signer.delegation.clone()).await.unwrap();
    for n in executions {
        let principal = if n % 10 == 0 { "alice" } else { "bob" };
        let execution = signer.execution(execution_id(n), "agent", principal);
        log.append(execution).await.unwrap();
    }
    time.pass_days(2);
}

fn assert_sound(dir: &Path, log: &Log) {
    let report = fsck::check(dir, &log.verifier(), None, &mut |_, _| {}).unwrap();
    assert!(report.is_sound(), "{report:#?}");
}

fn index(log: &Log, id: ExecutionId) -> u64 {
    log.index_of(LeafKind::Execution, id).unwrap().unwrap()
}

#[tokio::test]
async fn what_is_old_goes_but_for_what_is_on_hold() {
    let dir = tempfile::tempdir().unwrap();
    let time = Time::new();
    let log = open_at(dir.path(), &time);
    fill(&log, &time, 1, 0..40).await;
    fill(&log, &time, 2, 40..60).await;
    let proof_before = log.proof(3).unwrap();
    let held = HeldEntries {
        principal: Some("alice".to_owned()),
        ..HeldEntries::default()
    };
    log.hold("case 7", held).unwrap();
    let payload_10 = log.payload(index(&log, execution_id(10))).unwrap();

    let before = oacp::time::Timestamp::from_unix_ms(time.now().unix_ms() - 3 * 86_400_000);
    let told = log.prune(before, Pruning::Told).unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].first, told[0].entries, told[0].held), (0, 41, 5));
    log.payload(1).unwrap();

    assert_eq!(log.prune(before, Pruning::Done).unwrap(), told);
    assert_eq!(log.prune(before, Pruning::Done).unwrap(), []);
    for log in [&log, &open_at(dir.path(), &time)] {
        // Those of bob, of the first segment.
        let gone = index(log, execution_id(1));
        let pae = log.leaf(gone).unwrap().pae;
        match log.payload(gone) {
            Err(PayloadError::Pruned { index, digest }) => {
                assert_eq!((index, digest), (gone, pae));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(
            log.payload(index(log, execution_id(10))).unwrap(),
            payload_10
        );
        log.payload(index(log, execution_id(41))).unwrap();
        // A proof from before holds, and there are new ones.
        let leaf = leaf_hash(&log.entry(3).unwrap());
        proof_before.verify(&leaf).unwrap();
        log.proof(3).unwrap().verify(&leaf).unwrap();
        let by_bob = Query {
            principal: Some("bob".to_owned()),
            limit: 1000,
            ..Query::default()
        };
        assert_eq!(log.find(&by_bob).unwrap().rows.len(), 18);
    }
    assert_sound(dir.path(), &log);

    // What a hold kept goes when the hold is off.
    log.release("case 7").unwrap();
    let released = log.prune(before, Pruning::Done).unwrap();
    assert_eq!(released.len(), 1, "{released:?}");
    assert_eq!((released[0].entries, released[0].held), (5, 0));
    assert_eq!(log.prune(before, Pruning::Done).unwrap(), []);
    let gone = log.payload(index(&log, execution_id(10)));
    assert!(matches!(gone, Err(PayloadError::Pruned { .. })), "{gone:?}");
    assert_sound(dir.path(), &log);
}

#[tokio::test]
async fn the_newest_segment_goes_too_and_the_log_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let time = Time::new();
    let log = open_at(dir.path(), &time);
    let other = open_at(dir.path(), &time);
    fill(&log, &time, 1, 0..10).await;
    assert_eq!(log.prune(time.now(), Pruning::Done).unwrap().len(), 1);
    fill(&other, &time, 2, 10..20).await;
    fill(&log, &time, 3, 20..30).await;
    assert_eq!(log.committed().size(), 33);
    assert_sound(dir.path(), &log);
    drop((log, other));
    std::fs::remove_file(dir.path().join("index.sqlite")).unwrap();
    let log = open_at(dir.path(), &time);
    assert_eq!(index(&log, execution_id(5)), 6);
    assert!(matches!(log.payload(6), Err(PayloadError::Pruned { .. })));
    log.payload(index(&log, execution_id(25))).unwrap();
    assert_sound(dir.path(), &log);
}

#[tokio::test]
async fn a_hold_that_is_released_holds_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let time = Time::new();
    let log = open_at(dir.path(), &time);
    let on = HeldEntries {
        execution: Some(execution_id(1)),
        ..HeldEntries::default()
    };
    log.hold("a", on.clone()).unwrap();
    assert!(log.hold("a", on).is_err());
    assert_eq!(log.holds().unwrap().len(), 1);
    log.release("a").unwrap();
    assert!(log.release("a").is_err());
    fill(&log, &time, 1, 0..3).await;
    log.prune(time.now(), Pruning::Done).unwrap();
    let at = index(&log, execution_id(1));
    assert!(matches!(log.payload(at), Err(PayloadError::Pruned { .. })));
}
