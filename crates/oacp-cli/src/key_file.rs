//! Private keys in files: PKCS#8 in PEM, as OpenSSL writes it, readable by their owner alone. Each file has one role, and each role its
//! own file: a key that signs two things can be made to sign the one as the other.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::failure::{Failure, Judge};
use crate::file::{self, Existing, Readers, create_private_dir};
use crate::home::shown;

/// RFC 8410, 7: all of a PKCS#8 `OneAsymmetricKey` for Ed25519 but the 32 bytes of the seed.
const ED25519: &[u8] = &[
    0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
];

/// RFC 9881, 6: the same for ML-DSA-44, in the form that holds the seed alone.
const ML_DSA44: &[u8] = &[
    0x30, 0x34, 2, 1, 0, 0x30, 0x0b, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 0x11, 4, 0x22, 0x80,
    0x20,
];

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----\n";
const PEM_END: &str = "\n-----END PRIVATE KEY-----";

/// Bytes of a key file.
const BYTES_MAX: usize = 4096;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Ed25519,
    MlDsa44,
}

impl Algorithm {
    fn prefix(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => ED25519,
            Self::MlDsa44 => ML_DSA44,
        }
    }
}

/// The 32 bytes that a private key follows from. Overwritten when dropped.
pub(crate) type Seed = Zeroizing<[u8; 32]>;

/// Where a private key is kept.
pub(crate) struct KeyFile {
    path: PathBuf,
    /// As it is called in errors: `the node's key`.
    what: &'static str,
    algorithm: Algorithm,
    /// How another is made in its place.
    renewal: &'static str,
}

impl KeyFile {
    pub(crate) fn new(
        path: PathBuf,
        what: &'static str,
        algorithm: Algorithm,
        renewal: &'static str,
    ) -> Self {
        Self {
            path,
            what,
            algorithm,
            renewal,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The key, and whether it was made now, because there was none.
    pub(crate) fn load_or_make(&self) -> Result<(Seed, bool), Failure> {
        if let Some(seed) = self.load()? {
            return Ok((seed, false));
        }
        match self.make() {
            Ok(seed) => Ok((seed, true)),
            // Another process was first: its key is the one.
            Err(failure) => match self.load()? {
                Some(seed) => Ok((seed, false)),
                None => Err(failure),
            },
        }
    }

    /// The key, if there is one.
    ///
    /// # Errors
    ///
    /// A file that others can read, or that holds something else: it is never replaced silently.
    pub(crate) fn load(&self) -> Result<Option<Seed>, Failure> {
        let (path, what) = (&self.path, self.what);
        match fs::metadata(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => {
                return Err(e).or_context(|| format!("cannot read {what} `{}`", path.display()));
            }
            Ok(metadata) if !metadata.is_file() => {
                return Err(Failure::unable(format!(
                    "{what} `{}` is not a plain file",
                    path.display()
                ))
                .hint("move it away, and restore the key from a backup"));
            }
            Ok(metadata) => self.refuse_if_shared(&metadata)?,
        }
        self.read().map(Some)
    }

    /// The key, whoever else can read it.
    pub(crate) fn read(&self) -> Result<Seed, Failure> {
        let bytes = Zeroizing::new(file::read(&self.path, BYTES_MAX)?);
        parse(&bytes, self.algorithm).ok_or_else(|| {
            let (path, what) = (self.path.display(), self.what);
            Failure::unable(format!("{what} `{path}` is damaged"))
                .hint(format!("restore it from a backup; {}", self.renewal))
        })
    }

    /// Makes a key where there is none.
    pub(crate) fn make(&self) -> Result<Seed, Failure> {
        if let Some(dir) = self.path.parent() {
            create_private_dir(dir)?;
        }
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice())
            .map_err(io::Error::from)
            .or_context(|| "the system gives no randomness".to_owned())?;
        let mut der = Zeroizing::new(self.algorithm.prefix().to_vec());
        der.extend_from_slice(seed.as_slice());
        let body = Zeroizing::new(STANDARD.encode(&*der));
        let pem = Zeroizing::new(format!("{PEM_BEGIN}{}{PEM_END}\n", *wrapped(&body)));
        file::write_whole(&self.path, pem.as_bytes(), Existing::Keep, Readers::Owner)
            .or_context(|| format!("cannot write {} `{}`", self.what, self.path.display()))?;
        Ok(seed)
    }

    #[cfg(unix)]
    fn refuse_if_shared(&self, metadata: &fs::Metadata) -> Result<(), Failure> {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        if mode & 0o077 == 0 {
            return Ok(());
        }
        Err(Failure::unable(format!(
            "{} `{}` can be read by others (mode {mode:o})",
            self.what,
            self.path.display()
        ))
        .hint(format!(
            "chmod 600 {}; if somebody may have read it: {}",
            shown(&self.path),
            self.renewal
        )))
    }

    #[cfg(not(unix))]
    fn refuse_if_shared(&self, _metadata: &fs::Metadata) -> Result<(), Failure> {
        Ok(())
    }
}

/// RFC 7468, 2: lines of 64 characters.
fn wrapped(base64: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(base64.len() + 4));
    for (at, character) in base64.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text
}

fn parse(bytes: &[u8], algorithm: Algorithm) -> Option<Seed> {
    let pem = std::str::from_utf8(bytes).ok()?.trim_end();
    let body = pem.strip_prefix(PEM_BEGIN)?.strip_suffix(PEM_END)?;
    let body: Zeroizing<String> = Zeroizing::new(body.lines().collect());
    let der = Zeroizing::new(STANDARD.decode(&*body).ok()?);
    let seed: [u8; 32] = der.strip_prefix(algorithm.prefix())?.try_into().ok()?;
    Some(Zeroizing::new(seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_made_and_as_no_other_kind() {
        let dir = std::env::temp_dir().join(format!("oacp-key-file-{}", std::process::id()));
        let file = |algorithm| KeyFile::new(dir.join("a.key"), "the key", algorithm, "");
        for algorithm in [Algorithm::Ed25519, Algorithm::MlDsa44] {
            let (made, is_new) = file(algorithm).load_or_make().map_err(|_| ()).unwrap();
            assert!(is_new);
            let (read, is_new) = file(algorithm).load_or_make().map_err(|_| ()).unwrap();
            assert_eq!((&*read, is_new), (&*made, false));
            let other = match algorithm {
                Algorithm::Ed25519 => Algorithm::MlDsa44,
                Algorithm::MlDsa44 => Algorithm::Ed25519,
            };
            assert!(file(other).load().is_err());
            let pem = fs::read_to_string(dir.join("a.key")).unwrap();
            assert!(pem.lines().all(|line| line.len() <= 64), "{pem}");
            fs::remove_file(dir.join("a.key")).unwrap();
        }
        fs::remove_dir_all(dir).unwrap();
    }
}
