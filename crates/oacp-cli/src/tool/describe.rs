//! From a file to what it offers: a Python file is run to say that, without a single right; a JavaScript or TypeScript one is read; a
//! component says it by its types.

use std::path::Path;
use std::sync::Arc;

use oacp::capability::{Capabilities, Grant};
use oacp::digest::Digest;
use oacp::event::Seed;
use oacp::outcome::Outcome;
use oacp::recording::SaltKey;
use oacp::source::{Source, SourcePath};
use oacp::tool::Definition;
use oacp_sandbox::{Cancel, Engine, Job, Language, Languages, Limits, Tools};
use oacp_tool::needs::Needs;
use oacp_tool::package::{
    DescribeError, Described, Export, PackageName, Remark, definitions, definitions_of_component,
};
use oacp_tool::store::{Kind, Origin, OriginKind, Program, Registered, Terms};
use oacp_tool::{javascript, python};
use tokio::runtime::Runtime;

use crate::agent::{self, Given};
use crate::console::Console;
use crate::escape::{visible, visible_lines};
use crate::failure::{Failure, Judge};
use crate::progress::Loading;
use crate::{bundle_file, file};

/// Where a directory's tools are, if nobody says.
const ENTRIES: [&str; 4] = ["tool.py", "tool.js", "tool.mjs", "tool.ts"];

/// A package that could be registered.
pub(crate) struct Package {
    pub(crate) name: PackageName,
    pub(crate) kind: Kind,
    pub(crate) definitions: Vec<Definition>,
    pub(crate) program: Program,
    /// What it seems to need. An aid: its grant decides.
    pub(crate) needs: Needs,
    pub(crate) warnings: Vec<Remark>,
    pub(crate) origin_kind: OriginKind,
    /// The file that was described, where there are several.
    pub(crate) entry: Option<SourcePath>,
    /// Of the files or the component before anything was added to them.
    pub(crate) origin: Option<Digest>,
}

impl Package {
    /// What is registered of it, as it was found at `path`.
    ///
    /// # Errors
    ///
    /// Usage: the path cannot be named in full.
    pub(crate) fn into_record(
        self,
        path: &Path,
        version: Option<String>,
        terms: Terms,
    ) -> Result<(Registered, Program), Failure> {
        let registered = Registered {
            name: self.name,
            kind: self.kind,
            origin: Origin {
                kind: self.origin_kind,
                reference: std::path::absolute(path)?.display().to_string(),
                entry: self.entry,
                sha256: self.origin,
            },
            version,
            definitions: self.definitions,
            // The store's to say.
            code: Digest::of(b""),
            capabilities: terms.capabilities,
            limits: terms.limits,
            instance: terms.instance,
            working_directory: terms.working_directory,
            signature: None,
            added: bundle_file::now(),
        };
        Ok((registered, self.program))
    }
}

/// Why a path is no package of tools.
pub(crate) enum Refused {
    /// What its author has to mend, at least one.
    Remarks(Vec<Remark>),
    /// Anything else.
    Other(Failure),
}

impl<E: Into<Failure>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

impl Refused {
    /// Tells every reason on a line of its own, and what it comes to.
    pub(crate) fn told(self, console: &Console) -> Failure {
        let remarks = match self {
            Self::Other(failure) => return failure,
            Self::Remarks(remarks) => remarks,
        };
        for remark in &remarks {
            console.say(&line(remark));
        }
        let count = crate::measure::plural(remarks.len() as u64, "reason");
        Failure::usage(format!("it cannot be registered, for {count}"))
    }
}

/// Describes what `path` names. Nothing of it is given any right.
///
/// # Errors
///
/// Usage: it is no package of tools; every reason was told on a line of its own.
pub(crate) fn describe(
    path: &Path,
    entry: Option<&SourcePath>,
    name: Option<&PackageName>,
    engine: &Engine,
    languages: &Languages,
    executor: &Runtime,
    console: &Console,
) -> Result<Package, Failure> {
    let package = examine(path, entry, name, engine, languages, executor, console);
    package.map_err(|refused| refused.told(console))
}

/// The same, with the reasons left to the caller.
pub(crate) fn examine(
    path: &Path,
    entry: Option<&SourcePath>,
    name: Option<&PackageName>,
    engine: &Engine,
    languages: &Languages,
    executor: &Runtime,
    console: &Console,
) -> Result<Package, Refused> {
    let origin_kind = if path.is_dir() {
        OriginKind::Directory
    } else {
        OriginKind::File
    };
    let stem = path
        .canonicalize()
        .ok()
        .and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .unwrap_or_default();
    let named = |functions: Vec<String>| match name {
        Some(name) => Ok(name.clone()),
        None => PackageName::usual(functions.iter().map(String::as_str), &stem)
            .or_usage()
            .map_err(|failure| failure.hint("give it a name with --name")),
    };
    let (source, kind) = match files(path, entry)? {
        Given::Component(wasm) => {
            let sha256 = Digest::of(&wasm);
            let loading = Loading::new(console, "the component");
            let program = engine
                .load(sha256, || Ok(wasm.to_vec()), &|progress| {
                    loading.report(progress)
                })
                .or_usage()?;
            let offered = if program.describes_itself() {
                executor.block_on(program.describe(engine)).or_usage()?
            } else {
                program.exports().to_vec()
            };
            if offered.is_empty() {
                return Err(no_tools(program.refused()).into());
            }
            let exports: Vec<Export> = offered
                .into_iter()
                .map(|export| Export {
                    export: export.name,
                    description: export.description.unwrap_or_default(),
                    input_schema: export.input_schema,
                    output_schema: export.output_schema,
                })
                .collect();
            let functions = exports.iter().map(|export| export.function().to_owned());
            let name = named(functions.collect())?;
            return Ok(Package {
                definitions: definitions_of_component(&name, sha256, &exports).or_usage()?,
                name,
                kind: Kind::Component,
                program: Program::Component(wasm.to_vec()),
                needs: Needs::of_imports(program.imports().iter().map(String::as_str)),
                warnings: Vec::new(),
                origin_kind,
                entry: None,
                origin: Some(sha256),
            });
        }
        Given::Source { language, source } => (source, language),
    };
    let described = match kind {
        Language::Python => of_python(&source, engine, languages, executor, console)?,
        Language::JavaScript => javascript::describe(&source).map_err(refused)?,
    };
    let functions = described.offers.iter().map(|offer| offer.function.clone());
    let name = named(functions.collect())?;
    Ok(Package {
        definitions: definitions(&name, &described).or_usage()?,
        name,
        kind: match kind {
            Language::Python => Kind::Python,
            Language::JavaScript => Kind::Javascript,
        },
        needs: Needs::of_source(&source),
        warnings: described.warnings,
        entry: match origin_kind {
            OriginKind::Directory => Some(source.entry().clone()),
            _ => entry.cloned(),
        },
        program: Program::Source(described.source),
        origin_kind,
        origin: agent::digest(path),
    })
}

/// The files, or the component. TypeScript is a tool's language, though no agent's.
fn files(path: &Path, entry: Option<&SourcePath>) -> Result<Given, Failure> {
    let is_typescript = |name: &str| name.ends_with(".ts") || name.ends_with(".mts");
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if path.is_file() && is_typescript(&name) {
        let name = name
            .parse::<SourcePath>()
            .or_context(|| format!("the name of `{}` cannot be recorded", path.display()))
            .or_usage()?;
        let content = file::read(path, oacp::limits::SOURCE_FILE_BYTES_MAX).or_usage()?;
        return Ok(Given::Source {
            language: Language::JavaScript,
            source: Source::single(name, content).or_usage()?,
        });
    }
    let usual = ENTRIES.iter().find(|entry| path.join(entry).is_file());
    match entry.cloned().or_else(|| usual?.parse().ok()) {
        Some(entry) if path.is_dir() => agent::load_directory(path, &entry, |entry| {
            if is_typescript(entry) {
                Some(Language::JavaScript)
            } else {
                Language::of_extension(entry.rsplit_once('.')?.1)
            }
        }),
        entry => agent::load(path, entry.as_ref()),
    }
}

/// A Python file says what its functions take when it is run: by itself, in a sandbox, without a right, and with a clock and randomness that
/// are always the same.
fn of_python(
    source: &Source,
    engine: &Engine,
    languages: &Languages,
    executor: &Runtime,
    console: &Console,
) -> Result<Described, Refused> {
    let (asking, input) = python::question(source).or_usage()?;
    let loading = Loading::new(console, "the python runtime");
    let program = languages.load(engine, Language::Python.digest()?, &|progress| {
        loading.report(progress);
    })?;
    let none = Capabilities::default();
    let job = Job {
        program,
        source: Some(Arc::new(asking)),
        export: None,
        input,
        grant: Grant::attenuate(&none, &none),
        tools: Tools::none(),
        egress: None,
        working_directory: "/".parse()?,
        withheld: Vec::new(),
        environment: [].into(),
        ask: None,
        limits: Limits::default(),
        seed: Seed::from_bytes([0; 32]),
        clock_start_ms: 0,
        salt_key: SaltKey::from_bytes([0; 32]),
        observer: None,
        cancel: Cancel::default(),
    };
    let run = executor.block_on(oacp_sandbox::run(engine, job))?;
    if run.outcome != Outcome::Ok {
        let failure = run
            .failure
            .unwrap_or_else(|| unreachable!("what is not ok has a failure"));
        let place = failure
            .location
            .map(|(file, line)| format!("{}:{line}: ", visible(&file)));
        let place = place.unwrap_or_default();
        return Err(Failure::usage(format!(
            "{place}its functions cannot be asked: {}",
            visible(&failure.message)
        ))
        .hint("the file is run once, without any right, to read its signatures: what it does outside of functions must need none").into());
    }
    python::answer(source, &run.output).map_err(refused)
}

fn refused(error: DescribeError) -> Refused {
    Refused::Remarks(error.remarks)
}

/// A remark with its fix, which may have several lines.
pub(crate) fn line(remark: &Remark) -> String {
    let mut text = visible(&remark.to_string()).to_string();
    if let Some(fix) = &remark.fix {
        text.push_str(&format!("\n{}", visible_lines(fix, "    ")));
    }
    text
}

fn no_tools(refused: &[(String, String)]) -> Failure {
    let failure = Failure::usage("the component exports no function that can be a tool");
    match refused.first() {
        Some((name, reason)) => failure.hint(format!("`{}`: {}", visible(name), visible(reason))),
        None => failure,
    }
}
