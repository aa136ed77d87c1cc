//! One key has one encoding in each form, whichever form it came in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oacp::PublicKey;

fuzz_target!(|data: &[u8]| {
    let text = std::str::from_utf8(data).ok();
    if let Ok(key) = PublicKey::from_spki(data) {
        assert_eq!(key.to_spki().as_slice(), data);
        every_form_reads_back(key);
    }
    if let Some(key) = text.and_then(|text| text.parse::<PublicKey>().ok()) {
        assert_eq!(Some(key.to_string().as_str()), text);
        every_form_reads_back(key);
    }
    if let Some(key) = text.and_then(|text| PublicKey::from_pem(text).ok()) {
        every_form_reads_back(key);
    }
    // The first bytes as a bare key: half of all are points.
    if let Some(key) = data
        .first_chunk()
        .and_then(|bytes| PublicKey::from_bytes(bytes).ok())
    {
        assert!(data.starts_with(key.as_bytes()));
        every_form_reads_back(key);
    }
});

fn every_form_reads_back(key: PublicKey) {
    assert_eq!(PublicKey::from_bytes(key.as_bytes()), Ok(key));
    assert_eq!(PublicKey::from_spki(&key.to_spki()), Ok(key));
    assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
    assert_eq!(key.to_string().parse(), Ok(key));
}
