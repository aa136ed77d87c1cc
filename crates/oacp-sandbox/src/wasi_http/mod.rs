//! `wasi:http`, for guests that speak it. The client's side: each request goes through the completion port, as one of
//! `oacp:agent/http` does, and is judged, recorded and replayed as that one is. The server's: `incoming`.
//!
//! A request is stored when it is handed over, and sent when the guest next waits (`wasi:io/poll`), once its body is finished: a guest that
//! never waits sends nothing. Responses are complete before they are ready. Wasmtime's generated traits are implemented over resources of our own, as for files.

mod body;
mod fields;
mod future;
mod incoming;
mod outgoing;
mod room;

use std::collections::BTreeMap;

use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types};
use wasmtime_wasi_http::p2::{HeaderError, HttpError};

use crate::limits;
use crate::state::State;
pub(crate) use incoming::Request;
use room::Room;

/// What a run keeps of `wasi:http`: nothing, for guests that do not use it.
#[derive(Default)]
pub(crate) struct Http {
    /// Futures whose request is not sent, by index in the table, in the order in which they were handed over.
    unsent: Vec<u32>,
    /// The future of each pollable that waits for one, both by index in the table.
    pollables: BTreeMap<u32, u32>,
    /// Polls that had something else to report while a response was awaited.
    passed_over: u32,
    room: Room,
    /// What a guest that is called as a server answered.
    response: Option<Result<incoming::Outgoing, types::ErrorCode>>,
}

impl Http {
    /// Whether every request that was handed over was sent.
    pub(crate) fn is_idle(&self) -> bool {
        self.unsent.is_empty()
    }

    /// The pollable is gone.
    pub(crate) fn forget(&mut self, pollable: &Resource<DynPollable>) {
        self.pollables.remove(&pollable.rep());
    }

    pub(crate) fn passes_over_once_too_often(&mut self) -> bool {
        self.passed_over += 1;
        if self.passed_over < limits::HTTP_PASSED_OVER_MAX {
            return false;
        }
        self.passed_over = 0;
        true
    }
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let options = types::LinkOptions::default();
    types::add_to_linker::<State, HasSelf<State>>(linker, &options, |s| s)?;
    outgoing_handler::add_to_linker::<State, HasSelf<State>>(linker, |s| s)
}

/// Theirs and ours are the same index in the table.
fn borrowed<T: 'static, U: 'static>(resource: &Resource<T>) -> Resource<U> {
    Resource::new_borrow(resource.rep())
}

fn owned<T: 'static, U: 'static>(resource: Resource<T>) -> Resource<U> {
    Resource::new_own(resource.rep())
}

impl types::Host for State {
    fn convert_error_code(&mut self, error: HttpError) -> wasmtime::Result<types::ErrorCode> {
        error.downcast()
    }

    fn convert_header_error(&mut self, error: HeaderError) -> wasmtime::Result<types::HeaderError> {
        error.downcast()
    }

    fn http_error_code(
        &mut self,
        error: Resource<types::IoError>,
    ) -> wasmtime::Result<Option<types::ErrorCode>> {
        let error = self.table.get(&error)?;
        Ok(error.downcast_ref::<types::ErrorCode>().cloned())
    }
}
