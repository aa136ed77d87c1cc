//! A verified bundle: the only way to its claims.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::agent::AgentDefinition;
use crate::begin::Begin;
use crate::bundle::Private;
use crate::delegation::Delegation;
use crate::digest::Digest;
use crate::event::Event;
use crate::id::ExecutionId;
use crate::logged::{LogCheck, Logged, TimeCheck};
use crate::recording::Recording;
use crate::source::Source;
use crate::statement::ExecutionStatement;
use crate::tool::Definition;
use crate::trust::Origin;
use crate::verify::Expectation;

/// What a bundle says, after [`Bundle::verify`](crate::Bundle::verify). It is what the signer
/// claims, and what belongs to the claim; that it is true is another question, see
/// [`Verified::report`].
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    pub(crate) statement: ExecutionStatement,
    pub(crate) pae_digest: Digest,
    pub(crate) delegation: Delegation,
    pub(crate) begin: Option<Begin>,
    pub(crate) log: LogCheck,
    pub(crate) time: TimeCheck,
    pub(crate) time_bound_s: Option<u64>,
    pub(crate) node: String,
    /// The tree size from which on the node is not trusted, if it is revoked.
    pub(crate) revoked_from: Option<u64>,
    pub(crate) origin: Origin,
    pub(crate) expectation: Expectation,
    pub(crate) events: Option<Vec<Event>>,
    pub(crate) disclosed: Option<BTreeMap<u64, Event>>,
    pub(crate) recording: Option<Arc<Recording>>,
    pub(crate) source: Option<Source>,
    pub(crate) private: BTreeSet<Private>,
    pub(crate) blobs: BTreeMap<Digest, Arc<[u8]>>,
    pub(crate) agent: Option<Arc<AgentDefinition>>,
    pub(crate) tools: Vec<Definition>,
    pub(crate) children: Vec<Verified>,
}

impl Verified {
    /// The statement.
    pub fn statement(&self) -> &ExecutionStatement {
        &self.statement
    }

    /// SHA-256 of the statement's PAE: by what a log, and the sandbox's next statement, name it.
    pub fn pae_digest(&self) -> Digest {
        self.pae_digest
    }

    /// The delegation of the key that signed.
    pub fn delegation(&self) -> &Delegation {
        &self.delegation
    }

    /// The begin that announced the execution. `None`: there is none in the bundle.
    pub fn begin(&self) -> Option<&Begin> {
        self.begin.as_ref()
    }

    /// Where the execution is in a log, by proofs that the trust file's policy accepts. `None`: there
    /// are no proofs, or no policy.
    pub fn logged(&self) -> Option<&Logged> {
        self.log.logged()
    }

    /// The trust file's name for the node that delegated.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Whether the node is trusted by a file, or for being this machine's.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The events, in order. `None`: withheld, or not recorded.
    pub fn events(&self) -> Option<&[Event]> {
        self.events.as_deref()
    }

    /// The events that are disclosed, by index, where the others are withheld: nothing follows from
    /// what is not among them. `None`: none is here, or all are, see [`Verified::events`].
    pub fn disclosed(&self) -> Option<&BTreeMap<u64, Event>> {
        self.disclosed.as_ref()
    }

    /// The indexes of the events that the statement commits to and that are not here, in order.
    pub fn withheld(&self) -> Vec<RangeInclusive<u64>> {
        let mut ranges = Vec::new();
        let Some(recording) = self.statement.recording.filter(|_| self.events.is_none()) else {
            return ranges;
        };
        let mut next = 0;
        let shown = self.disclosed.iter().flat_map(BTreeMap::keys).copied();
        for index in shown.chain([recording.events]) {
            if index > next {
                ranges.push(next..=index - 1);
            }
            next = index + 1;
        }
        ranges
    }

    /// The recording, for a replay. Its blobs are all of the bundle's. `None`: withheld, or not
    /// recorded.
    pub fn recording(&self) -> Option<&Recording> {
        self.recording.as_deref()
    }

    /// Whether the bundle holds this private content.
    pub fn holds(&self, private: Private) -> bool {
        self.private.contains(&private)
    }

    /// The input. `None`: withheld.
    pub fn input(&self) -> Option<&[u8]> {
        self.private_blob(Private::Input, &self.statement.input_hash)
    }

    /// The output. `None`: withheld.
    pub fn output(&self) -> Option<&[u8]> {
        self.private_blob(Private::Output, &self.statement.output_hash)
    }

    /// The agent's source. `None`: withheld, or the agent is a component.
    pub fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// The agent's component. `None`: withheld, or the agent is source.
    pub fn component(&self) -> Option<&[u8]> {
        match self.source {
            Some(_) => None,
            None => self.private_blob(Private::Source, &self.statement.agent_hash),
        }
    }

    /// The definition that the run was held to. `None`: withheld, or it is no registered agent's.
    pub fn agent(&self) -> Option<&AgentDefinition> {
        self.agent.as_deref()
    }

    /// The definitions of the tools that it called, by name; those that the bundle has.
    pub fn tools(&self) -> &[Definition] {
        &self.tools
    }

    /// The executions that it called and whose bundles are here, in the bundle's order: each verified, and tied to its call by the digests of
    /// arguments and result, as far as the events are here.
    pub fn children(&self) -> &[Self] {
        &self.children
    }

    /// This execution, and those within its bundle.
    pub(crate) fn executions(&self) -> Box<dyn Iterator<Item = ExecutionId> + '_> {
        let within = self.children.iter().flat_map(Self::executions);
        Box::new(std::iter::once(self.statement.execution_id).chain(within))
    }

    /// The component that it ran on. `None`: not in the bundle.
    pub fn runtime(&self) -> Option<&[u8]> {
        self.blob(&self.statement.runtime.sha256)
    }

    /// A content that the statement or an event names.
    pub fn blob(&self, digest: &Digest) -> Option<&[u8]> {
        self.blobs.get(digest).map(AsRef::as_ref)
    }

    fn private_blob(&self, private: Private, digest: &Digest) -> Option<&[u8]> {
        if self.holds(private) {
            self.blob(digest)
        } else {
            None
        }
    }
}
