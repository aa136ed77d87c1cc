//! From a source to its tools.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use oacp::source::{Source, SourceError, SourcePath};
use serde_json::Value;

use super::files::{Files, For};
use super::limits::FUNCTION_BYTES_MAX;
use super::module::{Function, Module, Origin};
use super::parse::Language;
use super::problem::{problem, quoted};
use super::signature::{Given, Signature, signature};
use super::stub::{file_name, stub};
use super::transpile::{Transpiled, renamed, transpile};
use crate::limits::TOOLS_MAX;
use crate::package::{DescribeError, Described, Offer, Remark};

/// [`super::describe`], on a stack that is large enough.
pub(super) fn describe(source: &Source) -> Result<Described, DescribeError> {
    let files = Files::of(source);
    let entry = entry(source, &files)?;
    let mut reading = Reading {
        files: &files,
        entry: Rc::clone(&entry),
        problems: Vec::new(),
        warnings: Vec::new(),
    };
    let given = reading.schemas();
    // Without the schemas most functions would lack types.
    let tools = if reading.problems.is_empty() {
        reading.tools(&given)
    } else {
        Vec::new()
    };
    let Transpiled {
        files: mut written,
        problems,
        warnings,
    } = transpile(source, &files);
    reading.problems.extend(problems);
    reading.warnings.extend(warnings);
    if tools.is_empty() && reading.problems.is_empty() {
        reading.problems.push(nothing(&entry));
    }
    if tools.len() > TOOLS_MAX {
        let message = format!("more than {TOOLS_MAX} functions are exported");
        reading.problems.push(problem(
            &entry.file,
            1,
            message,
            "split the file into several packages",
        ));
    }
    if !reading.problems.is_empty() {
        return Err(DescribeError {
            remarks: reading.problems,
        });
    }
    let path = renamed(&entry.file);
    let mut offers = Vec::new();
    for (tool, signature) in tools {
        let stub = stub(&path, &tool.exported, &signature.call);
        let name = file_name(&tool.name);
        if written.insert(name.clone(), stub.into_bytes()).is_some() {
            let message =
                format!("the source has a file `{name}`, as the function's stub is called");
            return Err(problem(&entry.file, tool.line, message, "rename that file").into());
        }
        offers.push(Offer {
            function: tool.name,
            description: signature.description,
            input_schema: signature.input,
            output_schema: signature.output,
            entry: name.parse().map_err(|_| nothing(&entry))?,
        });
    }
    let source = assemble(written, &offers).map_err(|error| {
        let message = format!("with a stub for each function, the files are no source: {error}");
        Remark {
            line: None,
            ..problem(
                &entry.file,
                1,
                message,
                "leave out files that the tools do not need",
            )
        }
    })?;
    offers.sort_by(|a, b| a.function.cmp(&b.function));
    Ok(Described {
        offers,
        source,
        warnings: reading.warnings,
    })
}

/// The entry's module.
fn entry(source: &Source, files: &Files<'_>) -> Result<Rc<Module>, DescribeError> {
    let entry = source.entry();
    let whole = |message: &str, fix: &str| Remark {
        line: None,
        ..problem(entry, 1, message, fix)
    };
    let ending = entry
        .as_str()
        .rsplit_once('.')
        .map_or("", |(_, ending)| ending);
    match ending {
        "cjs" | "cts" => {
            return Err(whole(
                "CommonJS is not run here",
                "write an ES module: `export function …`, in a `.js` or `.ts` file",
            )
            .into());
        }
        "jsx" | "tsx" => {
            return Err(whole(
                "JSX is not run here",
                "compile it first, or write it as a `.js` or `.ts` file",
            )
            .into());
        }
        _ => {}
    }
    if Language::of(entry) == Some(Language::Declarations) {
        return Err(whole(
            "the file declares types, and has no functions",
            "name the file with the functions",
        )
        .into());
    }
    let module = files.module(entry).ok_or_else(|| {
        whole(
            "this is no file of JavaScript",
            "name a `.js`, `.mjs`, `.ts` or `.mts` file",
        )
    })?;
    let module = module?;
    if let Some(line) = module.commonjs {
        return Err(problem(
            entry,
            line,
            "the file exports as CommonJS does",
            "write `export function name(…) { … }`, or `export { name };`, and `import` for `require`",
        )
        .into());
    }
    Ok(module)
}

fn nothing(entry: &Module) -> Remark {
    let fix = match entry.functions.keys().next() {
        Some(name) => format!(
            "write `export` before the functions that are to be tools, such as `{}`",
            quoted(name)
        ),
        None => {
            "write `export function name(…) { … }`, with a comment `/** … */` above it".to_owned()
        }
    };
    Remark {
        line: None,
        ..problem(&entry.file, 1, "no function is exported", fix)
    }
}

fn assemble(files: BTreeMap<String, Vec<u8>>, offers: &[Offer]) -> Result<Source, SourceError> {
    let files = files
        .into_iter()
        .filter_map(|(path, content)| Some((path.parse::<SourcePath>().ok()?, content)));
    let files: Vec<_> = files.collect();
    let first = offers.first().map(|offer| offer.entry.clone());
    let first = first.or_else(|| files.first().map(|(path, _)| path.clone()));
    match first {
        Some(entry) => Source::new(files, entry),
        None => Err(SourceError::TooManyFiles),
    }
}

/// A function that is exported.
struct Tool {
    /// As agents know it.
    name: String,
    /// As the stub imports it.
    exported: String,
    line: u32,
    module: Rc<Module>,
    function: Function,
}

struct Reading<'f, 's> {
    files: &'f Files<'s>,
    entry: Rc<Module>,
    problems: Vec<Remark>,
    warnings: Vec<Remark>,
}

impl Reading<'_, '_> {
    fn tools(&mut self, given: &BTreeMap<String, Given>) -> Vec<(Tool, Signature)> {
        let mut tools = Vec::new();
        let mut names = BTreeSet::new();
        for tool in self.exported() {
            if tool
                .function
                .doc
                .as_ref()
                .is_some_and(|doc| doc.has(&["ignore", "internal", "private"]))
            {
                continue;
            }
            if !names.insert(tool.name.clone()) {
                continue;
            }
            if let Some(remark) = unfit(&self.entry, &tool) {
                self.problems.push(remark);
                continue;
            }
            let none = Given::default();
            let given = given.get(&tool.name).unwrap_or(&none);
            let of = |mut remark: Remark| {
                remark.function = Some(tool.name.clone());
                remark
            };
            match signature(self.files, &tool.module, &tool.function, given) {
                Ok(mut signature) => {
                    self.warnings
                        .extend(std::mem::take(&mut signature.warnings).into_iter().map(of));
                    tools.push((tool, signature));
                }
                Err(problems) => self.problems.extend(problems.into_iter().map(of)),
            }
            if tools.len() > TOOLS_MAX {
                break;
            }
        }
        for name in given.keys() {
            if !names.contains(name) {
                let line = self.entry.schemas.as_ref().map_or(1, |(line, _)| *line);
                let message = format!(
                    "`schemas` names `{}`, and no function of that name is exported",
                    quoted(name)
                );
                let fix = match names
                    .iter()
                    .find(|known| strsim::damerau_levenshtein(known, name) <= 2)
                {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "export the function, or take it out of `schemas`".to_owned(),
                };
                self.problems
                    .push(problem(&self.entry.file, line, message, fix));
            }
        }
        tools
    }

    /// The functions that the entry exports, in their order.
    fn exported(&mut self) -> Vec<Tool> {
        let entry = Rc::clone(&self.entry);
        let mut tools = Vec::new();
        for export in &entry.exports {
            if export.type_only {
                continue;
            }
            if matches!(export.from, Origin::Nameless) {
                self.problems.push(problem(
                    &entry.file,
                    export.line,
                    "the default export is a function without a name",
                    "give it one: `export default function forecast(…) { … }`",
                ));
                continue;
            }
            let found = self.files.exported(&entry, &export.name, For::Values, 0);
            let Some((module, local)) = found else {
                if let Origin::Other { file, .. } = &export.from {
                    self.warnings.push(problem(
                        &entry.file,
                        export.line,
                        format!(
                            "`{}` of `{}` is not found, so it is not offered",
                            quoted(&export.name),
                            quoted(file)
                        ),
                        "export a function of a file of this source",
                    ));
                }
                continue;
            };
            let Some(function) = module.functions.get(&local).cloned() else {
                continue;
            };
            tools.push(Tool {
                name: match export.name.as_str() {
                    "default" => local,
                    name => name.to_owned(),
                },
                exported: export.name.clone(),
                line: export.line,
                module,
                function,
            });
        }
        for (file, line) in &entry.export_all {
            self.warnings.push(problem(
                &entry.file,
                *line,
                format!(
                    "what `export * from` takes from `{}` is not offered",
                    quoted(file)
                ),
                "name the functions: `export { forecast } from …`",
            ));
        }
        tools
    }

    /// What `export const schemas` says, by function.
    fn schemas(&mut self) -> BTreeMap<String, Given> {
        let mut all = BTreeMap::new();
        let entry = Rc::clone(&self.entry);
        let (line, members) = match &entry.schemas {
            None => return all,
            Some((_, Err(remark))) => {
                self.problems.push(remark.clone());
                return all;
            }
            Some((line, Ok(Value::Object(members)))) => (*line, members),
            Some((line, Ok(_))) => {
                let fix = "write `export const schemas = { forecast: { description: \"…\", input: { … } } };`";
                self.problems.push(problem(
                    &entry.file,
                    *line,
                    "`schemas` is not an object",
                    fix,
                ));
                return all;
            }
        };
        for (name, value) in members {
            match given(value) {
                Some(given) => {
                    all.insert(name.clone(), given);
                }
                None => {
                    let message = format!("`schemas.{}` is of another form", quoted(name));
                    let fix = "write `{ description: \"…\", input: { type: \"object\", … }, output: { … } }`; each may be left out";
                    self.problems.push(problem(&entry.file, line, message, fix));
                }
            }
        }
        all
    }
}

fn given(value: &Value) -> Option<Given> {
    let mut given = Given::default();
    for (key, value) in value.as_object()? {
        match key.as_str() {
            "description" => given.description = Some(value.as_str()?.to_owned()),
            "input" => given.input = Some(value.as_object()?.clone()),
            "output" if value.is_object() || value.is_boolean() => {
                given.output = Some(value.clone())
            }
            _ => return None,
        }
    }
    Some(given)
}

/// Why a function's name is no tool's.
fn unfit(entry: &Module, tool: &Tool) -> Option<Remark> {
    let fits = tool.name.len() <= FUNCTION_BYTES_MAX
        && tool
            .name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !tool.name.starts_with(|c: char| c.is_ascii_digit());
    // A word of the language cannot be exported but as a string or by `as`, and is no name in the stub either.
    let imports = tool.exported == tool.name || tool.exported == "default";
    if fits && imports {
        return None;
    }
    let message = format!(
        "`{}` is no name for a tool: 1 to {FUNCTION_BYTES_MAX} of `A-Z a-z 0-9 _`, the first no digit",
        quoted(&tool.name)
    );
    Some(problem(
        &entry.file,
        tool.line,
        message,
        "export it by another name: `export { it as name }`",
    ))
}
