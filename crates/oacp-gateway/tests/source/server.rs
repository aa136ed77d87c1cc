//! A server that answers as it is told, and says what it was asked; and whoever asks it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use oacp::digest::Digest;
use oacp_egress::Options;
use oacp_gateway::SourceWeb;
use oacp_tool::source::{FetchError, Fetched, Progress, Reference, SignaturePolicy, fetch};

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    pub headers: BTreeMap<String, String>,
}

impl Asked {
    /// First and last byte, if a part was asked for.
    fn range(&self) -> Option<(usize, usize)> {
        let range = self.headers.get("range")?.strip_prefix("bytes=")?;
        let (first, last) = range.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?))
    }
}

pub struct Server {
    pub host: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Answers every request with the bytes that `answer` gives, and closes the connection. Goes on until the process ends.
    pub fn new(answer: impl Fn(&Asked) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut read = vec![];
                let mut buffer = [0; 4096];
                while !read.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut buffer) {
                        Ok(count) if count > 0 => read.extend_from_slice(&buffer[..count]),
                        _ => break,
                    }
                }
                let head = String::from_utf8(read).unwrap();
                let Some(asked) = parse(&head) else { continue };
                let reply = answer(&asked);
                noted.lock().unwrap().push(asked);
                let _ = stream.write_all(&reply);
            }
        });
        Self { host, asked }
    }

    /// Serves files, and parts of them.
    pub fn of(files: &[(&str, &[u8])]) -> Self {
        let files: BTreeMap<_, _> = files
            .iter()
            .map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()))
            .collect();
        Self::new(move |asked| match files.get(&asked.path) {
            Some(bytes) => part(asked, bytes),
            None => reply("404 Not Found", "", b""),
        })
    }

    /// Paths and ranges that were asked for since the last time, in order.
    pub fn asked(&self) -> Vec<String> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        let shown = |asked: &Asked| match asked.headers.get("range") {
            Some(range) => format!("{} {range}", asked.path),
            None => asked.path.clone(),
        };
        asked.iter().map(shown).collect()
    }

    pub fn url(&self, path: &str, bytes: &[u8]) -> String {
        format!("http://{}{path}#{}", self.host, Digest::of(bytes))
    }
}

fn parse(head: &str) -> Option<Asked> {
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        Some((name.to_ascii_lowercase(), value.to_owned()))
    });
    Some(Asked {
        path,
        headers: headers.collect(),
    })
}

/// A reply with a body. `headers`: each with a line feed.
pub fn reply(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let headers = headers.replace('\n', "\r\n");
    let length = body.len();
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The part of a file that was asked for, or all of it.
pub fn part(asked: &Asked, bytes: &[u8]) -> Vec<u8> {
    match asked.range() {
        None => reply("200 OK", "", bytes),
        Some((first, _)) if first >= bytes.len() => reply(
            "416 Range Not Satisfiable",
            &format!("content-range: bytes */{}\n", bytes.len()),
            b"",
        ),
        Some((first, last)) => {
            let last = last.min(bytes.len() - 1);
            let range = format!("content-range: bytes {first}-{last}/{}\n", bytes.len());
            reply("206 Partial Content", &range, &bytes[first..=last])
        }
    }
}

/// As many bytes as are asked for, no two pieces alike.
pub fn bytes(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8)
        .collect()
}

pub fn fetched(reference: &str, cache: &Path) -> Result<Fetched, FetchError> {
    fetched_by(reference, cache, &SignaturePolicy::default(), &mut |_| {})
}

pub fn fetched_by(
    reference: &str,
    cache: &Path,
    policy: &SignaturePolicy,
    report: &mut dyn FnMut(Progress),
) -> Result<Fetched, FetchError> {
    let reference = Reference::parse(reference).unwrap();
    let web = SourceWeb::new(&Options::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(fetch(&reference, cache, policy, &web, report))
}
