//! Tools whose instances outlive a call: what they remember, of whom, and that all of it can be run again.

use std::sync::Arc;

use oacp::blob::Blob;
use oacp::capability::Capabilities;
use oacp::digest::Digest;
use oacp::outcome::Outcome;
use oacp::replay::{ReplayVerdict, Replayed};
use oacp::source::Source;
use oacp::tool::{Code, Definition};
use oacp::{Bundle, Verified};
use oacp_egress::Options;
use oacp_gateway::{Agent, Bound, BoundTool, Node, ToolOptions};
use oacp_sandbox::Language;
use oacp_tool::manifest::Instance;
use serde_json::{Value, json};

use crate::bound::{calling, code_of, is_confirmed, options, replay_all};
use crate::fixture::{attest_on, capabilities, grant, language, node, node_with};

/// A package of two Python functions over one list.
const NOTES: &[(&str, &str)] = &[
    (
        "notes.py",
        "import random, time\nnotes = []\ndraws = random.Random(1)\ndef add(text):\n    if text == 'bad': raise ValueError('not that')\n    notes.append(text)\n    return len(notes)\ndef spin():\n    while True: pass\n",
    ),
    (
        "oacp_tool_add.py",
        "from notes import add as f\nown = 0\ndef run(a):\n    global own\n    own += 1\n    if a['text'] == 'spin':\n        from notes import spin\n        spin()\n    return [f(**a), own]\n",
    ),
    (
        "oacp_tool_all.py",
        "import time\nfrom notes import notes, draws\nlast = [0, 0]\ndef run(a):\n    now = [time.monotonic(), time.time()]\n    assert now > last\n    last[:] = now\n    return [*notes, draws.randrange(1000)]\n",
    ),
];

fn package(language_of: Language, files: &[(&str, &str)], entry: &str) -> Agent {
    let files = files
        .iter()
        .map(|(path, text)| (path.parse().unwrap(), text.as_bytes().to_vec()));
    Agent::Source {
        program: language(language_of),
        source: Arc::new(Source::new(files, entry.parse().unwrap()).unwrap()),
    }
}

fn tool(name: &str, agent: Agent, options: ToolOptions) -> BoundTool {
    let code = match &agent {
        Agent::Component { wasm, export, .. } => Code::Component {
            sha256: Digest::of(wasm),
            export: export.clone().unwrap(),
        },
        Agent::Source { .. } => code_of(&agent),
    };
    let definition = Definition {
        name: name.parse().unwrap(),
        description: "A tool.".to_owned(),
        input_schema: json!({"type": "object"}),
        output_schema: None,
        code,
    };
    BoundTool::new(definition, options, move || Ok(agent.clone()))
}

fn living(instance: Instance) -> ToolOptions {
    ToolOptions {
        instance,
        ..options(Capabilities::default())
    }
}

fn notes(instance: Instance) -> [BoundTool; 2] {
    ["add", "all"].map(|name| {
        let agent = package(Language::Python, NOTES, &format!("oacp_tool_{name}.py"));
        tool(&format!("notes.{name}"), agent, living(instance))
    })
}

fn add(text: &str) -> Value {
    json!(["notes.add", {"text": text}])
}

fn all() -> Value {
    json!(["notes.all", {}])
}

const NAMES: [&str; 2] = ["notes.add", "notes.all"];

/// The agent's answers, the bundle verified from its bytes, and everything within run again.
fn ran(
    node: &Node,
    tools: impl IntoIterator<Item = BoundTool>,
    names: &[&str],
    calls: Value,
) -> (Value, Verified, Replayed) {
    let execution = attest_on(node, calling(tools, names, calls));
    let answers = serde_json::from_slice(&execution.output).unwrap();
    let (verified, replayed) = replay_all(&execution.bundle.to_bytes());
    (answers, verified, replayed)
}

fn fresh_node(names: &[&str]) -> Node {
    node_with(capabilities(names), Options::default())
}

/// How many calls each child's instance had before, and that it names the one before it.
fn calls_before(verified: &Verified) -> Vec<Option<u64>> {
    let children = verified.children();
    let claim = |child: &Verified| {
        let claim = child.statement().instance?;
        let before = children
            .iter()
            .find(|before| Some(before.statement().execution_id) == claim.previous);
        assert_eq!(before.is_some(), claim.calls_before > 0);
        Some(claim.calls_before)
    };
    children.iter().map(claim).collect()
}

#[test]
fn an_instance_of_a_run_remembers_through_the_run_and_no_longer() {
    let node = fresh_node(&NAMES);
    let tools: Vec<_> = notes(Instance::PerRun).into();
    let bound = tools.into_iter().fold(Bound::none(), Bound::with);
    let mut draws = Vec::new();
    for _ in 0..2 {
        let mut call = calling([], &NAMES, json!([add("a"), all(), add("b"), all(), all()]));
        call.bound = bound.clone();
        let execution = attest_on(&node, call);
        let answers: Value = serde_json::from_slice(&execution.output).unwrap();
        assert_eq!(answers[0], json!([1, 1]));
        // The module of a function keeps its state as the one that it imports does.
        assert_eq!(answers[2], json!([2, 2]));
        assert_eq!(
            answers[3].as_array().unwrap()[..2],
            [json!("a"), json!("b")]
        );
        draws.push([
            answers[1][1].clone(),
            answers[3][2].clone(),
            answers[4][2].clone(),
        ]);
        let (verified, replayed) = replay_all(&execution.bundle.to_bytes());
        assert_eq!(calls_before(&verified), [0, 1, 2, 3, 4].map(Some));
        assert!(is_confirmed(&replayed), "{replayed:?}");
    }
    // A generator that the tool seeded goes on where it was, and begins anew with the instance.
    assert_eq!(draws[0], draws[1]);
    assert_ne!(draws[0][1], draws[0][2]);
}

#[test]
fn without_being_asked_to_nothing_is_remembered() {
    let node = fresh_node(&NAMES);
    let calls = json!([add("a"), add("b")]);
    let (answers, verified, replayed) = ran(&node, notes(Instance::PerCall), &NAMES, calls);
    assert_eq!(answers, json!([[1, 1], [1, 1]]));
    assert_eq!(calls_before(&verified), [None, None]);
    assert!(is_confirmed(&replayed), "{replayed:?}");
}

#[test]
fn a_failure_of_the_tools_own_leaves_the_instance_and_one_that_stopped_it_does_not() {
    let node = fresh_node(&NAMES);
    let calls = json!([add("a"), add("bad"), add("b"), add("spin"), add("c"), all()]);
    let (answers, verified, replayed) = ran(&node, notes(Instance::PerRun), &NAMES, calls);
    assert_eq!(answers[1], json!(["tool_error", "ValueError: not that"]));
    assert_eq!(answers[2], json!([2, 3]));
    assert_eq!(answers[3][0], "limit");
    assert_eq!(answers[4], json!([1, 1]));
    assert_eq!(answers[5][0], "c");
    assert_eq!(calls_before(&verified), [0, 1, 2, 3, 0, 1].map(Some));
    let outcome = |index: usize| verified.children()[index].statement().outcome;
    assert_eq!(
        [outcome(1), outcome(3)],
        [Outcome::GuestError, Outcome::OutOfFuel]
    );
    assert!(is_confirmed(&replayed), "{replayed:?}");
}

#[test]
fn a_kept_instance_goes_on_from_run_to_run_and_is_of_one_principal() {
    let node = fresh_node(&NAMES);
    let run = |principal: &str| {
        let mut call = calling(notes(Instance::Kept), &NAMES, json!([add("x"), add("y")]));
        call.principal = principal.parse().unwrap();
        let execution = attest_on(&node, call);
        let answers: Value = serde_json::from_slice(&execution.output).unwrap();
        (answers, replay_all(&execution.bundle.to_bytes()))
    };
    let (answers, (first, replayed)) = run("ada");
    assert_eq!(answers, json!([[1, 1], [2, 2]]));
    assert!(is_confirmed(&replayed), "{replayed:?}");
    let (answers, (second, replayed)) = run("ada");
    assert_eq!(answers, json!([[3, 3], [4, 4]]));
    let claims: Vec<_> = second
        .children()
        .iter()
        .map(|child| child.statement().instance.unwrap())
        .collect();
    assert_eq!([claims[0].calls_before, claims[1].calls_before], [2, 3]);
    assert_eq!(
        claims[0].previous,
        Some(first.children()[1].statement().execution_id)
    );
    // The agent itself is confirmed; of its tool's calls the bundle does not hold the beginning.
    assert!(matches!(replayed.verdict, ReplayVerdict::Confirmed { .. }));
    for child in &replayed.children {
        assert!(
            matches!(&child.verdict, ReplayVerdict::Unverifiable { reason } if reason.contains("calls that its instance had before")),
            "{child:?}"
        );
    }
    let (answers, (_, replayed)) = run("eve");
    assert_eq!(answers, json!([[1, 1], [2, 2]]));
    assert!(is_confirmed(&replayed), "{replayed:?}");
}

#[test]
fn overlapping_calls_of_one_instance_are_made_one_after_the_other() {
    let node = fresh_node(&NAMES);
    let mut call = calling(notes(Instance::PerRun), &NAMES, json!(6));
    let source = "import asyncio, oacp\nasync def run(n):\n    return await asyncio.gather(*(oacp.tools.call_async('notes.add', text=str(i)) for i in range(n)))\n";
    call.agent = crate::fixture::agent("agent.py", source);
    let execution = attest_on(&node, call);
    let answers: Vec<[u64; 2]> = serde_json::from_slice(&execution.output).unwrap();
    let mut lengths: Vec<_> = answers.iter().map(|answer| answer[0]).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [1, 2, 3, 4, 5, 6]);
    let (_, replayed) = replay_all(&execution.bundle.to_bytes());
    assert!(is_confirmed(&replayed), "{replayed:?}");
}

#[test]
fn what_is_cut_out_of_the_middle_leaves_what_follows_unverifiable() {
    let node = fresh_node(&NAMES);
    let execution = attest_on(
        &node,
        calling(
            notes(Instance::PerRun),
            &NAMES,
            json!([add("a"), add("b"), add("c")]),
        ),
    );
    let mut bundle: Value = serde_json::from_slice(&execution.bundle.to_bytes()).unwrap();
    let children = bundle["children"].as_array_mut().unwrap();
    assert_eq!(children.len(), 3);
    children.remove(1);
    let bytes = Bundle::parse(bundle.to_string().as_bytes())
        .unwrap()
        .to_bytes();
    let (_, replayed) = replay_all(&bytes);
    assert!(matches!(
        replayed.children[0].verdict,
        ReplayVerdict::Confirmed { .. }
    ));
    assert!(matches!(
        replayed.children[1].verdict,
        ReplayVerdict::Unverifiable { .. }
    ));
}

#[test]
fn javascript_remembers_too() {
    let files = [
        ("tool.mjs", "let n = 0;\nexport const next = () => ++n;\n"),
        (
            "oacp_tool_next.mjs",
            "import { next } from './tool.mjs';\nexport async function run(a) { return next(); }\n",
        ),
        (
            "oacp_tool_skip.mjs",
            "import { next } from './tool.mjs';\nexport async function run(a) { next(); return next(); }\n",
        ),
    ];
    let names = ["next", "skip"];
    let tools = names.map(|name| {
        let agent = package(
            Language::JavaScript,
            &files,
            &format!("oacp_tool_{name}.mjs"),
        );
        tool(name, agent, living(Instance::PerRun))
    });
    let calls = json!([["next", {}], ["skip", {}], ["next", {}]]);
    let (answers, _, replayed) = ran(&fresh_node(&names), tools, &names, calls);
    assert_eq!(answers, json!([1, 3, 4]));
    assert!(is_confirmed(&replayed), "{replayed:?}");
}

#[test]
fn components_remember_in_their_memory_until_they_trap() {
    let text = r#"(component
      (core module $m
        (global $n (mut i32) (i32.const 0))
        (func (export "next") (result i32)
          (global.set $n (i32.add (global.get $n) (i32.const 1)))
          (if (i32.eq (global.get $n) (i32.const 3)) (then unreachable))
          (global.get $n)))
      (core instance $i (instantiate $m))
      (func (export "next") (result u32) (canon lift (core func $i "next"))))"#;
    let wasm = Blob::of(wat::parse_str(text).unwrap());
    let engine = node().engine();
    let program = engine
        .load(wasm.digest(), || Ok(wasm.to_vec()), &|_| {})
        .unwrap();
    let agent = Agent::Component {
        program,
        wasm,
        export: Some("#next".parse().unwrap()),
    };
    let next = tool("next", agent, living(Instance::PerRun));
    let calls = json!([["next", {}], ["next", {}], ["next", {}], ["next", {}]]);
    let (answers, verified, replayed) = ran(&fresh_node(&["next"]), [next], &["next"], calls);
    assert_eq!(answers[1], 2);
    assert_eq!(answers[2][0], "tool_error");
    assert_eq!(answers[3], 1);
    assert_eq!(calls_before(&verified), [0, 1, 2, 0].map(Some));
    let verdicts: Vec<_> = replayed
        .children
        .iter()
        .map(|child| matches!(child.verdict, ReplayVerdict::Confirmed { .. }))
        .collect();
    // A crash is of the machine, and is not run again.
    assert_eq!(verdicts, [true, true, false, true]);
}

#[test]
fn files_are_looked_at_anew_by_each_call_and_do_not_stay_open() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data.txt");
    std::fs::write(&path, "one").unwrap();
    let source = "
import os
held = []
def run(a):
    path = a['path']
    if a['do'] == 'read':
        return open(path).read()
    if a['do'] == 'hold':
        held.append(open(path))
        return held[0].read(1)
    if a['do'] == 'held':
        try: return held[0].read()
        except OSError as e: return type(e).__name__
    if a['do'] == 'write':
        open(path, 'w').write(a['text'])
        with open('/tmp/mine', 'a') as f: f.write(a['text'])
        return open('/tmp/mine').read()
";
    let shown = path.to_str().unwrap();
    let rights = grant(json!({"file_read": [shown], "file_write": [shown]}));
    let agent = crate::fixture::agent("oacp_tool_files.py", source);
    let files = tool(
        "files",
        agent,
        ToolOptions {
            instance: Instance::PerRun,
            ..options(rights.clone())
        },
    );
    let calls: Vec<_> = [
        ("read", ""),
        ("hold", ""),
        ("held", ""),
        ("write", "two"),
        ("read", ""),
        ("write", "three"),
        ("read", ""),
    ]
    .iter()
    .map(|(what, text)| json!(["files", {"do": what, "path": shown, "text": text}]))
    .collect();
    let ceiling = rights.union(&capabilities(&["files"]));
    let node = node_with(ceiling, Options::default());
    let (answers, _, replayed) = ran(&node, [files], &["files"], json!(calls));
    assert_eq!(
        answers,
        json!(["one", "o", "OSError", "two", "two", "twothree", "three"])
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "three");
    assert!(is_confirmed(&replayed), "{replayed:?}");
}

#[test]
fn a_kept_tool_that_calls_itself_is_refused_and_does_not_wait_for_ever() {
    let source = "import oacp\ndef run(a):\n    return oacp.tools.call('again', **a)\n";
    let agent = crate::fixture::agent("oacp_tool_again.py", source);
    let again = tool(
        "again",
        agent,
        ToolOptions {
            instance: Instance::Kept,
            ..options(capabilities(&["again"]))
        },
    );
    let (answers, _, replayed) = ran(
        &fresh_node(&["again"]),
        [again],
        &["again"],
        json!([["again", {}]]),
    );
    assert!(
        answers[0][1]
            .as_str()
            .unwrap()
            .contains("would wait for itself"),
        "{answers}"
    );
    assert!(is_confirmed(&replayed), "{replayed:?}");
}
