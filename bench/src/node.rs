//! A node for the bench, and its calls.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use oacp::capability::GuestPath;
use oacp::{
    Bundle, Capabilities, Expectation, ReplayVerdict, SecretKey, Source, Timestamp, Trust, Verified,
};
use oacp_egress::Options;
use oacp_gateway::{Agent, Bound, Call, Node, NodeOptions, re_execute};
use oacp_sandbox::{
    Cancel, Compiler, Engine, EngineOptions, Languages, Limits, Meter, Patience, Program, Tools,
};
use serde_json::Value;

pub fn block_on<F: Future>(future: F) -> F::Output {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// Under the target directory, beside what cargo builds.
pub fn cache_dir() -> PathBuf {
    let exe = std::env::current_exe().expect("a path");
    exe.parent()
        .map_or_else(std::env::temp_dir, |dir| dir.join("bench-cache"))
}

pub fn engine(meter: Meter) -> Engine {
    Engine::new(EngineOptions {
        meter,
        cache_dir: Some(cache_dir()),
        compiler: Compiler::InProcess,
    })
    .expect("an engine")
}

pub fn node(meter: Meter) -> Node {
    node_allowing(meter, tools())
}

fn tools() -> Capabilities {
    Capabilities {
        tools: ["hold".parse().expect("a name")].into(),
        ..Capabilities::default()
    }
}

pub fn node_allowing(meter: Meter, allowed: Capabilities) -> Node {
    Node::new(NodeOptions {
        key: SecretKey::from_bytes(&[1; 32]),
        engine: engine(meter),
        languages: Languages::new(None),
        allowed,
        egress: Options::default(),
        log: None,
        state_dir: None,
        withheld: Vec::new(),
    })
}

/// The language runtime's `.wasm`.
pub fn language(name: &str) -> Vec<u8> {
    Languages::new(None)
        .read(&crate::language_of(name).digest().expect("a digest"))
        .expect("a runtime")
}

pub fn program(node: &Node, name: &str) -> Program {
    let digest = crate::language_of(name).digest().expect("a digest");
    node.languages()
        .load(node.engine(), digest, &|_| {})
        .expect("a program")
}

pub fn call(node: &Node, name: &str, text: &str, input: Value) -> Call {
    thread_local! {
        static PROGRAMS: std::cell::RefCell<Vec<((Meter, bool), Program)>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    let key = (node.engine().meter(), name.ends_with(".py"));
    let program =
        PROGRAMS.with_borrow_mut(|programs| match programs.iter().find(|(k, _)| *k == key) {
            // A program belongs to its engine; the bench makes one engine a meter and a step, so the newest is looked for.
            Some((_, program)) if program.is_of(node.engine()) => program.clone(),
            _ => {
                let program = program(node, name);
                programs.retain(|(k, _)| *k != key);
                programs.push((key, program.clone()));
                program
            }
        });
    let source =
        Source::single(name.parse().expect("a path"), text.as_bytes().to_vec()).expect("a source");
    Call {
        definition: None,
        agent: Agent::Source {
            program,
            source: Arc::new(source),
        },
        input: input.to_string(),
        asked: tools(),
        tools: Tools::none(),
        bound: Bound::none(),
        working_directory: GuestPath::root(),
        environment: BTreeMap::new(),
        secrets: BTreeMap::new(),
        ask: None,
        limits: Limits {
            fuel: 1 << 45,
            timeout_ms: 600_000,
            ..Limits::default()
        },
        level: None,
        nonce: None,
        audience: None,
        seed: None,
        clock_start: None,
        principal: "bench".parse().expect("a name"),
        observer: None,
        cancel: Cancel::default(),
    }
}

pub fn verify(node: &Node, bytes: &[u8]) -> Verified {
    let now = Timestamp::from_unix_ms(4_000_000_000_000);
    let bundle = Bundle::parse(bytes).expect("a bundle");
    bundle
        .verify(
            &Trust::this_machine("bench", node.public_key(), None).unwrap(),
            &Expectation::default(),
            now,
        )
        .expect("verified")
}

pub fn replay(verified: &Verified, engine: &Engine) -> ReplayVerdict {
    block_on(re_execute(
        verified,
        engine,
        &Languages::new(None),
        Patience::default(),
        &|_| {},
    ))
}
