//! Witnesses, those who ask them, monitors and mirrors, against logs that tell the truth and logs that do not.
//!
//! What needs a server starts one. Nothing waits for a time to pass: a test waits for what it is about, and the deadline around it is
//! there for a test that fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod cosigning;
mod crashes;
mod equivocation;
mod fixture;
mod mirror;
mod monitor;
mod witness;
