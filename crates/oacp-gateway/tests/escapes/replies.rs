//! What comes back over the network: bounded, framed in one way, and no way to keep the host busy.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::ground::says;
use crate::server::{Server, asking, no_names, ok, private, see_with, visited};

/// What a guest gets from a server that answers so; no denial, and one request.
#[track_caller]
fn from(server: &Server, said: &str) {
    let (_, mut options) = no_names();
    // The only one that is waited for is the server that never answers.
    options.timeout = Duration::from_millis(if said == "timed_out" { 300 } else { 60_000 });
    let granted = json!({ "network": { "allowlist": [private(server.port)] } });
    let mut call = asking(granted, "return fetch(input)");
    call.input = json!(server.url("/")).to_string();
    let seen = see_with(call, options);
    says(&seen, &json!(said), &[]);
    visited(&[(server, 1)]);
}

fn raw(text: &str) -> Server {
    Server::new(text)
}

/// Writes this for ever, or until the other side hangs up.
fn endless(head: &'static str, chunk: Vec<u8>) -> Server {
    Server::with("127.0.0.1:0", move |mut stream, _| {
        if stream.write_all(head.as_bytes()).is_ok() {
            while stream.write_all(&chunk).is_ok() {}
        }
    })
}

/// Holds the connection until the other side gives up.
fn silent(head: &'static str) -> Server {
    Server::with("127.0.0.1:0", move |mut stream: TcpStream, _| {
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.read(&mut [0]);
    })
}

#[test]
fn a_body_over_the_limit_is_refused_by_its_length() {
    from(
        &raw("HTTP/1.1 200 OK\r\ncontent-length: 16777217\r\n\r\n"),
        "limit",
    );
}

#[test]
fn a_body_without_end_is_refused() {
    from(
        &endless(
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
            vec![b'x'; 1 << 16],
        ),
        "limit",
    );
}

#[test]
fn chunks_without_end_are_refused() {
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(1 << 16));
    from(
        &endless(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            chunk.into(),
        ),
        "limit",
    );
}

#[test]
fn a_head_without_end_is_refused() {
    from(
        &endless("HTTP/1.1 200 OK\r\n", b"x: y\r\n".repeat(100)),
        "limit",
    );
}

#[test]
fn a_bomb_is_refused() {
    // Twenty megabytes of zeros, compressed to a hundred and thirty thousand bytes.
    let bomb = deflated_zeros(20 << 20);
    assert!(bomb.len() < 150_000);
    from(
        &Server::new(ok(&[("content-encoding", "deflate")], bomb)),
        "limit",
    );
}

#[test]
fn encodings_within_encodings_are_refused() {
    from(
        &Server::new(ok(&[("content-encoding", "gzip, gzip")], "x")),
        "protocol",
    );
}

#[test]
fn a_server_that_never_answers_is_not_waited_for() {
    from(&silent(""), "timed_out");
}

#[test]
fn a_body_that_never_comes_is_not_waited_for() {
    from(
        &silent("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
        "timed_out",
    );
}

#[test]
fn a_reply_with_two_lengths_is_refused() {
    from(
        &raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc"),
        "protocol",
    );
}

#[test]
fn a_reply_that_is_framed_twice_is_refused() {
    from(
        &raw("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        "protocol",
    );
}

#[test]
fn a_change_of_protocol_is_refused() {
    from(
        &raw("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
        "protocol",
    );
}

#[test]
fn what_is_no_http_is_refused() {
    from(&raw("SSH-2.0-OpenSSH_9.2\r\n"), "protocol");
}

#[test]
fn a_second_reply_on_the_same_connection_is_nobodys() {
    let reply = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\naHTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\npoison!";
    let server = raw(reply);
    let (_, options) = no_names();
    let granted = json!({ "network": { "allowlist": [private(server.port)] } });
    let mut call = asking(granted, "return [fetch(input), fetch(input)]");
    call.input = json!(server.url("/")).to_string();
    let seen = see_with(call, options);
    assert!(
        !seen.output().to_string().contains("poison"),
        "{}",
        seen.output()
    );
}

#[test]
fn replies_beyond_what_a_recording_may_have_are_refused_and_the_run_goes_on() {
    let server = Server::new(ok(&[], "x".repeat(15 << 20)));
    let (_, options) = no_names();
    let granted = json!({ "network": { "allowlist": [private(server.port)] } });
    let body = "def size():\n    found = fetch(input)\n    return found if isinstance(found, str) else len(found[1])\nreturn [size() for _ in range(6)]";
    let mut call = asking(granted, body);
    call.input = json!(server.url("/")).to_string();
    let seen = see_with(call, options);
    let full = 15 << 20;
    says(
        &seen,
        &json!([full, full, full, full, "limit", "limit"]),
        &[],
    );
}

#[test]
fn redirects_cookies_and_challenges_are_answered_by_nobody() {
    let reply = "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\nwww-authenticate: Basic realm=x\r\nset-cookie: a=b\r\nrefresh: 0; url=http://127.0.0.1:1/\r\nlink: </x>; rel=preload\r\nalt-svc: h3=\":1\"\r\ncontent-length: 0\r\n\r\n";
    let server = raw(reply);
    let (_, options) = no_names();
    let granted = json!({ "network": { "allowlist": [private(server.port)] } });
    let mut call = asking(granted, "return [fetch(input)[0], fetch(input)[0]]");
    call.input = json!(server.url("/")).to_string();
    let seen = see_with(call, options);
    says(&seen, &json!([401, 401]), &[]);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0], requests[1]);
}

/// A zlib stream of so many zeros: one literal, and then copies of 258 bytes, each two bits in a block of fixed codes.
fn deflated_zeros(count: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.push(0b1, 1); // the last block
    bits.push(0b01, 2); // of fixed codes
    bits.push_reversed(0b0011_0000, 8); // the literal 0
    let mut left = count - 1;
    while left >= 258 {
        bits.push_reversed(0b1100_0101, 8); // 258 bytes
        bits.push_reversed(0, 5); // from one byte before
        left -= 258;
    }
    bits.push_reversed(0, 7);
    let mut stream = vec![0x78, 0x9c];
    stream.extend(bits.bytes());
    // Adler-32 of zeros; a decoder that stops at its limit never comes here.
    let length = u32::try_from((count - left) % 65521).unwrap();
    stream.extend(((length << 16) | 1).to_be_bytes());
    stream
}

#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn push(&mut self, value: u32, count: u32) {
        self.0.extend((0..count).map(|n| value >> n & 1 == 1));
    }

    fn push_reversed(&mut self, value: u32, count: u32) {
        self.0.extend((0..count).rev().map(|n| value >> n & 1 == 1));
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            (0..)
                .zip(bits)
                .fold(0, |byte, (n, bit)| byte | u8::from(*bit) << n)
        };
        self.0.chunks(8).map(byte).collect()
    }
}
