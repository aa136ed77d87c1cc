//! What Python files use.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use oacp::source::{Source, SourcePath};

use super::chain::{self, Chain};
use super::modules::{PYTHON, PYTHON_FAILING, PYTHON_MISSING, PYTHON_NETWORK};
use super::token::{self, Kind, Literal, Token};
use super::{Needs, Place, Wanted};

/// Functions whose first argument is a path that is read.
const READING: [&str; 18] = [
    "os.listdir",
    "os.scandir",
    "os.walk",
    "os.stat",
    "os.path.exists",
    "os.path.isfile",
    "os.path.isdir",
    "os.path.getsize",
    "glob.glob",
    "glob.iglob",
    "sqlite3.connect",
    "shelve.open",
    "dbm.open",
    "shutil.copy",
    "shutil.copyfile",
    "shutil.copytree",
    "shutil.move",
    "os.rename",
];

/// Functions that write at the argument of this place.
const WRITING: [(&str, usize); 18] = [
    ("sqlite3.connect", 0),
    ("shelve.open", 0),
    ("dbm.open", 0),
    ("shutil.copy", 1),
    ("shutil.copyfile", 1),
    ("shutil.copytree", 1),
    ("shutil.move", 0),
    ("shutil.move", 1),
    ("shutil.rmtree", 0),
    ("os.rename", 0),
    ("os.rename", 1),
    ("os.replace", 1),
    ("os.remove", 0),
    ("os.unlink", 0),
    ("os.rmdir", 0),
    ("os.mkdir", 0),
    ("os.makedirs", 0),
    ("os.truncate", 0),
];

/// Functions that take a path and a mode.
const OPENING: [&str; 7] = [
    "open",
    "io.open",
    "codecs.open",
    "gzip.open",
    "tarfile.open",
    "zipfile.ZipFile",
    "wave.open",
];

/// Methods of a path that write.
const PATH_WRITING: [&str; 9] = [
    "write_text",
    "write_bytes",
    "touch",
    "mkdir",
    "unlink",
    "rmdir",
    "rename",
    "replace",
    "symlink_to",
];

/// Methods of a path that read.
const PATH_READING: [&str; 9] = [
    "read_text",
    "read_bytes",
    "iterdir",
    "glob",
    "rglob",
    "exists",
    "is_file",
    "is_dir",
    "stat",
];

pub(super) fn scan(source: &Source, needs: &mut Needs) {
    let files: BTreeMap<&str, (&SourcePath, &[u8])> = source
        .files()
        .map(|(path, content)| (path.as_str(), (path, content)))
        .collect();
    let mut waiting = vec![source.entry().as_str().to_owned()];
    let mut seen: BTreeSet<String> = waiting.iter().cloned().collect();
    while let Some(path) = waiting.pop() {
        let Some((path, content)) = files.get(path.as_str()) else {
            continue;
        };
        // Another encoding's bytes do no harm: literals that have them are not ASCII.
        let text = String::from_utf8_lossy(content);
        let tokens = token::of_python(&text);
        let mut file = File {
            path,
            files: &files,
            entry: source.entry().as_str(),
            aliases: HashMap::new(),
            beside: Vec::new(),
            network: None,
        };
        let rest = file.imports(&tokens, needs);
        file.uses(&rest, needs);
        for beside in file.beside {
            if seen.insert(beside.clone()) {
                waiting.push(beside);
            }
        }
    }
}

/// A file that is looked at.
struct File<'a> {
    path: &'a SourcePath,
    files: &'a BTreeMap<&'a str, (&'a SourcePath, &'a [u8])>,
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
            let path = self.resolved(&chain);
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
                } else if has_paths {
                    self.path_method(&chain, made.get(&chain.tokens.start), &place, needs);
                }
            }
            if is_below(&path, "os.environ") {
                let name = chain.key.as_ref().or_else(|| chain.argument(0, "key"));
                let name = name.and_then(Literal::whole).map(str::to_owned);
                let what = named("os.environ", name.as_deref());
                needs.wants(&what, place, Wanted::Env(name));
            }
        }
        self.hosts(tokens, needs);
    }

    /// A method that may be of a path, as of every value in a file that uses `pathlib`; and surely is if it is called on what was just
    /// `made`.
    fn path_method(
        &self,
        chain: &Chain<'_>,
        made: Option<&Option<String>>,
        place: &Place,
        needs: &mut Needs,
    ) {
        let [first, .., method] = chain.names.as_slice() else {
            return;
        };
        let of_library = self.aliases.get(first).is_some_and(|path| {
            let top = path.split('.').next().unwrap_or_default();
            PYTHON.contains(&top)
        });
        // Texts have a `replace`, too.
        if of_library || (made.is_none() && *method == "replace") {
            return;
        }
        // `Path("a").parent` is another path.
        let path = match chain.names.len() {
            2 => made.cloned().flatten(),
            _ => None,
        };
        let function = "pathlib.Path";
        if *method == "open" {
            let mode = chain.argument(0, "mode").and_then(Literal::whole);
            opened(function, path, mode, place, needs);
        } else if PATH_READING.contains(method) {
            files(function, path, place, Wanted::FileRead, needs);
        } else if PATH_WRITING.contains(method) {
            files(function, path, place, Wanted::FileWrite, needs);
        }
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
        self.files_of(path, chain, place, needs);
    }

    /// What a call does to files.
    fn files_of(&self, path: &str, chain: &Chain<'_>, place: &Place, needs: &mut Needs) {
        let at = |argument: usize, keyword: &str| {
            let literal = chain.argument(argument, keyword);
            literal.and_then(Literal::whole).map(str::to_owned)
        };
        if OPENING.contains(&path) {
            let mode = chain.argument(1, "mode").and_then(Literal::whole);
            return opened(path, at(0, "file"), mode, place, needs);
        }
        if READING.contains(&path) {
            files(path, at(0, "file"), place, Wanted::FileRead, needs);
        }
        for (_, argument) in WRITING.iter().filter(|(name, _)| *name == path) {
            files(path, at(*argument, ""), place, Wanted::FileWrite, needs);
        }
    }

    /// Where a file sends requests that it sends at all: the hosts of its literals.
    fn hosts(&self, tokens: &[Token<'a>], needs: &mut Needs) {
        let Some((module, line)) = &self.network else {
            return;
        };
        let mut found = *line == 0;
        for (at, token) in tokens.iter().enumerate() {
            // A text that is a statement of its own is a comment.
            let begins =
                at == 0 || matches!(tokens.get(at - 1).map(|token| &token.kind), Some(Kind::End));
            let ends = matches!(tokens.get(at + 1).map(|token| &token.kind), Some(Kind::End));
            if let Kind::Text(literal) = &token.kind
                && !(begins && ends)
                && let Some(host) = token::host(literal)
            {
                found = true;
                needs.wants(
                    &host,
                    self.place(token.line),
                    Wanted::Network(Some(host.clone())),
                );
            }
        }
        if !found {
            needs.wants(module, self.place(*line), Wanted::Network(None));
        }
    }

    /// A chain with what its first name stands for.
    fn resolved(&self, chain: &Chain<'_>) -> String {
        let (first, rest) = chain.names.split_first().unwrap_or((&"", &[]));
        let mut path = self
            .aliases
            .get(*first)
            .cloned()
            .unwrap_or_else(|| (*first).to_owned());
        for name in rest {
            path.push('.');
            path.push_str(name);
        }
        path
    }
}

/// Notes that a file is opened; without a mode to be read.
fn opened(
    function: &str,
    path: Option<String>,
    mode: Option<&str>,
    place: &Place,
    needs: &mut Needs,
) {
    let mode = mode.unwrap_or_default();
    let writes = mode.contains(['w', 'a', 'x', '+']);
    if !writes || mode.contains('+') {
        files(function, path.clone(), place, Wanted::FileRead, needs);
    }
    if writes {
        files(function, path, place, Wanted::FileWrite, needs);
    }
}

/// Notes the use of a path, unless it lies where every run has files of its own.
fn files(
    function: &str,
    path: Option<String>,
    place: &Place,
    wanted: fn(Option<String>) -> Wanted,
    needs: &mut Needs,
) {
    let is_own = |path: &String| path.starts_with("/tmp/") || path == ":memory:";
    if !path.as_ref().is_some_and(is_own) {
        let what = named(function, path.as_deref());
        needs.wants(&what, place.clone(), wanted(path));
    }
}

fn named(function: &str, argument: Option<&str>) -> String {
    match argument {
        Some(argument) => format!("{function}({argument:?})"),
        None => function.to_owned(),
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
