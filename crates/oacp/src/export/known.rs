//! The keys that an export is judged with: trusted nodes, and those that they delegated to.

use std::collections::{BTreeMap, VecDeque};

use crate::delegation::Delegation;
use crate::entry::Keys;
use crate::id::LogOrigin;
use crate::key::{KeyId, PublicKey};
use crate::limits::{EXPORT_DELEGATION_BYTES_MAX, EXPORT_DELEGATIONS_MAX};
use crate::time::Timestamp;
use crate::trust::{Trust, TrustedNode};

/// Trusted nodes, and the latest delegations of theirs.
pub(super) struct Known<'t> {
    nodes: BTreeMap<KeyId, &'t TrustedNode>,
    /// Whether entries have the indexes that they are given: only a signed checkpoint says so.
    is_published: bool,
    origin: LogOrigin,
    /// Of the entry that is judged.
    index: u64,
    delegations: BTreeMap<KeyId, Delegated>,
    /// The order in which they came. The oldest goes first where there is no room.
    order: VecDeque<KeyId>,
    bytes: usize,
}

struct Delegated {
    node: KeyId,
    delegation: Delegation,
    /// Of its payload, for what it takes in memory.
    bytes: usize,
}

impl<'t> Known<'t> {
    pub(super) fn new(trust: &'t Trust, origin: LogOrigin) -> Self {
        Self {
            // An id is a hash, and a node of a trust file is one of many.
            nodes: trust
                .nodes()
                .iter()
                .map(|node| (node.key.id(), node))
                .collect(),
            is_published: trust.log_policy().is_some(),
            origin,
            index: 0,
            delegations: BTreeMap::new(),
            order: VecDeque::new(),
            bytes: 0,
        }
    }

    /// From here on the entry at `index` is judged.
    pub(super) fn at(&mut self, index: u64) {
        self.index = index;
    }

    /// Whether the trust file names this key.
    pub(super) fn is_node(&self, key: KeyId) -> bool {
        self.nodes.contains_key(&key)
    }

    /// Whether a delegation to this key is known.
    pub(super) fn is_sandbox(&self, key: KeyId) -> bool {
        self.delegations.contains_key(&key)
    }

    /// Whether the node behind this key, its own or a sandbox's, is trusted at this time.
    pub(super) fn is_trusted_at(&self, key: KeyId, time: Timestamp) -> bool {
        let node = self
            .delegations
            .get(&key)
            .map_or(key, |delegated| delegated.node);
        self.nodes.get(&node).is_some_and(|node| {
            node.not_before.is_none_or(|from| time >= from)
                && node.not_after.is_none_or(|to| time <= to)
        })
    }

    /// A delegation that was judged, signed by `node`; its payload has so many bytes.
    pub(super) fn delegate(&mut self, node: KeyId, delegation: Delegation, bytes: usize) {
        let key = delegation.key.id();
        let delegated = Delegated {
            node,
            delegation,
            bytes,
        };
        self.bytes += bytes;
        match self.delegations.insert(key, delegated) {
            // The key keeps its place in the order.
            Some(before) => self.bytes -= before.bytes,
            None => self.order.push_back(key),
        }
        while self.order.len() > EXPORT_DELEGATIONS_MAX || self.bytes > EXPORT_DELEGATION_BYTES_MAX
        {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            if let Some(oldest) = self.delegations.remove(&oldest) {
                self.bytes -= oldest.bytes;
            }
        }
    }

    fn trusted(&self, key: KeyId) -> Option<&TrustedNode> {
        let node = self.nodes.get(&key).copied()?;
        let is_before = |revoked: &crate::trust::Revoked| {
            self.is_published
                && revoked.log.as_ref().is_none_or(|log| *log == self.origin)
                && self.index < revoked.tree_size
        };
        node.revoked.as_ref().is_none_or(is_before).then_some(node)
    }
}

impl Keys for Known<'_> {
    fn node(&self, key: KeyId) -> Option<PublicKey> {
        self.trusted(key).map(|node| node.key)
    }

    fn sandbox(&self, key: KeyId) -> Option<Delegation> {
        let delegated = self.delegations.get(&key)?;
        self.trusted(delegated.node)?;
        Some(delegated.delegation.clone())
    }
}
