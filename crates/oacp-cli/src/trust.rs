//! Whom this verifier trusts: a trust file, or else this machine's own node.

use std::path::Path;

use oacp::key::PublicKey;
use oacp::trust::{Origin, Require, Trust};

use crate::failure::{Failure, Judge};
use crate::home::Home;
use crate::{file, node_key, yaml};

/// What this machine's own node is called in reports.
pub(crate) const THIS_MACHINE: &str = "this machine";

/// Reads the trust file; without one, trusts this machine's own node. Never makes a key: who only verifies needs none.
pub(crate) fn load(path: Option<&Path>, home: &Home) -> Result<Trust, Failure> {
    match path {
        Some(path) => {
            let name = path.display().to_string();
            let bytes = file::read(path, oacp::limits::TRUST.bytes_max).or_usage()?;
            let text = String::from_utf8(bytes)
                .map_err(|_| Failure::usage(format!("`{name}` is not UTF-8")))?;
            parse(&text, &name)
        }
        None => match node_key::load(home)? {
            Some(key) => Ok(Trust::this_machine(THIS_MACHINE, key.public())),
            None => Ok(Trust::new(
                Vec::new(),
                Require::default(),
                Origin::ThisMachine,
            )?),
        },
    }
}

/// Reads a trust file's text.
pub(crate) fn parse(text: &str, name: &str) -> Result<Trust, Failure> {
    yaml::from_str(text, name)
}

/// A trust file that names one node.
pub(crate) fn file_for(name: &str, key: &PublicKey) -> String {
    format!(
        "# Trust in one OACP node: `oacp verify BUNDLE --trust THIS-FILE`.\n\
         # Key id {}\n\
         nodes:\n  - name: {}\n    key: {key}\n",
        key.id(),
        serde_json::Value::from(name),
    )
}
