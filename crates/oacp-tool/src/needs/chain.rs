//! Names with their attributes, calls and keys, among tokens.

use super::token::{Kind, Literal, Token};

/// A name with its attributes, as `os.environ.get`, and what follows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain<'a> {
    pub(super) names: Vec<&'a str>,
    pub(super) line: u32,
    /// Whether it is called.
    pub(super) is_call: bool,
    /// The first arguments: the keyword, and the literal if it is one.
    pub(super) arguments: Vec<(Option<&'a str>, Option<Literal>)>,
    /// What it is indexed with, if that is a literal.
    pub(super) key: Option<Literal>,
    /// The attribute of what the call gives.
    pub(super) then: Option<&'a str>,
    /// Whether a `:` follows, as after a key of an object.
    pub(super) is_key: bool,
}

impl Chain<'_> {
    /// The argument at this place, or of this keyword.
    pub(super) fn argument(&self, place: usize, keyword: &str) -> Option<&Literal> {
        let at = self.arguments.get(place);
        let by_place = at.filter(|(name, _)| name.is_none());
        let by_name = || {
            self.arguments
                .iter()
                .find(|(name, _)| *name == Some(keyword))
        };
        by_place
            .or_else(by_name)
            .and_then(|(_, literal)| literal.as_ref())
    }
}

/// Arguments of a call that are looked at.
const ARGUMENTS_MAX: usize = 8;

/// All chains of the tokens.
pub(super) fn chains<'a>(tokens: &[Token<'a>]) -> Vec<Chain<'a>> {
    let mut chains = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let is_attribute = at > 0 && sign(tokens, at - 1) == Some('.');
        match token.kind {
            Kind::Name(name) if !is_attribute => {
                let (chain, next) = chain(tokens, at, name, token.line);
                chains.push(chain);
                at = next;
            }
            _ => at += 1,
        }
    }
    chains
}

pub(super) fn sign(tokens: &[Token<'_>], at: usize) -> Option<char> {
    match tokens.get(at)?.kind {
        Kind::Sign(c) => Some(c),
        _ => None,
    }
}

pub(super) fn name<'a>(tokens: &[Token<'a>], at: usize) -> Option<&'a str> {
    match tokens.get(at)?.kind {
        Kind::Name(name) => Some(name),
        _ => None,
    }
}

pub(super) fn text<'t>(tokens: &'t [Token<'_>], at: usize) -> Option<&'t Literal> {
    match &tokens.get(at)?.kind {
        Kind::Text(literal) => Some(literal),
        _ => None,
    }
}

/// The chain that begins at a name, and where to go on: after the names, so that what is within the arguments is met, too.
fn chain<'a>(tokens: &[Token<'a>], at: usize, first: &'a str, line: u32) -> (Chain<'a>, usize) {
    let mut chain = Chain {
        names: vec![first],
        line,
        ..Chain::default()
    };
    let mut next = at + 1;
    loop {
        // `?.` of JavaScript.
        let dot = next + usize::from(sign(tokens, next) == Some('?'));
        match (sign(tokens, dot), name(tokens, dot + 1)) {
            (Some('.'), Some(attribute)) => {
                chain.names.push(attribute);
                next = dot + 2;
            }
            _ => break,
        }
    }
    match sign(tokens, next) {
        Some('(') => {
            chain.is_call = true;
            let end = arguments(tokens, next + 1, &mut chain.arguments);
            if sign(tokens, end) == Some('.') {
                chain.then = name(tokens, end + 1);
            }
        }
        Some('[') if sign(tokens, next + 2) == Some(']') => {
            chain.key = text(tokens, next + 1).cloned();
        }
        Some(':') => chain.is_key = true,
        _ => {}
    }
    (chain, next)
}

/// Tokens of a call that are looked at. Attack: calls within calls, each looked through to its end.
const CALL_TOKENS_MAX: usize = 256;

/// Reads the arguments after an opening parenthesis; gives where the call ends.
fn arguments<'a>(
    tokens: &[Token<'a>],
    start: usize,
    arguments: &mut Vec<(Option<&'a str>, Option<Literal>)>,
) -> usize {
    let mut depth = 0_usize;
    let mut from = start;
    let limit = start.saturating_add(CALL_TOKENS_MAX).min(tokens.len());
    for at in start..limit {
        let sign = sign(tokens, at);
        let closes = depth == 0 && sign == Some(')');
        if closes || depth == 0 && sign == Some(',') {
            if arguments.len() < ARGUMENTS_MAX && at > from {
                arguments.push(argument(tokens, from, at));
            }
            from = at + 1;
        }
        match sign {
            _ if closes => return at + 1,
            Some('(' | '[' | '{') => depth += 1,
            Some(')' | ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    limit
}

fn argument<'a>(
    tokens: &[Token<'a>],
    from: usize,
    to: usize,
) -> (Option<&'a str>, Option<Literal>) {
    let alone = |at: usize| text(tokens, at).filter(|_| at + 1 == to).cloned();
    match (name(tokens, from), sign(tokens, from + 1)) {
        (Some(keyword), Some('=')) => (Some(keyword), alone(from + 2)),
        _ => (None, alone(from)),
    }
}
