//! The names that a file uses and does not bind: what it takes from its host.

use std::collections::BTreeSet;

use oacp::source::SourcePath;
use oxc_allocator::Allocator;
use oxc_ast::ast::{BindingIdentifier, IdentifierReference};
use oxc_ast_visit::Visit;

use super::parse::{Language, Lines, parse, readable};
use super::strip;

/// Each use of one of the `known` names that a file binds nowhere, with its line. A name that it binds somewhere (a parameter, a variable, a
/// function, an import) is taken for its own in all of it: scopes are not told apart. `None`: it cannot be parsed as a
/// module, or is too large or nested too deeply for that.
pub(super) fn globals(
    file: &SourcePath,
    content: &[u8],
    known: &[&'static str],
) -> Option<Vec<(&'static str, u32)>> {
    let language = Language::of(file)?;
    let text = readable(file, content, language).ok()?;
    let lines = Lines::of(text);
    let allocator = Allocator::default();
    let program = parse(&allocator, file, text, language).ok()?;
    let mut names = Names {
        known,
        lines: &lines,
        bound: BTreeSet::new(),
        used: Vec::new(),
    };
    if language == Language::JavaScript {
        names.visit_program(&program);
    } else {
        // Names of types, and what is only declared, are no values. Blanking them moves no line.
        let stripped = strip::run(file, text, &lines, &program).stripped;
        let text = stripped.edits.apply(text);
        let allocator = Allocator::default();
        names.visit_program(&parse(&allocator, file, &text, Language::JavaScript).ok()?);
    }
    let Names { bound, used, .. } = names;
    let used = used.into_iter();
    Some(used.filter(|(name, _)| !bound.contains(name)).collect())
}

struct Names<'k> {
    known: &'k [&'static str],
    lines: &'k Lines,
    bound: BTreeSet<&'static str>,
    used: Vec<(&'static str, u32)>,
}

impl Names<'_> {
    fn known(&self, name: &str) -> Option<&'static str> {
        self.known.iter().find(|known| **known == name).copied()
    }
}

impl<'a> Visit<'a> for Names<'_> {
    fn visit_binding_identifier(&mut self, it: &BindingIdentifier<'a>) {
        self.bound.extend(self.known(it.name.as_str()));
    }

    fn visit_identifier_reference(&mut self, it: &IdentifierReference<'a>) {
        if let Some(name) = self.known(it.name.as_str()) {
            self.used.push((name, self.lines.at(it.span.start)));
        }
    }
}
