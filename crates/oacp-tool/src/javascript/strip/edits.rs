//! Changes to a text that keep its length in characters.

use std::collections::BTreeMap;

use oxc_span::Span;

/// What is blanked, and which single characters are written.
#[derive(Clone, Default)]
pub(in crate::javascript) struct Edits {
    /// The longest that begins at each place.
    blanks: BTreeMap<u32, u32>,
    /// Where the shortest begins that ends at each place.
    ends: BTreeMap<u32, u32>,
    characters: BTreeMap<u32, char>,
}

impl Edits {
    pub(in crate::javascript) fn is_empty(&self) -> bool {
        self.blanks.is_empty() && self.characters.is_empty()
    }

    /// Of a file that is JavaScript nothing is blanked.
    pub(in crate::javascript) fn only_characters(self) -> Self {
        Self {
            characters: self.characters,
            ..Self::default()
        }
    }

    pub(in crate::javascript) fn blank(&mut self, span: Span) {
        if span.start < span.end {
            let end = self.blanks.entry(span.start).or_default();
            *end = span.end.max(*end);
            let start = self.ends.entry(span.end).or_default();
            *start = span.start.max(*start);
        }
    }

    pub(in crate::javascript) fn write(&mut self, at: u32, character: char) {
        self.characters.insert(at, character);
    }

    /// Blanks a statement or a member of a class. The `;` keeps what is before it from running into what follows.
    pub(in crate::javascript) fn blank_whole(&mut self, span: Span) {
        self.blank(span);
        let within: Vec<_> = self
            .characters
            .range(span.start..span.end)
            .map(|(at, _)| *at)
            .collect();
        for at in within {
            self.characters.remove(&at);
        }
        self.write(span.start, ';');
    }

    /// Where the blank begins that ends at a place.
    pub(in crate::javascript) fn ending_at(&self, end: u32) -> Option<u32> {
        self.ends.get(&end).copied()
    }

    /// The text with the changes.
    pub(in crate::javascript) fn apply(&self, text: &str) -> String {
        let mut blanks = self.blanks.iter().peekable();
        let mut blank_until = 0u32;
        let mut out = String::with_capacity(text.len());
        for (at, c) in text.char_indices() {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            while let Some((_, end)) = blanks.next_if(|(start, _)| **start <= at) {
                blank_until = blank_until.max(*end);
            }
            match self.characters.get(&at) {
                Some(written) => out.push(*written),
                None if at >= blank_until || is_line_end(c) => out.push(c),
                None => out.push(' '),
            }
        }
        out
    }
}

pub(super) fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}
