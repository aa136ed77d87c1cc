//! What components import: every version of WASI 0.2, and what OACP does not have.

use oacp::event::{Event, LogLevel};
use oacp::outcome::Outcome;
use oacp_sandbox::ProgramError;

use crate::fixture::{component, job, load, see};

/// A guest that uses a little of each package of WASI at `version`.
fn wit(version: &str) -> String {
    format!(
        "
package a:b;
world guest {{
    import wasi:clocks/monotonic-clock@{version};
    import wasi:clocks/wall-clock@{version};
    import wasi:random/random@{version};
    import wasi:random/insecure@{version};
    import wasi:random/insecure-seed@{version};
    import wasi:cli/environment@{version};
    import wasi:cli/stdout@{version};
    import wasi:filesystem/preopens@{version};
    import wasi:sockets/instance-network@{version};
    import wasi:http/types@{version};
    import wasi:http/outgoing-handler@{version};
    export f: func() -> u64;
}}
package wasi:io@{version} {{
    interface error {{ resource error {{ to-debug-string: func() -> string; }} }}
    interface poll {{ resource pollable {{ ready: func() -> bool; block: func(); }} poll: func(in: list<borrow<pollable>>) -> list<u32>; }}
    interface streams {{ use error.{{error}}; use poll.{{pollable}}; variant stream-error {{ last-operation-failed(error), closed }} resource output-stream {{ check-write: func() -> result<u64, stream-error>; subscribe: func() -> pollable; }} }}
}}
package wasi:clocks@{version} {{
    interface monotonic-clock {{ use wasi:io/poll@{version}.{{pollable}}; type instant = u64; now: func() -> instant; subscribe-duration: func(when: u64) -> pollable; }}
    interface wall-clock {{ record datetime {{ seconds: u64, nanoseconds: u32 }} now: func() -> datetime; }}
}}
package wasi:random@{version} {{
    interface random {{ get-random-u64: func() -> u64; }}
    interface insecure {{ get-insecure-random-u64: func() -> u64; }}
    interface insecure-seed {{ insecure-seed: func() -> tuple<u64, u64>; }}
}}
package wasi:cli@{version} {{
    interface environment {{ get-environment: func() -> list<tuple<string, string>>; get-arguments: func() -> list<string>; }}
    interface stdout {{ use wasi:io/streams@{version}.{{output-stream}}; get-stdout: func() -> output-stream; }}
}}
package wasi:filesystem@{version} {{
    interface types {{ resource descriptor {{ }} }}
    interface preopens {{ use types.{{descriptor}}; get-directories: func() -> list<tuple<descriptor, string>>; }}
}}
package wasi:sockets@{version} {{
    interface network {{ resource network; }}
    interface instance-network {{ use network.{{network}}; instance-network: func() -> network; }}
}}
package wasi:http@{version} {{
    interface types {{
        resource fields {{ constructor(); }}
        resource outgoing-request {{ constructor(headers: fields); }}
    }}
    interface outgoing-handler {{ use types.{{outgoing-request}}; }}
}}
"
    )
}

#[test]
fn every_version_of_wasi_is_linked() {
    for version in [
        "0.2.0", "0.2.1", "0.2.3", "0.2.6", "0.2.8", "0.2.10", "0.2.12", "0.2.13",
    ] {
        let imports = format!(
            r#"
            (import "wasi:clocks/monotonic-clock@{version}" "now" (func $now (result i64)))
            (import "wasi:clocks/wall-clock@{version}" "now" (func $wall (param i32)))
            (import "wasi:random/random@{version}" "get-random-u64" (func $random (result i64)))
            (import "wasi:random/insecure@{version}" "get-insecure-random-u64" (func $insecure (result i64)))
            (import "wasi:random/insecure-seed@{version}" "insecure-seed" (func $seed (param i32)))
            (import "wasi:cli/environment@{version}" "get-environment" (func $environment (param i32)))
            (import "wasi:cli/environment@{version}" "get-arguments" (func $arguments (param i32)))
            (import "wasi:cli/stdout@{version}" "get-stdout" (func $stdout (result i32)))
            (import "wasi:io/streams@{version}" "[method]output-stream.check-write" (func $check (param i32 i32)))
            (import "wasi:filesystem/preopens@{version}" "get-directories" (func $directories (param i32)))
            (import "wasi:sockets/instance-network@{version}" "instance-network" (func $network (result i32)))
            (import "wasi:http/types@{version}" "[constructor]fields" (func $fields (result i32)))
            (import "wasi:http/types@{version}" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
            "#
        );
        let core = r#"
          (func (export "f") (result i64)
            (call $wall (i32.const 64)) (call $seed (i32.const 64))
            (call $environment (i32.const 64)) (call $arguments (i32.const 64)) (call $directories (i32.const 64))
            (call $check (call $stdout) (i32.const 64))
            (drop (call $request (call $fields)))
            (drop (call $network))
            (i64.xor (i64.xor (call $now) (call $random)) (call $insecure)))
        "#;
        let wasm = component(&wit(version), &imports, core);
        let program = load(&wasm).unwrap_or_else(|e| panic!("{version}: {e}"));
        let seen = see(&wasm, job(&program, "#f", "{}")).confirmed();
        assert_eq!(
            seen.run.outcome,
            Outcome::Ok,
            "{version}: {:?}",
            seen.run.failure
        );
    }
}

#[test]
fn what_oacp_does_not_have_is_named_with_what_to_do() {
    for (interface, says) in [
        ("wasi:keyvalue/store@0.2.0-draft", "in a file"),
        ("wasi:config/store@0.2.0-draft", "environment variable"),
        (
            "wasi:io/poll@0.3.0",
            "build it for a release of WASI 0.2, not 0.3.0",
        ),
        (
            "wasi:cli/stdout@0.2.0-rc-2023-12-05",
            "not 0.2.0-rc-2023-12-05",
        ),
        ("wasi:random/random@0.2.0", "WASI 0.2.0 to 0.2.12"),
        ("acme:database/query@1.0.0", "wac plug"),
    ] {
        let (package, rest) = interface.split_once('/').unwrap();
        let (name, version) = rest.split_once('@').unwrap();
        let wit = format!(
            "package a:b; world guest {{ import {interface}; export f: func(); }} package {package}@{version} {{ interface {name} {{ what-is-this: func() -> u32; }} }}"
        );
        let imports = format!(r#"(import "{interface}" "what-is-this" (func $it (result i32)))"#);
        let wasm = component(&wit, &imports, r#"(func (export "f") (drop (call $it)))"#);
        match load(&wasm).err().unwrap() {
            ProgramError::Import { name, instead } => {
                assert_eq!(name, interface);
                assert!(instead.contains(says), "{interface}: {instead}");
            }
            other => panic!("{interface}: {other:?}"),
        }
    }
    let wit = "package a:b; world guest { import fetch: func() -> u32; export f: func(); }";
    let imports = r#"(import "$root" "fetch" (func $it (result i32)))"#;
    let wasm = component(wit, imports, r#"(func (export "f") (drop (call $it)))"#);
    let error = load(&wasm).err().unwrap();
    assert!(
        matches!(&error, ProgramError::Import { name, .. } if name == "fetch"),
        "{error}"
    );
}

#[test]
fn an_interface_of_types_alone_needs_no_host() {
    let wit = "package a:b; interface names { record name { first: string } } world guest { use names.{name}; export f: func(n: name) -> string; }";
    let core = r#"(func (export "f") (param i32 i32) (result i32)
        (i32.store (i32.const 64) (local.get 0)) (i32.store (i32.const 68) (local.get 1)) (i32.const 64))"#;
    let wasm = component(wit, "", core);
    let program = load(&wasm).unwrap();
    let seen = see(&wasm, job(&program, "#f", r#"{"n":{"first":"Ada"}}"#)).confirmed();
    assert_eq!(seen.output(), "Ada");
}

#[test]
fn the_asynchronous_component_model_is_named() {
    let wasm = wat::parse_str(
        r#"(component (type $s (stream u8)) (type $f (func (result $s))) (import "f" (func (type $f))) (export "g" (func 0)))"#,
    )
    .unwrap();
    let error = load(&wasm).err().unwrap();
    assert!(matches!(error, ProgramError::Asynchronous), "{error:?}");
}

#[test]
fn what_is_no_component_says_what_it_is() {
    for (bytes, says) in [
        (wat::parse_str("(module)").unwrap(), "a core module"),
        (b"(component)".to_vec(), "not WebAssembly"),
        (Vec::new(), "empty"),
        (b"\0asm\x0c\0\x01\0".to_vec(), "another version"),
    ] {
        let error = load(&bytes).err().unwrap();
        assert!(error.to_string().contains(says), "{error}");
    }
    let error = load(b"\0asm\x0d\0\x01\0\xff\xff").err().unwrap();
    assert!(matches!(error, ProgramError::Compile(_)), "{error:?}");
}

#[test]
fn lines_of_wasi_logging_are_in_the_log() {
    for name in ["wasi:logging/logging", "wasi:logging/logging@0.1.0-draft"] {
        let (package, version) = match name.split_once('@') {
            Some((_, version)) => (format!("wasi:logging@{version}"), format!("@{version}")),
            None => ("wasi:logging".to_owned(), String::new()),
        };
        let wit = format!(
            "package a:b; world guest {{ import wasi:logging/logging{version}; export f: func(); }} package {package} {{ interface logging {{ enum level {{ trace, debug, info, warn, error, critical }} log: func(level: level, context: string, message: string); }} }}"
        );
        let imports = format!(r#"(import "{name}" "log" (func $log (param i32 i32 i32 i32 i32)))"#);
        let core = r#"(data (i32.const 64) "dbslow")
          (func (export "f")
            (call $log (i32.const 3) (i32.const 64) (i32.const 2) (i32.const 66) (i32.const 4))
            (call $log (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 66) (i32.const 4)))"#;
        let wasm = component(&wit, &imports, core);
        let program = load(&wasm).unwrap_or_else(|e| panic!("{name}: {e}"));
        let seen = see(&wasm, job(&program, "#f", "{}")).confirmed();
        assert_eq!(seen.output(), serde_json::Value::Null);
        let [
            _,
            Event::Log { level, message },
            Event::Log { message: other, .. },
        ] = &seen.events()[..]
        else {
            panic!("{:?}", seen.events())
        };
        assert_eq!(
            (*level, message.as_str(), other.as_str()),
            (LogLevel::Warning, "db: slow", "slow")
        );
    }
}
