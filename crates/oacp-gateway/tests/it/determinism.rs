//! One output, one event sequence and one fuel figure: over many runs, in two processes, in both languages.

use std::collections::BTreeSet;
use std::process::Command;

use oacp::replay::ReplayVerdict;
use oacp_gateway::Execution;
use serde_json::{Value, json};

use crate::fixture::{agent, attest, call, replay, verify};

const RUNS: usize = 50;

const PYTHON: &str = r#"
import asyncio, oacp, random, time, uuid, os, math

class Thing: pass

async def run(input):
    answers = await asyncio.gather(*[oacp.tools.call_async("slow", ms=0, answer=n) for n in range(input)])
    return {
        "hash": hash("text"),
        "set": list({"a", "b", "c", "dd", "eee", frozenset([1, 2])} - {frozenset([1, 2])}),
        "uuid": str(uuid.uuid4()),
        "random": [random.random(), random.choice("abcdef"), os.urandom(4).hex()],
        "float": [math.sin(1e22), 0.1 + 0.2, math.fsum([1e100, 1.0, -1e100]), str(float("nan"))],
        "answers": answers,
    } | ({"id": id(Thing()), "uuid1": str(uuid.uuid1()), "time": [time.time(), time.monotonic(), time.perf_counter_ns()]} if input == 0 else {})
"#;

const JAVASCRIPT: &str = r#"
import { tools } from "oacp";
export async function run(input) {
  const answers = await Promise.all(Array.from({ length: input }, (_, n) => tools.call("slow", { ms: 0, answer: n })));
  const result = {
    uuid: crypto.randomUUID(),
    random: [Math.random(), ...crypto.getRandomValues(new Uint8Array(4))],
    keys: Object.keys({ b: 1, a: 2, 1: 3 }),
    set: [...new Set(["b", "a", "b"])],
    float: [Math.sin(1e22), 0.1 + 0.2, Math.pow(2, 0.5), String(0 / 0)],
    answers,
  };
  if (input === 0) result.time = [Date.now(), performance.now()];
  return result;
}
"#;

/// Output, digest of the events without salts, fuel.
fn face(execution: &Execution) -> String {
    let verified = verify(&execution.bundle.to_bytes());
    let recording = verified.recording().unwrap();
    let output = String::from_utf8_lossy(&execution.output);
    format!(
        "{output} {} {:?}",
        recording.unsalted_digest(),
        execution.usage.fuel
    )
}

fn faces(name: &str, text: &str, input: &Value, runs: usize) -> BTreeSet<String> {
    (0..runs)
        .map(|_| face(&attest(call(agent(name, text), input.clone()))))
        .collect()
}

/// Runs this test binary's own test `child` in another process.
fn in_another_process(variable: &str, value: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "determinism::child",
            "--nocapture",
            "--include-ignored",
        ])
        .env(variable, value)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Not a test by itself: what another test runs in another process. Without its variables it does nothing.
#[test]
fn child() {
    if let Ok(name) = std::env::var("OACP_TEST_FACES") {
        let text = if name.ends_with("py") {
            PYTHON
        } else {
            JAVASCRIPT
        };
        for face in faces(&name, text, &json!(0), RUNS) {
            println!("face {face}");
        }
    }
    if let Ok(bundle) = std::env::var("OACP_TEST_REPLAY") {
        let verdict = replay(&verify(&std::fs::read(bundle).unwrap()));
        println!(
            "confirmed {}",
            matches!(verdict, ReplayVerdict::Confirmed { .. })
        );
    }
}

fn deterministic(name: &str, text: &str) {
    let mut seen = faces(name, text, &json!(0), RUNS);
    let other = in_another_process("OACP_TEST_FACES", name);
    let other: BTreeSet<_> = other
        .lines()
        .filter_map(|line| line.strip_prefix("face "))
        .map(str::to_owned)
        .collect();
    assert_eq!(other.len(), 1, "{other:#?}");
    seen.extend(other);
    assert_eq!(seen.len(), 1, "{seen:#?}");
}

#[test]
fn a_hundred_runs_in_two_processes_of_a_python_agent_are_one() {
    deterministic("agent.py", PYTHON);
}

#[test]
fn a_hundred_runs_in_two_processes_of_a_javascript_agent_are_one() {
    deterministic("agent.js", JAVASCRIPT);
}

/// Delays differ from run to run, so the orders of completion may. What must not differ is a run from its own replay, here and in another process.
fn overlapping(name: &str, text: &str) {
    let dir = std::env::temp_dir();
    let text = text
        .replace("ms=0", "ms=(n * 7919 + input) % 13")
        .replace("ms: 0", "ms: (n * 7919 + input) % 13");
    let mut outputs = BTreeSet::new();
    for round in 0..10 {
        let execution = attest(call(agent(name, &text), json!(8)));
        let bytes = execution.bundle.to_bytes();
        let verdict = replay(&verify(&bytes));
        assert!(
            matches!(verdict, ReplayVerdict::Confirmed { .. }),
            "round {round}: {verdict:?}"
        );
        if round == 0 {
            let file = dir.join(format!("oacp-{}-{name}.json", std::process::id()));
            std::fs::write(&file, bytes).unwrap();
            let said = in_another_process("OACP_TEST_REPLAY", file.to_str().unwrap());
            std::fs::remove_file(file).unwrap();
            assert!(said.contains("confirmed true"), "{said}");
        }
        outputs.insert(execution.output);
    }
    assert_eq!(outputs.len(), 1, "the output does not depend on the order");
}

#[test]
fn eight_overlapping_calls_of_a_python_agent_replay_here_and_in_another_process() {
    overlapping("agent.py", PYTHON);
}

#[test]
fn eight_overlapping_calls_of_a_javascript_agent_replay_here_and_in_another_process() {
    overlapping("agent.js", JAVASCRIPT);
}

#[test]
fn another_seed_gives_another_output() {
    let mut other = call(agent("agent.py", PYTHON), json!(0));
    other.seed = Some(oacp::event::Seed::from_bytes([43; 32]));
    assert_ne!(
        attest(other).output,
        attest(call(agent("agent.py", PYTHON), json!(0))).output
    );
}
