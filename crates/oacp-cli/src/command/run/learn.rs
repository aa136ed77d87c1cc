//! `oacp run --learn`: from what was denied to the smallest grant for it, in a file that a person reads before using it.

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use oacp::Expectation;
use oacp::capability::{Capabilities, Denial, Grant, GuestPath, PathPattern};
use oacp::outcome::Outcome;
use oacp::trust::Trust;
use oacp_gateway::Execution;

use super::learned::Learned;
use crate::bundle_file;
use crate::command::judged::judged;
use crate::console::{BOLD, Console, DIM};
use crate::escape::visible;
use crate::failure::{Failure, Judge};
use crate::file::{self, Existing, Readers};
use crate::home::shown;

/// Where it is written, if nothing else is said.
const FILE: &str = "oacp.learned.yaml";

/// What a run that learns may do meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum How {
    /// Nothing more than what is granted: each denial may hide others, until the next run
    Strict,
    /// Read below the current directory, so that one run shows more
    AllowReads,
}

/// A run that is being learnt from.
pub(in crate::command) struct Learning {
    how: How,
    file: PathBuf,
    /// What earlier runs left there.
    before: Learned,
}

impl Learning {
    /// Reads what is there already.
    ///
    /// # Errors
    ///
    /// Usage: the file is another kind of file, or was edited. Nothing of anybody's is written over.
    pub(super) fn begin(how: How, file: Option<&Path>) -> Result<Self, Failure> {
        let file = file.unwrap_or(Path::new(FILE)).to_path_buf();
        let before = if fs::symlink_metadata(&file).is_ok() {
            Learned::read(&file)?
        } else {
            Learned::default()
        };
        Ok(Self { how, file, before })
    }

    /// What this run is granted for the sake of learning.
    pub(super) fn widen(
        &self,
        granted: &mut Capabilities,
        directory: &GuestPath,
    ) -> Result<(), Failure> {
        if self.how == How::AllowReads {
            let below = PathPattern::parse_in("**", directory)
                .or_context(|| "cannot let the agent read here".to_owned())
                .or_usage()?;
            granted.file_read.insert(below);
        }
        Ok(())
    }

    /// Writes what is learnt. `granted` is what the run had been granted without learning.
    pub(super) fn end(
        mut self,
        execution: &Execution,
        granted: &Capabilities,
        own: &Trust,
        console: &Console,
    ) -> Result<(), Failure> {
        let denials = match self.how {
            How::Strict => execution.denials.clone(),
            How::AllowReads => would_be_denied(execution, granted, own)?,
        };
        if denials.is_empty() {
            console.note("learned: nothing was denied");
            return Ok(());
        }
        let learned = oacp::policy::learn(&denials);
        let list: Vec<String> = learned
            .counts
            .iter()
            .map(|(asked, count)| {
                let asked = match asked.strip_prefix("env ") {
                    Some(name) if learned.secrets.contains(name) => format!("secret {name}"),
                    _ => asked.clone(),
                };
                format!("{} {DIM}({count}x){DIM:#}", visible(&asked))
            })
            .collect();
        let were = match self.how {
            How::Strict => "was denied",
            How::AllowReads => "would have been denied",
        };
        console.note(&format!("{were}: {}", list.join("  ")));
        self.before
            .add(&learned, &execution.execution_id.to_string());
        let text = self.before.to_text();
        file::write_whole(
            &self.file,
            text.as_bytes(),
            Existing::Replace,
            Readers::Anyone,
        )
        .or_context(|| format!("cannot write `{}`", self.file.display()))?;
        console.note(&format!(
            "wrote {}: read it, then {BOLD}oacp run … --config {}{BOLD:#}",
            shown(&self.file),
            shown(&self.file)
        ));
        if execution.outcome != Outcome::Ok {
            console.note(&format!(
                "the run did not get to its end, so there may be more: add {BOLD}--learn{BOLD:#} to that"
            ));
        }
        Ok(())
    }
}

/// What the recorded run would have been denied without the rights that it had for learning.
fn would_be_denied(
    execution: &Execution,
    granted: &Capabilities,
    own: &Trust,
) -> Result<Vec<Denial>, Failure> {
    let verified = execution
        .bundle
        .verify(own, &Expectation::default(), bundle_file::now())
        .map_err(|refusal| bundle_file::refused(refusal, own.origin()))?;
    let grant = Grant::attenuate(granted, granted);
    // Level BASIC records nothing; what was really denied is known all the same.
    let Some(asked) = judged(&verified, &grant) else {
        return Ok(execution.denials.clone());
    };
    Ok(asked
        .into_iter()
        .filter_map(|asked| asked.denial_now)
        .collect())
}
