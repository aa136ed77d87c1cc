//! `oacp tool accept`: the difference between what is pinned and what is there, and taking it.

use std::path::Path;

use oacp_tool::package::PackageName;
use oacp_tool::store::{Difference, Registered, Terms};
use serde_json::{Value, json};

use super::add::{described, log, refuse_another, tick, told};
use crate::console::Console;
use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::tool::{self, Manifest, SignatureFlags, TOOL_FILE};
use crate::{accepted, rights};

pub(super) fn accept(
    name: &PackageName,
    yes: bool,
    from: Option<&Path>,
    signatures: &SignatureFlags,
    home: &Home,
    console: &Console,
) -> Result<Exit, Failure> {
    let store = tool::store(home)?;
    let old = store
        .package(name)?
        .ok_or_else(|| Failure::usage(format!("no package `{name}` is registered")))?;
    tool::refuse_unsigned(&old, signatures)?;
    let path = tool::again(&old.origin, from)?;
    let options = accepted::discovered(home, console)?;
    let manifest = match tool::manifest_of(&path)? {
        Some(text) => Some(Manifest::of_file(&text, &options.secrets)?),
        None => None,
    };
    let (path, entry) = match &manifest {
        Some(manifest) if from.is_some() => (manifest.path.clone(), manifest.entry.as_ref()),
        _ => (path, old.origin.entry.as_ref().filter(|_| from.is_none())),
    };
    let located = tool::locate(&path, signatures, &options.egress, home, console)?;
    let package = described(located.path(), entry, Some(name), home, console)?;
    if let Some(manifest) = &manifest {
        refuse_another(&package, manifest)?;
    }
    let version = match &manifest {
        Some(manifest) => manifest.version.clone(),
        None => old.version.clone(),
    };
    let terms = Terms {
        capabilities: old.capabilities.clone(),
        limits: old.limits,
        instance: old.instance,
        working_directory: old.working_directory.clone(),
    };
    let (new, program) = package.into_record(&path, version, terms)?;
    let new = located.attributed(new)?;
    let difference = old.difference(&new);
    if console.json {
        console.print_json(&json!({ "package": name, "changed": !difference.is_empty(), "accepted": yes && !difference.is_empty() }))?;
    } else {
        console.print(&told_difference(&difference))?;
        if old.signature != new.signature {
            for (sign, signature) in [("-", &old.signature), ("+", &new.signature)] {
                let signer = signature
                    .as_ref()
                    .map_or("nobody", |signature| &signature.signer);
                console.print(&format!("{sign} signed by {}", visible(signer)))?;
            }
        }
    }
    if let Some(manifest) = &manifest {
        tell_unanswered(manifest, &old, console);
    }
    if difference.is_empty() && new.origin == old.origin {
        return Ok(Exit::Yes);
    }
    if !yes {
        console.note("nothing was accepted; say --yes to accept it");
        return Ok(Exit::No);
    }
    let (_, registered) = store.replace(new, &program)?;
    let granted = &registered.capabilities;
    let logged = log(&registered, granted, &options, home, console)?;
    tick(
        console,
        "accepted",
        &format!("{} {}", registered.pin(), told(&logged)),
    );
    Ok(Exit::Yes)
}

/// What its `tool.yaml` asks for and the registration does not grant: accepting what it is does not grant that either.
fn tell_unanswered(manifest: &Manifest, old: &Registered, console: &Console) {
    let granted = rights::lines(&old.capabilities);
    let asked = rights::lines(&manifest.capabilities);
    for right in asked.iter().filter(|right| !granted.contains(right)) {
        console.note(&format!(
            "note: {TOOL_FILE} asks for {}, which the registration does not grant; accepting the change does not either",
            visible(right)
        ));
    }
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
