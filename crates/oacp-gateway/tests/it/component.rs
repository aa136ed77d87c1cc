//! Compiled agents: components of the world `agent`, most of them hostile. Each is a few lines of WebAssembly text.

use oacp::blob::Blob;
use oacp::digest::Digest;
use oacp::event::{Event, LogLevel};
use oacp::outcome::Outcome;
use oacp::replay::ReplayVerdict;
use oacp_gateway::{Agent, Call};
use oacp_sandbox::{Compiler, Engine, EngineOptions, Limits, Meter, Progress};
use serde_json::{Value, json};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::fixture::{Seen, call, node, repository, see};

/// What the guests use of WASI, as WASI 0.2 has it.
const WASI: &str = "
package oacp:test;

world guest {
    include oacp:agent/agent@0.1.0;
    import wasi:random/random@0.2.0;
    import wasi:clocks/monotonic-clock@0.2.0;
    import wasi:sockets/instance-network@0.2.0;
    import wasi:sockets/ip-name-lookup@0.2.0;
}

package wasi:random@0.2.0 {
    interface random { get-random-bytes: func(len: u64) -> list<u8>; }
}
package wasi:sockets@0.2.0 {
    interface network { resource network; enum error-code { unknown, access-denied, not-supported, invalid-argument, out-of-memory, timeout, concurrency-conflict, not-in-progress, would-block, invalid-state, new-socket-limit, address-not-bindable, address-in-use, remote-unreachable, connection-refused, connection-reset, connection-aborted, datagram-too-large, name-unresolvable, temporary-resolver-failure, permanent-resolver-failure } }
    interface instance-network { use network.{network}; instance-network: func() -> network; }
    interface ip-name-lookup {
        use network.{network, error-code};
        resource resolve-address-stream;
        resolve-addresses: func(network: borrow<network>, name: string) -> result<resolve-address-stream, error-code>;
    }
}
package wasi:io@0.2.0 {
    interface poll { resource pollable { block: func(); } }
}
package wasi:clocks@0.2.0 {
    interface monotonic-clock {
        use wasi:io/poll@0.2.0.{pollable};
        subscribe-duration: func(when: u64) -> pollable;
    }
}
";

/// Every guest's memory, a bump allocator (alignment 8 serves all), and a function that makes the result `ok(text at ptr, len)`.
const PRELUDE: &str = r#"
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (block $fits
      (br_if $fits (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
      (drop (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1)))))
    (local.get $at))
  (func $ok (param $ptr i32) (param $len i32) (result i32)
    (i32.store (i32.const 0) (i32.const 0))
    (i32.store (i32.const 8) (local.get $ptr))
    (i32.store (i32.const 12) (local.get $len))
    (i32.const 0))
"#;

/// A component around a core module with these imports and this body of `run(ptr, len)`.
fn component(imports: &str, run: &str) -> Vec<u8> {
    let core = format!(
        "(module {imports} {PRELUDE} (func $run (export \"run\") (param $ptr i32) (param $len i32) (result i32) {run}))"
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
    let digest = wasm.digest();
    let program = node()
        .engine()
        .load(digest, || Ok(wasm.to_vec()), &|_| {})
        .unwrap();
    let mut call = call(
        Agent::Component {
            program,
            wasm,
            export: None,
        },
        json!({"n": 1}),
    );
    call.limits = Limits {
        fuel: 100_000_000,
        memory_bytes_max: 64 << 20,
        timeout_ms: 60_000,
    };
    call
}

fn see_component(imports: &str, run: &str) -> Seen {
    see(compiled(component(imports, run)))
}

fn ends(imports: &str, run: &str, outcome: Outcome, says: &str) -> Seen {
    let seen = see_component(imports, run);
    assert_eq!(
        seen.execution.outcome, outcome,
        "{:?}",
        seen.execution.failure
    );
    assert!(
        seen.failure().message.contains(says),
        "{:?}",
        seen.failure()
    );
    match outcome.reexecutable() {
        true => assert!(
            matches!(seen.replay, ReplayVerdict::Confirmed { .. }),
            "{:?}",
            seen.replay
        ),
        false => assert!(
            matches!(seen.replay, ReplayVerdict::Unverifiable { .. }),
            "{:?}",
            seen.replay
        ),
    }
    seen
}

const WAIT: &str =
    r#"(import "oacp:agent/port@0.1.0" "wait" (func $wait (param i32 i32 i32 i64 i32)))"#;
const START: &str = r#"(import "oacp:agent/tools@0.1.0" "start" (func $start (param i32 i32 i32 i32) (result i64)))"#;
const LOG: &str = r#"(import "oacp:agent/log@0.1.0" "log" (func $log (param i32 i32 i32 i32)))"#;
const RANDOM: &str =
    r#"(import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))"#;
const SUBSCRIBE: &str = r#"(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))"#;
const BLOCK: &str =
    r#"(import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#;

#[test]
fn a_component_runs_and_is_confirmed_from_its_bundle_alone() {
    let seen = see_component("", "(call $ok (local.get $ptr) (local.get $len))").confirmed();
    assert_eq!(seen.output(), json!({"n": 1}));
    assert!(seen.verified.component().is_some());
    assert_eq!(
        seen.verified.statement().agent_hash,
        seen.verified.statement().runtime.sha256
    );
}

#[test]
fn an_endless_loop_runs_out_of_fuel() {
    ends(
        "",
        "(loop $again (br $again)) (unreachable)",
        Outcome::OutOfFuel,
        "100000000 fuel",
    );
}

#[test]
fn endless_recursion_exhausts_the_stack_and_is_not_verifiable() {
    ends(
        "",
        "(call $run (local.get $ptr) (local.get $len))",
        Outcome::StackOverflow,
        "stack",
    );
}

#[test]
fn a_trap_is_a_crash() {
    ends("", "(unreachable)", Outcome::Crashed, "crashed");
}

#[test]
fn growing_beyond_the_memory_limit_and_trapping_is_out_of_memory() {
    let run = "(block $refused (loop $again (br_if $refused (i32.eq (memory.grow (i32.const 100)) (i32.const -1))) (br $again))) (unreachable)";
    ends("", run, Outcome::OutOfMemory, "memory");
}

#[test]
fn a_result_outside_of_memory_is_a_crash() {
    ends(
        "",
        "(call $ok (i32.const -64) (i32.const 64))",
        Outcome::Crashed,
        "",
    );
}

#[test]
fn a_result_that_is_not_utf8_is_a_crash() {
    ends(
        "",
        "(i32.store (i32.const 64) (i32.const 0xfffefdfc)) (call $ok (i32.const 64) (i32.const 4))",
        Outcome::Crashed,
        "utf-8",
    );
}

#[test]
fn a_result_that_is_not_json_is_the_agents_failure() {
    ends(
        "",
        "(i32.store (i32.const 64) (i32.const 0x7b7b7b7b)) (call $ok (i32.const 64) (i32.const 4))",
        Outcome::GuestError,
        "not JSON",
    );
}

#[test]
fn a_result_over_the_limit_is_refused() {
    let run = "(drop (memory.grow (i32.const 700))) (call $ok (i32.const 64) (i32.const 41943040))";
    ends("", run, Outcome::GuestError, "limit");
}

#[test]
fn waiting_for_a_call_that_does_not_exist_is_a_crash() {
    let run = "(i64.store (i32.const 64) (i64.const 7)) (call $wait (i32.const 64) (i32.const 1) (i32.const 0) (i64.const 0) (i32.const 128)) (unreachable)";
    ends(WAIT, run, Outcome::Crashed, "call 7, which is not pending");
}

#[test]
fn a_denied_lookup_of_thirty_megabytes_in_a_loop_is_stopped_by_the_timeout() {
    let run = "(local $network i32) (drop (memory.grow (i32.const 500))) (local.set $network (call $network)) (loop $again (call $resolve (local.get $network) (i32.const 64) (i32.const 30000000) (i32.const 32)) (br $again)) (unreachable)";
    let imports = r#"
        (import "wasi:sockets/instance-network@0.2.0" "instance-network" (func $network (result i32)))
        (import "wasi:sockets/ip-name-lookup@0.2.0" "resolve-addresses" (func $resolve (param i32 i32 i32 i32)))"#;
    let mut call = compiled(component(imports, run));
    call.limits.timeout_ms = 300;
    call.limits.fuel = 1 << 50;
    let seen = see(call);
    assert_eq!(
        seen.execution.outcome,
        Outcome::TimedOut,
        "{:?}",
        seen.execution.failure
    );
}

#[test]
fn waiting_for_the_same_call_twice_is_a_crash() {
    let run = "(i32.store (i32.const 64) (i32.const 0x7d7b)) (i64.store (i32.const 72) (call $start (i32.const 60) (i32.const 4) (i32.const 64) (i32.const 2))) (i64.store (i32.const 80) (i64.load (i32.const 72))) (call $wait (i32.const 72) (i32.const 2) (i32.const 0) (i64.const 0) (i32.const 128)) (unreachable)";
    ends(
        &format!("{START} {WAIT}"),
        run,
        Outcome::Crashed,
        "same call twice",
    );
}

#[test]
fn waiting_for_nothing_for_ever_is_a_crash() {
    let run = "(call $wait (i32.const 64) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 128)) (unreachable)";
    ends(WAIT, run, Outcome::Crashed, "for nothing");
}

#[test]
fn a_billion_ids_to_wait_for_are_not_lifted() {
    let run = "(drop (memory.grow (i32.const 900))) (call $wait (i32.const 64) (i32.const 7000000) (i32.const 0) (i64.const 0) (i32.const 32)) (unreachable)";
    ends(WAIT, run, Outcome::GuestError, "limit");
}

#[test]
fn a_loop_around_a_denied_call_reaches_the_limit_of_calls() {
    let run = "(i32.store (i32.const 64) (i32.const 0x7d7b)) (loop $again (drop (call $start (i32.const 60) (i32.const 4) (i32.const 64) (i32.const 2))) (br $again)) (unreachable)";
    let seen = ends(START, run, Outcome::GuestError, "10000 calls");
    assert_eq!(seen.execution.tool_calls, 10_000);
}

#[test]
fn a_tools_name_full_of_control_characters_is_recorded_without_them() {
    let run = "(i32.store (i32.const 64) (i32.const 0x0d1b0a41)) (i32.store (i32.const 72) (i32.const 0x7d7b)) (drop (call $start (i32.const 64) (i32.const 4) (i32.const 72) (i32.const 2))) (call $ok (local.get $ptr) (local.get $len))";
    let seen = see_component(START, run).confirmed();
    assert_eq!(seen.verified.statement().tool_calls[0].tool, "A???");
}

#[test]
fn an_endless_log_reaches_its_limit_and_the_rest_is_refused() {
    let run = "(local $n i32) (loop $again (call $log (i32.const 1) (i32.const 64) (i32.const 60000) (i32.const 32)) (local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if $again (i32.lt_u (local.get $n) (i32.const 100)))) (call $ok (local.get $ptr) (local.get $len))";
    let seen = see_component(LOG, run).confirmed();
    let lines = seen
        .verified
        .events()
        .unwrap()
        .iter()
        .filter(|e| {
            matches!(
                e,
                Event::Log {
                    level: LogLevel::Info,
                    ..
                }
            )
        })
        .count();
    assert_eq!(lines, (1 << 20) / 60_000);
}

#[test]
fn more_events_than_a_recording_may_have_end_the_run_and_its_replay_alike() {
    let run = "(loop $again (call $log (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 32)) (br $again)) (unreachable)";
    let mut call = compiled(component(LOG, run));
    call.limits.fuel = 1_000_000_000;
    let seen = see(call).confirmed();
    assert_eq!(seen.execution.outcome, Outcome::GuestError);
    assert!(
        seen.failure().message.contains("100000 recorded events"),
        "{:?}",
        seen.failure()
    );
}

#[test]
fn more_bytes_than_a_recording_may_have_end_the_run_and_its_replay_alike() {
    let run = "(drop (memory.grow (i32.const 70))) (loop $again (drop (call $start (i32.const 64) (i32.const 4) (i32.const 64) (i32.const 4000000))) (br $again)) (unreachable)";
    let mut call = compiled(component(START, run));
    call.limits.fuel = 1_000_000_000;
    let seen = see(call).confirmed();
    assert_eq!(seen.execution.outcome, Outcome::GuestError);
    assert!(
        seen.failure().message.contains("recorded bytes"),
        "{:?}",
        seen.failure()
    );
}

#[test]
fn four_gigabytes_of_randomness_are_not_served() {
    ends(
        RANDOM,
        "(call $random (i64.const 4294967296) (i32.const 32)) (unreachable)",
        Outcome::Crashed,
        "random bytes",
    );
}

#[test]
fn randomness_costs_fuel() {
    let run = "(loop $again (call $random (i64.const 64) (i32.const 32)) (global.set $next (i32.const 4096)) (br $again)) (unreachable)";
    let mut call = compiled(component(RANDOM, run));
    // Far below the bound on computing, however slow the machine is.
    call.limits.fuel = 2_000_000;
    let seen = see(call);
    assert_eq!(seen.execution.outcome, Outcome::OutOfFuel);
    seen.confirmed();
}

#[test]
fn the_table_of_resources_is_bounded() {
    let run = "(loop $again (drop (call $subscribe (i64.const 1))) (br $again)) (unreachable)";
    ends(SUBSCRIBE, run, Outcome::Crashed, "");
}

#[test]
fn a_component_sleeps_on_its_own_clock_and_the_replay_does_not_wait() {
    let run = "(call $block (call $subscribe (i64.const 300000000))) (call $ok (local.get $ptr) (local.get $len))";
    let seen = see_component(&format!("{SUBSCRIBE} {BLOCK}"), run).confirmed();
    assert!(
        seen.execution.usage.wall.as_millis() >= 300,
        "{:?}",
        seen.execution.usage
    );
}

#[test]
fn a_source_for_a_compiled_agent_and_none_for_a_language_are_refused() {
    let mut call = compiled(component(
        "",
        "(call $ok (local.get $ptr) (local.get $len))",
    ));
    let Agent::Component { program, .. } = call.agent else {
        unreachable!("a component")
    };
    let Agent::Source {
        source,
        program: language,
    } = crate::fixture::agent("agent.py", "")
    else {
        unreachable!("a source")
    };
    call.agent = Agent::Source { program, source };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let refused = |call| {
        runtime
            .block_on(oacp_gateway::execute(
                node(),
                &node().spawn(None).unwrap(),
                call,
            ))
            .unwrap_err()
            .to_string()
    };
    assert!(refused(call).contains("takes no source"));
    let mut call = compiled(component(
        "",
        "(call $ok (local.get $ptr) (local.get $len))",
    ));
    call.agent = Agent::Component {
        program: language,
        wasm: Blob::of(*b""),
        export: None,
    };
    assert!(refused(call).contains("needs a source"));
}

/// A cache of its own: what is loaded, how often it is compiled, and what the directory's files are called.
fn compilations(dir: &std::path::Path, wasm: &[u8]) -> usize {
    let engine = Engine::new(EngineOptions {
        meter: Meter::Fuel,
        cache_dir: Some(dir.to_owned()),
        compiler: Compiler::InProcess,
    })
    .unwrap();
    let count = std::cell::Cell::new(0);
    let progress = |p| {
        if let Progress::Compiling { .. } = p {
            count.set(count.get() + 1);
        }
    };
    engine
        .load(Digest::of(wasm), || Ok(wasm.to_vec()), &progress)
        .unwrap();
    count.get()
}

fn entry(dir: &std::path::Path, extension: &str) -> std::path::PathBuf {
    let files = std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().path());
    files
        .into_iter()
        .find(|f| f.extension().is_some_and(|e| e == extension))
        .unwrap()
}

#[test]
fn a_damaged_or_foreign_entry_of_the_cache_is_compiled_again() {
    let dir = std::env::temp_dir().join(format!("oacp-cache-{}", std::process::id()));
    let wasm = component("", "(call $ok (local.get $ptr) (local.get $len))");
    assert_eq!(compilations(&dir, &wasm), 1);
    assert_eq!(compilations(&dir, &wasm), 0);
    // A flipped bit in the machine code, at several places.
    let file = entry(&dir, "cwasm");
    let whole = std::fs::read(&file).unwrap();
    for at in [0, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(compilations(&dir, &wasm), 1, "byte {at}");
    }
    // Cut short; without its MAC; with another machine's.
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(compilations(&dir, &wasm), 1);
    std::fs::remove_file(entry(&dir, "mac")).unwrap();
    assert_eq!(compilations(&dir, &wasm), 1);
    std::fs::write(entry(&dir, "key"), [9; 32]).unwrap();
    assert_eq!(compilations(&dir, &wasm), 1);
    assert_eq!(compilations(&dir, &wasm), 0);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn bytes_that_do_not_fit_the_digest_are_refused() {
    let wasm = component("", "(unreachable)");
    let error = crate::fixture::engine()
        .load(Digest::of(b"other"), || Ok(wasm), &|_| {})
        .map(|_| ())
        .unwrap_err();
    assert!(error.to_string().contains("expected"), "{error}");
}

#[test]
fn instances_share_nothing() {
    // Adds one to a cell of memory and says what it was: always the same digit, if every run has memory of its own.
    let run = "(i32.store8 (i32.const 64) (i32.add (i32.load8_u (i32.const 64)) (i32.const 48))) (call $ok (i32.const 64) (i32.const 1))";
    let wasm = component("", run);
    let outputs: Vec<Value> = (0..5)
        .map(|_| see(compiled(wasm.clone())).confirmed().output())
        .collect();
    assert_eq!(outputs, vec![json!(0); 5]);
}
