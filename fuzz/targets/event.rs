//! One event has one byte sequence.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oacp::Event;

fuzz_target!(|data: &[u8]| {
    if let Ok(event) = Event::parse(data) {
        assert_eq!(event.to_bytes(), data);
    }
});
