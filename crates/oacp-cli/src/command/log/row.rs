//! An entry as it is listed: the same from this machine's index and from a registry elsewhere.

use oacp::digest::Digest;
use oacp::id::{ExecutionId, SandboxId};
use oacp::leaf::LeafKind;
use oacp::outcome::Outcome;
use oacp::time::Timestamp;
use oacp_registry::Found;
use serde::{Deserialize, Serialize};

use crate::console::{DIM, GREEN, RED};
use crate::escape::visible;

/// What `--json` prints of an entry, and what a registry answers. Fields are added, never renamed.
#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) index: u64,
    pub(super) kind: LeafKind,
    pub(super) id: String,
    pub(super) pruned: bool,
    time: Option<Timestamp>,
    sequence: Option<u64>,
    sandbox: Option<SandboxId>,
    agent: Option<Digest>,
    tools: Vec<Tool>,
    outcome: Option<Outcome>,
    principal: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Tool {
    name: String,
    hash: Option<Digest>,
}

impl From<&Found> for Row {
    fn from(found: &Found) -> Self {
        let tool = |(name, hash): &(String, Option<Digest>)| Tool {
            name: name.clone(),
            hash: *hash,
        };
        Self {
            index: found.index,
            kind: found.kind,
            id: id_text(found.id),
            pruned: found.pruned,
            time: found.time,
            sequence: found.sequence,
            sandbox: found.sandbox,
            agent: found.agent,
            tools: found.tools.iter().map(tool).collect(),
            outcome: found.outcome,
            principal: found.principal.clone(),
        }
    }
}

impl Row {
    /// One line for people.
    pub(super) fn line(&self) -> String {
        let mut line = format!("{:>6}  {:<10}  {}", self.index, self.kind.as_str(), self.id);
        if self.pruned {
            line.push_str(&format!("  {DIM}pruned{DIM:#}"));
            return line;
        }
        if let Some(time) = self.time {
            line.push_str(&format!("  {time}"));
        }
        if let Some(outcome) = self.outcome {
            let style = if outcome == Outcome::Ok { GREEN } else { RED };
            line.push_str(&format!("  {style}{outcome}{style:#}"));
        }
        if let Some(agent) = &self.agent {
            line.push_str(&format!("  agent {}", agent.short()));
        }
        if let Some(principal) = &self.principal {
            line.push_str(&format!("  {}", visible(principal)));
        }
        if !self.tools.is_empty() {
            let names: Vec<_> = self.tools.iter().map(|tool| visible(&tool.name)).collect();
            line.push_str(&format!("  {DIM}{}{DIM:#}", names.join(", ")));
        }
        line
    }
}

/// The text of an execution's or a sandbox's id. Of a tool it is no UUIDv7, and stands in hex.
fn id_text(id: [u8; 16]) -> String {
    match ExecutionId::from_bytes(id) {
        Some(id) => id.to_string(),
        None => id.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}
