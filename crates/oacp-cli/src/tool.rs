//! Tools on this machine: from a file to a package that can be registered, and from the registered ones to what a run may call.

mod bind;
mod describe;

pub(crate) use bind::bind;
pub(crate) use describe::{Package, describe, line};

use oacp_tool::manifest::Limits as Asked;
use oacp_tool::store::Store;

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

fn at_most(number: Option<u64>, default: u64) -> usize {
    usize::try_from(number.unwrap_or(default)).unwrap_or(usize::MAX)
}
