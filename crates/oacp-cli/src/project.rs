//! What a person told `oacp run --ask` to remember for a project, which is a working directory.
//!
//! It counts for runs with `--ask` alone: nothing is granted that the command line does not show.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use oacp::capability::{Capabilities, Denial};
use oacp::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Judge};
use crate::file::{self, Existing, Readers};
use crate::home::Home;

/// Bytes of a project's file.
const BYTES_MAX: usize = 1 << 20;

/// What was remembered.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Answers {
    /// Whose it is, for people.
    directory: PathBuf,
    /// What is granted without asking again.
    pub(crate) allow: Capabilities,
    /// What is denied without asking again: kind of right and what was asked for.
    never: BTreeSet<(String, String)>,
}

impl Answers {
    pub(crate) fn load(directory: &Path, home: &Home) -> Result<Self, Failure> {
        let path = file_of(directory, home);
        if let Err(e) = fs::metadata(&path)
            && e.kind() == io::ErrorKind::NotFound
        {
            return Ok(Self {
                directory: directory.to_path_buf(),
                ..Self::default()
            });
        }
        let bytes = file::read(&path, BYTES_MAX)?;
        serde_json::from_slice(&bytes)
            .or_context(|| format!("`{}` is damaged", path.display()))
            .or_hint(|| "delete it: you will be asked again".to_owned())
    }

    /// Whether a person said never to ask this again.
    pub(crate) fn is_never(&self, denial: &Denial) -> bool {
        self.never.contains(&key(denial))
    }

    /// Remembers that this is granted. False if it cannot be remembered as a right.
    pub(crate) fn allow(&mut self, denial: &Denial, home: &Home) -> Result<bool, Failure> {
        let learned = oacp::policy::learn(std::slice::from_ref(denial));
        if learned.capabilities.is_empty() {
            return Ok(false);
        }
        self.allow = self.allow.union(&learned.capabilities);
        self.save(home)?;
        Ok(true)
    }

    /// Remembers that this is denied.
    pub(crate) fn refuse(&mut self, denial: &Denial, home: &Home) -> Result<(), Failure> {
        self.never.insert(key(denial));
        self.save(home)
    }

    fn save(&self, home: &Home) -> Result<(), Failure> {
        file::create_private_dir(&home.projects())?;
        let json = serde_json::to_vec_pretty(self)?;
        let path = file_of(&self.directory, home);
        file::write_whole(&path, &json, Existing::Replace, Readers::Owner)
            .or_context(|| format!("cannot write `{}`", path.display()))
    }
}

fn key(denial: &Denial) -> (String, String) {
    (denial.capability.clone(), denial.asked.clone())
}

fn file_of(directory: &Path, home: &Home) -> PathBuf {
    let digest = Digest::of(directory.as_os_str().as_encoded_bytes()).to_string();
    let hex = digest.strip_prefix("sha256:").unwrap_or(&digest);
    home.projects().join(format!("{hex}.json"))
}
