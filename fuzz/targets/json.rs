//! Strict admission: what is admitted has one canonical form, which reads back as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oacp::json::{admit, canonicalize};
use oacp::limits::EVENT;

fuzz_target!(|data: &[u8]| {
    let Ok(value) = admit(data, EVENT) else {
        return;
    };
    // Admission never takes what the library that reads it next would refuse.
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(data).ok(),
        Some(value.clone())
    );
    let canonical = canonicalize(&value).expect("what is admitted has a canonical form");
    let again = admit(&canonical, EVENT).expect("a canonical form is admitted");
    assert_eq!(canonicalize(&again).ok(), Some(canonical));
});
