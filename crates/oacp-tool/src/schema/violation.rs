//! What is wrong with a value, so that whoever made it can put it right, a model among them.

use std::fmt;
use std::io::{self, Write};

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::limits::{VIOLATION_TEXT_BYTES_MAX, VIOLATIONS_MAX};

/// One thing that is wrong. Its texts may hold what stood in the value, without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Where: a JSON pointer (RFC 6901) into the value, empty for the whole.
    pub path: String,
    /// What should be there, as `a string`.
    pub expected: String,
    /// What is there, as JSON, cut where it is long.
    pub found: String,
    /// What to change. `None`: nothing obvious.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "`{}`: ", self.path)?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)?;
        match &self.fix {
            Some(fix) => write!(f, "; {fix}"),
            None => Ok(()),
        }
    }
}

/// All that is wrong with a value; at least one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}", all(self))]
pub struct Violations {
    /// The first ones, at most [`VIOLATIONS_MAX`].
    pub list: Vec<Violation>,
    /// How many more there are.
    pub more: usize,
}

fn all(violations: &Violations) -> String {
    let mut text: Vec<_> = violations.list.iter().map(Violation::to_string).collect();
    if violations.more > 0 {
        text.push(format!("and {} more", violations.more));
    }
    text.join("; ")
}

impl From<Violation> for Violations {
    fn from(violation: Violation) -> Self {
        Self {
            list: vec![violation],
            more: 0,
        }
    }
}

/// The violations behind a validator's errors. `schema` is the whole one, to look names up in.
pub(super) fn of<'a>(
    errors: impl Iterator<Item = ValidationError<'a>>,
    schema: &Value,
) -> Violations {
    let mut violations = Violations {
        list: Vec::new(),
        more: 0,
    };
    for error in errors {
        // To find words for an error costs more than to find the error.
        if violations.list.len() == VIOLATIONS_MAX {
            violations.more += 1;
            continue;
        }
        for violation in explained(&error, schema) {
            if violations.list.len() < VIOLATIONS_MAX {
                violations.list.push(violation);
            } else {
                violations.more += 1;
            }
        }
    }
    violations
}

/// An error about a schema, by the schema of schemas, in one line.
pub(super) fn told(error: &ValidationError<'_>) -> String {
    let told = explained(error, &Value::Null).into_iter().next();
    // Where it is, is said elsewhere.
    let told = told.map(|violation| Violation {
        path: String::new(),
        ..violation
    });
    told.map_or_else(|| error.masked().to_string(), |told| told.to_string())
}

fn explained(error: &ValidationError<'_>, schema: &Value) -> Vec<Violation> {
    use ValidationErrorKind as Kind;
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let known = known_properties(error, schema);
            unexpected
                .iter()
                .take(VIOLATIONS_MAX)
                .map(|name| unknown_property(error, name, &known))
                .collect()
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            of_alternatives(error, context, schema)
        }
        _ => vec![single(error)],
    }
}

/// A violation that stands for its error alone.
fn single(error: &ValidationError<'_>) -> Violation {
    let value = error.instance();
    let mut violation = Violation {
        path: bounded(error.instance_path().as_str()),
        expected: bounded(&in_words(error)),
        found: shown(value),
        fix: None,
    };
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let near = value
                .as_object()
                .and_then(|map| nearest(name, map.keys().map(String::as_str)));
            violation.found = "none of that name".to_owned();
            violation.fix = Some(match near {
                Some(near) => format!("rename `{}` to `{}`", bounded(near), bounded(name)),
                None => format!("add `{}`", bounded(name)),
            });
        }
        ValidationErrorKind::Enum { options } => {
            let options = options.as_array().into_iter().flatten();
            let near = value
                .as_str()
                .and_then(|text| nearest(text, options.filter_map(Value::as_str)));
            violation.fix = near.map(|near| format!("did you mean `{}`?", bounded(near)));
        }
        ValidationErrorKind::MaxLength { .. } | ValidationErrorKind::MinLength { .. } => {
            let characters = value.as_str().map_or(0, |text| text.chars().count());
            violation.found = format!("{characters}");
        }
        ValidationErrorKind::MaxItems { .. } | ValidationErrorKind::MinItems { .. } => {
            violation.found = value.as_array().map_or(0, Vec::len).to_string();
        }
        ValidationErrorKind::MaxProperties { .. } | ValidationErrorKind::MinProperties { .. } => {
            violation.found = value.as_object().map_or(0, Map::len).to_string();
        }
        ValidationErrorKind::PropertyNames { error: inner } => {
            violation.found = shown(inner.instance());
        }
        ValidationErrorKind::Type { kind } => violation.fix = unquoted(value, kind),
        _ => {}
    }
    violation
}

/// What to write where a number or a truth value was put between quotation marks, as models do.
fn unquoted(value: &Value, expected: &TypeKind) -> Option<String> {
    let text = value.as_str().filter(|text| text.len() <= 32)?;
    let meant: Value = serde_json::from_str(text).ok()?;
    let wanted = |kind: JsonType| match expected {
        TypeKind::Single(single) => *single == kind,
        TypeKind::Multiple(several) => several.iter().any(|one| one == kind),
    };
    let fits = match meant {
        Value::Bool(_) => wanted(JsonType::Boolean),
        Value::Number(ref number) => {
            wanted(JsonType::Number)
                || wanted(JsonType::Integer) && (number.is_i64() || number.is_u64())
        }
        _ => false,
    };
    fits.then(|| format!("write {meant} without quotation marks"))
}

fn unknown_property(error: &ValidationError<'_>, name: &str, known: &[&str]) -> Violation {
    let value = error.instance().get(name).map_or_else(String::new, shown);
    let path = format!(
        "{}/{}",
        error.instance_path().as_str(),
        name.replace('~', "~0").replace('/', "~1")
    );
    let fix = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{}`?", bounded(near)),
        None => "leave it out".to_owned(),
    };
    Violation {
        path: bounded(&path),
        expected: "no property of this name".to_owned(),
        found: value,
        fix: Some(fix),
    }
}

/// The properties that the schema names where it refuses another.
fn known_properties<'s>(error: &ValidationError<'_>, schema: &'s Value) -> Vec<&'s str> {
    let path = error.schema_path().as_str();
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    schema
        .pointer(parent)
        .and_then(|schema| schema.get("properties"))
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect()
}

/// Errors of alternatives that are looked at to name them all.
const ALTERNATIVES_MAX: usize = 64;

/// What is wrong where none of several alternatives fits: of the one that was probably meant, or of all in one sentence.
fn of_alternatives(
    error: &ValidationError<'_>,
    branches: &[Vec<ValidationError<'_>>],
    schema: &Value,
) -> Vec<Violation> {
    let path = error.instance_path().as_str();
    // An alternative for another kind of value was not meant.
    let meant = |branch: &&Vec<ValidationError<'_>>| {
        !branch
            .iter()
            .any(|error| error.instance_path().as_str() == path && is_about_kind(error.kind()))
    };
    let likely = branches
        .iter()
        .filter(meant)
        .min_by_key(|branch| branch.iter().map(unlikeliness).sum::<usize>());
    if let Some(branch) = likely {
        return branch
            .iter()
            .take(VIOLATIONS_MAX)
            .flat_map(|error| explained(error, schema))
            .collect();
    }
    let mut expected: Vec<String> = Vec::new();
    for error in branches.iter().flatten().take(ALTERNATIVES_MAX) {
        let words = match error.kind() {
            ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
                explained(error, schema)
                    .into_iter()
                    .map(|inner| inner.expected)
                    .collect()
            }
            _ => vec![in_words(error)],
        };
        for words in words {
            if !expected.contains(&words) && expected.len() < VIOLATIONS_MAX {
                expected.push(words);
            }
        }
    }
    vec![Violation {
        path: bounded(path),
        expected: bounded(&expected.join(" or ")),
        found: shown(error.instance()),
        fix: None,
    }]
}

/// Whether the error says that something else is there altogether.
fn is_about_kind(kind: &ValidationErrorKind) -> bool {
    matches!(
        kind,
        ValidationErrorKind::Type { .. }
            | ValidationErrorKind::Enum { .. }
            | ValidationErrorKind::Constant { .. }
            | ValidationErrorKind::FalseSchema
    )
}

/// How much an error speaks against its alternative: most, if the word that tells alternatives apart is another.
fn unlikeliness(error: &ValidationError<'_>) -> usize {
    match error.kind() {
        ValidationErrorKind::Constant { .. } => 100,
        ValidationErrorKind::Enum { .. } => 10,
        _ => 1,
    }
}

/// What an error says should be there.
fn in_words(error: &ValidationError<'_>) -> String {
    use ValidationErrorKind as Kind;
    match error.kind() {
        Kind::Type { kind } => types(kind),
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            format!("a property `{}`", bounded(name))
        }
        Kind::Enum { options } => {
            let options = options.as_array().map_or(&[][..], Vec::as_slice);
            let shown: Vec<_> = options.iter().take(VIOLATIONS_MAX).map(shown).collect();
            format!("one of {}", shown.join(", "))
        }
        Kind::Constant { expected_value } => shown(expected_value),
        Kind::Minimum { limit } => format!("at least {limit}"),
        Kind::Maximum { limit } => format!("at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("a multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("at least {}", count(*limit, "character")),
        Kind::MaxLength { limit } => format!("at most {}", count(*limit, "character")),
        Kind::MinItems { limit } => format!("at least {}", count(*limit, "item")),
        Kind::MaxItems { limit } => format!("at most {}", count(*limit, "item")),
        Kind::MinProperties { limit } => format!("at least {limit} properties"),
        Kind::MaxProperties { limit } => format!("at most {limit} properties"),
        Kind::AdditionalItems { limit } => format!("at most {}", count(*limit as u64, "item")),
        Kind::UnevaluatedItems { .. } => "no further items".to_owned(),
        Kind::UniqueItems => "items that all differ".to_owned(),
        Kind::Contains => "an item by `contains`".to_owned(),
        Kind::Pattern { pattern } => format!("text that matches `{}`", bounded(pattern)),
        Kind::Format { format } => of_format(format),
        Kind::Not { .. } => "a value that `not` does not exclude".to_owned(),
        Kind::FalseSchema => "nothing here".to_owned(),
        Kind::OneOfMultipleValid { .. } => {
            "a value that fits exactly one of the alternatives, and it fits several".to_owned()
        }
        Kind::PropertyNames { error } => {
            format!("names of properties that are {}", in_words(error))
        }
        Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } => {
            "no further properties".to_owned()
        }
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => "one of the alternatives".to_owned(),
        _ => error.masked().to_string(),
    }
}

fn count(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

fn types(kind: &TypeKind) -> String {
    let name = |kind: JsonType| match kind {
        JsonType::Array => "an array",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "an integer",
        JsonType::Null => "null",
        JsonType::Number => "a number",
        JsonType::Object => "an object",
        JsonType::String => "a string",
    };
    match kind {
        TypeKind::Single(kind) => name(*kind).to_owned(),
        TypeKind::Multiple(kinds) => {
            let names: Vec<_> = kinds.iter().map(name).collect();
            names.join(" or ")
        }
    }
}

/// A format by an example.
fn of_format(format: &str) -> String {
    let example = match format {
        "date-time" => "2026-01-31T12:00:00Z",
        "date" => "2026-01-31",
        "time" => "12:00:00Z",
        "duration" => "PT15M",
        "email" => "ann@example.org",
        "hostname" => "www.example.org",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uri" | "iri" => "https://example.org/a",
        "uuid" => "01890a5d-ac96-774b-bcce-b302099a8057",
        "json-pointer" => "/a/0",
        _ => return format!("text of the format `{}`", bounded(format)),
    };
    format!("a text of the format {format}, as {example}")
}

/// A value as JSON, cut where it is long.
pub(super) fn shown(value: &Value) -> String {
    // One byte more than is kept, so that a cut is seen.
    let mut start = Start(Vec::new());
    // It stops where enough was written.
    let _ = serde_json::to_writer(&mut start, value);
    bounded(&String::from_utf8_lossy(&start.0))
}

struct Start(Vec<u8>);

impl Write for Start {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = (VIOLATION_TEXT_BYTES_MAX + 4).saturating_sub(self.0.len());
        match bytes.get(..room.min(bytes.len())) {
            Some(part) if !part.is_empty() => {
                self.0.extend_from_slice(part);
                Ok(part.len())
            }
            _ => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A text of a stranger's: cut where it is long, control characters taken out.
pub(crate) fn bounded(text: &str) -> String {
    let mut kept = String::new();
    for c in text.chars() {
        if kept.len() + c.len_utf8() > VIOLATION_TEXT_BYTES_MAX {
            kept.push('…');
            break;
        }
        kept.push(if c.is_control() { '\u{fffd}' } else { c });
    }
    kept
}

/// The name that `found` is most like, if at most a third of it differs.
pub(crate) fn nearest<'a>(
    found: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Comparing takes the product of both lengths.
    if found.len() > 128 {
        return None;
    }
    names
        .into_iter()
        .filter(|name| name.len() <= 128)
        .take(256)
        .map(|name| (strsim::damerau_levenshtein(found, name), name))
        .min()
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(2) && *distance < name.len())
        .map(|(_, name)| name)
}
