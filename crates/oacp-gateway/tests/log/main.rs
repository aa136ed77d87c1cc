//! The log over HTTP: a real server on loopback, and whoever speaks to it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod append;
mod bounds;
mod client;
mod fixture;
mod peer;
mod private;
mod public;
mod remote;
mod spool;
