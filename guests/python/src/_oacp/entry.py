"""What an agent is: a module with `run` or `main`, or a plain script."""

import ast
import inspect
import sys
import warnings

_NAMES = ("run", "main")
_Code = type((lambda: 0).__code__)
_FUNCTION = inspect.CO_OPTIMIZED | inspect.CO_NEWLOCALS


def entry_names(code, content, path):
    """The names, of `run` and `main`, under which a module's top level offers an entry; none for a script.

    `code` answers for nearly every file; only where it leaves a doubt is the source parsed.
    """
    used = code.co_names
    if "run" not in used and "main" not in used:
        return ()
    defined = [one.co_name for one in code.co_consts
               if type(one) is _Code and one.co_qualname in _NAMES and one.co_flags & _FUNCTION == _FUNCTION
               and (one.co_argcount or one.co_flags & inspect.CO_VARARGS)]
    if "run" in defined:
        return _NAMES
    if "main" in defined and "run" not in used:
        return ("main",)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # compiling has given them
        return _names_bound(compile(content, path, "exec", ast.PyCF_ONLY_AST, dont_inherit=True))


def _names_bound(tree):
    found = {}
    guarded = False
    todo = list(reversed(tree.body))
    while todo:
        node = todo.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if name in _NAMES:
                    found.setdefault(name, []).append(node)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                module = node.module if isinstance(node, ast.ImportFrom) and not node.level else None
                for alias in aliases:
                    name = alias.asname or alias.name
                    # `from subprocess import run` offers nothing.
                    if name in _NAMES and (module or alias.name).partition(".")[0] not in sys.stdlib_module_names:
                        found.setdefault(name, []).append(node)
            case ast.Assign(targets=targets):
                for target in targets:
                    _bind(target, node, found)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                _bind(target, node, found)
            case ast.If(test=test) if _is_main_guard(test):
                guarded = True
                todo.extend(reversed(node.orelse))
            case ast.If() | ast.For() | ast.While():
                todo.extend(reversed(node.body + node.orelse))
            case ast.With():
                todo.extend(reversed(node.body))
            case ast.Try() | ast.TryStar():
                handlers = [one for handler in node.handlers for one in handler.body]
                todo.extend(reversed(node.body + handlers + node.orelse + node.finalbody))
            case ast.Match(cases=cases):
                todo.extend(reversed([one for case in cases for one in case.body]))
    if guarded and len(found) == 1:
        (bindings,) = found.values()
        if all(isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)) and _takes_nothing(one.args) for one in bindings):
            return []
    return [name for name in _NAMES if name in found]


def _bind(target, node, found):
    match target:
        case ast.Name(id=name) if name in _NAMES:
            found.setdefault(name, []).append(node)
        case ast.Tuple(elts=inner) | ast.List(elts=inner):
            for one in inner:
                _bind(one, node, found)


def _takes_nothing(arguments):
    return not (arguments.posonlyargs or arguments.args or arguments.vararg)


def _is_main_guard(test):
    match test:
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            for name, text in ((left, right), (right, left)):
                match name, text:
                    case ast.Name(id="__name__"), ast.Constant(value="__main__"):
                        return True
    return False


def choose(module, names, path):
    """The function to call: the first of `names` that is bound to something callable."""
    for name in names:
        function = getattr(module, name, None)
        if callable(function):
            return function
    name = names[0]
    if not hasattr(module, name):
        raise TypeError(f"`{name}` was not defined when {path} had been executed")
    raise TypeError(f"`{name}` in {path} is of type {type(getattr(module, name)).__name__}; an agent's `{name}` is a function")


def takes_input(function):
    """Whether `function` accepts one positional argument."""
    code = getattr(function, "__code__", None)
    if code is not None and type(function).__name__ == "function" and not hasattr(function, "__wrapped__"):
        return code.co_argcount > 0 or code.co_flags & inspect.CO_VARARGS != 0
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL) for p in parameters)
