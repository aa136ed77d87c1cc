//! `capabilities:` of `oacp.yaml` and `tool.yaml`: patterns as a person writes them, and what they say.

use std::collections::BTreeSet;
use std::fmt::Display;

use oacp::capability::{
    Capabilities, DenyRule, GuestPath, HostRule, NamePattern, Network, PathPattern, SecretName,
};
use oacp::id::ToolName;
use oacp_tool::manifest;

use super::secrets::Definitions;
use crate::failure::Failure;
use crate::yaml::Spot;

/// What they say. Relative paths start at `base`; secrets are those of `definitions`.
///
/// # Errors
///
/// Usage, with line and column of the file, and the column within the pattern.
pub(crate) fn read(
    written: &manifest::Capabilities,
    spot: &Spot<'_>,
    base: &GuestPath,
    definitions: &Definitions,
) -> Result<Capabilities, Failure> {
    let manifest::Capabilities {
        file_read,
        file_write,
        network,
        env,
        secrets,
        tools,
    } = written;
    let path = |text: &str| PathPattern::parse_in(text, base);
    let spot = |key| spot.key(key);
    let network_spot = spot("network");
    let mut read = Capabilities {
        file_read: set(file_read, &spot("file_read"), path)?,
        file_write: set(file_write, &spot("file_write"), path)?,
        network: Network {
            allowlist: BTreeSet::new(),
            denylist: set(&network.denylist, &network_spot.key("denylist"), |text| {
                text.parse::<DenyRule>()
            })?,
        },
        env: set(env, &spot("env"), |text| text.parse::<NamePattern>())?,
        tools: set(tools, &spot("tools"), |text| text.parse::<ToolName>())?,
        ..Capabilities::default()
    };
    for (index, entry) in network.allowlist.iter().enumerate() {
        let rule = host_rule(entry).map_err(|why| {
            let allowlist = network_spot.key("allowlist");
            // The list may stand in the place of the mapping.
            let list = if allowlist.exists() {
                allowlist
            } else {
                network_spot.clone()
            };
            list.item(index).refuse(why)
        })?;
        read.network.allowlist.insert(rule);
    }
    for (index, name) in secrets.iter().enumerate() {
        let at = spot("secrets").item(index);
        let name: SecretName = name.parse().map_err(|e| at.refuse(e))?;
        let definition = definitions
            .find(&name)
            .map_err(|failure| failure.with_place(&at.to_string()))?;
        read.secrets.insert(definition.grant.clone());
    }
    Ok(read)
}

fn host_rule(entry: &manifest::HostEntry) -> Result<HostRule, String> {
    let rule: HostRule = entry.host.parse().map_err(told)?;
    if entry.private {
        rule.with_private(true).map_err(told)
    } else {
        Ok(rule)
    }
}

fn told(error: impl Display) -> String {
    error.to_string()
}

/// Parses each text of a list.
fn set<T: Ord, E: Display>(
    list: &[String],
    spot: &Spot<'_>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<BTreeSet<T>, Failure> {
    list.iter()
        .enumerate()
        .map(|(index, text)| parse(text).map_err(|e| spot.item(index).refuse(e)))
        .collect()
}
