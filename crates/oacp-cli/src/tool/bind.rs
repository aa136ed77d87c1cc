//! The registered tools that a run may call, each with what it needs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use oacp::capability::Capabilities;
use oacp::id::ToolName;
use oacp::source::Source;
use oacp::tool::{Code, Definition};
use oacp_gateway::{Agent, Bound, BoundTool, LoadError, TOOL_DEPTH_MAX, ToolOptions};
use oacp_sandbox::{Engine, Language, Languages};
use oacp_tool::store::{Kind, OriginKind, Program, Registered, Store};

use super::{CONCURRENCY, RESULT_BYTES, at_most, limits};
use crate::failure::Failure;
use crate::{agent, environment};

/// What a run may call, and the rights that its tools have, of which it has none itself.
pub(crate) struct Bindings {
    pub(crate) bound: Bound,
    pub(crate) rights: Capabilities,
}

/// Binds the tools of these names and those that they may call. Of each only its record is read; its code is, when it is first called.
///
/// # Errors
///
/// Usage: no tool of one of the names is registered.
pub(crate) fn bind(
    granted: &BTreeSet<ToolName>,
    store: &Store,
    engine: &Engine,
    languages: &Languages,
) -> Result<Bindings, Failure> {
    let mut bindings = Bindings {
        bound: Bound::none(),
        rights: Capabilities::default(),
    };
    let mut wanted = granted.clone();
    let mut seen = BTreeSet::new();
    for depth in 0..TOOL_DEPTH_MAX {
        let mut next = BTreeSet::new();
        for name in wanted {
            if !seen.insert(name.clone()) {
                continue;
            }
            let Some(package) = store.find(&name)? else {
                let failure = Failure::usage(format!("no tool `{name}` is registered"));
                return Err(failure.hint(
                    "`oacp tool list` shows those that are; `oacp tool add FILE` registers one",
                ));
            };
            let Some(definition) = package.definition(&name).cloned() else {
                continue;
            };
            next.extend(package.capabilities.tools.iter().cloned());
            bindings.rights = bindings.rights.union(&package.capabilities);
            let tool = tool(definition, package, store, engine, languages);
            bindings.bound = bindings.bound.with(tool);
        }
        // What only stands deeper than calls may go need not be there.
        if next.is_empty() || depth + 1 == TOOL_DEPTH_MAX {
            break;
        }
        wanted = next;
    }
    Ok(bindings)
}

fn tool(
    definition: Definition,
    package: Registered,
    store: &Store,
    engine: &Engine,
    languages: &Languages,
) -> BoundTool {
    let options = ToolOptions {
        limits: limits(&package.limits),
        result_bytes_max: at_most(package.limits.result_bytes, RESULT_BYTES),
        instance: package.instance,
        package: package.pin(),
        concurrency: at_most(package.limits.concurrency, CONCURRENCY),
        working_directory: package.working_directory.clone().unwrap_or_else(|| {
            "/".parse()
                .unwrap_or_else(|_| unreachable!("the root is a path"))
        }),
        environment: environment::offered(&BTreeSet::new()),
        secrets: [].into(),
        capabilities: package.capabilities.clone(),
    };
    let (store, engine, languages) = (store.clone(), engine.clone(), languages.clone());
    let pinned = definition.clone();
    BoundTool::new(definition, options, move || {
        if is_changed(&package) {
            return Err(LoadError::Changed(format!(
                "`{}` is not what was registered; `oacp tool accept {}` shows the difference",
                package.origin.reference, package.name
            )));
        }
        load(&pinned, &store, &engine, &languages)
    })
}

/// Whether the file that was registered is there and says something else now. What is gone changes nothing: the store has what was pinned.
fn is_changed(package: &Registered) -> bool {
    let path = Path::new(&package.origin.reference);
    let is_here = matches!(
        package.origin.kind,
        OriginKind::File | OriginKind::Directory
    );
    match package.origin.sha256 {
        Some(pinned) if is_here && path.exists() => {
            agent::digest(path).is_some_and(|found| found != pinned)
        }
        _ => false,
    }
}

fn load(
    definition: &Definition,
    store: &Store,
    engine: &Engine,
    languages: &Languages,
) -> Result<Agent, LoadError> {
    let unavailable = |error: &dyn std::fmt::Display| LoadError::Unavailable(error.to_string());
    let loaded = store.load(&definition.name).map_err(|e| unavailable(&e))?;
    let Some(loaded) = loaded.filter(|loaded| loaded.definition == *definition) else {
        return Err(LoadError::Changed(
            "it was registered anew while this run went on".to_owned(),
        ));
    };
    match loaded.program {
        Program::Source(source) => {
            let language = match loaded.package.kind {
                Kind::Javascript => Language::JavaScript,
                _ => Language::Python,
            };
            let digest = language.digest().map_err(|e| unavailable(&e))?;
            let program = languages
                .load(engine, digest, &|_| {})
                .map_err(|e| unavailable(&e))?;
            Ok(Agent::Source {
                program,
                source: Arc::new(Source::clone(&source)),
            })
        }
        Program::Component(wasm) => {
            let Code::Component { sha256, export } = &definition.code else {
                return Err(LoadError::Changed("its code is of another kind".to_owned()));
            };
            let wasm: Arc<[u8]> = wasm.into();
            let program = engine
                .load(*sha256, || Ok(wasm.to_vec()), &|_| {})
                .map_err(|e| unavailable(&e))?;
            Ok(Agent::Component {
                program,
                wasm,
                export: Some(export.clone()),
            })
        }
    }
}
