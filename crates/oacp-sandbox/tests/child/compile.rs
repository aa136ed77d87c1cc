//! The process that compiles one component.

fn main() -> std::process::ExitCode {
    oacp_sandbox::compile_child()
}
