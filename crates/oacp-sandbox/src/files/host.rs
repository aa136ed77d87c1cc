//! The host's side of a file: opened first, then judged by what was opened, then read from that descriptor.
//!
//! The attack: a name is judged, and by the time it is opened it leads elsewhere. So the name is opened without effect
//! (`O_PATH`), the kernel is asked what was opened, and that is judged, under the grant as it lay on this disk when the run began.

#[cfg(not(unix))]
#[path = "host/none.rs"]
mod disk;
#[cfg(unix)]
#[path = "host/unix.rs"]
mod disk;

pub(super) use disk::{Held, Host, Place, Staged};

use oacp::event::Found;

/// What the host says of a path.
pub(super) enum Fact {
    Opened(Vec<u8>),
    /// With the size of a file.
    Status(Found, u64),
}
