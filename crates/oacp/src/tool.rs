//! A tool: what an agent is told of it, the code behind it, and one digest over both.
//!
//! The attack is a tool that becomes another one after somebody agreed to it: by its code, by its
//! schema, or only by its description, which is what a model chooses by. So all three are one
//! definition, and the definition's digest is what is pinned, logged and named by the statements of
//! whoever calls it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::capability::Capabilities;
use crate::digest::{Digest, Hasher};
use crate::envelope::{Envelope, PAYLOAD_TYPE};
use crate::id::{LogOrigin, ToolName};
use crate::intoto::{self, Read, StatementError};
use crate::json::canonicalize;
use crate::key::SecretKey;
use crate::limits::{
    EXPORT_NAME_BYTES_MAX, TEXT_BYTES_MAX, TOOL_DEFINITION_BYTES_MAX, TOOL_DESCRIPTION_BYTES_MAX,
};
use crate::source::SourcePath;
use crate::time::Timestamp;

/// The predicate type.
pub const TOOL_V1: &str = uri!("tool/v1");

text_type!(
    /// The function of a component that is called: `acme:weather/api@1.0.0#forecast` of an
    /// interface that it exports, `#forecast` of its world itself, `tool:forecast` of the world
    /// `tool` of `wit/`. 1 to 512 bytes of visible ASCII.
    ExportName,
    ParseExportNameError,
    "not an export's name: expected 1 to 512 printable ASCII characters without spaces",
    |text| (1..=EXPORT_NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic())
);

/// A tool, as it is pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "DefinitionJson")]
pub struct Definition {
    /// Under which agents call it.
    pub name: ToolName,
    /// What agents are told of it. At most 16 KiB.
    pub description: String,
    /// What its arguments are: JSON Schema 2020-12, of an object.
    pub input_schema: Value,
    /// What its result is. `None`: nothing is said of it.
    pub output_schema: Option<Value>,
    /// What runs when it is called.
    pub code: Code,
}

/// What runs when a tool is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Code {
    /// Source, on a language runtime.
    Source {
        /// [`Source::hash`](crate::Source::hash).
        sha256: Digest,
        /// The file to start at, which calls the one function.
        entry: SourcePath,
    },
    /// A function of a component.
    Component {
        /// Of the component.
        sha256: Digest,
        /// The function.
        export: ExportName,
    },
}

impl Code {
    /// The `agent_hash` of an execution of it.
    pub const fn sha256(&self) -> Digest {
        match self {
            Self::Source { sha256, .. } | Self::Component { sha256, .. } => *sha256,
        }
    }
}

impl Definition {
    /// The tool's digest: SHA-256 of `"oacp/tool/v1" ‖ 0x00` and the definition's canonical JSON (RFC 8785).
    #[expect(
        clippy::expect_used,
        reason = "a definition is strings and what was JSON before"
    )]
    pub fn digest(&self) -> Digest {
        let canonical = canonicalize(self).expect("a definition is JSON");
        let mut hasher = Hasher::new();
        hasher.update(b"oacp/tool/v1\0").update(&canonical);
        hasher.finish()
    }
}

/// [`Definition`] as it is read, before its limits are checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DefinitionJson {
    name: ToolName,
    description: String,
    input_schema: Value,
    #[serde(default)]
    output_schema: Option<Value>,
    code: Code,
}

impl TryFrom<DefinitionJson> for Definition {
    type Error = DefinitionError;

    fn try_from(json: DefinitionJson) -> Result<Self, DefinitionError> {
        if json.description.len() > TOOL_DESCRIPTION_BYTES_MAX {
            return Err(DefinitionError::Description);
        }
        let definition = Self {
            name: json.name,
            description: json.description,
            input_schema: json.input_schema,
            output_schema: json.output_schema,
            code: json.code,
        };
        // What JSON cannot carry exactly has no canonical form, and so no digest.
        let canonical = canonicalize(&definition).map_err(|_| DefinitionError::Number)?;
        if canonical.len() > TOOL_DEFINITION_BYTES_MAX {
            return Err(DefinitionError::TooLarge);
        }
        Ok(definition)
    }
}

/// Why JSON is not a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// Longer than [`TOOL_DESCRIPTION_BYTES_MAX`].
    #[error("the description has more than {TOOL_DESCRIPTION_BYTES_MAX} bytes")]
    Description,
    /// Larger than [`TOOL_DEFINITION_BYTES_MAX`].
    #[error("the definition has more than {TOOL_DEFINITION_BYTES_MAX} bytes")]
    TooLarge,
    /// A number that not every JSON implementation reads alike.
    #[error("a schema holds a number beyond 2^53")]
    Number,
}

/// Predicate `tool/v1`: the node registered a tool, with the rights that it grants it. Its subject is
/// the tool: name, the tool's name; digest, the definition's.
///
/// In JSON the fields have these names, and an absent value is `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolStatement {
    /// The tool's name.
    pub name: ToolName,
    /// [`Definition::digest`].
    pub definition: Digest,
    /// Of its code.
    pub code: Digest,
    /// The package's own version. `None`: it says none.
    #[serde(default)]
    pub version: Option<String>,
    /// [`Capabilities::digest`] of what it is granted.
    pub capabilities: Digest,
    /// When it was signed, by the node's clock.
    pub timestamp: Timestamp,
    /// The log that it will be in. `None`: in none.
    #[serde(default)]
    pub log: Option<LogOrigin>,
    /// Names of fields that a verifier must know, or refuse.
    #[serde(default)]
    pub critical: Vec<String>,
    /// Paths of fields that were read and are not known to this version. Never written.
    #[serde(skip)]
    pub unknown: Vec<String>,
}

impl ToolStatement {
    /// That `definition` was registered, and granted `capabilities`.
    pub fn new(
        definition: &Definition,
        version: Option<String>,
        capabilities: &Capabilities,
        timestamp: Timestamp,
        log: Option<LogOrigin>,
    ) -> Self {
        Self {
            name: definition.name.clone(),
            definition: definition.digest(),
            code: definition.code.sha256(),
            version,
            capabilities: capabilities.digest(),
            timestamp,
            log,
            critical: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// Signs it with the node's key.
    pub fn sign(&self, node: &SecretKey) -> Envelope {
        let payload = intoto::write(self.name.as_ref(), self.definition, TOOL_V1, self);
        Envelope::sign(PAYLOAD_TYPE, payload, node)
    }

    /// Reads a payload. Nothing is verified.
    ///
    /// # Errors
    /// Not admitted; another type or version; a `critical` name that is not known; another subject
    /// than the tool; a version of more than 256 bytes ([`StatementError::Shape`]).
    pub fn parse(payload: &[u8]) -> Result<Self, StatementError> {
        Self::from_read(intoto::read(payload, TOOL_V1)?)
    }

    pub(crate) fn from_read(read: Read<Self>) -> Result<Self, StatementError> {
        let tool = Self {
            unknown: read.unknown,
            ..read.predicate
        };
        if read.subject_name != tool.name.as_ref() || read.subject != tool.definition {
            return Err(StatementError::Subject);
        }
        let version = tool.version.as_deref().unwrap_or_default();
        if version.len() > TEXT_BYTES_MAX {
            return Err(StatementError::Shape);
        }
        Ok(tool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use serde_json::json;

    #[test]
    fn name_description_schema_and_code_are_one_digest() {
        let definition = fixture::definition();
        let altered = |alter: fn(&mut Definition)| {
            let mut other = definition.clone();
            alter(&mut other);
            other.digest()
        };
        let digests = [
            definition.digest(),
            altered(|d| d.name = "other".parse().unwrap()),
            altered(|d| d.description.push('.')),
            altered(|d| d.input_schema = json!({"type": "object"})),
            altered(|d| d.output_schema = None),
            altered(|d| {
                d.code = Code::Source {
                    sha256: Digest::of(b"other"),
                    entry: "oacp_tool_f.py".parse().unwrap(),
                };
            }),
        ];
        let distinct: std::collections::BTreeSet<_> = digests.iter().map(Digest::hex).collect();
        assert_eq!(distinct.len(), digests.len());
    }

    #[test]
    fn the_order_of_a_schemas_keys_does_not_count() {
        let text = |schema: &str| {
            let code = serde_json::to_string(&fixture::definition().code).unwrap();
            format!(r#"{{"name":"f","description":"d","input_schema":{schema},"code":{code}}}"#)
        };
        let digest = |schema| {
            let definition: Definition = serde_json::from_str(&text(schema)).unwrap();
            definition.digest()
        };
        assert_eq!(
            digest(r#"{"type":"object","title":"t"}"#),
            digest(r#"{"title":"t","type":"object"}"#)
        );
        let too_long = text(&format!(
            r#"{{"title":"{}"}}"#,
            "t".repeat(TOOL_DEFINITION_BYTES_MAX)
        ));
        assert!(serde_json::from_str::<Definition>(&too_long).is_err());
    }

    #[test]
    fn a_registration_round_trips_and_its_subject_is_the_tool() {
        let tool = fixture::tool();
        let envelope = tool.sign(&SecretKey::from_bytes(&[1; 32]));
        let payload = envelope.unverified_payload();
        assert_eq!(ToolStatement::parse(payload), Ok(tool.clone()));
        let other = intoto::write("other", tool.definition, TOOL_V1, &tool);
        assert_eq!(ToolStatement::parse(&other), Err(StatementError::Subject));
        let other = intoto::write(tool.name.as_ref(), tool.code, TOOL_V1, &tool);
        assert_eq!(ToolStatement::parse(&other), Err(StatementError::Subject));
    }
}
