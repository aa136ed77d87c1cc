//! Why a schema is not admitted.

use jsonschema::ValidationError;
use serde_json::Value;

use super::violation;
use crate::limits::{
    SCHEMA_BYTES_MAX, SCHEMA_CHAIN_MAX, SCHEMA_DEPTH_MAX, SCHEMA_NODES_MAX, SCHEMA_PATTERNS_MAX,
    SCHEMA_UNEVALUATED_MAX, SCHEMA_WIDTH_MAX,
};

/// `$schema` of the one dialect.
pub(super) const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A schema that is not admitted: where, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", place(.pointer))]
pub struct SchemaError {
    /// JSON pointer (RFC 6901) of the place within the schema; empty for the whole.
    pub pointer: String,
    /// What is wrong there.
    pub problem: SchemaProblem,
}

fn place(pointer: &str) -> String {
    match pointer {
        "" => "schema: ".to_owned(),
        _ => format!("schema at `{}`: ", pointer.escape_debug()),
    }
}

impl SchemaError {
    pub(super) fn new(pointer: &str, problem: SchemaProblem) -> Self {
        Self {
            pointer: violation::bounded(pointer),
            problem,
        }
    }
}

/// Why a schema is not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaProblem {
    /// Not an object at all, where arguments are described.
    #[error("a tool's arguments are an object: write `\"type\": \"object\"` at the top")]
    NotObject,
    /// Longer than [`SCHEMA_BYTES_MAX`].
    #[error("more than {SCHEMA_BYTES_MAX} bytes")]
    TooLarge,
    /// Deeper than [`SCHEMA_DEPTH_MAX`].
    #[error("nested more than {SCHEMA_DEPTH_MAX} deep; put parts under `$defs` and refer to them")]
    TooDeep,
    /// More than [`SCHEMA_NODES_MAX`] schemas.
    #[error("more than {SCHEMA_NODES_MAX} schemas in one")]
    TooMany,
    /// More than [`SCHEMA_WIDTH_MAX`] schemas judge one value, or more than [`SCHEMA_CHAIN_MAX`] one within the other.
    #[error(
        "references and combinations add up to more than {SCHEMA_WIDTH_MAX} schemas for one value, or to more than {SCHEMA_CHAIN_MAX} one within the other"
    )]
    TooWide,
    /// A schema that judges a value by itself again.
    #[error("it refers to itself for the same value, without end")]
    Endless,
    /// Another dialect.
    #[error("`$schema` is `{found}`; expected `{DIALECT}`, or none")]
    Dialect {
        /// What is there.
        found: String,
    },
    /// A keyword that is not admitted.
    #[error("`{keyword}` is not admitted; {instead}")]
    Keyword {
        /// Which.
        keyword: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// A `$ref` out of the document.
    #[error(
        "`$ref` is `{found}`; expected a path within the document, as `#/$defs/Name`: nothing is fetched"
    )]
    Remote {
        /// What is there.
        found: String,
    },
    /// A `$ref` to what is no schema.
    #[error("`$ref` is `{found}`, where the document has no schema")]
    Dangling {
        /// What is there.
        found: String,
    },
    /// A regular expression that cannot be had.
    #[error("the regular expression `{pattern}` {reason}")]
    Pattern {
        /// The expression, bounded.
        pattern: String,
        /// Why not.
        reason: &'static str,
    },
    /// More than [`SCHEMA_PATTERNS_MAX`] regular expressions.
    #[error("more than {SCHEMA_PATTERNS_MAX} regular expressions")]
    TooManyPatterns,
    /// More than [`SCHEMA_UNEVALUATED_MAX`] of these.
    #[error(
        "more than {SCHEMA_UNEVALUATED_MAX} of `unevaluatedProperties` and `unevaluatedItems`; use `additionalProperties` and `items` where they do"
    )]
    TooManyUnevaluated,
    /// Not what 2020-12 says.
    #[error("{0}")]
    Invalid(String),
}

/// What the compiler refused, by its own words where nothing better is known.
pub(super) fn refused(error: &ValidationError<'_>, schema: &Value) -> SchemaError {
    let pointer = error.instance_path().as_str();
    let at = schema.pointer(pointer);
    let keyword = pointer.rsplit('/').next().unwrap_or_default();
    if let (Some(Value::String(pattern)), "pattern") = (at, keyword) {
        return unusable_pattern(
            pattern,
            pointer,
            "is not one that is judged in linear time: no look-around, no back-reference, and not too large",
        );
    }
    SchemaError::new(pointer, SchemaProblem::Invalid(violation::told(error)))
}

pub(super) fn unusable_pattern(pattern: &str, pointer: &str, reason: &'static str) -> SchemaError {
    SchemaError::new(
        pointer,
        SchemaProblem::Pattern {
            pattern: violation::bounded(pattern),
            reason,
        },
    )
}
