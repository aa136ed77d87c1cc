//! `oacp policy explain`: what would come of a request, and by which rules.

use std::path::{Path, PathBuf};

use clap::Args;
use oacp::Expectation;
use oacp::capability::{Capabilities, Grant, GuestPath, Target};
use oacp::policy::{Explanation, explain_env, explain_read, explain_url, explain_write};
use serde_json::json;

use crate::command::runs;
use crate::config::{self, Text};
use crate::console::{BOLD, Console, DIM, GREEN, RED};
use crate::escape::visible;
use crate::failure::{Exit, Failure, Judge};
use crate::home::Home;
use crate::{accepted, bundle_file, environment, secret, trust};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A path, a URL, or the name of an environment variable; before it, if its grant is asked, a bundle or the id of a run
    #[arg(required = true, value_name = "[RUN] WHAT")]
    words: Vec<String>,
    /// Ask this configuration's grant [default: that of this directory, if it was accepted]
    #[arg(long, value_name = "FILE", conflicts_with = "grant")]
    config: Option<PathBuf>,
    /// Ask a grant that stands alone: what a configuration has under sandbox.capabilities
    #[arg(long, value_name = "FILE")]
    grant: Option<PathBuf>,
    /// It is a path to be read
    #[arg(long, group = "kind")]
    read: bool,
    /// It is a path to be written
    #[arg(long, group = "kind")]
    write: bool,
    /// It is a URL, or a host with or without a port
    #[arg(long, group = "kind")]
    net: bool,
    /// It is the name of an environment variable
    #[arg(long, group = "kind")]
    env: bool,
    /// Whom to trust for a bundle [default: this machine's own node]
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
}

/// What is asked of a grant.
enum Question {
    Read(GuestPath),
    Write(GuestPath),
    Url(Box<Target>),
    Env(String),
}

pub(super) fn explain(
    arguments: &Arguments,
    home: &Home,
    console: &Console,
) -> Result<Exit, Failure> {
    let (run, what) = match arguments.words.as_slice() {
        [what] => (None, what),
        [run, what] if arguments.config.is_none() && arguments.grant.is_none() => (Some(run), what),
        [_, what] => {
            return Err(Failure::usage(
                "whose grant is asked: a run's, or that of --config or --grant?",
            )
            .hint(format!("keep one of them, and `{what}`")));
        }
        _ => {
            return Err(Failure::usage("one thing is explained at a time")
                .hint("give a path, a URL or a variable; before it a run, if its grant is asked"));
        }
    };
    let source = source(arguments, run, home, console)?;
    let grant = Grant::attenuate(&source.capabilities, &source.capabilities);
    let mut answers = Vec::new();
    for question in questions(arguments, what)? {
        answers.push(match question {
            Question::Read(path) => explain_read(&grant, &path),
            Question::Write(path) => explain_write(&grant, &path),
            Question::Url(target) => explain_url(&grant, &target),
            Question::Env(name) => {
                let mut answer = explain_env(&grant, &name);
                if environment::is_withheld(&name, &source.secret_variables) {
                    answer.allowed = false;
                    answer.rules.push(
                        "withheld, whatever is granted: OACP itself reads it, or a secret is taken from it"
                            .to_owned(),
                    );
                }
                answer
            }
        });
    }
    if console.json {
        let objects: Vec<_> = answers.iter().map(object).collect();
        console.print_json(&objects)?;
    } else {
        let text: String = answers.iter().map(text).collect();
        console.print(&text)?;
    }
    Ok(if answers.iter().all(|answer| answer.allowed) {
        Exit::Yes
    } else {
        Exit::No
    })
}

/// A grant, and the variables that are withheld beside it.
struct GrantOf {
    capabilities: Capabilities,
    secret_variables: std::collections::BTreeSet<String>,
}

fn source(
    arguments: &Arguments,
    run: Option<&String>,
    home: &Home,
    console: &Console,
) -> Result<GrantOf, Failure> {
    let bare = |capabilities| GrantOf {
        capabilities,
        secret_variables: Default::default(),
    };
    if let Some(file) = &arguments.grant {
        return Ok(bare(Text::read(file)?.as_capabilities()?));
    }
    if let Some(given) = run {
        let bundle = bundle_file::read(&runs::locate(given, home)?)?;
        let trust = trust::load(arguments.trust.as_deref(), home)?;
        let verified = bundle_file::verify(&bundle, &trust, &Expectation::default())?;
        return Ok(bare(verified.statement().grant.capabilities.clone()));
    }
    let options = match &arguments.config {
        Some(file) => Text::read(file)?.for_run()?,
        None => accepted::discovered(home, console)?,
    };
    Ok(GrantOf {
        secret_variables: secret::variables(&options.secrets),
        capabilities: options.capabilities,
    })
}

fn questions(arguments: &Arguments, what: &str) -> Result<Vec<Question>, Failure> {
    let is_url = what.contains("://");
    // No variable's name has a dot or a hyphen: `orders.csv` is a file.
    let is_path = Path::new(what).exists()
        || what.contains(['/', '.', '-'])
        || what.starts_with('~')
        || matches!(what, "." | "..");
    Ok(if arguments.read {
        vec![Question::Read(path(what)?)]
    } else if arguments.write {
        vec![Question::Write(path(what)?)]
    } else if arguments.env {
        vec![Question::Env(what.to_owned())]
    } else if arguments.net || is_url {
        let url = if is_url {
            what.to_owned()
        } else {
            format!("https://{what}")
        };
        let target = Target::parse(&url)
            .or_context(|| format!("`{what}` cannot be asked for"))
            .or_usage()?;
        vec![Question::Url(Box::new(target))]
    } else if is_path {
        let path = path(what)?;
        vec![Question::Read(path.clone()), Question::Write(path)]
    } else {
        vec![Question::Env(what.to_owned())]
    })
}

/// A path as a run in the current directory would have it.
fn path(text: &str) -> Result<GuestPath, Failure> {
    if text.starts_with('~') {
        return Err(
            Failure::usage(format!("`{text}`: `~` is not expanded by OACP")).hint("write it out"),
        );
    }
    let here = config::guest_path(&std::env::current_dir()?)?;
    here.join(text)
        .or_context(|| format!("`{text}` is no path"))
        .or_usage()
}

fn object(answer: &Explanation) -> serde_json::Value {
    let Explanation {
        allowed,
        capability,
        asked,
        rules,
        denial,
    } = answer;
    json!({ "allowed": allowed, "capability": capability, "asked": asked, "rules": rules, "denial": denial })
}

fn text(answer: &Explanation) -> String {
    let (style, word) = if answer.allowed {
        (GREEN, "allowed")
    } else {
        (RED, "denied")
    };
    let mut text = format!(
        "{style}{word}{style:#}  {} {BOLD}{}{BOLD:#}\n",
        visible(&answer.capability),
        visible(&answer.asked)
    );
    for rule in &answer.rules {
        text.push_str(&format!("  {DIM}·{DIM:#} {}\n", visible(rule)));
    }
    for fix in answer.denial.iter().flat_map(|denial| &denial.fix) {
        text.push_str(&format!("  {DIM}fix:{DIM:#} {}\n", visible(fix)));
    }
    text
}
