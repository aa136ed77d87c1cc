//! YAML that an operator wrote: precise errors, with line, column and what was probably meant.

use serde::de::DeserializeOwned;
use serde_saphyr::Error;

use crate::failure::Failure;
use crate::nearest::nearest;

/// Reads one document, named `name` in errors. No YAML 1.1 surprises: `yes` is no boolean, `3` no string; no unknown tags.
///
/// # Errors
///
/// Usage, with line and column.
pub(crate) fn from_str<T: DeserializeOwned>(text: &str, name: &str) -> Result<T, Failure> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        no_schema: true,
        reject_unsupported_tags: true,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| refusal(&error, text, name))
}

/// Points at a place in a document.
pub(crate) fn place(name: &str, at: serde_saphyr::Location) -> String {
    format!("{name}:{}:{}", at.line(), at.column())
}

fn refusal(error: &Error, text: &str, name: &str) -> Failure {
    let error = error.without_snippet();
    let place = error
        .location()
        .map_or_else(|| name.to_owned(), |at| place(name, at));
    let line = error
        .location()
        .and_then(|at| text.lines().nth((at.line() as usize).saturating_sub(1)));
    let line = line
        .map(|line| format!(": `{}`", line.trim()))
        .unwrap_or_default();
    match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => unknown("unknown key", field, expected, &place),
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => unknown("unknown value", variant, expected, &place),
        Error::DuplicateMappingKey { key, .. } => Failure::usage(format!(
            "{place}: the key `{}` is given twice",
            key.as_deref().unwrap_or_default()
        )),
        Error::SerdeMissingField { field, .. } => {
            Failure::usage(format!("{place}: the key `{field}` is missing"))
        }
        Error::InvalidScalar { ty, .. } => {
            Failure::usage(format!("{place}: expected {}{line}", expected_of(ty)))
        }
        Error::InvalidBooleanStrict { .. } => {
            Failure::usage(format!("{place}: expected true or false{line}"))
        }
        Error::Unexpected { expected, .. } => {
            let expected = match *expected {
                "string scalar" => "one value, not a list or mapping",
                "mapping start" => "a mapping of keys to values",
                "sequence start" => "a list",
                other => other,
            };
            Failure::usage(format!("{place}: expected {expected}{line}"))
        }
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            Failure::usage(format!("{place}: expected {expected}{line}"))
        }
        Error::QuotingRequired { value, .. } => {
            Failure::usage(format!("{place}: expected text{line}"))
                .hint(format!("if it is text, quote it: \"{value}\""))
        }
        other => {
            let text = other.to_string();
            // The place stands in front already.
            let text = text.split(" at line ").next().unwrap_or_default();
            Failure::usage(format!("{place}: {text}"))
        }
    }
}

fn expected_of(rust_type: &str) -> &str {
    match rust_type {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        other => other,
    }
}

fn unknown(what: &str, found: &str, expected: &[&str], place: &str) -> Failure {
    let failure = Failure::usage(match nearest(found, expected.iter().copied()) {
        Some(name) => format!("{place}: {what} `{found}`; did you mean `{name}`?"),
        None => format!("{place}: {what} `{found}`"),
    });
    let known = expected
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    failure.hint(format!("known here: {known}"))
}
