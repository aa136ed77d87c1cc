//! The index: where an entry is, and which entries there are of a sandbox, an agent, a tool, an outcome or a principal.
//!
//! It follows from the segments, is filled after an entry was made durable, and decides nothing: what it answers is a place to look at, and
//! whoever uses it compares the leaf that is there. So its file may be lost, and a file that is damaged is made again.
//!
//! A row has a checksum over what tells its entry from others and where that is: a row that has rotted is an error, not an answer. What
//! it does not tell is a row that is not found any more; `fsck` does, which looks for each.
//!
//! # Why it is cut into buckets
//!
//! Ids of executions and sandboxes begin with the time, and are added at the end of their index. Digests and names are not. An index of
//! ten million digests has a page for each that is added, to be read and written. Hence everything that is looked for by digest or by name
//! begins with the number of a bucket of 65,536 entries: adding touches one bucket, which fits the cache however long the log is; looking
//! asks every bucket, a few microseconds each. Names are kept once a bucket, and go when the last entry of the bucket that has them is pruned.

mod audit;
mod names;
mod prune;
mod schema;
mod search;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use oacp::digest::Digest;
use oacp::entry::Facts;
use oacp::id::{ExecutionId, SandboxId};
use oacp::key::KeyId;
use oacp::leaf::LeafKind;
use oacp::outcome::Outcome;
use oacp::time::Timestamp;
use rusqlite::{Connection, ErrorCode};

pub(crate) use self::audit::{Audit, Audited};
use self::writer::Writer;
use crate::checksum::sha256;

/// Rows of one page. Attack: memory by one question.
pub const PAGE_ROWS_MAX: usize = 1000;

/// Rows that one page is looked for among. Attack: a question that fits nothing and reads a log of a billion entries.
const EXAMINED_ROWS_MAX: usize = 20_000;

/// Tools of one entry that are indexed, by name. Attack: a guest that calls ten thousand tools which do not exist.
pub const TOOLS_MAX: usize = 64;

/// Connections for reading. More would only share two cores and the cache.
const READERS: usize = 2;

/// Where the envelope of an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of the segment.
    pub segment: u32,
    /// Bytes from the segment's begin.
    pub offset: u64,
}

/// An entry, as it is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its index in the log.
    pub index: u64,
    /// What it is about.
    pub kind: LeafKind,
    /// As [`Facts::id`].
    pub id: [u8; 16],
    /// SHA-256 of the PAE; the first eight bytes are kept.
    pub pae: Digest,
    /// Where it is. Of an entry that was pruned, the segment counts.
    pub place: Place,
    /// What is said of it. `None`: it was pruned.
    pub facts: Option<Facts>,
}

/// An entry that was found by id, digest or index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located {
    /// Its index in the log.
    pub index: u64,
    /// What it is about.
    pub kind: LeafKind,
    /// As [`Facts::id`].
    pub id: [u8; 16],
    /// The first eight bytes of SHA-256 of the PAE.
    pub pae8: [u8; 8],
    /// Where it is. `None`: it was pruned.
    pub place: Option<Place>,
}

impl Located {
    /// Whether the entry may have this digest. Its leaf tells.
    pub fn may_be(&self, pae: &Digest) -> bool {
        pae.as_bytes().starts_with(&self.pae8)
    }
}

/// What is looked for. Everything that is given has to fit; by itself, nothing is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Of this execution: its statement and its begin.
    pub execution: Option<ExecutionId>,
    /// Of this sandbox.
    pub sandbox: Option<SandboxId>,
    /// Of this agent.
    pub agent: Option<Digest>,
    /// Executions that called a tool of this name.
    pub tool: Option<String>,
    /// Executions that called a tool with this digest; with a name, one tool that has both.
    pub tool_hash: Option<Digest>,
    /// Executions that ended so.
    pub outcome: Option<Outcome>,
    /// Executions that this principal asked for.
    pub principal: Option<String>,
    /// Entries of this kind.
    pub kind: Option<LeafKind>,
    /// The first point in time.
    pub since: Option<Timestamp>,
    /// The last one.
    pub until: Option<Timestamp>,
    /// Entries behind this index: [`Page::next`] of the page before.
    pub after: Option<u64>,
    /// Rows of the page, 1 to [`PAGE_ROWS_MAX`]; what lies outside is taken for the nearest.
    pub limit: usize,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            execution: None,
            sandbox: None,
            agent: None,
            tool: None,
            tool_hash: None,
            outcome: None,
            principal: None,
            kind: None,
            since: None,
            until: None,
            after: None,
            limit: 100,
        }
    }
}

/// Some of what was found, in the order of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// At most as many as were asked for. There may be none, and more pages.
    pub rows: Vec<Found>,
    /// [`Query::after`] of the next page. `None`: there was nothing more when this was asked.
    pub next: Option<u64>,
}

/// An entry that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its index in the log.
    pub index: u64,
    /// What it is about.
    pub kind: LeafKind,
    /// As [`Facts::id`].
    pub id: [u8; 16],
    /// Whether its payload was pruned. Then all that follows is absent.
    pub pruned: bool,
    /// When it was signed.
    pub time: Option<Timestamp>,
    /// The number by the sandbox's counter.
    pub sequence: Option<u64>,
    /// The sandbox.
    pub sandbox: Option<SandboxId>,
    /// The agent.
    pub agent: Option<Digest>,
    /// The tools it called, with their digests if they have any; the first [`TOOLS_MAX`] of them.
    pub tools: Vec<(String, Option<Digest>)>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Who asked for it.
    pub principal: Option<String>,
}

/// How many entries there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Of this kind.
    pub kind: LeafKind,
    /// All.
    pub entries: u64,
    /// Of these, pruned.
    pub pruned: u64,
}

/// Why the index does not answer.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The file is damaged, another program's, or of another version. Nothing is lost: [`Index::recreate`].
    #[error("index cannot be used: {reason}")]
    Unusable {
        /// What is wrong with it.
        reason: String,
    },
    /// Another process has put a new file in its place. To be opened again.
    #[error("index was made again by another process")]
    Replaced,
    /// Rows are missing between those that are in it and those that were to be added.
    #[error("index has entries up to {through}, and was given those from {from}")]
    Gap {
        /// Entries `0..through` are in it.
        through: u64,
        /// The first that was given.
        from: u64,
    },
    /// Another process has been writing for long. To be tried again.
    #[error("index is busy")]
    Busy,
    /// Anything else of SQLite: a full disk, for one. To be tried again.
    #[error("index cannot be read or written")]
    Sqlite(#[source] rusqlite::Error),
    /// The file cannot be removed or made.
    #[error("index's file cannot be made")]
    File(#[source] io::Error),
}

impl IndexError {
    fn unusable(reason: impl Into<String>) -> Self {
        Self::Unusable {
            reason: reason.into(),
        }
    }

    fn rotten_row(index: u64) -> Self {
        Self::unusable(format!(
            "the row of entry {index} is not what was written; `oacp log reindex` makes the index anew"
        ))
    }
}

impl From<rusqlite::Error> for IndexError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType,
            QueryReturnedNoRows, SqlInputError, SqliteFailure,
        };
        match &error {
            SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::SchemaChanged
                | ErrorCode::ConstraintViolation
                | ErrorCode::Unknown => Self::unusable(error.to_string()),
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
                _ => Self::Sqlite(error),
            },
            FromSqlConversionFailure(..)
            | IntegralValueOutOfRange(..)
            | InvalidColumnType(..)
            | QueryReturnedNoRows => Self::unusable("a value is not what was written"),
            // Our statements do not change: what differs is the tables.
            SqlInputError { .. } => Self::unusable("its tables are not those of an index"),
            _ => Self::Sqlite(error),
        }
    }
}

/// The index, in one file and two that SQLite keeps beside it. Several processes may have it open; reading waits for nobody.
pub struct Index {
    // Dropped before the writer: who closes last works the journal into the file, and a reader cannot.
    readers: [Mutex<Connection>; READERS],
    turn: AtomicUsize,
    writer: Mutex<Writer>,
}

impl Index {
    /// Opens it, and makes it if there is none.
    ///
    /// That it belongs to this log is for the caller to see: [`Index::through`] must not exceed the log's size, and the last entry in it
    /// ([`Index::by_index`]) must be the log's.
    ///
    /// # Errors
    /// [`IndexError`]; `Unusable` is found at the latest when something is read.
    pub fn open(path: &Path) -> Result<Self, IndexError> {
        let writer = Writer::open(path)?;
        let index = Self {
            readers: [
                Mutex::new(schema::open_reader(path)?),
                Mutex::new(schema::open_reader(path)?),
            ],
            turn: AtomicUsize::new(0),
            writer: Mutex::new(writer),
        };
        // The one row that the caller will compare with the log.
        if let Some(last) = index.through()?.checked_sub(1) {
            index.by_index(last)?;
        }
        Ok(index)
    }

    /// Removes what is there, and makes an empty one. The caller lets nobody else do the same meanwhile; processes that have the old one open
    /// get [`IndexError::Replaced`] when they next add to it.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn recreate(path: &Path) -> Result<Self, IndexError> {
        // The file itself first: SQLite ignores the journal of a file that is empty or not there.
        for suffix in ["", "-wal", "-shm"] {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            match std::fs::remove_file(PathBuf::from(name)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(IndexError::File(e)),
                _ => {}
            }
        }
        Self::open(path)
    }

    /// Entries `0..through` are in it.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn through(&self) -> Result<u64, IndexError> {
        writer::through(&self.reader())
    }

    /// Adds entries, the first of which is `from`, all or none of them, and gives [`Index::through`]. Those that are there already (another
    /// process was quicker) are skipped.
    ///
    /// # Errors
    /// [`IndexError`]; `Gap` too if the indexes of the rows do not follow each other.
    pub fn add(&self, from: u64, rows: &[Row]) -> Result<u64, IndexError> {
        self.writer().add(from, rows)
    }

    /// Takes what is said of the entries of a segment out of it, but for those of `kept`, which are from now on at the places that are given.
    /// What remains of the others is index, kind, id, the digest's begin, and whose key a delegation was for. May be repeated, and has to be
    /// if it failed. When it returns, the file does not hold what was taken out.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn prune(&self, segment: u32, kept: &[(u64, Place)]) -> Result<u64, IndexError> {
        self.writer().prune(segment, kept)
    }

    /// The first entry of this kind and id. Of executions and begins there is one at most; of delegations there may be more.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn by_id(&self, kind: LeafKind, id: [u8; 16]) -> Result<Option<Located>, IndexError> {
        search::by_id(&self.reader(), kind, id)
    }

    /// Entries of this kind and id that may have this digest: what tells a repetition.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn same(
        &self,
        kind: LeafKind,
        id: [u8; 16],
        pae: &Digest,
    ) -> Result<Vec<Located>, IndexError> {
        search::same(&self.reader(), kind, id, pae)
    }

    /// Entries that may have this digest, the last first. Asks every bucket; who knows the id asks [`Index::same`].
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn by_digest(&self, pae: &Digest) -> Result<Vec<Located>, IndexError> {
        search::by_digest(&self.reader(), pae)
    }

    /// An entry. `None`: it is not in the index.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn by_index(&self, index: u64) -> Result<Option<Located>, IndexError> {
        search::by_index(&self.reader(), index)
    }

    /// The last delegation to this key.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn delegation(&self, key: KeyId) -> Result<Option<Located>, IndexError> {
        search::delegation(&self.reader(), key)
    }

    /// A page of what fits a question.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn find(&self, query: &Query) -> Result<Page, IndexError> {
        search::find(&self.reader(), query)
    }

    /// How many entries there are, of each kind.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn counts(&self) -> Result<Vec<Count>, IndexError> {
        search::counts(&self.reader())
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // What a panic left is a transaction that was rolled back when it was dropped.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        for reader in &self.readers {
            match reader.try_lock() {
                Ok(free) => return free,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % READERS;
        let [first, second] = &self.readers;
        let reader = if turn == 0 { first } else { second };
        reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number that stands for a kind in the file. Numbers are not given anew.
const fn kind_code(kind: LeafKind) -> i64 {
    match kind {
        LeafKind::Execution => 0,
        LeafKind::Delegation => 1,
        LeafKind::Tool => 2,
        LeafKind::Begin => 3,
        LeafKind::Close => 4,
    }
}

fn kind_of(code: i64) -> Result<LeafKind, IndexError> {
    let kind = LeafKind::ALL
        .into_iter()
        .find(|kind| kind_code(*kind) == code);
    kind.ok_or_else(|| IndexError::unusable("an entry is of no kind"))
}

/// Over what tells an entry from others, and where it is: the first eight bytes of a SHA-256.
fn row_sum(
    index: i64,
    kind: i64,
    id: &[u8; 16],
    pae8: i64,
    segment: u32,
    offset: Option<i64>,
) -> i64 {
    let sum = sha256(&[
        &index.to_be_bytes(),
        &kind.to_be_bytes(),
        id,
        &pae8.to_be_bytes(),
        &segment.to_be_bytes(),
        // No offset is negative.
        &offset.unwrap_or(-1).to_be_bytes(),
    ]);
    i64::from_be_bytes(sum.first_chunk().copied().unwrap_or_default())
}

/// SQLite's integers have a sign. What no log reaches is taken for its end.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The first eight bytes of a digest, as SQLite keeps them.
fn pae8(pae: &Digest) -> i64 {
    let first = pae.as_bytes().first_chunk().copied();
    i64::from_be_bytes(first.unwrap_or_default())
}
