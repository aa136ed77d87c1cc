//! What goes wrong, each with its own outcome and one clear message. The failed run's attestation still verifies, and
//! the process runs the next agent.

use oacp::outcome::Outcome;
use oacp::replay::ReplayVerdict;
use oacp_sandbox::Limits;
use serde_json::{Value, json};

use crate::fixture::{Seen, agent, call, engine, see, see_agent};

/// Runs an agent that fails, checks how, and that the next run is healthy.
fn fails(name: &str, text: &str, outcome: Outcome, says: &str) -> Seen {
    let seen = see_agent(name, text, json!(null));
    check(seen, outcome, says)
}

fn check(seen: Seen, outcome: Outcome, says: &str) -> Seen {
    assert_eq!(
        seen.execution.outcome, outcome,
        "{:?}",
        seen.execution.failure
    );
    let message = &seen.failure().message;
    assert!(message.contains(says), "`{message}` does not say `{says}`");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert_eq!(seen.verified.statement().outcome, outcome);
    match outcome.reexecutable() {
        true => assert!(
            matches!(seen.replay, ReplayVerdict::Confirmed { .. }),
            "{:?}",
            seen.replay
        ),
        false => assert!(
            matches!(seen.replay, ReplayVerdict::Unverifiable { .. }),
            "{:?}",
            seen.replay
        ),
    }
    let next = see_agent(
        "agent.py",
        "def run(input):\n    return input + 1\n",
        json!(1),
    );
    assert_eq!(next.output(), json!(2));
    seen
}

fn at(seen: &Seen, file: &str, line: u32) {
    assert_eq!(
        seen.failure().location,
        Some((file.to_owned(), line)),
        "{:?}",
        seen.failure()
    );
}

#[test]
fn a_syntax_error_names_file_and_line() {
    at(
        &fails(
            "agent.py",
            "x = 1\ndef run(:\n",
            Outcome::GuestError,
            "SyntaxError",
        ),
        "agent.py",
        2,
    );
    at(
        &fails(
            "agent.js",
            "let x = 1;\nlet y = = 2;\nfunction run() {}\n",
            Outcome::GuestError,
            "SyntaxError",
        ),
        "agent.js",
        2,
    );
}

#[test]
fn an_exception_names_file_and_line() {
    let python =
        "def helper():\n    raise ValueError('no such month')\ndef run(input):\n    helper()\n";
    let seen = fails(
        "agent.py",
        python,
        Outcome::GuestError,
        "ValueError: no such month",
    );
    at(&seen, "agent.py", 2);
    assert!(
        seen.failure().trace.contains("in helper"),
        "{}",
        seen.failure().trace
    );
    let javascript = "export function run() {\n  return undefined.x;\n}\n";
    at(
        &fails("agent.js", javascript, Outcome::GuestError, "TypeError"),
        "agent.js",
        2,
    );
}

#[test]
fn sys_exit_is_the_agents_failure() {
    fails(
        "agent.py",
        "import sys\ndef run(input):\n    sys.exit(3)\n",
        Outcome::GuestError,
        "SystemExit",
    );
}

#[test]
fn an_endless_loop_runs_out_of_fuel() {
    for (name, text) in [
        ("agent.py", "def run(input):\n    while True: pass\n"),
        ("agent.js", "export function run() { for (;;) {} }\n"),
    ] {
        let mut call = call(agent(name, text), json!(null));
        call.limits = Limits {
            fuel: 200_000_000,
            ..call.limits
        };
        check(see(call), Outcome::OutOfFuel, "200000000 fuel");
    }
}

#[test]
fn a_sleep_beyond_the_timeout_is_timed_out() {
    for (name, text) in [
        (
            "agent.py",
            "import time\ndef run(input):\n    time.sleep(1e6)\n",
        ),
        (
            "agent.py",
            "import asyncio\nasync def run(input):\n    await asyncio.sleep(1e6)\n",
        ),
        (
            "agent.js",
            "export function run() { return new Promise(done => setTimeout(done, 1e9)); }\n",
        ),
    ] {
        let mut call = call(agent(name, text), json!(null));
        call.limits = Limits {
            timeout_ms: 200,
            ..call.limits
        };
        check(see(call), Outcome::TimedOut, "200 ms");
    }
}

#[test]
fn a_busy_loop_is_stopped_by_the_timeout() {
    let mut call = call(
        agent("agent.py", "def run(input):\n    while True: pass\n"),
        json!(null),
    );
    call.limits = Limits {
        timeout_ms: 300,
        fuel: u64::MAX / 2,
        ..call.limits
    };
    check(see(call), Outcome::TimedOut, "300 ms");
}

/// Host calls are cheap in fuel and begin the engine's yield interval anew, so they are asked for the time themselves.
#[test]
fn a_guest_that_lives_in_host_calls_is_stopped_by_the_timeout() {
    for text in [
        "import os\ndef run(input):\n    while True: os.urandom(1)\n",
        "import time\ndef run(input):\n    while True: time.monotonic()\n",
    ] {
        let mut call = call(agent("agent.py", text), json!(null));
        call.limits = Limits {
            timeout_ms: 300,
            fuel: 1 << 50,
            ..call.limits
        };
        check(see(call), Outcome::TimedOut, "300 ms");
    }
}

#[test]
fn endless_recursion_is_an_exception_of_the_language() {
    fails(
        "agent.py",
        "def run(input):\n    return run(input)\n",
        Outcome::GuestError,
        "RecursionError",
    );
    fails(
        "agent.js",
        "export function run() { return run(); }\n",
        Outcome::GuestError,
        "stack",
    );
}

#[test]
fn a_memory_bomb_is_out_of_memory() {
    fails(
        "agent.py",
        "def run(input):\n    x = [0]\n    while True: x += x\n",
        Outcome::OutOfMemory,
        "MemoryError",
    );
    fails(
        "agent.js",
        "export function run() { const x = []; for (;;) x.push(new Uint8Array(1 << 20).fill(1)); }\n",
        Outcome::OutOfMemory,
        "memory",
    );
}

#[test]
fn an_endless_log_is_stopped_at_its_limit() {
    let seen = fails(
        "agent.py",
        "def run(input):\n    while True:\n        print('x' * 1000)\n",
        Outcome::GuestError,
        "log lines",
    );
    at(&seen, "agent.py", 3);
    fails(
        "agent.js",
        "export function run() { for (;;) console.log('x'.repeat(1000)); }\n",
        Outcome::GuestError,
        "log lines",
    );
}

#[test]
fn a_result_of_a_gigabyte_is_refused() {
    let seen = see_agent(
        "agent.py",
        "def run(input):\n    return 'x' * (1 << 30)\n",
        json!(null),
    );
    assert_eq!(
        seen.execution.outcome,
        Outcome::OutOfMemory,
        "{:?}",
        seen.execution.failure
    );
    // One that fits the memory but not the limit.
    fails(
        "agent.py",
        "def run(input):\n    return 'x' * (20 << 20)\n",
        Outcome::GuestError,
        "limit",
    );
    fails(
        "agent.py",
        "def run(input):\n    return 'x' * (50 << 20)\n",
        Outcome::GuestError,
        "limit",
    );
}

#[test]
fn a_result_that_is_not_json_names_what_is_wrong() {
    fails(
        "agent.py",
        "def run(input):\n    return {'a': [1, {2}]}\n",
        Outcome::GuestError,
        "set",
    );
    fails(
        "agent.py",
        "def run(input):\n    return float('nan')\n",
        Outcome::GuestError,
        "JSON",
    );
    fails(
        "agent.js",
        "export function run() { return { a: 10n }; }\n",
        Outcome::GuestError,
        "BigInt",
    );
    fails(
        "agent.js",
        "export function run() { const x = {}; x.x = x; return x; }\n",
        Outcome::GuestError,
        "contains itself",
    );
}

#[test]
fn an_import_that_cannot_exist_says_so() {
    at(
        &fails(
            "agent.py",
            "import json\nimport numpy\ndef run(input):\n    pass\n",
            Outcome::GuestError,
            "numpy",
        ),
        "agent.py",
        2,
    );
    fails(
        "agent.js",
        "import fs from 'node:fs';\nexport function run() {}\n",
        Outcome::GuestError,
        "node:fs",
    );
}

#[test]
fn a_source_that_is_not_utf8_says_so() {
    for name in ["agent.py", "agent.js"] {
        let source =
            oacp::source::Source::single(name.parse().unwrap(), b"x = '\xff\xfe'\n".to_vec())
                .unwrap();
        let oacp_gateway::Agent::Source { program, .. } = agent(name, "") else {
            unreachable!("a source")
        };
        let call = call(
            oacp_gateway::Agent::Source {
                program,
                source: source.into(),
            },
            json!(null),
        );
        check(see(call), Outcome::GuestError, "UTF-8");
    }
}

#[test]
fn a_file_without_an_entry_function_is_a_script_whose_stdout_is_its_output() {
    let seen = see_agent("agent.py", "print('hello')\nprint(1 + 1)\n", json!(null)).confirmed();
    assert_eq!(seen.output(), json!("hello\n2\n"));
    let seen = see_agent("agent.js", "console.log('hello');\n", json!(null)).confirmed();
    assert_eq!(seen.output(), json!("hello\n"));
}

#[test]
fn a_promise_that_never_settles_is_said_to_be_one() {
    fails(
        "agent.js",
        "export function run() { return new Promise(() => {}); }\n",
        Outcome::GuestError,
        "never",
    );
    fails(
        "agent.py",
        "import asyncio\nasync def run(input):\n    await asyncio.get_running_loop().create_future()\n",
        Outcome::GuestError,
        "",
    );
}

#[test]
fn an_exception_that_cannot_be_printed_is_still_reported() {
    let python = "class E(Exception):\n    def __str__(self):\n        raise RuntimeError\n    __repr__ = __str__\ndef run(input):\n    raise E\n";
    at(
        &fails("agent.py", python, Outcome::GuestError, "E"),
        "agent.py",
        6,
    );
    fails(
        "agent.js",
        "export function run() { throw { get message() { throw 1; }, toString() { throw 2; } }; }\n",
        Outcome::GuestError,
        "",
    );
}

#[test]
fn a_run_that_is_cancelled_is_attested_as_cancelled() {
    let call = call(
        agent(
            "agent.py",
            "import time\ndef run(input):\n    time.sleep(1e6)\n",
        ),
        json!(null),
    );
    call.cancel.cancel();
    check(see(call), Outcome::Cancelled, "cancelled");
}

#[test]
fn a_component_of_another_world_is_refused_by_name() {
    let load = |wat: &str| {
        let wasm = wat::parse_str(wat).unwrap();
        let digest = oacp::digest::Digest::of(&wasm);
        engine()
            .load(digest, || Ok(wasm), &|_| {})
            .map(|_| ())
            .unwrap_err()
    };
    let error = load("(component)").to_string();
    assert!(error.contains("it exports no function"), "{error}");
    let error = load("(component (import \"acme:missiles/launch\" (func)))").to_string();
    assert!(error.contains("acme:missiles/launch"), "{error}");
    let wasm = b"\0asm\x01\0\0\0".to_vec();
    let error = engine()
        .load(oacp::digest::Digest::of(&wasm), || Ok(wasm), &|_| {})
        .map(|_| ())
        .unwrap_err();
    assert!(error.to_string().contains("no component"), "{error}");
}

/// A value that JSON's own parsers get wrong stays as the agent wrote it.
#[test]
fn an_integer_beyond_two_to_the_53_crosses_unchanged() {
    let seen = see_agent(
        "agent.py",
        "def run(input):\n    return input['n'] + 1\n",
        Value::Null,
    );
    assert_eq!(seen.execution.outcome, Outcome::GuestError);
    let mut call = call(
        agent("agent.py", "def run(input):\n    return input['n'] + 1\n"),
        json!(null),
    );
    call.input = r#"{"n": 123456789012345678901234567890}"#.to_owned();
    let seen = see(call).confirmed();
    assert_eq!(seen.execution.output, b"123456789012345678901234567891");
}
