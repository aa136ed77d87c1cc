//! What people write of tools and agents: `tool.yaml` beside a tool, `tools:` in `oacp.yaml`, `agent.yaml` beside an agent.
//!
//! The types hold texts, as they were written. YAML is read at the edge, which knows lines and columns; so are patterns, which are relative
//! to the file's directory. A key that is not known is refused, never passed over.
//!
//! ```
//! // What the founding document grants a tool.
//! let capabilities: oacp_tool::manifest::Capabilities = serde_json::from_value(serde_json::json!({
//!     "file_read": ["/data/allowed/*"],
//!     "file_write": [],
//!     "network": ["api.trusted.com:443"],
//!     "env": ["USER", "HOME"],
//! }))?;
//! assert_eq!(capabilities.network.allowlist[0].host, "api.trusted.com:443");
//! # Ok::<(), serde_json::Error>(())
//! ```

mod agent;
mod capabilities;
mod source;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::agent::{AgentFile, Check, LevelName, SchemaText};
pub use self::capabilities::{Capabilities, HostEntry, Network};
pub use self::source::{Place, SourceText, SourceTextError};

/// The most memory of a call, in MiB: what 32-bit WebAssembly can address.
pub const MEMORY_MB: RangeInclusive<u64> = 1..=4096;

/// The computing of a call, in milliseconds of a reference machine.
pub const CPU_QUOTA_MS: RangeInclusive<u64> = 1..=3_600_000;

/// The time of a call, in milliseconds.
pub const TIMEOUT_MS: RangeInclusive<u64> = 1..=3_600_000;

/// The bytes of a result.
pub const RESULT_BYTES: RangeInclusive<u64> = 1..=16 << 20;

/// Calls that run side by side.
pub const CONCURRENCY: RangeInclusive<u64> = 1..=1024;

/// A tool: `tool.yaml`, beside its files.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolFile {
    /// The package's name: 1 to 64 of `A-Z a-z 0-9 _ -`. Its tools are called so, or `NAME.FUNCTION` if there are several.
    pub name: String,
    /// Its own version, as its author counts.
    pub version: Option<String>,
    /// What it is for, for people. Agents are told what its functions say.
    pub description: Option<String>,
    /// Where its code is, if not beside this file.
    pub source: Option<SourceText>,
    /// The file that is described and started, relative to the source's directory.
    pub entry: Option<String>,
    /// What it asks for. It is granted what whoever adds it agrees to.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// What a call may use.
    #[serde(default)]
    pub limits: Limits,
    /// How long an instance lives.
    #[serde(default)]
    pub instance: Instance,
}

/// A tool under `tools:` in `oacp.yaml`, where the key is its name.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tool")]
pub struct ToolBlock {
    /// Its own version, as its author counts.
    pub version: Option<String>,
    /// What it is for, for people. Agents are told what its functions say.
    pub description: Option<String>,
    /// Where its code is.
    pub source: SourceText,
    /// The file that is described and started, relative to the source's directory.
    pub entry: Option<String>,
    /// What it is granted.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// What a call may use.
    #[serde(default)]
    pub limits: Limits,
    /// How long an instance lives.
    #[serde(default)]
    pub instance: Instance,
}

/// `tools:` of `oacp.yaml`: tools by name.
pub type Tools = BTreeMap<String, ToolBlock>;

/// What a call may use. What is not said is as the node has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ToolLimits")]
pub struct Limits {
    /// Memory, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4096))]
    pub memory_mb: Option<u64>,
    /// Computing, in milliseconds of a reference machine: 1,000,000 fuel each.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3_600_000))]
    pub cpu_quota_ms: Option<u64>,
    /// Time, in milliseconds, waiting included.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3_600_000))]
    pub timeout_ms: Option<u64>,
    /// Bytes of a result as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16_777_216))]
    pub result_bytes: Option<u64>,
    /// Calls that run side by side.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub concurrency: Option<u64>,
}

impl Limits {
    /// These, and where they say nothing the others.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            memory_mb: self.memory_mb.or(others.memory_mb),
            cpu_quota_ms: self.cpu_quota_ms.or(others.cpu_quota_ms),
            timeout_ms: self.timeout_ms.or(others.timeout_ms),
            result_bytes: self.result_bytes.or(others.result_bytes),
            concurrency: self.concurrency.or(others.concurrency),
        }
    }

    /// Those that are said, by their keys.
    pub fn said(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let numbers = self.by_key().into_iter();
        numbers.filter_map(|(key, number, _)| Some((key, number?)))
    }

    fn by_key(&self) -> [(&'static str, Option<u64>, RangeInclusive<u64>); 5] {
        [
            ("memory_mb", self.memory_mb, MEMORY_MB),
            ("cpu_quota_ms", self.cpu_quota_ms, CPU_QUOTA_MS),
            ("timeout_ms", self.timeout_ms, TIMEOUT_MS),
            ("result_bytes", self.result_bytes, RESULT_BYTES),
            ("concurrency", self.concurrency, CONCURRENCY),
        ]
    }

    /// Whether each is within its range.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), LimitError> {
        for (key, found, range) in self.by_key() {
            if let Some(found) = found.filter(|found| !range.contains(found)) {
                return Err(LimitError { key, found, range });
            }
        }
        Ok(())
    }
}

/// A limit out of its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`limits.{key}` is {found}, expected {} to {}", range.start(), range.end())]
pub struct LimitError {
    /// Which.
    pub key: &'static str,
    /// What is there.
    pub found: u64,
    /// What may be there.
    pub range: RangeInclusive<u64>,
}

/// How long a tool's instance lives, and with it what it remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Instance {
    /// A fresh one for every call.
    #[default]
    PerCall,
    /// One for all calls of one run of an agent.
    PerRun,
    /// One that is kept from run to run.
    Kept,
}

/// The JSON schema of `tool.yaml`, for editors.
pub fn tool_file_schema() -> Value {
    generator().into_root_schema_for::<ToolFile>().to_value()
}

/// The JSON schema of `tools:` in `oacp.yaml`, for editors.
pub fn tools_schema() -> Value {
    generator().into_root_schema_for::<Tools>().to_value()
}

/// The JSON schema of `agent.yaml`, for editors.
pub fn agent_file_schema() -> Value {
    generator().into_root_schema_for::<AgentFile>().to_value()
}

/// Draft 07, which editors read.
fn generator() -> schemars::SchemaGenerator {
    schemars::generate::SchemaSettings::draft07().into_generator()
}
