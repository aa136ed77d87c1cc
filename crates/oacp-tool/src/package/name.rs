//! A package's name, and those of its tools.

use std::fmt;
use std::str::FromStr;

use oacp::id::ToolName;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::PackageError;
use crate::limits::PACKAGE_NAME_BYTES_MAX;

/// A package's name: 1 to 64 of `A-Z a-z 0-9 _ -`, the first a letter, a digit or `_`. It has no dot, so that the name of a tool tells its
/// package: `weather` and `weather.forecast` are both of `weather`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName(String);

impl PackageName {
    /// The package that a tool of this name is in. `None`: no package's tool is called so.
    pub fn of_tool(tool: &ToolName) -> Option<Self> {
        let (package, _) = tool.as_str().split_once('.').unwrap_or((tool.as_str(), ""));
        package.parse().ok()
    }

    /// The name that a package has if nobody gives it another: of one function, that function's; of several, `stem`, the name of its file
    /// or directory without an extension, with `_` for what a name cannot hold.
    ///
    /// # Errors
    /// Neither is a name.
    pub fn usual<'a>(
        functions: impl IntoIterator<Item = &'a str>,
        stem: &str,
    ) -> Result<Self, ParsePackageNameError> {
        let mut functions = functions.into_iter();
        match (functions.next(), functions.next()) {
            (Some(only), None) => only.parse(),
            _ => {
                let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                let text: String = stem
                    .chars()
                    .map(|c| if fits(c) { c } else { '_' })
                    .take(PACKAGE_NAME_BYTES_MAX)
                    .collect();
                text.parse()
            }
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its tool `function`, if it has `count`.
    pub(super) fn tool(&self, function: &str, count: usize) -> Result<ToolName, PackageError> {
        let name = match count {
            1 => self.0.clone(),
            _ => format!("{self}.{function}"),
        };
        name.parse().map_err(|_| PackageError::Name { name })
    }
}

impl FromStr for PackageName {
    type Err = ParsePackageNameError;

    fn from_str(text: &str) -> Result<Self, ParsePackageNameError> {
        let fits = (1..=PACKAGE_NAME_BYTES_MAX).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
            && !text.starts_with('-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParsePackageNameError)
        }
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for PackageName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Serialize for PackageName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PackageName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = PackageName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PackageName, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// A text is not a [`PackageName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a package's name: expected 1 to {PACKAGE_NAME_BYTES_MAX} of the characters `A-Z a-z 0-9 _ -`, the first no `-`"
)]
pub struct ParsePackageNameError;
