//! From a run to the statement about it.

use std::collections::BTreeMap;

use oacp::agent::Validation;
use oacp::begin::Begin;
use oacp::capability::Grant;
use oacp::digest::Digest;
use oacp::event::Seed;
use oacp::id::{Audience, ExecutionId, Nonce, Principal, ToolName};
use oacp::outcome::Outcome;
use oacp::recording::SaltKey;
use oacp::source::SourcePath;
use oacp::statement::{
    ExecutionStatement, GrantClaim, InstanceClaim, Level, Reexecutable, Resources, RuntimeClaim,
    ToolCall,
};
use oacp::tool::ExportName;
use oacp_sandbox::{ENGINE, FUEL_MODEL, Limits, Meter, RecordedCall, Run, execution_configuration};

use crate::attested::Attested;
use crate::call::{Agent, Call};
use crate::node::{Node, Place, Sandbox};
use crate::tools::Bound;

/// The one policy there is so far: the node's ceiling, with which every grant is intersected.
const CEILING: &str = "ceiling";

/// What is known before the run.
pub(crate) struct Known {
    execution_id: ExecutionId,
    agent_hash: Digest,
    agent_entry: Option<SourcePath>,
    export: Option<ExportName>,
    tool_hashes: BTreeMap<ToolName, Digest>,
    parent: Option<ExecutionId>,
    input_hash: Digest,
    nonce: Option<Nonce>,
    audience: Option<Audience>,
    principal: Principal,
    grant: GrantClaim,
    level: Level,
    runtime: RuntimeClaim,
    metered: bool,
    /// Digest of what the node allows at most.
    ceiling: Digest,
    /// Which call of an instance that outlives it.
    pub(crate) instance: Option<InstanceClaim>,
}

impl Known {
    pub(crate) fn new(
        execution_id: ExecutionId,
        call: &Call,
        grant: &Grant,
        level: Level,
        node: &Node,
        tools: &Bound,
        parent: Option<ExecutionId>,
    ) -> Self {
        Self {
            execution_id,
            agent_hash: call.agent.hash(),
            agent_entry: call.agent.source().map(|source| source.entry().clone()),
            export: call.agent.export().cloned(),
            // Functions of the embedding program have no digest; verification lists them as not checked.
            tool_hashes: tools.digests(),
            parent,
            input_hash: Digest::of(call.input.as_bytes()),
            nonce: call.nonce.clone(),
            audience: call.audience.clone(),
            principal: call.principal.clone(),
            grant: GrantClaim::from(grant),
            level,
            runtime: runtime(&call.agent, &call.limits),
            metered: node.engine().meter() == Meter::Fuel,
            ceiling: node.ceiling,
            instance: None,
        }
    }

    pub(crate) fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    /// Of the tools that somebody could have been asked about, only those that were granted or called are anybody's business.
    pub(crate) fn keep_tools(&mut self, calls: &[ToolCall]) {
        let granted = &self.grant.capabilities.tools;
        self.tool_hashes.retain(|name, _| {
            granted.contains(name) || calls.iter().any(|call| call.tool == name.as_str())
        });
    }

    /// What is announced before the run.
    pub(crate) fn begin(
        &self,
        sandbox: &Sandbox,
        salt_key: &SaltKey,
        seed: &Seed,
        place: &Place,
    ) -> Begin {
        Begin {
            sandbox_id: sandbox.id(),
            execution_id: self.execution_id,
            timestamp: place.timestamp,
            agent_hash: self.agent_hash,
            input_hash: self.input_hash,
            grant: self.grant.digest,
            nonce: self.nonce.clone(),
            seed_commitment: Some(Begin::commit_to_seed(salt_key, seed)),
            log: sandbox.log().cloned(),
            sequence: place.sequence,
            previous: place.previous,
            critical: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// The statement about `run`, at its place in the sandbox's order.
    pub(crate) fn statement(
        &self,
        sandbox: &Sandbox,
        run: &Run,
        tool_calls: Vec<ToolCall>,
        validation: Option<Validation>,
        place: &Place,
    ) -> ExecutionStatement {
        ExecutionStatement {
            sandbox_id: sandbox.id(),
            execution_id: self.execution_id,
            timestamp: place.timestamp,
            agent_hash: self.agent_hash,
            agent_entry: self.agent_entry.clone(),
            export: self.export.clone(),
            instance: self.instance,
            tool_hashes: self.tool_hashes.clone(),
            input_hash: self.input_hash,
            output_hash: Digest::of(&run.output),
            tool_calls,
            nonce: self.nonce.clone(),
            audience: self.audience.clone(),
            log: sandbox.log().cloned(),
            principal: self.principal.clone(),
            policy_hash: Some(self.ceiling),
            policy_ids: vec![CEILING.to_owned()],
            grant: self.grant.clone(),
            isolation: sandbox.isolation().clone(),
            level: self.level,
            reexecutable: self.reexecutable(run),
            runtime: self.runtime.clone(),
            outcome: run.outcome,
            resources: Resources {
                fuel: run.usage.fuel,
                memory_bytes_peak: run.usage.memory_bytes_peak,
                computing_us: microseconds(run.usage.computing),
                wall_us: microseconds(run.usage.wall),
            },
            // BASIC is hashes, signed: its recording is not committed to.
            recording: (self.level > Level::Basic).then(|| run.recording.summary()),
            sequence: place.sequence,
            previous: place.previous,
            parent: self.parent,
            validation,
            critical: Vec::new(),
            unknown: Vec::new(),
        }
    }

    fn reexecutable(&self, run: &Run) -> Reexecutable {
        let no = |reason: String| Reexecutable::No { reason };
        if run.outcome == Outcome::Refused {
            no("nothing was run".to_owned())
        } else if !run.outcome.reexecutable() {
            no(format!(
                "a run that ends as {} depends on the machine",
                run.outcome
            ))
        } else if self.level == Level::Basic {
            no("level BASIC keeps no recording".to_owned())
        } else if !self.metered {
            no("the run was not metered".to_owned())
        } else {
            Reexecutable::Yes
        }
    }
}

/// The calls that a recording holds, each with the execution that it was, by its number.
pub(crate) fn tool_calls(
    run: &Run,
    known: &Known,
    children: &BTreeMap<u64, Attested>,
) -> Vec<ToolCall> {
    let stated = |recorded: &RecordedCall| {
        let name = recorded.tool.parse::<ToolName>().ok();
        ToolCall {
            tool: recorded.tool.clone(),
            tool_hash: name.and_then(|name| known.tool_hashes.get(&name).copied()),
            outcome: recorded.outcome,
            event: recorded.event,
            child: children
                .get(&recorded.call)
                .map(|child| child.execution.execution_id),
        }
    };
    run.tool_calls.iter().map(stated).collect()
}

fn runtime(agent: &Agent, limits: &Limits) -> RuntimeClaim {
    RuntimeClaim {
        sha256: agent.program().digest(),
        layers: Vec::new(),
        engine: ENGINE.to_owned(),
        fuel_model: FUEL_MODEL.to_owned(),
        config: execution_configuration(limits),
    }
}

fn microseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
