//! Tools on this machine: from a file to a package that can be registered, and from the registered ones to what a run may call.

mod bind;
mod candidate;
mod describe;
pub(crate) mod example;
mod manifest;
mod permissions;
mod source;

pub(crate) use bind::{agent_of, askable, bind, is_changed, options_of};
pub(crate) use candidate::{Candidate, Look, Workbench};
pub(crate) use describe::{Package, Refused, describe, line};
pub(crate) use manifest::{Manifest, TOOL_FILE, manifest_of};
pub(crate) use permissions::Permissions;
pub(crate) use source::{SignatureFlags, again, locate, refuse_unsigned};

use oacp::id::ToolName;
use oacp_tool::manifest::Limits as Asked;
use oacp_tool::store::{Registered, Store};

use crate::failure::Failure;
use crate::home::Home;

/// Bytes of a result, where a tool says nothing.
const RESULT_BYTES: u64 = 1 << 20;

/// Calls at once, where a tool says nothing.
const CONCURRENCY: u64 = 16;

/// The registered tools of this machine.
pub(crate) fn store(home: &Home) -> Result<Store, Failure> {
    Ok(Store::open(&home.tools())?)
}

/// The package that has the tool of this name.
///
/// # Errors
///
/// Usage: none is registered.
pub(crate) fn registered(name: &ToolName, home: &Home) -> Result<Registered, Failure> {
    store(home)?.find(name)?.ok_or_else(|| unknown(name))
}

/// That no tool of this name is registered.
pub(crate) fn unknown(name: &ToolName) -> Failure {
    Failure::usage(format!("no tool `{name}` is registered"))
        .hint("`oacp tool list` shows those that are; `oacp tool add FILE` registers one")
}

/// What a call may use.
pub(crate) fn limits(asked: &Asked) -> oacp_sandbox::Limits {
    let mut limits = oacp_sandbox::Limits::default();
    if let Some(mb) = asked.memory_mb {
        limits.memory_bytes_max = usize::try_from(mb << 20).unwrap_or(usize::MAX);
    }
    if let Some(ms) = asked.cpu_quota_ms {
        limits.fuel = ms.saturating_mul(oacp_sandbox::limits::FUEL_PER_QUOTA_MS);
    }
    if let Some(ms) = asked.timeout_ms {
        limits.timeout_ms = ms;
    }
    limits
}

/// What a call may use where nobody says anything.
pub(crate) fn usual_limits() -> Asked {
    let limits = oacp_sandbox::Limits::default();
    Asked {
        memory_mb: u64::try_from(limits.memory_bytes_max >> 20).ok(),
        cpu_quota_ms: Some(limits.fuel / oacp_sandbox::limits::FUEL_PER_QUOTA_MS),
        timeout_ms: Some(limits.timeout_ms),
        result_bytes: Some(RESULT_BYTES),
        concurrency: Some(CONCURRENCY),
    }
}

fn at_most(number: Option<u64>, default: u64) -> usize {
    usize::try_from(number.unwrap_or(default)).unwrap_or(usize::MAX)
}
