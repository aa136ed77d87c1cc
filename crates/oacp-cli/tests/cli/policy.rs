//! Which configuration counts, and what a policy would say.

use expect_test::expect;
use serde_json::Value;

use crate::session::Session;

const GRANTS: &str =
    "sandbox:\n  capabilities:\n    file_read: [\"./data/\"]\n    network: [\"api.example.com\"]\n";

fn with_agent(name: &str) -> Session {
    let session = Session::with_runtimes(name);
    session.write("agent.py", "def run(input):\n    return 1\n");
    session
}

fn rights(session: &Session, bundle: &str) -> Value {
    let shown: Value = serde_json::from_str(&session.stdout(&["show", bundle, "--json"])).unwrap();
    shown["statement"]["grant"]["capabilities"].clone()
}

#[test]
fn a_configuration_that_is_found_grants_nothing_until_it_is_accepted() {
    let session = with_agent("accept");
    session.write("oacp.yaml", GRANTS);
    session.check(&["run", "agent.py"], expect![[r#"
        $ oacp run agent.py
        1
        ! note: ./oacp.yaml is not used: a file that is merely found grants nothing; `oacp policy accept` shows what it grants and accepts it, --config oacp.yaml uses it once
        ! logged as entry 1 of oacp.local/[key] (2 entries)
        ! ok · [took] · [fuel] · oacp verify ~/oacp/runs/[id].json
    "#]]);
    session.check(
        &["policy", "accept"],
        expect![[r#"
        $ oacp policy accept
        ! oacp.yaml grants
        !   file_read [dir]/data/**
        !   network api.example.com:443
        !   limits: [size] of memory, [fuel]
        ! error: nobody can be asked, because there is no terminal
        !   hint: read what it grants, and give --yes
        exit 3
    "#]],
    );
    session.check(
        &["policy", "diff"],
        expect![[r#"
        $ oacp policy diff
        ! error: `oacp.yaml` was never accepted
        !   hint: `oacp policy accept oacp.yaml` shows what it grants and accepts it
        exit 3
    "#]],
    );
    session.check(
        &["policy", "accept", "--yes"],
        expect![[r#"
        $ oacp policy accept --yes
        oacp.yaml grants
          file_read [dir]/data/**
          network api.example.com:443
          limits: [size] of memory, [fuel]
        accepted oacp.yaml (855606fbb8ec): runs in that directory use it until it changes
    "#]],
    );
    session.check(
        &["policy", "diff"],
        expect![[r#"
        $ oacp policy diff
        no difference
    "#]],
    );
    session.stdout(&["run", "agent.py", "-q", "--bundle", "accepted.json"]);
    assert_eq!(
        rights(&session, "accepted.json")["network"]["allowlist"][0],
        "api.example.com:443"
    );

    session.write("oacp.yaml", format!("{GRANTS}    env: [\"*\"]\n"));
    session.check(
        &["run", "agent.py", "--bundle", "changed.json"],
        expect![[r#"
            $ oacp run agent.py --bundle changed.json
            1
            ! note: ./oacp.yaml is not used: it has changed since it was accepted; `oacp policy diff` shows what, `oacp policy accept` accepts it
            ! logged as entry 7 of oacp.local/[key] (8 entries)
            ! ok · [took] · [fuel] · oacp verify ~/changed.json
        "#]],
    );
    assert_eq!(rights(&session, "changed.json"), serde_json::json!({}));
    session.check(
        &["policy", "diff"],
        expect![[r#"
        $ oacp policy diff
        oacp.yaml (accepted) → oacp.yaml
        …
            capabilities:
              file_read: ["./data/"]
              network: ["api.example.com"]
        +     env: ["*"]

        what it grants
        + env *
        exit 1
    "#]],
    );
    session.check(&["policy", "diff", "--json"], expect![[r#"
        $ oacp policy diff --json
        {"changed":true,"grants":{"added":["env *"],"removed":[]},"lines":[" sandbox:","   capabilities:","     file_read: [\"./data/\"]","     network: [\"api.example.com\"]","+    env: [\"*\"]"]}
        exit 1
    "#]]);
    // The same file by another way is the same file.
    session.check(
        &["policy", "accept", "./../accept/oacp.yaml", "-y", "--json"],
        expect![[r#"
            $ oacp policy accept ./../accept/oacp.yaml -y --json
            {"accepted":true,"file":"./../accept/oacp.yaml","grants":["file_read [dir]/data/**","network api.example.com:443","env *","limits: [size] of memory, [fuel]"],"sha256":"sha256:1f6f8de393174f19ae941ca3e2ca91c71a8f426c3cc5cf5b953a04b7329ff6f4"}
        "#]],
    );
    session.check(
        &["policy", "diff"],
        expect![[r#"
        $ oacp policy diff
        no difference
    "#]],
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let list = std::fs::metadata(session.path("oacp/accepted.json")).unwrap();
        assert_eq!(list.permissions().mode() & 0o777, 0o600);
    }
}

#[cfg(unix)]
#[test]
fn a_link_or_a_pipe_of_that_name_is_found_and_not_waited_for() {
    let session = with_agent("accept-odd");
    std::os::unix::fs::symlink("nowhere", session.path("oacp.yaml")).unwrap();
    let note = |session: &Session| {
        let output = session.oacp(&["run", "agent.py"]);
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(note(&session).contains("./oacp.yaml is not used"));
    std::fs::remove_file(session.path("oacp.yaml")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(session.path("oacp.yaml"))
        .status();
    assert!(made.unwrap().success());
    assert!(note(&session).contains("./oacp.yaml is not used"));
}

#[test]
fn two_files_are_compared() {
    let session = Session::new("policy-diff");
    session.write("a.yaml", GRANTS);
    session.write("b.yaml", GRANTS.replace("api.", "*."));
    session.check(
        &["policy", "diff", "a.yaml", "b.yaml"],
        expect![[r#"
        $ oacp policy diff a.yaml b.yaml
        a.yaml → b.yaml
          sandbox:
            capabilities:
              file_read: ["./data/"]
        -     network: ["api.example.com"]
        +     network: ["*.example.com"]

        what it grants
        - network api.example.com:443
        + network *.example.com:443
        exit 1
    "#]],
    );
    session.check(
        &["policy", "diff", "a.yaml", "a.yaml"],
        expect![[r#"
        $ oacp policy diff a.yaml a.yaml
        no difference
    "#]],
    );
    session.write("b.yaml", "sandbocks: {}\n");
    session.check(
        &["policy", "diff", "a.yaml", "b.yaml"],
        expect![[r#"
        $ oacp policy diff a.yaml b.yaml
        a.yaml → b.yaml
        - sandbox:
        -   capabilities:
        -     file_read: ["./data/"]
        -     network: ["api.example.com"]
        + sandbocks: {}

        what it grants
        - file_read [dir]/data/**
        - network api.example.com:443
        - limits: [size] of memory, [fuel]
        + nothing: b.yaml:1:1: unknown key `sandbocks`
        exit 1
    "#]],
    );
}

#[test]
fn what_is_accepted_is_shown_in_full_with_the_programs_that_it_starts() {
    let session = Session::new("policy-accept-shown");
    session.write(
        "oacp.yaml",
        "secrets:\n  TOKEN:\n    from: { command: [\"pass\", \"show\", \"github\"] }\n    host: api.example.com\n    header: Authorization\n    prefix: \"Bearer \"\n\
         sandbox:\n  denials: fatal\n  egress: { proxy: \"http://me:hunter2@proxy.example.com:3128\", ca_file: ca.pem, timeout_ms: 5000 }\n  capabilities:\n    file_write: [\"/tmp/*\"]\n    \
         network: { allowlist: [\"api.example.com\", { host: \"127.0.0.1:80\", private: true }], denylist: [\"10.0.0.0/8\"] }\n    env: [LANG]\n    secrets: [TOKEN]\n",
    );
    session.check(
        &["policy", "accept", "--yes"],
        expect![[r#"
            $ oacp policy accept --yes
            oacp.yaml grants
              file_write /tmp/*
              network api.example.com:443
              network 127.0.0.1:80 (also in a private network)
              network never 10.0.0.0/8
              env LANG
              secret TOKEN into the header `authorization` of api.example.com:443
              denials are fatal
              secret TOKEN is taken from what this program prints: ["pass", "show", "github"]
              requests go through the proxy http://proxy.example.com:3128
              trusts the certificates of ~/ca.pem
              requests may take [took]
              limits: [size] of memory, [fuel]
            accepted oacp.yaml (c5622cc90e16): runs in that directory use it until it changes
        "#]],
    );
}

#[test]
fn a_policy_explains_itself() {
    let session = Session::new("policy-explain");
    session.write(
        "oacp.yaml",
        "sandbox:\n  capabilities:\n    file_read: [\"./data/*.csv\"]\n    file_write: [\"/tmp/*\"]\n    network:\n      allowlist: [\"*.example.com\"]\n      denylist: [\"bad.example.com\"]\n    env: [\"LANG\"]\n",
    );
    let explain = |what: &[&str], expected: expect_test::Expect| {
        let command = [&["policy", "explain", "--config", "oacp.yaml"], what].concat();
        session.check(&command, expected);
    };
    explain(
        &["./data/a.csv"],
        expect![[r#"
        $ oacp policy explain --config oacp.yaml ./data/a.csv
        allowed  file_read [dir]/data/a.csv
          · file_read `[dir]/data/*.csv`: allows it
        denied  file_write [dir]/data/a.csv
          · file_write `/tmp/*`: does not mean it
          · file_write: nothing else is allowed
          fix: --allow-write [dir]/data/a.csv  on the command line
          fix: file_write: ["[dir]/data/a.csv"]  under sandbox.capabilities in oacp.yaml
        exit 1
    "#]],
    );
    explain(
        &["--read", "./data/a.csv"],
        expect![[r#"
        $ oacp policy explain --config oacp.yaml --read ./data/a.csv
        allowed  file_read [dir]/data/a.csv
          · file_read `[dir]/data/*.csv`: allows it
    "#]],
    );
    explain(
        &["--write", "/etc/passwd"],
        expect![[r#"
        $ oacp policy explain --config oacp.yaml --write /etc/passwd
        denied  file_write /etc/passwd
          · file_write `/tmp/*`: does not mean it
          · file_write: nothing else is allowed
          fix: --allow-write /etc/passwd  on the command line
          fix: file_write: ["/etc/passwd"]  under sandbox.capabilities in oacp.yaml
        exit 1
    "#]],
    );
    explain(
        &["https://api.example.com/x"],
        expect![[r#"
        $ oacp policy explain --config oacp.yaml https://api.example.com/x
        allowed  network https://api.example.com/x
          · network.allowlist `*.example.com:443`: allows it
          · network.denylist `bad.example.com`: does not mean it
          · its addresses: judged once the name is resolved, by the deny-list and the special ranges
    "#]],
    );
    explain(
        &["https://bad.example.com/"],
        expect![[r#"
            $ oacp policy explain --config oacp.yaml https://bad.example.com/
            denied  network https://bad.example.com/
              · network.allowlist `*.example.com:443`: allows it
              · network.denylist `bad.example.com`: denies it
              · its addresses: judged once the name is resolved, by the deny-list and the special ranges
              fix: leave out --deny-net bad.example.com, or remove "bad.example.com" from network.denylist under sandbox.capabilities in oacp.yaml
            exit 1
        "#]],
    );
    explain(
        &["http://[::ffff:127.0.0.1]/"],
        expect![[r#"
            $ oacp policy explain --config oacp.yaml http://[::ffff:127.0.0.1]/
            denied  network http://[::ffff:7f00:1]/
              · network.allowlist `*.example.com:443`: does not mean it
              · network.allowlist: nothing else is allowed
              · special range `loopback`: it is in there, and needs an exact rule with `private`
              fix: --allow-net '[::ffff:7f00:1]:80'  on the command line
              fix: network: {allowlist: [{host: "[::ffff:7f00:1]:80", private: true}]}  under sandbox.capabilities in oacp.yaml
            exit 1
        "#]],
    );
    explain(
        &["--net", "api.example.com:8443"],
        expect![[r#"
        $ oacp policy explain --config oacp.yaml --net api.example.com:8443
        denied  network https://api.example.com:8443/
          · network.allowlist `*.example.com:443`: does not mean it
          · network.allowlist: nothing else is allowed
          · its addresses: judged once the name is resolved, by the deny-list and the special ranges
          fix: --allow-net api.example.com:8443  on the command line
          fix: network: {allowlist: ["api.example.com:8443"]}  under sandbox.capabilities in oacp.yaml
        exit 1
    "#]],
    );
    explain(
        &["LANG"],
        expect![[r#"
        $ oacp policy explain --config oacp.yaml LANG
        allowed  env LANG
          · env `LANG`: allows it
    "#]],
    );
    explain(
        &["OACP_HOME"],
        expect![[r#"
            $ oacp policy explain --config oacp.yaml OACP_HOME
            denied  env OACP_HOME
              · `OACP_HOME`: OACP's own setting, never granted
              · withheld, whatever is granted: OACP itself reads it, or a secret is taken from it
              fix: give the guest's variable another name
            exit 1
        "#]],
    );
    explain(
        &["--json", "--read", "/etc/passwd"],
        expect![[r#"
        $ oacp policy explain --config oacp.yaml --json --read /etc/passwd
        [{"allowed":false,"asked":"/etc/passwd","capability":"file_read","denial":{"asked":"/etc/passwd","capability":"file_read","code":"file_read_not_granted","fix":["--allow-read /etc/passwd  on the command line","file_read: [\"/etc/passwd\"]  under sandbox.capabilities in oacp.yaml"],"nearest":null,"rule":"default deny"},"rules":["file_read `[dir]/data/*.csv`: does not mean it","file_read: nothing else is allowed"]}]
        exit 1
    "#]],
    );
    explain(
        &["~/x"],
        expect![[r#"
        $ oacp policy explain --config oacp.yaml ~/x
        ! error: `~/x`: `~` is not expanded by OACP
        !   hint: write it out
        exit 3
    "#]],
    );
    explain(
        &["ftp://x/"],
        expect![[r#"
        $ oacp policy explain --config oacp.yaml ftp://x/
        ! error: `ftp://x/` cannot be asked for
        !   cause: URL's scheme is neither `https` nor `http`
        exit 3
    "#]],
    );

    // What the founding document hands to a tool, as it stands there.
    session.write(
        "tool.yaml",
        r#"{
    "file_read": ["/data/allowed/*"],
    "file_write": [],
    "network": ["api.trusted.com:443"],
    "env": ["USER", "HOME"],
}
"#,
    );
    let tool = |what: &[&str]| {
        let command = [&["policy", "explain", "--grant", "tool.yaml"], what].concat();
        session.oacp(&command).status.code().unwrap()
    };
    assert_eq!(tool(&["--read", "/data/allowed/a"]), 0);
    assert_eq!(tool(&["--write", "/data/allowed/a"]), 1);
    assert_eq!(tool(&["https://api.trusted.com/"]), 0);
    assert_eq!(tool(&["https://trusted.com/"]), 1);
    assert_eq!((tool(&["HOME"]), tool(&["PATH"])), (0, 1));

    // Nothing counts here: the file was never accepted.
    session.check(&["policy", "explain", "LANG"], expect![[r#"
        $ oacp policy explain LANG
        denied  env LANG
          · env: nothing else is allowed
          fix: --allow-env LANG  on the command line
          fix: env: [LANG]  under sandbox.capabilities in oacp.yaml
        ! note: ./oacp.yaml is not used: a file that is merely found grants nothing; `oacp policy accept` shows what it grants and accepts it, --config oacp.yaml uses it once
        exit 1
    "#]]);
}

#[test]
fn a_bundle_s_grant_is_explained() {
    let session = with_agent("policy-explain-bundle");
    session.stdout(&[
        "run",
        "agent.py",
        "--allow-read",
        "/etc/hosts",
        "--bundle",
        "run.json",
    ]);
    session.check(
        &["policy", "explain", "run.json", "--read", "/etc/hosts"],
        expect![[r#"
            $ oacp policy explain run.json --read /etc/hosts
            allowed  file_read /etc/hosts
              · file_read `/etc/hosts`: allows it
        "#]],
    );
    session.check(
        &["policy", "explain", "run.json", "--read", "/etc/passwd"],
        expect![[r#"
            $ oacp policy explain run.json --read /etc/passwd
            denied  file_read /etc/passwd
              · file_read `/etc/hosts`: does not mean it
              · file_read: nothing else is allowed
              fix: --allow-read /etc/passwd  on the command line
              fix: file_read: ["/etc/passwd"]  under sandbox.capabilities in oacp.yaml
            exit 1
        "#]],
    );
}

#[test]
fn recorded_runs_are_judged_under_a_new_policy() {
    let session = Session::with_runtimes("policy-test");
    session.write("data/a.csv", "1\n");
    session.write(
        "agent.py",
        "def run(input):\n    seen = [open('data/a.csv').read()]\n    try:\n        open('/etc/passwd')\n    except PermissionError:\n        seen.append('no')\n    return seen\n",
    );
    session.stdout(&[
        "run",
        "agent.py",
        "--allow-read",
        "data/",
        "--bundle",
        "run.json",
    ]);
    session.write(
        "new.yaml",
        "sandbox: { capabilities: { file_read: [/etc/passwd] } }\n",
    );
    session.check(
        &["policy", "test", "run.json", "--policy", "new.yaml"],
        expect![[r#"
            $ oacp policy test run.json --policy new.yaml
            [id]
              newly denied   file_read [dir]/data/a.csv  event 3
                             rule default deny
              newly allowed  file_read /etc/passwd  event 4
            exit 1
        "#]],
    );
    session.write(
        "same.yaml",
        "sandbox: { capabilities: { file_read: [./data/] } }\n",
    );
    session.check(
        &["policy", "test", "run.json", "--policy", "same.yaml"],
        expect![[r#"
            $ oacp policy test run.json --policy same.yaml
            [id]
              nothing changes  2 judged
        "#]],
    );
    let answer = session.oacp(&[
        "policy", "test", "run.json", "--policy", "new.yaml", "--json",
    ]);
    assert_eq!(answer.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(answer[0]["newly_denied"][0]["capability"], "file_read");
    assert_eq!(answer[0]["newly_allowed"][0]["asked"], "/etc/passwd");

    session.stdout(&["show", "run.json", "--redact", "public.json"]);
    session.check(
        &["policy", "test", "public.json", "--policy", "new.yaml"],
        expect![[r#"
            $ oacp policy test public.json --policy new.yaml
            ! error: `public.json` cannot be judged: its events are withheld or were not recorded
            !   hint: a run at level `execution`, not redacted, has them
            exit 2
        "#]],
    );
    session.check(
        &["policy", "test", "none.json", "--policy", "new.yaml"],
        expect![[r#"
            $ oacp policy test none.json --policy new.yaml
            ! error: no run `none.json`
            !   hint: `oacp runs` lists them; the bundle of a run with --bundle is where that said, and not listed
            exit 3
        "#]],
    );
}
