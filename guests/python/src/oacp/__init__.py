"""What an agent can ask of OACP: its tools and its log.

    from oacp import tools, log

    def run(input):
        log.info("searching")
        return tools.call("search", query=input["query"])
"""

from __future__ import annotations

from typing import Any

__all__ = ["CapabilityDenied", "ToolError", "log", "tools"]


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
    """A call was refused because the run's grant does not cover it."""

    code: str
    tool: str
    """The tool's name, as it was called."""
    call: int
    """The call's id in the recording."""
    capability: Any
    """What would have had to be granted."""
    asked: Any
    """What was asked for."""
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


from . import log, tools  # noqa: E402  (they need the exceptions above)
