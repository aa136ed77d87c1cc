//! The spine: a call is authorized, granted, run, stated, signed and bundled, in one short function, [`execute`].
//!
//! **In scope**: the node and its sandboxes' keys; grants; the statement about a run; re-execution of a verified bundle.
//!
//! **Out of scope**: running WebAssembly (`oacp-sandbox`); what is signed and how it is checked (`oacp`); configuration, which the
//! edges read into typed options.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod call;
mod chain;
mod execute;
mod node;
mod outside;
mod re_execute;
mod statement;

pub use call::{Agent, Call};
pub use chain::CounterError;
pub use execute::{ExecuteError, Execution, execute};
pub use node::{Node, NodeOptions, Sandbox, SignError, SpawnError};
pub use re_execute::re_execute;
