//! `oacp verify`: everything that can be checked, re-execution included; and of an export of a log, that nothing is missing.

mod export;
mod subject;

use std::path::{Path, PathBuf};

use clap::Args;
use oacp::digest::Digest;
use oacp::id::{Audience, Nonce};
use oacp::replay::{ReplayVerdict, Replayed};
use oacp::report::Report;
use oacp::statement::{ExecutionStatement, Reexecutable};
use oacp::{Expectation, Verified};
use serde::Serialize;

use self::subject::Subject;
use super::replay::re_execute;
use super::report;
use crate::console::Console;
use crate::failure::{Exit, Failure, Judge};
use crate::home::Home;
use crate::{bundle_file, file, trust};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The bundle, an export of a log, or - for standard input; or an execution's id, which is looked up
    #[arg(value_name = "BUNDLE|EXPORT|ID")]
    subject: PathBuf,
    /// Whom to trust [default: this machine's own node]
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Refuse a bundle that does not carry this nonce
    #[arg(long, value_name = "TEXT")]
    expect_nonce: Option<Nonce>,
    /// Refuse a bundle that is made for somebody else
    #[arg(long, value_name = "TEXT")]
    expect_audience: Option<Audience>,
    /// Refuse a bundle of another agent
    #[arg(long, value_name = "sha256:…")]
    expect_agent: Option<Digest>,
    /// Refuse a bundle of another input
    #[arg(long, value_name = "sha256:…|@FILE")]
    expect_input: Option<String>,
    /// Do not run it again
    #[arg(long)]
    no_replay: bool,
    /// Look the execution up there: in a directory, or behind a URL [default: the runs and the log of this machine]
    #[arg(long, value_name = "DIR|URL")]
    registry: Option<String>,
    /// The token for reading the registry at the URL
    #[arg(long, value_name = "FILE", requires = "registry")]
    read_token: Option<PathBuf>,
}

/// What `--json` prints. Fields are added, never renamed.
#[derive(Serialize)]
struct Answer<'a> {
    /// `verified`, or `failed`: something was checked and does not hold.
    verdict: &'static str,
    statement: &'a ExecutionStatement,
    replay: &'a ReplayVerdict,
    report: &'a Report,
}

pub(crate) fn verify(
    arguments: &Arguments,
    home: &Home,
    console: &Console,
) -> Result<Exit, Failure> {
    let trust = trust::load(arguments.trust.as_deref(), home)?;
    let expectation = Expectation {
        nonce: arguments.expect_nonce.clone(),
        audience: arguments.expect_audience.clone(),
        agent: arguments.expect_agent,
        input: arguments
            .expect_input
            .as_deref()
            .map(digest_of)
            .transpose()?,
        execution: subject::execution(arguments),
    };
    let bundle = match subject::find(arguments, home)? {
        Subject::Bundle(bundle) => *bundle,
        Subject::Export(lines) => return export::verify(lines, &trust, console),
    };
    let verified = bundle_file::verify(&bundle, &trust, &expectation)?;
    let not_checked = |reason| ReplayVerdict::NotChecked { reason };
    let replayed = if arguments.no_replay {
        Replayed::from(not_checked("not run again: --no-replay".to_owned()))
    } else if let Some(reason) = unrepeatable(&verified) {
        // Nor are those that it called: a caller's events are what ties them to it.
        Replayed::from(not_checked(reason))
    } else {
        re_execute(&verified, home, console)?
    };
    let report = report::of(&verified, &bundle, &replayed, home);
    let failed = report::failed(&report);
    if console.json {
        let verdict = if failed { "failed" } else { "verified" };
        console.print_json(&Answer {
            verdict,
            statement: verified.statement(),
            replay: &replayed.verdict,
            report: &report,
        })?;
    } else {
        console.print(&format!(
            "{}\n\n{}\n{}",
            report::subject(&verified),
            report::whole(&report),
            report::closing(&report)
        ))?;
    }
    Ok(if failed { Exit::No } else { Exit::Yes })
}

/// What of the bundle itself stands in the way of running it again. It is no fault of this machine's.
fn unrepeatable(verified: &Verified) -> Option<String> {
    if let Reexecutable::No { reason } = &verified.statement().reexecutable {
        return Some(reason.clone());
    }
    let has_agent = verified.source().is_some() || verified.component().is_some();
    let parts = [
        ("recording", verified.recording().is_some()),
        ("input", verified.input().is_some()),
        ("output", verified.output().is_some()),
        ("agent", has_agent),
    ];
    parts
        .into_iter()
        .find(|(_, there)| !there)
        .map(|(part, _)| format!("the bundle withholds the {part}"))
}

/// A digest as it is written, or that of a file.
fn digest_of(given: &str) -> Result<Digest, Failure> {
    match given.strip_prefix('@') {
        Some(path) => Ok(Digest::of(
            &file::read(Path::new(path), oacp::limits::BUNDLE.bytes_max).or_usage()?,
        )),
        None => given
            .parse()
            .or_context(|| format!("--expect-input is `{given}`"))
            .or_hint(|| "give sha256: and 64 hex digits, or @FILE".to_owned())
            .or_usage(),
    }
}
