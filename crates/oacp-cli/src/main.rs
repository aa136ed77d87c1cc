//! The `oacp` program; everything is in the library, where Python's console script finds it too.

fn main() -> std::process::ExitCode {
    oacp_cli::main(std::env::args_os())
}
