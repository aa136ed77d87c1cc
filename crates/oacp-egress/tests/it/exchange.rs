//! What is sent, and what comes back.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use crate::fixture::{Answer, Server, answers, get, header, ok, request};

#[tokio::test]
async fn a_get_is_sent_as_it_is_and_its_reply_comes_back_whole() {
    let server = answers(ok(
        &[("X-Upper", "kept"), ("x-two", "1"), ("x-two", "2")],
        "hello",
    ))
    .await;
    let response = server
        .client()
        .exchange(get(&server.url("/a%20b/../c?q=1&q=%2F#fragment")))
        .await
        .unwrap();
    assert_eq!((response.status, response.reason.as_str()), (200, "OK"));
    assert_eq!(response.body, b"hello");
    assert_eq!(header(&response, "x-upper"), Some("kept"));
    assert_eq!(header(&response, "content-length"), Some("5"));
    let two: Vec<_> = response
        .headers
        .iter()
        .filter(|(name, _)| name == "x-two")
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(two, ["1", "2"]);

    let expected = format!(
        "GET /c?q=1&q=%2F HTTP/1.1\nhost: 127.0.0.1:{}\naccept-encoding: gzip, deflate",
        server.port
    );
    let received = server.request().head.replace("\r\n", "\n");
    assert_eq!(received, expected, "and no header of anybody's own");
}

#[tokio::test]
async fn bodies_and_headers_arrive() {
    let server = answers(ok(&[], "")).await;
    let headers = [
        ("Content-Type", "application/json"),
        ("X-Two", "1"),
        ("X-Two", "2"),
        ("X-Latin", "\u{e9}\u{ff}"),
        ("X-Empty", ""),
        ("Cookie", "a=b; c=d"),
        ("Accept-Encoding", "br"),
        ("Connection", "close"),
    ];
    let request = request("POST", &server.url("/"), &headers, "{\"a\":1}");
    server.client().exchange(request).await.unwrap();

    let received = server.request();
    assert_eq!(received.line(), "POST / HTTP/1.1");
    assert_eq!(received.body, b"{\"a\":1}");
    assert_eq!(received.header("content-length"), ["7"]);
    assert_eq!(received.header("content-type"), ["application/json"]);
    assert_eq!(received.header("x-two"), ["1", "2"]);
    assert_eq!(received.header("x-latin"), ["\u{e9}\u{ff}"]);
    assert_eq!(received.header("x-empty"), [""]);
    assert_eq!(received.header("cookie"), ["a=b; c=d"]);
    assert_eq!(received.header("accept-encoding"), ["gzip, deflate"]);
    assert!(received.header("connection").is_empty());
    assert!(received.header("transfer-encoding").is_empty());
}

#[tokio::test]
async fn a_body_says_how_long_it_is_where_that_means_something() {
    for (method, body, expected) in [
        ("GET", "", None),
        ("HEAD", "", None),
        ("DELETE", "", None),
        ("OPTIONS", "", None),
        ("POST", "", Some("0")),
        ("PUT", "", Some("0")),
        ("PATCH", "", Some("0")),
        ("GET", "abc", Some("3")),
        ("DELETE", "abc", Some("3")),
        ("REPORT", "abc", Some("3")),
    ] {
        let server = answers(ok(&[], "")).await;
        let request = request(method, &server.url("/"), &[], body);
        server.client().exchange(request).await.unwrap();
        let received = server.request();
        let length = received.header("content-length").first().copied();
        assert_eq!(length, expected, "{method}");
        assert_eq!(received.body, body.as_bytes());
    }
}

#[tokio::test]
async fn a_large_body_arrives() {
    let server = Server::new(|received| Answer::Keep(ok(&[], &received.body))).await;
    let body = "0123456789abcdef".repeat(1 << 20);
    let request = request("PUT", &server.url("/"), &[], &body);
    let response = server.client().exchange(request).await.unwrap();
    assert!(response.body == body.as_bytes());
}

#[tokio::test]
async fn a_reply_to_head_has_no_body_and_says_how_long_it_would_be() {
    let reply = "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\ncontent-encoding: gzip\r\n\r\n";
    let server = answers(reply).await;
    let request = request("HEAD", &server.url("/"), &[], "");
    let response = server.client().exchange(request).await.unwrap();
    assert_eq!(response.body, b"");
    assert_eq!(header(&response, "content-length"), Some("99999999999"));
    assert_eq!(header(&response, "content-encoding"), Some("gzip"));
}

#[tokio::test]
async fn every_status_is_a_response() {
    for (line, status, reason) in [
        ("HTTP/1.1 204 No Content", 204, "No Content"),
        ("HTTP/1.1 304 Not Modified", 304, "Not Modified"),
        ("HTTP/1.1 404 Not Found", 404, "Not Found"),
        ("HTTP/1.1 418 Short And Stout", 418, "Short And Stout"),
        // What is not ASCII is left out.
        ("HTTP/1.1 500 Caf\u{e9}", 500, ""),
        ("HTTP/1.1 599 ", 599, ""),
        ("HTTP/1.0 200 OK", 200, "OK"),
    ] {
        let server = answers(format!("{line}\r\n\r\n")).await;
        let response = server.get().await.unwrap();
        assert_eq!(
            (response.status, response.reason.as_str()),
            (status, reason)
        );
        assert_eq!(response.body, b"");
    }
}

#[tokio::test]
async fn a_redirect_is_returned_and_not_followed() {
    let other = answers(ok(&[], "")).await;
    let reply = format!(
        "HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
        other.url("/")
    );
    let server = answers(reply).await;
    let response = server.get().await.unwrap();
    assert_eq!(response.status, 302);
    assert_eq!(header(&response, "location"), Some(other.url("/").as_str()));
    assert_eq!((server.connections(), other.connections()), (1, 0));
}

#[tokio::test]
async fn what_comes_before_the_reply_is_skipped() {
    let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let server = answers([early.as_bytes(), &ok(&[], "late")].concat()).await;
    let response = server.get().await.unwrap();
    assert_eq!(response.body, b"late");
    assert_eq!(header(&response, "link"), None);
}

#[tokio::test]
async fn chunks_are_put_together_and_trailers_left_out() {
    let reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nTrailer: x-late\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n\
        5;name=value\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nx-late: 1\r\n\r\n";
    let server = answers(reply).await;
    let response = server.get().await.unwrap();
    assert_eq!(response.body, b"hello world");
    assert_eq!(response.headers, []);
}

#[tokio::test]
async fn encodings_that_are_asked_for_are_undone() {
    let plain = "hello ".repeat(10_000);
    let mut gzip = GzEncoder::new(vec![], Compression::default());
    gzip.write_all(plain.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let mut zlib = ZlibEncoder::new(vec![], Compression::default());
    zlib.write_all(plain.as_bytes()).unwrap();
    let mut bare = DeflateEncoder::new(vec![], Compression::default());
    bare.write_all(plain.as_bytes()).unwrap();
    for (encoding, body) in [
        ("gzip", gzip.clone()),
        ("GZIP", gzip.clone()),
        ("deflate", zlib.finish().unwrap()),
        ("deflate", bare.finish().unwrap()),
    ] {
        let server = answers(ok(&[("content-encoding", encoding)], body)).await;
        let response = server.get().await.unwrap();
        assert!(response.body == plain.as_bytes());
        assert_eq!(
            response.headers,
            [],
            "neither encoding nor length are true any more"
        );
    }

    let server = answers(ok(&[("content-encoding", "br")], "as it came")).await;
    let response = server.get().await.unwrap();
    assert_eq!(response.body, b"as it came");
    assert_eq!(header(&response, "content-encoding"), Some("br"));

    // A part of something compressed cannot be decompressed, and nobody asked for it compressed.
    let part = &gzip[10..20];
    let reply = [
        b"HTTP/1.1 206 Partial Content\r\ncontent-encoding: gzip\r\ncontent-length: 10\r\n\r\n",
        part,
    ];
    let server = answers(reply.concat()).await;
    let request = request("GET", &server.url("/"), &[("range", "bytes=10-19")], "");
    let response = server.client().exchange(request).await.unwrap();
    assert_eq!(response.body, part);
    assert_eq!(server.request().header("accept-encoding"), ["identity"]);
}
