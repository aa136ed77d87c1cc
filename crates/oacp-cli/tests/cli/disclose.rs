use expect_test::expect;
use serde_json::Value;

use crate::session::Session;

fn with_run(name: &str) -> Session {
    let session = Session::with_runtimes(name);
    session.write(
        "agent.py",
        "def run(input):\n    print('one')\n    print('a secret')\n    print('three')\n    return input\n",
    );
    session.stdout(&["run", "agent.py", "-b", "run.json", "-q"]);
    session
}

#[test]
fn single_events_are_disclosed_and_verified() {
    let session = with_run("disclose");
    session.check(
        &["show", "run.json", "--disclose", "1", "3", "--out", "part.json"],
        expect![[r#"
            $ oacp show run.json --disclose 1 3 --out part.json
            wrote part.json ([size]): 2 events of the run, and of the others only that they are there; it can be verified, and not run again
        "#]],
    );
    let text = String::from_utf8(session.read("part.json")).unwrap();
    assert!(text.contains("three") && !text.contains("secret"), "{text}");
    session.check(&["show", "part.json"], expect![[r#"
        $ oacp show part.json
        [id]  ok  [time]
          agent      agent.py  sha256:e896de3adcb7c66132552440c3b1a5fa69170e05c6dc8dd3ac7b1e3f389e5a56
          input      sha256:74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b
          output     sha256:74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b
          principal  local uid [uid]
          sandbox    [id]  number 0
          isolation  STANDARD  level EXECUTION
          runtime    [runtime]  wasmtime 48.0.8
          rights     none
          used       [took] · [fuel] · [size] of memory · 0 tool calls
          again      re-executable, by whoever has the whole bundle: this copy withholds what it takes
          log        oacp.local/[key]  entry 1, its delegation at 0
                     checkpoint of 2 entries

        events
             0  withheld
             1  log info    one
             2  withheld
             3  log info    three

        private content: disclosed  oacp show --redact OUT leaves it out
    "#]]);
    session.check(&["verify", "part.json"], expect![[r#"
        $ oacp verify part.json
        [id]  agent e896de3adcb7 (agent.py)
        [time] · ok · STANDARD · EXECUTION

        PASS         signature valid  signed by a key that node `this machine` delegated to, which is this machine's own
        NOT CHECKED  execution proof  only disclosed events are in the bundle, and not the recording that a run is repeated from
        PASS         logged           at index 1 of `oacp.local/[key]`, by a checkpoint of 2 entries that the log signed and no witness cosigned
        NOT CHECKED  time validity    no witness's time is in the bundle; the timestamp is the node's own

        1. Who could have written or altered it?
           independently re-checkable: whoever holds the key of node `this machine` or the sandbox key that it delegated to; nobody else

        2. Was it captured while running, or assembled after?
           supplier assertion: the signer says while running; no log entry precedes it

        3. Is the subject named precisely enough to re-check?
           supplier assertion: by digests that were signed; some of the contents are withheld or were not recorded

        4. Would an omission be visible?
           no information: no: which events are withheld is visible, what they are is not, and a run that was left out as a whole is not visible

        5. What happened when recording or delivery failed?
           no information: without a log entry at the begin, a run whose statement was never delivered leaves no trace

        6. Can whoever checks it also forge it?
           supplier assertion: yes: this machine holds the node's key

        NOT CHECKED
          · that others were shown the same log: no witness cosigned it
          · whether later statements of the sandbox were left out
          · events 0 and 2, of 4: withheld
          · the input's content: withheld
          · the output's content: withheld
          · the agent's content: withheld
          · the nonce: the caller expected none
          · the choice of the seed and the clock
          · who asked: the principal is the node's claim
          · the isolation: the node's claim, without evidence
          · the wall time
          · whether other runs were begun and never stated
        warning: no trust file: only this machine's own node is trusted

        verified: signed for node `this machine`, logged, not run again: only disclosed events are in the bundle, and not the recording that a run is repeated from; 12 things not checked
    "#]]);
    session.check(
        &["show", "run.json", "--disclose", "0-1,3", "--out", "seed.json"],
        expect![[r#"
            $ oacp show run.json --disclose 0-1,3 --out seed.json
            wrote seed.json ([size]): 3 events of the run, and of the others only that they are there; it can be verified, and not run again
            ! note: event 0 holds the seed: who has it can compute what the agent drew at random
        "#]],
    );
    let shown: Value =
        serde_json::from_str(&session.stdout(&["show", "seed.json", "--json"])).unwrap();
    let disclosed: Vec<&String> = shown["disclosed"].as_object().unwrap().keys().collect();
    assert_eq!(disclosed, ["0", "1", "3"]);
    // Of what was disclosed, less can be.
    session.stdout(&["show", "seed.json", "--disclose", "3", "--out", "less.json"]);
    session.check(
        &["show", "part.json", "--disclose", "2", "--out", "more.json"],
        expect![[r#"
            $ oacp show part.json --disclose 2 --out more.json
            ! error: bundle holds no event 2
            !   hint: `oacp show --events` lists the events that the bundle has
            exit 3
        "#]],
    );
}

#[test]
fn what_cannot_be_disclosed_is_refused() {
    let session = with_run("disclose-refused");
    session.check(
        &["show", "run.json", "--disclose", "9", "--out", "x.json"],
        expect![[r#"
            $ oacp show run.json --disclose 9 --out x.json
            ! error: bundle holds no event 9
            !   hint: `oacp show --events` lists the events that the bundle has
            exit 3
        "#]],
    );
    session.check(
        &["show", "run.json", "--disclose", "3-1", "--out", "x.json"],
        expect![[r#"
            $ oacp show run.json --disclose 3-1 --out x.json
            ! error: invalid value '3-1' for '--disclose <EVENT>...': expected the number of an event, or a range as 3-7
            !
            ! For more information, try '--help'.
            exit 3
        "#]],
    );
    session.check(
        &["show", "run.json", "--disclose", "1"],
        expect![[r#"
        $ oacp show run.json --disclose 1
        ! error: the following required arguments were not provided:
        !   --out <FILE>
        !
        ! Usage: oacp show --disclose <EVENT>... --out <FILE> <BUNDLE>
        !
        ! For more information, try '--help'.
        exit 3
    "#]],
    );
    session.check(
        &["show", "run.json", "--disclose", "1", "--out", "run.json"],
        expect![[r#"
            $ oacp show run.json --disclose 1 --out run.json
            ! error: `run.json` is there already
            !   hint: name another file, or give --force to replace it
            exit 3
        "#]],
    );
}
