//! `oacp run`: the result on standard output, everything else on standard error, the bundle in a file.

mod answer;
mod ask;
pub(super) mod grant;
pub(super) mod input;
mod learn;
mod learned;
mod logged;

pub(super) use logged::Told;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use oacp::capability::{Capabilities, GuestPath};
use oacp::event::{LogLevel, Seed, Written};
use oacp::id::{Audience, Nonce, Principal, SandboxName};
use oacp::outcome::Outcome;
use oacp::source::SourcePath;
use oacp::statement::Level;
use oacp::trust::Trust;
use oacp_gateway::{Call, ExecuteError, Execution, Node, NodeOptions, RegistryError, execute};
use oacp_sandbox::limits::FUEL_PER_QUOTA_MS;
use oacp_sandbox::{Ask, Cancel, Language, LogLine, Tools};
use oacp_tool::agents::AgentRecord;

use crate::agent::{self, Given, Registered};
use crate::config::{self, LevelName, MEMORY_MB_MAX, QUOTA_MS_MAX, RunOptions};
use crate::console::{CYAN, Console, DIM, RED, YELLOW};
use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::file::{self, Existing, Readers};
use crate::home::Home;
use crate::project::Answers;
use crate::{
    accepted, bundle_file, environment, node_key, question, registry, runtime, secret, tool, trust,
};

/// The longest `--timeout`: a day, as long as a sandbox's key may sign.
const TIMEOUT_MS_MAX: u64 = 24 * 60 * 60 * 1000;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The agent: a .py, .js, .mjs or .wasm (component) file, a directory, or a .zip of one; or a registered agent's name
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
    /// Take rights, limits and level from this configuration [default: oacp.yaml, if it was accepted]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    rights: grant::Flags,
    /// Ask on the terminal, once for each right that is not granted. Without a terminal nothing more is granted
    #[arg(long, help_heading = grant::HEADING)]
    ask: bool,
    /// Write the smallest grant for what was denied into a configuration. `allow-reads` lets the agent read below the current directory
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "strict", conflicts_with = "ask", help_heading = grant::HEADING)]
    learn: Option<learn::How>,
    /// Where that is written [default: oacp.learned.yaml]
    #[arg(long, value_name = "FILE", requires = "learn", help_heading = grant::HEADING)]
    learn_file: Option<PathBuf>,
    /// Computing allowed, in fuel: 1,000,000 are a millisecond of a reference machine [default: 10,000 ms]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=QUOTA_MS_MAX * FUEL_PER_QUOTA_MS))]
    fuel: Option<u64>,
    /// Wall time allowed, in milliseconds [default: 30,000; with --ask 600,000]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=TIMEOUT_MS_MAX))]
    timeout: Option<u64>,
    /// Memory allowed, in MiB [default: 512]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MEMORY_MB_MAX))]
    memory_mb: Option<u64>,
    /// What the bundle is to show [default: execution]
    #[arg(long, value_enum, ignore_case = true)]
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
    #[command(flatten)]
    registry: registry::LogFlags,
}

/// What is run and how, once the command line is read.
pub(super) struct Asked {
    pub(super) given: Given,
    /// What the run is held to. `None`: it is no registered agent's.
    pub(super) registered: Option<Registered>,
    pub(super) input: String,
    /// Rights, limits, level and log.
    pub(super) options: RunOptions,
    /// Where the bundle goes. `None`: to the others of this machine.
    pub(super) bundle: Option<PathBuf>,
    /// What if there is one.
    pub(super) existing: Existing,
    pub(super) with_runtime: bool,
    /// Whether the agent is one that somebody wrote: where it failed says nothing of one that is this program's own.
    pub(super) is_traced: bool,
    pub(super) ask: bool,
    pub(super) learning: Option<learn::Learning>,
    pub(super) sandbox: Option<SandboxName>,
    pub(super) nonce: Option<Nonce>,
    pub(super) audience: Option<Audience>,
    pub(super) seed: Option<Seed>,
}

pub(crate) fn run(arguments: Arguments, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let existing = match arguments.force {
        true => Existing::Replace,
        false => Existing::Keep,
    };
    refuse_taken(arguments.bundle.as_deref(), existing)?;
    let directory = config::guest_path(&std::env::current_dir()?)?;
    let registered = agent::find(&arguments.file, home)?;
    let record = registered.as_ref().map(|registered| &registered.record);
    match record {
        Some(record) => refuse_beside(&arguments, record)?,
        None if arguments.file.join(agent::AGENT_FILE).is_file() => console.note(&format!(
            "its {} says nothing about this run: `oacp agent add {}` registers the agent that it describes",
            agent::AGENT_FILE,
            visible(&arguments.file.display().to_string())
        )),
        None => {}
    }
    let options = options(&arguments, record, &directory, home, console)?;
    let learning = arguments
        .learn
        .map(|how| learn::Learning::begin(how, arguments.learn_file.as_deref()))
        .transpose()?;
    let asked = Asked {
        given: match &registered {
            Some(registered) => registered.given()?,
            None => agent::load(&arguments.file, arguments.entry.as_ref())?,
        },
        registered,
        input: input::read(&arguments.input, input::What::Input)?,
        options,
        bundle: arguments.bundle,
        existing,
        with_runtime: arguments.with_runtime,
        is_traced: true,
        ask: arguments.ask,
        learning,
        sandbox: arguments.sandbox,
        nonce: arguments.nonce,
        audience: arguments.audience,
        seed: arguments.seed,
    };
    perform(asked, home, console)
}

/// Refuses to begin what could not be kept.
pub(super) fn refuse_taken(bundle: Option<&Path>, existing: Existing) -> Result<(), Failure> {
    match bundle.filter(|file| existing == Existing::Keep && file.exists()) {
        Some(taken) => Err(bundle_file::taken(taken)),
        None => Ok(()),
    }
}

/// Runs, keeps the bundle, and tells what came of it.
pub(super) fn perform(asked: Asked, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let Asked {
        given,
        registered,
        input,
        mut options,
        learning,
        ..
    } = asked;
    let here = std::env::current_dir()?;
    let directory = config::guest_path(&here)?;
    let granted_before = options.capabilities.clone();
    let ask = if asked.ask {
        asking(&mut options, &here, home, console)?
    } else {
        None
    };
    if let Some(learning) = &learning {
        learning.widen(&mut options.capabilities, &directory)?;
    }
    let secrets = secret::values(&options.capabilities, &options.secrets)?;
    let environment = environment::offered(&secret::variables(&options.secrets));
    warn_of_useless_secrets(&options.capabilities, console);

    super::tool::register_missing(&options, home, console)?;
    let key = node_key::load_or_make(home, console)?;
    let egress = options.egress.clone().options()?;
    let executor = runtime::executor()?;
    let log = {
        // Witnesses are asked on it.
        let _entered = executor.enter();
        let urgency = logged::urgency(options.level);
        registry::open(
            &options.registry,
            home,
            key.public(),
            &egress,
            urgency,
            console,
        )?
    };
    let policy = log.as_ref().map(|log| log.logging.policy.clone());
    let own_trust = Trust::this_machine(trust::THIS_MACHINE, key.public(), policy)?;
    let engine = runtime::engine(home)?;
    let languages = runtime::languages(home);
    let runtime = given.language().map(Language::digest).transpose()?;
    let offers_nothing = offers_no_function(&given);
    let agent = runtime::load(given, &engine, &languages, console)?;
    let definition = match &registered {
        Some(registered) => Some(registered.held(&engine, &languages, console)?),
        None => None,
    };
    let store = tool::store(home)?;
    let askable = match ask {
        Some(_) => tool::askable(&store)?,
        None => Default::default(),
    };
    let bindings = tool::bind(
        &options,
        &askable,
        &environment,
        &store,
        &engine,
        &languages,
    )?;
    let node = Node::new(NodeOptions {
        key,
        engine,
        languages,
        // What its tools are granted beside the agent is theirs alone: it asks for no more than its own.
        allowed: options.capabilities.union(&bindings.rights),
        state_dir: Some(home.sandboxes()),
        withheld: secret::files(&options.secrets)
            .chain([home.root().to_owned()])
            .chain(asked.bundle.iter().cloned())
            .chain(options.registry.withheld())
            .collect(),
        egress: egress.clone(),
        log: log.as_ref().map(|log| log.logging.clone()),
    });
    let sandbox = node.spawn(asked.sandbox.as_ref())?;
    let cancel = Cancel::default();
    let printed = Arc::new(AtomicBool::new(false));
    let call = Call {
        agent,
        definition,
        input,
        asked: options.capabilities,
        tools: Tools::none(),
        bound: bindings.bound,
        limits: options.limits,
        level: options.level,
        nonce: asked.nonce,
        audience: asked.audience,
        seed: asked.seed,
        clock_start: None,
        principal: principal()?,
        working_directory: match registered {
            Some(registered) => registered.record.working_directory,
            None => directory,
        },
        environment,
        secrets,
        ask,
        observer: Some(Arc::new(noting(Arc::clone(&printed), log_to(*console)))),
        cancel: cancel.clone(),
    };
    runtime::cancel_on_interrupt(cancel, *console)?;
    let (mut execution, unlogged) = match executor.block_on(execute(&node, &sandbox, call)) {
        Ok(execution) => (execution, None),
        // The run has taken place, and may have changed files: its bundle is kept and told of.
        Err(ExecuteError::Unlogged {
            execution,
            level,
            source,
        }) => (*execution, Some(logged::Missing { level, source })),
        Err(error) => return Err(refused(error, &options.registry)),
    };
    if let Some(log) = &log {
        executor.block_on(logged::prove(log, &mut execution));
    }
    if let Some(runtime) = runtime.filter(|_| asked.with_runtime) {
        execution.bundle = execution
            .bundle
            .with_runtime(node.languages().read(&runtime)?);
    }

    let file = write_bundle(&execution, asked.bundle.as_deref(), asked.existing, home)?;
    if let Some(missing) = unlogged {
        // What was announced is in the log, perhaps, and is closed there all the same.
        let _ = executor.block_on(sandbox.close(&node));
        return Err(missing.failure(&file));
    }
    if let Some(failure) = execution.failure.as_mut().filter(|_| !asked.is_traced) {
        failure.trace.clear();
        failure.location = None;
    }
    let told = logged::Told::of(&execution, log.as_ref());
    if console.json {
        console.print_json(&answer::Answer::of(&execution, &file, &told)?)?;
    } else {
        let denials = match learning {
            Some(_) => answer::Denials::LeftToLearning,
            None => answer::Denials::Told,
        };
        answer::print(&execution, &file, denials, &told, console)?;
    }
    if offers_nothing && execution.outcome == Outcome::Ok && !printed.load(Ordering::Relaxed) {
        note_of_silence(&execution, console);
    }
    if let Some(learning) = learning {
        learning.end(&execution, &granted_before, &own_trust, console)?;
    }
    // The answer does not wait for what follows.
    let closed = executor.block_on(async {
        let tools = node.close_tools().await;
        sandbox.close(&node).await.map(drop).and(tools)
    });
    if let Err(error) = closed {
        let why = Failure::from(error).message();
        console.note(&format!(
            "note: the sandbox is not closed in the log: {why}"
        ));
    }
    if let (Some(log), Some(days)) = (&log, options.retention_days) {
        executor.block_on(logged::keep_for(
            days,
            log,
            &options.registry,
            &egress,
            console,
        ));
    }
    let written = |write: &oacp_sandbox::Write| write.result == Written::Done;
    Ok(
        if execution.outcome == Outcome::Ok && execution.writes.iter().all(written) {
            Exit::Yes
        } else {
            Exit::No
        },
    )
}

/// A registered agent is what it was registered as: nothing of the command line makes it another one, or leaves its rights open.
fn refuse_beside(arguments: &Arguments, record: &AgentRecord) -> Result<(), Failure> {
    let given = [
        ("--entry", arguments.entry.is_some()),
        ("--ask", arguments.ask),
        ("--learn", arguments.learn.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => Err(Failure::usage(format!(
            "{option} is not for a registered agent, as `{}` is",
            record.definition.name
        ))
        .hint(format!(
            "change {}, then `oacp agent accept {}`",
            crate::home::shown(Path::new(&record.manifest)),
            record.definition.name
        ))),
    }
}

/// Rights, limits and level: what the command line says, and what the configuration says; of a registered agent, what it was registered with.
fn options(
    arguments: &Arguments,
    registered: Option<&AgentRecord>,
    directory: &GuestPath,
    home: &Home,
    console: &Console,
) -> Result<RunOptions, Failure> {
    let mut options = match &arguments.config {
        Some(file) => config::Text::read(file)?.for_run()?,
        None => accepted::discovered(home, console)?,
    };
    if let Some(record) = registered {
        // The configuration of the place where it is called grants it nothing.
        options.capabilities = record.capabilities.clone();
        options.limits = tool::limits(&record.limits);
        options.level = record.level;
    }
    arguments.rights.add_to(&mut options, directory)?;
    options.limits.fuel = arguments.fuel.unwrap_or(options.limits.fuel);
    options.limits.timeout_ms = match arguments.timeout {
        Some(timeout) => timeout,
        None if arguments.ask => ask::TIMEOUT_MS,
        None => options.limits.timeout_ms,
    };
    if let Some(mb) = arguments.memory_mb {
        options.limits.memory_bytes_max = usize::try_from(mb << 20).unwrap_or(usize::MAX);
    }
    options.level = arguments.level.map(Into::into).or(options.level);
    options.registry = arguments.registry.over(options.registry)?;
    Ok(options)
}

/// Grants what was remembered for this project, and finds out whom to ask for the rest.
fn asking(
    options: &mut RunOptions,
    here: &Path,
    home: &Home,
    console: &Console,
) -> Result<Option<Ask>, Failure> {
    let answers = Answers::load(here, home)?;
    options.capabilities = options.capabilities.union(&answers.allow);
    if question::is_possible() {
        return Ok(Some(ask::on_terminal(answers, home, *console)));
    }
    console.note(
        "note: nobody can be asked, because there is no terminal: what is not granted is denied",
    );
    Ok(None)
}

/// A secret goes with a request, and grants none.
fn warn_of_useless_secrets(granted: &Capabilities, console: &Console) {
    if granted.network.allowlist.is_empty() {
        for secret in &granted.secrets {
            console.note(&format!(
                "note: the secret {} is granted, and no host is: --allow-net {}",
                secret.name, secret.host
            ));
        }
    }
}

/// An error of the spine, with what to do where that is known.
fn refused(error: ExecuteError, asked: &registry::Asked) -> Failure {
    match error {
        ExecuteError::Level {
            level: Level::Full, ..
        } => Failure::from(error).hint(
            "let it be logged: leave --registry none out; or give --level execution, or --level basic",
        ),
        ExecuteError::Level { .. } => {
            Failure::from(error).hint("give --level full, --level execution, or --level basic")
        }
        ExecuteError::NotLoggable {
            source: RegistryError::Refused(ref entry),
            ..
        } if entry.code == "unknown_key" => Failure::from(error).hint(
            "nothing was run; the log does not know this node: its operator adds it to --nodes",
        ),
        ExecuteError::NotLoggable { .. } => Failure::from(error).hint(format!(
            "nothing was run; `oacp log status{}` says how the log and its witnesses are, and --level execution does not wait for them",
            registry::as_flag(asked)
        )),
        other => other.into(),
    }
}

/// Whether the agent's first file binds neither of the names that are called, as far as its text tells.
fn offers_no_function(given: &Given) -> bool {
    let Given::Source { source, .. } = given else {
        return false;
    };
    let entry = source.files().find(|(path, _)| *path == source.entry());
    let text = entry.map(|(_, content)| String::from_utf8_lossy(content));
    text.is_some_and(|text| {
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        !words.any(|word| matches!(word, "run" | "main"))
    })
}

fn note_of_silence(execution: &Execution, console: &Console) {
    if matches!(execution.output.as_slice(), b"\"\"" | b"null") {
        console.note(
            "note: the agent defines no function `run` or `main`, and printed nothing: it was run as a script, and its result is empty",
        );
    }
}

/// Remembers that there was a line.
fn noting(
    seen: Arc<AtomicBool>,
    log: impl Fn(LogLine<'_>) + Send + Sync,
) -> impl Fn(LogLine<'_>) + Send + Sync {
    move |line| {
        seen.store(true, Ordering::Relaxed);
        log(line);
    }
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
        let from: String = line.tools.iter().map(|tool| format!("{tool} › ")).collect();
        console.say(&format!(
            "{style}{name:>7}{style:#} {DIM}|{DIM:#} {DIM}{from}{DIM:#}{}",
            visible(line.message)
        ));
    }
}

fn write_bundle(
    execution: &Execution,
    named: Option<&Path>,
    existing: Existing,
    home: &Home,
) -> Result<PathBuf, Failure> {
    let (file, existing) = match named {
        Some(file) => (std::path::absolute(file)?, existing),
        None => {
            file::create_private_dir(&home.runs())?;
            (
                home.runs().join(format!("{}.json", execution.execution_id)),
                Existing::Keep,
            )
        }
    };
    match bundle_file::write(&file, &execution.bundle, existing, Readers::Owner) {
        Ok(()) => Ok(file),
        // The run has taken place, and may have changed files: its bundle is kept wherever that can be done.
        Err(e) if named.is_some() => {
            let kept = write_bundle(execution, None, Existing::Keep, home)?;
            Err(e.hint(format!(
                "the run has taken place; its bundle is in {}",
                crate::home::shown(&kept)
            )))
        }
        Err(e) => Err(e),
    }
}
