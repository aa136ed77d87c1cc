//! Compiled components on disk.
//!
//! The attack first: a compiled component is machine code that is mapped and run. A flipped byte
//! in one loads and runs without a word, so every entry carries a MAC under a key of this machine, checked
//! before the unsafe load. It guards against damage and against an entry from elsewhere. It does not guard against somebody who can
//! write to the directory: they can read the key, too, and are this user already.

use std::fs::{self, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use oacp::digest::Digest;
use thiserror::Error;
use wasmtime::component::Component;

use crate::engine::Progress;
use crate::limits::COMPONENT_BYTES_MAX;
use crate::program::ProgramError;

/// A directory of compiled components.
#[derive(Clone)]
pub(crate) struct Cache {
    dir: PathBuf,
    key: [u8; 32],
}

/// Why a directory of compiled components cannot be used.
#[derive(Debug, Error)]
#[error("cache directory `{}` cannot be used", dir.display())]
pub struct CacheError {
    /// The directory.
    pub dir: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl Cache {
    pub(crate) fn open(dir: PathBuf) -> Result<Self, CacheError> {
        let fail = |source| CacheError {
            dir: dir.clone(),
            source,
        };
        fs::create_dir_all(&dir).map_err(fail)?;
        let lock = lock_file(&dir.join("lock")).map_err(fail)?;
        lock.lock().map_err(fail)?;
        let key = key(&dir.join("mac.key")).map_err(fail)?;
        Ok(Self { dir, key })
    }

    fn mac(&self, entry: &Path) -> io::Result<blake3::Hash> {
        Ok(blake3::Hasher::new_keyed(&self.key)
            .update_mmap_rayon(entry)?
            .finalize())
    }

    /// The compiled component, if an entry is there and undamaged.
    fn load(&self, engine: &wasmtime::Engine, entry: &Path) -> Option<Component> {
        let mut written = [0; 32];
        let mut file = File::open(entry.with_extension("mac")).ok()?;
        file.read_exact(&mut written).ok()?;
        // `blake3::Hash` compares in constant time.
        if self.mac(entry).ok()? != blake3::Hash::from_bytes(written) {
            return None;
        }
        // SAFETY: the bytes are what this program wrote (the MAC says so), from Wasmtime's own compiler. Nobody
        // changes them while they are mapped: entries are replaced by renaming only.
        #[allow(unsafe_code)]
        unsafe { Component::deserialize_file(engine, entry) }.ok()
    }

    fn store(&self, entry: &Path, compiled: &[u8]) -> io::Result<()> {
        let mac = blake3::keyed_hash(&self.key, compiled);
        replace(entry, compiled)?;
        replace(&entry.with_extension("mac"), mac.as_bytes())
    }
}

/// The component with the digest `digest`: from the cache, or compiled now and cached.
pub(crate) fn component(
    engine: &wasmtime::Engine,
    cache: Option<&Cache>,
    digest: &Digest,
    wasm: impl FnOnce() -> io::Result<Vec<u8>>,
    progress: &dyn Fn(Progress),
) -> Result<Component, ProgramError> {
    let Some(cache) = cache else {
        let compiled = compile(engine, digest, wasm, progress)?;
        // SAFETY: made two lines above by this very engine.
        #[allow(unsafe_code)]
        let component = unsafe { Component::deserialize(engine, &compiled) };
        return component.map_err(|e| ProgramError::Compile(e.into()));
    };
    let entry = cache
        .dir
        .join(format!("{}.cwasm", entry_name(engine, digest)));
    if let Some(component) = cache.load(engine, &entry) {
        return Ok(component);
    }
    // One process compiles; the others wait for it and load what it wrote.
    let lock = lock_file(&entry.with_extension("lock")).map_err(ProgramError::Cache)?;
    if lock.try_lock().is_err() {
        progress(Progress::Waiting);
        lock.lock().map_err(ProgramError::Cache)?;
        if let Some(component) = cache.load(engine, &entry) {
            progress(Progress::Ready);
            return Ok(component);
        }
    }
    let compiled = compile(engine, digest, wasm, progress)?;
    cache
        .store(&entry, &compiled)
        .map_err(ProgramError::Cache)?;
    cache.load(engine, &entry).ok_or_else(|| {
        ProgramError::Cache(io::Error::other(
            "the entry just written cannot be read back",
        ))
    })
}

fn compile(
    engine: &wasmtime::Engine,
    digest: &Digest,
    wasm: impl FnOnce() -> io::Result<Vec<u8>>,
    progress: &dyn Fn(Progress),
) -> Result<Vec<u8>, ProgramError> {
    let wasm = wasm().map_err(ProgramError::Read)?;
    if wasm.len() > COMPONENT_BYTES_MAX {
        return Err(ProgramError::TooLarge {
            bytes: wasm.len(),
            limit: COMPONENT_BYTES_MAX,
        });
    }
    let found = Digest::of(&wasm);
    if found != *digest {
        return Err(ProgramError::Digest {
            expected: *digest,
            found,
        });
    }
    progress(Progress::Compiling { bytes: wasm.len() });
    let compiled = engine
        .precompile_component(&wasm)
        .map_err(|e| ProgramError::Compile(e.into()))?;
    progress(Progress::Ready);
    Ok(compiled)
}

/// Two engines that could not run each other's code have different names for one component.
fn entry_name(engine: &wasmtime::Engine, digest: &Digest) -> blake3::Hash {
    struct Feed(blake3::Hasher);
    impl Hasher for Feed {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut feed = Feed(blake3::Hasher::new());
    feed.write(digest.as_bytes());
    engine.precompile_compatibility_hash().hash(&mut feed);
    feed.0.finalize()
}

fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
}

/// Reads the key, or makes one. Called under the directory's lock.
fn key(path: &Path) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    match fs::read(path) {
        Ok(bytes) if bytes.len() == key.len() => key.copy_from_slice(&bytes),
        // Damaged or not there: a new key makes every entry foreign, so each is compiled again.
        Ok(_) => return make_key(path),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return make_key(path),
        Err(e) => return Err(e),
    }
    Ok(key)
}

fn make_key(path: &Path) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    replace(path, &key)?;
    Ok(key)
}

/// Replaces a file in one step, readable by this user alone. Not synced: what a power cut takes is compiled again.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&temporary)?.write_all(bytes)?;
    fs::rename(&temporary, path)
}
