"""Results and arguments as JSON texts, with errors that say where the trouble is."""

import json
import math

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

_ADVICE = {
    "set": "use a list: sorted(...)",
    "frozenset": "use a list: sorted(...)",
    "bytes": "use text: .decode() or base64.b64encode(...).decode()",
    "bytearray": "use text: .decode() or base64.b64encode(...).decode()",
    "datetime": "use text: .isoformat()",
    "date": "use text: .isoformat()",
    "time": "use text: .isoformat()",
    "Decimal": "use str(...) or float(...)",
    "Fraction": "use str(...) or float(...)",
    "UUID": "use str(...)",
    "generator": "use list(...)",
    "coroutine": "await it",
    "async_generator": "collect it: [x async for x in ...]",
}


def result(value):
    """The JSON text of what an agent returned; TypeError or ValueError if there is none."""
    return _text(value, "result", "return JSON: dict with str keys, list, str, int, float, bool or None")


def arguments(tool, value):
    """The JSON text of a tool call's arguments."""
    try:
        return _text(value, "", "a tool's arguments are JSON: dict with str keys, list, str, int, float, bool or None")
    except (TypeError, ValueError) as error:
        raise TypeError(f"tool `{tool}`: {error}") from None


def a(value):
    """`a set`, `an int`, `None`: how a message names a value's type."""
    if value is None or isinstance(value, (bytes, bytearray)):
        return "None" if value is None else type(value).__name__
    name = type(value).__qualname__
    module = type(value).__module__
    if module not in ("builtins", "__main__"):
        name = f"{module}.{name}"
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name}"


def _text(value, name, wanted):
    try:
        text = _encode(value)
        # A lone surrogate is no character: neither UTF-8 nor the JSON of other languages has it.
        if not text.isascii():
            text.encode()
        return text
    except RecursionError:
        raise ValueError(f"{name or 'the arguments'} is nested too deeply to be JSON") from None
    except (TypeError, ValueError):
        found = _fault(value, name)
        if found is None:
            raise
    kind, message = found
    raise kind(f"{message}; {wanted}" if kind is TypeError else message) from None


def _fault(root, name):
    """The first value, in reading order, that is not JSON: (exception type, message)."""
    above = []  # the containers that the current value is in
    todo = [(root, name, 0)]
    while todo:
        value, path, depth = todo.pop()
        del above[depth:]
        if value is None or isinstance(value, bool):
            continue
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError as error:
                return ValueError, f"{path} holds half of a surrogate pair at character {error.start}, which no JSON text can carry"
            continue
        if isinstance(value, int):
            try:
                int.__repr__(value)
            except ValueError as error:
                return ValueError, f"{path} is too large to be written: {error}"
            continue
        if isinstance(value, float):
            if not math.isfinite(value):
                return ValueError, f"{path} is {float.__repr__(value)}, which JSON cannot say; use None or text"
            continue
        if isinstance(value, (list, tuple, dict)):
            if any(value is one for one in above):
                return ValueError, f"{path} holds itself (a circular reference)"
            above.append(value)
            if isinstance(value, dict):
                inner = []
                for key, one in value.items():
                    if not isinstance(key, (str, int, float, bool, type(None))):
                        return TypeError, f"{path or 'the arguments'} has a key of type {type(key).__name__}"
                    if isinstance(key, float) and not math.isfinite(key):
                        return ValueError, f"{path or 'the arguments'} has the key {float.__repr__(key)}, which JSON cannot say"
                    if isinstance(key, str):
                        try:
                            key.encode()
                        except UnicodeEncodeError:
                            return ValueError, f"{path or 'the arguments'} has a key with half of a surrogate pair"
                        shown = json.dumps(key, ensure_ascii=False)
                        inner.append((one, f"{path}[{shown}]" if path else key, depth + 1))
                    else:
                        inner.append((one, f"{path}[{key!r}]", depth + 1))
            else:
                inner = [(one, f"{path}[{i}]", depth + 1) for i, one in enumerate(value)]
            todo.extend(reversed(inner))
            continue
        advice = _ADVICE.get(type(value).__name__)
        if advice is None and hasattr(type(value), "__dataclass_fields__"):
            advice = "use dataclasses.asdict(...)"
        return TypeError, f"{path} is {a(value)}" + (f" ({advice})" if advice else "")
    return None
