//! The other side of `wasi:http`, that of a server, for a component that is called as one: one request, made up from a call's arguments, and its
//! response. No socket is behind it.

use oacp::limits::HEADERS_MAX;
use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::bindings::http::types::{self, ErrorCode, Method, Scheme};
use wasmtime_wasi_http::p2::{HttpError, HttpResult};

use super::body::{Body, Stage};
use super::fields::Fields;
use super::future::IncomingBody;
use super::outgoing::{expected_length, is_method, is_path, name};
use super::{borrowed, owned};
use crate::state::State;

/// A request to a guest.
pub(crate) struct Request {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A guest's response, to its end.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// As the guest holds it.
struct Incoming {
    method: Method,
    path: String,
    headers: Fields,
    /// Until it is consumed.
    body: Option<IncomingBody>,
}

/// Being written.
pub(super) struct Outgoing {
    status: u16,
    headers: Fields,
    body: Option<Body>,
}

/// Where the response goes.
struct Outparam;

impl Request {
    /// The error says what is wrong.
    pub(crate) fn new(
        method: String,
        path: String,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Result<Self, String> {
        if is_method(&method).is_none() {
            return Err(format!("{method:?} is no method of HTTP"));
        }
        if !path.starts_with('/') || !is_path(&path) {
            return Err(format!("{path:?} is no path of a URL; it begins with `/`"));
        }
        if headers.len() > HEADERS_MAX {
            return Err(format!("a request has at most {HEADERS_MAX} headers"));
        }
        let is_name = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
        };
        let is_value = |value: &str| {
            value
                .chars()
                .all(|c| c <= '\u{ff}' && !c.is_ascii_control())
        };
        if let Some((name, _)) = headers.iter().find(|(n, v)| !is_name(n) || !is_value(v)) {
            return Err(format!(
                "{name:?} is no header of HTTP, or its value is none"
            ));
        }
        let method = [
            Method::Get,
            Method::Head,
            Method::Post,
            Method::Put,
            Method::Delete,
            Method::Connect,
            Method::Options,
            Method::Trace,
            Method::Patch,
        ]
        .into_iter()
        .find(|known| name(known.clone()) == method)
        .unwrap_or(Method::Other(method));
        Ok(Self {
            method,
            path,
            headers,
            body,
        })
    }
}

impl State {
    /// What a server's function is called with.
    pub(crate) fn serve_request(
        &mut self,
        request: Request,
    ) -> wasmtime::Result<(
        Resource<types::IncomingRequest>,
        Resource<types::ResponseOutparam>,
    )> {
        let incoming = Incoming {
            method: request.method,
            path: request.path,
            headers: self.response_fields(request.headers)?,
            body: Some(IncomingBody(Some(request.body.into()))),
        };
        Ok((
            owned(self.table.push(incoming)?),
            owned(self.table.push(Outparam)?),
        ))
    }

    /// The response, once the function has returned. The error says why there is none.
    pub(crate) fn take_response(&mut self) -> Result<Response, String> {
        let response = match self.http.response.take() {
            None => return Err("the component gave no response".to_owned()),
            Some(Err(code)) => return Err(format!("the component failed to respond: {code}")),
            Some(Ok(response)) => response,
        };
        let body = match response.body {
            None => Vec::new(),
            Some(body) if body.stage() == Stage::Finished => body.take(),
            Some(_) => return Err("the component did not finish its response's body".to_owned()),
        };
        Ok(Response {
            status: response.status,
            headers: response.headers.into_headers(),
            body,
        })
    }
}

impl types::HostIncomingRequest for State {
    fn method(
        &mut self,
        request: Resource<types::IncomingRequest>,
    ) -> wasmtime::Result<types::Method> {
        let request: &Incoming = self.table.get(&borrowed(&request))?;
        Ok(request.method.clone())
    }

    fn path_with_query(
        &mut self,
        request: Resource<types::IncomingRequest>,
    ) -> wasmtime::Result<Option<String>> {
        let request: &Incoming = self.table.get(&borrowed(&request))?;
        Ok(Some(request.path.clone()))
    }

    fn scheme(
        &mut self,
        _: Resource<types::IncomingRequest>,
    ) -> wasmtime::Result<Option<types::Scheme>> {
        Ok(Some(Scheme::Http))
    }

    fn authority(
        &mut self,
        _: Resource<types::IncomingRequest>,
    ) -> wasmtime::Result<Option<String>> {
        Ok(Some("localhost".to_owned()))
    }

    fn headers(
        &mut self,
        request: Resource<types::IncomingRequest>,
    ) -> wasmtime::Result<Resource<types::Fields>> {
        let request: &Incoming = self.table.get(&borrowed(&request))?;
        let shown = request.headers.shown();
        self.show_fields(shown)
    }

    fn consume(
        &mut self,
        request: Resource<types::IncomingRequest>,
    ) -> wasmtime::Result<Result<Resource<types::IncomingBody>, ()>> {
        let request: &mut Incoming = self.table.get_mut(&borrowed(&request))?;
        let Some(body) = request.body.take() else {
            return Ok(Err(()));
        };
        Ok(Ok(owned(self.table.push(body)?)))
    }

    fn drop(&mut self, request: Resource<types::IncomingRequest>) -> wasmtime::Result<()> {
        self.table.delete::<Incoming>(owned(request))?;
        Ok(())
    }
}

impl types::HostOutgoingResponse for State {
    fn new(
        &mut self,
        headers: Resource<types::Fields>,
    ) -> wasmtime::Result<Resource<types::OutgoingResponse>> {
        let headers = self.take_fields(headers)?;
        Ok(owned(self.table.push(Outgoing {
            status: 200,
            headers,
            body: None,
        })?))
    }

    fn status_code(
        &mut self,
        response: Resource<types::OutgoingResponse>,
    ) -> wasmtime::Result<u16> {
        let response: &Outgoing = self.table.get(&borrowed(&response))?;
        Ok(response.status)
    }

    fn set_status_code(
        &mut self,
        response: Resource<types::OutgoingResponse>,
        status: u16,
    ) -> wasmtime::Result<Result<(), ()>> {
        if !(100..1000).contains(&status) {
            return Ok(Err(()));
        }
        let response: &mut Outgoing = self.table.get_mut(&borrowed(&response))?;
        response.status = status;
        Ok(Ok(()))
    }

    fn headers(
        &mut self,
        response: Resource<types::OutgoingResponse>,
    ) -> wasmtime::Result<Resource<types::Fields>> {
        let response: &Outgoing = self.table.get(&borrowed(&response))?;
        let shown = response.headers.shown();
        self.show_fields(shown)
    }

    fn body(
        &mut self,
        response: Resource<types::OutgoingResponse>,
    ) -> wasmtime::Result<Result<Resource<types::OutgoingBody>, ()>> {
        let held = self.http.room.part();
        let response: &mut Outgoing = self.table.get_mut(&borrowed(&response))?;
        let (None, Ok(expected)) = (&response.body, expected_length(&response.headers)) else {
            return Ok(Err(()));
        };
        let body = response.body.insert(Body::new(expected, held)).clone();
        Ok(Ok(owned(self.table.push(body)?)))
    }

    fn drop(&mut self, response: Resource<types::OutgoingResponse>) -> wasmtime::Result<()> {
        self.table.delete::<Outgoing>(owned(response))?;
        Ok(())
    }
}

impl types::HostResponseOutparam for State {
    fn send_informational(
        &mut self,
        _: Resource<types::ResponseOutparam>,
        _: u16,
        _: Resource<types::Fields>,
    ) -> HttpResult<()> {
        let none = "there is one response, and none before it";
        Err(HttpError::trap(wasmtime::Error::msg(none)))
    }

    /// The body may be written after it.
    fn set(
        &mut self,
        outparam: Resource<types::ResponseOutparam>,
        response: Result<Resource<types::OutgoingResponse>, ErrorCode>,
    ) -> wasmtime::Result<()> {
        self.table.delete::<Outparam>(owned(outparam))?;
        self.http.response = Some(match response {
            Ok(response) => Ok(self.table.delete::<Outgoing>(owned(response))?),
            Err(code) => Err(code),
        });
        Ok(())
    }

    fn drop(&mut self, outparam: Resource<types::ResponseOutparam>) -> wasmtime::Result<()> {
        self.table.delete::<Outparam>(owned(outparam))?;
        Ok(())
    }
}
