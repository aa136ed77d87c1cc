//! The log that a node's attestations go to: in a directory here, or behind a URL.
//!
//! The attack is an acknowledgement that is none: by another log than was meant, or of an entry that no proof shows. So a log's name is
//! compared before anything is sent to it, and a proof is handed on only if it is of this log and of this leaf.

mod remote;

use std::time::Duration;

use oacp::envelope::Envelope;
use oacp::id::LogOrigin;
use oacp::leaf::Leaf;
use oacp_registry::{AppendError, Appended, Log, ReadError};
use oacp_tlog::proof::TlogProof;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

pub use self::remote::RemoteRegistry;
use crate::peer::PeerError;
use crate::serve::APPEND_ENTRIES_MAX;
use crate::spool::{Pending, Spool, SpoolError};

/// How often it is looked whether another process has published what is waited for.
const LOOK: Duration = Duration::from_millis(200);

/// A log, wherever it is.
pub enum Registry {
    /// In a directory of this machine.
    Local(Log),
    /// Behind a URL.
    Remote(RemoteRegistry),
}

/// When an attestation is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// When it is durable here, in the spool, if the log cannot be reached: `BASIC` and `EXECUTION`.
    WhenSpooled,
    /// When it is in the log, or never: `FULL` and `HARDWARE`.
    WhenLogged,
}

/// What became of attestations.
#[derive(Debug)]
pub enum Submitted {
    /// The log has acknowledged all of them; each has its place.
    Logged(Vec<Appended>),
    /// They are in the spool, and will be sent at the next opportunity. To be shown: nobody else knows of them yet.
    Spooled {
        /// What waits there now, these included.
        pending: Pending,
        /// Why they are not in the log.
        because: Box<RegistryError>,
    },
}

/// Why an attestation is not in the log, or there is no proof of it.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The log here does not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The log here cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A thread of this process died while it asked the log.
    #[error("the log was not asked to the end")]
    Interrupted,
    /// The log does not answer, or says that it cannot at present.
    #[error("the log `{origin}` cannot be reached")]
    Unreachable {
        /// Its name.
        origin: LogOrigin,
        /// Why not. `None`: it answered that it is not able to.
        #[source]
        source: Option<PeerError>,
    },
    /// The log cannot be asked so.
    #[error(transparent)]
    Peer(PeerError),
    /// Another log is behind the URL.
    #[error("`{url}` is the log `{found}`, expected `{expected}`")]
    OtherLog {
        /// Where it was asked.
        url: String,
        /// As it calls itself, in printable characters, or a part of that.
        found: String,
        /// As it should.
        expected: LogOrigin,
    },
    /// The log does not take what this token sends, or needs one.
    #[error("the log `{origin}` takes no entries from here: {message}")]
    Unauthorized {
        /// Its name.
        origin: LogOrigin,
        /// Its words.
        message: String,
    },
    /// The log refuses an entry.
    #[error("the log refuses an entry: {0}")]
    Refused(RefusedEntry),
    /// The log's answer has no meaning here.
    #[error(
        "the log `{origin}` answered with status {status}, and nothing that is understood here: {message}"
    )]
    Answer {
        /// Its name.
        origin: LogOrigin,
        /// Of the answer.
        status: u16,
        /// Its words, or what is wrong with them.
        message: String,
    },
    /// The log has no such entry.
    #[error("the log has no such entry")]
    NoSuchEntry,
    /// The log has it, and no checkpoint was published that covers it.
    #[error("no checkpoint that covers the entry was published within {} s", .waited.as_secs())]
    NotPublished {
        /// How long it was waited for.
        waited: Duration,
    },
    /// The checkpoints that were published have not the cosignatures that the policy asks for.
    #[error("no checkpoint that covers the entry satisfied the log policy within {} s: {reason}", .waited.as_secs())]
    Quorum {
        /// How long it was waited for.
        waited: Duration,
        /// What the last one lacked.
        reason: String,
    },
    /// A proof of something else.
    #[error("the proof that the log gave is not of this entry")]
    OtherProof,
    /// The spool.
    #[error("the attestation is neither in the log nor in the spool")]
    Spool(#[from] SpoolError),
}

/// An entry that a log refuses, in its words.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{message} ({code})")]
pub struct RefusedEntry {
    /// A stable word for programs, as `oacp::entry::EntryError::code`.
    pub code: String,
    /// One line for people: printable, at most 512 characters.
    pub message: String,
}

impl RefusedEntry {
    /// Whether the same envelope would be refused again. Not so `unknown_key`: the log's operator may take the node in, or the key's
    /// delegation may arrive.
    pub fn is_for_good(&self) -> bool {
        !matches!(self.code.as_str(), "unknown_key" | "too_many" | "stopped")
    }
}

impl RegistryError {
    /// Whether the log could not be asked. The same may succeed later, and nobody has refused anything.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

impl Registry {
    /// The log's name.
    pub fn origin(&self) -> LogOrigin {
        match self {
            Self::Local(log) => log.origin().clone(),
            Self::Remote(remote) => remote.origin().clone(),
        }
    }

    /// Appends envelopes in this order, and answers when all of them are durable in the log. Those that are there already have their place.
    ///
    /// # Errors
    /// The first failure. Those before and after it may have been appended; to append all again does no harm.
    pub async fn append(&self, envelopes: Vec<Envelope>) -> Result<Vec<Appended>, RegistryError> {
        match self {
            Self::Local(log) => append_here(log, envelopes).await,
            Self::Remote(remote) => remote
                .append(&envelopes)
                .await?
                .into_iter()
                .map(|result| result.map_err(RegistryError::Refused))
                .collect(),
        }
    }

    /// Appends envelopes, behind those that wait in the spool; what cannot be appended now waits there too, if that suffices.
    ///
    /// # Errors
    /// `WhenLogged`: they are not in the log. `WhenSpooled`: they are not in the spool either, or the log refuses one of them.
    pub async fn submit(
        &self,
        envelopes: Vec<Envelope>,
        spool: &Spool,
        answered: Answered,
    ) -> Result<Submitted, RegistryError> {
        let Self::Remote(remote) = self else {
            return self.append(envelopes).await.map(Submitted::Logged);
        };
        // What waits goes first: the delegation of these may be among it.
        let sent = match spool.is_empty()? {
            true => self.append(envelopes.clone()).await,
            false => match spool.send_all(remote).await {
                Ok(_) => self.append(envelopes.clone()).await,
                Err(error) => Err(error),
            },
        };
        let because = match (sent, answered) {
            (Ok(appended), _) => return Ok(Submitted::Logged(appended)),
            (Err(error @ RegistryError::Refused(_)), _) | (Err(error), Answered::WhenLogged) => {
                return Err(error);
            }
            (Err(error), Answered::WhenSpooled) => error,
        };
        let spool = spool.clone();
        let spooled = tokio::task::spawn_blocking(move || {
            for envelope in &envelopes {
                spool.put(envelope)?;
            }
            spool.pending()
        });
        let pending = spooled.await.map_err(|_| RegistryError::Interrupted)??;
        Ok(Submitted::Spooled {
            pending,
            because: Box::new(because),
        })
    }

    /// The proof that a leaf is in this log, under a published checkpoint that may take so long to come. `index`: its place, if known.
    ///
    /// The proof is of this log, by its name, and of this leaf. Whose signatures the checkpoint has is for a policy to say
    /// (`oacp_tlog::policy`).
    ///
    /// # Errors
    /// There is none, or none yet.
    pub async fn proof(
        &self,
        leaf: &Leaf,
        index: Option<u64>,
        wait: Duration,
    ) -> Result<TlogProof, RegistryError> {
        match self {
            Self::Local(log) => local_proof(log, *leaf, index, wait).await,
            Self::Remote(remote) => remote.proof(leaf, index, wait).await,
        }
    }
}

async fn append_here(log: &Log, envelopes: Vec<Envelope>) -> Result<Vec<Appended>, RegistryError> {
    let mut appended = Vec::with_capacity(envelopes.len());
    let mut waiting = envelopes.into_iter().peekable();
    while waiting.peek().is_some() {
        let batch: Vec<_> = waiting.by_ref().take(APPEND_ENTRIES_MAX).collect();
        let judge = log.clone();
        let admitted = ask(move || judge.admit_all(batch)).await?;
        let entries: Result<Vec<_>, _> = admitted.into_iter().collect();
        let entries = entries.map_err(AppendError::from)?;
        for result in log.append_entries(entries).await? {
            appended.push(result?);
        }
    }
    Ok(appended)
}

async fn local_proof(
    log: &Log,
    leaf: Leaf,
    index: Option<u64>,
    wait: Duration,
) -> Result<TlogProof, RegistryError> {
    let index = match index {
        Some(index) => index,
        None => {
            let log = log.clone();
            ask(move || log.index_of_digest(leaf.pae))
                .await??
                .ok_or(RegistryError::NoSuchEntry)?
        }
    };
    let until = Instant::now() + wait;
    loop {
        let given = log.clone();
        let given = ask(move || given.checkpoint()).await?;
        if given.is_some_and(|checkpoint| index < checkpoint.size()) {
            break;
        }
        if Instant::now() >= until {
            return Err(RegistryError::NotPublished { waited: wait });
        }
        // What another process publishes is seen by asking.
        let look = until.min(Instant::now() + LOOK);
        let _ = timeout_at(look, log.published(index.saturating_add(1))).await;
    }
    let reader = log.clone();
    let proof = ask(move || reader.proof(index)).await??;
    check(&proof, &leaf, log.origin(), "the directory")?;
    Ok(proof)
}

async fn ask<T: Send + 'static>(
    ask: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RegistryError> {
    tokio::task::spawn_blocking(ask)
        .await
        .map_err(|_| RegistryError::Interrupted)
}

/// Whether a proof is of this leaf and of this log.
fn check(
    proof: &TlogProof,
    leaf: &Leaf,
    origin: &LogOrigin,
    url: &str,
) -> Result<(), RegistryError> {
    let found = proof.checkpoint().origin();
    if found != origin.as_str() {
        return Err(RegistryError::OtherLog {
            url: url.to_owned(),
            found: printable(found),
            expected: origin.clone(),
        });
    }
    proof
        .verify(&leaf.hash())
        .map_err(|_| RegistryError::OtherProof)
}

/// Another's words, as they may be shown: on one line, and not too many.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(512)
        .collect()
}
