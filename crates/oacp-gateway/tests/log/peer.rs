//! A peer that is not what it should be.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use oacp_egress::Options;
use oacp_gateway::{Bounds, Peer, PeerError, PeerReply};

use crate::fixture::{READ, runtime, token};

/// Answers each connection's one request with these bytes, and hands on what it was asked.
fn answering(answer: &'static [u8]) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/base/", listener.local_addr().unwrap());
    let (sender, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = sender.send(request(&mut stream));
            let _ = stream.write_all(answer);
            if answer.is_empty() {
                // Silent, until the other side has gone.
                let _ = stream.read(&mut [0]);
            }
        }
    });
    (url, asked)
}

fn request(stream: &mut TcpStream) -> String {
    let mut read = vec![];
    let mut buffer = [0; 4096];
    while !read.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => read.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    String::from_utf8(read).unwrap()
}

fn get(url: &str, path: &str, bounds: Bounds) -> Result<PeerReply, PeerError> {
    let peer = Peer::new(url, Some(&token(READ)), &Options::default()).unwrap();
    runtime().block_on(peer.get(path, bounds))
}

#[test]
fn what_is_asked_is_below_the_peers_url_and_bears_its_token() {
    let (url, asked) = answering(
        b"HTTP/1.1 409 Conflict\r\ncontent-type: text/x.tlog.size\r\nretry-after: 7\r\ncontent-length: 2\r\nconnection: close\r\n\r\n9\n",
    );
    let reply = get(&url, "/tile/0/x001/234?a=b", Bounds::bytes(2)).unwrap();
    let expected = PeerReply {
        status: 409,
        content_type: Some("text/x.tlog.size".to_owned()),
        retry_after: Some(Duration::from_secs(7)),
        body: b"9\n".to_vec(),
    };
    assert_eq!(reply, expected);
    let asked = asked.recv().unwrap();
    assert!(
        asked.starts_with("GET /base/tile/0/x001/234?a=b HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(
        asked.contains(&format!("authorization: Bearer {READ}\r\n")),
        "{asked}"
    );
}

#[test]
fn a_redirect_is_an_answer_and_is_not_followed() {
    let (url, asked) = answering(
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    );
    assert_eq!(get(&url, "a", Bounds::bytes(9)).unwrap().status, 302);
    assert_eq!(asked.try_iter().count(), 1);
}

#[test]
fn a_reply_beyond_its_bounds_is_none() {
    let (url, _) =
        answering(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc");
    assert!(get(&url, "a", Bounds::bytes(3)).is_ok());
    let error = get(&url, "a", Bounds::bytes(2)).unwrap_err();
    assert!(
        matches!(error, PeerError::TooLong { bytes_max: 2, .. }),
        "{error}"
    );
    assert!(!error.is_transient() && !error.is_unreachable());
}

#[test]
fn a_peer_that_does_not_answer_is_not_waited_for_long() {
    let (url, _) = answering(b"");
    let bounds = Bounds::bytes(9).within(Duration::from_millis(200));
    let error = get(&url, "a", bounds).unwrap_err();
    assert!(matches!(error, PeerError::TimedOut { .. }), "{error}");
    assert!(error.is_transient() && error.is_unreachable());
}

#[test]
fn a_peer_that_is_not_there_or_breaks_off_is_unreachable() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let (broken, _) = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n");
    for url in [format!("http://127.0.0.1:{port}"), broken] {
        let bounds = Bounds::bytes(9).within(Duration::from_secs(10));
        let error = get(&url, "a", bounds).unwrap_err();
        assert!(error.is_transient() && error.is_unreachable(), "{error}");
    }
}

#[test]
fn a_reply_that_repeats_the_token_is_refused() {
    let (url, _) = answering(
        b"HTTP/1.1 200 OK\r\ncontent-length: 21\r\nconnection: close\r\n\r\nread-0123456789abcdef",
    );
    let error = get(&url, "a", Bounds::bytes(99)).unwrap_err();
    assert!(matches!(error, PeerError::Exchange { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains(READ));
}
