//! `oacp run`: the result on standard output, everything else on standard error, the bundle in a file.

mod answer;
mod input;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use oacp::capability::Capabilities;
use oacp::event::{LogLevel, Seed};
use oacp::id::{Audience, Nonce, Principal, SandboxName};
use oacp::outcome::Outcome;
use oacp::source::SourcePath;
use oacp_gateway::{Call, Execution, Node, NodeOptions, execute};
use oacp_sandbox::limits::FUEL_PER_QUOTA_MS;
use oacp_sandbox::{Cancel, Language, LogLine, Tools};

use crate::agent;
use crate::config::{self, LevelName, MEMORY_MB_MAX, QUOTA_MS_MAX, RunOptions};
use crate::console::{CYAN, Console, DIM, RED, YELLOW};
use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::file::{self, Existing};
use crate::home::Home;
use crate::{bundle_file, node_key, runtime};

/// The longest `--timeout`: a day, as long as a sandbox's key may sign.
const TIMEOUT_MS_MAX: u64 = 24 * 60 * 60 * 1000;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The agent: a .py, .js, .mjs or .wasm (component) file, a directory, or a .zip of one
    file: PathBuf,
    /// The input: JSON, @FILE, or - for standard input
    #[arg(
        long,
        short,
        value_name = "JSON|@FILE|-",
        default_value = "null",
        allow_hyphen_values = true
    )]
    input: String,
    /// Where an agent of several files starts [default: agent.py, main.py, agent.js, … at its top]
    #[arg(long, value_name = "PATH")]
    entry: Option<SourcePath>,
    /// Write the bundle there [default: ~/.oacp/runs/<execution id>.json]
    #[arg(long, short, value_name = "OUT")]
    bundle: Option<PathBuf>,
    /// Replace the bundle file if it is there already
    #[arg(long, requires = "bundle")]
    force: bool,
    /// Put the language runtime into the bundle, so that it can be run again where that is not at hand
    #[arg(long)]
    with_runtime: bool,
    /// Take limits and level from this configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Computing allowed, in fuel: 1,000,000 are a millisecond of a reference machine [default: 10,000 ms]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=QUOTA_MS_MAX * FUEL_PER_QUOTA_MS))]
    fuel: Option<u64>,
    /// Wall time allowed, in milliseconds [default: 30,000]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=TIMEOUT_MS_MAX))]
    timeout: Option<u64>,
    /// Memory allowed, in MiB [default: 512]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MEMORY_MB_MAX))]
    memory_mb: Option<u64>,
    /// What the bundle is to show [default: execution]
    #[arg(long, value_enum)]
    level: Option<LevelName>,
    /// Run within the sandbox of this name, which keeps its identity from run to run
    #[arg(long, value_name = "NAME")]
    sandbox: Option<SandboxName>,
    /// A text that the verifier expects, so that an old bundle is no answer
    #[arg(long, value_name = "TEXT")]
    nonce: Option<Nonce>,
    /// For whom the bundle is made
    #[arg(long, value_name = "TEXT")]
    audience: Option<Audience>,
    /// The seed of the agent's randomness, 64 hex digits [default: fresh]
    #[arg(long, value_name = "HEX")]
    seed: Option<Seed>,
}

pub(crate) fn run(arguments: Arguments, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let options = options(&arguments, console)?;
    if let Some(taken) = arguments
        .bundle
        .as_deref()
        .filter(|file| !arguments.force && file.exists())
    {
        return Err(bundle_file::taken(taken));
    }
    let given = agent::load(&arguments.file, arguments.entry.as_ref())?;
    let input = input::read(&arguments.input)?;

    let key = node_key::load_or_make(home, console)?;
    let engine = runtime::engine(home)?;
    let languages = runtime::languages(home);
    let runtime = given.language().map(Language::digest).transpose()?;
    let agent = runtime::load(given, &engine, &languages, console)?;
    let node = Node::new(NodeOptions {
        key,
        engine,
        languages,
        allowed: Capabilities::default(),
        state_dir: Some(home.sandboxes()),
    });
    let sandbox = node.spawn(arguments.sandbox.as_ref())?;
    let cancel = Cancel::default();
    let call = Call {
        agent,
        input,
        asked: Capabilities::default(),
        tools: Tools::none(),
        limits: options.limits,
        level: options.level,
        nonce: arguments.nonce,
        audience: arguments.audience,
        seed: arguments.seed,
        clock_start: None,
        principal: principal()?,
        observer: Some(Arc::new(log_to(*console))),
        cancel: cancel.clone(),
    };
    let executor = runtime::executor()?;
    runtime::cancel_on_interrupt(executor.handle(), cancel, *console);
    let mut execution = executor.block_on(execute(&node, &sandbox, call))?;
    if let Some(runtime) = runtime.filter(|_| arguments.with_runtime) {
        execution.bundle = execution
            .bundle
            .with_runtime(node.languages().read(&runtime)?);
    }

    let file = write_bundle(
        &execution,
        arguments.bundle.as_deref(),
        arguments.force,
        home,
    )?;
    if console.json {
        console.print_json(&answer::Answer::of(&execution, &file)?)?;
    } else {
        answer::print(&execution, &file, console)?;
    }
    Ok(if execution.outcome == Outcome::Ok {
        Exit::Yes
    } else {
        Exit::No
    })
}

/// Limits and level: what the command line says, else the configuration, else the defaults.
fn options(arguments: &Arguments, console: &Console) -> Result<RunOptions, Failure> {
    let mut options = match &arguments.config {
        Some(file) => config::for_run(file)?,
        None => {
            if Path::new("oacp.yaml").exists() {
                console.note("note: ./oacp.yaml is not used: a file that is merely found configures nothing; give --config oacp.yaml");
            }
            RunOptions::default()
        }
    };
    options.limits.fuel = arguments.fuel.unwrap_or(options.limits.fuel);
    options.limits.timeout_ms = arguments.timeout.unwrap_or(options.limits.timeout_ms);
    if let Some(mb) = arguments.memory_mb {
        options.limits.memory_bytes_max = usize::try_from(mb << 20).unwrap_or(usize::MAX);
    }
    options.level = arguments.level.map(Into::into).or(options.level);
    Ok(options)
}

/// Who asks: this user, as the system knows it. Names are not read from the environment, which anybody may set.
pub(super) fn principal() -> Result<Principal, Failure> {
    #[cfg(unix)]
    let text = format!("local uid {}", rustix::process::getuid().as_raw());
    #[cfg(not(unix))]
    let text = "local".to_owned();
    Ok(text.parse()?)
}

/// Shows log lines as they are recorded.
pub(super) fn log_to(console: Console) -> impl Fn(LogLine<'_>) + Send + Sync {
    move |line| {
        let (style, name) = match line.level {
            LogLevel::Debug => (DIM, "debug"),
            LogLevel::Info => (CYAN, "info"),
            LogLevel::Warning => (YELLOW, "warning"),
            LogLevel::Error => (RED, "error"),
        };
        console.say(&format!(
            "{style}{name:>7}{style:#} {DIM}|{DIM:#} {}",
            visible(line.message)
        ));
    }
}

fn write_bundle(
    execution: &Execution,
    named: Option<&Path>,
    force: bool,
    home: &Home,
) -> Result<PathBuf, Failure> {
    let (file, existing) = match named {
        Some(file) => (
            std::path::absolute(file)?,
            if force {
                Existing::Replace
            } else {
                Existing::Keep
            },
        ),
        None => {
            file::create_private_dir(&home.runs())?;
            (
                home.runs().join(format!("{}.json", execution.execution_id)),
                Existing::Keep,
            )
        }
    };
    bundle_file::write(&file, &execution.bundle, existing)?;
    Ok(file)
}
