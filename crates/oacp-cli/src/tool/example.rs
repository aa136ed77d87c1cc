//! Examples that travel with a tool: calls, and what has to come of them.
//!
//! ```json
//! [
//!   { "tool": "forecast", "arguments": { "city": "Bern" }, "result": { "day0": 4 } },
//!   { "tool": "forecast", "arguments": { "city": 7 }, "error": "/city" },
//!   { "tool": "random_city" }
//! ]
//! ```

use std::path::{Path, PathBuf};

use oacp::json::canonicalize;
use oacp::limits::{JSON_DEPTH_MAX, JsonLimits};
use oacp::tool::Definition;
use oacp_tool::store::Registered;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::failure::{Failure, Judge};
use crate::file;

/// Bytes of a file of examples. Attack: one that fills the memory.
const FILE: JsonLimits = JsonLimits {
    bytes_max: 16 << 20,
    depth_max: JSON_DEPTH_MAX,
};

/// Examples of one package. Attack: a file that computes for hours.
const EXAMPLES_MAX: usize = 1000;

/// One call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Example {
    /// The tool, by its name or its function's. May be left out where the package has one.
    tool: Option<String>,
    /// Of the call; none at all if left out.
    #[serde(default)]
    pub(crate) arguments: Map<String, Value>,
    /// Exactly what comes out. With neither this nor `error`: anything that the tool's schema allows.
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    /// Part of the message with which the call fails.
    error: Option<String>,
}

/// `null` is a result.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Example {
    /// Whether it is expected to succeed.
    pub(crate) fn gives_a_result(&self) -> bool {
        self.error.is_none()
    }

    /// What is wrong with this answer: `None` if it is as expected.
    pub(crate) fn mismatch(&self, answer: &Result<Value, String>) -> Option<String> {
        match (answer, &self.result, &self.error) {
            (Ok(_), None, None) => None,
            // 1 and 1.0 are one number.
            (Ok(found), Some(expected), _) => {
                let same = match (canonicalize(found), canonicalize(expected)) {
                    (Ok(found), Ok(expected)) => found == expected,
                    _ => found == expected,
                };
                (!same).then(|| format!("expected {expected}, got {found}"))
            }
            (Ok(found), None, Some(part)) => {
                Some(format!("expected an error with `{part}`, got {found}"))
            }
            (Err(message), _, Some(part)) => (!message.contains(part.as_str()))
                .then(|| format!("expected an error with `{part}`, got: {message}")),
            (Err(message), ..) => Some(message.clone()),
        }
    }
}

/// Where the examples of what is at `path` lie: `tool.test.json` in a directory, `weather.test.json` beside `weather.py`.
pub(crate) fn file_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join("tool.test.json")
    } else {
        path.with_extension("test.json")
    }
}

/// A package's examples, each with the tool that it calls. None, if there is no file.
///
/// # Errors
///
/// Usage: the file is no list of examples, or one of them calls what the package has not.
pub(crate) fn read<'a>(
    file: &Path,
    package: &'a Registered,
) -> Result<Vec<(Example, &'a Definition)>, Failure> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let shown = file.display();
    let bytes = file::read(file, FILE.bytes_max).or_usage()?;
    let examples: Vec<Example> = oacp::json::from_slice(&bytes, FILE)
        .or_context(|| format!("`{shown}` is no list of examples"))
        .or_usage()?;
    if examples.len() > EXAMPLES_MAX {
        return Err(Failure::usage(format!(
            "`{shown}` has more than {EXAMPLES_MAX} examples"
        )));
    }
    let with_tool = |(number, example): (usize, Example)| {
        let refused = |why: String| {
            Failure::usage(format!("example {} of `{shown}` {why}", number + 1)).hint(
                "an example is {\"tool\": …, \"arguments\": {…}}, and \"result\": … or \"error\": \"part of it\"",
            )
        };
        if example.result.is_some() && example.error.is_some() {
            return Err(refused("expects a result and an error".to_owned()));
        }
        let definition = tool(&example, package).map_err(refused)?;
        Ok((example, definition))
    };
    examples.into_iter().enumerate().map(with_tool).collect()
}

/// The tool that an example calls, or why there is none.
fn tool<'a>(example: &Example, package: &'a Registered) -> Result<&'a Definition, String> {
    let prefix = format!("{}.", package.name);
    let own = |definition: &Definition| {
        let name = definition.name.as_str();
        name.strip_prefix(&prefix).unwrap_or(name).to_owned()
    };
    match (&example.tool, package.definitions.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => Err("names no tool, and there are several".to_owned()),
        (Some(name), tools) => tools
            .iter()
            .find(|definition| definition.name.as_str() == name || own(definition) == *name)
            .ok_or_else(|| {
                let names: Vec<String> = tools
                    .iter()
                    .map(|tool| format!("`{}`", own(tool)))
                    .collect();
                format!("calls `{name}`; there is {}", names.join(", "))
            }),
    }
}
