//! What a schema may cost, before it is compiled and before it judges: its parts, as a graph of what is judged by what.

mod reading;
mod walk;

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Map, Value};

use self::reading::Reading;
use self::walk::Walk;
use super::problem::{DIALECT, SchemaError, SchemaProblem};
use super::violation::{self, Violation};
use crate::limits::{SCHEMA_BYTES_MAX, SCHEMA_CHAIN_MAX, SCHEMA_DEPTH_MAX, SCHEMA_WIDTH_MAX};

/// The parts of a schema, and what each hands on to which.
#[derive(Debug, Default)]
pub(super) struct Outline {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// Those that judge the same value.
    here: Vec<usize>,
    properties: BTreeMap<Box<str>, usize>,
    /// Those that may judge any property.
    patterns: Vec<usize>,
    additional: Option<usize>,
    names: Option<usize>,
    prefix: Vec<usize>,
    items: Option<usize>,
    /// Those that judge each item or property once more: `contains`, `unevaluatedItems`, `unevaluatedProperties`.
    once_more: Vec<usize>,
    /// Steps of its own keywords at any value.
    weight: u64,
    /// Whether all that is in a value is looked at once more: `uniqueItems`.
    whole: bool,
    /// Steps of its own keywords at a byte of text.
    byte_weight: u64,
    /// How often what is `here` is judged: more than once beside `unevaluated…`.
    times: u64,
    /// Branches that are each explained if none fits.
    branches: u64,
    /// Schemas that judge a value here, itself included.
    width: u64,
}

impl Node {
    fn plain() -> Self {
        Self {
            weight: 1,
            times: 1,
            width: 1,
            ..Self::default()
        }
    }
}

impl Outline {
    pub(super) fn of(value: &Value) -> Result<Self, SchemaError> {
        let whole = |problem| SchemaError::new("", problem);
        if !is_within(value, SCHEMA_DEPTH_MAX) {
            return Err(whole(SchemaProblem::TooDeep));
        }
        let mut counter = Counter(SCHEMA_BYTES_MAX);
        if serde_json::to_writer(&mut counter, value).is_err() {
            return Err(whole(SchemaProblem::TooLarge));
        }
        if let Some(root) = value.as_object() {
            dialect(root)?;
        }
        let mut reading = Reading::default();
        reading.schema(value, String::new())?;
        let mut outline = reading.resolve()?;
        outline.measure()?;
        Ok(outline)
    }

    /// About how many steps judging the value takes.
    ///
    /// # Errors
    /// Too many, or too deep.
    pub(super) fn steps(&self, value: &Value) -> Result<u64, Violation> {
        self.walk(value, false)
    }

    /// About how many steps it takes to explain why the value does not conform.
    ///
    /// # Errors
    /// As [`Outline::steps`].
    pub(super) fn steps_of_explaining(&self, value: &Value) -> Result<u64, Violation> {
        self.walk(value, true)
    }

    fn walk(&self, value: &Value, explaining: bool) -> Result<u64, Violation> {
        let mut walk = Walk {
            nodes: &self.nodes,
            explaining,
            steps: 0,
        };
        match walk.visit(0, value, 0, 1) {
            Some(()) => Ok(walk.steps),
            None => Err(Violation {
                path: String::new(),
                expected: "a value that can be judged by the schema in reasonable time".to_owned(),
                found: "one that is too large or too deep".to_owned(),
                fix: None,
            }),
        }
    }

    /// Fills in the widths, and refuses what has no end.
    fn measure(&mut self) -> Result<(), SchemaError> {
        let mut places = vec![Place::Unseen; self.nodes.len()];
        for node in 0..self.nodes.len() {
            width(&mut self.nodes, &mut places, node, 0)
                .map_err(|problem| SchemaError::new("", problem))?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Unseen,
    /// Being measured: whoever comes here again goes in a circle.
    Open,
    /// Measured, with the longest chain from here.
    Done(usize),
}

/// Measures a node and those that judge the same value; gives the longest chain.
fn width(
    nodes: &mut [Node],
    places: &mut [Place],
    at: usize,
    depth: usize,
) -> Result<usize, SchemaProblem> {
    match places.get(at) {
        Some(Place::Done(chain)) => return Ok(*chain),
        Some(Place::Open) => return Err(SchemaProblem::Endless),
        _ => {}
    }
    if depth > SCHEMA_CHAIN_MAX {
        return Err(SchemaProblem::TooWide);
    }
    if let Some(place) = places.get_mut(at) {
        *place = Place::Open;
    }
    let here = nodes.get(at).map(|node| node.here.clone());
    let (mut sum, mut longest) = (0_u64, 0);
    for next in here.unwrap_or_default() {
        longest = longest.max(width(nodes, places, next, depth + 1)? + 1);
        sum = sum.saturating_add(nodes.get(next).map_or(0, |node| node.width));
    }
    if let Some(node) = nodes.get_mut(at) {
        node.width = sum.saturating_mul(node.times).saturating_add(1);
        if node.width > SCHEMA_WIDTH_MAX as u64 || longest > SCHEMA_CHAIN_MAX {
            return Err(SchemaProblem::TooWide);
        }
    }
    if let Some(place) = places.get_mut(at) {
        *place = Place::Done(longest);
    }
    Ok(longest)
}

fn dialect(root: &Map<String, Value>) -> Result<(), SchemaError> {
    match root.get("$schema") {
        None => Ok(()),
        Some(Value::String(found)) if found.strip_suffix('#').unwrap_or(found) == DIALECT => Ok(()),
        Some(found) => Err(SchemaError::new(
            "/$schema",
            SchemaProblem::Dialect {
                found: match found {
                    Value::String(found) => violation::bounded(found),
                    other => violation::shown(other),
                },
            },
        )),
    }
}

/// Whether no more than `depth` arrays and objects are one within the other.
fn is_within(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| is_within(item, depth - 1)),
        Value::Object(map) => depth > 0 && map.values().all(|held| is_within(held, depth - 1)),
        _ => true,
    }
}

/// Values within a value, itself included.
fn nodes_of(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(nodes_of).sum::<u64>(),
        Value::Object(map) => 1 + map.values().map(nodes_of).sum::<u64>(),
        Value::String(text) => 1 + text.len() as u64 / 64,
        _ => 1,
    }
}

/// Takes so many bytes, and no more.
struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.checked_sub(bytes.len()) {
            Some(left) => {
                self.0 = left;
                Ok(bytes.len())
            }
            None => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
