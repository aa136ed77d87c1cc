//! JSON arguments as a component's values.
//!
//! The attack is a text that is small and whose values are large (`{}` for a record of a thousand optional fields, in a
//! list, a million times), so every value is paid for before it is made. The text is read by the types, never as
//! a tree of its own.

use std::cell::{Cell, RefCell};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use oacp::limits::JSON_INTEGER_MAX;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use wasmtime::component::Val;

use super::shape::{Integer, Named, Shape};
use crate::limits;

/// The arguments of a call, in the order of the parameters.
///
/// The error is one line that says where.
pub(crate) fn arguments(parameters: &Named<Shape>, text: &str) -> Result<Vec<Val>, String> {
    let context = Context {
        path: RefCell::new(Vec::new()),
        complaint: RefCell::new(None),
        room: Cell::new(limits::ARGUMENT_VALUES_BYTES_MAX),
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let arguments = deserializer.deserialize_any(Arguments {
        parameters,
        context: &context,
    });
    let arguments = arguments.and_then(|arguments| deserializer.end().map(|()| arguments));
    arguments.map_err(|error| {
        // What this module finds it says itself; the rest is the syntax.
        let complaint = context.complaint.into_inner();
        let complaint = complaint.unwrap_or_else(|| error.to_string());
        format!("{complaint}, at `{}`", Pointer(&context.path.into_inner()))
    })
}

/// What all places of one text share.
struct Context<'a> {
    /// The place that is read. It stays where it is when something is wrong there.
    path: RefCell<Vec<Step<'a>>>,
    complaint: RefCell<Option<String>>,
    /// Bytes that values may still take.
    room: Cell<usize>,
}

enum Step<'a> {
    Field(&'a str),
    Item(usize),
}

/// A path as a JSON pointer (RFC 6901).
struct Pointer<'a>(&'a [Step<'a>]);

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            // The pointer of a whole text is empty, and reads as nothing at all.
            return f.write_str("/");
        }
        self.0.iter().try_for_each(|step| match step {
            Step::Field(name) => write!(f, "/{name}"),
            Step::Item(at) => write!(f, "/{at}"),
        })
    }
}

impl<'a> Context<'a> {
    fn complain<T, E: Error>(&self, complaint: impl Into<String>) -> Result<T, E> {
        let complaint = complaint.into();
        let error = E::custom(&complaint);
        self.complaint.borrow_mut().get_or_insert(complaint);
        Err(error)
    }

    fn within<T, E>(&self, step: Step<'a>, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.path.borrow_mut().push(step);
        let value = read()?;
        self.path.borrow_mut().pop();
        Ok(value)
    }

    fn take<E: Error>(&self, bytes: usize) -> Result<(), E> {
        match self.room.get().checked_sub(bytes) {
            Some(left) => {
                self.room.set(left);
                Ok(())
            }
            None => self.complain(format!(
                "the values take more than {} bytes",
                limits::ARGUMENT_VALUES_BYTES_MAX
            )),
        }
    }

    fn take_values<E: Error>(&self, count: usize) -> Result<(), E> {
        self.take(count.saturating_mul(size_of::<Val>()))
    }
}

struct Arguments<'c, 'a> {
    parameters: &'a Named<Shape>,
    context: &'c Context<'a>,
}

/// A value of a shape.
#[derive(Clone, Copy)]
struct Slot<'c, 'a> {
    shape: &'a Shape,
    context: &'c Context<'a>,
}

/// A value, or `null`.
struct Optional<'c, 'a>(Slot<'c, 'a>);

/// `{"some": value}`, for an option within an option.
struct Some_<'c, 'a>(Slot<'c, 'a>);

/// What a case holds: a value, or `null` where it holds none.
struct Payload<'c, 'a> {
    shape: Option<&'a Shape>,
    context: &'c Context<'a>,
}

impl<'de> Visitor<'de> for Arguments<'_, '_> {
    type Value = Vec<Val>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of the arguments")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        record(self.parameters, self.context, map)
    }
}

/// The fields' values in the order of the type.
fn record<'a, 'de, A: MapAccess<'de>>(
    fields: &'a Named<Shape>,
    context: &Context<'a>,
    mut map: A,
) -> Result<Vec<Val>, A::Error> {
    context.take_values(fields.len())?;
    let mut values: Vec<Option<Val>> = fields.iter().map(|_| None).collect();
    while let Some(key) = map.next_key::<String>()? {
        let Some((at, name, shape)) = fields.find(&key) else {
            return context.complain(unknown("field", &key, fields.names()));
        };
        let Some(slot @ None) = values.get_mut(at) else {
            return context.complain(format!("the field `{name}` is given twice"));
        };
        let read = || map.next_value_seed(Slot { shape, context });
        *slot = Some(context.within(Step::Field(name), read)?);
    }
    let filled = values.into_iter().zip(fields.iter());
    filled
        .map(|(value, (name, shape))| match (value, shape) {
            (Some(value), _) => Ok(value),
            (None, Shape::Option(_)) => Ok(Val::Option(None)),
            (None, _) => context.complain(format!("the field `{name}` is missing")),
        })
        .collect()
}

impl<'de> DeserializeSeed<'de> for Slot<'_, '_> {
    type Value = Val;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Val, D::Error> {
        self.context.take_values(1)?;
        match self.shape {
            Shape::Option(item) => deserializer.deserialize_option(Optional(Slot {
                shape: item,
                context: self.context,
            })),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Optional<'_, '_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E: Error>(self) -> Result<Val, E> {
        Ok(Val::Option(None))
    }

    fn visit_unit<E: Error>(self) -> Result<Val, E> {
        Ok(Val::Option(None))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Val, D::Error> {
        let item = match self.0.shape {
            Shape::Option(_) => deserializer.deserialize_any(Some_(self.0))?,
            _ => self.0.deserialize(deserializer)?,
        };
        Ok(Val::Option(Some(Box::new(item))))
    }
}

impl<'de> Visitor<'de> for Some_<'_, '_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"null or {"some": …}"#)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Val, A::Error> {
        let context = self.0.context;
        let value = match map.next_key::<String>()?.as_deref() {
            Some("some") => context.within(Step::Field("some"), || map.next_value_seed(self.0))?,
            _ => return context.complain(r#"expected null or {"some": …}"#),
        };
        end(context, map, value)
    }
}

impl<'de> DeserializeSeed<'de> for Payload<'_, '_> {
    type Value = Option<Box<Val>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let context = self.context;
        match self.shape {
            Some(shape) => {
                let slot = Slot { shape, context };
                Ok(Some(Box::new(slot.deserialize(deserializer)?)))
            }
            None => match <()>::deserialize(deserializer) {
                Ok(()) => Ok(None),
                Err(_) => context.complain("expected null: there is no value here"),
            },
        }
    }
}

/// An object of one field ends here.
fn end<'de, A: MapAccess<'de>, T>(
    context: &Context<'_>,
    mut map: A,
    value: T,
) -> Result<T, A::Error> {
    match map.next_key::<String>()? {
        None => Ok(value),
        Some(_) => context.complain("expected an object of one field, found more"),
    }
}

impl Slot<'_, '_> {
    fn mismatch<T, E: Error>(&self, found: Unexpected<'_>) -> Result<T, E> {
        let expected = expected(self.shape);
        self.context
            .complain(format!("expected {expected}, found {}", shown(found)))
    }

    fn integer<E: Error>(
        &self,
        integer: Integer,
        value: i128,
        found: Unexpected<'_>,
    ) -> Result<Val, E> {
        let max = i128::from(JSON_INTEGER_MAX);
        if value.abs() > max && integer.exceeds_json() {
            return self.context.complain(format!(
                "integers beyond ±{max} are given as strings: not every reader of JSON reads them alike"
            ));
        }
        match integer.value(value) {
            Some(value) => Ok(value),
            None => self.mismatch(found),
        }
    }

    fn number<E: Error>(&self, value: f64, found: Unexpected<'_>) -> Result<Val, E> {
        match self.shape {
            Shape::Float64 => Ok(Val::Float64(value)),
            // Rounded to the nearest, which is what it means to give a number to an `f32`; but never to infinity.
            Shape::Float32 if (value as f32).is_finite() => Ok(Val::Float32(value as f32)),
            _ => self.mismatch(found),
        }
    }
}

impl<'de> Visitor<'de> for Slot<'_, '_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&expected(self.shape))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Val, E> {
        match self.shape {
            Shape::Bool => Ok(Val::Bool(value)),
            _ => self.mismatch(Unexpected::Bool(value)),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Val, E> {
        let found = Unexpected::Unsigned(value);
        match self.shape {
            Shape::Integer(integer) => self.integer(*integer, value.into(), found),
            _ => self.number(value as f64, found),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Val, E> {
        let found = Unexpected::Signed(value);
        match self.shape {
            Shape::Integer(integer) => self.integer(*integer, value.into(), found),
            _ => self.number(value as f64, found),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Val, E> {
        let found = Unexpected::Float(value);
        match self.shape {
            // To JSON Schema, 1.0 is an integer.
            Shape::Integer(integer) if value.fract() == 0.0 && value.abs() < 1e20 => {
                self.integer(*integer, value as i128, found)
            }
            _ => self.number(value, found),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Val, E> {
        let found = Unexpected::Str(value);
        match self.shape {
            Shape::String => {
                self.context.take(value.len())?;
                Ok(Val::String(value.to_owned()))
            }
            Shape::Char => {
                let mut chars = value.chars();
                match (chars.next(), chars.next()) {
                    (Some(char), None) => Ok(Val::Char(char)),
                    _ => self.mismatch(found),
                }
            }
            Shape::Bytes => {
                self.context.take_values(value.len() / 4 * 3)?;
                match BASE64.decode(value) {
                    Ok(bytes) => Ok(Val::List(bytes.into_iter().map(Val::U8).collect())),
                    Err(_) => self.mismatch(found),
                }
            }
            Shape::Integer(integer) if integer.exceeds_json() => {
                // One spelling: what `0x10` or `+1` mean is anybody's guess.
                let number = value.parse::<i128>().ok();
                let number = number.filter(|number| number.to_string() == value);
                match number.and_then(|number| integer.value(number)) {
                    Some(value) => Ok(value),
                    None => self.mismatch(found),
                }
            }
            Shape::Enum(cases) => match cases.find(value) {
                Some(_) => {
                    self.context.take(value.len())?;
                    Ok(Val::Enum(value.to_owned()))
                }
                None => self.context.complain(unknown("case", value, cases.names())),
            },
            Shape::Variant(cases) => match cases.find(value) {
                Some((_, _, None)) => {
                    self.context.take(value.len())?;
                    Ok(Val::Variant(value.to_owned(), None))
                }
                Some((_, _, Some(_))) => {
                    let form = format!(r#"the case `{value}` holds a value: {{"{value}": …}}"#);
                    self.context.complain(form)
                }
                None => self.context.complain(unknown("case", value, cases.names())),
            },
            _ => self.mismatch(found),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Val, E> {
        self.mismatch(Unexpected::Unit)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Val, A::Error> {
        let context = self.context;
        match self.shape {
            Shape::List(shape) => {
                let mut values = Vec::new();
                let mut next = |at| {
                    context.within(Step::Item(at), || {
                        items.next_element_seed(Slot { shape, context })
                    })
                };
                while let Some(value) = next(values.len())? {
                    values.push(value);
                }
                Ok(Val::List(values))
            }
            Shape::Tuple(shapes) => {
                let mut values = Vec::new();
                for (at, shape) in shapes.iter().enumerate() {
                    let slot = Slot { shape, context };
                    match context.within(Step::Item(at), || items.next_element_seed(slot))? {
                        Some(value) => values.push(value),
                        None => return self.mismatch(Unexpected::Other("fewer")),
                    }
                }
                match items.next_element::<serde::de::IgnoredAny>()? {
                    None => Ok(Val::Tuple(values)),
                    Some(_) => self.mismatch(Unexpected::Other("more")),
                }
            }
            Shape::Flags(flags) => {
                let (mut set, mut is_set) = (Vec::new(), vec![false; flags.len()]);
                while let Some(flag) = items.next_element::<String>()? {
                    let Some((at, _, ())) = flags.find(&flag) else {
                        return context.complain(unknown("flag", &flag, flags.names()));
                    };
                    if is_set
                        .get_mut(at)
                        .is_none_or(|is_set| std::mem::replace(is_set, true))
                    {
                        return context.complain(format!("the flag `{flag}` is given twice"));
                    }
                    context.take_values(1)?;
                    context.take(flag.len())?;
                    set.push(flag);
                }
                Ok(Val::Flags(set))
            }
            _ => self.mismatch(Unexpected::Seq),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Val, A::Error> {
        let context = self.context;
        match self.shape {
            Shape::Record(fields) => {
                context.take(fields.names().map(str::len).sum())?;
                context.take_values(fields.len())?;
                let values = record(fields, context, map)?;
                let names = fields.names().map(str::to_owned);
                Ok(Val::Record(names.zip(values).collect()))
            }
            Shape::Variant(cases) => {
                let Some(key) = map.next_key::<String>()? else {
                    return self.mismatch(Unexpected::Other("an empty object"));
                };
                let Some((_, name, shape)) = cases.find(&key) else {
                    return context.complain(unknown("case", &key, cases.names()));
                };
                let Some(shape) = shape else {
                    return context.complain(format!(
                        "the case `{key}` holds no value: it is written \"{key}\""
                    ));
                };
                context.take(key.len())?;
                let payload = Payload {
                    shape: Some(shape),
                    context,
                };
                let value = context.within(Step::Field(name), || map.next_value_seed(payload))?;
                end(context, map, Val::Variant(key, value))
            }
            Shape::Result { ok, error } => {
                let key = map.next_key::<String>()?;
                let (name, shape) = match key.as_deref() {
                    Some("ok") => ("ok", ok),
                    Some("error") => ("error", error),
                    _ => return self.mismatch(Unexpected::Other("another object")),
                };
                let payload = Payload {
                    shape: shape.as_deref(),
                    context,
                };
                let value = context.within(Step::Field(name), || map.next_value_seed(payload))?;
                let result = if name == "ok" { Ok(value) } else { Err(value) };
                end(context, map, Val::Result(result))
            }
            _ => self.mismatch(Unexpected::Map),
        }
    }
}

fn expected(shape: &Shape) -> String {
    match shape {
        Shape::Bool => "true or false".to_owned(),
        Shape::Integer(integer) => {
            let (min, max) = integer.range();
            match integer.exceeds_json() {
                false => format!("an integer from {min} to {max}"),
                true => format!("an integer from {min} to {max}, or one as a string"),
            }
        }
        Shape::Float32 => "a number that fits into 32 bits".to_owned(),
        Shape::Float64 => "a number".to_owned(),
        Shape::Char => "a string of one character".to_owned(),
        Shape::String => "a string".to_owned(),
        Shape::Bytes => "bytes as a string in base64".to_owned(),
        Shape::List(_) => "an array".to_owned(),
        Shape::Tuple(items) => format!("an array of {} items", items.len()),
        Shape::Record(_) => "an object".to_owned(),
        Shape::Variant(cases) => match cases.iter().any(|(_, shape)| shape.is_none()) {
            true => "a case's name, or an object of one field".to_owned(),
            false => "an object of one field, named after a case".to_owned(),
        },
        Shape::Enum(_) => "one of the cases, as a string".to_owned(),
        Shape::Flags(_) => "an array of flags".to_owned(),
        Shape::Option(item) => format!("{}, or null", expected(item)),
        Shape::Result { .. } => r#"{"ok": …} or {"error": …}"#.to_owned(),
    }
}

/// What was found, in JSON's words. A caller's text is not repeated at length.
fn shown(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(value) => value.to_string(),
        Unexpected::Signed(value) => value.to_string(),
        Unexpected::Float(value) => value.to_string(),
        Unexpected::Str(text) => format!("the string {:?}", short(text)),
        Unexpected::Unit => "null".to_owned(),
        Unexpected::Seq => "an array".to_owned(),
        Unexpected::Map => "an object".to_owned(),
        Unexpected::Other(what) => what.to_owned(),
        _ => "something else".to_owned(),
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    const SHOWN_MAX: usize = 16;
    let mut known: Vec<_> = known.take(SHOWN_MAX + 1).collect();
    let more = known.len() > SHOWN_MAX;
    known.truncate(SHOWN_MAX);
    let more = if more { ", …" } else { "" };
    format!(
        "there is no {what} {:?}; there are: {}{more}",
        short(name),
        known.join(", ")
    )
}

fn short(text: &str) -> &str {
    const SHOWN_BYTES_MAX: usize = 64;
    text.get(..text.floor_char_boundary(SHOWN_BYTES_MAX))
        .unwrap_or_default()
}
