//! Servers that mean harm.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use oacp::limits::RESPONSE_BODY_BYTES_MAX;
use oacp_egress::Options;

use crate::fixture::{Answer, Server, answers, code, get, ok, options, request};

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn one_encoding_in_another_is_refused() {
    let twice = gzip(&gzip(b"hello"));
    for headers in [
        vec![("content-encoding", "gzip, gzip")],
        vec![("content-encoding", "gzip"), ("content-encoding", "gzip")],
        vec![("content-encoding", "br, gzip")],
    ] {
        let server = answers(ok(&headers, &twice)).await;
        assert_eq!(code(server.get().await), "protocol");
    }
}

#[tokio::test]
async fn a_damaged_encoding_is_refused() {
    let whole = gzip(b"hello hello hello");
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for body in [
        &whole[..whole.len() - 1],
        &flipped,
        b"hello",
        &[&whole[..], b"more"].concat(),
    ] {
        let server = answers(ok(&[("content-encoding", "gzip")], body)).await;
        assert_eq!(code(server.get().await), "protocol");
    }
}

#[tokio::test]
async fn a_head_is_bounded() {
    let line = b"HTTP/1.1 200 OK\r\n".to_vec();
    let server = Server::new({
        let line = line.clone();
        move |_| Answer::Endless(line.clone(), b"x-a: b\r\n".to_vec())
    })
    .await;
    assert_eq!(code(server.get().await), "limit", "headers without end");

    let server = Server::new({
        let line = [&line[..], b"x-a: "].concat();
        move |_| Answer::Endless(line.clone(), vec![b'a'; 1000])
    })
    .await;
    assert_eq!(code(server.get().await), "limit", "a header without end");

    let server =
        Server::new(|_| Answer::Endless(b"HTTP/1.1 200 ".to_vec(), vec![b'a'; 1000])).await;
    assert_eq!(code(server.get().await), "limit", "a reason without end");

    let server = answers(ok(&vec![("x", "y"); 300], "")).await;
    assert_eq!(code(server.get().await), "limit", "300 headers");

    let server = answers(ok(&[("x", &"y".repeat(70_000))], "")).await;
    assert_eq!(code(server.get().await), "limit", "a header of 70 kB");

    let server = answers(ok(&vec![("x", "y"); 200], "")).await;
    assert_eq!(server.get().await.unwrap().headers.len(), 201);
    let server = answers(ok(&[("x", &"y".repeat(60_000))], "")).await;
    assert_eq!(server.get().await.unwrap().headers.len(), 2);
}

#[tokio::test]
async fn a_body_is_bounded() {
    let chunk = [&b"10000\r\n"[..], &[b'a'; 0x10000], b"\r\n"].concat();
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let server = Server::new(move |_| Answer::Endless(chunked.clone(), chunk.clone())).await;
    assert_eq!(code(server.get().await), "limit", "chunks without end");

    let server =
        Server::new(|_| Answer::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'a'; 0x10000]))
            .await;
    assert_eq!(code(server.get().await), "limit", "a body without end");

    let announced = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
        RESPONSE_BODY_BYTES_MAX + 1
    );
    let server = Server::new(move |_| Answer::Silence(announced.clone().into_bytes())).await;
    assert_eq!(
        code(server.get().await),
        "limit",
        "announced as too large, and not waited for"
    );

    let server = answers(ok(&[], vec![b'a'; RESPONSE_BODY_BYTES_MAX])).await;
    assert_eq!(
        server.get().await.unwrap().body.len(),
        RESPONSE_BODY_BYTES_MAX
    );
}

#[tokio::test]
async fn trailers_are_bounded() {
    let first = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n".to_vec();
    let server = Server::new(move |_| Answer::Endless(first.clone(), b"x-a: b\r\n".to_vec())).await;
    assert_eq!(code(server.get().await), "protocol");
}

#[tokio::test]
async fn chunks_that_are_none_are_refused() {
    for body in [
        "zz\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r\n",
        "5\r\nhel",
        "\r\n\r\n",
        "",
    ] {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let server = answers(format!("{head}{body}")).await;
        assert_eq!(code(server.get().await), "protocol", "{body:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_framed_in_two_ways_is_refused() {
    for framing in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked, chunked\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding : chunked\r\n",
        "transfer-encoding:\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 6\r\n",
        "content-length: -5\r\n",
        "content-length: +5\r\n",
        "content-length: 0x5\r\n",
        "content-length: 5 5\r\n",
        "content-length:\r\n",
        "content-length: 99999999999999999999\r\n",
    ] {
        let reply = format!("HTTP/1.1 200 OK\r\n{framing}\r\n5\r\nhello\r\n0\r\n\r\n");
        let server = answers(reply).await;
        assert_eq!(code(server.get().await), "protocol", "{framing:?}");
    }
    let old = "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    assert_eq!(code(answers(old).await.get().await), "protocol");
}

#[tokio::test]
async fn a_reply_that_is_no_http_is_refused() {
    for reply in [
        "",
        "\r\n",
        "hello\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 99 Low\r\n\r\n",
        "HTTP/1.1 1000 High\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: no name\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx y: z\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\rset-cookie: injected\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
        "HTTP/1.1 200 O\0K\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nx: a",
        "SSH-2.0-OpenSSH_9.9\r\n",
    ] {
        let server = answers(reply).await;
        assert_eq!(code(server.get().await), "protocol", "{reply:?}");
    }
}

#[tokio::test]
async fn a_change_of_protocol_is_refused() {
    let reply =
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";
    let server = Server::new(|_| Answer::Silence(reply.into())).await;
    assert_eq!(code(server.get().await), "protocol");
}

#[tokio::test]
async fn a_reply_to_nothing_is_not_taken_for_the_next_one() {
    let server = Server::new(|received| match received.number {
        1 => Answer::Keep([ok(&[], "first"), ok(&[], "injected")].concat()),
        _ => Answer::Keep(ok(&[], "second")),
    })
    .await;
    let client = server.client();
    for expected in ["first", "second"] {
        let response = client.exchange(get(&server.url("/"))).await.unwrap();
        assert_eq!(response.body, expected.as_bytes());
    }
    assert_eq!(server.connections(), 2, "the first was given up");
}

fn short() -> Options {
    Options {
        timeout: Duration::from_millis(250),
        ..options([])
    }
}

#[tokio::test]
async fn whoever_is_slow_is_given_up() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
    for silent_after in [
        "",
        "HTTP/1.1 20",
        "HTTP/1.1 200 OK\r\nx: y\r\n",
        head,
        &format!("{head}hell"),
    ] {
        let bytes = silent_after.as_bytes().to_vec();
        let server = Server::new(move |_| Answer::Silence(bytes.clone())).await;
        let result = server
            .client_with(&short())
            .exchange(get(&server.url("/")))
            .await;
        assert_eq!(code(result), "timed_out", "silent after {silent_after:?}");
    }

    let reply = ok(&[], "a".repeat(10_000));
    let server = Server::new(move |_| Answer::Drip(reply.clone(), Duration::from_millis(10))).await;
    let result = server
        .client_with(&short())
        .exchange(get(&server.url("/")))
        .await;
    assert_eq!(code(result), "timed_out", "a byte now and then");

    let server =
        Server::new(|_| Answer::Endless(vec![], b"HTTP/1.1 100 Continue\r\n\r\n".to_vec())).await;
    let result = server
        .client_with(&short())
        .exchange(get(&server.url("/")))
        .await;
    assert_eq!(code(result), "timed_out", "never the reply itself");
}

#[tokio::test]
async fn who_does_not_read_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::at(listener.local_addr().unwrap().port());
    let body = "a".repeat(16 << 20);
    let request = request("POST", &server.url("/"), &[], &body);
    let result = server.client_with(&short()).exchange(request).await;
    assert_eq!(code(result), "timed_out");
}

#[tokio::test]
async fn an_exchange_that_is_given_up_leaves_no_connection() {
    let server =
        Server::new(|_| Answer::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), b"a".to_vec())).await;
    let client = server.client_with(&short());
    assert_eq!(
        code(client.exchange(get(&server.url("/"))).await),
        "timed_out"
    );
    // The server's write fails: the client still exists, its connection does not.
    server.closed().await;
    drop(client);
}

#[tokio::test]
async fn nobody_there_is_a_failure_to_connect() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::at(listener.local_addr().unwrap().port());
    drop(listener);
    assert_eq!(code(server.get().await), "connect");
}
