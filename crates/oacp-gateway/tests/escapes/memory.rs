//! Nothing of a run is left for the next one, in the same process and the same engine.

use oacp::outcome::Outcome;
use serde_json::{Value, json};

use crate::compiled::compiled;
use crate::fixture::{Seen, agent, call, see};
use crate::server::asking;

/// What a guest needs: no more than every guest has.
const WIT: &str = "package oacp:test; world guest { include oacp:agent/agent@0.1.0; }";

/// `$fill` writes a marker all over the memory, and `$count` counts what is not zero; the marker is computed, so that it is in memory only where it
/// was written.
const FUNCTIONS: &str = r#"
  (table 4 10 funcref)
  (global $kept (mut i64) (i64.const 0))
  (func $marker (result i64) (i64.add (i64.const 0x4d41524b45523130) (i64.extend_i32_u (memory.size))))
  (func $end (result i32) (i32.mul (memory.size) (i32.const 65536)))
  (func $fill
    (local $at i32)
    (local.set $at (i32.const 65536))
    (loop $again
      (i64.store (local.get $at) (call $marker))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $again (i32.lt_u (local.get $at) (call $end)))))
  ;; How many words are not zero, from the second page on.
  (func $count (result i32)
    (local $at i32) (local $found i32)
    (local.set $at (i32.const 65536))
    (loop $again
      (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (local.set $found (i32.add (local.get $found) (i32.const 1)))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $again (i32.lt_u (local.get $at) (call $end))))
    (local.get $found))
"#;

/// Runs this in 32 MiB of memory.
fn run(body: &str) -> Seen {
    let body = format!("(local $found i32) (drop (memory.grow (i32.const 511))) {body}");
    see(compiled(WIT, "", FUNCTIONS, &body))
}

/// Whatever was left there; then it is filled again.
const LOOK_AND_FILL: &str = "(local.set $found (call $count)) (call $fill) (local.set $found (i32.add (local.get $found) (i64.ne (global.get $kept) (i64.const 0)))) (global.set $kept (call $marker)) (call $is_zero (local.get $found))";

fn finds_nothing(seen: &Seen) {
    assert_eq!(
        seen.execution.outcome,
        Outcome::Ok,
        "{:?}",
        seen.execution.failure
    );
    assert_eq!(seen.output(), json!(1), "something was left in memory");
}

/// RUSTSEC-2026-0088.
#[test]
fn memory_that_one_instance_filled_is_zero_in_the_next() {
    for _ in 0..4 {
        finds_nothing(&run(LOOK_AND_FILL).confirmed());
    }
}

#[test]
fn memory_that_a_crashed_instance_filled_is_zero_in_the_next() {
    for end in [
        "(unreachable)",
        "(loop $for_ever (br $for_ever)) (unreachable)",
    ] {
        let crashed = run(&format!("(call $fill) {end}"));
        assert!(crashed.execution.failure.is_some());
        finds_nothing(&run(LOOK_AND_FILL).confirmed());
    }
}

#[test]
fn memory_that_an_instance_at_its_limit_filled_is_zero_in_the_next() {
    let over = "(call $fill) (drop (memory.grow (i32.const 60000))) (unreachable)";
    assert_eq!(run(over).execution.outcome, Outcome::OutOfMemory);
    finds_nothing(&run(LOOK_AND_FILL).confirmed());
}

#[test]
fn memory_of_an_instance_that_runs_at_the_same_time_is_not_seen() {
    let runs: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| run(LOOK_AND_FILL).confirmed()))
            .collect();
        threads.into_iter().map(|one| one.join().unwrap()).collect()
    });
    runs.iter().for_each(finds_nothing);
}

#[test]
fn a_table_that_one_instance_grew_is_as_it_was_in_the_next() {
    for _ in 0..3 {
        let body =
            "(call $is_zero (i32.ne (table.grow (ref.null func) (i32.const 6)) (i32.const 4)))";
        finds_nothing(&run(body).confirmed());
    }
}

fn python(body: &str) -> Value {
    see(asking(json!({}), body)).confirmed().output()
}

#[test]
fn what_python_keeps_in_its_modules_is_gone_in_the_next_run() {
    let body = "import builtins, sys, json, types
found = [hasattr(builtins, 'marker'), hasattr(json, 'marker'), 'marker' in sys.modules, os.environ.get('LC_MARKER'), os.getcwd(), os.path.exists('/tmp/marker'), hasattr(oacp, 'marker')]
builtins.marker = json.marker = oacp.marker = True
sys.modules['marker'] = types.ModuleType('marker')
os.environ['LC_MARKER'] = 'x'
write('/tmp/marker', 'x')
json.dumps = builtins.open = oacp.tools.call = None
return found";
    let expected = json!([false, false, false, null, "/project", false, false]);
    for _ in 0..3 {
        assert_eq!(python(body), expected);
    }
}

#[test]
fn what_python_leaves_in_its_heap_is_gone_in_the_next_run() {
    let fill = "global kept\nkept = [('LEFT' + 'OVER') * 1000 + str(n) for n in range(2000)]\nreturn len(kept)";
    let look = "import gc\nmark = 'LEFT' + 'OVER'\nreturn sum(isinstance(o, list) and any(isinstance(s, str) and s.count(mark) > 1 for s in o) for o in gc.get_objects())";
    assert_eq!(python(fill), json!(2000));
    assert_eq!(python(look), json!(0));
}

#[test]
fn what_javascript_keeps_in_its_globals_is_gone_in_the_next_run() {
    let source = "import { tools } from 'oacp';
export function run() {
  const found = [globalThis.marker ?? null, Array.prototype.marker ?? null, typeof JSON.parse, typeof tools.call];
  globalThis.marker = Array.prototype.marker = true;
  JSON.parse = null;
  return found;
}";
    for _ in 0..3 {
        let seen = see(call(agent("agent.js", source), json!(null))).confirmed();
        assert_eq!(seen.output(), json!([null, null, "function", "function"]));
    }
}
