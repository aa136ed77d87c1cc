"""Denials: from the host's words to `oacp.CapabilityDenied`, and from a file's PermissionError back to its denial."""

import json
import os

from oacp import CapabilityDenied
from wit_world.imports import denials as _denials

_FIELDS = ("capability", "asked", "nearest", "rule", "fix")


def from_failure(failure, *, call, tool=""):
    """The exception for a completion's failure of code `denied`."""
    return _made(failure.message, _object(failure.detail), failure.code, call, tool)


def of(error):
    """The CapabilityDenied that `error` is, or that the host reported for the file that it names; None if neither.

    The operating system's errors carry no denial: the latest one is taken if it is about the same file.
    """
    if isinstance(error, CapabilityDenied):
        return error
    # One without a number was raised by Python code, about something else.
    if not isinstance(error, PermissionError) or error.errno is None:
        return None
    found = _denials.latest()
    if found is None:
        return None
    call, text = found
    detail = _object(text)
    names = [name for name in (error.filename, error.filename2) if isinstance(name, (str, bytes, os.PathLike))]
    if names and detail.get("asked") not in [os.path.abspath(os.fsdecode(name)) for name in names]:
        return None
    return _made(_first_line(detail), detail, "denied", call, "")


def explained(denied):
    """One line that is enough to mend it: what was refused, the rule, what would allow it."""
    return (str(denied) or _first_line(vars(denied))) + remedy(denied)


def remedy(denied):
    """The rule and the fixes, as an addition to a line."""
    text = f" ({denied.rule})" if isinstance(denied.rule, str) and denied.rule else ""
    fixes = [" ".join(one.split()) for one in denied.fix if isinstance(one, str)] if isinstance(denied.fix, list) else []
    return text + (f"; to allow it: {', or '.join(fixes)}" if fixes else "")


def _first_line(detail):
    return f"{detail.get('capability') or 'what was asked for'} `{detail.get('asked')}` is not granted"


def _object(text):
    try:
        detail = json.loads(text or "{}")
    except ValueError:
        detail = {}
    return detail if isinstance(detail, dict) else {}


def _made(message, detail, code, call, tool):
    own = detail.get("code")
    return CapabilityDenied(message, code=own if isinstance(own, str) else code, tool=tool, call=call,
                            **{name: detail.get(name) for name in _FIELDS})
