"""Describes the tools of a Python file: JSON Schemas from its functions' types, and the stubs that calls run.

It runs in the sandbox, at the top of the tool's own files: `run({"entry": "weather.py"})`. A type is made a `Node` twice: as a
parameter's, whose values come from JSON, and as a result's, whose values go there.
"""

import base64
import collections.abc as abc
import contextlib
import dataclasses
import datetime
import decimal
import enum
import importlib
import inspect
import json
import keyword
import math
import operator
import os
import pathlib
import re
import sys
import types
import typing
import uuid
from dataclasses import MISSING

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TOOLS_MAX = 128
DEPTH_MAX = 32  # of a schema's JSON
NODES_MAX = 2048  # of one direction of a function: a class within a class, each used twice, doubles the schema at every level
TEXT_CHARS_MAX = 8192
INTEGER_MAX = 2**53 - 1  # beyond it the programs that read a schema disagree
HIDDEN = object()  # a default that is there, and not shown

NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", types.NoneType: "null"}
EVERY = {"string": "str", "integer": "int", "number": "(int, float)", "boolean": "bool", "null": "None", "array": "list", "object": "dict"}
DECIMAL = r"^[+-]?[0-9]+(\.[0-9]+)?([Ee][+-]?[0-9]+)?$"
CLOCK = r"^[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})?$"  # the format "time" wants an offset, which few have
TEXTS = {  # class: (keywords of its string, how it is read, how it is written)
    # The format wants an offset too: what has none is local time, as Python has it.
    datetime.datetime: ({"format": "date-time"}, "datetime.fromisoformat({})", "({0} if {0}.tzinfo else {0}.astimezone()).isoformat()"),
    datetime.date: ({"format": "date"}, "date.fromisoformat({})", "{}.isoformat()"),
    datetime.time: ({"pattern": CLOCK}, "time.fromisoformat({})", "{}.isoformat()"),
    uuid.UUID: ({"format": "uuid"}, "UUID({})", "str({})"),
    decimal.Decimal: ({"pattern": DECIMAL}, "Decimal({})", "str({})"),
    bytes: ({"contentEncoding": "base64"}, "b64decode({}, validate=True)", "b64encode({}).decode()"),
    pathlib.Path: ({}, "Path({})", "str({})"),
}
MODULES = {"datetime": "datetime", "date": "datetime", "time": "datetime", "UUID": "uuid", "Decimal": "decimal", "Path": "pathlib",
           "b64decode": "base64", "b64encode": "base64", "dumps": "json", "unwrap": "inspect"}
LISTS = {list, abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable}
SETS = {set: "set", frozenset: "frozenset", abc.Set: "set", abc.MutableSet: "set"}
MAPS = {dict, abc.Mapping, abc.MutableMapping}
STREAMS = {abc.Iterator, abc.Generator, abc.AsyncIterator, abc.AsyncGenerator, abc.AsyncIterable}
BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum", "multiple_of": "multipleOf"}
SIZES = {"string": "Length", "array": "Items", "object": "Properties"}
WRAPPERS = tuple(getattr(typing, name) for name in ("Required", "NotRequired", "ReadOnly", "Final") if hasattr(typing, name))
ALIAS = getattr(typing, "TypeAliasType", ())  # before Python 3.12 there are none
AWAIT = "write `async def`, and the type of what it gives"
CHOOSE = "use a name, `Literal[…]`, and choose by it"
FIXES = {datetime.timedelta: "use the seconds: `float`", complex: "use two numbers: `tuple[float, float]`", bytearray: "use `bytes`",
         enum.Flag: "use `list[…]` of an Enum", range: "use `list[int]`", abc.Callable: CHOOSE, type: CHOOSE,
         abc.Coroutine: AWAIT, abc.Awaitable: AWAIT}
KNOWN = ("use str, int, float, bool, None, Any, list, tuple, set, dict, Literal, an Enum, a dataclass, a TypedDict, a NamedTuple, "
         "datetime, date, time, UUID, Decimal, Path or bytes")
EXAMPLE = 'def forecast(city: str) -> str:\n    """Says what the weather in a city will be."""'

GOOGLE = re.compile(r"(?:(?:Keyword |Other )?(?:Args|Arguments|Parameters|Params)|Attributes):\s*")
GOOGLE_ENTRY = re.compile(r"(\*{0,2}\w+)\s*(?:\(.*?\))?\s*:(?:\s+(.*))?$")
NUMPY = re.compile(r"(?:Other )?Parameters|Attributes")
NUMPY_ENTRY = re.compile(r"(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$()")
UNDERLINE = re.compile(r"-{3,}\s*")
REST = re.compile(r":(?:param|parameter|arg|argument|key|keyword|ivar|var)\s+(?:[^:]*\s)?(\*{0,2}\w+)\s*:\s*(.*)|:r?type\b.*?:()()")


class Refused(Exception):
    """What no tool can have; `fix` says what to write instead."""

    def __init__(self, message, fix):
        super().__init__(message)
        self.fix = fix


@dataclasses.dataclass(eq=False)
class Node:
    """A type in one direction: its schema, and how its values are converted."""

    schema: dict
    kinds: set = frozenset()  # the JSON types of its values; a union's are those of its choices
    code: abc.Callable = None  # of an expression: the expression that converts its value
    own: bool = False  # converts even where nothing within does
    parts: tuple = ()  # the types within
    choices: tuple = None  # of a union; or the one that an alias stands for
    isa: abc.Callable = None  # of a result's: the expression for its class
    rank: int = 0  # a subclass's is above its base's
    values: tuple = ()  # all there are, of a Literal or an Enum
    fields: list = None  # of an object: (name, node, whether it is required)
    parses: bool = False  # its code raises for other strings
    name: str = None  # in `$defs`, once it was met within itself
    size: int = 0  # in nodes

    def leaves(self, above=()):
        """The types that a value may be of: a union's choices, and theirs."""
        if self in above:
            raise Refused("an alias stands for itself", "put it into a list or a dict")
        return [self] if self.choices is None else [leaf for one in self.choices for leaf in one.leaves((*above, self))]

    def converts(self, seen=None):
        """Whether a value of the type, or one within, is anything else in JSON than in Python."""
        seen = set() if seen is None else seen
        if self in seen:
            return False
        seen.add(self)
        return self.own or any(one.converts(seen) for one in self.parts)

    def meets(self, other):
        """Whether some JSON type is both one's: whole numbers are numbers."""
        mine, others = ({*one.kinds, "integer"} if "number" in one.kinds else one.kinds for one in (self, other))
        return mine & others

    def test(self, v):
        """The condition that the value of `v` is of this type, as far as unions have to know."""
        if self.isa:
            return f"isinstance({v}, {self.isa()})"
        tests = [f"type({v}) is {EVERY[one]}" if one != "number" else f"type({v}) in {EVERY[one]}" for one in sorted(self.kinds - {"null"})]
        tests = [" or ".join([f"{v} is None"] * ("null" in self.kinds) + tests)]
        if self.values:
            tests = [f"({tests[0]})"] * (self.kinds != {"string"})  # True equals 1, so their types count
            tests.append(f"{v} == {self.values[0]!r}" if len(self.values) == 1 else f"{v} in {self.values!r}")
        if self.fields is not None:
            every, needed = [at for at, _, _ in self.fields], [at for at, _, must in self.fields if must]
            tests.append(f"{v}.keys() == {braced(every)}" if needed == every else f"{braced(needed)} <= {v}.keys() <= {braced(every)}")
            for at, one, must in self.fields:  # a tag tells objects with the same keys apart
                if must and all(leaf.values and not leaf.isa for leaf in one.leaves()):
                    tests += [" or ".join(leaf.test(f"{v}[{at!r}]") for leaf in one.leaves())]
        return " and ".join(tests)


def run(input):
    """The tools that the file `input["entry"]` defines, and what is wrong with it."""
    report = {"tools": [], "errors": [], "warnings": []}
    with blame(report, 1, None):
        name, module = imported(input["entry"].removeprefix("./"))
        for called, function in functions_of(module):
            line, before = inspect.unwrap(function).__code__.co_firstlineno, len(report["errors"])
            with blame(report, line, called):
                tool = describe(Stub(name, module), called, function, report, line)
                report["tools"] += [tool] if len(report["errors"]) == before else []
    return report


@contextlib.contextmanager
def blame(report, line, function, where=""):
    """Notes what is refused within, as an error of a function."""
    try:
        yield
    except Refused as error:
        report["errors"].append({"line": line, "function": function, "message": f"{where}{error}", "fix": error.fix})
    except RecursionError:
        report["errors"].append({"line": line, "function": function, "message": f"{where}types are nested too deeply or too often",
                                 "fix": "use fewer, or `dict[str, Any]`"})


def imported(entry):
    """The entry's module, under the name by which a stub can import it."""
    stem = entry.removesuffix(".py")
    name = stem.removesuffix("/__init__").replace("/", ".")
    if "." in stem or not all(part.isidentifier() and not keyword.iskeyword(part) for part in name.split(".")):
        raise Refused(f"`{entry}` cannot be imported: its path is no module's name", "rename it, with letters, digits and `_`")
    module = importlib.import_module(name)
    origin = getattr(getattr(module, "__spec__", None), "origin", None)
    if not origin or os.path.abspath(origin) != os.path.abspath(entry):
        raise Refused(f"`{entry}` is hidden by Python's own module `{name}`", "give the file another name")
    return name, module


def functions_of(module):
    """The functions that are tools, by name: those of `__all__`, else the public ones that are defined in the module."""
    found = {}
    if hasattr(module, "__all__"):
        for name in module.__all__:
            found[name] = getattr(module, name, None)
            if not wrapped(found[name]):
                raise Refused(f"`{name}` in `__all__` is no function of the file", f"take `{name}` out: `__all__` lists the tools")
    else:
        for name, value in list(vars(module).items()):
            # Not `__module__`: that is what the module says of itself.
            if not name.startswith("_") and getattr(wrapped(value), "__globals__", None) is vars(module):
                same = [other for other, one in found.items() if one is value]
                if not same or name == wrapped(value).__name__:
                    found = {other: one for other, one in found.items() if other not in same} | {name: value}
        found = dict(sorted(found.items(), key=lambda one: wrapped(one[1]).__code__.co_firstlineno))
    if not found:
        raise Refused("there is no tool: a tool is a public function with typed parameters and a docstring", EXAMPLE)
    if len(found) > TOOLS_MAX:
        raise Refused(f"there are {len(found)} tools; {TOOLS_MAX} are allowed", "list in `__all__` those that are meant")
    return found.items()


def wrapped(value):
    """The function that `value` is, or wraps by functools.wraps."""
    with contextlib.suppress(ValueError):  # of an object that has every attribute, like unittest.mock.call
        inner = inspect.unwrap(value) if callable(value) and not isinstance(value, type) else None
        return inner if inspect.isfunction(inner) else None


def describe(stub, name, function, report, line):
    """The tool that `function` is; its parameters' errors go to the report."""
    def warn(message, fix):
        report["warnings"].append({"line": line, "function": name, "message": message, "fix": fix})

    inner, properties, fields, extra, result, lines = wrapped(function), {}, [], False, None, []
    text, texts = docstring(function.__doc__)
    with blame(report, line, name):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", name):
            raise Refused(f"`{name}` is no name for a tool: at most 128 ASCII letters, digits and `_`", "rename the function")
        if not bounded(text):
            example = f'def {name}(…):\n    """What it does, in a sentence."""\nA function that is no tool has a name that begins with `_`.'
            raise Refused("function has no docstring: agents choose tools by it", example)
    hints, parameters = evaluated(inner), inspect.signature(inner).parameters
    for one in texts:
        if one not in parameters:
            warn(f"docstring describes `{one}`, which is no parameter", "rename or remove it")
    into = Types(stub, False, warn)
    for at, one in parameters.items():
        with blame(report, line, name, f"parameter `{at}`: "):
            if one.kind is one.VAR_POSITIONAL:
                more = "; decorators keep the parameters by functools.wraps" if "<locals>" in inner.__qualname__ else ""
                raise Refused("arguments have names in JSON, those of `*` have none", f"`{at}: list[…]`{more}")
            schema, field = into.field(at, hints.get(at), MISSING if one.default is one.empty else one.default, texts.get(at))
            if one.kind is one.VAR_KEYWORD:
                extra = schema
                lines += [f"for k in a.keys() - {braced(properties)}: a[k] = {field[1].code('a[k]')}"] if field[1].converts() else []
                continue
            properties[at] = schema
            fields.append(field)
            lines += assignments("a", [field])
    root = into.whole({"$schema": DIALECT, **object_schema(properties, fields, extra)})
    tool = {"name": name, "description": text, "input_schema": root, "output_schema": None}
    with blame(report, line, name, "result: "):
        if inspect.isasyncgenfunction(inner) or inspect.isgeneratorfunction(inner) and "return" not in hints:
            raise Refused("a tool gives its result at once, not piece by piece", "return a list: `-> list[…]`")
        if "return" in hints:
            outof = Types(stub, True, warn)
            result = outof.node(hints["return"])
            tool["output_schema"] = outof.whole(result.schema)
        else:
            warn("no return type: its results are not checked", "`-> str`, or what it returns")
        tool["stub"] = stub.source(name, function, lines, result)
    return tool


class Types:
    """Makes nodes of the types of one function, in one direction: `out` is to JSON."""

    def __init__(self, stub, out, warn):
        self.stub, self.out, self.warn = stub, out, warn
        self.defs = {}
        self.met = []  # (type, node): a list, since not every type has a hash
        self.made = 0

    def whole(self, schema):
        """A schema with the definitions that it refers to."""
        schema = {**schema, "$defs": self.defs} if self.defs else schema
        if nesting(schema) > DEPTH_MAX:
            raise Refused(f"the schema is nested more than {DEPTH_MAX} deep", "use fewer levels")
        return schema

    def field(self, name, hint, default, text):
        """The schema of a parameter or field, with description and default, and (name, node, whether it is required)."""
        if hint is None:
            raise Refused("no type", f"`{name}: str`, or what it is")
        node = self.node(hint)
        schema = dict(node.schema)
        while typing.get_origin(hint) in WRAPPERS:
            hint = typing.get_args(hint)[0]
        own = typing.get_args(hint)[1:] if typing.get_origin(hint) is typing.Annotated else ()
        if text and not any(isinstance(one, str) for one in own):
            schema["description"] = bounded(text)
        if default is not MISSING and default is not HIDDEN and not self.out:
            try:
                value = plain(default)
            except (TypeError, ValueError, RecursionError):
                self.warn(f"default of `{name}` is not JSON: agents do not see it", "use a default that JSON can say")
            else:
                kinds = {kind for one in node.leaves() for kind in one.kinds}
                if value is None and kinds and "null" not in kinds:
                    self.warn(f"default of `{name}` is None, which its type does not allow", f"`{name}: {shown(hint)} | None`")
                else:
                    schema["default"] = value
        return schema, (name, node, default is MISSING)

    def node(self, hint):
        """The node of a type; the type's own form is looked at first, then the class that it is of."""
        hint = types.NoneType if hint is None else hint
        origin, args = typing.get_origin(hint) or hint, typing.get_args(hint)
        self.made += 1
        if self.made > NODES_MAX:
            raise RecursionError
        if origin is typing.Annotated:
            return self.annotated(hint)
        if args and origin in WRAPPERS:
            return self.node(args[0])
        if isinstance(origin, ALIAS):
            return self.named(hint, origin, lambda node: self.alias(node, origin, args))
        if isinstance(hint, typing.NewType):
            return self.node(hint.__supertype__)
        if isinstance(hint, typing.TypeVar):
            bound = evaluated(hint, lambda variable: variable.__bound__)
            return self.union(hint.__constraints__ or [typing.Any if bound is None else bound])
        if origin is typing.Union or origin is types.UnionType:
            return self.union(args)
        if origin is typing.Literal:
            return self.literal(args)
        if hint is typing.Any or hint is object:
            return Node({}, set(EVERY))
        if not isinstance(origin, type):
            raise unsupported(hint, origin)
        if origin in NAMES:
            return Node({"type": NAMES[origin]}, {NAMES[origin]})
        if origin in TEXTS:
            return self.text(origin)
        if issubclass(origin, enum.Enum) and not issubclass(origin, enum.Flag):
            return self.members(origin, list(origin))
        if dataclasses.is_dataclass(origin) or typing.is_typeddict(origin) or issubclass(origin, tuple) and hasattr(origin, "_fields"):
            return self.named(hint, origin, lambda node: self.record(node, origin, args))
        if origin is tuple and (hint is not tuple and hint is not typing.Tuple) and args[1:] != (...,):
            return self.fixed(args)
        if origin in LISTS or origin in SETS or origin is tuple:
            return self.array(origin, self.node(args[0] if args else typing.Any))
        if origin in MAPS:
            return self.map(origin, *args or (str, typing.Any))
        raise unsupported(hint, origin)

    def annotated(self, hint):
        inner = self.node(hint.__origin__)
        schema = dict(inner.schema)
        for one in hint.__metadata__:
            if isinstance(one, str):
                schema["description"] = bounded(one)
                continue
            for name in (*BOUNDS, "min_length", "max_length", "pattern"):
                value = getattr(one, name, None)
                schema |= constraint(name, value, inner.schema, hint.__origin__) if value is not None else {}
        return Node(schema, code=lambda v: inner.code(v), parts=(inner,), choices=(inner,))

    def named(self, hint, origin, make):
        """The node of a type that has a name: where it is met within itself, its schema goes to `$defs`."""
        for one, node in self.met:
            if one is hint or not isinstance(hint, type) and one == hint:
                if not node.size and not node.name:
                    base = re.sub(r"[^A-Za-z0-9_]", "_", origin.__name__)
                    node.name = next(name for name in (base, *(f"{base}{i}" for i in range(2, NODES_MAX))) if name not in self.defs)
                    node.schema = {"$ref": f"#/$defs/{node.name}"}
                    self.defs[node.name] = None
                self.made += node.size
                return node
        node = Node({}, choices=())
        before, known = self.made, len(self.met)
        self.met.append((hint, node))
        try:
            schema = make(node)
        except (Refused, RecursionError):
            del self.met[known:]  # what is half made is not met again
            raise
        node.size = self.made - before + 1
        if node.name:
            self.defs[node.name] = schema
        else:
            node.schema = schema
        return node

    def alias(self, node, origin, args):
        value = evaluated(origin, lambda alias: alias.__value__)
        inner = self.node(substituted(value, dict(zip(origin.__type_params__, args))))
        node.parts = node.choices = (inner,)
        node.leaves()
        # Only a function can call itself.
        node.code = lambda v: self.helper(node, v, lambda: [f"return {inner.code('v')}"]) if node.name else inner.code(v)
        return inner.schema

    def helper(self, node, v, body):
        return f"{self.stub.helper(node, 'dump' if self.out else 'load', body)}({v})"

    def literal(self, values):
        classes = {type(one) for one in values}
        if len(classes) == 1 and issubclass(*classes, enum.Enum):
            return self.members(*classes, values)
        return Node(*enumeration(values), values=values)

    def members(self, cls, members):
        values = tuple(one.value for one in members)
        try:
            schema, kinds = enumeration(values)
        except Refused as error:
            raise Refused(f"`{cls.__name__}`: {error}", error.fix) from None
        text = documented(cls)[0]
        schema |= {"description": bounded(text)} if text else {}
        if not self.out:
            return Node(schema, kinds, lambda v: f"{self.stub.own(cls)}({v})", own=True, values=values)
        # JSON has the value of a member that is text or a number itself.
        bare = all(isinstance(one, (str, int, float)) and one == one.value for one in members)
        return Node(schema, kinds, lambda v: f"{v}.value", own=not bare, values=values, rank=len(cls.__mro__),
                    isa=lambda: self.stub.own(cls))

    def text(self, cls):
        keywords, load, dump = TEXTS[cls]
        template = dump if self.out else load
        return Node({"type": "string", **keywords}, {"string"}, lambda v: self.stub.use(template).format(v), own=True,
                    parses=bool(keywords), rank=len(cls.__mro__), isa=(lambda: self.stub.use(cls.__name__)) if self.out else None)

    def each(self, inner, v, around="[{} for {} in {}]"):
        """The converted items of `v`; `v` itself if they are as they should be."""
        if not inner.converts():
            return v
        x = self.stub.variable()
        return around.format(inner.code(x), x, v)

    def array(self, origin, inner):
        schema = {"type": "array"} | ({"items": inner.schema} if inner.schema else {}) | ({"uniqueItems": True} if origin in SETS else {})

        def load(v):
            made, wrap = self.each(inner, v), SETS.get(origin) or "tuple" * (origin is tuple)
            return f"{wrap}({made})" if wrap else made

        def dump(v):
            made = self.each(inner, v)
            if origin not in SETS:
                return made if inner.converts() else f"list({v})"
            # The order may not come from hashes. What has none of its own is in that of its JSON texts.
            kinds = {kind for one in inner.leaves() for kind in one.kinds}
            ordered = kinds == {"string"} or kinds <= {"integer", "number"}
            return f"sorted({made})" if ordered else f"sorted({made}, key={self.stub.use('dumps')})"

        own = origin not in (list, tuple) if self.out else origin in SETS or origin is tuple
        shape = "(set, frozenset)" if origin in SETS else origin.__name__ if origin in (list, tuple) else "(list, tuple)"
        return Node(schema, {"array"}, dump if self.out else load, own, (inner,), isa=(lambda: shape) if self.out else None, rank=2)

    def fixed(self, args):
        parts = tuple(map(self.node, args))
        limits = {"prefixItems": [one.schema for one in parts], "items": False, "minItems": len(parts)} if parts else {"maxItems": 0}

        def code(v):
            items = [one.code(f"{v}[{i}]") if one.converts() else f"{v}[{i}]" for i, one in enumerate(parts)]
            changed = any(one.converts() for one in parts)
            return f"[{', '.join(items)}]" if self.out else f"({', '.join(items)}{',' * (len(items) == 1)})" if changed else f"tuple({v})"

        return Node({"type": "array", **limits}, {"array"}, code, not self.out, parts, isa=(lambda: "tuple") if self.out else None, rank=2)

    def map(self, origin, key, value):
        names, inner = self.node(key), self.node(value)
        if names.schema.get("type") != "string" or names.converts():
            raise Refused(f"`{shown(key)}` as a key: JSON's keys are strings", f"`dict[str, {shown(value)}]`")
        schema = {"type": "object"} | ({"propertyNames": names.schema} if len(names.schema) > 1 else {})
        schema |= {"additionalProperties": inner.schema} if inner.schema else {}

        def code(v):
            return self.each(inner, v, "{{k: {} for k, {} in {}.items()}}") if inner.converts() else f"dict({v})"

        own = self.out and origin is not dict
        return Node(schema, {"object"}, code, own, (inner,), isa=(lambda: "dict") if self.out else None, rank=2)

    def record(self, node, cls, args):
        keyed, properties, (text, texts) = typing.is_typeddict(cls), {}, documented(cls)
        node.kinds, node.choices, node.fields, node.own, node.rank = {"object"}, None, [], not keyed, len(cls.__mro__)
        if self.out and not keyed:
            node.isa = lambda: self.stub.own(cls)
        variables = dict(zip(getattr(cls, "__parameters__", ()), args))
        for at, hint, default, described in fields_of(cls, self.out):
            try:
                properties[at], field = self.field(at, substituted(hint, variables), default, described or texts.get(at))
            except Refused as error:
                raise Refused(f"field `{at}` of `{cls.__name__}`: {error}", error.fix) from None
            node.fields.append(field)
        node.parts = tuple(one for _, one, _ in node.fields)
        node.code = lambda v: self.convert(node, v, cls, keyed)
        return ({"description": bounded(text)} if text else {}) | object_schema(properties, node.fields)

    def convert(self, node, v, cls, keyed):
        def body():
            if self.out and not keyed:
                values = (f"{at!r}: " + (one.code(f"v.{at}") if one.converts() else f"v.{at}") for at, one, _ in node.fields)
                return [f"return {{{', '.join(values)}}}"]
            # What a tool returns may be part of its state: it is left as it is.
            lines = ["v = {**v}"] * self.out + assignments("v", node.fields)
            return [*lines, "return v" if keyed else f"return {self.stub.own(cls)}(**v)"]

        if not self.out and not any(one.converts() for one in node.parts):
            return f"{self.stub.own(cls)}(**{v})"
        return self.helper(node, v, body)

    def union(self, hints):
        choices, plain = [], set()
        every = [self.node(one) for one in hints]
        for one in every:
            # A choice is out of reach after a plain type that takes all of its values.
            choices += [] if one.kinds and one.kinds <= plain and not self.out else [one]
            plain |= one.kinds if one.schema.keys() <= {"type"} else set()
        node = Node(any_of([one.schema for one in every]), parts=tuple(choices), choices=tuple(choices))
        node.code = lambda v: self.choose(node, v)
        return node

    def choose(self, node, v):
        every = node.leaves()
        changed = [one for one in every if one.converts()]
        others = [one for one in every if one not in changed]
        if len(changed) == 1 and all(one.kinds == {"null"} for one in others):
            return f"{v} if {v} is None else {changed[0].code(v)}" if others else changed[0].code(v)
        return self.helper(node, v, lambda: by_class(changed) if self.out else by_json(every))


def by_class(changed):
    """The lines that convert a value of one of several types to JSON: subclasses first."""
    lines = {}
    for one in sorted(changed, key=lambda one: -one.rank):
        test, line = one.test("v"), f"return {one.code('v')}"
        if lines.setdefault(test, line) != line:
            raise Refused("two of its types are of the same class, and cannot be told apart", "return one of them, or a dataclass for each")
    return [*(f"if {test}: {line}" for test, line in lines.items()), "return v"]


def by_json(every):
    """The lines that convert a JSON value to the first of several types that it can be."""
    lines = []
    for i, one in enumerate(every):
        test, code = one.test("v"), one.code("v") if one.converts() else "v"
        later = [other for other in every[i + 1:] if one.meets(other) and (one.converts() or other.converts())]
        for other in later:
            # A type of which only the JSON type is looked at takes all that a later one should get.
            vague = other.test("v") == test or not one.values and one.fields is None
            if vague and not one.parses and one.schema.keys() - {"type"} and code != (other.code("v") if other.converts() else "v"):
                raise Refused("two of its types look the same in JSON", "keep one, or use dataclasses with a field `kind: Literal[…]`")
        if one.parses and later:
            lines += [f"if {test}:", f"    try: return {code}", "    except (ValueError, ArithmeticError): pass"]
        elif later or one.converts():
            lines.append(f"if {test}: return {code}")
    return [*lines, "return v"]


class Stub:
    """The source that calls a tool. It runs at every call, so it has only what was asked for."""

    def __init__(self, name, module):
        self.name, self.module = name, module
        self.imports = {}  # line: None
        self.classes = {}  # id: expression
        self.helpers = {}  # node: (name, lines)
        self.variables = 0

    def use(self, code):
        """`code`, with the names that it has from the standard library imported."""
        for name in re.findall(r"\w+", code):
            if name in MODULES:
                self.imports[f"from {MODULES[name]} import {name}"] = None
        return code

    def own(self, cls):
        """An expression for a class of the tool's."""
        if id(cls) not in self.classes:
            places = [(cls.__module__, cls.__qualname__)] + [(self.name, name) for name, value in vars(self.module).items() if value is cls]
            for module, path in places:
                with contextlib.suppress(AttributeError, KeyError):
                    found = operator.attrgetter(path)(self.module if module == self.name else sys.modules[module])
                    if found is cls and all(map(str.isidentifier, f"{module}.{path}".split("."))):
                        break
            else:
                raise Refused(f"`{cls.__name__}` cannot be imported", "define it at the top of the file, not in a function")
            first, dot, rest = path.partition(".")
            alias = f"C{len(self.classes) + 1}"
            self.imports[f"from {module} import {first} as {alias}"] = None
            self.classes[id(cls)] = alias + dot + rest
        return self.classes[id(cls)]

    def variable(self):
        """A name for a comprehension's variable."""
        self.variables += 1
        return f"x{self.variables}"

    def helper(self, node, prefix, body):
        """The name of the function that converts the values of `node`; `body` makes its lines."""
        if node not in self.helpers:
            self.helpers[node] = f"{prefix}{len(self.helpers) + 1}", []  # before its lines: they may call it
            self.helpers[node][1].extend(body())
        return self.helpers[node][0]

    def source(self, name, function, lines, result):
        inner = wrapped(function)
        waits, inner_waits = inspect.iscoroutinefunction(function), inspect.iscoroutinefunction(inner)
        alone = [one for one in inspect.signature(inner).parameters.values() if one.kind is one.POSITIONAL_ONLY]
        given = [f"a.pop({one.name!r})" for one in alone if one.default is one.empty]
        optional = [f"a.pop({one.name!r}, d[{i}])" for i, one in enumerate(alone[len(given):])]
        if optional:
            lines = [*lines, f"d = {'f' if function is inner else self.use('unwrap(f)')}.__defaults__"]
        call = "await " * waits + f"f({', '.join([*given, *optional, '**a'])})"
        if result and result.converts():
            lines = [*lines, f"r = {call}"]
            if inner_waits and not waits:  # what wraps it may have waited already
                lines.append("if hasattr(r, '__await__'): r = await r")
            call = result.code("r")
            waits = waits or inner_waits
        imports = [f"from {self.name} import {name} as f", *sorted(self.imports)]
        helpers = [line for helper, body in self.helpers.values() for line in definition(f"def {helper}(v):", body)]
        return "\n".join([*imports, *helpers, *definition("async " * waits + "def run(a):", [*lines, f"return {call}"]), ""])


def definition(head, lines):
    return [f"{head} {lines[0]}"] if len(lines) == 1 else [head, *(f"    {line}" for line in lines)]


def assignments(v, fields):
    """The lines that convert, in the dict `v`, the fields that need it."""
    lines = [(at, f"{v}[{at!r}] = {node.code(f'{v}[{at!r}]')}", needed) for at, node, needed in fields if node.converts()]
    return [line if needed else f"if {at!r} in {v}: {line}" for at, line, needed in lines]


def braced(names):
    return f"{{{', '.join(map(repr, names))}}}" if names else "set()"


def evaluated(owner, look=lambda owner: typing.get_type_hints(owner, include_extras=True)):
    """What annotations, or a bound or an alias, stand for: it is looked up only now."""
    try:
        return look(owner)
    except NameError as error:
        fix = f"define or import `{error.name}` at the top of the file, not under TYPE_CHECKING"
        raise Refused(f"`{error.name}`, in the types of `{owner.__name__}`, is not defined", fix) from None
    except Exception as error:  # an annotation is any expression
        raise Refused(f"types of `{owner.__name__}` cannot be evaluated: {type(error).__name__}: {error}", KNOWN) from None


def fields_of(cls, out):
    """(name, type, default, description) of each field of a dataclass, TypedDict or NamedTuple."""
    hints = evaluated(cls)
    if dataclasses.is_dataclass(cls):
        if not out and any(isinstance(one, dataclasses.InitVar) for one in hints.values()):
            raise Refused(f"`{cls.__name__}` has an InitVar, which is no data", "make it a field")
        for one in dataclasses.fields(cls):
            # A factory of the tool's own may give something else each time.
            made = one.default_factory() if one.default_factory in (list, dict, set, frozenset, tuple) else HIDDEN
            default = made if one.default_factory is not MISSING and not out else MISSING if out else one.default
            if one.init or out:
                yield one.name, hints.get(one.name), default, one.metadata.get("description") or getattr(one, "doc", None)
    elif typing.is_typeddict(cls):
        for at, hint in hints.items():
            inner, needed = hint, at in cls.__required_keys__
            # Where annotations are strings the class itself does not know.
            while (origin := typing.get_origin(inner)) in (*WRAPPERS, typing.Annotated):
                needed = origin is typing.Required or needed and origin is not typing.NotRequired
                inner = typing.get_args(inner)[0]
            yield at, hint, MISSING if needed else HIDDEN, None
    else:
        for at in cls._fields:
            yield at, hints.get(at), MISSING if out else cls._field_defaults.get(at, MISSING), None


def object_schema(properties, fields, others=False):
    required = [at for at, _, needed in fields if needed]
    return {"type": "object", "properties": properties, **({"required": required} if required else {}), "additionalProperties": others}


def any_of(schemas):
    """The schema of a union; types about which nothing else is said become one `type`."""
    found = []
    for schema in schemas:
        found += schema["anyOf"] if schema.keys() == {"anyOf"} else [schema]
    if {} in found:
        return {}
    names = [name for one in found if one.keys() == {"type"} for name in ([one["type"]] if isinstance(one["type"], str) else one["type"])]
    names = [name for name in dict.fromkeys(names) if name != "integer" or "number" not in names]
    merged = {"type": names if len(names) > 1 else "".join(names)}
    found = {json.dumps(one): one for one in (merged if one.keys() == {"type"} else one for one in found)}
    return {"anyOf": list(found.values())} if len(found) > 1 else next(iter(found.values()))


def enumeration(values):
    """The schema of some values, and their JSON types."""
    with contextlib.suppress(TypeError, ValueError):
        if values and all(type(one) in NAMES and plain(one) is one for one in values):
            kinds = {NAMES[type(one)] for one in values}
            return {**({"type": min(kinds)} if len(kinds) == 1 else {}), "enum": list(values)}, kinds
    raise Refused("its values are not all JSON" if values else "it has no values", "use text, numbers, booleans or None")


def json_types(schema):
    """The types to whose values keywords can be added; none for encoded strings."""
    if "anyOf" in schema:
        return [name for one in schema["anyOf"] for name in json_types(one)]
    found = schema.get("type", []) if not schema.keys() & {"format", "contentEncoding"} else []
    return [found] if isinstance(found, str) else found


def constraint(name, value, schema, hint):
    """The keywords that an attribute of an object in Annotated stands for, as in the package annotated-types."""
    found = json_types(schema)
    if name in BOUNDS and type(value) in (int, float) and math.isfinite(value) and {"integer", "number"} & set(found):
        return {BOUNDS[name]: value}
    value = getattr(value, "pattern", value)  # of a compiled one
    if name == "pattern" and isinstance(value, str) and "string" in found:
        return {"pattern": value}
    sizes = {f"{name[:3]}{SIZES[one]}": value for one in found if one in SIZES}
    if name.endswith("_length") and type(value) is int and value >= 0 and sizes:
        return sizes
    raise Refused(f"`{name}={value!r:.80}` says nothing about `{shown(hint)}` in JSON", "check it in the function")


def nesting(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(nesting, inner), default=0)


def plain(value):
    """The JSON of a value that is a default; TypeError or ValueError if it has none."""
    match value:
        case enum.Enum():
            return plain(value.value)
        case None | bool():
            return value
        case str() if value.encode() is not None:  # a lone surrogate is no text
            return value
        case int() | float() if abs(value) <= INTEGER_MAX or isinstance(value, float) and math.isfinite(value):
            return value
        case datetime.datetime(tzinfo=None):
            return value.astimezone().isoformat()
        case datetime.date() | datetime.time():
            return value.isoformat()
        case uuid.UUID() | decimal.Decimal() | pathlib.PurePath():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case set() | frozenset():
            return sorted(map(plain, value), key=json.dumps)
        case list() | tuple():
            return plain(value._asdict()) if hasattr(value, "_asdict") else [plain(one) for one in value]
        case dict() if all(isinstance(key, str) for key in value):
            return {plain(key): plain(one) for key, one in value.items()}
    return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value) if one.init}


def substituted(hint, variables):
    """A type with its variables replaced."""
    if isinstance(hint, typing.TypeVar):
        return variables.get(hint, hint)
    found = () if isinstance(hint, type) or not variables else getattr(hint, "__parameters__", ())
    return hint[tuple(variables.get(one, one) for one in found)] if found else hint


def unsupported(hint, origin):
    name = shown(hint)
    if isinstance(hint, (str, typing.ForwardRef)):
        return Refused(f"`{name}` is not defined", f"define it at the top of the file; if it names itself: `type {name} = …`")
    fix = KNOWN
    if isinstance(origin, type):
        if origin in STREAMS:
            return Refused(f"`{name}` gives its items one by one, JSON all at once", "use `list[…]`")
        if origin.__module__.partition(".")[0] not in sys.stdlib_module_names:
            fix = f"make it a dataclass: `@dataclass` above `class {name}`"
        fix = next((FIXES[base] for base in origin.__mro__ if base in FIXES), fix)
    return Refused(f"`{name}` has no JSON form", fix)


def shown(hint):
    """A type as people write it, without its modules."""
    text = hint.__name__ if isinstance(hint, type) else getattr(hint, "__forward_arg__", None) or str(hint)
    return re.sub(r"\b(?:[A-Za-z_]\w*\.)+\b", "", text).replace("NoneType", "None")[:200]


def bounded(text):
    if len(text) > TEXT_CHARS_MAX:
        raise Refused(f"description is longer than {TEXT_CHARS_MAX} characters", "say it shorter")
    return text


def documented(cls):
    """The description of a class and those of its fields; nothing where only Python wrote one."""
    text = vars(cls).get("__doc__")
    return docstring(None if isinstance(text, str) and text.startswith(f"{cls.__name__}(") else text)


def docstring(text):
    """A docstring without its sections on parameters, and what these say: {parameter: description}."""
    lines = inspect.cleandoc(text).splitlines() if isinstance(text, str) else []
    rest, found = [], {}
    while lines:
        line, inner = lines.pop(0), []
        if GOOGLE.fullmatch(line):
            while lines and (not lines[0].strip() or lines[0][0].isspace()):
                inner.append(lines.pop(0))
            entries(inspect.cleandoc("\n".join(["", *inner])).splitlines(), GOOGLE_ENTRY, found)
        elif NUMPY.fullmatch(line) and lines and UNDERLINE.fullmatch(lines[0]):
            while lines and not (len(lines) > 1 and lines[0].strip() and UNDERLINE.fullmatch(lines[1])):
                inner.append(lines.pop(0))
            entries(inner[1:], NUMPY_ENTRY, found)
        elif REST.match(line):
            while lines and lines[0][:1].isspace():
                inner.append(lines.pop(0))
            entries([line, *inner], REST, found)
        else:
            rest.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(rest)).strip(), {name: " ".join(words) for name, words in found.items() if words and name}


def entries(lines, pattern, found):
    """Adds the parameters that `lines` describe to `found`; what is indented goes on with the one before."""
    words = []
    for line in lines:
        match = None if line[:1].isspace() else pattern.match(line)
        if match:
            words = []
            found |= {name.strip(" *"): words for name in (match[1] or "").split(",")}
        text = ((match[2] or "") if match else line).strip()
        words += [text] if text else []
