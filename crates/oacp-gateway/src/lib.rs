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

mod attested;
mod call;
mod chain;
mod cosigning;
mod execute;
mod following;
mod instances;
mod logging;
mod mirror;
mod monitor;
mod node;
mod occupied;
mod operator;
mod outside;
mod peer;
mod re_execute;
mod registry;
mod remote;
mod serve;
mod server;
mod source_web;
mod spool;
mod statement;
mod token;
mod tools;
mod validation;
mod witness;

pub use call::{Agent, Call};
pub use chain::CounterError;
pub use cosigning::{
    Cosigning, CosigningError, CosigningOptions, CosigningStatus, NotCosigned, Pace, WitnessStatus,
};
pub use execute::{ExecuteError, Execution, execute};
pub use following::{FollowError, Misbehaviour, Quorum, Shown, Trusted};
pub use logging::{Logged, Logging};
pub use mirror::{Copied, Damage, Mirror, MirrorError, MirrorOptions, serve_mirror};
pub use monitor::{Duplicate, Expected, Look, Monitor, MonitorError, MonitorOptions, Sight};
pub use node::{CloseError, Node, NodeOptions, Sandbox, SignError, SpawnError};
pub use operator::OperatorLog;
pub use peer::{Bounds, Peer, PeerError, PeerReply};
pub use re_execute::{re_execute, re_execute_all};
pub use registry::{Answered, RefusedEntry, Registry, RegistryError, RemoteRegistry, Submitted};
pub use remote::{Remote, RemoteError};
pub use serve::{ServeOptions, serve};
pub use server::ServerLimits;
pub use source_web::SourceWeb;
pub use spool::{Pending, SPOOL_BYTES_MAX, SPOOL_ENTRIES_MAX, Sent, Spool, SpoolError};
pub use token::{Token, TokenError};
pub use tools::{
    Bound, BoundTool, LoadError, TOOL_DEPTH_MAX, TOOL_EXECUTIONS_MAX, TOOL_RECORDINGS_BYTES_MAX,
    ToolOptions,
};
pub use validation::{RegisteredAgent, RegisteredAgentError};
pub use witness::{
    AddCheckpointError, EvidenceKind, WatchedLog, Witness, WitnessError, WitnessOptions,
};
