//! The files of a source, as imports name them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use oacp::source::{Source, SourcePath};

use super::limits::TYPE_DEPTH_MAX;
use super::module::{Declared, Module, Origin};
use super::parse::Language;
use crate::package::Remark;

/// All files, each read when it is first asked for.
pub(super) struct Files<'s> {
    contents: BTreeMap<&'s str, (&'s SourcePath, &'s [u8])>,
    read: RefCell<BTreeMap<SourcePath, Result<Rc<Module>, Remark>>>,
}

/// Which of two files of one name an import means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// The one that runs.
    Values,
    /// The one that declares types.
    Types,
}

impl<'s> Files<'s> {
    pub(super) fn of(source: &'s Source) -> Self {
        let contents = source
            .files()
            .map(|(path, content)| (path.as_str(), (path, content)));
        Self {
            contents: contents.collect(),
            read: RefCell::default(),
        }
    }

    /// A file's module. `None`: there is none of that name, or it is not JavaScript.
    pub(super) fn module(&self, file: &SourcePath) -> Option<Result<Rc<Module>, Remark>> {
        if let Some(read) = self.read.borrow().get(file) {
            return Some(read.clone());
        }
        let language = Language::of(file)?;
        let (_, content) = self.contents.get(file.as_str())?;
        let read = Module::read(file, content, language).map(Rc::new);
        self.read.borrow_mut().insert(file.clone(), read.clone());
        Some(read)
    }

    /// The file that an import means. `None`: none of this source.
    pub(super) fn resolve(
        &self,
        from: &SourcePath,
        specifier: &str,
        wanted: For,
    ) -> Option<SourcePath> {
        let path = join(from.as_str(), specifier)?;
        let found = candidates(&path, wanted).find_map(|path| self.contents.get(path.as_str()));
        found.map(|(path, _)| (*path).clone())
    }

    /// The module that declares a name which `at` imports, and the name there. The name of a default export that has none is `default`.
    pub(super) fn follow(
        &self,
        at: &Rc<Module>,
        name: &str,
        wanted: For,
    ) -> Option<(Rc<Module>, String)> {
        let import = at.imports.get(name)?;
        let imported = import.imported.clone()?;
        let file = self.resolve(&at.file, &import.from, wanted)?;
        let module = self.module(&file)?.ok()?;
        self.exported(&module, &imported, wanted, 0)
    }

    /// The module and the name in it that a module exports as `name`.
    pub(super) fn exported(
        &self,
        module: &Rc<Module>,
        name: &str,
        wanted: For,
        depth: usize,
    ) -> Option<(Rc<Module>, String)> {
        if depth > TYPE_DEPTH_MAX {
            return None;
        }
        let other = |file: &str, name: &str| {
            let file = self.resolve(&module.file, file, wanted)?;
            let module = self.module(&file)?.ok()?;
            self.exported(&module, name, wanted, depth + 1)
        };
        match module
            .exports
            .iter()
            .find(|export| export.name == name)
            .map(|export| &export.from)
        {
            Some(Origin::Local(local)) => {
                let here = module.types.contains_key(local) || module.values.contains(local);
                match module.imports.get(local) {
                    Some(import) if !here => other(&import.from, import.imported.as_deref()?),
                    _ => Some((Rc::clone(module), local.clone())),
                }
            }
            Some(Origin::Other { file, name }) => other(file, name.as_deref()?),
            Some(Origin::Nameless | Origin::Value) => Some((Rc::clone(module), name.to_owned())),
            // A comment's types are importable without an `export`.
            None if wanted == For::Types && module.types.contains_key(name) => {
                Some((Rc::clone(module), name.to_owned()))
            }
            // Each file that is asked asks others: at most a few hops.
            None if name != "default" && depth < 3 => module
                .export_all
                .iter()
                .take(16)
                .find_map(|(file, _)| other(file, name)),
            None => None,
        }
    }

    /// Whether a name of a module is a type, and nothing when it runs.
    pub(super) fn is_type(&self, module: &Rc<Module>, name: &str) -> bool {
        if module.values.contains(name) {
            return false;
        }
        if module.types.contains_key(name) {
            return true;
        }
        match module.imports.get(name) {
            Some(import) if import.type_only => true,
            Some(_) => self
                .follow(module, name, For::Types)
                .is_some_and(|(module, name)| is_only_type(&module, &name)),
            None => false,
        }
    }

    /// Whether what a module exports as `name` is a type, and nothing when it runs.
    pub(super) fn exports_type(&self, module: &Rc<Module>, name: &str) -> bool {
        self.exported(module, name, For::Types, 0)
            .is_some_and(|(module, name)| is_only_type(&module, &name))
    }

    /// A type that has a name, as `at` knows it.
    pub(super) fn with_type<T>(
        &self,
        at: &Rc<Module>,
        name: &str,
        then: impl FnOnce(&Rc<Module>, &str, &Declared) -> T,
    ) -> Option<T> {
        if let Some(declared) = at.types.get(name) {
            return Some(then(at, name, declared));
        }
        let (module, name) = self.follow(at, name, For::Types)?;
        let declared = module.types.get(&name)?;
        Some(then(&module, &name, declared))
    }
}

fn is_only_type(module: &Module, name: &str) -> bool {
    module.types.contains_key(name) && !module.values.contains(name)
}

/// A path relative to a file's directory. `None`: it leaves the source, or is no path.
fn join(from: &str, specifier: &str) -> Option<String> {
    let mut segments: Vec<&str> = match specifier {
        _ if specifier.starts_with('/') => Vec::new(),
        _ if specifier.starts_with("./")
            || specifier.starts_with("../")
            || matches!(specifier, "." | "..") =>
        {
            let directory = from.rsplit_once('/').map_or("", |(directory, _)| directory);
            directory
                .split('/')
                .filter(|segment| !segment.is_empty())
                .collect()
        }
        _ => return None,
    };
    for segment in specifier.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop()?;
            }
            segment => segments.push(segment),
        }
    }
    Some(segments.join("/"))
}

/// The files that a path may mean, the likeliest first.
fn candidates(path: &str, wanted: For) -> impl Iterator<Item = String> {
    let mut list = Vec::new();
    for (ending, instead) in [(".js", ["ts", "d.ts"]), (".mjs", ["mts", "d.mts"])] {
        if let Some(stem) = path.strip_suffix(ending) {
            let instead = instead.map(|ending| format!("{stem}.{ending}"));
            if wanted == For::Types {
                list.extend(instead);
                list.push(path.to_owned());
            } else {
                list.push(path.to_owned());
                list.extend(instead.into_iter().take(1));
            }
        }
    }
    if list.is_empty() {
        list.push(path.to_owned());
    }
    let endings = match wanted {
        For::Values => ["js", "ts", "mjs", "mts"].as_slice(),
        For::Types => ["ts", "mts", "d.ts", "d.mts", "js", "mjs"].as_slice(),
    };
    for base in [path.to_owned(), format!("{path}/index")] {
        let base = base.trim_start_matches('/').to_owned();
        list.extend(endings.iter().map(|ending| format!("{base}.{ending}")));
    }
    list.into_iter()
}
