//! Writing a tool: from nothing to one that is checked, and called by itself.

use std::fs;
use std::io::{BufRead, BufReader};

use expect_test::expect;
use serde_json::Value;

use crate::session::Session;

const WEATHER: &str = "\
def forecast(city: str, days: int = 1) -> list[int]:
    \"\"\"The forecast for a town.\"\"\"
    if city == 'Atlantis':
        raise ValueError('no such town')
    return [len(city) + day for day in range(days)]
";

#[test]
fn one_call_of_a_tool_is_judged_attested_and_run_again_as_an_agents_is() {
    let session = Session::with_runtimes("author-call");
    session.write("weather.py", WEATHER);
    session.oacp(&["tool", "add", "weather.py"]);
    let call = |arguments| {
        [
            "tool",
            "call",
            "forecast",
            "--args",
            arguments,
            "--out",
            "call.json",
            "--force",
        ]
    };
    session.check(
        &call(r#"{"city": "Bern", "days": 2}"#),
        expect![[r#"
        $ oacp tool call forecast --args {"city": "Bern", "days": 2} --out call.json --force
        [4,5]
        ! logged as entry 4 of oacp.local/[key] (5 entries)
        ! ok · [took] · [fuel] · 1 tool call · oacp verify ~/call.json
    "#]],
    );
    let report = session.stdout(&["verify", "call.json"]);
    assert!(report.contains("PASS         tool call"), "{report}");
    session.check(
        &["replay", "call.json"],
        expect![[r#"
        $ oacp replay call.json
        confirmed: output, outcome, every event and the fuel are the same
        PASS         tool call        forecast [id]: run again: its result follows
    "#]],
    );
    session.check(&call(r#"{"town": "Bern"}"#), expect![[r#"
        $ oacp tool call forecast --args {"town": "Bern"} --out call.json --force
        ! guest_error: oacp.ToolError: tool `forecast` does not take these arguments: `/town`: expected no property of this name, found "Bern"; leave it out; expected a property `city`, found none of that name; add `city`
        ! logged as entry 8 of oacp.local/[key] (9 entries)
        ! guest_error · [took] · [fuel] · 1 tool call · oacp verify ~/call.json
        exit 1
    "#]]);
    session.check(
        &call(r#"{"city": "Atlantis"}"#),
        expect![[r#"
        $ oacp tool call forecast --args {"city": "Atlantis"} --out call.json --force
        ! guest_error: oacp.ToolError: ValueError: no such town
        ! logged as entry 13 of oacp.local/[key] (14 entries)
        ! guest_error · [took] · [fuel] · 1 tool call · oacp verify ~/call.json
        exit 1
    "#]],
    );
    session.check(
        &call("[1]"),
        expect![[r#"
        $ oacp tool call forecast --args [1] --out call.json --force
        ! error: the arguments are refused: they are no JSON object
        !   hint: name them: --args '{"name": "Ada"}'
        exit 3
    "#]],
    );
    session.check(
        &["tool", "call", "forecasts"],
        expect![[r#"
        $ oacp tool call forecasts
        ! error: no tool `forecasts` is registered
        !   hint: `oacp tool list` shows those that are; `oacp tool add FILE` registers one
        exit 3
    "#]],
    );
    session.check_with_input(
        &["tool", "call", "forecast", "--args", "-", "--quiet"],
        br#"{"city": "Bern"}"#,
        expect![[r#"
            $ oacp tool call forecast --args - --quiet
            [4]
        "#]],
    );
    session.write("weather.py", WEATHER.replace("no such", "not a"));
    let refused = session.oacp(&call(r#"{"city": "Bern"}"#));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("is not what was registered"), "{said}");
    assert_eq!(refused.status.code(), Some(1));
}

#[test]
fn what_the_configuration_grants_is_not_granted_to_a_call_of_a_tool() {
    let session = Session::with_runtimes("author-call-config");
    session.write("secret.txt", "for agents of the project");
    session.write(
        "reader.py",
        "def read() -> str:\n    \"\"\"Reads.\"\"\"\n    return open('secret.txt').read()\n",
    );
    session.write(
        "oacp.yaml",
        "sandbox:\n  capabilities:\n    file_read: [\"secret.txt\"]\n",
    );
    session.oacp(&["policy", "accept", "--yes"]);
    session.oacp(&["tool", "add", "reader.py"]);
    session.check(&["tool", "call", "read"], expect![[r#"
        $ oacp tool call read
        ! guest_error: oacp.ToolError: PermissionError: file_read `[dir]/secret.txt` is not granted (default deny); to allow it: --allow-read [dir]/secret.txt on the command line, or file_read: ["[dir]/secret.txt"] under sandbox.capabilities in oacp.yaml (as a right of the tool `read`, not of its caller)
        ! logged as entry 4 of oacp.local/[key] (5 entries)
        ! guest_error · [took] · [fuel] · 1 tool call · oacp verify ~/oacp/runs/[id].json
        exit 1
    "#]]);
}

#[test]
fn what_a_tool_says_is_shown_with_the_tools_that_it_came_through() {
    let session = Session::with_runtimes("author-log");
    session.write(
        "inner.py",
        "def inner() -> int:\n    \"\"\"Inner.\"\"\"\n    print('half way')\n    return 1\n",
    );
    session.write("outer.py", "import oacp\ndef outer() -> int:\n    \"\"\"Outer.\"\"\"\n    print('begun')\n    return oacp.tools.call('inner')\n");
    session.oacp(&["tool", "add", "inner.py"]);
    session.oacp(&["tool", "add", "outer.py", "--allow-tool", "inner"]);
    session.check(
        &["tool", "call", "outer"],
        expect![[r#"
        $ oacp tool call outer
        1
        !    info | outer › begun
        !    info | outer › inner › half way
        ! logged as entry 7 of oacp.local/[key] (8 entries)
        ! ok · [took] · [fuel] · 1 tool call · oacp verify ~/oacp/runs/[id].json
    "#]],
    );
}

#[test]
fn a_new_tool_passes_its_examples_and_its_check() {
    let session = Session::with_runtimes("author-new");
    session.check(
        &["tool", "new", "mean", "--lang", "python"],
        expect![[r#"
            $ oacp tool new mean --lang python
            wrote mean/README.md, mean/tool.py, mean/tool.yaml, mean/tool.test.json

            next: oacp tool test mean
        "#]],
    );
    session.check(
        &["tool", "test", "mean"],
        expect![[r#"
            $ oacp tool test mean
            ✓ mean {"numbers":[1,2,6]}
            ✓ mean {"numbers":[]}
            ✓ mean {"numbers":["one"]}
            ! 3 examples passed
        "#]],
    );
    session.check(
        &["tool", "check", "mean"],
        expect![[r#"
            $ oacp tool check mean
            ✓ schema    mean
            ✓ rights    none is needed, as far as the code tells
            ✓ size      [size]
            ✓ time      [took] cold, [took] warm
            ✓ examples  3 examples passed
            ✓ replays   20 of 20 confirmed
        "#]],
    );
    session.write(
        "mean/tool.yaml",
        "name: mean\ncapabilities:\n  env: [TOWN]\n",
    );
    session.check(
        &["tool", "check", "mean"],
        expect![[r#"
        $ oacp tool check mean
        ✓ schema    mean
        ✓ rights    1 right used, asked for or granted
          env        TOWN  not seen to be used  asked for, not granted
        ✓ size      [size]
        ✓ time      [took] cold, [took] warm
        ✓ examples  3 examples passed
        ✓ replays   20 of 20 confirmed
        ! note: its tool.yaml asks for env TOWN; --yes grants it
    "#]],
    );
    session.check(
        &["tool", "check", "mean", "--yes"],
        expect![[r#"
        $ oacp tool check mean --yes
        ✓ schema    mean
        ✓ rights    1 right used, asked for or granted
          env        TOWN  not seen to be used  asked for, granted
        ✓ size      [size]
        ✓ time      [took] cold, [took] warm
        ✓ examples  3 examples passed
        ✓ replays   20 of 20 confirmed
    "#]],
    );
    for lang in ["js", "ts"] {
        assert!(
            session
                .oacp(&["tool", "new", lang, "--lang", lang])
                .status
                .success()
        );
        for command in ["test", "check"] {
            let output = session.oacp(&["tool", command, lang]);
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stdout)
            );
        }
    }
    session.check(
        &["tool", "new", "mean"],
        expect![[r#"
            $ oacp tool new mean
            ! error: `mean` is there already
            !   hint: choose another name: nothing is written over
            exit 3
        "#]],
    );
    for name in ["mean-of", "1st", "_mean"] {
        assert_eq!(
            session.oacp(&["tool", "new", name]).status.code(),
            Some(3),
            "{name}"
        );
    }
    session.check(
        &["tool", "new", "import"],
        expect![[r#"
            $ oacp tool new import
            ! error: `import` cannot be a function's name
            !   hint: letters, digits and `_`, a letter first, and no word of Python or JavaScript
            exit 3
        "#]],
    );
    for lang in ["c", "rust"] {
        session.check(&["tool", "new", &format!("in_{lang}"), "--lang", lang], match lang {
            "c" => expect![[r#"
                $ oacp tool new in_c --lang c
                wrote in_c/README.md, in_c/Makefile, in_c/tool.c, in_c/tool.yaml, in_c/tool.test.json, in_c/wit/agent.wit, in_c/wit/tool.wit

                next: in_c/README.md says what has to be installed; then make
            "#]],
            _ => expect![[r#"
                $ oacp tool new in_rust --lang rust
                wrote in_rust/README.md, in_rust/Makefile, in_rust/Cargo.toml, in_rust/src/lib.rs, in_rust/tool.yaml, in_rust/tool.test.json, in_rust/wit/agent.wit, in_rust/wit/tool.wit

                next: in_rust/README.md says what has to be installed; then make
            "#]],
        });
    }
    assert_eq!(
        session.read("in_c/wit/tool.wit"),
        fs::read("../../wit/tool.wit").unwrap()
    );
}

#[test]
fn an_example_that_does_not_come_out_fails_and_one_that_is_none_is_refused() {
    let session = Session::with_runtimes("author-test");
    session.write("weather.py", WEATHER);
    session.check(
        &["tool", "test", "weather.py"],
        expect![[r#"
        $ oacp tool test weather.py
        ! error: there is no example in `weather.test.json`
        !   hint: write one: [{"arguments": {…}, "result": …}]
        exit 3
    "#]],
    );
    session.write(
        "weather.test.json",
        r#"[
            {"arguments": {"city": "Bern"}, "result": [4.0]},
            {"tool": "forecast", "arguments": {"city": "Bern"}, "result": [5]},
            {"arguments": {"city": "Bern"}},
            {"arguments": {"city": "Bern"}, "error": "anything"},
            {"arguments": {"city": "Atlantis"}, "error": "no such town"},
            {"arguments": {"city": "Atlantis"}, "error": "other words"},
            {"arguments": {"city": "Atlantis"}},
            {"arguments": {"city": 1}, "error": "/city"}
        ]"#,
    );
    session.check(
        &["tool", "test", "weather.py"],
        expect![[r#"
        $ oacp tool test weather.py
        ✓ forecast {"city":"Bern"}
        ✗ forecast {"city":"Bern"}
            expected [5], got [4]
        ✓ forecast {"city":"Bern"}
        ✗ forecast {"city":"Bern"}
            expected an error with `anything`, got [4]
        ✓ forecast {"city":"Atlantis"}
        ✗ forecast {"city":"Atlantis"}
            expected an error with `other words`, got: ValueError: no such town (weather.py:4)
        ✗ forecast {"city":"Atlantis"}
            ValueError: no such town (weather.py:4)
        ✓ forecast {"city":1}
        ! 4 of 8 examples failed
        exit 1
    "#]],
    );
    session.oacp(&["tool", "add", "weather.py"]);
    let of_the_registered: Value =
        serde_json::from_slice(&session.oacp(&["tool", "test", "forecast", "--json"]).stdout)
            .unwrap();
    assert_eq!(of_the_registered["failed"], 4);
    for (examples, expected) in [
        (
            r#"[{"tool": "rain", "arguments": {}}]"#,
            expect![[r#"
            $ oacp tool test weather.py
            ! error: example 1 of `weather.test.json` calls `rain`; there is `forecast`
            !   hint: an example is {"tool": …, "arguments": {…}}, and "result": … or "error": "part of it"
            exit 3
        "#]],
        ),
        (
            r#"[{"arguments": {}, "result": 1, "error": "both"}]"#,
            expect![[r#"
            $ oacp tool test weather.py
            ! error: example 1 of `weather.test.json` expects a result and an error
            !   hint: an example is {"tool": …, "arguments": {…}}, and "result": … or "error": "part of it"
            exit 3
        "#]],
        ),
        (
            r#"[{"argument": {}}]"#,
            expect![[r#"
            $ oacp tool test weather.py
            ! error: `weather.test.json` is no list of examples
            !   cause: unknown field `argument`, expected one of `tool`, `arguments`, `result`, `error` at line 1, column 12
            exit 3
        "#]],
        ),
    ] {
        session.write("weather.test.json", examples);
        session.check(&["tool", "test", "weather.py"], expected);
    }
    session.check(
        &["tool", "test", "nothing"],
        expect![[r#"
        $ oacp tool test nothing
        ! error: `nothing` is neither a file, nor a directory, nor a registered tool
        !   hint: `oacp tool list` shows the registered ones
        exit 3
    "#]],
    );
}

#[test]
fn a_check_says_what_is_wrong_and_what_results_depend_on() {
    let session = Session::with_runtimes("author-check");
    session.write("bare.py", "def one(a) -> int:\n    return a\n");
    session.check(
        &["tool", "check", "bare.py"],
        expect![[r#"
        $ oacp tool check bare.py
        ✗ problem   bare.py:1: `one`: function has no docstring: agents choose tools by it
            def one(…):
                """What it does, in a sentence."""
            A function that is no tool has a name that begins with `_`.
        ✗ problem   bare.py:1: `one`: parameter `a`: no type
            `a: str`, or what it is
        exit 1
    "#]],
    );
    session.write(
        "odd.py",
        "import os, random, time\n\ndef pick(n: int) -> float:\n    \"\"\"Picks.\"\"\"\n    return random.random() * n\n\ndef spawn() -> str:\n    \"\"\"Spawns.\"\"\"\n    return str(os.fork())\n\ndef now() -> float:\n    \"\"\"Tells the time.\"\"\"\n    return time.time()\n\ndef read() -> str:\n    \"\"\"Reads and writes.\"\"\"\n    with open('count.txt') as f: text = f.read()\n    with open('count.txt', 'w') as f: f.write(text + '.')\n    return 'done'\n",
    );
    session.write("count.txt", "");
    session.write(
        "odd.test.json",
        r#"[{"tool": "pick", "arguments": {"n": 0}, "result": 0}, {"tool": "pick", "arguments": {"n": 1}}, {"tool": "now"}, {"tool": "read"}]"#,
    );
    session.check(
        &[
            "tool",
            "check",
            "odd.py",
            "--allow-read",
            "count.txt",
            "--allow-write",
            "count.txt",
        ],
        expect![[r#"
            $ oacp tool check odd.py --allow-read count.txt --allow-write count.txt
            ✗ problem   os.fork cannot work (odd.py:9)
                use a tool: there are no processes
            ✓ schema    odd.now, odd.pick, odd.read, odd.spawn
            ✓ rights    2 rights used, asked for or granted
              file_read  [dir]/count.txt  used at odd.py:17  granted
              file_write [dir]/count.txt  used at odd.py:18  granted
            ✓ size      [size]
            ✓ time      [took] cold, [took] warm
            ✓ examples  4 examples passed
            ✓ replays   40 of 40 confirmed
              depends on randomness: odd.pick {"n":1}
              depends on the clock: odd.now {}
              differs from run to run, at event 2: odd.read {}
                {"found":"file","kind":"file_status","path":"[dir]/count.txt","size":0}
                {"found":"file","kind":"file_status","path":"[dir]/count.txt","size":1}
            exit 1
        "#]],
    );
    session.check(
        &["tool", "check", "nothing.py"],
        expect![[r#"
        $ oacp tool check nothing.py
        ! error: `nothing.py` is neither a file, nor a directory, nor a registered tool
        !   hint: `oacp tool list` shows the registered ones
        exit 3
    "#]],
    );
    assert_eq!(
        session.stdout(&["tool", "list"]),
        "",
        "nothing is registered"
    );
}

#[test]
fn a_check_of_a_component_tells_its_imports() {
    let session = Session::with_runtimes("author-check-component");
    let words = fs::read("../../examples/components/word-count/word-count.wasm").unwrap();
    session.write("words.wasm", words);
    session.write(
        "words.test.json",
        r#"[{"arguments": {"stdin": "one two\n"}, "result": {"stdout": "1 2 8\n", "stderr": "", "status": 0}}]"#,
    );
    session.check(
        &["tool", "check", "words.wasm"],
        expect![[r#"
            $ oacp tool check words.wasm
            ✓ schema    run
            ✓ rights    3 rights used, asked for or granted
              env        environment variables  used at import of `wasi:cli/environment@0.2.12`  not granted
              file_read  files                  used at import of `wasi:filesystem/preopens@0.2.12`  not granted
              file_write files                  used at import of `wasi:filesystem/preopens@0.2.12`  not granted
            ✓ size      [size]
            ✓ time      [took] cold, [took] warm
            ✓ examples  1 example passed
            ✓ replays   10 of 10 confirmed
        "#]],
    );
    let store = wat::parse_str(
        r#"(component (import "wasi:keyvalue/store@0.2.0" (instance (export "open" (func)))))"#,
    );
    session.write("store.wasm", store.unwrap());
    session.check(&["tool", "check", "store.wasm"], expect![[r#"
        $ oacp tool check store.wasm
        ✗ problem   the component imports `wasi:keyvalue/store@0.2.0`, which OACP does not have: keep what has to stay in a file of a granted directory (wasi:filesystem)
        exit 1
    "#]]);
}

#[test]
fn a_tool_that_is_worked_on_is_tried_again_at_each_change() {
    let session = Session::with_runtimes("author-dev");
    session.write("weather.py", WEATHER);
    session.write(
        "weather.test.json",
        r#"[{"arguments": {"city": "Bern"}, "result": [4]}]"#,
    );
    let mut child = session
        .command(&["tool", "dev", "weather.py"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut round = || -> Vec<String> {
        lines
            .by_ref()
            .map(Result::unwrap)
            .take_while(|line| !line.starts_with("waiting"))
            .collect()
    };
    assert_eq!(
        round(),
        [
            "✓ schema    forecast",
            "✓ forecast {\"city\":\"Bern\"}",
            "1 example passed"
        ]
    );
    // Whole at once: it is looked at at any moment.
    let change = |file: &str, text: &str| {
        fs::rename(session.write("new", text), session.path(file)).unwrap()
    };
    change("weather.py", &WEATHER.replace("len(city)", "len(city) + 1"));
    assert_eq!(
        round(),
        [
            "✓ schema    forecast",
            "✗ forecast {\"city\":\"Bern\"}",
            "    expected [4], got [5]",
            "1 of 1 example failed"
        ]
    );
    change("weather.py", "def forecast(city: str");
    assert_eq!(round(), [""; 0]);
    change("weather.test.json", r#"[{"arguments": {"city": "Bern"}}]"#);
    assert_eq!(round(), [""; 0]);
    change("weather.py", WEATHER);
    assert_eq!(round().last().unwrap(), "1 example passed");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_work_on_a_tool_in_the_middle_of_a_call() {
    let session = Session::with_runtimes("author-dev-interrupt");
    let text = "def idle() -> str:\n    \"\"\"Never comes back.\"\"\"\n    print('looping')\n    while True: pass\n";
    session.write("idle.py", text);
    session.write("idle.test.json", r#"[{"arguments": {}}]"#);
    let mut child = session
        .command(&["tool", "dev", "idle.py"])
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("looping")));
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(lines.contains("the run was cancelled"), "{lines}");
}
