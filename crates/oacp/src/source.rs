//! An agent's source: one file or several, and its hash.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::blob::Blob;
use crate::digest::{Digest, Hasher};
use crate::limits::{
    SOURCE_BYTES_MAX, SOURCE_FILE_BYTES_MAX, SOURCE_FILES_MAX, SOURCE_PATH_BYTES_MAX,
    SOURCE_PATH_SEGMENT_BYTES_MAX,
};

/// The path of a source file: relative, segments separated by `/`, none of them empty, `.` or `..`;
/// no control character, no backslash; at most 255 bytes a segment and 1024 in all. Compared byte
/// by byte: two spellings that Unicode calls equivalent are two paths (NFC is not enforced, for a
/// file system that holds both must be sayable).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourcePath(String);

impl SourcePath {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SourcePath {
    type Err = ParseSourcePathError;

    fn from_str(text: &str) -> Result<Self, ParseSourcePathError> {
        if text.is_empty() {
            return Err(ParseSourcePathError::Empty);
        }
        if text.len() > SOURCE_PATH_BYTES_MAX
            || text
                .split('/')
                .any(|segment| segment.len() > SOURCE_PATH_SEGMENT_BYTES_MAX)
        {
            return Err(ParseSourcePathError::TooLong);
        }
        if text
            .chars()
            .any(|character| character.is_control() || character == '\\')
        {
            return Err(ParseSourcePathError::Character);
        }
        if text
            .split('/')
            .any(|segment| matches!(segment, "" | "." | ".."))
        {
            return Err(ParseSourcePathError::Segment);
        }
        Ok(Self(text.to_owned()))
    }
}

text_serde!(SourcePath);

/// Why a text is not a source path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseSourcePathError {
    /// No characters.
    #[error("source path is empty")]
    Empty,
    /// Over 1024 bytes, or a segment over 255.
    #[error("source path is longer than 1024 bytes, or a segment than 255")]
    TooLong,
    /// A control character or a backslash.
    #[error("source path holds a control character or a backslash")]
    Character,
    /// Absolute, or a segment that is empty, `.` or `..`.
    #[error("source path is absolute, or has a segment that is empty, `.` or `..`")]
    Segment,
}

/// One file or several, with the one to start at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    files: BTreeMap<SourcePath, Blob>,
    entry: SourcePath,
}

impl Source {
    /// A source of one file.
    ///
    /// # Errors
    /// Only for its size.
    pub fn single(name: SourcePath, content: Vec<u8>) -> Result<Self, SourceError> {
        Self::new([(name.clone(), content)], name)
    }

    /// A source of several files, started at `entry`.
    ///
    /// # Errors
    /// Too many files or bytes; a path twice; a path that is also a directory of another; `entry`
    /// not among the files.
    pub fn new(
        files: impl IntoIterator<Item = (SourcePath, Vec<u8>)>,
        entry: SourcePath,
    ) -> Result<Self, SourceError> {
        let files = files.into_iter();
        Self::of_blobs(
            files.map(|(path, content)| (path, Blob::of(content))),
            entry,
        )
    }

    /// [`Source::new`] from contents that are held already.
    pub(crate) fn of_blobs(
        files: impl IntoIterator<Item = (SourcePath, Blob)>,
        entry: SourcePath,
    ) -> Result<Self, SourceError> {
        let mut map: BTreeMap<SourcePath, Blob> = BTreeMap::new();
        let mut bytes = 0;
        for (path, content) in files {
            if map.len() == SOURCE_FILES_MAX {
                return Err(SourceError::TooManyFiles);
            }
            bytes += content.len();
            if content.len() > SOURCE_FILE_BYTES_MAX || bytes > SOURCE_BYTES_MAX {
                return Err(SourceError::TooLarge { path });
            }
            if map.contains_key(&path) {
                return Err(SourceError::Duplicate { path });
            }
            map.insert(path, content);
        }
        for path in map.keys() {
            let directories = path
                .0
                .match_indices('/')
                .filter_map(|(at, _)| path.0.get(..at));
            for directory in directories {
                if map.contains_key(&SourcePath(directory.to_owned())) {
                    return Err(SourceError::AlsoDirectory {
                        path: SourcePath(directory.to_owned()),
                    });
                }
            }
        }
        if !map.contains_key(&entry) {
            return Err(SourceError::NoEntry { entry });
        }
        Ok(Self { files: map, entry })
    }

    /// The `agent_hash` of a statement. Of exactly one file: the SHA-256 of its content, as
    /// `sha256sum` prints it (its path is not in it; a statement names the entry beside the hash).
    /// Of several: SHA-256 over
    ///
    /// ```text
    /// "oacp/source/v1" ‖ 0x00 ‖ for each file in byte order of the paths: path ‖ 0x00 ‖ SHA-256(content), 32 bytes
    ///                         ‖ path of the entry
    /// ```
    ///
    /// No path holds a zero byte. No modes, no times.
    pub fn hash(&self) -> Digest {
        let digests = self
            .files
            .iter()
            .map(|(path, content)| (path, content.digest()));
        hash_of(digests, self.files.len(), &self.entry)
    }

    /// Paths and contents, in byte order of the paths.
    pub fn files(&self) -> impl Iterator<Item = (&SourcePath, &[u8])> {
        self.files.iter().map(|(path, content)| (path, &**content))
    }

    /// Paths and contents with their digests.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = (&SourcePath, &Blob)> {
        self.files.iter()
    }

    /// The file to start at.
    pub fn entry(&self) -> &SourcePath {
        &self.entry
    }
}

fn hash_of<'a>(
    mut digests: impl Iterator<Item = (&'a SourcePath, Digest)>,
    count: usize,
    entry: &SourcePath,
) -> Digest {
    if count == 1
        && let Some((_, digest)) = digests.next()
    {
        return digest;
    }
    let mut hasher = Hasher::new();
    hasher.update(b"oacp/source/v1\0");
    for (path, digest) in digests {
        hasher
            .update(path.0.as_bytes())
            .update(&[0])
            .update(digest.as_bytes());
    }
    hasher.update(entry.0.as_bytes());
    hasher.finish()
}

/// Why files are not a source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// More than [`SOURCE_FILES_MAX`].
    #[error("source has more than {SOURCE_FILES_MAX} files")]
    TooManyFiles,
    /// One file over [`SOURCE_FILE_BYTES_MAX`] or all over [`SOURCE_BYTES_MAX`].
    #[error(
        "source is too large at `{path}`: at most {SOURCE_FILE_BYTES_MAX} bytes a file and {SOURCE_BYTES_MAX} in all"
    )]
    TooLarge {
        /// The file at which the limit was reached.
        path: SourcePath,
    },
    /// A path given twice.
    #[error("source holds `{path}` twice")]
    Duplicate {
        /// The path.
        path: SourcePath,
    },
    /// A file where another path has a directory.
    #[error("source holds `{path}` as a file and as a directory")]
    AlsoDirectory {
        /// The path.
        path: SourcePath,
    },
    /// The entry is not one of the files.
    #[error("source has no file `{entry}` to start at")]
    NoEntry {
        /// The path.
        entry: SourcePath,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(text: &str) -> SourcePath {
        text.parse().unwrap()
    }

    #[test]
    fn paths_keep_their_rules() {
        for good in [
            "a",
            "a/b.py",
            "...",
            "a b",
            "é/ü",
            &"x".repeat(255),
            &["x"; 512].join("/"),
        ] {
            assert!(good.parse::<SourcePath>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "./a",
            "a/.",
            "a\\b",
            "a\0",
            "a\n",
            "a\u{7f}",
            "a\u{85}",
            &"x".repeat(256),
            &["xx"; 342].join("/"),
        ] {
            assert!(bad.parse::<SourcePath>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn one_file_hashes_as_its_content() {
        let source = Source::single(path("main.py"), b"hello\n".to_vec()).unwrap();
        assert_eq!(
            source.hash().hex(),
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
        );
    }

    #[test]
    fn several_files_hash_with_paths_and_entry() {
        let files = || [(path("b"), b"2".to_vec()), (path("a"), b"1".to_vec())];
        let source = Source::new(files(), path("a")).unwrap();
        let mut bytes = b"oacp/source/v1\0a\0".to_vec();
        bytes.extend(Digest::of(b"1").as_bytes());
        bytes.extend(b"b\0");
        bytes.extend(Digest::of(b"2").as_bytes());
        bytes.extend(b"a");
        assert_eq!(source.hash(), Digest::of(&bytes));
        assert_ne!(
            source.hash(),
            Source::new(files(), path("b")).unwrap().hash()
        );
    }

    #[test]
    fn what_is_not_a_source_is_refused() {
        let file = |name: &str| (path(name), vec![]);
        let refused =
            |files: Vec<(SourcePath, Vec<u8>)>| Source::new(files, path("a")).unwrap_err();
        assert_eq!(refused(vec![]), SourceError::NoEntry { entry: path("a") });
        assert_eq!(
            refused(vec![file("b")]),
            SourceError::NoEntry { entry: path("a") }
        );
        assert_eq!(
            refused(vec![file("a"), file("a")]),
            SourceError::Duplicate { path: path("a") }
        );
        assert_eq!(
            refused(vec![file("a"), file("a/b/c")]),
            SourceError::AlsoDirectory { path: path("a") }
        );
        // Between `a` and `a/b` sorts `a-`.
        assert_eq!(
            refused(vec![file("a"), file("a-"), file("a/b")]),
            SourceError::AlsoDirectory { path: path("a") }
        );
        assert!(matches!(
            refused(vec![(path("a"), vec![0; SOURCE_FILE_BYTES_MAX + 1])]),
            SourceError::TooLarge { .. }
        ));
        let many = (0..=SOURCE_FILES_MAX)
            .map(|name| file(&name.to_string()))
            .collect();
        assert_eq!(refused(many), SourceError::TooManyFiles);
    }

    proptest! {
        #[test]
        fn hash_is_independent_of_the_order_given(contents in prop::collection::btree_map("[a-z]{1,3}", any::<Vec<u8>>(), 1..6)) {
            let files: Vec<_> = contents.iter().map(|(name, content)| (path(name), content.clone())).collect();
            let entry = files[0].0.clone();
            let forward = Source::new(files.clone(), entry.clone()).unwrap();
            let backward = Source::new(files.into_iter().rev(), entry).unwrap();
            prop_assert_eq!(forward.hash(), backward.hash());
        }
    }
}
