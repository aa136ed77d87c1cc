"""`os.environ`: what the grant gives. Looking up a name that is not there asks the host, which then records a denial."""

import os
import re

from componentize_py_types import Err
from wit_world.imports import environment as _environment

from . import denial

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

# What the standard library looks up by itself: no wish of the agent's.
_PROBED = re.compile(r"""(?xs: (?: TMPDIR | TEMP | TMP | COLUMNS | LINES | TERM | NO_COLOR | FORCE_COLOR | PYTHON.* | .*_(?:proxy|PROXY)
    | REQUEST_METHOD | SSL_CERT_(?:FILE|DIR) | SSLKEYLOGFILE | REQUESTS_CA_BUNDLE | CURL_CA_BUNDLE | TZ | LANG | LANGUAGE | LC_.*
    | SOURCE_DATE_EPOCH | BROWSER | PAGER | MANPAGER ) \Z)""")

_answers = {}  # name → why it was denied, or None; what the agent took away itself is here too


class _Environ(os._Environ):
    def __getitem__(self, key):
        value = self._data.get(self.encodekey(key))
        if value is not None:
            return self.decodevalue(value)
        if key not in _answers and _NAME.match(key) and not _PROBED.match(key):
            value, _answers[key] = _ask(key)
            if value is not None:  # somebody was asked, and allowed it
                self[key] = value
                return value
        error = KeyError(key)
        if _answers.get(key):
            error.add_note(_answers[key])
        raise error

    def __delitem__(self, key):
        super().__delitem__(key)
        _answers.setdefault(key, None)


_Environ.__name__ = _Environ.__qualname__ = "_Environ"
_Environ.__module__ = "os"


def _ask(name):
    """(value, why not): at most one of them."""
    try:
        return _environment.get(name), None
    except Err as error:
        failure = error.value
        if failure.code != "denied":
            return None, None
        return None, denial.explained(denial.from_failure(failure, call=0))


def install():
    """Called once, when the component is built. The object stays the same: others have imported it."""
    os.environ.__class__ = _Environ


def begin():
    """Called at the start of each run."""
    if os.environ._data:
        os.environ.clear()
    _answers.clear()
    for name, value in _environment.variables():
        os.environ[name] = value
