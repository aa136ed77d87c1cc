//! A log of many entries that nobody signed, to measure what a log of that size costs. Its leaves commit to nothing, its payloads are as
//! good as pruned; tiles, index and start-up are those of any log.

use std::io;
use std::path::Path;

use oacp::digest::Digest;
use oacp::id::ExecutionId;
use oacp::key::KeyId;
use oacp::leaf::{Leaf, LeafKind};
use oacp_tlog::checkpoint::{Checkpoint, SignedCheckpoint};
use oacp_tlog::edge::Edge;
use oacp_tlog::tile::Tile;

use crate::head::{Head, Mark, Position};
use crate::index::{Index, Place, Row};
use crate::log::{INDEX, LogOptions};
use crate::retention::Tombstone;
use crate::segment::pruned_name;
use crate::sequencer::CHECKPOINT;
use crate::storage::disk::OsDisk;
use crate::storage::{Directory, Heads, Objects};

/// Entries of a segment.
const SEGMENT: u64 = 32_768;

/// Entries whose tiles and rows are written at once.
const BATCH: u64 = 4096;

/// Makes a log of `count` executions in an empty directory. `id` gives the execution at an index.
///
/// # Errors
/// Of the file system; or the directory holds a log.
pub fn make(
    dir: &Path,
    options: &LogOptions,
    key: KeyId,
    count: u64,
    id: impl Fn(u64) -> ExecutionId,
) -> io::Result<()> {
    let storage = Directory::open(dir, OsDisk::default())?;
    let index = Index::open(&dir.join(INDEX)).map_err(io::Error::other)?;
    let mut edge = Edge::new();
    let mut segment = 0;
    let mut first = 0;
    while first < count {
        let end = (first + SEGMENT).min(count);
        let mut ids = Vec::new();
        let mut at = first;
        while at < end {
            let rows: Vec<_> = (at..end.min(at + BATCH))
                .map(|index| {
                    let leaf = leaf(index, key);
                    edge.push(&leaf.to_bytes()).map_err(io::Error::other)?;
                    ids.push(*id(index).as_bytes());
                    Ok(Row {
                        index,
                        kind: leaf.kind,
                        id: *id(index).as_bytes(),
                        pae: leaf.pae,
                        place: Place { segment, offset: 0 },
                        facts: None,
                    })
                })
                .collect::<io::Result<_>>()?;
            for (tile, bytes) in edge.take_changed() {
                if tile.is_full() {
                    storage.put(&tile.to_string(), &bytes)?;
                }
            }
            index.add(at, &rows).map_err(io::Error::other)?;
            at += rows.len() as u64;
        }
        let (tombstone, _) = Tombstone::encode(segment, first, &ids, &[]);
        storage.put(&pruned_name(segment), &tombstone)?;
        segment += 1;
        first = end;
    }
    for tile in Tile::partials(count) {
        if let Some(bytes) = edge.tile(tile) {
            storage.put(&tile.to_string(), &bytes)?;
        }
    }
    storage.sync()?;
    let position = Position { segment, offset: 0 };
    let checkpoint = Checkpoint::new(options.origin.as_ref(), count, edge.root());
    let checkpoint = checkpoint.map_err(io::Error::other)?;
    let checkpoint = SignedCheckpoint::sign(&checkpoint, &options.key);
    storage.put(CHECKPOINT, checkpoint.to_string().as_bytes())?;
    let head = Head {
        end: position,
        durable: Mark {
            size: count,
            position,
        },
        checkpoint,
    };
    storage.swap(0, &head.to_bytes())
}

fn leaf(index: u64, key_id: KeyId) -> Leaf {
    Leaf {
        kind: LeafKind::Execution,
        pae: Digest::of(&index.to_be_bytes()),
        signature: [7; 64],
        key_id,
        sequence: Some(index),
    }
}
