//! A log in a directory, a server before it, and a sandbox whose statements go there.

use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use oacp::Begin;
use oacp::capability::Grant;
use oacp::delegation::Delegation;
use oacp::digest::Digest;
use oacp::envelope::{Envelope, PAYLOAD_TYPE};
use oacp::id::{ExecutionId, LogOrigin, SandboxId};
use oacp::isolation::{Isolation, IsolationKind};
use oacp::key::SecretKey;
use oacp::leaf::{Leaf, LeafKind};
use oacp::outcome::Outcome;
use oacp::statement::{
    ExecutionStatement, GrantClaim, Level, Reexecutable, Resources, RuntimeClaim,
};
use oacp::time::Timestamp;
use oacp_gateway::{ServeOptions, ServerLimits, Token, serve};
use oacp_registry::{Log, LogOptions, Publication};
use oacp_tlog::{SignerKey, VerifierKey};
use tempfile::TempDir;
use tokio::sync::oneshot;

pub const ORIGIN: &str = "log.example/test";
pub const READ: &str = "read-0123456789abcdef";
pub const WRITE: &str = "write-0123456789abcdef";

/// 2026-11-22T20:14:05.123Z.
pub const NOW_MS: i64 = 1_795_378_445_123;

pub fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

pub fn origin() -> LogOrigin {
    ORIGIN.parse().unwrap()
}

pub fn token(text: &str) -> Token {
    Token::new(text.as_bytes().to_vec()).unwrap()
}

fn log_key(origin: &str) -> SignerKey {
    SignerKey::ed25519(origin.parse().unwrap(), &[9; 32])
}

pub fn verifier() -> VerifierKey {
    log_key(ORIGIN).verifier()
}

pub fn open(dir: &Path, publication: Publication) -> Log {
    open_as(dir, ORIGIN, publication)
}

pub fn open_as(dir: &Path, origin: &str, publication: Publication) -> Log {
    let options = LogOptions {
        origin: origin.parse().unwrap(),
        key: Arc::new(log_key(origin)),
        nodes: vec![key(1).public()],
        publication,
        clock: Arc::new(|| Timestamp::from_unix_ms(NOW_MS)),
    };
    Log::open(dir, options).unwrap()
}

/// With both tokens, and limits that no test reaches by accident.
pub fn options() -> ServeOptions {
    ServeOptions {
        read_token: Some(token(READ)),
        write_token: Some(token(WRITE)),
        ..ServeOptions::default()
    }
}

/// A server in threads of its own, over a log that it and the test have in common.
pub struct Server {
    pub port: u16,
    pub log: Log,
    /// What the operator was told.
    pub told: Arc<Mutex<Vec<String>>>,
    running: Running,
}

struct Running {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(dir: &Path) -> Self {
        Self::over(open(dir, Publication::AtOnce), options(), 0)
    }

    pub fn limited(dir: &Path, limits: ServerLimits) -> Self {
        let options = ServeOptions {
            limits,
            ..options()
        };
        Self::over(open(dir, Publication::AtOnce), options, 0)
    }

    pub fn over(log: Log, options: ServeOptions, port: u16) -> Self {
        let told = Arc::new(Mutex::new(vec![]));
        let told_here = Arc::clone(&told);
        let options = ServeOptions {
            operator: Arc::new(move |line| told_here.lock().unwrap().push(line.to_owned())),
            ..options
        };
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = oneshot::channel();
        let served = log.clone();
        let thread = std::thread::spawn(move || {
            let stopped = async {
                let _ = stopped.await;
            };
            runtime()
                .block_on(serve(listener, served, options, stopped))
                .unwrap();
        });
        Self {
            port,
            log,
            told,
            running: Running {
                stop: Some(stop),
                thread: Some(thread),
            },
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends it, and closes the log. The port is free then.
    pub fn stop(self) -> u16 {
        drop(self.running);
        self.port
    }

    pub fn append(&self, envelopes: &[Envelope]) -> Vec<u64> {
        let entries = self.log.admit_all(envelopes.to_vec());
        let entries = entries.into_iter().map(Result::unwrap).collect();
        let appended = runtime().block_on(self.log.append_entries(entries));
        let appended = appended.unwrap().into_iter();
        appended.map(|appended| appended.unwrap().index).collect()
    }

    pub fn size(&self) -> u64 {
        self.log.committed().size()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.unwrap();
            }
        }
    }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

pub fn scratch() -> TempDir {
    TempDir::new().unwrap()
}

/// A sandbox that node 1 has delegated to.
pub struct Sandbox {
    key: SecretKey,
    pub delegation: Envelope,
    id: SandboxId,
}

impl Sandbox {
    pub fn new(seed: u8) -> Self {
        let key = key(seed);
        let id = SandboxId::new(NOW_MS.unsigned_abs(), [seed; 10]);
        let hours = |hours: i64| Timestamp::from_unix_ms(NOW_MS + hours * 3_600_000);
        let delegation = Delegation {
            sandbox_id: id,
            key: key.public(),
            isolation: Isolation::new(IsolationKind::Standard),
            not_before: hours(-1),
            not_after: hours(1),
            evidence: None,
            log: Some(origin()),
            critical: vec![],
            unknown: vec![],
        };
        Self {
            delegation: delegation.sign(&self::key(1)),
            key,
            id,
        }
    }

    /// The id of its execution of this number.
    pub fn execution_id(&self, number: u64) -> ExecutionId {
        let mut random = [self.id.as_bytes()[15]; 10];
        random[2..].copy_from_slice(&number.to_be_bytes());
        ExecutionId::new(NOW_MS.unsigned_abs(), random)
    }

    pub fn statement(&self, number: u64) -> ExecutionStatement {
        ExecutionStatement {
            sandbox_id: self.id,
            execution_id: self.execution_id(number),
            timestamp: Timestamp::from_unix_ms(NOW_MS),
            agent_hash: Digest::of(b"agent"),
            agent_entry: None,
            export: None,
            instance: None,
            tool_hashes: [].into(),
            input_hash: Digest::of(b"input"),
            output_hash: Digest::of(b"output"),
            tool_calls: vec![],
            nonce: None,
            audience: None,
            log: Some(origin()),
            principal: "alice".parse().unwrap(),
            policy_hash: None,
            policy_ids: vec![],
            grant: GrantClaim::from(&Grant::none()),
            isolation: Isolation::new(IsolationKind::Standard),
            level: Level::Basic,
            reexecutable: Reexecutable::Yes,
            runtime: RuntimeClaim {
                sha256: Digest::of(b"runtime"),
                layers: vec![],
                engine: "wasmtime 48.0.8".to_owned(),
                fuel_model: "test".to_owned(),
                config: [].into(),
            },
            outcome: Outcome::Ok,
            resources: Resources {
                fuel: Some(12),
                memory_bytes_peak: 65_536,
                computing_us: 3,
                wall_us: 4,
            },
            recording: None,
            sequence: number,
            previous: self.delegation.pae_digest(),
            parent: None,
            validation: None,
            critical: vec![],
            unknown: vec![],
        }
    }

    pub fn sign(&self, statement: &ExecutionStatement) -> Envelope {
        Envelope::sign(PAYLOAD_TYPE, statement.to_payload(), &self.key)
    }

    pub fn execution(&self, number: u64) -> Envelope {
        self.sign(&self.statement(number))
    }

    /// The begin of an execution, under a number of its own.
    pub fn begin(&self, sequence: u64, number: u64) -> Envelope {
        let statement = self.statement(number);
        Begin {
            sandbox_id: self.id,
            execution_id: statement.execution_id,
            timestamp: statement.timestamp,
            agent_hash: statement.agent_hash,
            input_hash: statement.input_hash,
            grant: statement.grant.digest,
            nonce: None,
            seed_commitment: None,
            log: statement.log,
            sequence,
            previous: statement.previous,
            critical: vec![],
            unknown: vec![],
        }
        .sign(&self.key)
    }

    /// The delegation, and so many executions.
    pub fn all(&self, count: u64) -> Vec<Envelope> {
        [self.delegation.clone()]
            .into_iter()
            .chain((0..count).map(|number| self.execution(number)))
            .collect()
    }
}

pub fn leaf(kind: LeafKind, envelope: &Envelope, sequence: Option<u64>) -> Leaf {
    Leaf::of(kind, envelope, sequence)
}

/// The body of `POST /append`.
pub fn lines(envelopes: &[Envelope]) -> Vec<u8> {
    envelopes
        .iter()
        .flat_map(|envelope| [envelope.to_json(), b"\n".to_vec()])
        .flatten()
        .collect()
}

pub const LONG: Duration = Duration::from_secs(60);
