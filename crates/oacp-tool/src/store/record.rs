//! A package's record.

use std::collections::BTreeSet;

use oacp::capability::{Capabilities, GuestPath};
use oacp::digest::{Digest, Hasher};
use oacp::id::ToolName;
use oacp::limits::TOOL_DESCRIPTION_BYTES_MAX;
use oacp::source::SourcePath;
use oacp::time::Timestamp;
use oacp::tool::{Code, Definition};
use serde::{Deserialize, Serialize};

use super::Difference;
use crate::limits::{RECORD_TEXT_BYTES_MAX, TOOLS_MAX};
use crate::manifest::{Instance, Limits};
use crate::package::PackageName;

/// A package, as it was registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registered {
    /// Its name.
    pub name: PackageName,
    /// What its code is.
    pub kind: Kind,
    /// Where it came from.
    pub origin: Origin,
    /// Its own version. `None`: it says none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its tools, by name; at least one. They are pinned: code and words of another digest are another tool.
    pub definitions: Vec<Definition>,
    /// The file of its code in the store: of a component its SHA-256, of a source that of the files as the store writes them. Set by the
    /// store.
    pub code: Digest,
    /// What each of its tools is granted.
    pub capabilities: Capabilities,
    /// What a call may use.
    #[serde(default)]
    pub limits: Limits,
    /// How long an instance lives.
    pub instance: Instance,
    /// Where its relative paths start. `None`: it has no files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<GuestPath>,
    /// Who signed what was added. `None`: nobody, or nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// When it was registered, or accepted in its present form.
    pub added: Timestamp,
}

/// What a package's code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Source, on the runtime of Python.
    Python,
    /// Source, on the runtime of JavaScript.
    Javascript,
    /// A component.
    Component,
}

/// Where a package came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// What kind of place.
    pub kind: OriginKind,
    /// The place, as it was named; a path in full. At most 4 KiB.
    pub reference: String,
    /// The file that was described, where the place has several and one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<SourcePath>,
    /// Of what was there: the file, or the source before it was described. `None`: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

/// Kinds of places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OriginKind {
    /// A file of this machine.
    File,
    /// A directory of this machine.
    Directory,
    /// A URL.
    Https,
    /// An image of a registry.
    Oci,
}

/// Who signed a package, as it was verified when it was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// How: `dsse`, `cosign`.
    pub kind: String,
    /// Whose key: its id, or its file's name. At most 4 KiB.
    pub signer: String,
}

/// What is pinned of a package: SHA-256 of `"oacp/pin/v1" ‖ 0x00` and the digests of its definitions, 32 bytes each, in ascending order.
pub fn pin(definitions: &[Definition]) -> Digest {
    let digests: BTreeSet<Digest> = definitions.iter().map(Definition::digest).collect();
    let mut hasher = Hasher::new();
    hasher.update(b"oacp/pin/v1\0");
    for digest in digests {
        hasher.update(digest.as_bytes());
    }
    hasher.finish()
}

impl Registered {
    /// What is pinned: that of its definitions.
    pub fn pin(&self) -> Digest {
        pin(&self.definitions)
    }

    /// The tool of this name.
    pub fn definition(&self, tool: &ToolName) -> Option<&Definition> {
        self.definitions
            .iter()
            .find(|definition| definition.name == *tool)
    }

    /// What another registration of the package would change.
    pub fn difference(&self, other: &Self) -> Difference {
        Difference::between(self, other)
    }

    /// Whether it may be written: what it says is within the limits, and about itself.
    pub(super) fn check(&self) -> Result<(), RecordProblem> {
        if self.definitions.is_empty() || self.definitions.len() > TOOLS_MAX {
            return Err(RecordProblem::Tools);
        }
        let mut names = BTreeSet::new();
        for definition in &self.definitions {
            if PackageName::of_tool(&definition.name).as_ref() != Some(&self.name)
                || !names.insert(&definition.name)
                || definition.description.len() > TOOL_DESCRIPTION_BYTES_MAX
            {
                return Err(RecordProblem::Tool(definition.name.clone()));
            }
            let is_component = matches!(definition.code, Code::Component { .. });
            if is_component != (self.kind == Kind::Component) {
                return Err(RecordProblem::Tool(definition.name.clone()));
            }
        }
        let signature = self.signature.iter();
        let texts = signature.flat_map(|signature| [&signature.kind, &signature.signer]);
        let mut texts = texts.chain(&self.version).chain([&self.origin.reference]);
        if texts.any(|text| text.len() > RECORD_TEXT_BYTES_MAX) {
            return Err(RecordProblem::Text);
        }
        self.limits.check().map_err(|_| RecordProblem::Limits)
    }
}

/// Why a record is not written, or not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordProblem {
    /// No tool, or more than [`TOOLS_MAX`].
    #[error("expected 1 to {TOOLS_MAX} tools")]
    Tools,
    /// A tool that is there twice, is not named after its package, has another kind of code, or too long a description.
    #[error(
        "the tool `{0}` is there twice, is not named after its package, or has another kind of code or too long a description"
    )]
    Tool(ToolName),
    /// A version, an origin or a signer over [`RECORD_TEXT_BYTES_MAX`].
    #[error("a text has more than {RECORD_TEXT_BYTES_MAX} bytes")]
    Text,
    /// Limits out of their ranges.
    #[error("limits are out of their ranges")]
    Limits,
    /// The code is not that of the definitions.
    #[error("the code is not that of the tool `{0}`")]
    Code(ToolName),
    /// It does not fit into its file.
    #[error("it is too large")]
    TooLarge,
}
