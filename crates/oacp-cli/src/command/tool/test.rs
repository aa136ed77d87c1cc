//! `oacp tool test`: the examples that travel with a tool.

use std::sync::Arc;

use clap::Args;
use oacp::capability::Capabilities;
use oacp::id::ToolName;
use oacp::source::SourcePath;
use oacp::tool::Definition;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::trial::{Start, Trial};
use crate::command::run::{grant, log_to};
use crate::config::{self, Definitions};
use crate::console::{Console, GREEN, RED};
use crate::escape::{visible, visible_lines};
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::measure;
use crate::tool::example::{self, Example};
use crate::tool::{Candidate, Look, Workbench};
use crate::{accepted, rights};

/// The bytes of arguments that a line shows.
const SHOWN_BYTES: usize = 80;

/// What is tried.
#[derive(Args)]
pub(super) struct Subject {
    /// A file or directory of tools, or else the name of a registered package or tool
    #[arg(value_name = "PATH|NAME")]
    pub(super) subject: String,
    /// Where a directory's tools are [default: tool.py, tool.js, tool.mjs or tool.ts at its top]
    #[arg(long, value_name = "PATH")]
    pub(super) entry: Option<SourcePath>,
    #[command(flatten)]
    rights: grant::Flags,
    /// Grant what its tool.yaml asks for
    #[arg(long, short)]
    yes: bool,
}

impl Subject {
    /// What to look at, and what it is granted meanwhile.
    pub(super) fn look<'a>(&'a self, secrets: &'a Definitions) -> Result<Look<'a>, Failure> {
        let directory = config::guest_path(&std::env::current_dir()?)?;
        Ok(Look {
            named: &self.subject,
            entry: self.entry.as_ref(),
            rights: self.rights.read(&directory, secrets)?,
            is_agreed: self.yes,
            secrets,
        })
    }
}

/// Says what a manifest asks for and is not given.
pub(super) fn tell_asked(candidate: &Candidate, console: &Console) {
    let granted = &candidate.package.capabilities;
    let lacks = |asked: &&Capabilities| granted.union(asked) != *granted;
    if let Some(asked) = candidate.asked.as_ref().filter(lacks) {
        console.note(&format!(
            "note: its tool.yaml asks for {}; --yes grants it",
            visible(&rights::lines(asked).join(", "))
        ));
    }
}

#[derive(Args)]
pub(crate) struct Test {
    #[command(flatten)]
    subject: Subject,
}

/// An example that was tried.
#[derive(Serialize)]
pub(super) struct Tried {
    pub(super) tool: ToolName,
    pub(super) arguments: Map<String, Value>,
    pub(super) passed: bool,
    /// What was expected and what came. `None`: it passed.
    pub(super) why: Option<String>,
}

pub(super) fn test(arguments: &Test, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let bench = Workbench::new(home)?;
    let secrets = accepted::discovered(home, console)?.secrets;
    let look = arguments.subject.look(&secrets)?;
    let candidate =
        Candidate::find(look, &bench, console).map_err(|refused| refused.told(console))?;
    tell_asked(&candidate, console);
    let file = example::file_of(&candidate.path);
    let examples = example::read(&file, &candidate.package)?;
    if examples.is_empty() {
        return Err(
            Failure::usage(format!("there is no example in `{}`", file.display()))
                .hint("write one: [{\"arguments\": {…}, \"result\": …}]"),
        );
    }
    let observer = Arc::new(log_to(*console));
    let trial = Trial::new(&candidate, &bench, Some(observer), home, console)?;
    let mut seen = Vec::new();
    let failed = all(&trial, &examples, |tried| {
        if !console.json {
            console.print(&line(&tried))?;
        }
        seen.push(tried);
        Ok(())
    })?;
    if console.json {
        console.print_json(
            &json!({ "package": candidate.package.name, "examples": seen, "failed": failed }),
        )?;
    } else {
        console.note(&summary(seen.len(), failed));
    }
    Ok(match failed {
        0 => Exit::Yes,
        _ => Exit::No,
    })
}

/// Tries all of them, and tells each. How many failed.
pub(super) fn all(
    trial: &Trial<'_>,
    examples: &[(Example, &Definition)],
    mut tell: impl FnMut(Tried) -> Result<(), Failure>,
) -> Result<usize, Failure> {
    let mut failed = 0;
    for (example, definition) in examples {
        let answer = trial.call(definition, &example.arguments, Start::default())?;
        let tried = tried(example, definition, &answer.answer);
        failed += usize::from(!tried.passed);
        tell(tried)?;
    }
    Ok(failed)
}

/// What an answer comes to.
pub(super) fn tried(
    example: &Example,
    definition: &Definition,
    answer: &Result<Value, String>,
) -> Tried {
    let why = example.mismatch(answer);
    Tried {
        tool: definition.name.clone(),
        arguments: example.arguments.clone(),
        passed: why.is_none(),
        why,
    }
}

/// An example for a person.
pub(super) fn line(tried: &Tried) -> String {
    let called = called(tried);
    match &tried.why {
        None => format!("{GREEN}✓{GREEN:#} {called}"),
        Some(why) => format!("{RED}✗{RED:#} {called}\n{}", visible_lines(why, "    ")),
    }
}

/// The call, in short.
pub(super) fn called(tried: &Tried) -> String {
    let mut arguments = Value::Object(tried.arguments.clone()).to_string();
    if arguments.len() > SHOWN_BYTES {
        arguments.truncate(arguments.floor_char_boundary(SHOWN_BYTES));
        arguments.push('…');
    }
    format!("{} {}", tried.tool, visible(&arguments))
}

pub(super) fn summary(count: usize, failed: usize) -> String {
    let count = measure::plural(count as u64, "example");
    match failed {
        0 => format!("{GREEN}{count} passed{GREEN:#}"),
        failed => format!("{RED}{failed} of {count} failed{RED:#}"),
    }
}
