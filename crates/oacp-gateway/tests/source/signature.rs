//! Whose signature a file has.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oacp::digest::Digest;
use oacp::key::SecretKey;
use oacp::release::Release;
use oacp::time::Timestamp;
use oacp_tool::source::{FetchError, Fetched, PublisherKey, SignaturePolicy};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::server::{Server, fetched_by};

/// The SPKI of a P-256 key, up to its point.
const P256: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

/// A key as cosign has it.
pub struct Cosign(EcdsaKeyPair);

impl Cosign {
    pub fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random);
        Self(key.unwrap())
    }

    pub fn public(&self) -> PublisherKey {
        let prefix = (0..P256.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&P256[at..at + 2], 16).unwrap());
        let der: Vec<u8> = prefix
            .chain(self.0.public_key().as_ref().iter().copied())
            .collect();
        let text = STANDARD.encode(der);
        let lines: Vec<_> = text
            .as_bytes()
            .chunks(64)
            .map(String::from_utf8_lossy)
            .collect();
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        );
        PublisherKey::from_pem("cosign.pub", &pem).unwrap()
    }

    /// Base64.
    pub fn sign(&self, bytes: &[u8]) -> String {
        let signature = self.0.sign(&SystemRandom::new(), bytes).unwrap();
        STANDARD.encode(signature)
    }
}

pub fn node(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

pub fn public(key: &SecretKey) -> PublisherKey {
    PublisherKey::from_pem("node.pem", &key.public().to_pem()).unwrap()
}

/// An envelope in which `key` releases these bytes.
pub fn release(bytes: &[u8], key: &SecretKey) -> Vec<u8> {
    let release = Release {
        name: "tool.py".to_owned(),
        sha256: Digest::of(bytes),
        timestamp: Timestamp::from_unix_ms(0),
        unknown: vec![],
    };
    release.sign(key).to_json()
}

/// What is beside a file: what is added to its name, and the content.
type Beside<'a> = &'a [(&'a str, &'a [u8])];

/// What is signed beside a file on a server, and beside the same file on this machine, is judged alike.
fn both(
    beside: Beside<'_>,
    keys: &[PublisherKey],
) -> (Result<Fetched, FetchError>, Result<Fetched, FetchError>) {
    let content: &[u8] = b"def f(): ...";
    let policy = SignaturePolicy::signed_by(keys.to_vec());
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("tool.py"), content).unwrap();
    let mut files = vec![("/tool.py".to_owned(), content)];
    for (suffix, bytes) in beside {
        fs::write(dir.path().join(format!("tool.py{suffix}")), bytes).unwrap();
        files.push((format!("/tool.py{suffix}"), bytes));
    }
    let files: Vec<_> = files
        .iter()
        .map(|(path, bytes)| (path.as_str(), *bytes))
        .collect();
    let server = Server::of(&files);
    let path = dir.path().join("tool.py").display().to_string();
    let cache = dir.path().join("cache");
    (
        fetched_by(
            &server.url("/tool.py", content),
            &cache,
            &policy,
            &mut |_| {},
        ),
        fetched_by(&path, &cache, &policy, &mut |_| {}),
    )
}

fn signer(found: &Result<Fetched, FetchError>) -> Option<(String, String)> {
    let signature = found.as_ref().ok()?.signature.clone()?;
    Some((signature.kind, signature.signer))
}

#[test]
fn a_release_beside_a_file_is_the_publishers() {
    let envelope = release(b"def f(): ...", &node(1));
    let keys = [Cosign::new().public(), public(&node(2)), public(&node(1))];
    let (url, path) = both(&[(".dsse.json", &envelope)], &keys);
    let expected = Some(("dsse".to_owned(), node(1).public().id().to_string()));
    assert_eq!(signer(&url), expected, "{url:?}");
    assert_eq!(signer(&path), expected, "{path:?}");
}

#[test]
fn a_blob_that_cosign_signed_is_the_publishers() {
    let cosign = Cosign::new();
    let signature = format!("{}\n", cosign.sign(b"def f(): ..."));
    let keys = [Cosign::new().public(), cosign.public()];
    let (url, path) = both(&[(".sig", signature.as_bytes())], &keys);
    let expected = Some(("cosign".to_owned(), cosign.public().id().hex()));
    assert_eq!(signer(&url), expected, "{url:?}");
    assert_eq!(signer(&path), expected, "{path:?}");
}

#[test]
fn what_none_of_the_keys_signed_is_refused_and_says_what_was_looked_for() {
    let cosign = Cosign::new();
    let of_another = release(b"def g(): ...", &node(1));
    let by_another = release(b"def f(): ...", &node(2));
    let blob_of_another = cosign.sign(b"def g(): ...");
    let blob_by_another = Cosign::new().sign(b"def f(): ...");
    let (ours, theirs) = (public(&node(1)), cosign.public());
    let cases: [(Beside<'_>, &[PublisherKey]); 10] = [
        (&[], std::slice::from_ref(&ours)),
        (&[], std::slice::from_ref(&theirs)),
        (&[], &[]),
        (&[(".dsse.json", &of_another)], std::slice::from_ref(&ours)),
        (&[(".dsse.json", &by_another)], std::slice::from_ref(&ours)),
        (&[(".dsse.json", b"{}")], std::slice::from_ref(&ours)),
        (
            &[(".sig", blob_of_another.as_bytes())],
            std::slice::from_ref(&theirs),
        ),
        (
            &[(".sig", blob_by_another.as_bytes())],
            std::slice::from_ref(&theirs),
        ),
        (&[(".sig", b"")], std::slice::from_ref(&theirs)),
        // In the other's place.
        (
            &[(".sig", blob_by_another.as_bytes())],
            std::slice::from_ref(&ours),
        ),
    ];
    for (beside, keys) in cases {
        let (url, path) = both(beside, keys);
        for found in [url, path] {
            let Err(FetchError::Unsigned {
                keys: named,
                places,
                ..
            }) = found
            else {
                panic!("{beside:?}: {found:?}");
            };
            assert_eq!((named.len(), places.len()), (keys.len(), keys.len()));
        }
    }
    let (_, path) = both(&[(".dsse.json", &by_another)], &[ours, theirs]);
    let text = path.unwrap_err().to_string();
    for part in [
        "`node.pem` (key ",
        "`cosign.pub` (key ",
        ".dsse.json` (signed by another key, or something else)",
        ".sig` (not there)",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn keys_of_other_kinds_are_refused() {
    let rsa = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ==\n-----END PUBLIC KEY-----\n";
    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for pem in [rsa, private, "", "x"] {
        assert!(PublisherKey::from_pem("x", pem).is_err(), "{pem}");
    }
}
