//! Secrets: which leave for which host, and where in a request.
//!
//! The attack is a guest that is given a key and sends it elsewhere. A guest is given none: it says
//! where it wants to go, and on the host side the value is put in. The value is never in here.

use serde::{Deserialize, Serialize};

use super::network::{Host, HostRule, Scheme, Target};
use crate::http::{is_reserved_header, is_token};
use crate::limits::{SECRET_NAME_BYTES_MAX, SECRET_PLACE_BYTES_MAX};

text_type!(
    /// A secret's name: `[A-Za-z_][A-Za-z0-9_.-]{0,127}`.
    SecretName,
    ParseSecretNameError,
    "not a secret's name: expected 1 to 128 of the characters `A-Z a-z 0-9 _ . -`, the first a letter or `_`",
    |text| (1..=SECRET_NAME_BYTES_MAX).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
);

/// Where a secret's value goes. In JSON `{"name": …, "host": …, "header": …, "prefix": …}`, or with
/// `"query"` instead of the last two.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "SecretJson", into = "SecretJson")]
pub struct SecretGrant {
    /// Which secret.
    pub name: SecretName,
    /// To which host, an exact one.
    pub host: HostRule,
    /// Where in the request.
    pub place: Place,
}

/// Where in a request a secret's value stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a header.
    Header {
        /// Its name, in lower case.
        header: String,
        /// What stands before the value, as `Bearer `.
        prefix: String,
    },
    /// In a parameter of the query.
    Query {
        /// Its name.
        parameter: String,
    },
}

impl SecretGrant {
    /// A secret for one host.
    ///
    /// # Errors
    /// A host that is not exact; a header or a parameter that cannot be one, or is the egress's own.
    pub fn new(name: SecretName, host: HostRule, place: Place) -> Result<Self, SecretGrantError> {
        if !host.is_exact() || host.private() {
            return Err(SecretGrantError::Host {
                name,
                host: host.to_string(),
            });
        }
        match &place {
            Place::Header { header, prefix } => {
                let is_lower = !header.bytes().any(|byte| byte.is_ascii_uppercase());
                if header.len() > SECRET_PLACE_BYTES_MAX || !is_token(header) || !is_lower {
                    return Err(SecretGrantError::Header { name });
                }
                if is_reserved_header(header) {
                    let header = header.clone();
                    return Err(SecretGrantError::Reserved { name, header });
                }
                if prefix.len() > SECRET_PLACE_BYTES_MAX
                    || !prefix.bytes().all(|byte| (b' '..=b'~').contains(&byte))
                {
                    return Err(SecretGrantError::Prefix { name });
                }
            }
            Place::Query { parameter } => {
                let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
                if !(1..=SECRET_PLACE_BYTES_MAX).contains(&parameter.len())
                    || !parameter.bytes().all(unreserved)
                {
                    return Err(SecretGrantError::Parameter { name });
                }
            }
        }
        Ok(Self { name, host, place })
    }

    /// Whether the value goes to this target: to its one host, over HTTPS; over plain HTTP only to
    /// the machine itself, for tests.
    pub fn goes_to(&self, target: &Target) -> bool {
        let confidential = match (target.scheme(), target.host()) {
            (Scheme::Https, _) => true,
            (Scheme::Http, Host::Name(name)) => name == "localhost",
            (Scheme::Http, Host::V4(address)) => address.is_loopback(),
            (Scheme::Http, Host::V6(address)) => address.is_loopback(),
        };
        confidential && self.host.is_exact() && self.host.matches(target)
    }
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretJson {
    name: SecretName,
    /// A string: `private` has no part in this.
    host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    prefix: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    query: Option<String>,
}

impl From<SecretGrant> for SecretJson {
    fn from(grant: SecretGrant) -> Self {
        let (header, prefix, query) = match grant.place {
            Place::Header { header, prefix } => (Some(header), prefix, None),
            Place::Query { parameter } => (None, String::new(), Some(parameter)),
        };
        Self {
            name: grant.name,
            host: grant.host.to_string(),
            header,
            prefix,
            query,
        }
    }
}

impl TryFrom<SecretJson> for SecretGrant {
    type Error = SecretGrantError;

    fn try_from(json: SecretJson) -> Result<Self, SecretGrantError> {
        let place = match (json.header, json.query) {
            (Some(header), None) => Place::Header {
                header: header.to_ascii_lowercase(),
                prefix: json.prefix,
            },
            (None, Some(parameter)) if json.prefix.is_empty() => Place::Query { parameter },
            _ => return Err(SecretGrantError::Place { name: json.name }),
        };
        match json.host.parse() {
            Ok(host) => Self::new(json.name, host, place),
            Err(_) => Err(SecretGrantError::Host {
                name: json.name,
                host: json.host,
            }),
        }
    }
}

/// Why a secret cannot be granted so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretGrantError {
    /// Not one host.
    #[error("secret `{name}` needs an exact `host` or `host:port`, found `{}`", .host.escape_debug())]
    Host {
        /// Of the secret.
        name: SecretName,
        /// What was found.
        host: String,
    },
    /// Neither, or both.
    #[error("secret `{name}` needs one of `header` (with an optional `prefix`) and `query`")]
    Place {
        /// Of the secret.
        name: SecretName,
    },
    /// Not a header's name.
    #[error("secret `{name}`: `header` is not the name of a header")]
    Header {
        /// Of the secret.
        name: SecretName,
    },
    /// A header that belongs to the connection.
    #[error("secret `{name}`: the header `{header}` belongs to the connection and cannot be set")]
    Reserved {
        /// Of the secret.
        name: SecretName,
        /// The header.
        header: String,
    },
    /// Not printable ASCII, or too long.
    #[error(
        "secret `{name}`: `prefix` is at most {SECRET_PLACE_BYTES_MAX} printable ASCII characters"
    )]
    Prefix {
        /// Of the secret.
        name: SecretName,
    },
    /// A parameter that would have to be encoded.
    #[error(
        "secret `{name}`: `query` is a parameter's name of the characters `A-Z a-z 0-9 - . _ ~`"
    )]
    Parameter {
        /// Of the secret.
        name: SecretName,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(json: &str) -> Result<SecretGrant, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_grant_has_one_json() {
        for json in [
            r#"{"name":"GITHUB_TOKEN","host":"api.github.com:443","header":"authorization","prefix":"Bearer "}"#,
            r#"{"name":"k","host":"127.0.0.1:8080","header":"x-api-key"}"#,
            r#"{"name":"k","host":"maps.example:443","query":"key"}"#,
        ] {
            assert_eq!(serde_json::to_string(&grant(json).unwrap()).unwrap(), json);
        }
        let short = r#"{"name":"k","host":"a.example","header":"X-Key","prefix":""}"#;
        assert_eq!(
            serde_json::to_string(&grant(short).unwrap()).unwrap(),
            r#"{"name":"k","host":"a.example:443","header":"x-key"}"#
        );
    }

    #[test]
    fn what_cannot_be_granted_says_why() {
        for (rest, error) in [
            (
                r#""host":"*.a.example","header":"x""#,
                "secret `k` needs an exact `host` or `host:port`, found `*.a.example:443`",
            ),
            (
                r#""host":"*","query":"x""#,
                "secret `k` needs an exact `host` or `host:port`, found `*:443`",
            ),
            (
                r#""host":"https://a/","query":"x""#,
                "secret `k` needs an exact `host` or `host:port`, found `https://a/`",
            ),
            (
                r#""host":"a""#,
                "secret `k` needs one of `header` (with an optional `prefix`) and `query`",
            ),
            (
                r#""host":"a","header":"x","query":"y""#,
                "secret `k` needs one of `header` (with an optional `prefix`) and `query`",
            ),
            (
                r#""host":"a","query":"y","prefix":"z""#,
                "secret `k` needs one of `header` (with an optional `prefix`) and `query`",
            ),
            (
                r#""host":"a","header":"x y""#,
                "secret `k`: `header` is not the name of a header",
            ),
            (
                r#""host":"a","header":"x\r\ny""#,
                "secret `k`: `header` is not the name of a header",
            ),
            (
                r#""host":"a","header":"Host""#,
                "secret `k`: the header `host` belongs to the connection and cannot be set",
            ),
            (
                r#""host":"a","header":"proxy-authorization""#,
                "secret `k`: the header `proxy-authorization` belongs to the connection and cannot be set",
            ),
            (
                r#""host":"a","header":"x","prefix":"a\r\nb: ""#,
                "secret `k`: `prefix` is at most 128 printable ASCII characters",
            ),
            (
                r#""host":"a","query":"a&b""#,
                "secret `k`: `query` is a parameter's name of the characters `A-Z a-z 0-9 - . _ ~`",
            ),
        ] {
            let found = grant(&format!(r#"{{"name":"k",{rest}}}"#)).unwrap_err();
            assert_eq!(found, error);
        }
        assert!(grant(r#"{"name":"k","host":"a","header":"x","value":"v"}"#).is_err());
        for name in ["", "1k", "-k", "k k", "k=v", "é", &"k".repeat(129)] {
            assert!(name.parse::<SecretName>().is_err(), "{name}");
        }
        for name in ["K", "_", "db.password", "a-b", &"k".repeat(128)] {
            assert!(name.parse::<SecretName>().is_ok(), "{name}");
        }
    }

    #[test]
    fn a_value_goes_to_its_host_under_tls() {
        for (host, url, expected) in [
            ("a.example", "https://a.example/x?y", true),
            ("a.example", "https://A.EXAMPLE:443/", true),
            ("a.example", "http://a.example:443/", false),
            ("a.example", "https://a.example:8443/", false),
            ("a.example:*", "https://a.example:8443/", true),
            ("a.example", "https://b.a.example/", false),
            ("a.example:80", "http://a.example/", false),
            ("127.0.0.1:80", "http://127.0.0.1/", true),
            ("127.0.0.1:80", "http://0x7f.1/", true),
            ("[::1]:80", "http://[::1]/", true),
            ("localhost:8080", "http://localhost:8080/", true),
            ("x.localhost:8080", "http://x.localhost:8080/", false),
            ("10.0.0.1:80", "http://10.0.0.1/", false),
        ] {
            let host: HostRule = host.parse().unwrap();
            let place = Place::Query {
                parameter: "k".to_owned(),
            };
            let grant = SecretGrant::new("k".parse().unwrap(), host, place).unwrap();
            assert_eq!(
                grant.goes_to(&Target::parse(url).unwrap()),
                expected,
                "{url}"
            );
        }
    }

    #[test]
    fn a_host_that_is_not_exact_is_sent_nothing_however_it_came_about() {
        let grant = SecretGrant {
            name: "k".parse().unwrap(),
            host: "*".parse().unwrap(),
            place: Place::Query {
                parameter: "k".to_owned(),
            },
        };
        assert!(!grant.goes_to(&Target::parse("https://a.example/").unwrap()));
    }
}
