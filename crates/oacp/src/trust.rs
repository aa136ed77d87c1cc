//! Whom a verifier trusts: the trust file.
//!
//! ```yaml
//! nodes:
//!   - name: build-1
//!     key: MCowBQYDK2VwAyEA…        # or PEM
//!     not_before: 2026-11-22T00:00:00.000Z
//! log_policy: |
//!   log log.example/1+…
//!   quorum none
//! require: { level: EXECUTION }
//! ```
//!
//! It is an operator's own file, so its errors are precise. This crate reads it as JSON; any other
//! serde format that has the same data model will do.

use std::collections::BTreeMap;

use oacp_tlog::{ParsePolicyError, Policy};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::id::LogOrigin;
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
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "verbatim")]
    log_policy: Option<Policy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    appraisal: Option<Value>,
    require: Require,
    #[serde(skip)]
    origin: Origin,
}

impl Trust {
    /// Trust in these nodes, and in no log.
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

    /// Trust in this machine's own node and in no other, and in the logs that it writes to, if any:
    /// what holds without a trust file, and is said in every report.
    ///
    /// # Errors
    /// The name is empty or too long; the node's key is also a log's or a witness's.
    pub fn this_machine(
        name: impl Into<String>,
        key: PublicKey,
        log_policy: Option<Policy>,
    ) -> Result<Self, TrustError> {
        let node = TrustedNode {
            name: name.into(),
            key,
            not_before: None,
            not_after: None,
            revoked: None,
        };
        let trust = Self::new(vec![node], Require::default(), Origin::ThisMachine)?;
        match log_policy {
            Some(policy) => trust.with_log_policy(policy),
            None => Ok(trust),
        }
    }

    /// With the logs and witnesses of `policy`, in the place of those before.
    ///
    /// # Errors
    /// A key of the policy is also a node's; a node is revoked by the size of a log, and the policy
    /// does not say of which.
    pub fn with_log_policy(self, policy: Policy) -> Result<Self, TrustError> {
        let trust = Self {
            log_policy: Some(policy),
            ..self
        };
        trust.check()?;
        Ok(trust)
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

    /// Which logs and witnesses are trusted: a C2SP tlog-policy, which keeps its text. `None`: no
    /// log is.
    pub fn log_policy(&self) -> Option<&Policy> {
        self.log_policy.as_ref()
    }

    /// Whether a key is a node's, a log's or a witness's: then it is no sandbox's.
    pub(crate) fn has_key(&self, key: &PublicKey) -> bool {
        self.node(key.id()).is_some() || self.log_keys().any(|(_, bytes)| bytes == key.as_bytes())
    }

    /// Names and public keys of logs and witnesses.
    fn log_keys(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let policies = || self.log_policy.iter();
        let logs = policies().flat_map(Policy::logs).map(|log| log.key());
        let witnesses = policies().flat_map(Policy::witnesses);
        let keys = logs.chain(witnesses.map(|witness| witness.key()));
        keys.map(|key| (key.name().as_str(), key.public_bytes()))
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
            if let Some(other) = keys.insert(node.key.as_bytes().as_slice(), &node.name) {
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
            self.check_revoked(node)?;
        }
        for (log, key) in self.log_keys() {
            if let Some(node) = keys.get(key) {
                return Err(TrustError::LogKey {
                    node: (*node).clone(),
                    log: log.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// A size means nothing without a log. A node chooses the log that it writes to, so it must not
    /// choose by whose size it was revoked.
    fn check_revoked(&self, node: &TrustedNode) -> Result<(), TrustError> {
        let logs = self.log_policy.as_ref().map_or(&[][..], Policy::logs);
        let Some(revoked) = node.revoked.as_ref().filter(|_| !logs.is_empty()) else {
            return Ok(());
        };
        let origins = logs.iter().map(|log| log.key().name().as_str());
        let is_listed = match &revoked.log {
            Some(log) => origins.into_iter().any(|origin| origin == log.as_str()),
            // The keys of one log, old and new, have one name.
            None => {
                let first = logs.first().map(|log| log.key().name());
                logs.iter().all(|log| Some(log.key().name()) == first)
            }
        };
        if is_listed {
            Ok(())
        } else {
            Err(TrustError::RevokedLog {
                name: node.name.clone(),
            })
        }
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

/// A node's revocation. A time would be the node's own claim, so the place in a log decides: what is
/// proven to be in it at an index below `tree_size`, delegation and execution, is still trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// How many leaves the log had when the node was revoked. 0: nothing of it is trusted.
    pub tree_size: u64,
    /// The log. `None`: the one of the log policy, which then lists no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogOrigin>,
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
    /// A key of a log or a witness is a node's.
    #[error("node `{node}` and log or witness `{log}` have the same key")]
    LogKey {
        /// The node.
        node: String,
        /// The key's name in the log policy.
        log: String,
    },
    /// A revocation by the size of a log that is not in the log policy, or of one of several.
    #[error(
        "node `{name}` is revoked by the size of a log, and `log_policy` does not say of which: expected `revoked.log`, one of its logs"
    )]
    RevokedLog {
        /// The node.
        name: String,
    },
    /// The text is no C2SP tlog-policy.
    #[error("log_policy, {0}")]
    LogPolicy(ParsePolicyError),
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
        let trust = Self {
            appraisal,
            ..Self::new(nodes, require, Origin::File)?
        };
        match log_policy {
            Some(text) => trust
                .with_log_policy(Policy::parse(text.as_bytes()).map_err(TrustError::LogPolicy)?),
            None => Ok(trust),
        }
    }
}

/// The policy's own text. One that was read from other than a trust file may have bytes that no text
/// has, and cannot stand in one.
fn verbatim<S: Serializer>(policy: &Option<Policy>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = policy
        .as_ref()
        .map(|policy| std::str::from_utf8(policy.text()));
    match text.transpose().map_err(serde::ser::Error::custom)? {
        Some(text) => serializer.serialize_str(text),
        None => serializer.serialize_none(),
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
    use crate::fixture;
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
            "log_policy": fixture::log_policy(),
            "require": { "level": "EXECUTION", "time_bound_s": 60 },
        });
        let trust = Trust::parse(&serde_json::to_vec(&file).unwrap()).unwrap();
        assert_eq!(trust.node(key(2).id()).unwrap().name, "b");
        assert_eq!(trust.node(key(3).id()), None);
        assert_eq!(trust.require().level, Some(Level::Execution));
        let policy = trust.log_policy().unwrap();
        assert_eq!(policy.text(), fixture::log_policy().as_bytes());
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

    #[test]
    fn a_log_policy_is_read_at_once() {
        let with =
            |node: Value, policy: &str| refused(json!({ "nodes": [node], "log_policy": policy }));
        let node = json!({ "name": "a", "key": key(1) });
        let unknown = with(node.clone(), "# logs\nlgo x\n");
        assert!(
            unknown.starts_with("log_policy, line 2: `lgo`"),
            "{unknown}"
        );

        for (seed, role) in [(3, "log.example/1"), (4, "witness.example/1")] {
            let taken = json!({ "name": "a", "key": key(seed) });
            let refused = with(taken, &fixture::log_policy());
            let expected = format!("node `a` and log or witness `{role}` have the same key");
            assert!(refused.starts_with(&expected), "{refused}");
            let policy = Policy::parse(fixture::log_policy().as_bytes()).unwrap();
            assert!(matches!(
                Trust::this_machine("a", key(seed), Some(policy)),
                Err(TrustError::LogKey { .. })
            ));
        }
    }

    #[test]
    fn a_revocation_is_by_the_size_of_one_log() {
        let node = |revoked: Value| json!({ "name": "a", "key": key(1), "revoked": revoked });
        let file = |revoked, policy: &str| {
            let file = json!({ "nodes": [node(revoked)], "log_policy": policy });
            Trust::parse(&serde_json::to_vec(&file).unwrap())
        };
        let one = fixture::log_policy();
        let two = format!("log {}\n{one}", fixture::log_key("log.example/2", 7));
        let unnamed = || json!({ "tree_size": 5 });
        let named = |log: &str| json!({ "tree_size": 5, "log": log });
        assert!(file(unnamed(), &one).is_ok());
        assert!(file(named("log.example/1"), &one).is_ok());
        assert!(file(named("log.example/2"), &two).is_ok());
        for refused in [
            file(unnamed(), &two),
            file(named("log.example/3"), &two),
            file(named("log.example/2"), &one),
        ] {
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains("expected `revoked.log`"), "{refused}");
        }
    }
}
