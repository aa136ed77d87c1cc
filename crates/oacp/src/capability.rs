//! Capabilities, and the grant: what was asked for, cut down to what is allowed.
//!
//! The attack is a right that appears from nowhere. A [`Grant`] has one constructor, attenuation,
//! so that it never exceeds what was allowed, whichever policy engine decides.

pub mod denial;
pub mod environment;
mod glob;
pub mod grant;
pub mod network;
pub mod path;
pub mod secret;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use self::denial::{DENIAL_CODES, Denial};
pub use self::environment::{NamePattern, NamePatternError, OWN_SETTINGS};
pub use self::grant::Grant;
pub use self::network::{
    DenyRule, Host, HostRule, Network, RuleError, RuleProblem, Scheme, Target, TargetError,
    special_range,
};
pub use self::path::{GuestPath, GuestPathError, PathPattern, PatternError, PatternProblem};
pub use self::secret::{Place, SecretGrant, SecretGrantError, SecretName};
use crate::digest::Digest;
use crate::id::ToolName;
use crate::json::canonicalize;
use crate::limits::{CAPABILITY_ENTRIES_MAX, CEILINGS_DEPTH_MAX, CEILINGS_MAX, CEILINGS_WIDTH_MAX};

/// Rights that a guest can hold. Nothing is granted by default, and a kind of right that this
/// version does not know is refused in parsing: it must not be hidden from whoever reads the claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, try_from = "CapabilitiesJson")]
pub struct Capabilities {
    /// Tools that may be called, by name.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tools: BTreeSet<ToolName>,
    /// Files that may be read, and directories that may be listed.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub file_read: BTreeSet<PathPattern>,
    /// Files and directories that may be made, changed and removed. To read them is another right.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub file_write: BTreeSet<PathPattern>,
    /// Hosts that may be reached.
    #[serde(skip_serializing_if = "Network::is_empty")]
    pub network: Network,
    /// Environment variables that may be read.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub env: BTreeSet<NamePattern>,
    /// Secrets, each for one host. They say where a value goes, not that the host may be reached.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<SecretGrant>,
    /// What a denial does to the run.
    #[serde(skip_serializing_if = "DenialPolicy::is_catchable")]
    pub denials: DenialPolicy,
    /// Ceilings: what is granted is only what each of them allows too. At most 8 side by side and 8
    /// deep, 64 in all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<Capabilities>,
}

/// What a denial does to the run.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum DenialPolicy {
    /// The guest is told, and may go on.
    #[default]
    Catchable,
    /// The first one ends the run.
    Fatal,
}

impl DenialPolicy {
    fn is_catchable(&self) -> bool {
        *self == Self::Catchable
    }
}

impl Capabilities {
    /// SHA-256 of the canonical JSON (RFC 8785).
    #[expect(
        clippy::expect_used,
        reason = "sets of strings, nested less deep than JSON may be, always have a canonical form"
    )]
    pub fn digest(&self) -> Digest {
        Digest::of(&canonicalize(self).expect("capabilities are strings"))
    }

    /// Whether they hold no right. Deny-lists, ceilings and what a denial does are no rights.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
            && self.file_read.is_empty()
            && self.file_write.is_empty()
            && self.network.allowlist.is_empty()
            && self.env.is_empty()
            && self.secrets.is_empty()
    }

    /// The rights of both. What restricts one restricts all: deny-lists, ceilings, a fatal denial.
    pub fn union(&self, other: &Self) -> Self {
        let mut within = self.within.clone();
        within.extend(
            other
                .within
                .iter()
                .filter(|ceiling| !self.within.contains(ceiling))
                .cloned(),
        );
        Self {
            tools: &self.tools | &other.tools,
            file_read: &self.file_read | &other.file_read,
            file_write: &self.file_write | &other.file_write,
            network: self.network.union(&other.network),
            env: &self.env | &other.env,
            secrets: &self.secrets | &other.secrets,
            denials: self.denials.max(other.denials),
            within,
        }
    }

    /// Whether lists and ceilings keep to their limits.
    fn is_bounded(&self) -> bool {
        self.lists_are_bounded() && self.ceilings_are_bounded()
    }

    fn lists_are_bounded(&self) -> bool {
        [
            self.tools.len(),
            self.file_read.len(),
            self.file_write.len(),
            self.env.len(),
            self.secrets.len(),
        ]
        .into_iter()
        .all(|count| count <= CAPABILITY_ENTRIES_MAX)
            && self.network.is_bounded()
    }

    /// Whether the ceilings are few enough to be judged at every use.
    fn ceilings_are_bounded(&self) -> bool {
        fn count(capabilities: &Capabilities, depth: usize) -> Option<usize> {
            let within = &capabilities.within;
            if within.len() > CEILINGS_WIDTH_MAX || (depth == 0 && !within.is_empty()) {
                return None;
            }
            within.iter().try_fold(within.len(), |sum, ceiling| {
                Some(sum + count(ceiling, depth - 1)?)
            })
        }
        count(self, CEILINGS_DEPTH_MAX).is_some_and(|count| count <= CEILINGS_MAX)
    }
}

/// [`Capabilities`] as they are read, before their limits are checked.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CapabilitiesJson {
    tools: BTreeSet<ToolName>,
    file_read: BTreeSet<PathPattern>,
    file_write: BTreeSet<PathPattern>,
    network: Network,
    env: BTreeSet<NamePattern>,
    secrets: BTreeSet<SecretGrant>,
    denials: DenialPolicy,
    within: Vec<Capabilities>,
}

impl TryFrom<CapabilitiesJson> for Capabilities {
    type Error = CapabilitiesError;

    fn try_from(json: CapabilitiesJson) -> Result<Self, CapabilitiesError> {
        let CapabilitiesJson {
            tools,
            file_read,
            file_write,
            network,
            env,
            secrets,
            denials,
            within,
        } = json;
        let capabilities = Self {
            tools,
            file_read,
            file_write,
            network,
            env,
            secrets,
            denials,
            within,
        };
        if !capabilities.lists_are_bounded() {
            return Err(CapabilitiesError::TooMany);
        }
        if !capabilities.ceilings_are_bounded() {
            return Err(CapabilitiesError::Ceilings);
        }
        Ok(capabilities)
    }
}

/// Capabilities beyond a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CapabilitiesError {
    /// A list is too long.
    #[error("more than {CAPABILITY_ENTRIES_MAX} entries in one list of capabilities")]
    TooMany,
    /// Too many `within`.
    #[error(
        "`within` is at most {CEILINGS_WIDTH_MAX} wide, {CEILINGS_DEPTH_MAX} deep, and {CEILINGS_MAX} in all"
    )]
    Ceilings,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Capabilities, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn the_digest_is_over_the_canonical_form() {
        assert_eq!(Capabilities::default().digest(), Digest::of(b"{}"));
        let capabilities = read(r#"{"tools":["b","a"]}"#).unwrap();
        assert_eq!(capabilities.digest(), Digest::of(br#"{"tools":["a","b"]}"#));
    }

    #[test]
    fn every_kind_of_right_has_one_json() {
        let json = concat!(
            r#"{"tools":["a"],"file_read":["/data/**"],"file_write":["/out/*.csv"],"#,
            r#""network":{"allowlist":["*.example:*","a.example:443",{"host":"localhost:8080","private":true}],"#,
            r#""denylist":["evil.example","10.0.0.0/8"]},"#,
            r#""env":["APP_*","USER"],"#,
            r#""secrets":[{"name":"K","host":"a.example:443","header":"authorization","prefix":"Bearer "}],"#,
            r#""denials":"fatal","within":[{"tools":["a"]}]}"#,
        );
        let capabilities = read(json).unwrap();
        assert_eq!(serde_json::to_string(&capabilities).unwrap(), json);
        assert!(!capabilities.is_empty());
        // What an operator writes in other ways comes out alike.
        let other = json
            .replace("/data/**", "/data/")
            .replace("\"a.example:443\"", "\"A.example\"");
        assert_eq!(read(&other).unwrap(), capabilities);
    }

    #[test]
    fn restrictions_are_no_rights() {
        let restrictions =
            read(r#"{"network":{"denylist":["*"]},"denials":"fatal","within":[{"tools":["a"]}]}"#);
        assert!(restrictions.unwrap().is_empty());
        assert!(Capabilities::default().is_empty());
        for right in [
            r#"{"tools":["a"]}"#,
            r#"{"file_read":["/a"]}"#,
            r#"{"file_write":["/a"]}"#,
            r#"{"network":{"allowlist":["a"]}}"#,
            r#"{"env":["A"]}"#,
            r#"{"secrets":[{"name":"K","host":"a","query":"k"}]}"#,
        ] {
            assert!(!read(right).unwrap().is_empty(), "{right}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused_and_says_where() {
        assert!(read(r#"{"tools":["a"],"everything":true}"#).is_err());
        assert!(read(r#"{"network":{"allow":["a"]}}"#).is_err());
        assert!(read(r#"{"denials":"ignored"}"#).is_err());
        let error = read(r#"{"file_read":["/a/b**"]}"#).unwrap_err();
        assert!(
            error.starts_with("`**` must stand alone between slashes (column 5 of `/a/b**`)"),
            "{error}"
        );
    }

    #[test]
    fn a_union_has_the_rights_and_the_restrictions_of_both() {
        let a = read(
            r#"{"file_read":["/a"],"network":{"allowlist":["a"],"denylist":["x"]},"within":[{"tools":["a"]}]}"#,
        );
        let b = read(
            r#"{"file_read":["/b"],"network":{"allowlist":["b"]},"denials":"fatal","within":[{"tools":["a"]}]}"#,
        );
        let both = read(
            r#"{"file_read":["/a","/b"],"network":{"allowlist":["a","b"],"denylist":["x"]},"denials":"fatal","within":[{"tools":["a"]}]}"#,
        );
        assert_eq!(a.unwrap().union(&b.unwrap()), both.unwrap());
    }

    #[test]
    fn lists_and_ceilings_are_bounded() {
        let paths: Vec<String> = (0..=CAPABILITY_ENTRIES_MAX)
            .map(|n| format!("/{n}"))
            .collect();
        let json = |count: usize| serde_json::json!({ "file_read": paths[..count] }).to_string();
        assert!(read(&json(CAPABILITY_ENTRIES_MAX)).is_ok());
        let error = read(&json(CAPABILITY_ENTRIES_MAX + 1)).unwrap_err();
        assert_eq!(error, "more than 4096 entries in one list of capabilities");

        let nested = |depth: usize| {
            (0..depth).fold("{}".to_owned(), |inner, _| {
                format!(r#"{{"within":[{inner}]}}"#)
            })
        };
        assert!(read(&nested(8)).is_ok());
        let error = read(&nested(9)).unwrap_err();
        assert_eq!(error, "`within` is at most 8 wide, 8 deep, and 64 in all");
        let wide =
            |count, inner: &str| format!(r#"{{"within":[{}]}}"#, vec![inner; count].join(","));
        assert!(read(&wide(8, "{}")).is_ok());
        assert!(read(&wide(9, "{}")).is_err());
        assert!(read(&wide(8, &wide(7, "{}"))).is_ok());
        assert!(read(&wide(8, &wide(8, "{}"))).is_err());
    }
}
