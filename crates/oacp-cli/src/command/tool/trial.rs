//! Calls of a tool by whoever writes it: by themselves, under its own grant, with randomness and a clock that are always the same.
//!
//! They are attested in memory, by a node that nobody trusts, so that they can be run again as a stranger would run them. Nothing is logged
//! or kept.

use std::collections::BTreeMap;

use oacp::capability::Capabilities;
use oacp::event::Seed;
use oacp::id::ToolName;
use oacp::key::SecretKey;
use oacp::outcome::Outcome;
use oacp::statement::Level;
use oacp::time::Timestamp;
use oacp::tool::Definition;
use oacp::trust::Trust;
use oacp::{Expectation, Verified};
use oacp_gateway::{
    Agent, Bound, Call, Execution, Node, NodeOptions, Sandbox, ToolOptions, execute,
};
use oacp_sandbox::{Observer, Tools};
use oacp_tool::schema::Schema;
use serde_json::{Map, Value};

use crate::command::run::principal;
use crate::console::Console;
use crate::failure::Failure;
use crate::home::Home;
use crate::tool::{Candidate, Workbench, agent_of, bind, options_of};
use crate::{accepted, bundle_file, environment, secret, trust};

/// The clock at the start of each call: 2000-01-01T00:00:00Z.
pub(super) const CLOCK_START_MS: i64 = 946_684_800_000;

/// What a call starts from, beside its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) seed: [u8; 32],
    pub(super) clock_ms: i64,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            seed: [0; 32],
            clock_ms: CLOCK_START_MS,
        }
    }
}

/// A package whose tools can be called.
pub(super) struct Trial<'a> {
    bench: &'a Workbench,
    /// Its tools' programs, by name.
    agents: BTreeMap<ToolName, Agent>,
    node: Node,
    sandbox: Sandbox,
    bound: Bound,
    options: ToolOptions,
    observer: Option<Observer>,
}

/// What came of a call.
pub(super) struct Answer {
    /// The result, or what a caller would be told.
    pub(super) answer: Result<Value, String>,
    /// `None`: the arguments were refused, so that nothing ran.
    pub(super) execution: Option<Execution>,
}

impl<'a> Trial<'a> {
    /// `observer` is told what the tools log.
    ///
    /// # Errors
    ///
    /// Usage: it is granted a tool that is not registered, or a secret that cannot be had. Its code cannot be loaded.
    pub(super) fn new(
        candidate: &'a Candidate,
        bench: &'a Workbench,
        observer: Option<Observer>,
        home: &Home,
        console: &Console,
    ) -> Result<Self, Failure> {
        let package = &candidate.package;
        let mut options = accepted::discovered(home, console)?;
        options.capabilities = package.capabilities.clone();
        let own = &options.capabilities;
        let agents = package.definitions.iter().map(|definition| {
            let name = &definition.name;
            let program = candidate.program.started(definition)?;
            let program = program.ok_or_else(|| {
                Failure::unable(format!("the code of `{name}` is of another kind"))
            })?;
            let (engine, languages) = (&bench.engine, &bench.languages);
            let agent = agent_of(program, package.kind, definition, engine, languages)?;
            Ok::<_, Failure>((name.clone(), agent))
        });
        let agents = agents.collect::<Result<_, _>>()?;
        let environment = environment::offered(&secret::variables(&options.secrets));
        let (store, engine, languages) = (&bench.store, &bench.engine, &bench.languages);
        let bindings = bind(
            &options,
            &Default::default(),
            &environment,
            store,
            engine,
            languages,
        )?;
        let given = ToolOptions {
            environment,
            secrets: secret::values(own, &options.secrets)?,
            ..options_of(package)
        };
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(std::io::Error::from)?;
        let node = Node::new(NodeOptions {
            key: SecretKey::from_bytes(&seed),
            engine: bench.engine.clone(),
            languages: bench.languages.clone(),
            allowed: Capabilities::union(own, &bindings.rights),
            withheld: secret::files(&options.secrets)
                .chain([home.root().to_owned()])
                .collect(),
            egress: options.egress.clone().options()?,
            log: None,
            state_dir: None,
        });
        Ok(Self {
            bench,
            agents,
            sandbox: node.spawn(None)?,
            node,
            bound: bindings.bound,
            options: given,
            observer,
        })
    }

    /// One call. What an agent would be refused is refused here, with the same words.
    ///
    /// # Errors
    ///
    /// The tool is none of the package's, or the node could not do its work. What the tool does wrong is an answer.
    pub(super) fn call(
        &self,
        definition: &Definition,
        arguments: &Map<String, Value>,
        start: Start,
    ) -> Result<Answer, Failure> {
        let name = &definition.name;
        let input = serde_json::to_string(arguments)?;
        if let Err(violations) =
            Schema::admit_input(&definition.input_schema)?.validate(input.as_bytes())
        {
            return Ok(Answer {
                answer: Err(format!(
                    "tool `{name}` does not take these arguments: {violations}"
                )),
                execution: None,
            });
        }
        let agent = self.agents.get(name).cloned();
        let options = self.options.clone();
        let call = Call {
            definition: None,
            agent: agent.ok_or_else(|| Failure::unable(format!("there is no `{name}`")))?,
            input,
            asked: options.capabilities,
            tools: Tools::none(),
            bound: self.bound.clone(),
            working_directory: options.working_directory,
            environment: options.environment,
            secrets: options.secrets,
            ask: None,
            limits: options.limits,
            level: Some(Level::Execution),
            nonce: None,
            audience: None,
            seed: Some(Seed::from_bytes(start.seed)),
            clock_start: Some(Timestamp::from_unix_ms(start.clock_ms)),
            principal: principal()?,
            observer: self.observer.clone(),
            cancel: self.bench.cancel.clone(),
        };
        let execution = self
            .bench
            .executor
            .block_on(execute(&self.node, &self.sandbox, call))?;
        Ok(Answer {
            answer: judged(&execution, definition, options.result_bytes_max)?,
            execution: Some(execution),
        })
    }

    /// The call's bundle, verified, so that it can be run again.
    pub(super) fn verified(&self, execution: &Execution) -> Result<Verified, Failure> {
        let trust = Trust::this_machine(trust::THIS_MACHINE, self.node.public_key(), None)?;
        bundle_file::verify_by(&execution.bundle, &trust, &Expectation::default())
    }
}

/// The result, if it is one that an agent would be given.
fn judged(
    execution: &Execution,
    definition: &Definition,
    bytes_max: usize,
) -> Result<Result<Value, String>, Failure> {
    let name = &definition.name;
    if execution.outcome != Outcome::Ok {
        let Some(failure) = &execution.failure else {
            return Ok(Err(execution.outcome.to_string()));
        };
        let place = failure.location.as_ref();
        let place = place.map(|(file, line)| format!(" ({file}:{line})"));
        return Ok(Err(failure.message.clone() + &place.unwrap_or_default()));
    }
    let bytes = execution.output.len();
    if bytes > bytes_max {
        return Ok(Err(format!(
            "the result of tool `{name}` has {bytes} bytes, its limit is {bytes_max}"
        )));
    }
    let schema = definition
        .output_schema
        .as_ref()
        .map(Schema::admit)
        .transpose()?;
    if let Some(Err(violations)) = schema.map(|schema| schema.validate(&execution.output)) {
        return Ok(Err(format!(
            "the result of tool `{name}` is not what its schema says: {violations}"
        )));
    }
    Ok(Ok(serde_json::from_slice(&execution.output)?))
}
