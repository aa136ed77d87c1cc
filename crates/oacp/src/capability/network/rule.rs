//! Rules over hosts and ports.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::address::{judged, network, shares};
use super::target::{Host, Target};

/// The port of a rule that names none.
const PORT_DEFAULT: u16 = 443;

/// What may be reached: `host`, `host:port`, `host:8000-8100` or `host:*`. The host is a name, `*.name`
/// (the names below it, and not itself), `*`, an IPv4 address, or an IPv6 address in brackets.
/// Without a port: 443. `Display` always writes the port.
///
/// In JSON a string, or `{"host": "…", "private": true}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostRule {
    hosts: Hosts,
    ports: Ports,
    private: bool,
}

impl HostRule {
    /// The rule for exactly this host and port.
    pub fn exactly(target: &Target) -> Self {
        Self {
            hosts: Hosts::Exactly(target.host().clone()),
            ports: Ports::one(target.port()),
            private: false,
        }
    }

    /// What somebody means who allows exactly this, as a denial asks for it: an address of a
    /// [special range](super::special_range), or `localhost`, is then meant as that. `None`: it is no exact host.
    pub fn meaning(asked: &str) -> Option<Self> {
        let rule: Self = asked.parse().ok().filter(Self::is_exact)?;
        let is_special = rule.address().and_then(super::special_range).is_some();
        // Who says `localhost` means this machine.
        let is_this_machine =
            matches!(&rule.hosts, Hosts::Exactly(Host::Name(name)) if name == "localhost");
        rule.with_private(is_special || is_this_machine).ok()
    }

    /// Whether it passes addresses of [special ranges](super::special_range), too.
    pub fn is_private(&self) -> bool {
        self.private
    }

    /// The same rule that does, or does not, also pass addresses in
    /// [special ranges](super::special_range).
    ///
    /// # Errors
    /// `private` where the host is not exact: it would open the host's own network.
    pub fn with_private(self, private: bool) -> Result<Self, RuleError> {
        if private && !self.is_exact() {
            return Err(RuleError {
                rule: self.to_string(),
                problem: RuleProblem::Private,
            });
        }
        Ok(Self { private, ..self })
    }

    /// Whether it also passes addresses in special ranges.
    pub fn private(&self) -> bool {
        self.private
    }

    /// Whether it is for one host.
    pub fn is_exact(&self) -> bool {
        matches!(self.hosts, Hosts::Exactly(_))
    }

    /// Whether it is for one host, which is written as an address.
    pub fn address(&self) -> Option<IpAddr> {
        match &self.hosts {
            Hosts::Exactly(host) => host.address(),
            _ => None,
        }
    }

    /// Whether the target's host and port are meant.
    pub fn matches(&self, target: &Target) -> bool {
        self.ports.contains(target.port()) && self.hosts.contains(target.host())
    }

    /// Whether the target's host is meant, whatever the port.
    pub fn matches_host(&self, host: &Host) -> bool {
        self.hosts.contains(host)
    }

    /// Whether whatever `other` lets through, this lets through.
    pub fn covers(&self, other: &Self) -> bool {
        self.ports.covers(other.ports)
            && self.hosts.covers(&other.hosts)
            && (self.private || !other.private)
    }
}

impl FromStr for HostRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let read = || {
            let (host, ports) = split_ports(text)?;
            Ok(Self {
                hosts: host.parse()?,
                ports: match ports {
                    Some(ports) => ports.parse()?,
                    None => Ports::one(PORT_DEFAULT),
                },
                private: false,
            })
        };
        read().map_err(|problem| RuleError::new(text, problem))
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.hosts, self.ports)
    }
}

impl Serialize for HostRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.private {
            return serializer.collect_str(self);
        }
        let mut rule = serializer.serialize_struct("HostRule", 2)?;
        rule.serialize_field("host", &self.to_string())?;
        rule.serialize_field("private", &true)?;
        rule.end()
    }
}

impl<'de> Deserialize<'de> for HostRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Whole {
            host: String,
            #[serde(default)]
            private: bool,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = HostRule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`host:port`, or an object with `host` and `private`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<HostRule, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HostRule, A::Error> {
                let whole = Whole::deserialize(MapAccessDeserializer::new(map))?;
                let rule: HostRule = whole.host.parse().map_err(A::Error::custom)?;
                rule.with_private(whole.private).map_err(A::Error::custom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// What may not be reached: a host as in a [`HostRule`] (without a port: all ports), a network
/// (`10.0.0.0/8`, `fc00::/7`), or an address. Networks and addresses are compared with what a name
/// resolves to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DenyRule {
    denied: Denied,
    ports: Ports,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Denied {
    /// Names, or every host.
    Hosts(Hosts),
    /// The addresses that share the first `bits`; a single one shares all.
    Network { address: IpAddr, bits: u32 },
}

impl DenyRule {
    /// Whether the target is denied by its host as it is written.
    pub fn denies_target(&self, target: &Target) -> bool {
        match &self.denied {
            Denied::Hosts(hosts) => {
                self.ports.contains(target.port()) && hosts.contains(target.host())
            }
            Denied::Network { .. } => target
                .host()
                .address()
                .is_some_and(|address| self.denies_address(target, address)),
        }
    }

    /// Whether the target is denied since its host is, or resolves to, this address.
    pub fn denies_address(&self, target: &Target, found: IpAddr) -> bool {
        match &self.denied {
            Denied::Hosts(_) => false,
            Denied::Network { address, bits } => {
                self.ports.contains(target.port()) && shares(judged(found), *address, *bits)
            }
        }
    }
}

impl FromStr for DenyRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let single = |address: IpAddr| {
            let address = judged(address);
            Denied::Network {
                address,
                bits: width(address),
            }
        };
        let read = || {
            if let Some((address, bits)) = text.split_once('/') {
                return Ok(Self {
                    denied: parse_network(address, bits)?,
                    ports: Ports::ALL,
                });
            }
            if let Ok(address) = text.parse::<Ipv6Addr>() {
                return Ok(Self {
                    denied: single(address.into()),
                    ports: Ports::ALL,
                });
            }
            let (host, ports) = split_ports(text)?;
            let hosts: Hosts = host.parse()?;
            let address = match &hosts {
                Hosts::Exactly(host) => host.address(),
                _ => None,
            };
            Ok(Self {
                denied: address.map_or(Denied::Hosts(hosts), single),
                ports: ports.map_or(Ok(Ports::ALL), str::parse)?,
            })
        };
        read().map_err(|problem| RuleError::new(text, problem))
    }
}

fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn parse_network(address: &str, bits: &str) -> Result<Denied, RuleProblem> {
    let address: IpAddr = address.parse().map_err(|_| RuleProblem::Network)?;
    let bits = number(bits)
        .map(u32::from)
        .filter(|bits| *bits <= width(address))
        .ok_or(RuleProblem::Network)?;
    let first = network(address, bits);
    if first != address {
        return Err(RuleProblem::HostBits {
            network: first,
            bits,
        });
    }
    // Addresses are judged as the IPv4 that they map to: so is the network of such addresses.
    let v4 = judged(address);
    Ok(if v4 != address && bits >= 96 {
        Denied::Network {
            address: v4,
            bits: bits - 96,
        }
    } else {
        Denied::Network { address, bits }
    })
}

impl fmt::Display for DenyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let every_port = self.ports == Ports::ALL;
        match &self.denied {
            Denied::Hosts(hosts) if every_port => hosts.fmt(f),
            Denied::Hosts(hosts) => write!(f, "{hosts}:{}", self.ports),
            Denied::Network { address, bits } if *bits < width(*address) => {
                write!(f, "{address}/{bits}")
            }
            Denied::Network { address, .. } if every_port => address.fmt(f),
            Denied::Network { address, .. } => match address {
                IpAddr::V4(address) => write!(f, "{address}:{}", self.ports),
                IpAddr::V6(address) => write!(f, "[{address}]:{}", self.ports),
            },
        }
    }
}

text_serde!(DenyRule);

/// The hosts of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Hosts {
    Every,
    /// The names below this one.
    Below(String),
    Exactly(Host),
}

impl Hosts {
    fn contains(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Every, _) => true,
            (Self::Below(name), Host::Name(host)) => is_below(host, name),
            (Self::Below(_), _) => false,
            (Self::Exactly(Host::Name(name)), Host::Name(host)) => name == host,
            (Self::Exactly(own), host) => match (own.address(), host.address()) {
                (Some(own), Some(host)) => judged(own) == judged(host),
                _ => false,
            },
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Every, _) => true,
            (Self::Below(name), Self::Below(other)) => name == other || is_below(other, name),
            (_, Self::Exactly(host)) => self.contains(host),
            _ => false,
        }
    }
}

fn is_below(host: &str, name: &str) -> bool {
    host.strip_suffix(name)
        .is_some_and(|labels| labels.ends_with('.'))
}

impl FromStr for Hosts {
    type Err = RuleProblem;

    fn from_str(text: &str) -> Result<Self, RuleProblem> {
        match text.strip_prefix("*.") {
            _ if text == "*" => Ok(Self::Every),
            Some(name) => match exact_host(name)? {
                Host::Name(name) => Ok(Self::Below(name)),
                _ => Err(RuleProblem::Star),
            },
            None => exact_host(text).map(Self::Exactly),
        }
    }
}

/// A host as an operator writes it. Unlike in a URL, an odd spelling is more likely a mistake than
/// meant.
fn exact_host(text: &str) -> Result<Host, RuleProblem> {
    if text.is_empty() {
        return Err(RuleProblem::NoHost);
    }
    if text.contains('*') {
        return Err(RuleProblem::Star);
    }
    if text.contains(['/', '\\', '@', '?', '#', '%'])
        || text.contains(|c: char| c.is_control() || c.is_whitespace())
    {
        return Err(RuleProblem::Host);
    }
    if text.ends_with('.') {
        return Err(RuleProblem::TrailingDot);
    }
    let host = url::Host::parse(text).map_err(|_| RuleProblem::Host)?;
    match Host::from_url(host).ok_or(RuleProblem::Host)? {
        Host::V4(address) if address.to_string() != text => Err(RuleProblem::Spelling(address)),
        host => Ok(host),
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("*"),
            Self::Below(name) => write!(f, "*.{name}"),
            Self::Exactly(host) => host.fmt(f),
        }
    }
}

/// Ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Ports {
    first: u16,
    last: u16,
}

impl Ports {
    const ALL: Self = Self {
        first: 1,
        last: u16::MAX,
    };

    fn one(port: u16) -> Self {
        Self {
            first: port,
            last: port,
        }
    }

    fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    fn covers(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

impl FromStr for Ports {
    type Err = RuleProblem;

    fn from_str(text: &str) -> Result<Self, RuleProblem> {
        if text == "*" {
            return Ok(Self::ALL);
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (number(first), number(last)) {
            (Some(first), Some(last)) if 1 <= first && first <= last => Ok(Self { first, last }),
            _ => Err(RuleProblem::Ports),
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ALL => f.write_str("*"),
            Self { first, last } if first == last => first.fmt(f),
            Self { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

/// A number without a sign or leading zeros.
fn number(text: &str) -> Option<u16> {
    text.parse()
        .ok()
        .filter(|number: &u16| number.to_string() == text)
}

/// The host, and what follows its colon. An IPv6 address has brackets, for its colons are its own.
fn split_ports(text: &str) -> Result<(&str, Option<&str>), RuleProblem> {
    if text.contains("://") {
        return Err(RuleProblem::Url);
    }
    if text.starts_with('[') {
        let end = text.find(']').ok_or(RuleProblem::Host)? + 1;
        let (host, ports) = text.split_at_checked(end).ok_or(RuleProblem::Host)?;
        return match ports.strip_prefix(':') {
            Some(ports) => Ok((host, Some(ports))),
            None if ports.is_empty() => Ok((host, None)),
            None => Err(RuleProblem::Host),
        };
    }
    match text.split_once(':') {
        Some((_, ports)) if ports.contains(':') => Err(RuleProblem::Brackets),
        Some((host, ports)) => Ok((host, Some(ports))),
        None => Ok((text, None)),
    }
}

/// A text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}`: {problem}", .rule.escape_debug())]
pub struct RuleError {
    /// The text, or the beginning of a long one.
    pub rule: String,
    /// What is wrong with it.
    pub problem: RuleProblem,
}

/// Characters of a refused rule that its message repeats.
const RULE_SHOWN_CHARS: usize = 120;

impl RuleError {
    fn new(rule: &str, problem: RuleProblem) -> Self {
        Self {
            rule: rule.chars().take(RULE_SHOWN_CHARS).collect(),
            problem,
        }
    }
}

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleProblem {
    /// No text before the port.
    #[error("the host is missing")]
    NoHost,
    /// A URL.
    #[error("a rule is a host and a port, not a URL: leave out `https://` and the path")]
    Url,
    /// Not a name or an address.
    #[error("neither a host name nor an IP address")]
    Host,
    /// `*` within a name, or before an address.
    #[error("`*` stands alone, or as `*.` before a name")]
    Star,
    /// `host.`.
    #[error("the host ends in a dot: leave it out")]
    TrailingDot,
    /// An IPv4 address in another spelling.
    #[error("write this address as `{0}`")]
    Spelling(Ipv4Addr),
    /// An IPv6 address without brackets.
    #[error("an IPv6 address stands in brackets, as `[::1]:443`")]
    Brackets,
    /// Not a port, a range or `*`.
    #[error("a port is 1 to 65535, a range of two such as `8000-8100`, or `*`")]
    Ports,
    /// Not a network.
    #[error("a network is an address, `/`, and how many of its bits count, as `10.0.0.0/8`")]
    Network,
    /// A network whose address has bits beyond those that count.
    #[error("bits are set beyond the network's: did you mean `{network}/{bits}`")]
    HostBits {
        /// The network that the address is in.
        network: IpAddr,
        /// Of its prefix.
        bits: u32,
    },
    /// `private` for more than one host.
    #[error("`private` needs an exact host name or address")]
    Private,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(url: &str) -> Target {
        Target::parse(url).unwrap()
    }

    #[test]
    fn a_rule_means_what_it_says() {
        for (rule, url, expected) in [
            ("a.example", "https://a.example/", true),
            ("a.example", "https://a.example:443/", true),
            ("A.EXAMPLE", "https://a.example/", true),
            ("a.example", "http://a.example/", false),
            ("a.example:80", "http://a.example/", true),
            ("a.example", "https://a.example:8443/", false),
            ("a.example", "https://b.a.example/", false),
            ("a.example", "https://aa.example/", false),
            ("a.example:*", "https://a.example:8443/", true),
            ("a.example:8000-8100", "http://a.example:8000/", true),
            ("a.example:8000-8100", "http://a.example:8100/", true),
            ("a.example:8000-8100", "http://a.example:7999/", false),
            ("a.example:8000-8100", "http://a.example:8101/", false),
            ("*.example", "https://a.example/", true),
            ("*.example", "https://b.a.example/", true),
            ("*.a.example", "https://a.example/", false),
            ("*.a.example", "https://ba.example/", false),
            ("*.example", "https://127.0.0.1/", false),
            ("*", "https://a.example/", true),
            ("*", "https://1.2.3.4/", true),
            ("*", "https://a.example:8443/", false),
            ("*:*", "http://[::1]:9/", true),
            ("bücher.example", "https://xn--bcher-kva.example/", true),
            ("1.2.3.4", "https://1.2.3.4/", true),
            ("1.2.3.4", "https://0x01020304/", true),
            ("1.2.3.4", "https://[::ffff:1.2.3.4]/", true),
            ("[::ffff:1.2.3.4]", "https://1.2.3.4/", true),
            ("1.2.3.4", "https://1.2.3.5/", false),
            ("[::1]:80", "http://[0::1]/", true),
            ("[::1]:80", "http://[::2]/", false),
            ("localhost:80", "http://127.0.0.1/", false),
        ] {
            let parsed: HostRule = rule.parse().unwrap();
            assert_eq!(parsed.matches(&target(url)), expected, "{rule} {url}");
        }
    }

    #[test]
    fn a_rule_has_one_spelling_that_is_written() {
        for (text, canonical) in [
            ("a.example", "a.example:443"),
            ("A.example:443", "a.example:443"),
            ("a.example:80-80", "a.example:80"),
            ("a.example:1-65535", "a.example:*"),
            ("*", "*:443"),
            ("*.Example:*", "*.example:*"),
            ("[0:0::1]:80", "[::1]:80"),
            ("[::ffff:1.2.3.4]", "[::ffff:102:304]:443"),
            ("bücher.example", "xn--bcher-kva.example:443"),
        ] {
            let rule: HostRule = text.parse().unwrap();
            assert_eq!(rule.to_string(), canonical);
            assert_eq!(canonical.parse(), Ok(rule.clone()));
            assert_eq!(serde_json::to_value(&rule).unwrap(), canonical);
        }
        for (text, canonical) in [
            ("a.example", "a.example"),
            ("*.example:80", "*.example:80"),
            ("*", "*"),
            ("*:25", "*:25"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.1", "10.0.0.1"),
            ("10.0.0.1/32", "10.0.0.1"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("fc00::/7", "fc00::/7"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("[::1]:80", "[::1]:80"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
        ] {
            let rule: DenyRule = text.parse().unwrap();
            assert_eq!(rule.to_string(), canonical);
            assert_eq!(canonical.parse(), Ok(rule));
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_the_reason() {
        for (text, error) in [
            ("", "``: the host is missing"),
            (":443", "`:443`: the host is missing"),
            (
                "https://a.example/",
                "`https://a.example/`: a rule is a host and a port, not a URL: leave out `https://` and the path",
            ),
            (
                "a.example/x",
                "`a.example/x`: neither a host name nor an IP address",
            ),
            (
                "u@a.example",
                "`u@a.example`: neither a host name nor an IP address",
            ),
            (
                "a example",
                "`a example`: neither a host name nor an IP address",
            ),
            (
                "a%2eexample",
                "`a%2eexample`: neither a host name nor an IP address",
            ),
            (
                "a..example",
                "`a..example`: neither a host name nor an IP address",
            ),
            (
                "a.example.",
                "`a.example.`: the host ends in a dot: leave it out",
            ),
            (
                "a.*.example",
                "`a.*.example`: `*` stands alone, or as `*.` before a name",
            ),
            (
                "*a.example",
                "`*a.example`: `*` stands alone, or as `*.` before a name",
            ),
            (
                "*.*.example",
                "`*.*.example`: `*` stands alone, or as `*.` before a name",
            ),
            (
                "*.1.2.3.4",
                "`*.1.2.3.4`: `*` stands alone, or as `*.` before a name",
            ),
            ("*.", "`*.`: the host is missing"),
            (
                "2130706433",
                "`2130706433`: write this address as `127.0.0.1`",
            ),
            (
                "0177.0.0.1",
                "`0177.0.0.1`: write this address as `127.0.0.1`",
            ),
            (
                "::1",
                "`::1`: an IPv6 address stands in brackets, as `[::1]:443`",
            ),
            ("[::1", "`[::1`: neither a host name nor an IP address"),
            ("[::1]x", "`[::1]x`: neither a host name nor an IP address"),
            (
                "a.example:0",
                "`a.example:0`: a port is 1 to 65535, a range of two such as `8000-8100`, or `*`",
            ),
            (
                "a.example:",
                "`a.example:`: a port is 1 to 65535, a range of two such as `8000-8100`, or `*`",
            ),
            (
                "a.example:9-8",
                "`a.example:9-8`: a port is 1 to 65535, a range of two such as `8000-8100`, or `*`",
            ),
            (
                "a.example:+80",
                "`a.example:+80`: a port is 1 to 65535, a range of two such as `8000-8100`, or `*`",
            ),
            (
                "a.example:65536",
                "`a.example:65536`: a port is 1 to 65535, a range of two such as `8000-8100`, or `*`",
            ),
        ] {
            let found = text.parse::<HostRule>().unwrap_err().to_string();
            assert_eq!(found, error);
        }
        for (text, error) in [
            (
                "10.0.0.1/8",
                "`10.0.0.1/8`: bits are set beyond the network's: did you mean `10.0.0.0/8`",
            ),
            (
                "fe80::1/10",
                "`fe80::1/10`: bits are set beyond the network's: did you mean `fe80::/10`",
            ),
            (
                "10.0.0.0/33",
                "`10.0.0.0/33`: a network is an address, `/`, and how many of its bits count, as `10.0.0.0/8`",
            ),
            (
                "10.0.0.0/08",
                "`10.0.0.0/08`: a network is an address, `/`, and how many of its bits count, as `10.0.0.0/8`",
            ),
            (
                "10/8",
                "`10/8`: a network is an address, `/`, and how many of its bits count, as `10.0.0.0/8`",
            ),
            (
                "a.example/8",
                "`a.example/8`: a network is an address, `/`, and how many of its bits count, as `10.0.0.0/8`",
            ),
        ] {
            assert_eq!(text.parse::<DenyRule>().unwrap_err().to_string(), error);
        }
        let long = "a".repeat(100_000);
        assert!(long.parse::<HostRule>().unwrap_err().to_string().len() < 300);
    }

    #[test]
    fn private_is_for_exact_hosts_alone() {
        let read = |json: &str| serde_json::from_str::<HostRule>(json).map_err(|e| e.to_string());
        let rule = read(r#"{"host":"localhost:8080","private":true}"#).unwrap();
        assert!(rule.private() && rule.matches(&target("http://localhost:8080/")));
        assert_eq!(
            serde_json::to_string(&rule).unwrap(),
            r#"{"host":"localhost:8080","private":true}"#
        );
        let public = read(r#"{"host":"a.example"}"#).unwrap();
        assert_eq!(
            serde_json::to_string(&public).unwrap(),
            r#""a.example:443""#
        );
        for host in ["*", "*.example"] {
            let error = read(&format!(r#"{{"host":"{host}","private":true}}"#)).unwrap_err();
            let expected = format!("`{host}:443`: `private` needs an exact host name or address");
            assert!(error.starts_with(&expected), "{error}");
        }
        assert!(read(r#"{"host":"a","port":1}"#).is_err());
        assert!(read("1").unwrap_err().contains("`host:port`, or an object"));
    }

    #[test]
    fn a_deny_rule_is_about_names_or_addresses() {
        for (rule, url, address, expected) in [
            ("a.example", "https://a.example/", None, true),
            ("a.example", "http://a.example:8080/", None, true),
            ("a.example:443", "http://a.example/", None, false),
            ("*.example", "https://a.example/", None, true),
            ("*", "https://1.2.3.4/", None, true),
            ("10.0.0.0/8", "https://10.1.2.3/", None, true),
            ("10.0.0.0/8", "https://a.example/", None, false),
            ("10.0.0.0/8", "https://a.example/", Some("10.1.2.3"), true),
            (
                "10.0.0.0/8",
                "https://a.example/",
                Some("::ffff:10.1.2.3"),
                true,
            ),
            ("10.0.0.0/8", "https://a.example/", Some("::10.1.2.3"), true),
            ("10.0.0.0/8", "https://a.example/", Some("11.1.2.3"), false),
            ("10.0.0.1:80", "http://a.example/", Some("10.0.0.1"), true),
            ("10.0.0.1:80", "https://a.example/", Some("10.0.0.1"), false),
            ("::ffff:0:0/96", "https://a.example/", Some("1.2.3.4"), true),
            ("::/0", "https://a.example/", Some("2606::1"), true),
            ("::/0", "https://a.example/", Some("1.2.3.4"), false),
            ("a.example", "https://b.example/", Some("1.2.3.4"), false),
        ] {
            let parsed: DenyRule = rule.parse().unwrap();
            let target = target(url);
            let denied = match address {
                None => parsed.denies_target(&target),
                Some(address) => parsed.denies_address(&target, address.parse().unwrap()),
            };
            assert_eq!(denied, expected, "{rule} {url} {address:?}");
        }
    }

    fn any_rule() -> impl Strategy<Value = HostRule> {
        let host = prop::sample::select(vec![
            "*",
            "*.b",
            "*.a.b",
            "a.b",
            "b",
            "c.a.b",
            "1.2.3.4",
            "[::ffff:102:304]",
            "[::1]",
        ]);
        let ports = prop::sample::select(vec!["1", "2", "1-2", "2-3", "*"]);
        (host, ports, any::<bool>()).prop_map(|(host, ports, private)| {
            let rule: HostRule = format!("{host}:{ports}").parse().unwrap();
            rule.clone().with_private(private).unwrap_or(rule)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]
        #[test]
        fn what_covers_lets_through_whatever_the_other_does(
            a in any_rule(),
            b in any_rule(),
            host in prop::sample::select(vec!["a.b", "b", "c.a.b", "x.b", "1.2.3.4", "[::1]", "[::ffff:1.2.3.4]"]),
            port in 1u16..4,
        ) {
            let target = target(&format!("https://{host}:{port}/"));
            prop_assert!(a.covers(&a));
            if a.covers(&b) && b.matches(&target) {
                prop_assert!(a.matches(&target) && a.private() >= b.private(), "{} {}", a, b);
            }
        }

        #[test]
        fn rules_round_trip(text in "[*a.1:/\\[\\]-]{0,10}") {
            if let Ok(rule) = text.parse::<HostRule>() {
                prop_assert_eq!(rule.to_string().parse(), Ok(rule));
            }
            if let Ok(rule) = text.parse::<DenyRule>() {
                prop_assert_eq!(rule.to_string().parse(), Ok(rule));
            }
        }
    }
}
