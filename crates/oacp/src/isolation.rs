//! How a sandbox is isolated, as the architecture names it, and what was reached.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The type of a sandbox, and what was reached on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Isolation {
    /// The type.
    pub kind: IsolationKind,
    /// What was reached, by name: container image, namespaces, Landlock ABI, cgroup. The node's
    /// claim, without evidence.
    #[serde(default)]
    pub reached: BTreeMap<String, String>,
}

impl Isolation {
    /// Of this type, with nothing further to say.
    pub fn new(kind: IsolationKind) -> Self {
        Self {
            kind,
            reached: BTreeMap::new(),
        }
    }
}

/// The type of a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum IsolationKind {
    /// A process; for development, and for native tool servers.
    Light,
    /// WebAssembly, a fresh instance a run.
    Standard,
    /// WebAssembly within a container.
    Hardened,
    /// Within a confidential machine.
    Tee,
}

impl fmt::Display for IsolationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Light => "LIGHT",
            Self::Standard => "STANDARD",
            Self::Hardened => "HARDENED",
            Self::Tee => "TEE",
        })
    }
}
