//! What is granted and resembles what was asked for: most denials are a slip of the pen.

use std::collections::BTreeSet;

use super::{GuestPath, HostRule, PathPattern, Target};

/// Bytes of the texts that are compared letter by letter. Attack: time by long names.
const COMPARED_BYTES_MAX: usize = 256;

/// Entries that are looked at. Attack: time by a long list.
const COMPARED_ENTRIES_MAX: usize = 256;

/// Pairs of letters that are compared for one denial, which takes well below a millisecond. Attack:
/// a guest that does nothing but ask for what it is not granted.
const COMPARED_PAIRS_MAX: usize = 1 << 18;

/// The name that could have been meant: the closest, when at most a third of it differs.
pub(super) fn nearest<'a>(asked: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    closest(asked, names).map(ToOwned::to_owned)
}

/// The pattern that could have been meant: one that is written nearly alike, or one in the same
/// directory, or the one that reaches closest from above.
pub(super) fn nearest_pattern<'p>(
    path: &GuestPath,
    patterns: &'p BTreeSet<PathPattern>,
) -> Option<&'p PathPattern> {
    let within = || patterns.iter().take(COMPARED_ENTRIES_MAX);
    let alike = closest(path.as_str(), within().map(PathPattern::as_str));
    if let Some(alike) = alike {
        return within().find(|pattern| pattern.as_str() == alike);
    }
    let root = GuestPath::root();
    within()
        .map(|pattern| (pattern.prefix(), pattern))
        .filter(|(prefix, _)| *prefix != root && path.starts_with(prefix))
        .max_by_key(|(prefix, _)| prefix.as_str().len())
        .map(|(_, pattern)| pattern)
}

/// The rule that could have been meant: the same host with another port, or a name nearly alike.
pub(super) fn nearest_host(target: &Target, rules: &BTreeSet<HostRule>) -> Option<String> {
    let within = || rules.iter().take(COMPARED_ENTRIES_MAX);
    if let Some(rule) = within().find(|rule| rule.matches_host(target.host())) {
        return Some(rule.to_string());
    }
    let rules: Vec<String> = within().map(ToString::to_string).collect();
    nearest(&target.host_and_port(), rules.iter().map(String::as_str))
}

fn closest<'a>(asked: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if asked.len() > COMPARED_BYTES_MAX {
        return None;
    }
    let mut pairs = 0;
    names
        .take(COMPARED_ENTRIES_MAX)
        .filter(|name| name.len() <= COMPARED_BYTES_MAX)
        .map(|name| (tolerated(name), name))
        // The lengths alone say how many edits there are at least.
        .filter(|(tolerated, name)| name.len().abs_diff(asked.len()) <= *tolerated)
        .take_while(|(_, name)| {
            pairs += asked.len() * name.len();
            pairs <= COMPARED_PAIRS_MAX
        })
        .map(|(tolerated, name)| (edits(asked, name), tolerated, name))
        .filter(|(edits, tolerated, name)| edits <= tolerated && *edits < name.len())
        .min_by_key(|(edits, _, name)| (*edits, *name))
        .map(|(_, _, name)| name)
}

fn tolerated(name: &str) -> usize {
    (name.len() / 3).max(2)
}

/// Insertions, removals and replacements of bytes between two short texts (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    // What both begin and end with takes none, and is most of two names in one list.
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let same = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (
        a.get(same..).unwrap_or_default(),
        b.get(same..).unwrap_or_default(),
    );
    let same = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take_while(|(x, y)| x == y)
        .count();
    let rest = |text: &'_ [u8]| text.len() - same;
    let (a, b) = (
        a.get(..rest(a)).unwrap_or_default(),
        b.get(..rest(b)).unwrap_or_default(),
    );

    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let (mut diagonal, mut left) = (i, i + 1);
        for (cell, y) in row.iter_mut().skip(1).zip(b) {
            let best = (diagonal + usize::from(x != y))
                .min(*cell + 1)
                .min(left + 1);
            (diagonal, left) = (*cell, best);
            *cell = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (a, b, count) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("abc", "abc", 0),
            ("aaa", "aa", 1),
            ("abcabc", "abc", 3),
            ("xaby", "xbay", 2),
        ] {
            assert_eq!(edits(a, b), count, "{a} {b}");
        }
    }
}
