//! What judging and recording cost: files and HTTP, each beside the same without OACP.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use oacp::capability::{Capabilities, Grant, GuestPath, Target};
use oacp::http::Request;
use oacp_egress::{Client, Options};
use oacp_sandbox::Meter;
use serde_json::json;

use crate::node;
use crate::table::{Table, median, ms, us};

pub fn measure() {
    judging();
    reading();
    exchanging();
}

/// One judgement against a hundred patterns, the one that matches the last of them.
fn judging() {
    let paths: Vec<_> = (0..100)
        .map(|n| format!("/srv/data/part-{n:02}/**/*.csv"))
        .collect();
    let hosts: Vec<_> = (0..100)
        .map(|n| format!("*.part-{n:02}.example.com:443"))
        .collect();
    let capabilities: Capabilities =
        serde_json::from_value(json!({ "file_read": paths, "network": { "allowlist": hosts } }))
            .expect("capabilities");
    let grant = Grant::attenuate(&capabilities, &capabilities);
    let granted: GuestPath = "/srv/data/part-99/2026/11/sales.csv"
        .parse()
        .expect("a path");
    let other: GuestPath = "/srv/other/part-99/2026/11/sales.csv"
        .parse()
        .expect("a path");
    let target = |url| Target::parse(url).expect("a URL");
    let (reached, elsewhere) = (
        target("https://api.part-99.example.com/v1"),
        target("https://api.elsewhere.example.com/v1"),
    );
    let mut table = Table::new("Judging against 100 patterns", &["what", "time", "goal"]);
    let mut row = |what: &str, judge: &dyn Fn()| {
        let times = (0..200).map(|_| {
            let begun = Instant::now();
            (0..100).for_each(|_| judge());
            begun.elapsed() / 100
        });
        let time = format!("{:.2} µs", median(times.collect()).as_secs_f64() * 1e6);
        table.row([what.to_owned(), time, "≤ 5 µs".to_owned()]);
    };
    row("a file that is granted", &|| {
        assert!(grant.allows_read(&granted).is_ok())
    });
    row("a file that is not", &|| assert!(!grant.shows(&other)));
    row("a URL that is granted", &|| {
        assert!(grant.allows_target(&reached).is_ok())
    });
    row("a URL that is not, with its denial", &|| {
        assert!(grant.allows_target(&elsewhere).is_err());
    });
    table.print();
}

/// An agent that reads a mebibyte, beside the same agent that does not.
fn reading() {
    let file = node::cache_dir().join("mebibyte");
    std::fs::write(&file, vec![b'x'; 1 << 20]).expect("a file");
    let file = file.canonicalize().expect("a path");
    let path = file.to_str().expect("a path in UTF-8").to_owned();
    let capabilities: Capabilities =
        serde_json::from_value(json!({ "file_read": [path] })).expect("capabilities");
    let node = node::node_allowing(Meter::Fuel, capabilities.clone());
    let sandbox = node.spawn(None).expect("a sandbox");
    let mut table = Table::new(
        "Reading a file of 1 MiB, recorded",
        &[
            "agent",
            "reads",
            "does not",
            "more",
            "`std::fs::read`",
            "goal",
        ],
    );
    let agents = [
        (
            "agent.py",
            "def run(path):\n    return len(open(path, 'rb').read()) if path else 0\n",
        ),
        (
            "agent.js",
            "import { files } from 'oacp';\nexport const run = (path) => (path ? files.readBytes(path).length : 0);\n",
        ),
    ];
    for (name, text) in agents {
        let mut times: [Vec<Duration>; 3] = Default::default();
        for round in 0..110 {
            for (times, input) in times.iter_mut().zip([json!(path), json!("")]) {
                let mut call = node::call(&node, name, text, input.clone());
                call.asked = capabilities.clone();
                let begun = Instant::now();
                let execution = node::block_on(oacp_gateway::execute(&node, &sandbox, call))
                    .expect("an execution");
                if round >= 10 {
                    times.push(begun.elapsed());
                }
                let expected: &[u8] = if input == json!("") { b"0" } else { b"1048576" };
                assert_eq!(execution.output, expected, "{:?}", execution.failure);
            }
            let begun = Instant::now();
            assert_eq!(std::fs::read(&file).expect("the file").len(), 1 << 20);
            times[2].push(begun.elapsed());
        }
        let [reads, does_not, native] = times.map(median);
        table.row([
            name.to_owned(),
            ms(reads),
            ms(does_not),
            ms(reads.saturating_sub(does_not)),
            ms(native),
            "≤ 3 ms more".to_owned(),
        ]);
    }
    table.print();
}

/// A small exchange over a kept connection, in turn with plain `reqwest` to the same server.
fn exchanging() {
    let port = serve();
    let url = format!("http://127.0.0.1:{port}/");
    let host = format!("127.0.0.1:{port}");
    let capabilities: Capabilities = serde_json::from_value(
        json!({ "network": { "allowlist": [{ "host": host, "private": true }] } }),
    )
    .expect("capabilities");
    let grant = Grant::attenuate(&capabilities, &capabilities);
    let client = Client::new(grant, BTreeMap::new(), &Options::default()).expect("a client");
    let plain = reqwest::Client::new();
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..1100 {
        let begun = Instant::now();
        let body = node::block_on(async {
            let request = Request::new("GET", &url, &[], Vec::new()).expect("a request");
            client.exchange(request).await.expect("a response").body
        });
        let through = begun.elapsed();
        assert_eq!(body, BODY);
        let begun = Instant::now();
        let body = node::block_on(async {
            let response = plain.get(&url).send().await.expect("a response");
            response.bytes().await.expect("a body")
        });
        let beside = begun.elapsed();
        assert_eq!(body, BODY);
        if round >= 100 {
            with.push(through);
            without.push(beside);
        }
    }
    let (with, without) = (median(with), median(without));
    let mut table = Table::new(
        "An HTTP exchange on loopback, connection kept",
        &["through egress", "plain `reqwest`", "more", "goal"],
    );
    table.row([
        us(with),
        us(without),
        us(with.saturating_sub(without)),
        "≤ 150 µs more".to_owned(),
    ]);
    table.print();
}

const BODY: &[u8] = b"{\"a\":1}";

/// Answers each request alike; returns its port.
fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _ = stream.set_nodelay(true);
                let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
                let mut stream = stream;
                while let Some(Ok(line)) = lines.next() {
                    if line.is_empty() {
                        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n";
                        let reply = [head.as_bytes(), BODY].concat();
                        if stream.write_all(&reply).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    port
}
