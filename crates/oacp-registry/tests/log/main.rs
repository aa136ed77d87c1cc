//! The log, on real files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "../fixture/mod.rs"]
mod fixture;

mod appending;
mod damage;
mod directory;
mod index;
mod pruning;
mod salvage;
