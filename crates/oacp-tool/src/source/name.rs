//! The name of a file that can be a tool.

use std::fmt;

use oacp::limits::{SOURCE_FILE_BYTES_MAX, SOURCE_PATH_SEGMENT_BYTES_MAX};

use crate::limits::COMPONENT_BYTES_MAX;

/// The extensions of files that can be tools by themselves.
const EXTENSIONS: [&str; 6] = ["py", "js", "mjs", "ts", "mts", "wasm"];

/// A file's name: 1 to 255 letters, digits, `.`, `_` and `-`, no dot at its beginning, and an extension that says what it is. Whatever a
/// server says, it names no directory, and nothing hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// The name, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let (stem, extension) = text.rsplit_once('.')?;
        let is_name = text.len() <= SOURCE_PATH_SEGMENT_BYTES_MAX
            && !stem.is_empty()
            && !stem.starts_with('.')
            && EXTENSIONS.contains(&extension)
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        is_name.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Bytes that such a file may have.
    pub(super) fn bytes_max(&self) -> usize {
        match self.0.ends_with(".wasm") {
            true => COMPONENT_BYTES_MAX,
            false => SOURCE_FILE_BYTES_MAX,
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_files_and_says_what_it_is() {
        for (text, expected) in [
            ("weather.py", true),
            ("a.b-c_d.mjs", true),
            ("W.wasm", true),
            ("", false),
            (".py", false),
            ("..py", false),
            (".hidden.py", false),
            ("weather", false),
            ("weather.PY", false),
            ("weather.tar.gz", false),
            ("a/b.py", false),
            ("a\\b.py", false),
            ("a%2fb.py", false),
            ("a b.py", false),
            ("é.py", false),
        ] {
            assert_eq!(FileName::parse(text).is_some(), expected, "{text}");
        }
        assert!(FileName::parse(&format!("{}.py", "a".repeat(252))).is_some());
        assert!(FileName::parse(&format!("{}.py", "a".repeat(253))).is_none());
    }
}
