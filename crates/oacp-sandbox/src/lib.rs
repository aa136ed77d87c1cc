//! Runs a WebAssembly component under a grant, records what crosses its boundary, and replays it.
//!
//! **In scope**: the engine and its cache of compiled components; language runtimes; the worlds of `wit/`, and components of any
//! other whose functions can be told in JSON Schema; virtual clocks, seeded randomness and the completion port; limits; outcomes; replay.
//!
//! **Out of scope**: who may run what (`oacp-gateway`), what is signed and how it is checked (`oacp`). This crate knows no
//! signing key, no protocol and no log. It is handed a grant and yields a [`Run`].
//!
//! Nothing nondeterministic reaches a guest unrecorded. The same program, source, input, grant, limits, seed and order of
//! completions give the same events, the same output and the same fuel, on every machine.

#![deny(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod cache;
mod clock;
mod compile;
mod component;
mod denials;
mod egress;
mod engine;
mod environment;
mod files;
mod instance;
mod languages;
pub mod limits;
mod poll;
mod port;
mod program;
mod random;
mod replay;
mod run;
mod state;
mod tape;
mod tools;
mod wasi_http;
mod wasi_logging;

pub use cache::CacheError;
pub use compile::{CompileError, CompileLimits, Compiler, compile_child};
pub use component::{DescribeError, Export, WIT_JSON};
pub use denials::Ask;
pub use egress::Egress;
pub use engine::{
    ENGINE, Engine, EngineError, EngineOptions, FUEL_MODEL, Meter, Progress,
    execution_configuration,
};
pub use files::Write;
pub use instance::Instance;
pub use languages::{Language, LanguageError, Languages, Listed};
pub use limits::Limits;
pub use program::{Program, ProgramError, read_component};
pub use replay::{Claim, Patience, replay, replay_calls};
pub use run::{Cancel, Failure, Job, JobError, LogLine, Run, Usage, run, run_in};
pub use state::Observer;
pub use tape::RecordedCall;
pub use tools::{ToolArguments, ToolError, ToolFailure, ToolFailureCode, Tools};
