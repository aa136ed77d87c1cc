//! `oacp tool accept`: the difference between what is pinned and what is there, and taking it.

use std::path::PathBuf;

use oacp_tool::package::PackageName;
use oacp_tool::store::{Difference, Origin, OriginKind, Registered};
use serde_json::{Value, json};

use super::add::{described, log, tick, told};
use crate::console::Console;
use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::{bundle_file, registry, tool};

pub(super) fn accept(
    name: &PackageName,
    yes: bool,
    home: &Home,
    console: &Console,
) -> Result<Exit, Failure> {
    let store = tool::store(home)?;
    let old = store
        .package(name)?
        .ok_or_else(|| Failure::usage(format!("no package `{name}` is registered")))?;
    let path = PathBuf::from(&old.origin.reference);
    if !matches!(old.origin.kind, OriginKind::File | OriginKind::Directory) {
        return Err(Failure::usage(format!(
            "`{name}` does not come from this machine"
        )));
    }
    let entry = old.definitions.first().and_then(|tool| match &tool.code {
        oacp::tool::Code::Source { entry, .. } => entry.as_str().rsplit_once('.'),
        oacp::tool::Code::Component { .. } => None,
    });
    // The stub's language tells which of the usual entries it was.
    let entry = entry
        .filter(|_| old.origin.kind == OriginKind::Directory)
        .and_then(|(_, extension)| format!("tool.{extension}").parse().ok());
    let package = described(&path, entry.as_ref(), Some(name), home, console)?;
    let new = Registered {
        definitions: package.definitions.clone(),
        origin: Origin {
            sha256: package.origin,
            ..old.origin.clone()
        },
        added: bundle_file::now(),
        ..old.clone()
    };
    let difference = old.difference(&new);
    if console.json {
        console.print_json(&json!({ "package": name, "changed": !difference.is_empty(), "accepted": yes && !difference.is_empty() }))?;
    } else {
        console.print(&told_difference(&difference))?;
    }
    if difference.is_empty() && new.origin.sha256 == old.origin.sha256 {
        return Ok(Exit::Yes);
    }
    if !yes {
        console.note("nothing was accepted; say --yes to accept it");
        return Ok(Exit::No);
    }
    let (_, registered) = store.replace(new, &package.program)?;
    let logged = log(&registered, &registry::LogFlags::default(), home, console)?;
    tick(
        console,
        "accepted",
        &format!("{} {}", registered.pin(), told(&logged)),
    );
    Ok(Exit::Yes)
}

/// The difference, a line each.
fn told_difference(difference: &Difference) -> String {
    let mut text = String::new();
    let mut line = |sign: &str, what: String| text.push_str(&format!("{sign} {what}\n"));
    for name in &difference.removed {
        line("-", name.to_string());
    }
    for name in &difference.added {
        line("+", name.to_string());
    }
    for changed in &difference.changed {
        let name = &changed.name;
        if let Some((before, after)) = &changed.description {
            line("-", format!("{name} description: {}", visible(before)));
            line("+", format!("{name} description: {}", visible(after)));
        }
        for (what, edits) in [
            ("takes", &changed.input_schema),
            ("gives", &changed.output_schema),
        ] {
            for edit in edits {
                let shown = |value: &Option<Value>| {
                    value
                        .as_ref()
                        .map_or_else(|| "nothing".to_owned(), Value::to_string)
                };
                let place = visible(&edit.pointer).to_string();
                line(
                    "-",
                    format!("{name} {what} {place}: {}", visible(&shown(&edit.before))),
                );
                line(
                    "+",
                    format!("{name} {what} {place}: {}", visible(&shown(&edit.after))),
                );
            }
        }
        if let Some((before, after)) = &changed.code {
            line("-", format!("{name} code: {}", before.sha256()));
            line("+", format!("{name} code: {}", after.sha256()));
        }
    }
    if text.is_empty() {
        text.push_str("no tool has changed\n");
    }
    text
}
