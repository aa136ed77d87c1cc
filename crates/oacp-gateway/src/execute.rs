//! The spine. Every way into OACP (the command line, the SDK, MCP, A2A, HTTP) ends in [`execute`], and passes through
//! types that only the step before can make:
//!
//! ```text
//! Call → Grant → Run → Statement → Envelope → Bundle
//! ```

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use oacp::bundle::Bundle;
use oacp::capability::{Denial, Grant, HostRule, SecretName};
use oacp::event::{Event, Seed};
use oacp::id::ExecutionId;
use oacp::outcome::Outcome;
use oacp::recording::SaltKey;
use oacp::source::Source;
use oacp::statement::Level;
use oacp::time::Timestamp;
use oacp_egress::{Client, ClientError, SecretValue};
use oacp_sandbox::{Ask, Egress, Failure, Job, JobError, Usage, Write};
use thiserror::Error;

use crate::call::{Agent, Call};
use crate::node::{Node, Sandbox, SignError};
use crate::outside::{now, random};
use crate::statement::{Known, tool_calls};

/// What a call led to.
#[derive(Debug)]
pub struct Execution {
    /// Names this execution for ever.
    pub execution_id: ExecutionId,
    /// How it ended.
    pub outcome: Outcome,
    /// The result's JSON text; if there is none, the failure's JSON.
    pub output: Vec<u8>,
    /// What went wrong, if the outcome is not `ok`.
    pub failure: Option<Failure>,
    /// What the run used.
    pub usage: Usage,
    /// What was asked for and not granted, in order.
    pub denials: Vec<Denial>,
    /// What the run changed in files, and whether that was carried out. Empty unless the outcome is `ok`.
    pub writes: Vec<Write>,
    /// How many tools were called, denied calls included.
    pub tool_calls: usize,
    /// How many events were recorded.
    pub events: u64,
    /// The attestation, with all that a stranger needs to check it and to run it again.
    pub bundle: Bundle,
}

/// Why a call has no execution. A run that failed has one: its outcome says how.
#[derive(Debug, Error)]
pub enum ExecuteError {
    /// The level needs something that this node lacks.
    #[error("level {level} cannot be given here: {reason}")]
    Level {
        /// What was asked for.
        level: Level,
        /// What is missing.
        reason: &'static str,
    },
    /// The job could not be begun.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The way to the network could not be made.
    #[error("the network cannot be used")]
    Egress(#[from] ClientError),
    /// The statement could not be signed.
    #[error("the run ended, but its statement could not be signed")]
    Sign(#[from] SignError),
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness")]
    Randomness(#[source] io::Error),
}

/// Runs an agent and attests what happened.
///
/// Must be called within a Tokio runtime with time enabled.
///
/// # Errors
///
/// When the node could not do its work. What the agent did wrong is an outcome, and attested.
pub async fn execute(
    node: &Node,
    sandbox: &Sandbox,
    call: Call,
) -> Result<Execution, ExecuteError> {
    let begun = now();
    let execution_id = ExecutionId::new(begun.unix_ms().unsigned_abs(), fresh()?);
    let level = authorize(&call)?;
    let grant = Grant::attenuate(&call.asked, &node.options.allowed);
    let known = Known::new(execution_id, &call, &grant, level, node.engine().meter());
    let input = call.input.clone();
    let agent = call.agent.clone();

    let run = oacp_sandbox::run(node.engine(), job(node, call, grant, begun)?).await?;

    let calls = tool_calls(&run);
    let tool_calls = calls.len();
    let envelope = sandbox.sign(|place| known.statement(sandbox, &run, calls, place))?;
    let denials = denials(&run);
    let events = run.recording.len();
    let mut bundle = Bundle::new(envelope, sandbox.delegation().clone())
        .with_input(input.into_bytes())
        .with_output(run.output.clone());
    bundle = match agent {
        Agent::Source { source, .. } => bundle.with_source(Source::clone(&source)),
        Agent::Component { wasm, .. } => bundle.with_component(wasm),
    };
    if level > Level::Basic {
        bundle = bundle.with_recording(run.recording);
    }
    Ok(Execution {
        execution_id,
        outcome: run.outcome,
        output: run.output,
        failure: run.failure,
        usage: run.usage,
        denials,
        writes: run.writes,
        tool_calls,
        events,
        bundle,
    })
}

/// The level at which the call is attested. One that cannot be given is refused, never lowered.
fn authorize(call: &Call) -> Result<Level, ExecuteError> {
    match call.level {
        // The default of type STANDARD.
        None => Ok(Level::Execution),
        Some(level @ (Level::Basic | Level::Execution)) => Ok(level),
        Some(level @ Level::Full) => Err(ExecuteError::Level {
            level,
            reason: "no transparency log is configured",
        }),
        Some(level @ Level::Hardware) => Err(ExecuteError::Level {
            level,
            reason: "no hardware evidence can be had",
        }),
    }
}

fn job(node: &Node, call: Call, grant: Grant, begun: Timestamp) -> Result<Job, ExecuteError> {
    let seed = match call.seed {
        Some(seed) => seed,
        None => Seed::from_bytes(fresh()?),
    };
    let (egress, ask) = egress(node, call.secrets, &grant, call.ask)?;
    Ok(Job {
        program: call.agent.program().clone(),
        source: call.agent.source().cloned(),
        input: call.input,
        egress,
        working_directory: call.working_directory,
        withheld: node.options.withheld.clone(),
        environment: call.environment,
        ask,
        grant,
        tools: call.tools,
        limits: call.limits,
        seed,
        clock_start_ms: call.clock_start.unwrap_or(begun).unix_ms().unsigned_abs(),
        salt_key: SaltKey::from_bytes(fresh()?),
        observer: call.observer,
        cancel: call.cancel,
    })
}

/// The run's own way to the network: its connections and secrets are shared with no other run. None, if nothing can be granted.
fn egress(
    node: &Node,
    secrets: BTreeMap<SecretName, SecretValue>,
    grant: &Grant,
    ask: Option<Ask>,
) -> Result<(Option<Egress>, Option<Ask>), ExecuteError> {
    if !grant.has_network() && ask.is_none() {
        return Ok((None, None));
    }
    let client = Arc::new(Client::new(grant.clone(), secrets, &node.options.egress)?);
    let ask = ask.map(|ask| {
        let client = client.clone();
        Ask::new(move |denial| {
            let (ask, client) = (ask.clone(), client.clone());
            async move {
                let is_network = denial.capability == "network";
                let host = is_network
                    .then(|| HostRule::meaning(&denial.asked))
                    .flatten();
                let is_allowed = ask.is_allowed(denial).await;
                if let (true, Some(host)) = (is_allowed, host) {
                    client.allow(host);
                }
                is_allowed
            }
        })
    });
    let egress = Egress::new(move |request| {
        let client = client.clone();
        async move { client.exchange(request).await }
    });
    Ok((Some(egress), ask))
}

fn fresh<const N: usize>() -> Result<[u8; N], ExecuteError> {
    random().map_err(ExecuteError::Randomness)
}

fn denials(run: &oacp_sandbox::Run) -> Vec<Denial> {
    let denial = |bytes| match Event::parse(bytes) {
        Ok(Event::Denial { denial, .. }) => Some(denial),
        _ => None,
    };
    run.recording.events().filter_map(denial).collect()
}
