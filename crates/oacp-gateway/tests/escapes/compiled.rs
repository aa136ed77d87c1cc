//! Agents compiled to components, each a few lines of WebAssembly text.

use oacp::blob::Blob;
use oacp_gateway::{Agent, Call};
use oacp_sandbox::Limits;
use serde_json::json;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::fixture::{call, node, repository};

/// What each has: a memory, an allocator, and a result that is one digit.
const PRELUDE: &str = r#"
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  ;; The result is `1` if the number is zero, and `0` if not.
  (func $is_zero (param $n i32) (result i32)
    (i32.store (i32.const 0) (i32.const 0))
    (i32.store8 (i32.const 64) (i32.add (i32.const 48) (i32.eqz (local.get $n))))
    (i32.store (i32.const 8) (i32.const 64))
    (i32.store (i32.const 12) (i32.const 1))
    (i32.const 0))
"#;

/// A call of a component with these imports, for which `wit` has the interfaces and the world `guest`, these functions, and this body of
/// `run(ptr, len)`.
pub fn compiled(wit: &str, imports: &str, functions: &str, run: &str) -> Call {
    let core = format!(
        "(module {imports} {PRELUDE} {functions} (func $run (export \"run\") (param $ptr i32) (param $len i32) (result i32) {run}))"
    );
    let mut core = wat::parse_str(&core).unwrap();
    let mut resolve = Resolve::default();
    resolve.push_dir(repository().join("wit")).unwrap();
    let package = resolve.push_str("guest.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).unwrap();
    let wasm = ComponentEncoder::default()
        .module(&core)
        .unwrap()
        .validate(true)
        .encode()
        .unwrap();
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
        fuel: 1_000_000_000,
        memory_bytes_max: 64 << 20,
        timeout_ms: 60_000,
    };
    call
}
