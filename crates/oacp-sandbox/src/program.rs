//! A compiled component of one of OACP's worlds, linked and ready to be instantiated.

use std::io;
use std::sync::Arc;

use oacp::digest::Digest;
use thiserror::Error;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

use crate::engine::Engine;
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
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The bytes are not a component that the engine can compile.
    #[error("the component cannot be compiled")]
    Compile(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The component is of another world.
    #[error(
        "the component fits neither world of OACP: {found}; it must export `run` as in wit/agent.wit"
    )]
    World {
        /// What was found instead.
        found: String,
    },
    /// The directory of compiled components cannot be used.
    #[error("the cache of compiled components cannot be used")]
    Cache(#[source] io::Error),
}

impl Program {
    pub(crate) fn new(
        digest: Digest,
        component: Component,
        linker: &Linker<State>,
    ) -> Result<Self, ProgramError> {
        let engine = component.engine();
        let ty = component.component_type();
        let parameters = match ty.get_export(engine, "run").map(|e| e.ty) {
            Some(ComponentItem::ComponentFunc(run)) => run.params().len(),
            _ => {
                let exports: Vec<_> = ty
                    .exports(engine)
                    .map(|(name, _)| format!("`{name}`"))
                    .collect();
                let found = match exports.as_slice() {
                    [] => "it exports nothing".to_owned(),
                    some => format!("it exports {}", some.join(", ")),
                };
                return Err(ProgramError::World { found });
            }
        };
        // Missing imports and differing types both say so in Wasmtime's own words, which name the item.
        let world = |e: wasmtime::Error| ProgramError::World {
            found: format!("{e:#}"),
        };
        let pre = linker.instantiate_pre(&component).map_err(world)?;
        let pre = if parameters == 1 {
            Pre::Agent(Arc::new(agent::AgentPre::new(pre).map_err(world)?))
        } else {
            Pre::Language(Arc::new(language::LanguagePre::new(pre).map_err(world)?))
        };
        Ok(Self { digest, pre })
    }

    /// The SHA-256 of the component's `.wasm`, never of what was compiled from it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether this is a language runtime, which needs a source to run.
    pub fn is_language(&self) -> bool {
        matches!(self.pre, Pre::Language(_))
    }

    /// Whether this program was loaded by `engine`, and so can run on it.
    pub fn is_of(&self, engine: &Engine) -> bool {
        let program = match &self.pre {
            Pre::Agent(pre) => pre.engine(),
            Pre::Language(pre) => pre.engine(),
        };
        wasmtime::Engine::same(program, engine.wasmtime())
    }
}
