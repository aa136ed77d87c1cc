"""Imports from memory: the agent's own files, and packages bundled into the component.

Both are trees of (path → bytes) below an entry of `sys.path`, so that the standard path finder does
the searching: packages, modules, namespace packages, `importlib.resources`, `importlib.metadata`,
`pkgutil` and `linecache` see what they would see on a disk.
"""

import _imp
import importlib.machinery
import importlib.metadata
import importlib.resources.abc
import importlib.util
import io
import linecache
import sys
from importlib._bootstrap_external import SourceLoader

BUNDLE = "<bundled>"


class Tree:
    """Files in memory. `entries` maps a directory to the names in it (True: a directory)."""

    def __init__(self):
        self.files = {}
        self.entries = {}

    def fill(self, files):
        self.files.clear()
        self.entries.clear()
        self.entries["."] = {}
        for path, content in files:
            self.files[path] = content
            directory, _, name = path.rpartition("/")
            is_directory = False
            while True:
                names = self.entries.setdefault(directory or ".", {})
                known = name in names
                names.setdefault(name, is_directory)
                if known or not directory:
                    break
                is_directory = True
                directory, _, name = directory.rpartition("/")


agent = Tree()
_bundle = Tree()
_built = set()  # the directories of the modules that were imported while the component was built


def in_memory(path):
    """Whether a file or directory of the path finder's is the agent's, the bundle's, or left from the build."""
    path = path.removeprefix("./")
    if path in agent.files or path in agent.entries or path.startswith(BUNDLE):
        return True
    return path in _built or path.rpartition("/")[0] in _built or path.startswith("<") and path.endswith(">")


def content_of(path):
    """The bytes of an agent's or a bundled file, or None."""
    return _tree_of(path).files.get(path)


def _tree_of(path):
    return _bundle if path.startswith(BUNDLE) else agent


def _join(directory, name):
    return name if directory == "." else f"{directory}/{name}"


def decode(content, path):
    """The text of a source file; SyntaxError if its bytes are not text in its declared encoding."""
    try:
        return importlib.util.decode_source(content)
    except (UnicodeDecodeError, SyntaxError) as error:
        fault = error
    if isinstance(fault, SyntaxError):
        try:
            content.decode()
        except UnicodeDecodeError as error:
            fault = error
    if isinstance(fault, SyntaxError):  # an encoding that nobody knows
        raise SyntaxError(fault.msg, (path, 1, None, None))
    line = content.count(b"\n", 0, fault.start) + 1
    raise SyntaxError(
        f"not valid {fault.encoding.upper()}: byte 0x{content[fault.start]:02x} in line {line}; save the file as UTF-8",
        (path, line, None, None))


def compile_file(content, path):
    """Compiles a source file's bytes, with errors that name the file."""
    if not content.isascii():
        decode(content, path)  # the compiler itself lets bytes that are no text pass in comments
    try:
        code = compile(content, UNOPENED + path, "exec", dont_inherit=True)
    except SyntaxError as error:
        error.filename, error.lineno = shown_name(error.filename or path), error.lineno or 1
        raise
    except ValueError as error:
        raise SyntaxError(str(error), (path, 1, None, None)) from None
    _imp._fix_co_filename(code, path)
    return code


# Begins the name of a file that cannot be opened. To show a faulty line the compiler looks for the file on the disk,
# which the host would record as a denial; without the file it takes the line from memory.
UNOPENED = "\ud800"


def shown_name(path):
    """A file's name as people know it."""
    return path.removeprefix(UNOPENED) if isinstance(path, str) else path


class MemoryLoader(SourceLoader):
    """Loads one module from a tree."""

    def __init__(self, fullname, path):
        self.name = fullname
        self.path = path

    def get_filename(self, fullname=None):
        return self.path

    def get_data(self, path):
        tree = _tree_of(path)
        try:
            return tree.files[path]
        except KeyError:
            pass
        if path.startswith("./"):
            path = path[2:]
        try:
            return tree.files[path]
        except KeyError:
            raise FileNotFoundError(2, "No such file among the agent's files", path) from None

    def get_code(self, fullname):
        return self.source_to_code(self.get_data(self.path), self.path)

    def source_to_code(self, data, path, *, _optimize=-1):
        return compile_file(data, path)

    def get_source(self, fullname):
        try:
            return decode(self.get_data(self.path), self.path)
        except (OSError, SyntaxError) as error:
            raise ImportError(f"no source of {fullname}", name=fullname) from error

    def is_package(self, fullname):
        return self.path.endswith("/__init__.py") or self.path == "__init__.py"

    def get_resource_reader(self, fullname):
        return _Resources(MemoryPath(self.path.rpartition("/")[0] or "."))


class _Finder:
    """Finds modules in one directory of a tree."""

    def __init__(self, directory):
        self.path = directory

    def find_spec(self, fullname, target=None):
        tail = fullname.rpartition(".")[2]
        tree = _tree_of(self.path)
        names = tree.entries.get(self.path)
        if names is None:
            return None
        is_directory = names.get(tail)
        if is_directory:
            package = _join(self.path, tail)
            init = f"{package}/__init__.py"
            if init in tree.files:
                return _spec(fullname, init, [package])
        if names.get(f"{tail}.py") is False:
            return _spec(fullname, _join(self.path, f"{tail}.py"), None)
        if is_directory:
            spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [package]
            return spec
        return None

    def iter_modules(self, prefix=""):
        tree = _tree_of(self.path)
        for name, is_directory in sorted(tree.entries.get(self.path, {}).items()):
            if is_directory:
                if f"{_join(self.path, name)}/__init__.py" in tree.files and name.isidentifier():
                    yield prefix + name, True
            elif name.endswith(".py") and name != "__init__.py" and name[:-3].isidentifier():
                yield prefix + name[:-3], False

    def invalidate_caches(self):
        pass


def _spec(fullname, path, locations):
    spec = importlib.machinery.ModuleSpec(fullname, MemoryLoader(fullname, path), origin=path)
    spec.submodule_search_locations = locations
    spec.has_location = True
    return spec


def _hook(path):
    if path.startswith("./"):
        path = path[2:] or "."
    path = path.rstrip("/")
    if path in _tree_of(path).entries or path in _built:
        return _Finder(path)  # one of what is only left from the build finds nothing
    raise ImportError("not a directory in memory", path=path)


class MemoryPath(importlib.resources.abc.Traversable):
    """A file or directory of a tree, for `importlib.resources`."""

    def __init__(self, path):
        self._path = path

    @property
    def name(self):
        return self._path.rpartition("/")[2]

    def iterdir(self):
        names = _tree_of(self._path).entries.get(self._path)
        if names is None:
            raise NotADirectoryError(20, "Not a directory among the agent's files", self._path)
        return (MemoryPath(_join(self._path, name)) for name in sorted(names))

    def is_dir(self):
        return self._path in _tree_of(self._path).entries

    def is_file(self):
        return self._path in _tree_of(self._path).files

    def exists(self):
        return self.is_dir() or self.is_file()

    def joinpath(self, *parts):
        path = self._path
        for part in "/".join(map(str, parts)).split("/"):
            if part == "..":
                path = path.rpartition("/")[0] or "."
            elif part not in ("", "."):
                path = _join(path, part)
        return MemoryPath(path)

    __truediv__ = joinpath

    @property
    def parent(self):
        return self.joinpath("..")

    @property
    def suffix(self):
        stem, dot, suffix = self.name.rpartition(".")
        return f".{suffix}" if stem and dot else ""

    @property
    def stem(self):
        return self.name.removesuffix(self.suffix)

    def read_bytes(self):
        files = _tree_of(self._path).files
        if self._path not in files:
            if self.is_dir():
                raise IsADirectoryError(21, "Is a directory among the agent's files", self._path)
            raise FileNotFoundError(2, "No such file among the agent's files", self._path)
        return files[self._path]

    def read_text(self, encoding=None, errors=None):
        with self.open("r", encoding=encoding or "utf-8", errors=errors) as stream:
            return stream.read()

    def open(self, mode="r", *args, **options):
        if mode not in ("r", "rt", "rb"):
            raise ValueError(f"the agent's own files are only read, not opened with mode {mode!r}")
        raw = io.BytesIO(self.read_bytes())
        if mode == "rb":
            return raw
        if not args:
            options.setdefault("encoding", "utf-8")
        return io.TextIOWrapper(raw, *args, **options)

    def __str__(self):
        return self._path

    __fspath__ = __str__

    def __repr__(self):
        return f"MemoryPath({self._path!r})"

    def __eq__(self, other):
        return isinstance(other, MemoryPath) and other._path == self._path

    def __hash__(self):
        return hash(self._path)


class _Resources(importlib.resources.abc.TraversableResources):
    def __init__(self, root):
        self._root = root

    def files(self):
        return self._root


class _Distribution(importlib.metadata.Distribution):
    """A `*.dist-info` directory of a tree."""

    def __init__(self, directory):
        self._directory = directory

    def read_text(self, filename):
        content = _tree_of(self._directory).files.get(f"{self._directory}/{filename}")
        return None if content is None else content.decode("utf-8", "replace")

    def locate_file(self, path):
        return MemoryPath(self._directory).parent.joinpath(path)


class _Distributions:
    """On `sys.meta_path` for `importlib.metadata` alone: it finds no modules."""

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        return None

    @classmethod
    def find_distributions(cls, context=importlib.metadata.DistributionFinder.Context()):
        wanted = None if context.name is None else importlib.metadata.Prepared.normalize(context.name)
        for root in context.path:
            for name, is_directory in sorted(_tree_of(root).entries.get(root, {}).items()):
                if is_directory and name.endswith((".dist-info", ".egg-info")):
                    own = name.rpartition(".")[0].partition("-")[0]
                    if wanted is None or importlib.metadata.Prepared.normalize(own) == wanted:
                        yield _Distribution(_join(root, name))


def install(bundled):
    """Called once, when the component is built. `bundled` are (path, bytes) below BUNDLE."""
    _bundle.fill((f"{BUNDLE}/{path}", content) for path, content in bundled)
    agent.fill(())
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and file.startswith("/"):
            _built.add(file.rpartition("/")[0])
    sys.path_hooks.insert(0, _hook)
    sys.meta_path.append(_Distributions)
    sys.path[:] = [".", BUNDLE]
    sys.path_importer_cache.clear()

    standard = importlib.machinery.NamespaceLoader.get_resource_reader

    def get_resource_reader(self, fullname):
        for path in self._path:
            if path in _tree_of(path).entries:
                return _Resources(MemoryPath(path))
        return standard(self, fullname)

    importlib.machinery.NamespaceLoader.get_resource_reader = get_resource_reader


# Imported by any Python before a program's first line, so that no file beside a program hides them.
_EARLY = frozenset("""
    sys builtins _frozen_importlib _frozen_importlib_external _imp _io _thread _warnings _weakref marshal posix time
    zipimport _codecs codecs encodings _signal _abc abc io _stat stat _collections_abc posixpath genericpath os
    os.path _sitebuiltins site importlib importlib._bootstrap importlib._bootstrap_external importlib.machinery
    oacp asyncio typing types warnings traceback linecache
""".split())

_hidden = {}


def place(files, entry):
    """Puts an agent's files where imports look; returns the entry's (module name, is a package).

    A further run of the same files finds what the earlier ones imported, with the state that they left it in.
    """
    is_further = bool(agent.files) and agent.files == dict(files)
    if not is_further:
        if agent.files:
            _forget()
        agent.fill(files)

    directory, _, name = entry.rpartition("/")
    name = name.removesuffix(".py")
    roots = ["."]
    if directory and directory not in roots:
        roots.append(directory)
    is_package = name == "__init__" and bool(directory)
    if is_package:
        directory, _, name = directory.rpartition("/")
    while directory and f"{directory}/__init__.py" in agent.files:
        directory, _, last = directory.rpartition("/")
        name = f"{last}.{name}"
    if directory and directory not in roots:
        roots.insert(1, directory)
    if directory:  # the entry's own directory comes first, as for `python directory/agent.py`
        roots.remove(directory)
        roots.insert(0, directory)
    sys.path[:] = [*roots, BUNDLE]

    # The standard library is in sys.modules already; a file of the agent's comes before it.
    if len(agent.files) > 1 and not is_further:
        for root in roots:
            for own, is_directory in agent.entries.get(root, {}).items():
                own = own if is_directory else own.removesuffix(".py")
                if own in sys.modules and own not in _EARLY:
                    if is_directory and not _has_modules(_join(root, own)):
                        continue
                    for loaded in [n for n in sys.modules if n == own or n.startswith(own + ".")]:
                        _hidden[loaded] = sys.modules.pop(loaded)
    return name, is_package


def _forget():
    """Takes away what an earlier run of this instance imported from its source."""
    for name in [n for n, m in sys.modules.items() if _is_from_source(m)]:
        del sys.modules[name]
    sys.modules.update(_hidden)
    _hidden.clear()
    sys.path_importer_cache.clear()
    linecache.clearcache()


def _has_modules(directory):
    return f"{directory}/__init__.py" in agent.files


def kept(name, path):
    """The module that an earlier run made of the entry `path`, or None."""
    module = sys.modules.get(name)
    return module if module and _is_from_source(module) and module.__file__ == path else None


def _is_from_source(module):
    spec = getattr(module, "__spec__", None)
    loader = getattr(spec, "loader", None)
    return type(loader) is MemoryLoader and _tree_of(loader.path) is agent


def remember_sources():
    """Gives `linecache` every source line of the agent, for a trace."""
    for path, content in agent.files.items():
        if path.endswith(".py") and path not in linecache.cache or path in linecache.cache and len(linecache.cache[path]) == 1:
            remember_source(path, content)


def remember_source(path, content):
    """Gives `linecache` the lines of one file, and returns them."""
    try:
        text = decode(content, path)
    except (SyntaxError, ValueError, LookupError):
        text = content.decode("utf-8", "replace")
    lines = text.splitlines(True)
    linecache.cache[path] = (len(content), None, lines, path)
    return lines
