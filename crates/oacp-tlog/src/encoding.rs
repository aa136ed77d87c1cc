//! Base64 and decimals with one spelling each, as every C2SP format of this crate writes them.
//!
//! Attack: a second spelling of the same value. Two texts that mean the same would have two hashes,
//! and one signature would stand under both.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The largest number that these formats hold: sizes, indexes and times end at 2^63 − 1
/// (tlog-cosignature says so of times; the others follow, so that every language reads them).
pub(crate) const NUMBER_MAX: u64 = (1 << 63) - 1;

/// RFC 4648, section 4.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// RFC 4648, section 4: padded, no stray bits, no white space.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// A decimal of at most [`NUMBER_MAX`]: ASCII digits, no sign, no leading zero.
pub(crate) fn from_decimal(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
        && text.len() <= 19;
    let number = canonical.then(|| text.parse().ok()).flatten()?;
    (number <= NUMBER_MAX).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        assert_eq!(from_decimal("0"), Some(0));
        assert_eq!(from_decimal("9223372036854775807"), Some(NUMBER_MAX));
        for wrong in [
            "",
            "00",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1_0",
            "0x1",
            "١",
            "9223372036854775808",
            "18446744073709551616",
            "99999999999999999999999999",
        ] {
            assert_eq!(from_decimal(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn base64_has_one_spelling() {
        assert_eq!(from_base64("AA=="), Some(vec![0]));
        for wrong in [
            "AA", "AA=", "AB==", "AA==\n", " AA==", "A A=", "AA===", "-_==", "A",
        ] {
            assert_eq!(from_base64(wrong), None, "{wrong}");
        }
    }
}
