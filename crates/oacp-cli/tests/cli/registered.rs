//! Registered agents: checked, added, run by name, held to their schemas and checks, changed, accepted, removed.

use std::fs;

use expect_test::expect;

use crate::session::Session;

const MANIFEST: &str = "\
name: quote
version: '1.0'
description: Adds up a quote.
entry: agent.py
input_schema:
  type: object
  properties:
    items: {type: array, items: {type: number, minimum: 0}}
  required: [items]
output_schema: {path: output.json}
tools: [vat]
checks:
  - {name: total, file: checks.py, function: total}
  - {name: rounded, file: rounding.js, function: rounded}
";

const AGENT: &str = "\
import oacp

def run(input):
    if input['items'] == [13]:
        return {'total': 1}
    return {'total': oacp.tools.call('vat', net=sum(input['items']))}
";

const CHECKS: &str = "\
def total(input, output):
    if output['total'] < sum(input['items']):
        return f\"the total {output['total']} is less than the items\"
";

const ROUNDING: &str = "\
export async function rounded(input, output) {
  return Math.round(output.total * 100) / 100 === output.total;
}
";

const VAT: &str = "\
def vat(net: float) -> float:
    \"\"\"Net with tax.\"\"\"
    return round(net * 1.081, 2)
";

/// An agent in `quote/`, and its tool registered.
fn session(name: &str) -> Session {
    let session = Session::with_runtimes(name);
    session.write("vat.py", VAT);
    session.write("q/agent.yaml", MANIFEST);
    session.write("q/agent.py", AGENT);
    session.write("q/checks.py", CHECKS);
    session.write("q/rounding.js", ROUNDING);
    let schema =
        r#"{"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}"#;
    session.write("q/output.json", schema);
    session.stdout(&["tool", "add", "vat.py"]);
    session
}

fn run(items: &str) -> [&str; 6] {
    ["run", "quote", "--input", items, "--bundle", "run.json"]
}

#[test]
fn an_agent_is_registered_run_by_its_name_verified_and_run_again() {
    let session = session("registered");
    session.check(&["agent", "check", "q"], expect![[r#"
        $ oacp agent check q
        nothing is in its way
        ! ✓ schema     input, output
        ! ✓ rights     tool vat
        !   tools      vat  used at agent.py:6  asked for, granted
        ! ✓ checks     total, rounded
        ! ✓ code       python, sha256:18a9c23facce9a9809f6f35098485b13722874796f6d19e6b6caaabd42d98c43
    "#]]);
    session.check(&["agent", "add", "q"], expect![[r#"
        $ oacp agent add q
        ! ✓ schema     input, output
        ! ✓ rights     tool vat
        !   tools      vat  used at agent.py:6  asked for, granted
        ! ✓ checks     total, rounded
        ! ✓ code       python, sha256:18a9c23facce9a9809f6f35098485b13722874796f6d19e6b6caaabd42d98c43
        ! nothing was registered; say --yes to register it with these rights
        exit 1
    "#]]);
    session.check(&["agent", "add", "q", "--yes"], expect![[r#"
        $ oacp agent add q --yes
        quote  sha256:67c789d05714cdeb3c71c061a953383894eeb0442966b27c6a086bf81ab51e57
        ! ✓ schema     input, output
        ! ✓ rights     tool vat
        !   tools      vat  used at agent.py:6  asked for, granted
        ! ✓ checks     total, rounded
        ! ✓ code       python, sha256:18a9c23facce9a9809f6f35098485b13722874796f6d19e6b6caaabd42d98c43
        ! ✓ registered sha256:67c789d05714cdeb3c71c061a953383894eeb0442966b27c6a086bf81ab51e57
        ! next: oacp run quote --input JSON
    "#]]);
    session.check(
        &["agent", "list"],
        expect![[r#"
        $ oacp agent list
        quote  67c789d05714  Adds up a quote.
    "#]],
    );
    session.check(
        &["agent", "show", "quote"],
        expect![[r#"
        $ oacp agent show quote
        quote  sha256:67c789d05714cdeb3c71c061a953383894eeb0442966b27c6a086bf81ab51e57

        Adds up a quote.

        version 1.0
        takes   {
          "properties": {
            "items": {
              "items": {
                "minimum": 0,
                "type": "number"
              },
              "type": "array"
            }
          },
          "required": [
            "items"
          ],
          "type": "object"
        }
        gives   {
          "properties": {
            "total": {
              "type": "number"
            }
          },
          "required": [
            "total"
          ],
          "type": "object"
        }
        checks  total, rounded
        rights  tool vat
        code    sha256:18a9c23facce9a9809f6f35098485b13722874796f6d19e6b6caaabd42d98c43  python
        from    [dir]/q/agent.yaml
        added   [time]
    "#]],
    );
    session.check(
        &run(r#"{"items": [1, 2]}"#),
        expect![[r#"
        $ oacp run quote --input {"items": [1, 2]} --bundle run.json
        {"total":3.24}
        ! logged as entry 7 of oacp.local/[key] (8 entries)
        ! ok · [took] · [fuel] · 1 tool call · oacp verify ~/run.json
    "#]],
    );
    session.check(&["verify", "run.json"], expect![[r#"
        $ oacp verify run.json
        [id]  agent 18a9c23facce (agent.py)
        [time] · ok · STANDARD · EXECUTION

        PASS         signature valid  signed by a key that node `this machine` delegated to, which is this machine's own
        PASS         execution proof  run again from the recording: output, outcome, every event and the fuel were the same
        PASS         logged           at index 7 of `oacp.local/[key]`, by a checkpoint of 8 entries that the log signed and no witness cosigned
        NOT CHECKED  time validity    no witness's time is in the bundle; the timestamp is the node's own
        PASS         tool call        vat [id]: run again: its result follows
        NOT CHECKED  validation       code passed: the signer says so
        PASS         validation       input passed: judged again by the definition's schema: the same
        PASS         validation       output passed: judged again by the definition's schema: the same
        PASS         validation       check `total` passed: run again from the recording: output, outcome, every event and the fuel were the same
        PASS         validation       check `rounded` passed: run again from the recording: output, outcome, every event and the fuel were the same

        1. Who could have written or altered it?
           independently re-checkable: whoever holds the key of node `this machine` or the sandbox key that it delegated to; nobody else

        2. Was it captured while running, or assembled after?
           supplier assertion: the signer says while running; no log entry precedes it

        3. Is the subject named precisely enough to re-check?
           independently re-checkable: agent, input, output and events are in the bundle, and match the digests that were signed

        4. Would an omission be visible?
           supplier assertion: within this run: no event can be left out after signing. A run that was left out as a whole is not visible

        5. What happened when recording or delivery failed?
           no information: without a log entry at the begin, a run whose statement was never delivered leaves no trace

        6. Can whoever checks it also forge it?
           supplier assertion: yes: this machine holds the node's key

        NOT CHECKED
          · that others were shown the same log: no witness cosigned it
          · whether later statements of the sandbox were left out
          · the nonce: the caller expected none
          · the judgement of the agent's code before the run
          · the choice of the seed and the clock
          · who asked: the principal is the node's claim
          · the isolation: the node's claim, without evidence
          · the wall time
          · whether other runs were begun and never stated
        warning: no trust file: only this machine's own node is trusted

        verified: signed for node `this machine`, logged, run again with the same output; 9 things not checked
    "#]]);
    session.check(&["replay", "run.json"], expect![[r#"
        $ oacp replay run.json
        confirmed: output, outcome, every event and the fuel are the same
        PASS         tool call        vat [id]: run again: its result follows
        NOT CHECKED  validation       code passed: the signer says so
        PASS         validation       input passed: judged again by the definition's schema: the same
        PASS         validation       output passed: judged again by the definition's schema: the same
        PASS         validation       check `total` passed: run again from the recording: output, outcome, every event and the fuel were the same
        PASS         validation       check `rounded` passed: run again from the recording: output, outcome, every event and the fuel were the same
    "#]]);
    session.check(
        &["agent", "remove", "quote"],
        expect![[r#"
        $ oacp agent remove quote
        removed quote
    "#]],
    );
    session.check(
        &["run", "quote"],
        expect![[r#"
        $ oacp run quote
        ! error: cannot read the agent `quote`
        !   cause: No such file or directory (os error 2)
        exit 3
    "#]],
    );
}

#[test]
fn a_check_that_fails_is_the_outcome_and_is_confirmed_by_running_it_again() {
    let session = session("registered-failed");
    session.stdout(&["agent", "add", "q", "--yes"]);
    session.check(
        &run(r#"{"items": [13]}"#),
        expect![[r#"
        $ oacp run quote --input {"items": [13]} --bundle run.json
        ! check_failed: the check `total` failed: the total 1 is less than the items
        ! logged as entry 5 of oacp.local/[key] (6 entries)
        ! check_failed · [took] · [fuel] · oacp verify ~/run.json
        exit 1
    "#]],
    );
    session.check(&["replay", "run.json"], expect![[r#"
        $ oacp replay run.json
        confirmed: output, outcome, every event and the fuel are the same
        NOT CHECKED  validation       code passed: the signer says so
        PASS         validation       input passed: judged again by the definition's schema: the same
        PASS         validation       output passed: judged again by the definition's schema: the same
        PASS         validation       check `total` FAILED: run again from the recording: output, outcome, every event and the fuel were the same
        PASS         validation       check `rounded` passed: run again from the recording: output, outcome, every event and the fuel were the same
    "#]]);
    session.check(&["explain", "check_failed"], expect![[r#"
        $ oacp explain check_failed
        check_failed: the guest gave a result that its schema or a check does not accept.
        Whoever has the bundle can run it again and see the same end.
        The schema of its output, or a check of its definition, says no: `oacp verify RUN` lists them. The output is in the bundle.
    "#]]);
    fs::remove_file(session.path("run.json")).unwrap();
    session.check(
        &run(r#"{"items": [-1]}"#),
        expect![[r#"
            $ oacp run quote --input {"items": [-1]} --bundle run.json
            ! refused: agent `quote` does not take this input: `/items/0`: expected at least 0, found -1
            !   hint: nothing was run; `oacp agent show NAME` says what it takes, `oacp agent check NAME` what is in its way
            ! logged as entry 9 of oacp.local/[key] (10 entries)
            ! refused · [took] · oacp verify ~/run.json
            exit 1
        "#]],
    );
    session.check(
        &["replay", "run.json"],
        expect![[r#"
        $ oacp replay run.json
        unverifiable: nothing was run
        NOT CHECKED  validation       code passed: the signer says so
        NOT CHECKED  validation       input FAILED: the signer says so
        exit 2
    "#]],
    );
}

#[test]
fn a_changed_agent_is_refused_until_somebody_accepts_the_difference() {
    let session = session("registered-changed");
    session.stdout(&["agent", "add", "q", "--yes"]);
    session.write("q/agent.yaml", MANIFEST.replace("minimum: 0", "minimum: 1"));
    session.check(
        &run(r#"{"items": [1]}"#),
        expect![[r#"
        $ oacp run quote --input {"items": [1]} --bundle run.json
        ! error: agent `quote` is not what was registered: its directory has changed
        !   hint: `oacp agent accept quote` shows the difference; with --yes it is accepted
        exit 3
    "#]],
    );
    session.check(&["agent", "check", "quote"], expect![[r#"
        $ oacp agent check quote
        it would not be run
        ! ✓ schema     input, output
        ! ✓ rights     tool vat
        !   tools      vat  used at agent.py:6  asked for, granted
        ! ✓ checks     total, rounded
        ! ✓ code       python, sha256:18a9c23facce9a9809f6f35098485b13722874796f6d19e6b6caaabd42d98c43
        !   note: it is not what is registered; `oacp agent accept quote` shows the difference
        exit 1
    "#]]);
    session.check(&["agent", "accept", "quote"], expect![[r#"
        $ oacp agent accept quote
        - takes /properties/items/items/minimum: 0
        + takes /properties/items/items/minimum: 1
        ! ✓ schema     input, output
        ! ✓ rights     tool vat
        !   tools      vat  used at agent.py:6  asked for, granted
        ! ✓ checks     total, rounded
        ! ✓ code       python, sha256:18a9c23facce9a9809f6f35098485b13722874796f6d19e6b6caaabd42d98c43
        ! nothing was accepted; say --yes to accept it
        exit 1
    "#]]);
    session.check(&["agent", "accept", "quote", "--yes"], expect![[r#"
        $ oacp agent accept quote --yes
        - takes /properties/items/items/minimum: 0
        + takes /properties/items/items/minimum: 1
        ! ✓ schema     input, output
        ! ✓ rights     tool vat
        !   tools      vat  used at agent.py:6  asked for, granted
        ! ✓ checks     total, rounded
        ! ✓ code       python, sha256:18a9c23facce9a9809f6f35098485b13722874796f6d19e6b6caaabd42d98c43
        ! ✓ accepted   sha256:a9eb68777ac890c93457a11c8faa6ec1858e4fea8b2c5f41b2a85738331f0d42
    "#]]);
    session.stdout(&run(r#"{"items": [1]}"#));
    fs::remove_file(session.path("run.json")).unwrap();

    // Another tool behind the same name is another agent.
    session.write("vat.py", VAT.replace("1.081", "1.2"));
    session.stdout(&["tool", "accept", "vat", "--yes"]);
    session.check(&run(r#"{"items": [1]}"#), expect![[r#"
        $ oacp run quote --input {"items": [1]} --bundle run.json
        ! refused: the code of agent `quote` is not accepted: its tool `vat` is not the one that it was registered with
        !   hint: nothing was run; `oacp agent show NAME` says what it takes, `oacp agent check NAME` what is in its way
        ! logged as entry 13 of oacp.local/[key] (14 entries)
        ! refused · [took] · oacp verify ~/run.json
        exit 1
    "#]]);
    session.stdout(&["agent", "accept", "quote", "--yes"]);
    fs::remove_file(session.path("run.json")).unwrap();
    session.stdout(&run(r#"{"items": [1]}"#));
}

#[test]
fn what_is_wrong_with_a_manifest_is_said_with_its_place() {
    let session = session("registered-wrong");
    for (from, to) in [
        ("entry: agent.py", "entri: agent.py"),
        ("name: quote", "name: a quote"),
        ("tools: [vat]", "tools: [tax]"),
        ("type: object", "type: objet"),
        ("path: output.json", "path: ../vat.py"),
        ("file: checks.py", "file: check.py"),
        ("function: total", "function: sum_of"),
        ("name: rounded", "name: total"),
        ("tools: [vat]", "tools: [vat]\nlimits: {result_bytes: 1}"),
        ("tools: [vat]", "tools: [vat]\ncapabilities: {tools: [vat]}"),
        (
            "tools: [vat]",
            "tools: [vat]\ncapabilities: {network: ['https://x']}",
        ),
    ] {
        let wrong = MANIFEST.replacen(from, to, 1);
        assert_ne!(wrong, MANIFEST, "{from}");
        session.write("q/agent.yaml", wrong);
        let output = session.oacp(&["agent", "add", "q", "--yes"]);
        assert_eq!(output.status.code(), Some(3), "{to}");
    }
    session.write(
        "q/agent.yaml",
        MANIFEST.replace("entry: agent.py", "entri: agent.py"),
    );
    session.check(&["agent", "add", "q"], expect![[r#"
        $ oacp agent add q
        ! error: q/agent.yaml:4:1: unknown key `entri`; did you mean `entry`?
        !   hint: known here: `name`, `version`, `entry`, `description`, `input_schema`, `output_schema`, `tools`, `capabilities`, `limits`, `level`, `checks`
        exit 3
    "#]]);
    session.write(
        "q/agent.yaml",
        MANIFEST.replace("function: total", "function: sum_of"),
    );
    session.check(
        &["agent", "add", "q"],
        expect![[r#"
            $ oacp agent add q
            ! error: q/agent.yaml:13:46: `checks.py` has no function `sum_of`
            !   hint: a check is a function of a run's input and output
            exit 3
        "#]],
    );
    session.write(
        "q/agent.yaml",
        MANIFEST.replace("tools: [vat]", "tools: [tax, vat]"),
    );
    session.check(
        &["agent", "add", "q"],
        expect![[r#"
            $ oacp agent add q
            ! error: q/agent.yaml:11:9: no tool `tax` is registered
            !   hint: `oacp tool add FILE` registers one, `oacp tool list` shows those that are
            exit 3
        "#]],
    );
    assert!(session.stdout(&["agent", "list"]).is_empty());
}

#[test]
fn what_its_source_shows_is_told_and_what_cannot_work_is_refused() {
    let session = session("registered-needs");
    let manifest = MANIFEST.replace("tools: [vat]", "capabilities: {network: [api.example.com]}");
    session.write("q/agent.yaml", manifest);
    session.write(
        "q/agent.py",
        format!("import tkinter, os\nHOME = os.environ['HOME']\n{AGENT}"),
    );
    session.check(
        &["agent", "check", "q"],
        expect![[r#"
            $ oacp agent check q
            it would not be run
            ! ✓ schema     input, output
            ! ✓ rights     network api.example.com:443
            !   env        HOME                 used at agent.py:2   not asked for, not granted
            !   tools      vat                  used at agent.py:8   not asked for, not granted
            !   network    api.example.com:443  not seen to be used  asked for, granted
            ! ✓ checks     total, rounded
            ! refused: `tkinter` cannot work (agent.py:1): return data: there is no screen
            ! refused: it calls the tool `vat`, which it does not have (agent.py:8)
            exit 1
        "#]],
    );
    session.check(
        &["agent", "add", "q", "--yes"],
        expect![[r#"
            $ oacp agent add q --yes
            ! ✓ schema     input, output
            ! ✓ rights     network api.example.com:443
            !   env        HOME                 used at agent.py:2   not asked for, not granted
            !   tools      vat                  used at agent.py:8   not asked for, not granted
            !   network    api.example.com:443  not seen to be used  asked for, granted
            ! ✓ checks     total, rounded
            ! refused: `tkinter` cannot work (agent.py:1): return data: there is no screen
            ! refused: it calls the tool `vat`, which it does not have (agent.py:8)
            ! error: it would never be run, so it is not registered, for 2 reasons
            exit 3
        "#]],
    );
    session.check(&["agent", "check", "q", "--json"], expect![[r#"
        $ oacp agent check q --json
        {"accepted":false,"changed":false,"digest":"sha256:15e7d17f8724908f720ac9152583148481415a8168b14883dd6f776d4c7fdd6e","name":"quote","objections":["`tkinter` cannot work (agent.py:1): return data: there is no screen","it calls the tool `vat`, which it does not have (agent.py:8)"],"permissions":{"cannot_work":[{"more":0,"places":[{"file":"agent.py","line":1}],"what":"tkinter","works":{"no":{"instead":"return data: there is no screen"}}}],"rows":[{"asked":"no","capability":"env","granted":"no","what":"HOME","why":"agent.py:2"},{"asked":"no","capability":"tools","granted":"no","what":"vat","why":"agent.py:8"},{"asked":"yes","capability":"network","granted":"yes","what":"api.example.com:443","why":null}]}}
        ! ✓ schema     input, output
        ! ✓ rights     network api.example.com:443
        !   env        HOME                 used at agent.py:2   not asked for, not granted
        !   tools      vat                  used at agent.py:8   not asked for, not granted
        !   network    api.example.com:443  not seen to be used  asked for, granted
        ! ✓ checks     total, rounded
        ! refused: `tkinter` cannot work (agent.py:1): return data: there is no screen
        ! refused: it calls the tool `vat`, which it does not have (agent.py:8)
        exit 1
    "#]]);
}

#[test]
fn a_registered_name_is_no_file_and_takes_nothing_that_would_make_it_another() {
    let session = session("registered-name");
    session.stdout(&["agent", "add", "q", "--yes"]);
    session.check(
        &["run", "quote", "--entry", "other.py"],
        expect![[r#"
        $ oacp run quote --entry other.py
        ! error: --entry is not for a registered agent, as `quote` is
        !   hint: change ~/q/agent.yaml, then `oacp agent accept quote`
        exit 3
    "#]],
    );
    session.check(
        &["run", "quote", "--ask"],
        expect![[r#"
        $ oacp run quote --ask
        ! error: --ask is not for a registered agent, as `quote` is
        !   hint: change ~/q/agent.yaml, then `oacp agent accept quote`
        exit 3
    "#]],
    );
    session.write("quote/agent.py", "print(1)\n");
    session.check(
        &["run", "quote"],
        expect![[r#"
        $ oacp run quote
        ! error: `quote` is a registered agent, and a file of this directory
        !   hint: ./quote means the file; for the agent, be in another directory
        exit 3
    "#]],
    );
    session.stdout(&["run", "./quote"]);
    session.check(&["agent", "add", "q", "--yes"], expect![[r#"
        $ oacp agent add q --yes
        ! ✓ schema     input, output
        ! ✓ rights     tool vat
        !   tools      vat  used at agent.py:6  asked for, granted
        ! ✓ checks     total, rounded
        ! ✓ code       python, sha256:18a9c23facce9a9809f6f35098485b13722874796f6d19e6b6caaabd42d98c43
        ! error: an agent `quote` is registered already
        !   hint: `oacp agent accept quote` takes what has changed, `oacp agent remove quote` makes room
        exit 3
    "#]]);
    session.check(
        &["agent", "show", "quotes"],
        expect![[r#"
        $ oacp agent show quotes
        ! error: no agent `quotes` is registered
        !   hint: `oacp agent list` shows those that are; `oacp agent add PATH` registers one
        exit 3
    "#]],
    );
}
