//! A component's values as JSON text, in the order of its types.
//!
//! The attack is a result whose text is many times its size (a control character is six characters in JSON), so the text is
//! written into a bounded buffer.

use std::io::{self, Write};

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD as BASE64;
use oacp::limits::JSON_INTEGER_MAX;
use serde::Serialize;
use thiserror::Error;
use wasmtime::component::Val;

use super::shape::Shape;

/// From here on every double is an integer, and up to the second its canonical text has no exponent: what strict JSON refuses.
const INTEGRAL: std::ops::Range<f64> = 9_007_199_254_740_992.0..1e21;

/// Why there is no text.
#[derive(Debug, Error)]
pub(crate) enum LiftError {
    /// Longer than it may be.
    #[error("the result has more than {0} bytes as JSON")]
    TooLarge(usize),
    /// The value is not of the shape: the engine and the type disagree.
    #[error("the result is not of the function's type")]
    Shape,
}

/// The value's JSON text, of at most `bytes_max` bytes. What has no value is `null`.
pub(crate) fn text(
    shape: Option<&Shape>,
    value: Option<&Val>,
    bytes_max: usize,
) -> Result<String, LiftError> {
    let mut out = Out {
        text: Vec::new(),
        bytes_max,
    };
    out.optional(shape, value)?;
    String::from_utf8(out.text).map_err(|_| LiftError::Shape)
}

/// Anything's JSON text, of at most `bytes_max` bytes.
pub(crate) fn json<T: Serialize>(value: &T, bytes_max: usize) -> Result<String, LiftError> {
    let mut out = Out {
        text: Vec::new(),
        bytes_max,
    };
    out.json(value)?;
    String::from_utf8(out.text).map_err(|_| LiftError::Shape)
}

struct Out {
    text: Vec<u8>,
    bytes_max: usize,
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > self.bytes_max {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Out {
    fn put(&mut self, text: &str) -> Result<(), LiftError> {
        let max = self.bytes_max;
        self.write_all(text.as_bytes())
            .map_err(|_| LiftError::TooLarge(max))
    }

    fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), LiftError> {
        let max = self.bytes_max;
        serde_json::to_writer(self, value).map_err(|_| LiftError::TooLarge(max))
    }

    fn integer(&mut self, value: i128) -> Result<(), LiftError> {
        match value.unsigned_abs() <= JSON_INTEGER_MAX.into() {
            true => self.put(&value.to_string()),
            false => self.put(&format!("\"{value}\"")),
        }
    }

    fn float<T: Serialize + Into<f64> + Copy>(&mut self, value: T) -> Result<(), LiftError> {
        match value.into() {
            f if f.is_nan() => self.put("\"NaN\""),
            f if f.is_infinite() && f > 0.0 => self.put("\"Infinity\""),
            f if f.is_infinite() => self.put("\"-Infinity\""),
            f if INTEGRAL.contains(&f.abs()) => self.put(&format!("\"{f:.0}\"")),
            // In its own width: as few digits as tell it from its neighbours.
            _ => self.json(&value),
        }
    }

    fn items<T>(
        &mut self,
        (open, close): (&str, &str),
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), LiftError>,
    ) -> Result<(), LiftError> {
        self.put(open)?;
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.put(",")?;
            }
            write(self, item)?;
        }
        self.put(close)
    }

    fn tagged(
        &mut self,
        name: &str,
        shape: Option<&Shape>,
        value: Option<&Val>,
    ) -> Result<(), LiftError> {
        self.put("{")?;
        self.json(name)?;
        self.put(":")?;
        self.optional(shape, value)?;
        self.put("}")
    }

    fn optional(&mut self, shape: Option<&Shape>, value: Option<&Val>) -> Result<(), LiftError> {
        match (shape, value) {
            (Some(shape), Some(value)) => self.value(shape, value),
            (None, None) => self.put("null"),
            _ => Err(LiftError::Shape),
        }
    }

    fn value(&mut self, shape: &Shape, value: &Val) -> Result<(), LiftError> {
        match (shape, value) {
            (Shape::Bool, Val::Bool(value)) => self.json(value),
            (Shape::Integer(_), Val::S8(value)) => self.integer((*value).into()),
            (Shape::Integer(_), Val::U8(value)) => self.integer((*value).into()),
            (Shape::Integer(_), Val::S16(value)) => self.integer((*value).into()),
            (Shape::Integer(_), Val::U16(value)) => self.integer((*value).into()),
            (Shape::Integer(_), Val::S32(value)) => self.integer((*value).into()),
            (Shape::Integer(_), Val::U32(value)) => self.integer((*value).into()),
            (Shape::Integer(_), Val::S64(value)) => self.integer((*value).into()),
            (Shape::Integer(_), Val::U64(value)) => self.integer((*value).into()),
            (Shape::Float32, Val::Float32(value)) => self.float(*value),
            (Shape::Float64, Val::Float64(value)) => self.float(*value),
            (Shape::Char, Val::Char(value)) => self.json(value),
            (Shape::String, Val::String(value)) => self.json(value),
            (Shape::Bytes, Val::List(items)) => {
                let byte = |item: &Val| match item {
                    Val::U8(byte) => Ok(*byte),
                    _ => Err(LiftError::Shape),
                };
                let bytes = items.iter().map(byte).collect::<Result<Vec<u8>, _>>()?;
                self.put("\"")?;
                let max = self.bytes_max;
                write!(self, "{}", Base64Display::new(&bytes, &BASE64))
                    .map_err(|_| LiftError::TooLarge(max))?;
                self.put("\"")
            }
            (Shape::List(shape), Val::List(items)) => {
                self.items(("[", "]"), items, |out, item| out.value(shape, item))
            }
            (Shape::Tuple(shapes), Val::Tuple(items)) if shapes.len() == items.len() => {
                let pairs = shapes.iter().zip(items);
                self.items(("[", "]"), pairs, |out, (shape, item)| {
                    out.value(shape, item)
                })
            }
            (Shape::Record(shapes), Val::Record(fields)) if shapes.len() == fields.len() => {
                let pairs = shapes.iter().zip(fields);
                self.items(("{", "}"), pairs, |out, ((_, shape), (name, value))| {
                    out.json(name)?;
                    out.put(":")?;
                    out.value(shape, value)
                })
            }
            (Shape::Variant(cases), Val::Variant(name, value)) => match cases.find(name) {
                Some((_, _, None)) => self.json(name),
                Some((_, _, shape)) => self.tagged(name, shape.as_ref(), value.as_deref()),
                None => Err(LiftError::Shape),
            },
            (Shape::Enum(_), Val::Enum(name)) => self.json(name),
            (Shape::Flags(_), Val::Flags(flags)) => self.json(flags),
            (Shape::Option(_), Val::Option(None)) => self.put("null"),
            (Shape::Option(shape), Val::Option(Some(value))) => match **shape {
                Shape::Option(_) => self.tagged("some", Some(shape), Some(value)),
                _ => self.value(shape, value),
            },
            (Shape::Result { ok, .. }, Val::Result(Ok(value))) => {
                self.tagged("ok", ok.as_deref(), value.as_deref())
            }
            (Shape::Result { error, .. }, Val::Result(Err(value))) => {
                self.tagged("error", error.as_deref(), value.as_deref())
            }
            _ => Err(LiftError::Shape),
        }
    }
}
