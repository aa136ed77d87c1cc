//! A log behind a URL, from the side of the node: appended to, proven by, away, and back.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use oacp::leaf::LeafKind;
use oacp_egress::Options;
use oacp_gateway::{Answered, Registry, RegistryError, RemoteRegistry, Spool, Submitted};
use oacp_registry::Publication;

use crate::fixture::{
    LONG, READ, Sandbox, Server, WRITE, leaf, open, open_as, options, origin, runtime, scratch,
    token, verifier,
};

fn remote(port: u16) -> RemoteRegistry {
    remote_with(port, Some(WRITE))
}

fn remote_with(port: u16, with: Option<&str>) -> RemoteRegistry {
    let url = format!("http://127.0.0.1:{port}");
    let token = with.map(token);
    RemoteRegistry::new(&url, token.as_ref(), origin(), &Options::default())
        .unwrap()
        .with_patience(Duration::ZERO)
}

#[test]
fn what_is_appended_is_proven() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let sandbox = Sandbox::new(2);
    for registry in [
        Registry::Remote(remote(server.port)),
        Registry::Local(server.log.clone()),
    ] {
        assert_eq!(registry.origin(), origin());
        runtime().block_on(async {
            let appended = registry.append(sandbox.all(2)).await.unwrap();
            let indexes: Vec<_> = appended.iter().map(|appended| appended.index).collect();
            assert_eq!(indexes, [0, 1, 2]);
            let leaf = leaf(LeafKind::Execution, &sandbox.execution(1), Some(1));
            for index in [Some(2), None] {
                let proof = registry.proof(&leaf, index, LONG).await.unwrap();
                assert_eq!(proof.index(), 2);
                assert!(proof.checkpoint().verify(&verifier()));
            }
            // Another entry's proof is none of this one.
            let error = registry.proof(&leaf, Some(1), LONG).await.unwrap_err();
            assert!(matches!(error, RegistryError::OtherProof), "{error}");
            let absent = self::leaf(LeafKind::Execution, &sandbox.execution(9), Some(9));
            let error = registry
                .proof(&absent, None, Duration::ZERO)
                .await
                .unwrap_err();
            assert!(matches!(error, RegistryError::NoSuchEntry), "{error}");
        });
    }
}

#[test]
fn more_than_fits_one_request_is_sent_in_several() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let remote = remote(server.port);
    let results = runtime()
        .block_on(remote.append(&Sandbox::new(2).all(2500)))
        .unwrap();
    assert_eq!(results.len(), 2501);
    assert!(
        results
            .iter()
            .zip(0..)
            .all(|(result, index)| result.as_ref().unwrap().index == index)
    );
}

#[test]
fn a_proof_is_waited_for() {
    let dir = scratch();
    let log = open(dir.path(), Publication::WhenCosigned);
    let server = Server::over(log, options(), 0);
    let sandbox = Sandbox::new(2);
    server.append(&sandbox.all(0));
    let leaf = leaf(LeafKind::Delegation, &sandbox.delegation, None);
    for registry in [
        Registry::Remote(remote(server.port)),
        Registry::Local(server.log.clone()),
    ] {
        let error = runtime()
            .block_on(registry.proof(&leaf, Some(0), Duration::ZERO))
            .unwrap_err();
        assert!(
            matches!(error, RegistryError::NotPublished { .. }),
            "{error}"
        );
    }
    let remote = remote(server.port);
    runtime().block_on(async {
        let waiting = remote.proof(&leaf, Some(0), LONG);
        let publishing = async { server.log.publish(server.log.committed()).unwrap() };
        let (proof, ()) = tokio::join!(waiting, publishing);
        assert_eq!(proof.unwrap().index(), 0);
    });
}

#[test]
fn nothing_is_sent_to_another_log() {
    let dir = scratch();
    let log = open_as(dir.path(), "log.example/other", Publication::AtOnce);
    let server = Server::over(log, options(), 0);
    let remote = remote(server.port);
    let error = runtime()
        .block_on(remote.append(&Sandbox::new(2).all(0)))
        .unwrap_err();
    let expected = format!(
        "`{}` is the log `log.example/other`, expected `log.example/test`",
        server.url()
    );
    assert_eq!(error.to_string(), expected);
    assert!(!error.is_unreachable());
    assert_eq!(server.size(), 0);
}

#[test]
fn a_log_that_changes_behind_its_url_is_noticed() {
    let (dir, other_dir) = (scratch(), scratch());
    let server = Server::start(dir.path());
    let remote = remote(server.port);
    let sandbox = Sandbox::new(2);
    runtime().block_on(remote.append(&sandbox.all(1))).unwrap();
    let port = server.stop();
    let log = open_as(other_dir.path(), "log.example/other", Publication::AtOnce);
    let other = Server::over(log, options(), port);
    let leaf = leaf(LeafKind::Execution, &sandbox.execution(0), Some(0));
    runtime().block_on(async {
        let error = remote.append(&sandbox.all(2)).await.unwrap_err();
        assert!(matches!(error, RegistryError::OtherLog { .. }), "{error}");
        let error = remote
            .proof(&leaf, Some(1), Duration::ZERO)
            .await
            .unwrap_err();
        assert!(matches!(error, RegistryError::NoSuchEntry), "{error}");
    });
    assert_eq!(other.size(), 0);
}

#[test]
fn without_the_token_nothing_is_taken() {
    let dir = scratch();
    let server = Server::start(dir.path());
    for with in [None, Some(READ)] {
        let remote = remote_with(server.port, with);
        let error = runtime()
            .block_on(remote.append(&Sandbox::new(2).all(0)))
            .unwrap_err();
        assert!(
            matches!(error, RegistryError::Unauthorized { .. }),
            "{error}"
        );
    }
}

#[test]
fn what_a_log_refuses_it_refuses_by_name() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let remote = remote(server.port);
    let stranger = Sandbox::new(3);
    let envelopes = [stranger.execution(0), Sandbox::new(2).delegation];
    let results = runtime().block_on(remote.append(&envelopes)).unwrap();
    assert_eq!(results[0].as_ref().unwrap_err().code, "unknown_key");
    assert!(results[1].is_ok());
    let registry = Registry::Remote(remote);
    let error = runtime()
        .block_on(registry.append(envelopes.to_vec()))
        .unwrap_err();
    assert!(matches!(error, RegistryError::Refused(_)), "{error}");
}

#[test]
fn a_log_that_is_away_is_waited_for_and_then_gone_on_with() {
    let (dir, spool_dir) = (scratch(), scratch());
    let server = Server::start(dir.path());
    let spool = Spool::open(&spool_dir.path().join("spool")).unwrap();
    let registry = Registry::Remote(remote(server.port));
    let sandbox = Sandbox::new(2);
    let submit =
        |envelopes, answered| runtime().block_on(registry.submit(envelopes, &spool, answered));
    let delegation = vec![sandbox.delegation.clone()];
    let submitted = submit(delegation, Answered::WhenSpooled).unwrap();
    assert!(matches!(submitted, Submitted::Logged(appended) if appended[0].index == 0));

    let port = server.stop();
    // A level that needs the log is refused; another waits, and says so.
    let error = submit(vec![sandbox.execution(0)], Answered::WhenLogged).unwrap_err();
    assert!(error.is_unreachable(), "{error}");
    assert!(spool.is_empty().unwrap());
    for number in [1, 0] {
        match submit(vec![sandbox.execution(number)], Answered::WhenSpooled).unwrap() {
            Submitted::Spooled { pending, because } => {
                assert_eq!(pending.entries, 2 - usize::try_from(number).unwrap());
                assert!(pending.bytes > 0 && because.is_unreachable());
            }
            other => panic!("{other:?}"),
        }
    }

    let log = open(dir.path(), Publication::AtOnce);
    let server = Server::over(log, options(), port);
    // The next one takes those along that waited, before it.
    let submitted = submit(vec![sandbox.execution(2)], Answered::WhenLogged).unwrap();
    assert!(matches!(submitted, Submitted::Logged(appended) if appended[0].index == 3));
    assert!(spool.is_empty().unwrap());
    assert_eq!(server.size(), 4);
}

#[test]
fn two_that_send_one_spool_append_it_once() {
    let (dir, spool_dir) = (scratch(), scratch());
    let server = Server::start(dir.path());
    let spool = Spool::open(spool_dir.path()).unwrap();
    for envelope in Sandbox::new(2).all(150) {
        spool.put(&envelope).unwrap();
    }
    let other = Spool::open(spool_dir.path()).unwrap();
    let (one_remote, other_remote) = (remote(server.port), remote(server.port));
    let (one, other) = runtime().block_on(async {
        tokio::join!(spool.send_all(&one_remote), other.send_all(&other_remote))
    });
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.refused.is_empty() && other.refused.is_empty());
    assert!(spool.is_empty().unwrap());
    assert_eq!(server.size(), 151);
}

#[test]
fn an_answer_that_is_none_is_not_taken_for_an_acknowledgement() {
    for (status, body, is_unreachable) in [
        ("200 OK", "", false),
        (
            "200 OK",
            "{\"index\":0,\"new\":true}\n{\"index\":1,\"new\":true}\n",
            false,
        ),
        ("200 OK", "<html>\n", false),
        ("202 Accepted", "{\"index\":0,\"new\":true}\n", false),
        ("302 Found", "", false),
        ("503 Service Unavailable", "", true),
        ("500 Internal Server Error", "{}", true),
    ] {
        let port = liar(status, body);
        let error = runtime()
            .block_on(remote(port).append(&[Sandbox::new(2).delegation]))
            .unwrap_err();
        assert_eq!(
            error.is_unreachable(),
            is_unreachable,
            "{status} {body}: {error}"
        );
    }
}

/// Answers `/status` as the log would, and everything else with this.
fn liar(status: &'static str, body: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut read = vec![];
            let mut buffer = [0; 4096];
            while !read.windows(4).any(|window| window == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(count) if count > 0 => read.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            let (status, body) = match read.starts_with(b"GET /status ") {
                true => (
                    "200 OK",
                    format!("{{\"origin\":\"{}\"}}", crate::fixture::ORIGIN),
                ),
                false => (status, body.to_owned()),
            };
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            );
        }
    });
    port
}
