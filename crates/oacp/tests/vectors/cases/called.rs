//! Bundles with those of the tools that were called.

use oacp::*;
use serde_json::{Value, json};

use super::*;
use crate::fixture::{CalledCase, CalledTwiceCase};

pub fn accepted(cases: &mut Cases) {
    let whole = CalledCase::new();
    cases.accept(
        "called",
        "a tool that ran as an execution of its own, with its bundle",
        whole.bundle().to_bytes(),
    );
    cases.accept(
        "called_without_child",
        "the tool's bundle is not within",
        whole.parent().to_bytes(),
    );
    cases.accept(
        "called_without_definition",
        "the tool's definition is withheld",
        whole.agent.bundle().with_child(whole.child()).to_bytes(),
    );
    cases.accept(
        "called_redacted",
        "both without content",
        whole.bundle().redact().to_bytes(),
    );
    let failed = called(|case| {
        case.agent.statement.tool_calls[0].outcome = Some(CallOutcome::Error);
        let Event::Completion { call, result, .. } = completion(case) else {
            unreachable!()
        };
        set_completion(case, call, CallOutcome::Error, result);
        case.tool.statement.outcome = Outcome::GuestError;
        case.agent.settle();
    });
    cases.accept(
        "called_failed",
        "the tool failed, and so did the call",
        failed,
    );
    let remembered = called(|case| {
        case.tool.statement.instance = Some(InstanceClaim {
            calls_before: 3,
            previous: Some(fixture::execution(9)),
        });
    });
    cases.accept(
        "called_instance",
        "the fourth call of an instance that lives longer",
        remembered,
    );
    cases.accept(
        "called_instance_twice",
        "two calls of one instance, one after the other",
        CalledTwiceCase::new().bundle().to_bytes(),
    );
    let mut overtaken = CalledTwiceCase::overlapping();
    overtaken.claim(turned());
    cases.accept(
        "called_instance_overtaken",
        "two calls of one instance at the same time: the one that was begun last came first",
        overtaken.bundle().to_bytes(),
    );
    cases.accept(
        "called_within",
        "the tool called a tool; without content",
        within(fixture::execution(4)).to_bytes(),
    );
}

pub fn refused(cases: &mut Cases) {
    let mut refuse = |code: &str, name: &str, comment: &str, bytes: Vec<u8>| {
        cases.refuse(code, &format!("called_{name}"), comment, bytes);
    };
    refuse(
        "child_not_called",
        "other_parent",
        "another execution called the child",
        called(|case| case.tool.statement.parent = Some(fixture::execution(3))),
    );
    refuse(
        "child_not_called",
        "no_parent",
        "nobody called the child",
        called(|case| case.tool.statement.parent = None),
    );
    refuse(
        "child_not_called",
        "unnamed",
        "no call names the child",
        called(|case| case.agent.statement.tool_calls[0].child = None),
    );
    let whole = CalledCase::new();
    let twice = whole.bundle().with_child(whole.child());
    refuse(
        "child_not_called",
        "twice",
        "the child twice",
        twice.to_bytes(),
    );
    refuse(
        "child_not_called",
        "twice_deep",
        "the second call's execution is also one that the first call made",
        within(fixture::execution(3)).to_bytes(),
    );
    refuse(
        "child_not_called",
        "own_descendant",
        "the outermost execution is also one that its tool called",
        within(fixture::execution(1)).to_bytes(),
    );
    refuse(
        "child_other_answer",
        "other_arguments",
        "the child's input is not the call's arguments",
        {
            let mut case = CalledCase::new();
            case.tool.statement.input_hash = Digest::of(b"{}");
            let child = case.tool.bare().with_input(*b"{}");
            case.parent().with_child(child).to_bytes()
        },
    );
    refuse(
        "child_other_answer",
        "other_result",
        "the child's output is not the call's result",
        {
            let mut case = CalledCase::new();
            case.tool.statement.output_hash = Digest::of(b"{}");
            let child = case.tool.bare().with_output(*b"{}");
            case.parent().with_child(child).to_bytes()
        },
    );
    refuse(
        "child_other_answer",
        "failed_child",
        "the call ended well, and the child did not",
        called(|case| case.tool.statement.outcome = Outcome::GuestError),
    );
    refuse(
        "child_other_code",
        "other_code",
        "the definition names another source",
        {
            let mut case = CalledCase::new();
            case.definition = fixture::definition();
            case.pin();
            case.bundle().to_bytes()
        },
    );
    refuse(
        "tool_mismatch",
        "other_definition",
        "a definition whose description was altered",
        {
            let mut case = CalledCase::new();
            case.definition.description.push('!');
            case.bundle().to_bytes()
        },
    );
    refuse(
        "child_of_call",
        "two_calls",
        "two calls name one child",
        called(|case| {
            let first = case.agent.statement.tool_calls[0].clone();
            case.agent.statement.tool_calls[1] = ToolCall {
                event: 2,
                outcome: Some(CallOutcome::Denied),
                ..first
            };
            case.agent.events[2] = Event::ToolCall {
                call: 2,
                tool: case.definition.name.to_string(),
                arguments: Content::of(b"{}"),
            }
            .to_bytes();
            case.agent.settle();
        }),
    );
    refuse(
        "child_of_call",
        "itself",
        "a call names its own execution as its child",
        called(|case| case.agent.statement.tool_calls[0].child = Some(fixture::execution(1))),
    );
    refuse(
        "statement_signature",
        "signature",
        "the child's signature is another one's",
        edited(|value| {
            let other = value["envelope"]["signatures"][0]["sig"].clone();
            value["children"][0]["envelope"]["signatures"][0]["sig"] = other;
        }),
    );
    refuse(
        "blob_missing",
        "blob",
        "the child lists a blob that is not there",
        edited(|value| {
            let holds = value["children"][0]["holds"].as_array_mut().unwrap();
            *holds = vec![json!(format!("sha256:{}", "0".repeat(64)))];
        }),
    );
    refuse(
        "blob_missing",
        "not_held",
        "the child does not list the source that it holds",
        edited(|value| {
            drop(
                value["children"][0]
                    .as_object_mut()
                    .unwrap()
                    .remove("holds"),
            )
        }),
    );
    refuse(
        "holds_malformed",
        "own_blobs",
        "the child has blobs of its own",
        edited(|value| {
            let blobs = value["blobs"].clone();
            value["children"][0]["blobs"] = blobs;
        }),
    );
    refuse(
        "holds_malformed",
        "unsorted",
        "the list of the child's blobs is not sorted",
        edited(|value| {
            value["children"][0]["holds"]
                .as_array_mut()
                .unwrap()
                .reverse()
        }),
    );
    refuse(
        "holds_malformed",
        "outermost_holds",
        "the outermost bundle lists blobs",
        edited(|value| value["holds"] = json!([])),
    );
    refuse(
        "tool_order",
        "tools_twice",
        "a definition twice",
        edited(|value| {
            let tool = value["tools"][0].clone();
            value["tools"].as_array_mut().unwrap().push(tool);
        }),
    );
    refuse(
        "private_mismatch",
        "tools_undeclared",
        "definitions that are not declared",
        edited(|value| {
            value["private"]
                .as_array_mut()
                .unwrap()
                .retain(|p| p != "tools")
        }),
    );
    refuse("too_many", "deep", "bundles nine deep within bundles", {
        let case = CalledCase::new();
        let deep = (0..8).fold(case.child(), |child, _| case.parent().with_child(child));
        case.parent().with_child(deep).to_bytes()
    });
    refuse(
        "instance_inconsistent",
        "instance",
        "the first call of an instance has one before it",
        called(|case| {
            case.tool.statement.instance = Some(InstanceClaim {
                calls_before: 0,
                previous: Some(fixture::execution(9)),
            });
        }),
    );
    refuse(
        "instance_inconsistent",
        "instance_without_previous",
        "a later call of an instance has none before it",
        called(|case| {
            case.tool.statement.instance = Some(InstanceClaim {
                calls_before: 3,
                previous: None,
            });
        }),
    );
    refuse(
        "instance_inconsistent",
        "instance_turned",
        "a call follows one that began after it had ended",
        {
            let mut case = CalledTwiceCase::new();
            case.claim(turned());
            case.bundle().to_bytes()
        },
    );
    for (name, what, claims) in [
        (
            "instance_of_itself",
            "a call of an instance follows itself",
            [(0, None), (1, Some(fixture::execution(3)))],
        ),
        (
            "instance_forked",
            "two calls of an instance follow the same one, of another run",
            [(4, Some(fixture::execution(9))); 2],
        ),
        (
            "instance_miscounted",
            "a call of an instance counts one more than were before it",
            [(0, None), (2, Some(fixture::execution(2)))],
        ),
    ] {
        let mut case = CalledTwiceCase::new();
        case.claim(claims);
        refuse(
            "instance_inconsistent",
            name,
            what,
            case.bundle().to_bytes(),
        );
    }
    refuse(
        "instance_inconsistent",
        "instance_of_a_call_alone",
        "a call of an instance follows one that had an instance of its own",
        {
            let mut case = CalledTwiceCase::new();
            case.tools[0].statement.instance = None;
            let [first, second] = &mut case.tools;
            second.statement.previous = first.envelope().pae_digest();
            case.bundle().to_bytes()
        },
    );
    refuse(
        "instance_inconsistent",
        "instance_of_the_caller",
        "what was asked for itself claims to be a call of an instance",
        called(|case| {
            case.agent.statement.instance = Some(InstanceClaim {
                calls_before: 0,
                previous: None,
            });
        }),
    );
}

fn called(alter: impl FnOnce(&mut CalledCase)) -> Vec<u8> {
    let mut case = CalledCase::new();
    alter(&mut case);
    case.bundle().to_bytes()
}

fn edited(alter: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value = serde_json::from_slice(&CalledCase::new().bundle().to_bytes()).unwrap();
    alter(&mut value);
    text(value)
}

/// The second call came first to its instance.
fn turned() -> [(u64, Option<ExecutionId>); 2] {
    [(1, Some(fixture::execution(3))), (0, None)]
}

/// Executions 2 and 3, called by the outermost, and within 2 the one that it called. Without content, so that nothing but ids and parents
/// ties them.
fn within(called: ExecutionId) -> Bundle {
    let mut case = CalledTwiceCase::new();
    let [first, second] = &mut case.tools;
    let mut inner = CalledCase::new().tool;
    inner.sandbox = key(7);
    inner.delegation.sandbox_id = SandboxId::new(fixture::NOW_MS as u64, [7; 10]);
    inner.delegation.key = inner.sandbox.public();
    inner.statement.sandbox_id = inner.delegation.sandbox_id;
    inner.statement.execution_id = called;
    inner.statement.parent = Some(first.statement.execution_id);
    inner.settle();
    let calls = CalledCase::new().agent;
    first.events = calls.events;
    first.statement.tool_hashes = calls.statement.tool_hashes;
    first.statement.tool_calls = calls.statement.tool_calls;
    first.statement.tool_calls[0].child = Some(called);
    first.settle();
    second.statement.previous = first.envelope().pae_digest();
    let first = first.bare().with_child(inner.bare());
    case.agent
        .bare()
        .with_child(first)
        .with_child(second.bare())
}

/// Of the call that was an execution: the fixture's last event.
fn completion(case: &CalledCase) -> Event {
    Event::parse(case.agent.events.last().unwrap()).unwrap()
}

fn set_completion(case: &mut CalledCase, call: u64, outcome: CallOutcome, result: Content) {
    *case.agent.events.last_mut().unwrap() = Event::Completion {
        call,
        outcome,
        result,
        clock_advance_ns: 1500,
    }
    .to_bytes();
}
