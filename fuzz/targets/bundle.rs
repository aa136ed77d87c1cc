//! A bundle has one form. Signatures stand, so what is accepted was signed; `verify` is for what lies behind them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oacp::{
    Bundle, ExecutionStatement, Expectation, Origin, ReplayVerdict, Require, SecretKey, Timestamp,
    Trust, TrustedNode,
};

/// The clock of the vectors.
const NOW_MS: i64 = 1_795_378_445_123;

fuzz_target!(|data: &[u8]| {
    let Ok(bundle) = Bundle::parse(data) else {
        return;
    };
    let bytes = bundle.to_bytes();
    let again = Bundle::parse(&bytes).expect("what was written is a bundle");
    assert_eq!(again, bundle);
    assert_eq!(again.to_bytes(), bytes);

    let node = TrustedNode {
        name: "fuzz".to_owned(),
        key: SecretKey::from_bytes(&[1; 32]).public(),
        not_before: None,
        not_after: None,
        revoked: None,
    };
    let trust = Trust::new(vec![node], Require::default(), Origin::File).expect("one node");
    let verify = |bundle: &Bundle| {
        bundle.verify(
            &trust,
            &Expectation::default(),
            Timestamp::from_unix_ms(NOW_MS),
        )
    };
    let Ok(verified) = verify(&bundle) else {
        return;
    };
    assert_eq!(
        ExecutionStatement::parse(bundle.envelope().unverified_payload()).as_ref(),
        Ok(verified.statement())
    );
    let _ = verified
        .report(&ReplayVerdict::NotChecked {
            reason: "fuzzed".to_owned(),
        })
        .to_string();
    // Whoever is shown less is told nothing else.
    let redacted = verify(&bundle.redact()).expect("a bundle without contents is a bundle");
    assert_eq!(redacted.statement(), verified.statement());
});
