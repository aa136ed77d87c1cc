//! `oacp tool call`: one call of one tool, by an agent that does nothing else.
//!
//! So a call from the command line is judged, limited and attested as any other is, and its bundle says the same: which definition was
//! called, with which arguments, and the execution that it was.

use std::path::PathBuf;

use clap::Args;
use oacp::capability::Capabilities;
use oacp::id::{Audience, Nonce, ToolName};
use oacp::source::Source;
use oacp_sandbox::Language;

use super::register_missing;
use crate::agent::Given;
use crate::command::run::{self, Asked, input};
use crate::config::LevelName;
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::file::Existing;
use crate::home::Home;
use crate::{accepted, registry, tool};

/// The agent.
const CALLER: &str = include_str!("call/caller.py");

/// How much longer than the tool its caller waits, in milliseconds: it is the tool's own limit that ends a call.
const MARGIN_MS: u64 = 10_000;

#[derive(Args)]
pub(crate) struct Call {
    /// The tool, as `oacp tool list` names it
    name: ToolName,
    /// The arguments: a JSON object, @FILE, or - for standard input
    #[arg(
        long,
        value_name = "JSON|@FILE|-",
        default_value = "{}",
        allow_hyphen_values = true
    )]
    args: String,
    /// Write the bundle there [default: ~/.oacp/runs/<execution id>.json]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the bundle file if it is there already
    #[arg(long, requires = "out")]
    force: bool,
    /// What the bundle is to show [default: execution]
    #[arg(long, value_enum, ignore_case = true)]
    level: Option<LevelName>,
    /// A text that the verifier expects, so that an old bundle is no answer
    #[arg(long, value_name = "TEXT")]
    nonce: Option<Nonce>,
    /// For whom the bundle is made
    #[arg(long, value_name = "TEXT")]
    audience: Option<Audience>,
    #[command(flatten)]
    registry: registry::LogFlags,
}

pub(super) fn call(call: Call, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let existing = match call.force {
        true => Existing::Replace,
        false => Existing::Keep,
    };
    run::refuse_taken(call.out.as_deref(), existing)?;
    let arguments = input::read(&call.args, input::What::Arguments)?;
    let mut options = accepted::discovered(home, console)?;
    // What the configuration grants is for agents of the project. This one is granted the tool alone.
    options.capabilities = Capabilities {
        tools: [call.name.clone()].into(),
        ..Capabilities::default()
    };
    register_missing(&options, home, console)?;
    let package = tool::registered(&call.name, home)?;
    let declared = options.tools.get(&package.name);
    let limits = declared.map_or(&package.limits, |declared| &declared.limits);
    options.limits = oacp_sandbox::Limits {
        timeout_ms: tool::limits(limits).timeout_ms + MARGIN_MS,
        ..oacp_sandbox::Limits::default()
    };
    options.level = call.level.map(Into::into).or(options.level);
    options.registry = call.registry.over(options.registry)?;
    let asked = Asked {
        registered: None,
        given: Given::Source {
            language: Language::Python,
            source: Source::single("caller.py".parse()?, CALLER.as_bytes().to_vec())?,
        },
        // A tool's name has no character that JSON would escape; the arguments' text stays as it is.
        input: format!(r#"{{"tool":"{}","arguments":{arguments}}}"#, call.name),
        options,
        bundle: call.out,
        existing,
        with_runtime: false,
        is_traced: false,
        ask: false,
        learning: None,
        sandbox: None,
        nonce: call.nonce,
        audience: call.audience,
        seed: None,
    };
    run::perform(asked, home, console)
}
