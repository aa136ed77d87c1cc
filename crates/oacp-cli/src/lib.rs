//! The `oacp` program, as a function of its command line.
//!
//! **In scope**: the command line, `oacp.yaml` and who accepted it, the home directory with keys, bundles and the log, which log attestations
//! go to, secrets' values on their way to the egress, what a person reads on a terminal and is asked there, exit codes.
//!
//! **Out of scope**: running (`oacp-sandbox`), signing and serving (`oacp-gateway`), logging (`oacp-registry`), checking (`oacp`). This crate is an edge: it alone reads the
//! environment (in `environment.rs`, and `NO_COLOR`), the home directory and the configuration, once, and hands typed options inwards.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod accepted;
mod agent;
mod bundle_file;
mod command;
mod config;
mod console;
mod environment;
mod escape;
mod failure;
mod file;
mod home;
mod key_file;
mod measure;
mod nearest;
mod node_key;
mod progress;
mod project;
mod question;
mod registry;
mod rights;
mod runtime;
mod secret;
mod started;
mod tool;
mod trust;
mod yaml;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::command::Command;
use crate::console::Console;
use crate::failure::Exit;
use crate::home::Home;

/// Verifiable, sandboxed agent compute.
///
/// Runs an agent that nobody has reason to trust, and writes a bundle from which a stranger, offline, can check who ran what, with
/// which rights, on which input, what it called and what came out, and run it again.
#[derive(Parser)]
#[command(
    name = "oacp",
    version,
    max_term_width = 120,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "Exit codes: 0 yes, 1 no (the agent failed, the bundle is refused), 2 it could not be done or checked, 3 usage.\n\
    Everything is kept under ~/.oacp, or under $OACP_HOME."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
    /// Print JSON on one line, with a stable schema, instead of text
    #[arg(long, global = true, display_order = 100)]
    json: bool,
    /// Print no progress, no notes and no summary
    #[arg(long, short, global = true, display_order = 101)]
    quiet: bool,
    /// Where compiled components are kept
    #[arg(long, global = true, hide = true, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
}

/// Does what the command line says, and tells how it went. Prints; does not end the process.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // This program starts itself to compile what it does not trust: not for people, so no command of theirs.
    if arguments
        .get(1)
        .is_some_and(|argument| argument == runtime::COMPILE)
    {
        return oacp_sandbox::compile_child();
    }
    let line = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line,
        Err(error) => {
            let asked_for_help = !error.use_stderr();
            // Nothing is left to do when the terminal is gone.
            let _ = error.print();
            return if asked_for_help {
                Exit::Yes
            } else {
                Exit::Usage
            }
            .into();
        }
    };
    let console = Console {
        json: line.json,
        quiet: line.quiet,
    };
    let done = Home::locate(line.cache_dir).and_then(|home| line.command.run(&home, &console));
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(&console).into(),
    }
}

/// The command line's description.
pub(crate) fn description() -> clap::Command {
    <CommandLine as clap::CommandFactory>::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        description().debug_assert();
    }

    #[test]
    fn the_documentation_names_every_command_and_option() {
        const DOCUMENTATION: &str = include_str!("../../../docs/cli.md");
        fn check(command: &clap::Command, path: &str) {
            for argument in command
                .get_arguments()
                .filter(|argument| !argument.is_hide_set())
            {
                if let Some(long) = argument
                    .get_long()
                    .filter(|long| !matches!(*long, "help" | "version"))
                {
                    assert!(
                        DOCUMENTATION.contains(&format!("`--{long}")),
                        "{path} --{long}"
                    );
                }
            }
            for command in command.get_subcommands() {
                let path = format!("{path} {}", command.get_name());
                assert!(DOCUMENTATION.contains(&format!("`{path}")), "{path}");
                check(command, &path);
            }
        }
        check(&description(), "oacp");
    }
}
