//! By what name this program was started, for the commands that it suggests: one that is not on the `PATH` must not be told to type `oacp`.

use std::env;
use std::path::Path;

use crate::home::shown;

/// What a person types for `oacp`.
pub(crate) fn name() -> String {
    // Cargo sets it for what it runs.
    if env::var_os("CARGO").is_some() && env::var_os("CARGO_MANIFEST_DIR").is_some() {
        let profile = if cfg!(debug_assertions) {
            ""
        } else {
            " --release"
        };
        return format!("cargo run{profile} --");
    }
    match env::args_os().next() {
        Some(path) if Path::new(&path).components().count() > 1 => shown(Path::new(&path)),
        _ => "oacp".to_owned(),
    }
}
