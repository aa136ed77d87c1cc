//! A registry elsewhere: another home on this machine, served over HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;

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
        Self::begin_at(name, session, "127.0.0.1:0")
    }

    fn begin_at(name: &str, session: &Session, address: &str) -> Self {
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
        registry.serve(address);
        registry
    }

    fn serve(&mut self, address: &str) {
        let arguments = [
            "log",
            "serve",
            "--append-token",
            "append.token",
            "--read-token",
            "read.token",
            "--nodes",
            "nodes.yaml",
            "--retention-days",
            "30",
        ];
        self.server = Some(self.operator.server_at(&arguments, address));
    }

    fn url(&self) -> String {
        self.server.as_ref().unwrap().url().to_owned()
    }
}

fn with_agent(name: &str) -> Session {
    let session = Session::with_runtimes(name);
    session.write(
        "agent.py",
        "def run(input):\n    return {'answer': input}\n",
    );
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
        &[
            "run",
            "agent.py",
            "--registry",
            &url,
            "--level",
            "full",
            "-b",
            "run.json",
        ],
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
          · the choice of the seed and the clock
          · who asked: the principal is the node's claim
          · the isolation: the node's claim, without evidence
          · the wall time
          · whether other runs were begun in the log and never stated: it was not searched
          · whether other runs were never begun in the log
        warning: no trust file: only this machine's own node is trusted

        verified: signed for node `this machine`, logged, run again with the same output; 9 things not checked
    "#]]);
    let id = session.json("run.json");
    assert!(id["proofs"]["begin"].is_array());

    let shown: Value =
        serde_json::from_str(&session.stdout(&["show", "run.json", "--json"])).unwrap();
    let id = shown["statement"]["execution_id"].as_str().unwrap();
    session.stdout(&[
        "key",
        "export",
        "trust.yaml",
        "--log-policy",
        "registry.policy",
        "--name",
        "build-1",
    ]);
    let look_up = ["verify", id, "--registry", &url, "--trust", "trust.yaml"];
    session.check(&[&look_up[..], &["--read-token", "read.token"]].concat(), expect![[r#"
        $ oacp verify [id] --registry http://127.0.0.1:[port] --trust trust.yaml --read-token read.token
        [id]  agent 74819aeaaae8 (agent.py)
        [time] · ok · STANDARD · FULL

        PASS         signature valid  signed by a key that node `build-1` delegated to, which the trust file names
        NOT CHECKED  execution proof  the bundle withholds the recording
        PASS         logged           at index 2 of `log.example/1`, by a checkpoint of 4 entries that the log signed and no witness cosigned
        NOT CHECKED  time validity    no witness's time is in the bundle; the timestamp is the node's own

        1. Who could have written or altered it?
           independently re-checkable: whoever holds the key of node `build-1` or the sandbox key that it delegated to; nobody else

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
          · the choice of the seed and the clock
          · who asked: the principal is the node's claim
          · the isolation: the node's claim, without evidence
          · the wall time
          · whether other runs were begun in the log and never stated: it was not searched
          · whether other runs were never begun in the log

        verified: signed for node `build-1`, logged, not run again: the bundle withholds the recording; 14 things not checked
    "#]]);
    session.check(
        &look_up,
        expect![[r#"
        $ oacp verify [id] --registry http://127.0.0.1:[port] --trust trust.yaml
        ! error: the registry at `http://127.0.0.1:[port]` says: the read token is needed
        !   hint: give its read token with --read-token FILE
        exit 2
    "#]],
    );
    session.check(
        &["log", "find", "--kind", "execution", "--registry", &url, "--read-token", "read.token"],
        expect![[r#"
            $ oacp log find --kind execution --registry http://127.0.0.1:[port] --read-token read.token
                 2  execution   [id]  [time]  ok  agent 74819aeaaae8  local uid [uid]
        "#]],
    );
    session.check(
        &["log", "status", "--registry", &url],
        expect![[r#"
        $ oacp log status --registry http://127.0.0.1:[port]
        log.example/1  at http://127.0.0.1:[port]
          checkpoint  4 entries
          it says
            {
              "cosigning": null,
              "indexed": 4,
              "origin": "log.example/1",
              "published": 4,
              "retention_days": 30,
              "size": 4,
              "stopped": false
            }
    "#]],
    );
    session.check(
        &["log", "entry", "0", "--registry", &url, "--payload"],
        expect![[r#"
        $ oacp log entry 0 --registry http://127.0.0.1:[port] --payload
        ! error: the registry at `http://127.0.0.1:[port]` says: the read token is needed
        !   hint: give its read token with --read-token FILE
        exit 2
    "#]],
    );
}

/// An address that is given to nobody who asks for any, so that it is free again later.
#[cfg(unix)]
fn fixed_address() -> String {
    let mut ports = 20_000..30_000_u16;
    let free = ports.find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
    format!("127.0.0.1:{}", free.unwrap())
}

#[cfg(unix)]
#[test]
fn what_cannot_be_sent_waits_and_is_sent_later() {
    let session = with_agent("spool");
    let address = fixed_address();
    let mut registry = Registry::begin_at("spool", &session, &address);
    let url = registry.url();
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
        !   hint: nothing was run; `oacp log status --registry http://127.0.0.1:[port]` says how the log and its witnesses are, and --level execution does not wait for them
        exit 2
    "#]]);
    session.check(&["log", "sync"], expect![[r#"
        $ oacp log sync
        ! not sent: 3 entries for http://127.0.0.1:[port]: the log `log.example/1` cannot be reached: no reply from `http://127.0.0.1:[port]/status`: `http://127.0.0.1:[port]`: connection refused
        exit 2
    "#]]);
    registry.serve(&address);
    session.check(
        &["log", "sync"],
        expect![[r#"
        $ oacp log sync
        sent 3 entries to http://127.0.0.1:[port]: entries 0 to 2
    "#]],
    );
    session.check(
        &["log", "sync"],
        expect![[r#"
        $ oacp log sync
        ! nothing waits
    "#]],
    );
    session.check(
        &["log", "prove", "run.json"],
        expect![[r#"
        $ oacp log prove run.json
        added a proof: entry 1 of log.example/1 (3 entries); witnesses: 0 of 0
    "#]],
    );
    session.stdout(&[
        "key",
        "export",
        "trust.yaml",
        "--log-policy",
        "registry.policy",
        "--name",
        "build-1",
    ]);
    let report = session.stdout(&["verify", "run.json", "--trust", "trust.yaml"]);
    assert!(report.contains("PASS         logged"), "{report}");
}

#[test]
fn a_log_is_watched_and_copied() {
    let session = with_agent("follow");
    let registry = Registry::begin("follow", &session);
    let url = registry.url();
    session.stdout(&[
        "log",
        "add",
        &url,
        "--log-policy",
        "registry.policy",
        "--token",
        "append.token",
    ]);
    session.stdout(&["run", "agent.py", "--registry", &url]);
    session.check(
        &["log", "monitor", &url, "--entries"],
        expect![[r#"
        $ oacp log monitor http://127.0.0.1:[port] --entries
        entry 0  delegation  [commitment]
        entry 1  execution  [commitment]
        entry 2  close  [commitment]
        seen: 3 entries of log.example/1, 3 new
    "#]],
    );
    session.check(
        &["log", "monitor", &url],
        expect![[r#"
        $ oacp log monitor http://127.0.0.1:[port]
        seen: 3 entries of log.example/1, 0 new
    "#]],
    );
    let bundles = ["--expect", "oacp/runs"];
    let watch = [&["log", "monitor", &url, "--dir", "own"], &bundles[..]].concat();
    session.check(
        &watch,
        expect![[r#"
        $ oacp log monitor http://127.0.0.1:[port] --dir own --expect oacp/runs
        seen: 3 entries of log.example/1, 3 new
    "#]],
    );
    // Somebody else has the node's key: a delegation of which its owner has no bundle.
    let runs = session.path("oacp/runs");
    session.stdout(&[
        "run",
        "agent.py",
        "--registry",
        &url,
        "-b",
        "elsewhere.json",
    ]);
    session.check(
        &watch,
        expect![[r#"
        $ oacp log monitor http://127.0.0.1:[port] --dir own --expect oacp/runs
        odd: entry 3 is by the key [keyid], and its owner does not know of it
        seen: 6 entries of log.example/1, 3 new
        exit 1
    "#]],
    );
    std::fs::copy(session.path("elsewhere.json"), runs.join("elsewhere.json")).unwrap();
    session.stdout(&watch);

    session.check(
        &["log", "mirror", &url, "copy", "-q"],
        expect![[r#"
        $ oacp log mirror http://127.0.0.1:[port] copy -q
        copied: 6 entries of log.example/1 are in copy, 6 new
    "#]],
    );
    session.stdout(&["run", "agent.py", "--registry", &url]);
    session.check(
        &["log", "mirror", &url, "copy", "-q"],
        expect![[r#"
        $ oacp log mirror http://127.0.0.1:[port] copy -q
        copied: 9 entries of log.example/1 are in copy, 3 new
    "#]],
    );
    assert_eq!(
        session.read("copy/checkpoint"),
        registry.operator.read("oacp/log/checkpoint")
    );
    session.check(&["log", "monitor", "http://127.0.0.1:1"], expect![[r#"
        $ oacp log monitor http://127.0.0.1:1
        ! error: which log is behind `http://127.0.0.1:1` is not known: there is no ~/oacp/registries/127.0.0.1_1.policy
        !   hint: get the log's policy from whoever runs it (`oacp log policy` there), and give it once to `oacp log add http://127.0.0.1:1 --log-policy FILE`, or each time with --log-policy FILE
        exit 3
    "#]]);
}

/// Status and body of what is at a path, asked for as `curl` does.
fn get(url: &str, path: &str) -> (u16, Vec<u8>) {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    let end = reply
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let status = String::from_utf8_lossy(&reply[9..12]).parse().unwrap();
    (status, reply[end + 4..].to_vec())
}

#[test]
fn a_copy_is_served_and_watched_as_the_log_is() {
    let session = with_agent("mirror");
    let registry = Registry::begin("mirror", &session);
    let url = registry.url();
    let add = ["log", "add", &url, "--log-policy", "registry.policy"];
    session.stdout(&[&add[..], &["--token", "append.token"]].concat());
    session.stdout(&["run", "agent.py", "--registry", &url]);
    session.stdout(&["log", "mirror", &url, "copy"]);

    let mirror = session.server(&["log", "serve", "--mirror", "copy"]);
    assert_eq!(mirror.said("log"), "log.example/1");
    assert_eq!(mirror.said("size"), 3);
    let checkpoint = registry.operator.read("oacp/log/checkpoint");
    assert_eq!(get(mirror.url(), "/checkpoint"), (200, checkpoint));
    let tile = "tile/entries/000.p/3";
    let bytes = registry.operator.read(&format!("oacp/log/{tile}"));
    assert_eq!(get(mirror.url(), &format!("/{tile}")), (200, bytes));
    for path in ["/mirror-state", "/status", "/append", "/tile/../checkpoint"] {
        assert_eq!(get(mirror.url(), path).0, 404, "{path}");
    }
    let watch = [
        "log",
        "monitor",
        mirror.url(),
        "--log-policy",
        "registry.policy",
    ];
    session.check(
        &watch,
        expect![[r#"
        $ oacp log monitor http://127.0.0.1:[port] --log-policy registry.policy
        seen: 3 entries of log.example/1, 3 new
    "#]],
    );
    // It goes on being copied.
    session.stdout(&["run", "agent.py", "--registry", &url]);
    session.stdout(&["log", "mirror", &url, "copy"]);
    session.check(
        &watch,
        expect![[r#"
        $ oacp log monitor http://127.0.0.1:[port] --log-policy registry.policy
        seen: 6 entries of log.example/1, 3 new
    "#]],
    );

    session.check(
        &["log", "serve", "--mirror", "oacp"],
        expect![[r#"
            $ oacp log serve --mirror oacp
            ! error: there is no copy of a log in oacp
            !   cause: cannot read `oacp/checkpoint`
            !   cause: No such file or directory (os error 2)
            !   hint: `oacp log mirror URL DIR` makes one
            exit 3
        "#]],
    );
    session.check(
        &[
            "log",
            "serve",
            "--mirror",
            "copy",
            "--read-token",
            "read.token",
        ],
        expect![[r#"
            $ oacp log serve --mirror copy --read-token read.token
            ! error: the argument '--mirror <DIR>' cannot be used with '--read-token <FILE>'
            !
            ! Usage: oacp log serve --mirror <DIR>
            !
            ! For more information, try '--help'.
            exit 3
        "#]],
    );
}

#[cfg(unix)]
#[test]
fn what_a_log_refuses_is_kept_in_sight_until_it_is_dropped() {
    let session = with_agent("refused");
    let address = fixed_address();
    let mut registry = Registry::begin_at("refused", &session, &address);
    let url = registry.url();
    assert!(registry.server.take().unwrap().end().success());
    let add = ["log", "add", &url, "--log-policy", "registry.policy"];
    session.stdout(&[&add[..], &["--token", "append.token"]].concat());
    session.stdout(&["run", "agent.py", "--registry", &url]);
    // A disk that altered the signatures. Without its delegation the log does not know the sandbox's key.
    let name = format!("oacp/spool/{}", address.replace(':', "_"));
    let spooled = std::fs::read_dir(session.path(&name)).unwrap();
    let spooled = spooled.map(|entry| entry.unwrap().path());
    for file in spooled.filter(|file| file.extension().is_some_and(|ending| ending == "json")) {
        let mut envelope: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let signature = &mut envelope["signatures"][0]["sig"];
        let altered = signature.as_str().unwrap().split_at(4).1;
        *signature = format!("AAAA{altered}").into();
        std::fs::write(&file, envelope.to_string()).unwrap();
    }
    registry.serve(&address);

    let codes = |entries: &Value| -> Vec<String> {
        let entries = entries.as_array().unwrap().iter();
        let mut codes: Vec<_> = entries
            .map(|entry| entry["code"].as_str().unwrap().to_owned())
            .collect();
        codes.sort();
        codes
    };
    let sync = |arguments: &[&str], exit: i32| {
        let arguments = [&["log", "sync", "--json"], arguments].concat();
        let output = session.oacp(&arguments);
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        (said[0].clone(), String::from_utf8(output.stderr).unwrap())
    };
    let (said, told) = sync(&[], 2);
    assert_eq!(
        codes(&said["refused"]),
        ["signature", "unknown_key", "unknown_key"]
    );
    assert_eq!((&said["sent"], &said["waiting"]), (&0.into(), &2.into()));
    for line in [
        "(signature); it is sent no more\n",
        "(unknown_key); it waits\n",
        "its operator adds the node to --nodes",
        "1 entry refused by",
    ] {
        assert!(told.contains(line), "{told}");
    }
    // The same is not sent again.
    let (said, _) = sync(&[], 2);
    assert_eq!(codes(&said["refused"]), ["unknown_key", "unknown_key"]);
    assert_eq!(codes(&said["kept"]), ["signature"]);
    std::fs::remove_file(session.path("oacp/log.key")).unwrap();
    std::fs::remove_file(session.path("oacp/log.policy")).unwrap();
    let status = session.stdout(&["log", "status"]);
    for line in [
        "spool       2 entries for",
        "refused     1 entry by",
        "oacp log sync --retry-refused, or --drop-refused\n",
        "(signature)",
    ] {
        assert!(status.contains(line), "{status}");
    }
    // Said so, it is sent again; and dropped.
    let (said, _) = sync(&["--retry-refused"], 2);
    assert_eq!(
        codes(&said["refused"]),
        ["signature", "unknown_key", "unknown_key"]
    );
    let (said, told) = sync(&["--drop-refused"], 0);
    assert_eq!(
        codes(&said["dropped"]),
        ["signature", "unknown_key", "unknown_key"]
    );
    assert_eq!(told.matches("dropped: ").count(), 3, "{told}");
    session.check(
        &["log", "sync"],
        expect![[r#"
        $ oacp log sync
        ! nothing waits
    "#]],
    );
}

#[test]
fn a_log_that_does_not_know_the_node_says_who_can_mend_it() {
    let session = with_agent("unknown-node");
    let registry = Registry::begin("unknown-node", &session);
    let stranger = with_agent("unknown-node-stranger");
    stranger.write("registry.policy", session.read("registry.policy"));
    private(&stranger, "append.token", APPEND);
    let url = registry.url();
    let add = ["log", "add", &url, "--log-policy", "registry.policy"];
    stranger.stdout(&[&add[..], &["--token", "append.token"]].concat());
    let run = ["run", "agent.py", "--registry", &url, "-b", "run.json"];
    assert_eq!(stranger.oacp(&run).status.code(), Some(2));
    let output = stranger.oacp(&["log", "prove", "run.json"]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    let hint = "hint: the log does not know the node that ran it: its operator adds it to --nodes";
    assert!(
        told.contains("(unknown_key)\n") && told.contains(hint),
        "{told}"
    );
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
    let accepted = session.stdout(&["policy", "accept", "--yes"]);
    for line in [
        &format!("  attestations are sent to {url}\n"),
        "  which log that is, is said by ~/registry.policy\n",
        "  the registry's token is taken from ~/append.token\n",
        "  the registry is to keep payloads for 90 days\n",
    ] {
        assert!(accepted.contains(line), "{accepted}");
    }
    session.check(
        &["run", "agent.py"],
        expect![[r#"
        $ oacp run agent.py
        {"answer":null}
        ! logged as entry 1 of log.example/1 (2 entries)
        ! ok · [took] · [fuel] · oacp verify ~/oacp/runs/[id].json
        ! note: the registry keeps payloads for 30 days, and attestation.retention_days is 90
    "#]],
    );
    session.write("bad.yaml", "attestation:\n  registry_token: append.token\n");
    session.check(&["run", "agent.py", "--config", "bad.yaml"], expect![[r#"
        $ oacp run agent.py --config bad.yaml
        ! error: bad.yaml:2:19: `attestation.registry_token` is for a registry at a URL, and `attestation.registry` is not one
        !   hint: a log in a directory has its key and policy beside it; leave this out
        exit 3
    "#]]);
}

#[test]
fn a_machine_that_logs_elsewhere_alone_shows_what_waits() {
    let session = Session::with_runtimes("registry-alone");
    session.write("agent.py", "def run(input):\n    return input\n");
    session.write("registry.policy", session.stdout(&["log", "policy"]));
    private(&session, "append.token", &format!("{APPEND}\n"));
    std::fs::remove_file(session.path("oacp/log.key")).unwrap();
    std::fs::remove_file(session.path("oacp/log.policy")).unwrap();
    let url = "http://127.0.0.1:1";
    let add = ["log", "add", url, "--log-policy", "registry.policy"];
    session.stdout(&[&add[..], &["--token", "append.token"]].concat());
    session.stdout(&["run", "agent.py", "--registry", url]);
    session.check(
        &["log", "status"],
        expect![[r#"
        $ oacp log status
        no log on this machine; it logs elsewhere
          spool       3 entries for http://127.0.0.1:1: oacp log sync
    "#]],
    );
    session.check(&["key", "export", "trust.yaml"], expect![[r#"
        $ oacp key export trust.yaml
        wrote trust.yaml: give it to whoever verifies: oacp verify BUNDLE --trust trust.yaml
        ! the trust file has no log policy: --log-policy FILE adds that of the log that this node writes to
    "#]]);
    // What is known of it is replaced as a whole.
    let token = session.path("oacp/registries/127.0.0.1_1.token");
    assert!(token.exists());
    session.stdout(&[&add[..], &["--force"]].concat());
    assert!(!token.exists());
}
