use expect_test::expect;
use serde_json::{Value, json};

use crate::session::Session;

const FAILING: &str = "def run(input):\n    month(input)\n\ndef month(n):\n    if n > 12:\n        raise ValueError('no such month')\n";

#[test]
fn a_python_agent_gives_its_result_alone_on_standard_output() {
    let session = Session::with_runtimes("python");
    session.write(
        "agent.py",
        "def run(input):\n    print('adding')\n    return sum(input)\n",
    );
    session.check(
        &["run", "agent.py", "--input", "[1, 2, 39]"],
        expect![[r#"
            $ oacp run agent.py --input [1, 2, 39]
            42
            !    info | adding
            ! logged as entry 1 of oacp.local/[key] (2 entries)
            ! ok · [took] · [fuel] · oacp verify ~/oacp/runs/[id].json
        "#]],
    );
    session.check(
        &["run", "agent.py", "--input", "[1, 2, 39]", "--quiet"],
        expect![[r#"
        $ oacp run agent.py --input [1, 2, 39] --quiet
        42
        !    info | adding
    "#]],
    );
}

#[test]
fn a_javascript_agent_gives_its_result_alone_on_standard_output() {
    let session = Session::with_runtimes("javascript");
    session.write(
        "agent.js",
        "export async function run(input) { console.warn('odd'); return { twice: input * 2 }; }",
    );
    session.check(
        &["run", "agent.js", "--input", "21"],
        expect![[r#"
            $ oacp run agent.js --input 21
            {"twice":42}
            ! warning | odd
            ! logged as entry 1 of oacp.local/[key] (2 entries)
            ! ok · [took] · [fuel] · oacp verify ~/oacp/runs/[id].json
        "#]],
    );
}

#[test]
fn a_failure_names_message_trace_and_place() {
    let session = Session::with_runtimes("failure");
    session.write("agent.py", FAILING);
    session.check(
        &["run", "agent.py", "--input", "13"],
        expect![[r#"
            $ oacp run agent.py --input 13
            ! guest_error: ValueError: no such month
            !   at agent.py:6
            !     Traceback (most recent call last):
            !       File "agent.py", line 2, in run
            !         month(input)
            !         ~~~~~^^^^^^^
            !       File "agent.py", line 6, in month
            !         raise ValueError('no such month')
            ! logged as entry 1 of oacp.local/[key] (2 entries)
            ! guest_error · [took] · [fuel] · oacp verify ~/oacp/runs/[id].json
            exit 1
        "#]],
    );
}

#[test]
fn json_is_one_object_in_success_and_failure() {
    let session = Session::with_runtimes("run-json");
    session.write("agent.py", FAILING);
    let output = session.oacp(&["run", "agent.py", "--input", "13", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys: Vec<&str> = answer
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "bundle",
            "denials",
            "error",
            "events",
            "execution_id",
            "logged",
            "outcome",
            "result",
            "tool_calls",
            "usage",
            "writes"
        ]
    );
    assert_eq!(answer["outcome"], "guest_error");
    assert_eq!(
        answer["error"]["location"],
        json!({ "file": "agent.py", "line": 6 })
    );

    session.write("agent.py", "def run(input):\n    return 10**30\n");
    let answer = session.stdout(&["run", "agent.py", "--json"]);
    assert!(
        answer.contains(r#""result":1000000000000000000000000000000,"#),
        "numbers keep their spelling: {answer}"
    );
}

#[test]
fn a_log_line_cannot_move_the_cursor() {
    let session = Session::with_runtimes("escapes");
    session.write(
        "agent.py",
        "def run(input):\n    print('a\\x1b[2Jb\\u202ec')\n    return '\\x9b'\n",
    );
    session.check(
        &["run", "agent.py"],
        expect![[r#"
            $ oacp run agent.py
            "\u009b"
            !    info | a\u{1b}[2Jb\u{202e}c
            ! logged as entry 1 of oacp.local/[key] (2 entries)
            ! ok · [took] · [fuel] · oacp verify ~/oacp/runs/[id].json
        "#]],
    );
}

#[test]
fn limits_end_a_run_and_say_how_to_raise_them() {
    let session = Session::with_runtimes("limits");
    session.write("loop.py", "def run(input):\n    while True: pass\n");
    session.check(
        &["run", "loop.py", "--fuel", "50000000"],
        expect![[r#"
            $ oacp run loop.py --fuel 50000000
            ! out_of_fuel: the limit of 50000000 fuel is spent
            !   hint: allow more with --fuel N; 1,000,000 are a millisecond
            ! logged as entry 1 of oacp.local/[key] (2 entries)
            ! out_of_fuel · [took] · [fuel] · oacp verify ~/oacp/runs/[id].json
            exit 1
        "#]],
    );
    session.check(
        &["run", "loop.py", "--timeout", "100"],
        expect![[r#"
            $ oacp run loop.py --timeout 100
            ! timed_out: the limit of [took] is spent
            !   hint: allow more with --timeout MS, and for computing with --fuel N
            ! logged as entry 4 of oacp.local/[key] (5 entries)
            ! timed_out · [took] · [fuel] · oacp verify ~/oacp/runs/[id].json
            exit 1
        "#]],
    );
    session.write(
        "big.py",
        "def run(input):\n    return len(bytes(1 << 30))\n",
    );
    session.check(
        &["run", "big.py", "--memory-mb", "64"],
        expect![[r#"
            $ oacp run big.py --memory-mb 64
            ! out_of_memory: MemoryError
            !   at big.py:2
            !     Traceback (most recent call last):
            !       File "big.py", line 2, in run
            !         return len(bytes(1 << 30))
            !                    ~~~~~^^^^^^^^^
            !   hint: allow more with --memory-mb N
            ! logged as entry 7 of oacp.local/[key] (8 entries)
            ! out_of_memory · [took] · [fuel] · oacp verify ~/oacp/runs/[id].json
            exit 1
        "#]],
    );
    session.check(
        &["run", "loop.py", "--level", "full", "--registry", "none"],
        expect![[r#"
            $ oacp run loop.py --level full --registry none
            ! error: level FULL cannot be given here: no transparency log is configured
            !   hint: let it be logged: leave --registry none out; or give --level execution, or --level basic
            exit 2
        "#]],
    );
}

#[test]
fn the_input_is_json_a_file_or_standard_input() {
    let session = Session::with_runtimes("input");
    session.write("agent.py", "def run(input):\n    return input\n");
    session.write("in.json", "{\"a\": [1,\n 2]}\n");
    session.check(
        &["run", "agent.py", "-q"],
        expect![[r#"
        $ oacp run agent.py -q
        null
    "#]],
    );
    session.check(
        &["run", "agent.py", "-q", "--input", "@in.json"],
        expect![[r#"
        $ oacp run agent.py -q --input @in.json
        {"a":[1,2]}
    "#]],
    );
    session.check_with_input(
        &["run", "agent.py", "-q", "--input", "-"],
        b"\"piped\"",
        expect![[r#"
        $ oacp run agent.py -q --input -
        "piped"
    "#]],
    );
    session.check(
        &["run", "agent.py", "--input", "{name: Ada}"],
        expect![[r#"
            $ oacp run agent.py --input {name: Ada}
            ! error: the input is refused
            !   cause: not JSON at line 1, column 2
            !   hint: quote it for the shell: --input '{"name": "Ada"}', or --input '"text"'
            exit 3
        "#]],
    );
    session.check(
        &["run", "agent.py", "--input", "{\"a\": 1, \"a\": 2}"],
        expect![[r#"
            $ oacp run agent.py --input {"a": 1, "a": 2}
            ! error: the input is refused
            !   cause: key `a` twice in one object at line 1, column 10
            exit 3
        "#]],
    );
    session.check(
        &["run", "agent.py", "--input", "@missing.json"],
        expect![[r#"
        $ oacp run agent.py --input @missing.json
        ! error: cannot read `missing.json`
        !   cause: No such file or directory (os error 2)
        exit 3
    "#]],
    );
    let huge = vec![b' '; (16 << 20) + 1];
    session.check_with_input(
        &["run", "agent.py", "--input", "-"],
        &huge,
        expect![[r#"
        $ oacp run agent.py --input -
        ! error: cannot read standard input
        !   cause: it has more than 16777216 bytes
        exit 3
    "#]],
    );
}

#[test]
fn a_bundle_is_not_written_over() {
    let session = Session::with_runtimes("overwrite");
    session.write("agent.py", "def run(input):\n    return 1\n");
    session.check(
        &["run", "agent.py", "-q", "--bundle", "run.json"],
        expect![[r#"
        $ oacp run agent.py -q --bundle run.json
        1
    "#]],
    );
    let before = session.read("run.json");
    session.check(
        &["run", "agent.py", "-q", "--bundle", "run.json"],
        expect![[r#"
        $ oacp run agent.py -q --bundle run.json
        ! error: `run.json` is there already
        !   hint: name another file, or give --force to replace it
        exit 3
    "#]],
    );
    assert_eq!(session.read("run.json"), before);
    session.check(
        &["run", "agent.py", "-q", "--bundle", "run.json", "--force"],
        expect![[r#"
        $ oacp run agent.py -q --bundle run.json --force
        1
    "#]],
    );
    assert_ne!(session.read("run.json"), before);
    session.check(
        &["run", "agent.py", "-q", "--bundle", "nowhere/run.json"],
        expect![[r#"
            $ oacp run agent.py -q --bundle nowhere/run.json
            ! error: cannot write the bundle `[dir]/nowhere/run.json`
            !   cause: No such file or directory (os error 2)
            !   hint: the run has taken place; its bundle is in ~/oacp/runs/[id].json
            exit 2
        "#]],
    );
    let left: Vec<_> = std::fs::read_dir(session.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().ends_with(".tmp")),
        "{left:?}"
    );
}

#[test]
fn one_seed_gives_one_result() {
    let session = Session::with_runtimes("seed");
    session.write(
        "agent.py",
        "import random\ndef run(input):\n    return random.random()\n",
    );
    let seed = "00".repeat(32);
    let result = || session.stdout(&["run", "agent.py", "-q", "--seed", &seed]);
    assert_eq!(result(), result());
}

#[test]
fn a_named_sandbox_counts_its_runs() {
    let session = Session::with_runtimes("named");
    session.write("agent.py", "def run(input):\n    return 1\n");
    for (number, bundle) in ["0.json", "1.json"].into_iter().enumerate() {
        session.stdout(&["run", "agent.py", "--sandbox", "first", "--bundle", bundle]);
        let shown: Value =
            serde_json::from_str(&session.stdout(&["show", bundle, "--json"])).unwrap();
        // The statement that closes the sandbox's key has a number too.
        assert_eq!(shown["statement"]["sequence"], 2 * number);
    }
    session.check(&["run", "agent.py", "--sandbox", "No Name"], expect![[r#"
        $ oacp run agent.py --sandbox No Name
        ! error: invalid value 'No Name' for '--sandbox <NAME>': not a sandbox name: expected 1 to 63 of the characters `a-z 0-9 _ -`, the first a letter or digit
        !
        ! For more information, try '--help'.
        exit 3
    "#]]);
}

#[cfg(unix)]
#[test]
fn an_interrupt_cancels_and_is_attested() {
    let session = Session::with_runtimes("interrupt");
    session.write(
        "agent.py",
        "def run(input):\n    print('looping')\n    while True: pass\n",
    );
    let arguments = ["run", "agent.py", "--bundle", "run.json"];
    let mut child = session.command(&arguments).spawn().unwrap();
    // The first line of its log says that it runs.
    let mut line = String::new();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
    assert!(line.contains("looping"), "{line}");
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut rest).unwrap();
    assert!(rest.contains("cancelled: the run was cancelled"), "{rest}");
    session.check(
        &["replay", "run.json"],
        expect![[r#"
        $ oacp replay run.json
        unverifiable: a run that ends as cancelled depends on the machine
        exit 2
    "#]],
    );
}
