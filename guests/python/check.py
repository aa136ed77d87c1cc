"""Checks a built component: check.py COMPONENT

Each case is an agent, and what has to come of it. The examples under examples/python are run too.
"""

import json
import pathlib
import sys

import host

ROOT = pathlib.Path(__file__).resolve().parents[2]
DENIAL = {"code": "tool_not_granted", "capability": "tool", "asked": "secret", "nearest": None, "rule": "default deny",
          "fix": ["--allow-tool secret"]}
TOOLS = {
    "add": lambda a: (a.get("delay", 0), ("ok", a["x"] + a["y"])),
    "secret": lambda a: (0, ("err", ("denied", "tool `secret` is not granted", DENIAL))),
    "fail": lambda a: (0, ("err", ("tool_error", "it broke", None))),
}

# (name, source, result), or (name, source, message of the error, more of the run-error)
RESULTS = [
    ("echo", "def run(input): return input", [1, "ü"], [1, "ü"]),
    ("run comes before main", "def main(i): return 1\ndef run(i): return 2", None, 2),
    ("a function without parameters", "def main(): return 1", None, 1),
    ("async", "import asyncio\nasync def main(i):\n    await asyncio.sleep(0.001)\n    return i", 3, 3),
    ("bound by an assignment", "run = lambda i: i + 1", 3, 4),
    ("bound in a try", "try:\n    from fast import run\nexcept ImportError:\n    def run(i): return 'slow'", None, "slow"),
    ("the standard library's run is no entry", "from asyncio import run\nasync def main(i): return i", 3, 3),
    ("script", "print('a'); print(input())", [1], "a\n[1]\n"),
    ("script with main and a guard", "def main():\n    print('x')\nif __name__ == '__main__':\n    main()", None, "x\n"),
    ("script that exits", "import sys\nprint('x')\nsys.exit()", None, "x\n"),
    ("argv", "import sys\ndef run(i): return sys.argv", None, ["agent.py"]),
    ("order of keys", "def run(i): return {'b': 1, 'a': 2}", None, {"b": 1, "a": 2}),
    ("gather", "import asyncio\nfrom oacp import tools\nasync def run(i):\n"
     "    return await asyncio.gather(*(tools.call_async('add', x=k, y=k, delay=(3 - k) / 50) for k in range(3)))", None, [0, 2, 4]),
    ("call", "import oacp\ndef run(i): return oacp.tools.call('add', x=1, y=2)", None, 3),
    ("denial, caught", "from oacp import tools\ndef run(i):\n    try: tools.call('secret')\n    except PermissionError as e:\n"
     "        return [e.code, e.capability, e.asked, e.nearest, e.rule, e.fix, e.tool, e.call]", None,
     ["tool_not_granted", "tool", "secret", None, "default deny", ["--allow-tool secret"], "secret", 1]),
    ("tool error, caught", "import oacp\ndef run(i):\n    try: oacp.tools.call('fail')\n    except oacp.ToolError as e: return [str(e), e.code, e.tool]",
     None, ["it broke", "tool_error", "fail"]),
    ("timeout", "import asyncio, oacp\nasync def run(i):\n    try:\n        async with asyncio.timeout(0.02): await oacp.tools.call_async('add', x=1, y=1, delay=9)\n"
     "    except TimeoutError: return await oacp.tools.call_async('add', x=1, y=1)", None, 2),
    ("polling", "import asyncio, oacp\nasync def run(i):\n    t = asyncio.create_task(oacp.tools.call_async('add', x=1, y=1, delay=0.05))\n"
     "    while not t.done(): await asyncio.sleep(0)\n    return t.result()", None, 2),
    ("deadlock", "import asyncio\ndef run(i):\n    async def f(): await asyncio.Queue().get()\n    try: asyncio.run(f())\n"
     "    except RuntimeError as e: return str(e)[:9]", None, "deadlock:"),
    ("loops", "import asyncio\nasync def f(): return 1\ndef run(i): return [asyncio.run(f()), asyncio.Runner().run(f()), asyncio.new_event_loop().run_until_complete(f())]",
     None, [1, 1, 1]),
    ("sleep", "import time\ndef run(i):\n    a = time.monotonic(); time.sleep(0.02); return time.monotonic() - a >= 0.02", None, True),
    ("zoneinfo", "import zoneinfo, datetime\ndef run(i): return [str(datetime.datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin'))), len(zoneinfo.available_timezones()) > 500]",
     None, ["2026-07-01 00:00:00+02:00", True]),
    ("pbkdf2", "import hashlib\ndef run(i): return hashlib.pbkdf2_hmac('sha1', b'password', b'salt', 4096, 20).hex()",
     None, "4b007901b765489abead49d926f721d065a429c1"),
    ("find_spec of what is missing", "from importlib.util import find_spec\ndef run(i): return [find_spec('numpy'), find_spec('ssl')]", None, [None, None]),
    ("no environment", "import os\ndef run(i): return dict(os.environ)", None, {}),
    ("no machine in the paths", "import sys, json\ndef run(i): return [sys.path, sys.executable, json.__file__]", None,
     [[".", "<bundled>"], "", "/python/json/__init__.py"]),
    ("pickle and dataclasses in a script", "import dataclasses, pickle\n@dataclasses.dataclass\nclass P: x: int\nprint(pickle.loads(pickle.dumps(P(3))))", None, "P(x=3)\n"),
]

ERRORS = [
    ("exception", "def run(i):\n    return 1 / 0", "ZeroDivisionError: division by zero", {"line": 2, "trace": "    return 1 / 0\n           ~~^~~"}),
    ("syntax", "x = 1\ndef run(i)\n    pass", "SyntaxError: expected ':' (agent.py, line 2)", {"line": 2}),
    ("not UTF-8", b"x = 1\n# \xff", "SyntaxError: not valid UTF-8: byte 0xff in line 2; save the file as UTF-8 (agent.py, line 2)", {"line": 2}),
    ("no such module", "import numpy", "ModuleNotFoundError: No module named 'numpy': it is built of native code", {"line": 1}),
    ("exit", "import sys\ndef run(i): sys.exit(3)", "SystemExit: 3", {}),
    ("recursion", "def run(i): return run(i)", "RecursionError: maximum recursion depth exceeded", {"trace": "frames left out"}),
    ("interrupt", "def run(i): raise KeyboardInterrupt", "KeyboardInterrupt", {}),
    ("a set", "def run(i): return {'a': [1, {2}]}", 'TypeError: result["a"][1] is a set (use a list: sorted(...)); return JSON', {}),
    ("nan", "def run(i): return [float('nan')]", "ValueError: result[0] is nan, which JSON cannot say", {}),
    ("half a character", "def run(i): return '\\ud800'", "ValueError: result holds half of a surrogate pair", {}),
    ("a dataclass", "import dataclasses\n@dataclasses.dataclass\nclass D: x: int\ndef run(i): return D(1)", "TypeError: result is an agent.D (use dataclasses.asdict(...))", {}),
    ("hostile exception", "class X(BaseException):\n    def __getattribute__(self, n): raise KeyboardInterrupt\n    def __str__(self): raise SystemExit\ndef run(i): raise X", "X", {"line": 4}),
    ("long message", "def run(i): raise ValueError('x' * 100_000)", "ValueError: xxx", {}),
    ("arguments", "import oacp\ndef run(i): oacp.tools.call('add', x={1})", "TypeError: tool `add`: x is a set", {"line": 2}),
    ("denial", "import oacp\ndef run(i): oacp.tools.call('secret')", "oacp.CapabilityDenied: tool `secret` is not granted", {"line": 2, "denied": 1}),
    ("denial as a cause", "import oacp\ndef run(i):\n    try: oacp.tools.call('secret')\n    except OSError as e: raise ValueError('x') from e", "ValueError: x", {"denied": 1}),
    ("denial in a group", "import asyncio, oacp\nasync def run(i):\n    async with asyncio.TaskGroup() as g: g.create_task(oacp.tools.call_async('secret'))",
     "ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception): oacp.CapabilityDenied: ", {"denied": 1}),
    ("threads", "import threading\ndef run(i): threading.Thread(target=print).start()", "RuntimeError: threads cannot be started here", {"line": 2}),
    ("processes", "import subprocess\ndef run(i): subprocess.run(['ls'])", "OSError: processes cannot be started here", {"line": 2}),
    ("sockets", "import urllib.request\ndef run(i): urllib.request.urlopen('https://example.org')", "urllib.error.URLError: <urlopen error there are no sockets here", {}),
    ("output too long", "print('x' * 17_000_000)", "OSError: [Errno 22] the output of a script is limited to 16 MiB", {"line": 1}),
]

PACKAGE = {
    "agent.py": b"import pkg.mod, ns.a, json, importlib.metadata, importlib.resources, pkgutil, inspect\ndef run(i):\n"
                b"    return [pkg.__path__, pkg.mod.__file__, importlib.resources.files('pkg').joinpath('data.txt').read_text(),\n"
                b"        pkgutil.get_data('pkg', 'data.txt').decode(), importlib.metadata.version('foo'), ns.a.V, json.MINE,\n"
                b"        [m.name for m in pkgutil.walk_packages(pkg.__path__, 'pkg.')], inspect.getsource(pkg.mod.f)]\n",
    "json.py": b"MINE = True\n",
    "pkg/__init__.py": b"from . import mod\n",
    "pkg/mod.py": b"def f(x):\n    return 1 / x\n",
    "pkg/sub/__init__.py": b"",
    "pkg/data.txt": "dätä".encode(),
    "ns/a.py": b"V = 3\n",
    "foo-1.2.dist-info/METADATA": b"Metadata-Version: 2.1\nName: foo\nVersion: 1.2\n",
}


class Checker:
    def __init__(self, path):
        self.engine, self.component = host.load(path)
        self.failed = 0
        self.done = 0

    def run(self, files, entry="agent.py", input=None, **options):
        if isinstance(files, str):
            files = files.encode()
        if isinstance(files, bytes):
            files = {entry: files}
        run = host.Run(self.engine, self.component, tools=TOOLS, **options)
        return run.run(files, entry, json.dumps(input, ensure_ascii=False))

    def check(self, name, true, shown):
        self.done += 1
        if not true:
            self.failed += 1
            print(f"FAILED {name}: {shown}", file=sys.stderr)

    def all(self):
        for name, source, input, wanted in RESULTS:
            run = self.run(source, input=input)
            shown = run.error.message if run.error else run.result
            self.check(name, run.error is None and run.result == json.dumps(wanted, ensure_ascii=False, separators=(",", ":")), shown)
        for name, source, message, more in ERRORS:
            run = self.run(source)
            error = run.error
            self.check(name, error is not None and error.message.startswith(message), run.result or error.message)
            if error is None:
                continue
            self.check(f"{name}: bounds", len(error.message.encode()) <= 8192 and len(error.trace.encode()) <= 65536 and "\n" not in error.message, len(error.trace))
            self.check(f"{name}: no glue in the trace", "_oacp" not in error.trace and "/oacp/" not in error.trace, error.trace)
            self.check(f"{name}: denied", error.denied == more.get("denied"), error.denied)
            if "line" in more:
                self.check(f"{name}: location", error.location and (error.location.file, error.location.line) == ("agent.py", more["line"]), error.location and vars(error.location))
            self.check(f"{name}: trace", more.get("trace", "") in error.trace, error.trace)

        run = self.run(PACKAGE)
        wanted = [["pkg"], "pkg/mod.py", "dätä", "dätä", "1.2", 3, True, ["pkg.mod", "pkg.sub"], "def f(x):\n    return 1 / x\n"]
        self.check("a package", run.error is None and json.loads(run.result) == wanted, run.result or run.error.trace)
        run = self.run({"src/agent.py": b"import util\ndef run(i): return [util.V, __name__]", "src/util.py": b"V = 1"}, "src/agent.py")
        self.check("beside the entry", run.result == '[1,"agent"]', run.error)
        run = self.run({"pkg/__init__.py": b"", "pkg/agent.py": b"from . import util\ndef run(i): return [util.V, __name__]", "pkg/util.py": b"V = 1"}, "pkg/agent.py")
        self.check("relative imports", run.result == '[1,"pkg.agent"]', run.error)

        run = self.run("import logging, sys\nlog = logging.getLogger('my')\ndef run(i):\n    print('a'); print('b', file=sys.stderr); print('c', end='')\n"
                       "    logging.debug('no'); logging.info('d'); log.error('e')")
        wanted = [("info", "a"), ("warning", "b"), ("info", "d"), ("error", "my: e"), ("info", "c")]
        self.check("log", run.logs == wanted, run.logs)
        run = self.run("def run(i):\n    for k in range(9): print(k)", log_limit=3)
        self.check("log limit", run.error and run.error.message == "OSError: [Errno 51] the log is full", run.result)

        for source in ("def run(i):\n    a = []\n    while True: a.append('x' * 99999)", "A = []\nwhile True: A.append({1: 2})",
                       "def run(i): return 'x' * (40 << 20)"):
            run = self.run(source, memory_bytes_max=64 << 20)
            self.check("out of memory", run.error and run.error.message == "MemoryError", run.result and run.result[:99])

        source = ("import random, uuid, secrets, tempfile, os\ndef run(i): return [random.random(), uuid.uuid4().hex, uuid.getnode(), "
                  "secrets.token_hex(4), next(tempfile._get_candidate_names()), os.urandom(4).hex()]")
        first, second = (json.loads(self.run(source).result) for _ in range(2))
        self.check("nothing random is left from the build", all(a != b for a, b in zip(first, second)), first)
        source = "def run(i): return [hash('abc'), id(object()), list({'a', 'b', 'c'})]"
        self.check("the rest is the same", self.run(source).result == self.run(source).result, "")
        run = host.Run(self.engine, self.component, env={"GIVEN": "1"}).run({"agent.py": b"import os\ndef run(i): return dict(os.environ)"}, "agent.py")
        self.check("environment", run.result == '{"GIVEN":"1"}', run.result)

        run = host.Run(self.engine, self.component)
        for k in range(2):
            run.run({"agent.py": b"import m\ndef run(i): return m.n", "m.py": b"n = %d" % k}, "agent.py")
            self.check("an instance runs twice", run.result == str(k), run.result)

        examples = ROOT / "examples" / "python"
        for path in sorted(examples.glob("*.input.json")):
            name = path.name.removesuffix(".input.json")
            source = examples / name if (examples / name).is_dir() else examples / f"{name}.py"
            files, entry = host.files_of(source)
            run = self.run(files, entry, json.loads(path.read_text(encoding="utf-8")))
            output = examples / f"{name}.output.json"
            wanted = output.read_text(encoding="utf-8").rstrip("\n") if output.exists() else run.result
            self.check(f"example {name}", run.error is None and run.result == wanted, run.error.trace if run.error else run.result)


def main():
    checker = Checker(sys.argv[1])
    checker.all()
    print(f"{checker.done} checks, {checker.failed} failed")
    sys.exit(checker.failed > 0)


if __name__ == "__main__":
    main()
