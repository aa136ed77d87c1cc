//! Whom a verifier trusts: the trust file.
//!
//! ```yaml
//! nodes:
//!   - name: build-1
//!     key: MCowBQYDK2VwAyEA…        # or PEM
//!     not_before: 2026-11-22T00:00:00.000Z
//! require: { level: EXECUTION }
//! ```
//!
//! It is an operator's own file, so its errors are precise. This crate reads it as JSON; any other
//! serde format that has the same data model will do.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::json::{AdmitError, from_slice};
use crate::key::{KeyId, PublicKey};
use crate::limits::{TEXT_BYTES_MAX, TRUST, TRUST_NODES_MAX};
use crate::statement::Level;
use crate::time::Timestamp;

/// Node keys that are trusted, and what is required beyond a signature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TrustJson")]
pub struct Trust {
    nodes: Vec<TrustedNode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    appraisal: Option<Value>,
    require: Require,
    #[serde(skip)]
    origin: Origin,
}

impl Trust {
    /// Trust in these nodes.
    ///
    /// # Errors
    /// Two nodes with one name or one key; too many nodes; a name that is empty or too long; a
    /// window that ends before it begins.
    pub fn new(
        nodes: Vec<TrustedNode>,
        require: Require,
        origin: Origin,
    ) -> Result<Self, TrustError> {
        let trust = Self {
            nodes,
            log_policy: None,
            appraisal: None,
            require,
            origin,
        };
        trust.check()?;
        Ok(trust)
    }

    /// Trust in this machine's own node and in no other: what holds without a trust file, and is
    /// said in every report.
    pub fn this_machine(name: impl Into<String>, key: PublicKey) -> Self {
        let node = TrustedNode {
            name: name.into(),
            key,
            not_before: None,
            not_after: None,
            revoked: None,
        };
        let require = Require::default();
        Self {
            nodes: vec![node],
            log_policy: None,
            appraisal: None,
            require,
            origin: Origin::ThisMachine,
        }
    }

    /// Reads a trust file that is JSON.
    ///
    /// # Errors
    /// Not admitted, unknown fields, or those of [`Trust::new`]; with line and column.
    pub fn parse(bytes: &[u8]) -> Result<Self, AdmitError> {
        from_slice(bytes, TRUST)
    }

    /// The nodes.
    pub fn nodes(&self) -> &[TrustedNode] {
        &self.nodes
    }

    /// The node whose key has this id.
    pub fn node(&self, id: KeyId) -> Option<&TrustedNode> {
        self.nodes.iter().find(|node| node.key.id() == id)
    }

    /// A C2SP tlog-policy, verbatim. `None`: no log is trusted.
    pub fn log_policy(&self) -> Option<&str> {
        self.log_policy.as_deref()
    }

    /// The policy for evidence. `None`: none is appraised.
    pub fn appraisal(&self) -> Option<&Value> {
        self.appraisal.as_ref()
    }

    /// What is required beyond a signature.
    pub fn require(&self) -> &Require {
        &self.require
    }

    /// Where this trust comes from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    fn check(&self) -> Result<(), TrustError> {
        if self.nodes.len() > TRUST_NODES_MAX {
            return Err(TrustError::TooManyNodes);
        }
        let (mut names, mut keys) = (BTreeMap::new(), BTreeMap::new());
        for node in &self.nodes {
            if node.name.is_empty() || node.name.len() > TEXT_BYTES_MAX {
                return Err(TrustError::Name {
                    name: node.name.clone(),
                });
            }
            if names.insert(&node.name, ()).is_some() {
                return Err(TrustError::SameName {
                    name: node.name.clone(),
                });
            }
            if let Some(other) = keys.insert(node.key.as_bytes(), &node.name) {
                return Err(TrustError::SameKey {
                    a: other.clone(),
                    b: node.name.clone(),
                });
            }
            if let (Some(from), Some(to)) = (node.not_before, node.not_after)
                && from > to
            {
                return Err(TrustError::Window {
                    name: node.name.clone(),
                });
            }
        }
        Ok(())
    }
}

/// A node, its key, and when it is trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedNode {
    /// The operator's name for it, as it appears in reports: 1 to 256 bytes.
    pub name: String,
    /// Its key: one line of base64, or PEM.
    #[serde(deserialize_with = "key_or_pem")]
    pub key: PublicKey,
    /// Trusted from then on. `None`: from ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Trusted until then. `None`: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// From where on it is not trusted. `None`: not revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revoked>,
}

/// A node's revocation. A time would be the node's own claim, so the place in the log decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// What the log held before it had this many leaves is still trusted.
    pub tree_size: u64,
}

/// What is required beyond a signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Require {
    /// The lowest level that is accepted. `None`: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// The most seconds between the node's timestamp and the witnesses'. `None`: no witness is
    /// required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_bound_s: Option<u64>,
}

/// Where trust comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A trust file.
    #[default]
    File,
    /// This machine's own node, for want of a file.
    ThisMachine,
}

/// Why nodes cannot be trusted together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// More than [`TRUST_NODES_MAX`].
    #[error("more than {TRUST_NODES_MAX} nodes")]
    TooManyNodes,
    /// Empty or too long.
    #[error("node name `{name}` is empty or longer than {TEXT_BYTES_MAX} bytes")]
    Name {
        /// The name.
        name: String,
    },
    /// A name twice.
    #[error("two nodes are named `{name}`")]
    SameName {
        /// The name.
        name: String,
    },
    /// A key twice.
    #[error("nodes `{a}` and `{b}` have the same key")]
    SameKey {
        /// One node.
        a: String,
        /// The other.
        b: String,
    },
    /// A window that is empty.
    #[error("node `{name}` is trusted until before it is trusted from")]
    Window {
        /// The node.
        name: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustJson {
    nodes: Vec<TrustedNode>,
    #[serde(default)]
    log_policy: Option<String>,
    #[serde(default)]
    appraisal: Option<Value>,
    #[serde(default)]
    require: Require,
}

impl TryFrom<TrustJson> for Trust {
    type Error = TrustError;

    fn try_from(json: TrustJson) -> Result<Self, TrustError> {
        let TrustJson {
            nodes,
            log_policy,
            appraisal,
            require,
        } = json;
        Ok(Self {
            log_policy,
            appraisal,
            ..Self::new(nodes, require, Origin::File)?
        })
    }
}

fn key_or_pem<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PublicKey, D::Error> {
    let text = String::deserialize(deserializer)?;
    let key = if text.starts_with("-----BEGIN") {
        PublicKey::from_pem(&text)
    } else {
        text.parse()
    };
    key.map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;
    use serde_json::json;

    fn key(seed: u8) -> PublicKey {
        SecretKey::from_bytes(&[seed; 32]).public()
    }

    fn refused(value: Value) -> String {
        Trust::parse(&serde_json::to_vec(&value).unwrap())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_file_round_trips() {
        let file = json!({
            "nodes": [
                { "name": "a", "key": key(1), "not_after": "2026-11-22T20:14:05.123Z" },
                { "name": "b", "key": key(2).to_pem(), "revoked": { "tree_size": 5 } },
            ],
            "log_policy": "log …\n",
            "require": { "level": "EXECUTION", "time_bound_s": 60 },
        });
        let trust = Trust::parse(&serde_json::to_vec(&file).unwrap()).unwrap();
        assert_eq!(trust.node(key(2).id()).unwrap().name, "b");
        assert_eq!(trust.node(key(3).id()), None);
        assert_eq!(trust.require().level, Some(Level::Execution));
        assert_eq!(
            Trust::parse(&serde_json::to_vec(&trust).unwrap()),
            Ok(trust)
        );
    }

    #[test]
    fn errors_are_precise() {
        let error = Trust::parse(b"{\n  \"nodes\": [],\n  \"nodse\": []\n}").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("unknown field `nodse`, expected one of `nodes`"),
            "{error}"
        );
        assert_eq!(error.line, 3);
        let node = |name: &str, seed| json!({ "name": name, "key": key(seed) });
        let same_key = refused(json!({ "nodes": [node("a", 1), node("b", 1)] }));
        assert!(
            same_key.starts_with("nodes `a` and `b` have the same key"),
            "{same_key}"
        );
        let same_name = refused(json!({ "nodes": [node("a", 1), node("a", 2)] }));
        assert!(
            same_name.starts_with("two nodes are named `a`"),
            "{same_name}"
        );
        let weak = "MCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let weak = refused(json!({ "nodes": [{ "name": "a", "key": weak }] }));
        assert!(weak.starts_with("public key is weak"), "{weak}");
    }
}
