//! Types as JSDoc comments have them: those of TypeScript, and the older `?T`, `!T`, `*`, `Object.<string, T>`.

use serde_json::{Number, Value};

use super::limits::TYPE_DEPTH_MAX;
use super::problem::quoted;
use super::types::{Element, Kind, Member, Notes, Type, instead_of};

/// The type that a text says. What cannot be read is a type that is refused: it matters only where it is used.
pub(super) fn parse(text: &str, line: u32) -> Type {
    let mut parser = Parser {
        rest: text,
        line,
        depth: 0,
    };
    match parser.union() {
        Some(ty) if parser.peek().is_none() => ty,
        _ => Type::refused(
            line,
            format!("`{{{}}}`", quoted(text)),
            "write a type such as `{string}`, `{number[]}`, `{'a' | 'b'}` or `{{city: string, days?: number}}`",
        ),
    }
}

struct Parser<'t> {
    rest: &'t str,
    line: u32,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn eat(&mut self, text: &str) -> bool {
        self.peek();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn ty(&self, kind: Kind) -> Type {
        Type::new(self.line, kind)
    }

    fn union(&mut self) -> Option<Type> {
        self.depth += 1;
        let ty = if self.depth > TYPE_DEPTH_MAX {
            None
        } else {
            self.list("|", Kind::Union, |parser| {
                parser.list("&", Kind::Intersection, Self::postfix)
            })
        };
        self.depth -= 1;
        ty
    }

    fn list(
        &mut self,
        separator: &str,
        kind: fn(Vec<Type>) -> Kind,
        one: fn(&mut Self) -> Option<Type>,
    ) -> Option<Type> {
        self.eat(separator);
        let first = one(self)?;
        let mut types = vec![first];
        while self.eat(separator) {
            types.push(one(self)?);
        }
        match types.len() {
            1 => types.pop(),
            _ => Some(self.ty(kind(types))),
        }
    }

    fn postfix(&mut self) -> Option<Type> {
        let mut nullable = false;
        loop {
            if self.eat("?") {
                if matches!(self.peek(), None | Some('|' | ')' | '}' | ']' | ',' | '>')) {
                    return Some(self.ty(Kind::Any));
                }
                nullable = true;
            } else if self.rest.starts_with("readonly ") || self.rest.starts_with("readonly\n") {
                self.eat("readonly");
            } else if !self.eat("!") {
                break;
            }
        }
        let mut ty = self.primary()?;
        let mut arrays = 0;
        loop {
            if self.eat("[") {
                arrays += 1;
                if arrays > TYPE_DEPTH_MAX {
                    return Some(Type::too_deep(self.line));
                }
                let kind = if self.peek() == Some(']') {
                    Kind::Array(Box::new(ty))
                } else {
                    Kind::Indexed(Box::new(ty), Box::new(self.union()?))
                };
                ty = self.ty(kind);
                if !self.eat("]") {
                    return None;
                }
            } else if self.eat("?") {
                nullable = true;
            } else if !self.eat("!") {
                break;
            }
        }
        if nullable {
            let null = self.ty(Kind::Null);
            ty = self.ty(Kind::Union(vec![ty, null]));
        }
        Some(ty)
    }

    fn primary(&mut self) -> Option<Type> {
        match self.peek()? {
            '*' => {
                self.eat("*");
                Some(self.ty(Kind::Any))
            }
            '(' => {
                self.eat("(");
                if self.peek() == Some(')') {
                    return None;
                }
                let ty = self.union()?;
                self.eat(")").then_some(ty)
            }
            '[' => self.tuple(),
            '{' => self.members(),
            quote @ ('"' | '\'') => {
                let text = self.string(quote)?;
                Some(self.ty(Kind::Literal(Value::String(text))))
            }
            c if c.is_ascii_digit() || c == '-' || c == '.' && !self.rest.starts_with("...") => {
                self.number()
            }
            _ => self.name(),
        }
    }

    fn string(&mut self, quote: char) -> Option<String> {
        let inner = self.rest.strip_prefix(quote)?;
        let (text, rest) = inner.split_once(quote)?;
        if text.contains('\\') {
            return None;
        }
        self.rest = rest;
        Some(text.to_owned())
    }

    fn number(&mut self) -> Option<Type> {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '.' | 'e' | 'E' | '+')))
            .unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        let number: Number = serde_json::from_str(text).ok()?;
        Some(self.ty(Kind::Literal(Value::Number(number))))
    }

    fn word(&mut self) -> Option<&'t str> {
        self.peek();
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn name(&mut self) -> Option<Type> {
        let start = self.rest;
        let word = self.word()?;
        match word {
            "typeof" => {
                let name = self.word()?.to_owned();
                return Some(self.ty(Kind::TypeOf(name)));
            }
            "keyof" => {
                self.depth += 1;
                let of = if self.depth > TYPE_DEPTH_MAX {
                    None
                } else {
                    self.postfix()
                };
                self.depth -= 1;
                return Some(self.ty(Kind::KeyOf(Box::new(of?))));
            }
            "import" => return self.imported(),
            "function" => {
                return Some(Type::refused(
                    self.line,
                    "a function",
                    instead_of("Function").unwrap_or_default(),
                ));
            }
            _ => {}
        }
        let mut name = word.to_owned();
        loop {
            if self.rest.starts_with(".<") {
                self.eat(".");
                break;
            }
            if !self.rest.starts_with('.') || self.rest.starts_with("..") {
                break;
            }
            self.eat(".");
            name.push('.');
            name.push_str(self.word()?);
        }
        let mut arguments = Vec::new();
        if self.eat("<") {
            loop {
                arguments.push(self.union()?);
                if !self.eat(",") {
                    break;
                }
            }
            if !self.eat(">") {
                return None;
            }
        }
        let written = start.get(..start.len() - self.rest.len()).unwrap_or(start);
        Some(named(self.line, &name, arguments, written))
    }

    fn imported(&mut self) -> Option<Type> {
        if !self.eat("(") {
            return None;
        }
        let quote = self.peek().filter(|c| matches!(c, '"' | '\''))?;
        let from = self.string(quote)?;
        if !self.eat(")") || !self.eat(".") {
            return None;
        }
        let name = self.word()?.to_owned();
        Some(self.ty(Kind::Imported { from, name }))
    }

    fn tuple(&mut self) -> Option<Type> {
        self.eat("[");
        let (mut elements, mut rest) = (Vec::new(), None);
        while !self.eat("]") {
            if self.eat("...") {
                match self.union()?.kind {
                    Kind::Array(of) => rest = Some(of),
                    _ => return None,
                }
            } else {
                let before = self.rest;
                // `[latitude: number]`
                let labelled = self.word().is_some() && {
                    self.eat("?");
                    self.eat(":")
                };
                let optional = labelled
                    && before
                        .get(..before.len() - self.rest.len())
                        .is_some_and(|label| label.contains('?'));
                if !labelled {
                    self.rest = before;
                }
                elements.push(Element {
                    ty: self.union()?,
                    optional,
                });
            }
            if !self.eat(",") && self.peek() != Some(']') {
                return None;
            }
        }
        Some(self.ty(Kind::Tuple(elements, rest)))
    }

    fn members(&mut self) -> Option<Type> {
        self.eat("{");
        let (mut members, mut index) = (Vec::new(), None);
        while !self.eat("}") {
            if self.eat("[") {
                self.word()?;
                if !self.eat(":") {
                    return None;
                }
                self.union()?;
                if !self.eat("]") || !self.eat(":") {
                    return None;
                }
                index = Some(Box::new(self.union()?));
            } else {
                members.push(self.member()?);
            }
            if !self.eat(",") && !self.eat(";") && self.peek() != Some('}') {
                // Members may be on lines of their own.
                self.peek()?;
            }
        }
        Some(self.ty(Kind::Members(members, index)))
    }

    fn member(&mut self) -> Option<Member> {
        let name = match self.peek()? {
            quote @ ('"' | '\'') => self.string(quote)?,
            _ => match self.word()? {
                "readonly" if self.peek().is_some_and(|c| c.is_alphabetic() || c == '_') => {
                    self.word()?.to_owned()
                }
                word => word.to_owned(),
            },
        };
        let optional = self.eat("?");
        let ty = if self.eat(":") {
            self.union()?
        } else {
            self.ty(Kind::Any)
        };
        Some(Member {
            name,
            ty,
            optional,
            notes: Notes::default(),
        })
    }
}

/// A type by its name: JSON's own, or one to be looked up.
fn named(line: u32, name: &str, mut arguments: Vec<Type>, written: &str) -> Type {
    let kind = match (name, arguments.len()) {
        ("string" | "String", 0) => Kind::String,
        ("number" | "Number", 0) => Kind::Number,
        ("integer" | "int" | "Integer", 0) => Kind::Integer,
        ("boolean" | "Boolean" | "bool", 0) => Kind::Boolean,
        ("null", 0) => Kind::Null,
        ("undefined" | "void", 0) => Kind::Undefined,
        ("any" | "unknown" | "mixed", 0) => Kind::Any,
        ("object" | "Object", 0) => Kind::Object,
        ("array", 0) => Kind::Array(Box::new(Type::new(line, Kind::Any))),
        ("true", 0) => Kind::Literal(Value::Bool(true)),
        ("false", 0) => Kind::Literal(Value::Bool(false)),
        ("Object" | "object", 1) => Kind::Members(Vec::new(), arguments.pop().map(Box::new)),
        ("Object" | "object", 2) => Kind::Named("Record".to_owned(), arguments),
        _ if name.contains('.') => {
            return Type::refused(
                line,
                format!("`{}`", quoted(written)),
                "give the type a name of its own",
            );
        }
        _ => Kind::Named(name.to_owned(), arguments),
    };
    Type::new(line, kind)
}
