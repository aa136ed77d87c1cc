//! A registry elsewhere: another home on this machine, served over HTTP.

use expect_test::expect;
use serde_json::Value;

use crate::session::{Server, Session};

const APPEND: &str = "append-append-append-append";
const READ: &str = "read-read-read-read-read";

/// A registry that takes what the session's node signs, and the files by which the session knows it.
struct Registry {
    operator: Session,
    server: Option<Server>,
}

fn private(session: &Session, file: &str, text: &str) {
    let path = session.write(file, text);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

impl Registry {
    fn begin(name: &str, session: &Session) -> Self {
        let operator = Session::new(&format!("{name}-operator"));
        operator.stdout(&["log", "init", "--origin", "log.example/1"]);
        let trust = session.stdout(&["key", "export", "--name", "build-1"]);
        // The node alone: its own log is another.
        let nodes: String = trust
            .lines()
            .take_while(|line| !line.starts_with("log_policy"))
            .map(|line| format!("{line}\n"))
            .collect();
        operator.write("nodes.yaml", nodes);
        private(&operator, "append.token", APPEND);
        private(&operator, "read.token", READ);
        private(session, "append.token", &format!("{APPEND}\n"));
        private(session, "read.token", &format!("{READ}\n"));
        session.write("registry.policy", operator.stdout(&["log", "policy"]));
        let mut registry = Self {
            operator,
            server: None,
        };
        registry.serve();
        registry
    }

    fn serve(&mut self) {
        let server = self.operator.server(&[
            "log",
            "serve",
            "--append-token",
            "append.token",
            "--read-token",
            "read.token",
            "--nodes",
            "nodes.yaml",
        ]);
        self.server = Some(server);
    }

    fn url(&self) -> String {
        self.server.as_ref().unwrap().url().to_owned()
    }
}

fn with_agent(name: &str) -> Session {
    let session = Session::with_runtimes(name);
    session.write("agent.py", "def run(input):\n    return {'answer': input}\n");
    session
}

#[test]
fn a_run_is_logged_elsewhere_and_looked_up_by_a_stranger() {
    let session = with_agent("remote");
    let registry = Registry::begin("remote", &session);
    let url = registry.url();
    session.check(&["run", "agent.py", "--registry", &url], expect![[r#"
        $ oacp run agent.py --registry http://127.0.0.1:[port]
        ! error: which log is behind `http://127.0.0.1:[port]` is not known: there is no ~/oacp/registries/127.0.0.1_[port].policy
        !   hint: get the log's policy from whoever runs it (`oacp log policy` there), and give it once to `oacp log add http://127.0.0.1:[port] --log-policy FILE`, or each time with --log-policy FILE
        exit 3
    "#]]);
    session.check(
        &["log", "add", &url, "--log-policy", "registry.policy", "--token", "append.token"],
        expect![[r#"
            $ oacp log add http://127.0.0.1:[port] --log-policy registry.policy --token append.token
            http://127.0.0.1:[port] is the log log.example/1; its proofs are trusted from now on. Runs go there with --registry http://127.0.0.1:[port]
        "#]],
    );
    session.check(
        &["run", "agent.py", "--registry", &url, "--level", "full", "-b", "run.json"],
        expect![[r#"
            $ oacp run agent.py --registry http://127.0.0.1:[port] --level full -b run.json
            {"answer":null}
            ! logged as entry 2 of log.example/1 (3 entries)
            ! ok · [took] · [fuel] · oacp verify ~/run.json
        "#]],
    );
    assert!(!session.path("oacp/log").exists());
    session.check(&["verify", "run.json"], expect![[r#"
        $ oacp verify run.json
        [id]  agent 74819aeaaae8 (agent.py)
        [time] · ok · STANDARD · FULL

        PASS         signature valid  signed by a key that node `this machine` delegated to, which is this machine's own
        PASS         execution proof  run again from the recording: output, outcome, every event and the fuel were the same
        PASS         logged           at index 2 of `log.example/1`, by a checkpoint of 3 entries that the log signed and no witness cosigned
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
          · the truth of tool results
          · the choice of the seed and the clock
          · who asked: the principal is the node's claim
          · the isolation: the node's claim, without evidence
          · the wall time
          · whether other runs were begun in the log and never stated: it was not searched
          · whether other runs were never begun in the log
        warning: no trust file: only this machine's own node is trusted

        verified: signed for node `this machine`, logged, run again with the same output; 10 things not checked
    "#]]);
    let id = session.json("run.json");
    assert!(id["proofs"]["begin"].is_array());

    let shown: Value =
        serde_json::from_str(&session.stdout(&["show", "run.json", "--json"])).unwrap();
    let id = shown["statement"]["execution_id"].as_str().unwrap();
    session.stdout(&["key", "export", "trust.yaml", "--log-policy", "registry.policy"]);
    let look_up = ["verify", id, "--registry", &url, "--trust", "trust.yaml"];
    session.check(&[&look_up[..], &["--read-token", "read.token"]].concat(), expect![[r#"
        $ oacp verify [id] --registry http://127.0.0.1:[port] --trust trust.yaml --read-token read.token
        [id]  agent 74819aeaaae8 (agent.py)
        [time] · ok · STANDARD · FULL

        PASS         signature valid  signed by a key that node `node-15f93620` delegated to, which the trust file names
        NOT CHECKED  execution proof  the bundle withholds the recording
        PASS         logged           at index 2 of `log.example/1`, by a checkpoint of 4 entries that the log signed and no witness cosigned
        NOT CHECKED  time validity    no witness's time is in the bundle; the timestamp is the node's own

        1. Who could have written or altered it?
           independently re-checkable: whoever holds the key of node `node-15f93620` or the sandbox key that it delegated to; nobody else

        2. Was it captured while running, or assembled after?
           supplier assertion: the signer says while running; the log has its begin at index 1, before it at 2

        3. Is the subject named precisely enough to re-check?
           supplier assertion: by digests that were signed; some of the contents are withheld or were not recorded

        4. Would an omission be visible?
           supplier assertion: no: the events are not in the bundle. A run that was begun in the log and left out is visible there; one that was not begun there is not

        5. What happened when recording or delivery failed?
           supplier assertion: this run was begun in the log, at index 1: without its statement, it would stand there as begun and not ended

        6. Can whoever checks it also forge it?
           supplier assertion: yes: this machine holds the node's key

        NOT CHECKED
          · that others were shown the same log: no witness cosigned it
          · the seed against what the begin commits to: event 0 is withheld
          · whether later statements of the sandbox were left out
          · the events: withheld, or not recorded
          · the input's content: withheld
          · the output's content: withheld
          · the agent's content: withheld
          · the nonce: the caller expected none
          · the truth of tool results
          · the choice of the seed and the clock
          · who asked: the principal is the node's claim
          · the isolation: the node's claim, without evidence
          · the wall time
          · whether other runs were begun in the log and never stated: it was not searched
          · whether other runs were never begun in the log

        verified: signed for node `node-15f93620`, logged, not run again: the bundle withholds the recording; 15 things not checked
    "#]]);
    session.check(&look_up, expect![[r#"
        $ oacp verify [id] --registry http://127.0.0.1:[port] --trust trust.yaml
        ! error: the registry at `http://127.0.0.1:[port]` says: the read token is needed
        !   hint: give its read token with --read-token FILE
        exit 2
    "#]]);
    session.check(
        &["log", "find", "--kind", "execution", "--registry", &url, "--read-token", "read.token"],
        expect![[r#"
            $ oacp log find --kind execution --registry http://127.0.0.1:[port] --read-token read.token
                 2  execution   [id]  [time]  ok  agent 74819aeaaae8  local uid [uid]
        "#]],
    );
    session.check(&["log", "status", "--registry", &url], expect![[r#"
        $ oacp log status --registry http://127.0.0.1:[port]
        log.example/1  at http://127.0.0.1:[port]
          checkpoint  4 entries
          it says
            {
              "indexed": 4,
              "origin": "log.example/1",
              "published": 4,
              "size": 4,
              "stopped": false
            }
    "#]]);
    session.check(&["log", "entry", "0", "--registry", &url, "--payload"], expect![[r#"
        $ oacp log entry 0 --registry http://127.0.0.1:[port] --payload
        ! error: the registry at `http://127.0.0.1:[port]` says: the read token is needed
        !   hint: give its read token with --read-token FILE
        exit 2
    "#]]);
}

#[cfg(unix)]
#[test]
fn what_cannot_be_sent_waits_and_is_sent_later() {
    let session = with_agent("spool");
    let mut registry = Registry::begin("spool", &session);
    let url = registry.url();
    let port = url.rsplit(':').next().unwrap().to_owned();
    assert!(registry.server.take().unwrap().end().success());
    let to = [
        "--registry",
        &url,
        "--log-policy",
        "registry.policy",
        "--registry-token",
        "append.token",
    ];
    let run = [&["run", "agent.py"], &to[..]].concat();
    session.check(&[&run[..], &["-b", "run.json"]].concat(), expect![[r#"
        $ oacp run agent.py --registry http://127.0.0.1:[port] --log-policy registry.policy --registry-token append.token -b run.json
        {"answer":null}
        ! spooled: the log `log.example/1` cannot be reached: no reply from `http://127.0.0.1:[port]/status`: `http://127.0.0.1:[port]`: connection refused (2 waiting); the next run sends them, and so does `oacp log sync`
        ! ok · [took] · [fuel] · oacp verify ~/run.json
    "#]]);
    session.check(&[&run[..], &["--level", "full"]].concat(), expect![[r#"
        $ oacp run agent.py --registry http://127.0.0.1:[port] --log-policy registry.policy --registry-token append.token --level full
        ! error: level FULL cannot be given: the run could not be announced in the log
        !   cause: the log `log.example/1` cannot be reached
        !   cause: no reply from `http://127.0.0.1:[port]/status`
        !   cause: `http://127.0.0.1:[port]`: connection refused
        !   hint: nothing was run; `oacp log status` says how the log and its witnesses are, and --level execution does not wait for them
        exit 2
    "#]]);
    session.check(&["log", "sync"], expect![[r#"
        $ oacp log sync
        ! not sent: 3 entries for http://127.0.0.1:[port]: the log `log.example/1` cannot be reached: no reply from `http://127.0.0.1:[port]/status`: `http://127.0.0.1:[port]`: connection refused
        exit 2
    "#]]);
    session.check(&["log", "prove", "run.json"], expect![[r#"
        $ oacp log prove run.json
        ! error: the log `log.example/1` cannot be reached
        !   cause: no reply from `http://127.0.0.1:[port]/proof/sha256:e43d3ca045ddb38a5d6762464b2d9ea928d94b2a8a436eff1acabf3dfb15d79a?wait=30`
        !   cause: `http://127.0.0.1:[port]`: connection refused
        exit 2
    "#]]);

    registry.server = Some(registry.operator.server_at(
        &[
            "log", "serve", "--append-token", "append.token", "--nodes", "nodes.yaml",
        ],
        &format!("127.0.0.1:{port}"),
    ));
    session.check(&["log", "sync"], expect![[r#"
        $ oacp log sync
        sent 3 entries to http://127.0.0.1:[port]: entries 0 to 2
    "#]]);
    session.check(&["log", "sync"], expect![[r#"
        $ oacp log sync
        ! nothing waits
    "#]]);
    session.check(&["log", "prove", "run.json"], expect![[r#"
        $ oacp log prove run.json
        proven: entry 1 of log.example/1 (3 entries)
    "#]]);
    session.stdout(&["key", "export", "trust.yaml", "--log-policy", "registry.policy"]);
    let report = session.stdout(&["verify", "run.json", "--trust", "trust.yaml"]);
    assert!(report.contains("PASS         logged"), "{report}");
}

#[test]
fn a_log_is_watched_and_copied() {
    let session = with_agent("follow");
    let registry = Registry::begin("follow", &session);
    let url = registry.url();
    session.stdout(&[
        "log", "add", &url, "--log-policy", "registry.policy", "--token", "append.token",
    ]);
    session.stdout(&["run", "agent.py", "--registry", &url]);
    session.check(&["log", "monitor", &url, "--entries"], expect![[r#"
        $ oacp log monitor http://127.0.0.1:[port] --entries
        entry 0  delegation  sha256:d4bf74e8002a21ab02e300bb84be13a6c8c78e66511699e9f65f1460abdd4174
        entry 1  execution  sha256:dcc7ac6701bdfe9e985a6a6149beffb953baa0922352f0b5b348d975e9ec97a2
        entry 2  close  sha256:56e5cc94f65dad10600737979b25d16556f55a8361012989296ca9c71637f6c5
        seen: 3 entries of log.example/1, 3 new
    "#]]);
    session.check(&["log", "monitor", &url], expect![[r#"
        $ oacp log monitor http://127.0.0.1:[port]
        seen: 3 entries of log.example/1, 0 new
    "#]]);
    session.check(&["log", "mirror", &url, "copy", "-q"], expect![[r#"
        $ oacp log mirror http://127.0.0.1:[port] copy -q
        copied: 3 entries of log.example/1 are in copy, 3 new
    "#]]);
    session.stdout(&["run", "agent.py", "--registry", &url]);
    session.check(&["log", "mirror", &url, "copy", "-q"], expect![[r#"
        $ oacp log mirror http://127.0.0.1:[port] copy -q
        copied: 6 entries of log.example/1 are in copy, 3 new
    "#]]);
    assert_eq!(
        session.read("copy/checkpoint"),
        registry.operator.read("oacp/log/checkpoint")
    );
    session.check(&["log", "monitor", "http://127.0.0.1:1"], expect![[r#"
        $ oacp log monitor http://127.0.0.1:[port]
        ! error: which log is behind `http://127.0.0.1:[port]` is not known: there is no ~/oacp/registries/127.0.0.1_[port].policy
        !   hint: get the log's policy from whoever runs it (`oacp log policy` there), and give it once to `oacp log add http://127.0.0.1:[port] --log-policy FILE`, or each time with --log-policy FILE
        exit 3
    "#]]);
}

#[test]
fn a_configuration_names_a_registry_elsewhere() {
    let session = with_agent("remote-config");
    let registry = Registry::begin("remote-config", &session);
    let url = registry.url();
    let config = format!(
        "attestation:\n  registry: {url}\n  log_policy: registry.policy\n  registry_token: append.token\n  retention_days: 90\n"
    );
    session.write("oacp.yaml", config);
    session.check(&["policy", "accept", "--yes"], expect![[r#"
        $ oacp policy accept --yes
        oacp.yaml grants
          limits: [size] of memory, [fuel]
          attestations are sent to http://127.0.0.1:[port]
          which log that is, is said by ~/registry.policy
          the registry's token is taken from ~/append.token
          payloads go from the log after 90 days, those of other projects too; proofs stay
        accepted oacp.yaml (812dbf766a67): runs in that directory use it until it changes
    "#]]);
    session.check(&["run", "agent.py"], expect![[r#"
        $ oacp run agent.py
        {"answer":null}
        ! logged as entry 1 of log.example/1 (2 entries)
        ! ok · [took] · [fuel] · oacp verify ~/oacp/runs/[id].json
        ! note: the registry does not say for how long it keeps payloads, and attestation.retention_days is 90
    "#]]);
    session.write(
        "bad.yaml",
        "attestation:\n  registry_token: append.token\n",
    );
    session.check(&["run", "agent.py", "--config", "bad.yaml"], expect![[r#"
        $ oacp run agent.py --config bad.yaml
        ! error: bad.yaml:2:19: `attestation.registry_token` is for a registry at a URL, and `attestation.registry` is none
        !   hint: a log in a directory has its key and policy beside it; leave this out
        exit 3
    "#]]);
}
