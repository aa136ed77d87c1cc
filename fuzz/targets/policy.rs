//! A policy: what is taken keeps its text, and counts no witness twice.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use oacp_tlog::{Checkpoint, Policy, PolicyError, SignedCheckpoint, SignerKey, leaf_hash};

fuzz_target!(|data: &[u8]| {
    let lines = data.split(|byte| *byte == b'\n').count();
    let policy = match Policy::parse(data) {
        Ok(policy) => policy,
        Err(error) => {
            assert!((1..=lines).contains(&error.line), "{error}");
            assert!(!error.to_string().contains('\n'));
            return;
        }
    };
    assert_eq!(policy.text(), data);
    let keys: BTreeSet<_> = policy
        .witnesses()
        .iter()
        .map(|at| at.key().public_bytes())
        .collect();
    assert_eq!(keys.len(), policy.witnesses().len());
    let names: BTreeSet<_> = policy.witnesses().iter().map(|at| at.name()).collect();
    assert_eq!(names.len(), policy.witnesses().len());
    // Every line feed and comment aside, the same bytes are the same policy.
    let again = [b"# x\n\n".as_slice(), data].concat();
    let again = Policy::parse(&again).expect("a comment changes nothing");
    assert_eq!(again.witnesses(), policy.witnesses());
    assert_eq!(again.logs(), policy.logs());

    let Some(log) = policy.logs().first() else {
        return;
    };
    // A stranger signs for the log. Nobody is deceived.
    let Ok(checkpoint) = Checkpoint::new(log.key().name().as_str(), 1, leaf_hash(b"")) else {
        return;
    };
    let stranger = SignerKey::ed25519(log.key().name().clone(), &[7; 32]);
    let refused = policy.check(&SignedCheckpoint::sign(&checkpoint, &stranger));
    assert!(matches!(refused, Err(PolicyError::NotSigned { .. })));
});
