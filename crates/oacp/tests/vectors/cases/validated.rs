//! Bundles of registered agents' runs, with those of the checks.

use oacp::*;

use super::*;
use crate::fixture::ValidatedCase;

pub fn accepted(cases: &mut Cases) {
    let mut accept = |name: &str, comment: &str, bytes: Vec<u8>| {
        cases.accept(&format!("validated{name}"), comment, bytes);
    };
    let whole = ValidatedCase::new();
    accept(
        "",
        "code, input, output and a check are passed",
        whole.bundle().to_bytes(),
    );
    accept(
        "_without_check",
        "the check's bundle is not within",
        whole.parent().to_bytes(),
    );
    accept(
        "_without_definition",
        "the agent's definition is withheld",
        whole.agent.bundle().with_child(whole.child()).to_bytes(),
    );
    accept(
        "_redacted",
        "both without content",
        whole.bundle().redact().to_bytes(),
    );
    accept(
        "_null",
        "the check says nothing",
        validated(|case| {
            case.said = b"null".to_vec();
            case.settle();
        }),
    );
    accept(
        "_check_failed",
        "the check says what is wrong",
        validated(|case| case.fail(br#""too cold""#)),
    );
    accept(
        "_check_error",
        "the check ended with an error",
        validated(|case| {
            case.fail(b"true");
            case.check.statement.outcome = Outcome::GuestError;
        }),
    );
    accept("_check_not_run", "the check could not be run", {
        let mut case = ValidatedCase::new();
        case.fail(b"false");
        if let Some(Step::Check { child, .. }) = case.validation().steps.last_mut() {
            *child = None;
        }
        case.parent().to_bytes()
    });
    accept(
        "_output_failed",
        "the output is not by its schema, and no check is run",
        {
            let mut case = ValidatedCase::new();
            case.agent.statement.outcome = Outcome::CheckFailed;
            let steps = &mut case.validation().steps;
            steps.truncate(2);
            steps.push(Step::Output { passed: false });
            case.parent().to_bytes()
        },
    );
    accept(
        "_code_failed",
        "the code is another, and nothing was run",
        refused_for(Step::Code { passed: false }, |case| {
            case.agent.source = Source::single("other.py".parse().unwrap(), b"".to_vec()).unwrap();
        }),
    );
    accept(
        "_input_failed",
        "the input is not by its schema, and nothing was run",
        refused_for(Step::Input { passed: false }, |_| ()),
    );
    accept(
        "_guest_error",
        "the run ended with an error, so that nothing is judged after it",
        {
            let mut case = ValidatedCase::new();
            case.agent.statement.outcome = Outcome::GuestError;
            case.validation().steps.truncate(2);
            case.parent().to_bytes()
        },
    );
}

pub fn refused(cases: &mut Cases) {
    let mut refuse = |code: &str, name: &str, comment: &str, bytes: Vec<u8>| {
        cases.refuse(code, &format!("validated_{name}"), comment, bytes);
    };
    refuse(
        "definition_mismatch",
        "other_definition",
        "a definition whose description was altered",
        {
            let mut case = ValidatedCase::new();
            case.definition.description.push('!');
            case.bundle().to_bytes()
        },
    );
    refuse(
        "definition_mismatch",
        "other_name",
        "the statement names another agent",
        validated(|case| {
            case.validation().agent = "other".parse().unwrap();
        }),
    );
    refuse(
        "definition_mismatch",
        "no_validation",
        "a definition that no statement names",
        {
            let case = fixture::Case::new();
            case.bundle()
                .with_agent(ValidatedCase::new().definition)
                .to_bytes()
        },
    );
    refuse(
        "private_mismatch",
        "undeclared",
        "a definition that is not declared",
        {
            let mut value: Value =
                serde_json::from_slice(&ValidatedCase::new().bundle().to_bytes()).unwrap();
            value["private"]
                .as_array_mut()
                .unwrap()
                .retain(|private| private != "agent");
            text(value)
        },
    );
    refuse(
        "definition_not_followed",
        "other_code",
        "the definition names other code",
        validated(|case| {
            case.definition.code = AgentCode::Component {
                sha256: Digest::of(b"other"),
            };
            case.pin();
        }),
    );
    refuse(
        "definition_not_followed",
        "other_tool",
        "a tool was granted that the definition does not have",
        validated(|case| {
            case.definition.tools.clear();
            case.pin();
        }),
    );
    refuse(
        "definition_not_followed",
        "changed_tool",
        "the definition has another tool of that name",
        validated(|case| {
            for digest in case.definition.tools.values_mut() {
                *digest = Digest::of(b"other");
            }
            case.pin();
        }),
    );
    for (at, step) in ["code", "input", "output", "check"].into_iter().enumerate() {
        let code = if at == 0 {
            "validation_inconsistent"
        } else {
            "definition_not_followed"
        };
        refuse(
            code,
            &format!("no_{step}"),
            &format!("the step `{step}` is missing"),
            {
                let mut case = ValidatedCase::new();
                case.validation().steps.remove(at);
                case.parent().to_bytes()
            },
        );
    }
    refuse(
        "definition_not_followed",
        "one_too_many",
        "an input was judged by a schema that is not there",
        validated(|case| {
            case.definition.input_schema = None;
            case.pin();
        }),
    );
    refuse(
        "validation_inconsistent",
        "order",
        "the output was judged before the input",
        validated(|case| {
            case.validation().steps.swap(1, 2);
        }),
    );
    refuse(
        "validation_inconsistent",
        "ok_all_the_same",
        "a check says no, and the outcome is ok",
        validated(|case| {
            case.fail(b"false");
            case.agent.statement.outcome = Outcome::Ok;
        }),
    );
    refuse(
        "validation_inconsistent",
        "no_failure",
        "the outcome is check_failed, and nothing failed",
        validated(|case| {
            case.agent.statement.outcome = Outcome::CheckFailed;
        }),
    );
    refuse(
        "validation_inconsistent",
        "ran_all_the_same",
        "the input is refused, and the run ended well",
        {
            let mut case = ValidatedCase::new();
            let steps = &mut case.validation().steps;
            steps.truncate(1);
            steps.push(Step::Input { passed: false });
            case.parent().to_bytes()
        },
    );
    refuse(
        "validation_inconsistent",
        "check_failed_without",
        "the outcome is check_failed without a validation",
        {
            let mut case = fixture::Case::new();
            case.statement.outcome = Outcome::CheckFailed;
            case.bundle().to_bytes()
        },
    );
    refuse(
        "validation_inconsistent",
        "not_run",
        "a check is passed that was not run",
        {
            let mut case = ValidatedCase::new();
            if let Some(Step::Check { child, .. }) = case.validation().steps.last_mut() {
                *child = None;
            }
            case.parent().to_bytes()
        },
    );
    refuse(
        "validation_inconsistent",
        "itself",
        "the check's execution is the run itself",
        {
            let mut case = ValidatedCase::new();
            if let Some(Step::Check { child, .. }) = case.validation().steps.last_mut() {
                *child = Some(fixture::execution(1));
            }
            case.parent().to_bytes()
        },
    );
    refuse(
        "validation_inconsistent",
        "called",
        "the check's execution is a tool's, too",
        {
            let mut case = ValidatedCase::new();
            case.agent.statement.tool_calls[0].child = Some(fixture::execution(2));
            case.parent().to_bytes()
        },
    );
    refuse(
        "child_not_called",
        "other_parent",
        "another execution's check",
        validated(|case| {
            case.check.statement.parent = Some(fixture::execution(3));
        }),
    );
    refuse(
        "child_other_answer",
        "other_input",
        "the check was run on something else",
        validated(|case| {
            case.judged = Check::input(b"{}", fixture::OUTPUT);
            case.settle();
        }),
    );
    refuse(
        "child_other_answer",
        "other_verdict",
        "the check said no, and is stated as passed",
        validated(|case| {
            case.said = b"false".to_vec();
            case.settle();
        }),
    );
    refuse(
        "child_other_answer",
        "spaced",
        "the check said ` true`, which is not `true` to the byte",
        validated(|case| {
            case.said = b" true".to_vec();
            case.settle();
        }),
    );
    refuse(
        "child_other_code",
        "other_check",
        "the check is another one",
        validated(|case| {
            case.check.source = Source::single("main.py".parse().unwrap(), b"".to_vec()).unwrap();
            case.settle();
        }),
    );
    refuse(
        "check_with_rights",
        "with_rights",
        "the check may call a tool",
        validated(|case| {
            case.check.statement.grant = case.agent.statement.grant.clone();
        }),
    );
    refuse(
        "instance_inconsistent",
        "taught",
        "the check claims to be a further call of an instance",
        validated(|case| {
            case.check.statement.instance = Some(InstanceClaim {
                calls_before: 1,
                previous: Some(case.agent.statement.execution_id),
            });
        }),
    );
}

fn validated(alter: impl FnOnce(&mut ValidatedCase)) -> Vec<u8> {
    let mut case = ValidatedCase::new();
    alter(&mut case);
    case.bundle().to_bytes()
}

/// Of a run that did not begin.
fn refused_for(step: Step, alter: impl FnOnce(&mut ValidatedCase)) -> Vec<u8> {
    let mut case = ValidatedCase::new();
    case.agent.events.truncate(1);
    case.agent.contents.clear();
    case.agent.statement.tool_calls.clear();
    let steps = &mut case.validation().steps;
    steps.truncate(if matches!(step, Step::Code { .. }) {
        0
    } else {
        1
    });
    steps.push(step);
    alter(&mut case);
    let statement = &mut case.agent.statement;
    statement.outcome = Outcome::Refused;
    statement.reexecutable = Reexecutable::No {
        reason: "nothing was run".to_owned(),
    };
    case.agent.settle();
    case.parent().to_bytes()
}
