use expect_test::expect;

use crate::session::{Server, Session};

fn with_agent(name: &str) -> Session {
    let session = Session::with_runtimes(name);
    session.write(
        "agent.py",
        "def run(input):\n    return {'answer': input}\n",
    );
    session
}

/// A witness of the session's log, with a home of its own.
fn witness(name: &str, session: &Session) -> Server {
    let home = Session::new(name);
    home.write("log.policy", session.stdout(&["log", "policy"]));
    home.server(&[
        "witness",
        "serve",
        "--policy",
        "log.policy",
        "--name",
        &format!("w.example/{name}"),
    ])
}

fn key(server: &Server) -> &str {
    server.said("keys")[0].as_str().unwrap()
}

#[test]
fn witnesses_cosign_what_a_run_is_logged_under() {
    let session = with_agent("witness");
    let (one, two) = (
        witness("witness-one", &session),
        witness("witness-two", &session),
    );
    session.check(
        &["witness", "add", "one", key(&one), one.url()],
        expect![[r#"
        $ oacp witness add one w.example/witness-one+[vkey] http://127.0.0.1:[port]
        1 of 1 have to cosign: one
        ! who trusts this log needs its policy again: oacp log policy, oacp key export
    "#]],
    );
    session.check(
        &[
            "witness",
            "add",
            "two",
            key(&two),
            two.url(),
            "--quorum",
            "all",
        ],
        expect![[r#"
        $ oacp witness add two w.example/witness-two+[vkey] http://127.0.0.1:[port] --quorum all
        2 of 2 have to cosign: one, two
        ! who trusts this log needs its policy again: oacp log policy, oacp key export
    "#]],
    );
    session.check(
        &["log", "policy"],
        expect![[r#"
        $ oacp log policy
        log oacp.local/[key]+[vkey]
        witness one w.example/witness-one+[vkey] http://127.0.0.1:[port]
        witness two w.example/witness-two+[vkey] http://127.0.0.1:[port]
        group witnesses all one two
        quorum witnesses
    "#]],
    );
    session.check(
        &["run", "agent.py", "--level", "full", "-b", "run.json"],
        expect![[r#"
            $ oacp run agent.py --level full -b run.json
            {"answer":null}
            ! logged as entry 2 of oacp.local/[key] (3 entries, cosigned by 2 of 2)
            ! ok · [took] · [fuel] · oacp verify ~/run.json
        "#]],
    );
    session.check(&["verify", "run.json"], expect![[r#"
        $ oacp verify run.json
        [id]  agent 74819aeaaae8 (agent.py)
        [time] · ok · STANDARD · FULL

        PASS         signature valid  signed by a key that node `this machine` delegated to, which is this machine's own
        PASS         execution proof  run again from the recording: output, outcome, every event and the fuel were the same
        PASS         logged           at index 2 of `oacp.local/[key]`, by a checkpoint of 3 entries that the log signed and 2 witnesses cosigned: `one`, `two`
        PASS         time validity    signed at [time] by the node's clock; witnesses had seen it in the log by [time], [took] later, and no bound is required

        1. Who could have written or altered it?
           independently re-checkable: whoever holds the key of node `this machine` or the sandbox key that it delegated to; nobody else

        2. Was it captured while running, or assembled after?
           independently re-checkable: agent, input, rights and seed were settled at index 1 of the log, by a checkpoint that witnesses cosigned, before the statement came into it at 2; whether the same was run before that, nothing shows

        3. Is the subject named precisely enough to re-check?
           independently re-checkable: agent, input, output and events are in the bundle, and match the digests that were signed

        4. Would an omission be visible?
           independently re-checkable: within this run: no event can be left out after signing. A run that was begun in the log and left out is visible there; one that was not begun there is not

        5. What happened when recording or delivery failed?
           supplier assertion: this run was begun in the log, at index 1: without its statement, it would stand there as begun and not ended

        6. Can whoever checks it also forge it?
           supplier assertion: yes: this machine holds the node's key

        NOT CHECKED
          · whether later statements of the sandbox were left out
          · the nonce: the caller expected none
          · the choice of the seed and the clock
          · who asked: the principal is the node's claim
          · the isolation: the node's claim, without evidence
          · the wall time
          · whether other runs were begun in the log and never stated: it was not searched
          · whether other runs were never begun in the log
        warning: no trust file: only this machine's own node is trusted

        verified: signed for node `this machine`, logged, run again with the same output; 8 things not checked
    "#]]);
    session.check(&["show", "run.json"], expect![[r#"
        $ oacp show run.json
        [id]  ok  [time]
          agent      agent.py  sha256:74819aeaaae8d4650a6cb9e100792a267c6a56437bf42a41cf76423a81055381
          input      sha256:74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b
          output     sha256:3e167491187585cc638544d05a44ed6148e0848fe9497a35bb6137eb14432e5f
          principal  local uid [uid]
          sandbox    [id]  number 1
          isolation  STANDARD  level FULL
          runtime    [runtime]  wasmtime 48.0.8
          rights     none
          used       [took] · [fuel] · [size] of memory · 0 tool calls
          again      re-executable
          log        oacp.local/[key]  entry 2, its delegation at 0, its begin at 1
                     checkpoint of 3 entries · cosigned by one, two · seen by [time]

        input
          null

        output
          {"answer":null}

        source
          agent.py  [size]

        events
             0  start       clock [time]  seed [seed]…  in [dir]

        private content: events, input, output, source  oacp show --redact OUT leaves it out
    "#]]);
    session.check(
        &["log", "status"],
        expect![[r#"
        $ oacp log status
        oacp.local/[key]  in ~/oacp/log
          entries     4  (1 execution, 1 delegation, 1 begin, 1 close)
          key         oacp.local/[key]+[vkey]
          checkpoint  3 entries, cosigned by 2 of 2, seen by [time]
    "#]],
    );
    // At lower levels it is waited for a moment.
    session.check(
        &["run", "agent.py"],
        expect![[r#"
        $ oacp run agent.py
        {"answer":null}
        ! logged as entry 5 of oacp.local/[key] (6 entries, cosigned by 2 of 2)
        ! ok · [took] · [fuel] · oacp verify ~/oacp/runs/[id].json
    "#]],
    );

    drop(two);
    session.check(
        &["witness", "remove", "two"],
        expect![[r#"
        $ oacp witness remove two
        1 of 1 have to cosign: one
        ! who trusts this log needs its policy again: oacp log policy, oacp key export
    "#]],
    );
    session.stdout(&["run", "agent.py", "--level", "full"]);
    session.check(
        &["witness", "remove", "two"],
        expect![[r#"
        $ oacp witness remove two
        ! error: the policy has no witness `two`
        !   hint: it has one
        exit 3
    "#]],
    );
}

#[test]
fn a_witness_that_is_away_keeps_no_run_from_ending() {
    let session = with_agent("witness-away");
    let away = Session::new("witness-away-key");
    let key = away.stdout(&["witness", "key", "--json"]);
    let key: serde_json::Value = serde_json::from_str(&key).unwrap();
    let key = key["key"].as_str().unwrap();
    session.stdout(&["witness", "add", "away", key, "http://127.0.0.1:1"]);
    session.check(&["run", "agent.py", "-b", "run.json"], expect![[r#"
        $ oacp run agent.py -b run.json
        {"answer":null}
        ! note: witness `http://127.0.0.1:1` does not cosign: no reply from `http://127.0.0.1:1/add-checkpoint`: `http://127.0.0.1:1`: connection refused
        ! note: the checkpoint of 0 entries is given out without a quorum of witnesses
        ! logged as entry 1 of oacp.local/[key]; too few witnesses have cosigned it yet: `oacp log prove ~/run.json` adds the proofs later
        ! ok · [took] · [fuel] · oacp verify ~/run.json
    "#]]);
    session.check(&["log", "prove", "run.json", "--wait", "1"], expect![[r#"
        $ oacp log prove run.json --wait 1
        ! note: witness `http://127.0.0.1:1` does not cosign: no reply from `http://127.0.0.1:1/add-checkpoint`: `http://127.0.0.1:1`: connection refused
        ! note: the checkpoint of 3 entries is given out without a quorum of witnesses
        ! not proven: it is entry 1 of oacp.local/[key], and the newest checkpoint will not do: quorum is not met: 0 of the policy's witnesses cosigned; try again later
        exit 2
    "#]]);
    session.check(
        &["log", "status"],
        expect![[r#"
        $ oacp log status
        oacp.local/[key]  in ~/oacp/log
          entries     3  (1 execution, 1 delegation, 1 close)
          key         oacp.local/[key]+[vkey]
          checkpoint  3 entries, cosigned by 0 of 1; the policy is not met
    "#]],
    );
}

#[test]
fn a_witness_has_one_name() {
    let session = Session::new("witness-key");
    session.check(
        &["witness", "key"],
        expect![[r#"
        $ oacp witness key
        witness.local/[key]
        witness.local/[key]+[vkey]
        and after quantum computers:
        witness.local/[key]+[vkey]
        ! made the witness witness.local/[key] in ~/oacp/witness
    "#]],
    );
    session.check(
        &["witness", "key", "--name", "w.example"],
        expect![[r#"
        $ oacp witness key --name w.example
        ! error: this witness is called `witness.local/[key]`, and its keys are for no other name
        !   hint: leave --name out; or name another directory with --dir, for another witness
        exit 3
    "#]],
    );
    session.check(
        &["witness", "key", "--name", "w.example", "--dir", "other"],
        expect![[r#"
            $ oacp witness key --name w.example --dir other
            w.example
            w.example+[vkey]
            and after quantum computers:
            w.example+[vkey]
            ! made the witness w.example in other
        "#]],
    );
    session.check(
        &["witness", "serve"],
        expect![[r#"
        $ oacp witness serve
        ! error: the following required arguments were not provided:
        !   <--log <VKEY>|--policy <FILE>>
        !
        ! Usage: oacp witness serve <--log <VKEY>|--policy <FILE>>
        !
        ! For more information, try '--help'.
        exit 3
    "#]],
    );
    session.check(&["witness", "serve", "--log", "log.example+12"], expect![[r#"
        $ oacp witness serve --log log.example+12
        ! error: invalid value 'log.example+12' for '--log <VKEY>': not a verifier key: expected a name, `+`, eight lower-case hex digits, `+`, base64
        !
        ! For more information, try '--help'.
        exit 3
    "#]]);
}

#[test]
fn a_policy_is_edited_and_what_was_written_by_hand_stays() {
    let session = Session::new("witness-policy");
    session.stdout(&["log", "init"]);
    let other = Session::new("witness-policy-key");
    let key = other.stdout(&["witness", "key", "--json"]);
    let key: serde_json::Value = serde_json::from_str(&key).unwrap();
    let key = key["key"].as_str().unwrap();
    let policy = String::from_utf8(session.read("oacp/log.policy")).unwrap();
    session.write("oacp/log.policy", format!("# ours\n{policy}"));
    session.check(&["witness", "add", "one", key], expect![[r#"
        $ oacp witness add one witness.local/[key]+[vkey]
        ! error: where is the witness `one` asked?
        !   hint: add its URL: a witness that cannot be asked cosigns nothing, and keeps the quorum from being met
        exit 3
    "#]]);
    session.check(
        &["witness", "add", "one", key, "https://w.example"],
        expect![[r#"
        $ oacp witness add one witness.local/[key]+[vkey] https://w.example
        1 of 1 have to cosign: one
        ! who trusts this log needs its policy again: oacp log policy, oacp key export
    "#]],
    );
    session.check(&["witness", "add", "two", key, "https://w.example"], expect![[r#"
        $ oacp witness add two witness.local/[key]+[vkey] https://w.example
        ! error: this would be no log policy: line 4: the same key as in line 3, whatever it is called there
        exit 3
    "#]]);
    session.check(
        &["witness", "add", "a b", key, "https://w.example"],
        expect![[r#"
        $ oacp witness add a b witness.local/[key]+[vkey] https://w.example
        ! error: `a b` is not one word
        exit 3
    "#]],
    );
    session.check(
        &["log", "policy"],
        expect![[r#"
        $ oacp log policy
        # ours
        log oacp.local/[key]+[vkey]
        witness one witness.local/[key]+[vkey] https://w.example
        group witnesses 1 one
        quorum witnesses
    "#]],
    );
    // Its other key, for the same quorum.
    let keys: serde_json::Value =
        serde_json::from_str(&other.stdout(&["witness", "key", "--json"])).unwrap();
    let second = keys["ml_dsa44_key"].as_str().unwrap();
    session.check(
        &["witness", "add", "two", second, "https://w.example/"],
        expect![[r#"
            $ oacp witness add two witness.local/[key]+[vkey] https://w.example/
            2 of 2 have to cosign: one, two
            ! who trusts this log needs its policy again: oacp log policy, oacp key export
            ! note: `one` and `two` are one witness by their key's name or URL, and the quorum counts it twice; `oacp witness remove` takes one of them out
        "#]],
    );
    session.stdout(&["witness", "remove", "two"]);
    let policy = String::from_utf8(session.read("oacp/log.policy")).unwrap();
    session.write("oacp/log.policy", policy.replace("witnesses", "mine"));
    session.check(
        &["witness", "remove", "one"],
        expect![[r#"
        $ oacp witness remove one
        ! error: ~/oacp/log.policy has a rule of its own for who has to cosign
        !   hint: add the line to ~/oacp/log.policy, and the witness to the rule
        exit 3
    "#]],
    );
    session.write("oacp/log.policy", "lgo x\n");
    session.check(&["log", "policy"], expect![[r#"
        $ oacp log policy
        ! error: `[dir]/oacp/log.policy` is not a log policy: line 1: `lgo` is none of `log`, `witness`, `group` and `quorum`
        exit 3
    "#]]);
}
