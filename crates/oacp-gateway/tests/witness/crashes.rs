//! What a witness remembers outlives it: processes that are killed, two at once, and damaged files.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use oacp_gateway::AddCheckpointError;
use oacp_tlog::witness::Refused;

use crate::fixture::*;

/// Names the directory for a test that is this program run again as another process.
const DIR: &str = "OACP_TEST_WITNESS_DIR";

/// Entries of the history that the processes ask about.
const SIZE: u64 = 400;

fn keys() -> Vec<oacp_tlog::SignerKey> {
    vec![cosigner("w.example", 20)]
}

/// Climbs the history a few entries at a time, whoever else does; calls `cosigned` with the old and the new size of each step.
fn climb(dir: &Path, step: u64, mut cosigned: impl FnMut(u64, u64)) {
    let history = History::of(SIZE, "a");
    let witnessing = witness(dir, keys(), vec![log_key().verifier()]);
    let mut old = 0;
    while old < SIZE {
        let new = (old + step).min(SIZE);
        match witnessing
            .witness
            .add_checkpoint(&history.request(old, new))
        {
            Ok(_) => {
                cosigned(old, new);
                old = new;
            }
            Err(AddCheckpointError::Refused {
                refused: Refused::Conflict { size },
                ..
            }) => old = size,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Not a test, unless another one runs it: what a second process does.
#[test]
fn as_another_process() {
    if let Some(dir) = std::env::var_os(DIR) {
        climb(Path::new(&dir), 1, |old, new| {
            println!("\ncosigned {old} {new}")
        });
    }
}

fn another_process(dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "crashes::as_another_process", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped());
    command
}

/// The steps that a process says it was given cosignatures for.
fn steps(output: impl std::io::Read) -> impl Iterator<Item = (u64, u64)> {
    let lines = BufReader::new(output).lines();
    lines.map_while(Result::ok).filter_map(|line| {
        let (old, new) = line.strip_prefix("cosigned ")?.split_once(' ')?;
        Some((old.parse().unwrap(), new.parse().unwrap()))
    })
}

/// One history of sizes: no two steps start at one size, and each starts where another ended.
fn assert_one_chain(steps: impl IntoIterator<Item = (u64, u64)>) {
    let mut chain = BTreeMap::new();
    for (old, new) in steps {
        assert_eq!(chain.insert(old, new), None, "two steps from {old}");
    }
    let mut at = 0;
    while at < SIZE {
        at = chain
            .remove(&at)
            .unwrap_or_else(|| panic!("no step from {at}"));
    }
    assert!(chain.is_empty(), "{chain:?}");
}

#[test]
fn threads_and_witnesses_on_one_directory_share_one_memory() {
    let dir = tempfile::tempdir().unwrap();
    let steps = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for step in [1, 2, 3, 5] {
            // A witness for each thread, as if it were a process.
            let (dir, steps) = (dir.path(), &steps);
            scope.spawn(move || {
                climb(dir, step, |old, new| steps.lock().unwrap().push((old, new)));
            });
        }
    });
    assert_one_chain(steps.into_inner().unwrap());
}

#[test]
fn two_processes_on_one_directory_share_one_memory() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = another_process(dir.path()).spawn().unwrap();
    let mut here = Vec::new();
    climb(dir.path(), 1, |old, new| here.push((old, new)));
    let there: Vec<_> = steps(child.stdout.take().unwrap()).collect();
    assert!(child.wait().unwrap().success());
    assert_one_chain(here.into_iter().chain(there));
}

#[test]
fn a_process_that_is_killed_has_forgotten_nothing_that_it_cosigned() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::of(SIZE, "a");
    let mut least = 0;
    for rounds in [1, 7, 20, 40] {
        let mut child = another_process(dir.path()).spawn().unwrap();
        let mut steps = steps(child.stdout.take().unwrap());
        let last = steps.by_ref().take(rounds).last();
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died counts, too.
        let (_, cosigned) = steps.last().or(last).unwrap();
        let witnessing = witness(dir.path(), keys(), vec![log_key().verifier()]);
        let size = witnessing.witness.logs()[0].size.unwrap();
        assert!(
            size >= cosigned && cosigned > least,
            "{size} {cosigned} {least}"
        );
        least = cosigned;
        // It goes on from there, and from nowhere else.
        let other = History::of(SIZE, "b");
        witnessing
            .witness
            .add_checkpoint(&other.request(size, SIZE))
            .unwrap_err();
        witnessing
            .witness
            .add_checkpoint(&history.request(0, SIZE))
            .unwrap_err();
    }
}

#[tokio::test]
async fn damaged_memory_is_never_taken_for_none() {
    let dir = tempfile::tempdir().unwrap();
    let (other, history) = (log_key_of("other.example", 9), History::of(9, "a"));
    let logs = || vec![log_key().verifier(), other.verifier()];
    witness(dir.path(), keys(), logs())
        .witness
        .add_checkpoint(&history.request(0, 5))
        .unwrap();
    let path = dir.path().join(state_file(ORIGIN));
    let whole = std::fs::read(&path).unwrap();
    let mut damages = vec![Vec::new(), whole[..whole.len() - 1].to_vec()];
    for at in (0..whole.len()).step_by(29) {
        let mut flipped = whole.clone();
        flipped[at] ^= 4;
        damages.push(flipped);
    }
    for damaged in damages {
        std::fs::write(&path, &damaged).unwrap();
        let witnessing = witness(dir.path(), keys(), logs());
        // Said when it starts, with the file's name.
        assert!(witnessing.told.lines()[0].contains(path.to_str().unwrap()));
        assert_eq!(witnessing.witness.logs()[0].size, None);
        let server = Server::witness(witnessing.witness);
        for (old, new) in [(0, 5), (5, 9), (0, 9)] {
            let reply = server
                .post("add-checkpoint", history.request(old, new))
                .await;
            assert_eq!(reply.status, 500);
            let text = String::from_utf8(reply.body).unwrap();
            let names_a_file = text.contains(dir.path().to_str().unwrap());
            assert!(text.contains("state_unusable") && !names_a_file, "{text}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), damaged);
        // Another log is none the worse for it.
        let body = request(0, vec![], history.signed(9, &other));
        assert!([200, 409].contains(&server.post("add-checkpoint", body).await.status));
    }
    std::fs::write(&path, &whole).unwrap();
    let witnessing = witness(dir.path(), keys(), logs());
    witnessing
        .witness
        .add_checkpoint(&history.request(5, 9))
        .unwrap();
}
