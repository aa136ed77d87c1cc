//! A mirror: a copy of a log, entry by entry, in the log's own layout, so that the log can be read when its server is gone.
//!
//! The attack is a server that hands out something else than the log signed, or a machine that stops halfway. Every entry is hashed here
//! and every tile is made here; nothing is written that is not the beginning of a tree which the log signed and which continues all that
//! was seen before. The checkpoint is written last, when everything below it is durable: a copy is whole at every moment, and one that
//! was cut off goes on where it stopped.
//!
//! ```text
//! DIR/checkpoint  DIR/tile/…       C2SP tlog-tiles: any HTTP server can serve them, and serve_mirror does
//! DIR/mirror-state  DIR/lock       how far the copy is (a state file), and who is at it
//! DIR/….fork                       evidence, if the log misbehaves
//! ```
//!
//! With a key it is a mirror as C2SP tlog-mirror has it: its cosignature says that the contents are durably stored, and stands in the
//! checkpoint that it serves. It fetches on its own; the upload that tlog-mirror describes is not taken.

mod serving;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use oacp_registry::{Clock, StateFile, StateFileError};
use oacp_tlog::checkpoint::{ParseCheckpointError, SignedCheckpoint};
use oacp_tlog::cosignature::cosign;
use oacp_tlog::edge::{Edge, EdgeError};
use oacp_tlog::hash::Hash;
use oacp_tlog::key::SignerKey;
use oacp_tlog::note::ParseNoteError;
use oacp_tlog::policy::PolicyError;
use oacp_tlog::tile::Tile;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::serving::serve_mirror;
use crate::following::{FollowError, Quorum, Shown, Trusted, compare, is_beginning};
use crate::occupied::{Occupied, OccupyError};
use crate::remote::{Remote, RemoteError};

/// Entries that are written in one step, unless they are long.
const STEP_ENTRIES_MAX: u64 = 16_384;

/// Entries that are fetched before it is seen how long they are.
const FETCH_ENTRIES: u64 = 4 * 256;

/// Bytes after which a step ends. Attack: a log of the longest entries there are, a gigabyte of them in one step.
const STEP_BYTES_MAX: usize = 32 << 20;

/// What is copied, and where to.
pub struct MirrorOptions {
    /// The log.
    pub log: Remote,
    /// Whose checkpoints are taken. With a policy, only those that meet it.
    pub trusted: Trusted,
    /// The copy. One mirror writes it at a time.
    pub dir: PathBuf,
    /// Cosigns what was copied: the keys of a mirror, which no witness uses. Empty: nothing is cosigned.
    pub keys: Vec<SignerKey>,
    /// The time that its cosignatures tell.
    pub clock: Clock,
}

/// What one round of copying brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The checkpoint that the copy has now, with the mirror's cosignatures.
    pub checkpoint: SignedCheckpoint,
    /// Entries that were there before.
    pub from: u64,
    /// Entries that are there now: all that the checkpoint covers.
    pub to: u64,
}

/// Why a mirror cannot go on.
#[derive(Debug, Error)]
pub enum MirrorError {
    /// What the log shows is not taken.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The log's witnesses are too few for the policy.
    #[error("the log's checkpoint does not meet the policy")]
    Policy(#[source] PolicyError),
    /// The entries that the log serves are not those that it signed.
    #[error(
        "entries {from} to {to} of `{origin}` do not add up to the root that it signed: what it serves is damaged or forged"
    )]
    Entries {
        /// The log.
        origin: String,
        /// The first that were read together.
        from: u64,
        /// One past the last.
        to: u64,
    },
    /// There is something in the directory that is no copy of a log: a log itself, or somebody's files.
    #[error("`{}` holds something else than a copy of a log; copy into an empty directory", path.display())]
    NotACopy {
        /// The directory.
        path: PathBuf,
    },
    /// Another process copies into this directory.
    #[error("`{}` is in use by another mirror", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// How far the copy is cannot be read or written.
    #[error(transparent)]
    State(#[from] StateFileError),
    /// The copy is not what was written.
    #[error("the copy in `{}` is damaged; copy into an empty directory", path.display())]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Damage,
    },
    /// A file of the copy cannot be written.
    #[error("`{}` cannot be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The mirror's cosignature finds no room.
    #[error("the checkpoint has no room for the mirror's cosignature")]
    Full(#[source] ParseNoteError),
}

/// What is wrong with a copy.
#[derive(Debug, Error)]
pub enum Damage {
    /// Its right edge cannot be read.
    #[error(transparent)]
    Edge(#[from] EdgeError<io::Error>),
    /// Its right edge is not that of the tree that was copied.
    #[error("the tiles of {size} entries have another root")]
    Root {
        /// Entries that were copied.
        size: u64,
    },
    /// The checkpoint.
    #[error("the checkpoint is malformed")]
    Checkpoint(#[source] ParseCheckpointError),
}

impl MirrorError {
    /// Whether it may be otherwise in a while, without anybody changing anything here.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Follow(error) => error.is_transient(),
            // Witnesses come back.
            Self::Policy(_) => true,
            _ => false,
        }
    }
}

/// A copy begins in an empty directory, and goes on in its own.
fn refuse_foreign(dir: &Path) -> Result<(), MirrorError> {
    let mut names = match std::fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            let path = dir.to_owned();
            return Err(MirrorError::Io { path, source });
        }
        Ok(entries) => entries
            .filter_map(Result::ok)
            .map(|entry| entry.file_name()),
    };
    let is_copy = dir.join(STATE).exists();
    let begun = |name: &str| name.starts_with(STATE) || name == "lock";
    if is_copy || names.all(|name| begun(&name.to_string_lossy())) {
        return Ok(());
    }
    Err(MirrorError::NotACopy {
        path: dir.to_owned(),
    })
}

impl From<RemoteError> for MirrorError {
    fn from(error: RemoteError) -> Self {
        Self::Follow(error.into())
    }
}

/// The file that tells how far a copy is, and that a directory is one.
const STATE: &str = "mirror-state";

/// A mirror of one log.
pub struct Mirror {
    options: MirrorOptions,
    file: StateFile,
    /// The newest checkpoint that was seen: what the copy has, or is on its way to.
    seen: Option<SignedCheckpoint>,
    /// What was copied.
    edge: Edge,
    _occupied: Occupied,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    /// The newest checkpoint that was seen.
    checkpoint: String,
    /// Entries that are durable in the copy.
    size: u64,
    /// The root of their tree.
    root: String,
}

impl Mirror {
    /// Opens a copy, and makes the directory if there is none.
    ///
    /// # Errors
    /// [`MirrorError`]: the copy is damaged, or in use.
    pub fn open(options: MirrorOptions) -> Result<Self, MirrorError> {
        let dir = options.dir.clone();
        refuse_foreign(&dir)?;
        let file = StateFile::in_directory(&dir, STATE)?;
        let occupied = occupy(&dir)?;
        let (seen, edge) = load(&file, &dir)?;
        Ok(Self {
            options,
            file,
            seen,
            edge,
            _occupied: occupied,
        })
    }

    /// Entries that are durable in the copy. Its checkpoint may cover fewer.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// Copies what the log has now. After an error that is not transient the mirror has to be opened anew.
    ///
    /// # Errors
    /// [`MirrorError`]. What was copied before stays, and is not copied again.
    pub async fn copy(&mut self) -> Result<Copied, MirrorError> {
        let Shown { checkpoint, quorum } = self.options.trusted.shown(&self.options.log).await?;
        if let Quorum::Unmet(unmet) = quorum {
            return Err(MirrorError::Policy(unmet));
        }
        if let Some(seen) = &self.seen {
            compare(&self.options.log, seen, &checkpoint, &self.options.dir).await?;
        }
        let from = self.edge.size();
        self.remember(&checkpoint)?;
        self.seen = Some(checkpoint.clone());
        let mut sizes = vec![from];
        while self.edge.size() < checkpoint.size() {
            self.step(&checkpoint).await?;
            sizes.push(self.edge.size());
        }
        let checkpoint = self.show(checkpoint)?;
        for size in sizes {
            self.remove_partials(size);
        }
        Ok(Copied {
            from,
            to: self.edge.size(),
            checkpoint,
        })
    }

    /// Copies some entries: fetches, verifies, writes, and remembers.
    async fn step(&mut self, checkpoint: &SignedCheckpoint) -> Result<(), MirrorError> {
        let (log, size) = (&self.options.log, checkpoint.size());
        let from = self.edge.size();
        let end = size.min((from + STEP_ENTRIES_MAX).next_multiple_of(256));
        // A step that fails leaves no trace of it.
        let mut edge = self.edge.clone();
        let mut bytes = 0;
        while edge.size() < end && bytes < STEP_BYTES_MAX {
            let (start, until) = (edge.size(), end.min(edge.size() + FETCH_ENTRIES));
            log.entries(start, until, size, &mut |entry| {
                bytes += entry.len();
                // Never too long: a bundle's lengths are two bytes. If it were, the root would show it.
                let _ = edge.push(entry);
            })
            .await?;
        }
        if !is_beginning(log, edge.size(), edge.root(), checkpoint).await? {
            return Err(MirrorError::Entries {
                origin: checkpoint.origin().to_owned(),
                from,
                to: edge.size(),
            });
        }
        self.write_tiles(edge.take_changed())?;
        self.edge = edge;
        self.remember(checkpoint)
    }

    /// Writes tiles, each in one step; all are durable when this returns.
    fn write_tiles(&self, tiles: Vec<(Tile, Vec<u8>)>) -> Result<(), MirrorError> {
        let mut directories = BTreeSet::new();
        for (tile, bytes) in tiles {
            let path = self.options.dir.join(tile.to_string());
            let write = || {
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)?;
                }
                put(&path, &bytes)
            };
            write().map_err(|source| MirrorError::Io {
                path: path.clone(),
                source,
            })?;
            let above = path.ancestors().skip(1);
            let above = above.take_while(|dir| dir.starts_with(&self.options.dir));
            directories.extend(above.map(Path::to_owned));
        }
        for dir in directories {
            sync_dir(&dir).map_err(|source| MirrorError::Io { path: dir, source })?;
        }
        Ok(())
    }

    /// Cosigns the checkpoint of what was copied, and writes it: the last thing of all.
    fn show(&self, mut checkpoint: SignedCheckpoint) -> Result<SignedCheckpoint, MirrorError> {
        let time_s = (self.options.clock)().unix_ms().unsigned_abs() / 1000;
        let bare = checkpoint.clone();
        for key in &self.options.keys {
            let cosignature = cosign(&bare, key, time_s);
            checkpoint
                .add_signature(cosignature)
                .map_err(MirrorError::Full)?;
        }
        let path = self.options.dir.join("checkpoint");
        put(&path, checkpoint.to_string().as_bytes())
            .and_then(|()| sync_dir(&self.options.dir))
            .map_err(|source| MirrorError::Io { path, source })?;
        Ok(checkpoint)
    }

    /// Removes partial tiles of a smaller tree that have become full: who still has its checkpoint asks for the full ones. They may stay.
    fn remove_partials(&self, size: u64) {
        for tile in Tile::partials(size) {
            let is_full = tile.width_at(self.edge.size()) == 256;
            if let (true, Some(full)) = (is_full, tile.full()) {
                let _ = fs::remove_dir_all(self.options.dir.join(format!("{full}.p")));
            }
        }
    }

    fn remember(&self, checkpoint: &SignedCheckpoint) -> Result<(), MirrorError> {
        let stored = Stored {
            checkpoint: checkpoint.to_string(),
            size: self.edge.size(),
            root: self.edge.root().to_string(),
        };
        let bytes = serde_json::to_vec(&stored).map_err(|e| MirrorError::Io {
            path: self.file.path().to_owned(),
            source: e.into(),
        })?;
        Ok(self.file.replace(&bytes)?)
    }
}

fn occupy(dir: &Path) -> Result<Occupied, MirrorError> {
    Occupied::take(dir).map_err(|error| match error {
        OccupyError::InUse => MirrorError::InUse {
            path: dir.to_owned(),
        },
        OccupyError::Io(source) => MirrorError::Io {
            path: dir.join("lock"),
            source,
        },
    })
}

fn load(file: &StateFile, dir: &Path) -> Result<(Option<SignedCheckpoint>, Edge), MirrorError> {
    let Some(bytes) = file.read()? else {
        return Ok((None, Edge::new()));
    };
    let stored: Stored = serde_json::from_slice(&bytes).map_err(|_| file.damaged())?;
    let root: Hash = stored.root.parse().map_err(|_| file.damaged())?;
    let damaged = |source| MirrorError::Damaged {
        path: dir.to_owned(),
        source,
    };
    let seen = SignedCheckpoint::parse(stored.checkpoint.as_bytes());
    let seen = seen.map_err(|e| damaged(Damage::Checkpoint(e)))?;
    let edge = Edge::from_tiles(stored.size, |tile| read(dir, tile));
    let edge = edge.map_err(|e| damaged(e.into()))?;
    match edge.root() == root {
        true => Ok((Some(seen), edge)),
        false => Err(damaged(Damage::Root { size: stored.size })),
    }
}

/// A tile of the copy; the full one where a partial one was replaced by it.
fn read(dir: &Path, tile: Tile) -> io::Result<Vec<u8>> {
    match (fs::read(dir.join(tile.to_string())), tile.full()) {
        (Err(e), Some(full)) if e.kind() == io::ErrorKind::NotFound => {
            fs::read(dir.join(full.to_string()))
        }
        (read, _) => read,
    }
}

/// Writes a file in one step. Its name is durable with its directory.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut unfinished = path.to_owned().into_os_string();
    unfinished.push(".tmp");
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&unfinished, path)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    match cfg!(unix) {
        true => File::open(dir)?.sync_all(),
        false => Ok(()),
    }
}
