//! A monitor, and logs that it catches.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use oacp::Digest;
use oacp::key::SecretKey;
use oacp::leaf::{Leaf, LeafKind};
use oacp_gateway::{
    Expected, FollowError, Look, Misbehaviour, Monitor, MonitorError, MonitorOptions, Quorum,
    Remote, Sight, Trusted,
};
use oacp_tlog::fork::{Fork, ForkVerdict};
use oacp_tlog::{Policy, PolicyError, cosign};

use crate::fixture::*;

fn options(server: &Server, dir: &Path) -> MonitorOptions {
    MonitorOptions {
        log: Remote::new(Arc::new(server.peer())),
        trusted: Trusted::Keys(vec![log_key().verifier()]),
        dir: dir.to_owned(),
        expected: vec![],
        clock: clock(),
    }
}

async fn look(monitor: &mut Monitor) -> (Result<Look, MonitorError>, Vec<Sight>) {
    let mut sights = Vec::new();
    let look = within(monitor.look(&mut |sight| sights.push(sight))).await;
    (look, sights)
}

/// The indexes of the leaves that were told.
fn leaves(sights: &[Sight]) -> Vec<u64> {
    let index = |sight: &Sight| match sight {
        Sight::Leaf { index, .. } => Some(*index),
        _ => None,
    };
    sights.iter().filter_map(index).collect()
}

/// How a log misbehaved, and the evidence, read back from its file.
fn caught(look: Result<Look, MonitorError>) -> (Misbehaviour, Fork) {
    match look {
        Err(MonitorError::Follow(FollowError::Misbehaves { how, fork, path })) => {
            let read = Fork::parse(&std::fs::read(path).unwrap()).unwrap();
            assert_eq!(read, *fork);
            (how, read)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_leaf_is_told_once_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::of(300, "a");
    let log = TestLog::of(history.clone());
    let server = log.start();
    let mut told = Vec::new();
    for grow in [0, 1, 0, 255, 213] {
        history.grow(grow, "a");
        log.show(history.clone());
        // Opened anew: what it remembers is in its files.
        let mut monitor = Monitor::open(options(&server, dir.path())).unwrap();
        let (look, sights) = look(&mut monitor).await;
        let look = look.unwrap();
        assert_eq!((look.from, look.to), (told.len() as u64, history.size()));
        assert_eq!(look.shown.checkpoint, history.checkpoint(history.size()));
        assert_eq!(look.shown.quorum, Quorum::NotChecked);
        for sight in sights {
            match sight {
                Sight::Leaf { index, leaf } => {
                    assert_eq!(leaf.to_bytes(), history.entries[index as usize]);
                    told.push(index);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(monitor.seen(), Some(&history.checkpoint(history.size())));
    }
    assert_eq!(told, (0..769).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_partial_tile_that_became_full_meanwhile_is_read_from_the_full_one() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::of(600, "a");
    let log = TestLog::of(history.clone());
    let server = log.start();
    let mut monitor = Monitor::open(options(&server, dir.path())).unwrap();
    // The log has grown since it signed this, and has only full tiles of it.
    log.show_checkpoint(history.clone(), &history.checkpoint(300));
    let (first, sights) = look(&mut monitor).await;
    assert_eq!((first.unwrap().to, leaves(&sights).len()), (300, 300));
    assert!(log.asked().contains(&"tile/entries/001".to_owned()));
    log.show(history);
    let (second, _) = look(&mut monitor).await;
    assert_eq!(second.unwrap().to, 600);
}

#[tokio::test]
async fn two_roots_of_one_size_are_a_fork() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::of(20, "a");
    let log = TestLog::of(history.clone());
    let server = log.start();
    let mut monitor = Monitor::open(options(&server, dir.path())).unwrap();
    look(&mut monitor).await.0.unwrap();
    log.show(history.forked(5, "b"));
    let (look, sights) = look(&mut monitor).await;
    let (how, fork) = caught(look);
    assert_eq!((how, sights), (Misbehaviour::Fork, vec![]));
    assert_eq!(fork.verify(&log_key().verifier()), Ok(ForkVerdict::Proven));
}

#[tokio::test]
async fn a_larger_tree_of_another_history_is_proven_by_the_logs_own_tiles() {
    for (seen, shown, forks_at) in [(8, 20, 3), (7, 300, 0), (256, 300, 255), (300, 600, 299)] {
        let dir = tempfile::tempdir().unwrap();
        let history = History::of(shown, "a");
        let log = TestLog::of(history.clone());
        let server = log.start();
        log.show_checkpoint(history.clone(), &history.checkpoint(seen));
        let mut monitor = Monitor::open(options(&server, dir.path())).unwrap();
        look(&mut monitor).await.0.unwrap();
        log.show(history.forked(forks_at, "b"));
        let (outcome, sights) = look(&mut monitor).await;
        let (how, fork) = caught(outcome);
        assert_eq!(
            (how, sights),
            (Misbehaviour::Fork, vec![]),
            "{seen} {shown}"
        );
        assert_eq!(fork.verify(&log_key().verifier()), Ok(ForkVerdict::Proven));
        assert_eq!((fork.first().size(), fork.second().size()), (seen, shown));
        // What it has seen stays what it has seen, over a restart too.
        drop(monitor);
        let mut monitor = Monitor::open(options(&server, dir.path())).unwrap();
        let (again, _) = look(&mut monitor).await;
        assert_eq!(caught(again).0, Misbehaviour::Fork);
        log.show(history);
        assert_eq!(look(&mut monitor).await.0.unwrap().to, shown);
    }
}

#[tokio::test]
async fn a_smaller_tree_is_a_rollback_or_a_fork() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::of(20, "a");
    let log = TestLog::of(history.clone());
    let server = log.start();
    let mut monitor = Monitor::open(options(&server, dir.path())).unwrap();
    look(&mut monitor).await.0.unwrap();
    // An old state, tiles and all; and one whose larger tree is still there.
    let mut older = history.clone();
    older.entries.truncate(9);
    for shown in [&older, &history] {
        log.show_checkpoint(shown.clone(), &history.checkpoint(9));
        let (how, fork) = caught(look(&mut monitor).await.0);
        assert_eq!(how, Misbehaviour::Rollback);
        assert_eq!(
            fork.verify(&log_key().verifier()),
            Ok(ForkVerdict::Suspected)
        );
        assert_eq!((fork.first().size(), fork.second().size()), (9, 20));
    }
    // Another history, smaller, while the log's tiles are still those of the first.
    log.show_checkpoint(history.clone(), &history.forked(3, "b").checkpoint(9));
    let (how, fork) = caught(look(&mut monitor).await.0);
    assert_eq!(how, Misbehaviour::Fork);
    assert_eq!(fork.verify(&log_key().verifier()), Ok(ForkVerdict::Proven));
}

#[tokio::test]
async fn damaged_tiles_of_hashes_prove_nothing_and_are_not_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::of(20, "a");
    let log = TestLog::of(history.clone());
    let server = log.start();
    log.show_checkpoint(history.clone(), &history.checkpoint(7));
    let mut monitor = Monitor::open(options(&server, dir.path())).unwrap();
    look(&mut monitor).await.0.unwrap();
    log.show(history);
    log.change_tiles(|tile, mut bytes| {
        if !is_entries(tile) {
            bytes[40] ^= 1;
        }
        bytes
    });
    let (how, fork) = caught(look(&mut monitor).await.0);
    assert_eq!(how, Misbehaviour::Inconsistent);
    assert_eq!(
        fork.verify(&log_key().verifier()),
        Ok(ForkVerdict::Suspected)
    );
}

#[tokio::test]
async fn entries_that_the_log_did_not_sign_are_not_told() {
    for change in [
        |tile, mut bytes: Vec<u8>| {
            if is_entries(tile) {
                bytes[30] ^= 1;
            }
            bytes
        },
        |tile, mut bytes: Vec<u8>| {
            if is_entries(tile) {
                let half = bytes.len() / 2;
                bytes.rotate_left(half);
            }
            bytes
        },
        |tile, bytes: Vec<u8>| match is_entries(tile) {
            true => bytes[..bytes.len() - 1].to_vec(),
            false => bytes,
        },
    ] {
        let dir = tempfile::tempdir().unwrap();
        let history = History::of(20, "a");
        let log = TestLog::of(history.clone());
        let server = log.start();
        log.change_tiles(change);
        let mut monitor = Monitor::open(options(&server, dir.path())).unwrap();
        let (outcome, sights) = look(&mut monitor).await;
        let error = outcome.unwrap_err();
        assert!(!error.is_transient() && sights.is_empty(), "{error}");
        // Once it serves what it signed, nothing is missing.
        log.change_tiles(|_, bytes| bytes);
        let (outcome, sights) = look(&mut monitor).await;
        assert_eq!((outcome.unwrap().to, leaves(&sights).len()), (20, 20));
    }
}

#[tokio::test]
async fn two_leaves_with_one_key_and_one_sequence_are_told_whenever_they_come() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::of(10, "a");
    let log = TestLog::of(history.clone());
    let server = log.start();
    let mut monitor = Monitor::open(options(&server, dir.path())).unwrap();
    assert_eq!(look(&mut monitor).await.1.len(), 10);
    drop(monitor);
    history
        .entries
        .push(leaf(2, 4, "another statement").to_bytes());
    history.entries.push(leaf(3, 4, "another key").to_bytes());
    history
        .entries
        .push(leaf(3, 4, "another key again").to_bytes());
    log.show(history);
    let mut monitor = Monitor::open(options(&server, dir.path())).unwrap();
    let (_, sights) = look(&mut monitor).await;
    let duplicates = sights.iter().filter_map(|sight| match sight {
        Sight::Duplicate(duplicate) => {
            Some((duplicate.sequence, duplicate.first, duplicate.second))
        }
        _ => None,
    });
    assert_eq!(duplicates.collect::<Vec<_>>(), [(4, 4, 10), (4, 11, 12)]);
    assert_eq!(leaves(&sights), [10, 11, 12]);
}

#[tokio::test]
async fn leaves_of_ones_own_key_that_one_does_not_know_of_are_told_and_those_that_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::of(5, "a");
    history.entries.push(b"not a leaf".to_vec());
    let log = TestLog::of(history.clone());
    let server = log.start();
    let parsed: Vec<Leaf> = history
        .entries
        .iter()
        .filter_map(|e| Leaf::parse(e).ok())
        .collect();
    let absent = Digest::of(b"absent");
    let known: BTreeSet<_> = parsed[..4]
        .iter()
        .map(|leaf| leaf.pae)
        .chain([absent])
        .collect();
    let key = SecretKey::from_bytes(&[2; 32]).public().id();
    let mut options = options(&server, dir.path());
    options.expected = vec![Expected { key, known }];
    let mut monitor = Monitor::open(options).unwrap();
    let (outcome, sights) = look(&mut monitor).await;
    assert_eq!(outcome.unwrap().missing, [(key, absent)]);
    let unexpected = sights.iter().filter_map(|sight| match sight {
        Sight::Unexpected { index, .. } => Some(*index),
        _ => None,
    });
    assert_eq!(unexpected.collect::<Vec<_>>(), [4]);
    assert!(matches!(
        sights.last(),
        Some(Sight::NotALeaf { index: 5, .. })
    ));
}

#[tokio::test]
async fn what_witnesses_say_is_told_and_how_old_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::of(20, "a");
    let log = TestLog::of(history.clone());
    let server = log.start();
    let witness = cosigner("w.example", 20);
    let text = format!(
        "log {}\nwitness w {}\nquorum w\n",
        log_key().verifier(),
        witness.verifier()
    );
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let mut options = options(&server, dir.path());
    options.trusted = Trusted::Policy(Box::new(policy));
    let mut monitor = Monitor::open(options).unwrap();
    let without = look(&mut monitor).await.0.unwrap();
    let none = PolicyError::NoQuorum { witnesses: vec![] };
    assert_eq!(
        (without.shown.quorum, without.age_s),
        (Quorum::Unmet(none), None)
    );
    let mut cosigned = history.checkpoint(20);
    cosigned
        .add_signature(cosign(&cosigned, &witness, NOW_S - 90))
        .unwrap();
    log.show_checkpoint(history, &cosigned);
    let with = look(&mut monitor).await.0.unwrap();
    assert_eq!(with.age_s, Some(90));
    assert_eq!((with.from, with.to), (20, 20));
}

#[tokio::test]
async fn nobody_elses_checkpoint_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::of(20, "a");
    let log = TestLog::of(history.clone());
    let server = log.start();
    let mut monitor = Monitor::open(options(&server, dir.path())).unwrap();
    for key in [log_key_of(ORIGIN, 10), log_key_of("elsewhere.example", 9)] {
        log.show_checkpoint(history.clone(), &history.signed(20, &key));
        let refused = look(&mut monitor).await.0;
        let is_not_signed = matches!(
            refused,
            Err(MonitorError::Follow(FollowError::NotSigned { .. }))
        );
        assert!(is_not_signed);
    }
    assert_eq!(monitor.seen(), None);
}

#[tokio::test]
async fn a_log_that_is_down_is_looked_at_again() {
    let dir = tempfile::tempdir().unwrap();
    let log = TestLog::of(History::of(1000, "a"));
    let server = log.start();
    let mut monitor = Monitor::open(options(&server, dir.path())).unwrap();
    log.give_out(2);
    let (outcome, sights) = look(&mut monitor).await;
    assert!(outcome.unwrap_err().is_transient() && sights.is_empty());
    log.give_out(usize::MAX);
    assert_eq!(look(&mut monitor).await.0.unwrap().to, 1000);
    drop(server);
    assert!(look(&mut monitor).await.0.unwrap_err().is_transient());
}

#[tokio::test]
async fn damaged_memory_is_refused_and_shared_by_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let log = TestLog::of(History::of(20, "a"));
    let server = log.start();
    let mut monitor = Monitor::open(options(&server, dir.path())).unwrap();
    let second = Monitor::open(options(&server, dir.path()));
    assert!(matches!(second.err(), Some(MonitorError::InUse { .. })));
    look(&mut monitor).await.0.unwrap();
    drop(monitor);
    for name in ["seen", "leaves"] {
        let path = dir.path().join(name);
        let whole = std::fs::read(&path).unwrap();
        for damaged in [whole[..whole.len() - 1].to_vec(), {
            let mut flipped = whole.clone();
            flipped[70] ^= 1;
            flipped
        }] {
            std::fs::write(&path, damaged).unwrap();
            let refused = Monitor::open(options(&server, dir.path())).err().unwrap();
            assert!(matches!(refused, MonitorError::State(_)), "{refused}");
        }
        // What a crash left behind the records is not taken for any.
        let longer = [whole.clone(), vec![7; 50]].concat();
        std::fs::write(&path, if name == "leaves" { longer } else { whole }).unwrap();
    }
    let mut monitor = Monitor::open(options(&server, dir.path())).unwrap();
    assert_eq!(look(&mut monitor).await.0.unwrap().from, 20);
}

#[tokio::test]
async fn what_was_begun_and_not_ended_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::default();
    let log = TestLog::of(history.clone());
    let server = log.start();
    // By key and number.
    type Leaves<'a> = &'a [(u8, u64, LeafKind)];
    let mut push = |leaves: Leaves<'_>| {
        for (key, sequence, kind) in leaves {
            let leaf = leaf_of(*kind, *key, *sequence, &format!("{{\"{key}\":{sequence}}}"));
            history.entries.push(leaf.to_bytes());
        }
        log.show(history.clone());
    };
    let (begin, execution, close) = (LeafKind::Begin, LeafKind::Execution, LeafKind::Close);
    let steps: [(Leaves<'_>, &[u64]); 4] = [
        // One that was ended, one without a begin, one that goes on; and another key's, which is away.
        (
            &[
                (2, 0, begin),
                (2, 1, execution),
                (2, 2, execution),
                (2, 3, begin),
                (3, 0, begin),
            ],
            &[3, 4],
        ),
        // The next is begun and ended, and that before it never was; then nothing more comes.
        (&[(2, 4, begin), (2, 5, execution), (2, 6, close)], &[3, 4]),
        // The same statement of another key's run, twice, ends one.
        (
            &[(3, 1, begin), (3, 2, execution), (3, 2, execution)],
            &[3, 4],
        ),
        // It comes late.
        (&[(2, 7, execution)], &[4]),
    ];
    let mut odd = Vec::new();
    for (leaves, begun) in steps {
        push(leaves);
        // Over restarts.
        let mut monitor = Monitor::open(options(&server, dir.path())).unwrap();
        let (look, sights) = look(&mut monitor).await;
        assert_eq!(look.unwrap().begun, begun);
        odd.extend(sights.into_iter().filter_map(|sight| match sight {
            Sight::Unended(unended) => Some((unended.closed, unended.begun)),
            _ => None,
        }));
    }
    assert_eq!(odd, [(7, vec![3])]);
}

#[tokio::test]
async fn following_goes_on_until_it_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::of(20, "a");
    let log = TestLog::of(history.clone());
    let server = log.start();
    let mut monitor = Monitor::open(options(&server, dir.path())).unwrap();
    let (mut grown, forked) = (history.clone(), history.forked(5, "b"));
    grown.grow(1, "a");
    let mut looks = Vec::new();
    let mut looked = |look: Result<Look, MonitorError>| {
        looks.push(look.is_ok());
        match looks.len() {
            1 => {
                log.show(grown.clone());
                log.give_out(0);
            }
            _ => log.show(forked.clone()),
        }
    };
    let error = within(monitor.follow(Duration::ZERO, &mut |_| {}, &mut looked)).await;
    assert_eq!(looks, [true, false]);
    assert!(matches!(caught(Err(error)), (Misbehaviour::Fork, _)));
}
