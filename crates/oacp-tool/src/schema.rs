//! Schemas of what a tool takes and gives: JSON Schema 2020-12, as far as judging by it is cheap.
//!
//! The attack is a schema that costs more than it says: one that fetches another from a host of its own, references that double each
//! other, a regular expression that backtracks for hours, nesting that overflows the stack, or a value that is cheap to send and dear to
//! judge. So everything is bounded twice: [`Schema::admit`] refuses what cannot be bounded by looking at the schema, and
//! [`Schema::validate`] counts what a value will cost before it judges it.
//!
//! What is admitted:
//!
//! - `$ref` to a schema within the document, as `#/$defs/City`. No `$id` below the root, `$anchor`, `$dynamicRef`, `$vocabulary`; no other
//!   `$schema` than 2020-12's.
//! - `pattern` by ECMA-262 without look-around and back-references: the engine is linear in the text.
//! - `format` is asserted where its meaning is fixed: `date-time`, `date`, `time`, `duration` (RFC 3339), `email`, `hostname`, `ipv4`,
//!   `ipv6`, `uri`, `uri-reference`, `uri-template`, `iri`, `iri-reference`, `uuid`, `json-pointer`, `relative-json-pointer`, `regex`. Any
//!   other is an annotation. `contentEncoding`, `contentMediaType` and `contentSchema` are annotations.
//! - All limits are in [`limits`](crate::limits).

mod outline;
mod problem;
mod violation;

use std::fmt;
use std::sync::Arc;

use jsonschema::{Draft, PatternOptions, Validator};
use oacp::json::{AdmitError, admit};
use serde_json::Value;

use self::outline::Outline;
pub use self::problem::{SchemaError, SchemaProblem};
pub use self::violation::{Violation, Violations};
use crate::limits::{EXPLANATION_STEPS_MAX, SCHEMA_PATTERN_COMPILED_BYTES_MAX, VALUE};

/// A schema that was admitted, compiled. Cloning shares it.
#[derive(Clone)]
pub struct Schema(Arc<Compiled>);

struct Compiled {
    value: Value,
    outline: Outline,
    validator: Validator,
}

impl Schema {
    /// Admits a schema, and compiles it.
    ///
    /// # Errors
    /// What is no schema of 2020-12, or not within the limits, with the place.
    pub fn admit(value: &Value) -> Result<Self, SchemaError> {
        let outline = Outline::of(value)?;
        let validator = compile(value)?;
        Ok(Self(Arc::new(Compiled {
            value: value.clone(),
            outline,
            validator,
        })))
    }

    /// [`Schema::admit`] for a tool's arguments: the schema says itself, by `"type": "object"`, that they are an object.
    ///
    /// # Errors
    /// As there; another type ([`SchemaProblem::NotObject`]).
    pub fn admit_input(value: &Value) -> Result<Self, SchemaError> {
        if value.get("type").and_then(Value::as_str) != Some("object") {
            return Err(SchemaError::new("", SchemaProblem::NotObject));
        }
        Self::admit(value)
    }

    /// The schema, as it was given.
    pub fn value(&self) -> &Value {
        &self.0.value
    }

    /// Judges a JSON text. It is read strictly ([`oacp::json::admit`]): no key twice, no number that readers understand differently.
    ///
    /// # Errors
    /// What is wrong with it, at most [`VIOLATIONS_MAX`](crate::limits::VIOLATIONS_MAX), the first ones first.
    pub fn validate(&self, text: &[u8]) -> Result<(), Violations> {
        let value = admit(text, VALUE).map_err(|error| not_json(&error))?;
        self.validate_value(&value)
    }

    /// Judges a value.
    ///
    /// # Errors
    /// As [`Schema::validate`].
    pub fn validate_value(&self, value: &Value) -> Result<(), Violations> {
        let Compiled {
            outline, validator, ..
        } = &*self.0;
        outline.steps(value).map_err(Violations::from)?;
        if validator.is_valid(value) {
            return Ok(());
        }
        match outline.steps_of_explaining(value) {
            Ok(steps) if steps <= EXPLANATION_STEPS_MAX => {
                Err(violation::of(validator.iter_errors(value), &self.0.value))
            }
            _ => Err(Violations::from(Violation {
                path: String::new(),
                expected: "a value by the schema".to_owned(),
                found: "one that is not, and too large to say where".to_owned(),
                fix: None,
            })),
        }
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.0.value).finish()
    }
}

fn not_json(error: &AdmitError) -> Violations {
    Violations::from(Violation {
        path: String::new(),
        expected: "JSON".to_owned(),
        found: violation::bounded(&error.to_string()),
        fix: None,
    })
}

fn compile(value: &Value) -> Result<Validator, SchemaError> {
    // What the root calls itself is of no use here, and must not change what a reference means.
    let mut value = value.clone();
    if let Value::Object(root) = &mut value {
        root.remove("$id");
        root.remove("$schema");
    }
    let patterns = PatternOptions::regex()
        .size_limit(SCHEMA_PATTERN_COMPILED_BYTES_MAX)
        .dfa_size_limit(SCHEMA_PATTERN_COMPILED_BYTES_MAX);
    jsonschema::options()
        .offline()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(patterns)
        .should_validate_formats(true)
        .build(&value)
        .map_err(|error| problem::refused(&error, &value))
}
