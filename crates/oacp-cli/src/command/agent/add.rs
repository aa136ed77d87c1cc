//! `oacp agent add` and `oacp agent check`: what an agent.yaml says, what its source shows, and what is in the way.

use std::collections::BTreeSet;
use std::path::Path;

use oacp::agent::AgentName;
use oacp::blob::Blob;
use oacp_tool::agents::AgentRecord;
use oacp_tool::needs::{Needs, Works};
use oacp_tool::store::Program;
use serde_json::json;

use super::object;
use crate::accepted;
use crate::agent::{Declared, declare, store};
use crate::console::{Console, DIM, GREEN, RED, YELLOW};
use crate::escape::visible;
use crate::failure::{Exit, Failure, Judge};
use crate::home::Home;
use crate::tool::Permissions;
use crate::{measure, rights, runtime};

pub(super) fn add(path: &Path, yes: bool, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let declared = read(path, home, console)?;
    let name = declared.record.definition.name.clone();
    let objections = tell(&declared, home, console)?;
    if !objections.is_empty() {
        let count = measure::plural(objections.len() as u64, "reason");
        return Err(Failure::usage(format!(
            "it would never be run, so it is not registered, for {count}"
        )));
    }
    if !yes && !declared.record.capabilities.is_empty() {
        console.note("nothing was registered; say --yes to register it with these rights");
        return Ok(Exit::No);
    }
    let added = store(home).add(declared.record, &declared.code);
    let added = added.or_usage().map_err(|failure| {
        failure.hint(format!(
            "`oacp agent accept {name}` takes what has changed, `oacp agent remove {name}` makes room"
        ))
    })?;
    tick(
        console,
        "registered",
        &added.definition.digest().to_string(),
    );
    if console.json {
        console.print_json(&object(&added))?;
    } else {
        let digest = added.definition.digest();
        console.print(&format!("{name}  {DIM}{digest}{DIM:#}"))?;
    }
    let program = crate::started::name();
    console.note(&format!("next: {program} run {name} --input JSON"));
    Ok(Exit::Yes)
}

pub(super) fn check(path: &Path, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let name = path
        .to_str()
        .and_then(|text| text.parse::<AgentName>().ok());
    let registered = match name.filter(|_| !path.exists()) {
        Some(name) => Some(super::registered(&name, home)?),
        None => None,
    };
    let manifest = registered
        .as_ref()
        .map(|record| Path::new(&record.manifest));
    let declared = read(manifest.unwrap_or(path), home, console)?;
    let objections = tell(&declared, home, console)?;
    let definition = &declared.record.definition;
    let here = &declared.record.manifest;
    let registered = match registered {
        None => store(home)
            .get(&definition.name)?
            .filter(|record| record.manifest == *here),
        registered => registered,
    };
    let changed = registered.is_some_and(|record| record.definition != *definition);
    if changed {
        console.note(&format!(
            "  {YELLOW}note{YELLOW:#}: it is not what is registered; `oacp agent accept {}` shows the difference",
            definition.name
        ));
    }
    let accepted = objections.is_empty() && !changed;
    if console.json {
        console.print_json(&json!({
            "name": definition.name,
            "digest": definition.digest(),
            "accepted": accepted,
            "changed": changed,
            "objections": objections,
            "permissions": permissions(&declared.record, &declared.needs),
        }))?;
    } else {
        console.print(match accepted {
            true => "nothing is in its way",
            false => "it would not be run",
        })?;
    }
    Ok(if accepted { Exit::Yes } else { Exit::No })
}

pub(super) fn read(path: &Path, home: &Home, console: &Console) -> Result<Declared, Failure> {
    let options = accepted::discovered(home, console)?;
    declare(path, &options.secrets, home)
}

/// Tells what it is and what is in its way. Gives the reasons for which it would never be run.
pub(super) fn tell(
    declared: &Declared,
    home: &Home,
    console: &Console,
) -> Result<Vec<String>, Failure> {
    let Declared {
        record,
        code,
        needs,
    } = declared;
    let definition = &record.definition;
    let schemas = [
        ("input", &definition.input_schema),
        ("output", &definition.output_schema),
    ];
    let said: Vec<_> = schemas
        .iter()
        .filter(|(_, schema)| schema.is_some())
        .map(|(of, _)| *of)
        .collect();
    tick(console, "schema", &or_none(said.join(", ")));
    let lines = rights::lines(&record.capabilities);
    tick(
        console,
        "rights",
        &or_none(visible(&lines.join(", ")).into_owned()),
    );
    // What cannot work is among the objections.
    for line in permissions(record, &possible(needs)).lines() {
        console.note(&line);
    }
    let checks: Vec<_> = definition
        .checks
        .iter()
        .map(|check| check.name.as_str())
        .collect();
    tick(console, "checks", &or_none(checks.join(", ")));
    let tools: BTreeSet<&str> = definition.tools.keys().map(AsRef::as_ref).collect();
    let objections = needs.objections(&tools);
    for objection in &objections {
        console.say(&format!("{RED}refused{RED:#}: {}", visible(objection)));
    }
    // A component says what it needs when it is compiled.
    if let Some(Program::Component(wasm)) = code.agent(definition) {
        let engine = runtime::engine(home)?;
        let given = crate::agent::Given::Component(Blob::of(wasm));
        runtime::load(given, &engine, &runtime::languages(home), console)?;
    }
    if objections.is_empty() {
        let what = format!(
            "{}, {}",
            crate::agent::kind(record),
            definition.code.sha256()
        );
        tick(console, "code", &what);
    }
    Ok(objections)
}

/// What the source shows beside what is asked for: an aid, for the sandbox decides.
fn permissions<'a>(record: &AgentRecord, needs: &'a Needs) -> Permissions<'a> {
    let base = &record.working_directory;
    let asked = &record.capabilities;
    Permissions::of(needs, Some(asked), asked, base)
}

/// Those that can work.
fn possible(needs: &Needs) -> Needs {
    let list = needs.list.iter();
    let list = list.filter(|need| need.works == Works::Yes).cloned();
    Needs {
        list: list.collect(),
    }
}

fn or_none(text: String) -> String {
    match text.is_empty() {
        true => "none".to_owned(),
        false => text,
    }
}

pub(super) fn tick(console: &Console, what: &str, text: &str) {
    console.note(&format!("{GREEN}✓{GREEN:#} {what:<10} {text}"));
}
