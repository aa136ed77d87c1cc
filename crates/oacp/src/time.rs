//! Points in time, with one spelling.

use std::fmt;
use std::str::FromStr;

const DAY_MS: i64 = 86_400_000;
/// 9999-12-31T23:59:59.999Z.
const LAST_MS: i64 = 253_402_300_799_999;

/// A point in time in milliseconds since 1970, to the end of the year 9999, without leap seconds.
/// Its only text form is RFC 3339 in UTC with milliseconds: `2026-11-22T20:14:05.123Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From Unix milliseconds. What lies before 1970 or after 9999 becomes the first or last point
    /// in time there is.
    pub fn from_unix_ms(unix_ms: i64) -> Self {
        Self(unix_ms.clamp(0, LAST_MS))
    }

    /// Unix milliseconds.
    pub const fn unix_ms(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date_of(self.0 / DAY_MS);
        let ms = self.0 % DAY_MS;
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
            ms % 1000
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        let field = |from: usize, to: usize| -> Option<i64> {
            let digits = text.get(from..to)?;
            digits
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| digits.parse().ok())
                .flatten()
        };
        let parse = || {
            let days = days_until(field(0, 4)?, field(5, 7)?, field(8, 10)?);
            let seconds = (field(11, 13)? * 60 + field(14, 16)?) * 60 + field(17, 19)?;
            Some(Self(days * DAY_MS + seconds * 1000 + field(20, 23)?))
        };
        // Writing it again refuses 30 February, hour 24, other separators and years before 1970,
        // all at once.
        parse()
            .filter(|time| (0..=LAST_MS).contains(&time.0) && time.to_string() == text)
            .ok_or(ParseTimestampError)
    }
}

text_serde!(Timestamp);

/// A text is not a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a timestamp: expected RFC 3339 in UTC with milliseconds, as `2026-11-22T20:14:05.123Z`"
)]
pub struct ParseTimestampError;

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar. The year is taken to begin
/// in March, so that the leap day is its last.
fn days_until(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_until`], for days from 1970 on.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = (shifted + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times() {
        for (unix_ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_378_445_123, "2026-11-22T20:14:05.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (LAST_MS, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::from_unix_ms(unix_ms).to_string(), text);
            assert_eq!(text.parse(), Ok(Timestamp::from_unix_ms(unix_ms)));
        }
        assert_eq!(Timestamp::from_unix_ms(-1).unix_ms(), 0);
        assert_eq!(Timestamp::from_unix_ms(i64::MAX).unix_ms(), LAST_MS);
    }

    #[test]
    fn other_spellings_are_refused() {
        for wrong in [
            "2026-11-22T20:14:05Z",
            "2026-11-22T20:14:05.12Z",
            "2026-11-22T20:14:05.1234Z",
            "2026-11-22T20:14:05.123z",
            "2026-11-22t20:14:05.123Z",
            "2026-11-22 20:14:05.123Z",
            "2026-11-22T20:14:05.123+00:00",
            "2026-11-22T20:14:05,123Z",
            "2026-02-29T00:00:00.000Z",
            "2100-02-29T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-00-01T00:00:00.000Z",
            "2026-01-00T00:00:00.000Z",
            "2026-01-01T24:00:00.000Z",
            "2026-01-01T23:60:00.000Z",
            "2026-12-31T23:59:60.000Z",
            "1969-12-31T23:59:59.999Z",
            "+026-11-22T20:14:05.123Z",
            "２026-11-22T20:14:05.123Z",
            "",
        ] {
            assert_eq!(
                wrong.parse::<Timestamp>(),
                Err(ParseTimestampError),
                "{wrong}"
            );
        }
    }

    proptest! {
        #[test]
        fn text_round_trips_and_sorts_like_time(a in 0..=LAST_MS, b in 0..=LAST_MS) {
            let (a, b) = (Timestamp::from_unix_ms(a), Timestamp::from_unix_ms(b));
            prop_assert_eq!(a.to_string().parse(), Ok(a));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}
