use expect_test::expect;
use serde_json::Value;

use crate::session::Session;

fn with_run(name: &str) -> Session {
    let session = Session::with_runtimes(name);
    session.write(
        "agent.py",
        "def run(input):\n    print('working')\n    return {'answer': input}\n",
    );
    session.write("in.json", "42");
    let run = [
        "run",
        "agent.py",
        "--input",
        "@in.json",
        "--bundle",
        "run.json",
        "--nonce",
        "n-1",
        "--audience",
        "bank",
    ];
    session.stdout(&run);
    session
}

#[test]
fn a_bundle_is_verified_and_run_again() {
    let session = with_run("verify");
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
          · the audience: the caller did not say who it is
          · the choice of the seed and the clock
          · who asked: the principal is the node's claim
          · the isolation: the node's claim, without evidence
          · the wall time
          · whether other runs were begun and never stated
        warning: no trust file: only this machine's own node is trusted

        verified: signed for node `this machine`, logged, run again with the same output; 9 things not checked
    "#]]);
    session.check(
        &["replay", "run.json"],
        expect![[r#"
        $ oacp replay run.json
        confirmed: output, outcome, every event and the fuel are the same
    "#]],
    );
    session.check_with_input(
        &["replay", "-"],
        &session.read("run.json"),
        expect![[r#"
        $ oacp replay -
        confirmed: output, outcome, every event and the fuel are the same
    "#]],
    );
}

#[test]
fn expectations_are_compared() {
    let session = with_run("expectations");
    let agent = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    let good = [
        "verify",
        "run.json",
        "--no-replay",
        "--expect-nonce",
        "n-1",
        "--expect-audience",
        "bank",
        "--expect-input",
        "@in.json",
    ];
    assert!(session.oacp(&good).status.success());
    session.check(
        &["verify", "run.json", "--expect-nonce", "n-2"],
        expect![[r#"
        $ oacp verify run.json --expect-nonce n-2
        ! refused: statement's nonce is not the expected one (nonce_mismatch)
        exit 1
    "#]],
    );
    session.check(
        &["verify", "run.json", "--expect-audience", "me"],
        expect![[r#"
        $ oacp verify run.json --expect-audience me
        ! refused: statement's audience is not the expected one (audience_mismatch)
        exit 1
    "#]],
    );
    session.check(&["verify", "run.json", "--expect-agent", agent], expect![[r#"
        $ oacp verify run.json --expect-agent sha256:0000000000000000000000000000000000000000000000000000000000000000
        ! refused: statement's agent is `sha256:82f3edd510cbed8727cb029d16a4fdbc6bdcf8a3a95569ebcecaedbf7aa03a56`, expected `sha256:0000000000000000000000000000000000000000000000000000000000000000` (agent_mismatch)
        exit 1
    "#]]);
    session.check(&["verify", "run.json", "--expect-input", "@agent.py"], expect![[r#"
        $ oacp verify run.json --expect-input @agent.py
        ! refused: statement's input is `sha256:73475cb40a568e8da8a045ced110137e159f890ac4da883b6b17dc651b3a8049`, expected `sha256:82f3edd510cbed8727cb029d16a4fdbc6bdcf8a3a95569ebcecaedbf7aa03a56` (input_mismatch)
        exit 1
    "#]]);
    session.check(
        &["verify", "run.json", "--expect-input", "42"],
        expect![[r#"
        $ oacp verify run.json --expect-input 42
        ! error: --expect-input is `42`
        !   cause: not a digest: expected `sha256:` and 64 lower-case hex digits
        !   hint: give sha256: and 64 hex digits, or @FILE
        exit 3
    "#]],
    );
}

#[test]
fn a_tampered_bundle_is_refused() {
    let session = with_run("tampered");
    let mut bundle = session.json("run.json");
    let output = bundle["blobs"]
        .as_object()
        .unwrap()
        .values()
        .find(|blob| *blob == "eyJhbnN3ZXIiOjQyfQ==")
        .unwrap();
    assert!(output.is_string());
    let text = String::from_utf8(session.read("run.json")).unwrap();
    session.write(
        "blob.json",
        text.replace("eyJhbnN3ZXIiOjQyfQ==", "eyJhbnN3ZXIiOjQzfQ=="),
    );
    session.check(&["verify", "blob.json"], expect![[r#"
        $ oacp verify blob.json
        ! refused: blob is not what its digest `sha256:ecf59a2696ca44a417e20e2a7eabb1b26e82c779f8546bea354a2cc80e8e1eed` says (blob_altered)
        exit 1
    "#]]);
    session.write("event.json", text.replace("working", "Working"));
    session.check(
        &["verify", "event.json"],
        expect![[r#"
        $ oacp verify event.json
        ! refused: recording's root is not the one that the statement commits to (recording_root)
        exit 1
    "#]],
    );
    session.check(
        &["show", "event.json"],
        expect![[r#"
        $ oacp show event.json
        ! refused: recording's root is not the one that the statement commits to (recording_root)
        exit 1
    "#]],
    );
    session.check(&["replay", "event.json", "--json"], expect![[r#"
        $ oacp replay event.json --json
        {"error":{"causes":[],"code":"recording_root","hint":null,"message":"recording's root is not the one that the statement commits to"}}
        ! refused: recording's root is not the one that the statement commits to (recording_root)
        exit 1
    "#]]);
    let signature = bundle["envelope"]["signatures"][0]["sig"].as_str().unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let signature = format!("{other}{}", &signature[1..]);
    bundle["envelope"]["signatures"][0]["sig"] = signature.into();
    session.write("signature.json", bundle.to_string());
    assert_eq!(
        session.oacp(&["verify", "signature.json"]).status.code(),
        Some(1)
    );
    session.write("garbage.json", "{]");
    session.check(
        &["verify", "garbage.json"],
        expect![[r#"
        $ oacp verify garbage.json
        ! refused: bundle is malformed (json_syntax)
        !   cause: not JSON at line 1, column 2
        exit 1
    "#]],
    );
    session.check(
        &["verify", "missing.json"],
        expect![[r#"
        $ oacp verify missing.json
        ! error: cannot read `missing.json`
        !   cause: No such file or directory (os error 2)
        exit 2
    "#]],
    );
}

#[test]
fn a_foreign_node_is_trusted_by_a_file_only() {
    let session = with_run("foreign");
    session.check(&["key", "export", "node.trust.yaml", "--name", "build-1", "--quiet"], expect![[r#"
        $ oacp key export node.trust.yaml --name build-1 --quiet
        wrote node.trust.yaml: give it to whoever verifies: oacp verify BUNDLE --trust node.trust.yaml
    "#]]);
    // A trust file does not take the key from this machine.
    let own = session.stdout(&[
        "verify",
        "run.json",
        "--trust",
        "node.trust.yaml",
        "--no-replay",
    ]);
    assert!(
        own.contains("supplier assertion: yes: this machine holds the node's key"),
        "{own}"
    );
    session.stdout(&["key", "new", "--force"]);
    session.check(&["verify", "run.json", "--trust", "node.trust.yaml", "--no-replay"], expect![[r#"
        $ oacp verify run.json --trust node.trust.yaml --no-replay
        [id]  agent 82f3edd510cb (agent.py)
        [time] · ok · STANDARD · EXECUTION

        PASS         signature valid  signed by a key that node `build-1` delegated to, which the trust file names
        NOT CHECKED  execution proof  not run again: --no-replay
        PASS         logged           at index 1 of `oacp.local/[key]`, by a checkpoint of 2 entries that the log signed and no witness cosigned
        NOT CHECKED  time validity    no witness's time is in the bundle; the timestamp is the node's own

        1. Who could have written or altered it?
           independently re-checkable: whoever holds the key of node `build-1` or the sandbox key that it delegated to; nobody else

        2. Was it captured while running, or assembled after?
           supplier assertion: the signer says while running; no log entry precedes it

        3. Is the subject named precisely enough to re-check?
           independently re-checkable: agent, input, output and events are in the bundle, and match the digests that were signed

        4. Would an omission be visible?
           supplier assertion: within this run: no event can be left out after signing. A run that was left out as a whole is not visible

        5. What happened when recording or delivery failed?
           no information: without a log entry at the begin, a run whose statement was never delivered leaves no trace

        6. Can whoever checks it also forge it?
           independently re-checkable: no: checking takes public keys only

        NOT CHECKED
          · that others were shown the same log: no witness cosigned it
          · whether later statements of the sandbox were left out
          · the nonce: the caller expected none
          · the audience: the caller did not say who it is
          · the choice of the seed and the clock
          · who asked: the principal is the node's claim
          · the isolation: the node's claim, without evidence
          · the wall time
          · whether other runs were begun and never stated

        verified: signed for node `build-1`, logged, not run again: --no-replay; 9 things not checked
    "#]]);
    let foreign = session.oacp(&["verify", "run.json"]);
    assert_eq!(foreign.status.code(), Some(2));
    let text = String::from_utf8(foreign.stderr).unwrap();
    assert!(
        text.contains("(foreign_node_key)")
            && text.contains("which is not this machine's own, and no trust file was given"),
        "{text}"
    );
    let shown = String::from_utf8(session.oacp(&["show", "run.json"]).stdout).unwrap();
    assert!(
        shown.contains("events and contents are shown of a verified bundle only"),
        "{shown}"
    );

    session.write("bad.yaml", "nodes:\n  - name: a\n    keyy: x\n");
    session.check(
        &["verify", "run.json", "--trust", "bad.yaml"],
        expect![[r#"
        $ oacp verify run.json --trust bad.yaml
        ! error: bad.yaml:3:5: unknown key `keyy`; did you mean `key`?
        !   hint: known here: `name`, `key`, `not_before`, `not_after`, `revoked`
        exit 3
    "#]],
    );
    session.write("bad.yaml", "nodes:\n  - name: a\n    key: x\n");
    session.check(
        &["verify", "run.json", "--trust", "bad.yaml"],
        expect![[r#"
        $ oacp verify run.json --trust bad.yaml
        ! error: bad.yaml:3:10: not a public key: expected an Ed25519 key as SPKI, in base64 or PEM
        exit 3
    "#]],
    );
}

#[test]
fn a_bundle_is_shown_to_people_and_programs() {
    let session = with_run("show");
    let text = session.stdout(&["show", "run.json", "--events"]);
    for part in [
        "agent      agent.py",
        "rights     none",
        "log info    working",
        "{\"answer\":42}",
        "private content: events, input, output, source",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let parse = |form: &str| {
        serde_json::from_str::<Value>(&session.stdout(&["show", "run.json", "--as", form])).unwrap()
    };
    let (dsse, sigstore, statement) = (parse("dsse"), parse("sigstore"), parse("statement"));
    assert_eq!(dsse["payloadType"], "application/vnd.in-toto+json");
    assert_eq!(
        sigstore["mediaType"],
        "application/vnd.dev.sigstore.bundle.v0.3+json"
    );
    assert_eq!(sigstore["dsseEnvelope"], dsse);
    assert_eq!(
        sigstore["verificationMaterial"]["publicKey"]["hint"],
        dsse["signatures"][0]["keyid"]
    );
    let raw = session
        .oacp(&["show", "run.json", "--as", "statement"])
        .stdout;
    assert_eq!(raw.last(), Some(&b'}'), "byte for byte");
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert!(
        session
            .stdout(&["show", "run.json", "--key"])
            .starts_with("-----BEGIN PUBLIC KEY-----\n")
    );
    assert_eq!(parse("json")["output"], "{\"answer\":42}");
}

#[test]
fn a_redacted_copy_is_verified_and_holds_nothing_private() {
    let session = with_run("redact");
    session.check(&["show", "run.json", "--redact", "public.json"], expect![[r#"
        $ oacp show run.json --redact public.json
        wrote public.json ([size]): envelope, delegation and log proofs only; it can be verified, and not run again
    "#]]);
    let text = String::from_utf8(session.read("public.json")).unwrap();
    assert!(
        !text.contains("blobs") && !text.contains("recording\""),
        "{text}"
    );
    session.check(
        &["show", "run.json", "--redact", "public.json"],
        expect![[r#"
        $ oacp show run.json --redact public.json
        ! error: `public.json` is there already
        !   hint: name another file, or give --force to replace it
        exit 3
    "#]],
    );
    session.check(
        &["replay", "public.json"],
        expect![[r#"
        $ oacp replay public.json
        unverifiable: the bundle withholds the recording
        exit 2
    "#]],
    );
    let report: Value =
        serde_json::from_str(&session.stdout(&["verify", "public.json", "--json"])).unwrap();
    assert_eq!(report["verdict"], "verified");
    assert_eq!(
        report["report"]["execution_proof"]["verdict"],
        "not_checked"
    );
    assert_eq!(
        report["report"]["execution_proof"]["reason"],
        "the bundle withholds the recording"
    );
    assert!(
        session.stdout(&["verify", "public.json"]).ends_with(
            "not run again: the bundle withholds the recording; 13 things not checked\n"
        )
    );
    let shown = session.stdout(&["show", "public.json"]);
    assert!(
        shown.contains("re-executable, by whoever has the whole bundle"),
        "{shown}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |file: &str| {
            let metadata = std::fs::metadata(session.path(file)).unwrap();
            metadata.permissions().mode() & 0o777
        };
        session.stdout(&["key", "export", "node.trust.yaml"]);
        // As the umask of whoever runs the tests lets any file be.
        let plain = mode("agent.py") & 0o644;
        assert_eq!(
            (
                mode("public.json"),
                mode("node.trust.yaml"),
                mode("run.json")
            ),
            (plain, plain, 0o600)
        );
    }
}

#[test]
fn a_bundle_may_carry_its_language_runtime() {
    let session = with_run("with-runtime");
    session.write("agent.js", "export function run(input) { return input; }");
    session.stdout(&[
        "run",
        "agent.js",
        "--with-runtime",
        "--bundle",
        "whole.json",
    ]);
    assert!(session.read("whole.json").len() > 1 << 20);
    session.check(
        &["replay", "whole.json"],
        expect![[r#"
        $ oacp replay whole.json
        confirmed: output, outcome, every event and the fuel are the same
    "#]],
    );
}

#[test]
fn a_verifier_needs_no_key_of_its_own() {
    let session = with_run("stranger");
    session.stdout(&["key", "export", "node.trust.yaml"]);
    let stranger = |arguments: &[&str]| {
        session
            .command(arguments)
            .env("OACP_HOME", session.path("elsewhere"))
            .output()
            .unwrap()
    };
    let verified = stranger(&["verify", "run.json", "--trust", "node.trust.yaml"]);
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stderr)
    );
    assert!(!session.path("elsewhere/node.key").exists());
    assert_eq!(stranger(&["verify", "run.json"]).status.code(), Some(2));
}
