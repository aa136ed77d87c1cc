//! A Python file's tools, as it says them itself: what to run for it, and how far to believe the answer.
//!
//! Types of Python are values of a running program, so a file is described by running it, in the sandbox, without any right:
//! [`question`] gives what to run, and [`answer`] reads what came out. Nothing runs here.
//!
//! The attack is a file that answers for the describer. Its top level runs in the interpreter that describes it, so it can replace any part
//! of that and say what it likes: names, descriptions, schemas, stubs. So the answer is read as a stranger's: every shape exact, every text
//! bounded, every schema admitted, every stub at its own name, where no file of the package lies. What is left to a file is to lie about
//! itself. That gives it no right and no place: what it says is shown before it is agreed to, and pinned; the stub runs in the same
//! sandbox as the file, with the same grant; and arguments and results are judged by what it said.

use std::collections::BTreeSet;

use oacp::json::from_slice;
use oacp::source::{Source, SourceError, SourcePath};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::limits::{ANSWER, REMARK_TEXT_BYTES_MAX, REMARKS_MAX, TOOLS_MAX};
use crate::package::{DescribeError, Described, Offer, Remark};
use crate::schema::Schema;

/// The program that describes a file: imports it, and looks at its functions' types.
const DESCRIBER: &str = include_str!("describe.py");

/// Where it lies beside the file.
const DESCRIBER_PATH: &str = "oacp_describe.py";

/// What to run, without any right, to have `files` describe themselves: a source, and its input as JSON. The output is for [`answer`].
///
/// # Errors
/// A file where the describer has to lie; too many or too large ones.
pub fn question(files: &Source) -> Result<(Source, String), SourceError> {
    let entry = path(DESCRIBER_PATH).unwrap_or_else(|| files.entry().clone());
    let describer = (entry.clone(), DESCRIBER.as_bytes().to_vec());
    let source = Source::new(contents(files).chain([describer]), entry)?;
    Ok((source, json!({ "entry": files.entry() }).to_string()))
}

/// What `files` offer, by the output of [`question`]'s run.
///
/// # Errors
/// Everything that the file has wrong; or that the answer is none, which a file can bring about that interferes with its description.
pub fn answer(files: &Source, output: &[u8]) -> Result<Described, DescribeError> {
    let whole = |message: String| Remark {
        file: files.entry().clone(),
        line: None,
        function: None,
        message,
        fix: None,
    };
    let answer: Answer = from_slice(output, ANSWER).map_err(|error| {
        whole(format!(
            "it was not described: the answer is not one of the describer's: {}",
            bounded(error.to_string())
        ))
    })?;
    let errors = remarks(files, answer.errors);
    if !errors.is_empty() {
        return Err(DescribeError { remarks: errors });
    }
    if answer.tools.is_empty() || answer.tools.len() > TOOLS_MAX {
        let count = answer.tools.len();
        return Err(whole(format!(
            "it offers {count} tools; expected 1 to {TOOLS_MAX}"
        ))
        .into());
    }
    let mut offers = Vec::new();
    let mut added = Vec::new();
    let mut errors = Vec::new();
    let mut names = BTreeSet::new();
    for tool in answer.tools {
        let name = tool.name.clone();
        match offer(files, tool) {
            Ok((offer, stub)) if names.insert(name) => {
                added.push((offer.entry.clone(), stub.into_bytes()));
                offers.push(offer);
            }
            Ok((offer, _)) => errors.push(Remark {
                function: Some(offer.function),
                ..whole("it is offered twice".to_owned())
            }),
            Err(remark) => errors.push(remark),
        }
    }
    if !errors.is_empty() {
        return Err(DescribeError { remarks: errors });
    }
    offers.sort_by(|a, b| a.function.cmp(&b.function));
    let entry = offers
        .first()
        .map_or_else(|| files.entry().clone(), |offer| offer.entry.clone());
    let source = Source::new(contents(files).chain(added), entry)
        .map_err(|error| whole(error.to_string()))?;
    Ok(Described {
        offers,
        source,
        warnings: remarks(files, answer.warnings),
    })
}

/// What the describer prints. That it did is not known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    tools: Vec<Tool>,
    errors: Vec<Said>,
    warnings: Vec<Said>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tool {
    name: String,
    description: String,
    input_schema: Value,
    output_schema: Option<Value>,
    stub: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    line: Option<u32>,
    function: Option<String>,
    message: String,
    fix: Option<String>,
}

/// One function, and the text of its stub.
fn offer(files: &Source, tool: Tool) -> Result<(Offer, String), Remark> {
    let refused = |message: String, fix: Option<&str>| Remark {
        file: files.entry().clone(),
        line: None,
        function: Some(bounded(tool.name.clone())),
        message,
        fix: fix.map(str::to_owned),
    };
    if !is_function_name(&tool.name) {
        let message = "it cannot be a tool's name: expected ASCII letters, digits and `_`";
        return Err(refused(message.to_owned(), Some("rename the function")));
    }
    let stub = format!("oacp_tool_{}.py", tool.name);
    let entry = path(&stub).ok_or_else(|| {
        let message = "its name is too long for a file";
        refused(message.to_owned(), Some("rename the function"))
    })?;
    if files.files().any(|(path, _)| *path == entry) {
        let message = format!("`{stub}` is there already, where its stub has to lie");
        return Err(refused(message, Some("rename that file")));
    }
    Schema::admit_input(&tool.input_schema)
        .map_err(|error| refused(format!("parameters: {error}"), None))?;
    if let Some(schema) = &tool.output_schema {
        Schema::admit(schema).map_err(|error| refused(format!("result: {error}"), None))?;
    }
    let offer = Offer {
        function: tool.name,
        description: tool.description,
        input_schema: tool.input_schema,
        output_schema: tool.output_schema,
        entry,
    };
    Ok((offer, tool.stub))
}

/// Whether it is a name of Python's, in ASCII, that leaves room for a package's before it.
fn is_function_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn remarks(files: &Source, said: Vec<Said>) -> Vec<Remark> {
    said.into_iter()
        .take(REMARKS_MAX)
        .map(|said| Remark {
            file: files.entry().clone(),
            line: said.line,
            function: said.function.map(bounded),
            message: bounded(said.message),
            fix: said.fix.map(bounded),
        })
        .collect()
}

/// A guest's text: cut where it is long, without control characters but the ends of lines.
fn bounded(text: String) -> String {
    let clean = |c: char| {
        if c.is_control() && c != '\n' {
            '\u{fffd}'
        } else {
            c
        }
    };
    let mut kept = String::new();
    for c in text.chars().map(clean) {
        if kept.len() + c.len_utf8() > REMARK_TEXT_BYTES_MAX {
            kept.push('…');
            break;
        }
        kept.push(c);
    }
    kept
}

fn path(text: &str) -> Option<SourcePath> {
    text.parse().ok()
}

fn contents(files: &Source) -> impl Iterator<Item = (SourcePath, Vec<u8>)> + '_ {
    files
        .files()
        .map(|(path, content)| (path.clone(), content.to_vec()))
}
