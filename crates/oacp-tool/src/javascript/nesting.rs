//! How deeply a file nests, before a parser sees it.
//!
//! The attack is a small file that takes a parser gigabytes: it descends at each bracket, and tries what may be an arrow function or a list of
//! type arguments twice, level by level. So the brackets are counted first, by a scanner that knows strings, templates, comments and regular
//! expressions and nothing else of the language. Where a `/` may begin a regular expression or divide and it matters which, the file is
//! refused: a scanner that guesses could be led to see a string where the parser sees brackets.

use oacp::source::SourcePath;

use super::limits::{NESTING_FREE, NESTING_MAX, NESTING_WEIGHT_MAX};
use super::parse::Language;
use super::problem::problem;
use crate::package::Remark;

/// Whether the parser can be let at it.
pub(super) fn check(file: &SourcePath, text: &str, language: Language) -> Result<(), Remark> {
    let mut scan = Scan {
        language,
        rest: text,
        line: 1,
        frames: vec![Frame::new(Bracket::File, 1)],
        depth: 0,
        weight: 0,
        before: Before::Start,
        on_new_line: true,
        keyword: "",
    };
    scan.run()
        .map_err(|(line, message, fix)| problem(file, line, message, fix))
}

type Refusal = (u32, String, &'static str);

const TOO_DEEP: &str = "move the inner parts into functions, constants or types of their own";
const BALANCE: &str = "balance the brackets";

/// What opened a level.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket {
    File,
    /// `(`; of `if`, `for`, `while` and `with`, after which a statement begins, or of anything else.
    Round {
        control: bool,
    },
    Square,
    /// `{`; the body of an arrow function, or any other.
    Curly {
        arrow: bool,
    },
    /// `${` in a template.
    Substitution,
}

impl Bracket {
    fn text(self) -> &'static str {
        match self {
            Self::File => "",
            Self::Round { .. } => "(",
            Self::Square => "[",
            Self::Curly { .. } => "{",
            Self::Substitution => "${",
        }
    }
}

/// A level, and what is open on it without a bracket.
struct Frame {
    bracket: Bracket,
    line: u32,
    /// `<` without `>`.
    angles: usize,
    /// `?` of conditions, and `=>`.
    arms: usize,
}

impl Frame {
    fn new(bracket: Bracket, line: u32) -> Self {
        Self {
            bracket,
            line,
            angles: 0,
            arms: 0,
        }
    }
}

/// What came before, as far as it decides what a `/` means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Start,
    /// A value's end: on the same line a `/` divides it.
    Operand,
    /// After it an operand begins, so a `/` is a regular expression's.
    Operator,
    /// `.` or `?.`: a keyword is no keyword after it.
    Dot,
    Arrow,
    /// Either.
    Unsure,
}

struct Scan<'t> {
    language: Language,
    rest: &'t str,
    line: u32,
    frames: Vec<Frame>,
    depth: usize,
    weight: usize,
    before: Before,
    on_new_line: bool,
    /// The word just before, if it was one.
    keyword: &'t str,
}

impl<'t> Scan<'t> {
    fn run(&mut self) -> Result<(), Refusal> {
        if self.rest.starts_with("#!") {
            self.skip_line();
        }
        while let Some(c) = self.rest.chars().next() {
            if is_line_end(c) {
                self.advance(c);
                self.on_new_line = true;
                continue;
            }
            if c.is_whitespace() || c == '\u{feff}' {
                self.advance(c);
                continue;
            }
            if self.rest.starts_with("//") {
                self.skip_line();
                continue;
            }
            if self.rest.starts_with("/*") {
                self.skip_comment()?;
                continue;
            }
            self.token(c)?;
            self.on_new_line = false;
        }
        match self.frames.last() {
            Some(frame) if frame.bracket != Bracket::File => Err((
                frame.line,
                format!("`{}` is never closed", frame.bracket.text()),
                BALANCE,
            )),
            _ => Ok(()),
        }
    }

    fn token(&mut self, c: char) -> Result<(), Refusal> {
        let keyword = std::mem::take(&mut self.keyword);
        self.weight += self.depth.saturating_sub(NESTING_FREE);
        if self.weight > NESTING_WEIGHT_MAX {
            return Err((
                self.line,
                "too much of this file is deeply nested".to_owned(),
                TOO_DEEP,
            ));
        }
        match c {
            '"' | '\'' => self.string(c),
            '`' => {
                self.advance(c);
                self.template()
            }
            '/' => self.slash(),
            '(' => {
                let control = matches!(keyword, "if" | "for" | "while" | "with");
                self.open(c, Bracket::Round { control })
            }
            '[' => self.open(c, Bracket::Square),
            '{' => {
                let arrow = self.before == Before::Arrow;
                self.open(c, Bracket::Curly { arrow })
            }
            ')' | ']' | '}' => self.close(c),
            c if is_word(c) => {
                self.word(keyword);
                Ok(())
            }
            '\\' => Err((
                self.line,
                "an identifier is written with an escape".to_owned(),
                "write the character itself",
            )),
            c => self.punctuation(c),
        }
    }

    fn punctuation(&mut self, c: char) -> Result<(), Refusal> {
        let was = self.before;
        self.advance(c);
        let next = self.rest.chars().next();
        self.before = Before::Operator;
        match c {
            '=' if next == Some('>') => {
                self.advance('>');
                self.arm()?;
                self.before = Before::Arrow;
            }
            '.' if next.is_some_and(|c| c.is_ascii_digit()) => self.word(""),
            '.' => self.before = Before::Dot,
            '?' if next == Some('.') => {
                self.advance('.');
                self.before = Before::Dot;
            }
            '?' if next == Some('?') => self.advance('?'),
            // An optional member or parameter.
            '?' if matches!(next, Some(':' | ')' | ',')) => {}
            '?' => self.arm()?,
            // A `<<` may be two lists of type arguments.
            '<' if self.language == Language::TypeScript => {
                if let Some(frame) = self.frames.last_mut() {
                    frame.angles += 1;
                }
                self.deeper()?;
            }
            '>' => {
                if let Some(frame) = self.frames.last_mut()
                    && frame.angles > 0
                {
                    frame.angles -= 1;
                    self.depth -= 1;
                }
                self.before = Before::Unsure;
            }
            ',' => self.settle(false),
            ';' => self.settle(true),
            '+' | '-' if next == Some(c) => {
                self.advance(c);
                self.before = match was {
                    Before::Operand if !self.on_new_line => Before::Operand,
                    _ => Before::Unsure,
                };
            }
            // `a!` asserts that there is a value, `!a` negates one.
            '!' if next != Some('=') && !self.on_new_line && was == Before::Operand => {
                self.before = Before::Operand;
            }
            '!' if next != Some('=') && was == Before::Unsure => self.before = Before::Unsure,
            _ => {}
        }
        Ok(())
    }

    fn word(&mut self, keyword: &str) {
        let number = self.rest.starts_with(|c: char| c.is_ascii_digit());
        let end = self
            .rest
            .find(|c: char| !(is_word(c) || number && c == '.'))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        let property = self.before == Before::Dot;
        self.before = Before::Operand;
        if property {
            return;
        }
        match word {
            // None of these stands within a condition, an arrow function or type arguments but in brackets of its own: the parser stops there.
            "const" | "var" | "export" | "return" | "if" | "for" | "while" | "switch" | "throw"
            | "try" => self.settle(true),
            _ => {}
        }
        match word {
            "return" | "typeof" | "case" | "do" | "else" | "in" | "instanceof" | "new" | "void"
            | "delete" | "throw" | "extends" | "default" => self.before = Before::Operator,
            "of" | "await" | "yield" => self.before = Before::Unsure,
            _ => {}
        }
        self.keyword = match word {
            "await" if keyword == "for" => "for",
            word => word,
        };
    }

    /// A `/` that begins no comment.
    fn slash(&mut self) -> Result<(), Refusal> {
        let line = self.rest.split(is_line_end).next().unwrap_or_default();
        let end = regex_end(line);
        let divides = self.before == Before::Operand && !self.on_new_line;
        if divides || self.before == Before::Dot {
            self.advance('/');
            self.before = Before::Operator;
            return Ok(());
        }
        let certain = matches!(
            self.before,
            Before::Start | Before::Operator | Before::Arrow
        );
        match end {
            Some(end) if certain => {
                self.rest = self.rest.get(end..).unwrap_or_default();
                self.before = Before::Operand;
                Ok(())
            }
            None if certain => Err((
                self.line,
                "a regular expression is never closed".to_owned(),
                "close it with `/` on its line",
            )),
            end => {
                let text = line.get(1..end.unwrap_or(line.len())).unwrap_or_default();
                if !is_harmless(text) {
                    return Err((
                        self.line,
                        "this `/` may divide or begin a regular expression".to_owned(),
                        "put the regular expression into a constant, or the `/` at the end of the line before",
                    ));
                }
                // Both readings see the same brackets.
                self.rest = self
                    .rest
                    .get(end.unwrap_or(line.len())..)
                    .unwrap_or_default();
                self.before = Before::Unsure;
                Ok(())
            }
        }
    }

    fn string(&mut self, quote: char) -> Result<(), Refusal> {
        let line = self.line;
        self.advance(quote);
        let mut escaped = false;
        while let Some(c) = self.rest.chars().next() {
            if matches!(c, '\n' | '\r') && !escaped {
                break;
            }
            self.advance(c);
            if escaped {
                // A line's end that is escaped may be of two characters.
                if c == '\r' && self.rest.starts_with('\n') {
                    self.advance('\n');
                }
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == quote {
                self.before = Before::Operand;
                return Ok(());
            }
        }
        Err((
            line,
            "a string is never closed".to_owned(),
            "close it on its line, or write a template: `…`",
        ))
    }

    /// After its opening quote, or after the `}` of a substitution.
    fn template(&mut self) -> Result<(), Refusal> {
        let line = self.line;
        while let Some(c) = self.rest.chars().next() {
            if c == '$' && self.rest.starts_with("${") {
                self.advance('$');
                return self.open('{', Bracket::Substitution);
            }
            self.advance(c);
            match c {
                '\\' => {
                    if let Some(c) = self.rest.chars().next() {
                        self.advance(c);
                    }
                }
                '`' => {
                    self.before = Before::Operand;
                    return Ok(());
                }
                _ => {}
            }
        }
        Err((
            line,
            "a template is never closed".to_owned(),
            "close it with a backquote",
        ))
    }

    fn open(&mut self, c: char, bracket: Bracket) -> Result<(), Refusal> {
        self.advance(c);
        self.frames.push(Frame::new(bracket, self.line));
        self.before = Before::Operator;
        self.deeper()
    }

    fn close(&mut self, c: char) -> Result<(), Refusal> {
        self.advance(c);
        let open = self.frames.pop_if(|frame| frame.bracket != Bracket::File);
        let Some(frame) = open else {
            return Err((self.line, format!("`{c}` closes nothing"), BALANCE));
        };
        self.depth -= 1 + frame.angles + frame.arms;
        match (c, frame.bracket) {
            (')', Bracket::Round { control }) => {
                self.before = if control {
                    Before::Operator
                } else {
                    Before::Operand
                };
            }
            (']', Bracket::Square) => self.before = Before::Operand,
            ('}', Bracket::Curly { arrow }) => {
                if arrow {
                    self.settle_arrows();
                }
                self.before = Before::Unsure;
            }
            ('}', Bracket::Substitution) => return self.template(),
            (_, open) => {
                return Err((
                    self.line,
                    format!("`{c}` closes the `{}` of line {}", open.text(), frame.line),
                    BALANCE,
                ));
            }
        }
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), Refusal> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err((
                self.line,
                format!("nested more than {NESTING_MAX} levels deep"),
                TOO_DEEP,
            ));
        }
        Ok(())
    }

    fn arm(&mut self) -> Result<(), Refusal> {
        if let Some(frame) = self.frames.last_mut() {
            frame.arms += 1;
        }
        self.deeper()
    }

    /// A `,` ends conditions and arrow functions, a `;` everything on its level.
    fn settle(&mut self, angles: bool) {
        self.settle_arms();
        if angles && let Some(frame) = self.frames.last_mut() {
            self.depth -= frame.angles;
            frame.angles = 0;
        }
    }

    fn settle_arms(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            self.depth -= frame.arms;
            frame.arms = 0;
        }
    }

    /// The arrow function whose body just closed has ended; a condition around it has not.
    fn settle_arrows(&mut self) {
        if let Some(frame) = self.frames.last_mut()
            && frame.arms > 0
        {
            frame.arms -= 1;
            self.depth -= 1;
        }
    }

    fn skip_line(&mut self) {
        let end = self.rest.find(is_line_end).unwrap_or(self.rest.len());
        self.rest = self.rest.get(end..).unwrap_or_default();
    }

    fn skip_comment(&mut self) -> Result<(), Refusal> {
        let (comment, rest) = self
            .rest
            .get(2..)
            .and_then(|text| text.split_once("*/"))
            .ok_or((
                self.line,
                "a comment is never closed".to_owned(),
                "close it with `*/`",
            ))?;
        self.line += lines(comment);
        self.on_new_line |= comment.contains(is_line_end);
        self.rest = rest;
        Ok(())
    }

    fn advance(&mut self, c: char) {
        self.line += u32::from(c == '\n');
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
    }
}

fn lines(text: &str) -> u32 {
    u32::try_from(text.matches('\n').count()).unwrap_or(u32::MAX)
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

/// Of a name, a keyword or a number.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '_' | '$' | '#')
        || !c.is_ascii() && !c.is_whitespace() && c != '\u{feff}'
}

/// Behind the `/` that closes the regular expression that a line begins with.
fn regex_end(line: &str) -> Option<usize> {
    let (mut escaped, mut class) = (false, false);
    for (at, c) in line.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '/' if !class => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Whether a text has no quotes, no comments, and its brackets within itself.
fn is_harmless(text: &str) -> bool {
    let mut open = Vec::new();
    for c in text.chars() {
        match c {
            '"' | '\'' | '`' | '\\' => return false,
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' if open.pop() != Some(c) => return false,
            _ => {}
        }
    }
    open.is_empty() && !text.contains("//") && !text.contains("/*")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Option<String> {
        let file: SourcePath = "a.ts".parse().unwrap();
        check(&file, text, Language::TypeScript)
            .err()
            .map(|remark| remark.message)
    }

    #[test]
    fn code_as_it_is_written_passes() {
        for text in [
            "",
            "#!/usr/bin/env node (\nf()",
            "const a = \")\", b = ')', c = `)${f(`}`)}(`;",
            "// (\n/* ( \n */ f()",
            "if (x) /[(\"]/.test(y)",
            "a = b / c + d('x') / e; f(/[/(]\\//g)",
            "return /\\(/;",
            "const x = y!.z / 2 + \"(\" / 3",
            "!/['\"]/.test(x)",
            "for (const x of y) { a[0] / g(\"(\") / 1 }",
            "`a${b}c${`d${e}`}`",
            "const s = 'a\\\nb(';",
            "const s = 'a\\\r\nb(';",
            "type A = { a?: string; b?: Array<Record<string, Foo<X>>> };",
            "x = { a: 1 } / 2",
            "if (i++ / 2 > source / g('(')) {}",
            "await (x) / 2; for await (const x of y) /'/.test(x)",
        ] {
            assert_eq!(refusal(text), None, "{text}");
        }
        let arrows = "export const f = (a) => a < 1 ? 2 : 3\n".repeat(150)
            + &"export const g = (a) => { return a }\n".repeat(1000)
            + &"export const g = a => b => a ? b : 0\n".repeat(1000);
        assert_eq!(refusal(&arrows), None);
    }

    #[test]
    fn what_is_not_balanced_is_refused_with_its_line() {
        for (text, message) in [
            ("f(", "`(` is never closed"),
            ("f)", "`)` closes nothing"),
            ("[\n)", "`)` closes the `[` of line 1"),
            ("'a\n'", "a string is never closed"),
            ("`a${b", "`${` is never closed"),
            ("`a", "a template is never closed"),
            ("/* ", "a comment is never closed"),
            ("x = /a", "a regular expression is never closed"),
            (
                "{}\n/\"/; ((",
                "this `/` may divide or begin a regular expression",
            ),
            ("\\u0069f (x)", "an identifier is written with an escape"),
        ] {
            assert_eq!(refusal(text).as_deref(), Some(message), "{text}");
        }
    }

    #[test]
    fn what_nests_deeply_is_refused() {
        for unit in [
            "(",
            "[",
            "{",
            "`${",
            "a<",
            "(a=",
            "({a=(",
            "f<{a:",
            "a?(b):c=>",
            "a=>",
            "a?b:",
            "a<b<",
            "()=>{",
            "x<y,",
        ] {
            let message = refusal(&unit.repeat(100_000)).unwrap();
            assert!(message.starts_with("nested more than"), "{unit}: {message}");
        }
        let message =
            refusal(&format!("{}0{};", "[".repeat(190), "]".repeat(190)).repeat(1000)).unwrap();
        assert_eq!(message, "too much of this file is deeply nested");
    }
}
