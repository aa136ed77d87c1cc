//! Reading a schema's parts.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::super::problem::{SchemaError, SchemaProblem, unusable_pattern};
use super::super::violation;
use super::{Node, Outline, nodes_of};
use crate::limits::{
    SCHEMA_NODES_MAX, SCHEMA_PATTERN_BYTES_MAX, SCHEMA_PATTERNS_MAX, SCHEMA_UNEVALUATED_MAX,
};

/// Keywords that are refused, and what to write instead.
const REFUSED: [(&str, &str); 10] = [
    (
        "$dynamicRef",
        "use `$ref` with a path within the document, as `#/$defs/Name`",
    ),
    (
        "$dynamicAnchor",
        "use `$ref` with a path within the document, as `#/$defs/Name`",
    ),
    (
        "$recursiveRef",
        "use `$ref` with a path within the document, as `#`",
    ),
    ("$recursiveAnchor", "leave it out"),
    (
        "$anchor",
        "leave it out, and refer to the schema by its path",
    ),
    ("$vocabulary", "leave it out"),
    ("id", "leave it out"),
    (
        "dependencies",
        "use `dependentRequired` or `dependentSchemas`",
    ),
    ("additionalItems", "use `prefixItems` and `items`"),
    ("extends", "use `allOf`"),
];

/// Keywords that hold one schema each, which judges the same value.
const HERE: [&str; 4] = ["not", "if", "then", "else"];

/// Keywords that hold a list of schemas, which judge the same value.
const LISTS_HERE: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// A reference that is not resolved yet.
struct Reference {
    from: usize,
    pointer: String,
    text: String,
}

/// The nodes, while they are read.
#[derive(Default)]
pub(super) struct Reading {
    nodes: Vec<Node>,
    /// By their pointers.
    places: HashMap<String, usize>,
    references: Vec<Reference>,
    patterns: usize,
    unevaluated: usize,
}

impl Reading {
    /// Reads the schema at `pointer`, and all within it.
    pub(super) fn schema(&mut self, value: &Value, pointer: String) -> Result<usize, SchemaError> {
        let at = self.nodes.len();
        if at == SCHEMA_NODES_MAX {
            return Err(SchemaError::new("", SchemaProblem::TooMany));
        }
        self.nodes.push(Node::default());
        self.places.insert(pointer.clone(), at);
        // What is neither true, false nor an object is refused in compiling, by the schema of schemas.
        let Some(map) = value.as_object() else {
            self.put(at, Node::plain());
            return Ok(at);
        };
        self.refuse_keywords(map, &pointer)?;
        let mut node = Node::plain();
        for (key, held) in map {
            self.keyword(key, held, &pointer, at, &mut node)?;
        }
        self.put(at, node);
        Ok(at)
    }

    fn put(&mut self, at: usize, node: Node) {
        if let Some(place) = self.nodes.get_mut(at) {
            *place = node;
        }
    }

    fn refuse_keywords(&self, map: &Map<String, Value>, pointer: &str) -> Result<(), SchemaError> {
        for (keyword, instead) in REFUSED {
            if map.contains_key(keyword) {
                return Err(SchemaError::new(
                    pointer,
                    SchemaProblem::Keyword { keyword, instead },
                ));
            }
        }
        for keyword in ["$id", "$schema"] {
            if !pointer.is_empty() && map.contains_key(keyword) {
                let instead = "leave it out below the top";
                return Err(SchemaError::new(
                    pointer,
                    SchemaProblem::Keyword { keyword, instead },
                ));
            }
        }
        Ok(())
    }

    fn keyword(
        &mut self,
        key: &str,
        held: &Value,
        pointer: &str,
        at: usize,
        node: &mut Node,
    ) -> Result<(), SchemaError> {
        let below = || format!("{pointer}/{key}");
        match key {
            "$ref" => {
                let Value::String(text) = held else {
                    return Ok(());
                };
                self.references.push(Reference {
                    from: at,
                    pointer: below(),
                    text: text.clone(),
                });
            }
            "$defs" | "definitions" => drop(self.map(held, &below())?),
            "contentSchema" => drop(self.schema(held, below())?),
            "properties" => node.properties = self.map(held, &below())?.into_iter().collect(),
            "patternProperties" => {
                for pattern in held.as_object().into_iter().flat_map(Map::keys) {
                    node.byte_weight += self.pattern(pattern, &below())?;
                }
                node.patterns = self.map(held, &below())?.into_iter().map(second).collect();
            }
            "dependentSchemas" => node
                .here
                .extend(self.map(held, &below())?.into_iter().map(second)),
            "additionalProperties" => node.additional = Some(self.schema(held, below())?),
            "propertyNames" => node.names = Some(self.schema(held, below())?),
            "prefixItems" => node.prefix = self.list(held, &below())?,
            "items" => node.items = Some(self.schema(held, below())?),
            "contains" => node.once_more.push(self.schema(held, below())?),
            "unevaluatedProperties" | "unevaluatedItems" => {
                self.unevaluated += 1;
                if self.unevaluated > SCHEMA_UNEVALUATED_MAX {
                    return Err(SchemaError::new(
                        &below(),
                        SchemaProblem::TooManyUnevaluated,
                    ));
                }
                node.times *= 4;
                node.once_more.push(self.schema(held, below())?);
            }
            "pattern" => {
                if let Value::String(pattern) = held {
                    node.byte_weight += self.pattern(pattern, &below())?;
                }
            }
            "uniqueItems" => node.whole = true,
            // Exact fractions.
            "multipleOf" => node.weight += 64,
            "enum" | "const" => node.weight += nodes_of(held),
            "required" | "dependentRequired" => node.weight += nodes_of(held),
            _ if HERE.contains(&key) => {
                if key == "not" {
                    // The whole of it is in the explanation.
                    node.branches += nodes_of(held);
                }
                node.here.push(self.schema(held, below())?);
            }
            _ if LISTS_HERE.contains(&key) => {
                let branches = self.list(held, &below())?;
                if key != "allOf" {
                    node.branches += branches.len() as u64;
                }
                node.here.extend(branches);
            }
            _ => {}
        }
        Ok(())
    }

    fn map(&mut self, held: &Value, pointer: &str) -> Result<Vec<(Box<str>, usize)>, SchemaError> {
        let Some(map) = held.as_object() else {
            return Ok(Vec::new());
        };
        map.iter()
            .map(|(name, schema)| {
                let at = self.schema(schema, format!("{pointer}/{}", escaped(name)))?;
                Ok((Box::from(name.as_str()), at))
            })
            .collect()
    }

    fn list(&mut self, held: &Value, pointer: &str) -> Result<Vec<usize>, SchemaError> {
        let Some(list) = held.as_array() else {
            return Ok(Vec::new());
        };
        list.iter()
            .enumerate()
            .map(|(index, schema)| self.schema(schema, format!("{pointer}/{index}")))
            .collect()
    }

    /// Counts a regular expression; gives its steps for a byte of text.
    fn pattern(&mut self, pattern: &str, pointer: &str) -> Result<u64, SchemaError> {
        self.patterns += 1;
        if self.patterns > SCHEMA_PATTERNS_MAX {
            return Err(SchemaError::new(pointer, SchemaProblem::TooManyPatterns));
        }
        if pattern.len() > SCHEMA_PATTERN_BYTES_MAX {
            return Err(unusable_pattern(
                pattern,
                pointer,
                "has more than 1024 bytes",
            ));
        }
        // Counted repetitions and classes of Unicode make an automaton larger than its text, and every byte may pass each of its states.
        let grows = pattern.contains('{') || pattern.contains("\\p") || pattern.contains("\\P");
        Ok(if grows {
            64
        } else {
            1 + pattern.len() as u64 / 16
        })
    }

    pub(super) fn resolve(mut self) -> Result<Outline, SchemaError> {
        for Reference {
            from,
            pointer,
            text,
        } in std::mem::take(&mut self.references)
        {
            let shown = || violation::bounded(&text);
            let path = text
                .strip_prefix('#')
                .filter(|path| path.is_empty() || path.starts_with('/'))
                .ok_or_else(|| {
                    SchemaError::new(&pointer, SchemaProblem::Remote { found: shown() })
                })?;
            let target = decoded(path).and_then(|path| self.places.get(&path).copied());
            let target = target.ok_or_else(|| {
                SchemaError::new(&pointer, SchemaProblem::Dangling { found: shown() })
            })?;
            if let Some(node) = self.nodes.get_mut(from) {
                node.here.push(target);
            }
        }
        Ok(Outline { nodes: self.nodes })
    }
}

fn second<A, B>((_, second): (A, B)) -> B {
    second
}

/// A name as a segment of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A fragment of a URI as the text that it stands for. `None`: not UTF-8, or no such escape.
fn decoded(fragment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                bytes.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
                rest = tail;
            }
            (b'%', _) => return None,
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).ok()
}
