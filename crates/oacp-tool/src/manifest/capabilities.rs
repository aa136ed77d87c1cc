//! `capabilities:`, with the keys of `sandbox.capabilities` in `oacp.yaml`.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What a tool or an agent may reach. Nothing is granted by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Capabilities")]
pub struct Capabilities {
    /// Paths that may be read: `*` within one segment, `**` across; a trailing `/` means all below. Relative ones start at this file's
    /// directory.
    pub file_read: Vec<String>,
    /// Paths that may be written.
    pub file_write: Vec<String>,
    /// Hosts that may be reached: a list of `host` or `host:port`, or an allow-list and a deny-list.
    #[schemars(with = "NetworkSchema")]
    pub network: Network,
    /// Names of environment variables that may be read; `*` stands for any characters. Those that OACP itself reads are never shown.
    pub env: Vec<String>,
    /// Names of secrets, from `secrets:` of `oacp.yaml`, that are put into requests outside the sandbox.
    pub secrets: Vec<String>,
    /// Names of tools that may be called.
    pub tools: Vec<String>,
}

/// Hosts, in both shapes that the founding document has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// What may be reached.
    pub allowlist: Vec<HostEntry>,
    /// Hosts and networks that are refused, whatever is allowed.
    pub denylist: Vec<String>,
}

/// A host that may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostEntry {
    /// `host` or `host:port`; `*.x` covers what lies below `x`; no port means 443.
    pub host: String,
    /// Whether its address may lie in a special range, as a private network.
    pub private: bool,
}

/// What the parsers below read, for editors.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Network")]
#[expect(dead_code, reason = "only its schema is asked for")]
enum NetworkSchema {
    /// `host` or `host:port`; `*.x` covers what lies below `x`; no port means 443.
    Allowed(Vec<HostSchema>),
    /// What is allowed, and what is refused all the same.
    Lists(ListsSchema),
}

#[derive(Default, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "NetworkLists")]
struct ListsSchema {
    /// `host` or `host:port`; `*.x` covers what lies below `x`; no port means 443.
    allowlist: Vec<HostSchema>,
    /// Hosts and networks that are refused, whatever is allowed.
    denylist: Vec<String>,
}

#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Host")]
#[expect(dead_code, reason = "only its schema is asked for")]
enum HostSchema {
    /// `host` or `host:port`.
    Host(String),
    /// A host of a private network, or of this machine.
    Exact(ExactSchema),
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ExactHost")]
#[expect(dead_code, reason = "only its schema is asked for")]
struct ExactSchema {
    /// An exact name or address, with or without a port.
    host: String,
    /// Whether its address may lie in a special range, as a private network.
    #[serde(default)]
    private: bool,
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shapes;

        impl<'de> Visitor<'de> for Shapes {
            type Value = Network;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of hosts, or a mapping with `allowlist` and `denylist`")
            }

            fn visit_unit<E: Error>(self) -> Result<Network, E> {
                Ok(Network::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Network, A::Error> {
                let mut allowlist = Vec::new();
                while let Some(entry) = list.next_element()? {
                    allowlist.push(entry);
                }
                Ok(Network {
                    allowlist,
                    ..Network::default()
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Network, A::Error> {
                #[derive(Default, Deserialize)]
                #[serde(default, deny_unknown_fields)]
                struct Lists {
                    allowlist: Vec<HostEntry>,
                    denylist: Vec<String>,
                }
                let Lists {
                    allowlist,
                    denylist,
                } = Lists::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Network {
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
