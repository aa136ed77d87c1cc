//! Tokens of Python and JavaScript, as many as are of use here: names, literal texts, signs. Comments are gone, and where a text is
//! computed it is said that it is, and what computes it stands before it.

use crate::limits::NEED_TEXT_BYTES_MAX;

/// A token and its line, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) line: u32,
    pub(super) kind: Kind<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// A name or keyword.
    Name(&'a str),
    /// A text in quotation marks.
    Text(Literal),
    /// Any other character.
    Sign(char),
    /// The end of a statement's line; Python's alone.
    End,
}

/// What is in quotation marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Literal {
    /// The text, up to where it is computed or too long.
    pub(super) text: String,
    /// Whether that is all of it.
    pub(super) is_whole: bool,
}

impl Literal {
    /// The text, if it is all of it.
    pub(super) fn whole(&self) -> Option<&str> {
        self.is_whole.then_some(self.text.as_str())
    }

    fn push(&mut self, c: char) {
        if self.is_whole {
            if self.text.len() + c.len_utf8() > NEED_TEXT_BYTES_MAX {
                self.is_whole = false;
            } else {
                self.text.push(c);
            }
        }
    }
}

/// Reads characters one after the other, and counts lines.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: u32,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.line = self.line.saturating_add(1);
        }
        Some(c)
    }

    /// Takes `prefix`, if it is next.
    fn take(&mut self, prefix: &str) -> bool {
        let is_next = self.rest().starts_with(prefix);
        if is_next {
            for _ in prefix.chars() {
                self.next();
            }
        }
        is_next
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let start = self.at;
        while self.peek().is_some_and(&wanted) {
            self.next();
        }
        self.text.get(start..self.at).unwrap_or_default()
    }
}

fn begins_name(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$'
}

fn is_in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Texts with expressions in them, one within the other, that are followed. Attack: stack overflow.
const TEXTS_MAX: usize = 32;

/// The tokens of a Python text. Those of an expression within a literal stand before it, in braces.
pub(super) fn of_python(text: &str) -> Vec<Token<'_>> {
    let mut reader = Reader::new(text);
    let mut tokens = Vec::new();
    python(&mut reader, 0, &mut tokens);
    let line = reader.line;
    tokens.push(Token {
        line,
        kind: Kind::End,
    });
    tokens
}

/// Reads Python up to its end; within literals, up to where their expression ends.
fn python<'a>(reader: &mut Reader<'a>, within: usize, tokens: &mut Vec<Token<'a>>) {
    let mut brackets = 0_usize;
    while let Some(c) = reader.peek() {
        let line = reader.line;
        let mut push = |kind| tokens.push(Token { line, kind });
        if within > 0 && brackets == 0 && matches!(c, '}' | ':') {
            return;
        } else if c == '#' {
            reader.skip_while(|c| c != '\n');
        } else if c == '\n' {
            reader.next();
            if within == 0 && brackets == 0 {
                push(Kind::End);
            }
        } else if c == '\\' {
            reader.next();
            reader.take("\r");
            reader.take("\n");
        } else if c.is_whitespace() {
            reader.next();
        } else if c == '"' || c == '\'' {
            python_text(reader, "", within, tokens);
        } else if begins_name(c) {
            let name = reader.skip_while(is_in_name);
            let quotes = matches!(reader.peek(), Some('"' | '\''));
            let is_prefix = name.len() <= 2 && name.chars().all(|c| "rRbBfFuUtT".contains(c));
            if quotes && is_prefix {
                python_text(reader, name, within, tokens);
            } else {
                push(Kind::Name(name));
            }
        } else if c.is_ascii_digit() {
            // `1.5`, `0x1f`: no names, and no attribute of a number.
            reader.skip_while(|c| is_in_name(c) || c == '.');
        } else {
            match c {
                '(' | '[' | '{' => brackets += 1,
                ')' | ']' | '}' => brackets = brackets.saturating_sub(1),
                _ => {}
            }
            reader.next();
            push(Kind::Sign(c));
        }
    }
}

/// Reads a literal of Python's, from its quotation mark on.
fn python_text<'a>(
    reader: &mut Reader<'a>,
    prefix: &str,
    within: usize,
    tokens: &mut Vec<Token<'a>>,
) {
    let line = reader.line;
    let prefix = prefix.to_ascii_lowercase();
    let is_raw = prefix.contains('r');
    let is_computed = prefix.contains(['f', 't']);
    let quote = match reader.peek() {
        Some('\'') if reader.take("'''") => "'''",
        Some('"') if reader.take("\"\"\"") => "\"\"\"",
        Some('\'') if reader.take("'") => "'",
        _ if reader.take("\"") => "\"",
        _ => return,
    };
    let mut literal = Literal {
        is_whole: true,
        ..Literal::default()
    };
    while !reader.take(quote) {
        match reader.next() {
            None => break,
            // It was not closed.
            Some('\n') if quote.len() == 1 => break,
            Some('\\') => {
                let escaped = reader.next();
                match escaped {
                    Some(c @ ('\\' | '\'' | '"')) if !is_raw => literal.push(c),
                    Some('\n') if !is_raw => {}
                    // Paths and hosts have no other escapes; whatever it is, it is not read as something else.
                    _ => literal.is_whole = false,
                }
            }
            Some('{') if is_computed && !reader.take("{") => {
                literal.is_whole = false;
                python_computed(reader, within + 1, tokens);
            }
            Some(c) => literal.push(c),
        }
    }
    tokens.push(Token {
        line,
        kind: Kind::Text(literal),
    });
}

/// Reads an expression within a literal, after its `{`, with the format that may follow it.
fn python_computed<'a>(reader: &mut Reader<'a>, within: usize, tokens: &mut Vec<Token<'a>>) {
    if within > TEXTS_MAX {
        return;
    }
    braced(reader, tokens, |reader, tokens| {
        python(reader, within, tokens);
        if reader.take(":") {
            while let Some(c) = reader.peek()
                && c != '}'
            {
                reader.next();
                if c == '{' {
                    python_computed(reader, within + 1, tokens);
                }
            }
        }
    });
}

/// Reads what is between two braces, the first of which was taken.
fn braced<'a>(
    reader: &mut Reader<'a>,
    tokens: &mut Vec<Token<'a>>,
    read: impl FnOnce(&mut Reader<'a>, &mut Vec<Token<'a>>),
) {
    let line = reader.line;
    let sign = |line, c| Token {
        line,
        kind: Kind::Sign(c),
    };
    tokens.push(sign(line, '{'));
    read(reader, tokens);
    reader.take("}");
    tokens.push(sign(reader.line, '}'));
}

/// The tokens of a JavaScript or TypeScript text. Those of an expression within a template stand before it, in braces.
pub(super) fn of_javascript(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    javascript(&mut Reader::new(text), 0, &mut tokens);
    tokens
}

/// Reads JavaScript up to its end; within templates, up to the brace that ends their expression.
fn javascript<'a>(reader: &mut Reader<'a>, within: usize, tokens: &mut Vec<Token<'a>>) {
    let mut braces = 0_usize;
    while let Some(c) = reader.peek() {
        let line = reader.line;
        if within > 0 && braces == 0 && c == '}' {
            return;
        } else if reader.take("//") {
            reader.skip_while(|c| c != '\n');
        } else if reader.take("/*") {
            while !reader.take("*/") && reader.next().is_some() {}
        } else if c == '/' && begins_pattern(tokens.last()) {
            reader.next();
            skip_pattern(reader);
        } else if c == '"' || c == '\'' {
            let literal = script_text(reader);
            tokens.push(Token {
                line,
                kind: Kind::Text(literal),
            });
        } else if c == '`' {
            reader.next();
            let literal = template(reader, within, tokens);
            tokens.push(Token {
                line,
                kind: Kind::Text(literal),
            });
        } else if begins_name(c) {
            let name = reader.skip_while(is_in_name);
            tokens.push(Token {
                line,
                kind: Kind::Name(name),
            });
        } else if c.is_ascii_digit() {
            reader.skip_while(|c| is_in_name(c) || c == '.');
        } else {
            match c {
                '{' => braces += 1,
                '}' => braces = braces.saturating_sub(1),
                _ => {}
            }
            reader.next();
            if !c.is_whitespace() {
                tokens.push(Token {
                    line,
                    kind: Kind::Sign(c),
                });
            }
        }
    }
}

/// Whether a slash after this token begins a regular expression: where a value could begin.
fn begins_pattern(before: Option<&Token<'_>>) -> bool {
    match before.map(|token| &token.kind) {
        None => true,
        Some(Kind::Sign(c)) => !matches!(c, ')' | ']' | '}'),
        Some(Kind::Name(name)) => {
            matches!(
                *name,
                "return" | "typeof" | "case" | "in" | "of" | "await" | "yield"
            )
        }
        Some(_) => false,
    }
}

fn skip_pattern(reader: &mut Reader<'_>) {
    let mut in_class = false;
    while let Some(c) = reader.next() {
        match c {
            '\\' => drop(reader.next()),
            '[' => in_class = true,
            ']' => in_class = false,
            '/' if !in_class => break,
            '\n' => break,
            _ => {}
        }
    }
    reader.skip_while(|c| c.is_ascii_alphabetic());
}

fn script_text(reader: &mut Reader<'_>) -> Literal {
    let quote = reader.next();
    let mut literal = Literal {
        is_whole: true,
        ..Literal::default()
    };
    loop {
        match reader.next() {
            None | Some('\n') => return literal,
            Some('\\') => match reader.next() {
                Some(c @ ('\\' | '\'' | '"' | '`' | '/')) => literal.push(c),
                Some('\n') => {}
                _ => literal.is_whole = false,
            },
            c if c == quote => return literal,
            Some(c) => literal.push(c),
        }
    }
}

/// Reads a template, after its first backtick.
fn template<'a>(reader: &mut Reader<'a>, within: usize, tokens: &mut Vec<Token<'a>>) -> Literal {
    let mut literal = Literal {
        is_whole: true,
        ..Literal::default()
    };
    loop {
        if reader.take("${") {
            literal.is_whole = false;
            if within < TEXTS_MAX {
                braced(reader, tokens, |reader, tokens| {
                    javascript(reader, within + 1, tokens);
                });
            }
            continue;
        }
        match reader.next() {
            None | Some('`') => return literal,
            Some('\\') => {
                reader.next();
                literal.is_whole = false;
            }
            Some(c) => literal.push(c),
        }
    }
}

/// The `host:port` of a URL that a literal begins with. `None`: it begins with none, or where the host ends is computed.
pub(super) fn host(literal: &Literal) -> Option<String> {
    let text = literal.text.as_str();
    let (rest, port) = match text.strip_prefix("https://") {
        Some(rest) => (rest, 443),
        None => (text.strip_prefix("http://")?, 80),
    };
    let end = rest.find(['/', '?', '#']);
    if end.is_none() && !literal.is_whole {
        return None;
    }
    let authority = rest.get(..end.unwrap_or(rest.len()))?;
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit()));
    let host = match has_port {
        true => authority.to_owned(),
        false => format!("{authority}:{port}"),
    };
    // As it is judged, or not at all.
    let rule: oacp::capability::HostRule = host.parse().ok()?;
    rule.is_exact().then(|| rule.to_string())
}
