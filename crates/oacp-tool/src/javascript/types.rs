//! A type as it is written, in TypeScript or in a comment, before names are looked up.

use serde_json::Value;

/// A type, and the line that it is on.
#[derive(Clone, Debug)]
pub(super) struct Type {
    pub(super) line: u32,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Also `unknown`.
    Any,
    /// Any object.
    Object,
    String,
    Number,
    Integer,
    Boolean,
    Null,
    /// Also `void`.
    Undefined,
    Literal(Value),
    Array(Box<Type>),
    Tuple(Vec<Element>, Option<Box<Type>>),
    /// Members, and what all other keys have.
    Members(Vec<Member>, Option<Box<Type>>),
    Union(Vec<Type>),
    Intersection(Vec<Type>),
    Named(String, Vec<Type>),
    /// `import("./file").Name`
    Imported {
        from: String,
        name: String,
    },
    KeyOf(Box<Type>),
    /// `typeof constant`
    TypeOf(String),
    /// `T[K]`
    Indexed(Box<Type>, Box<Type>),
    /// What is no type of JSON: how it is written, and what to write instead.
    Refused {
        what: String,
        fix: String,
    },
}

/// An element of a tuple.
#[derive(Clone, Debug)]
pub(super) struct Element {
    pub(super) ty: Type,
    pub(super) optional: bool,
}

/// A member of an object.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) optional: bool,
    pub(super) notes: Notes,
}

/// What a comment says of a value beyond its type.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    pub(super) description: String,
    /// Keywords of JSON Schema: `minimum`, `pattern`, …
    pub(super) keywords: Vec<(String, Value)>,
    /// A number that is an integer.
    pub(super) integer: bool,
}

impl Type {
    pub(super) fn new(line: u32, kind: Kind) -> Self {
        Self { line, kind }
    }

    pub(super) fn refused(line: u32, what: impl Into<String>, fix: impl Into<String>) -> Self {
        let (what, fix) = (what.into(), fix.into());
        Self::new(line, Kind::Refused { what, fix })
    }

    /// Nested too deeply to be looked at.
    pub(super) fn too_deep(line: u32) -> Self {
        Self::refused(
            line,
            "a type this deeply nested",
            "give the inner types names",
        )
    }
}

/// What to write instead of a type that JSON does not have. `None`: the name is not a known one.
pub(super) fn instead_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "Date" => "write `string` and take an ISO 8601 date-time: `new Date(text)`",
        "bigint" | "BigInt" => "write `number`, or `string` for what is beyond 2^53",
        "symbol" | "Symbol" => "write `string`",
        "Map" | "WeakMap" | "ReadonlyMap" => {
            "write `Record<string, T>`, and `new Map(Object.entries(value))`"
        }
        "Set" | "WeakSet" | "ReadonlySet" => "write `T[]`, and `new Set(values)`",
        "RegExp" => "write `string`, and `new RegExp(text)`",
        "URL" => "write `string`, and `new URL(text)`",
        "Error" => "write `string`, or throw it",
        "Function" | "CallableFunction" => "take data only: a tool's arguments are JSON",
        "Uint8Array" | "ArrayBuffer" | "Buffer" | "Blob" | "File" | "DataView" | "Int8Array"
        | "Uint8ClampedArray" | "Int16Array" | "Uint16Array" | "Int32Array" | "Uint32Array"
        | "Float32Array" | "Float64Array" => {
            "write `string` with base64: `Uint8Array.fromBase64(text)` and `bytes.toBase64()`"
        }
        "Promise" | "PromiseLike" => "await it: a promise can only be the whole result",
        "Iterable" | "AsyncIterable" | "Iterator" | "AsyncIterator" | "Generator"
        | "AsyncGenerator" | "ReadableStream" => "write `T[]`",
        "Response" | "Request" => "return what is in it: `await response.json()`",
        "never" => "write the type that it has",
        "this" => "write the type out",
        _ => return None,
    })
}
