//! Text that a guest, an archive or a bundle chose, on its way to a terminal.
//!
//! The attack: a log line moves the cursor, recolours or retitles the terminal, or reverses the order in which a person reads, so
//! that the screen shows something other than what happened.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a terminal would obey the character, or show another order than the text has.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{061c}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// One line in which every character is visible.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if acts(character) {
            shown.extend(character.escape_default())
        } else {
            shown.push(character)
        }
    }
    Cow::Owned(shown)
}

/// Lines, each visible and indented.
pub(crate) fn visible_lines(text: &str, indent: &str) -> String {
    text.lines()
        .map(|line| format!("{indent}{}", visible(line)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A JSON text on one line, the same value: line breaks between tokens become spaces, and what a terminal would obey within strings
/// is escaped. Numbers keep their spelling.
pub(crate) fn json_line(json: &str) -> Cow<'_, str> {
    let json = json.trim_matches([' ', '\t', '\r', '\n']);
    if !json.contains(acts) {
        return Cow::Borrowed(json);
    }
    let mut line = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        match character {
            // Within strings JSON has them escaped already.
            '\n' | '\r' | '\t' => line.push(' '),
            acting if acts(acting) => {
                // All of them lie in the basic plane. Writing to a string does not fail.
                let _ = write!(line, "\\u{:04x}", u32::from(acting));
            }
            plain => line.push(plain),
        }
    }
    Cow::Owned(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_instead() {
        assert_eq!(
            visible("a\u{1b}[2Jb\r\u{9b}\u{202e}c\u{7f}"),
            "a\\u{1b}[2Jb\\r\\u{9b}\\u{202e}c\\u{7f}"
        );
        assert_eq!(visible("naïve ü 日本"), "naïve ü 日本");
        assert_eq!(visible_lines("a\nb\u{7}", "  "), "  a\n  b\\u{7}");
    }

    #[test]
    fn a_result_becomes_one_line_of_the_same_value() {
        let pretty =
            "{\n\t\"a\": [1.0,\r\n 12345678901234567890],\n \"b\": \"\u{9b}\u{202e}\\n\"\n}\n";
        let line = json_line(pretty);
        assert_eq!(
            line,
            "{  \"a\": [1.0,   12345678901234567890],  \"b\": \"\\u009b\\u202e\\n\" }"
        );
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&line), value(pretty));
    }
}
