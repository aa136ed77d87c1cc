//! What is looked for by name, each kept once a bucket.

use std::collections::HashMap;

use oacp::digest::Hasher;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::{IndexError, signed};

/// A bucket has 2^16 entries.
const BUCKET_BITS: u32 = 16;

/// Names that the writer remembers. With values of at most a few hundred bytes, some MiB. Attack: agents or tools that occur once.
const REMEMBERED_MAX: usize = 8192;

/// The bucket that an entry is in.
pub(super) fn bucket(index: u64) -> i64 {
    signed(index >> BUCKET_BITS)
}

/// The first index of a bucket.
pub(super) fn bucket_start(bucket: i64) -> i64 {
    bucket.saturating_mul(1 << BUCKET_BITS)
}

/// What a name is of. The numbers stand in the file, and are not given anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Field {
    Sandbox = 1,
    Agent = 2,
    Principal = 3,
    Tool = 4,
    ToolHash = 5,
    Outcome = 6,
    Kind = 7,
    /// The key that was delegated to. Stays when the delegation is pruned.
    Key = 8,
}

/// A name, and the hash it is looked up by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub field: Field,
    pub value: Box<[u8]>,
}

impl Name {
    pub fn new(field: Field, value: &[u8]) -> Self {
        Self {
            field,
            value: value.into(),
        }
    }

    /// A cryptographic one: guests choose names of tools, and none shall choose where they collide.
    pub fn hash(&self) -> i64 {
        let mut hasher = Hasher::new();
        hasher.update(&[self.field as u8]).update(&self.value);
        super::pae8(&hasher.finish())
    }
}

/// The number of a name in a bucket, if it has one.
pub(super) fn look_up(
    connection: &Connection,
    bucket: i64,
    name: &Name,
    hash: i64,
) -> Result<Option<i64>, IndexError> {
    let mut statement = connection.prepare_cached(LOOK_UP)?;
    let found = statement.query_row(
        params![bucket, hash, name.field as i64, &*name.value],
        |row| row.get(0),
    );
    Ok(found.optional()?)
}

const LOOK_UP: &str =
    "SELECT id FROM name WHERE bucket = ?1 AND hash = ?2 AND field = ?3 AND value = ?4";

/// The names of the bucket that is being written, as far as they are remembered.
#[derive(Default)]
pub(super) struct Names {
    bucket: i64,
    ids: HashMap<Name, i64>,
}

impl Names {
    /// What was remembered may no longer be so.
    pub fn forget(&mut self) {
        self.ids.clear();
    }

    /// The number of a name in a bucket, which is given one if it has none.
    pub fn number(
        &mut self,
        statements: &mut NameStatements<'_>,
        bucket: i64,
        name: Name,
    ) -> Result<i64, IndexError> {
        if self.bucket != bucket || self.ids.len() >= REMEMBERED_MAX {
            self.forget();
            self.bucket = bucket;
        }
        if let Some(id) = self.ids.get(&name) {
            return Ok(*id);
        }
        let (hash, field) = (name.hash(), name.field as i64);
        let found = statements
            .look_up
            .query_row(params![bucket, hash, field, &*name.value], |row| row.get(0));
        let id = match found.optional()? {
            Some(id) => id,
            None => statements
                .insert
                .insert(params![bucket, hash, field, &*name.value])?,
        };
        self.ids.insert(name, id);
        Ok(id)
    }
}

/// Prepared once a transaction.
pub(super) struct NameStatements<'a> {
    look_up: CachedStatement<'a>,
    insert: CachedStatement<'a>,
}

impl<'a> NameStatements<'a> {
    pub fn prepare(connection: &'a Connection) -> Result<Self, IndexError> {
        Ok(Self {
            look_up: connection.prepare_cached(LOOK_UP)?,
            insert: connection.prepare_cached(
                "INSERT INTO name (bucket, hash, field, value) VALUES (?1, ?2, ?3, ?4)",
            )?,
        })
    }
}
