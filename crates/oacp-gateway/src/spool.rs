//! Attestations that a log has not acknowledged yet, durable until it has.
//!
//! The attack is forgetting: a log that cannot be reached, on the day on which it would matter. An envelope is in the spool whole or not
//! at all, stays there until the log has acknowledged it, and is never dropped to make room: a spool that is full refuses. Several
//! processes may use one spool, and send from it at once: a log takes the same envelope twice for once.
//!
//! What the log refuses for good is moved to `refused/`, with the log's reason beside it. It is sent no more, and stays until somebody says
//! what is to become of it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oacp::digest::Digest;
use oacp::entry::Entry;
use oacp::envelope::Envelope;
use oacp::leaf::LeafKind;
use oacp_registry::Appended;
use thiserror::Error;

use crate::registry::{RefusedEntry, RegistryError, RemoteRegistry};

/// Envelopes in one spool. Attack: a log that is away for months, and a directory that nothing can list.
pub const SPOOL_ENTRIES_MAX: usize = 10_000;

/// Bytes of envelopes in one spool: they are sent from memory.
pub const SPOOL_BYTES_MAX: u64 = 64 << 20;

/// Envelopes that are sent before those that were acknowledged are taken out.
const SENT_AT_ONCE: usize = 500;

/// After this a file that was never finished is another process's no more.
const UNFINISHED_MAX: Duration = Duration::from_secs(60 * 60);

const SUFFIX: &str = "json";
const UNFINISHED: &str = "tmp";

/// The directory of what the log refused for good.
const REFUSED: &str = "refused";

/// The ending of the file beside it that says why: a [`RefusedEntry`] in JSON.
const REASON: &str = "reason";

/// A directory of envelopes that are to be sent, one in a file. Clones are one.
#[derive(Clone, Debug)]
pub struct Spool {
    dir: PathBuf,
    entries_max: usize,
    bytes_max: u64,
}

/// What waits in a spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Envelopes.
    pub entries: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// What sending a spool came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// What the log acknowledged, by commitment: SHA-256 of the PAE. It is no more in the spool.
    pub appended: BTreeMap<Digest, Appended>,
    /// What it refused. What it refused for good ([`RefusedEntry::is_for_good`]) is set aside, under [`Spool::refused`]; the rest waits.
    pub refused: BTreeMap<Digest, RefusedEntry>,
    /// Files that hold no envelope, or another than their name says. They stay there too.
    pub damaged: Vec<PathBuf>,
}

/// Why a spool cannot be used.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// There is no more room. Nothing is dropped.
    #[error(
        "the spool `{}` is full: {} attestations, {} bytes; send them, or drop what the log refuses",
        dir.display(), pending.entries, pending.bytes
    )]
    Full {
        /// The directory.
        dir: PathBuf,
        /// What is there, refused or not.
        pending: Pending,
    },
    /// The system refused.
    #[error("the spool `{}` cannot be used", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Spool {
    /// A directory, which is made for this user alone if there is none.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub fn open(dir: &Path) -> Result<Self, SpoolError> {
        let spool = Self {
            dir: dir.to_owned(),
            entries_max: SPOOL_ENTRIES_MAX,
            bytes_max: SPOOL_BYTES_MAX,
        };
        make_directory(dir).map_err(|source| spool.fail(dir, source))?;
        spool.clear_unfinished()?;
        Ok(spool)
    }

    /// With smaller limits than [`SPOOL_ENTRIES_MAX`] and [`SPOOL_BYTES_MAX`].
    pub fn with_limits(self, entries_max: usize, bytes_max: u64) -> Self {
        Self {
            entries_max: entries_max.min(SPOOL_ENTRIES_MAX),
            bytes_max: bytes_max.min(SPOOL_BYTES_MAX),
            ..self
        }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What waits.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn pending(&self) -> Result<Pending, SpoolError> {
        self.count(&self.dir)
    }

    fn count(&self, dir: &Path) -> Result<Pending, SpoolError> {
        let mut pending = Pending::default();
        for entry in self.files(dir, SUFFIX)? {
            match entry.metadata() {
                Ok(metadata) => {
                    pending.entries += 1;
                    pending.bytes += metadata.len();
                }
                // Another process has sent it.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(self.fail(&entry.path(), source)),
            }
        }
        Ok(pending)
    }

    /// Whether nothing waits.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn is_empty(&self) -> Result<bool, SpoolError> {
        Ok(self.files(&self.dir, SUFFIX)?.is_empty())
    }

    /// What the log refused for good, by commitment, and why. It is not sent.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn refused(&self) -> Result<BTreeMap<Digest, RefusedEntry>, SpoolError> {
        let mut refused = BTreeMap::new();
        for file in self.files(&self.dir.join(REFUSED), SUFFIX)? {
            let path = file.path();
            let name = path.file_stem().and_then(OsStr::to_str);
            if let Some(digest) = name.and_then(|name| Digest::from_hex(name).ok()) {
                refused.insert(digest, reason(&path.with_extension(REASON)));
            }
        }
        Ok(refused)
    }

    /// Lets what was refused wait again: it is sent with the rest. For when the log has been mended.
    ///
    /// # Errors
    /// The files cannot be moved. Some may have been.
    pub fn retry_refused(&self) -> Result<(), SpoolError> {
        for digest in self.refused()?.keys() {
            let (from, to) = (self.refused_file(digest), self.file(digest));
            match fs::rename(&from, &to) {
                // Another process was first.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(self.fail(&from, source)),
                Ok(()) => self.remove(&from.with_extension(REASON))?,
            }
        }
        sync_directory(&self.dir).map_err(|source| self.fail(&self.dir, source))
    }

    /// Removes an envelope, whether it waits or was refused. Where nobody else has it, it is gone.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn discard(&self, digest: &Digest) -> Result<(), SpoolError> {
        let refused = self.refused_file(digest);
        for file in [&self.file(digest), &refused] {
            self.remove(file)?;
        }
        self.remove(&refused.with_extension(REASON))
    }

    /// Puts an envelope in. It is durable when this returns. One that is there already is there once.
    ///
    /// # Errors
    /// The spool is full, or the file cannot be written.
    pub fn put(&self, envelope: &Envelope) -> Result<(), SpoolError> {
        let digest = envelope.pae_digest();
        let path = self.file(&digest);
        let bytes = envelope.to_json();
        if !path.exists() {
            let (waiting, refused) = (self.pending()?, self.count(&self.dir.join(REFUSED))?);
            let pending = Pending {
                entries: waiting.entries + refused.entries,
                bytes: waiting.bytes.saturating_add(refused.bytes),
            };
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if pending.entries >= self.entries_max
                || pending.bytes.saturating_add(size) > self.bytes_max
            {
                return Err(SpoolError::Full {
                    dir: self.dir.clone(),
                    pending,
                });
            }
        }
        self.write(&digest, &path, &bytes)
    }

    fn write(&self, digest: &Digest, path: &Path, bytes: &[u8]) -> Result<(), SpoolError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = digest.hex();
        let unfinished = format!("{name}.{}-{count}.{UNFINISHED}", std::process::id());
        let unfinished = self.dir.join(unfinished);
        write_durably(&unfinished, path, bytes).map_err(|source| {
            let _ = fs::remove_file(&unfinished);
            self.fail(path, source)
        })
    }

    /// Moves an envelope to those that are not sent. The reason is there before it is.
    fn set_aside(&self, digest: &Digest, why: &RefusedEntry) -> Result<(), SpoolError> {
        let dir = self.dir.join(REFUSED);
        make_directory(&dir).map_err(|source| self.fail(&dir, source))?;
        let (from, to) = (self.file(digest), self.refused_file(digest));
        let reason = to.with_extension(REASON);
        let json = serde_json::to_vec(why).map_err(|e| self.fail(&reason, e.into()))?;
        self.write(digest, &reason, &json)?;
        match fs::rename(&from, &to) {
            // Another process was first.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            renamed => renamed.and_then(|()| sync_directory(&dir)),
        }
        .map_err(|source| self.fail(&to, source))
    }

    fn file(&self, digest: &Digest) -> PathBuf {
        self.dir.join(format!("{}.{SUFFIX}", digest.hex()))
    }

    fn refused_file(&self, digest: &Digest) -> PathBuf {
        let dir = self.dir.join(REFUSED);
        dir.join(format!("{}.{SUFFIX}", digest.hex()))
    }

    /// Sends what waits: delegations first, then each sandbox's statements in their order. What the log acknowledged is taken out, and
    /// what it refused for good is set aside.
    ///
    /// # Errors
    /// The log cannot be reached, or takes nothing from here; or the spool cannot be read. What was acknowledged before that is out.
    pub async fn send_all(&self, registry: &RemoteRegistry) -> Result<Sent, RegistryError> {
        let spool = self.clone();
        let (waiting, damaged) = tokio::task::spawn_blocking(move || spool.load())
            .await
            .map_err(|_| RegistryError::Interrupted)??;
        let mut sent = Sent {
            damaged,
            ..Sent::default()
        };
        for batch in waiting.chunks(SENT_AT_ONCE) {
            let envelopes: Vec<_> = batch.iter().map(|(_, envelope)| envelope.clone()).collect();
            let results = registry.append(&envelopes).await?;
            for ((digest, _), result) in batch.iter().zip(results) {
                match result {
                    Ok(appended) => {
                        // That this is not durable does no harm: it would be sent again.
                        self.remove(&self.file(digest))?;
                        sent.appended.insert(*digest, appended);
                    }
                    Err(refused) => {
                        if refused.is_for_good() {
                            self.set_aside(digest, &refused)?;
                        }
                        sent.refused.insert(*digest, refused);
                    }
                }
            }
        }
        Ok(sent)
    }

    /// What waits, in the order in which a log takes it, and the files that are damaged.
    #[expect(clippy::type_complexity, reason = "two lists")]
    fn load(&self) -> Result<(Vec<(Digest, Envelope)>, Vec<PathBuf>), SpoolError> {
        let mut waiting = vec![];
        let mut damaged = vec![];
        for file in self.files(&self.dir, SUFFIX)? {
            let path = file.path();
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(self.fail(&path, source)),
            };
            let entry = Entry::parse_unverified(&bytes).ok();
            let name = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
            match entry.filter(|entry| entry.leaf().pae.hex() == name) {
                Some(entry) => {
                    let (envelope, leaf, facts) = entry.into_parts();
                    // A delegation has to be in the log before what its key signs.
                    let is_signed_under_one =
                        !matches!(leaf.kind, LeafKind::Delegation | LeafKind::Tool);
                    let order = (is_signed_under_one, facts.sandbox, leaf.sequence);
                    waiting.push((order, leaf.pae, envelope));
                }
                None => damaged.push(path),
            }
        }
        waiting.sort_by(|(one, one_pae, _), (other, other_pae, _)| {
            (one, one_pae).cmp(&(other, other_pae))
        });
        let waiting = waiting
            .into_iter()
            .map(|(_, pae, envelope)| (pae, envelope))
            .collect();
        damaged.sort();
        Ok((waiting, damaged))
    }

    fn remove(&self, path: &Path) -> Result<(), SpoolError> {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(self.fail(path, e)),
            _ => Ok(()),
        }
    }

    /// The files of a directory with this ending; none, if there is no directory.
    fn files(&self, dir: &Path, suffix: &str) -> Result<Vec<DirEntry>, SpoolError> {
        let mut files = vec![];
        let entries = match fs::read_dir(dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && dir != self.dir => return Ok(files),
            entries => entries.map_err(|source| self.fail(dir, source))?,
        };
        for entry in entries {
            let entry = entry.map_err(|source| self.fail(dir, source))?;
            if entry.path().extension() == Some(OsStr::new(suffix)) {
                files.push(entry);
            }
        }
        Ok(files)
    }

    /// Removes what a crash left half written. What is young may be written at this moment.
    fn clear_unfinished(&self) -> Result<(), SpoolError> {
        for entry in self.files(&self.dir, UNFINISHED)? {
            let age = entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .ok()
                .and_then(|modified| modified.elapsed().ok());
            if age.is_some_and(|age| age > UNFINISHED_MAX) {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    fn fail(&self, path: &Path, source: io::Error) -> SpoolError {
        SpoolError::Io {
            path: path.to_owned(),
            source,
        }
    }
}

#[cfg(unix)]
fn make_directory(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

#[cfg(not(unix))]
fn make_directory(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

/// The file is there whole, or not at all, also after a power cut.
fn write_durably(unfinished: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(unfinished, path)?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Makes a directory's names durable.
fn sync_directory(dir: &Path) -> io::Result<()> {
    match cfg!(unix) {
        true => File::open(dir)?.sync_all(),
        // They are durable with their files there.
        false => Ok(()),
    }
}

/// Why something was refused, as it was kept.
fn reason(path: &Path) -> RefusedEntry {
    let kept = fs::read(path).ok();
    let kept = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    kept.unwrap_or_else(|| RefusedEntry {
        code: "unknown".to_owned(),
        message: format!("why is not known: `{}` cannot be read", path.display()),
    })
}
