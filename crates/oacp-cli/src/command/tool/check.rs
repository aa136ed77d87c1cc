//! `oacp tool check`: what whoever writes a tool wants to know before anybody registers it.

mod determinism;
mod report;

use clap::Args;
use oacp::capability::GuestPath;
use oacp::tool::Definition;
use oacp_tool::needs::Works;
use oacp_tool::package::Remark;
use oacp_tool::store::Kind;

use self::determinism::Determinism;
use self::report::{Finding, Report, Timing};
use super::test::{Subject, tell_asked, tried};
use super::trial::{Start, Trial};
use crate::accepted;
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::tool::example;
use crate::tool::{Candidate, Permissions, Refused, Workbench};

#[derive(Args)]
pub(crate) struct Check {
    #[command(flatten)]
    subject: Subject,
}

pub(super) fn check(arguments: &Check, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let subject = &arguments.subject;
    let bench = Workbench::new(home)?;
    let secrets = accepted::discovered(home, console)?.secrets;
    let found = Candidate::find(subject.look(&secrets)?, &bench, console);
    let mut report = Report::default();
    match found {
        Ok(candidate) => {
            tell_asked(&candidate, console);
            report.read_off(&candidate)?;
            try_out(&candidate, &bench, &mut report, home, console)?;
        }
        Err(Refused::Remarks(remarks)) => report.problems.extend(remarks.iter().map(finding)),
        // Whatever else a package is refused for is a problem of it, where it is there at all.
        Err(Refused::Other(failure))
            if std::path::Path::new(&subject.subject).exists() && failure.is_usage() =>
        {
            report.problems.push(Finding {
                what: failure.message(),
                fix: failure.hinted().map(str::to_owned),
            });
        }
        Err(Refused::Other(failure)) => return Err(failure),
    }
    if console.json {
        console.print_json(&report)?;
    } else {
        console.print(&report.text())?;
    }
    Ok(match report.is_well() {
        true => Exit::Yes,
        false => Exit::No,
    })
}

impl Report {
    /// What can be said without running anything.
    fn read_off(&mut self, candidate: &Candidate) -> Result<(), Failure> {
        let package = &candidate.package;
        self.package = Some(package.name.clone());
        self.tools = package
            .definitions
            .iter()
            .map(|tool| tool.name.clone())
            .collect();
        let directory = package.working_directory.clone();
        let directory = directory.unwrap_or_else(GuestPath::root);
        let (needs, asked) = (&candidate.needs, candidate.asked.as_ref());
        let permissions = Permissions::of(needs, asked, &package.capabilities, &directory);
        self.permissions = Some(serde_json::to_value(&permissions)?);
        self.rights = permissions.rights();
        for need in candidate.needs.impossible() {
            let Works::No { instead } = &need.works else {
                continue;
            };
            self.problems.push(Finding {
                what: format!("{} cannot work ({})", need.what, need.why()),
                fix: Some(instead.clone()),
            });
        }
        self.notes.extend(candidate.warnings.iter().map(finding));
        if package.kind == Kind::Component {
            self.notes
                .extend(package.definitions.iter().flat_map(wanting));
        }
        self.code_bytes = Some(candidate.code_bytes());
        Ok(())
    }
}

fn finding(remark: &Remark) -> Finding {
    Finding {
        what: remark.to_string(),
        fix: remark.fix.clone(),
    }
}

/// What a caller would like to be told of a component's function, and is not. Of a source it is remarked on already.
fn wanting(definition: &Definition) -> impl Iterator<Item = Finding> {
    let name = &definition.name;
    let undescribed = definition.description.trim().is_empty();
    let untyped = definition.output_schema.is_none();
    let undescribed =
        undescribed.then(|| format!("{name} has no description: agents choose tools by it"));
    let untyped =
        untyped.then(|| format!("{name} does not say what it gives: its results are not judged"));
    undescribed.into_iter().chain(untyped).map(Finding::from)
}

/// Runs the examples: once for what comes out, and again for whether it always does.
fn try_out(
    candidate: &Candidate,
    bench: &Workbench,
    report: &mut Report,
    home: &Home,
    console: &Console,
) -> Result<(), Failure> {
    let file = example::file_of(&candidate.path);
    let examples = example::read(&file, &candidate.package)?;
    if examples.is_empty() {
        let note = format!(
            "nothing was run, for there is no example in `{}`",
            file.display()
        );
        report.notes.push(Finding::from(note));
        return Ok(());
    }
    report.timing = Timing::measure(candidate, &examples, home, console)?;
    let trial = Trial::new(candidate, bench, None, home, console)?;
    // What runs again shares nothing with what ran.
    let apart = Workbench::new(home)?;
    for (example, definition) in &examples {
        let answer = trial.call(definition, &example.arguments, Start::default())?;
        let tried = tried(example, definition, &answer.answer);
        let determinism = match &answer.execution {
            Some(execution) => Some(Determinism::of(
                &trial,
                (example, definition),
                execution,
                &apart,
            )?),
            None => None,
        };
        report.examples.push(report::Checked { tried, determinism });
    }
    Ok(())
}
