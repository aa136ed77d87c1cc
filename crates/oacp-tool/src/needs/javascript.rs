//! What JavaScript and TypeScript files use.

use std::collections::HashMap;

use oacp::source::{Source, SourcePath};

use super::chain::{self, Chain};
use super::modules::{JAVASCRIPT_MISSING, NODE};
use super::token::{self, Kind, Literal, Token};
use super::walk::{Files, follow, hosts, named};
use super::{Needs, Place, Wanted};

/// Functions of `oacp.files` that read.
const READING: [&str; 7] = [
    "readText",
    "readBytes",
    "readJson",
    "list",
    "status",
    "exists",
    "rename",
];

/// Functions of `oacp.files` that write at their first argument.
const WRITING: [&str; 6] = [
    "write",
    "append",
    "create",
    "makeDirectory",
    "remove",
    "rename",
];

/// Endings that are tried in turn for what is imported without one.
const ENDINGS: [&str; 10] = [
    "",
    ".js",
    ".mjs",
    ".ts",
    ".mts",
    ".json",
    "/index.js",
    "/index.mjs",
    "/index.ts",
    "/index.mts",
];

pub(super) fn scan(source: &Source, needs: &mut Needs) {
    follow(source, |files, path, content| {
        let text = String::from_utf8_lossy(content);
        let tokens = token::of_javascript(&text);
        let mut file = File {
            path,
            files,
            aliases: HashMap::new(),
            beside: Vec::new(),
        };
        let rest = file.imports(&tokens, needs);
        file.globals(&tokens, content, needs);
        file.uses(&rest, needs);
        file.beside
    });
}

struct File<'a> {
    path: &'a SourcePath,
    files: &'a Files<'a>,
    /// What an imported name stands for: `oacp.files`.
    aliases: HashMap<&'a str, String>,
    beside: Vec<String>,
}

impl<'a> File<'a> {
    fn place(&self, line: u32) -> Place {
        Place::Line {
            file: self.path.clone(),
            line,
        }
    }

    /// Reads `import … from "…"`, `export … from "…"`, `import "…"`, `import("…")` and `require("…")`; gives what is left.
    fn imports(&mut self, tokens: &[Token<'a>], needs: &mut Needs) -> Vec<Token<'a>> {
        let mut rest = Vec::new();
        let mut skipped = 0;
        for (at, token) in tokens.iter().enumerate() {
            if at >= skipped {
                rest.push(token.clone());
            }
            let Kind::Name(word) = token.kind else {
                continue;
            };
            let is_attribute = at > 0 && chain::sign(tokens, at - 1) == Some('.');
            if is_attribute {
                continue;
            }
            match word {
                "import" | "export" if chain::name(tokens, at + 1) != Some("type") => {
                    if let Some((specifier, from)) = specifier(tokens, at + 1) {
                        if specifier == "oacp" {
                            self.names(tokens, at + 1, from);
                        }
                        self.module(&specifier, token.line, needs);
                        skipped = from + 1;
                    }
                }
                "require" if chain::sign(tokens, at + 1) == Some('(') => {
                    if let Some(specifier) = chain::text(tokens, at + 2).and_then(Literal::whole) {
                        self.module(specifier, token.line, needs);
                    }
                }
                _ => {}
            }
        }
        rest
    }

    /// Notes what the names of `import { a as b } from "oacp"` and `import * as c from "oacp"` stand for.
    fn names(&mut self, tokens: &[Token<'a>], from: usize, to: usize) {
        let mut at = from;
        while at < to {
            if chain::sign(tokens, at) == Some('*') {
                if let Some(alias) = chain::name(tokens, at + 2) {
                    self.aliases.insert(alias, "oacp".to_owned());
                }
                return;
            }
            if let Some(name) = chain::name(tokens, at) {
                let renamed = chain::name(tokens, at + 1) == Some("as");
                let alias = if renamed {
                    chain::name(tokens, at + 2)
                } else {
                    None
                };
                let path = match name {
                    "default" => "oacp".to_owned(),
                    _ => format!("oacp.{name}"),
                };
                self.aliases.insert(alias.unwrap_or(name), path);
                at += if renamed { 2 } else { 0 };
            }
            at += 1;
        }
    }

    fn module(&mut self, specifier: &str, line: u32, needs: &mut Needs) {
        let place = self.place(line);
        if specifier == "oacp" {
            return;
        }
        let node = specifier.strip_prefix("node:");
        let known = NODE
            .iter()
            .find(|(name, _)| *name == node.unwrap_or(specifier));
        if let Some((_, instead)) = known {
            return needs.cannot(specifier, place, instead);
        }
        if node.is_some() {
            return needs.cannot(specifier, place, "leave it out: there is no Node.js");
        }
        if specifier.contains("://") || specifier.starts_with("data:") {
            let instead = "put the module's file into the source: nothing is fetched";
            return needs.cannot(specifier, place, instead);
        }
        let Some(path) = self.path_of(specifier) else {
            let instead = "put the package into the source, bundled as one ES module, and import it by its path";
            return needs.cannot(specifier, place, instead);
        };
        let found = ENDINGS
            .iter()
            .map(|ending| format!("{path}{ending}"))
            .find(|file| self.files.contains_key(file.as_str()));
        match found {
            Some(file) if file.ends_with(".json") => {}
            Some(file) => self.beside.push(file),
            None => needs.cannot(specifier, place, "there is no such file in the source"),
        }
    }

    /// The path that a specifier names. `None`: it names a package.
    fn path_of(&self, specifier: &str) -> Option<String> {
        let mut segments: Vec<&str> = match specifier.strip_prefix('/') {
            Some(_) => Vec::new(),
            None if specifier.starts_with("./") || specifier.starts_with("../") => {
                let mut segments: Vec<_> = self.path.as_str().split('/').collect();
                segments.pop();
                segments
            }
            None if specifier == "." || specifier == ".." => {
                let mut segments: Vec<_> = self.path.as_str().split('/').collect();
                segments.pop();
                segments
            }
            None => return None,
        };
        for segment in specifier.split('/') {
            match segment {
                "" | "." => {}
                ".." => drop(segments.pop()),
                name => segments.push(name),
            }
        }
        Some(segments.join("/"))
    }

    /// Globals that other hosts have, where they are not names of the file's own.
    fn globals(&self, tokens: &[Token<'a>], content: &[u8], needs: &mut Needs) {
        let names = JAVASCRIPT_MISSING.map(|(name, _)| name);
        let is_met =
            |token: &Token<'_>| matches!(token.kind, Kind::Name(name) if names.contains(&name));
        // Most files have none, and are not parsed.
        if !tokens.iter().any(is_met) {
            return;
        }
        // Where this machine could not tell, what was met stands: a run is held to this, and is not to pass for want of memory.
        let met = |_| {
            let met = tokens.iter().filter_map(|token| match token.kind {
                Kind::Name(name) => Some((*names.iter().find(|one| **one == name)?, token.line)),
                _ => None,
            });
            met.collect()
        };
        let used = crate::javascript::globals(self.path, content, &names).unwrap_or_else(met);
        for (name, line) in used {
            if let Some((_, instead)) = JAVASCRIPT_MISSING.iter().find(|(one, _)| *one == name) {
                needs.cannot(name, self.place(line), instead);
            }
        }
    }

    fn uses(&mut self, tokens: &[Token<'a>], needs: &mut Needs) {
        let mut sends = None;
        for chain in chain::chains(tokens) {
            let path = chain.path(&self.aliases);
            let place = self.place(chain.line);
            let (first, rest) = path.split_once('.').unwrap_or((&path, ""));
            if (first == "fetch" || path == "globalThis.fetch") && chain.is_call {
                sends.get_or_insert(chain.line);
            } else if first == "oacp" {
                used(rest, &chain, place, needs);
            }
        }
        if let Some(line) = sends
            && !hosts(tokens, |line| self.place(line), needs)
        {
            needs.wants("fetch", self.place(line), Wanted::Network(None));
        }
    }
}

/// A use of module `oacp`.
fn used(path: &str, chain: &Chain<'_>, place: Place, needs: &mut Needs) {
    let first = chain.argument(0, "").and_then(Literal::whole);
    let (part, function) = path.split_once('.').unwrap_or((path, ""));
    match part {
        "tools" if chain.is_call => {
            let what = named("tools.call", first);
            needs.wants(&what, place, Wanted::Tool(first.map(str::to_owned)));
        }
        "env" => {
            let key = chain.key.as_ref().and_then(Literal::whole);
            let name = match function {
                "" => key,
                name => Some(name.split_once('.').map_or(name, |(name, _)| name)),
            };
            let what = named("env", name);
            needs.wants(&what, place, Wanted::Env(name.map(str::to_owned)));
        }
        "files" if chain.is_call => {
            let path = first.map(str::to_owned);
            // Every run has a `/tmp` of its own.
            if first.is_some_and(|path| path.starts_with("/tmp/")) {
                return;
            }
            let what = named(&format!("files.{function}"), first);
            if READING.contains(&function) {
                needs.wants(&what, place.clone(), Wanted::FileRead(path.clone()));
            }
            if WRITING.contains(&function) {
                needs.wants(&what, place, Wanted::FileWrite(path));
            }
        }
        _ => {}
    }
}

/// Tokens of one statement that are looked at for where its module is.
const STATEMENT_TOKENS_MAX: usize = 512;

/// The specifier of a statement that imports, after its first word, and where it stands.
fn specifier(tokens: &[Token<'_>], start: usize) -> Option<(String, usize)> {
    let literal = |at: usize| {
        let whole = chain::text(tokens, at).and_then(Literal::whole);
        whole.map(|text| (text.to_owned(), at))
    };
    if let Some(found) = literal(start) {
        return Some(found);
    }
    if chain::sign(tokens, start) == Some('(') {
        return literal(start + 1);
    }
    for at in start..tokens.len().min(start + STATEMENT_TOKENS_MAX) {
        match &tokens.get(at)?.kind {
            Kind::Name("from") if chain::text(tokens, at + 1).is_some() => return literal(at + 1),
            // Names, braces, commas and stars stand before `from`; anything else is another statement.
            Kind::Name(
                "function" | "class" | "const" | "let" | "var" | "async" | "enum" | "interface",
            ) => return None,
            Kind::Sign(';' | '(' | '=') | Kind::Text(_) => return None,
            _ => {}
        }
    }
    None
}
