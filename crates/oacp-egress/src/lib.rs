//! The one way out to the network: an HTTP exchange under a grant, with the secrets that the grant places.
//!
//! In scope: resolving, judging and dialling; TLS; one exchange in HTTP/1.1 or HTTP/2; proxies; secrets on their way out, and
//! their absence on the way in; every limit of these. Out of scope: what is granted (`oacp::capability`), how a request and a
//! response are written down (`oacp::http`), recording them (`oacp-sandbox`), and asking anybody for anything (the edges). No
//! redirects, no cookies, no cache, no retries of what may have been sent, no header of its own but `host`, framing and
//! `accept-encoding`.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use oacp::capability::{Capabilities, Grant};
//! use oacp::http::{ExchangeError, Request};
//! use oacp_egress::{Client, Options};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut wanted = Capabilities::default();
//! wanted.network.allowlist.insert("api.example.com".parse()?);
//! let grant = Grant::attenuate(&wanted, &wanted);
//!
//! let client = Client::new(grant, BTreeMap::new(), &Options::default())?;
//! // Nobody granted this: it is denied before anything is asked about the name.
//! let request = Request::new("GET", "https://elsewhere.example.com/", &[], vec![])?;
//! match client.exchange(request).await {
//!     Err(ExchangeError::Denied(denial)) => assert_eq!(denial.code, "network_not_granted"),
//!     other => panic!("{other:?}"),
//! }
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(example())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod connection;
mod decoding;
mod failure;
pub mod limits;
mod outgoing;
mod pool;
mod proxy;
mod reflection;
mod reply;
mod resolver;
mod secret;
mod tls;

pub use client::{Client, ClientError, Options};
pub use proxy::{Proxy, ProxyError};
pub use resolver::Resolver;
pub use secret::{SecretValue, SecretValueError};
pub use tls::RootsError;
