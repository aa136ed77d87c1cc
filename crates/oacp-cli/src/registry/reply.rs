//! What a registry elsewhere is asked to be shown, and its answers, which may be a refusal in its own words.

use std::path::Path;
use std::time::Duration;

use oacp_gateway::{Bounds, Peer, PeerReply};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::escape::visible;
use crate::failure::{Exit, Failure, Judge};
use crate::secret;

/// Bytes of an answer: a page of a thousand entries, or a bundle without private content.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// What a registry says of how long it keeps payloads.
#[derive(Deserialize)]
pub(crate) struct Retention {
    /// Days. `None`: it does not say.
    pub(crate) retention_days: Option<u64>,
}

/// Who reads a registry elsewhere.
pub(crate) struct Reader {
    peer: Peer,
}

#[derive(Deserialize)]
struct Refusal {
    error: Said,
}

#[derive(Deserialize)]
struct Said {
    code: String,
    message: String,
    fix: Option<String>,
}

impl Reader {
    /// `token`: the file that holds the one for reading.
    pub(crate) fn new(
        url: &str,
        token: Option<&Path>,
        egress: &oacp_egress::Options,
    ) -> Result<Self, Failure> {
        let token = token.map(secret::token).transpose()?;
        let peer = Peer::new(url, token.as_ref(), egress).or_usage()?;
        Ok(Self { peer })
    }

    pub(crate) fn url(&self) -> &str {
        self.peer.url()
    }

    /// The body of what is at a path.
    ///
    /// # Errors
    ///
    /// No answer, or one that says no, in the registry's words.
    pub(crate) async fn get(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let bounds = Bounds::bytes(ANSWER_BYTES_MAX).waiting(Duration::ZERO);
        let reply = self
            .peer
            .get(path, bounds)
            .await
            .or_context(|| format!("the registry at `{}` cannot be reached", self.url()))?;
        match reply.status {
            200 => Ok(reply.body),
            _ => Err(self.refused(&reply)),
        }
    }

    /// The same, read as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let body = self.get(path).await?;
        serde_json::from_slice(&body)
            .or_context(|| format!("the answer of `{}` is not understood", self.url()))
    }

    fn refused(&self, reply: &PeerReply) -> Failure {
        let said = serde_json::from_slice::<Refusal>(&reply.body).ok();
        let (code, message, fix) = match said {
            Some(Refusal { error }) => (error.code, error.message, error.fix),
            None => (String::new(), format!("status {}", reply.status), None),
        };
        let failure = Failure::unable(format!("the registry at `{}` says: {message}", self.url()));
        match (code.as_str(), fix) {
            ("unauthorized", _) => failure.hint("give its read token with --read-token FILE"),
            ("pruned", _) => failure.refused(Exit::Unable, "pruned"),
            (_, Some(fix)) => failure.hint(visible(&fix).into_owned()),
            (_, None) => failure,
        }
    }
}

/// Percent-encoded, for a query.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            true => encoded.push(char::from(byte)),
            false => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
