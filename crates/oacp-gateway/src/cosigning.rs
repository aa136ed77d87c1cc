//! Cosignatures for a log's checkpoints: every witness of a policy is asked, and the checkpoint is given out with what they answered.
//!
//! A checkpoint that was cosigned by a quorum is given out at once. If the witnesses that answer are too few, it is given out without a
//! quorum once all have answered or the round is over, so that readers see the log; this shows in [`CosigningStatus`], and those who
//! need the quorum wait for it with [`Cosigning::witnessed`]. A witness that did not answer is asked again, ever less often. What is
//! appended while a round is under way is covered by the next one.
//!
//! A witness is not believed: an answer counts only as far as it verifies under a key that the policy names. It is told nothing but
//! the log's signed checkpoint and a proof, which are public.

mod asking;
mod round;

use std::sync::Arc;
use std::time::Duration;

use oacp::time::Timestamp;
use oacp_registry::{Clock, Log};
use oacp_tlog::policy::Policy;
use serde::Serialize;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::operator::OperatorLog;
use crate::peer::{Peer, PeerError};

/// How a log comes by its cosignatures.
pub struct CosigningOptions {
    /// The witnesses, their URLs, and when there are enough. It must name the log.
    pub policy: Policy,
    /// How the network is reached.
    pub egress: oacp_egress::Options,
    /// How long things take.
    pub pace: Pace,
    /// The time, for what is shown.
    pub clock: Clock,
    /// Where the operator is told that a witness, or the quorum, is lost or back.
    pub operator: OperatorLog,
}

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long a witness may take to answer; also, how long a checkpoint is held back for a quorum.
    pub answer: Duration,
    /// The least time between the beginnings of two rounds: what is appended meanwhile shares one.
    pub between_rounds: Duration,
    /// When a witness that failed is asked again. It doubles with each failure.
    pub retry_first: Duration,
    /// The longest of these times.
    pub retry_max: Duration,
    /// How often it is looked whether another process has appended something.
    pub look: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(5),
            between_rounds: Duration::from_millis(100),
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_secs(60),
            look: Duration::from_secs(1),
        }
    }
}

/// Why a log cannot have cosignatures.
#[derive(Debug, Error)]
pub enum CosigningError {
    /// No checkpoint of this log would ever meet the policy.
    #[error("the policy does not name the log `{origin}`")]
    LogNotInPolicy {
        /// The log's name.
        origin: String,
    },
    /// A quorum is asked for, and nobody can be asked.
    #[error("the policy gives no URL for any witness, so none can be asked")]
    NoUrl,
    /// A witness has an unusable URL.
    #[error(transparent)]
    Peer(#[from] PeerError),
}

/// How it stands with a log's cosignatures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CosigningStatus {
    /// Entries under the checkpoint that witnesses are asked to cosign.
    pub asked: u64,
    /// Entries under the newest checkpoint that was given out with a quorum.
    pub witnessed: u64,
    /// Whether the newest checkpoint that was given out has a quorum. `None`: none was yet.
    pub has_quorum: Option<bool>,
    /// Why the log could not give out the newest checkpoint. `None`: it could.
    pub not_given_out: Option<String>,
    /// The witnesses, in the policy's order, one for each URL.
    pub witnesses: Vec<WitnessStatus>,
}

/// How it stands with one witness.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WitnessStatus {
    /// As the policy calls it; several names where several keys have one URL.
    pub names: Vec<String>,
    /// Where it is asked.
    pub url: String,
    /// Entries that it last cosigned. `None`: it has not answered yet.
    pub size: Option<u64>,
    /// When it last answered with a cosignature.
    pub last_ok: Option<Timestamp>,
    /// Why it last did not. It stays when the witness is back: compare the times.
    pub last_error: Option<NotCosigned>,
    /// How often in a row it did not. 0: the last answer was one.
    pub failures: u32,
    /// Signatures in its answers by keys that the policy does not name for it. They are left out.
    pub foreign: u64,
    /// Signatures in its answers that do not verify. They are left out.
    pub bad: u64,
}

/// Why a witness did not cosign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotCosigned {
    /// When it did not.
    pub at: Timestamp,
    /// An error and its causes, in one line. Some of it may be the witness' own words.
    pub reason: String,
}

/// The task that gathers cosignatures. It ends when the last clone is dropped.
#[derive(Clone)]
pub struct Cosigning {
    status: watch::Receiver<CosigningStatus>,
    _task: Arc<EndsWithIt>,
}

struct EndsWithIt(JoinHandle<()>);

impl Drop for EndsWithIt {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Cosigning {
    /// Begins to gather cosignatures for a log, which gives out its checkpoints when told to
    /// ([`Publication::WhenCosigned`](oacp_registry::Publication::WhenCosigned)). Needs a tokio runtime with its network and time enabled.
    ///
    /// # Errors
    /// [`CosigningError`]: a policy that this log cannot meet.
    pub fn begin(log: Log, options: CosigningOptions) -> Result<Self, CosigningError> {
        let origin = log.origin().to_string();
        let mut listed = options.policy.logs().iter();
        if !listed.any(|log| log.key().name().as_str() == origin) {
            return Err(CosigningError::LogNotInPolicy { origin });
        }
        let witnesses =
            asking::witnesses(&options.policy, |url| Peer::new(url, None, &options.egress))?;
        if witnesses.is_empty() && options.policy.needs_witnesses() {
            return Err(CosigningError::NoUrl);
        }
        for witness in options.policy.witnesses() {
            if witness.url().is_none() {
                let name = witness.name();
                (options.operator)(&format!("witness `{name}` has no URL, and is not asked"));
            }
        }
        let (sender, status) = watch::channel(CosigningStatus::default());
        let rounds = round::Rounds::new(log, options, witnesses, sender);
        Ok(Self {
            status,
            _task: Arc::new(EndsWithIt(tokio::spawn(rounds.run()))),
        })
    }

    /// How it stands.
    pub fn status(&self) -> CosigningStatus {
        self.status.borrow().clone()
    }

    /// Waits until a checkpoint that covers this many entries was given out with a quorum. What needs one at a deadline says so, and
    /// does without waiting.
    pub async fn witnessed(&self, size: u64) {
        let mut status = self.status.clone();
        // The sender lives as long as the task, and the task as long as `self`.
        let _ = status.wait_for(|status| status.witnessed >= size).await;
    }

    /// Waits until the status is such.
    pub async fn until(&self, mut is_such: impl FnMut(&CosigningStatus) -> bool) {
        let mut status = self.status.clone();
        let _ = status.wait_for(|status| is_such(status)).await;
    }
}
