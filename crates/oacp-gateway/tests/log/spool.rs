//! The spool as a directory.

use std::fs;
use std::time::Duration;

use oacp_egress::Options;
use oacp_gateway::{Pending, RemoteRegistry, Spool, SpoolError};

use crate::fixture::{Sandbox, Server, WRITE, origin, runtime, scratch, token};

fn remote(server: &Server) -> RemoteRegistry {
    RemoteRegistry::new(
        &server.url(),
        Some(&token(WRITE)),
        origin(),
        &Options::default(),
    )
    .unwrap()
    .with_patience(Duration::ZERO)
}

#[test]
fn an_envelope_is_a_file_of_its_own_and_there_once() {
    let dir = scratch();
    let path = dir.path().join("a/b");
    let spool = Spool::open(&path).unwrap();
    assert_eq!(spool.pending().unwrap(), Pending::default());
    let envelope = Sandbox::new(2).delegation;
    spool.put(&envelope).unwrap();
    spool.put(&envelope).unwrap();
    let bytes = envelope.to_json();
    let expected = Pending {
        entries: 1,
        bytes: bytes.len() as u64,
    };
    assert_eq!(Spool::open(&path).unwrap().pending().unwrap(), expected);
    let file = path.join(format!("{}.json", envelope.pae_digest().hex()));
    assert_eq!(fs::read(&file).unwrap(), bytes);
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(&path)), (0o600, 0o700));
    }
}

#[test]
fn a_full_spool_refuses_and_drops_nothing() {
    let dir = scratch();
    let sandbox = Sandbox::new(2);
    let size = sandbox.delegation.to_json().len() as u64;
    for (entries_max, bytes_max) in [(1, u64::MAX), (9, size)] {
        let path = dir.path().join(format!("{entries_max}"));
        let spool = Spool::open(&path)
            .unwrap()
            .with_limits(entries_max, bytes_max);
        spool.put(&sandbox.delegation).unwrap();
        let error = spool.put(&sandbox.execution(0)).unwrap_err();
        assert!(matches!(error, SpoolError::Full { .. }), "{error}");
        // What is there may be put in again.
        spool.put(&sandbox.delegation).unwrap();
        assert_eq!(spool.pending().unwrap().entries, 1);
    }
}

#[test]
fn delegations_are_sent_first_then_each_sandboxs_statements_in_order() {
    let (dir, log_dir) = (scratch(), scratch());
    let server = Server::start(log_dir.path());
    let spool = Spool::open(dir.path()).unwrap();
    let (one, two) = (Sandbox::new(2), Sandbox::new(3));
    let mut envelopes = [one.all(12), two.all(12)].concat();
    envelopes.reverse();
    for envelope in &envelopes {
        spool.put(envelope).unwrap();
    }
    let sent = runtime()
        .block_on(spool.send_all(&remote(&server)))
        .unwrap();
    assert!(sent.refused.is_empty() && sent.damaged.is_empty());
    assert_eq!(sent.appended.len(), 26);
    let index = |envelope: &oacp::Envelope| sent.appended[&envelope.pae_digest()].index;
    assert!(index(&one.delegation) < 2 && index(&two.delegation) < 2);
    for sandbox in [one, two] {
        let indexes: Vec<_> = (0..12)
            .map(|number| index(&sandbox.execution(number)))
            .collect();
        assert!(indexes.is_sorted(), "{indexes:?}");
    }
    assert!(spool.is_empty().unwrap());
}

#[test]
fn what_is_refused_for_now_or_damaged_stays_and_holds_up_nothing() {
    let (dir, log_dir) = (scratch(), scratch());
    let server = Server::start(log_dir.path());
    let spool = Spool::open(dir.path()).unwrap();
    let sandbox = Sandbox::new(2);
    let stranger = Sandbox::new(4).execution(0);
    for envelope in sandbox.all(2).iter().chain([&stranger]) {
        spool.put(envelope).unwrap();
    }
    // Another envelope than its name says, and half of one.
    let swapped = dir.path().join(format!("{}.json", "0".repeat(64)));
    fs::write(&swapped, sandbox.execution(5).to_json()).unwrap();
    let half = dir.path().join(format!("{}.json", "1".repeat(64)));
    fs::write(&half, &sandbox.execution(6).to_json()[..100]).unwrap();
    fs::write(dir.path().join("unfinished.1-0.tmp"), b"{").unwrap();

    for expected in [3, 0] {
        let sent = runtime()
            .block_on(spool.send_all(&remote(&server)))
            .unwrap();
        assert_eq!(sent.appended.len(), expected);
        assert_eq!(sent.refused[&stranger.pae_digest()].code, "unknown_key");
        assert_eq!(sent.damaged, [swapped.clone(), half.clone()]);
    }
    assert_eq!(spool.pending().unwrap().entries, 3);
    assert!(spool.refused().unwrap().is_empty());
    assert_eq!(server.size(), 3);
    // Somebody may say that it is to go.
    spool.discard(&stranger.pae_digest()).unwrap();
    assert_eq!(spool.pending().unwrap().entries, 2);
}

/// A spool with an execution that the log has refused for good: it has another one of that id.
fn with_a_conflict(dir: &std::path::Path, server: &Server) -> (Spool, oacp::Envelope) {
    let spool = Spool::open(dir).unwrap();
    let sandbox = Sandbox::new(2);
    server.append(&sandbox.all(1));
    let mut other = sandbox.statement(0);
    other.sequence = 7;
    let conflicting = sandbox.sign(&other);
    for envelope in [&sandbox.delegation, &conflicting, &sandbox.execution(1)] {
        spool.put(envelope).unwrap();
    }
    let sent = runtime().block_on(spool.send_all(&remote(server))).unwrap();
    assert_eq!(sent.appended.len(), 2);
    assert_eq!(sent.refused[&conflicting.pae_digest()].code, "conflict");
    (spool, conflicting)
}

#[test]
fn what_is_refused_for_good_is_kept_and_sent_no_more() {
    let (dir, log_dir) = (scratch(), scratch());
    let server = Server::start(log_dir.path());
    let (spool, conflicting) = with_a_conflict(dir.path(), &server);
    assert!(spool.is_empty().unwrap());
    let digest = conflicting.pae_digest();
    let kept = dir.path().join(format!("refused/{}.json", digest.hex()));
    assert_eq!(fs::read(&kept).unwrap(), conflicting.to_json());
    let refused = Spool::open(dir.path()).unwrap().refused().unwrap();
    assert_eq!(refused.keys().collect::<Vec<_>>(), [&digest]);
    assert_eq!(
        refused[&digest].to_string(),
        "entry 1 is the execution of this id, with other bytes (conflict)"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let reason = kept.with_extension("reason");
        let above = kept.parent().unwrap().to_owned();
        assert_eq!(
            (mode(kept), mode(reason), mode(above)),
            (0o600, 0o600, 0o700)
        );
    }
    let sent = runtime()
        .block_on(spool.send_all(&remote(&server)))
        .unwrap();
    assert_eq!(sent, oacp_gateway::Sent::default());
    // It counts: a log that refuses everything does not fill the disk.
    let full = spool.clone().with_limits(1, u64::MAX);
    let error = full.put(&Sandbox::new(2).execution(2)).unwrap_err();
    assert!(matches!(error, SpoolError::Full { .. }), "{error}");

    spool.discard(&digest).unwrap();
    assert!(spool.refused().unwrap().is_empty());
    assert_eq!(fs::read_dir(dir.path().join("refused")).unwrap().count(), 0);
}

#[test]
fn what_was_refused_is_sent_again_when_it_is_said() {
    let (dir, log_dir, mended) = (scratch(), scratch(), scratch());
    let server = Server::start(log_dir.path());
    let (spool, conflicting) = with_a_conflict(dir.path(), &server);
    server.stop();
    // The log of the same name that does not have the other one.
    let server = Server::start(mended.path());
    spool.put(&Sandbox::new(2).delegation).unwrap();
    spool.retry_refused().unwrap();
    assert!(spool.refused().unwrap().is_empty());
    assert_eq!(spool.pending().unwrap().entries, 2);
    let sent = runtime()
        .block_on(spool.send_all(&remote(&server)))
        .unwrap();
    assert_eq!(sent.appended[&conflicting.pae_digest()].index, 1);
    assert!(spool.is_empty().unwrap());
}
