//! A log in a directory of this machine: `DIR` holds it, `DIR.key` signs its checkpoints, `DIR.policy` says whose cosignatures they need,
//! and by its key what the log is called.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use oacp::id::LogOrigin;
use oacp::key::{PublicKey, SecretKey};
use oacp::time::Timestamp;
use oacp_registry::{Log, LogOptions, OpenError, PrunedSegment, Pruning, system_clock};
use oacp_tlog::checkpoint::SignedCheckpoint;
use oacp_tlog::key::{KeyName, SignerKey, VerifierKey};
use oacp_tlog::limits::{NOTE_BYTES_MAX, POLICY_BYTES_MAX};
use oacp_tlog::policy::{Policy, PolicyLog};

use super::{known, publication};
use crate::console::Console;
use crate::failure::{Failure, Judge};
use crate::file::{self, Existing, Readers, create_private_dir};
use crate::home::{Home, shown};
use crate::key_file::{Algorithm, KeyFile, Seed};

/// How often a run looks whether payloads are to be pruned. A segment is of a day, so nothing goes sooner.
const PRUNED_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A log's directory, and the files beside it.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    dir: PathBuf,
}

impl Directory {
    pub(crate) fn new(dir: PathBuf) -> Self {
        // A slash at the end would put the files beside it into it.
        let dir = dir.components().collect();
        Self { dir }
    }

    /// The log itself.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn policy_file(&self) -> PathBuf {
        self.beside("policy")
    }

    /// All of it.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        vec![
            self.dir.clone(),
            self.beside("key"),
            self.policy_file(),
            self.beside("pruned"),
        ]
    }

    fn beside(&self, extension: &str) -> PathBuf {
        let mut name = self.dir.clone().into_os_string();
        name.push(".");
        name.push(extension);
        name.into()
    }

    fn key_file(&self) -> KeyFile {
        KeyFile::new(
            self.beside("key"),
            "the log's key",
            Algorithm::Ed25519,
            "a log with another key is another log: move this one away, and the next run begins one",
        )
    }

    /// Whether anything was ever logged here.
    pub(crate) fn exists(&self) -> bool {
        self.dir.join("head").exists()
    }

    /// Opens the log; makes it if there is none.
    pub(crate) fn open_or_make(
        &self,
        nodes: Vec<PublicKey>,
        home: &Home,
        console: &Console,
    ) -> Result<(Log, Policy), Failure> {
        let (signer, policy, is_new) = self.made(None)?;
        let opened = self.opened(signer, policy, nodes)?;
        if is_new {
            known::made(self, home)?;
            console.note(&format!(
                "made the log {} in {}",
                opened.0.origin(),
                shown(&self.dir)
            ));
        }
        Ok(opened)
    }

    /// Opens the log, to be read.
    ///
    /// # Errors
    ///
    /// There is none, or it is damaged.
    pub(crate) fn open(&self) -> Result<(Log, Policy), Failure> {
        self.open_for(Vec::new())
    }

    /// Opens the log, to be written by these nodes.
    pub(crate) fn open_for(&self, nodes: Vec<PublicKey>) -> Result<(Log, Policy), Failure> {
        if !self.exists() {
            return Err(self.absent());
        }
        let (signer, policy, _) = self.made(None)?;
        self.opened(signer, policy, nodes)
    }

    fn absent(&self) -> Failure {
        if self.policy_file().exists() {
            return Failure::unable(format!("nothing is logged yet in {}", shown(&self.dir)))
                .hint("the first `oacp run` is logged there");
        }
        Failure::unable(format!("there is no log in {}", shown(&self.dir)))
            .hint("the first `oacp run` makes one, and so does `oacp log init`")
    }

    fn opened(
        &self,
        signer: SignerKey,
        policy: Policy,
        nodes: Vec<PublicKey>,
    ) -> Result<(Log, Policy), Failure> {
        let origin: LogOrigin = signer.name().as_str().parse()?;
        let options = LogOptions {
            origin,
            key: Arc::new(signer),
            nodes,
            publication: publication(&policy),
            clock: system_clock(),
        };
        // What names lie in it is for its owner alone, as the files are.
        create_private_dir(&self.dir)?;
        let log = Log::open(&self.dir, options).map_err(|error| self.unopened(error))?;
        Ok((log, policy))
    }

    fn unopened(&self, error: OpenError) -> Failure {
        let place = shown(&self.dir);
        Err::<(), _>(error)
            .or_context(|| format!("cannot open the log in {place}"))
            .or_hint(|| {
                "`oacp log fsck` says which files are damaged, and what they held".to_owned()
            })
            .err()
            .unwrap_or_else(|| self.absent())
    }

    /// Makes key and policy of a log that has no entry yet. `true`: they were made now, or changed.
    pub(crate) fn init(
        &self,
        origin: Option<&LogOrigin>,
        home: &Home,
    ) -> Result<(VerifierKey, bool), Failure> {
        let (mut signer, mut policy, mut is_new) = self.made(origin)?;
        if let Some(origin) = origin
            && signer.name().as_str() != origin.as_str()
        {
            if self.exists() {
                let name = signer.name();
                return Err(Failure::usage(format!(
                    "there is a log in {} already, and its name is `{name}`",
                    shown(&self.dir)
                ))
                .hint("a log keeps its name; name another directory with --registry"));
            }
            signer = named(origin, &self.seed()?)?;
            policy = first_policy(&signer)?;
            self.write_policy(&policy)?;
            is_new = true;
        }
        drop(policy);
        if is_new {
            known::made(self, home)?;
        }
        Ok((signer.verifier(), is_new))
    }

    /// The key under the log's name, and the policy; each made if there is none.
    fn made(&self, origin: Option<&LogOrigin>) -> Result<(SignerKey, Policy, bool), Failure> {
        let present = self.policy()?;
        if present.is_none() && !self.exists() && self.is_occupied() {
            return Err(Failure::usage(format!(
                "{} is not empty, and is no log",
                shown(&self.dir)
            ))
            .hint("name a directory that is not there yet, or an empty one"));
        }
        let seed = self.seed()?;
        if let Some(policy) = present {
            let signer = self.of_policy(&policy, &seed)?;
            return Ok((signer, policy, false));
        }
        if self.exists() {
            return Err(self.without_policy(&seed));
        }
        let signer = match (self.shown_origin(), origin) {
            (Some(origin), _) => named(&origin, &seed)?,
            (None, Some(origin)) => named(origin, &seed)?,
            (None, None) => named(&default_origin(&seed)?, &seed)?,
        };
        let policy = first_policy(&signer)?;
        let written = file::write_whole(
            &self.policy_file(),
            policy.text(),
            Existing::Keep,
            Readers::Owner,
        );
        match written {
            // Another process was first, with the same key.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => match self.policy()? {
                Some(policy) => Ok((self.of_policy(&policy, &seed)?, policy, false)),
                None => Err(e.into()),
            },
            written => {
                written
                    .or_context(|| format!("cannot write `{}`", self.policy_file().display()))?;
                Ok((signer, policy, true))
            }
        }
    }

    /// Whether something is in the directory.
    fn is_occupied(&self) -> bool {
        fs::read_dir(&self.dir).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// Which witnesses the log had is in the policy alone: one that is made anew would do without them, and nobody would notice.
    fn without_policy(&self, seed: &Seed) -> Failure {
        let vkey = self
            .shown_origin()
            .and_then(|origin| named(&origin, seed).ok())
            .map_or_else(|| "VKEY".to_owned(), |signer| signer.verifier().to_string());
        let file = shown(&self.policy_file());
        Failure::unable(format!(
            "the log in {} has lost its policy {file}",
            shown(&self.dir)
        ))
        .hint(format!(
            "restore it from a backup, or from whoever trusts the log; or write it again: a line `log {vkey}`, a line `witness NAME VKEY URL` for each witness that it had, and a line `quorum NAME`, or `quorum none` if it had none"
        ))
    }

    /// What signs the log's checkpoints.
    pub(crate) fn signer(&self) -> Result<SignerKey, Failure> {
        Ok(self.made(None)?.0)
    }

    /// What verifies the checkpoints of a log that is there, whatever may be wrong with it: by this policy, or what lies beside it. Makes
    /// nothing.
    ///
    /// # Errors
    ///
    /// There is no directory, or neither a key nor a policy.
    pub(crate) fn verifier(
        &self,
        policy: Option<&Path>,
    ) -> Result<(VerifierKey, Option<Policy>), Failure> {
        if !self.dir.is_dir() {
            return Err(self.absent());
        }
        if let Some(file) = policy {
            let policy = read_policy(file)?;
            return Ok((self.listed(&policy, file)?, Some(policy)));
        }
        let verifier = match (self.key_file().load()?, self.policy()?) {
            (Some(seed), Some(policy)) => {
                let signer = self.of_policy(&policy, &seed)?;
                return Ok((signer.verifier(), Some(policy)));
            }
            (None, Some(policy)) => {
                let verifier = self.listed(&policy, &self.policy_file())?;
                return Ok((verifier, Some(policy)));
            }
            (Some(seed), None) => {
                let origin = self.shown_origin();
                let origin = origin.map_or_else(|| default_origin(&seed), Ok)?;
                named(&origin, &seed)?.verifier()
            }
            (None, None) => {
                return Err(Failure::unable(format!(
                    "whose log is in {} is not known: neither a key nor a policy lies beside it",
                    shown(&self.dir)
                ))
                .hint("give its policy with --log-policy FILE: what `oacp log policy` prints on its machine"));
            }
        };
        Ok((verifier, None))
    }

    /// The log's key by a policy: that of its one log, or of the one whose name the checkpoint has.
    fn listed(&self, policy: &Policy, file: &Path) -> Result<VerifierKey, Failure> {
        let origin = self.shown_origin();
        let is_named = |log: &&PolicyLog| {
            let name = log.key().name().as_str();
            origin
                .as_ref()
                .is_some_and(|origin| origin.as_str() == name)
        };
        let log = match policy.logs() {
            [log] => Some(log),
            logs => logs.iter().find(is_named),
        };
        log.map(|log| log.key().clone()).ok_or_else(|| {
            Failure::usage(format!(
                "{} lists {} logs, and none by the name that the checkpoint in {} has",
                shown(file),
                policy.logs().len(),
                shown(&self.dir)
            ))
            .hint("give a policy that lists this one with --log-policy FILE")
        })
    }

    fn seed(&self) -> Result<Seed, Failure> {
        let file = self.key_file();
        if let Some(seed) = file.load()? {
            return Ok(seed);
        }
        // Another key under the same name would look like a log that was forged.
        if self.exists() {
            return Err(Failure::unable(format!(
                "the log in {} has lost its key {}",
                shown(&self.dir),
                shown(file.path())
            ))
            .hint("restore it from a backup; what is logged can still be verified by whoever has its policy"));
        }
        Ok(file.load_or_make()?.0)
    }

    /// The policy, if there is one.
    ///
    /// # Errors
    ///
    /// A file that is no policy, with its line.
    pub(crate) fn policy(&self) -> Result<Option<Policy>, Failure> {
        match fs::metadata(self.policy_file()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => read_policy(&self.policy_file()).map(Some),
        }
    }

    /// The policy. `None`: there is no log either.
    ///
    /// # Errors
    ///
    /// As [`Self::policy`]; a log that is there and has lost it.
    pub(crate) fn policy_of_log(&self) -> Result<Option<Policy>, Failure> {
        match self.policy()? {
            None if self.exists() => Err(self.without_policy(&self.seed()?)),
            policy => Ok(policy),
        }
    }

    pub(crate) fn write_policy(&self, policy: &Policy) -> Result<(), Failure> {
        let file = self.policy_file();
        file::write_whole(&file, policy.text(), Existing::Replace, Readers::Owner)
            .or_context(|| format!("cannot write `{}`", file.display()))
    }

    /// The log's key is the one that the policy lists, and its name there is the log's.
    fn of_policy(&self, policy: &Policy, seed: &Seed) -> Result<SignerKey, Failure> {
        let public = SecretKey::from_bytes(seed).public();
        let mut logs = policy.logs().iter();
        let log = logs.find(|log| log.key().public_bytes() == public.as_bytes());
        let log = log.ok_or_else(|| {
            Failure::unable(format!(
                "{} does not list the key of the log beside it",
                shown(&self.policy_file())
            ))
            .hint("restore it from a backup")
        })?;
        Ok(SignerKey::ed25519(log.key().name().clone(), seed))
    }

    /// The log's name by the checkpoint that it gave out last.
    fn shown_origin(&self) -> Option<LogOrigin> {
        let bytes = file::read(&self.dir.join("checkpoint"), NOTE_BYTES_MAX).ok()?;
        let checkpoint = SignedCheckpoint::parse(&bytes).ok()?;
        checkpoint.origin().parse().ok()
    }

    /// Prunes payloads that are older than so many days, if nobody has lately.
    pub(crate) fn prune_if_due(&self, log: &Log, days: u64) -> Result<Vec<PrunedSegment>, Failure> {
        let stamp = self.beside("pruned");
        let age = fs::metadata(&stamp)
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|modified| SystemTime::now().duration_since(modified).ok());
        if age.is_some_and(|age| age < PRUNED_EVERY) {
            return Ok(Vec::new());
        }
        let gone = prune(log, days, Pruning::Done)?;
        file::write_whole(&stamp, b"", Existing::Replace, Readers::Owner)?;
        Ok(gone)
    }
}

/// Prunes payloads that are older than so many days.
pub(crate) fn prune(log: &Log, days: u64, how: Pruning) -> Result<Vec<PrunedSegment>, Failure> {
    let age_ms = i64::try_from(days)
        .unwrap_or(i64::MAX)
        .saturating_mul(DAY_MS);
    let now = crate::bundle_file::now().unix_ms();
    Ok(log.prune(Timestamp::from_unix_ms(now.saturating_sub(age_ms)), how)?)
}

/// Reads a policy.
///
/// # Errors
///
/// Usage: not a policy, with its line.
pub(crate) fn read_policy(path: &Path) -> Result<Policy, Failure> {
    let bytes = file::read(path, POLICY_BYTES_MAX).or_usage()?;
    Policy::parse(&bytes).map_err(|error| {
        let path = path.display();
        Failure::usage(format!("`{path}` is not a log policy: {error}"))
    })
}

fn named(origin: &LogOrigin, seed: &Seed) -> Result<SignerKey, Failure> {
    let name: KeyName = origin
        .as_str()
        .parse()
        .or_context(|| format!("`{origin}` cannot be a log's name"))
        .or_usage()?;
    Ok(SignerKey::ed25519(name, seed))
}

/// The name of a log that was given none.
fn default_origin(seed: &Seed) -> Result<LogOrigin, Failure> {
    let id = SecretKey::from_bytes(seed).public().id().to_string();
    Ok(format!("oacp.local/{}", id.get(..16).unwrap_or(&id)).parse()?)
}

/// Trust in one log, and in no witness.
fn first_policy(signer: &SignerKey) -> Result<Policy, Failure> {
    let text = format!("log {}\nquorum none\n", signer.verifier());
    Ok(Policy::parse(text.as_bytes())?)
}
