//! Whom this verifier trusts: a trust file; or else this machine's own node, and the logs that this machine knows.

use std::path::Path;

use oacp::bundle::Bundle;
use oacp::id::LogOrigin;
use oacp::key::PublicKey;
use oacp::trust::{Origin, Require, Trust};
use oacp_tlog::policy::Policy;
use serde::Deserialize;

use crate::failure::{Failure, Judge};
use crate::home::Home;
use crate::registry::{self, Directory};
use crate::{file, node_key, yaml};

/// What this machine's own node is called in reports.
pub(crate) const THIS_MACHINE: &str = "this machine";

/// Whom a command trusts.
pub(crate) struct Trusted {
    /// A trust file; or this machine's own node and no log.
    trust: Trust,
    /// Of the logs that this machine knows, one of which a bundle is for. A policy has one quorum, so they are not one policy.
    policies: Vec<Policy>,
}

impl Trusted {
    /// Whom to trust with a bundle. By this machine's own word: its node, and the log that the bundle says it is for, if that is known
    /// here. All of them are this user's own, so the bundle's word may choose.
    pub(crate) fn with(&self, bundle: &Bundle) -> Result<Trust, Failure> {
        self.with_log(log_of(bundle).as_ref())
    }

    /// Whom to trust with what is in this log.
    pub(crate) fn with_log(&self, log: Option<&LogOrigin>) -> Result<Trust, Failure> {
        let is_of = |policy: &&Policy| {
            let mut logs = policy.logs().iter();
            logs.any(|listed| log.is_some_and(|log| listed.key().name().as_str() == log.as_str()))
        };
        let trust = self.trust.clone();
        Ok(match self.policies.iter().find(is_of) {
            Some(policy) => trust.with_log_policy(policy.clone())?,
            None => trust,
        })
    }
}

/// Reads the trust file; without one, trusts this machine's own node and logs. Never makes a key: who only verifies needs none.
pub(crate) fn load(path: Option<&Path>, home: &Home) -> Result<Trusted, Failure> {
    if let Some(path) = path {
        return Ok(Trusted {
            trust: read(path)?,
            policies: Vec::new(),
        });
    }
    let trust = match node_key::load(home)? {
        Some(key) => Trust::this_machine(THIS_MACHINE, key.public(), None)?,
        None => Trust::new(Vec::new(), Require::default(), Origin::ThisMachine)?,
    };
    let mut policies = registry::policies(home)?;
    // The machine's own first: it is the one that the name means, should another log have the same.
    if let Some(own) = Directory::new(home.log()).policy()? {
        policies.insert(0, own);
    }
    Ok(Trusted { trust, policies })
}

/// Reads a trust file.
pub(crate) fn read(path: &Path) -> Result<Trust, Failure> {
    let name = path.display().to_string();
    let bytes = file::read(path, oacp::limits::TRUST.bytes_max).or_usage()?;
    let text =
        String::from_utf8(bytes).map_err(|_| Failure::usage(format!("`{name}` is not UTF-8")))?;
    parse(&text, &name)
}

/// Reads a trust file's text.
pub(crate) fn parse(text: &str, name: &str) -> Result<Trust, Failure> {
    yaml::from_str(text, name)
}

/// The log that a bundle says it is for.
pub(crate) fn log_of(bundle: &Bundle) -> Option<LogOrigin> {
    #[derive(Deserialize)]
    struct Statement {
        predicate: Predicate,
    }
    #[derive(Deserialize)]
    struct Predicate {
        log: Option<LogOrigin>,
    }
    let payload = bundle.envelope().unverified_payload();
    let statement: Statement = oacp::json::from_slice(payload, oacp::limits::STATEMENT).ok()?;
    statement.predicate.log
}

/// A trust file that names one node, and the logs of a policy.
pub(crate) fn file_for(
    name: &str,
    key: &PublicKey,
    log_policy: Option<&Policy>,
) -> Result<String, Failure> {
    let mut text = format!(
        "# Trust in one OACP node: `oacp verify BUNDLE --trust THIS-FILE`.\n\
         # Key id {}\n\
         nodes:\n  - name: {}\n    key: {key}\n",
        key.id(),
        serde_json::Value::from(name),
    );
    if let Some(policy) = log_policy {
        text.push_str(&log_policy_for(policy)?);
    }
    Ok(text)
}

/// The policy's text, byte for byte, as lines of a block where YAML keeps it so.
fn log_policy_for(policy: &Policy) -> Result<String, Failure> {
    let text = std::str::from_utf8(policy.text())
        .or_context(|| "the log policy cannot stand in a trust file".to_owned())?;
    let is_plain = |c: char| c == '\n' || (' '..='~').contains(&c);
    let is_block = text.chars().all(is_plain)
        && text.ends_with('\n')
        && !text.ends_with("\n\n")
        && !text.starts_with([' ', '\n']);
    if !is_block {
        return Ok(format!("log_policy: {}\n", serde_json::Value::from(text)));
    }
    let lines: String = text
        .lines()
        .map(|line| match line {
            "" => "\n".to_owned(),
            line => format!("  {line}\n"),
        })
        .collect();
    Ok(format!("log_policy: |\n{lines}"))
}
