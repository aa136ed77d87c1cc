//! A configuration in lines that a person can judge before accepting it.

use super::{Egress, RunOptions, Source};
use crate::home::shown;
use crate::registry::{Asked, Place};
use crate::tool::Manifest;
use crate::{measure, rights};

impl RunOptions {
    /// What it grants, sets and would start, one line each.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = rights::lines(&self.capabilities);
        let granted = |name| {
            let mut secrets = self.capabilities.secrets.iter();
            secrets.any(|secret| &secret.name == name)
        };
        for definition in self.secrets.iter() {
            let name = &definition.grant.name;
            let from = match &definition.source {
                Source::Env(variable) => format!("the variable {variable}"),
                Source::File(file) => format!("the file {}", shown(file)),
                // Said in full: it runs on this machine, outside the sandbox.
                Source::Command(words, _) => format!("what this program prints: {words:?}"),
            };
            let unused = if granted(name) { "" } else { " (not granted)" };
            lines.push(format!("secret {name} is taken from {from}{unused}"));
        }
        lines.extend(self.tools.values().flat_map(tool));
        let Egress {
            proxy,
            ca_file,
            timeout,
        } = &self.egress;
        // Shown without user and password.
        lines.extend(proxy.iter().map(|proxy| {
            let shown = format!("{proxy:?}");
            let url = shown.trim_start_matches("Proxy(").trim_end_matches(')');
            format!("requests go through the proxy {url}")
        }));
        lines.extend(
            ca_file
                .iter()
                .map(|file| format!("trusts the certificates of {}", shown(file))),
        );
        lines.extend(
            timeout
                .iter()
                .map(|timeout| format!("requests may take {}", measure::duration(*timeout))),
        );
        let limits = &self.limits;
        lines.push(format!(
            "limits: {} of memory, {} fuel",
            measure::bytes(limits.memory_bytes_max as u64),
            measure::count(limits.fuel)
        ));
        lines.extend(self.level.iter().map(|level| format!("level {level}")));
        lines.extend(self.log());
        lines
    }

    /// Where attestations go, and how long they stay there.
    fn log(&self) -> Vec<String> {
        let Asked {
            place,
            log_policy,
            token,
        } = &self.registry;
        let mut lines = Vec::new();
        match place {
            None => {}
            Some(Place::Nowhere) => lines.push("attestations are not logged".to_owned()),
            Some(Place::Directory(dir)) => {
                lines.push(format!("attestations go to the log in {}", shown(dir)));
            }
            Some(Place::Url(url)) => lines.push(format!("attestations are sent to {url}")),
        }
        for (what, file) in [
            ("which log that is, is said by", log_policy),
            ("the registry's token is taken from", token),
        ] {
            lines.extend(file.iter().map(|file| format!("{what} {}", shown(file))));
        }
        if let Some(days) = self.retention_days {
            let days = measure::plural(days, "day");
            lines.push(match place {
                Some(Place::Nowhere) => format!("payloads are kept for {days}, and none is logged"),
                Some(Place::Url(_)) => format!("the registry is to keep payloads for {days}"),
                _ => format!(
                    "payloads go from the log after {days}, those of other projects too; proofs stay"
                ),
            });
        }
        lines
    }
}

/// What it says of a tool, which has rights of its own.
fn tool(tool: &Manifest) -> Vec<String> {
    let name = &tool.name;
    let mut lines = vec![format!("tool {name} is taken from {}", shown(&tool.path))];
    let rights = rights::lines(&tool.capabilities);
    let limits = tool.limits.said();
    let given = rights
        .into_iter()
        .chain(limits.map(|(key, number)| format!("{key} {number}")));
    lines.extend(given.map(|what| format!("tool {name} is given {what}")));
    lines
}
