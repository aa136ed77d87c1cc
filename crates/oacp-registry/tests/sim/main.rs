//! A log on a disk that fails, at every step of a flush and at thousands of seeded ones.
//!
//! | variable | is |
//! |---|---|
//! | `OACP_SIM_POINTS` | the number of seeded scenarios, by itself 10,000 |
//! | `OACP_SIM_SEED` | the first seed, by itself 1. A failure prints its own; with `OACP_SIM_POINTS=1` it is repeated, operation by operation |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "../fixture/mod.rs"]
mod fixture;

mod bytes;
mod disk;
mod disk_promises;
mod every_step;
mod random;
mod seeded;
mod world;
