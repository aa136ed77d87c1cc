//! Whether a reply holds a secret.
//!
//! Attack: a guest asks a host that is given a secret to repeat the request (an echo service, an error page, a redirect with
//! the whole query), and reads the secret from the reply. What is looked for is the value as it is, in hexadecimal, and in
//! base64 at any place in what was encoded; each as it stands, with percent-encoding undone, and with JSON's escapes undone.
//!
//! This is a net, not a wall. A host that is given a secret is trusted with it: it can always send it in a form that nobody
//! looks for, as compressed by an encoding that nobody asked for, or one half today and the other tomorrow.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem::Finder;
use oacp::capability::SecretName;
use zeroize::Zeroizing;

use crate::secret::SecretValue;

/// Bytes of undone text that are looked through at once. Attack: a reply of 16 MiB that is copied for each way of undoing it.
const WINDOW_BYTES: usize = 64 << 10;

/// What the secrets of a run look like in a reply.
pub(crate) struct Forms<'a>(Vec<(&'a SecretName, Zeroizing<Vec<u8>>)>);

impl<'a> Forms<'a> {
    pub(crate) fn of(secrets: impl IntoIterator<Item = (&'a SecretName, &'a SecretValue)>) -> Self {
        let forms = secrets
            .into_iter()
            .flat_map(|(name, value)| forms(value.expose()).into_iter().map(move |f| (name, f)));
        Self(forms.collect())
    }

    /// The first secret that one of these texts holds.
    pub(crate) fn found_in<'t>(
        &self,
        texts: impl IntoIterator<Item = &'t [u8]>,
    ) -> Option<&'a SecretName> {
        if self.0.is_empty() {
            return None;
        }
        let finders: Vec<_> = self
            .0
            .iter()
            .map(|(name, form)| (*name, Finder::new(form.as_slice())))
            .collect();
        let longest = self
            .0
            .iter()
            .map(|(_, form)| form.len())
            .max()
            .unwrap_or_default();
        texts
            .into_iter()
            .find_map(|text| found_in(text, &finders, longest))
    }
}

fn found_in<'a>(
    text: &[u8],
    finders: &[(&'a SecretName, Finder<'_>)],
    longest: usize,
) -> Option<&'a SecretName> {
    if let Some(name) = find(text, finders) {
        return Some(name);
    }
    for (mark, undo) in [
        (b'%', undo_percent as fn(&[u8], &mut Window<'_, '_>)),
        (b'\\', undo_json),
    ] {
        if memchr::memchr(mark, text).is_some() {
            let mut window = Window {
                finders,
                longest,
                bytes: Zeroizing::new(Vec::with_capacity(WINDOW_BYTES + longest)),
                found: None,
            };
            undo(text, &mut window);
            window.look();
            if window.found.is_some() {
                return window.found;
            }
        }
    }
    None
}

fn find<'a>(text: &[u8], finders: &[(&'a SecretName, Finder<'_>)]) -> Option<&'a SecretName> {
    finders
        .iter()
        .find_map(|(name, finder)| finder.find(text).map(|_| *name))
}

/// What a value may look like once percent-encoding and JSON's escapes are undone.
fn forms(value: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut forms = vec![];
    for plain in plain_forms(value) {
        forms.push(hexadecimal(&plain, b"0123456789abcdef"));
        forms.push(hexadecimal(&plain, b"0123456789ABCDEF"));
        for bytes_before in 0..3 {
            forms.extend(base64(&plain, bytes_before));
        }
        forms.push(plain);
    }
    without_repeats(forms)
}

fn without_repeats(mut forms: Vec<Zeroizing<Vec<u8>>>) -> Vec<Zeroizing<Vec<u8>>> {
    forms.sort_by(|one, other| one.cmp(other));
    forms.dedup();
    forms
}

/// The value; the same in UTF-8 if somebody reads its bytes as Latin-1; and as forms write blanks.
fn plain_forms(value: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut latin = Zeroizing::new(Vec::with_capacity(2 * value.len()));
    for byte in value {
        let mut utf8 = [0; 2];
        latin.extend_from_slice(char::from(*byte).encode_utf8(&mut utf8).as_bytes());
    }
    let plus = value.iter().map(|byte| match byte {
        b' ' => b'+',
        byte => *byte,
    });
    without_repeats(vec![
        Zeroizing::new(value.to_vec()),
        latin,
        Zeroizing::new(plus.collect()),
    ])
}

fn hexadecimal(value: &[u8], digits: &[u8; 16]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(2 * value.len()));
    for byte in value {
        let digit = |nibble: u8| digits.get(usize::from(nibble)).copied();
        text.extend(digit(byte >> 4));
        text.extend(digit(byte & 15));
    }
    text
}

/// The characters of base64, in both alphabets, that depend on the value alone if so many bytes (modulo 3) are before it in
/// what is encoded.
fn base64(value: &[u8], bytes_before: usize) -> impl Iterator<Item = Zeroizing<Vec<u8>>> {
    let mut plain = Zeroizing::new(vec![0; bytes_before]);
    plain.reserve_exact(value.len());
    plain.extend_from_slice(value);
    // A character holds six bits: the first that starts in the value, and the last that ends in it.
    let known = (8 * bytes_before).div_ceil(6)..8 * plain.len() / 6;
    [
        Zeroizing::new(STANDARD_NO_PAD.encode(&*plain)),
        Zeroizing::new(URL_SAFE_NO_PAD.encode(&*plain)),
    ]
    .into_iter()
    .filter_map(move |text| {
        text.as_bytes()
            .get(known.clone())
            .map(|known| Zeroizing::new(known.to_vec()))
    })
}

/// Looks through a text that comes byte by byte, without holding more of it than a window.
struct Window<'f, 'a> {
    finders: &'f [(&'a SecretName, Finder<'f>)],
    longest: usize,
    bytes: Zeroizing<Vec<u8>>,
    found: Option<&'a SecretName>,
}

impl Window<'_, '_> {
    fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
        if self.bytes.len() >= WINDOW_BYTES + self.longest {
            self.look();
        }
    }

    fn look(&mut self) {
        self.found = self.found.or_else(|| find(&self.bytes, self.finders));
        // What may be the beginning of a form stays.
        let done = self.bytes.len().saturating_sub(self.longest);
        self.bytes.drain(..done);
    }
}

fn undo_percent(mut text: &[u8], window: &mut Window<'_, '_>) {
    while let Some((&byte, rest)) = text.split_first() {
        text = rest;
        let undone = match (byte, rest) {
            (b'%', [high, low, after @ ..]) => hex_value(&[*high, *low]).map(|v| (v, after)),
            _ => None,
        };
        match undone {
            Some((value, after)) => {
                // Two digits make no more than a byte.
                window.push(u8::try_from(value).unwrap_or(b'%'));
                text = after;
            }
            None => window.push(byte),
        }
    }
}

fn undo_json(mut text: &[u8], window: &mut Window<'_, '_>) {
    while let Some((&byte, rest)) = text.split_first() {
        text = rest;
        if byte != b'\\' {
            window.push(byte);
            continue;
        }
        let Some((&escape, after)) = rest.split_first() else {
            window.push(byte);
            continue;
        };
        let simple = match escape {
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'f' => 12,
            b'r' => b'\r',
            b'u' => match utf16(after) {
                Some((character, after)) => {
                    let mut utf8 = [0; 4];
                    for byte in character.encode_utf8(&mut utf8).bytes() {
                        window.push(byte);
                    }
                    text = after;
                    continue;
                }
                None => b'u',
            },
            // A quote, a slash, a backslash, or no escape of JSON's.
            other => other,
        };
        window.push(simple);
        text = after;
    }
}

/// The character of a `\u` escape, and what is after it; of a pair of surrogates, both are read.
fn utf16(text: &[u8]) -> Option<(char, &[u8])> {
    let (digits, after) = text.split_first_chunk::<4>()?;
    let first = hex_value(digits)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, after));
    }
    let second = after
        .strip_prefix(b"\\u")
        .and_then(<[u8]>::split_first_chunk::<4>)
        .and_then(|(digits, after)| Some((hex_value(digits)?, after)));
    let pair = second.and_then(|(second, after)| {
        let high = first.checked_sub(0xD800).filter(|high| *high < 0x400)?;
        let low = second.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
        Some((char::from_u32(0x1_0000 + (high << 10) + low)?, after))
    });
    Some(pair.unwrap_or((char::REPLACEMENT_CHARACTER, after)))
}

fn hex_value(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| {
        Some(16 * value + char::from(*digit).to_digit(16)?)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    const VALUE: &str = "s3cr+t/\"va\\lue\"?>~é&=end of it";

    fn is_found(value: &str, text: impl AsRef<[u8]>) -> bool {
        let name: SecretName = "KEY".parse().unwrap();
        let value = SecretValue::new(value.as_bytes().to_vec()).unwrap();
        let forms = Forms::of([(&name, &value)]);
        forms.found_in([b"unrelated".as_slice(), text.as_ref()]) == Some(&name)
    }

    fn percent(value: &str, upper: bool, all: bool) -> String {
        let encode = |byte: u8| match byte {
            byte if byte.is_ascii_alphanumeric() && !all => char::from(byte).to_string(),
            byte if upper => format!("%{byte:02X}"),
            byte => format!("%{byte:02x}"),
        };
        value.bytes().map(encode).collect()
    }

    #[test]
    fn a_value_is_found_in_every_form() {
        let escaped: String = VALUE
            .encode_utf16()
            .map(|unit| format!("\\u{unit:04X}"))
            .collect();
        let latin: String = VALUE.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
        let hex: String = VALUE.bytes().map(|byte| format!("{byte:02x}")).collect();
        for text in [
            VALUE.to_owned(),
            percent(VALUE, true, false),
            percent(VALUE, false, false),
            percent(VALUE, true, true),
            percent(VALUE, false, true).replace("%20", "+"),
            serde_json_like(VALUE),
            serde_json_like(VALUE).replace('/', "\\/"),
            escaped,
            latin,
            hex.to_uppercase(),
            hex,
            VALUE.bytes().map(char::from).collect(),
        ] {
            assert!(
                is_found(VALUE, format!("{{\"echo\":\"{text}\"}}")),
                "{text}"
            );
            assert!(is_found(VALUE, &text), "{text}");
        }
    }

    fn serde_json_like(value: &str) -> String {
        value.replace('\\', "\\\\").replace('"', "\\\"")
    }

    #[test]
    fn base64_is_found_at_any_place() {
        for before in ["", "a", "ab", "abc", "user:"] {
            for after in ["", "z", "zy", "zyx"] {
                let plain = format!("{before}{VALUE}{after}");
                for text in [
                    STANDARD.encode(&plain),
                    URL_SAFE.encode(&plain),
                    URL_SAFE_NO_PAD.encode(&plain),
                ] {
                    assert!(is_found(VALUE, &text), "{before} {after}");
                    assert!(is_found(VALUE, percent(&text, true, false)));
                    assert!(is_found(VALUE, text.replace('/', "\\/")));
                }
            }
        }
    }

    #[test]
    fn a_value_is_found_across_windows() {
        for at in (WINDOW_BYTES - 200..WINDOW_BYTES + 300).step_by(7) {
            for text in [percent(VALUE, true, true), serde_json_like(VALUE)] {
                let text = format!("%41\\n{}{text}{}", "x".repeat(at), "y".repeat(at));
                assert!(is_found(VALUE, text), "{at}");
            }
        }
    }

    #[test]
    fn what_only_resembles_a_value_is_not_found() {
        let beginning = VALUE.get(..VALUE.len() - 1).unwrap();
        for text in [
            "",
            "%",
            "%4",
            "\\",
            "\\u",
            "\\u00",
            "\\ud800",
            "\\ud800\\u0041",
            beginning,
        ] {
            assert!(!is_found(VALUE, text), "{text}");
        }
        assert!(!is_found(VALUE, STANDARD.encode(beginning)));
        assert!(!is_found("0123456789abcdef", "0123456789abcdeg"));
    }

    #[test]
    fn a_pair_of_surrogates_is_one_character() {
        assert!(is_found(
            "a key with a 🔑 in it",
            "a key with a \\ud83d\\uDD11 in it"
        ));
    }
}
