//! Where a signature is looked for, and what is found there.

use std::fmt::Display;

use oacp::digest::Digest;

use super::oci::{Layer, Registry};
use super::signature::{released, signed_blob, signed_image};
use super::web::Web;
use super::{FetchError, SignaturePolicy};
use crate::limits::{COSIGN_PAYLOAD, RELEASE_BYTES_MAX, SIGNATURES_MAX};
use crate::store::Signature;

/// The type of layers that are payloads of cosign's signatures, and where such a layer has the signature.
const COSIGN_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const COSIGN_SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// The type of layers that are DSSE envelopes.
const DSSE_TYPE: &str = "application/vnd.dsse.envelope.v1+json";

/// A search for one signature by one of the policy's keys.
pub(super) struct Search<'a> {
    policy: &'a SignaturePolicy,
    found: Option<Signature>,
    places: Vec<String>,
}

/// A place beside a file.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// An envelope with a release.
    Dsse,
    /// What `cosign sign-blob` writes.
    Cosign,
}

impl Place {
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Dsse => ".dsse.json",
            Self::Cosign => ".sig",
        }
    }

    pub(super) fn bytes_max(self) -> usize {
        match self {
            Self::Dsse => RELEASE_BYTES_MAX,
            Self::Cosign => COSIGN_PAYLOAD.bytes_max,
        }
    }
}

impl<'a> Search<'a> {
    pub(super) fn new(policy: &'a SignaturePolicy) -> Self {
        Self {
            policy,
            found: None,
            places: Vec::new(),
        }
    }

    /// The places in which one of the keys could have signed a file.
    pub(super) fn places(&self) -> Vec<Place> {
        let mut places = Vec::new();
        if self.policy.ours().next().is_some() {
            places.push(Place::Dsse);
        }
        if self.policy.cosign().next().is_some() {
            places.push(Place::Cosign);
        }
        places
    }

    /// Looks at what is in a place. `content`: `None` if nothing is there.
    pub(super) fn look(
        &mut self,
        place: Place,
        at: &dyn Display,
        content: Option<&[u8]>,
        bytes: &[u8],
        sha256: Digest,
    ) {
        let signature = content.and_then(|content| match place {
            Place::Dsse => released(content, sha256, self.policy),
            Place::Cosign => signed_blob(bytes, content, self.policy),
        });
        self.note(at, content.is_some(), signature);
    }

    /// Who signed.
    pub(super) fn outcome(self, what: &dyn Display) -> Result<Option<Signature>, FetchError> {
        if self.found.is_none() && self.policy.is_required() {
            return Err(FetchError::Unsigned {
                what: what.to_string(),
                keys: self.policy.names(),
                places: self.places,
            });
        }
        Ok(self.found)
    }

    fn note(&mut self, at: &dyn Display, is_there: bool, signature: Option<Signature>) {
        self.places.push(match is_there {
            true => format!("`{at}` (signed by another key, or something else)"),
            false => format!("`{at}` (not there)"),
        });
        self.found = self.found.take().or(signature);
    }
}

impl<W: Web> Registry<'_, W> {
    /// Looks for signatures of an artefact in cosign's layout: tags that are made of the manifest's digest. `file`: the artefact's one file, of
    /// which a release is.
    pub(super) async fn signatures(
        &mut self,
        manifest: Digest,
        file: Digest,
        search: &mut Search<'_>,
    ) -> Result<(), FetchError> {
        for place in search.places() {
            let (suffix, media_type) = match place {
                Place::Dsse => ("att", DSSE_TYPE),
                Place::Cosign => ("sig", COSIGN_TYPE),
            };
            let tag = format!("sha256-{}.{suffix}", manifest.hex());
            let layers = match self.manifest(&tag).await? {
                Some((_, manifest)) => manifest.layers,
                None => {
                    search.note(&tag, false, None);
                    continue;
                }
            };
            let layers = layers.iter().filter(|layer| layer.media_type == media_type);
            let mut signature = None;
            for layer in layers.take(SIGNATURES_MAX) {
                signature = self.signature(place, layer, manifest, file, search).await?;
                if signature.is_some() {
                    break;
                }
            }
            search.note(&tag, true, signature);
        }
        Ok(())
    }

    async fn signature(
        &mut self,
        place: Place,
        layer: &Layer,
        manifest: Digest,
        file: Digest,
        search: &Search<'_>,
    ) -> Result<Option<Signature>, FetchError> {
        // Others may keep larger ones there, for other purposes.
        if layer.size > place.bytes_max() as u64 {
            return Ok(None);
        }
        let content = self.blob(layer.digest, place.bytes_max()).await?;
        Ok(match place {
            Place::Dsse => released(&content, file, search.policy),
            Place::Cosign => {
                let signature = layer.annotations.get(COSIGN_SIGNATURE);
                signature.and_then(|signature| {
                    signed_image(&content, signature, manifest, search.policy)
                })
            }
        })
    }
}
