//! `oacp policy diff`: what has changed since a file was accepted, or between two files.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::lines::{Line, changed, difference};
use crate::accepted::{self, CONFIG_FILE};
use crate::config::Text;
use crate::console::{BOLD, Console, DIM, GREEN, RED};
use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::home::{Home, shown};

/// Unchanged lines that are shown around a change.
const AROUND: usize = 3;

#[derive(Args)]
pub(crate) struct Arguments {
    /// A configuration, compared with what was accepted of it [default: oacp.yaml]; or two, compared with each other
    #[arg(value_name = "FILE", num_args = 0..=2)]
    files: Vec<PathBuf>,
}

pub(super) fn diff(arguments: &Arguments, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let (old, new) = match arguments.files.as_slice() {
        [old, new] => (Text::read(old)?, Text::read(new)?),
        one => {
            let default = PathBuf::from(CONFIG_FILE);
            let file = one.first().unwrap_or(&default);
            let new = Text::read(file)?;
            let old = accepted::text_then(file, home)?.ok_or_else(|| {
                Failure::usage(format!("`{}` was never accepted", file.display())).hint(format!(
                    "`oacp policy accept {}` shows what it grants and accepts it",
                    shown(file)
                ))
            })?;
            (old, new)
        }
    };
    let differs = old.text != new.text;
    let lines = difference(&old.text, &new.text);
    // A text that cannot be read grants nothing; that it cannot is part of the difference.
    let grants = |text: &Text| match text.for_run() {
        Ok(options) => options.lines(),
        Err(failure) => vec![format!("nothing: {}", failure.message())],
    };
    let (old_grants, new_grants) = (grants(&old), grants(&new));
    let (removed, added) = changed(&old_grants, &new_grants);
    if console.json {
        let lines: Vec<String> = lines.iter().map(|line| mark(*line)).collect();
        console.print_json(&json!({
            "changed": differs,
            "lines": lines,
            "grants": { "removed": removed, "added": added },
        }))?;
    } else if differs {
        let mut text = format!("{BOLD}{} → {}{BOLD:#}\n", old.name, new.name);
        text.push_str(&excerpts(&lines));
        text.push_str(&format!("\n{BOLD}what it grants{BOLD:#}\n"));
        text.extend(
            removed
                .iter()
                .map(|line| format!("{RED}-{RED:#} {}\n", visible(line))),
        );
        text.extend(
            added
                .iter()
                .map(|line| format!("{GREEN}+{GREEN:#} {}\n", visible(line))),
        );
        if removed.is_empty() && added.is_empty() {
            text.push_str("  the same\n");
        }
        console.print(&text)?;
    } else {
        console.print("no difference")?;
    }
    Ok(if differs { Exit::No } else { Exit::Yes })
}

fn mark(line: Line<'_>) -> String {
    match line {
        Line::Same(line) => format!(" {line}"),
        Line::Removed(line) => format!("-{line}"),
        Line::Added(line) => format!("+{line}"),
    }
}

/// The changes, each with some of what surrounds it.
fn excerpts(lines: &[Line<'_>]) -> String {
    let is_near = |at: usize| {
        let begin = at.saturating_sub(AROUND);
        lines
            .get(begin..lines.len().min(at + AROUND + 1))
            .is_some_and(|near| near.iter().any(|line| !matches!(line, Line::Same(_))))
    };
    let mut text = String::new();
    let mut left_out = false;
    for (at, line) in lines.iter().enumerate() {
        if !is_near(at) {
            left_out = true;
            continue;
        }
        if std::mem::take(&mut left_out) {
            text.push_str(&format!("{DIM}…{DIM:#}\n"));
        }
        let (style, shown) = match line {
            Line::Same(line) => (DIM, format!("  {}", visible(line))),
            Line::Removed(line) => (RED, format!("- {}", visible(line))),
            Line::Added(line) => (GREEN, format!("+ {}", visible(line))),
        };
        text.push_str(&format!("{style}{shown}{style:#}\n"));
    }
    text
}
