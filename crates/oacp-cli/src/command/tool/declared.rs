//! `tools:` of `oacp.yaml`: registered when a run may first call them.
//!
//! Whoever accepted the file, or named it, has said what it grants. So nobody is asked again; but what the tool is gets pinned in the
//! store, as by `oacp tool add`, and what has changed is refused until it is accepted. The store is told of no rights: those are the
//! file's to say, at each run that uses it, and elsewhere the tool has none.

use std::collections::BTreeSet;

use oacp::id::ToolName;
use oacp_tool::manifest::{Instance, Limits};
use oacp_tool::package::PackageName;
use oacp_tool::store::{Store, StoreError, Terms};

use super::add::{described, log, refuse_another, tick, told};
use crate::config::RunOptions;
use crate::console::Console;
use crate::failure::{Failure, Judge};
use crate::home::Home;
use crate::tool::{self, Manifest, SignatureFlags};

/// Registers those tools of the configuration that the run may call, itself or by another tool, and that are not registered.
pub(crate) fn register_missing(
    options: &RunOptions,
    home: &Home,
    console: &Console,
) -> Result<(), Failure> {
    if options.tools.is_empty() {
        return Ok(());
    }
    let store = tool::store(home)?;
    let mut wanted: Vec<ToolName> = options.capabilities.tools.iter().cloned().collect();
    let mut seen = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let declared = PackageName::of_tool(&name).and_then(|name| options.tools.get(&name));
        match (declared, store.find(&name)?) {
            (Some(declared), _) => {
                wanted.extend(declared.capabilities.tools.iter().cloned());
                if store.package(&declared.name)?.is_none() {
                    register(declared, &store, options, home, console).or_context(|| {
                        format!("the tool `{}` of the configuration", declared.name)
                    })?;
                }
            }
            (None, Some(package)) => wanted.extend(package.capabilities.tools),
            // Said when it is bound.
            (None, None) => {}
        }
    }
    Ok(())
}

fn register(
    declared: &Manifest,
    store: &Store,
    options: &RunOptions,
    home: &Home,
    console: &Console,
) -> Result<(), Failure> {
    let (path, entry) = (&declared.path, declared.entry.as_ref());
    let signatures = SignatureFlags::default();
    let located = tool::locate(path, &signatures, &options.egress, home, console)?;
    let package = described(located.path(), entry, Some(&declared.name), home, console)?;
    refuse_another(&package, declared)?;
    let terms = Terms {
        capabilities: Default::default(),
        limits: Limits::default(),
        instance: Instance::PerCall,
        working_directory: None,
    };
    let (record, program) = package.into_record(path, declared.version.clone(), terms)?;
    let record = located.attributed(record)?;
    let registered = match store.add(record, &program) {
        Ok(registered) => registered,
        // Another run was quicker. What it registered is judged when it is bound.
        Err(StoreError::Exists { .. }) => return Ok(()),
        Err(StoreError::Case { existing, .. }) => {
            return Err(Failure::usage(format!(
                "its name differs from that of the registered package `{existing}` only by case"
            ))
            .hint("give it another name in the configuration"));
        }
        Err(error) => return Err(error).or_usage(),
    };
    let logged = log(&registered, &declared.capabilities, options, home, console)?;
    tick(
        console,
        "registered",
        &format!("{} {} {}", declared.name, registered.pin(), told(&logged)),
    );
    Ok(())
}
