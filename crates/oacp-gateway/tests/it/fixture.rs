//! A node with fixed keys, and one function that takes an agent the whole way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use oacp::capability::Capabilities;
use oacp::event::Seed;
use oacp::key::SecretKey;
use oacp::replay::ReplayVerdict;
use oacp::source::Source;
use oacp::time::Timestamp;
use oacp::trust::Trust;
use oacp::{Bundle, Expectation, Verified};
use oacp_egress::Options;
use oacp_gateway::{Agent, Bound, Call, Execution, Node, NodeOptions, execute, re_execute};
use oacp_sandbox::{
    Cancel, Compiler, Engine, EngineOptions, Language, Languages, Limits, Meter, Patience, Program,
    ToolError, Tools,
};
use serde_json::{Value, json};

pub const SEED: [u8; 32] = [42; 32];

/// Compiled runtimes are kept between tests and test runs.
pub fn engine() -> Engine {
    let cache_dir = Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("aot"));
    Engine::new(EngineOptions {
        meter: Meter::Fuel,
        cache_dir,
        compiler: Compiler::InProcess,
    })
    .unwrap()
}

pub fn languages() -> Languages {
    Languages::new(None)
}

pub fn language(language: Language) -> Program {
    static PROGRAMS: OnceLock<(Program, Program)> = OnceLock::new();
    let (python, javascript) = PROGRAMS.get_or_init(|| {
        let load = |language: Language| {
            languages()
                .load(node().engine(), language.digest().unwrap(), &|_| {})
                .unwrap()
        };
        (load(Language::Python), load(Language::JavaScript))
    });
    match language {
        Language::Python => python.clone(),
        Language::JavaScript => javascript.clone(),
    }
}

pub fn node() -> &'static Node {
    static NODE: OnceLock<Node> = OnceLock::new();
    NODE.get_or_init(|| {
        let allowed = capabilities(&["echo", "add", "slow", "big", "broken", "panics", "secret"]);
        node_of(engine(), allowed, Options::default())
    })
}

/// A node that shares the engine with [`node`], under another ceiling and with another network.
pub fn node_with(allowed: Capabilities, egress: Options) -> Node {
    node_of(node().engine().clone(), allowed, egress)
}

fn node_of(engine: Engine, allowed: Capabilities, egress: Options) -> Node {
    Node::new(NodeOptions {
        key: SecretKey::from_bytes(&[1; 32]),
        engine,
        languages: languages(),
        allowed,
        egress,
        log: None,
        state_dir: None,
        withheld: Vec::new(),
    })
}

pub fn trust() -> Trust {
    Trust::this_machine("test", node().public_key(), None).unwrap()
}

pub fn capabilities(tools: &[&str]) -> Capabilities {
    Capabilities {
        tools: tools.iter().map(|name| name.parse().unwrap()).collect(),
        ..Capabilities::default()
    }
}

/// Capabilities as the statement writes them.
pub fn grant(json: Value) -> Capabilities {
    serde_json::from_value(json).unwrap()
}

/// The tools that a test's agent may find.
pub fn tools() -> Tools {
    Tools::none()
        .with("echo".parse().unwrap(), |arguments| async { Ok(arguments) })
        .with("add".parse().unwrap(), |arguments: Value| async move {
            let number = |name: &str| {
                arguments[name]
                    .as_i64()
                    .ok_or(ToolError(format!("`{name}` is not an integer")))
            };
            Ok(json!(number("a")? + number("b")?))
        })
        // Takes as long as it is told, in milliseconds.
        .with("slow".parse().unwrap(), |arguments: Value| async move {
            let ms = arguments["ms"].as_u64().unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(arguments["answer"].clone())
        })
        .with("big".parse().unwrap(), |arguments: Value| async move {
            Ok(json!(
                "x".repeat(arguments["bytes"].as_u64().unwrap_or(0) as usize)
            ))
        })
        .with("broken".parse().unwrap(), |_| async {
            Err(ToolError("the service is down".into()))
        })
        .with("panics".parse().unwrap(), |_| async {
            panic!("a tool's own fault")
        })
        .with("secret".parse().unwrap(), |_| async {
            Ok(json!("never granted"))
        })
}

/// A single-file agent, by its extension's language.
pub fn agent(name: &str, text: &str) -> Agent {
    let extension = name.rsplit('.').next().unwrap();
    let source = Source::single(name.parse().unwrap(), text.as_bytes().to_vec()).unwrap();
    Agent::Source {
        program: language(Language::of_extension(extension).unwrap()),
        source: Arc::new(source),
    }
}

pub fn call(agent: Agent, input: Value) -> Call {
    Call {
        agent,
        definition: None,
        input: input.to_string(),
        asked: capabilities(&["echo", "add", "slow", "big", "broken", "panics"]),
        tools: tools(),
        bound: Bound::none(),
        working_directory: "/project".parse().unwrap(),
        environment: BTreeMap::new(),
        secrets: BTreeMap::new(),
        ask: None,
        limits: Limits {
            fuel: 20_000_000_000,
            timeout_ms: 120_000,
            ..Limits::default()
        },
        level: None,
        nonce: None,
        audience: None,
        seed: Some(Seed::from_bytes(SEED)),
        clock_start: Some(Timestamp::from_unix_ms(1_700_000_000_000)),
        principal: "test".parse().unwrap(),
        observer: None,
        cancel: Cancel::default(),
    }
}

/// What a call led to, seen by somebody who has only the bundle's bytes.
pub struct Seen {
    pub execution: Execution,
    pub verified: Verified,
    pub replay: ReplayVerdict,
}

impl Seen {
    /// The result, or the failure's JSON.
    pub fn output(&self) -> Value {
        serde_json::from_slice(&self.execution.output).unwrap()
    }

    pub fn failure(&self) -> &oacp_sandbox::Failure {
        self.execution
            .failure
            .as_ref()
            .expect("the run has a result")
    }

    /// Asserts that the run can be, and was, re-executed.
    pub fn confirmed(self) -> Self {
        assert!(
            matches!(self.replay, ReplayVerdict::Confirmed { .. }),
            "{:?}\n{:?}",
            self.replay,
            self.execution.failure
        );
        self
    }
}

pub fn attest(call: Call) -> Execution {
    attest_on(node(), call)
}

pub fn attest_on(node: &Node, call: Call) -> Execution {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let sandbox = node.spawn(None).unwrap();
        execute(node, &sandbox, call).await.unwrap()
    })
}

pub fn verify(bytes: &[u8]) -> Verified {
    let now = Timestamp::from_unix_ms(4_000_000_000_000);
    Bundle::parse(bytes)
        .unwrap()
        .verify(&trust(), &Expectation::default(), now)
        .unwrap()
}

/// In an engine of its own.
pub fn replay(verified: &Verified) -> ReplayVerdict {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(re_execute(
        verified,
        &engine(),
        &languages(),
        Patience::default(),
        &|_| {},
    ))
}

/// Runs, attests, verifies from the bytes, re-executes.
pub fn see(call: Call) -> Seen {
    see_on(node(), call)
}

/// Runs under exactly what the call asks for.
pub fn see_granted(call: Call) -> Seen {
    see_on(&node_with(call.asked.clone(), Options::default()), call)
}

pub fn see_on(node: &Node, call: Call) -> Seen {
    let execution = attest_on(node, call);
    let verified = verify(&execution.bundle.to_bytes());
    let replay = replay(&verified);
    Seen {
        execution,
        verified,
        replay,
    }
}

pub fn see_agent(name: &str, text: &str, input: Value) -> Seen {
    see(call(agent(name, text), input))
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
