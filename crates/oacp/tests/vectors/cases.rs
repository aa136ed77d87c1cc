//! The generator: deterministic, from fixed keys. A case alters the run of the fixture in one way.

mod accepted;
mod begun;
mod called;
mod claim;
mod content;
mod disclosed;
mod file;
mod key;
mod logged;
mod outside;
mod trusted_log;
mod validated;

use oacp::*;
use serde_json::{Value, json};

use crate::fixture::{self, Case, hours, key, now, trusted};
use crate::vector::{Vector, Verdict};

pub fn all() -> Vec<Vector> {
    let mut cases = Cases(vec![]);
    accepted::accepted(&mut cases);
    file::json(&mut cases);
    file::format(&mut cases);
    key::keys(&mut cases);
    claim::statement(&mut cases);
    claim::time(&mut cases);
    claim::expectation(&mut cases);
    called::accepted(&mut cases);
    called::refused(&mut cases);
    content::recording(&mut cases);
    content::contents(&mut cases);
    disclosed::accepted(&mut cases);
    disclosed::paths(&mut cases);
    disclosed::contents(&mut cases);
    disclosed::rules(&mut cases);
    logged::accepted(&mut cases);
    begun::begins(&mut cases);
    logged::proofs(&mut cases);
    trusted_log::policies(&mut cases);
    trusted_log::times(&mut cases);
    trusted_log::revocations(&mut cases);
    outside::accepted(&mut cases);
    outside::order(&mut cases);
    outside::form(&mut cases);
    outside::grants(&mut cases);
    validated::accepted(&mut cases);
    validated::refused(&mut cases);
    cases.0
}

struct Cases(Vec<Vector>);

impl Cases {
    /// Accepted; what a test alters further is in the returned vector.
    fn accept(&mut self, name: &str, comment: &str, bytes: Vec<u8>) -> &mut Vector {
        self.push(format!("accept_{name}"), comment, Verdict::Accept, bytes)
    }

    /// Refused with this code.
    fn refuse(&mut self, code: &str, name: &str, comment: &str, bytes: Vec<u8>) -> &mut Vector {
        self.push(
            format!("refuse_{name}"),
            comment,
            Verdict::Refuse(code.to_owned()),
            bytes,
        )
    }

    fn push(
        &mut self,
        name: String,
        comment: &str,
        verdict: Verdict,
        bytes: Vec<u8>,
    ) -> &mut Vector {
        self.0.push(Vector {
            name,
            verdict,
            comment: comment.to_owned(),
            trust: trust_json(&[trusted(1)]),
            now: now(),
            expectation: Expectation::default(),
            pad: 0,
            unknown: vec![],
            bytes,
        });
        self.0.last_mut().unwrap()
    }
}

fn trust_json(nodes: &[TrustedNode]) -> String {
    String::from_utf8(text(json!({ "nodes": nodes }))).unwrap()
}

/// Sorted, for `serde_json` keeps another order when a feature of it is on.
fn text(mut value: Value) -> Vec<u8> {
    value.sort_all_objects();
    serde_json::to_vec(&value).unwrap()
}

fn whole() -> Vec<u8> {
    Case::new().bundle().to_bytes()
}

/// The fixture, altered before it is signed.
fn signed(alter: impl FnOnce(&mut Case)) -> Vec<u8> {
    let mut case = Case::new();
    alter(&mut case);
    case.bundle().to_bytes()
}

/// The same without content, for cases that are refused before any is looked at.
fn signed_bare(alter: impl FnOnce(&mut Case)) -> Vec<u8> {
    let mut case = Case::new();
    alter(&mut case);
    case.bare().to_bytes()
}

/// The fixture, whose statement's JSON is altered before it is signed.
fn payload(alter: impl FnOnce(&mut Value)) -> Vec<u8> {
    let case = Case::new();
    let mut value: Value = serde_json::from_slice(&case.statement.to_payload()).unwrap();
    alter(&mut value);
    sealed(&case, text(value))
}

/// The fixture with any bytes for a statement, signed.
fn sealed(case: &Case, payload: Vec<u8>) -> Vec<u8> {
    Bundle::new(
        Envelope::sign(PAYLOAD_TYPE, payload, &case.sandbox),
        case.delegation.sign(&case.node),
    )
    .to_bytes()
}

/// The fixture, whose delegation's JSON is altered before it is signed.
fn delegation(alter: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut case = Case::new();
    let mut value =
        serde_json::from_slice(case.delegation.sign(&case.node).unverified_payload()).unwrap();
    alter(&mut value);
    let envelope = Envelope::sign(PAYLOAD_TYPE, text(value), &case.node);
    case.statement.previous = envelope.pae_digest();
    Bundle::new(case.envelope(), envelope).to_bytes()
}

/// The fixture, whose bundle's JSON is altered.
fn edited(alter: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value = serde_json::from_slice(&whole()).unwrap();
    alter(&mut value);
    text(value)
}

/// The bundle's text with one piece replaced, which has to be there.
fn replaced(from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(whole()).unwrap();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1).into_bytes()
}
