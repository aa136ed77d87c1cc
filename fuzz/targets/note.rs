//! Signed notes, checkpoints and verifier keys: what is taken prints as it came, and nobody signed it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oacp_tlog::{
    Checkpoint, SignedCheckpoint, SignedNote, SignerKey, VerifierKey, cosign, verified_time,
};

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = str::from_utf8(data) {
        if let Ok(key) = text.parse::<VerifierKey>() {
            assert_eq!(key.to_string(), text);
        }
        if let Ok(checkpoint) = text.parse::<Checkpoint>() {
            assert_eq!(checkpoint.to_string(), text);
        }
    }
    let Ok(note) = SignedNote::parse(data) else {
        // What is no note is no checkpoint.
        assert!(SignedCheckpoint::parse(data).is_err());
        return;
    };
    assert_eq!(note.to_string().as_bytes(), data);
    let Ok(mut checkpoint) = SignedCheckpoint::parse(data) else {
        return;
    };
    assert_eq!(checkpoint.to_string().as_bytes(), data);
    assert_eq!(
        checkpoint.checkpoint().to_string(),
        checkpoint.note().text()
    );

    // Keys of which no seed has a signature: whatever says it is theirs is not. One that is theirs then is.
    let name = || "witness.example/fuzz".parse().expect("a name");
    for key in [
        SignerKey::ed25519(name(), &[7; 32]),
        SignerKey::ed25519_cosigner(name(), &[8; 32]),
        SignerKey::ml_dsa44_cosigner(name(), &[9; 32]),
    ] {
        assert!(!checkpoint.verify(&key.verifier()));
        let signature = cosign(&checkpoint, &key, 7);
        if checkpoint.add_signature(signature).is_ok() {
            let time_s = if key.kind().is_cosignature() { 7 } else { 0 };
            assert_eq!(verified_time(&checkpoint, &key.verifier()), Some(time_s));
            let again = SignedCheckpoint::parse(checkpoint.to_string().as_bytes());
            assert_eq!(again.as_ref(), Ok(&checkpoint));
        }
    }
});
