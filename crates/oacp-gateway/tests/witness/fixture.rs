//! A tree that can be served as a log, truthfully or not; servers; and HTTP spoken by hand.

use std::future::Future;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use oacp::key::SecretKey;
use oacp::leaf::{Leaf, LeafKind};
use oacp::time::Timestamp;
use oacp::{Digest, Envelope, PAYLOAD_TYPE};
use oacp_gateway::{
    Bounds, OperatorLog, Peer, PeerReply, ServerLimits, Witness, WitnessOptions, serve_mirror,
};
use oacp_registry::Clock;
use oacp_tlog::{
    AddCheckpoint, Checkpoint, CompactRange, Edge, Hash, SignedCheckpoint, SignerKey, Tile,
    TileKind, TileReader, VerifierKey, consistency_proof, encode_entry, leaf_hash,
};
use tokio::sync::oneshot;

pub const ORIGIN: &str = "log.example/test";

/// 2026-11-22T20:14:05.123Z.
pub const NOW_MS: i64 = 1_795_378_445_123;
pub const NOW_S: u64 = 1_795_378_445;

/// How long a test waits for what never comes.
const DEADLINE: Duration = Duration::from_secs(30);

/// Waits for it, but not for ever.
pub async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what)
        .await
        .expect("it never came")
}

pub fn clock() -> Clock {
    Arc::new(|| Timestamp::from_unix_ms(NOW_MS))
}

pub fn log_key() -> SignerKey {
    log_key_of(ORIGIN, 9)
}

pub fn log_key_of(origin: &str, seed: u8) -> SignerKey {
    SignerKey::ed25519(origin.parse().unwrap(), &[seed; 32])
}

pub fn cosigner(name: &str, seed: u8) -> SignerKey {
    SignerKey::ed25519_cosigner(name.parse().unwrap(), &[seed; 32])
}

pub fn ml_dsa_cosigner(name: &str, seed: u8) -> SignerKey {
    SignerKey::ml_dsa44_cosigner(name.parse().unwrap(), &[seed; 32])
}

/// Lines that an operator was told.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    pub fn log(&self) -> OperatorLog {
        let told = self.clone();
        Arc::new(move |line| told.0.lock().unwrap().push(line.to_owned()))
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A leaf of a sandbox whose key has this seed.
pub fn leaf(seed: u8, sequence: u64, payload: &str) -> Leaf {
    leaf_of(LeafKind::Execution, seed, sequence, payload)
}

pub fn leaf_of(kind: LeafKind, seed: u8, sequence: u64, payload: &str) -> Leaf {
    let key = SecretKey::from_bytes(&[seed; 32]);
    let envelope = Envelope::sign(PAYLOAD_TYPE, payload.as_bytes().to_vec(), &key);
    Leaf::of(kind, &envelope, Some(sequence))
}

/// The entries of one history of a log.
#[derive(Clone, Default)]
pub struct History {
    pub entries: Vec<Vec<u8>>,
}

impl History {
    /// So many leaves of one sandbox, different in every `branch`.
    pub fn of(count: u64, branch: &str) -> Self {
        let mut history = Self::default();
        history.grow(count, branch);
        history
    }

    pub fn grow(&mut self, count: u64, branch: &str) {
        for _ in 0..count {
            let sequence = self.entries.len() as u64;
            let leaf = leaf(2, sequence, &format!("{{\"{branch}\":{sequence}}}"));
            self.entries.push(leaf.to_bytes());
        }
    }

    /// The same up to `size`, and then something else up to the same size.
    pub fn forked(&self, size: u64, branch: &str) -> Self {
        let mut forked = Self {
            entries: self.entries[..size as usize].to_vec(),
        };
        forked.grow(self.size() - size, branch);
        forked
    }

    pub fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    pub fn edge(&self, size: u64) -> Edge {
        let mut edge = Edge::new();
        for entry in &self.entries[..size as usize] {
            edge.push(entry).unwrap();
        }
        edge
    }

    pub fn root(&self, size: u64) -> Hash {
        self.edge(size).root()
    }

    /// Signed as the log does, at this size.
    pub fn checkpoint(&self, size: u64) -> SignedCheckpoint {
        self.signed(size, &log_key())
    }

    pub fn signed(&self, size: u64, key: &SignerKey) -> SignedCheckpoint {
        let checkpoint = Checkpoint::new(key.name().as_str(), size, self.root(size)).unwrap();
        SignedCheckpoint::sign(&checkpoint, key)
    }

    /// Every tile of the tree of this size.
    pub fn tiles(&self, size: u64) -> Vec<(Tile, Vec<u8>)> {
        self.edge(size).take_changed()
    }

    pub fn tile(&self, tile: Tile) -> Option<Vec<u8>> {
        if tile.end() > self.size() {
            return None;
        }
        let below = &self.entries[tile.start() as usize..tile.end() as usize];
        let mut bytes = Vec::new();
        match tile.kind() {
            TileKind::Entries => below
                .iter()
                .for_each(|e| encode_entry(&mut bytes, e).unwrap()),
            TileKind::Hashes(level) => {
                let hash = |entries: &[Vec<u8>]| {
                    let mut range = CompactRange::new();
                    entries
                        .iter()
                        .for_each(|entry| range.push(leaf_hash(entry)));
                    *range.root().as_bytes()
                };
                let each = below.chunks(1 << (8 * level));
                bytes.extend(each.flat_map(hash));
            }
        }
        Some(bytes)
    }

    pub fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        if old == 0 || old == new {
            return Vec::new();
        }
        let tiles: std::collections::HashMap<_, _> = self.tiles(new).into_iter().collect();
        let reader = TileReader::new(new, |tile| tiles.get(&tile).cloned().ok_or(()));
        consistency_proof(old, new, &reader).unwrap()
    }

    /// What a witness is asked.
    pub fn request(&self, old: u64, new: u64) -> Vec<u8> {
        request(old, self.consistency(old, new), self.checkpoint(new))
    }
}

pub fn request(old: u64, proof: Vec<Hash>, checkpoint: SignedCheckpoint) -> Vec<u8> {
    let request = AddCheckpoint::new(old, proof, checkpoint).unwrap();
    request.to_string().into_bytes()
}

type Stopped = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// A server that ends with it.
pub struct Server {
    pub url: String,
    stop: Option<oneshot::Sender<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.take().unwrap().send(()).ok();
    }
}

impl Server {
    /// Serves a router on a port of its own.
    pub fn start(router: Router) -> Self {
        Self::start_at(router, 0)
    }

    pub fn start_at(router: Router, port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tokio::spawn(async move {
            // Not gracefully: a test may leave a request hanging.
            tokio::select! {
                served = axum::serve(listener, router) => served.unwrap(),
                _ = stopped => {}
            }
        });
        Self {
            url,
            stop: Some(stop),
        }
    }

    pub fn witness(witness: Witness) -> Self {
        Self::serving(move |listener, stopped| async move {
            let limits = ServerLimits::default();
            witness.serve(listener, limits, stopped).await.unwrap();
        })
    }

    /// Serves the copy of a log.
    pub fn mirror(dir: &Path) -> Self {
        let dir = dir.to_owned();
        Self::serving(move |listener, stopped| async move {
            let (limits, told) = (ServerLimits::default(), Told::default());
            serve_mirror(listener, &dir, limits, told.log(), stopped)
                .await
                .unwrap();
        })
    }

    fn serving<F>(serve: impl FnOnce(TcpListener, Stopped) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let stopped = Box::pin(async {
            let _ = stopped.await;
        });
        tokio::spawn(serve(listener, stopped));
        Self {
            url,
            stop: Some(stop),
        }
    }

    pub fn peer(&self) -> Peer {
        Peer::new(&self.url, None, &oacp_egress::Options::default()).unwrap()
    }

    pub async fn post(&self, path: &str, body: Vec<u8>) -> PeerReply {
        let peer = self.peer();
        within(peer.post(path, "text/plain", body, Bounds::bytes(1 << 20)))
            .await
            .unwrap()
    }

    pub async fn get(&self, path: &str) -> PeerReply {
        within(self.peer().get(path, Bounds::bytes(1 << 20)))
            .await
            .unwrap()
    }
}

/// A port that nobody listens at. Another process may take it before the test does: the tests that need it again say so.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A log that shows what the test wants it to.
#[derive(Clone)]
pub struct TestLog {
    shown: Arc<Mutex<Shown>>,
}

struct Shown {
    history: History,
    checkpoint: Vec<u8>,
    /// How many tiles it gives out before it gives out none.
    tiles_left: usize,
    /// Paths of tiles that were given out.
    asked: Vec<String>,
    /// Does something to the tiles that it gives out.
    change: fn(Tile, Vec<u8>) -> Vec<u8>,
}

impl TestLog {
    pub fn of(history: History) -> Self {
        let size = history.size();
        let shown = Shown {
            checkpoint: history.checkpoint(size).to_string().into_bytes(),
            history,
            tiles_left: usize::MAX,
            asked: Vec::new(),
            change: |_, bytes| bytes,
        };
        Self {
            shown: Arc::new(Mutex::new(shown)),
        }
    }

    pub fn start(&self) -> Server {
        let router = Router::new()
            .route("/checkpoint", get(checkpoint))
            .route("/{*path}", get(tile))
            .with_state(self.clone());
        Server::start(router)
    }

    /// Shows the whole of another history.
    pub fn show(&self, history: History) {
        let checkpoint = history.checkpoint(history.size());
        self.show_checkpoint(history, &checkpoint);
    }

    pub fn show_checkpoint(&self, history: History, checkpoint: &SignedCheckpoint) {
        let mut shown = self.shown.lock().unwrap();
        shown.history = history;
        shown.checkpoint = checkpoint.to_string().into_bytes();
    }

    pub fn change_tiles(&self, change: fn(Tile, Vec<u8>) -> Vec<u8>) {
        self.shown.lock().unwrap().change = change;
    }

    pub fn give_out(&self, tiles: usize) {
        self.shown.lock().unwrap().tiles_left = tiles;
    }

    /// What was asked for since this was last called.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.shown.lock().unwrap().asked)
    }
}

async fn checkpoint(State(log): State<TestLog>) -> Vec<u8> {
    log.shown.lock().unwrap().checkpoint.clone()
}

async fn tile(State(log): State<TestLog>, UrlPath(path): UrlPath<String>) -> Response {
    let mut shown = log.shown.lock().unwrap();
    let Ok(tile) = path.parse::<Tile>() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if shown.tiles_left == 0 {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    shown.tiles_left -= 1;
    shown.asked.push(path);
    // As a log does that removes partial tiles as soon as the full ones are there.
    let is_gone = !tile.is_full() && tile.width_at(shown.history.size()) == 256;
    let bytes = shown.history.tile(tile).filter(|_| !is_gone);
    match bytes {
        Some(bytes) => (shown.change)(tile, bytes).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

pub fn is_entries(tile: Tile) -> bool {
    tile.kind() == TileKind::Entries
}

pub struct Witnessing {
    pub told: Told,
    pub witness: Witness,
}

pub fn witness(dir: &Path, keys: Vec<SignerKey>, logs: Vec<VerifierKey>) -> Witnessing {
    let told = Told::default();
    let options = WitnessOptions {
        keys,
        logs,
        dir: dir.to_owned(),
        clock: clock(),
        operator: told.log(),
    };
    let witness = Witness::open(options).unwrap();
    Witnessing { told, witness }
}

/// The files of a directory and those below, by path, sorted.
pub fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => found.push(path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned()),
            }
        }
    }
    found.sort();
    found
}

/// The name of an origin's state in a witness' directory.
pub fn state_file(origin: &str) -> String {
    format!("{}.checkpoint", Digest::of(origin.as_bytes()).hex())
}
