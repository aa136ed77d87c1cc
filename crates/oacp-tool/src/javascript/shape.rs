//! Types as JSON schemas: names are looked up here, over several files if need be.

mod defs;

use std::rc::Rc;

use serde_json::{Map, Value, json};

use self::defs::Defs;
use super::files::{Files, For};
use super::limits::{TYPE_DEPTH_MAX, TYPE_STEPS_MAX, TYPES_MAX};
use super::module::Module;
use super::problem::{problem, quoted};
use super::types::{Element, Kind, Member, Notes, Type, instead_of};
use crate::package::Remark;

/// A schema that is an object.
pub(super) type Schema = Map<String, Value>;

/// What a schema is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Keys that a type does not name are refused, so that an agent's slip is told.
    Input,
    /// A function may return more than its type says.
    Output,
}

/// Makes the schemas of one function's input, or of its output.
pub(super) struct Shaper<'f, 's> {
    files: &'f Files<'s>,
    side: Side,
    steps: usize,
    defs: Defs,
}

/// The members of an object, each with the module whose names its type uses.
pub(super) struct Shape {
    pub(super) members: Vec<(Member, Rc<Module>)>,
    /// What all other keys have.
    pub(super) index: Option<(Type, Rc<Module>)>,
}

type Result<T> = std::result::Result<T, Remark>;

impl<'f, 's> Shaper<'f, 's> {
    pub(super) fn new(files: &'f Files<'s>, side: Side) -> Self {
        Self {
            files,
            side,
            steps: 0,
            defs: Defs::default(),
        }
    }

    /// A whole document: `root`, and the types that it refers to.
    pub(super) fn finish(mut self, root: Schema) -> Result<Value> {
        while let Some((id, module, name)) = self.defs.next() {
            let (ty, notes) = match module.types.get(&name) {
                Some(declared) => (declared.ty.clone(), declared.notes.clone()),
                None => continue,
            };
            let mut schema = self.schema(&ty, &module, 0)?;
            annotate(&mut schema, &notes);
            self.defs.define(id, schema);
        }
        Ok(self.defs.document(root))
    }

    fn step(&mut self, ty: &Type, at: &Module, depth: usize) -> Result<()> {
        self.steps += 1;
        if self.steps > TYPE_STEPS_MAX || depth > TYPE_DEPTH_MAX {
            let fix = "take and give smaller values, or write the schema into `schemas`";
            return Err(problem(
                &at.file,
                ty.line,
                "the type is too large or too deeply nested",
                fix,
            ));
        }
        Ok(())
    }

    /// A type's schema.
    pub(super) fn schema(&mut self, ty: &Type, at: &Rc<Module>, depth: usize) -> Result<Schema> {
        self.step(ty, at, depth)?;
        let schema = match &ty.kind {
            Kind::Any => Schema::new(),
            Kind::Object => of_type("object"),
            Kind::String => of_type("string"),
            Kind::Number => of_type("number"),
            Kind::Integer => of_type("integer"),
            Kind::Boolean => of_type("boolean"),
            Kind::Null => of_type("null"),
            Kind::Undefined => {
                let fix = "write `null`, or make the member optional: `name?: T`, `{T} [name]`";
                return Err(problem(&at.file, ty.line, "JSON has no `undefined`", fix));
            }
            Kind::Literal(value) => choice(vec![value.clone()]),
            Kind::Array(of) => self.array(of, at, depth)?,
            Kind::Tuple(elements, rest) => self.tuple(elements, rest.as_deref(), at, depth)?,
            Kind::Members(..) | Kind::Intersection(_) => match self.shape(ty, at, depth)? {
                Some(shape) => self.object(&shape, depth)?,
                None => {
                    let fix = "join objects only, each with its members";
                    return Err(problem(
                        &at.file,
                        ty.line,
                        "this `&` joins types that are not objects",
                        fix,
                    ));
                }
            },
            Kind::Union(_) => self.union(ty, at, depth)?,
            Kind::Named(name, arguments) => self.named(ty, name, arguments, at, depth)?,
            Kind::Imported { from, name } => {
                let (module, name) = self.imported(ty, from, name, at)?;
                self.declared(ty, &module, &name, depth)?
            }
            Kind::KeyOf(_) | Kind::TypeOf(_) | Kind::Indexed(..) => self.derived(ty, at, depth)?,
            Kind::Refused { what, fix } => {
                let message = format!("there is no JSON schema for {what}");
                return Err(problem(&at.file, ty.line, message, fix.as_str()));
            }
        };
        Ok(schema)
    }

    fn array(&mut self, of: &Type, at: &Rc<Module>, depth: usize) -> Result<Schema> {
        let items = self.schema(of, at, depth + 1)?;
        let mut schema = of_type("array");
        schema.insert("items".to_owned(), Value::Object(items));
        Ok(schema)
    }

    fn tuple(
        &mut self,
        elements: &[Element],
        rest: Option<&Type>,
        at: &Rc<Module>,
        depth: usize,
    ) -> Result<Schema> {
        let mut items = Vec::new();
        for element in elements {
            items.push(Value::Object(self.schema(&element.ty, at, depth + 1)?));
        }
        let rest = match rest {
            Some(of) => Value::Object(self.schema(of, at, depth + 1)?),
            None => Value::Bool(false),
        };
        let least = elements
            .iter()
            .take_while(|element| !element.optional)
            .count();
        let mut schema = of_type("array");
        if !items.is_empty() {
            schema.insert("prefixItems".to_owned(), Value::Array(items));
        }
        schema.insert("items".to_owned(), rest);
        schema.insert("minItems".to_owned(), json!(least));
        Ok(schema)
    }

    fn object(&mut self, shape: &Shape, depth: usize) -> Result<Schema> {
        let (mut properties, mut required) = (Schema::new(), Vec::new());
        for (member, at) in &shape.members {
            let (schema, optional) = self.member(member, at, depth)?;
            if !optional {
                required.push(Value::String(member.name.clone()));
            }
            properties.insert(member.name.clone(), Value::Object(schema));
        }
        let others = match &shape.index {
            Some((ty, at)) => Some(Value::Object(self.schema(ty, at, depth + 1)?)),
            None => (self.side == Side::Input).then_some(Value::Bool(false)),
        };
        Ok(object(properties, required, others))
    }

    /// A member's schema, and whether it may be left out.
    pub(super) fn member(
        &mut self,
        member: &Member,
        at: &Rc<Module>,
        depth: usize,
    ) -> Result<(Schema, bool)> {
        let (ty, may_be_undefined) = without_undefined(&member.ty);
        let mut schema = self.schema(&ty, at, depth + 1)?;
        annotate(&mut schema, &member.notes);
        Ok((schema, member.optional || may_be_undefined))
    }

    fn union(&mut self, ty: &Type, at: &Rc<Module>, depth: usize) -> Result<Schema> {
        let mut types = Vec::new();
        flatten(ty, &mut types, 0);
        let mut alternatives = Vec::new();
        for ty in types {
            alternatives.push(self.schema(ty, at, depth + 1)?);
        }
        Ok(any_of(alternatives))
    }

    fn named(
        &mut self,
        ty: &Type,
        name: &str,
        arguments: &[Type],
        at: &Rc<Module>,
        depth: usize,
    ) -> Result<Schema> {
        if let Some((module, name)) = self.lookup(ty, name, arguments, at)? {
            return self.declared(ty, &module, &name, depth);
        }
        match (name, arguments) {
            ("Array" | "ReadonlyArray", [of]) => self.array(of, at, depth),
            ("Array" | "ReadonlyArray", []) => {
                let mut schema = of_type("array");
                schema.insert("items".to_owned(), json!({}));
                Ok(schema)
            }
            ("Readonly", [of]) => self.schema(of, at, depth + 1),
            ("NonNullable", [of]) => {
                let (of, _) = without_undefined(of);
                let of = without(&of, |kind| matches!(kind, Kind::Null));
                self.schema(&of, at, depth + 1)
            }
            ("Record", [key, value]) => match self.keys(key, at, depth + 1)? {
                None => {
                    let values = self.schema(value, at, depth + 1)?;
                    let mut schema = of_type("object");
                    schema.insert("additionalProperties".to_owned(), Value::Object(values));
                    Ok(schema)
                }
                Some(_) => self.shaped(ty, at, depth),
            },
            ("Partial" | "Required", [_]) | ("Pick" | "Omit", [_, _]) => self.shaped(ty, at, depth),
            _ => Err(self.unknown(ty, name, at)),
        }
    }

    /// A type that is an object by what it is made of.
    fn shaped(&mut self, ty: &Type, at: &Rc<Module>, depth: usize) -> Result<Schema> {
        match self.shape(ty, at, depth + 1)? {
            Some(shape) => self.object(&shape, depth + 1),
            None => {
                let fix = "write the members out";
                Err(problem(
                    &at.file,
                    ty.line,
                    "this is made of a type that is not an object",
                    fix,
                ))
            }
        }
    }

    /// A reference to a type that has a name, or the type itself where that is short.
    fn declared(
        &mut self,
        ty: &Type,
        module: &Rc<Module>,
        name: &str,
        depth: usize,
    ) -> Result<Schema> {
        let Some(declared) = module.types.get(name) else {
            return Err(self.unknown(ty, name, module));
        };
        if is_short(&declared.ty, 0) {
            let mut schema = self.schema(&declared.ty, module, depth + 1)?;
            annotate(&mut schema, &declared.notes);
            return Ok(schema);
        }
        let reference = self.defs.reference(module, name);
        if self.defs.len() > TYPES_MAX {
            let message = format!("one function uses more than {TYPES_MAX} types");
            return Err(problem(
                &module.file,
                declared.line,
                message,
                "take and give smaller values",
            ));
        }
        Ok(reference)
    }

    /// Where a name is declared. `None`: it is not, so it may be one of TypeScript's own.
    fn lookup(
        &mut self,
        ty: &Type,
        name: &str,
        arguments: &[Type],
        at: &Rc<Module>,
    ) -> Result<Option<(Rc<Module>, String)>> {
        let found = self.files.with_type(at, name, |module, name, declared| {
            (Rc::clone(module), name.to_owned(), declared.generic)
        });
        match found {
            Some((_, _, generic)) if generic || !arguments.is_empty() => {
                let fix = "write the type out for this use, without type parameters";
                Err(problem(
                    &at.file,
                    ty.line,
                    format!("`{name}` is generic"),
                    fix,
                ))
            }
            Some((module, name, _)) => Ok(Some((module, name))),
            None => Ok(None),
        }
    }

    fn imported(
        &self,
        ty: &Type,
        from: &str,
        name: &str,
        at: &Rc<Module>,
    ) -> Result<(Rc<Module>, String)> {
        let missing = || {
            let fix = "put the type into a file of this source, and import it by a relative path";
            let message = format!("there is no type `{}` in `{}`", quoted(name), quoted(from));
            problem(&at.file, ty.line, message, fix)
        };
        let file = self
            .files
            .resolve(&at.file, from, For::Types)
            .ok_or_else(missing)?;
        let module = self.files.module(&file).ok_or_else(missing)??;
        self.files
            .exported(&module, name, For::Types, 0)
            .filter(|(module, name)| module.types.get(name).is_some_and(|of| !of.generic))
            .ok_or_else(missing)
    }

    fn unknown(&self, ty: &Type, name: &str, at: &Module) -> Remark {
        if let Some(import) = at.imports.get(name) {
            if let Some(Err(remark)) = self
                .files
                .resolve(&at.file, &import.from, For::Types)
                .and_then(|file| self.files.module(&file))
            {
                return remark;
            }
            let message = format!(
                "there is no type `{}` in `{}`",
                quoted(name),
                quoted(&import.from)
            );
            let fix =
                "declare and export it in a file of this source, and import it by a relative path";
            return problem(&at.file, ty.line, message, fix);
        }
        if let Some(fix) = instead_of(name) {
            let message = format!("there is no JSON schema for `{name}`");
            return problem(&at.file, ty.line, message, fix);
        }
        let near = at
            .types
            .keys()
            .map(|known| (strsim::damerau_levenshtein(known, name), known))
            .filter(|(distance, _)| *distance <= 2)
            .min();
        let fix = match near {
            Some((_, near)) => format!("did you mean `{near}`?"),
            None => "declare it with `interface`, `type` or `@typedef`, or import it from a file of this source".to_owned(),
        };
        problem(
            &at.file,
            ty.line,
            format!("the type `{}` is not declared", quoted(name)),
            fix,
        )
    }

    /// The members of a type. `None`: it is not an object whose members are known.
    pub(super) fn shape(
        &mut self,
        ty: &Type,
        at: &Rc<Module>,
        depth: usize,
    ) -> Result<Option<Shape>> {
        self.step(ty, at, depth)?;
        match &ty.kind {
            Kind::Members(members, index) => Ok(Some(Shape {
                members: members
                    .iter()
                    .map(|member| (member.clone(), Rc::clone(at)))
                    .collect(),
                index: index.as_deref().map(|ty| (ty.clone(), Rc::clone(at))),
            })),
            Kind::Intersection(types) => {
                let mut whole = Shape {
                    members: Vec::new(),
                    index: None,
                };
                for ty in types {
                    let Some(part) = self.shape(ty, at, depth + 1)? else {
                        return Ok(None);
                    };
                    for (member, at) in part.members {
                        whole.members.retain(|(other, _)| other.name != member.name);
                        whole.members.push((member, at));
                    }
                    whole.index = part.index.or(whole.index);
                }
                Ok(Some(whole))
            }
            Kind::Union(_) => {
                let (rest, stripped) = without_undefined(ty);
                if stripped && !matches!(rest.kind, Kind::Union(_)) {
                    return self.shape(&rest, at, depth + 1);
                }
                Ok(None)
            }
            Kind::Imported { from, name } => {
                let (module, name) = self.imported(ty, from, name, at)?;
                self.shape_of(&module, &name, depth)
            }
            Kind::Named(name, arguments) => {
                if let Some((module, name)) = self.lookup(ty, name, arguments, at)? {
                    return self.shape_of(&module, &name, depth);
                }
                self.utility(name, arguments, at, depth)
            }
            Kind::Refused { .. } => self.schema(ty, at, depth).map(|_| None),
            _ => Ok(None),
        }
    }

    fn shape_of(&mut self, module: &Rc<Module>, name: &str, depth: usize) -> Result<Option<Shape>> {
        match module.types.get(name) {
            Some(declared) => self.shape(&declared.ty, module, depth + 1),
            None => Ok(None),
        }
    }

    fn utility(
        &mut self,
        name: &str,
        arguments: &[Type],
        at: &Rc<Module>,
        depth: usize,
    ) -> Result<Option<Shape>> {
        match (name, arguments) {
            ("Readonly" | "NonNullable", [of]) => self.shape(of, at, depth + 1),
            ("Partial" | "Required", [of]) => {
                let Some(mut shape) = self.shape(of, at, depth + 1)? else {
                    return Ok(None);
                };
                for (member, _) in &mut shape.members {
                    member.optional = name == "Partial";
                    if name == "Required" {
                        member.ty = without_undefined(&member.ty).0;
                    }
                }
                Ok(Some(shape))
            }
            ("Pick" | "Omit", [of, keys]) => {
                let Some(mut shape) = self.shape(of, at, depth + 1)? else {
                    return Ok(None);
                };
                let Some(keys) = self.keys(keys, at, depth + 1)? else {
                    return Ok(None);
                };
                shape
                    .members
                    .retain(|(member, _)| keys.contains(&member.name) == (name == "Pick"));
                Ok(Some(shape))
            }
            ("Record", [keys, value]) => {
                let Some(keys) = self.keys(keys, at, depth + 1)? else {
                    return Ok(None);
                };
                let member = |name| Member {
                    name,
                    ty: value.clone(),
                    optional: false,
                    notes: Notes::default(),
                };
                Ok(Some(Shape {
                    members: keys
                        .into_iter()
                        .map(|key| (member(key), Rc::clone(at)))
                        .collect(),
                    index: None,
                }))
            }
            _ => Ok(None),
        }
    }

    /// The keys that a type lists. `None`: any.
    fn keys(&mut self, ty: &Type, at: &Rc<Module>, depth: usize) -> Result<Option<Vec<String>>> {
        let schema = self.schema(ty, at, depth + 1)?;
        let is_any = schema.len() == 1
            && matches!(
                schema.get("type").and_then(Value::as_str),
                Some("string" | "number" | "integer")
            );
        if is_any || schema.is_empty() {
            return Ok(None);
        }
        let mut keys = Vec::new();
        for value in choices(&schema).unwrap_or_default() {
            match value {
                Value::String(text) => keys.push(text),
                Value::Number(number) => keys.push(number.to_string()),
                _ => keys.clear(),
            }
        }
        if keys.is_empty() {
            let fix = "write `string`, or the keys: `\"a\" | \"b\"`";
            return Err(problem(
                &at.file,
                ty.line,
                "these are no keys of an object",
                fix,
            ));
        }
        Ok(Some(keys))
    }

    /// `keyof T`, `T[K]`, and what is taken from a constant: `keyof typeof units`, `(typeof units)[number]`.
    fn derived(&mut self, ty: &Type, at: &Rc<Module>, depth: usize) -> Result<Schema> {
        let refused = |what: &str| {
            let fix = "write the values out: `\"a\" | \"b\"`";
            Err(problem(&at.file, ty.line, what, fix))
        };
        match &ty.kind {
            Kind::KeyOf(of) => {
                if let Kind::TypeOf(name) = &of.kind {
                    return match self.constant(name, at) {
                        Some(Value::Object(members)) if !members.is_empty() => Ok(choice(
                            members
                                .into_iter()
                                .map(|(key, _)| Value::String(key))
                                .collect(),
                        )),
                        _ => refused("this `typeof` is of no constant object that is written out"),
                    };
                }
                match self.shape(of, at, depth + 1)? {
                    Some(shape) if !shape.members.is_empty() && shape.index.is_none() => {
                        let keys = shape
                            .members
                            .into_iter()
                            .map(|(member, _)| Value::String(member.name));
                        Ok(choice(keys.collect()))
                    }
                    _ => refused("this `keyof` is of a type whose members are not known"),
                }
            }
            Kind::Indexed(of, index) => {
                if let Kind::TypeOf(name) = &of.kind {
                    let values: Vec<_> = match (self.constant(name, at), &index.kind) {
                        (Some(Value::Array(items)), Kind::Number) => items,
                        (Some(Value::Object(members)), Kind::KeyOf(key)) if matches!(&key.kind, Kind::TypeOf(key) if key == name) => {
                            members.into_iter().map(|(_, value)| value).collect()
                        }
                        _ => Vec::new(),
                    };
                    let plain = |value: &Value| !value.is_array() && !value.is_object();
                    if values.is_empty() || !values.iter().all(plain) {
                        return refused("this `typeof` is of no constant that is written out");
                    }
                    return Ok(choice(values));
                }
                if let Kind::Literal(Value::String(key)) = &index.kind
                    && let Some(shape) = self.shape(of, at, depth + 1)?
                    && let Some((member, at)) = shape
                        .members
                        .into_iter()
                        .find(|(member, _)| member.name == *key)
                {
                    return self.schema(&without_undefined(&member.ty).0, &at, depth + 1);
                }
                if let (Kind::Array(item), Kind::Number) = (&of.kind, &index.kind) {
                    return self.schema(item, at, depth + 1);
                }
                refused("this `T[K]` is of a type whose members are not known")
            }
            _ => refused("a `typeof` alone is no type of JSON"),
        }
    }

    /// The value of a constant, as `at` knows it.
    fn constant(&self, name: &str, at: &Rc<Module>) -> Option<Value> {
        if let Some(value) = at.constants.get(name) {
            return Some(value.clone());
        }
        let (module, name) = self.files.follow(at, name, For::Values)?;
        module.constants.get(&name).cloned()
    }
}

pub(super) fn of_type(name: &str) -> Schema {
    Schema::from_iter([("type".to_owned(), Value::String(name.to_owned()))])
}

/// An object's schema. `others`: what all other keys have; `None`: anything.
pub(super) fn object(properties: Schema, required: Vec<Value>, others: Option<Value>) -> Schema {
    let mut schema = of_type("object");
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), Value::Array(required));
    }
    if let Some(others) = others {
        schema.insert("additionalProperties".to_owned(), others);
    }
    schema
}

/// Adds what a comment says.
pub(super) fn annotate(schema: &mut Schema, notes: &Notes) {
    if notes.integer
        && let Some(name) = schema.get_mut("type").filter(|name| *name == "number")
    {
        *name = Value::String("integer".to_owned());
    }
    if !notes.description.is_empty() {
        schema.insert(
            "description".to_owned(),
            Value::String(notes.description.clone()),
        );
    }
    for (keyword, value) in &notes.keywords {
        schema.insert(keyword.clone(), value.clone());
    }
}

/// A type without `undefined`, and whether it had that.
pub(super) fn without_undefined(ty: &Type) -> (Type, bool) {
    let rest = without(ty, |kind| matches!(kind, Kind::Undefined));
    let had = match (&ty.kind, &rest.kind) {
        (Kind::Union(before), Kind::Union(after)) => before.len() != after.len(),
        (Kind::Union(_), _) => true,
        _ => false,
    };
    (rest, had)
}

fn without(ty: &Type, is_dropped: fn(&Kind) -> bool) -> Type {
    let Kind::Union(types) = &ty.kind else {
        return ty.clone();
    };
    let mut rest: Vec<_> = types
        .iter()
        .filter(|ty| !is_dropped(&ty.kind))
        .cloned()
        .collect();
    match rest.pop() {
        Some(only) if rest.is_empty() => only,
        Some(last) => {
            rest.push(last);
            Type::new(ty.line, Kind::Union(rest))
        }
        None => ty.clone(),
    }
}

fn flatten<'t>(ty: &'t Type, into: &mut Vec<&'t Type>, depth: usize) {
    match &ty.kind {
        Kind::Union(types) if depth < TYPE_DEPTH_MAX => {
            for ty in types {
                flatten(ty, into, depth + 1);
            }
        }
        _ => into.push(ty),
    }
}

/// Whether a type that has a name reads better in its place: text, numbers, a choice of words.
fn is_short(ty: &Type, depth: usize) -> bool {
    match &ty.kind {
        Kind::Members(..)
        | Kind::Intersection(_)
        | Kind::Named(..)
        | Kind::Imported { .. }
        | Kind::Tuple(..) => false,
        Kind::Array(of) => depth < 2 && is_short(of, depth + 1),
        Kind::Union(types) => depth < 2 && types.iter().all(|ty| is_short(ty, depth + 1)),
        _ => true,
    }
}

/// One of these values.
fn choice(mut values: Vec<Value>) -> Schema {
    let mut unique: Vec<Value> = Vec::new();
    for value in values.drain(..) {
        if !unique.contains(&value) {
            unique.push(value);
        }
    }
    if unique.len() == 2 && unique.iter().all(Value::is_boolean) {
        return of_type("boolean");
    }
    let all = |is: fn(&Value) -> bool| unique.iter().all(is);
    let mut schema = if all(Value::is_string) {
        of_type("string")
    } else if all(Value::is_number) {
        of_type("number")
    } else if all(Value::is_boolean) {
        of_type("boolean")
    } else if all(Value::is_null) {
        return of_type("null");
    } else {
        Schema::new()
    };
    match (unique.len(), unique.pop()) {
        (1, Some(only)) => schema.insert("const".to_owned(), only),
        (_, Some(last)) => {
            unique.push(last);
            schema.insert("enum".to_owned(), Value::Array(unique))
        }
        _ => None,
    };
    schema
}

/// The values of a schema that is [`choice`]'s, or of `null`.
fn choices(schema: &Schema) -> Option<Vec<Value>> {
    if schema
        .keys()
        .any(|key| !matches!(key.as_str(), "type" | "const" | "enum"))
    {
        return None;
    }
    match (schema.get("const"), schema.get("enum")) {
        (Some(only), None) => Some(vec![only.clone()]),
        (None, Some(Value::Array(values))) => Some(values.clone()),
        _ if *schema == of_type("null") => Some(vec![Value::Null]),
        _ => None,
    }
}

/// One of several schemas, as shortly as that can be said.
fn any_of(alternatives: Vec<Schema>) -> Schema {
    let mut unique: Vec<Schema> = Vec::new();
    for alternative in alternatives {
        if alternative.is_empty() {
            return alternative;
        }
        if !unique.contains(&alternative) {
            unique.push(alternative);
        }
    }
    let plain = |schema: &Schema| match schema.get("type") {
        Some(Value::String(name)) if schema.len() == 1 => Some(Value::String(name.clone())),
        _ => None,
    };
    if unique.len() > 1 {
        if let Some(types) = unique.iter().map(plain).collect::<Option<Vec<_>>>() {
            return Schema::from_iter([("type".to_owned(), Value::Array(types))]);
        }
        let mut values = Vec::new();
        let mut rest = Vec::new();
        let is_null = |schema: &Schema| *schema == of_type("null");
        let any_choice = unique
            .iter()
            .any(|schema| !is_null(schema) && choices(schema).is_some());
        let mut null = Vec::new();
        for schema in unique {
            match choices(&schema) {
                // With a choice of values `null` is one more; else it comes last.
                Some(list) if any_choice => values.extend(list),
                Some(_) => null.push(schema),
                None => rest.push(schema),
            }
        }
        if !values.is_empty() {
            rest.push(choice(values));
        }
        rest.extend(null);
        unique = rest;
    }
    match (unique.len(), unique.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            unique.push(last);
            let list = unique.into_iter().map(Value::Object).collect();
            Schema::from_iter([("anyOf".to_owned(), Value::Array(list))])
        }
        _ => Schema::new(),
    }
}
