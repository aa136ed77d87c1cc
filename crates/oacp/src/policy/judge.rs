//! A recorded run under another grant.

use core::net::Ipv4Addr;
use std::collections::{BTreeMap, BTreeSet};

use crate::capability::{Denial, Grant, Target};
use crate::event::Event;

/// Something that a recorded run asked for, judged under another grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The index of its event.
    pub event: u64,
    /// The kind of right.
    pub capability: &'static str,
    /// What was asked for.
    pub asked: String,
    /// Whether the run got it.
    pub was_allowed: bool,
    /// The denial under this grant. `None`: allowed.
    pub denial_now: Option<Denial>,
}

/// What a recorded run asked for, judged under another grant. A run that is denied something else may
/// do something else: this says nothing of what it would ask for then.
///
/// Addresses that names resolved to are not recorded: a denial for one stays, unless the name may be
/// private now. Variables are a content: those that the run was given are judged by
/// [`judge_variables`].
pub fn judge(events: &[Event], grant: &Grant) -> Vec<Asked> {
    let mut denials: BTreeMap<u64, &Denial> = BTreeMap::new();
    let mut calls: BTreeSet<u64> = BTreeSet::new();
    for event in events {
        match event {
            Event::Denial { call, denial } => drop(denials.insert(*call, denial)),
            Event::ToolCall { call, .. } | Event::HttpRequest { call, .. } => {
                calls.insert(*call);
            }
            _ => {}
        }
    }
    let judge_one = |(event, happened): (u64, &Event)| {
        let asked = |capability, asked: &str, was_allowed, denial_now| Asked {
            event,
            capability,
            asked: asked.to_owned(),
            was_allowed,
            denial_now,
        };
        Some(match happened {
            Event::ToolCall { call, tool, .. } => {
                let was_allowed = !denials.contains_key(call);
                asked("tool", tool, was_allowed, tool_now(tool, grant))
            }
            Event::HttpRequest { call, url, .. } => {
                let denial = denials.get(call).copied();
                asked(
                    "network",
                    url,
                    denial.is_none(),
                    url_now(url, denial, grant),
                )
            }
            Event::FileOpened { path, .. } => {
                // What is replaced or removed is opened too, under the right to write it.
                let now = grant.allows_read(path).err();
                let now = now.filter(|_| grant.allows_write(path).is_err());
                asked("file_read", path.as_str(), true, now)
            }
            Event::FileStatus { path, .. } | Event::DirectoryListed { path, .. } => {
                let now = grant.allows_read(path).err();
                let now = now.filter(|_| !grant.shows(path));
                asked("file_read", path.as_str(), true, now)
            }
            Event::WriteBack { path, .. } => {
                let now = grant.allows_write(path).err();
                asked("file_write", path.as_str(), true, now)
            }
            Event::Denial { call, denial } if !calls.contains(call) => {
                let (capability, now) = denial_now(denial, grant)?;
                asked(capability, &denial.asked, false, now)
            }
            Event::Granted { call, denial, .. } if !calls.contains(call) => {
                let (capability, now) = denial_now(denial, grant)?;
                asked(capability, &denial.asked, true, now)
            }
            _ => return None,
        })
    };
    (0..).zip(events).filter_map(judge_one).collect()
}

/// The variables that a run was given, judged under another grant. `variables` is the content that
/// the `environment` event of this index names; what is no JSON object of texts has none.
pub fn judge_variables(event: u64, variables: &[u8], grant: &Grant) -> Vec<Asked> {
    let variables: BTreeMap<String, String> = serde_json::from_slice(variables).unwrap_or_default();
    variables
        .into_keys()
        .map(|name| Asked {
            event,
            capability: "env",
            denial_now: grant.allows_env(&name).err(),
            asked: name,
            was_allowed: true,
        })
        .collect()
}

fn tool_now(tool: &str, grant: &Grant) -> Option<Denial> {
    match tool.parse() {
        Ok(name) => grant.allows_tool(&name).err(),
        Err(_) => Some(grant.deny_tool(tool)),
    }
}

/// The denial of a request now, where it was perhaps denied for what no grant or only an address
/// decides.
fn url_now(url: &str, recorded: Option<&Denial>, grant: &Grant) -> Option<Denial> {
    let target = match Target::parse(url) {
        Ok(target) => target,
        Err(error) => return Some(Denial::target(url, error)),
    };
    if let Err(denial) = grant.allows_target(&target) {
        return Some(denial);
    }
    if let Some(address) = target.host().address() {
        let now = grant.allows_address(&target, address).err();
        return now.or_else(|| recorded.filter(|denial| stays(denial)).cloned());
    }
    let recorded = recorded?;
    let is_private_now = || {
        // Any address of a special range stands for the one that is not recorded.
        recorded.code == "address_not_granted"
            && grant
                .allows_address(&target, Ipv4Addr::LOCALHOST.into())
                .is_ok()
    };
    let kept = stays(recorded) || recorded.code.starts_with("address_") && !is_private_now();
    kept.then(|| recorded.clone())
}

/// Whether no grant mends it.
fn stays(denial: &Denial) -> bool {
    matches!(denial.code.as_str(), "header_refused" | "secret_reflected")
}

/// What another grant says to what was denied, or allowed when somebody was asked: the kind of right,
/// and the denial now. What no grant decides stays as it was.
fn denial_now(denial: &Denial, grant: &Grant) -> Option<(&'static str, Option<Denial>)> {
    let Denial { code, asked, .. } = denial;
    let capability = match denial.capability.as_str() {
        "file_read" => "file_read",
        "file_write" => "file_write",
        "env" => return Some(("env", grant.allows_env(asked).err())),
        _ => return None,
    };
    let now = match (code.as_str(), asked.parse()) {
        ("file_read_not_granted", Ok(path)) => grant.allows_read(&path).err(),
        ("file_write_not_granted", Ok(path)) => grant.allows_write(&path).err(),
        _ => Some(denial.clone()),
    };
    Some((capability, now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Change, Found, Written};
    use crate::{Capabilities, Content, GuestPath, Seed};
    use serde_json::{Value, json};

    fn grant(json: Value) -> Grant {
        let asked: Capabilities = serde_json::from_value(json).unwrap();
        Grant::attenuate(&asked, &asked)
    }

    fn path(text: &str) -> GuestPath {
        text.parse().unwrap()
    }

    fn request(call: u64, url: &str) -> Event {
        Event::HttpRequest {
            call,
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: Content::of(b"[]"),
            body: Content::of(b""),
        }
    }

    fn events() -> Vec<Event> {
        let none = Grant::none();
        vec![
            Event::Start {
                seed: Seed::from_bytes([0; 32]),
                clock_start_ms: 0,
                working_directory: GuestPath::root(),
            },
            Event::ToolCall {
                call: 1,
                tool: "a".to_owned(),
                arguments: Content::of(b"{}"),
            },
            Event::ToolCall {
                call: 2,
                tool: "b?".to_owned(),
                arguments: Content::of(b"{}"),
            },
            Event::Denial {
                call: 2,
                denial: none.deny_tool("b?"),
            },
            request(3, "https://a.example/x"),
            request(4, "http://127.0.0.1/"),
            request(5, "ftp://a"),
            Event::FileOpened {
                path: path("/d/a"),
                content: Content::of(b""),
            },
            Event::FileStatus {
                path: path("/d"),
                found: Found::Directory,
                size: 0,
            },
            Event::DirectoryListed {
                path: path("/e"),
                entries: Content::of(b"[]"),
            },
            Event::Denial {
                call: 6,
                denial: none.allows_read(&path("/d/b")).unwrap_err(),
            },
            Event::Denial {
                call: 7,
                denial: Denial::file_special("file_read", &path("/d/c")),
            },
            Event::Denial {
                call: 8,
                denial: none.allows_env("USER").unwrap_err(),
            },
            Event::Granted {
                call: 9,
                denial: none.allows_write(&path("/o")).unwrap_err(),
                scope: "run".to_owned(),
            },
            Event::WriteBack {
                path: path("/o"),
                change: Change::Created,
                content: Some(Content::of(b"")),
                before: None,
                result: Written::Done,
            },
        ]
    }

    #[test]
    fn a_run_is_judged_under_another_grant() {
        let grant = grant(json!({
            "tools": ["a"], "file_read": ["/d/*"], "env": ["USER"],
            "network": { "allowlist": ["a.example", "127.0.0.1:80"] },
        }));
        let found: Vec<_> = judge(&events(), &grant)
            .into_iter()
            .map(|asked| {
                let code = asked
                    .denial_now
                    .map_or("", |denial| match denial.code.as_str() {
                        "tool_not_granted" => "tool",
                        "address_not_granted" => "address",
                        "url_refused" => "url",
                        "file_read_not_granted" => "read",
                        "file_write_not_granted" => "write",
                        "file_special" => "special",
                        _ => "?",
                    });
                (
                    asked.event,
                    asked.capability,
                    asked.asked,
                    asked.was_allowed,
                    code,
                )
            })
            .collect();
        let expected = [
            (1, "tool", "a", true, ""),
            (2, "tool", "b?", false, "tool"),
            (4, "network", "https://a.example/x", true, ""),
            (5, "network", "http://127.0.0.1/", true, "address"),
            (6, "network", "ftp://a", true, "url"),
            (7, "file_read", "/d/a", true, ""),
            (8, "file_read", "/d", true, ""),
            (9, "file_read", "/e", true, "read"),
            (10, "file_read", "/d/b", false, ""),
            (11, "file_read", "/d/c", false, "special"),
            (12, "env", "USER", false, ""),
            (13, "file_write", "/o", true, "write"),
            (14, "file_write", "/o", true, "write"),
        ];
        assert_eq!(found.len(), expected.len());
        for (found, (event, capability, asked, was_allowed, code)) in
            found.into_iter().zip(expected)
        {
            assert_eq!(
                found,
                (event, capability, asked.to_owned(), was_allowed, code)
            );
        }
    }

    #[test]
    fn what_the_network_or_a_header_caused_stays() {
        let target = Target::parse("https://a.example/").unwrap();
        let loopback = grant(json!({ "network": { "allowlist": ["a.example"] } }));
        let address = loopback.allows_address(&target, Ipv4Addr::LOCALHOST.into());
        let address = address.unwrap_err();
        let now = |denial: &Denial, allow: Value| {
            let denial = denial.clone();
            let events = [
                request(1, "https://a.example/"),
                Event::Denial { call: 1, denial },
            ];
            let judged = judge(
                &events,
                &grant(json!({ "network": { "allowlist": [allow] } })),
            );
            assert!(!judged[0].was_allowed && judged.len() == 1);
            judged[0]
                .denial_now
                .as_ref()
                .map(|denial| denial.code.clone())
        };
        let (plain, private) = (
            json!("a.example"),
            json!({ "host": "a.example", "private": true }),
        );
        assert_eq!(
            now(&address, plain.clone()).as_deref(),
            Some("address_not_granted")
        );
        assert_eq!(now(&address, private), None);
        let header = Denial::header(&target, "upgrade");
        assert_eq!(
            now(&header, plain.clone()).as_deref(),
            Some("header_refused")
        );
        let target = Grant::none().allows_target(&target).unwrap_err();
        assert_eq!(now(&target, plain), None);
    }

    #[test]
    fn variables_are_judged_by_their_names() {
        let grant = grant(json!({ "env": ["USER"] }));
        let found = judge_variables(3, br#"{"HOME":"/root","USER":"a"}"#, &grant);
        let found: Vec<_> = found
            .iter()
            .map(|asked| {
                (
                    asked.event,
                    asked.asked.as_str(),
                    asked.denial_now.is_some(),
                )
            })
            .collect();
        assert_eq!(found, [(3, "HOME", true), (3, "USER", false)]);
        assert!(judge_variables(3, b"no JSON", &grant).is_empty());
    }
}
