//! Through a proxy.

use std::sync::{Arc, Mutex};

use oacp_egress::{Client, Options, Proxy};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::{Answer, Server, answers, client, code, get, ok, options};
use crate::tls::Authority;

/// A proxy that leads everything to one server, and the heads that it was sent.
async fn leads_to(server: &Server) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Arc::new(Mutex::new(vec![]));
    let (to, seen) = (server.port, Arc::clone(&heads));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let mut head = vec![];
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                seen.lock().unwrap().push(String::from_utf8(head).unwrap());
                stream
                    .write_all(b"HTTP/1.1 200 Connected\r\nvia: x\r\n\r\n")
                    .await
                    .unwrap();
                let mut other = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut other).await;
            });
        }
    });
    (port, heads)
}

fn proxied(proxy: &str, options: Options, hosts: &[&str]) -> Client {
    let rules: Vec<_> = hosts
        .iter()
        .map(|host| json!({"host": host, "private": true}))
        .collect();
    let options = Options {
        proxy: Some(Proxy::parse(proxy).unwrap()),
        ..options
    };
    client(json!({"network": {"allowlist": rules}}), &[], &options)
}

#[tokio::test]
async fn a_proxy_is_told_the_address_and_never_the_name() {
    let authority = Authority::new();
    let names = [
        ("far.test", "203.0.113.7"),
        ("six.test", "2001:db8::7"),
        ("proxy.test", "127.0.0.1"),
    ];
    let hosts = ["far.test:443", "far.test:80", "six.test:443"];

    let server = Server::tls(authority.acceptor(&["far.test", "six.test"], &[]), |_| {
        Answer::Keep(ok(&[], "private"))
    })
    .await;
    let (port, heads) = leads_to(&server).await;
    let client = proxied(
        &format!("http://us%65r:pass@proxy.test:{port}"),
        authority.options(names),
        &hosts,
    );
    for url in [
        "https://far.test/",
        "https://far.test/again",
        "https://six.test/",
    ] {
        assert_eq!(client.exchange(get(url)).await.unwrap().body, b"private");
    }
    let expected = ["203.0.113.7:443", "[2001:db8::7]:443"].map(|to| {
        format!(
            "CONNECT {to} HTTP/1.1\r\nhost: {to}\r\nproxy-authorization: Basic dXNlcjpwYXNz\r\n\r\n"
        )
    });
    assert_eq!(*heads.lock().unwrap(), expected);
    // What is told to the proxy is not told to the server.
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.header("proxy-authorization").is_empty())
    );

    let plain = answers(ok(&[], "plain")).await;
    let (port, heads) = leads_to(&plain).await;
    let client = proxied(&format!("http://127.0.0.1:{port}"), options(names), &hosts);
    assert_eq!(
        client
            .exchange(get("http://far.test/a"))
            .await
            .unwrap()
            .body,
        b"plain"
    );
    let to = "203.0.113.7:80";
    assert_eq!(
        *heads.lock().unwrap(),
        [format!("CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n\r\n")]
    );
    assert_eq!(plain.request().line(), "GET /a HTTP/1.1");
    assert_eq!(plain.request().header("host"), ["far.test"]);
}

#[tokio::test]
async fn behind_a_proxy_addresses_are_judged_as_ever() {
    let server = answers(ok(&[], "")).await;
    let (port, heads) = leads_to(&server).await;
    let options = Options {
        proxy: Some(Proxy::parse(&format!("http://127.0.0.1:{port}")).unwrap()),
        ..options([("far.test", "10.0.0.1")])
    };
    let client = client(
        json!({"network": {"allowlist": ["far.test"]}}),
        &[],
        &options,
    );
    assert_eq!(
        code(client.exchange(get("https://far.test/")).await),
        "address_not_granted"
    );
    assert_eq!(heads.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn this_machine_is_reached_without_a_proxy() {
    let server = answers(ok(&[], "here")).await;
    let (port, heads) = leads_to(&server).await;
    let host = format!("127.0.0.1:{}", server.port);
    let client = proxied(&format!("http://127.0.0.1:{port}"), options([]), &[&host]);
    assert_eq!(
        client.exchange(get(&server.url("/"))).await.unwrap().body,
        b"here"
    );
    assert_eq!(heads.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_proxy_that_does_not_do_it_is_a_failure() {
    for (answer, expected) in [
        (
            Answer::Keep(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n".to_vec()),
            "connect",
        ),
        (
            Answer::Close(b"HTTP/1.1 403 Forbidden\r\n\r\n".to_vec()),
            "connect",
        ),
        (Answer::Close(vec![]), "connect"),
        (Answer::Close(b"HTTP/1.1 200".to_vec()), "connect"),
        (Answer::Close(b"hello\r\n\r\n".to_vec()), "protocol"),
        (
            Answer::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x: y\r\n".to_vec()),
            "limit",
        ),
        (
            Answer::Keep(
                b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec(),
            ),
            "protocol",
        ),
    ] {
        let answer = Arc::new(Mutex::new(Some(answer)));
        let proxy = Server::new(move |_| {
            let answer = answer.lock().unwrap().take();
            answer.unwrap_or(Answer::Close(vec![]))
        })
        .await;
        let url = format!("http://127.0.0.1:{}", proxy.port);
        let client = proxied(
            &url,
            options([("far.test", "203.0.113.7")]),
            &["far.test:80"],
        );
        assert_eq!(
            code(client.exchange(get("http://far.test/")).await),
            expected
        );
        assert_eq!(
            proxy.requests()[0].line(),
            "CONNECT 203.0.113.7:80 HTTP/1.1"
        );
    }
}
