"""What an agent may look for and not find, with what to use instead. The one list of it."""

import sys

_NO_THREADS = "threads cannot be started here: use asyncio, which overlaps calls (oacp.tools.call_async, oacp.http.request_async)"
_NO_PROCESSES = "processes cannot be started here: use a tool (oacp.tools.call)"
_NO_SOCKETS = "there are no sockets here: for HTTP use urllib.request, http.client, requests or oacp.http, for anything else a tool (oacp.tools.call)"
_NO_SCREEN = "there is no screen here: return data instead"

# Modules of the standard library that this runtime lacks.
MODULES = {
    "_ssl": "the host makes TLS connections: use urllib.request, http.client, requests or oacp.http",
    "bz2": "use zlib or gzip",
    "_bz2": "use zlib or gzip",
    "lzma": "use zlib or gzip",
    "_lzma": "use zlib or gzip",
    "compression.zstd": "use zlib or gzip",
    "_zstd": "use zlib or gzip",
    "ctypes": "native code cannot run here: use the struct module for binary data, a tool for anything else",
    "_ctypes": "native code cannot run here: use the struct module for binary data, a tool for anything else",
    "multiprocessing": _NO_PROCESSES,
    "_multiprocessing": _NO_PROCESSES,
    "_posixsubprocess": _NO_PROCESSES,
    "pty": _NO_PROCESSES,
    "fcntl": "there are no file locks or devices here; an agent runs alone",
    "termios": "there is no terminal here",
    "tty": "there is no terminal here",
    "curses": "there is no terminal here",
    "readline": "there is no terminal here",
    "mmap": "read the file into memory instead",
    "resource": "the host measures and limits a run",
    "grp": "there are no users or groups here",
    "pwd": "there are no users or groups here",
    "syslog": "use the logging module or oacp.log",
    "tkinter": _NO_SCREEN,
    "turtle": _NO_SCREEN,
    "turtledemo": _NO_SCREEN,
    "idlelib": _NO_SCREEN,
    "webbrowser": _NO_SCREEN,
    "antigravity": _NO_SCREEN,
    "dbm.gnu": "use dbm.sqlite3",
    "dbm.ndbm": "use dbm.sqlite3",
    "ensurepip": "put pure-Python packages beside the agent",
    "venv": "put pure-Python packages beside the agent",
    "concurrent.futures.process": _NO_PROCESSES,
    "concurrent.interpreters": _NO_THREADS,
}

_NATIVE = "it is built of native code, which cannot run here; "

_NEEDS_SOCKETS = "it needs sockets, which are missing here; use "

# Packages that people reach for.
PACKAGES = {
    "numpy": _NATIVE + "use statistics, math, array or plain lists",
    "pandas": _NATIVE + "use csv, sqlite3 or plain lists",
    "polars": _NATIVE + "use csv, sqlite3 or plain lists",
    "pyarrow": _NATIVE + "use csv or json",
    "scipy": _NATIVE + "use statistics and math",
    "sklearn": _NATIVE + "use a tool",
    "torch": _NATIVE + "use a tool",
    "tensorflow": _NATIVE + "use a tool",
    "matplotlib": _NATIVE + "return the data instead",
    "PIL": _NATIVE + "use a tool",
    "cv2": _NATIVE + "use a tool",
    "lxml": _NATIVE + "use xml.etree.ElementTree or html.parser",
    "orjson": _NATIVE + "use json",
    "ujson": _NATIVE + "use json",
    "cryptography": _NATIVE + "use hashlib, hmac and secrets",
    "nacl": _NATIVE + "use hashlib, hmac and secrets",
    "psycopg2": _NATIVE + "use a tool",
    "pydantic_core": _NATIVE + "use dataclasses",
    "pydantic": "its core is native code, which cannot run here; use dataclasses",
    "uvloop": "asyncio has OACP's own loop already",
    "httpx": _NEEDS_SOCKETS + "requests, urllib.request or oacp.http, which has an asynchronous side",
    "aiohttp": _NEEDS_SOCKETS + "requests, urllib.request or oacp.http, which has an asynchronous side",
    "openai": _NEEDS_SOCKETS + "requests or oacp.http with the service's HTTP interface, or a tool",
    "anthropic": _NEEDS_SOCKETS + "requests or oacp.http with the service's HTTP interface, or a tool",
    "yaml": "put the pure-Python part of PyYAML beside the agent, or use json or tomllib",
    "dateutil": "put the package beside the agent, or use datetime and zoneinfo",
    "pytz": "use zoneinfo",
}


class Advisor:
    """The last on `sys.meta_path`: it finds nothing, and says what to use instead."""

    @staticmethod
    def find_spec(fullname, path=None, target=None):
        # `importlib.util.find_spec` asks too, and is to get None.
        if sys._getframe(1).f_code.co_name != "_find_spec" or sys._getframe(2).f_code.co_name != "_find_and_load_unlocked":
            return None
        raise ModuleNotFoundError(f"No module named {fullname!r}: {advice(fullname)}", name=fullname)


def advice(fullname):
    top = fullname.partition(".")[0]
    for name in (fullname, top):
        if name in MODULES:
            return MODULES[name]
    if top in sys.stdlib_module_names:
        return "this part of the standard library is not in OACP's Python"
    from . import files
    for path in files.agent.files:
        stem = path.rpartition("/")[2].partition(".")[0]
        if path.endswith((".so", ".pyd", ".dylib")) and stem == fullname.rpartition(".")[2]:
            return f"{path} is native code, which cannot run here"
    if top in PACKAGES:
        return PACKAGES[top]
    if top in sys.modules:
        return f"{top} has no such submodule"
    return "it is neither in the standard library nor among the agent's files; a pure-Python package works when it is put beside the agent"


def install():
    """Makes what cannot work say so. Called once, when the component is built."""
    import _thread
    import concurrent.futures.thread
    import os
    import subprocess
    import threading

    def refuse(kind, message):
        def refused(*_, **__):
            raise kind(message)
        return refused

    no_threads = refuse(RuntimeError, _NO_THREADS)
    threading.Thread.start = no_threads
    _thread.start_new_thread = _thread.start_new = _thread.start_joinable_thread = no_threads
    threading._start_joinable_thread = no_threads
    concurrent.futures.thread.ThreadPoolExecutor.submit = no_threads

    def no_process(self, *_, **__):
        raise OSError(_NO_PROCESSES)

    def del_(self, **_):
        pass

    subprocess.Popen.__init__ = no_process
    subprocess.Popen.__del__ = del_
    for name in ("system", "popen", "fork", "execv", "execve", "spawnv", "posix_spawn"):
        setattr(os, name, refuse(OSError, _NO_PROCESSES))

    import socket

    class Socket(socket.socket):
        __slots__ = ()

        def __init__(self, *_, **__):
            raise OSError(_NO_SOCKETS)

        def __del__(self):
            pass

    Socket.__name__ = Socket.__qualname__ = "socket"
    Socket.__module__ = "socket"
    socket.socket = socket.SocketType = Socket
    socket.create_connection = socket.create_server = socket.getaddrinfo = refuse(OSError, _NO_SOCKETS)
    socket.gethostbyname = socket.gethostbyname_ex = socket.getnameinfo = refuse(OSError, _NO_SOCKETS)
    socket.socketpair = refuse(OSError, _NO_SOCKETS)

    def exit_now(status=0):
        raise SystemExit(status)

    os._exit = exit_now
    sys.meta_path.append(Advisor)
