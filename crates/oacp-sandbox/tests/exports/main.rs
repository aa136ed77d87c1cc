//! Components of any world as tools: most of them a few lines of WebAssembly text, some hostile, and those that others wrote.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed, and says where"
)]

mod bombs;
mod calls;
mod commands;
mod fixture;
mod imports;
mod mapping;
mod servers;
mod third_party;
mod tool_world;
