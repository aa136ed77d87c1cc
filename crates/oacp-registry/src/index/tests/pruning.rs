//! What is taken out is gone.

use super::*;

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
