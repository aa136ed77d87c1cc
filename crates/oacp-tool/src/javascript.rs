//! A file of JavaScript or TypeScript whose exported functions are tools.
//!
//! It is parsed; nothing of it runs. What a function takes is in JSDoc comments, in TypeScript's annotations, or in a literal beside it:
//!
//! ```js
//! /**
//!  * The weather of the next days.
//!  * @param {string} city - as "Bern, CH"
//!  * @param {integer} [days=3]
//!  * @returns {Promise<{day: string, celsius: number}[]>}
//!  */
//! export async function forecast(city, days = 3) { … }
//!
//! export const schemas = { forecast: { input: { properties: { city: { type: "string" } }, required: ["city"] } } };
//! ```
//!
//! Each function gets a stub, the file that is run: it imports the function and calls it with the members of the arguments object. Of files of
//! TypeScript the types are blanked out, so that lines stay what they are, and the files renamed.
//!
//! The attack is a file that takes the parser's stack, memory or time: see the modules `nesting` and `limits`.

mod annotation;
mod doc;
mod doctype;
mod files;
mod globals;
mod limits;
mod literal;
mod module;
mod nesting;
mod parse;
mod problem;
mod shape;
mod signature;
mod strip;
mod stub;
mod tools;
mod transpile;
mod types;

use oacp::source::{Source, SourcePath};

use self::limits::{PARSED_BYTES_MAX, STACK_BYTES, STACK_BYTES_PER_BYTE};
use crate::limits::{REMARK_TEXT_BYTES_MAX, REMARKS_MAX};
use crate::package::{DescribeError, Described, Remark};

/// Reads what a source offers as tools: the functions that its entry, a `.js`, `.mjs`, `.ts` or `.mts`, exports.
///
/// # Errors
/// Everything that is in the way, each with its line and what to write instead.
pub fn describe(files: &Source) -> Result<Described, DescribeError> {
    let largest = files
        .files()
        .map(|(_, content)| content.len())
        .max()
        .unwrap_or_default();
    let refused = |message: &str, fix: &str| DescribeError {
        remarks: vec![Remark {
            file: files.entry().clone(),
            line: None,
            function: None,
            message: message.to_owned(),
            fix: Some(fix.to_owned()),
        }],
    };
    match on_own_stack(largest, || tools::describe(files)) {
        Ok(Ok(described)) => described.map_err(bounded),
        Ok(Err(_)) => Err(refused("the parser gave up on a file", "simplify the file")),
        Err(_) => Err(refused(
            "there is not enough memory to read the files",
            "put the tools into a small file",
        )),
    }
}

/// Each use of one of the `known` names that a file does not bind itself, with its line; see [`globals::globals`]. None of a file that is
/// not one that is parsed.
///
/// # Errors
/// This machine could not parse it: that says nothing about the file.
pub(crate) fn globals(
    file: &SourcePath,
    content: &[u8],
    known: &[&'static str],
) -> Result<Vec<(&'static str, u32)>, NotParsed> {
    match on_own_stack(content.len(), || globals::globals(file, content, known)) {
        Ok(Ok(used)) => Ok(used.unwrap_or_default()),
        _ => Err(NotParsed),
    }
}

/// There was no memory for it, or the parser gave up.
pub(crate) struct NotParsed;

/// The parser descends as deeply as a file nests; `largest` is the size of the largest file in bytes. The system gives memory to a stack only as
/// it is used.
fn on_own_stack<T: Send>(
    largest: usize,
    read: impl FnOnce() -> T + Send,
) -> std::io::Result<std::thread::Result<T>> {
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new()
            .name("oacp-javascript".to_owned())
            .stack_size(STACK_BYTES + largest.min(PARSED_BYTES_MAX) * STACK_BYTES_PER_BYTE)
            .spawn_scoped(scope, read)?;
        Ok(reader.join())
    })
}

/// A file may be wrong in many places, and name what it has at any length.
fn bounded(mut error: DescribeError) -> DescribeError {
    error.remarks.truncate(REMARKS_MAX);
    for remark in &mut error.remarks {
        for text in std::iter::once(&mut remark.message).chain(&mut remark.fix) {
            if text.len() > REMARK_TEXT_BYTES_MAX {
                text.truncate(text.floor_char_boundary(REMARK_TEXT_BYTES_MAX));
            }
        }
    }
    error
}
