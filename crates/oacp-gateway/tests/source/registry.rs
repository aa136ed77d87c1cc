//! An artefact in a registry.

use std::collections::BTreeMap;

use oacp::digest::Digest;
use oacp_tool::source::{FetchError, PublisherKey, SignaturePolicy};

use crate::server::{Asked, Server, fetched, fetched_by, part, reply};
use crate::signature::{Cosign, node, public, release};

const WASM: &[u8] = b"\0asm\x0d\0\x01\0";

/// What a registry has of the repository `acme/weather`, by path.
#[derive(Clone, Default)]
struct Content(BTreeMap<String, Vec<u8>>);

impl Content {
    fn blob(&mut self, bytes: &[u8]) -> String {
        let digest = Digest::of(bytes).to_string();
        let path = format!("/v2/acme/weather/blobs/{digest}");
        self.0.insert(path, bytes.to_vec());
        digest
    }

    fn manifest(&mut self, tag: &str, manifest: &str) -> Digest {
        let digest = Digest::of(manifest.as_bytes());
        for reference in [tag, &digest.to_string()] {
            let path = format!("/v2/acme/weather/manifests/{reference}");
            self.0.insert(path, manifest.as_bytes().to_vec());
        }
        digest
    }

    /// An image with these layers: type, bytes, annotations as JSON.
    fn image(&mut self, tag: &str, layers: &[(&str, &[u8], &str)]) -> Digest {
        let layers: Vec<_> = layers
            .iter()
            .map(|(media_type, bytes, annotations)| {
                let digest = self.blob(bytes);
                let size = bytes.len();
                format!(
                    r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size},"annotations":{annotations}}}"#
                )
            })
            .collect();
        let manifest = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.wasm.config.v0+json"}},"layers":[{}]}}"#,
            layers.join(",")
        );
        self.manifest(tag, &manifest)
    }

    fn component() -> (Self, Digest) {
        let mut content = Self::default();
        let digest = content.image("1.0", &[("application/wasm", WASM, "{}")]);
        (content, digest)
    }

    fn answer(&self, asked: &Asked) -> Vec<u8> {
        match self.0.get(&asked.path) {
            Some(bytes) => part(asked, bytes),
            None => reply("404 Not Found", "", b""),
        }
    }

    fn serve(&self) -> Server {
        let content = self.clone();
        Server::new(move |asked| content.answer(asked))
    }
}

fn refused(content: &Content, reference: &str) -> FetchError {
    let cache = tempfile::tempdir().unwrap();
    let server = content.serve();
    fetched(&format!("oci://{}/{reference}", server.host), cache.path()).unwrap_err()
}

#[test]
fn a_tag_is_resolved_and_what_it_stood_for_is_pinned() {
    let cache = tempfile::tempdir().unwrap();
    let (content, digest) = Content::component();
    let server = content.serve();
    let base = format!("oci://{}/acme/weather", server.host);
    let found = fetched(&format!("{base}:1.0"), cache.path()).unwrap();
    assert_eq!(found.name.as_str(), "weather.wasm");
    assert_eq!(
        (found.bytes.as_slice(), found.sha256),
        (WASM, Digest::of(WASM))
    );
    assert_eq!(found.reference.to_string(), format!("{base}:1.0@{digest}"));
    let manifest = "/v2/acme/weather/manifests/1.0".to_owned();
    let blob = format!(
        "/v2/acme/weather/blobs/{} bytes=0-1048575",
        Digest::of(WASM)
    );
    assert_eq!(server.asked(), [manifest, blob]);

    // By digest, and from the cache but for the manifest.
    let found = fetched(&format!("{base}@{digest}"), cache.path()).unwrap();
    assert_eq!(found.reference.to_string(), format!("{base}@{digest}"));
    let found = fetched(&found_again(&base, digest), cache.path()).unwrap();
    assert_eq!(found.sha256, Digest::of(WASM));
    assert!(
        server
            .asked()
            .iter()
            .all(|path| path.ends_with(&format!("manifests/{digest}")))
    );
}

fn found_again(base: &str, digest: Digest) -> String {
    format!("{base}:1.0@{digest}")
}

#[test]
fn a_registry_that_gives_something_else_is_refused() {
    let (content, digest) = Content::component();
    let mut other = content.clone();
    let evil = b"\0asm\x0d\0\x01\0evil".to_vec();
    // Another manifest under the digest.
    let path = format!("/v2/acme/weather/manifests/{digest}");
    other.0.insert(path, br#"{"layers":[]}"#.to_vec());
    let error = refused(&other, &format!("acme/weather:1.0@{digest}"));
    assert!(
        matches!(error, FetchError::Digest { expected, .. } if expected == digest),
        "{error:?}"
    );
    // Another blob under the layer's.
    let mut other = content;
    let path = format!("/v2/acme/weather/blobs/{}", Digest::of(WASM));
    other.0.insert(path, evil.clone());
    let error = refused(&other, "acme/weather:1.0");
    assert!(
        matches!(error, FetchError::Digest { expected, found, .. } if (expected, found) == (Digest::of(WASM), Digest::of(&evil))),
        "{error:?}"
    );
    let error = refused(&other, "acme/weather:2.0");
    assert!(matches!(error, FetchError::Missing { .. }), "{error:?}");
}

#[test]
fn a_source_file_goes_by_its_title() {
    let cache = tempfile::tempdir().unwrap();
    let mut content = Content::default();
    let title = r#"{"org.opencontainers.image.title":"forecast.py"}"#;
    content.image("1", &[("text/x-python", b"def f(): ...", title)]);
    let server = content.serve();
    let found = fetched(
        &format!("oci://{}/acme/weather:1", server.host),
        cache.path(),
    );
    assert_eq!(found.unwrap().name.as_str(), "forecast.py");
}

#[test]
fn an_artefact_that_is_no_tool_is_refused() {
    let mut content = Content::default();
    let title = |name: &str| format!(r#"{{"org.opencontainers.image.title":"{name}"}}"#);
    let (archive, above, fake) = (title("a.tar.gz"), title("../a.py"), title("a.wasm"));
    content.image("none", &[]);
    content.image("untitled", &[("text/x-python", b"x", "{}")]);
    content.image("archive", &[("application/gzip", b"x", &archive)]);
    content.image("above", &[("text/x-python", b"x", &above)]);
    content.image("fake", &[("text/plain", b"x", &fake)]);
    content.image(
        "two",
        &[
            ("application/wasm", b"x", "{}"),
            ("application/wasm", b"y", "{}"),
        ],
    );
    content.manifest("index", r#"{"schemaVersion":2,"manifests":[]}"#);
    content.manifest("twice", r#"{"layers":[],"layers":[]}"#);
    content.manifest("text", "x");
    content.manifest(
        "digest",
        r#"{"layers":[{"mediaType":"application/wasm","digest":"sha256:1","size":1}]}"#,
    );
    for tag in [
        "none", "untitled", "archive", "above", "fake", "two", "index", "twice", "text", "digest",
    ] {
        let error = refused(&content, &format!("acme/weather:{tag}"));
        assert!(
            matches!(error, FetchError::Malformed { .. }),
            "{tag}: {error:?}"
        );
    }
    let layer = format!(
        r#"{{"layers":[{{"mediaType":"application/wasm","digest":"{}","size":{}}}]}}"#,
        Digest::of(WASM),
        (128 << 20) + 1
    );
    content.manifest("huge", &layer);
    content.manifest("long", &format!("{{\"x\":\"{}\"}}", "x".repeat(1 << 20)));
    for tag in ["huge", "long"] {
        let error = refused(&content, &format!("acme/weather:{tag}"));
        assert!(
            matches!(error, FetchError::TooLarge { .. }),
            "{tag}: {error:?}"
        );
    }
}

#[test]
fn a_token_is_fetched_where_the_registry_says_and_only_once() {
    let cache = tempfile::tempdir().unwrap();
    let (content, _) = Content::component();
    let server = Server::new(move |asked| {
        if asked.path.starts_with("/token?") {
            return reply("200 OK", "", br#"{"token":"t0ken"}"#);
        }
        if asked.headers.get("authorization").map(String::as_str) == Some("Bearer t0ken") {
            return content.answer(asked);
        }
        let host = &asked.headers["host"];
        let challenge = format!(
            "www-authenticate: Bearer realm=\"http://{host}/token\",service=\"a b\",scope=\"x\"\n"
        );
        reply("401 Unauthorized", &challenge, b"")
    });
    let reference = format!("oci://{}/acme/weather:1.0", server.host);
    assert_eq!(fetched(&reference, cache.path()).unwrap().bytes, WASM);
    let asked = server.asked();
    assert_eq!(
        asked[..3],
        [
            "/v2/acme/weather/manifests/1.0",
            "/token?service=a%20b&scope=repository%3Aacme%2Fweather%3Apull",
            "/v2/acme/weather/manifests/1.0"
        ]
    );
    assert_eq!(asked.len(), 4);
}

#[test]
fn a_registry_that_wants_an_account_is_told_so() {
    for challenge in [
        "",
        "www-authenticate: Basic realm=\"x\"\n",
        "www-authenticate: Bearer realm=\"/no\"\n",
    ] {
        let server = Server::new(move |asked| match asked.path.as_str() {
            "/no?scope=repository%3Ax%3Apull" => reply("403 Forbidden", "", b""),
            _ => reply("401 Unauthorized", challenge, b""),
        });
        let cache = tempfile::tempdir().unwrap();
        let error = fetched(&format!("oci://{}/x:1", server.host), cache.path()).unwrap_err();
        assert!(
            matches!(error, FetchError::Credentials { .. }),
            "{challenge}: {error:?}"
        );
    }
    let elsewhere = "www-authenticate: Bearer realm=\"http://a.example/token\"\n";
    let server = Server::new(move |_| reply("401 Unauthorized", elsewhere, b""));
    let cache = tempfile::tempdir().unwrap();
    let error = fetched(&format!("oci://{}/x:1", server.host), cache.path()).unwrap_err();
    assert!(matches!(error, FetchError::Led { .. }), "{error:?}");
}

/// Fetches the component under a policy, with a signature in cosign's layout: type, payload, annotations.
fn signed(
    suffix: &str,
    layers: &[(&str, &[u8], &str)],
    keys: &[PublisherKey],
) -> Result<(String, String), FetchError> {
    let (mut content, digest) = Content::component();
    content.image(&format!("sha256-{}.{suffix}", digest.hex()), layers);
    let server = content.serve();
    let cache = tempfile::tempdir().unwrap();
    let reference = format!("oci://{}/acme/weather:1.0", server.host);
    let policy = SignaturePolicy::signed_by(keys.to_vec());
    let found = fetched_by(&reference, cache.path(), &policy, &mut |_| {})?;
    let signature = found.signature.unwrap();
    Ok((signature.kind, signature.signer))
}

fn payload(digest: &str, kind: &str) -> String {
    format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"x"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"{kind}"}},"optional":null}}"#
    )
}

const SIMPLE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const IMAGE: &str = "cosign container image signature";

fn annotation(signature: &str) -> String {
    format!(r#"{{"dev.cosignproject.cosign/signature":"{signature}"}}"#)
}

#[test]
fn a_signature_of_cosigns_is_of_the_manifest() {
    let (cosign, other) = (Cosign::new(), Cosign::new());
    let (_, digest) = Content::component();
    let right = payload(&digest.to_string(), IMAGE);
    let wrong = payload(&Digest::of(b"other").to_string(), IMAGE);
    let attested = payload(&digest.to_string(), "cosign container image attestation");
    let by = |key: &Cosign, payload: &str| annotation(&key.sign(payload.as_bytes()));
    let keys = [public(&node(1)), cosign.public()];

    // The first is by somebody else.
    let (first, second) = (by(&other, &right), by(&cosign, &right));
    let layers = [
        (SIMPLE, right.as_bytes(), first.as_str()),
        (SIMPLE, right.as_bytes(), second.as_str()),
    ];
    let expected = ("cosign".to_owned(), cosign.public().id().hex());
    assert_eq!(signed("sig", &layers, &keys).unwrap(), expected);

    let of_wrong = by(&cosign, &wrong);
    let of_attested = by(&cosign, &attested);
    for (kind, payload, annotations) in [
        (SIMPLE, right.as_str(), first.as_str()),
        (SIMPLE, wrong.as_str(), of_wrong.as_str()),
        (SIMPLE, attested.as_str(), of_attested.as_str()),
        (SIMPLE, wrong.as_str(), second.as_str()),
        (SIMPLE, right.as_str(), "{}"),
        ("application/json", right.as_str(), second.as_str()),
    ] {
        let layers = [(kind, payload.as_bytes(), annotations)];
        let error = signed("sig", &layers, &keys).unwrap_err();
        assert!(
            matches!(error, FetchError::Unsigned { .. }),
            "{payload}: {error:?}"
        );
    }
    // In another place.
    let layers = [(SIMPLE, right.as_bytes(), second.as_str())];
    let error = signed("att", &layers, &keys).unwrap_err().to_string();
    let tag = format!("`sha256-{}", digest.hex());
    for part in [
        format!("{tag}.sig` (not there)"),
        format!("{tag}.att` (signed by another key, or something else)"),
        "`cosign.pub` (key ".to_owned(),
    ] {
        assert!(error.contains(&part), "{error}");
    }
}

#[test]
fn a_release_in_a_registry_is_of_the_file() {
    const DSSE: &str = "application/vnd.dsse.envelope.v1+json";
    let keys = [public(&node(1))];
    let (right, by_another, of_another) = (
        release(WASM, &node(1)),
        release(WASM, &node(2)),
        release(b"x", &node(1)),
    );
    let expected = ("dsse".to_owned(), node(1).public().id().to_string());
    // Others attest, too, and in other words.
    let layers = [
        (DSSE, b"{}".as_slice(), "{}"),
        (DSSE, by_another.as_slice(), "{}"),
        (DSSE, right.as_slice(), "{}"),
    ];
    assert_eq!(signed("att", &layers, &keys).unwrap(), expected);
    for envelope in [&by_another, &of_another] {
        let layers = [(DSSE, envelope.as_slice(), "{}")];
        let error = signed("att", &layers, &keys).unwrap_err();
        assert!(matches!(error, FetchError::Unsigned { .. }), "{error:?}");
    }
}
