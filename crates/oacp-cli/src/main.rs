//! The `oacp` program; everything is in the library, where Python's console script finds it too.

/// Statements, recordings and arguments are many small texts, and instances come and go: docs/adr/0018-one-thread.md has what it gives.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    oacp_cli::main(std::env::args_os())
}
