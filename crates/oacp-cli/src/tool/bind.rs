//! The registered tools that a run may call, each with what it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use oacp::blob::Blob;
use oacp::capability::{Capabilities, SecretName};
use oacp::id::ToolName;
use oacp::source::SourcePath;
use oacp::tool::{Code, Definition};
use oacp_egress::SecretValue;
use oacp_gateway::{Agent, Bound, BoundTool, LoadError, TOOL_DEPTH_MAX, ToolOptions};
use oacp_sandbox::{Engine, Language, Languages};
use oacp_tool::source::Reference;
use oacp_tool::store::{Kind, OriginKind, Program, Registered, Store};

use super::{CONCURRENCY, Manifest, RESULT_BYTES, at_most, limits, unknown};
use crate::config::{Definitions, RunOptions};
use crate::failure::Failure;
use crate::{agent, secret};

/// What a run may call, and the rights that its tools have, of which it has none itself.
pub(crate) struct Bindings {
    pub(crate) bound: Bound,
    pub(crate) rights: Capabilities,
}

/// Binds the tools that a run was granted and those that they may call. Of each only its record is read; its code is, when it is first
/// called. `askable`: those that a person could allow meanwhile. What the run's configuration says of a tool goes before the record; `environment` is what may be granted of it.
///
/// # Errors
///
/// Usage: no tool of one of the names is registered; it is not the one of the configuration; its secrets cannot be had.
pub(crate) fn bind(
    options: &RunOptions,
    askable: &BTreeSet<ToolName>,
    environment: &BTreeMap<String, String>,
    store: &Store,
    engine: &Engine,
    languages: &Languages,
) -> Result<Bindings, Failure> {
    let found = find(options, askable, store)?;
    let rights = found.iter().map(|(_, package)| &package.capabilities);
    let rights = rights.fold(Capabilities::default(), |all, one| all.union(one));
    let secrets = secret::values(&rights, &options.secrets)?;
    let mut bound = Bound::none();
    for (definition, package) in found {
        let given = ToolOptions {
            environment: environment.clone(),
            secrets: of_package(&package, &secrets),
            ..options_of(&package)
        };
        bound = bound.with(tool(definition, package, given, store, engine, languages));
    }
    Ok(Bindings { bound, rights })
}

/// The tools that a person who is asked could allow. Those with secrets are granted beforehand or not at all.
///
/// # Errors
///
/// The file system's.
pub(crate) fn askable(store: &Store) -> Result<BTreeSet<ToolName>, Failure> {
    let packages = store.list()?.into_iter().flatten();
    let names = packages
        .filter(|package| package.capabilities.secrets.is_empty())
        .flat_map(|package| package.definitions)
        .map(|definition| definition.name);
    Ok(names.collect())
}

/// What the record says; no environment and no secrets.
pub(crate) fn options_of(package: &Registered) -> ToolOptions {
    ToolOptions {
        limits: limits(&package.limits),
        result_bytes_max: at_most(package.limits.result_bytes, RESULT_BYTES),
        instance: package.instance,
        package: package.pin(),
        concurrency: at_most(package.limits.concurrency, CONCURRENCY),
        working_directory: package.working_directory.clone().unwrap_or_else(|| {
            "/".parse()
                .unwrap_or_else(|_| unreachable!("the root is a path"))
        }),
        environment: BTreeMap::new(),
        secrets: BTreeMap::new(),
        capabilities: package.capabilities.clone(),
    }
}

/// Those of the secrets that the package was granted.
fn of_package(
    package: &Registered,
    secrets: &BTreeMap<SecretName, SecretValue>,
) -> BTreeMap<SecretName, SecretValue> {
    let granted = package.capabilities.secrets.iter();
    granted
        .filter_map(|secret| secrets.get_key_value(&secret.name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The tools by breadth: those that are granted, and those that they may call.
fn find(
    options: &RunOptions,
    askable: &BTreeSet<ToolName>,
    store: &Store,
) -> Result<Vec<(Definition, Registered)>, Failure> {
    let mut found = Vec::new();
    let mut wanted: BTreeSet<_> = options.capabilities.tools.union(askable).cloned().collect();
    let mut seen = BTreeSet::new();
    for depth in 0..TOOL_DEPTH_MAX {
        let mut next = BTreeSet::new();
        for name in wanted {
            if !seen.insert(name.clone()) {
                continue;
            }
            let Some(mut package) = store.find(&name)? else {
                return Err(unknown(&name));
            };
            let Some(definition) = package.definition(&name).cloned() else {
                continue;
            };
            if let Some(declared) = options.tools.get(&package.name) {
                package = as_declared(package, declared)?;
            }
            refuse_other_secrets(&package, &options.secrets)?;
            next.extend(package.capabilities.tools.iter().cloned());
            found.push((definition, package));
        }
        // What only stands deeper than calls may go need not be there.
        if next.is_empty() || depth + 1 == TOOL_DEPTH_MAX {
            break;
        }
        wanted = next;
    }
    Ok(found)
}

/// The package, with the rights and limits of the configuration, if it is the one that this means.
fn as_declared(mut package: Registered, declared: &Manifest) -> Result<Registered, Failure> {
    let (name, origin) = (&package.name, &package.origin);
    let is_same = is_same_place(Path::new(&origin.reference), &declared.path);
    let starts_elsewhere = declared.entry.is_some() && origin.entry != declared.entry;
    if !is_same || starts_elsewhere {
        let place = |path: &str, entry: &Option<SourcePath>| match entry {
            Some(entry) => format!("`{path}`, started at `{entry}`"),
            None => format!("`{path}`"),
        };
        return Err(Failure::usage(format!(
            "the configuration has the tool `{name}` from {}, and the one that is registered comes from {}",
            place(&declared.path.display().to_string(), &declared.entry),
            place(&origin.reference, &origin.entry)
        ))
        .hint(format!(
            "give it another name in the configuration, or take the registered one out: oacp tool remove {name}"
        )));
    }
    if let Some(expected) = declared.sha256
        && origin.sha256 != Some(expected)
    {
        return Err(Failure::usage(format!(
            "the configuration has the tool `{name}` as {expected}, and what is registered is {}",
            origin.sha256.map_or_else(|| "without a digest".to_owned(), |found| found.to_string())
        ))
        .hint(format!(
            "mend `source.sha256` if that is the one that was meant; `oacp tool accept {name}` shows what its file says now"
        )));
    }
    package.capabilities = declared.capabilities.clone();
    package.limits = declared.limits;
    package.instance = declared.instance;
    package.working_directory = Some(declared.directory.clone());
    Ok(package)
}

/// Whether a tool that is registered as from `one` is what `other` names. An image that is named by its tag is the one that was found there.
fn is_same_place(one: &Path, other: &Path) -> bool {
    let image = |place: &Path| match Reference::parse(place.to_str()?) {
        Ok(Reference::Oci(image)) => Some(image),
        _ => None,
    };
    let is_found_there = |one| image(other).is_some_and(|other| one == Some(other));
    one == other
        || is_found_there(image(one).and_then(|image| image.unpinned()))
        || one
            .canonicalize()
            .is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

/// A secret goes where the configuration says now. What was said when the tool was registered is what was agreed to; both have to hold.
fn refuse_other_secrets(package: &Registered, definitions: &Definitions) -> Result<(), Failure> {
    for granted in &package.capabilities.secrets {
        let defined = definitions
            .find(&granted.name)
            .map_err(|failure| failure.with_place(&format!("tool `{}`", package.name)))?;
        if defined.grant != *granted {
            return Err(Failure::usage(format!(
                "the secret `{}` is for another host or place than when the tool `{}` was granted it",
                granted.name, package.name
            ))
            .hint("remove the tool and add it again, if it shall have the secret as it is now"));
        }
    }
    Ok(())
}

fn tool(
    definition: Definition,
    package: Registered,
    given: ToolOptions,
    store: &Store,
    engine: &Engine,
    languages: &Languages,
) -> BoundTool {
    let (store, engine, languages) = (store.clone(), engine.clone(), languages.clone());
    let pinned = definition.clone();
    BoundTool::new(definition, given, move || {
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
pub(crate) fn is_changed(package: &Registered) -> bool {
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
    agent_of(
        loaded.program,
        loaded.package.kind,
        definition,
        engine,
        languages,
    )
}

/// A tool's code, started as its definition says, ready to run.
pub(crate) fn agent_of(
    program: Program,
    kind: Kind,
    definition: &Definition,
    engine: &Engine,
    languages: &Languages,
) -> Result<Agent, LoadError> {
    let unavailable = |error: &dyn std::fmt::Display| LoadError::Unavailable(error.to_string());
    match program {
        Program::Source(source) => {
            let language = match kind {
                Kind::Javascript => Language::JavaScript,
                _ => Language::Python,
            };
            let digest = language.digest().map_err(|e| unavailable(&e))?;
            let program = languages
                .load(engine, digest, &|_| {})
                .map_err(|e| unavailable(&e))?;
            Ok(Agent::Source {
                program,
                source: Arc::new(source),
            })
        }
        Program::Component(wasm) => {
            let Code::Component { sha256, export } = &definition.code else {
                return Err(LoadError::Changed("its code is of another kind".to_owned()));
            };
            let wasm = Blob::of(wasm);
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
