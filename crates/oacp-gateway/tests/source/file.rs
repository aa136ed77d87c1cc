//! A file behind a URL.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use oacp::digest::Digest;
use oacp::http::ExchangeError;
use oacp_tool::source::{FetchError, Progress, SignaturePolicy};

use crate::server::{Server, bytes, fetched, fetched_by, part, reply};

const MIB: usize = 1 << 20;

/// Where the cache has a file of these bytes, and what it has begun.
fn places(cache: &Path, bytes: &[u8]) -> [PathBuf; 2] {
    ["file", "part"].map(|name| cache.join(Digest::of(bytes).hex()).join(name))
}

#[test]
fn a_file_comes_in_pieces_and_is_kept_by_its_digest() {
    let cache = tempfile::tempdir().unwrap();
    let content = bytes(2 * MIB + 5);
    let server = Server::of(&[("/t/tool.py", &content)]);
    let url = server.url("/t/tool.py", &content);
    let mut steps = vec![];
    let mut report = |Progress { done, total }| steps.push((done, total));
    let policy = SignaturePolicy::default();
    let first = fetched_by(&url, cache.path(), &policy, &mut report).unwrap();
    assert_eq!(first.bytes, content);
    assert_eq!(first.sha256, Digest::of(&content));
    assert_eq!(first.name.as_str(), "tool.py");
    assert_eq!(first.signature, None);
    assert_eq!(first.reference.to_string(), url);
    let total = content.len() as u64;
    assert_eq!(steps, [(1 << 20, total), (2 << 20, total), (total, total)]);
    assert_eq!(
        server.asked(),
        [
            "/t/tool.py bytes=0-1048575",
            "/t/tool.py bytes=1048576-2097151",
            "/t/tool.py bytes=2097152-3145727"
        ]
    );

    assert_eq!(fetched(&url, cache.path()).unwrap(), first);
    assert!(server.asked().is_empty());
    let [file, part] = places(cache.path(), &content);
    assert!(!part.exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    fs::write(&file, "damaged").unwrap();
    assert_eq!(fetched(&url, cache.path()).unwrap(), first);
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn what_has_come_before_a_connection_broke_is_not_asked_for_again() {
    let cache = tempfile::tempdir().unwrap();
    let content = bytes(MIB + 5);
    let is_broken = Arc::new(AtomicBool::new(true));
    let (served, broken) = (content.clone(), Arc::clone(&is_broken));
    let server = Server::new(move |asked| {
        let mut answer = part(asked, &served);
        if broken.load(Ordering::Relaxed) && asked.headers["range"] != "bytes=0-1048575" {
            answer.truncate(answer.len() - 1);
        }
        answer
    });
    let url = server.url("/tool.wasm", &content);
    let error = fetched(&url, cache.path()).unwrap_err();
    assert!(
        matches!(
            &error,
            FetchError::Exchange {
                source: ExchangeError::Failed {
                    code: "protocol" | "connect",
                    ..
                },
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.is_transient());
    let second = "/tool.wasm bytes=1048576-2097151";
    let first = "/tool.wasm bytes=0-1048575";
    assert_eq!(server.asked(), [first, second, second, second]);
    is_broken.store(false, Ordering::Relaxed);
    assert_eq!(fetched(&url, cache.path()).unwrap().bytes, content);
    assert_eq!(server.asked(), [second]);
}

#[test]
fn bytes_that_were_left_and_are_others_are_fetched_anew() {
    let content = bytes(100);
    for left in [b"others".to_vec(), bytes(100), bytes(200), bytes(9 * MIB)] {
        let cache = tempfile::tempdir().unwrap();
        let server = Server::of(&[("/tool.py", &content)]);
        let [file, part] = places(cache.path(), &content);
        fs::create_dir_all(part.parent().unwrap()).unwrap();
        fs::write(&part, &left).unwrap();
        let found = fetched(&server.url("/tool.py", &content), cache.path());
        assert_eq!(found.unwrap().bytes, content, "{}", left.len());
        assert!(file.exists() && !part.exists());
    }
}

#[test]
fn other_bytes_are_refused_with_both_digests_and_not_kept() {
    let cache = tempfile::tempdir().unwrap();
    let (wanted, content) = (b"def a(): ...", b"def b(): ...");
    let server = Server::of(&[("/tool.py", content)]);
    match fetched(&server.url("/tool.py", wanted), cache.path()) {
        Err(FetchError::Digest {
            expected, found, ..
        }) => assert_eq!((expected, found), (Digest::of(wanted), Digest::of(content))),
        other => panic!("{other:?}"),
    }
    for path in places(cache.path(), wanted) {
        assert!(!path.exists());
    }
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_server_that_knows_no_ranges_gives_the_whole() {
    let cache = tempfile::tempdir().unwrap();
    let content = bytes(2 * MIB);
    let served = content.clone();
    let server = Server::new(move |_| reply("200 OK", "", &served));
    let found = fetched(&server.url("/tool.py", &content), cache.path());
    assert_eq!(found.unwrap().bytes, content);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_part_of_something_compressed_is_no_part() {
    let cache = tempfile::tempdir().unwrap();
    let content = bytes(10);
    let served = content.clone();
    let server = Server::new(move |asked| match asked.headers.contains_key("range") {
        true => {
            let headers = "content-encoding: gzip\ncontent-range: bytes 0-9/10\n";
            reply("206 Partial Content", headers, b"0123456789")
        }
        false => reply("200 OK", "", &served),
    });
    let found = fetched(&server.url("/tool.py", &content), cache.path());
    assert_eq!(found.unwrap().bytes, content);
    assert_eq!(server.asked(), ["/tool.py bytes=0-1048575", "/tool.py"]);
}

#[test]
fn a_file_larger_than_a_tool_is_refused_before_it_is_read() {
    let cache = tempfile::tempdir().unwrap();
    for (name, bytes_max) in [("/tool.py", 8 << 20), ("/tool.wasm", 128_u64 << 20)] {
        let server = Server::new(move |_| {
            let range = format!("content-range: bytes 0-0/{}\n", bytes_max + 1);
            reply("206 Partial Content", &range, b"x")
        });
        let error = fetched(&server.url(name, b"x"), cache.path()).unwrap_err();
        assert!(
            matches!(error, FetchError::TooLarge { bytes_max: found, .. } if found as u64 == bytes_max),
            "{error:?}"
        );
        assert_eq!(server.asked().len(), 1);
    }
    // All at once, more than a source file may have.
    let server = Server::new(move |_| reply("200 OK", "", &bytes(8 * MIB + 1)));
    let error = fetched(&server.url("/tool.py", b"x"), cache.path()).unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error:?}");
}

#[test]
fn a_body_without_end_ends_at_the_limit() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::new(|_| {
        let mut endless = b"HTTP/1.1 206 Partial Content\r\ntransfer-encoding: chunked\r\ncontent-range: bytes 0-0/1\r\n\r\n".to_vec();
        for _ in 0..20 {
            endless.extend_from_slice(b"100000\r\n");
            endless.extend_from_slice(&[b'x'; MIB]);
            endless.extend_from_slice(b"\r\n");
        }
        endless
    });
    let error = fetched(&server.url("/tool.wasm", b"x"), cache.path()).unwrap_err();
    assert!(
        matches!(
            &error,
            FetchError::Exchange {
                source: ExchangeError::Failed { code: "limit", .. },
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn a_piece_that_is_not_the_one_that_was_asked_for_is_refused() {
    for range in [
        "content-range: bytes 1-4/5\n",
        "content-range: bytes 0-4/5\n",
        "content-range: bytes 0-3/4\ncontent-range: bytes 0-3/4\n",
        "content-range: bytes 0-3/*\n",
        "content-range: bytes 0-3/3\n",
        "content-range: bytes 3-0/5\n",
        "content-range: 0-3/5\n",
        "",
    ] {
        let cache = tempfile::tempdir().unwrap();
        let server = Server::new(move |_| reply("206 Partial Content", range, b"abcd"));
        let error = fetched(&server.url("/tool.py", b"abcd"), cache.path()).unwrap_err();
        assert!(
            matches!(error, FetchError::Malformed { .. }),
            "{range}: {error:?}"
        );
    }
}

#[test]
fn a_redirect_is_followed_on_the_same_host_and_to_nowhere_private() {
    let cache = tempfile::tempdir().unwrap();
    let content = b"def f(): ...";
    let other = Server::of(&[("/elsewhere.py", content)]);
    let elsewhere = format!("http://{}/elsewhere.py", other.host);
    let server = Server::new(move |asked| {
        let to = match asked.path.as_str() {
            "/a/tool.py" => "../b/tool.py",
            "/b/tool.py" => return part(asked, content),
            "/circle/tool.py" => "tool.py",
            "/private/tool.py" => &elsewhere,
            "/clear/tool.py" => "http://a.example/tool.py",
            _ => "",
        };
        reply("302 Found", &format!("location: {to}\n"), b"")
    });
    let found = fetched(&server.url("/a/tool.py", content), cache.path());
    assert_eq!(found.unwrap().bytes, content);

    let refused = |path: &str| fetched(&server.url(path, b"another"), cache.path()).unwrap_err();
    assert!(matches!(
        refused("/circle/tool.py"),
        FetchError::Redirects { .. }
    ));
    assert!(matches!(refused("/clear/tool.py"), FetchError::Led { .. }));
    // Another port of this machine, which nobody named.
    match refused("/private/tool.py") {
        FetchError::Exchange {
            source: ExchangeError::Denied(denial),
            ..
        } => assert_eq!(denial.code, "address_not_granted"),
        other => panic!("{other:?}"),
    }
    assert!(other.asked().is_empty());
}

#[test]
fn what_is_not_there_is_said_to_be_so() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::of(&[]);
    let error = fetched(&server.url("/tool.py", b"x"), cache.path()).unwrap_err();
    assert!(
        matches!(error, FetchError::Status { status: 404, .. }),
        "{error:?}"
    );
    assert!(!error.is_transient());
}
