//! What a function takes and gives, from all that says so: annotations, comments, defaults, or the schemas that are written beside it.

mod parameters;

use std::rc::Rc;

use serde_json::{Map, Value};

use self::parameters::Parameters;
use super::files::Files;
use super::module::{Function, Module, Pattern};
use super::problem::{problem, quoted};
use super::shape::{Schema, Shaper, Side, annotate, of_type, without_undefined};
use super::types::{Kind, Notes, Type};
use crate::package::Remark;
use crate::schema;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A function that can be a tool.
pub(super) struct Signature {
    pub(super) description: String,
    pub(super) input: Value,
    pub(super) output: Option<Value>,
    pub(super) call: Call,
    pub(super) warnings: Vec<Remark>,
}

/// How the stub hands the arguments over.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// `f(a)`
    Whole,
    /// `f(a.city, a.days)`
    Named(Vec<String>),
}

/// What `schemas` says of a function.
#[derive(Clone, Default)]
pub(super) struct Given {
    pub(super) description: Option<String>,
    pub(super) input: Option<Map<String, Value>>,
    pub(super) output: Option<Value>,
}

/// What a function of `at` takes and gives, or everything that is in the way.
pub(super) fn signature(
    files: &Files<'_>,
    at: &Rc<Module>,
    function: &Function,
    given: &Given,
) -> Result<Signature, Vec<Remark>> {
    let mut problems = forms(at, function);
    let refused_whole = !problems.is_empty();
    let mut warnings = Vec::new();
    let doc = function.doc.clone().unwrap_or_default();
    let description = given
        .description
        .clone()
        .unwrap_or_else(|| doc.description.clone());
    if description.trim().is_empty() {
        problems.push(problem(
            &at.file,
            function.line,
            "there is no description, and agents choose tools by it",
            "put `/** What it does, and when to use it. */` above the function, or do not export it",
        ));
    }
    // The types of what is no tool say nothing more.
    if refused_whole {
        return Err(problems);
    }
    let input = match &given.input {
        Some(schema) => by_schema(at, function, schema),
        None => Parameters::new(files, at, function, &doc, &mut warnings).input(),
    };
    let (input, call) = match input {
        Ok((input, call)) => (input, call),
        Err(more) => {
            problems.extend(more);
            (Value::Null, Call::Whole)
        }
    };
    let output = match &given.output {
        Some(schema) => Ok(Some(with_dialect(schema.clone()))),
        None => output(files, at, function),
    };
    let output = output.unwrap_or_else(|remark| {
        problems.push(remark);
        None
    });
    if problems.is_empty() {
        problems.extend(admission(at, function, &input, output.as_ref()));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if output.is_none() && given.output.is_none() && !says_anything(function) {
        warnings.push(problem(
            &at.file,
            function.line,
            "it does not say what it returns, so its results are not checked",
            "write `@returns {T}`, or annotate the function's result",
        ));
    }
    Ok(Signature {
        description,
        input,
        output,
        call,
        warnings,
    })
}

/// What no tool can be, whatever its types.
fn forms(at: &Module, function: &Function) -> Vec<Remark> {
    let mut problems = Vec::new();
    let mut refuse =
        |line, message: &str, fix: &str| problems.push(problem(&at.file, line, message, fix));
    if function.generator {
        refuse(
            function.line,
            "a generator cannot be a tool",
            "collect what it yields, and return an array",
        );
    }
    if function.generic
        || function
            .doc
            .as_ref()
            .is_some_and(|doc| doc.has(&["template"]))
    {
        refuse(
            function.line,
            "a generic function cannot be a tool",
            "write its types out, without type parameters",
        );
    }
    if function.overloaded {
        refuse(
            function.line,
            "an overloaded function cannot be a tool",
            "keep one signature, with unions if need be",
        );
    }
    if let Some(line) = function.rest {
        refuse(line, "a tool cannot take `...rest`", "take an array");
    }
    problems
}

/// Whether the schemas are such as the node takes.
fn admission(
    at: &Module,
    function: &Function,
    input: &Value,
    output: Option<&Value>,
) -> Option<Remark> {
    let refused = |which: &str, error: &schema::SchemaError| Remark {
        fix: None,
        ..problem(
            &at.file,
            function.line,
            format!("the schema of its {which} is not admitted: {error}"),
            "",
        )
    };
    if let Err(error) = schema::Schema::admit_input(input) {
        return Some(refused("input", &error));
    }
    let error = output.and_then(|output| schema::Schema::admit(output).err())?;
    Some(refused("output", &error))
}

fn says_anything(function: &Function) -> bool {
    function.returns.is_some()
        || function
            .doc
            .as_ref()
            .and_then(|doc| doc.returns())
            .is_some_and(|(ty, _)| ty.is_some())
}

/// The schema of the result. `None`: nothing says what it is.
fn output(
    files: &Files<'_>,
    at: &Rc<Module>,
    function: &Function,
) -> Result<Option<Value>, Remark> {
    let (tagged, text) = match function.doc.as_ref().and_then(|doc| doc.returns()) {
        Some((ty, text)) => (ty, text),
        None => (None, String::new()),
    };
    let Some(ty) = function.returns.clone().or(tagged) else {
        return Ok(None);
    };
    let ty = awaited(ty);
    // A function that returns nothing returns `null`.
    let (rest, may_be_nothing) = without_undefined(&ty);
    let ty = match (&ty.kind, may_be_nothing) {
        (Kind::Undefined, _) => Type::new(ty.line, Kind::Null),
        (_, true) => {
            let line = rest.line;
            Type::new(line, Kind::Union(vec![rest, Type::new(line, Kind::Null)]))
        }
        _ => ty,
    };
    let mut shaper = Shaper::new(files, Side::Output);
    let about = |mut remark: Remark| {
        remark.message = format!("result: {}", remark.message);
        remark
    };
    let mut schema = shaper.schema(&ty, at, 0).map_err(about)?;
    let notes = Notes {
        description: text,
        ..Notes::default()
    };
    annotate(&mut schema, &notes);
    let document = shaper.finish(schema).map_err(about)?;
    Ok(Some(with_dialect(document)))
}

/// `T` of `Promise<T>`.
fn awaited(ty: Type) -> Type {
    match ty.kind {
        Kind::Named(name, mut arguments) if matches!(name.as_str(), "Promise" | "PromiseLike") => {
            match (arguments.pop(), arguments.is_empty()) {
                (Some(of), true) => of,
                _ => Type::new(ty.line, Kind::Any),
            }
        }
        _ => ty,
    }
}

fn with_dialect(mut schema: Value) -> Value {
    if let Some(members) = schema.as_object_mut() {
        members
            .entry("$schema")
            .or_insert_with(|| Value::String(DIALECT.to_owned()));
    }
    schema
}

/// The input as `schemas` has it, and how that fits the parameters.
fn by_schema(
    at: &Module,
    function: &Function,
    schema: &Schema,
) -> Result<(Value, Call), Vec<Remark>> {
    let mut whole = of_type("object");
    whole.append(&mut schema.clone());
    let none = Map::new();
    let properties = schema
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    let input = with_dialect(Value::Object(whole));
    let mut problems = Vec::new();
    let mut names = Vec::new();
    for parameter in &function.parameters {
        match &parameter.pattern {
            Pattern::Name(name) if properties.contains_key(name) => names.push(name.clone()),
            Pattern::Name(_) | Pattern::Object(_) if function.parameters.len() == 1 => {
                return Ok((input, Call::Whole));
            }
            Pattern::Name(name) if parameter.optional || parameter.default.is_some() => {
                names.push(name.clone())
            }
            Pattern::Name(name) => problems.push(problem(
                &at.file,
                parameter.line,
                format!(
                    "`schemas` has no property `{}` for this parameter",
                    quoted(name)
                ),
                "add it to `properties` of `input`, or give the parameter a default",
            )),
            Pattern::Object(_) | Pattern::Other => {
                problems.push(parameters::nameless(at, parameter.line))
            }
        }
    }
    for name in properties.keys() {
        if !names.contains(name) && problems.is_empty() {
            problems.push(problem(
                &at.file,
                function.line,
                format!(
                    "`schemas` has a property `{}`, and the function no parameter of that name",
                    quoted(name)
                ),
                "name the parameters as the properties, or take one object",
            ));
        }
    }
    if problems.is_empty() {
        Ok((input, Call::Named(names)))
    } else {
        Err(problems)
    }
}
