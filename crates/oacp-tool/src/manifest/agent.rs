//! `agent.yaml`.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{Capabilities, Limits};

/// An agent: `agent.yaml`, beside its files.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentFile {
    /// Its name: 1 to 64 of `A-Z a-z 0-9 _ -`.
    pub name: String,
    /// Its own version, as its author counts.
    pub version: Option<String>,
    /// The file to start at, relative to this one's directory: `.py`, `.js` or `.mjs`, or a `.wasm` component.
    pub entry: String,
    /// What it is for.
    pub description: Option<String>,
    /// What its input is: a JSON Schema 2020-12, or `path: FILE`. Without one any input is taken.
    #[schemars(with = "Option<SchemaSchema>")]
    pub input_schema: Option<SchemaText>,
    /// What its output is, likewise.
    #[schemars(with = "Option<SchemaSchema>")]
    pub output_schema: Option<SchemaText>,
    /// Names of the registered tools that it calls. It can be given no other.
    #[serde(default)]
    pub tools: Vec<String>,
    /// What it asks for, besides its tools.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// What a run may use, and each check: memory, computing and time. The others are for tools.
    #[serde(default)]
    pub limits: Limits,
    /// How much its bundles can show.
    pub level: Option<LevelName>,
    /// Functions over input and output that are run after it, and attested; at most 16.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// How much a bundle can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AgentLevel")]
pub enum LevelName {
    /// Hashes, signed.
    Basic,
    /// And a recording, by which the run can be repeated.
    Execution,
    /// And a proof of logging.
    Full,
    /// And evidence of the hardware.
    Hardware,
}

/// A check: a function of `input` and `output`. True or nothing is a yes; a text says what is wrong. It runs in a sandbox of its own, without
/// any right.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Its name, in reports.
    pub name: String,
    /// The file that it is in, relative to this one's directory.
    pub file: String,
    /// The function.
    pub function: String,
}

/// A schema that stands here, or in a file.
#[derive(Clone, Debug, PartialEq)]
pub enum SchemaText {
    /// Here.
    Inline(Value),
    /// In the file of this path, relative to the manifest's directory.
    Path(String),
}

impl<'de> Deserialize<'de> for SchemaText {
    /// A mapping whose one key is `path` and whose value is a text names a file: as a schema it would say nothing.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shapes;

        impl<'de> Visitor<'de> for Shapes {
            type Value = SchemaText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON schema, or a mapping with `path`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SchemaText, A::Error> {
                let mut schema = Map::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if schema.insert(key.clone(), value).is_some() {
                        return Err(A::Error::custom(format_args!("`{key}` is there twice")));
                    }
                }
                match (schema.len(), schema.get("path")) {
                    (1, Some(Value::String(path))) => Ok(SchemaText::Path(path.clone())),
                    _ => Ok(SchemaText::Inline(Value::Object(schema))),
                }
            }
        }

        deserializer.deserialize_map(Shapes)
    }
}

/// What the parser above reads, for editors.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "AgentSchema")]
#[expect(dead_code, reason = "only its schema is asked for")]
enum SchemaSchema {
    /// A file that holds the schema.
    Path(PathSchema),
    /// The schema.
    Inline(Map<String, Value>),
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AgentSchemaPath")]
#[expect(dead_code, reason = "only its schema is asked for")]
struct PathSchema {
    /// The file, relative to this one's directory.
    path: String,
}
