//! The input of a run: on the command line, in a file, or on standard input.

use std::path::Path;

use oacp::json::AdmitErrorKind;
use oacp::limits::{JSON_DEPTH_MAX, JsonLimits};

use crate::failure::{Failure, Judge};
use crate::file;

/// Bytes of an input. Attack: a file that fills the memory before the run begins.
const INPUT: JsonLimits = JsonLimits {
    bytes_max: 16 << 20,
    depth_max: JSON_DEPTH_MAX,
};

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::command) enum What {
    /// An agent's input: any JSON.
    Input,
    /// A tool's arguments: an object.
    Arguments,
}

/// The text, byte for byte: its digest is what `sha256sum` prints for the file.
pub(in crate::command) fn read(given: &str, what: What) -> Result<String, Failure> {
    let file = given
        .strip_prefix('@')
        .or_else(|| (given == "-").then_some(given));
    let bytes = match file {
        Some(path) => file::read(Path::new(path), INPUT.bytes_max).or_usage()?,
        None => given.as_bytes().to_vec(),
    };
    let subject = match (what, file) {
        (What::Input, Some(path)) if path != "-" => format!("the input `{path}` is refused"),
        (What::Input, _) => "the input is refused".to_owned(),
        (What::Arguments, Some(path)) if path != "-" => {
            format!("the arguments `{path}` are refused")
        }
        (What::Arguments, _) => "the arguments are refused".to_owned(),
    };
    let example = match what {
        What::Input => "--input '{\"name\": \"Ada\"}', or --input '\"text\"'",
        What::Arguments => "--args '{\"name\": \"Ada\"}'",
    };
    match oacp::json::admit(&bytes, INPUT) {
        Ok(value) if what == What::Arguments && !value.is_object() => Err(Failure::usage(format!(
            "{subject}: they are no JSON object"
        ))
        .hint(format!("name them: {example}"))),
        Ok(_) => Ok(String::from_utf8(bytes)?),
        Err(error) => {
            let failure = Err(error.clone()).or_context(|| subject).or_usage();
            match error.kind {
                AdmitErrorKind::Syntax | AdmitErrorKind::Truncated if file.is_none() => {
                    failure.or_hint(|| format!("quote it for the shell: {example}"))
                }
                _ => failure,
            }
        }
    }
}
