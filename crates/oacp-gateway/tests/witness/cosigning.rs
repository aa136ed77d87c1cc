//! A log that asks its witnesses: those that answer, those that do not, and those that lie.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use oacp::delegation::Delegation;
use oacp::id::SandboxId;
use oacp::isolation::{Isolation, IsolationKind};
use oacp::key::SecretKey;
use oacp::time::Timestamp;
use oacp_gateway::{
    AddCheckpointError, Cosigning, CosigningError, CosigningOptions, CosigningStatus, Pace, Witness,
};
use oacp_registry::{Log, LogOptions, Publication};
use oacp_tlog::witness::Refused;
use oacp_tlog::{AddCheckpoint, Policy, SignerKey, cosign};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::fixture::*;

/// A log in a directory of its own.
struct TheLog {
    log: Log,
    dir: TempDir,
}

fn open(dir: &Path) -> Log {
    let options = LogOptions {
        origin: ORIGIN.parse().unwrap(),
        key: Arc::new(log_key()),
        nodes: vec![SecretKey::from_bytes(&[1; 32]).public()],
        publication: Publication::WhenCosigned,
        clock: clock(),
    };
    Log::open(dir, options).unwrap()
}

fn the_log() -> TheLog {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    TheLog { log, dir }
}

/// Appends so many delegations, each of another sandbox; returns the log's size.
async fn append(log: &Log, count: u64) -> u64 {
    for _ in 0..count {
        let number = log.committed().size();
        let mut seed = [77; 32];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        let now = Timestamp::from_unix_ms(NOW_MS);
        let delegation = Delegation {
            sandbox_id: SandboxId::new(NOW_MS as u64 + number, [1; 10]),
            key: SecretKey::from_bytes(&seed).public(),
            isolation: Isolation::new(IsolationKind::Standard),
            not_before: now,
            not_after: Timestamp::from_unix_ms(NOW_MS + 3_600_000),
            evidence: None,
            log: Some(ORIGIN.parse().unwrap()),
            critical: vec![],
            unknown: vec![],
        };
        let envelope = delegation.sign(&SecretKey::from_bytes(&[1; 32]));
        assert!(log.append(envelope).await.unwrap().is_new);
    }
    log.committed().size()
}

/// A witness that does as it is told. It is a real one underneath.
#[derive(Clone)]
struct Scripted {
    witness: Witness,
    key: Arc<SignerKey>,
    script: Arc<Mutex<Script>>,
    /// Whether it answers.
    gate: watch::Sender<bool>,
    /// What it was asked, as old and new sizes.
    asked: watch::Sender<Vec<(u64, u64)>>,
    _dir: Arc<TempDir>,
}

type Script = fn(&Scripted, &AddCheckpoint) -> Response;

impl Scripted {
    fn new(name: &str, seed: u8) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let logs = vec![log_key().verifier()];
        Self {
            witness: witness(dir.path(), vec![cosigner(name, seed)], logs).witness,
            key: Arc::new(cosigner(name, seed)),
            script: Arc::new(Mutex::new(honest)),
            gate: watch::Sender::new(true),
            asked: watch::Sender::new(vec![]),
            _dir: Arc::new(dir),
        }
    }

    fn doing(name: &str, seed: u8, script: Script) -> Self {
        let scripted = Self::new(name, seed);
        scripted.does(script);
        scripted
    }

    fn does(&self, script: Script) {
        *self.script.lock().unwrap() = script;
    }

    fn start(&self, port: u16) -> Server {
        let router = Router::new().route("/add-checkpoint", post(answer));
        Server::start_at(router.with_state(self.clone()), port)
    }

    /// Waits until it has been asked this.
    async fn was_asked(&self, wanted: (u64, u64)) {
        let mut asked = self.asked.subscribe();
        within(asked.wait_for(|asked| asked.contains(&wanted)))
            .await
            .unwrap();
    }

    fn vkey(&self) -> String {
        self.key.verifier().to_string()
    }
}

async fn answer(State(scripted): State<Scripted>, body: Bytes) -> Response {
    let request = AddCheckpoint::parse(&body).unwrap();
    let sizes = (request.old_size(), request.checkpoint().size());
    scripted.asked.send_modify(|asked| asked.push(sizes));
    let mut gate = scripted.gate.subscribe();
    let _ = gate.wait_for(|is_open| *is_open).await;
    let script = *scripted.script.lock().unwrap();
    script(&scripted, &request)
}

fn honest(scripted: &Scripted, request: &AddCheckpoint) -> Response {
    let body = request.to_string().into_bytes();
    match scripted.witness.add_checkpoint(&body) {
        Ok(lines) => lines
            .iter()
            .map(ToString::to_string)
            .collect::<String>()
            .into_response(),
        Err(AddCheckpointError::Refused {
            refused: Refused::Conflict { size },
            ..
        }) => size_answer(size),
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()).into_response(),
    }
}

fn size_answer(size: u64) -> Response {
    let headers = [(CONTENT_TYPE, "text/x.tlog.size")];
    (StatusCode::CONFLICT, headers, format!("{size}\n")).into_response()
}

/// The policy of witnesses at these URLs, of which so many are needed.
fn policy(witnesses: &[(&Scripted, &str)], quorum: usize) -> Policy {
    let mut text = format!("log {}\n", log_key().verifier());
    let mut names = String::new();
    for (number, (witness, url)) in witnesses.iter().enumerate() {
        text += &format!("witness w{number} {} {url}\n", witness.vkey());
        names += &format!(" w{number}");
    }
    text += &format!("group all-of-them {quorum}{names}\nquorum all-of-them\n");
    Policy::parse(text.as_bytes()).unwrap()
}

/// Fast enough for a test; nothing depends on it.
const PACE: Pace = Pace {
    answer: Duration::from_secs(20),
    between_rounds: Duration::ZERO,
    retry_first: Duration::from_millis(5),
    retry_max: Duration::from_millis(20),
    look: Duration::from_millis(20),
};

fn options(policy: Policy, told: &Told) -> CosigningOptions {
    CosigningOptions {
        policy,
        egress: oacp_egress::Options::default(),
        pace: PACE,
        clock: clock(),
        operator: told.log(),
    }
}

async fn until(cosigning: &Cosigning, is_such: impl FnMut(&CosigningStatus) -> bool) {
    within(cosigning.until(is_such)).await;
}

/// The names of those who signed what the log gives out.
fn signers(log: &Log) -> Vec<String> {
    let given_out = log.checkpoint();
    let notes = given_out
        .iter()
        .map(|checkpoint| checkpoint.note().signatures());
    let mut names: Vec<_> = notes
        .flatten()
        .map(|line| line.name().to_string())
        .collect();
    names.sort();
    names
}

fn dead() -> String {
    format!("http://127.0.0.1:{}", free_port())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_appended_is_given_out_with_the_cosignatures_of_all() {
    let TheLog { log, dir: _dir } = the_log();
    let scripted = [
        Scripted::new("a", 20),
        Scripted::new("b", 21),
        Scripted::new("c", 22),
    ];
    let servers = [
        scripted[0].start(0),
        scripted[1].start(0),
        scripted[2].start(0),
    ];
    let list: Vec<_> = scripted
        .iter()
        .zip(servers.iter().map(|s| s.url.as_str()))
        .collect();
    let (policy, told) = (policy(&list, 2), Told::default());
    let cosigning = Cosigning::begin(log.clone(), options(policy.clone(), &told)).unwrap();
    for _ in 0..3 {
        let size = append(&log, 2).await;
        within(cosigning.witnessed(size)).await;
        let checkpoint = log.checkpoint().unwrap();
        assert!(checkpoint.size() >= size);
        assert_eq!(policy.check(&checkpoint).unwrap().time_s, Some(NOW_S));
        // The third one's comes when it comes.
        let answered = |s: &CosigningStatus| s.witnesses.iter().all(|w| w.size == Some(size));
        until(&cosigning, answered).await;
    }
    until(&cosigning, |_| signers(&log) == ["a", "b", "c", ORIGIN]).await;
    let status = cosigning.status();
    assert_eq!(
        (status.asked, status.witnessed, status.has_quorum),
        (6, 6, Some(true))
    );
    for witness in status.witnesses {
        assert_eq!(witness.last_ok, Some(Timestamp::from_unix_ms(NOW_MS)));
        assert_eq!((witness.last_error, witness.failures), (None, 0));
    }
    assert_eq!(told.lines(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_three_are_enough_when_one_is_dead() {
    let TheLog { log, dir: _dir } = the_log();
    let scripted = [
        Scripted::new("a", 20),
        Scripted::new("b", 21),
        Scripted::new("c", 22),
    ];
    let servers = [scripted[0].start(0), scripted[1].start(0)];
    let dead = dead();
    let list = [
        (&scripted[0], servers[0].url.as_str()),
        (&scripted[1], servers[1].url.as_str()),
        (&scripted[2], dead.as_str()),
    ];
    let told = Told::default();
    let cosigning = Cosigning::begin(log.clone(), options(policy(&list, 2), &told)).unwrap();
    for _ in 0..3 {
        let size = append(&log, 1).await;
        within(cosigning.witnessed(size)).await;
        until(&cosigning, |_| signers(&log) == ["a", "b", ORIGIN]).await;
    }
    until(&cosigning, |status| status.witnesses[2].failures > 2).await;
    let status = cosigning.status();
    assert_eq!(status.has_quorum, Some(true));
    assert_eq!(
        (status.witnesses[2].size, status.witnesses[2].last_ok),
        (None, None)
    );
    assert!(status.witnesses[2].last_error.is_some());
    // However often it is tried, the operator is told once.
    let lines = told.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with(&format!("witness `{dead}` does not cosign: ")));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_the_log_is_shown_as_it_is_and_caught_up_when_a_witness_returns() {
    let TheLog { log, dir: _dir } = the_log();
    let scripted = [
        Scripted::new("a", 20),
        Scripted::new("b", 21),
        Scripted::new("c", 22),
    ];
    let here = scripted[0].start(0);
    let (back, gone) = (free_port(), dead());
    let url = format!("http://127.0.0.1:{back}");
    let list = [
        (&scripted[0], here.url.as_str()),
        (&scripted[1], url.as_str()),
        (&scripted[2], gone.as_str()),
    ];
    let told = Told::default();
    let cosigning = Cosigning::begin(log.clone(), options(policy(&list, 2), &told)).unwrap();
    let size = append(&log, 3).await;
    until(&cosigning, |status| {
        status.has_quorum == Some(false) && status.witnesses[0].size == Some(size)
    })
    .await;
    within(log.published(size)).await;
    until(&cosigning, |_| signers(&log) == ["a", ORIGIN]).await;
    assert_eq!(cosigning.status().witnessed, 0);
    // Who needs the quorum waits for it.
    let waits = cosigning.clone();
    let waiting = tokio::spawn(async move { waits.witnessed(3).await });
    let without = "is given out without a quorum of witnesses";
    assert!(told.lines().iter().any(|line| line.ends_with(without)));
    assert!(!waiting.is_finished());

    // Nothing is appended: it is asked again all the same.
    let _returned = scripted[1].start(back);
    within(waiting).await.unwrap();
    assert_eq!(signers(&log), ["a", "b", ORIGIN]);
    until(&cosigning, |status| status.has_quorum == Some(true)).await;
    let size = append(&log, 1).await;
    within(cosigning.witnessed(size)).await;
    let lines = told.lines();
    assert!(
        lines
            .iter()
            .any(|line| line == &format!("witness `{url}` cosigns again"))
    );
    assert!(
        lines
            .iter()
            .any(|line| line.ends_with("has a quorum of witnesses again"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lie_counts_for_nothing() {
    /// A signature that is none.
    fn forged(scripted: &Scripted, request: &AddCheckpoint) -> Response {
        let other = History::of(request.checkpoint().size(), "z").checkpoint(1);
        cosign(&other, &scripted.key, NOW_S)
            .to_string()
            .into_response()
    }
    /// A good signature, by nobody who was asked.
    fn by_another(_: &Scripted, request: &AddCheckpoint) -> Response {
        let stranger = cosigner("stranger", 50);
        cosign(request.checkpoint(), &stranger, NOW_S)
            .to_string()
            .into_response()
    }
    /// A good signature under the witness' name, by another key.
    fn by_a_namesake(scripted: &Scripted, request: &AddCheckpoint) -> Response {
        let name = scripted.key.name().as_str();
        cosign(request.checkpoint(), &cosigner(name, 51), NOW_S)
            .to_string()
            .into_response()
    }
    fn nothing(_: &Scripted, _: &AddCheckpoint) -> Response {
        ().into_response()
    }
    fn no_lines(_: &Scripted, _: &AddCheckpoint) -> Response {
        "<html>".into_response()
    }
    fn without_end(_: &Scripted, _: &AddCheckpoint) -> Response {
        vec![b'x'; 2 << 20].into_response()
    }
    fn always_more(_: &Scripted, request: &AddCheckpoint) -> Response {
        size_answer(request.checkpoint().size() + 1)
    }
    fn never_the_same(_: &Scripted, request: &AddCheckpoint) -> Response {
        size_answer(request.checkpoint().size() - 1 - request.old_size().min(1))
    }
    fn no_size(_: &Scripted, _: &AddCheckpoint) -> Response {
        let headers = [(CONTENT_TYPE, "text/x.tlog.size")];
        (StatusCode::CONFLICT, headers, "-1\n").into_response()
    }
    fn escapes(_: &Scripted, _: &AddCheckpoint) -> Response {
        (StatusCode::IM_A_TEAPOT, "\u{1b}[2Jno\nmore").into_response()
    }
    for (script, error) in [
        (forged as Script, "0 by other keys, 1 that do not verify"),
        (by_another, "1 by other keys, 0 that do not verify"),
        (by_a_namesake, "1 by other keys, 0 that do not verify"),
        (nothing, "not what C2SP tlog-witness asks for"),
        (no_lines, "not what C2SP tlog-witness asks for"),
        (without_end, "longer than"),
        (always_more, "it has cosigned 5 entries, this log has 4"),
        (never_the_same, "not what C2SP tlog-witness asks for"),
        (no_size, "not what C2SP tlog-witness asks for"),
        (escapes, "status 418: [2Jno"),
    ] {
        let TheLog { log, dir: _dir } = the_log();
        append(&log, 4).await;
        let scripted = [Scripted::new("a", 20), Scripted::doing("liar", 21, script)];
        let servers = [scripted[0].start(0), scripted[1].start(0)];
        let list: Vec<_> = scripted
            .iter()
            .zip(servers.iter().map(|s| s.url.as_str()))
            .collect();
        let told = Told::default();
        let cosigning = Cosigning::begin(log.clone(), options(policy(&list, 2), &told)).unwrap();
        until(&cosigning, |status| {
            status.witnesses[1].failures > 1 && status.has_quorum == Some(false)
        })
        .await;
        let liar = &cosigning.status().witnesses[1];
        let text = &liar.last_error.as_ref().unwrap().reason;
        assert!(text.contains(error), "{text}");
        assert_eq!((liar.size, liar.last_ok), (None, None), "{text}");
        until(&cosigning, |_| signers(&log) == ["a", ORIGIN]).await;
        assert_eq!(cosigning.status().witnessed, 0);
        assert!(
            told.lines()
                .iter()
                .all(|line| !line.contains(char::is_control))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn good_lines_count_beside_bad_ones() {
    fn all_sorts(scripted: &Scripted, request: &AddCheckpoint) -> Response {
        let good = cosign(request.checkpoint(), &scripted.key, NOW_S);
        let older = History::of(1, "z").checkpoint(1);
        let bad = cosign(&older, &scripted.key, NOW_S);
        let foreign = cosign(request.checkpoint(), &cosigner("stranger", 50), NOW_S);
        format!("{foreign}{bad}{good}{foreign}").into_response()
    }
    let TheLog { log, dir: _dir } = the_log();
    append(&log, 4).await;
    let scripted = Scripted::doing("a", 20, all_sorts);
    let server = scripted.start(0);
    let policy = policy(&[(&scripted, &server.url)], 1);
    let cosigning = Cosigning::begin(log.clone(), options(policy.clone(), &Told::default()));
    let cosigning = cosigning.unwrap();
    within(cosigning.witnessed(4)).await;
    assert_eq!(signers(&log), ["a", ORIGIN]);
    policy.check(&log.checkpoint().unwrap()).unwrap();
    let status = &cosigning.status().witnesses[0];
    assert_eq!((status.foreign, status.bad, status.failures), (2, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_witness_holds_nobody_up_and_is_asked_about_the_newest_when_it_is_back() {
    let TheLog { log, dir: _dir } = the_log();
    let scripted = [
        Scripted::new("a", 20),
        Scripted::new("b", 21),
        Scripted::new("slow", 22),
    ];
    let servers = [
        scripted[0].start(0),
        scripted[1].start(0),
        scripted[2].start(0),
    ];
    let list: Vec<_> = scripted
        .iter()
        .zip(servers.iter().map(|s| s.url.as_str()))
        .collect();
    let told = Told::default();
    scripted[2].gate.send_replace(false);
    let cosigning = Cosigning::begin(log.clone(), options(policy(&list, 2), &told)).unwrap();
    scripted[2].was_asked((0, 0)).await;
    let mut size = 0;
    for _ in 0..5 {
        size = append(&log, 1).await;
        within(cosigning.witnessed(size)).await;
        assert_eq!(signers(&log), ["a", "b", ORIGIN]);
    }
    // It is still at the empty log.
    assert_eq!(*scripted[2].asked.borrow(), [(0, 0)]);
    scripted[2].gate.send_replace(true);
    until(&cosigning, |_| signers(&log) == ["a", "b", ORIGIN, "slow"]).await;
    assert_eq!(*scripted[2].asked.borrow(), [(0, 0), (0, size)]);
    assert_eq!(told.lines(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_appended_during_a_round_shares_the_next_one() {
    let TheLog { log, dir: _dir } = the_log();
    let scripted = Scripted::new("a", 20);
    let server = scripted.start(0);
    let policy = policy(&[(&scripted, &server.url)], 1);
    let first = append(&log, 1).await;
    scripted.gate.send_replace(false);
    let cosigning = Cosigning::begin(log.clone(), options(policy, &Told::default())).unwrap();
    scripted.was_asked((0, first)).await;
    let size = append(&log, 20).await;
    // Held back: nobody sees what has no quorum while there may be one.
    assert_eq!(log.checkpoint(), None);
    scripted.gate.send_replace(true);
    within(cosigning.witnessed(size)).await;
    assert_eq!(*scripted.asked.borrow(), [(0, first), (first, size)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_size_that_a_witness_knows_is_learnt_after_a_restart() {
    let TheLog { log, dir: _dir } = the_log();
    let scripted = Scripted::new("a", 20);
    let server = scripted.start(0);
    let policy = policy(&[(&scripted, &server.url)], 1);
    let begin = || Cosigning::begin(log.clone(), options(policy.clone(), &Told::default()));
    let cosigning = begin().unwrap();
    let first = append(&log, 5).await;
    within(cosigning.witnessed(first)).await;
    drop(cosigning);
    let size = append(&log, 5).await;
    scripted.asked.send_replace(vec![]);
    let cosigning = begin().unwrap();
    within(cosigning.witnessed(size)).await;
    assert_eq!(*scripted.asked.borrow(), [(0, size), (first, size)]);
    drop(cosigning);
    // With nothing new, what was cosigned before is kept and the witness asked once more.
    let cosigning = begin().unwrap();
    within(cosigning.witnessed(size)).await;
    assert_eq!(signers(&log), ["a", ORIGIN]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_entries_is_told_so() {
    let scripted = Scripted::new("a", 20);
    let server = scripted.start(0);
    let policy = policy(&[(&scripted, &server.url)], 1);
    let before = the_log();
    let size = append(&before.log, 8).await;
    let cosigning = Cosigning::begin(
        before.log.clone(),
        options(policy.clone(), &Told::default()),
    );
    within(cosigning.unwrap().witnessed(size)).await;
    // The same log from an old copy.
    let (after, told) = (the_log(), Told::default());
    append(&after.log, 3).await;
    let cosigning = Cosigning::begin(after.log.clone(), options(policy, &told)).unwrap();
    until(&cosigning, |status| status.has_quorum == Some(false)).await;
    let line = "it has cosigned 8 entries, this log has 3: the log has lost entries";
    assert!(
        told.lines().iter().any(|told| told.contains(line)),
        "{:?}",
        told.lines()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_appends_is_cosigned_too() {
    let TheLog { log, dir } = the_log();
    let scripted = Scripted::new("a", 20);
    let server = scripted.start(0);
    let policy = policy(&[(&scripted, &server.url)], 1);
    let cosigning = Cosigning::begin(log.clone(), options(policy, &Told::default())).unwrap();
    let size = append(&open(dir.path()), 3).await;
    within(cosigning.witnessed(size)).await;
    assert_eq!(log.checkpoint().unwrap().size(), size);
}

#[tokio::test]
async fn a_policy_that_can_never_be_met_is_refused() {
    let TheLog { log, dir: _dir } = the_log();
    let begin = |text: String| {
        let policy = Policy::parse(text.as_bytes()).unwrap();
        Cosigning::begin(log.clone(), options(policy, &Told::default())).err()
    };
    let (own, other) = (
        log_key().verifier(),
        log_key_of("other.example", 3).verifier(),
    );
    let witness = cosigner("a", 20).verifier();
    let refused = begin(format!("log {other}\nquorum none\n"));
    assert!(matches!(
        refused,
        Some(CosigningError::LogNotInPolicy { .. })
    ));
    let refused = begin(format!("log {own}\nwitness a {witness}\nquorum a\n"));
    assert!(matches!(refused, Some(CosigningError::NoUrl)));
    let refused = begin(format!(
        "log {own}\nwitness a {witness} ftp://a\nquorum a\n"
    ));
    assert!(matches!(refused, Some(CosigningError::Peer(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_witnesses_the_log_is_given_out_at_once() {
    let TheLog { log, dir: _dir } = the_log();
    let policy = Policy::parse(format!("log {}\nquorum none\n", log_key().verifier()).as_bytes());
    let cosigning = Cosigning::begin(log.clone(), options(policy.unwrap(), &Told::default()));
    let cosigning = cosigning.unwrap();
    let size = append(&log, 3).await;
    within(cosigning.witnessed(size)).await;
    assert_eq!(signers(&log), [ORIGIN]);
}
