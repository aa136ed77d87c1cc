//! `oacp policy`: what configurations grant, what would come of a request, and what a change of policy would have changed.

mod accept;
mod diff;
mod explain;
mod lines;
mod test;

use clap::Subcommand;

use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::home::Home;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show what a configuration grants, and accept it: runs beside it use it until it changes
    Accept(accept::Arguments),
    /// Show what has changed since a configuration was accepted, or between two files
    Diff(diff::Arguments),
    /// Say what would come of a path, a URL or an environment variable, and why. Exits with 0 if all of it is allowed, else with 1
    Explain(explain::Arguments),
    /// Judge recorded runs under another policy. Exits with 1 if something that was allowed would be denied
    Test(test::Arguments),
}

pub(crate) fn run(command: Command, home: &Home, console: &Console) -> Result<Exit, Failure> {
    match command {
        Command::Accept(arguments) => accept::accept(&arguments, home, console),
        Command::Diff(arguments) => diff::diff(&arguments, home, console),
        Command::Explain(arguments) => explain::explain(&arguments, home, console),
        Command::Test(arguments) => test::test(&arguments, home, console),
    }
}
