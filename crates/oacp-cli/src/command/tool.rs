//! `oacp tool`: functions with types become tools that agents may call, each with its own rights.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use oacp::capability::{Capabilities, Grant};
use oacp::id::ToolName;
use oacp::source::SourcePath;
use oacp_gateway::{Logged, Node, NodeOptions};
use oacp_tool::manifest::{Instance, Limits};
use oacp_tool::needs::Works;
use oacp_tool::package::PackageName;
use oacp_tool::store::{Difference, Origin, OriginKind, Registered};
use serde_json::{Value, json};

use super::run::grant;
use crate::config::{self, RunOptions};
use crate::console::{CYAN, Console, DIM, GREEN, RED, YELLOW};
use crate::escape::visible;
use crate::failure::{Exit, Failure, Judge};
use crate::home::Home;
use crate::tool::{self, Package, line};
use crate::{accepted, bundle_file, node_key, registry, runtime};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Register the tools of a Python, JavaScript or TypeScript file, a directory, or a component
    Add(Box<Add>),
    /// List the registered tools
    List,
    /// Show a tool: what it takes and gives, what it may do, where it comes from
    Show {
        /// The tool
        name: ToolName,
    },
    /// Take what a changed file says now, after showing the difference
    Accept {
        /// The package, as `oacp tool list` names it
        package: PackageName,
        /// Accept it; without this the difference is only shown
        #[arg(long)]
        yes: bool,
    },
    /// Remove a package with all its tools
    Remove {
        /// The package, as `oacp tool list` names it
        package: PackageName,
    },
}

#[derive(Args)]
pub(crate) struct Add {
    /// A .py, .js, .mjs, .ts or .wasm (component) file, or a directory
    path: PathBuf,
    /// The package's name: its tools are NAME, or NAME.FUNCTION if it has several [default: the function's or the file's name]
    #[arg(long)]
    name: Option<PackageName>,
    /// Where a directory's tools are [default: tool.py, tool.js, tool.mjs or tool.ts at its top]
    #[arg(long, value_name = "PATH")]
    entry: Option<SourcePath>,
    #[command(flatten)]
    rights: grant::Flags,
    /// Computing allowed a call, in milliseconds of a reference machine: 1,000,000 fuel each [default: 10,000]
    #[arg(long, value_name = "MS")]
    cpu_quota_ms: Option<u64>,
    /// Wall time allowed a call, in milliseconds [default: 30,000]
    #[arg(long, value_name = "MS")]
    timeout: Option<u64>,
    /// Memory allowed a call, in MiB [default: 512]
    #[arg(long, value_name = "N")]
    memory_mb: Option<u64>,
    /// Bytes of a result [default: 1 MiB]
    #[arg(long, value_name = "N")]
    result_bytes: Option<u64>,
    /// Calls at once; others wait [default: 16]
    #[arg(long, value_name = "N")]
    concurrency: Option<u64>,
    #[command(flatten)]
    registry: registry::LogFlags,
}

pub(crate) fn run(command: Command, home: &Home, console: &Console) -> Result<Exit, Failure> {
    match command {
        Command::Add(add) => register(&add, home, console),
        Command::List => list(home, console),
        Command::Show { name } => show(&name, home, console),
        Command::Accept { package, yes } => accept(&package, yes, home, console),
        Command::Remove { package } => remove(&package, home, console),
    }
}

fn register(add: &Add, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let here = std::env::current_dir()?;
    let directory = config::guest_path(&here)?;
    let mut granted = RunOptions::default();
    add.rights.add_to(&mut granted, &directory)?;
    let limits = Limits {
        memory_mb: add.memory_mb,
        cpu_quota_ms: add.cpu_quota_ms,
        timeout_ms: add.timeout,
        result_bytes: add.result_bytes,
        concurrency: add.concurrency,
    };
    limits.check().or_usage()?;
    let (entry, name) = (add.entry.as_ref(), add.name.as_ref());
    let package = described(&add.path, entry, name, home, console)?;
    tick(console, "schema", &names(&package));
    tell_rights(&package, &granted.capabilities, console);
    tick(
        console,
        "compiled",
        &format!("{:?}", package.kind).to_lowercase(),
    );
    let registered = Registered {
        name: package.name.clone(),
        kind: package.kind,
        origin: Origin {
            kind: package.origin_kind,
            reference: std::path::absolute(&add.path)?.display().to_string(),
            sha256: package.origin,
        },
        version: None,
        definitions: package.definitions,
        // The store's to say.
        code: oacp::digest::Digest::of(b""),
        capabilities: granted.capabilities,
        limits,
        instance: Instance::PerCall,
        working_directory: Some(directory),
        signature: None,
        added: bundle_file::now(),
    };
    let registered = tool::store(home)?
        .add(registered, &package.program)
        .or_usage()?;
    let logged = log(&registered, &add.registry, home, console)?;
    tick(
        console,
        "bound",
        &format!("{} {}", registered.pin(), told(&logged)),
    );
    if console.json {
        console.print_json(&object(&registered))?;
    } else {
        for definition in &registered.definitions {
            console.print(&format!(
                "{}  {DIM}{}{DIM:#}",
                definition.name,
                definition.digest()
            ))?;
        }
    }
    let called = registered
        .definitions
        .first()
        .map(|tool| tool.name.to_string());
    console.note(&format!(
        "next: {} run AGENT --allow-tool {}",
        crate::started::name(),
        called.unwrap_or_default()
    ));
    Ok(Exit::Yes)
}

fn described(
    path: &Path,
    entry: Option<&SourcePath>,
    name: Option<&PackageName>,
    home: &Home,
    console: &Console,
) -> Result<Package, Failure> {
    let engine = runtime::engine(home)?;
    let (languages, executor) = (runtime::languages(home), runtime::executor()?);
    tool::describe(path, entry, name, &engine, &languages, &executor, console)
}

/// States the registration and logs it.
fn log(
    registered: &Registered,
    flags: &registry::LogFlags,
    home: &Home,
    console: &Console,
) -> Result<Logged, Failure> {
    let options = accepted::discovered(home, console)?;
    let asked = flags.over(options.registry)?;
    let key = node_key::load_or_make(home, console)?;
    let egress = options.egress.options()?;
    let executor = runtime::executor()?;
    let log = {
        let _entered = executor.enter();
        registry::open(
            &asked,
            home,
            key.public(),
            &egress,
            registry::Urgency::Spooled,
            console,
        )?
    };
    let node = Node::new(NodeOptions {
        key,
        engine: runtime::engine(home)?,
        languages: runtime::languages(home),
        allowed: Capabilities::default(),
        withheld: Vec::new(),
        egress,
        log: log.as_ref().map(|log| log.logging.clone()),
        state_dir: None,
    });
    let stated = node.register(
        &registered.definitions,
        registered.version.as_deref(),
        &registered.capabilities,
    );
    Ok(executor.block_on(stated)?)
}

fn told(logged: &Logged) -> String {
    match logged {
        Logged::NotLogged => "not logged: no log is configured".to_owned(),
        Logged::Logged { origin, index, .. } => format!("logged in {origin} at index {index}"),
        Logged::Spooled { reason, .. } => format!("waits for the log: {}", visible(reason)),
    }
}

fn names(package: &Package) -> String {
    let names: Vec<_> = package
        .definitions
        .iter()
        .map(|tool| tool.name.as_str())
        .collect();
    names.join(", ")
}

fn tick(console: &Console, what: &str, text: &str) {
    console.note(&format!("{GREEN}✓{GREEN:#} {what:<9} {text}"));
}

/// What the code seems to need, against what it is granted: an aid, for the sandbox decides.
fn tell_rights(package: &Package, granted: &Capabilities, console: &Console) {
    let grant = Grant::attenuate(granted, granted);
    let count = if granted.is_empty() {
        "nothing is granted".to_owned()
    } else {
        format!(
            "granted: {}",
            crate::rights::lines(grant.capabilities()).join(", ")
        )
    };
    tick(console, "rights", &count);
    for need in &package.needs.list {
        if let Works::No { instead } = &need.works {
            console.note(&format!(
                "  {YELLOW}cannot work{YELLOW:#}: {} ({}): {}",
                visible(&need.what),
                visible(&need.why()),
                visible(instead)
            ));
        } else if need.capability.is_some() {
            console.note(&format!(
                "  {DIM}seems to use {} ({}){DIM:#}",
                visible(&need.what),
                visible(&need.why())
            ));
        }
    }
    for warning in &package.warnings {
        console.note(&format!("  {YELLOW}note{YELLOW:#}: {}", line(warning)));
    }
}

fn list(home: &Home, console: &Console) -> Result<Exit, Failure> {
    let mut packages = Vec::new();
    let mut exit = Exit::Yes;
    for package in tool::store(home)?.list()? {
        match package {
            Ok(package) => packages.push(package),
            // One that is damaged keeps the others from nobody.
            Err(error) => {
                exit = Exit::Unable;
                console.say(&format!("{RED}damaged{RED:#}: {error}"));
            }
        }
    }
    if console.json {
        console.print_json(&packages.iter().map(object).collect::<Vec<_>>())?;
        return Ok(exit);
    }
    for package in &packages {
        for definition in &package.definitions {
            let summary = definition.description.lines().next().unwrap_or_default();
            console.print(&format!(
                "{}  {DIM}{}{DIM:#}  {}",
                definition.name,
                definition.digest().short(),
                visible(summary)
            ))?;
        }
    }
    if packages.is_empty() {
        console.note("no tool is registered; `oacp tool add FILE` registers one");
    }
    Ok(exit)
}

fn show(name: &ToolName, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let missing = || {
        Failure::usage(format!("no tool `{name}` is registered"))
            .hint("`oacp tool list` shows those that are")
    };
    let package = tool::store(home)?.find(name)?.ok_or_else(missing)?;
    let definition = package.definition(name).ok_or_else(missing)?;
    if console.json {
        console.print_json(&object(&package))?;
        return Ok(Exit::Yes);
    }
    let rights = if package.capabilities.is_empty() {
        "none".to_owned()
    } else {
        crate::rights::lines(&package.capabilities).join(", ")
    };
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default();
    let output = definition
        .output_schema
        .as_ref()
        .map_or_else(|| "not said".to_owned(), pretty);
    console.print(&format!(
        "{CYAN}{name}{CYAN:#}  {}\n\n{}\n\ntakes   {}\ngives   {output}\nrights  {rights}\ncode    {}\nfrom    {}\nadded   {}",
        definition.digest(),
        visible(&definition.description),
        pretty(&definition.input_schema),
        definition.code.sha256(),
        visible(&package.origin.reference),
        package.added,
    ))?;
    Ok(Exit::Yes)
}

fn accept(name: &PackageName, yes: bool, home: &Home, console: &Console) -> Result<Exit, Failure> {
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

fn remove(name: &PackageName, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let removed = tool::store(home)?.remove(name)?;
    let Some(removed) = removed else {
        return Err(
            Failure::usage(format!("no package `{name}` is registered")).hint(
                "`oacp tool list` shows the tools; of `weather.forecast` the package is `weather`",
            ),
        );
    };
    if console.json {
        console.print_json(&object(&removed))?;
    } else {
        let names: Vec<_> = removed
            .definitions
            .iter()
            .map(|tool| tool.name.as_str())
            .collect();
        console.print(&format!("removed {}", names.join(", ")))?;
    }
    Ok(Exit::Yes)
}

/// A package for programs.
fn object(package: &Registered) -> Value {
    let tool = |definition: &oacp::tool::Definition| json!({ "digest": definition.digest(), "definition": definition });
    let tools: BTreeMap<_, _> = package
        .definitions
        .iter()
        .map(|definition| (definition.name.as_str(), tool(definition)))
        .collect();
    json!({
        "package": package.name,
        "kind": package.kind,
        "origin": package.origin,
        "pin": package.pin(),
        "capabilities": package.capabilities,
        "limits": package.limits,
        "instance": package.instance,
        "added": package.added,
        "tools": tools,
    })
}
