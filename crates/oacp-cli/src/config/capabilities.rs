//! `sandbox.capabilities`: patterns as an operator writes them, and what they grant.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use oacp::capability::{
    Capabilities, DenyRule, GuestPath, HostRule, NamePattern, Network, PathPattern, SecretName,
};
use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::secrets::Definitions;
use crate::failure::Failure;
use crate::yaml;

/// What agents may reach. Nothing is granted by default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Capabilities")]
pub(crate) struct Block {
    /// Paths that may be read: `*` within one segment, `**` across; a trailing `/` means all below. Relative ones start at this file's
    /// directory.
    #[schemars(with = "Vec<String>")]
    file_read: Vec<Spanned<String>>,
    /// Paths that may be written.
    #[schemars(with = "Vec<String>")]
    file_write: Vec<Spanned<String>>,
    /// Hosts that may be reached: a list of `host` or `host:port`, or an allow-list and a deny-list.
    #[schemars(with = "NetworkSchema")]
    network: NetworkBlock,
    /// Names of environment variables that may be read; `*` stands for any characters. Those that OACP itself reads are never shown.
    #[schemars(with = "Vec<String>")]
    env: Vec<Spanned<String>>,
    /// Names of secrets, from `secrets:` at the top, that are put into requests outside the sandbox.
    #[schemars(with = "Vec<String>")]
    secrets: Vec<Spanned<String>>,
}

/// Both shapes that the founding document has.
#[derive(Debug, Default)]
struct NetworkBlock {
    allowlist: Vec<Spanned<HostEntry>>,
    denylist: Vec<Spanned<String>>,
}

#[derive(Debug)]
struct HostEntry {
    host: String,
    private: bool,
}

/// What the parsers below read, for editors.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is asked for")]
enum NetworkSchema {
    /// `host` or `host:port`; `*.x` covers what lies below `x`; no port means 443.
    Allowed(Vec<HostSchema>),
    /// What is allowed, and what is refused all the same.
    Lists(ListsSchema),
}

#[derive(Default, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ListsSchema {
    /// `host` or `host:port`; `*.x` covers what lies below `x`; no port means 443.
    allowlist: Vec<HostSchema>,
    /// Hosts and networks that are refused, whatever is allowed.
    denylist: Vec<String>,
}

#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is asked for")]
enum HostSchema {
    /// `host` or `host:port`.
    Host(String),
    /// A host of a private network, or of this machine.
    Exact(ExactSchema),
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is asked for")]
struct ExactSchema {
    /// An exact name or address, with or without a port.
    host: String,
    /// Whether its address may lie in a special range, as a private network.
    #[serde(default)]
    private: bool,
}

impl<'de> Deserialize<'de> for NetworkBlock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shapes;

        impl<'de> Visitor<'de> for Shapes {
            type Value = NetworkBlock;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of hosts, or a mapping with `allowlist` and `denylist`")
            }

            fn visit_unit<E: Error>(self) -> Result<NetworkBlock, E> {
                Ok(NetworkBlock::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<NetworkBlock, A::Error> {
                let mut allowlist = Vec::new();
                while let Some(entry) = list.next_element()? {
                    allowlist.push(entry);
                }
                Ok(NetworkBlock {
                    allowlist,
                    ..NetworkBlock::default()
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NetworkBlock, A::Error> {
                #[derive(Default, Deserialize)]
                #[serde(default, deny_unknown_fields)]
                struct Lists {
                    allowlist: Vec<Spanned<HostEntry>>,
                    denylist: Vec<Spanned<String>>,
                }
                let Lists {
                    allowlist,
                    denylist,
                } = Lists::deserialize(MapAccessDeserializer::new(map))?;
                Ok(NetworkBlock {
                    allowlist,
                    denylist,
                })
            }
        }

        deserializer.deserialize_any(Shapes)
    }
}

impl<'de> Deserialize<'de> for HostEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shapes;

        impl<'de> Visitor<'de> for Shapes {
            type Value = HostEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a host, or a mapping with `host` and `private`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<HostEntry, E> {
                let host = String::deserialize(StrDeserializer::new(text))?;
                Ok(HostEntry {
                    host,
                    private: false,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HostEntry, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Exact {
                    host: String,
                    #[serde(default)]
                    private: bool,
                }
                let Exact { host, private } = Exact::deserialize(MapAccessDeserializer::new(map))?;
                Ok(HostEntry { host, private })
            }
        }

        deserializer.deserialize_any(Shapes)
    }
}

impl Block {
    /// What it grants. Relative paths start at `base`; secrets are those of `definitions`.
    ///
    /// # Errors
    ///
    /// Usage, with line and column of the file, and the column within the pattern.
    pub(super) fn read(
        &self,
        name: &str,
        base: &GuestPath,
        definitions: &Definitions,
    ) -> Result<Capabilities, Failure> {
        let Self {
            file_read,
            file_write,
            network,
            env,
            secrets,
        } = self;
        let path = |text: &str| PathPattern::parse_in(text, base);
        let mut granted = Capabilities {
            file_read: set(file_read, name, path)?,
            file_write: set(file_write, name, path)?,
            network: Network {
                allowlist: BTreeSet::new(),
                denylist: set(&network.denylist, name, |text| text.parse::<DenyRule>())?,
            },
            env: set(env, name, |text| text.parse::<NamePattern>())?,
            ..Capabilities::default()
        };
        for entry in &network.allowlist {
            let HostEntry { host, private } = &entry.value;
            let refused = |e: &dyn Display| refusal(entry, name, e);
            let rule: HostRule = host.parse().map_err(|e| refused(&e))?;
            let rule = if *private {
                rule.with_private(true).map_err(|e| refused(&e))?
            } else {
                rule
            };
            granted.network.allowlist.insert(rule);
        }
        for secret in secrets {
            let wanted: SecretName = secret
                .value
                .parse()
                .map_err(|e| refusal(secret, name, &e))?;
            let definition = definitions
                .find(&wanted)
                .map_err(|failure| failure.with_place(&yaml::place(name, secret.referenced)))?;
            granted.secrets.insert(definition.grant.clone());
        }
        Ok(granted)
    }
}

/// Parses each text of a list.
fn set<T: Ord, E: Display>(
    list: &[Spanned<String>],
    name: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<BTreeSet<T>, Failure> {
    list.iter()
        .map(|text| parse(&text.value).map_err(|e| refusal(text, name, &e)))
        .collect()
}

fn refusal<T>(at: &Spanned<T>, name: &str, error: &dyn Display) -> Failure {
    Failure::usage(format!("{}: {error}", yaml::place(name, at.referenced)))
}
