//! The node's private key: PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` writes it, readable by its owner alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oacp::key::SecretKey;
use zeroize::Zeroizing;

use crate::console::Console;
use crate::failure::{Failure, Judge};
use crate::file::{self, Existing, Readers};
use crate::home::{Home, shown};

/// RFC 8410, 7: all of a PKCS#8 `OneAsymmetricKey` for Ed25519 but the 32 bytes of the seed.
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
];
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----\n";
const PEM_END: &str = "\n-----END PRIVATE KEY-----";

/// Bytes of a key file.
const KEY_FILE_BYTES_MAX: usize = 4096;

/// The node's key; made now if there is none.
pub(crate) fn load_or_make(home: &Home, console: &Console) -> Result<SecretKey, Failure> {
    if let Some(key) = load(home)? {
        return Ok(key);
    }
    match make(home) {
        Ok(key) => {
            console.note(&format!(
                "made this node's key {} in {}",
                key.public().id(),
                shown(&home.key_file())
            ));
            Ok(key)
        }
        // Another process was first: its key is the node's.
        Err(failure) => match load(home)? {
            Some(key) => Ok(key),
            None => Err(failure),
        },
    }
}

/// The node's key, if there is one.
///
/// # Errors
///
/// A file that others can read, or that holds something else: it is never replaced silently.
pub(crate) fn load(home: &Home) -> Result<Option<SecretKey>, Failure> {
    let path = home.key_file();
    match fs::metadata(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => {
            return Err(e)
                .or_context(|| format!("cannot read the node's key `{}`", path.display()));
        }
        Ok(metadata) if !metadata.is_file() => {
            let what = format!("the node's key `{}` is not a plain file", path.display());
            return Err(
                Failure::unable(what).hint("move it away, and restore the key from a backup")
            );
        }
        Ok(metadata) => refuse_if_shared(&path, &metadata)?,
    }
    read(&path).map(Some)
}

fn read(path: &Path) -> Result<SecretKey, Failure> {
    let bytes = Zeroizing::new(file::read(path, KEY_FILE_BYTES_MAX)?);
    let seed = parse(&bytes).ok_or_else(|| {
        Failure::unable(format!("the node's key `{}` is damaged", path.display()))
            .hint("restore it from a backup; `oacp key new --force` makes another, which no trust file knows")
    })?;
    Ok(SecretKey::from_bytes(&seed))
}

/// Makes a key where there is none.
pub(crate) fn make(home: &Home) -> Result<SecretKey, Failure> {
    home.create()?;
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice())
        .map_err(io::Error::from)
        .or_context(|| "the system gives no randomness".to_owned())?;
    let mut der = Zeroizing::new(PKCS8_PREFIX.to_vec());
    der.extend_from_slice(seed.as_slice());
    let body = Zeroizing::new(STANDARD.encode(&*der));
    let pem = Zeroizing::new(format!("{PEM_BEGIN}{}{PEM_END}\n", *body));
    let path = home.key_file();
    file::write_whole(&path, pem.as_bytes(), Existing::Keep, Readers::Owner)
        .or_context(|| format!("cannot write the node's key `{}`", path.display()))?;
    Ok(SecretKey::from_bytes(&seed))
}

/// Puts the key aside, under a name that says which it was, so that another can be made.
pub(crate) fn put_aside(home: &Home) -> Result<Option<PathBuf>, Failure> {
    let path = home.key_file();
    if !path.try_exists()? {
        return Ok(None);
    }
    let name = match read(&path) {
        Ok(key) => key.public().id().to_string().chars().take(12).collect(),
        Err(_) => "damaged".to_owned(),
    };
    let aside = path.with_extension(format!("key.{name}"));
    if aside.try_exists()? {
        return Err(
            Failure::unable(format!("`{}` is in the way", aside.display()))
                .hint("move it elsewhere"),
        );
    }
    fs::rename(&path, &aside)?;
    Ok(Some(aside))
}

fn parse(bytes: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let pem = std::str::from_utf8(bytes).ok()?.trim_end();
    let body = pem.strip_prefix(PEM_BEGIN)?.strip_suffix(PEM_END)?;
    let der = Zeroizing::new(STANDARD.decode(body).ok()?);
    let seed: [u8; 32] = der.strip_prefix(&PKCS8_PREFIX)?.try_into().ok()?;
    Some(Zeroizing::new(seed))
}

#[cfg(unix)]
fn refuse_if_shared(path: &Path, metadata: &fs::Metadata) -> Result<(), Failure> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(Failure::unable(format!(
        "the node's key `{}` can be read by others (mode {mode:o})",
        path.display()
    ))
    .hint(format!(
        "chmod 600 {}; if somebody may have read it, make another: oacp key new --force",
        shown(path)
    )))
}

#[cfg(not(unix))]
fn refuse_if_shared(_path: &Path, _metadata: &fs::Metadata) -> Result<(), Failure> {
    Ok(())
}
