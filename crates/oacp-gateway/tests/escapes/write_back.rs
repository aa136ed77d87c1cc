//! What a run wrote is carried out when it has ended well, whole, and only where the host is as the guest saw it.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::{Arc, Mutex};

use oacp::outcome::Outcome;
use serde_json::json;

use crate::fixture::{Seen, see_granted};
use crate::ground::{ALL, Ground, WRITE, codes, holds_no_secret, with_tool, writes};

/// Runs `body`, with a tool `change` that gets the ground's root. What that leaves is what is there in the end.
fn changing(
    ground: &Ground,
    granted: &str,
    body: &str,
    change: impl Fn(&str) + Send + Sync + 'static,
) -> Seen {
    let mut call = ground.call(granted, body);
    let root = ground.at("").trim_end_matches('/').to_owned();
    let left = Arc::new(Mutex::new(None));
    let leaves = left.clone();
    with_tool(&mut call, "change", move |_| {
        change(&root);
        *leaves.lock().unwrap() = Some(Ground::tree(&root));
    });
    let seen = ground.changes(call);
    let left = left.lock().unwrap().take().expect("the tool was called");
    assert_eq!(ground.everything(), left, "the run has changed the disk");
    seen
}

macro_rules! conflicts {
    ($($name:ident: $grant:expr, $body:expr, $change:expr => [$($write:expr),*];)*) => {$(
        #[test]
        fn $name() {
            let seen = changing(&Ground::new(), $grant, $body, $change);
            assert_eq!(writes(&seen), [$($write),*]);
            assert_eq!(seen.execution.outcome, Outcome::Ok);
        }
    )*};
}

conflicts! {
    a_file_that_somebody_changed_keeps_that_change: WRITE,
        "write('@/out/old.txt', 'mine')\ntools.call('change')",
        |root: &str| fs::write(format!("{root}/out/old.txt"), "theirs").unwrap() => ["old.txt Replaced Conflict"];
    a_file_that_somebody_changed_to_the_same_length_keeps_that_change: ALL,
        "read('@/both/c.txt')\nwrite('@/both/c.txt', 'mine')\ntools.call('change')",
        |root: &str| fs::write(format!("{root}/both/c.txt"), "OLD").unwrap() => ["c.txt Replaced Conflict"];
    a_file_that_somebody_made_is_not_replaced: WRITE,
        "write('@/out/new.txt', 'mine')\ntools.call('change')",
        |root: &str| fs::write(format!("{root}/out/new.txt"), "theirs").unwrap() => ["new.txt Created Conflict"];
    a_file_that_somebody_removed_is_not_made_again: WRITE,
        "write('@/out/old.txt', 'mine')\ntools.call('change')",
        |root: &str| fs::remove_file(format!("{root}/out/old.txt")).unwrap() => ["old.txt Replaced Conflict"];
    a_file_that_somebody_changed_is_not_removed: WRITE,
        "os.unlink('@/out/old.txt')\ntools.call('change')",
        |root: &str| fs::write(format!("{root}/out/old.txt"), "theirs").unwrap() => ["old.txt Removed Conflict"];
    what_became_a_link_to_outside_is_not_written_through: WRITE,
        "write('@/out/old.txt', 'mine')\ntools.call('change')",
        |root: &str| {
            // Of the same content, so that only where it lies tells it from what it was.
            fs::write(format!("{root}/outside/same"), "what was there").unwrap();
            fs::remove_file(format!("{root}/out/old.txt")).unwrap();
            symlink("../outside/same", format!("{root}/out/old.txt")).unwrap();
        } => ["old.txt Replaced Conflict"];
    what_became_a_link_to_what_may_only_be_read_is_not_written_through: ALL,
        "write('@/both/c.txt', 'mine')\ntools.call('change')",
        |root: &str| {
            fs::write(format!("{root}/in/same"), "old").unwrap();
            fs::remove_file(format!("{root}/both/c.txt")).unwrap();
            symlink("../in/same", format!("{root}/both/c.txt")).unwrap();
        } => ["c.txt Replaced Conflict"];
    where_a_link_was_put_nothing_is_made: WRITE,
        "write('@/out/new.txt', 'mine')\ntools.call('change')",
        |root: &str| symlink("../outside/new.txt", format!("{root}/out/new.txt")).unwrap() => ["new.txt Created Conflict"];
    a_directory_that_became_a_link_is_not_written_through: WRITE,
        "write('@/out/old.txt', 'mine')\nwrite('@/out/new.txt', 'mine')\ntools.call('change')",
        |root: &str| {
            fs::write(format!("{root}/outside/old.txt"), "what was there").unwrap();
            fs::remove_dir_all(format!("{root}/out")).unwrap();
            symlink("outside", format!("{root}/out")).unwrap();
        } => ["new.txt Created Conflict", "old.txt Replaced Conflict"];
    a_file_is_not_removed_through_a_directory_that_became_a_link: WRITE,
        "os.unlink('@/out/old.txt')\ntools.call('change')",
        |root: &str| {
            fs::write(format!("{root}/outside/old.txt"), "what was there").unwrap();
            fs::remove_dir_all(format!("{root}/out")).unwrap();
            symlink("outside", format!("{root}/out")).unwrap();
        } => ["old.txt Removed Conflict"];
    a_directory_is_not_made_through_a_directory_that_became_a_link: WRITE,
        "os.mkdir('@/out/d')\nwrite('@/out/d/x', 'mine')\ntools.call('change')",
        |root: &str| {
            fs::remove_dir_all(format!("{root}/out")).unwrap();
            symlink("outside", format!("{root}/out")).unwrap();
        } => ["d DirectoryCreated Conflict", "x Created NotDone"];
    what_became_a_directory_is_not_replaced: WRITE,
        "write('@/out/old.txt', 'mine')\ntools.call('change')",
        |root: &str| {
            fs::remove_file(format!("{root}/out/old.txt")).unwrap();
            fs::create_dir(format!("{root}/out/old.txt")).unwrap();
        } => ["old.txt Replaced Conflict"];
    what_became_a_fifo_is_neither_waited_for_nor_replaced: WRITE,
        "write('@/out/old.txt', 'mine')\ntools.call('change')",
        |root: &str| {
            fs::remove_file(format!("{root}/out/old.txt")).unwrap();
            let made = Command::new("mkfifo").arg(format!("{root}/out/old.txt")).status();
            assert!(made.unwrap().success());
        } => ["old.txt Replaced Conflict"];
    where_a_directory_is_gone_nothing_is_made: WRITE,
        "write('@/out/new.txt', 'mine')\ntools.call('change')",
        |root: &str| fs::remove_dir_all(format!("{root}/out")).unwrap() => ["new.txt Created Failed"];
    one_conflict_and_nothing_at_all_is_written: ALL,
        "write('@/both/c.txt', 'mine')\nwrite('@/both/new.txt', 'mine')\nos.unlink('@/out/old.txt')\nos.mkdir('@/both/d')\nwrite('@/both/d/e', 'mine')\ntools.call('change')",
        |root: &str| fs::write(format!("{root}/both/c.txt"), "theirs").unwrap()
        => ["c.txt Replaced Conflict", "d DirectoryCreated NotDone", "e Created NotDone", "new.txt Created NotDone", "old.txt Removed NotDone"];
    one_place_that_is_gone_and_nothing_at_all_is_written: ALL,
        "write('@/both/new.txt', 'mine')\nos.mkdir('@/both/d')\nwrite('@/out/new.txt', 'mine')\ntools.call('change')",
        |root: &str| fs::remove_dir_all(format!("{root}/out")).unwrap()
        => ["d DirectoryCreated NotDone", "new.txt Created NotDone", "new.txt Created Failed"];
    a_directory_that_somebody_put_something_in_is_not_removed: ALL,
        "os.unlink('@/both/c.txt')\nos.rmdir('@/both')\ntools.call('change')",
        |root: &str| fs::write(format!("{root}/both/theirs"), "theirs").unwrap()
        => ["c.txt Removed NotDone", "both DirectoryRemoved Conflict"];
}

/// Ends as it should not, and has written nothing.
#[track_caller]
fn fails(granted: &str, body: &str, outcome: Outcome) -> Seen {
    let ground = Ground::new();
    let before = ground.everything();
    let body = format!("write('@/out/old.txt', 'mine')\nwrite('@/out/new.txt', 'mine')\n{body}");
    let mut call = ground.call(granted, &body);
    call.limits.fuel = 5_000_000_000;
    let seen = see_granted(call);
    assert_eq!(
        seen.execution.outcome, outcome,
        "{:?}",
        seen.execution.failure
    );
    if outcome.reexecutable() {
        holds_no_secret(&seen);
    }
    assert_eq!(seen.execution.writes, []);
    assert_eq!(ground.everything(), before);
    seen
}

#[test]
fn a_run_that_raises_writes_nothing() {
    fails(WRITE, "raise ValueError('no')", Outcome::GuestError).confirmed();
}

#[test]
fn a_run_that_is_denied_writes_nothing() {
    let seen = fails(WRITE, "read('@/outside/secret.txt')", Outcome::Denied).confirmed();
    assert_eq!(codes(&seen), ["file_read_not_granted"]);
}

#[test]
fn a_run_that_exits_writes_nothing() {
    fails(WRITE, "import sys\nsys.exit(3)", Outcome::GuestError).confirmed();
}

#[test]
fn a_run_that_is_out_of_fuel_writes_nothing() {
    fails(WRITE, "while True:\n    pass", Outcome::OutOfFuel).confirmed();
}

#[test]
fn a_run_whose_result_is_no_json_writes_nothing() {
    fails(WRITE, "return {1, 2}", Outcome::GuestError).confirmed();
}

#[test]
fn a_run_that_is_cancelled_writes_nothing() {
    let ground = Ground::new();
    let before = ground.everything();
    let mut call = ground.call(
        WRITE,
        "write('@/out/new.txt', 'mine')\ntools.call('stop')\nwhile True:\n    pass",
    );
    let cancel = call.cancel.clone();
    with_tool(&mut call, "stop", move |_| cancel.cancel());
    let seen = see_granted(call);
    assert_eq!(seen.execution.outcome, Outcome::Cancelled);
    assert_eq!(seen.execution.writes, []);
    assert_eq!(ground.everything(), before);
}

#[test]
fn a_run_that_crashes_writes_nothing() {
    let body = "os.abort()";
    let seen = fails(WRITE, body, Outcome::Crashed);
    assert!(seen.execution.writes.is_empty());
}

#[test]
fn a_replay_writes_nothing() {
    let ground = Ground::new();
    let call = ground.call(WRITE, "write('@/out/new.txt', 'mine')");
    let node = crate::fixture::node_with(call.asked.clone(), oacp_egress::Options::default());
    let execution = crate::fixture::attest_on(&node, call);
    assert_eq!(ground.read("out/new.txt"), "mine");
    fs::remove_file(ground.at("out/new.txt")).unwrap();
    let before = ground.everything();
    let verdict = crate::fixture::replay(&crate::fixture::verify(&execution.bundle.to_bytes()));
    assert!(
        matches!(verdict, oacp::replay::ReplayVerdict::Confirmed { .. }),
        "{verdict:?}"
    );
    assert_eq!(ground.everything(), before);
}

#[test]
fn a_directory_is_made_only_where_something_may_be_written() {
    let ground = Ground::new();
    let body = "return [t(os.mkdir, p) for p in ('@/in/x', '@/outside/x', '@/x', '/x')]";
    let seen = ground.tries(ALL, body);
    assert_eq!(
        seen.output(),
        json!(["EACCES", "EACCES", "EACCES", "EACCES"])
    );
    assert_eq!(codes(&seen), ["file_write_not_granted"; 4]);
}
