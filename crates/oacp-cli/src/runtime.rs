//! The engine, the language runtimes and the executor, made only by the commands that need them.

use std::sync::Arc;

use oacp_gateway::Agent;
use oacp_sandbox::{Cancel, CompileLimits, Compiler, Engine, EngineOptions, Languages, Meter};
use tokio::runtime::{Builder, Runtime};

use crate::agent::Given;
use crate::console::Console;
use crate::failure::{Failure, Judge};
use crate::home::Home;
use crate::progress::Loading;

/// The argument by which this program starts itself to compile a component.
pub(crate) const COMPILE: &str = "__compile-component";

/// An engine that meters fuel and keeps what it compiled.
pub(crate) fn engine(home: &Home) -> Result<Engine, Failure> {
    home.create()?;
    let cache_dir = Some(home.cache().to_path_buf());
    let compiler = Compiler::Process {
        program: std::env::current_exe()?,
        arguments: vec![COMPILE.to_owned()],
        limits: CompileLimits::default(),
    };
    Ok(Engine::new(EngineOptions {
        meter: Meter::Fuel,
        cache_dir,
        compiler,
    })?)
}

/// The language runtimes at hand.
pub(crate) fn languages(home: &Home) -> Languages {
    Languages::new(Some(home.runtimes()))
}

/// Makes an agent runnable: loads its language runtime, or its own component.
pub(crate) fn load(
    agent: Given,
    engine: &Engine,
    languages: &Languages,
    console: &Console,
) -> Result<Agent, Failure> {
    match agent {
        Given::Source { language, source } => {
            let loading = Loading::new(console, format!("the {} runtime", language.name()));
            let program = languages.load(engine, language.digest()?, &|progress| {
                loading.report(progress)
            })?;
            Ok(Agent::Source {
                program,
                source: Arc::new(source),
            })
        }
        Given::Component(wasm) => {
            let loading = Loading::new(console, "the component");
            let program = engine
                .load(wasm.digest(), || Ok(wasm.to_vec()), &|progress| {
                    loading.report(progress)
                })
                .or_usage()?;
            if program.is_language() {
                return Err(Failure::usage("the component is a language runtime, not an agent")
                    .hint("give it an agent: name a .py or .js file; `oacp runtime add` adds a runtime"));
            }
            Ok(Agent::Component {
                program,
                wasm,
                export: None,
            })
        }
    }
}

/// An executor for one command. An agent and its tools take turns on one thread: to wake another for each call costs more than most calls.
pub(crate) fn executor() -> Result<Runtime, Failure> {
    let executor = Builder::new_current_thread().enable_all().build();
    executor.or_context(|| "cannot start the executor".to_owned())
}

/// An executor for a server.
pub(crate) fn server() -> Result<Runtime, Failure> {
    let executor = Builder::new_multi_thread().enable_all().build();
    executor.or_context(|| "cannot start threads".to_owned())
}

/// Resolves at the first interrupt; the second one ends the process. Heard from this call on, on Unix.
pub(crate) fn interrupted() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    interrupted_cancelling(Cancel::default())
}

/// As [`interrupted`]; what can be cancelled so is cancelled then.
pub(crate) fn interrupted_cancelling(
    cancel: Cancel,
) -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let (ended, ending) = tokio::sync::oneshot::channel::<()>();
    on_interrupt(move || {
        cancel.cancel();
        // Nobody waits for it any more, perhaps.
        let _ = ended.send(());
    })?;
    Ok(async move {
        if ending.await.is_err() {
            // Nothing will come: it goes on until it is killed.
            std::future::pending::<()>().await;
        }
    })
}

/// Cancels the run at the first interrupt, so that it is still attested; ends the process at the second. Heard as of [`interrupted`].
pub(crate) fn cancel_on_interrupt(cancel: Cancel, console: Console) -> Result<(), Failure> {
    on_interrupt(move || {
        console.say("cancelling …  (interrupt again to end at once, without an attestation)");
        cancel.cancel();
    })
}

/// Hears interrupts on a thread of its own, so that whatever the others compute, the second one ends the process.
fn on_interrupt(first: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let failed = || "cannot listen for interrupts".to_owned();
    let hearing = Builder::new_current_thread().enable_io().build();
    let hearing = hearing.or_context(failed)?;
    let mut interrupts = {
        let _entered = hearing.enter();
        Interrupts::listen()
    };
    let listening = async move {
        interrupts.next().await;
        first();
        interrupts.next().await;
        // As a shell reports an interrupt.
        std::process::exit(130);
    };
    std::thread::Builder::new()
        .name("interrupts".to_owned())
        .spawn(move || hearing.block_on(listening))
        .or_context(failed)?;
    Ok(())
}

/// What ends a program: Ctrl-C and SIGTERM. Where they cannot be heard, the system ends it.
struct Interrupts {
    #[cfg(unix)]
    signals: Vec<tokio::signal::unix::Signal>,
}

impl Interrupts {
    /// To be called within the executor.
    #[cfg(unix)]
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
        Self {
            signals: kinds.into_iter().flat_map(signal).collect(),
        }
    }

    /// The next of them.
    #[cfg(unix)]
    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let mut signals = self.signals.iter_mut();
            match signals.any(|signal| signal.poll_recv(context).is_ready()) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
    }

    #[cfg(not(unix))]
    fn listen() -> Self {
        Self {}
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
