//! What is used, asked for and granted, side by side.

use std::fmt;

use oacp::capability::{Capabilities, Grant, GuestPath, Target};
use oacp::id::ToolName;
use serde::Serialize;

use super::{Needs, Wanted};

/// A table for people, one row for each right that is used, asked for or granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PermissionMap {
    /// First what the text uses, in its order; then what is asked for or granted and was not seen to be used.
    pub rows: Vec<Row>,
}

/// One right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The kind of right.
    pub capability: Right,
    /// What for: a path, a host, a name, or what of the text uses it.
    pub what: String,
    /// Where it is used. `None`: it is asked for or granted, and the text does not show what for.
    pub why: Option<String>,
    /// Whether the package asks for it.
    pub asked: Covered,
    /// Whether it is granted.
    pub granted: Covered,
}

/// Kinds of rights, by their names in a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// `file_read`.
    FileRead,
    /// `file_write`.
    FileWrite,
    /// `network`.
    Network,
    /// `env`.
    Env,
    /// `secrets`.
    Secrets,
    /// `tools`.
    Tools,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FileRead => "file_read",
            Self::FileWrite => "file_write",
            Self::Network => "network",
            Self::Env => "env",
            Self::Secrets => "secrets",
            Self::Tools => "tools",
        })
    }
}

/// Whether a right is among some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Covered {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// Some of its kind are; which one is used is computed.
    Some,
}

/// Puts what is used beside what is asked for and what is granted. Relative paths of the text start at `base`.
pub fn map(
    needs: &Needs,
    asked: &Capabilities,
    granted: &Capabilities,
    base: &GuestPath,
) -> PermissionMap {
    let asked = Judge::new(asked);
    let granted = Judge::new(granted);
    let mut rows = Vec::new();
    for need in &needs.list {
        let Some(wanted) = &need.capability else {
            continue;
        };
        rows.push(Row {
            capability: right(wanted),
            what: what(wanted, base).unwrap_or_else(|| need.what.clone()),
            why: Some(need.why()),
            asked: asked.covers(wanted, base),
            granted: granted.covers(wanted, base),
        });
    }
    let mut unseen = unused(asked.capabilities, needs, base);
    let mut also = unused(granted.capabilities, needs, base);
    also.retain(|(capability, entry)| asked.lists(*capability, entry) == Covered::No);
    unseen.append(&mut also);
    rows.extend(unseen.into_iter().map(|(capability, entry)| Row {
        asked: asked.lists(capability, &entry),
        granted: granted.lists(capability, &entry),
        capability,
        what: entry,
        why: None,
    }));
    PermissionMap { rows }
}

/// Judges by the grant's own questions, and by nothing else.
struct Judge<'a> {
    capabilities: &'a Capabilities,
    grant: Grant,
}

impl<'a> Judge<'a> {
    fn new(capabilities: &'a Capabilities) -> Self {
        Self {
            capabilities,
            grant: Grant::attenuate(capabilities, capabilities),
        }
    }

    fn covers(&self, wanted: &Wanted, base: &GuestPath) -> Covered {
        let some = |is_empty: bool| match is_empty {
            true => Covered::No,
            false => Covered::Some,
        };
        let is = |allowed: bool| match allowed {
            true => Covered::Yes,
            false => Covered::No,
        };
        let all = self.capabilities;
        match wanted {
            Wanted::FileRead(None) => some(all.file_read.is_empty()),
            Wanted::FileWrite(None) => some(all.file_write.is_empty()),
            Wanted::Network(None) => some(all.network.allowlist.is_empty()),
            Wanted::Env(None) => some(all.env.is_empty()),
            Wanted::Tool(None) => some(all.tools.is_empty()),
            Wanted::FileRead(Some(path)) => is(base.join(path).is_ok_and(|path| {
                self.grant.allows_read(&path).is_ok() || self.grant.allows_listing(&path).is_ok()
            })),
            Wanted::FileWrite(Some(path)) => is(base
                .join(path)
                .is_ok_and(|path| self.grant.allows_write(&path).is_ok())),
            Wanted::Network(Some(host)) => {
                is(target(host).is_some_and(|target| self.grant.allows_target(&target).is_ok()))
            }
            Wanted::Env(Some(name)) => is(self.grant.allows_env(name).is_ok()),
            Wanted::Tool(Some(name)) => is(name
                .parse::<ToolName>()
                .is_ok_and(|name| self.grant.allows_tool(&name).is_ok())),
        }
    }

    /// Whether an entry stands among these capabilities as it is.
    fn lists(&self, right: Right, entry: &str) -> Covered {
        match entries(self.capabilities)
            .iter()
            .any(|(kind, text)| *kind == right && text == entry)
        {
            true => Covered::Yes,
            false => Covered::No,
        }
    }
}

fn right(wanted: &Wanted) -> Right {
    match wanted {
        Wanted::FileRead(_) => Right::FileRead,
        Wanted::FileWrite(_) => Right::FileWrite,
        Wanted::Network(_) => Right::Network,
        Wanted::Env(_) => Right::Env,
        Wanted::Tool(_) => Right::Tools,
    }
}

/// What is wanted, as a grant would say it.
fn what(wanted: &Wanted, base: &GuestPath) -> Option<String> {
    match wanted {
        Wanted::FileRead(Some(path)) | Wanted::FileWrite(Some(path)) => {
            base.join(path).ok().map(|path| path.to_string())
        }
        Wanted::Network(Some(text)) | Wanted::Env(Some(text)) | Wanted::Tool(Some(text)) => {
            Some(text.clone())
        }
        _ => None,
    }
}

fn target(host: &str) -> Option<Target> {
    // Which of the two does not matter: host and port are judged.
    Target::parse(&format!("https://{host}/")).ok()
}

/// The entries whose use the text does not show.
fn unused(capabilities: &Capabilities, needs: &Needs, base: &GuestPath) -> Vec<(Right, String)> {
    let wanted: Vec<&Wanted> = needs
        .list
        .iter()
        .filter_map(|need| need.capability.as_ref())
        .collect();
    let mut entries = entries(capabilities);
    entries.retain(|(kind, entry)| {
        let alone = alone(capabilities, *kind, entry);
        let judge = Judge::new(&alone);
        let mut wanted = wanted.iter();
        !wanted.any(|wanted| right(wanted) == *kind && judge.covers(wanted, base) != Covered::No)
    });
    entries
}

/// Each entry of the lists, as its text.
fn entries(capabilities: &Capabilities) -> Vec<(Right, String)> {
    let Capabilities {
        tools,
        file_read,
        file_write,
        network,
        env,
        secrets,
        denials: _,
        within: _,
    } = capabilities;
    let mut entries = Vec::new();
    let mut add = |right, text: String| entries.push((right, text));
    for pattern in file_read {
        add(Right::FileRead, pattern.to_string());
    }
    for pattern in file_write {
        add(Right::FileWrite, pattern.to_string());
    }
    for rule in &network.allowlist {
        add(Right::Network, rule.to_string());
    }
    for pattern in env {
        add(Right::Env, pattern.to_string());
    }
    for secret in secrets {
        add(Right::Secrets, secret.name.to_string());
    }
    for tool in tools {
        add(Right::Tools, tool.to_string());
    }
    entries
}

/// The capabilities with this one entry.
fn alone(capabilities: &Capabilities, right: Right, entry: &str) -> Capabilities {
    let mut alone = Capabilities::default();
    match right {
        Right::FileRead => {
            let mut patterns = capabilities.file_read.iter();
            alone
                .file_read
                .extend(patterns.find(|one| one.to_string() == entry).cloned());
        }
        Right::FileWrite => {
            let mut patterns = capabilities.file_write.iter();
            alone
                .file_write
                .extend(patterns.find(|one| one.to_string() == entry).cloned());
        }
        Right::Network => {
            let mut rules = capabilities.network.allowlist.iter();
            let rule = rules.find(|one| one.to_string() == entry).cloned();
            alone.network.allowlist.extend(rule);
        }
        Right::Env => {
            let mut patterns = capabilities.env.iter();
            alone
                .env
                .extend(patterns.find(|one| one.to_string() == entry).cloned());
        }
        Right::Tools => {
            let mut tools = capabilities.tools.iter();
            alone
                .tools
                .extend(tools.find(|one| one.to_string() == entry).cloned());
        }
        Right::Secrets => {}
    }
    alone
}
