//! The log: how many entries a second, how soon they are acknowledged, and that neither depends on how many there are.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oacp::capability::Grant;
use oacp::delegation::Delegation;
use oacp::digest::Digest;
use oacp::envelope::{Envelope, PAYLOAD_TYPE};
use oacp::id::{ExecutionId, SandboxId};
use oacp::isolation::{Isolation, IsolationKind};
use oacp::key::SecretKey;
use oacp::leaf::LeafKind;
use oacp::outcome::Outcome;
use oacp::statement::{
    ExecutionStatement, GrantClaim, Level, Reexecutable, Resources, RuntimeClaim,
};
use oacp::time::Timestamp;
use oacp_registry::{Log, LogOptions, Publication, synthetic, system_clock};
use oacp_tlog::key::SignerKey;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::memory;
use crate::table::{Table, ms, quantile, us};

const NOW_MS: i64 = 1_795_378_445_123;

/// Entries that are appended to measure a rate.
const ENTRIES: u64 = 60_000;

/// Entries of one call, as a server gets them.
const AT_ONCE: usize = 256;

pub fn measure() {
    let runtime = Runtime::new().expect("a runtime");
    println!(
        "The log is on `{}`. Every acknowledgement is after two `fdatasync`: of the batch, and of the head that counts it.\n",
        std::env::temp_dir().display()
    );
    rates(&runtime);
    latencies(&runtime);
    sizes(&runtime);
}

fn options() -> LogOptions {
    LogOptions {
        origin: "log.example/bench".parse().expect("an origin"),
        key: Arc::new(SignerKey::ed25519(
            "log.example/bench".parse().expect("a name"),
            &[3; 32],
        )),
        nodes: vec![node().public()],
        publication: Publication::AtOnce,
        clock: system_clock(),
    }
}

fn node() -> SecretKey {
    SecretKey::from_bytes(&[1; 32])
}

/// Workers that append at once.
const WORKERS: usize = 4;

/// Envelopes of about 2 KiB, as they come over a wire: a file for each worker, a line each. They are not kept in memory, which is measured.
struct Signed {
    dir: TempDir,
    count: u64,
    bytes_each: u64,
}

struct Sandbox {
    id: SandboxId,
    key: SecretKey,
    isolation: Isolation,
    delegation: Envelope,
}

impl Sandbox {
    fn new(seed: u8) -> Self {
        let key = SecretKey::from_bytes(&[seed; 32]);
        let id = SandboxId::new(NOW_MS.unsigned_abs(), [seed; 10]);
        let isolation = Isolation::new(IsolationKind::Standard);
        let delegation = Delegation {
            sandbox_id: id,
            key: key.public(),
            isolation: isolation.clone(),
            not_before: Timestamp::from_unix_ms(NOW_MS - 1000),
            not_after: Timestamp::from_unix_ms(NOW_MS + 86_400_000),
            evidence: None,
            log: Some(options().origin),
            critical: vec![],
            unknown: vec![],
        };
        Self {
            id,
            isolation,
            delegation: delegation.sign(&node()),
            key,
        }
    }

    fn execution(&self, n: u64) -> Envelope {
        let statement = ExecutionStatement {
            sandbox_id: self.id,
            execution_id: execution_id(n),
            timestamp: Timestamp::from_unix_ms(NOW_MS),
            agent_hash: Digest::of(&(n % 100).to_be_bytes()),
            agent_entry: Some("main.py".parse().expect("a path")),
            export: None,
            instance: None,
            tool_hashes: [].into(),
            input_hash: Digest::of(&n.to_be_bytes()),
            output_hash: Digest::of(&n.to_le_bytes()),
            tool_calls: vec![],
            nonce: Some(format!("nonce-{n}").parse().expect("a nonce")),
            audience: None,
            log: Some(options().origin),
            principal: format!("user {}", n % 1000).parse().expect("a principal"),
            policy_hash: Some(Digest::of(b"policy")),
            policy_ids: vec!["ceiling".to_owned()],
            grant: GrantClaim::from(&Grant::none()),
            isolation: self.isolation.clone(),
            level: Level::Basic,
            reexecutable: Reexecutable::No {
                reason: "level BASIC keeps no recording".to_owned(),
            },
            runtime: RuntimeClaim {
                sha256: Digest::of(b"the component"),
                layers: vec![],
                engine: "wasmtime 48.0.8".to_owned(),
                fuel_model: "oacp-fuel/1".to_owned(),
                config: [].into(),
            },
            outcome: Outcome::Ok,
            resources: Resources::default(),
            recording: None,
            sequence: n,
            previous: Digest::of(b"the one before"),
            parent: None,
            validation: None,
            critical: vec![],
            unknown: vec![],
        };
        Envelope::sign(PAYLOAD_TYPE, statement.to_payload(), &self.key)
    }
}

fn execution_id(n: u64) -> ExecutionId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    ExecutionId::new(NOW_MS.unsigned_abs() + n / 16, random)
}

impl Signed {
    /// `count` executions from number `first` on.
    fn new(sandbox: &Sandbox, first: u64, count: u64) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut bytes = 0;
        for worker in 0..WORKERS {
            let mut file = BufWriter::new(File::create(part(dir.path(), worker)).expect("a file"));
            for n in (first..first + count).skip(worker).step_by(WORKERS) {
                let line = sandbox.execution(n).to_json();
                bytes += line.len() as u64;
                file.write_all(&line).expect("written");
                file.write_all(b"\n").expect("written");
            }
        }
        Self {
            dir,
            count,
            bytes_each: bytes / count,
        }
    }

    /// The lines of one worker, some at once.
    fn part(&self, worker: usize) -> impl Iterator<Item = Vec<Vec<u8>>> + use<> {
        let file = File::open(part(self.dir.path(), worker)).expect("a file");
        let mut lines = BufReader::new(file)
            .split(b'\n')
            .map(|line| line.expect("a line"));
        std::iter::from_fn(move || {
            let next: Vec<_> = lines.by_ref().take(AT_ONCE).collect();
            (!next.is_empty()).then_some(next)
        })
    }
}

fn part(dir: &Path, worker: usize) -> PathBuf {
    dir.join(worker.to_string())
}

/// Reads, judges and appends lines, four calls at once. Entries a second, until all are in the index.
async fn append_all(log: &Log, signed: &Signed, last: u64) -> f64 {
    let begun = Instant::now();
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let (log, parts) = (log.clone(), signed.part(worker));
            tokio::spawn(async move {
                for lines in parts {
                    let envelopes = lines
                        .iter()
                        .map(|line| Envelope::parse(line).expect("an envelope"));
                    let entries = log.admit_all(envelopes);
                    let entries = entries.into_iter().map(|entry| entry.expect("admitted"));
                    let appended = log.append_entries(entries.collect()).await;
                    assert!(appended.expect("appended").iter().all(Result::is_ok));
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("a worker");
    }
    let found = log.index_of(LeafKind::Execution, execution_id(last));
    assert!(found.expect("asked").is_some());
    per_second(signed.count, begun.elapsed())
}

fn rates(runtime: &Runtime) {
    let sandbox = Sandbox::new(9);
    let signed = Signed::new(&sandbox, 0, ENTRIES);
    let mut table = Table::new(
        &format!(
            "Entries a second: {ENTRIES} envelopes of {} bytes, signed before, each read, verified, logged and indexed",
            signed.bytes_each
        ),
        &["way", "entries/s", "beside it", "memory, peak", "goal"],
    );
    let verified = verifying(&sandbox, &signed);
    memory::forget_peak();
    let dir = tempfile::tempdir().expect("a directory");
    let log = Log::open(dir.path(), options()).expect("a log");
    let rate = runtime.block_on(async {
        log.append(sandbox.delegation.clone())
            .await
            .expect("appended");
        append_all(&log, &signed, ENTRIES - 1).await
    });
    assert_eq!(log.committed().size(), ENTRIES + 1);
    drop(log);
    table.row([
        "the registry's API, 256 a call".to_owned(),
        format!("{rate:.0}"),
        format!(
            "two cores that do nothing but verify: {verified:.0} ({:.0} %)",
            100.0 * rate / verified
        ),
        memory::peak(),
        "≥ 15,000; ≤ 150 MiB".to_owned(),
    ]);
    memory::forget_peak();
    let served = over_http(runtime, &sandbox, &signed);
    table.row([
        "HTTP on loopback, 256 a request, the client in the same process".to_owned(),
        format!("{served:.0}"),
        format!("{:.0} % of the API", 100.0 * served / rate),
        memory::peak(),
        "≥ 5,000; ≤ 150 MiB".to_owned(),
    ]);
    table.print();
}

fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// What two cores verify and do nothing else.
fn verifying(sandbox: &Sandbox, signed: &Signed) -> f64 {
    let key = sandbox.key.public();
    let envelopes: Vec<_> = signed
        .part(0)
        .flatten()
        .map(|line| Envelope::parse(&line).expect("an envelope"))
        .collect();
    let verify = |half: &[Envelope]| {
        let valid = half.iter().filter(|envelope| envelope.verify(&key).is_ok());
        assert_eq!(valid.count(), half.len());
    };
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for half in envelopes.chunks(envelopes.len().div_ceil(2)) {
            scope.spawn(move || verify(half));
        }
    });
    per_second(envelopes.len() as u64, begun.elapsed())
}

fn over_http(runtime: &Runtime, sandbox: &Sandbox, signed: &Signed) -> f64 {
    let dir = tempfile::tempdir().expect("a directory");
    let log = Log::open(dir.path(), options()).expect("a log");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let token = oacp_gateway::Token::new(vec![b'a'; 32]).expect("a token");
    let serving = oacp_gateway::ServeOptions {
        write_token: Some(token),
        ..oacp_gateway::ServeOptions::default()
    };
    runtime.block_on(async {
        log.append(sandbox.delegation.clone())
            .await
            .expect("appended");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(oacp_gateway::serve(listener, log.clone(), serving, async {
            let _ = stopped.await;
        }));
        let client = reqwest::Client::new();
        let begun = Instant::now();
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let (client, url, parts) = (client.clone(), url.clone(), signed.part(worker));
                tokio::spawn(async move {
                    for lines in parts {
                        let body = lines.join(&b'\n');
                        let reply = client
                            .post(format!("{url}/append"))
                            .bearer_auth("a".repeat(32))
                            .body(body)
                            .send()
                            .await
                            .expect("a reply");
                        assert_eq!(reply.status(), 200);
                        let text = reply.text().await.expect("a body");
                        assert_eq!(text.matches("\"index\"").count(), lines.len(), "{text}");
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.await.expect("a worker");
        }
        let rate = per_second(ENTRIES, begun.elapsed());
        let _ = stop.send(());
        server.await.expect("a server").expect("served");
        rate
    })
}

/// One entry after the other on an idle log; and a thousand a second.
fn latencies(runtime: &Runtime) {
    let mut table = Table::new(
        "Until an entry is acknowledged",
        &[
            "load",
            "p50",
            "p99",
            "beside it: write and `fdatasync` twice",
            "goal",
        ],
    );
    let dir = tempfile::tempdir().expect("a directory");
    let log = Log::open(dir.path(), options()).expect("a log");
    let sandbox = Sandbox::new(8);
    let bare = bare_syncs(dir.path());
    let (idle, loaded) = runtime.block_on(async {
        log.append(sandbox.delegation.clone())
            .await
            .expect("appended");
        (
            idle(&log, &sandbox, 0, 200).await,
            paced(&log, &sandbox).await,
        )
    });
    table.row([
        "idle".to_owned(),
        ms(quantile(&idle, 0.5)),
        ms(quantile(&idle, 0.99)),
        ms(bare),
        "≤ 12 ms".to_owned(),
    ]);
    table.row([
        "1,000/s".to_owned(),
        ms(quantile(&loaded, 0.5)),
        ms(quantile(&loaded, 0.99)),
        String::new(),
        "p50 ≤ 15 ms, p99 ≤ 50 ms".to_owned(),
    ]);
    table.print();
}

async fn idle(log: &Log, sandbox: &Sandbox, first: u64, count: u64) -> Vec<Duration> {
    let mut times = Vec::new();
    for n in first..first + count {
        let envelope = sandbox.execution(1_000_000_000 + n);
        let begun = Instant::now();
        log.append(envelope).await.expect("appended");
        times.push(begun.elapsed());
    }
    times.sort();
    times
}

async fn paced(log: &Log, sandbox: &Sandbox) -> Vec<Duration> {
    let envelopes: Vec<_> = (0..5000)
        .map(|n| sandbox.execution(2_000_000_000 + n))
        .collect();
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    let mut waiting = Vec::new();
    for envelope in envelopes {
        tick.tick().await;
        let log = log.clone();
        waiting.push(tokio::spawn(async move {
            let begun = Instant::now();
            log.append(envelope).await.expect("appended");
            begun.elapsed()
        }));
    }
    let mut times = Vec::new();
    for time in waiting {
        times.push(time.await.expect("a task"));
    }
    times.sort();
    times
}

/// The median of writing 2 KiB behind a file and 4 KiB over a file, each made durable.
fn bare_syncs(dir: &Path) -> Duration {
    use std::os::unix::fs::FileExt;
    let open = |name: &str| {
        let mut options = std::fs::OpenOptions::new();
        options.create(true).truncate(false).write(true);
        options.open(dir.join(name)).expect("a file")
    };
    let (behind, over) = (open("behind"), open("over"));
    over.write_all_at(&[0; 8192], 0).expect("written");
    let mut times: Vec<_> = (0..200_u64)
        .map(|round| {
            let begun = Instant::now();
            behind
                .write_all_at(&[1; 2048], round * 2048)
                .expect("written");
            behind.sync_data().expect("durable");
            over.write_all_at(&[2; 4096], (round % 2) * 4096)
                .expect("written");
            over.sync_data().expect("durable");
            begun.elapsed()
        })
        .collect();
    times.sort();
    std::fs::remove_file(dir.join("behind")).expect("removed");
    std::fs::remove_file(dir.join("over")).expect("removed");
    quantile(&times, 0.5)
}

fn sizes(runtime: &Runtime) {
    let mut table = Table::new(
        "The same log, larger: entries whose payloads are gone, and what it costs to go on",
        &[
            "entries",
            "start-up",
            "append on an idle log, p50",
            "entries/s, 256 a call",
            "proof by execution id, p50",
            "resident memory, peak",
        ],
    );
    for count in sizes_asked() {
        let dir = tempfile::tempdir().expect("a directory");
        let sandbox = Sandbox::new(7);
        synthetic::make(
            dir.path(),
            &options(),
            sandbox.key.public().id(),
            count,
            execution_id,
        )
        .expect("made");
        let signed = Signed::new(&sandbox, 3_000_000_000, 20_000);
        memory::forget_peak();
        let begun = Instant::now();
        let log = Log::open(dir.path(), options()).expect("a log");
        let opened = begun.elapsed();
        let (idle, rate) = runtime.block_on(async {
            log.append(sandbox.delegation.clone())
                .await
                .expect("appended");
            let idle = idle(&log, &sandbox, 0, 100).await;
            (idle, append_all(&log, &signed, 3_000_019_999).await)
        });
        let mut proofs: Vec<_> = (0..200)
            .map(|n| {
                let id = execution_id(n * 7919 % count);
                let begun = Instant::now();
                let index = log.index_of(LeafKind::Execution, id).expect("asked");
                log.proof(index.expect("found")).expect("proved");
                begun.elapsed()
            })
            .collect();
        proofs.sort();
        table.row([
            count.to_string(),
            ms(opened),
            ms(quantile(&idle, 0.5)),
            format!("{rate:.0}"),
            us(quantile(&proofs, 0.5)),
            memory::peak(),
        ]);
    }
    table.print();
    println!(
        "\nGoals: start-up ≤ 1 s and a proof ≤ 2 ms at 10 million, memory ≤ 150 MiB at any rate, and no column that grows.\n"
    );
}

/// 1,000, a million and ten million; others if `OACP_BENCH_LOG_SIZES` says so, for who has no ten minutes.
fn sizes_asked() -> Vec<u64> {
    let asked = std::env::var("OACP_BENCH_LOG_SIZES");
    let asked = asked.as_deref().unwrap_or("1000,1000000,10000000");
    asked
        .split(',')
        .map(|size| size.parse().expect("a size"))
        .collect()
}
