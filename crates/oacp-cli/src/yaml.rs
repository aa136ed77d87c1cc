//! YAML that an operator wrote: precise errors, with line, column and what was probably meant.

use std::fmt::{self, Display};

use serde::de::{DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Error, Location, Spanned};

use crate::failure::Failure;
use crate::nearest::nearest;

/// Reads one document, named `name` in errors. No YAML 1.1 surprises: `yes` is no boolean, `3` no string; no unknown tags.
///
/// # Errors
///
/// Usage, with line and column.
pub(crate) fn from_str<T: DeserializeOwned>(text: &str, name: &str) -> Result<T, Failure> {
    parse(text).map_err(|error| refusal(&error, text, name))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        no_schema: true,
        reject_unsupported_tags: true,
    };
    serde_saphyr::from_str_with_options(text, options)
}

/// A place in a document, by the way that leads there from its top. So a type that knows nothing of YAML can be refused with line and
/// column: they are looked up when there is something to refuse.
#[derive(Clone)]
pub(crate) struct Spot<'a> {
    text: &'a str,
    name: &'a str,
    way: Vec<Step<'a>>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

impl<'a> Spot<'a> {
    /// The top of a document that was read, named `name` in errors.
    pub(crate) fn top(text: &'a str, name: &'a str) -> Self {
        Self {
            text,
            name,
            way: Vec::new(),
        }
    }

    /// What stands under a key.
    pub(crate) fn key(&self, key: &'a str) -> Self {
        self.below(Step::Key(key))
    }

    /// An item of a list, counted from 0.
    pub(crate) fn item(&self, index: usize) -> Self {
        self.below(Step::Item(index))
    }

    fn below(&self, step: Step<'a>) -> Self {
        let mut spot = self.clone();
        spot.way.push(step);
        spot
    }

    /// Refuses what stands there.
    pub(crate) fn refuse(&self, why: impl Display) -> Failure {
        Failure::usage(format!("{self}: {why}"))
    }

    /// Whether anything stands there.
    pub(crate) fn exists(&self) -> bool {
        self.location().is_some()
    }

    fn location(&self) -> Option<Location> {
        let mut node: Spanned<Node> = parse(self.text).ok()?;
        for step in &self.way {
            node = match (node.value, step) {
                (Node::Map(entries), Step::Key(wanted)) => {
                    entries.into_iter().find(|(key, _)| key == wanted)?.1
                }
                (Node::List(items), Step::Item(index)) => items.into_iter().nth(*index)?,
                _ => return None,
            };
        }
        Some(node.referenced)
    }
}

impl Display for Spot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.location() {
            Some(at) => f.write_str(&place(self.name, at)),
            None => f.write_str(self.name),
        }
    }
}

/// A document, of which only the places matter.
enum Node {
    Map(Vec<(String, Spanned<Node>)>),
    List(Vec<Spanned<Node>>),
    Scalar,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Node::Map(entries))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
                Ok(Node::Scalar)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
                Ok(Node::Scalar)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
                Ok(Node::Scalar)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
                Ok(Node::Scalar)
            }

            fn visit_str<E>(self, _: &str) -> Result<Node, E> {
                Ok(Node::Scalar)
            }

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Scalar)
            }

            fn visit_none<E>(self) -> Result<Node, E> {
                Ok(Node::Scalar)
            }

            fn visit_some<D: Deserializer<'de>>(self, some: D) -> Result<Node, D::Error> {
                Node::deserialize(some)
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// Points at a place in a document.
pub(crate) fn place(name: &str, at: Location) -> String {
    format!("{name}:{}:{}", at.line(), at.column())
}

fn refusal(error: &Error, text: &str, name: &str) -> Failure {
    let error = error.without_snippet();
    let place = error
        .location()
        .map_or_else(|| name.to_owned(), |at| place(name, at));
    let line = error
        .location()
        .and_then(|at| text.lines().nth((at.line() as usize).saturating_sub(1)));
    let line = line
        .map(|line| format!(": `{}`", line.trim()))
        .unwrap_or_default();
    match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => unknown("unknown key", field, expected, &place),
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => unknown("unknown value", variant, expected, &place),
        Error::DuplicateMappingKey { key, .. } => Failure::usage(format!(
            "{place}: the key `{}` is given twice",
            key.as_deref().unwrap_or_default()
        )),
        Error::SerdeMissingField { field, .. } => {
            Failure::usage(format!("{place}: the key `{field}` is missing"))
        }
        Error::InvalidScalar { ty, .. } => {
            Failure::usage(format!("{place}: expected {}{line}", expected_of(ty)))
        }
        Error::InvalidBooleanStrict { .. } => {
            Failure::usage(format!("{place}: expected true or false{line}"))
        }
        Error::Unexpected { expected, .. } => {
            let expected = match *expected {
                "string scalar" => "one value, not a list or mapping",
                "mapping start" => "a mapping of keys to values",
                "sequence start" => "a list",
                other => other,
            };
            Failure::usage(format!("{place}: expected {expected}{line}"))
        }
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            Failure::usage(format!("{place}: expected {expected}{line}"))
        }
        Error::QuotingRequired { value, .. } => {
            Failure::usage(format!("{place}: expected text{line}"))
                .hint(format!("if it is text, quote it: \"{value}\""))
        }
        other => {
            let text = other.to_string();
            // The place stands in front already.
            let text = text.split(" at line ").next().unwrap_or_default();
            Failure::usage(format!("{place}: {text}"))
        }
    }
}

fn expected_of(rust_type: &str) -> &str {
    match rust_type {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        other => other,
    }
}

fn unknown(what: &str, found: &str, expected: &[&str], place: &str) -> Failure {
    let failure = Failure::usage(match nearest(found, expected.iter().copied()) {
        Some(name) => format!("{place}: {what} `{found}`; did you mean `{name}`?"),
        None => format!("{place}: {what} `{found}`"),
    });
    let known = expected
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    failure.hint(format!("known here: {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spot_is_found_by_the_way_that_leads_there() {
        let text = "a: 1\nb:\n  - x\n  - { c: yes, \"d\": [~, 2.5, true] }\n";
        let top = Spot::top(text, "f.yaml");
        let second = top.key("b").item(1);
        assert_eq!(top.key("a").to_string(), "f.yaml:1:4");
        assert_eq!(second.key("c").to_string(), "f.yaml:4:10");
        assert_eq!(second.key("d").item(2).to_string(), "f.yaml:4:29");
        for nowhere in [top.key("c"), top.item(0), top.key("b").item(2)] {
            assert_eq!(
                (nowhere.to_string().as_str(), nowhere.exists()),
                ("f.yaml", false)
            );
        }
        assert_eq!(top.key("a").refuse("no").message(), "f.yaml:1:4: no");
    }
}
