//! From an `agent.yaml` and the directory that it lies in to an agent that can be registered.
//!
//! The attack is a manifest from somewhere that names files of this machine: into a definition, which everybody sees. What it names lies
//! in its own directory, and links are not followed.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use oacp::agent::{AgentCode, AgentDefinition, Check, CheckName};
use oacp::digest::Digest;
use oacp::id::ToolName;
use oacp::limits::{JSON_DEPTH_MAX, JsonLimits};
use oacp::source::{Source, SourcePath};
use oacp::statement::Level;
use oacp_sandbox::Language;
use oacp_sandbox::limits::COMPONENT_BYTES_MAX;
use oacp_tool::agents::{AgentFiles, AgentRecord, StoredCode};
use oacp_tool::limits::SCHEMA_BYTES_MAX;
use oacp_tool::manifest::{self, AgentFile, LevelName, SchemaText};
use oacp_tool::needs::Needs;
use oacp_tool::schema::Schema;
use serde_json::Value;

use super::{Given, component, directory};
use crate::config::{Definitions, Text, capabilities, guest_path};
use crate::failure::{Failure, Judge};
use crate::home::Home;
use crate::yaml::{self, Spot};
use crate::{bundle_file, file, tool};

/// Its name, beside an agent's files.
pub(crate) const AGENT_FILE: &str = "agent.yaml";

/// An agent that could be registered.
pub(crate) struct Declared {
    pub(crate) record: AgentRecord,
    pub(crate) code: AgentFiles,
    /// What its source seems to need. An aid: its grant decides.
    pub(crate) needs: Needs,
}

/// The files of an agent's directory, by their paths within it.
type Files = BTreeMap<SourcePath, Vec<u8>>;

/// Reads what `path` names, an `agent.yaml` or the directory of one, with all that it refers to. Nothing of it is run.
///
/// # Errors
///
/// Usage, with line and column: the manifest is malformed, or names what is not there, or what cannot be.
pub(crate) fn declare(
    path: &Path,
    secrets: &Definitions,
    home: &Home,
) -> Result<Declared, Failure> {
    let path = manifest_of(path);
    let text = Text::read(&path)?;
    let written: AgentFile = yaml::from_str(&text.text, &text.name)?;
    let (top, dir) = (text.top(), &text.dir);
    let base = guest_path(dir)?;
    let entry: SourcePath = parsed(&written.entry, &top.key("entry"))?;
    let is_component = entry.as_str().ends_with(".wasm");
    let omitted = |path: &str| path == AGENT_FILE || (is_component && path == entry.as_str());
    let files = directory::read(dir, omitted)
        .or_context(|| format!("`{}` cannot be read", dir.display()))
        .or_usage()?;
    let files: Files = files.into_iter().collect();

    let stubs = stubs(&written.checks, &files, &top.key("checks"))?;
    let mut code = AgentFiles::default();
    if !is_component || !stubs.is_empty() {
        let stubs = stubs.iter().map(|stub| (&stub.entry, &stub.content));
        let all = files.iter().chain(stubs);
        code.files = all
            .map(|(path, content)| (path.clone(), content.clone()))
            .collect();
    }
    let checks = stubs
        .into_iter()
        .map(|Stub { name, entry, .. }| {
            let source = Source::new(code.files.clone(), entry.clone()).or_usage()?;
            Ok(Check {
                name,
                sha256: source.hash(),
                entry,
            })
        })
        .collect::<Result<_, Failure>>()?;
    let at_entry = top.key("entry");
    let (agent_code, needs) = if is_component {
        let wasm = file::read(&dir.join(entry.as_str()), COMPONENT_BYTES_MAX).or_usage()?;
        let given = component(wasm).map_err(|failure| failure.with_place(&at_entry.to_string()));
        let Given::Component(wasm) = given? else {
            return Err(at_entry.refuse("it is not a component"));
        };
        let sha256 = Digest::of(&wasm);
        code.component = Some(wasm.to_vec());
        (AgentCode::Component { sha256 }, Needs::default())
    } else {
        language_of(&entry, &at_entry)?;
        let source = Source::new(code.files.clone(), entry.clone());
        let source = source.map_err(|error| at_entry.refuse(error))?;
        let sha256 = source.hash();
        let needs = Needs::of_source(&source);
        (AgentCode::Source { sha256, entry }, needs)
    };
    let definition = AgentDefinition {
        name: parsed(&written.name, &top.key("name"))?,
        version: written.version,
        description: written.description.unwrap_or_default(),
        input_schema: schema(written.input_schema, &files, &top.key("input_schema"))?,
        output_schema: schema(written.output_schema, &files, &top.key("output_schema"))?,
        code: agent_code,
        tools: tools(&written.tools, home, &top.key("tools"))?,
        checks,
    };
    definition.check().map_err(|error| top.refuse(error))?;
    let rights = top.key("capabilities");
    if !written.capabilities.tools.is_empty() {
        let why = "an agent's tools stand under `tools` alone";
        return Err(rights.key("tools").refuse(why));
    }
    let mut capabilities = capabilities::read(&written.capabilities, &rights, &base, secrets)?;
    capabilities.tools = definition.tools.keys().cloned().collect();
    check_limits(&written.limits, &top.key("limits"))?;
    let record = AgentRecord {
        definition,
        manifest: std::path::absolute(&path)?.display().to_string(),
        origin: super::digest(dir),
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

/// The manifest that `path` means: itself, or the one in the directory.
fn manifest_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join(AGENT_FILE)
    } else {
        path.to_owned()
    }
}

/// The file that runs as a check: it hands input and output to the function.
struct Stub {
    name: CheckName,
    entry: SourcePath,
    content: Vec<u8>,
}

fn stubs(
    written: &[manifest::Check],
    files: &Files,
    spot: &Spot<'_>,
) -> Result<Vec<Stub>, Failure> {
    let mut stubs = Vec::new();
    for (index, check) in written.iter().enumerate() {
        let (at, function) = (spot.item(index), &check.function);
        let (at_file, at_function) = (at.key("file"), at.key("function"));
        let file: SourcePath = parsed(&check.file, &at_file)?;
        let content = of_directory(files, &file, &at_file)?;
        let language = language_of(&file, &at_file)?;
        let text = String::from_utf8_lossy(content);
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        if !is_identifier(function) || !words.any(|word| word == function) {
            let failure = at_function.refuse(format!("`{file}` has no function `{function}`"));
            return Err(failure.hint("a check is a function of a run's input and output"));
        }
        let (content, extension) = match language {
            Language::Python => (python(&file, function, &at_file)?, "py"),
            Language::JavaScript => (javascript(&file, function), "js"),
        };
        let entry: SourcePath = format!("oacp_check_{}.{extension}", index + 1).parse()?;
        if files.contains_key(&entry) {
            let failure = Failure::usage(format!(
                "`{entry}` is there already, where the check's stub has to lie"
            ));
            return Err(failure.hint("rename the file"));
        }
        stubs.push(Stub {
            name: parsed(&check.name, &at.key("name"))?,
            entry,
            content: content.into_bytes(),
        });
    }
    Ok(stubs)
}

fn python(file: &SourcePath, function: &str, spot: &Spot<'_>) -> Result<String, Failure> {
    let module = file.as_str().trim_end_matches(".py").replace('/', ".");
    if !module.split('.').all(is_identifier) {
        let failure = spot.refuse(format!(
            "`{file}` cannot be imported: its path is no module's name"
        ));
        return Err(failure.hint("rename it, with letters, digits and `_`"));
    }
    Ok(format!(
        "from inspect import isawaitable\n\nfrom {module} import {function} as f\n\n\nasync def run(a):\n    said = f(a[\"input\"], a[\"output\"])\n    return await said if isawaitable(said) else said\n"
    ))
}

fn javascript(file: &SourcePath, function: &str) -> String {
    let file = Value::String(format!("./{file}"));
    format!(
        "import {{ {function} as f }} from {file};\n\nexport async function run(a) {{\n  return f(a.input, a.output);\n}}\n"
    )
}

fn is_identifier(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !text.is_empty() && text.chars().all(fits) && !text.starts_with(|c: char| c.is_ascii_digit())
}

/// Each tool by its digest, as it is registered now.
fn tools(
    names: &[String],
    home: &Home,
    spot: &Spot<'_>,
) -> Result<BTreeMap<ToolName, Digest>, Failure> {
    let store = tool::store(home)?;
    let mut tools = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        let at = spot.item(index);
        let name: ToolName = parsed(name, &at)?;
        let package = store.find(&name)?;
        let definition = package
            .as_ref()
            .and_then(|package| package.definition(&name));
        let definition = definition.ok_or_else(|| {
            at.refuse(format!("no tool `{name}` is registered"))
                .hint("`oacp tool add FILE` registers one, `oacp tool list` shows those that are")
        })?;
        if package.as_ref().is_some_and(tool::is_changed) {
            let why = format!("the tool `{name}` is not what was registered");
            let hint = "`oacp tool accept PACKAGE` shows the difference; with --yes it is accepted";
            return Err(at.refuse(why).hint(hint));
        }
        tools.insert(name, definition.digest());
    }
    Ok(tools)
}

fn schema(
    written: Option<SchemaText>,
    files: &Files,
    spot: &Spot<'_>,
) -> Result<Option<Value>, Failure> {
    let value = match written {
        None => return Ok(None),
        Some(SchemaText::Inline(value)) => value,
        Some(SchemaText::Path(path)) => {
            let at = spot.key("path");
            let path: SourcePath = parsed(&path, &at)?;
            let limits = JsonLimits {
                bytes_max: SCHEMA_BYTES_MAX,
                depth_max: JSON_DEPTH_MAX,
            };
            oacp::json::admit(of_directory(files, &path, &at)?, limits)
                .or_context(|| format!("{at}: `{path}` is refused"))
                .or_usage()?
        }
    };
    Schema::admit(&value)
        .or_context(|| spot.to_string())
        .or_usage()?;
    Ok(Some(value))
}

/// A file that the manifest names.
fn of_directory<'a>(
    files: &'a Files,
    path: &SourcePath,
    spot: &Spot<'_>,
) -> Result<&'a [u8], Failure> {
    let content = files.get(path).map(Vec::as_slice);
    content.ok_or_else(|| {
        spot.refuse(format!("there is no file `{path}`"))
            .hint("what a manifest names lies in its directory, or below it")
    })
}

fn check_limits(written: &manifest::Limits, spot: &Spot<'_>) -> Result<(), Failure> {
    written.check().map_err(|e| spot.key(e.key).refuse(&e))?;
    for key in ["result_bytes", "concurrency"] {
        if written.said().any(|(said, _)| said == key) {
            let failure = spot.key(key).refuse(format!("`limits.{key}` is for tools"));
            return Err(failure.hint("what an output may be is said by `output_schema`"));
        }
    }
    Ok(())
}

fn language_of(file: &SourcePath, spot: &Spot<'_>) -> Result<Language, Failure> {
    let extension = file.as_str().rsplit_once('.');
    let language = extension.and_then(|(_, extension)| Language::of_extension(extension));
    language.ok_or_else(|| {
        spot.refuse(format!("no language runtime for `{file}`"))
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

fn parsed<T: FromStr<Err: Display>>(text: &str, spot: &Spot<'_>) -> Result<T, Failure> {
    text.parse()
        .map_err(|error| spot.refuse(format!("`{}`: {error}", text.escape_debug())))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_schema_that_is_checked_in_is_current() {
        let file =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/agent.schema.json");
        let current = format!("{:#}\n", oacp_tool::manifest::agent_file_schema());
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&file, &current).unwrap();
        }
        assert!(
            std::fs::read_to_string(&file).unwrap() == current,
            "run the test with UPDATE_EXPECT=1 and check docs/agent.schema.json in"
        );
    }
}
