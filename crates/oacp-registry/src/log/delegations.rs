//! Which keys may sign: nodes by their options, sandboxes by the delegations in the log.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, MutexGuard, PoisonError};

use oacp::delegation::Delegation;
use oacp::entry::{Entry, EntryError, Keys};
use oacp::envelope::Envelope;
use oacp::key::{KeyId, PublicKey};

use super::Shared;
use crate::limits::DELEGATIONS_KEPT_MAX;

/// The delegations that were asked for last.
#[derive(Default)]
pub(super) struct Delegations {
    known: HashMap<KeyId, Arc<Delegation>>,
    order: VecDeque<KeyId>,
}

impl Delegations {
    pub(super) fn add(&mut self, delegation: Delegation) {
        let key = delegation.key.id();
        if self.known.insert(key, Arc::new(delegation)).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > DELEGATIONS_KEPT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// What one call of admitting knows.
struct Known<'a> {
    shared: &'a Shared,
    /// Delegations that the same call admitted before.
    admitted: &'a [Delegation],
}

impl Keys for Known<'_> {
    fn node(&self, key: KeyId) -> Option<PublicKey> {
        let mut nodes = self.shared.options.nodes.iter();
        nodes.find(|node| node.id() == key).copied()
    }

    fn sandbox(&self, key: KeyId) -> Option<Delegation> {
        let mut admitted = self.admitted.iter().rev();
        if let Some(delegation) = admitted.find(|delegation| delegation.key.id() == key) {
            return Some(delegation.clone());
        }
        let known = self.shared.delegation(key).or_else(|| {
            // Another process may have logged it a moment ago.
            self.shared.follow();
            self.shared.delegation(key)
        });
        known.as_deref().cloned()
    }
}

impl Shared {
    pub(super) fn admit(
        &self,
        envelope: Envelope,
        admitted: &[Delegation],
    ) -> Result<Entry, EntryError> {
        let known = Known {
            shared: self,
            admitted,
        };
        Entry::verify(envelope, &known, Some(&self.options.origin))
    }

    /// The delegation to a key, as the log has it.
    fn delegation(&self, key: KeyId) -> Option<Arc<Delegation>> {
        if let Some(delegation) = self.delegations().known.get(&key) {
            return Some(Arc::clone(delegation));
        }
        // One that cannot be read is as good as none: its statements are refused.
        let located = self.index_now().ok()?.delegation(key).ok()??;
        let envelope = self.payload(located.index).ok()?;
        let entry = Entry::parse_unverified(&envelope.to_json()).ok()?;
        let (_, _, facts) = entry.into_parts();
        let delegation = facts.delegation?;
        self.delegations().add(delegation.clone());
        Some(Arc::new(delegation))
    }

    pub(super) fn delegations(&self) -> MutexGuard<'_, Delegations> {
        // Whatever a panic left is whole: it is one insertion.
        self.delegations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
