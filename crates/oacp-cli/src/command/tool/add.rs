//! `oacp tool add`: described, judged, compiled, bound.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use oacp::capability::{Capabilities, Grant};
use oacp::digest::Digest;
use oacp::source::SourcePath;
use oacp_gateway::{Logged, Node, NodeOptions};
use oacp_tool::manifest::{Instance, Limits};
use oacp_tool::package::PackageName;
use oacp_tool::store::{self, Registered, Terms};
use serde_json::Value;

use super::consent::{Agreed, Asked};
use super::object;
use crate::command::run::grant;
use crate::config::{self, RunOptions, Text};
use crate::console::{Console, DIM, GREEN, YELLOW};
use crate::escape::visible;
use crate::failure::{Exit, Failure, Judge};
use crate::home::Home;
use crate::tool::{self, Manifest, Package, Permissions, line};
use crate::{accepted, node_key, registry, runtime};

#[derive(Args)]
pub(crate) struct Add {
    /// A .py, .js, .mjs, .ts or .wasm (component) file, a directory, or a tool.yaml; `https://…#sha256:…`, or `oci://HOST/NAME:TAG`
    path: PathBuf,
    /// The package's name: its tools are NAME, or NAME.FUNCTION if it has several [default: that of tool.yaml, or the function's or the file's name]
    #[arg(long)]
    name: Option<PackageName>,
    /// Where a directory's tools are [default: what tool.yaml says, or tool.py, tool.js, tool.mjs or tool.ts at its top]
    #[arg(long, value_name = "PATH")]
    entry: Option<SourcePath>,
    /// Grant what tool.yaml asks for, without being asked
    #[arg(long, short)]
    yes: bool,
    /// Refuse anything but the package with this pin
    #[arg(long, value_name = "sha256:…")]
    pin: Option<Digest>,
    /// How long an instance lives, and with it what it remembers [default: what tool.yaml says, or per_call]
    #[arg(long, value_enum)]
    instance: Option<InstanceName>,
    /// Take the secrets' definitions from this configuration [default: oacp.yaml, if it was accepted]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Register it anew if a package of that name is there, with the rights and limits that are given now
    #[arg(long)]
    replace: bool,
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
    signatures: tool::SignatureFlags,
    #[command(flatten)]
    registry: registry::LogFlags,
}

/// An instance's life by its name on the command line and in manifests.
#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum InstanceName {
    /// A fresh one for every call
    PerCall,
    /// One for all calls of one run
    PerRun,
    /// One that is kept from run to run
    Kept,
}

impl From<InstanceName> for Instance {
    fn from(name: InstanceName) -> Self {
        match name {
            InstanceName::PerCall => Self::PerCall,
            InstanceName::PerRun => Self::PerRun,
            InstanceName::Kept => Self::Kept,
        }
    }
}

pub(super) fn register(add: &Add, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let options = options(add, home, console)?;
    let here = config::guest_path(&std::env::current_dir()?)?;
    let manifest = match tool::manifest_of(&add.path)? {
        Some(text) => Some(Manifest::of_file(&text, &options.secrets)?),
        None => None,
    };
    let manifest = manifest.as_ref();
    let said = add.limits();
    said.check().or_usage()?;
    let mut granted = add.rights.read(&here, &options.secrets)?;

    let path = manifest.map_or(add.path.as_path(), |manifest| &manifest.path);
    let entry = add.entry.as_ref().or_else(|| manifest?.entry.as_ref());
    let name = add.name.as_ref().or_else(|| Some(&manifest?.name));
    let located = tool::locate(path, &add.signatures, &options.egress, home, console)?;
    let package = described(located.path(), entry, name, home, console)?;
    if let Some(manifest) = manifest {
        introduce(manifest, console);
        refuse_another(&package, manifest)?;
    }
    refuse_another_pin(&package, add.pin)?;
    tick(console, "schema", &names(&package));

    let directory = manifest.map_or(here, |manifest| manifest.directory.clone());
    let wanted = manifest.map(|manifest| &manifest.capabilities);
    let asked = manifest.map_or_else(Asked::default, |manifest| {
        Asked::of(manifest, &said, add.rights.are_given())
    });
    if add.yes {
        granted = asked.added_to(granted);
    }
    let permissions =
        |granted: &Capabilities| Permissions::of(&package.needs, wanted, granted, &directory);
    for line in permissions(&granted).lines() {
        console.note(&line);
    }
    if !add.yes {
        match asked.agreement(&add.path, console)? {
            Agreed::No => {
                console.note("not registered");
                return Ok(Exit::No);
            }
            Agreed::Yes => granted = asked.added_to(granted),
        }
    }
    tell_rights(&package, &granted, console);
    tick(
        console,
        "compiled",
        &format!("{:?}", package.kind).to_lowercase(),
    );
    let permissions = serde_json::to_value(permissions(&granted))?;
    let instance = add.instance.map(Instance::from);
    let terms = Terms {
        capabilities: granted,
        limits: said.or(manifest.map(|manifest| manifest.limits).unwrap_or_default()),
        instance: instance
            .or(manifest.map(|manifest| manifest.instance))
            .unwrap_or_default(),
        working_directory: Some(directory.clone()),
    };
    let version = manifest.and_then(|manifest| manifest.version.clone());
    let (registered, program) = package.into_record(path, version, terms)?;
    let registered = located.attributed(registered)?;
    let store = tool::store(home)?;
    let registered = match store.package(&registered.name)? {
        Some(old) if add.replace => {
            tool::refuse_unsigned(&old, &add.signatures)?;
            store.replace(registered, &program)?.1
        }
        _ => store.add(registered, &program).or_usage()?,
    };
    let logged = log(
        &registered,
        &registered.capabilities,
        &options,
        home,
        console,
    )?;
    tick(
        console,
        "bound",
        &format!("{} {}", registered.pin(), told(&logged)),
    );
    answer(&registered, permissions, console)?;
    Ok(Exit::Yes)
}

impl Add {
    /// What the command line says of limits.
    fn limits(&self) -> Limits {
        Limits {
            memory_mb: self.memory_mb,
            cpu_quota_ms: self.cpu_quota_ms,
            timeout_ms: self.timeout,
            result_bytes: self.result_bytes,
            concurrency: self.concurrency,
        }
    }
}

/// Secrets, the log and the way to it. Rights of a configuration are its runs', and no tool's.
fn options(add: &Add, home: &Home, console: &Console) -> Result<RunOptions, Failure> {
    let mut options = match &add.config {
        Some(file) => Text::read(file)?.for_run()?,
        None => accepted::discovered(home, console)?,
    };
    options.registry = add.registry.over(options.registry)?;
    Ok(options)
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

/// Refuses code that is not what its manifest says.
pub(super) fn refuse_another(package: &Package, manifest: &Manifest) -> Result<(), Failure> {
    match (manifest.sha256, package.origin) {
        (Some(expected), found) if found != Some(expected) => {
            let found = found.map_or_else(|| "something else".to_owned(), |it| it.to_string());
            Err(Failure::usage(format!(
                "the code of `{}` is {found}, and `source.sha256` says {expected}",
                manifest.name
            )))
        }
        _ => Ok(()),
    }
}

fn refuse_another_pin(package: &Package, pin: Option<Digest>) -> Result<(), Failure> {
    let found = store::pin(&package.definitions);
    match pin {
        Some(pin) if pin != found => Err(Failure::usage(format!(
            "the pin of `{}` is {found}, expected {pin}",
            package.name
        ))),
        _ => Ok(()),
    }
}

/// States the registration and logs it, with what the tools are granted.
pub(super) fn log(
    registered: &Registered,
    granted: &Capabilities,
    options: &RunOptions,
    home: &Home,
    console: &Console,
) -> Result<Logged, Failure> {
    let key = node_key::load_or_make(home, console)?;
    let egress = options.egress.clone().options()?;
    let executor = runtime::executor()?;
    let log = {
        let _entered = executor.enter();
        registry::open(
            &options.registry,
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
    let version = registered.version.as_deref();
    let stated = node.register(&registered.definitions, version, granted);
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

/// Its author's words.
fn introduce(manifest: &Manifest, console: &Console) {
    let mut text = manifest.name.to_string();
    for (before, words) in [(" ", &manifest.version), (": ", &manifest.description)] {
        if let Some(words) = words {
            text.push_str(&format!("{before}{}", visible(words)));
        }
    }
    console.note(&text);
}

fn tell_rights(package: &Package, granted: &Capabilities, console: &Console) {
    let grant = Grant::attenuate(granted, granted);
    let text = if granted.is_empty() {
        "nothing is granted".to_owned()
    } else {
        format!(
            "granted: {}",
            crate::rights::lines(grant.capabilities()).join(", ")
        )
    };
    tick(console, "rights", &text);
    for warning in &package.warnings {
        console.note(&format!("  {YELLOW}note{YELLOW:#}: {}", line(warning)));
    }
}

fn answer(registered: &Registered, permissions: Value, console: &Console) -> Result<(), Failure> {
    if console.json {
        let mut object = object(registered);
        if let Value::Object(fields) = &mut object {
            fields.insert("permissions".to_owned(), permissions);
        }
        console.print_json(&object)?;
    } else {
        for definition in &registered.definitions {
            console.print(&format!(
                "{}  {DIM}{}{DIM:#}",
                definition.name,
                definition.digest()
            ))?;
        }
    }
    let called = registered.definitions.first().map(|tool| &tool.name);
    if let Some(called) = called {
        let program = crate::started::name();
        console.note(&format!("next: {program} run AGENT --allow-tool {called}"));
    }
    Ok(())
}
