"""Everything that is done once, while the component is built."""

import os
import sys

from . import preload, ssl

sys.modules["ssl"] = ssl  # before http.client and others look whether there is one
preload.install()

import builtins  # noqa: E402
import gc  # noqa: E402
import importlib  # noqa: E402
import json  # noqa: E402
import linecache  # noqa: E402
import random  # noqa: E402
import re  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
import uuid  # noqa: E402
import warnings  # noqa: E402
import zoneinfo  # noqa: E402

import oacp  # noqa: E402
import requests  # noqa: E402

from . import console, environment, files, filesystem, loop, missing, pbkdf2, report, run, transport  # noqa: E402


def _bundled():
    """The files of the packages that go into the component: time-zone data."""
    import tzdata
    site = os.path.dirname(os.path.dirname(tzdata.__file__))
    same = {}
    for top in sorted(os.listdir(site)):
        if not (top == "tzdata" or top.startswith("tzdata-") and top.endswith(".dist-info")):
            continue
        for directory, inner, names in os.walk(os.path.join(site, top)):
            inner.sort()
            if "__pycache__" in inner:
                inner.remove("__pycache__")
            for name in sorted(names):
                with open(os.path.join(directory, name), "rb") as stream:
                    content = stream.read()
                if name in ("RECORD", "direct_url.json", "INSTALLER", "REQUESTED"):
                    continue
                path = os.path.relpath(os.path.join(directory, name), site)
                yield path, same.setdefault(content, content)  # half of the zones are links
    for name in [n for n in sys.modules if n.partition(".")[0] == "tzdata"]:
        del sys.modules[name]


def _warm():
    """Runs through what every run does, so that it costs nothing then."""
    import datetime
    import traceback

    zoneinfo.ZoneInfo("Europe/Berlin")
    zoneinfo.ZoneInfo.clear_cache()
    datetime.datetime.strptime("2000-01-01", "%Y-%m-%d")
    try:
        raise ValueError("warm")
    except ValueError as error:
        traceback.TracebackException.from_exception(error)
    json.dumps(json.loads('{"a":[1,2.5,null,true]}'))
    re.compile("warm")


def _hide_the_build():
    """Forgets what belongs to the machine and the moment of the build."""
    os.environ.clear()
    sys.argv = [""]
    sys.orig_argv = []
    uuid._node = uuid._last_timestamp = None
    for name in ("_last_timestamp_v7", "_last_counter_v7"):
        if hasattr(uuid, name):
            setattr(uuid, name, None if name == "_last_timestamp_v7" else 0)
    tempfile._name_sequence = tempfile.tempdir = None
    random.seed(0)
    linecache.clearcache()
    re.purge()
    _reset_warnings()
    sys.path_importer_cache.clear()
    sys.modules["__main__"].__dict__.setdefault("__name__", "__main__")


def _reset_warnings():
    """The filters of a Python that was started without options. (The build's own are of the builder's making.)"""
    warnings.resetwarnings()
    for kind in (ResourceWarning, ImportWarning, PendingDeprecationWarning, DeprecationWarning):
        warnings.simplefilter("ignore", kind)
    warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")


def _mend_clocks():
    """Processor time would be counted from the build; no difference to the monotonic clock can be told here."""
    monotonic, monotonic_ns = time.monotonic, time.monotonic_ns

    def process_time():
        return monotonic()

    def process_time_ns():
        return monotonic_ns()

    time.process_time, time.process_time_ns = process_time, process_time_ns


def _exit(code=None):
    raise SystemExit(code)


def install():
    modules = sorted(n for n, m in sys.modules.items() if n.partition(".")[0] in sys.stdlib_module_names and m)
    glue = [os.path.dirname(module.__file__) + "/" for module in (run, oacp, requests)]
    report.install(glue)
    zoneinfo.reset_tzpath(to=())
    files.install(list(_bundled()))
    for directory in [d for d in files._bundle.entries if d.startswith("<bundled>/tzdata/") or d == "<bundled>/tzdata"]:
        if f"{directory}/__init__.py" in files._bundle.files:
            importlib.import_module(directory.removeprefix("<bundled>/").replace("/", "."))
    loop.install()
    _mend_clocks()
    pbkdf2.install()
    missing.install()
    transport.install()
    filesystem.install()
    environment.install()
    builtins.exit = builtins.quit = _exit
    run.modules = modules  # for list_modules.py
    _warm()
    console.install()
    _hide_the_build()
    gc.collect()
    gc.freeze()
