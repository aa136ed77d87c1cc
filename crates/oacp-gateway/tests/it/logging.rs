//! Attestations in a log: what a bundle gets for it, and what level FULL asks.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use oacp::key::SecretKey;
use oacp::leaf::LeafKind;
use oacp::statement::Level;
use oacp::time::Timestamp;
use oacp::trust::Trust;
use oacp::{Bundle, Expectation, Proven, Verdict, Verified};
use oacp_egress::Options;
use oacp_gateway::{
    ExecuteError, Execution, Logged, Logging, Node, NodeOptions, Registry, Sandbox, execute,
};
use oacp_registry::{Log, LogOptions, Publication, Query, system_clock};
use oacp_tlog::key::SignerKey;
use oacp_tlog::policy::Policy;
use serde_json::json;

use crate::fixture::{agent, call, capabilities, languages, node as plain_node, replay};

const AGENT: &str = "import oacp\ndef run(input):\n    return oacp.tools.call('echo', input)\n";

fn log_key() -> SignerKey {
    SignerKey::ed25519("log.example/node".parse().unwrap(), &[3; 32])
}

/// The log's key, and what else is asked.
fn policy(rest: &str) -> Policy {
    let text = format!("log {}\n{rest}\n", log_key().verifier());
    Policy::parse(text.as_bytes()).unwrap()
}

fn open(dir: &Path, publication: Publication) -> Log {
    let options = LogOptions {
        origin: "log.example/node".parse().unwrap(),
        key: Arc::new(log_key()),
        nodes: vec![SecretKey::from_bytes(&[1; 32]).public()],
        publication,
        clock: system_clock(),
    };
    Log::open(dir, options).unwrap()
}

/// A node whose attestations go to `log`.
fn node(log: &Log, policy: Policy) -> Node {
    Node::new(NodeOptions {
        key: SecretKey::from_bytes(&[1; 32]),
        engine: plain_node().engine().clone(),
        languages: languages(),
        allowed: capabilities(&["echo"]),
        egress: Options::default(),
        state_dir: None,
        withheld: Vec::new(),
        log: Some(Logging {
            registry: Arc::new(Registry::Local(log.clone())),
            policy,
            spool: None,
            patience: Duration::from_millis(200),
        }),
    })
}

fn trust() -> Trust {
    let node = SecretKey::from_bytes(&[1; 32]).public();
    Trust::this_machine("test", node, Some(policy("quorum none"))).unwrap()
}

async fn run(
    node: &Node,
    sandbox: &Sandbox,
    level: Option<Level>,
) -> Result<Execution, ExecuteError> {
    let mut call = call(agent("agent.py", AGENT), json!({"n": 1}));
    call.level = level;
    if level == Some(Level::Full) {
        // Functions of the embedding program have no digest, which FULL asks for.
        call.tools = oacp_sandbox::Tools::none();
    }
    execute(node, sandbox, call).await
}

fn verify(bundle: &Bundle) -> Verified {
    let later = Timestamp::from_unix_ms(4_000_000_000_000);
    let bundle = Bundle::parse(&bundle.to_bytes()).unwrap();
    bundle
        .verify(&trust(), &Expectation::default(), later)
        .unwrap()
}

#[tokio::test]
async fn every_attestation_is_logged_and_its_bundle_proves_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), Publication::AtOnce);
    let node = node(&log, policy("quorum none"));
    let sandbox = node.spawn(None).unwrap();
    for (round, level) in [Level::Basic, Level::Execution].into_iter().enumerate() {
        let execution = run(&node, &sandbox, Some(level)).await.unwrap();
        let index = 1 + round as u64;
        let expected = Logged::Logged {
            origin: "log.example/node".parse().unwrap(),
            index,
            size: Some(index + 1),
        };
        assert_eq!(execution.logged, expected);
        assert_eq!(
            log.index_of(LeafKind::Execution, execution.execution_id)
                .unwrap(),
            Some(index)
        );
        let verified = verify(&execution.bundle);
        assert!(verified.logged().is_some());
        let report = verified.report(&oacp::ReplayVerdict::NotChecked {
            reason: "no".to_owned(),
        });
        assert!(matches!(report.logged, Verdict::Pass { .. }), "{report}");
    }
    // The closing statement is the sandbox's last.
    sandbox.close(&node).await.unwrap();
    let kinds: Vec<_> = log
        .find(&Query::default())
        .unwrap()
        .rows
        .into_iter()
        .map(|row| row.kind)
        .collect();
    use LeafKind::{Close, Delegation, Execution};
    assert_eq!(kinds, [Delegation, Execution, Execution, Close]);
}

#[tokio::test]
async fn level_full_is_announced_before_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), Publication::AtOnce);
    let node = node(&log, policy("quorum none"));
    let sandbox = node.spawn(None).unwrap();
    let mut full = call(
        agent("agent.py", "def run(input):\n    return input\n"),
        json!(7),
    );
    full.level = Some(Level::Full);
    // Functions of the embedding program have no digest, which FULL asks for.
    full.tools = oacp_sandbox::Tools::none();
    let execution = execute(&node, &sandbox, full).await.unwrap();
    let verified = verify(&execution.bundle);
    assert_eq!(verified.statement().level, Level::Full);
    let at = |of: Proven| execution.bundle.proofs(of)[0].index();
    assert_eq!(
        (
            at(Proven::Delegation),
            at(Proven::Begin),
            at(Proven::Execution)
        ),
        (0, 1, 2)
    );
    let begin = verified.begin().unwrap();
    assert_eq!(begin.execution_id, execution.execution_id);
    assert!(begin.seed_commitment.is_some());
    let verified_again = verified;
    let replayed = tokio::task::spawn_blocking(move || replay(&verified_again))
        .await
        .unwrap();
    assert!(
        matches!(replayed, oacp::ReplayVerdict::Confirmed { .. }),
        "{replayed:?}"
    );
}

#[tokio::test]
async fn level_full_without_the_quorum_is_refused_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), Publication::AtOnce);
    let witness = SignerKey::ed25519_cosigner("witness.example/w".parse().unwrap(), &[4; 32]);
    let dead = format!("witness w {}\nquorum w", witness.verifier());
    let node = node(&log, policy(&dead));
    let sandbox = node.spawn(None).unwrap();
    let refused = run(&node, &sandbox, Some(Level::Full)).await.unwrap_err();
    assert!(
        matches!(refused, ExecuteError::NotLoggable { .. }),
        "{refused}"
    );
    let kinds: Vec<_> = log
        .find(&Query::default())
        .unwrap()
        .rows
        .into_iter()
        .map(|row| row.kind)
        .collect();
    assert_eq!(
        kinds,
        [LeafKind::Delegation],
        "nothing is announced that does not take place"
    );
    // A lower level needs no quorum.
    run(&node, &sandbox, None).await.unwrap();
}

#[tokio::test]
async fn level_full_with_a_tool_that_has_no_digest_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(
        &open(dir.path(), Publication::AtOnce),
        policy("quorum none"),
    );
    let sandbox = node.spawn(None).unwrap();
    let mut full = call(agent("agent.py", AGENT), json!(1));
    full.level = Some(Level::Full);
    let refused = execute(&node, &sandbox, full).await.unwrap_err();
    assert!(refused.to_string().contains("digest"), "{refused}");
}

#[tokio::test]
async fn level_full_without_a_log_is_refused() {
    let node = plain_node();
    let sandbox = node.spawn(None).unwrap();
    let refused = run(node, &sandbox, Some(Level::Full)).await.unwrap_err();
    assert!(matches!(refused, ExecuteError::Level { .. }), "{refused}");
}

#[tokio::test]
async fn a_lower_level_does_not_wait_for_witnesses() {
    let dir = tempfile::tempdir().unwrap();
    // Nobody publishes anything here.
    let log = open(dir.path(), Publication::WhenCosigned);
    let node = node(&log, policy("quorum none"));
    let sandbox = node.spawn(None).unwrap();
    let execution = run(&node, &sandbox, None).await.unwrap();
    let Logged::Logged { index, size, .. } = execution.logged else {
        panic!("{:?}", execution.logged)
    };
    assert_eq!((index, size), (1, None));
    assert!(execution.bundle.proofs(Proven::Execution).is_empty());
}
