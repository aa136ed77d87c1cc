//! A URL, parsed once.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;

use url::Url;

use super::address::judged;
use crate::limits::{HOST_LABEL_BYTES_MAX, HOST_NAME_BYTES_MAX, URL_BYTES_MAX};

/// A host, in the canonical form of the URL Standard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// Lower-case ASCII letters, digits, `-`, `_` and `.`, without a dot at the end.
    Name(String),
    /// IPv4.
    V4(Ipv4Addr),
    /// IPv6, also one that maps to IPv4: it is judged as that.
    V6(Ipv6Addr),
}

impl Host {
    /// The address, if it is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some((*address).into()),
            Self::V6(address) => Some((*address).into()),
        }
    }

    pub(super) fn from_url<S: AsRef<str>>(host: url::Host<S>) -> Option<Self> {
        match host {
            url::Host::Domain(name) => {
                let name = name.as_ref();
                is_name(name).then(|| Self::Name(name.to_owned()))
            }
            url::Host::Ipv4(address) => Some(Self::V4(address)),
            url::Host::Ipv6(address) => Some(Self::V6(address)),
        }
    }
}

/// The URL Standard also takes `*`, `$` or `'` for parts of a name. No name has them, and in a rule
/// that a denial proposes they would mean something else.
fn is_name(name: &str) -> bool {
    name.len() <= HOST_NAME_BYTES_MAX
        && !name.starts_with('-')
        && name.split('.').all(|label| {
            (1..=HOST_LABEL_BYTES_MAX).contains(&label.len())
                && label.bytes().all(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte)
                })
        })
}

impl fmt::Display for Host {
    /// As in a URL: an IPv6 address in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => url::Host::<&str>::Ipv6(*address).fmt(f),
        }
    }
}

/// How a request travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Under TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URL without one means.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a request goes. `Display` writes the whole URL, without a fragment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    scheme: Scheme,
    host: Host,
    port: u16,
    path_and_query: String,
}

impl Target {
    /// Reads a URL as browsers do (URL Standard), and refuses where other programs read it
    /// otherwise. Hosts are made canonical: letters in lower case, IDNs in ASCII, IPv4 addresses in
    /// octal, hex or one number as such. A fragment is left out.
    ///
    /// # Errors
    /// Another scheme, user information, no host or none that DNS could hold, a dot at its end, a
    /// port 0, a backslash, white space or control characters anywhere, more than 8192 bytes.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        if url.len() > URL_BYTES_MAX {
            return Err(TargetError::TooLong);
        }
        if url.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(TargetError::Character);
        }
        let (scheme, rest) = url.split_once("://").ok_or(TargetError::Malformed)?;
        let scheme = match scheme {
            _ if scheme.eq_ignore_ascii_case("https") => Scheme::Https,
            _ if scheme.eq_ignore_ascii_case("http") => Scheme::Http,
            _ => return Err(TargetError::Scheme),
        };
        let before_query = rest.split(['?', '#']).next().unwrap_or_default();
        if before_query.contains('\\') {
            return Err(TargetError::Backslash);
        }
        let authority = before_query.split('/').next().unwrap_or_default();
        if authority.contains('@') {
            return Err(TargetError::UserInformation);
        }
        let written = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        if written.is_empty() {
            return Err(TargetError::NoHost);
        }
        let parsed = Url::parse(url).map_err(|error| match error {
            url::ParseError::InvalidPort => TargetError::Port,
            url::ParseError::EmptyHost => TargetError::NoHost,
            _ => TargetError::Host,
        })?;
        let host = parsed.host().ok_or(TargetError::NoHost)?;
        // As an address the dot is gone by now; a name has lost its other spellings.
        let ends_in_dot = matches!(host, url::Host::Domain(name) if name.ends_with('.'));
        if ends_in_dot || written.ends_with('.') {
            return Err(TargetError::TrailingDot);
        }
        let host = Host::from_url(host).ok_or(TargetError::Host)?;
        let port = match parsed.port_or_known_default() {
            Some(0) | None => return Err(TargetError::Port),
            Some(port) => port,
        };
        let path_and_query = match parsed.query() {
            Some(query) => format!("{}?{query}", parsed.path()),
            None => parsed.path().to_owned(),
        };
        let target = Self {
            scheme,
            host,
            port,
            path_and_query,
        };
        // What is percent-encoded takes more bytes.
        if target.path_and_query.len() > URL_BYTES_MAX - URL_ORIGIN_BYTES_MAX
            && target.to_string().len() > URL_BYTES_MAX
        {
            return Err(TargetError::TooLong);
        }
        Ok(target)
    }

    /// Where a reference leads that was found at this target, as `location` has it in a redirect: a
    /// whole URL, or a part of one (URL Standard). A fragment is left out.
    ///
    /// # Errors
    /// As [`Target::parse`], of where it leads.
    pub fn join(&self, reference: &str) -> Result<Self, TargetError> {
        if reference.len() > URL_BYTES_MAX {
            return Err(TargetError::TooLong);
        }
        // Joining would pass over what parsing refuses.
        if reference.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(TargetError::Character);
        }
        let before_query = reference.split(['?', '#']).next().unwrap_or_default();
        if before_query.contains('\\') {
            return Err(TargetError::Backslash);
        }
        let base = Url::parse(&self.to_string()).map_err(|_| TargetError::Malformed)?;
        let joined = base.join(reference).map_err(|_| TargetError::Malformed)?;
        Self::parse(joined.as_str())
    }

    /// Whether it is this machine, by an address or by the name `localhost`.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Name(name) => name == "localhost",
            host => host
                .address()
                .is_some_and(|address| judged(address).is_loopback()),
        }
    }

    /// How it travels.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, 1 to 65535.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What is asked of the host, as `/a?b=c`.
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// `https://host:port`, always with the port.
    pub fn origin(&self) -> String {
        format!("{}://{}:{}", self.scheme, self.host, self.port)
    }

    /// `host`, or `host:port` where the port is not the scheme's own: what a `Host` header says.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            self.host_and_port()
        }
    }

    /// `host:port`, always with the port: what rules are about.
    pub fn host_and_port(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// Bytes of the longest scheme, host and port.
const URL_ORIGIN_BYTES_MAX: usize = HOST_NAME_BYTES_MAX + "https://:65535".len();

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        if self.port != self.scheme.default_port() {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path_and_query)
    }
}

/// Why a URL is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// More than 8192 bytes.
    #[error("URL is longer than {URL_BYTES_MAX} bytes")]
    TooLong,
    /// White space or a control character.
    #[error("URL has white space or a control character in it: percent-encode it")]
    Character,
    /// Not `scheme://…`.
    #[error("URL does not begin with `https://` or `http://`")]
    Malformed,
    /// Another scheme.
    #[error("URL's scheme is neither `https` nor `http`")]
    Scheme,
    /// `\`, which some programs read as `/` and others do not.
    #[error("URL has a backslash before its query: percent-encode it as `%5C`")]
    Backslash,
    /// `user@host`.
    #[error("URL has user information: send an `authorization` header instead")]
    UserInformation,
    /// Nothing between `//` and the path.
    #[error("URL has no host")]
    NoHost,
    /// `host.`, which is another spelling of `host` to some programs only.
    #[error("URL's host ends in a dot")]
    TrailingDot,
    /// Not a name or an address.
    #[error("URL's host is neither a host name nor an IP address")]
    Host,
    /// Not 1 to 65535.
    #[error("URL's port is not a number from 1 to 65535")]
    Port,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(url: &str) -> Target {
        Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn a_reference_leads_where_browsers_go_and_is_judged_as_a_url() {
        let base = target("https://a.example/x/y?q");
        for (reference, expected) in [
            ("z", "https://a.example/x/z"),
            ("/z#f", "https://a.example/z"),
            ("//b.example/z", "https://b.example/z"),
            ("http://b.example:81", "http://b.example:81/"),
            ("", "https://a.example/x/y?q"),
        ] {
            let found = base.join(reference).map(|target| target.to_string());
            assert_eq!(found.as_deref(), Ok(expected), "{reference}");
        }
        for (reference, expected) in [
            ("/a b", TargetError::Character),
            ("\\\\b.example\\z", TargetError::Backslash),
            ("file:///etc/passwd", TargetError::Scheme),
            ("ftp://b.example/", TargetError::Scheme),
            ("https://user@b.example/", TargetError::UserInformation),
        ] {
            assert_eq!(base.join(reference), Err(expected), "{reference}");
        }
    }

    #[test]
    fn this_machine_is_known_in_every_spelling() {
        for (url, expected) in [
            ("http://localhost/", true),
            ("http://127.9.9.9/", true),
            ("http://[::1]/", true),
            ("http://[::ffff:127.0.0.1]/", true),
            ("http://localhost.example/", false),
            ("http://10.0.0.1/", false),
        ] {
            assert_eq!(target(url).is_loopback(), expected, "{url}");
        }
    }

    #[test]
    fn a_host_has_one_spelling() {
        for (url, host) in [
            ("https://a.example/", "a.example"),
            ("https://A.Example/", "a.example"),
            ("HTTPS://a.example", "a.example"),
            ("https://a%2Eexample/", "a.example"),
            ("https://%61.example/", "a.example"),
            ("https://a。example/", "a.example"),
            ("https://ａ.example/", "a.example"),
            ("https://bücher.example/", "xn--bcher-kva.example"),
            ("https://BÜCHER.example/", "xn--bcher-kva.example"),
            ("https://xn--bcher-kva.example/", "xn--bcher-kva.example"),
            ("https://faß.example/", "xn--fa-hia.example"),
            ("https://_dmarc.a.example/", "_dmarc.a.example"),
            // 127.0.0.1, in all that programs have ever taken for it.
            ("http://127.0.0.1/", "127.0.0.1"),
            ("http://2130706433/", "127.0.0.1"),
            ("http://0x7f000001/", "127.0.0.1"),
            ("http://0x7F.1/", "127.0.0.1"),
            ("http://017700000001/", "127.0.0.1"),
            ("http://0177.0.0.1/", "127.0.0.1"),
            ("http://127.1/", "127.0.0.1"),
            ("http://127.0.1/", "127.0.0.1"),
            ("http://%31%32%37.1/", "127.0.0.1"),
            ("http://１２７.0.0.1/", "127.0.0.1"),
            ("http://①②⑦.0.0.1/", "127.0.0.1"),
            ("http://[::ffff:127.0.0.1]/", "[::ffff:7f00:1]"),
            ("http://[::FFFF:7F00:1]/", "[::ffff:7f00:1]"),
            ("http://[0:0:0:0:0:0:0:1]/", "[::1]"),
            ("http://[::]/", "[::]"),
            ("http://0/", "0.0.0.0"),
        ] {
            assert_eq!(target(url).host().to_string(), host, "{url}");
        }
    }

    #[test]
    fn a_url_has_one_spelling() {
        for (url, text) in [
            ("https://a.example", "https://a.example/"),
            ("https://a.example:443/x", "https://a.example/x"),
            ("http://a.example:80/x", "http://a.example/x"),
            ("https://a.example:80/x", "https://a.example:80/x"),
            ("https://a.example:00443/x", "https://a.example/x"),
            ("https://a.example:/x", "https://a.example/x"),
            ("https://a.example/a/../b", "https://a.example/b"),
            ("https://a.example/a/%2e%2e/b", "https://a.example/b"),
            ("https://a.example/é", "https://a.example/%C3%A9"),
            ("https://a.example/?q=é", "https://a.example/?q=%C3%A9"),
            ("https://a.example?q=@\\", "https://a.example/?q=@\\"),
            ("https://a.example/@b", "https://a.example/@b"),
            ("https://a.example/x#y", "https://a.example/x"),
            ("https://a.example#@evil.example/", "https://a.example/"),
            ("https://a.example/?", "https://a.example/?"),
            (
                "https://[2606:4700:0::1]:8443/",
                "https://[2606:4700::1]:8443/",
            ),
        ] {
            let found = target(url);
            assert_eq!(found.to_string(), text, "{url}");
            assert_eq!(Target::parse(text), Ok(found));
        }
    }

    #[test]
    fn the_parts_of_a_target() {
        let found = target("https://[::1]:8443/a?b=c#d");
        assert_eq!(found.scheme(), Scheme::Https);
        assert_eq!(found.port(), 8443);
        assert_eq!(found.path_and_query(), "/a?b=c");
        assert_eq!(found.origin(), "https://[::1]:8443");
        assert_eq!(found.authority(), "[::1]:8443");
        let found = target("http://a.example");
        assert_eq!(found.origin(), "http://a.example:80");
        assert_eq!(found.authority(), "a.example");
        assert_eq!(found.host_and_port(), "a.example:80");
    }

    #[test]
    fn what_programs_read_differently_is_refused() {
        for (url, error) in [
            ("", TargetError::Malformed),
            ("a.example", TargetError::Malformed),
            ("//a.example/", TargetError::Malformed),
            ("https:/a.example/", TargetError::Malformed),
            ("https:a.example/", TargetError::Malformed),
            ("ftp://a.example/", TargetError::Scheme),
            ("file:///etc/passwd", TargetError::Scheme),
            ("data:text/plain,x", TargetError::Malformed),
            ("unix://a", TargetError::Scheme),
            ("https://", TargetError::NoHost),
            ("https:///a.example/", TargetError::NoHost),
            ("https://:443/", TargetError::NoHost),
            ("https://?a", TargetError::NoHost),
            ("https://u@a.example/", TargetError::UserInformation),
            ("https://u:p@a.example/", TargetError::UserInformation),
            ("https://@a.example/", TargetError::UserInformation),
            (
                "https://good.example:443@evil.example/",
                TargetError::UserInformation,
            ),
            ("https://good.example%40evil.example/", TargetError::Host),
            (
                "https://good.example\\@evil.example/",
                TargetError::Backslash,
            ),
            ("https:\\\\a.example/", TargetError::Malformed),
            ("https://a.example\\b", TargetError::Backslash),
            ("https://a.example./", TargetError::TrailingDot),
            ("https://a.example.:443/", TargetError::TrailingDot),
            ("https://a.example%2e/", TargetError::TrailingDot),
            ("https://a.example。/", TargetError::TrailingDot),
            ("http://127.0.0.1./", TargetError::TrailingDot),
            ("https://./", TargetError::TrailingDot),
            ("https://a..example/", TargetError::Host),
            ("https://*.example/", TargetError::Host),
            ("https://a$b.example/", TargetError::Host),
            ("https://a'b.example/", TargetError::Host),
            ("https://-a.example/", TargetError::Host),
            ("https://a%00b/", TargetError::Host),
            ("https://a%0ab/", TargetError::Host),
            ("https://[fe80::1%25eth0]/", TargetError::Host),
            ("https://[::1/", TargetError::Host),
            ("https://[v1.a]/", TargetError::Host),
            ("https://1.2.3.256/", TargetError::Host),
            ("https://1.2.3.4.5/", TargetError::Host),
            ("https://0x1ffffffff/", TargetError::Host),
            ("https://a.example:0/", TargetError::Port),
            ("https://a.example:65536/", TargetError::Port),
            ("https://a.example:x/", TargetError::Port),
            ("https://a.example:-1/", TargetError::Port),
            ("https://a.example/a b", TargetError::Character),
            (" https://a.example/", TargetError::Character),
            ("https://a.example/\r\nHost: b", TargetError::Character),
            ("https://a.exa\tmple/", TargetError::Character),
            ("https://a.example/\0", TargetError::Character),
            ("https://a.example/\u{a0}", TargetError::Character),
            ("https://a.example/\u{2028}", TargetError::Character),
            ("https://a.example/\u{85}", TargetError::Character),
        ] {
            assert_eq!(Target::parse(url), Err(error), "{url:?}");
        }
        let label = format!("https://{}.example/", "a".repeat(64));
        assert_eq!(Target::parse(&label), Err(TargetError::Host));
        let name = format!("https://{}a/", "a.".repeat(127));
        assert_eq!(Target::parse(&name), Err(TargetError::Host));
    }

    #[test]
    fn a_url_is_bounded_before_and_after_it_is_canonical() {
        let url = |path: &str, count| format!("https://a.example/{}", path.repeat(count));
        let rest = URL_BYTES_MAX - url("", 0).len();
        assert!(Target::parse(&url("a", rest)).is_ok());
        assert_eq!(
            Target::parse(&url("a", rest + 1)),
            Err(TargetError::TooLong)
        );
        assert!(Target::parse(&url("é", 1300)).is_ok());
        assert_eq!(Target::parse(&url("é", 1400)), Err(TargetError::TooLong));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn what_is_read_is_written_so_that_it_reads_the_same(
            text in "https?://[a-cA-C0-2x.:\\[\\]%é@-]{1,12}(/[a.%?#é/]{0,8})?"
        ) {
            if let Ok(target) = Target::parse(&text) {
                let again = target.to_string();
                prop_assert_eq!(Target::parse(&again), Ok(target.clone()));
                prop_assert!(again.is_ascii());
                // And what it is to us it is to any reader of URLs.
                let url = Url::parse(&again).unwrap();
                prop_assert_eq!(url.as_str(), again);
                prop_assert_eq!(url.host_str().unwrap(), target.host().to_string());
            }
        }
    }
}
