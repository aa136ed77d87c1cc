//! What is looked for is found.

use super::*;

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
