//! A secret's value is sent where the grant says, and is found nowhere else: not in what the guest sees, not in the bundle, not in a log line.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use oacp_egress::{Options, SecretValue};
use oacp_gateway::Call;
use serde_json::{Value, json};

use crate::fixture::Seen;
use crate::ground::{codes, says};
use crate::server::{
    Server, asking, asking_in_javascript, names, no_names, ok, private, see_with, visited,
};

/// A value with characters that are escaped everywhere.
const VALUE: &str = "s3cr3t \"value\"/of+a&key=%41~ for tests";

const REFLECTED: &str = "secret_reflected";

/// Whether these bytes hold the value: as it is, escaped, in hexadecimal or in base64 at any place; also in whatever of it is base64 itself, as a
/// bundle's contents are.
pub fn holds(bytes: &[u8], value: &[u8]) -> bool {
    let forms = forms(value);
    let mut left = vec![(bytes.to_vec(), 0)];
    while let Some((bytes, depth)) = left.pop() {
        if forms.iter().any(|form| contains(&bytes, form)) {
            return true;
        }
        if depth < 3 {
            left.extend(decoded(&bytes).into_iter().map(|bytes| (bytes, depth + 1)));
        }
    }
    false
}

fn contains(bytes: &[u8], form: &[u8]) -> bool {
    let Some(first) = form.first() else {
        return true;
    };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = &rest[at..];
        if rest.starts_with(form) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let json = serde_json::to_string(std::str::from_utf8(value).unwrap()).unwrap();
    let mut forms = vec![
        value.to_vec(),
        json.trim_matches('"').into(),
        percent(value, false).into(),
        percent(value, true).into(),
        hex(value).into(),
        hex(value).to_uppercase().into(),
    ];
    for before in 0..3 {
        let plain = [&vec![b'x'; before][..], value].concat();
        let text = base64(&plain);
        // Without the characters that depend on what is before and behind.
        let known = text[(8 * before).div_ceil(6)..8 * plain.len() / 6].to_owned();
        forms.push(known.replace('+', "-").replace('/', "_").into());
        forms.push(known.into());
    }
    forms
}

fn percent(value: &[u8], all: bool) -> String {
    let one = |byte: &u8| match byte.is_ascii_alphanumeric() && !all {
        true => char::from(*byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    value.iter().map(one).collect()
}

fn hex(value: &[u8]) -> String {
    value.iter().map(|byte| format!("{byte:02x}")).collect()
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(value: &[u8]) -> String {
    let mut text = String::new();
    for chunk in value.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, n| {
            bits << 8 | u32::from(*chunk.get(n).unwrap_or(&0))
        });
        for n in 0..=chunk.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * n) & 63) as usize]));
        }
    }
    text
}

/// Every long stretch of base64 in the bytes, decoded.
fn decoded(bytes: &[u8]) -> Vec<Vec<u8>> {
    let digit = |byte: &u8| DIGITS.iter().position(|digit| digit == byte);
    bytes
        .split(|byte| digit(byte).is_none())
        .filter(|stretch| stretch.len() >= 16)
        .map(|stretch| {
            let mut bits = 0_u32;
            let mut count = 0;
            let mut plain = Vec::with_capacity(stretch.len());
            for byte in stretch {
                bits = bits << 6 | digit(byte).unwrap_or(0) as u32;
                count += 6;
                if count >= 8 {
                    count -= 8;
                    plain.push((bits >> count & 0xff) as u8);
                }
            }
            plain
        })
        .collect()
}

#[test]
fn what_looks_for_a_value_finds_it() {
    let value = VALUE.as_bytes();
    for form in forms(value) {
        assert!(holds(&form, value));
        let blob = format!(
            "{{\"b\":\"{}\"}}",
            base64(&[b"before ", &form[..], b" behind"].concat())
        );
        assert!(holds(blob.as_bytes(), value), "{blob}");
        assert!(holds(base64(blob.as_bytes()).as_bytes(), value), "{blob}");
    }
    assert!(!holds(b"s3cr3t value of a key for tests", value));
}

/// A grant of the server with the secret in its `authorization`.
fn in_header(server: &Server) -> Value {
    json!({
        "network": { "allowlist": [private(server.port)] },
        "secrets": [{ "name": "KEY", "host": format!("127.0.0.1:{}", server.port), "header": "authorization", "prefix": "Bearer " }],
    })
}

fn in_query(server: &Server) -> Value {
    json!({
        "network": { "allowlist": [private(server.port)] },
        "secrets": [{ "name": "KEY", "host": format!("127.0.0.1:{}", server.port), "query": "key" }],
    })
}

fn with_secret(mut call: Call, input: Value) -> Call {
    let value = SecretValue::new(VALUE.into()).unwrap();
    call.secrets = BTreeMap::from([("KEY".parse().unwrap(), value)]);
    call.input = input.to_string();
    call
}

/// Runs it; the value is nowhere afterwards.
#[track_caller]
fn keeps(call: Call, options: Options) -> Seen {
    let lines: Arc<Mutex<String>> = Arc::default();
    let mut call = call;
    let log = lines.clone();
    call.observer = Some(Arc::new(move |line| {
        log.lock().unwrap().push_str(line.message);
        log.lock().unwrap().push('\n');
    }));
    let seen = see_with(call, options);
    let value = VALUE.as_bytes();
    assert!(!holds(&seen.execution.output, value), "the output");
    assert!(
        !holds(&seen.execution.bundle.to_bytes(), value),
        "the bundle"
    );
    assert!(!holds(lines.lock().unwrap().as_bytes(), value), "the log");
    let all = format!("{:?}", seen.execution.denials);
    assert!(!holds(all.as_bytes(), value), "the denials");
    seen
}

/// What a guest sees that prints all it can find.
const NOSY: &str = "
import sys, traceback
found = []
for one in (lambda: fetch(input), lambda: dict(os.environ), lambda: oacp.http.get(input).text, lambda: os.listdir('/'), lambda: repr(vars(oacp.http.get(input)))):
    try:
        found.append(repr(one()))
    except BaseException as e:
        found += [repr(e), repr(vars(e)), traceback.format_exc()]
print(found)
oacp.log.info(found)
return found
";

#[test]
fn a_value_reaches_its_host_and_nobody_else() {
    let server = Server::new(ok(&[], "here"));
    let seen = keeps(
        with_secret(asking(in_header(&server), NOSY), json!(server.url("/"))),
        no_names().1,
    );
    assert!(seen.output().to_string().contains("here"));
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert!(
            request.contains(&format!("authorization: Bearer {VALUE}\r\n")),
            "{request}"
        );
    }
}

#[test]
fn a_value_in_the_query_reaches_its_host_and_nobody_else() {
    let server = Server::new(ok(&[], "here"));
    keeps(
        with_secret(asking(in_query(&server), NOSY), json!(server.url("/a?b=c"))),
        no_names().1,
    );
    let sent = percent(VALUE.as_bytes(), false).replace("%7E", "~");
    for request in server.requests() {
        assert!(
            request.starts_with(&format!("GET /a?b=c&key={sent} HTTP/1.1\r\n")),
            "{request}"
        );
    }
}

/// The reply holds the value, in a form made from it.
#[track_caller]
fn reflects(reply: impl Fn(&str) -> Vec<u8>) {
    let server = Server::new(reply(VALUE));
    let seen = keeps(
        with_secret(
            asking(in_header(&server), "return fetch(input)"),
            json!(server.url("/")),
        ),
        no_names().1,
    );
    says(&seen, &json!(REFLECTED), &[REFLECTED]);
    visited(&[(&server, 1)]);
}

#[test]
fn a_body_that_repeats_the_value_is_refused() {
    reflects(|value| ok(&[], format!("you sent {value}, thanks")));
}

#[test]
fn a_header_that_repeats_the_value_is_refused() {
    reflects(|value| ok(&[("x-you-sent", value)], ""));
}

#[test]
fn a_header_whose_name_repeats_the_value_is_refused() {
    reflects(|value| ok(&[(&format!("x-{}", hex(value.as_bytes())), "1")], ""));
}

#[test]
fn a_reason_that_repeats_the_value_is_refused() {
    reflects(|value| format!("HTTP/1.1 400 bad {value}\r\ncontent-length: 0\r\n\r\n").into());
}

#[test]
fn a_redirect_that_repeats_the_value_is_refused() {
    reflects(|value| {
        let value = percent(value.as_bytes(), false);
        format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/?key={value}\r\ncontent-length: 0\r\n\r\n").into()
    });
}

#[test]
fn a_cookie_that_repeats_the_value_is_refused() {
    reflects(|value| {
        ok(
            &[("set-cookie", &format!("a={}", base64(value.as_bytes())))],
            "",
        )
    });
}

#[test]
fn a_value_in_base64_is_refused_wherever_it_begins() {
    for before in ["", "a", "ab"] {
        reflects(|value| ok(&[], base64(format!("{before}{value} and more").as_bytes())));
        reflects(|value| {
            let text = base64(format!("{before}{value}").as_bytes());
            ok(&[], text.replace('+', "-").replace('/', "_"))
        });
    }
}

#[test]
fn a_value_that_is_percent_encoded_is_refused() {
    reflects(|value| ok(&[], percent(value.as_bytes(), false)));
    reflects(|value| ok(&[], percent(value.as_bytes(), true).to_lowercase()));
    reflects(|value| ok(&[], percent(value.as_bytes(), false).replace("%20", "+")));
}

#[test]
fn a_value_that_is_escaped_in_json_is_refused() {
    reflects(|value| {
        ok(
            &[],
            json!({ "headers": { "authorization": value } }).to_string(),
        )
    });
    reflects(|value| {
        let escaped: String = value.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
        ok(&[], format!("\"{escaped}\""))
    });
}

#[test]
fn a_value_in_hexadecimal_is_refused() {
    reflects(|value| ok(&[], hex(value.as_bytes())));
    reflects(|value| ok(&[], hex(value.as_bytes()).to_uppercase()));
}

#[test]
fn a_value_that_is_compressed_is_refused() {
    reflects(|value| ok(&[("content-encoding", "gzip")], gzip(value.as_bytes())));
}

#[test]
fn a_value_at_the_end_of_a_large_body_is_refused() {
    reflects(|value| ok(&[], format!("{}{value}", "%41".repeat(100_000))));
}

#[test]
fn an_echo_of_the_whole_request_is_refused() {
    let server = Server::answering(|request| ok(&[], request));
    for granted in [in_header(&server), in_query(&server)] {
        let seen = keeps(
            with_secret(
                asking(granted, "return fetch(input)"),
                json!(server.url("/")),
            ),
            no_names().1,
        );
        says(&seen, &json!(REFLECTED), &[REFLECTED]);
    }
}

#[test]
fn another_host_that_knows_the_value_cannot_tell_it_either() {
    let server = Server::new(ok(&[], "here"));
    let other = Server::new(ok(&[], VALUE));
    let mut granted = in_header(&server);
    granted["network"]["allowlist"] = json!([private(server.port), private(other.port)]);
    let seen = keeps(
        with_secret(
            asking(granted, "return fetch(input)"),
            json!(other.url("/")),
        ),
        no_names().1,
    );
    says(&seen, &json!(REFLECTED), &[REFLECTED]);
    assert!(!other.requests()[0].contains("Bearer"));
}

/// A guest that asks another server too; neither that nor what leads there takes the value along.
#[track_caller]
fn not_sent(other: &Server, call: Call, options: Options) -> Seen {
    let seen = keeps(call, options);
    let requests = other.requests();
    assert!(!requests.is_empty(), "{}", seen.output());
    for request in requests {
        assert!(!holds(request.as_bytes(), VALUE.as_bytes()), "{request}");
        assert!(!request.to_lowercase().contains("bearer"), "{request}");
    }
    seen
}

#[test]
fn another_port_of_the_same_host_is_sent_nothing() {
    let (server, other) = (Server::new(ok(&[], "here")), Server::new(ok(&[], "there")));
    let mut granted = in_header(&server);
    granted["network"]["allowlist"] = json!([private(server.port), private(other.port)]);
    let call = with_secret(
        asking(granted, "return fetch(input)"),
        json!(other.url("/")),
    );
    not_sent(&other, call, no_names().1);
}

#[test]
fn another_name_of_the_same_host_is_sent_nothing() {
    let server = Server::new(ok(&[], "here"));
    let mut granted = in_header(&server);
    let rule = json!({ "host": format!("api.test:{}", server.port), "private": true });
    granted["network"]["allowlist"] = json!([private(server.port), rule]);
    let (_, options) = names([("api.test", &["127.0.0.1"])]);
    let url = json!(format!("http://api.test:{}/", server.port));
    not_sent(
        &server,
        with_secret(asking(granted, "return fetch(input)"), url),
        options,
    );
}

#[test]
fn a_redirect_to_another_port_takes_no_value_along() {
    let other = Server::new(ok(&[], "there"));
    let location = other.url("/x");
    let server = Server::new(format!(
        "HTTP/1.1 307 Temporary Redirect\r\nconnection: close\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
    ));
    for granted in [in_header(&server), in_query(&server)] {
        let mut granted = granted;
        granted["network"]["allowlist"] = json!([private(server.port), private(other.port)]);
        let body = "import urllib.request, requests\nreturn [oacp.http.get(input).text, urllib.request.urlopen(input).read().decode(), requests.get(input).text]";
        let call = with_secret(asking(granted, body), json!(server.url("/")));
        let seen = not_sent(&other, call, no_names().1);
        says(&seen, &json!(["there", "there", "there"]), &[]);
    }
}

#[test]
fn over_plain_http_only_this_machine_is_sent_a_value() {
    // By its name it is another machine; that it is this one is only known once it is resolved.
    let server = Server::new(ok(&[], "here"));
    let granted = json!({
        "network": { "allowlist": [{ "host": format!("api.test:{}", server.port), "private": true }] },
        "secrets": [{ "name": "KEY", "host": format!("api.test:{}", server.port), "header": "authorization", "prefix": "Bearer " }],
    });
    let (_, options) = names([("api.test", &["127.0.0.1"])]);
    let url = json!(format!("http://api.test:{}/", server.port));
    let call = with_secret(asking(granted, "return fetch(input)"), url);
    let seen = not_sent(&server, call, options);
    says(&seen, &json!([200, "here"]), &[]);
}

#[test]
fn a_localhost_that_is_another_machine_is_sent_nothing() {
    let granted = json!({
        "network": { "allowlist": [{ "host": "localhost:9", "private": true }] },
        "secrets": [{ "name": "KEY", "host": "localhost:9", "header": "authorization" }],
    });
    let (asked, options) = names([("localhost", &["192.168.255.254"])]);
    let call = with_secret(
        asking(granted, "return fetch('http://localhost:9/')"),
        json!(null),
    );
    let seen = keeps(call, options);
    says(&seen, &json!("resolve"), &[]);
    assert_eq!(asked.asked(), ["localhost"]);
}

#[test]
fn a_host_that_is_not_granted_is_sent_nothing_though_a_secret_is_for_it() {
    let server = Server::new(ok(&[], "here"));
    let mut granted = in_header(&server);
    granted["network"]["allowlist"] = json!(["granted.test:443"]);
    let call = with_secret(
        asking(granted, "return fetch(input)"),
        json!(server.url("/")),
    );
    let seen = keeps(call, no_names().1);
    says(
        &seen,
        &json!("network_not_granted"),
        &["network_not_granted"],
    );
    visited(&[(&server, 0)]);
}

#[test]
fn what_the_guest_puts_in_a_secrets_header_is_replaced() {
    let server = Server::new(ok(&[], "here"));
    let body = "return [fetch(input, headers=one) for one in ([('authorization', 'mine')], [('Authorization', 'mine'), ('AUTHORIZATION', 'Bearer x')], [('authorization', '')])]";
    let call = with_secret(asking(in_header(&server), body), json!(server.url("/")));
    keeps(call, no_names().1);
    for request in server.requests() {
        assert_eq!(
            request.to_lowercase().matches("authorization:").count(),
            1,
            "{request}"
        );
        assert!(
            request.contains(&format!("authorization: Bearer {VALUE}\r\n")),
            "{request}"
        );
    }
}

#[test]
fn what_the_guest_puts_in_a_secrets_parameter_is_replaced() {
    let server = Server::new(ok(&[], "here"));
    let body = "return [fetch(input + q) for q in ('?key=mine', '?key=1&key=2&a', '?%6bey=mine', '?k%65y', '?key')]";
    let call = with_secret(asking(in_query(&server), body), json!(server.url("/")));
    keeps(call, no_names().1);
    let sent = percent(VALUE.as_bytes(), false).replace("%7E", "~");
    for request in server.requests() {
        let line = request.lines().next().unwrap();
        assert!(line.contains(&format!("key={sent} HTTP/1.1")), "{line}");
        assert_eq!(
            line.matches("ey=").count() + line.matches("mine").count(),
            1,
            "{line}"
        );
    }
}

#[test]
fn an_error_tells_no_value() {
    // Nobody listens; nobody answers; what answers speaks no HTTP.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let broken = Server::new("what is this?\r\n");
    for port in [nobody, broken.port] {
        let granted = json!({
            "network": { "allowlist": [private(port)] },
            "secrets": [{ "name": "KEY", "host": format!("127.0.0.1:{port}"), "query": "key" }],
        });
        let url = json!(format!("http://127.0.0.1:{port}/"));
        let seen = keeps(with_secret(asking(granted, NOSY), url), no_names().1);
        // It listed `/`, too.
        assert_eq!(codes(&seen), ["file_read_not_granted"]);
    }
}

#[test]
fn a_guest_finds_a_value_in_no_variable_and_no_file() {
    let server = Server::new(ok(&[], "here"));
    let mut granted = in_header(&server);
    granted["env"] = json!(["*"]);
    granted["file_read"] = json!(["/proc/self/**"]);
    let body = "return [t(lambda: os.environ['KEY']), sorted(os.environ), t(read, '/proc/self/environ'), t(read, '/proc/self/mem'), t(read, '/run/secrets/KEY')]";
    let mut call = with_secret(asking(granted, body), json!(null));
    call.environment = BTreeMap::from([("USER".to_owned(), "somebody".to_owned())]);
    let seen = keeps(call, no_names().1);
    assert_eq!(seen.output()[0], "KeyError");
    assert_eq!(seen.output()[2], "EACCES");
    visited(&[(&server, 0)]);
}

#[test]
fn javascript_sees_no_value_either() {
    let server = Server::answering(|request| match request.starts_with("GET /echo") {
        true => ok(&[], request),
        false => ok(&[], "here"),
    });
    let source = format!(
        "export async function run() {{
  const found = [];
  for (const path of ['', 'echo']) {{
    try {{ const r = await fetch('{}' + path, {{ headers: {{ authorization: 'mine' }} }}); found.push(await r.text(), [...r.headers]); }} catch (e) {{ found.push(e.code, String(e), JSON.stringify(e), e.stack); }}
  }}
  console.log(found);
  return found;
}}",
        server.url("/")
    );
    let call = asking_in_javascript(in_header(&server), &source);
    let seen = keeps(with_secret(call, json!(null)), no_names().1);
    assert_eq!(seen.output()[0], "here");
    assert_eq!(codes(&seen), [REFLECTED]);
    for request in server.requests() {
        assert!(
            request.contains(&format!("authorization: Bearer {VALUE}\r\n")),
            "{request}"
        );
    }
}

#[test]
fn a_ceiling_without_the_secret_keeps_it() {
    let server = Server::new(ok(&[], "here"));
    let mut call = with_secret(
        asking(in_header(&server), "return fetch(input)"),
        json!(server.url("/")),
    );
    call.nonce = None;
    let ceiling =
        crate::fixture::grant(json!({ "network": { "allowlist": [private(server.port)] } }));
    let node = crate::fixture::node_with(ceiling, no_names().1);
    let seen = crate::fixture::see_on(&node, call).confirmed();
    says(&seen, &json!([200, "here"]), &[]);
    assert!(!server.requests()[0].contains("authorization"));
}

/// A gzip file of one block that is not compressed.
fn gzip(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1];
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend(content);
    let crc = content.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    });
    file.extend((!crc).to_le_bytes());
    file.extend(u32::from(length).to_le_bytes());
    file
}
