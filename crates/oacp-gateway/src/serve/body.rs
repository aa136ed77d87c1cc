//! Bodies of requests, on their way into memory.
//!
//! The attack is slowness: bodies that come a byte a minute, from as many connections as there may be, and hold what others wait for. So a
//! body has a time of its own; it holds room for what has come of it, at most as much again, and not for what it says will; and a small
//! one needs no room that others could hold.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::server::Refused;

/// Bytes of bodies that are held at a time, beyond what each may hold anyway. Attack: memory, by those who have the token.
const ROOM_BYTES: u32 = 64 << 20;

/// Bytes that each body may hold anyway: there are as many as there are connections.
const FREE_BYTES: usize = 64 << 10;

/// How long room is waited for. What waits holds room itself: without an end, several could wait for each other.
const ROOM_TIME_MAX: Duration = Duration::from_secs(5);

/// What all bodies have in common. Clones share it.
#[derive(Clone)]
pub(super) struct Bodies {
    room: Arc<Semaphore>,
    /// From a body's begin to its last byte.
    time_max: Duration,
    room_time_max: Duration,
}

/// A whole body.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    /// Given back with the bytes.
    _room: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    pub(super) fn new(time_max: Duration) -> Self {
        Self {
            room: Arc::new(Semaphore::new(ROOM_BYTES as usize)),
            time_max,
            room_time_max: ROOM_TIME_MAX,
        }
    }

    /// Reads a body of at most so many bytes to its end.
    pub(super) async fn read(
        &self,
        body: Body,
        bytes_max: usize,
        too_large: fn() -> Refused,
    ) -> Result<Held, Refused> {
        let read = timeout(self.time_max, self.read_all(body, bytes_max, too_large));
        read.await.unwrap_or_else(|_| {
            Err(Refused::new(
                StatusCode::REQUEST_TIMEOUT,
                "timed_out",
                format!("the body did not arrive within {:?}", self.time_max),
            )
            .with_fix("send it in smaller parts"))
        })
    }

    async fn read_all(
        &self,
        mut body: Body,
        bytes_max: usize,
        too_large: fn() -> Refused,
    ) -> Result<Held, Refused> {
        let (mut bytes, mut room) = (Vec::new(), None);
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let frame = frame.map_err(|_| Refused::bad_request("the body broke off"))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let len = bytes.len() + data.len();
            if len > bytes_max {
                return Err(too_large());
            }
            if len > bytes.capacity() {
                let capacity = len.max(2 * bytes.capacity()).min(bytes_max);
                self.make_room(&mut room, capacity).await?;
                bytes.reserve_exact(capacity - bytes.len());
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Held { bytes, _room: room })
    }

    /// Takes room for a body of this capacity, as far as it has none yet.
    async fn make_room(
        &self,
        room: &mut Option<OwnedSemaphorePermit>,
        capacity: usize,
    ) -> Result<(), Refused> {
        let held = room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = capacity.saturating_sub(FREE_BYTES).saturating_sub(held);
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        if wanted == 0 {
            return Ok(());
        }
        let more = Arc::clone(&self.room).acquire_many_owned(wanted);
        let Ok(Ok(more)) = timeout(self.room_time_max, more).await else {
            return Err(Refused::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "more large bodies are on their way than the server holds at a time",
            )
            .with_fix("send it again in a moment")
            .with_retry_after(1));
        };
        match room {
            Some(room) => room.merge(more),
            None => *room = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn too_large() -> Refused {
        Refused::bad_request("too large")
    }

    fn bodies(room: usize) -> Bodies {
        Bodies {
            room: Arc::new(Semaphore::new(room)),
            time_max: Duration::from_secs(60),
            room_time_max: Duration::ZERO,
        }
    }

    #[tokio::test]
    async fn a_body_is_read_whole_or_not_at_all() {
        let bodies = bodies(1 << 20);
        for len in [0, 1, FREE_BYTES, FREE_BYTES + 1, 1 << 20] {
            let body = Body::from(vec![7; len]);
            let held = bodies.read(body, 1 << 20, too_large).await.unwrap();
            assert_eq!(held.bytes, vec![7; len]);
            assert!(held.bytes.capacity() <= 1 << 20);
        }
        let body = Body::from(vec![7; (1 << 20) + 1]);
        assert!(bodies.read(body, 1 << 20, too_large).await.is_err());
        assert_eq!(bodies.room.available_permits(), 1 << 20);
    }

    #[tokio::test]
    async fn a_large_body_finds_room_or_is_refused_and_a_small_one_needs_none() {
        let bodies = bodies(FREE_BYTES);
        let read = |len: usize| bodies.read(Body::from(vec![7; len]), 1 << 20, too_large);
        let held = read(2 * FREE_BYTES).await.unwrap();
        assert_eq!(bodies.room.available_permits(), 0);
        let refused = read(FREE_BYTES + 1).await.unwrap_err();
        assert!(format!("{refused:?}").contains("busy"), "{refused:?}");
        assert!(read(FREE_BYTES).await.is_ok());
        drop(held);
        assert!(read(FREE_BYTES + 1).await.is_ok());
    }
}
