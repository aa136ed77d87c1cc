//! The parameters of one function, as a schema of one object.

use std::rc::Rc;

use serde_json::Value;

use super::{Call, with_dialect};
use crate::javascript::doc::{Doc, Parameter as Tag, below, nested};
use crate::javascript::files::Files;
use crate::javascript::module::{Fallback, Field, Function, Module, Parameter, Pattern};
use crate::javascript::parse::Language;
use crate::javascript::problem::{problem, quoted};
use crate::javascript::shape::{Schema, Shape, Shaper, Side, object};
use crate::javascript::types::{Kind, Member, Notes, Type};
use crate::package::Remark;

/// Names that every object has, so that one which was left out would not be missing.
const INHERITED: [&str; 12] = [
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];

pub(super) struct Parameters<'f, 's, 'd> {
    files: &'f Files<'s>,
    at: &'f Rc<Module>,
    function: &'f Function,
    tags: Vec<Tag>,
    warnings: &'d mut Vec<Remark>,
}

/// A property of the input.
struct Property {
    name: String,
    schema: Schema,
    optional: bool,
}

pub(super) fn nameless(at: &Module, line: u32) -> Remark {
    problem(
        &at.file,
        line,
        "this parameter has no name",
        "take one object alone, `({ city, days })`, or give each parameter a name",
    )
}

impl<'f, 's, 'd> Parameters<'f, 's, 'd> {
    pub(super) fn new(
        files: &'f Files<'s>,
        at: &'f Rc<Module>,
        function: &'f Function,
        doc: &Doc,
        warnings: &'d mut Vec<Remark>,
    ) -> Self {
        Self {
            files,
            at,
            function,
            tags: doc.parameters(),
            warnings,
        }
    }

    /// The schema, and how the arguments are handed over.
    pub(super) fn input(mut self) -> Result<(Value, Call), Vec<Remark>> {
        let mut shaper = Shaper::new(self.files, Side::Input);
        let function = self.function;
        let (properties, others, call) = match function.parameters.as_slice() {
            [only] => self.one(only, &mut shaper)?,
            several => {
                let mut problems = Vec::new();
                let mut properties = Vec::new();
                for parameter in several {
                    match self.positional(parameter, &mut shaper) {
                        Ok(property) => properties.push(property),
                        Err(remark) => problems.push(remark),
                    }
                }
                if !problems.is_empty() {
                    return Err(problems);
                }
                let names = properties
                    .iter()
                    .map(|property| property.name.clone())
                    .collect();
                (properties, Value::Bool(false), Call::Named(names))
            }
        };
        self.strays(&call, &properties);
        let mut required = Vec::new();
        let mut members = Schema::new();
        for property in properties {
            if INHERITED.contains(&property.name.as_str()) {
                return Err(vec![problem(
                    &self.at.file,
                    function.line,
                    format!("every object has a `{}` already", property.name),
                    "give the parameter another name",
                )]);
            }
            if !property.optional {
                required.push(Value::String(property.name.clone()));
            }
            members.insert(property.name, Value::Object(property.schema));
        }
        let root = object(members, required, Some(others));
        let document = shaper.finish(root).map_err(|remark| vec![remark])?;
        Ok((with_dialect(document), call))
    }

    /// One parameter: an object with the arguments in it, or the only argument.
    fn one(
        &mut self,
        parameter: &Parameter,
        shaper: &mut Shaper<'_, '_>,
    ) -> Result<(Vec<Property>, Value, Call), Vec<Remark>> {
        let one = |remark| vec![remark];
        match &parameter.pattern {
            Pattern::Object(fields) => {
                let shape = self.destructured(parameter, fields, shaper).map_err(one)?;
                let (properties, others) = self.object(&shape, fields, shaper)?;
                Ok((properties, others, Call::Whole))
            }
            Pattern::Name(name) => {
                if let Some(ty) = self.ty(parameter, name)
                    && let Some(shape) = shaper
                        .shape(&ty, self.at, 0)
                        .map_err(|remark| one(about(name, remark)))?
                    && (shape.index.is_none() || !shape.members.is_empty())
                {
                    let (properties, others) = self.object(&shape, &[], shaper)?;
                    return Ok((properties, others, Call::Whole));
                }
                let property = self.positional(parameter, shaper).map_err(one)?;
                let names = vec![property.name.clone()];
                Ok((vec![property], Value::Bool(false), Call::Named(names)))
            }
            Pattern::Other => Err(one(nameless(self.at, parameter.line))),
        }
    }

    fn positional(
        &self,
        parameter: &Parameter,
        shaper: &mut Shaper<'_, '_>,
    ) -> Result<Property, Remark> {
        let Pattern::Name(name) = &parameter.pattern else {
            return Err(nameless(self.at, parameter.line));
        };
        let tag = self.tag(name);
        let mut notes = parameter.doc.as_ref().map(Doc::notes).unwrap_or_default();
        let mut optional = parameter.optional || parameter.default.is_some();
        if let Some(tag) = tag {
            optional |= tag.optional;
            if !tag.text.is_empty() {
                notes.description = tag.text.clone();
            }
            if let Some(default) = &tag.default {
                notes.keywords.push(("default".to_owned(), default.clone()));
            }
        }
        let ty = self
            .ty(parameter, name)
            .ok_or_else(|| self.untyped(name, parameter.line))?;
        let member = Member {
            name: name.clone(),
            ty,
            optional,
            notes,
        };
        self.property(&member, self.at, parameter.default.as_ref(), shaper)
    }

    /// What an annotation, the comments or a default say that a parameter is.
    fn ty(&self, parameter: &Parameter, name: &str) -> Option<Type> {
        let tag = self.tag(name);
        let tagged = tag.and_then(|tag| tag.ty.as_ref());
        if let Some(ty) = &parameter.ty {
            // TypeScript has no integers; a comment may say it.
            return Some(match (&ty.kind, tagged.map(|ty| &ty.kind)) {
                (Kind::Number, Some(Kind::Integer)) => Type::new(ty.line, Kind::Integer),
                _ => ty.clone(),
            });
        }
        let members: Vec<_> = self
            .tags
            .iter()
            .filter_map(|tag| below(tag, name))
            .collect();
        if !members.is_empty() {
            let line = tag.map_or(parameter.line, |tag| tag.line);
            return Some(nested(tagged, &members, line));
        }
        tagged
            .cloned()
            .or_else(|| parameter.doc.as_ref().and_then(Doc::ty))
            .or_else(|| inferred(parameter.default.as_ref(), parameter.line))
    }

    /// The object that `({ city, days })` takes apart.
    fn destructured(
        &self,
        parameter: &Parameter,
        fields: &[Field],
        shaper: &mut Shaper<'_, '_>,
    ) -> Result<Shape, Remark> {
        let is_field = |name: &str| fields.iter().any(|field| field.name == name);
        // What the comments call the object; the code has no name for it.
        let root = self
            .tags
            .iter()
            .find_map(|tag| tag.path.split_once('.').map(|(root, _)| root.to_owned()))
            .or_else(|| match self.tags.as_slice() {
                [only] if !is_field(&only.path) => Some(only.path.clone()),
                _ => None,
            });
        let mut ty = parameter.ty.clone();
        if ty.is_none() {
            ty = root.as_ref().and_then(|root| self.ty(parameter, root));
        }
        if ty.is_none() {
            ty = parameter.doc.as_ref().and_then(Doc::ty);
        }
        let line = parameter.line;
        let ty = ty.unwrap_or_else(|| {
            let flat = |tag: &&Tag| is_field(&tag.path);
            let flat: Vec<_> = self.tags.iter().filter(flat).cloned().collect();
            let mut ty = nested(None, &flat, line);
            if let Kind::Members(members, _) = &mut ty.kind {
                for field in fields {
                    if !members.iter().any(|member| member.name == field.name)
                        && let Some(ty) = inferred(field.default.as_ref(), field.line)
                    {
                        members.push(Member {
                            name: field.name.clone(),
                            ty,
                            optional: true,
                            notes: Notes::default(),
                        });
                    }
                }
            }
            ty
        });
        let shape = shaper.shape(&ty, self.at, 0)?.ok_or_else(|| {
            problem(
                &self.at.file,
                ty.line,
                "the parameter is taken apart, and its type is not an object whose members are known",
                "write the members: `{ city: string; days?: number }`, or `@param {string} args.city`",
            )
        })?;
        for field in fields {
            let known = shape
                .members
                .iter()
                .any(|(member, _)| member.name == field.name);
            if !known && shape.index.is_none() {
                return Err(self.untyped(&field.name, field.line));
            }
        }
        Ok(shape)
    }

    /// The members of an object as properties, and what all other keys have.
    fn object(
        &self,
        shape: &Shape,
        fields: &[Field],
        shaper: &mut Shaper<'_, '_>,
    ) -> Result<(Vec<Property>, Value), Vec<Remark>> {
        let mut problems = Vec::new();
        let mut properties = Vec::new();
        for (member, at) in &shape.members {
            let mut member = member.clone();
            let field = fields.iter().find(|field| field.name == member.name);
            let default = field.and_then(|field| field.default.as_ref());
            member.optional |= default.is_some();
            if let Some(tag) = self.member_tag(&member.name)
                && !tag.text.is_empty()
                && member.notes.description.is_empty()
            {
                member.notes.description = tag.text.clone();
            }
            match self.property(&member, at, default, shaper) {
                Ok(property) => properties.push(property),
                Err(remark) => problems.push(remark),
            }
        }
        let others = match &shape.index {
            Some((ty, at)) => shaper.schema(ty, at, 1).map(Value::Object),
            None => Ok(Value::Bool(false)),
        };
        match others {
            Ok(others) if problems.is_empty() => Ok((properties, others)),
            Ok(_) => Err(problems),
            Err(remark) => {
                problems.push(remark);
                Err(problems)
            }
        }
    }

    fn property(
        &self,
        member: &Member,
        at: &Rc<Module>,
        default: Option<&Fallback>,
        shaper: &mut Shaper<'_, '_>,
    ) -> Result<Property, Remark> {
        let (mut schema, optional) = shaper
            .member(member, at, 0)
            .map_err(|remark| about(&member.name, remark))?;
        if let Some(Fallback::Literal(value)) = default {
            schema.insert("default".to_owned(), value.clone());
        }
        if let Some(value) = schema.get("default").filter(|value| !fits(value, &schema)) {
            if !value.is_null() {
                return Err(problem(
                    &at.file,
                    member.ty.line,
                    format!(
                        "parameter `{}`: its default is not of its type",
                        quoted(&member.name)
                    ),
                    "correct the type or the default",
                ));
            }
            schema.remove("default");
        }
        Ok(Property {
            name: member.name.clone(),
            schema,
            optional,
        })
    }

    fn tag(&self, name: &str) -> Option<&Tag> {
        self.tags.iter().find(|tag| tag.path == name)
    }

    /// The tag of a member of the one object: `city`, or `args.city`.
    fn member_tag(&self, name: &str) -> Option<&Tag> {
        self.tags.iter().find(|tag| {
            let last = tag
                .path
                .split_once('.')
                .map_or(tag.path.as_str(), |(_, last)| last);
            last == name
        })
    }

    fn untyped(&self, name: &str, line: u32) -> Remark {
        let near = self
            .tags
            .iter()
            .map(|tag| {
                tag.path
                    .rsplit_once('.')
                    .map_or(tag.path.as_str(), |(_, last)| last)
            })
            .find(|path| *path != name && strsim::damerau_levenshtein(path, name) <= 2);
        let fix = match near {
            Some(near) => format!("did you mean it by `@param … {}`?", quoted(near)),
            None if Language::of(&self.at.file) == Some(Language::JavaScript) => {
                format!("write `@param {{string}} {name} - what it is`")
            }
            None => format!("annotate it: `{name}: string`"),
        };
        problem(
            &self.at.file,
            line,
            format!("parameter `{}` has no type", quoted(name)),
            fix,
        )
    }

    /// Warns of tags that are of no parameter.
    fn strays(&mut self, call: &Call, properties: &[Property]) {
        if *call == Call::Whole {
            return;
        }
        for tag in &self.tags {
            let root = tag.path.split(['.', '[']).next().unwrap_or_default();
            if !properties.iter().any(|property| property.name == root) {
                self.warnings.push(problem(
                    &self.at.file,
                    tag.line,
                    format!("`@param {}` is of no parameter", quoted(&tag.path)),
                    "name the parameter as the function does",
                ));
            }
        }
    }
}

fn about(name: &str, mut remark: Remark) -> Remark {
    remark.message = format!("parameter `{}`: {}", quoted(name), remark.message);
    remark
}

/// The type that a default has.
fn inferred(default: Option<&Fallback>, line: u32) -> Option<Type> {
    let Some(Fallback::Literal(value)) = default else {
        return None;
    };
    let kind = match value {
        Value::String(_) => Kind::String,
        Value::Number(_) => Kind::Number,
        Value::Bool(_) => Kind::Boolean,
        _ => return None,
    };
    Some(Type::new(line, kind))
}

/// Whether a default may be of a type, as far as that is seen at once.
fn fits(value: &Value, schema: &Schema) -> bool {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.contains(value);
    }
    if let Some(only) = schema.get("const") {
        return value == only;
    }
    let is = |name: &str| match name {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    };
    match schema.get("type") {
        Some(Value::String(name)) => is(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}
