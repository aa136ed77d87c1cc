//! Environment variables: those that are granted, recorded when the guest first asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use oacp::event::Event;
use wasmtime::StoreContextMut;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::cli::environment;

use crate::limits;
use crate::port::{denied, failure};
use crate::program::agent::oacp::agent::types::Failure;
use crate::state::{State, charge};
use crate::tape::Side;

impl State {
    /// The variables that are granted and set.
    fn variables(&mut self) -> wasmtime::Result<&BTreeMap<String, String>> {
        if self.variables.is_none() {
            // A run to which none is granted records nothing.
            let variables = if self.grant.has_env() {
                let granted = |name: &str| self.grant.allows_env(name).is_ok();
                let offered = self.environment.iter().filter(|(name, _)| granted(name));
                let offered = offered.map(|(n, v)| (n.clone(), v.clone())).collect();
                self.recorded_variables(offered, None)?
            } else {
                BTreeMap::new()
            };
            self.variables = Some(variables);
        }
        Ok(self.variables.get_or_insert_default())
    }

    /// Records what the guest is given, or reads back what it was given.
    fn recorded_variables(
        &mut self,
        offered: BTreeMap<String, String>,
        allowed: Option<&str>,
    ) -> wasmtime::Result<BTreeMap<String, String>> {
        let bytes: Arc<[u8]> = match self.tape.side {
            Side::Replay(_) => {
                let read = self.tape.read("the guest reads its environment", |event| {
                    matches!(event, Event::Environment { .. })
                });
                let (event, bytes) = self.halted(read)?;
                let given: BTreeMap<String, String> =
                    serde_json::from_slice(&bytes).unwrap_or_default();
                // Judged again: a recording gives no more than its grant.
                let is_granted = |name: &String| {
                    self.grant.allows_env(name).is_ok() || allowed == Some(name.as_str())
                };
                if !given.keys().all(is_granted) {
                    let asked = "the guest reads its environment".to_owned();
                    let diverged = self.tape.diverged_before(&event, asked);
                    return self.halted(Err(diverged));
                }
                bytes
            }
            Side::Record(_) => {
                let bytes = oacp::json::canonicalize(&offered).unwrap_or_default();
                let written = self
                    .tape
                    .write(&bytes, |variables| Event::Environment { variables });
                self.halted(written)?;
                bytes.into()
            }
        };
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn variable(
        &mut self,
        name: String,
    ) -> wasmtime::Result<Result<Option<String>, Failure>> {
        if name.len() > limits::NAME_BYTES_MAX || name.is_empty() || name.contains(['=', '\0']) {
            return Ok(Err(failure(
                "limit",
                format!(
                    "a variable's name has 1 to {} bytes, and neither `=` nor NUL",
                    limits::NAME_BYTES_MAX
                ),
            )));
        }
        if let Err(denial) = self.grant.allows_env(&name) {
            let is_new = !self
                .granted
                .contains(&(denial.capability.clone(), name.clone()));
            let call = self.next_call()?;
            if let Some(denial) = self.refuse(call, denial).await? {
                return Ok(Err(denied(&denial)));
            }
            if is_new {
                let offered = self.environment.get_key_value(&name);
                let offered = offered.map(|(n, v)| (n.clone(), v.clone()));
                let given = self.recorded_variables(offered.into_iter().collect(), Some(&name))?;
                self.variables()?;
                self.variables.get_or_insert_default().extend(given);
            }
        }
        Ok(Ok(self.variables()?.get(&name).cloned()))
    }
}

impl environment::Host for State {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        let variables = self.variables()?;
        Ok(variables
            .iter()
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.arguments.clone())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(Some(self.files.working_directory().to_string()))
    }
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    environment::add_to_linker::<State, HasSelf<State>>(linker, |s| s)?;
    let mut instance = linker.instance("oacp:agent/environment@0.1.0")?;
    instance.func_wrap_async(
        "variables",
        |mut store: StoreContextMut<'_, State>, (): ()| {
            Box::new(async move {
                let variables = environment::Host::get_environment(store.data_mut())?;
                let bytes = variables.iter().map(|(n, v)| n.len() + v.len()).sum();
                charge(&mut store, bytes).await?;
                Ok((variables,))
            })
        },
    )?;
    instance.func_wrap_async(
        "get",
        |mut store: StoreContextMut<'_, State>, (name,): (String,)| {
            Box::new(async move {
                charge(&mut store, name.len()).await?;
                Ok((store.data_mut().variable(name).await?,))
            })
        },
    )
}
