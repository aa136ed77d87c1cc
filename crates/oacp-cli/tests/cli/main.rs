//! Sessions with the real program, compared whole: what it prints, where, and how it ends.
//!
//! `UPDATE_EXPECT=1 cargo test -p oacp-cli` writes the expectations anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod agents;
mod ask;
mod author;
mod config;
mod demo;
mod disclose;
mod entries;
mod examples;
mod export;
mod help;
mod key;
mod log;
mod manifest;
mod pin;
mod policy;
mod registered;
mod registry;
mod rights;
mod run;
mod runs;
mod secrets;
mod server;
mod session;
mod tool;
mod tool_source;
mod verify;
mod witness;
