//! `oacp tool pin`: what a package or a tool is pinned to, and whether it is what somebody expects.

use std::collections::BTreeMap;

use clap::Args;
use oacp::digest::Digest;
use oacp::id::ToolName;
use oacp::tool::Definition;
use oacp_tool::package::PackageName;
use serde_json::json;

use crate::console::{Console, DIM};
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::tool;

#[derive(Args)]
pub(crate) struct Arguments {
    /// A package; or one tool of a package that has several, as `weather.forecast`
    name: ToolName,
    /// What it has to be: the package's pin, or the tool's digest. Exits with 1 if it is not
    #[arg(long, value_name = "sha256:…")]
    expect: Option<Digest>,
}

pub(super) fn pin(arguments: &Arguments, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let name = &arguments.name;
    let store = tool::store(home)?;
    let found = match name.as_str().parse::<PackageName>() {
        Ok(package) => store.package(&package)?.map(|package| {
            let pin = package.pin();
            (package.definitions, pin)
        }),
        // With a dot it is a tool's name, and no package's.
        Err(_) => store.find(name)?.and_then(|package| {
            let tool = package.definition(name)?.clone();
            let pin = tool.digest();
            Some((vec![tool], pin))
        }),
    };
    let (tools, pin) = found.ok_or_else(|| {
        Failure::usage(format!("no package or tool `{name}` is registered"))
            .hint("`oacp tool list` shows those that are")
    })?;
    let matches = arguments.expect.map(|expected| expected == pin);
    if console.json {
        print_json(name, &tools, pin, matches, console)?;
    } else {
        console.print(&format!("{name}  {pin}"))?;
        for tool in tools {
            let (digest, code) = (tool.digest(), tool.code.sha256());
            if digest != pin {
                console.print(&format!("  {}  {digest}", tool.name))?;
            }
            console.print(&format!("  {DIM}code {code}{DIM:#}"))?;
        }
    }
    match (matches, arguments.expect) {
        (Some(false), Some(expected)) => {
            console.say(&format!(
                "`{name}` is pinned to something else than {expected}"
            ));
            Ok(Exit::No)
        }
        _ => Ok(Exit::Yes),
    }
}

fn print_json(
    name: &ToolName,
    tools: &[Definition],
    pin: Digest,
    matches: Option<bool>,
    console: &Console,
) -> Result<(), Failure> {
    let tools: BTreeMap<_, _> = tools
        .iter()
        .map(|tool| {
            let pinned = json!({ "digest": tool.digest(), "code": tool.code.sha256() });
            (tool.name.as_str(), pinned)
        })
        .collect();
    let object = json!({
        "name": name,
        "pin": pin,
        "tools": tools,
        "matches": matches,
    });
    Ok(console.print_json(&object)?)
}
