use expect_test::expect;
use serde_json::Value;

use crate::session::Session;

fn with_runs(name: &str) -> Session {
    let session = Session::with_runtimes(name);
    session.write("agent.py", "def run(input):\n    return input\n");
    session.stdout(&["run", "agent.py", "--level", "full"]);
    session.stdout(&["run", "agent.py", "-i", "1"]);
    session.stdout(&["key", "export", "trust.yaml", "--name", "build-1"]);
    session
}

#[test]
fn an_export_shows_that_nothing_is_missing() {
    let session = with_runs("export");
    session.check(&["log", "export", "log.jsonl"], expect![[r#"
        $ oacp log export log.jsonl
        wrote log.jsonl ([size]): 7 entries of oacp.local/[key], with their payloads; `oacp verify log.jsonl` checks that it is complete
    "#]]);
    session.check(
        &["log", "export", "log.jsonl"],
        expect![[r#"
        $ oacp log export log.jsonl
        ! error: `log.jsonl` is there already
        !   hint: name another file, or give --force to replace it
        exit 3
    "#]],
    );
    session.check(&["verify", "log.jsonl", "--trust", "trust.yaml"], expect![[r#"
        $ oacp verify log.jsonl --trust trust.yaml
        oacp.local/[key]  7 entries, 0 to 6
        7 with payloads · 0 redacted · 0 pruned · 2 keys

        PASS         complete         7 entries, each in its place: all that the checkpoint has
        PASS         published        log `oacp.local/[key]` signed the checkpoint
        PASS         signed           7 envelopes, each signed by a key that may sign it
        PASS         chained          the statements of 2 keys follow each other, and none is missing between them

        NOT CHECKED
          · runs that were never begun in the log
          · the truth of what the entries say

        verified: 7 entries, 0 to 6, and none is missing; 2 things not checked
    "#]]);
    let report: Value =
        serde_json::from_str(&session.stdout(&["verify", "log.jsonl", "--json"])).unwrap();
    assert_eq!(report["verdict"], "verified");
    assert_eq!(report["export"]["to"], 7);
    let streamed = session.stdout(&["log", "export", "-", "--force"]);
    session.check_with_input(
        &["verify", "-", "--quiet"],
        streamed.as_bytes(),
        expect![[r#"
            $ oacp verify - --quiet
            oacp.local/[key]  7 entries, 0 to 6
            7 with payloads · 0 redacted · 0 pruned · 2 keys

            PASS         complete         7 entries, each in its place: all that the checkpoint has
            PASS         published        log `oacp.local/[key]` signed the checkpoint
            PASS         signed           7 envelopes, each signed by a key that may sign it
            PASS         chained          the statements of 2 keys follow each other, and none is missing between them

            NOT CHECKED
              · runs that were never begun in the log
              · the truth of what the entries say

            verified: 7 entries, 0 to 6, and none is missing; 2 things not checked
        "#]],
    );
}

#[test]
fn a_stranger_without_the_policy_cannot_check_it() {
    let session = with_runs("export-stranger");
    session.stdout(&["log", "export", "log.jsonl"]);
    let trust = String::from_utf8(session.read("trust.yaml")).unwrap();
    let without: String = trust
        .lines()
        .take_while(|line| !line.starts_with("log_policy"))
        .map(|line| format!("{line}\n"))
        .collect();
    session.write("without.yaml", without);
    let elsewhere = Session::new("export-elsewhere");
    elsewhere.write("log.jsonl", session.read("log.jsonl"));
    elsewhere.write("trust.yaml", session.read("without.yaml"));
    elsewhere.check(
        &["verify", "log.jsonl", "--trust", "trust.yaml"],
        expect![[r#"
            $ oacp verify log.jsonl --trust trust.yaml
            oacp.local/[key]  7 entries, 0 to 6
            7 with payloads · 0 redacted · 0 pruned · 2 keys

            PASS         complete         7 entries, each in its place: all that the checkpoint has
            NOT CHECKED  published        no log policy: whether the log signed the checkpoint, and shows everybody the same, is not known
            PASS         signed           7 envelopes, each signed by a key that may sign it
            PASS         chained          the statements of 2 keys follow each other, and none is missing between them

            NOT CHECKED
              · runs that were never begun in the log
              · the truth of what the entries say

            could not be checked: whether the log signed the checkpoint is not known; give its policy, in the file of --trust
            exit 2
        "#]],
    );
    let output = elsewhere.oacp(&["verify", "log.jsonl", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], "could_not_check");
}

#[test]
fn a_line_that_is_left_out_or_altered_is_noticed() {
    let session = with_runs("export-altered");
    session.stdout(&["log", "export", "log.jsonl"]);
    let whole = String::from_utf8(session.read("log.jsonl")).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let without = |left_out: usize| -> String {
        let kept = lines.iter().enumerate().filter(|(at, _)| *at != left_out);
        kept.map(|(_, line)| format!("{line}\n")).collect()
    };
    session.write("short.jsonl", without(3));
    session.check(
        &["verify", "short.jsonl"],
        expect![[r#"
        $ oacp verify short.jsonl
        ! refused: line 4 has entry 3, expected 2 (index)
        exit 1
    "#]],
    );
    session.write("cut.jsonl", without(lines.len() - 1));
    session.check(
        &["verify", "cut.jsonl"],
        expect![[r#"
        $ oacp verify cut.jsonl
        ! refused: export is cut off after line 8 (truncated)
        exit 1
    "#]],
    );
    session.write(
        "altered.jsonl",
        whole.replacen("\\\"sequence\\\":1,", "\\\"sequence\\\":2,", 1),
    );
    session.check(
        &["verify", "altered.jsonl"],
        expect![[r#"
        $ oacp verify altered.jsonl
        ! refused: entries do not lead to the root of the checkpoint of 7 entries (root_mismatch)
        exit 1
    "#]],
    );
}

#[test]
fn a_part_is_exported_redacted_and_after_a_checkpoint() {
    let session = with_runs("export-part");
    session.check(&["log", "export", "part.jsonl", "--from", "4", "--redact"], expect![[r#"
        $ oacp log export part.jsonl --from 4 --redact
        wrote part.jsonl ([size]): 3 entries of oacp.local/[key], without payloads; `oacp verify part.jsonl` checks that it is complete
    "#]]);
    session.check(&["verify", "part.jsonl"], expect![[r#"
        $ oacp verify part.jsonl
        oacp.local/[key]  3 entries, 4 to 6
        0 with payloads · 3 redacted · 0 pruned · 1 key

        PASS         complete         3 entries from 4 on, each in its place: all that the checkpoint has beyond the 4 before
        PASS         published        log `oacp.local/[key]` signed the checkpoint
        NOT CHECKED  signed           there are no envelopes
        PASS         chained          the statements of 1 keys follow each other, and none is missing between them

        NOT CHECKED
          · envelopes that the exporter left out: 3
          · what keys signed before, whose delegation is not in the range: 1
          · the entries before 4
          · runs that were never begun in the log
          · the truth of what the entries say

        verified: 3 entries, 4 to 6, and none is missing; 5 things not checked
    "#]]);
    std::fs::copy(session.path("oacp/log/checkpoint"), session.path("kept")).unwrap();
    session.stdout(&["run", "agent.py"]);
    session.check(&["log", "export", "rest.jsonl", "--after", "kept"], expect![[r#"
        $ oacp log export rest.jsonl --after kept
        wrote rest.jsonl ([size]): 3 entries of oacp.local/[key], with their payloads; `oacp verify rest.jsonl` checks that it is complete
    "#]]);
    session.check(&["verify", "rest.jsonl"], expect![[r#"
        $ oacp verify rest.jsonl
        oacp.local/[key]  3 entries, 7 to 9
        3 with payloads · 0 redacted · 0 pruned · 1 key

        PASS         complete         3 entries from 7 on, each in its place: all that the checkpoint has beyond the 7 before
        PASS         published        log `oacp.local/[key]` signed the checkpoint
        PASS         signed           3 envelopes, each signed by a key that may sign it
        PASS         chained          the statements of 1 keys follow each other, and none is missing between them

        NOT CHECKED
          · the entries before 7
          · runs that were never begun in the log
          · the truth of what the entries say

        verified: 3 entries, 7 to 9, and none is missing; 3 things not checked
    "#]]);
    session.check(&["log", "export", "begin.jsonl", "--to", "3"], expect![[r#"
        $ oacp log export begin.jsonl --to 3
        wrote begin.jsonl ([size]): 3 entries of oacp.local/[key], with their payloads; `oacp verify begin.jsonl` checks that it is complete
    "#]]);
    session.stdout(&["verify", "begin.jsonl"]);
    session.stdout(&["log", "export", "day.jsonl", "--since", "2026-01-01"]);
    session.check(
        &["log", "export", "none.jsonl", "--from", "99"],
        expect![[r#"
        $ oacp log export none.jsonl --from 99
        ! error: the export would begin at 99, and the log has 10 entries
        exit 3
    "#]],
    );
}
