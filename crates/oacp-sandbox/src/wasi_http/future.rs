//! Responses: awaited, and then there to their end.

use bytes::Bytes;
use oacp::http::Response;
use wasmtime::component::Resource;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p2::{DynInputStream, DynPollable, Pollable, subscribe};
use wasmtime_wasi_http::p2::bindings::http::types::{self, DnsErrorPayload, ErrorCode};

use super::body::Stage;
use super::fields::Fields;
use super::outgoing::Unsent;
use super::{borrowed, owned};
use crate::poll::Awaited;
use crate::port::Answer;
use crate::state::State;

/// A response that a guest waits for.
pub(super) enum Future {
    Unsent(Unsent),
    Sent(u64),
    Done(Result<Response, ErrorCode>),
    Taken,
}

struct Incoming {
    status: u16,
    headers: Fields,
    /// Until it is consumed.
    body: Option<IncomingBody>,
}

/// Until it is made a stream.
pub(super) struct IncomingBody(pub(super) Option<Bytes>);

/// There are none: the egress does not hand them on.
struct Trailers {
    is_taken: bool,
}

/// Never asked: what a response's pollable waits for is in [`Future`].
#[async_trait]
impl Pollable for Future {
    async fn ready(&mut self) {}
}

#[async_trait]
impl Pollable for Trailers {
    async fn ready(&mut self) {}
}

fn read(answer: Answer) -> Result<Response, ErrorCode> {
    match answer {
        Answer::Result(bytes) => Response::parse(&bytes).map_err(|_| ErrorCode::HttpProtocolError),
        Answer::Denial(_) => Err(ErrorCode::HttpRequestDenied),
        Answer::Failure { code, message } => Err(match code {
            "resolve" => ErrorCode::DnsError(DnsErrorPayload {
                rcode: None,
                info_code: None,
            }),
            "connect" => ErrorCode::ConnectionRefused,
            "tls" => ErrorCode::TlsProtocolError,
            "protocol" => ErrorCode::HttpProtocolError,
            "timed_out" => ErrorCode::HttpResponseTimeout,
            "limit" => ErrorCode::HttpResponseBodySize(None),
            "bad_request" => ErrorCode::HttpRequestUriInvalid,
            "unreachable" => ErrorCode::DestinationUnavailable,
            _ => ErrorCode::InternalError(Some(message)),
        }),
    }
}

impl State {
    /// Sends what was handed over and can be sent.
    pub(crate) async fn send_requests(&mut self) -> wasmtime::Result<()> {
        for index in std::mem::take(&mut self.http.unsent) {
            let key = Resource::<Future>::new_borrow(index);
            let future = self.table.get_mut(&key)?;
            let Future::Unsent(unsent) = future else {
                continue;
            };
            match unsent.stage() {
                Stage::Open => self.http.unsent.push(index),
                // Nothing of it leaves the sandbox, so there is nothing to record.
                Stage::Broken => *future = Future::Done(Err(ErrorCode::HttpProtocolError)),
                Stage::Finished => {
                    if let Future::Unsent(unsent) = std::mem::replace(future, Future::Taken) {
                        let call = self.start_http(unsent.into_asked()).await?;
                        *self.table.get_mut(&key)? = Future::Sent(call);
                    }
                }
            }
        }
        Ok(())
    }

    /// What a pollable that is no timer waits for.
    pub(crate) fn awaited_response(
        &self,
        pollable: &Resource<DynPollable>,
    ) -> wasmtime::Result<Awaited> {
        let Some(index) = self.http.pollables.get(&pollable.rep()) else {
            return Ok(Awaited::Nothing);
        };
        Ok(
            match self.table.get(&Resource::<Future>::new_borrow(*index))? {
                Future::Unsent(_) => Awaited::Body,
                Future::Sent(call) => Awaited::Call(*call, *index),
                Future::Done(_) | Future::Taken => Awaited::Nothing,
            },
        )
    }

    /// Hands an answer to the future at this index of the table.
    pub(crate) fn answer_request(&mut self, index: u32, answer: Answer) -> wasmtime::Result<()> {
        let key = Resource::<Future>::new_borrow(index);
        *self.table.get_mut(&key)? = Future::Done(read(answer));
        Ok(())
    }
}

impl types::HostFutureIncomingResponse for State {
    fn subscribe(
        &mut self,
        future: Resource<types::FutureIncomingResponse>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        let pollable = subscribe(&mut self.table, borrowed::<_, Future>(&future))?;
        self.http.pollables.insert(pollable.rep(), future.rep());
        Ok(pollable)
    }

    fn get(
        &mut self,
        future: Resource<types::FutureIncomingResponse>,
    ) -> wasmtime::Result<Option<Result<Result<Resource<types::IncomingResponse>, ErrorCode>, ()>>>
    {
        let future: &mut Future = self.table.get_mut(&borrowed(&future))?;
        if let Future::Unsent(_) | Future::Sent(_) = future {
            return Ok(None);
        }
        let Future::Done(done) = std::mem::replace(future, Future::Taken) else {
            return Ok(Some(Err(())));
        };
        let response = match done {
            Ok(response) => response,
            Err(code) => return Ok(Some(Ok(Err(code)))),
        };
        let incoming = Incoming {
            status: response.status,
            headers: self.response_fields(response.headers)?,
            body: Some(IncomingBody(Some(response.body.into()))),
        };
        Ok(Some(Ok(Ok(owned(self.table.push(incoming)?)))))
    }

    /// What is not sent never is. What is sent stays a pending call, whose answer nobody takes.
    fn drop(&mut self, future: Resource<types::FutureIncomingResponse>) -> wasmtime::Result<()> {
        self.http.unsent.retain(|index| *index != future.rep());
        self.table.delete::<Future>(owned(future))?;
        Ok(())
    }
}

impl types::HostIncomingResponse for State {
    fn status(&mut self, response: Resource<types::IncomingResponse>) -> wasmtime::Result<u16> {
        let response: &Incoming = self.table.get(&borrowed(&response))?;
        Ok(response.status)
    }

    fn headers(
        &mut self,
        response: Resource<types::IncomingResponse>,
    ) -> wasmtime::Result<Resource<types::Fields>> {
        let response: &Incoming = self.table.get(&borrowed(&response))?;
        let shown = response.headers.shown();
        self.show_fields(shown)
    }

    fn consume(
        &mut self,
        response: Resource<types::IncomingResponse>,
    ) -> wasmtime::Result<Result<Resource<types::IncomingBody>, ()>> {
        let response: &mut Incoming = self.table.get_mut(&borrowed(&response))?;
        let Some(body) = response.body.take() else {
            return Ok(Err(()));
        };
        Ok(Ok(owned(self.table.push(body)?)))
    }

    fn drop(&mut self, response: Resource<types::IncomingResponse>) -> wasmtime::Result<()> {
        self.table.delete::<Incoming>(owned(response))?;
        Ok(())
    }
}

impl types::HostIncomingBody for State {
    fn stream(
        &mut self,
        body: Resource<types::IncomingBody>,
    ) -> wasmtime::Result<Result<Resource<DynInputStream>, ()>> {
        let contents: &mut IncomingBody = self.table.get_mut(&borrowed(&body))?;
        let Some(bytes) = contents.0.take() else {
            return Ok(Err(()));
        };
        let stream: DynInputStream = Box::new(MemoryInputPipe::new(bytes));
        Ok(Ok(self.table.push_child(stream, &body)?))
    }

    fn finish(
        &mut self,
        body: Resource<types::IncomingBody>,
    ) -> wasmtime::Result<Resource<types::FutureTrailers>> {
        self.table.delete::<IncomingBody>(owned(body))?;
        Ok(owned(self.table.push(Trailers { is_taken: false })?))
    }

    fn drop(&mut self, body: Resource<types::IncomingBody>) -> wasmtime::Result<()> {
        self.table.delete::<IncomingBody>(owned(body))?;
        Ok(())
    }
}

impl types::HostFutureTrailers for State {
    fn subscribe(
        &mut self,
        trailers: Resource<types::FutureTrailers>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(&mut self.table, borrowed::<_, Trailers>(&trailers))
    }

    fn get(
        &mut self,
        trailers: Resource<types::FutureTrailers>,
    ) -> wasmtime::Result<Option<Result<Result<Option<Resource<types::Fields>>, ErrorCode>, ()>>>
    {
        let trailers: &mut Trailers = self.table.get_mut(&borrowed(&trailers))?;
        let was_taken = std::mem::replace(&mut trailers.is_taken, true);
        Ok(Some(if was_taken { Err(()) } else { Ok(Ok(None)) }))
    }

    fn drop(&mut self, trailers: Resource<types::FutureTrailers>) -> wasmtime::Result<()> {
        self.table.delete::<Trailers>(owned(trailers))?;
        Ok(())
    }
}
