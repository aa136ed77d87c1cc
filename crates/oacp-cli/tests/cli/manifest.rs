//! What is written of tools: `tool.yaml`, which asks, and `tools:` of `oacp.yaml`, which grants.

use expect_test::expect;
use serde_json::{Value, json};

use crate::session::Session;

const TOOL: &str = "\
import os
import threading

def _later():
    threading.Thread(target=print)

def read(name: str) -> str:
    \"\"\"Reads a note.\"\"\"
    return open('notes/today.txt').read() + os.environ.get('LANG', '')
";

const TOOL_YAML: &str = "\
name: notes
version: 1.2.0
description: Notes of the day.
entry: main.py
capabilities:
  file_read: [\"notes/\"]
  network: [api.example.com]
limits: { memory_mb: 64, timeout_ms: 60000 }
instance: per_run
";

const AGENT: &str = "\
import oacp
def run(input):
    return oacp.tools.call(input['tool'], **input['arguments'])
";

/// A tool in a directory `tool`, with a manifest, and an agent.
fn session(name: &str) -> Session {
    let session = Session::with_runtimes(name);
    session.write("tool/main.py", TOOL);
    session.write("tool/tool.yaml", TOOL_YAML);
    // Relative paths start where the manifest is, or the configuration.
    session.write("tool/notes/today.txt", "rain ");
    session.write("notes/today.txt", "snow ");
    session.write("agent.py", AGENT);
    session
}

fn call(session: &Session, tool: &str, options: &[&str]) -> (bool, String, String) {
    let input = json!({ "tool": tool, "arguments": { "name": "x" } }).to_string();
    let run = ["run", "agent.py", "--input", &input, "--allow-tool", tool];
    let output = session.oacp(&[&run, options].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.success(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn a_manifest_asks_and_is_granted_nothing_until_somebody_agrees() {
    let session = session("manifest");
    session.check(&["tool", "add", "tool"], expect![[r#"
        $ oacp tool add tool
        ! notes 1.2.0: Notes of the day.
        ! ✓ schema    notes
        !   file_read  [dir]/tool/notes/today.txt  used at main.py:9    asked for, not granted
        !   env        LANG                                      used at main.py:9    not asked for, not granted
        !   network    api.example.com:443                       not seen to be used  asked for, not granted
        !   cannot work: threading.Thread (main.py:5): use asyncio, with `oacp.tools.call_async` and `oacp.http`: there are no threads
        ! `notes` asks for
        !   file_read [dir]/tool/notes/**
        !   network api.example.com:443
        !   timeout_ms 60000 (usual: 30000)
        ! error: what it asks for is not granted, and nobody can be asked, because there is no terminal
        !   hint: `oacp tool add tool --yes` grants it; --allow-… grants what you say in its place
        exit 3
    "#]]);
    assert_eq!(session.stdout(&["tool", "list"]), "");
    session.check(&["tool", "add", "tool/tool.yaml", "--yes"], expect![[r#"
        $ oacp tool add tool/tool.yaml --yes
        notes  sha256:b987e2f2b0e74210e21a5976b87b53753eb5e66d29fd7841cb2985bb39b3a35a
        ! notes 1.2.0: Notes of the day.
        ! ✓ schema    notes
        !   file_read  [dir]/tool/notes/today.txt  used at main.py:9    asked for, granted
        !   env        LANG                                      used at main.py:9    not asked for, not granted
        !   network    api.example.com:443                       not seen to be used  asked for, granted
        !   cannot work: threading.Thread (main.py:5): use asyncio, with `oacp.tools.call_async` and `oacp.http`: there are no threads
        ! ✓ rights    granted: file_read [dir]/tool/notes/**, network api.example.com:443
        ! ✓ compiled  python
        ! ✓ bound     sha256:1eab8e99db31390c427f82985e3f610b61699d38331df842cfaef102ce1dc4cb logged in oacp.local/[key] at index 0
        ! next: oacp run AGENT --allow-tool notes
    "#]]);
    let shown: Value =
        serde_json::from_str(&session.stdout(&["tool", "show", "notes", "--json"])).unwrap();
    assert_eq!(shown["version"], "1.2.0");
    assert_eq!(shown["instance"], "per_run");
    assert_eq!(
        shown["limits"],
        json!({ "memory_mb": 64, "timeout_ms": 60000 })
    );
    assert_eq!(shown["origin"]["entry"], "main.py");
    // Its relative paths start where its manifest is, wherever the run is.
    assert_eq!(call(&session, "notes", &[]).1, "\"rain \"\n");
    session.check(
        &["tool", "remove", "notes"],
        expect![[r#"
        $ oacp tool remove notes
        removed notes
    "#]],
    );
}

#[test]
fn what_the_command_line_grants_goes_before_what_a_manifest_asks() {
    let session = session("manifest-flags");
    let arguments = [
        "tool",
        "add",
        "tool",
        "--name",
        "mine",
        "--allow-env",
        "LANG",
        "--timeout",
        "1000",
        "--instance",
        "per_call",
    ];
    session.check(&arguments, expect![[r#"
        $ oacp tool add tool --name mine --allow-env LANG --timeout 1000 --instance per_call
        mine  sha256:2f6a8613a27676d50c7776a2a844c86bf40b2c54c337016bda62dbafaaa04454
        ! notes 1.2.0: Notes of the day.
        ! ✓ schema    mine
        !   file_read  [dir]/tool/notes/today.txt  used at main.py:9    asked for, not granted
        !   env        LANG                                      used at main.py:9    not asked for, granted
        !   network    api.example.com:443                       not seen to be used  asked for, not granted
        !   cannot work: threading.Thread (main.py:5): use asyncio, with `oacp.tools.call_async` and `oacp.http`: there are no threads
        ! ✓ rights    granted: env LANG
        ! ✓ compiled  python
        ! ✓ bound     sha256:a96c5dce81ee0a180d4c678103475db13b7ed2f0bbe7eb918eecc53834b86215 logged in oacp.local/[key] at index 0
        ! next: oacp run AGENT --allow-tool mine
    "#]]);
    session.stdout(&["tool", "remove", "mine"]);
    let arguments = ["tool", "add", "tool", "--yes", "--json"];
    let added: Value = serde_json::from_str(&session.stdout(&arguments)).unwrap();
    assert_eq!(
        added["permissions"]["rows"],
        json!([
            { "capability": "file_read", "what": session.path("tool/notes/today.txt"), "why": "main.py:9", "asked": "yes", "granted": "yes" },
            { "capability": "env", "what": "LANG", "why": "main.py:9", "asked": "no", "granted": "no" },
            { "capability": "network", "what": "api.example.com:443", "why": null, "asked": "yes", "granted": "yes" },
        ])
    );
    assert_eq!(
        added["permissions"]["cannot_work"][0]["what"],
        "threading.Thread"
    );
}

#[test]
fn what_a_component_imports_is_what_it_seems_to_use() {
    let session = Session::with_runtimes("manifest-component");
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/components");
    let add = |name: &str| {
        let component = std::fs::read(format!("{examples}/{name}/{name}.wasm")).unwrap();
        session.write("tool.wasm", component);
        let arguments = ["tool", "add", "tool.wasm", "--name", name, "--json"];
        let added: Value = serde_json::from_str(&session.stdout(&arguments)).unwrap();
        added["permissions"].clone()
    };
    let row = |capability, what, why| json!({ "capability": capability, "what": what, "why": format!("import of `wasi:{why}@0.2.12`"), "asked": "no", "granted": "no" });
    assert_eq!(
        add("word-count")["rows"],
        json!([
            row("env", "environment variables", "cli/environment"),
            row("file_read", "files", "filesystem/preopens"),
            row("file_write", "files", "filesystem/preopens"),
        ])
    );
    // It imports interfaces of types alone, which need no host.
    assert_eq!(add("spin-host"), json!({ "rows": [], "cannot_work": [] }));
}

#[cfg(unix)]
#[test]
fn a_person_is_asked_on_a_terminal() {
    let session = session("manifest-terminal");
    let add = ["tool", "add", "tool"];
    let ask = |answer| crate::ask::on_terminal(&session, &add, "grant it? [y/N]", &[answer]);
    let (code, _, shown) = ask("n");
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("not registered"), "{shown}");
    assert_eq!(session.stdout(&["tool", "list"]), "");
    let (code, _, shown) = ask("y");
    assert_eq!(code, 0, "{shown}");
    assert_eq!(call(&session, "notes", &[]).1, "\"rain \"\n");
}

#[test]
fn mistakes_of_a_manifest_are_named_with_line_and_column() {
    let session = Session::new("manifest-mistakes");
    session.write("tool/tool.py", TOOL);
    session.write("elsewhere/tool.py", TOOL);
    for (manifest, expected) in [
        (
            "name: a b\n",
            expect![[r#"
            $ oacp tool add tool
            ! error: tool/tool.yaml:1:7: not a package's name: expected 1 to 64 of the characters `A-Z a-z 0-9 _ -`, the first no `-`
            exit 3
        "#]],
        ),
        (
            "name: a\nversions: 1\n",
            expect![[r#"
            $ oacp tool add tool
            ! error: tool/tool.yaml:2:1: unknown key `versions`; did you mean `version`?
            !   hint: known here: `name`, `version`, `description`, `source`, `entry`, `capabilities`, `limits`, `instance`
            exit 3
        "#]],
        ),
        (
            "version: \"1\"\n",
            expect![[r#"
            $ oacp tool add tool
            ! error: tool/tool.yaml:1:1: the key `name` is missing
            exit 3
        "#]],
        ),
        (
            "name: a\ncapabilities:\n  file_read: [a, \"/x/**y\"]\n",
            expect![[r#"
                $ oacp tool add tool
                ! error: tool/tool.yaml:3:18: `**` must stand alone between slashes (column 4 of `/x/**y`)
                exit 3
            "#]],
        ),
        (
            "name: a\ncapabilities: { network: [\"a b\"] }\n",
            expect![[r#"
                $ oacp tool add tool
                ! error: tool/tool.yaml:2:27: `a b`: neither a host name nor an IP address
                exit 3
            "#]],
        ),
        (
            "name: a\ncapabilities:\n  network:\n    allowlist: [x, { host: \"*.x\", private: true }]\n",
            expect![[r#"
                $ oacp tool add tool
                ! error: tool/tool.yaml:4:20: `*.x:443`: `private` needs an exact host name or address
                exit 3
            "#]],
        ),
        (
            "name: a\ncapabilities: { tools: [\"not one\"] }\n",
            expect![[r#"
                $ oacp tool add tool
                ! error: tool/tool.yaml:2:25: not a tool name: expected 1 to 128 of the characters `A-Z a-z 0-9 _ . -`
                exit 3
            "#]],
        ),
        (
            "name: a\ncapabilities: { secrets: [TOKEN] }\n",
            expect![[r#"
                $ oacp tool add tool
                ! error: tool/tool.yaml:2:27: no secret `TOKEN` is defined
                !   hint: write it into the configuration: secrets: { TOKEN: { from: { env: TOKEN }, host: "api.example.com", header: "Authorization", prefix: "Bearer " } }
                exit 3
            "#]],
        ),
        (
            "name: a\nlimits:\n  memory_mb: 9999\n",
            expect![[r#"
            $ oacp tool add tool
            ! error: tool/tool.yaml:3:14: `limits.memory_mb` is 9999, expected 1 to 4096
            exit 3
        "#]],
        ),
        (
            "name: a\ninstance: forever\n",
            expect![[r#"
            $ oacp tool add tool
            ! error: tool/tool.yaml:2:11: unknown value `forever`
            !   hint: known here: `per_call`, `per_run`, `kept`
            exit 3
        "#]],
        ),
        (
            "name: a\nentry: ../up.py\n",
            expect![[r#"
            $ oacp tool add tool
            ! error: tool/tool.yaml:2:8: source path is absolute, or has a segment that is empty, `.` or `..`
            exit 3
        "#]],
        ),
        (
            "name: a\nsource: https://example.com/a.py\n",
            expect![[r#"
            $ oacp tool add tool
            ! error: tool/tool.yaml:2:9: `https://example.com/a.py`: it does not say what the file has to hash to; add `#sha256:` and the 64 digits that `sha256sum` prints for it
            exit 3
        "#]],
        ),
        (
            "name: a\nsource: { path: ., sha256: \"12\" }\n",
            expect![[r#"
                $ oacp tool add tool
                ! error: tool/tool.yaml:2:28: not a digest: expected `sha256:` and 64 lower-case hex digits
                exit 3
            "#]],
        ),
        (
            "name: a\nsource: ../elsewhere\n",
            expect![[r#"
            $ oacp tool add tool
            ! error: tool/tool.yaml:2:9: the source does not lie within the directory of tool.yaml
            exit 3
        "#]],
        ),
        (
            "name: a\nsource: {}\n",
            expect![[r#"
            $ oacp tool add tool
            ! error: tool/tool.yaml:2:9: `source` has exactly one of `path`, `url` and `oci`
            exit 3
        "#]],
        ),
    ] {
        session.write("tool/tool.yaml", manifest);
        session.check(&["tool", "add", "tool"], expected);
    }
}

#[test]
fn code_that_a_manifest_does_not_mean_is_refused() {
    let session = Session::with_runtimes("manifest-digest");
    session.write(
        "one.py",
        "def one() -> int:\n    \"\"\"One.\"\"\"\n    return 1\n",
    );
    session.write(
        "tool.yaml",
        format!(
            "name: one\nsource: {{ path: one.py, sha256: \"sha256:{}\" }}\n",
            "0".repeat(64)
        ),
    );
    session.check(&["tool", "add", "tool.yaml"], expect![[r#"
        $ oacp tool add tool.yaml
        ! one
        ! error: the code of `one` is sha256:a718bedd4ac5ca2421db9888d1343822451a85d6769762f19b7699044d8eaa9a, and `source.sha256` says sha256:0000000000000000000000000000000000000000000000000000000000000000
        exit 3
    "#]]);
}

fn configured(session: &Session, tools: &str) {
    session.write("oacp.yaml", tools);
    session.stdout(&["policy", "accept", "--yes"]);
}

const TOOLS: &str = "\
tools:
  notes:
    source: tool
    entry: main.py
    capabilities: { file_read: [\"notes/\"] }
    limits: { concurrency: 2 }
";

#[test]
fn a_tool_of_an_accepted_configuration_is_registered_when_it_is_first_needed() {
    let session = session("tools");
    session.write("oacp.yaml", TOOLS);
    let (_, _, said) = call(&session, "notes", &[]);
    assert!(said.contains("no tool `notes` is registered"), "{said}");
    session.check(
        &["policy", "accept", "--yes"],
        expect![[r#"
        $ oacp policy accept --yes
        oacp.yaml grants
          tool notes is taken from ~/tool
          tool notes is given file_read [dir]/notes/**
          tool notes is given concurrency 2
          limits: [size] of memory, [fuel]
        accepted oacp.yaml (5bfef9a4c4f6): runs in that directory use it until it changes
    "#]],
    );
    let run = [
        "run",
        "agent.py",
        "--input",
        r#"{"tool":"notes","arguments":{"name":"x"}}"#,
        "--allow-tool",
        "notes",
    ];
    session.check(&run, expect![[r#"
        $ oacp run agent.py --input {"tool":"notes","arguments":{"name":"x"}} --allow-tool notes
        "snow "
        ! ✓ registered notes sha256:1eab8e99db31390c427f82985e3f610b61699d38331df842cfaef102ce1dc4cb logged in oacp.local/[key] at index 0
        ! logged as entry 4 of oacp.local/[key] (5 entries)
        ! ok · [took] · [fuel] · 1 tool call · oacp verify ~/oacp/runs/[id].json
    "#]]);
    session.check(
        &run,
        expect![[r#"
        $ oacp run agent.py --input {"tool":"notes","arguments":{"name":"x"}} --allow-tool notes
        "snow "
        ! logged as entry 10 of oacp.local/[key] (11 entries)
        ! ok · [took] · [fuel] · 1 tool call · oacp verify ~/oacp/runs/[id].json
    "#]],
    );
    // Elsewhere it is what it is, and has no rights.
    session.write("other/agent.py", AGENT);
    let mut elsewhere = session.command(&run);
    let output = elsewhere
        .current_dir(session.path("other"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("is not granted"), "{said}");
}

#[test]
fn a_configuration_grants_its_tools_to_its_runs() {
    let session = session("tools-granted");
    configured(
        &session,
        &format!("{TOOLS}sandbox: {{ capabilities: {{ tools: [notes] }} }}\n"),
    );
    let input = r#"{"tool":"notes","arguments":{"name":"x"}}"#;
    let answer = session.stdout(&["run", "agent.py", "--input", input]);
    assert_eq!(answer, "\"snow \"\n");
    // Narrowed in the file, it is narrowed at once.
    configured(&session, &TOOLS.replace("file_read: [\"notes/\"]", ""));
    let (_, _, said) = call(&session, "notes", &[]);
    assert!(said.contains("is not granted"), "{said}");
}

#[test]
fn a_changed_tool_of_a_configuration_is_refused_until_it_is_accepted() {
    let session = session("tools-changed");
    configured(&session, TOOLS);
    assert_eq!(call(&session, "notes", &[]).1, "\"snow \"\n");
    session.write("tool/main.py", TOOL.replace("Reads a note", "Reads all"));
    let (ok, _, said) = call(&session, "notes", &[]);
    assert!(!ok && said.contains("is not what was registered"), "{said}");
    session.check(&["tool", "accept", "notes", "--yes"], expect![[r#"
        $ oacp tool accept notes --yes
        - notes description: Reads a note.
        + notes description: Reads all.
        - notes code: sha256:f5beb6a1bb0d27da7d762ea4d6eef226839d917ddd26ac0d82ad1b0972e7a824
        + notes code: sha256:e1614e8413a0c9c928170e7b33ae94712782aaad8edfffd4f050c7f7899b03fd
        ! note: tool.yaml asks for file_read [dir]/tool/notes/**, which the registration does not grant; accepting the change does not either
        ! note: tool.yaml asks for network api.example.com:443, which the registration does not grant; accepting the change does not either
        ! ✓ accepted  sha256:e0d559a654bcd5d5f3d6a9a5de6f9f55f6fb18a1d540438df51e4ec6b15f2595 logged in oacp.local/[key] at index 10
    "#]]);
    assert_eq!(call(&session, "notes", &[]).1, "\"snow \"\n");
    // And pinned in the file itself.
    configured(
        &session,
        &TOOLS.replace(
            "source: tool",
            &format!(
                "source: {{ path: tool, sha256: \"sha256:{}\" }}",
                "0".repeat(64)
            ),
        ),
    );
    let run = ["run", "agent.py", "--allow-tool", "notes"];
    session.check(&run, expect![[r#"
        $ oacp run agent.py --allow-tool notes
        ! error: the configuration has the tool `notes` as sha256:0000000000000000000000000000000000000000000000000000000000000000, and what is registered is sha256:05650ef20e20128e8ab622ea35776949a18f9fb88bc5ba8b07597ac21f6d07f2
        !   hint: mend `source.sha256` if that is the one that was meant; `oacp tool accept notes` shows what its file says now
        exit 3
    "#]]);
}

#[test]
fn two_tools_of_one_name_clash() {
    let session = session("tools-clash");
    session.write(
        "other.py",
        "def notes(name: str) -> str:\n    \"\"\"Other notes.\"\"\"\n    return name\n",
    );
    session.stdout(&["tool", "add", "other.py"]);
    configured(&session, TOOLS);
    let run = ["run", "agent.py", "--allow-tool", "notes"];
    session.check(&run, expect![[r#"
        $ oacp run agent.py --allow-tool notes
        ! error: the configuration has the tool `notes` from `[dir]/tool`, started at `main.py`, and the one that is registered comes from `[dir]/other.py`
        !   hint: give it another name in the configuration, or take the registered one out: oacp tool remove notes
        exit 3
    "#]]);
    configured(&session, &TOOLS.replace("  notes:", "  Notes:"));
    let run = ["run", "agent.py", "--allow-tool", "Notes"];
    session.check(
        &run,
        expect![[r#"
        $ oacp run agent.py --allow-tool Notes
        ! error: the tool `Notes` of the configuration
        !   cause: its name differs from that of the registered package `notes` only by case
        !   hint: give it another name in the configuration
        exit 3
    "#]],
    );
    session.write("oacp.yaml", TOOLS.replace("  notes:", "  \"no tes\":"));
    session.check(&["run", "agent.py", "--config", "oacp.yaml"], expect![[r#"
        $ oacp run agent.py --config oacp.yaml
        ! error: oacp.yaml:3:5: `no tes`: not a package's name: expected 1 to 64 of the characters `A-Z a-z 0-9 _ -`, the first no `-`
        exit 3
    "#]]);
}
