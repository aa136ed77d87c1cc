//! A trust file is written as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oacp::Trust;

fuzz_target!(|data: &[u8]| {
    let Ok(trust) = Trust::parse(data) else {
        return;
    };
    for node in trust.nodes() {
        assert_eq!(trust.node(node.key.id()), Some(node));
    }
    let written = serde_json::to_vec(&trust).expect("a trust file is JSON");
    assert_eq!(Trust::parse(&written), Ok(trust));
});
