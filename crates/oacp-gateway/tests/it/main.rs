//! Agents, run and attested for real: every case goes through the spine, is verified from its bundle's bytes, and re-executed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed, and says where"
)]

mod bad_input;
mod bound;
mod component;
mod determinism;
mod examples;
mod fixture;
mod idioms;
mod kept;
mod logging;
mod server;
mod tools;
mod validated;
mod wasi_http;
