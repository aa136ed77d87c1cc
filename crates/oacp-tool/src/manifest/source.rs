//! `source:`: where a tool's code is.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Where code is: one of three places, and what it has to hash to. As a text alone: whichever place it looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceText {
    /// A text that says all of it, as the command line takes it: `./weather.py`, `https://…#sha256:…`, `oci://…@sha256:…`.
    pub reference: Option<String>,
    /// A file or directory of this machine, relative to this file's.
    pub path: Option<String>,
    /// An `https` URL.
    pub url: Option<String>,
    /// An image of a registry: `host/name:tag` or `host/name@sha256:…`.
    pub oci: Option<String>,
    /// What it has to hash to, `sha256:` and 64 hex digits.
    pub sha256: Option<String>,
}

/// The place that a [`SourceText`] means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// A text that says all of it.
    Reference(&'a str),
    /// A file or directory.
    Path(&'a str),
    /// A URL.
    Url(&'a str),
    /// An image.
    Oci(&'a str),
}

impl SourceText {
    /// The one place.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn place(&self) -> Result<Place<'_>, SourceTextError> {
        let mut places = [
            self.reference.as_deref().map(Place::Reference),
            self.path.as_deref().map(Place::Path),
            self.url.as_deref().map(Place::Url),
            self.oci.as_deref().map(Place::Oci),
        ]
        .into_iter()
        .flatten();
        match (places.next(), places.next()) {
            (Some(place), None) => Ok(place),
            _ => Err(SourceTextError),
        }
    }
}

/// A source without a place, or with several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`source` has exactly one of `path`, `url` and `oci`")]
pub struct SourceTextError;

impl JsonSchema for SourceText {
    fn schema_name() -> Cow<'static, str> {
        SourceSchema::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        SourceSchema::json_schema(generator)
    }
}

/// What the parser below reads, for editors.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "ToolSource")]
#[expect(dead_code, reason = "only its schema is asked for")]
enum SourceSchema {
    /// `./weather.py`, `https://…#sha256:…` or `oci://…@sha256:…`.
    Reference(String),
    /// One of three places, and what it has to hash to.
    Fields(Fields),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ToolSourceFields")]
struct Fields {
    /// A file or directory of this machine, relative to this file's.
    path: Option<String>,
    /// An `https` URL.
    url: Option<String>,
    /// An image of a registry: `host/name:tag` or `host/name@sha256:…`.
    oci: Option<String>,
    /// What it has to hash to, `sha256:` and 64 hex digits.
    sha256: Option<String>,
}

impl<'de> Deserialize<'de> for SourceText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shapes;

        impl<'de> Visitor<'de> for Shapes {
            type Value = SourceText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path or a URL, or a mapping with one of `path`, `url` and `oci`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<SourceText, E> {
                Ok(SourceText {
                    reference: Some(text.to_owned()),
                    ..SourceText::default()
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SourceText, A::Error> {
                let Fields {
                    path,
                    url,
                    oci,
                    sha256,
                } = Fields::deserialize(MapAccessDeserializer::new(map))?;
                let source = SourceText {
                    reference: None,
                    path,
                    url,
                    oci,
                    sha256,
                };
                source.place().map_err(A::Error::custom)?;
                Ok(source)
            }
        }

        deserializer.deserialize_any(Shapes)
    }
}
