//! Evidence that a log signs two histories: files that anybody can check.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use oacp::digest::Digest;
use oacp_tlog::checkpoint::SignedCheckpoint;
use oacp_tlog::fork::{Fork, ForkVerdict};
use oacp_tlog::hash::{Hash, node_hash};
use oacp_tlog::key::VerifierKey;

/// Files of one kind that are kept of one log. Attack: whoever has the log's public checkpoints sends each with a proof that does not fit,
/// and fills the disk. What shows a fork by itself is counted apart, so that none of this keeps it out.
const FILES_MAX: usize = 64;

/// What evidence shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceKind {
    /// The log signed two histories: nobody else can have made this.
    Fork,
    /// The log signed both checkpoints, and the proof that came with the second does not fit. The proof may be another's fault.
    Unproven,
}

impl EvidenceKind {
    const fn directory(self) -> &'static str {
        match self {
            Self::Fork => "forks",
            Self::Unproven => "unproven",
        }
    }
}

/// Where evidence is kept: a directory for each kind.
pub(super) struct Evidence {
    dir: PathBuf,
}

/// What was kept.
pub(super) struct Kept {
    pub(super) kind: EvidenceKind,
    /// What the operator is told. `None`: it was there already.
    pub(super) line: Option<String>,
}

impl Evidence {
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        for kind in [EvidenceKind::Fork, EvidenceKind::Unproven] {
            fs::create_dir_all(dir.join(kind.directory()))?;
        }
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    /// How many files of a kind are kept of a log.
    pub(super) fn count(&self, kind: EvidenceKind, origin: &str) -> usize {
        let prefix = prefix(origin);
        let names = fs::read_dir(self.dir.join(kind.directory()));
        let names = names.into_iter().flatten().flatten();
        names
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name.starts_with(&prefix) && name.ends_with(".fork")
            })
            .count()
    }

    /// Keeps what shows, or may show, that a log signed two histories: once. `None`: it shows nothing. The caller holds the log's state,
    /// so nobody else counts or writes meanwhile.
    pub(super) fn keep(&self, fork: &Fork, keys: &[VerifierKey]) -> io::Result<Option<Kept>> {
        let verdicts = keys.iter().filter_map(|key| fork.verify(key).ok());
        let kind = match verdicts.collect::<Vec<_>>().as_slice() {
            [] => return Ok(None),
            verdicts if verdicts.contains(&ForkVerdict::Proven) => EvidenceKind::Fork,
            _ => EvidenceKind::Unproven,
        };
        let (origin, second) = (fork.second().origin(), fork.second());
        let root = Digest::of(second.root().as_bytes()).hex();
        let name = format!("{}{}-{root:.16}.fork", prefix(origin), second.size());
        let path = self.dir.join(kind.directory()).join(name);
        let is_kept = path.exists();
        if is_kept || self.count(kind, origin) >= FILES_MAX {
            return Ok(is_kept.then_some(Kept { kind, line: None }));
        }
        write(&path, &fork.to_string())?;
        let what = match kind {
            EvidenceKind::Fork => "has signed two histories",
            EvidenceKind::Unproven => "has signed a checkpoint that came without a proof that fits",
        };
        let line = format!(
            "the log `{origin}` {what}; evidence is in `{}`",
            path.display()
        );
        let line = Some(line);
        Ok(Some(Kept { kind, line }))
    }
}

/// The evidence that two checkpoints and a proof are, the proof as good as it is.
pub(super) fn fork(old: &SignedCheckpoint, new: SignedCheckpoint, proof: &[Hash]) -> Fork {
    let beginning = beginning(old.size(), new.size(), proof);
    let fork = Fork::new(old.clone(), new);
    let whole = beginning.and_then(|root| fork.clone().with_prefix(root, proof.to_vec()).ok());
    whole.unwrap_or(fork)
}

/// The root that a consistency proof gives the tree of `old` leaves. Whether the proof is one is for its verification to say. `None`: it
/// takes that root for granted, as proofs do that begin at a power of two, or has not the length of one.
fn beginning(old: u64, new: u64, proof: &[Hash]) -> Option<Hash> {
    let (mut last, mut edge) = (old.checked_sub(1)?, new.checked_sub(1)?);
    while last & 1 == 1 {
        last >>= 1;
        edge >>= 1;
    }
    let (root, siblings) = proof.split_first().filter(|_| last > 0 && last < edge)?;
    let mut root = *root;
    for sibling in siblings {
        if edge == 0 {
            return None;
        }
        if last & 1 == 1 || last == edge {
            if last > 0 {
                root = node_hash(sibling, &root);
            }
            // `last` is not 0 here, for it is odd or `edge`.
            let passed = last.trailing_zeros();
            last = last.checked_shr(passed)?;
            edge = edge.checked_shr(passed)?;
        }
        last >>= 1;
        edge >>= 1;
    }
    (edge == 0).then_some(root)
}

fn prefix(origin: &str) -> String {
    format!("{:.16}-", Digest::of(origin.as_bytes()).hex())
}

/// Writes a file that is there whole or not at all, durably.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension("tmp");
    let mut file = File::create(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    match path.parent() {
        Some(dir) if cfg!(unix) => File::open(dir)?.sync_all(),
        _ => Ok(()),
    }
}
