//! Verification behind the signatures: whatever the input says is signed, by the node and the sandbox that it should be.
//!
//! The input is a bundle with its payloads bare and its blobs as texts. Digests that a mutation would only ever break (of blobs,
//! of the recording, of the delegation) are made to fit, so that the checks behind them are reached.
#![no_main]

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use oacp::limits::BUNDLE;
use oacp::{
    Bundle, Digest, Envelope, ExecutionStatement, Expectation, Origin, PAYLOAD_TYPE, Private,
    Recording, ReplayVerdict, Require, SaltKey, SecretKey, Timestamp, Trust, TrustedNode,
};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Parts {
    statement: Value,
    delegation: Value,
    private: Vec<String>,
    events: Option<Vec<String>>,
    entry: Option<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    blobs: Vec<String>,
}

/// The clock of the vectors.
const NOW_MS: i64 = 1_795_378_445_123;
const SALT_KEY: [u8; 32] = [3; 32];

fuzz_target!(|data: &[u8]| {
    let Ok(parts) = oacp::json::from_slice::<Parts>(data, BUNDLE) else {
        return;
    };
    let (node, sandbox) = (
        SecretKey::from_bytes(&[1; 32]),
        SecretKey::from_bytes(&[2; 32]),
    );
    let Ok(bundle) = Bundle::parse(parts.sign(&node, &sandbox).to_string().as_bytes()) else {
        return;
    };
    let node = TrustedNode {
        name: "fuzz".to_owned(),
        key: node.public(),
        not_before: None,
        not_after: None,
        revoked: None,
    };
    let trust = Trust::new(vec![node], Require::default(), Origin::File).expect("one node");
    let Ok(verified) = bundle.verify(
        &trust,
        &Expectation::default(),
        Timestamp::from_unix_ms(NOW_MS),
    ) else {
        return;
    };

    let statement = verified.statement();
    assert_eq!(
        ExecutionStatement::parse(bundle.envelope().unverified_payload()).as_ref(),
        Ok(statement)
    );
    let digest_of = |private, content: Option<&[u8]>| {
        verified
            .holds(private)
            .then(|| content.map(Digest::of))
            .flatten()
    };
    for (private, content, claimed) in [
        (Private::Input, verified.input(), statement.input_hash),
        (Private::Output, verified.output(), statement.output_hash),
        (Private::Source, verified.component(), statement.agent_hash),
    ] {
        assert!(digest_of(private, content).is_none_or(|found| found == claimed));
    }
    assert!(
        verified
            .source()
            .is_none_or(|source| source.hash() == statement.agent_hash)
    );
    if let (Some(recording), Some(claimed)) = (verified.recording(), &statement.recording) {
        assert_eq!(recording.root(), claimed.root);
    }
    // What holds as a whole holds in part, and one event tells nothing of the others.
    if verified.recording().is_some() {
        let some = bundle.disclose(&[0].into()).expect("there is an event 0");
        let some = some.verify(
            &trust,
            &Expectation::default(),
            Timestamp::from_unix_ms(NOW_MS),
        );
        let some = some.expect("a part of what verifies");
        assert_eq!(some.disclosed().map(|events| events.len()), Some(1));
        assert_eq!(some.statement(), statement);
    }
    let report = verified
        .report(&ReplayVerdict::NotChecked {
            reason: "fuzzed".to_owned(),
        })
        .to_string();
    assert!(
        !report.contains('\u{1b}'),
        "a stranger's escape sequence reaches the terminal"
    );
});

impl Parts {
    fn sign(mut self, node: &SecretKey, sandbox: &SecretKey) -> Value {
        let delegation =
            Envelope::sign(PAYLOAD_TYPE, self.delegation.to_string().into_bytes(), node);
        let recording = self.events.as_ref().map(|events| {
            let events = events.iter().map(|event| event.clone().into_bytes());
            Recording::from_events(SaltKey::from_bytes(SALT_KEY), events).summary()
        });
        if let Some(predicate) = self
            .statement
            .get_mut("predicate")
            .and_then(Value::as_object_mut)
        {
            predicate.insert("previous".to_owned(), json!(delegation.pae_digest()));
            if let Some(summary) = recording {
                predicate.insert("recording".to_owned(), json!(summary));
            }
        }
        let envelope = Envelope::sign(
            PAYLOAD_TYPE,
            self.statement.to_string().into_bytes(),
            sandbox,
        );
        let blobs = self.blobs.iter().chain(self.files.values());
        let blobs: BTreeMap<String, String> = blobs
            .map(|text| {
                (
                    Digest::of(text.as_bytes()).to_string(),
                    STANDARD.encode(text),
                )
            })
            .collect();
        let read = |envelope: &Envelope| {
            serde_json::from_slice::<Value>(&envelope.to_json()).expect("an envelope is JSON")
        };
        let mut bundle = json!({
            "type": oacp::bundle::BUNDLE_V1,
            "private": self.private,
            "envelope": read(&envelope),
            "delegation": read(&delegation),
            "blobs": blobs,
        });
        if let Some(events) = self.events {
            bundle["recording"] =
                json!({ "salt_key": STANDARD.encode(SALT_KEY), "events": events });
        }
        if let Some(entry) = self.entry {
            let files: BTreeMap<_, _> = self
                .files
                .iter()
                .map(|(path, text)| (path, Digest::of(text.as_bytes())))
                .collect();
            bundle["source"] = json!({ "entry": entry, "files": files });
        }
        bundle
    }
}
