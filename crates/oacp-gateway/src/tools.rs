//! Registered tools: a call of one is an execution of its own, in a sandbox of its own and under its own grant.
//!
//! The attack is an agent that borrows the tool's rights, or a tool that borrows the agent's. So neither sees more of the other than the
//! bytes of one call: the arguments, which are the tool's input, and the result, which is its output. Both are in both recordings.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use oacp::capability::{Capabilities, Grant, GuestPath, SecretName};
use oacp::digest::Digest;
use oacp::id::{ExecutionId, Principal, ToolName};
use oacp::outcome::Outcome;
use oacp::statement::Level;
use oacp::tool::Definition;
use oacp_egress::SecretValue;
use oacp_sandbox::{
    Cancel, Limits, LogLine, Observer, ToolArguments, ToolFailure, ToolFailureCode, Tools,
};
use oacp_tool::manifest::Instance;
use oacp_tool::schema::{Schema, SchemaError};
use tokio::sync::{OnceCell, Semaphore};

use crate::attested::Attested;
use crate::call::{Agent, Call};
use crate::execute::{Prepared, run_to_end};
use crate::instances::{InstanceKey, Instances, Place};
use crate::node::Node;
use crate::operator::chain;

/// How many tools may stand between a caller from outside and what is called. Attack: a tool that calls itself.
pub const TOOL_DEPTH_MAX: usize = 4;

/// Executions that one call from outside may lead to. Attack: memory, for each is in the bundle.
pub const TOOL_EXECUTIONS_MAX: usize = 4096;

/// Bytes that their recordings may have, together.
pub const TOOL_RECORDINGS_BYTES_MAX: usize = 256 << 20;

/// The registered tools that a call may use, by name.
#[derive(Clone, Default)]
pub struct Bound(BTreeMap<ToolName, Arc<BoundTool>>);

/// A registered tool, ready to be called. What runs is loaded at its first call.
pub struct BoundTool {
    definition: Definition,
    digest: Digest,
    options: ToolOptions,
    load: Box<dyn Fn() -> Result<Agent, LoadError> + Send + Sync>,
    loaded: OnceCell<Arc<Loaded>>,
    turns: Semaphore,
}

/// What a call needs.
struct Loaded {
    agent: Agent,
    input: Schema,
    output: Option<Schema>,
}

/// What a tool is given.
#[derive(Clone)]
pub struct ToolOptions {
    /// Its own rights. Which tools it may call is among them.
    pub capabilities: Capabilities,
    /// Where a call is stopped.
    pub limits: Limits,
    /// Bytes of a result.
    pub result_bytes_max: usize,
    /// Calls at once; the others wait.
    pub concurrency: usize,
    /// How long an instance lives, and with it what it remembers.
    pub instance: Instance,
    /// The pin of the package that it is of, whose tools share such an instance.
    pub package: Digest,
    /// To which its relative paths are relative.
    pub working_directory: GuestPath,
    /// Environment variables that may be granted.
    pub environment: BTreeMap<String, String>,
    /// The values of its secrets.
    pub secrets: BTreeMap<SecretName, SecretValue>,
}

/// Why a tool's code cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// It is not what was registered.
    #[error("{0}")]
    Changed(String),
    /// It cannot be read, or not compiled.
    #[error("{0}")]
    Unavailable(String),
}

impl Bound {
    /// No tools.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a tool, or replaces the one of that name.
    #[must_use]
    pub fn with(mut self, tool: BoundTool) -> Self {
        self.0.insert(tool.definition.name.clone(), Arc::new(tool));
        self
    }

    /// Those that the grant holds.
    pub(crate) fn granted(&self, grant: &Grant) -> Self {
        let granted = self
            .0
            .iter()
            .filter(|(name, _)| grant.allows_tool(name).is_ok());
        Self(
            granted
                .map(|(name, tool)| (name.clone(), Arc::clone(tool)))
                .collect(),
        )
    }

    /// Of each its digest.
    pub(crate) fn digests(&self) -> BTreeMap<ToolName, Digest> {
        let tools = self.0.iter();
        tools
            .map(|(name, tool)| (name.clone(), tool.digest))
            .collect()
    }

    /// The definitions of those that were called.
    pub(crate) fn definitions<'a>(
        &'a self,
        called: impl Iterator<Item = &'a ToolName>,
    ) -> impl Iterator<Item = Definition> {
        called.filter_map(|name| Some(self.0.get(name)?.definition.clone()))
    }
}

impl fmt::Debug for BoundTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BoundTool({} {})", self.definition.name, self.digest)
    }
}

impl BoundTool {
    /// A tool whose code `load` gives at the first call. It may block; it is asked again only after it failed.
    pub fn new(
        definition: Definition,
        options: ToolOptions,
        load: impl Fn() -> Result<Agent, LoadError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            digest: definition.digest(),
            turns: Semaphore::new(options.concurrency.max(1)),
            definition,
            options,
            load: Box::new(load),
            loaded: OnceCell::new(),
        }
    }

    /// What it is.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    fn load(&self) -> Result<Loaded, LoadError> {
        let schema = |error: SchemaError| LoadError::Unavailable(chain(&error));
        let Definition {
            input_schema,
            output_schema,
            code,
            ..
        } = &self.definition;
        let loaded = Loaded {
            input: Schema::admit_input(input_schema).map_err(schema)?,
            output: output_schema
                .as_ref()
                .map(Schema::admit)
                .transpose()
                .map_err(schema)?,
            agent: (self.load)()?,
        };
        if self.options.instance != Instance::PerCall {
            let program = loaded.agent.program();
            if !program.can_be_kept(loaded.agent.export()) {
                let name = &self.definition.name;
                return Err(LoadError::Unavailable(format!(
                    "`{name}` is a command or an HTTP handler, whose instance ends with its call: register it with `--instance per_call`"
                )));
            }
        }
        if loaded.agent.hash() != code.sha256() {
            let found = loaded.agent.hash();
            return Err(LoadError::Changed(format!(
                "its code is {found}, expected {}",
                code.sha256()
            )));
        }
        Ok(loaded)
    }

    /// What runs: loaded now if it was not before.
    async fn loaded(self: &Arc<Self>) -> Result<Arc<Loaded>, ToolFailure> {
        let load = || async {
            let tool = Arc::clone(self);
            // Reading and compiling take as long as they take.
            match tokio::task::spawn_blocking(move || tool.load()).await {
                Ok(loaded) => loaded.map(Arc::new),
                Err(_) => Err(LoadError::Unavailable("loading it was cut off".to_owned())),
            }
        };
        let name = &self.definition.name;
        self.loaded
            .get_or_try_init(load)
            .await
            .cloned()
            .map_err(|error| match error {
                LoadError::Changed(why) => failure(
                    ToolFailureCode::Changed,
                    format!("tool `{name}` is refused: {why}"),
                ),
                LoadError::Unavailable(why) => failure(
                    ToolFailureCode::Unavailable,
                    format!("tool `{name}` cannot be run: {why}"),
                ),
            })
    }
}

/// What an execution and all that it leads to have in common.
pub(crate) struct Family {
    pub(crate) node: Node,
    pub(crate) bound: Bound,
    pub(crate) principal: Principal,
    pub(crate) observer: Option<Observer>,
    pub(crate) cancel: Cancel,
    pub(crate) level: Level,
    executions: AtomicUsize,
    recordings_bytes: AtomicUsize,
}

impl Family {
    pub(crate) fn of(node: &Node, call: &Call, level: Level) -> Arc<Self> {
        Arc::new(Self {
            node: node.clone(),
            bound: call.bound.clone(),
            principal: call.principal.clone(),
            observer: call.observer.clone(),
            cancel: call.cancel.clone(),
            level: level.min(Level::Execution),
            executions: AtomicUsize::new(0),
            recordings_bytes: AtomicUsize::new(0),
        })
    }

    fn has_room(&self) -> bool {
        self.executions.fetch_add(1, Ordering::Relaxed) < TOOL_EXECUTIONS_MAX
            && self.recordings_bytes.load(Ordering::Relaxed) < TOOL_RECORDINGS_BYTES_MAX
    }
}

/// What one execution called, by the number of the call. Kept until it is stated.
#[derive(Clone, Default)]
pub(crate) struct Called(Arc<Mutex<BTreeMap<u64, Attested>>>);

impl Called {
    fn add(&self, call: u64, attested: Attested) {
        let mut called = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        called.insert(call, attested);
    }

    pub(crate) fn take(&self) -> BTreeMap<u64, Attested> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An execution that calls tools.
struct Caller {
    family: Arc<Family>,
    execution: ExecutionId,
    called: Called,
    stack: Stack,
    /// Of the tools whose instances live as long as this execution.
    instances: Instances,
}

/// The tools between the caller from outside and an execution.
#[derive(Clone, Default)]
pub(crate) struct Stack(Vec<Arc<BoundTool>>);

impl Stack {
    fn and(&self, tool: &Arc<BoundTool>) -> Self {
        let mut stack = self.clone();
        stack.0.push(Arc::clone(tool));
        stack
    }

    fn holds_a_kept_one(&self) -> bool {
        let mut stack = self.0.iter();
        stack.any(|tool| tool.options.instance == Instance::Kept)
    }

    /// Whether a call of the tool would wait for one that waits for it.
    fn is_waited_for(&self, tool: &Arc<BoundTool>) -> bool {
        let calls = self.0.iter().filter(|other| Arc::ptr_eq(other, tool));
        let is_kept = |other: &&Arc<BoundTool>| {
            other.options.instance == Instance::Kept
                && other.options.package == tool.options.package
        };
        calls.count() >= tool.options.concurrency.max(1)
            || tool.options.instance == Instance::Kept && self.0.iter().any(|other| is_kept(&other))
    }
}

/// The functions that the agent is given, with one for each bound tool that it was granted.
pub(crate) fn functions(
    tools: Tools,
    granted: &Bound,
    family: &Arc<Family>,
    execution: ExecutionId,
    stack: &Stack,
    called: &Called,
) -> Tools {
    let caller = Arc::new(Caller {
        family: Arc::clone(family),
        execution,
        called: called.clone(),
        stack: stack.clone(),
        instances: Instances::default(),
    });
    granted.0.iter().fold(tools, |tools, (name, tool)| {
        let (caller, tool) = (Arc::clone(&caller), Arc::clone(tool));
        tools.with_text(name.clone(), move |arguments| {
            let (caller, tool) = (Arc::clone(&caller), Arc::clone(&tool));
            // A tool may call tools: the type would hold itself.
            let answer: Pin<Box<dyn Future<Output = _> + Send>> =
                Box::pin(async move { caller.call(&tool, arguments).await });
            answer
        })
    })
}

impl Caller {
    async fn call(
        &self,
        tool: &Arc<BoundTool>,
        arguments: ToolArguments,
    ) -> Result<Vec<u8>, ToolFailure> {
        let name = &tool.definition.name;
        let loaded = tool.loaded().await?;
        if let Err(violations) = loaded.input.validate(arguments.text.as_bytes()) {
            let message = format!("tool `{name}` does not take these arguments: {violations}");
            return Err(failure(ToolFailureCode::BadArguments, message));
        }
        if self.stack.0.len() >= TOOL_DEPTH_MAX {
            let message = format!("tools call tools at most {TOOL_DEPTH_MAX} deep");
            return Err(failure(ToolFailureCode::Limit, message));
        }
        if self.stack.is_waited_for(tool) {
            let message = format!("tool `{name}` calls itself, and would wait for itself");
            return Err(failure(ToolFailureCode::Limit, message));
        }
        if !self.family.has_room() {
            let message = format!(
                "a run leads to at most {TOOL_EXECUTIONS_MAX} tool calls and {TOOL_RECORDINGS_BYTES_MAX} recorded bytes"
            );
            return Err(failure(ToolFailureCode::Limit, message));
        }
        // It is never closed.
        let _turn = tool.turns.acquire().await;
        let mut place = self.place(tool).await?;
        let run = self.run(tool, loaded.agent.clone(), arguments.text, place.as_mut());
        let attested = match run.await {
            Ok(attested) => attested,
            Err(failure) => {
                // What it remembers of a call that nobody can repeat is worth nothing.
                if let Some(place) = &mut place {
                    **place = None;
                }
                return Err(failure);
            }
        };
        let execution = &attested.execution;
        let (outcome, output) = (execution.outcome, execution.output.clone());
        let failed = execution.failure.as_ref();
        let message = failed.map(|failure| failure.message.clone());
        self.family
            .recordings_bytes
            .fetch_add(attested.recorded_bytes, Ordering::Relaxed);
        self.called.add(arguments.call, attested);
        if outcome != Outcome::Ok {
            let mut message = message.unwrap_or_else(|| outcome.to_string());
            if outcome == Outcome::Denied {
                // What it says of mending it is meant for whoever grants it rights, and that is not its caller.
                message.push_str(&format!(
                    " (as a right of the tool `{name}`, not of its caller)"
                ));
            }
            return Err(failure(code_of(outcome), message));
        }
        let bytes = output.len();
        if bytes > tool.options.result_bytes_max {
            let limit = tool.options.result_bytes_max;
            let message =
                format!("the result of tool `{name}` has {bytes} bytes, its limit is {limit}");
            return Err(failure(ToolFailureCode::Limit, message));
        }
        if let Some(Err(violations)) = loaded
            .output
            .as_ref()
            .map(|schema| schema.validate(&output))
        {
            let message =
                format!("the result of tool `{name}` is not what its schema says: {violations}");
            return Err(failure(ToolFailureCode::BadResult, message));
        }
        Ok(output)
    }

    /// Where the instance is that the call is made in, if it is to outlive the call.
    async fn place(&self, tool: &BoundTool) -> Result<Option<Place>, ToolFailure> {
        let instances = match tool.options.instance {
            Instance::PerCall => return Ok(None),
            Instance::PerRun => &self.instances,
            Instance::Kept => &self.family.node.instances,
        };
        let key = InstanceKey {
            package: tool.options.package,
            principal: self.family.principal.clone(),
        };
        if tool.options.instance == Instance::Kept && self.stack.holds_a_kept_one() {
            // Two kept tools that wait for each other would wait until their time is out.
            let name = &tool.definition.name;
            return instances.free_place(&key).map(Some).ok_or_else(|| {
                let message = format!(
                    "tool `{name}` is called by somebody else, and a kept tool does not wait for another"
                );
                failure(ToolFailureCode::Limit, message)
            });
        }
        Ok(Some(instances.place(&key).await))
    }

    async fn run(
        &self,
        tool: &Arc<BoundTool>,
        agent: Agent,
        input: String,
        place: Option<&mut Place>,
    ) -> Result<Attested, ToolFailure> {
        let family = &self.family;
        let unavailable =
            |error: &dyn std::error::Error| failure(ToolFailureCode::Unavailable, chain(error));
        let node = &family.node;
        let sandbox = node
            .tool_sandbox(tool.digest)
            .map_err(|error| unavailable(&error))?;
        let options = &tool.options;
        let stack = self.stack.and(tool);
        let call = Call {
            agent,
            definition: None,
            input,
            asked: options.capabilities.clone(),
            tools: Tools::none(),
            bound: family.bound.clone(),
            working_directory: options.working_directory.clone(),
            environment: options.environment.clone(),
            secrets: options.secrets.clone(),
            ask: None,
            limits: options.limits,
            level: Some(family.level),
            nonce: None,
            audience: None,
            seed: None,
            clock_start: None,
            principal: family.principal.clone(),
            observer: family
                .observer
                .clone()
                .map(|observer| named(observer, &stack)),
            cancel: family.cancel.clone(),
        };
        let prepared = Prepared::new(family, call, family.level, Some(self.execution), &stack);
        let prepared = prepared.map_err(|error| unavailable(&error))?;
        let (mut attested, delegated) = run_to_end(node, &sandbox, prepared, place)
            .await
            .map_err(|error| unavailable(&error))?;
        attested.delegated = delegated.map_err(|error| unavailable(&error))?;
        Ok(attested)
    }
}

/// An observer that is told whose lines they are.
fn named(observer: Observer, stack: &Stack) -> Observer {
    let tools = stack.0.iter().map(|tool| tool.definition.name.clone());
    let tools: Vec<ToolName> = tools.collect();
    Arc::new(move |line| {
        observer(LogLine {
            tools: &tools,
            ..line
        });
    })
}

fn code_of(outcome: Outcome) -> ToolFailureCode {
    match outcome {
        Outcome::OutOfFuel | Outcome::OutOfMemory | Outcome::StackOverflow => {
            ToolFailureCode::Limit
        }
        Outcome::TimedOut => ToolFailureCode::TimedOut,
        _ => ToolFailureCode::ToolError,
    }
}

fn failure(code: ToolFailureCode, message: String) -> ToolFailure {
    ToolFailure { code, message }
}
