//! The environment: what this program reads of it for itself, and what of the rest a run is offered.
//!
//! The attack: `env: ["OACP_*"]`, or a wildcard, shows a guest where the node's key lies, or the variable from which a secret is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::env;

use oacp::capability::OWN_SETTINGS;

/// Where everything is kept.
pub(crate) const OACP_HOME: &str = "OACP_HOME";

/// What a run is offered, of which its grant decides: all but OACP's own names, and those that a secret is taken from.
/// What is no text cannot be recorded as text, and is left out.
pub(crate) fn offered(secrets_from: &BTreeSet<String>) -> BTreeMap<String, String> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| !is_withheld(name, secrets_from))
        .collect()
}

/// Whether a name is never offered.
pub(crate) fn is_withheld(name: &str, secrets_from: &BTreeSet<String>) -> bool {
    OWN_SETTINGS.contains(&name) || secrets_from.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_oacp_s_own_that_is_read_is_withheld() {
        // Whatever reads the environment names its variable by a literal or by a constant of this file.
        let sources = walk(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates"));
        for (file, text) in sources {
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            for name in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
                let is_setting = name.strip_prefix("OACP_").is_some_and(|rest| {
                    !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
                });
                assert!(
                    !is_setting || OWN_SETTINGS.contains(&name),
                    "{name} in {file}"
                );
            }
        }
    }

    fn walk(dir: std::path::PathBuf) -> Vec<(String, String)> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" && name != "target" {
                files.extend(walk(path));
            } else if name.ends_with(".rs") {
                files.push((name, std::fs::read_to_string(path).unwrap()));
            }
        }
        files
    }

    #[test]
    fn what_is_withheld_is_not_offered() {
        let secrets = BTreeSet::from(["PATH".to_owned()]);
        assert!(is_withheld("OACP_HOME", &secrets) && is_withheld("PATH", &secrets));
        assert!(!offered(&secrets).contains_key("PATH"));
        assert!(offered(&BTreeSet::new()).contains_key("PATH"));
    }
}
