//! A file in pieces, so that what has come is not lost when a connection is.
//!
//! Attack: a body without end, other bytes in each piece, a server that says one length and another. Each piece is bounded, the whole is,
//! and whether the pieces are one file is decided by its digest.

use std::io;
use std::path::Path;

use oacp::digest::Digest;
use oacp::http::Response;

use super::cache::Entry;
use super::web::header;
use super::{FetchError, Progress};
use crate::limits::{PIECE_BYTES, SHORT_PIECES_MAX};

/// What is fetched.
pub(super) struct Wanted<'a> {
    /// For messages.
    pub(super) what: &'a str,
    pub(super) sha256: Digest,
    pub(super) bytes_max: usize,
    pub(super) cache: &'a Path,
}

/// The file: from the cache, or from `ask`, which sends one request for the bytes from a first to a last one, or for all of them.
pub(super) async fn download(
    wanted: &Wanted<'_>,
    ask: &mut impl AsyncFnMut(Option<(u64, u64)>) -> Result<Response, FetchError>,
    report: &mut dyn FnMut(Progress),
) -> Result<Vec<u8>, FetchError> {
    let failed = |source: io::Error| FetchError::Cache {
        dir: wanted.cache.to_owned(),
        source,
    };
    let entry = Entry::open(wanted.cache, wanted.sha256, wanted.bytes_max).map_err(failed)?;
    if let Some(bytes) = entry.whole().map_err(failed)? {
        return Ok(bytes);
    }
    let mut kept = entry.partial().map_err(failed)?;
    if kept > wanted.bytes_max as u64 {
        entry.discard().map_err(failed)?;
        kept = 0;
    }
    loop {
        fill(wanted, &entry, kept, ask, report).await?;
        match entry.finish().map_err(failed)? {
            Ok(bytes) => return Ok(bytes),
            // What was kept may have been damaged, or of another file.
            Err(_) if kept > 0 => kept = 0,
            Err(found) => {
                return Err(FetchError::Digest {
                    what: wanted.what.to_owned(),
                    expected: wanted.sha256,
                    found,
                });
            }
        }
    }
}

/// Adds pieces until the server says that there are no more.
async fn fill(
    wanted: &Wanted<'_>,
    entry: &Entry,
    kept: u64,
    ask: &mut impl AsyncFnMut(Option<(u64, u64)>) -> Result<Response, FetchError>,
    report: &mut dyn FnMut(Progress),
) -> Result<(), FetchError> {
    let failed = |source: io::Error| FetchError::Cache {
        dir: wanted.cache.to_owned(),
        source,
    };
    let malformed = |problem| FetchError::Malformed {
        what: wanted.what.to_owned(),
        problem,
    };
    let too_large = || FetchError::TooLarge {
        what: wanted.what.to_owned(),
        bytes_max: wanted.bytes_max,
    };
    let mut done = kept;
    let mut range = Some((done, done + PIECE_BYTES - 1));
    // A server may give less than was asked for, but not a byte at a time.
    let mut pieces_left = wanted.bytes_max as u64 / PIECE_BYTES + SHORT_PIECES_MAX;
    loop {
        pieces_left = pieces_left
            .checked_sub(1)
            .ok_or_else(|| malformed("it comes in too many pieces"))?;
        let reply = ask(range).await?;
        let encoded = header(&reply, "content-encoding").is_some_and(|found| found != "identity");
        match (reply.status, range) {
            // All of it at once: the server knows no ranges, or was not asked for one.
            (200, _) => {
                if reply.body.len() > wanted.bytes_max {
                    return Err(too_large());
                }
                entry.discard().map_err(failed)?;
                entry.append(&reply.body).map_err(failed)?;
                done = reply.body.len() as u64;
                report(Progress { done, total: done });
                return Ok(());
            }
            // A part of something compressed is no part of the file.
            (206, Some(_)) if encoded => range = None,
            (206, Some((first, last))) => {
                let total = piece(&reply, first, last)
                    .ok_or_else(|| malformed("its `content-range` is not what was asked for"))?;
                if total > wanted.bytes_max as u64 {
                    return Err(too_large());
                }
                entry.append(&reply.body).map_err(failed)?;
                done += reply.body.len() as u64;
                report(Progress { done, total });
                if done >= total {
                    return Ok(());
                }
                range = Some((done, done + PIECE_BYTES - 1));
            }
            // Nothing comes after what is there: either that is all, or it is of something else.
            (416, Some((first, _))) if first > 0 && first == kept => return Ok(()),
            (status, _) => {
                return Err(FetchError::Status {
                    what: wanted.what.to_owned(),
                    status,
                });
            }
        }
    }
}

/// The length of the whole, if a reply is the piece that was asked for, or the beginning of that.
fn piece(reply: &Response, first: u64, last: u64) -> Option<u64> {
    let range = header(reply, "content-range")?.strip_prefix("bytes ")?;
    let (range, total) = range.split_once('/')?;
    let (from, to) = range.split_once('-')?;
    let (from, to): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
    let total: u64 = total.parse().ok()?;
    let length = to.checked_sub(from)?.checked_add(1)?;
    (from == first && to <= last && to < total && length == reply.body.len() as u64)
        .then_some(total)
}
