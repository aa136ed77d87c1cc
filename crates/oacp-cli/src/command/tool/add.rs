//! `oacp tool add`: described, judged, compiled, bound.

use std::path::{Path, PathBuf};

use clap::Args;
use oacp::capability::{Capabilities, Grant};
use oacp::source::SourcePath;
use oacp_gateway::{Logged, Node, NodeOptions};
use oacp_tool::manifest::{Instance, Limits};
use oacp_tool::needs::Works;
use oacp_tool::package::PackageName;
use oacp_tool::store::{Origin, Registered};

use super::object;
use crate::command::run::grant;
use crate::config::{self, RunOptions};
use crate::console::{Console, DIM, GREEN, YELLOW};
use crate::escape::visible;
use crate::failure::{Exit, Failure, Judge};
use crate::home::Home;
use crate::tool::{self, Package, line};
use crate::{accepted, bundle_file, node_key, registry, runtime};

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

pub(super) fn register(add: &Add, home: &Home, console: &Console) -> Result<Exit, Failure> {
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

pub(super) fn described(
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
pub(super) fn log(
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

pub(super) fn told(logged: &Logged) -> String {
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

pub(super) fn tick(console: &Console, what: &str, text: &str) {
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
