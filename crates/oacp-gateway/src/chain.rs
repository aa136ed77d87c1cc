//! The order of a sandbox's statements: its sequence number, durable before anything is signed under it.
//!
//! A named sandbox keeps its id and goes on counting after a restart, so that an omission shows as a gap. One process holds it at a
//! time: two would count twice. A sandbox without a name lives and ends with its process and needs no file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use oacp::id::{SandboxId, SandboxName};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The counter of one sandbox.
pub(crate) struct Counter {
    next: u64,
    file: Option<CounterFile>,
}

struct CounterFile {
    path: PathBuf,
    id: SandboxId,
    /// Held as long as the sandbox lives.
    _lock: File,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    sandbox_id: SandboxId,
    next_sequence: u64,
}

/// Why a named sandbox cannot be had, or go on.
#[derive(Debug, Error)]
pub enum CounterError {
    /// Another process holds it.
    #[error("sandbox `{0}` is in use by another process; wait for it, or use another name")]
    InUse(SandboxName),
    /// The node keeps no state, so nothing can have a name.
    #[error("sandbox `{0}` cannot be named: this node keeps no state")]
    NoState(SandboxName),
    /// The file holds something else than a counter.
    #[error("the state file `{}` is damaged; a sandbox cannot go on counting without it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The system refused.
    #[error("the state file `{}` cannot be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Counter {
    /// A counter that ends with this process.
    pub(crate) fn unnamed() -> Self {
        Self {
            next: 0,
            file: None,
        }
    }

    /// The counter of a named sandbox, with its id; both are new if the name is.
    pub(crate) fn named(
        dir: &Path,
        name: &SandboxName,
        fresh: impl FnOnce() -> Result<SandboxId, io::Error>,
    ) -> Result<(SandboxId, Self), CounterError> {
        let path = dir.join(format!("{name}.json"));
        let fail = |source| CounterError::Io {
            path: path.clone(),
            source,
        };
        fs::create_dir_all(dir).map_err(fail)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.with_extension("lock"));
        let lock = lock.map_err(fail)?;
        lock.try_lock().map_err(|e| match e {
            fs::TryLockError::WouldBlock => CounterError::InUse(name.clone()),
            fs::TryLockError::Error(e) => fail(e),
        })?;
        let stored = match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|source| CounterError::Damaged {
                    path: path.clone(),
                    source,
                })?
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Stored {
                sandbox_id: fresh().map_err(fail)?,
                next_sequence: 0,
            },
            Err(e) => return Err(fail(e)),
        };
        let file = CounterFile {
            path,
            id: stored.sandbox_id,
            _lock: lock,
        };
        Ok((
            stored.sandbox_id,
            Self {
                next: stored.next_sequence,
                file: Some(file),
            },
        ))
    }

    /// Takes the next number. It is durable when this returns: after a power cut it is not given again.
    pub(crate) fn take(&mut self) -> Result<u64, CounterError> {
        let sequence = self.next;
        if let Some(file) = &self.file {
            let stored = Stored {
                sandbox_id: file.id,
                next_sequence: sequence + 1,
            };
            write_durably(&file.path, &stored).map_err(|source| CounterError::Io {
                path: file.path.clone(),
                source,
            })?;
        }
        self.next += 1;
        Ok(sequence)
    }
}

/// Replaces the file in one step: the old counter or the new one is there after a crash, never half of one.
fn write_durably(path: &Path, stored: &Stored) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(&serde_json::to_vec(stored)?)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("oacp-counter-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir
    }

    fn fresh() -> Result<SandboxId, io::Error> {
        Ok(SandboxId::new(1_700_000_000_000, [7; 10]))
    }

    #[test]
    fn a_named_sandbox_keeps_its_id_and_goes_on_counting() {
        let dir = scratch("restart");
        let name: SandboxName = "first".parse().unwrap();
        let (id, mut counter) = Counter::named(&dir, &name, fresh).unwrap();
        assert_eq!((counter.take().unwrap(), counter.take().unwrap()), (0, 1));
        drop(counter);
        let (again, mut counter) =
            Counter::named(&dir, &name, || panic!("the id is kept")).unwrap();
        assert_eq!((again, counter.take().unwrap()), (id, 2));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn two_holders_of_one_name_are_refused() {
        let dir = scratch("twice");
        let name: SandboxName = "first".parse().unwrap();
        let held = Counter::named(&dir, &name, fresh).unwrap();
        assert!(matches!(
            Counter::named(&dir, &name, fresh),
            Err(CounterError::InUse(_))
        ));
        drop(held);
        assert!(Counter::named(&dir, &name, fresh).is_ok());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_damaged_counter_is_refused_and_left_as_it_is() {
        let dir = scratch("damaged");
        let name: SandboxName = "first".parse().unwrap();
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("first.json"), "{\"next_seq").unwrap();
        assert!(matches!(
            Counter::named(&dir, &name, fresh),
            Err(CounterError::Damaged { .. })
        ));
        assert_eq!(fs::read(dir.join("first.json")).unwrap(), b"{\"next_seq");
        fs::remove_dir_all(dir).unwrap();
    }
}
