//! Which addresses are reached, and which are not even asked for.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use oacp_egress::{Options, Resolver};
use serde_json::{Value, json};

use crate::fixture::{Server, answers, client, code, get, ok, options};

async fn here() -> Server {
    answers(ok(&[], "reached")).await
}

fn allow(rules: Value) -> Value {
    json!({"network": {"allowlist": rules}})
}

/// Counts what is asked, and answers with the addresses of that time; with the last ones from then on.
fn counting(answers: &[&str]) -> (Arc<AtomicUsize>, Options) {
    let asked = Arc::new(AtomicUsize::new(0));
    let answers: Vec<Vec<IpAddr>> = answers
        .iter()
        .map(|answer| {
            answer
                .split_whitespace()
                .map(|a| a.parse().unwrap())
                .collect()
        })
        .collect();
    let resolver = {
        let asked = Arc::clone(&asked);
        Resolver::new(move |_| {
            let at = asked.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            let answer = answers[at].clone();
            async move { Ok(answer) }
        })
    };
    let options = Options {
        resolver,
        ..options([])
    };
    (asked, options)
}

#[tokio::test]
async fn a_name_that_is_not_granted_is_never_asked_for() {
    let server = here().await;
    let port = server.port;
    let (asked, options) = counting(&["127.0.0.1"]);
    let rules = json!([
        {"host": format!("api.test:{port}"), "private": true},
        format!("*.wild.test:{port}"),
        "other.test",
    ]);
    let client = client(allow(rules), &[], &options);
    for url in [
        format!("http://elsewhere.test:{port}/"),
        format!("http://api.test.evil.test:{port}/"),
        format!("http://sub.api.test:{port}/"),
        format!("http://wild.test:{port}/"),
        format!("http://other.test:{port}/"),
        "http://api.test/".to_owned(),
        "https://api.test/".to_owned(),
        format!("http://127.0.0.1:{port}/"),
    ] {
        assert_eq!(
            code(client.exchange(get(&url)).await),
            "network_not_granted",
            "{url}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);

    let response = client
        .exchange(get(&format!("http://API.test:{port}/")))
        .await;
    assert_eq!(response.unwrap().body, b"reached");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_name_on_the_deny_list_is_never_asked_for() {
    let (asked, options) = counting(&["127.0.0.1"]);
    let capabilities =
        json!({"network": {"allowlist": ["*:*"], "denylist": ["*.internal.test", "bad.test"]}});
    let client = client(capabilities, &[], &options);
    for url in [
        "https://bad.test/",
        "http://bad.test:81/",
        "https://a.internal.test/",
    ] {
        assert_eq!(
            code(client.exchange(get(url)).await),
            "network_denied",
            "{url}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_that_leads_to_a_special_address_is_denied() {
    let server = here().await;
    let port = server.port;
    for address in [
        "127.0.0.1",
        "127.8.8.8",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "168.63.129.16",
        "::",
        "fe80::1",
        "fc00::1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ] {
        let options = options([("rebound.test", address)]);
        for rule in [
            format!("rebound.test:{port}"),
            format!("*.test:{port}"),
            "*:*".to_owned(),
        ] {
            let client = client(allow(json!([rule])), &[], &options);
            let result = client
                .exchange(get(&format!("http://rebound.test:{port}/")))
                .await;
            assert_eq!(code(result), "address_not_granted", "{address} by {rule}");
        }
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn an_address_in_whatever_spelling_is_judged_as_what_it_is() {
    let server = here().await;
    let port = server.port;
    let (asked, options) = counting(&["127.0.0.1"]);
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
    ] {
        let client = client(allow(json!(["*:*"])), &[], &options);
        let result = client
            .exchange(get(&format!("http://{host}:{port}/")))
            .await;
        assert_eq!(code(result), "address_not_granted", "{host}");
    }
    assert_eq!((server.connections(), asked.load(Ordering::SeqCst)), (0, 0));

    let exact = json!([{"host": format!("127.0.0.1:{port}"), "private": true}]);
    let client = client(allow(exact), &[], &options);
    let response = client
        .exchange(get(&format!("http://0x7f.1:{port}/")))
        .await
        .unwrap();
    assert_eq!(response.body, b"reached");
    assert_eq!(
        server.request().header("host"),
        [format!("127.0.0.1:{port}")]
    );
}

#[tokio::test]
async fn a_mixture_of_granted_and_other_addresses_is_denied() {
    let server = here().await;
    let port = server.port;
    // Nobody is at 192.0.2.1 and its like: had one of these been dialled, the code would be `connect` or `timed_out`.
    for (addresses, rule, expected) in [
        (
            "93.184.216.34 127.0.0.1",
            json!(format!("mixed.test:{port}")),
            "address_not_granted",
        ),
        (
            "127.0.0.1 93.184.216.34",
            json!(format!("mixed.test:{port}")),
            "address_not_granted",
        ),
        (
            "127.0.0.1 10.1.2.3",
            json!({"host": format!("mixed.test:{port}"), "private": true}),
            "address_denied",
        ),
        (
            "10.1.2.3 127.0.0.1",
            json!({"host": format!("mixed.test:{port}"), "private": true}),
            "address_denied",
        ),
        (
            "127.0.0.1 ::ffff:10.1.2.3",
            json!({"host": format!("mixed.test:{port}"), "private": true}),
            "address_denied",
        ),
    ] {
        let capabilities = json!({"network": {"allowlist": [rule], "denylist": ["10.0.0.0/8"]}});
        let client = client(capabilities, &[], &options([("mixed.test", addresses)]));
        let result = client
            .exchange(get(&format!("http://mixed.test:{port}/")))
            .await;
        assert_eq!(code(result), expected, "{addresses}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn the_deny_list_holds_for_addresses_too() {
    let server = here().await;
    let port = server.port;
    for address in ["10.1.2.3", "::ffff:10.1.2.3", "::10.1.2.3", "2001:db8:5::1"] {
        let capabilities = json!({"network": {
            "allowlist": [{"host": format!("named.test:{port}"), "private": true}],
            "denylist": ["10.0.0.0/8", "2001:db8::/32"],
        }});
        let client = client(capabilities, &[], &options([("named.test", address)]));
        let result = client
            .exchange(get(&format!("http://named.test:{port}/")))
            .await;
        assert_eq!(code(result), "address_denied", "{address}");
    }
}

#[tokio::test]
async fn a_name_is_resolved_once_and_judged_again_at_the_next_exchange() {
    let server = here().await;
    let port = server.port;
    // The second answer of the first exchange would be the attack, if there were a second question.
    let (asked, options) = counting(&["127.0.0.1", "10.0.0.1", "127.0.0.1 10.0.0.1", "127.0.0.1"]);
    let capabilities = json!({"network": {
        "allowlist": [{"host": format!("api.test:{port}"), "private": true}],
        "denylist": ["10.0.0.0/8"],
    }});
    let client = client(capabilities, &[], &options);
    let url = format!("http://api.test:{port}/");
    assert_eq!(client.exchange(get(&url)).await.unwrap().body, b"reached");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(code(client.exchange(get(&url)).await), "address_denied");
    assert_eq!(code(client.exchange(get(&url)).await), "address_denied");
    assert_eq!(client.exchange(get(&url)).await.unwrap().body, b"reached");
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn the_next_address_is_tried_if_nobody_answers_at_the_first() {
    let server = here().await;
    let port = server.port;
    let rules = json!([{"host": format!("two.test:{port}"), "private": true}]);
    // The server listens at 127.0.0.1 only.
    let client = client(
        allow(rules),
        &[],
        &options([("two.test", "127.0.0.2 127.0.0.1")]),
    );
    let response = client
        .exchange(get(&format!("http://two.test:{port}/")))
        .await
        .unwrap();
    assert_eq!(response.body, b"reached");
}

#[tokio::test]
async fn a_name_without_an_address_is_a_failure() {
    let rules = || allow(json!(["nowhere.test"]));
    let none = client(rules(), &[], &options([]));
    assert_eq!(
        code(none.exchange(get("https://nowhere.test/")).await),
        "resolve"
    );
    let (_, options) = counting(&[""]);
    let empty = client(rules(), &[], &options);
    assert_eq!(
        code(empty.exchange(get("https://nowhere.test/")).await),
        "resolve"
    );
}

#[tokio::test]
async fn a_name_that_is_never_resolved_is_given_up() {
    let options = Options {
        resolver: Resolver::new(|_| std::future::pending::<io::Result<Vec<IpAddr>>>()),
        timeout: std::time::Duration::from_millis(50),
        ..options([])
    };
    let client = client(allow(json!(["slow.test"])), &[], &options);
    assert_eq!(
        code(client.exchange(get("https://slow.test/")).await),
        "timed_out"
    );
}

#[tokio::test]
async fn the_system_resolves_names_too() {
    let server = here().await;
    let port = server.port;
    let rules = json!([{"host": format!("localhost:{port}"), "private": true}]);
    let client = client(allow(rules), &[], &Options::default());
    let response = client
        .exchange(get(&format!("http://localhost:{port}/")))
        .await;
    assert_eq!(response.unwrap().body, b"reached");
}
