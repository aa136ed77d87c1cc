//! The file: how it is opened, made, and known to be ours.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::IndexError;

/// Says in the file's header whose it is: `oacp`.
const APPLICATION_ID: i32 = 0x6f61_6370;

/// Of the tables. Another version is not converted but made again.
const SCHEMA_VERSION: i32 = 2;

/// Milliseconds to wait for another process that writes.
const BUSY_MS: u64 = 10_000;

/// KiB of pages in memory, of the writer. With the readers' at most 32 MiB.
const WRITER_CACHE_KIB: i32 = 24 << 10;

/// KiB of pages in memory, of one reader.
const READER_CACHE_KIB: i32 = 4 << 10;

/// Pages of the journal after which it is worked into the file: 32 MiB. A page that changes in every transaction is then written once for
/// many of them.
const JOURNAL_PAGES: i32 = 8 << 10;

/// Bytes that the journal keeps when it is begun anew.
const JOURNAL_BYTES_KEPT: i32 = 64 << 20;

/// Statements kept prepared. There are about twenty.
const STATEMENTS: usize = 32;

/// Attempts at the one step of opening that does not wait for others by itself.
const ATTEMPTS: u32 = 200;

/// `offset` is absent of what was pruned. `sum` is [`super::row_sum`]. The columns behind it say something of an entry; those of names hold
/// their numbers.
const TABLES: &str = "
    CREATE TABLE entry (
        idx INTEGER PRIMARY KEY,
        kind INTEGER NOT NULL,
        id BLOB NOT NULL,
        pae8 INTEGER NOT NULL,
        segment INTEGER NOT NULL,
        offset INTEGER,
        sum INTEGER NOT NULL,
        time INTEGER,
        sequence INTEGER,
        sandbox INTEGER,
        agent INTEGER,
        principal INTEGER,
        outcome INTEGER
    ) STRICT;
    CREATE INDEX entry_id ON entry (id, kind, pae8);
    CREATE INDEX entry_pae ON entry (idx >> 16, pae8);

    CREATE TABLE name (
        id INTEGER PRIMARY KEY,
        bucket INTEGER NOT NULL,
        hash INTEGER NOT NULL,
        field INTEGER NOT NULL,
        value BLOB NOT NULL
    ) STRICT;
    CREATE INDEX name_hash ON name (bucket, hash);

    CREATE TABLE posting (
        name INTEGER NOT NULL,
        idx INTEGER NOT NULL,
        PRIMARY KEY (name, idx)
    ) STRICT, WITHOUT ROWID;

    -- Digest 0: the tool has none.
    CREATE TABLE called (
        idx INTEGER NOT NULL,
        tool INTEGER NOT NULL,
        digest INTEGER NOT NULL,
        PRIMARY KEY (idx, tool, digest)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE bucket (
        bucket INTEGER PRIMARY KEY,
        time_min INTEGER,
        time_max INTEGER
    ) STRICT;

    CREATE TABLE segment (
        segment INTEGER PRIMARY KEY,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE count (
        kind INTEGER PRIMARY KEY,
        entries INTEGER NOT NULL,
        pruned INTEGER NOT NULL
    ) STRICT;
";

/// The connection that writes. Makes the file and its tables if there are none.
pub(super) fn open_writer(path: &Path) -> Result<Connection, IndexError> {
    make_private(path).map_err(IndexError::File)?;
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_CACHE_KIB)?;
    // Before anything is changed: a foreign file is left as it is.
    if !is_empty(&connection)? {
        check(&connection)?;
    }
    write_ahead(&connection)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", JOURNAL_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES_KEPT)?;
    // What was pruned is not to be found in what the file leaves free.
    connection.pragma_update(None, "secure_delete", "ON")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if is_empty(&transaction)? {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    check(&transaction)?;
    transaction.commit()?;
    Ok(connection)
}

/// A connection that reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, IndexError> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_CACHE_KIB)
}

fn open(path: &Path, flags: OpenFlags, cache_kib: i32) -> Result<Connection, IndexError> {
    // Each connection has a lock around it already.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_millis(BUSY_MS))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Names and views of a file that somebody altered shall call nothing.
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    // Otherwise a statement is planned anew for each value that is bound to it: more work than looking one entry up.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

fn is_empty(connection: &Connection) -> Result<bool, IndexError> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0)
}

pub(super) fn check(connection: &Connection) -> Result<(), IndexError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    if pragma("application_id")? != APPLICATION_ID {
        return Err(IndexError::unusable("the file is another program's"));
    }
    match pragma("user_version")? {
        SCHEMA_VERSION => Ok(()),
        other => Err(IndexError::unusable(format!(
            "it is of version {other}, expected {SCHEMA_VERSION}"
        ))),
    }
}

/// A journal beside the file, so that who reads waits for nobody. While two processes make the file at once, one may be turned away.
fn write_ahead(connection: &Connection) -> Result<(), IndexError> {
    let mut attempts = 0;
    loop {
        let mode = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let reason = format!("its journal cannot be beside it, it is of mode `{mode}`");
                return Err(IndexError::Unusable { reason });
            }
            Err(rusqlite::Error::SqliteFailure(failure, _))
                if failure.code == ErrorCode::DatabaseBusy && attempts < ATTEMPTS =>
            {
                attempts += 1;
                thread::sleep(Duration::from_millis(10));
            }
            Err(e) => return Err(e.into()),
        }
    }
}

/// Principals and what they ran are nobody else's business. SQLite gives the files beside it the same mode.
fn make_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(|_| ())
}
