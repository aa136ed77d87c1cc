//! Strict admission of JSON, and its canonical form (RFC 8785).
//!
//! The attack is a text that two readers understand differently: a key given twice, an integer that
//! a browser rounds, half of a surrogate pair, bytes after the end. What is read here passes one scan:
//! [`admit`] takes its value from it, [`from_slice`] lets `serde_json` read only what passed. The
//! scan only ever refuses more than `serde_json` does, and reads what is left as that does.

mod scan;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::scan::scan;
use crate::limits::{JSON_DEPTH_MAX, JsonLimits};

/// Nested arrays and objects that `serde_json` reads: no value is deeper, whatever limits are asked
/// for.
const SERDE_JSON_DEPTH_MAX: usize = 127;

/// Reads a JSON text (RFC 8259) that every reader understands alike.
///
/// # Errors
/// Refused are: more bytes or depth than `limits`; a byte order mark; invalid UTF-8; a key twice in
/// one object, compared after unescaping; keys that begin with `$serde_json::private::`; numbers
/// whose canonical form is an integer beyond ±(2^53 − 1), or that no double can hold; lone
/// surrogates; anything but whitespace after the value.
pub fn admit(bytes: &[u8], limits: JsonLimits) -> Result<Value, AdmitError> {
    scan(
        bytes,
        JsonLimits {
            depth_max: limits.depth_max.min(SERDE_JSON_DEPTH_MAX),
            ..limits
        },
    )
}

/// [`admit`], then deserialized.
///
/// # Errors
/// Those of [`admit`], and [`AdmitErrorKind::Shape`] where the text is not a `T`.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8], limits: JsonLimits) -> Result<T, AdmitError> {
    scan::<()>(bytes, limits)?;
    serde_json::from_slice(bytes).map_err(|error| {
        let line_start = match error.line() {
            0 | 1 => 0,
            line => bytes
                .iter()
                .enumerate()
                .filter(|(_, byte)| **byte == b'\n')
                .nth(line - 2)
                .map_or(0, |(at, _)| at + 1),
        };
        let offset = (line_start + error.column().saturating_sub(1)).min(bytes.len());
        AdmitError::at(bytes, offset, AdmitErrorKind::Shape(without_place(&error)))
    })
}

/// The canonical form (RFC 8785, JCS) of a value.
///
/// # Errors
/// A value that does not serialize to JSON, or whose canonical form [`admit`] would refuse for its
/// numbers, its keys or its depth: what cannot be read back alike has no canonical form.
pub fn canonicalize<T: Serialize>(value: &T) -> Result<Vec<u8>, CanonicalizeError> {
    let bytes = serde_json_canonicalizer::to_vec(value).map_err(CanonicalizeError::Serialize)?;
    scan::<()>(
        &bytes,
        JsonLimits {
            bytes_max: usize::MAX,
            depth_max: JSON_DEPTH_MAX,
        },
    )
    .map_err(|error| CanonicalizeError::Inadmissible(error.kind))?;
    Ok(bytes)
}

/// Why a value has no canonical form.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalizeError {
    /// It does not serialize to JSON.
    #[error("not serializable as JSON")]
    Serialize(#[source] serde_json::Error),
    /// Its JSON would not be admitted.
    #[error("no canonical form: {0}")]
    Inadmissible(AdmitErrorKind),
}

/// A JSON text that is not admitted, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at line {line}, column {column}")]
pub struct AdmitError {
    /// What is wrong.
    pub kind: AdmitErrorKind,
    /// Bytes before the place.
    pub offset: usize,
    /// Counted from 1.
    pub line: usize,
    /// Bytes into the line, counted from 1.
    pub column: usize,
}

/// What is wrong with a JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdmitErrorKind {
    /// More bytes than the limit, which is given.
    TooLarge(usize),
    /// Deeper than the limit, which is given.
    TooDeep(usize),
    /// It begins with a byte order mark.
    ByteOrderMark,
    /// Not UTF-8.
    Utf8,
    /// A key twice in one object.
    DuplicateKey(String),
    /// A key that `serde_json` keeps for itself: with some of its features it reads text within text
    /// behind it.
    ReservedKey(String),
    /// An integer beyond ±(2^53 − 1).
    Integer,
    /// A number that no double can hold.
    Number,
    /// Half of a surrogate pair.
    LoneSurrogate,
    /// Something after the value.
    Trailing,
    /// It ends within the value.
    Truncated,
    /// Not JSON.
    Syntax,
    /// JSON, but not of the expected shape; the reason is for an operator's eyes.
    Shape(String),
}

impl AdmitErrorKind {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "json_too_large",
            Self::TooDeep(_) => "json_too_deep",
            Self::ByteOrderMark => "json_byte_order_mark",
            Self::Utf8 => "json_not_utf8",
            Self::DuplicateKey(_) => "json_duplicate_key",
            Self::ReservedKey(_) => "json_reserved_key",
            Self::Integer => "json_integer_range",
            Self::Number => "json_number_range",
            Self::LoneSurrogate => "json_lone_surrogate",
            Self::Trailing => "json_trailing_bytes",
            Self::Truncated => "json_truncated",
            Self::Syntax => "json_syntax",
            Self::Shape(_) => "json_shape",
        }
    }
}

impl fmt::Display for AdmitErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(max) => write!(f, "more than {max} bytes"),
            Self::TooDeep(max) => write!(f, "nested more than {max} deep"),
            Self::ByteOrderMark => f.write_str("byte order mark"),
            Self::Utf8 => f.write_str("not UTF-8"),
            Self::DuplicateKey(key) => {
                write!(f, "key `{}` twice in one object", key.escape_debug())
            }
            Self::ReservedKey(key) => {
                write!(
                    f,
                    "key `{}`, which some readers keep for themselves",
                    key.escape_debug()
                )
            }
            Self::Integer => f.write_str("integer beyond ±(2^53 − 1)"),
            Self::Number => f.write_str("number that no double can hold"),
            Self::LoneSurrogate => f.write_str("lone surrogate"),
            Self::Trailing => f.write_str("bytes after the value"),
            Self::Truncated => f.write_str("unexpected end"),
            Self::Syntax => f.write_str("not JSON"),
            Self::Shape(reason) => f.write_str(reason),
        }
    }
}

impl AdmitError {
    fn at(bytes: &[u8], offset: usize, kind: AdmitErrorKind) -> Self {
        let before = bytes.get(..offset).unwrap_or(bytes);
        let line_start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Self {
            kind,
            offset,
            line,
            column: offset - line_start + 1,
        }
    }
}

/// `serde_json` writes its own place behind the message; [`AdmitError`] has one already. The message
/// may quote the text, whose control characters must not reach a terminal.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    let message = text.get(..end).unwrap_or_default();
    message
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Trust;
    use crate::limits::JSON_INTEGER_MAX;
    use proptest::prelude::*;
    use serde_json::json;

    const LIMITS: JsonLimits = JsonLimits {
        bytes_max: 1 << 16,
        depth_max: 64,
    };

    fn code(text: impl AsRef<[u8]>) -> &'static str {
        admit(text.as_ref(), LIMITS).map_or_else(|error| error.kind.code(), |_| "admitted")
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        for (text, expected) in [
            (r#"{"a":1,"a":1}"#, "json_duplicate_key"),
            (r#"{"a":1,"\u0061":1}"#, "json_duplicate_key"),
            (r#"[{"a":{"b":0,"c":0,"b":0}}]"#, "json_duplicate_key"),
            (r#"{"a":1,"A":1,"á":1,"a\u0301":1}"#, "admitted"),
            ("9007199254740991", "admitted"),
            ("-9007199254740991", "admitted"),
            ("9007199254740992", "json_integer_range"),
            ("-9007199254740992", "json_integer_range"),
            ("9007199254740993", "json_integer_range"),
            ("18446744073709551616", "json_integer_range"),
            ("1000000000000000000000000", "json_integer_range"),
            ("9007199254740992.0", "json_integer_range"),
            ("9007199254740990.9", "admitted"),
            ("1e20", "json_integer_range"),
            ("1e21", "admitted"),
            ("1e308", "admitted"),
            ("1e309", "json_number_range"),
            ("-1e309", "json_number_range"),
            ("1e-400", "admitted"),
            (r#""\ud83d\ude02""#, "admitted"),
            (r#""\uD83D\uDE02""#, "admitted"),
            (r#""\ud83d""#, "json_lone_surrogate"),
            (r#""\ude02""#, "json_lone_surrogate"),
            (r#""\ude02\ud83d""#, "json_lone_surrogate"),
            (r#""\ud83d\ud83d\ude02""#, "json_lone_surrogate"),
            (r#""\ud83dx""#, "json_lone_surrogate"),
            (r#""\ud83d\u0041""#, "json_lone_surrogate"),
            (r#"{"\udead":1}"#, "json_lone_surrogate"),
            (r#""\u0000""#, "admitted"),
            ("\"\0\"", "json_syntax"),
            ("\"\n\"", "json_syntax"),
            ("\0", "json_syntax"),
            ("1 1", "json_trailing_bytes"),
            ("1\0", "json_trailing_bytes"),
            (" \t\r\n1 \t\r\n", "admitted"),
            ("\u{a0}1", "json_syntax"),
            ("\u{feff}1", "json_byte_order_mark"),
            ("01", "json_trailing_bytes"),
            ("-", "json_truncated"),
            ("-01", "json_trailing_bytes"),
            ("+1", "json_syntax"),
            (".5", "json_syntax"),
            ("1.", "json_truncated"),
            ("1.e5", "json_syntax"),
            ("1e", "json_truncated"),
            ("0x1", "json_trailing_bytes"),
            ("NaN", "json_syntax"),
            ("Infinity", "json_syntax"),
            ("[1,]", "json_syntax"),
            (r#"{"a":1,}"#, "json_syntax"),
            ("{a:1}", "json_syntax"),
            ("'a'", "json_syntax"),
            ("[1 2]", "json_syntax"),
            ("", "json_truncated"),
            (" ", "json_truncated"),
            ("[", "json_truncated"),
            ("tru", "json_truncated"),
            ("trve", "json_syntax"),
            (r#"{"a""#, "json_truncated"),
            (r#""\x""#, "json_syntax"),
            (r#""\u00g0""#, "json_syntax"),
            ("/**/1", "json_syntax"),
        ] {
            assert_eq!(code(text), expected, "{text:?}");
        }
        assert_eq!(code(b"\"\xff\""), "json_not_utf8");
        assert_eq!(code(b"\"\xed\xa0\x80\""), "json_not_utf8");
        assert_eq!(code(b"\"\xc0\x80\""), "json_not_utf8");
        assert_eq!(code(b"\xff\xfe1\0"), "json_not_utf8");
    }

    #[test]
    fn depth_and_size_are_bounded() {
        assert_eq!(code("[".repeat(64) + &"]".repeat(64)), "admitted");
        assert_eq!(code("[".repeat(65) + &"]".repeat(65)), "json_too_deep");
        assert_eq!(
            code(r#"{"a":"#.repeat(65) + "1" + &"}".repeat(65)),
            "json_too_deep"
        );
        assert_eq!(code("[".repeat(60_000)), "json_too_deep");
        assert_eq!(code(" ".repeat(1 << 16)), "json_truncated");
        assert_eq!(code(" ".repeat((1 << 16) + 1)), "json_too_large");
    }

    #[test]
    fn many_keys_are_compared_too() {
        let keys: Vec<String> = (0..100).map(|key| format!("\"{key}\":0")).collect();
        assert_eq!(code(format!("{{{}}}", keys.join(","))), "admitted");
        assert_eq!(
            code(format!("{{{},\"3\":0}}", keys.join(","))),
            "json_duplicate_key"
        );
        assert_eq!(
            code(format!("{{{},\"99\":0}}", keys.join(","))),
            "json_duplicate_key"
        );
    }

    #[test]
    fn an_error_says_where() {
        let error = admit(b"{\n  \"a\": 1,\n  \"a\": 2\n}", LIMITS).unwrap_err();
        assert_eq!((error.offset, error.line, error.column), (14, 3, 3));
        assert_eq!(
            error.to_string(),
            "key `a` twice in one object at line 3, column 3"
        );
        let error = from_slice::<Vec<u8>>(b"[1,\n 300]", LIMITS).unwrap_err();
        assert_eq!(error.kind.code(), "json_shape");
        assert_eq!(error.line, 2);
        let error = Trust::parse(br#"{"\u001b[2J":1}"#).unwrap_err();
        assert!(error.to_string().contains('\u{fffd}') && !error.to_string().contains('\u{1b}'));
    }

    #[test]
    fn published_canonical_forms() {
        let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/jcs");
        let mut seen = 0;
        for entry in std::fs::read_dir(format!("{vectors}/input")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let input = std::fs::read(format!("{vectors}/input/{name}")).unwrap();
            let output = std::fs::read(format!("{vectors}/output/{name}")).unwrap();
            let value = admit(&input, LIMITS).unwrap();
            assert_eq!(canonicalize(&value).unwrap(), output, "{name}");
            let again = admit(&output, LIMITS).unwrap();
            assert_eq!(canonicalize(&again).unwrap(), output, "{name}");
            seen += 1;
        }
        assert_eq!(seen, 6);
    }

    #[test]
    fn what_cannot_be_read_back_has_no_canonical_form() {
        assert!(canonicalize(&u64::MAX).is_err());
        assert!(canonicalize(&(JSON_INTEGER_MAX + 1)).is_err());
        assert!(canonicalize(&(JSON_INTEGER_MAX + 2)).is_err());
        assert!(canonicalize(&JSON_INTEGER_MAX).is_ok());
        assert!(canonicalize(&i64::MIN).is_err());
        assert!(canonicalize(&json!(1e20)).is_err());
        assert_eq!(
            canonicalize(&json!({"b": -0.0, "a": 1e30})).unwrap(),
            br#"{"a":1e+30,"b":0}"#
        );
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(JSON_INTEGER_MAX as i64)..=JSON_INTEGER_MAX as i64).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(".{0,3}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Texts that are JSON, and texts that are nearly.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        let member = (0..60, 0..3).prop_map(|(key, value)| format!(r#""k{key}":{value}"#));
        prop_oneof![
            r#"[\[\]{},:"\\/ \-+.eE0-9a-fnrtul\x00é]{0,24}"#.prop_map(String::into_bytes),
            r#" ?-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})? ?"#
                .prop_map(String::into_bytes),
            r#""(\\u[dD][89a-fA-F][0-9a-f]{2}|\\u00[0-9a-f]{2}|\\["\\/bfnrtx]|[a-zé\x00-\x20])*""#
                .prop_map(String::into_bytes),
            prop::collection::vec(member, 0..40).prop_map(|members| format!(
                "{{{}}}",
                members.join(",")
            )
            .into_bytes()),
            (value(), any::<bool>()).prop_map(|(value, pretty)| {
                let write = [serde_json::to_vec, serde_json::to_vec_pretty][usize::from(pretty)];
                write(&value).unwrap()
            }),
            (value(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(value, at, byte)| {
                let mut bytes = serde_json::to_vec(&value).unwrap();
                let at = at.index(bytes.len());
                bytes[at] = byte;
                bytes
            }),
        ]
    }

    #[test]
    fn no_key_is_another_readers_secret() {
        // A feature of `serde_json`, which any crate of a program may switch on, reads text within
        // text behind the first of these keys: a text that no scan has seen.
        for key in ["RawValue", "Number", "\\u0052awValue"] {
            let text = format!(r#"[{{"$serde_json::private::{key}":"{{\\"a\\":1,\\"a\\":2}}"}}]"#);
            for error in [
                admit(text.as_bytes(), LIMITS).unwrap_err(),
                from_slice::<Value>(text.as_bytes(), LIMITS).unwrap_err(),
            ] {
                assert_eq!((error.kind.code(), error.offset), ("json_reserved_key", 2));
            }
        }
        assert!(
            admit(
                br#"{"$serde_json":"$serde_json::private::RawValue"}"#,
                LIMITS
            )
            .is_ok()
        );
    }

    #[test]
    fn no_value_is_deeper_than_serde_json_reads() {
        let deep = |depth| "[".repeat(depth) + &"]".repeat(depth);
        let limits = JsonLimits {
            depth_max: usize::MAX,
            ..LIMITS
        };
        assert!(serde_json::from_str::<Value>(&deep(127)).is_ok());
        assert!(admit(deep(127).as_bytes(), limits).is_ok());
        assert!(serde_json::from_str::<Value>(&deep(128)).is_err());
        let error = admit(deep(30_000).as_bytes(), limits).unwrap_err();
        assert_eq!(error.kind, AdmitErrorKind::TooDeep(127));
    }

    proptest! {
        #[test]
        fn admits_what_passes_the_scan_as_serde_json_reads_it(text in text()) {
            let (admitted, expected) = (admit(&text, LIMITS), from_slice::<Value>(&text, LIMITS));
            prop_assert_eq!(&admitted, &expected);
            // 0 and -0.0, which are equal, are spelled differently.
            let spelled = |read: Result<Value, _>| read.map(|value| value.to_string());
            prop_assert_eq!(spelled(admitted), spelled(expected));
        }

        #[test]
        fn canonical_form_is_a_fixed_point(value in value()) {
            if let Ok(bytes) = canonicalize(&value) {
                let again = admit(&bytes, LIMITS).unwrap();
                prop_assert_eq!(canonicalize(&again).unwrap(), bytes);
            }
        }

        #[test]
        fn never_admits_what_serde_json_refuses(text in r#"[\[\]{},:"\\/ \-+.eE0-9a-fnrtul\x00é]{0,24}"#) {
            let reference = serde_json::from_str::<Value>(&text);
            if scan::<()>(text.as_bytes(), LIMITS).is_ok() {
                prop_assert!(reference.is_ok(), "{}", text);
            }
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = admit(&bytes, LIMITS);
        }
    }
}
