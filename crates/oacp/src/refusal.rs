//! Why a bundle was refused.

use oacp_tlog::{PolicyError, ProofError};

use crate::delegation::DelegationError;
use crate::digest::Digest;
use crate::envelope::EnvelopeError;
use crate::event::EventError;
use crate::id::ExecutionId;
use crate::id::{LogOrigin, ToolName};
use crate::intoto::StatementError;
use crate::key::KeyId;
use crate::limits::CLOCK_SKEW_MS_MAX;
use crate::proofs::Proven;
use crate::statement::Level;
use crate::time::Timestamp;

/// Whether a refusal says something about the bundle, or about what its verifier lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// The bundle is wrong, or not an answer to what was asked.
    Invalid,
    /// It may be right: what would be needed to say so is not at hand.
    CouldNotCheck,
}

/// Why [`Bundle::verify`](crate::Bundle::verify) refused a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nobody said that the node is to be trusted. Never trusted on first use.
    #[error("delegation is signed by the key `{keyid}`, which the trust file does not name")]
    ForeignNodeKey {
        /// Of the delegation's signer.
        keyid: KeyId,
    },
    /// The delegation is not the node's, or malformed.
    #[error("delegation is refused")]
    Delegation(#[source] DelegationError),
    /// The node was revoked, and no proof shows that this was logged before.
    #[error("node `{name}` is revoked")]
    NodeRevoked {
        /// The node.
        name: String,
    },
    /// The trust file trusts the node at other times.
    #[error("node `{name}` is not trusted at {at}")]
    NodeNotTrustedThen {
        /// The node.
        name: String,
        /// The statement's timestamp, or the delegation's begin.
        at: Timestamp,
    },
    /// A node's key is also a sandbox's.
    #[error("key `{keyid}` is a node's and a sandbox's")]
    KeyInTwoRoles {
        /// The key.
        keyid: KeyId,
    },
    /// The statement is signed by a key that was not delegated to.
    #[error("statement is signed by the key `{keyid}`, expected the delegated `{expected}`")]
    ForeignSandboxKey {
        /// Of the statement's signer.
        keyid: KeyId,
        /// Of the delegation.
        expected: KeyId,
    },
    /// The statement's signature does not verify.
    #[error("statement's envelope is refused")]
    Envelope(#[source] EnvelopeError),
    /// Not an in-toto statement.
    #[error("envelope's payload type is not an in-toto statement's")]
    PayloadType,
    /// The payload is no statement that this version reads.
    #[error("statement is refused")]
    Statement(#[source] StatementError),
    /// The delegation is another sandbox's.
    #[error("statement and delegation name different sandboxes")]
    SandboxMismatch,
    /// The delegation has another isolation.
    #[error("statement and delegation name different isolations")]
    IsolationMismatch,
    /// The delegation has another log.
    #[error("statement and delegation name different logs")]
    LogMismatch,
    /// The key may not sign at this time.
    #[error(
        "statement's timestamp {timestamp} lies outside the delegation, {not_before} to {not_after}"
    )]
    TimestampOutsideDelegation {
        /// Of the statement.
        timestamp: Timestamp,
        /// Of the delegation.
        not_before: Timestamp,
        /// Of the delegation.
        not_after: Timestamp,
    },
    /// It lies ahead of the verifier's clock.
    #[error("statement's timestamp {timestamp} is more than {} s ahead of this machine's clock", CLOCK_SKEW_MS_MAX / 1000)]
    TimestampInFuture {
        /// Of the statement.
        timestamp: Timestamp,
    },
    /// The first statement does not follow its delegation.
    #[error("statement has sequence 0, and does not name its delegation as the previous")]
    PreviousMismatch,
    /// The begin's signature is not the delegated key's.
    #[error("begin's envelope is refused")]
    Begin(#[source] EnvelopeError),
    /// The begin announces another execution than the statement is about.
    #[error("begin does not announce this execution: its `{field}` does not fit the statement's")]
    BeginMismatch {
        /// Of the begin's predicate.
        field: &'static str,
    },
    /// The begin is the first statement, and does not follow the delegation.
    #[error("begin has sequence 0, and does not name the delegation as the previous")]
    BeginPreviousMismatch,
    /// Nothing can lie between the begin and the statement, and the one does not follow the other.
    #[error("statement's sequence follows its begin's, and it names another previous statement")]
    NotAfterBegin,
    /// Another seed was used, or the begin commits to none.
    #[error("seed of the recording is not the one that the begin commits to")]
    SeedMismatch,
    /// A begin's proof without the begin.
    #[error("bundle holds a proof of a begin, and no begin")]
    ProofUnreferenced,
    /// It does not lead to its checkpoint.
    #[error("log proof {number} of the {of} does not lead from it to the proof's checkpoint")]
    ProofInvalid {
        /// What it is to prove.
        of: Proven,
        /// From 0, oldest first.
        number: usize,
        /// Why.
        source: ProofError,
    },
    /// Another log's.
    #[error("log proof of the {of} is of the log `{}`, the statement names {}", .found.escape_debug(), named(.claimed))]
    ProofOrigin {
        /// What it is to prove.
        of: Proven,
        /// In the checkpoint.
        found: String,
        /// In the statement.
        claimed: Option<LogOrigin>,
    },
    /// One entry in two places.
    #[error("log proofs of the {of} name the indexes {first} and {other}")]
    ProofIndex {
        /// What they are to prove.
        of: Proven,
        /// By the oldest.
        first: u64,
        /// By another.
        other: u64,
    },
    /// A delegation after a begin, or one of the two after the execution.
    #[error(
        "log has the {later} at index {later_index}, and the {earlier} only at {earlier_index}"
    )]
    ProofOrder {
        /// What has to come first.
        earlier: Proven,
        /// Where it is.
        earlier_index: u64,
        /// What has to come after it.
        later: Proven,
        /// Where it is.
        later_index: u64,
    },
    /// Two checkpoints that cannot both be of one log.
    #[error("log proofs hold two checkpoints of {size} entries with different roots")]
    LogForked {
        /// Of both trees.
        size: u64,
    },
    /// A signature by a key of the policy that is none.
    #[error("checkpoint in a log proof of the {of} is refused")]
    CheckpointSignature {
        /// What it is to prove.
        of: Proven,
        /// Whose signature.
        source: PolicyError,
    },
    /// No checkpoint is one that the trust file's policy accepts.
    #[error("log proofs of the {of} do not meet the log policy")]
    LogPolicyUnmet {
        /// What they are to prove.
        of: Proven,
        /// Why the oldest does not.
        source: PolicyError,
    },
    /// The level needs a log, and none is trusted.
    #[error("level {level} needs a log policy, and the trust file has none")]
    LogPolicyMissing {
        /// The claimed level.
        level: Level,
    },
    /// It names itself as its caller.
    #[error("statement names itself as the execution that called it")]
    OwnParent,
    /// The digest is not that of the capabilities.
    #[error("grant's digest is not that of its capabilities")]
    GrantMismatch,
    /// A call's tool digest is not the one listed.
    #[error("tool call {index} has another digest than `tool_hashes` lists")]
    ToolHashMismatch {
        /// Of the call in the statement.
        index: usize,
    },
    /// The level needs a field that the statement does not have.
    #[error("level {level} needs {needs}")]
    LevelInconsistent {
        /// The claimed level.
        level: Level,
        /// What is missing.
        needs: &'static str,
    },
    /// The level needs something that may have been left out of the bundle.
    #[error("level {level} needs {missing}, and the bundle has none")]
    ProofMissing {
        /// The claimed level.
        level: Level,
        /// What is missing.
        missing: &'static str,
    },
    /// The level needs evidence, which this version cannot appraise.
    #[error(
        "level {level} needs evidence of where it ran, and there is none that can be appraised"
    )]
    EvidenceMissing {
        /// The claimed level.
        level: Level,
    },
    /// `yes`, for an outcome that cannot be, or without a recording.
    #[error(
        "statement says that it can be run again, and its outcome or missing recording says otherwise"
    )]
    ReexecutableInconsistent,
    /// The trust file requires more.
    #[error("level is {level}, required is {required}")]
    LevelBelowRequired {
        /// The claimed level.
        level: Level,
        /// By the trust file.
        required: Level,
    },
    /// The trust file requires a time bound.
    #[error("a time bound is required, and no time of a trusted witness is in the bundle")]
    TimeNotWitnessed,
    /// The witnesses' time is not within what the trust file and the delegation ask for.
    #[error(
        "statement's timestamp is {timestamp}, and witnesses had seen it by {witnessed}: {rule}"
    )]
    TimeOutsideBound {
        /// Of the statement.
        timestamp: Timestamp,
        /// The quorum's.
        witnessed: Timestamp,
        /// What it breaks.
        rule: &'static str,
    },
    /// Not the answer to this question.
    #[error("statement's nonce is not the expected one")]
    NonceMismatch,
    /// Meant for somebody else.
    #[error("statement's audience is not the expected one")]
    AudienceMismatch,
    /// Another agent.
    #[error("statement's agent is `{found}`, expected `{expected}`")]
    AgentMismatch {
        /// In the statement.
        found: Digest,
        /// By the caller.
        expected: Digest,
    },
    /// Another input.
    #[error("statement's input is `{found}`, expected `{expected}`")]
    InputMismatch {
        /// In the statement.
        found: Digest,
        /// By the caller.
        expected: Digest,
    },
    /// Another execution than the one that was asked for.
    #[error("statement is of the execution `{found}`, asked for was `{expected}`")]
    ExecutionMismatch {
        /// In the statement.
        found: ExecutionId,
        /// By the caller.
        expected: ExecutionId,
    },
    /// A recording that the statement does not commit to.
    #[error("bundle holds a recording, and the statement commits to none")]
    RecordingNotCommitted,
    /// More or fewer events than committed to.
    #[error("recording has {found} events, the statement says {claimed}")]
    EventCount {
        /// In the bundle.
        found: u64,
        /// In the statement.
        claimed: u64,
    },
    /// Other events, another order, or another key of the salts.
    #[error("recording's root is not the one that the statement commits to")]
    RecordingRoot,
    /// A disclosed event that the recording does not have.
    #[error("disclosed event {index} lies beyond the recording, which has {events} events")]
    DisclosedIndex {
        /// Of the event.
        index: u64,
        /// In the statement.
        events: u64,
    },
    /// Another event, salt or path than those of the recording, or another place in it.
    #[error("disclosed event {index} does not lead to the root that the statement commits to")]
    DisclosedPath {
        /// Of the event.
        index: u64,
    },
    /// An event that cannot be read.
    #[error("event {index} is refused")]
    Event {
        /// Of the event.
        index: u64,
        /// Why.
        source: EventError,
    },
    /// An event that cannot stand where it stands.
    #[error("event {index} cannot stand there: {rule}")]
    EventOrder {
        /// Of the event.
        index: u64,
        /// What it breaks.
        rule: &'static str,
    },
    /// The statement's list of calls is not what the events say.
    #[error("statement's tool calls are not those of its recording, from call {index} on")]
    ToolCallsMismatch {
        /// Of the first call that differs.
        index: usize,
    },
    /// It ended by a denial, and no event is one.
    #[error("outcome is `denied`, and no event of the recording is a denial")]
    OutcomeInconsistent,
    /// A content of another length.
    #[error("content `{digest}` has another size than event {index} says")]
    BlobSize {
        /// Of the content.
        digest: Digest,
        /// Of the event.
        index: u64,
    },
    /// A content that should be there.
    #[error("content `{digest}` is missing")]
    BlobMissing {
        /// Of the content.
        digest: Digest,
    },
    /// A content that nothing names, or that is private and not declared.
    #[error("blob `{digest}` belongs to nothing that the bundle says it holds")]
    BlobUnreferenced {
        /// Of the blob.
        digest: Digest,
    },
    /// The list of private content is not true.
    #[error("bundle's list of private content is not what it holds")]
    PrivateMismatch,
    /// The agent is said to be a component, and another component is said to have run.
    #[error("agent is the component `{agent}`, and `{ran}` is said to have run")]
    ComponentMismatch {
        /// `agent_hash`.
        agent: Digest,
        /// `runtime.sha256`.
        ran: Digest,
    },
    /// Another source than the statement's agent.
    #[error("source hashes to `{found}`, the statement's agent is `{claimed}`")]
    SourceMismatch {
        /// Of the bundle's files.
        found: Digest,
        /// In the statement.
        claimed: Digest,
    },
    /// A tool's definition has another digest than the statement names for the tool.
    #[error("the definition of tool `{name}` is not the one that the statement names")]
    ToolMismatch {
        /// The tool's.
        name: ToolName,
    },
    /// The steps of its validation contradict each other or the outcome, or name another execution's child.
    #[error("statement contradicts itself about how the run was validated")]
    ValidationInconsistent,
    /// The agent's definition in the bundle is not the one that the statement names.
    #[error("the agent's definition is not the one that the statement names")]
    DefinitionMismatch,
    /// What the statement says of the run is not what the definition asks for.
    #[error("the run does not follow the agent's definition: {what}")]
    DefinitionNotFollowed {
        /// In what.
        what: &'static str,
    },
    /// A check's execution has rights.
    #[error("child {index} is a check and was granted rights: a check has none")]
    CheckWithRights {
        /// Of the child, from 0.
        index: usize,
    },
    /// A call names a child, and no tool by a digest; or two calls name one child.
    #[error("tool call {index} cannot have been the execution that it names")]
    ChildOfCall {
        /// Of the call, from 0.
        index: usize,
    },
    /// The bundle of an execution that was called.
    #[error("the bundle of child {index} is refused")]
    Child {
        /// Of the child, from 0.
        index: usize,
        /// Why.
        source: Box<Refusal>,
    },
    /// No call and no check of the statement names it, or it says that another execution called it.
    #[error("child {index} was not called by this execution")]
    NotCalled {
        /// Of the child, from 0.
        index: usize,
    },
    /// Its input is not the call's arguments, or its output not the call's result; of a check: its input is not the run's input and output, or its output
    /// not the verdict.
    #[error("child {index} is no answer to its call: arguments or result differ")]
    OtherAnswer {
        /// Of the child, from 0.
        index: usize,
    },
    /// It ran something else than the definition of the tool, or of the agent whose check it is, says.
    #[error("child {index} ran other code than the definition names")]
    OtherCode {
        /// Of the child, from 0.
        index: usize,
    },
    /// The first call of an instance has one before it, or a later one has none; what was asked for itself, or a check, claims to be such a
    /// call; a call had ended before the one that it follows began, follows itself or what another follows, or miscounts.
    #[error("statement contradicts itself about its instance's calls")]
    InstanceInconsistent,
    /// Another file to start at.
    #[error("source starts at another file than the statement says")]
    EntryMismatch,
}

impl Refusal {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ForeignNodeKey { .. } => "foreign_node_key",
            Self::Delegation(error) => match error {
                DelegationError::Envelope(_) => "delegation_signature",
                DelegationError::PayloadType => "delegation_payload_type",
                DelegationError::Statement(error) => error.code(),
                DelegationError::Subject => "delegation_subject",
                DelegationError::Window => "delegation_window",
            },
            Self::NodeRevoked { .. } => "node_revoked",
            Self::NodeNotTrustedThen { .. } => "node_not_trusted_then",
            Self::KeyInTwoRoles { .. } => "key_in_two_roles",
            Self::ForeignSandboxKey { .. } => "foreign_sandbox_key",
            Self::Envelope(_) => "statement_signature",
            Self::PayloadType => "payload_type",
            Self::Statement(error) => error.code(),
            Self::SandboxMismatch => "sandbox_mismatch",
            Self::IsolationMismatch => "isolation_mismatch",
            Self::LogMismatch => "log_mismatch",
            Self::TimestampOutsideDelegation { .. } => "timestamp_outside_delegation",
            Self::TimestampInFuture { .. } => "timestamp_in_future",
            Self::PreviousMismatch => "previous_mismatch",
            Self::BeginPreviousMismatch | Self::NotAfterBegin => "previous_mismatch",
            Self::Begin(_) => "begin_signature",
            Self::BeginMismatch { .. } => "begin_mismatch",
            Self::SeedMismatch => "seed_mismatch",
            Self::ProofUnreferenced => "proof_unreferenced",
            Self::ProofInvalid { .. } => "proof_invalid",
            Self::ProofOrigin { .. } => "proof_origin",
            Self::ProofIndex { .. } => "proof_index",
            Self::ProofOrder { .. } => "proof_order",
            Self::LogForked { .. } => "log_forked",
            Self::CheckpointSignature { .. } => "checkpoint_signature",
            Self::LogPolicyUnmet { .. } => "log_policy_unmet",
            Self::LogPolicyMissing { .. } => "log_policy_missing",
            Self::OwnParent => "own_parent",
            Self::GrantMismatch => "grant_mismatch",
            Self::ToolHashMismatch { .. } => "tool_hash_mismatch",
            Self::LevelInconsistent { .. } => "level_inconsistent",
            Self::ProofMissing { .. } => "proof_missing",
            Self::EvidenceMissing { .. } => "evidence_missing",
            Self::ReexecutableInconsistent => "reexecutable_inconsistent",
            Self::LevelBelowRequired { .. } => "level_below_required",
            Self::TimeNotWitnessed => "time_not_witnessed",
            Self::TimeOutsideBound { .. } => "time_outside_bound",
            Self::NonceMismatch => "nonce_mismatch",
            Self::AudienceMismatch => "audience_mismatch",
            Self::AgentMismatch { .. } => "agent_mismatch",
            Self::InputMismatch { .. } => "input_mismatch",
            Self::ExecutionMismatch { .. } => "execution_mismatch",
            Self::RecordingNotCommitted => "recording_not_committed",
            Self::EventCount { .. } => "event_count",
            Self::RecordingRoot => "recording_root",
            Self::DisclosedIndex { .. } => "disclosed_index",
            Self::DisclosedPath { .. } => "disclosed_path",
            Self::Event { .. } => "event_malformed",
            Self::EventOrder { .. } => "event_order",
            Self::ToolCallsMismatch { .. } => "tool_calls_mismatch",
            Self::OutcomeInconsistent => "outcome_inconsistent",
            Self::BlobSize { .. } => "blob_size",
            Self::BlobMissing { .. } => "blob_missing",
            Self::BlobUnreferenced { .. } => "blob_unreferenced",
            Self::PrivateMismatch => "private_mismatch",
            Self::ComponentMismatch { .. } => "component_mismatch",
            Self::SourceMismatch { .. } => "source_mismatch",
            Self::EntryMismatch => "entry_mismatch",
            Self::ToolMismatch { .. } => "tool_mismatch",
            Self::ValidationInconsistent => "validation_inconsistent",
            Self::DefinitionMismatch => "definition_mismatch",
            Self::DefinitionNotFollowed { .. } => "definition_not_followed",
            Self::CheckWithRights { .. } => "check_with_rights",
            Self::ChildOfCall { .. } => "child_of_call",
            Self::Child { source, .. } => source.code(),
            Self::NotCalled { .. } => "child_not_called",
            Self::OtherAnswer { .. } => "child_other_answer",
            Self::OtherCode { .. } => "child_other_code",
            Self::InstanceInconsistent => "instance_inconsistent",
        }
    }

    /// Whether the bundle is wrong, or the verifier lacks something.
    pub fn kind(&self) -> RefusalKind {
        match self {
            Self::ForeignNodeKey { .. }
            | Self::LogPolicyMissing { .. }
            | Self::LogPolicyUnmet { .. }
            | Self::ProofMissing { .. }
            | Self::EvidenceMissing { .. }
            | Self::TimeNotWitnessed => RefusalKind::CouldNotCheck,
            Self::Statement(StatementError::Version | StatementError::Critical(_)) => {
                RefusalKind::CouldNotCheck
            }
            Self::Delegation(DelegationError::Statement(
                StatementError::Version | StatementError::Critical(_),
            )) => RefusalKind::CouldNotCheck,
            Self::Child { source, .. } => source.kind(),
            _ => RefusalKind::Invalid,
        }
    }
}

fn named(log: &Option<LogOrigin>) -> String {
    match log {
        Some(log) => format!("`{log}`"),
        None => "none".to_owned(),
    }
}
