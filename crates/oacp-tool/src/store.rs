//! The tools that were registered: a directory, kept by one node for itself.
//!
//! ```text
//! packages/weather.json     the record of package `weather`: its tools' definitions, rights, limits, where it came from
//! code/<64 hex digits>      code by its SHA-256: a component as it is, or the files of a source as strict JSON
//! lock                      held by whoever changes something, and shared by whoever reads record and code together
//! ```
//!
//! A record's file is `oacp-package/v1 <SHA-256 of what follows, 64 hex digits>`, a line feed, and JSON. Its name is in lower case: two
//! packages whose names differ only by case would be one file on some systems, so they are refused on all.
//!
//! The attack is code that changes after somebody agreed to it. What was agreed to is in the record; code is read by its digest and checked
//! against it, each time. The record itself is as trustworthy as the user's own files are: files are 0600, directories 0700.
//!
//! A change is one rename, of the record, after the code is durable: whoever is cut off leaves the old state or the new. What was left over
//! is cleared away by a later change. A tool is found by its name without reading any other package's record.

pub(crate) mod code;
mod difference;
pub(crate) mod files;
mod record;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use oacp::capability::{Capabilities, GuestPath};
use oacp::digest::Digest;
use oacp::id::ToolName;
use oacp::source::{Source, SourceError};
use oacp::tool::Definition;

pub use self::difference::{Changed, Difference, Edit, edits};
pub use self::record::{Kind, Origin, OriginKind, RecordProblem, Registered, Signature, pin};
use crate::limits::PACKAGES_MAX;
use crate::manifest::{Instance, Limits};
use crate::package::PackageName;

/// The first line of a package's record.
const HEADER: files::Header = files::Header("oacp-package/v");

/// A directory of registered packages. It holds nothing open, and may be used by several threads and processes at once.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// Files on a language's runtime, started at a tool's stub.
    Source(Source),
    /// A component's bytes.
    Component(Vec<u8>),
}

/// A tool with all that a call of it needs.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its package.
    pub package: Registered,
    /// The tool.
    pub definition: Definition,
    /// Its code, checked against the definition.
    pub program: Program,
}

/// Why the store cannot do what is asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A package of this name is there.
    #[error(
        "a package `{existing}` is registered already: --replace registers it anew, with the rights that are given now; --name gives this one another name"
    )]
    Exists {
        /// Its name.
        existing: PackageName,
    },
    /// Its name differs from another's by case alone.
    #[error(
        "`{name}` differs from the registered package `{existing}` only by case; give it another name with `--name`"
    )]
    Case {
        /// The new one's.
        name: PackageName,
        /// The one that is there.
        existing: PackageName,
    },
    /// No package of this name is there.
    #[error("no package `{name}` is registered")]
    Missing {
        /// The name.
        name: PackageName,
    },
    /// As many as there may be.
    #[error("{PACKAGES_MAX} packages are registered; remove one first")]
    Full,
    /// What should be written is not a record.
    #[error("the package `{name}` cannot be registered: {problem}")]
    Record {
        /// Its name.
        name: PackageName,
        /// Why not.
        problem: RecordProblem,
    },
    /// A file is not what was written.
    #[error("the store's file `{}` is damaged; remove the package and add it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A file is of a version that this program does not know.
    #[error("the store's file `{}` is of another version of OACP", path.display())]
    Version {
        /// The file.
        path: PathBuf,
    },
    /// Files that no source can be made of.
    #[error("its files cannot be kept")]
    Source(#[from] SourceError),
    /// The system refused.
    #[error("the store's file `{}` cannot be used", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Store {
    /// The store in a directory of the operating system. There may be none yet; the first package makes it.
    ///
    /// # Errors
    /// [`StoreError::Io`]: something else is there.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        match dir.metadata() {
            Ok(there) if !there.is_dir() => Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Self {
                dir: dir.to_owned(),
            }),
        }
        .map_err(|source| StoreError::Io {
            path: dir.to_owned(),
            source,
        })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Registers a package. [`Registered::code`] of `package` is not read; the record that was written is given back.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::Case`], [`StoreError::Full`]; a record that contradicts itself or its code; the file system's.
    /// After an error of the file system the package may be there, whole, or not.
    pub fn add(&self, package: Registered, program: &Program) -> Result<Registered, StoreError> {
        let _lock = self.lock()?;
        match self.record(&package.name)? {
            Some(existing) if existing.name == package.name => {
                return Err(StoreError::Exists {
                    existing: existing.name,
                });
            }
            Some(existing) => {
                return Err(StoreError::Case {
                    name: package.name,
                    existing: existing.name,
                });
            }
            None => {}
        }
        if self.record_files()?.len() >= PACKAGES_MAX {
            return Err(StoreError::Full);
        }
        self.put(package, program)
    }

    /// Puts another form of a package in the place of the one that is registered: what somebody accepted. Gives the old record and the new.
    ///
    /// # Errors
    /// [`StoreError::Missing`]; as [`Store::add`].
    pub fn replace(
        &self,
        package: Registered,
        program: &Program,
    ) -> Result<(Registered, Registered), StoreError> {
        let _lock = self.lock()?;
        let old = self.existing(&package.name)?;
        let new = self.put(package, program)?;
        self.clear();
        Ok((old, new))
    }

    /// Takes a package out.
    ///
    /// # Errors
    /// [`StoreError::Missing`]; the file system's. A record that is damaged is taken out, too; then there is nothing to give back.
    pub fn remove(&self, name: &PackageName) -> Result<Option<Registered>, StoreError> {
        let _lock = self.lock()?;
        let removed = match self.existing(name) {
            Ok(package) => Some(package),
            Err(StoreError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        let path = self.record_path(name);
        files::remove(&path).map_err(|source| StoreError::Io { path, source })?;
        self.clear();
        Ok(removed)
    }

    /// All packages, by name. One that cannot be read stands in its place as the error.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn list(&self) -> Result<Vec<Result<Registered, StoreError>>, StoreError> {
        let mut list = Vec::new();
        for path in self.record_files()?.into_iter().take(PACKAGES_MAX) {
            match self.read_record(&path) {
                Ok(Some(package)) => list.push(Ok(package)),
                // Taken out since.
                Ok(None) => {}
                Err(error) => list.push(Err(error)),
            }
        }
        Ok(list)
    }

    /// The package of this name.
    ///
    /// # Errors
    /// Its record is damaged, of another version, or cannot be read.
    pub fn package(&self, name: &PackageName) -> Result<Option<Registered>, StoreError> {
        let found = self.record(name)?;
        Ok(found.filter(|package| package.name == *name))
    }

    /// The package that has the tool of this name. Reads one file, however many are registered.
    ///
    /// # Errors
    /// As [`Store::package`].
    pub fn find(&self, tool: &ToolName) -> Result<Option<Registered>, StoreError> {
        let Some(name) = PackageName::of_tool(tool) else {
            return Ok(None);
        };
        let found = self.package(&name)?;
        Ok(found.filter(|package| package.definition(tool).is_some()))
    }

    /// A tool with its code, both of the same moment.
    ///
    /// # Errors
    /// As [`Store::find`] and [`Store::code`].
    pub fn load(&self, tool: &ToolName) -> Result<Option<Loaded>, StoreError> {
        let _lock = self.lock_shared()?;
        let Some(package) = self.find(tool)? else {
            return Ok(None);
        };
        let Some(definition) = package.definition(tool).cloned() else {
            return Ok(None);
        };
        let program = self.code(&package, &definition)?;
        Ok(Some(Loaded {
            package,
            definition,
            program,
        }))
    }

    /// The code of one of a package's tools, a source started at the tool's stub. What is read is checked against its digest, and against the
    /// definition.
    ///
    /// # Errors
    /// [`StoreError::Damaged`]: it is not there, or not what was written, or not the definition's. While another process replaces the
    /// package that may be; [`Store::load`] excludes it.
    pub fn code(
        &self,
        package: &Registered,
        definition: &Definition,
    ) -> Result<Program, StoreError> {
        let path = self.code_path(package.code);
        let damaged = || StoreError::Damaged { path: path.clone() };
        let bytes = match files::read(&path, code::bytes_max(package.kind)) {
            Err(error) if files::is_no_such_file(&error) => return Err(damaged()),
            Err(source) => return Err(StoreError::Io { path, source }),
            Ok(bytes) => bytes,
        };
        if Digest::of(&bytes) != package.code {
            return Err(damaged());
        }
        let program = code::decode(package.kind, bytes, definition).ok_or_else(damaged)?;
        code::is_of(&program, definition)
            .then_some(program)
            .ok_or_else(damaged)
    }

    /// Writes code and record. The lock is held.
    fn put(&self, mut package: Registered, program: &Program) -> Result<Registered, StoreError> {
        let name = package.name.clone();
        let refused = |problem| StoreError::Record {
            name: name.clone(),
            problem,
        };
        package.check().map_err(refused)?;
        for definition in &package.definitions {
            let started = program.started(definition)?;
            if !started.is_some_and(|program| code::is_of(&program, definition)) {
                return Err(refused(RecordProblem::Code(definition.name.clone())));
            }
        }
        let bytes = code::encode(program);
        if bytes.len() > code::bytes_max(package.kind) {
            return Err(refused(RecordProblem::TooLarge));
        }
        package.code = Digest::of(&bytes);
        let path = self.code_path(package.code);
        files::write(&path, &bytes).map_err(|source| StoreError::Io { path, source })?;
        self.write_record(&package)?;
        Ok(package)
    }
}

/// What may be changed of a package without changing what it is.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What each of its tools is granted.
    pub capabilities: Capabilities,
    /// What a call may use.
    pub limits: Limits,
    /// How long an instance lives.
    pub instance: Instance,
    /// Where its relative paths start.
    pub working_directory: Option<GuestPath>,
}

/// Records and their files.
impl Store {
    fn record_path(&self, name: &PackageName) -> PathBuf {
        let file = format!("{}.json", name.as_str().to_ascii_lowercase());
        self.dir.join("packages").join(file)
    }

    fn code_path(&self, digest: Digest) -> PathBuf {
        self.dir.join("code").join(digest.hex())
    }

    /// The record that is in this name's file, which may have another name.
    fn record(&self, name: &PackageName) -> Result<Option<Registered>, StoreError> {
        self.read_record(&self.record_path(name))
    }

    fn existing(&self, name: &PackageName) -> Result<Registered, StoreError> {
        self.package(name)?
            .ok_or_else(|| StoreError::Missing { name: name.clone() })
    }

    fn read_record(&self, path: &Path) -> Result<Option<Registered>, StoreError> {
        let damaged = || StoreError::Damaged {
            path: path.to_owned(),
        };
        let body = match files::read_record(path, HEADER) {
            Ok(Some(body)) => body,
            Ok(None) => return Ok(None),
            Err(files::RecordError::Damaged) => return Err(damaged()),
            Err(files::RecordError::Version) => {
                return Err(StoreError::Version {
                    path: path.to_owned(),
                });
            }
            Err(files::RecordError::Io(source)) => {
                return Err(StoreError::Io {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        let package: Registered =
            oacp::json::from_slice(&body, crate::limits::RECORD).map_err(|_| damaged())?;
        let is_its_own = self.record_path(&package.name) == path;
        if !is_its_own || package.check().is_err() {
            return Err(damaged());
        }
        Ok(Some(package))
    }

    fn write_record(&self, package: &Registered) -> Result<(), StoreError> {
        let refused = |problem| StoreError::Record {
            name: package.name.clone(),
            problem,
        };
        package.check().map_err(refused)?;
        let path = self.record_path(&package.name);
        let body = serde_json::to_vec(package).map_err(|error| StoreError::Io {
            path: path.clone(),
            source: error.into(),
        })?;
        // What could not be read back is not written.
        if oacp::json::from_slice::<Registered>(&body, crate::limits::RECORD).is_err() {
            return Err(refused(RecordProblem::TooLarge));
        }
        files::write_record(&path, HEADER, &body).map_err(|source| StoreError::Io { path, source })
    }

    /// The files of records, by name.
    fn record_files(&self) -> Result<Vec<PathBuf>, StoreError> {
        let dir = self.dir.join("packages");
        files::list(&dir, "json").map_err(|source| StoreError::Io { path: dir, source })
    }

    /// Takes away code that no record names, and what was left unfinished. The lock is held. Whatever cannot be taken away now can later.
    fn clear(&self) {
        let Ok(records) = self.record_files() else {
            return;
        };
        let mut kept = BTreeSet::new();
        for path in records {
            match self.read_record(&path) {
                Ok(Some(package)) => drop(kept.insert(package.code.hex())),
                Ok(None) => {}
                // Whose code that is cannot be known.
                Err(_) => return,
            }
        }
        files::keep_only(&self.dir.join("code"), &kept);
    }

    /// Keeps everybody else out until what is returned is dropped.
    fn lock(&self) -> Result<File, StoreError> {
        files::make(&self.dir)
            .and_then(|()| files::lock(&self.dir.join("lock")))
            .map_err(|source| StoreError::Io {
                path: self.dir.clone(),
                source,
            })
    }

    /// Keeps out whoever changes something. `None`: nobody can, for there is no store or it cannot be written to.
    fn lock_shared(&self) -> Result<Option<File>, StoreError> {
        let path = self.dir.join("lock");
        files::lock_shared(&path).map_err(|source| StoreError::Io { path, source })
    }
}
