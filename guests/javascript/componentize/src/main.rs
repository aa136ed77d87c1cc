//! Makes the JavaScript runtime's core module a component.
//!
//!     componentize CORE.wasm BOOT-DIRECTORY OUTPUT.wasm WIT…
//!
//! The module is first *initialized*: its export `initialize` runs here, in an interpreter, on the
//! boot modules, and the memory it leaves becomes the module's own. A run then starts with the engine's
//! context made and the boot modules evaluated. Nothing of this machine can get into that memory:
//! every import traps meanwhile.

mod snapshot;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WORLD: &str = "oacp:javascript/runtime";
const BOOT_PREFIX: &str = "oacp:boot/";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [core, boot, output, wit @ ..] = arguments.as_slice() else {
        eprintln!("usage: componentize CORE.wasm BOOT-DIRECTORY OUTPUT.wasm WIT…");
        return ExitCode::from(2);
    };
    match componentize(core, boot, output, wit) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("componentize: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprint!(": {error}");
                cause = error.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

fn componentize(core: &str, boot: &str, output: &str, wit: &[String]) -> Result<(), Box<dyn Error>> {
    let core = std::fs::read(core)?;
    let mut module = snapshot::initialized(&core, &boot_modules(Path::new(boot))?)?;

    let mut resolve = Resolve::default();
    let mut packages = Vec::new();
    for path in wit {
        packages.push(resolve.push_path(path)?.0);
    }
    let world = resolve.select_world(&packages, Some(WORLD))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    let component = ComponentEncoder::default().module(&module)?.validate(true).encode()?;
    std::fs::write(output, component)?;
    Ok(())
}

/// The boot modules, by the names under which they import each other, sorted.
fn boot_modules(directory: &Path) -> Result<Vec<(String, Vec<u8>)>, Box<dyn Error>> {
    let mut modules = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "js") {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            modules.push((format!("{BOOT_PREFIX}{name}"), std::fs::read(&path)?));
        }
    }
    modules.sort();
    Ok(modules)
}
