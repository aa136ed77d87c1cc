//! Denials: one object that says what was asked for, why it was refused, and how to mend it.
//!
//! Whoever reads one has often not written the agent, and may be reading OACP's words for the first
//! time: the text alone has to be enough. The attack is a guest that chooses what it asks for: its
//! words are bounded, quoted where they are proposed for a shell, and never proposed as a
//! pattern that means more than what was asked for.

mod codes;
mod nearest;

use core::net::IpAddr;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::codes::DENIAL_CODES;
use self::nearest::{nearest, nearest_host, nearest_pattern};
use super::Capabilities;
use super::environment::is_variable_name;
use super::network::{DenyRule, HostRule, Target, TargetError};
use super::path::{GuestPath, PathPattern};
use super::secret::SecretName;
use crate::id::ToolName;
use crate::limits::{DENIAL_FIX_MAX, DENIAL_TEXT_BYTES_MAX};
use crate::policy::looks_like_a_secret;

/// A right that was asked for and not granted: one object, the same in the guest's exception, the
/// recording and the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// A stable word for programs, as `tool_not_granted`; all of them are in [`DENIAL_CODES`].
    pub code: String,
    /// The kind of right: `tool`, `file_read`, `file_write`, `network`, `env` or `secret`.
    pub capability: String,
    /// What was asked for: a path, `host:port`, a name; in the guest's words where it has no other.
    pub asked: String,
    /// What is granted and resembles it; `None` when nothing does.
    pub nearest: Option<String>,
    /// The rule that decided, as `default deny`.
    pub rule: String,
    /// Ways to mend it, the likeliest first, one line each.
    pub fix: Vec<String>,
}

/// What is done to a file.
#[derive(Clone, Copy)]
pub(super) enum Access {
    Read,
    Write,
}

impl Access {
    fn capability(self) -> &'static str {
        match self {
            Self::Read => "file_read",
            Self::Write => "file_write",
        }
    }

    fn flag(self) -> &'static str {
        match self {
            Self::Read => "--allow-read",
            Self::Write => "--allow-write",
        }
    }

    pub(super) fn patterns(self, capabilities: &Capabilities) -> &BTreeSet<PathPattern> {
        match self {
            Self::Read => &capabilities.file_read,
            Self::Write => &capabilities.file_write,
        }
    }
}

/// Whose lists do not have what was asked for.
#[derive(Clone, Copy)]
pub(super) enum Refusing<'c> {
    Grant(&'c Capabilities),
    Ceiling(&'c Capabilities),
}

impl<'c> Refusing<'c> {
    fn capabilities(self) -> &'c Capabilities {
        match self {
            Self::Grant(capabilities) | Self::Ceiling(capabilities) => capabilities,
        }
    }

    fn rule(self, what: &str) -> String {
        match self {
            Self::Grant(_) => what.to_owned(),
            Self::Ceiling(_) => format!("ceiling: {what}"),
        }
    }

    /// The flag, which adds to a grant but not to a ceiling, and the line of a configuration.
    fn fixes(self, flag: Option<String>, line: &str) -> Vec<String> {
        match self {
            Self::Grant(_) => flag
                .map(|flag| format!("{flag}  on the command line"))
                .into_iter()
                .chain([format!("{line}  under sandbox.capabilities in oacp.yaml")])
                .collect(),
            Self::Ceiling(_) => vec![format!(
                "{line}  added to the ceiling, by whoever set it; the grant itself has it"
            )],
        }
    }
}

/// The rule by which a listing is denied. A pattern that ends in `/` grants what is in a directory.
const LISTING: &str = "default deny of listings";

impl Denial {
    pub(super) fn tool_not_granted(asked: &str, tools: &BTreeSet<ToolName>) -> Self {
        let nearest = nearest(asked, tools.iter().map(ToolName::as_str));
        let mut fix = vec![format!("add `{asked}` to the `tools` that are granted")];
        if let Some(nearest) = &nearest {
            fix.insert(0, format!("call `{nearest}`, which is granted"));
        }
        Self {
            code: "tool_not_granted".to_owned(),
            capability: "tool".to_owned(),
            asked: asked.to_owned(),
            nearest,
            rule: "default deny".to_owned(),
            fix,
        }
    }

    pub(super) fn file_not_granted(access: Access, path: &GuestPath, by: Refusing<'_>) -> Self {
        let patterns = access.patterns(by.capabilities());
        let nearest = nearest_pattern(path, patterns);
        let fix = if PathPattern::exactly(path).is_some() {
            let flag = format!("{} {}", access.flag(), shell_word(path.as_str()));
            let line = format!("{}: [{}]", access.capability(), json(path.as_str()));
            by.fixes(Some(flag), &line)
        } else if *path == GuestPath::root() {
            vec![
                "grant the directories below it that are needed; `/` would be all of them"
                    .to_owned(),
            ]
        } else {
            vec![
                "rename it: no pattern means exactly a path with a `*` or a control character in it"
                    .to_owned(),
            ]
        };
        Self {
            nearest: nearest.map(ToString::to_string),
            ..Self::new(
                match access {
                    Access::Read => "file_read_not_granted",
                    Access::Write => "file_write_not_granted",
                },
                access.capability(),
                path.as_str(),
                by.rule("default deny"),
                fix,
            )
        }
    }

    /// A directory that is listed, where nothing in it is granted: a name alone shows nothing.
    pub(super) fn listing_not_granted(path: &GuestPath, by: Refusing<'_>) -> Self {
        let single = Self::file_not_granted(Access::Read, path, by);
        if PathPattern::exactly(path).is_none() {
            return single;
        }
        let within = format!("{path}/");
        Self {
            rule: by.rule(LISTING),
            fix: by.fixes(
                Some(format!("--allow-read {}", shell_word(&within))),
                &format!("file_read: [{}]", json(&within)),
            ),
            ..single
        }
    }

    /// Whether a directory was listed, so that what is in it is what is wanted.
    pub fn is_of_listing(&self) -> bool {
        self.rule.ends_with(LISTING)
    }

    /// A device, a socket or a pipe, where only regular files and directories are given.
    /// `capability` is `file_read` or `file_write`.
    pub fn file_special(capability: &str, path: &GuestPath) -> Self {
        Self::new(
            "file_special",
            capability,
            path.as_str(),
            "only regular files and directories are given to a guest",
            vec!["copy what it holds into a regular file, and grant that".to_owned()],
        )
    }

    /// What OACP itself keeps: keys, secrets, other runs. `capability` is `file_read` or `file_write`.
    pub fn file_withheld(capability: &str, path: &GuestPath) -> Self {
        Self::new(
            "file_withheld",
            capability,
            path.as_str(),
            "OACP's own keys and runs, and the files that secrets are taken from, are shown to no guest",
            vec!["grant what the agent needs, and no directory that holds these".to_owned()],
        )
    }

    /// A granted path that is a symbolic link to what is not granted. `capability` is `file_read` or
    /// `file_write`.
    pub fn file_outside(capability: &str, path: &GuestPath) -> Self {
        let word = shell_word(path.as_str());
        Self::new(
            "file_outside",
            capability,
            path.as_str(),
            "a symbolic link leads to what is not granted",
            vec![format!(
                "grant where it leads, too:  readlink -f {word}  prints that"
            )],
        )
    }

    /// A SQLite database in WAL mode, which takes memory that several processes share.
    pub fn wal_database(path: &GuestPath) -> Self {
        let word = shell_word(path.as_str());
        Self::new(
            "file_wal_database",
            "file_read",
            path.as_str(),
            "a SQLite database in WAL mode needs memory shared with other processes",
            vec![format!(
                "sqlite3 {word} 'PRAGMA journal_mode=DELETE'  beforehand"
            )],
        )
    }

    pub(super) fn network_not_granted(target: &Target, by: Refusing<'_>) -> Self {
        let rules = &by.capabilities().network.allowlist;
        let rule = HostRule::exactly(target).to_string();
        let short = rule.strip_suffix(":443").unwrap_or(&rule);
        // An address of a special range wants that said, or the next denial says so.
        let line = match HostRule::meaning(&rule).filter(HostRule::is_private) {
            Some(_) => format!("{{host: {}, private: true}}", json(&rule)),
            None => json(&rule),
        };
        let fix = by.fixes(
            Some(format!("--allow-net {}", shell_word(short))),
            &format!("network: {{allowlist: [{line}]}}"),
        );
        Self {
            nearest: nearest_host(target, rules),
            ..Self::new(
                "network_not_granted",
                "network",
                &target.host_and_port(),
                by.rule("default deny"),
                fix,
            )
        }
    }

    pub(super) fn network_denied(target: &Target, rule: &DenyRule) -> Self {
        Self::new(
            "network_denied",
            "network",
            &target.host_and_port(),
            format!("denylist `{rule}`"),
            vec![fix_denylist(rule)],
        )
    }

    pub(super) fn address_denied(target: &Target, address: IpAddr, rule: &DenyRule) -> Self {
        Self::new(
            "address_denied",
            "network",
            &target.host_and_port(),
            format!("denylist `{rule}`{}", at(target, address)),
            vec![fix_denylist(rule)],
        )
    }

    pub(super) fn address_not_granted(
        target: &Target,
        address: IpAddr,
        range: &str,
        by: Refusing<'_>,
    ) -> Self {
        let rule = HostRule::exactly(target);
        // On the command line an exact address says that it is meant; a name does not say where it
        // leads.
        let flag = rule
            .address()
            .map(|_| format!("--allow-net {}", shell_word(&rule.to_string())));
        let line = format!(
            "network: {{allowlist: [{{host: {}, private: true}}]}}",
            json(&rule.to_string())
        );
        Self::new(
            "address_not_granted",
            "network",
            &target.host_and_port(),
            by.rule(&format!("special range `{range}`{}", at(target, address))),
            by.fixes(flag, &line),
        )
    }

    /// A URL that is not read.
    pub fn target(url: &str, error: TargetError) -> Self {
        Self::new(
            "url_refused",
            "network",
            url,
            error.to_string(),
            vec!["ask for `https://host/path`, or `https://host:port/path`".to_owned()],
        )
    }

    /// A header that belongs to the connection, and that a guest does not set.
    pub fn header(target: &Target, name: &str) -> Self {
        Self::new(
            "header_refused",
            "network",
            name,
            format!(
                "this header of a request to `{}` belongs to the connection",
                target.host_and_port()
            ),
            vec!["leave the header out: what it says is said by the host".to_owned()],
        )
    }

    /// A response that repeats the value of a secret that was sent.
    pub fn secret_reflected(target: &Target, name: &SecretName) -> Self {
        Self::new(
            "secret_reflected",
            "secret",
            name.as_str(),
            format!(
                "the response of `{}` holds the secret's value, which no guest may see",
                target.host_and_port()
            ),
            vec!["ask that host for something that does not repeat the secret".to_owned()],
        )
    }

    pub(super) fn env_not_granted(name: &str, by: Refusing<'_>) -> Self {
        let patterns = &by.capabilities().env;
        let fix = if !is_variable_name(name) {
            vec!["ask for a name of the characters `A-Z a-z 0-9 _`, the first no digit".to_owned()]
        } else if looks_like_a_secret(name) {
            // What a guest reads it can send on: a secret belongs where no guest sees it.
            let mut fix = by.fixes(None, &format!("secrets: [{name}]"));
            fix.push(format!(
                "secrets: {{{name}: {{from: {{env: {name}}}, host: HOST, header: Authorization, prefix: \"Bearer \"}}}}  at the top of oacp.yaml"
            ));
            if let Refusing::Grant(_) = by {
                fix.push(format!(
                    "--allow-env {name}  on the command line, if the guest itself may see the value"
                ));
            }
            fix
        } else {
            by.fixes(
                Some(format!("--allow-env {name}")),
                &format!("env: [{name}]"),
            )
        };
        Self {
            nearest: nearest(name, patterns.iter().map(super::NamePattern::as_str)),
            ..Self::new("env_not_granted", "env", name, by.rule("default deny"), fix)
        }
    }

    pub(super) fn env_reserved(name: &str) -> Self {
        Self::new(
            "env_not_granted",
            "env",
            name,
            "this variable is a setting of OACP's own",
            vec!["give the guest's variable another name".to_owned()],
        )
    }

    fn new(
        code: &str,
        capability: &str,
        asked: &str,
        rule: impl Into<String>,
        mut fix: Vec<String>,
    ) -> Self {
        // Half of a command is another command.
        fix.retain(|line| line.len() <= DENIAL_TEXT_BYTES_MAX);
        Self {
            code: code.to_owned(),
            capability: capability.to_owned(),
            asked: bounded(asked),
            nearest: None,
            rule: bounded(&rule.into()),
            fix,
        }
    }

    /// Whether only an answer of the network's can be the cause: a replay, which asks nobody, takes
    /// it from the recording.
    pub fn is_from_outside(&self) -> bool {
        matches!(
            self.code.as_str(),
            "address_not_granted" | "address_denied" | "secret_reflected"
        )
    }

    /// Whether every text keeps to its limit.
    pub(crate) fn is_bounded(&self) -> bool {
        let texts = [&self.code, &self.capability, &self.asked, &self.rule];
        self.fix.len() <= DENIAL_FIX_MAX
            && texts
                .into_iter()
                .chain(&self.nearest)
                .chain(&self.fix)
                .all(|text| text.len() <= DENIAL_TEXT_BYTES_MAX)
    }
}

impl fmt::Display for Denial {
    /// One line that stands alone, then the details. A guest chose the words: what does not print is
    /// escaped. Quotes and backslashes are not, so that a fix can be copied.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} `{}` is not granted",
            Shown(&self.capability),
            Shown(&self.asked)
        )?;
        write!(
            f,
            "\n  rule:    {} ({})",
            Shown(&self.rule),
            Shown(&self.code)
        )?;
        if let Some(nearest) = &self.nearest {
            write!(f, "\n  nearest: {}", Shown(nearest))?;
        }
        for fix in &self.fix {
            write!(f, "\n  fix:     {}", Shown(fix))?;
        }
        Ok(())
    }
}

/// A text for a terminal.
struct Shown<'t>(&'t str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.0.split_inclusive(['\'', '"', '\\']) {
            let printed = piece.trim_end_matches(['\'', '"', '\\']);
            let mark = piece.strip_prefix(printed).unwrap_or_default();
            write!(f, "{}{mark}", printed.escape_debug())?;
        }
        Ok(())
    }
}

/// The address, where the target does not say it itself.
fn at(target: &Target, address: IpAddr) -> String {
    match target.host().address() {
        Some(_) => String::new(),
        None => format!(", in which its address {address} is"),
    }
}

fn fix_denylist(rule: &DenyRule) -> String {
    format!(
        "leave out --deny-net {rule}, or remove {} from network.denylist under sandbox.capabilities in oacp.yaml",
        json(&rule.to_string())
    )
}

/// A text of a denial within its limit, with a mark where it was cut.
fn bounded(text: &str) -> String {
    if text.len() <= DENIAL_TEXT_BYTES_MAX {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(DENIAL_TEXT_BYTES_MAX - "…".len());
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// A text as one word of a POSIX shell.
fn shell_word(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+=,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}

/// A text as JSON, and so as YAML.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Grant;
    use serde_json::{Value, json};

    fn grant(json: Value) -> Grant {
        let asked: Capabilities = serde_json::from_value(json).unwrap();
        Grant::attenuate(&asked, &asked)
    }

    fn path(text: &str) -> GuestPath {
        text.parse().unwrap()
    }

    fn target(url: &str) -> Target {
        Target::parse(url).unwrap()
    }

    #[test]
    fn a_tool() {
        let grant = grant(json!({ "tools": ["get_weather", "send_mail"] }));
        assert_eq!(grant.allows_tool(&"send_mail".parse().unwrap()), Ok(()));
        let denial = grant
            .allows_tool(&"get_wether".parse().unwrap())
            .unwrap_err();
        assert_eq!(
            denial.to_string(),
            "tool `get_wether` is not granted\n  rule:    default deny (tool_not_granted)\n  nearest: get_weather\n  fix:     \
             call `get_weather`, which is granted\n  fix:     add `get_wether` to the `tools` that are granted"
        );
        assert_eq!(grant.deny_tool("rm -rf /").nearest, None);
        assert_eq!(Grant::none().deny_tool("x").nearest, None);
    }

    #[test]
    fn a_file() {
        let granted = grant(json!({ "file_read": ["/etc/hosts", "/data/*.csv", "/data/in/"] }));
        let denial = granted.allows_read(&path("/etc/passwd")).unwrap_err();
        assert_eq!(
            denial.to_string(),
            "file_read `/etc/passwd` is not granted\n  rule:    default deny (file_read_not_granted)\n  nearest: /etc/hosts\n  fix:     \
             --allow-read /etc/passwd  on the command line\n  fix:     file_read: [\"/etc/passwd\"]  under sandbox.capabilities in oacp.yaml"
        );
        for (asked, nearest) in [
            ("/etc/host", Some("/etc/hosts")),
            ("/data/a.txt", Some("/data/*.csv")),
            ("/data/out/a.csv", Some("/data/*.csv")),
            ("/var/log/x", None),
        ] {
            let denial = granted.allows_read(&path(asked)).unwrap_err();
            assert_eq!(denial.nearest.as_deref(), nearest, "{asked}");
        }
        let denial = granted
            .allows_write(&path("/data/my file's.csv"))
            .unwrap_err();
        assert_eq!(
            denial.fix,
            [
                r"--allow-write '/data/my file'\''s.csv'  on the command line",
                r#"file_write: ["/data/my file's.csv"]  under sandbox.capabilities in oacp.yaml"#,
            ]
        );
    }

    #[test]
    fn what_a_guest_says_does_not_disturb_a_terminal() {
        let denial = Grant::none().deny_tool("\u{1b}[2J\r\n\u{202e}\\ \"quoted\" 'é'");
        assert_eq!(
            denial.to_string().lines().next(),
            Some(r#"tool `\u{1b}[2J\r\n\u{202e}\ "quoted" 'é'` is not granted"#)
        );
    }

    #[test]
    fn no_fix_grants_more_than_was_asked_for() {
        for name in ["/data/*", "/**", "/a\nb", "/*.csv", "/a/**/b"] {
            let denial = Grant::none().allows_read(&path(name)).unwrap_err();
            assert_eq!(
                denial.fix,
                [
                    "rename it: no pattern means exactly a path with a `*` or a control character in it"
                ],
                "{name}"
            );
        }
        let denial = Grant::none().allows_read(&GuestPath::root()).unwrap_err();
        assert_eq!(
            denial.fix,
            ["grant the directories below it that are needed; `/` would be all of them"]
        );
        for name in ["*", "A*", "A B", "A=1", "$(id)", ""] {
            let denial = Grant::none().allows_env(name).unwrap_err();
            assert_eq!(
                denial.fix,
                ["ask for a name of the characters `A-Z a-z 0-9 _`, the first no digit"]
            );
        }
    }

    #[test]
    fn a_symbolic_link_a_device_and_a_database() {
        assert_eq!(
            Denial::file_outside("file_read", &path("/data/link")).to_string(),
            "file_read `/data/link` is not granted\n  rule:    a symbolic link leads to what is not granted (file_outside)\n  fix:     \
             grant where it leads, too:  readlink -f /data/link  prints that"
        );
        assert_eq!(
            Denial::file_special("file_write", &path("/dev/null")).to_string(),
            "file_write `/dev/null` is not granted\n  rule:    only regular files and directories are given to a guest (file_special)\n  \
             fix:     copy what it holds into a regular file, and grant that"
        );
        assert_eq!(
            Denial::wal_database(&path("/a b.db")).fix,
            ["sqlite3 '/a b.db' 'PRAGMA journal_mode=DELETE'  beforehand"]
        );
    }

    #[test]
    fn a_host() {
        let granted = grant(json!({ "network": {
            "allowlist": ["api.example", "*.cdn.example"], "denylist": ["evil.cdn.example"],
        }}));
        let denial = granted
            .allows_target(&target("http://api.example/x"))
            .unwrap_err();
        assert_eq!(
            denial.to_string(),
            "network `api.example:80` is not granted\n  rule:    default deny (network_not_granted)\n  nearest: api.example:443\n  \
             fix:     --allow-net api.example:80  on the command line\n  fix:     network: {allowlist: [\"api.example:80\"]}  \
             under sandbox.capabilities in oacp.yaml"
        );
        let denial = granted
            .allows_target(&target("https://apj.example/x"))
            .unwrap_err();
        assert_eq!(denial.nearest.as_deref(), Some("api.example:443"));
        assert_eq!(
            denial.fix,
            [
                "--allow-net apj.example  on the command line",
                r#"network: {allowlist: ["apj.example:443"]}  under sandbox.capabilities in oacp.yaml"#,
            ]
        );
        let denial = granted
            .allows_target(&target("https://evil.cdn.example/"))
            .unwrap_err();
        assert_eq!(
            denial.to_string(),
            "network `evil.cdn.example:443` is not granted\n  rule:    denylist `evil.cdn.example` (network_denied)\n  \
             fix:     leave out --deny-net evil.cdn.example, or remove \"evil.cdn.example\" from network.denylist under sandbox.capabilities in oacp.yaml"
        );
        assert!(!denial.is_from_outside());
    }

    #[test]
    fn an_address() {
        let granted = grant(json!({ "network": {
            "allowlist": ["*:*"], "denylist": ["169.254.0.0/16"],
        }}));
        let name = target("http://localhost:8080/");
        let denial = granted
            .allows_address(&name, "127.0.0.1".parse().unwrap())
            .unwrap_err();
        assert_eq!(
            denial.to_string(),
            "network `localhost:8080` is not granted\n  rule:    special range `loopback`, in which its address 127.0.0.1 is \
             (address_not_granted)\n  fix:     network: {allowlist: [{host: \"localhost:8080\", private: true}]}  \
             under sandbox.capabilities in oacp.yaml"
        );
        let address = target("http://[::1]:80/");
        let denial_of_address = granted
            .allows_address(&address, "::1".parse().unwrap())
            .unwrap_err();
        assert_eq!(denial_of_address.rule, "special range `loopback`");
        assert_eq!(
            denial_of_address.fix[0],
            "--allow-net '[::1]:80'  on the command line"
        );
        let metadata = granted.allows_address(&name, "::ffff:169.254.169.254".parse().unwrap());
        let metadata = metadata.unwrap_err();
        assert_eq!(
            metadata.rule,
            "denylist `169.254.0.0/16`, in which its address 169.254.169.254 is"
        );
        let reflected = Denial::secret_reflected(&name, &"GITHUB_TOKEN".parse().unwrap());
        assert_eq!(
            reflected.to_string(),
            "secret `GITHUB_TOKEN` is not granted\n  rule:    the response of `localhost:8080` holds the secret's value, which no guest \
             may see (secret_reflected)\n  fix:     ask that host for something that does not repeat the secret"
        );
        for denial in [denial, denial_of_address, metadata, reflected] {
            assert!(denial.is_from_outside() && denial.is_bounded());
        }
    }

    #[test]
    fn a_url_and_a_header() {
        assert_eq!(
            Denial::target("ftp://a/", TargetError::Scheme).to_string(),
            "network `ftp://a/` is not granted\n  rule:    URL's scheme is neither `https` nor `http` (url_refused)\n  fix:     \
             ask for `https://host/path`, or `https://host:port/path`"
        );
        assert_eq!(
            Denial::header(&target("https://a.example/"), "transfer-encoding").to_string(),
            "network `transfer-encoding` is not granted\n  rule:    this header of a request to `a.example:443` belongs to the \
             connection (header_refused)\n  fix:     leave the header out: what it says is said by the host"
        );
        let long = Denial::target(&"é".repeat(9000), TargetError::TooLong);
        assert!(long.is_bounded() && long.asked.ends_with('…'));
    }

    #[test]
    fn a_variable() {
        let granted = grant(json!({ "env": ["USER", "APP_*"] }));
        let denial = granted.allows_env("USERS").unwrap_err();
        assert_eq!(
            denial.to_string(),
            "env `USERS` is not granted\n  rule:    default deny (env_not_granted)\n  nearest: USER\n  fix:     \
             --allow-env USERS  on the command line\n  fix:     env: [USERS]  under sandbox.capabilities in oacp.yaml"
        );
        assert_eq!(
            granted.allows_env("GITHUB_TOKEN").unwrap_err().fix,
            [
                "secrets: [GITHUB_TOKEN]  under sandbox.capabilities in oacp.yaml",
                "secrets: {GITHUB_TOKEN: {from: {env: GITHUB_TOKEN}, host: HOST, header: Authorization, prefix: \"Bearer \"}}  at \
                 the top of oacp.yaml",
                "--allow-env GITHUB_TOKEN  on the command line, if the guest itself may see the value",
            ]
        );
        let denial = granted.allows_env("OACP_HOME").unwrap_err();
        assert_eq!(denial.rule, "this variable is a setting of OACP's own");
    }

    #[test]
    fn below_a_ceiling_no_flag_helps() {
        let asked: Capabilities = serde_json::from_value(json!({ "file_read": ["/a/"] })).unwrap();
        let grant = Grant::attenuate(&asked, &Capabilities::default());
        let denial = grant.allows_read(&path("/a/b")).unwrap_err();
        assert_eq!(
            denial.to_string(),
            "file_read `/a/b` is not granted\n  rule:    ceiling: default deny (file_read_not_granted)\n  fix:     \
             file_read: [\"/a/b\"]  added to the ceiling, by whoever set it; the grant itself has it"
        );
    }

    #[test]
    fn every_code_is_explained_once() {
        let mut codes: Vec<_> = DENIAL_CODES.iter().map(|(code, _)| *code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), DENIAL_CODES.len());
        assert_eq!(codes.len(), 15);
        for (code, text) in DENIAL_CODES {
            assert!(
                text.matches(". ").count() >= 1 && text.ends_with('.'),
                "{code}"
            );
            assert!(!text.contains("  ") && !text.contains('\n'), "{code}");
        }
    }

    #[test]
    fn a_hostile_name_takes_no_longer_than_another() {
        let patterns: Vec<String> = (0..1000)
            .map(|n| format!("/{n}{}", "/ab".repeat(1300)))
            .collect();
        let granted = grant(json!({ "file_read": patterns }));
        let denial = granted.allows_read(&path(&"/ba".repeat(1300))).unwrap_err();
        assert_eq!(denial.nearest, None);
    }
}
