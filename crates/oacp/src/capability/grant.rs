//! The grant, and each question that is put to it.
//!
//! The attack is a use that nobody judged. Every question has one function, which answers for the
//! grant and for each of its ceilings; nothing is answered by looking at the lists elsewhere.

use core::net::IpAddr;
use std::collections::BTreeSet;

use super::Capabilities;
use super::denial::{Access, Denial, Refusing};
use super::environment::{NamePattern, OWN_SETTINGS};
use super::network::{DenyRule, HostRule, Target, judged, special_range};
use super::path::{GuestPath, PathPattern};
use super::secret::SecretGrant;
use crate::digest::Digest;
use crate::id::ToolName;

/// The capabilities of one call, after attenuation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant(Capabilities);

#[expect(
    clippy::result_large_err,
    reason = "the denial is the answer, and handed on whole"
)]
impl Grant {
    /// What is both asked for and allowed. Tools and secrets are those of both. If all else that is
    /// asked for is plainly within what is allowed, it is granted as it is; if not, what is allowed is
    /// kept beside it as a ceiling ([`Capabilities::within`]), so that nothing is lost to
    /// the comparison of patterns. Deny-lists add up.
    ///
    /// Ceilings beyond their limit leave nothing: no list is cut.
    pub fn attenuate(asked: &Capabilities, allowed: &Capabilities) -> Self {
        let mut granted = Capabilities {
            tools: &asked.tools & &allowed.tools,
            secrets: &asked.secrets & &allowed.secrets,
            denials: asked.denials.max(allowed.denials),
            ..asked.clone()
        };
        if !asked.network.allowlist.is_empty() {
            granted
                .network
                .denylist
                .extend(allowed.network.denylist.iter().cloned());
        }
        if !covers(allowed, &granted) {
            granted.within.push(allowed.clone());
        }
        if granted.is_bounded() {
            Self(granted)
        } else {
            Self::none()
        }
    }

    /// No rights at all.
    pub fn none() -> Self {
        Self(Capabilities::default())
    }

    /// What is granted.
    pub fn capabilities(&self) -> &Capabilities {
        &self.0
    }

    /// [`Capabilities::digest`] of what is granted.
    pub fn digest(&self) -> Digest {
        self.0.digest()
    }

    /// Whether any file is granted, for reading or writing.
    pub fn has_files(&self) -> bool {
        !self.0.file_read.is_empty() || !self.0.file_write.is_empty()
    }

    /// Whether any host is granted.
    pub fn has_network(&self) -> bool {
        !self.0.network.allowlist.is_empty()
    }

    /// Whether any environment variable is granted.
    pub fn has_env(&self) -> bool {
        !self.0.env.is_empty()
    }

    /// Whether the tool may be called.
    ///
    /// # Errors
    /// The denial, ready to be recorded and shown. So it is of the other questions.
    pub fn allows_tool(&self, tool: &ToolName) -> Result<(), Denial> {
        match self.refusing(|level| level.tools.contains(tool)) {
            None => Ok(()),
            Some(_) => Err(self.deny_tool(tool.as_str())),
        }
    }

    /// The denial of a tool by whatever name a guest said, also one that is no tool name at all.
    pub fn deny_tool(&self, asked: &str) -> Denial {
        Denial::tool_not_granted(asked, &self.0.tools)
    }

    /// Whether the file may be read, or the directory listed.
    pub fn allows_read(&self, path: &GuestPath) -> Result<(), Denial> {
        self.allows_file(Access::Read, path)
    }

    /// Whether the file or directory may be made, changed or removed.
    pub fn allows_write(&self, path: &GuestPath) -> Result<(), Denial> {
        self.allows_file(Access::Write, path)
    }

    fn allows_file(&self, access: Access, path: &GuestPath) -> Result<(), Denial> {
        let allows = |level: &Capabilities| any_matches(access.patterns(level), path);
        match self.refusing(allows) {
            None => Ok(()),
            Some(level) => Err(Denial::file_not_granted(access, path, self.named(level))),
        }
    }

    /// Whether the directory may be listed: something in it is granted.
    pub fn allows_listing(&self, directory: &GuestPath) -> Result<(), Denial> {
        let leads = |level: &Capabilities| {
            let mut patterns = level.file_read.iter().chain(&level.file_write);
            patterns.any(|pattern| pattern.reaches_below(directory))
        };
        match self.refusing(leads) {
            None => Ok(()),
            Some(level) => Err(Denial::listing_not_granted(directory, self.named(level))),
        }
    }

    /// Whether the path is readable, writable, or a directory that leads to something that is: what
    /// a listing may name, and what may be known to be there.
    pub fn shows(&self, path: &GuestPath) -> bool {
        [Access::Read, Access::Write].into_iter().any(|access| {
            self.refusing(|level| {
                access
                    .patterns(level)
                    .iter()
                    .any(|pattern| pattern.matches(path) || pattern.reaches_below(path))
            })
            .is_none()
        })
    }

    /// Whether the target may be asked for, by its host as it is written: judged before any DNS query,
    /// the allow-list first and then the deny-list.
    pub fn allows_target(&self, target: &Target) -> Result<(), Denial> {
        let allows = |level: &Capabilities| {
            level
                .network
                .allowlist
                .iter()
                .any(|rule| rule.matches(target))
        };
        // First, so that nobody is asked about what an answer would not change.
        if let Some(rule) = self.denying(|rule| rule.denies_target(target)) {
            return Err(Denial::network_denied(target, rule));
        }
        match self.refusing(allows) {
            None => Ok(()),
            Some(level) => Err(Denial::network_not_granted(target, self.named(level))),
        }
    }

    /// Whether the target may be reached at this address, which its name resolved to or its host is:
    /// judged for each address, the deny-list first and then the special ranges. It does not say that
    /// the target is granted at all: that is [`Self::allows_target`].
    pub fn allows_address(&self, target: &Target, address: IpAddr) -> Result<(), Denial> {
        let address = judged(address);
        if let Some(rule) = self.denying(|rule| rule.denies_address(target, address)) {
            return Err(Denial::address_denied(target, address, rule));
        }
        let Some(range) = special_range(address) else {
            return Ok(());
        };
        let allows = |level: &Capabilities| {
            level
                .network
                .allowlist
                .iter()
                .any(|rule| rule.private() && rule.matches(target))
        };
        match self.refusing(allows) {
            None => Ok(()),
            Some(level) => Err(Denial::address_not_granted(
                target,
                address,
                range,
                self.named(level),
            )),
        }
    }

    /// Whether the variable may be read. OACP's own settings never.
    pub fn allows_env(&self, name: &str) -> Result<(), Denial> {
        if OWN_SETTINGS.contains(&name) {
            return Err(Denial::env_reserved(name));
        }
        let allows = |level: &Capabilities| level.env.iter().any(|pattern| pattern.matches(name));
        match self.refusing(allows) {
            None => Ok(()),
            Some(level) => Err(Denial::env_not_granted(name, self.named(level))),
        }
    }

    /// The secrets that go to this target. They say nothing of whether it may be reached.
    pub fn secrets_for(&self, target: &Target) -> Vec<&SecretGrant> {
        self.0
            .secrets
            .iter()
            .filter(|secret| secret.goes_to(target))
            .filter(|secret| {
                self.refusing(|level| level.secrets.contains(*secret))
                    .is_none()
            })
            .collect()
    }

    /// The grant or the first of its ceilings that does not allow it.
    fn refusing(&self, allows: impl Fn(&Capabilities) -> bool) -> Option<&Capabilities> {
        fn first<'c>(
            level: &'c Capabilities,
            allows: &impl Fn(&Capabilities) -> bool,
        ) -> Option<&'c Capabilities> {
            if allows(level) {
                level.within.iter().find_map(|level| first(level, allows))
            } else {
                Some(level)
            }
        }
        first(&self.0, &allows)
    }

    /// The first rule of a deny-list, of the grant or a ceiling, that denies it.
    fn denying(&self, denies: impl Fn(&DenyRule) -> bool) -> Option<&DenyRule> {
        fn first<'c>(
            level: &'c Capabilities,
            denies: &impl Fn(&DenyRule) -> bool,
        ) -> Option<&'c DenyRule> {
            let own = level.network.denylist.iter().find(|rule| denies(rule));
            own.or_else(|| level.within.iter().find_map(|level| first(level, denies)))
        }
        first(&self.0, &denies)
    }

    fn named<'c>(&self, level: &'c Capabilities) -> Refusing<'c> {
        if std::ptr::eq(level, &self.0) {
            Refusing::Grant(level)
        } else {
            Refusing::Ceiling(level)
        }
    }
}

fn any_matches(patterns: &BTreeSet<PathPattern>, path: &GuestPath) -> bool {
    patterns.iter().any(|pattern| pattern.matches(path))
}

/// Whether all that `asked` lets through, `allowed` lets through. Never yes wrongly.
fn covers(allowed: &Capabilities, asked: &Capabilities) -> bool {
    fn each<T>(asked: &BTreeSet<T>, allowed: &BTreeSet<T>, covers: fn(&T, &T) -> bool) -> bool {
        asked
            .iter()
            .all(|asked| allowed.iter().any(|allowed| covers(allowed, asked)))
    }
    let files = |access: Access| {
        each(
            access.patterns(asked),
            access.patterns(allowed),
            PathPattern::covers,
        )
    };
    let (own, other) = (&asked.network, &allowed.network);
    let network = own.allowlist.is_empty()
        || each(&own.allowlist, &other.allowlist, HostRule::covers)
            && other.denylist.is_subset(&own.denylist);
    // What is asked for is within each of its own ceilings, and so within what is equal to one.
    asked.within.contains(allowed)
        || asked.tools.is_subset(&allowed.tools)
            && asked.secrets.is_subset(&allowed.secrets)
            && files(Access::Read)
            && files(Access::Write)
            && network
            && each(&asked.env, &allowed.env, NamePattern::covers)
            && allowed
                .within
                .iter()
                .all(|ceiling| asked.within.contains(ceiling) || covers(ceiling, asked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn capabilities(json: Value) -> Capabilities {
        serde_json::from_value(json).unwrap()
    }

    /// All that was asked for.
    fn grant(json: Value) -> Grant {
        let asked = capabilities(json);
        Grant::attenuate(&asked, &asked)
    }

    fn path(text: &str) -> GuestPath {
        text.parse().unwrap()
    }

    fn target(url: &str) -> Target {
        Target::parse(url).unwrap()
    }

    fn code(result: Result<(), Denial>) -> String {
        result.map_or_else(|denial| denial.code, |()| "allowed".to_owned())
    }

    #[test]
    fn nothing_is_granted_by_default() {
        let none = Grant::none();
        assert_eq!(none.digest(), Digest::of(b"{}"));
        assert!(none.allows_tool(&"a".parse().unwrap()).is_err());
        assert!(none.allows_read(&path("/")).is_err() && none.allows_write(&path("/a")).is_err());
        assert!(!none.shows(&path("/")) && none.allows_env("USER").is_err());
        assert!(none.allows_target(&target("https://a.example/")).is_err());
        assert!(!none.has_files() && !none.has_network() && !none.has_env());
    }

    #[test]
    fn reading_and_writing_are_two_rights() {
        let grant = grant(json!({ "file_read": ["/in/"], "file_write": ["/out/*.csv"] }));
        assert!(grant.has_files());
        assert_eq!(grant.allows_read(&path("/in/a/b")), Ok(()));
        assert_eq!(grant.allows_write(&path("/out/a.csv")), Ok(()));
        assert_eq!(
            code(grant.allows_write(&path("/in/a"))),
            "file_write_not_granted"
        );
        assert_eq!(
            code(grant.allows_read(&path("/out/a.csv"))),
            "file_read_not_granted"
        );
    }

    #[test]
    fn what_leads_to_a_granted_file_is_shown_and_nothing_beside_it() {
        let grant = grant(json!({ "file_read": ["/a/b/c.txt"], "file_write": ["/out/x/"] }));
        for (text, expected) in [
            ("/", true),
            ("/a", true),
            ("/a/b", true),
            ("/a/b/c.txt", true),
            ("/a/b/c.txt/d", false),
            ("/a/b/d.txt", false),
            ("/a/c", false),
            ("/b", false),
            ("/out", true),
            ("/out/x", true),
            ("/out/x/y/z", true),
            ("/out/y", false),
        ] {
            assert_eq!(grant.shows(&path(text)), expected, "{text}");
        }
    }

    #[test]
    fn names_are_judged_before_addresses_are_known() {
        let grant = grant(json!({ "network": {
            "allowlist": ["a.example", "*.b.example:*", "127.0.0.1:80"],
            "denylist": ["evil.b.example", "10.0.0.0/8"],
        }}));
        for (url, expected) in [
            ("https://a.example/x", "allowed"),
            ("http://a.example/x", "network_not_granted"),
            ("https://x.b.example:9/", "allowed"),
            ("https://b.example/", "network_not_granted"),
            ("https://evil.b.example/", "network_denied"),
            ("http://0x7f.1/", "allowed"),
            ("http://10.0.0.1/", "network_denied"),
        ] {
            assert_eq!(code(grant.allows_target(&target(url))), expected, "{url}");
        }
    }

    #[test]
    fn addresses_are_judged_in_every_disguise() {
        let grant = grant(json!({ "network": {
            "allowlist": ["*:*", { "host": "localhost:8080", "private": true }, { "host": "10.0.0.1:80", "private": true }],
            "denylist": ["10.0.0.2", "8.8.8.0/24"],
        }}));
        for (url, address, expected) in [
            ("https://a.example/", "1.1.1.1", "allowed"),
            ("https://a.example/", "::ffff:1.1.1.1", "allowed"),
            ("https://a.example/", "127.0.0.1", "address_not_granted"),
            (
                "https://a.example/",
                "::ffff:127.0.0.1",
                "address_not_granted",
            ),
            ("https://a.example/", "::127.0.0.1", "address_not_granted"),
            (
                "https://a.example/",
                "64:ff9b::7f00:1",
                "address_not_granted",
            ),
            (
                "https://a.example/",
                "169.254.169.254",
                "address_not_granted",
            ),
            ("https://a.example/", "8.8.8.8", "address_denied"),
            ("https://a.example/", "::ffff:8.8.8.8", "address_denied"),
            ("http://localhost:8080/", "127.0.0.1", "allowed"),
            ("http://localhost:8080/", "::1", "allowed"),
            ("http://localhost:8080/", "10.0.0.2", "address_denied"),
            ("http://localhost:8081/", "127.0.0.1", "address_not_granted"),
            ("http://10.0.0.1/", "10.0.0.1", "allowed"),
            ("http://[::ffff:10.0.0.1]/", "::ffff:10.0.0.1", "allowed"),
            ("http://10.0.0.3/", "10.0.0.3", "address_not_granted"),
        ] {
            let judged = grant.allows_address(&target(url), address.parse().unwrap());
            assert_eq!(code(judged), expected, "{url} {address}");
        }
    }

    #[test]
    fn an_exact_rule_that_does_not_say_private_is_not_private() {
        let grant = grant(json!({ "network": { "allowlist": ["127.0.0.1:80"] } }));
        let target = target("http://127.0.0.1/");
        assert_eq!(grant.allows_target(&target), Ok(()));
        let judged = grant.allows_address(&target, "127.0.0.1".parse().unwrap());
        assert_eq!(code(judged), "address_not_granted");
    }

    #[test]
    fn oacp_s_own_settings_are_never_read() {
        let grant = grant(json!({ "env": ["*", "OACP_HOME"] }));
        assert_eq!(grant.allows_env("USER"), Ok(()));
        assert!(grant.allows_env("OACP_HOME").is_err());
        // The prefix is no reason: a program may have settings of its own under it.
        for name in ["OACP_", "OACP_X", "OACPX", "oacp_home"] {
            assert_eq!(grant.allows_env(name), Ok(()), "{name}");
        }
        assert!(grant.allows_env("").is_err() && grant.allows_env("A=B").is_err());
    }

    #[test]
    fn a_secret_goes_to_its_host_alone() {
        let key = json!({ "name": "K", "host": "a.example", "header": "x-key" });
        let other = json!({ "name": "L", "host": "b.example", "query": "l" });
        let asked = capabilities(json!({ "secrets": [key, other] }));
        let allowed = capabilities(json!({ "secrets": [key] }));
        let grant = Grant::attenuate(&asked, &allowed);
        let names = |url: &str| -> Vec<String> {
            let secrets = grant.secrets_for(&target(url));
            secrets
                .iter()
                .map(|secret| secret.name.to_string())
                .collect()
        };
        assert_eq!(names("https://a.example/"), ["K"]);
        assert!(names("http://a.example:443/").is_empty());
        assert!(names("https://b.example/").is_empty());
        assert!(names("https://a.example.evil.example/").is_empty());
    }

    #[test]
    fn what_is_within_what_is_allowed_is_granted_as_it_is() {
        let allowed = capabilities(json!({
            "tools": ["a", "b"],
            "file_read": ["/project/**"],
            "network": { "allowlist": ["*.example:*"], "denylist": ["10.0.0.0/8"] },
            "env": ["APP_*"],
        }));
        let asked = capabilities(json!({
            "tools": ["b", "c"],
            "file_read": ["/project/in/*.csv", "/project/a"],
            "network": { "allowlist": ["a.example"] },
            "env": ["APP_PORT"],
        }));
        let grant = Grant::attenuate(&asked, &allowed);
        let expected = capabilities(json!({
            "tools": ["b"],
            "file_read": ["/project/in/*.csv", "/project/a"],
            "network": { "allowlist": ["a.example"], "denylist": ["10.0.0.0/8"] },
            "env": ["APP_PORT"],
        }));
        assert_eq!(grant.capabilities(), &expected);
    }

    #[test]
    fn what_is_not_is_granted_below_a_ceiling() {
        let allowed = capabilities(
            json!({ "tools": ["a"], "file_read": ["/project/*.csv"], "denials": "fatal" }),
        );
        let asked = capabilities(json!({ "tools": ["a", "b"], "file_read": ["/project/a*"] }));
        let grant = Grant::attenuate(&asked, &allowed);
        assert_eq!(
            grant.capabilities(),
            &capabilities(json!({
                "tools": ["a"], "file_read": ["/project/a*"], "denials": "fatal", "within": [allowed],
            }))
        );
        assert_eq!(grant.allows_read(&path("/project/a.csv")), Ok(()));
        let denial = grant.allows_read(&path("/project/a.txt")).unwrap_err();
        assert_eq!(denial.rule, "ceiling: default deny");
        assert_eq!(denial.nearest.as_deref(), Some("/project/*.csv"));
        assert_eq!(
            grant.allows_read(&path("/project/b.csv")).unwrap_err().rule,
            "default deny"
        );
        // The same ceiling again adds nothing; nor does its own grant.
        assert_eq!(Grant::attenuate(grant.capabilities(), &allowed), grant);
        assert_eq!(
            Grant::attenuate(grant.capabilities(), grant.capabilities()),
            grant
        );
    }

    #[test]
    fn ceilings_beyond_their_limit_leave_nothing() {
        let mut grant = grant(json!({ "file_read": ["/**"] }));
        for n in 0..8 {
            let ceiling = capabilities(json!({ "file_read": [format!("/*{n}*")] }));
            grant = Grant::attenuate(grant.capabilities(), &ceiling);
        }
        assert_eq!(grant.allows_read(&path("/01234567")), Ok(()));
        let ninth = capabilities(json!({ "file_read": ["/*8*"] }));
        assert_eq!(
            Grant::attenuate(grant.capabilities(), &ninth),
            Grant::none()
        );
    }

    fn any_capabilities() -> impl Strategy<Value = Capabilities> {
        let some = |of: &'static [&'static str]| {
            prop::collection::btree_set(prop::sample::select(of), 0..3)
        };
        let patterns = || some(&["/a", "/a/", "/a/b", "/*", "/**/b", "/a/*", "/**"]);
        let leaf = (
            some(&["t", "u"]),
            patterns(),
            patterns(),
            some(&[
                "a.example",
                "*.example",
                "*.example:*",
                "*",
                "1.2.3.4:*",
                "*:*",
            ]),
            some(&["a.example", "1.2.3.4", "b.example:80"]),
            prop::option::of(prop::sample::select(
                &["1.2.3.4:443", "a.example", "127.0.0.1:443"][..],
            )),
            some(&["A", "A*", "*", "*B"]),
            some(&["a.example", "b.example"]),
        );
        let leaf = leaf.prop_map(|(tools, read, write, allow, deny, private, env, secrets)| {
            let private = private.map(|host| json!({ "host": host, "private": true }));
            let allow: Vec<Value> = allow.into_iter().map(Value::from).chain(private).collect();
            let secrets: Vec<Value> = secrets
                .into_iter()
                .map(|host| json!({ "name": "K", "host": host, "query": "k" }))
                .collect();
            capabilities(json!({
                "tools": tools, "file_read": read, "file_write": write, "env": env, "secrets": secrets,
                "network": { "allowlist": allow, "denylist": deny },
            }))
        });
        leaf.prop_recursive(2, 4, 2, |inner| {
            (inner.clone(), prop::collection::vec(inner, 0..2))
                .prop_map(|(outer, within)| Capabilities { within, ..outer })
        })
    }

    /// Every question, each answered by yes or no.
    fn answers(capabilities: &Capabilities) -> Vec<(String, bool)> {
        let grant = Grant(capabilities.clone());
        let mut answers = Vec::new();
        for tool in ["t", "u"] {
            let allowed = grant.allows_tool(&tool.parse().unwrap()).is_ok();
            answers.push((tool.to_owned(), allowed));
        }
        for text in ["/", "/a", "/b", "/a/b", "/a/b/b", "/c/d"] {
            let path = path(text);
            answers.push((format!("read {text}"), grant.allows_read(&path).is_ok()));
            answers.push((format!("write {text}"), grant.allows_write(&path).is_ok()));
            answers.push((format!("shows {text}"), grant.shows(&path)));
        }
        for url in [
            "https://a.example/",
            "http://b.example/",
            "https://1.2.3.4/",
            "https://127.0.0.1/",
        ] {
            let target = target(url);
            answers.push((url.to_owned(), grant.allows_target(&target).is_ok()));
            for address in ["1.2.3.4", "127.0.0.1"] {
                let allowed = grant
                    .allows_address(&target, address.parse().unwrap())
                    .is_ok();
                answers.push((format!("{url} at {address}"), allowed));
            }
            answers.push((
                format!("secret {url}"),
                !grant.secrets_for(&target).is_empty(),
            ));
        }
        for name in ["A", "AB", "B", "C"] {
            answers.push((name.to_owned(), grant.allows_env(name).is_ok()));
        }
        answers
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]
        #[test]
        fn a_grant_allows_what_both_allow_and_nothing_else(asked in any_capabilities(), allowed in any_capabilities()) {
            let grant = Grant::attenuate(&asked, &allowed);
            let granted = answers(grant.capabilities());
            for ((asked, allowed), (question, granted)) in answers(&asked).into_iter().zip(answers(&allowed)).zip(granted) {
                if question.starts_with("shows") {
                    // Directories that lead to something of each may lead to nothing of both.
                    prop_assert!(!granted || (asked.1 && allowed.1), "{}", question);
                } else if question.contains(" at ") {
                    // An address says nothing without its target, whose allow-list may be empty here.
                    prop_assert!(!granted || asked.1, "{}", question);
                } else {
                    prop_assert_eq!(granted, asked.1 && allowed.1, "{}", question);
                }
            }
        }

        #[test]
        fn an_address_is_reached_only_where_both_say_so(asked in any_capabilities(), allowed in any_capabilities()) {
            let grant = Grant::attenuate(&asked, &allowed);
            for url in ["https://a.example/", "https://1.2.3.4/", "https://127.0.0.1/"] {
                let target = target(url);
                for address in ["1.2.3.4", "127.0.0.1"] {
                    let reaches = |grant: &Grant| {
                        grant.allows_target(&target).is_ok()
                            && grant.allows_address(&target, address.parse().unwrap()).is_ok()
                    };
                    let both = reaches(&Grant(asked.clone())) && reaches(&Grant(allowed.clone()));
                    prop_assert_eq!(reaches(&grant), both, "{} {}", url, address);
                }
            }
        }

        #[test]
        fn attenuating_twice_is_attenuating_once(asked in any_capabilities(), allowed in any_capabilities()) {
            let grant = Grant::attenuate(&asked, &allowed);
            prop_assert_eq!(&Grant::attenuate(grant.capabilities(), &allowed), &grant);
            prop_assert_eq!(&Grant::attenuate(grant.capabilities(), grant.capabilities()), &grant);
            let json = serde_json::to_vec(grant.capabilities()).unwrap();
            let read: Capabilities = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(grant.capabilities(), &read);
            prop_assert_eq!(read.digest(), grant.digest());
        }

        #[test]
        fn a_denial_is_bounded_and_its_fix_mends_it(
            granted in any_capabilities(),
            name in ".{0,20}",
            host in "[a-c]{1,3}",
        ) {
            let grant = Grant(granted);
            let below = GuestPath::root().child(&name);
            let denials = [
                below.ok().and_then(|path| grant.allows_read(&path).err()),
                grant.allows_env(&name).err(),
                grant.allows_target(&target(&format!("http://{host}.example/"))).err(),
                Some(grant.deny_tool(&name)),
            ];
            for denial in denials.into_iter().flatten() {
                prop_assert!(denial.is_bounded() && !denial.fix.is_empty());
                prop_assert!(super::super::DENIAL_CODES.iter().any(|(code, _)| *code == denial.code));
                prop_assert!(!denial.to_string().contains(|c: char| c.is_control() && c != '\n'));
            }
        }
    }
}
