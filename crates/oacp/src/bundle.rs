//! The bundle: one JSON file from which a stranger can check an execution, offline.
//!
//! ```json
//! {"type": "<prefix>bundle/v1", "private": ["contents", "events", "input", "output", "source"],
//!  "envelope": {…}, "delegation": {…}, "begin": {…}, "proofs": {"execution": ["<text>"]},
//!  "recording": {"salt_key": "<base64>", "events": ["<the event's bytes, as a string>"]},
//!  "source": {"entry": "main.py", "files": {"main.py": "sha256:…"}},
//!  "blobs": {"sha256:…": "<base64>"}}
//! ```
//!
//! Of a registered agent's run, `agent` has the definition. Where it called tools that ran as executions of their own, `tools` has the tools' definitions,
//! sorted by name, and `children` those executions' bundles, in the order of the calls. A child has
//! `holds` in the place of `type` and `blobs`: the digests, sorted, of the blobs that are its own, which
//! stand in the outermost bundle once for all.
//!
//! All but `type`, `private`, `envelope` and `delegation` may be absent. `private` says, sorted,
//! which private content is inside; it is verified, and every blob has to be named by something in
//! the bundle. A language runtime's component may be among the blobs; it is not private. Events are
//! strings, so that signed bytes are never written anew. Where only some are shown, `disclosed`
//! stands in the place of `recording`, see [`disclosure`](crate::disclosure). Of `proofs`, see
//! [`proofs`](crate::proofs). `evidence` and other fields are refused: nothing in a bundle goes
//! unchecked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oacp_tlog::TlogProof;
use serde::{Deserialize, Serialize};

use crate::agent::AgentDefinition;
use crate::blob::Blob;
use crate::digest::Digest;
use crate::disclosure::{Disclosed, DisclosedJson};
use crate::envelope::{Envelope, EnvelopeError, EnvelopeJson};
use crate::json::{AdmitError, AdmitErrorKind, from_slice};
use crate::limits::{BLOBS_MAX, BUNDLE, CHILDREN_DEPTH_MAX, CHILDREN_MAX, EVENTS_MAX};
use crate::proofs::{BundleProofError, Proofs, ProofsJson, Proven};
use crate::recording::{Recording, SaltKey};
use crate::source::{Source, SourceError, SourcePath};
use crate::tool::Definition;

/// The bundle's type and version.
pub const BUNDLE_V1: &str = uri!("bundle/v1");

/// An execution's envelope and delegation, with as much content as its owner hands on. Nothing in
/// it is verified; the claims come from [`Bundle::verify`].
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    pub(crate) envelope: Envelope,
    pub(crate) delegation: Envelope,
    pub(crate) begin: Option<Envelope>,
    pub(crate) proofs: Proofs,
    pub(crate) recording: Option<Arc<Recording>>,
    pub(crate) disclosed: Option<Arc<Disclosed>>,
    pub(crate) source: Option<Source>,
    /// Its own, and those of its children.
    pub(crate) blobs: BTreeMap<Digest, Arc<[u8]>>,
    pub(crate) private: BTreeSet<Private>,
    pub(crate) agent: Option<Arc<AgentDefinition>>,
    /// Sorted by name.
    pub(crate) tools: Vec<Definition>,
    pub(crate) children: Vec<Bundle>,
}

/// Private content that a bundle can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Private {
    /// The definition of the agent, of one that is registered.
    Agent,
    /// What the events name: arguments and results of calls, messages, files.
    Contents,
    /// Some of the events, without what would tell of the others.
    Disclosed,
    /// The events, with the seed and the salts' key.
    Events,
    /// The input.
    Input,
    /// The output.
    Output,
    /// The agent: its source, or its component.
    Source,
    /// The definitions of tools.
    Tools,
}

impl fmt::Display for Private {
    /// The word that a bundle has for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Agent => "agent",
            Self::Contents => "contents",
            Self::Disclosed => "disclosed",
            Self::Events => "events",
            Self::Input => "input",
            Self::Output => "output",
            Self::Source => "source",
            Self::Tools => "tools",
        })
    }
}

impl Bundle {
    /// A bundle without private content.
    pub fn new(envelope: Envelope, delegation: Envelope) -> Self {
        Self {
            envelope,
            delegation,
            begin: None,
            proofs: Proofs::default(),
            recording: None,
            disclosed: None,
            source: None,
            blobs: BTreeMap::new(),
            private: BTreeSet::new(),
            agent: None,
            tools: Vec::new(),
            children: Vec::new(),
        }
    }

    /// With the definition that the run was held to.
    pub fn with_agent(mut self, agent: impl Into<Arc<AgentDefinition>>) -> Self {
        self.private.insert(Private::Agent);
        self.agent = Some(agent.into());
        self
    }

    /// With the definitions of the tools that it called.
    pub fn with_tools(mut self, tools: impl IntoIterator<Item = Definition>) -> Self {
        self.tools.extend(tools);
        self.tools.sort_by(|one, other| one.name.cmp(&other.name));
        self.tools.dedup();
        if !self.tools.is_empty() {
            self.private.insert(Private::Tools);
        }
        self
    }

    /// With the bundle of an execution that it called, behind those that are there.
    pub fn with_child(mut self, child: Self) -> Self {
        let blobs = child.blobs.iter();
        self.blobs
            .extend(blobs.map(|(digest, bytes)| (*digest, Arc::clone(bytes))));
        self.children.push(child);
        self
    }

    /// With the begin that announced the execution. It is not private.
    pub fn with_begin(mut self, begin: Envelope) -> Self {
        self.begin = Some(begin);
        self
    }

    /// Adds a proof that one of the envelopes is logged, behind those that are there: the oldest
    /// stays, for its witnesses' time is evidence. A proof that is there is not added again. It is
    /// not verified here.
    ///
    /// # Errors
    /// 64 proofs of that envelope are there; the proof is longer than 64 KiB, or holds data of an
    /// application.
    pub fn add_proof(&mut self, of: Proven, proof: TlogProof) -> Result<(), BundleProofError> {
        self.proofs.add(of, proof)
    }

    /// With the events, and the contents that the recording holds: all that its events name, or
    /// none.
    pub fn with_recording(mut self, recording: Recording) -> Self {
        self.private.insert(Private::Events);
        self.private.remove(&Private::Disclosed);
        self.disclosed = None;
        if !recording.blobs().is_empty() {
            self.private.insert(Private::Contents);
            self.blobs.extend(
                recording
                    .blobs()
                    .iter()
                    .map(|(digest, bytes)| (*digest, Arc::clone(bytes))),
            );
        }
        self.recording = Some(Arc::new(recording));
        self
    }

    /// With the input.
    pub fn with_input(self, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.with(Some(Private::Input), Blob::of(bytes))
    }

    /// With the output.
    pub fn with_output(self, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.with(Some(Private::Output), Blob::of(bytes))
    }

    /// With the agent's source.
    pub fn with_source(mut self, source: Source) -> Self {
        self.private.insert(Private::Source);
        let files = source.blobs();
        self.blobs
            .extend(files.map(|(_, content)| content.clone().into_parts()));
        self.source = Some(source);
        self
    }

    /// With the agent's component, for an agent that is one.
    pub fn with_component(self, wasm: Blob) -> Self {
        self.with(Some(Private::Source), wasm)
    }

    /// With the language runtime's component, or one of its layers.
    pub fn with_runtime(self, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.with(None, Blob::of(bytes))
    }

    fn with(mut self, private: Option<Private>, blob: Blob) -> Self {
        self.private.extend(private);
        self.blobs.extend([blob.into_parts()]);
        self
    }

    /// The statement's envelope.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The delegation's envelope.
    pub fn delegation(&self) -> &Envelope {
        &self.delegation
    }

    /// The begin's envelope. `None`: there is none in the bundle.
    pub fn begin(&self) -> Option<&Envelope> {
        self.begin.as_ref()
    }

    /// The proofs that this envelope is logged, oldest first.
    pub fn proofs(&self, of: Proven) -> &[TlogProof] {
        self.proofs.of(of)
    }

    /// The bundles of the executions that it called.
    pub fn children(&self) -> &[Self] {
        &self.children
    }

    /// The private content that it says it holds.
    pub fn private(&self) -> &BTreeSet<Private> {
        &self.private
    }

    /// The bundle without contents: what may be shown to whoever must not see them. Envelopes and
    /// proofs stay, and so do those of its children.
    pub fn redact(self) -> Self {
        Self {
            begin: self.begin,
            proofs: self.proofs,
            children: self.children.into_iter().map(Self::redact).collect(),
            ..Self::new(self.envelope, self.delegation)
        }
    }

    /// Reads a bundle.
    ///
    /// # Errors
    /// What is not admitted as JSON; other fields, types or versions; base64 in another spelling; a
    /// blob that is not what its digest says; files that are no source.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        let mut json: BundleJson = from_slice(bytes, BUNDLE).map_err(|error| match error.kind {
            // A later version has fields that this one refuses: better to say that it is later.
            AdmitErrorKind::Shape(_) if is_other_type(bytes) => BundleError::Version,
            _ => BundleError::Json(error),
        })?;
        if json.kind.as_deref() != Some(BUNDLE_V1) {
            return Err(BundleError::Version);
        }
        if json.blobs.len() > BLOBS_MAX {
            return Err(BundleError::TooMany);
        }
        if json.holds.is_some() {
            return Err(BundleError::Holds);
        }
        let blobs = std::mem::take(&mut json.blobs).into_iter().map(decode_blob);
        let blobs = blobs.collect::<Result<BTreeMap<_, _>, _>>()?;
        Self::decode(json, blobs, CHILDREN_DEPTH_MAX)
    }

    fn decode(
        json: BundleJson,
        blobs: BTreeMap<Digest, Arc<[u8]>>,
        depth: usize,
    ) -> Result<Self, BundleError> {
        let recorded = json
            .recording
            .as_ref()
            .map_or(0, |recording| recording.events.len());
        let disclosed = json
            .disclosed
            .as_ref()
            .map_or(0, |disclosed| disclosed.events.len());
        let events = recorded.max(disclosed);
        if events > EVENTS_MAX || json.children.len() > CHILDREN_MAX {
            return Err(BundleError::TooMany);
        }
        if depth == 0 && !json.children.is_empty() {
            return Err(BundleError::TooMany);
        }
        if json.recording.is_some() && json.disclosed.is_some() {
            return Err(BundleError::DisclosedBesideRecording);
        }
        let private: BTreeSet<Private> = json.private.iter().copied().collect();
        if !private.iter().eq(&json.private) {
            return Err(BundleError::PrivateOrder);
        }
        if !json.tools.is_sorted_by(|one, other| one.name < other.name) {
            return Err(BundleError::ToolOrder);
        }
        let recording = json
            .recording
            .map(|recording| recording.decode(&blobs))
            .transpose()?;
        let source = json
            .source
            .map(|source| source.decode(&blobs))
            .transpose()?;
        let children = json
            .children
            .into_iter()
            .map(|child| Self::decode_child(child, &blobs, depth.saturating_sub(1)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            envelope: json.envelope.try_into().map_err(BundleError::Envelope)?,
            delegation: json.delegation.try_into().map_err(BundleError::Envelope)?,
            begin: json
                .begin
                .map(|begin| begin.try_into().map_err(BundleError::Envelope))
                .transpose()?,
            proofs: json.proofs.try_into()?,
            recording: recording.map(Arc::new),
            disclosed: json
                .disclosed
                .map(|disclosed| disclosed.try_into().map(Arc::new))
                .transpose()?,
            source,
            blobs,
            private,
            agent: json.agent.map(Arc::new),
            tools: json.tools,
            children,
        })
    }

    fn decode_child(
        json: BundleJson,
        blobs: &BTreeMap<Digest, Arc<[u8]>>,
        depth: usize,
    ) -> Result<Self, BundleError> {
        let holds = json.holds.as_deref().unwrap_or_default();
        if json.kind.is_some() || !json.blobs.is_empty() || !holds.is_sorted_by(|a, b| a < b) {
            return Err(BundleError::Holds);
        }
        let own = holds.iter().map(|digest| match blobs.get(digest) {
            Some(bytes) => Ok((*digest, Arc::clone(bytes))),
            None => Err(BundleError::SourceBlob { digest: *digest }),
        });
        let own = own.collect::<Result<_, _>>()?;
        Self::decode(json, own, depth)
    }

    fn encode(&self) -> BundleJson {
        BundleJson {
            kind: None,
            private: self.private.iter().copied().collect(),
            envelope: EnvelopeJson::from(&self.envelope),
            delegation: EnvelopeJson::from(&self.delegation),
            begin: self.begin.as_ref().map(EnvelopeJson::from),
            proofs: ProofsJson::from(&self.proofs),
            recording: self.recording.as_deref().map(RecordingJson::from),
            disclosed: self.disclosed.as_deref().map(DisclosedJson::from),
            source: self.source.as_ref().map(SourceJson::from),
            agent: self.agent.as_deref().cloned(),
            tools: self.tools.clone(),
            children: self.children.iter().map(Self::encode_child).collect(),
            holds: None,
            blobs: BTreeMap::new(),
        }
    }

    fn encode_child(&self) -> BundleJson {
        BundleJson {
            holds: (!self.blobs.is_empty()).then(|| self.blobs.keys().copied().collect()),
            ..self.encode()
        }
    }

    /// The file's bytes: one line of JSON. One bundle has one form.
    #[expect(
        clippy::expect_used,
        reason = "a bundle's JSON is strings, and maps with string keys"
    )]
    pub fn to_bytes(&self) -> Vec<u8> {
        let blobs = self.blobs.iter();
        let json = BundleJson {
            kind: Some(BUNDLE_V1.to_owned()),
            blobs: blobs
                .map(|(digest, bytes)| (*digest, STANDARD.encode(bytes)))
                .collect(),
            ..self.encode()
        };
        serde_json::to_vec(&json).expect("strings serialize")
    }
}

fn decode_blob((digest, text): (Digest, String)) -> Result<(Digest, Arc<[u8]>), BundleError> {
    let bytes = STANDARD.decode(text).map_err(|_| BundleError::Base64)?;
    if Digest::of(&bytes) == digest {
        Ok((digest, bytes.into()))
    } else {
        Err(BundleError::Blob { digest })
    }
}

fn is_other_type(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Kind {
        #[serde(rename = "type")]
        kind: String,
    }
    serde_json::from_slice::<Kind>(bytes).is_ok_and(|json| json.kind != BUNDLE_V1)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BundleJson {
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    private: Vec<Private>,
    envelope: EnvelopeJson,
    delegation: EnvelopeJson,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begin: Option<EnvelopeJson>,
    #[serde(default, skip_serializing_if = "ProofsJson::is_empty")]
    proofs: ProofsJson,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recording: Option<RecordingJson>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disclosed: Option<DisclosedJson>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<SourceJson>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<AgentDefinition>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Definition>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    children: Vec<BundleJson>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holds: Option<Vec<Digest>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    blobs: BTreeMap<Digest, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordingJson {
    salt_key: String,
    events: Vec<String>,
}

impl From<&Recording> for RecordingJson {
    fn from(recording: &Recording) -> Self {
        Self {
            salt_key: STANDARD.encode(recording.salt_key().as_bytes()),
            // Canonical JSON is UTF-8, and so is what was parsed from a string: nothing is lost.
            events: recording
                .events()
                .map(|event| String::from_utf8_lossy(event).into_owned())
                .collect(),
        }
    }
}

impl RecordingJson {
    fn decode(self, blobs: &BTreeMap<Digest, Arc<[u8]>>) -> Result<Recording, BundleError> {
        let salt_key = STANDARD
            .decode(self.salt_key)
            .map_err(|_| BundleError::Base64)?;
        let salt_key = SaltKey::from_bytes(salt_key.try_into().map_err(|_| BundleError::Base64)?);
        let mut recording =
            Recording::from_events(salt_key, self.events.into_iter().map(String::into_bytes));
        recording.set_blobs(blobs.clone());
        Ok(recording)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceJson {
    entry: SourcePath,
    files: BTreeMap<SourcePath, Digest>,
}

impl From<&Source> for SourceJson {
    fn from(source: &Source) -> Self {
        Self {
            entry: source.entry().clone(),
            files: source
                .blobs()
                .map(|(path, content)| (path.clone(), content.digest()))
                .collect(),
        }
    }
}

impl SourceJson {
    fn decode(self, blobs: &BTreeMap<Digest, Arc<[u8]>>) -> Result<Source, BundleError> {
        let files = self
            .files
            .into_iter()
            .map(|(path, digest)| match blobs.get(&digest) {
                Some(content) => Ok((path, Blob::compared(digest, Arc::clone(content)))),
                None => Err(BundleError::SourceBlob { digest }),
            });
        let files = files.collect::<Result<Vec<_>, _>>()?;
        Source::of_blobs(files, self.entry).map_err(BundleError::Source)
    }
}

/// Why bytes are not a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not admitted as JSON, or not of a bundle's shape.
    #[error("bundle is malformed")]
    Json(#[source] AdmitError),
    /// Another type, or another version.
    #[error("bundle is of a type or version that is not known here")]
    Version,
    /// One of its envelopes.
    #[error("bundle holds a malformed envelope")]
    Envelope(#[source] EnvelopeError),
    /// One of its proofs.
    #[error("bundle holds a log proof of the {of} that is refused")]
    Proof {
        /// What it is to prove.
        of: Proven,
        /// Why.
        source: BundleProofError,
    },
    /// Base64 in another spelling, or of another length.
    #[error("bundle holds base64 that is not canonical or of another length")]
    Base64,
    /// Too many events or blobs, or a disclosed event's path is too long.
    #[error("bundle holds too many events or blobs, or too long a path")]
    TooMany,
    /// Disclosed events are not sorted by index, or one is there twice, or there is none.
    #[error("bundle's disclosed events are not sorted by index, or there is none")]
    DisclosedOrder,
    /// All events, and some of them again.
    #[error("bundle holds a recording and disclosed events")]
    DisclosedBesideRecording,
    /// The list of private content is not sorted, or has a name twice.
    #[error("bundle's list of private content is not sorted")]
    PrivateOrder,
    /// The definitions of tools are not sorted by name, or one is there twice.
    #[error("bundle's tools are not sorted by name")]
    ToolOrder,
    /// The outermost bundle lists which blobs are its own; a child does not, or not sorted, or has
    /// blobs itself.
    #[error(
        "blobs stand in the outermost bundle, and a child lists those that are its own, sorted"
    )]
    Holds,
    /// A blob that is something else than its digest says.
    #[error("blob is not what its digest `{digest}` says")]
    Blob {
        /// Under which it is kept.
        digest: Digest,
    },
    /// A source file without content, or a blob of a child that is not there.
    #[error("content `{digest}` is missing")]
    SourceBlob {
        /// Of the content.
        digest: Digest,
    },
    /// The files are no source.
    #[error("bundle's source is malformed")]
    Source(#[source] SourceError),
}

impl BundleError {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json(error) => error.kind.code(),
            Self::Version => "unknown_version",
            Self::Envelope(EnvelopeError::SignatureCount(_)) => "signature_count",
            Self::Envelope(_) | Self::Base64 => "base64",
            Self::TooMany => "too_many",
            Self::Proof { source, .. } => match source {
                BundleProofError::TooMany => "too_many",
                _ => "proof_malformed",
            },
            Self::PrivateOrder => "private_mismatch",
            Self::ToolOrder => "tool_order",
            Self::Holds => "holds_malformed",
            Self::DisclosedOrder => "disclosed_order",
            Self::DisclosedBesideRecording => "disclosed_beside_recording",
            Self::Blob { .. } => "blob_altered",
            Self::SourceBlob { .. } => "blob_missing",
            Self::Source(_) => "source_malformed",
        }
    }
}
