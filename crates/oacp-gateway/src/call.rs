//! What a caller asks of the spine.

use std::collections::BTreeMap;
use std::sync::Arc;

use oacp::blob::Blob;
use oacp::capability::{Capabilities, GuestPath, SecretName};
use oacp::digest::Digest;
use oacp::event::Seed;
use oacp::id::{Audience, Nonce, Principal};
use oacp::source::Source;
use oacp::statement::Level;
use oacp::time::Timestamp;
use oacp::tool::ExportName;
use oacp_egress::SecretValue;
use oacp_sandbox::{Ask, Cancel, Limits, Observer, Program, Tools};

use crate::tools::Bound;
use crate::validation::RegisteredAgent;

/// One call: which agent, on which input, with which rights asked for.
pub struct Call {
    /// What is to run.
    pub agent: Agent,
    /// The definition that the run is held to. `None`: it is no registered agent's.
    pub definition: Option<Arc<RegisteredAgent>>,
    /// A JSON text, handed to the agent byte for byte.
    pub input: String,
    /// The capabilities that the agent is to have, before the node's policy cuts them down.
    pub asked: Capabilities,
    /// Functions of the embedding program that may be called as tools.
    pub tools: Tools,
    /// Registered tools that may be called. Where one has the name of a function, it comes first.
    pub bound: Bound,
    /// To which the agent's relative paths are relative.
    pub working_directory: GuestPath,
    /// Environment variables that may be granted. Leave out what nobody is to be granted.
    pub environment: BTreeMap<String, String>,
    /// The values of the secrets that are asked for. They go to the network's edge, and nowhere else.
    pub secrets: BTreeMap<SecretName, SecretValue>,
    /// Is asked about what is not granted. `None`: it is denied.
    pub ask: Option<Ask>,
    /// Where the run is stopped.
    pub limits: Limits,
    /// `None`: the default of the sandbox's type. A level that cannot be given is refused.
    pub level: Option<Level>,
    /// Bound in the statement, so that the caller knows an answer to this call from one to another.
    pub nonce: Option<Nonce>,
    /// For whom the statement is made.
    pub audience: Option<Audience>,
    /// From which the guest's randomness follows. `None`: 32 fresh bytes from the operating system.
    pub seed: Option<Seed>,
    /// The guest's wall clock at its start. `None`: now.
    pub clock_start: Option<Timestamp>,
    /// Who asks.
    pub principal: Principal,
    /// Is told each log line as it is recorded.
    pub observer: Option<Observer>,
    /// Ends the run early.
    pub cancel: Cancel,
}

/// What is to run.
#[derive(Clone)]
pub enum Agent {
    /// A source, on a language runtime.
    Source {
        /// The runtime.
        program: Program,
        /// The agent's files.
        source: Arc<Source>,
    },
    /// An agent that was compiled to a component.
    Component {
        /// The component, loaded.
        program: Program,
        /// Its bytes, which the bundle holds as it would hold a source.
        wasm: Blob,
        /// The function to call. `None`: its `run`.
        export: Option<ExportName>,
    },
}

impl Agent {
    /// `agent_hash` of the statement.
    pub fn hash(&self) -> Digest {
        match self {
            Self::Source { source, .. } => source.hash(),
            Self::Component { program, .. } => program.digest(),
        }
    }

    pub(crate) fn program(&self) -> &Program {
        match self {
            Self::Source { program, .. } | Self::Component { program, .. } => program,
        }
    }

    pub(crate) fn source(&self) -> Option<&Arc<Source>> {
        match self {
            Self::Source { source, .. } => Some(source),
            Self::Component { .. } => None,
        }
    }

    pub(crate) fn export(&self) -> Option<&ExportName> {
        match self {
            Self::Source { .. } => None,
            Self::Component { export, .. } => export.as_ref(),
        }
    }
}
