//! `oacp tool`: functions with types become tools that agents may call, each with its own rights.

mod accept;
mod add;
mod call;
mod check;
mod consent;
mod declared;
mod dev;
mod new;
mod pin;
mod sign;
mod test;
mod trial;

pub(super) use declared::register_missing;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Subcommand;
use oacp::id::ToolName;
use oacp_tool::manifest::Instance;
use oacp_tool::package::PackageName;
use oacp_tool::store::Registered;
use serde_json::{Value, json};

use crate::console::{CYAN, Console, DIM, RED};
use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::tool;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Register the tools of a Python, JavaScript or TypeScript file, a directory, or a component, from here or elsewhere
    Add(Box<add::Add>),
    /// Call one tool, print its result and write the bundle of the call
    Call(Box<call::Call>),
    /// Write a small tool to start from, with examples
    New(new::New),
    /// Run the examples that travel with a tool, without registering it
    Test(Box<test::Test>),
    /// Say what is wrong with a tool, what it needs, how fast it is and what its results depend on, without registering it
    Check(Box<check::Check>),
    /// Describe and test a tool again whenever its files change, until Ctrl-C
    Dev(Box<dev::Dev>),
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
        /// Where it is now, as `oacp tool add` takes it [default: where it came from; of a registry, what the tag stands for now]
        #[arg(long, value_name = "REFERENCE")]
        from: Option<PathBuf>,
        #[command(flatten)]
        signatures: tool::SignatureFlags,
    },
    /// Show what a package or a tool is pinned to, and compare it with what it has to be
    Pin(pin::Arguments),
    /// Sign a file with this node's key, for others to check who hands it on
    Sign(sign::Sign),
    /// Remove a package with all its tools
    Remove {
        /// The package, as `oacp tool list` names it
        package: PackageName,
    },
}

pub(crate) fn run(command: Command, home: &Home, console: &Console) -> Result<Exit, Failure> {
    match command {
        Command::Add(add) => add::register(&add, home, console),
        Command::Call(call) => call::call(*call, home, console),
        Command::Test(arguments) => test::test(&arguments, home, console),
        Command::New(arguments) => new::new(&arguments, console),
        Command::Dev(arguments) => dev::dev(&arguments, home, console),
        Command::Check(arguments) => check::check(&arguments, home, console),
        Command::List => list(home, console),
        Command::Show { name } => show(&name, home, console),
        Command::Pin(arguments) => pin::pin(&arguments, home, console),
        Command::Accept {
            package,
            yes,
            from,
            signatures,
        } => accept::accept(&package, yes, from.as_deref(), &signatures, home, console),
        Command::Sign(sign) => sign::sign(&sign, home, console),
        Command::Remove { package } => remove(&package, home, console),
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
    let package = tool::registered(name, home)?;
    let definition = package
        .definition(name)
        .ok_or_else(|| tool::unknown(name))?;
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
    let signed = match &package.signature {
        Some(signature) => format!(
            "\nsigned  {}, key {}",
            visible(&signature.kind),
            visible(&signature.signer)
        ),
        None => String::new(),
    };
    console.print(&format!(
        "{CYAN}{name}{CYAN:#}  {}\n\n{}\n\ntakes   {}\ngives   {output}\nrights  {rights}\n{}code    {}\nfrom    {}{signed}\nadded   {}",
        definition.digest(),
        visible(&definition.description),
        pretty(&definition.input_schema),
        terms(&package),
        definition.code.sha256(),
        visible(&package.origin.reference),
        package.added,
    ))?;
    Ok(Exit::Yes)
}

/// What was said of it beside its rights, a line each.
fn terms(package: &Registered) -> String {
    let mut text = String::new();
    if let Some(version) = &package.version {
        text.push_str(&format!("version {}\n", visible(version)));
    }
    if let Ok(Value::Object(limits)) = serde_json::to_value(package.limits)
        && !limits.is_empty()
    {
        let limits: Vec<_> = limits
            .iter()
            .map(|(key, limit)| format!("{key} {limit}"))
            .collect();
        text.push_str(&format!("limits  {}\n", limits.join(", ")));
    }
    match package.instance {
        Instance::PerCall => {}
        Instance::PerRun => text.push_str("keeps   what it remembers, for a run\n"),
        Instance::Kept => text.push_str("keeps   what it remembers, from run to run\n"),
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
        "version": package.version,
        "signature": package.signature,
        "pin": package.pin(),
        "capabilities": package.capabilities,
        "limits": package.limits,
        "instance": package.instance,
        "added": package.added,
        "tools": tools,
    })
}
