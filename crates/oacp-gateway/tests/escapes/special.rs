//! Only regular files and directories: what reads with an effect, never ends, or is made up by the kernel, stays the host's.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use oacp::outcome::Outcome;
use serde_json::json;

use crate::fixture::see_granted;
use crate::ground::{Ground, codes, escapes, says};

const SPECIAL: &str = "file_special";
const OUTSIDE: &str = "file_outside";
const PROC: &str = r#"{"file_read": ["/proc/"], "file_write": ["/proc/"]}"#;
const DEV: &str = r#"{"file_read": ["/dev/"], "file_write": ["/dev/"]}"#;
const OPEN: &str = "def at(path, flags=os.O_RDONLY):\n    return os.read(os.open(path, flags), 64).decode('latin-1')\n";

escapes! {
    the_hosts_environment_in_proc_is_not_read: PROC,
        &format!("{OPEN}return t(at, '/proc/self/environ')") => "EACCES", [SPECIAL];
    what_the_kernel_says_of_this_process_is_not_read: PROC,
        &format!("{OPEN}return [t(at, '/proc/self/' + n) for n in ('cmdline', 'maps', 'mem', 'status', 'mountinfo', 'auxv')] == ['EACCES'] * 6") => true,
        [SPECIAL, SPECIAL, SPECIAL, SPECIAL, SPECIAL, SPECIAL];
    what_the_kernel_says_of_this_machine_is_not_read: PROC,
        &format!("{OPEN}return [t(at, '/proc/' + n) for n in ('version', 'cpuinfo', 'meminfo', 'uptime', 'net/tcp')] == ['EACCES'] * 5") => true,
        [SPECIAL, SPECIAL, SPECIAL, SPECIAL, SPECIAL];
    the_kernels_settings_are_not_written: PROC,
        &format!("{OPEN}return [t(os.open, '/proc/' + n, os.O_WRONLY) for n in ('sys/kernel/core_pattern', 'self/oom_score_adj', 'self/comm')] == ['EACCES'] * 3") => true,
        [SPECIAL, SPECIAL, SPECIAL];
    a_magic_link_leads_nowhere: r#"{"file_read": ["/**"]}"#,
        &format!("{OPEN}return [t(at, p) for p in ('/proc/self/root@/outside/secret.txt', '/proc/self/cwd/Cargo.toml', '/proc/self/exe', '/proc/self/fd/0')] == ['EACCES'] * 4") => true,
        [OUTSIDE, OUTSIDE, OUTSIDE, OUTSIDE];
    the_devices_are_not_read: DEV,
        &format!("{OPEN}return [t(at, '/dev/' + n) for n in ('zero', 'random', 'urandom', 'full')]") => ["EACCES", "EACCES", "EACCES", "EACCES"],
        [SPECIAL, SPECIAL, SPECIAL, SPECIAL];
    the_devices_are_not_written: DEV,
        "return [t(os.open, '/dev/' + n, os.O_WRONLY) for n in ('null', 'full', 'zero')]" => ["EACCES", "EACCES", "EACCES"],
        [SPECIAL, SPECIAL, SPECIAL];
    a_terminal_and_memory_are_not_opened: DEV,
        &format!("{OPEN}return 'EACCES' in {{t(at, '/dev/tty')}} | {{t(at, '/dev/ptmx')}}") => true, [SPECIAL, SPECIAL];
    what_the_kernel_says_of_devices_is_not_read: r#"{"file_read": ["/sys/"]}"#,
        &format!("{OPEN}return t(at, '/sys/kernel/mm/transparent_hugepage/enabled') in ('EACCES', 'ENOENT')") => true, [SPECIAL];
    a_directory_is_not_read_as_a_file: r#"{"file_read": ["@/in/"]}"#,
        "return [t(read, '@/in/sub'), t(read, '@/in'), t(lambda: os.open('@/in/sub', os.O_WRONLY))]" => ["EISDIR", "EISDIR", "EISDIR"], [];
    a_file_is_no_directory: r#"{"file_read": ["@/in/"]}"#,
        "return [t(os.listdir, '@/in/a.txt'), t(read, '@/in/a.txt/'), t(read, '@/in/a.txt/x')]" => ["ENOTDIR", "ENOTDIR", "ENOENT"], [];
}

#[test]
fn the_devices_are_not_listed() {
    let body = "found = t(os.listdir, '/dev')\nreturn [n for n in found if n in ('null', 'zero', 'random', 'tty', 'mem')]";
    let seen = Ground::new().tries(DEV, body);
    assert_eq!(seen.output(), json!([]));
    // Whether the directory itself is the kernel's own differs from machine to machine.
    assert!(codes(&seen).iter().all(|code| *code == SPECIAL));
}

fn fifo(ground: &Ground, name: &str) {
    let made = Command::new("mkfifo").arg(ground.at(name)).status();
    assert!(made.unwrap().success());
}

#[test]
fn a_fifo_is_not_waited_for() {
    let ground = Ground::new();
    fifo(&ground, "both/fifo");
    let body = "return [t(read, '@/both/fifo'), t(write, '@/both/fifo', 'x'), t(write, '@/both/fifo', 'x', 'a'), t(os.stat, '@/both/fifo'), 'fifo' in os.listdir('@/both')]";
    let granted = r#"{"file_read": ["@/both/"], "file_write": ["@/both/"]}"#;
    let seen = ground.tries(granted, body);
    says(
        &seen,
        &json!(["EACCES", "EACCES", "EACCES", "EACCES", false]),
        &[SPECIAL; 4],
    );
}

#[test]
fn a_link_to_a_fifo_is_not_waited_for() {
    let ground = Ground::new();
    fifo(&ground, "both/fifo");
    ground.link("both/link", "fifo");
    let granted = r#"{"file_read": ["@/both/"], "file_write": ["@/both/"]}"#;
    let seen = ground.tries(granted, "return t(read, '@/both/link')");
    says(&seen, &json!("EACCES"), &[SPECIAL]);
}

#[test]
fn a_unix_socket_is_not_spoken_to() {
    let ground = Ground::new();
    // A socket's path has at most about a hundred bytes: this one is short, and leads there.
    let directory = tempfile::tempdir().unwrap();
    let short = directory.path().join("d");
    symlink(ground.at("both"), &short).unwrap();
    let listener = UnixListener::bind(short.join("socket")).unwrap();
    listener.set_nonblocking(true).unwrap();
    let body = "import socket
def connect():
    s = socket.socket(getattr(socket, 'AF_UNIX', 1))
    s.connect('@/both/socket')
return [t(read, '@/both/socket'), t(write, '@/both/socket', 'x'), t(connect) is not None, 'socket' in os.listdir('@/both')]";
    let granted = r#"{"file_read": ["@/both/"], "file_write": ["@/both/"]}"#;
    let seen = ground.tries(granted, body);
    says(
        &seen,
        &json!(["EACCES", "EACCES", true, false]),
        &[SPECIAL, SPECIAL],
    );
    assert!(listener.accept().is_err(), "somebody has connected");
}

fn wal(ground: &Ground) {
    let mut header = b"SQLite format 3\0\x10\x00\x02\x02".to_vec();
    header.resize(4096, 0);
    ground.put("both/base.db", header);
}

const BOTH: &str = r#"{"file_read": ["@/both/"], "file_write": ["@/both/"]}"#;

#[test]
fn a_database_in_wal_mode_is_refused() {
    let ground = Ground::new();
    wal(&ground);
    let seen = ground.tries(BOTH, "return t(lambda: open('@/both/base.db', 'rb'))");
    says(&seen, &json!("EACCES"), &["file_wal_database"]);
}

#[test]
fn a_database_in_wal_mode_is_refused_each_time() {
    let ground = Ground::new();
    wal(&ground);
    let body = "return [t(lambda: len(open('@/both/base.db', 'rb').read())) for _ in range(3)] + [t(lambda: len(open('@/both/base.db', 'r+b').read()))]";
    let seen = ground.tries(BOTH, body);
    says(
        &seen,
        &json!(["EACCES", "EACCES", "EACCES", "EACCES"]),
        &["file_wal_database"; 4],
    );
}

#[test]
fn a_denial_of_a_special_file_ends_a_run_that_does_not_catch_it() {
    let ground = Ground::new();
    fifo(&ground, "in/fifo");
    let call = ground.call(r#"{"file_read": ["@/in/"]}"#, "return read('@/in/fifo')");
    let seen = see_granted(call).confirmed();
    assert_eq!(seen.execution.outcome, Outcome::Denied);
    assert_eq!(codes(&seen), [SPECIAL]);
}
