//! From an `agent.yaml` and the directory that it lies in to an agent that can be registered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::{Path, PathBuf};

use oacp::agent::{AgentCode, AgentDefinition, Check};
use oacp::capability::{
    Capabilities, DenyRule, GuestPath, HostRule, NamePattern, PathPattern, SecretName,
};
use oacp::digest::Digest;
use oacp::id::ToolName;
use oacp::source::{Source, SourcePath};
use oacp::statement::Level;
use oacp_sandbox::Language;
use oacp_sandbox::limits::COMPONENT_BYTES_MAX;
use oacp_tool::agents::{AgentFiles, AgentRecord, StoredCode};
use oacp_tool::manifest::{self, AgentFile, LevelName, SchemaText};
use oacp_tool::needs::Needs;
use oacp_tool::schema::Schema;
use serde_json::Value;

use super::{Given, component, directory};
use crate::config::{self, Definitions};
use crate::failure::{Failure, Judge};
use crate::home::Home;
use crate::{bundle_file, file, tool, yaml};

/// What an agent's manifest is called in its directory.
const MANIFEST: &str = "agent.yaml";

/// Bytes of a manifest.
const MANIFEST_BYTES_MAX: usize = 1 << 20;

/// An agent that could be registered.
pub(crate) struct Declared {
    pub(crate) record: AgentRecord,
    pub(crate) code: AgentFiles,
    /// What its source seems to need. An aid: its grant decides.
    pub(crate) needs: Needs,
}

/// The manifest that `path` means: itself, or the one in the directory.
pub(crate) fn manifest_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join(MANIFEST)
    } else {
        path.to_owned()
    }
}

/// Reads what `path` names, an `agent.yaml` or the directory of one, with all that it refers to. Nothing of it is run.
///
/// # Errors
///
/// Usage: the manifest is malformed, with line and column; it names what is not there, or what cannot be.
pub(crate) fn declare(
    path: &Path,
    secrets: &Definitions,
    home: &Home,
) -> Result<Declared, Failure> {
    let path = manifest_of(path);
    let name = path.display().to_string();
    let place = |key: &str| format!("{name}: `{key}`");
    let bytes = file::read(&path, MANIFEST_BYTES_MAX).or_usage()?;
    let text =
        String::from_utf8(bytes).map_err(|_| Failure::usage(format!("`{name}` is not UTF-8")))?;
    let written: AgentFile = yaml::from_str(&text, &name)?;
    let dir = config::directory_of(&path)?;
    let base = config::guest_path(&dir)?;
    let entry: SourcePath = parsed(&written.entry, &place("entry"))?;
    let is_component = entry.as_str().ends_with(".wasm");
    let left_out = |path: &str| path == MANIFEST || (is_component && path == entry.as_str());
    let files = directory::read(&dir, left_out)
        .or_context(|| format!("`{}` cannot be read", dir.display()))
        .or_usage()?;
    let files: BTreeMap<SourcePath, Vec<u8>> = files.into_iter().collect();

    let (checks, stubs) = checks(&written.checks, &files, &place)?;
    let has_source = !is_component || !checks.is_empty();
    let mut code = AgentFiles {
        component: None,
        files: match has_source {
            true => files.clone().into_iter().chain(stubs).collect(),
            false => Vec::new(),
        },
    };
    let started_at = |entry: &SourcePath| {
        let source = Source::new(code.files.clone(), entry.clone());
        source.or_context(|| place("entry")).or_usage()
    };
    let (agent_code, needs) = if is_component {
        let wasm = file::read(&dir.join(entry.as_str()), COMPONENT_BYTES_MAX).or_usage()?;
        let Given::Component(wasm) = component(wasm)
            .or_context(|| format!("`{entry}` is not an agent"))
            .or_usage()?
        else {
            return Err(Failure::usage(format!("`{entry}` is not a component")));
        };
        let sha256 = Digest::of(&wasm);
        code.component = Some(wasm.to_vec());
        (AgentCode::Component { sha256 }, Needs::default())
    } else {
        language_of(&entry, &place("entry"))?;
        let source = started_at(&entry)?;
        let sha256 = source.hash();
        (
            AgentCode::Source { sha256, entry },
            Needs::of_source(&source),
        )
    };
    let checks = checks
        .into_iter()
        .map(|(name, entry)| {
            let sha256 = started_at(&entry)?.hash();
            Ok(Check {
                name,
                sha256,
                entry,
            })
        })
        .collect::<Result<_, Failure>>()?;
    let tools = tools(&written.tools, home, &place)?;
    let definition = AgentDefinition {
        name: parsed(&written.name, &place("name"))?,
        version: written.version,
        description: written.description.unwrap_or_default(),
        input_schema: schema(written.input_schema, &files, &place("input_schema"))?,
        output_schema: schema(written.output_schema, &files, &place("output_schema"))?,
        code: agent_code,
        tools,
        checks,
    };
    definition
        .check()
        .or_context(|| format!("`{name}` cannot be registered"))
        .or_usage()?;
    let mut capabilities = capabilities(&written.capabilities, &base, secrets, &place)?;
    capabilities.tools = definition.tools.keys().cloned().collect();
    limits(&written.limits, &name)?;
    let record = AgentRecord {
        definition,
        manifest: std::path::absolute(&path)?.display().to_string(),
        origin: super::digest(&dir),
        capabilities,
        limits: written.limits,
        level: written.level.map(level),
        working_directory: base,
        added: bundle_file::now(),
        code: StoredCode::default(),
    };
    Ok(Declared {
        record,
        code,
        needs,
    })
}

/// Names and entries of the checks, and the files that are these entries.
#[expect(clippy::type_complexity, reason = "two lists, taken apart at once")]
fn checks(
    written: &[manifest::Check],
    files: &BTreeMap<SourcePath, Vec<u8>>,
    place: &impl Fn(&str) -> String,
) -> Result<
    (
        Vec<(oacp::agent::CheckName, SourcePath)>,
        Vec<(SourcePath, Vec<u8>)>,
    ),
    Failure,
> {
    let (mut checks, mut stubs) = (Vec::new(), Vec::new());
    for (index, check) in written.iter().enumerate() {
        let at = |key: &str| place(&format!("checks[{index}].{key}"));
        let name = parsed(&check.name, &at("name"))?;
        let file: SourcePath = parsed(&check.file, &at("file"))?;
        let content = files.get(&file).ok_or_else(|| {
            Failure::usage(format!("{}: there is no file `{file}`", at("file")))
                .hint("it lies in the directory of the manifest, or below it")
        })?;
        let language = language_of(&file, &at("file"))?;
        let function = &check.function;
        let text = String::from_utf8_lossy(content);
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        if !is_identifier(function) || !words.any(|word| word == function) {
            return Err(Failure::usage(format!(
                "{}: `{file}` has no function `{function}`",
                at("function")
            ))
            .hint(
                "a check is a function of the run's input and output: def total(input, output)",
            ));
        }
        let (stub, extension) = match language {
            Language::Python => (python_stub(&file, function, &at("file"))?, "py"),
            Language::JavaScript => (javascript_stub(&file, function), "js"),
        };
        let entry: SourcePath = format!("oacp_check_{}.{extension}", index + 1).parse()?;
        if files.contains_key(&entry) {
            return Err(Failure::usage(format!(
                "`{entry}` is there already, where the check's stub has to lie"
            ))
            .hint("rename the file"));
        }
        stubs.push((entry.clone(), stub.into_bytes()));
        checks.push((name, entry));
    }
    Ok((checks, stubs))
}

fn is_identifier(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !text.is_empty() && text.chars().all(fits) && !text.starts_with(|c: char| c.is_ascii_digit())
}

/// The file that runs as a check: it hands input and output to the function.
fn python_stub(file: &SourcePath, function: &str, place: &str) -> Result<String, Failure> {
    let module = file.as_str().trim_end_matches(".py").replace('/', ".");
    if !module.split('.').all(is_identifier) {
        return Err(Failure::usage(format!(
            "{place}: `{file}` cannot be imported: its path is no module's name"
        ))
        .hint("rename it, with letters, digits and `_`"));
    }
    Ok(format!(
        "from inspect import isawaitable\n\nfrom {module} import {function} as f\n\n\nasync def run(a):\n    said = f(a[\"input\"], a[\"output\"])\n    return await said if isawaitable(said) else said\n"
    ))
}

fn javascript_stub(file: &SourcePath, function: &str) -> String {
    let file = Value::String(format!("./{file}"));
    format!(
        "import {{ {function} as f }} from {file};\n\nexport async function run(a) {{\n  return f(a.input, a.output);\n}}\n"
    )
}

/// Each tool by its digest, as it is registered now.
fn tools(
    names: &[String],
    home: &Home,
    place: &impl Fn(&str) -> String,
) -> Result<BTreeMap<ToolName, Digest>, Failure> {
    let store = tool::store(home)?;
    let (mut tools, mut missing) = (BTreeMap::new(), BTreeSet::new());
    for name in names {
        let name: ToolName = parsed(name, &place("tools"))?;
        let package = store.find(&name)?;
        match package
            .as_ref()
            .and_then(|package| package.definition(&name))
        {
            Some(definition) => drop(tools.insert(name, definition.digest())),
            None => drop(missing.insert(format!("`{name}`"))),
        }
    }
    if missing.is_empty() {
        return Ok(tools);
    }
    let missing: Vec<_> = missing.into_iter().collect();
    let missing = missing.join(", ");
    Err(
        Failure::usage(format!("{}: not registered: {missing}", place("tools")))
            .hint("`oacp tool add FILE` registers a tool, `oacp tool list` shows those that are"),
    )
}

fn schema(
    written: Option<SchemaText>,
    files: &BTreeMap<SourcePath, Vec<u8>>,
    place: &str,
) -> Result<Option<Value>, Failure> {
    let value = match written {
        None => return Ok(None),
        Some(SchemaText::Inline(value)) => value,
        Some(SchemaText::Path(path)) => {
            let path: SourcePath = parsed(&path, place)?;
            let content = files
                .get(&path)
                .ok_or_else(|| Failure::usage(format!("{place}: there is no file `{path}`")))?;
            let limits = oacp::limits::JsonLimits {
                bytes_max: oacp_tool::limits::SCHEMA_BYTES_MAX,
                depth_max: oacp::limits::JSON_DEPTH_MAX,
            };
            oacp::json::admit(content, limits)
                .or_context(|| format!("{place}: `{path}` is refused"))
                .or_usage()?
        }
    };
    Schema::admit(&value)
        .or_context(|| place.to_owned())
        .or_usage()?;
    Ok(Some(value))
}

/// What is asked for. Relative paths start at `base`.
fn capabilities(
    written: &manifest::Capabilities,
    base: &GuestPath,
    secrets: &Definitions,
    place: &impl Fn(&str) -> String,
) -> Result<Capabilities, Failure> {
    let at = |key: &str| place(&format!("capabilities.{key}"));
    let all = |texts: &[String], key: &str| {
        let at = at(key);
        let patterns = texts.iter().map(move |text| {
            let pattern = PathPattern::parse_in(text, base);
            pattern.map_err(|error| Failure::usage(format!("{at}: {error}")))
        });
        patterns.collect::<Result<BTreeSet<_>, _>>()
    };
    if !written.tools.is_empty() {
        return Err(Failure::usage(format!(
            "{}: an agent's tools stand under `tools`",
            at("tools")
        )));
    }
    let mut asked = Capabilities {
        file_read: all(&written.file_read, "file_read")?,
        file_write: all(&written.file_write, "file_write")?,
        ..Capabilities::default()
    };
    for entry in &written.network.allowlist {
        let rule: HostRule = parsed(&entry.host, &at("network"))?;
        let rule = match entry.private {
            true => rule
                .with_private(true)
                .or_context(|| at("network"))
                .or_usage()?,
            false => rule,
        };
        asked.network.allowlist.insert(rule);
    }
    for text in &written.network.denylist {
        let rule: DenyRule = parsed(text, &at("network"))?;
        asked.network.denylist.insert(rule);
    }
    for text in &written.env {
        let name: NamePattern = parsed(text, &at("env"))?;
        asked.env.insert(name);
    }
    for name in &written.secrets {
        let name: SecretName = parsed(name, &at("secrets"))?;
        let definition = secrets.find(&name);
        let definition = definition.map_err(|failure| failure.with_place(&at("secrets")))?;
        asked.secrets.insert(definition.grant.clone());
    }
    Ok(asked)
}

fn limits(written: &manifest::Limits, name: &str) -> Result<(), Failure> {
    written.check().or_context(|| name.to_owned()).or_usage()?;
    let of_tools = [
        ("result_bytes", written.result_bytes),
        ("concurrency", written.concurrency),
    ];
    for (key, limit) in of_tools {
        if limit.is_some() {
            return Err(
                Failure::usage(format!("{name}: `limits.{key}` is for tools"))
                    .hint("what an output may be is said by `output_schema`"),
            );
        }
    }
    Ok(())
}

fn language_of(file: &SourcePath, place: &str) -> Result<Language, Failure> {
    let extension = file
        .as_str()
        .rsplit_once('.')
        .map_or("", |(_, extension)| extension);
    Language::of_extension(extension).ok_or_else(|| {
        Failure::usage(format!("{place}: no language runtime for `{file}`"))
            .hint("it is a .py, .js or .mjs file; an agent's entry may be a .wasm component")
    })
}

fn level(name: LevelName) -> Level {
    match name {
        LevelName::Basic => Level::Basic,
        LevelName::Execution => Level::Execution,
        LevelName::Full => Level::Full,
        LevelName::Hardware => Level::Hardware,
    }
}

fn parsed<T: std::str::FromStr>(text: &str, place: &str) -> Result<T, Failure>
where
    T::Err: Display,
{
    text.parse()
        .map_err(|error| Failure::usage(format!("{place}: `{}`: {error}", text.escape_debug())))
}
