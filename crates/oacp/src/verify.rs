//! Verifying a bundle: from a trusted node's key down to every byte of content.
//!
//! The attack is a bundle of which some part is true and another is not. Every part is checked
//! against the signed statement, and what nothing names is refused.

mod agent;
mod begin;
mod children;
mod disclosed;
mod events;
mod log;

use std::collections::{BTreeMap, BTreeSet};

use self::agent::check_validation;
use self::begin::check_seed;
use self::disclosed::checked_disclosed;
use self::events::checked_events;
use self::log::{check_revocation, checked_time};
use crate::bundle::{Bundle, Private};
use crate::delegation::Delegation;
use crate::digest::Digest;
use crate::envelope::PAYLOAD_TYPE;
use crate::event::{CallOutcome, Event};
use crate::id::{Audience, ExecutionId, Nonce};
use crate::key::PublicKey;
use crate::limits::CLOCK_SKEW_MS_MAX;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::statement::{ExecutionStatement, Level, Reexecutable, ToolCall};
use crate::time::Timestamp;
use crate::trust::{Trust, TrustedNode};
use crate::verified::Verified;

/// What the caller expects a statement to be about. `None`: not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The nonce that it gave.
    pub nonce: Option<Nonce>,
    /// Its own name.
    pub audience: Option<Audience>,
    /// The agent's digest.
    pub agent: Option<Digest>,
    /// The input's digest.
    pub input: Option<Digest>,
    /// The execution that was asked for: whoever answers may have given another.
    pub execution: Option<ExecutionId>,
}

/// On whose behalf a bundle is verified. What a trust file requires, it requires of what its owner asked for: a tool's execution is
/// part of that, and its level is below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    ByCaller,
    ByParent,
}

impl Bundle {
    /// Checks everything that can be checked without running anything, with `now` by the verifier's
    /// clock. A key that has expired since is no reason to refuse: what counts is the time of
    /// signing.
    ///
    /// # Errors
    /// The first thing that is wrong. Nothing of a refused bundle can be had.
    pub fn verify(
        &self,
        trust: &Trust,
        expectation: &Expectation,
        now: Timestamp,
    ) -> Result<Verified, Refusal> {
        self.verify_as(trust, expectation, now, Asked::ByCaller)
    }

    fn verify_as(
        &self,
        trust: &Trust,
        expectation: &Expectation,
        now: Timestamp,
        asked: Asked,
    ) -> Result<Verified, Refusal> {
        let (node, delegation) = self.verified_delegation(trust)?;
        let statement = self.verified_statement(&node.key, &delegation)?;
        check_chain(&statement, &delegation, self.delegation.pae_digest())?;
        check_time(&statement, &delegation, node, now)?;
        check_consistency(&statement)?;
        let begin = self.verified_begin(&statement, &delegation)?;
        let log = self.checked_log(&statement, begin.as_ref(), trust)?;
        check_revocation(node, &log)?;
        self.check_level(statement.level, trust)?;
        if asked == Asked::ByCaller {
            check_required(&statement, trust)?;
            // Only what is called within a run can be one of several calls.
            if statement.instance.is_some() {
                return Err(Refusal::InstanceInconsistent);
            }
        }
        let time = checked_time(&statement, &delegation, &log, trust)?;
        check_expectation(&statement, expectation)?;
        let events = match &self.recording {
            Some(recording) => Some(checked_events(recording, &statement)?),
            None => None,
        };
        let disclosed = match &self.disclosed {
            Some(disclosed) => Some(checked_disclosed(disclosed, &statement)?),
            None => None,
        };
        if let Some(begin) = &begin {
            check_seed(begin, self.start(events.as_deref(), disclosed.as_ref()))?;
        }
        self.check_source(&statement)?;
        self.check_tools(&statement)?;
        self.check_agent(&statement)?;
        self.check_contents(&statement, events.as_deref(), disclosed.as_ref())?;
        let children = self.verified_children(&statement, events.as_deref(), trust, now)?;
        Ok(Verified {
            statement,
            pae_digest: self.envelope.pae_digest(),
            delegation,
            begin,
            log,
            time,
            time_bound_s: trust.require().time_bound_s,
            node: node.name.clone(),
            revoked_from: node.revoked.as_ref().map(|revoked| revoked.tree_size),
            origin: trust.origin(),
            expectation: expectation.clone(),
            events,
            disclosed,
            recording: self.recording.clone(),
            source: self.source.clone(),
            private: self.private.clone(),
            blobs: self.blobs.clone(),
            agent: self.agent.clone(),
            tools: self.tools.clone(),
            children,
        })
    }

    fn verified_delegation<'t>(
        &self,
        trust: &'t Trust,
    ) -> Result<(&'t TrustedNode, Delegation), Refusal> {
        let keyid = self.delegation.keyid();
        let node = trust.node(keyid).ok_or(Refusal::ForeignNodeKey { keyid })?;
        let delegation =
            Delegation::verify(&self.delegation, &node.key).map_err(Refusal::Delegation)?;
        if trust.has_key(&delegation.key) {
            let keyid = delegation.key.id();
            return Err(Refusal::KeyInTwoRoles { keyid });
        }
        Ok((node, delegation))
    }

    fn verified_statement(
        &self,
        node: &PublicKey,
        delegation: &Delegation,
    ) -> Result<ExecutionStatement, Refusal> {
        let (keyid, expected) = (self.envelope.keyid(), delegation.key.id());
        let by_node = keyid == node.id();
        if keyid != expected && !by_node {
            return Err(Refusal::ForeignSandboxKey { keyid, expected });
        }
        let key = if by_node { node } else { &delegation.key };
        let payload = self.envelope.verify(key).map_err(Refusal::Envelope)?;
        if self.envelope.payload_type() != PAYLOAD_TYPE {
            return Err(Refusal::PayloadType);
        }
        let statement = ExecutionStatement::parse(payload).map_err(Refusal::Statement)?;
        // A crash takes the sandbox's key with it; only what it cut off is the node's own to state.
        if by_node && statement.outcome != Outcome::Interrupted {
            return Err(Refusal::ForeignSandboxKey { keyid, expected });
        }
        Ok(statement)
    }

    /// Event 0 with its salt, if the bundle shows it.
    fn start<'a>(
        &self,
        events: Option<&'a [Event]>,
        disclosed: Option<&'a BTreeMap<u64, Event>>,
    ) -> Option<(&'a Event, [u8; 32])> {
        if let (Some(recording), Some(events)) = (&self.recording, events) {
            return Some((events.first()?, recording.salt_key().salt(0)));
        }
        let salt = self.disclosed.as_ref()?.salt(0)?;
        Some((disclosed?.get(&0)?, *salt))
    }

    fn check_source(&self, statement: &ExecutionStatement) -> Result<(), Refusal> {
        let Some(source) = &self.source else {
            // An agent without an entry file is a component, and then it is what ran.
            let (agent, ran) = (statement.agent_hash, statement.runtime.sha256);
            return if statement.agent_entry.is_none() && agent != ran {
                Err(Refusal::ComponentMismatch { agent, ran })
            } else {
                Ok(())
            };
        };
        let (found, claimed) = (source.hash(), statement.agent_hash);
        if found != claimed {
            return Err(Refusal::SourceMismatch { found, claimed });
        }
        if statement.agent_entry.as_ref() != Some(source.entry()) {
            return Err(Refusal::EntryMismatch);
        }
        Ok(())
    }

    /// What is declared is there; what is there is declared, or public.
    fn check_contents(
        &self,
        statement: &ExecutionStatement,
        events: Option<&[Event]>,
        disclosed: Option<&BTreeMap<u64, Event>>,
    ) -> Result<(), Refusal> {
        let declares = |private| self.private.contains(&private);
        let shown: Vec<(u64, &Event)> = match disclosed {
            Some(disclosed) => disclosed
                .iter()
                .map(|(index, event)| (*index, event))
                .collect(),
            None => (0..).zip(events.unwrap_or_default()).collect(),
        };
        let is_component =
            statement.agent_entry.is_none() && self.blobs.contains_key(&statement.agent_hash);
        let holds_source = self.source.is_some() || is_component;
        if declares(Private::Events) != events.is_some()
            || declares(Private::Disclosed) != disclosed.is_some()
            || (declares(Private::Source) && !holds_source)
        {
            return Err(Refusal::PrivateMismatch);
        }
        if self.source.is_some() && !declares(Private::Source) {
            return Err(Refusal::PrivateMismatch);
        }

        let mut named: BTreeSet<Digest> = statement.runtime.layers.iter().copied().collect();
        named.insert(statement.runtime.sha256);
        let mut require = |digest: Digest| {
            named.insert(digest);
            if self.blobs.contains_key(&digest) {
                Ok(())
            } else {
                Err(Refusal::BlobMissing { digest })
            }
        };
        if declares(Private::Input) {
            require(statement.input_hash)?;
        }
        if declares(Private::Output) {
            require(statement.output_hash)?;
        }
        match &self.source {
            Some(source) => source
                .blobs()
                .try_for_each(|(_, content)| require(content.digest()))?,
            None if declares(Private::Source) => require(statement.agent_hash)?,
            None => {}
        }
        if declares(Private::Contents) {
            let contents: Vec<_> = shown
                .iter()
                .flat_map(|(_, event)| event.contents())
                .collect();
            if contents.is_empty() {
                return Err(Refusal::PrivateMismatch);
            }
            contents
                .into_iter()
                .try_for_each(|content| require(content.sha256))?;
        }
        // A child names its own.
        let children = self.children.iter();
        named.extend(children.flat_map(|child| child.blobs.keys()).copied());
        match self.blobs.keys().find(|digest| !named.contains(digest)) {
            Some(digest) => Err(Refusal::BlobUnreferenced { digest: *digest }),
            None => self.check_sizes(&shown),
        }
    }

    fn check_sizes(&self, shown: &[(u64, &Event)]) -> Result<(), Refusal> {
        for &(index, event) in shown {
            for content in event.contents() {
                if let Some(blob) = self.blobs.get(&content.sha256)
                    && blob.len() as u64 != content.size
                {
                    return Err(Refusal::BlobSize {
                        digest: content.sha256,
                        index,
                    });
                }
            }
        }
        Ok(())
    }
}

fn check_chain(
    statement: &ExecutionStatement,
    delegation: &Delegation,
    delegation_pae: Digest,
) -> Result<(), Refusal> {
    if statement.sandbox_id != delegation.sandbox_id {
        return Err(Refusal::SandboxMismatch);
    }
    if statement.isolation != delegation.isolation {
        return Err(Refusal::IsolationMismatch);
    }
    if statement.log != delegation.log {
        return Err(Refusal::LogMismatch);
    }
    if statement.sequence == 0 && statement.previous != delegation_pae {
        return Err(Refusal::PreviousMismatch);
    }
    if statement.parent == Some(statement.execution_id) {
        return Err(Refusal::OwnParent);
    }
    Ok(())
}

fn check_time(
    statement: &ExecutionStatement,
    delegation: &Delegation,
    node: &TrustedNode,
    now: Timestamp,
) -> Result<(), Refusal> {
    let &ExecutionStatement { timestamp, .. } = statement;
    let &Delegation {
        not_before,
        not_after,
        ..
    } = delegation;
    if !(not_before..=not_after).contains(&timestamp) {
        return Err(Refusal::TimestampOutsideDelegation {
            timestamp,
            not_before,
            not_after,
        });
    }
    if timestamp.unix_ms() > now.unix_ms() + CLOCK_SKEW_MS_MAX {
        return Err(Refusal::TimestampInFuture { timestamp });
    }
    for at in [not_before, timestamp] {
        if node.not_before.is_some_and(|from| at < from) || node.not_after.is_some_and(|to| at > to)
        {
            return Err(Refusal::NodeNotTrustedThen {
                name: node.name.clone(),
                at,
            });
        }
    }
    Ok(())
}

/// What the statement says of itself.
fn check_consistency(statement: &ExecutionStatement) -> Result<(), Refusal> {
    if statement.grant.digest != statement.grant.capabilities.digest() {
        return Err(Refusal::GrantMismatch);
    }
    if statement.level >= Level::Execution && statement.recording.is_none() {
        return Err(Refusal::LevelInconsistent {
            level: statement.level,
            needs: "a recording",
        });
    }
    if statement.level >= Level::Full
        && (statement.log.is_none() || statement.policy_hash.is_none())
    {
        return Err(Refusal::LevelInconsistent {
            level: statement.level,
            needs: "a log and a policy digest",
        });
    }
    // A call that was denied may be of a tool that there is not.
    let mut calls = statement.tool_calls.iter();
    let runs_unnamed =
        |call: &ToolCall| call.tool_hash.is_none() && call.outcome != Some(CallOutcome::Denied);
    if statement.level >= Level::Full && calls.any(runs_unnamed) {
        return Err(Refusal::LevelInconsistent {
            level: statement.level,
            needs: "the digest of every tool that was called",
        });
    }
    if statement.reexecutable == Reexecutable::Yes
        && !(statement.outcome.reexecutable() && statement.recording.is_some())
    {
        return Err(Refusal::ReexecutableInconsistent);
    }
    if let Some(instance) = &statement.instance
        && ((instance.calls_before == 0) != instance.previous.is_none()
            || instance.previous == Some(statement.execution_id))
    {
        return Err(Refusal::InstanceInconsistent);
    }
    check_validation(statement)?;
    if statement.export.is_some() && statement.agent_entry.is_some() {
        return Err(Refusal::EntryMismatch);
    }
    let mut previous = 0;
    for (index, call) in statement.tool_calls.iter().enumerate() {
        let listed = call
            .tool
            .parse()
            .ok()
            .and_then(|tool| statement.tool_hashes.get(&tool));
        if call.tool_hash.is_some() && call.tool_hash.as_ref() != listed {
            return Err(Refusal::ToolHashMismatch { index });
        }
        // Where the events are withheld, their indexes still rise, from 1 on, within what is
        // committed to.
        if let Some(recording) = &statement.recording {
            if call.event <= previous || call.event >= recording.events {
                return Err(Refusal::ToolCallsMismatch { index });
            }
            previous = call.event;
        }
    }
    Ok(())
}

fn check_required(statement: &ExecutionStatement, trust: &Trust) -> Result<(), Refusal> {
    let level = statement.level;
    match trust.require().level {
        Some(required) if level < required => {
            return Err(Refusal::LevelBelowRequired { level, required });
        }
        _ => {}
    }
    Ok(())
}

fn check_expectation(
    statement: &ExecutionStatement,
    expectation: &Expectation,
) -> Result<(), Refusal> {
    if expectation.nonce.is_some() && expectation.nonce != statement.nonce {
        return Err(Refusal::NonceMismatch);
    }
    if expectation.audience.is_some() && expectation.audience != statement.audience {
        return Err(Refusal::AudienceMismatch);
    }
    let found = statement.agent_hash;
    if let Some(expected) = expectation.agent.filter(|expected| *expected != found) {
        return Err(Refusal::AgentMismatch { found, expected });
    }
    let found = statement.input_hash;
    if let Some(expected) = expectation.input.filter(|expected| *expected != found) {
        return Err(Refusal::InputMismatch { found, expected });
    }
    let found = statement.execution_id;
    if let Some(expected) = expectation.execution.filter(|expected| *expected != found) {
        return Err(Refusal::ExecutionMismatch { found, expected });
    }
    Ok(())
}
