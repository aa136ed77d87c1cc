//! An artefact in a registry, as the OCI distribution specification 1.1 has it: pulling only.
//!
//! Attack: a registry that gives other bytes than the tag's owner put there. A tag is only a question; what is pinned is the manifest's
//! digest, what is fetched is what the manifest names by digest, and who signed is asked of the signature.

use std::collections::BTreeMap;

use oacp::capability::Target;
use oacp::digest::Digest;
use oacp::http::Response;
use oacp::json::from_slice;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::FetchError;
use super::name::FileName;
use super::reference::Image;
use super::web::{Asking, Headers, Web, header};
use crate::limits::{OCI_MANIFEST, OCI_TOKEN};

/// The types of manifests that are read.
const MANIFEST_TYPES: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

/// The types of layers that are components: what the ecosystem writes, and what it wrote before.
const WASM_TYPES: [&str; 2] = [
    "application/wasm",
    "application/vnd.wasm.content.layer.v1+wasm",
];

/// Under which tools for files keep a file's name.
const TITLE: &str = "org.opencontainers.image.title";

/// A registry, asked for one repository.
pub(super) struct Registry<'a, W> {
    asking: Asking<'a, W>,
    image: &'a Image,
    token: Option<String>,
}

/// What a manifest says.
#[derive(Deserialize)]
pub(super) struct Manifest {
    #[serde(default)]
    pub(super) layers: Vec<Layer>,
    /// An index has these instead.
    #[serde(default)]
    manifests: Option<IgnoredAny>,
}

/// A blob, as a manifest names it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Layer {
    pub(super) media_type: String,
    #[serde(deserialize_with = "digest")]
    pub(super) digest: Digest,
    pub(super) size: u64,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
}

/// The one file of an artefact.
pub(super) struct File {
    pub(super) name: FileName,
    pub(super) sha256: Digest,
}

fn digest<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

impl<'a, W: Web> Registry<'a, W> {
    pub(super) fn new(web: &'a W, image: &'a Image) -> Self {
        Self {
            asking: Asking::new(web, image.registry().clone()),
            image,
            token: None,
        }
    }

    /// The manifest that a tag or a digest stands for, with its digest. `None`: there is none.
    pub(super) async fn manifest(
        &mut self,
        reference: &str,
    ) -> Result<Option<(Digest, Manifest)>, FetchError> {
        let what = format!("manifests/{reference}");
        let headers = Headers {
            accept: Some(MANIFEST_TYPES),
            ..Headers::default()
        };
        let reply = self.get(&what, headers, OCI_MANIFEST.bytes_max).await?;
        match reply.status {
            200 => {}
            404 => return Ok(None),
            status => {
                return Err(FetchError::Status {
                    what: self.url(&what)?.to_string(),
                    status,
                });
            }
        }
        let manifest: Manifest = from_slice(&reply.body, OCI_MANIFEST)
            .map_err(|_| self.malformed("its manifest is not one"))?;
        Ok(Some((Digest::of(&reply.body), manifest)))
    }

    /// A small blob.
    pub(super) async fn blob(
        &mut self,
        sha256: Digest,
        bytes_max: usize,
    ) -> Result<Vec<u8>, FetchError> {
        let reply = self.blob_piece(sha256, None, bytes_max).await?;
        let what = || format!("{}, blob {sha256}", self.image);
        if reply.status != 200 {
            return Err(FetchError::Status {
                what: what(),
                status: reply.status,
            });
        }
        let found = Digest::of(&reply.body);
        if found != sha256 {
            return Err(FetchError::Digest {
                what: what(),
                expected: sha256,
                found,
            });
        }
        Ok(reply.body)
    }

    /// The reply to one request for a blob or a part of it.
    pub(super) async fn blob_piece(
        &mut self,
        sha256: Digest,
        range: Option<(u64, u64)>,
        bytes_max: usize,
    ) -> Result<Response, FetchError> {
        let headers = Headers {
            range,
            ..Headers::default()
        };
        self.get(&format!("blobs/{sha256}"), headers, bytes_max)
            .await
    }

    /// The one file that an artefact is.
    pub(super) fn file(&self, manifest: &Manifest) -> Result<File, FetchError> {
        if manifest.manifests.is_some() {
            return Err(self.malformed("it is an index of several; name one of them by its digest"));
        }
        let [layer] = manifest.layers.as_slice() else {
            return Err(self.malformed("it does not have exactly one layer, as a tool has"));
        };
        let last = self.image.repository().rsplit('/').next();
        let component = format!("{}.wasm", last.unwrap_or_default());
        let is_component = WASM_TYPES.contains(&layer.media_type.as_str());
        let name = match layer.annotations.get(TITLE) {
            // A component is one whatever its file was called.
            _ if is_component => FileName::parse(&component),
            Some(title) => FileName::parse(title).filter(|name| !name.as_str().ends_with(".wasm")),
            None => None,
        };
        let name = name.ok_or_else(|| {
            self.malformed(
                "its layer is neither of the type `application/wasm` nor titled as a .py, .js, .mjs, .ts or .mts file",
            )
        })?;
        if layer.size > name.bytes_max() as u64 {
            return Err(FetchError::TooLarge {
                what: self.image.to_string(),
                bytes_max: name.bytes_max(),
            });
        }
        Ok(File {
            name,
            sha256: layer.digest,
        })
    }

    fn malformed(&self, problem: &'static str) -> FetchError {
        FetchError::Malformed {
            what: self.image.to_string(),
            problem,
        }
    }

    fn url(&self, what: &str) -> Result<Target, FetchError> {
        let registry = self.image.registry();
        let path = format!("/v2/{}/{what}", self.image.repository());
        self.asking.next(registry, &path)
    }

    /// Asks, with a token if the registry wants one. One that has run out is replaced.
    async fn get(
        &mut self,
        what: &str,
        headers: Headers<'_>,
        bytes_max: usize,
    ) -> Result<Response, FetchError> {
        let url = self.url(what)?;
        let token = self.token.clone();
        let with = |token| Headers { token, ..headers };
        let reply = self
            .asking
            .get(&url, with(token.as_deref()), bytes_max)
            .await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        let token = self.new_token(&reply).await?;
        let reply = self.asking.get(&url, with(Some(&token)), bytes_max).await?;
        self.token = Some(token);
        match reply.status {
            401 | 403 => Err(self.credentials()),
            _ => Ok(reply),
        }
    }

    /// A token for pulling, as anybody is given one.
    async fn new_token(&self, refused: &Response) -> Result<String, FetchError> {
        #[derive(Deserialize)]
        struct Tokens {
            token: Option<String>,
            access_token: Option<String>,
        }
        let challenge = header(refused, "www-authenticate").ok_or_else(|| self.credentials())?;
        let challenge = Challenge::parse(challenge).ok_or_else(|| self.credentials())?;
        let scope = format!("repository:{}:pull", self.image.repository());
        let mut url = challenge.realm.to_owned();
        let mut separator = if url.contains('?') { '&' } else { '?' };
        for (name, value) in [("service", challenge.service), ("scope", &scope)] {
            if !value.is_empty() {
                url.push_str(&format!("{separator}{name}={}", encoded(value)));
                separator = '&';
            }
        }
        let url = self.asking.next(self.image.registry(), &url)?;
        let reply = self
            .asking
            .get(&url, Headers::default(), OCI_TOKEN.bytes_max)
            .await?;
        if reply.status != 200 {
            return Err(self.credentials());
        }
        let tokens: Tokens = from_slice(&reply.body, OCI_TOKEN)
            .map_err(|_| self.malformed("its registry's token is not one"))?;
        let token = tokens.token.or(tokens.access_token);
        token.ok_or_else(|| self.malformed("its registry's token is not one"))
    }

    fn credentials(&self) -> FetchError {
        FetchError::Credentials {
            image: self.image.to_string(),
        }
    }
}

/// `Bearer realm="…",service="…"`.
#[derive(Debug, PartialEq, Eq)]
struct Challenge<'a> {
    realm: &'a str,
    service: &'a str,
}

impl<'a> Challenge<'a> {
    /// `None`: another scheme, or no realm.
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, mut rest) = text.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service) = (None, "");
        while let Some((name, after)) = rest.split_once("=\"") {
            let (value, after) = after.split_once('"')?;
            match name.trim_matches([',', ' ']) {
                "realm" => realm = Some(value),
                "service" => service = value,
                _ => {}
            }
            rest = after;
        }
        Some(Self {
            realm: realm?,
            service,
        })
    }
}

/// Percent-encoded, as a value in a query.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read() {
        let read = |realm, service| Some(Challenge { realm, service });
        for (text, expected) in [
            (
                r#"Bearer realm="https://a.example/token",service="reg.example",scope="repository:x:pull,push""#,
                read("https://a.example/token", "reg.example"),
            ),
            (
                r#"bearer scope="x", realm="https://a.example/t?a=b""#,
                read("https://a.example/t?a=b", ""),
            ),
            (r#"Basic realm="x""#, None),
            (r#"Bearer service="x""#, None),
            (r#"Bearer realm="x"#, None),
            ("Bearer", None),
            ("", None),
        ] {
            assert_eq!(Challenge::parse(text), expected, "{text}");
        }
        assert_eq!(encoded("a:b/c d,é"), "a%3Ab%2Fc%20d%2C%C3%A9");
    }
}
