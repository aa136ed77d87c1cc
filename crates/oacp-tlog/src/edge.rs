//! The growing edge of a log: its partial tiles, and nothing of what lies before them.

use crate::entry::{EntryTooLong, decode_bundle, encode_entry};
use crate::hash::{Hash, leaf_hash};
use crate::limits::TILE_WIDTH_MAX;
use crate::tile::{Tile, TileKind, hash_in_tile};
use crate::tree::CompactRange;

/// Hashes in a tile.
const WIDTH: usize = TILE_WIDTH_MAX as usize;

/// The right-most, partial tiles of a tree, into which entries are appended.
///
/// Holds at most eight partial tiles of hashes (64 KiB) and one partial bundle (256 entries: about 64
/// KiB at 250 bytes an entry), and what changed since [`Edge::take_changed`]. A clone is a way back:
/// whoever cannot write what changed drops the edge and goes on with the clone.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    tree: CompactRange,
    /// The partial tile of each level from 0 up.
    levels: Vec<Vec<u8>>,
    bundle: Vec<u8>,
    /// Where each entry of `bundle` ends.
    ends: Vec<usize>,
    /// The size at the last `take_changed`.
    taken: u64,
    /// What became full since.
    full: Vec<(Tile, Vec<u8>)>,
}

impl Edge {
    /// Of a tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of the tree of `size` leaves, whose partial tiles ([`Tile::partials`]) `read` gives, as wide
    /// as asked for or wider.
    ///
    /// The entries are compared with their hashes. Whether the tiles are those of the log follows
    /// from [`Edge::root`]: compare it with the checkpoint's.
    ///
    /// # Errors
    /// A tile could not be read, has another length than its path says, or is not of this tree.
    pub fn from_tiles<E>(
        size: u64,
        mut read: impl FnMut(Tile) -> Result<Vec<u8>, E>,
    ) -> Result<Self, EdgeError<E>> {
        let mut edge = Self {
            taken: size,
            ..Self::default()
        };
        let mut nodes = Vec::new();
        for tile in Tile::partials(size) {
            let wrong = || EdgeError::Wrong { tile };
            let mut bytes = read(tile).map_err(|source| EdgeError::Read { tile, source })?;
            let width = usize::from(tile.width());
            match tile.kind() {
                TileKind::Entries => {
                    let entries = decode_bundle(&bytes).map_err(|_| wrong())?;
                    for entry in entries.get(..width).ok_or_else(wrong)? {
                        edge.append_entry(entry).map_err(|_| wrong())?;
                    }
                }
                TileKind::Hashes(level) => {
                    let wanted = width * 32;
                    if bytes.len() < wanted || bytes.len() > WIDTH * 32 || bytes.len() % 32 != 0 {
                        return Err(wrong());
                    }
                    bytes.truncate(wanted);
                    if level == 0 && !edge.has_leaf_hashes(&bytes) {
                        return Err(wrong());
                    }
                    let hashes = bytes.as_chunks::<32>().0.iter();
                    let range: CompactRange = hashes.copied().map(Hash::from_bytes).collect();
                    nodes.push(range.nodes().to_vec());
                    *edge.level(level) = bytes;
                }
            }
        }
        // The widest subtrees stand in the tiles of the highest level.
        let nodes = nodes.into_iter().rev().flatten().collect();
        edge.tree = CompactRange::from_nodes(size, nodes).map_err(|_| EdgeError::Size(size))?;
        Ok(edge)
    }

    /// Appends an entry, and says the hash of its leaf. Its index is the size before.
    ///
    /// # Errors
    /// Longer than 65,535 bytes; nothing is appended.
    pub fn push(&mut self, entry: &[u8]) -> Result<Hash, EntryTooLong> {
        self.append_entry(entry)?;
        let leaf = leaf_hash(entry);
        self.tree.push(leaf);
        let mut hash = leaf;
        let mut level = 0;
        loop {
            let tile = self.level(level);
            tile.extend_from_slice(hash.as_bytes());
            if tile.len() < WIDTH * 32 {
                return Ok(leaf);
            }
            let bytes = std::mem::take(tile);
            if level == 0 {
                let bundle = std::mem::take(&mut self.bundle);
                self.ends.clear();
                self.put_full(TileKind::Entries, bundle);
            }
            hash = hash_in_tile(&bytes, 0..WIDTH).unwrap_or(Hash::EMPTY_TREE);
            self.put_full(TileKind::Hashes(level), bytes);
            level += 1;
        }
    }

    /// How many leaves.
    pub const fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// The right edge as roots of complete subtrees.
    pub const fn tree(&self) -> &CompactRange {
        &self.tree
    }

    /// The tiles that changed since this was last asked, or since the edge was made: those that
    /// became full, lower ones first, then the partial ones of the present size. Whoever has written
    /// them has the whole tree.
    pub fn take_changed(&mut self) -> Vec<(Tile, Vec<u8>)> {
        let mut changed = std::mem::take(&mut self.full);
        let size = self.size();
        let taken = std::mem::replace(&mut self.taken, size);
        for tile in Tile::partials(size) {
            if tile.width_at(taken) < tile.width()
                && let Some(bytes) = self.tile(tile)
            {
                changed.push((tile, bytes));
            }
        }
        changed
    }

    /// A partial tile of the present size, or narrower: what a tree of an earlier size had in the same
    /// place. `None`: not one of the right-most ones, or wider than the present.
    pub fn tile(&self, tile: Tile) -> Option<Vec<u8>> {
        let present = Tile::at(tile.kind(), tile.index(), self.size())?;
        if present.is_full() || tile.width() > present.width() {
            return None;
        }
        let width = usize::from(tile.width());
        let bytes = match tile.kind() {
            TileKind::Entries => self.bundle.get(..*self.ends.get(width.checked_sub(1)?)?)?,
            TileKind::Hashes(level) => self.levels.get(usize::from(level))?.get(..width * 32)?,
        };
        Some(bytes.to_vec())
    }

    fn append_entry(&mut self, entry: &[u8]) -> Result<(), EntryTooLong> {
        encode_entry(&mut self.bundle, entry)?;
        self.ends.push(self.bundle.len());
        Ok(())
    }

    /// Whether the partial bundle's entries have these hashes.
    fn has_leaf_hashes(&self, hashes: &[u8]) -> bool {
        decode_bundle(&self.bundle).is_ok_and(|entries| {
            let leaves = entries.iter().map(|entry| *leaf_hash(entry).as_bytes());
            leaves.eq(hashes.as_chunks::<32>().0.iter().copied())
        })
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "made long enough in the line before"
    )]
    fn level(&mut self, level: u8) -> &mut Vec<u8> {
        let level = usize::from(level);
        self.levels
            .resize_with(self.levels.len().max(level + 1), Vec::new);
        &mut self.levels[level]
    }

    /// Keeps a tile that the last entry filled.
    fn put_full(&mut self, kind: TileKind, bytes: Vec<u8>) {
        let count = (self.size() >> (8 * u32::from(kind.level()))) / u64::from(TILE_WIDTH_MAX);
        let tile = count
            .checked_sub(1)
            .and_then(|index| Tile::new(kind, index, TILE_WIDTH_MAX));
        self.full.extend(tile.map(|tile| (tile, bytes)));
    }
}

/// Why tiles are not the edge of a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EdgeError<E> {
    /// The closure's.
    #[error("`{tile}` could not be read")]
    Read {
        /// The tile.
        tile: Tile,
        /// Why.
        #[source]
        source: E,
    },
    /// A tile has another length than its path says, is no tile, or its entries have other hashes.
    #[error("`{tile}` is damaged")]
    Wrong {
        /// The tile.
        tile: Tile,
    },
    /// No tree is so large.
    #[error("no tree has {0} leaves")]
    Size(u64),
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::fixture::naive;

    type Tiles = BTreeMap<Tile, Vec<u8>>;

    fn entry(n: u64) -> Vec<u8> {
        vec![n as u8; n as usize % 7]
    }

    /// All tiles of a tree, by the book.
    fn tiles_of(entries: &[Vec<u8>]) -> Tiles {
        let mut tiles = Tiles::new();
        for (index, chunk) in entries.chunks(256).enumerate() {
            let tile = Tile::new(TileKind::Entries, index as u64, chunk.len() as u16).unwrap();
            let mut bundle = Vec::new();
            for entry in chunk {
                encode_entry(&mut bundle, entry).unwrap();
            }
            tiles.insert(tile, bundle);
        }
        let mut hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        for level in 0.. {
            if hashes.is_empty() {
                break;
            }
            for (index, chunk) in hashes.chunks(256).enumerate() {
                let kind = TileKind::Hashes(level);
                let tile = Tile::new(kind, index as u64, chunk.len() as u16).unwrap();
                let bytes = chunk.iter().flat_map(|hash| *hash.as_bytes()).collect();
                tiles.insert(tile, bytes);
            }
            hashes = hashes.chunks_exact(256).map(naive).collect();
        }
        tiles
    }

    /// What was written is the tree of `entries`, and its edge comes back from it.
    fn assert_is_tree(written: &Tiles, edge: &Edge, entries: &[Vec<u8>]) {
        let size = entries.len() as u64;
        assert_eq!(edge.size(), size);
        for (tile, bytes) in tiles_of(entries) {
            assert_eq!(written.get(&tile), Some(&bytes), "{tile} of {size}");
            let is_at_edge = !tile.is_full();
            assert_eq!(edge.tile(tile).is_some(), is_at_edge, "{tile} of {size}");
        }
        let read = |tile: Tile| written.get(&tile).cloned().ok_or("gone");
        let again = Edge::from_tiles(size, read).unwrap();
        assert_eq!(again.root(), edge.root());
        assert_eq!(again.tree(), edge.tree());
        assert_eq!(again.levels.concat(), edge.levels.concat());
        assert_eq!((&again.bundle, &again.ends), (&edge.bundle, &edge.ends));
        assert_eq!(again.clone().take_changed(), []);
    }

    #[test]
    fn a_tree_that_grows_leaf_by_leaf() {
        let mut edge = Edge::new();
        let mut entries = Vec::new();
        let mut written = Tiles::new();
        assert_eq!(edge.root(), Hash::EMPTY_TREE);
        for n in 0..=600 {
            let leaves: Vec<Hash> = entries
                .iter()
                .map(|entry: &Vec<u8>| leaf_hash(entry))
                .collect();
            assert_eq!(edge.root(), naive(&leaves));
            assert_is_tree(&written, &edge, &entries);
            // What was served before is served still.
            for tile in written.keys() {
                let prefix = edge.tile(*tile);
                assert!(
                    prefix.is_none() || prefix == written.get(tile).cloned(),
                    "{tile}"
                );
            }
            let leaf = edge.push(&entry(n)).unwrap();
            assert_eq!(leaf, leaf_hash(&entry(n)));
            entries.push(entry(n));
            written.extend(edge.take_changed());
        }
    }

    #[test]
    fn what_became_full_comes_before_what_lies_above_it() {
        let mut edge = Edge::new();
        for n in 0..256 {
            edge.push(&entry(n)).unwrap();
        }
        let order: Vec<_> = edge
            .take_changed()
            .into_iter()
            .map(|(tile, _)| tile.to_string())
            .collect();
        assert_eq!(order, ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(edge.take_changed(), []);
        edge.push(b"").unwrap();
        let order: Vec<_> = edge
            .take_changed()
            .into_iter()
            .map(|(tile, _)| tile.to_string())
            .collect();
        assert_eq!(order, ["tile/entries/001.p/1", "tile/0/001.p/1"]);
    }

    #[test]
    fn damage_is_seen_at_the_start() {
        let entries: Vec<_> = (0..600).map(entry).collect();
        let tiles = tiles_of(&entries);
        let open =
            |tiles: &Tiles| Edge::from_tiles(600, |tile| tiles.get(&tile).cloned().ok_or("gone"));
        let root = open(&tiles).unwrap().root();
        for tile in Tile::partials(600) {
            let mut missing = tiles.clone();
            missing.remove(&tile);
            let error = EdgeError::Read {
                tile,
                source: "gone",
            };
            assert_eq!(open(&missing).unwrap_err(), error);
            let mut short = tiles.clone();
            short.get_mut(&tile).unwrap().pop();
            assert!(open(&short).is_err());
            let length = tiles[&tile].len();
            for at in [0, length / 2, length - 1] {
                let mut flipped = tiles.clone();
                flipped.get_mut(&tile).unwrap()[at] ^= 1;
                // Above level 0 nothing is here to compare with but the checkpoint's root.
                let is_seen = open(&flipped).map_or(true, |edge| edge.root() != root);
                assert!(is_seen, "{tile} byte {at}");
            }
        }
        assert!(Edge::from_tiles(1 << 63, |_| Err::<Vec<u8>, _>("gone")).is_err());
    }

    #[test]
    fn a_wider_tile_will_do() {
        let entries: Vec<_> = (0..600).map(entry).collect();
        let tiles = tiles_of(&entries);
        let wider = |tile: Tile| {
            tiles
                .get(&Tile::at(tile.kind(), tile.index(), 600).unwrap())
                .cloned()
                .ok_or(())
        };
        let mut edge = Edge::from_tiles(530, wider).unwrap();
        for entry in &entries[530..] {
            edge.push(entry).unwrap();
        }
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        assert_eq!(edge.root(), naive(&leaves));
    }

    #[test]
    fn an_entry_that_is_too_long_changes_nothing() {
        let mut edge = Edge::new();
        edge.push(b"one").unwrap();
        let before = edge.root();
        assert_eq!(edge.push(&[0; 65_536]), Err(EntryTooLong(65_536)));
        assert_eq!((edge.size(), edge.root()), (1, before));
        let _ = edge.take_changed();
        assert_eq!(edge.take_changed(), []);
        edge.push(&[0; 65_535]).unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        /// Batches of any size, up to three levels of tiles; the edge is lost and read back at times.
        #[test]
        fn a_tree_that_grows_in_batches(
            batches in prop::collection::vec((1..9000_u64, any::<bool>()), 1..8),
        ) {
            let mut edge = Edge::new();
            let mut entries = Vec::new();
            let mut written = Tiles::new();
            for (count, is_restarted) in batches {
                for _ in 0..count {
                    let entry = entry(entries.len() as u64);
                    edge.push(&entry).unwrap();
                    entries.push(entry);
                }
                written.extend(edge.take_changed());
                if is_restarted {
                    let read = |tile: Tile| written.get(&tile).cloned().ok_or("gone");
                    edge = Edge::from_tiles(edge.size(), read).unwrap();
                }
            }
            assert_is_tree(&written, &edge, &entries);
            let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
            prop_assert_eq!(edge.root(), naive(&leaves));
        }
    }

    #[test]
    fn a_tree_of_three_levels() {
        let mut edge = Edge::new();
        let mut written = Tiles::new();
        let entries: Vec<_> = (0..70_000).map(entry).collect();
        for entry in &entries {
            edge.push(entry).unwrap();
        }
        written.extend(edge.take_changed());
        assert_is_tree(&written, &edge, &entries);
        let paths: Vec<_> = Tile::partials(70_000);
        assert_eq!(paths.len(), 4);
    }
}
