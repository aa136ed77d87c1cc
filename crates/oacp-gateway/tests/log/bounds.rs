//! What a stranger can cost. Each of these waits for the server to act; none sleeps.

use std::io::{Read, Write};
use std::time::Duration;

use oacp_gateway::ServerLimits;

use crate::client::{connect, get, parse, send};
use crate::fixture::{Sandbox, Server, WRITE, lines, scratch};

const SHORT: Duration = Duration::from_millis(300);

#[test]
fn a_head_that_does_not_end_ends_the_connection() {
    let dir = scratch();
    let limits = ServerLimits {
        head_time_max: SHORT,
        ..ServerLimits::default()
    };
    let server = Server::limited(dir.path(), limits);
    for begun in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: test\r\n"] {
        let mut stream = connect(server.port);
        stream.write_all(begun.as_bytes()).unwrap();
        let mut bytes = vec![];
        let _ = stream.read_to_end(&mut bytes);
        assert!(bytes.is_empty(), "{}", String::from_utf8_lossy(&bytes));
    }
    assert_eq!(get(server.port, "/healthz").status, 200);
}

#[test]
fn a_body_that_does_not_end_is_answered_and_ended() {
    let dir = scratch();
    let limits = ServerLimits {
        request_time_max: SHORT,
        ..ServerLimits::default()
    };
    let server = Server::limited(dir.path(), limits);
    let mut stream = connect(server.port);
    let head = format!(
        "POST /append HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\nauthorization: Bearer {WRITE}\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut bytes = vec![];
    let _ = stream.read_to_end(&mut bytes);
    assert_eq!(parse(&bytes).refusal(), (408, "timed_out".to_owned()));
}

#[test]
fn bodies_that_come_slowly_hold_up_nobody() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let token = format!("Bearer {WRITE}");
    let mut slow: Vec<_> = (0..32).map(|_| connect(server.port)).collect();
    for stream in &mut slow {
        let head = format!(
            "POST /append HTTP/1.1\r\nhost: test\r\ncontent-length: 8000000\r\nauthorization: {token}\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).unwrap();
    }
    // More than a body may hold anyway.
    let body = lines(&Sandbox::new(2).all(199));
    assert!(body.len() > 128 << 10);
    let reply = send(
        server.port,
        "POST",
        "/append",
        &[("authorization", &token)],
        &body,
    );
    assert_eq!((reply.status, reply.lines().len()), (200, 200));
    // They are on their way still.
    for stream in &mut slow {
        stream.set_nonblocking(true).unwrap();
        let read = stream.read(&mut [0; 1]).unwrap_err();
        assert_eq!(read.kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[test]
fn a_connection_that_says_nothing_more_is_ended() {
    let dir = scratch();
    let limits = ServerLimits {
        response_time_max: SHORT,
        ..ServerLimits::default()
    };
    let server = Server::limited(dir.path(), limits);
    let mut stream = connect(server.port);
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n")
        .unwrap();
    let mut bytes = vec![];
    let _ = stream.read_to_end(&mut bytes);
    assert_eq!(parse(&bytes).status, 200);
}

#[test]
fn responses_that_nobody_reads_end_the_connection() {
    let dir = scratch();
    let limits = ServerLimits {
        response_time_max: SHORT,
        ..ServerLimits::default()
    };
    let server = Server::limited(dir.path(), limits);
    server.append(&Sandbox::new(2).all(299));
    let mut stream = connect(server.port);
    let many = "GET /tile/entries/000 HTTP/1.1\r\nhost: test\r\n\r\n".repeat(100);
    // Both directions fill up, and writing waits; until the other side is gone.
    while stream.write_all(many.as_bytes()).is_ok() {}
    assert_eq!(get(server.port, "/healthz").status, 200);
}

#[test]
fn connections_beyond_the_bound_wait_for_a_place() {
    let dir = scratch();
    let limits = ServerLimits {
        connections_max: 1,
        head_time_max: SHORT,
        ..ServerLimits::default()
    };
    let server = Server::limited(dir.path(), limits);
    let mut idle = connect(server.port);
    // Answered only after the first was ended for its silence.
    assert_eq!(get(server.port, "/healthz").status, 200);
    idle.set_nonblocking(true).unwrap();
    let ended = idle.read(&mut [0; 1]);
    assert!(
        !matches!(&ended, Err(e) if e.kind() == std::io::ErrorKind::WouldBlock),
        "{ended:?}"
    );
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let dir = scratch();
    let server = Server::start(dir.path());
    let mut stream = connect(server.port);
    let head = format!(
        "GET / HTTP/1.1\r\nhost: test\r\nx: {}\r\n\r\n",
        "y".repeat(1 << 20)
    );
    let _ = stream.write_all(head.as_bytes());
    let mut bytes = vec![];
    let _ = stream.read_to_end(&mut bytes);
    // The answer may be lost with the connection.
    if !bytes.is_empty() {
        assert_eq!(parse(&bytes).status, 431);
    }
    assert_eq!(get(server.port, "/healthz").status, 200);
}
