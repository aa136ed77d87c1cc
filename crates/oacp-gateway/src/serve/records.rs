//! What the log keeps besides its leaves: an index, and the envelopes that the leaves commit to. Both are private.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use oacp::bundle::Bundle;
use oacp::digest::Digest;
use oacp::envelope::Envelope;
use oacp::id::ExecutionId;
use oacp::leaf::LeafKind;
use oacp::outcome::Outcome;
use oacp::proofs::Proven;
use oacp::time::Timestamp;
use oacp_registry::{Found, Log, PayloadError, Query, ReadError};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::parameters::{Parameters, number};
use super::tree::{Named, published, wait};
use super::{JSON, Kept, Served, answer};
use crate::server::Refused;

pub(super) async fn find(
    State(served): State<Served>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    served.may_read(&headers)?;
    let query = read_query(query.as_deref())?;
    let page = served.ask(move |log| log.find(&query)).await?;
    let page = page.map_err(|error| served.unread("a query", &error))?;
    let entries: Vec<Value> = page.rows.iter().map(row).collect();
    let json = json!({"entries": entries, "next": page.next});
    Ok(answer(JSON, Kept::Never, format!("{json}\n")))
}

fn read_query(query: Option<&str>) -> Result<Query, Refused> {
    let mut parameters = Parameters::parse(query)?;
    let default = Query::default();
    let query = Query {
        execution: parameters.read("execution", "an execution's id")?,
        sandbox: parameters.read("sandbox", "a sandbox's id")?,
        agent: parameters.read("agent", "a digest, as `sha256:…`")?,
        tool: parameters.take("tool"),
        tool_hash: parameters.read("tool_hash", "a digest, as `sha256:…`")?,
        outcome: parameters.read_by("outcome", "an outcome", |text| {
            Outcome::ALL
                .into_iter()
                .find(|outcome| outcome.as_str() == text)
        })?,
        principal: parameters.take("principal"),
        kind: parameters.read_by("kind", "a kind of entry", |text| {
            LeafKind::ALL.into_iter().find(|kind| kind.as_str() == text)
        })?,
        since: parameters.read_by("since", TIME, |text| time(text, "T00:00:00.000Z"))?,
        until: parameters.read_by("until", TIME, |text| time(text, "T23:59:59.999Z"))?,
        after: parameters.read_by("after", "an index", number)?,
        limit: parameters
            .read_by("limit", "a number from 1 to 1000", |text| {
                let limit = usize::try_from(number(text)?).ok()?;
                (1..=1000).contains(&limit).then_some(limit)
            })?
            .unwrap_or(default.limit),
    };
    parameters.finish(
        "`execution`, `sandbox`, `agent`, `tool`, `tool_hash`, `outcome`, `principal`, `kind`, `since`, `until`, `after` and `limit`",
    )?;
    Ok(query)
}

const TIME: &str = "a day, as `2026-11-22`, or a time, as `2026-11-22T20:14:05.123Z`";

/// A point in time, or the begin or end of a day.
fn time(text: &str, of_day: &str) -> Option<Timestamp> {
    text.parse()
        .or_else(|_| format!("{text}{of_day}").parse())
        .ok()
}

fn row(found: &Found) -> Value {
    let tools: Vec<Value> = found
        .tools
        .iter()
        .map(|(name, hash)| json!({"name": name, "hash": hash}))
        .collect();
    json!({
        "index": found.index,
        "kind": found.kind,
        "id": id_text(&found.id),
        "pruned": found.pruned,
        "time": found.time,
        "sequence": found.sequence,
        "sandbox": found.sandbox,
        "agent": found.agent,
        "tools": tools,
        "outcome": found.outcome,
        "principal": found.principal,
    })
}

/// A UUID's text.
fn id_text(id: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in id.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

pub(super) async fn payload(
    State(served): State<Served>,
    headers: HeaderMap,
    Path(of): Path<String>,
) -> Result<Response, Refused> {
    served.may_read(&headers)?;
    let named = match Named::parse(&of) {
        Some(named @ (Named::Index(_) | Named::Digest(_))) => named,
        _ => {
            return Err(
                Refused::bad_request("this is not an index or a digest").with_fix(
                    "ask for `/payload/7` or `/payload/sha256:…`; by an execution's id, for its bundle",
                ),
            );
        }
    };
    let found = served
        .ask(move |log| {
            let index = match named {
                Named::Digest(digest) => log.index_of_digest(digest)?,
                Named::Index(index) => Some(index),
                Named::Execution(_) => None,
            };
            index.map(|index| log.payload(index)).transpose()
        })
        .await?;
    match found {
        Ok(Some(envelope)) => Ok(answer(JSON, Kept::Never, envelope.to_json())),
        Ok(None) => Err(Refused::not_found("the log has no such entry")),
        Err(error) => Err(no_payload(&served, &of, &error)),
    }
}

fn no_payload(served: &Served, asked: &str, error: &PayloadError) -> Refused {
    match error {
        PayloadError::Pruned { index, digest } => pruned(*index, *digest),
        PayloadError::Read(error) => served.unread(format!("payload of {asked}"), error),
    }
}

fn pruned(index: u64, digest: Digest) -> Refused {
    Refused::new(
        StatusCode::GONE,
        "pruned",
        format!("payload `{digest}` of entry {index} was pruned; the entry and its proofs remain"),
    )
    .with_digest(digest)
}

pub(super) async fn bundle(
    State(served): State<Served>,
    headers: HeaderMap,
    Path(execution): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    served.may_read(&headers)?;
    let execution: ExecutionId = execution
        .parse()
        .map_err(|_| Refused::bad_request("this is not an execution's id"))?;
    let mut parameters = Parameters::parse(query.as_deref())?;
    let wait = wait(&mut parameters)?;
    parameters.finish("`wait`")?;

    let parts = served.ask(move |log| Parts::of(log, execution)).await?;
    let parts = match parts {
        Ok(parts) => parts,
        Err(NoBundle::Unknown) => {
            return Err(Refused::not_found("the log has no such execution"));
        }
        Err(NoBundle::NoDelegation) => {
            return Err(Refused::new(
                StatusCode::NOT_FOUND,
                "no_delegation",
                "the execution is stated by a node's own key, and has no bundle",
            )
            .with_fix("ask for its envelope, under `/payload`"));
        }
        Err(NoBundle::Payload(error)) => {
            return Err(no_payload(&served, &execution.to_string(), &error));
        }
    };
    if !wait.is_zero() {
        published(&served, parts.last_index(), Instant::now() + wait).await?;
    }
    let bundle = served.ask(move |log| parts.into_bundle(log)).await?;
    let bundle = bundle
        .map_err(|error| served.unread(format!("proofs of the execution {execution}"), &error))?;
    Ok(answer(JSON, Kept::Never, bundle.to_bytes()))
}

/// What a bundle is made of, each with its index.
struct Parts {
    execution: (u64, Envelope),
    delegation: (u64, Envelope),
    begin: Option<(u64, Envelope)>,
}

enum NoBundle {
    Unknown,
    NoDelegation,
    Payload(PayloadError),
}

impl From<ReadError> for NoBundle {
    fn from(error: ReadError) -> Self {
        Self::Payload(error.into())
    }
}

impl From<PayloadError> for NoBundle {
    fn from(error: PayloadError) -> Self {
        Self::Payload(error)
    }
}

impl Parts {
    fn of(log: &Log, id: ExecutionId) -> Result<Self, NoBundle> {
        let index = log.index_of(LeafKind::Execution, id)?;
        let index = index.ok_or(NoBundle::Unknown)?;
        let execution = (index, log.payload(index)?);
        let delegation = log.index_of_delegation(execution.1.keyid())?;
        let delegation = delegation.ok_or(NoBundle::NoDelegation)?;
        let delegation = (delegation, log.payload(delegation)?);
        let begin = match log.index_of(LeafKind::Begin, id)? {
            None => None,
            Some(index) => match log.payload(index) {
                Ok(envelope) => Some((index, envelope)),
                // Pruned before the execution was, which another segment holds: what remains is given.
                Err(PayloadError::Pruned { .. }) => None,
                Err(error) => return Err(error.into()),
            },
        };
        Ok(Self {
            execution,
            delegation,
            begin,
        })
    }

    fn last_index(&self) -> u64 {
        self.execution.0
    }

    /// With the proofs of what is published.
    fn into_bundle(self, log: &Log) -> Result<Bundle, ReadError> {
        let mut proven = vec![
            (Proven::Delegation, self.delegation.0),
            (Proven::Execution, self.execution.0),
        ];
        let mut bundle = Bundle::new(self.execution.1, self.delegation.1);
        if let Some((index, envelope)) = self.begin {
            bundle = bundle.with_begin(envelope);
            proven.push((Proven::Begin, index));
        }
        let published = log.checkpoint().map_or(0, |checkpoint| checkpoint.size());
        for (of, index) in proven {
            if index < published {
                let proof = log.proof(index)?;
                // The first proof of each, by a log that puts no data of its own into it.
                let _ = bundle.add_proof(of, proof);
            }
        }
        Ok(bundle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_its_own_type_writes_it() {
        let id = ExecutionId::new(0x0123_4567_89ab, [0xff; 10]);
        assert_eq!(id_text(id.as_bytes()), id.to_string());
    }

    #[test]
    fn a_day_is_a_time() {
        let query = read_query(Some("since=2026-11-22&until=2026-11-22")).unwrap();
        assert_eq!(query.since.unwrap().to_string(), "2026-11-22T00:00:00.000Z");
        assert_eq!(query.until.unwrap().to_string(), "2026-11-22T23:59:59.999Z");
        let query = read_query(Some("since=2026-11-22T20:14:05.123Z")).unwrap();
        assert_eq!(query.since.unwrap().to_string(), "2026-11-22T20:14:05.123Z");
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for query in [
            "agnet=sha256:00",
            "agent=sha256:00",
            "outcome=fine",
            "kind=all",
            "limit=0",
            "limit=1001",
            "after=-1",
            "since=yesterday",
            "execution=7",
        ] {
            assert!(read_query(Some(query)).is_err(), "{query}");
        }
    }
}
