//! A registered agent, by its name in the place of a file.

use std::path::Path;
use std::sync::Arc;

use oacp::agent::AgentName;
use oacp::blob::Blob;
use oacp::source::Source;
use oacp_gateway::{Agent, RegisteredAgent};
use oacp_sandbox::{Engine, Language, Languages};
use oacp_tool::agents::{AgentFiles, AgentRecord, Agents};
use oacp_tool::store::Program;

use super::{Given, with_language};
use crate::console::Console;
use crate::failure::{Failure, Judge};
use crate::home::Home;
use crate::runtime;

/// A registered agent with its code.
pub(crate) struct Registered {
    pub(crate) record: AgentRecord,
    code: AgentFiles,
}

/// The registered agents of this machine.
pub(crate) fn store(home: &Home) -> Agents {
    Agents::open(&home.agents())
}

/// The agent that a path names, if it is a registered one's name. Not found among the registered ones: `None`, for it may be a file.
///
/// # Errors
///
/// Usage: there is another file of that name, too; or what was registered has changed since.
pub(crate) fn find(path: &Path, home: &Home) -> Result<Option<Registered>, Failure> {
    let Some(name) = path
        .to_str()
        .and_then(|text| text.parse::<AgentName>().ok())
    else {
        return Ok(None);
    };
    let Some((record, code)) = store(home).load(&name)? else {
        return Ok(None);
    };
    if path.exists() && !is_its_directory(path, &record) {
        return Err(Failure::usage(format!(
            "`{name}` is a registered agent, and a file of this directory"
        ))
        .hint(format!(
            "./{name} means the file; for the agent, be in another directory"
        )));
    }
    if is_changed(&record) {
        return Err(Failure::usage(format!(
            "agent `{name}` is not what was registered: its directory has changed"
        ))
        .hint(format!(
            "`oacp agent accept {name}` shows the difference; with --yes it is accepted"
        )));
    }
    Ok(Some(Registered { record, code }))
}

/// Whether a path is the directory that was registered: there its name means the agent.
fn is_its_directory(path: &Path, record: &AgentRecord) -> bool {
    let directory = Path::new(&record.manifest).parent();
    let same = |a: &Path, b: &Path| Some(a.canonicalize().ok()? == b.canonicalize().ok()?);
    directory.and_then(|directory| same(path, directory)) == Some(true)
}

/// Whether the directory that was registered is there and says something else now. What is gone changes nothing: the store has what was
/// pinned.
fn is_changed(record: &AgentRecord) -> bool {
    let manifest = Path::new(&record.manifest);
    let dir = manifest.parent().filter(|_| manifest.exists());
    let found = dir.and_then(super::digest);
    found.is_some_and(|found| record.origin.is_some_and(|pinned| pinned != found))
}

impl Registered {
    /// What runs as the agent.
    pub(crate) fn given(&self) -> Result<Given, Failure> {
        match self.code.agent(&self.record.definition) {
            Some(Program::Source(source)) => with_language(source),
            Some(Program::Component(wasm)) => Ok(Given::Component(Blob::of(wasm))),
            None => Err(Failure::unable("its code is not what was registered")),
        }
    }

    /// What a run of it is held to, its checks loaded.
    pub(crate) fn held(
        &self,
        engine: &Engine,
        languages: &Languages,
        console: &Console,
    ) -> Result<Arc<RegisteredAgent>, Failure> {
        let definition = &self.record.definition;
        let checks = self.code.checks(definition).unwrap_or_default();
        let load = |source: Source| -> Result<Agent, Failure> {
            runtime::load(with_language(source)?, engine, languages, console)
        };
        let checks = checks.into_iter().map(load).collect::<Result<_, _>>()?;
        let held = RegisteredAgent::new(definition.clone(), checks);
        Ok(Arc::new(held.or_usage()?))
    }
}

/// The entry's language, for messages.
pub(crate) fn kind(record: &AgentRecord) -> &'static str {
    let entry = record.definition.code.entry();
    let extension = entry.and_then(|entry| entry.as_str().rsplit_once('.'));
    match extension.and_then(|(_, extension)| Language::of_extension(extension)) {
        Some(language) => language.name(),
        None => "component",
    }
}
