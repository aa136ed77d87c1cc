//! Where a request goes, and rules over it.
//!
//! The attack is one spelling for the judge and another for the dialler: `0x7f.1`, `[::ffff:127.0.0.1]`,
//! `good.example@evil.example`, a name that resolves to the host's own network. A URL is parsed once,
//! into a [`Target`]; what is judged is what is dialled. Names are judged before they are resolved
//! and addresses after, each in the one form that both share.

mod address;
mod rule;
mod target;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub(crate) use self::address::judged;
pub use self::address::special_range;
pub use self::rule::{DenyRule, HostRule, RuleError, RuleProblem};
pub use self::target::{Host, Scheme, Target, TargetError};
use crate::limits::CAPABILITY_ENTRIES_MAX;

/// Which hosts may be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// What may be reached; nothing else may.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub allowlist: BTreeSet<HostRule>,
    /// What may not, whatever is allowed.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub denylist: BTreeSet<DenyRule>,
}

impl Network {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.allowlist.is_empty() && self.denylist.is_empty()
    }

    pub(super) fn is_bounded(&self) -> bool {
        self.allowlist.len().max(self.denylist.len()) <= CAPABILITY_ENTRIES_MAX
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        Self {
            allowlist: &self.allowlist | &other.allowlist,
            denylist: &self.denylist | &other.denylist,
        }
    }
}
