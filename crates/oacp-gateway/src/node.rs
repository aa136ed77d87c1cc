//! A node: the key that delegates, the engine, and the sandboxes it spawns.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use oacp::capability::Capabilities;
use oacp::delegation::Delegation;
use oacp::digest::Digest;
use oacp::envelope::{Envelope, PAYLOAD_TYPE};
use oacp::id::{SandboxId, SandboxName};
use oacp::isolation::{Isolation, IsolationKind};
use oacp::key::{PublicKey, SecretKey};
use oacp::statement::ExecutionStatement;
use oacp::time::Timestamp;
use oacp_sandbox::{Engine, Languages};
use thiserror::Error;

use crate::chain::{Counter, CounterError};
use crate::outside::{now, random};

/// How long a sandbox's key may sign, in milliseconds: a day. A longer-lived process spawns its sandbox anew.
const DELEGATION_MS: i64 = 24 * 60 * 60 * 1000;

/// By how much a delegation begins before its signing, in milliseconds, so that a clock that is set back a little does not void it.
const DELEGATION_SLACK_MS: i64 = 60 * 1000;

/// What a node is made of.
pub struct NodeOptions {
    /// The node's long-lived key. It signs delegations and nothing else.
    pub key: SecretKey,
    /// What runs components.
    pub engine: Engine,
    /// The language runtimes at hand.
    pub languages: Languages,
    /// The ceiling: no grant exceeds it, whatever a call asks.
    pub allowed: Capabilities,
    /// Files and directories that no guest sees, whatever is granted: where keys, secrets and other runs are kept.
    pub withheld: Vec<PathBuf>,
    /// How requests leave for the network.
    pub egress: oacp_egress::Options,
    /// Directory where named sandboxes keep id and sequence. `None`: no sandbox can be named.
    pub state_dir: Option<PathBuf>,
}

/// A node.
pub struct Node {
    pub(crate) options: NodeOptions,
}

/// A sandbox: an id, a key that lives in memory only, and the order of its statements.
pub struct Sandbox {
    id: SandboxId,
    isolation: Isolation,
    key: SecretKey,
    delegation: Envelope,
    not_after: Timestamp,
    chain: Mutex<Chain>,
}

struct Chain {
    counter: Counter,
    previous: Digest,
}

/// A statement's place in its sandbox's order.
pub(crate) struct Place {
    /// When the statement is signed, by this node's clock.
    pub(crate) timestamp: Timestamp,
    pub(crate) sequence: u64,
    pub(crate) previous: Digest,
}

/// Why a sandbox cannot be spawned.
#[derive(Debug, Error)]
pub enum SpawnError {
    /// Its counter cannot be had.
    #[error(transparent)]
    Counter(#[from] CounterError),
    /// The operating system gives no randomness for its key.
    #[error("the operating system gives no randomness")]
    Randomness(#[source] io::Error),
}

/// Why a statement cannot be signed.
#[derive(Debug, Error)]
pub enum SignError {
    /// The sequence number could not be made durable.
    #[error(transparent)]
    Counter(#[from] CounterError),
    /// The sandbox's key has expired.
    #[error("the sandbox's key was delegated until {0}; spawn the sandbox anew")]
    Expired(Timestamp),
}

impl Node {
    /// Makes a node.
    pub fn new(options: NodeOptions) -> Self {
        Self { options }
    }

    /// The public half of the node's key: what a trust file names.
    pub fn public_key(&self) -> PublicKey {
        self.options.key.public()
    }

    /// What runs components here.
    pub fn engine(&self) -> &Engine {
        &self.options.engine
    }

    /// The language runtimes at hand.
    pub fn languages(&self) -> &Languages {
        &self.options.languages
    }

    /// Spawns a sandbox of type STANDARD with a fresh key, and delegates to it.
    ///
    /// With a name it keeps id and sequence over restarts; without one it has a fresh id and lives as long as this process.
    ///
    /// # Errors
    ///
    /// When another process holds the name, the state cannot be used, or there is no randomness.
    pub fn spawn(&self, name: Option<&SandboxName>) -> Result<Sandbox, SpawnError> {
        let now = now();
        let fresh_id = || Ok(SandboxId::new(now.unix_ms().unsigned_abs(), random()?));
        let (id, counter) = match (name, &self.options.state_dir) {
            (None, _) => (
                fresh_id().map_err(SpawnError::Randomness)?,
                Counter::unnamed(),
            ),
            (Some(name), Some(dir)) => Counter::named(dir, name, fresh_id)?,
            (Some(name), None) => return Err(CounterError::NoState(name.clone()).into()),
        };
        let key = SecretKey::from_bytes(&random().map_err(SpawnError::Randomness)?);
        let isolation = Isolation::new(IsolationKind::Standard);
        let not_after = Timestamp::from_unix_ms(now.unix_ms().saturating_add(DELEGATION_MS));
        let delegation = Delegation {
            sandbox_id: id,
            key: key.public(),
            isolation: isolation.clone(),
            not_before: Timestamp::from_unix_ms(now.unix_ms().saturating_sub(DELEGATION_SLACK_MS)),
            not_after,
            evidence: None,
            log: None,
            critical: Vec::new(),
            unknown: Vec::new(),
        };
        let delegation = delegation.sign(&self.options.key);
        let chain = Mutex::new(Chain {
            counter,
            previous: delegation.pae_digest(),
        });
        Ok(Sandbox {
            id,
            isolation,
            key,
            delegation,
            not_after,
            chain,
        })
    }
}

impl Sandbox {
    /// The sandbox's id.
    pub fn id(&self) -> SandboxId {
        self.id
    }

    /// The boundary around what runs here.
    pub fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    /// The delegation by which the node lets this sandbox's key sign.
    pub fn delegation(&self) -> &Envelope {
        &self.delegation
    }

    /// Signs the statement that `state` makes for the next place in the order. The place is durable before the signature exists.
    pub(crate) fn sign(
        &self,
        state: impl FnOnce(Place) -> ExecutionStatement,
    ) -> Result<Envelope, SignError> {
        let timestamp = now();
        if timestamp > self.not_after {
            return Err(SignError::Expired(self.not_after));
        }
        // A panic while the lock was held left the chain before or after a whole step.
        let mut chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Place {
            timestamp,
            sequence: chain.counter.take()?,
            previous: chain.previous,
        };
        let envelope = Envelope::sign(PAYLOAD_TYPE, state(place).to_payload(), &self.key);
        chain.previous = envelope.pae_digest();
        Ok(envelope)
    }
}
