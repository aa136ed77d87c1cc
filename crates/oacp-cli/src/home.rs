//! The directory where the program keeps what it keeps: `$OACP_HOME`, or `~/.oacp`.
//!
//! ```text
//! node.key       the node's private key, mode 0600
//! accepted.json  configuration files that were accepted, by path, with their digests
//! accepted/      their texts as they were then, <sha256>.yaml
//! projects/      what `oacp run --ask` is to remember, <sha256 of the directory>.json
//! runs/          a bundle for each run that named no file for it, <execution id>.json
//! log/           this machine's log; log.key signs its checkpoints, log.policy says whose cosignatures they need
//! registries/    policy and token of registries elsewhere, <host>.policy and <host>.token
//! spool/         what waits for a registry that cannot be reached, <host>/
//! witness/       what this machine's witness has seen; witness.key and witness.ml-dsa-44.key sign its cosignatures
//! monitor/       what this machine's monitors have seen, <host>/
//! sandboxes/     id and sequence of named sandboxes
//! tools/         registered tools: their definitions, rights and code
//! runtimes/      language runtimes that were added, <sha256>.wasm
//! cache/         compiled components: may be deleted
//! ```

use std::env;
use std::path::{Path, PathBuf};

use crate::environment::OACP_HOME;
use crate::failure::Failure;
use crate::file::create_private_dir;

/// Paths only; nothing is created before it is needed.
#[derive(Clone)]
pub(crate) struct Home {
    dir: PathBuf,
    cache: PathBuf,
}

impl Home {
    /// Reads the environment, once.
    pub(crate) fn locate(cache: Option<PathBuf>) -> Result<Self, Failure> {
        let dir = match env::var_os(OACP_HOME).filter(|dir| !dir.is_empty()) {
            Some(dir) => std::path::absolute(dir)?,
            None => env::home_dir()
                .filter(|home| home.is_absolute())
                .ok_or_else(|| {
                    Failure::unable("this user has no home directory")
                        .hint("set OACP_HOME to a directory")
                })?
                .join(".oacp"),
        };
        let cache = cache.unwrap_or_else(|| dir.join("cache"));
        Ok(Self { dir, cache })
    }

    /// Creates the directory, private to this user.
    pub(crate) fn create(&self) -> Result<(), Failure> {
        create_private_dir(&self.dir)
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.dir.join("node.key")
    }

    pub(crate) fn accepted(&self) -> PathBuf {
        self.dir.join("accepted.json")
    }

    pub(crate) fn accepted_texts(&self) -> PathBuf {
        self.dir.join("accepted")
    }

    pub(crate) fn projects(&self) -> PathBuf {
        self.dir.join("projects")
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.dir.join("runs")
    }

    /// This machine's own log.
    pub(crate) fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    pub(crate) fn registries(&self) -> PathBuf {
        self.dir.join("registries")
    }

    pub(crate) fn spool(&self) -> PathBuf {
        self.dir.join("spool")
    }

    pub(crate) fn monitors(&self) -> PathBuf {
        self.dir.join("monitor")
    }

    /// What this machine's witness has seen.
    pub(crate) fn witness(&self) -> PathBuf {
        self.dir.join("witness")
    }

    pub(crate) fn sandboxes(&self) -> PathBuf {
        self.dir.join("sandboxes")
    }

    /// The registered agents.
    pub(crate) fn agents(&self) -> PathBuf {
        self.dir.join("agents")
    }

    /// The registered tools.
    pub(crate) fn tools(&self) -> PathBuf {
        self.dir.join("tools")
    }

    pub(crate) fn runtimes(&self) -> PathBuf {
        self.dir.join("runtimes")
    }

    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }
}

/// A path as a person would type it in a shell: `~` for the home directory, quoted if it has to be.
pub(crate) fn shown(path: &Path) -> String {
    let plain = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_alphanumeric() || "/._-+,=:@%~".contains(c))
    };
    let under_home =
        env::home_dir().and_then(|home| path.strip_prefix(home).ok().map(Path::to_path_buf));
    match under_home.as_deref().and_then(Path::to_str) {
        Some(rest) if plain(rest) => format!("~/{rest}"),
        _ => {
            let text = path.to_string_lossy();
            if plain(&text) {
                text.into_owned()
            } else {
                format!("'{}'", text.replace('\'', r"'\''"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_as_a_shell_takes_it() {
        assert_eq!(shown(Path::new("/x/run.json")), "/x/run.json");
        assert_eq!(shown(Path::new("/x/it's a run")), r"'/x/it'\''s a run'");
        if let Some(home) = env::home_dir() {
            assert_eq!(shown(&home.join(".oacp/a.json")), "~/.oacp/a.json");
        }
    }
}
