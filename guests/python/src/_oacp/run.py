"""The export: one run of one agent."""

import asyncio
import inspect
import json
import logging
import os
import random
import sys
import time
import types

from componentize_py_types import Err

from . import console, entry, environment, files, filesystem, jsontext, report


def run(source, input):
    """Runs `source` on `input`; returns the result's JSON text or raises `Err(run-error)`."""
    try:
        try:
            return _run(source, input)
        finally:
            console.finish()
    except Err:
        raise
    except BaseException as error:
        failed = report.exception(error)
    raise Err(failed)


def _run(source, input):
    # What may not be left over from the build.
    random.seed(int.from_bytes(os.urandom(32)))
    logging._startTime = time.time_ns()
    environment.begin()
    filesystem.begin()

    path = source.entry
    name, is_package = files.place([(one.path, one.content) for one in source.files], path)
    content = files.agent.files[path]
    sys.argv = [path]
    code = files.compile_file(content, path)
    names = entry.entry_names(code, content, path)
    if names:
        return _run_agent(names, code, name, is_package, path, input)
    return _run_script(code, path, input)


def _run_agent(names, code, name, is_package, path, input):
    module = files.kept(name, path) or _executed(name, code, is_package, path)
    function = entry.choose(module, names, path)
    # json.loads refuses nothing that the host let through, so an error here is the agent's own.
    result = function(json.loads(input)) if entry.takes_input(function) else function()
    if inspect.iscoroutine(result):
        result = asyncio.run(result)
    elif inspect.isawaitable(result):
        result = asyncio.run(_awaited(result))
    try:
        return jsontext.result(result)
    except (TypeError, ValueError) as error:
        failed = report.failure(f"{type(error).__name__}: {error}")
    raise Err(failed)


def _executed(name, code, is_package, path):
    parent = name.rpartition(".")[0]
    if parent:
        __import__(parent)
    module = _module(name, path, is_package)
    sys.modules[name] = module
    if parent:
        setattr(sys.modules[parent], name.rpartition(".")[2], module)
    try:
        exec(code, module.__dict__)
    except BaseException:
        sys.modules.pop(name, None)  # a further run begins it anew
        raise
    return module


def _run_script(code, path, input):
    collected = console.for_script(input)
    module = _module("__main__", path, False)
    sys.modules["__main__"] = module
    try:
        exec(code, module.__dict__)
    except SystemExit as error:
        if error.code not in (None, 0):
            raise
    stdout = sys.__stdout__
    for stream in (sys.stdout, stdout):
        if not stream.closed:
            stream.flush()
    output = collected.getvalue()
    try:
        text = output.decode()
    except UnicodeDecodeError as error:
        failed = report.failure(f"UnicodeDecodeError: the output is not UTF-8: byte 0x{output[error.start]:02x} at offset {error.start}")
    else:
        return jsontext.result(text)
    raise Err(failed)


async def _awaited(awaitable):
    return await awaitable


def _module(name, path, is_package):
    module = types.ModuleType(name)
    loader = files.MemoryLoader(name, path)
    module.__file__ = path
    module.__loader__ = loader
    if name == "__main__":
        module.__package__ = None
        module.__builtins__ = __builtins__
    else:
        directory = path.rpartition("/")[0]
        module.__spec__ = files._spec(name, path, [directory or "."] if is_package else None)
        if is_package:
            module.__path__ = module.__spec__.submodule_search_locations
        module.__package__ = name if is_package else name.rpartition(".")[0]
    return module
