//! What a tool is before it runs: its kind, its schema, its manifest, and the store of those that were registered.
//!
//! **In scope:** what a package offers ([`package`]), as a Python file ([`python`]) or a JavaScript one ([`javascript`]) says it; schemas, and
//! judging by them ([`schema`]); what a package would need ([`needs`]); what its author or user writes of it ([`manifest`]); the directory
//! of those that were registered ([`store`]), and that of registered agents ([`agents`]); one that comes from elsewhere, and who signed it
//! ([`source`]).
//!
//! **Out of scope:** running anything (`oacp-sandbox`). Where a Python file has to be run to say what its functions take, the caller runs
//! it, in a sandbox. The network: who fetches a package hands in the way to it. What a tool is to agents, logs and verifiers is [`oacp::tool`].

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

pub mod agents;
pub mod javascript;
pub mod limits;
pub mod manifest;
pub mod needs;
pub mod package;
pub mod python;
pub mod schema;
pub mod source;
pub mod store;
