//! A package that is looked at without being registered for it: one that could be, by its path, or one that is, by its name.

use std::path::{Path, PathBuf};

use oacp::capability::Capabilities;
use oacp::id::ToolName;
use oacp::source::SourcePath;
use oacp_sandbox::{Cancel, Engine, Languages};
use oacp_tool::needs::Needs;
use oacp_tool::package::{PackageName, Remark};
use oacp_tool::store::{Program, Registered, Store, Terms};
use tokio::runtime::Runtime;

use super::describe::{Refused, examine};
use super::manifest::{Manifest, is_reference, manifest_of};
use crate::config::{Definitions, guest_path};
use crate::console::Console;
use crate::failure::{Failure, Judge};
use crate::home::Home;
use crate::runtime;

/// What looking at packages needs.
pub(crate) struct Workbench {
    pub(crate) store: Store,
    pub(crate) engine: Engine,
    pub(crate) languages: Languages,
    pub(crate) executor: Runtime,
    /// Ends the calls that are made to try a tool.
    pub(crate) cancel: Cancel,
}

impl Workbench {
    pub(crate) fn new(home: &Home) -> Result<Self, Failure> {
        Ok(Self {
            store: super::store(home)?,
            engine: runtime::engine(home)?,
            languages: runtime::languages(home),
            executor: runtime::executor()?,
            cancel: Cancel::default(),
        })
    }
}

/// What to look at, and what it is granted meanwhile.
pub(crate) struct Look<'a> {
    /// A path, or a name.
    pub(crate) named: &'a str,
    /// Where a directory's tools are.
    pub(crate) entry: Option<&'a SourcePath>,
    /// What somebody grants it.
    pub(crate) rights: Capabilities,
    /// Whether it gets what its `tool.yaml` asks for, rights and limits.
    pub(crate) is_agreed: bool,
    /// The secrets there are.
    pub(crate) secrets: &'a Definitions,
}

/// A package with its code.
pub(crate) struct Candidate {
    /// As it is registered, or would be.
    pub(crate) package: Registered,
    pub(crate) program: Program,
    /// What it seems to need.
    pub(crate) needs: Needs,
    pub(crate) warnings: Vec<Remark>,
    /// What its `tool.yaml` asks for. `None`: it has none, or was agreed to already.
    pub(crate) asked: Option<Capabilities>,
    /// Where it came from: its examples lie there.
    pub(crate) path: PathBuf,
}

impl Candidate {
    /// Of a path, with the rights of `look`; of a name what is registered, with the rights that it has.
    ///
    /// # Errors
    ///
    /// Usage: there is neither; rights for what is registered. [`Refused::Remarks`]: what is at the path is no package of tools.
    pub(crate) fn find(
        look: Look<'_>,
        bench: &Workbench,
        console: &Console,
    ) -> Result<Self, Refused> {
        let named = look.named;
        if Path::new(named).exists() {
            return Self::at(look, bench, console);
        }
        let Some(package) = registered(named, &bench.store)? else {
            let failure = Failure::usage(format!(
                "`{named}` is neither a file, nor a directory, nor a registered tool"
            ));
            return Err(failure
                .hint("`oacp tool list` shows the registered ones")
                .into());
        };
        if !look.rights.is_empty() || look.entry.is_some() || look.is_agreed {
            let failure =
                Failure::usage(format!("`{named}` is registered, with the rights it has"));
            return Err(failure
                .hint("name its file to try it with other rights")
                .into());
        }
        Ok(Self::of_registered(package, bench)?)
    }

    /// Describes what is at a path. Nothing of it is given any right for that.
    pub(crate) fn at(
        look: Look<'_>,
        bench: &Workbench,
        console: &Console,
    ) -> Result<Self, Refused> {
        let named = Path::new(look.named);
        let manifest = match manifest_of(named)? {
            Some(text) => Some(Manifest::of_file(&text, look.secrets)?),
            None => None,
        };
        let manifest = manifest.as_ref();
        let path = manifest.map_or(named, |manifest| &manifest.path);
        if is_reference(path) {
            let path = path.display();
            let why = format!("its code is at `{path}`: what is tried has to lie here");
            return Err(Failure::usage(why).into());
        }
        let entry = look.entry.or_else(|| manifest?.entry.as_ref());
        let name = manifest.map(|manifest| &manifest.name);
        let Workbench {
            engine,
            languages,
            executor,
            ..
        } = bench;
        let found = examine(path, entry, name, engine, languages, executor, console)?;
        let directory = match manifest {
            Some(manifest) => manifest.directory.clone(),
            None => guest_path(&std::env::current_dir()?)?,
        };
        let agreed = manifest.filter(|_| look.is_agreed);
        let terms = Terms {
            capabilities: agreed.map_or(look.rights.clone(), |manifest| {
                look.rights.union(&manifest.capabilities)
            }),
            limits: agreed.map(|manifest| manifest.limits).unwrap_or_default(),
            instance: manifest
                .map(|manifest| manifest.instance)
                .unwrap_or_default(),
            working_directory: Some(directory),
        };
        let (needs, warnings) = (found.needs.clone(), found.warnings.clone());
        let version = manifest.and_then(|manifest| manifest.version.clone());
        let (package, program) = found.into_record(path, version, terms)?;
        Ok(Self {
            package,
            program,
            needs,
            warnings,
            asked: manifest.map(|manifest| manifest.capabilities.clone()),
            path: named.to_owned(),
        })
    }

    /// How large the code is.
    pub(crate) fn code_bytes(&self) -> u64 {
        let bytes = match &self.program {
            Program::Source(source) => source.files().map(|(_, content)| content.len()).sum(),
            Program::Component(wasm) => wasm.len(),
        };
        bytes as u64
    }

    fn of_registered(package: Registered, bench: &Workbench) -> Result<Self, Failure> {
        let first = package.definitions.first();
        let first = first.unwrap_or_else(|| unreachable!("a record has a tool"));
        let program = bench.store.code(&package, first)?;
        let needs = match &program {
            Program::Source(source) => Needs::of_source(source),
            Program::Component(wasm) => {
                let wasm = || Ok(wasm.clone());
                let loaded = bench.engine.load(first.code.sha256(), wasm, &|_| {})?;
                Needs::of_imports(loaded.imports().iter().map(String::as_str))
            }
        };
        Ok(Self {
            path: PathBuf::from(&package.origin.reference),
            package,
            program,
            needs,
            warnings: Vec::new(),
            asked: None,
        })
    }
}

/// By the package's name, or that of one of its tools.
fn registered(named: &str, store: &Store) -> Result<Option<Registered>, Failure> {
    if let Ok(name) = named.parse::<PackageName>()
        && let Some(package) = store.package(&name)?
    {
        return Ok(Some(package));
    }
    match named.parse::<ToolName>() {
        Ok(name) => Ok(store.find(&name).or_usage()?),
        Err(_) => Ok(None),
    }
}
