//! Exchanges with real servers of the tests' own, most of them hostile, over loopback; names are resolved by the tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed, and says where"
)]

mod exchange;
mod fixture;
mod hostile;
mod http2;
mod judging;
mod pool;
mod proxy;
mod secrets;
mod tls;
