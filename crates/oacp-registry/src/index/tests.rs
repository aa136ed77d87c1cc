//! What the index promises, on files of its own.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

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

#[test]
fn what_was_added_is_found_by_id_digest_and_index() {
    let bench = Bench::new();
    let index = bench.open();
    assert_eq!(index.through().unwrap(), 0);
    assert_eq!(index.add(0, &rows(0..3000)).unwrap(), 3000);
    assert_eq!(index.through().unwrap(), 3000);
    let row = ran(1234);
    let located = index.by_index(1234).unwrap().unwrap();
    assert_eq!(located.place, Some(row.place));
    assert!(located.may_be(&row.pae) && !located.may_be(&digest("pae", 1)));
    assert_eq!((located.kind, located.id), (row.kind, row.id));
    assert_eq!(
        index.by_id(LeafKind::Execution, row.id).unwrap(),
        Some(located)
    );
    assert_eq!(index.by_digest(&row.pae).unwrap(), [located]);
    assert_eq!(index.same(row.kind, row.id, &row.pae).unwrap(), [located]);
    assert_eq!(index.by_id(LeafKind::Begin, row.id).unwrap(), None);
    assert_eq!(index.by_index(3000).unwrap(), None);
    assert_eq!(index.by_index(u64::MAX).unwrap(), None);
    assert_eq!(index.by_digest(&digest("pae", 3000)).unwrap(), []);
    assert_eq!(index.same(row.kind, row.id, &digest("pae", 1)).unwrap(), []);
}

#[test]
fn what_is_found_is_what_was_said() {
    let bench = Bench::new();
    let index = bench.open();
    index.add(0, &rows(0..10)).unwrap();
    let query = Query {
        execution: Some(execution(7)),
        ..Query::default()
    };
    let facts = ran(7).facts.unwrap();
    let page = index.find(&query).unwrap();
    assert_eq!(page.next, None);
    assert_eq!(
        page.rows,
        [Found {
            index: 7,
            kind: LeafKind::Execution,
            id: *execution(7).as_bytes(),
            pruned: false,
            time: facts.time,
            sequence: facts.sequence,
            sandbox: facts.sandbox,
            agent: facts.agent,
            tools: facts.tools,
            outcome: facts.outcome,
            principal: facts.principal,
        }]
    );
}

#[test]
fn every_filter_and_every_pair_of_them_finds_what_reading_everything_finds() {
    let bench = Bench::new();
    let index = bench.open();
    // Over the edge of a bucket.
    let first = 65_536 - 1500;
    let mut rows: Vec<Row> = rows(first..first + 3000);
    for (at, kind) in [
        (100, LeafKind::Begin),
        (200, LeafKind::Close),
        (1600, LeafKind::Begin),
        (1700, LeafKind::Tool),
    ] {
        let facts = facts(kind, rows[at].id);
        rows[at] = row(first + at as u64, facts);
    }
    // What is before has to be there, and fits nothing.
    let nothing: Vec<Row> = (0..first)
        .map(|index| Row {
            facts: None,
            ..ran(index)
        })
        .collect();
    index.add(0, &nothing).unwrap();
    index.add(first, &rows).unwrap();
    let filters: Vec<(&str, Query)> = [
        (
            "execution",
            Query {
                execution: Some(execution(first + 5)),
                ..Query::default()
            },
        ),
        (
            "its begin",
            Query {
                execution: Some(execution(first + 100)),
                ..Query::default()
            },
        ),
        (
            "sandbox",
            Query {
                sandbox: Some(sandbox(3)),
                ..Query::default()
            },
        ),
        (
            "agent",
            Query {
                agent: Some(digest("agent", 1)),
                ..Query::default()
            },
        ),
        (
            "tool",
            Query {
                tool: Some("files.read".to_owned()),
                ..Query::default()
            },
        ),
        (
            "no tool",
            Query {
                tool: Some("files_read".to_owned()),
                ..Query::default()
            },
        ),
        (
            "tool hash",
            Query {
                tool_hash: Some(digest("tool", 1)),
                ..Query::default()
            },
        ),
        (
            "outcome",
            Query {
                outcome: Some(Outcome::Denied),
                ..Query::default()
            },
        ),
        (
            "ok",
            Query {
                outcome: Some(Outcome::Ok),
                ..Query::default()
            },
        ),
        (
            "principal",
            Query {
                principal: Some("ada".to_owned()),
                ..Query::default()
            },
        ),
        (
            "special characters",
            Query {
                principal: Some("100%_sure\\".to_owned()),
                ..Query::default()
            },
        ),
        (
            "pattern",
            Query {
                principal: Some("%".to_owned()),
                ..Query::default()
            },
        ),
        (
            "kind",
            Query {
                kind: Some(LeafKind::Execution),
                ..Query::default()
            },
        ),
        (
            "rare kind",
            Query {
                kind: Some(LeafKind::Close),
                ..Query::default()
            },
        ),
        (
            "since",
            Query {
                since: Some(time(first + 2000)),
                ..Query::default()
            },
        ),
        (
            "until",
            Query {
                until: Some(time(first + 700)),
                ..Query::default()
            },
        ),
        (
            "after",
            Query {
                after: Some(first + 1500),
                ..Query::default()
            },
        ),
    ]
    .into();
    let fits = |query: &Query, row: &Row| {
        let Some(facts) = &row.facts else {
            return false;
        };
        let called = |(name, hash): &(String, Option<Digest>)| {
            query.tool.as_ref().is_none_or(|tool| tool == name)
                && query.tool_hash.is_none_or(|digest| *hash == Some(digest))
        };
        let is_execution = matches!(row.kind, LeafKind::Execution | LeafKind::Begin);
        query
            .execution
            .is_none_or(|id| is_execution && *id.as_bytes() == row.id)
            && query.sandbox.is_none_or(|id| facts.sandbox == Some(id))
            && query.agent.is_none_or(|agent| facts.agent == Some(agent))
            && (query.tool.is_none() && query.tool_hash.is_none() || facts.tools.iter().any(called))
            && query.outcome.is_none_or(|it| facts.outcome == Some(it))
            && (query.principal.is_none() || facts.principal == query.principal)
            && query.kind.is_none_or(|kind| row.kind == kind)
            && query
                .since
                .is_none_or(|since| facts.time.is_some_and(|time| time >= since))
            && query
                .until
                .is_none_or(|until| facts.time.is_some_and(|time| time <= until))
            && query.after.is_none_or(|after| row.index > after)
    };
    for (one, a) in &filters {
        for (other, b) in &filters {
            let both = Query {
                execution: a.execution.or(b.execution),
                sandbox: a.sandbox.or(b.sandbox),
                agent: a.agent.or(b.agent),
                tool: a.tool.clone().or(b.tool.clone()),
                tool_hash: a.tool_hash.or(b.tool_hash),
                outcome: a.outcome.or(b.outcome),
                principal: a.principal.clone().or(b.principal.clone()),
                kind: a.kind.or(b.kind),
                since: a.since.or(b.since),
                until: a.until.or(b.until),
                after: a.after.or(b.after).or(Some(first - 1)),
                limit: 300,
            };
            let expected: Vec<u64> = rows
                .iter()
                .filter(|row| fits(&both, row))
                .map(|row| row.index)
                .collect();
            let found = indexes(&all(&index, &both));
            assert_eq!(found, expected, "{one}, {other}");
        }
    }
}

#[test]
fn pages_stay_as_they_are_while_entries_are_added() {
    let bench = Bench::new();
    let index = bench.open();
    index.add(0, &rows(0..500)).unwrap();
    let query = Query {
        agent: Some(digest("agent", 0)),
        limit: 50,
        ..Query::default()
    };
    let first = index.find(&query).unwrap();
    assert_eq!(first.rows.len(), 50);
    index.add(500, &rows(500..1000)).unwrap();
    assert_eq!(index.find(&query).unwrap(), first);
    let everything = all(&index, &query);
    assert_eq!(everything.len(), 334);
    assert_eq!(everything[..50], first.rows);
    // The end: nothing is left, and a later question goes on from there.
    let mut last = Query {
        after: Some(everything[333].index),
        ..query
    };
    assert_eq!(index.find(&last).unwrap(), Page::default());
    index.add(1000, &rows(1000..1010)).unwrap();
    last.limit = usize::MAX;
    assert_eq!(
        indexes(&index.find(&last).unwrap().rows),
        [1002, 1005, 1008]
    );
    last.limit = 0;
    assert_eq!(index.find(&last).unwrap().rows.len(), 1);
}

#[test]
fn a_page_that_finds_nothing_for_long_says_where_to_go_on() {
    let bench = Bench::new();
    let index = bench.open();
    index.add(0, &rows(0..25_000)).unwrap();
    // Nobody else is of this principal with an odd number: every row is looked at.
    let query = Query {
        outcome: Some(Outcome::Ok),
        kind: Some(LeafKind::Begin),
        ..Query::default()
    };
    let page = index.find(&query).unwrap();
    assert!(page.rows.is_empty());
    assert_eq!(page.next, Some(EXAMINED_ROWS_MAX as u64 - 1));
    assert!(all(&index, &query).is_empty());
}

#[test]
fn two_writers_add_the_same_entries_and_each_is_there_once() {
    let bench = Bench::new();
    let (one, other) = (bench.open(), bench.open());
    assert_eq!(one.add(0, &rows(0..100)).unwrap(), 100);
    assert_eq!(other.add(0, &rows(0..150)).unwrap(), 150);
    assert_eq!(other.add(50, &rows(50..80)).unwrap(), 150);
    assert_eq!(one.add(100, &rows(100..120)).unwrap(), 150);
    assert_eq!(one.add(120, &rows(120..200)).unwrap(), 200);
    assert_eq!(one.add(7, &[]).unwrap(), 200);
    let found = all(&other, &Query::default());
    assert_eq!(indexes(&found), (0..200).collect::<Vec<_>>());
    assert_eq!(
        other.counts().unwrap(),
        [Count {
            kind: LeafKind::Execution,
            entries: 200,
            pruned: 0
        }]
    );
}

#[test]
fn writers_and_readers_run_side_by_side() {
    let bench = Bench::new();
    let (one, other) = (bench.open(), bench.open());
    std::thread::scope(|scope| {
        for writer in [&one, &other] {
            scope.spawn(move || {
                while writer.through().unwrap() < 5000 {
                    let through = writer.through().unwrap();
                    writer.add(through, &rows(through..through + 100)).unwrap();
                }
            });
        }
        for reader in [&one, &other, &one] {
            scope.spawn(move || {
                loop {
                    let query = Query {
                        sandbox: Some(sandbox(4)),
                        limit: 1000,
                        ..Query::default()
                    };
                    let through = reader.through().unwrap();
                    let found = indexes(&reader.find(&query).unwrap().rows);
                    let expected = (0..).map(|n| n * 10 + 4);
                    assert!(found.iter().copied().eq(expected.take(found.len())));
                    assert!(found.len() as u64 >= through / 10);
                    if through >= 5000 {
                        return;
                    }
                }
            });
        }
    });
    assert_eq!(
        indexes(&all(&one, &Query::default())),
        (0..one.through().unwrap()).collect::<Vec<_>>()
    );
}

#[test]
fn a_gap_is_refused_and_nothing_is_added() {
    let bench = Bench::new();
    let index = bench.open();
    index.add(0, &rows(0..10)).unwrap();
    assert!(matches!(
        index.add(11, &rows(11..12)),
        Err(IndexError::Gap {
            through: 10,
            from: 11
        })
    ));
    let mut hole = rows(10..20);
    hole.remove(5);
    assert!(matches!(
        index.add(10, &hole),
        Err(IndexError::Gap {
            through: 15,
            from: 16
        })
    ));
    assert_eq!(index.through().unwrap(), 10);
    // Names that the refused rows were the first to have are given numbers anew.
    index.add(10, &[delegated(10, 1)]).unwrap();
    let mut other = ran(11);
    other.facts.as_mut().unwrap().principal = Some("eve".to_owned());
    index.add(11, &[other]).unwrap();
    assert_eq!(
        all(&index, &Query::default())[11].principal.as_deref(),
        Some("eve")
    );
}

#[test]
fn a_delegation_is_found_by_its_key() {
    let bench = Bench::new();
    let index = bench.open();
    index
        .add(0, &[delegated(0, 1), delegated(1, 2), delegated(2, 1)])
        .unwrap();
    let found = |number| {
        let found = index.delegation(key(number).public().id()).unwrap();
        found.map(|found| (found.index, found.id))
    };
    assert_eq!(found(1), Some((2, *sandbox(2).as_bytes())));
    assert_eq!(found(2), Some((1, *sandbox(1).as_bytes())));
    assert_eq!(found(3), None);
    let query = Query {
        kind: Some(LeafKind::Delegation),
        ..Query::default()
    };
    assert_eq!(indexes(&all(&index, &query)), [0, 1, 2]);
}

#[test]
fn every_bucket_is_asked_and_none_is_read_through() {
    let bench = Bench::new();
    let index = bench.open();
    let connection = index.reader();
    for sql in [search::BY_DIGEST, search::DELEGATION] {
        let mut plan = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let unbound = vec![None::<i64>; plan.parameter_count()];
        let steps = plan.query_map(rusqlite::params_from_iter(unbound), |row| {
            row.get::<_, String>(3)
        });
        let steps: Vec<String> = steps.unwrap().map(Result::unwrap).collect();
        assert!(steps[0].starts_with("SCAN bucket"), "{steps:?}");
        assert!(
            steps[1..]
                .iter()
                .all(|step| !step.contains("SCAN") && !step.contains("AUTOMATIC")),
            "{steps:?}"
        );
    }
}

#[test]
fn two_delegations_of_one_sandbox_are_told_apart_by_their_digests() {
    let bench = Bench::new();
    let index = bench.open();
    let again = Row {
        index: 1,
        pae: digest("pae", 1),
        ..delegated(0, 2)
    };
    index.add(0, &[delegated(0, 1), again.clone()]).unwrap();
    let by_id = index.by_id(again.kind, again.id).unwrap().unwrap();
    assert_eq!(by_id.index, 0);
    let same = index.same(again.kind, again.id, &again.pae).unwrap();
    assert_eq!(same.iter().map(|same| same.index).collect::<Vec<_>>(), [1]);
}

#[test]
fn pruning_leaves_no_byte_of_what_was_said_but_of_what_is_kept() {
    let bench = Bench::new();
    let index = bench.open();
    let mut rows = rows(0..6000);
    for row in &mut rows[..1000] {
        let facts = row.facts.as_mut().unwrap();
        let name = format!("tool.of.{}", row.index);
        facts.tools = vec![(name, Some(digest("only", row.index)))];
        facts.principal = Some(format!("somebody-{}", row.index));
        facts.agent = Some(digest("unique", row.index));
        facts.outcome = Some(Outcome::Crashed);
    }
    rows[20] = Row {
        index: 20,
        ..delegated(20, 1)
    };
    index.add(0, &rows).unwrap();
    let secrets = |number: u64| {
        [
            format!("somebody-{number}").into_bytes(),
            format!("tool.of.{number}").into_bytes(),
            digest("unique", number).as_bytes().to_vec(),
            digest("only", number).as_bytes().to_vec(),
        ]
    };
    let bytes = bench.bytes();
    assert!(secrets(500).iter().all(|secret| contains(&bytes, secret)));

    let moved = Place {
        segment: 0,
        offset: 77,
    };
    let kept = [(501, moved)];
    assert_eq!(index.prune(0, &kept).unwrap(), 999);
    let bytes = bench.bytes();
    assert!(!secrets(500).iter().any(|secret| contains(&bytes, secret)));
    assert!(secrets(501).iter().all(|secret| contains(&bytes, secret)));

    // That there was something can be said.
    let gone = index.by_id(LeafKind::Execution, ran(500).id).unwrap();
    let gone = gone.unwrap();
    assert_eq!((gone.index, gone.place), (500, None));
    assert_eq!(index.by_digest(&ran(500).pae).unwrap(), [gone]);
    let query = Query {
        execution: Some(execution(500)),
        ..Query::default()
    };
    let found = all(&index, &query);
    assert!(found[0].pruned && found[0].time.is_none() && found[0].tools.is_empty());
    let delegation = index.delegation(key(1).public().id()).unwrap().unwrap();
    assert_eq!((delegation.index, delegation.place), (20, None));

    // What is kept is where it was put, and is found by everything.
    let kept_place = index.by_index(501).unwrap().unwrap().place;
    assert_eq!(kept_place, Some(moved));
    let query = Query {
        tool: Some("tool.of.501".to_owned()),
        agent: Some(digest("unique", 501)),
        principal: Some("somebody-501".to_owned()),
        outcome: Some(Outcome::Crashed),
        ..Query::default()
    };
    assert_eq!(indexes(&all(&index, &query)), [501]);
    let query = Query {
        outcome: Some(Outcome::Crashed),
        ..Query::default()
    };
    assert_eq!(indexes(&all(&index, &query)), [501]);

    // Other segments are as they were, and a repetition finds nothing to do.
    let query = Query {
        sandbox: Some(sandbox(5)),
        limit: 1000,
        ..Query::default()
    };
    let expected: Vec<u64> = (0..6000).filter(|n| n % 10 == 5 && *n >= 1000).collect();
    assert_eq!(indexes(&all(&index, &query)), expected);
    assert_eq!(index.prune(0, &kept).unwrap(), 0);
    assert_eq!(index.prune(99, &[]).unwrap(), 0);
    // Released: it goes now.
    assert_eq!(index.prune(0, &[]).unwrap(), 1);
    assert!(
        !secrets(501)
            .iter()
            .any(|secret| contains(&bench.bytes(), secret))
    );
    let counts = index.counts().unwrap();
    assert_eq!(counts.iter().map(|count| count.entries).sum::<u64>(), 6000);
    assert_eq!(counts.iter().map(|count| count.pruned).sum::<u64>(), 1000);
}

#[test]
fn names_that_another_process_pruned_are_not_used_again() {
    let bench = Bench::new();
    let (one, other) = (bench.open(), bench.open());
    one.add(0, &rows(0..1000)).unwrap();
    other.prune(0, &[]).unwrap();
    one.add(1000, &rows(1000..1100)).unwrap();
    let query = Query {
        principal: Some("ada".to_owned()),
        limit: 1000,
        ..Query::default()
    };
    let expected: Vec<u64> = (1000..1100).filter(|n| n % 2 == 0).collect();
    assert_eq!(indexes(&all(&one, &query)), expected);
}

#[test]
fn a_pruned_entry_can_be_added() {
    let bench = Bench::new();
    let index = bench.open();
    let pruned = Row {
        facts: None,
        ..ran(0)
    };
    index.add(0, &[pruned, ran(1)]).unwrap();
    let located = index.by_id(LeafKind::Execution, ran(0).id).unwrap();
    assert_eq!(located.unwrap().place, None);
    assert_eq!(index.counts().unwrap()[0].pruned, 1);
    assert_eq!(index.prune(0, &[]).unwrap(), 1);
}

#[test]
fn an_entry_with_too_many_tools_is_found_by_the_first() {
    let bench = Bench::new();
    let index = bench.open();
    let mut row = ran(0);
    let tools = (0..1000).map(|n| (format!("t{n:04}"), None));
    row.facts.as_mut().unwrap().tools = tools.collect();
    index.add(0, &[row]).unwrap();
    let called = |tool: &str| {
        let query = Query {
            tool: Some(tool.to_owned()),
            ..Query::default()
        };
        all(&index, &query).len()
    };
    assert_eq!((called("t0063"), called("t0064")), (1, 0));
    assert_eq!(all(&index, &Query::default())[0].tools.len(), TOOLS_MAX);
}

#[test]
fn an_index_that_was_made_again_is_empty_and_the_old_one_is_not_written_to() {
    let bench = Bench::new();
    let old = bench.open();
    old.add(0, &rows(0..10)).unwrap();
    let new = Index::recreate(&bench.path()).unwrap();
    assert_eq!(new.through().unwrap(), 0);
    assert!(matches!(
        old.add(10, &rows(10..20)),
        Err(IndexError::Replaced)
    ));
    assert!(matches!(old.prune(0, &[]), Err(IndexError::Replaced)));
    new.add(0, &rows(0..5)).unwrap();
    drop((old, new));
    assert_eq!(bench.open().through().unwrap(), 5);
}

#[test]
fn files_that_are_not_an_index_are_refused_and_left_alone() {
    let bench = Bench::new();
    let foreign = Connection::open(bench.path()).unwrap();
    foreign.execute_batch("CREATE TABLE entry (x)").unwrap();
    drop(foreign);
    let before = bench.bytes();
    let refused = |what: &str| match Index::open(&bench.path()) {
        Err(IndexError::Unusable { .. }) => {}
        Err(other) => panic!("{what}: {other}"),
        Ok(_) => panic!("{what}: opened"),
    };
    refused("another program's");
    assert_eq!(bench.bytes(), before);

    Index::recreate(&bench.path())
        .unwrap()
        .add(0, &rows(0..10))
        .unwrap();
    let connection = Connection::open(bench.path()).unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
    drop(connection);
    refused("another version");

    fs::write(
        bench.path(),
        "some text, long enough to be looked at as a header".repeat(9),
    )
    .unwrap();
    refused("text");
    fs::write(bench.path(), [0; 4096]).unwrap();
    refused("zeros");
    assert_eq!(
        Index::recreate(&bench.path()).unwrap().through().unwrap(),
        0
    );
}

#[test]
fn damage_is_an_error_or_not_seen_but_never_a_panic() {
    let bench = Bench::new();
    let index = bench.open();
    index.add(0, &rows(0..2000)).unwrap();
    drop(index);
    let whole = fs::read(bench.path()).unwrap();
    let mut refused = 0;
    let mut look = |bytes: &[u8]| {
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", bench.path().display()));
        }
        fs::write(bench.path(), bytes).unwrap();
        let all = || -> Result<(), IndexError> {
            let index = Index::open(&bench.path())?;
            index.by_id(LeafKind::Execution, ran(7).id)?;
            index.by_digest(&ran(7).pae)?;
            let sandbox = Some(sandbox(4));
            index.find(&Query {
                sandbox,
                limit: 1000,
                ..Query::default()
            })?;
            index.find(&Query {
                limit: 1000,
                ..Query::default()
            })?;
            let through = index.through()?;
            index.add(
                through,
                &rows(through..through.saturating_add(100).min(10_000)),
            )?;
            index.prune(1, &[])?;
            Ok(())
        };
        match all() {
            Ok(()) => {}
            Err(IndexError::Unusable { .. } | IndexError::Gap { .. }) => refused += 1,
            Err(other) => panic!("{other}: {other:?}"),
        }
    };
    for len in [100, 4096, 5000, whole.len() / 2, whole.len() - 4096] {
        look(&whole[..len]);
    }
    let mut state = 1_u64;
    for round in 0..60 {
        let mut bytes = whole.clone();
        for _ in 0..=round % 8 {
            // A multiplicative generator will do to choose places.
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(99);
            let at = (state >> 20) as usize % bytes.len();
            let end = (at + if round % 2 == 0 { 1 } else { 3000 }).min(bytes.len());
            bytes[at..end].fill((state >> 60) as u8);
        }
        look(&bytes);
    }
    assert!(refused >= 10, "{refused}");
}

#[test]
fn many_open_a_new_index_at_once() {
    for _ in 0..10 {
        let bench = Bench::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let index = bench.open();
                    index.add(0, &rows(0..20)).unwrap();
                });
            }
        });
        assert_eq!(bench.open().through().unwrap(), 20);
    }
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let index = bench.open();
    index.add(0, &rows(0..20)).unwrap();
    for entry in fs::read_dir(bench.dir.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

/// Prints rows a second, as the index grows. `INDEX_ROWS` says how far.
#[test]
#[ignore = "a measurement"]
fn measure() {
    let until: u64 = std::env::var("INDEX_ROWS").map_or(1_000_000, |rows| rows.parse().unwrap());
    let distinct = std::env::var("INDEX_DISTINCT").is_ok();
    let bench = Bench::new();
    let index = bench.open();
    let mut busy = std::time::Duration::ZERO;
    let (mut at, mut rows, mut longest) = (0, 0, busy);
    while at < until {
        let batch: Vec<Row> = (at..at + 2000)
            .map(|n| {
                let mut row = ran(n);
                let facts = row.facts.as_mut().unwrap();
                facts.sandbox = Some(sandbox(n / 20));
                facts.agent = Some(digest("agent", if distinct { n } else { n % 500 }));
                facts.outcome = Some(if n % 50 == 0 {
                    Outcome::Denied
                } else {
                    Outcome::Ok
                });
                row
            })
            .collect();
        let start = Instant::now();
        index.add(at, &batch).unwrap();
        busy += start.elapsed();
        longest = longest.max(start.elapsed());
        (at, rows) = (at + 2000, rows + 2000);
        if [200_000, 1_000_000].contains(&at) || at.is_multiple_of(1_000_000) {
            let bytes = fs::metadata(bench.path()).unwrap().len();
            let look = Instant::now();
            for n in 0..1000 {
                let row = ran(at * n / 1000);
                assert_eq!(index.same(row.kind, row.id, &row.pae).unwrap().len(), 1);
            }
            let same = look.elapsed() / 1000;
            let look = Instant::now();
            for n in 0..100 {
                let found = index.by_digest(&ran(at * n / 100).pae).unwrap();
                assert_eq!(found.len(), 1);
            }
            let digests = look.elapsed() / 100;
            let look = Instant::now();
            let query = Query {
                sandbox: Some(sandbox(at / 40)),
                ..Query::default()
            };
            assert_eq!(index.find(&query).unwrap().rows.len(), 20);
            println!(
                "{at} rows: {:.0} rows/s, a batch {longest:?} at most, {} bytes a row, by id {same:?}, by digest {digests:?}, a sandbox {:?}",
                f64::from(rows as u32) / busy.as_secs_f64(),
                bytes / at,
                look.elapsed()
            );
            (busy, rows, longest) = Default::default();
        }
    }
}
