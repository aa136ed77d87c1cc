//! The spine. Every way into OACP (the command line, the SDK, MCP, A2A, HTTP) ends in [`execute`], and passes through
//! types that only the step before can make:
//!
//! ```text
//! Call → Grant → Run → Statement → Envelope → Entry → Bundle
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use oacp::Proven;
use oacp::bundle::Bundle;
use oacp::capability::{Denial, Grant, HostRule, SecretName};
use oacp::envelope::Envelope;
use oacp::event::Seed;
use oacp::id::{ExecutionId, ToolName};
use oacp::leaf::LeafKind;
use oacp::outcome::Outcome;
use oacp::recording::SaltKey;
use oacp::statement::Level;
use oacp::time::Timestamp;
use oacp_egress::{Client, ClientError, SecretValue};
use oacp_registry::Appended;
use oacp_sandbox::{Ask, Egress, Failure, Job, JobError, Usage, Write};
use oacp_tlog::proof::TlogProof;
use thiserror::Error;

use crate::attested::{Attested, Ended};
use crate::call::{Agent, Call};
use crate::instances::{Living, Place};
use crate::logging::{Entered, Logged, Place as LogPlace, put};
use crate::node::{Node, Sandbox, SignError, Signed};
use crate::outside::{now, random};
use crate::registry::{Answered, RegistryError};
use crate::statement::{Known, tool_calls};
use crate::tools::{self, Bound, Called, Family, Stack};
use crate::validation::Validating;

/// Statements that are handed to the log at once: of a run that called more tools, several times as many.
const ENTRIES_AT_ONCE: usize = 256;

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
    /// Whether the attestation is in a log.
    pub logged: Logged,
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
    /// The announcement of the run is not in the log under a quorum. Nothing was run.
    #[error("level {level} cannot be given: the run could not be announced in the log")]
    NotLoggable {
        /// What was asked for.
        level: Level,
        /// Why.
        #[source]
        source: RegistryError,
    },
    /// The run has taken place, and what the level asks of the log cannot be had. The bundle lacks its proofs; they may be added later.
    #[error("the run has ended, but level {level} needs its statement in the log")]
    Unlogged {
        /// What took place.
        execution: Box<Execution>,
        /// What was asked for.
        level: Level,
        /// Why.
        #[source]
        source: RegistryError,
    },
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
    let level = authorize(node, &call)?;
    let family = Family::of(node, &call, level);
    let prepared = Prepared::new(&family, call, level, None, &Stack::default())?;
    let announced = announce(node, sandbox, &prepared).await?;
    let (mut attested, delegated) = run_to_end(node, sandbox, prepared, None).await?;
    let logged = match delegated {
        Ok(delegated) => {
            attested.delegated = delegated;
            log(node, &mut attested, announced, level).await
        }
        Err(error) => Err(error),
    };
    let execution = attested.into_execution();
    match logged {
        Ok(()) => Ok(execution),
        Err(source) => Err(ExecuteError::Unlogged {
            execution: Box::new(execution),
            level,
            source,
        }),
    }
}

/// A call with everything that it needs to run.
pub(crate) struct Prepared {
    known: Known,
    job: Job,
    input: String,
    agent: Agent,
    level: Level,
    granted: Bound,
    called: Called,
    validating: Option<Validating>,
}

impl Prepared {
    /// `stack`: the tools between the caller from outside and this one.
    pub(crate) fn new(
        family: &Arc<Family>,
        mut call: Call,
        level: Level,
        parent: Option<ExecutionId>,
        stack: &Stack,
    ) -> Result<Self, ExecuteError> {
        let (node, begun) = (&family.node, now());
        let execution_id = ExecutionId::new(begun.unix_ms().unsigned_abs(), fresh()?);
        let grant = Grant::attenuate(&call.asked, &node.options.allowed);
        let granted = match call.ask {
            // Whoever is asked may grant any.
            Some(_) => call.bound.clone(),
            None => call.bound.granted(&grant),
        };
        let validating = call.definition.take();
        let validating = validating.map(|agent| Validating::begin(agent, &call, &granted, family));
        let called = Called::default();
        let tools = std::mem::take(&mut call.tools);
        call.tools = tools::functions(tools, &granted, family, execution_id, stack, &called);
        let known = Known::new(execution_id, &call, &grant, level, node, &granted, parent);
        let (input, agent) = (call.input.clone(), call.agent.clone());
        Ok(Self {
            known,
            job: job(node, call, grant, begun)?,
            input,
            agent,
            level,
            granted,
            called,
            validating,
        })
    }
}

/// Runs and attests; and the sandbox's delegation is logged meanwhile, before its key is used. In the instance at `place`, if there is one,
/// which then stays there.
pub(crate) async fn run_to_end(
    node: &Node,
    sandbox: &Sandbox,
    prepared: Prepared,
    mut place: Option<&mut Place>,
) -> Result<(Attested, Result<Option<Entered>, RegistryError>), ExecuteError> {
    let Prepared {
        mut known,
        job,
        input,
        agent,
        level,
        granted,
        called,
        validating,
    } = prepared;
    let living = place.as_mut().and_then(|place| place.take());
    known.instance = place.is_some().then(|| Living::claim(living.as_ref()));
    let mut instance = living.map(Living::into_instance);
    let is_kept = place.is_some();
    let definition = validating.as_ref().map(Validating::definition);
    let run = async {
        if let Some(refused) = validating.as_ref().and_then(|before| before.refused(&job)) {
            Ok(refused)
        } else if is_kept {
            oacp_sandbox::run_in(&mut instance, node.engine(), job).await
        } else {
            oacp_sandbox::run(node.engine(), job).await
        }
    };
    let (run, delegated) = tokio::join!(run, delegated(node, sandbox));
    let mut run = run?;
    let (validation, checks) = match validating {
        Some(validating) => {
            let ended = validating.end(&mut run, &input, known.execution_id());
            let (validation, checks) = ended.await;
            (Some(validation), checks)
        }
        None => (None, Vec::new()),
    };
    let children = called.take();
    let calls = tool_calls(&run, &known, &children);
    let tool_calls = calls.len();
    let names: BTreeSet<ToolName> = calls
        .iter()
        .filter(|call| call.child.is_some())
        .filter_map(|call| call.tool.parse().ok())
        .collect();
    known.keep_tools(&calls);
    let signed = sandbox.sign(|place| {
        known
            .statement(sandbox, &run, calls, validation, place)
            .to_payload()
    })?;
    if let (Some(place), Some(claim), Some(instance)) = (place, &known.instance, instance) {
        **place = Some(Living::after(instance, claim, known.execution_id()));
    }
    let ended = Ended {
        execution_id: known.execution_id(),
        signed,
        run,
        input,
        agent,
        definition,
        tools: granted.definitions(names.iter()).collect(),
        tool_calls,
        level,
        children: children.into_values().chain(checks).collect(),
    };
    Ok((ended.attest(sandbox), delegated))
}

/// A begin that is in the log.
struct Announced {
    begin: Envelope,
    /// By a checkpoint that does not reach the execution, so that its witnesses saw the one before the other.
    proof: TlogProof,
}

/// At level FULL the run is announced before it begins, and the announcement is in the log, cosigned by a quorum.
async fn announce(
    node: &Node,
    sandbox: &Sandbox,
    prepared: &Prepared,
) -> Result<Option<Announced>, ExecuteError> {
    let Prepared {
        known, job, level, ..
    } = prepared;
    let level = *level;
    let Some(logging) = node.options.log.as_ref().filter(|_| level >= Level::Full) else {
        return Ok(None);
    };
    let refused = |source| ExecuteError::NotLoggable { level, source };
    let delegated = logging.enter_delegation(sandbox, Answered::WhenLogged);
    let delegated = delegated.await.map_err(refused)?;
    let entered_first = delegated.ok_or_else(|| refused(RegistryError::NoSuchEntry))?;
    // Without a quorum nothing is announced: a begin that nothing follows looks like a run that was kept back.
    let proof = logging.proof_by_quorum(&entered_first.leaf, entered_first.index);
    proof.await.map_err(refused)?;
    let begin = sandbox.sign(|place| {
        known
            .begin(sandbox, &job.salt_key, &job.seed, place)
            .to_payload()
    })?;
    let envelopes = vec![begin.envelope.clone()];
    let place = logging
        .submit(envelopes, Answered::WhenLogged)
        .await
        .map_err(refused)?;
    let entered = entered(LeafKind::Begin, &begin, &place);
    let entered = entered.ok_or_else(|| refused(RegistryError::NoSuchEntry))?;
    let proof = logging.proof_by_quorum(&entered.leaf, entered.index);
    Ok(Some(Announced {
        proof: proof.await.map_err(refused)?,
        begin: begin.envelope,
    }))
}

async fn delegated(node: &Node, sandbox: &Sandbox) -> Result<Option<Entered>, RegistryError> {
    match &node.options.log {
        Some(logging) => {
            let entered = logging.enter_delegation(sandbox, Answered::WhenSpooled);
            entered.await
        }
        None => Ok(None),
    }
}

/// Logs the statement and those of what it called, and puts the proofs into the bundles: at level FULL a quorum's, else those that there are.
async fn log(
    node: &Node,
    attested: &mut Attested,
    announced: Option<Announced>,
    level: Level,
) -> Result<(), RegistryError> {
    let Some(logging) = &node.options.log else {
        return Ok(());
    };
    let answered = if level >= Level::Full {
        Answered::WhenLogged
    } else {
        Answered::WhenSpooled
    };
    if let Some(Announced { begin, proof }) = announced {
        let bundle = attested.execution.bundle.clone();
        attested.execution.bundle = bundle.with_begin(begin);
        put(&mut attested.execution.bundle, Proven::Begin, proof);
    }
    let mut envelopes = Vec::new();
    attested.visit(&mut |one| envelopes.push(one.signed.envelope.clone()));
    let mut places = Vec::new();
    while envelopes.len() > ENTRIES_AT_ONCE {
        let rest = envelopes.split_off(ENTRIES_AT_ONCE);
        places.push(logging.submit(envelopes, answered).await?);
        envelopes = rest;
    }
    // The statement itself is the last: what it is under covers the others.
    let place = logging.submit(envelopes, answered).await?;
    let mut entered = Vec::new();
    {
        let mut appended = places.iter().chain([&place]).flat_map(appended);
        attested.visit(&mut |one| {
            let statement = appended.next().flatten().map(|appended| {
                let sequence = Some(one.signed.sequence);
                Entered::new(
                    LeafKind::Execution,
                    &one.signed.envelope,
                    sequence,
                    appended,
                )
            });
            entered.push((statement, one.delegated));
        });
    }
    let mut proofs = Vec::with_capacity(entered.len());
    for (statement, delegation) in entered.into_iter().rev() {
        let mut of_one = [None, None];
        for (proof, entered) in of_one.iter_mut().zip([statement, delegation]) {
            let Some(entered) = entered else { continue };
            *proof = if level >= Level::Full {
                Some(
                    logging
                        .proof_by_quorum(&entered.leaf, entered.index)
                        .await?,
                )
            } else {
                logging.proof_now(&entered.leaf, entered.index).await
            };
        }
        proofs.push(of_one);
    }
    let mut size = None;
    attested.visit(&mut |one| {
        let Some([statement, delegation]) = proofs.pop() else {
            return;
        };
        let bundle = &mut one.execution.bundle;
        size = statement.and_then(|proof| put(bundle, Proven::Execution, proof));
        delegation.and_then(|proof| put(bundle, Proven::Delegation, proof));
    });
    attested.execution.logged = logging.logged(place, size);
    Ok(())
}

/// Of each envelope that was submitted, where it is, if it is in the log. Those that are spooled have no place, and no others follow them.
fn appended(place: &LogPlace) -> Vec<Option<Appended>> {
    match place {
        LogPlace::Logged(appended) => appended.iter().copied().map(Some).collect(),
        LogPlace::Spooled { .. } => Vec::new(),
    }
}

/// Where a signed statement is in the log, if it is there.
fn entered(kind: LeafKind, signed: &Signed, place: &LogPlace) -> Option<Entered> {
    let appended = appended(place).pop().flatten()?;
    Some(Entered::new(
        kind,
        &signed.envelope,
        Some(signed.sequence),
        appended,
    ))
}

/// The level at which the call is attested. One that cannot be given is refused, never lowered.
fn authorize(node: &Node, call: &Call) -> Result<Level, ExecuteError> {
    match call.level {
        // The default of type STANDARD.
        None => Ok(Level::Execution),
        Some(level @ (Level::Basic | Level::Execution)) => Ok(level),
        Some(level @ Level::Full) if node.options.log.is_none() => Err(ExecuteError::Level {
            level,
            reason: "no transparency log is configured",
        }),
        Some(level @ Level::Full) if call.tools.names().next().is_some() => {
            Err(ExecuteError::Level {
                level,
                reason: "a function of the embedding program has no digest, and every tool needs one",
            })
        }
        Some(level @ Level::Full) => Ok(level),
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
        export: call.agent.export().cloned(),
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
