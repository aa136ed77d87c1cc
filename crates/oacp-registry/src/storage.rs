//! Where a log is kept: two small interfaces, and a directory that gives both.
//!
//! [`Objects`] keeps bytes under names and need not be trusted: everything read from it is checked. [`Heads`] keeps one small value and
//! is trusted to change it in one step. A directory gives both; object storage and a consensus engine could give one each.

mod directory;
pub mod disk;

use std::any::Any;
use std::io;

pub use self::directory::Directory;
pub(crate) use self::directory::{SLOT_BYTES, Slot, slot};

/// Names and bytes. A name is a relative path with `/` between its parts.
pub trait Objects: Send + Sync + 'static {
    /// Puts a whole object, instead of one that is there. A reader sees the old bytes or the new. It may be lost until
    /// [`Objects::sync`]. May be repeated.
    ///
    /// # Errors
    /// Whether it is there is then not known.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Makes the object end with `bytes`, from `offset` on, whatever was there behind it. Durable when it returns. May be repeated.
    ///
    /// # Errors
    /// What is behind `offset` is then not known; what is before it is as it was.
    fn append(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// The whole object. `None`: there is none.
    ///
    /// # Errors
    /// Nothing has changed; may be repeated.
    fn get(&self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// `len` bytes from `offset` on; fewer at its end, none if there is no such object.
    ///
    /// # Errors
    /// Nothing has changed; may be repeated.
    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>>;

    /// Bytes of the object. `None`: there is none.
    ///
    /// # Errors
    /// Nothing has changed; may be repeated.
    fn len(&self, name: &str) -> io::Result<Option<u64>>;

    /// Removes an object; there need be none. It may come back until [`Objects::sync`]. May be repeated.
    ///
    /// # Errors
    /// Whether it is there is then not known.
    fn delete(&self, name: &str) -> io::Result<()>;

    /// The names directly below this one, sorted.
    ///
    /// # Errors
    /// Nothing has changed; may be repeated.
    fn list(&self, name: &str) -> io::Result<Vec<String>>;

    /// Makes durable whatever was put and deleted before the call.
    ///
    /// # Errors
    /// What is durable is then not known, and a repetition that succeeds does not tell: what is not known to be durable has to be put again.
    fn sync(&self) -> io::Result<()>;
}

/// A value with a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// Counts the swaps, from 1.
    pub generation: u64,
    /// The value.
    pub value: Vec<u8>,
}

/// What is known of the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The newest that can be read. `None`: there never was one.
    pub newest: Option<Versioned>,
    /// Whether a newer one may have been written and cannot be read: a swap that a power cut tore, or rot.
    pub may_be_older: bool,
}

/// One small value that changes in one step.
pub trait Heads: Send + Sync + 'static {
    /// Keeps other processes from swapping until what is returned is dropped. Waits.
    ///
    /// # Errors
    /// Nothing has changed; may be repeated.
    fn lock(&self) -> io::Result<Box<dyn Any + Send>>;

    /// The value.
    ///
    /// # Errors
    /// Nothing has changed; may be repeated. `InvalidData`: no value can be read, and there was one.
    fn load(&self) -> io::Result<Loaded>;

    /// Replaces the value of this generation (0: there is none) by the next. Durable when it returns.
    ///
    /// # Errors
    /// `AlreadyExists`: the generation is another one, and nothing has changed. Otherwise it is not known which value is there; it is
    /// one of the two.
    fn swap(&self, generation: u64, value: &[u8]) -> io::Result<()>;

    /// Makes durable the value that [`Heads::load`] gave, for a swap that failed may have left it readable and nothing more.
    ///
    /// # Errors
    /// As [`Heads::swap`].
    fn confirm(&self, value: &Versioned) -> io::Result<()>;
}
