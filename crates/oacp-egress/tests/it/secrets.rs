//! Secrets: where they go, and that they do not come back.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::GzEncoder;
use oacp::capability::{Capabilities, Grant};
use oacp::http::{ExchangeError, Response};
use oacp_egress::{Client, ClientError, Options};
use serde_json::json;

use crate::fixture::{Answer, Received, Server, answers, client, code, get, ok, options, request};
use crate::tls::Authority;

const VALUE: &str = "ghp_5ecr+et/Value=&é\"end";

/// A client for this server by its address and by two names, with a secret for the first two of these.
fn with_secret(server: &Server, place: serde_json::Value, options: &Options) -> Client {
    let port = server.port;
    let rules = ["127.0.0.1", "api.test", "other.test", "localhost"]
        .map(|host| json!({"host": format!("{host}:{port}"), "private": true}));
    let secrets = ["127.0.0.1", "api.test", "localhost"].map(|host| {
        let mut secret = json!({"name": "KEY", "host": format!("{host}:{port}")});
        for (name, value) in place.as_object().unwrap() {
            secret[name] = value.clone();
        }
        secret
    });
    let capabilities = json!({"network": {"allowlist": rules}, "secrets": secrets});
    client(
        capabilities,
        &[("KEY", VALUE), ("OTHER", "0123456789abcdef")],
        options,
    )
}

fn in_header() -> serde_json::Value {
    json!({"header": "authorization", "prefix": "Bearer "})
}

fn latin(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

#[tokio::test]
async fn a_secret_is_put_in_its_header_and_replaces_the_guest_s() {
    let server = answers(ok(&[], "")).await;
    let headers = [
        ("Authorization", "Bearer guess"),
        ("authorization", "another"),
        ("x-kept", "1"),
    ];
    let request = request("GET", &server.url("/?q=1"), &headers, "");
    with_secret(&server, in_header(), &options([]))
        .exchange(request)
        .await
        .unwrap();
    let received = server.request();
    assert_eq!(
        received.header("authorization"),
        [latin(&format!("Bearer {VALUE}"))]
    );
    assert_eq!(received.header("x-kept"), ["1"]);
    assert_eq!(received.line(), "GET /?q=1 HTTP/1.1");
}

#[tokio::test]
async fn a_secret_is_put_in_its_parameter_and_replaces_the_guest_s() {
    let server = answers(ok(&[], "")).await;
    let request = get(&server.url("/p?key=guess&q=1&%6bey=other"));
    let client = with_secret(&server, json!({"query": "key"}), &options([]));
    client.exchange(request).await.unwrap();
    let expected = "GET /p?q=1&key=ghp_5ecr%2Bet%2FValue%3D%26%C3%A9%22end HTTP/1.1";
    assert_eq!(server.request().line(), expected);
}

#[tokio::test]
async fn a_secret_goes_to_its_host_alone() {
    let authority = Authority::new();
    let names = [("other.test", "127.0.0.1")];
    let acceptor = authority.acceptor(&["api.test", "other.test"], &[]);
    let server = Server::tls(acceptor, |_| Answer::Keep(ok(&[], ""))).await;
    let client = with_secret(&server, in_header(), &authority.options(names));
    for host in ["api.test", "other.test"] {
        let url = format!("https://{host}:{}/", server.port);
        client.exchange(get(&url)).await.unwrap();
    }
    let sent = server
        .requests()
        .iter()
        .map(|r| r.header("authorization").len())
        .collect::<Vec<_>>();
    assert_eq!(sent, [1, 0]);
}

#[tokio::test]
async fn a_secret_is_not_sent_in_the_clear_but_to_this_machine() {
    let server = Server::new(|_| Answer::Keep(ok(&[], ""))).await;
    let client = with_secret(&server, in_header(), &options([]));
    for (host, sent) in [("127.0.0.1", 1), ("localhost", 1), ("api.test", 0)] {
        client
            .exchange(get(&format!("http://{host}:{}/", server.port)))
            .await
            .unwrap();
        let last = server.requests().pop().unwrap();
        assert_eq!(last.header("authorization").len(), sent, "{host}");
    }

    // `localhost` is but a name: where it leads elsewhere, nothing is sent at all.
    for addresses in ["203.0.113.7", "127.0.0.1 203.0.113.7"] {
        let client = with_secret(&server, in_header(), &options([("localhost", addresses)]));
        let result = client
            .exchange(get(&format!("http://localhost:{}/", server.port)))
            .await;
        assert_eq!(code(result), "resolve");
    }
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn no_two_secrets_are_put_in_one_place() {
    let server = answers(ok(&[], "")).await;
    let host = format!("127.0.0.1:{}", server.port);
    let capabilities = json!({
        "network": {"allowlist": [{"host": host, "private": true}]},
        "secrets": [
            {"name": "KEY", "host": host, "header": "x-key"},
            {"name": "OTHER", "host": host, "header": "x-key", "prefix": "token "},
        ],
    });
    let client = client(
        capabilities,
        &[("KEY", VALUE), ("OTHER", "0123456789abcdef")],
        &options([]),
    );
    assert_eq!(
        code(client.exchange(get(&server.url("/"))).await),
        "protocol"
    );
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_secret_without_a_value_is_refused_at_the_start() {
    let secret = json!({"secrets": [{"name": "KEY", "host": "api.test", "query": "key"}]});
    let wanted: Capabilities = serde_json::from_value(secret).unwrap();
    let grant = Grant::attenuate(&wanted, &wanted);
    let error = Client::new(grant, Default::default(), &options([])).unwrap_err();
    assert_eq!(
        error,
        ClientError::SecretMissing {
            name: "KEY".parse().unwrap()
        }
    );
    assert_eq!(
        error.to_string(),
        "the secret `KEY` is granted and has no value"
    );
}

/// The error, after a look at whether anything of the value is in it.
#[track_caller]
fn without_value(result: Result<Response, ExchangeError>) -> ExchangeError {
    let error = result.unwrap_err();
    for text in [
        error.to_string(),
        format!("{error:?}"),
        format!("{error:#?}"),
    ] {
        for part in ["ghp_", "5ecr", "Value"] {
            assert!(!text.contains(part), "{text}");
        }
    }
    error
}

#[track_caller]
fn assert_reflected(result: Result<Response, ExchangeError>, how: &str) {
    let error = without_value(result);
    let ExchangeError::Denied(denial) = &error else {
        panic!("{how}: {error:?}");
    };
    assert_eq!(denial.code.to_string(), "secret_reflected", "{how}");
    let text = format!("{denial:?}");
    assert!(text.contains("KEY"), "it says which: {text}");
}

fn percent(value: &str) -> String {
    value.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn gzip(plain: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::default());
    encoder.write_all(plain.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_reply_that_holds_the_value_is_denied() {
    let json = serde_json::to_string(VALUE).unwrap();
    let unicode: String = VALUE
        .encode_utf16()
        .map(|unit| format!("\\u{unit:04x}"))
        .collect();
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        &VALUE[..5],
        VALUE.len() - 5,
        &VALUE[5..]
    );
    let padding = "x".repeat(200_000);
    for (how, reply) in [
        ("body", ok(&[], format!("your key is {VALUE}."))),
        (
            "far in the body",
            ok(&[], format!("{padding}{VALUE}{padding}")),
        ),
        ("json", ok(&[], format!("{{\"key\":{json}}}"))),
        ("json, with a slash", ok(&[], json.replace('/', "\\/"))),
        ("json, all escaped", ok(&[], format!("\"{unicode}\""))),
        ("percent", ok(&[], percent(VALUE))),
        (
            "percent, in upper case",
            ok(&[], percent(VALUE).to_uppercase()),
        ),
        ("form", ok(&[], "ghp_5ecr%2Bet%2FValue%3D%26%C3%A9%22end")),
        ("base64", ok(&[], STANDARD.encode(VALUE))),
        (
            "base64, as basic authentication",
            ok(&[], STANDARD.encode(format!("user:{VALUE}"))),
        ),
        (
            "base64, for URLs",
            ok(
                &[],
                URL_SAFE_NO_PAD.encode(format!("{{\"k\":\"{VALUE}\"}}")),
            ),
        ),
        ("gzip", ok(&[("content-encoding", "gzip")], gzip(VALUE))),
        ("chunks", chunked.into_bytes()),
        ("header", ok(&[("x-echo", &format!("Bearer {VALUE}"))], "")),
        (
            "header in base64",
            ok(&[("x-echo", &STANDARD.encode(VALUE))], ""),
        ),
        (
            "location",
            ok(
                &[("location", &format!("/login?key={}", percent(VALUE)))],
                "",
            ),
        ),
        (
            "cookie",
            ok(&[("set-cookie", &format!("k={VALUE}; Path=/"))], ""),
        ),
        (
            "reason",
            format!(
                "HTTP/1.1 400 Bad {}\r\ncontent-length: 0\r\n\r\n",
                percent(VALUE)
            )
            .into_bytes(),
        ),
        (
            "error page",
            format!("HTTP/1.1 500 Oops\r\n\r\n<p>{VALUE}</p>").into_bytes(),
        ),
    ] {
        for place in [in_header(), json!({"query": "key"})] {
            let server = answers(&reply).await;
            let client = with_secret(&server, place, &options([]));
            assert_reflected(client.exchange(get(&server.url("/"))).await, how);
        }
    }
}

#[tokio::test]
async fn another_host_that_holds_the_value_is_denied_too() {
    // Stored there by the first one, perhaps.
    let server = answers(ok(&[], VALUE)).await;
    let client = with_secret(
        &server,
        in_header(),
        &options([("other.test", "127.0.0.1")]),
    );
    let url = format!("http://other.test:{}/", server.port);
    assert_reflected(client.exchange(get(&url)).await, "from elsewhere");
    assert!(server.request().header("authorization").is_empty());
}

#[tokio::test]
async fn a_reply_that_holds_only_what_resembles_the_value_passes() {
    let most = &VALUE[..VALUE.len() - 1];
    // That of a secret which is not granted is none.
    let body = format!(
        "{most} {} {} 0123456789abcdef",
        percent(most),
        STANDARD.encode(most)
    );
    let server = answers(ok(&[], &body)).await;
    let client = with_secret(&server, in_header(), &options([]));
    let response = client.exchange(get(&server.url("/"))).await.unwrap();
    assert_eq!(response.body, body.as_bytes());
}

#[tokio::test]
async fn no_failure_holds_the_value() {
    // Whatever a server makes of it, where errors are made.
    let echo = |make: fn(&str) -> Vec<u8>| {
        move |received: &Received| {
            let value = received.header("authorization").join("") + received.line();
            Answer::Close(make(&value))
        }
    };
    let makes: [fn(&str) -> Vec<u8>; 7] = [
        |value| value.to_owned().into_bytes(),
        |value| format!("HTTP/1.1 {value}\r\n\r\n").into_bytes(),
        |value| format!("HTTP/1.1 200 OK\r\n{value}\r\n\r\n").into_bytes(),
        |value| format!("HTTP/1.1 200 OK\r\ncontent-length: {value}\r\n\r\n").into_bytes(),
        |value| format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {value}\r\n\r\n").into_bytes(),
        |value| {
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{value}").into_bytes()
        },
        |_| vec![],
    ];
    for make in makes {
        for place in [in_header(), json!({"query": "key"})] {
            let server = Server::new(echo(make)).await;
            let client = with_secret(&server, place, &options([]));
            let result = client.exchange(get(&server.url("/?q=1"))).await;
            assert_eq!(code(Err(without_value(result))), "protocol");
            assert!(!format!("{client:?}").contains("5ecr"));
        }
    }

    let silent = Server::new(|_| Answer::Silence(vec![])).await;
    let options = Options {
        timeout: std::time::Duration::from_millis(100),
        ..options([])
    };
    let client = with_secret(&silent, json!({"query": "key"}), &options);
    let result = client.exchange(get(&silent.url("/"))).await;
    assert_eq!(code(Err(without_value(result))), "timed_out");
}

#[tokio::test]
async fn a_certificate_that_holds_the_value_says_nothing() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["ghp-5ecr-et-Value.test"], &[]);
    let server = Server::tls(acceptor, |_| Answer::Keep(ok(&[], ""))).await;
    let client = with_secret(&server, in_header(), &authority.options([]));
    let result = client
        .exchange(get(&format!("https://api.test:{}/", server.port)))
        .await;
    assert_eq!(code(Err(without_value(result))), "tls");
}
