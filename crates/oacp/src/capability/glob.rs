//! `*` within one piece of text, and `**` among the segments of a path.
//!
//! The attack is a pattern that takes exponential time. Nothing here goes back: what stands between
//! two wildcards is taken where it is found first, and what stands after the last one is taken from
//! the end. That is right because a wildcard takes anything, so that no later place could be better.

/// Whether `text` is `pattern`, in which each `*` stands for any characters, none included.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    // Most are told apart by their first or last byte.
    let (wanted, found) = (pattern.as_bytes(), text.as_bytes());
    let tells = |wanted: Option<&u8>, found| wanted != Some(&b'*') && wanted != found;
    if tells(wanted.first(), found.first()) || tells(wanted.last(), found.last()) {
        return false;
    }
    let Some((first, rest)) = split_at(pattern, b'*') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(first) else {
        return false;
    };
    let Some((middle, last)) = rest.rsplit_once('*') else {
        return text.ends_with(rest);
    };
    let Some(mut text) = text.strip_suffix(last) else {
        return false;
    };
    for chunk in middle.split('*') {
        let Some((_, after)) = (match chunk {
            "" => Some(("", text)),
            _ => text.split_once(chunk),
        }) else {
            return false;
        };
        text = after;
    }
    true
}

/// Whether the segments of `path` are those of `pattern`, in which each `**` stands for any number
/// of segments. Both are empty, or begin with `/`. `one` says whether a segment of the pattern is
/// that of the path; it is asked at most once for each pair.
pub(super) fn segments_match(
    mut pattern: &str,
    mut path: &str,
    one: impl Fn(&str, &str) -> bool + Copy,
) -> bool {
    loop {
        let Some((segment, rest)) = first(pattern) else {
            return path.is_empty();
        };
        pattern = rest;
        if segment == "**" {
            break;
        }
        match first(path) {
            Some((found, rest)) if one(segment, found) => path = rest,
            _ => return false,
        }
    }
    loop {
        let Some((rest, segment)) = last(pattern) else {
            return true;
        };
        pattern = rest;
        if segment == "**" {
            break;
        }
        match last(path) {
            Some((rest, found)) if one(segment, found) => path = rest,
            _ => return false,
        }
    }
    // `**` fills its segment: this splits between segments and nowhere else.
    pattern
        .split("/**")
        .all(|group| match after_group(group, path, one) {
            Some(rest) => {
                path = rest;
                true
            }
            None => false,
        })
}

/// What follows the first place in `path` where `group` stands.
fn after_group<'p>(
    group: &str,
    mut path: &'p str,
    one: impl Fn(&str, &str) -> bool + Copy,
) -> Option<&'p str> {
    let Some((lead, others)) = first(group) else {
        return Some(path);
    };
    loop {
        let (found, rest) = first(path)?;
        if one(lead, found)
            && let Some(end) = after_segments(others, rest, one)
        {
            return Some(end);
        }
        path = rest;
    }
}

/// What follows `segments` in `path`, which begins with them.
fn after_segments<'p>(
    mut segments: &str,
    mut path: &'p str,
    one: impl Fn(&str, &str) -> bool,
) -> Option<&'p str> {
    while let Some((segment, rest)) = first(segments) {
        segments = rest;
        match first(path) {
            Some((found, rest)) if one(segment, found) => path = rest,
            _ => return None,
        }
    }
    Some(path)
}

/// The first segment, and what follows it.
pub(super) fn first(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('/')?;
    match path.bytes().position(|byte| byte == b'/') {
        Some(end) => path.split_at_checked(end),
        None => Some((path, "")),
    }
}

/// What precedes the last segment, and the segment.
fn last(path: &str) -> Option<(&str, &str)> {
    let slash = path.bytes().rposition(|byte| byte == b'/')?;
    Some((path.get(..slash)?, path.get(slash + 1..)?))
}

/// What precedes and what follows the first of these ASCII characters. For short texts, such as
/// segments are, a plain loop is quicker than the search that `str` has.
fn split_at(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|found| found == byte)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_takes_anything() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "abc", true),
            ("a*", "a", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*.csv", ".csv", true),
            ("*ab*ab*", "ab", false),
            ("*ab*ab*", "aab_ab", true),
            ("a*b*c", "abbc", true),
            ("a*b*c", "acb", false),
            ("é*", "éa", true),
            ("*", "**", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    /// What a star means, as it is written.
    fn slow(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], _) => text.is_empty(),
            ([b'*', rest @ ..], _) => {
                slow(rest, text) || (!text.is_empty() && slow(pattern, &text[1..]))
            }
            ([one, rest @ ..], [first, after @ ..]) => one == first && slow(rest, after),
            _ => false,
        }
    }

    fn slow_segments(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern, path) {
            ([], _) => path.is_empty(),
            (["**", rest @ ..], _) => {
                slow_segments(rest, path)
                    || (!path.is_empty() && slow_segments(pattern, &path[1..]))
            }
            ([one, rest @ ..], [first, after @ ..]) => {
                slow(one.as_bytes(), first.as_bytes()) && slow_segments(rest, after)
            }
            _ => false,
        }
    }

    fn joined(segments: &[&str]) -> String {
        segments
            .iter()
            .map(|segment| format!("/{segment}"))
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn the_fast_way_is_the_written_one(pattern in "[ab]{0,3}(\\*[ab]{1,3}){0,3}\\*?", text in "[ab]{0,8}") {
            prop_assert_eq!(matches(&pattern, &text), slow(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn so_it_is_for_segments(
            pattern in prop::collection::vec(prop::sample::select(vec!["a", "b", "a*", "*", "**", "**"]), 0..7),
            path in prop::collection::vec(prop::sample::select(vec!["a", "b", "ab"]), 0..8),
        ) {
            prop_assert_eq!(
                segments_match(&joined(&pattern), &joined(&path), matches),
                slow_segments(&pattern, &path)
            );
        }
    }
}
