//! Somebody who is asked during a run allows what was asked, and nothing beside it.

use std::sync::{Arc, Mutex};

use oacp_gateway::Call;
use oacp_sandbox::Ask;
use serde_json::json;

use crate::ground::{Ground, codes, says};
use crate::server::{Server, asking, names, no_names, ok, see_with, visited};

/// Allows what contains this; keeps what was asked.
fn allowing(call: &mut Call, allowed: &'static str) -> Arc<Mutex<Vec<String>>> {
    let questions: Arc<Mutex<Vec<String>>> = Arc::default();
    let asked = questions.clone();
    call.ask = Some(Ask::new(move |denial| {
        let question = format!("{} {}", denial.capability, denial.asked);
        let is_allowed = question.contains(allowed);
        asked.lock().unwrap().push(question);
        async move { is_allowed }
    }));
    questions
}

#[test]
fn what_is_allowed_is_that_name_and_not_where_it_leads() {
    let ground = Ground::new();
    ground.link("l", "outside/secret.txt");
    let mut call = ground.call(
        "{}",
        "return [t(read, '@/l'), t(read, '@/outside/secret.txt')]",
    );
    let questions = allowing(&mut call, "/l");
    let seen = ground.tries_of(call);
    says(
        &seen,
        &json!(["EACCES", "EACCES"]),
        &["file_outside", "file_read_not_granted"],
    );
    assert_eq!(questions.lock().unwrap().len(), 2);
}

#[test]
fn whoever_allows_reading_one_file_has_allowed_neither_writing_nor_another() {
    let ground = Ground::new();
    let mut call = ground.call(
        "{}",
        "return [read('@/in/a.txt'), t(write, '@/in/a.txt', 'x'), t(os.unlink, '@/in/a.txt'), t(read, '@/in/sub/b.txt')]",
    );
    let allowed = ground.text("file_read @/in/a.txt").leak();
    let questions = allowing(&mut call, allowed);
    let (no_read, no_write) = ("file_read_not_granted", "file_write_not_granted");
    let seen = ground.tries_of(call);
    says(
        &seen,
        &json!(["granted", "EACCES", "EACCES", "EACCES"]),
        &[no_write, no_write, no_read],
    );
    // Nobody is asked twice.
    assert_eq!(questions.lock().unwrap().len(), 3);
}

#[test]
fn a_star_that_is_allowed_is_no_pattern() {
    let ground = Ground::new();
    let mut call = ground.call(
        "{}",
        "return [t(read, '@/outside/*'), t(read, '@/outside/secret.txt'), t(read, '@/**'), t(os.listdir, '@/outside')]",
    );
    allowing(&mut call, "*");
    let seen = ground.tries_of(call);
    assert!(!seen.output().to_string().contains("SECRET"));
    assert_eq!(seen.output()[1], "EACCES");
    assert_eq!(seen.output()[3], "EACCES");
}

#[test]
fn a_host_that_is_allowed_is_that_port_of_that_host() {
    let (server, other) = (Server::new(ok(&[], "here")), Server::new(ok(&[], "there")));
    let (asked, options) = names([("localhost", &["127.0.0.1"])]);
    let mut call = asking(
        json!({ "network": { "allowlist": ["granted.test"] } }),
        "return [fetch(url) for url in input]",
    );
    call.input = json!([
        other.url("/"),
        format!("http://localhost:{}/", other.port),
        "http://169.254.169.254/",
    ])
    .to_string();
    let port = server.port.to_string().leak();
    allowing(&mut call, port);
    let seen = see_with(call, options);
    let denied = "network_not_granted";
    says(&seen, &json!([denied, denied, denied]), &[denied; 3]);
    assert_eq!(asked.asked(), [""; 0]);
    visited(&[(&other, 0)]);
}

#[test]
fn what_nobody_allows_is_asked_once() {
    let mut call = asking(
        json!({}),
        "return [fetch('http://a.test/') for _ in range(5)]",
    );
    let questions = allowing(&mut call, "nothing");
    let seen = see_with(call, no_names().1);
    assert_eq!(codes(&seen), ["network_not_granted"; 5]);
    assert_eq!(*questions.lock().unwrap(), ["network a.test:80"]);
}

#[test]
fn what_was_refused_without_a_question_is_not_asked() {
    let ground = Ground::new();
    ground.link("in/l", "../outside/secret.txt");
    let mut call = ground.call(
        r#"{"file_read": ["@/in/", "/proc/"]}"#,
        "return [t(read, '@/in/l'), t(read, '/proc/self/environ'), fetch('ftp://a.test/')]",
    );
    let questions = allowing(&mut call, "");
    let seen = ground.tries_of(call);
    says(
        &seen,
        &json!(["EACCES", "EACCES", "url_refused"]),
        &["file_outside", "file_special", "url_refused"],
    );
    assert_eq!(*questions.lock().unwrap(), [""; 0]);
}
