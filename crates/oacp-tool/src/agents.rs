//! The agents that were registered: a directory, kept by one node for itself, as that of the tools is ([`store`](crate::store)).
//!
//! ```text
//! agents/forecast.json      the record of agent `forecast`: its definition, rights, limits, where it came from
//! code/<64 hex digits>      code by its SHA-256: a component as it is, or files as strict JSON
//! lock                      held by whoever changes something, and shared by whoever reads record and code together
//! ```
//!
//! The attack is the same: code that changes after somebody agreed to it. What is read is checked against the definition, each time.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use oacp::agent::{AgentCode, AgentDefinition, AgentDefinitionError, AgentName};
use oacp::capability::{Capabilities, GuestPath};
use oacp::digest::Digest;
use oacp::source::{Source, SourcePath};
use oacp::statement::Level;
use oacp::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::{
    AGENTS_MAX, COMPONENT_BYTES_MAX, RECORD, RECORD_TEXT_BYTES_MAX, STORED_SOURCE,
};
use crate::manifest::Limits;
use crate::store::Program;
use crate::store::code::{decode_files, encode_files};
use crate::store::files::{self, Header, RecordError};

/// The first line of an agent's record.
const HEADER: Header = Header("oacp-agent/v");

/// A directory of registered agents. It holds nothing open, and may be used by several threads and processes at once.
#[derive(Clone, Debug)]
pub struct Agents {
    dir: PathBuf,
}

/// An agent, as it was registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentRecord {
    /// What it is.
    pub definition: AgentDefinition,
    /// Its `agent.yaml`, by its full path. At most 4 KiB.
    pub manifest: String,
    /// Of the directory of its manifest, with all that is in it. `None`: not known.
    pub origin: Option<Digest>,
    /// What a run is granted.
    pub capabilities: Capabilities,
    /// What a run may use.
    #[serde(default)]
    pub limits: Limits,
    /// How much its bundles can show. `None`: as the node has it.
    #[serde(default)]
    pub level: Option<Level>,
    /// Where its relative paths start.
    pub working_directory: GuestPath,
    /// When it was registered, or accepted in its present form.
    pub added: Timestamp,
    /// The files of its code in the store. Set by the store.
    pub code: StoredCode,
}

/// What an agent's code is kept as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredCode {
    /// The component, of an agent that is one.
    #[serde(default)]
    pub component: Option<Digest>,
    /// The files of its source and of its checks, as the store writes them.
    #[serde(default)]
    pub files: Option<Digest>,
}

/// An agent's code: what the definition names, by content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentFiles {
    /// The component, of an agent that is one.
    pub component: Option<Vec<u8>>,
    /// All files: each part starts at its own. None, if nothing is source.
    pub files: Vec<(SourcePath, Vec<u8>)>,
}

impl AgentFiles {
    /// What runs as the agent, if this is the definition's code.
    pub fn agent(&self, definition: &AgentDefinition) -> Option<Program> {
        match &definition.code {
            AgentCode::Component { sha256 } => {
                let component = self.component.as_ref()?;
                (Digest::of(component) == *sha256).then(|| Program::Component(component.clone()))
            }
            AgentCode::Source { sha256, entry } => {
                self.started_at(entry, *sha256).map(Program::Source)
            }
        }
    }

    /// What runs as its checks, in the definition's order, if this is the definition's code.
    pub fn checks(&self, definition: &AgentDefinition) -> Option<Vec<Source>> {
        let checks = definition.checks.iter();
        checks
            .map(|check| self.started_at(&check.entry, check.sha256))
            .collect()
    }

    fn started_at(&self, entry: &SourcePath, sha256: Digest) -> Option<Source> {
        let source = Source::new(self.files.clone(), entry.clone()).ok()?;
        (source.hash() == sha256).then_some(source)
    }
}

/// Why the store cannot do what is asked.
#[derive(Debug, thiserror::Error)]
pub enum AgentsError {
    /// An agent of this name is there.
    #[error("an agent `{0}` is registered already")]
    Exists(AgentName),
    /// Its name differs from another's by case alone: one file on some systems.
    #[error("`{name}` differs from the registered agent `{existing}` only by case")]
    Case {
        /// The new one's.
        name: AgentName,
        /// The one that is there.
        existing: AgentName,
    },
    /// No agent of this name is there.
    #[error("no agent `{0}` is registered")]
    Missing(AgentName),
    /// As many as there may be.
    #[error("{AGENTS_MAX} agents are registered; remove one first")]
    Full,
    /// The definition is not within its limits.
    #[error(transparent)]
    Definition(#[from] AgentDefinitionError),
    /// The code is not the definition's.
    #[error("the code is not what the definition names")]
    Code,
    /// A text or the code is larger than a file of the store may be, or a limit is out of its range.
    #[error("it does not fit into the store")]
    TooLarge,
    /// A file is not what was written.
    #[error("the store's file `{}` is damaged; remove the agent and add it again", path.display())]
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

/// An error of the system, at this file.
fn at(path: &Path) -> impl FnOnce(io::Error) -> AgentsError {
    let path = path.to_owned();
    move |source| AgentsError::Io { path, source }
}

impl Agents {
    /// The store in a directory of the operating system. There may be none yet; the first agent makes it.
    pub fn open(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    /// Registers an agent. [`AgentRecord::code`] of `record` is not read; the record that was written is given back.
    ///
    /// # Errors
    /// [`AgentsError::Exists`], [`AgentsError::Case`], [`AgentsError::Full`]; code that is not the definition's; the file system's.
    pub fn add(&self, record: AgentRecord, code: &AgentFiles) -> Result<AgentRecord, AgentsError> {
        let _lock = self.lock()?;
        let name = record.definition.name.clone();
        match self.read(&self.record_path(&name))? {
            Some(existing) if existing.definition.name == name => {
                return Err(AgentsError::Exists(name));
            }
            Some(existing) => {
                let existing = existing.definition.name;
                return Err(AgentsError::Case { name, existing });
            }
            None => {}
        }
        if self.record_files()?.len() >= AGENTS_MAX {
            return Err(AgentsError::Full);
        }
        self.put(record, code)
    }

    /// Puts another form of an agent in the place of the one that is registered: what somebody accepted.
    ///
    /// # Errors
    /// [`AgentsError::Missing`]; as [`Agents::add`].
    pub fn replace(
        &self,
        record: AgentRecord,
        code: &AgentFiles,
    ) -> Result<AgentRecord, AgentsError> {
        let _lock = self.lock()?;
        let name = &record.definition.name;
        if self.get(name)?.is_none() {
            return Err(AgentsError::Missing(name.clone()));
        }
        let written = self.put(record, code)?;
        self.clear();
        Ok(written)
    }

    /// Takes an agent out, be its record damaged or not.
    ///
    /// # Errors
    /// [`AgentsError::Missing`]; the file system's.
    pub fn remove(&self, name: &AgentName) -> Result<(), AgentsError> {
        let _lock = self.lock()?;
        match self.get(name) {
            Ok(None) => return Err(AgentsError::Missing(name.clone())),
            Ok(Some(_)) | Err(AgentsError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
        let path = self.record_path(name);
        files::remove(&path).map_err(at(&path))?;
        self.clear();
        Ok(())
    }

    /// All agents, by name. One that cannot be read stands in its place as the error.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn list(&self) -> Result<Vec<Result<AgentRecord, AgentsError>>, AgentsError> {
        let paths = self.record_files()?.into_iter().take(AGENTS_MAX);
        Ok(paths
            .filter_map(|path| self.read(&path).transpose())
            .collect())
    }

    /// The agent of this name.
    ///
    /// # Errors
    /// Its record is damaged, of another version, or cannot be read.
    pub fn get(&self, name: &AgentName) -> Result<Option<AgentRecord>, AgentsError> {
        let found = self.read(&self.record_path(name))?;
        Ok(found.filter(|record| record.definition.name == *name))
    }

    /// An agent with its code, both of the same moment, the code checked against the definition.
    ///
    /// # Errors
    /// As [`Agents::get`]; code that is not there, or not what was written.
    pub fn load(&self, name: &AgentName) -> Result<Option<(AgentRecord, AgentFiles)>, AgentsError> {
        let _lock = self.lock_shared()?;
        let Some(record) = self.get(name)? else {
            return Ok(None);
        };
        let code = AgentFiles {
            component: match record.code.component {
                Some(digest) => Some(self.code(digest, COMPONENT_BYTES_MAX)?),
                None => None,
            },
            files: match record.code.files {
                Some(digest) => {
                    let bytes = self.code(digest, STORED_SOURCE.bytes_max)?;
                    decode_files(&bytes).ok_or_else(|| self.damaged(digest))?
                }
                None => Vec::new(),
            },
        };
        let definition = &record.definition;
        if code.agent(definition).is_none() || code.checks(definition).is_none() {
            let path = self.record_path(name);
            return Err(AgentsError::Damaged { path });
        }
        Ok(Some((record, code)))
    }

    fn code(&self, digest: Digest, bytes_max: usize) -> Result<Vec<u8>, AgentsError> {
        let path = self.code_path(digest);
        match files::read(&path, bytes_max) {
            Ok(bytes) if Digest::of(&bytes) == digest => Ok(bytes),
            Ok(_) => Err(AgentsError::Damaged { path }),
            Err(error) if files::is_no_such_file(&error) => Err(AgentsError::Damaged { path }),
            Err(source) => Err(AgentsError::Io { path, source }),
        }
    }

    fn damaged(&self, digest: Digest) -> AgentsError {
        let path = self.code_path(digest);
        AgentsError::Damaged { path }
    }

    /// Writes code and record. The lock is held.
    fn put(&self, mut record: AgentRecord, code: &AgentFiles) -> Result<AgentRecord, AgentsError> {
        let definition = &record.definition;
        definition.check()?;
        if code.agent(definition).is_none() || code.checks(definition).is_none() {
            return Err(AgentsError::Code);
        }
        if record.manifest.len() > RECORD_TEXT_BYTES_MAX || record.limits.check().is_err() {
            return Err(AgentsError::TooLarge);
        }
        record.code = StoredCode {
            component: match &code.component {
                Some(component) => Some(self.write_code(component, COMPONENT_BYTES_MAX)?),
                None => None,
            },
            files: if code.files.is_empty() {
                None
            } else {
                let files = code.files.iter();
                let bytes = encode_files(files.map(|(path, content)| (path, content.as_slice())));
                Some(self.write_code(&bytes, STORED_SOURCE.bytes_max)?)
            },
        };
        let path = self.record_path(&record.definition.name);
        let body = serde_json::to_vec(&record).map_err(|error| at(&path)(error.into()))?;
        // What could not be read back is not written.
        if oacp::json::from_slice::<AgentRecord>(&body, RECORD).is_err() {
            return Err(AgentsError::TooLarge);
        }
        files::write_record(&path, HEADER, &body).map_err(at(&path))?;
        Ok(record)
    }

    fn write_code(&self, bytes: &[u8], bytes_max: usize) -> Result<Digest, AgentsError> {
        if bytes.len() > bytes_max {
            return Err(AgentsError::TooLarge);
        }
        let digest = Digest::of(bytes);
        let path = self.code_path(digest);
        files::write(&path, bytes).map_err(at(&path))?;
        Ok(digest)
    }

    fn record_path(&self, name: &AgentName) -> PathBuf {
        let file = format!("{}.json", name.as_str().to_ascii_lowercase());
        self.dir.join("agents").join(file)
    }

    fn code_path(&self, digest: Digest) -> PathBuf {
        self.dir.join("code").join(digest.hex())
    }

    /// A record. `None`: there is no such file.
    fn read(&self, path: &Path) -> Result<Option<AgentRecord>, AgentsError> {
        let path_of = || path.to_owned();
        let body = match files::read_record(path, HEADER) {
            Ok(Some(body)) => body,
            Ok(None) => return Ok(None),
            Err(RecordError::Damaged) => return Err(AgentsError::Damaged { path: path_of() }),
            Err(RecordError::Version) => return Err(AgentsError::Version { path: path_of() }),
            Err(RecordError::Io(source)) => return Err(at(path)(source)),
        };
        let record: Option<AgentRecord> = oacp::json::from_slice(&body, RECORD).ok();
        match record {
            Some(record) if self.record_path(&record.definition.name) == path => Ok(Some(record)),
            _ => Err(AgentsError::Damaged { path: path_of() }),
        }
    }

    /// The files of records, by name.
    fn record_files(&self) -> Result<Vec<PathBuf>, AgentsError> {
        let dir = self.dir.join("agents");
        files::list(&dir, "json").map_err(at(&dir))
    }

    /// Takes away code that no record names. The lock is held. Whatever cannot be taken away now can later.
    fn clear(&self) {
        let Ok(records) = self.list() else { return };
        let mut kept = BTreeSet::new();
        for record in records {
            // Whose code that is cannot be known.
            let Ok(record) = record else { return };
            let digests = [record.code.component, record.code.files];
            kept.extend(digests.into_iter().flatten().map(|digest| digest.hex()));
        }
        files::keep_only(&self.dir.join("code"), &kept);
    }

    /// Keeps everybody else out until what is returned is dropped.
    fn lock(&self) -> Result<File, AgentsError> {
        let lock = || {
            files::make(&self.dir)?;
            files::lock(&self.dir.join("lock"))
        };
        lock().map_err(at(&self.dir))
    }

    /// Keeps out whoever changes something. `None`: nobody can, for there is no store or it cannot be written to.
    fn lock_shared(&self) -> Result<Option<File>, AgentsError> {
        let path = self.dir.join("lock");
        files::lock_shared(&path).map_err(at(&path))
    }
}
