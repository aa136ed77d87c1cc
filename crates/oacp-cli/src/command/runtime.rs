//! `oacp runtime`: language runtimes by digest, so that an old bundle can be run again after an upgrade.

use std::path::PathBuf;

use clap::Subcommand;
use oacp::digest::Digest;
use oacp_sandbox::limits::COMPONENT_BYTES_MAX;
use serde_json::{Value, json};

use crate::console::{Console, DIM};
use crate::failure::{Exit, Failure, Judge};
use crate::file::{self, Existing, Readers};
use crate::home::{Home, shown};
use crate::progress::Loading;
use crate::{bundle_file, runtime};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the runtimes at hand
    List,
    /// Add a runtime, from its .wasm file
    Add {
        /// The component
        file: PathBuf,
    },
    /// Write a runtime's .wasm file
    Export {
        /// Which, as `oacp runtime list` prints it
        digest: Digest,
        /// Where to
        out: PathBuf,
    },
}

pub(crate) fn run(command: Command, home: &Home, console: &Console) -> Result<Exit, Failure> {
    match command {
        Command::List => list(home, console)?,
        Command::Add { file } => {
            let wasm = file::read(&file, COMPONENT_BYTES_MAX).or_usage()?;
            let engine = runtime::engine(home)?;
            let loading = Loading::new(console, "the runtime");
            let digest = runtime::languages(home)
                .add(&engine, &wasm, &|progress| loading.report(progress))
                .or_context(|| format!("`{}` is not added", file.display()))
                .or_usage()?;
            if console.json {
                console.print_json(&json!({ "digest": digest }))?;
            } else {
                console.print(&format!("added {digest}"))?;
            }
        }
        Command::Export { digest, out } => {
            let wasm = runtime::languages(home).read(&digest).or_usage()?;
            match file::write_whole(&out, &wasm, Existing::Keep, Readers::Anyone) {
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                    return Err(bundle_file::taken(&out));
                }
                written => written.or_context(|| format!("cannot write `{}`", out.display()))?,
            }
            if console.json {
                console.print_json(&json!({ "file": out, "size": wasm.len() }))?;
            } else {
                console.print(&format!("wrote {}", shown(&out)))?;
            }
        }
    }
    Ok(Exit::Yes)
}

fn list(home: &Home, console: &Console) -> Result<(), Failure> {
    let runtimes = runtime::languages(home).list()?;
    if console.json {
        let object = |listed: &oacp_sandbox::Listed| -> Value {
            json!({ "digest": listed.digest, "language": listed.carried.map(oacp_sandbox::Language::name) })
        };
        console.print_json(&runtimes.iter().map(object).collect::<Vec<_>>())?;
        return Ok(());
    }
    let line = |listed: &oacp_sandbox::Listed| match listed.carried {
        Some(language) => format!(
            "{}  {:<10}  {DIM}carried by this program{DIM:#}\n",
            listed.digest,
            language.name()
        ),
        None => format!("{}  {:<10}  {DIM}added{DIM:#}\n", listed.digest, ""),
    };
    console.print(&runtimes.iter().map(line).collect::<String>())?;
    Ok(())
}
