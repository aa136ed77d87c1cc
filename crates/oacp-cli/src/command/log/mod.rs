//! `oacp log`: the transparency log, to be read, proven from, served, pruned and watched.

mod export;
mod find;
mod follow;
mod fsck;
mod hold;
mod keep;
mod made;
mod prove;
mod row;
mod serve;
mod status;
mod sync;

pub(super) use serve::listen;

use clap::Subcommand;

use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::home::Home;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// How the log is: its entries, its witnesses, and what waits for it
    Status(status::Arguments),
    /// Find entries by agent, tool, outcome, principal, sandbox or time
    Find(Box<find::Arguments>),
    /// Show an entry
    Entry(find::Entry),
    /// Add the proofs that the log has by now to a bundle; those that it has stay
    Prove(prove::Arguments),
    /// Send what waits for registries that could not be reached
    Sync(sync::Arguments),
    /// Serve this machine's log over HTTP
    Serve(serve::Arguments),
    /// Begin this machine's log, under a name of your own
    Init(made::Init),
    /// Print the log's policy: by it others trust the log
    Policy(made::Policy),
    /// Make a registry elsewhere known, so that its URL is enough
    Add(made::Add),
    /// Remove payloads whose time is over. Entries and proofs stay
    Prune(keep::Prune),
    /// Keep payloads beyond their time
    #[command(subcommand)]
    Hold(hold::Command),
    /// Write the log, or a part of it, into a file that shows that it is complete
    Export(export::Arguments),
    /// Read the whole log again, and check every byte of it
    Fsck(fsck::Arguments),
    /// Make the index anew from what is logged
    Reindex(keep::Reindex),
    /// Watch a log elsewhere: that it only grows, and what comes into it
    Monitor(follow::Monitor),
    /// Copy a log from elsewhere, verifying every entry
    Mirror(follow::Mirror),
}

pub(crate) fn run(command: Command, home: &Home, console: &Console) -> Result<Exit, Failure> {
    match command {
        Command::Status(arguments) => status::status(&arguments, home, console),
        Command::Find(arguments) => find::find(&arguments, home, console),
        Command::Entry(arguments) => find::entry(&arguments, home, console),
        Command::Prove(arguments) => prove::prove(&arguments, home, console),
        Command::Sync(arguments) => sync::sync(&arguments, home, console),
        Command::Serve(arguments) => serve::serve(arguments, home, console),
        Command::Init(arguments) => made::init(&arguments, home, console),
        Command::Policy(arguments) => made::policy(&arguments, home, console),
        Command::Add(arguments) => made::add(&arguments, home, console),
        Command::Prune(arguments) => keep::prune(&arguments, home, console),
        Command::Hold(command) => hold::run(command, home, console),
        Command::Export(arguments) => export::export(&arguments, home, console),
        Command::Fsck(arguments) => fsck::fsck(&arguments, home, console),
        Command::Reindex(arguments) => keep::reindex(&arguments, home, console),
        Command::Monitor(arguments) => follow::monitor(arguments, home, console),
        Command::Mirror(arguments) => follow::mirror(arguments, home, console),
    }
}
