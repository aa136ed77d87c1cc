//! `oacp log export`: the log as one file, from which a stranger sees that nothing is missing.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use oacp::export::{ExportWriter, Payload, Withheld};
use oacp::time::Timestamp;
use oacp_registry::{Log, PayloadError, Query, ReadError};
use oacp_tlog::checkpoint::{Checkpoint, SignedCheckpoint};
use oacp_tlog::limits::NOTE_BYTES_MAX;
use oacp_tlog::tile::{Tile, TileReader};
use oacp_tlog::tree::{CompactRange, NodeReader, root_nodes};
use serde_json::json;

use super::find::since;
use crate::console::Console;
use crate::failure::{Exit, Failure, Judge};
use crate::home::{Home, shown};
use crate::progress::Counting;
use crate::registry::{Directory, Here};
use crate::{bundle_file, file, measure};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where to, or - for standard output
    out: PathBuf,
    /// From the first entry that was signed then or later: a day, or a time
    #[arg(long, value_name = "TIME", value_parser = since, conflicts_with_all = ["from", "after"])]
    since: Option<Timestamp>,
    /// From this index on
    #[arg(long, value_name = "N", conflicts_with = "after")]
    from: Option<u64>,
    /// From where a checkpoint ends that you kept: the export shows that the log continues it
    #[arg(long, value_name = "CHECKPOINT")]
    after: Option<PathBuf>,
    /// Up to this index, which is left out. Witnesses have cosigned the newest checkpoint, and not the one that is then made
    #[arg(long, value_name = "N")]
    to: Option<u64>,
    /// Leave the payloads out: leaves and proofs alone
    #[arg(long)]
    redact: bool,
    /// Replace OUT if it is there already
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    here: Here,
}

pub(super) fn export(
    arguments: &Arguments,
    home: &Home,
    console: &Console,
) -> Result<Exit, Failure> {
    let directory = arguments.here.directory(home)?;
    let (log, _) = directory.open()?;
    let until = until(arguments, &directory, &log)?;
    let kept = arguments.after.as_deref().map(checkpoint).transpose()?;
    let from = match (&kept, arguments.from, arguments.since) {
        (Some(kept), ..) => kept.size(),
        (None, Some(from), _) => from,
        (None, None, Some(since)) => first_since(&log, since)?.unwrap_or(until.size()),
        (None, None, None) => 0,
    };
    if from > until.size() {
        return Err(Failure::usage(format!(
            "the export would begin at {from}, and the log has {}",
            measure::entries(until.size())
        )));
    }
    let size = until.size();
    let frontier = frontier(&log, from, size)?;
    let (writer, header) = ExportWriter::new(frontier, kept.as_ref(), until)
        .or_usage()
        .or_hint(|| "the checkpoint that you kept is of another log, or of another history of this one: keep it, and ask why".to_owned())?;
    if arguments.out == Path::new("-") {
        let out = io::stdout().lock();
        write(&log, (writer, header), size, arguments.redact, out, console)?;
        return Ok(Exit::Yes);
    }
    let part = Part::create(arguments)?;
    let counts = write(
        &log,
        (writer, header),
        size,
        arguments.redact,
        &part.file,
        console,
    )?;
    let bytes = part.finish(arguments.force)?;
    if console.json {
        console.print_json(&json!({
            "export": arguments.out,
            "log": log.origin(),
            "from": from,
            "to": size,
            "payloads": counts.payloads,
            "pruned": counts.pruned,
            "bytes": bytes,
        }))?;
    } else {
        let what = match (arguments.redact, counts.pruned) {
            (true, _) => "without payloads".to_owned(),
            (false, 0) => "with their payloads".to_owned(),
            (false, pruned) => format!("{pruned} of them pruned"),
        };
        console.print(&format!(
            "wrote {} ({}): {} of {}, {what}; `oacp verify {0}` checks that it is complete",
            shown(&arguments.out),
            measure::bytes(bytes),
            measure::entries(size - from),
            log.origin(),
        ))?;
    }
    Ok(Exit::Yes)
}

/// The checkpoint at which the export ends: the one that is given out, or one that the log's key signs now.
fn until(
    arguments: &Arguments,
    directory: &Directory,
    log: &Log,
) -> Result<SignedCheckpoint, Failure> {
    let given = log.checkpoint().ok_or_else(|| {
        Failure::unable("the log has not given out a checkpoint yet")
            .hint("`oacp log status` says how its witnesses are")
    })?;
    match arguments.to {
        None => Ok(given),
        Some(to) if to == given.size() => Ok(given),
        Some(to) => {
            let root = log
                .root(to)
                .or_context(|| format!("the log has no {}", measure::entries(to)))
                .or_usage()?;
            let checkpoint = Checkpoint::new(log.origin().as_str(), to, root)?;
            Ok(SignedCheckpoint::sign(&checkpoint, &directory.signer()?))
        }
    }
}

fn checkpoint(path: &Path) -> Result<SignedCheckpoint, Failure> {
    let bytes = file::read(path, NOTE_BYTES_MAX).or_usage()?;
    SignedCheckpoint::parse(&bytes)
        .or_context(|| format!("`{}` is not a checkpoint", path.display()))
        .or_usage()
}

/// The first entry that was signed then or later. Times are the signers' own.
fn first_since(log: &Log, since: Timestamp) -> Result<Option<u64>, Failure> {
    let mut query = Query {
        since: Some(since),
        limit: 1,
        ..Query::default()
    };
    loop {
        let page = log.find(&query)?;
        match (page.rows.first(), page.next) {
            (Some(row), _) => return Ok(Some(row.index)),
            (None, Some(next)) => query.after = Some(next),
            (None, None) => return Ok(None),
        }
    }
}

/// The tree of the first `from` entries, by the tiles of the tree of `size`.
fn frontier(log: &Log, from: u64, size: u64) -> Result<CompactRange, Failure> {
    let reader = TileReader::new(size, |tile: Tile| match log.tile(tile) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(ReadError::Damaged {
            what: format!("`{tile}`"),
        }),
        Err(error) => Err(error),
    });
    let nodes = reader.read(&root_nodes(from))?;
    Ok(CompactRange::from_nodes(from, nodes)?)
}

#[derive(Default)]
struct Counts {
    payloads: u64,
    pruned: u64,
}

fn write(
    log: &Log,
    (mut writer, header): (ExportWriter, Vec<u8>),
    to: u64,
    redact: bool,
    out: impl Write,
    console: &Console,
) -> Result<Counts, Failure> {
    let mut out = BufWriter::new(out);
    out.write_all(&header)?;
    let mut counts = Counts::default();
    let counting = Counting::new(console, "exporting", "entries", to - writer.next());
    while writer.next() < to {
        let index = writer.next();
        let leaf = log.entry(index)?;
        let line = if redact {
            writer.entry(&leaf, Payload::Withheld(Withheld::Redacted))?
        } else {
            match log.payload(index) {
                Ok(envelope) => {
                    counts.payloads += 1;
                    writer.entry(&leaf, Payload::Envelope(&envelope))?
                }
                Err(PayloadError::Pruned { .. }) => {
                    counts.pruned += 1;
                    writer.entry(&leaf, Payload::Withheld(Withheld::Pruned))?
                }
                Err(error) => return Err(error.into()),
            }
        };
        out.write_all(&line)?;
        counting.step();
    }
    out.write_all(&writer.finish()?)?;
    out.flush()?;
    Ok(counts)
}

/// A file that is named as it should be when it is whole.
struct Part {
    file: File,
    part: PathBuf,
    whole: PathBuf,
}

impl Part {
    fn create(arguments: &Arguments) -> Result<Self, Failure> {
        let whole = &arguments.out;
        if !arguments.force && whole.exists() {
            return Err(bundle_file::taken(whole));
        }
        let mut name = whole.as_os_str().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let part = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // Payloads are private; without them it is made to be given away.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(
            &mut options,
            if arguments.redact { 0o644 } else { 0o600 },
        );
        let file = options
            .open(&part)
            .or_context(|| format!("cannot write `{}`", part.display()))
            .or_usage()?;
        Ok(Self {
            file,
            part,
            whole: whole.to_owned(),
        })
    }

    /// Its bytes.
    fn finish(self, force: bool) -> Result<u64, Failure> {
        self.file.sync_all()?;
        let bytes = self.file.metadata()?.len();
        if !force && self.whole.exists() {
            return Err(bundle_file::taken(&self.whole));
        }
        std::fs::rename(&self.part, &self.whole)
            .or_context(|| format!("cannot write `{}`", self.whole.display()))?;
        Ok(bytes)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Gone already when it was finished.
        let _ = std::fs::remove_file(&self.part);
    }
}
