//! The table of `docs/components.md`, row for row: what a type is in JSON Schema, and what its values are in JSON.

use oacp::outcome::Outcome;
use oacp_sandbox::Program;
use serde_json::{Value, json};
use std::sync::OnceLock;

use crate::fixture::{call, component, load, repository};

/// One type of WIT.
struct Row {
    /// The function's name.
    name: &'static str,
    /// As the WIT writes it.
    wit: &'static str,
    /// As the table writes it, where that is another way.
    shown: Option<&'static str>,
    input: Value,
    /// `None`: as the input's.
    output: Option<Value>,
    /// JSON texts that come back as they went in.
    same: &'static [&'static str],
    /// JSON texts, and as what they come back.
    other: &'static [(&'static str, &'static str)],
    /// JSON texts that are no value of the type, and what is said of it.
    wrong: &'static [(&'static str, &'static str)],
}

/// Types that rows name.
const NAMED: &str = "
    record point { x: u8, name: string, note: option<string> }
    variant shape { none, circle(f64), text(string) }
    variant bare { a, b }
    variant full { n(u8), s(string) }
    enum color { red, dark-green }
    flags access { read, write, run-it }
";

fn rows() -> Vec<Row> {
    let row = |name, wit, input| Row {
        name,
        wit,
        shown: None,
        input,
        output: None,
        same: &[],
        other: &[],
        wrong: &[],
    };
    let integer = |min: i64, max: i64| json!({"type": "integer", "minimum": min, "maximum": max});
    let option = |item: Value| json!({"anyOf": [item, {"type": "null"}]});
    let tagged = |name: &str, item: Value| json!({"type": "object", "properties": {name: item}, "required": [name], "additionalProperties": false});
    let pair = json!({"type": "array", "prefixItems": [integer(0, 255), {"type": "string"}], "items": false, "minItems": 2});
    let point = |required: Value| json!({"type": "object", "properties": {"x": integer(0, 255), "name": {"type": "string"}, "note": option(json!({"type": "string"}))}, "required": required, "additionalProperties": false});
    let float = json!({"type": ["number", "string"]});
    let shape = |number: Value| json!({"oneOf": [{"type": "string", "enum": ["none"]}, tagged("circle", number), tagged("text", json!({"type": "string"}))]});
    vec![
        Row {
            same: &["true", "false"],
            wrong: &[
                ("1", "expected true or false, found 1"),
                ("null", "found null"),
            ],
            ..row("bool", "bool", json!({"type": "boolean"}))
        },
        Row {
            same: &["-128", "127"],
            other: &[("1.0", "1"), ("-0", "0"), ("1e2", "100")],
            wrong: &[
                ("128", "expected an integer from -128 to 127, found 128"),
                ("-129", "found -129"),
                ("1.5", "found 1.5"),
                ("1e300", "found"),
                ("\"1\"", "found the string \"1\""),
            ],
            ..row("s8", "s8", integer(-128, 127))
        },
        Row {
            same: &["0", "255"],
            wrong: &[("256", "from 0 to 255"), ("-1", "found -1")],
            ..row("u8", "u8", integer(0, 255))
        },
        Row {
            same: &["-32768", "32767"],
            wrong: &[("32768", "found 32768")],
            ..row("s16", "s16", integer(-32768, 32767))
        },
        Row {
            same: &["0", "65535"],
            wrong: &[("65536", "found 65536")],
            ..row("u16", "u16", integer(0, 65535))
        },
        Row {
            same: &["-2147483648", "2147483647"],
            wrong: &[("2147483648", "found 2147483648")],
            ..row("s32", "s32", integer(i32::MIN.into(), i32::MAX.into()))
        },
        Row {
            same: &["0", "4294967295"],
            wrong: &[
                ("4294967296", "found 4294967296"),
                ("{}", "found an object"),
                ("[]", "found an array"),
            ],
            ..row("u32", "u32", integer(0, u32::MAX.into()))
        },
        Row {
            output: Some(
                json!({"type": ["integer", "string"], "minimum": -9007199254740991_i64, "maximum": 9007199254740991_i64}),
            ),
            same: &[
                "0",
                "-9007199254740991",
                "9007199254740991",
                "\"9007199254740992\"",
                "\"-9223372036854775808\"",
            ],
            other: &[("\"7\"", "7")],
            wrong: &[
                ("9007199254740992", "are given as strings"),
                ("-9007199254740992", "are given as strings"),
                ("\"9223372036854775808\"", "expected an integer"),
                ("\"+1\"", "expected an integer"),
                ("\"01\"", "expected an integer"),
                ("\"-0\"", "expected an integer"),
                ("\"0x1\"", "expected an integer"),
                ("\" 1\"", "expected an integer"),
                ("\"\"", "expected an integer"),
            ],
            ..row(
                "s64",
                "s64",
                json!({"type": ["integer", "string"], "minimum": -9007199254740991_i64, "maximum": 9007199254740991_i64, "pattern": "^(0|-?[1-9][0-9]{0,18})$"}),
            )
        },
        Row {
            output: Some(
                json!({"type": ["integer", "string"], "minimum": 0, "maximum": 9007199254740991_i64}),
            ),
            same: &["0", "9007199254740991", "\"18446744073709551615\""],
            wrong: &[
                ("-1", "found -1"),
                ("\"-1\"", "expected an integer"),
                ("18446744073709551615", "are given as strings"),
                ("\"18446744073709551616\"", "expected an integer"),
            ],
            ..row(
                "u64",
                "u64",
                json!({"type": ["integer", "string"], "minimum": 0, "maximum": 9007199254740991_i64, "pattern": "^(0|[1-9][0-9]{0,19})$"}),
            )
        },
        Row {
            output: Some(float.clone()),
            same: &["0.1", "-0.0", "3.4028235e+38", "1e-45"],
            other: &[
                ("1", "1.0"),
                ("16777217", "16777216.0"),
                ("1e16", "\"10000000272564224\""),
            ],
            wrong: &[
                ("1e39", "expected a number that fits into 32 bits"),
                ("\"NaN\"", "expected a number"),
                ("null", "found null"),
            ],
            ..row("f32", "f32", json!({"type": "number"}))
        },
        Row {
            output: Some(float.clone()),
            same: &["0.1", "-0.0", "1.7976931348623157e+308", "5e-324"],
            other: &[
                ("9007199254740991", "9007199254740991.0"),
                ("9007199254740992", "\"9007199254740992\""),
                ("-1e20", "\"-100000000000000000000\""),
                ("1e21", "1e+21"),
            ],
            wrong: &[("\"1\"", "expected a number"), ("true", "found true")],
            ..row("f64", "f64", json!({"type": "number"}))
        },
        Row {
            same: &["\"a\"", "\"é\"", "\"😀\"", "\"\\u0000\""],
            wrong: &[
                ("\"\"", "expected a string of one character"),
                ("\"ab\"", "found the string \"ab\""),
                ("\"e\u{301}\"", "one character"),
            ],
            ..row(
                "char",
                "char",
                json!({"type": "string", "minLength": 1, "maxLength": 1}),
            )
        },
        Row {
            same: &["\"\"", "\"a\\\"b\\\\ \\n é😀\""],
            wrong: &[("1", "expected a string, found 1")],
            ..row("string", "string", json!({"type": "string"}))
        },
        Row {
            same: &["\"\"", "\"AA==\"", "\"aGVsbG8=\"", "\"+/8=\""],
            wrong: &[
                ("\"AA\"", "base64"),
                ("\"AB==\"", "base64"),
                ("\"-_8=\"", "base64"),
                ("\"A A=\"", "base64"),
                (
                    "[0]",
                    "expected bytes as a string in base64, found an array",
                ),
            ],
            ..row(
                "bytes",
                "list<u8>",
                json!({"type": "string", "contentEncoding": "base64"}),
            )
        },
        Row {
            same: &["[]", "[\"a\",\"b\"]"],
            wrong: &[
                ("[\"a\",1]", "expected a string, found 1, at `/x/1`"),
                ("{}", "expected an array, found an object"),
                ("\"a\"", "expected an array"),
            ],
            ..row(
                "strings",
                "list<string>",
                json!({"type": "array", "items": {"type": "string"}}),
            )
        },
        Row {
            same: &["[[1,\"a\"],[2,\"b\"]]"],
            wrong: &[
                ("[[1]]", "expected an array of 2 items, found fewer"),
                ("[[1,\"a\",1]]", "found more"),
                ("[[1,2]]", "at `/x/0/1`"),
            ],
            ..row(
                "pairs",
                "list<tuple<u8, string>>",
                json!({"type": "array", "items": pair}),
            )
        },
        Row {
            same: &["[1,\"a\"]"],
            ..row("pair", "tuple<u8, string>", pair)
        },
        Row {
            shown: Some("record { x: u8, name: string, note: option<string> }"),
            output: Some(point(json!(["x", "name", "note"]))),
            same: &[
                "{\"x\":1,\"name\":\"a\",\"note\":\"b\"}",
                "{\"x\":1,\"name\":\"a\",\"note\":null}",
            ],
            other: &[(
                "{\"name\":\"a\",\"x\":1}",
                "{\"x\":1,\"name\":\"a\",\"note\":null}",
            )],
            wrong: &[
                ("{\"x\":1}", "the field `name` is missing, at `/x`"),
                (
                    "{\"x\":1,\"name\":\"a\",\"y\":2}",
                    "there is no field \"y\"; there are: x, name, note",
                ),
                (
                    "{\"x\":1,\"name\":\"a\",\"x\":1}",
                    "the field `x` is given twice",
                ),
                (
                    "{\"x\":1,\"name\":null}",
                    "expected a string, found null, at `/x/name`",
                ),
                ("[1,\"a\"]", "expected an object, found an array"),
            ],
            ..row("record", "point", point(json!(["x", "name"])))
        },
        Row {
            shown: Some("variant { none, circle(f64), text(string) }"),
            output: Some(shape(float.clone())),
            same: &["\"none\"", "{\"circle\":1.5}", "{\"text\":\"a\"}"],
            wrong: &[
                (
                    "\"circle\"",
                    "the case `circle` holds a value: {\"circle\": …}",
                ),
                (
                    "{\"none\":null}",
                    "the case `none` holds no value: it is written \"none\"",
                ),
                (
                    "{\"circle\":1,\"text\":\"a\"}",
                    "expected an object of one field, found more",
                ),
                ("{}", "found an empty object"),
                (
                    "\"square\"",
                    "there is no case \"square\"; there are: none, circle, text",
                ),
                ("{\"square\":1}", "there is no case \"square\""),
                ("{\"text\":1}", "at `/x/text`"),
                ("1", "expected a case's name, or an object of one field"),
            ],
            ..row("variant", "shape", shape(json!({"type": "number"})))
        },
        Row {
            shown: Some("variant { a, b }"),
            same: &["\"a\"", "\"b\""],
            wrong: &[("{\"a\":null}", "holds no value")],
            ..row(
                "bare-variant",
                "bare",
                json!({"type": "string", "enum": ["a", "b"]}),
            )
        },
        Row {
            shown: Some("variant { n(u8), s(string) }"),
            same: &["{\"n\":1}", "{\"s\":\"x\"}"],
            wrong: &[("1", "expected an object of one field, named after a case")],
            ..row(
                "full-variant",
                "full",
                json!({"oneOf": [tagged("n", integer(0, 255)), tagged("s", json!({"type": "string"}))]}),
            )
        },
        Row {
            shown: Some("enum { red, dark-green }"),
            same: &["\"red\"", "\"dark-green\""],
            wrong: &[
                (
                    "\"dark_green\"",
                    "there is no case \"dark_green\"; there are: red, dark-green",
                ),
                ("0", "expected one of the cases"),
            ],
            ..row(
                "enumeration",
                "color",
                json!({"type": "string", "enum": ["red", "dark-green"]}),
            )
        },
        Row {
            shown: Some("flags { read, write, run-it }"),
            same: &["[]", "[\"read\",\"run-it\"]"],
            other: &[("[\"run-it\",\"read\"]", "[\"read\",\"run-it\"]")],
            wrong: &[
                ("[\"read\",\"read\"]", "the flag `read` is given twice"),
                ("[\"own\"]", "there is no flag \"own\""),
                ("[1]", "invalid type"),
                ("\"read\"", "expected an array of flags"),
            ],
            ..row(
                "flag-set",
                "access",
                json!({"type": "array", "items": {"type": "string", "enum": ["read", "write", "run-it"]}, "uniqueItems": true}),
            )
        },
        Row {
            same: &["null", "7"],
            wrong: &[(
                "\"7\"",
                "expected an integer from 0 to 255, found the string \"7\"",
            )],
            ..row("option", "option<u8>", option(integer(0, 255)))
        },
        Row {
            same: &["null", "{\"some\":null}", "{\"some\":7}"],
            wrong: &[
                ("7", "expected null or {\"some\": …}"),
                ("{\"none\":1}", "expected null or"),
                ("{\"some\":1,\"x\":1}", "of one field"),
            ],
            ..row(
                "options",
                "option<option<u8>>",
                option(tagged("some", option(integer(0, 255)))),
            )
        },
        Row {
            same: &["[{\"ok\":7}]", "[{\"error\":\"no\"}]"],
            wrong: &[
                ("[{\"err\":1}]", "expected {\"ok\": …} or {\"error\": …}"),
                ("[7]", "found 7"),
                ("[{\"ok\":1,\"error\":\"\"}]", "of one field"),
            ],
            ..row(
                "results",
                "list<result<u8, string>>",
                json!({"type": "array", "items": {"oneOf": [tagged("ok", integer(0, 255)), tagged("error", json!({"type": "string"}))]}}),
            )
        },
        Row {
            same: &["[{\"ok\":null}]", "[{\"error\":null}]"],
            wrong: &[("[{\"ok\":1}]", "expected null")],
            ..row(
                "bare-results",
                "list<result>",
                json!({"type": "array", "items": {"oneOf": [tagged("ok", json!({"type": "null"})), tagged("error", json!({"type": "null"}))]}}),
            )
        },
    ]
}

/// One function a row. What it takes is more than fits into registers, so it is handed the address of `(x, y, pad)`, which is that of a
/// `tuple<T, u64>` too: each function is the identity.
fn program() -> &'static Program {
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let (mut wit, mut core) = (String::new(), String::new());
        for row in rows() {
            let (name, ty) = (row.name, row.wit);
            let pad = ["u64"; 16].join(", ");
            // Words of WIT are written with a `%`.
            wit += &format!(
                "%{name}: func(x: {ty}, y: u64, pad: tuple<{pad}>) -> tuple<{ty}, u64>;\n"
            );
            core += &format!(
                "(func (export \"test:rows/api#{name}\") (param i32) (result i32) (local.get 0))\n"
            );
        }
        let wit = format!(
            "package test:rows; interface api {{ {NAMED} {wit} }} world guest {{ export api; }}"
        );
        load(&component(&wit, "", &core)).unwrap()
    })
}

fn through(row: &Row, x: &str) -> Result<String, String> {
    let pad = ["0"; 16].join(",");
    let input = format!("{{\"x\":{x},\"y\":1,\"pad\":[{pad}]}}");
    let run = call(program(), &format!("test:rows/api#{}", row.name), &input);
    match run.outcome {
        Outcome::Ok => {
            let output = String::from_utf8(run.output).unwrap();
            let output = output.strip_prefix('[').unwrap();
            Ok(output.strip_suffix(",1]").unwrap().to_owned())
        }
        Outcome::GuestError => Err(run.failure.unwrap().message),
        other => panic!("{other}: {:?}", run.failure),
    }
}

#[test]
fn each_type_has_its_schema() {
    let exports = program().exports();
    assert_eq!(exports.len(), rows().len());
    for (row, export) in rows().iter().zip(exports) {
        assert_eq!(
            export.name.to_string(),
            format!("test:rows/api#{}", row.name)
        );
        assert_eq!(
            export.input_schema["properties"]["x"], row.input,
            "{}",
            row.name
        );
        let output = &export.output_schema.as_ref().unwrap()["prefixItems"][0];
        assert_eq!(
            output,
            row.output.as_ref().unwrap_or(&row.input),
            "{}",
            row.name
        );
    }
}

#[test]
fn each_value_comes_back_as_it_went_in() {
    for row in rows() {
        for x in row.same {
            assert_eq!(through(&row, x).as_deref(), Ok(*x), "{}", row.name);
        }
        for (x, y) in row.other {
            assert_eq!(through(&row, x).as_deref(), Ok(*y), "{}", row.name);
        }
    }
}

#[test]
fn what_is_no_value_is_refused_with_its_place() {
    for row in rows() {
        for (x, says) in row.wrong {
            let message = through(&row, x).unwrap_err();
            assert!(
                message.starts_with("bad_arguments: ") && message.contains(says),
                "{}: {x}: {message}",
                row.name
            );
            assert!(message.contains("at `/x"), "{message}");
        }
    }
}

#[test]
fn the_table_in_the_documents_is_this_one() {
    let page = std::fs::read_to_string(repository().join("docs/components.md")).unwrap();
    let line = |row: &Row| {
        let wit = row.shown.unwrap_or(row.wit);
        let values: Vec<_> = row.same.iter().take(3).map(|v| format!("`{v}`")).collect();
        // A bar ends a cell, in code too.
        let schema = shown(&row.input).replace('|', "\\|");
        format!("| `{wit}` | `{schema}` | {} |", values.join(", "))
    };
    let missing: Vec<_> = rows()
        .iter()
        .map(line)
        .filter(|line| !page.contains(line))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/components.md should have:\n{}",
        missing.join("\n")
    );
}

/// A schema as a person writes it: its type first.
fn shown(schema: &Value) -> String {
    match schema {
        Value::Object(fields) => {
            let rank = |name: &str| {
                let order = [
                    "type",
                    "properties",
                    "required",
                    "prefixItems",
                    "items",
                    "minimum",
                ];
                order
                    .iter()
                    .position(|known| *known == name)
                    .unwrap_or(order.len())
            };
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| rank(name));
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| format!("\"{name}\": {}", shown(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(shown).collect::<Vec<_>>().join(", ")
        ),
        other => other.to_string(),
    }
}

#[test]
fn a_schema_with_many_regular_expressions_has_none() {
    let wit = |count: usize| {
        let fields: String = (0..count).map(|n| format!("field{n}: u64, ")).collect();
        format!(
            "package a:b; interface api {{ record r {{ {fields} pattern: string }} f: func(r: r); }} world guest {{ export api; }}"
        )
    };
    let core = r#"(func (export "a:b/api#f") (param i32))"#;
    let schema = |count| {
        load(&component(&wit(count), "", core)).unwrap().exports()[0]
            .input_schema
            .clone()
    };
    let fields = |schema: &Value| schema["properties"]["r"]["properties"].clone();
    assert!(fields(&schema(32))["field31"]["pattern"].is_string());
    let without = fields(&schema(33));
    assert!(without["field31"]["pattern"].is_null());
    assert_eq!(without["pattern"], json!({"type": "string"}));
}
