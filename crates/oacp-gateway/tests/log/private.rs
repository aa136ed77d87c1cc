//! What takes a token.

use oacp::bundle::Bundle;
use oacp::digest::Digest;
use oacp::envelope::Envelope;
use oacp::outcome::Outcome;
use oacp::time::Timestamp;
use oacp_gateway::ServeOptions;
use oacp_registry::{Pruning, Publication};
use serde_json::Value;

use crate::client::{get, get_as, send};
use crate::fixture::{NOW_MS, READ, Sandbox, Server, WRITE, lines, open, scratch};

#[test]
fn without_a_token_of_its_own_a_route_is_closed() {
    let dir = scratch();
    let log = open(dir.path(), Publication::AtOnce);
    let server = Server::over(log, ServeOptions::default(), 0);
    let id = Sandbox::new(2).execution_id(0);
    for path in [
        "/find".to_owned(),
        "/payload/0".to_owned(),
        format!("/bundle/{id}"),
    ] {
        for reply in [get(server.port, &path), get_as(server.port, &path, READ)] {
            assert_eq!(reply.refusal(), (403, "closed".to_owned()), "{path}");
            let fix = reply.json()["error"]["fix"].as_str().unwrap().to_owned();
            assert!(fix.contains("read token"), "{fix}");
        }
    }
    let reply = send(server.port, "POST", "/append", &[], b"{}");
    assert_eq!(reply.refusal(), (403, "closed".to_owned()));
    assert_eq!(get(server.port, "/status").status, 200);
}

#[test]
fn only_its_own_token_opens_a_route() {
    let dir = scratch();
    let server = Server::start(dir.path());
    server.append(&Sandbox::new(2).all(1));
    let own = format!("Bearer {READ}");
    let other = format!("Bearer {WRITE}");
    for headers in [
        vec![],
        vec![("authorization", "Bearer ")],
        vec![("authorization", READ)],
        vec![("authorization", other.as_str())],
        vec![("authorization", "Basic cmVhZA==")],
        vec![
            ("authorization", own.as_str()),
            ("authorization", own.as_str()),
        ],
        vec![("proxy-authorization", own.as_str())],
        vec![("cookie", own.as_str())],
    ] {
        for path in ["/find", "/payload/0", "/find?token=x"] {
            let reply = send(server.port, "GET", path, &headers, b"");
            assert_eq!(
                reply.refusal(),
                (401, "unauthorized".to_owned()),
                "{headers:?}"
            );
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
            assert!(!reply.text().contains(READ));
        }
    }
    assert_eq!(get_as(server.port, "/payload/0", READ).status, 200);
    let lower = format!("bearer {READ}");
    let reply = send(
        server.port,
        "GET",
        "/payload/0",
        &[("authorization", &lower)],
        b"",
    );
    assert_eq!(reply.status, 200);
    // A token that reads does not write.
    let body = lines(&Sandbox::new(3).all(0));
    let reply = send(
        server.port,
        "POST",
        "/append",
        &[("authorization", &own)],
        &body,
    );
    assert_eq!(reply.refusal(), (401, "unauthorized".to_owned()));
    assert_eq!(server.size(), 2);
}

#[test]
fn the_status_says_more_to_those_with_the_token() {
    let dir = scratch();
    let server = Server::start(dir.path());
    server.append(&Sandbox::new(2).all(1));
    assert_eq!(get(server.port, "/status").json()["kinds"], Value::Null);
    let json = get_as(server.port, "/status", READ).json();
    let execution = serde_json::json!({"entries": 1, "pruned": 0});
    assert_eq!(json["kinds"]["execution"], execution);
    assert_eq!(json["stopped_because"], Value::Null);
    let json = get_as(server.port, "/status", WRITE).json();
    assert_eq!((&json["size"], &json["kinds"]), (&2.into(), &Value::Null));
}

#[test]
fn entries_are_found_by_what_they_say() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let (one, two) = (Sandbox::new(2), Sandbox::new(3));
    let mut failed = two.statement(0);
    failed.outcome = Outcome::GuestError;
    failed.principal = "bob & co".parse().unwrap();
    let envelopes = [one.all(3), vec![two.delegation.clone(), two.sign(&failed)]].concat();
    server.append(&envelopes);
    let indexes = |query: &str| -> Vec<u64> {
        let reply = get_as(server.port, &format!("/find?{query}"), READ);
        assert_eq!(reply.status, 200, "{query}: {}", reply.text());
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let json = reply.json();
        let entries = json["entries"].as_array().unwrap().iter();
        entries
            .map(|entry| entry["index"].as_u64().unwrap())
            .collect()
    };
    let agent = Digest::of(b"agent");
    assert_eq!(indexes(""), [0, 1, 2, 3, 4, 5]);
    assert_eq!(indexes("kind=delegation"), [0, 4]);
    assert_eq!(indexes(&format!("agent={agent}")), [1, 2, 3, 5]);
    assert_eq!(indexes("outcome=guest_error"), [5]);
    assert_eq!(indexes("principal=bob+%26%20co"), [5]);
    assert_eq!(indexes(&format!("execution={}", one.execution_id(1))), [2]);
    assert_eq!(
        indexes("since=2026-11-22&until=2026-11-22&kind=execution"),
        [1, 2, 3, 5]
    );
    assert_eq!(indexes("since=2026-11-23"), [0_u64; 0]);
    assert_eq!(indexes("tool=none"), [0_u64; 0]);
    assert_eq!(indexes("after=3"), [4, 5]);

    let page = get_as(server.port, "/find?limit=2", READ).json();
    assert_eq!(page["entries"].as_array().unwrap().len(), 2);
    assert_eq!(page["next"], 1);
    let entry = &page["entries"][1];
    assert_eq!(entry["kind"], "execution");
    assert_eq!(entry["id"], one.execution_id(0).to_string());
    assert_eq!(entry["principal"], "alice");
    assert_eq!(entry["time"], "2026-11-22T20:14:05.123Z");
    assert_eq!(entry["pruned"], false);

    for query in [
        "agnet=x",
        "agent=x",
        "limit=0",
        "limit=1001",
        "kind=x",
        "since=x",
        "a=%",
    ] {
        let reply = get_as(server.port, &format!("/find?{query}"), READ);
        assert_eq!(reply.refusal(), (400, "bad_request".to_owned()), "{query}");
    }
}

#[test]
fn a_payload_is_the_envelope_that_was_appended() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let sandbox = Sandbox::new(2);
    server.append(&sandbox.all(1));
    let execution = sandbox.execution(0);
    for path in [
        "/payload/1".to_owned(),
        format!("/payload/{}", execution.pae_digest()),
    ] {
        let reply = get_as(server.port, &path, READ);
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(Envelope::parse(&reply.body).unwrap(), execution);
    }
    let absent = format!("/payload/{}", sandbox.execution(5).pae_digest());
    for path in ["/payload/2", &absent] {
        assert_eq!(get_as(server.port, path, READ).refusal().0, 404, "{path}");
    }
    let id = format!("/payload/{}", sandbox.execution_id(0));
    for path in ["/payload/x", "/payload/-1", &id] {
        assert_eq!(get_as(server.port, path, READ).refusal().0, 400, "{path}");
    }
}

#[test]
fn a_bundle_has_all_that_shows_the_logging_and_nothing_private() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let sandbox = Sandbox::new(2);
    let begin = sandbox.begin(0, 1);
    let envelopes = [
        sandbox.delegation.clone(),
        begin,
        sandbox.execution(1),
        sandbox.execution(2),
    ];
    server.append(&envelopes);
    let reply = get_as(
        server.port,
        &format!("/bundle/{}", sandbox.execution_id(1)),
        READ,
    );
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let bundle = Bundle::parse(&reply.body).unwrap();
    assert_eq!(bundle.envelope(), &sandbox.execution(1));
    assert_eq!(bundle.delegation(), &sandbox.delegation);
    assert!(bundle.private().is_empty());
    let json = reply.json();
    assert!(json["begin"].is_object(), "{json}");
    for of in ["delegation", "begin", "execution"] {
        assert_eq!(json["proofs"][of].as_array().unwrap().len(), 1, "{of}");
    }

    // Without a begin there is none.
    let path = format!("/bundle/{}?wait=30", sandbox.execution_id(2));
    let json = get_as(server.port, &path, READ).json();
    assert_eq!(json["begin"], Value::Null);
    assert_eq!(json["proofs"]["execution"].as_array().unwrap().len(), 1);

    let absent = format!("/bundle/{}", sandbox.execution_id(9));
    assert_eq!(
        get_as(server.port, &absent, READ).refusal(),
        (404, "not_found".to_owned())
    );
    for path in ["/bundle/1", "/bundle/x", &format!("{absent}?kind=begin")] {
        assert_eq!(get_as(server.port, path, READ).refusal().0, 400, "{path}");
    }
}

#[test]
fn what_was_pruned_is_gone_and_says_what_it_was() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let sandbox = Sandbox::new(2);
    server.append(&sandbox.all(1));
    let later = Timestamp::from_unix_ms(NOW_MS + 1000);
    let pruned = server.log.prune(later, Pruning::Done).unwrap();
    assert_eq!(pruned.iter().map(|segment| segment.entries).sum::<u64>(), 2);

    let execution = sandbox.execution(0);
    let bundle = format!("/bundle/{}", sandbox.execution_id(0));
    for path in ["/payload/1", &bundle] {
        let reply = get_as(server.port, path, READ);
        assert_eq!(reply.refusal(), (410, "pruned".to_owned()), "{path}");
        let digest = &reply.json()["error"]["digest"];
        assert_eq!(*digest, execution.pae_digest().to_string());
    }
    let found = get_as(server.port, "/find", READ).json();
    assert_eq!(found["entries"][1]["pruned"], true);
    assert_eq!(found["entries"][1]["agent"], Value::Null);
    // What shows that it was logged remains.
    for path in [
        "/entry/1",
        "/proof/1",
        &format!("/proof/{}", sandbox.execution_id(0)),
    ] {
        assert_eq!(get(server.port, path).status, 200, "{path}");
    }
}
