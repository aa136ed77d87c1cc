//! `oacp log find` and `oacp log entry`.

use std::path::PathBuf;

use clap::Args;
use oacp::digest::Digest;
use oacp::id::{ExecutionId, SandboxId};
use oacp::leaf::{Leaf, LeafKind};
use oacp::outcome::Outcome;
use oacp::time::Timestamp;
use oacp_registry::Query;
use oacp_registry::index::PAGE_ROWS_MAX;
use oacp_tlog::proof::TlogProof;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::row::Row;
use crate::console::{BOLD, Console, DIM};
use crate::failure::{Exit, Failure, Judge};
use crate::home::Home;
use crate::registry::{self, Reached, Reader, Which, encoded};
use crate::runtime;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) filters: Filters,
    /// Entries behind this index: the next page
    #[arg(long, value_name = "N")]
    after: Option<u64>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=PAGE_ROWS_MAX as u64))]
    limit: u64,
    #[command(flatten)]
    which: Which,
    /// The token for reading the registry at the URL
    #[arg(long, value_name = "FILE", help_heading = "Log")]
    read_token: Option<PathBuf>,
}

/// Which entries. Everything that is given has to fit.
#[derive(Args, Clone, Default)]
pub(crate) struct Filters {
    /// Of this agent
    #[arg(long, value_name = "sha256:…")]
    agent: Option<Digest>,
    /// Executions that called a tool of this name
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Executions that ended so: ok, denied, …
    #[arg(long, value_name = "OUTCOME", value_parser = outcome)]
    outcome: Option<Outcome>,
    /// Executions that this principal asked for
    #[arg(long, value_name = "TEXT")]
    principal: Option<String>,
    /// Of this sandbox
    #[arg(long, value_name = "ID")]
    sandbox: Option<SandboxId>,
    /// Of this execution: its statement and its begin
    #[arg(long, value_name = "ID")]
    execution: Option<ExecutionId>,
    /// Signed then or later: a day, or a time as 2026-11-22T20:14:05.123Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Timestamp>,
    /// Signed then or before
    #[arg(long, value_name = "TIME", value_parser = until)]
    until: Option<Timestamp>,
    /// Of this kind: execution, delegation, begin, close or tool
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<LeafKind>,
}

fn outcome(text: &str) -> Result<Outcome, String> {
    let mut all = Outcome::ALL.into_iter();
    all.find(|outcome| outcome.as_str() == text).ok_or_else(|| {
        let known: Vec<_> = Outcome::ALL
            .iter()
            .map(|outcome| outcome.as_str())
            .collect();
        format!("not an outcome: expected one of {}", known.join(", "))
    })
}

fn kind(text: &str) -> Result<LeafKind, String> {
    let mut all = LeafKind::ALL.into_iter();
    all.find(|kind| kind.as_str() == text).ok_or_else(|| {
        let known: Vec<_> = LeafKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("not a kind of entry: expected one of {}", known.join(", "))
    })
}

/// A point in time, or a day's begin.
pub(super) fn since(text: &str) -> Result<Timestamp, String> {
    time(text, "T00:00:00.000Z")
}

/// A point in time, or a day's end.
pub(super) fn until(text: &str) -> Result<Timestamp, String> {
    time(text, "T23:59:59.999Z")
}

fn time(text: &str, of_day: &str) -> Result<Timestamp, String> {
    text.parse()
        .or_else(|_| format!("{text}{of_day}").parse())
        .map_err(|_| {
            "expected a day, as 2026-11-22, or a time, as 2026-11-22T20:14:05.123Z".to_owned()
        })
}

impl Filters {
    pub(super) fn query(&self, after: Option<u64>, limit: usize) -> Query {
        Query {
            execution: self.execution,
            sandbox: self.sandbox,
            agent: self.agent,
            tool: self.tool.clone(),
            tool_hash: None,
            outcome: self.outcome,
            principal: self.principal.clone(),
            kind: self.kind,
            since: self.since,
            until: self.until,
            after,
            limit,
        }
    }

    /// The same for a registry elsewhere.
    fn path(&self, after: Option<u64>, limit: usize) -> String {
        let text = |value: &Option<String>| value.clone();
        let parameters = [
            ("execution", self.execution.map(|id| id.to_string())),
            ("sandbox", self.sandbox.map(|id| id.to_string())),
            ("agent", self.agent.map(|digest| digest.to_string())),
            ("tool", text(&self.tool)),
            ("outcome", self.outcome.map(|outcome| outcome.to_string())),
            ("principal", text(&self.principal)),
            ("kind", self.kind.map(|kind| kind.as_str().to_owned())),
            ("since", self.since.map(|time| time.to_string())),
            ("until", self.until.map(|time| time.to_string())),
            ("after", after.map(|index| index.to_string())),
            ("limit", Some(limit.to_string())),
        ];
        let parameters: Vec<String> = parameters
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", encoded(&value?))))
            .collect();
        format!("find?{}", parameters.join("&"))
    }

    /// Holds are laid on what is found by these.
    pub(super) fn held(&self) -> Result<oacp_registry::HeldEntries, Failure> {
        if self.kind.is_some() {
            return Err(Failure::usage("a hold is not on entries of one kind")
                .hint("lay it on an agent, a sandbox, a tool, an outcome, a principal, an execution or a time"));
        }
        Ok(oacp_registry::HeldEntries {
            execution: self.execution,
            sandbox: self.sandbox,
            agent: self.agent,
            tool: self.tool.clone(),
            outcome: self.outcome,
            principal: self.principal.clone(),
            from: self.since,
            until: self.until,
        })
    }
}

/// What `--json` prints. Fields are added, never renamed.
#[derive(Serialize, Deserialize)]
struct Page {
    entries: Vec<Row>,
    /// What `--after` takes for the next page. `None`: there was nothing more.
    next: Option<u64>,
}

pub(super) fn find(arguments: &Arguments, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let reached = arguments
        .which
        .reach(arguments.read_token.as_deref(), home)?;
    let limit = usize::try_from(arguments.limit).unwrap_or(PAGE_ROWS_MAX);
    let executor = runtime::executor()?;
    let mut found = Page {
        entries: Vec::new(),
        next: arguments.after,
    };
    // A page may be short, or empty, and not the last: one question reads a bounded part of the log.
    loop {
        let wanted = limit - found.entries.len();
        let page = executor.block_on(page(&reached, &arguments.filters, found.next, wanted))?;
        found.entries.extend(page.entries);
        found.next = page.next;
        if found.next.is_none() || found.entries.len() >= limit {
            break;
        }
    }
    if console.json {
        console.print_json(&found)?;
        return Ok(Exit::Yes);
    }
    if found.entries.is_empty() {
        console.note("nothing is found");
        return Ok(Exit::Yes);
    }
    let lines: Vec<String> = found.entries.iter().map(Row::line).collect();
    console.print(&lines.join("\n"))?;
    if let Some(next) = found.next {
        console.note(&format!("there may be more: --after {next}"));
    }
    Ok(Exit::Yes)
}

async fn page(
    reached: &Reached,
    filters: &Filters,
    after: Option<u64>,
    limit: usize,
) -> Result<Page, Failure> {
    match reached {
        Reached::Local(_, log, _) => {
            let page = log.find(&filters.query(after, limit))?;
            Ok(Page {
                entries: page.rows.iter().map(Row::from).collect(),
                next: page.next,
            })
        }
        Reached::Remote(reader) => reader.json(&filters.path(after, limit)).await,
    }
}

#[derive(Args)]
pub(crate) struct Entry {
    /// Its index, or the id of the execution that it states
    #[arg(value_name = "INDEX|ID", value_parser = named)]
    entry: Named,
    /// Print the signed envelope that it commits to
    #[arg(long)]
    payload: bool,
    /// Print the proof that it is in the log, as C2SP tlog-proof
    #[arg(long, conflicts_with = "payload")]
    proof: bool,
    #[command(flatten)]
    which: Which,
    /// The token for reading the registry at the URL
    #[arg(long, value_name = "FILE", help_heading = "Log")]
    read_token: Option<PathBuf>,
}

/// How an entry is named.
#[derive(Clone, Copy)]
enum Named {
    Index(u64),
    Execution(ExecutionId),
}

fn named(text: &str) -> Result<Named, String> {
    let index = text.parse().map(Named::Index);
    index
        .or_else(|_| text.parse().map(Named::Execution))
        .map_err(|_| "expected an index (a number from 0) or an execution's id".to_owned())
}

impl Named {
    fn index(self, reached: &Reached, executor: &Runtime) -> Result<u64, Failure> {
        match (self, reached) {
            (Self::Index(index), _) => Ok(index),
            (Self::Execution(id), Reached::Local(_, log, _)) => {
                log.index_of(LeafKind::Execution, id)?.ok_or_else(|| {
                    Failure::unable(format!("the log {} has no execution `{id}`", log.origin()))
                        .hint("`oacp log find` lists what is there; --registry names another log")
                })
            }
            (Self::Execution(id), Reached::Remote(reader)) => {
                let proof = executor.block_on(reader.get(&format!("proof/{id}")))?;
                let proof = TlogProof::parse(&proof)
                    .or_context(|| format!("the proof that `{}` gave", reader.url()))?;
                Ok(proof.index())
            }
        }
    }
}

pub(super) fn entry(arguments: &Entry, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let reached = arguments
        .which
        .reach(arguments.read_token.as_deref(), home)?;
    let executor = runtime::executor()?;
    let index = arguments.entry.index(&reached, &executor)?;
    if arguments.payload {
        let envelope = match &reached {
            Reached::Local(_, log, _) => registry::payload(log, index)?.to_json(),
            Reached::Remote(reader) => {
                executor.block_on(reader.get(&format!("payload/{index}")))?
            }
        };
        console.print_bytes(&envelope)?;
        return Ok(Exit::Yes);
    }
    if arguments.proof {
        let proof = match &reached {
            Reached::Local(_, log, _) => log.proof(index)?.to_string().into_bytes(),
            Reached::Remote(reader) => executor.block_on(reader.get(&format!("proof/{index}")))?,
        };
        console.print_exactly(&proof)?;
        return Ok(Exit::Yes);
    }
    let leaf = match &reached {
        Reached::Local(_, log, _) => log.leaf(index)?,
        Reached::Remote(reader) => executor.block_on(elsewhere(reader, index))?,
    };
    if console.json {
        console.print_json(&object(index, &leaf)?)?;
    } else {
        let sequence = leaf
            .sequence
            .map_or("none".to_owned(), |number| number.to_string());
        console.print(&format!(
            "{BOLD}entry {index}{BOLD:#}  {}\n  {DIM}commits to{DIM:#}  {}\n  {DIM}key id{DIM:#}      {}\n  {DIM}number{DIM:#}      {sequence}\n  {DIM}leaf hash{DIM:#}   {}",
            leaf.kind.as_str(),
            leaf.pae,
            leaf.key_id,
            leaf.hash(),
        ))?;
    }
    Ok(Exit::Yes)
}

async fn elsewhere(reader: &Reader, index: u64) -> Result<Leaf, Failure> {
    let bytes = reader.get(&format!("entry/{index}")).await?;
    Leaf::parse(&bytes).or_context(|| format!("entry {index} of `{}`", reader.url()))
}

/// The leaf's own JSON, with its index and hash.
fn object(index: u64, leaf: &Leaf) -> Result<Value, Failure> {
    let fields: Value = serde_json::from_slice(&leaf.to_bytes())?;
    Ok(json!({ "index": index, "leaf": fields, "leaf_hash": leaf.hash().to_string() }))
}
