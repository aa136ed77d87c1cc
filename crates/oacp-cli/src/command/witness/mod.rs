//! `oacp witness`: this machine as a witness of other logs, and the witnesses of its own.

mod identity;
mod policy;
mod serve;

use clap::Subcommand;

use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::home::Home;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Cosign the checkpoints of logs, each only if it continues the one before
    Serve(serve::Arguments),
    /// This witness's name and keys: what a log's operator gives to `oacp witness add`
    Key(identity::Identity),
    /// Let a witness cosign this machine's log
    Add(policy::Add),
    /// Let it no more
    Remove(policy::Remove),
}

pub(crate) fn run(command: Command, home: &Home, console: &Console) -> Result<Exit, Failure> {
    match command {
        Command::Serve(arguments) => serve::serve(arguments, home, console),
        Command::Key(arguments) => identity::key(&arguments, home, console),
        Command::Add(arguments) => policy::add(&arguments, home, console),
        Command::Remove(arguments) => policy::remove(&arguments, home, console),
    }
}
