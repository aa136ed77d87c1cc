"""Calling the tools that the run was granted."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from wit_world.imports import port as _port, tools as _tools
from componentize_py_types import Err as _Err

from _oacp import denial as _denial, jsontext as _jsontext
from . import ToolError

__all__ = ["call", "call_async"]


def call(name: str, /, **arguments: Any) -> Any:
    """Calls the tool `name` and waits for its result.

    Raises `oacp.CapabilityDenied` when the grant does not cover the call, `oacp.ToolError` when the
    tool fails, and `TypeError` when an argument is not JSON. Inside `async` code use `call_async`:
    this function lets no other task run until the result is there.
    """
    id = _start(name, arguments)
    return _value(name, _port.wait([id], None))


async def call_async(name: str, /, **arguments: Any) -> Any:
    """Like `call`, but other tasks run while the tool works."""
    loop = asyncio.get_running_loop()
    id = _start(name, arguments)
    return _value(name, await loop.completion_of(id))


def _start(name: str, arguments: dict[str, Any]) -> int:
    if not isinstance(name, str):
        raise TypeError(f"a tool's name is a string, not {_jsontext.a(name)}")
    return _tools.start(name, _jsontext.arguments(name, arguments))


def _value(tool: str, completion: Any) -> Any:
    outcome = completion.outcome
    if not isinstance(outcome, _Err):
        value = getattr(outcome, "value", outcome)
        try:
            return json.loads(value)
        except ValueError:
            raise ToolError(f"tool `{tool}` answered with something that is not JSON",
                            code="tool_error", tool=tool, call=completion.call) from None
    failure = outcome.value
    if failure.code == "denied":
        raise _denial.from_failure(failure, call=completion.call, tool=tool)
    raise ToolError(failure.message, code=failure.code, tool=tool, call=completion.call)
