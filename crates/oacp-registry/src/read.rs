//! Reading the tree. What is on the disk may have rotted: every tile is checked against the one above it, up to the right edge, which was
//! checked against the signed root.

use std::io;

use oacp::leaf::Leaf;
use oacp_tlog::edge::Edge;
use oacp_tlog::entry::decode_bundle;
use oacp_tlog::hash::{Hash, leaf_hash};
use oacp_tlog::tile::{Tile, TileKind};
use oacp_tlog::tree::CompactRange;
use thiserror::Error;

use crate::storage::Objects;

/// Entries of a full bundle, and hashes of a full tile.
const WIDTH: u64 = 256;

/// Why something cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// What was read is not what was written.
    #[error("{what} is damaged")]
    Damaged {
        /// Which file, and where.
        what: String,
    },
    /// The log does not go that far.
    #[error("the log has {size} entries")]
    Beyond {
        /// Its size.
        size: u64,
    },
    /// The file system, or the index.
    #[error("{what} cannot be read")]
    Io {
        /// Which file.
        what: String,
        /// Why.
        source: io::Error,
    },
}

impl ReadError {
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }
}

/// Reads the tree whose right edge is given.
pub(crate) struct Reader<'a> {
    objects: &'a dyn Objects,
    edge: &'a Edge,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(objects: &'a dyn Objects, edge: &'a Edge) -> Self {
        Self { objects, edge }
    }

    /// A tile, or a narrower one in its place, as an earlier tree had it. `None`: this tree has none so wide.
    pub(crate) fn tile(&self, tile: Tile) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(present) = Tile::at(tile.kind(), tile.index(), self.edge.size()) else {
            return Ok(None);
        };
        if tile.width() > present.width() {
            return Ok(None);
        }
        if !present.is_full() {
            let missing = || ReadError::damaged(format!("`{tile}`"));
            return self.edge.tile(tile).map(Some).ok_or_else(missing);
        }
        let full = match tile.kind() {
            TileKind::Hashes(_) => self.full_hashes(present)?,
            TileKind::Entries => self.full_entries(present)?,
        };
        if tile.is_full() {
            return Ok(Some(full));
        }
        let end = match tile.kind() {
            TileKind::Hashes(_) => usize::from(tile.width()) * 32,
            TileKind::Entries => {
                let entries =
                    decode_bundle(&full).map_err(|_| ReadError::damaged(format!("`{present}`")))?;
                let entries = entries.iter().take(usize::from(tile.width()));
                entries.map(|entry| 2 + entry.len()).sum()
            }
        };
        Ok(full.get(..end).map(<[u8]>::to_vec))
    }

    /// A full tile of hashes, which make the hash that the tile above it has.
    fn full_hashes(&self, tile: Tile) -> Result<Vec<u8>, ReadError> {
        let bytes = self.file(tile)?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        let root = hashes
            .iter()
            .copied()
            .map(Hash::from_bytes)
            .collect::<CompactRange>()
            .root();
        let is_whole = hashes.len() as u64 == WIDTH && rest.is_empty();
        if is_whole && root == self.hash_above(tile)? {
            Ok(bytes)
        } else {
            Err(ReadError::damaged(format!("`{tile}`")))
        }
    }

    /// A full bundle, whose entries have the hashes of the tile beside it.
    fn full_entries(&self, tile: Tile) -> Result<Vec<u8>, ReadError> {
        let bytes = self.file(tile)?;
        let damaged = || ReadError::damaged(format!("`{tile}`"));
        let entries = decode_bundle(&bytes).map_err(|_| damaged())?;
        let beside = Tile::at(TileKind::Hashes(0), tile.index(), self.edge.size());
        let hashes = self.full_hashes(beside.ok_or_else(damaged)?)?;
        let expected = hashes.as_chunks::<32>().0.iter();
        if entries
            .iter()
            .map(|entry| *leaf_hash(entry).as_bytes())
            .eq(expected.copied())
        {
            Ok(bytes)
        } else {
            Err(damaged())
        }
    }

    /// What the tile above has for a full tile.
    fn hash_above(&self, tile: Tile) -> Result<Hash, ReadError> {
        let damaged = || ReadError::damaged(format!("`{tile}`"));
        let kind = TileKind::Hashes(tile.kind().level() + 1);
        let above = Tile::at(kind, tile.index() / WIDTH, self.edge.size()).ok_or_else(damaged)?;
        let bytes = self.tile(above)?.ok_or_else(damaged)?;
        let at = usize::try_from(tile.index() % WIDTH).unwrap_or(usize::MAX);
        let hash = bytes.as_chunks::<32>().0.get(at).copied();
        hash.map(Hash::from_bytes).ok_or_else(damaged)
    }

    fn file(&self, tile: Tile) -> Result<Vec<u8>, ReadError> {
        let name = tile.to_string();
        match self.objects.get(&name) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(ReadError::damaged(format!("`{name}`, which is missing,"))),
            Err(source) => Err(ReadError::Io {
                what: format!("`{name}`"),
                source,
            }),
        }
    }

    /// The leaves of a bundle.
    pub(crate) fn leaves(&self, bundle: u64) -> Result<Vec<Leaf>, ReadError> {
        let (tile, bytes) = self.bundle(bundle)?;
        let damaged = || ReadError::damaged(format!("`{tile}`"));
        let entries = decode_bundle(&bytes).map_err(|_| damaged())?;
        let leaves = entries.iter().map(|entry| Leaf::parse(entry));
        leaves.collect::<Result<_, _>>().map_err(|_| damaged())
    }

    /// The bytes of an entry.
    pub(crate) fn entry(&self, index: u64) -> Result<Vec<u8>, ReadError> {
        let size = self.edge.size();
        let (tile, bytes) = self.bundle(index / WIDTH)?;
        let entries = decode_bundle(&bytes).map_err(|_| ReadError::damaged(format!("`{tile}`")))?;
        let at = usize::try_from(index % WIDTH).unwrap_or(usize::MAX);
        let entry = entries.get(at).ok_or(ReadError::Beyond { size })?;
        Ok(entry.to_vec())
    }

    /// The leaf of an entry.
    pub(crate) fn leaf(&self, index: u64) -> Result<Leaf, ReadError> {
        Leaf::parse(&self.entry(index)?)
            .map_err(|_| ReadError::damaged(format!("the leaf of entry {index}")))
    }

    fn bundle(&self, number: u64) -> Result<(Tile, Vec<u8>), ReadError> {
        let size = self.edge.size();
        let tile = Tile::at(TileKind::Entries, number, size).ok_or(ReadError::Beyond { size })?;
        let bytes = self.tile(tile)?.ok_or(ReadError::Beyond { size })?;
        Ok((tile, bytes))
    }
}
