//! What is not granted: asked about, recorded, and counted.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use oacp::capability::{Denial, DenialPolicy, OWN_SETTINGS};
use oacp::event::Event;
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use crate::port::detail;
use crate::state::{State, charge};
use crate::tape::{Halt, Side};

/// Asks somebody whether to allow what the grant does not. What is denied by a rule of its own (a deny-list, a special range) is not
/// asked about, nor is anything where a ceiling holds: nobody who is asked can exceed that.
#[derive(Clone)]
pub struct Ask(Arc<dyn Fn(Denial) -> Answer + Send + Sync>);

type Answer = Pin<Box<dyn Future<Output = bool> + Send>>;

impl Ask {
    /// From a function that is asked once for each thing, and whose answer holds for the run.
    pub fn new<F, A>(ask: F) -> Self
    where
        F: Fn(Denial) -> A + Send + Sync + 'static,
        A: Future<Output = bool> + Send + 'static,
    {
        Self(Arc::new(move |denial| Box::pin(ask(denial))))
    }

    /// Asks.
    pub async fn is_allowed(&self, denial: Denial) -> bool {
        (self.0)(denial).await
    }
}

/// How long what was asked for stands in `Granted` events.
const SCOPE: &str = "run";

impl State {
    /// Records the denial and returns it; or nothing, if somebody who was asked allows it.
    ///
    /// That somebody allowed it is a fact from outside: a replay reads it back.
    pub(crate) async fn refuse(
        &mut self,
        call: u64,
        denial: Denial,
    ) -> wasmtime::Result<Option<Denial>> {
        let asked = (denial.capability.clone(), denial.asked.clone());
        if self.granted.contains(&asked) {
            return Ok(None);
        }
        // The same for a replay: what nobody would have been asked about, nobody has allowed.
        let is_askable = denial.code.ends_with("_not_granted")
            && !OWN_SETTINGS.contains(&denial.asked.as_str())
            && self.grant.capabilities().within.is_empty()
            && !self.refused.contains(&asked);
        let is_allowed = match (&self.tape.side, &self.ask) {
            _ if !is_askable => false,
            (Side::Record(_), Some(ask)) => ask.is_allowed(denial.clone()).await,
            (Side::Record(_), None) => false,
            (Side::Replay(_), _) => matches!(
                self.tape.peek(),
                Some(Event::Granted { call: c, denial: d, .. }) if c == call && d == denial
            ),
        };
        if is_allowed {
            self.event(&Event::Granted {
                call,
                denial,
                scope: SCOPE.to_owned(),
            })?;
            self.granted.insert(asked);
            return Ok(None);
        }
        self.refused.insert(asked);
        self.deny(call, &denial)?;
        Ok(Some(denial))
    }

    /// Records a denial that nobody is asked about.
    pub(crate) fn deny(&mut self, call: u64, denial: &Denial) -> wasmtime::Result<()> {
        self.event(&Event::Denial {
            call,
            denial: denial.clone(),
        })?;
        self.port.denied.insert(call);
        self.latest_denial = Some((call, denial.clone()));
        if self.grant.capabilities().denials == DenialPolicy::Fatal {
            return self.halted(Err(Halt::Denied(denial.to_string())));
        }
        Ok(())
    }
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker
        .instance("oacp:agent/denials@0.1.0")?
        .func_wrap_async("latest", |mut store: StoreContextMut<'_, State>, (): ()| {
            Box::new(async move {
                charge(&mut store, 0).await?;
                let latest = &store.data().latest_denial;
                Ok((latest
                    .as_ref()
                    .map(|(call, denial)| (*call, detail(denial))),))
            })
        })
}
