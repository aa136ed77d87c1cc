//! JSDoc comments: a description, and tags.

use serde_json::Value;

use super::doctype;
use super::types::{Kind, Notes, Type};

/// A comment `/** … */`.
#[derive(Clone, Debug, Default)]
pub(super) struct Doc {
    pub(super) description: String,
    pub(super) tags: Vec<Tag>,
}

/// `@name text`, up to the next tag.
#[derive(Clone, Debug)]
pub(super) struct Tag {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) line: u32,
}

/// `@param` or `@property`.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    /// `city`, `args.city`, `items[].name`
    pub(super) path: String,
    pub(super) ty: Option<Type>,
    pub(super) optional: bool,
    pub(super) default: Option<Value>,
    pub(super) text: String,
    pub(super) line: u32,
}

impl Doc {
    /// Of a comment's text, with its `/**` and `*/`, that begins on `line`.
    pub(super) fn of(comment: &str, line: u32) -> Self {
        let inner = comment.strip_prefix("/**").unwrap_or(comment);
        let inner = inner.strip_suffix("*/").unwrap_or(inner);
        let mut doc = Self::default();
        let mut description = String::new();
        let mut fenced = false;
        for (offset, text) in inner.split('\n').enumerate() {
            let text = if offset == 0 {
                text
            } else {
                without_star(text)
            };
            let text = text.trim_end();
            let trimmed = text.trim_start();
            if trimmed.starts_with("```") {
                fenced = !fenced;
            }
            if !fenced && let Some((name, rest)) = tag(trimmed) {
                let offset = u32::try_from(offset).unwrap_or(u32::MAX);
                doc.tags.push(Tag {
                    name: name.to_owned(),
                    text: rest.to_owned(),
                    line: line.saturating_add(offset),
                });
                continue;
            }
            let target = match doc.tags.last_mut() {
                Some(tag) => &mut tag.text,
                None => &mut description,
            };
            if !target.is_empty() {
                target.push('\n');
            }
            target.push_str(text.strip_prefix(' ').unwrap_or(text));
        }
        let named = |names: &[&str]| {
            let found = doc
                .tags
                .iter()
                .find(|tag| names.contains(&tag.name.as_str()));
            found.map(|tag| tag.text.clone())
        };
        if description.trim().is_empty() {
            description = named(&["description", "desc", "summary"]).unwrap_or_default();
        }
        doc.description = plain(&description).trim().to_owned();
        doc
    }

    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.tags
            .iter()
            .any(|tag| names.contains(&tag.name.as_str()))
    }

    pub(super) fn parameters(&self) -> Vec<Parameter> {
        self.tagged(&["param", "arg", "argument"])
    }

    pub(super) fn properties(&self) -> Vec<Parameter> {
        self.tagged(&["property", "prop"])
    }

    fn tagged(&self, names: &[&str]) -> Vec<Parameter> {
        let tags = self
            .tags
            .iter()
            .filter(|tag| names.contains(&tag.name.as_str()));
        tags.filter_map(parameter).collect()
    }

    /// `@returns {T} text`
    pub(super) fn returns(&self) -> Option<(Option<Type>, String)> {
        let mut tags = self.tags.iter();
        let tag = tags.find(|tag| matches!(tag.name.as_str(), "returns" | "return"))?;
        let (ty, text) = typed(&tag.text, tag.line);
        Some((ty.map(|(ty, _)| ty), sentence(text)))
    }

    /// `@type {T}`
    pub(super) fn ty(&self) -> Option<Type> {
        let tag = self.tags.iter().find(|tag| tag.name == "type")?;
        typed(&tag.text, tag.line).0.map(|(ty, _)| ty)
    }

    /// What it says of a member or an alias beyond its type.
    pub(super) fn notes(&self) -> Notes {
        let mut notes = Notes {
            description: self.description.clone(),
            ..Notes::default()
        };
        for tag in &self.tags {
            let text = tag.text.trim();
            let value = match tag.name.as_str() {
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf"
                | "minLength" | "maxLength" | "minItems" | "maxItems" => number(text),
                "pattern" | "format" => (!text.is_empty()).then(|| Value::String(text.to_owned())),
                "default" => literal(text),
                "integer" | "int" => {
                    notes.integer = true;
                    None
                }
                "asType" | "type" => {
                    let name = text.trim_matches(|c| c == '{' || c == '}').trim();
                    notes.integer |= matches!(name, "integer" | "int");
                    None
                }
                _ => None,
            };
            if let Some(value) = value {
                notes.keywords.push((tag.name.clone(), value));
            }
        }
        notes
    }
}

fn number(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(Value::is_number)
}

/// A line without the ` * ` that it begins with.
fn without_star(line: &str) -> &str {
    let trimmed = line.trim_start();
    trimmed.strip_prefix('*').unwrap_or(trimmed)
}

/// `@name rest`
fn tag(line: &str) -> Option<(&str, &str)> {
    let text = line.strip_prefix('@')?;
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    let ends = rest.is_empty() || rest.starts_with(char::is_whitespace) || rest.starts_with('{');
    (ends && !name.is_empty()).then(|| (name, rest.trim_start()))
}

/// The type in braces that a tag begins with, whether it has a `=` behind, and the rest.
fn typed(text: &str, line: u32) -> (Option<(Type, bool)>, &str) {
    match braced(text) {
        Some((inner, rest)) => {
            let (inner, optional) = match inner.trim_end().strip_suffix('=') {
                Some(inner) if !inner.ends_with('=') => (inner, true),
                _ => (inner, false),
            };
            (Some((doctype::parse(inner, line), optional)), rest)
        }
        None => (None, text),
    }
}

/// What is in the braces that a text begins with, and what follows them.
pub(super) fn braced(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    if !text.starts_with('{') {
        return None;
    }
    let end = closing(text)?;
    Some((text.get(1..end)?, text.get(end + 1..)?))
}

/// Where the bracket that a text begins with is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '{' | '[' | '(') => depth += 1,
            (None, '}' | ']' | ')') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn parameter(tag: &Tag) -> Option<Parameter> {
    let (ty, rest) = typed(&tag.text, tag.line);
    let rest = rest.trim_start();
    let (ty, mut optional) = ty.map_or((None, false), |(ty, optional)| (Some(ty), optional));
    let mut default = None;
    let (path, text) = if rest.starts_with('[') {
        let end = closing(rest)?;
        let inner = rest.get(1..end)?;
        let (path, value) = inner.split_once('=').unwrap_or((inner, ""));
        optional = true;
        default = literal(value.trim());
        (path.trim(), rest.get(end + 1..)?)
    } else {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        rest.split_at_checked(end)?
    };
    if path.is_empty() {
        return None;
    }
    Some(Parameter {
        path: path.to_owned(),
        ty,
        optional,
        default,
        text: sentence(text),
        line: tag.line,
    })
}

/// A default as a comment has it: JSON, or a string in other quotes.
fn literal(text: &str) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    let inner = ['\'', '`']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))?;
    (!inner.contains(['\'', '`', '\\', '$'])).then(|| Value::String(inner.to_owned()))
}

/// The text of a tag: on one line, without the dash before it.
fn sentence(text: &str) -> String {
    let text = plain(text);
    let text = text.trim_start();
    let text = text
        .strip_prefix("- ")
        .or_else(|| text.strip_prefix("– "))
        .or_else(|| text.strip_prefix("-\n"))
        .unwrap_or(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text with its `{@link X}` as `X`.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{@") {
        let Some((inline, after)) = after.split_once('}') else {
            break;
        };
        out.push_str(before);
        let (_, content) = inline
            .split_once(char::is_whitespace)
            .unwrap_or(("", inline));
        let content = content.trim();
        let shown = content
            .split_once('|')
            .or_else(|| content.split_once(char::is_whitespace))
            .map_or(content, |(_, text)| text.trim());
        out.push_str(shown);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The types that a comment declares: `@typedef`, with its `@property`s.
pub(super) fn typedefs(doc: &Doc) -> Vec<(String, Type, Notes)> {
    let mut found = Vec::new();
    for (at, tag) in doc.tags.iter().enumerate() {
        if tag.name != "typedef" {
            continue;
        }
        let (ty, rest) = typed(&tag.text, tag.line);
        let mut words = rest.splitn(2, char::is_whitespace);
        let rest = rest.trim_start();
        let name = match words.next().filter(|name| !name.is_empty()) {
            Some(name) => name,
            None => rest.split_whitespace().next().unwrap_or_default(),
        };
        if name.is_empty() {
            continue;
        }
        let text = rest.strip_prefix(name).unwrap_or_default();
        let own = doc.tags.iter().skip(at + 1);
        let own: Vec<_> = own
            .take_while(|tag| tag.name != "typedef")
            .cloned()
            .collect();
        let own = Doc {
            description: String::new(),
            tags: own,
        };
        let properties = own.properties();
        let whole = ty.map(|(ty, _)| ty);
        let ty = match (whole, properties.is_empty()) {
            (Some(ty), true) => ty,
            (None, true) => Type::new(tag.line, Kind::Object),
            (whole, false) => nested(whole.as_ref(), &properties, tag.line),
        };
        let mut notes = own.notes();
        notes.description = match sentence(text) {
            text if text.is_empty() => doc.description.clone(),
            text => text,
        };
        found.push((name.to_owned(), ty, notes));
    }
    found
}

/// The object, or array of objects, whose members are tagged: `{object} place`, `{number} place.latitude`. Paths are relative to it.
pub(super) fn nested(whole: Option<&Type>, members: &[Parameter], line: u32) -> Type {
    build(whole, members, line, 0)
}

fn build(whole: Option<&Type>, members: &[Parameter], line: u32, depth: usize) -> Type {
    if depth > super::limits::TYPE_DEPTH_MAX {
        return Type::too_deep(line);
    }
    let mut list = Vec::new();
    for member in members {
        if member.path.contains('.') {
            continue;
        }
        let inner: Vec<_> = members
            .iter()
            .filter_map(|other| below(other, &member.path))
            .collect();
        let ty = match (&member.ty, inner.is_empty()) {
            (Some(ty), true) => ty.clone(),
            (None, true) => Type::refused(
                member.line,
                format!("`{}` without a type", member.path),
                "write it in braces: `{string}`",
            ),
            (ty, false) => build(ty.as_ref(), &inner, member.line, depth + 1),
        };
        let keywords = member
            .default
            .clone()
            .map(|value| ("default".to_owned(), value));
        list.push(super::types::Member {
            name: member.path.clone(),
            ty,
            optional: member.optional,
            notes: Notes {
                description: member.text.clone(),
                keywords: keywords.into_iter().collect(),
                integer: false,
            },
        });
    }
    let object = Type::new(line, Kind::Members(list, None));
    match whole.map(|ty| &ty.kind) {
        Some(Kind::Array(_)) => Type::new(line, Kind::Array(Box::new(object))),
        Some(Kind::Union(types)) if types.iter().any(|ty| matches!(ty.kind, Kind::Null)) => {
            Type::new(line, Kind::Union(vec![object, Type::new(line, Kind::Null)]))
        }
        _ => object,
    }
}

/// A tag of a member of `root`, with the path from there.
pub(super) fn below(tag: &Parameter, root: &str) -> Option<Parameter> {
    let rest = tag.path.strip_prefix(root)?;
    let rest = rest.strip_prefix("[]").unwrap_or(rest);
    let path = rest.strip_prefix('.')?;
    Some(Parameter {
        path: path.to_owned(),
        ..tag.clone()
    })
}
