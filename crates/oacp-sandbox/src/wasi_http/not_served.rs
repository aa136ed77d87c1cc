//! The other side of `wasi:http`, that of a server: its names are there because they share an interface with a client's, and nothing of it
//! can be had.

use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::bindings::http::types::{self, ErrorCode};
use wasmtime_wasi_http::p2::{HttpError, HttpResult};

use crate::state::State;

fn not_served<T>() -> wasmtime::Result<T> {
    Err(wasmtime::Error::msg(
        "the guest acts as an HTTP server, and OACP runs none: of `wasi:http` there are outgoing requests only",
    ))
}

impl types::HostIncomingRequest for State {
    fn method(&mut self, _: Resource<types::IncomingRequest>) -> wasmtime::Result<types::Method> {
        not_served()
    }

    fn path_with_query(
        &mut self,
        _: Resource<types::IncomingRequest>,
    ) -> wasmtime::Result<Option<String>> {
        not_served()
    }

    fn scheme(
        &mut self,
        _: Resource<types::IncomingRequest>,
    ) -> wasmtime::Result<Option<types::Scheme>> {
        not_served()
    }

    fn authority(
        &mut self,
        _: Resource<types::IncomingRequest>,
    ) -> wasmtime::Result<Option<String>> {
        not_served()
    }

    fn headers(
        &mut self,
        _: Resource<types::IncomingRequest>,
    ) -> wasmtime::Result<Resource<types::Fields>> {
        not_served()
    }

    fn consume(
        &mut self,
        _: Resource<types::IncomingRequest>,
    ) -> wasmtime::Result<Result<Resource<types::IncomingBody>, ()>> {
        not_served()
    }

    fn drop(&mut self, _: Resource<types::IncomingRequest>) -> wasmtime::Result<()> {
        not_served()
    }
}

impl types::HostOutgoingResponse for State {
    fn new(
        &mut self,
        _: Resource<types::Fields>,
    ) -> wasmtime::Result<Resource<types::OutgoingResponse>> {
        not_served()
    }

    fn status_code(&mut self, _: Resource<types::OutgoingResponse>) -> wasmtime::Result<u16> {
        not_served()
    }

    fn set_status_code(
        &mut self,
        _: Resource<types::OutgoingResponse>,
        _: u16,
    ) -> wasmtime::Result<Result<(), ()>> {
        not_served()
    }

    fn headers(
        &mut self,
        _: Resource<types::OutgoingResponse>,
    ) -> wasmtime::Result<Resource<types::Fields>> {
        not_served()
    }

    fn body(
        &mut self,
        _: Resource<types::OutgoingResponse>,
    ) -> wasmtime::Result<Result<Resource<types::OutgoingBody>, ()>> {
        not_served()
    }

    fn drop(&mut self, _: Resource<types::OutgoingResponse>) -> wasmtime::Result<()> {
        not_served()
    }
}

impl types::HostResponseOutparam for State {
    fn send_informational(
        &mut self,
        _: Resource<types::ResponseOutparam>,
        _: u16,
        _: Resource<types::Fields>,
    ) -> HttpResult<()> {
        not_served().map_err(HttpError::trap)
    }

    fn set(
        &mut self,
        _: Resource<types::ResponseOutparam>,
        _: Result<Resource<types::OutgoingResponse>, ErrorCode>,
    ) -> wasmtime::Result<()> {
        not_served()
    }

    fn drop(&mut self, _: Resource<types::ResponseOutparam>) -> wasmtime::Result<()> {
        not_served()
    }
}
