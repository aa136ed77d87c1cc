//! Servers (`wasi:http/incoming-handler`) as tools.

use oacp::outcome::Outcome;
use serde_json::json;

use crate::fixture::{component, job, load, see};

const WIT: &str = "
package a:b;
world guest { import wasi:http/types@0.2.3; export wasi:http/incoming-handler@0.2.3; }
package wasi:io@0.2.3 {
    interface error { resource error; }
    interface poll { resource pollable; }
    interface streams {
        use error.{error};
        variant stream-error { last-operation-failed(error), closed }
        resource input-stream { blocking-read: func(len: u64) -> result<list<u8>, stream-error>; }
        resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; }
    }
}
package wasi:http@0.2.3 {
    interface types {
        use wasi:io/streams@0.2.3.{input-stream, output-stream};
        resource fields { constructor(); }
        resource incoming-body { %stream: func() -> result<input-stream>; }
        resource incoming-request { path-with-query: func() -> option<string>; consume: func() -> result<incoming-body>; }
        resource outgoing-body { write: func() -> result<output-stream>; }
        resource outgoing-response { constructor(headers: fields); set-status-code: func(status-code: u16) -> result; body: func() -> result<outgoing-body>; }
        resource response-outparam;
    }
    interface incoming-handler { use types.{incoming-request, response-outparam}; handle: func(request: incoming-request, response-out: response-outparam); }
}
";

const HANDLE: &str = "wasi:http/incoming-handler@0.2.3#handle";

const IMPORTS: &str = r#"
  (import "wasi:http/types@0.2.3" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.3" "[method]incoming-request.path-with-query" (func $path (param i32 i32)))
  (import "wasi:http/types@0.2.3" "[method]incoming-request.consume" (func $consume (param i32 i32)))
  (import "wasi:http/types@0.2.3" "[method]incoming-body.stream" (func $input (param i32 i32)))
  (import "wasi:http/types@0.2.3" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
  (import "wasi:http/types@0.2.3" "[method]outgoing-response.set-status-code" (func $status (param i32 i32) (result i32)))
  (import "wasi:http/types@0.2.3" "[method]outgoing-response.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.3" "[method]outgoing-body.write" (func $output (param i32 i32)))
  (import "wasi:http/types@0.2.3" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.3" "[static]response-outparam.set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.3" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.3" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.3" "[resource-drop]output-stream" (func $drop-output (param i32)))
"#;

/// The error codes of `wasi:http` 0.2, whose payloads make the core signature of `set`.
const ERROR_CODE: &str = "
        record DNS-error-payload { rcode: option<string>, info-code: option<u16> }
        record TLS-alert-received-payload { alert-id: option<u8>, alert-message: option<string> }
        record field-size-payload { field-name: option<string>, field-size: option<u32> }
        variant error-code {
            DNS-timeout, DNS-error(DNS-error-payload), destination-not-found, destination-unavailable,
            destination-IP-prohibited, destination-IP-unroutable, connection-refused, connection-terminated,
            connection-timeout, connection-read-timeout, connection-write-timeout, connection-limit-reached,
            TLS-protocol-error, TLS-certificate-error, TLS-alert-received(TLS-alert-received-payload),
            HTTP-request-denied, HTTP-request-length-required, HTTP-request-body-size(option<u64>),
            HTTP-request-method-invalid, HTTP-request-URI-invalid, HTTP-request-URI-too-long,
            HTTP-request-header-section-size(option<u32>), HTTP-request-header-size(option<field-size-payload>),
            HTTP-request-trailer-section-size(option<u32>), HTTP-request-trailer-size(field-size-payload),
            HTTP-response-incomplete, HTTP-response-header-section-size(option<u32>),
            HTTP-response-header-size(field-size-payload), HTTP-response-body-size(option<u64>),
            HTTP-response-trailer-section-size(option<u32>), HTTP-response-trailer-size(field-size-payload),
            HTTP-response-transfer-coding(option<string>), HTTP-response-content-coding(option<string>),
            HTTP-response-timeout, HTTP-upgrade-failed, HTTP-protocol-error, loop-detected, configuration-error,
            internal-error(option<string>),
        }";

/// What a handler does with its request and where the response goes: `$request`, `$out`.
fn server(body: &str) -> Vec<u8> {
    let finish = "finish: static func(this: outgoing-body, trailers: option<fields>) -> result<_, error-code>;";
    let set = "set: static func(param: response-outparam, response: result<outgoing-response, error-code>);";
    let wit = WIT
        .replace(
            "resource fields {",
            &format!("{ERROR_CODE} resource fields {{"),
        )
        .replace(
            "write: func() -> result<output-stream>;",
            &format!("write: func() -> result<output-stream>; {finish}"),
        )
        .replace(
            "resource response-outparam;",
            &format!("resource response-outparam {{ {set} }}"),
        );
    let core = format!(
        r#"(func (export "{HANDLE}") (param $request i32) (param $out i32)
             (local $response i32) (local $outgoing i32) (local $stream i32) {body})"#
    );
    component(&wit, IMPORTS, &core)
}

const RESPOND: &str = r#"
  (local.set $response (call $response (call $fields)))
  (drop (call $status (local.get $response) (i32.const 404)))
  (call $body (local.get $response) (i32.const 64))
  (local.set $outgoing (i32.load (i32.const 68)))
  (call $output (local.get $outgoing) (i32.const 64))
  (local.set $stream (i32.load (i32.const 68)))
"#;

const SET: &str = r#"(call $set (local.get $out) (i32.const 0) (local.get $response) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))"#;

const FINISH: &str = r#"
  (call $drop-output (local.get $stream))
  (call $finish (local.get $outgoing) (i32.const 0) (i32.const 0) (i32.const 128))
"#;

/// Writes the request's path, then its body.
const ECHO: &str = r#"
  (call $path (local.get $request) (i32.const 80))
  (call $write (local.get $stream) (i32.load (i32.const 84)) (i32.load (i32.const 88)) (i32.const 128))
  (call $consume (local.get $request) (i32.const 64))
  (call $input (i32.load (i32.const 68)) (i32.const 64))
  (call $read (i32.load (i32.const 68)) (i64.const 1000) (i32.const 96))
  (if (i32.eqz (i32.load8_u (i32.const 96)))
    (then (call $write (local.get $stream) (i32.load (i32.const 100)) (i32.load (i32.const 104)) (i32.const 128))))
"#;

#[test]
fn a_server_is_one_tool_that_answers_one_request() {
    let wasm = server(&format!("{RESPOND} {SET} {ECHO} {FINISH}"));
    let program = load(&wasm).unwrap();
    assert_eq!(program.exports().len(), 1);
    let input = r#"{"method":"POST","path":"/a?b","headers":[["x-y","z"]],"body":" and more"}"#;
    let seen = see(&wasm, job(&program, HANDLE, input)).confirmed();
    assert_eq!(
        seen.output(),
        json!({"status": 404, "headers": [], "body": "/a?b and more"})
    );
    let seen = see(
        &wasm,
        job(&program, HANDLE, r#"{"body":{"base64":"/w=="}}"#),
    )
    .confirmed();
    assert_eq!(seen.output()["body"], json!({"base64": "L/8="}));
    let seen = see(&wasm, job(&program, HANDLE, "{}")).confirmed();
    assert_eq!(seen.output()["body"], "/");
}

#[test]
fn no_response_or_half_of_one_is_the_components_failure() {
    for (body, says) in [
        (String::new(), "gave no response"),
        (format!("{RESPOND} {SET} {ECHO}"), "did not finish its response's body"),
        (
            "(call $set (local.get $out) (i32.const 1) (i32.const 36) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))".to_owned(),
            "failed to respond",
        ),
    ] {
        let wasm = server(&body);
        let program = load(&wasm).unwrap();
        let seen = see(&wasm, job(&program, HANDLE, "{}")).confirmed();
        assert_eq!(seen.run.outcome, Outcome::GuestError, "{says}");
        assert!(seen.message().contains(says), "{}", seen.message());
    }
}

#[test]
fn what_is_no_request_is_refused() {
    let wasm = server("");
    let program = load(&wasm).unwrap();
    for (input, says) in [
        (r#"{"method":"GET /"}"#, "no method"),
        (r#"{"path":"a"}"#, "begins with `/`"),
        (r#"{"path":"/ HTTP/1.1"}"#, "no path"),
        (r#"{"headers":[["a b","c"]]}"#, "no header"),
        (r#"{"headers":[["a","b\nc"]]}"#, "no header"),
        (r#"{"body":{"base64":"?"}}"#, "not base64"),
        (r#"{"body":1}"#, "did not match"),
        (r#"{"url":"/"}"#, "unknown field"),
    ] {
        let seen = see(&wasm, job(&program, HANDLE, input)).confirmed();
        assert!(seen.message().starts_with("bad_arguments: "), "{input}");
        assert!(seen.message().contains(says), "{input}: {}", seen.message());
    }
}
