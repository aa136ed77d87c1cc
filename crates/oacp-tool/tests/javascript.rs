//! Files of JavaScript and TypeScript, and what is read from them: each case is a file, or a directory with a `main.*`, and its `.json`.
//!
//! `UPDATE_EXPECT=1 cargo test -p oacp-tool --test javascript` writes the expectations anew; `git diff` then says whether they are right.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "javascript/corpus.rs"]
mod corpus;
#[path = "javascript/hostile.rs"]
mod hostile;
#[path = "javascript/strip.rs"]
mod strip;
#[path = "javascript/types.rs"]
mod types;

use oacp::source::Source;
use oacp_tool::package::{DescribeError, Described, Remark};

/// A source of these files, started at the first.
fn source(files: &[(&str, &str)]) -> Source {
    let entry = files[0].0.parse().unwrap();
    let files = files
        .iter()
        .map(|(path, text)| (path.parse().unwrap(), text.as_bytes().to_vec()));
    Source::new(files, entry).unwrap()
}

fn describe(files: &[(&str, &str)]) -> Result<Described, DescribeError> {
    oacp_tool::javascript::describe(&source(files))
}

/// What is refused of one file, as text.
fn refusal(name: &str, text: &str) -> String {
    let refused = describe(&[(name, text)]).expect_err(text);
    let lines: Vec<_> = refused.remarks.iter().map(shown).collect();
    lines.join("\n")
}

fn shown(remark: &Remark) -> String {
    let fix = remark.fix.as_deref().unwrap_or("-");
    format!("{remark} | {fix}")
}

/// The text of a file of what was described.
fn file<'d>(described: &'d Described, path: &str) -> &'d str {
    let mut files = described.source.files();
    let (_, content) = files.find(|(at, _)| at.as_str() == path).expect(path);
    std::str::from_utf8(content).unwrap()
}
