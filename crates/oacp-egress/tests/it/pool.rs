//! Connections that are used again, and those that are not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use oacp_egress::limits::EXCHANGES_AT_ONCE_MAX;
use oacp_egress::{Options, Resolver};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::fixture::{Answer, Server, code, get, ok, options, request};

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = Server::new(|received| Answer::Keep(ok(&[], received.number.to_string()))).await;
    let client = server.client();
    for number in 1..=5 {
        let response = client.exchange(get(&server.url("/"))).await.unwrap();
        assert_eq!(response.body, number.to_string().as_bytes());
    }
    assert_eq!(server.connections(), 1);
    // Another run's is another.
    server.get().await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_name_and_its_address_do_not_share_a_connection() {
    let server = Server::new(|_| Answer::Keep(ok(&[], ""))).await;
    let client = server.client();
    let named = format!("http://api.test:{}/", server.port);
    for (url, connections) in [
        (&server.url("/"), 1),
        (&named, 2),
        (&server.url("/"), 2),
        (&named, 2),
    ] {
        client.exchange(get(url)).await.unwrap();
        assert_eq!(server.connections(), connections);
    }
}

#[tokio::test]
async fn a_connection_is_used_again_only_at_an_address_that_the_name_still_has() {
    let server = Server::new(|_| Answer::Keep(ok(&[], ""))).await;
    let asked = AtomicUsize::new(0);
    let options = Options {
        resolver: Resolver::new(move |_| {
            // Nobody listens at the second one.
            let address = match asked.fetch_add(1, Ordering::SeqCst) {
                1 => "127.0.0.2",
                _ => "127.0.0.1",
            };
            async move { Ok(vec![address.parse().unwrap()]) }
        }),
        ..options([])
    };
    let client = server.client_with(&options);
    let url = format!("http://api.test:{}/", server.port);
    client.exchange(get(&url)).await.unwrap();
    assert_eq!(code(client.exchange(get(&url)).await), "connect");
    client.exchange(get(&url)).await.unwrap();
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let server = Server::new(|_| Answer::Close(ok(&[], "ok"))).await;
    let client = server.client();
    for connections in 1..=3 {
        let request = request("POST", &server.url("/"), &[], "body");
        assert_eq!(client.exchange(request).await.unwrap().body, b"ok");
        assert_eq!(server.connections(), connections);
        server.closed().await;
    }
}

#[tokio::test]
async fn a_reply_that_announces_the_end_ends_the_connection() {
    let server = Server::new(|_| Answer::Keep(ok(&[("connection", "close")], ""))).await;
    let client = server.client();
    for connections in 1..=3 {
        client.exchange(get(&server.url("/"))).await.unwrap();
        assert_eq!(server.connections(), connections);
    }
}

#[tokio::test]
async fn what_may_have_been_sent_is_not_sent_again() {
    let server = Server::new(|received| match received.number {
        1 => Answer::Keep(ok(&[], "")),
        _ => Answer::Close(vec![]),
    })
    .await;
    let client = server.client();
    client.exchange(get(&server.url("/"))).await.unwrap();
    for _ in 0..2 {
        let request = request("POST", &server.url("/"), &[], "transfer 100");
        assert_eq!(code(client.exchange(request).await), "protocol");
        server.closed().await;
    }
    assert_eq!(server.requests().len(), 3, "one for each exchange");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn so_many_exchanges_run_at_a_time_and_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::at(listener.local_addr().unwrap().port());
    // Answers only when as many are waiting as can.
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let gate = Arc::new(Semaphore::new(0));
    tokio::spawn({
        let (open, most, gate) = (Arc::clone(&open), Arc::clone(&most), Arc::clone(&gate));
        async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let now = open.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                if now == EXCHANGES_AT_ONCE_MAX {
                    gate.add_permits(1000);
                }
                let (open, gate) = (Arc::clone(&open), Arc::clone(&gate));
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    let _ = stream.read(&mut buffer).await.unwrap();
                    gate.acquire().await.unwrap().forget();
                    open.fetch_sub(1, Ordering::SeqCst);
                    let reply = ok(&[("connection", "close")], "");
                    stream.write_all(&reply).await.unwrap();
                });
            }
        }
    });
    let client = Arc::new(server.client());
    let exchanges: Vec<_> = (0..4 * EXCHANGES_AT_ONCE_MAX)
        .map(|_| {
            let (client, url) = (Arc::clone(&client), server.url("/"));
            tokio::spawn(async move { client.exchange(get(&url)).await })
        })
        .collect();
    for exchange in exchanges {
        assert_eq!(exchange.await.unwrap().unwrap().status, 200);
    }
    assert_eq!(most.load(Ordering::SeqCst), EXCHANGES_AT_ONCE_MAX);
}
