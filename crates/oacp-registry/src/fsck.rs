//! Whether a log's directory holds what was written: the root is derived again from every entry, and every file is compared with what it
//! has to be. Of the index, which is made again from the rest, every row is compared with its leaf and looked for by its id: one that is
//! not found might let an id in twice.
//!
//! Nothing is opened, followed or mended here, so that a log that cannot be opened can be looked at.

mod index;
mod segments;
mod tree;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use oacp_tlog::checkpoint::SignedCheckpoint;
use oacp_tlog::cosignature::verified_time;
use oacp_tlog::key::VerifierKey;
use oacp_tlog::policy::Policy;

use crate::head::Head;
use crate::log::HOLDS;
use crate::sequencer::{CHECKPOINT, UNSYNCED};
use crate::state_file::StateFile;
use crate::storage::disk::OsDisk;
use crate::storage::{Directory, Heads, Objects, SLOT_BYTES, Slot, slot};

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, within the directory.
    pub file: String,
    /// What it is.
    pub what: String,
    /// Whether the log has lost something by it.
    pub severity: Severity,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is not what was written.
    Damage,
    /// It could not be checked, or does not belong there. Nothing is lost.
    Note,
}

/// What came of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries from which the root was derived.
    pub entries: u64,
    /// Payloads whose checksum, commitment and leaf were compared.
    pub payloads: u64,
    /// Payloads that were pruned.
    pub pruned: u64,
    /// What is wrong, by file.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether everything is what was written.
    pub fn is_sound(&self) -> bool {
        let mut findings = self.findings.iter();
        !findings.any(|finding| finding.severity == Severity::Damage)
    }
}

/// What is being checked.
struct Check<'a> {
    storage: Directory<OsDisk>,
    verifier: &'a VerifierKey,
    policy: Option<&'a Policy>,
    report: Report,
    progress: &'a mut dyn FnMut(u64, u64),
    /// Files that were looked at, so that what is left belongs to nobody.
    known: BTreeSet<String>,
    /// Bundles that are damaged: their entries say nothing of the payloads.
    damaged_bundles: BTreeSet<u64>,
}

/// Checks the directory of the log that signs with `verifier`'s key. `policy`: verifies the cosignatures on the checkpoint that was given
/// out; without one they are noted as not checked. `progress` is told how many of how many entries were read, and then payloads. Others
/// may append meanwhile; only if something is found they have to wait, while it is looked at again.
///
/// # Errors
/// The directory cannot be read at all.
pub fn check(
    dir: &Path,
    verifier: &VerifierKey,
    policy: Option<&Policy>,
    progress: &mut dyn FnMut(u64, u64),
) -> io::Result<Report> {
    if !dir.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("there is no directory `{}`", dir.display()),
        ));
    }
    let (report, moved) = once(dir, verifier, policy, progress, Beside::Appending)?;
    if report.is_sound() || !moved {
        return Ok(report);
    }
    // What was found may be a file that a flush replaced meanwhile: the same again, and this time nobody may append.
    let (report, _) = once(dir, verifier, policy, progress, Beside::Nobody)?;
    Ok(report)
}

/// Who may append while a log is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Appending,
    Nobody,
}

/// Checks once, and tells whether the log grew meanwhile.
fn once(
    dir: &Path,
    verifier: &VerifierKey,
    policy: Option<&Policy>,
    progress: &mut dyn FnMut(u64, u64),
    beside: Beside,
) -> io::Result<(Report, bool)> {
    let mut check = Check {
        storage: Directory::open(dir, OsDisk::default())?,
        verifier,
        policy,
        report: Report::default(),
        progress,
        known: BTreeSet::new(),
        damaged_bundles: BTreeSet::new(),
    };
    // No swap is half-way while the head is read.
    let locked = check.storage.lock()?;
    let generation = check.generation();
    let head = check.head()?;
    let locked = (beside == Beside::Nobody).then_some(locked);
    if let Some(head) = head {
        check.all(&head)?;
    }
    check.report.findings.sort();
    check.report.findings.dedup();
    let moved = check.generation() != generation;
    drop(locked);
    Ok((check.report, moved))
}

impl Check<'_> {
    fn generation(&self) -> Option<u64> {
        let loaded = self.storage.load().ok()?;
        loaded.newest.map(|newest| newest.generation)
    }

    fn all(&mut self, head: &Head) -> io::Result<()> {
        let tree = self.tree(head)?;
        self.checkpoint(head, &tree)?;
        self.segments(head)?;
        self.index(head)?;
        self.holds();
        self.foreign()
    }

    fn damage(&mut self, file: &str, what: impl Into<String>) {
        self.find(file, what, Severity::Damage);
    }

    fn note(&mut self, file: &str, what: impl Into<String>) {
        self.find(file, what, Severity::Note);
    }

    fn find(&mut self, file: &str, what: impl Into<String>, severity: Severity) {
        self.report.findings.push(Finding {
            file: file.to_owned(),
            what: what.into(),
            severity,
        });
    }

    fn knows(&mut self, file: &str) {
        self.known.insert(file.to_owned());
    }

    /// The newest head. Each slot has to be readable: a damaged older one would be missed by the next crash.
    fn head(&mut self) -> io::Result<Option<Head>> {
        const HEAD: &str = "head";
        self.knows(HEAD);
        let Some(bytes) = self.storage.get(HEAD)? else {
            self.damage(HEAD, "is missing");
            return Ok(None);
        };
        if bytes.len() != 2 * SLOT_BYTES {
            let what = format!("has {} bytes, expected {}", bytes.len(), 2 * SLOT_BYTES);
            self.damage(HEAD, what);
        }
        let mut newest: Option<(u64, Head)> = None;
        for number in [0, 1] {
            let value = match slot(&bytes, number) {
                Slot::Empty => continue,
                Slot::Unreadable => {
                    self.damage(HEAD, format!("slot {number} is damaged"));
                    continue;
                }
                Slot::Value(value) => value,
            };
            match Head::parse(&value.value) {
                Some(head) if head.checkpoint.verify(self.verifier) => {
                    if newest
                        .as_ref()
                        .is_none_or(|(generation, _)| *generation < value.generation)
                    {
                        newest = Some((value.generation, head));
                    }
                }
                Some(_) => self.damage(HEAD, format!("slot {number} is signed by another key")),
                None => self.damage(HEAD, format!("slot {number} cannot be read")),
            }
        }
        if newest.is_none() {
            self.damage(HEAD, "holds no head that can be read");
        }
        Ok(newest.map(|(_, head)| head))
    }

    /// The checkpoint that readers get.
    fn checkpoint(&mut self, head: &Head, tree: &tree::Tree) -> io::Result<()> {
        self.knows(CHECKPOINT);
        let Some(bytes) = self.storage.get(CHECKPOINT)? else {
            self.note(CHECKPOINT, "none was given out yet");
            return Ok(());
        };
        let Ok(checkpoint) = SignedCheckpoint::parse(&bytes) else {
            self.damage(CHECKPOINT, "is not a signed checkpoint");
            return Ok(());
        };
        if !checkpoint.verify(self.verifier) {
            self.damage(CHECKPOINT, "is not signed by this log");
        } else if checkpoint.size() > head.size() {
            let what = format!(
                "is of {} entries, the log has {}",
                checkpoint.size(),
                head.size()
            );
            self.damage(CHECKPOINT, what);
        } else if tree.root(checkpoint.size()) != Some(checkpoint.root()) {
            self.damage(CHECKPOINT, "has another root than the entries");
        }
        let ours = (self.verifier.name().clone(), self.verifier.id());
        for signature in checkpoint.note().signatures() {
            if (signature.name().clone(), signature.key_id()) == ours {
                continue;
            }
            let witnesses = self.policy.map(Policy::witnesses).unwrap_or_default();
            let witness = witnesses
                .iter()
                .map(|witness| witness.key())
                .find(|key| key.name() == signature.name() && key.id() == signature.key_id());
            let name = signature.name().to_string();
            match witness {
                Some(key) if verified_time(&checkpoint, key).is_some() => {}
                Some(_) => self.damage(CHECKPOINT, format!("the cosignature of `{name}` does not verify")),
                None => self.note(
                    CHECKPOINT,
                    format!("the cosignature of `{name}` cannot be checked: its key is not in the log policy"),
                ),
            }
        }
        Ok(())
    }

    fn holds(&mut self) {
        self.knows(HOLDS);
        let file = StateFile::new(&self.storage.root().join(HOLDS));
        if let Err(error) = file.read() {
            self.damage(HOLDS, error.to_string());
        }
    }

    /// Files that are nobody's.
    fn foreign(&mut self) -> io::Result<()> {
        const EMPTY: [&str; 2] = ["lock", "holds.json.lock"];
        for file in self.files("")? {
            let is_index = file.starts_with("index.sqlite");
            if is_index || self.known.contains(&file) {
                continue;
            }
            if file == UNSYNCED {
                self.note(
                    &file,
                    "tiles could not be made durable; the next start-up makes them again",
                );
            } else if EMPTY.contains(&file.as_str()) {
                if self.storage.len(&file)?.is_some_and(|len| len > 0) {
                    self.damage(&file, "is not empty");
                }
            } else if file.ends_with(".tmp") {
                self.note(&file, "was never finished; it can be removed");
            } else {
                self.note(&file, "belongs to no part of the log");
            }
        }
        Ok(())
    }

    /// All files below a directory, by their names within the log's.
    fn files(&self, below: &str) -> io::Result<Vec<String>> {
        let mut files = Vec::new();
        let mut directories = vec![below.to_owned()];
        while let Some(directory) = directories.pop() {
            for name in self.storage.list(&directory)? {
                let path = if directory.is_empty() {
                    name
                } else {
                    format!("{directory}/{name}")
                };
                if self.storage.root().join(&path).is_dir() {
                    directories.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        files.sort();
        Ok(files)
    }
}
