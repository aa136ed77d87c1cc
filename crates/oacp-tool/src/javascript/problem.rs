//! What is wrong with a file, and where.

use oacp::source::SourcePath;

use super::limits::QUOTED_BYTES_MAX;
use crate::package::Remark;

/// A remark on a line of a file; which function it is about is filled in by who knows it.
pub(super) fn problem(
    file: &SourcePath,
    line: u32,
    message: impl Into<String>,
    fix: impl Into<String>,
) -> Remark {
    Remark {
        file: file.clone(),
        line: Some(line),
        function: None,
        message: message.into(),
        fix: Some(fix.into()),
    }
}

/// A text of a file for a message: on one line, and short.
pub(super) fn quoted(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > QUOTED_BYTES_MAX {
            let end = line.floor_char_boundary(QUOTED_BYTES_MAX);
            line.truncate(end);
            line.push('…');
            break;
        }
    }
    line
}
