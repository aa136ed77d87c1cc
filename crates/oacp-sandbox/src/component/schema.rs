//! Types as JSON Schema 2020-12. The table of it is in `docs/components.md`.

use oacp::limits::JSON_INTEGER_MAX;
use serde_json::{Map, Value, json};

use super::shape::{Integer, Named, Shape};
use crate::limits;

/// Whether values come from a caller or go to one. Only what goes out can be a number that JSON has not; and what goes out is right as it is, so its
/// schema says less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Input,
    Output,
}

/// What a function takes: an object with a field for each parameter.
pub(crate) fn of_parameters(parameters: &Named<Shape>) -> Value {
    let mut schema = of_record(parameters, Direction::Input);
    // Each is an automaton to whoever validates. What they say is checked again when the arguments are read.
    if patterns(&schema) > limits::SCHEMA_PATTERNS_MAX {
        drop_patterns(&mut schema);
    }
    schema
}

/// What a function gives.
pub(crate) fn of_result(result: Option<&Shape>) -> Value {
    result.map_or_else(null, |shape| of(shape, Direction::Output))
}

fn of(shape: &Shape, direction: Direction) -> Value {
    let within = |shape: &Shape| of(shape, direction);
    match shape {
        Shape::Bool => json!({"type": "boolean"}),
        Shape::Integer(integer) => of_integer(*integer, direction),
        Shape::Float32 | Shape::Float64 => match direction {
            Direction::Input => json!({"type": "number"}),
            Direction::Output => json!({"type": ["number", "string"]}),
        },
        Shape::Char => json!({"type": "string", "minLength": 1, "maxLength": 1}),
        Shape::String => json!({"type": "string"}),
        Shape::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
        Shape::List(item) => json!({"type": "array", "items": within(item)}),
        Shape::Tuple(items) => json!({
            "type": "array",
            "prefixItems": items.iter().map(within).collect::<Vec<_>>(),
            "items": false,
            "minItems": items.len(),
        }),
        Shape::Record(fields) => of_record(fields, direction),
        Shape::Variant(cases) => of_variant(cases, direction),
        Shape::Enum(cases) => word(cases.names()),
        Shape::Flags(flags) => {
            json!({"type": "array", "items": word(flags.names()), "uniqueItems": true})
        }
        Shape::Option(item) => {
            let item = match **item {
                Shape::Option(_) => tagged("some", within(item)),
                _ => within(item),
            };
            json!({"anyOf": [item, {"type": "null"}]})
        }
        Shape::Result { ok, error } => {
            let side = |side: &Option<Box<Shape>>| side.as_deref().map_or_else(null, within);
            json!({"oneOf": [tagged("ok", side(ok)), tagged("error", side(error))]})
        }
    }
}

fn of_integer(integer: Integer, direction: Direction) -> Value {
    let (min, max) = integer.range();
    if !integer.exceeds_json() {
        // Within 32 bits, so within 64.
        return json!({"type": "integer", "minimum": min as i64, "maximum": max as i64});
    }
    let max = JSON_INTEGER_MAX as i64;
    let (min, pattern) = match min {
        0 => (0, "^(0|[1-9][0-9]{0,19})$"),
        _ => (-max, "^(0|-?[1-9][0-9]{0,18})$"),
    };
    let mut schema = json!({"type": ["integer", "string"], "minimum": min, "maximum": max});
    if let (Direction::Input, Some(schema)) = (direction, schema.as_object_mut()) {
        schema.insert("pattern".to_owned(), pattern.into());
    }
    schema
}

fn of_record(fields: &Named<Shape>, direction: Direction) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|(name, shape)| (name.clone(), of(shape, direction)))
        .collect();
    // A result has all of its fields.
    let is_required =
        |shape: &Shape| direction == Direction::Output || !matches!(shape, Shape::Option(_));
    let required: Vec<&str> = fields
        .iter()
        .filter(|(_, shape)| is_required(shape))
        .map(|(name, _)| name.as_str())
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// A case with a value is an object of one field, a case without is its name.
fn of_variant(cases: &Named<Option<Shape>>, direction: Direction) -> Value {
    let (mut words, mut any) = (Vec::new(), Vec::new());
    for (name, shape) in cases.iter() {
        match shape {
            Some(shape) => any.push(tagged(name, of(shape, direction))),
            None => words.push(name.as_str()),
        }
    }
    if any.is_empty() {
        return word(words);
    }
    if !words.is_empty() {
        any.insert(0, word(words));
    }
    json!({"oneOf": any})
}

fn tagged(name: &str, value: Value) -> Value {
    json!({
        "type": "object",
        "properties": {name: value},
        "required": [name],
        "additionalProperties": false,
    })
}

fn word<'a>(names: impl IntoIterator<Item = &'a str>) -> Value {
    json!({"type": "string", "enum": names.into_iter().collect::<Vec<_>>()})
}

fn null() -> Value {
    json!({"type": "null"})
}

/// The value of a `pattern`; a field of that name has a schema instead.
fn is_pattern(name: &str, value: &Value) -> bool {
    name == "pattern" && value.is_string()
}

fn patterns(schema: &Value) -> usize {
    match schema {
        Value::Array(items) => items.iter().map(patterns).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| usize::from(is_pattern(name, value)) + patterns(value))
            .sum(),
        _ => 0,
    }
}

fn drop_patterns(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(drop_patterns),
        Value::Object(fields) => {
            fields.retain(|name, value| !is_pattern(name, value));
            fields.values_mut().for_each(drop_patterns);
        }
        _ => {}
    }
}

/// At least as many as there are schemas in a schema, itself included.
pub(crate) fn parts(schema: &Value) -> usize {
    match schema {
        Value::Array(items) => items.iter().map(parts).sum(),
        Value::Object(fields) => 1 + fields.values().map(parts).sum::<usize>(),
        Value::Bool(_) => 1,
        _ => 0,
    }
}

/// How deep a schema is, as JSON.
pub(crate) fn depth(schema: &Value) -> usize {
    match schema {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}
