//! Components that others wrote for other hosts, unchanged: those of `examples/components`. The published ones are there once `fetch.py` has put them
//! into `target/components`. Without them the test takes what is checked in; with `OACP_COMPONENTS=all`, as `make test` sets it, it fails.

use std::path::Path;
use std::{env, fs};

use oacp::capability::{Capabilities, Grant};
use oacp::digest::Digest;
use oacp::outcome::Outcome;
use oacp_sandbox::{CompileLimits, Compiler, Engine, EngineOptions, Program, ProgramError};
use serde_json::{Map, Value, json};

use crate::fixture::{job, load_on, options, repository, see_on};

const COMMAND: &str = "wasi:cli/run@";
const SERVER: &str = "wasi:http/incoming-handler@";

#[test]
fn they_load_unchanged_and_answer_as_they_do_elsewhere() {
    let dir = repository().join("examples/components");
    let manifest = fs::read(dir.join("components.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let wants_all = env::var("OACP_COMPONENTS").is_ok_and(|value| value == "all");
    let engine = Engine::new(cached()).unwrap();
    let (mut seen, mut calls) = (Vec::new(), 0);
    for component in manifest["components"].as_array().unwrap() {
        let name = component["name"].as_str().unwrap();
        let file = component["file"].as_str().unwrap();
        let fetched = concat!(env!("CARGO_TARGET_TMPDIR"), "/../components");
        let places = [dir.join(file), Path::new(fetched).join(file)];
        let Some(wasm) = places.iter().find_map(|place| fs::read(place).ok()) else {
            // The large ones that are built here have no digest: nobody has to build them.
            let is_checked_in = component["kind"] == "built" && component["sha256"].is_string();
            let is_wanted = wants_all && component["kind"] == "published";
            assert!(
                !is_checked_in && !is_wanted,
                "{name} is not there: run examples/components/fetch.py"
            );
            continue;
        };
        if let Some(digest) = component["sha256"].as_str() {
            assert_eq!(Digest::of(&wasm).hex(), digest, "{name}");
        }
        seen.push(name);
        let program = match load_on(&engine, &wasm) {
            Err(ProgramError::Import { name: import, .. }) => {
                assert_eq!(
                    json!(import),
                    component["refused_at_load"]["import"],
                    "{name}"
                );
                continue;
            }
            Err(ProgramError::World { .. }) => {
                assert!(component["nothing_maps"].is_string(), "{name}");
                continue;
            }
            loaded => loaded.unwrap_or_else(|error| panic!("{name}: {error}")),
        };
        for told in ["refused_at_load", "nothing_maps"] {
            assert_eq!(component.get(told), None, "{name}");
        }
        check_exports(name, &program, component);
        for call in component["calls"].as_array().into_iter().flatten() {
            check_call(&engine, name, &wasm, &program, call);
            calls += 1;
        }
    }
    println!(
        "{} components, {calls} calls: {}",
        seen.len(),
        seen.join(", ")
    );
}

/// The largest hold a JavaScript engine or CPython, so what is compiled is kept between runs of the tests.
fn cached() -> EngineOptions {
    let mut options = options();
    options.cache_dir = Some(concat!(env!("CARGO_TARGET_TMPDIR"), "/components").into());
    options.compiler = Compiler::Process {
        program: env!("CARGO_BIN_EXE_compile-child").into(),
        arguments: Vec::new(),
        // Not optimised, and beside other tests.
        limits: CompileLimits {
            seconds_max: 900,
            ..CompileLimits::default()
        },
    };
    options
}

/// What is told of is offered, or says why it is not.
fn check_exports(name: &str, program: &Program, component: &Value) {
    for export in component["exports"].as_array().unwrap() {
        let told = export["name"].as_str().unwrap();
        let offered = program
            .exports()
            .iter()
            .find(|e| e.name.to_string() == told);
        let is_refused = program.refused().iter().any(|(name, _)| name == told);
        // A server is refused by its types, and called by its meaning.
        let has_types = export["refused"].is_null() || told.starts_with(SERVER);
        assert_eq!(
            (offered.is_some(), is_refused),
            (has_types, !has_types),
            "{name}: {told}"
        );
        if let Some(description) = component["descriptions"].get(told) {
            assert_eq!(
                json!(offered.unwrap().description),
                *description,
                "{name}: {told}"
            );
        }
    }
}

fn check_call(engine: &Engine, name: &str, wasm: &[u8], program: &Program, call: &Value) {
    let name_of = call["export"].as_str().unwrap();
    let export = program
        .exports()
        .iter()
        .find(|e| e.name.to_string() == name_of);
    let schema = &export
        .unwrap_or_else(|| panic!("{name}: {name_of}"))
        .input_schema;
    let mut arguments = ours(schema, &call["arguments"]);
    if let (true, Value::String(body)) = (name_of.starts_with(SERVER), &arguments["body"]) {
        arguments["body"] = json!({"base64": body});
    }
    let place = format!("{name}: {name_of} {arguments}");
    let mut job = job(program, name_of, &arguments.to_string());
    job.limits.memory_bytes_max = 512 << 20;
    if name_of.starts_with(COMMAND) {
        // What they pass is granted here, and set.
        let variables = call["arguments"]["env"].as_object().into_iter().flatten();
        job.environment = variables
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        let env = job.environment.keys().map(|name| name.parse().unwrap());
        let wanted = Capabilities {
            env: env.collect(),
            ..Capabilities::default()
        };
        job.grant = Grant::attenuate(&wanted, &wanted);
    }
    let seen = see_on(engine, cached(), wasm, job);
    if call.get("traps").is_some() {
        assert_eq!(seen.run.outcome, Outcome::Crashed, "{place}");
        return;
    }
    let seen = seen.confirmed();
    if call.get("bad_arguments").is_some() || has_text_for_number(schema, &arguments) {
        assert!(
            seen.message().starts_with("bad_arguments: "),
            "{place}: {}",
            seen.message()
        );
        return;
    }
    if let Some(error) = call.get("error") {
        let found: Value = serde_json::from_str(seen.message()).unwrap();
        assert!(is_alike(error, &found), "{place}: {found}");
        return;
    }
    let (found, told) = (seen.output(), &call["result"]);
    if name_of.starts_with(COMMAND) {
        assert_eq!(
            (&found["stdout"], &found["stderr"]),
            (&told["stdout"], &told["stderr"]),
            "{place}"
        );
        assert_eq!(found["status"], told["exit_code"], "{place}");
    } else if name_of.starts_with(SERVER) {
        assert_eq!(found["status"], told["status"], "{place}");
        assert_eq!(found["headers"], told["headers"], "{place}");
        let body = found["body"]
            .as_str()
            .map(|text| json!(base64(text.as_bytes())));
        assert_eq!(
            body.as_ref().unwrap_or(&found["body"]["base64"]),
            &told["body"],
            "{place}"
        );
    } else if let Some(prefixes) = call["prefixes"].as_array() {
        for (field, told) in told.as_object().unwrap() {
            let found = &found[field];
            match prefixes.contains(&json!(field)) {
                true => assert!(
                    found.as_str().unwrap().starts_with(told.as_str().unwrap()),
                    "{place}"
                ),
                false => assert!(is_alike(told, found), "{place}"),
            }
        }
    } else {
        assert!(is_alike(told, &found), "{place}: {found}, not {told}");
    }
}

/// Whether an argument is a text as `"NaN"` where a number is wanted: they take it, and ours only gives it.
fn has_text_for_number(schema: &Value, arguments: &Value) -> bool {
    let mut arguments = arguments.as_object().unwrap().iter();
    arguments
        .any(|(name, value)| value.is_string() && schema["properties"][name]["type"] == "number")
}

/// The manifest writes values as another host does (`{"tag": …, "val": …}`, `err`, flags as booleans, integers of any size): as ours, by the schema.
fn ours(schema: &Value, theirs: &Value) -> Value {
    if let Some(any) = schema["anyOf"].as_array() {
        return match theirs {
            Value::Null => Value::Null,
            some => ours(&any[0], some),
        };
    }
    if let Some(cases) = schema["oneOf"].as_array() {
        let case = |name: &str, value: &Value| {
            let schema = cases
                .iter()
                .find(|case| !case["properties"][name].is_null());
            json!({name: ours(schema.map_or(&Value::Null, |s| &s["properties"][name]), value)})
        };
        return match theirs.as_object() {
            Some(object) if object.contains_key("tag") => match object.get("val") {
                Some(value) => case(object["tag"].as_str().unwrap(), value),
                None => object["tag"].clone(),
            },
            Some(object) if object.contains_key("err") => case("error", &object["err"]),
            Some(object) if object.contains_key("ok") => case("ok", &object["ok"]),
            _ => theirs.clone(),
        };
    }
    match theirs {
        Value::Object(flags) if schema["uniqueItems"] == true => flags
            .iter()
            .filter(|(_, set)| **set == true)
            .map(|(flag, _)| json!(flag))
            .collect(),
        Value::Object(variant) if schema["enum"].is_array() && variant.contains_key("tag") => {
            variant["tag"].clone()
        }
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .filter(|(name, _)| *name != "env" || !schema["properties"]["env"].is_null());
            let field = |(name, value): (&String, &Value)| {
                (name.clone(), ours(&schema["properties"][name], value))
            };
            Value::Object(fields.map(field).collect::<Map<_, _>>())
        }
        Value::Array(items) => {
            let item = |(at, item): (usize, &Value)| match schema["prefixItems"].get(at) {
                Some(schema) => ours(schema, item),
                None => ours(&schema["items"], item),
            };
            items.iter().enumerate().map(item).collect()
        }
        Value::Number(number) if schema["type"] == json!(["integer", "string"]) => {
            match number.as_f64().unwrap().abs() > 9e15 {
                true => json!(number.to_string()),
                false => theirs.clone(),
            }
        }
        other => other.clone(),
    }
}

/// Whether what they tell is what we found, each in its own way of writing it.
fn is_alike(theirs: &Value, ours: &Value) -> bool {
    match (theirs, ours) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Number(a), Value::String(b)) => {
            a.to_string() == *b || a.as_f64().is_some_and(|a| format!("{a:.0}") == *b)
        }
        (Value::Object(variant), found) if variant.contains_key("tag") => {
            match (variant.get("val"), found) {
                (Some(value), Value::Object(found)) => found
                    .iter()
                    .all(|(case, found)| variant["tag"] == *case && is_alike(value, found)),
                (None, found) => variant["tag"] == *found,
                _ => false,
            }
        }
        (Value::Object(flags), Value::Array(set)) => flags
            .iter()
            .all(|(flag, is_set)| is_set == set.contains(&json!(flag))),
        (Value::Object(result), Value::Object(found))
            if result.contains_key("err") && found.contains_key("error") =>
        {
            is_alike(&result["err"], &found["error"])
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| is_alike(a, b)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_alike(a, b))
        }
        (a, b) => a == b,
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let word = three
            .iter()
            .fold(0, |word, byte| word << 8 | usize::from(*byte))
            << (8 * (3 - three.len()));
        for at in 0..4 {
            let is_there = at <= three.len();
            text.push(if is_there {
                char::from(ALPHABET[word >> (18 - 6 * at) & 63])
            } else {
                '='
            });
        }
    }
    text
}
