use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use oacp::capability::{Grant, GuestPath};
use oacp::digest::Digest;
use oacp::event::{Event, Seed};
use oacp::recording::SaltKey;
use oacp::replay::ReplayVerdict;
use oacp_sandbox::{
    Cancel, Claim, Compiler, ENGINE, Engine, EngineOptions, Job, JobError, Limits, Meter, Patience,
    Program, ProgramError, Run, Tools, replay, run,
};
use serde_json::Value;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn options() -> EngineOptions {
    EngineOptions {
        meter: Meter::Fuel,
        cache_dir: None,
        compiler: Compiler::InProcess,
    }
}

pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(options()).unwrap())
}

pub fn load_on(engine: &Engine, wasm: &[u8]) -> Result<Program, ProgramError> {
    engine.load(Digest::of(wasm), || Ok(wasm.to_vec()), &|_| {})
}

pub fn load(wasm: &[u8]) -> Result<Program, ProgramError> {
    load_on(engine(), wasm)
}

/// Every guest's memory, and a bump allocator (alignment 8 serves all).
pub const MEMORY: &str = r#"
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 4096))
  (func $allocate (export "cabi_realloc") (param $old i32) (param $old_size i32) (param i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (block $fits
      (br_if $fits (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
      (drop (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1)))))
    (memory.copy (local.get $at) (local.get $old) (local.get $old_size))
    (local.get $at))
"#;

/// A component of the world `guest` of `wit`, around a core module of [`MEMORY`] and `core`, its imports first.
pub fn component(wit: &str, imports: &str, core: &str) -> Vec<u8> {
    let core = format!("(module {imports} {MEMORY} {core})");
    let mut core = wat::parse_str(&core).unwrap();
    let mut resolve = Resolve::default();
    resolve.push_dir(repository().join("wit")).unwrap();
    let package = resolve.push_str("guest.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .module(&core)
        .unwrap()
        .validate(true)
        .encode()
        .unwrap()
}

/// A call of one function, without any right.
pub fn job(program: &Program, export: &str, input: &str) -> Job {
    Job {
        program: program.clone(),
        source: None,
        export: Some(export.parse().unwrap()),
        input: input.to_owned(),
        grant: Grant::none(),
        tools: Tools::none(),
        egress: None,
        working_directory: GuestPath::root(),
        withheld: Vec::new(),
        environment: BTreeMap::new(),
        ask: None,
        limits: Limits {
            fuel: 1_000_000_000,
            memory_bytes_max: 64 << 20,
            timeout_ms: 60_000,
        },
        seed: Seed::from_bytes([42; 32]),
        clock_start_ms: 1_000_000,
        salt_key: SaltKey::from_bytes([1; 32]),
        observer: None,
        cancel: Cancel::default(),
    }
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

pub fn try_run(job: Job) -> Result<Run, JobError> {
    block_on(run(engine(), job))
}

/// What came of a call, and of its replay by an engine that has compiled the component anew.
pub struct Seen {
    pub run: Run,
    pub replay: ReplayVerdict,
}

/// Runs the job and replays it from what was recorded.
pub fn see(wasm: &[u8], job: Job) -> Seen {
    see_on(engine(), options(), wasm, job)
}

/// The same on another engine, with the options of the one that replays.
pub fn see_on(engine: &Engine, options: EngineOptions, wasm: &[u8], job: Job) -> Seen {
    let other = Engine::new(options).unwrap();
    let (input, export) = (job.input.clone(), job.export.clone());
    let (grant, limits) = (job.grant.clone(), job.limits);
    let run = block_on(run(engine, job)).unwrap();
    let claim = Claim {
        program: load_on(&other, wasm).unwrap(),
        source: None,
        export,
        input,
        grant,
        limits,
        events: run.recording.events().map(<[u8]>::to_vec).collect(),
        blobs: run.recording.blobs().clone(),
        outcome: run.outcome,
        output: run.output.clone(),
        fuel: run.usage.fuel,
        engine: ENGINE.to_owned(),
    };
    let replay = block_on(replay(&other, claim, Patience::default()));
    Seen { run, replay }
}

impl Seen {
    pub fn confirmed(self) -> Self {
        let replay = &self.replay;
        assert!(
            matches!(replay, ReplayVerdict::Confirmed { .. }),
            "{replay:?}; the run: {:?}",
            self.run.failure
        );
        self
    }

    pub fn output(&self) -> Value {
        assert_eq!(self.run.failure, None);
        serde_json::from_slice(&self.run.output).unwrap()
    }

    pub fn message(&self) -> &str {
        &self.run.failure.as_ref().unwrap().message
    }

    pub fn events(&self) -> Vec<Event> {
        let events = self.run.recording.events();
        events.map(|event| Event::parse(event).unwrap()).collect()
    }
}

/// Calls a function of a component that is loaded, without a replay.
pub fn call(program: &Program, export: &str, input: &str) -> Run {
    try_run(job(program, export, input)).unwrap()
}
