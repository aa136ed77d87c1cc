//! Capabilities, and what they are asked: the first line is the capabilities' JSON, each further one a path, a URL and a name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oacp::capability::{Capabilities, Grant, GuestPath, PathPattern, Target};

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let root = GuestPath::root();
    if let Some(first) = lines.next() {
        if let Ok(pattern) = PathPattern::parse_in(first, &root) {
            assert_eq!(pattern.as_str().parse::<PathPattern>().as_ref(), Ok(&pattern));
            assert!(pattern.covers(&pattern));
        }
        let Ok(capabilities) = serde_json::from_str::<Capabilities>(first) else {
            return;
        };
        let again = serde_json::to_string(&capabilities).expect("capabilities are written");
        assert_eq!(serde_json::from_str::<Capabilities>(&again).ok(), Some(capabilities.clone()));
        let grant = Grant::attenuate(&capabilities, &capabilities);
        let nothing = Grant::attenuate(&capabilities, &Capabilities::default());
        for line in lines {
            if let Ok(path) = root.join(line) {
                assert!(nothing.allows_read(&path).is_err());
                assert!(nothing.allows_write(&path).is_err());
                if grant.allows_read(&path).is_ok() || grant.allows_write(&path).is_ok() {
                    assert!(grant.shows(&path));
                }
            }
            if let Ok(target) = Target::parse(line) {
                // What is printed is what is judged, and what is dialled.
                assert_eq!(Target::parse(&target.to_string()).as_ref(), Ok(&target));
                assert!(nothing.allows_target(&target).is_err());
                if let Some(address) = target.host().address() {
                    let _ = grant.allows_address(&target, address);
                    assert!(nothing.allows_address(&target, address).is_err() || !address.is_loopback());
                }
                let _ = grant.allows_target(&target);
            }
            assert!(nothing.allows_env(line).is_err());
            let _ = grant.allows_env(line);
        }
    }
});
