"""Calls every component of components.json in a runtime that is not ours, and compares with what the manifest expects.

    pip install wasmtime==50.0.1 && python3 check.py [NAME…]        after fetch.py and build.sh

It knows nothing of OACP: it turns the manifest's JSON into WIT values and back by the types that Wasmtime's own
introspection gives, following the table in README.md. `wasi:http` and `wasi:cli/run` are called through the
`wasmtime` program where WASMTIME names it, since the Python bindings cannot hand out a request.
"""
import base64, hashlib, json, math, os, subprocess, sys, urllib.error, urllib.request
from pathlib import Path

import wasmtime
from wasmtime import component as c
from wasmtime.component import _types as t

HERE = Path(__file__).parent
BUILT = Path(os.environ.get("CARGO_TARGET_DIR") or HERE.parent.parent / "target") / "components"
INTEGERS = {t.S8: (-2**7, 2**7), t.S16: (-2**15, 2**15), t.S32: (-2**31, 2**31), t.S64: (-2**63, 2**63),
            t.U8: (0, 2**8), t.U16: (0, 2**16), t.U32: (0, 2**32), t.U64: (0, 2**64)}
FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Unmappable(Exception):
    pass


def kind(ty):
    return type(ty).__name__


def to_wit(ty, value):
    """JSON to what wasmtime-py takes; raises ValueError where the JSON is not of the type."""
    if type(ty) in INTEGERS:
        low, high = INTEGERS[type(ty)]
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value < high:
            raise ValueError(f"{value!r} is no {kind(ty)}")
        return value
    match kind(ty):
        case "Bool":
            if not isinstance(value, bool):
                raise ValueError(f"{value!r} is no bool")
            return value
        case "F32" | "F64":
            if isinstance(value, bool):
                raise ValueError(f"{value!r} is no number")
            return FLOATS[value] if isinstance(value, str) else float(value)
        case "Char":
            if len(value) != 1 or 0xD800 <= ord(value) < 0xE000:
                raise ValueError(f"{value!r} is no char")
            return value
        case "String":
            if not isinstance(value, str):
                raise ValueError(f"{value!r} is no string")
            return value
        case "ListType":
            if kind(ty.element) == "U8":
                return base64.b64decode(value, validate=True)
            return [to_wit(ty.element, each) for each in value]
        case "RecordType":
            return to_record(ty.fields, value)
        case "TupleType":
            if len(value) != len(ty.elements):
                raise ValueError("tuple of another length")
            return tuple(to_wit(e, v) for e, v in zip(ty.elements, value))
        case "EnumType":
            if value not in ty.names:
                raise ValueError(f"{value!r} is none of {ty.names}")
            return value
        case "FlagsType":
            if not set(value) <= set(ty.names) or not all(isinstance(each, bool) for each in value.values()):
                raise ValueError(f"{value!r} not within {ty.names}")
            return {name for name, on in value.items() if on}
        case "OptionType":
            if value is None:
                inner = None, None
            elif kind(ty.payload) == "OptionType":
                inner = "some", to_wit(ty.payload, value["some"])
            else:
                inner = "some", to_wit(ty.payload, value)
            return tagged(ty, *inner) if inner[0] else tagged(ty, "none", None)
        case "ResultType":
            (tag, payload), = value.items()
            side = {"ok": ty.ok, "err": ty.err}[tag]
            if side is None and payload is not None:
                raise ValueError(f"{tag} has no payload")
            return tagged(ty, tag, None if side is None else to_wit(side, payload))
        case "VariantType":
            case = dict(ty.cases)[value["tag"]]
            if set(value) != ({"tag"} if case is None else {"tag", "val"}):
                raise ValueError(f"{value!r} is no case of the variant")
            return tagged(ty, value["tag"], None if case is None else to_wit(case, value["val"]))
    raise Unmappable(kind(ty))


def to_record(fields, value):
    unknown = set(value) - {name for name, _ in fields}
    if unknown:
        raise ValueError(f"unknown {sorted(unknown)}")
    record = t.Record()
    for name, ty in fields:
        if name not in value and kind(ty) != "OptionType":
            raise ValueError(f"{name} is missing")
        setattr(record, name, to_wit(ty, value.get(name)))
    return record


def tagged(ty, tag, payload):
    """wasmtime-py wants a bare payload where Python's types tell the cases apart, and a Variant elsewhere."""
    return t.Variant(tag, payload) if ty._tagged() else payload


def untagged(ty, value):
    if ty._tagged():
        return value.tag, value.payload
    for name, payload in ty._cases():
        if payload is None:
            if value is None:
                return name, None
        else:
            classes = set()
            payload.add_classes(classes)
            if isinstance(value, tuple(classes)):
                return name, value
    raise AssertionError("no case fits")


def to_json(ty, value):
    match kind(ty):
        case "Bool" | "Char" | "String" | "EnumType":
            return value
        case "F32" | "F64":
            if math.isnan(value):
                return "NaN"
            if math.isinf(value):
                return "Infinity" if value > 0 else "-Infinity"
            return int(value) if value == int(value) and abs(value) < 2**53 else value
        case "ListType":
            if kind(ty.element) == "U8":
                return base64.b64encode(value).decode()
            return [to_json(ty.element, each) for each in value]
        case "RecordType":
            return {name: to_json(field, getattr(value, name)) for name, field in ty.fields}
        case "TupleType":
            return [to_json(e, v) for e, v in zip(ty.elements, value)]
        case "FlagsType":
            return {name: name in value for name in ty.names}
        case "OptionType":
            tag, payload = untagged(ty, value)
            if tag == "none":
                return None
            inner = to_json(ty.payload, payload)
            return {"some": inner} if kind(ty.payload) == "OptionType" else inner
        case "ResultType":
            tag, payload = untagged(ty, value)
            side = ty.ok if tag == "ok" else ty.err
            return {tag: None if side is None else to_json(side, payload)}
        case "VariantType":
            tag, payload = untagged(ty, value)
            side = dict(ty.cases)[tag]
            return {"tag": tag} if side is None else {"tag": tag, "val": to_json(side, payload)}
    if type(ty) in INTEGERS:
        return value
    raise Unmappable(kind(ty))


def log_function(store, *args):
    """`wasi:logging/logging`: level, context, message."""


def open_component(engine, path, extra):
    component = c.Component.from_file(engine, str(path))
    linker = c.Linker(engine)
    linker.add_wasip2()
    linker.add_wasi_http()
    for name in extra:
        if not name.startswith("wasi:logging/logging"):
            raise SystemExit(f"no stand-in for {name}")
        with linker.root() as root, root.add_instance(name) as instance:
            instance.add_func("log", log_function)
    store = wasmtime.Store(engine)
    config = wasmtime.WasiConfig()
    store.set_wasi(config)
    store.set_wasi_http()
    return component, store, linker.instantiate(store, component)


def call(engine, path, extra, sample):
    _, store, instance = open_component(engine, path, extra)
    interface, _, function = sample["export"].rpartition("#")
    outer = instance.get_export_index(store, interface) if interface else None
    index = instance.get_export_index(store, function, outer)
    func = instance.get_func(store, index)
    ty = func.type(store)
    record = to_record(ty.params, sample["arguments"])
    try:
        result = func(store, *[getattr(record, name) for name, _ in ty.params])
    except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
        if "unreachable" not in str(error):
            raise
        return {"traps": True}
    if ty.result is None:
        return {"result": None}
    if kind(ty.result) == "ResultType":
        (tag, payload), = to_json(ty.result, result).items()
        return {{"ok": "result", "err": "error"}[tag]: payload}
    return {"result": to_json(ty.result, result)}


def command(path, sample):
    """`wasi:cli/run` through the wasmtime program."""
    asked = sample["arguments"]
    flags = [f"--env={name}={value}" for name, value in asked.get("env", {}).items()]
    done = subprocess.run([os.environ["WASMTIME"], "run", *flags, str(path), *asked.get("args", [])],
                          input=asked.get("stdin", "").encode(), capture_output=True, timeout=120)
    return {"result": {"exit_code": done.returncode, "stdout": done.stdout.decode(), "stderr": done.stderr.decode()}}


def http(path, samples):
    """`wasi:http/incoming-handler` through `wasmtime serve`, on the loopback address."""
    server = subprocess.Popen([os.environ["WASMTIME"], "serve", "-Scli", "--addr=127.0.0.1:18081", str(path)],
                              stderr=subprocess.PIPE)
    try:
        while b"Serving" not in server.stderr.readline():
            pass
        for sample in samples:
            asked = sample["arguments"]
            request = urllib.request.Request("http://127.0.0.1:18081" + asked["path"], method=asked["method"],
                                             data=base64.b64decode(asked["body"]) if "body" in asked else None,
                                             headers=dict(asked.get("headers", [])))
            try:
                reply = urllib.request.urlopen(request, timeout=60)
            except urllib.error.HTTPError as error:
                reply = error
            wanted = {name for name, _ in sample["result"]["headers"]}
            yield sample, {"result": {
                "status": reply.status,
                "headers": [[n.lower(), v] for n, v in reply.getheaders() if n.lower() in wanted],
                "body": base64.b64encode(reply.read()).decode()}}
    finally:
        server.terminate()
        server.wait()


def outcomes(engine, entry, path):
    samples = entry.get("calls", [])
    extra = entry.get("beyond_wasi_0_2", [])
    by_program = [s for s in samples if s["export"].startswith(("wasi:cli/run@", "wasi:http/incoming-handler@"))]
    for sample in samples:
        if sample not in by_program:
            yield sample, call(engine, path, extra, sample)
    for bad in entry.get("bad_arguments", []):
        try:
            yield bad, call(engine, path, extra, bad)
        except (ValueError, TypeError, KeyError, AttributeError):
            yield bad, {}
    if by_program and "WASMTIME" not in os.environ:
        print(f"     {entry['name']}: {len(by_program)} calls not checked: WASMTIME names no program")
        return
    for sample in by_program:
        if sample["export"].startswith("wasi:cli/run@"):
            yield sample, command(path, sample)
    served = [s for s in by_program if s["export"].startswith("wasi:http/")]
    if served:
        yield from http(path, served)


def expected(sample):
    return {key: sample[key] for key in ("result", "error", "traps") if key in sample}


def same(sample, got):
    """`prefixes` names members of the result of which only the beginning is compared: they hold random numbers."""
    for name in sample.get("prefixes", []):
        if not got["result"][name].startswith(sample["result"][name]):
            return False
        got = {"result": got["result"] | {name: sample["result"][name]}}
    return got == expected(sample)


def main():
    manifest = json.loads((HERE / "components.json").read_text())
    config = wasmtime.Config()
    engine = wasmtime.Engine(config)
    passed = failed = absent = 0
    for entry in manifest["components"]:
        if sys.argv[1:] and entry["name"] not in sys.argv[1:]:
            continue
        path = next((p for p in (HERE / entry["file"], BUILT / entry["file"]) if p.exists()), None)
        if path is None:
            print(f"--   {entry['name']}: not here")
            absent += 1
            continue
        if "sha256" in entry and hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
            print(f"FAIL {entry['name']}: other bytes than the manifest's")
            failed += 1
            continue
        if "refused_at_load" in entry:
            try:
                open_component(engine, path, [])
                said = "nothing"
            except wasmtime.WasmtimeError as error:
                said = str(error)
            right = f"`{entry['refused_at_load']['import']}`" in said
            passed, failed = passed + right, failed + (not right)
            if not right:
                print(f"FAIL {entry['name']}: wanted to be refused for {entry['refused_at_load']['import']}, but: {said[:200]}")
            continue
        for sample, got in outcomes(engine, entry, path):
            if same(sample, got):
                passed += 1
            else:
                failed += 1
                print(f"FAIL {entry['name']} {sample['export']}\n     expected {json.dumps(expected(sample))}\n     got      {json.dumps(got)}")
    print(f"{passed} passed, {failed} failed, {absent} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
