//! What a component of the world `tool` says of itself: asked in a sandbox without any right, since it runs to answer.

use std::collections::BTreeMap;

use oacp::capability::{Grant, GuestPath};
use oacp::id::ToolName;
use oacp::json::{AdmitError, admit};
use oacp::limits::{JSON_DEPTH_MAX, JsonLimits};
use oacp::outcome::Outcome;
use oacp::recording::{Recording, SaltKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wasmtime::Store;

use super::{Answer, Export, lift};
use crate::engine::{Engine, Meter};
use crate::instance::Entry;
use crate::limits::{self, Limits};
use crate::program::{Program, tool};
use crate::run::{Bounds, Cancel, JobError, execute};
use crate::state::{Setup, State};
use crate::tape::{Recorder, Side, Tape};
use crate::tools::Tools;

/// What stands before a tool's name in the name of its export.
pub(crate) const TOOL: &str = "tool:";

/// Why a component's description of itself cannot be had.
#[derive(Debug, Error)]
pub enum DescribeError {
    /// It cannot be asked.
    #[error(transparent)]
    Job(#[from] JobError),
    /// It gave no answer.
    #[error("the component does not describe itself ({outcome}): {message}")]
    NoAnswer {
        /// How it ended.
        outcome: Outcome,
        /// What went wrong.
        message: String,
    },
    /// It says too many things.
    #[error("the component describes {0} tools, the limit is {max}", max = limits::EXPORTS_MAX)]
    TooMany(usize),
    /// A name that no tool can have.
    #[error("the component describes a tool by a name that none can have: `{}`", .0.escape_debug())]
    Name(String),
    /// A name that two tools have.
    #[error("the component describes two tools of the name `{0}`")]
    Twice(ToolName),
    /// A description beyond its limit.
    #[error("the description of tool `{tool}` has {bytes} bytes, the limit is {max}", max = limits::DESCRIPTION_BYTES_MAX)]
    Description {
        /// The tool.
        tool: ToolName,
        /// Its size.
        bytes: usize,
    },
    /// A schema that is no JSON.
    #[error("the {which} schema of tool `{tool}` is not JSON as OACP reads it")]
    Schema {
        /// The tool.
        tool: ToolName,
        /// `input` or `output`.
        which: &'static str,
        /// What is wrong.
        #[source]
        source: AdmitError,
    },
}

/// On its way through the run's result.
#[derive(Serialize, Deserialize)]
struct Said {
    name: String,
    description: String,
    input_schema: String,
    output_schema: Option<String>,
}

/// Calls `definitions`, within a run.
pub(crate) async fn definitions(
    pre: &tool::ToolPre<State>,
    store: &mut Store<State>,
) -> wasmtime::Result<Answer> {
    let instance = pre.instantiate_async(&mut *store).await?;
    let definitions = instance.call_definitions(store).await?;
    let said = definitions.into_iter().map(|definition| Said {
        name: definition.name,
        description: definition.description,
        input_schema: definition.input_schema,
        output_schema: definition.output_schema,
    });
    let said: Vec<_> = said.collect();
    Ok(lift::json(&said, limits::RESULT_BYTES_MAX).map_err(|error| error.to_string()))
}

impl Program {
    /// The functions that it offers as tools: [`exports`](Self::exports), or what a component of the world `tool` says when
    /// it is asked.
    ///
    /// It is asked without any right, from a fixed seed and instant, so it says the same on every machine. Must be called within a Tokio runtime
    /// with time enabled. Under [`Meter::None`] one that loops is not stopped.
    ///
    /// # Errors
    /// When the component gives no answer, or none that makes sense.
    pub async fn describe(&self, engine: &Engine) -> Result<Vec<Export>, DescribeError> {
        if !self.describes_itself() {
            return Ok(self.exports().to_vec());
        }
        let bounds = Limits {
            fuel: limits::DESCRIBE_MS_MAX * limits::FUEL_PER_QUOTA_MS,
            memory_bytes_max: limits::DESCRIBE_MEMORY_BYTES_MAX,
            timeout_ms: limits::DESCRIBE_MS_MAX * 10,
        };
        let (end, _) = execute(
            engine,
            self,
            Entry::Definitions,
            "null",
            bounds.fuel,
            setup(engine, &bounds),
            &mut None,
        )
        .await?;
        if let Some(failure) = end.failure {
            return Err(DescribeError::NoAnswer {
                outcome: end.outcome,
                message: failure.message,
            });
        }
        read(&end.output)
    }
}

/// A run that nothing is granted, and whose recording nobody keeps.
fn setup(engine: &Engine, bounds: &Limits) -> Setup {
    use std::time::Duration;
    Setup {
        metered: engine.meter() == Meter::Fuel,
        bounds: Bounds {
            computing: Some(Duration::from_millis(bounds.computing_ms_max())),
            timeout: Some(Duration::from_millis(bounds.timeout_ms)),
            cancel: Cancel::default(),
        },
        tape: Tape::new(Side::Record(Recorder::new(Recording::new(
            SaltKey::from_bytes([0; 32]),
        )))),
        grant: Grant::none(),
        tools: Tools::none(),
        egress: None,
        working_directory: GuestPath::root(),
        withheld: Vec::new(),
        environment: BTreeMap::new(),
        ask: None,
        seed: [0; 32],
        clock_start_ms: 0,
        memory_bytes_max: bounds.memory_bytes_max,
        observer: None,
    }
}

fn read(output: &[u8]) -> Result<Vec<Export>, DescribeError> {
    let said: Vec<Said> = serde_json::from_slice(output).unwrap_or_default();
    if said.len() > limits::EXPORTS_MAX {
        return Err(DescribeError::TooMany(said.len()));
    }
    let mut exports: BTreeMap<ToolName, Export> = BTreeMap::new();
    for said in said {
        let Ok(tool) = said.name.parse::<ToolName>() else {
            return Err(DescribeError::Name(said.name));
        };
        let Ok(name) = format!("{TOOL}{tool}").parse() else {
            return Err(DescribeError::Name(said.name));
        };
        if said.description.len() > limits::DESCRIPTION_BYTES_MAX {
            return Err(DescribeError::Description {
                tool,
                bytes: said.description.len(),
            });
        }
        let schema = |which: &'static str, text: &str| {
            admit(text.as_bytes(), SCHEMA).map_err(|source| DescribeError::Schema {
                tool: tool.clone(),
                which,
                source,
            })
        };
        let output_schema = said.output_schema.as_deref();
        let export = Export {
            name,
            description: Some(said.description),
            input_schema: schema("input", &said.input_schema)?,
            output_schema: output_schema
                .map(|text| schema("output", text))
                .transpose()?,
        };
        if exports.contains_key(&tool) {
            return Err(DescribeError::Twice(tool));
        }
        exports.insert(tool, export);
    }
    Ok(exports.into_values().collect())
}

const SCHEMA: JsonLimits = JsonLimits {
    bytes_max: limits::SCHEMA_BYTES_MAX,
    depth_max: JSON_DEPTH_MAX,
};

/// The name of the tool that an export's name means.
pub(crate) fn tool_name(export: &oacp::tool::ExportName) -> Option<&str> {
    let name: &str = export.as_ref();
    name.strip_prefix(TOOL)
}
