//! What a Python file says of itself, and how far it is believed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use oacp::Source;
use oacp_tool::limits::REMARKS_MAX;
use oacp_tool::package::{Described, PackageName, definitions};
use oacp_tool::python::{answer, question};
use serde_json::{Value, json};

fn files() -> Source {
    let files = [
        (
            "weather.py",
            "def forecast(city: str) -> str:\n    'Says it.'\n",
        ),
        ("lib/money.py", ""),
    ];
    let files = files.map(|(path, text)| (path.parse().unwrap(), text.as_bytes().to_vec()));
    Source::new(files, "weather.py".parse().unwrap()).unwrap()
}

fn tool(name: &str) -> Value {
    json!({
        "name": name,
        "description": "Says it.",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
        "output_schema": null,
        "stub": format!("import weather\ndef run(a): return weather.{name}(**a)\n"),
    })
}

fn report(tools: Vec<Value>) -> Value {
    json!({"tools": tools, "errors": [], "warnings": []})
}

fn answered(report: &Value) -> Result<Described, String> {
    answer(&files(), &serde_json::to_vec(report).unwrap()).map_err(|error| error.to_string())
}

#[test]
fn the_question_is_the_files_and_a_describer() {
    let (source, input) = question(&files()).unwrap();
    let paths: Vec<_> = source.files().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["lib/money.py", "oacp_describe.py", "weather.py"]);
    assert_eq!(source.entry().as_str(), "oacp_describe.py");
    assert_eq!(input, r#"{"entry":"weather.py"}"#);
    let taken = Source::single("oacp_describe.py".parse().unwrap(), vec![]).unwrap();
    assert!(question(&taken).is_err());
}

#[test]
fn an_answer_becomes_offers_with_their_stubs() {
    let described = answered(&json!({
        "tools": [tool("forecast"), tool("alerts")],
        "errors": [],
        "warnings": [{"line": 3, "function": "alerts", "message": "no return type", "fix": "`-> str`"}],
    }))
    .unwrap();
    let functions: Vec<_> = described
        .offers
        .iter()
        .map(|offer| offer.function.as_str())
        .collect();
    assert_eq!(functions, ["alerts", "forecast"]);
    assert_eq!(described.offers[1].entry.as_str(), "oacp_tool_forecast.py");
    let paths: Vec<_> = described
        .source
        .files()
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "lib/money.py",
            "oacp_tool_alerts.py",
            "oacp_tool_forecast.py",
            "weather.py"
        ]
    );
    assert_eq!(
        described.warnings[0].to_string(),
        "weather.py:3: `alerts`: no return type"
    );

    let package: PackageName = "weather".parse().unwrap();
    let list = definitions(&package, &described).unwrap();
    let names: Vec<_> = list
        .iter()
        .map(|definition| definition.name.as_str())
        .collect();
    assert_eq!(names, ["weather.alerts", "weather.forecast"]);
    assert_ne!(
        list[0].code.sha256(),
        list[1].code.sha256(),
        "they start at different stubs"
    );
    let one = answered(&report(vec![tool("forecast")])).unwrap();
    assert_eq!(
        definitions(&package, &one).unwrap()[0].name.as_str(),
        "weather"
    );
}

#[test]
fn what_the_file_has_wrong_is_told_in_full() {
    let error = answer(
        &files(),
        &serde_json::to_vec(&json!({
            "tools": [],
            "errors": [
                {"line": 1, "function": "a", "message": "no docstring", "fix": "write one"},
                {"line": 9, "function": null, "message": "\u{1b}[2J".repeat(1000), "fix": null},
            ],
            "warnings": [],
        }))
        .unwrap(),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "weather.py:1: `a`: no docstring (and 1 more)"
    );
    assert_eq!(error.remarks[0].fix.as_deref(), Some("write one"));
    assert!(error.remarks[1].message.len() < 1100 && !error.remarks[1].message.contains('\u{1b}'));
}

#[test]
fn a_file_that_answers_for_the_describer_is_not_believed_beyond_its_shape() {
    let with = |key: &str, value: Value| {
        let mut tool = tool("forecast");
        tool[key] = value;
        report(vec![tool])
    };
    let mut unknown = report(vec![tool("forecast")]);
    unknown["more"] = json!(1);
    for (report, expected) in [
        (json!(null), "not one of the describer's"),
        (json!({}), "not one of the describer's"),
        (unknown, "not one of the describer's"),
        (with("more", json!(1)), "not one of the describer's"),
        (with("stub", json!(null)), "not one of the describer's"),
        (report(vec![]), "it offers 0 tools"),
        (
            report((0..129).map(|n| tool(&format!("f{n}"))).collect()),
            "it offers 129 tools",
        ),
        (
            report(vec![tool("forecast"), tool("forecast")]),
            "it is offered twice",
        ),
        (with("name", json!("")), "cannot be a tool's name"),
        (with("name", json!("../x")), "cannot be a tool's name"),
        (with("name", json!("a/../../b")), "cannot be a tool's name"),
        (with("name", json!("a.b")), "cannot be a tool's name"),
        (with("name", json!("1a")), "cannot be a tool's name"),
        (with("name", json!("é")), "cannot be a tool's name"),
        (
            with("name", json!("x".repeat(129))),
            "cannot be a tool's name",
        ),
        (
            with("input_schema", json!(null)),
            "a tool's arguments are an object",
        ),
        (
            with("input_schema", json!({"type": "string"})),
            "a tool's arguments are an object",
        ),
        (
            with(
                "input_schema",
                json!({"type": "object", "$ref": "https://x.example/"}),
            ),
            "nothing is fetched",
        ),
        (
            with("output_schema", json!({"pattern": "(?=a)"})),
            "linear time",
        ),
        (with("stub", json!("x".repeat(9 << 20))), "too large"),
    ] {
        let found = answered(&report).unwrap_err();
        assert!(found.contains(expected), "{expected}: {found}");
    }
    for text in [
        "",
        "{",
        r#"{"tools":[],"tools":[],"errors":[],"warnings":[]}"#,
        "\u{1b}[2J",
    ] {
        let found = answer(&files(), text.as_bytes()).unwrap_err().to_string();
        assert!(
            found.contains("not one of the describer's") && !found.contains('\u{1b}'),
            "{found}"
        );
    }
    assert!(answer(&files(), &vec![b' '; 17 << 20]).is_err());
    // A stub would take the place of a file.
    let taken = [("weather.py", ""), ("oacp_tool_forecast.py", "evil()")]
        .map(|(path, text)| (path.parse().unwrap(), text.as_bytes().to_vec()));
    let taken = Source::new(taken, "weather.py".parse().unwrap()).unwrap();
    let found = answer(
        &taken,
        &serde_json::to_vec(&report(vec![tool("forecast")])).unwrap(),
    );
    assert!(found.unwrap_err().to_string().contains("is there already"));
    // A file that interferes says as many errors as it likes.
    let errors: Vec<_> = (0..1000)
        .map(|_| json!({"line": 1, "function": null, "message": "x", "fix": null}))
        .collect();
    let many = json!({"tools": [], "errors": errors, "warnings": []});
    let found = answer(&files(), &serde_json::to_vec(&many).unwrap()).unwrap_err();
    assert_eq!(found.remarks.len(), REMARKS_MAX);
}
