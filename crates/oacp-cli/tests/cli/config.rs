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
        ! note: ./oacp.yaml is not used: a file that is merely found configures nothing; give --config oacp.yaml
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
        !   hint: known here: `sandbox`, `attestation`
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
        "sandbox:\n  capabilities:\n    file_read: [\"/data/*\"]\n",
        expect![[r#"
        $ oacp run agent.py --config c.yaml
        ! error: c.yaml:3:16: `sandbox.capabilities.file_read` is not built yet, so a run cannot honour it
        !   hint: agents reach no files, network or environment; leave it empty, or leave it out
        exit 3
    "#]],
    );
    refused(
        &session,
        "sandbox:\n  capabilities:\n    network: { denylist: [\"10.0.0.0/8\"] }\n",
        expect![[r#"
        $ oacp run agent.py --config c.yaml
        ! error: c.yaml:3:26: `sandbox.capabilities.network.denylist` is not built yet, so a run cannot honour it
        !   hint: agents reach no files, network or environment; leave it empty, or leave it out
        exit 3
    "#]],
    );
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
        "attestation:\n  level: full\n",
        expect![[r#"
        $ oacp run agent.py --config c.yaml
        ! error: c.yaml:2:10: `attestation.level` is not built yet, so a run cannot honour it
        !   hint: set it to `basic` or `execution`, or leave it out
        exit 3
    "#]],
    );
    refused(
        &session,
        "attestation:\n  registry: ./registry\n",
        expect![[r#"
        $ oacp run agent.py --config c.yaml
        ! error: c.yaml:2:13: `attestation.registry` is not built yet, so a run cannot honour it
        !   hint: leave it out; bundles are kept in ~/.oacp/runs
        exit 3
    "#]],
    );
    refused(
        &session,
        "attestation:\n  retention_days: 90\n",
        expect![[r#"
        $ oacp run agent.py --config c.yaml
        ! error: c.yaml:2:19: `attestation.retention_days` is not built yet, so a run cannot honour it
        !   hint: leave it out, and use `oacp runs prune`
        exit 3
    "#]],
    );
}
