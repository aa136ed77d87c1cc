//! Compiled agents that speak `wasi:http`, against a server on this machine. Each is a few lines of WebAssembly text.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use oacp::blob::Blob;
use oacp::event::Event;
use oacp::outcome::Outcome;
use oacp::replay::ReplayVerdict;
use oacp_egress::Options;
use oacp_gateway::{Agent, Call, Execution};
use oacp_sandbox::Limits;
use serde_json::{Value, json};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::fixture::{attest_on, call, grant, node, node_with, replay, repository, verify};

/// What the guests use of WASI, as WASI 0.2 has it.
const WASI: &str = "
package oacp:test;

world guest {
    include oacp:agent/agent@0.1.0;
    import wasi:io/poll@0.2.0;
    import wasi:io/streams@0.2.0;
    import wasi:http/types@0.2.0;
    import wasi:http/outgoing-handler@0.2.0;
}

package wasi:io@0.2.0 {
    interface poll {
        resource pollable { ready: func() -> bool; block: func(); }
        poll: func(in: list<borrow<pollable>>) -> list<u32>;
    }
    interface error { resource error; }
    interface streams {
        use error.{error};
        variant stream-error { last-operation-failed(error), closed }
        resource input-stream { blocking-read: func(len: u64) -> result<list<u8>, stream-error>; }
        resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; }
    }
}

package wasi:http@0.2.0 {
    interface types {
        use wasi:io/poll@0.2.0.{pollable};
        use wasi:io/streams@0.2.0.{input-stream, output-stream};
        variant method { get, head, post, put, delete, connect, options, trace, patch, other(string) }
        variant scheme { HTTP, HTTPS, other(string) }
        variant header-error { invalid-syntax, forbidden, immutable }
        record DNS-error-payload { rcode: option<string>, info-code: option<u16> }
        record TLS-alert-received-payload { alert-id: option<u8>, alert-message: option<string> }
        record field-size-payload { field-name: option<string>, field-size: option<u32> }
        variant error-code {
            DNS-timeout, DNS-error(DNS-error-payload), destination-not-found, destination-unavailable, destination-IP-prohibited,
            destination-IP-unroutable, connection-refused, connection-terminated, connection-timeout, connection-read-timeout,
            connection-write-timeout, connection-limit-reached, TLS-protocol-error, TLS-certificate-error,
            TLS-alert-received(TLS-alert-received-payload), HTTP-request-denied, HTTP-request-length-required,
            HTTP-request-body-size(option<u64>), HTTP-request-method-invalid, HTTP-request-URI-invalid, HTTP-request-URI-too-long,
            HTTP-request-header-section-size(option<u32>), HTTP-request-header-size(option<field-size-payload>),
            HTTP-request-trailer-section-size(option<u32>), HTTP-request-trailer-size(field-size-payload), HTTP-response-incomplete,
            HTTP-response-header-section-size(option<u32>), HTTP-response-header-size(field-size-payload),
            HTTP-response-body-size(option<u64>), HTTP-response-trailer-section-size(option<u32>),
            HTTP-response-trailer-size(field-size-payload), HTTP-response-transfer-coding(option<string>),
            HTTP-response-content-coding(option<string>), HTTP-response-timeout, HTTP-upgrade-failed, HTTP-protocol-error,
            loop-detected, configuration-error, internal-error(option<string>),
        }
        resource fields {
            constructor();
            append: func(name: string, value: list<u8>) -> result<_, header-error>;
            get: func(name: string) -> list<list<u8>>;
        }
        resource outgoing-request {
            constructor(headers: fields);
            body: func() -> result<outgoing-body>;
            set-method: func(method: method) -> result;
            set-path-with-query: func(path: option<string>) -> result;
            set-scheme: func(scheme: option<scheme>) -> result;
            set-authority: func(authority: option<string>) -> result;
        }
        resource request-options {
            constructor();
            set-connect-timeout: func(duration: option<u64>) -> result;
        }
        resource outgoing-body {
            write: func() -> result<output-stream>;
            finish: static func(this: outgoing-body, trailers: option<fields>) -> result<_, error-code>;
        }
        resource future-incoming-response {
            subscribe: func() -> pollable;
            get: func() -> option<result<result<incoming-response, error-code>>>;
        }
        resource incoming-response {
            status: func() -> u16;
            headers: func() -> fields;
            consume: func() -> result<incoming-body>;
        }
        resource incoming-body { %stream: func() -> result<input-stream>; }
        resource outgoing-response { constructor(headers: fields); }
    }
    interface outgoing-handler {
        use types.{outgoing-request, request-options, future-incoming-response, error-code};
        handle: func(request: outgoing-request, options: option<request-options>) -> result<future-incoming-response, error-code>;
    }
}
";

/// Every guest's imports, memory and functions. `run` follows.
const PRELUDE: &str = r#"
  (import "wasi:io/poll@0.2.0" "poll" (func $poll (param i32 i32 i32)))
  (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.0" "[method]pollable.ready" (func $ready (param i32) (result i32)))
  (import "wasi:io/streams@0.2.0" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.0" "[resource-drop]output-stream" (func $drop_stream (param i32)))
  (import "wasi:http/types@0.2.0" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.0" "[method]fields.append" (func $append (param i32 i32 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]fields.get" (func $get_field (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.0" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-method" (func $set_method (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-scheme" (func $set_scheme (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-authority" (func $set_authority (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-path-with-query" (func $set_path (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[constructor]request-options" (func $options (result i32)))
  (import "wasi:http/types@0.2.0" "[method]request-options.set-connect-timeout" (func $set_timeout (param i32 i32 i64) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-body.write" (func $body_stream (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.0" "[resource-drop]outgoing-body" (func $drop_body (param i32)))
  (import "wasi:http/types@0.2.0" "[method]future-incoming-response.subscribe" (func $subscribe (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]future-incoming-response.get" (func $get (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-response.status" (func $status (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-response.headers" (func $headers (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-response.consume" (func $consume (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-body.stream" (func $stream (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[constructor]outgoing-response" (func $respond (param i32) (result i32)))
  (import "wasi:http/outgoing-handler@0.2.0" "handle" (func $handle (param i32 i32 i32 i32)))

  (memory (export "memory") 2)
  (global $next (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (local.get $at))

  ;; The result is this text.
  (func $ok (param $ptr i32) (param $len i32) (result i32)
    (i32.store (i32.const 0) (i32.const 0))
    (i32.store (i32.const 8) (local.get $ptr))
    (i32.store (i32.const 12) (local.get $len))
    (i32.const 0))

  ;; The result is this number, below 100.
  (func $number (param $n i32) (result i32)
    (i32.store8 (i32.const 32) (i32.add (i32.div_u (local.get $n) (i32.const 10)) (i32.const 48)))
    (i32.store8 (i32.const 33) (i32.add (i32.rem_u (local.get $n) (i32.const 10)) (i32.const 48)))
    (if (result i32) (i32.lt_u (local.get $n) (i32.const 10))
      (then (call $ok (i32.const 33) (i32.const 1)))
      (else (call $ok (i32.const 32) (i32.const 2)))))

  (func $must (param $is i32) (if (i32.eqz (local.get $is)) (then (unreachable))))

  ;; A request to the authority, over HTTP.
  (func $to (param $fields i32) (param $path i32) (param $len i32) (result i32)
    (local $request i32)
    (local.set $request (call $request (local.get $fields)))
    (call $must (i32.eqz (call $set_scheme (local.get $request) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0))))
    (call $must (i32.eqz (call $set_authority (local.get $request) (i32.const 1) (i32.const 1024) (i32.load (i32.const 1020)))))
    (call $must (i32.eqz (call $set_path (local.get $request) (i32.const 1) (local.get $path) (local.get $len))))
    (local.get $request))

  (func $send (param $request i32) (result i32)
    (call $handle (local.get $request) (i32.const 0) (i32.const 0) (i32.const 64))
    (call $must (i32.eqz (i32.load8_u (i32.const 64))))
    (i32.load (i32.const 72)))

  ;; Whether there is a response; it, or the error, is at 152.
  (func $has_response (param $future i32) (result i32)
    (call $get (local.get $future) (i32.const 128))
    (call $must (i32.load8_u (i32.const 128)))
    (call $must (i32.eqz (i32.load8_u (i32.const 136))))
    (i32.eqz (i32.load8_u (i32.const 144))))

  ;; The result is the error's number.
  (func $error (param $future i32) (result i32)
    (call $block (call $subscribe (local.get $future)))
    (call $must (i32.eqz (call $has_response (local.get $future))))
    (call $number (i32.load8_u (i32.const 152))))

  ;; The result is the response's body.
  (func $text_of (param $future i32) (result i32)
    (call $must (call $has_response (local.get $future)))
    (call $must (i32.eq (call $status (i32.load (i32.const 152))) (i32.const 200)))
    (call $get_field (call $headers (i32.load (i32.const 152))) (i32.const 1216) (i32.const 8) (i32.const 208))
    (call $must (i32.eq (i32.load (i32.const 212)) (i32.const 1)))
    (call $consume (i32.load (i32.const 152)) (i32.const 160))
    (call $must (i32.eqz (i32.load8_u (i32.const 160))))
    (call $stream (i32.load (i32.const 164)) (i32.const 168))
    (call $must (i32.eqz (i32.load8_u (i32.const 168))))
    (call $read (i32.load (i32.const 172)) (i64.const 65536) (i32.const 192))
    (call $must (i32.eqz (i32.load8_u (i32.const 192))))
    (call $ok (i32.load (i32.const 196)) (i32.load (i32.const 200))))

  (func $awaited (param $future i32) (result i32)
    (call $block (call $subscribe (local.get $future)))
    (call $text_of (local.get $future)))

  ;; The request's body, at 176, and its stream, at 184.
  (func $take_body (param $request i32)
    (call $body (local.get $request) (i32.const 172))
    (call $must (i32.eqz (i32.load8_u (i32.const 172))))
    (call $body_stream (i32.load (i32.const 176)) (i32.const 180))
    (call $must (i32.eqz (i32.load8_u (i32.const 180)))))

  (func $say (param $ptr i32) (param $len i32)
    (call $write (i32.load (i32.const 184)) (local.get $ptr) (local.get $len) (i32.const 192))
    (call $must (i32.eqz (i32.load8_u (i32.const 192)))))

  (data (i32.const 1200) "/hello?a=b")
  (data (i32.const 1216) "x-answer")
  (data (i32.const 1232) "/echo")
  (data (i32.const 1248) "content-type")
  (data (i32.const 1264) "application/json")
  (data (i32.const 1280) "{\"posted\":1}")
  (data (i32.const 1296) "/slow")
  (data (i32.const 1312) "/fast")
  (data (i32.const 1328) "Host")
"#;

fn component(authority: &str, run: &str) -> Vec<u8> {
    let length = u8::try_from(authority.len()).unwrap();
    let core = format!(
        "(module {PRELUDE} (data (i32.const 1020) \"\\{length:02x}\\00\\00\\00{authority}\") \
         (func $run (export \"run\") (param $ptr i32) (param $len i32) (result i32) (local $a i32) (local $b i32) {run}))"
    );
    let mut core = wat::parse_str(&core).unwrap();
    let mut resolve = Resolve::default();
    resolve.push_dir(repository().join("wit")).unwrap();
    let package = resolve.push_str("guest.wit", WASI).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .module(&core)
        .unwrap()
        .validate(true)
        .encode()
        .unwrap()
}

fn compiled(wasm: Vec<u8>) -> Call {
    let wasm = Blob::of(wasm);
    let program = node()
        .engine()
        .load(wasm.digest(), || Ok(wasm.to_vec()), &|_| {})
        .unwrap();
    let mut call = call(
        Agent::Component {
            program,
            wasm,
            export: None,
        },
        json!(null),
    );
    call.limits = Limits {
        fuel: 100_000_000,
        memory_bytes_max: 64 << 20,
        timeout_ms: 60_000,
    };
    call
}

/// Answers so many requests, and is gone.
struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    running: JoinHandle<()>,
}

impl Server {
    fn start(count: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let both = Arc::new(Barrier::new(2));
        let running = std::thread::spawn(move || {
            let answers: Vec<_> = (0..count)
                .map(|_| {
                    let stream = listener.accept().unwrap().0;
                    let (seen, both) = (seen.clone(), both.clone());
                    std::thread::spawn(move || answer(stream, &seen, &both))
                })
                .collect();
            for answer in answers {
                answer.join().unwrap();
            }
        });
        Self {
            address,
            requests,
            running,
        }
    }

    /// What it was asked, once it is gone.
    fn gone(self) -> Vec<String> {
        self.running.join().unwrap();
        TcpStream::connect(self.address).unwrap_err();
        self.requests.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, seen: &Mutex<Vec<String>>, both: &Barrier) {
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    let (head, length) = loop {
        let count = stream.read(&mut chunk).unwrap();
        assert_ne!(count, 0, "the request ends early");
        request.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8(request.clone()).unwrap();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text[..end]
                .to_ascii_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ").map(str::to_owned));
            break (end + 4, length.map_or(0, |l| l.parse::<usize>().unwrap()));
        }
    };
    while request.len() < head + length {
        let count = stream.read(&mut chunk).unwrap();
        request.extend_from_slice(&chunk[..count]);
    }
    let text = String::from_utf8(request).unwrap();
    seen.lock().unwrap().push(text.clone());
    let body = match text.split(' ').nth(1).unwrap() {
        "/echo" => text[head..].to_owned(),
        "/fast" => {
            both.wait();
            r#""fast""#.to_owned()
        }
        // Both are under way before either is answered, and this one is the later one by far.
        "/slow" => {
            both.wait();
            std::thread::sleep(Duration::from_millis(300));
            r#""slow""#.to_owned()
        }
        _ => r#"{"hello":"world"}"#.to_owned(),
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nx-answer: yes\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
}

/// Runs it under a grant of this one address.
fn run_at(address: SocketAddr, authority: &str, run: &str) -> Execution {
    let mut call = compiled(component(authority, run));
    call.asked = grant(json!({
        "network": { "allowlist": [{ "host": address.to_string(), "private": true }] }
    }));
    attest_on(&node_with(call.asked.clone(), Options::default()), call)
}

/// Runs it, and again from the bundle's bytes alone. Nobody answers by then.
fn run(server: Server, run: &str) -> (Value, Vec<String>, Execution) {
    let execution = run_at(server.address, &server.address.to_string(), run);
    assert_eq!(
        execution.outcome,
        Outcome::Ok,
        "{:?}\n{:?}",
        execution.failure,
        execution.denials
    );
    let asked = server.gone();
    confirm(&execution);
    let output = serde_json::from_slice(&execution.output).unwrap();
    (output, asked, execution)
}

fn confirm(execution: &Execution) {
    let verdict = replay(&verify(&execution.bundle.to_bytes()));
    assert!(
        matches!(verdict, ReplayVerdict::Confirmed { .. }),
        "{verdict:?}"
    );
}

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

const GET: &str = "(call $send (call $to (call $fields) (i32.const 1200) (i32.const 10)))";

#[test]
fn a_get_is_answered_and_confirmed_with_the_server_gone() {
    let (output, asked, _) = run(Server::start(1), &format!("(call $awaited {GET})"));
    assert_eq!(output, json!({"hello": "world"}));
    assert!(
        asked[0].starts_with("GET /hello?a=b HTTP/1.1\r\n"),
        "{asked:?}"
    );
}

#[test]
fn a_post_is_sent_once_its_body_is_finished() {
    let post = "
        (local.set $a (call $fields))
        (call $append (local.get $a) (i32.const 1248) (i32.const 12) (i32.const 1264) (i32.const 16) (i32.const 64))
        (call $must (i32.eqz (i32.load8_u (i32.const 64))))
        (local.set $a (call $to (local.get $a) (i32.const 1232) (i32.const 5)))
        (call $must (i32.eqz (call $set_method (local.get $a) (i32.const 2) (i32.const 0) (i32.const 0))))
        (call $take_body (local.get $a))
        (local.set $a (call $send (local.get $a)))
        (call $say (i32.const 1280) (i32.const 7))
        (call $say (i32.const 1287) (i32.const 5))
        (call $drop_stream (i32.load (i32.const 184)))
        (call $finish (i32.load (i32.const 176)) (i32.const 0) (i32.const 0) (i32.const 64))
        (call $must (i32.eqz (i32.load8_u (i32.const 64))))
        (call $awaited (local.get $a))";
    let (output, asked, execution) = run(Server::start(1), post);
    assert_eq!(output, json!({"posted": 1}));
    assert!(asked[0].starts_with("POST /echo HTTP/1.1\r\n"), "{asked:?}");
    assert!(
        asked[0]
            .to_ascii_lowercase()
            .contains("content-type: application/json"),
        "{asked:?}"
    );
    let verified = verify(&execution.bundle.to_bytes());
    let requests = verified.events().unwrap();
    let is_post =
        |event: &&Event| matches!(event, Event::HttpRequest { method, .. } if method == "POST");
    assert_eq!(requests.iter().filter(is_post).count(), 1);
}

#[test]
fn of_two_requests_under_way_the_poll_reports_the_one_that_is_answered() {
    let both = "
        (local.set $a (call $send (call $to (call $fields) (i32.const 1296) (i32.const 5))))
        (local.set $b (call $send (call $to (call $fields) (i32.const 1312) (i32.const 5))))
        (i32.store (i32.const 256) (call $subscribe (local.get $a)))
        (i32.store (i32.const 260) (call $subscribe (local.get $b)))
        (call $poll (i32.const 256) (i32.const 2) (i32.const 264))
        (call $must (i32.eq (i32.load (i32.const 268)) (i32.const 1)))
        (call $must (i32.eq (i32.load (i32.load (i32.const 264))) (i32.const 1)))
        (drop (call $text_of (local.get $b)))
        (call $awaited (local.get $a))";
    let (output, asked, _) = run(Server::start(2), both);
    assert_eq!(output, json!("slow"));
    assert_eq!(asked.len(), 2);
}

#[test]
fn a_guest_that_asks_in_a_loop_whether_the_response_is_there_gets_it() {
    let spin = format!(
        "(local.set $a {GET})
         (local.set $b (call $subscribe (local.get $a)))
         (loop $again (br_if $again (i32.eqz (call $ready (local.get $b)))))
         (call $text_of (local.get $a))"
    );
    let (output, ..) = run(Server::start(1), &spin);
    assert_eq!(output, json!({"hello": "world"}));
}

#[test]
fn a_host_that_is_not_granted_is_denied_and_listed() {
    let execution = run_at(
        nobody(),
        "denied.example:80",
        &format!("(call $error {GET})"),
    );
    assert_eq!(execution.outcome, Outcome::Ok, "{:?}", execution.failure);
    assert_eq!(execution.output, b"15", "HTTP-request-denied");
    assert_eq!(execution.denials.len(), 1);
    assert_eq!(execution.denials[0].code, "network_not_granted");
    assert!(
        execution.denials[0].asked.contains("denied.example"),
        "{:?}",
        execution.denials
    );
    confirm(&execution);
}

#[test]
fn where_nobody_listens_the_connection_is_refused() {
    let address = nobody();
    let execution = run_at(
        address,
        &address.to_string(),
        &format!("(call $error {GET})"),
    );
    assert_eq!(execution.output, b"6", "connection-refused");
    confirm(&execution);
}

#[test]
fn a_body_that_is_given_up_is_not_sent() {
    let give_up = "
        (local.set $a (call $to (call $fields) (i32.const 1232) (i32.const 5)))
        (call $take_body (local.get $a))
        (local.set $a (call $send (local.get $a)))
        (call $say (i32.const 1280) (i32.const 7))
        (call $drop_stream (i32.load (i32.const 184)))
        (call $drop_body (i32.load (i32.const 176)))
        (call $error (local.get $a))";
    let address = nobody();
    let execution = run_at(address, &address.to_string(), give_up);
    assert_eq!(execution.output, b"35", "HTTP-protocol-error");
    confirm(&execution);
    let verified = verify(&execution.bundle.to_bytes());
    let is_request = |event: &Event| matches!(event, Event::HttpRequest { .. });
    assert!(!verified.events().unwrap().iter().any(is_request));
}

#[test]
fn waiting_for_the_response_to_an_unfinished_request_is_a_crash() {
    let wait = "
        (local.set $a (call $to (call $fields) (i32.const 1232) (i32.const 5)))
        (call $take_body (local.get $a))
        (call $awaited (call $send (local.get $a)))";
    let address = nobody();
    let execution = run_at(address, &address.to_string(), wait);
    assert_eq!(execution.outcome, Outcome::Crashed);
    let failure = execution.failure.unwrap();
    assert!(
        failure.message.contains("body it has not finished"),
        "{failure:?}"
    );
}

#[test]
fn the_host_header_and_timeouts_are_not_the_guests_to_set() {
    let try_both = "
        (call $append (call $fields) (i32.const 1328) (i32.const 4) (i32.const 1264) (i32.const 1) (i32.const 64))
        (call $must (i32.load8_u (i32.const 64)))
        (call $number (i32.add
          (i32.mul (i32.const 10) (call $set_timeout (call $options) (i32.const 1) (i64.const 5)))
          (i32.load8_u (i32.const 65))))";
    let address = nobody();
    let execution = run_at(address, &address.to_string(), try_both);
    assert_eq!(execution.output, b"11", "an error, and forbidden");
    confirm(&execution);
}

#[test]
fn a_response_of_an_agent_goes_nowhere() {
    let address = nobody();
    let execution = run_at(
        address,
        &address.to_string(),
        "(call $number (i32.ne (call $respond (call $fields)) (i32.const 0)))",
    );
    // It can be made; there is nobody to send it to.
    assert_eq!(execution.outcome, Outcome::Ok);
    confirm(&execution);
}
