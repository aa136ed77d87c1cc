//! A mirror: its copy is the log's, tile by tile, whatever happens in between.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use oacp_gateway::{
    FollowError, Mirror, MirrorError, MirrorOptions, Misbehaviour, Remote, Trusted,
};
use oacp_tlog::{Policy, SignedCheckpoint, SignerKey, verified_time};

use crate::fixture::*;

fn options(server: &Server, dir: &Path) -> MirrorOptions {
    MirrorOptions {
        log: Remote::new(Arc::new(server.peer())),
        trusted: Trusted::Keys(vec![log_key().verifier()]),
        dir: dir.to_owned(),
        keys: vec![],
        clock: clock(),
    }
}

/// Every tile that a reader of the copy's checkpoint may ask for is there, and is the log's.
fn assert_is_copy(dir: &Path, history: &History) -> SignedCheckpoint {
    let checkpoint = SignedCheckpoint::parse(&fs::read(dir.join("checkpoint")).unwrap()).unwrap();
    let own = history.checkpoint(checkpoint.size());
    assert_eq!(checkpoint.checkpoint(), own.checkpoint());
    assert!(checkpoint.verify(&log_key().verifier()));
    for (tile, bytes) in history.tiles(checkpoint.size()) {
        let copied = fs::read(dir.join(tile.to_string()));
        assert_eq!(copied.unwrap(), bytes, "{tile}");
    }
    checkpoint
}

#[tokio::test]
async fn a_copy_follows_the_log_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::of(1, "a");
    let log = TestLog::of(history.clone());
    let server = log.start();
    let mut before = 0;
    for grow in [0, 254, 1, 44, 0, 300, 600] {
        history.grow(grow, "a");
        log.show(history.clone());
        let mut mirror = Mirror::open(options(&server, dir.path())).unwrap();
        let copied = within(mirror.copy()).await.unwrap();
        assert_eq!((copied.from, copied.to), (before, history.size()));
        assert_eq!(assert_is_copy(dir.path(), &history), copied.checkpoint);
        before = history.size();
    }
    // Partial tiles of what has become full are gone, and so is all that was on its way.
    let names = files(dir.path());
    let partials: Vec<_> = names.iter().filter(|name| name.contains(".p/")).collect();
    for name in &partials {
        let full = name.split(".p/").next().unwrap();
        assert!(!names.contains(&full.to_owned()), "{name}");
    }
    assert!(
        !names.iter().any(|name| name.ends_with(".tmp")),
        "{names:?}"
    );
    // The copy is a log, for our own server and for any other.
    for (name, server) in [
        ("a", Server::mirror(dir.path())),
        ("b", files_of(dir.path())),
    ] {
        let mut mirror = Mirror::open(options(&server, &dir.path().join(name))).unwrap();
        assert_eq!(within(mirror.copy()).await.unwrap().to, history.size());
    }
}

#[tokio::test]
async fn a_copy_is_served_and_nothing_else_of_its_directory() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::of(300, "a");
    let log = TestLog::of(history.clone());
    let server = log.start();
    let served = Server::mirror(dir.path());
    assert_eq!(served.get("checkpoint").await.status, 404);
    let mut mirror = Mirror::open(options(&server, dir.path())).unwrap();
    within(mirror.copy()).await.unwrap();
    let checkpoint = served.get("checkpoint").await;
    assert_eq!(
        checkpoint.content_type.as_deref(),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(
        checkpoint.body,
        history.checkpoint(300).to_string().as_bytes()
    );
    // What the copy never had, or no longer has, as a partial tile.
    for path in [
        "tile/entries/000",
        "tile/entries/000.p/7",
        "tile/0/000.p/255",
        "tile/0/001.p/44",
    ] {
        let reply = served.get(path).await;
        assert_eq!(
            reply.content_type.as_deref(),
            Some("application/octet-stream")
        );
        assert_eq!(
            Some(reply.body),
            history.tile(path.parse().unwrap()),
            "{path}"
        );
    }
    for path in [
        "mirror-state",
        "lock",
        "tile/0/001",
        "tile/0/001.p/45",
        "tile/../mirror-state",
        "tile/%2e%2e/mirror-state",
        "tile/0/%2e%2e%2f%2e%2e%2fmirror-state",
        "tile/",
    ] {
        assert_eq!(served.get(path).await.status, 404, "{path}");
    }
}

/// Serves a directory as it is.
fn files_of(dir: &Path) -> Server {
    use axum::extract::{Path as UrlPath, State};
    let read = |State(dir): State<std::path::PathBuf>, UrlPath(path): UrlPath<String>| async move {
        fs::read(dir.join(path)).map_err(|_| axum::http::StatusCode::NOT_FOUND)
    };
    let router = axum::Router::new().route("/{*path}", axum::routing::get(read));
    Server::start(router.with_state(dir.to_owned()))
}

#[tokio::test]
async fn a_copy_that_is_cut_off_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::of(300, "a");
    let log = TestLog::of(history.clone());
    let server = log.start();
    let mut mirror = Mirror::open(options(&server, dir.path())).unwrap();
    within(mirror.copy()).await.unwrap();
    drop(mirror);
    // A mirror does not ask what an entry is.
    history
        .entries
        .extend((0..40_000_u32).map(|n| n.to_be_bytes().to_vec()));
    log.show(history.clone());
    let mut sizes = Vec::new();
    for tiles in [0, 3, 20, 90, 90, usize::MAX] {
        log.give_out(tiles);
        let mut mirror = Mirror::open(options(&server, dir.path())).unwrap();
        sizes.push(mirror.size());
        let outcome = within(mirror.copy()).await;
        // At every moment there is a whole copy of something that the log signed.
        let shown = assert_is_copy(dir.path(), &history);
        match outcome {
            Ok(copied) => assert_eq!(copied.to, history.size()),
            Err(error) => {
                assert!(error.is_transient(), "{error}");
                assert_eq!(shown.size(), 300);
            }
        }
    }
    // It went on in steps, and from none of them back.
    assert!(sizes.is_sorted() && sizes[4] > 16_000, "{sizes:?}");
    let bundles = log
        .asked()
        .iter()
        .filter(|path| path.starts_with("tile/entries/"))
        .count();
    assert!(bundles < 400, "{bundles}");
    let mirror = Mirror::open(options(&server, dir.path())).unwrap();
    assert_eq!(mirror.size(), history.size());
}

#[tokio::test]
async fn a_mirror_says_that_it_has_what_the_checkpoint_covers() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::of(300, "a");
    let log = TestLog::of(history.clone());
    let server = log.start();
    let keys =
        || -> Vec<SignerKey> { vec![cosigner("m.example", 30), ml_dsa_cosigner("m.example", 31)] };
    let mut options = options(&server, dir.path());
    options.keys = keys();
    let mut mirror = Mirror::open(options).unwrap();
    for _ in 0..2 {
        let copied = within(mirror.copy()).await.unwrap();
        let checkpoint = assert_is_copy(dir.path(), &history);
        assert_eq!(checkpoint, copied.checkpoint);
        assert_eq!(checkpoint.note().signatures().len(), 3);
        for key in keys() {
            assert_eq!(verified_time(&checkpoint, &key.verifier()), Some(NOW_S));
        }
    }
}

#[tokio::test]
async fn nothing_is_copied_that_the_log_did_not_sign() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::of(600, "a");
    let log = TestLog::of(history.clone());
    let server = log.start();
    log.change_tiles(|tile, mut bytes| {
        if is_entries(tile) && tile.index() == 1 {
            bytes[100] ^= 1;
        }
        bytes
    });
    let mut mirror = Mirror::open(options(&server, dir.path())).unwrap();
    let error = within(mirror.copy()).await.unwrap_err();
    assert!(matches!(error, MirrorError::Entries { .. }) && !error.is_transient());
    assert!(
        files(dir.path())
            .iter()
            .all(|name| !name.starts_with("tile"))
    );
    assert!(!dir.path().join("checkpoint").exists());
    log.change_tiles(|_, bytes| bytes);
    within(mirror.copy()).await.unwrap();
    assert_is_copy(dir.path(), &history);
}

#[tokio::test]
async fn another_history_is_not_copied_over_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::of(300, "a");
    let log = TestLog::of(history.clone());
    let server = log.start();
    let mut mirror = Mirror::open(options(&server, dir.path())).unwrap();
    within(mirror.copy()).await.unwrap();
    let mut larger = history.forked(7, "b");
    larger.grow(50, "b");
    let mut smaller = history.clone();
    smaller.entries.truncate(9);
    for (shown, expected) in [
        (history.forked(7, "b"), Misbehaviour::Fork),
        (larger, Misbehaviour::Fork),
        (smaller, Misbehaviour::Rollback),
    ] {
        log.show(shown);
        match within(mirror.copy()).await {
            Err(MirrorError::Follow(FollowError::Misbehaves { how, path, .. })) => {
                assert_eq!(how, expected);
                assert!(path.starts_with(dir.path()));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(assert_is_copy(dir.path(), &history).size(), 300);
    }
}

#[tokio::test]
async fn with_a_policy_only_what_meets_it_is_copied() {
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
    let mut options = options(&server, dir.path());
    options.trusted = Trusted::Policy(Box::new(Policy::parse(text.as_bytes()).unwrap()));
    let mut mirror = Mirror::open(options).unwrap();
    let error = within(mirror.copy()).await.unwrap_err();
    assert!(matches!(error, MirrorError::Policy(_)) && error.is_transient());
    assert!(!dir.path().join("checkpoint").exists());
    let mut cosigned = history.checkpoint(20);
    cosigned
        .add_signature(oacp_tlog::cosign(&cosigned, &witness, NOW_S))
        .unwrap();
    log.show_checkpoint(history.clone(), &cosigned);
    within(mirror.copy()).await.unwrap();
    assert_eq!(assert_is_copy(dir.path(), &history), cosigned);
}

#[tokio::test]
async fn a_damaged_copy_is_not_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let log = TestLog::of(History::of(300, "a"));
    let server = log.start();
    let mut mirror = Mirror::open(options(&server, dir.path())).unwrap();
    let second = Mirror::open(options(&server, dir.path()));
    assert!(matches!(second.err(), Some(MirrorError::InUse { .. })));
    within(mirror.copy()).await.unwrap();
    drop(mirror);
    for name in [
        "mirror-state",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
        "tile/entries/001.p/44",
    ] {
        let path = dir.path().join(name);
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[20] ^= 1;
        fs::write(&path, flipped).unwrap();
        let refused = Mirror::open(options(&server, dir.path())).err().unwrap();
        let is_damage = matches!(refused, MirrorError::Damaged { .. } | MirrorError::State(_));
        assert!(is_damage, "{name}: {refused}");
        fs::write(&path, whole).unwrap();
    }
    Mirror::open(options(&server, dir.path())).unwrap();
}
