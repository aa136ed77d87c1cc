//! A registered agent's run, held to its definition: code and input are judged before it, output after it, by schemas and by checks.
//!
//! The attack is an agent that is trusted for its checks and is not held to them: other code under its name, another tool behind one that
//! it calls, an output that nobody looked at. So what is judged is what runs, at the moment at which it runs, and each verdict is signed
//! with the run. What a check says is an execution of its own, which anybody can repeat.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use oacp::agent::{AgentDefinition, AgentDefinitionError, Check, CheckName, Step, Validation};
use oacp::capability::{Capabilities, GuestPath};
use oacp::digest::Digest;
use oacp::event::Event;
use oacp::id::ExecutionId;
use oacp::outcome::Outcome;
use oacp::recording::Recording;
use oacp_sandbox::{Failure, Job, Limits, LogLine, Observer, Run, Tools, Usage};
use oacp_tool::needs::Needs;
use oacp_tool::schema::{Schema, SchemaError};

use crate::attested::Attested;
use crate::call::{Agent, Call};
use crate::execute::{Prepared, run_to_end};
use crate::operator::chain;
use crate::tools::{Bound, Family, Stack};

/// Bytes of what a person is told of a run that was refused or failed a check. Attack: a guest's text, without end.
const PROBLEM_BYTES_MAX: usize = 4 << 10;

/// Reasons of one kind that a person is told; the others are counted.
const REASONS_MAX: usize = 8;

/// A registered agent, ready to run.
pub struct RegisteredAgent {
    definition: Arc<AgentDefinition>,
    digest: Digest,
    input: Option<Schema>,
    output: Option<Schema>,
    /// In the definition's order.
    checks: Vec<Agent>,
}

/// Why a definition cannot be run by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisteredAgentError {
    /// It is not within the limits.
    #[error("the agent's definition is refused")]
    Definition(#[from] AgentDefinitionError),
    /// A schema is not admitted.
    #[error("the schema of its {of} is refused")]
    Schema {
        /// `input` or `output`.
        of: &'static str,
        /// Why.
        source: SchemaError,
    },
    /// A check's code is missing, or is not what the definition names.
    #[error("the code of its check `{0}` is not what its definition names")]
    Check(String),
}

impl RegisteredAgent {
    /// An agent that is held to `definition`, with the code of each of its checks.
    ///
    /// # Errors
    /// A schema that is not admitted; other checks than the definition's.
    pub fn new(
        definition: AgentDefinition,
        checks: Vec<Agent>,
    ) -> Result<Self, RegisteredAgentError> {
        definition.check()?;
        let schema = |of, schema: &Option<_>| {
            let admitted = schema.as_ref().map(Schema::admit).transpose();
            admitted.map_err(|source| RegisteredAgentError::Schema { of, source })
        };
        for (at, check) in definition.checks.iter().enumerate() {
            let is_it = |agent: &Agent| {
                let entry = agent.source().map(|source| source.entry());
                agent.hash() == check.sha256 && entry == Some(&check.entry)
            };
            if checks.len() != definition.checks.len() || !checks.get(at).is_some_and(is_it) {
                return Err(RegisteredAgentError::Check(check.name.to_string()));
            }
        }
        Ok(Self {
            digest: definition.digest(),
            input: schema("input", &definition.input_schema)?,
            output: schema("output", &definition.output_schema)?,
            definition: Arc::new(definition),
            checks,
        })
    }

    /// What it is.
    pub fn definition(&self) -> &AgentDefinition {
        &self.definition
    }
}

/// What has been judged of a run so far.
pub(crate) struct Validating {
    agent: Arc<RegisteredAgent>,
    steps: Vec<Step>,
    /// What is wrong, for whoever asked for the run.
    problem: Option<String>,
    family: Arc<Family>,
    limits: Limits,
}

impl Validating {
    /// Judges code and input.
    pub(crate) fn begin(
        agent: Arc<RegisteredAgent>,
        call: &Call,
        granted: &Bound,
        family: &Arc<Family>,
    ) -> Self {
        let mut validating = Self {
            steps: Vec::new(),
            problem: None,
            family: Arc::clone(family),
            limits: call.limits,
            agent,
        };
        let agent = Arc::clone(&validating.agent);
        let name = &agent.definition.name;
        let code = code(&agent.definition, &call.agent, granted)
            .map_err(|why| format!("the code of agent `{name}` is not accepted: {why}"));
        if validating.step(code, |passed| Step::Code { passed })
            && let Some(schema) = &agent.input
        {
            let input = schema
                .validate(call.input.as_bytes())
                .map_err(|why| format!("agent `{name}` does not take this input: {why}"));
            validating.step(input, |passed| Step::Input { passed });
        }
        validating
    }

    /// What the run is held to.
    pub(crate) fn definition(&self) -> Arc<AgentDefinition> {
        Arc::clone(&self.agent.definition)
    }

    fn step(&mut self, judged: Result<(), String>, step: impl FnOnce(bool) -> Step) -> bool {
        let passed = judged.is_ok();
        self.steps.push(step(passed));
        if let (Err(problem), None) = (judged, &self.problem) {
            self.problem = Some(bounded(problem));
        }
        passed
    }

    /// The run that did not begin, if it must not.
    pub(crate) fn refused(&self, job: &Job) -> Option<Run> {
        let failure = failure(self.problem.clone()?);
        let outcome = Outcome::Refused;
        let mut recording = Recording::new(job.salt_key.clone());
        recording.push(&Event::Start {
            seed: job.seed,
            clock_start_ms: job.clock_start_ms,
            working_directory: job.working_directory.clone(),
        });
        Some(Run {
            outcome,
            output: failure.to_json(outcome),
            failure: Some(failure),
            recording,
            tool_calls: Vec::new(),
            denials: Vec::new(),
            writes: Vec::new(),
            usage: Usage {
                fuel: None,
                memory_bytes_peak: 0,
                computing: Duration::ZERO,
                wall: Duration::ZERO,
            },
        })
    }

    /// Judges the output of a run that ended well, and changes its outcome if something is wrong with it. What ran of checks is given back.
    pub(crate) async fn end(
        mut self,
        run: &mut Run,
        input: &str,
        execution: ExecutionId,
    ) -> (Validation, Vec<Attested>) {
        let mut children = Vec::new();
        if run.outcome == Outcome::Ok {
            let agent = Arc::clone(&self.agent);
            let output = agent.output.as_ref().map(|schema| {
                let judged = schema.validate(&run.output);
                judged.map_err(|why| format!("the output is not what its schema says: {why}"))
            });
            let accepted =
                output.is_none_or(|judged| self.step(judged, |passed| Step::Output { passed }));
            if accepted {
                let judged = Check::input(input.as_bytes(), &run.output);
                // Both are JSON texts.
                let judged = String::from_utf8(judged).unwrap_or_default();
                for (check, code) in agent.definition.checks.iter().zip(&agent.checks) {
                    let ran = self.run(code.clone(), check, judged.clone(), execution);
                    let ran = ran.await;
                    let child = ran.as_ref().ok();
                    let child = child.map(|attested| attested.execution.execution_id);
                    let verdict = ran.as_ref().map_or_else(|why| Err(why.clone()), verdict);
                    let verdict =
                        verdict.map_err(|why| format!("the check `{}` failed: {why}", check.name));
                    self.step(verdict, |passed| Step::Check {
                        name: check.name.clone(),
                        passed,
                        child,
                    });
                    children.extend(ran.ok());
                }
            }
            if let Some(problem) = self.problem.take() {
                run.outcome = Outcome::CheckFailed;
                run.failure = Some(failure(problem));
            }
        }
        let validation = Validation {
            agent: self.agent.definition.name.clone(),
            definition: self.agent.digest,
            steps: self.steps,
        };
        (validation, children)
    }

    /// A check, in a sandbox of its own and without any right.
    async fn run(
        &self,
        code: Agent,
        check: &Check,
        input: String,
        parent: ExecutionId,
    ) -> Result<Attested, String> {
        let unavailable =
            |error: &dyn std::error::Error| format!("it cannot be run: {}", chain(error));
        let family = &self.family;
        let node = &family.node;
        let sandbox = node
            .tool_sandbox(self.agent.digest)
            .map_err(|error| unavailable(&error))?;
        let observer = family.observer.clone();
        let call = Call {
            agent: code,
            definition: None,
            input,
            asked: Capabilities::default(),
            tools: Tools::none(),
            bound: Bound::none(),
            working_directory: GuestPath::root(),
            environment: [].into(),
            secrets: [].into(),
            ask: None,
            limits: self.limits,
            level: Some(family.level),
            nonce: None,
            audience: None,
            seed: None,
            clock_start: None,
            principal: family.principal.clone(),
            observer: observer.map(|observer| named(observer, &check.name)),
            cancel: family.cancel.clone(),
        };
        let prepared = Prepared::new(family, call, family.level, Some(parent), &Stack::default());
        let prepared = prepared.map_err(|error| unavailable(&error))?;
        // A run ends in checks, which are runs: the type would hold itself.
        let ran = Box::pin(run_to_end(node, &sandbox, prepared, None)).await;
        let (mut attested, delegated) = ran.map_err(|error| unavailable(&error))?;
        attested.delegated = delegated.map_err(|error| unavailable(&error))?;
        Ok(attested)
    }
}

/// What the schemas of the definition say of a run's input and output now, where that is something else than what the statement says: what it says, and what
/// they do.
pub(crate) fn judged_again(
    definition: &AgentDefinition,
    validation: &Validation,
    input: &[u8],
    output: &[u8],
) -> Result<Option<(String, String)>, String> {
    for step in &validation.steps {
        let (schema, text) = match step {
            Step::Input { .. } => (&definition.input_schema, input),
            Step::Output { .. } => (&definition.output_schema, output),
            Step::Code { .. } | Step::Check { .. } => continue,
        };
        let Some(schema) = schema else { continue };
        let schema = Schema::admit(schema)
            .map_err(|error| format!("the schema of the {step} is refused: {}", chain(&error)))?;
        let judged = schema.validate(text);
        if judged.is_ok() != step.is_passed() {
            let said = if step.is_passed() {
                "is accepted"
            } else {
                "is not accepted"
            };
            let found = match judged {
                Ok(()) => "it is accepted".to_owned(),
                Err(why) => bounded(why.to_string()),
            };
            return Ok(Some((format!("the {step} {said}"), found)));
        }
    }
    Ok(None)
}

/// Whether what runs is the definition's, with the definition's tools, and whether its source shows something that cannot work.
fn code(definition: &AgentDefinition, agent: &Agent, granted: &Bound) -> Result<(), String> {
    let entry = agent.source().map(|source| source.entry());
    if agent.hash() != definition.code.sha256()
        || entry != definition.code.entry()
        || agent.export().is_some()
    {
        return Err("it is not what was registered".to_owned());
    }
    let granted = granted.digests();
    for (name, digest) in &granted {
        match definition.tools.get(name) {
            None => {
                return Err(format!(
                    "it is granted the tool `{name}`, which it does not have"
                ));
            }
            Some(pinned) if pinned != digest => {
                return Err(format!(
                    "its tool `{name}` is not the one that it was registered with"
                ));
            }
            Some(_) => {}
        }
    }
    if let Some(name) = definition
        .tools
        .keys()
        .find(|name| !granted.contains_key(*name))
    {
        return Err(format!("it is not granted its tool `{name}`"));
    }
    let Some(source) = agent.source() else {
        return Ok(());
    };
    let known: BTreeSet<&str> = granted.keys().map(AsRef::as_ref).collect();
    match Needs::of_source(source).objections(&known) {
        reasons if reasons.is_empty() => Ok(()),
        reasons => Err(listed(&reasons)),
    }
}

/// In one line, as many as a person reads.
fn listed(reasons: &[String]) -> String {
    let shown = reasons.len().min(REASONS_MAX);
    let text = reasons.get(..shown).unwrap_or_default().join("; ");
    match reasons.len() - shown {
        0 => text,
        more => format!("{text}; and {more} more"),
    }
}

/// An observer that is told whose lines they are.
fn named(observer: Observer, check: &CheckName) -> Observer {
    let check = check.clone();
    Arc::new(move |line| {
        observer(LogLine {
            message: &format!("check {check}: {}", line.message),
            ..line
        });
    })
}

/// What a check says.
fn verdict(attested: &Attested) -> Result<(), String> {
    let execution = &attested.execution;
    if Check::is_passed(execution.outcome, Digest::of(&execution.output)) {
        return Ok(());
    }
    if let Some(failure) = &execution.failure {
        return Err(failure.message.clone());
    }
    Err(match serde_json::from_slice(&execution.output) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Bool(false)) => "it says no".to_owned(),
        _ => "it gave something else than true, null, false or a text".to_owned(),
    })
}

fn failure(message: String) -> Failure {
    Failure {
        message,
        trace: String::new(),
        location: None,
    }
}

fn bounded(mut text: String) -> String {
    if text.len() > PROBLEM_BYTES_MAX {
        text.truncate(text.floor_char_boundary(PROBLEM_BYTES_MAX));
        text.push('…');
    }
    text
}
