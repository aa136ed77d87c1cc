//! What waits for registries: a spool for each, and beside the envelopes what is needed to send them, so that nobody has to say it again.

use std::fs;
use std::io;
use std::path::Path;

use oacp_gateway::Spool;

use super::Known;
use crate::failure::{Failure, Judge};
use crate::file::{self, Existing, Readers};
use crate::home::Home;

/// The file that says whose spool it is. A spool's own files have other endings.
const REGISTRY: &str = "registry";

/// Bytes of that file.
const BYTES_MAX: usize = 64 << 10;

/// Keeps how the registry is reached.
pub(super) fn remember(dir: &Path, known: &Known) -> Result<(), Failure> {
    let file = dir.join(REGISTRY);
    let json = serde_json::to_vec_pretty(known)?;
    // It is the same from run to run.
    if fs::read(&file).is_ok_and(|there| there == json) {
        return Ok(());
    }
    file::write_whole(&file, &json, Existing::Replace, Readers::Owner)
        .or_context(|| format!("cannot write `{}`", file.display()))
}

/// All spools of this home, with the registries that they are for.
pub(crate) fn spools(home: &Home) -> Result<Vec<(Known, Spool)>, Failure> {
    let dir = home.spool();
    let entries = match fs::read_dir(&dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.or_context(|| format!("cannot read `{}`", dir.display()))?,
    };
    let mut spools = Vec::new();
    for entry in entries {
        let dir = entry?.path();
        let file = dir.join(REGISTRY);
        if !file.exists() {
            continue;
        }
        let known: Known = serde_json::from_slice(&file::read(&file, BYTES_MAX)?)
            .or_context(|| format!("`{}` is damaged", file.display()))
            .or_hint(|| "run once with the same --registry: it is written anew".to_owned())?;
        spools.push((known, Spool::open(&dir)?));
    }
    spools.sort_by(|(one, _), (other, _)| one.url().cmp(other.url()));
    Ok(spools)
}
