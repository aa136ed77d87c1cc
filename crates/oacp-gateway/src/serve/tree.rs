//! The log itself, for everybody: checkpoint, tiles, entries and proofs.

use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use oacp::digest::Digest;
use oacp::id::ExecutionId;
use oacp::leaf::LeafKind;
use oacp_registry::{Log, ReadError};
use oacp_tlog::tile::Tile;
use tokio::time::{Instant, sleep_until};

use super::parameters::{Parameters, number};
use super::{BYTES, JSON, Kept, Served, TEXT, WAIT_S_MAX, answer};
use crate::server::Refused;

/// How often it is looked whether another process has appended what a request waits for.
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn checkpoint(State(served): State<Served>) -> Result<Response, Refused> {
    let checkpoint = served.ask(Log::checkpoint).await?.ok_or_else(|| {
        Refused::not_found("the log has no checkpoint yet: nothing was appended, or published")
    })?;
    Ok(answer(TEXT, Kept::Asked, checkpoint.to_string()))
}

pub(super) async fn tile(State(served): State<Served>, uri: Uri) -> Result<Response, Refused> {
    // As it is written: a tile has one path, and an encoded one is another.
    let path = uri.path().trim_start_matches('/').to_owned();
    let tile: Tile = path
        .parse()
        .map_err(|_| Refused::bad_request("this is not the path of a tile"))?;
    let found = served.ask(move |log| log.tile(tile)).await?;
    match found.map_err(|error| served.unread(path, &error))? {
        Some(bytes) => {
            let kept = match tile.is_full() {
                true => Kept::Forever,
                false => Kept::Shortly,
            };
            Ok(answer(BYTES, kept, bytes))
        }
        None => Err(Refused::not_found("the log has no such tile")),
    }
}

pub(super) async fn entry(
    State(served): State<Served>,
    Path(index): Path<String>,
) -> Result<Response, Refused> {
    let index = number(&index).ok_or_else(|| Refused::bad_request("this is not an index"))?;
    let entry = served.ask(move |log| log.entry(index)).await?;
    let entry = entry.map_err(|error| served.unread(format!("entry {index}"), &error))?;
    Ok(answer(JSON, Kept::Forever, entry))
}

pub(super) async fn consistency(
    State(served): State<Served>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let mut parameters = Parameters::parse(query.as_deref())?;
    let mut size = |name| {
        let size = parameters.read_by(name, "a number of entries", number)?;
        size.ok_or_else(|| Refused::bad_request("the query needs `from` and `to`"))
    };
    let (from, to) = (size("from")?, size("to")?);
    parameters.finish("`from` and `to`")?;
    if from > to {
        return Err(Refused::bad_request("`from` is larger than `to`"));
    }
    let hashes = served
        .ask(move |log| match from {
            // Every tree begins with the empty one; there is nothing to show (tlog-witness).
            0 if to <= log.committed().size() => Ok(vec![]),
            _ => log.consistency(from, to),
        })
        .await?;
    let hashes =
        hashes.map_err(|error| served.unread(format!("consistency of {from} and {to}"), &error))?;
    let lines: String = hashes.iter().map(|hash| format!("{hash}\n")).collect();
    Ok(answer(TEXT, Kept::Forever, lines))
}

/// What is meant, where an entry can be named in several ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Index(u64),
    Execution(ExecutionId),
    /// By its commitment.
    Digest(Digest),
}

impl Named {
    pub(super) fn parse(text: &str) -> Option<Self> {
        number(text)
            .map(Self::Index)
            .or_else(|| text.parse().ok().map(Self::Execution))
            .or_else(|| text.parse().ok().map(Self::Digest))
    }

    fn find(self, log: &Log, kind: LeafKind) -> Result<Option<u64>, ReadError> {
        match self {
            Self::Index(index) => Ok(Some(index)),
            Self::Digest(digest) => log.index_of_digest(digest),
            Self::Execution(id) if kind == LeafKind::Delegation => delegation_of_execution(log, id),
            Self::Execution(id) => log.index_of(kind, id),
        }
    }
}

/// The delegation under which an execution, or else its begin, was signed. The leaf names the key, also when the payload is gone.
fn delegation_of_execution(log: &Log, id: ExecutionId) -> Result<Option<u64>, ReadError> {
    for kind in [LeafKind::Execution, LeafKind::Begin] {
        if let Some(index) = log.index_of(kind, id)? {
            return log.index_of_delegation(log.leaf(index)?.key_id);
        }
    }
    Ok(None)
}

pub(super) async fn proof(
    State(served): State<Served>,
    Path(of): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let named = Named::parse(&of).ok_or_else(|| {
        Refused::bad_request("this is not an index, an execution's id or a digest")
            .with_fix("ask for `/proof/7`, `/proof/0193…` or `/proof/sha256:…`")
    })?;
    let mut parameters = Parameters::parse(query.as_deref())?;
    let wait = wait(&mut parameters)?;
    let kind = parameters.read_by("kind", "`execution`, `begin` or `delegation`", |text| {
        [LeafKind::Execution, LeafKind::Begin, LeafKind::Delegation]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    })?;
    parameters.finish("`wait` and `kind`")?;
    if kind.is_some() && !matches!(named, Named::Execution(_)) {
        return Err(Refused::bad_request(
            "`kind` is asked for an execution's id only",
        ));
    }
    let kind = kind.unwrap_or(LeafKind::Execution);

    let until = Instant::now() + wait;
    let index = found(&served, named, kind, until).await?;
    published(&served, index, until).await?;
    let proof = served.ask(move |log| log.proof(index)).await?;
    let proof = proof.map_err(|error| served.unread(format!("proof of entry {index}"), &error))?;
    Ok(answer(TEXT, Kept::Asked, proof.to_string()))
}

/// How long the caller would wait.
pub(super) fn wait(parameters: &mut Parameters) -> Result<Duration, Refused> {
    let seconds = parameters.read_by("wait", "a number of seconds, at most 30", |text| {
        number(text).filter(|seconds| *seconds <= WAIT_S_MAX)
    })?;
    Ok(Duration::from_secs(seconds.unwrap_or(0)))
}

/// The index of what is named, as soon as there is one.
async fn found(
    served: &Served,
    named: Named,
    kind: LeafKind,
    until: Instant,
) -> Result<u64, Refused> {
    let mut ending = served.ending.clone();
    loop {
        let index = served.ask(move |log| named.find(log, kind)).await?;
        match index.map_err(|error| served.unread(format!("a search for {named:?}"), &error))? {
            Some(index) => return Ok(index),
            None if Instant::now() < until => {}
            None => return Err(Refused::not_found("the log has no such entry")),
        }
        tokio::select! {
            () = sleep_until(until.min(Instant::now() + LOOK)) => {}
            () = ending.wait() => return Err(ends()),
        }
    }
}

/// Waits until the entry is under the checkpoint that is given out.
pub(super) async fn published(served: &Served, index: u64, until: Instant) -> Result<(), Refused> {
    let mut ending = served.ending.clone();
    loop {
        let given = served.ask(Log::checkpoint).await?;
        if given.is_some_and(|checkpoint| index < checkpoint.size()) {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(not_published(index, served.log.committed().size()));
        }
        tokio::select! {
            () = served.log.published(index.saturating_add(1)) => return Ok(()),
            () = sleep_until(until.min(Instant::now() + LOOK)) => {}
            () = ending.wait() => return Err(ends()),
        }
    }
}

fn not_published(index: u64, size: u64) -> Refused {
    match index < size {
        true => Refused::new(
            StatusCode::NOT_FOUND,
            "not_published",
            format!("entry {index} is durable, and not under a published checkpoint yet"),
        )
        .with_fix("ask again, or wait for it with `?wait=30`")
        .with_retry_after(1),
        false => Refused::not_found(format!("the log has {size} entries")),
    }
}

fn ends() -> Refused {
    Refused::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "ending",
        "the server is about to end",
    )
    .with_retry_after(1)
}
