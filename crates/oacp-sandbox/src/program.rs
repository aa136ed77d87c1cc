//! A compiled component, linked and ready to be instantiated.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use oacp::digest::Digest;
use oacp::tool::ExportName;
use thiserror::Error;
use wasmtime::component::{Component, Linker};

use crate::compile::CompileError;
use crate::component::{Docs, Export, Exports, functions_imported, refusal};
use crate::engine::Engine;
use crate::limits;
use crate::run::JobError;
use crate::state::State;

pub(crate) mod agent {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "agent",
        imports: { default: async | trappable },
        exports: { default: async },
    });
}

pub(crate) mod language {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "language",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "oacp:agent/types": super::agent::oacp::agent::types,
            "oacp:agent/port": super::agent::oacp::agent::port,
            "oacp:agent/tools": super::agent::oacp::agent::tools,
            "oacp:agent/log": super::agent::oacp::agent::log,
            "oacp:agent/ending": super::agent::oacp::agent::ending,
        },
    });
}

pub(crate) mod tool {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "tool",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "oacp:agent/types": super::agent::oacp::agent::types,
            "oacp:agent/port": super::agent::oacp::agent::port,
            "oacp:agent/tools": super::agent::oacp::agent::tools,
            "oacp:agent/log": super::agent::oacp::agent::log,
            "oacp:agent/ending": super::agent::oacp::agent::ending,
        },
    });
}

/// A component, compiled and linked. Cheap to clone; each run makes a fresh instance of it.
#[derive(Clone)]
pub struct Program {
    digest: Digest,
    pub(crate) pre: Pre,
}

#[derive(Clone)]
pub(crate) enum Pre {
    /// A compiled agent.
    Agent(Arc<agent::AgentPre<State>>),
    /// A language runtime: it needs a source.
    Language(Arc<language::LanguagePre<State>>),
    /// Tools that describe themselves.
    Tool(Arc<tool::ToolPre<State>>),
    /// A component of any other world: its functions are called as they are.
    Exports(Arc<Exports>),
}

/// Why a component cannot be loaded.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// The component's bytes cannot be read.
    #[error("the component cannot be read")]
    Read(#[source] io::Error),
    /// The bytes are not those that were named.
    #[error("the component is {found}, expected {expected}")]
    Digest {
        /// What was asked for.
        expected: Digest,
        /// What was given.
        found: Digest,
    },
    /// The component is larger than [`COMPONENT_BYTES_MAX`](crate::limits::COMPONENT_BYTES_MAX).
    #[error("the component has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: usize,
    },
    /// The bytes are not a component that the engine can compile.
    #[error("the component cannot be compiled")]
    Compile(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The bytes are no component, as their beginning says.
    #[error("the file is no component: it is {found}")]
    Kind {
        /// What they are.
        found: &'static str,
    },
    /// The component uses what OACP does not have, since it would not replay.
    #[error(
        "the component uses the asynchronous component model (WASI 0.3), which OACP does not have: build it for WASI 0.2"
    )]
    Asynchronous,
    /// It could not be compiled in a process of its own.
    #[error(transparent)]
    Compiler(#[from] CompileError),
    /// What was compiled is not of this engine.
    #[error("what the compiler made cannot be loaded; is it of the same build?")]
    Load(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The component needs something of its host that OACP does not have.
    #[error("the component imports `{name}`, which OACP does not have: {instead}")]
    Import {
        /// The import.
        name: String,
        /// What to do instead.
        instead: String,
    },
    /// Nothing that the component exports can be called.
    #[error("nothing that the component exports can be called: {found}")]
    World {
        /// What was found instead.
        found: String,
    },
    /// The directory of compiled components cannot be used.
    #[error("the cache of compiled components cannot be used")]
    Cache(#[source] io::Error),
}

impl Program {
    /// Of a component that is compiled. `docs` is asked only if its functions are called as they are.
    pub(crate) fn new(
        digest: Digest,
        component: &Component,
        linker: &Linker<State>,
        docs: impl FnOnce() -> Result<Docs, ProgramError>,
    ) -> Result<Self, ProgramError> {
        let pre = linker
            .instantiate_pre(component)
            .map_err(|error| refusal(component, &error))?;
        let of = |pre| Ok(Self { digest, pre });
        if let Ok(agent) = agent::AgentPre::new(pre.clone()) {
            return of(Pre::Agent(Arc::new(agent)));
        }
        if let Ok(language) = language::LanguagePre::new(pre.clone()) {
            return of(Pre::Language(Arc::new(language)));
        }
        if let Ok(tool) = tool::ToolPre::new(pre.clone()) {
            return of(Pre::Tool(Arc::new(tool)));
        }
        let exports = Exports::of(component, pre, &docs()?);
        if exports.mapped.is_empty() {
            let found = exports.nothing();
            return Err(ProgramError::World { found });
        }
        of(Pre::Exports(Arc::new(exports)))
    }

    /// The functions that it offers as tools. None of an agent or a language runtime, nor of a component that describes itself: that is
    /// asked by [`describe`](Self::describe).
    pub fn exports(&self) -> &[Export] {
        match &self.pre {
            Pre::Exports(exports) => &exports.mapped,
            Pre::Agent(_) | Pre::Language(_) | Pre::Tool(_) => &[],
        }
    }

    /// What it exports besides and cannot be called: names, and the reasons, each a clause (`its result is a stream, …`). At most
    /// [`EXPORTS_MAX`](limits::EXPORTS_MAX) of them.
    pub fn refused(&self) -> &[(String, String)] {
        match &self.pre {
            Pre::Exports(exports) => &exports.refused,
            Pre::Agent(_) | Pre::Language(_) | Pre::Tool(_) => &[],
        }
    }

    /// The names of what it imports and can call. All of it is there, else it would not have been loaded.
    pub fn imports(&self) -> Vec<String> {
        functions_imported(match &self.pre {
            Pre::Agent(pre) => pre.instance_pre().component(),
            Pre::Language(pre) => pre.instance_pre().component(),
            Pre::Tool(pre) => pre.instance_pre().component(),
            Pre::Exports(exports) => exports.pre.component(),
        })
    }

    /// Whether it is of the world `tool`, and so has to be asked what it offers.
    pub fn describes_itself(&self) -> bool {
        matches!(self.pre, Pre::Tool(_))
    }

    /// Whether this is a compiled agent: what it exports is `run`, and no tool.
    pub fn is_agent(&self) -> bool {
        matches!(self.pre, Pre::Agent(_))
    }

    /// Why `export` cannot be called, or nothing without one.
    pub(crate) fn unknown_export(&self, export: Option<&ExportName>) -> JobError {
        const SHOWN_MAX: usize = 16;
        let program = self.digest;
        let offered = match &self.pre {
            Pre::Exports(exports) => {
                let names = exports.mapped.iter().take(SHOWN_MAX);
                let names: Vec<_> = names.map(|export| format!("`{}`", export.name)).collect();
                names.join(", ")
            }
            Pre::Tool(_) => "`tool:NAME` for each tool that it describes".to_owned(),
            Pre::Agent(_) | Pre::Language(_) => "`run`, which needs no name".to_owned(),
        };
        match export {
            Some(export) => JobError::UnknownExport {
                program,
                export: export.clone(),
                offered,
            },
            None => JobError::NoExport { program, offered },
        }
    }

    /// The SHA-256 of the component's `.wasm`, never of what was compiled from it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether this is a language runtime, which needs a source to run.
    pub fn is_language(&self) -> bool {
        matches!(self.pre, Pre::Language(_))
    }

    /// Whether an instance outlives a call of this function, or of `run`. A command or an HTTP handler has one for each call.
    pub fn can_be_kept(&self, export: Option<&ExportName>) -> bool {
        match (&self.pre, export) {
            (Pre::Exports(exports), Some(export)) => exports.can_be_kept(export),
            _ => true,
        }
    }

    /// Whether this program was loaded by `engine`, and so can run on it.
    pub fn is_of(&self, engine: &Engine) -> bool {
        let program = match &self.pre {
            Pre::Agent(pre) => pre.engine(),
            Pre::Language(pre) => pre.engine(),
            Pre::Tool(pre) => pre.engine(),
            Pre::Exports(exports) => exports.pre.engine(),
        };
        wasmtime::Engine::same(program, engine.wasmtime())
    }
}

/// Reads a component's file. One that is larger than a component may be is refused by its size, before it is read.
///
/// # Errors
/// When the file cannot be read, or is too large.
pub fn read_component(path: &Path) -> Result<Vec<u8>, ProgramError> {
    let file = File::open(path).map_err(ProgramError::Read)?;
    let bytes = file.metadata().map_err(ProgramError::Read)?.len();
    let too_large = |bytes| ProgramError::TooLarge {
        bytes,
        limit: limits::COMPONENT_BYTES_MAX,
    };
    if bytes > limits::COMPONENT_BYTES_MAX as u64 {
        return Err(too_large(bytes));
    }
    // It may be a pipe, whose size says nothing, or grow meanwhile.
    let mut wasm = Vec::new();
    file.take(limits::COMPONENT_BYTES_MAX as u64 + 1)
        .read_to_end(&mut wasm)
        .map_err(ProgramError::Read)?;
    if wasm.len() > limits::COMPONENT_BYTES_MAX {
        return Err(too_large(wasm.len() as u64));
    }
    Ok(wasm)
}
