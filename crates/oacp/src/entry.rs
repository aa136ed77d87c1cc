//! What a log takes: an envelope that was judged, its leaf, and what an index wants to know of it.
//!
//! The attack is a log that holds what nobody could have signed: then its leaves show nothing. A
//! log takes an envelope only under a key that it knows, from who may sign such a thing, and within
//! the time that was delegated. Whether the claims are true is not a log's to say.

use crate::begin::{BEGIN_V1, Begin};
use crate::close::{CLOSE_V1, Close};
use crate::delegation::{DELEGATION_V1, Delegation, DelegationError};
use crate::digest::Digest;
use crate::envelope::{Envelope, EnvelopeError, PAYLOAD_TYPE};
use crate::id::{LogOrigin, SandboxId};
use crate::intoto::{Received, StatementError, Unknown};
use crate::key::{KeyId, PublicKey};
use crate::leaf::{Leaf, LeafKind};
use crate::outcome::Outcome;
use crate::statement::{EXECUTION_V1, ExecutionStatement};
use crate::time::Timestamp;
use crate::tool::{TOOL_V1, ToolStatement};

/// The keys that a log knows.
pub trait Keys {
    /// The node that the log takes delegations from and whose key has this id.
    fn node(&self, key: KeyId) -> Option<PublicKey>;

    /// The delegation to the key of this id, as the log has it.
    fn sandbox(&self, key: KeyId) -> Option<Delegation>;
}

/// An envelope that may be in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    envelope: Envelope,
    leaf: Leaf,
    facts: Facts,
}

/// What an entry says, for an index. Claims of the signer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What it is about.
    pub kind: LeafKind,
    /// Of an execution and a begin, the execution's id; of a delegation and a close, the sandbox's;
    /// of a tool, the first half of its definition's digest.
    /// A log takes one execution and one begin under an id, and no other.
    pub id: [u8; 16],
    /// The sandbox.
    pub sandbox: Option<SandboxId>,
    /// When it was signed; of a delegation, from when on it holds.
    pub time: Option<Timestamp>,
    /// The number by the sandbox's counter. `None` for a delegation.
    pub sequence: Option<u64>,
    /// The agent. `None` for a delegation and a close.
    pub agent: Option<Digest>,
    /// The tools that an execution called, each once, sorted, with their digests if they have any;
    /// the tool that was registered.
    pub tools: Vec<(String, Option<Digest>)>,
    /// How an execution ended. `None` for all else.
    pub outcome: Option<Outcome>,
    /// Who asked for an execution. `None` for all else.
    pub principal: Option<String>,
    /// The delegation itself. `None` for all else.
    pub delegation: Option<Delegation>,
}

impl Entry {
    /// Judges an envelope for a log of the origin `log`, with one admission of its payload and one
    /// check of its signature. `None`: the log has no name yet, and none is compared.
    ///
    /// Of an execution, a begin and a close, the key is one that was delegated to; the sandbox and
    /// the log are the delegation's, and the timestamp lies within it. A node's own key signs a
    /// delegation, the registration of a tool, and the execution that a crash `interrupted`, for
    /// which there is no delegation to compare with.
    ///
    /// Not judged here: `sequence` and `previous`, which take the log's other entries; and
    /// everything that [`Bundle::verify`](crate::Bundle::verify) asks of an execution's claims.
    ///
    /// # Errors
    /// A key that is not known, or is known in two roles; a signature that does not verify; a payload
    /// of another type, or one that contradicts itself; a signer who may not say such a thing;
    /// another sandbox or log than the delegation's; another log than `log`.
    pub fn verify(
        envelope: Envelope,
        keys: &dyn Keys,
        log: Option<&LogOrigin>,
    ) -> Result<Self, EntryError> {
        let keyid = envelope.keyid();
        let signer = match (keys.node(keyid), keys.sandbox(keyid)) {
            (Some(_), Some(_)) => return Err(EntryError::KeyInTwoRoles { keyid }),
            (Some(node), None) => Signer::Node(node),
            (None, Some(delegation)) => Signer::Sandbox(Box::new(delegation)),
            (None, None) => return Err(EntryError::UnknownKey { keyid }),
        };
        envelope.verify(match &signer {
            Signer::Node(node) => node,
            Signer::Sandbox(delegation) => &delegation.key,
        })?;
        let predicate = Predicate::read(&envelope)?;
        predicate.check_log(log)?;
        match (&predicate, &signer) {
            (Predicate::Delegation(delegation), Signer::Node(_)) => {
                check_delegated_key(delegation, keys)?;
            }
            (Predicate::Tool(_), Signer::Node(_)) => {}
            (Predicate::Delegation(_) | Predicate::Tool(_), Signer::Sandbox(_)) => {
                return Err(EntryError::NotByNode);
            }
            (Predicate::Execution(statement), Signer::Node(_))
                if statement.outcome == Outcome::Interrupted => {}
            (_, Signer::Node(_)) => return Err(EntryError::NotBySandbox),
            (_, Signer::Sandbox(delegation)) => predicate.check_delegation(delegation)?,
        }
        Ok(Self::of(envelope, predicate))
    }

    /// Reads back what was kept after [`Entry::verify`]: an envelope's JSON. No signature is checked.
    ///
    /// # Errors
    /// No envelope; no payload that this version reads.
    pub fn parse_unverified(bytes: &[u8]) -> Result<Self, EntryError> {
        let envelope = Envelope::parse(bytes)?;
        let predicate = Predicate::read(&envelope)?;
        Ok(Self::of(envelope, predicate))
    }

    fn of(envelope: Envelope, predicate: Predicate) -> Self {
        let facts = predicate.into_facts();
        Self {
            leaf: Leaf::of(facts.kind, &envelope, facts.sequence),
            envelope,
            facts,
        }
    }

    /// The envelope.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// What the log stores of it.
    pub fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// What an index wants to know.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// All three.
    pub fn into_parts(self) -> (Envelope, Leaf, Facts) {
        (self.envelope, self.leaf, self.facts)
    }
}

/// Who signed.
enum Signer {
    Node(PublicKey),
    Sandbox(Box<Delegation>),
}

/// A delegated key is nobody else's.
fn check_delegated_key(delegation: &Delegation, keys: &dyn Keys) -> Result<(), EntryError> {
    let keyid = delegation.key.id();
    if keys.node(keyid).is_some() {
        return Err(EntryError::KeyInTwoRoles { keyid });
    }
    match keys.sandbox(keyid) {
        // Not even by the same node: what it signed until then would be judged by another window.
        Some(other) if other != *delegation => Err(EntryError::KeyInTwoRoles { keyid }),
        _ => Ok(()),
    }
}

/// The payload, read once.
enum Predicate {
    Execution(Box<ExecutionStatement>),
    Delegation(Box<Delegation>),
    Begin(Box<Begin>),
    Close(Box<Close>),
    Tool(Box<ToolStatement>),
}

impl Predicate {
    fn read(envelope: &Envelope) -> Result<Self, EntryError> {
        if envelope.payload_type() != PAYLOAD_TYPE {
            return Err(EntryError::PayloadType);
        }
        let received = Received::admit(envelope.unverified_payload())?;
        let list = Unknown::NotListed;
        Ok(match received.predicate_type() {
            EXECUTION_V1 => Self::Execution(Box::new(ExecutionStatement::from_read(
                received.read(list)?,
            )?)),
            DELEGATION_V1 => {
                Self::Delegation(Box::new(Delegation::from_read(received.read(list)?)?))
            }
            BEGIN_V1 => Self::Begin(Box::new(Begin::from_read(received.read(list)?)?)),
            CLOSE_V1 => Self::Close(Box::new(Close::from_read(received.read(list)?)?)),
            TOOL_V1 => Self::Tool(Box::new(ToolStatement::from_read(received.read(list)?)?)),
            _ => return Err(EntryError::Statement(StatementError::Version)),
        })
    }

    fn log(&self) -> Option<&LogOrigin> {
        match self {
            Self::Execution(statement) => statement.log.as_ref(),
            Self::Delegation(delegation) => delegation.log.as_ref(),
            Self::Begin(begin) => begin.log.as_ref(),
            Self::Close(close) => close.log.as_ref(),
            Self::Tool(tool) => tool.log.as_ref(),
        }
    }

    /// What names no log may be in any.
    fn check_log(&self, expected: Option<&LogOrigin>) -> Result<(), EntryError> {
        match (self.log(), expected) {
            (Some(found), Some(expected)) if found != expected => Err(EntryError::OtherLog {
                found: found.clone(),
                expected: expected.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn check_delegation(&self, delegation: &Delegation) -> Result<(), EntryError> {
        let (sandbox, timestamp) = match self {
            Self::Execution(statement) => (statement.sandbox_id, statement.timestamp),
            Self::Begin(begin) => (begin.sandbox_id, begin.timestamp),
            Self::Close(close) => (close.sandbox_id, close.timestamp),
            Self::Delegation(_) | Self::Tool(_) => return Err(EntryError::NotByNode),
        };
        if sandbox != delegation.sandbox_id {
            return Err(EntryError::SandboxMismatch);
        }
        if self.log() != delegation.log.as_ref() {
            return Err(EntryError::LogMismatch);
        }
        if !(delegation.not_before..=delegation.not_after).contains(&timestamp) {
            return Err(EntryError::TimestampOutsideDelegation {
                timestamp,
                not_before: delegation.not_before,
                not_after: delegation.not_after,
            });
        }
        Ok(())
    }

    fn into_facts(self) -> Facts {
        let facts = |kind, id: &[u8; 16], sandbox, time, sequence| Facts {
            kind,
            id: *id,
            sandbox: Some(sandbox),
            time: Some(time),
            sequence,
            agent: None,
            tools: Vec::new(),
            outcome: None,
            principal: None,
            delegation: None,
        };
        match self {
            Self::Execution(statement) => {
                let mut tools: Vec<_> = statement
                    .tool_calls
                    .into_iter()
                    .map(|call| (call.tool, call.tool_hash))
                    .collect();
                tools.sort();
                tools.dedup();
                Facts {
                    agent: Some(statement.agent_hash),
                    tools,
                    outcome: Some(statement.outcome),
                    principal: Some(statement.principal.to_string()),
                    ..facts(
                        LeafKind::Execution,
                        statement.execution_id.as_bytes(),
                        statement.sandbox_id,
                        statement.timestamp,
                        Some(statement.sequence),
                    )
                }
            }
            Self::Begin(begin) => Facts {
                agent: Some(begin.agent_hash),
                ..facts(
                    LeafKind::Begin,
                    begin.execution_id.as_bytes(),
                    begin.sandbox_id,
                    begin.timestamp,
                    Some(begin.sequence),
                )
            },
            Self::Tool(tool) => {
                let [id @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
                    *tool.definition.as_bytes();
                Facts {
                    kind: LeafKind::Tool,
                    id,
                    sandbox: None,
                    time: Some(tool.timestamp),
                    sequence: None,
                    agent: None,
                    tools: vec![(tool.name.to_string(), Some(tool.definition))],
                    outcome: None,
                    principal: None,
                    delegation: None,
                }
            }
            Self::Close(close) => facts(
                LeafKind::Close,
                close.sandbox_id.as_bytes(),
                close.sandbox_id,
                close.timestamp,
                Some(close.sequence),
            ),
            Self::Delegation(delegation) => Facts {
                delegation: Some(Delegation::clone(&delegation)),
                ..facts(
                    LeafKind::Delegation,
                    delegation.sandbox_id.as_bytes(),
                    delegation.sandbox_id,
                    delegation.not_before,
                    None,
                )
            },
        }
    }
}

/// Why a log does not take an envelope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Nobody said that this key is a node's or was delegated to. For a sandbox's statement: its
    /// delegation comes first.
    #[error("envelope is signed by the key `{keyid}`, which this log does not know")]
    UnknownKey {
        /// Of the envelope.
        keyid: KeyId,
    },
    /// A key that is a node's and a sandbox's, or two sandboxes'.
    #[error("key `{keyid}` has two roles")]
    KeyInTwoRoles {
        /// The key.
        keyid: KeyId,
    },
    /// No envelope, or a signature that does not verify.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Not an in-toto statement.
    #[error("envelope's payload type is not `{PAYLOAD_TYPE}`")]
    PayloadType,
    /// No statement that this version reads.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// A delegation that contradicts itself.
    #[error("delegation is refused")]
    Delegation(#[source] DelegationError),
    /// A sandbox's key signed a delegation, or a tool's registration.
    #[error("delegation or registration is signed by a sandbox's key, expected a node's")]
    NotByNode,
    /// A node's key signed what only a sandbox's may.
    #[error("statement is signed by a node's key, expected a delegated one")]
    NotBySandbox,
    /// The delegation is another sandbox's.
    #[error("statement and delegation name different sandboxes")]
    SandboxMismatch,
    /// The delegation has another log, or none.
    #[error("statement and delegation name different logs")]
    LogMismatch,
    /// It is to be in another log.
    #[error("entry is for the log `{found}`, this one is `{expected}`")]
    OtherLog {
        /// In the payload.
        found: LogOrigin,
        /// This log's.
        expected: LogOrigin,
    },
    /// The key may not sign at this time.
    #[error("timestamp {timestamp} lies outside the delegation, {not_before} to {not_after}")]
    TimestampOutsideDelegation {
        /// Of the statement.
        timestamp: Timestamp,
        /// Of the delegation.
        not_before: Timestamp,
        /// Of the delegation.
        not_after: Timestamp,
    },
}

impl From<DelegationError> for EntryError {
    fn from(error: DelegationError) -> Self {
        match error {
            DelegationError::Envelope(error) => Self::Envelope(error),
            DelegationError::PayloadType => Self::PayloadType,
            DelegationError::Statement(error) => Self::Statement(error),
            error => Self::Delegation(error),
        }
    }
}

impl EntryError {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownKey { .. } => "unknown_key",
            Self::KeyInTwoRoles { .. } => "key_in_two_roles",
            Self::Envelope(EnvelopeError::Json(error)) => error.kind.code(),
            Self::Envelope(EnvelopeError::SignatureCount(_)) => "signature_count",
            Self::Envelope(EnvelopeError::Base64) => "base64",
            Self::Envelope(EnvelopeError::KeyId { .. } | EnvelopeError::Signature) => "signature",
            Self::PayloadType => "payload_type",
            Self::Statement(error) => error.code(),
            Self::Delegation(DelegationError::Window) => "delegation_window",
            Self::Delegation(_) => "delegation_subject",
            Self::NotByNode => "not_by_node",
            Self::NotBySandbox => "not_by_sandbox",
            Self::SandboxMismatch => "sandbox_mismatch",
            Self::LogMismatch => "log_mismatch",
            Self::OtherLog { .. } => "other_log",
            Self::TimestampOutsideDelegation { .. } => "timestamp_outside_delegation",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, Case, hours, key};
    use crate::key::SecretKey;

    /// A log that knows node 1 and the fixture's delegation.
    struct Known(Vec<Delegation>);

    impl Keys for Known {
        fn node(&self, id: KeyId) -> Option<PublicKey> {
            Some(key(1).public()).filter(|key| key.id() == id)
        }

        fn sandbox(&self, id: KeyId) -> Option<Delegation> {
            let mut known = self.0.iter();
            known.find(|delegation| delegation.key.id() == id).cloned()
        }
    }

    fn judged(envelope: Envelope) -> Result<Entry, EntryError> {
        Entry::verify(envelope, &Known(vec![Case::new().delegation]), None)
    }

    fn code(envelope: Envelope) -> &'static str {
        judged(envelope).unwrap_err().code()
    }

    fn statement(alter: impl FnOnce(&mut ExecutionStatement)) -> Vec<u8> {
        let mut statement = fixture::statement();
        alter(&mut statement);
        statement.to_payload()
    }

    fn signed(payload: Vec<u8>, key: &SecretKey) -> Envelope {
        Envelope::sign(PAYLOAD_TYPE, payload, key)
    }

    #[test]
    fn an_entry_is_its_envelopes_leaf_and_facts() {
        let case = Case::new();
        let entry = judged(case.envelope()).unwrap();
        assert_eq!(
            entry.leaf(),
            &Leaf::of(LeafKind::Execution, &case.envelope(), Some(0))
        );
        let facts = entry.facts();
        assert_eq!(&facts.id, case.statement.execution_id.as_bytes());
        assert_eq!(facts.outcome, Some(Outcome::Ok));
        assert_eq!(facts.principal.as_deref(), Some("local"));
        let tools: Vec<_> = facts.tools.iter().map(|(tool, _)| tool.as_str()).collect();
        assert_eq!(tools, ["get_weather", "send_mail"]);
        let again = Entry::parse_unverified(&case.envelope().to_json());
        assert_eq!(again, Ok(entry));

        let begin = judged(fixture::begin().sign(&case.sandbox)).unwrap();
        assert_eq!(begin.facts().kind, LeafKind::Begin);
        assert_eq!(begin.facts().id, *case.statement.execution_id.as_bytes());
        let close = judged(fixture::close().sign(&case.sandbox)).unwrap();
        assert_eq!(close.leaf().sequence, Some(1));
        let delegation = judged(case.delegation.sign(&case.node)).unwrap();
        assert_eq!(delegation.leaf().sequence, None);
        assert_eq!(delegation.facts().delegation, Some(case.delegation));
    }

    #[test]
    fn only_who_may_say_it_is_heard() {
        let case = Case::new();
        let payload = || statement(|_| ());
        assert_eq!(code(signed(payload(), &key(9))), "unknown_key");
        assert_eq!(code(signed(payload(), &case.node)), "not_by_sandbox");
        assert_eq!(code(fixture::begin().sign(&case.node)), "not_by_sandbox");
        assert_eq!(code(fixture::close().sign(&case.node)), "not_by_sandbox");
        assert_eq!(code(case.delegation.sign(&case.sandbox)), "not_by_node");
        let interrupted = || statement(|statement| statement.outcome = Outcome::Interrupted);
        assert!(judged(signed(interrupted(), &case.node)).is_ok());
        assert!(judged(signed(interrupted(), &case.sandbox)).is_ok());

        let json = String::from_utf8(case.envelope().to_json()).unwrap();
        let other = Envelope::sign(PAYLOAD_TYPE, payload(), &key(9)).to_json();
        let signature = |json: &str| json.split("\"sig\":").nth(1).unwrap().to_owned();
        let forged = json.replace(
            &signature(&json),
            &signature(&String::from_utf8(other).unwrap()),
        );
        assert_eq!(
            code(Envelope::parse(forged.as_bytes()).unwrap()),
            "signature"
        );
    }

    #[test]
    fn a_delegated_key_has_one_role() {
        let case = Case::new();
        let to = |key, sandbox_id| Delegation {
            key,
            sandbox_id,
            ..case.delegation.clone()
        };
        let other = SandboxId::new(7, [7; 10]);
        let node = to(case.node.public(), other).sign(&case.node);
        assert_eq!(code(node), "key_in_two_roles");
        let sandboxes = to(case.sandbox.public(), other).sign(&case.node);
        assert_eq!(code(sandboxes), "key_in_two_roles");
        let again = to(case.sandbox.public(), case.delegation.sandbox_id);
        assert!(judged(again.sign(&case.node)).is_ok());

        let both = Known(vec![to(case.node.public(), other)]);
        let refused = Entry::verify(case.delegation.sign(&case.node), &both, None);
        assert_eq!(refused.unwrap_err().code(), "key_in_two_roles");
    }

    #[test]
    fn a_statement_stays_within_its_delegation() {
        let case = Case::new();
        let code = |alter: fn(&mut ExecutionStatement)| {
            code(signed(statement(alter), &Case::new().sandbox))
        };
        assert_eq!(
            code(|statement| statement.sandbox_id = SandboxId::new(7, [7; 10])),
            "sandbox_mismatch"
        );
        for far in [-2, 2] {
            let mut statement = fixture::statement();
            statement.timestamp = hours(far);
            let refused = judged(signed(statement.to_payload(), &case.sandbox));
            assert_eq!(refused.unwrap_err().code(), "timestamp_outside_delegation");
        }
        assert_eq!(
            code(|statement| statement.log = Some("log.example/1".parse().unwrap())),
            "log_mismatch"
        );
        assert_eq!(
            code(|statement| statement.critical = vec!["later".to_owned()]),
            "unknown_critical"
        );
        let retyped = Envelope::sign("text/plain", statement(|_| ()), &case.sandbox);
        assert_eq!(super::tests::code(retyped), "payload_type");
        let read =
            |payload: &[u8]| super::tests::code(signed(payload.to_vec(), &Case::new().sandbox));
        assert_eq!(read(b"{}"), "statement_shape");
        assert_eq!(read(b"{\"a\":1,\"a\":1}"), "json_duplicate_key");
    }

    #[test]
    fn what_is_for_another_log_is_refused() {
        let (ours, other): (LogOrigin, LogOrigin) = (
            "log.example/1".parse().unwrap(),
            "log.example/2".parse().unwrap(),
        );
        let mut case = Case::new();
        case.delegation.log = Some(ours.clone());
        case.statement.log = Some(ours.clone());
        let known = Known(vec![case.delegation.clone()]);
        for envelope in [case.envelope(), case.delegation.sign(&case.node)] {
            assert!(Entry::verify(envelope.clone(), &known, Some(&ours)).is_ok());
            assert!(Entry::verify(envelope.clone(), &known, None).is_ok());
            let refused = Entry::verify(envelope, &known, Some(&other)).unwrap_err();
            assert_eq!(refused.code(), "other_log");
        }
        // What names no log may be in any.
        let unnamed = Entry::verify(
            Case::new().envelope(),
            &Known(vec![Case::new().delegation]),
            Some(&ours),
        );
        assert!(unnamed.is_ok());
    }
}
