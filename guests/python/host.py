"""A small host for trying the component without the real one: not a sandbox, and nothing is recorded.

    python host.py COMPONENT PATH [INPUT]      runs a file or a directory (its entry is agent.py)
"""

import hashlib
import heapq
import json
import pathlib
import sys
import tempfile
import time

import wasmtime
from wasmtime import component as wit
from wasmtime.component._types import OptionType


def _add_classes(self, classes):
    classes.add(type(None))
    self.payload.add_classes(classes)


# wasmtime-py takes any value for an option, so that a failure beside one (`result<option<string>, failure>`) gets lost.
OptionType.add_classes = _add_classes

LEVELS = ("debug", "info", "warning", "error")


def load(path):
    """The compiled component; compiling takes seconds, so the result is kept beside other temporary files."""
    config = wasmtime.Config()
    config.max_wasm_stack = 2 << 20
    engine = wasmtime.Engine(config)
    data = pathlib.Path(path).read_bytes()
    kept = pathlib.Path(tempfile.gettempdir()) / f"oacp-host-{hashlib.sha256(data).hexdigest()[:16]}.cwasm"
    if kept.exists():
        return engine, wit.Component.deserialize_file(engine, str(kept))
    compiled = wit.Component(engine, data)
    kept.write_bytes(compiled.serialize())
    return engine, compiled


def record(**fields):
    made = wit.Record()
    made.__dict__.update(fields)
    return made


class Run:
    """What one run did: `result` (text) or `error`, and its `logs`.

    `http` answers a request (method, url, headers, body) with (delay in seconds, ("ok", (status, reason, headers, body)))
    or (delay, ("err", (code, message, denial))). `variables` are the granted ones, `denials` maps what is asked for to a
    denial: a variable's name. `directory` is a host directory that the guest sees as `/`.
    """

    def __init__(self, engine, compiled, tools=None, env=None, memory_bytes_max=None, log_limit=None, http=None,
                 variables=None, denials=None, latest=None, directory=None, working_directory="/", writable=True):
        self.tools = tools or {}
        self.http = http
        self.variables = variables or {}
        self.denials = denials or {}
        self.latest = latest
        self.working_directory = working_directory
        self.asked = []
        self.logs = []
        self.calls = []
        self.waits = 0
        self.log_limit = log_limit
        self._queue = []
        self._next = 0
        self.store = wasmtime.Store(engine)
        if memory_bytes_max:
            self.store.set_limits(memory_size=memory_bytes_max)
        config = wasmtime.WasiConfig()
        if env:
            config.env = list(env.items())
        if directory:
            config.preopen_dir(str(directory), "/", writable)
        config.inherit_stderr()
        config.inherit_stdout()
        self.store.set_wasi(config)
        self._zero = time.monotonic_ns()
        linker = wit.Linker(engine)
        linker.add_wasip2()
        with linker.root() as root:
            with root.add_instance("oacp:agent/types@0.1.0"):
                pass
            with root.add_instance("oacp:agent/port@0.1.0") as port:
                port.add_func("wait", self._wait)
            with root.add_instance("oacp:agent/tools@0.1.0") as tools_:
                tools_.add_func("start", self._start)
            with root.add_instance("oacp:agent/log@0.1.0") as log:
                log.add_func("log", self._log)
            with root.add_instance("oacp:agent/http@0.1.0") as http_:
                http_.add_func("start", self._exchange)
            with root.add_instance("oacp:agent/files@0.1.0") as files:
                files.add_func("working-directory", lambda _: self.working_directory)
                for name in ("read", "write", "list", "status", "make-directory", "remove", "rename"):
                    files.add_func(name, lambda *_: record(code="io", message="not in this host", detail=None))
            with root.add_instance("oacp:agent/environment@0.1.0") as environment:
                environment.add_func("variables", lambda _: sorted(self.variables.items()))
                environment.add_func("get", self._variable)
            with root.add_instance("oacp:agent/denials@0.1.0") as denials_:
                denials_.add_func("latest", lambda _: self.latest and (self.latest[0], json.dumps(self.latest[1])))
        start = time.perf_counter()
        self.instance = linker.instantiate(self.store, compiled)
        self.instantiate_ms = (time.perf_counter() - start) * 1e3

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

    def _now(self):
        return time.monotonic_ns() - self._zero

    def _start(self, _, name, arguments):
        self._next += 1
        self.calls.append((name, json.loads(arguments)))
        delay, answer = 0, ("err", ("unknown_tool", f"there is no tool `{name}`", None))
        if name in self.tools:
            delay, answer = self.tools[name](json.loads(arguments))
        heapq.heappush(self._queue, (self._now() + int(delay * 1e9), self._next, answer))
        return self._next

    def _exchange(self, _, request):
        self._next += 1
        headers = [(name, value) for name, value in request.headers]
        self.calls.append((request.method, request.url))
        delay, answer = 0, ("err", ("denied", "there is no network", {"code": "network_not_granted", "capability": "network", "asked": request.url}))
        if self.http is not None:
            delay, answer = self.http(request.method, request.url, headers, bytes(request.body))
        if answer[0] == "ok":
            status, reason, headers, body = answer[1]
            head = json.dumps({"headers": headers, "reason": reason, "status": status}, separators=(",", ":"), ensure_ascii=False)
            answer = ("bytes", head.encode() + b"\n" + body)
        heapq.heappush(self._queue, (self._now() + int(delay * 1e9), self._next, answer))
        return self._next

    def _variable(self, _, name):
        self.asked.append(name)
        if name in self.denials:
            self._next += 1
            self.latest = (self._next, self.denials[name])
            return record(code="denied", message=f"env `{name}` is not granted", detail=json.dumps(self.denials[name]))
        return self.variables.get(name)

    def _wait(self, _, calls, deadline):
        self.waits += 1
        wanted = [one for one in self._queue if one[1] in calls]
        if not wanted and deadline is None:
            raise RuntimeError("nothing could wake the guest")
        first = min(wanted) if wanted else None
        if first is None or deadline is not None and first[0] > deadline:
            time.sleep(max(0, deadline - self._now()) / 1e9)
            return None
        time.sleep(max(0, first[0] - self._now()) / 1e9)
        self._queue.remove(first)
        heapq.heapify(self._queue)
        kind, value = first[2]
        if kind == "ok":
            outcome = json.dumps(value).encode()
        elif kind == "bytes":
            outcome = value
        else:
            code, message, detail = value
            outcome = record(code=code, message=message, detail=detail and json.dumps(detail))
        if kind == "err" and code == "denied":
            self.latest = (first[1], detail)
        return record(call=first[1], outcome=outcome)

    def _log(self, _, level, message):
        if self.log_limit is not None and len(self.logs) >= self.log_limit:
            return record(code="limit", message="the log is full", detail=None)
        self.logs.append((level, message))


def files_of(path):
    """(files, entry) of a file or of a directory."""
    path = pathlib.Path(path)
    if path.is_dir():
        found = sorted(one for one in path.rglob("*") if one.is_file() and "__pycache__" not in one.parts)
        return {str(one.relative_to(path)): one.read_bytes() for one in found}, "agent.py"
    return {path.name: path.read_bytes()}, path.name


def main():
    engine, compiled = load(sys.argv[1])
    run = Run(engine, compiled)
    run.run(*files_of(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "null")
    for level, message in run.logs:
        print(f"[{level}] {message}", file=sys.stderr)
    if run.error is None:
        print(run.result)
    else:
        print(run.error.message, run.error.trace, vars(run.error).get("location") and vars(run.error.location), run.error.denied, sep="\n", file=sys.stderr)
    print(f"instantiate {run.instantiate_ms:.2f} ms, run {run.run_ms:.2f} ms", file=sys.stderr)
    sys.exit(run.error is not None)


if __name__ == "__main__":
    main()
