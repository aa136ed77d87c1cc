//! The commands, one file each.

mod agent;
mod completions;
mod demo;
mod denials;
mod explain;
mod init;
mod judged;
mod key;
mod log;
mod policy;
mod replay;
mod report;
mod run;
mod runs;
mod runtime;
mod show;
mod tool;
mod verify;
mod witness;

use clap::Subcommand;

use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::home::Home;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run an agent in a sandbox, print its result and write its bundle
    Run(Box<run::Arguments>),
    /// Check a bundle, and run it again to see the same output follow
    Verify(verify::Arguments),
    /// Run a bundle again: confirmed, diverged at an event, or unverifiable
    Replay(replay::Arguments),
    /// Show what ran, with which rights, and what happened, in order
    Show(show::Arguments),
    /// See it all at work: a run, a denial, a verification, two forgeries that are refused
    Demo(demo::Arguments),
    /// Write an agent and a configuration to start from
    Init(init::Arguments),
    /// What configurations grant, and what would come of a request
    #[command(subcommand)]
    Policy(policy::Command),
    /// The bundles of this machine's runs
    Runs(runs::Arguments),
    /// This node's key, and the trust file that names it
    #[command(subcommand)]
    Key(key::Command),
    /// The transparency log that attestations go to
    #[command(subcommand)]
    Log(log::Command),
    /// Witnesses: this machine as one for others, and those of its own log
    #[command(subcommand)]
    Witness(witness::Command),
    /// Agents that are held to a definition: what they take and give, their tools, their checks
    #[command(subcommand)]
    Agent(agent::Command),
    /// Tools that agents may call: registered, pinned, each with its own rights
    #[command(subcommand)]
    Tool(tool::Command),
    /// Language runtimes
    #[command(subcommand)]
    Runtime(runtime::Command),
    /// Explain an outcome, a denial, or what a run was denied
    Explain(explain::Arguments),
    /// Print a shell's completion script
    Completions(completions::Arguments),
}

impl Command {
    pub(crate) fn run(self, home: &Home, console: &Console) -> Result<Exit, Failure> {
        match self {
            Self::Run(arguments) => run::run(*arguments, home, console),
            Self::Verify(arguments) => verify::verify(&arguments, home, console),
            Self::Replay(arguments) => replay::replay(&arguments, home, console),
            Self::Show(arguments) => show::show(&arguments, home, console),
            Self::Demo(arguments) => demo::demo(&arguments, home, console),
            Self::Init(arguments) => init::init(&arguments, console),
            Self::Policy(command) => policy::run(command, home, console),
            Self::Runs(arguments) => runs::run(arguments, home, console),
            Self::Key(command) => key::run(command, home, console),
            Self::Log(command) => log::run(command, home, console),
            Self::Witness(command) => witness::run(command, home, console),
            Self::Agent(command) => agent::run(command, home, console),
            Self::Tool(command) => tool::run(command, home, console),
            Self::Runtime(command) => runtime::run(command, home, console),
            Self::Explain(arguments) => explain::explain(&arguments, home, console),
            Self::Completions(arguments) => completions::completions(&arguments, console),
        }
    }
}
