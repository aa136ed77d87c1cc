//! A server of a test's own, on this machine, that counts who comes; and resolvers that count who asks.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use oacp_egress::{Options, Resolver};
use oacp_gateway::Call;
use serde_json::{Value, json};

use crate::fixture::{Seen, agent, call, grant, node_with, see_on};
use crate::ground::Ground;

/// Lives until the process ends.
#[derive(Clone)]
pub struct Server {
    pub port: u16,
    seen: Arc<Visits>,
}

#[derive(Default)]
struct Visits {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl Server {
    /// Answers each request with these bytes, and closes.
    pub fn new(reply: impl AsRef<[u8]>) -> Self {
        let reply = reply.as_ref().to_vec();
        Self::answering(move |_| reply.clone())
    }

    /// Answers by the request's text.
    pub fn answering(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::with("127.0.0.1:0", move |mut stream, request| {
            // A client that has read enough hangs up.
            let _ = stream.write_all(&answer(request));
        })
    }

    /// Hands over each connection once its request was read.
    pub fn with(address: &str, answer: impl Fn(TcpStream, &str) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Visits> = Arc::default();
        let visits = seen.clone();
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (visits, answer) = (visits.clone(), answer.clone());
                visits.connections.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let Some(request) = read_request(&mut stream) else {
                        return;
                    };
                    visits.requests.lock().unwrap().push(request.clone());
                    answer(stream, &request);
                });
            }
        });
        Self { port, seen }
    }

    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

/// The head and the body, as text; nothing if the other side hangs up before.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut chunk) {
            Ok(count @ 1..) => request.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
        let text: String = request.iter().copied().map(char::from).collect();
        let Some(end) = text.find("\r\n\r\n") else {
            continue;
        };
        let length = text[..end]
            .to_ascii_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ").map(str::to_owned));
        if request.len() >= end + 4 + length.map_or(0, |length| length.parse().unwrap()) {
            return Some(text);
        }
    }
}

pub fn ok(headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut reply = "HTTP/1.1 200 OK\r\nconnection: close\r\n".to_owned();
    for (name, value) in headers {
        reply += &format!("{name}: {value}\r\n");
    }
    reply += &format!("content-length: {}\r\n\r\n", body.as_ref().len());
    [reply.as_bytes(), body.as_ref()].concat()
}

/// Names that a test's resolver knows, and how often it was asked.
#[derive(Clone)]
pub struct Names {
    asked: Arc<Mutex<Vec<String>>>,
}

impl Names {
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Each name with the addresses that it has at the first, second, … question; the last stays.
pub fn names<const N: usize>(known: [(&str, &[&str]); N]) -> (Names, Options) {
    let known: Vec<(String, Vec<Vec<IpAddr>>)> = known
        .iter()
        .map(|(name, answers)| {
            let answers = answers.iter().map(|addresses| {
                addresses
                    .split_whitespace()
                    .map(|address| address.parse().unwrap())
                    .collect()
            });
            ((*name).to_owned(), answers.collect())
        })
        .collect();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let names = Names {
        asked: asked.clone(),
    };
    let resolver = Resolver::new(move |name| {
        let mut asked = asked.lock().unwrap();
        let before = asked.iter().filter(|other| **other == name).count();
        asked.push(name.clone());
        let found = known.iter().find(|(known, _)| *known == name);
        let found = found.map(|(_, answers)| answers[before.min(answers.len() - 1)].clone());
        async move { found.ok_or_else(|| std::io::Error::other("no such name")) }
    });
    let options = Options {
        resolver,
        ..Options::default()
    };
    (names, options)
}

/// No name is known, and none should be asked for.
pub fn no_names() -> (Names, Options) {
    names([])
}

/// What a grant says of one server on this machine.
pub fn private(port: u16) -> Value {
    json!({ "host": format!("127.0.0.1:{port}"), "private": true })
}

/// A call of a Python agent under these capabilities; `body` is that of `run(input)`.
pub fn asking(granted: Value, body: &str) -> Call {
    let ground = Ground::new();
    let mut call = ground.call("{}", body);
    call.asked = grant(granted);
    call.working_directory = "/project".parse().unwrap();
    call
}

/// A call of an agent in JavaScript.
pub fn asking_in_javascript(granted: Value, source: &str) -> Call {
    let mut call = call(agent("agent.js", source), json!(null));
    call.asked = grant(granted);
    call
}

/// Runs it with this way to the network, and again without any.
pub fn see_with(call: Call, options: Options) -> Seen {
    let seen = see_on(&node_with(call.asked.clone(), options), call).confirmed();
    assert_eq!(
        seen.execution.outcome,
        oacp::outcome::Outcome::Ok,
        "{:?}",
        seen.execution.failure
    );
    seen
}

/// Runs it, and asserts that the servers were asked exactly so often, in the run and its replay together.
#[track_caller]
pub fn visited(servers: &[(&Server, usize)]) {
    for (server, count) in servers {
        assert_eq!(server.requests().len(), *count, "{:?}", server.requests());
        assert_eq!(server.connections(), *count);
    }
}
