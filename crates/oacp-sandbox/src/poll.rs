//! `wasi:io/poll`: the one place where a guest of WASI waits.
//!
//! Which of several timers came first is read off the guest's own clock, and streams are in memory: such a poll has one answer, and
//! needs no recording. Which HTTP request completed first is outside order, and comes in through the completion port.

use std::collections::BTreeMap;

use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::io::poll;

use crate::limits;
use crate::state::State;

/// What a pollable waits for.
pub(crate) enum Awaited {
    /// Nothing: it is ready.
    Nothing,
    /// The guest's clock.
    Instant(u64),
    /// The completion of a call, for the future at this index of the table.
    Call(u64, u32),
    /// The guest itself: the body of a request, which cannot be sent before.
    Body,
}

impl State {
    fn awaited(&self, pollable: &Resource<DynPollable>) -> wasmtime::Result<Awaited> {
        self.table.get(pollable)?;
        if let Some(instant) = self.clock.timer(pollable) {
            return Ok(if instant <= self.clock.monotonic() {
                Awaited::Nothing
            } else {
                Awaited::Instant(instant)
            });
        }
        self.awaited_response(pollable)
    }

    /// Waits until one of them is ready, and says which are, by their place in the list.
    async fn first_of(
        &mut self,
        pollables: &[Resource<DynPollable>],
    ) -> wasmtime::Result<Vec<u32>> {
        self.send_requests().await?;
        loop {
            let (mut ready, mut calls) = (Vec::new(), BTreeMap::new());
            let (mut first, mut on_a_body) = (None::<u64>, false);
            for (index, pollable) in (0..).zip(pollables) {
                match self.awaited(pollable)? {
                    Awaited::Nothing => ready.push(index),
                    Awaited::Instant(instant) => {
                        first = Some(first.map_or(instant, |first| first.min(instant)));
                    }
                    Awaited::Call(call, future) => {
                        calls.insert(call, future);
                    }
                    Awaited::Body => on_a_body = true,
                }
            }
            if !ready.is_empty() {
                // Somebody who always polls with something that is ready must not starve the rest. To ask each time would fill the recording.
                if calls.is_empty() || !self.http.passes_over_once_too_often() {
                    return Ok(ready);
                }
                first = Some(self.shortly());
            } else if calls.is_empty() {
                let Some(first) = first else {
                    return Err(wasmtime::Error::msg(if on_a_body {
                        "the guest waits for the response to a request whose body it has not finished"
                    } else {
                        "the guest polls an empty list"
                    }));
                };
                self.clock.sleep_until(first).await;
                continue;
            }
            self.deliver(calls, first).await?;
        }
    }

    /// The instant until which the guest waits where it only asks whether a response is there. Not now: each question is an event, and a guest
    /// that asks in a loop would reach the limit of events before any server answers.
    fn shortly(&self) -> u64 {
        self.clock.monotonic().saturating_add(limits::HTTP_LOOK_NS)
    }

    /// Waits for one of the calls, and hands its answer to its future.
    async fn deliver(
        &mut self,
        calls: BTreeMap<u64, u32>,
        deadline: Option<u64>,
    ) -> wasmtime::Result<()> {
        let waited = self.wait(calls.keys().copied().collect(), deadline).await?;
        if let Some((call, answer)) = waited
            && let Some(future) = calls.get(&call)
        {
            self.answer_request(*future, answer)?;
        }
        Ok(())
    }
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    poll::add_to_linker::<State, HasSelf<State>>(linker, |s| s)
}

impl poll::Host for State {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        self.first_of(&pollables).await
    }
}

impl poll::HostPollable for State {
    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        self.send_requests().await?;
        if let Awaited::Call(call, future) = self.awaited(&pollable)? {
            let shortly = self.shortly();
            self.deliver(BTreeMap::from([(call, future)]), Some(shortly))
                .await?;
        }
        Ok(matches!(self.awaited(&pollable)?, Awaited::Nothing))
    }

    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.first_of(&[pollable]).await.map(|_| ())
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.clock.forget(&pollable);
        self.http.forget(&pollable);
        poll::HostPollable::drop(&mut self.table, pollable)
    }
}
