//! The executions that this one called: that each is an answer to its call, by the tool that was meant.
//!
//! The attack is a child of another run: one that is true in itself, and was never called here, or on other arguments, or answered something
//! else. So a call and its child are tied at both ends: arguments to input, output to result.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::{Bundle, Private};
use crate::digest::Digest;
use crate::event::{CallOutcome, Event};
use crate::id::ExecutionId;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::statement::{ExecutionStatement, ToolCall};
use crate::time::Timestamp;
use crate::tool::{Code, Definition};
use crate::trust::Trust;
use crate::verified::Verified;
use crate::verify::agent::checks;
use crate::verify::{Asked, Expectation};

impl Bundle {
    /// The tools' definitions are those whose digests the statement has.
    pub(super) fn check_tools(&self, statement: &ExecutionStatement) -> Result<(), Refusal> {
        if self.private.contains(&Private::Tools) == self.tools.is_empty() {
            return Err(Refusal::PrivateMismatch);
        }
        for definition in &self.tools {
            let name = &definition.name;
            if statement.tool_hashes.get(name) != Some(&definition.digest()) {
                return Err(Refusal::ToolMismatch { name: name.clone() });
            }
        }
        Ok(())
    }

    /// The children, verified, in the order of the bundle.
    pub(super) fn verified_children(
        &self,
        statement: &ExecutionStatement,
        events: Option<&[Event]>,
        trust: &Trust,
        now: Timestamp,
    ) -> Result<Vec<Verified>, Refusal> {
        let contents = events.map(contents);
        let calls = calls(statement)?;
        let checks = checks(statement);
        let mut seen = BTreeSet::from([statement.execution_id]);
        let mut verified = Vec::with_capacity(self.children.len());
        for (index, bundle) in self.children.iter().enumerate() {
            let refuse = |source| Refusal::Child {
                index,
                source: Box::new(source),
            };
            let child = bundle.verify_as(trust, &Expectation::default(), now, Asked::ByParent);
            let child = child.map_err(refuse)?;
            let of_child = child.statement();
            let id = of_child.execution_id;
            // An execution was called once, wherever in the bundle.
            let is_new = child.executions().all(|id| seen.insert(id));
            if of_child.parent != Some(statement.execution_id) || !is_new {
                return Err(Refusal::NotCalled { index });
            }
            if let Some(check) = checks.get(&id) {
                self.check_check(index, *check, statement, of_child)?;
                verified.push(child);
                continue;
            }
            let call = calls.get(&id).ok_or(Refusal::NotCalled { index })?;
            let contents = contents.as_ref().and_then(|all| all.get(&call.event));
            if !is_answer(call, of_child, contents.copied()) {
                return Err(Refusal::OtherAnswer { index });
            }
            // It was made after the one before, which had begun by then.
            let before = of_child.instance.and_then(|instance| instance.previous);
            let before = before.and_then(|before| calls.get(&before));
            let ended = contents.and_then(|contents| contents.ended);
            if let (Some(before), Some(ended)) = (before, ended)
                && before.event >= ended
            {
                return Err(Refusal::InstanceInconsistent);
            }
            // Sorted by name, as parsing has seen.
            let by_name = |tool: &Definition| tool.name.as_ref().cmp(call.tool.as_str());
            let definition = self.tools.binary_search_by(by_name);
            let definition = definition.ok().and_then(|index| self.tools.get(index));
            if definition.is_some_and(|definition| !is_code(definition, of_child)) {
                return Err(Refusal::OtherCode { index });
            }
            verified.push(child);
        }
        check_instances(&verified)?;
        Ok(verified)
    }
}

/// Among calls of instances, no two follow the same one, and each counts one more than the one that it follows.
fn check_instances(children: &[Verified]) -> Result<(), Refusal> {
    let statements = children.iter().map(Verified::statement);
    let claims: BTreeMap<_, _> = statements
        .map(|statement| (statement.execution_id, statement.instance))
        .collect();
    let mut followed = BTreeSet::new();
    for claim in claims.values().flatten() {
        let Some(previous) = claim.previous else {
            continue;
        };
        let follows = match claims.get(&previous) {
            Some(Some(before)) => before.calls_before.checked_add(1) == Some(claim.calls_before),
            Some(None) => false,
            // It is in another bundle.
            None => true,
        };
        if !follows || !followed.insert(previous) {
            return Err(Refusal::InstanceInconsistent);
        }
    }
    Ok(())
}

/// The calls that were executions, each of one.
fn calls(statement: &ExecutionStatement) -> Result<BTreeMap<ExecutionId, &ToolCall>, Refusal> {
    let mut calls = BTreeMap::new();
    for (index, call) in statement.tool_calls.iter().enumerate() {
        let Some(child) = call.child else { continue };
        let is_own = child == statement.execution_id;
        if is_own || call.tool_hash.is_none() || calls.insert(child, call).is_some() {
            return Err(Refusal::ChildOfCall { index });
        }
    }
    Ok(calls)
}

/// What went into a call, and what came out, if something did.
#[derive(Clone, Copy)]
struct Contents {
    arguments: Digest,
    result: Option<Digest>,
    /// The index of the completion.
    ended: Option<u64>,
}

/// By the index of the event that begins the call.
fn contents(events: &[Event]) -> BTreeMap<u64, Contents> {
    let mut begun = BTreeMap::new();
    let mut contents: BTreeMap<u64, Contents> = BTreeMap::new();
    for (index, event) in (0..).zip(events) {
        match event {
            Event::ToolCall {
                call, arguments, ..
            } => {
                begun.insert(*call, index);
                contents.insert(
                    index,
                    Contents {
                        arguments: arguments.sha256,
                        result: None,
                        ended: None,
                    },
                );
            }
            Event::Completion { call, result, .. } => {
                if let Some(of) = begun.get(call).and_then(|index| contents.get_mut(index)) {
                    of.result = Some(result.sha256);
                    of.ended = Some(index);
                }
            }
            _ => {}
        }
    }
    contents
}

/// Whether the child was called with these arguments, and what came of the call is its output. Of a call that failed, the child may have
/// ended well: its result may not have been what the tool's schema says.
fn is_answer(call: &ToolCall, child: &ExecutionStatement, contents: Option<Contents>) -> bool {
    let ended_well = child.outcome == Outcome::Ok;
    if call.outcome == Some(CallOutcome::Denied)
        || (call.outcome == Some(CallOutcome::Ok) && !ended_well)
    {
        return false;
    }
    contents.is_none_or(|contents| {
        let answers = contents.result == Some(child.output_hash);
        contents.arguments == child.input_hash && (call.outcome != Some(CallOutcome::Ok) || answers)
    })
}

/// Whether the child ran what the definition says.
fn is_code(definition: &Definition, child: &ExecutionStatement) -> bool {
    match &definition.code {
        Code::Source { sha256, entry } => {
            *sha256 == child.agent_hash && child.agent_entry.as_ref() == Some(entry)
        }
        Code::Component { sha256, export } => {
            *sha256 == child.agent_hash
                && child.agent_entry.is_none()
                && child.export.as_ref() == Some(export)
        }
    }
}
