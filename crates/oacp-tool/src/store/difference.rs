//! What accepting another form of a package would change.

use oacp::capability::Capabilities;
use oacp::digest::Digest;
use oacp::id::ToolName;
use oacp::tool::{Code, Definition};
use serde::Serialize;
use serde_json::Value;

use super::Registered;

/// Places of one schema that are listed; beyond them nothing is added.
const EDITS_MAX: usize = 64;

/// What differs between two forms of a package.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    /// Tools that come with it.
    pub added: Vec<ToolName>,
    /// Tools that go with it.
    pub removed: Vec<ToolName>,
    /// Tools that become others.
    pub changed: Vec<Changed>,
    /// The rights before and after, if they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<(Capabilities, Capabilities)>,
}

/// One tool's changes. What is `None` or empty is as it was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changed {
    /// Its name.
    pub name: ToolName,
    /// The definition's digests.
    pub definition: (Digest, Digest),
    /// The descriptions: what agents choose by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<(String, String)>,
    /// What it takes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub input_schema: Vec<Edit>,
    /// What it gives.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output_schema: Vec<Edit>,
    /// What runs: digest, and stub or function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<(Code, Code)>,
}

/// One place of a schema.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Edit {
    /// JSON pointer; empty for the whole.
    pub pointer: String,
    /// What was there. `None`: nothing.
    pub before: Option<Value>,
    /// What is there. `None`: nothing.
    pub after: Option<Value>,
}

impl Difference {
    pub(super) fn between(old: &Registered, new: &Registered) -> Self {
        let lacks =
            |package: &Registered, tool: &Definition| package.definition(&tool.name).is_none();
        let names = |of: &Registered, other: &Registered| {
            let tools = of.definitions.iter().filter(|tool| lacks(other, tool));
            tools.map(|tool| tool.name.clone()).collect()
        };
        let changed = old.definitions.iter().filter_map(|before| {
            let after = new.definition(&before.name)?;
            (before.digest() != after.digest()).then(|| Changed::between(before, after))
        });
        Self {
            added: names(new, old),
            removed: names(old, new),
            changed: changed.collect(),
            capabilities: (old.capabilities != new.capabilities)
                .then(|| (old.capabilities.clone(), new.capabilities.clone())),
        }
    }

    /// Whether nothing differs of what is pinned, nor of the rights.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The places in which two schemas differ; at most 64.
pub fn edits(before: Option<&Value>, after: Option<&Value>) -> Vec<Edit> {
    let mut edits = Vec::new();
    compare(String::new(), before, after, &mut edits);
    edits
}

impl Changed {
    fn between(before: &Definition, after: &Definition) -> Self {
        Self {
            name: before.name.clone(),
            definition: (before.digest(), after.digest()),
            description: (before.description != after.description)
                .then(|| (before.description.clone(), after.description.clone())),
            input_schema: edits(Some(&before.input_schema), Some(&after.input_schema)),
            output_schema: edits(before.output_schema.as_ref(), after.output_schema.as_ref()),
            code: (before.code != after.code).then(|| (before.code.clone(), after.code.clone())),
        }
    }
}

/// Lists the places where two schemas differ, as deep as objects go.
fn compare(pointer: String, before: Option<&Value>, after: Option<&Value>, edits: &mut Vec<Edit>) {
    if before == after || edits.len() == EDITS_MAX {
        return;
    }
    if let (Some(Value::Object(old)), Some(Value::Object(new))) = (before, after) {
        let added = new.keys().filter(|key| !old.contains_key(*key));
        for key in old.keys().chain(added) {
            let segment = key.replace('~', "~0").replace('/', "~1");
            let below = format!("{pointer}/{segment}");
            compare(below, old.get(key), new.get(key), edits);
        }
        return;
    }
    edits.push(Edit {
        pointer,
        before: before.cloned(),
        after: after.cloned(),
    });
}
