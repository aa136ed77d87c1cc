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

use crate::compile::{self, Compiler};
use crate::component::{Docs, docs_section};
use crate::engine::{Meter, Progress};
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

    /// What was kept of the component's documentation, if it is undamaged.
    fn docs(&self, entry: &Path) -> Option<Vec<u8>> {
        let kept = fs::read(entry.with_extension("docs")).ok()?;
        let (written, docs) = kept.split_first_chunk()?;
        (self.docs_mac(entry, docs) == blake3::Hash::from_bytes(*written)).then(|| docs.to_vec())
    }

    fn store_docs(&self, entry: &Path, docs: &[u8]) -> io::Result<()> {
        let kept = [self.docs_mac(entry, docs).as_bytes(), docs].concat();
        replace(&entry.with_extension("docs"), &kept)
    }

    /// Of the entry's name, too: two components' documentation is alike in form.
    fn docs_mac(&self, entry: &Path, docs: &[u8]) -> blake3::Hash {
        let name = entry.file_name().unwrap_or_default();
        blake3::Hasher::new_keyed(&self.key)
            .update(name.as_encoded_bytes())
            .update(docs)
            .finalize()
    }
}

/// A component's bytes, read once and only if they are needed.
pub(crate) struct Wasm<F> {
    read: Option<F>,
    bytes: Option<Vec<u8>>,
}

impl<F: FnOnce() -> io::Result<Vec<u8>>> Wasm<F> {
    pub(crate) fn new(read: F) -> Self {
        Self {
            read: Some(read),
            bytes: None,
        }
    }

    /// The bytes that have this digest.
    fn checked(&mut self, digest: &Digest) -> Result<&[u8], ProgramError> {
        if let Some(read) = self.read.take() {
            let bytes = read().map_err(ProgramError::Read)?;
            if bytes.len() > COMPONENT_BYTES_MAX {
                return Err(ProgramError::TooLarge {
                    bytes: bytes.len() as u64,
                    limit: COMPONENT_BYTES_MAX,
                });
            }
            let found = Digest::of(&bytes);
            if found != *digest {
                return Err(ProgramError::Digest {
                    expected: *digest,
                    found,
                });
            }
            self.bytes = Some(bytes);
        }
        Ok(self.bytes.as_deref().unwrap_or_default())
    }
}

/// The loading of one component.
pub(crate) struct Loading<'a> {
    pub(crate) engine: &'a wasmtime::Engine,
    pub(crate) meter: Meter,
    pub(crate) compiler: &'a Compiler,
    pub(crate) cache: Option<&'a Cache>,
    pub(crate) digest: Digest,
    pub(crate) progress: &'a dyn Fn(Progress),
}

impl Loading<'_> {
    /// The component: from the cache, or compiled now and cached.
    pub(crate) fn component<F>(&self, wasm: &mut Wasm<F>) -> Result<Component, ProgramError>
    where
        F: FnOnce() -> io::Result<Vec<u8>>,
    {
        let Some(cache) = self.cache else {
            let compiled = self.compile(wasm)?;
            // SAFETY: made one line above by Wasmtime's own compiler, here or in a process that this one started.
            #[allow(unsafe_code)]
            let component = unsafe { Component::deserialize(self.engine, &compiled) };
            return component.map_err(|e| ProgramError::Load(e.into()));
        };
        let entry = self.entry(cache);
        if let Some(component) = cache.load(self.engine, &entry) {
            return Ok(component);
        }
        // One process compiles; the others wait for it and load what it wrote.
        let lock = lock_file(&entry.with_extension("lock")).map_err(ProgramError::Cache)?;
        if lock.try_lock().is_err() {
            (self.progress)(Progress::Waiting);
            lock.lock().map_err(ProgramError::Cache)?;
            if let Some(component) = cache.load(self.engine, &entry) {
                (self.progress)(Progress::Ready);
                return Ok(component);
            }
        }
        let compiled = self.compile(wasm)?;
        cache
            .store(&entry, &compiled)
            .map_err(ProgramError::Cache)?;
        cache.load(self.engine, &entry).ok_or_else(|| {
            let again = io::Error::other("the entry just written cannot be read back");
            ProgramError::Cache(again)
        })
    }

    /// What the component says of its functions. It stands in the `.wasm` alone, so it is kept beside what is compiled: one component has
    /// one description, wherever it is loaded from.
    pub(crate) fn docs<F>(&self, wasm: &mut Wasm<F>) -> Result<Docs, ProgramError>
    where
        F: FnOnce() -> io::Result<Vec<u8>>,
    {
        let Some(cache) = self.cache else {
            let section = docs_section(wasm.checked(&self.digest)?);
            return Ok(Docs::parse(section.unwrap_or_default()));
        };
        let entry = self.entry(cache);
        if let Some(docs) = cache.docs(&entry) {
            return Ok(Docs::parse(&docs));
        }
        let section = docs_section(wasm.checked(&self.digest)?).unwrap_or_default();
        let lock = lock_file(&entry.with_extension("lock")).map_err(ProgramError::Cache)?;
        lock.lock().map_err(ProgramError::Cache)?;
        cache
            .store_docs(&entry, section)
            .map_err(ProgramError::Cache)?;
        Ok(Docs::parse(section))
    }

    fn entry(&self, cache: &Cache) -> PathBuf {
        let name = entry_name(self.engine, &self.digest);
        cache.dir.join(format!("{name}.cwasm"))
    }

    fn compile<F>(&self, wasm: &mut Wasm<F>) -> Result<Vec<u8>, ProgramError>
    where
        F: FnOnce() -> io::Result<Vec<u8>>,
    {
        let wasm = wasm.checked(&self.digest)?;
        compile::check_kind(wasm)?;
        (self.progress)(Progress::Compiling { bytes: wasm.len() });
        let compiled = match self.compiler {
            Compiler::InProcess => self
                .engine
                .precompile_component(wasm)
                .map_err(compile::refused)?,
            Compiler::Process {
                program,
                arguments,
                limits,
            } => compile::compile(program, arguments, *limits, self.meter, wasm)?
                .map_err(compile::refused)?,
        };
        (self.progress)(Progress::Ready);
        Ok(compiled)
    }
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
