//! Components of the world `tool`, which describe themselves.

use oacp::event::Event;
use oacp::outcome::Outcome;
use oacp_sandbox::{DescribeError, Export, Program};

use crate::fixture::{block_on, component, engine, job, load, see, try_run};

const START: &str = r#"(import "oacp:agent/tools@0.1.0" "start" (func $start (param i32 i32 i32 i32) (result i64)))"#;

/// A component whose `definitions` are these (name, description, input schema), laid out as the ABI wants them; `before` runs first. Its `call` gives the
/// arguments back.
fn tools(definitions: &[(&str, &str, &str)], before: &str) -> Vec<u8> {
    let (mut texts, mut table) = (String::new(), Vec::new());
    let texts_at = 8192;
    for (name, description, schema) in definitions {
        let mut entry = Vec::new();
        for text in [name, description, schema] {
            entry.push(u32::try_from(texts_at + texts.len()).unwrap());
            entry.push(u32::try_from(text.len()).unwrap());
            texts += text;
        }
        // No output schema.
        entry.extend([0, 0, 0]);
        table.extend(entry);
    }
    let escaped = |bytes: Vec<u8>| {
        bytes
            .iter()
            .map(|byte| format!("\\{byte:02x}"))
            .collect::<String>()
    };
    let table = escaped(
        table
            .iter()
            .flat_map(|word: &u32| word.to_le_bytes())
            .collect(),
    );
    let texts = escaped(texts.into_bytes());
    let core = format!(
        r#"
      (data (i32.const 1024) "{table}")
      (data (i32.const {texts_at}) "{texts}")
      (func (export "definitions") (result i32)
        {before}
        (i32.store (i32.const 64) (i32.const 1024))
        (i32.store (i32.const 68) (i32.const {count}))
        (i32.const 64))
      (func (export "call") (param i32 i32 i32 i32) (result i32)
        (i32.store (i32.const 128) (i32.const 0))
        (i32.store (i32.const 136) (local.get 2))
        (i32.store (i32.const 140) (local.get 3))
        (global.set $next (i32.const 65536))
        (i32.const 128))
    "#,
        count = definitions.len()
    );
    component(
        "package a:b; world guest { include oacp:agent/tool@0.1.0; }",
        START,
        &core,
    )
}

fn described(program: &Program) -> Result<Vec<Export>, DescribeError> {
    block_on(program.describe(engine()))
}

const SCHEMA: &str = r#"{"type":"object","properties":{"city":{"type":"string"}}}"#;

#[test]
fn it_says_what_it_offers_and_is_called_by_those_names() {
    let wasm = tools(
        &[
            ("forecast", "The weather.", SCHEMA),
            ("almanac", "Old weather.", "true"),
        ],
        "",
    );
    let program = load(&wasm).unwrap();
    assert!(program.describes_itself() && program.exports().is_empty());
    let exports = described(&program).unwrap();
    let names: Vec<_> = exports
        .iter()
        .map(|export| export.name.to_string())
        .collect();
    assert_eq!(names, ["tool:almanac", "tool:forecast"]);
    assert_eq!(exports[1].description.as_deref(), Some("The weather."));
    assert_eq!(exports[1].input_schema.to_string().len(), SCHEMA.len());
    assert_eq!(exports[1].output_schema, None);
    let seen = see(&wasm, job(&program, "tool:forecast", r#"{"city":"Ulm"}"#)).confirmed();
    assert_eq!(seen.run.output, br#"{"city":"Ulm"}"#);
    let error = try_run(job(&program, "#call", "{}")).unwrap_err();
    assert!(error.to_string().contains("`tool:NAME`"), "{error}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (definitions, says) in [
        (
            &[("a", "", SCHEMA), ("a", "", SCHEMA)][..],
            "two tools of the name `a`",
        ),
        (&[("a b\u{1b}", "", SCHEMA)], "none can have: `a b\\u{1b}`"),
        (
            &[("a", "", "{")],
            "the input schema of tool `a` is not JSON",
        ),
        (
            &[("a", "", r#"{"type":1,"type":2}"#)],
            "the input schema of tool `a` is not JSON",
        ),
    ] {
        let error = described(&load(&tools(definitions, "")).unwrap()).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn it_is_asked_without_any_right_and_not_for_long() {
    // A call that is denied, in a run that nobody keeps.
    let ask = "(drop (call $start (i32.const 8192) (i32.const 1) (i32.const 8192) (i32.const 1)))";
    let program = load(&tools(&[("a", "", SCHEMA)], ask)).unwrap();
    assert_eq!(described(&program).unwrap().len(), 1);
    // Of the two that stop it, a busy machine may take the other.
    let endless = load(&tools(&[("a", "", SCHEMA)], "(loop $again (br $again))")).unwrap();
    let error = described(&endless).unwrap_err();
    assert!(
        matches!(
            error,
            DescribeError::NoAnswer {
                outcome: Outcome::OutOfFuel | Outcome::TimedOut,
                ..
            }
        ),
        "{error}"
    );
    for (before, outcome) in [
        ("unreachable", Outcome::Crashed),
        (
            "(drop (memory.grow (i32.const 10000))) (i32.store (i32.const 400000000) (i32.const 1))",
            Outcome::OutOfMemory,
        ),
    ] {
        let program = load(&tools(&[("a", "", SCHEMA)], before)).unwrap();
        match described(&program).unwrap_err() {
            DescribeError::NoAnswer { outcome: found, .. } => {
                assert_eq!(found, outcome, "{before}")
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_call_records_what_any_run_records() {
    let wasm = tools(&[("a", "", SCHEMA)], "");
    let program = load(&wasm).unwrap();
    let seen = see(&wasm, job(&program, "tool:a", "{}")).confirmed();
    assert!(matches!(seen.events()[..], [Event::Start { .. }]));
}
