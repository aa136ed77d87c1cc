//! Whatever a guest does without end has an end, with an outcome, and in bounded memory.

use std::fs;

use oacp::event::Event;
use oacp::outcome::Outcome;
use oacp_gateway::Call;
use serde_json::json;

use crate::compiled::compiled;
use crate::fixture::{Seen, attest_on, node_with, see_granted};
use crate::ground::{Ground, NONE, READ, codes, escapes, says};
use crate::server::{Server, asking, no_names, ok, private, see_with};

const NO_READ: &str = "file_read_not_granted";

escapes! {
    a_path_without_end_is_refused: READ,
        "return [t(os.stat, '@/in/' + 'a' * n) for n in (256, 5000, 1 << 20)] + [t(os.stat, '@/in' + '/a' * (1 << 19)), os.path.isdir('@/in' + '/./' * (1 << 18))]"
        => ["EINVAL", "EINVAL", "EINVAL", "EINVAL", true], [];
    no_more_files_are_open_than_a_run_may_have: READ,
        "fds = []\nwhile True:\n    fd = t(os.open, '@/in/a.txt', os.O_RDONLY)\n    if isinstance(fd, str):\n        break\n    fds.append(fd)\nfor one in fds:\n    os.close(one)\nreturn [fd, len(fds) <= 256, read('@/in/a.txt')]"
        => ["ENOSPC", true, "granted"], [];
    opening_and_closing_without_end_leaves_nothing_open: READ,
        "for _ in range(3000):\n    os.close(os.open('@/in/a.txt', os.O_RDONLY))\n    t(os.open, '@/in/none', os.O_RDONLY)\nreturn read('@/in/a.txt')" => "granted", [];
    listing_without_end_leaves_nothing_open: READ,
        "for _ in range(1000):\n    os.listdir('@/in')\n    os.listdir('/tmp')\nreturn read('@/in/a.txt')" => "granted", [];
    listing_the_root_without_end_leaves_nothing_open: READ,
        "for _ in range(1000):\n    os.listdir('/')\nreturn read('@/in/a.txt')" => "granted", [];
    a_file_in_memory_does_not_grow_without_end: NONE,
        "def grow():\n    with open('/tmp/x', 'wb') as f:\n        for _ in range(64):\n            f.write(bytes(1 << 20))\nreturn [t(grow), os.stat('/tmp/x').st_size <= 32 << 20]" => ["EIO", true], [];
    files_in_memory_do_not_grow_without_end: NONE,
        "def grow(n):\n    with open(f'/tmp/{n}', 'wb') as f:\n        for _ in range(30):\n            f.write(bytes(1 << 20))\nsaid = [t(grow, n) for n in range(6)]\nreturn [said[0], said[-1], sum(os.stat(f'/tmp/{n}').st_size for n in range(6) if os.path.exists(f'/tmp/{n}')) <= 128 << 20]" => [null, "EIO", true], [];
    a_hole_in_a_file_counts_as_its_bytes: NONE,
        "fd = os.open('/tmp/x', os.O_RDWR | os.O_CREAT)\nsaid = [t(os.ftruncate, fd, n) for n in (33 << 20, 1 << 40, (1 << 63) - 1)] + [t(os.pwrite, fd, b'x', n) for n in (33 << 20, 1 << 40, (1 << 62))]\nreturn [set(said) <= {'ENOSPC', 'EFBIG', 'EINVAL'}, os.fstat(fd).st_size]" => [true, 0], [];
    a_socket_or_a_clock_is_no_way_to_take_the_hosts_memory: NONE,
        "import selectors, time\nfor _ in range(5000):\n    time.sleep(0)\nreturn 'done'" => "done", [];
}

/// Ends by itself, with this outcome and these words.
#[track_caller]
fn ends(call: Call, outcome: Outcome, says: &str) -> Seen {
    let seen = see_granted(call).confirmed();
    let message = seen
        .execution
        .failure
        .as_ref()
        .map(|failure| failure.message.clone());
    assert_eq!(seen.execution.outcome, outcome, "{message:?}");
    assert!(
        message.clone().unwrap_or_default().contains(says),
        "{message:?}"
    );
    seen
}

#[test]
fn denials_without_end_end_the_run() {
    let ground = Ground::new();
    let call = ground.call(
        READ,
        "n = 0\nwhile True:\n    n += 1\n    t(os.stat, f'@/outside/{n}')",
    );
    let seen = ends(call, Outcome::GuestError, "limit of 10000 calls");
    assert_eq!(codes(&seen).len(), 10_000);
}

#[test]
fn denied_variables_without_end_end_the_run() {
    let call = asking(
        json!({}),
        "n = 0\nwhile True:\n    n += 1\n    os.environ.get(f'N{n}')",
    );
    ends(call, Outcome::GuestError, "limit of 10000 calls");
}

#[test]
fn denied_requests_without_end_end_the_run() {
    let call = asking(json!({}), "while True:\n    fetch('http://a.test/')");
    ends(call, Outcome::GuestError, "limit of 10000 calls");
}

#[test]
fn looking_for_names_without_end_ends_the_run() {
    let ground = Ground::new();
    let call = ground.call(
        READ,
        "n = 0\nwhile True:\n    n += 1\n    t(os.stat, f'@/in/{n}')",
    );
    ends(call, Outcome::GuestError, "limit of 20000 files");
}

#[test]
fn looking_for_names_in_tmp_without_end_ends_the_run() {
    let ground = Ground::new();
    // Far from without end, so that it ends as well where nothing stops it.
    let body = "for n in range(40_000):\n    t(os.stat, f'/tmp/{n}')\nreturn 'nothing stopped it'";
    ends(ground.call(NONE, body), Outcome::GuestError, "limit");
}

#[test]
fn making_files_in_tmp_without_end_is_refused() {
    let ground = Ground::new();
    let body = "for n in range(40_000):\n    said = t(lambda: os.close(os.open(f'/tmp/{n}', os.O_CREAT | os.O_WRONLY)))\n    if said:\n        raise OSError(said + ' at the limit')\nreturn 'nothing stopped it'";
    ends(ground.call(NONE, body), Outcome::GuestError, "limit");
}

#[test]
fn a_directory_of_many_names_is_listed_in_part() {
    let ground = Ground::new();
    for n in 0..10_100 {
        ground.put(&format!("in/many/{n}"), "");
    }
    let seen = ground.tries(READ, "return len(os.listdir('@/in/many'))");
    says(&seen, &json!(10_000), &[]);
}

const FILESYSTEM: &str = "
package oacp:test;

world guest {
    include oacp:agent/agent@0.1.0;
    import wasi:filesystem/types@0.2.0;
    import wasi:filesystem/preopens@0.2.0;
}

package wasi:filesystem@0.2.0 {
    interface types {
        enum error-code { access, would-block, already, bad-descriptor, busy, deadlock, quota, exist, file-too-large, illegal-byte-sequence, in-progress,
            interrupted, invalid, io, is-directory, loop, too-many-links, message-size, name-too-long, no-device, no-entry, no-lock, insufficient-memory,
            insufficient-space, not-directory, not-empty, not-recoverable, unsupported, no-tty, no-such-device, overflow, not-permitted, pipe, read-only,
            invalid-seek, text-file-busy, cross-device }
        flags path-flags { symlink-follow }
        flags open-flags { create, directory, exclusive, truncate }
        flags descriptor-flags { read, write, file-integrity-sync, data-integrity-sync, requested-write-sync, mutate-directory }
        resource directory-entry-stream;
        resource descriptor {
            open-at: func(path-flags: path-flags, path: string, open-flags: open-flags, %flags: descriptor-flags) -> result<descriptor, error-code>;
            read-directory: func() -> result<directory-entry-stream, error-code>;
        }
    }
    interface preopens {
        use types.{descriptor};
        get-directories: func() -> list<tuple<descriptor, string>>;
    }
}";

/// Each listing that is open is a copy of its own: many of them must not be many times a directory's names in the host's memory.
#[test]
fn listings_that_stay_open_do_not_take_the_hosts_memory() {
    if !is_alone("resources::listings_that_stay_open_do_not_take_the_hosts_memory") {
        return;
    }
    let ground = Ground::new();
    let name = "n".repeat(200);
    for n in 0..5_000 {
        ground.put(&format!("in/many/{name}{n}"), "");
    }
    let path = ground.at("in/many");
    let imports = r#"
  (import "wasi:filesystem/preopens@0.2.0" "get-directories" (func $directories (param i32)))
  (import "wasi:filesystem/types@0.2.0" "[method]descriptor.open-at" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
  (import "wasi:filesystem/types@0.2.0" "[method]descriptor.read-directory" (func $list (param i32 i32)))"#;
    let functions = format!("(data (i32.const 1024) \"{path}\")");
    // A thousand listings; the result is how the first ended.
    let run = format!(
        "(local $n i32) (local $first i32)
  (call $directories (i32.const 64))
  (call $open (i32.load (i32.load (i32.const 64))) (i32.const 0) (i32.const 1024) (i32.const {}) (i32.const 2) (i32.const 1) (i32.const 80))
  (if (i32.load8_u (i32.const 80)) (then (unreachable)))
  (local.set $n (i32.const 1000))
  (loop $again
    (call $list (i32.load (i32.const 84)) (i32.const 96))
    (if (i32.eq (local.get $n) (i32.const 1000)) (then (local.set $first (i32.load8_u (i32.const 96)))))
    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
    (br_if $again (local.get $n)))
  (call $is_zero (local.get $first))",
        path.len()
    );
    let mut call = compiled(FILESYSTEM, imports, &functions, &run);
    call.asked = crate::fixture::grant(serde_json::from_str(&ground.text(READ)).unwrap());
    let before = peak_bytes();
    let seen = see_granted(call);
    let taken = peak_bytes() - before;
    // It may be refused more, or be ended; not have it all.
    assert!(
        seen.execution.outcome != Outcome::Ok || seen.output() == json!(1),
        "{}",
        seen.output()
    );
    assert!(taken < 256 << 20, "{} MiB", taken >> 20);
}

/// Whether this process runs this case alone, so that its memory tells of that case. If not, one that does is started, and has to succeed.
fn is_alone(case: &str) -> bool {
    const ALONE: &str = "ESCAPES_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", case])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
    false
}

/// The most bytes of memory that this process has had.
fn peak_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.unwrap_or(0) << 10
}

#[test]
fn a_file_over_the_limit_is_not_read() {
    let ground = Ground::new();
    let file = fs::File::create(ground.at("in/large")).unwrap();
    file.set_len(33 << 20).unwrap();
    let seen = ground.tries(
        READ,
        "return [t(read, '@/in/large'), os.stat('@/in/large').st_size]",
    );
    says(&seen, &json!(["EFBIG", 33 << 20]), &[]);
}

#[test]
fn files_beyond_what_a_recording_may_have_are_not_read() {
    let ground = Ground::new();
    for n in 0..5 {
        let file = fs::File::create(ground.at(&format!("in/{n}"))).unwrap();
        file.set_len(15 << 20).unwrap();
    }
    let body = "return [t(lambda: len(open(f'@/in/{n}', 'rb').read())) for n in range(5)]";
    let seen = see_granted(ground.call(READ, body)).confirmed();
    let full = 15 << 20;
    says(&seen, &json!([full, full, full, full, "EFBIG"]), &[]);
}

#[test]
fn a_million_looks_at_one_file_are_one_event() {
    let ground = Ground::new();
    let body = "for _ in range(20_000):\n    os.stat('@/in/a.txt')\n    os.path.exists('@/in/none')\nreturn read('@/in/a.txt')";
    let seen = ground.tries(READ, body);
    says(&seen, &json!("granted"), &[]);
    assert!(seen.execution.events < 20, "{}", seen.execution.events);
}

#[test]
fn host_calls_without_end_run_out_of_fuel() {
    let ground = Ground::new();
    let mut call = ground.call(READ, "while True:\n    t(os.stat, '@/in/a.txt')");
    call.limits.fuel = 2_000_000_000;
    ends(call, Outcome::OutOfFuel, "fuel");
}

#[test]
fn waiting_without_end_is_stopped() {
    let body = "from wit_world.imports import port, tools as t
id = t.start('slow', '{\"ms\": 3600000}')
while True:
    port.wait([id], 0)";
    let mut call = asking(json!({ "tools": ["slow"] }), body);
    call.limits.fuel = 2_000_000_000_000;
    // Each waits a moment for real: the time is spent before the events are.
    call.limits.timeout_ms = 1_500;
    let seen = see_granted(call);
    assert_eq!(seen.execution.outcome, Outcome::TimedOut);
    assert!(seen.execution.events <= 100_000);
}

#[test]
fn waiting_for_more_calls_than_there_are_is_a_crash() {
    let body = "from wit_world.imports import port\nport.wait(list(range(1_000_000)), 0)";
    let seen = see_granted(asking(json!({}), body));
    assert!(
        matches!(
            seen.execution.outcome,
            Outcome::Crashed | Outcome::GuestError | Outcome::OutOfFuel
        ),
        "{:?}",
        seen.execution.failure
    );
}

#[test]
fn a_log_without_end_is_cut_and_the_run_goes_on() {
    let body = "for _ in range(100):\n    t(oacp.log.info, 'x' * 60_000)\n    t(print, 'y' * 60_000)\nreturn 'done'";
    let seen = see_granted(asking(json!({}), body)).confirmed();
    assert_eq!(
        seen.execution.outcome,
        Outcome::Ok,
        "{:?}",
        seen.execution.failure
    );
    let bytes: usize = seen
        .verified
        .events()
        .unwrap()
        .iter()
        .map(|event| match event {
            Event::Log { message, .. } => message.len(),
            _ => 0,
        })
        .sum();
    assert!(bytes <= 1 << 20, "{bytes}");
}

#[test]
fn small_log_lines_without_end_end_the_run() {
    let mut call = asking(json!({}), "while True:\n    oacp.log.info('x')");
    call.limits.fuel = 2_000_000_000_000;
    ends(call, Outcome::GuestError, "limit of 100000 recorded events");
}

#[test]
fn requests_that_nobody_waits_for_are_bounded() {
    let server = Server::new(ok(&[], "here"));
    let body = "from wit_world.imports import http, port
from componentize_py_types import Err
ids = [http.start(http.Request('GET', input, [], b'')) for _ in range(400)]
found = []
for _ in ids:
    outcome = port.wait(ids, None)
    ids = [id for id in ids if id != outcome.call]
    found.append(outcome.outcome.value.code if isinstance(outcome.outcome, Err) else 'ok')
return [found.count('ok'), found.count('limit')]";
    let mut call = asking(
        json!({ "network": { "allowlist": [private(server.port)] } }),
        body,
    );
    call.input = json!(server.url("/")).to_string();
    let seen = see_with(call, no_names().1);
    says(&seen, &json!([256, 144]), &[]);
    assert_eq!(server.requests().len(), 256);
}

#[test]
fn recursion_without_end_is_an_error_or_the_end() {
    let body =
        "def f(n):\n    return [f(n + 1)]\nimport sys\nsys.setrecursionlimit(1 << 30)\nreturn f(0)";
    let seen = see_granted(asking(json!({}), body));
    assert!(
        matches!(
            seen.execution.outcome,
            Outcome::GuestError | Outcome::StackOverflow | Outcome::OutOfMemory | Outcome::Crashed
        ),
        "{:?}",
        seen.execution.failure
    );
}

#[test]
fn memory_without_end_is_refused() {
    let mut call = asking(
        json!({}),
        "kept = []\nwhile True:\n    kept.append(bytearray(1 << 20))",
    );
    call.limits.memory_bytes_max = 128 << 20;
    let seen = see_granted(call).confirmed();
    assert_eq!(seen.execution.outcome, Outcome::OutOfMemory);
    assert!(seen.execution.usage.memory_bytes_peak <= 128 << 20);
}

#[test]
fn an_error_without_end_is_cut() {
    let seen = see_granted(asking(json!({}), "raise ValueError('x' * (8 << 20))")).confirmed();
    assert_eq!(seen.execution.outcome, Outcome::GuestError);
    assert!(seen.failure().message.len() <= 8 << 10);
    assert!(seen.failure().trace.len() <= 64 << 10);
}

#[test]
fn a_result_over_the_limit_is_refused() {
    let call = asking(json!({}), "return 'x' * (17 << 20)");
    ends(call, Outcome::GuestError, "limit");
}

#[test]
fn no_clock_tells_how_long_the_host_took_for_a_file() {
    let ground = Ground::new();
    let file = fs::File::create(ground.at("in/large")).unwrap();
    file.set_len(1 << 20).unwrap();
    // The same number of readings of the clock on either side of a file of seven bytes and one of a million, of one that is denied and one
    // that is not there.
    let body = "import time
def took(path):
    begun = time.perf_counter_ns()
    fd = t(os.open, path, os.O_RDONLY)
    ended = time.perf_counter_ns()
    return ended - begun
return [took(p) for p in ('@/in/a.txt', '@/in/large', '@/outside/secret.txt', '@/outside/none', '@/in/none')]";
    let seen = ground.tries(READ, body);
    says(
        &seen,
        &json!([1000, 1000, 1000, 1000, 1000]),
        &[NO_READ, NO_READ],
    );
}

#[test]
fn no_clock_tells_how_long_a_refusal_took() {
    // One that is refused before any name is looked up, and one after.
    let body = "import time
def took(url):
    begun = time.perf_counter_ns()
    said = fetch(url)
    return [said, time.perf_counter_ns() - begun]
return [took('http://not-granted.test/'), took('http://also-not.test/'), took('ftp://x/')]";
    let seen = see_granted(asking(
        json!({ "network": { "allowlist": ["a.test"] } }),
        body,
    ))
    .confirmed();
    let advances: Vec<u64> = seen
        .verified
        .events()
        .unwrap()
        .iter()
        .filter_map(|event| match event {
            Event::Completion {
                clock_advance_ns, ..
            } => Some(*clock_advance_ns),
            _ => None,
        })
        .collect();
    let said = seen.output();
    assert_eq!(advances.len(), 3);
    for (one, advance) in said.as_array().unwrap().iter().zip(advances) {
        // What is recorded, and not a nanosecond of anything else.
        assert_eq!(one[1].as_u64().unwrap(), advance + 1000);
    }
}

#[test]
fn the_wall_clock_begins_where_the_recording_says() {
    let seen = see_granted(asking(json!({}), "import time\nreturn [int(time.time()), time.time_ns() % 1_000_000_000 < 1_000_000_000, time.localtime().tm_gmtoff]")).confirmed();
    assert_eq!(seen.output()[0], 1_700_000_000);
    assert_eq!(seen.output()[2], 0);
}

/// How long a recording is in which a guest does this with four thousand names of as many bytes. A control character is six in JSON.
fn recorded(granted: &str, path: &str) -> usize {
    let ground = Ground::new();
    let body = format!(
        "path = '{path}' + '/'.join(['\\x01' * 250] * 15)\nfor n in range(4000):\n    t(os.stat, f'{{path}}/{{n}}')"
    );
    let call = ground.call(granted, &body);
    let node = node_with(call.asked.clone(), oacp_egress::Options::default());
    // Verified and re-executed it would take half a minute.
    attest_on(&node, call).bundle.to_bytes().len()
}

/// What a recording may have, in base64, and some more.
const RECORDED_BYTES_MAX: usize = 96 << 20;

#[test]
fn long_names_in_denials_are_bounded_together() {
    let bytes = recorded(NONE, "/");
    assert!(bytes < RECORDED_BYTES_MAX, "{} MiB", bytes >> 20);
}

#[test]
fn long_names_that_are_looked_for_are_bounded_together() {
    let bytes = recorded(READ, "@/in/");
    assert!(bytes < RECORDED_BYTES_MAX, "{} MiB", bytes >> 20);
}

#[test]
fn replies_that_nobody_waits_for_do_not_take_the_hosts_memory() {
    if !is_alone("resources::replies_that_nobody_waits_for_do_not_take_the_hosts_memory") {
        return;
    }
    let server = Server::new(ok(&[], "x".repeat(15 << 20)));
    // All are answered before the last is; only that one is asked for.
    let body = "from wit_world.imports import http, port
ids = [http.start(http.Request('GET', input, [], b'')) for _ in range(48)]
port.wait([ids[-1]], None)
return 'done'";
    let mut call = asking(
        json!({ "network": { "allowlist": [private(server.port)] } }),
        body,
    );
    call.input = json!(server.url("/")).to_string();
    call.limits.memory_bytes_max = 256 << 20;
    // Loaded beforehand.
    see_granted(asking(json!({}), "return 1"));
    let before = peak_bytes();
    let seen = see_with(call, no_names().1);
    let taken = peak_bytes() - before;
    assert_eq!(seen.output(), "done");
    assert!(taken < 512 << 20, "{} MiB", taken >> 20);
}
