//! A hundred times, two processes that append to one directory are killed in the middle of it; nothing that they were told is in the log
//! may be missing, and no checkpoint that anybody saw may be contradicted.
//!
//! SIGKILL says nothing of what a power cut does, since what was written stays in the system's cache: that is for the simulation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![cfg(unix)]

#[path = "../fixture/mod.rs"]
mod fixture;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use oacp::digest::Digest;
use oacp::leaf::LeafKind;
use oacp_registry::{Log, LogOptions, Publication, fsck};
use oacp_tlog::checkpoint::SignedCheckpoint;
use oacp_tlog::tree::verify_consistency;

use crate::fixture::{Sandbox, execution_id};

const ROUNDS: u64 = 100;
const APPENDER: &str = "OACP_TEST_APPENDER";

fn open(dir: &Path) -> Log {
    let options = LogOptions {
        origin: fixture::origin(),
        key: fixture::log_key(),
        nodes: vec![fixture::node().public()],
        publication: Publication::AtOnce,
        clock: Arc::new(fixture::now),
    };
    Log::open(dir, options).unwrap()
}

/// Not a test: what the test starts. Appends until it is killed, and says of each entry where it is, after it was told.
#[tokio::test]
#[ignore = "what the test below starts, and kills"]
async fn appender() {
    let job = std::env::var(APPENDER).expect("started by the test");
    let (number, dir) = job.split_once(' ').unwrap();
    let number: u64 = number.parse().unwrap();
    let log = open(Path::new(dir));
    let mut sandbox = Sandbox::new(number);
    log.append(sandbox.delegation.clone()).await.unwrap();
    let mut out = std::io::stdout();
    for round in 0.. {
        let envelopes: Vec<_> = (0..1 + round % 7)
            .map(|n| {
                let id = execution_id(number * 1_000_000 + round * 10 + n);
                sandbox.execution(id, "agent", "alice")
            })
            .collect();
        let digests: Vec<_> = envelopes
            .iter()
            .map(|envelope| envelope.pae_digest())
            .collect();
        let entries = log.admit_all(envelopes).into_iter().map(Result::unwrap);
        let appended = log.append_entries(entries.collect()).await.unwrap();
        for (digest, appended) in digests.iter().zip(appended) {
            writeln!(out, "\nacknowledged {} {digest}", appended.unwrap().index).unwrap();
        }
        let checkpoint = log.checkpoint().unwrap().to_string().replace('\n', "|");
        writeln!(out, "\ncheckpoint {checkpoint}").unwrap();
    }
}

fn start(number: u64, dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["appender", "--exact", "--ignored", "--nocapture"])
        .env(APPENDER, format!("{number} {}", dir.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// What the appenders were told.
#[derive(Default)]
struct Told {
    entries: BTreeMap<u64, Digest>,
    checkpoints: Vec<SignedCheckpoint>,
}

impl Told {
    /// Takes in a line, if it is whole: the last one may have been cut off.
    fn hear(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("acknowledged ") {
            let (index, digest) = rest.split_once(' ').unwrap();
            let digest: Digest = digest.parse().unwrap();
            let before = self.entries.insert(index.parse().unwrap(), digest);
            assert!(
                before.is_none_or(|before| before == digest),
                "{index} was given twice"
            );
        } else if let Some(rest) = line.strip_prefix("checkpoint ") {
            let note = rest.replace('|', "\n");
            self.checkpoints
                .push(SignedCheckpoint::parse(note.as_bytes()).unwrap());
        }
    }
}

fn whole_lines(child: &mut Child) -> impl Iterator<Item = String> {
    let out = BufReader::new(child.stdout.take().unwrap());
    out.split(b'\n')
        .map_while(Result::ok)
        .filter_map(|line| String::from_utf8(line).ok())
}

#[test]
fn what_was_acknowledged_survives_being_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    for round in 0..ROUNDS {
        let mut children = [
            start(2 * round + 1, dir.path()),
            start(2 * round + 2, dir.path()),
        ];
        // How far the first gets differs from round to round; the second is killed wherever it is.
        let mut acknowledgements = 1 + round % 9;
        let [first, second] = &mut children;
        let mut lines = Vec::new();
        let mut out = BufReader::new(first.stdout.take().unwrap());
        while acknowledgements > 0 {
            let mut line = String::new();
            assert!(
                out.read_line(&mut line).unwrap() > 0,
                "the appender ended by itself"
            );
            acknowledgements -= u64::from(line.starts_with("acknowledged "));
            lines.push(line.trim_end().to_owned());
        }
        first.kill().unwrap();
        second.kill().unwrap();
        lines.extend(
            out.lines()
                .map_while(Result::ok)
                .filter(|line| !is_cut_off(line)),
        );
        lines.extend(whole_lines(second).filter(|line| !is_cut_off(line)));
        for child in &mut children {
            child.wait().unwrap();
        }
        lines.iter().for_each(|line| told.hear(line));
        check(dir.path(), &told, round);
    }
    println!("{} entries were acknowledged", told.entries.len());
}

/// Whether a line may lack its end: what a killed process wrote last.
fn is_cut_off(line: &str) -> bool {
    let is_acknowledgement = line.starts_with("acknowledged ");
    let is_checkpoint = line.starts_with("checkpoint ");
    (is_acknowledgement
        && line
            .rsplit("sha256:")
            .next()
            .is_none_or(|hex| hex.len() != 64))
        || (is_checkpoint && !line.ends_with('|'))
        || !(is_acknowledgement || is_checkpoint)
}

fn check(dir: &Path, told: &Told, round: u64) {
    let log = open(dir);
    let report = fsck::check(dir, &log.verifier(), None, &mut |_, _| {}).unwrap();
    assert!(report.is_sound(), "round {round}: {report:#?}");
    for (index, digest) in &told.entries {
        let leaf = log.leaf(*index).unwrap();
        assert_eq!(
            (leaf.kind, leaf.pae),
            (LeafKind::Execution, *digest),
            "round {round}"
        );
        assert_eq!(log.payload(*index).unwrap().pae_digest(), *digest);
    }
    let now = log.committed();
    for seen in told.checkpoints.iter().rev().take(20) {
        assert!(seen.verify(&log.verifier()));
        let proof = log.consistency(seen.size(), now.size()).unwrap();
        let (old, new) = (seen.root(), now.root());
        verify_consistency(seen.size(), now.size(), &proof, &old, &new).unwrap();
    }
}
