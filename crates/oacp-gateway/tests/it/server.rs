//! The server that `tests/idioms/web.py` and `fetch.js` ask: HTTP/1.1 on loopback, a thread a connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};

const JSON: &str = "{\"a\": 1, \"ü\": [true, null]}";

pub struct Server {
    pub port: u16,
    requests: Arc<AtomicUsize>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counter = counter.clone();
                std::thread::spawn(move || serve(stream, &counter));
            }
        });
        Self { port, requests }
    }

    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many requests have come in.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Answers until the client leaves.
fn serve(stream: TcpStream, counter: &AtomicUsize) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let mut words = line.split_ascii_whitespace();
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = Map::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.trim().into());
        }
        let length = headers
            .get("content-length")
            .and_then(|length| length.as_str()?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).ok()?;
        counter.fetch_add(1, Ordering::SeqCst);
        let (status, own, content) = answer(&method, &path, &headers, &body);
        let mut head = format!("HTTP/1.1 {status}\r\n");
        for (name, value) in own {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\n\r\n", content.len());
        stream.write_all(head.as_bytes()).ok()?;
        if method != "HEAD" {
            stream.write_all(&content).ok()?;
        }
    }
}

type Headers = Vec<(&'static str, String)>;

fn answer(
    method: &str,
    path: &str,
    headers: &Map<String, Value>,
    body: &[u8],
) -> (&'static str, Headers, Vec<u8>) {
    let mut own = vec![("content-type", "application/json".to_owned())];
    match path.split('?').next().unwrap_or_default() {
        "/echo" => {
            let body = String::from_utf8_lossy(body);
            let said = json!({ "method": method, "path": path, "headers": headers, "body": body });
            ("200 OK", own, said.to_string().into_bytes())
        }
        "/status/404" => {
            let own = vec![("content-type", "text/plain".to_owned())];
            ("404 Not Found", own, b"nothing here".to_vec())
        }
        "/redirect" => ("302 Found", vec![("location", "/json".to_owned())], vec![]),
        "/gzip" => {
            own.push(("content-encoding", "gzip".to_owned()));
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(JSON.as_bytes()).unwrap();
            ("200 OK", own, encoder.finish().unwrap())
        }
        "/slow" => {
            // What is asked here is asked with a shorter timeout, or by who waits.
            std::thread::sleep(Duration::from_millis(1200));
            ("200 OK", own, JSON.as_bytes().to_vec())
        }
        "/headers" => {
            own.push(("x-one", "1".to_owned()));
            own.push(("set-cookie", "a=1; Path=/".to_owned()));
            own.push(("set-cookie", "b=2; Path=/".to_owned()));
            own.push((
                "x-sent",
                headers
                    .get("x-idiom")
                    .map_or("", |v| v.as_str().unwrap_or(""))
                    .to_owned(),
            ));
            let content = headers
                .get("x-idiom")
                .map_or(JSON.to_owned(), Value::to_string);
            ("200 OK", own, content.into_bytes())
        }
        _ => ("200 OK", own, JSON.as_bytes().to_vec()),
    }
}
