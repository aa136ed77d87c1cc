//! A node: the key that delegates, the engine, and the sandboxes it spawns.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use oacp::capability::Capabilities;
use oacp::close::Close;
use oacp::delegation::Delegation;
use oacp::digest::Digest;
use oacp::envelope::{Envelope, PAYLOAD_TYPE, Unsigned};
use oacp::id::{LogOrigin, SandboxId, SandboxName};
use oacp::isolation::{Isolation, IsolationKind};
use oacp::key::{PublicKey, SecretKey};
use oacp::time::Timestamp;
use oacp::tool::{Definition, ToolStatement};
use oacp_sandbox::{Engine, Languages};
use thiserror::Error;
use tokio::sync::OnceCell;

use crate::chain::{Counter, CounterError};
use crate::instances::Instances;
use crate::logging::{Entered, Logged, Logging};
use crate::outside::{now, random};
use crate::registry::{Answered, RegistryError};

/// How long a sandbox's key may sign, in milliseconds: a day. A longer-lived process spawns its sandbox anew.
const DELEGATION_MS: i64 = 24 * 60 * 60 * 1000;

/// By how much a delegation begins before its signing, in milliseconds, so that a clock that is set back a little does not void it.
const DELEGATION_SLACK_MS: i64 = 60 * 1000;

/// The longest that a tool's call may take, in milliseconds: its sandbox is spawned anew if its key would not last so long.
const TOOL_MS_MAX: i64 = 60 * 60 * 1000;

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
    /// Where attestations are logged. `None`: nowhere, and level FULL cannot be given.
    pub log: Option<Logging>,
    /// Directory where named sandboxes keep id and sequence. `None`: no sandbox can be named.
    pub state_dir: Option<PathBuf>,
}

/// A node. Clones are one node.
#[derive(Clone)]
pub struct Node {
    pub(crate) options: Arc<NodeOptions>,
    /// Digest of what it allows at most.
    pub(crate) ceiling: Digest,
    /// Of each tool, by its digest: a sandbox that no other shares.
    tools: Arc<Mutex<BTreeMap<Digest, Arc<Sandbox>>>>,
    /// Of tools whose instances are kept from run to run.
    pub(crate) instances: Arc<Instances>,
}

/// A sandbox: an id, a key that lives in memory only, and the order of its statements.
pub struct Sandbox {
    id: SandboxId,
    isolation: Isolation,
    key: SecretKey,
    delegation: Envelope,
    not_after: Timestamp,
    log: Option<LogOrigin>,
    /// Where the delegation is in the log, once it was appended.
    pub(crate) entered: OnceCell<Entered>,
    chain: Mutex<Chain>,
}

struct Chain {
    counter: Counter,
    previous: Digest,
    /// Of the last statement that the key signed.
    last: Option<u64>,
}

/// A statement's place in its sandbox's order.
pub(crate) struct Place {
    /// When the statement is signed, by this node's clock.
    pub(crate) timestamp: Timestamp,
    pub(crate) sequence: u64,
    pub(crate) previous: Digest,
    /// The sequence of the key's last statement.
    pub(crate) last: Option<u64>,
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
        Self {
            ceiling: options.allowed.digest(),
            options: Arc::new(options),
            tools: Arc::default(),
            instances: Arc::default(),
        }
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
        let log = self.options.log.as_ref().map(Logging::origin);
        let delegation = Delegation {
            sandbox_id: id,
            key: key.public(),
            isolation: isolation.clone(),
            not_before: Timestamp::from_unix_ms(now.unix_ms().saturating_sub(DELEGATION_SLACK_MS)),
            not_after,
            evidence: None,
            log: log.clone(),
            critical: Vec::new(),
            unknown: Vec::new(),
        };
        let delegation = delegation.sign(&self.options.key);
        let chain = Mutex::new(Chain {
            counter,
            previous: delegation.pae_digest(),
            last: None,
        });
        Ok(Sandbox {
            id,
            isolation,
            key,
            delegation,
            not_after,
            log,
            entered: OnceCell::new(),
            chain,
        })
    }
}

impl Node {
    /// The sandbox of a tool: spawned at its first call, and anew before its key expires.
    pub(crate) fn tool_sandbox(&self, tool: Digest) -> Result<Arc<Sandbox>, SpawnError> {
        // A panic while the lock was held left the map before or after a whole step.
        let mut tools = self.tools.lock().unwrap_or_else(PoisonError::into_inner);
        let lasts = now().unix_ms() + TOOL_MS_MAX;
        if let Some(sandbox) = tools.get(&tool)
            && sandbox.not_after.unix_ms() > lasts
        {
            return Ok(Arc::clone(sandbox));
        }
        let sandbox = Arc::new(self.spawn(None)?);
        tools.insert(tool, Arc::clone(&sandbox));
        Ok(sandbox)
    }

    /// States that tools were registered with these rights, and logs it, if there is a log.
    ///
    /// # Errors
    /// It is neither logged nor spooled.
    pub async fn register(
        &self,
        tools: &[Definition],
        version: Option<&str>,
        capabilities: &Capabilities,
    ) -> Result<Logged, RegistryError> {
        let Some(logging) = &self.options.log else {
            return Ok(Logged::NotLogged);
        };
        let state = |definition| {
            let (version, log) = (version.map(str::to_owned), Some(logging.origin()));
            let statement = ToolStatement::new(definition, version, capabilities, now(), log);
            statement.sign(&self.options.key)
        };
        let envelopes = tools.iter().map(state).collect();
        let place = logging.submit(envelopes, Answered::WhenSpooled).await?;
        Ok(logging.logged(place, None))
    }

    /// Closes the sandboxes of tools in the log, of those that nothing runs in. Tools may be called again after it.
    ///
    /// # Errors
    /// The first one's. The others are closed all the same.
    pub async fn close_tools(&self) -> Result<(), CloseError> {
        let tools = std::mem::take(&mut *self.tools.lock().unwrap_or_else(PoisonError::into_inner));
        let mut result = Ok(());
        for sandbox in tools.into_values().filter_map(Arc::into_inner) {
            result = result.and(sandbox.close(self).await.map(drop));
        }
        result
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

    /// The log that its statements will be in.
    pub(crate) fn log(&self) -> Option<&LogOrigin> {
        self.log.as_ref()
    }

    /// Signs the payload that `state` makes for the next place in the order. The place is durable before the signature exists.
    pub(crate) fn sign(&self, state: impl FnOnce(&Place) -> Vec<u8>) -> Result<Signed, SignError> {
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
            last: chain.last,
        };
        let unsigned = Unsigned::new(PAYLOAD_TYPE, state(&place));
        chain.previous = unsigned.pae_digest();
        chain.last = Some(place.sequence);
        // What follows names it by its digest, which the signature does not touch.
        drop(chain);
        Ok(Signed {
            envelope: unsigned.sign(&self.key),
            sequence: place.sequence,
        })
    }

    /// Signs that its key signs no more, and logs that, so that no statement can be left out unseen. Without a log nothing is signed.
    ///
    /// # Errors
    /// It cannot be signed, or is neither logged nor spooled.
    pub async fn close(self, node: &Node) -> Result<Logged, CloseError> {
        let (Some(logging), Some(log)) = (&node.options.log, &self.log) else {
            return Ok(Logged::NotLogged);
        };
        if self
            .chain
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .last
            .is_none()
        {
            // It signed nothing.
            return Ok(Logged::NotLogged);
        }
        let signed = self.sign(|place| {
            Close {
                sandbox_id: self.id,
                timestamp: place.timestamp,
                last_sequence: place.last,
                log: Some(log.clone()),
                sequence: place.sequence,
                previous: place.previous,
                critical: Vec::new(),
                unknown: Vec::new(),
            }
            .to_payload()
        })?;
        let place = logging
            .submit(vec![signed.envelope], Answered::WhenSpooled)
            .await?;
        Ok(logging.logged(place, None))
    }
}

/// What was signed.
pub(crate) struct Signed {
    pub(crate) envelope: Envelope,
    pub(crate) sequence: u64,
}

/// Why a sandbox could not be closed. Whether something was left out after its last statement is then not known.
#[derive(Debug, Error)]
pub enum CloseError {
    /// Its last statement.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The log.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}
