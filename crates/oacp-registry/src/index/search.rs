//! Looking for entries.

use std::collections::HashMap;
use std::rc::Rc;

use oacp::digest::Digest;
use oacp::id::{ExecutionId, SandboxId};
use oacp::key::KeyId;
use oacp::leaf::LeafKind;
use oacp::outcome::Outcome;
use oacp::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Rows, params};

use super::names::{Field, Name, bucket, bucket_start, look_up};
use super::writer::is_posted;
use super::{
    Count, EXAMINED_ROWS_MAX, Found, IndexError, Located, PAGE_ROWS_MAX, Page, Place, Query,
    kind_code, kind_of, pae8, row_sum, signed,
};

/// The columns of [`Located`].
macro_rules! located {
    ($rest:literal) => {
        concat!(
            "SELECT entry.idx, kind, entry.id, pae8, segment, offset, sum FROM ",
            $rest
        )
    };
}

/// The sign before the bucket's number takes its affinity away, without which the index on the expression is not used.
pub(super) const BY_DIGEST: &str = located!(
    "bucket CROSS JOIN entry ON entry.idx >> 16 = +bucket.bucket AND pae8 = ?1 ORDER BY bucket.bucket DESC, entry.idx DESC"
);

pub(super) const DELEGATION: &str = located!(
    "bucket CROSS JOIN name ON name.bucket = bucket.bucket AND hash = ?1 AND field = ?2 AND value = ?3
     CROSS JOIN posting ON posting.name = name.id CROSS JOIN entry ON entry.idx = posting.idx
     ORDER BY bucket.bucket DESC, posting.idx DESC LIMIT 1"
);

/// Those of a segment that have a place, from one index to another.
pub(super) const LOCATED_IN_SEGMENT: &str = located!(
    "entry WHERE idx BETWEEN ?1 AND ?2 AND segment = ?3 AND offset IS NOT NULL ORDER BY idx LIMIT ?4"
);

/// All from an index on, and of each whether it is found as who looks for a repetition finds it.
pub(super) const AUDITED: &str = "
    SELECT entry.idx, kind, id, pae8, segment, offset, sum, EXISTS (
        SELECT 1 FROM entry AS found INDEXED BY entry_id
        WHERE found.id = entry.id AND found.kind = entry.kind AND found.pae8 = entry.pae8 AND found.idx = entry.idx
    ) FROM entry NOT INDEXED WHERE entry.idx >= ?1 ORDER BY entry.idx LIMIT ?2";

pub(super) fn by_index(connection: &Connection, index: u64) -> Result<Option<Located>, IndexError> {
    let sql = located!("entry WHERE idx = ?1");
    first(connection, sql, [signed(index)])
}

pub(super) fn by_id(
    connection: &Connection,
    kind: LeafKind,
    id: [u8; 16],
) -> Result<Option<Located>, IndexError> {
    let sql = located!("entry WHERE id = ?1 AND kind = ?2 ORDER BY idx LIMIT 1");
    first(connection, sql, params![id, kind_code(kind)])
}

pub(super) fn same(
    connection: &Connection,
    kind: LeafKind,
    id: [u8; 16],
    pae: &Digest,
) -> Result<Vec<Located>, IndexError> {
    let sql = located!("entry WHERE id = ?1 AND kind = ?2 AND pae8 = ?3 ORDER BY idx");
    all(connection, sql, params![id, kind_code(kind), pae8(pae)])
}

pub(super) fn by_digest(connection: &Connection, pae: &Digest) -> Result<Vec<Located>, IndexError> {
    all(connection, BY_DIGEST, [pae8(pae)])
}

pub(super) fn delegation(
    connection: &Connection,
    key: KeyId,
) -> Result<Option<Located>, IndexError> {
    let key = Name::new(Field::Key, key.as_bytes());
    first(
        connection,
        DELEGATION,
        params![key.hash(), Field::Key as i64, &*key.value],
    )
}

pub(super) fn counts(connection: &Connection) -> Result<Vec<Count>, IndexError> {
    let mut statement = connection.prepare_cached("SELECT kind, entries, pruned FROM count")?;
    let mut rows = statement.query([])?;
    let mut counts = Vec::new();
    while let Some(row) = rows.next()? {
        counts.push(Count {
            kind: kind_of(row.get(0)?)?,
            entries: row.get(1)?,
            pruned: row.get(2)?,
        });
    }
    Ok(counts)
}

fn first(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Option<Located>, IndexError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read_located).transpose()
}

fn all(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Vec<Located>, IndexError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read_located(row)?);
    }
    Ok(found)
}

/// The columns of [`Located`], as far as they are what was written.
pub(super) fn read_located(row: &rusqlite::Row<'_>) -> Result<Located, IndexError> {
    let index = row.get(0)?;
    let (kind, id, pae8) = (row.get(1)?, row.get(2)?, row.get(3)?);
    let (segment, offset) = (row.get(4)?, row.get::<_, Option<u64>>(5)?);
    let sum = row_sum(signed(index), kind, &id, pae8, segment, offset.map(signed));
    if row.get::<_, i64>(6)? != sum {
        return Err(IndexError::rotten_row(index));
    }
    Ok(Located {
        index,
        kind: kind_of(kind)?,
        id,
        pae8: pae8.to_be_bytes(),
        place: offset.map(|offset| Place { segment, offset }),
    })
}

pub(super) fn find(connection: &Connection, query: &Query) -> Result<Page, IndexError> {
    // One view of the index, whatever is added meanwhile.
    let view = connection.unchecked_transaction()?;
    let page = Search::new(&view, query).page()?;
    view.finish()?;
    Ok(page)
}

/// A page in the making.
struct Search<'a> {
    connection: &'a Connection,
    query: &'a Query,
    /// What is asked for by name, with their hashes; what is likely rarest comes first.
    names: Vec<(Name, i64)>,
    page: Page,
    rows_max: usize,
    examined: usize,
    texts: HashMap<i64, Rc<[u8]>>,
}

/// The columns of [`Candidate`].
macro_rules! candidates {
    ($rest:literal) => {
        concat!(
            "SELECT entry.idx, kind, entry.id, pae8, segment, offset, sum, time, sequence, sandbox, agent, principal, outcome FROM ",
            $rest
        )
    };
}

/// An entry, before it is known to fit.
struct Candidate {
    index: i64,
    kind: i64,
    id: [u8; 16],
    pae8: i64,
    segment: u32,
    offset: Option<i64>,
    sum: i64,
    time: Option<i64>,
    sequence: Option<u64>,
    sandbox: Option<i64>,
    agent: Option<i64>,
    principal: Option<i64>,
    outcome: Option<i64>,
}

/// What is asked for by name, by its numbers in one bucket.
type Numbers = Vec<(Field, i64)>;

impl<'a> Search<'a> {
    fn new(connection: &'a Connection, query: &'a Query) -> Self {
        let rare = query
            .kind
            .filter(|kind| !matches!(kind, LeafKind::Execution | LeafKind::Begin));
        let names: [(Field, Option<&[u8]>); 7] = [
            (
                Field::Sandbox,
                query.sandbox.as_ref().map(|id| id.as_bytes().as_slice()),
            ),
            (
                Field::Agent,
                query
                    .agent
                    .as_ref()
                    .map(|agent| agent.as_bytes().as_slice()),
            ),
            (
                Field::ToolHash,
                query
                    .tool_hash
                    .as_ref()
                    .map(|digest| digest.as_bytes().as_slice()),
            ),
            (Field::Tool, query.tool.as_deref().map(str::as_bytes)),
            (Field::Kind, rare.map(|kind| kind.as_str().as_bytes())),
            (
                Field::Outcome,
                query.outcome.map(|outcome| outcome.as_str().as_bytes()),
            ),
            (
                Field::Principal,
                query.principal.as_deref().map(str::as_bytes),
            ),
        ];
        let names = names
            .into_iter()
            .filter_map(|(field, value)| Some(Name::new(field, value?)))
            .map(|name| {
                let hash = name.hash();
                (name, hash)
            });
        Self {
            connection,
            query,
            names: names.collect(),
            page: Page::default(),
            rows_max: query.limit.clamp(1, PAGE_ROWS_MAX),
            examined: 0,
            texts: HashMap::new(),
        }
    }

    fn page(mut self) -> Result<Page, IndexError> {
        for bucket in self.buckets()? {
            if !self.bucket(bucket)? {
                break;
            }
        }
        Ok(self.page)
    }

    /// The buckets that can hold what is looked for, as far as they tell by themselves.
    fn buckets(&self) -> Result<Vec<i64>, IndexError> {
        if let Some(execution) = &self.query.execution {
            let mut statement = self.connection.prepare_cached(
                "SELECT DISTINCT idx >> 16 FROM entry WHERE id = ?1 AND kind IN (?2, ?3) ORDER BY 1",
            )?;
            let buckets = statement.query_map(by_execution(execution), |row| row.get(0))?;
            return Ok(buckets.collect::<Result<_, _>>()?);
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT bucket FROM bucket WHERE bucket >= ?1 AND (?2 IS NULL OR time_max >= ?2) AND (?3 IS NULL OR time_min <= ?3)
             ORDER BY bucket",
        )?;
        let buckets = statement.query_map(
            params![
                self.query.after.map_or(0, bucket),
                self.query.since.map(Timestamp::unix_ms),
                self.query.until.map(Timestamp::unix_ms)
            ],
            |row| row.get(0),
        )?;
        Ok(buckets.collect::<Result<_, _>>()?)
    }

    /// Looks through one bucket. `false`: the page is full.
    fn bucket(&mut self, bucket: i64) -> Result<bool, IndexError> {
        let start = bucket_start(bucket);
        let after = self.query.after.map_or(-1, signed).max(start - 1);
        let Some(numbers) = self.numbers(bucket)? else {
            // A bucket that is passed over costs about as much as an entry.
            return Ok(self.examine(bucket_start(bucket + 1) - 1));
        };
        let connection = self.connection;
        if let Some(execution) = &self.query.execution {
            let sql = candidates!("entry WHERE id = ?1 AND kind IN (?2, ?3) ORDER BY idx");
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query(by_execution(execution))?;
            return self.rows(rows, &numbers, after, bucket);
        }
        let listed = self.names.iter().zip(&numbers);
        let listed = listed
            .filter(|((name, _), _)| is_posted(name.field, &name.value))
            .map(|(_, (_, number))| *number)
            .next();
        match listed {
            Some(number) => {
                let sql = candidates!(
                    "posting CROSS JOIN entry ON entry.idx = posting.idx WHERE posting.name = ?1 AND posting.idx > ?2 ORDER BY posting.idx"
                );
                let mut statement = connection.prepare_cached(sql)?;
                let rows = statement.query(params![number, after])?;
                self.rows(rows, &numbers, after, bucket)
            }
            None => {
                let sql = candidates!("entry WHERE idx > ?1 AND idx < ?2 ORDER BY idx");
                let mut statement = connection.prepare_cached(sql)?;
                let rows = statement.query(params![after, bucket_start(bucket + 1)])?;
                self.rows(rows, &numbers, after, bucket)
            }
        }
    }

    /// `None`: one of the names does not occur in the bucket.
    fn numbers(&self, bucket: i64) -> Result<Option<Numbers>, IndexError> {
        let mut numbers = Numbers::new();
        for (name, hash) in &self.names {
            match look_up(self.connection, bucket, name, *hash)? {
                Some(number) => numbers.push((name.field, number)),
                None => return Ok(None),
            }
        }
        Ok(Some(numbers))
    }

    fn rows(
        &mut self,
        mut rows: Rows<'_>,
        numbers: &Numbers,
        after: i64,
        number: i64,
    ) -> Result<bool, IndexError> {
        while let Some(row) = rows.next()? {
            let candidate = Candidate::read(row)?;
            let is_here = candidate.index > after && candidate.index >> 16 == number;
            if is_here && self.fits(&candidate, numbers)? {
                if self.page.rows.len() == self.rows_max {
                    self.page.next = self.page.rows.last().map(|found| found.index);
                    return Ok(false);
                }
                let found = self.found(&candidate)?;
                self.page.rows.push(found);
            }
            if !self.examine(candidate.index) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Counts what was looked at, up to this index. `false`: that was enough for one page.
    fn examine(&mut self, index: i64) -> bool {
        self.examined += 1;
        if self.examined < EXAMINED_ROWS_MAX {
            return true;
        }
        self.page.next = u64::try_from(index).ok();
        false
    }

    fn fits(&self, candidate: &Candidate, numbers: &Numbers) -> Result<bool, IndexError> {
        let query = self.query;
        let kind = query
            .kind
            .is_none_or(|kind| kind_code(kind) == candidate.kind);
        let since = query.since.map(Timestamp::unix_ms);
        let until = query.until.map(Timestamp::unix_ms);
        let time = match candidate.time {
            Some(time) => {
                since.is_none_or(|since| time >= since) && until.is_none_or(|until| time <= until)
            }
            None => since.is_none() && until.is_none(),
        };
        let mut called = (0, None);
        let named = numbers.iter().all(|(field, number)| match field {
            Field::Sandbox => candidate.sandbox == Some(*number),
            Field::Agent => candidate.agent == Some(*number),
            Field::Principal => candidate.principal == Some(*number),
            Field::Outcome => candidate.outcome == Some(*number),
            Field::Tool => {
                called.0 = *number;
                true
            }
            Field::ToolHash => {
                called.1 = Some(*number);
                true
            }
            // Compared above.
            Field::Kind | Field::Key => true,
        });
        if !kind || !time || !named {
            return Ok(false);
        }
        match called {
            (0, None) => Ok(true),
            (tool, digest) => Ok(self.called(candidate)?.into_iter().any(|(name, hash)| {
                (tool == 0 || name == tool) && digest.is_none_or(|digest| hash == digest)
            })),
        }
    }

    /// The tools that an entry called, and their digests; 0 for none.
    fn called(&self, candidate: &Candidate) -> Result<Vec<(i64, i64)>, IndexError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT tool, digest FROM called WHERE idx = ?1")?;
        let called =
            statement.query_map([candidate.index], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(called.collect::<Result<_, _>>()?)
    }

    fn found(&mut self, candidate: &Candidate) -> Result<Found, IndexError> {
        let index = u64::try_from(candidate.index)
            .map_err(|_| IndexError::unusable("an index is negative"))?;
        if !candidate.has_its_sum() {
            return Err(IndexError::rotten_row(index));
        }
        let mut tools = Vec::new();
        if candidate.kind == kind_code(LeafKind::Execution) {
            for (tool, digest) in self.called(candidate)? {
                let digest = match digest {
                    0 => None,
                    digest => Some(self.digest(digest)?),
                };
                tools.push((self.text(tool)?, digest));
            }
            tools.sort();
        }
        let outcome = match candidate.outcome {
            Some(outcome) => {
                let word = self.text(outcome)?;
                let outcome = Outcome::ALL
                    .into_iter()
                    .find(|outcome| outcome.as_str() == word);
                Some(outcome.ok_or_else(|| IndexError::unusable("an outcome is not known"))?)
            }
            None => None,
        };
        Ok(Found {
            index,
            kind: kind_of(candidate.kind)?,
            id: candidate.id,
            pruned: candidate.offset.is_none(),
            time: candidate.time.map(Timestamp::from_unix_ms),
            sequence: candidate.sequence,
            sandbox: match candidate.sandbox {
                Some(sandbox) => Some(sandbox_id(&self.bytes(sandbox)?)?),
                None => None,
            },
            agent: match candidate.agent {
                Some(agent) => Some(self.digest(agent)?),
                None => None,
            },
            tools,
            outcome,
            principal: match candidate.principal {
                Some(principal) => Some(self.text(principal)?),
                None => None,
            },
        })
    }

    fn bytes(&mut self, number: i64) -> Result<Rc<[u8]>, IndexError> {
        if let Some(bytes) = self.texts.get(&number) {
            return Ok(Rc::clone(bytes));
        }
        let mut statement = self
            .connection
            .prepare_cached("SELECT value FROM name WHERE id = ?1")?;
        let found = statement.query_row([number], |row| row.get::<_, Vec<u8>>(0));
        let bytes: Rc<[u8]> = found
            .optional()?
            .ok_or_else(|| IndexError::unusable("a name is missing"))?
            .into();
        self.texts.insert(number, Rc::clone(&bytes));
        Ok(bytes)
    }

    fn text(&mut self, number: i64) -> Result<String, IndexError> {
        String::from_utf8(self.bytes(number)?.to_vec())
            .map_err(|_| IndexError::unusable("a name is not text"))
    }

    fn digest(&mut self, number: i64) -> Result<Digest, IndexError> {
        let bytes = self.bytes(number)?;
        let bytes = bytes
            .as_ref()
            .try_into()
            .map_err(|_| IndexError::unusable("a digest is not of 32 bytes"))?;
        Ok(Digest::from_bytes(bytes))
    }
}

impl Candidate {
    fn read(row: &rusqlite::Row<'_>) -> Result<Self, IndexError> {
        Ok(Self {
            index: row.get(0)?,
            kind: row.get(1)?,
            id: row.get(2)?,
            pae8: row.get(3)?,
            segment: row.get(4)?,
            offset: row.get(5)?,
            sum: row.get(6)?,
            time: row.get(7)?,
            sequence: row.get(8)?,
            sandbox: row.get(9)?,
            agent: row.get(10)?,
            principal: row.get(11)?,
            outcome: row.get(12)?,
        })
    }

    fn has_its_sum(&self) -> bool {
        let sum = row_sum(
            self.index,
            self.kind,
            &self.id,
            self.pae8,
            self.segment,
            self.offset,
        );
        self.sum == sum
    }
}

fn by_execution(execution: &ExecutionId) -> (&[u8; 16], i64, i64) {
    (
        execution.as_bytes(),
        kind_code(LeafKind::Execution),
        kind_code(LeafKind::Begin),
    )
}

/// Its 16 bytes are 48 bits of time and 80 of which 6 are fixed.
fn sandbox_id(bytes: &[u8]) -> Result<SandboxId, IndexError> {
    let parts = bytes.split_first_chunk::<6>();
    let id = parts.and_then(|([a, b, c, d, e, f], random)| {
        let unix_ms = u64::from_be_bytes([0, 0, *a, *b, *c, *d, *e, *f]);
        Some(SandboxId::new(unix_ms, random.try_into().ok()?))
    });
    id.ok_or_else(|| IndexError::unusable("a sandbox's id is not of 16 bytes"))
}
