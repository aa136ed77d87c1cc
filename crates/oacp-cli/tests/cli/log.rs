use expect_test::expect;
use serde_json::Value;

use crate::session::Session;

pub fn with_agent(name: &str) -> Session {
    let session = Session::with_runtimes(name);
    session.write(
        "agent.py",
        "def run(input):\n    print('working')\n    return {'answer': input}\n",
    );
    session
}

pub fn json(session: &Session, arguments: &[&str]) -> Value {
    serde_json::from_str(&session.stdout(arguments)).unwrap()
}

#[test]
fn a_run_is_logged_and_its_bundle_shows_it() {
    let session = with_agent("log-run");
    session.check(
        &["run", "agent.py", "-i", "42", "-b", "run.json"],
        expect![[r#"
        $ oacp run agent.py -i 42 -b run.json
        {"answer":42}
        !    info | working
        ! logged as entry 1 of oacp.local/[key] (2 entries)
        ! ok · [took] · [fuel] · oacp verify ~/run.json
    "#]],
    );
    session.check(&["verify", "run.json"], expect![[r#"
        $ oacp verify run.json
        [id]  agent 82f3edd510cb (agent.py)
        [time] · ok · STANDARD · EXECUTION

        PASS         signature valid  signed by a key that node `this machine` delegated to, which is this machine's own
        PASS         execution proof  run again from the recording: output, outcome, every event and the fuel were the same
        PASS         logged           at index 1 of `oacp.local/[key]`, by a checkpoint of 2 entries that the log signed and no witness cosigned
        NOT CHECKED  time validity    no witness's time is in the bundle; the timestamp is the node's own

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
          · the choice of the seed and the clock
          · who asked: the principal is the node's claim
          · the isolation: the node's claim, without evidence
          · the wall time
          · whether other runs were begun and never stated
        warning: no trust file: only this machine's own node is trusted

        verified: signed for node `this machine`, logged, run again with the same output; 8 things not checked
    "#]]);
    session.check(&["show", "run.json"], expect![[r#"
        $ oacp show run.json
        [id]  ok  [time]
          agent      agent.py  sha256:82f3edd510cbed8727cb029d16a4fdbc6bdcf8a3a95569ebcecaedbf7aa03a56
          input      sha256:73475cb40a568e8da8a045ced110137e159f890ac4da883b6b17dc651b3a8049
          output     sha256:ecf59a2696ca44a417e20e2a7eabb1b26e82c779f8546bea354a2cc80e8e1eed
          principal  local uid [uid]
          sandbox    [id]  number 0
          isolation  STANDARD  level EXECUTION
          runtime    [runtime]  wasmtime 48.0.8
          rights     none
          used       [took] · [fuel] · [size] of memory · 0 tool calls
          again      re-executable
          log        oacp.local/[key]  entry 1, its delegation at 0
                     checkpoint of 2 entries

        input
          42

        output
          {"answer":42}

        source
          agent.py  [size]

        events
             0  start       clock [time]  seed [seed]…  in [dir]
             1  log info    working

        private content: events, input, output, source  oacp show --redact OUT leaves it out
    "#]]);
    session.check(
        &["log", "status"],
        expect![[r#"
        $ oacp log status
        oacp.local/[key]  in ~/oacp/log
          entries     3  (1 execution, 1 delegation, 1 close)
          key         oacp.local/[key]+[vkey]
          checkpoint  3 entries
    "#]],
    );
    session.check(
        &["log", "find"],
        expect![[r#"
        $ oacp log find
             0  delegation  [id]  [time]
             1  execution   [id]  [time]  ok  agent 82f3edd510cb  local uid [uid]
             2  close       [id]  [time]
    "#]],
    );
    let answer = json(&session, &["run", "agent.py", "--json"]);
    assert_eq!(answer["logged"]["status"], "logged");
    assert_eq!(answer["logged"]["index"], 4);
    assert_eq!(answer["logged"]["size"], 5);
    let status = json(&session, &["log", "status", "--json"]);
    assert_eq!(status["size"], 6);
    assert_eq!(status["entries"]["execution"]["entries"], 2);
    assert_eq!(status["entries"]["close"]["entries"], 2);
}

#[test]
fn the_first_run_makes_the_log() {
    let session = with_agent("log-first");
    std::fs::remove_file(session.path("oacp/log.key")).unwrap();
    std::fs::remove_file(session.path("oacp/log.policy")).unwrap();
    session.check(
        &["log", "status"],
        expect![[r#"
        $ oacp log status
        ! error: there is no log in ~/oacp/log
        !   hint: the first `oacp run` makes one, and so does `oacp log init`
        exit 2
    "#]],
    );
    session.check(
        &["run", "agent.py", "-q"],
        expect![[r#"
        $ oacp run agent.py -q
        {"answer":null}
        !    info | working
    "#]],
    );
    session.check(
        &["log", "policy"],
        expect![[r#"
        $ oacp log policy
        log oacp.local/[key]+[vkey]
        quorum none
    "#]],
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata = std::fs::metadata(session.path("oacp/log.key")).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        let metadata = std::fs::metadata(session.path("oacp/log")).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o700);
    }
    // Neither policy nor key is made again: only the policy knows the witnesses.
    let policy = session.stdout(&["log", "policy"]);
    std::fs::remove_file(session.path("oacp/log.policy")).unwrap();
    session.check(&["run", "agent.py"], expect![[r#"
        $ oacp run agent.py
        ! error: the log in ~/oacp/log has lost its policy ~/oacp/log.policy
        !   hint: restore it from a backup, or from whoever trusts the log; or write it again: a line `log oacp.local/[key]+[vkey]`, a line `witness NAME VKEY URL` for each witness that it had, and a line `quorum NAME`, or `quorum none` if it had none
        exit 2
    "#]]);
    session.check(&["log", "init"], expect![[r#"
        $ oacp log init
        ! error: the log in ~/oacp/log has lost its policy ~/oacp/log.policy
        !   hint: restore it from a backup, or from whoever trusts the log; or write it again: a line `log oacp.local/[key]+[vkey]`, a line `witness NAME VKEY URL` for each witness that it had, and a line `quorum NAME`, or `quorum none` if it had none
        exit 2
    "#]]);
    for command in [
        &["log", "policy"][..],
        &["log", "status"],
        &["key", "export"],
    ] {
        assert_eq!(session.oacp(command).status.code(), Some(2), "{command:?}");
    }
    session.stdout(&["log", "fsck"]);
    assert!(!session.path("oacp/log.policy").exists());
    session.write("oacp/log.policy", policy);
    session.stdout(&["run", "agent.py"]);
    std::fs::remove_file(session.path("oacp/log.key")).unwrap();
    session.check(&["run", "agent.py"], expect![[r#"
        $ oacp run agent.py
        ! error: the log in ~/oacp/log has lost its key ~/oacp/log.key
        !   hint: restore it from a backup; what is logged can still be verified by whoever has its policy
        exit 2
    "#]]);
}

#[test]
fn a_registry_that_is_none_is_refused() {
    let session = with_agent("log-no-registry");
    session.check(
        &["run", "agent.py", "--registry", ""],
        expect![[r#"
        $ oacp run agent.py --registry 
        ! error: the registry is empty
        !   hint: name a directory, a URL, or `none`; leave it out for this machine's own log
        exit 3
    "#]],
    );
    session.check(
        &["run", "agent.py", "--registry", "ftp://log.example"],
        expect![[r#"
            $ oacp run agent.py --registry ftp://log.example
            ! error: `ftp://log.example` is not a registry's URL
            !   hint: a registry is at http://… or https://…; a directory is named by its path
            exit 3
        "#]],
    );
    session.check(
        &["run", "agent.py", "--registry", "."],
        expect![[r#"
        $ oacp run agent.py --registry .
        ! error: [dir] is not empty, and is no log
        !   hint: name a directory that is not there yet, or an empty one
        exit 3
    "#]],
    );
    session.write("oacp.yaml", "attestation:\n  registry: file:///log\n");
    session.check(
        &["log", "status", "--config", "oacp.yaml"],
        expect![[r#"
            $ oacp log status --config oacp.yaml
            ! error: oacp.yaml: `attestation.registry`: `file:///log` is not a registry's URL
            !   hint: a registry is at http://… or https://…; a directory is named by its path
            exit 3
        "#]],
    );
}

#[test]
fn a_log_has_a_name_of_its_own_before_its_first_entry() {
    let session = with_agent("log-init");
    session.check(
        &["log", "init"],
        expect![[r#"
        $ oacp log init
        there is the log oacp.local/[key] in ~/oacp/log
        oacp.local/[key]+[vkey]
        ~/oacp/log.policy
    "#]],
    );
    session.check(
        &["log", "init", "--origin", "log.example/builds"],
        expect![[r#"
            $ oacp log init --origin log.example/builds
            made the log log.example/builds in ~/oacp/log
            log.example/builds+[vkey]
            ~/oacp/log.policy
        "#]],
    );
    session.check(
        &["run", "agent.py"],
        expect![[r#"
        $ oacp run agent.py
        {"answer":null}
        !    info | working
        ! logged as entry 1 of log.example/builds (2 entries)
        ! ok · [took] · [fuel] · oacp verify ~/oacp/runs/[id].json
    "#]],
    );
    session.check(
        &["log", "init", "--origin", "log.example/other"],
        expect![[r#"
        $ oacp log init --origin log.example/other
        ! error: there is a log in ~/oacp/log already, and its name is `log.example/builds`
        !   hint: a log keeps its name; name another directory with --registry
        exit 3
    "#]],
    );
    session.check(&["log", "init", "--origin", "a b"], expect![[r#"
        $ oacp log init --origin a b
        ! error: invalid value 'a b' for '--origin <NAME>': not a log origin: expected 1 to 256 printable ASCII characters without spaces
        !
        ! For more information, try '--help'.
        exit 3
    "#]]);
}

#[test]
fn a_stranger_checks_the_proof_by_the_trust_file() {
    let session = with_agent("log-stranger");
    session.stdout(&["run", "agent.py", "--level", "full", "-b", "run.json"]);
    session.check(
        &["key", "export", "node.trust.yaml", "--name", "build-1"],
        expect![[r#"
            $ oacp key export node.trust.yaml --name build-1
            wrote node.trust.yaml: give it to whoever verifies: oacp verify BUNDLE --trust node.trust.yaml
        "#]],
    );
    let trust = String::from_utf8(session.read("node.trust.yaml")).unwrap();
    assert!(
        trust.contains("log_policy: |\n  log oacp.local/"),
        "{trust}"
    );
    let stranger = |arguments: &[&str]| {
        let output = session
            .command(arguments)
            .env("OACP_HOME", session.path("elsewhere"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let report = stranger(&["verify", "run.json", "--trust", "node.trust.yaml"]);
    assert!(report.contains("PASS         logged"), "{report}");
    assert!(
        report.contains("verified: signed for node `build-1`, logged, run again"),
        "{report}"
    );
    // Without the log's key the level cannot be checked.
    session.stdout(&["key", "export", "node.yaml", "--name", "build-1"]);
    let bare: String = String::from_utf8(session.read("node.yaml"))
        .unwrap()
        .lines()
        .take_while(|line| !line.starts_with("log_policy"))
        .map(|line| format!("{line}\n"))
        .collect();
    session.write("bare.yaml", bare);
    session.check(&["verify", "run.json", "--trust", "bare.yaml"], expect![[r#"
        $ oacp verify run.json --trust bare.yaml
        ! not checked: level FULL needs a log policy, and the trust file has none (log_policy_missing)
        !   hint: get the log's policy from whoever runs it (`oacp log policy` there), and put it under `log_policy` of the trust file; `oacp key export` there writes one that has it
        exit 2
    "#]]);
}

#[test]
fn level_full_is_announced_run_and_proven() {
    let session = with_agent("log-full");
    session.check(
        &["run", "agent.py", "--level", "full", "-b", "run.json"],
        expect![[r#"
            $ oacp run agent.py --level full -b run.json
            {"answer":null}
            !    info | working
            ! logged as entry 2 of oacp.local/[key] (3 entries)
            ! ok · [took] · [fuel] · oacp verify ~/run.json
        "#]],
    );
    session.check(&["verify", "run.json"], expect![[r#"
        $ oacp verify run.json
        [id]  agent 82f3edd510cb (agent.py)
        [time] · ok · STANDARD · FULL

        PASS         signature valid  signed by a key that node `this machine` delegated to, which is this machine's own
        PASS         execution proof  run again from the recording: output, outcome, every event and the fuel were the same
        PASS         logged           at index 2 of `oacp.local/[key]`, by a checkpoint of 3 entries that the log signed and no witness cosigned
        NOT CHECKED  time validity    no witness's time is in the bundle; the timestamp is the node's own

        1. Who could have written or altered it?
           independently re-checkable: whoever holds the key of node `this machine` or the sandbox key that it delegated to; nobody else

        2. Was it captured while running, or assembled after?
           supplier assertion: the signer says while running; the log has its begin at index 1, before it at 2

        3. Is the subject named precisely enough to re-check?
           independently re-checkable: agent, input, output and events are in the bundle, and match the digests that were signed

        4. Would an omission be visible?
           supplier assertion: within this run: no event can be left out after signing. A run that was begun in the log and left out is visible there; one that was not begun there is not

        5. What happened when recording or delivery failed?
           supplier assertion: this run was begun in the log, at index 1: without its statement, it would stand there as begun and not ended

        6. Can whoever checks it also forge it?
           supplier assertion: yes: this machine holds the node's key

        NOT CHECKED
          · that others were shown the same log: no witness cosigned it
          · whether later statements of the sandbox were left out
          · the nonce: the caller expected none
          · the choice of the seed and the clock
          · who asked: the principal is the node's claim
          · the isolation: the node's claim, without evidence
          · the wall time
          · whether other runs were begun in the log and never stated: it was not searched
          · whether other runs were never begun in the log
        warning: no trust file: only this machine's own node is trusted

        verified: signed for node `this machine`, logged, run again with the same output; 9 things not checked
    "#]]);
    session.check(&["show", "run.json"], expect![[r#"
        $ oacp show run.json
        [id]  ok  [time]
          agent      agent.py  sha256:82f3edd510cbed8727cb029d16a4fdbc6bdcf8a3a95569ebcecaedbf7aa03a56
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
                     checkpoint of 3 entries

        input
          null

        output
          {"answer":null}

        source
          agent.py  [size]

        events
             0  start       clock [time]  seed [seed]…  in [dir]
             1  log info    working

        private content: events, input, output, source  oacp show --redact OUT leaves it out
    "#]]);
    session.check(
        &["log", "find", "--kind", "begin"],
        expect![[r#"
        $ oacp log find --kind begin
             1  begin       [id]  [time]  agent 82f3edd510cb
    "#]],
    );
    session.check(
        &["replay", "run.json"],
        expect![[r#"
        $ oacp replay run.json
        confirmed: output, outcome, every event and the fuel are the same
    "#]],
    );
}

#[test]
fn what_is_not_to_be_logged_is_not() {
    let session = with_agent("log-none");
    session.check(
        &["run", "agent.py", "--registry", "none", "-b", "run.json"],
        expect![[r#"
        $ oacp run agent.py --registry none -b run.json
        {"answer":null}
        !    info | working
        ! ok · [took] · [fuel] · oacp verify ~/run.json
    "#]],
    );
    assert!(!session.path("oacp/log").exists());
    session.check(
        &["log", "prove", "run.json"],
        expect![[r#"
        $ oacp log prove run.json
        ! error: the bundle is for no log: its run was not to be logged
        !   hint: the log is named in what is signed, and cannot be changed
        exit 3
    "#]],
    );
    session.check(
        &["run", "agent.py", "--registry", "none", "--level", "full"],
        expect![[r#"
            $ oacp run agent.py --registry none --level full
            ! error: level FULL cannot be given here: no transparency log is configured
            !   hint: let it be logged: leave --registry none out; or give --level execution, or --level basic
            exit 2
        "#]],
    );
    let answer = json(
        &session,
        &["run", "agent.py", "--registry", "none", "--json"],
    );
    assert_eq!(answer["logged"]["status"], "not_logged");
}

#[test]
fn a_log_may_be_in_a_directory_of_its_own() {
    let session = with_agent("log-directory");
    session.write(
        "oacp.yaml",
        "attestation: { registry: ./registry, level: full, retention_days: 30 }\n",
    );
    let run = ["run", "agent.py", "--config", "oacp.yaml", "-b", "run.json"];
    session.check(
        &run,
        expect![[r#"
        $ oacp run agent.py --config oacp.yaml -b run.json
        {"answer":null}
        ! made the log oacp.local/[key] in ~/registry
        !    info | working
        ! logged as entry 2 of oacp.local/[key] (3 entries)
        ! ok · [took] · [fuel] · oacp verify ~/run.json
    "#]],
    );
    assert!(session.path("registry.key").exists() && session.path("registry/head").exists());
    assert!(!session.path("oacp/log").exists());
    session.check(
        &["log", "status", "--registry", "registry"],
        expect![[r#"
        $ oacp log status --registry registry
        oacp.local/[key]  in ~/registry
          entries     4  (1 execution, 1 delegation, 1 begin, 1 close)
          key         oacp.local/[key]+[vkey]
          checkpoint  4 entries
    "#]],
    );
    session.check(
        &["log", "status", "--config", "oacp.yaml"],
        expect![[r#"
        $ oacp log status --config oacp.yaml
        oacp.local/[key]  in ~/registry
          entries     4  (1 execution, 1 delegation, 1 begin, 1 close)
          key         oacp.local/[key]+[vkey]
          checkpoint  4 entries
    "#]],
    );
    // The trust of this machine is in its own log, and in registries that were added.
    session.check(&["verify", "run.json", "--no-replay"], expect![[r#"
        $ oacp verify run.json --no-replay
        [id]  agent 82f3edd510cb (agent.py)
        [time] · ok · STANDARD · FULL

        PASS         signature valid  signed by a key that node `this machine` delegated to, which is this machine's own
        NOT CHECKED  execution proof  not run again: --no-replay
        PASS         logged           at index 2 of `oacp.local/[key]`, by a checkpoint of 3 entries that the log signed and no witness cosigned
        NOT CHECKED  time validity    no witness's time is in the bundle; the timestamp is the node's own

        1. Who could have written or altered it?
           independently re-checkable: whoever holds the key of node `this machine` or the sandbox key that it delegated to; nobody else

        2. Was it captured while running, or assembled after?
           supplier assertion: the signer says while running; the log has its begin at index 1, before it at 2

        3. Is the subject named precisely enough to re-check?
           independently re-checkable: agent, input, output and events are in the bundle, and match the digests that were signed

        4. Would an omission be visible?
           supplier assertion: within this run: no event can be left out after signing. A run that was begun in the log and left out is visible there; one that was not begun there is not

        5. What happened when recording or delivery failed?
           supplier assertion: this run was begun in the log, at index 1: without its statement, it would stand there as begun and not ended

        6. Can whoever checks it also forge it?
           supplier assertion: yes: this machine holds the node's key

        NOT CHECKED
          · that others were shown the same log: no witness cosigned it
          · whether later statements of the sandbox were left out
          · the nonce: the caller expected none
          · the choice of the seed and the clock
          · who asked: the principal is the node's claim
          · the isolation: the node's claim, without evidence
          · the wall time
          · whether other runs were begun in the log and never stated: it was not searched
          · whether other runs were never begun in the log
        warning: no trust file: only this machine's own node is trusted

        verified: signed for node `this machine`, logged, not run again: --no-replay; 9 things not checked
    "#]]);
    let policy = session.stdout(&["log", "policy", "--registry", "registry"]);
    session.write("log.policy", policy);
    session.stdout(&["key", "export", "trust.yaml", "--log-policy", "log.policy"]);
    let report = session.stdout(&["verify", "run.json", "--no-replay", "--trust", "trust.yaml"]);
    assert!(report.contains("PASS         logged"), "{report}");
    // No guest sees the log that it is logged in.
    session.write(
        "thief.py",
        "def run(input):\n    return open('registry.key').read()\n",
    );
    session.check(
        &["run", "thief.py", "--config", "oacp.yaml", "--allow-read", "./**", "-q"],
        expect![[r#"
            $ oacp run thief.py --config oacp.yaml --allow-read ./** -q
            ! denied: PermissionError: file_read `[dir]/registry.key` is not granted (OACP's own keys and runs, and the files that secrets are taken from, are shown to no guest); to allow it: grant what the agent needs, and no directory that holds these
            !   at thief.py:2
            !     Traceback (most recent call last):
            !       File "thief.py", line 2, in run
            !         return open('registry.key').read()
            !                ~~~~^^^^^^^^^^^^^^^^
            !     PermissionError: [Errno 2] Permission denied: 'registry.key'
            !   hint: grant it, or let the agent catch it; `oacp run --ask` asks, `--learn` writes the grant
            ! denied: file_read `[dir]/registry.key` is not granted
            !   rule:    OACP's own keys and runs, and the files that secrets are taken from, are shown to no guest (file_withheld)
            !   fix:     grant what the agent needs, and no directory that holds these
            exit 1
        "#]],
    );
}
