//! Where a guest may not go: whatever it calls the place, and whoever sends it there.

use serde_json::{Value, json};

use crate::fixture::Seen;
use crate::ground::{codes, says};
use crate::server::{
    Names, Server, asking, asking_in_javascript, names, no_names, ok, private, see_with, visited,
};

const NOT_GRANTED: &str = "network_not_granted";
const ADDRESS: &str = "address_not_granted";
const URL: &str = "url_refused";

/// Every host and port is granted, but what is special.
fn everywhere() -> Value {
    json!({ "network": { "allowlist": ["*:*"] } })
}

/// A server that nobody must come to.
fn forbidden() -> Server {
    Server::new(ok(&[], "you should not be here"))
}

/// Each of these URLs, with `PORT` for the server's, is refused with one of the codes, without a question to any resolver or a connection.
#[track_caller]
fn refuses(urls: &[&str], expected: &[&str]) {
    let server = forbidden();
    let (asked, options) = no_names();
    let seen = fetch_all(&server, urls, everywhere(), options);
    for (url, said) in urls.iter().zip(seen.output().as_array().unwrap()) {
        let said = said.as_str().unwrap_or("an answer");
        assert!(expected.contains(&said), "{url}: {said}");
    }
    assert_eq!(codes(&seen).len(), urls.len());
    assert_eq!(asked.asked(), [""; 0]);
    visited(&[(&server, 0)]);
}

fn fetch_all(
    server: &Server,
    urls: &[&str],
    granted: Value,
    options: oacp_egress::Options,
) -> Seen {
    let port = server.port.to_string();
    let urls: Vec<String> = urls.iter().map(|url| url.replace("PORT", &port)).collect();
    let mut call = asking(granted, "return [fetch(url) for url in input]");
    call.input = json!(urls).to_string();
    see_with(call, options)
}

#[test]
fn loopback_is_refused_in_every_spelling_of_ipv4() {
    refuses(
        &[
            "http://127.0.0.1:PORT/",
            "http://127.1:PORT/",
            "http://127.0.1:PORT/",
            "http://127.000.000.001:PORT/",
            "http://2130706433:PORT/",
            "http://0x7f000001:PORT/",
            "http://0X7F.0.0.1:PORT/",
            "http://0x7f.1:PORT/",
            "http://0177.0.0.1:PORT/",
            "http://0177.1:PORT/",
            "http://017700000001:PORT/",
            "http://0x7f.0x0.0x0.0x1:PORT/",
            "http://127.0.0.0x1:PORT/",
            "http://127.255.255.254:PORT/",
            "http://127.8.9.10:PORT/",
            "HTTP://127.0.0.1:PORT/",
            "http://00000177.0.0.1:PORT/",
            "http://127.0.257:PORT/",
            "http://127.65793:PORT/",
        ],
        &[ADDRESS],
    );
}

#[test]
fn loopback_is_refused_in_every_spelling_of_ipv6() {
    refuses(
        &[
            "http://[::1]:PORT/",
            "http://[0:0:0:0:0:0:0:1]:PORT/",
            "http://[::ffff:127.0.0.1]:PORT/",
            "http://[::ffff:7f00:1]:PORT/",
            "http://[0:0:0:0:0:ffff:7f00:1]:PORT/",
            "http://[::FFFF:127.0.0.1]:PORT/",
            "http://[::127.0.0.1]:PORT/",
            "http://[::7f00:1]:PORT/",
            "http://[64:ff9b::127.0.0.1]:PORT/",
            "http://[64:ff9b:1::7f00:1]:PORT/",
            "http://[2002:7f00:1::]:PORT/",
            "http://[::ffff:0:127.0.0.1]:PORT/",
            "http://[2001:0:7f00:1::]:PORT/",
            "http://[0000::1]:PORT/",
        ],
        &[ADDRESS],
    );
}

#[test]
fn the_address_of_nobody_is_refused() {
    refuses(
        &[
            "http://0.0.0.0:PORT/",
            "http://0:PORT/",
            "http://0x0:PORT/",
            "http://00.00.00.00:PORT/",
            "http://0.0.0.1:PORT/",
            "http://[::]:PORT/",
            "http://[::ffff:0.0.0.0]:PORT/",
            "http://255.255.255.255:PORT/",
            "http://[::ffff:255.255.255.255]:PORT/",
        ],
        &[ADDRESS],
    );
}

#[test]
fn a_clouds_metadata_are_refused_in_every_spelling() {
    refuses(
        &[
            "http://169.254.169.254/latest/meta-data/",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://0xA9.0xFE.0xA9.0xFE/",
            "http://0251.0376.0251.0376/",
            "http://025177524776/",
            "http://169.254.43518/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://[::a9fe:a9fe]/",
            "http://[fd00:ec2::254]/",
            "http://[fe80::a9fe:a9fe]/",
            "http://168.63.129.16/",
            "http://[::ffff:168.63.129.16]/",
            "http://100.100.100.200/",
            "http://192.0.0.192/",
            "http://169.254.170.2/v2/credentials",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://[2002:a9fe:a9fe::]/",
        ],
        &[ADDRESS],
    );
}

#[test]
fn neighbours_are_refused() {
    refuses(
        &[
            "http://10.0.0.1/",
            "http://10.255.255.255/",
            "http://172.16.0.1/",
            "http://172.31.255.255/",
            "http://192.168.0.1/",
            "http://192.168.1/",
            "http://100.64.0.1/",
            "http://198.18.0.1/",
            "http://224.0.0.1/",
            "http://240.0.0.1/",
            "http://[fc00::1]/",
            "http://[fd12:3456::1]/",
            "http://[fe80::1]/",
            "http://[fec0::1]/",
            "http://[ff02::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[::ffff:c0a8:1]/",
            "http://0xac100001/",
            "http://192.0.2.1/",
            "http://198.51.100.1/",
            "http://203.0.113.1/",
            "http://[2001:db8::1]/",
            "http://[100::1]/",
        ],
        &[ADDRESS],
    );
}

#[test]
fn a_zone_of_an_address_is_refused() {
    refuses(
        &[
            "http://[fe80::1%25eth0]:PORT/",
            "http://[::1%25lo]:PORT/",
            "http://[::1%lo]:PORT/",
        ],
        &[URL],
    );
}

#[test]
fn an_address_in_other_letters_is_the_same_address() {
    refuses(
        &[
            "http://127。0。0。1:PORT/",
            "http://127．0．0．1:PORT/",
            "http://127｡0｡0｡1:PORT/",
            "http://①②⑦.⓪.⓪.①:PORT/",
            "http://１２７.０.０.１:PORT/",
            "http://%31%32%37.0.0.1:PORT/",
            "http://127%2e0%2e0%2e1:PORT/",
            "http://%30%78%37%66.1:PORT/",
            "http://𝟏𝟐𝟕.0.0.1:PORT/",
            "http://127\u{ad}.0.0.1:PORT/",
        ],
        &[ADDRESS, URL],
    );
}

#[test]
fn user_information_hides_no_host() {
    refuses(
        &[
            "http://granted.test@127.0.0.1:PORT/",
            "http://granted.test:80@127.0.0.1:PORT/",
            "http://127.0.0.1:PORT@granted.test/",
            "http://@127.0.0.1:PORT/",
            "http://a:b@granted.test/",
            "http://granted.test%40127.0.0.1:PORT/",
            "http://granted.test\\@127.0.0.1:PORT/",
            "http://127.0.0.1:PORT\\@granted.test/",
            "http://127.0.0.1:PORT\\.granted.test/",
            "http:\\\\127.0.0.1:PORT/",
            "http:/\\127.0.0.1:PORT/",
            "http://granted.test#@127.0.0.1:PORT/x y",
        ],
        &[URL],
    );
}

#[test]
fn other_schemes_are_refused() {
    refuses(
        &[
            "ftp://127.0.0.1:PORT/",
            "file:///etc/passwd",
            "file://127.0.0.1/etc/passwd",
            "gopher://127.0.0.1:PORT/_GET",
            "unix:///var/run/docker.sock",
            "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
            "data:text/plain,x",
            "dict://127.0.0.1:PORT/d:x",
            "ldap://127.0.0.1:PORT/",
            "tftp://127.0.0.1/x",
            "ws://127.0.0.1:PORT/",
            "wss://127.0.0.1:PORT/",
            "jar:http://127.0.0.1:PORT!/",
            "javascript:alert(1)",
            "about:blank",
            "blob:http://127.0.0.1:PORT/x",
            "view-source:http://127.0.0.1:PORT/",
            "//127.0.0.1:PORT/",
            "/etc/passwd",
            "127.0.0.1:PORT",
            "http:127.0.0.1:PORT/",
            "http:/127.0.0.1:PORT/",
            "",
        ],
        &[URL],
    );
}

#[test]
fn a_url_of_control_characters_or_none_is_refused() {
    refuses(
        &[
            "http://127.0.0.1:PORT/\r\nx: y",
            "http://127.0.0.1:PORT/ HTTP/1.1\r\n\r\nGET /",
            "http://127.0.0.1:PORT\r\n/",
            "http://127.0.0.1\t:PORT/",
            "\thttp://127.0.0.1:PORT/",
            " http://127.0.0.1:PORT/",
            "http://127.0.0.1:PORT/\0",
            "ht\ntp://127.0.0.1:PORT/",
            "http://127.0.0.1:PORT/a b",
            "http://127.0.0.1:PORT/\u{2028}",
            "http://",
            "http:///",
            "http://:PORT/",
            "http://?",
            "http://#",
            "https://",
        ],
        &[URL],
    );
}

#[test]
fn a_port_that_is_none_is_refused() {
    refuses(
        &[
            "http://127.0.0.1:0/",
            "http://127.0.0.1:65536/",
            "http://127.0.0.1:-1/",
            "http://127.0.0.1:80a/",
            "http://127.0.0.1:+80/",
            "http://127.0.0.1:0x50/",
            "http://127.0.0.1:99999999999/",
        ],
        &[URL],
    );
}

#[test]
fn a_host_that_no_name_can_be_is_refused() {
    refuses(
        &[
            "http://127.0.0.1.:PORT/",
            "http://granted.test.:PORT/",
            "http://granted..test/",
            "http://.granted.test/",
            "http://256.0.0.1/",
            "http://1.2.3.4.5/",
            "http://*.granted.test/",
            "http://granted.test%00.evil.test/",
            "http://[::1/",
            "http://::1/",
            "http://[127.0.0.1]/",
            "http://-x.test/",
            "http://granted.test,evil.test/",
            "http://0x100000000/",
            "http://%2f%2e/",
            "http://a b/",
            "http://granted.test%0d%0ax/",
            "http://xn--/",
        ],
        &[URL],
    );
}

#[test]
fn a_name_of_this_machine_is_refused_once_it_is_known() {
    let server = forbidden();
    let (asked, options) = names([
        ("localhost", &["127.0.0.1"]),
        ("localhost6", &["::1"]),
        ("a.localhost", &["127.0.0.1"]),
        ("metadata.google.internal", &["169.254.169.254"]),
        ("rebound.test", &["127.0.0.1"]),
        ("mapped.test", &["::ffff:127.0.0.1"]),
        ("translated.test", &["64:ff9b::7f00:1"]),
        ("router.test", &["192.168.0.1"]),
        ("nobody.test", &["0.0.0.0"]),
    ]);
    let urls = [
        "http://localhost:PORT/",
        "http://LOCALHOST:PORT/",
        "http://localhost6:PORT/",
        "http://a.localhost:PORT/",
        "http://metadata.google.internal/",
        "http://rebound.test:PORT/",
        "http://mapped.test:PORT/",
        "http://translated.test:PORT/",
        "http://router.test/",
        "http://nobody.test:PORT/",
        "http://loc%61lhost:PORT/",
    ];
    let seen = fetch_all(&server, &urls, everywhere(), options);
    says(&seen, &json!(vec![ADDRESS; 11]), &[ADDRESS; 11]);
    assert_eq!(asked.asked().len(), urls.len());
    visited(&[(&server, 0)]);
}

#[test]
fn a_name_with_one_address_that_is_granted_and_one_that_is_not_is_refused() {
    let server = forbidden();
    let (asked, options) = names([
        ("mixed.test", &["1.1.1.1 127.0.0.1"]),
        ("other.test", &["127.0.0.1 1.1.1.1"]),
    ]);
    let urls = ["http://mixed.test:PORT/", "http://other.test:PORT/"];
    let seen = fetch_all(&server, &urls, everywhere(), options);
    says(&seen, &json!([ADDRESS, ADDRESS]), &[ADDRESS, ADDRESS]);
    assert_eq!(asked.asked(), ["mixed.test", "other.test"]);
    visited(&[(&server, 0)]);
}

#[test]
fn a_name_that_changes_its_address_is_judged_each_time_and_dialled_where_it_was_judged() {
    let server = Server::new(ok(&[], "first"));
    let other = Server::with(&format!("127.0.0.2:{}", server.port), |_, _| {});
    let (asked, options) = names([("api.test", &["127.0.0.1", "127.0.0.2"])]);
    let granted = json!({ "network": {
        "allowlist": [{ "host": format!("api.test:{}", server.port), "private": true }],
        "denylist": ["127.0.0.2/32"],
    }});
    let urls = ["http://api.test:PORT/", "http://api.test:PORT/"];
    let seen = fetch_all(&server, &urls, granted, options);
    says(
        &seen,
        &json!([[200, "first"], "address_denied"]),
        &["address_denied"],
    );
    // Once for each exchange: what was judged is what was dialled.
    assert_eq!(asked.asked(), ["api.test", "api.test"]);
    visited(&[(&server, 1), (&other, 0)]);
}

#[track_caller]
fn no_question(asked: &Names) {
    assert_eq!(asked.asked(), [""; 0], "a resolver was asked");
}

#[test]
fn for_a_name_that_is_not_granted_no_resolver_is_asked() {
    let server = forbidden();
    let (asked, options) = names([
        ("c2VjcmV0.evil.test", &["127.0.0.1"]),
        ("evil.test", &["127.0.0.1"]),
    ]);
    let granted = json!({ "network": { "allowlist": ["granted.test:*", private(server.port)] } });
    let urls = [
        "http://c2VjcmV0.evil.test:PORT/",
        "http://evil.test/",
        "https://granted.test.evil.test/",
        "http://xgranted.test/",
        "http://granted.test.x/",
        "http://sub.granted.test/",
    ];
    let seen = fetch_all(&server, &urls, granted, options);
    says(&seen, &json!(vec![NOT_GRANTED; 6]), &[NOT_GRANTED; 6]);
    no_question(&asked);
    visited(&[(&server, 0)]);
}

#[test]
fn without_a_grant_nothing_is_asked_of_anybody() {
    let server = forbidden();
    let (asked, options) = names([("api.test", &["127.0.0.1"])]);
    let urls = [
        "http://api.test:PORT/",
        "http://127.0.0.1:PORT/",
        "https://example.com/",
    ];
    let seen = fetch_all(&server, &urls, json!({}), options);
    says(&seen, &json!(vec![NOT_GRANTED; 3]), &[NOT_GRANTED; 3]);
    no_question(&asked);
    visited(&[(&server, 0)]);
}

#[test]
fn what_is_denied_by_name_is_asked_of_nobody() {
    let server = forbidden();
    let (asked, options) = names([("evil.test", &["1.1.1.1"])]);
    let granted = json!({ "network": { "allowlist": ["*:*"], "denylist": ["evil.test", "*.evil.test", "8.8.8.0/24"] } });
    let urls = [
        "http://evil.test/",
        "http://EVIL.test/",
        "http://a.b.evil.test/",
        "http://8.8.8.8/",
        "http://0x08080808/",
        "http://[::ffff:8.8.8.8]/",
    ];
    let seen = fetch_all(&server, &urls, granted, options);
    says(
        &seen,
        &json!(vec!["network_denied"; 6]),
        &["network_denied"; 6],
    );
    no_question(&asked);
}

#[test]
fn a_denied_network_is_denied_by_whatever_name_it_is_reached() {
    let server = forbidden();
    let (_, options) = names([("api.test", &["127.0.0.1"])]);
    let granted = json!({ "network": {
        "allowlist": [{ "host": format!("api.test:{}", server.port), "private": true }],
        "denylist": ["127.0.0.0/8"],
    }});
    let seen = fetch_all(&server, &["http://api.test:PORT/"], granted, options);
    says(&seen, &json!(["address_denied"]), &["address_denied"]);
    visited(&[(&server, 0)]);
}

#[test]
fn another_port_than_the_granted_one_is_refused() {
    let (server, other) = (Server::new(ok(&[], "here")), forbidden());
    let (_, options) = no_names();
    let granted = json!({ "network": { "allowlist": [private(server.port)] } });
    let urls = [
        "http://127.0.0.1:PORT/",
        &other.url("/"),
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "http://[::1]:PORT/",
        "http://127.0.0.2:PORT/",
    ];
    let seen = fetch_all(&server, &urls, granted, options);
    let n = NOT_GRANTED;
    says(&seen, &json!([[200, "here"], n, n, n, n, n]), &[n; 5]);
    visited(&[(&server, 1), (&other, 0)]);
}

#[test]
fn the_names_below_a_name_are_not_the_name() {
    let server = forbidden();
    let (asked, options) = names([
        ("granted.test", &["127.0.0.1"]),
        ("a.granted.test", &["127.0.0.1"]),
    ]);
    let granted = json!({ "network": { "allowlist": ["*.granted.test:*"] } });
    let urls = [
        "http://granted.test:PORT/",
        "http://a.granted.test:PORT/",
        "http://agranted.test:PORT/",
    ];
    let seen = fetch_all(&server, &urls, granted, options);
    says(
        &seen,
        &json!([NOT_GRANTED, ADDRESS, NOT_GRANTED]),
        &[NOT_GRANTED, ADDRESS, NOT_GRANTED],
    );
    assert_eq!(asked.asked(), ["a.granted.test"]);
    visited(&[(&server, 0)]);
}

#[test]
fn a_ceiling_without_private_keeps_this_machine_closed() {
    let server = forbidden();
    let (_, options) = no_names();
    let mut call = asking(
        json!({ "network": { "allowlist": [private(server.port)] } }),
        "return fetch(input)",
    );
    call.input = json!(server.url("/")).to_string();
    let ceiling = crate::fixture::grant(everywhere());
    let node = crate::fixture::node_with(ceiling, options);
    let seen = crate::fixture::see_on(&node, call).confirmed();
    says(&seen, &json!(ADDRESS), &[ADDRESS]);
    visited(&[(&server, 0)]);
}

// Redirects.

fn redirecting(location: &str) -> Server {
    let reply = format!(
        "HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
    );
    Server::new(reply)
}

/// Every library follows a redirect by itself, and is refused at the second hop.
const LIBRARIES: &str = "
import urllib.request, requests
from oacp import http
def urllib_get(url):
    return urllib.request.urlopen(url).read().decode()
return [t(urllib_get, input), t(lambda: http.get(input).text), t(lambda: requests.get(input).text)]
";

#[track_caller]
fn redirected(location: &str, said: &[&str], denied: &[&str]) -> Server {
    let server = redirecting(location);
    let (_, options) = names([("granted.test", &["127.0.0.1"])]);
    let granted = json!({ "network": { "allowlist": [private(server.port), "granted.test:*"] } });
    let mut call = asking(granted, LIBRARIES);
    call.input = json!(server.url("/")).to_string();
    let seen = see_with(call, options);
    assert_eq!(codes(&seen), denied, "{}", seen.output());
    for (one, said) in seen.output().as_array().unwrap().iter().zip(said) {
        assert_eq!(one, said, "{}", seen.output());
    }
    visited(&[(&server, 3)]);
    server
}

#[test]
fn a_redirect_to_another_server_is_judged_anew() {
    let other = forbidden();
    redirected(&other.url("/"), &[NOT_GRANTED; 3], &[NOT_GRANTED; 3]);
    visited(&[(&other, 0)]);
}

#[test]
fn a_redirect_to_a_name_of_this_machine_is_judged_anew() {
    redirected("http://granted.test:1/", &[ADDRESS; 3], &[ADDRESS; 3]);
}

#[test]
fn a_redirect_to_a_clouds_metadata_is_judged_anew() {
    redirected(
        "http://169.254.169.254/latest/",
        &[NOT_GRANTED; 3],
        &[NOT_GRANTED; 3],
    );
}

#[test]
fn a_redirect_to_a_file_is_not_followed() {
    let server = redirecting("file:///etc/passwd");
    let (_, options) = no_names();
    let mut call = asking(
        json!({ "network": { "allowlist": [private(server.port)] } }),
        LIBRARIES,
    );
    call.input = json!(server.url("/")).to_string();
    let seen = see_with(call, options);
    assert!(
        !seen.output().to_string().contains("root:"),
        "{}",
        seen.output()
    );
    visited(&[(&server, 3)]);
}

#[test]
fn every_hop_of_a_chain_of_redirects_is_judged() {
    let last = forbidden();
    let second = redirecting(&last.url("/"));
    let first = redirecting(&second.url("/"));
    let (_, options) = no_names();
    let granted =
        json!({ "network": { "allowlist": [private(first.port), private(second.port)] } });
    let mut call = asking(granted, LIBRARIES);
    call.input = json!(first.url("/")).to_string();
    let seen = see_with(call, options);
    says(&seen, &json!(vec![NOT_GRANTED; 3]), &[NOT_GRANTED; 3]);
    visited(&[(&first, 3), (&second, 3), (&last, 0)]);
}

#[test]
fn a_circle_of_redirects_ends() {
    let server = redirecting("/again");
    let (_, options) = no_names();
    let mut call = asking(
        json!({ "network": { "allowlist": [private(server.port)] } }),
        LIBRARIES,
    );
    call.input = json!(server.url("/")).to_string();
    let seen = see_with(call, options);
    assert!(
        !seen.output().to_string().contains("200"),
        "{}",
        seen.output()
    );
    assert!(server.requests().len() < 100);
}

#[test]
fn javascripts_fetch_is_judged_at_each_hop() {
    let other = forbidden();
    let server = redirecting(&other.url("/"));
    let (asked, options) = names([("evil.test", &["127.0.0.1"])]);
    let source = format!(
        "const t = async (url) => {{ try {{ return (await fetch(url)).status; }} catch (e) {{ return e.code ?? e.cause?.code ?? e.name; }} }};
export async function run() {{
  return [await t('{}'), await t('{}'), await t('http://evil.test/'), await t('http://0x7f.1:{}/'), await t('file:///etc/passwd') !== 200];
}}",
        server.url("/"),
        other.url("/"),
        other.port
    );
    let granted = json!({ "network": { "allowlist": [private(server.port)] } });
    let seen = see_with(asking_in_javascript(granted, &source), options);
    let n = NOT_GRANTED;
    assert_eq!(seen.output(), json!([n, n, n, n, true]));
    assert_eq!(codes(&seen)[..4], [n; 4]);
    no_question(&asked);
    visited(&[(&server, 1), (&other, 0)]);
}

// What a request says of itself.

#[track_caller]
fn requests(attempts: &str, expected: &[&str]) {
    let server = forbidden();
    let (_, options) = no_names();
    let granted = json!({ "network": { "allowlist": [private(server.port)] } });
    let mut call = asking(
        granted,
        &format!(
            "url = input['url']\nhost = url[7:-1]\nreturn [fetch(url, **one) for one in [{attempts}]]"
        ),
    );
    call.input = json!({ "url": server.url("/") }).to_string();
    let seen = see_with(call, options);
    let said = seen.output();
    let said = said.as_array().unwrap();
    assert!(said.len() > 1);
    for (number, said) in said.iter().enumerate() {
        let said = said.as_str().unwrap_or("an answer");
        assert!(expected.contains(&said), "number {number}: {said}");
    }
    let denied = said
        .iter()
        .filter(|said| **said == "header_refused")
        .count();
    assert_eq!(codes(&seen).len(), denied);
    visited(&[(&server, 0)]);
}

#[test]
fn line_breaks_in_a_header_are_refused() {
    requests(
        r"dict(headers=[('x', 'a\r\nhost: evil')]), dict(headers=[('x', 'a\nb: c')]), dict(headers=[('x', 'a\rb: c')]), dict(headers=[('x', 'a\x00b')]),
          dict(headers=[('x\r\ny', 'a')]), dict(headers=[('x: y\r\nz', 'a')]), dict(headers=[('x y', 'a')]), dict(headers=[('', 'a')]), dict(headers=[('x:', 'a')]),
          dict(headers=[('x', 'a\u010ab')]), dict(headers=[('x', 'a\u560ab')]), dict(headers=[('é', 'a')]), dict(headers=[('x', '\x7f')])",
        &["bad_request"],
    );
}

#[test]
fn a_method_is_one_word_and_not_about_the_connection() {
    requests(
        r"dict(method='GET / HTTP/1.1\r\nx: y\r\n\r\nGET'), dict(method='GET\r\n'), dict(method='G ET'), dict(method=''), dict(method='GÉT'), dict(method='X' * 33),
          dict(method='CONNECT'), dict(method='connect'), dict(method='TRACE'), dict(method='Trace'), dict(method='GET\x00')",
        &["bad_request"],
    );
}

#[test]
fn a_second_length_or_none_that_is_true_is_refused() {
    requests(
        "dict(headers=[('content-length', '5')]), dict(headers=[('content-length', '3')], body=b'abcd'), dict(headers=[('content-length', '+4')], body=b'abcd'),
         dict(headers=[('content-length', '4, 4')], body=b'abcd'), dict(headers=[('content-length', '04')], body=b'abcd'), dict(headers=[('content-length', '0x4')], body=b'abcd'),
         dict(headers=[('Content-Length', '4'), ('content-length', '0')], body=b'abcd'), dict(headers=[('content_length', '0')], body=b'abcd')",
        &["bad_request", "header_refused"],
    );
}

#[test]
fn what_frames_a_request_is_not_the_guests_to_say() {
    requests(
        "*[dict(method='POST', headers=[(n, v)], body=b'0\\r\\n\\r\\nGET /admin HTTP/1.1\\r\\n\\r\\n') for n, v in [('transfer-encoding', 'chunked'), ('Transfer-Encoding', 'identity'),
         ('transfer_encoding', 'chunked'), ('trailer', 'x'), ('upgrade', 'websocket'), ('http2-settings', 'x'), ('HTTP2_Settings', 'x')]]",
        &["header_refused"],
    );
}

#[test]
fn what_is_said_to_proxies_is_not_the_guests_to_say() {
    requests(
        "*[dict(headers=[(n, '127.0.0.1')]) for n in ('proxy-authorization', 'Proxy-Connection', 'proxy_authorization', 'x-forwarded-for', 'X-Forwarded-Host', 'x_forwarded_for', 'forwarded', 'x-real-ip', ':authority', ':path', ':method')]",
        &["header_refused"],
    );
}

#[test]
fn another_host_than_the_urls_is_refused() {
    requests(
        "*[dict(headers=[('host', v)]) for v in ('evil.test', '127.0.0.1', '', host + '.', host + ', evil.test', 'localhost' + host[9:], '[::1]' + host[9:])], dict(headers=[('host', host), ('Host', 'evil.test')])",
        &["bad_request"],
    );
}

#[test]
fn too_much_of_a_request_is_refused() {
    requests(
        "dict(headers=[('x', 'a')] * 257), dict(headers=[('x' + str(n), '') for n in range(10000)]), dict(headers=[('x', 'a' * 65536)]), dict(headers=[('x' * 65536, 'a')]), dict(body=bytes((16 << 20) + 1))",
        &["bad_request"],
    );
}

#[test]
fn a_host_is_told_no_more_than_the_guest_says() {
    let server = Server::new(ok(&[("set-cookie", "a=b")], "here"));
    let (_, options) = no_names();
    let granted = json!({ "network": { "allowlist": [private(server.port)] } });
    let mut call = asking(
        granted,
        "return [fetch(input, headers=[('x-own', '1'), ('connection', 'x-own'), ('te', 'trailers'), ('expect', '100-continue')]), fetch(input)]",
    );
    call.input = json!(server.url("/a?b")).to_string();
    let seen = see_with(call, options);
    says(&seen, &json!([[200, "here"], [200, "here"]]), &[]);
    let expected = |own: &str| {
        format!(
            "GET /a?b HTTP/1.1\r\nhost: 127.0.0.1:{}\r\n{own}accept-encoding: gzip, deflate\r\n\r\n",
            server.port
        )
    };
    // No cookie, no referer, no user agent, nothing of this machine.
    assert_eq!(server.requests(), [expected("x-own: 1\r\n"), expected("")]);
}

#[test]
fn a_proxy_that_the_guest_sets_for_itself_is_nobodys() {
    let (server, proxy) = (Server::new(ok(&[], "here")), forbidden());
    let (_, options) = no_names();
    let granted = json!({ "network": { "allowlist": [private(server.port)] } });
    let body = "
import urllib.request, requests
for name in ('http_proxy', 'HTTP_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'):
    os.environ[name] = input['proxy']
opener = urllib.request.build_opener(urllib.request.ProxyHandler({'http': input['proxy']}))
return [t(lambda: urllib.request.urlopen(input['url']).read().decode()), t(lambda: opener.open(input['url']).read().decode()), t(lambda: requests.get(input['url'], proxies={'http': input['proxy']}).text)]";
    let mut call = asking(granted, body);
    call.input = json!({ "url": server.url("/"), "proxy": proxy.url("") }).to_string();
    let seen = see_with(call, options);
    assert_eq!(seen.output()[0], "here");
    assert_eq!(codes(&seen), [""; 0]);
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn there_are_no_sockets() {
    let server = forbidden();
    let (asked, options) = names([("granted.test", &["127.0.0.1"])]);
    let granted = json!({ "network": { "allowlist": [private(server.port), "granted.test:*"] } });
    let body = "
import socket
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b'x', ('127.0.0.1', input))
    return 'sent'
def listen():
    s = socket.socket()
    s.bind(('127.0.0.1', 0))
    s.listen()
    return 'listening'
def connect():
    s = socket.socket()
    s.connect(('127.0.0.1', input))
    return 'connected'
found = [t(udp), t(listen), t(connect), t(lambda: type(socket.create_connection(('127.0.0.1', input))).__name__), t(lambda: str(socket.getaddrinfo('granted.test', 80))), t(lambda: socket.gethostbyname('granted.test'))]
return [isinstance(one, str) and one not in ('sent', 'listening', 'connected', 'socket') and '127' not in one for one in found]";
    let mut call = asking(granted, body);
    call.input = server.port.to_string();
    let seen = see_with(call, options);
    assert_eq!(seen.output(), json!(vec![true; 6]));
    no_question(&asked);
    visited(&[(&server, 0)]);
}

#[test]
fn a_guest_does_not_choose_whom_to_trust() {
    // One that speaks no TLS stands for one whose certificate nobody signed.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::Write;
        for stream in listener.incoming() {
            let _ = stream
                .unwrap()
                .write_all(&ok(&[], "you should not be here"));
        }
    });
    let (_, options) = no_names();
    let granted = json!({ "network": { "allowlist": [private(port)] } });
    let body = "
import ssl, urllib.request, requests
def unverified():
    c = ssl.create_default_context()
    c.check_hostname = False
    return 'trusts'
return [t(unverified), t(ssl._create_unverified_context), t(lambda: requests.get(input, verify=False).text) != 'you should not be here', t(lambda: urllib.request.urlopen(input).read().decode())]";
    let mut call = asking(granted, body);
    call.input = json!(format!("https://127.0.0.1:{port}/")).to_string();
    let seen = see_with(call, options);
    assert_eq!(
        seen.output(),
        json!(["ValueError", "ValueError", true, "URLError"])
    );
}

#[test]
fn the_first_denied_request_ends_a_run_that_is_to_end_so() {
    let server = forbidden();
    let mut call = asking(
        json!({ "network": { "allowlist": ["granted.test"] }, "denials": "fatal" }),
        "fetch(input)\nreturn 'went on'",
    );
    call.input = json!(server.url("/")).to_string();
    let seen = crate::fixture::see_granted(call).confirmed();
    assert_eq!(seen.execution.outcome, oacp::outcome::Outcome::Denied);
    assert_eq!(codes(&seen), [NOT_GRANTED]);
    visited(&[(&server, 0)]);
}
