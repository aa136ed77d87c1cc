//! Paths as a guest sees them, and patterns over them.
//!
//! The attack is a path that is judged as one file and opened as another. A [`GuestPath`] has one
//! spelling: `..` and doubled slashes are gone before anything is judged. What a symbolic link makes
//! of it on the host is for whoever opens it to find out, and to judge again.

mod pattern;

use std::fmt;
use std::str::FromStr;

pub use self::pattern::{PathPattern, PatternError, PatternProblem};
use crate::limits::{GUEST_PATH_BYTES_MAX, GUEST_PATH_SEGMENT_BYTES_MAX};

/// An absolute path as a guest sees it: UTF-8 that begins with `/`, no segment empty, `.` or `..`,
/// no NUL; at most 4096 bytes, and 255 a segment. The root is `/`. Compared byte by byte.
///
/// `Display` writes it as it is; a guest chose it, so escape it before a person sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestPath(String);

impl GuestPath {
    /// `/`.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// What `path` names, absolute or relative to this one. `.`, `..`, doubled and trailing slashes
    /// are resolved by the text alone.
    ///
    /// # Errors
    /// An empty path, one that leads above the root, a NUL, or too many bytes.
    pub fn join(&self, path: &str) -> Result<Self, GuestPathError> {
        if path.is_empty() {
            return Err(GuestPathError::Empty);
        }
        let mut text = match path.strip_prefix('/') {
            Some(_) => String::new(),
            None => self.stem().to_owned(),
        };
        for segment in path.split('/') {
            match segment {
                "" | "." => {}
                ".." => text.truncate(text.rfind('/').ok_or(GuestPathError::AboveRoot)?),
                name => push(&mut text, name)?,
            }
        }
        if text.is_empty() {
            text.push('/');
        }
        Ok(Self(text))
    }

    /// The directory that it is in. `None`: it is the root.
    pub fn parent(&self) -> Option<Self> {
        match self.0.rsplit_once('/') {
            Some((_, "")) | None => None,
            Some(("", _)) => Some(Self::root()),
            Some((parent, _)) => Some(Self(parent.to_owned())),
        }
    }

    /// The last segment; of the root, nothing.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(_, name)| name)
    }

    /// The path of `name` in this directory.
    ///
    /// # Errors
    /// What is no name of one segment, or makes the path too long.
    pub fn child(&self, name: &str) -> Result<Self, GuestPathError> {
        if matches!(name, "" | "." | "..") || name.contains('/') {
            return Err(GuestPathError::NotNormal);
        }
        let mut text = self.stem().to_owned();
        push(&mut text, name)?;
        Ok(Self(text))
    }

    /// Whether it is `directory`, or below it.
    pub fn starts_with(&self, directory: &Self) -> bool {
        below(&self.0, directory.stem()).is_some()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, so that another segment can be put after it: nothing for the root.
    fn stem(&self) -> &str {
        if self.0.len() == 1 { "" } else { &self.0 }
    }
}

/// What follows `prefix` in `path`, where `prefix` ends at the end of a segment.
fn below<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    path.strip_prefix(prefix)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn push(text: &mut String, segment: &str) -> Result<(), GuestPathError> {
    if segment.contains('\0') {
        return Err(GuestPathError::Nul);
    }
    if segment.len() > GUEST_PATH_SEGMENT_BYTES_MAX {
        return Err(GuestPathError::SegmentTooLong);
    }
    text.push('/');
    text.push_str(segment);
    if text.len() > GUEST_PATH_BYTES_MAX {
        return Err(GuestPathError::TooLong);
    }
    Ok(())
}

impl fmt::Display for GuestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for GuestPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for GuestPath {
    type Err = GuestPathError;

    /// Reads a path that has its one spelling already.
    fn from_str(text: &str) -> Result<Self, GuestPathError> {
        if !text.starts_with('/') {
            return Err(if text.is_empty() {
                GuestPathError::Empty
            } else {
                GuestPathError::Relative
            });
        }
        let path = Self::root().join(text)?;
        if path.0 == text {
            Ok(path)
        } else {
            Err(GuestPathError::NotNormal)
        }
    }
}

text_serde!(GuestPath);

/// Why a text is no path for a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuestPathError {
    /// No text.
    #[error("path is empty")]
    Empty,
    /// It does not begin with `/`, where it has to.
    #[error("path is not absolute")]
    Relative,
    /// `..` of the root.
    #[error("path leads above the root")]
    AboveRoot,
    /// A segment that is empty, `.` or `..`, or a slash where one name is asked for.
    #[error("path has a segment that is empty, `.` or `..`")]
    NotNormal,
    /// A NUL, which no path can have.
    #[error("path has a NUL character")]
    Nul,
    /// More than 4096 bytes.
    #[error("path is longer than {GUEST_PATH_BYTES_MAX} bytes")]
    TooLong,
    /// A segment of more than 255 bytes.
    #[error("path has a segment longer than {GUEST_PATH_SEGMENT_BYTES_MAX} bytes")]
    SegmentTooLong,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(text: &str) -> GuestPath {
        text.parse().unwrap()
    }

    #[test]
    fn a_path_has_one_spelling() {
        for text in ["/", "/a", "/a/b", "/ä/ /\n", "/...", "/a*b", "/~", "/a\\b"] {
            assert_eq!(path(text).to_string(), text);
        }
        for (text, error) in [
            ("", GuestPathError::Empty),
            ("a", GuestPathError::Relative),
            ("./a", GuestPathError::Relative),
            ("//", GuestPathError::NotNormal),
            ("/a/", GuestPathError::NotNormal),
            ("/a//b", GuestPathError::NotNormal),
            ("/./a", GuestPathError::NotNormal),
            ("/a/..", GuestPathError::NotNormal),
            ("/..", GuestPathError::AboveRoot),
            ("/a\0", GuestPathError::Nul),
        ] {
            assert_eq!(text.parse::<GuestPath>(), Err(error), "{text:?}");
        }
        assert!(format!("/{}", "x".repeat(255)).parse::<GuestPath>().is_ok());
        assert_eq!(
            format!("/{}", "x".repeat(256)).parse::<GuestPath>(),
            Err(GuestPathError::SegmentTooLong)
        );
        let long = "/abcdefg".repeat(512);
        assert_eq!((long.len(), path(&long).as_str().len()), (4096, 4096));
        assert_eq!(
            format!("{long}x/y").parse::<GuestPath>(),
            Err(GuestPathError::TooLong)
        );
    }

    #[test]
    fn joining_resolves_by_the_text() {
        let base = path("/w/in");
        for (text, expected) in [
            ("a", "/w/in/a"),
            ("./a/", "/w/in/a"),
            ("../a", "/w/a"),
            ("../..", "/"),
            ("a/../../b", "/w/b"),
            ("/a//b/.", "/a/b"),
            ("/", "/"),
            (".", "/w/in"),
            ("~", "/w/in/~"),
        ] {
            assert_eq!(base.join(text).unwrap().as_str(), expected, "{text}");
        }
        for (text, error) in [
            ("", GuestPathError::Empty),
            ("../../..", GuestPathError::AboveRoot),
            ("/..", GuestPathError::AboveRoot),
            ("/a/../../a", GuestPathError::AboveRoot),
            ("a\0b", GuestPathError::Nul),
        ] {
            assert_eq!(base.join(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_path_knows_its_directory() {
        assert_eq!(path("/").parent(), None);
        assert_eq!(path("/a").parent(), Some(GuestPath::root()));
        assert_eq!(path("/a/b").parent(), Some(path("/a")));
        assert_eq!((path("/").name(), path("/a/b").name()), ("", "b"));
        assert_eq!(path("/").child("a"), Ok(path("/a")));
        assert_eq!(path("/a").child("b"), Ok(path("/a/b")));
        for name in ["", ".", "..", "a/b", "/", "a\0"] {
            assert!(path("/a").child(name).is_err(), "{name:?}");
        }
        for (text, directory, expected) in [
            ("/a", "/", true),
            ("/", "/", true),
            ("/a/b", "/a", true),
            ("/a", "/a", true),
            ("/ab", "/a", false),
            ("/a", "/a/b", false),
        ] {
            assert_eq!(path(text).starts_with(&path(directory)), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_joined_has_one_spelling(base in "(/[a-c.]{1,3}){0,3}", text in "[a-b./]{0,12}") {
            let Ok(base) = GuestPath::root().join(&format!("/{base}")) else { return Ok(()) };
            if let Ok(joined) = base.join(&text) {
                prop_assert_eq!(joined.as_str().parse(), Ok(joined.clone()));
                if let Some(parent) = joined.parent() {
                    prop_assert_eq!(parent.child(joined.name()), Ok(joined));
                }
            }
        }
    }
}
