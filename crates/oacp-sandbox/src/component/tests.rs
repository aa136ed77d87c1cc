//! Any value of any type: out as JSON that fits the schema, and back in as it was.

use oacp::json::admit;
use oacp::limits::{JSON_DEPTH_MAX, JsonLimits};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;
use wasmtime::component::Val;

use super::shape::{Integer, Named, Shape};
use super::{lift, lower, schema};

const INTEGERS: [Integer; 8] = [
    Integer::S8,
    Integer::U8,
    Integer::S16,
    Integer::U16,
    Integer::S32,
    Integer::U32,
    Integer::S64,
    Integer::U64,
];

fn named<T: Clone + std::fmt::Debug + 'static>(
    item: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Named<T>> {
    let items = prop::collection::btree_map("[a-z]{1,3}(-[a-z0-9]{1,2})?", item, 1..5);
    items.prop_map(|items| Named::new(items.into_iter().collect()))
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Bool),
        select(&INTEGERS[..]).prop_map(Shape::Integer),
        Just(Shape::Float32),
        Just(Shape::Float64),
        Just(Shape::Char),
        Just(Shape::String),
        Just(Shape::Bytes),
        named(Just(())).prop_map(Shape::Enum),
        named(Just(())).prop_map(Shape::Flags),
    ];
    leaf.prop_recursive(4, 24, 4, |within| {
        let boxed = within.clone().prop_map(Box::new).boxed();
        let optional = prop::option::of(boxed.clone());
        prop_oneof![
            boxed.clone().prop_map(Shape::List),
            prop::collection::vec(within.clone(), 1..4).prop_map(Shape::Tuple),
            named(within.clone()).prop_map(Shape::Record),
            named(prop::option::of(within)).prop_map(Shape::Variant),
            boxed.prop_map(Shape::Option),
            (optional.clone(), optional).prop_map(|(ok, error)| Shape::Result { ok, error }),
        ]
    })
}

/// Where a value's choices come from, one after the other.
struct Choices<'a> {
    words: std::iter::Cycle<std::slice::Iter<'a, u64>>,
    text: &'a str,
    /// Lists end when it is spent.
    left: usize,
}

impl Choices<'_> {
    fn next(&mut self) -> u64 {
        self.words.next().copied().unwrap_or_default()
    }

    fn below(&mut self, count: usize) -> usize {
        self.next() as usize % count.max(1)
    }

    fn value(&mut self, shape: &Shape) -> Val {
        self.left = self.left.saturating_sub(1);
        let word = self.next();
        match shape {
            Shape::Bool => Val::Bool(word.is_multiple_of(2)),
            Shape::Integer(integer) => {
                let (min, max) = integer.range();
                // Small ones, and those at either end.
                let offset = i128::from(word) % (max - min + 1);
                integer.value(min + offset).unwrap()
            }
            Shape::Float32 => Val::Float32(f32::from_bits(word as u32)),
            Shape::Float64 => Val::Float64(f64::from_bits(word)),
            Shape::Char => Val::Char(self.text.chars().next().unwrap_or('\0')),
            Shape::String => Val::String(self.text.to_owned()),
            Shape::Bytes => Val::List(self.text.bytes().map(Val::U8).collect()),
            Shape::List(item) => {
                let count = self.below(4).min(self.left);
                Val::List((0..count).map(|_| self.value(item)).collect())
            }
            Shape::Tuple(items) => Val::Tuple(items.iter().map(|item| self.value(item)).collect()),
            Shape::Record(fields) => {
                let fields = fields.iter();
                Val::Record(
                    fields
                        .map(|(n, item)| (n.clone(), self.value(item)))
                        .collect(),
                )
            }
            Shape::Variant(cases) => {
                let (name, item) = cases.iter().nth(self.below(cases.len())).unwrap();
                let item = item.as_ref().map(|item| Box::new(self.value(item)));
                Val::Variant(name.clone(), item)
            }
            Shape::Enum(cases) => {
                let name = cases.names().nth(self.below(cases.len())).unwrap();
                Val::Enum(name.to_owned())
            }
            Shape::Flags(flags) => {
                let set = flags.names().filter(|_| self.next().is_multiple_of(2));
                Val::Flags(set.map(str::to_owned).collect())
            }
            Shape::Option(item) => {
                Val::Option(word.is_multiple_of(2).then(|| Box::new(self.value(item))))
            }
            Shape::Result { ok, error } => {
                let mut side = |side: &Option<Box<Shape>>| {
                    side.as_ref().map(|item| Box::new(self.value(item)))
                };
                Val::Result(if word.is_multiple_of(2) {
                    Ok(side(ok))
                } else {
                    Err(side(error))
                })
            }
        }
    }
}

/// Whether a value fits a schema, by the few words of JSON Schema that are written here.
fn fits(schema: &Value, value: &Value) -> bool {
    let Some(schema) = schema.as_object() else {
        return schema == &Value::Bool(true);
    };
    schema.iter().all(|(word, says)| match word.as_str() {
        "type" => match says {
            Value::Array(types) => types.iter().any(|ty| is_type(ty, value)),
            ty => is_type(ty, value),
        },
        "enum" => says.as_array().unwrap().contains(value),
        "minimum" => value.as_f64().is_none_or(|v| v >= says.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|v| v <= says.as_f64().unwrap()),
        "minLength" | "maxLength" => value.as_str().is_none_or(|text| text.chars().count() == 1),
        "anyOf" => says.as_array().unwrap().iter().any(|one| fits(one, value)),
        "oneOf" => {
            says.as_array()
                .unwrap()
                .iter()
                .filter(|one| fits(one, value))
                .count()
                == 1
        }
        "properties" => value.as_object().is_none_or(|object| {
            object
                .iter()
                .all(|(name, value)| says.get(name).is_some_and(|one| fits(one, value)))
        }),
        "required" => value.as_object().is_none_or(|object| {
            let mut names = says.as_array().unwrap().iter();
            names.all(|name| object.contains_key(name.as_str().unwrap()))
        }),
        "prefixItems" => value.as_array().is_none_or(|items| {
            let all = says.as_array().unwrap();
            items.len() <= all.len() && all.iter().zip(items).all(|(one, item)| fits(one, item))
        }),
        "items" => {
            says.is_boolean()
                || value
                    .as_array()
                    .is_none_or(|items| items.iter().all(|item| fits(says, item)))
        }
        "minItems" => value
            .as_array()
            .is_none_or(|v| v.len() as u64 >= says.as_u64().unwrap()),
        "pattern" => value.as_str().is_none_or(|text| {
            let is_number =
                |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let digits = text.strip_prefix('-').unwrap_or(text);
            is_number(digits) || ["NaN", "Infinity", "-Infinity"].contains(&text)
        }),
        "uniqueItems" | "contentEncoding" | "additionalProperties" => true,
        other => panic!("{other}"),
    })
}

fn is_type(ty: &Value, value: &Value) -> bool {
    match ty.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other}"),
    }
}

/// Whether it holds a number that goes out as text, which does not come in again.
fn has_strange_number(value: &Val) -> bool {
    let is_strange = |f: f64| !f.is_finite() || (9e15..1e21).contains(&f.abs());
    match value {
        Val::Float32(f) => is_strange((*f).into()),
        Val::Float64(f) => is_strange(*f),
        Val::List(items) | Val::Tuple(items) => items.iter().any(has_strange_number),
        Val::Record(fields) => fields.iter().any(|(_, item)| has_strange_number(item)),
        Val::Variant(_, Some(item))
        | Val::Option(Some(item))
        | Val::Result(Ok(Some(item)) | Err(Some(item))) => has_strange_number(item),
        _ => false,
    }
}

proptest! {
    #[test]
    fn values_come_back_as_they_were(
        shape in shape(),
        words in prop::collection::vec(any::<u64>(), 1..16),
        text in ".{0,8}",
    ) {
        let value = Choices { words: words.iter().cycle(), text: &text, left: 64 }.value(&shape);
        let json = lift::text(Some(&shape), Some(&value), usize::MAX).unwrap();
        // Every reader reads it alike.
        let limits = JsonLimits { bytes_max: usize::MAX, depth_max: JSON_DEPTH_MAX };
        let read = admit(json.as_bytes(), limits).unwrap();
        let schema = schema::of_result(Some(&shape));
        prop_assert!(fits(&schema, &read), "{} does not fit {}", json, schema);
        if !has_strange_number(&value) {
            let parameters = Named::new(vec![("x".to_owned(), shape)]);
            let arguments = format!("{{\"x\":{json}}}");
            let schema = schema::of_parameters(&parameters);
            prop_assert!(fits(&schema, &serde_json::from_str(&arguments).unwrap()));
            prop_assert_eq!(lower::arguments(&parameters, &arguments).unwrap(), vec![value]);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(shape in shape(), json in any::<Index>(), text in ".{0,12}") {
        let texts = ["null", "[]", "{}", "[null]", "{\"a\":1}", "\"a\"", "1e999", "-1", "{\"some\":[]}", "{\"ok\":{}}"];
        let json = json.get(&texts);
        let parameters = Named::new(vec![("x".to_owned(), shape)]);
        let _ = lower::arguments(&parameters, &format!("{{\"x\":{json}}}"));
        let _ = lower::arguments(&parameters, &format!("{{\"x\":{text}}}"));
        let _ = lower::arguments(&parameters, &text);
    }
}

#[test]
fn a_result_is_written_up_to_its_limit() {
    let value = Val::String("\u{1}".repeat(1000));
    let text = |max| lift::text(Some(&Shape::String), Some(&value), max);
    assert_eq!(text(6002).unwrap().len(), 6002);
    assert!(matches!(text(6001), Err(lift::LiftError::TooLarge(6001))));
    assert!(matches!(
        lift::text(Some(&Shape::Bool), Some(&value), 10),
        Err(lift::LiftError::Shape)
    ));
}
