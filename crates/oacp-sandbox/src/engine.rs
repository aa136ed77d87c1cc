//! The engine: one configuration of Wasmtime, and what of it an attestation must name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use oacp::digest::Digest;
use thiserror::Error;

use crate::cache::{Cache, CacheError, Loading, Wasm};
use crate::compile::Compiler;
use crate::languages;
use crate::limits;
use crate::program::{Program, ProgramError};
use crate::state::State;

/// How a guest's computing is counted, and so how it can be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meter {
    /// Deterministic: the same run spends the same fuel on every machine. Costs an interpreter a fifth to two fifths.
    Fuel,
    /// Not counted. A guest that loops can be stopped only by ending the process: for a worker that can be killed.
    None,
}

/// Where and how components are compiled.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// How computing is counted.
    pub meter: Meter,
    /// Directory of compiled components. `None` compiles anew each time.
    pub cache_dir: Option<PathBuf>,
    /// Where components are compiled.
    pub compiler: Compiler,
}

/// What an engine says while it does something long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Compiling a component of so many bytes has begun. It happens once for each component and engine version.
    Compiling {
        /// Size of the component in bytes.
        bytes: usize,
    },
    /// Another process is compiling the same component; waiting for it.
    Waiting,
    /// The component is ready.
    Ready,
}

/// An engine that compiles and runs components.
///
/// Two engines of one configuration share nothing: a replay uses one of its own.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    /// Hundreds of functions: shared by clones.
    linker: Arc<wasmtime::component::Linker<State>>,
    meter: Meter,
    cache: Option<Cache>,
    compiler: Compiler,
}

/// Why an engine cannot be had.
#[derive(Debug, Error)]
pub enum EngineError {
    /// Wasmtime refused the configuration: this machine lacks something.
    #[error("this machine cannot run the WebAssembly engine")]
    Configuration(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The directory of compiled components cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl Engine {
    /// Makes an engine.
    ///
    /// # Errors
    ///
    /// When the machine cannot run it, or the cache directory cannot be used.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let configuration = |e: wasmtime::Error| EngineError::Configuration(e.into());
        let inner = wasmtime::Engine::new(&config(options.meter)).map_err(configuration)?;
        let linker = crate::state::linker(&inner).map_err(configuration)?;
        let cache = options.cache_dir.map(Cache::open).transpose()?;
        Ok(Self {
            inner,
            linker: Arc::new(linker),
            meter: options.meter,
            cache,
            compiler: options.compiler,
        })
    }

    /// How this engine counts.
    pub fn meter(&self) -> Meter {
        self.meter
    }

    /// Loads a component, from the cache where it is there.
    ///
    /// `wasm` is asked for the component's bytes only if it has to be compiled; they must have the digest `digest`.
    ///
    /// # Errors
    ///
    /// When the bytes are not a component, are too large, do not fit the digest, take too much to compile, need what OACP does not have, or export
    /// nothing that can be called.
    pub fn load(
        &self,
        digest: Digest,
        wasm: impl FnOnce() -> std::io::Result<Vec<u8>>,
        progress: &dyn Fn(Progress),
    ) -> Result<Program, ProgramError> {
        // What this program brings with it is trusted as it is, and is the largest there is to compile.
        let compiler = match languages::is_carried(&digest) {
            true => &Compiler::InProcess,
            false => &self.compiler,
        };
        let loading = Loading {
            engine: &self.inner,
            meter: self.meter,
            compiler,
            cache: self.cache.as_ref(),
            digest,
            progress,
        };
        let mut wasm = Wasm::new(wasm);
        let component = loading.component(&mut wasm)?;
        Program::new(digest, &component, &self.linker, || loading.docs(&mut wasm))
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner
    }
}

/// The name of the engine and its version, as a statement gives it.
pub const ENGINE: &str = "wasmtime 48.0.8";

/// The name of the rules by which fuel is counted: Wasmtime's own for each instruction, and [`limits`]' for host calls.
pub const FUEL_MODEL: &str = "oacp-fuel/1";

/// What in the configuration touches execution, as a statement gives it: two runs that agree on this, on the component and
/// on the recording give one output.
pub fn execution_configuration(limits: &limits::Limits) -> BTreeMap<String, String> {
    [
        ("clock_step_ns", limits::CLOCK_STEP_NS.to_string()),
        ("fuel_max", limits.fuel.to_string()),
        ("memory_bytes_max", limits.memory_bytes_max.to_string()),
        ("nan_canonicalization", true.to_string()),
        ("relaxed_simd_deterministic", true.to_string()),
        ("wasm_stack_bytes", limits::WASM_STACK_BYTES.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

pub(crate) fn config(meter: Meter) -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    config
        .wasm_component_model(true)
        // Deterministic results on every machine, whatever its floating-point unit does with a NaN.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .consume_fuel(meter == Meter::Fuel)
        // Seven times the cost of a run without it: the interpreter's memory is mapped, not copied.
        .memory_init_cow(true)
        // No backtraces of WebAssembly frames are shown, so no table of addresses is kept.
        .generate_address_map(false)
        .max_wasm_stack(limits::WASM_STACK_BYTES)
        .async_stack_size(limits::WASM_STACK_BYTES + (1 << 20));
    config
}
