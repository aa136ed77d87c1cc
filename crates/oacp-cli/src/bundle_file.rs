//! Bundles as files.

use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use oacp::bundle::Bundle;
use oacp::refusal::{Refusal, RefusalKind};
use oacp::time::Timestamp;
use oacp::trust::{Origin, Trust};
use oacp::{Expectation, Verified};

use crate::failure::{Exit, Failure, Judge};
use crate::file::{self, Existing, Readers};
use crate::trust::Trusted;

/// Reads a bundle, from standard input for `-`. Nothing in it is verified.
///
/// # Errors
///
/// A file that cannot be read could not be checked; bytes that are no bundle are refused.
pub(crate) fn read(path: &Path) -> Result<Bundle, Failure> {
    parse(&file::read(path, oacp::limits::BUNDLE.bytes_max)?)
}

/// The same of bytes.
pub(crate) fn parse(bytes: &[u8]) -> Result<Bundle, Failure> {
    Bundle::parse(bytes).map_err(|error| {
        let code = error.code();
        Failure::from(error).refused(Exit::No, code)
    })
}

/// Writes a bundle, whole or not at all.
pub(crate) fn write(
    path: &Path,
    bundle: &Bundle,
    existing: Existing,
    readers: Readers,
) -> Result<(), Failure> {
    match file::write_whole(path, &bundle.to_bytes(), existing, readers) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(taken(path)),
        written => written.or_context(|| format!("cannot write the bundle `{}`", path.display())),
    }
}

/// The refusal to write over a bundle.
pub(crate) fn taken(path: &Path) -> Failure {
    Failure::usage(format!("`{}` is there already", path.display()))
        .hint("name another file, or give --force to replace it")
}

/// Verifies a bundle by this machine's clock.
pub(crate) fn verify(
    bundle: &Bundle,
    trusted: &Trusted,
    expectation: &Expectation,
) -> Result<Verified, Failure> {
    verify_by(bundle, &trusted.with(bundle)?, expectation)
}

/// The same, by this trust.
pub(crate) fn verify_by(
    bundle: &Bundle,
    trust: &Trust,
    expectation: &Expectation,
) -> Result<Verified, Failure> {
    bundle
        .verify(trust, expectation, now())
        .map_err(|refusal| refused(refusal, trust.origin()))
}

/// A refusal on its way out: exit code, stable word and hint.
pub(crate) fn refused(refusal: Refusal, origin: Origin) -> Failure {
    let exit = match refusal.kind() {
        RefusalKind::Invalid => Exit::No,
        RefusalKind::CouldNotCheck => Exit::Unable,
    };
    let (code, hint) = (refusal.code(), hint(&refusal));
    let failure = match foreign_here(&refusal, origin) {
        Some(message) => Failure::unable(message),
        None => Failure::from(refusal),
    };
    let failure = failure.refused(exit, code);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Where no trust file was given, none can be said to lack a key.
pub(crate) fn foreign_here(refusal: &Refusal, origin: Origin) -> Option<String> {
    match (refusal, origin) {
        (Refusal::ForeignNodeKey { keyid }, Origin::ThisMachine) => Some(format!(
            "delegation is signed by the key `{keyid}`, which is not this machine's own, and no trust file was given"
        )),
        (Refusal::LogPolicyMissing { level }, Origin::ThisMachine) => Some(format!(
            "level {level} needs a log policy: the log is not known to this machine, and no trust file was given"
        )),
        _ => None,
    }
}

fn hint(refusal: &Refusal) -> Option<&'static str> {
    match refusal {
        Refusal::ForeignNodeKey { .. } => Some(
            "get the node's trust file from whoever runs it (`oacp key export` there), and give it with --trust FILE",
        ),
        Refusal::TimestampInFuture { .. } => Some("check this machine's clock"),
        Refusal::LogPolicyMissing { .. } => Some(
            "get the log's policy from whoever runs it (`oacp log policy` there), and put it under `log_policy` of the trust file; `oacp key export` there writes one that has it",
        ),
        Refusal::LogPolicyUnmet { .. }
        | Refusal::TimeNotWitnessed
        | Refusal::ProofMissing { .. } => {
            Some("`oacp log prove BUNDLE` adds the proofs that the log has by now")
        }
        _ => None,
    }
}

/// The time, by this machine's clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
