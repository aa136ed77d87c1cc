use expect_test::expect;
use serde_json::Value;

use crate::session::Session;

#[test]
fn limits_and_level_come_from_a_named_file() {
    let session = Session::with_runtimes("config");
    session.write("agent.py", "def run(input):\n    return 1\n");
    session.write("oacp.yaml", "sandbox:\n  wasm: { memory_limit_mb: 64, cpu_quota_ms: 500 }\nattestation: { level: basic }\n");
    session.check(&["run", "agent.py"], expect![[r#"
        $ oacp run agent.py
        1
        ! note: ./oacp.yaml is not used: a file that is merely found grants nothing; `oacp policy accept` shows what it grants and accepts it, --config oacp.yaml uses it once
        ! logged as entry 1 of oacp.local/[key] (2 entries)
        ! ok · [took] · [fuel] · oacp verify ~/oacp/runs/[id].json
    "#]]);
    let run = [
        "run",
        "agent.py",
        "--config",
        "oacp.yaml",
        "--bundle",
        "run.json",
        "--timeout",
        "5000",
    ];
    session.stdout(&run);
    let shown: Value =
        serde_json::from_str(&session.stdout(&["show", "run.json", "--json"])).unwrap();
    assert_eq!(shown["statement"]["level"], "BASIC");
    assert_eq!(
        shown["statement"]["runtime"]["config"]["memory_bytes_max"],
        "67108864"
    );
    assert_eq!(
        shown["statement"]["runtime"]["config"]["fuel_max"],
        "500000000"
    );
}

fn refused(session: &Session, config: &str, expected: expect_test::Expect) {
    session.write("c.yaml", config);
    session.check(&["run", "agent.py", "--config", "c.yaml"], expected);
}

#[test]
fn mistakes_are_named_with_line_and_column() {
    let session = Session::new("config-mistakes");
    let mut capabilities = String::new();
    session.write("agent.py", "def run(input):\n    return 1\n");
    refused(
        &session,
        "sandbox:\n  wasm:\n    memory_limit: 64\n",
        expect![[r#"
        $ oacp run agent.py --config c.yaml
        ! error: c.yaml:3:5: unknown key `memory_limit`; did you mean `memory_limit_mb`?
        !   hint: known here: `runtime`, `memory_limit_mb`, `cpu_quota_ms`
        exit 3
    "#]],
    );
    refused(
        &session,
        "sandbocks: {}\n",
        expect![[r#"
            $ oacp run agent.py --config c.yaml
            ! error: c.yaml:1:1: unknown key `sandbocks`
            !   hint: known here: `sandbox`, `attestation`, `secrets`, `tools`
            exit 3
        "#]],
    );
    refused(
        &session,
        "sandbox:\n  wasm:\n    memory_limit_mb: lots\n",
        expect![[r#"
        $ oacp run agent.py --config c.yaml
        ! error: c.yaml:3:22: expected a whole number, 0 or more: `memory_limit_mb: lots`
        exit 3
    "#]],
    );
    refused(
        &session,
        "sandbox:\n  wasm:\n    memory_limit_mb: 0\n",
        expect![[r#"
        $ oacp run agent.py --config c.yaml
        ! error: c.yaml:3:22: `sandbox.wasm.memory_limit_mb` is 0, expected 1 to 4096
        exit 3
    "#]],
    );
    refused(
        &session,
        "sandbox:\n  default_type: standart\n",
        expect![[r#"
        $ oacp run agent.py --config c.yaml
        ! error: c.yaml:2:17: unknown value `standart`; did you mean `standard`?
        !   hint: known here: `light`, `standard`, `hardened`, `tee`
        exit 3
    "#]],
    );
    refused(
        &session,
        "sandbox:\n  capabilities:\n    file_read: /data\n",
        expect![[r#"
        $ oacp run agent.py --config c.yaml
        ! error: c.yaml:3:16: expected a list: `file_read: /data`
        exit 3
    "#]],
    );
    for config in [
        "sandbox:\n  capabilities:\n    file_read: [\"/data/**x\"]\n",
        "sandbox:\n  capabilities:\n    network: api.example.com\n",
        "sandbox:\n  capabilities:\n    network: [api.example.com, 443]\n",
        "sandbox:\n  capabilities:\n    network: { allowlst: [api.example.com] }\n",
        "sandbox:\n  capabilities:\n    network: [{ host: api.example.com, privte: true }]\n",
        "sandbox:\n  capabilities:\n    network: [{ host: \"*.example.com\", private: true }]\n",
        "sandbox:\n  capabilities:\n    network: { denylist: [\"10.0.0.1/8\"] }\n",
        "sandbox:\n  capabilities:\n    env: [\"A B\"]\n",
        "sandbox:\n  denials: loud\n",
        "sandbox:\n  egress: { proxy: \"https://proxy:1\" }\n",
        "sandbox:\n  egress: { timeout_ms: 0 }\n",
    ] {
        session.write("c.yaml", config);
        let output = session.oacp(&["run", "agent.py", "--config", "c.yaml"]);
        assert_eq!(output.status.code(), Some(3), "{config}");
        capabilities.push_str(&String::from_utf8(output.stderr).unwrap());
    }
    expect![[r#"
        error: c.yaml:3:17: `**` must stand alone between slashes (column 7 of `/data/**x`)
        error: c.yaml:3:5: expected a list of hosts, or a mapping with `allowlist` and `denylist`: `network: api.example.com`
        error: c.yaml:3:32: expected a host, or a mapping with `host` and `private`: `network: [api.example.com, 443]`
        error: c.yaml:3:16: unknown key `allowlst`; did you mean `allowlist`?
          hint: known here: `allowlist`, `denylist`
        error: c.yaml:3:40: unknown key `privte`; did you mean `private`?
          hint: known here: `host`, `private`
        error: c.yaml:3:15: `*.example.com:443`: `private` needs an exact host name or address
        error: c.yaml:3:27: `10.0.0.1/8`: bits are set beyond the network's: did you mean `10.0.0.0/8`
        error: c.yaml:3:11: `A B`: a variable's name has the characters `A-Z a-z 0-9 _`, the first no digit; `*` stands for any
        error: c.yaml:2:12: unknown value `loud`
          hint: known here: `catchable`, `fatal`
        error: c.yaml:2:20: `sandbox.egress.proxy`: the proxy's URL does not begin with `http://`
          hint: write it as http://host:port
        error: c.yaml:2:25: `sandbox.egress.timeout_ms` is 0, expected 1 to 600000
    "#]].assert_eq(&capabilities);
    refused(
        &session,
        "sandbox:\n  tee:\n    enabled: yes\n",
        expect![[r#"
        $ oacp run agent.py --config c.yaml
        ! error: c.yaml:3:14: expected true or false: `enabled: yes`
        exit 3
    "#]],
    );
    refused(
        &session,
        "sandbox: {}\nsandbox: {}\n",
        expect![[r#"
        $ oacp run agent.py --config c.yaml
        ! error: c.yaml:2:1: the key `sandbox` is given twice
        exit 3
    "#]],
    );
    refused(
        &session,
        "sandbox: [\n",
        expect![[r#"
        $ oacp run agent.py --config c.yaml
        ! error: c.yaml:1:10: expected a mapping of keys to values: `sandbox: [`
        exit 3
    "#]],
    );
    refused(
        &session,
        "attestation:\n  registry: 3\n",
        expect![[r#"
        $ oacp run agent.py --config c.yaml
        ! error: c.yaml:2:13: expected text: `registry: 3`
        !   hint: if it is text, quote it: "3"
        exit 3
    "#]],
    );
}

#[test]
fn what_is_not_built_is_refused_and_never_passed_over() {
    let session = Session::new("config-not-built");
    session.write("agent.py", "def run(input):\n    return 1\n");
    refused(
        &session,
        "sandbox:\n  default_type: hardened\n",
        expect![[r#"
        $ oacp run agent.py --config c.yaml
        ! error: c.yaml:2:17: `sandbox.default_type` is not built yet, so a run cannot honour it
        !   hint: only `standard` can be given; set that, or leave it out
        exit 3
    "#]],
    );
    refused(
        &session,
        "sandbox:\n  tee: { enabled: true, provider: intel_sgx }\n",
        expect![[r#"
        $ oacp run agent.py --config c.yaml
        ! error: c.yaml:2:19: `sandbox.tee.enabled` is not built yet, so a run cannot honour it
        !   hint: set it to false, or leave it out
        exit 3
    "#]],
    );
    refused(
        &session,
        "attestation:\n  level: hardware\n",
        expect![[r#"
            $ oacp run agent.py --config c.yaml
            ! error: c.yaml:2:10: `attestation.level` is not built yet, so a run cannot honour it
            !   hint: set it to `basic`, `execution` or `full`, or leave it out
            exit 3
        "#]],
    );
}

#[test]
fn a_log_is_configured() {
    let session = Session::new("config-log");
    session.stdout(&["key", "new"]);
    session.write("agent.py", "def run(input):\n    return 1\n");
    refused(
        &session,
        "attestation:\n  retention_days: 0\n",
        expect![[r#"
            $ oacp run agent.py --config c.yaml
            ! error: c.yaml:2:19: `attestation.retention_days` is 0, expected 1 to 36500
            exit 3
        "#]],
    );
    refused(
        &session,
        "attestation:\n  registry: http://\n",
        expect![[r#"
            $ oacp run agent.py --config c.yaml
            ! error: `http://` is not a registry's URL
            !   cause: URL has no host
            exit 3
        "#]],
    );
    refused(
        &session,
        "attestation:\n  registry: https://log.example\n  log_policy: missing.policy\n",
        expect![[r#"
            $ oacp run agent.py --config c.yaml
            ! error: which log is behind `https://log.example` is not known: there is no ~/missing.policy
            !   hint: get the log's policy from whoever runs it (`oacp log policy` there), and give it once to `oacp log add https://log.example --log-policy FILE`, or each time with --log-policy FILE
            exit 3
        "#]],
    );
    refused(
        &session,
        "attestation:\n  registry: none\n  level: full\n",
        expect![[r#"
            $ oacp run agent.py --config c.yaml
            ! error: level FULL cannot be given here: no transparency log is configured
            !   hint: let it be logged: leave --registry none out; or give --level execution, or --level basic
            exit 2
        "#]],
    );
    session.write("open.token", "0123456789abcdef");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(session.path("open.token"), open).unwrap();
        session.stdout(&["log", "init"]);
        session.write("log.policy", session.stdout(&["log", "policy"]));
        refused(
            &session,
            "attestation:\n  registry: https://log.example\n  log_policy: log.policy\n  registry_token: open.token\n",
            expect![[r#"
                $ oacp run agent.py --config c.yaml
                ! error: `[dir]/open.token` can be read by others (mode 644)
                !   hint: chmod 600 ~/open.token
                exit 3
            "#]],
        );
        session.write("plain.token", "0123456789abcdef");
        let closed = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(session.path("plain.token"), closed).unwrap();
        refused(
            &session,
            "attestation:\n  registry: http://log.example\n  log_policy: log.policy\n  registry_token: plain.token\n",
            expect![[r#"
                $ oacp run agent.py --config c.yaml
                ! error: `http://log.example:80` is neither HTTPS nor this machine, and a token is not sent in the clear
                !   hint: a registry beyond this machine is at https://…
                exit 3
            "#]],
        );
    }
}
