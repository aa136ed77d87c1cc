//! How much memory a guest's messages may take on the host.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits;

/// What all headers and unsent bodies of a run share.
#[derive(Clone, Default)]
pub(super) struct Room(Arc<AtomicUsize>);

/// What one of them takes; given back when it is gone.
pub(super) struct Held {
    room: Room,
    bytes: usize,
}

/// There is no more.
#[derive(Debug, thiserror::Error)]
#[error(
    "the limit of {} bytes of HTTP headers and bodies is reached",
    limits::HTTP_HELD_BYTES_MAX
)]
pub(super) struct NoRoom;

impl Room {
    pub(super) fn left(&self) -> usize {
        limits::HTTP_HELD_BYTES_MAX.saturating_sub(self.0.load(Ordering::Relaxed))
    }

    /// A part of it, of no bytes yet.
    pub(super) fn part(&self) -> Held {
        Held {
            room: self.clone(),
            bytes: 0,
        }
    }
}

impl Held {
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), NoRoom> {
        if bytes > self.room.left() {
            return Err(NoRoom);
        }
        self.room.0.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        Ok(())
    }

    pub(super) fn give_back(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.room.0.fetch_sub(bytes, Ordering::Relaxed);
        self.bytes -= bytes;
    }

    pub(super) fn left(&self) -> usize {
        self.room.left()
    }

    /// The same room, nothing of it taken.
    pub(super) fn another(&self) -> Self {
        self.room.part()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_makes_room() {
        let room = Room::default();
        let mut a = room.part();
        a.take(limits::HTTP_HELD_BYTES_MAX - 1).unwrap();
        let mut b = a.another();
        b.take(2).unwrap_err();
        b.take(1).unwrap();
        assert_eq!(room.left(), 0);
        a.give_back(5);
        assert_eq!(room.left(), 5);
        drop((a, b));
        assert_eq!(room.left(), limits::HTTP_HELD_BYTES_MAX);
    }
}
