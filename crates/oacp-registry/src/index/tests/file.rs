//! The file: whose it is, and what if it is damaged.

use super::*;

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
    connection.pragma_update(None, "user_version", 99).unwrap();
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

#[test]
fn a_row_that_has_rotted_is_no_answer() {
    let id: String = execution(8)
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    for change in [
        format!("id = x'{id}'"),
        "kind = 3".to_owned(),
        "pae8 = pae8 + 1".to_owned(),
        "segment = 1".to_owned(),
        "offset = offset + 1".to_owned(),
        "offset = NULL".to_owned(),
        "sum = sum + 1".to_owned(),
    ] {
        let bench = Bench::new();
        let index = bench.open();
        index.add(0, &rows(0..20)).unwrap();
        let connection = Connection::open(bench.path()).unwrap();
        let sql = format!("UPDATE entry SET {change} WHERE idx = 7");
        assert_eq!(connection.execute(&sql, []).unwrap(), 1);
        let refused = |what: &str, answer: Result<(), IndexError>| match answer {
            Err(IndexError::Unusable { reason }) => assert!(reason.contains("entry 7"), "{reason}"),
            other => panic!("{change}: {what}: {other:?}"),
        };
        refused("by index", index.by_index(7).map(drop));
        let everything = Query::default();
        refused("in a page", index.find(&everything).map(drop));
        index.by_index(6).unwrap().unwrap();
        // Taking out what was said of it makes it no better.
        index.prune(0, &[(7, ran(9).place)]).unwrap();
        index.prune(0, &[]).unwrap();
        refused("when pruned", index.by_index(7).map(drop));
        index.by_index(6).unwrap().unwrap();
    }
}
