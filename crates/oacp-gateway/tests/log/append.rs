//! `POST /append`.

use std::io::{Read, Write};

use oacp_tlog::TlogProof;
use serde_json::json;

use crate::client::{Reply, connect, get, parse, send};
use crate::fixture::{ORIGIN, Sandbox, Server, WRITE, key, lines, scratch};

fn append(port: u16, path: &str, body: &[u8]) -> Reply {
    let token = format!("Bearer {WRITE}");
    send(port, "POST", path, &[("authorization", &token)], body)
}

#[test]
fn envelopes_are_acknowledged_in_order_and_once() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let sandbox = Sandbox::new(2);
    let body = lines(&sandbox.all(2));
    let reply = append(server.port, "/append", &body);
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.text(),
        "{\"index\":0,\"new\":true}\n{\"index\":1,\"new\":true}\n{\"index\":2,\"new\":true}\n"
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    // What is sent again, since an answer was lost, is there already.
    let reply = append(server.port, "/append", &lines(&sandbox.all(3)));
    let expected = [(0, false), (1, false), (2, false), (3, true)]
        .map(|(index, new)| json!({"index": index, "new": new}));
    assert_eq!((reply.status, reply.lines()), (200, expected.to_vec()));
    assert_eq!(server.size(), 4);

    // The same one twice in one request is there once.
    let twice = [sandbox.execution(3), sandbox.execution(3)];
    let reply = append(server.port, "/append", &lines(&twice));
    let indexes: Vec<_> = reply
        .lines()
        .iter()
        .map(|line| line["index"].clone())
        .collect();
    assert_eq!(indexes, [4, 4]);

    let proof = get(server.port, "/proof/4?wait=30");
    assert_eq!(TlogProof::parse(&proof.body).unwrap().index(), 4);
}

#[test]
fn what_is_refused_is_refused_alone() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let sandbox = Sandbox::new(2);
    server.append(&sandbox.all(1));
    let mut other = sandbox.statement(0);
    other.sequence = 7;
    let conflicting = sandbox.sign(&other);
    let stranger = Sandbox::new(4).execution(0);
    let node_signed = oacp::envelope::Envelope::sign(
        oacp::envelope::PAYLOAD_TYPE,
        sandbox.statement(8).to_payload(),
        &key(1),
    );
    let body = [
        lines(&[sandbox.execution(1)]),
        b"{\"payload\":\n".to_vec(),
        lines(&[stranger, conflicting, node_signed]),
        b"\n".to_vec(),
        lines(&[sandbox.execution(2)]),
    ]
    .concat();
    let reply = append(server.port, "/append", &body);
    assert_eq!(reply.status, 422);
    let lines = reply.lines();
    assert_eq!(lines.len(), 7);
    assert_eq!(lines[0], json!({"index": 2, "new": true}));
    let codes: Vec<_> = (1..6)
        .map(|line| lines[line]["error"]["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes[1..4], ["unknown_key", "conflict", "not_by_sandbox"]);
    assert_eq!(lines[6], json!({"index": 3, "new": true}));
    assert_eq!(server.size(), 4);
}

#[test]
fn an_entry_for_another_log_is_refused() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let body = lines(&Sandbox::new(2).all(0));
    let reply = append(server.port, "/append?log=log.example%2Fother", &body);
    assert_eq!(reply.refusal(), (421, "other_log".to_owned()));
    assert_eq!(server.size(), 0);
    assert_eq!(append(server.port, "/append?lgo=x", &body).refusal().0, 400);
    let reply = append(server.port, &format!("/append?log={ORIGIN}"), &body);
    assert_eq!(reply.status, 200);
}

#[test]
fn a_body_has_its_bounds() {
    let dir = scratch();
    let server = Server::start(dir.path());
    for body in [b"".as_slice(), b"\n"] {
        assert_eq!(append(server.port, "/append", body).refusal().0, 400);
    }
    let many = "{}\n".repeat(1001);
    let reply = append(server.port, "/append", many.as_bytes());
    assert_eq!(reply.refusal(), (413, "too_large".to_owned()));
    let long = "x".repeat((8 << 20) + 1);
    let reply = append(server.port, "/append", long.as_bytes());
    assert_eq!(reply.refusal(), (413, "too_large".to_owned()));
    assert_eq!(server.size(), 0);
    let most = Sandbox::new(2).all(999);
    let reply = append(server.port, "/append", &lines(&most));
    assert_eq!((reply.status, reply.lines().len()), (200, 1000));
}

#[test]
fn without_the_token_a_body_is_not_read() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let mut stream = connect(server.port);
    let head = "POST /append HTTP/1.1\r\nhost: test\r\ncontent-length: 8000000\r\nauthorization: Bearer no\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut bytes = vec![];
    // The answer comes, and the end, though the body never does.
    stream.read_to_end(&mut bytes).unwrap();
    assert_eq!(parse(&bytes).refusal(), (401, "unauthorized".to_owned()));
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart() {
    let dir = scratch();
    let sandbox = Sandbox::new(2);
    let server = Server::start(dir.path());
    let reply = append(server.port, "/append", &lines(&sandbox.all(3)));
    assert_eq!(reply.status, 200);
    server.stop();
    let server = Server::start(dir.path());
    let reply = append(server.port, "/append", &lines(&sandbox.all(4)));
    let new: Vec<_> = reply
        .lines()
        .iter()
        .map(|line| line["new"].clone())
        .collect();
    assert_eq!(new, [false, false, false, false, true]);
}

#[test]
fn a_log_that_has_stopped_acknowledges_nothing_and_says_so() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let sandbox = Sandbox::new(2);
    server.append(&sandbox.all(1));
    // The next flush finds no directory to write to.
    let segments = dir.path().join("segments");
    std::fs::rename(&segments, dir.path().join("elsewhere")).unwrap();
    std::fs::write(&segments, b"").unwrap();
    let body = lines(&[sandbox.execution(1), Sandbox::new(4).execution(0)]);
    for _ in 0..2 {
        let reply = append(server.port, "/append", &body);
        assert_eq!(reply.status, 503, "{}", reply.text());
        let codes = reply
            .lines()
            .into_iter()
            .map(|line| line["error"]["code"].clone());
        assert_eq!(codes.collect::<Vec<_>>(), ["stopped", "unknown_key"]);
    }
    let reply = get(server.port, "/healthz");
    assert_eq!(reply.refusal(), (503, "stopped".to_owned()));
    assert_eq!(reply.header("retry-after"), Some("60"));
    assert_eq!(get(server.port, "/status").json()["stopped"], true);
    assert!(!reply.text().contains("segments"), "{}", reply.text());
    assert!(!server.told.lock().unwrap().is_empty());
    // What was acknowledged before is served.
    assert_eq!(get(server.port, "/proof/1").status, 200);
}
