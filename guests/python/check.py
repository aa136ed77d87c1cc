"""Checks a built component: check.py COMPONENT

Each case is an agent, and what has to come of it. The examples under examples/python are run too, and the idioms under
tests/idioms, whose results under this Python have to be those of the component.
"""

import contextlib
import gzip
import http.client
import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import host

ROOT = pathlib.Path(__file__).resolve().parents[2]
DENIAL = {"code": "tool_not_granted", "capability": "tool", "asked": "secret", "nearest": None, "rule": "default deny",
          "fix": ["--allow-tool secret"]}
DENIED_NET = {"code": "network_not_granted", "capability": "network", "asked": "http://h.test/fail/denied", "nearest": None,
              "rule": "default deny", "fix": ["--allow-net h.test:80"]}
DENIED_ENV = {"code": "env_not_granted", "capability": "env", "asked": "API_KEY", "nearest": None, "rule": "default deny",
              "fix": ["--allow-env API_KEY"]}
DENIED_FILE = {"code": "file_write_not_granted", "capability": "file_write", "asked": "/desk/out.txt", "nearest": None,
               "rule": "default deny", "fix": ["--allow-write /desk/out.txt", 'file_write: ["/desk/out.txt"]']}
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
    ("find_spec of what is missing", "from importlib.util import find_spec\ndef run(i): return [find_spec('numpy'), find_spec('bz2'), find_spec('ssl').name]", None, [None, None, "_oacp.ssl"]),
    ("ssl", "import ssl\ndef run(i):\n    c = ssl.create_default_context()\n    c.minimum_version = ssl.TLSVersion.TLSv1_2\n    c.load_default_certs()\n"
     "    said = [c.verify_mode is ssl.CERT_REQUIRED, c.check_hostname, issubclass(ssl.SSLCertVerificationError, ssl.SSLError)]\n"
     "    for f in (lambda: setattr(c, 'check_hostname', False), lambda: setattr(c, 'verify_mode', ssl.CERT_NONE), lambda: c.load_cert_chain('x'), ssl._create_unverified_context):\n"
     "        try: f()\n        except ValueError as e: said.append('the host' in str(e) and 'verifies certificates' in str(e))\n    return said", None, [True] * 7),
    ("no warnings about files left open", "import warnings\ndef run(i):\n    with warnings.catch_warnings(record=True) as w:\n        open('/dev/null').read()\n    return len(w)", None, 0),
    ("open is no method", "import io, pathlib\nclass A: open = open\ndef run(i):\n    with A().open('/dev/null', 'w') as f, pathlib.Path('/dev/null').open('rb') as g:\n        return [f.write('x'), len(g.read()), open is io.open]", None, [1, 0, True]),
    ("users", "import os\ndef run(i): return [os.getuid(), os.geteuid(), os.umask(0o77), os.umask(0)]", None, [1000, 1000, 18, 63]),
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
    ("denial", "import oacp\ndef run(i): oacp.tools.call('secret')", "oacp.CapabilityDenied: tool `secret` is not granted (default deny); to allow it: --allow-tool secret", {"line": 2, "denied": 1}),
    ("denial as a cause", "import oacp\ndef run(i):\n    try: oacp.tools.call('secret')\n    except OSError as e: raise ValueError('x') from e", "ValueError: x", {"denied": 1}),
    ("denial in a group", "import asyncio, oacp\nasync def run(i):\n    async with asyncio.TaskGroup() as g: g.create_task(oacp.tools.call_async('secret'))",
     "ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception): oacp.CapabilityDenied: ", {"denied": 1}),
    ("threads", "import threading\ndef run(i): threading.Thread(target=print).start()", "RuntimeError: threads cannot be started here", {"line": 2}),
    ("processes", "import subprocess\ndef run(i): subprocess.run(['ls'])", "OSError: processes cannot be started here", {"line": 2}),
    ("sockets", "import socket\ndef run(i): socket.create_connection(('example.org', 80))", "OSError: there are no sockets here", {"line": 2}),
    ("no network", "import urllib.request\ndef run(i): urllib.request.urlopen('https://example.org')", "oacp.CapabilityDenied: there is no network", {"line": 2, "denied": 1}),
    ("a permission error of the agent's own", "import oacp\ndef run(i):\n    try: oacp.tools.call('secret')\n    except OSError: pass\n    raise PermissionError('mine')", "PermissionError: mine", {"line": 5}),
    ("denial as a context", "import oacp\ndef run(i):\n    try: oacp.tools.call('secret')\n    except OSError: raise ValueError('x')",
     "ValueError: x (tool `secret` is not granted (default deny); to allow it: --allow-tool secret)", {"denied": 1}),
    ("denial as a context that is cut off", "import oacp\ndef run(i):\n    try: oacp.tools.call('secret')\n    except OSError: raise ValueError('x') from None", "ValueError: x", {}),
    ("output too long", "print('x' * 17_000_000)", "OSError: [Errno 22] the output of a script is limited to 16 MiB", {"line": 1}),
]

# Agents that talk to `answer` below: (name, source, result).
HTTP = [
    ("failures of urllib", "import urllib.request, urllib.error\ndef run(i):\n    said = []\n    for code in ('resolve', 'connect', 'tls', 'timed_out', 'protocol', 'bad_request', 'limit', 'denied'):\n"
     "        try: urllib.request.urlopen('http://h.test/fail/' + code)\n        except urllib.error.URLError as e: said.append(['URLError', type(e.reason).__name__])\n"
     "        except Exception as e: said.append([type(e).__name__, str(e)])\n    return said",
     [["URLError", "gaierror"], ["URLError", "ConnectionRefusedError"], ["URLError", "SSLCertVerificationError"], ["TimeoutError", "timed_out: refused certificate"],
      ["HTTPException", "protocol: refused certificate"], ["HTTPException", "bad_request: refused certificate"], ["HTTPException", "limit: refused certificate"],
      ["CapabilityDenied", "denied: refused certificate"]]),
    ("failures of http.client", "import http.client\ndef run(i):\n    said = []\n    for code in ('resolve', 'connect', 'tls', 'timed_out', 'denied'):\n        c = http.client.HTTPSConnection('h.test')\n"
     "        try:\n            c.request('GET', '/fail/' + code); c.getresponse()\n        except OSError as e: said.append(type(e).__name__)\n    return said",
     ["gaierror", "ConnectionRefusedError", "SSLCertVerificationError", "TimeoutError", "CapabilityDenied"]),
    ("failures of requests", "import requests\ndef run(i):\n    said = []\n    for code in ('resolve', 'connect', 'tls', 'timed_out', 'protocol', 'denied'):\n"
     "        try: requests.get('http://h.test/fail/' + code)\n        except OSError as e: said.append(type(e).__module__ + '.' + type(e).__name__)\n    return said",
     ["requests.exceptions.ConnectionError", "requests.exceptions.ConnectionError", "requests.exceptions.SSLError", "requests.exceptions.ReadTimeout",
      "requests.exceptions.ConnectionError", "oacp.CapabilityDenied"]),
    ("a denial says what would allow it", "import oacp\ndef run(i):\n    try: oacp.http.get('http://h.test/fail/denied')\n    except PermissionError as e: return [e.code, e.capability, e.asked, e.rule, e.fix, e.tool, e.call, oacp.denial(e) is e]",
     ["network_not_granted", "network", "http://h.test/fail/denied", "default deny", ["--allow-net h.test:80"], "", 1, True]),
    ("https with a context", "import urllib.request, ssl, http.client\ndef run(i):\n    c = http.client.HTTPSConnection('h.test', context=ssl.create_default_context()); c.request('GET', '/url')\n"
     "    return [urllib.request.urlopen('https://h.test/url', context=ssl.create_default_context()).read().decode(), c.getresponse().read().decode()]",
     ["https://h.test/url", "https://h.test/url"]),
    ("proxies are the host's", "import urllib.request\ndef run(i):\n    o = urllib.request.build_opener(urllib.request.ProxyHandler({'http': 'http://p:1', 'https': 'http://p:1'}))\n"
     "    return [o.open(u).read().decode() for u in ('http://h.test/url', 'https://h.test/url')]", ["http://h.test/url", "https://h.test/url"]),
    ("chunks", "import http.client\ndef run(i):\n    c = http.client.HTTPConnection('h.test')\n    c.request('POST', '/body', body=iter([b'ab', b'cd']), encode_chunked=True, headers={'Transfer-Encoding': 'chunked'})\n    return c.getresponse().read().decode()", "abcd"),
    ("hosts", "import http.client\ndef run(i):\n    said = []\n    for h, p in (('[::1]', 8080), ('h.test', 80), ('h.test', 81), ('bücher.test', 80)):\n"
     "        c = http.client.HTTPConnection(h, p); c.request('GET', '/url'); said.append(c.getresponse().read().decode())\n    return said",
     ["http://[::1]:8080/url", "http://h.test/url", "http://h.test:81/url", "http://xn--bcher-kva.test/url"]),
    ("oacp.http", "import oacp\ndef run(i):\n    r = oacp.http.post('http://h.test/body', json={'a': 'ü'}, params={'q': [1, 2]}, headers={'X': '1'})\n    return [r.status, r.ok, r.text, r.json(), r.headers['CONTENT-type'], r.url]",
     [200, True, '{"a":"ü"}', {"a": "ü"}, "application/json", "http://h.test/body?q=1&q=2"]),
    ("oacp.http follows", "import oacp\ndef run(i):\n    r = oacp.http.post('http://h.test/to/http://other.test/headers', data=b'x', headers={'Authorization': 'secret'})\n"
     "    s = oacp.http.get('http://h.test/to/http://h.test/headers', headers={'Authorization': 'secret'})\n    t = oacp.http.get('http://h.test/to/http://h.test/headers', redirects=0)\n    return [r.json(), s.json(), t.status]",
     [["GET"], ["GET", "authorization"], 302]),
    ("oacp.http gives up", "import oacp\ndef run(i):\n    try: oacp.http.get('http://h.test/loop')\n    except Exception as e: return str(e)", "http://h.test/loop redirects once more, after 10 redirects"),
    ("oacp.http, status", "import oacp\ndef run(i):\n    try: oacp.http.get('http://h.test/none').raise_for_status()\n    except OSError as e: return [str(e), e.response.status]", ["http://h.test/none answered 404 Not Found", 404]),
    ("oacp.http, time", "import oacp, asyncio\nasync def run(i):\n    said = []\n    try: oacp.http.get('http://h.test/slow', timeout=0.02)\n    except TimeoutError as e: said.append(str(e))\n"
     "    try: await oacp.http.get_async('http://h.test/slow', timeout=0.02)\n    except TimeoutError as e: said.append(str(e))\n"
     "    return said + [r.status for r in await asyncio.gather(*(oacp.http.get_async('http://h.test/slow') for _ in range(3)))]", ["timed out", "timed out", 200, 200, 200]),
    ("requests drops authorization", "import requests\ndef run(i):\n    return [requests.get('http://h.test/to/http://' + h + '/headers', auth=('u', 'p')).json()[-1] for h in ('other.test', 'h.test')]", ["user-agent", "user-agent"]),
    ("requests verifies", "import requests\ndef run(i):\n    try: requests.get('https://h.test/', verify=False)\n    except ValueError as e: return str(e)", "verify_mode=CERT_NONE: the host verifies certificates, and that cannot be switched off here"),
    ("xmlrpc", "import xmlrpc.client\ndef run(i): return xmlrpc.client.ServerProxy('http://h.test/rpc').add(1, 2)", 3),
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


def answer(method, url, headers, body):
    """The other side of the agents in HTTP."""
    path = urllib.parse.urlsplit(url).path
    said = json.dumps([method, *sorted(name.lower() for name, _ in headers if name.lower() in ("authorization", "user-agent"))]).encode()
    match path.split("/", 2)[1:]:
        case ["fail", code]:
            return 0, ("err", (code, f"{code}: refused certificate", DENIED_NET if code == "denied" else None))
        case ["to", target]:
            return 0, ("ok", (302, "Found", [["location", target]], b""))
        case ["loop"]:
            return 0, ("ok", (302, "Found", [["location", "/loop"]], b""))
        case ["none"]:
            return 0, ("ok", (404, "Not Found", [], b""))
        case ["slow"]:
            return 0.2, ("ok", (200, "OK", [], b"late"))
        case ["url"]:
            return 0, ("ok", (200, "OK", [["transfer-encoding", "chunked"], ["content-length", "99"]], url.encode()))
        case ["rpc"]:
            return 0, ("ok", (200, "OK", [["content-type", "text/xml"]], b"<methodResponse><params><param><value><int>3</int></value></param></params></methodResponse>"))
        case ["headers"]:
            return 0, ("ok", (200, "OK", [], said))
    return 0, ("ok", (200, "OK", [["content-type", "application/json"]], body))


class IdiomServer(http.server.BaseHTTPRequestHandler):
    """What tests/idioms/web.py asks for."""

    protocol_version = "HTTP/1.1"
    JSON = '{"a": 1, "ü": [true, null]}'.encode()

    def log_message(self, *_):
        pass

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        status, headers, content = 200, [("content-type", "application/json")], self.JSON
        match self.path.partition("?")[0]:
            case "/echo":
                content = json.dumps({"method": self.command, "path": self.path, "body": body.decode(),
                                      "headers": {name.lower(): value for name, value in self.headers.items()}}).encode()
            case "/status/404":
                status, headers, content = 404, [("content-type", "text/plain")], b"nothing here"
            case "/redirect":
                status, headers, content = 302, [("location", "/json")], b""
            case "/gzip":
                headers.append(("content-encoding", "gzip"))
                content = gzip.compress(content)
            case "/slow":
                time.sleep(1.2)
            case "/headers":
                headers += [("x-one", "1"), ("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2; Path=/")]
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in [*headers, ("content-length", str(len(content)))]:
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET


def forward(method, url, headers, body):
    """An exchange with a real server, as the real host has it: framing and encodings are its business."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    own = {name: value for name, value in headers if name.lower() not in ("host", "connection", "accept-encoding", "content-length")}
    started = time.monotonic()
    connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body or None, own | {"Accept-Encoding": "gzip"})
    response = connection.getresponse()
    content = response.read()
    given = [(name.lower(), value) for name, value in response.getheaders()]
    if ("content-encoding", "gzip") in given:
        content = gzip.decompress(content)
        given = [one for one in given if one[0] not in ("content-encoding", "content-length")]
    connection.close()
    # Asked while the guest starts the call: what it took is told to the port as the delay.
    return time.monotonic() - started, ("ok", (response.status, response.reason, given, content))


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
        run = self.run({"agent.py": b"import warnings, traceback\nwith warnings.catch_warnings(record=True) as w:\n    warnings.simplefilter('always')\n    import m\n"
                                    b"try: import bad\nexcept SyntaxError as e: shown = traceback.format_exception_only(e)\ndef run(i): return [[[x.filename, x.lineno] for x in w], m.f.__code__.co_filename, shown[:2]]",
                        "m.py": b"def f(): return '\\d'\n", "bad.py": b"x = 1\ndef f(:\n"})
        self.check("the compiler's file names", run.error is None and json.loads(run.result) == [[["m.py", 1]], "m.py", ['  File "bad.py", line 2\n', "    def f(:\n"]], run.error.trace if run.error else run.result)
        run = self.run({"src/agent.py": b"import util\ndef run(i): return [util.V, __name__]", "src/util.py": b"V = 1"}, "src/agent.py")
        self.check("beside the entry", run.result == '[1,"agent"]', run.error)
        run = self.run({"pkg/__init__.py": b"", "pkg/agent.py": b"from . import util\ndef run(i): return [util.V, __name__]", "pkg/util.py": b"V = 1"}, "pkg/agent.py")
        self.check("relative imports", run.result == '[1,"pkg.agent"]', run.error)

        run = host.Run(self.engine, self.component, tools=TOOLS)
        kept = {
            "count.py": b"n = 0\ndef up():\n    global n\n    n += 1\n    return n\n",
            "a.py": b"import count, json\nown = 0\ndef run(i):\n    global own\n    own += 1\n    return [count.up(), own, json.MINE]",
            "b.py": b"def run(i):\n    import count\n    return count.up()",
            "broken.py": b"import count\ncount.up()\nraise ValueError('not today')\ndef run(i): return i",
            "json.py": b"MINE = True\n",
        }
        for entry, wanted in (("a.py", "[1,1,true]"), ("b.py", "2"), ("a.py", "[3,2,true]"), ("broken.py", None), ("broken.py", None), ("b.py", "6")):
            run.run(kept, entry)
            self.check(f"an instance keeps what its files know: {entry}", run.result == wanted, run.result or run.error.message)
        run.run({**kept, "count.py": b"def up(): return 'other'"}, "b.py")
        self.check("and forgets it with other files", run.result == '"other"', run.result or run.error.message)

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
        self.environment()
        self.files()
        self.http()

        run = host.Run(self.engine, self.component)
        for k in range(2):
            run.run({"agent.py": b"import m\ndef run(i): return m.n", "m.py": b"n = %d" % k}, "agent.py")
            self.check("an instance runs twice", run.result == str(k), run.result)

        run = self.run({"agent.py": b"import requests\ndef run(i): return requests.MINE", "requests/__init__.py": b"MINE = 1"})
        self.check("the agent's own requests", run.result == "1", run.error)

        examples = ROOT / "examples" / "python"
        for path in sorted(examples.glob("*.input.json")):
            name = path.name.removesuffix(".input.json")
            source = examples / name if (examples / name).is_dir() else examples / f"{name}.py"
            files, entry = host.files_of(source)
            run = self.run(files, entry, json.loads(path.read_text(encoding="utf-8")))
            output = examples / f"{name}.output.json"
            wanted = output.read_text(encoding="utf-8").rstrip("\n") if output.exists() else run.result
            self.check(f"example {name}", run.error is None and run.result == wanted, run.error.trace if run.error else run.result)

    def environment(self):
        def asked(source):
            with tempfile.TemporaryDirectory() as root:
                return self.run(source, env={"OTHER": "1"}, variables={"GIVEN": "1"}, denials={"API_KEY": DENIED_ENV}, directory=root)

        run = asked("import os\ndef run(i): return [dict(os.environ), os.environ['GIVEN'], os.getenv('GIVEN')]")
        self.check("environment", run.result == '[{"GIVEN":"1"},"1","1"]' and run.asked == [], (run.result, run.asked))
        run = asked("import os, tempfile, argparse, shutil\nfrom os import environ\ndef run(i):\n    environ['OWN'] = '2'; del os.environ['OWN']\n    tempfile.gettempdir(); argparse.ArgumentParser().format_help(); shutil.get_terminal_size()\n"
                    "    return [os.getenv('API_KEY'), environ.get('API_KEY', 'd'), 'UNSET' in os.environ, os.environ.get('OWN'), os.environ.get('http_proxy'), os.environ.get('PYTHONPATH')]")
        self.check("environment, missing", run.result == '[null,"d",false,null,null,null]' and run.asked == ["API_KEY", "UNSET"], (run.result, run.asked, run.error and run.error.message))
        run = asked("import os\ndef run(i): return os.environ['API_KEY']")
        self.check("environment, KeyError", run.error and run.error.denied is None and run.error.message ==
                   "KeyError: 'API_KEY' (env `API_KEY` is not granted (default deny); to allow it: --allow-env API_KEY)", run.error and run.error.message)

    def files(self):
        with tempfile.TemporaryDirectory() as root:
            for name in ("tmp", "work"):
                pathlib.Path(root, name).mkdir()
            pathlib.Path(root, "work", "in.txt").write_text("found")
            seen = {"directory": root, "working_directory": "/desk"}
            run = self.run("import os\ndef run(i): return [os.getcwd(), open('in.txt').read(), open('/desk/in.txt').read()]", **seen)
            self.check("working directory", run.result == '["/desk","found","found"]', run.error and run.error.trace)
            run = self.run("import os\ndef run(i): return os.getcwd()", directory=root, working_directory="/nowhere")
            self.check("working directory that is not there", run.result == '"/"', run.error)
            told = {**seen, "writable": False, "latest": (7, DENIED_FILE)}
            message = ("PermissionError: file_write `/desk/out.txt` is not granted (default deny); to allow it: "
                       '--allow-write /desk/out.txt, or file_write: ["/desk/out.txt"]')
            for name in ("out.txt", "/desk/out.txt", "./a/../out.txt"):
                run = self.run(f"def run(i):\n    open({name!r}, 'w')", **told)
                self.check("a file's denial", run.error and (run.error.denied, run.error.message, run.error.location.line) == (7, message, 2), run.error and vars(run.error))
            run = self.run("def run(i):\n    open('other.txt', 'w')", **told)
            self.check("another file's denial", run.error and run.error.denied is None and run.error.message.startswith("PermissionError: [Errno"), run.error and vars(run.error))
            run = self.run("import pathlib\ndef run(i):\n    try: pathlib.Path('out.txt').write_text('x')\n    except PermissionError: raise ValueError('no report')", **told)
            self.check("a file's denial as a context", run.error and run.error.denied == 7 and run.error.message.startswith("ValueError: no report (file_write `/desk/out.txt`"), run.error and vars(run.error))
            run = self.run("import oacp\ndef run(i):\n    try: open('out.txt', 'w')\n    except PermissionError as e: d = oacp.denial(e)\n"
                           "    return [d.code, d.asked, d.fix[0], d.call, str(d), oacp.denial(ValueError()), oacp.denial(PermissionError('x'))]", **told)
            self.check("oacp.denial", run.result == '["file_write_not_granted","/desk/out.txt","--allow-write /desk/out.txt",7,"file_write `/desk/out.txt` is not granted",null,null]', run.result or run.error.trace)
            self.idioms("files", {"directory": "/desk"}, {"directory": root + "/desk"}, **seen)

    def http(self):
        for name, source, wanted in HTTP:
            run = self.run(source, http=answer)
            self.check(name, run.error is None and json.loads(run.result) == wanted, run.error.trace if run.error else run.result)
        run = self.run("import oacp\ndef run(i): oacp.http.get('http://h.test/fail/denied')", http=answer)
        self.check("network denial", run.error and run.error.denied == 1 and
                   run.error.message == "oacp.CapabilityDenied: denied: refused certificate (default deny); to allow it: --allow-net h.test:80", run.error and run.error.message)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), IdiomServer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = {"base": f"http://127.0.0.1:{server.server_port}"}
        self.idioms("web", base, base, http=forward)
        server.shutdown()

    def idioms(self, name, here, there, **options):
        """Runs a file of idioms on both sides."""
        path = ROOT / "tests" / "idioms" / f"{name}.py"
        run = self.run({path.name: path.read_bytes()}, path.name, here, **options)
        self.check(f"idioms {name}", run.error is None, run.error and run.error.trace)
        if run.error is not None:
            return
        sandboxed = json.loads(run.result)
        native = subprocess.run([sys.executable, path], input=json.dumps(there), capture_output=True, text=True, check=True)
        native = json.loads(native.stdout)
        for idiom, result in sandboxed.items():
            shown = f"{result!r}, natively {native.get(idiom)!r}"
            self.check(f"idiom {name}: {idiom}", not str(result).startswith("FAILED") and native.get(idiom, result) == result, shown)


def main():
    checker = Checker(sys.argv[1])
    checker.all()
    print(f"{checker.done} checks, {checker.failed} failed")
    sys.exit(checker.failed > 0)


if __name__ == "__main__":
    main()
