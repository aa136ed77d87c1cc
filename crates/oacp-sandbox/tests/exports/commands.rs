//! Commands (`wasi:cli/run`) as tools.

use oacp::outcome::Outcome;
use serde_json::json;

use crate::fixture::{component, job, load, see};

const WIT: &str = "
package a:b;
world guest {
    import wasi:cli/environment@0.2.3;
    import wasi:cli/exit@0.2.3;
    import wasi:cli/stdin@0.2.3;
    import wasi:cli/stdout@0.2.3;
    import wasi:cli/stderr@0.2.3;
    export wasi:cli/run@0.2.3;
}
package wasi:io@0.2.3 {
    interface error { resource error; }
    interface streams {
        use error.{error};
        variant stream-error { last-operation-failed(error), closed }
        resource input-stream { blocking-read: func(len: u64) -> result<list<u8>, stream-error>; }
        resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; }
    }
}
package wasi:cli@0.2.3 {
    interface environment { get-arguments: func() -> list<string>; }
    interface exit { exit: func(status: result); }
    interface stdin { use wasi:io/streams@0.2.3.{input-stream}; get-stdin: func() -> input-stream; }
    interface stdout { use wasi:io/streams@0.2.3.{output-stream}; get-stdout: func() -> output-stream; }
    interface stderr { use wasi:io/streams@0.2.3.{output-stream}; get-stderr: func() -> output-stream; }
    interface run { run: func() -> result; }
}
";

const IMPORTS: &str = r#"
  (import "wasi:cli/environment@0.2.3" "get-arguments" (func $arguments (param i32)))
  (import "wasi:cli/exit@0.2.3" "exit" (func $exit (param i32)))
  (import "wasi:cli/stdin@0.2.3" "get-stdin" (func $stdin (result i32)))
  (import "wasi:cli/stdout@0.2.3" "get-stdout" (func $stdout (result i32)))
  (import "wasi:cli/stderr@0.2.3" "get-stderr" (func $stderr (result i32)))
  (import "wasi:io/streams@0.2.3" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.3" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
"#;

/// What every command here starts with: the last argument at `(96, 100)`, standard input at `(116, 120)` if `(112)` is 0.
const BEGIN: &str = r#"
  (local $n i32)
  (call $arguments (i32.const 64))
  (local.set $n (i32.add (i32.load (i32.const 64)) (i32.mul (i32.const 8) (i32.sub (i32.load (i32.const 68)) (i32.const 1)))))
  (i32.store (i32.const 96) (i32.load (local.get $n)))
  (i32.store (i32.const 100) (i32.load (i32.add (local.get $n) (i32.const 4))))
  (call $read (call $stdin) (i64.const 1000) (i32.const 112))
"#;

/// Prints the last argument to standard output and standard input to standard error.
const PRINT: &str = r#"
  (call $write (call $stdout) (i32.load (i32.const 96)) (i32.load (i32.const 100)) (i32.const 128))
  (if (i32.eqz (i32.load8_u (i32.const 112)))
    (then (call $write (call $stderr) (i32.load (i32.const 116)) (i32.load (i32.const 120)) (i32.const 128))))
"#;

const RUN: &str = "wasi:cli/run@0.2.3#run";

fn command(body: &str) -> Vec<u8> {
    let core = format!(r#"(func (export "{RUN}") (result i32) {BEGIN} {body})"#);
    component(WIT, IMPORTS, &core)
}

#[test]
fn a_command_is_one_tool_that_prints() {
    let wasm = command(&format!("{PRINT} (i32.const 0)"));
    let program = load(&wasm).unwrap();
    let [export] = program.exports() else {
        panic!("one export")
    };
    assert_eq!(export.name.to_string(), RUN);
    assert!(export.description.is_some());
    assert_eq!(export.input_schema["properties"]["stdin"]["type"], "string");
    let input = r#"{"args":["first","second"],"stdin":"typed"}"#;
    let seen = see(&wasm, job(&program, RUN, input)).confirmed();
    assert_eq!(
        seen.output(),
        json!({"stdout": "second", "stderr": "typed", "status": 0})
    );
    // What is the result is not in the log as well.
    assert_eq!(seen.run.recording.len(), 1);
    let seen = see(&wasm, job(&program, RUN, "{}")).confirmed();
    assert_eq!(
        seen.output(),
        json!({"stdout": "command", "stderr": "", "status": 0})
    );
}

#[test]
fn a_status_is_a_result_and_no_failure() {
    for (end, status) in [
        ("(i32.const 1)", 1),
        ("(call $exit (i32.const 1)) (unreachable)", 1),
        ("(call $exit (i32.const 0)) (unreachable)", 0),
    ] {
        let wasm = command(&format!("{PRINT} {end}"));
        let program = load(&wasm).unwrap();
        let seen = see(&wasm, job(&program, RUN, r#"{"args":["x"]}"#)).confirmed();
        assert_eq!(
            seen.output(),
            json!({"stdout": "x", "stderr": "", "status": status})
        );
    }
}

#[test]
fn a_command_that_traps_has_crashed_and_its_lines_are_in_the_log() {
    let wasm = command(&format!("{PRINT} (unreachable)"));
    let program = load(&wasm).unwrap();
    let seen = see(&wasm, job(&program, RUN, r#"{"args":["x"]}"#));
    assert_eq!(seen.run.outcome, Outcome::Crashed);
    assert_eq!(seen.run.recording.len(), 2);
}

#[test]
fn output_without_end_is_refused_rather_than_cut() {
    let wasm = command(
        "(loop $again (call $write (call $stdout) (i32.const 0) (i32.const 4096) (i32.const 128)) (br_if $again (i32.eqz (i32.load8_u (i32.const 128))))) (i32.const 0)",
    );
    let program = load(&wasm).unwrap();
    let seen = see(&wasm, job(&program, RUN, "{}")).confirmed();
    assert_eq!(seen.run.outcome, Outcome::GuestError);
    assert!(
        seen.message()
            .contains("4194304 bytes or more to standard output"),
        "{}",
        seen.message()
    );
}

#[test]
fn wrong_arguments_are_refused() {
    let wasm = command("(i32.const 0)");
    let program = load(&wasm).unwrap();
    for (input, says) in [
        (r#"{"args":"x"}"#, "expected a sequence"),
        (r#"{"env":{}}"#, "unknown field `env`"),
        (r#"{"args":[1]}"#, "expected a string"),
        (r#"{"stdin":"","stdin":""}"#, "duplicate field"),
        ("[]", "the arguments are no object"),
    ] {
        let seen = see(&wasm, job(&program, RUN, input)).confirmed();
        assert_eq!(seen.run.outcome, Outcome::GuestError, "{input}");
        assert!(seen.message().contains(says), "{}", seen.message());
    }
}
