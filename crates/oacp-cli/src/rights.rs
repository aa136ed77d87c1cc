//! Capabilities, for people: one line each.

use oacp::capability::{Capabilities, DenialPolicy, Place, SecretGrant};

/// What is granted, in the order of the configuration's keys.
pub(crate) fn lines(capabilities: &Capabilities) -> Vec<String> {
    let Capabilities {
        tools,
        file_read,
        file_write,
        network,
        env,
        secrets,
        denials,
        within,
    } = capabilities;
    let mut lines = Vec::new();
    lines.extend(tools.iter().map(|tool| format!("tool {tool}")));
    lines.extend(file_read.iter().map(|path| format!("file_read {path}")));
    lines.extend(file_write.iter().map(|path| format!("file_write {path}")));
    for rule in &network.allowlist {
        let private = if rule.private() {
            " (also in a private network)"
        } else {
            ""
        };
        lines.push(format!("network {rule}{private}"));
    }
    lines.extend(
        network
            .denylist
            .iter()
            .map(|rule| format!("network never {rule}")),
    );
    lines.extend(env.iter().map(|name| format!("env {name}")));
    lines.extend(secrets.iter().map(secret));
    if *denials == DenialPolicy::Fatal {
        lines.push("denials are fatal".to_owned());
    }
    for ceiling in within {
        let inner = self::lines(ceiling);
        let inner = if inner.is_empty() {
            "nothing".to_owned()
        } else {
            inner.join("; ")
        };
        lines.push(format!("and only within: {inner}"));
    }
    lines
}

fn secret(secret: &SecretGrant) -> String {
    let SecretGrant { name, host, place } = secret;
    let place = match place {
        Place::Header { header, .. } => format!("header `{header}`"),
        Place::Query { parameter } => format!("query parameter `{parameter}`"),
    };
    format!("secret {name} into the {place} of {host}")
}
