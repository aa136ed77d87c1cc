//! A delegation's payload, behind a signature that holds: a trusted node may be a hostile one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oacp::{Delegation, Envelope, PAYLOAD_TYPE, SecretKey};

fuzz_target!(|data: &[u8]| {
    let node = SecretKey::from_bytes(&[1; 32]);
    let envelope = Envelope::sign(PAYLOAD_TYPE, data.to_vec(), &node);
    let Ok(mut delegation) = Delegation::verify(&envelope, &node.public()) else {
        return;
    };
    assert!(delegation.not_before <= delegation.not_after);
    delegation.unknown.clear();
    assert_eq!(
        Delegation::verify(&delegation.sign(&node), &node.public()),
        Ok(delegation)
    );
});
