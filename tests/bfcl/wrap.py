"""Makes a tool of each API: target/bfcl/tools/<api>/ has the benchmark's own files, unchanged, and a `tool.py` with a typed
function for each public method, which calls the one instance that the module keeps.
"""

import ast
import shutil

from fetch import APIS, CODE, PACKAGE

TOOLS = PACKAGE.parent / "tools"

# Answers that may be no JSON: an `mpf`, a complex number, a `Decimal`, and a watchlist that was padded with an `...` among others.
NOT_ALWAYS_JSON = {"logarithm", "power", "square_root", "get_watchlist"}

# What the ground truth gives where the hint has something narrower.
HINTS = {("close_ticket", "ticket_id"): "Union[int, str]"}

ANSWER = '''

def _answer(value: Any) -> Any:
    # The benchmark answers with the text of what is no JSON.
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return str(value)
    return value
'''

LOAD = '''

def load_scenario(scenario: dict[str, Any], long_context: bool = False) -> None:
    """Sets the state that the calls of a run find.

    Args:
        scenario: What an entry of the benchmark has for this API as its `initial_config`.
        long_context: Whether answers and state are padded, as for the category `long_context`.
    """
    global _api
    _api = _new(scenario, long_context)
'''

NEW = '''

def _new(scenario: dict[str, Any], long_context: bool) -> _{name}:
    made = _{name}()
    made._load_scenario(scenario, long_context=long_context)
    return made
'''


class Modern(ast.NodeTransformer):
    """`Dict` and its like become the built-in types, and get the arguments that they lack."""

    def visit_Subscript(self, node):
        if isinstance(node.value, ast.Name):
            node.value.id = {"Dict": "dict", "List": "list", "Tuple": "tuple"}.get(node.value.id, node.value.id)
        node.slice = self.visit(node.slice)
        return node

    def visit_Name(self, node):
        bare = {"Dict": "dict[str, Any]", "dict": "dict[str, Any]", "List": "list[Any]", "list": "list[Any]"}.get(node.id)
        return ast.parse(bare, mode="eval").body if bare else node


def modern(annotation: ast.expr | None) -> str:
    return "Any" if annotation is None else ast.unparse(Modern().visit(annotation))


def returns(method: ast.FunctionDef) -> str:
    """What a method returns. Its hint leaves out the errors, which are dicts as well, and is sometimes wrong: where every `return`
    shows what it gives, that counts, else the hint does too."""
    kinds, unclear = set(), False
    todo = list(method.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef):
            continue
        todo.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Return):
            match node.value:
                case ast.Dict():
                    kinds.add("dict[str, Any]")
                case ast.List() | ast.ListComp():
                    kinds.add("list[Any]")
                case None | ast.Constant(value=None):
                    kinds.add("None")
                case _:
                    unclear = True
    hinted = modern(method.returns) if method.returns else ""
    if unclear or hinted.startswith("Union[") or not kinds:
        for kind in ("dict", "list", "None"):
            if hinted.startswith(kind) or hinted.startswith("Union") and kind in hinted:
                kinds.add({"dict": "dict[str, Any]", "list": "list[Any]", "None": "None"}[kind])
    if method.name in NOT_ALWAYS_JSON:
        kinds.add("str")
    if not kinds:
        return "Any"
    # `None` last, as one writes it.
    found = sorted(kinds, key=lambda kind: (kind == "None", kind))
    return found[0] if len(found) == 1 else f"Union[{', '.join(found)}]"


def function(method: ast.FunctionDef) -> str:
    taken = method.args
    if taken.vararg or taken.kwarg or taken.kwonlyargs or taken.posonlyargs:
        raise SystemExit(f"{method.name}: more than plain parameters")
    names = [arg.arg for arg in taken.args[1:]]
    defaults = [None] * (len(names) - len(taken.defaults)) + taken.defaults
    written = ", ".join(
        f"{arg.arg}: {HINTS.get((method.name, arg.arg)) or modern(arg.annotation)}" + (f" = {ast.unparse(default)}" if default else "")
        for arg, default in zip(taken.args[1:], defaults))
    text = (ast.get_docstring(method) or "").replace("\\", "\\\\").replace('"""', r'\"""')
    text = "\n".join(f"    {line}" if line else "" for line in f'"""{text}\n"""'.splitlines())
    call = f"_api.{method.name}({', '.join(f'{name}={name}' for name in names)})"
    if method.name in NOT_ALWAYS_JSON:
        call = f"_answer({call})"
    return f"\n\ndef {method.name}({written}) -> {returns(method)}:\n{text}\n    return {call}\n"


def about(made: ast.ClassDef) -> str:
    """The API's description of itself."""
    for node in ast.walk(made):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "self._api_description":
            return ast.literal_eval(node.value)
    raise SystemExit(f"{made.name} does not describe itself")


def public(made: ast.ClassDef) -> list[ast.FunctionDef]:
    return [node for node in made.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]


def definition(name: str) -> ast.ClassDef:
    source = (PACKAGE / CODE / f"{APIS[name]}.py").read_text()
    return next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == name)


def wrap(name: str) -> None:
    api, made = APIS[name], definition(name)
    stateful = any(isinstance(node, ast.FunctionDef) and node.name == "_load_scenario" for node in made.body)
    methods = public(made)
    computed = any(method.name in NOT_ALWAYS_JSON for method in methods)
    body = NEW.format(name=name) + "\n\n_api = _new({}, False)\n" + LOAD if stateful else f"\n_api = _{name}()\n"
    body += ANSWER if computed else ""
    body += "".join(function(method) for method in methods)
    used = [word for word in ("Any", "Optional", "Union") if f"{word}[" in body or word == "Any" and "Any" in body]
    directory = TOOLS / api
    (directory / CODE).mkdir(parents=True)
    (directory / "tool.py").write_text(
        f'"""{about(made)}\n\n'
        f"Made by tests/bfcl/wrap.py from `{api}.py` of bfcl-eval (Apache-2.0), which lies unchanged beside it.\n\"\"\"\n\n"
        + ("import json\n" if computed else "")
        + f"from typing import {', '.join(used)}\n\n"
        f"from {'.'.join(CODE.parts)}.{api} import {name} as _{name}\n" + body)
    source = (PACKAGE / CODE / f"{api}.py").read_text()
    for file in [f"{api}.py"] + (["long_context.py"] if ".long_context import" in source else []):
        shutil.copyfile(PACKAGE / CODE / file, directory / CODE / file)
    for above in [CODE, *CODE.parents][:-1]:
        shutil.copyfile(PACKAGE / above / "__init__.py", directory / above / "__init__.py")
    if "import mpmath" in source:
        shutil.copytree(PACKAGE / "mpmath", directory / "mpmath", ignore=shutil.ignore_patterns("tests", "__pycache__"))


if __name__ == "__main__":
    shutil.rmtree(TOOLS, ignore_errors=True)
    functions = 0
    for name in APIS:
        wrap(name)
        functions += len(public(definition(name)))
    print(f"{TOOLS}: {len(APIS)} tools with {functions} functions, and load_scenario")
