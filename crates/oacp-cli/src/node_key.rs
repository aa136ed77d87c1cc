//! The node's private key: the one that delegates to sandboxes, and by which others know this node.

use std::fs;
use std::path::PathBuf;

use oacp::key::SecretKey;

use crate::console::Console;
use crate::failure::Failure;
use crate::home::{Home, shown};
use crate::key_file::{Algorithm, KeyFile};

/// The node's key; made now if there is none.
pub(crate) fn load_or_make(home: &Home, console: &Console) -> Result<SecretKey, Failure> {
    let file = file(home);
    let (seed, is_new) = file.load_or_make()?;
    let key = SecretKey::from_bytes(&seed);
    if is_new {
        console.note(&format!(
            "made this node's key {} in {}",
            key.public().id(),
            shown(file.path())
        ));
    }
    Ok(key)
}

/// The node's key, if there is one.
///
/// # Errors
///
/// A file that others can read, or that holds something else: it is never replaced silently.
pub(crate) fn load(home: &Home) -> Result<Option<SecretKey>, Failure> {
    let seed = file(home).load()?;
    Ok(seed.map(|seed| SecretKey::from_bytes(&seed)))
}

/// Makes a key where there is none.
pub(crate) fn make(home: &Home) -> Result<SecretKey, Failure> {
    Ok(SecretKey::from_bytes(&*file(home).make()?))
}

/// Puts the key aside, under a name that says which it was, so that another can be made.
pub(crate) fn put_aside(home: &Home) -> Result<Option<PathBuf>, Failure> {
    let file = file(home);
    let path = file.path();
    if !path.try_exists()? {
        return Ok(None);
    }
    let name = match file.read() {
        Ok(seed) => {
            let id = SecretKey::from_bytes(&seed).public().id().to_string();
            id.chars().take(12).collect()
        }
        Err(_) => "damaged".to_owned(),
    };
    let aside = path.with_extension(format!("key.{name}"));
    if aside.try_exists()? {
        return Err(
            Failure::unable(format!("`{}` is in the way", aside.display()))
                .hint("move it elsewhere"),
        );
    }
    fs::rename(path, &aside)?;
    Ok(Some(aside))
}

fn file(home: &Home) -> KeyFile {
    KeyFile::new(
        home.key_file(),
        "the node's key",
        Algorithm::Ed25519,
        "`oacp key new --force` makes another, which no trust file knows",
    )
}
