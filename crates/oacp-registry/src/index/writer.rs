//! Adding entries.

use std::path::{Path, PathBuf};

use oacp::outcome::Outcome;
use rusqlite::{CachedStatement, Connection, TransactionBehavior, params};

use super::names::{Field, Name, NameStatements, Names, bucket};
use super::{IndexError, Row, TOOLS_MAX, kind_code, pae8, row_sum, schema, signed};

/// The one connection that writes.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) names: Names,
    path: PathBuf,
    file: Option<FileId>,
    /// SQLite's count of what others have committed.
    others: i64,
}

/// Entries `0..through` are in the index. Rows are never removed.
pub(super) fn through(connection: &Connection) -> Result<u64, IndexError> {
    let mut statement = connection.prepare_cached("SELECT max(idx) FROM entry")?;
    let last: Option<u64> = statement.query_row([], |row| row.get(0))?;
    Ok(last.map_or(0, |last| last.saturating_add(1)))
}

impl Writer {
    pub fn open(path: &Path) -> Result<Self, IndexError> {
        let connection = schema::open_writer(path)?;
        Ok(Self {
            names: Names::default(),
            path: path.to_owned(),
            file: file_id(path),
            others: 0,
            connection,
        })
    }

    pub fn add(&mut self, from: u64, rows: &[Row]) -> Result<u64, IndexError> {
        self.check_file()?;
        let added = self.add_in_transaction(from, rows);
        if added.is_err() {
            // Numbers that were given in it are free again.
            self.names.forget();
        }
        added
    }

    fn add_in_transaction(&mut self, from: u64, rows: &[Row]) -> Result<u64, IndexError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let others = transaction.pragma_query_value(None, "data_version", |row| row.get(0))?;
        if others != self.others {
            self.names.forget();
            self.others = others;
        }
        let before = through(&transaction)?;
        if before < from {
            return Err(IndexError::Gap {
                through: before,
                from,
            });
        }
        let mut next = from;
        let mut inserts = Inserts::prepare(&transaction)?;
        let mut sums = Sums::default();
        for row in rows {
            if row.index != next {
                return Err(IndexError::Gap {
                    through: next,
                    from: row.index,
                });
            }
            next = next.saturating_add(1);
            if row.index >= before {
                inserts.row(&mut self.names, row)?;
                sums.row(row);
            }
        }
        sums.write(&transaction)?;
        drop(inserts);
        transaction.commit()?;
        Ok(next.max(before))
    }

    /// A file that was removed can still be written to, and nobody would ever read it.
    pub(super) fn check_file(&self) -> Result<(), IndexError> {
        if file_id(&self.path) == self.file {
            Ok(())
        } else {
            Err(IndexError::Replaced)
        }
    }
}

struct Inserts<'a> {
    names: NameStatements<'a>,
    entry: CachedStatement<'a>,
    posting: CachedStatement<'a>,
    called: CachedStatement<'a>,
}

impl<'a> Inserts<'a> {
    fn prepare(connection: &'a Connection) -> Result<Self, IndexError> {
        Ok(Self {
            names: NameStatements::prepare(connection)?,
            entry: connection.prepare_cached(
                "INSERT INTO entry (idx, kind, id, pae8, segment, offset, sum, time, sequence, sandbox, agent, principal, outcome)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?,
            posting: connection
                .prepare_cached("INSERT OR IGNORE INTO posting (name, idx) VALUES (?1, ?2)")?,
            called: connection.prepare_cached(
                "INSERT OR IGNORE INTO called (idx, tool, digest) VALUES (?1, ?2, ?3)",
            )?,
        })
    }

    fn row(&mut self, names: &mut Names, row: &Row) -> Result<(), IndexError> {
        let index = signed(row.index);
        let facts = row.facts.as_ref();
        // Most entries are executions and their begins: who looks for those reads the log.
        if !matches!(
            row.kind,
            oacp::leaf::LeafKind::Execution | oacp::leaf::LeafKind::Begin
        ) {
            self.name(names, row, Field::Kind, row.kind.as_str().as_bytes())?;
        }
        let mut numbers = [None; 4];
        if let Some(facts) = facts {
            let texts: [(Field, Option<&[u8]>); 4] = [
                (
                    Field::Sandbox,
                    facts.sandbox.as_ref().map(|id| id.as_bytes().as_slice()),
                ),
                (
                    Field::Agent,
                    facts
                        .agent
                        .as_ref()
                        .map(|agent| agent.as_bytes().as_slice()),
                ),
                (
                    Field::Principal,
                    facts.principal.as_deref().map(str::as_bytes),
                ),
                (
                    Field::Outcome,
                    facts.outcome.map(|outcome| outcome.as_str().as_bytes()),
                ),
            ];
            for (number, (field, value)) in numbers.iter_mut().zip(texts) {
                if let Some(value) = value {
                    *number = Some(self.name(names, row, field, value)?);
                }
            }
            for (tool, digest) in facts.tools.iter().take(TOOLS_MAX) {
                let tool = self.name(names, row, Field::Tool, tool.as_bytes())?;
                let digest = match digest {
                    Some(digest) => self.name(names, row, Field::ToolHash, digest.as_bytes())?,
                    None => 0,
                };
                self.called.execute(params![index, tool, digest])?;
            }
            if let Some(delegation) = &facts.delegation {
                self.name(names, row, Field::Key, delegation.key.id().as_bytes())?;
            }
        }
        let [sandbox, agent, principal, outcome] = numbers;
        let (kind, pae8) = (kind_code(row.kind), pae8(&row.pae));
        let (segment, offset) = (row.place.segment, facts.map(|_| signed(row.place.offset)));
        self.entry.execute(params![
            index,
            kind,
            row.id,
            pae8,
            segment,
            offset,
            row_sum(index, kind, &row.id, pae8, segment, offset),
            facts
                .and_then(|facts| facts.time)
                .map(|time| time.unix_ms()),
            facts.and_then(|facts| facts.sequence).map(signed),
            sandbox,
            agent,
            principal,
            outcome,
        ])?;
        Ok(())
    }

    /// Gives a name its number, and the entry to the name.
    fn name(
        &mut self,
        names: &mut Names,
        row: &Row,
        field: Field,
        value: &[u8],
    ) -> Result<i64, IndexError> {
        let name = Name::new(field, value);
        let number = names.number(&mut self.names, bucket(row.index), name)?;
        if is_posted(field, value) {
            self.posting.execute(params![number, signed(row.index)])?;
        }
        Ok(number)
    }
}

/// Whether there is a list of a name's entries. Nearly all executions end well: who looks for those reads the log.
pub(super) fn is_posted(field: Field, value: &[u8]) -> bool {
    field != Field::Outcome || value != Outcome::Ok.as_str().as_bytes()
}

/// What is written once a transaction, of all its rows.
#[derive(Default)]
struct Sums {
    buckets: Vec<(i64, Option<(i64, i64)>)>,
    segments: Vec<(u32, u64, u64)>,
    kinds: Vec<(i64, u64, u64)>,
}

impl Sums {
    fn row(&mut self, row: &Row) {
        let time = row.facts.as_ref().and_then(|facts| facts.time);
        let time = time.map(|time| (time.unix_ms(), time.unix_ms()));
        let number = bucket(row.index);
        match self.buckets.last_mut() {
            Some((last, span)) if *last == number => *span = wider(*span, time),
            _ => self.buckets.push((number, time)),
        }
        match self.segments.last_mut() {
            Some((segment, _, last)) if *segment == row.place.segment => *last = row.index,
            _ => self
                .segments
                .push((row.place.segment, row.index, row.index)),
        }
        let (kind, pruned) = (kind_code(row.kind), u64::from(row.facts.is_none()));
        match self.kinds.iter_mut().find(|(found, ..)| *found == kind) {
            Some((_, entries, sum)) => {
                *entries += 1;
                *sum += pruned;
            }
            None => self.kinds.push((kind, 1, pruned)),
        }
    }

    fn write(&self, connection: &Connection) -> Result<(), IndexError> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO bucket (bucket, time_min, time_max) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET
                 time_min = coalesce(min(time_min, excluded.time_min), time_min, excluded.time_min),
                 time_max = coalesce(max(time_max, excluded.time_max), time_max, excluded.time_max)",
        )?;
        for (bucket, span) in &self.buckets {
            statement.execute(params![
                bucket,
                span.map(|(first, _)| first),
                span.map(|(_, last)| last)
            ])?;
        }
        for (segment, first, last) in &self.segments {
            widen_segment(connection, *segment, *first, *last)?;
        }
        let mut statement = connection.prepare_cached(
            "INSERT INTO count (kind, entries, pruned) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET
                 entries = entries + excluded.entries, pruned = pruned + excluded.pruned",
        )?;
        for (kind, entries, pruned) in &self.kinds {
            statement.execute(params![kind, signed(*entries), signed(*pruned)])?;
        }
        Ok(())
    }
}

/// Notes that entries of a segment lie between two indexes.
pub(super) fn widen_segment(
    connection: &Connection,
    segment: u32,
    first: u64,
    last: u64,
) -> Result<(), IndexError> {
    connection
        .prepare_cached(
            "INSERT INTO segment (segment, first, last) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET
                 first = min(first, excluded.first), last = max(last, excluded.last)",
        )?
        .execute(params![segment, signed(first), signed(last)])?;
    Ok(())
}

fn wider(a: Option<(i64, i64)>, b: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (a, b) {
        (Some((from, to)), Some((first, last))) => Some((from.min(first), to.max(last))),
        (span, None) | (None, span) => span,
    }
}

/// Tells one file from another of the same name.
type FileId = (u64, u64);

/// `None`: there is none, or the system has no such thing.
fn file_id(path: &Path) -> Option<FileId> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}
