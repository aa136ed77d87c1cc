//! Why something is allowed or not.

use std::fmt::Display;

use crate::capability::environment::OWN_SETTINGS;
use crate::capability::{Capabilities, Denial, Grant, GuestPath, PathPattern, Target};

/// Why something is allowed or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Whether it is.
    pub allowed: bool,
    /// The kind of right, as `file_read`.
    pub capability: String,
    /// What was asked for.
    pub asked: String,
    /// The rules in the order in which they were tried, each with what it said, one line each.
    pub rules: Vec<String>,
    /// The denial, if it is not.
    pub denial: Option<Denial>,
}

impl Explanation {
    fn new(
        capability: &str,
        asked: String,
        rules: Vec<String>,
        judged: Result<(), Denial>,
    ) -> Self {
        Self {
            allowed: judged.is_ok(),
            capability: capability.to_owned(),
            asked,
            rules,
            denial: judged.err(),
        }
    }
}

/// Why the file may be read or not.
pub fn explain_read(grant: &Grant, path: &GuestPath) -> Explanation {
    let rules = tried(grant, |level, name, rules| {
        list(rules, name, "file_read", &level.file_read, |pattern| {
            pattern_matches(pattern, path)
        })
    });
    Explanation::new(
        "file_read",
        path.to_string(),
        rules,
        grant.allows_read(path),
    )
}

/// Why the file may be written or not.
pub fn explain_write(grant: &Grant, path: &GuestPath) -> Explanation {
    let rules = tried(grant, |level, name, rules| {
        list(rules, name, "file_write", &level.file_write, |pattern| {
            pattern_matches(pattern, path)
        })
    });
    Explanation::new(
        "file_write",
        path.to_string(),
        rules,
        grant.allows_write(path),
    )
}

fn pattern_matches(pattern: &PathPattern, path: &GuestPath) -> bool {
    pattern.matches(path)
}

/// Why the target may be asked for or not, by its host as it is written. Where that is an address, it
/// is judged too; where it is a name, its addresses would be judged once it is resolved.
pub fn explain_url(grant: &Grant, target: &Target) -> Explanation {
    let address = target.host().address();
    let mut rules = tried(grant, |level, name, rules| {
        list(
            rules,
            name,
            "network.allowlist",
            &level.network.allowlist,
            |rule| rule.matches(target),
        )
    });
    let mut judged = grant.allows_target(target);
    // What no allow-list lets through is judged by no deny-list.
    let let_through = match &judged {
        Ok(()) => true,
        Err(denial) => denial.code == "network_denied",
    };
    if let_through {
        for_each_level(grant, |level, name| {
            for rule in &level.network.denylist {
                let verdict = if rule.denies_target(target) {
                    "denies it"
                } else {
                    "does not mean it"
                };
                rules.push(format!("{name}network.denylist `{rule}`: {verdict}"));
            }
        });
    }
    match address {
        Some(address) => {
            rules.push(match crate::capability::special_range(address) {
                Some(range) => format!(
                    "special range `{range}`: it is in there, and needs an exact rule with `private`"
                ),
                None => "special ranges: it is in none".to_owned(),
            });
            if judged.is_ok() {
                judged = grant.allows_address(target, address);
            }
        }
        None => rules.push(
            "its addresses: judged once the name is resolved, by the deny-list and the special ranges"
                .to_owned(),
        ),
    }
    Explanation::new("network", target.to_string(), rules, judged)
}

/// Why the variable may be read or not.
pub fn explain_env(grant: &Grant, name: &str) -> Explanation {
    let rules = if OWN_SETTINGS.contains(&name) {
        vec![format!("`{name}`: OACP's own setting, never granted")]
    } else {
        tried(grant, |level, level_name, rules| {
            list(rules, level_name, "env", &level.env, |pattern| {
                pattern.matches(name)
            })
        })
    };
    Explanation::new("env", name.to_owned(), rules, grant.allows_env(name))
}

/// The rules of the grant and then of its ceilings, up to the level that has none that allows it.
fn tried(
    grant: &Grant,
    mut level: impl FnMut(&Capabilities, &str, &mut Vec<String>) -> bool,
) -> Vec<String> {
    let (mut rules, mut allowed) = (Vec::new(), true);
    for_each_level(grant, |capabilities, name| {
        allowed = allowed && level(capabilities, name, &mut rules);
    });
    rules
}

/// Writes what each rule says, up to the one that allows it. Whether there is one.
fn list<'r, R: Display + 'r>(
    rules: &mut Vec<String>,
    level: &str,
    field: &str,
    entries: impl IntoIterator<Item = &'r R>,
    allows: impl Fn(&R) -> bool,
) -> bool {
    for entry in entries {
        let allowed = allows(entry);
        let verdict = if allowed {
            "allows it"
        } else {
            "does not mean it"
        };
        rules.push(format!("{level}{field} `{entry}`: {verdict}"));
        if allowed {
            return true;
        }
    }
    rules.push(format!("{level}{field}: nothing else is allowed"));
    false
}

/// The grant, and each of its ceilings with a name that says where it stands: `within 2.1: `.
fn for_each_level(grant: &Grant, mut each: impl FnMut(&Capabilities, &str)) {
    fn descend(
        capabilities: &Capabilities,
        name: &str,
        each: &mut impl FnMut(&Capabilities, &str),
    ) {
        let label = if name.is_empty() {
            String::new()
        } else {
            format!("within {name}: ")
        };
        each(capabilities, &label);
        for (number, ceiling) in (1..).zip(&capabilities.within) {
            let dot = if name.is_empty() { "" } else { "." };
            descend(ceiling, &format!("{name}{dot}{number}"), each);
        }
    }
    descend(grant.capabilities(), "", &mut each);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn grant(asked: Value, allowed: Value) -> Grant {
        let read = |json| serde_json::from_value::<Capabilities>(json).unwrap();
        Grant::attenuate(&read(asked), &read(allowed))
    }

    #[test]
    fn a_file_is_explained_rule_by_rule() {
        let asked = json!({ "file_read": ["/data/*.csv", "/data/in/"], "file_write": ["/out/"] });
        let grant = grant(asked.clone(), asked);
        let found = explain_read(&grant, &"/data/in/x".parse().unwrap());
        assert!(found.allowed && found.denial.is_none());
        assert_eq!(
            found.rules,
            [
                "file_read `/data/*.csv`: does not mean it",
                "file_read `/data/in/**`: allows it",
            ]
        );
        let found = explain_write(&grant, &"/data/in/x".parse().unwrap());
        assert_eq!(found.capability, "file_write");
        assert_eq!(
            found.rules,
            [
                "file_write `/out/**`: does not mean it",
                "file_write: nothing else is allowed",
            ]
        );
        assert_eq!(found.denial.unwrap().code, "file_write_not_granted");
    }

    #[test]
    fn a_ceiling_is_explained_too() {
        let grant = grant(
            json!({ "file_read": ["/a/*"] }),
            json!({ "file_read": ["/a/b"], "within": [{}] }),
        );
        let found = explain_read(&grant, &"/a/b".parse().unwrap());
        assert!(!found.allowed);
        assert_eq!(
            found.rules,
            [
                "file_read `/a/*`: allows it",
                "within 1: file_read `/a/b`: allows it",
                "within 1.1: file_read: nothing else is allowed",
            ]
        );
        assert_eq!(found.denial.unwrap().rule, "ceiling: default deny");
    }

    #[test]
    fn a_url_is_explained_with_what_is_judged_later() {
        let asked = json!({ "network": { "allowlist": ["*.example", "127.0.0.1:*"], "denylist": ["evil.example", "10.0.0.0/8"] } });
        let grant = grant(asked.clone(), asked);
        let explain = |url: &str| explain_url(&grant, &Target::parse(url).unwrap());
        let found = explain("https://a.example/");
        assert!(found.allowed);
        assert_eq!(
            found.rules,
            [
                "network.allowlist `*.example:443`: allows it",
                "network.denylist `evil.example`: does not mean it",
                "network.denylist `10.0.0.0/8`: does not mean it",
                "its addresses: judged once the name is resolved, by the deny-list and the special ranges",
            ]
        );
        let found = explain("https://evil.example/");
        assert_eq!(found.rules[1], "network.denylist `evil.example`: denies it");
        assert_eq!(found.denial.unwrap().code, "network_denied");
        let found = explain("http://0x7f.1/");
        assert_eq!(found.asked, "http://127.0.0.1/");
        assert_eq!(
            found.rules.last().unwrap(),
            "special range `loopback`: it is in there, and needs an exact rule with `private`"
        );
        assert_eq!(found.denial.unwrap().code, "address_not_granted");
        let found = explain("https://b.test/");
        assert_eq!(found.denial.unwrap().code, "network_not_granted");
    }

    #[test]
    fn a_variable_is_explained() {
        let asked = json!({ "env": ["APP_*"] });
        let grant = grant(asked.clone(), asked);
        let found = explain_env(&grant, "APP_PORT");
        assert_eq!(
            (found.allowed, found.rules),
            (true, vec!["env `APP_*`: allows it".to_owned()])
        );
        let found = explain_env(&grant, "OACP_HOME");
        assert!(!found.allowed);
        assert_eq!(
            found.rules,
            ["`OACP_HOME`: OACP's own setting, never granted"]
        );
    }
}
