//! An instance of a program: made for one call, or kept for several.
//!
//! What a kept instance remembers is in its memory and its resources, and follows from the calls before. So a replay of one of them makes
//! those before it as well. An instance that the host stopped in the middle is never called again.

use std::future::Future;
use std::pin::Pin;

use oacp::source::Source;
use oacp::tool::ExportName;
use wasmtime::{CallHook, Store};

use crate::component;
use crate::engine::Engine;
use crate::limits;
pub(crate) use crate::program::agent::oacp::agent::ending::RunError as Ending;
use crate::program::{Pre, Program, agent, language, tool};
use crate::run::JobError;
use crate::state::{Setup, State};

/// An instance, with what it remembers of the calls that it had.
pub struct Instance {
    program: Program,
    store: Store<State>,
    /// Made by the first call, within its limits.
    live: Option<Live>,
}

/// What of a program is called.
#[derive(Clone, Copy)]
pub(crate) enum Entry<'a> {
    /// `run`, of the source if there is one; or a function.
    Run {
        source: Option<&'a Source>,
        export: Option<&'a ExportName>,
    },
    /// What a component says of itself.
    Definitions,
}

/// A guest that runs: its result, its own failure, or a trap.
pub(crate) type Guest<'a> =
    Pin<Box<dyn Future<Output = wasmtime::Result<Result<String, Ending>>> + Send + 'a>>;

enum Live {
    Agent(agent::Agent),
    Language(language::Language),
    Tool(tool::Tool),
    Exports(wasmtime::component::Instance),
}

impl Instance {
    pub(crate) fn new(engine: &Engine, program: &Program, setup: Setup) -> Self {
        let mut store = Store::new(engine.wasmtime(), State::new(setup));
        store.limiter(|state| &mut state.memory);
        store.call_hook(|mut store, hook| match hook {
            CallHook::CallingHost => store.data_mut().within_bounds(),
            _ => Ok(()),
        });
        store.set_hostcall_fuel(limits::HOSTCALL_BYTES_MAX);
        Self {
            program: program.clone(),
            store,
            live: None,
        }
    }

    pub(crate) fn is_of(&self, program: &Program) -> bool {
        self.program.digest() == program.digest()
    }

    /// Another call of it, if it had one.
    pub(crate) fn begin(&mut self, setup: Setup) {
        self.store.data_mut().begin(setup);
    }

    /// Whether it has come so far that there is something to call again.
    pub(crate) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    pub(crate) fn state(&mut self) -> &mut State {
        self.store.data_mut()
    }

    pub(crate) fn refuel(&mut self, fuel: u64) -> Result<(), JobError> {
        let instance = |e: wasmtime::Error| JobError::Instance(e.into());
        self.store.set_fuel(fuel).map_err(instance)?;
        self.store
            .fuel_async_yield_interval(Some(limits::FUEL_YIELD_INTERVAL))
            .map_err(instance)
    }

    pub(crate) fn fuel_left(&self) -> u64 {
        self.store.get_fuel().unwrap_or(0)
    }

    /// The guest's code, not begun yet.
    pub(crate) fn call<'a>(
        &'a mut self,
        entry: Entry<'a>,
        input: &'a str,
    ) -> Result<Guest<'a>, JobError> {
        let Self {
            program,
            store,
            live,
        } = self;
        let program = &*program;
        let (source, export) = match entry {
            Entry::Run { source, export } => (source, export),
            Entry::Definitions => {
                return match &program.pre {
                    Pre::Tool(pre) => Ok(failing(component::definitions(pre, store))),
                    _ => Err(program.unknown_export(None)),
                };
            }
        };
        if source.is_some() && !program.is_language() {
            return Err(JobError::SourceGiven(program.digest()));
        }
        match (&program.pre, export) {
            (Pre::Agent(pre), None) => Ok(Box::pin(async move {
                if live.is_none() {
                    *live = Some(Live::Agent(pre.instantiate_async(&mut *store).await?));
                }
                match live {
                    Some(Live::Agent(agent)) => agent.call_run(store, input).await,
                    _ => Err(of_another_kind()),
                }
            })),
            (Pre::Language(pre), None) => {
                let source = source.ok_or_else(|| JobError::NoSource(program.digest()))?;
                let source = lower(source);
                Ok(Box::pin(async move {
                    if live.is_none() {
                        *live = Some(Live::Language(pre.instantiate_async(&mut *store).await?));
                    }
                    match live {
                        Some(Live::Language(language)) => {
                            language.call_run(store, &source, input).await
                        }
                        _ => Err(of_another_kind()),
                    }
                }))
            }
            (Pre::Tool(pre), Some(export)) => {
                let name = component::tool_name(export);
                let name = name.ok_or_else(|| program.unknown_export(Some(export)))?;
                Ok(Box::pin(async move {
                    if live.is_none() {
                        *live = Some(Live::Tool(pre.instantiate_async(&mut *store).await?));
                    }
                    match live {
                        Some(Live::Tool(tools)) => tools.call_call(store, name, input).await,
                        _ => Err(of_another_kind()),
                    }
                }))
            }
            (Pre::Exports(exports), Some(export)) => {
                let call = exports.prepare(export, input);
                let call = call.ok_or_else(|| program.unknown_export(Some(export)))?;
                Ok(failing(async move {
                    let mut instance = match live {
                        Some(Live::Exports(instance)) => Some(*instance),
                        _ => None,
                    };
                    let answer = call.call(store, &mut instance).await;
                    *live = instance.map(Live::Exports);
                    answer
                }))
            }
            (Pre::Agent(_) | Pre::Language(_), Some(_))
            | (Pre::Tool(_) | Pre::Exports(_), None) => Err(program.unknown_export(export)),
        }
    }
}

fn of_another_kind() -> wasmtime::Error {
    wasmtime::Error::msg("the instance is of another kind of program")
}

/// A guest whose failure is one line.
fn failing<'a>(
    answer: impl Future<Output = wasmtime::Result<component::Answer>> + Send + 'a,
) -> Guest<'a> {
    Box::pin(async {
        Ok(answer.await?.map_err(|message| Ending {
            message,
            trace: String::new(),
            location: None,
            denied: None,
        }))
    })
}

fn lower(source: &Source) -> language::oacp::agent::source::Source {
    let files = source
        .files()
        .map(|(path, content)| language::oacp::agent::source::File {
            path: path.to_string(),
            content: content.to_vec(),
        });
    language::oacp::agent::source::Source {
        files: files.collect(),
        entry: source.entry().to_string(),
    }
}
