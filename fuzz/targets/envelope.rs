//! An envelope is written as it was read, and what is hashed is what is signed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oacp::{Digest, Envelope, SecretKey};

fuzz_target!(|data: &[u8]| {
    let Ok(envelope) = Envelope::parse(data) else {
        return;
    };
    assert_eq!(Envelope::parse(&envelope.to_json()).as_ref(), Ok(&envelope));
    assert_eq!(envelope.pae_digest(), Digest::of(&envelope.pae()));
    let key = SecretKey::from_bytes(&[2; 32]).public();
    if envelope.verify(&key).is_ok() {
        assert_eq!(envelope.keyid(), key.id());
    }
});
