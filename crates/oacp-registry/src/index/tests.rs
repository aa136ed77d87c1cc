//! What the index promises, on files of its own.

mod adding;
mod file;
mod finding;
mod pruning;

use std::fs;
use std::path::PathBuf;

use oacp::delegation::Delegation;
use oacp::isolation::{Isolation, IsolationKind};
use oacp::key::SecretKey;

use super::*;

/// A directory for one index.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("index.sqlite")
    }

    fn open(&self) -> Index {
        Index::open(&self.path()).unwrap()
    }

    /// All that the index's files hold.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in fs::read_dir(self.dir.path()).unwrap() {
            bytes.extend(fs::read(entry.unwrap().path()).unwrap());
        }
        bytes
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn digest(of: &str, number: u64) -> Digest {
    Digest::of(format!("{of} {number}").as_bytes())
}

fn sandbox(number: u64) -> SandboxId {
    SandboxId::new(1_795_378_445_000 + number, [7; 10])
}

fn execution(number: u64) -> ExecutionId {
    ExecutionId::new(1_795_378_445_000 + number, [9; 10])
}

fn time(number: u64) -> Timestamp {
    Timestamp::from_unix_ms(1_795_378_445_000 + number as i64)
}

fn row(index: u64, facts: Facts) -> Row {
    Row {
        index,
        kind: facts.kind,
        id: facts.id,
        pae: digest("pae", index),
        place: Place {
            segment: (index / 1000) as u32,
            offset: 4096 * index,
        },
        facts: Some(facts),
    }
}

fn facts(kind: LeafKind, id: [u8; 16]) -> Facts {
    Facts {
        kind,
        id,
        sandbox: None,
        time: None,
        sequence: None,
        agent: None,
        tools: vec![],
        outcome: None,
        principal: None,
        delegation: None,
    }
}

/// Of ten sandboxes, three agents, four tools, two principals; every seventh is denied.
fn ran(index: u64) -> Row {
    let tools = match index % 4 {
        0 => vec![],
        1 => vec![("files.read".to_owned(), Some(digest("tool", 1)))],
        2 => vec![("web_search".to_owned(), None)],
        _ => vec![
            ("files.read".to_owned(), Some(digest("tool", 2))),
            ("web_search".to_owned(), Some(digest("tool", 1))),
        ],
    };
    let facts = Facts {
        sandbox: Some(sandbox(index % 10)),
        time: Some(time(index)),
        sequence: Some(index / 10),
        agent: Some(digest("agent", index % 3)),
        tools,
        outcome: Some(if index.is_multiple_of(7) {
            Outcome::Denied
        } else {
            Outcome::Ok
        }),
        principal: Some(["ada", "100%_sure\\"][(index % 2) as usize].to_owned()),
        ..facts(LeafKind::Execution, *execution(index).as_bytes())
    };
    row(index, facts)
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 32])
}

fn delegated(index: u64, number: u8) -> Row {
    let delegation = Delegation {
        sandbox_id: sandbox(index),
        key: key(number).public(),
        isolation: Isolation::new(IsolationKind::Standard),
        not_before: time(index),
        not_after: time(index + 1000),
        evidence: None,
        log: None,
        critical: vec![],
        unknown: vec![],
    };
    let facts = Facts {
        sandbox: Some(sandbox(index)),
        time: Some(time(index)),
        delegation: Some(delegation),
        ..facts(LeafKind::Delegation, *sandbox(index).as_bytes())
    };
    row(index, facts)
}

fn rows(indexes: std::ops::Range<u64>) -> Vec<Row> {
    indexes.map(ran).collect()
}

fn all(index: &Index, query: &Query) -> Vec<Found> {
    let (mut found, mut query) = (Vec::new(), query.clone());
    loop {
        let page = index.find(&query).unwrap();
        found.extend(page.rows);
        match page.next {
            Some(next) => {
                assert!(query.after.is_none_or(|after| next > after));
                query.after = Some(next);
            }
            None => return found,
        }
    }
}

fn indexes(found: &[Found]) -> Vec<u64> {
    found.iter().map(|found| found.index).collect()
}
