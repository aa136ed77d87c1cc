//! The exchange: the one function through which anything leaves for the network.
//!
//! Attack: server-side request forgery, a guest that has this machine speak to what only this machine reaches: its own services,
//! its neighbours', a cloud's metadata. So a target is judged by name before anything is asked about it, every address that it
//! turns out to have is judged too, and what was judged is dialled.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use oacp::capability::{Grant, Host, HostRule, Scheme, SecretGrant, SecretName, Target};
use oacp::http::{ExchangeError, Request, Response};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::connection::{Connection, SendError};
use crate::failure;
use crate::limits::{EXCHANGE_TIMEOUT, EXCHANGES_AT_ONCE_MAX};
use crate::outgoing::Outgoing;
use crate::pool::Pool;
use crate::proxy::Proxy;
use crate::reply::Reply;
use crate::resolver::Resolver;
use crate::secret::SecretValue;
use crate::tls::{RootsError, Tls};

/// How a client reaches the network: the operator's word, not the guest's.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long one exchange may take, from its turn to the last byte of the reply.
    pub timeout: Duration,
    /// Root certificates in PEM, trusted beside the machine's own.
    pub extra_roots: Vec<Vec<u8>>,
    /// A proxy for everything that does not go to this machine itself.
    pub proxy: Option<Proxy>,
    /// How names become addresses.
    pub resolver: Resolver,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: EXCHANGE_TIMEOUT,
            extra_roots: vec![],
            proxy: None,
            resolver: Resolver::system(),
        }
    }
}

/// Why there can be no client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClientError {
    /// A secret is granted that nobody gave a value for.
    #[error("the secret `{name}` is granted and has no value")]
    SecretMissing {
        /// Its name.
        name: SecretName,
    },
    /// The text at this place of [`Options::extra_roots`] cannot be used.
    #[error("the extra root certificates number {number} cannot be used")]
    ExtraRoots {
        /// From 1.
        number: usize,
        /// Why not.
        #[source]
        source: RootsError,
    },
}

/// The values of the secrets that are granted.
pub(crate) type Secrets = BTreeMap<SecretName, SecretValue>;

/// Speaks for one run, under its grant. Connections are kept for the run's later exchanges; dropping the client ends them.
///
/// To make one costs microseconds and opens nothing.
pub struct Client {
    /// Replaced when something is allowed during the run.
    grant: RwLock<Arc<Grant>>,
    secrets: Arc<Secrets>,
    timeout: Duration,
    proxy: Option<Proxy>,
    resolver: Resolver,
    tls: Tls,
    pool: Pool,
    turns: Semaphore,
}

impl Client {
    /// A client for one run. Values of secrets that are not granted are dropped.
    ///
    /// # Errors
    /// If a granted secret has no value, or a root certificate cannot be used.
    pub fn new(
        grant: Grant,
        mut secrets: BTreeMap<SecretName, SecretValue>,
        options: &Options,
    ) -> Result<Self, ClientError> {
        let mut granted = Secrets::new();
        for SecretGrant { name, .. } in &grant.capabilities().secrets {
            if granted.contains_key(name) {
                continue;
            }
            match secrets.remove(name) {
                Some(value) => granted.insert(name.clone(), value),
                None => return Err(ClientError::SecretMissing { name: name.clone() }),
            };
        }
        Ok(Self {
            grant: RwLock::new(Arc::new(grant)),
            secrets: Arc::new(granted),
            timeout: options.timeout,
            proxy: options.proxy.clone(),
            resolver: options.resolver.clone(),
            tls: Tls::new(&options.extra_roots)
                .map_err(|(number, source)| ClientError::ExtraRoots { number, source })?,
            pool: Pool::default(),
            turns: Semaphore::new(EXCHANGES_AT_ONCE_MAX),
        })
    }

    /// Allows a host besides, for the rest of the run: somebody was asked, and said so. The deny-list and the special ranges
    /// hold as before.
    pub fn allow(&self, rule: HostRule) {
        let mut wider = self.grant().capabilities().clone();
        wider.network.allowlist.insert(rule);
        let wider = Arc::new(Grant::attenuate(&wider, &wider));
        *self.grant.write().unwrap_or_else(PoisonError::into_inner) = wider;
    }

    fn grant(&self) -> Arc<Grant> {
        Arc::clone(&self.grant.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends a request, and reads the reply to its end. A redirect is a reply: to follow it is another exchange, judged by itself.
    ///
    /// Needs a tokio runtime with its network and time enabled. Dropping the future ends the exchange.
    ///
    /// # Errors
    /// `Denied`, as the grant has it; `Failed`, with one of the codes `resolve`, `connect`, `tls`, `protocol`, `timed_out`,
    /// `limit`. Neither holds anything of a secret.
    pub async fn exchange(&self, request: Request) -> Result<Response, ExchangeError> {
        self.grant().allows_target(request.target())?;
        let _turn = self
            .turns
            .acquire()
            .await
            .map_err(|_| failure::limit("no further exchange is possible"))?;
        timeout(self.timeout, self.judged_exchange(request))
            .await
            .unwrap_or_else(|_| {
                Err(failure::timed_out(format!(
                    "the exchange took longer than {} ms",
                    self.timeout.as_millis()
                )))
            })
    }

    async fn judged_exchange(&self, request: Request) -> Result<Response, ExchangeError> {
        let target = request.target();
        let grant = self.grant();
        let placed = grant.secrets_for(target);
        let addresses = self.judged_addresses(target).await?;
        // `localhost` is but a name.
        let is_private_to_this_machine = addresses
            .iter()
            .all(|address| address.to_canonical().is_loopback());
        if target.scheme() == Scheme::Http && !placed.is_empty() && !is_private_to_this_machine {
            return Err(failure::resolve(format!(
                "`{}` is not this machine, and secrets are sent elsewhere over HTTPS only",
                target.origin()
            )));
        }
        let values = placed.into_iter().filter_map(|grant| {
            let value = self.secrets.get(&grant.name)?;
            Some((&grant.name, &grant.place, value))
        });
        let outgoing = Outgoing::new(&request, values)?;

        let (address, connection, response) = self.send(target, &addresses, &outgoing).await?;
        let reply = Reply::receive(outgoing.method(), response).await?;
        if connection.shared().is_none() {
            self.pool.put(target.origin(), address, connection);
        }

        let target = target.clone();
        let secrets = Arc::clone(&self.secrets);
        tokio::task::spawn_blocking(move || reply.finish(&target, &secrets))
            .await
            .unwrap_or_else(|_| Err(failure::protocol("the reply was not looked through")))
    }

    /// Sends on a connection that waits, or on a new one. A request is sent again only if nothing of it was sent before: a server
    /// may have acted on a part.
    async fn send(
        &self,
        target: &Target,
        addresses: &[IpAddr],
        outgoing: &Outgoing,
    ) -> Result<(IpAddr, Connection, hyper::Response<hyper::body::Incoming>), ExchangeError> {
        if let Some((address, mut connection)) = self.pool.take(&target.origin(), addresses).await {
            match connection.send(outgoing).await {
                Ok(response) => return Ok((address, connection, response)),
                Err(SendError::Failed(e)) => return Err(e),
                Err(SendError::Unsent(_)) => {}
            }
        }
        let proxy_addresses = match &self.proxy {
            Some(proxy) => self.addresses(proxy.target().host()).await?,
            None => vec![],
        };
        let proxy = self
            .proxy
            .as_ref()
            .map(|proxy| (proxy, proxy_addresses.as_slice()));
        let (address, mut connection) =
            Connection::open(target, addresses, proxy, &self.tls).await?;
        if let Some(shared) = connection.shared() {
            self.pool.put(target.origin(), address, shared);
        }
        match connection.send(outgoing).await {
            Ok(response) => Ok((address, connection, response)),
            Err(SendError::Unsent(e) | SendError::Failed(e)) => Err(e),
        }
    }

    /// The addresses of a target, all of them granted. A name that has one address that is and one that is not is an attack, or
    /// soon one.
    async fn judged_addresses(&self, target: &Target) -> Result<Vec<IpAddr>, ExchangeError> {
        let addresses = self.addresses(target.host()).await?;
        for address in &addresses {
            self.grant().allows_address(target, *address)?;
        }
        Ok(addresses)
    }

    async fn addresses(&self, host: &Host) -> Result<Vec<IpAddr>, ExchangeError> {
        let name = match host {
            Host::Name(name) => name,
            host => return Ok(host.address().into_iter().collect()),
        };
        let addresses = self
            .resolver
            .resolve(name)
            .await
            .map_err(|e| failure::resolve(format!("`{name}`: {e}")))?;
        if addresses.is_empty() {
            return Err(failure::resolve(format!("`{name}` has no address")));
        }
        Ok(addresses)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets: Vec<_> = self.secrets.keys().collect();
        f.debug_struct("Client")
            .field("grant", &self.grant())
            .field("secrets", &secrets)
            .field("timeout", &self.timeout)
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}
