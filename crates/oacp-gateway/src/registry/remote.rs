//! A log behind a URL, as `serve` has it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use oacp::envelope::Envelope;
use oacp::id::LogOrigin;
use oacp::leaf::Leaf;
use oacp_egress::Options;
use oacp_registry::Appended;
use oacp_tlog::proof::TlogProof;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::{RefusedEntry, RegistryError, check, printable};
use crate::peer::{Bounds, Peer, PeerError, PeerReply};
use crate::serve::{APPEND_BYTES_MAX, APPEND_ENTRIES_MAX, WAIT_S_MAX};
use crate::token::Token;

/// How long a log that cannot be reached is asked again, unless [`RemoteRegistry::with_patience`] says otherwise.
const PATIENCE: Duration = Duration::from_secs(5);

/// The first pause before asking again, which doubles each time.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Bytes of an answer that is a line for each of 1,000 entries.
const LINES_BYTES_MAX: usize = 1 << 20;

/// Bytes of any other answer.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// A log behind a URL. It is asked again while it cannot be reached, for as long as the patience lasts: all that is asked may be asked
/// twice.
pub struct RemoteRegistry {
    peer: Box<Peer>,
    origin: LogOrigin,
    patience: Duration,
    /// Whether the log has called itself by the right name.
    is_known: AtomicBool,
}

/// What is asked.
#[derive(Clone, Copy)]
enum Ask<'a> {
    Get,
    Lines(&'a [u8]),
}

impl RemoteRegistry {
    /// The log of this name at a URL. `token`: the one for writing; without it there are proofs only. Opens nothing.
    ///
    /// # Errors
    /// As [`Peer::new`].
    pub fn new(
        url: &str,
        token: Option<&Token>,
        origin: LogOrigin,
        options: &Options,
    ) -> Result<Self, PeerError> {
        Ok(Self {
            peer: Box::new(Peer::new(url, token, options)?),
            origin,
            patience: PATIENCE,
            is_known: AtomicBool::new(false),
        })
    }

    /// With another patience. Zero: what fails is not tried again.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The log's name.
    pub fn origin(&self) -> &LogOrigin {
        &self.origin
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        self.peer.url()
    }

    /// Appends envelopes in this order, in as many requests as they need, and answers for each of them.
    ///
    /// # Errors
    /// The log was not asked, or has not answered, for all of them; some may have been appended. To append all again does no harm.
    pub async fn append(
        &self,
        envelopes: &[Envelope],
    ) -> Result<Vec<Result<Appended, RefusedEntry>>, RegistryError> {
        self.check_name().await?;
        let mut results = Vec::with_capacity(envelopes.len());
        let mut body = vec![];
        let mut count = 0;
        for envelope in envelopes {
            let line = envelope.to_json();
            let is_full =
                count == APPEND_ENTRIES_MAX || body.len() + line.len() >= APPEND_BYTES_MAX;
            if is_full && count > 0 {
                self.append_lines(&body, count, &mut results).await?;
                body.clear();
                count = 0;
            }
            body.extend_from_slice(&line);
            body.push(b'\n');
            count += 1;
        }
        if count > 0 {
            self.append_lines(&body, count, &mut results).await?;
        }
        Ok(results)
    }

    async fn append_lines(
        &self,
        body: &[u8],
        count: usize,
        results: &mut Vec<Result<Appended, RefusedEntry>>,
    ) -> Result<(), RegistryError> {
        let path = format!("append?log={}", encoded(self.origin.as_str()));
        let reply = self
            .ask(&path, Ask::Lines(body), Bounds::bytes(LINES_BYTES_MAX))
            .await?;
        if !matches!(reply.status, 200 | 422) {
            return Err(self.unanswered(&reply));
        }
        let malformed = || RegistryError::Answer {
            origin: self.origin.clone(),
            status: reply.status,
            message: "it is not a line for each entry".to_owned(),
        };
        let text = reply.body.strip_suffix(b"\n").unwrap_or(&reply.body);
        let lines: Vec<_> = text
            .split(|byte| *byte == b'\n')
            .take(count + 1)
            .map(result_of)
            .collect::<Option<_>>()
            .ok_or_else(malformed)?;
        match lines.len() == count {
            true => results.extend(lines),
            false => return Err(malformed()),
        }
        Ok(())
    }

    /// See [`Registry::proof`](super::Registry::proof).
    ///
    /// # Errors
    /// As there.
    pub async fn proof(
        &self,
        leaf: &Leaf,
        index: Option<u64>,
        wait: Duration,
    ) -> Result<TlogProof, RegistryError> {
        let of = match index {
            Some(index) => index.to_string(),
            None => leaf.pae.to_string(),
        };
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let seconds = left.as_millis().div_ceil(1000).min(WAIT_S_MAX.into());
            let path = format!("proof/{of}?wait={seconds}");
            let bounds = Bounds::bytes(ANSWER_BYTES_MAX).waiting(Duration::from_secs(WAIT_S_MAX));
            let reply = self.ask(&path, Ask::Get, bounds).await?;
            if reply.status == 200 {
                let proof =
                    TlogProof::parse(&reply.body).map_err(|error| RegistryError::Answer {
                        origin: self.origin.clone(),
                        status: reply.status,
                        message: error.to_string(),
                    })?;
                check(&proof, leaf, &self.origin, self.url())?;
                return Ok(proof);
            }
            let error = error_of(&reply);
            match error.as_ref().map(|error| error.code.as_str()) {
                Some("not_published") if Instant::now() < until => {}
                Some("not_published") => return Err(RegistryError::NotPublished { waited: wait }),
                Some("not_found") => return Err(RegistryError::NoSuchEntry),
                _ => return Err(self.unanswered(&reply)),
            }
        }
    }

    /// Compares the log's name before it is sent anything: what is in an envelope is not for another log's operator.
    async fn check_name(&self) -> Result<(), RegistryError> {
        #[derive(Deserialize)]
        struct Status {
            origin: String,
        }
        if self.is_known.load(Ordering::Relaxed) {
            return Ok(());
        }
        let reply = self
            .ask("status", Ask::Get, Bounds::bytes(ANSWER_BYTES_MAX))
            .await?;
        let status: Option<Status> = serde_json::from_slice(&reply.body)
            .ok()
            .filter(|_| reply.status == 200);
        match status {
            Some(status) if status.origin == self.origin.as_str() => {
                self.is_known.store(true, Ordering::Relaxed);
                Ok(())
            }
            Some(status) => Err(self.other_log(&status.origin)),
            None => Err(self.unanswered(&reply)),
        }
    }

    /// Asks until there is an answer, or patience is at its end.
    async fn ask(
        &self,
        path: &str,
        ask: Ask<'_>,
        bounds: Bounds,
    ) -> Result<PeerReply, RegistryError> {
        let until = Instant::now() + self.patience;
        let mut pause = PAUSE_MIN;
        loop {
            let reply = match ask {
                Ask::Get => self.peer.get(path, bounds).await,
                Ask::Lines(lines) => {
                    let lines = lines.to_vec();
                    self.peer
                        .post(path, "application/jsonl", lines, bounds)
                        .await
                }
            };
            let next = match &reply {
                Ok(reply) if is_for_a_while(reply) => reply.retry_after.unwrap_or(pause).max(pause),
                Err(error) if error.is_transient() => pause,
                _ => return reply.map_err(|error| self.failed(error)),
            };
            if Instant::now() + next > until {
                return reply.map_err(|error| self.failed(error));
            }
            sleep(next).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn failed(&self, error: PeerError) -> RegistryError {
        match error.is_unreachable() {
            true => RegistryError::Unreachable {
                origin: self.origin.clone(),
                source: Some(error),
            },
            false => RegistryError::Peer(error),
        }
    }

    fn other_log(&self, found: &str) -> RegistryError {
        RegistryError::OtherLog {
            url: self.url().to_owned(),
            found: printable(found),
            expected: self.origin.clone(),
        }
    }

    /// What an answer means that is not the one that was hoped for.
    fn unanswered(&self, reply: &PeerReply) -> RegistryError {
        let error = error_of(reply);
        let message = match error {
            Some(error) => error.message,
            None => "no error that is understood here".to_owned(),
        };
        let origin = self.origin.clone();
        match reply.status {
            401 | 403 => RegistryError::Unauthorized { origin, message },
            421 => {
                self.is_known.store(false, Ordering::Relaxed);
                self.other_log(&message)
            }
            408 | 429 | 500..=599 => RegistryError::Unreachable {
                origin,
                source: None,
            },
            status => RegistryError::Answer {
                origin,
                status,
                message,
            },
        }
    }
}

/// Whether the same request may be answered in a moment.
fn is_for_a_while(reply: &PeerReply) -> bool {
    match reply.status {
        408 | 429 | 502 | 504 => true,
        // A log that has stopped goes on when somebody has looked after it.
        503 => error_of(reply).is_none_or(|error| error.code != "stopped"),
        _ => false,
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum LineJson {
    Appended { index: u64, new: bool },
    Refused { error: ErrorJson },
}

#[derive(Deserialize)]
struct ErrorJson {
    code: String,
    message: String,
}

impl From<ErrorJson> for RefusedEntry {
    fn from(json: ErrorJson) -> Self {
        Self {
            code: printable(&json.code),
            message: printable(&json.message),
        }
    }
}

fn result_of(line: &[u8]) -> Option<Result<Appended, RefusedEntry>> {
    Some(match serde_json::from_slice(line).ok()? {
        LineJson::Appended { index, new } => Ok(Appended { index, is_new: new }),
        LineJson::Refused { error } => Err(error.into()),
    })
}

/// The error of an answer that is one, or of the first line that is.
fn error_of(reply: &PeerReply) -> Option<RefusedEntry> {
    reply
        .body
        .split(|byte| *byte == b'\n')
        .find_map(|line| result_of(line)?.err())
}

/// Percent-encoded for a query.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            true => encoded.push(char::from(byte)),
            false => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_place_or_a_refusal() {
        let appended = result_of(b"{\"index\":7,\"new\":true}").unwrap().unwrap();
        assert_eq!((appended.index, appended.is_new), (7, true));
        let line = b"{\"error\":{\"code\":\"unknown_key\",\"message\":\"a\\nb\"}}";
        let refused = result_of(line).unwrap().unwrap_err();
        assert_eq!(refused.to_string(), "a b (unknown_key)");
        for line in [
            "",
            "{}",
            "{\"index\":-1,\"new\":true}",
            "{\"index\":7}",
            "7",
        ] {
            assert!(result_of(line.as_bytes()).is_none(), "{line}");
        }
    }

    #[test]
    fn a_name_survives_a_query() {
        assert_eq!(encoded("log.example/a-b_c"), "log.example/a-b_c");
        assert_eq!(encoded("a+b&c=d%e#f"), "a%2Bb%26c%3Dd%25e%23f");
    }
}
