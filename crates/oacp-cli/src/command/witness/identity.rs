//! Who a witness is: `DIR` holds what it has seen, `DIR.key` and `DIR.ml-dsa-44.key` what it signs with, `DIR.name` its name.
//!
//! A key of a witness is for one name, for what it signs does not say whose it is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use oacp::key::SecretKey;
use oacp_tlog::key::{KeyName, SignerKey};
use serde_json::json;

use crate::console::{BOLD, Console, DIM};
use crate::failure::{Exit, Failure, Judge};
use crate::file::{self, Existing, Readers};
use crate::home::{Home, shown};
use crate::key_file::{Algorithm, KeyFile};

/// Bytes of a name's file.
const NAME_BYTES_MAX: usize = 1024;

const RENEWAL: &str =
    "a witness with another key is another witness: move this one's files away, and one is made";

/// Which witness.
#[derive(Args, Clone)]
pub(crate) struct Identity {
    /// What the witness is called, for ever: a URL without its scheme [default: witness.local/ and a part of its key's id]
    #[arg(long, value_name = "NAME", value_parser = name)]
    name: Option<KeyName>,
    /// What the witness remembers; its keys lie beside it [default: ~/.oacp/witness]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

fn name(text: &str) -> Result<KeyName, String> {
    text.parse::<KeyName>().map_err(|error| error.to_string())
}

impl Identity {
    /// Where the witness keeps what it has seen.
    pub(super) fn dir(&self, home: &Home) -> PathBuf {
        let dir = self.dir.clone().unwrap_or_else(|| home.witness());
        dir.components().collect()
    }

    /// Its keys, Ed25519 and ML-DSA-44; made now if there are none.
    pub(super) fn keys(&self, home: &Home, console: &Console) -> Result<[SignerKey; 2], Failure> {
        let dir = self.dir(home);
        let file = |extension, algorithm| {
            KeyFile::new(
                beside(&dir, extension),
                "the witness's key",
                algorithm,
                RENEWAL,
            )
        };
        let (ed25519, is_new) = file("key", Algorithm::Ed25519).load_or_make()?;
        let (ml_dsa44, _) = file("ml-dsa-44.key", Algorithm::MlDsa44).load_or_make()?;
        let id = SecretKey::from_bytes(&ed25519).public().id().to_string();
        let fallback = format!("witness.local/{}", id.get(..16).unwrap_or(&id));
        let name = self.remembered(&beside(&dir, "name"), &fallback)?;
        if is_new {
            console.note(&format!("made the witness {name} in {}", shown(&dir)));
        }
        Ok([
            SignerKey::ed25519_cosigner(name.clone(), &ed25519),
            SignerKey::ml_dsa44_cosigner(name, &ml_dsa44),
        ])
    }

    /// The name that these keys have; the first that they are given stays.
    fn remembered(&self, file: &Path, fallback: &str) -> Result<KeyName, Failure> {
        let given = match fs::metadata(file) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            _ => Some(read_name(file)?),
        };
        match (given, &self.name) {
            (Some(given), Some(asked)) if given != *asked => Err(Failure::usage(format!(
                "this witness is called `{given}`, and its keys are for no other name"
            ))
            .hint("leave --name out; or name another directory with --dir, for another witness")),
            (Some(given), _) => Ok(given),
            (None, asked) => {
                let name = match asked {
                    Some(name) => name.clone(),
                    None => fallback.parse()?,
                };
                let text = format!("{name}\n");
                file::write_whole(file, text.as_bytes(), Existing::Keep, Readers::Owner)
                    .or_context(|| format!("cannot write `{}`", file.display()))?;
                Ok(name)
            }
        }
    }
}

fn read_name(file: &Path) -> Result<KeyName, Failure> {
    let bytes = file::read(file, NAME_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&bytes);
    text.trim_end()
        .parse()
        .or_context(|| format!("`{}` is damaged", file.display()))
}

fn beside(dir: &Path, extension: &str) -> PathBuf {
    let mut name = dir.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

pub(super) fn key(arguments: &Identity, home: &Home, console: &Console) -> Result<Exit, Failure> {
    home.create()?;
    let keys = arguments.keys(home, console)?;
    let [ed25519, ml_dsa44] = &keys;
    if console.json {
        console.print_json(&json!({
            "name": ed25519.name().as_str(),
            "key": ed25519.verifier().to_string(),
            "ml_dsa44_key": ml_dsa44.verifier().to_string(),
            "directory": arguments.dir(home),
        }))?;
    } else {
        console.print(&format!(
            "{BOLD}{}{BOLD:#}\n{}\n{DIM}and after quantum computers:{DIM:#}\n{}",
            ed25519.name(),
            ed25519.verifier(),
            ml_dsa44.verifier(),
        ))?;
    }
    Ok(Exit::Yes)
}
