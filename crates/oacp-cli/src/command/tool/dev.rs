//! `oacp tool dev`: describes and tries a tool again whenever its files change.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Args;
use oacp_tool::needs::Works;

use super::test::{self, Subject};
use super::trial::Trial;
use crate::agent::left_out;
use crate::command::run::log_to;
use crate::console::{Console, DIM, GREEN, RED, YELLOW};
use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::tool::{Candidate, Workbench, example, line};
use crate::{accepted, runtime};

/// How often the files are looked at.
const PAUSE: Duration = Duration::from_millis(300);

/// Files that are watched. Attack, or mistake: a directory that holds a disk.
const FILES_MAX: usize = 10_000;

#[derive(Args)]
pub(crate) struct Dev {
    #[command(flatten)]
    subject: Subject,
}

pub(super) fn dev(dev: &Dev, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let subject = &dev.subject;
    if console.json {
        return Err(Failure::usage("this is for people: it has no JSON")
            .hint("`oacp tool test --json` tells the same of one moment"));
    }
    let path = Path::new(&subject.subject);
    if !path.exists() {
        return Err(Failure::usage(format!(
            "there is no file or directory `{}`",
            path.display()
        )));
    }
    let bench = Workbench::new(home)?;
    let mut interrupted = Box::pin(runtime::interrupted_cancelling(bench.cancel.clone())?);
    let mut seen = None;
    loop {
        // Before it is read: what changes meanwhile has changed the next time.
        let state = Some(state_of(path));
        if state != seen {
            seen = state;
            if let Err(failure) = round(subject, &bench, home, console) {
                failure.report(console);
            }
            console.print(&format!(
                "{DIM}waiting for a change of {}{DIM:#}",
                visible(&subject.subject)
            ))?;
        }
        let pause = async { tokio::time::timeout(PAUSE, &mut interrupted).await };
        if bench.executor.block_on(pause).is_ok() {
            return Ok(Exit::Yes);
        }
    }
}

/// Describes what is there now and makes the calls of its examples.
fn round(
    subject: &Subject,
    bench: &Workbench,
    home: &Home,
    console: &Console,
) -> Result<(), Failure> {
    let path = Path::new(&subject.subject);
    let secrets = accepted::discovered(home, console)?.secrets;
    let candidate = Candidate::at(subject.look(&secrets)?, bench, console)
        .map_err(|refused| refused.told(console))?;
    test::tell_asked(&candidate, console);
    let package = &candidate.package;
    let names: Vec<_> = package
        .definitions
        .iter()
        .map(|tool| tool.name.as_str())
        .collect();
    console.print(&format!("{GREEN}✓{GREEN:#} schema    {}", names.join(", ")))?;
    for need in candidate.needs.impossible() {
        if let Works::No { instead } = &need.works {
            console.print(&format!(
                "{RED}✗{RED:#} {} cannot work ({}): {}",
                visible(&need.what),
                visible(&need.why()),
                visible(instead)
            ))?;
        }
    }
    for warning in &candidate.warnings {
        console.print(&format!("{YELLOW}note{YELLOW:#}: {}", line(warning)))?;
    }
    let examples = example::read(&example::file_of(path), package)?;
    let trial = Trial::new(
        &candidate,
        bench,
        Some(Arc::new(log_to(*console))),
        home,
        console,
    )?;
    let failed = test::all(&trial, &examples, |tried| {
        Ok(console.print(&test::line(&tried))?)
    })?;
    console.print(&test::summary(examples.len(), failed))?;
    Ok(())
}

/// What tells that something changed: sizes and times of the files, and which there are.
#[derive(PartialEq, Eq)]
struct State(BTreeMap<PathBuf, (u64, Option<SystemTime>)>);

fn state_of(path: &Path) -> State {
    let mut state = State(BTreeMap::new());
    state.add(path);
    state.add(&example::file_of(path));
    state
}

impl State {
    fn add(&mut self, path: &Path) {
        // What cannot be read is told of when it is needed.
        let Ok(metadata) = fs::symlink_metadata(path) else {
            return;
        };
        if !metadata.is_dir() {
            let modified = metadata.modified().ok();
            self.0.insert(path.to_owned(), (metadata.len(), modified));
            return;
        }
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        for entry in entries {
            let is_full = self.0.len() >= FILES_MAX;
            if !is_full && !left_out(&entry.file_name().to_string_lossy()) {
                self.add(&entry.path());
            }
        }
    }
}
