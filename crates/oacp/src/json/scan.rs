//! The scan: a JSON text is walked once, and read on the way into whatever is wanted of it.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use super::{AdmitError, AdmitErrorKind, without_place};
use crate::limits::{JSON_INTEGER_MAX, JsonLimits};

/// With the feature `raw_value` or `arbitrary_precision`, `serde_json` reads what follows such a key as
/// something else.
const RESERVED: &str = "$serde_json::private::";

/// Refuses what [`admit`](super::admit) refuses.
pub(super) fn scan<T: Product>(bytes: &[u8], limits: JsonLimits) -> Result<T, AdmitError> {
    let limit = |kind| AdmitError::at(&[], 0, kind);
    if bytes.len() > limits.bytes_max {
        return Err(limit(AdmitErrorKind::TooLarge(limits.bytes_max)));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(limit(AdmitErrorKind::ByteOrderMark));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| AdmitError::at(bytes, error.valid_up_to(), AdmitErrorKind::Utf8))?;
    let mut scanner = Scanner {
        text,
        at: 0,
        depth_max: limits.depth_max,
    };
    scanner
        .document()
        .map_err(|kind| AdmitError::at(bytes, scanner.at, kind))
}

/// What a scan reads a text into: a [`Value`], or nothing, `()`, where it is only judged.
pub(super) trait Product: Sized {
    /// The members of one object so far.
    type Members<'a>: Default;

    /// A text, a number or a word. Whoever wants nothing does not have it made.
    fn leaf(make: impl FnOnce() -> Scan<Value>) -> Scan<Self>;
    fn array(items: Vec<Self>) -> Self;
    fn object(members: Self::Members<'_>) -> Self;
    /// Adds a member. `Err`: the key, which is there already; the value is not read then.
    fn member<'a>(
        members: &mut Self::Members<'a>,
        key: Cow<'a, str>,
        value: impl FnOnce() -> Scan<Self>,
    ) -> Result<Scan<()>, String>;
}

impl Product for () {
    type Members<'a> = Keys<'a>;

    fn leaf(_: impl FnOnce() -> Scan<Value>) -> Scan<()> {
        Ok(())
    }

    fn array(_: Vec<()>) {}

    fn object(_: Keys<'_>) {}

    fn member<'a>(
        keys: &mut Keys<'a>,
        key: Cow<'a, str>,
        value: impl FnOnce() -> Scan<()>,
    ) -> Result<Scan<()>, String> {
        keys.insert(key).map(|()| value())
    }
}

impl Product for Value {
    type Members<'a> = Map<String, Value>;

    fn leaf(make: impl FnOnce() -> Scan<Value>) -> Scan<Value> {
        make()
    }

    fn array(items: Vec<Value>) -> Value {
        Value::Array(items)
    }

    fn object(members: Map<String, Value>) -> Value {
        Value::Object(members)
    }

    fn member(
        members: &mut Map<String, Value>,
        key: Cow<'_, str>,
        value: impl FnOnce() -> Scan<Value>,
    ) -> Result<Scan<()>, String> {
        match members.entry(key) {
            Entry::Occupied(there) => Err(there.key().clone()),
            Entry::Vacant(free) => Ok(value().map(|value| {
                free.insert(value);
            })),
        }
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth_max: usize,
}

type Scan<T> = Result<T, AdmitErrorKind>;

impl<'a> Scanner<'a> {
    fn document<T: Product>(&mut self) -> Scan<T> {
        let value = self.value(0)?;
        self.space();
        if self.at == self.text.len() {
            Ok(value)
        } else {
            Err(AdmitErrorKind::Trailing)
        }
    }

    fn value<T: Product>(&mut self, depth: usize) -> Scan<T> {
        self.space();
        match self.peek()? {
            b'{' | b'[' if depth == self.depth_max => Err(AdmitErrorKind::TooDeep(self.depth_max)),
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'"' => {
                let text = self.string()?;
                T::leaf(|| Ok(Value::String(text.into_owned())))
            }
            b'-' | b'0'..=b'9' => {
                let text = self.number()?;
                T::leaf(|| number(text))
            }
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            _ => Err(AdmitErrorKind::Syntax),
        }
    }

    fn object<T: Product>(&mut self, depth: usize) -> Scan<T> {
        self.at += 1;
        self.space();
        let mut members = T::Members::default();
        if self.take(b'}') {
            return Ok(T::object(members));
        }
        loop {
            self.space();
            if self.peek()? != b'"' {
                return Err(AdmitErrorKind::Syntax);
            }
            let start = self.at;
            let key = self.string()?;
            if key.starts_with(RESERVED) {
                self.at = start;
                return Err(AdmitErrorKind::ReservedKey(key.into_owned()));
            }
            let value = || {
                self.space();
                self.expect(b':')?;
                self.value(depth)
            };
            match T::member(&mut members, key, value) {
                Ok(read) => read?,
                Err(key) => {
                    self.at = start;
                    return Err(AdmitErrorKind::DuplicateKey(key));
                }
            }
            self.space();
            if self.take(b'}') {
                return Ok(T::object(members));
            }
            self.expect(b',')?;
        }
    }

    fn array<T: Product>(&mut self, depth: usize) -> Scan<T> {
        self.at += 1;
        self.space();
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(T::array(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.space();
            if self.take(b']') {
                return Ok(T::array(items));
            }
            self.expect(b',')?;
        }
    }

    /// One string, unescaped.
    fn string(&mut self) -> Scan<Cow<'a, str>> {
        self.at += 1;
        let mut unescaped: Option<String> = None;
        loop {
            let start = self.at;
            let rest = self.text.as_bytes().get(start..).unwrap_or_default();
            let plain = rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
                .unwrap_or(rest.len());
            self.at += plain;
            let piece = self.text.get(start..self.at).unwrap_or_default();
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(match unescaped {
                        None => Cow::Borrowed(piece),
                        Some(text) => Cow::Owned(text + piece),
                    });
                }
                b'\\' => {
                    let text = unescaped.get_or_insert_default();
                    text.push_str(piece);
                    text.push(self.escape()?);
                }
                _ => return Err(AdmitErrorKind::Syntax),
            }
        }
    }

    fn escape(&mut self) -> Scan<char> {
        let start = self.at;
        self.at += 1;
        let kind = self.peek()?;
        self.at += 1;
        let simple = match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit()?;
                let second = match first {
                    0xd800..=0xdbff
                        if self
                            .text
                            .get(self.at..)
                            .is_some_and(|rest| rest.starts_with("\\u")) =>
                    {
                        self.at += 2;
                        Some(self.unit()?)
                    }
                    _ => None,
                };
                let units = [first].into_iter().chain(second);
                return match char::decode_utf16(units).next() {
                    Some(Ok(one)) => Ok(one),
                    _ => {
                        self.at = start;
                        Err(AdmitErrorKind::LoneSurrogate)
                    }
                };
            }
            _ => return Err(AdmitErrorKind::Syntax),
        };
        Ok(simple)
    }

    /// Four hex digits of either case.
    fn unit(&mut self) -> Scan<u16> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = char::from(self.peek()?)
                .to_digit(16)
                .ok_or(AdmitErrorKind::Syntax)?;
            unit = unit << 4 | digit as u16;
            self.at += 1;
        }
        Ok(unit)
    }

    /// One number, as it is spelled.
    fn number(&mut self) -> Scan<&'a str> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        let (mut integer, mut exponent) = (true, false);
        if self.take(b'.') {
            integer = false;
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            (integer, exponent) = (false, true);
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        // Below 10^15, with or without a sign: nothing to look at.
        if !exponent && text.len() <= 15 {
            return Ok(text);
        }
        let value: f64 = text.parse().map_err(|_| AdmitErrorKind::Syntax)?;
        // A double of 2^53 up to 10^21 is canonically written as an integer, however it was
        // spelled.
        const BEYOND: f64 = (JSON_INTEGER_MAX + 1) as f64;
        let refused = if !value.is_finite() {
            AdmitErrorKind::Number
        } else if value.abs() >= BEYOND && (integer || value.abs() < 1e21) {
            AdmitErrorKind::Integer
        } else {
            return Ok(text);
        };
        self.at = start;
        Err(refused)
    }

    fn digits(&mut self) -> Scan<()> {
        if !self.peek()?.is_ascii_digit() {
            return Err(AdmitErrorKind::Syntax);
        }
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest
            .iter()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(rest.len());
        Ok(())
    }

    fn word<T: Product>(&mut self, word: &str, value: Value) -> Scan<T> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.starts_with(word) {
            self.at += word.len();
            T::leaf(|| Ok(value))
        } else if word.starts_with(rest) {
            Err(AdmitErrorKind::Truncated)
        } else {
            Err(AdmitErrorKind::Syntax)
        }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.as_bytes().get(self.at) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Scan<u8> {
        self.text
            .as_bytes()
            .get(self.at)
            .copied()
            .ok_or(AdmitErrorKind::Truncated)
    }

    fn take(&mut self, byte: u8) -> bool {
        let taken = self.text.as_bytes().get(self.at) == Some(&byte);
        self.at += usize::from(taken);
        taken
    }

    fn expect(&mut self, byte: u8) -> Scan<()> {
        if self.peek()? == byte {
            self.at += 1;
            Ok(())
        } else {
            Err(AdmitErrorKind::Syntax)
        }
    }
}

/// The number that `serde_json` reads in a spelling that was admitted.
fn number(text: &str) -> Scan<Value> {
    if let Ok(integer) = text.parse::<u64>() {
        return Ok(Value::from(integer));
    }
    let number: Number = text
        .parse()
        .map_err(|error| AdmitErrorKind::Shape(without_place(&error)))?;
    Ok(Value::Number(number))
}

/// The keys of one object. Most have a handful, for which a list is faster than hashing.
#[derive(Default)]
pub(super) struct Keys<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Keys<'a> {
    const FEW: usize = 16;

    /// The key again when it was there already.
    fn insert(&mut self, key: Cow<'a, str>) -> Result<(), String> {
        if self.many.is_empty() && self.few.len() < Self::FEW {
            if self.few.contains(&key) {
                return Err(key.into_owned());
            }
            self.few.push(key);
            return Ok(());
        }
        self.many.extend(self.few.drain(..));
        if self.many.contains(&key) {
            return Err(key.into_owned());
        }
        self.many.insert(key);
        Ok(())
    }
}
