//! Quantities as people read them.

use std::time::Duration;

/// `4.1 ms`, `12.3 s`, `2 min 5 s`.
pub(crate) fn duration(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1e3;
    match ms {
        ..10.0 => format!("{ms:.1} ms"),
        ..1000.0 => format!("{ms:.0} ms"),
        ..60_000.0 => format!("{:.1} s", ms / 1e3),
        _ => format!(
            "{} min {} s",
            duration.as_secs() / 60,
            duration.as_secs() % 60
        ),
    }
}

/// `12.3 M`; decimal prefixes.
pub(crate) fn count(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let value = count as f64;
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{:.1} k", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", value / 1e6),
        _ => format!("{:.1} G", value / 1e9),
    }
}

/// `28.6 MB`; decimal prefixes.
pub(crate) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        _ => format!("{}B", count(bytes)),
    }
}

/// `1 tool call`, `2 tool calls`.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// `1 entry`, `2 entries`.
pub(crate) fn entries(count: u64) -> String {
    match count {
        1 => "1 entry".to_owned(),
        count => format!("{count} entries"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_keep_three_digits() {
        let ms = |ms| duration(Duration::from_micros(ms));
        assert_eq!(
            [ms(4_123), ms(41_230), ms(12_345_000), ms(125_000_000)],
            ["4.1 ms", "41 ms", "12.3 s", "2 min 5 s"]
        );
        assert_eq!(
            [
                count(7),
                count(12_345),
                count(12_345_678),
                count(2_000_000_000)
            ],
            ["7", "12.3 k", "12.3 M", "2.0 G"]
        );
        assert_eq!(
            [bytes(7), bytes(12_345), bytes(28_600_000)],
            ["7 B", "12.3 kB", "28.6 MB"]
        );
        assert_eq!(
            [plural(1, "event"), plural(2, "event")],
            ["1 event", "2 events"]
        );
    }
}
