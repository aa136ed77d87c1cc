//! Requests, as guests build them and hand them over.

use oacp::http::{Request, RequestError};
use oacp::limits::URL_BYTES_MAX;
use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::HttpResult;
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler;
use wasmtime_wasi_http::p2::bindings::http::types::{self, ErrorCode, Method, Scheme};

use super::body::{Body, Stage};
use super::fields::Fields;
use super::future::Future;
use super::{borrowed, owned};
use crate::port::Asked;
use crate::state::State;

/// A request that is not handed over yet.
struct Draft {
    method: Method,
    scheme: Option<Scheme>,
    authority: Option<String>,
    path: Option<String>,
    headers: Fields,
    body: Option<Body>,
}

/// Handed over, and not sent: that needs waiting, and a body that is finished.
pub(super) struct Unsent {
    method: String,
    url: String,
    headers: Fields,
    body: Option<Body>,
}

/// Nothing can be chosen, so nothing is in it.
struct Options;

impl Draft {
    fn hand_over(self) -> Result<Unsent, ErrorCode> {
        let method = name(self.method);
        if is_method(&method) != Some(Sending::Sent) {
            return Err(ErrorCode::HttpRequestMethodInvalid);
        }
        let scheme = match self.scheme {
            Some(Scheme::Http) => "http",
            Some(Scheme::Https) | None => "https",
            Some(Scheme::Other(_)) => return Err(ErrorCode::HttpProtocolError),
        };
        let authority = self.authority.ok_or(ErrorCode::HttpRequestUriInvalid)?;
        let expected = expected_length(&self.headers)?;
        if self.body.is_none() && expected.is_some_and(|length| length != 0) {
            return Err(ErrorCode::HttpRequestBodySize(Some(0)));
        }
        let path = self.path.unwrap_or_default();
        Ok(Unsent {
            method,
            url: format!("{scheme}://{authority}{path}"),
            headers: self.headers,
            body: self.body,
        })
    }
}

impl Unsent {
    pub(super) fn stage(&self) -> Stage {
        self.body.as_ref().map_or(Stage::Finished, Body::stage)
    }

    pub(super) fn into_asked(self) -> Asked {
        Asked {
            method: self.method,
            url: self.url,
            headers: self.headers.into_headers(),
            body: self.body.map(|body| body.take()).unwrap_or_default(),
        }
    }
}

pub(super) fn name(method: Method) -> String {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => return name,
    }
    .to_owned()
}

#[derive(PartialEq, Eq)]
pub(super) enum Sending {
    Sent,
    Refused,
}

/// Nothing, if it is no method's name.
pub(super) fn is_method(name: &str) -> Option<Sending> {
    match Request::new(name, "http://localhost/", &[], Vec::new()) {
        Err(RequestError::Method) => None,
        Err(_) => Some(Sending::Refused),
        Ok(_) => Some(Sending::Sent),
    }
}

/// What `content-length` says. Two that differ, or one in an unusual spelling, are read differently by different programs.
pub(super) fn expected_length(headers: &Fields) -> Result<Option<u64>, ErrorCode> {
    let mut lengths = headers.values("content-length");
    let Some(first) = lengths.next() else {
        return Ok(None);
    };
    let length: Option<u64> = std::str::from_utf8(first).ok().and_then(|l| l.parse().ok());
    match length {
        Some(length) if first == length.to_string().as_bytes() && lengths.all(|l| l == first) => {
            Ok(Some(length))
        }
        _ => Err(ErrorCode::InternalError(Some(
            "`content-length` is not one number".to_owned(),
        ))),
    }
}

/// Only so that a part stays a part when all are one text: what the URL says is judged as a whole.
fn is_authority(text: &str) -> bool {
    !text.is_empty() && is_part(text) && !text.contains(['/', '?', '\\', '@'])
}

pub(super) fn is_path(text: &str) -> bool {
    (text.is_empty() || text.starts_with(['/', '?'])) && is_part(text)
}

fn is_part(text: &str) -> bool {
    text.len() <= URL_BYTES_MAX && text.bytes().all(|b| b.is_ascii_graphic() && b != b'#')
}

fn is_scheme(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

impl State {
    fn draft(&self, request: &Resource<types::OutgoingRequest>) -> wasmtime::Result<&Draft> {
        Ok(self.table.get(&borrowed(request))?)
    }

    /// Sets a part of it, if the guest may.
    fn set_part(
        &mut self,
        request: &Resource<types::OutgoingRequest>,
        is_allowed: bool,
        set: impl FnOnce(&mut Draft),
    ) -> wasmtime::Result<Result<(), ()>> {
        if !is_allowed {
            return Ok(Err(()));
        }
        set(self.table.get_mut(&borrowed(request))?);
        Ok(Ok(()))
    }
}

impl types::HostOutgoingRequest for State {
    fn new(
        &mut self,
        headers: Resource<types::Fields>,
    ) -> wasmtime::Result<Resource<types::OutgoingRequest>> {
        let headers = self.take_fields(headers)?;
        Ok(owned(self.table.push(Draft {
            method: Method::Get,
            scheme: None,
            authority: None,
            path: None,
            headers,
            body: None,
        })?))
    }

    fn body(
        &mut self,
        request: Resource<types::OutgoingRequest>,
    ) -> wasmtime::Result<Result<Resource<types::OutgoingBody>, ()>> {
        let held = self.http.room.part();
        let draft: &mut Draft = self.table.get_mut(&borrowed(&request))?;
        let (None, Ok(expected)) = (&draft.body, expected_length(&draft.headers)) else {
            return Ok(Err(()));
        };
        let body = draft.body.insert(Body::new(expected, held)).clone();
        Ok(Ok(owned(self.table.push(body)?)))
    }

    fn method(&mut self, request: Resource<types::OutgoingRequest>) -> wasmtime::Result<Method> {
        Ok(self.draft(&request)?.method.clone())
    }

    fn set_method(
        &mut self,
        request: Resource<types::OutgoingRequest>,
        method: Method,
    ) -> wasmtime::Result<Result<(), ()>> {
        let is_allowed = match &method {
            Method::Other(name) => is_method(name).is_some(),
            _ => true,
        };
        self.set_part(&request, is_allowed, |draft| draft.method = method)
    }

    fn path_with_query(
        &mut self,
        request: Resource<types::OutgoingRequest>,
    ) -> wasmtime::Result<Option<String>> {
        Ok(self.draft(&request)?.path.clone())
    }

    fn set_path_with_query(
        &mut self,
        request: Resource<types::OutgoingRequest>,
        path: Option<String>,
    ) -> wasmtime::Result<Result<(), ()>> {
        let is_allowed = path.as_deref().is_none_or(is_path);
        self.set_part(&request, is_allowed, |draft| draft.path = path)
    }

    fn scheme(
        &mut self,
        request: Resource<types::OutgoingRequest>,
    ) -> wasmtime::Result<Option<Scheme>> {
        Ok(self.draft(&request)?.scheme.clone())
    }

    fn set_scheme(
        &mut self,
        request: Resource<types::OutgoingRequest>,
        scheme: Option<Scheme>,
    ) -> wasmtime::Result<Result<(), ()>> {
        let is_allowed = match &scheme {
            Some(Scheme::Other(name)) => is_scheme(name),
            _ => true,
        };
        self.set_part(&request, is_allowed, |draft| draft.scheme = scheme)
    }

    fn authority(
        &mut self,
        request: Resource<types::OutgoingRequest>,
    ) -> wasmtime::Result<Option<String>> {
        Ok(self.draft(&request)?.authority.clone())
    }

    fn set_authority(
        &mut self,
        request: Resource<types::OutgoingRequest>,
        authority: Option<String>,
    ) -> wasmtime::Result<Result<(), ()>> {
        let is_allowed = authority.as_deref().is_none_or(is_authority);
        self.set_part(&request, is_allowed, |draft| draft.authority = authority)
    }

    fn headers(
        &mut self,
        request: Resource<types::OutgoingRequest>,
    ) -> wasmtime::Result<Resource<types::Fields>> {
        let shown = self.draft(&request)?.headers.shown();
        self.show_fields(shown)
    }

    fn drop(&mut self, request: Resource<types::OutgoingRequest>) -> wasmtime::Result<()> {
        self.table.delete::<Draft>(owned(request))?;
        Ok(())
    }
}

impl outgoing_handler::Host for State {
    /// It is sent when the guest next waits: to judge it may take asking somebody, and there is no waiting here.
    fn handle(
        &mut self,
        request: Resource<types::OutgoingRequest>,
        options: Option<Resource<types::RequestOptions>>,
    ) -> HttpResult<Resource<types::FutureIncomingResponse>> {
        if let Some(options) = options {
            self.table.delete::<Options>(owned(options))?;
        }
        let draft: Draft = self.table.delete(owned(request))?;
        let future = self.table.push(Future::Unsent(draft.hand_over()?))?;
        self.http.unsent.push(future.rep());
        Ok(owned(future))
    }
}

/// The timeouts are the egress's own. A guest that wants another waits with a timer beside the response.
impl types::HostRequestOptions for State {
    fn new(&mut self) -> wasmtime::Result<Resource<types::RequestOptions>> {
        Ok(owned(self.table.push(Options)?))
    }

    fn connect_timeout(
        &mut self,
        _: Resource<types::RequestOptions>,
    ) -> wasmtime::Result<Option<types::Duration>> {
        Ok(None)
    }

    fn set_connect_timeout(
        &mut self,
        _: Resource<types::RequestOptions>,
        timeout: Option<types::Duration>,
    ) -> wasmtime::Result<Result<(), ()>> {
        Ok(timeout.map_or(Ok(()), |_| Err(())))
    }

    fn first_byte_timeout(
        &mut self,
        _: Resource<types::RequestOptions>,
    ) -> wasmtime::Result<Option<types::Duration>> {
        Ok(None)
    }

    fn set_first_byte_timeout(
        &mut self,
        _: Resource<types::RequestOptions>,
        timeout: Option<types::Duration>,
    ) -> wasmtime::Result<Result<(), ()>> {
        Ok(timeout.map_or(Ok(()), |_| Err(())))
    }

    fn between_bytes_timeout(
        &mut self,
        _: Resource<types::RequestOptions>,
    ) -> wasmtime::Result<Option<types::Duration>> {
        Ok(None)
    }

    fn set_between_bytes_timeout(
        &mut self,
        _: Resource<types::RequestOptions>,
        timeout: Option<types::Duration>,
    ) -> wasmtime::Result<Result<(), ()>> {
        Ok(timeout.map_or(Ok(()), |_| Err(())))
    }

    fn drop(&mut self, options: Resource<types::RequestOptions>) -> wasmtime::Result<()> {
        self.table.delete::<Options>(owned(options))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_url_is_no_more_than_its_part() {
        for text in ["example.com", "example.com:8080", "[::1]:80"] {
            assert!(is_authority(text), "{text}");
        }
        for text in ["", "a/b", "a@b", "a#b", "a\\b", "a b", "a?b", "é"] {
            assert!(!is_authority(text), "{text}");
        }
        for text in ["", "/", "/a?b", "?b"] {
            assert!(is_path(text), "{text}");
        }
        for text in ["a", "@evil.example", ":81/", "/a#b", "/ b", "/\n"] {
            assert!(!is_path(text), "{text}");
        }
    }
}
