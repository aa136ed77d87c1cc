//! Registered tools: a call is an execution of its own, in the agent's bundle, and can be run again with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use oacp::capability::Capabilities;
use oacp::digest::Digest;
use oacp::outcome::Outcome;
use oacp::replay::{ReplayVerdict, Replayed};
use oacp::source::Source;
use oacp::tool::{Code, Definition};
use oacp::{Bundle, Verdict};
use oacp_egress::Options;
use oacp_gateway::{Agent, Bound, BoundTool, Call, LoadError, ToolOptions, re_execute_all};
use oacp_sandbox::{Language, Limits, Patience};
use oacp_tool::manifest::Instance;
use serde_json::{Value, json};

use crate::fixture::{
    Seen, agent, attest_on, call, capabilities, engine, grant, language, languages, node_with,
    see_on, verify,
};

/// An agent that calls what it is told, one after the other, and answers with what came of each.
const CALLS: &str = "\
import oacp
def run(calls):
    answers = []
    for name, arguments in calls:
        try:
            answers.append(oacp.tools.call(name, **arguments))
        except (oacp.ToolError, oacp.CapabilityDenied) as e:
            answers.append([e.code, str(e)])
    return answers
";

fn tool_with(
    name: &str,
    text: &str,
    input: Value,
    output: Option<Value>,
    rights: Capabilities,
) -> BoundTool {
    let agent = agent(&format!("oacp_tool_{}.py", name.replace('.', "_")), text);
    let definition = Definition {
        name: name.parse().unwrap(),
        description: format!("The tool {name}."),
        input_schema: input,
        output_schema: output,
        code: code_of(&agent),
    };
    BoundTool::new(definition, options(rights), move || Ok(agent.clone()))
}

pub(crate) fn code_of(agent: &Agent) -> Code {
    match agent {
        Agent::Source { source, .. } => Code::Source {
            sha256: source.hash(),
            entry: source.entry().clone(),
        },
        Agent::Component { .. } => unreachable!("these tools are Python"),
    }
}

pub(crate) fn options(rights: Capabilities) -> ToolOptions {
    ToolOptions {
        capabilities: rights,
        limits: Limits {
            fuel: 5_000_000_000,
            timeout_ms: 60_000,
            ..Limits::default()
        },
        result_bytes_max: 1 << 20,
        concurrency: 4,
        instance: Instance::PerCall,
        package: Digest::of(b"tests"),
        working_directory: "/tool".parse().unwrap(),
        environment: [("TOWN".to_owned(), "Bern".to_owned())].into(),
        secrets: [].into(),
    }
}

fn tool(name: &str, text: &str) -> BoundTool {
    let any = json!({"type": "object"});
    tool_with(name, text, any, None, Capabilities::default())
}

pub(crate) fn calling(
    tools: impl IntoIterator<Item = BoundTool>,
    granted: &[&str],
    calls: Value,
) -> Call {
    let mut call = call(agent("agent.py", CALLS), calls);
    call.bound = tools.into_iter().fold(Bound::none(), Bound::with);
    call.asked = capabilities(granted);
    call
}

/// Under a ceiling that holds what agent and tools are given.
fn seen(call: Call) -> Seen {
    let mut ceiling = call.asked.clone();
    ceiling.env.insert("TOWN".parse().unwrap());
    see_on(&node_with(ceiling, Options::default()), call)
}

/// The bundle and everything within, in an engine of its own.
pub(crate) fn replay_all(bytes: &[u8]) -> (oacp::Verified, Replayed) {
    let verified = verify(bytes);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let (engine, languages) = (engine(), languages());
    let replayed = runtime.block_on(re_execute_all(
        &verified,
        &engine,
        &languages,
        Patience::default(),
        &|_| {},
    ));
    (verified, replayed)
}

pub(crate) fn is_confirmed(replayed: &Replayed) -> bool {
    matches!(replayed.verdict, ReplayVerdict::Confirmed { .. })
        && replayed.children.iter().all(is_confirmed)
}

#[test]
fn a_call_is_an_execution_within_the_callers_bundle_and_both_are_run_again() {
    let shout = tool(
        "shout",
        "def run(a):\n    return {'loud': a['text'].upper(), 'n': a['n']}\n",
    );
    let calls = json!([["shout", {"text": "grüezi", "n": 1.50}], ["shout", {"text": "b", "n": 2}]]);
    let seen = seen(calling([shout], &["shout"], calls)).confirmed();
    assert_eq!(
        seen.output(),
        json!([{"loud": "GRÜEZI", "n": 1.5}, {"loud": "B", "n": 2}])
    );
    let bytes = seen.execution.bundle.to_bytes();
    let (verified, replayed) = replay_all(&bytes);
    assert_eq!(replayed.children.len(), 2);
    assert!(is_confirmed(&replayed), "{replayed:?}");

    let statement = verified.statement();
    let [first, second] = verified.children() else {
        panic!("two children")
    };
    for (call, child) in statement.tool_calls.iter().zip([first, second]) {
        let of_child = child.statement();
        assert_eq!(call.child, Some(of_child.execution_id));
        assert_eq!(of_child.parent, Some(statement.execution_id));
        assert_eq!(call.tool_hash, Some(verified.tools()[0].digest()));
        assert_ne!(of_child.sandbox_id, statement.sandbox_id);
        assert!(of_child.grant.capabilities.is_empty());
    }
    // One sandbox for the tool: its statements are in one order.
    assert_eq!(first.statement().sandbox_id, second.statement().sandbox_id);
    assert_eq!(
        (first.statement().sequence, second.statement().sequence),
        (0, 1)
    );
    assert_eq!(
        first.input(),
        Some(r#"{"n":1.5,"text":"grüezi"}"#.as_bytes())
    );

    let report = verified.report_all(&replayed);
    assert!(
        report
            .tool_calls
            .iter()
            .all(|call| matches!(call.execution_proof, Verdict::Pass { .. }))
    );
    assert!(
        !report
            .not_checked
            .iter()
            .any(|line| line == "the truth of tool results")
    );
    let untried = verified.report(&replayed.verdict);
    assert!(
        untried
            .not_checked
            .iter()
            .any(|line| line == "the truth of tool results")
    );
}

#[test]
fn neither_has_the_others_rights() {
    let text = "import os\ndef run(a):\n    return os.environ.get('TOWN', 'nothing')\n";
    let town = grant(json!({"env": ["TOWN"]}));
    let any = json!({"type": "object"});
    let with = tool_with("with", text, any.clone(), None, town);
    let without = tool("without", text);
    let calls = json!([["with", {}], ["without", {}]]);
    let mut call = calling([with, without], &["with", "without"], calls);
    call.agent = agent(
        "agent.py",
        &format!(
            "import os\n{}",
            CALLS.replace(
                "return answers",
                "return answers + [os.environ.get('TOWN', 'nothing')]"
            )
        ),
    );
    call.environment = [("TOWN".to_owned(), "Basel".to_owned())].into();
    let seen = seen(call).confirmed();
    assert_eq!(seen.output(), json!(["Bern", "nothing", "nothing"]));
}

#[test]
fn arguments_and_results_that_break_their_schema_are_errors_that_say_where() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"], "additionalProperties": false});
    let output = json!({"type": "string"});
    let half = tool_with(
        "half",
        "def run(a):\n    return a['n'] // 2 if a['n'] > 2 else 'small'\n",
        schema,
        Some(output),
        Capabilities::default(),
    );
    let calls =
        json!([["half", {"n": 2}], ["half", {"n": 0}], ["half", {"m": 1}], ["half", {"n": 8}]]);
    let seen = seen(calling([half], &["half"], calls)).confirmed();
    let answers = seen.output();
    assert_eq!(answers[0], "small");
    for (index, code, place) in [
        (1, "bad_arguments", "/n"),
        (2, "bad_arguments", "n"),
        (3, "bad_result", "half"),
    ] {
        assert_eq!(answers[index][0], code, "{answers}");
        assert!(
            answers[index][1].as_str().unwrap().contains(place),
            "{answers}"
        );
    }
    // What did not run has no child; what ran and answered wrongly has one, which ended well.
    let verified = verify(&seen.execution.bundle.to_bytes());
    let outcomes: Vec<_> = verified
        .children()
        .iter()
        .map(|child| child.statement().outcome)
        .collect();
    assert_eq!(outcomes, [Outcome::Ok, Outcome::Ok]);
}

#[test]
fn a_tool_that_fails_is_attested_as_that_and_the_agent_can_go_on() {
    let broken = tool(
        "broken",
        "def run(a):\n    raise ValueError('no such town')\n",
    );
    let endless = tool("endless", "def run(a):\n    while True: pass\n");
    let calls = json!([["broken", {}], ["endless", {}]]);
    let seen = seen(calling([broken, endless], &["broken", "endless"], calls)).confirmed();
    let answers = seen.output();
    assert_eq!(
        answers[0],
        json!(["tool_error", "ValueError: no such town"])
    );
    assert_eq!(answers[1][0], "limit");
    let (verified, replayed) = replay_all(&seen.execution.bundle.to_bytes());
    assert!(is_confirmed(&replayed), "{replayed:?}");
    let outcomes: Vec<_> = verified
        .children()
        .iter()
        .map(|child| child.statement().outcome)
        .collect();
    assert_eq!(outcomes, [Outcome::GuestError, Outcome::OutOfFuel]);
    // That the caller was told of these failures, and in these words, follows from no execution.
    let report = verified.report_all(&replayed);
    let is_not_checked = |call: &oacp::report::CalledTool| matches!(&call.execution_proof, Verdict::NotChecked { reason } if reason.contains("signer's word"));
    assert!(report.tool_calls.iter().all(is_not_checked), "{report}");
    assert!(
        report
            .not_checked
            .iter()
            .any(|line| line == "the truth of tool results")
    );
}

#[test]
fn without_the_definition_nobody_knows_that_it_was_the_tools_code() {
    let seen = seen(calling(
        [tool("t", "def run(a):\n    return 1\n")],
        &["t"],
        json!([["t", {}]]),
    ));
    let mut bundle: Value = serde_json::from_slice(&seen.execution.bundle.to_bytes()).unwrap();
    bundle.as_object_mut().unwrap().remove("tools");
    bundle["private"]
        .as_array_mut()
        .unwrap()
        .retain(|word| word != "tools");
    let bytes = Bundle::parse(bundle.to_string().as_bytes())
        .unwrap()
        .to_bytes();
    let (verified, replayed) = replay_all(&bytes);
    assert!(matches!(replayed.verdict, ReplayVerdict::Confirmed { .. }));
    assert!(
        matches!(&replayed.children[0].verdict, ReplayVerdict::Unverifiable { reason } if reason.contains("definition"))
    );
    let report = verified.report_all(&replayed);
    assert!(
        report
            .not_checked
            .iter()
            .any(|line| line == "the truth of tool results")
    );
}

#[test]
fn a_tool_calls_another_only_if_it_was_granted_it_and_only_so_deep() {
    let itself = "import oacp\ndef run(a):\n    return oacp.tools.call(a['next'], **a)\n";
    let any = || json!({"type": "object"});
    let granted = tool_with(
        "granted",
        itself,
        any(),
        None,
        capabilities(&["granted", "leaf"]),
    );
    let not_granted = tool_with("not_granted", itself, any(), None, Capabilities::default());
    let leaf = tool("leaf", "def run(a):\n    return 'leaf'\n");
    let calls = json!([
        ["granted", {"next": "leaf"}],
        ["not_granted", {"next": "leaf"}],
        ["granted", {"next": "granted"}],
    ]);
    let mut call = calling(
        [granted, not_granted, leaf],
        &["granted", "not_granted"],
        calls,
    );
    // The ceiling is the node's; the agent itself may not call the leaf.
    let ceiling = capabilities(&["granted", "not_granted", "leaf"]);
    call.limits.timeout_ms = 120_000;
    let seen = see_on(&node_with(ceiling, Options::default()), call).confirmed();
    let answers = seen.output();
    assert_eq!(answers[0], "leaf");
    assert_eq!(answers[1][0], "tool_error");
    assert!(
        answers[1][1].as_str().unwrap().contains("not granted"),
        "{answers}"
    );
    assert!(
        answers[2][1].as_str().unwrap().contains("4 deep"),
        "{answers}"
    );
    let (verified, replayed) = replay_all(&seen.execution.bundle.to_bytes());
    assert!(is_confirmed(&replayed), "{replayed:?}");
    let inner = &verified.children()[0].children()[0];
    assert_eq!(
        inner.statement().parent,
        Some(verified.children()[0].statement().execution_id)
    );
    let report = verified.report_all(&replayed);
    assert_eq!(report.tool_calls.len(), 3 + 1 + 3);
}

#[test]
fn code_that_is_not_what_was_registered_is_refused_and_loading_is_tried_once() {
    let loads = Arc::new(AtomicUsize::new(0));
    let definition = |agent: &Agent| Definition {
        name: "t".parse().unwrap(),
        description: "A tool.".to_owned(),
        input_schema: json!({"type": "object"}),
        output_schema: None,
        code: code_of(agent),
    };
    let registered = agent("oacp_tool_t.py", "def run(a):\n    return 1\n");
    let other = agent("oacp_tool_t.py", "def run(a):\n    return 2\n");
    let changed = BoundTool::new(
        definition(&registered),
        options(Capabilities::default()),
        move || Ok(other.clone()),
    );
    let twice = json!([["t", {}], ["t", {}]]);
    let refused = seen(calling([changed], &["t"], twice.clone())).confirmed();
    assert_eq!(refused.output()[0][0], "changed");
    let (counted, source) = (Arc::clone(&loads), registered.clone());
    let counting = BoundTool::new(
        definition(&registered),
        options(Capabilities::default()),
        move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(source.clone())
        },
    );
    let ran = seen(calling([counting], &["t"], twice.clone())).confirmed();
    assert_eq!(ran.output(), json!([1, 1]));
    assert_eq!(loads.load(Ordering::Relaxed), 1);
    let missing = BoundTool::new(
        definition(&registered),
        options(Capabilities::default()),
        || Err(LoadError::Unavailable("the file is gone".to_owned())),
    );
    let missing = seen(calling([missing], &["t"], twice)).confirmed();
    assert_eq!(missing.output()[1][0], "unavailable");
    assert!(missing.verified.children().is_empty());
}

#[test]
fn calls_overlap_up_to_the_tools_own_limit() {
    let source = "import asyncio, oacp\nasync def run(n):\n    return await asyncio.gather(*(oacp.tools.call_async('t', i=i) for i in range(n)))\n";
    let mut call = calling(
        [tool("t", "def run(a):\n    return a['i']\n")],
        &["t"],
        json!(null),
    );
    call.agent = agent("agent.py", source);
    call.input = "12".to_owned();
    let seen = seen(call).confirmed();
    assert_eq!(seen.output(), json!((0..12).collect::<Vec<_>>()));
    let (verified, replayed) = replay_all(&seen.execution.bundle.to_bytes());
    assert_eq!(verified.children().len(), 12);
    assert!(is_confirmed(&replayed));
    // The tool's source is in the file once.
    let text = String::from_utf8(seen.execution.bundle.to_bytes()).unwrap();
    let digest = verified.children()[0].source().unwrap().hash();
    let blob = format!("\"{digest}\":\"");
    assert_eq!(text.matches(&blob).count(), 1);
}

#[test]
fn a_bundle_whose_tool_ran_other_code_diverges_there() {
    // A node that lies about the tool: it runs one source and states another.
    let honest = tool("t", "def run(a):\n    return 1\n");
    let call = calling([honest], &["t"], json!([["t", {}]]));
    let node = node_with(call.asked.clone(), Options::default());
    let execution = attest_on(&node, call);
    let (_, replayed) = replay_all(&execution.bundle.to_bytes());
    assert!(is_confirmed(&replayed));
    let without = Bundle::parse(&execution.bundle.to_bytes()).unwrap();
    assert_eq!(without.children().len(), 1);
    let redacted = verify(&without.redact().to_bytes());
    assert_eq!(redacted.children().len(), 1);
    assert!(redacted.tools().is_empty());
}

#[test]
fn a_tool_in_javascript_answers_a_python_agent() {
    let text = "export function run(a) { return [...a.text].reverse().join(''); }\n";
    let source =
        Source::single("oacp_tool_r.js".parse().unwrap(), text.as_bytes().to_vec()).unwrap();
    let agent = Agent::Source {
        program: language(Language::JavaScript),
        source: Arc::new(source),
    };
    let definition = Definition {
        name: "reverse".parse().unwrap(),
        description: "Reverses.".to_owned(),
        input_schema: json!({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}),
        output_schema: Some(json!({"type": "string"})),
        code: code_of(&agent),
    };
    let reverse = BoundTool::new(definition, options(Capabilities::default()), move || {
        Ok(agent.clone())
    });
    let seen = seen(calling(
        [reverse],
        &["reverse"],
        json!([["reverse", {"text": "Käse"}]]),
    ))
    .confirmed();
    assert_eq!(seen.output(), json!(["esäK"]));
    assert!(is_confirmed(
        &replay_all(&seen.execution.bundle.to_bytes()).1
    ));
}
