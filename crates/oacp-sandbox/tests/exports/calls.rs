//! Calls of functions: results and errors, limits and denials, replays, hostile types and arguments.

use std::collections::BTreeMap;

use oacp::event::Event;
use oacp::outcome::Outcome;
use oacp::replay::{DivergedAt, ReplayVerdict};
use oacp_sandbox::{Engine, JobError, ProgramError};
use serde_json::json;

use crate::fixture::{call, component, job, load, load_on, options, see, try_run};

/// `weather` with a result, an error, a loop, a trap, a denial; and functions that cannot be tools.
const WIT: &str = "
package acme:weather@1.2.0;

interface api {
    record place { city: string, days: option<u8> }
    resource station { constructor(name: string); name: func() -> string; list-all: static func() -> list<string>; }
    /// What the weather will be.
    forecast: func(place: place) -> result<string, place>;
    loop-for-ever: func();
    crash: func() -> u32;
    ask: func() -> u64;
    nearest: func() -> station;
    of: func(station: borrow<station>) -> string;
    huge: func() -> list<u64>;
}
world guest {
    import oacp:agent/tools@0.1.0;
    export api;
    export twice: func(n: u32) -> u32;
    export root-level: func() -> result;
}
";

const IMPORTS: &str = r#"
  (import "oacp:agent/tools@0.1.0" "start" (func $start (param i32 i32 i32 i32) (result i64)))
"#;

/// `forecast` gives an error of its argument if there are no days, and the city if there are.
const CORE: &str = r#"
  (data (i32.const 64) "rain{}")
  (func (export "acme:weather/api@1.2.0#forecast") (param $city i32) (param $length i32) (param $some i32) (param $days i32) (result i32)
    (i32.store8 (i32.const 128) (i32.eqz (local.get $some)))
    (i32.store (i32.const 132) (local.get $city))
    (i32.store (i32.const 136) (local.get $length))
    (i32.store8 (i32.const 140) (i32.const 1))
    (i32.store8 (i32.const 141) (i32.const 9))
    (i32.const 128))
  (func (export "acme:weather/api@1.2.0#loop-for-ever") (loop $again (br $again)))
  (func (export "acme:weather/api@1.2.0#crash") (result i32) unreachable)
  (func (export "acme:weather/api@1.2.0#ask") (result i64)
    (call $start (i32.const 64) (i32.const 4) (i32.const 68) (i32.const 2)))
  (func (export "acme:weather/api@1.2.0#nearest") (result i32) unreachable)
  (func (export "acme:weather/api@1.2.0#of") (param i32) (result i32) unreachable)
  (func (export "acme:weather/api@1.2.0#[constructor]station") (param i32 i32) (result i32) unreachable)
  (func (export "acme:weather/api@1.2.0#[method]station.name") (param i32) (result i32) unreachable)
  (func (export "acme:weather/api@1.2.0#[static]station.list-all") (result i32)
    (i32.store (i32.const 128) (i32.const 0)) (i32.store (i32.const 132) (i32.const 0)) (i32.const 128))
  (func (export "acme:weather/api@1.2.0#huge") (result i32)
    (drop (memory.grow (i32.const 500)))
    (i32.store (i32.const 128) (i32.const 4096)) (i32.store (i32.const 132) (i32.const 4000000)) (i32.const 128))
  (func (export "twice") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (func (export "root-level") (result i32) (i32.const 1))
"#;

fn weather() -> Vec<u8> {
    component(WIT, IMPORTS, CORE)
}

#[test]
fn what_can_be_called_is_offered_and_what_cannot_says_why() {
    let program = load(&weather()).unwrap();
    let offered: Vec<_> = program
        .exports()
        .iter()
        .map(|e| e.name.to_string())
        .collect();
    let api = |name: &str| format!("acme:weather/api@1.2.0#{name}");
    assert_eq!(
        offered,
        [
            "#twice".to_owned(),
            "#root-level".to_owned(),
            api("[static]station.list-all"),
            api("forecast"),
            api("loop-for-ever"),
            api("crash"),
            api("ask"),
            api("huge"),
        ]
    );
    let refused: BTreeMap<_, _> = program.refused().iter().cloned().collect();
    assert!(refused[&api("nearest")].starts_with("its result is a resource"));
    assert!(refused[&api("of")].starts_with("its parameter `station` is a resource"));
    assert!(refused[&api("[constructor]station")].starts_with("its result is a resource"));
    assert!(refused.contains_key(&api("[method]station.name")));
    assert_eq!(refused.len(), 4);
    assert!(!program.is_agent() && !program.is_language() && !program.describes_itself());
    let twice = &program.exports()[0];
    assert_eq!(twice.description, None);
    assert_eq!(
        twice.input_schema,
        json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 4294967295_u32}}, "required": ["n"], "additionalProperties": false})
    );
    assert_eq!(
        program.exports()[1].output_schema,
        Some(json!({"type": "null"}))
    );
    assert_eq!(
        program.exports()[3].output_schema,
        Some(json!({"type": "string"}))
    );
}

#[test]
fn a_call_is_confirmed_by_another_engine() {
    let wasm = weather();
    let program = load(&wasm).unwrap();
    let seen = see(&wasm, job(&program, "#twice", r#"{"n":21}"#)).confirmed();
    assert_eq!(seen.output(), 42);
    let input = r#"{"place":{"city":"Ulm","days":3}}"#;
    let seen = see(
        &wasm,
        job(&program, "acme:weather/api@1.2.0#forecast", input),
    )
    .confirmed();
    assert_eq!(seen.output(), "Ulm");
    assert!(seen.run.usage.fuel.unwrap() > 0);
}

#[test]
fn an_error_of_the_component_is_its_failure_and_the_message_its_json() {
    let wasm = weather();
    let program = load(&wasm).unwrap();
    let input = r#"{"place":{"city":"Ulm"}}"#;
    let seen = see(
        &wasm,
        job(&program, "acme:weather/api@1.2.0#forecast", input),
    )
    .confirmed();
    assert_eq!(seen.run.outcome, Outcome::GuestError);
    assert_eq!(seen.message(), r#"{"city":"Ulm","days":9}"#);
    let seen = see(&wasm, job(&program, "#root-level", "{}")).confirmed();
    assert_eq!(
        (seen.run.outcome, seen.message()),
        (Outcome::GuestError, "null")
    );
}

#[test]
fn wrong_arguments_end_the_run_and_its_replay_alike() {
    let wasm = weather();
    let program = load(&wasm).unwrap();
    for (input, says) in [
        (
            r#"{"n":-1}"#,
            "expected an integer from 0 to 4294967295, found -1, at `/n`",
        ),
        (
            r#"{"n":1,"m":2}"#,
            "there is no field \"m\"; there are: n, at `/`",
        ),
        (r#"{"n":1,"n":1}"#, "the field `n` is given twice"),
        ("{}", "the field `n` is missing, at `/`"),
        ("[1]", "the arguments are no object"),
        ("null", "the arguments are no object"),
    ] {
        let seen = see(&wasm, job(&program, "#twice", input)).confirmed();
        assert_eq!(seen.run.outcome, Outcome::GuestError);
        assert!(
            seen.message().starts_with("bad_arguments: "),
            "{}",
            seen.message()
        );
        assert!(seen.message().contains(says), "{}", seen.message());
        assert_eq!(seen.run.recording.len(), 1);
    }
    assert!(matches!(
        try_run(job(&program, "#twice", "{")),
        Err(JobError::Input(_))
    ));
}

#[test]
fn a_loop_runs_out_of_fuel_and_a_trap_is_a_crash() {
    let wasm = weather();
    let program = load(&wasm).unwrap();
    let mut call = job(&program, "acme:weather/api@1.2.0#loop-for-ever", "{}");
    // Far below the bound on computing, however slow the machine is.
    call.limits.fuel = 2_000_000;
    let seen = see(&wasm, call).confirmed();
    assert_eq!(seen.run.outcome, Outcome::OutOfFuel);
    let seen = see(&wasm, job(&program, "acme:weather/api@1.2.0#crash", "{}"));
    assert_eq!(seen.run.outcome, Outcome::Crashed);
}

#[test]
fn what_is_not_granted_is_denied_and_recorded() {
    let wasm = weather();
    let program = load(&wasm).unwrap();
    let seen = see(&wasm, job(&program, "acme:weather/api@1.2.0#ask", "{}")).confirmed();
    assert_eq!(seen.run.outcome, Outcome::Ok);
    let events = seen.events();
    assert!(
        matches!(&events[1], Event::ToolCall { tool, .. } if tool == "rain"),
        "{events:?}"
    );
    assert!(matches!(&events[2], Event::Denial { .. }), "{events:?}");
}

#[test]
fn a_result_that_is_too_large_is_not_lifted() {
    let wasm = weather();
    let program = load(&wasm).unwrap();
    let seen = see(&wasm, job(&program, "acme:weather/api@1.2.0#huge", "{}")).confirmed();
    assert_eq!(seen.run.outcome, Outcome::GuestError);
    assert!(seen.message().contains("limit"), "{}", seen.message());
}

#[test]
fn another_claim_diverges() {
    use crate::fixture::block_on;
    use oacp_sandbox::{Claim, ENGINE, Patience, replay};
    let wasm = weather();
    let program = load(&wasm).unwrap();
    let call = job(&program, "#twice", r#"{"n":21}"#);
    let (grant, limits) = (call.grant.clone(), call.limits);
    let run = try_run(call).unwrap();
    let verdict = |export: Option<&str>, output: &[u8]| {
        let engine = Engine::new(options()).unwrap();
        let claim = Claim {
            program: load_on(&engine, &wasm).unwrap(),
            source: None,
            export: export.map(|export| export.parse().unwrap()),
            input: r#"{"n":21}"#.to_owned(),
            grant: grant.clone(),
            limits,
            events: run.recording.events().map(<[u8]>::to_vec).collect(),
            blobs: run.recording.blobs().clone(),
            outcome: run.outcome,
            output: output.to_vec(),
            fuel: run.usage.fuel,
            engine: ENGINE.to_owned(),
        };
        block_on(replay(&engine, claim, Patience::default()))
    };
    assert!(matches!(
        verdict(Some("#twice"), b"42"),
        ReplayVerdict::Confirmed { .. }
    ));
    assert!(matches!(
        verdict(Some("#twice"), b"43"),
        ReplayVerdict::Diverged {
            at: DivergedAt::Output,
            ..
        }
    ));
    assert!(matches!(
        verdict(Some("#root-level"), b"42"),
        ReplayVerdict::Diverged { .. }
    ));
    assert!(matches!(
        verdict(Some("#nothing"), b"42"),
        ReplayVerdict::Unverifiable { .. }
    ));
    assert!(matches!(
        verdict(None, b"42"),
        ReplayVerdict::Unverifiable { .. }
    ));
}

#[test]
fn the_function_must_be_named_and_exist() {
    let program = load(&weather()).unwrap();
    let mut unnamed = job(&program, "#twice", "{}");
    unnamed.export = None;
    let error = try_run(unnamed).unwrap_err();
    assert!(matches!(error, JobError::NoExport { .. }));
    assert!(
        error.to_string().contains("`#twice`, `#root-level`"),
        "{error}"
    );
    let error = try_run(job(&program, "acme:weather/api@1.2.0#nearest", "{}")).unwrap_err();
    assert!(matches!(error, JobError::UnknownExport { .. }), "{error}");
    let wit = "package a:b; world guest { include oacp:agent/agent@0.1.0; }";
    let agent = component(
        wit,
        "",
        r#"(func (export "run") (param i32 i32) (result i32) unreachable)"#,
    );
    let agent = load(&agent).unwrap();
    assert!(agent.is_agent() && agent.exports().is_empty());
    let error = try_run(job(&agent, "#run", "{}")).unwrap_err();
    assert!(
        error.to_string().contains("`run`, which needs no name"),
        "{error}"
    );
}

/// A type of a few bytes that is 65,536 when it is written out.
#[test]
fn types_that_share_their_parts_are_not_written_out() {
    let mut types = "type t0 = u8;".to_owned();
    for n in 1..=16 {
        types += &format!("type t{n} = tuple<t{m}, t{m}>;", m = n - 1);
    }
    let wide = ["u8"; 5000].join(", ");
    let deep = format!("{}u8{}", "list<".repeat(40), ">".repeat(40));
    let nested = format!("{}u8{}", "option<list<".repeat(15), ">>".repeat(15));
    let wit = format!(
        "package a:b; interface api {{ {types} pairs: func() -> list<t16>; wide: func(x: list<tuple<{wide}>>); deep: func(x: {deep}); nested: func(x: {nested}); fine: func(); }} world guest {{ export api; }}"
    );
    let functions = ["pairs", "wide", "deep", "nested", "fine"];
    let core: String = functions
        .iter()
        .map(|name| {
            let ty = match *name {
                "pairs" => "(result i32)",
                "nested" => "(param i32 i32 i32)",
                "fine" => "",
                _ => "(param i32 i32)",
            };
            format!("(func (export \"a:b/api#{name}\") {ty} unreachable)")
        })
        .collect();
    let program = load(&component(&wit, "", &core)).unwrap();
    assert_eq!(program.exports().len(), 1);
    let refused: BTreeMap<_, _> = program.refused().iter().cloned().collect();
    for (function, says) in [
        ("pairs", "more than 4096 parts"),
        ("wide", "more than 4096 parts"),
        ("deep", "nested more than 32 deep"),
        ("nested", "its schema is nested more than 32 deep"),
    ] {
        let why = &refused[&format!("a:b/api#{function}")];
        assert!(why.contains(says), "{function}: {why}");
    }
}

#[test]
fn arguments_that_are_small_as_text_and_large_as_values_are_refused() {
    let fields: String = (0..1000)
        .map(|n| format!("field{n}: option<u8>,"))
        .collect();
    let wit = format!(
        "package a:b; interface api {{ record wide {{ {fields} }} f: func(x: list<wide>) -> u32; g: func(x: list<u8>) -> u32; }} world guest {{ export api; }}"
    );
    let core = r#"
      (func (export "a:b/api#f") (param i32 i32) (result i32) (local.get 1))
      (func (export "a:b/api#g") (param i32 i32) (result i32) (local.get 1))
    "#;
    let program = load(&component(&wit, "", core)).unwrap();
    let run = call(
        &program,
        "a:b/api#f",
        &format!("{{\"x\":[{{}}{}]}}", ",{}".repeat(100)),
    );
    assert_eq!(run.output, b"101", "{:?}", run.failure);
    let run = call(
        &program,
        "a:b/api#f",
        &format!("{{\"x\":[{{}}{}]}}", ",{}".repeat(1_000_000)),
    );
    let message = run.failure.unwrap().message;
    assert!(message.contains("the values take more than"), "{message}");
    let bytes = |kilobytes: usize| format!("{{\"x\":\"{}\"}}", "AAAA".repeat(kilobytes * 1024 / 3));
    let run = call(&program, "a:b/api#g", &bytes(1000));
    assert_eq!(run.outcome, Outcome::Ok, "{:?}", run.failure);
    let run = call(&program, "a:b/api#g", &bytes(8000));
    assert!(
        run.failure
            .unwrap()
            .message
            .contains("the values take more than")
    );
}

#[test]
fn more_functions_than_anybody_reads_are_not_offered() {
    let functions: String = (0..600).map(|n| format!("function{n}: func();")).collect();
    let wit = format!("package a:b; interface api {{ {functions} }} world guest {{ export api; }}");
    let core: String = (0..600)
        .map(|n| format!("(func (export \"a:b/api#function{n}\"))"))
        .collect();
    let program = load(&component(&wit, "", &core)).unwrap();
    assert_eq!(
        (program.exports().len(), program.refused().len()),
        (256, 256)
    );
}

#[test]
fn a_component_without_anything_to_call_is_refused_with_the_reasons() {
    let wit = "package a:b; interface api { resource r; of: func(r: borrow<r>); } world guest { export api; }";
    let wasm = component(wit, "", r#"(func (export "a:b/api#of") (param i32))"#);
    let error = load(&wasm).err().unwrap();
    assert!(matches!(error, ProgramError::World { .. }));
    assert!(
        error
            .to_string()
            .contains("`a:b/api#of`: its parameter `r` is a resource"),
        "{error}"
    );
    let error = load(&wat::parse_str("(component)").unwrap()).err().unwrap();
    assert!(
        error.to_string().contains("it exports no function"),
        "{error}"
    );
}

#[test]
fn descriptions_come_from_the_component_and_the_cache_keeps_them() {
    let mut wasm = component(
        "package a:b; interface api { f: func(); } world guest { export api; }",
        "",
        r#"(func (export "a:b/api#f"))"#,
    );
    let docs = br#"{"interfaces":{"api":{"funcs":{"f":{"docs":"Does nothing."}}}}}"#;
    let mut section = vec![12];
    section.extend(b"package-docs");
    section.push(1);
    section.extend(docs);
    wasm.push(0);
    wasm.push(u8::try_from(section.len()).unwrap());
    wasm.extend(section);
    let dir = tempfile::tempdir().unwrap();
    let engine = || {
        let mut options = options();
        options.cache_dir = Some(dir.path().to_owned());
        Engine::new(options).unwrap()
    };
    let digest = oacp::digest::Digest::of(&wasm);
    let described = |program: oacp_sandbox::Program| program.exports()[0].description.clone();
    let first = engine().load(digest, || Ok(wasm.clone()), &|_| {}).unwrap();
    assert_eq!(described(first).as_deref(), Some("Does nothing."));
    // Nothing is read any more.
    let again = engine()
        .load(digest, || panic!("it is cached"), &|_| {})
        .unwrap();
    assert_eq!(described(again).as_deref(), Some("Does nothing."));
    // What was damaged or lost is read anew.
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "docs") {
            std::fs::write(&path, vec![b'x'; 64]).unwrap();
        }
    }
    let again = engine().load(digest, || Ok(wasm.clone()), &|_| {}).unwrap();
    assert_eq!(described(again).as_deref(), Some("Does nothing."));
}
