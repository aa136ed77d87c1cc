//! The engine, the language runtimes and the executor, made only by the commands that need them.

use std::sync::Arc;

use oacp::digest::Digest;
use oacp_gateway::Agent;
use oacp_sandbox::{Cancel, Engine, EngineOptions, Languages, Meter};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::agent::Given;
use crate::console::Console;
use crate::failure::{Failure, Judge};
use crate::home::Home;
use crate::progress::Loading;

/// An engine that meters fuel and keeps what it compiled.
pub(crate) fn engine(home: &Home) -> Result<Engine, Failure> {
    home.create()?;
    let cache_dir = Some(home.cache().to_path_buf());
    Ok(Engine::new(EngineOptions {
        meter: Meter::Fuel,
        cache_dir,
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
                .load(Digest::of(&wasm), || Ok(wasm.to_vec()), &|progress| {
                    loading.report(progress)
                })
                .or_usage()?;
            if program.is_language() {
                return Err(Failure::usage("the component is a language runtime, not an agent")
                    .hint("give it an agent: name a .py or .js file; `oacp runtime add` adds a runtime"));
            }
            Ok(Agent::Component { program, wasm })
        }
    }
}

/// An executor for one run: the guest computes on one thread while signals are heard on another.
pub(crate) fn executor() -> Result<Runtime, Failure> {
    let executor = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    executor.or_context(|| "cannot start threads".to_owned())
}

/// Cancels the run at the first interrupt, so that it is still attested; ends the process at the second.
pub(crate) fn cancel_on_interrupt(executor: &Handle, cancel: Cancel, console: Console) {
    executor.spawn(async move {
        if interrupt().await.is_ok() {
            console.say("cancelling …  (interrupt again to end at once, without an attestation)");
            cancel.cancel();
            if interrupt().await.is_ok() {
                // As a shell reports an interrupt.
                std::process::exit(130);
            }
        }
    });
}

#[cfg(unix)]
async fn interrupt() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let terminate = std::pin::pin!(terminate.recv());
    first(interrupt, terminate).await
}

#[cfg(not(unix))]
async fn interrupt() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Whichever is there first.
#[cfg(unix)]
async fn first<A, B>(
    mut one: std::pin::Pin<&mut A>,
    mut other: std::pin::Pin<&mut B>,
) -> std::io::Result<()>
where
    A: Future<Output = std::io::Result<()>>,
    B: Future<Output = Option<()>>,
{
    std::future::poll_fn(|context| {
        if other.as_mut().poll(context).is_ready() {
            return std::task::Poll::Ready(Ok(()));
        }
        one.as_mut().poll(context)
    })
    .await
}
