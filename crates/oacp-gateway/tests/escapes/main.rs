//! A guest tries what it must not. Each case says in its name what is kept from it, and asserts what the guest saw, that the outside is as it
//! was, which denials were recorded, and that the run can be re-executed.
//!
//! `tests/mutations/run` takes guards out one by one and demands that these cases fail then.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed, and says where"
)]

mod asked;
mod compiled;
mod environment;
mod files;
#[path = "../it/fixture.rs"]
#[allow(dead_code, reason = "another target uses the rest")]
mod fixture;
mod ground;
mod links;
mod memory;
mod network;
mod races;
mod replies;
mod resources;
mod secrets;
mod server;
mod special;
mod spellings;
mod temporary;
mod write_back;
