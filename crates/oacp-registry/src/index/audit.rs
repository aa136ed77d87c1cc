//! The rows, one after the other, for who compares them with the log.

use std::path::Path;

use rusqlite::{Connection, params};

use super::search::{AUDITED, read_located};
use super::{IndexError, Located, schema, signed};

/// Rows at once: between them others may work the journal into the file.
const ROWS: u32 = 4096;

/// An index that is only read.
pub(crate) struct Audit {
    connection: Connection,
}

/// A row.
pub(crate) struct Audited {
    pub(crate) index: u64,
    /// `None`: the row is not what was written.
    pub(crate) located: Option<Located>,
    /// Whether who looks for the entry's id finds it.
    pub(crate) is_found: bool,
}

impl Audit {
    /// Opens the index that is there. Nothing is made.
    ///
    /// # Errors
    /// `Unusable`: opening the log makes it anew.
    pub(crate) fn open(path: &Path) -> Result<Self, IndexError> {
        let connection = schema::open_reader(path)?;
        schema::check(&connection)?;
        Ok(Self { connection })
    }

    /// The rows from an index on, in their order, or some of them. None: there are no more.
    ///
    /// # Errors
    /// [`IndexError`].
    pub(crate) fn rows(&self, from: u64) -> Result<Vec<Audited>, IndexError> {
        let mut statement = self.connection.prepare_cached(AUDITED)?;
        let rows = statement.query_map(params![signed(from), ROWS], |row| {
            Ok(Audited {
                index: row.get(0)?,
                located: read_located(row).ok(),
                is_found: row.get(7)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
