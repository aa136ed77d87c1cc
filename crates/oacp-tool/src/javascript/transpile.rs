//! The files as they are run: types blanked out of those of TypeScript, which then are called `.js`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use oacp::source::{Source, SourcePath};
use oxc_allocator::Allocator;

use super::files::{Files, For};
use super::module::Module;
use super::parse::{Language, parse};
use super::problem::problem;
use super::strip::{Edits, Stripped, Use, Used};
use crate::package::Remark;

/// The files, by their new names.
pub(super) struct Transpiled {
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) problems: Vec<Remark>,
    pub(super) warnings: Vec<Remark>,
}

/// A file's name once it is JavaScript.
pub(super) fn renamed(file: &SourcePath) -> String {
    let name = file.as_str();
    match Language::of(file) {
        Some(Language::TypeScript) => match name.strip_suffix(".mts") {
            Some(stem) => format!("{stem}.mjs"),
            None => format!("{}.js", name.strip_suffix(".ts").unwrap_or(name)),
        },
        _ => name.to_owned(),
    }
}

/// Makes JavaScript of all files. What cannot be made so is a problem if the tools import it; else it stays as it is.
pub(super) fn transpile(source: &Source, files: &Files<'_>) -> Transpiled {
    let mut done = Transpiled {
        files: BTreeMap::new(),
        problems: Vec::new(),
        warnings: Vec::new(),
    };
    let has_types = source.files().any(|(path, _)| {
        matches!(
            Language::of(path),
            Some(Language::TypeScript | Language::Declarations)
        )
    });
    if !has_types {
        for (path, content) in source.files() {
            done.files
                .insert(path.as_str().to_owned(), content.to_vec());
        }
        return done;
    }
    let reached = reached(source.entry(), files, &mut done.problems);
    for (path, content) in source.files() {
        let is_reached = reached.contains(path);
        let language = Language::of(path);
        let rewritten = match language {
            Some(Language::TypeScript) => rewrite(path, content, files),
            // A file that nobody parses names no file of TypeScript.
            Some(Language::JavaScript) if is_reached => rewrite(path, content, files).or(Ok(None)),
            Some(Language::Declarations) => continue,
            _ => Ok(None),
        };
        match rewritten {
            Ok(Some(text)) => insert(&mut done, path, renamed(path), text.into_bytes()),
            Ok(None) => insert(&mut done, path, path.as_str().to_owned(), content.to_vec()),
            Err(problems) if is_reached => done.problems.extend(problems),
            Err(problems) => {
                // Nothing runs it: a test, a configuration.
                done.warnings.extend(problems.into_iter().take(1));
                insert(&mut done, path, path.as_str().to_owned(), content.to_vec());
            }
        }
    }
    done
}

fn insert(done: &mut Transpiled, path: &SourcePath, name: String, content: Vec<u8>) {
    if done.files.contains_key(&name) {
        let message = format!("compiled it is `{name}`, and the source has a file of that name");
        let fix = "leave one of the two out";
        done.problems.push(Remark {
            line: None,
            ..problem(path, 1, message, fix)
        });
        return;
    }
    done.files.insert(name, content);
}

/// The files that the entry imports, and those that these import, and so on.
fn reached(
    entry: &SourcePath,
    files: &Files<'_>,
    problems: &mut Vec<Remark>,
) -> BTreeSet<SourcePath> {
    let mut reached = BTreeSet::from([entry.clone()]);
    let mut next = vec![entry.clone()];
    while let Some(path) = next.pop() {
        let Some(Ok(module)) = files.module(&path) else {
            continue;
        };
        for (specifier, line) in &module.specifiers {
            let relative = specifier.starts_with('.') || specifier.starts_with('/');
            if relative && (specifier.ends_with(".tsx") || specifier.ends_with(".jsx")) {
                let fix = "compile that file first, or write it as a `.js` or `.ts` file";
                problems.push(problem(&path, *line, "JSX is not run here", fix));
            }
            if let Some(file) = files.resolve(&path, specifier, For::Values)
                && reached.insert(file.clone())
            {
                next.push(file);
            }
        }
    }
    reached
}

/// A file as JavaScript. `None`: it is that as it stands.
fn rewrite(
    path: &SourcePath,
    content: &[u8],
    files: &Files<'_>,
) -> Result<Option<String>, Vec<Remark>> {
    let module = match files.module(path) {
        Some(Ok(module)) => module,
        Some(Err(remark)) => return Err(vec![remark]),
        None => return Ok(None),
    };
    let Some(stripped) = &module.stripped else {
        return Ok(None);
    };
    if !stripped.problems.is_empty() {
        return Err(stripped.problems.clone());
    }
    let typescript = Language::of(path) == Some(Language::TypeScript);
    if !typescript && stripped.edits.is_empty() {
        return Ok(None);
    }
    let Ok(text) = std::str::from_utf8(content) else {
        return Ok(None);
    };
    let text = erase_types(&module, stripped, files).apply(text);
    if typescript {
        // What this made is JavaScript, or it is not handed out.
        let allocator = Allocator::default();
        parse(&allocator, path, &text, Language::JavaScript).map_err(|mut remark| {
            remark.message = format!(
                "without its types the file is not JavaScript: {}",
                remark.message
            );
            remark.fix = Some("compile the file first, and hand in the result".to_owned());
            vec![remark]
        })?;
    }
    Ok(Some(text))
}

/// With the names that are imported or exported as values, and are types.
fn erase_types(module: &Rc<Module>, stripped: &Stripped, files: &Files<'_>) -> Edits {
    let mut edits = stripped.edits.clone();
    for use_ in &stripped.uses {
        erase(module, use_, &stripped.references, files, &mut edits);
    }
    edits
}

fn erase(
    module: &Rc<Module>,
    use_: &Use,
    references: &BTreeSet<String>,
    files: &Files<'_>,
    edits: &mut Edits,
) {
    let from = use_
        .from
        .as_ref()
        .map(|from| files.resolve(&module.file, from, For::Types));
    // Of a file that declares types alone nothing is left.
    if let Some(Some(file)) = &from
        && Language::of(file) == Some(Language::Declarations)
        && use_
            .from
            .as_ref()
            .and_then(|from| files.resolve(&module.file, from, For::Values))
            .is_none()
    {
        edits.blank_whole(use_.span);
        return;
    }
    let other = match &from {
        Some(Some(file)) => match files.module(file) {
            Some(Ok(module)) => Some(module),
            _ => return,
        },
        Some(None) | None => None,
    };
    let is_type = |name: &str| match (&from, &other) {
        (None, _) => files.is_type(module, name),
        (Some(_), Some(other)) => name != "*" && files.exports_type(other, name),
        (Some(_), None) => false,
    };
    let is_erased = |used: &&Used| {
        let unused = |local: &String| !references.contains(local);
        is_type(&used.name) || used.local.as_ref().is_some_and(unused)
    };
    let erased: Vec<_> = use_.names.iter().filter(is_erased).collect();
    let all = erased.len() == use_.names.len();
    // Of an import nothing is left then; `export { }` and `export { } from` stay.
    if all && (use_.import || erased.iter().any(|used| used.span.is_none())) {
        edits.blank_whole(use_.span);
        return;
    }
    for span in erased.iter().filter_map(|used| used.span) {
        edits.blank(span);
    }
}
