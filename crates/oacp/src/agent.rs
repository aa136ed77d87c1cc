//! A registered agent: what it is, by one digest, and what a statement says of a run that was held to it.
//!
//! The attack is an agent that becomes another one under its name: by its code, by what it takes or gives, by a tool behind a name that
//! it always called, or by a check that no longer looks. So all of these are one definition, and the statement of each run names the
//! definition's digest. Rights and limits are not part of it: they are the operator's, and stand in each run's grant.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::{Digest, Hasher};
use crate::id::{ExecutionId, ToolName};
use crate::json::canonicalize;
use crate::limits::{
    AGENT_CHECKS_MAX, AGENT_DEFINITION_BYTES_MAX, AGENT_NAME_BYTES_MAX, TEXT_BYTES_MAX,
    TOOL_DESCRIPTION_BYTES_MAX,
};
use crate::outcome::Outcome;
use crate::source::SourcePath;

text_type!(
    /// A registered agent's name: 1 to 64 of `A-Z a-z 0-9 _ -`, the first no `-`.
    AgentName,
    ParseAgentNameError,
    "not an agent's name: expected 1 to 64 of the characters `A-Z a-z 0-9 _ -`, the first no `-`",
    is_name
);

text_type!(
    /// A check's name, likewise.
    CheckName,
    ParseCheckNameError,
    "not a check's name: expected 1 to 64 of the characters `A-Z a-z 0-9 _ -`, the first no `-`",
    is_name
);

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=AGENT_NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(fits)
        && !text.starts_with('-')
}

/// An agent, as it is pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "DefinitionJson")]
pub struct AgentDefinition {
    /// Under which it is registered.
    pub name: AgentName,
    /// Its own version, as its author counts. `None`: it says none. At most 256 bytes.
    pub version: Option<String>,
    /// What it is for, for people. At most 16 KiB; may be empty.
    pub description: String,
    /// What its input is: JSON Schema 2020-12. `None`: nothing is said of it.
    pub input_schema: Option<Value>,
    /// What its output is. `None`: nothing is said of it.
    pub output_schema: Option<Value>,
    /// What runs.
    pub code: AgentCode,
    /// The tools that it calls, each by its definition's digest. It can be given no other.
    pub tools: BTreeMap<ToolName, Digest>,
    /// What judges its input and output after a run, in this order. At most 16; no two have one name.
    pub checks: Vec<Check>,
}

/// What runs as a registered agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AgentCode {
    /// Source, on a language runtime.
    Source {
        /// [`Source::hash`](crate::Source::hash).
        sha256: Digest,
        /// The file to start at.
        entry: SourcePath,
    },
    /// A component, by its `run`.
    Component {
        /// Of the component.
        sha256: Digest,
    },
}

impl AgentCode {
    /// The `agent_hash` of an execution of it.
    pub const fn sha256(&self) -> Digest {
        match self {
            Self::Source { sha256, .. } | Self::Component { sha256 } => *sha256,
        }
    }

    /// The `agent_entry` of an execution of it.
    pub const fn entry(&self) -> Option<&SourcePath> {
        match self {
            Self::Source { entry, .. } => Some(entry),
            Self::Component { .. } => None,
        }
    }
}

/// A function over an agent's input and output, that says whether they are as they should be. It is run without any right, as an
/// execution of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Its name, in reports.
    pub name: CheckName,
    /// [`Source::hash`](crate::Source::hash) of its code.
    pub sha256: Digest,
    /// The file to start at, which calls the one function.
    pub entry: SourcePath,
}

impl Check {
    /// What a check is run on: the run's input and output, byte for byte, as the members `input` and `output` of one object.
    pub fn input(input: &[u8], output: &[u8]) -> Vec<u8> {
        [br#"{"input":"#, input, br#","output":"#, output, b"}"].concat()
    }

    /// Whether an execution of a check found nothing wrong: it ended well, with `true` or `null`, to the byte. Everything else is a no: `false`,
    /// a text that says what is wrong, any other value, an error, a limit that was reached.
    pub fn is_passed(outcome: Outcome, output_hash: Digest) -> bool {
        outcome == Outcome::Ok
            && [&b"true"[..], b"null"]
                .map(Digest::of)
                .contains(&output_hash)
    }
}

impl AgentDefinition {
    /// The agent's digest: SHA-256 of `"oacp/agent/v1" ‖ 0x00` and the definition's canonical JSON (RFC 8785).
    #[expect(
        clippy::expect_used,
        reason = "a definition is strings and what was JSON before"
    )]
    pub fn digest(&self) -> Digest {
        let canonical = canonicalize(self).expect("a definition is JSON");
        let mut hasher = Hasher::new();
        hasher.update(b"oacp/agent/v1\0").update(&canonical);
        hasher.finish()
    }

    /// Whether it is within its limits. What was read from JSON is.
    ///
    /// # Errors
    /// The first thing that is not.
    pub fn check(&self) -> Result<(), AgentDefinitionError> {
        if self.description.len() > TOOL_DESCRIPTION_BYTES_MAX {
            return Err(AgentDefinitionError::Description);
        }
        if self
            .version
            .as_ref()
            .is_some_and(|text| text.len() > TEXT_BYTES_MAX)
        {
            return Err(AgentDefinitionError::Version);
        }
        let names: BTreeSet<_> = self.checks.iter().map(|check| &check.name).collect();
        if self.checks.len() > AGENT_CHECKS_MAX || names.len() < self.checks.len() {
            return Err(AgentDefinitionError::Checks);
        }
        // What JSON cannot carry exactly has no canonical form, and so no digest.
        let canonical = canonicalize(self).map_err(|_| AgentDefinitionError::Number)?;
        if canonical.len() > AGENT_DEFINITION_BYTES_MAX {
            return Err(AgentDefinitionError::TooLarge);
        }
        Ok(())
    }
}

/// [`AgentDefinition`] as it is read, before its limits are checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DefinitionJson {
    name: AgentName,
    #[serde(default)]
    version: Option<String>,
    description: String,
    #[serde(default)]
    input_schema: Option<Value>,
    #[serde(default)]
    output_schema: Option<Value>,
    code: AgentCode,
    tools: BTreeMap<ToolName, Digest>,
    checks: Vec<Check>,
}

impl TryFrom<DefinitionJson> for AgentDefinition {
    type Error = AgentDefinitionError;

    fn try_from(json: DefinitionJson) -> Result<Self, AgentDefinitionError> {
        let definition = Self {
            name: json.name,
            version: json.version,
            description: json.description,
            input_schema: json.input_schema,
            output_schema: json.output_schema,
            code: json.code,
            tools: json.tools,
            checks: json.checks,
        };
        definition.check()?;
        Ok(definition)
    }
}

/// Why there is no such definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentDefinitionError {
    /// Longer than [`TOOL_DESCRIPTION_BYTES_MAX`].
    #[error("the description has more than {TOOL_DESCRIPTION_BYTES_MAX} bytes")]
    Description,
    /// Longer than [`TEXT_BYTES_MAX`].
    #[error("the version has more than {TEXT_BYTES_MAX} bytes")]
    Version,
    /// Too many, or two of one name.
    #[error("there are more than {AGENT_CHECKS_MAX} checks, or two of one name")]
    Checks,
    /// Larger than [`AGENT_DEFINITION_BYTES_MAX`].
    #[error("the definition has more than {AGENT_DEFINITION_BYTES_MAX} bytes")]
    TooLarge,
    /// A number that not every JSON implementation reads alike.
    #[error("a schema holds a number beyond 2^53")]
    Number,
}

/// What the signer says of a run that was held to a definition. It holds no word of input or output: what was wrong with them is in
/// the run's output, or the check's, where it can be withheld.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// The agent's name.
    pub agent: AgentName,
    /// [`AgentDefinition::digest`].
    pub definition: Digest,
    /// What was judged, in order, up to the first that is not passed; only checks are all run. First `code`, then `input` if there is a schema, and of a
    /// run that ended well `output` if there is a schema, then each check.
    pub steps: Vec<Step>,
}

/// One thing that was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Before the run: that the code is the definition's, that the tools that were granted are, and that the source shows no use of a tool or an import that cannot
    /// work.
    Code {
        /// Whether it is so.
        passed: bool,
    },
    /// Before the run: the input, by its schema.
    Input {
        /// Whether it is so.
        passed: bool,
    },
    /// After the run: the output, by its schema.
    Output {
        /// Whether it is so.
        passed: bool,
    },
    /// After the run: a check.
    Check {
        /// Its name.
        name: CheckName,
        /// [`Check::is_passed`].
        passed: bool,
        /// Its execution. `None`: it could not be run, and so is not passed.
        #[serde(default)]
        child: Option<ExecutionId>,
    },
}

impl Step {
    /// Whether it is passed.
    pub const fn is_passed(&self) -> bool {
        match self {
            Self::Code { passed }
            | Self::Input { passed }
            | Self::Output { passed }
            | Self::Check { passed, .. } => *passed,
        }
    }

    /// Whether it is judged before the run begins, which does not begin then if it is not passed.
    pub const fn is_before(&self) -> bool {
        matches!(self, Self::Code { .. } | Self::Input { .. })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code { .. } => f.write_str("code"),
            Self::Input { .. } => f.write_str("input"),
            Self::Output { .. } => f.write_str("output"),
            Self::Check { name, .. } => write!(f, "check `{name}`"),
        }
    }
}

impl Validation {
    /// The checks that were executions: name, verdict, execution.
    pub fn checks(&self) -> impl Iterator<Item = (&CheckName, bool, ExecutionId)> {
        self.steps.iter().filter_map(|step| match step {
            Step::Check {
                name,
                passed,
                child: Some(child),
            } => Some((name, *passed, *child)),
            _ => None,
        })
    }

    /// Whether it agrees with itself and with how the run ended: in order, nothing behind a step that is not passed but checks behind checks, and
    /// `refused` and `check_failed` exactly where a step before or after the run is not.
    pub(crate) fn is_consistent(&self, outcome: Outcome) -> bool {
        let place = |step: &Step| match step {
            Step::Code { .. } => 0,
            Step::Input { .. } => 1,
            Step::Output { .. } => 2,
            Step::Check { .. } => 3,
        };
        let steps = &self.steps;
        let is_ordered = steps.is_sorted_by(|one, next| {
            let (at, then) = (place(one), place(next));
            (at < then && one.is_passed()) || (at == 3 && then == 3)
        });
        let names: BTreeSet<_> = steps
            .iter()
            .filter_map(|step| match step {
                Step::Check { name, .. } => Some(name),
                _ => None,
            })
            .collect();
        let checks = steps.iter().filter(|step| place(step) == 3).count();
        let unrun = |step: &Step| {
            matches!(
                step,
                Step::Check {
                    passed: true,
                    child: None,
                    ..
                }
            )
        };
        let failed = steps.iter().find(|step| !step.is_passed());
        let is_outcome = match failed {
            Some(step) if step.is_before() => outcome == Outcome::Refused,
            Some(_) => outcome == Outcome::CheckFailed,
            None if steps.iter().all(Step::is_before) => {
                !matches!(outcome, Outcome::Refused | Outcome::CheckFailed)
            }
            None => outcome == Outcome::Ok,
        };
        matches!(steps.first(), Some(Step::Code { .. }))
            && is_ordered
            && names.len() == checks
            && checks <= AGENT_CHECKS_MAX
            && !steps.iter().any(unrun)
            && is_outcome
    }

    /// Whether no step is missing that `definition` asks for, and there is no other, of a run that ended so.
    pub(crate) fn is_whole(&self, definition: &AgentDefinition, outcome: Outcome) -> bool {
        let mut expected: Vec<Option<&CheckName>> = vec![None];
        let is_passed = |at: usize| self.steps.get(at).is_some_and(Step::is_passed);
        if is_passed(0) && definition.input_schema.is_some() {
            expected.push(None);
        }
        if matches!(outcome, Outcome::Ok | Outcome::CheckFailed) {
            let output = definition.output_schema.is_some();
            expected.extend(output.then_some(None));
            if !output || is_passed(expected.len() - 1) {
                expected.extend(definition.checks.iter().map(|check| Some(&check.name)));
            }
        }
        let found = self.steps.iter().map(|step| match step {
            Step::Check { name, .. } => Some(name),
            _ => None,
        });
        let has = |is: fn(&Step) -> bool| self.steps.iter().any(is);
        found.eq(expected)
            && (definition.input_schema.is_some()
                || !has(|step| matches!(step, Step::Input { .. })))
            && (definition.output_schema.is_some()
                || !has(|step| matches!(step, Step::Output { .. })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn step(kind: &str, passed: bool) -> Step {
        match kind {
            "code" => Step::Code { passed },
            "input" => Step::Input { passed },
            "output" => Step::Output { passed },
            name => Step::Check {
                name: name.parse().unwrap(),
                passed,
                child: Some(fixture::execution(name.len() as u8)),
            },
        }
    }

    fn validation(steps: &[(&str, bool)]) -> Validation {
        let definition = fixture::ValidatedCase::new().definition;
        Validation {
            agent: definition.name.clone(),
            definition: definition.digest(),
            steps: steps
                .iter()
                .map(|(kind, passed)| step(kind, *passed))
                .collect(),
        }
    }

    #[test]
    fn what_is_judged_has_one_order_and_one_outcome() {
        use Outcome::{CheckFailed, GuestError, Ok, Refused};
        let whole = [
            ("code", true),
            ("input", true),
            ("output", true),
            ("a", true),
            ("bb", true),
        ];
        type Steps<'a> = &'a [(&'a str, bool)];
        let cases: [(Steps<'_>, Outcome, bool); 18] = [
            (&whole, Ok, true),
            (&whole, CheckFailed, false),
            (&whole, GuestError, false),
            (&whole[..2], GuestError, true),
            (&whole[..2], Refused, false),
            (&whole[..2], CheckFailed, false),
            (&whole[..1], Ok, true),
            (&[], Ok, false),
            (&whole[1..], Ok, false),
            (&[("code", false)], Refused, true),
            (&[("code", false)], Ok, false),
            (&[("code", false), ("input", true)], Refused, false),
            (&[("code", true), ("input", false)], Refused, true),
            (&[("code", true), ("output", false)], CheckFailed, true),
            (
                &[("code", true), ("output", false), ("a", true)],
                CheckFailed,
                false,
            ),
            (
                &[("code", true), ("a", false), ("bb", true)],
                CheckFailed,
                true,
            ),
            (&[("code", true), ("a", true), ("a", true)], Ok, false),
            (&[("code", true), ("a", true), ("output", true)], Ok, false),
        ];
        for (steps, outcome, consistent) in cases {
            let is = validation(steps).is_consistent(outcome);
            assert_eq!(is, consistent, "{steps:?} {outcome}");
        }
        let mut unrun = validation(&[("code", true), ("a", true)]);
        if let Some(Step::Check { child, .. }) = unrun.steps.last_mut() {
            *child = None;
        }
        assert!(!unrun.is_consistent(Ok));
    }

    #[test]
    fn a_step_that_the_definition_asks_for_is_there() {
        use Outcome::{CheckFailed, GuestError, Ok, Refused};
        // Both schemas, and a check `total`.
        let definition = fixture::ValidatedCase::new().definition;
        let whole = [
            ("code", true),
            ("input", true),
            ("output", true),
            ("total", true),
        ];
        assert!(validation(&whole).is_whole(&definition, Ok));
        assert!(validation(&whole[..2]).is_whole(&definition, GuestError));
        assert!(validation(&[("code", false)]).is_whole(&definition, Refused));
        let failed = [("code", true), ("input", true), ("output", false)];
        assert!(validation(&failed).is_whole(&definition, CheckFailed));
        for missing in 0..whole.len() {
            let mut steps = whole.to_vec();
            steps.remove(missing);
            assert!(!validation(&steps).is_whole(&definition, Ok), "{steps:?}");
        }
        let bare = AgentDefinition {
            input_schema: None,
            output_schema: None,
            checks: vec![],
            ..definition
        };
        assert!(validation(&whole[..1]).is_whole(&bare, Ok));
        assert!(!validation(&whole[..2]).is_whole(&bare, Ok));
    }

    #[test]
    fn everything_that_it_is_counts_in_its_digest() {
        let definition = fixture::ValidatedCase::new().definition;
        let altered = |alter: fn(&mut AgentDefinition)| {
            let mut other = definition.clone();
            alter(&mut other);
            other.digest()
        };
        let digests = [
            definition.digest(),
            altered(|d| d.name = "other".parse().unwrap()),
            altered(|d| d.version = None),
            altered(|d| d.description.push('.')),
            altered(|d| d.input_schema = None),
            altered(|d| d.output_schema = None),
            altered(|d| {
                d.code = AgentCode::Component {
                    sha256: Digest::of(b""),
                }
            }),
            altered(|d| d.tools.clear()),
            altered(|d| d.checks.clear()),
            altered(|d| d.checks[0].sha256 = Digest::of(b"")),
        ];
        let distinct: BTreeSet<_> = digests.iter().map(Digest::hex).collect();
        assert_eq!(distinct.len(), digests.len());
        let json = serde_json::to_string(&definition).unwrap();
        assert_eq!(
            serde_json::from_str::<AgentDefinition>(&json).unwrap(),
            definition
        );
        let mut twice = definition.clone();
        twice.checks.push(definition.checks[0].clone());
        assert_eq!(twice.check(), Err(AgentDefinitionError::Checks));
        let json = serde_json::to_string(&twice).unwrap();
        assert!(serde_json::from_str::<AgentDefinition>(&json).is_err());
    }
}
