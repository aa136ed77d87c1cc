//! `oacp tool new`: a tool to start from, with examples that pass.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::console::{BOLD, Console};
use crate::failure::{Exit, Failure, Judge};
use crate::home::shown;

#[derive(Args)]
pub(crate) struct New {
    /// The tool's name, its directory's and its function's: letters, digits and `_`
    name: String,
    /// The tool's language
    #[arg(long, value_enum, default_value_t = Lang::Python)]
    lang: Lang,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Lang {
    Python,
    Js,
    Ts,
    C,
    Rust,
}

const MANIFEST: &str = include_str!("new/tool.yaml");
const EXAMPLES: &str = include_str!("new/tool.test.json");
const AGENT_WIT: &str = include_str!("../../../../../wit/agent.wit");
const TOOL_WIT: &str = include_str!("../../../../../wit/tool.wit");

/// Words that Python or JavaScript would not let a function be called by.
const RESERVED: &str = "and as assert async await break case catch class const continue debugger def default del delete do elif else enum \
    except export extends false finally for from function global if implements import in instanceof interface is lambda let new nonlocal \
    not null or package pass private protected public raise return static super switch this throw true try typeof var void while with \
    yield False None True arguments eval";

pub(super) fn new(new: &New, console: &Console) -> Result<Exit, Failure> {
    let name = new.name.as_str();
    if !is_identifier(name) {
        let failure = Failure::usage(format!("`{name}` cannot be a function's name"));
        return Err(failure
            .hint("letters, digits and `_`, a letter first, and no word of Python or JavaScript"));
    }
    let dir = Path::new(name);
    if dir.exists() {
        let failure = Failure::usage(format!("`{name}` is there already"));
        return Err(failure.hint("choose another name: nothing is written over"));
    }
    // Refused, if somebody else makes it at this moment.
    fs::create_dir(dir).or_context(|| format!("cannot make the directory `{name}`"))?;
    let mut written = Vec::new();
    for (path, text) in files(new.lang) {
        let file = dir.join(path);
        let text = filled(text, new.lang, name);
        write(&file, &text).or_context(|| format!("cannot write `{}`", file.display()))?;
        written.push(file);
    }
    if console.json {
        console.print_json(&json!({ "directory": dir, "files": written }))?;
        return Ok(Exit::Yes);
    }
    let files: Vec<String> = written.iter().map(|file| shown(file)).collect();
    let next = match new.lang {
        Lang::C | Lang::Rust => format!(
            "{} says what has to be installed; then make",
            shown(&dir.join("README.md"))
        ),
        Lang::Python | Lang::Js | Lang::Ts => {
            format!("{} tool test {name}", crate::started::name())
        }
    };
    console.print(&format!(
        "wrote {}\n\nnext: {BOLD}{next}{BOLD:#}",
        files.join(", ")
    ))?;
    Ok(Exit::Yes)
}

/// Whether every language that there is a file for lets a function have this name.
fn is_identifier(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !RESERVED.split_whitespace().any(|word| word == name)
}

/// Paths and texts.
fn files(lang: Lang) -> Vec<(&'static str, &'static str)> {
    let mut files = match lang {
        Lang::Python => vec![
            ("README.md", include_str!("new/python/README.md")),
            ("tool.py", include_str!("new/python/tool.py")),
        ],
        Lang::Js => vec![
            ("README.md", include_str!("new/js/README.md")),
            ("tool.js", include_str!("new/js/tool.js")),
        ],
        Lang::Ts => vec![
            ("README.md", include_str!("new/ts/README.md")),
            ("tool.ts", include_str!("new/ts/tool.ts")),
        ],
        Lang::C => vec![
            ("README.md", include_str!("new/c/README.md")),
            ("Makefile", include_str!("new/c/Makefile")),
            ("tool.c", include_str!("new/c/tool.c")),
        ],
        Lang::Rust => vec![
            ("README.md", include_str!("new/rust/README.md")),
            ("Makefile", include_str!("new/rust/Makefile")),
            // Under its own name Cargo would take it for a package of this repository.
            ("Cargo.toml", include_str!("new/rust/manifest.toml")),
            ("src/lib.rs", include_str!("new/rust/lib.rs")),
        ],
    };
    files.extend([("tool.yaml", MANIFEST), ("tool.test.json", EXAMPLES)]);
    if matches!(lang, Lang::C | Lang::Rust) {
        files.extend([("wit/agent.wit", AGENT_WIT), ("wit/tool.wit", TOOL_WIT)]);
    }
    files
}

/// A text with what it leaves open.
fn filled(text: &str, lang: Lang, name: &str) -> String {
    let source = match lang {
        Lang::C | Lang::Rust => "source: ./tool.wasm\n",
        Lang::Python | Lang::Js | Lang::Ts => "",
    };
    text.replace("@SOURCE@\n", source).replace("@NAME@", name)
}

fn write(file: &PathBuf, text: &str) -> std::io::Result<()> {
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(file, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use oacp_tool::manifest::ToolFile;

    #[test]
    fn every_manifest_that_is_written_is_one_and_nothing_is_left_open() {
        for lang in Lang::value_variants() {
            for (path, text) in files(*lang) {
                let text = filled(text, *lang, "mean");
                assert!(
                    !text.contains('@') || path.starts_with("wit/") || path.ends_with(".js"),
                    "{path}: {text}"
                );
                if path == "tool.yaml" {
                    let manifest: ToolFile = serde_saphyr::from_str(&text).unwrap();
                    assert_eq!(manifest.name, "mean");
                    let is_component = matches!(lang, Lang::C | Lang::Rust);
                    assert_eq!(manifest.source.is_some(), is_component);
                }
            }
        }
    }
}
