//! The smallest grant for what was denied.

use std::collections::{BTreeMap, BTreeSet};

use crate::capability::environment::{OWN_SETTINGS, is_variable_name};
use crate::capability::{Capabilities, Denial, GuestPath, HostRule, PathPattern};

/// What was learnt from denials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// The smallest grant under which none of them that a grant can mend would be one.
    pub capabilities: Capabilities,
    /// How often each was asked for, by `file_read /data/a.csv`; also what no grant mends.
    pub counts: BTreeMap<String, u64>,
    /// Names of variables that look like secrets'. They are not granted: they are to be granted as
    /// secrets, for one host each, which a denial does not know.
    pub secrets: BTreeSet<String>,
}

/// Files of one directory with one extension that become `dir/*.ext`.
const SIBLINGS_MIN: usize = 3;

/// The smallest grant for these denials: one exact pattern each, save that three or more files of
/// one directory with a common extension become `dir/*.ext`. What a deny-list denied stays denied. A
/// guest chose what it asked for: read what was learnt before it is granted.
pub fn learn(denials: &[Denial]) -> Learned {
    let mut learned = Learned::default();
    let (mut read, mut write) = (BTreeSet::new(), BTreeSet::new());
    for denial in denials {
        let Denial { code, asked, .. } = denial;
        *learned
            .counts
            .entry(format!("{} {asked}", denial.capability))
            .or_default() += 1;
        let capabilities = &mut learned.capabilities;
        match code.as_str() {
            "tool_not_granted" => capabilities.tools.extend(asked.parse().ok()),
            "file_read_not_granted" if denial.is_of_listing() => {
                capabilities
                    .file_read
                    .extend(format!("{asked}/").parse().ok());
            }
            "file_read_not_granted" => read.extend(exact(asked)),
            "file_write_not_granted" => write.extend(exact(asked)),
            "network_not_granted" => {
                // One without `private` is of no use beside one with it.
                let rules = &mut capabilities.network.allowlist;
                let rule = HostRule::meaning(asked);
                rules.extend(rule.filter(|rule| !rules.iter().any(|other| other.covers(rule))));
            }
            "address_not_granted" => {
                let rule = exact_host(asked);
                if let Some(private) = rule.and_then(|rule| rule.with_private(true).ok()) {
                    let rules = &mut capabilities.network.allowlist;
                    rules.retain(|rule| !private.covers(rule));
                    rules.insert(private);
                }
            }
            "env_not_granted"
                if OWN_SETTINGS.contains(&asked.as_str()) || !is_variable_name(asked) => {}
            "env_not_granted" if looks_like_a_secret(asked) => {
                learned.secrets.insert(asked.clone());
            }
            "env_not_granted" => capabilities.env.extend(asked.parse().ok()),
            _ => {}
        }
    }
    // What lies in a directory that is granted needs no pattern of its own.
    let within = std::mem::take(&mut learned.capabilities.file_read);
    read.retain(|path| !within.iter().any(|pattern| pattern.matches(path)));
    learned.capabilities.file_read = patterns(read);
    learned.capabilities.file_read.extend(within);
    learned.capabilities.file_write = patterns(write);
    learned
}

/// The path, if a pattern can mean it alone: what a guest asked for must not become a wildcard.
fn exact(asked: &str) -> Option<GuestPath> {
    let path: GuestPath = asked.parse().ok()?;
    PathPattern::exactly(&path).map(|_| path)
}

fn exact_host(asked: &str) -> Option<HostRule> {
    asked.parse().ok().filter(HostRule::is_exact)
}

fn patterns(paths: BTreeSet<GuestPath>) -> BTreeSet<PathPattern> {
    let mut siblings: BTreeMap<PathPattern, Vec<PathPattern>> = BTreeMap::new();
    let mut patterns = BTreeSet::new();
    for path in paths {
        let Some(exact) = PathPattern::exactly(&path) else {
            continue;
        };
        match of_extension(&path) {
            Some(common) => siblings.entry(common).or_default().push(exact),
            None => drop(patterns.insert(exact)),
        }
    }
    for (common, exact) in siblings {
        if exact.len() >= SIBLINGS_MIN {
            patterns.insert(common);
        } else {
            patterns.extend(exact);
        }
    }
    patterns
}

/// `dir/*.ext` for `dir/name.ext`.
fn of_extension(path: &GuestPath) -> Option<PathPattern> {
    let (stem, extension) = path.name().rsplit_once('.')?;
    if stem.is_empty() || extension.is_empty() {
        return None;
    }
    let directory = path.parent()?;
    let slash = if directory == GuestPath::root() {
        ""
    } else {
        "/"
    };
    format!("{directory}{slash}*.{extension}").parse().ok()
}

/// Words that say what is kept secret, and that other words are put before without a mark
/// (`PGPASSWORD`).
const SECRET_ENDINGS: [&str; 10] = [
    "APIKEY",
    "CREDENTIAL",
    "CREDENTIALS",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "SECRET",
    "SECRETS",
    "TOKEN",
    "TOKENS",
];

/// Words that say so only when they stand alone: `KEYBOARD` and `MONKEY` are no secrets.
const SECRET_WORDS: [&str; 9] = [
    "AUTH", "COOKIE", "JWT", "KEY", "KEYS", "PASS", "PAT", "PRIVATE", "PWD",
];

/// Whether a variable of this name holds a secret, as far as a name tells: `KEY`, `TOKEN`, `PASSWORD`
/// and the like as words of it.
pub fn looks_like_a_secret(name: &str) -> bool {
    // The working directory, in every shell.
    if matches!(name, "PWD" | "OLDPWD") {
        return false;
    }
    words(name).iter().any(|word| {
        SECRET_WORDS.contains(&word.as_str())
            || SECRET_ENDINGS.iter().any(|ending| word.ends_with(ending))
    })
}

/// The words of a name in upper case: `db_password`, `DB-PASSWORD` and `dbPassword` have the same.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (after_lower && c.is_uppercase()) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_uppercase());
        }
        after_lower = c.is_lowercase();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Grant, Target};
    use serde_json::json;

    fn read(path: &str) -> Denial {
        Grant::none()
            .allows_read(&path.parse().unwrap())
            .unwrap_err()
    }

    fn host(url: &str) -> Denial {
        let target = Target::parse(url).unwrap();
        Grant::none().allows_target(&target).unwrap_err()
    }

    fn env(name: &str) -> Denial {
        Grant::none().allows_env(name).unwrap_err()
    }

    fn learned(denials: &[Denial]) -> serde_json::Value {
        serde_json::to_value(learn(denials).capabilities).unwrap()
    }

    #[test]
    fn each_denial_becomes_its_smallest_right() {
        let denials = [
            Grant::none().deny_tool("get_weather"),
            read("/data/a.csv"),
            read("/data/a.csv"),
            Grant::none()
                .allows_write(&"/out/b".parse().unwrap())
                .unwrap_err(),
            host("https://api.example/x"),
            host("http://api.example/x"),
            env("USER"),
            env("GITHUB_TOKEN"),
        ];
        let found = learn(&denials);
        assert_eq!(
            serde_json::to_value(&found.capabilities).unwrap(),
            json!({
                "tools": ["get_weather"],
                "file_read": ["/data/a.csv"],
                "file_write": ["/out/b"],
                "network": { "allowlist": ["api.example:80", "api.example:443"] },
                "env": ["USER"],
            })
        );
        assert_eq!(found.secrets, ["GITHUB_TOKEN".to_owned()].into());
        assert_eq!(found.counts["file_read /data/a.csv"], 2);
        assert_eq!(found.counts["network api.example:80"], 1);
        assert_eq!(found.counts.len(), 7);
    }

    #[test]
    fn three_of_a_kind_become_a_pattern() {
        let files =
            |names: &[&str]| -> Vec<Denial> { names.iter().map(|name| read(name)).collect() };
        assert_eq!(
            learned(&files(&["/d/a.csv", "/d/b.csv"])),
            json!({ "file_read": ["/d/a.csv", "/d/b.csv"] })
        );
        assert_eq!(
            learned(&files(&[
                "/d/a.csv",
                "/d/b.csv",
                "/d/c.csv",
                "/d/x.txt",
                "/d/e/f.csv",
                "/d/README"
            ])),
            json!({ "file_read": ["/d/*.csv", "/d/README", "/d/e/f.csv", "/d/x.txt"] })
        );
        assert_eq!(
            learned(&files(&["/a.py", "/b.py", "/c.py"])),
            json!({ "file_read": ["/*.py"] })
        );
        // One file three times is one file; a hidden file has no extension.
        assert_eq!(
            learned(&files(&[
                "/d/a.csv", "/d/a.csv", "/d/a.csv", "/d/.x", "/e/.x", "/f/.x"
            ])),
            json!({ "file_read": ["/d/.x", "/d/a.csv", "/e/.x", "/f/.x"] })
        );
    }

    #[test]
    fn what_was_learnt_allows_what_was_denied() {
        let found = learn(&[read("/d/a.csv"), host("https://[::1]:8443/"), env("HOME")]);
        let grant = Grant::attenuate(&found.capabilities, &found.capabilities);
        assert_eq!(grant.allows_read(&"/d/a.csv".parse().unwrap()), Ok(()));
        let target = Target::parse("https://[::1]:8443/").unwrap();
        assert_eq!(grant.allows_target(&target), Ok(()));
        // Who learnt an address of the machine's own means that.
        assert_eq!(
            grant.allows_address(&target, "::1".parse().unwrap()),
            Ok(())
        );
        assert_eq!(
            learned(&[host("https://[::1]:8443/")]),
            json!({ "network": { "allowlist": [{ "host": "[::1]:8443", "private": true }] } })
        );
        // Where a name leads is another denial, and another right.
        let local = Target::parse("https://local.example/").unwrap();
        let named = learn(&[host("https://local.example/")]).capabilities;
        let grant = Grant::attenuate(&named, &named);
        let denial = grant
            .allows_address(&local, "::1".parse().unwrap())
            .unwrap_err();
        for denials in [
            [host("https://local.example/"), denial.clone()],
            [denial, host("https://local.example/")],
        ] {
            assert_eq!(
                learned(&denials),
                json!({ "network": { "allowlist": [{ "host": "local.example:443", "private": true }] } })
            );
        }
    }

    #[test]
    fn what_a_guest_says_becomes_no_wildcard() {
        let mut hostile = host("https://a.example/");
        hostile.asked = "*:*".to_owned();
        let denials = [
            read("/**"),
            read("/d/*"),
            read("/"),
            env("*"),
            env("OACP_HOME"),
            hostile,
            Grant::none().deny_tool("rm -rf /"),
            Denial::file_outside("file_read", &"/link".parse().unwrap()),
        ];
        let found = learn(&denials);
        assert_eq!(found.capabilities, Capabilities::default());
        assert_eq!(found.counts.len(), 8);
        assert!(found.secrets.is_empty());
    }

    #[test]
    fn what_a_deny_list_denied_is_not_learnt() {
        let asked: Capabilities = serde_json::from_value(
            json!({ "network": { "allowlist": ["*"], "denylist": ["a.example", "1.2.3.0/24"] } }),
        )
        .unwrap();
        let grant = Grant::attenuate(&asked, &asked);
        let target = Target::parse("https://a.example/").unwrap();
        let denials = [
            grant.allows_target(&target).unwrap_err(),
            grant
                .allows_address(&target, "1.2.3.4".parse().unwrap())
                .unwrap_err(),
        ];
        assert_eq!(learned(&denials), json!({}));
    }

    #[test]
    fn names_of_secrets() {
        for name in [
            "API_KEY",
            "GITHUB_TOKEN",
            "dbPassword",
            "db-password",
            "PGPASSWORD",
            "AWS_SECRET_ACCESS_KEY",
            "SSH_PRIVATE_FILE",
            "CREDENTIALS",
            "NPM_AUTH",
            "OPENAI_APIKEY",
            "DB_PWD",
            "GH_PAT",
        ] {
            assert!(looks_like_a_secret(name), "{name}");
        }
        for name in [
            "USER",
            "PATH",
            "PWD",
            "OLDPWD",
            "KEYBOARD",
            "MONKEY",
            "HOME",
            "LANG",
            "AUTHOR",
            "TOKENIZERS_PARALLELISM",
            "",
        ] {
            assert!(!looks_like_a_secret(name), "{name}");
        }
    }
}
