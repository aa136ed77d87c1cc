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

/// The input's text, byte for byte: its digest is what `sha256sum` prints for the file.
pub(super) fn read(given: &str) -> Result<String, Failure> {
    let file = given
        .strip_prefix('@')
        .or_else(|| (given == "-").then_some(given));
    let bytes = match file {
        Some(path) => file::read(Path::new(path), INPUT.bytes_max).or_usage()?,
        None => given.as_bytes().to_vec(),
    };
    if let Err(error) = oacp::json::admit(&bytes, INPUT) {
        let failure = Err(error.clone())
            .or_context(|| match file {
                Some(path) if path != "-" => format!("the input `{path}` is refused"),
                _ => "the input is refused".to_owned(),
            })
            .or_usage();
        return match error.kind {
            AdmitErrorKind::Syntax | AdmitErrorKind::Truncated if file.is_none() => failure
                .or_hint(|| {
                    "quote it for the shell: --input '{\"name\": \"Ada\"}', or --input '\"text\"'"
                        .to_owned()
                }),
            _ => failure,
        };
    }
    Ok(String::from_utf8(bytes)?)
}
