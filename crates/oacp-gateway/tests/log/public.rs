//! What everybody may ask.

use oacp::leaf::{Leaf, LeafKind};
use oacp_registry::Publication;
use oacp_tlog::tree::verify_consistency;
use oacp_tlog::{Hash, SignedCheckpoint, TlogProof, decode_bundle, leaf_hash};
use serde_json::json;

use crate::client::{Reply, get, send};
use crate::fixture::{ORIGIN, Sandbox, Server, leaf, open, options, runtime, scratch, verifier};

const FOREVER: &str = "public, max-age=31536000, immutable";
const SHORTLY: &str = "public, max-age=60";

fn assert_kept(reply: &Reply, content_type: &str, cache_control: &str) {
    assert_eq!(
        reply.status,
        200,
        "{}",
        String::from_utf8_lossy(&reply.body)
    );
    assert_eq!(reply.header("content-type"), Some(content_type));
    assert_eq!(reply.header("cache-control"), Some(cache_control));
}

fn checkpoint(port: u16) -> SignedCheckpoint {
    let reply = get(port, "/checkpoint");
    assert_kept(&reply, "text/plain; charset=utf-8", "no-cache");
    let checkpoint = SignedCheckpoint::parse(&reply.body).unwrap();
    assert!(checkpoint.verify(&verifier()));
    assert_eq!(checkpoint.origin(), ORIGIN);
    checkpoint
}

#[test]
fn a_checkpoint_is_a_signed_note_and_is_asked_for_each_time() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let sandbox = Sandbox::new(2);
    server.append(&sandbox.all(2));
    assert_eq!(checkpoint(server.port).size(), 3);
    server.append(&[sandbox.execution(2)]);
    assert_eq!(checkpoint(server.port).size(), 4);

    let head = send(server.port, "HEAD", "/checkpoint", &[], b"");
    assert_kept(&head, "text/plain; charset=utf-8", "no-cache");
    assert!(head.body.is_empty());
    let length = get(server.port, "/checkpoint").body.len().to_string();
    assert_eq!(head.header("content-length"), Some(length.as_str()));
}

#[test]
fn an_empty_log_says_that_it_is_empty() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let reply = get(server.port, "/checkpoint");
    match reply.status {
        200 => assert_eq!(SignedCheckpoint::parse(&reply.body).unwrap().size(), 0),
        _ => assert_eq!(reply.refusal(), (404, "not_found".to_owned())),
    }
    assert_eq!(get(server.port, "/tile/0/000.p/1").refusal().0, 404);
    assert_eq!(get(server.port, "/entry/0").refusal().0, 404);
    assert_eq!(get(server.port, "/proof/0").refusal().0, 404);
    assert_eq!(get(server.port, "/status").json()["size"], 0);
}

#[test]
fn tiles_are_the_log_full_ones_for_ever() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let sandbox = Sandbox::new(2);
    let envelopes = sandbox.all(299);
    server.append(&envelopes);
    let octets = "application/octet-stream";

    let full = get(server.port, "/tile/0/000");
    assert_kept(&full, octets, FOREVER);
    assert_eq!(full.body.len(), 8192);
    let partial = get(server.port, "/tile/0/001.p/44");
    assert_kept(&partial, octets, SHORTLY);
    let above = get(server.port, "/tile/1/000.p/1");
    assert_kept(&above, octets, SHORTLY);

    let mut entries = vec![];
    for (path, kept) in [
        ("/tile/entries/000", FOREVER),
        ("/tile/entries/001.p/44", SHORTLY),
    ] {
        let reply = get(server.port, path);
        assert_kept(&reply, octets, kept);
        for entry in decode_bundle(&reply.body).unwrap() {
            entries.push(entry.to_vec());
        }
    }
    let hashes: Vec<u8> = entries
        .iter()
        .flat_map(|entry| *leaf_hash(entry).as_bytes())
        .collect();
    assert_eq!(hashes, [full.body, partial.body].concat());
    for (entry, envelope) in entries.iter().zip(&envelopes) {
        assert_eq!(Leaf::parse(entry).unwrap().pae, envelope.pae_digest());
    }

    for path in [
        "/tile/0/002",
        "/tile/0/001",
        "/tile/0/001.p/45",
        "/tile/1/000",
        "/tile/1/000.p/2",
        "/tile/2/000.p/1",
        "/tile/entries/001",
        "/tile/0/x001/x234/067",
    ] {
        assert_eq!(
            get(server.port, path).refusal(),
            (404, "not_found".to_owned()),
            "{path}"
        );
    }
    for path in [
        "/tile/0/0",
        "/tile/0/0000",
        "/tile/00/000",
        "/tile/8/000",
        "/tile/-1/000",
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/0/000.p/044",
        "/tile/0/x000/000",
        "/tile/0/001/000",
        "/tile/0/%30%30%30",
        "/tile/0/000/",
        "/tile/0/..%2F..%2Fhead",
        "/tile/0/../../head",
        "/tile/entries/000.p/",
        "/tile/data/000",
        "/tile/0",
    ] {
        assert_eq!(
            get(server.port, path).refusal(),
            (400, "bad_request".to_owned()),
            "{path}"
        );
    }
}

#[test]
fn an_entry_is_the_leafs_bytes() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let sandbox = Sandbox::new(2);
    server.append(&sandbox.all(1));
    let reply = get(server.port, "/entry/1");
    assert_kept(&reply, "application/json", FOREVER);
    let expected = leaf(LeafKind::Execution, &sandbox.execution(0), Some(0));
    assert_eq!(reply.body, expected.to_bytes());
    assert_eq!(
        get(server.port, "/entry/2").refusal(),
        (404, "not_found".to_owned())
    );
    for index in ["-1", "01", "+1", "a", "1.0", "18446744073709551616", "%31x"] {
        let path = format!("/entry/{index}");
        assert_eq!(get(server.port, &path).refusal().0, 400, "{index}");
    }
}

#[test]
fn a_proof_is_found_by_index_id_and_digest() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let sandbox = Sandbox::new(2);
    let (begin, execution) = (sandbox.begin(0, 1), sandbox.execution(1));
    server.append(&[sandbox.delegation.clone(), begin.clone(), execution.clone()]);
    let id = sandbox.execution_id(1);
    let delegation_leaf = leaf(LeafKind::Delegation, &sandbox.delegation, None);
    let begin_leaf = leaf(LeafKind::Begin, &begin, Some(0));
    let execution_leaf = leaf(LeafKind::Execution, &execution, Some(1));
    for (path, index, leaf) in [
        ("/proof/0".to_owned(), 0, delegation_leaf),
        ("/proof/1".to_owned(), 1, begin_leaf),
        (format!("/proof/{}", begin.pae_digest()), 1, begin_leaf),
        (format!("/proof/{id}"), 2, execution_leaf),
        (format!("/proof/{id}?kind=execution"), 2, execution_leaf),
        (format!("/proof/{id}?kind=begin&wait=0"), 1, begin_leaf),
        (
            format!("/proof/{id}?kind=delegation&wait=30"),
            0,
            delegation_leaf,
        ),
    ] {
        let reply = get(server.port, &path);
        assert_kept(&reply, "text/plain; charset=utf-8", "no-cache");
        let proof = TlogProof::parse(&reply.body).unwrap();
        assert_eq!(proof.index(), index, "{path}");
        proof.verify(&leaf.hash()).unwrap();
        assert!(proof.checkpoint().verify(&verifier()));
        assert_eq!(proof.to_string().as_bytes(), reply.body);
    }
    let other = sandbox.execution_id(7);
    for path in [
        "/proof/3".to_owned(),
        format!("/proof/{other}"),
        format!("/proof/{other}?kind=delegation"),
        format!("/proof/{}", sandbox.execution(9).pae_digest()),
    ] {
        assert_eq!(
            get(server.port, &path).refusal(),
            (404, "not_found".to_owned()),
            "{path}"
        );
    }
    for path in [
        "/proof/x",
        "/proof/01",
        "/proof/sha256:00",
        "/proof/0?wait=31",
        "/proof/0?wait=-1",
        "/proof/0?wait=1&wait=2",
        "/proof/0?kind=begin",
        "/proof/0?until=1",
        &format!("/proof/{id}?kind=tool"),
    ] {
        assert_eq!(
            get(server.port, path).refusal(),
            (400, "bad_request".to_owned()),
            "{path}"
        );
    }
}

#[test]
fn a_proof_can_be_waited_for_until_a_checkpoint_is_published() {
    let dir = scratch();
    let log = open(dir.path(), Publication::WhenCosigned);
    let server = Server::over(log, options(), 0);
    server.append(&Sandbox::new(2).all(0));
    let reply = get(server.port, "/proof/0");
    assert_eq!(reply.refusal(), (404, "not_published".to_owned()));
    assert_eq!(reply.header("retry-after"), Some("1"));
    let status = get(server.port, "/status").json();
    assert_eq!(
        (&status["size"], &status["published"]),
        (&1.into(), &0.into())
    );

    let port = server.port;
    let waiting = std::thread::spawn(move || get(port, "/proof/0?wait=30"));
    server.log.publish(server.log.committed()).unwrap();
    let reply = waiting.join().unwrap();
    assert_kept(&reply, "text/plain; charset=utf-8", "no-cache");
    assert_eq!(TlogProof::parse(&reply.body).unwrap().index(), 0);
}

#[test]
fn a_wait_ends_with_the_server() {
    let dir = scratch();
    let log = open(dir.path(), Publication::WhenCosigned);
    let server = Server::over(log, options(), 0);
    server.append(&Sandbox::new(2).all(0));
    let port = server.port;
    let waiting = std::thread::spawn(move || {
        // Refused connections are an end, too: the server was quicker.
        std::panic::catch_unwind(|| get(port, "/proof/0?wait=30"))
    });
    server.stop();
    if let Ok(reply) = waiting.join().unwrap() {
        assert_eq!(reply.refusal(), (503, "ending".to_owned()));
    }
}

#[test]
fn consistency_is_shown_as_witnesses_read_it() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let sandbox = Sandbox::new(2);
    server.append(&sandbox.all(4));
    let old = checkpoint(server.port);
    server.append(
        &(4..9)
            .map(|number| sandbox.execution(number))
            .collect::<Vec<_>>(),
    );
    let new = checkpoint(server.port);
    let reply = get(server.port, "/consistency?from=5&to=10");
    assert_kept(&reply, "text/plain; charset=utf-8", FOREVER);
    let proof: Vec<Hash> = reply
        .text()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    verify_consistency(5, 10, &proof, &old.root(), &new.root()).unwrap();
    for path in ["/consistency?from=10&to=10", "/consistency?from=0&to=10"] {
        let reply = get(server.port, path);
        assert_eq!((reply.status, reply.text()), (200, ""), "{path}");
    }
    assert_eq!(
        get(server.port, "/consistency?from=5&to=11").refusal().0,
        404
    );
    for path in [
        "/consistency",
        "/consistency?from=5",
        "/consistency?from=6&to=5",
        "/consistency?from=5&to=x",
        "/consistency?from=5&to=10&by=1",
    ] {
        assert_eq!(
            get(server.port, path).refusal(),
            (400, "bad_request".to_owned()),
            "{path}"
        );
    }
}

#[test]
fn the_log_says_what_it_is_and_how_it_is() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let sandbox = Sandbox::new(2);
    server.append(&sandbox.all(1));
    let reply = get(server.port, "/");
    assert_kept(&reply, "text/plain; charset=utf-8", SHORTLY);
    assert!(reply.text().contains(ORIGIN) && reply.text().contains("/checkpoint"));
    let reply = get(server.port, "/healthz");
    assert_kept(&reply, "text/plain; charset=utf-8", "no-store");
    assert_eq!(reply.text(), "ok\n");
    // What is asked for by name is in the index then.
    assert_eq!(
        get(server.port, &format!("/proof/{}", sandbox.execution_id(0))).status,
        200
    );
    let reply = get(server.port, "/status");
    assert_kept(&reply, "application/json", "no-store");
    assert_eq!(
        reply.json(),
        json!({
            "origin": ORIGIN, "size": 2, "published": 2, "indexed": 2, "stopped": false,
            "cosigning": null, "retention_days": null,
        })
    );
}

#[test]
fn what_is_not_there_and_what_is_not_asked_so_is_said_in_json() {
    let dir = scratch();
    let server = Server::start(dir.path());
    for path in [
        "/x",
        "/tile",
        "/proof",
        "/proof/0/1",
        "/checkpoint/",
        "//checkpoint",
    ] {
        assert_eq!(
            get(server.port, path).refusal(),
            (404, "not_found".to_owned()),
            "{path}"
        );
    }
    for (method, path, allowed) in [
        ("POST", "/checkpoint", "GET,HEAD"),
        ("PUT", "/tile/0/000", "GET,HEAD"),
        ("DELETE", "/entry/0", "GET,HEAD"),
        ("GET", "/append", "POST"),
    ] {
        let reply = send(server.port, method, path, &[], b"");
        assert_eq!(
            reply.refusal(),
            (405, "method_not_allowed".to_owned()),
            "{method} {path}"
        );
        assert_eq!(reply.header("allow"), Some(allowed), "{method} {path}");
    }
}

#[test]
fn a_damaged_tile_is_an_error_and_its_file_the_operators_affair() {
    let dir = scratch();
    let server = Server::start(dir.path());
    server.append(&Sandbox::new(2).all(299));
    let full = dir.path().join("tile/0/000");
    // Tiles are published behind the acknowledgement.
    runtime().block_on(server.log.published(300));
    while !full.exists() {
        std::thread::yield_now();
    }
    let port = server.stop();
    let mut bytes = std::fs::read(&full).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&full, bytes).unwrap();

    let log = open(dir.path(), Publication::AtOnce);
    let server = Server::over(log, options(), port);
    let reply = get(server.port, "/tile/0/000");
    if reply.status == 200 {
        // Made again at start-up, from the segments: as good.
        let pristine = get(server.port, "/tile/entries/000");
        let hashes: Vec<u8> = decode_bundle(&pristine.body)
            .unwrap()
            .into_iter()
            .flat_map(|entry| *leaf_hash(entry).as_bytes())
            .collect();
        assert_eq!(reply.body, hashes);
        return;
    }
    assert_eq!(reply.refusal(), (500, "damaged".to_owned()));
    assert!(!reply.text().contains("000"), "{}", reply.text());
    let told = server.told.lock().unwrap();
    assert!(
        told.iter().any(|line| line.contains("tile/0/000")),
        "{told:?}"
    );
}

#[test]
fn what_another_process_appends_is_seen_while_it_is_waited_for() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let sandbox = Sandbox::new(2);
    let (port, id) = (server.port, sandbox.execution_id(0));
    let waiting = [
        "/proof/1?wait=30".to_owned(),
        format!("/proof/{id}?wait=30"),
    ]
    .map(|path| std::thread::spawn(move || get(port, &path)));
    let other = open(dir.path(), Publication::AtOnce);
    for envelope in sandbox.all(1) {
        runtime().block_on(other.append(envelope)).unwrap();
    }
    for reply in waiting {
        let reply = reply.join().unwrap();
        assert_eq!(TlogProof::parse(&reply.body).unwrap().index(), 1);
    }
}
