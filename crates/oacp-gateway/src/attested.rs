//! An execution from its end to its bundle.

use std::sync::Arc;

use oacp::agent::AgentDefinition;
use oacp::bundle::Bundle;
use oacp::id::ExecutionId;
use oacp::source::Source;
use oacp::statement::Level;
use oacp::tool::Definition;
use oacp_sandbox::Run;

use crate::call::Agent;
use crate::execute::Execution;
use crate::logging::{Entered, Logged};
use crate::node::{Sandbox, Signed};

/// An execution that has ended, with the statement about it.
pub(crate) struct Ended {
    pub(crate) execution_id: ExecutionId,
    pub(crate) signed: Signed,
    pub(crate) run: Run,
    pub(crate) input: String,
    pub(crate) agent: Agent,
    pub(crate) definition: Option<Arc<AgentDefinition>>,
    /// Of the tools that it called.
    pub(crate) tools: Vec<Definition>,
    pub(crate) tool_calls: usize,
    pub(crate) level: Level,
    pub(crate) children: Vec<Attested>,
}

impl Ended {
    /// How many bytes of its input, its output and its recording are kept, about.
    fn recorded_bytes(&self) -> usize {
        let Run {
            recording, output, ..
        } = &self.run;
        let events = recording.events().map(<[u8]>::len);
        let blobs = recording.blobs().values().map(|blob| blob.len());
        let recorded = match self.level {
            Level::Basic => 0,
            _ => events.chain(blobs).sum(),
        };
        self.input.len() + output.len() + recorded
    }

    /// Puts into a bundle what belongs there.
    pub(crate) fn attest(self, sandbox: &Sandbox) -> Attested {
        let recorded_bytes = self.recorded_bytes();
        let (run, signed) = (self.run, self.signed);
        let mut bundle = Bundle::new(signed.envelope.clone(), sandbox.delegation().clone())
            .with_input(self.input.into_bytes())
            .with_output(run.output.clone())
            .with_tools(self.tools);
        if let Some(definition) = self.definition {
            bundle = bundle.with_agent(definition);
        }
        bundle = match self.agent {
            Agent::Source { source, .. } => bundle.with_source(Source::clone(&source)),
            Agent::Component { wasm, .. } => bundle.with_component(wasm),
        };
        let events = run.recording.len();
        if self.level > Level::Basic {
            bundle = bundle.with_recording(run.recording);
        }
        let execution = Execution {
            execution_id: self.execution_id,
            outcome: run.outcome,
            output: run.output,
            failure: run.failure,
            usage: run.usage,
            denials: run.denials,
            writes: run.writes,
            tool_calls: self.tool_calls,
            events,
            logged: Logged::NotLogged,
            bundle,
        };
        Attested {
            execution,
            signed,
            recorded_bytes,
            delegated: None,
            children: self.children,
        }
    }
}

/// An execution that is signed, and those that it called.
pub(crate) struct Attested {
    pub(crate) execution: Execution,
    pub(crate) signed: Signed,
    pub(crate) recorded_bytes: usize,
    /// Where the delegation of the key that signed is in the log.
    pub(crate) delegated: Option<Entered>,
    /// In the order of the calls, and of the checks behind them.
    children: Vec<Self>,
}

impl Attested {
    /// Visits it and all that it led to, each after those that it called: in the order in which they were stated, as far as one waited for
    /// the other.
    pub(crate) fn visit(&mut self, visit: &mut impl FnMut(&mut Self)) {
        for child in &mut self.children {
            child.visit(visit);
        }
        visit(self);
    }

    /// The bundles of what it called go into its own.
    pub(crate) fn into_execution(self) -> Execution {
        let Self {
            mut execution,
            children,
            ..
        } = self;
        let children = children
            .into_iter()
            .map(|child| child.into_execution().bundle);
        execution.bundle = children.fold(execution.bundle, Bundle::with_child);
        execution
    }
}
