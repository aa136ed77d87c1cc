//! `oacp agent`: agents that are held to a definition, by a name.

mod accept;
mod add;

use std::path::PathBuf;

use clap::Subcommand;
use oacp::agent::AgentName;
use oacp_tool::agents::AgentRecord;
use serde_json::{Value, json};

use crate::agent::{self, kind, store};
use crate::console::{CYAN, Console, DIM, RED};
use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::home::Home;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Register the agent of an agent.yaml
    Add {
        /// The agent.yaml, or the directory that it lies in
        path: PathBuf,
        /// Register it with the rights that it asks for; without this they are only shown
        #[arg(long)]
        yes: bool,
    },
    /// Say what would be in the way of registering and running an agent; nothing is run
    Check {
        /// The agent.yaml, the directory that it lies in, or a registered agent's name
        path: PathBuf,
    },
    /// List the registered agents
    List,
    /// Show an agent: what it takes and gives, its tools, checks and rights, where it comes from
    Show {
        /// The agent
        name: AgentName,
    },
    /// Take what a changed agent.yaml and its files say now, after showing the difference
    Accept {
        /// The agent
        name: AgentName,
        /// Accept it; without this the difference is only shown
        #[arg(long)]
        yes: bool,
    },
    /// Remove an agent
    Remove {
        /// The agent
        name: AgentName,
    },
}

pub(crate) fn run(command: Command, home: &Home, console: &Console) -> Result<Exit, Failure> {
    match command {
        Command::Add { path, yes } => add::add(&path, yes, home, console),
        Command::Check { path } => add::check(&path, home, console),
        Command::List => list(home, console),
        Command::Show { name } => show(&name, home, console),
        Command::Accept { name, yes } => accept::accept(&name, yes, home, console),
        Command::Remove { name } => remove(&name, home, console),
    }
}

/// The agent of this name.
fn registered(name: &AgentName, home: &Home) -> Result<AgentRecord, Failure> {
    agent::store(home).get(name)?.ok_or_else(|| {
        Failure::usage(format!("no agent `{name}` is registered"))
            .hint("`oacp agent list` shows those that are; `oacp agent add PATH` registers one")
    })
}

fn list(home: &Home, console: &Console) -> Result<Exit, Failure> {
    let mut agents = Vec::new();
    let mut exit = Exit::Yes;
    for agent in store(home).list()? {
        match agent {
            Ok(agent) => agents.push(agent),
            // One that is damaged keeps the others from nobody.
            Err(error) => {
                exit = Exit::Unable;
                console.say(&format!("{RED}damaged{RED:#}: {error}"));
            }
        }
    }
    if console.json {
        console.print_json(&agents.iter().map(object).collect::<Vec<_>>())?;
        return Ok(exit);
    }
    for agent in &agents {
        let definition = &agent.definition;
        let summary = definition.description.lines().next().unwrap_or_default();
        console.print(&format!(
            "{}  {DIM}{}{DIM:#}  {}",
            definition.name,
            definition.digest().short(),
            visible(summary)
        ))?;
    }
    if agents.is_empty() {
        console.note("no agent is registered; `oacp agent add PATH` registers one");
    }
    Ok(exit)
}

fn show(name: &AgentName, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let agent = registered(name, home)?;
    if console.json {
        console.print_json(&object(&agent))?;
        return Ok(Exit::Yes);
    }
    let definition = &agent.definition;
    let schema = |schema: &Option<Value>| match schema {
        None => "not said".to_owned(),
        Some(schema) => serde_json::to_string_pretty(schema).unwrap_or_default(),
    };
    let listed = |list: Vec<String>| match list.is_empty() {
        true => "none".to_owned(),
        false => list.join(", "),
    };
    let checks = definition.checks.iter().map(|check| check.name.to_string());
    let rights = crate::rights::lines(&agent.capabilities);
    let version = definition.version.as_deref().unwrap_or("not said");
    console.print(&format!(
        "{CYAN}{name}{CYAN:#}  {}\n\n{}\n\nversion {}\ntakes   {}\ngives   {}\nchecks  {}\nrights  {}\ncode    {}  {}\nfrom    {}\nadded   {}",
        definition.digest(),
        visible(&definition.description),
        visible(version),
        schema(&definition.input_schema),
        schema(&definition.output_schema),
        listed(checks.collect()),
        listed(rights.iter().map(|right| visible(right).into_owned()).collect()),
        definition.code.sha256(),
        kind(&agent),
        visible(&agent.manifest),
        agent.added,
    ))?;
    Ok(Exit::Yes)
}

fn remove(name: &AgentName, home: &Home, console: &Console) -> Result<Exit, Failure> {
    // One whose record is damaged can be removed, too.
    match store(home).remove(name) {
        Err(oacp_tool::agents::AgentsError::Missing(_)) => {
            registered(name, home)?;
        }
        removed => removed?,
    }
    if console.json {
        console.print_json(&json!({ "removed": name }))?;
    } else {
        console.print(&format!("removed {name}"))?;
    }
    Ok(Exit::Yes)
}

/// An agent for programs.
fn object(agent: &AgentRecord) -> Value {
    json!({
        "name": agent.definition.name,
        "digest": agent.definition.digest(),
        "definition": agent.definition,
        "manifest": agent.manifest,
        "capabilities": agent.capabilities,
        "limits": agent.limits,
        "level": agent.level,
        "added": agent.added,
    })
}
