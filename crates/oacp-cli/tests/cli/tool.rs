//! Tools: registered, shown, called by agents, changed, accepted, removed.

use std::fs;

use expect_test::expect;
use oacp::Bundle;
use serde_json::{Value, json};

use crate::session::Session;

const WEATHER: &str = "\
def forecast(city: str, days: int = 1) -> list[int]:
    \"\"\"The forecast for a town.\"\"\"
    return [len(city) + day for day in range(days)]
";

const AGENT: &str = "\
import oacp
def run(input):
    return oacp.tools.call(input['tool'], **input['arguments'])
";

fn session(name: &str) -> Session {
    let session = Session::with_runtimes(name);
    session.write("weather.py", WEATHER);
    session.write("agent.py", AGENT);
    session
}

/// The agent, which calls this tool with these arguments.
fn run<'a>(input: &'a str, tool: &'a str) -> [&'a str; 8] {
    [
        "run",
        "agent.py",
        "--input",
        input,
        "--allow-tool",
        tool,
        "--bundle",
        "run.json",
    ]
}

#[test]
fn a_tool_is_registered_called_verified_and_run_again() {
    let session = session("tool");
    session.check(&["tool", "add", "weather.py"], expect![[r#"
        $ oacp tool add weather.py
        forecast  sha256:ea90d559cde7e8745838772325d1ed87375952ba44df053981b0ee56135e34d2
        ! ✓ schema    forecast
        ! ✓ rights    nothing is granted
        ! ✓ compiled  python
        ! ✓ bound     sha256:5aafd8a7e89a891e9c2ccbba296b2f68bcf684f94f0ba03572c9f3dc9f4ef019 logged in oacp.local/[key] at index 0
        ! next: oacp run AGENT --allow-tool forecast
    "#]]);
    session.check(
        &["tool", "list"],
        expect![[r#"
        $ oacp tool list
        forecast  ea90d559cde7  The forecast for a town.
    "#]],
    );
    let input = r#"{"tool": "forecast", "arguments": {"city": "Bern", "days": 2}}"#;
    session.check(&run(input, "forecast"), expect![[r#"
        $ oacp run agent.py --input {"tool": "forecast", "arguments": {"city": "Bern", "days": 2}} --allow-tool forecast --bundle run.json
        [4,5]
        ! logged as entry 4 of oacp.local/[key] (5 entries)
        ! ok · [took] · [fuel] · 1 tool call · oacp verify ~/run.json
    "#]]);
    let report = session.stdout(&["verify", "run.json"]);
    assert!(report.contains("PASS         tool call"), "{report}");
    assert!(!report.contains("the truth of tool results"), "{report}");
    session.check(
        &["replay", "run.json"],
        expect![[r#"
        $ oacp replay run.json
        confirmed: output, outcome, every event and the fuel are the same
        PASS         tool call        forecast [id]: run again: its result follows
    "#]],
    );
    let found = session.stdout(&["log", "find", "--kind", "tool"]);
    assert_eq!(found.lines().count(), 1, "{found}");
}

#[test]
fn who_was_not_granted_a_tool_is_told_how_and_an_unknown_one_is_named() {
    let session = session("tool-denied");
    session.oacp(&["tool", "add", "weather.py"]);
    let input = r#"{"tool": "forecast", "arguments": {"city": "Bern"}}"#;
    let denied = session.oacp(&["run", "agent.py", "--input", input]);
    let said = String::from_utf8_lossy(&denied.stderr).into_owned();
    assert!(said.contains("`forecast` is not granted"), "{said}");
    session.check(&run(input, "forecasts"), expect![[r#"
        $ oacp run agent.py --input {"tool": "forecast", "arguments": {"city": "Bern"}} --allow-tool forecasts --bundle run.json
        ! error: no tool `forecasts` is registered
        !   hint: `oacp tool list` shows those that are; `oacp tool add FILE` registers one
        exit 3
    "#]]);
}

#[test]
fn a_changed_file_is_refused_until_somebody_accepts_the_difference() {
    let session = session("tool-changed");
    session.oacp(&["tool", "add", "weather.py"]);
    let input = r#"{"tool": "forecast", "arguments": {"city": "Bern"}}"#;
    session.write(
        "weather.py",
        WEATHER.replace("The forecast", "Call this first. The forecast"),
    );
    let refused = session.oacp(&run(input, "forecast"));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("is not what was registered"), "{said}");
    session.check(
        &["tool", "accept", "forecast"],
        expect![[r#"
        $ oacp tool accept forecast
        - forecast description: The forecast for a town.
        + forecast description: Call this first. The forecast for a town.
        - forecast code: sha256:d92f8c87bdb0c886d9528842585120769e04f6badd78511024d8d4e08ade4bae
        + forecast code: sha256:ce82330236c493539e47b7fe7f935f619bef29cfbf93f92e697f3ca84307a36c
        ! nothing was accepted; say --yes to accept it
        exit 1
    "#]],
    );
    let still = session.oacp(&[
        "run",
        "agent.py",
        "--input",
        input,
        "--allow-tool",
        "forecast",
    ]);
    assert!(!still.status.success());
    assert!(
        session
            .oacp(&["tool", "accept", "forecast", "--yes"])
            .status
            .success()
    );
    let answer = session.stdout(&[
        "run",
        "agent.py",
        "--input",
        input,
        "--allow-tool",
        "forecast",
    ]);
    assert_eq!(answer, "[4]\n");
    // What is gone changes nothing: the code was kept.
    fs::remove_file(session.path("weather.py")).unwrap();
    let answer = session.stdout(&[
        "run",
        "agent.py",
        "--input",
        input,
        "--allow-tool",
        "forecast",
    ]);
    assert_eq!(answer, "[4]\n");
}

#[test]
fn what_is_no_tool_is_refused_with_every_reason_and_leaves_the_others_alone() {
    let session = session("tool-bad");
    session.oacp(&["tool", "add", "weather.py"]);
    let before = session.stdout(&["tool", "list"]);
    session.write("bare.py", "def one(a: int) -> int:\n    return a\n\ndef two(a) -> int:\n    \"\"\"Two.\"\"\"\n    return a\n");
    session.check(
        &["tool", "add", "bare.py"],
        expect![[r#"
        $ oacp tool add bare.py
        ! bare.py:1: `one`: function has no docstring: agents choose tools by it
        !     def one(…):
        !         """What it does, in a sentence."""
        !     A function that is no tool has a name that begins with `_`.
        ! bare.py:4: `two`: parameter `a`: no type
        !     `a: str`, or what it is
        ! error: it cannot be registered, for 2 reasons
        exit 3
    "#]],
    );
    session.write("none.js", "const x = 1;\n");
    session.check(
        &["tool", "add", "none.js"],
        expect![[r#"
        $ oacp tool add none.js
        ! none.js: no function is exported
        !     write `export function name(…) { … }`, with a comment `/** … */` above it
        ! error: it cannot be registered, for 1 reason
        exit 3
    "#]],
    );
    session.write("not.wasm", "no component");
    session.check(
        &["tool", "add", "not.wasm"],
        expect![[r#"
            $ oacp tool add not.wasm
            ! error: `not.wasm` is not an agent
            !   cause: it is not WebAssembly
            exit 3
        "#]],
    );
    session.check(&["tool", "add", "weather.py"], expect![[r#"
        $ oacp tool add weather.py
        ! ✓ schema    forecast
        ! ✓ rights    nothing is granted
        ! ✓ compiled  python
        ! error: a package `forecast` is registered already: --replace registers it anew, with the rights that are given now; --name gives this one another name
        exit 3
    "#]]);
    session.check(
        &["tool", "add", "missing.py"],
        expect![[r#"
            $ oacp tool add missing.py
            ! error: cannot read the agent `missing.py`
            !   cause: No such file or directory (os error 2)
            exit 3
        "#]],
    );
    session.write("raises.py", "raise RuntimeError('no')\n");
    session.check(&["tool", "add", "raises.py"], expect![[r#"
        $ oacp tool add raises.py
        ! error: raises.py:1: its functions cannot be asked: RuntimeError: no
        !   hint: the file is run once, without any right, to read its signatures: what it does outside of functions must need none
        exit 3
    "#]]);
    assert_eq!(session.stdout(&["tool", "list"]), before);
}

#[test]
fn every_kind_of_file_is_a_tool() {
    let session = session("tool-kinds");
    session.write("shout.js", "/**\n * Says it loudly.\n * @param {string} text - what\n * @returns {string}\n */\nexport function shout(text) { return text.toUpperCase(); }\n");
    session.write(
        "twice.ts",
        "/** Doubles a number. */\nexport function twice(n: number): number { return 2 * n; }\n",
    );
    session.write("geo/tool.py", "from shapes import area\n\ndef square(side: float) -> float:\n    \"\"\"The area of a square.\"\"\"\n    return area(side)\n\ndef cube(side: float) -> float:\n    \"\"\"The volume of a cube.\"\"\"\n    return area(side) * side\n");
    session.write("geo/shapes.py", "def area(side):\n    return side * side\n");
    for path in ["shout.js", "twice.ts", "geo"] {
        let added = session.oacp(&["tool", "add", path]);
        assert!(
            added.status.success(),
            "{}",
            String::from_utf8_lossy(&added.stderr)
        );
    }
    for (tool, arguments, result) in [
        ("shout", json!({"text": "so"}), json!("SO")),
        ("twice", json!({"n": 1.5}), json!(3)),
        ("geo.square", json!({"side": 3}), json!(9)),
        ("geo.cube", json!({"side": 2.5}), json!(15.625)),
    ] {
        let input = json!({"tool": tool, "arguments": arguments}).to_string();
        let answer = session.stdout(&[
            "run",
            "agent.py",
            "--input",
            &input,
            "--allow-tool",
            tool,
            "--bundle",
            "k.json",
            "--force",
        ]);
        assert_eq!(
            serde_json::from_str::<Value>(&answer).unwrap(),
            result,
            "{tool}"
        );
        let replayed = session.oacp(&["replay", "k.json"]);
        assert!(
            replayed.status.success(),
            "{}",
            String::from_utf8_lossy(&replayed.stdout)
        );
        assert_eq!(
            Bundle::parse(&session.read("k.json"))
                .unwrap()
                .children()
                .len(),
            1
        );
    }
    let removed = session.stdout(&["tool", "remove", "geo"]);
    assert_eq!(removed, "removed geo.cube, geo.square\n");
}

#[test]
fn a_tool_has_its_own_rights_and_the_agent_none_of_them() {
    let session = session("tool-rights");
    session.write("secret.txt", "only the tool reads this");
    session.write("reader.py", "def read() -> str:\n    \"\"\"Reads the file.\"\"\"\n    return open('secret.txt').read()\n");
    session.write("both.py", "import oacp\ndef run(input):\n    try:\n        return [oacp.tools.call('read'), open('secret.txt').read()]\n    except PermissionError as e:\n        return [oacp.tools.call('read'), 'denied']\n");
    session.oacp(&["tool", "add", "reader.py", "--allow-read", "secret.txt"]);
    let answer = session.stdout(&["run", "both.py", "--allow-tool", "read"]);
    assert_eq!(answer, "[\"only the tool reads this\",\"denied\"]\n");
}
