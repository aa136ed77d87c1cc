//! What OACP says about an execution, and how to check it.
//!
//! **In scope:** the statement that an execution took place and its parts, and those that it begins
//! and that a sandbox is closed; the signed envelope, the key that was delegated to a sandbox, and
//! the recording of what crossed a sandbox's boundary; what a log stores of them; the bundle that
//! carries them; whom to trust; verifying; the report.
//!
//! **Out of scope:** trees, checkpoints, cosignatures and proofs (`oacp-tlog`); keeping a log
//! (`oacp-registry`); running and replaying a component (`oacp-sandbox`); deciding who may do what,
//! and putting a run together (`oacp-gateway`). This crate knows no clock, randomness, file, socket
//! or environment: time, keys and salts are arguments, and what came of a replay is handed in. So
//! the same code verifies in a browser.
//!
//! A run passes through types, each made only by the step before it:
//!
//! ```text
//! Capabilities → Grant → (run) → Recording → ExecutionStatement → Envelope → Bundle → Verified → Report
//! ```
//!
//! # Wire bytes
//!
//! | what | bytes | in |
//! |---|---|---|
//! | digest | `sha256:` and 64 lower-case hex digits | [`digest`] |
//! | key id | SHA-256 of the SPKI (RFC 8410), 64 lower-case hex digits | [`key`] |
//! | time | RFC 3339, UTC, milliseconds | [`time`] |
//! | statement | in-toto Statement v1, JSON, predicates `execution/v1`, `delegation/v1`, `begin/v1`, `close/v1`, `tool/v1` and `release/v1` | [`statement`], [`delegation`], [`begin`], [`close`], [`tool`], [`release`] |
//! | envelope | DSSE v1.0.2, exactly one Ed25519 signature | [`envelope`] |
//! | event | canonical JSON (RFC 8785) | [`event`] |
//! | recording's root | RFC 6962 tree over salted events | [`recording`] |
//! | source's hash | one file: its SHA-256; several: SHA-256 over paths and digests | [`source`] |
//! | path, pattern, host rule | text with one spelling, or several and one that is written | [`capability`] |
//! | HTTP response | canonical JSON, a line feed, the body | [`http`] |
//! | log's leaf | canonical JSON | [`leaf`] |
//! | log proof | C2SP tlog-proof, verbatim | [`proofs`] |
//! | bundle | one JSON file | [`bundle`] |
//!
//! Every JSON text is admitted strictly first ([`json`]); every limit stands in [`limits`].
//!
//! # Example
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use oacp::*;
//!
//! let (node, sandbox) = (SecretKey::from_bytes(&[1; 32]), SecretKey::from_bytes(&[2; 32]));
//! let now = Timestamp::from_unix_ms(1_795_378_445_123);
//! let isolation = Isolation::new(IsolationKind::Standard);
//! let delegation = Delegation {
//!     sandbox_id: SandboxId::new(1_795_378_445_000, [0; 10]),
//!     key: sandbox.public(),
//!     isolation: isolation.clone(),
//!     not_before: now,
//!     not_after: Timestamp::from_unix_ms(now.unix_ms() + 3_600_000),
//!     evidence: None,
//!     log: None,
//!     critical: vec![],
//!     unknown: vec![],
//! };
//! let sandbox_id = delegation.sandbox_id;
//! let delegation = delegation.sign(&node);
//!
//! // A run: `{}` went in, `42` came out, nothing was called.
//! let source = Source::single("main.py".parse()?, b"def run(input): return 42\n".to_vec())?;
//! let mut recording = Recording::new(SaltKey::from_bytes([3; 32]));
//! recording.push(&Event::Start { seed: Seed::from_bytes([4; 32]), clock_start_ms: 1_795_378_445_123, working_directory: GuestPath::root() });
//! let statement = ExecutionStatement {
//!     sandbox_id,
//!     execution_id: ExecutionId::new(1_795_378_445_123, [0; 10]),
//!     timestamp: now,
//!     agent_hash: source.hash(),
//!     agent_entry: Some(source.entry().clone()),
//!     export: None,
//!     instance: None,
//!     tool_hashes: BTreeMap::new(),
//!     input_hash: Digest::of(b"{}"),
//!     output_hash: Digest::of(b"42"),
//!     tool_calls: vec![],
//!     nonce: Some("n-1".parse()?),
//!     audience: None,
//!     log: None,
//!     principal: "local".parse()?,
//!     policy_hash: None,
//!     policy_ids: vec![],
//!     grant: GrantClaim::from(&Grant::none()),
//!     isolation,
//!     level: Level::Execution,
//!     reexecutable: Reexecutable::Yes,
//!     runtime: RuntimeClaim {
//!         sha256: Digest::of(b"the component"),
//!         layers: vec![],
//!         engine: "wasmtime 48.0.8".to_owned(),
//!         fuel_model: "oacp-fuel/1".to_owned(),
//!         config: BTreeMap::new(),
//!     },
//!     outcome: Outcome::Ok,
//!     resources: Resources { fuel: Some(1000), ..Resources::default() },
//!     recording: Some(recording.summary()),
//!     sequence: 0,
//!     previous: delegation.pae_digest(),
//!     parent: None,
//!     validation: None,
//!     critical: vec![],
//!     unknown: vec![],
//! };
//! let envelope = Envelope::sign(PAYLOAD_TYPE, statement.to_payload(), &sandbox);
//! let file = Bundle::new(envelope, delegation)
//!     .with_recording(recording)
//!     .with_source(source)
//!     .with_input(*b"{}")
//!     .with_output(*b"42")
//!     .to_bytes();
//!
//! // Elsewhere, a stranger:
//! let node = TrustedNode { name: "build-1".to_owned(), key: node.public(), not_before: None, not_after: None, revoked: None };
//! let trust = Trust::new(vec![node], Require::default(), Origin::File)?;
//! let expectation = Expectation { nonce: Some("n-1".parse()?), ..Expectation::default() };
//! let verified = Bundle::parse(&file)?.verify(&trust, &expectation, now)?;
//! assert_eq!(verified.output(), Some(b"42".as_slice()));
//! let report = verified.report(&ReplayVerdict::NotChecked { reason: "no runtime at hand".to_owned() });
//! assert!(report.to_string().starts_with("Signature valid  pass"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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

/// A URI under the one prefix. A macro, for constants cannot be concatenated.
macro_rules! uri {
    ($tail:literal) => {
        concat!("https://oacp.example/", $tail)
    };
}

#[macro_use]
mod text;

pub mod agent;
pub mod begin;
pub mod blob;
pub mod bundle;
pub mod capability;
pub mod close;
pub mod delegation;
pub mod digest;
pub mod disclosure;
pub mod entry;
pub mod envelope;
pub mod event;
pub mod export;
pub mod http;
pub mod id;
mod intoto;
pub mod isolation;
pub mod json;
pub mod key;
pub mod leaf;
pub mod limits;
mod logged;
pub mod outcome;
pub mod policy;
pub mod proofs;
pub mod recording;
pub mod refusal;
pub mod release;
pub mod replay;
pub mod report;
pub mod source;
pub mod statement;
pub mod time;
pub mod tool;
pub mod trust;
mod verified;
mod verify;

#[cfg(test)]
extern crate self as oacp;
#[cfg(test)]
#[path = "../tests/fixture/mod.rs"]
mod fixture;

pub use agent::{AgentCode, AgentDefinition, AgentName, Check, CheckName, Step, Validation};
pub use begin::Begin;
pub use blob::Blob;
pub use bundle::{Bundle, BundleError, Private};
pub use capability::{
    Capabilities, Denial, DenialPolicy, DenyRule, Grant, GuestPath, HostRule, NamePattern, Network,
    PathPattern, Place, SecretGrant, SecretName, Target,
};
pub use close::Close;
pub use delegation::Delegation;
pub use digest::{Digest, Hasher};
pub use disclosure::DiscloseError;
pub use entry::{Entry, EntryError, Facts, Keys};
pub use envelope::{Envelope, PAYLOAD_TYPE, Unsigned};
pub use event::{CallOutcome, Change, Event, Found, LogLevel, Seed, Written};
pub use export::{ExportError, ExportReader, ExportReport, ExportWriteError, ExportWriter};
pub use id::{
    Audience, ExecutionId, LogOrigin, Nonce, Principal, SandboxId, SandboxName, ToolName,
};
pub use intoto::{PREDICATE_PREFIX, STATEMENT_V1};
pub use isolation::{Isolation, IsolationKind};
pub use key::{KeyId, PublicKey, SecretKey};
pub use leaf::{Leaf, LeafError, LeafKind};
pub use logged::Logged;
pub use outcome::Outcome;
pub use proofs::{BundleProofError, Proven};
pub use recording::{Content, Recording, RecordingSummary, SaltKey};
pub use refusal::{Refusal, RefusalKind};
pub use release::Release;
pub use replay::{DivergedAt, FuelCompared, ReplayVerdict, Replayed};
pub use report::{Grade, Question, Report, Verdict};
pub use source::{Source, SourcePath};
pub use statement::{
    ExecutionStatement, GrantClaim, InstanceClaim, Level, Reexecutable, Resources, RuntimeClaim,
    ToolCall,
};
pub use time::Timestamp;
pub use tool::{Definition, ExportName, ToolStatement};
pub use trust::{Origin, Require, Revoked, Trust, TrustedNode};
pub use verified::Verified;
pub use verify::Expectation;
