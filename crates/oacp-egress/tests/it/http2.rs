//! HTTP/2, where the server offers it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use oacp::limits::RESPONSE_BODY_BYTES_MAX;
use tokio::net::TcpListener;

use crate::fixture::{code, get, request};
use crate::tls::{Authority, tls_client};

struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    authority: Authority,
}

/// Answers with what `reply` makes of a request and its body.
async fn serve(
    reply: impl Fn(hyper::Request<()>, Bytes) -> hyper::Response<Full<Bytes>> + Clone + Send + 'static,
) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["api.test"], &["h2", "http/1.1"]);
    let connections = Arc::new(AtomicUsize::new(0));
    let server = Server {
        port: listener.local_addr().unwrap().port(),
        connections: Arc::clone(&connections),
        authority,
    };
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.fetch_add(1, Ordering::SeqCst);
            let (acceptor, reply) = (acceptor.clone(), reply.clone());
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.unwrap();
                assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
                let service = service_fn(move |request: hyper::Request<Incoming>| {
                    let reply = reply.clone();
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        Ok::<_, Infallible>(reply(hyper::Request::from_parts(head, ()), body))
                    }
                });
                let _ = http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    server
}

impl Server {
    fn client(&self) -> oacp_egress::Client {
        tls_client(self.port, &self.authority.options([]))
    }

    fn url(&self, path: &str) -> String {
        format!("https://api.test:{}{path}", self.port)
    }
}

#[tokio::test]
async fn an_exchange_is_the_same_in_http2() {
    let server = serve(|request, body| {
        assert_eq!(request.version(), hyper::Version::HTTP_2);
        let mut reply = hyper::Response::builder().status(201);
        reply = reply.header("x-echo", format!("{} {}", request.method(), request.uri()));
        for (name, value) in request.headers() {
            reply = reply.header(format!("x-echo-{name}"), value);
        }
        reply.body(Full::new(body)).unwrap()
    })
    .await;
    let headers = [("X-Two", "1"), ("X-Two", "2")];
    let request = request("POST", &server.url("/a?b"), &headers, "hello");
    let mut response = server.client().exchange(request).await.unwrap();
    assert_eq!((response.status, response.reason.as_str()), (201, ""));
    assert_eq!(response.body, b"hello");
    let uri = format!("POST https://api.test:{}/a?b", server.port);
    response
        .headers
        .retain(|(name, _)| name.starts_with("x-echo"));
    let expected = [
        ("x-echo", uri.as_str()),
        ("x-echo-x-two", "1"),
        ("x-echo-x-two", "2"),
        ("x-echo-accept-encoding", "gzip, deflate"),
        ("x-echo-content-length", "5"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(response.headers, expected);
}

#[tokio::test]
async fn exchanges_share_a_connection() {
    let server = serve(|_, body| hyper::Response::new(Full::new(body))).await;
    let client = Arc::new(server.client());
    client.exchange(get(&server.url("/"))).await.unwrap();
    let exchanges: Vec<_> = (0..20)
        .map(|number: usize| {
            let request = request("POST", &server.url("/"), &[], &number.to_string());
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.exchange(request).await.unwrap().body })
        })
        .collect();
    for (number, exchange) in exchanges.into_iter().enumerate() {
        assert_eq!(exchange.await.unwrap(), number.to_string().as_bytes());
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_limits_are_the_same() {
    let server = serve(|request, _| {
        let mut response = hyper::Response::new(Full::default());
        match request.uri().path() {
            "/body" => *response.body_mut() = Full::from(vec![0; RESPONSE_BODY_BYTES_MAX + 1]),
            "/most" => *response.body_mut() = Full::from(vec![0; RESPONSE_BODY_BYTES_MAX]),
            "/headers" => {
                for _ in 0..300 {
                    response.headers_mut().append("x", "y".parse().unwrap());
                }
            }
            _ => {
                let value = "y".repeat(70_000);
                response.headers_mut().insert("x", value.parse().unwrap());
            }
        }
        response
    })
    .await;
    let client = server.client();
    assert_eq!(
        code(client.exchange(get(&server.url("/body"))).await),
        "limit"
    );
    assert_eq!(
        code(client.exchange(get(&server.url("/headers"))).await),
        "limit"
    );
    let large = code(client.exchange(get(&server.url("/head"))).await);
    assert!(["limit", "protocol"].contains(&large.as_str()), "{large}");
    let response = client.exchange(get(&server.url("/most"))).await.unwrap();
    assert_eq!(response.body.len(), RESPONSE_BODY_BYTES_MAX);
}
