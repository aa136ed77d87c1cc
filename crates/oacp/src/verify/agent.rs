//! A registered agent's run: that the definition is the one that was signed, that the run followed it, and that each check was a run of the
//! check's code over this input and this output.
//!
//! The attack is a claim of having been checked: a check that ran on something else, or is another one, or said no; or a step that was
//! left out. Whether a schema accepts something is not decided here: this crate has no JSON Schema. A replay decides it.

use std::collections::BTreeMap;

use crate::agent::{AgentDefinition, Check, CheckName, Step, Validation};
use crate::bundle::{Bundle, Private};
use crate::capability::Capabilities;
use crate::digest::Digest;
use crate::id::ExecutionId;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::statement::ExecutionStatement;

impl Bundle {
    /// The definition is the one that the statement names, and what the statement says follows it.
    pub(super) fn check_agent(&self, statement: &ExecutionStatement) -> Result<(), Refusal> {
        if self.private.contains(&Private::Agent) != self.agent.is_some() {
            return Err(Refusal::PrivateMismatch);
        }
        match (&self.agent, &statement.validation) {
            (None, _) => Ok(()),
            (Some(definition), Some(validation))
                if validation.agent == definition.name
                    && validation.definition == definition.digest() =>
            {
                check_followed(definition, validation, statement)
            }
            (Some(_), _) => Err(Refusal::DefinitionMismatch),
        }
    }

    /// Whether a child is the run of this check over the input and output of the bundle's execution, as far as they are here, and says
    /// what the statement says it does.
    pub(super) fn check_check(
        &self,
        index: usize,
        (name, passed): (&CheckName, bool),
        parent: &ExecutionStatement,
        child: &ExecutionStatement,
    ) -> Result<(), Refusal> {
        if child.grant.capabilities != Capabilities::default() {
            return Err(Refusal::CheckWithRights { index });
        }
        // A check that remembers could have been taught.
        if child.instance.is_some() {
            return Err(Refusal::InstanceInconsistent);
        }
        let content = |private, digest: &Digest| match self.private.contains(&private) {
            true => self.blobs.get(digest),
            false => None,
        };
        let input = content(Private::Input, &parent.input_hash);
        let output = content(Private::Output, &parent.output_hash);
        let is_its_input = match (input, output) {
            (Some(input), Some(output)) => {
                child.input_hash == Digest::of(&Check::input(input, output))
            }
            _ => true,
        };
        if !is_its_input || Check::is_passed(child.outcome, child.output_hash) != passed {
            return Err(Refusal::OtherAnswer { index });
        }
        let checks = self.agent.iter().flat_map(|agent| &agent.checks);
        let mut named = checks.filter(|check| check.name == *name);
        let is_code = |check: &Check| {
            check.sha256 == child.agent_hash && child.agent_entry.as_ref() == Some(&check.entry)
        };
        if named.any(|check| !is_code(check)) {
            return Err(Refusal::OtherCode { index });
        }
        Ok(())
    }
}

/// What the statement says of its validation, without the definition.
pub(super) fn check_validation(statement: &ExecutionStatement) -> Result<(), Refusal> {
    let Some(validation) = &statement.validation else {
        // Without a schema or a check no run can fail by one.
        return match statement.outcome {
            Outcome::CheckFailed => Err(Refusal::ValidationInconsistent),
            _ => Ok(()),
        };
    };
    let checks = checks(statement);
    let called = |child: &ExecutionId| {
        let mut calls = statement.tool_calls.iter();
        calls.any(|call| call.child == Some(*child))
    };
    if !validation.is_consistent(statement.outcome)
        || checks.len() < validation.checks().count()
        || checks.contains_key(&statement.execution_id)
        || checks.keys().any(called)
    {
        return Err(Refusal::ValidationInconsistent);
    }
    Ok(())
}

/// The executions of its checks.
pub(super) fn checks(statement: &ExecutionStatement) -> BTreeMap<ExecutionId, (&CheckName, bool)> {
    let validation = statement.validation.iter();
    validation
        .flat_map(Validation::checks)
        .map(|(name, passed, child)| (child, (name, passed)))
        .collect()
}

fn check_followed(
    definition: &AgentDefinition,
    validation: &Validation,
    statement: &ExecutionStatement,
) -> Result<(), Refusal> {
    let refused = |what| Err(Refusal::DefinitionNotFollowed { what });
    if !validation.is_whole(definition, statement.outcome) {
        return refused("a step is missing, or is one too many");
    }
    // What was refused for its code may have had other code, or other tools.
    if matches!(validation.steps.first(), Some(Step::Code { passed: false })) {
        return Ok(());
    }
    let code = &definition.code;
    if statement.agent_hash != code.sha256()
        || statement.agent_entry.as_ref() != code.entry()
        || statement.export.is_some()
    {
        return refused("it ran other code");
    }
    let mut tools = statement.tool_hashes.iter();
    if tools.any(|(name, digest)| definition.tools.get(name) != Some(digest)) {
        return refused("it was granted another tool");
    }
    Ok(())
}
