//! An append-only log that keeps what it acknowledged.
//!
//! **In scope**: the order of entries and their durability; the tiles and checkpoints of a C2SP log; the payloads that its leaves commit
//! to, until they are pruned; an index of them; recovery, which is the normal start-up; what a witness remembers.
//!
//! **Out of scope**: what an entry means and whether it may be logged (`oacp::entry`), Merkle trees and signed notes (`oacp-tlog`), HTTP
//! and the traffic with witnesses (`oacp-gateway`).
//!
//! # One flush
//!
//! ```text
//! pool → append payloads and leaves to a segment, durably → swap the checkpoint, durably → acknowledge → publish tiles
//! ```
//!
//! What was acknowledged is in a segment that was made durable, and under a checkpoint that was made durable after it. Tiles follow from
//! the leaves: those that were published last are made again at start-up, by the code that made them first.
//!
//! # A directory
//!
//! | name | holds | if it is lost |
//! |---|---|---|
//! | `head` | two slots of 4096 bytes: the newest state, checksummed, with the signed checkpoint | nothing is served; nothing is guessed |
//! | `segments/<n>.seg` | batches of leaves and payloads, each with its checksum | payloads are gone; proofs are not |
//! | `segments/<n>.pruned` | what remains of a pruned segment: ids, and what is on hold | |
//! | `tile/…`, `checkpoint` | the log as C2SP tlog-tiles has it; any HTTP server can serve it | |
//! | `index.sqlite` | what is looked for by name | it is made again |
//! | `holds.json` | what keeps payloads beyond their time, checksummed | nothing is on hold |
//! | `lock` | nothing; it is locked for each flush | |
//! | `unsynced` | nothing; it stands while tiles are made durable, and after that failed | |

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod checksum;
pub mod fsck;
mod head;
pub mod index;
pub mod limits;
mod log;
mod read;
mod retention;
mod segment;
pub mod sequencer;
mod state_file;
pub mod storage;
pub mod synthetic;
pub mod witness_state;

pub use index::{Count, Found, Page, Query};
pub use log::{
    AppendError, Appended, Clock, HeldEntries, Hold, HoldsError, Log, LogOptions, OpenError,
    PayloadError, PruneError, PrunedSegment, Pruning, Publication, ReadError, Status, system_clock,
};
pub use state_file::{StateFile, StateFileError};
