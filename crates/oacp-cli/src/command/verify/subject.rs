//! What is to be verified: a bundle, an export of a log, or an execution that is looked up.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use oacp::bundle::Bundle;
use oacp::export::EXPORT_V1;
use oacp::id::ExecutionId;
use oacp::limits::{BUNDLE, EXPORT_LINE};
use serde::Deserialize;

use super::Arguments;
use crate::bundle_file;
use crate::failure::{Failure, Judge};
use crate::file;
use crate::home::Home;
use crate::registry::{Directory, Which, look_up};
use crate::runtime;

pub(super) enum Subject {
    Bundle(Box<Bundle>),
    /// Its lines.
    Export(Box<dyn BufRead>),
}

pub(super) fn find(arguments: &Arguments, home: &Home) -> Result<Subject, Failure> {
    let path = &arguments.subject;
    let is_file = path == Path::new("-") || path.exists();
    let id: Option<ExecutionId> = path.to_str().and_then(|text| text.parse().ok());
    let bundle = match (&arguments.registry, id) {
        (Some(registry), Some(id)) => looked_up(&Which::named(registry), arguments, id, home)?,
        (Some(_), None) => {
            return Err(Failure::usage(format!(
                "`{}` is not an execution's id, and nothing else is looked up in a registry",
                path.display()
            ))
            .hint("to verify a file, leave --registry out"));
        }
        (None, Some(id)) if !is_file => {
            let run = home.runs().join(format!("{id}.json"));
            if run.exists() {
                bundle_file::read(&run)?
            } else if Directory::new(home.log()).exists() {
                looked_up(&Which::default(), arguments, id, home)?
            } else {
                return Err(Failure::unable(format!("no run `{id}`"))
                    .hint("name its bundle, or the registry that has it with --registry"));
            }
        }
        _ => return read(path),
    };
    Ok(Subject::Bundle(Box::new(bundle)))
}

/// The execution that is looked up: whoever has it may answer with another.
pub(super) fn execution(arguments: &Arguments) -> Option<ExecutionId> {
    let path = &arguments.subject;
    path.to_str()
        .and_then(|text| text.parse().ok())
        .filter(|_| arguments.registry.is_some() || !path.exists())
}

fn looked_up(
    which: &Which,
    arguments: &Arguments,
    id: ExecutionId,
    home: &Home,
) -> Result<Bundle, Failure> {
    let reached = which.reach(arguments.read_token.as_deref(), home)?;
    runtime::executor()?.block_on(look_up(&reached, id))
}

/// A bundle is one JSON text, an export is lines of them: the first line tells.
fn read(path: &Path) -> Result<Subject, Failure> {
    let context = || match path == Path::new("-") {
        true => "cannot read standard input".to_owned(),
        false => format!("cannot read `{}`", path.display()),
    };
    let mut reader: Box<dyn BufRead> = match path == Path::new("-") {
        true => Box::new(io::stdin().lock()),
        false => {
            let file = File::open(path).or_context(context)?;
            if file.metadata()?.is_dir() {
                return Err(io::Error::from(io::ErrorKind::IsADirectory)).or_context(context);
            }
            Box::new(BufReader::new(file))
        }
    };
    let mut first = Vec::new();
    reader
        .by_ref()
        .take(EXPORT_LINE.bytes_max as u64)
        .read_until(b'\n', &mut first)
        .or_context(context)?;
    let is_export = is_export(&first);
    let whole = Cursor::new(first).chain(reader);
    if is_export {
        return Ok(Subject::Export(Box::new(whole)));
    }
    let bytes = file::read_all(whole, BUNDLE.bytes_max).or_context(context)?;
    Ok(Subject::Bundle(Box::new(bundle_file::parse(&bytes)?)))
}

/// Whether this is the first line of an export, of this version or another.
fn is_export(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Header {
        #[serde(rename = "type")]
        kind: String,
    }
    let kind = EXPORT_V1.trim_end_matches(|c: char| c.is_ascii_digit());
    line.ends_with(b"\n")
        && serde_json::from_slice::<Header>(line).is_ok_and(|header| header.kind.starts_with(kind))
}
