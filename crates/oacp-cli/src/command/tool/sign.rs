//! `oacp tool sign`: this node's key releases a file, for others to check.

use std::path::PathBuf;

use clap::Args;
use oacp::digest::Digest;
use oacp::release::Release;
use oacp_tool::limits::COMPONENT_BYTES_MAX;
use serde_json::json;

use crate::console::Console;
use crate::failure::{Exit, Failure, Judge};
use crate::file::{self, Existing, Readers};
use crate::home::Home;
use crate::{bundle_file, node_key};

#[derive(Args)]
pub(crate) struct Sign {
    /// The file that others are to have
    file: PathBuf,
    /// Where to [default: FILE.dsse.json, where it is looked for]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the signature that is there already
    #[arg(long)]
    force: bool,
}

pub(super) fn sign(sign: &Sign, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let name = sign.file.file_name().and_then(|name| name.to_str());
    let name = name
        .ok_or_else(|| Failure::usage(format!("`{}` does not name a file", sign.file.display())))?;
    let bytes = file::read(&sign.file, COMPONENT_BYTES_MAX).or_usage()?;
    let release = Release {
        name: name.to_owned(),
        sha256: Digest::of(&bytes),
        timestamp: bundle_file::now(),
        unknown: Vec::new(),
    };
    let key = node_key::load_or_make(home, console)?;
    let envelope = release.sign(&key).to_json();
    let out = sign
        .out
        .clone()
        .unwrap_or_else(|| sign.file.with_file_name(format!("{name}.dsse.json")));
    let existing = match sign.force {
        true => Existing::Replace,
        false => Existing::Keep,
    };
    match file::write_whole(&out, &envelope, existing, Readers::Anyone) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(bundle_file::taken(&out));
        }
        written => written?,
    }
    let id = key.public().id();
    if console.json {
        console.print_json(&json!({ "sha256": release.sha256, "key_id": id, "file": out }))?;
    } else {
        console.print(&format!("{}  {}", release.sha256, out.display()))?;
    }
    console.note(
        "others take it with --publisher-key FILE; `oacp key show` prints what belongs into that file",
    );
    Ok(Exit::Yes)
}
