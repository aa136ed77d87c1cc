//! Tiles: how a log's hashes and entries are cut into files that never change (c2sp.org/tlog-tiles).
//!
//! Attacks: a path with two spellings, or one that leads out of the log's folder; a tile of another
//! length than its path says. So a [`Tile`] comes only from numbers that a tree can have, and its
//! path is parsed by the one rule that writes it.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use crate::encoding::{NUMBER_MAX, from_decimal};
use crate::hash::Hash;
use crate::limits::{TILE_PATH_BYTES_MAX, TILE_WIDTH_MAX};
use crate::tree::{CompactRange, Node, NodeReader};

/// Bytes of a hash.
const HASH_LEN: usize = 32;
/// Levels of the tree within a tile: 2^8 hashes.
const TILE_HEIGHT: u8 = 8;
/// The highest level of tiles in a tree of 2^63 − 1 leaves. The specification's paths go to 63, but
/// those tiles are empty, and empty tiles are not served.
const LEVEL_MAX: u8 = 7;
/// How many tiles a [`TileReader`] keeps: more than a proof in a tree of any size needs.
const CACHE_TILES: usize = 32;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of complete subtrees of 256^level leaves; 0 are leaves. At most 7.
    Hashes(u8),
    /// Entries: a bundle (see [`entry`](crate::entry)).
    Entries,
}

impl TileKind {
    /// The level whose tiles have the same shape: 0 for entries.
    pub const fn level(self) -> u8 {
        match self {
            Self::Hashes(level) => level,
            Self::Entries => 0,
        }
    }

    /// 256^level as a shift.
    const fn shift(self) -> u32 {
        TILE_HEIGHT as u32 * self.level() as u32
    }
}

/// The name of a tile: what it holds, which one it is, and how wide. Its text form is its path under
/// the log's prefix, without a slash in front: `tile/0/x001/234.p/7`, `tile/entries/000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    kind: TileKind,
    index: u64,
    width: u16,
}

impl Tile {
    /// The first `width` (1 to 256) hashes or entries of tile `index`.
    ///
    /// `None`: no tree of at most 2^63 − 1 leaves has it.
    pub fn new(kind: TileKind, index: u64, width: u16) -> Option<Self> {
        let is_some = (1..=TILE_WIDTH_MAX).contains(&width) && kind.level() <= LEVEL_MAX;
        let end = (u128::from(index) * u128::from(TILE_WIDTH_MAX) + u128::from(width))
            .checked_shl(kind.shift())?;
        (is_some && end <= u128::from(NUMBER_MAX) && index <= NUMBER_MAX).then_some(Self {
            kind,
            index,
            width,
        })
    }

    /// Tile `index` as wide as a tree of `size` leaves has it. `None`: it has none.
    pub fn at(kind: TileKind, index: u64, size: u64) -> Option<Self> {
        if kind.level() > LEVEL_MAX {
            return None;
        }
        let count =
            (size >> kind.shift()).checked_sub(index.checked_mul(TILE_WIDTH_MAX.into())?)?;
        let width = u16::try_from(count).unwrap_or(TILE_WIDTH_MAX);
        Self::new(kind, index, width.min(TILE_WIDTH_MAX))
    }

    /// The partial tiles of a tree of `size` leaves: the entries, then the hashes from level 0 up.
    /// With the full tiles before them they are the whole tree.
    pub fn partials(size: u64) -> Vec<Self> {
        let levels = (0..=LEVEL_MAX).map(TileKind::Hashes);
        [TileKind::Entries]
            .into_iter()
            .chain(levels)
            .filter_map(|kind| {
                let count = size >> kind.shift();
                Self::at(kind, count / u64::from(TILE_WIDTH_MAX), size)
            })
            .collect()
    }

    /// What it holds.
    pub const fn kind(&self) -> TileKind {
        self.kind
    }

    /// Which one of its kind, from 0.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or entries it holds: 1 to 256.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Whether it is 256 wide, and will never change.
    pub const fn is_full(&self) -> bool {
        self.width == TILE_WIDTH_MAX
    }

    /// The same tile when it has become full: what to ask for where a partial one is gone. `None`: no
    /// tree of at most 2^63 − 1 leaves has it.
    pub fn full(&self) -> Option<Self> {
        Self::new(self.kind, self.index, TILE_WIDTH_MAX)
    }

    /// The first leaf below it.
    pub const fn start(&self) -> u64 {
        (self.index * TILE_WIDTH_MAX as u64) << self.kind.shift()
    }

    /// One past the last leaf below it: the smallest tree size that has it this wide.
    pub const fn end(&self) -> u64 {
        (self.index * TILE_WIDTH_MAX as u64 + self.width as u64) << self.kind.shift()
    }

    /// How wide a tree of `size` leaves has this tile: 0 to 256.
    pub fn width_at(&self, size: u64) -> u16 {
        Self::at(self.kind, self.index, size).map_or(0, |tile| tile.width)
    }

    /// How many bytes a tile of hashes has. `None` for entries.
    pub fn byte_len(&self) -> Option<usize> {
        matches!(self.kind, TileKind::Hashes(_)).then(|| usize::from(self.width) * HASH_LEN)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        // 19 digits are seven elements.
        let mut place = 1_000_000_000_000_000_000;
        while place > 1 {
            if self.index >= place {
                write!(f, "x{:03}/", self.index / place % 1000)?;
            }
            place /= 1000;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.is_full() {
            Ok(())
        } else {
            write!(f, ".p/{}", self.width)
        }
    }
}

impl FromStr for Tile {
    type Err = ParseTileError;

    fn from_str(text: &str) -> Result<Self, ParseTileError> {
        parse_path(text).ok_or(ParseTileError)
    }
}

fn parse_path(text: &str) -> Option<Tile> {
    if text.len() > TILE_PATH_BYTES_MAX {
        return None;
    }
    let (kind, rest) = text.strip_prefix("tile/")?.split_once('/')?;
    let kind = match kind {
        "entries" => TileKind::Entries,
        level => TileKind::Hashes(u8::try_from(from_decimal(level)?).ok()?),
    };
    let (path, width) = match rest.split_once(".p/") {
        Some((path, width)) => (path, u16::try_from(from_decimal(width)?).ok()?),
        None => (rest, TILE_WIDTH_MAX),
    };
    let mut index = 0_u64;
    for element in path.split('/') {
        let digits = element.strip_prefix('x').unwrap_or(element);
        let is_three_digits = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let digits: u64 = is_three_digits.then(|| digits.parse().ok()).flatten()?;
        index = index.checked_mul(1000)?.checked_add(digits)?;
    }
    // Where the `x` stand, zeros in front and `.p/256` have one right form: the one that is written.
    Tile::new(kind, index, width).filter(|tile| tile.to_string() == text)
}

/// A text is not the path of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a tile's path: expected one like `tile/0/x001/234.p/7` or `tile/entries/000`")]
pub struct ParseTileError;

/// The tile, as wide as a tree of `size` leaves has it, whose hashes make up that of `node`, and
/// which of its hashes they are.
///
/// `None`: `node` is not in a tree of that size.
pub fn node_tile(node: Node, size: u64) -> Option<(Tile, Range<usize>)> {
    if node.end() > size {
        return None;
    }
    let within = node.level() % TILE_HEIGHT;
    // In hashes of the tile's level.
    let start = node.index() << within;
    let first = usize::try_from(start % u64::from(TILE_WIDTH_MAX)).ok()?;
    let kind = TileKind::Hashes(node.level() / TILE_HEIGHT);
    let tile = Tile::at(kind, start / u64::from(TILE_WIDTH_MAX), size)?;
    Some((tile, first..first + (1 << within)))
}

/// The hash of the complete subtree over some hashes of a tile, given its bytes.
pub(crate) fn hash_in_tile(bytes: &[u8], range: Range<usize>) -> Option<Hash> {
    let (hashes, _) = bytes.as_chunks::<HASH_LEN>();
    let hashes = hashes.get(range)?.iter().copied().map(Hash::from_bytes);
    Some(hashes.collect::<CompactRange>().root())
}

/// Reads a tree's hashes from its tiles, which a closure fetches. Keeps the last few tiles (at most
/// 256 KiB).
///
/// Tiles are believed: whoever makes a proof of a stranger's tiles verifies it, against a checkpoint,
/// before trusting it.
pub struct TileReader<F> {
    size: u64,
    fetch: F,
    cache: RefCell<Vec<(Tile, Arc<[u8]>)>>,
}

impl<F> TileReader<F> {
    /// Of the tree of `size` leaves. `fetch` is asked for tiles of hashes as wide as that tree has
    /// them, and may give a wider one (the full one, if the partial one is gone).
    pub const fn new<E>(size: u64, fetch: F) -> Self
    where
        F: Fn(Tile) -> Result<Vec<u8>, E>,
    {
        Self {
            size,
            fetch,
            cache: RefCell::new(Vec::new()),
        }
    }

    fn tile<E>(&self, tile: Tile) -> Result<Arc<[u8]>, TileReadError<E>>
    where
        F: Fn(Tile) -> Result<Vec<u8>, E>,
    {
        let cached = |cache: &[(Tile, Arc<[u8]>)]| {
            let found = cache.iter().find(|(at, _)| *at == tile);
            found.map(|(_, bytes)| Arc::clone(bytes))
        };
        if let Some(bytes) = cached(&self.cache.borrow()) {
            return Ok(bytes);
        }
        let bytes: Arc<[u8]> = (self.fetch)(tile).map_err(TileReadError::Fetch)?.into();
        let wanted = tile.byte_len().unwrap_or(0);
        let is_tile = bytes.len().is_multiple_of(HASH_LEN)
            && (wanted..=usize::from(TILE_WIDTH_MAX) * HASH_LEN).contains(&bytes.len());
        if !is_tile {
            let got = bytes.len();
            return Err(TileReadError::Length { tile, wanted, got });
        }
        let mut cache = self.cache.borrow_mut();
        if cache.len() >= CACHE_TILES {
            cache.remove(0);
        }
        cache.push((tile, Arc::clone(&bytes)));
        Ok(bytes)
    }
}

impl<F, E> NodeReader for TileReader<F>
where
    F: Fn(Tile) -> Result<Vec<u8>, E>,
{
    type Error = TileReadError<E>;

    fn read(&self, nodes: &[Node]) -> Result<Vec<Hash>, TileReadError<E>> {
        let read = |node: &Node| {
            let (tile, range) = node_tile(*node, self.size).ok_or(TileReadError::Outside)?;
            let bytes = self.tile(tile)?;
            hash_in_tile(&bytes, range).ok_or(TileReadError::Outside)
        };
        nodes.iter().map(read).collect()
    }
}

/// Why hashes could not be read from tiles.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileReadError<E> {
    /// The closure's.
    #[error("tile could not be fetched")]
    Fetch(#[source] E),
    /// A tile has another length than its path says.
    #[error("`{tile}` has {got} bytes, expected {wanted}")]
    Length {
        /// The tile.
        tile: Tile,
        /// Bytes that it should have.
        wanted: usize,
        /// Bytes that it has.
        got: usize,
    },
    /// The subtree is not in the tree that is read.
    #[error("subtree is not in the tree")]
    Outside,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::edge::Edge;
    use crate::fixture::Leaves;
    use crate::tree::{consistency_proof, inclusion_proof, root};

    fn tile(text: &str) -> Tile {
        text.parse().unwrap()
    }

    #[test]
    fn the_specifications_examples() {
        let full = Tile::new(TileKind::Hashes(0), 1_234_067, 256).unwrap();
        assert_eq!(full.to_string(), "tile/0/x001/x234/067");
        // A tree of size 70,000.
        let at = |kind, index| Tile::at(kind, index, 70_000).map(|tile| tile.width());
        assert_eq!(at(TileKind::Hashes(0), 272), Some(256));
        assert_eq!(at(TileKind::Hashes(0), 273), Some(112));
        assert_eq!(at(TileKind::Hashes(0), 274), None);
        assert_eq!(at(TileKind::Hashes(1), 0), Some(256));
        assert_eq!(at(TileKind::Hashes(1), 1), Some(17));
        assert_eq!(at(TileKind::Hashes(2), 0), Some(1));
        assert_eq!(at(TileKind::Hashes(3), 0), None);
        let partials: Vec<_> = Tile::partials(70_000).iter().map(Tile::to_string).collect();
        let expected = [
            "entries/273.p/112",
            "0/273.p/112",
            "1/001.p/17",
            "2/000.p/1",
        ];
        assert_eq!(partials, expected.map(|path| format!("tile/{path}")));
        let partials: Vec<_> = Tile::partials(256).iter().map(Tile::to_string).collect();
        assert_eq!(partials, ["tile/1/000.p/1"]);
        assert_eq!(Tile::partials(0), []);
    }

    #[test]
    fn paths_that_are_none_are_refused() {
        for wrong in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "/tile/0/000",
            "tile/0/000/",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/0/x000/000",
            "tile/0/x000/001",
            "tile/0/001/000",
            "tile/0/x001/x000",
            "tile/0/xx01/000",
            "tile/0/x001//000",
            "tile/0/../000",
            "tile/0/x0a1/000",
            "tile/0/+01",
            "tile/0/٠٠١",
            "tile/00/000",
            "tile/01/000",
            "tile/+1/000",
            "tile/-1/000",
            "tile/8/000.p/1",
            "tile/63/000",
            "tile/256/000",
            "tile/data/000",
            "tile/Entries/000",
            "tile/0/000.p/0",
            "tile/0/000.p/01",
            "tile/0/000.p/256",
            "tile/0/000.p/257",
            "tile/0/000.p/",
            "tile/0/000.p",
            "tile/0/000.p/1/",
            "tile/0/000.p/1.p/1",
            "tile/0/000?x",
            "tile/0/000%2e",
            "tile/7/000",
            "tile/7/000.p/128",
            "tile/7/001.p/1",
            "tile/0/x036/x028/x797/x018/x963/968",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
            "tile/0/x001/x000/x000/x000/x000/x000/x000/x000/x000/x000/000",
        ] {
            assert_eq!(wrong.parse::<Tile>(), Err(ParseTileError), "{wrong}");
        }
        // The last ones that a tree can have.
        for right in [
            "tile/7/000.p/127",
            "tile/0/x036/x028/x797/x018/x963/967.p/255",
            "tile/entries/x036/x028/x797/x018/x963/966",
        ] {
            assert_eq!(tile(right).to_string(), right);
            assert!(tile(right).end() <= NUMBER_MAX);
        }
    }

    #[test]
    fn a_tile_knows_its_leaves() {
        let at = tile("tile/1/x001/234.p/7");
        assert_eq!(
            (at.kind(), at.index(), at.width()),
            (TileKind::Hashes(1), 1234, 7)
        );
        assert_eq!(at.start(), 1234 * 65_536);
        assert_eq!(at.end(), 1234 * 65_536 + 7 * 256);
        assert_eq!(at.width_at(at.end()), 7);
        assert_eq!(at.width_at(at.end() - 1), 6);
        assert_eq!(at.width_at(at.start()), 0);
        assert_eq!(at.width_at(NUMBER_MAX), 256);
        assert_eq!(at.full(), Some(tile("tile/1/x001/234")));
        assert_eq!(at.byte_len(), Some(224));
        assert_eq!(tile("tile/entries/000").byte_len(), None);
        assert!(!at.is_full() && tile("tile/1/x001/234").is_full());
        assert_eq!(tile("tile/7/000.p/127").full(), None);
        for wrong in [0, 257] {
            assert_eq!(Tile::new(TileKind::Entries, 0, wrong), None);
        }
        assert_eq!(Tile::new(TileKind::Hashes(8), 0, 1), None);
        assert_eq!(Tile::new(TileKind::Hashes(255), 0, 1), None);
        assert_eq!(Tile::new(TileKind::Hashes(0), u64::MAX, 1), None);
        assert_eq!(Tile::at(TileKind::Hashes(255), 0, 1), None);
        assert_eq!(Tile::at(TileKind::Hashes(0), u64::MAX, 1), None);
    }

    fn any_tile() -> impl Strategy<Value = Tile> {
        let index = prop_oneof![0..2000_u64, any::<u64>()];
        let kind = prop_oneof![
            Just(TileKind::Entries),
            (0..8_u8).prop_map(TileKind::Hashes)
        ];
        (kind, index, 1..=256_u16).prop_filter_map("too large", |(kind, index, width)| {
            // Any index, brought to where the kind's trees end.
            let shift = 8 * u32::from(kind.level()) + 8;
            Tile::new(kind, index & NUMBER_MAX.checked_shr(shift)?, width)
        })
    }

    proptest! {
        #[test]
        fn paths_round_trip_and_are_those_of_the_oracle(tile in any_tile()) {
            let path = tile.to_string();
            prop_assert!(path.len() <= TILE_PATH_BYTES_MAX);
            prop_assert_eq!(path.parse(), Ok(tile));
            let is_entries = tile.kind() == TileKind::Entries;
            let (level, width) = (tile.kind().level(), tile.width().into());
            let oracle = tlog_tiles::Tile::new(8, level, tile.index(), width, is_entries).path();
            // Its paths are those of Go's checksum database.
            let oracle = oracle.replacen("tile/8/", "tile/", 1).replacen("data", "entries", 1);
            prop_assert_eq!(path, oracle);
        }

        #[test]
        fn any_text_is_a_tile_or_none(
            text in "tile/([0-9]{1,2}|entries)/(x[0-9]{3}/){0,6}[0-9]{2,4}([.]p/[0-9]{0,3})?",
        ) {
            if let Ok(tile) = text.parse::<Tile>() {
                prop_assert_eq!(tile.to_string(), text);
            }
        }

        /// The hash of every complete subtree is made of the tile that is named for it.
        #[test]
        fn every_node_has_a_tile(size in 1..=NUMBER_MAX, a: u64, level in 0..63_u8) {
            let index = (a % size) >> level;
            let Some(node) = Node::new(level, index) else { return Ok(()) };
            match node_tile(node, size) {
                Some((tile, range)) => {
                    prop_assert!(node.end() <= size);
                    prop_assert!(range.end <= usize::from(tile.width()));
                    prop_assert_eq!(tile.width_at(size), tile.width());
                    let shift = 8 * u32::from(tile.kind().level());
                    let first = tile.start() + ((range.start as u64) << shift);
                    prop_assert_eq!(first, node.start());
                    prop_assert_eq!(first + ((range.len() as u64) << shift), node.end());
                }
                None => prop_assert!(node.end() > size),
            }
        }
    }

    #[test]
    fn proofs_are_made_from_tiles() {
        let tree = Leaves::new(70_000);
        let mut edge = Edge::new();
        let mut tiles = BTreeMap::new();
        for n in 0..70_000_u64 {
            edge.push(&n.to_be_bytes()).unwrap();
            // Only the sizes that are asked for below are ever published.
            if [255, 256, 257, 511, 65_535, 65_536, 65_537, 69_999].contains(&n) {
                tiles.extend(edge.take_changed());
            }
        }
        for size in [256, 257, 258, 512, 65_536, 65_537, 65_538, 70_000] {
            let fetched = RefCell::new(Vec::new());
            let fetch = |tile: Tile| {
                fetched.borrow_mut().push(tile);
                tiles.get(&tile).cloned().ok_or("gone")
            };
            let reader = TileReader::new(size, fetch);
            assert_eq!(root(size, &reader), Ok(tree.root(size)));
            for index in [0, 1, 255, size / 2, size - 1] {
                let proof = inclusion_proof(index, size, &reader).unwrap();
                assert_eq!(proof, tree.inclusion(index, size), "{index} in {size}");
            }
            for old in [1, 2, 128, 255, 256, size / 2 + 1, size - 1, size] {
                let proof = consistency_proof(old, size, &reader).unwrap();
                assert_eq!(proof, tree.consistency(old, size), "{old} to {size}");
            }
            let mut once = fetched.borrow().clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), fetched.borrow().len(), "a tile is fetched once");
        }
        // A full tile stands in for a partial one that is gone.
        let fetch = |tile: Tile| tiles.get(&tile.full().unwrap()).cloned().ok_or("gone");
        let reader = TileReader::new(200, fetch);
        assert_eq!(root(200, &reader), Ok(tree.root(200)));
    }

    #[test]
    fn tiles_of_another_length_are_refused() {
        for (length, is_tile) in [
            (0, false),
            (31, false),
            (224, false),
            (256, true),
            (287, false),
            (8192, true),
            (8224, false),
        ] {
            let reader = TileReader::new(8, |_| Ok::<_, String>(vec![0; length]));
            assert_eq!(root(8, &reader).is_ok(), is_tile, "{length}");
        }
        let reader = TileReader::new(8, |_| Ok::<_, String>(vec![]));
        let node = Node::new(0, 8).unwrap();
        assert_eq!(reader.read(&[node]), Err(TileReadError::Outside));
    }
}
