//! `oacp log fsck`: the whole log, read again.

use std::cell::RefCell;
use std::path::PathBuf;

use clap::Args;
use oacp_registry::fsck::{self, Severity};
use serde_json::json;

use crate::console::{Console, GREEN, RED, YELLOW};
use crate::escape::visible;
use crate::failure::{Exit, Failure, Judge};
use crate::home::{Home, shown};
use crate::measure;
use crate::progress::Counting;
use crate::registry::Here;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Which log it should be, and its witnesses, for a copy without a key [default: the policy beside it]
    #[arg(long, value_name = "FILE")]
    log_policy: Option<PathBuf>,
    #[command(flatten)]
    here: Here,
}

pub(super) fn fsck(arguments: &Arguments, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let directory = arguments.here.directory(home)?;
    let (verifier, policy) = directory.verifier(arguments.log_policy.as_deref())?;
    // Entries first, then payloads: a bar for each.
    let counting: RefCell<Option<(u64, u64, Counting)>> = RefCell::new(None);
    let mut progress = |done: u64, total: u64| {
        let mut counting = counting.borrow_mut();
        match &mut *counting {
            Some((of, at, bar)) if *of == total && *at <= done => {
                bar.to_next(done - *at);
                *at = done;
            }
            other => {
                let bar = Counting::new(console, "checking", "entries", total);
                bar.to_next(done);
                *other = Some((total, done, bar));
            }
        }
    };
    let report = fsck::check(directory.dir(), &verifier, policy.as_ref(), &mut progress)
        .or_context(|| format!("the log in {} cannot be read", shown(directory.dir())))?;
    counting.replace(None);
    let is_sound = report.is_sound();
    if console.json {
        let findings: Vec<_> = report
            .findings
            .iter()
            .map(|finding| {
                let severity = match finding.severity {
                    Severity::Damage => "damage",
                    Severity::Note => "note",
                };
                json!({ "file": finding.file, "what": finding.what, "severity": severity })
            })
            .collect();
        console.print_json(&json!({
            "sound": is_sound,
            "entries": report.entries,
            "payloads": report.payloads,
            "pruned": report.pruned,
            "findings": findings,
        }))?;
    } else {
        let mut text = String::new();
        for finding in &report.findings {
            let (style, word) = match finding.severity {
                Severity::Damage => (RED, "damage"),
                Severity::Note => (YELLOW, "note"),
            };
            text.push_str(&format!(
                "{style}{word}{style:#}: {}: {}\n",
                visible(&finding.file),
                visible(&finding.what)
            ));
        }
        let pruned = match report.pruned {
            0 => String::new(),
            pruned => format!(", {pruned} pruned"),
        };
        let (style, verdict) = match is_sound {
            true => (GREEN, "sound"),
            false => (RED, "damaged"),
        };
        text.push_str(&format!(
            "{style}{verdict}{style:#}: {} lead to the signed root; {} compared{pruned}",
            measure::entries(report.entries),
            measure::plural(report.payloads, "payload"),
        ));
        console.print(&text)?;
    }
    Ok(if is_sound { Exit::Yes } else { Exit::No })
}
