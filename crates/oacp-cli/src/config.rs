//! `oacp.yaml`, as the founding document has it.
//!
//! Every key is read. A key whose part is not built yet is refused when a run would need it, never passed over: nobody shall
//! believe in a limit or a right that is not there. A file that is merely found grants nothing until somebody accepted it: a cloned
//! repository must not configure its own sandbox.

pub(crate) mod capabilities;
mod egress;
mod secrets;
mod summary;

pub(crate) use egress::Egress;
pub(crate) use secrets::{Definitions, Source};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oacp::capability::{self, DenialPolicy, GuestPath};
use oacp::statement::Level;
use oacp_sandbox::Limits;
use oacp_sandbox::limits::FUEL_PER_QUOTA_MS;
use oacp_tool::manifest::{Capabilities, Tools};
use oacp_tool::package::PackageName;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::failure::{Failure, Judge};
use crate::registry::{Asked, Place};
use crate::tool::Manifest;
use crate::yaml::Spot;
use crate::{file, yaml};

/// Bytes of a configuration file.
const CONFIG_BYTES_MAX: usize = 1 << 20;

/// The most memory that a run may be given: what 32-bit WebAssembly can address, and what a verifier allows.
pub(crate) const MEMORY_MB_MAX: u64 = 4096;

/// The longest run, in milliseconds: an hour.
pub(crate) const QUOTA_MS_MAX: u64 = 3_600_000;

/// The longest time for which payloads are kept, in days: a century.
pub(crate) const RETENTION_DAYS_MAX: u64 = 36_500;

/// The configuration of OACP: `oacp.yaml`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// How agents are contained.
    sandbox: Sandbox,
    /// What is attested, and where it is kept.
    attestation: Attestation,
    /// Secrets by name. A run is given those that `sandbox.capabilities.secrets` lists.
    #[schemars(with = "BTreeMap<String, secrets::Block>")]
    secrets: BTreeMap<String, Spanned<secrets::Block>>,
    /// Tools by name, with their own rights. A run may call those that `sandbox.capabilities.tools` or `--allow-tool` names.
    tools: Tools,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Sandbox {
    /// The type of sandbox, if none is asked for.
    #[schemars(with = "Option<SandboxType>")]
    default_type: Option<Spanned<SandboxType>>,
    /// The WebAssembly engine and its limits.
    wasm: Wasm,
    /// What agents may reach. Nothing is granted by default.
    capabilities: Capabilities,
    /// What becomes of a denial.
    denials: Option<Denials>,
    /// How requests leave this machine.
    egress: egress::Block,
    /// Confidential computing, for sandboxes of type `tee`.
    tee: Tee,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SandboxType {
    Light,
    Standard,
    Hardened,
    Tee,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Wasm {
    /// The engine.
    runtime: Option<Engine>,
    /// Memory of a run, in MiB.
    #[schemars(with = "Option<u64>", range(min = 1, max = MEMORY_MB_MAX))]
    memory_limit_mb: Option<Spanned<u64>>,
    /// Computing of a run, in milliseconds of a reference machine: 1,000,000 fuel each.
    #[schemars(with = "Option<u64>", range(min = 1, max = QUOTA_MS_MAX))]
    cpu_quota_ms: Option<Spanned<u64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Engine {
    Wasmtime,
}

/// What becomes of a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Denials {
    /// The agent is told, and may go on.
    Catchable,
    /// The first one ends the run.
    Fatal,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Tee {
    /// Whether sandboxes run within a confidential machine.
    #[schemars(with = "bool")]
    enabled: Option<Spanned<bool>>,
    /// Whose.
    provider: Option<TeeProvider>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum TeeProvider {
    IntelSgx,
    AmdSev,
    AzureCc,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Attestation {
    /// How much a bundle can show.
    #[schemars(with = "Option<LevelName>")]
    level: Option<Spanned<LevelName>>,
    /// The log that attestations go to: a directory, relative to this file's, or a URL; or `none`.
    registry: Option<String>,
    /// Which log is behind the URL, and whose cosignatures it needs: a C2SP tlog-policy. Relative to this file's directory.
    #[schemars(with = "Option<PathBuf>")]
    log_policy: Option<Spanned<PathBuf>>,
    /// The file that holds the token for appending to the registry at the URL. Relative to this file's directory.
    #[schemars(with = "Option<PathBuf>")]
    registry_token: Option<Spanned<PathBuf>>,
    /// Days for which payloads are kept. Proofs stay.
    #[schemars(with = "Option<u64>", range(min = 1, max = RETENTION_DAYS_MAX))]
    retention_days: Option<Spanned<u64>>,
}

/// A level by its name on the command line and in `oacp.yaml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LevelName {
    /// Hashes, signed
    Basic,
    /// And a recording, by which the run can be repeated
    Execution,
    /// And a proof of logging
    Full,
    /// And evidence of the hardware
    Hardware,
}

impl From<LevelName> for Level {
    fn from(name: LevelName) -> Self {
        match name {
            LevelName::Basic => Self::Basic,
            LevelName::Execution => Self::Execution,
            LevelName::Full => Self::Full,
            LevelName::Hardware => Self::Hardware,
        }
    }
}

/// What a run takes from the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunOptions {
    pub(crate) limits: Limits,
    pub(crate) level: Option<Level>,
    /// What is granted, secrets included.
    pub(crate) capabilities: capability::Capabilities,
    /// The secrets there are, granted or not.
    pub(crate) secrets: Definitions,
    /// The tools that it brings, granted or not, each with its own rights.
    pub(crate) tools: BTreeMap<PackageName, Manifest>,
    pub(crate) egress: Egress,
    /// The log that attestations go to.
    pub(crate) registry: Asked,
    /// Days for which the log keeps payloads. `None`: for ever.
    pub(crate) retention_days: Option<u64>,
}

/// A configuration's text, and what its relative paths are relative to.
pub(crate) struct Text {
    /// As a person named it, for errors.
    pub(crate) name: String,
    pub(crate) text: String,
    /// The file's directory, symbolic links resolved.
    pub(crate) dir: PathBuf,
}

impl Text {
    /// Reads the file, once: what is judged, shown and used are these bytes.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let bytes = file::read(path, CONFIG_BYTES_MAX).or_usage()?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::usage(format!("`{name}` is not UTF-8")))?;
        let dir = directory_of(path)?;
        Ok(Self { name, text, dir })
    }

    /// What a run takes from it.
    ///
    /// # Errors
    ///
    /// Usage, with line and column: unknown keys, wrong types, malformed patterns, and what this version cannot give.
    pub(crate) fn for_run(&self) -> Result<RunOptions, Failure> {
        yaml::from_str::<Config>(&self.text, &self.name)?.for_run(self)
    }

    /// Reads it as what stands under `sandbox.capabilities` alone.
    pub(crate) fn as_capabilities(&self) -> Result<capability::Capabilities, Failure> {
        let written: Capabilities = yaml::from_str(&self.text, &self.name)?;
        let base = guest_path(&self.dir)?;
        capabilities::read(&written, &self.top(), &base, &Definitions::default())
    }

    /// Its top, from which places in it are named.
    pub(crate) fn top(&self) -> Spot<'_> {
        Spot::top(&self.text, &self.name)
    }
}

/// The directory of a file, symbolic links resolved. `-` lies in the current one.
pub(crate) fn directory_of(path: &Path) -> Result<PathBuf, Failure> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    parent
        .canonicalize()
        .or_context(|| format!("cannot find the directory of `{}`", path.display()))
        .or_usage()
}

/// A directory of this machine, as a guest would see it.
pub(crate) fn guest_path(dir: &Path) -> Result<GuestPath, Failure> {
    let text = dir
        .to_str()
        .ok_or_else(|| Failure::usage(format!("`{}` is not UTF-8", dir.display())))?;
    text.parse::<GuestPath>()
        .or_context(|| format!("`{text}` cannot be a run's directory"))
        .or_usage()
}

/// The JSON schema that editors use.
pub(crate) fn schema() -> serde_json::Value {
    let schema = schemars::generate::SchemaSettings::draft07()
        .into_generator()
        .into_root_schema_for::<Config>();
    schema.to_value()
}

impl Config {
    fn for_run(&self, text: &Text) -> Result<RunOptions, Failure> {
        let (name, dir) = (text.name.as_str(), text.dir.as_path());
        self.refuse_what_is_not_built(name)?;
        let wasm = &self.sandbox.wasm;
        let mut limits = Limits::default();
        if let Some(mb) = &wasm.memory_limit_mb {
            let mb = within(mb, 1..=MEMORY_MB_MAX, "sandbox.wasm.memory_limit_mb", name)?;
            limits.memory_bytes_max = usize::try_from(mb << 20).unwrap_or(usize::MAX);
        }
        if let Some(ms) = &wasm.cpu_quota_ms {
            limits.fuel = within(ms, 1..=QUOTA_MS_MAX, "sandbox.wasm.cpu_quota_ms", name)?
                * FUEL_PER_QUOTA_MS;
        }
        let secrets = Definitions::read(&self.secrets, name, dir)?;
        let mut capabilities = capabilities::read(
            &self.sandbox.capabilities,
            &text.top().key("sandbox").key("capabilities"),
            &guest_path(dir)?,
            &secrets,
        )?;
        if self.sandbox.denials == Some(Denials::Fatal) {
            capabilities.denials = DenialPolicy::Fatal;
        }
        Ok(RunOptions {
            limits,
            level: self
                .attestation
                .level
                .as_ref()
                .map(|level| level.value.into()),
            capabilities,
            tools: Manifest::all(&self.tools, text, &secrets)?,
            secrets,
            egress: self.sandbox.egress.read(name, dir)?,
            registry: self.attestation.registry(name, dir)?,
            retention_days: self
                .attestation
                .retention_days
                .as_ref()
                .map(|days| {
                    within(
                        days,
                        1..=RETENTION_DAYS_MAX,
                        "attestation.retention_days",
                        name,
                    )
                })
                .transpose()?,
        })
    }

    fn refuse_what_is_not_built(&self, name: &str) -> Result<(), Failure> {
        let Self {
            sandbox,
            attestation,
            secrets: _,
            tools: _,
        } = self;
        let refuse = |at, key: &str, fix: &str| {
            let message = format!(
                "{}: `{key}` is not built yet, so a run cannot honour it",
                yaml::place(name, at)
            );
            Err(Failure::usage(message).hint(fix))
        };
        if let Some(asked) = sandbox
            .default_type
            .as_ref()
            .filter(|asked| asked.value != SandboxType::Standard)
        {
            return refuse(
                asked.referenced,
                "sandbox.default_type",
                "only `standard` can be given; set that, or leave it out",
            );
        }
        if let Some(enabled) = sandbox.tee.enabled.as_ref().filter(|enabled| enabled.value) {
            return refuse(
                enabled.referenced,
                "sandbox.tee.enabled",
                "set it to false, or leave it out",
            );
        }
        if let Some(level) = &attestation.level
            && level.value == LevelName::Hardware
        {
            return refuse(
                level.referenced,
                "attestation.level",
                "set it to `basic`, `execution` or `full`, or leave it out",
            );
        }
        Ok(())
    }
}

impl Attestation {
    /// Where attestations go. A policy or a token without a URL would be believed in, and not used.
    fn registry(&self, name: &str, dir: &Path) -> Result<Asked, Failure> {
        let place = self.registry.as_ref().map(|text| Place::read(text, dir));
        let place = place
            .transpose()
            .map_err(|failure| failure.with_place(&format!("{name}: `attestation.registry`")))?;
        let is_url = matches!(place, Some(Place::Url(_)));
        let of_url = |file: &Option<Spanned<PathBuf>>, key: &str| match file {
            Some(file) if !is_url => {
                let place = yaml::place(name, file.referenced);
                Err(Failure::usage(format!(
                    "{place}: `attestation.{key}` is for a registry at a URL, and `attestation.registry` is not one"
                ))
                .hint("a log in a directory has its key and policy beside it; leave this out"))
            }
            file => Ok(file.as_ref().map(|file| dir.join(&file.value))),
        };
        Ok(Asked {
            log_policy: of_url(&self.log_policy, "log_policy")?,
            token: of_url(&self.registry_token, "registry_token")?,
            place,
        })
    }
}

fn within(
    number: &Spanned<u64>,
    range: std::ops::RangeInclusive<u64>,
    key: &str,
    name: &str,
) -> Result<u64, Failure> {
    if range.contains(&number.value) {
        return Ok(number.value);
    }
    let place = yaml::place(name, number.referenced);
    Err(Failure::usage(format!(
        "{place}: `{key}` is {}, expected {} to {}",
        number.value,
        range.start(),
        range.end()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUNDING: &str = include_str!("config/founding.yaml");

    #[test]
    fn the_schema_that_is_checked_in_is_current() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/oacp.schema.json");
        let current = format!("{:#}\n", schema());
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&file, &current).unwrap();
        }
        assert!(
            std::fs::read_to_string(&file).unwrap() == current,
            "run the test with UPDATE_EXPECT=1 and check docs/oacp.schema.json in"
        );
    }

    #[test]
    fn the_founding_document_s_file_is_read_in_full() {
        let config: Config =
            yaml::from_str(FOUNDING, "oacp.yaml").unwrap_or_else(|_| panic!("every key parses"));
        assert_eq!(config.sandbox.wasm.cpu_quota_ms.unwrap().value, 1000);
        assert_eq!(config.sandbox.tee.provider, Some(TeeProvider::IntelSgx));
        assert_eq!(config.attestation.retention_days.unwrap().value, 90);
    }
}
