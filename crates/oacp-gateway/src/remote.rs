//! A log at a URL, as C2SP tlog-tiles serves it. What comes from there is no more than bytes: who asks verifies.

use std::collections::HashMap;
use std::sync::Arc;

use oacp_tlog::checkpoint::{ParseCheckpointError, SignedCheckpoint};
use oacp_tlog::entry::{decode_bundle, encode_entry};
use oacp_tlog::hash::Hash;
use oacp_tlog::limits::{NOTE_BYTES_MAX, TILE_WIDTH_MAX};
use oacp_tlog::tile::{Tile, TileKind, TileReadError, TileReader, node_tile};
use oacp_tlog::tree::{Node, ProveError, consistency_nodes, consistency_proof, root, root_nodes};
use thiserror::Error;
use tokio::task::JoinSet;

use crate::peer::{Bounds, Peer, PeerError};

/// Tiles that are fetched at a time. Attack: none; a server that is asked for more at a time takes it for one.
const TILES_AT_ONCE: usize = 4;

/// Bytes of a bundle of entries: what any exchange may bring. A bundle of 256 entries, each as long as can be, would be 256 bytes more.
const BUNDLE_BYTES_MAX: usize = 16 << 20;

/// Bytes of a tile of hashes.
const HASHES_BYTES_MAX: usize = 256 * 32;

/// A log at a URL.
#[derive(Clone)]
pub struct Remote {
    peer: Arc<Peer>,
}

/// Why something cannot be had from a log.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// No answer.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// An answer that says no.
    #[error("`{url}/{path}` was answered with status {status}")]
    Status {
        /// The log.
        url: String,
        /// What was asked for.
        path: String,
        /// 100 to 999.
        status: u16,
    },
    /// Not a checkpoint.
    #[error("the checkpoint of `{url}` is malformed")]
    Checkpoint {
        /// The log.
        url: String,
        /// Why.
        #[source]
        source: ParseCheckpointError,
    },
    /// A tile of another length, or a bundle that is none.
    #[error("`{url}/{tile}` is malformed")]
    Tile {
        /// The log.
        url: String,
        /// Which one.
        tile: Tile,
    },
    /// Sizes that no tree has.
    #[error("there is no proof from {old} to {new} entries")]
    NoProof {
        /// Of the smaller tree.
        old: u64,
        /// Of the larger tree.
        new: u64,
    },
    /// The program ends.
    #[error("the program is ending")]
    Ending,
}

impl RemoteError {
    /// Whether it may be otherwise in a while, without anybody changing anything here.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Peer(error) => error.is_transient(),
            Self::Status { status, .. } => *status >= 500 || *status == 429,
            _ => false,
        }
    }
}

impl Remote {
    /// The log that this peer serves.
    pub fn new(peer: Arc<Peer>) -> Self {
        Self { peer }
    }

    /// Where it is, without a slash at the end.
    pub fn url(&self) -> &str {
        self.peer.url()
    }

    /// What it shows as its checkpoint. Nothing is verified but its form.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn checkpoint(&self) -> Result<SignedCheckpoint, RemoteError> {
        let body = self.body("checkpoint", NOTE_BYTES_MAX).await?;
        SignedCheckpoint::parse(&body).map_err(|source| RemoteError::Checkpoint {
            url: self.url().to_owned(),
            source,
        })
    }

    /// A tile's bytes. Where a partial tile is gone since it has become full, the full one is asked for, and cut. Nothing is verified but
    /// its shape.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn tile(&self, tile: Tile) -> Result<Vec<u8>, RemoteError> {
        let asked = self.whole_tile(tile).await;
        let bytes = match (asked, tile.full()) {
            (
                Err(RemoteError::Status {
                    status: 404 | 410, ..
                }),
                Some(full),
            ) if full != tile => self.whole_tile(full).await?,
            (asked, _) => asked?,
        };
        cut(bytes, tile).ok_or_else(|| RemoteError::Tile {
            url: self.url().to_owned(),
            tile,
        })
    }

    async fn whole_tile(&self, tile: Tile) -> Result<Vec<u8>, RemoteError> {
        let bytes_max = match tile.kind() {
            TileKind::Hashes(_) => HASHES_BYTES_MAX,
            TileKind::Entries => BUNDLE_BYTES_MAX,
        };
        self.body(&tile.to_string(), bytes_max).await
    }

    async fn body(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, RemoteError> {
        let reply = self.peer.get(path, Bounds::bytes(bytes_max)).await?;
        match reply.status {
            200 => Ok(reply.body),
            status => Err(RemoteError::Status {
                url: self.url().to_owned(),
                path: path.to_owned(),
                status,
            }),
        }
    }

    /// Several tiles, a few at a time. They are all held in memory.
    ///
    /// # Errors
    /// [`RemoteError`], of any of them.
    pub async fn tiles(
        &self,
        tiles: impl IntoIterator<Item = Tile>,
    ) -> Result<HashMap<Tile, Vec<u8>>, RemoteError> {
        let mut waiting = tiles.into_iter();
        let mut fetches = JoinSet::new();
        let mut fetched = HashMap::new();
        loop {
            while fetches.len() < TILES_AT_ONCE {
                let Some(tile) = waiting.next() else { break };
                let log = self.clone();
                fetches.spawn(async move { (tile, log.tile(tile).await) });
            }
            let Some(next) = fetches.join_next().await else {
                return Ok(fetched);
            };
            let (tile, bytes) = next.map_err(|_| RemoteError::Ending)?;
            fetched.insert(tile, bytes?);
        }
    }

    /// The proof that the log's tree of `new` entries begins with that of `old` entries, made of its tiles. It is not verified.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, RemoteError> {
        let no_proof = || RemoteError::NoProof { old, new };
        let nodes = consistency_nodes(old, new).ok_or_else(no_proof)?.concat();
        let tiles = self.tiles(tiles_of(&nodes, new)).await?;
        consistency_proof(old, new, &reader(&tiles, new)).map_err(|e| self.proving(e, old, new))
    }

    /// The root of the first `old` entries of the tree of `new` entries, made of its tiles. It is not verified.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn root(&self, old: u64, new: u64) -> Result<Hash, RemoteError> {
        let tiles = self.tiles(tiles_of(&root_nodes(old), new)).await?;
        root(old, &reader(&tiles, new)).map_err(|e| self.proving(e, old, new))
    }

    /// Hands out the entries `from..until` of the tree of `size` entries, in order. They are not verified.
    ///
    /// # Errors
    /// [`RemoteError`]; some may have been handed out.
    pub async fn entries(
        &self,
        from: u64,
        until: u64,
        size: u64,
        take: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<(), RemoteError> {
        let width = u64::from(TILE_WIDTH_MAX);
        let mut next = from;
        while next < until.min(size) {
            let indexes = next / width..until.min(size).div_ceil(width);
            let tiles = indexes.take(TILES_AT_ONCE);
            let tiles = tiles.filter_map(|index| Tile::at(TileKind::Entries, index, size));
            let tiles: Vec<Tile> = tiles.collect();
            let mut bundles = self.tiles(tiles.iter().copied()).await?;
            for tile in tiles {
                let malformed = || RemoteError::Tile {
                    url: self.url().to_owned(),
                    tile,
                };
                let bundle = bundles.remove(&tile).ok_or_else(malformed)?;
                let entries = decode_bundle(&bundle).map_err(|_| malformed())?;
                for (index, entry) in (tile.start()..).zip(entries) {
                    if (next..until).contains(&index) {
                        take(entry);
                        next += 1;
                    }
                }
            }
        }
        Ok(())
    }

    fn proving(&self, error: ProveError<TileReadError<()>>, old: u64, new: u64) -> RemoteError {
        match error {
            ProveError::Read(TileReadError::Length { tile, .. }) => RemoteError::Tile {
                url: self.url().to_owned(),
                tile,
            },
            _ => RemoteError::NoProof { old, new },
        }
    }
}

/// The tiles that some nodes are read from, each once.
fn tiles_of(nodes: &[Node], size: u64) -> Vec<Tile> {
    let tiles = nodes.iter().filter_map(|node| node_tile(*node, size));
    let mut tiles: Vec<Tile> = tiles.map(|(tile, _)| tile).collect();
    tiles.sort();
    tiles.dedup();
    tiles
}

/// Reads from tiles that were fetched.
fn reader(
    tiles: &HashMap<Tile, Vec<u8>>,
    size: u64,
) -> TileReader<impl Fn(Tile) -> Result<Vec<u8>, ()>> {
    TileReader::new(size, |tile| tiles.get(&tile).cloned().ok_or(()))
}

/// The first part of a tile that is at least this wide. `None`: it is not.
pub(crate) fn cut(mut bytes: Vec<u8>, tile: Tile) -> Option<Vec<u8>> {
    let width = usize::from(tile.width());
    match tile.byte_len() {
        Some(len) => {
            let is_tile = bytes.len() >= len && bytes.len().is_multiple_of(32);
            bytes.truncate(len);
            is_tile.then_some(bytes)
        }
        None => {
            let entries = decode_bundle(&bytes).ok()?;
            if entries.len() == width {
                return Some(bytes);
            }
            let mut first = Vec::new();
            for entry in entries.get(..width)? {
                encode_entry(&mut first, entry).ok()?;
            }
            Some(first)
        }
    }
}
