//! An index that has rotted is no reason to give a wrong answer.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use oacp::digest::Digest;
use oacp::entry::Entry;
use oacp::id::ExecutionId;
use oacp::leaf::LeafKind;
use oacp_registry::fsck::{self, Report};
use oacp_registry::index::Row;
use oacp_registry::sequencer::{FlushError, Placed, Rows, Sequencer, SequencerOptions};
use oacp_registry::storage::Directory;
use oacp_registry::storage::disk::OsDisk;
use oacp_registry::{AppendError, Log};

use crate::directory::open;
use crate::fixture::{NOW_MS, Sandbox, execution_id, log_key, now, origin};

const INDEX: &str = "index.sqlite";

/// A log of a delegation and 40 executions, which is closed. Its signer goes on.
async fn make(dir: &Path) -> Sandbox {
    let log = open(dir);
    let mut sandbox = Sandbox::new(1);
    log.append(sandbox.delegation.clone()).await.unwrap();
    for n in 1..=40 {
        let execution = sandbox.execution(execution_id(n), "agent", "alice");
        assert_eq!(log.append(execution).await.unwrap().index, n);
    }
    sandbox
}

/// Where some bytes are in the index's file: those of an id are in its row, and in what is searched by ids.
fn places(dir: &Path, bytes: &[u8]) -> Vec<usize> {
    let file = fs::read(dir.join(INDEX)).unwrap();
    let windows = file.windows(bytes.len()).enumerate();
    let places: Vec<_> = windows
        .filter(|(_, window)| *window == bytes)
        .map(|(at, _)| at)
        .collect();
    assert_eq!(places.len(), 2);
    places
}

fn write(dir: &Path, at: usize, bytes: &[u8]) {
    let mut file = fs::read(dir.join(INDEX)).unwrap();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    fs::write(dir.join(INDEX), file).unwrap();
}

fn check(dir: &Path, log: &Log) -> Report {
    fsck::check(dir, &log.verifier(), None, &mut |_, _| {}).unwrap()
}

#[tokio::test]
async fn a_row_that_has_rotted_into_another_id_is_no_conflict() {
    let dir = tempfile::tempdir().unwrap();
    let mut sandbox = make(dir.path()).await;
    // Between the ids of entries 5 and 6, so that it is found.
    let other = ExecutionId::new(NOW_MS.unsigned_abs() + 5, [0xff; 10]);
    for at in places(dir.path(), execution_id(5).as_bytes()) {
        write(dir.path(), at, other.as_bytes());
    }
    let execution = sandbox.execution(other, "agent", "alice");
    {
        let log = open(dir.path());
        for _ in 0..2 {
            match log.append(execution.clone()).await {
                Err(AppendError::Stopped { reason }) => {
                    assert!(
                        reason.contains("the row of entry 5 is not what was written"),
                        "{reason}"
                    );
                    assert!(reason.contains("`oacp log reindex`"), "{reason}");
                }
                answer => panic!("{answer:?}"),
            }
        }
        log.index_of(LeafKind::Execution, other).unwrap_err();
        log.payload(5).unwrap_err();
        // It has stopped nothing else.
        let next = sandbox.execution(execution_id(41), "agent", "alice");
        assert_eq!(log.append(next).await.unwrap().index, 41);
        let report = check(dir.path(), &log);
        assert!(!report.is_sound());
        let what = &report.findings[0].what;
        assert!(
            what.starts_with("the row of entry 5 is not what was written"),
            "{report:#?}"
        );
    }
    fs::remove_file(dir.path().join(INDEX)).unwrap();
    let log = open(dir.path());
    assert_eq!(log.append(execution).await.unwrap().index, 42);
    assert!(check(dir.path(), &log).findings.is_empty());
}

#[tokio::test]
async fn a_row_that_is_not_found_any_more_is_named() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path()).await;
    let whole = fs::read(dir.path().join(INDEX)).unwrap();
    let mut found = Vec::new();
    for at in places(dir.path(), execution_id(5).as_bytes()) {
        write(dir.path(), at + 15, &[0x80]);
        let report = check(dir.path(), &open(dir.path()));
        assert!(!report.is_sound());
        found.push(
            report
                .findings
                .into_iter()
                .map(|finding| finding.what)
                .collect::<Vec<_>>(),
        );
        fs::write(dir.path().join(INDEX), &whole).unwrap();
    }
    let anew = "`oacp log reindex` makes the index anew";
    let hidden = format!("the row of entry 5 is not found by the id of its entry; {anew}");
    let rotten = format!("the row of entry 5 is not what was written; {anew}");
    found.sort();
    assert_eq!(found, [vec![hidden.clone()], vec![hidden, rotten]]);

    // Making it anew would fail, and leave none.
    let places = places(dir.path(), execution_id(5).as_bytes());
    write(dir.path(), places[0] + 15, &[0x80]);
    let segment = dir.path().join("segments/0000000000.seg");
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let report = fsck::check(dir.path(), &log_key().verifier(), None, &mut |_, _| {}).unwrap();
    let advice = report.findings[0].what.rsplit("; ").next().unwrap();
    assert!(
        advice.starts_with("it cannot be made anew while a segment is damaged"),
        "{report:#?}"
    );
}

#[tokio::test]
async fn an_index_of_another_log_is_named() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    make(dir.path()).await;
    let log = open(other.path());
    log.append(Sandbox::new(2).delegation).await.unwrap();
    drop(log);
    fs::copy(dir.path().join(INDEX), other.path().join(INDEX)).unwrap();
    let report = fsck::check(other.path(), &log_key().verifier(), None, &mut |_, _| {}).unwrap();
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| finding.what.as_str())
        .collect();
    assert_eq!(
        found,
        [
            "has 41 rows, the log has 1 entries",
            "the row of entry 0 is of another entry; `oacp log reindex` makes the index anew"
        ]
    );
    fs::remove_file(other.path().join(INDEX)).unwrap();
    let report = fsck::check(other.path(), &log_key().verifier(), None, &mut |_, _| {}).unwrap();
    assert!(
        report.is_sound() && report.findings.len() == 1,
        "{report:#?}"
    );
}

#[tokio::test]
async fn an_index_whose_last_row_has_rotted_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path()).await;
    for at in places(dir.path(), execution_id(40).as_bytes()) {
        write(dir.path(), at + 15, &[0x80]);
    }
    let log = open(dir.path());
    let found = log.index_of(LeafKind::Execution, execution_id(40)).unwrap();
    assert_eq!(found, Some(40));
    assert!(check(dir.path(), &log).findings.is_empty());
}

/// An index that takes everything for entry 0.
#[derive(Default)]
struct Wrong {
    rows: Mutex<Vec<Row>>,
}

impl Rows for Wrong {
    fn through(&self) -> io::Result<u64> {
        Ok(self.rows.lock().unwrap().len() as u64)
    }

    fn add(&self, rows: Vec<Row>) -> io::Result<()> {
        self.rows.lock().unwrap().extend(rows);
        Ok(())
    }

    fn candidates(&self, _: LeafKind, _: &[u8; 16], _: &Digest) -> io::Result<Vec<u64>> {
        Ok(vec![0])
    }
}

#[test]
fn a_row_of_an_entry_of_another_kind_is_an_error_and_not_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Arc::new(Directory::open(dir.path(), OsDisk::default()).unwrap());
    let options = SequencerOptions {
        origin: origin(),
        key: log_key(),
        publishes: true,
    };
    let rows = Wrong::default();
    let mut sequencer = Sequencer::open(storage, options, &rows).unwrap();
    let mut sandbox = Sandbox::new(1);
    let entry =
        |envelope: oacp::envelope::Envelope| Entry::parse_unverified(&envelope.to_json()).unwrap();
    let delegation = entry(sandbox.delegation.clone());
    let execution = entry(sandbox.execution(execution_id(1), "agent", "alice"));
    let time = now().unix_ms();
    let mut placed = Vec::new();
    let empty = NoRows;
    sequencer
        .flush(&[delegation], time, &empty, &mut |answer| placed = answer)
        .unwrap();
    assert_eq!(placed, [Placed::New(0)]);
    let answer = sequencer.flush(&[execution], time, &rows, &mut |answer| placed = answer);
    match answer {
        Err(FlushError::Rows(error)) => {
            assert!(error.to_string().contains("`oacp log reindex`"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((sequencer.size(), sequencer.stopped()), (1, None));
}

/// An index that has nothing.
struct NoRows;

impl Rows for NoRows {
    fn through(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn add(&self, _: Vec<Row>) -> io::Result<()> {
        Ok(())
    }

    fn candidates(&self, _: LeafKind, _: &[u8; 16], _: &Digest) -> io::Result<Vec<u64>> {
        Ok(vec![])
    }
}
