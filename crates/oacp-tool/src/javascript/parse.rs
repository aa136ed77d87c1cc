//! One file, parsed: what a parser says of it, and where its lines are.

use oacp::source::SourcePath;
use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_parser::Parser;
use oxc_span::{SourceType, Span};

use super::limits::PARSED_BYTES_MAX;
use super::nesting;
use super::problem::problem;
use crate::package::Remark;

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    JavaScript,
    TypeScript,
    /// `.d.ts`: types alone.
    Declarations,
}

impl Language {
    /// By a file's name. `None`: neither.
    pub(super) fn of(file: &SourcePath) -> Option<Self> {
        let name = file.as_str();
        if name.ends_with(".d.ts") || name.ends_with(".d.mts") {
            return Some(Self::Declarations);
        }
        match name.rsplit_once('.')?.1 {
            "js" | "mjs" => Some(Self::JavaScript),
            "ts" | "mts" => Some(Self::TypeScript),
            _ => None,
        }
    }

    fn source_type(self) -> SourceType {
        match self {
            Self::JavaScript => SourceType::mjs(),
            Self::TypeScript => SourceType::ts(),
            Self::Declarations => SourceType::d_ts(),
        }
    }
}

/// Where the lines of a text begin.
pub(super) struct Lines(Vec<u32>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let ends = text.bytes().zip(1u32..).filter(|(byte, _)| *byte == b'\n');
        Self(
            std::iter::once(0)
                .chain(ends.map(|(_, next)| next))
                .collect(),
        )
    }

    /// The line of a place, counted from 1.
    pub(super) fn at(&self, offset: u32) -> u32 {
        u32::try_from(self.0.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX)
    }
}

/// A file's text, if it can be parsed at all.
pub(super) fn readable<'s>(
    file: &SourcePath,
    content: &'s [u8],
    language: Language,
) -> Result<&'s str, Remark> {
    if content.len() > PARSED_BYTES_MAX {
        return Err(Remark {
            file: file.clone(),
            line: None,
            function: None,
            message: format!(
                "the file has more than {PARSED_BYTES_MAX} bytes, too many to be read for tools"
            ),
            fix: Some("put the tools into a small file that imports the rest".to_owned()),
        });
    }
    let text = std::str::from_utf8(content).map_err(|error| {
        let before = content.get(..error.valid_up_to()).unwrap_or_default();
        let lines = before.iter().filter(|byte| **byte == b'\n').count();
        let line = u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(1);
        problem(file, line, "the file is not UTF-8", "save it as UTF-8")
    })?;
    nesting::check(file, text, language)?;
    Ok(text)
}

/// The program of a text that is [`readable`].
pub(super) fn parse<'a>(
    allocator: &'a Allocator,
    file: &SourcePath,
    text: &'a str,
    language: Language,
) -> Result<Program<'a>, Remark> {
    let parsed = Parser::new(allocator, text, language.source_type()).parse();
    if let Some(error) = parsed.diagnostics.iter().next() {
        let offset = error.labels.first().map_or(0, |label| label.offset());
        let mut message = error.message.to_string();
        lower_first(&mut message);
        let message = message.trim_end_matches('.');
        let mut remark = problem(
            file,
            Lines::of(text).at(offset),
            format!("syntax error: {message}"),
            "",
        );
        remark.fix = error.help.as_ref().map(ToString::to_string);
        return Err(remark);
    }
    Ok(parsed.program)
}

/// Messages here begin in lower case.
fn lower_first(text: &mut String) {
    let mut chars = text.chars();
    let (first, second) = (chars.next(), chars.next());
    if let Some(first) = first
        && first.is_ascii_uppercase()
        && second.is_none_or(|c| c.is_ascii_lowercase() || c == ' ')
        && let Some(rest) = text.get(1..)
    {
        *text = format!("{}{rest}", first.to_ascii_lowercase());
    }
}

/// The text of a span.
pub(super) fn slice(text: &str, span: Span) -> &str {
    let range = usize::try_from(span.start)
        .ok()
        .zip(usize::try_from(span.end).ok());
    range
        .and_then(|(start, end)| text.get(start..end))
        .unwrap_or_default()
}
