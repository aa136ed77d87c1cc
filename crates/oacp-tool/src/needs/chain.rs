//! Names with their attributes, calls and keys, among tokens.

use std::collections::HashMap;
use std::ops::Range;

use super::token::{Kind, Literal, Token};

/// A name with its attributes, as `os.environ.get`, and what follows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain<'a> {
    /// The first is empty where they are attributes of a value, as of what a call gives.
    pub(super) names: Vec<&'a str>,
    pub(super) line: u32,
    /// Where it begins and ends among the tokens, its call included.
    pub(super) tokens: Range<usize>,
    /// Whether it is called.
    pub(super) is_call: bool,
    /// The first arguments: the keyword, and the literal if it is one.
    pub(super) arguments: Vec<(Option<&'a str>, Option<Literal>)>,
    /// What it is indexed with, if that is a literal.
    pub(super) key: Option<Literal>,
}

impl Chain<'_> {
    /// The names with dots, with what the first stands for.
    pub(super) fn path(&self, aliases: &HashMap<&str, String>) -> String {
        let (first, rest) = self.names.split_first().unwrap_or((&"", &[]));
        let first = aliases.get(*first).map_or(*first, String::as_str);
        let names = std::iter::once(first).chain(rest.iter().copied());
        names.collect::<Vec<_>>().join(".")
    }

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
        let (chain, next) = match token.kind {
            Kind::Name(name) => chain(tokens, at..at + 1, name, token.line),
            // Three dots spread what follows.
            Kind::Sign('.') if name(tokens, at + 1).is_some() && !follows_dot(tokens, at) => {
                chain(tokens, at..at, "", token.line)
            }
            _ => {
                at += 1;
                continue;
            }
        };
        chains.push(chain);
        at = next;
    }
    chains
}

fn follows_dot(tokens: &[Token<'_>], at: usize) -> bool {
    at > 0 && sign(tokens, at - 1) == Some('.')
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

/// The chain whose first name is `first`, and where to go on: after the names, so that what is within the arguments is met, too.
fn chain<'a>(
    tokens: &[Token<'a>],
    Range { start, end }: Range<usize>,
    first: &'a str,
    line: u32,
) -> (Chain<'a>, usize) {
    let mut chain = Chain {
        names: vec![first],
        line,
        ..Chain::default()
    };
    let mut next = end;
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
    let mut end = next;
    match sign(tokens, next) {
        Some('(') => {
            chain.is_call = true;
            end = arguments(tokens, next + 1, &mut chain.arguments);
        }
        Some('[') if sign(tokens, next + 2) == Some(']') => {
            chain.key = text(tokens, next + 1).cloned();
        }
        _ => {}
    }
    chain.tokens = start..end;
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
