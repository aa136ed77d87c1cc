//! `oacp policy accept`: a person reads what a file grants, and says yes.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::accepted::{self, CONFIG_FILE};
use crate::config::Text;
use crate::console::{BOLD, Console};
use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::home::{Home, shown};
use crate::question;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The configuration
    #[arg(default_value = CONFIG_FILE)]
    file: PathBuf,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub(super) fn accept(
    arguments: &Arguments,
    home: &Home,
    console: &Console,
) -> Result<Exit, Failure> {
    let text = Text::read(&arguments.file)?;
    let grants = text.for_run()?.lines();
    let list: String = grants
        .iter()
        .map(|line| format!("  {}\n", visible(line)))
        .collect();
    let question = format!("{BOLD}{} grants{BOLD:#}\n{list}", shown(&arguments.file));
    if !arguments.yes {
        console.say(question.trim_end());
        if !question::is_possible() {
            return Err(
                Failure::usage("nobody can be asked, because there is no terminal")
                    .hint("read what it grants, and give --yes"),
            );
        }
        if !question::is_agreed("accept it?", console) {
            console.note("not accepted");
            return Ok(Exit::No);
        }
    }
    let digest = accepted::accept(&arguments.file, &text, home)?;
    if console.json {
        console.print_json(
            &json!({ "file": arguments.file, "sha256": digest, "grants": grants, "accepted": true }),
        )?;
        return Ok(Exit::Yes);
    }
    let shown_before = if arguments.yes { &question } else { "" };
    console.print(&format!(
        "{shown_before}accepted {} ({}): runs in that directory use it until it changes",
        shown(&arguments.file),
        digest.short()
    ))?;
    Ok(Exit::Yes)
}
