//! The types of a component's functions, apart from Wasmtime: schema and conversions follow from the same value, so they
//! cannot differ.
//!
//! The attack is a type that is small in the component and huge when it is written out: `tuple<T, T>` of `tuple<U, U>` of …

use std::collections::BTreeMap;

use oacp::limits::JSON_INTEGER_MAX;
use thiserror::Error;
use wasmtime::component::types::{Case, Field};
use wasmtime::component::{Type, Val};

use crate::limits;

/// What a value looks like.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    Bool,
    Integer(Integer),
    Float32,
    Float64,
    Char,
    String,
    /// `list<u8>`.
    Bytes,
    List(Box<Shape>),
    Tuple(Vec<Shape>),
    Record(Named<Shape>),
    Variant(Named<Option<Shape>>),
    Enum(Named<()>),
    Flags(Named<()>),
    Option(Box<Shape>),
    Result {
        ok: Option<Box<Shape>>,
        error: Option<Box<Shape>>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Integer {
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
}

/// Fields, cases or flags: in the order of the WIT, and found by name in logarithmic time, since a caller chooses how often one is looked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named<T> {
    items: Vec<(String, T)>,
    index: BTreeMap<String, usize>,
}

impl<T> Named<T> {
    pub(crate) fn new(items: Vec<(String, T)>) -> Self {
        let index = items.iter().enumerate();
        let index = index.map(|(at, (name, _))| (name.clone(), at)).collect();
        Self { items, index }
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &(String, T)> {
        self.items.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|(name, _)| name.as_str())
    }

    /// The place of `name`, the name, and what has it.
    pub(crate) fn find(&self, name: &str) -> Option<(usize, &str, &T)> {
        let at = *self.index.get(name)?;
        let (name, item) = self.items.get(at)?;
        Some((at, name, item))
    }
}

impl Integer {
    pub(crate) fn range(self) -> (i128, i128) {
        match self {
            Self::S8 => (i8::MIN.into(), i8::MAX.into()),
            Self::U8 => (0, u8::MAX.into()),
            Self::S16 => (i16::MIN.into(), i16::MAX.into()),
            Self::U16 => (0, u16::MAX.into()),
            Self::S32 => (i32::MIN.into(), i32::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::S64 => (i64::MIN.into(), i64::MAX.into()),
            Self::U64 => (0, u64::MAX.into()),
        }
    }

    /// Whether some of its values are beyond what every reader of JSON reads alike.
    pub(crate) fn exceeds_json(self) -> bool {
        self.range().1 > i128::from(JSON_INTEGER_MAX)
    }

    /// `None`: out of range.
    pub(crate) fn value(self, value: i128) -> Option<Val> {
        Some(match self {
            Self::S8 => Val::S8(value.try_into().ok()?),
            Self::U8 => Val::U8(value.try_into().ok()?),
            Self::S16 => Val::S16(value.try_into().ok()?),
            Self::U16 => Val::U16(value.try_into().ok()?),
            Self::S32 => Val::S32(value.try_into().ok()?),
            Self::U32 => Val::U32(value.try_into().ok()?),
            Self::S64 => Val::S64(value.try_into().ok()?),
            Self::U64 => Val::U64(value.try_into().ok()?),
        })
    }
}

/// Why a type has no schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Unmapped {
    #[error("a resource, which a caller cannot hold: let the function take and give plain values")]
    Resource,
    #[error("a {0}, which is of the asynchronous component model: give all at once, as a list")]
    Asynchronous(&'static str),
    #[error("a {0}, which is not final in the component model: use a list")]
    Unfinished(&'static str),
    #[error("nested more than {max} deep", max = limits::TYPE_DEPTH_MAX)]
    Depth,
    #[error("of more than {max} parts when written out", max = limits::TYPE_PARTS_MAX)]
    Parts,
}

/// What of a type may still be written out.
pub(crate) struct Room {
    parts: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            parts: limits::TYPE_PARTS_MAX,
        }
    }
}

impl Room {
    fn take(&mut self, parts: usize) -> Result<(), Unmapped> {
        self.parts = self.parts.checked_sub(parts).ok_or(Unmapped::Parts)?;
        Ok(())
    }
}

impl Shape {
    /// The shape of the values of `ty`.
    pub(crate) fn of(ty: &Type, room: &mut Room) -> Result<Self, Unmapped> {
        Self::at(ty, room, 1)
    }

    fn at(ty: &Type, room: &mut Room, depth: usize) -> Result<Self, Unmapped> {
        if depth > limits::TYPE_DEPTH_MAX {
            return Err(Unmapped::Depth);
        }
        room.take(1)?;
        let mut within = |ty: &Type| Self::at(ty, room, depth + 1);
        Ok(match ty {
            Type::Bool => Self::Bool,
            Type::S8 => Self::Integer(Integer::S8),
            Type::U8 => Self::Integer(Integer::U8),
            Type::S16 => Self::Integer(Integer::S16),
            Type::U16 => Self::Integer(Integer::U16),
            Type::S32 => Self::Integer(Integer::S32),
            Type::U32 => Self::Integer(Integer::U32),
            Type::S64 => Self::Integer(Integer::S64),
            Type::U64 => Self::Integer(Integer::U64),
            Type::Float32 => Self::Float32,
            Type::Float64 => Self::Float64,
            Type::Char => Self::Char,
            Type::String => Self::String,
            Type::List(list) => match list.ty() {
                Type::U8 => Self::Bytes,
                item => Self::List(Box::new(within(&item)?)),
            },
            Type::Tuple(tuple) => {
                let types = tuple.types();
                Self::Tuple(types.map(|ty| within(&ty)).collect::<Result<_, _>>()?)
            }
            Type::Record(record) => {
                let field = |Field { name, ty }: Field<'_>| Ok((name.to_owned(), within(&ty)?));
                let fields = record.fields().map(field);
                Self::Record(Named::new(fields.collect::<Result<_, _>>()?))
            }
            Type::Variant(variant) => {
                let case = |Case { name, ty }: Case<'_>| {
                    Ok((name.to_owned(), ty.map(|ty| within(&ty)).transpose()?))
                };
                let cases = variant.cases().map(case);
                Self::Variant(Named::new(cases.collect::<Result<_, _>>()?))
            }
            Type::Enum(cases) => Self::Enum(words(cases.names(), room)?),
            Type::Flags(flags) => Self::Flags(words(flags.names(), room)?),
            Type::Option(option) => Self::Option(Box::new(within(&option.ty())?)),
            Type::Result(result) => {
                let mut side =
                    |ty: Option<Type>| ty.map(|ty| within(&ty).map(Box::new)).transpose();
                Self::Result {
                    ok: side(result.ok())?,
                    error: side(result.err())?,
                }
            }
            Type::Own(_) | Type::Borrow(_) => return Err(Unmapped::Resource),
            Type::Future(_) => return Err(Unmapped::Asynchronous("future")),
            Type::Stream(_) => return Err(Unmapped::Asynchronous("stream")),
            Type::ErrorContext => return Err(Unmapped::Asynchronous("error-context")),
            Type::Map(_) => return Err(Unmapped::Unfinished("map")),
            Type::FixedLengthList(_) => return Err(Unmapped::Unfinished("list of fixed length")),
        })
    }
}

fn words<'a>(
    names: impl ExactSizeIterator<Item = &'a str>,
    room: &mut Room,
) -> Result<Named<()>, Unmapped> {
    room.take(names.len())?;
    Ok(Named::new(
        names.map(|name| (name.to_owned(), ())).collect(),
    ))
}
