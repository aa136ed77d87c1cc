//! Instances of tools that outlive a call: one call at a time, and nobody else's.
//!
//! The attack is a tool that remembers what one principal told it, and tells another. So no instance is shared by two principals, nor by two
//! packages, whatever code they have in common.

use std::sync::{Arc, Mutex, PoisonError};

use oacp::digest::Digest;
use oacp::id::{ExecutionId, Principal};
use oacp::statement::InstanceClaim;
use tokio::sync::OwnedMutexGuard;

/// Instances that are kept at a time, between calls. The one that was called longest ago goes first; its next call has a fresh one, and says so.
/// Attack: memory.
pub const INSTANCES_MAX: usize = 64;

/// Whose instance it is. The tools of one package share theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InstanceKey {
    /// The package as it was registered.
    pub(crate) package: Digest,
    pub(crate) principal: Principal,
}

/// An instance between two calls.
pub(crate) struct Living {
    instance: oacp_sandbox::Instance,
    calls: u64,
    last: ExecutionId,
}

/// Where an instance is, or will be. Whoever holds it makes the next call.
pub(crate) type Place = OwnedMutexGuard<Option<Living>>;

type Held = Arc<tokio::sync::Mutex<Option<Living>>>;

/// The instances, the one that was called last at the end.
#[derive(Default)]
pub(crate) struct Instances(Mutex<Vec<(InstanceKey, Held)>>);

impl Instances {
    /// Waits until no other call is under way.
    pub(crate) async fn place(&self, key: &InstanceKey) -> Place {
        self.held(key).lock_owned().await
    }

    /// The place, if no other call is under way now.
    pub(crate) fn free_place(&self, key: &InstanceKey) -> Option<Place> {
        self.held(key).try_lock_owned().ok()
    }

    fn held(&self, key: &InstanceKey) -> Held {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().position(|(of, _)| of == key);
        let entry = found.map_or_else(|| (key.clone(), Held::default()), |at| all.remove(at));
        let held = Arc::clone(&entry.1);
        all.push(entry);
        while all.len() > INSTANCES_MAX {
            // One that somebody calls, or waits for, is not given up.
            let Some(idle) = all
                .iter()
                .position(|(_, held)| Arc::strong_count(held) == 1)
            else {
                break;
            };
            all.remove(idle);
        }
        held
    }
}

impl Living {
    /// What a statement says of the call that is next: in this instance, or the first in one of its own.
    pub(crate) fn claim(of: Option<&Self>) -> InstanceClaim {
        InstanceClaim {
            calls_before: of.map_or(0, |living| living.calls),
            previous: of.map(|living| living.last),
        }
    }

    pub(crate) fn into_instance(self) -> oacp_sandbox::Instance {
        self.instance
    }

    /// The instance after a call that `claim` told of.
    pub(crate) fn after(
        instance: oacp_sandbox::Instance,
        claim: &InstanceClaim,
        last: ExecutionId,
    ) -> Self {
        Self {
            instance,
            calls: claim.calls_before + 1,
            last,
        }
    }
}
