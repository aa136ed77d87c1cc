//! `oacp agent accept`: the difference between what is pinned and what is there, and taking it.

use std::fmt::Display;
use std::path::Path;

use oacp::agent::AgentName;
use oacp_tool::agents::AgentRecord;
use oacp_tool::store::edits;
use serde_json::json;

use super::add::{read, tell, tick};
use crate::agent::store;
use crate::console::Console;
use crate::escape::visible;
use crate::failure::{Exit, Failure, Judge};
use crate::home::Home;
use crate::rights;

pub(super) fn accept(
    name: &AgentName,
    yes: bool,
    home: &Home,
    console: &Console,
) -> Result<Exit, Failure> {
    let old = super::registered(name, home)?;
    let declared = read(Path::new(&old.manifest), home, console)?;
    let new = &declared.record;
    if new.definition.name != *name {
        return Err(Failure::usage(format!(
            "`{}` is of the agent `{}` now",
            old.manifest, new.definition.name
        ))
        .hint("`oacp agent add` registers that one"));
    }
    let lines = difference(&old, new);
    let objections = tell(&declared, home, console)?;
    let is_same = lines.is_empty() && old.origin == new.origin;
    let accepted = yes && !is_same && objections.is_empty();
    if accepted {
        store(home)
            .replace(declared.record, &declared.code)
            .or_usage()?;
    }
    if console.json {
        console.print_json(&json!({
            "agent": name,
            "changed": !is_same,
            "difference": lines,
            "objections": objections,
            "accepted": accepted,
        }))?;
    } else if lines.is_empty() {
        console.print("nothing of its definition and rights has changed")?;
    } else {
        console.print(&lines.join("\n"))?;
    }
    if is_same {
        return Ok(Exit::Yes);
    }
    if !accepted {
        console.note(match objections.is_empty() {
            true => "nothing was accepted; say --yes to accept it",
            false => "nothing was accepted: it would not be run",
        });
        return Ok(Exit::No);
    }
    let digest = super::registered(name, home)?.definition.digest();
    tick(console, "accepted", &digest.to_string());
    Ok(Exit::Yes)
}

/// The difference, a line each.
fn difference(old: &AgentRecord, new: &AgentRecord) -> Vec<String> {
    let mut lines = Vec::new();
    let mut both = |what: &str, before: &dyn Display, after: &dyn Display| {
        let (before, after) = (before.to_string(), after.to_string());
        if before != after {
            lines.push(format!("- {what}: {}", visible(&before)));
            lines.push(format!("+ {what}: {}", visible(&after)));
        }
    };
    let (was, is) = (&old.definition, &new.definition);
    let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "not said".to_owned());
    both("version", &said(&was.version), &said(&is.version));
    both("description", &was.description, &is.description);
    for (what, before, after) in [
        ("takes", &was.input_schema, &is.input_schema),
        ("gives", &was.output_schema, &is.output_schema),
    ] {
        for edit in edits(before.as_ref(), after.as_ref()) {
            let shown = |value: &Option<serde_json::Value>| match value {
                Some(value) => value.to_string(),
                None => "nothing".to_owned(),
            };
            let what = format!("{what} {}", visible(&edit.pointer));
            both(&what, &shown(&edit.before), &shown(&edit.after));
        }
    }
    both("code", &was.code.sha256(), &is.code.sha256());
    let entry = |record: &AgentRecord| {
        let entry = record.definition.code.entry();
        entry.map_or_else(|| "a component".to_owned(), ToString::to_string)
    };
    both("entry", &entry(old), &entry(new));
    let tools = |record: &AgentRecord| {
        let tools = record.definition.tools.iter();
        let tools: Vec<_> = tools
            .map(|(name, digest)| format!("{name} {digest}"))
            .collect();
        tools.join(", ")
    };
    both("tools", &tools(old), &tools(new));
    let checks = |record: &AgentRecord| {
        let checks = record.definition.checks.iter();
        let checks: Vec<_> = checks
            .map(|check| format!("{} {} {}", check.name, check.entry, check.sha256))
            .collect();
        checks.join(", ")
    };
    both("checks", &checks(old), &checks(new));
    let granted = |record: &AgentRecord| rights::lines(&record.capabilities).join(", ");
    both("rights", &granted(old), &granted(new));
    let limits = |record: &AgentRecord| serde_json::to_string(&record.limits).unwrap_or_default();
    both("limits", &limits(old), &limits(new));
    let level = |record: &AgentRecord| {
        record
            .level
            .map_or_else(|| "as configured".to_owned(), |level| level.to_string())
    };
    both("level", &level(old), &level(new));
    lines
}
