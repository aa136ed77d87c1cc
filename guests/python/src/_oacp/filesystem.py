"""The filesystem: the working directory, and what wasi-libc lacks although programs expect it.

The standard library's own searches on a disk are kept from the host, which would record each as a denial.
"""

import ast
import builtins
import codeop
import functools
import gettext
import importlib.metadata
import inspect
import io
import linecache
import mimetypes
import os
import sqlite3
import sys
import tarfile
import traceback
import uuid
import warnings
import zipfile

from wit_world.imports import files as _files

from . import files

_USER = 1000  # not root: tarfile and others would try to change owners


def begin():
    """Called at the start of each run."""
    directory = _files.working_directory()
    if directory != os.getcwd():
        try:
            _chdir(directory)
        except OSError:
            pass  # relative paths then start at the root, and the host refuses them by their name


def install():
    """Called once, when the component is built.

    What takes the place of a built-in function is a static method: it does not become a method when a class keeps it.
    """
    _mend_os()
    _mend_open()
    _mend_archives()
    _mend_sqlite()
    _search_no_disk()


def _mend_os():
    for name in ("getuid", "geteuid", "getgid", "getegid"):
        if not hasattr(os, name):
            setattr(os, name, staticmethod(_id))
    if not hasattr(os, "umask"):
        os.umask = staticmethod(_umask)
    os.chdir = staticmethod(chdir)


_chdir = os.chdir


def chdir(path):
    """Changes the working directory. wasi-libc would keep `..` in its path, and a slash at its end."""
    _chdir(path if isinstance(path, int) else os.path.abspath(path))


chdir.__module__ = "posix"


def _id():
    return _USER


_mask = 0o022


def _umask(mask, /):
    """Remembers the mask. Files have no permission bits here."""
    global _mask
    old, _mask = _mask, int(mask) & 0o777
    return old


class _Null(io.RawIOBase):
    """`/dev/null`."""

    name = os.devnull

    def __init__(self, mode):
        self.mode = mode

    def readable(self):
        return self.mode != "wb"

    def writable(self):
        return self.mode != "rb"

    def readinto(self, buffer):
        return 0

    def write(self, data):
        return memoryview(data).nbytes


_open = io.open


def _open_null(mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
    kind = "rb+" if "+" in mode else "rb" if "r" in mode else "wb"
    raw = _Null(kind)
    if "b" in mode and buffering == 0:
        return raw
    buffered = {"rb+": io.BufferedRandom, "rb": io.BufferedReader, "wb": io.BufferedWriter}[kind]
    stream = io.BufferedRWPair(raw, raw) if buffered is io.BufferedRandom else buffered(raw)
    return stream if "b" in mode else io.TextIOWrapper(stream, encoding or "utf-8", errors, newline)


def open(file, *args, **options):
    if file == os.devnull or isinstance(file, os.PathLike) and os.fspath(file) == os.devnull:
        return _open_null(*args, **options)
    return _open(file, *args, **options)


def _mend_open():
    open.__module__, open.__doc__ = "_io", _open.__doc__
    builtins.open = io.open = staticmethod(open)


def _mend_archives():
    """Without permission bits, what is unpacked elsewhere could not be read there."""
    from_file = zipfile.ZipInfo.from_file.__func__
    gettarinfo = tarfile.TarFile.gettarinfo

    def zip_from_file(cls, *args, **options):
        info = from_file(cls, *args, **options)
        if not info.external_attr >> 16 & 0o777:
            info.external_attr |= (0o755 if info.is_dir() else 0o644) << 16
        return info

    def tar_from_file(self, *args, **options):
        info = gettarinfo(self, *args, **options)
        if info is not None and not info.mode & 0o777:
            info.mode |= 0o755 if info.isdir() else 0o644
        return info

    zip_from_file.__name__, tar_from_file.__name__ = "from_file", "gettarinfo"
    zip_from_file.__doc__, tar_from_file.__doc__ = from_file.__doc__, gettarinfo.__doc__
    zipfile.ZipInfo.from_file = classmethod(zip_from_file)
    tarfile.TarFile.gettarinfo = tar_from_file


def _mend_sqlite():
    """SQLite's own list of directories for temporary files begins with ones that are not there."""
    connect = sqlite3.connect

    @functools.wraps(connect)
    def connect_with_tmp(*args, **options):
        global _sqlite_has_tmp
        if not _sqlite_has_tmp:
            _sqlite_has_tmp = True
            own = connect(":memory:")
            try:
                own.execute("pragma temp_store_directory = '/tmp'")
            except sqlite3.Error:
                pass  # there is no /tmp
            own.close()
        return connect(*args, **options)

    sqlite3.connect = sqlite3.dbapi2.connect = staticmethod(connect_with_tmp)


_sqlite_has_tmp = False  # of the whole process, so once an instance


class _Path:
    """`os.path` for `inspect`, which asks the disk about files that are in memory."""

    def __getattr__(self, name):
        return getattr(os.path, name)

    @staticmethod
    def exists(path):
        return not files.in_memory(path) and os.path.exists(path)

    @staticmethod
    def realpath(path, **_):
        return os.path.abspath(path)


class _Os:
    path = _Path()

    def __getattr__(self, name):
        return getattr(os, name)


class _Codeop:
    """`codeop` for `traceback`, which compiles variants of a line with a syntax error."""

    PyCF_ONLY_AST = codeop.PyCF_ONLY_AST

    @staticmethod
    def compile_command(source, symbol, flags):
        return codeop.compile_command(source, files.UNOPENED, symbol, flags)


def _search_no_disk():
    inspect.os = _Os()
    inspect.getmodule(sys._getframe())  # fills its table with the standard library's modules
    mimetypes.knownfiles = []
    mimetypes.init([])
    uuid._GETTERS = []  # each would look for programs

    update = linecache.updatecache

    def updatecache(filename, module_globals=None):
        content = files.content_of(filename)
        if content is None:
            return [] if files.in_memory(filename) else update(filename, module_globals)
        return files.remember_source(filename, content)

    linecache.updatecache = updatecache

    warning_init = warnings.WarningMessage.__init__

    def init(self, message, category, filename, *args, **options):
        warning_init(self, message, category, files.shown_name(filename), *args, **options)

    warnings.WarningMessage.__init__ = init

    parse = ast.parse

    @functools.wraps(parse)
    def parse_in_memory(source, filename="<unknown>", *args, **options):
        if filename != "<unknown>":
            return parse(source, filename, *args, **options)
        try:
            return parse(source, files.UNOPENED + filename, *args, **options)
        except SyntaxError as error:
            error.filename = filename
            raise

    ast.parse = parse_in_memory  # for traceback, which parses the lines that it shows
    traceback.codeop = _Codeop()

    find = gettext.find

    def find_translation(domain, localedir=None, languages=None, all=False):
        if localedir is None:
            return [] if all else None
        return find(domain, localedir, languages, all)

    gettext.find = find_translation

    def search(cls, name, paths):
        return _search(name, [path for path in paths if not files.in_memory(path)])

    _search = importlib.metadata.MetadataPathFinder._search_paths
    importlib.metadata.MetadataPathFinder._search_paths = classmethod(search)

    def unraisable(given):
        # The built-in one looks for the source on the disk.
        where = "" if given.object is None else f" {given.object!r}"
        print(f"{given.err_msg or 'Exception ignored in'}:{where}", file=sys.stderr)
        traceback.print_exception(given.exc_type, given.exc_value, given.exc_traceback)

    sys.unraisablehook = unraisable
