"""Imports the standard library while the component is built: what is not imported then is missing later."""

import importlib
import os
import sys

# Left out: of no use in a sandbox, large, or with an effect when imported.
_SKIP = frozenset("""
    test idlelib tkinter turtle turtledemo ensurepip venv lib2to3 pydoc_data multiprocessing antigravity this
    webbrowser curses dbm.gnu dbm.ndbm _pyrepl __phello__ __hello__ _android_support _apple_support _ios_support _osx_support
    _aix_support nturl2path pty tty ctypes readline msilib winreg nt msvcrt winsound _winapi _sysconfigdata
    _xxtestfuzz xxlimited xxlimited_35 xxsubtype _testcapi _testbuffer _testinternalcapi _testclinic _testsinglephase
    _testmultiphase _testimportmultiple _testexternalinspection _testlimitedcapi _testclinic_limited _remote_debugging
    asyncio.windows_events asyncio.windows_utils asyncio.__main__ encodings.mbcs encodings.oem
    concurrent.futures.process concurrent.interpreters concurrent.futures.interpreter
    unittest.__main__ distutils profiling.sampling pip setuptools site rlcompleter smtpd
""".split())


def _walk(directory, prefix):
    for name in sorted(os.listdir(directory)):
        if name.startswith(("test", "_test", "_sysconfigdata", "_sysconfig_vars")) or "-" in name:
            continue
        path = f"{directory}/{name}"
        if name.endswith(".py") and name != "__init__.py":
            yield prefix + name[:-3]
        elif name.endswith(".so"):
            yield prefix + name.partition(".")[0]
        elif os.path.isfile(f"{path}/__init__.py"):
            if prefix + name in _SKIP:
                continue
            yield prefix + name
            yield from _walk(path, prefix + name + ".")


def install():
    """Imports all that can be imported."""
    names = set(sys.builtin_module_names)
    for directory in sys.path:
        if os.path.isfile(f"{directory}/os.py"):
            names.update(_walk(directory, ""))
    for name in sorted(names):
        top = name.partition(".")[0]
        if top in _SKIP or name in _SKIP or name.endswith(".__main__") or top not in sys.stdlib_module_names:
            continue
        try:
            importlib.import_module(name)
        except ImportError:
            pass  # needs a C library that this CPython is built without: see missing.py
