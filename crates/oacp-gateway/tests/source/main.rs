//! Tools from elsewhere, fetched over real sockets from servers that may be anything.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod file;
mod registry;
mod server;
mod signature;
