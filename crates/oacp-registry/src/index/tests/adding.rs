//! Adding, by one process and by two.

use super::*;

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
