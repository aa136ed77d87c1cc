//! What Python files use.

mod files;

use std::collections::HashMap;

use oacp::source::{Source, SourcePath};

use super::chain::{self, Chain};
use super::modules::{PYTHON, PYTHON_FAILING, PYTHON_MISSING, PYTHON_NETWORK};
use super::token::{self, Kind, Literal, Token};
use super::walk::{Files, follow, hosts, named};
use super::{Needs, Place, Wanted};

pub(super) fn scan(source: &Source, needs: &mut Needs) {
    follow(source, |files, path, content| {
        // Another encoding's bytes do no harm: literals that have them are not ASCII.
        let text = String::from_utf8_lossy(content);
        let tokens = token::of_python(&text);
        let mut file = File {
            path,
            files,
            entry: source.entry().as_str(),
            aliases: HashMap::new(),
            beside: Vec::new(),
            network: None,
        };
        let rest = file.imports(&tokens, needs);
        file.uses(&rest, needs);
        file.beside
    });
}

/// A file that is looked at.
struct File<'a> {
    path: &'a SourcePath,
    files: &'a Files<'a>,
    entry: &'a str,
    /// What a name at the top stands for, as a dotted path.
    aliases: HashMap<&'a str, String>,
    /// Files of the source that it imports.
    beside: Vec<String>,
    /// The module by which it sends requests, and where that is imported.
    network: Option<(String, u32)>,
}

impl<'a> File<'a> {
    fn place(&self, line: u32) -> Place {
        Place::Line {
            file: self.path.clone(),
            line,
        }
    }

    /// Reads the statements that import; gives what is left.
    fn imports(&mut self, tokens: &[Token<'a>], needs: &mut Needs) -> Vec<Token<'a>> {
        let mut rest = Vec::new();
        let (mut begins, mut imports) = (true, false);
        for (at, token) in tokens.iter().enumerate() {
            if begins {
                imports = true;
                match token.kind {
                    Kind::Name("import") => self.import(tokens, at + 1, token.line, needs),
                    Kind::Name("from") => self.import_from(tokens, at + 1, token.line, needs),
                    _ => imports = false,
                }
            }
            begins = matches!(token.kind, Kind::End | Kind::Sign(';' | ':'));
            if begins || !imports {
                rest.push(token.clone());
            }
        }
        rest
    }

    /// `import a.b as c, d`
    fn import(&mut self, tokens: &[Token<'a>], mut at: usize, line: u32, needs: &mut Needs) {
        loop {
            let first = chain::name(tokens, at);
            let Some((path, next)) = dotted(tokens, at) else {
                return;
            };
            at = next;
            if chain::name(tokens, at) == Some("as") {
                if let Some(alias) = chain::name(tokens, at + 1) {
                    self.aliases.insert(alias, path.clone());
                }
                at += 2;
            } else if let Some(first) = first {
                self.aliases.insert(first, first.to_owned());
            }
            self.module(&path, line, needs);
            if chain::sign(tokens, at) != Some(',') {
                return;
            }
            at += 1;
        }
    }

    /// `from a.b import c as d, (e)`
    fn import_from(&mut self, tokens: &[Token<'a>], mut at: usize, line: u32, needs: &mut Needs) {
        let mut level = 0_usize;
        while chain::sign(tokens, at) == Some('.') {
            level += 1;
            at += 1;
        }
        let module = match dotted(tokens, at) {
            Some((path, next)) if path != "import" => {
                at = next;
                path
            }
            _ => String::new(),
        };
        if chain::name(tokens, at) != Some("import") {
            return;
        }
        at += 1;
        if chain::sign(tokens, at) == Some('(') {
            at += 1;
        }
        if level == 0 {
            self.module(&module, line, needs);
        } else {
            self.relative(level, &module);
        }
        while let Some(imported) = chain::name(tokens, at) {
            at += 1;
            let path = format!("{module}.{imported}");
            if level == 0 {
                if PYTHON_NETWORK.contains(&path.as_str()) {
                    self.network.get_or_insert((path.clone(), line));
                }
                self.find_beside(&path);
            } else {
                let path = path.trim_start_matches('.');
                self.relative(level, path);
            }
            let mut alias = imported;
            if chain::name(tokens, at) == Some("as") {
                alias = chain::name(tokens, at + 1).unwrap_or(imported);
                at += 2;
            }
            if level == 0 {
                self.aliases.insert(alias, path);
            }
            if chain::sign(tokens, at) != Some(',') {
                return;
            }
            at += 1;
        }
    }

    /// Notes that a module is imported.
    fn module(&mut self, path: &str, line: u32, needs: &mut Needs) {
        let top = path.split('.').next().unwrap_or_default();
        if self.find_beside(path) {
            return;
        }
        if PYTHON_NETWORK.contains(&path) {
            self.network.get_or_insert((path.to_owned(), line));
        }
        let missing = PYTHON_MISSING.iter().find(|(name, _)| *name == top);
        match missing {
            Some((_, instead)) => needs.cannot(top, self.place(line), instead),
            None if PYTHON.contains(&top) || top.is_empty() => {}
            None => {
                let instead = format!(
                    "put it beside the file: `pip install --target . {top}`, if it is Python alone"
                );
                needs.cannot(top, self.place(line), &instead);
            }
        }
    }

    /// Notes the files of a module of the source. Whether there are any.
    fn find_beside(&mut self, path: &str) -> bool {
        let below = path.replace('.', "/");
        let top = below.split('/').next().unwrap_or_default().to_owned();
        let own = directory_of(self.entry).to_owned();
        let mut found = false;
        for root in [String::new(), own] {
            let mut module = String::new();
            for segment in below.split('/') {
                module = join(&module, segment);
                for file in [format!("{module}.py"), format!("{module}/__init__.py")] {
                    let file = join(&root, &file);
                    if self.files.contains_key(file.as_str()) {
                        self.beside.push(file);
                        found = true;
                    }
                }
            }
            // A namespace package has no file of its own.
            let directory = format!("{}/", join(&root, &top));
            found |= self
                .files
                .range(directory.as_str()..)
                .next()
                .is_some_and(|(file, _)| file.starts_with(&directory));
        }
        found
    }

    /// Notes the files of a module that is imported by dots.
    fn relative(&mut self, level: usize, path: &str) {
        let mut directory = directory_of(self.path.as_str());
        for _ in 1..level {
            directory = directory_of(directory);
        }
        let module = join(directory, &path.replace('.', "/"));
        for file in [format!("{module}.py"), format!("{module}/__init__.py")] {
            if self.files.contains_key(file.as_str()) {
                self.beside.push(file);
            }
        }
    }

    /// Looks at what is called and read.
    fn uses(&mut self, tokens: &[Token<'a>], needs: &mut Needs) {
        let mut aliases = self.aliases.values();
        let has_paths = aliases.any(|path| is_below(path, "pathlib"));
        // What `Path(…)` is made of, by the token after it.
        let mut made = HashMap::new();
        for chain in chain::chains(tokens) {
            let path = chain.path(&self.aliases);
            let place = self.place(chain.line);
            if PYTHON_NETWORK.iter().any(|module| is_below(&path, module)) {
                self.network.get_or_insert((path.clone(), chain.line));
            }
            if chain.is_call {
                self.call(&path, &chain, &place, needs);
                if path == "pathlib.Path" {
                    let literal = match chain.arguments.len() {
                        1 => chain.argument(0, "").and_then(Literal::whole),
                        _ => None,
                    };
                    made.insert(chain.tokens.end, literal.map(str::to_owned));
                } else if has_paths && !self.is_of_library(&chain) {
                    files::method(&chain, made.get(&chain.tokens.start), &place, needs);
                }
            }
            if is_below(&path, "os.environ") {
                let name = chain.key.as_ref().or_else(|| chain.argument(0, "key"));
                let name = name.and_then(Literal::whole).map(str::to_owned);
                let what = named("os.environ", name.as_deref());
                needs.wants(&what, place, Wanted::Env(name));
            }
        }
        let Some((module, line)) = &self.network else {
            return;
        };
        // Of line 0 it was said which host.
        if !hosts(tokens, |line| self.place(line), needs) && *line > 0 {
            needs.wants(module, self.place(*line), Wanted::Network(None));
        }
    }

    /// Whether a chain begins with what was imported from Python's library.
    fn is_of_library(&self, chain: &Chain<'_>) -> bool {
        let imported = chain
            .names
            .first()
            .and_then(|first| self.aliases.get(first));
        imported.is_some_and(|path| {
            let top = path.split('.').next().unwrap_or_default();
            PYTHON.contains(&top)
        })
    }

    fn call(&mut self, path: &str, chain: &Chain<'_>, place: &Place, needs: &mut Needs) {
        let first = chain.argument(0, "");
        let whole = |literal: Option<&Literal>| literal.and_then(Literal::whole).map(str::to_owned);
        let failing = PYTHON_FAILING
            .iter()
            .find(|(name, _)| match name.strip_suffix('.') {
                Some(module) => is_below(path, module) && path != module,
                None => path == *name,
            });
        // A variable may have a module's name.
        let is_imported = chain
            .names
            .first()
            .is_some_and(|first| self.aliases.contains_key(first));
        if let Some((_, instead)) = failing.filter(|_| is_imported) {
            return needs.cannot(path, place.clone(), instead);
        }
        match path {
            "os.getenv" => {
                let name = whole(chain.argument(0, "key"));
                let what = named("os.getenv", name.as_deref());
                return needs.wants(&what, place.clone(), Wanted::Env(name));
            }
            "oacp.tools.call" | "oacp.tools.call_async" => {
                let name = whole(chain.argument(0, "name"));
                let what = named("tools.call", name.as_deref());
                return needs.wants(&what, place.clone(), Wanted::Tool(name));
            }
            "importlib.import_module" | "__import__" => {
                if let Some(module) = whole(first) {
                    self.module(&module, chain.line, needs);
                }
                return;
            }
            "http.client.HTTPSConnection" | "http.client.HTTPConnection" => {
                let scheme = if path.ends_with("HTTPSConnection") {
                    "https"
                } else {
                    "http"
                };
                let host = whole(chain.argument(0, "host")).and_then(|host| {
                    token::host(&Literal {
                        text: format!("{scheme}://{host}"),
                        is_whole: true,
                    })
                });
                if let Some(host) = host {
                    needs.wants(&host, place.clone(), Wanted::Network(Some(host.clone())));
                    // Said better than by the import.
                    self.network = Some((path.to_owned(), 0));
                }
                return;
            }
            _ => {}
        }
        files::call(path, chain, place, needs);
    }
}

fn is_below(path: &str, module: &str) -> bool {
    path.strip_prefix(module)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A dotted name, and where it ends.
fn dotted(tokens: &[Token<'_>], mut at: usize) -> Option<(String, usize)> {
    let mut path = chain::name(tokens, at)?.to_owned();
    at += 1;
    while let (Some('.'), Some(name)) = (chain::sign(tokens, at), chain::name(tokens, at + 1)) {
        path.push('.');
        path.push_str(name);
        at += 2;
    }
    Some((path, at))
}

fn directory_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

fn join(directory: &str, name: &str) -> String {
    match (directory, name) {
        ("", _) => name.to_owned(),
        (_, "") => directory.to_owned(),
        _ => format!("{directory}/{name}"),
    }
}
