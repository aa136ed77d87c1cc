//! The tree, derived again from the entries.
//!
//! Where a bundle and the tile of its hashes disagree, the hash above, and at the right edge the signed root, tells which of the two is
//! damaged; what is right is built upon, so that one flipped bit is one finding.

use std::io;

use oacp_tlog::checkpoint::SignedCheckpoint;
use oacp_tlog::entry::decode_bundle;
use oacp_tlog::hash::{Hash, leaf_hash};
use oacp_tlog::tile::{Tile, TileKind};
use oacp_tlog::tree::CompactRange;

use super::Check;
use crate::head::Head;
use crate::sequencer::CHECKPOINT;
use crate::storage::Objects;

const WIDTH: u64 = 256;

/// How often progress is told, in bundles.
const TOLD_EVERY: u64 = 64;

/// What the entries of a log are.
#[derive(Default)]
pub(super) struct Tree {
    range: CompactRange,
    /// For each level, the hashes of the tile that is not full yet.
    levels: Vec<Vec<Hash>>,
    /// The size of the checkpoint that was given out, and the root there.
    published: Option<(u64, Option<Hash>)>,
}

impl Tree {
    /// The root of the first `size` entries: of all, or of those under the checkpoint that was given out.
    pub(super) fn root(&self, size: u64) -> Option<Hash> {
        if size == self.range.size() {
            return Some(self.range.root());
        }
        self.published
            .filter(|(published, _)| *published == size)
            .and_then(|(_, root)| root)
    }

    fn push(&mut self, leaf: Hash) {
        self.range.push(leaf);
        if let Some((size, root)) = &mut self.published
            && *size == self.range.size()
        {
            *root = Some(self.range.root());
        }
    }

    fn level(&mut self, level: usize) -> Option<&mut Vec<Hash>> {
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Vec::new);
        }
        self.levels.get_mut(level)
    }
}

impl Check<'_> {
    /// Reads every bundle, and compares every tile with the one that follows from it.
    pub(super) fn tree(&mut self, head: &Head) -> io::Result<Tree> {
        let size = head.size();
        let published = self.storage.get(CHECKPOINT)?;
        let published = published.and_then(|bytes| SignedCheckpoint::parse(&bytes).ok());
        let mut tree = Tree {
            published: published.map(|checkpoint| {
                let root = (checkpoint.size() == 0).then_some(Hash::EMPTY_TREE);
                (checkpoint.size(), root)
            }),
            ..Tree::default()
        };
        for number in 0..size.div_ceil(WIDTH) {
            let Some(tile) = Tile::at(TileKind::Entries, number, size) else {
                continue;
            };
            let Some(leaves) = self.leaves(tile, &tree, head)? else {
                let what = format!(
                    "neither it nor the tile of its hashes can be read; nothing from entry {} on is checked",
                    number * WIDTH
                );
                self.damage(&tile.to_string(), what);
                break;
            };
            leaves.iter().for_each(|leaf| tree.push(*leaf));
            self.add_tile(&mut tree, 0, number, leaves)?;
            if number % TOLD_EVERY == 0 {
                (self.progress)(tree.range.size(), size);
            }
        }
        self.report.entries = tree.range.size();
        let is_whole = tree.range.size() == size;
        if is_whole && tree.range.root() != head.checkpoint.root() {
            self.damage("tile", "the entries have another root than the signed one");
        }
        self.right_edge(&tree, size)?;
        self.tiles_left(is_whole)?;
        Ok(tree)
    }

    /// The hashes of a bundle's leaves: by its entries, and by the tile beside it.
    fn leaves(&mut self, tile: Tile, tree: &Tree, head: &Head) -> io::Result<Option<Vec<Hash>>> {
        let by_entries = self.bundle(tile)?;
        let beside = Tile::new(TileKind::Hashes(0), tile.index(), tile.width());
        let by_hashes = match beside {
            Some(beside) => self.hashes(beside)?,
            None => None,
        };
        let hashes_name = beside.map(|beside| beside.to_string()).unwrap_or_default();
        match (by_entries, by_hashes) {
            (Some(entries), Some(hashes)) if entries != hashes => {
                if self.are_right(&hashes, tile, tree, head)? {
                    self.damage(&tile.to_string(), "an entry is not what its hash says");
                    self.damaged_bundles.insert(tile.index());
                    Ok(Some(hashes))
                } else {
                    self.damage(&hashes_name, "is not what follows from the entries");
                    Ok(Some(entries))
                }
            }
            (Some(entries), Some(_)) => Ok(Some(entries)),
            (Some(entries), None) => {
                self.damage(&hashes_name, "is missing, or has another length");
                Ok(Some(entries))
            }
            (None, Some(hashes)) => {
                self.damage(
                    &tile.to_string(),
                    "is missing, or no bundle of so many entries",
                );
                Ok(Some(hashes))
            }
            (None, None) => Ok(None),
        }
    }

    /// Whether the leaves of a tile make what is above them.
    fn are_right(
        &mut self,
        leaves: &[Hash],
        tile: Tile,
        tree: &Tree,
        head: &Head,
    ) -> io::Result<bool> {
        if !tile.is_full() {
            let mut range = tree.range.clone();
            leaves.iter().for_each(|leaf| range.push(*leaf));
            return Ok(range.root() == head.checkpoint.root());
        }
        let kind = TileKind::Hashes(1);
        let Some(above) = Tile::at(kind, tile.index() / WIDTH, head.size()) else {
            return Ok(false);
        };
        let above = self.hashes(above)?.unwrap_or_default();
        let at = usize::try_from(tile.index() % WIDTH).unwrap_or(usize::MAX);
        let root = leaves.iter().copied().collect::<CompactRange>().root();
        Ok(above.get(at) == Some(&root))
    }

    /// The hashes of the entries of a bundle, as many as it has to have.
    fn bundle(&mut self, tile: Tile) -> io::Result<Option<Vec<Hash>>> {
        let Some(bytes) = self.tile_file(tile)? else {
            return Ok(None);
        };
        let entries = decode_bundle(&bytes).unwrap_or_default();
        let hashes: Vec<_> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        Ok((hashes.len() >= usize::from(tile.width()))
            .then(|| hashes.into_iter().take(usize::from(tile.width())).collect()))
    }

    fn hashes(&mut self, tile: Tile) -> io::Result<Option<Vec<Hash>>> {
        let Some(bytes) = self.tile_file(tile)? else {
            return Ok(None);
        };
        let (hashes, rest) = bytes.as_chunks::<32>();
        let is_tile = rest.is_empty() && hashes.len() >= usize::from(tile.width());
        let hashes = hashes.iter().take(usize::from(tile.width()));
        Ok(is_tile.then(|| hashes.copied().map(Hash::from_bytes).collect()))
    }

    /// A tile's file; if the log filled the tile meanwhile, the full one's.
    fn tile_file(&mut self, tile: Tile) -> io::Result<Option<Vec<u8>>> {
        for candidate in [Some(tile), tile.full()].into_iter().flatten() {
            let name = candidate.to_string();
            if let Some(bytes) = self.storage.get(&name)? {
                self.knows(&name);
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// Takes the hashes of tile `index` of a level into the tree; a full tile is compared with its file, and gives a hash to the level above.
    fn add_tile(
        &mut self,
        tree: &mut Tree,
        level: u8,
        index: u64,
        hashes: Vec<Hash>,
    ) -> io::Result<()> {
        let is_full = hashes.len() as u64 == WIDTH;
        let kinds = if level == 0 {
            vec![TileKind::Hashes(0), TileKind::Entries]
        } else {
            vec![TileKind::Hashes(level)]
        };
        if is_full {
            for kind in kinds {
                if let Some(tile) = Tile::new(kind, index, 256) {
                    self.full(tile, &hashes)?;
                }
            }
            let root = hashes.iter().copied().collect::<CompactRange>().root();
            let Some(above) = tree.level(usize::from(level) + 1) else {
                return Ok(());
            };
            above.push(root);
            if above.len() as u64 == WIDTH {
                let above = std::mem::take(above);
                return self.add_tile(tree, level + 1, index / WIDTH, above);
            }
        } else if let Some(own) = tree.level(usize::from(level)) {
            *own = hashes;
        }
        Ok(())
    }

    /// A full tile. Of level 0 and of entries, the file was compared when it was read.
    fn full(&mut self, tile: Tile, hashes: &[Hash]) -> io::Result<()> {
        if !matches!(tile.kind(), TileKind::Entries | TileKind::Hashes(0)) {
            match self.hashes(tile)? {
                Some(found) if found == hashes => {}
                Some(_) => self.damage(&tile.to_string(), "is not what follows from the entries"),
                None => self.damage(&tile.to_string(), "is missing, or has another length"),
            }
        }
        self.narrower(tile, hashes)
    }

    /// The tiles that are not full.
    fn right_edge(&mut self, tree: &Tree, size: u64) -> io::Result<()> {
        for tile in Tile::partials(size) {
            let level = usize::from(tile.kind().level());
            let Some(hashes) = tree.levels.get(level) else {
                continue;
            };
            if level > 0 && self.tile_file(tile)?.is_none() {
                self.damage(&tile.to_string(), "is missing");
            }
            self.narrower(tile, hashes)?;
        }
        Ok(())
    }

    /// The partial tiles in a tile's place, each of which begins it.
    fn narrower(&mut self, tile: Tile, hashes: &[Hash]) -> io::Result<()> {
        let Some(narrow) = Tile::new(tile.kind(), tile.index(), 1) else {
            return Ok(());
        };
        let path = narrow.to_string();
        let Some((directory, _)) = path.rsplit_once('/') else {
            return Ok(());
        };
        for name in self.storage.list(directory)? {
            let path = format!("{directory}/{name}");
            let width = name.parse().ok().filter(|width| *width <= tile.width());
            let partial = width.and_then(|width| Tile::new(tile.kind(), tile.index(), width));
            let Some(partial) = partial.filter(|partial| partial.to_string() == path) else {
                continue;
            };
            let bytes = self.storage.get(&path)?.unwrap_or_default();
            let found = match partial.kind() {
                TileKind::Entries => {
                    let entries = decode_bundle(&bytes).unwrap_or_default();
                    entries.iter().map(|entry| leaf_hash(entry)).collect()
                }
                TileKind::Hashes(_) => {
                    let (found, rest) = bytes.as_chunks::<32>();
                    let found: Vec<_> = found.iter().copied().map(Hash::from_bytes).collect();
                    if rest.is_empty() { found } else { Vec::new() }
                }
            };
            self.knows(&path);
            if hashes.get(..usize::from(partial.width())) != Some(found.as_slice()) {
                self.damage(&path, "is not what follows from the entries");
            }
        }
        Ok(())
    }

    /// Tiles that follow from no entry. If not all entries could be read, nothing is said of the others.
    fn tiles_left(&mut self, is_whole: bool) -> io::Result<()> {
        for file in self.files("tile")? {
            if self.known.contains(&file) || file.ends_with(".tmp") {
                continue;
            }
            self.knows(&file);
            if is_whole {
                self.note(&file, "is beyond the log's size, or no tile");
            } else {
                self.note(
                    &file,
                    "could not be checked: entries before it cannot be read",
                );
            }
        }
        Ok(())
    }
}
