//! What programs do with files and over HTTP, as they do it elsewhere: the same results as outside, and again without disk and network.

use std::path::Path;

use oacp::outcome::Outcome;
use oacp_egress::Options;
use serde_json::{Value, json};

use crate::fixture::{self, Seen, agent, attest_on, call, grant, node_with, repository};
use crate::server::Server;

fn source(name: &str) -> String {
    std::fs::read_to_string(repository().join("tests/idioms").join(name)).unwrap()
}

/// What Python itself says, as `guests/python/check.py` compares it.
fn native(name: &str) -> Value {
    serde_json::from_str(&source(name)).unwrap()
}

/// Runs, takes away what the run was given, then re-executes.
fn seen_after(
    agent: oacp_gateway::Agent,
    input: Value,
    asked: Value,
    take_away: impl FnOnce(),
) -> Seen {
    let mut call = call(agent, input);
    call.asked = grant(asked);
    let node = node_with(call.asked.clone(), Options::default());
    let execution = attest_on(&node, call);
    take_away();
    let verified = fixture::verify(&execution.bundle.to_bytes());
    let replay = fixture::replay(&verified);
    Seen {
        execution,
        verified,
        replay,
    }
}

fn with_files(name: &str) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    let text = path.to_str().unwrap().to_owned();
    let seen = seen_after(
        agent(name, &source(name)),
        json!({ "directory": text }),
        json!({ "file_read": [format!("{text}/**")], "file_write": [format!("{text}/**")] }),
        || directory.close().unwrap(),
    );
    let seen = seen.confirmed();
    assert_eq!(
        seen.execution.outcome,
        Outcome::Ok,
        "{:?}",
        seen.execution.failure
    );
    seen.output()
}

#[track_caller]
fn same(found: &Value, expected: &Value) {
    for (idiom, result) in expected.as_object().unwrap() {
        assert_eq!(&found[idiom], result, "{idiom}");
    }
}

#[test]
fn python_s_file_idioms_give_what_python_gives() {
    let found = with_files("files.py");
    let expected = native("files.json");
    assert!(expected.as_object().unwrap().len() >= 40);
    same(&found, &expected);
}

#[test]
fn javascript_s_file_idioms_work() {
    let found = with_files("files.js");
    assert!(found.as_object().unwrap().len() >= 15, "{found:#}");
    assert_eq!(found["write and read text"], "grüße\n");
    assert_eq!(found["create once"], "exists");
}

fn over_http(name: &str) -> Value {
    let server = Server::start();
    let base = server.base();
    let host = base.strip_prefix("http://").unwrap().to_owned();
    let seen = seen_after(
        agent(name, &source(name)),
        json!({ "base": base }),
        json!({ "network": { "allowlist": [{ "host": host, "private": true }] } }),
        || assert!(server.requests() > 10),
    );
    let before = server.requests();
    let seen = seen.confirmed();
    assert_eq!(server.requests(), before, "the replay asked the network");
    assert_eq!(
        seen.execution.outcome,
        Outcome::Ok,
        "{:?}",
        seen.execution.failure
    );
    seen.output()
}

#[test]
fn python_s_http_idioms_give_what_python_gives() {
    same(&over_http("web.py"), &native("web.json"));
}

#[test]
fn fetch_works() {
    let found = over_http("fetch.js");
    assert_eq!(found["status"], json!([200, true]));
    assert_eq!(found["a redirect is followed"], json!([200, true]));
    assert_eq!(found["several at once"], json!([200, 404, 200]));
    assert_eq!(found["a timeout"], "TimeoutError");
    assert_eq!(found["an abort"], "AbortError");
    assert_eq!(found["what is not granted"], "CapabilityDenied");
}

#[test]
fn what_a_run_wrote_is_there_when_it_has_ended_well() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    std::fs::write(path.join("in.txt"), "three words here").unwrap();
    let text = path.to_str().unwrap();
    let program = "
import pathlib
def run(input):
    words = pathlib.Path('in.txt').read_text().split()
    pathlib.Path('out').mkdir()
    pathlib.Path('out/count.txt').write_text(str(len(words)))
    if input: raise ValueError('not well')
    return len(words)
";
    let run = |fails: bool| {
        let mut call = call(agent("agent.py", program), json!(fails));
        call.working_directory = text.parse().unwrap();
        call.asked = grant(
            json!({ "file_read": [format!("{text}/*.txt")], "file_write": [format!("{text}/out/*")] }),
        );
        fixture::see_granted(call).confirmed()
    };
    assert_eq!(run(true).execution.outcome, Outcome::GuestError);
    assert!(!path.join("out").exists());
    let seen = run(false);
    assert_eq!(seen.output(), json!(3));
    assert_eq!(
        std::fs::read_to_string(path.join("out/count.txt")).unwrap(),
        "3"
    );
    assert_eq!(names(&path), ["in.txt", "out"]);
    assert_eq!(names(&path.join("out")), ["count.txt"]);
    assert_eq!(seen.execution.writes.len(), 2);
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_sibling_does_not_hide_what_is_in_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().canonicalize().unwrap();
    let text = text.to_str().unwrap();
    let program = "
import os
def run(input):
    os.mkdir('a')
    open('a.bak', 'w').close()
    open('a/new', 'w').close()
    try:
        os.rmdir('a')
    except OSError:
        return os.listdir('a')
";
    let mut call = call(agent("agent.py", program), json!(null));
    call.working_directory = text.parse().unwrap();
    call.asked =
        grant(json!({ "file_read": [format!("{text}/")], "file_write": [format!("{text}/")] }));
    let seen = fixture::see_granted(call).confirmed();
    assert_eq!(seen.output(), json!(["new"]));
}

#[test]
fn what_looks_fill_is_counted_alike_in_a_run_and_its_replay() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().canonicalize().unwrap();
    let text = text.to_str().unwrap();
    // Each look takes some of what a recording may have; what is written then does not fit any more.
    let program = "
import os
def run(input):
    for n in range(50):
        os.path.exists('x' * 200 + str(n))
    with open('a', 'wb') as one:
        one.write(bytes((32 << 20) - 2048))
    with open('b', 'wb') as two:
        two.write(bytes(32 << 20))
";
    let mut call = call(agent("agent.py", program), json!(null));
    call.working_directory = text.parse().unwrap();
    call.asked =
        grant(json!({ "file_read": [format!("{text}/")], "file_write": [format!("{text}/")] }));
    let seen = fixture::see_granted(call).confirmed();
    assert_eq!(seen.execution.outcome, Outcome::GuestError);
    assert!(!directory.path().join("a").exists());
}

#[test]
fn a_database_is_opened_under_a_grant_of_it_alone() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().canonicalize().unwrap();
    let text = text.to_str().unwrap();
    let program = "
import sqlite3
def run(input):
    with sqlite3.connect('todo.db') as db:
        db.execute('create table if not exists todo (what text)')
        db.execute('insert into todo values (?)', (input,))
    return db.execute('select count(*) from todo').fetchone()[0]
";
    for expected in [1, 2] {
        let mut call = call(agent("agent.py", program), json!("milk"));
        call.working_directory = text.parse().unwrap();
        let file = format!("{text}/todo.db");
        call.asked = grant(json!({ "file_read": [file], "file_write": [file] }));
        let seen = fixture::see_granted(call).confirmed();
        assert_eq!(
            seen.execution.outcome,
            Outcome::Ok,
            "{:?}",
            seen.execution.failure
        );
        assert_eq!(seen.output(), json!(expected));
        assert_eq!(names(Path::new(text)), ["todo.db"]);
    }
}
