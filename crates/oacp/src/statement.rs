//! The statement that an execution took place: predicate `execution/v1`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::agent::Validation;
use crate::capability::{Capabilities, Grant};
use crate::digest::Digest;
use crate::event::CallOutcome;
use crate::id::{Audience, ExecutionId, LogOrigin, Nonce, Principal, SandboxId, ToolName};
pub use crate::intoto::StatementError;
use crate::intoto::{self, Read};
use crate::isolation::Isolation;
use crate::limits::saturated;
use crate::outcome::Outcome;
use crate::recording::RecordingSummary;
use crate::source::SourcePath;
use crate::time::Timestamp;
use crate::tool::ExportName;

/// The predicate type.
pub const EXECUTION_V1: &str = uri!("execution/v1");

/// The subject's name.
const SUBJECT: &str = "output";

/// Predicate `execution/v1`: the signer's claim of who ran what, with which rights, on which input,
/// what it called and what came out. Its subject is the output. Numbers are at most 2^53 − 1;
/// larger ones are written as that.
///
/// In JSON the fields have these names, and an absent value is `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionStatement {
    /// The sandbox that it ran in.
    pub sandbox_id: SandboxId,
    /// This execution.
    pub execution_id: ExecutionId,
    /// When it was signed, by the node's clock.
    pub timestamp: Timestamp,
    /// [`Source::hash`](crate::Source::hash), or the digest of a component.
    pub agent_hash: Digest,
    /// The path of the source file to start at: the hash of a single file does not hold its name,
    /// and a traceback prints it. `None` for a component.
    #[serde(default)]
    pub agent_entry: Option<SourcePath>,
    /// The function of a component that was called, of one that is no agent by itself. `None`: its
    /// `run`, or it is source.
    #[serde(default)]
    pub export: Option<ExportName>,
    /// Which call of an instance that lives longer than one. `None`: the instance was made for this
    /// execution alone.
    #[serde(default)]
    pub instance: Option<InstanceClaim>,
    /// Digests of definition and code, of the tools that have them. A function of the embedding
    /// program has none.
    pub tool_hashes: BTreeMap<ToolName, Digest>,
    /// Of the input's bytes.
    pub input_hash: Digest,
    /// Of the bytes that the guest ended with: its result, or its error. Without either, of no
    /// bytes.
    pub output_hash: Digest,
    /// The calls of tools, in the order in which they were begun.
    pub tool_calls: Vec<ToolCall>,
    /// The caller's. `None` if it gave none.
    #[serde(default)]
    pub nonce: Option<Nonce>,
    /// For whom the statement is. `None`: for anybody.
    #[serde(default)]
    pub audience: Option<Audience>,
    /// The log that it will be in. `None`: in none.
    #[serde(default)]
    pub log: Option<LogOrigin>,
    /// Who asked.
    pub principal: Principal,
    /// Digest of the policy set that decided. `None`: there was none.
    #[serde(default)]
    pub policy_hash: Option<Digest>,
    /// Ids of the policies that decided.
    #[serde(default)]
    pub policy_ids: Vec<String>,
    /// The rights.
    pub grant: GrantClaim,
    /// The isolation.
    pub isolation: Isolation,
    /// How much the bundle can show.
    pub level: Level,
    /// Whether it can be run again.
    pub reexecutable: Reexecutable,
    /// What it ran on.
    pub runtime: RuntimeClaim,
    /// How it ended.
    pub outcome: Outcome,
    /// What it used.
    pub resources: Resources,
    /// The commitment to the recording. `None`: it was not recorded.
    #[serde(default)]
    pub recording: Option<RecordingSummary>,
    /// The sandbox's counter, from 0, which its executions, begins and closes share.
    #[serde(serialize_with = "saturated::serialize")]
    pub sequence: u64,
    /// [`Envelope::pae_digest`](crate::Envelope::pae_digest) of the sandbox's previous statement, of
    /// any of the three kinds: of the execution's begin, if there is one and nothing came between.
    /// Of a key's first statement, of its delegation.
    pub previous: Digest,
    /// The execution that called this one. `None`: called from outside.
    #[serde(default)]
    pub parent: Option<ExecutionId>,
    /// To which definition the run was held, and what came of it. `None`: it is no registered agent's.
    #[serde(default)]
    pub validation: Option<Validation>,
    /// Names of fields that a verifier must know, or refuse.
    #[serde(default)]
    pub critical: Vec<String>,
    /// Paths of fields that were read and are not known to this version. Never written.
    #[serde(skip)]
    pub unknown: Vec<String>,
}

impl ExecutionStatement {
    /// The payload to sign.
    pub fn to_payload(&self) -> Vec<u8> {
        intoto::write(SUBJECT, self.output_hash, EXECUTION_V1, self)
    }

    /// Reads a payload. Nothing is verified: the claims of a bundle come from
    /// [`Bundle::verify`](crate::Bundle::verify).
    ///
    /// # Errors
    /// Not admitted; another type or version; a `critical` name that is not known; another subject
    /// than the output.
    pub fn parse(payload: &[u8]) -> Result<Self, StatementError> {
        Self::from_read(intoto::read(payload, EXECUTION_V1)?)
    }

    pub(crate) fn from_read(read: Read<Self>) -> Result<Self, StatementError> {
        if read.subject_name != SUBJECT || read.subject != read.predicate.output_hash {
            return Err(StatementError::Subject);
        }
        Ok(Self {
            unknown: read.unknown,
            ..read.predicate
        })
    }
}

/// One call of a tool. Digests of arguments and result stand in the recording's event, where they
/// can be withheld.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The name as the guest said it.
    pub tool: String,
    /// Equal to the entry in `tool_hashes`. `None`: the tool has no digest, or there is no such
    /// tool.
    #[serde(default)]
    pub tool_hash: Option<Digest>,
    /// How it ended. `None`: the run ended before the call did.
    pub outcome: Option<CallOutcome>,
    /// The index of the `tool_call` event.
    #[serde(serialize_with = "saturated::serialize")]
    pub event: u64,
    /// The execution that the call caused, if the tool ran in a sandbox.
    #[serde(default)]
    pub child: Option<ExecutionId>,
}

/// An execution's place among the calls of one instance: what it remembers follows from those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceClaim {
    /// How many calls it had before.
    #[serde(serialize_with = "saturated::serialize")]
    pub calls_before: u64,
    /// The execution of the one before. `None` exactly for the first.
    #[serde(default)]
    pub previous: Option<ExecutionId>,
}

/// The rights of an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantClaim {
    /// What was granted.
    pub capabilities: Capabilities,
    /// [`Capabilities::digest`].
    pub digest: Digest,
}

impl From<&Grant> for GrantClaim {
    fn from(grant: &Grant) -> Self {
        Self {
            capabilities: grant.capabilities().clone(),
            digest: grant.digest(),
        }
    }
}

/// How much a bundle can show, in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Hashes, signed.
    Basic,
    /// And a recording.
    Execution,
    /// And a proof of logging, with a `begin` leaf and digests of tools and policies.
    Full,
    /// And evidence of where it ran.
    Hardware,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic => "BASIC",
            Self::Execution => "EXECUTION",
            Self::Full => "FULL",
            Self::Hardware => "HARDWARE",
        })
    }
}

/// Whether an execution can be run again: `"yes"` or `{"no": {"reason": …}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reexecutable {
    /// From the component, the recording and the input.
    Yes,
    /// It cannot.
    No {
        /// Why, for people.
        reason: String,
    },
}

/// What a guest ran on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeClaim {
    /// Of the component that was run: a language runtime, or the agent itself.
    pub sha256: Digest,
    /// Of each read-only layer beside it.
    #[serde(default)]
    pub layers: Vec<Digest>,
    /// Engine and version, as `wasmtime 48.0.8`.
    pub engine: String,
    /// By which rules fuel is counted. Two runs compare fuel only under the same.
    pub fuel_model: String,
    /// The execution's configuration: whatever else the outcome depends on, as limits.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}

/// What an execution used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// In the fuel model's units. `None`: fuel was not counted.
    #[serde(serialize_with = "saturated::option::serialize", default)]
    pub fuel: Option<u64>,
    /// The most memory held at once, in bytes.
    #[serde(serialize_with = "saturated::serialize")]
    pub memory_bytes_peak: u64,
    /// Time spent computing, in microseconds.
    #[serde(serialize_with = "saturated::serialize")]
    pub computing_us: u64,
    /// Time from begin to end, in microseconds.
    #[serde(serialize_with = "saturated::serialize")]
    pub wall_us: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use serde_json::{Value, json};

    fn altered(alter: impl FnOnce(&mut Value)) -> Result<ExecutionStatement, StatementError> {
        let mut value: Value = serde_json::from_slice(&fixture::statement().to_payload()).unwrap();
        alter(&mut value);
        ExecutionStatement::parse(&serde_json::to_vec(&value).unwrap())
    }

    #[test]
    fn a_payload_round_trips() {
        let statement = fixture::statement();
        assert_eq!(
            ExecutionStatement::parse(&statement.to_payload()),
            Ok(statement)
        );
    }

    #[test]
    fn unknown_fields_are_reported_wherever_they_are() {
        let statement = altered(|value| {
            value["later"] = json!(1);
            value["predicate"]["later"] = json!(1);
            value["predicate"]["resources"]["gpu_us"] = json!(1);
            value["predicate"]["tool_calls"][0]["cost"] = json!(1);
            value["predicate"].as_object_mut().unwrap().remove("parent");
        })
        .unwrap();
        assert_eq!(
            statement.unknown,
            [
                "later",
                "predicate.later",
                "predicate.resources.gpu_us",
                "predicate.tool_calls.0.cost"
            ]
        );
    }

    #[test]
    fn what_must_be_understood_and_is_not_is_refused() {
        assert!(
            altered(|value| value["predicate"]["critical"] = json!(["outcome", "parent"])).is_ok()
        );
        let refused = altered(|value| {
            value["predicate"]["critical"] = json!(["later"]);
            value["predicate"]["later"] = json!(1);
        });
        assert_eq!(refused, Err(StatementError::Critical("later".to_owned())));
        let unknown_right =
            altered(|value| value["predicate"]["grant"]["capabilities"]["all"] = json!(true));
        assert_eq!(unknown_right, Err(StatementError::Shape));
        for version in ["execution/v2", "delegation/v1"] {
            let refused = altered(|value| {
                value["predicateType"] = json!(format!("{}{version}", intoto::PREDICATE_PREFIX))
            });
            assert_eq!(refused, Err(StatementError::Version));
        }
        assert_eq!(
            altered(|value| value["_type"] = json!("https://in-toto.io/Statement/v0.1")),
            Err(StatementError::Version)
        );
    }

    #[test]
    fn the_subject_is_the_output() {
        assert_eq!(
            altered(|value| value["subject"][0]["name"] = json!("input")),
            Err(StatementError::Subject)
        );
        let other = json!({ "sha256": Digest::of(b"other").hex() });
        assert_eq!(
            altered(|value| value["subject"][0]["digest"] = other),
            Err(StatementError::Subject)
        );
        assert_eq!(
            altered(|value| value["subject"] = json!([])),
            Err(StatementError::Shape)
        );
        let two = |value: &mut Value| {
            let one = value["subject"][0].clone();
            value["subject"].as_array_mut().unwrap().push(one);
        };
        assert_eq!(altered(two), Err(StatementError::Shape));
    }

    #[test]
    fn counts_saturate() {
        let mut statement = fixture::statement();
        statement.resources.fuel = Some(u64::MAX);
        let read = ExecutionStatement::parse(&statement.to_payload()).unwrap();
        assert_eq!(read.resources.fuel, Some(crate::limits::JSON_INTEGER_MAX));
    }
}
