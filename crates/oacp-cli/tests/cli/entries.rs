//! What is in a log is found, proven, held and checked.

use expect_test::expect;

use crate::log::{json, with_agent};

#[test]
fn entries_are_found_by_what_they_say() {
    let session = with_agent("log-find");
    session.write("bad.py", "def run(input):\n    raise ValueError('no')\n");
    session.stdout(&["run", "agent.py"]);
    session.oacp(&["run", "bad.py"]);
    session.stdout(&["run", "agent.py", "--sandbox", "kept"]);
    session.check(
        &["log", "find", "--outcome", "guest_error"],
        expect![[r#"
            $ oacp log find --outcome guest_error
                 4  execution   [id]  [time]  guest_error  agent 1f80d2a8c205  local uid [uid]
        "#]],
    );
    let agent = json(
        &session,
        &["log", "find", "--outcome", "guest_error", "--json"],
    );
    let agent = agent["entries"][0]["agent"].as_str().unwrap().to_owned();
    let found = json(&session, &["log", "find", "--agent", &agent, "--json"]);
    assert_eq!(found["entries"].as_array().unwrap().len(), 1);
    session.check(
        &["log", "find", "-n", "2"],
        expect![[r#"
        $ oacp log find -n 2
             0  delegation  [id]  [time]
             1  execution   [id]  [time]  ok  agent 82f3edd510cb  local uid [uid]
        ! there may be more: --after 1
    "#]],
    );
    session.check(
        &["log", "find", "--after", "7"],
        expect![[r#"
        $ oacp log find --after 7
             8  close       [id]  [time]
    "#]],
    );
    session.check(
        &["log", "find", "--until", "2020-01-01"],
        expect![[r#"
        $ oacp log find --until 2020-01-01
        ! nothing is found
    "#]],
    );
    session.check(&["log", "find", "--since", "yesterday"], expect![[r#"
        $ oacp log find --since yesterday
        ! error: invalid value 'yesterday' for '--since <TIME>': expected a day, as 2026-11-22, or a time, as [time]
        !
        ! For more information, try '--help'.
        exit 3
    "#]]);
    session.check(&["log", "find", "--outcome", "fine"], expect![[r#"
        $ oacp log find --outcome fine
        ! error: invalid value 'fine' for '--outcome <OUTCOME>': not an outcome: expected one of ok, guest_error, denied, out_of_fuel, out_of_memory, timed_out, stack_overflow, crashed, cancelled, interrupted, check_failed, refused, awaiting_approval
        !
        ! For more information, try '--help'.
        exit 3
    "#]]);
    session.check(
        &["log", "entry", "99"],
        expect![[r#"
        $ oacp log entry 99
        ! error: the log has 9 entries
        exit 2
    "#]],
    );
    session.check(
        &["log", "entry", "abc"],
        expect![[r#"
            $ oacp log entry abc
            ! error: invalid value 'abc' for '<INDEX|ID>': expected an index (a number from 0) or an execution's id
            !
            ! For more information, try '--help'.
            exit 3
        "#]],
    );
    let id = found["entries"][0]["id"].as_str().unwrap();
    let by_id = json(&session, &["log", "entry", id, "--json"]);
    assert_eq!(by_id["index"], found["entries"][0]["index"]);
    session.check(
        &["log", "entry", "01940000-0000-7000-8000-000000000000"],
        expect![[r#"
            $ oacp log entry [id]
            ! error: the log oacp.local/[key] has no execution `[id]`
            !   hint: `oacp log find` lists what is there; --registry names another log
            exit 2
        "#]],
    );
    let entry = json(&session, &["log", "entry", "1", "--json"]);
    assert_eq!(entry["leaf"]["kind"], "execution");
    assert_eq!(entry["leaf"]["sequence"], 0);
    let payload = json(&session, &["log", "entry", "1", "--payload"]);
    assert_eq!(payload["payloadType"], "application/vnd.in-toto+json");
    let proof = session.stdout(&["log", "entry", "1", "--proof"]);
    assert!(proof.starts_with("c2sp.org/tlog-proof@v1\n"), "{proof}");
}

#[test]
fn an_execution_is_verified_by_its_id() {
    let session = with_agent("log-lookup");
    let answer = json(&session, &["run", "agent.py", "--json"]);
    let id = answer["execution_id"].as_str().unwrap();
    let report = session.stdout(&["verify", id]);
    assert!(report.contains("PASS         execution proof"), "{report}");
    // The bundle is gone; the log has the statement.
    std::fs::remove_file(answer["bundle"].as_str().unwrap()).unwrap();
    session.check(&["verify", id], expect![[r#"
        $ oacp verify [id]
        [id]  agent 82f3edd510cb (agent.py)
        [time] · ok · STANDARD · EXECUTION

        PASS         signature valid  signed by a key that node `this machine` delegated to, which is this machine's own
        NOT CHECKED  execution proof  the bundle withholds the recording
        PASS         logged           at index 1 of `oacp.local/[key]`, by a checkpoint of 3 entries that the log signed and no witness cosigned
        NOT CHECKED  time validity    no witness's time is in the bundle; the timestamp is the node's own

        1. Who could have written or altered it?
           independently re-checkable: whoever holds the key of node `this machine` or the sandbox key that it delegated to; nobody else

        2. Was it captured while running, or assembled after?
           supplier assertion: the signer says while running; no log entry precedes it

        3. Is the subject named precisely enough to re-check?
           supplier assertion: by digests that were signed; some of the contents are withheld or were not recorded

        4. Would an omission be visible?
           no information: no: the events are not in the bundle, and a run that was left out as a whole is not visible

        5. What happened when recording or delivery failed?
           no information: without a log entry at the begin, a run whose statement was never delivered leaves no trace

        6. Can whoever checks it also forge it?
           supplier assertion: yes: this machine holds the node's key

        NOT CHECKED
          · that others were shown the same log: no witness cosigned it
          · whether later statements of the sandbox were left out
          · the events: withheld, or not recorded
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

        verified: signed for node `this machine`, logged, not run again: the bundle withholds the recording; 12 things not checked
    "#]]);
    let unknown = "01940000-0000-7000-8000-000000000000";
    session.check(
        &["verify", unknown],
        expect![[r#"
        $ oacp verify [id]
        ! error: the log oacp.local/[key] has no execution `[id]`
        !   hint: `oacp log find` lists what is there; --registry names another log
        exit 2
    "#]],
    );
    session.check(
        &["verify", "agent.py", "--registry", "oacp/log"],
        expect![[r#"
        $ oacp verify agent.py --registry oacp/log
        ! error: `agent.py` is not an execution's id, and nothing else is looked up in a registry
        !   hint: to verify a file, leave --registry out
        exit 3
    "#]],
    );
}

#[test]
fn proofs_are_added_and_the_first_is_kept() {
    let session = with_agent("log-prove");
    session.stdout(&["run", "agent.py", "-b", "run.json"]);
    let first = session.json("run.json")["proofs"]["execution"][0].clone();
    session.stdout(&["run", "agent.py"]);
    session.check(
        &["log", "prove", "run.json"],
        expect![[r#"
        $ oacp log prove run.json
        added a proof: entry 1 of oacp.local/[key] (6 entries); witnesses: 0 of 0
    "#]],
    );
    session.check(
        &["log", "prove", "run.json"],
        expect![[r#"
        $ oacp log prove run.json
        nothing added, the bundle has this proof already: entry 1 of oacp.local/[key] (6 entries); witnesses: 0 of 0
    "#]],
    );
    let proofs = session.json("run.json")["proofs"]["execution"].clone();
    assert_eq!(proofs.as_array().unwrap().len(), 2);
    assert_eq!(proofs[0], first);
    let report = session.stdout(&["verify", "run.json"]);
    assert!(report.contains("PASS         logged"), "{report}");
    let shown = session.stdout(&["show", "run.json"]);
    assert!(shown.contains("1 proof newer"), "{shown}");
}

#[test]
fn holds_are_laid_listed_and_released() {
    let session = with_agent("log-hold");
    session.stdout(&["run", "agent.py"]);
    session.check(
        &[
            "log",
            "hold",
            "add",
            "case-7",
            "--outcome",
            "ok",
            "--since",
            "2026-01-01",
        ],
        expect![[r#"
            $ oacp log hold add case-7 --outcome ok --since 2026-01-01
            laid the hold case-7
        "#]],
    );
    session.check(
        &["log", "hold", "add", "case-7"],
        expect![[r#"
        $ oacp log hold add case-7
        ! error: there is a hold `case-7` already
        !   hint: `oacp log hold list` lists them
        exit 3
    "#]],
    );
    session.stdout(&["log", "hold", "add", "all"]);
    session.check(
        &["log", "hold", "list"],
        expect![[r#"
        $ oacp log hold list
        case-7  since [time]  from [time], outcome ok
        all  since [time]  everything
    "#]],
    );
    session.check(
        &["log", "hold", "release", "case-7"],
        expect![[r#"
        $ oacp log hold release case-7
        released the hold case-7
    "#]],
    );
    session.check(
        &["log", "hold", "release", "case-7"],
        expect![[r#"
        $ oacp log hold release case-7
        ! error: there is no hold `case-7`
        !   hint: `oacp log hold list` lists them
        exit 3
    "#]],
    );
    session.check(
        &["log", "prune", "--retention-days", "1", "--dry-run"],
        expect![[r#"
            $ oacp log prune --retention-days 1 --dry-run
            would prune 0 payloads, [size]
        "#]],
    );
    session.check(
        &["log", "prune"],
        expect![[r#"
        $ oacp log prune
        ! error: the following required arguments were not provided:
        !   --retention-days <N>
        !
        ! Usage: oacp log prune --retention-days <N>
        !
        ! For more information, try '--help'.
        exit 3
    "#]],
    );
}

/// A directory with everything that is in it.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[test]
fn damage_is_found_and_an_index_is_made_anew() {
    let session = with_agent("log-fsck");
    session.stdout(&["run", "agent.py"]);
    session.check(
        &["log", "fsck"],
        expect![[r#"
        $ oacp log fsck
        sound: 3 entries lead to the signed root; 3 payloads compared
    "#]],
    );
    session.check(
        &["log", "reindex"],
        expect![[r#"
        $ oacp log reindex
        indexed 3 entries
    "#]],
    );
    assert_eq!(
        json(&session, &["log", "find", "--json"])["entries"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    // An auditor has a copy, and the policy, but no key.
    copy(&session.path("oacp/log"), &session.path("audit/log"));
    session.check(
        &["log", "fsck", "--registry", "audit/log"],
        expect![[r#"
            $ oacp log fsck --registry audit/log
            ! error: whose log is in ~/audit/log is not known: neither a key nor a policy lies beside it
            !   hint: give its policy with --log-policy FILE: what `oacp log policy` prints on its machine
            exit 2
        "#]],
    );
    session.check(
        &[
            "log",
            "fsck",
            "--registry",
            "audit/log",
            "--log-policy",
            "oacp/log.policy",
        ],
        expect![[r#"
            $ oacp log fsck --registry audit/log --log-policy oacp/log.policy
            sound: 3 entries lead to the signed root; 3 payloads compared
        "#]],
    );
    session.write("audit/log.policy", session.read("oacp/log.policy"));
    session.stdout(&["log", "fsck", "--registry", "audit/log"]);
    // Nothing is made where a log is checked, not even if its head is lost.
    std::fs::remove_file(session.path("audit/log/head")).unwrap();
    session.check(
        &["log", "fsck", "--registry", "audit/log"],
        expect![[r#"
            $ oacp log fsck --registry audit/log
            damage: head: is missing
            damaged: 0 entries lead to the signed root; 0 payloads compared
            exit 1
        "#]],
    );
    assert!(!session.path("audit/log.key").exists());

    let segment = std::fs::read_dir(session.path("oacp/log/segments"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    session.check(
        &["log", "fsck"],
        expect![[r#"
        $ oacp log fsck
        damage: segments/0000000000.seg: the payload of entry 1, at byte 1441, cannot be read
        damaged: 3 entries lead to the signed root; 2 payloads compared
        exit 1
    "#]],
    );
}
