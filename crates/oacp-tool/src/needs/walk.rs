//! The files of a source that are looked at, and what is looked for in each of them alike.

use std::collections::{BTreeMap, BTreeSet};

use oacp::source::{Source, SourcePath};

use super::token::{self, Kind, Token};
use super::{Needs, Place, Wanted};

/// A source's files by their paths.
pub(super) type Files<'s> = BTreeMap<&'s str, (&'s SourcePath, &'s [u8])>;

/// Looks at a source's entry, and then at each file that one of those looked at imports, once. `look` gives the paths that a file imports.
pub(super) fn follow<'s>(
    source: &'s Source,
    mut look: impl FnMut(&Files<'s>, &'s SourcePath, &'s [u8]) -> Vec<String>,
) {
    let files: Files<'s> = source
        .files()
        .map(|(path, content)| (path.as_str(), (path, content)))
        .collect();
    let mut waiting = vec![source.entry().as_str().to_owned()];
    let mut seen: BTreeSet<String> = waiting.iter().cloned().collect();
    while let Some(path) = waiting.pop() {
        let Some((path, content)) = files.get(path.as_str()) else {
            continue;
        };
        let imported = look(&files, path, content).into_iter();
        waiting.extend(imported.filter(|path| seen.insert(path.clone())));
    }
}

/// Notes the hosts of a file's literals: where it sends requests, if it sends any. Whether there is one.
pub(super) fn hosts(tokens: &[Token<'_>], place: impl Fn(u32) -> Place, needs: &mut Needs) -> bool {
    let is_end = |token: Option<&Token<'_>>| token.is_some_and(|token| token.kind == Kind::End);
    let mut found = false;
    for (at, token) in tokens.iter().enumerate() {
        // A text of Python that is a statement of its own is a comment.
        let begins = at == 0 || is_end(tokens.get(at - 1));
        if let Kind::Text(literal) = &token.kind
            && !(begins && is_end(tokens.get(at + 1)))
            && let Some(host) = token::host(literal)
        {
            found = true;
            let place = place(token.line);
            needs.wants(&host, place, Wanted::Network(Some(host.clone())));
        }
    }
    found
}

/// A use, with its argument if the text says it.
pub(super) fn named(function: &str, argument: Option<&str>) -> String {
    match argument {
        Some(argument) => format!("{function}({argument:?})"),
        None => function.to_owned(),
    }
}
