//! What a log is made of.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use oacp::id::LogOrigin;
use oacp::key::PublicKey;
use oacp::time::Timestamp;
use oacp_tlog::key::SignerKey;

use crate::sequencer::SequencerOptions;

/// Tells the time, which decides when payloads are pruned.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a log is made of.
#[derive(Clone)]
pub struct LogOptions {
    /// Its name: a URL without a scheme.
    pub origin: LogOrigin,
    /// Signs checkpoints, and nothing else. Its name is the origin.
    pub key: Arc<SignerKey>,
    /// The nodes whose delegations are taken.
    pub nodes: Vec<PublicKey>,
    /// When a checkpoint is given out.
    pub publication: Publication,
    /// The time.
    pub clock: Clock,
}

/// When a checkpoint is given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// As soon as it is durable.
    AtOnce,
    /// When [`Log::publish`](super::Log::publish) says so: witnesses are asked first.
    WhenCosigned,
}

impl LogOptions {
    pub(super) fn for_sequencer(&self) -> SequencerOptions {
        SequencerOptions {
            origin: self.origin.clone(),
            key: Arc::clone(&self.key),
            publishes: self.publication == Publication::AtOnce,
        }
    }
}

/// The system's clock.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let ms = since.map_or(0, |since| since.as_millis());
        Timestamp::from_unix_ms(i64::try_from(ms).unwrap_or(i64::MAX))
    })
}
