//! A tool from elsewhere: a file behind a URL, an artefact in an OCI registry; and whose signature a file, from wherever it is, has.
//!
//! Attack: other bytes than those that somebody agreed to. What is fetched is named by a digest, or is pinned by the one that was found; it
//! is hashed before anything reads it; and if signatures are required, one by a key that the user named has to be there. Nothing of what a
//! server says is believed, and everything that it sends is bounded.
//!
//! ```text
//! weather.py                                a path; signatures beside it: weather.py.dsse.json, weather.py.sig
//! https://host/weather.py#sha256:…          a file; signatures beside it, as of a path
//! oci://host/acme/weather:1.0               an artefact: a component, or a titled source file; in it cosign's layout of signatures:
//!                                           sha256-….sig (cosign sign), sha256-….att (DSSE envelopes)
//! ```
//!
//! This crate opens no connection: whoever calls [`fetch`] hands in the way to the [`Web`].

mod cache;
mod download;
mod name;
mod oci;
mod reference;
mod search;
mod signature;
mod web;

use std::io;
use std::path::{Path, PathBuf};

use oacp::digest::Digest;
use oacp::http::{ExchangeError, RequestError};

pub use self::name::FileName;
pub use self::reference::{FileUrl, Image, Problem, Reference, ReferenceError};
pub use self::signature::{KeyError, PublisherKey, SignaturePolicy};
pub use self::web::{Led, Web};

use self::download::{Wanted, download};
use self::oci::Registry;
use self::search::Search;
use self::web::{Asking, Headers};
use crate::limits::{ATTEMPTS_MAX, REDIRECTS_MAX};
use crate::store::{Signature, files};

/// How far fetching has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are there, those of an earlier try among them.
    pub done: u64,
    /// Bytes of the whole.
    pub total: u64,
}

/// A file that was fetched and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its name, which says what it is.
    pub name: FileName,
    /// As they hash to `sha256`.
    pub bytes: Vec<u8>,
    /// Of the bytes. In a registry the manifest has another.
    pub sha256: Digest,
    /// Where it was, with the digest that was found there.
    pub reference: Reference,
    /// Who signed it, of those whose signature was required. `None`: nobody's was, and nobody looked.
    pub signature: Option<Signature>,
}

/// Fetches the one file that a reference names, or takes it from `cache`, a directory for files by their digests. A file of this machine is
/// read. A directory is not a file.
///
/// # Errors
/// Nothing is there; it is too large; it is not what its digest says; it is not signed as `policy` requires; the network's, and the cache's.
/// What had come by then is kept for the next try, unless it is what was wrong.
pub async fn fetch(
    reference: &Reference,
    cache: &Path,
    policy: &SignaturePolicy,
    web: &impl Web,
    report: &mut dyn FnMut(Progress),
) -> Result<Fetched, FetchError> {
    match reference {
        Reference::Path(path) => read(path, policy),
        Reference::Url(url) => file(url, cache, policy, web, report).await,
        Reference::Oci(image) => artefact(image, cache, policy, web, report).await,
    }
}

fn read(path: &Path, policy: &SignaturePolicy) -> Result<Fetched, FetchError> {
    let failed = |source| FetchError::File {
        path: path.to_owned(),
        source,
    };
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.and_then(FileName::parse);
    let name = name.ok_or_else(|| FetchError::Name {
        path: path.to_owned(),
    })?;
    let bytes = files::read(path, name.bytes_max()).map_err(failed)?;
    let sha256 = Digest::of(&bytes);
    let mut search = Search::new(policy);
    for place in search.places() {
        let mut beside = path.as_os_str().to_owned();
        beside.push(place.suffix());
        let beside = PathBuf::from(beside);
        let found = match files::read(&beside, place.bytes_max()) {
            Err(error) if files::is_no_such_file(&error) => None,
            found => Some(found.map_err(|source| FetchError::File {
                path: beside.clone(),
                source,
            })?),
        };
        search.look(place, &beside.display(), found.as_deref(), &bytes, sha256);
    }
    Ok(Fetched {
        signature: search.outcome(&path.display())?,
        reference: Reference::Path(path.to_owned()),
        name,
        bytes,
        sha256,
    })
}

async fn file(
    url: &FileUrl,
    cache: &Path,
    policy: &SignaturePolicy,
    web: &impl Web,
    report: &mut dyn FnMut(Progress),
) -> Result<Fetched, FetchError> {
    let asking = Asking::new(web, url.target().clone());
    let bytes_max = url.name().bytes_max();
    let what = url.target().to_string();
    let wanted = Wanted {
        what: &what,
        sha256: url.sha256(),
        bytes_max,
        cache,
    };
    let mut ask = async |range| {
        let headers = Headers {
            range,
            ..Headers::default()
        };
        asking.get(url.target(), headers, bytes_max).await
    };
    let bytes = download(&wanted, &mut ask, report).await?;
    let mut search = Search::new(policy);
    for place in search.places() {
        let beside = format!("{}{}", url.name(), place.suffix());
        let beside = asking.next(url.target(), &beside)?;
        let reply = asking
            .get(&beside, Headers::default(), place.bytes_max())
            .await?;
        let found = match reply.status {
            200 => Some(reply.body),
            // Stores of files say 403 of what is not there.
            403 | 404 | 410 => None,
            status => {
                return Err(FetchError::Status {
                    what: beside.to_string(),
                    status,
                });
            }
        };
        search.look(place, &beside, found.as_deref(), &bytes, url.sha256());
    }
    Ok(Fetched {
        name: url.name().clone(),
        sha256: url.sha256(),
        reference: Reference::Url(url.clone()),
        signature: search.outcome(&what)?,
        bytes,
    })
}

async fn artefact(
    image: &Image,
    cache: &Path,
    policy: &SignaturePolicy,
    web: &impl Web,
    report: &mut dyn FnMut(Progress),
) -> Result<Fetched, FetchError> {
    let mut registry = Registry::new(web, image);
    let pinned = image.sha256();
    let asked = match (pinned, image.tag()) {
        (Some(sha256), _) => sha256.to_string(),
        (None, tag) => tag.unwrap_or_default().to_owned(),
    };
    let found = registry.manifest(&asked).await?;
    let (digest, manifest) = found.ok_or_else(|| FetchError::Missing {
        what: image.to_string(),
    })?;
    if let Some(expected) = pinned.filter(|pinned| *pinned != digest) {
        return Err(FetchError::Digest {
            what: image.to_string(),
            expected,
            found: digest,
        });
    }
    let file = registry.file(&manifest)?;
    let mut search = Search::new(policy);
    registry
        .signatures(digest, file.sha256, &mut search)
        .await?;
    let signature = search.outcome(image)?;
    let what = image.to_string();
    let bytes_max = file.name.bytes_max();
    let wanted = Wanted {
        what: &what,
        sha256: file.sha256,
        bytes_max,
        cache,
    };
    let mut ask = async |range| registry.blob_piece(file.sha256, range, bytes_max).await;
    let bytes = download(&wanted, &mut ask, report).await?;
    Ok(Fetched {
        name: file.name,
        sha256: file.sha256,
        reference: Reference::Oci(image.clone().pinned(digest)),
        signature,
        bytes,
    })
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A file of this machine that cannot be read.
    #[error("`{}` cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A path that does not end in the name of a file that can be a tool by itself.
    #[error(
        "`{}` is not one file with .py, .js, .mjs, .ts, .mts or .wasm at its end, which could be signed", path.display()
    )]
    Name {
        /// The path.
        path: PathBuf,
    },
    /// The cache cannot be used.
    #[error("the cache of fetched tools, `{}`, cannot be used", dir.display())]
    Cache {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no reply.
    #[error("no reply from `{url}`, asked up to {ATTEMPTS_MAX} times")]
    Exchange {
        /// What was asked for.
        url: String,
        /// Why not.
        #[source]
        source: ExchangeError,
    },
    /// It cannot be asked for.
    #[error("`{url}` cannot be asked for")]
    Request {
        /// The URL.
        url: String,
        /// Why not.
        #[source]
        source: RequestError,
    },
    /// A status that is neither the file nor a redirect.
    #[error("`{what}`: the server answered with status {status}")]
    Status {
        /// What was asked for.
        what: String,
        /// 100 to 999.
        status: u16,
    },
    /// A registry that has no such artefact.
    #[error("`{what}` is not in the registry")]
    Missing {
        /// The artefact.
        what: String,
    },
    /// A registry that gives nothing to who has no account there.
    #[error("`{image}`: the registry wants credentials; only what anybody may pull can be fetched")]
    Credentials {
        /// The artefact.
        image: String,
    },
    /// One redirect after the other.
    #[error("`{url}` leads through more than {REDIRECTS_MAX} redirects")]
    Redirects {
        /// What was asked for.
        url: String,
    },
    /// A redirect, or a registry's word of where tokens are, to plain HTTP, to another scheme or to nowhere.
    #[error("`{url}` leads to `{}`, which is not `https://`", .to.escape_debug())]
    Led {
        /// Who led there.
        url: String,
        /// Where to, at most 256 characters.
        to: String,
    },
    /// Larger than what is wanted may be.
    #[error("`{what}` has more than {bytes_max} bytes")]
    TooLarge {
        /// What was asked for.
        what: String,
        /// Bytes that it may have.
        bytes_max: usize,
    },
    /// An answer that makes no sense, or an artefact that is no tool.
    #[error("`{what}`: {problem}")]
    Malformed {
        /// What was asked for.
        what: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Other bytes than were named. Nothing of them was kept.
    #[error("`{what}` hashes to {found}, expected {expected}")]
    Digest {
        /// What was asked for.
        what: String,
        /// What was named.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// A signature is required and is not there.
    #[error(
        "`{what}` is not signed by {}; looked for in {}",
        list(keys, "anybody: no publisher's key was named"),
        list(places, "no place")
    )]
    Unsigned {
        /// The file or artefact.
        what: String,
        /// Whose signature was required.
        keys: Vec<String>,
        /// Where it was looked for, and what was found there.
        places: Vec<String>,
    },
}

impl FetchError {
    /// Whether to try again may help, and goes on where this try ended.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Exchange {
                source: ExchangeError::Failed { .. },
                ..
            } => true,
            Self::Status { status, .. } => matches!(status, 429 | 500..),
            _ => false,
        }
    }
}

fn list(texts: &[String], none: &str) -> String {
    match texts {
        [] => none.to_owned(),
        texts => texts.join(", "),
    }
}
