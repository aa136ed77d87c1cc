//! `oacp init`: an agent to start from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::config;
use crate::console::{BOLD, Console};
use crate::failure::{Exit, Failure, Judge};
use crate::home::shown;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where to; made if it is not there
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The agent's language
    #[arg(long, value_enum, default_value_t = Lang::Python)]
    lang: Lang,
    /// Print the JSON schema of oacp.yaml instead, for an editor
    #[arg(long)]
    schema: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Lang {
    Python,
    Js,
}

const CONFIG: &str = include_str!("init/oacp.yaml");

pub(crate) fn init(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    if arguments.schema {
        console.print_bytes(format!("{:#}", config::schema()).as_bytes())?;
        return Ok(Exit::Yes);
    }
    let (name, agent) = match arguments.lang {
        Lang::Python => ("agent.py", include_str!("init/agent.py")),
        Lang::Js => ("agent.js", include_str!("init/agent.js")),
    };
    let dir = &arguments.dir;
    let files = [(dir.join(name), agent), (dir.join("oacp.yaml"), CONFIG)];
    if let Some((taken, _)) = files.iter().find(|(file, _)| file.exists()) {
        return Err(
            Failure::usage(format!("`{}` is there already", taken.display()))
                .hint("name another directory"),
        );
    }
    fs::create_dir_all(dir)
        .or_context(|| format!("cannot create the directory `{}`", dir.display()))?;
    for (file, content) in &files {
        create(file, content).or_context(|| format!("cannot write `{}`", file.display()))?;
    }
    let [(agent, _), (config, _)] = &files;
    if console.json {
        console.print_json(&json!({ "agent": agent, "config": config }))?;
    } else {
        console.print(&format!(
            "wrote {} and {}\n\nnext: {BOLD}oacp run {} --input '{{\"name\": \"Ada\"}}' --config {}{BOLD:#}",
            shown(agent),
            shown(config),
            shown(agent),
            shown(config),
        ))?;
    }
    Ok(Exit::Yes)
}

/// Never over a file that is there.
fn create(file: &Path, content: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(file)?;
    io::Write::write_all(&mut file, content.as_bytes())
}
