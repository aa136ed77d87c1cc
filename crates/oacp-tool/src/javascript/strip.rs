//! TypeScript as JavaScript: what is TypeScript's own is blanked out, so that every line and every column stays where it was.
//!
//! Only what can be erased is taken: an `enum`, a namespace with values, a parameter property or an `import =` would have to be compiled, and
//! is refused. Three things need more than blanks. Where what is erased parted two statements that had no `;`, a `;` is written. The `)` of
//! an arrow function's parameters moves behind a return type of several lines, for its `=>` must be on its line. And names that are imported
//! without `type` and are types all the same are erased once the other files are known, as are those that nothing uses as values: TypeScript
//! drops both.

mod edits;
mod visitor;

use std::collections::BTreeSet;

use oacp::source::SourcePath;
use oxc_ast::ast::Program;
use oxc_ast_visit::Visit;
use oxc_span::Span;

pub(super) use self::edits::Edits;
use self::visitor::Visitor;
use super::parse::Lines;
use crate::package::Remark;

/// What to write instead of an `enum`.
pub(super) const NO_ENUM: &str = "write `const Name = { A: \"a\" } as const;` and `type Name = (typeof Name)[keyof typeof Name];`";

/// What becomes of a file.
pub(super) struct Stripped {
    pub(super) edits: Edits,
    /// What cannot be erased.
    pub(super) problems: Vec<Remark>,
    /// Imports and exports that may turn out to be of types.
    pub(super) uses: Vec<Use>,
    /// Names that are used otherwise than as types.
    pub(super) references: BTreeSet<String>,
}

/// `import { … } from "…"`, `export { … } from "…"` or `export { … }`.
pub(super) struct Use {
    pub(super) span: Span,
    /// The other file. `None`: names of this one.
    pub(super) from: Option<String>,
    pub(super) names: Vec<Used>,
    /// Whether nothing is left of it once all its names are erased.
    pub(super) import: bool,
}

/// One name of a [`Use`].
pub(super) struct Used {
    pub(super) name: String,
    /// What an import calls it here.
    pub(super) local: Option<String>,
    /// With the comma behind it. `None`: it cannot be erased alone.
    pub(super) span: Option<Span>,
}

/// What a look at the whole program finds.
pub(super) struct Outcome {
    pub(super) stripped: Stripped,
    /// Every file that is imported, and where.
    pub(super) specifiers: Vec<(String, u32)>,
}

/// Looks at a program; nothing is written yet.
pub(super) fn run(file: &SourcePath, text: &str, lines: &Lines, program: &Program<'_>) -> Outcome {
    let mut visitor = Visitor::new(file, text, lines);
    visitor.visit_program(program);
    visitor.outcome()
}
