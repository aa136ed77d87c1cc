"""What an agent can ask of OACP: its tools, HTTP, its log, and why something was denied.

    from oacp import tools, log

    def run(input):
        log.info("searching")
        return tools.call("search", query=input["query"])
"""

from __future__ import annotations

from typing import Any

__all__ = ["CapabilityDenied", "ToolError", "denial", "http", "log", "tools"]


class ToolError(RuntimeError):
    """A tool call gave no result."""

    code: str
    """A stable word: `unknown_tool`, `tool_error`, `limit`, `timed_out`, …"""
    tool: str
    """The tool's name, as it was called."""
    call: int
    """The call's id in the recording."""

    def __init__(self, message: str, *, code: str = "tool_error", tool: str = "", call: int = 0):
        super().__init__(message)
        self.code = code
        self.tool = tool
        self.call = call


class CapabilityDenied(PermissionError):
    """Something was refused because the run's grant does not cover it: a tool, a host, a file, a variable."""

    code: str
    """A stable word: `tool_not_granted`, `network_not_granted`, `file_read_not_granted`, …"""
    tool: str
    """The tool's name, as it was called; empty where no tool was called."""
    call: int
    """The number of the call, or of the denial, in the recording."""
    capability: Any
    """What would have had to be granted: `tool`, `network`, `file_read`, `file_write`, `env`, `secret`."""
    asked: Any
    """What was asked for: a tool's name, a URL, an absolute path, a variable's name."""
    nearest: Any
    """The grant that comes nearest, or None."""
    rule: Any
    """The rule that decided, or None."""
    fix: Any
    """What would allow it (lines of text), or None."""

    def __init__(self, message: str, *, code: str = "denied", tool: str = "", call: int = 0,
                 capability: Any = None, asked: Any = None, nearest: Any = None, rule: Any = None,
                 fix: Any = None):
        super().__init__(message)
        self.code = code
        self.tool = tool
        self.call = call
        self.capability = capability
        self.asked = asked
        self.nearest = nearest
        self.rule = rule
        self.fix = fix


def denial(error: BaseException) -> CapabilityDenied | None:
    """Explains a caught PermissionError: the denial that it came from, or None if it did not come from one.

    A file that is not granted raises the PermissionError that it raises everywhere; this finds what would allow it.
    Ask right after catching it: only the run's latest denial is known.
    """
    return _denial.of(error)


from . import http, log, tools  # noqa: E402  (they need the exceptions above)
from _oacp import denial as _denial  # noqa: E402
