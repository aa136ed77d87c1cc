//! Patterns over paths, as an operator writes them.

use std::fmt;
use std::str::FromStr;

use super::{GuestPath, below};
use crate::capability::glob;
use crate::limits::{GUEST_PATH_BYTES_MAX, GUEST_PATH_SEGMENT_BYTES_MAX};

/// Which paths are meant. `*` stands for any characters within one segment, none included; `**`,
/// alone in a segment, for any number of segments, none included, so that `dir/**` is also `dir`. A
/// slash at the end means `/**`.
///
/// All else is literal: `?`, `[`, `{` and `\` are nothing special. Case matters, and bytes are
/// compared: no Unicode form is another. `Display` writes the one spelling, `dir/**` for `dir/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPattern {
    text: String,
    /// Bytes of the directory before the first wildcard, or before the name: 0 for the root. What is
    /// within them is literal, whatever it is.
    literal: usize,
    /// Where the last wildcard ends; without one, the same as `literal`. What follows is how every
    /// path ends that is meant, which most paths are told apart by.
    tail: usize,
}

impl PathPattern {
    /// Reads a pattern as an operator writes it: a relative one, also with `./` and `../` in front,
    /// is joined to `base`. `.` and `..` alone name directories and mean all that is in them.
    ///
    /// # Errors
    /// What is no pattern, with the column; `~`, which a shell would have to expand; a relative one
    /// where no pattern can name `base`.
    pub fn parse_in(text: &str, base: &GuestPath) -> Result<Self, PatternError> {
        parse(text, Some(base))
    }

    /// Whether `path` is meant. Takes at most as many steps as the pattern has segments times those
    /// of the path, and no memory.
    pub fn matches(&self, path: &GuestPath) -> bool {
        let (prefix, rest) = self.parts();
        let Some(path) = below(path.stem(), prefix) else {
            return false;
        };
        if self.tail == self.literal {
            return path == rest;
        }
        path.ends_with(self.text.get(self.tail..).unwrap_or_default())
            && glob::segments_match(rest, path, glob::matches)
    }

    /// Whether a path strictly below `directory` could be meant.
    pub fn reaches_below(&self, directory: &GuestPath) -> bool {
        let (prefix, mut pattern) = self.parts();
        let Some(mut directory) = below(directory.stem(), prefix) else {
            return below(prefix, directory.stem()).is_some();
        };
        while let Some((name, rest)) = glob::first(directory) {
            directory = rest;
            match glob::first(pattern) {
                Some(("**", _)) => return true,
                Some((segment, rest)) if glob::matches(segment, name) => pattern = rest,
                _ => return false,
            }
        }
        !pattern.is_empty()
    }

    /// Whether every path that `other` means is meant. Never says yes wrongly; may say no where a
    /// closer look would say yes.
    pub fn covers(&self, other: &Self) -> bool {
        // A `*` of the other one is a character like any other here, which only a `*` of this one
        // takes; its `**` is a segment that only a `**` takes.
        let (prefix, rest) = self.parts();
        let comparable = !prefix.contains('*') && !other.parts().0.contains('*');
        self == other
            || comparable
                && below(&other.text, prefix).is_some_and(|other| {
                    glob::segments_match(rest, other, |pattern, segment| {
                        segment != "**" && glob::matches(pattern, segment)
                    })
                })
    }

    /// The longest directory before the first wildcard; for a pattern without one, the directory
    /// that the path is in.
    pub fn prefix(&self) -> GuestPath {
        match self.parts().0 {
            "" => GuestPath::root(),
            prefix => GuestPath(prefix.to_owned()),
        }
    }

    /// The same pattern below another directory than its [`prefix`](Self::prefix), for one that is
    /// reached through a symbolic link. All of `prefix` is literal here, also a `*`; the text of
    /// such a pattern cannot be read back.
    pub fn with_prefix(&self, prefix: &GuestPath) -> Self {
        let literal = prefix.stem().len();
        Self {
            text: format!("{}{}", prefix.stem(), self.parts().1),
            literal,
            tail: self.tail - self.literal + literal,
        }
    }

    /// The path, if the pattern means exactly one.
    pub fn exact(&self) -> Option<GuestPath> {
        (self.tail == self.literal).then(|| GuestPath(self.text.clone()))
    }

    /// The pattern that means exactly this path. `None`: there is none, for the path has a `*` or a
    /// control character, or is the root.
    pub fn exactly(path: &GuestPath) -> Option<Self> {
        path.as_str()
            .parse()
            .ok()
            .filter(|pattern: &Self| pattern.exact().as_ref() == Some(path))
    }

    /// The text, in its one spelling.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What is literal, and the segments after it.
    fn parts(&self) -> (&str, &str) {
        self.text
            .split_at_checked(self.literal)
            .unwrap_or(("", &self.text))
    }
}

fn parse(text: &str, base: Option<&GuestPath>) -> Result<PathPattern, PatternError> {
    let refuse = |at: usize, problem| {
        let column = text
            .char_indices()
            .take_while(|(start, _)| *start < at)
            .count()
            + 1;
        let shown = text.chars().take(PATTERN_SHOWN_CHARS).collect();
        Err(PatternError {
            column,
            problem,
            pattern: shown,
        })
    };
    if text.is_empty() {
        return refuse(0, PatternProblem::Empty);
    }
    if text.len() > GUEST_PATH_BYTES_MAX {
        return refuse(GUEST_PATH_BYTES_MAX, PatternProblem::TooLong);
    }
    if let Some((at, _)) = text.char_indices().find(|(_, c)| c.is_control()) {
        return refuse(at, PatternProblem::Control);
    }
    if text.starts_with('~') {
        return refuse(0, PatternProblem::Tilde);
    }
    // Dots may stand in front of a relative pattern, and nowhere else: behind a wildcard there is
    // no saying what `..` would mean.
    let (mut pattern, mut at, mut dots_stand) = match (text.starts_with('/'), base) {
        (true, _) => (String::new(), 1, false),
        (false, None) => return refuse(0, PatternProblem::Relative),
        (false, Some(base)) if base.as_str().contains(|c: char| c == '*' || c.is_control()) => {
            return refuse(0, PatternProblem::Base);
        }
        (false, Some(base)) => (base.stem().to_owned(), 0, true),
    };
    let mut segments = text.get(at..).unwrap_or_default().split('/').peekable();
    while let Some(segment) = segments.next() {
        let ends = segments.peek().is_none();
        match segment {
            "." | ".." if dots_stand => {
                if segment == ".." {
                    match pattern.rfind('/') {
                        Some(end) => pattern.truncate(end),
                        None => return refuse(at, PatternProblem::AboveRoot),
                    }
                }
                if ends {
                    pattern.push_str("/**");
                }
            }
            "." | ".." => return refuse(at, PatternProblem::Dots),
            "" if !ends => return refuse(at, PatternProblem::EmptySegment),
            "" | "**" => {
                dots_stand = false;
                if !pattern.ends_with("/**") {
                    pattern.push_str("/**");
                }
            }
            _ => {
                dots_stand = false;
                if let Some(stars) = segment.find("**") {
                    return refuse(at + stars, PatternProblem::Stars);
                }
                if segment.len() > GUEST_PATH_SEGMENT_BYTES_MAX {
                    return refuse(at, PatternProblem::SegmentTooLong);
                }
                pattern.push('/');
                pattern.push_str(segment);
            }
        }
        at += segment.len() + 1;
    }
    if pattern.len() > GUEST_PATH_BYTES_MAX {
        return refuse(text.len(), PatternProblem::TooLong);
    }
    let before = match pattern.find('*') {
        Some(star) => pattern.get(..star).unwrap_or_default(),
        None => &pattern,
    };
    let literal = before.rfind('/').unwrap_or_default();
    let tail = pattern.rfind('*').map_or(literal, |star| star + 1);
    Ok(PathPattern {
        text: pattern,
        literal,
        tail,
    })
}

/// Characters of a refused pattern that its message repeats.
const PATTERN_SHOWN_CHARS: usize = 120;

impl FromStr for PathPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        parse(text, None)
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

text_serde!(PathPattern);

/// A text is no pattern, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (column {column} of `{}`)", .pattern.escape_debug())]
pub struct PatternError {
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong there.
    pub problem: PatternProblem,
    /// The text, or the beginning of a long one.
    pub pattern: String,
}

/// What is wrong with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternProblem {
    /// No text.
    #[error("pattern is empty")]
    Empty,
    /// It does not begin with `/`, where it has to.
    #[error("pattern is not absolute: it must begin with `/`")]
    Relative,
    /// A home directory.
    #[error(
        "`~` is expanded by shells and not by OACP: write the directory out, or `./~…` for a name that begins so"
    )]
    Tilde,
    /// `..` of the root.
    #[error("`..` leads above the root")]
    AboveRoot,
    /// `.` or `..` behind a name.
    #[error("`.` and `..` may only stand at the beginning of a relative pattern")]
    Dots,
    /// Two slashes in a row.
    #[error("a name is missing between two slashes")]
    EmptySegment,
    /// `**` with something beside it.
    #[error("`**` must stand alone between slashes")]
    Stars,
    /// A control character.
    #[error("control character")]
    Control,
    /// More than 4096 bytes.
    #[error("pattern is longer than {GUEST_PATH_BYTES_MAX} bytes")]
    TooLong,
    /// A segment of more than 255 bytes.
    #[error("name is longer than {GUEST_PATH_SEGMENT_BYTES_MAX} bytes")]
    SegmentTooLong,
    /// The directory that it is relative to cannot be named by a pattern.
    #[error(
        "the directory that it is relative to has a `*` or a control character in its path, which no pattern can name"
    )]
    Base,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> PathPattern {
        text.parse().unwrap()
    }

    fn path(text: &str) -> GuestPath {
        text.parse().unwrap()
    }

    #[test]
    fn a_pattern_means_what_it_says() {
        for (text, of, expected) in [
            // Without wildcards.
            ("/a", "/a", true),
            ("/a", "/", false),
            ("/a", "/b", false),
            ("/a", "/A", false),
            ("/a", "/a/b", false),
            ("/a", "/ab", false),
            ("/a/b", "/a/b", true),
            ("/a/b", "/a", false),
            ("/a/b", "/a/bc", false),
            ("/ä", "/ä", true),
            ("/ä", "/a\u{308}", false),
            ("/a b", "/a b", true),
            // What is special elsewhere, and literal here.
            ("/a?", "/a?", true),
            ("/a?", "/ab", false),
            ("/[ab]", "/[ab]", true),
            ("/[ab]", "/a", false),
            ("/{a,b}", "/{a,b}", true),
            ("/{a,b}", "/a", false),
            ("/a\\b", "/a\\b", true),
            ("/!a", "/!a", true),
            ("/~", "/~", true),
            // `*` within one segment.
            ("/*", "/a", true),
            ("/*", "/", false),
            ("/*", "/a/b", false),
            ("/*", "/*", true),
            ("/*", "/.hidden", true),
            ("/a*", "/a", true),
            ("/a*", "/abc", true),
            ("/a*", "/a/b", false),
            ("/a*", "/ba", false),
            ("/*a", "/a", true),
            ("/*a", "/ba", true),
            ("/*a", "/ab", false),
            ("/d/*.csv", "/d/a.csv", true),
            ("/d/*.csv", "/d/.csv", true),
            ("/d/*.csv", "/d/a.csv.gz", false),
            ("/d/*.csv", "/d/e/a.csv", false),
            ("/d/*.csv", "/d", false),
            ("/a*b*c", "/abc", true),
            ("/a*b*c", "/aXbYc", true),
            ("/a*b*c", "/acb", false),
            ("/*/b", "/a/b", true),
            ("/*/b", "/b", false),
            ("/*/b", "/a/c/b", false),
            ("/*/*", "/a/b", true),
            ("/*/*", "/a", false),
            ("/*é*", "/xéy", true),
            // `**` across segments.
            ("/**", "/", true),
            ("/**", "/a", true),
            ("/**", "/a/b/c", true),
            ("/a/**", "/a", true),
            ("/a/**", "/a/b", true),
            ("/a/**", "/a/b/c", true),
            ("/a/**", "/ab", false),
            ("/a/**", "/", false),
            ("/a/", "/a", true),
            ("/a/", "/a/b", true),
            ("/", "/", true),
            ("/", "/a/b", true),
            ("/**/b", "/b", true),
            ("/**/b", "/a/b", true),
            ("/**/b", "/a/a/b", true),
            ("/**/b", "/a/b/c", false),
            ("/**/b", "/ab", false),
            ("/a/**/b", "/a/b", true),
            ("/a/**/b", "/a/x/y/b", true),
            ("/a/**/b", "/b", false),
            ("/a/**/b", "/a", false),
            ("/a/**/a", "/a", false),
            ("/a/**/*.py", "/a/x.py", true),
            ("/a/**/*.py", "/a/b/c/x.py", true),
            ("/a/**/*.py", "/a/x.pyc", false),
            ("/**/a/**/b/**", "/x/a/y/b/z", true),
            ("/**/a/**/b/**", "/a/b", true),
            ("/**/a/**/b/**", "/b/a", false),
            ("/**/a/b/**/c", "/a/a/b/c", true),
            ("/**/a/b/**/c", "/a/x/b/c", false),
            ("/**/*", "/", false),
            ("/**/*", "/a", true),
            ("/*/**", "/", false),
            ("/*/**", "/a", true),
            ("/**/**/a", "/a", true),
        ] {
            assert_eq!(pattern(text).matches(&path(of)), expected, "{text} {of}");
        }
    }

    #[test]
    fn a_pattern_has_one_spelling_that_is_written() {
        for (text, canonical) in [
            ("/", "/**"),
            ("/a/", "/a/**"),
            ("/a/**", "/a/**"),
            ("/a/**/", "/a/**"),
            ("/**/**", "/**"),
            ("/a/**/**/b", "/a/**/b"),
            ("/a*/", "/a*/**"),
            ("/a", "/a"),
        ] {
            let parsed = pattern(text);
            assert_eq!(parsed.to_string(), canonical);
            assert_eq!(pattern(canonical), parsed);
            assert_eq!(serde_json::to_value(&parsed).unwrap(), canonical);
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_its_column() {
        for (text, error) in [
            ("", "pattern is empty (column 1 of ``)"),
            (
                "a",
                "pattern is not absolute: it must begin with `/` (column 1 of `a`)",
            ),
            (
                "./a",
                "pattern is not absolute: it must begin with `/` (column 1 of `./a`)",
            ),
            (
                "~/a",
                "`~` is expanded by shells and not by OACP: write the directory out, or `./~…` for a name that begins so (column 1 \
                 of `~/a`)",
            ),
            (
                "/a//b",
                "a name is missing between two slashes (column 4 of `/a//b`)",
            ),
            (
                "//",
                "a name is missing between two slashes (column 2 of `//`)",
            ),
            (
                "/a/../b",
                "`.` and `..` may only stand at the beginning of a relative pattern (column 4 of `/a/../b`)",
            ),
            (
                "/.",
                "`.` and `..` may only stand at the beginning of a relative pattern (column 2 of `/.`)",
            ),
            (
                "/a/b**",
                "`**` must stand alone between slashes (column 5 of `/a/b**`)",
            ),
            (
                "/é/**b",
                "`**` must stand alone between slashes (column 4 of `/é/**b`)",
            ),
            (
                "/***",
                "`**` must stand alone between slashes (column 2 of `/***`)",
            ),
            ("/a\nb", "control character (column 3 of `/a\\nb`)"),
            ("/a\0", "control character (column 3 of `/a\\0`)"),
            ("/\u{9b}", "control character (column 2 of `/\\u{9b}`)"),
        ] {
            let found = text.parse::<PathPattern>().unwrap_err().to_string();
            assert_eq!(found, error, "{text:?}");
        }
        let long = "/abcdefg".repeat(512);
        assert!(long.parse::<PathPattern>().is_ok());
        let error = format!("{long}h").parse::<PathPattern>().unwrap_err();
        assert_eq!(error.problem, PatternProblem::TooLong);
        assert!(error.to_string().len() < 300);
        let error = format!("/{}", "x".repeat(256)).parse::<PathPattern>();
        assert_eq!(error.unwrap_err().problem, PatternProblem::SegmentTooLong);
    }

    #[test]
    fn a_relative_pattern_is_joined_to_its_base() {
        let base = path("/desk/in");
        for (text, expected) in [
            ("a", "/desk/in/a"),
            ("./a", "/desk/in/a"),
            ("././a", "/desk/in/a"),
            ("../a", "/desk/a"),
            ("../../a", "/a"),
            ("./../a", "/desk/a"),
            (".", "/desk/in/**"),
            ("./", "/desk/in/**"),
            ("..", "/desk/**"),
            ("../..", "/**"),
            ("*", "/desk/in/*"),
            ("**", "/desk/in/**"),
            ("*.csv", "/desk/in/*.csv"),
            ("data/", "/desk/in/data/**"),
            ("./~a", "/desk/in/~a"),
            ("/a", "/a"),
        ] {
            let parsed = PathPattern::parse_in(text, &base).unwrap();
            assert_eq!(parsed.to_string(), expected, "{text}");
            assert_eq!(pattern(expected), parsed);
        }
        for (text, problem, column) in [
            ("../../../a", PatternProblem::AboveRoot, 7),
            ("a/../b", PatternProblem::Dots, 3),
            ("*/..", PatternProblem::Dots, 3),
            ("~", PatternProblem::Tilde, 1),
            ("~user/a", PatternProblem::Tilde, 1),
            (".//a", PatternProblem::EmptySegment, 3),
            ("", PatternProblem::Empty, 1),
        ] {
            let error = PathPattern::parse_in(text, &base).unwrap_err();
            assert_eq!((error.problem, error.column), (problem, column), "{text}");
        }
    }

    #[test]
    fn a_directory_s_own_star_becomes_no_wildcard() {
        let base = path("/desk/*");
        let error = PathPattern::parse_in("a", &base).unwrap_err();
        assert_eq!(error.problem, PatternProblem::Base);
        assert!(PathPattern::parse_in("/a", &base).is_ok());

        let moved = pattern("/data/*.csv").with_prefix(&base);
        assert!(moved.matches(&path("/desk/*/a.csv")));
        assert!(!moved.matches(&path("/desk/x/a.csv")));
        assert!(moved.reaches_below(&base) && !moved.reaches_below(&path("/desk/x")));
        assert!(!moved.covers(&pattern("/desk/x/a.csv")));
        assert!(!pattern("/desk/*/*.csv").covers(&moved) && moved.covers(&moved));
        assert_eq!(moved.prefix(), base);

        for text in ["/a*", "/*", "/a\n", "/"] {
            assert_eq!(PathPattern::exactly(&path(text)), None, "{text}");
        }
        let exact = PathPattern::exactly(&path("/a/b?")).unwrap();
        assert_eq!(exact.exact(), Some(path("/a/b?")));
        assert_eq!(pattern("/a/").exact(), None);
    }

    #[test]
    fn a_directory_leads_to_what_is_meant() {
        for (text, directory, expected) in [
            ("/a/b", "/", true),
            ("/a/b", "/a", true),
            ("/a/b", "/a/b", false),
            ("/a/b", "/b", false),
            ("/a/b", "/ab", false),
            ("/a/**", "/", true),
            ("/a/**", "/a", true),
            ("/a/**", "/a/b/c", true),
            ("/a/**", "/ab", false),
            ("/a/*/c", "/a", true),
            ("/a/*/c", "/a/b", true),
            ("/a/*/c", "/a/b/c", false),
            ("/a/x*/c", "/a/b", false),
            ("/a/x*/c", "/a/xy", true),
            ("/**/c", "/a/b", true),
            ("/a/**/c", "/a/c", true),
            ("/a/**/c", "/b", false),
            ("/a", "/", true),
            ("/a", "/a", false),
        ] {
            let reaches = pattern(text).reaches_below(&path(directory));
            assert_eq!(reaches, expected, "{text} {directory}");
        }
    }

    #[test]
    fn the_prefix_is_what_comes_before_the_first_wildcard() {
        for (text, prefix, moved) in [
            ("/a/b/c", "/a/b", "/x/c"),
            ("/a", "/", "/x/a"),
            ("/a/", "/a", "/x/**"),
            ("/", "/", "/x/**"),
            ("/a/b*/c", "/a", "/x/b*/c"),
            ("/*/b", "/", "/x/*/b"),
            ("/a/**/b", "/a", "/x/**/b"),
        ] {
            let pattern = pattern(text);
            assert_eq!(pattern.prefix(), path(prefix), "{text}");
            let there = pattern.with_prefix(&path("/x"));
            assert_eq!(there.to_string(), moved, "{text}");
            assert_eq!(there, moved.parse().unwrap(), "{text}");
            assert_eq!(there.with_prefix(&path(prefix)), pattern, "{text}");
        }
    }

    #[test]
    fn covering() {
        for (text, other, expected) in [
            ("/a/**", "/a", true),
            ("/a/**", "/a/b", true),
            ("/a/**", "/a/*/c", true),
            ("/a/**", "/a/**/c", true),
            ("/a/**", "/ab", false),
            ("/a/**", "/**", false),
            ("/a/*", "/a/b*", true),
            ("/a/*", "/a/**", false),
            ("/a/*", "/a", false),
            ("/a/b*", "/a/*", false),
            ("/**", "/**/x", true),
            ("/**/*.py", "/a/**/x*.py", true),
            ("/**/*.py", "/a/**", false),
            ("/*/**", "/a/**", true),
            ("/*/**", "/**", false),
            ("/a*", "/*a", false),
            ("/*a*", "/*a", true),
        ] {
            let covers = pattern(text).covers(&pattern(other));
            assert_eq!(covers, expected, "{text} {other}");
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_longer_than_another() {
        // With going back, either would take longer than the universe is old.
        let segment = format!("/{}b", "*a".repeat(127));
        assert!(!pattern(&segment).matches(&path(&format!("/{}", "a".repeat(255)))));
        let deep = format!("{}/b", "/**/a".repeat(800));
        assert!(!pattern(&deep).matches(&path(&"/a".repeat(2048))));
        let wide = format!("/**{}/**/b", "/*a".repeat(1000));
        assert!(!pattern(&wide).matches(&path(&"/a".repeat(2048))));
        let stars = format!("/**{}/x", "/*a*/**".repeat(500));
        assert!(!pattern(&stars).covers(&pattern(&stars.replace("/x", "/y"))));
    }

    fn any_pattern() -> impl Strategy<Value = PathPattern> {
        let segment = prop::sample::select(vec!["a", "b", "ab", "a*", "*b", "*", "**", "*a*"]);
        prop::collection::vec(segment, 1..5)
            .prop_map(|segments| format!("/{}", segments.join("/")).parse().unwrap())
    }

    fn any_path() -> impl Strategy<Value = GuestPath> {
        let segment = prop::sample::select(vec!["a", "b", "ab", "ba", "aab"]);
        prop::collection::vec(segment, 0..6)
            .prop_map(|segments| format!("/{}", segments.join("/")).parse().unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]
        #[test]
        fn what_covers_matches_whatever_the_other_matches(a in any_pattern(), b in any_pattern(), path in any_path()) {
            prop_assert!(a.covers(&a));
            if a.covers(&b) && b.matches(&path) {
                prop_assert!(a.matches(&path), "{} {} {}", a, b, path);
            }
        }

        #[test]
        fn what_matches_is_reached_from_every_directory_above(pattern in any_pattern(), path in any_path()) {
            if pattern.matches(&path) {
                let mut directory = path.parent();
                while let Some(above) = directory {
                    prop_assert!(pattern.reaches_below(&above), "{} {}", pattern, above);
                    directory = above.parent();
                }
                prop_assert!(path.starts_with(&pattern.prefix()));
            }
        }

        #[test]
        fn patterns_round_trip(pattern in any_pattern(), text in "[/a*.~ é]{0,12}") {
            prop_assert_eq!(pattern.to_string().parse(), Ok(pattern));
            if let Ok(read) = text.parse::<PathPattern>() {
                prop_assert_eq!(read.to_string().parse(), Ok(read));
            }
        }

        #[test]
        fn an_exact_pattern_means_its_path_and_no_other(a in any_path(), b in any_path()) {
            if let Some(pattern) = PathPattern::exactly(&a) {
                prop_assert_eq!(pattern.matches(&b), a == b);
            }
        }
    }
}
