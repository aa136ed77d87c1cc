//! The bytes of C2SP transparency logs, and what follows from them: trees, checkpoints, cosignatures,
//! proofs and policies.
//!
//! **In scope:** hashing and proving (RFC 6962); which tiles a log serves, and making them entry by
//! entry; signing, cosigning and verifying checkpoints; a proof of logging that stands alone; whom a
//! relying party believes, and since when a log shows something; what a witness is asked and how it
//! judges; what a mirror is sent; evidence that a log has equivocated.
//!
//! **Out of scope:** keeping a log (order, durability, who may append), being a witness (memory) or a
//! mirror (storage), HTTP: all in `oacp-registry` and above. What the entries mean: `oacp`. This crate
//! knows no clock, randomness, file, socket or environment: times, seeds and tiles are arguments. So
//! the same code verifies in a browser.
//!
//! # Wire bytes
//!
//! | what | specification | in |
//! |---|---|---|
//! | hash of a leaf, of a node | RFC 6962, 2.1; c2sp.org/merkle-tree | [`hash`] |
//! | inclusion and consistency proof | RFC 6962, 2.1.1, 2.1.2; verified as RFC 9162, 2.1.3.2, 2.1.4.2 | [`tree`] |
//! | subtree consistency proof | draft-ietf-plants-merkle-tree-certs | [`tree`] |
//! | path of a tile, hashes in it | c2sp.org/tlog-tiles | [`tile`] |
//! | entry bundle | c2sp.org/tlog-tiles | [`entry`] |
//! | signed note | c2sp.org/signed-note | [`note`] |
//! | verifier key (*vkey*), key id | c2sp.org/signed-note, c2sp.org/tlog-cosignature | [`key`] |
//! | checkpoint | c2sp.org/tlog-checkpoint | [`checkpoint`] |
//! | cosignature: Ed25519 `cosignature/v1`, ML-DSA-44 `subtree/v1` | c2sp.org/tlog-cosignature | [`cosignature`] |
//! | `.tlog-proof` | c2sp.org/tlog-proof@v1 | [`proof`] |
//! | policy | c2sp.org/tlog-policy | [`policy`] |
//! | `add-checkpoint` and its answers | c2sp.org/tlog-witness | [`witness`] |
//! | `add-entries` and its answers | c2sp.org/tlog-mirror, revision 0838f7b4 | [`mirror`] |
//! | evidence of a fork | this crate's own | [`fork`] |
//! | signatures | RFC 8032, by the strict rules; FIPS 204, deterministic, no context | [`ed25519`], [`ml_dsa44`] |
//!
//! Every parser reads what a stranger wrote. What is read prints as the same bytes, or it is refused:
//! base64 is canonical, decimals have no leading zero, and a signature is verified over the bytes that
//! came. Every limit stands in [`limits`], with its attack. Where a note has two lines of one key, see
//! [`note`].
//!
//! # Example
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::convert::Infallible;
//!
//! use oacp_tlog::*;
//!
//! // A log takes entries, keeps the tiles that change, and signs the root.
//! let log = SignerKey::ed25519("example.com/log".parse()?, &[1; 32]);
//! let mut edge = Edge::new();
//! let mut tiles = BTreeMap::new();
//! for n in 0..1000 {
//!     edge.push(format!("entry {n}").as_bytes())?;
//! }
//! tiles.extend(edge.take_changed());
//! let checkpoint = Checkpoint::new("example.com/log", edge.size(), edge.root())?;
//! let mut checkpoint = SignedCheckpoint::sign(&checkpoint, &log);
//!
//! // A witness that has not seen the log yet judges it, remembers the tree, and cosigns.
//! let witness = SignerKey::ml_dsa44_cosigner("witness.example/w1".parse()?, &[2; 32]);
//! let request = AddCheckpoint::new(0, vec![], checkpoint.clone())?;
//! let request = AddCheckpoint::parse(request.to_string().as_bytes())?;
//! let known = judge(None, &request, &[log.verifier()])?;
//! assert_eq!(known.size, 1000);
//! checkpoint.add_signature(cosign(request.checkpoint(), &witness, 1_795_378_445))?;
//!
//! // The log proves that it has entry 700.
//! let reader = TileReader::new(1000, |tile| Ok::<_, Infallible>(tiles[&tile].clone()));
//! let proof = TlogProof::new(700, inclusion_proof(700, 1000, &reader)?, checkpoint)?;
//! let file = proof.to_string();
//!
//! // Elsewhere, a stranger who believes the log if this witness does:
//! let policy = format!(
//!     "log {}\nwitness w1 {}\nquorum w1\n",
//!     log.verifier(),
//!     witness.verifier(),
//! );
//! let policy = Policy::parse(policy.as_bytes())?;
//! let proof = TlogProof::parse(file.as_bytes())?;
//! proof.verify(&leaf_hash(b"entry 700"))?;
//! let witnessed = policy.check(proof.checkpoint())?;
//! assert_eq!(witnessed.time_s, Some(1_795_378_445));
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

pub mod checkpoint;
pub mod cosignature;
pub mod ed25519;
pub mod edge;
mod encoding;
pub mod entry;
#[cfg(test)]
mod fixture;
pub mod fork;
pub mod hash;
pub mod key;
pub mod limits;
pub mod mirror;
pub mod ml_dsa44;
pub mod note;
pub mod policy;
pub mod proof;
pub mod tile;
pub mod tree;
pub mod witness;

pub use checkpoint::{Checkpoint, ParseCheckpointError, SignedCheckpoint};
pub use cosignature::{cosign, verified_time};
pub use edge::{Edge, EdgeError};
pub use entry::{BundleError, EntryTooLong, decode_bundle, encode_entry};
pub use fork::{Fork, ForkError, ForkVerdict, ParseForkError};
pub use hash::{Hash, ParseHashError, leaf_hash, node_hash};
pub use key::{KeyKind, KeyName, SignerKey, VerifierKey};
pub use note::{NoteSignature, ParseNoteError, SignedNote};
pub use policy::{ParsePolicyError, Policy, PolicyError, PolicyProblem, Witnessed};
pub use proof::{ParseTlogProofError, TlogProof};
pub use tile::{ParseTileError, Tile, TileKind, TileReadError, TileReader, node_tile};
pub use tree::{
    CompactRange, Node, NodeReader, ProofError, ProveError, consistency_nodes, consistency_proof,
    inclusion_nodes, inclusion_proof, root_from_inclusion, root_nodes, verify_consistency,
    verify_inclusion,
};
pub use witness::{AddCheckpoint, Known, ParseAddCheckpointError, Refused, judge};
