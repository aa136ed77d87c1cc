//! Language runtimes by digest: those that this program carries, and those that were added.
//!
//! A bundle names its runtime by the SHA-256 of the `.wasm`, and replays on that one alone. So a runtime, once
//! released, stays available after an upgrade: it is added, or exported from the program that carries it.

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

use oacp::digest::Digest;
use thiserror::Error;

use crate::engine::{Engine, Progress};
use crate::limits::COMPONENT_BYTES_MAX;
use crate::program::{Program, ProgramError};

/// A language that an agent may be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// CPython 3.14.
    Python,
    /// QuickJS-ng.
    JavaScript,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Python, Self::JavaScript];

    /// The language's name, lower-case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
        }
    }

    /// The language of a file with this extension, without its dot.
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension {
            "py" => Some(Self::Python),
            "js" | "mjs" => Some(Self::JavaScript),
            _ => None,
        }
    }

    /// The runtime that this program carries for the language: the digest of the uncompressed `.wasm`, and the `.wasm.xz`.
    fn carried(self) -> (&'static str, &'static [u8]) {
        match self {
            Self::Python => (
                include_str!("../../../guests/artefacts/python.wasm.sha256"),
                include_bytes!("../../../guests/artefacts/python.wasm.xz"),
            ),
            Self::JavaScript => (
                include_str!("../../../guests/artefacts/javascript.wasm.sha256"),
                include_bytes!("../../../guests/artefacts/javascript.wasm.xz"),
            ),
        }
    }

    /// The digest of the runtime that this program carries for the language.
    ///
    /// # Errors
    ///
    /// When the program was built with a damaged digest file.
    pub fn digest(self) -> Result<Digest, LanguageError> {
        // `sha256sum` prints the digest, two spaces and the name.
        let hex = self
            .carried()
            .0
            .split_whitespace()
            .next()
            .unwrap_or_default();
        format!("sha256:{hex}")
            .parse()
            .map_err(|_| LanguageError::Carried(self.name()))
    }
}

/// The runtimes at hand.
#[derive(Clone, Debug)]
pub struct Languages {
    /// Directory of added runtimes, `<hex>.wasm`. `None`: only those that this program carries.
    dir: Option<PathBuf>,
}

/// A runtime at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The SHA-256 of its `.wasm`.
    pub digest: Digest,
    /// The language, if this program carries it.
    pub carried: Option<Language>,
}

/// Why a runtime cannot be had.
#[derive(Debug, Error)]
pub enum LanguageError {
    /// No runtime has this digest.
    #[error("no language runtime {0} is at hand; add it with `oacp runtime add FILE.wasm`")]
    Unknown(Digest),
    /// The file does not hold what its name says.
    #[error("the runtime file `{}` is damaged: it holds {found}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What it holds.
        found: Digest,
    },
    /// A compiled agent was given as a language runtime.
    #[error("the component is a compiled agent, not a language runtime")]
    NotALanguage,
    /// This program was built wrongly.
    #[error("the {0} runtime that this program carries is damaged")]
    Carried(&'static str),
    /// There is no directory to add to.
    #[error("there is no directory to add runtimes to")]
    NoDirectory,
    /// The system refused.
    #[error("the directory of runtimes cannot be used")]
    Io(#[from] io::Error),
    /// The component cannot be loaded.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

impl Languages {
    /// The runtimes that this program carries, and those in `dir`.
    pub fn new(dir: Option<PathBuf>) -> Self {
        Self { dir }
    }

    /// Loads a runtime.
    ///
    /// # Errors
    ///
    /// When it is not at hand, is damaged, or cannot be compiled.
    pub fn load(
        &self,
        engine: &Engine,
        digest: Digest,
        progress: &dyn Fn(Progress),
    ) -> Result<Program, LanguageError> {
        let file = self.file(&digest).filter(|file| file.exists());
        if file.is_none() && carried(&digest)?.is_none() {
            return Err(LanguageError::Unknown(digest));
        }
        let program = engine.load(
            digest,
            || self.read(&digest).map_err(io::Error::other),
            progress,
        )?;
        if program.is_language() {
            Ok(program)
        } else {
            Err(LanguageError::NotALanguage)
        }
    }

    /// The runtimes at hand: first those that this program carries, then those that were added, by digest.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, LanguageError> {
        let mut list = Vec::new();
        for language in Language::ALL {
            list.push(Listed {
                digest: language.digest()?,
                carried: Some(language),
            });
        }
        let mut added = Vec::new();
        if let Some(dir) = self.dir.as_ref().filter(|dir| dir.exists()) {
            for entry in fs::read_dir(dir)? {
                let name = entry?.file_name();
                let hex = name.to_str().and_then(|name| name.strip_suffix(".wasm"));
                if let Some(digest) = hex.and_then(|hex| format!("sha256:{hex}").parse().ok())
                    && !list.iter().any(|listed| listed.digest == digest)
                {
                    added.push(Listed {
                        digest,
                        carried: None,
                    });
                }
            }
        }
        added.sort_by_key(|listed| *listed.digest.as_bytes());
        list.append(&mut added);
        Ok(list)
    }

    /// Adds a runtime, after checking that it is one.
    ///
    /// # Errors
    ///
    /// When it is not a language runtime, or cannot be stored.
    pub fn add(
        &self,
        engine: &Engine,
        wasm: &[u8],
        progress: &dyn Fn(Progress),
    ) -> Result<Digest, LanguageError> {
        let digest = Digest::of(wasm);
        let file = self.file(&digest).ok_or(LanguageError::NoDirectory)?;
        let program = engine.load(digest, || Ok(wasm.to_vec()), progress)?;
        if !program.is_language() {
            return Err(LanguageError::NotALanguage);
        }
        if let Some(dir) = &self.dir {
            fs::create_dir_all(dir)?;
        }
        let temporary = file.with_extension(format!("{}.tmp", std::process::id()));
        fs::write(&temporary, wasm)?;
        fs::rename(&temporary, &file)?;
        Ok(digest)
    }

    /// The bytes of a runtime's `.wasm`.
    ///
    /// # Errors
    ///
    /// When it is not at hand, or is damaged.
    pub fn read(&self, digest: &Digest) -> Result<Vec<u8>, LanguageError> {
        if let Some(language) = carried(digest)? {
            let mut wasm = Vec::new();
            lzma_rust2::XzReader::new(language.carried().1, false)
                .take(COMPONENT_BYTES_MAX as u64 + 1)
                .read_to_end(&mut wasm)
                .map_err(|_| LanguageError::Carried(language.name()))?;
            return if Digest::of(&wasm) == *digest {
                Ok(wasm)
            } else {
                Err(LanguageError::Carried(language.name()))
            };
        }
        let file = self
            .file(digest)
            .filter(|file| file.exists())
            .ok_or(LanguageError::Unknown(*digest))?;
        let wasm = fs::read(&file)?;
        let found = Digest::of(&wasm);
        if found == *digest {
            Ok(wasm)
        } else {
            Err(LanguageError::Damaged { file, found })
        }
    }

    fn file(&self, digest: &Digest) -> Option<PathBuf> {
        self.dir
            .as_ref()
            .map(|dir| dir.join(format!("{}.wasm", digest.hex())))
    }
}

/// Whether this program carries the component.
pub(crate) fn is_carried(digest: &Digest) -> bool {
    matches!(carried(digest), Ok(Some(_)))
}

fn carried(digest: &Digest) -> Result<Option<Language>, LanguageError> {
    for language in Language::ALL {
        if language.digest()? == *digest {
            return Ok(Some(language));
        }
    }
    Ok(None)
}
