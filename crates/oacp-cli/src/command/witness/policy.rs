//! `oacp witness add` and `remove`: the policy of this machine's log, edited as text, so that what somebody wrote there stays.

use std::fmt;
use std::str::FromStr;

use clap::Args;
use oacp_tlog::key::VerifierKey;
use oacp_tlog::policy::Policy;
use serde_json::json;

use crate::console::Console;
use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::home::{Home, shown};
use crate::registry::{Directory, Here};

/// The one group that is written here, of all witnesses.
const GROUP: &str = "witnesses";

#[derive(Args)]
pub(crate) struct Add {
    /// What the policy is to call it: one word
    name: String,
    /// Its key: `oacp witness key` prints it on its machine
    #[arg(value_parser = vkey)]
    vkey: VerifierKey,
    /// Where it is asked
    url: Option<String>,
    /// How many of the witnesses have to cosign: any, all, or a number [default: more than half]
    #[arg(long, value_name = "any|all|K")]
    quorum: Option<Quorum>,
    #[command(flatten)]
    here: Here,
}

#[derive(Args)]
pub(crate) struct Remove {
    /// What the policy calls it
    name: String,
    /// How many of those that are left have to cosign: any, all, or a number [default: more than half]
    #[arg(long, value_name = "any|all|K")]
    quorum: Option<Quorum>,
    #[command(flatten)]
    here: Here,
}

fn vkey(text: &str) -> Result<VerifierKey, String> {
    text.parse::<VerifierKey>()
        .map_err(|error| error.to_string())
}

/// How many have to cosign.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Quorum {
    Any,
    All,
    Some(usize),
}

impl FromStr for Quorum {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "any" => Ok(Self::Any),
            "all" => Ok(Self::All),
            number => number
                .parse()
                .map(Self::Some)
                .map_err(|_| "expected any, all, or a number".to_owned()),
        }
    }
}

impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::All => f.write_str("all"),
            Self::Some(number) => write!(f, "{number}"),
        }
    }
}

pub(super) fn add(arguments: &Add, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let directory = arguments.here.directory(home)?;
    let before = present(&directory, home)?;
    let own = before
        .logs()
        .iter()
        .any(|log| log.key().public_bytes() == arguments.vkey.public_bytes());
    if own {
        return Err(Failure::usage(
            "this is the log's own key, and a witness has another",
        ));
    }
    let url = match &arguments.url {
        None => {
            return Err(Failure::usage(format!(
                "where is the witness `{}` asked?",
                visible(&arguments.name)
            ))
            .hint("add its URL: a witness that cannot be asked cosigns nothing, and keeps the quorum from being met"));
        }
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => format!(" {url}"),
        Some(url) => {
            return Err(Failure::usage(format!("`{}` is not a URL", visible(url)))
                .hint("a witness is asked at http://… or https://…"));
        }
    };
    if arguments
        .name
        .contains(|c: char| c.is_whitespace() || c.is_control())
    {
        return Err(Failure::usage(format!(
            "`{}` is not one word",
            visible(&arguments.name)
        )));
    }
    let twin = before.witnesses().iter().find(|witness| {
        let trimmed = |url: &str| url.trim_end_matches('/').to_owned();
        witness.key().name() == arguments.vkey.name()
            || witness.url().map(trimmed) == arguments.url.as_deref().map(trimmed)
    });
    let line = format!("witness {} {}{url}", arguments.name, arguments.vkey);
    let mut lines = without_rule(&before, &directory)?;
    lines.push(line);
    let mut names = names(&before);
    names.push(arguments.name.clone());
    let exit = write(&directory, lines, &names, arguments.quorum, console)?;
    if let Some(twin) = twin {
        console.note(&format!(
            "note: `{}` and `{}` are one witness by their key's name or URL, and the quorum counts it twice; `oacp witness remove` takes one of them out",
            visible(twin.name()),
            visible(&arguments.name),
        ));
    }
    Ok(exit)
}

pub(super) fn remove(arguments: &Remove, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let directory = arguments.here.directory(home)?;
    let before = present(&directory, home)?;
    let mut names = names(&before);
    if !names.contains(&arguments.name) {
        let known = names.join(", ");
        return Err(Failure::usage(format!(
            "the policy has no witness `{}`",
            visible(&arguments.name)
        ))
        .hint(match known.is_empty() {
            true => "it has none".to_owned(),
            false => format!("it has {}", visible(&known)),
        }));
    }
    names.retain(|name| *name != arguments.name);
    let mut lines = without_rule(&before, &directory)?;
    lines.retain(|line| {
        let mut items = line.split_whitespace();
        !(items.next() == Some("witness") && items.next() == Some(&arguments.name))
    });
    write(&directory, lines, &names, arguments.quorum, console)
}

/// The policy as it is; made now if there is none.
fn present(directory: &Directory, home: &Home) -> Result<Policy, Failure> {
    home.create()?;
    directory.init(None, home)?;
    let policy = directory.policy()?;
    policy
        .ok_or_else(|| Failure::unable(format!("there is no {}", shown(&directory.policy_file()))))
}

fn names(policy: &Policy) -> Vec<String> {
    let witnesses = policy.witnesses().iter();
    witnesses.map(|witness| witness.name().to_owned()).collect()
}

/// The lines of a policy but for its rule: who has to cosign. A rule that somebody else wrote is not replaced.
fn without_rule(policy: &Policy, directory: &Directory) -> Result<Vec<String>, Failure> {
    let by_hand = || {
        let file = shown(&directory.policy_file());
        Failure::usage(format!(
            "{file} has a rule of its own for who has to cosign"
        ))
        .hint(format!(
            "add the line to {file}, and the witness to the rule"
        ))
    };
    let text = std::str::from_utf8(policy.text()).map_err(|_| by_hand())?;
    let mut kept = Vec::new();
    for line in text.lines() {
        let mut items = line.split_whitespace();
        match (items.next(), items.next()) {
            (Some("group"), Some(GROUP)) | (Some("quorum"), Some("none" | GROUP)) => {}
            (Some("group" | "quorum"), _) => return Err(by_hand()),
            _ => kept.push(line.to_owned()),
        }
    }
    Ok(kept)
}

fn write(
    directory: &Directory,
    mut lines: Vec<String>,
    names: &[String],
    quorum: Option<Quorum>,
    console: &Console,
) -> Result<Exit, Failure> {
    let quorum = quorum.unwrap_or(Quorum::Some(names.len() / 2 + 1));
    match names {
        [] => lines.push("quorum none".to_owned()),
        names => {
            lines.push(format!("group {GROUP} {quorum} {}", names.join(" ")));
            lines.push(format!("quorum {GROUP}"));
        }
    }
    let text = format!("{}\n", lines.join("\n"));
    let policy = Policy::parse(text.as_bytes())
        .map_err(|error| Failure::usage(format!("this would be no log policy: {error}")))?;
    directory.write_policy(&policy)?;
    let needed = match (quorum, names.len()) {
        (_, 0) => 0,
        (Quorum::Any, _) => 1,
        (Quorum::All, all) => all,
        (Quorum::Some(number), _) => number,
    };
    if console.json {
        console.print_json(&json!({
            "policy": directory.policy_file(),
            "witnesses": names,
            "quorum": needed,
        }))?;
    } else {
        console.print(&match names.len() {
            0 => "no witness cosigns the log any more".to_owned(),
            all => format!(
                "{needed} of {all} have to cosign: {}",
                visible(&names.join(", "))
            ),
        })?;
        console
            .note("who trusts this log needs its policy again: oacp log policy, oacp key export");
    }
    Ok(Exit::Yes)
}
