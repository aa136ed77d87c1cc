//! `oacp completions`: for a shell to read at its start.

use clap::Args;
use clap_complete::Shell;

use crate::console::Console;
use crate::failure::{Exit, Failure};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn completions(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut crate::description(),
        "oacp",
        &mut script,
    );
    console.print_bytes(&script)?;
    Ok(Exit::Yes)
}
