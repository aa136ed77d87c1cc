//! What a package offers, once it has been described: the same for every language. And its tools' names and definitions.

mod definitions;
mod name;

use std::fmt;

use oacp::source::{Source, SourcePath};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::definitions::started_at;
pub use self::definitions::{Export, PackageError, definitions, definitions_of_component};
pub use self::name::{PackageName, ParsePackageNameError};

/// A package that was described: what it offers, and the files that run.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// Its functions, by name; at least one.
    pub offers: Vec<Offer>,
    /// The files, types stripped, stubs added. Its entry is any one of the stubs; each offer names its own.
    pub source: Source,
    /// What is worth knowing, and no reason to refuse.
    pub warnings: Vec<Remark>,
}

/// One function that can be a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// Its name in the file: of `A-Z a-z 0-9 _`, the first no digit.
    pub function: String,
    /// For whoever chooses a tool, a model among them: the package's own words, so escape them before a terminal shows them. May be empty.
    pub description: String,
    /// What it takes: a JSON schema of an object.
    pub input_schema: Value,
    /// What it gives. `None`: it does not say.
    pub output_schema: Option<Value>,
    /// The stub that calls it, one of the files of [`Described::source`].
    pub entry: SourcePath,
}

/// Something about a package, with its place, for the person who wrote it.
///
/// The texts may come from what was described, so escape them before a terminal shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remark {
    /// Which file.
    pub file: SourcePath,
    /// Counted from 1. `None`: the whole file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Which function. `None`: none in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// What is so: lower case, no full stop.
    pub message: String,
    /// What to write instead. `None`: nothing obvious.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// A package cannot be tools, and why: every reason that was found, at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", first(.remarks))]
pub struct DescribeError {
    /// The reasons.
    pub remarks: Vec<Remark>,
}

/// The first reason, and how many more there are.
fn first(remarks: &[Remark]) -> String {
    match remarks {
        [] => "it cannot be described".to_owned(),
        [one] => one.to_string(),
        [one, rest @ ..] => format!("{one} (and {} more)", rest.len()),
    }
}

impl From<Remark> for DescribeError {
    fn from(remark: Remark) -> Self {
        Self {
            remarks: vec![remark],
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(function) = &self.function {
            write!(f, ": `{}`", function.escape_debug())?;
        }
        write!(f, ": {}", self.message)
    }
}
