//! The shape that every statement here shares: in-toto Statement v1 with one subject.
//!
//! ```json
//! {"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "output", "digest": {"sha256": "<hex>"}}],
//!  "predicateType": "<prefix>execution/v1", "predicate": {…}}
//! ```

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::json::{AdmitError, admit};
use crate::limits::STATEMENT;

/// What every URI of OACP's begins with. Provisional, until a domain is owned.
pub const PREDICATE_PREFIX: &str = uri!("");

/// `_type` of an in-toto Statement v1.
pub const STATEMENT_V1: &str = "https://in-toto.io/Statement/v1";

#[derive(Serialize, Deserialize)]
struct StatementJson<P> {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<SubjectJson>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: P,
}

#[derive(Serialize, Deserialize)]
struct SubjectJson {
    name: String,
    digest: DigestSetJson,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DigestSetJson {
    sha256: String,
}

/// A predicate about one subject, as it was read.
pub(crate) struct Read<P> {
    pub(crate) subject_name: String,
    pub(crate) subject: Digest,
    pub(crate) predicate: P,
    /// Paths of the fields that this version does not know.
    pub(crate) unknown: Vec<String>,
}

/// The payload that says `predicate` of the subject. It is signed as bytes, so it need not be
/// canonical; the order of fields is that of the struct.
#[expect(
    clippy::expect_used,
    reason = "predicates are structs of strings, integers and maps with string keys"
)]
pub(crate) fn write<P: Serialize>(
    name: &str,
    subject: Digest,
    predicate_type: &str,
    predicate: &P,
) -> Vec<u8> {
    let statement = StatementJson {
        kind: STATEMENT_V1.to_owned(),
        subject: vec![SubjectJson {
            name: name.to_owned(),
            digest: DigestSetJson {
                sha256: subject.hex(),
            },
        }],
        predicate_type: predicate_type.to_owned(),
        predicate,
    };
    serde_json::to_vec(&statement).expect("predicates serialize")
}

/// Reads a payload that has this predicate type.
pub(crate) fn read<P: Serialize + DeserializeOwned>(
    payload: &[u8],
    predicate_type: &str,
) -> Result<Read<P>, StatementError> {
    let received = Received::admit(payload)?;
    if received.predicate_type() != predicate_type {
        return Err(StatementError::Version);
    }
    received.read(Unknown::Listed)
}

/// Whether fields that this version does not know are listed. Those that must be understood are
/// refused either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    Listed,
    /// For a log, which takes thousands of statements a second and reports on none.
    NotListed,
}

/// A payload that is admitted as a statement, its predicate not read yet.
pub(crate) struct Received(Value);

impl Received {
    /// The one admission of a payload.
    pub(crate) fn admit(payload: &[u8]) -> Result<Self, StatementError> {
        let received = admit(payload, STATEMENT)?;
        match received.get("_type").and_then(Value::as_str) {
            Some(STATEMENT_V1) => {}
            Some(_) => return Err(StatementError::Version),
            None => return Err(StatementError::Shape),
        }
        match received.get("predicateType") {
            Some(Value::String(_)) => Ok(Self(received)),
            _ => Err(StatementError::Shape),
        }
    }

    /// The predicate's type and version.
    pub(crate) fn predicate_type(&self) -> &str {
        let text = self.0.get("predicateType").and_then(Value::as_str);
        text.unwrap_or_default()
    }

    /// The predicate, as what its type says.
    pub(crate) fn read<P: Serialize + DeserializeOwned>(
        &self,
        list: Unknown,
    ) -> Result<Read<P>, StatementError> {
        let statement =
            StatementJson::<P>::deserialize(&self.0).map_err(|_| StatementError::Shape)?;
        let mut unknown = Vec::new();
        if list == Unknown::Listed || self.has_critical() {
            // Whatever is not written again by the types was not read by them. For this every
            // optional field is written, as null.
            let known = serde_json::to_value(&statement).map_err(|_| StatementError::Shape)?;
            refuse_unknown_critical(&self.0, &known)?;
            if list == Unknown::Listed {
                collect_unknown(&self.0, &known, "", &mut unknown);
                unknown.sort();
            }
        }
        let [subject] =
            <[SubjectJson; 1]>::try_from(statement.subject).map_err(|_| StatementError::Shape)?;
        Ok(Read {
            subject: Digest::from_hex(&subject.digest.sha256).map_err(|_| StatementError::Shape)?,
            subject_name: subject.name,
            predicate: statement.predicate,
            unknown,
        })
    }

    fn has_critical(&self) -> bool {
        let critical = self.0.pointer("/predicate/critical");
        critical
            .and_then(Value::as_array)
            .is_some_and(|names| !names.is_empty())
    }
}

fn refuse_unknown_critical(received: &Value, known: &Value) -> Result<(), StatementError> {
    let critical = received
        .pointer("/predicate/critical")
        .and_then(Value::as_array);
    let fields = known.pointer("/predicate").and_then(Value::as_object);
    for name in critical.into_iter().flatten().filter_map(Value::as_str) {
        if !fields.is_some_and(|fields| fields.contains_key(name)) {
            return Err(StatementError::Critical(name.to_owned()));
        }
    }
    Ok(())
}

fn collect_unknown(received: &Value, known: &Value, path: &str, unknown: &mut Vec<String>) {
    match (received, known) {
        (Value::Object(received), Value::Object(known)) => {
            for (name, value) in received {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                match known.get(name) {
                    Some(known) => collect_unknown(value, known, &path, unknown),
                    // An empty set of rights is not written, and may be read.
                    None if value.as_array().is_some_and(Vec::is_empty) => {}
                    None => unknown.push(path),
                }
            }
        }
        (Value::Array(received), Value::Array(known)) => {
            for (index, (received, known)) in received.iter().zip(known).enumerate() {
                collect_unknown(received, known, &format!("{path}.{index}"), unknown);
            }
        }
        _ => {}
    }
}

/// Why a payload is not a statement that this version reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not admitted as JSON.
    #[error("statement is malformed")]
    Json(#[from] AdmitError),
    /// Another statement or predicate type, or another version of it.
    #[error("statement is of a type or version that is not known here")]
    Version,
    /// A field is missing, or holds something else than it should.
    #[error("statement does not have the shape of its type")]
    Shape,
    /// The subject is not what the predicate is about.
    #[error("statement's subject is not what its predicate is about")]
    Subject,
    /// A field that must be understood is not.
    #[error("statement declares `{}` critical, which is not known here", .0.escape_debug())]
    Critical(String),
}

impl StatementError {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json(error) => error.kind.code(),
            Self::Version => "unknown_version",
            Self::Shape => "statement_shape",
            Self::Subject => "subject_mismatch",
            Self::Critical(_) => "unknown_critical",
        }
    }
}
