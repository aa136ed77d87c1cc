//! The way to the network of tools that come from elsewhere: the egress, as guests have it.

use std::collections::BTreeMap;

use oacp::capability::{Capabilities, Grant, HostRule};
use oacp::http::{ExchangeError, Request, Response};
use oacp_egress::{Client, ClientError, Options};
use oacp_tool::source::{Led, Web};

/// Fetches tools. A host that the user named may have a private address; one that a server led to may not.
#[derive(Debug)]
pub struct SourceWeb(Client);

impl SourceWeb {
    /// With the proxy, the roots and the time for one exchange that the options say. Opens nothing.
    ///
    /// # Errors
    /// Options that cannot be used.
    pub fn new(options: &Options) -> Result<Self, ClientError> {
        let nothing = Capabilities::default();
        let grant = Grant::attenuate(&nothing, &nothing);
        Client::new(grant, BTreeMap::new(), options).map(Self)
    }
}

impl Web for SourceWeb {
    async fn exchange(&self, request: Request, led: Led) -> Result<Response, ExchangeError> {
        let rule = HostRule::exactly(request.target());
        // Of one host there may be such a rule.
        let rule = match led {
            Led::ByUser => rule.clone().with_private(true).unwrap_or(rule),
            Led::ByServer => rule,
        };
        self.0.allow(rule);
        self.0.exchange(request).await
    }
}
