//! HTTP as a guest says it, and a reply as a recording holds it. A request's lines: method, URL, then headers; then its body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oacp::http::{Request, Response};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(response) = Response::parse(bytes) {
        assert_eq!(Response::parse(&response.to_bytes()).as_ref(), Ok(&response));
    }
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.split('\n');
    let (Some(method), Some(url)) = (lines.next(), lines.next()) else {
        return;
    };
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').unwrap_or((line, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if let Ok(request) = Request::new(method, url, &headers, body.as_bytes().to_vec()) {
        for (name, value) in request.headers() {
            // Nothing that would end a line, or end the head, gets through; nor what belongs to the connection.
            assert!(!name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b':'));
            assert!(!value.contains(['\r', '\n', '\0']));
            assert!(!["host", "content-length", "transfer-encoding", "connection"].contains(&name.as_str()));
        }
        assert!(!request.target().path_and_query().contains(['\r', '\n', ' ']));
    }
});
