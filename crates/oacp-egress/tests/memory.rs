//! That a decompression bomb takes no memory. A program of its own, since it looks at the most that the whole process ever took.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics has failed, and says where"
)]

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use oacp::capability::{Capabilities, Grant};
use oacp::http::{ExchangeError, Request};
use oacp_egress::{Client, Options};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A gigabyte of zeros.
const BOMB_MEBIBYTES: usize = 1024;

/// What refusing it may take. The compressed bomb, which the test itself holds, is one MiB of it.
#[cfg(target_os = "linux")]
const MEMORY_MEBIBYTES_MAX: usize = 128;

#[tokio::test]
async fn a_decompression_bomb_is_refused_before_it_is_large() {
    let zeros = vec![0; 1 << 20];
    // As one gzip file of many members, as one of a single member, and as one zlib stream.
    let mut member = GzEncoder::new(vec![], Compression::best());
    member.write_all(&zeros).unwrap();
    let members = member.finish().unwrap().repeat(BOMB_MEBIBYTES);
    let mut gzip = GzEncoder::new(vec![], Compression::fast());
    let mut zlib = ZlibEncoder::new(vec![], Compression::fast());
    for _ in 0..BOMB_MEBIBYTES {
        gzip.write_all(&zeros).unwrap();
        zlib.write_all(&zeros).unwrap();
    }
    for (encoding, bomb) in [
        ("gzip", members),
        ("gzip", gzip.finish().unwrap()),
        ("deflate", zlib.finish().unwrap()),
    ] {
        assert!(bomb.len() < 16 << 20, "small enough to be received");
        let error = exchange(encoding, bomb).await;
        let ExchangeError::Failed { code, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(*code, "limit", "{error}");
    }

    #[cfg(target_os = "linux")]
    {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.unwrap().trim_matches(|c: char| !c.is_ascii_digit());
        let kibibytes: usize = peak.parse().unwrap();
        assert!(kibibytes < MEMORY_MEBIBYTES_MAX << 10, "{kibibytes} KiB");
    }
}

/// What becomes of a GET that is answered with this body.
async fn exchange(encoding: &str, body: Vec<u8>) -> ExchangeError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
    });
    let rule = json!({"network": {"allowlist": [{"host": host, "private": true}]}});
    let wanted: Capabilities = serde_json::from_value(rule).unwrap();
    let grant = Grant::attenuate(&wanted, &wanted);
    let client = Client::new(grant, BTreeMap::new(), &Options::default()).unwrap();
    let request = Request::new("GET", &format!("http://{host}/"), &[], vec![]).unwrap();
    client.exchange(request).await.unwrap_err()
}
