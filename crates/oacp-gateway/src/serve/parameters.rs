//! The query of a URL: each name once, none that is not known.
//!
//! A name that is not known is refused: a filter that is misspelt would otherwise find everything.

use std::str::FromStr;

use crate::server::Refused;

/// Parameters that were not asked for yet.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

/// Parameters of one query. Attack: a long query that is walked for each name.
const COUNT_MAX: usize = 32;

impl Parameters {
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Refused> {
        let mut parameters: Vec<(String, String)> = vec![];
        let parts = query.unwrap_or_default().split('&');
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if parameters.len() == COUNT_MAX || parameters.iter().any(|(other, _)| *other == name) {
                return Err(Refused::bad_request(
                    "the query has a parameter twice, or too many",
                ));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// The value as it is.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// The value, read.
    pub(super) fn read<T: FromStr>(
        &mut self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, Refused> {
        self.read_by(name, expected, |text| text.parse().ok())
    }

    /// The value, read so.
    pub(super) fn read_by<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Refused> {
        let refused = || Refused::bad_request(format!("`{name}` is not {expected}"));
        self.take(name)
            .map(|text| read(&text).ok_or_else(refused))
            .transpose()
    }

    /// Refuses what was not asked for.
    pub(super) fn finish(self, known: &str) -> Result<(), Refused> {
        match self.0.is_empty() {
            true => Ok(()),
            // The name is not repeated: it is anybody's text.
            false => Err(
                Refused::bad_request("the query has a parameter that is not known here")
                    .with_fix(format!("the parameters are {known}")),
            ),
        }
    }
}

/// A count or an index in digits, nothing before it and no zero at its begin: one number has one spelling.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// Percent-decoded, with `+` for a blank as forms have it; UTF-8.
fn decoded(text: &str) -> Result<String, Refused> {
    let malformed = || Refused::bad_request("the query is not percent-encoded UTF-8");
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => plain.push(b' '),
            b'%' => {
                let (digits, after) = after.split_at_checked(2).ok_or_else(malformed)?;
                rest = after;
                let mut value = 0;
                for digit in digits {
                    let digit = char::from(*digit).to_digit(16).ok_or_else(malformed)?;
                    value = 16 * value + digit;
                }
                plain.push(u8::try_from(value).map_err(|_| malformed())?);
            }
            byte => plain.push(byte),
        }
    }
    String::from_utf8(plain).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_once_and_all() {
        let mut parameters = Parameters::parse(Some("a=1&b=x%20y+z%2B&c&")).unwrap();
        assert_eq!(parameters.take("b").as_deref(), Some("x y z+"));
        assert_eq!(parameters.take("b"), None);
        assert_eq!(parameters.take("c").as_deref(), Some(""));
        assert_eq!(
            parameters.read_by("a", "a number", number).unwrap(),
            Some(1)
        );
        assert!(parameters.finish("`a`").is_ok());
        assert!(Parameters::parse(None).unwrap().finish("").is_ok());
        let unknown = Parameters::parse(Some("agnet=x")).unwrap();
        assert!(unknown.finish("`agent`").is_err());
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for query in ["a=%", "a=%4", "a=%zz", "a=%ff", "a=1&a=2", "a&%61"] {
            assert!(Parameters::parse(Some(query)).is_err(), "{query}");
        }
        let many: String = (0..33).map(|n| format!("p{n}&")).collect();
        assert!(Parameters::parse(Some(&many)).is_err());
    }

    #[test]
    fn one_number_has_one_spelling() {
        for (text, expected) in [
            ("0", Some(0)),
            ("10", Some(10)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("01", None),
            ("00", None),
            ("+1", None),
            ("-1", None),
            ("1 ", None),
            ("", None),
            ("0x1", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }
}
