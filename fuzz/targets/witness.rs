//! Requests to witnesses and mirrors, and their answers: what is taken is written as it came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oacp_tlog::mirror::{MirrorInfo, Package, UploadHead};
use oacp_tlog::witness::{parse_cosignatures, parse_size};
use oacp_tlog::{AddCheckpoint, Hash, Known, Refused, SignerKey, judge};

fuzz_target!(|data: &[u8]| {
    answers(data);
    upload(data);
    let Ok(request) = AddCheckpoint::parse(data) else {
        return;
    };
    assert_eq!(request.to_string().as_bytes(), data);
    let checkpoint = request.checkpoint();
    let Ok(name) = checkpoint.origin().parse() else {
        return;
    };
    let known = Known {
        size: 4,
        root: Hash::from_bytes([4; 32]),
    };
    // Not the log's key; then the log's, of which a fuzzer has no signature.
    let key = SignerKey::ed25519(name, &[7; 32]);
    assert_eq!(
        judge(Some(&known), &request, &[]),
        Err(Refused::UnknownOrigin)
    );
    assert_eq!(
        judge(Some(&known), &request, &[key.verifier()]),
        Err(Refused::BadSignature)
    );

    // Signed by the log, each is judged, and a witness never goes back.
    let signed = oacp_tlog::SignedCheckpoint::sign(checkpoint.checkpoint(), &key);
    let request = AddCheckpoint::new(request.old_size(), request.proof().to_vec(), signed);
    let request = request.expect("as many hashes as before");
    for known in [None, Some(&known)] {
        match judge(known, &request, &[key.verifier()]) {
            Ok(now) => {
                assert_eq!((now.size, now.root), (checkpoint.size(), checkpoint.root()));
                assert!(known.is_none_or(|known| known.size <= now.size));
            }
            Err(refused) => assert!(matches!(refused.status(), 400 | 409 | 422)),
        }
    }
});

fn answers(data: &[u8]) {
    if let Ok(signatures) = parse_cosignatures(data) {
        let again: String = signatures.iter().map(ToString::to_string).collect();
        assert_eq!(again.as_bytes(), data);
    }
    if let Some(size) = parse_size(data) {
        assert_eq!(format!("{size}\n").as_bytes(), data);
    }
    if let Some(info) = str::from_utf8(data)
        .ok()
        .and_then(|text| text.parse::<MirrorInfo>().ok())
    {
        assert_eq!(info.to_string().as_bytes(), data);
    }
}

fn upload(data: &[u8]) {
    let Ok(Some((head, length))) = UploadHead::parse(data) else {
        return;
    };
    assert_eq!(head.to_bytes(), data[..length]);
    let mut rest = &data[length..];
    for range in head.packages().take(32) {
        let count = (range.end - range.start) as usize;
        assert!((1..=256).contains(&count));
        let Ok(Some((package, length))) = Package::parse(rest, count) else {
            return;
        };
        let mut again = Vec::new();
        package
            .encode(&mut again)
            .expect("what was read can be written");
        assert_eq!(again, rest[..length]);
        // The root of what a fuzzer writes is not all zeros.
        let root = Hash::from_bytes([0; 32]);
        assert!(package.verify(range.start, &[], head.end(), &root).is_err());
        rest = &rest[length..];
    }
}
