//! What a run is granted, what it is denied, and what is learnt from that.

use expect_test::expect;
use serde_json::Value;

use crate::session::Session;

const READER: &str = "def run(input):\n    return open(input).read()\n";

#[test]
fn the_first_denial_of_a_newcomer_says_how_to_mend_it() {
    let session = Session::with_runtimes("first-denial");
    session.write("agent.py", READER);
    let run = ["run", "agent.py", "--input", "\"/etc/hostname\""];
    session.check(&run, expect![[r#"
        $ oacp run agent.py --input "/etc/hostname"
        ! denied: PermissionError: file_read `/etc/hostname` is not granted (default deny); to allow it: --allow-read /etc/hostname on the command line, or file_read: ["/etc/hostname"] under sandbox.capabilities in oacp.yaml
        !   at agent.py:2
        !     Traceback (most recent call last):
        !       File "agent.py", line 2, in run
        !         return open(input).read()
        !                ~~~~^^^^^^^
        !     PermissionError: [Errno 2] Permission denied: '/etc/hostname'
        !   hint: grant it, or let the agent catch it; `oacp run --ask` asks, `--learn` writes the grant
        ! denied: file_read `/etc/hostname` is not granted
        !   rule:    default deny (file_read_not_granted)
        !   fix:     --allow-read /etc/hostname  on the command line
        !   fix:     file_read: ["/etc/hostname"]  under sandbox.capabilities in oacp.yaml
        ! logged as entry 1 of oacp.local/[key] (2 entries)
        ! denied · [took] · [fuel] · 1 denied · oacp verify ~/oacp/runs/[id].json
        exit 1
    "#]]);
    // The fix, as it stands there.
    let fixed = session.oacp(&[&run[..], &["--allow-read", "/etc/hostname"]].concat());
    assert!(
        fixed.status.success(),
        "{}",
        String::from_utf8_lossy(&fixed.stderr)
    );

    let output = session.oacp(&[&run[..], &["--json", "--bundle", "denied.json"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["outcome"], "denied");
    expect![[r#"
        [
          {
            "asked": "/etc/hostname",
            "capability": "file_read",
            "code": "file_read_not_granted",
            "fix": [
              "--allow-read /etc/hostname  on the command line",
              "file_read: [\"/etc/hostname\"]  under sandbox.capabilities in oacp.yaml"
            ],
            "nearest": null,
            "rule": "default deny"
          }
        ]
    "#]]
    .assert_eq(&format!("{:#}\n", answer["denials"]));
    session.check(&["explain", "denied.json"], expect![[r#"
        $ oacp explain denied.json
        [id]  denied: the guest asked for a right that is not granted, and did not catch the denial.
        Grant what was asked for: `oacp explain RUN` says how. Or let the agent catch it: CapabilityDenied is a PermissionError.

        denied: file_read `/etc/hostname` is not granted
          rule:    default deny (file_read_not_granted)
          fix:     --allow-read /etc/hostname  on the command line
          fix:     file_read: ["/etc/hostname"]  under sandbox.capabilities in oacp.yaml
    "#]]);
    session.check(&["explain", "file_read_not_granted"], expect![[r#"
        $ oacp explain file_read_not_granted
        file_read_not_granted: The agent asked to read a file, or to list a directory, that no pattern of `file_read` means. Nothing is granted by default, and a right to write is not a right to read. In a pattern `*` stands for anything within one name and `**` for any number of directories; `dir/` means everything in `dir`. Grant exactly what the agent needs, with the flag or the line that the denial proposes.
    "#]]);
}

#[test]
fn a_denial_that_was_caught_is_told_once_with_its_count() {
    let session = Session::with_runtimes("caught-denial");
    session.write(
        "agent.py",
        "import os\ndef run(input):\n    for n in range(3):\n        try:\n            open('/etc/passwd')\n        except PermissionError as e:\n            pass\n    return 'well'\n",
    );
    session.check(
        &["run", "agent.py"],
        expect![[r#"
            $ oacp run agent.py
            "well"
            ! denied: file_read `/etc/passwd` is not granted  (3x)
            !   rule:    default deny (file_read_not_granted)
            !   fix:     --allow-read /etc/passwd  on the command line
            !   fix:     file_read: ["/etc/passwd"]  under sandbox.capabilities in oacp.yaml
            ! logged as entry 1 of oacp.local/[key] (2 entries)
            ! ok · [took] · [fuel] · 3 denied · oacp verify ~/oacp/runs/[id].json
        "#]],
    );
}

#[test]
fn malformed_patterns_are_refused_with_their_column() {
    let session = Session::new("patterns");
    session.write("agent.py", READER);
    let refused = |flag: &str, pattern: &str| {
        let output = session.oacp(&["run", "agent.py", flag, pattern]);
        assert_eq!(output.status.code(), Some(3), "{flag} {pattern}");
        let text = String::from_utf8(output.stderr).unwrap();
        text.replace(
            session.path("").to_str().unwrap().trim_end_matches('/'),
            "[dir]",
        )
    };
    let mut text = String::new();
    for (flag, pattern) in [
        ("--allow-read", ""),
        ("--allow-read", "/a/b**"),
        ("--allow-read", "/a//b"),
        ("--allow-read", "/a/../b"),
        ("--allow-write", "~/x"),
        ("--allow-write", "a\nb"),
        ("--allow-net", "https://example.com"),
        ("--allow-net", "ex*mple.com"),
        ("--allow-net", "example.com:0"),
        ("--allow-net", "::1"),
        ("--allow-net", "127.1:80"),
        ("--deny-net", "10.0.0.1/8"),
        ("--allow-env", "A-B"),
        ("--allow-env", "1A"),
        ("--secret", "no such"),
        ("--secret", "TOKEN"),
    ] {
        text.push_str(&refused(flag, pattern));
    }
    expect![[r#"
        error: --allow-read: pattern is empty (column 1 of ``)
        error: --allow-read: `**` must stand alone between slashes (column 5 of `/a/b**`)
        error: --allow-read: a name is missing between two slashes (column 4 of `/a//b`)
        error: --allow-read: `.` and `..` may only stand at the beginning of a relative pattern (column 4 of `/a/../b`)
        error: --allow-write: `~` is expanded by shells and not by OACP: write the directory out, or `./~…` for a name that begins so (column 1 of `~/x`)
        error: --allow-write: control character (column 2 of `a\nb`)
        error: --allow-net: `https://example.com`: a rule is a host and a port, not a URL: leave out `https://` and the path
        error: --allow-net: `ex*mple.com`: `*` stands alone, or as `*.` before a name
        error: --allow-net: `example.com:0`: a port is 1 to 65535, a range of two such as `8000-8100`, or `*`
        error: --allow-net: `::1`: an IPv6 address stands in brackets, as `[::1]:443`
        error: --allow-net: `127.1:80`: write this address as `127.0.0.1`
        error: --deny-net: `10.0.0.1/8`: bits are set beyond the network's: did you mean `10.0.0.0/8`
        error: --allow-env: `A-B`: a variable's name has the characters `A-Z a-z 0-9 _`, the first no digit; `*` stands for any
        error: --allow-env: `1A`: a variable's name has the characters `A-Z a-z 0-9 _`, the first no digit; `*` stands for any
        error: invalid value 'no such' for '--secret <NAME>': not a secret's name: expected 1 to 128 of the characters `A-Z a-z 0-9 _ . -`, the first a letter or `_`

        For more information, try '--help'.
        error: no secret `TOKEN` is defined
          hint: write it into the configuration: secrets: { TOKEN: { from: { env: TOKEN }, host: "api.example.com", header: "Authorization", prefix: "Bearer " } }
    "#]].assert_eq(&text);
    assert!(!session.path("oacp").exists(), "nothing was begun");
}

#[test]
fn the_founding_document_s_capabilities_are_granted_as_they_stand_there() {
    let session = Session::with_runtimes("founding");
    session.write("agent.py", "def run(input):\n    return 1\n");
    let block = "sandbox:\n  default_type: \"standard\"\n  \n  wasm:\n    runtime: \"wasmtime\"\n    memory_limit_mb: 512\n    cpu_quota_ms: 1000\n    \n  capabilities:\n    file_read: [\"/data/*\"]\n    file_write: [\"/tmp/*\"]\n    network:\n      allowlist: [\"*.trusted.com\"]\n      denylist: [\"169.254.0.0/16\"]\n    env: [\"USER\", \"HOME\", \"OACP_*\"]\n";
    session.write("oacp.yaml", block);
    session.stdout(&[
        "run",
        "agent.py",
        "--config",
        "oacp.yaml",
        "--bundle",
        "run.json",
    ]);
    let shown: Value =
        serde_json::from_str(&session.stdout(&["show", "run.json", "--json"])).unwrap();
    expect![[r#"
        {
          "env": [
            "HOME",
            "OACP_*",
            "USER"
          ],
          "file_read": [
            "/data/*"
          ],
          "file_write": [
            "/tmp/*"
          ],
          "network": {
            "allowlist": [
              "*.trusted.com:443"
            ],
            "denylist": [
              "169.254.0.0/16"
            ]
          }
        }
    "#]]
    .assert_eq(&format!(
        "{:#}\n",
        shown["statement"]["grant"]["capabilities"]
    ));
    let text = session.stdout(&["show", "run.json"]);
    assert!(text.contains("rights     file_read /data/*"), "{text}");
}

#[test]
fn an_agent_sees_the_variables_that_are_granted_and_no_others() {
    let session = Session::with_runtimes("variables");
    session.write(
        "agent.py",
        "import os\ndef run(input):\n    return dict(os.environ)\n",
    );
    let run = |arguments: &[&str]| {
        let arguments = [&["run", "agent.py", "-q"], arguments].concat();
        let mut command = session.command(&arguments);
        command
            .env("APP_PORT", "80")
            .env("APP_KEY", "k")
            .env("LANG", "C");
        let output = command.output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(run(&[]), serde_json::json!({}));
    assert_eq!(
        run(&["--allow-env", "APP_*"]),
        serde_json::json!({ "APP_PORT": "80", "APP_KEY": "k" })
    );
    let all = run(&["--allow-env", "*"]);
    assert_eq!(all["LANG"], "C");
    assert!(all.get("OACP_HOME").is_none(), "{all}");
}

#[test]
fn what_an_agent_writes_is_written_when_it_ended_well() {
    let session = Session::with_runtimes("writes");
    session.write("out/old.txt", "before");
    session.write(
        "agent.py",
        "import os\ndef run(input):\n    open('out/new.txt', 'w').write('new')\n    open('out/old.txt', 'w').write('after')\n    if input: raise ValueError(input)\n    return os.listdir('out')\n",
    );
    let rights = ["--allow-read", "out/", "--allow-write", "out/"];
    let failed = session.oacp(&[&["run", "agent.py", "--input", "1"], &rights[..]].concat());
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(session.read("out/old.txt"), b"before");
    session.check(
        &[&["run", "agent.py", "--bundle", "run.json"], &rights[..]].concat(),
        expect![[r#"
            $ oacp run agent.py --bundle run.json --allow-read out/ --allow-write out/
            ["new.txt","old.txt"]
            ! logged as entry 4 of oacp.local/[key] (5 entries)
            ! ok · [took] · [fuel] · 2 changes written · oacp verify ~/run.json
        "#]],
    );
    assert_eq!(session.read("out/old.txt"), b"after");
    assert_eq!(session.read("out/new.txt"), b"new");
    session.check(&["show", "run.json"], expect![[r#"
        $ oacp show run.json
        [id]  ok  [time]
          agent      agent.py  sha256:f006059c0f425815532264d9afe5c4bfc9ce8ff03f7c5e4c4061a6200a9412c2
          input      sha256:74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b
          output     sha256:5d004071c82b4b904b93849659243c6d53f16ef4e82e69aac89f2a2f29fd20c1
          principal  local uid [uid]
          sandbox    [id]  number 0
          isolation  STANDARD  level EXECUTION
          runtime    [runtime]  wasmtime 48.0.8
          rights     file_read [dir]/out/**
                     file_write [dir]/out/**
          used       [took] · [fuel] · [size] of memory · 0 tool calls
          again      re-executable
          log        oacp.local/[key]  entry 4, its delegation at 3
                     checkpoint of 5 entries

        input
          null

        output
          ["new.txt","old.txt"]

        source
          agent.py  [size]

        events
             0  start       clock [time]  seed [seed]…  in [dir]
             1  stat        [dir]  a directory
             2  stat        [dir]/out/new.txt  nothing there
             3  stat        [dir]/out  a directory
             4  stat        [dir]/out/old.txt  a file, [size]
             5  read        [dir]/out/old.txt  before
             6  list        [dir]/out  [["old.txt","file"]]
             7  write       [dir]/out/new.txt  created, done  new
             8  write       [dir]/out/old.txt  replaced, done  after

        private content: contents, events, input, output, source  oacp show --redact OUT leaves it out
    "#]]);
    session.check(
        &["replay", "run.json"],
        expect![[r#"
        $ oacp replay run.json
        confirmed: output, outcome, every event and the fuel are the same
    "#]],
    );
}

#[test]
fn a_file_that_somebody_else_changed_is_left_as_it_is() {
    let session = Session::with_runtimes("conflict");
    session.write("out/a.txt", "before");
    session.write(
        "agent.py",
        "import time\ndef run(input):\n    text = open('out/a.txt').read()\n    print('read')\n    time.sleep(1)\n    open('out/a.txt', 'w').write(text + ' and after')\n    return 1\n",
    );
    let arguments = [
        "run",
        "agent.py",
        "--allow-read",
        "out/",
        "--allow-write",
        "out/",
        "--json",
    ];
    let mut child = session.command(&arguments).spawn().unwrap();
    let mut line = String::new();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    while !line.contains("read") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut stderr, &mut line).unwrap() > 0);
    }
    session.write("out/a.txt", "somebody else's");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["outcome"], "ok");
    assert_eq!(answer["writes"][0]["result"], "conflict", "{answer}");
    assert_eq!(session.read("out/a.txt"), b"somebody else's");
}

#[test]
fn the_smallest_grant_is_learnt_and_added_to() {
    let session = Session::with_runtimes("learn");
    session.write(
        "agent.py",
        "import os\ndef run(input):\n    for name in ('data/a.csv', 'data/b.csv', 'data/c.csv', '/etc/hostname'):\n        try:\n            open(name).read()\n        except PermissionError:\n            pass\n    return 1\n",
    );
    for name in ["a", "b", "c"] {
        session.write(&format!("data/{name}.csv"), name);
    }
    session.check(&["run", "agent.py", "--learn"], expect![[r#"
        $ oacp run agent.py --learn
        1
        ! logged as entry 1 of oacp.local/[key] (2 entries)
        ! ok · [took] · [fuel] · 4 denied · oacp verify ~/oacp/runs/[id].json
        ! was denied: file_read /etc/hostname (1x)  file_read [dir]/data/a.csv (1x)  file_read [dir]/data/b.csv (1x)  file_read [dir]/data/c.csv (1x)
        ! wrote oacp.learned.yaml: read it, then oacp run … --config oacp.learned.yaml
    "#]]);
    let text = String::from_utf8(session.read("oacp.learned.yaml")).unwrap();
    let text = text.replace(
        session.path("").to_str().unwrap().trim_end_matches('/'),
        "[dir]",
    );
    assert!(text.contains("- \"[dir]/data/*.csv\" # 3x\n"), "{text}");
    assert!(text.contains("- \"/etc/hostname\" # 1x\n"), "{text}");
    // It is a configuration, under which nothing more is denied.
    let output = session.oacp(&["run", "agent.py", "--config", "oacp.learned.yaml", "--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["denials"], serde_json::json!([]));

    session.stdout(&["run", "agent.py", "--learn"]);
    let text = String::from_utf8(session.read("oacp.learned.yaml")).unwrap();
    assert!(text.contains("*.csv\" # 6x\n"), "{text}");
    assert_eq!(text.matches("\n# run ").count(), 2);

    session.write("oacp.learned.yaml", format!("{text}# mine\n"));
    session.check(&["run", "agent.py", "--learn"], expect![[r#"
        $ oacp run agent.py --learn
        ! error: `oacp.learned.yaml` was edited since --learn wrote it
        !   hint: what is there is not written over: name another file with --learn-file FILE, or move it away
        exit 3
    "#]]);
    session.write("other.yaml", "sandbox: {}\n");
    session.check(
        &["run", "agent.py", "--learn", "--learn-file", "other.yaml"],
        expect![[r#"
            $ oacp run agent.py --learn --learn-file other.yaml
            ! error: `other.yaml` was not written by --learn
            !   hint: what is there is not written over: name another file with --learn-file FILE, or move it away
            exit 3
        "#]],
    );
    session.check(
        &[
            "run",
            "agent.py",
            "--learn=allow-reads",
            "--learn-file",
            "reads.yaml",
            "--bundle",
            "reads.json",
        ],
        expect![[r#"
            $ oacp run agent.py --learn=allow-reads --learn-file reads.yaml --bundle reads.json
            1
            ! logged as entry 10 of oacp.local/[key] (11 entries)
            ! ok · [took] · [fuel] · 1 denied · oacp verify ~/reads.json
            ! would have been denied: file_read /etc/hostname (1x)  file_read [dir]/data/a.csv (1x)  file_read [dir]/data/b.csv (1x)  file_read [dir]/data/c.csv (1x)
            ! wrote reads.yaml: read it, then oacp run … --config reads.yaml
        "#]],
    );
    let text = String::from_utf8(session.read("reads.yaml")).unwrap();
    assert!(text.contains("data/*.csv"), "{text}");
}

#[test]
fn without_a_terminal_nobody_is_asked_and_it_is_denied() {
    let session = Session::with_runtimes("ask-headless");
    session.write("agent.py", READER);
    session.check(
        &["run", "agent.py", "--ask", "--input", "\"/etc/hostname\""],
        expect![[r#"
            $ oacp run agent.py --ask --input "/etc/hostname"
            ! note: nobody can be asked, because there is no terminal: what is not granted is denied
            ! denied: PermissionError: file_read `/etc/hostname` is not granted (default deny); to allow it: --allow-read /etc/hostname on the command line, or file_read: ["/etc/hostname"] under sandbox.capabilities in oacp.yaml
            !   at agent.py:2
            !     Traceback (most recent call last):
            !       File "agent.py", line 2, in run
            !         return open(input).read()
            !                ~~~~^^^^^^^
            !     PermissionError: [Errno 2] Permission denied: '/etc/hostname'
            !   hint: grant it, or let the agent catch it; `oacp run --ask` asks, `--learn` writes the grant
            ! denied: file_read `/etc/hostname` is not granted
            !   rule:    default deny (file_read_not_granted)
            !   fix:     --allow-read /etc/hostname  on the command line
            !   fix:     file_read: ["/etc/hostname"]  under sandbox.capabilities in oacp.yaml
            ! logged as entry 1 of oacp.local/[key] (2 entries)
            ! denied · [took] · [fuel] · 1 denied · oacp verify ~/oacp/runs/[id].json
            exit 1
        "#]],
    );
}

#[test]
fn an_agent_that_offers_no_function_and_prints_nothing_gets_a_note() {
    let session = Session::with_runtimes("silent");
    session.write("agent.py", "def start(input):\n    return 1\n");
    session.check(&["run", "agent.py"], expect![[r#"
        $ oacp run agent.py
        ""
        ! logged as entry 1 of oacp.local/[key] (2 entries)
        ! ok · [took] · [fuel] · oacp verify ~/oacp/runs/[id].json
        ! note: the agent defines no function `run` or `main`, and printed nothing: it was run as a script, and its result is empty
    "#]]);
}
