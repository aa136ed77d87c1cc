"""Checks describe.py against the files here: check.py [--oacp PROGRAM] [--write] [NAME …]

Beside each tool file `x.py` lies what comes of it, `x.json` (of one that cannot be imported, `{"raises": message}`), and `x.calls.json`
with calls of its tools: arguments, and `result`, or `raises`, a part of the error's message; `again` is the result of the same call a
second time in the same process. `shop/models.py` and the like, without a `.json`, are there to be imported. A file whose first line is
`# python: 3.12` needs that version. Everything runs under this Python, with --oacp in the sandbox. --write writes what comes.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
DESCRIBE = HERE.parents[1] / "src" / "describe.py"
FORMATS = {"date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "date": r"\d{4}-\d\d-\d\d",
           "uuid": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"}
RUN = """
import asyncio, inspect, json, os, sys
sys.path.insert(0, ".")
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
name, input, times = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
space = {"__name__": "agent"}
exec(compile(open(name).read(), name, "exec"), space)
for _ in range(times):
    result = space["run"](json.loads(sys.argv[2]))
    if inspect.isawaitable(result):
        result = asyncio.run(result)
json.dump(result, out, allow_nan=False)
"""


class Host:
    """This Python."""

    def __init__(self, directory, program):
        self.directory = directory

    def run(self, name, input, times=1):
        done = subprocess.run([sys.executable, "-c", RUN, name, json.dumps(input), str(times)], cwd=self.directory,
                              capture_output=True, text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "TZ": "UTC"})
        if done.returncode:
            return {"raises": done.stderr.strip().splitlines()[-1]}
        return json.loads(done.stdout)


class Sandbox(Host):
    """OACP's Python."""

    def __init__(self, directory, program):
        self.directory, self.program = directory, program

    def run(self, name, input, times=1):
        done = subprocess.run([self.program, "--json", "run", self.directory, "--entry", name, "--input", json.dumps(input)],
                              capture_output=True, text=True)
        try:
            report = json.loads(done.stdout)
        except ValueError:
            sys.exit(f"{self.program}: {done.stderr or done.stdout}")
        return report["result"] if report["outcome"] == "ok" else {"raises": report["error"]["message"]}


def needs(path):
    words = path.read_text().partition("\n")[0].split()
    return tuple(map(int, words[2].split("."))) if words[:2] == ["#", "python:"] else (3, 11)


def check(path, runner, write, version):
    """The number of calls that were right, and what was not."""
    name = path.relative_to(HERE).as_posix()
    if needs(path) > version:
        return None, []
    wrong = []
    found = runner.run("oacp_describe.py", {"entry": name})
    expected = path.with_suffix(".json")
    if write:
        expected.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    if found != json.loads(expected.read_text()) or json.dumps(found) != json.dumps(json.loads(expected.read_text())):
        wrong.append(f"{name}: {json.dumps(found, ensure_ascii=False)}")
    tools = {tool["name"]: tool for tool in found.get("tools", ())}
    calls = path.with_suffix(".calls.json")
    calls = json.loads(calls.read_text()) if calls.exists() else []
    for tool in tools.values():
        validated(tool["input_schema"])
        validated(tool["output_schema"])
    for call in calls:
        tool = tools[call["tool"]]
        (runner.directory / "oacp_call.py").write_text(tool["stub"])
        again = "again" in call and type(runner) is Host
        result = runner.run("oacp_call.py", call["arguments"], 1 + again)
        if "raises" in call:
            right = isinstance(result, dict) and call["raises"] in result.get("raises", "")
        else:
            right = result == call["again" if again else "result"]
            validated(tool["input_schema"], call["arguments"])
            validated(tool["output_schema"], call["result"])
        if not right:
            wrong.append(f"{name}: {call}: {result}\n{tool['stub']}")
    return len(calls), wrong


def validated(schema, *values):
    """Checks a schema, and values against it, formats too, where the package jsonschema is there."""
    try:
        import jsonschema
    except ImportError:
        return
    formats = jsonschema.FormatChecker(())
    for name, pattern in FORMATS.items():
        formats.checks(name)(lambda value, pattern=pattern: not isinstance(value, str) or re.fullmatch(pattern, value) is not None)
    if schema is not None:
        jsonschema.Draft202012Validator.check_schema(schema)
        for value in values:
            jsonschema.Draft202012Validator(schema, format_checker=formats).validate(value)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--oacp")
    arguments.add_argument("--write", action="store_true")
    arguments.add_argument("names", nargs="*")
    given = arguments.parse_args()
    version = (3, 14) if given.oacp else sys.version_info[:2]
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory) / "source"
        shutil.copytree(HERE, directory, ignore=shutil.ignore_patterns("*.json", "check.py", "__pycache__"))
        shutil.copy(DESCRIBE, directory / "oacp_describe.py")
        runner = (Sandbox if given.oacp else Host)(directory, given.oacp)
        for path in sorted(HERE.rglob("*.py")):
            if path.name in ("check.py", "__init__.py", "models.py") or given.names and path.stem not in given.names:
                continue
            calls, wrong = check(path, runner, given.write, version)
            failed += len(wrong)
            print(f"{path.stem}: {'left out' if calls is None else 'wrong' if wrong else f'ok, {calls} calls'}", *wrong, sep="\n")
    sys.exit(failed > 0)


main()
