"""Checks a built component: check.py COMPONENT

Needs `wasmtime`, pinned in ../python/requirements.txt. The host here is small and no sandbox: its files, its network and its
environment are in memory. Each case is an agent, and what has to come of it; the examples under examples/javascript are run too.
"""

import base64
import heapq
import json
import os
import pathlib
import posixpath
import statistics
import sys
import time
import urllib.parse

import wasmtime
from wasmtime import component as wit
from wasmtime.component._types import OptionType, ResultType, VariantLikeType

# The package would take a failure for the `none` of a result's option: such results are told apart by a tag.
ResultType._tagged = lambda self: isinstance(self.ok, OptionType) or VariantLikeType._tagged(self)

ROOT = pathlib.Path(__file__).resolve().parents[2]

AGENT = "oacp:agent/{}@0.1.0"


def record(**fields):
    made = wit.Record()
    made.__dict__.update(fields)
    return made


def denial(code, capability, asked, fix):
    return {"code": code, "capability": capability, "asked": asked, "nearest": None, "rule": "default deny", "fix": [fix, f"{capability}: [\"{asked}\"]"]}


class Failure(Exception):
    def __init__(self, code, message, detail=None):
        self.code, self.message, self.detail = code, message, detail

    def record(self):
        return record(code=self.code, message=self.message, detail=self.detail and json.dumps(self.detail))


TOOLS = {
    "add": lambda a: (a.get("delay", 0), a["x"] + a["y"]),
    "secret": lambda a: (0, Failure("denied", "tool `secret` is not granted", denial("tool_not_granted", "tool", "secret", "--allow-tool secret"))),
    "fail": lambda a: (0, Failure("tool_error", "it broke")),
}


def server(request):
    """(delay, status, reason, headers, body), or a Failure."""
    url = urllib.parse.urlsplit(request.url)
    path = url.path
    if url.hostname == "denied.example":
        return 0, Failure("denied", f"network `{url.netloc}` is not granted", denial("network_not_granted", "network", url.netloc, f"--allow-net {url.netloc}"))
    if url.hostname.startswith("fails-"):
        return 0, Failure(url.hostname.split(".")[0].removeprefix("fails-"), "it did not work")
    if path == "/echo":
        body = {"method": request.method, "url": request.url, "headers": request.headers, "body": base64.b64encode(bytes(request.body)).decode()}
        return 0, 200, "OK", [["content-type", "application/json"]], json.dumps(body).encode()
    if path.startswith("/status/"):
        return 0, int(path.split("/")[2]), "So", [], b"x"
    if path == "/redirect":
        query = dict(urllib.parse.parse_qsl(url.query))
        return 0, int(query.get("status", 302)), "Found", [["location", query.get("to", "/echo")]], b"moved"
    if path.startswith("/loop/"):
        return 0, 302, "Found", [["location", f"/loop/{int(path.split('/')[2]) - 1}" if path != "/loop/1" else "/text"]], b""
    if path == "/slow":
        return 0.3, 200, "OK", [], b"late"
    if path == "/text":
        return 0, 200, "OK", [["content-type", "text/plain"], ["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-latin", "\xfc"]], "\ufeffgrüße\n".encode()
    if path == "/bytes":
        return 0, 200, "OK", [], bytes(range(256))
    if path == "/empty":
        return 0, 204, "No Content", [], b""
    return 0, 404, "Not Found", [], b"no"


class Run:
    """What one run did: `result` (text) or `error`, its `logs`, and what it asked the host for, in order (`asked`)."""

    def __init__(self, engine, component, files=None, environment=None):
        self.files = dict(files or {})  # path: bytes, or None for a directory
        self.environment = environment or {}
        self.logs = []
        self.asked = []
        self.requests = []
        self.slept = 0
        self.latest = None
        self._queue = []
        self._next = 0
        self._now = 10**9
        self.store = wasmtime.Store(engine)
        linker = wit.Linker(engine)
        with linker.root() as root:
            def instance(name, **functions):
                with root.add_instance(name) as at:
                    for function, body in functions.items():
                        at.add_func(function.replace("_", "-"), self._told(name, function, body))
            agent = AGENT.format
            instance(agent("types"))
            instance(agent("port"), wait=self._wait)
            instance(agent("tools"), start=self._tool)
            instance(agent("log"), log=lambda level, message: self.logs.append((level, message)))
            instance(agent("http"), start=self._http)
            instance(agent("files"), working_directory=lambda: "/desk", read=self._read, write=self._write, list=self._list, status=self._status,
                     make_directory=self._make_directory, remove=self._remove, rename=self._rename)
            instance(agent("environment"), variables=lambda: sorted(self.environment.items()), get=self._variable)
            instance(agent("denials"), latest=lambda: self.latest)
            instance("wasi:clocks/monotonic-clock@0.2.12", now=self._clock)
            instance("wasi:clocks/wall-clock@0.2.12", now=lambda: record(seconds=1_800_000_000, nanoseconds=0))
            instance("wasi:random/random@0.2.12", get_random_bytes=lambda count: bytes(k * 7 % 256 for k in range(count)))
        start = time.perf_counter()
        self.instance = linker.instantiate(self.store, component)
        self.instantiate_ms = (time.perf_counter() - start) * 1e3

    def _told(self, name, function, body):
        tagged = (name, function) in ((AGENT.format("files"), "status"), (AGENT.format("environment"), "get"))

        def told(_, *arguments):
            self.asked.append(function)
            try:
                answer = body(*arguments)
            except Failure as failure:
                if failure.detail:
                    self._denied(failure.detail)
                answer = failure.record()
                return wit.Variant("err", answer) if tagged else answer
            return wit.Variant("ok", answer) if tagged else answer
        return told

    def _denied(self, detail, call=None):
        if call is None:
            self._next += 1
            call = self._next
        self.latest = (call, json.dumps(detail))

    def run(self, files, entry, input="null"):
        self.result = self.error = None
        function = self.instance.get_func(self.store, "run")
        source = record(files=[record(path=path, content=content) for path, content in sorted(files.items())], entry=entry)
        start = time.perf_counter()
        answer = function(self.store, source, input)
        self.run_ms = (time.perf_counter() - start) * 1e3
        function.post_return(self.store)
        if isinstance(answer, str):
            self.result = answer
        else:
            self.error = answer
        return self

    def _clock(self):
        self._now += 1000
        return self._now

    def _answer(self, delay, answer):
        self._next += 1
        heapq.heappush(self._queue, (self._now + int(delay * 1e9), self._next, answer))
        return self._next

    def _tool(self, name, arguments):
        unknown = (0, Failure("unknown_tool", f"there is no tool `{name}`"))
        delay, answer = TOOLS[name](json.loads(arguments)) if name in TOOLS else unknown
        return self._answer(delay, answer if isinstance(answer, Failure) else json.dumps(answer).encode())

    def _http(self, request):
        self.requests.append(request)
        delay, *answer = server(request)
        if len(answer) > 1:
            status, reason, headers, body = answer
            head = json.dumps({"headers": headers, "reason": reason, "status": status}, ensure_ascii=False, separators=(",", ":"))
            answer = [head.encode() + b"\n" + body]
        return self._answer(delay, answer[0])

    def _wait(self, calls, deadline):
        wanted = [one for one in self._queue if one[1] in calls]
        if not wanted and deadline is None:
            raise RuntimeError("nothing could wake the guest")
        first = min(wanted, key=lambda one: one[:2]) if wanted else None
        if first is None or (deadline is not None and first[0] > deadline):
            self.slept += max(0, deadline - self._now)
            self._now = max(self._now, deadline)
            return None
        self._now = max(self._now, first[0])
        self._queue = [one for one in self._queue if one is not first]
        heapq.heapify(self._queue)
        outcome = first[2]
        if isinstance(outcome, Failure):
            if outcome.detail:
                self._denied(outcome.detail, first[1])
            outcome = outcome.record()
        return record(call=first[1], outcome=outcome)

    def _path(self, path, right="read"):
        path = posixpath.normpath(posixpath.join("/desk", path))
        if not path.startswith("/desk") or (right == "write" and path.startswith("/desk/read-only")):
            capability = f"file_{right}"
            raise Failure("denied", f"{capability} `{path}` is not granted", denial(f"{capability}_not_granted", capability, path, f"--allow-{right} {path}"))
        return path

    def _there(self, path):
        return path == "/desk" or path in self.files

    def _is_file(self, path):
        return isinstance(self.files.get(path), bytes)

    def _parent(self, path):
        parent = posixpath.dirname(path)
        if not self._there(parent):
            raise Failure("not_found", f"there is no `{parent}`")
        if self._is_file(parent):
            raise Failure("not_directory", f"`{parent}` is no directory")

    def _read(self, path):
        path = self._path(path)
        if not self._there(path):
            raise Failure("not_found", f"there is no `{path}`")
        if not self._is_file(path):
            raise Failure("is_directory", f"`{path}` is a directory")
        return self.files[path]

    def _write(self, path, content, mode):
        path = self._path(path, "write")
        self._parent(path)
        if self._there(path) and not self._is_file(path):
            raise Failure("is_directory", f"`{path}` is a directory")
        if mode == "create" and self._there(path):
            raise Failure("exists", f"`{path}` exists")
        self.files[path] = (self.files.get(path, b"") if mode == "append" else b"") + bytes(content)

    def _list(self, path):
        path = self._path(path)
        if not self._there(path):
            raise Failure("not_found", f"there is no `{path}`")
        if self._is_file(path):
            raise Failure("not_directory", f"`{path}` is no directory")
        return [record(name=posixpath.basename(one), kind="file" if self._is_file(one) else "directory")
                for one in sorted(self.files) if posixpath.dirname(one) == path]

    def _status(self, path):
        path = self._path(path)
        if not self._there(path):
            return None
        return record(kind="file", size=len(self.files[path])) if self._is_file(path) else record(kind="directory", size=0)

    def _make_directory(self, path):
        path = self._path(path, "write")
        if self._there(path):
            raise Failure("exists", f"`{path}` exists")
        self._parent(path)
        self.files[path] = None

    def _remove(self, path):
        path = self._path(path, "write")
        if not self._there(path):
            raise Failure("not_found", f"there is no `{path}`")
        if any(posixpath.dirname(one) == path for one in self.files):
            raise Failure("not_empty", f"`{path}` is not empty")
        del self.files[path]

    def _rename(self, old, new):
        old, new = self._path(old, "write"), self._path(new, "write")
        if old not in self.files:
            raise Failure("not_found", f"there is no `{old}`")
        self.files[new] = self.files.pop(old)

    def _variable(self, name):
        if name.startswith("APP_"):
            return None
        raise Failure("denied", f"env `{name}` is not granted", denial("env_not_granted", "env", name, f"--allow-env {name}"))


# Agents are modules of these, followed by the body of `run`.
HEAD = 'import { files, env, tools, log, FileError, CapabilityDenied } from "oacp";\nexport async function run(input) {\n'
B = "http://here.example"
FILES = {"/desk/a.txt": "grüße\n".encode(), "/desk/b.json": b'\xef\xbb\xbf{"k":[1]}', "/desk/d": None, "/desk/d/x": b"\xff\x00", "/desk/read-only": None}
ENVIRONMENT = {"APP_MODE": "test", "USER": "ada"}
# What a case sees of a promise that is rejected.
CAUGHT = "const caught = async (f) => { try { return await f(); } catch (e) { return [e.name, e.code ?? e.cause?.code ?? null, e instanceof Error]; } };\n"
ECHO = "const echo = async (...a) => { const r = await (await fetch(...a)).json(); r.headers = Object.fromEntries(r.headers); r.body = atob(r.body); return r; };\n"

# (name, body of `run`, result)
RESULTS = [
    ("fetch of text", f"const r = await fetch('{B}/text#part'); return [r.status, r.ok, r.statusText, r.url, r.type, r.redirected, r.bodyUsed, await r.text(), r.bodyUsed, r.headers.get('content-type')];",
     [200, True, "OK", f"{B}/text", "basic", False, False, "grüße\n", True, "text/plain"]),
    ("headers of a response", f"const h = (await fetch('{B}/text')).headers; return [[...h], h.getSetCookie(), h.get('Set-Cookie'), h.has('x-LATIN'), await caught(() => h.set('a', 'b'))];",
     [[["content-type", "text/plain"], ["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-latin", "ü"]], ["a=1", "b=2"], "a=1, b=2", True, ["TypeError", None, True]]),
    ("json", f"return (await echo('{B}/echo?q=%20ü')).url;", f"{B}/echo?q=%20%C3%BC"),
    ("no body read twice", f"const r = await fetch('{B}/text'); await r.text(); return [await caught(() => r.text()), await caught(() => r.clone())];", [["TypeError", None, True]] * 2),
    ("bytes", f"const r = await fetch('{B}/bytes'); const c = r.clone(), d = r.clone(); const b = await r.bytes(), a = await c.arrayBuffer(), s = await d.blob(); b[0] = 9;"
     " return [b.length, b instanceof Uint8Array, a.byteLength, a instanceof ArrayBuffer, new Uint8Array(a)[0], s.size, (await s.bytes())[255], b.buffer.byteLength];", [256, True, 256, True, 0, 256, 255, 256]),
    ("reader", f"const r = await fetch('{B}/bytes'); const reader = r.body.getReader(); let n = 0; for (;;) {{ const {{ done, value }} = await reader.read(); if (done) break; n += value.length; }}"
     " await reader.closed; return [n, r.bodyUsed, r.body.locked, await caught(() => r.text())];", [256, True, True, ["TypeError", None, True]]),
    ("for await", f"const r = await fetch('{B}/text'); let t = ''; const d = new TextDecoder(); for await (const chunk of r.body) t += d.decode(chunk, {{ stream: true }}); return [t, r.bodyUsed, r.body.locked];",
     ["grüße\n", True, False]),
    ("no body", f"const r = await fetch('{B}/empty'); const h = await fetch('{B}/echo', {{ method: 'HEAD' }}); return [r.body, await r.text(), r.status, h.body, (await fetch('{B}/status/500')).ok];", [None, "", 204, None, False]),
    ("not JSON", f"return caught(async () => (await fetch('{B}/text')).json());", ["SyntaxError", None, True]),
    ("headers that are sent", f"return (await echo('{B}/echo', {{ headers: {{ 'X-A': ' ü ', Accept: 'text/html' }} }})).headers;", {"x-a": "ü", "accept": "text/html", "user-agent": "oacp"}),
    ("header that is no byte", f"return [await caught(() => fetch('{B}/echo', {{ headers: {{ a: '→' }} }})), await caught(() => new Headers([['a b', '1']])), await caught(() => new Headers({{ a: 'x\\ny' }}))];", [["TypeError", None, True]] * 3),
    ("body of text", f"const r = await echo('{B}/echo', {{ method: 'post', body: 'ü' }}); return [r.method, r.body, r.headers['content-type']];", ["POST", "Ã¼", "text/plain;charset=UTF-8"]),
    ("body of JSON", f"const r = await echo('{B}/echo', {{ method: 'PATCH', headers: {{ 'Content-Type': 'application/json' }}, body: JSON.stringify({{ a: 1 }}) }}); return [r.method, r.body, r.headers['content-type']];",
     ["PATCH", '{"a":1}', "application/json"]),
    ("body of a query", f"const r = await echo('{B}/echo', {{ method: 'PUT', body: new URLSearchParams({{ a: '1 2', b: 'ü' }}) }}); return [r.body, r.headers['content-type']];",
     ["a=1+2&b=%C3%BC", "application/x-www-form-urlencoded;charset=UTF-8"]),
    ("body of bytes", f"const all = new Uint8Array([1, 2, 3, 4]); const out = []; for (const body of [all, all.buffer, all.subarray(1, 3), new DataView(all.buffer, 2)]) {{ const r = await echo('{B}/echo', {{ method: 'POST', body }}); out.push(r.body.length, r.headers['content-type'] ?? null); }} return out;",
     [4, None, 4, None, 2, None, 2, None]),
    ("body of a blob", f"const r = await echo('{B}/echo', {{ method: 'POST', body: new Blob(['a', new Uint8Array([98]), new Blob(['c'])], {{ type: 'text/X' }}) }}); return [r.body, r.headers['content-type']];", ["abc", "text/x"]),
    ("body of a form", f"const f = new FormData(); f.append('a', '1\\n2'); f.append('ü\"', new File(['x'], 'n\"m', {{ type: 'text/a' }})); f.append('c', new Blob(['y']));"
     f" const r = await echo('{B}/echo', {{ method: 'POST', body: f }}); const [, mark] = /^multipart\\/form-data; boundary=(.+)$/.exec(r.headers['content-type']); return r.body.split(mark);",
     ["--", '\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n2\r\n--', '\r\nContent-Disposition: form-data; name="Ã¼%22"; filename="n%22m"\r\nContent-Type: text/a\r\n\r\nx\r\n--',
      '\r\nContent-Disposition: form-data; name="c"; filename="blob"\r\nContent-Type: application/octet-stream\r\n\r\ny\r\n--', "--\r\n"]),
    ("body of a stream", f"const s = new ReadableStream({{ async pull(c) {{ await new Promise((r) => setTimeout(r, 1)); this.n = (this.n ?? 0) + 1; if (this.n > 3) c.close(); else c.enqueue(new TextEncoder().encode(`${{this.n}}`)); }} }});"
     f" const r = await echo('{B}/echo', {{ method: 'POST', body: s, duplex: 'half' }}); return r.body;", "123"),
    ("a stream of text is no body", f"return caught(() => fetch('{B}/echo', {{ method: 'POST', body: ReadableStream.from(['a']) }}));", ["TypeError", None, True]),
    ("GET has no body", f"return caught(() => fetch('{B}/echo', {{ body: 'x' }}));", ["TypeError", None, True]),
    ("URLs that are none", f"return [await caught(() => fetch('/relative')), await caught(() => fetch('http://u:p@here.example/')), await caught(() => fetch('ftp://here.example/')), await caught(() => fetch('{B}/echo', {{ method: 'CONNECT' }}))];",
     [["TypeError", "ERR_INVALID_URL", True], ["TypeError", None, True], ["TypeError", "bad_request", True], ["TypeError", None, True]]),
    ("request", f"const q = new Request('{B}/echo', {{ method: 'POST', body: 'b', headers: {{ a: '1' }} }}); const c = q.clone(); const r = await echo(q, {{ headers: {{ b: '2' }} }});"
     " return [r.body, r.headers.a ?? null, r.headers.b, q.bodyUsed, await c.text(), c.headers.get('a'), await caught(() => new Request(q))];", ["b", None, "2", True, "b", "1", ["TypeError", None, True]]),
    ("redirect", f"const r = await fetch('{B}/redirect'); return [r.status, r.url, r.redirected];", [200, f"{B}/echo", True]),
    ("redirect of POST, 302", f"const r = await echo('{B}/redirect', {{ method: 'POST', body: 'x', headers: {{ 'content-length': '1', a: 'b' }} }}); return [r.method, r.body, Object.keys(r.headers).sort()];", ["GET", "", ["a", "accept", "user-agent"]]),
    ("redirect of PUT, 302", f"const r = await echo('{B}/redirect', {{ method: 'PUT', body: 'x' }}); return [r.method, r.body];", ["PUT", "x"]),
    ("redirect of PUT, 303", f"const r = await echo('{B}/redirect?status=303', {{ method: 'PUT', body: 'x' }}); return [r.method, r.body];", ["GET", ""]),
    ("redirect of POST, 307 and 308", f"const out = []; for (const s of [307, 308]) {{ const r = await echo('{B}/redirect?status=' + s, {{ method: 'POST', body: 'x' }}); out.push(r.method, r.body, r.headers['content-type']); }} return out;",
     ["POST", "x", "text/plain;charset=UTF-8"] * 2),
    ("redirect of a stream, 307", f"return caught(() => fetch('{B}/redirect?status=307', {{ method: 'POST', body: new Blob(['x']).stream() }}));", ["TypeError", "redirect", True]),
    ("redirect to another origin", f"const h = {{ Authorization: 'x', Cookie: 'c', A: '1', host: 'here.example' }}; const one = await echo('{B}/redirect?to=http://other.example/echo', {{ headers: h }}), two = await echo('{B}/redirect', {{ headers: h }});"
     " return [Object.keys(one.headers).sort(), Object.keys(two.headers).sort(), one.url];", [["a", "accept", "user-agent"], ["a", "accept", "authorization", "cookie", "host", "user-agent"], "http://other.example/echo"]),
    ("redirect: manual", f"const r = await fetch('{B}/redirect', {{ redirect: 'manual' }}); return [r.status, r.headers.get('location'), await r.text()];", [302, "/echo", "moved"]),
    ("redirect: error", f"return caught(() => fetch('{B}/redirect', {{ redirect: 'error' }}));", ["TypeError", "redirect", True]),
    ("20 redirects", f"return (await fetch('{B}/loop/20')).status;", 200),
    ("21 redirects", f"return caught(() => fetch('{B}/loop/21'));", ["TypeError", "redirect", True]),
    ("redirect to what is denied", f"return caught(() => fetch('{B}/redirect?to=http://denied.example/'));", ["CapabilityDenied", "network_not_granted", True]),
    ("redirect to another scheme", f"return caught(() => fetch('{B}/redirect?to=file:///etc/passwd'));", ["TypeError", "bad_request", True]),
    ("failures", "const out = []; for (const code of ['resolve', 'connect', 'tls', 'timed_out', 'protocol', 'limit']) { try { await fetch(`https://fails-${code}.example/`); } catch (e) { out.push(e.constructor === TypeError && e.cause instanceof Error && e.cause.code === code && e.message); } } return out;",
     ["fetch failed: it did not work"] * 6),
    ("denial, caught", "try { await fetch('https://denied.example/'); } catch (e) { return [e instanceof CapabilityDenied, e.code, e.capability, e.asked, e.nearest, e.rule, e.fix, e.call]; }",
     [True, "network_not_granted", "network", "denied.example", None, "default deny", ["--allow-net denied.example", 'network: ["denied.example"]'], 1]),
    ("abort", f"const c = new AbortController(); setTimeout(() => c.abort(), 5); const out = [await caught(() => fetch('{B}/slow', {{ signal: c.signal }}))]; out.push(await caught(() => fetch('{B}/slow', {{ signal: c.signal }}))); return out;",
     [["AbortError", 20, True]] * 2),
    ("abort with a reason", f"try {{ await fetch('{B}/slow', {{ signal: AbortSignal.abort('why') }}); }} catch (e) {{ return e; }}", "why"),
    ("timeout", f"return [await caught(() => fetch('{B}/slow', {{ signal: AbortSignal.timeout(10) }})), await caught(() => fetch('{B}/slow', {{ signal: AbortSignal.any([AbortSignal.timeout(10), new AbortController().signal]) }})), (await fetch('{B}/slow', {{ signal: AbortSignal.timeout(1000) }})).status];",
     [["TimeoutError", 23, True], ["TimeoutError", 23, True], 200]),
    ("side by side", f"const at = performance.now(); const r = await Promise.all([1, 2, 3].map(() => fetch('{B}/slow').then((r) => r.text()))); return [r, performance.now() - at < 400];", [["late"] * 3, True]),
    ("with tools", f"const [a, r] = await Promise.all([tools.call('add', {{ x: 1, y: 2, delay: 0.01 }}), fetch('{B}/text')]); return [a, r.status, tools.callSync('add', {{ x: 2, y: 2 }})];", [3, 200, 4]),
    ("response", "const r = new Response('ü', { status: 201, headers: { a: 'b' } }); const j = Response.json({ a: 1 }); const n = new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array([65])); c.close(); } }));"
     " const c = n.clone(); return [r.status, r.type, r.headers.get('content-type'), (await r.bytes()).length, j.headers.get('content-type'), await j.json(), await n.text(), await c.text(), Response.error().type, Response.redirect('http://a/b').headers.get('location'), await caught(() => new Response('', { status: 204 }))];",
     [201, "default", "text/plain;charset=UTF-8", 2, "application/json", {"a": 1}, "A", "A", "error", "http://a/b", ["TypeError", None, True]]),
    ("headers", "const h = new Headers({ b: '1', A: '2' }); h.append('b', '3'); h.set('c', ' 4\\t'); h.delete('A'); return [[...h], h.get('B'), h.get('x'), [...h.keys()], [...new Headers([['x', 'y']]).values()], Object.prototype.toString.call(h)];",
     [[["b", "1, 3"], ["c", "4"]], "1, 3", None, ["b", "c"], ["y"], "[object Headers]"]),
    ("form of a body", "const f = await new Response('a=1&b=%C3%BC', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }).formData(); return [...f];", [["a", "1"], ["b", "ü"]]),
    ("blob", "const b = new Blob(['grüße'], { type: 'Text/A' }); return [b.size, b.type, await b.slice(0, 2).text(), await b.text(), await new Response(b.stream()).text(), b instanceof Blob];", [7, "text/a", "gr", "grüße", "grüße", True]),
    ("stream", "const s = new ReadableStream({ start(c) { c.enqueue(1); c.enqueue(2); c.close(); } }); const [a, b] = s.tee(); const all = async (s) => { const out = []; for await (const x of s) out.push(x); return out; };"
     " const e = new ReadableStream({ pull(c) { c.error(new RangeError('x')); } }); let cancelled; const k = new ReadableStream({ pull(c) { c.enqueue(1); }, cancel(r) { cancelled = r ?? 'yes'; } }); for await (const _ of k) break;"
     " return [await all(a), await all(b), s.locked, await caught(() => all(e)), await all(ReadableStream.from([3, 4])), cancelled];", [[1, 2], [1, 2], True, ["RangeError", None, True], [3, 4], "yes"]),
    ("formatted", f"const {{ format }} = {{ format: null }}; const r = await fetch('{B}/echo'); console.log(r); console.log(env); return null;", None),

    ("files, read", "return [files.readText('a.txt'), files.readBytes('/desk/d/x').length, files.readJson('b.json'), files.list('.'), files.list('d'), files.status('a.txt'), files.status('d'), files.status('no'), files.exists('no'), files.exists('d'), files.workingDirectory()];",
     ["grüße\n", 2, {"k": [1]}, [{"name": "a.txt", "kind": "file"}, {"name": "b.json", "kind": "file"}, {"name": "d", "kind": "directory"}, {"name": "read-only", "kind": "directory"}],
      [{"name": "x", "kind": "file"}], {"kind": "file", "size": 8}, {"kind": "directory", "size": 0}, None, False, True, "/desk"]),
    ("files, written", "files.write('n', 'ü'); files.append('n', new Uint8Array([33])); files.create('m'); files.write('o', new DataView(new ArrayBuffer(3), 1)); files.rename('m', 'p'); files.makeDirectory('e/f/g', { recursive: true });"
     " files.makeDirectory('e/f/g', { recursive: true }); files.makeDirectory('h'); files.remove('h'); files.write('n2', new Uint16Array([1]).buffer);"
     " return [files.readText('n'), files.status('o').size, files.exists('m'), files.exists('p'), files.status('e/f/g').kind, files.exists('h'), files.write('n', ''), files.readText('n')];",
     ["ü!", 2, False, True, "directory", False, None, ""]),
    ("files, failures", "const at = async (f) => { try { return await f(); } catch (e) { return [e instanceof FileError, e.name, e.code, e.path]; } };"
     " return [await at(() => files.readText('no')), await at(() => files.create('a.txt', '')), await at(() => files.readText('d')), await at(() => files.readText('d/x')), await at(() => files.readJson('a.txt')), await at(() => files.remove('d')), await at(() => files.makeDirectory('a.txt', { recursive: true })), await at(() => files.makeDirectory('q/r'))];",
     [[True, "FileError", code, path] for code, path in [("not_found", "no"), ("exists", "a.txt"), ("is_directory", "d"), ("not_utf8", "d/x"), ("not_json", "a.txt"), ("not_empty", "d"), ("exists", "a.txt"), ("not_found", "q/r")]]),
    ("files, arguments", "return [await caught(() => files.readText(1)), await caught(() => files.write('x', { a: 1 })), await caught(() => files.rename('a'))];", [["TypeError", None, True]] * 3),
    ("files, denied", "try { files.write('read-only/x', ''); } catch (e) { return [e instanceof CapabilityDenied, e.code, e.capability, e.asked, e.call, e.message]; }",
     [True, "file_write_not_granted", "file_write", "/desk/read-only/x", 1,
      'file_write `/desk/read-only/x` is not granted, by default deny; to allow it: --allow-write /desk/read-only/x, or file_write: ["/desk/read-only/x"]']),
    ("the global", "return [oacp.files === files, oacp.env === env, oacp.FileError === FileError, typeof process];", [True, True, True, "undefined"]),

    ("environment", "return [env.USER, { ...env }, JSON.stringify(env), Object.keys(env), 'USER' in env, env.APP_NONE, env.toJSON, env[Symbol.iterator], `${env}`];",
     ["ada", ENVIRONMENT, '{"APP_MODE":"test","USER":"ada"}', ["APP_MODE", "USER"], True, None, None, None, "[object Object]"]),
    ("environment, denied", "return [env.TOKEN ?? 'none', await env, await caught(() => { env.X = '1'; }), await caught(() => { delete env.USER; })];", ["none", ENVIRONMENT, ["TypeError", None, True], ["TypeError", None, True]]),
]

# (name, body of `run`, message of the error, call that was denied)
ERRORS = [
    ("denial of the network", "await fetch('https://denied.example/x');", "CapabilityDenied: network `denied.example` is not granted, by default deny; to allow it: --allow-net denied.example, or network: [\"denied.example\"]", 1),
    ("denial of a file", "await tools.call('add', { x: 1, y: 1 });\nfiles.readText('/etc/passwd');", "CapabilityDenied: file_read `/etc/passwd` is not granted, by default deny; to allow it: --allow-read /etc/passwd, or file_read: [\"/etc/passwd\"]", 2),
    ("an earlier denial", "let first; try { files.readText('/etc/passwd'); } catch (e) { first = e; } try { files.readText('/etc/shadow'); } catch {} throw new Error('no', { cause: first });", "Error: no", 1),
    ("denial of a tool", "await tools.call('secret');", "CapabilityDenied: tool `secret` is not granted, by default deny; to allow it: --allow-tool secret, or tool: [\"secret\"]", 1),
    ("failure of a file", "files.readText('no');", "FileError: there is no `/desk/no`", None),
    ("failure of the network", "await fetch('https://fails-connect.example/x');", "TypeError: fetch failed: it did not work", None),
    ("no address", "await fetch('/x');", "TypeError: `/x` is not an absolute URL", None),
    ("a name of Node.js", "return process.env.X;", "ReferenceError: process is not defined; the input is what `run(input)` is given, and the environment is `oacp.env`", None),
]


class Checker:
    def __init__(self, path):
        config = wasmtime.Config()
        config.max_wasm_stack = 2 << 20
        self.engine = wasmtime.Engine(config)
        self.component = wit.Component(self.engine, pathlib.Path(path).read_bytes())
        self.failed = 0
        self.done = 0

    def run(self, source, entry="agent.mjs", input=None):
        run = Run(self.engine, self.component, FILES, ENVIRONMENT)
        return run.run(source if isinstance(source, dict) else {entry: source.encode()}, entry, json.dumps(input, ensure_ascii=False))

    def check(self, name, true, shown):
        self.done += 1
        if not true:
            self.failed += 1
            print(f"FAILED {name}: {shown}", file=sys.stderr)

    def all(self):
        for name, body, wanted in RESULTS:
            run = self.run(f"{HEAD}{CAUGHT}{ECHO}{body}\n}}")
            self.check(name, run.error is None and json.loads(run.result) == wanted, run.error.message + "\n" + run.error.trace if run.error else run.result)
            if name == "environment":
                self.check("what the environment is asked", run.asked.count("get") == 1 and run.asked.count("variables") == 1, run.asked)
            if name == "environment, denied":
                self.check("a variable that is denied is told", run.latest and json.loads(run.latest[1])["asked"] == "TOKEN" and run.asked.count("get") == 1, run.asked)
            if name == "formatted":
                wanted_logs = [f"Response {{\n  status: 200,\n  statusText: 'OK',\n  url: '{B}/echo',\n  headers: Headers {{ 'content-type': 'application/json' }}\n}}", "{ APP_MODE: 'test', USER: 'ada' }"]
                self.check("as text", [text for _, text in run.logs] == wanted_logs, run.logs)
        for name, body, message, denied in ERRORS:
            run = self.run(f"{HEAD}{body}\n}}")
            error = run.error
            self.check(name, error is not None and error.message.startswith(message), run.result or error.message)
            if error is not None:
                self.check(f"{name}: denied", error.denied == denied, error.denied)
                line = 3 + body.count("\n")
                self.check(f"{name}: location", error.location is not None and error.location.line == line, error.trace)

        run = self.run("export const run = (input) => input;", input=[1, "ü"])
        self.check("an agent that asks for nothing asks the host nothing", run.asked == [] and run.result == '[1,"ü"]', run.asked)
        run = self.run(f"const r = await fetch('{B}/text', {{ signal: AbortSignal.timeout(60000) }});\nconsole.log(r.status);\n")
        self.check("a timeout does not keep a script from ending", run.result == '"200\\n"' and run.slept == 0, (run.result, run.slept))
        run = Run(self.engine, self.component, FILES, ENVIRONMENT)
        for user in ("ada", "bob"):
            run.environment = {"USER": user}
            run.run({"a.mjs": b'import { env } from "oacp"; export const run = () => env.USER;'}, "a.mjs")
            self.check("an instance's second run has its own environment", run.result == json.dumps(user), run.result)
        run = Run(self.engine, self.component, FILES, ENVIRONMENT)
        source = {
            "count.mjs": b"let n = 0; export const next = () => ++n;",
            "a.mjs": b'import { next } from "./count.mjs"; let own = 0; export const run = () => [next(), ++own];',
            "b.mjs": b'import { next } from "./count.mjs"; export const run = async () => next();',
            "broken.mjs": b'import { next } from "./count.mjs"; next(); throw new Error("not today");',
        }
        for entry, wanted in (("a.mjs", "[1,1]"), ("b.mjs", "2"), ("a.mjs", "[3,2]"), ("broken.mjs", None), ("b.mjs", "5")):
            run.run(source, entry)
            self.check(f"an instance keeps what its files know: {entry}", run.result == wanted, run.result or run.error.message)

        examples = ROOT / "examples" / "javascript"
        for path in sorted(examples.glob("*.input.json")):
            name = path.name.removesuffix(".input.json")
            if name == "recursion":  # the stack of this host is too small for it
                continue
            directory = examples / name
            if directory.is_dir():
                source = {str(one.relative_to(directory)): one.read_bytes() for one in sorted(directory.rglob("*")) if one.is_file()}
                entry = next(one for one in ("agent.js", "agent.mjs", "index.js", "main.js") if one in source)
            else:
                file = next(one for one in (examples / f"{name}.js", examples / f"{name}.mjs") if one.exists())
                source, entry = {file.name: file.read_bytes()}, file.name
            run = self.run(source, entry, json.loads(path.read_text(encoding="utf-8")))
            output = examples / f"{name}.output.json"
            wanted = json.loads(output.read_text(encoding="utf-8")) if output.exists() else run.result and json.loads(run.result)
            self.check(f"example {name}", run.error is None and json.loads(run.result) == wanted, run.error.trace if run.error else run.result)

    def time(self):
        runs = [self.run("export const run = (input) => input;") for _ in range(200)]
        instantiate, call = (statistics.median(getattr(run, name) for run in runs) for name in ("instantiate_ms", "run_ms"))
        print(f"a trivial agent: instantiate {instantiate:.2f} ms, run {call:.2f} ms")


def main():
    checker = Checker(sys.argv[1])
    checker.all()
    checker.time()
    print(f"{checker.done} checks, {checker.failed} failed")
    sys.stdout.flush()
    os._exit(checker.failed > 0)


if __name__ == "__main__":
    main()
