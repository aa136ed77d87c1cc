//! The body of a request: in memory, until it is finished and the request is sent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use oacp::limits::REQUEST_BODY_BYTES_MAX;
use wasmtime::component::Resource;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi_http::p2::bindings::http::types::{self, ErrorCode};
use wasmtime_wasi_http::p2::{HttpError, HttpResult};

use super::room::Held;
use super::{borrowed, owned};
use crate::limits;
use crate::state::State;

/// A body, shared by the request, the guest's handle on it, and its stream.
#[derive(Clone)]
pub(super) struct Body(Arc<Mutex<Contents>>);

struct Contents {
    bytes: Vec<u8>,
    stage: Stage,
    held: Held,
    /// What the request's `content-length` says, if it has one.
    expected: Option<u64>,
    is_stream_taken: bool,
}

/// What becomes of a body that may still be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Open,
    Finished,
    /// It was dropped, or finished in a way that cannot be sent. The request is not.
    Broken,
}

impl Body {
    pub(super) fn new(expected: Option<u64>, held: Held) -> Self {
        Self(Arc::new(Mutex::new(Contents {
            bytes: Vec::new(),
            stage: Stage::Open,
            held,
            expected,
            is_stream_taken: false,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stage(&self) -> Stage {
        self.lock().stage
    }

    /// The bytes, which from now on are the request's.
    pub(super) fn take(&self) -> Vec<u8> {
        let mut contents = self.lock();
        let bytes = std::mem::take(&mut contents.bytes);
        contents.held.give_back(bytes.len());
        bytes
    }

    fn finish(&self) -> Result<(), ErrorCode> {
        let mut contents = self.lock();
        let written = contents.bytes.len() as u64;
        if contents.expected.is_some_and(|length| length != written) {
            contents.stage = Stage::Broken;
            return Err(ErrorCode::HttpRequestBodySize(Some(written)));
        }
        contents.stage = Stage::Finished;
        Ok(())
    }

    fn give_up(&self) {
        self.lock().stage = Stage::Broken;
    }
}

impl Contents {
    /// How many more bytes it may have.
    fn left(&self) -> usize {
        REQUEST_BODY_BYTES_MAX
            .saturating_sub(self.bytes.len())
            .min(self.held.left())
    }
}

#[async_trait]
impl Pollable for Body {
    async fn ready(&mut self) {}
}

impl OutputStream for Body {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut contents = self.lock();
        if bytes.len() > contents.left() || contents.held.take(bytes.len()).is_err() {
            let full = ErrorCode::HttpRequestBodySize(Some(REQUEST_BODY_BYTES_MAX as u64));
            return Err(StreamError::LastOperationFailed(full.into()));
        }
        contents.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    /// A full body is closed: one that is not ready would never become it.
    fn check_write(&mut self) -> StreamResult<usize> {
        match self.lock().left() {
            0 => Err(StreamError::Closed),
            left => Ok(left.min(limits::STREAM_CHUNK_BYTES_MAX)),
        }
    }
}

impl types::HostOutgoingBody for State {
    fn write(
        &mut self,
        body: Resource<types::OutgoingBody>,
    ) -> wasmtime::Result<Result<Resource<DynOutputStream>, ()>> {
        let shared: &Body = self.table.get(&borrowed(&body))?;
        if std::mem::replace(&mut shared.lock().is_stream_taken, true) {
            return Ok(Err(()));
        }
        let stream: DynOutputStream = Box::new(shared.clone());
        Ok(Ok(self.table.push_child(stream, &body)?))
    }

    fn finish(
        &mut self,
        body: Resource<types::OutgoingBody>,
        trailers: Option<Resource<types::Fields>>,
    ) -> HttpResult<()> {
        let body: Body = self.table.delete(owned(body))?;
        if let Some(trailers) = trailers {
            let trailers = self.take_fields(trailers).map_err(HttpError::trap)?;
            if !trailers.is_empty() {
                body.give_up();
                let why = "trailers are not sent".to_owned();
                return Err(ErrorCode::InternalError(Some(why)).into());
            }
        }
        Ok(body.finish()?)
    }

    fn drop(&mut self, body: Resource<types::OutgoingBody>) -> wasmtime::Result<()> {
        let body: Body = self.table.delete(owned(body))?;
        body.give_up();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::room::Room;
    use super::*;

    #[test]
    fn a_body_takes_what_it_may_have_and_says_that_it_is_full() {
        let room = Room::default();
        let mut body = Body::new(None, room.part());
        let chunk = Bytes::from(vec![0; limits::STREAM_CHUNK_BYTES_MAX]);
        for _ in 0..REQUEST_BODY_BYTES_MAX / chunk.len() {
            assert_eq!(body.check_write().unwrap(), chunk.len());
            body.write(chunk.clone()).unwrap();
        }
        assert!(matches!(body.check_write(), Err(StreamError::Closed)));
        assert!(matches!(
            body.write(Bytes::from_static(b"x")),
            Err(StreamError::LastOperationFailed(_))
        ));
        body.finish().unwrap();
        assert_eq!(body.take().len(), REQUEST_BODY_BYTES_MAX);
        assert_eq!(room.left(), limits::HTTP_HELD_BYTES_MAX);
    }

    #[test]
    fn another_length_than_the_header_says_breaks_it() {
        let mut body = Body::new(Some(3), Room::default().part());
        body.write(Bytes::from_static(b"ab")).unwrap();
        body.finish().unwrap_err();
        assert_eq!(body.stage(), Stage::Broken);
    }
}
