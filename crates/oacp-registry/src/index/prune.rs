//! Taking out what is said of pruned entries.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::names::{Field, bucket};
use super::search::{LOCATED_IN_SEGMENT, read_located};
use super::writer::Writer;
use super::{IndexError, Located, Place, kind_code, kind_of, row_sum, signed};

/// Entries of one transaction: adding waits for it, and the journal holds it.
const BATCH: usize = 4096;

impl Writer {
    pub fn prune(&mut self, segment: u32, kept: &[(u64, Place)]) -> Result<u64, IndexError> {
        self.check_file()?;
        // Names that go may be given anew.
        self.names.forget();
        let pruned = self.prune_entries(segment, kept);
        self.names.forget();
        let pruned = pruned?;
        // The journal holds pages as they were.
        let busy: i64 =
            self.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy == 0 {
            Ok(pruned)
        } else {
            Err(IndexError::Busy)
        }
    }

    fn prune_entries(&mut self, segment: u32, kept: &[(u64, Place)]) -> Result<u64, IndexError> {
        let range = self
            .connection
            .query_row(
                "SELECT first, last FROM segment WHERE segment = ?1",
                [segment],
                |row| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?)),
            )
            .optional()?;
        let Some((first, last)) = range else {
            return Ok(0);
        };
        let mut kept = kept.to_vec();
        kept.sort_by_key(|(index, _)| *index);
        let (mut from, mut pruned) = (first, 0);
        loop {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let batch = entries(&transaction, segment, from, last)?;
            for entry in &batch {
                match kept.binary_search_by_key(&entry.index, |(index, _)| *index) {
                    Ok(at) => {
                        if let Some((_, place)) = kept.get(at) {
                            put_elsewhere(&transaction, entry, *place)?;
                        }
                    }
                    Err(_) => {
                        empty(&transaction, entry, segment)?;
                        pruned += 1;
                    }
                }
            }
            let Some(done) = batch.last().filter(|_| batch.len() == BATCH) else {
                remove_unused_names(&transaction, first, last)?;
                transaction.commit()?;
                return Ok(pruned);
            };
            transaction.commit()?;
            from = done.index.saturating_add(1);
        }
    }
}

/// A row that is to change.
struct Entry {
    index: u64,
    kind: i64,
    /// `None`: it is not what was written. Changing it makes it no better: it keeps its sum.
    located: Option<Located>,
}

impl Entry {
    /// The sum of its row, once it is there. `None`: no other than it has.
    fn sum(&self, segment: u32, offset: Option<u64>) -> Option<i64> {
        let located = self.located?;
        let pae8 = i64::from_be_bytes(located.pae8);
        let (index, offset) = (signed(self.index), offset.map(signed));
        Some(row_sum(
            index,
            self.kind,
            &located.id,
            pae8,
            segment,
            offset,
        ))
    }
}

fn entries(
    connection: &Connection,
    segment: u32,
    from: u64,
    last: u64,
) -> Result<Vec<Entry>, IndexError> {
    let mut statement = connection.prepare_cached(LOCATED_IN_SEGMENT)?;
    let rows = statement.query_map(
        params![signed(from), signed(last), segment, BATCH as i64],
        |row| {
            Ok(Entry {
                index: row.get(0)?,
                kind: row.get(1)?,
                located: read_located(row).ok(),
            })
        },
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn put_elsewhere(connection: &Connection, entry: &Entry, place: Place) -> Result<(), IndexError> {
    let sum = entry.sum(place.segment, Some(place.offset));
    connection
        .prepare_cached(
            "UPDATE entry SET segment = ?2, offset = ?3, sum = coalesce(?4, sum) WHERE idx = ?1",
        )?
        .execute(params![
            signed(entry.index),
            place.segment,
            signed(place.offset),
            sum
        ])?;
    super::writer::widen_segment(connection, place.segment, entry.index, entry.index)
}

fn empty(connection: &Connection, entry: &Entry, segment: u32) -> Result<(), IndexError> {
    let kind = kind_code(kind_of(entry.kind)?);
    let index = signed(entry.index);
    for sql in [
        "DELETE FROM posting WHERE idx = ?1 AND name IN (
             SELECT sandbox FROM entry WHERE idx = ?1 UNION SELECT agent FROM entry WHERE idx = ?1
             UNION SELECT principal FROM entry WHERE idx = ?1 UNION SELECT outcome FROM entry WHERE idx = ?1
             UNION SELECT tool FROM called WHERE idx = ?1 UNION SELECT digest FROM called WHERE idx = ?1)",
        "DELETE FROM called WHERE idx = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([index])?;
    }
    connection
        .prepare_cached(
            "UPDATE entry SET offset = NULL, sum = coalesce(?2, sum), time = NULL, sequence = NULL, sandbox = NULL, agent = NULL,
                 principal = NULL, outcome = NULL WHERE idx = ?1",
        )?
        .execute(params![index, entry.sum(segment, None)])?;
    connection
        .prepare_cached("UPDATE count SET pruned = pruned + 1 WHERE kind = ?1")?
        .execute([kind])?;
    Ok(())
}

/// Names of the buckets that these entries are in, which no entry has any more. An outcome that is not listed, and the entries that have it,
/// say nothing of anybody: it stays with its bucket.
fn remove_unused_names(connection: &Connection, first: u64, last: u64) -> Result<(), IndexError> {
    connection
        .prepare_cached(
            "DELETE FROM name WHERE bucket BETWEEN ?1 AND ?2 AND field <> ?3
             AND NOT EXISTS (SELECT 1 FROM posting WHERE posting.name = name.id)",
        )?
        .execute(params![bucket(first), bucket(last), Field::Outcome as i64])?;
    Ok(())
}
