//! Where a tool is, in one text.

use std::fmt;
use std::path::PathBuf;

use oacp::capability::{Scheme, Target, TargetError};
use oacp::digest::Digest;

use super::name::FileName;
use crate::limits::RECORD_TEXT_BYTES_MAX;

/// Where a tool is. `Display` writes the text that parses to the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A file or directory of this machine.
    Path(PathBuf),
    /// `https://host/file.py#sha256:<64 hex digits>`.
    Url(FileUrl),
    /// `oci://host/name:tag`, `oci://host/name@sha256:<64 hex digits>`, or both.
    Oci(Image),
}

/// A file behind a URL, and what it has to hash to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileUrl {
    target: Target,
    name: FileName,
    sha256: Digest,
}

/// An artefact in an OCI registry: a tag, a digest of its manifest, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    registry: Target,
    repository: String,
    tag: Option<String>,
    sha256: Option<Digest>,
}

impl Reference {
    /// Reads the text that a user writes. What has no scheme is a path.
    ///
    /// # Errors
    /// Another scheme; `http` to another machine; a URL without a digest, or without the name of a file that can be a tool; an image without
    /// host, name, or both of tag and digest.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let error = |problem| ReferenceError {
            reference: text.chars().take(256).collect(),
            problem,
        };
        if text.is_empty() {
            return Err(error(Problem::Empty));
        }
        if text.len() > RECORD_TEXT_BYTES_MAX {
            return Err(error(Problem::TooLong));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self::Path(PathBuf::from(text)));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "https" | "http" => FileUrl::parse(text).map(Self::Url).map_err(error),
            "oci" => Image::parse(rest).map(Self::Oci).map_err(error),
            _ => Err(error(Problem::Scheme)),
        }
    }
}

impl FileUrl {
    fn parse(text: &str) -> Result<Self, Problem> {
        let (url, fragment) = match text.split_once('#') {
            Some((url, fragment)) => (url, Some(fragment)),
            None => (text, None),
        };
        let target = Target::parse(url).map_err(Problem::Url)?;
        // What travels in the clear could be read by anybody on the way; that it is the right file, the digest says.
        if target.scheme() == Scheme::Http && !target.is_loopback() {
            return Err(Problem::Clear);
        }
        let path = target.path_and_query().split('?').next();
        let last = path.unwrap_or_default().rsplit('/').next();
        let name = FileName::parse(last.unwrap_or_default()).ok_or(Problem::FileName)?;
        let sha256 = fragment.ok_or(Problem::NoDigest)?;
        Ok(Self {
            sha256: sha256.parse().map_err(|_| Problem::Digest)?,
            target,
            name,
        })
    }

    /// Where it is.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The last part of its path.
    pub fn name(&self) -> &FileName {
        &self.name
    }

    /// What it has to hash to.
    pub fn sha256(&self) -> Digest {
        self.sha256
    }
}

impl Image {
    fn parse(text: &str) -> Result<Self, Problem> {
        let (authority, rest) = text.split_once('/').ok_or(Problem::Image)?;
        let (rest, sha256) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| Problem::Digest)?)),
            None => (rest, None),
        };
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };
        if !is_repository(repository) || tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(Problem::Image);
        }
        if tag.is_none() && sha256.is_none() {
            return Err(Problem::NoTag);
        }
        let mut registry = Target::parse(&format!("https://{authority}/")).map_err(Problem::Url)?;
        // As every client of registries has it: one on this machine is spoken to in the clear.
        if registry.is_loopback() {
            registry = Target::parse(&format!("http://{authority}/")).map_err(Problem::Url)?;
        }
        Ok(Self {
            registry,
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            sha256,
        })
    }

    /// The registry: scheme, host and port. One on this machine is spoken to in plain HTTP.
    pub fn registry(&self) -> &Target {
        &self.registry
    }

    /// The name within the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag. `None`: only a digest was named.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The manifest's digest. `None`: whatever the tag stands for when it is asked for.
    pub fn sha256(&self) -> Option<Digest> {
        self.sha256
    }

    /// The same with the digest that was found.
    pub fn pinned(self, sha256: Digest) -> Self {
        Self {
            sha256: Some(sha256),
            ..self
        }
    }

    /// The same tag, whatever it stands for now. `None`: there is no tag.
    pub fn unpinned(self) -> Option<Self> {
        let is_tagged = self.tag.is_some();
        is_tagged.then_some(Self {
            sha256: None,
            ..self
        })
    }
}

/// As the OCI distribution specification has it, 1.1: parts of lower-case letters and digits, with `.`, `_`, `__` or `-`s between.
fn is_repository(text: &str) -> bool {
    let is_part = |part: &str| {
        let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let separators = part.split(is_end).filter(|between| !between.is_empty());
        part.starts_with(is_end)
            && part.ends_with(is_end)
            && separators.clone().all(|between| {
                matches!(between, "." | "_" | "__") || between.bytes().all(|byte| byte == b'-')
            })
    };
    text.len() <= 255 && text.split('/').all(is_part)
}

fn is_tag(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Url(url) => url.fmt(f),
            Self::Oci(image) => image.fmt(f),
        }
    }
}

impl fmt::Display for FileUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.target, self.sha256)
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}/{}", self.registry.authority(), self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(sha256) = &self.sha256 {
            write!(f, "@{sha256}")?;
        }
        Ok(())
    }
}

/// A text that names no place a tool can come from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{reference}`: {problem}")]
pub struct ReferenceError {
    /// As given, at most 256 characters.
    pub reference: String,
    /// Why not.
    pub problem: Problem,
}

/// What is wrong with a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing.
    #[error("name a file, a directory, `https://…#sha256:…` or `oci://…`")]
    Empty,
    /// More than the record of a tool holds.
    #[error("it has more than {RECORD_TEXT_BYTES_MAX} bytes")]
    TooLong,
    /// Another scheme.
    #[error("a tool comes from a path, from `https://` or from `oci://`")]
    Scheme,
    /// Not a URL.
    #[error("{0}")]
    Url(TargetError),
    /// Plain HTTP to another machine.
    #[error("`http://` is for this machine only; write `https://`")]
    Clear,
    /// A path that does not end in the name of a file.
    #[error(
        "its path has to end in a file's name, of letters, digits, `.`, `_` and `-`, with .py, .js, .mjs, .ts, .mts or .wasm at its end"
    )]
    FileName,
    /// A URL alone may have other bytes tomorrow.
    #[error(
        "it does not say what the file has to hash to; add `#sha256:` and the 64 digits that `sha256sum` prints for it"
    )]
    NoDigest,
    /// Not `sha256:` and 64 lower-case hex digits.
    #[error("its digest is not `sha256:` and 64 lower-case hex digits")]
    Digest,
    /// Not an image's name.
    #[error("write `oci://HOST/NAME:TAG` or `oci://HOST/NAME@sha256:…`, the name in lower case")]
    Image,
    /// Neither tag nor digest.
    #[error("it has neither a tag nor a digest; add `:TAG` or `@sha256:…`")]
    NoTag,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_reference_reads_as_it_is_written() {
        let texts = [
            "./weather.py".to_owned(),
            "/tools/weather".to_owned(),
            "C:weather.py".to_owned(),
            format!("https://a.example/t/weather.py#sha256:{HEX}"),
            format!("https://a.example:8443/weather.wasm?token=x#sha256:{HEX}"),
            format!("http://127.0.0.1:8000/weather.ts#sha256:{HEX}"),
            "oci://ghcr.example/acme/weather:1.0".to_owned(),
            format!("oci://ghcr.example/acme/weather@sha256:{HEX}"),
            format!("oci://localhost:5000/a/b_c/d__e/f-g--h.i:v1@sha256:{HEX}"),
            "oci://[::1]:5000/weather:latest".to_owned(),
        ];
        for text in texts {
            let read = Reference::parse(&text).map(|reference| reference.to_string());
            assert_eq!(read, Ok(text));
        }
    }

    #[test]
    fn only_a_registry_on_this_machine_is_spoken_to_in_the_clear() {
        for (host, expected) in [
            ("a.example", "https://a.example:443"),
            ("a.example:5000", "https://a.example:5000"),
            ("10.0.0.1:5000", "https://10.0.0.1:5000"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("localhost", "http://localhost:80"),
        ] {
            let Ok(Reference::Oci(image)) = Reference::parse(&format!("oci://{host}/x:1")) else {
                panic!("{host}");
            };
            assert_eq!(image.registry().origin(), expected);
        }
    }

    #[test]
    fn what_is_refused_says_why() {
        let url = |rest: &str| format!("https://a.example/{rest}");
        for (text, expected) in [
            (String::new(), Problem::Empty),
            (format!("./{}", "x".repeat(5000)), Problem::TooLong),
            ("ftp://a.example/x.py".to_owned(), Problem::Scheme),
            (
                format!("http://a.example/x.py#sha256:{HEX}"),
                Problem::Clear,
            ),
            (format!("http://10.0.0.1/x.py#sha256:{HEX}"), Problem::Clear),
            (url("x.py"), Problem::NoDigest),
            (url("x.py#"), Problem::Digest),
            (url("x.py#sha256:abc"), Problem::Digest),
            (url(&format!("x.py#sha512:{HEX}")), Problem::Digest),
            (
                url(&format!("x.py#sha256:{}", HEX.to_uppercase())),
                Problem::Digest,
            ),
            (url(&format!("#sha256:{HEX}")), Problem::FileName),
            (url(&format!("x.tar.gz#sha256:{HEX}")), Problem::FileName),
            (
                url(&format!("%2e.py/..%2fx.py#sha256:{HEX}")),
                Problem::FileName,
            ),
            (
                format!("https://u@a.example/x.py#sha256:{HEX}"),
                Problem::Url(TargetError::UserInformation),
            ),
            ("oci://a.example".to_owned(), Problem::Image),
            ("oci://a.example/".to_owned(), Problem::Image),
            ("oci://a.example/X:1".to_owned(), Problem::Image),
            ("oci://a.example/x//y:1".to_owned(), Problem::Image),
            ("oci://a.example/x.-y:1".to_owned(), Problem::Image),
            ("oci://a.example/../x:1".to_owned(), Problem::Image),
            ("oci://a.example/x:".to_owned(), Problem::Image),
            ("oci://a.example/x:a/b".to_owned(), Problem::Image),
            ("oci://a.example/x".to_owned(), Problem::NoTag),
            ("oci://a.example/x@sha256:12".to_owned(), Problem::Digest),
            ("oci:///x:1".to_owned(), Problem::Url(TargetError::NoHost)),
            (
                "oci://u@a.example/x:1".to_owned(),
                Problem::Url(TargetError::UserInformation),
            ),
        ] {
            let found = Reference::parse(&text).map_err(|error| error.problem);
            assert_eq!(found, Err(expected), "{text}");
        }
    }
}
