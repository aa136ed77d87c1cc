//! Registries elsewhere that this machine knows: which log is behind a URL, and the token for appending to it.
//!
//! In `registries/` of the home are `<host>.policy` and `<host>.token`, which `oacp log add` puts there; a configuration or the command
//! line may name other files. There are too, as `<name>.directory`, the logs in other directories whose keys were made here: a log that
//! came with a directory is somebody else's.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use oacp::capability::Target;
use oacp::id::LogOrigin;
use oacp_gateway::{RemoteRegistry, Spool};
use oacp_tlog::policy::Policy;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::directory::{Directory, read_policy};
use super::{Asked, Place, spooled};
use crate::escape::visible;
use crate::failure::{Failure, Judge};
use crate::file::{self, Existing, Readers, create_private_dir};
use crate::home::{Home, shown};
use crate::secret;

/// Bytes of a token's file.
const TOKEN_BYTES_MAX: usize = 64 << 10;

/// Bytes of a file that says where a log is.
const MADE_BYTES_MAX: usize = 64 << 10;

/// A registry behind a URL, and the files that say what is known of it. Holds no secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Known {
    url: String,
    policy: PathBuf,
    token: Option<PathBuf>,
}

impl Known {
    /// What was said of it, and what the home has.
    ///
    /// # Errors
    ///
    /// Usage: not a URL; nobody said which log it is.
    pub(crate) fn find(url: &str, asked: &Asked, home: &Home) -> Result<Self, Failure> {
        let name = name_of(url)?;
        let policy = match &asked.log_policy {
            Some(file) => file.clone(),
            None => policy_file(&name, home),
        };
        if !policy.exists() {
            return Err(Failure::usage(format!(
                "which log is behind `{}` is not known: there is no {}",
                visible(url),
                shown(&policy)
            ))
            .hint(format!(
                "get the log's policy from whoever runs it (`oacp log policy` there), and give it once to `oacp log add {} --log-policy FILE`, or each time with --log-policy FILE",
                visible(url)
            )));
        }
        let token = match &asked.token {
            Some(file) => Some(file.clone()),
            None => Some(token_file(&name, home)).filter(|file| file.exists()),
        };
        Ok(Self {
            url: url.to_owned(),
            policy,
            token,
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// As a command line would name it.
    pub(crate) fn asked(&self) -> Asked {
        Asked {
            place: Some(Place::Url(self.url.clone())),
            log_policy: Some(self.policy.clone()),
            token: self.token.clone(),
        }
    }

    pub(crate) fn policy(&self) -> Result<Policy, Failure> {
        read_policy(&self.policy)
    }

    /// The log's name: that of the policy's one log, or of the one that the policy has at this URL.
    pub(crate) fn origin(&self) -> Result<LogOrigin, Failure> {
        let policy = self.policy()?;
        let listed = |url: &str| url.trim_end_matches('/') == self.url.trim_end_matches('/');
        let log = match policy.logs() {
            [log] => Some(log),
            logs => logs.iter().find(|log| log.url().is_some_and(listed)),
        };
        let log = log.ok_or_else(|| {
            Failure::usage(format!(
                "{} lists {} logs, and none of them at `{}`",
                shown(&self.policy),
                policy.logs().len(),
                visible(&self.url)
            ))
            .hint("write the URL behind the log's key: `log VKEY URL`")
        })?;
        Ok(log.key().name().as_str().parse()?)
    }

    /// The way to it. Opens nothing.
    pub(crate) fn registry(
        &self,
        egress: &oacp_egress::Options,
    ) -> Result<RemoteRegistry, Failure> {
        let token = self.token.as_deref().map(secret::token).transpose()?;
        RemoteRegistry::new(&self.url, token.as_ref(), self.origin()?, egress)
            .or_usage()
            .or_hint(|| "a registry beyond this machine is at https://…".to_owned())
    }

    /// Where attestations wait for it. What is needed to send them is kept beside them.
    pub(crate) fn spool(&self, home: &Home) -> Result<Spool, Failure> {
        let dir = home.spool().join(name_of(&self.url)?);
        create_private_dir(&dir)?;
        spooled::remember(&dir, self)?;
        Ok(Spool::open(&dir)?)
    }

    /// Where a monitor of it keeps what it has seen.
    pub(crate) fn monitor_dir(&self, home: &Home) -> Result<PathBuf, Failure> {
        Ok(home.monitors().join(name_of(&self.url)?))
    }
}

/// Puts a policy, and the token for appending that a file holds, into the home, so that the URL alone is enough.
pub(crate) fn add(
    url: &str,
    policy: &Policy,
    token: Option<&Path>,
    existing: Existing,
    home: &Home,
) -> Result<PathBuf, Failure> {
    let name = name_of(url)?;
    let token = match token {
        Some(file) => {
            // What would be refused later is not kept.
            secret::token(file)?;
            Some(Zeroizing::new(file::read(file, TOKEN_BYTES_MAX)?))
        }
        None => None,
    };
    create_private_dir(&home.registries())?;
    let file = policy_file(&name, home);
    match file::write_whole(&file, policy.text(), existing, Readers::Owner) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Failure::usage(format!(
                "`{}` is known already, by {}",
                visible(url),
                shown(&file)
            ))
            .hint("--force replaces what is known of it"));
        }
        written => written.or_context(|| format!("cannot write `{}`", file.display()))?,
    }
    let token_file = token_file(&name, home);
    match token {
        Some(bytes) => file::write_whole(&token_file, &bytes, Existing::Replace, Readers::Owner)
            .or_context(|| format!("cannot write `{}`", token_file.display()))?,
        // One that is there was for what was known before.
        None => match fs::remove_file(&token_file) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(e).or_context(|| format!("cannot remove `{}`", token_file.display()));
            }
            _ => {}
        },
    }
    Ok(file)
}

/// A log in a directory whose key was made here.
#[derive(Serialize, Deserialize)]
struct Made {
    directory: PathBuf,
    /// Its vkey.
    key: String,
}

/// Remembers that the key of a log was made here: what this machine says of its own log is trusted here.
pub(super) fn made(directory: &Directory, home: &Home) -> Result<(), Failure> {
    if directory.dir() == home.log() {
        return Ok(());
    }
    let key = directory.signer()?.verifier();
    create_private_dir(&home.registries())?;
    let file = home
        .registries()
        .join(format!("{}.directory", file_name(key.name().as_str())));
    let json = serde_json::to_vec_pretty(&Made {
        directory: std::path::absolute(directory.dir())?,
        key: key.to_string(),
    })?;
    file::write_whole(&file, &json, Existing::Replace, Readers::Owner)
        .or_context(|| format!("cannot write `{}`", file.display()))
}

/// The policies of all registries that the home knows.
pub(crate) fn policies(home: &Home) -> Result<Vec<Policy>, Failure> {
    let dir = home.registries();
    let entries = match fs::read_dir(&dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.or_context(|| format!("cannot read `{}`", dir.display()))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry?.path());
    }
    files.sort();
    let mut policies = Vec::new();
    for file in files {
        match file.extension().and_then(OsStr::to_str) {
            Some("policy") => policies.push(read_policy(&file)?),
            Some("directory") => policies.extend(policy_of(&file)),
            _ => {}
        }
    }
    Ok(policies)
}

/// The policy of a log that was made here, if it is still there, and still names the key.
fn policy_of(file: &Path) -> Option<Policy> {
    let made: Made = serde_json::from_slice(&file::read(file, MADE_BYTES_MAX).ok()?).ok()?;
    let policy = Directory::new(made.directory).policy().ok()??;
    let mut logs = policy.logs().iter();
    logs.any(|log| log.key().to_string() == made.key)
        .then_some(policy)
}

fn policy_file(name: &str, home: &Home) -> PathBuf {
    home.registries().join(format!("{name}.policy"))
}

fn token_file(name: &str, home: &Home) -> PathBuf {
    home.registries().join(format!("{name}.token"))
}

/// A file's name for a URL: host, port if it is another than the scheme's, and path.
fn name_of(url: &str) -> Result<String, Failure> {
    let target = Target::parse(url)
        .or_context(|| format!("`{}` is not a registry's URL", visible(url)))
        .or_usage()?;
    let canonical = target.to_string();
    let rest = canonical
        .split_once("://")
        .map_or(canonical.as_str(), |(_, rest)| rest);
    Ok(file_name(rest.trim_end_matches('/')))
}

fn file_name(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || ".-".contains(c) => c,
            _ => '_',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file() {
        let name = |url| name_of(url).map_err(|failure| failure.message());
        assert_eq!(name("https://LOG.example:443/").unwrap(), "log.example");
        assert_eq!(name("http://127.0.0.1:8080").unwrap(), "127.0.0.1_8080");
        assert_eq!(name("https://log.example/a/b").unwrap(), "log.example_a_b");
        assert!(name("log.example").is_err());
    }
}
