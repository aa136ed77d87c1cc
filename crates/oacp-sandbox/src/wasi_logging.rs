//! `wasi:logging`, which is a draft, and which many components import: its lines go to the log of the run.

use oacp::event::LogLevel;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker};

use crate::state::{State, charge};
use crate::tape::Halt;

/// By these names it is imported: it had no version at first.
const NAMES: [&str; 2] = ["wasi:logging/logging", "wasi:logging/logging@0.1.0-draft"];

#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "lifting makes them")]
enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
    #[component(name = "critical")]
    Critical,
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    for name in NAMES {
        linker.instance(name)?.func_wrap_async("log", log)?;
    }
    Ok(())
}

type Logged<'a> = Box<dyn Future<Output = wasmtime::Result<()>> + Send + 'a>;

fn log(
    mut store: StoreContextMut<'_, State>,
    (level, context, message): (Level, String, String),
) -> Logged<'_> {
    Box::new(async move {
        charge(&mut store, context.len() + message.len()).await?;
        let level = match level {
            Level::Trace | Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warning,
            Level::Error | Level::Critical => LogLevel::Error,
        };
        let line = match context.is_empty() {
            true => message,
            false => format!("{context}: {message}"),
        };
        let state = store.data_mut();
        match state.log(level, line)? {
            Ok(()) => Ok(()),
            // The interface has no word for a line that is not taken.
            Err(limit) => state.halted(Err(Halt::Limit(limit))),
        }
    })
}
