//! The guest's clocks: `wasi:clocks`, and `wasi:io/poll`, through which a guest waits for them.
//!
//! The attack first: a real clock is a covert channel, makes every run different, and lets a
//! guest measure its neighbours. Here time starts at a recorded instant, advances by a fixed step at each reading, and by recorded
//! amounts where the outside was waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use crate::limits::CLOCK_STEP_NS;
use crate::state::State;

/// Whether a sleep takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    Really,
    Skipped,
}

/// One counter, from which both clocks are read.
pub(crate) struct Clock {
    /// Nanoseconds since the instance began, as the guest sees it.
    now: u64,
    /// What `now` was when the call began.
    begun: u64,
    start: Duration,
    waits: Waits,
    /// The instants for which pollables of the guest's wait, by the pollable's index in the table.
    timers: BTreeMap<u32, u64>,
}

impl Clock {
    pub(crate) fn new(start_ms: u64, waits: Waits) -> Self {
        Self {
            now: 0,
            begun: 0,
            start: Duration::from_millis(start_ms),
            waits,
            timers: BTreeMap::new(),
        }
    }

    /// A further call of the same instance: its monotonic clock has gone on by what passed between the two beginnings, if that is more than
    /// what the guest was told of.
    pub(crate) fn begin(&mut self, start_ms: u64) {
        let passed = Duration::from_millis(start_ms).saturating_sub(self.start);
        let passed = u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX);
        self.now = self.now.max(self.begun.saturating_add(passed));
        self.begun = self.now;
        self.start = Duration::from_millis(start_ms);
    }

    /// When the run began, by the guest's clock: milliseconds since 1970.
    pub(crate) fn start_ms(&self) -> u64 {
        u64::try_from(self.start.as_millis()).unwrap_or(u64::MAX)
    }

    /// Nanoseconds since the run began. Not a reading by the guest: does not step.
    pub(crate) fn monotonic(&self) -> u64 {
        self.now
    }

    /// Since 1970. Not a reading by the guest either.
    pub(crate) fn wall(&self) -> Duration {
        let since = Duration::from_nanos(self.now.saturating_sub(self.begun));
        self.start.saturating_add(since)
    }

    pub(crate) fn advance(&mut self, ns: u64) {
        self.now = self.now.saturating_add(ns);
    }

    fn read(&mut self) -> u64 {
        self.advance(CLOCK_STEP_NS);
        self.now
    }

    pub(crate) async fn sleep_until(&mut self, instant: u64) {
        let left = instant.saturating_sub(self.now);
        if self.waits == Waits::Really && left > 0 {
            tokio::time::sleep(Duration::from_nanos(left)).await;
        }
        self.now = self.now.max(instant);
    }

    /// The instant that a pollable waits for, if it is a timer's.
    pub(crate) fn timer(&self, pollable: &Resource<DynPollable>) -> Option<u64> {
        self.timers.get(&pollable.rep()).copied()
    }

    /// The pollable is gone.
    pub(crate) fn forget(&mut self, pollable: &Resource<DynPollable>) {
        self.timers.remove(&pollable.rep());
    }
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wall_clock::add_to_linker::<State, HasSelf<State>>(linker, |s| s)?;
    monotonic_clock::add_to_linker::<State, HasSelf<State>>(linker, |s| s)
}

impl wall_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        self.clock.read();
        let now = self.clock.wall();
        Ok(wall_clock::Datetime {
            seconds: now.as_secs(),
            nanoseconds: now.subsec_nanos(),
        })
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime {
            seconds: 0,
            nanoseconds: CLOCK_STEP_NS as u32,
        })
    }
}

impl monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.read())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(CLOCK_STEP_NS)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let timer = self.table.push(Timer)?;
        let pollable = subscribe(&mut self.table, timer)?;
        self.clock.timers.insert(pollable.rep(), when);
        Ok(pollable)
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let when = self.clock.now.saturating_add(duration);
        self.subscribe_instant(when)
    }
}

/// What stands in the table for a timer. Its instant is in [`Clock`], where the answer is found without asking real time.
struct Timer;

#[async_trait]
impl Pollable for Timer {
    async fn ready(&mut self) {}
}
