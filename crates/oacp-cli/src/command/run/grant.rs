//! What a run is granted on the command line.

use std::fmt::Display;

use clap::Args;
use oacp::capability::{
    Capabilities, DenyRule, GuestPath, HostRule, NamePattern, PathPattern, SecretName,
    special_range,
};

use oacp::id::ToolName;

use crate::config::{Definitions, RunOptions};
use crate::failure::Failure;

/// Under which heading the help has these options.
pub(super) const HEADING: &str =
    "Rights (nothing is granted by default; patterns can be given several times)";

#[derive(Args)]
pub(crate) struct Flags {
    /// Files that may be read: a path, `*` within a name, `**` across, `dir/` for all below
    #[arg(long, value_name = "PATTERN", help_heading = HEADING)]
    allow_read: Vec<String>,
    /// Files that may be written, and are when the run has ended well
    #[arg(long, value_name = "PATTERN", help_heading = HEADING)]
    allow_write: Vec<String>,
    /// Hosts that may be reached: `api.example.com`, `*.example.com:8443`. Without a port: 443
    #[arg(long, value_name = "HOST[:PORT]", help_heading = HEADING)]
    allow_net: Vec<String>,
    /// Hosts and networks that are refused, whatever is allowed
    #[arg(long, value_name = "HOST|CIDR", help_heading = HEADING)]
    deny_net: Vec<String>,
    /// Environment variables that may be read, by name; `*` for any characters
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    allow_env: Vec<String>,
    /// Registered tools that may be called, by name; each has its own rights
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    allow_tool: Vec<ToolName>,
    /// A secret of the configuration, put into requests outside the sandbox
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    secret: Vec<SecretName>,
}

impl Flags {
    /// Adds to what the configuration grants. Relative patterns start at `directory`.
    ///
    /// # Errors
    ///
    /// Usage: a malformed pattern, with its column; a secret that the configuration does not define.
    pub(crate) fn add_to(
        &self,
        options: &mut RunOptions,
        directory: &GuestPath,
    ) -> Result<(), Failure> {
        let granted = self.read(directory, &options.secrets)?;
        options.capabilities = options.capabilities.union(&granted);
        Ok(())
    }

    /// Whether any is there.
    pub(crate) fn are_given(&self) -> bool {
        let Self {
            allow_read,
            allow_write,
            allow_net,
            deny_net,
            allow_env,
            allow_tool,
            secret,
        } = self;
        let texts = [allow_read, allow_write, allow_net, deny_net, allow_env];
        texts.iter().any(|list| !list.is_empty()) || !allow_tool.is_empty() || !secret.is_empty()
    }

    /// What they grant alone.
    ///
    /// # Errors
    ///
    /// As above.
    pub(crate) fn read(
        &self,
        directory: &GuestPath,
        definitions: &Definitions,
    ) -> Result<Capabilities, Failure> {
        let mut granted = Capabilities {
            tools: self.allow_tool.iter().cloned().collect(),
            ..Capabilities::default()
        };
        for text in &self.allow_read {
            let pattern = PathPattern::parse_in(text, directory);
            granted
                .file_read
                .insert(or_refuse(pattern, "--allow-read")?);
        }
        for text in &self.allow_write {
            let pattern = PathPattern::parse_in(text, directory);
            granted
                .file_write
                .insert(or_refuse(pattern, "--allow-write")?);
        }
        for text in &self.allow_net {
            let rule: HostRule = or_refuse(text.parse(), "--allow-net")?;
            // Written out, `localhost` or an address of this machine or of a private network is meant; a name could come to stand for one unnoticed.
            let range = rule.address().and_then(special_range);
            let is_meant = matches!(range, Some("loopback" | "private" | "unique local"))
                || rule.to_string().starts_with("localhost:");
            let rule = if is_meant {
                or_refuse(rule.with_private(true), "--allow-net")?
            } else {
                rule
            };
            granted.network.allowlist.insert(rule);
        }
        for text in &self.deny_net {
            let rule: DenyRule = or_refuse(text.parse(), "--deny-net")?;
            granted.network.denylist.insert(rule);
        }
        for text in &self.allow_env {
            let name: NamePattern = or_refuse(text.parse(), "--allow-env")?;
            granted.env.insert(name);
        }
        for name in &self.secret {
            let definition = definitions.find(name)?;
            granted.secrets.insert(definition.grant.clone());
        }
        Ok(granted)
    }
}

fn or_refuse<T, E: Display>(parsed: Result<T, E>, option: &str) -> Result<T, Failure> {
    parsed.map_err(|e| Failure::usage(format!("{option}: {e}")))
}
